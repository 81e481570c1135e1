/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_function.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fake fake;

static int fake_access(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *to, const void *from, size_t len)
{
	struct fake *f = (struct fake *)dev;
	uint8_t *p = bar == VHP_BAR_CONFIG ? f->config : f->bar;
	size_t size = bar == VHP_BAR_CONFIG ? sizeof(f->config) : bar == 0 ? sizeof(f->bar) : 0;

	if (len > size || offset > size - len)
		return -ERANGE;
	if (to != NULL)
		memcpy(to, p + offset, len);
	else
		memcpy(p + offset, from, len);
	if (from != NULL && f->on_write != NULL)
		f->on_write(f, offset);
	return 0;
}

static int fake_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	return fake_access(dev, bar, offset, buf, NULL, len);
}

static int fake_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	return fake_access(dev, bar, offset, NULL, buf, len);
}

static uint64_t fake_bar_size(struct vhp_dev *dev, unsigned int bar)
{
	return bar == 0 ? sizeof(((struct fake *)dev)->bar) : 0;
}

static const struct vhp_dev_ops fake_ops = { .read = fake_read, .write = fake_write, .bar_size = fake_bar_size };

void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

void cap(uint8_t *p, uint8_t next, uint8_t len, uint8_t type, uint8_t bar, uint32_t offset, uint32_t length)
{
	memset(p, 0, len);
	p[0] = 9;
	p[1] = next;
	p[2] = len;
	p[3] = type;
	p[4] = bar;
	put32(p + 8, offset);
	put32(p + 12, length);
}

void vendor_cap(uint8_t *p, uint8_t next, uint8_t bar, uint8_t version, uint32_t offset, uint32_t length)
{
	cap(p, next, 16, 9, 0xee, offset, length);
	p[5] = 0x10;
	p[6] = bar;
	p[7] = version;
}

void good_function(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.dev.ops = &fake_ops;
	snprintf(fake.dev.info.name, sizeof(fake.dev.info.name), "fake");
	fake.config[6] = 0x10;
	fake.config[0x34] = 0x40;
	fake.config[0x40] = 0x11; /* MSI-X */
	fake.config[0x41] = 0xb0;
	vendor_cap(&fake.config[0xb0], 0, 0, 1, 0, 256);
	cap(&fake.bar[0x00], 0x10, 16, 1, 0, 0x1000, 82);
	cap(&fake.bar[0x10], 0x24, 20, 2, 0, 0x4000, 0x8000);
	put32(&fake.bar[0x20], 4096);
	cap(&fake.bar[0x24], 0x34, 16, 3, 0, 0x2000, 4);
	cap(&fake.bar[0x34], 0x44, 16, 4, 0, 0x3000, 12);
	vendor_cap(&fake.bar[0x44], 0, 0, 1, 0x3800, 32);
}
