/* SPDX-License-Identifier: Apache-2.0 */
/* The access layer against a mock server, and the parsers above it against a device in memory. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mock_server.h"
#include "vhost_pci.h"
#include "vhp_access_impl.h"
#include "vhp_mbox_client.h"
#include "vhp_mgmt_regs.h"
#include "vhp_virtio_pci.h"

static char err[512];

static struct vhp_dev *open_mock(struct mock *m, enum mock_fault fault)
{
	struct vhp_dev *dev;

	mock_start(m, fault);
	if (vhp_dev_open_socket(m->path, &dev, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return dev;
}

/* ---------------------------------------------------------------------------------------------------- socket: fine */

static void registers(void **state)
{
	const enum mock_fault kinds[] = { MOCK_FINE, MOCK_TRICKLE, MOCK_COMMAND_FIRST };

	(void)state;
	for (unsigned int k = 0; k < 3; k++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, kinds[k]);
		uint8_t out[200], in[200];
		uint64_t v;

		assert_int_equal(vhp_dev_info(dev)->vendor, 0x1af4);
		assert_int_equal(vhp_dev_info(dev)->device, 0x107f);
		assert_int_equal(vhp_dev_info(dev)->revision, 1);
		assert_int_equal(vhp_dev_info(dev)->num_msix, MOCK_VECTORS);
		assert_int_equal(vhp_dev_bar_size(dev, 0), MOCK_BAR0_SIZE);
		/* Bus mastering and memory decoding were switched on. */
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 4, 2, &v), 0);
		assert_int_equal(v & 6, 6);
		for (unsigned int width = 1; width <= 8; width *= 2) {
			uint64_t value = 0x8877665544332211 >> (64 - 8 * width);

			assert_int_equal(vhp_dev_write(dev, 0, 0x101, width, 0x8877665544332211 >> (64 - 8 * width)),
					 0);
			assert_int_equal(vhp_dev_read(dev, 0, 0x101, width, &v), 0);
			assert_int_equal(v, value);
		}
		/* Larger than the server's max_data_xfer_size of 64. */
		for (unsigned int i = 0; i < sizeof(out); i++)
			out[i] = (uint8_t)(i * 7);
		assert_int_equal(vhp_dev_write_buf(dev, 0, 0x200, out, sizeof(out)), 0);
		assert_int_equal(vhp_dev_read_buf(dev, 0, 0x200, in, sizeof(in)), 0);
		assert_memory_equal(in, out, sizeof(in));
		if (kinds[k] == MOCK_COMMAND_FIRST)
			assert_int_equal(m.seen->refusals, 4 + 4); /* four words, four pieces of the buffer */
		assert_true(vhp_dev_alive(dev));
		assert_null(vhp_dev_failure(dev));
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

static void ranges(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint8_t buf[8];
	uint64_t v;

	(void)state;
	/* The mock ends with an error if any of these reaches it. */
	assert_int_equal(vhp_dev_read(dev, 0, MOCK_BAR0_SIZE - 3, 4, &v), -ERANGE);
	assert_int_equal(v, 0xffffffff);
	assert_int_equal(vhp_dev_read(dev, 0, UINT64_MAX - 1, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 2, 0, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 8, 0, 4, &v), -ERANGE);
	assert_int_equal(vhp_dev_write(dev, 0, MOCK_BAR0_SIZE, 1, 0), -ERANGE);
	assert_int_equal(vhp_dev_read(dev, 0, 0, 3, &v), -EINVAL);
	assert_int_equal(vhp_dev_read_buf(dev, 0, 2, buf, 4), -EINVAL);
	assert_int_equal(vhp_dev_write_buf(dev, 0, 0, buf, 6), -EINVAL);
	vhp_dev_doorbell(dev, 0, MOCK_BAR0_SIZE - 1, 1);
	assert_int_equal(vhp_dev_dma_map(dev, UINT64_MAX, 2, 0, 0, NULL), -EINVAL);
	assert_int_equal(vhp_dev_dma_map(dev, 0, 4096, -1, 0, NULL), -EBADF);
	assert_int_equal(vhp_dev_set_irqs(dev, MOCK_VECTORS, 1, (int[]){ -1 }), -EINVAL);
	assert_int_equal(vhp_dev_set_irqs(dev, 1, UINT32_MAX, (int[]){ -1 }), -EINVAL);
	assert_int_equal(vhp_dev_mmap_info(dev, 0, 0, (int[1]){ 0 }, &v, &v), -ENOTSUP);
	assert_int_equal(vhp_dev_read(dev, 0, 0, 4, &v), 0);
	assert_int_equal(m.seen->doorbells, 0);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void doorbells(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint64_t v;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		vhp_dev_doorbell(dev, 0, 0x1000 + 2 * (i % 8), (uint16_t)i);
	/* The reply to a read proves that all before it arrived, in order. */
	assert_int_equal(vhp_dev_read(dev, 0, 0x1000 + 2 * 7, 2, &v), 0);
	assert_int_equal(v, 999);
	assert_int_equal(m.seen->doorbells, 1000);
	assert_int_equal(m.seen->doorbell_offset, 0x1000 + 2 * 7);
	assert_int_equal(m.seen->doorbell_value, 999);
	vhp_dev_close(dev);
	mock_stop(&m);
}

struct worker {
	struct vhp_dev *dev;
	uint64_t at;
	unsigned int wrong;
};

/* Every offset, length and end near a few lines: exactly the range arrives, and nothing at or behind the end is read. */
static void window_steps(void **state)
{
	(void)state;
	for (unsigned int width = 8; width <= VHP_WINDOW_LINE; width *= 2) {
		for (uint64_t from = 0; from < 140; from++) {
			for (size_t len = 1; from + len <= 200; len++) {
				uint64_t ends[] = { from + len, from + len + 1, 200, 256 };

				for (unsigned int e = 0; e < 4; e++) {
					uint64_t at = from;

					while (at < from + len) {
						struct vhp_window_step s =
							vhp_window_read_step(at, from + len - at, width, ends[e]);

						assert_true(s.take > 0 && at + s.take <= from + len);
						assert_true(s.skip + s.take <= s.touch && s.touch <= width);
						assert_true((at - s.skip) % s.touch == 0 &&
							    (s.touch & (s.touch - 1)) == 0);
						assert_true(at - s.skip + s.touch <= ends[e]);
						at += s.take;
					}
				}
				for (uint64_t at = from; at < from + len;) {
					unsigned int n = vhp_window_write_step(at, from + len - at, width);

					assert_true(n > 0 && at % n == 0 && at + n <= from + len && n <= width);
					at += n;
				}
			}
		}
	}
}

/* Posted writes and line reads against the server's memory. */
static void window(void **state)
{
	uint8_t data[1000], got[1000];
	struct vhp_dev *dev;
	struct mock m;

	(void)state;
	mock_start(&m, MOCK_FINE);
	assert_int_equal(vhp_dev_open_socket(m.path, &dev, NULL, 0), 0);
	assert_null(vhp_dev_bar_address(dev, 0));
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t at = 0x2000 + i * 7;
		size_t len = sizeof(data) - i * 23;

		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)(k * 13 + i);
		assert_int_equal(vhp_dev_window_write(dev, 0, at, data, len), 0);
		assert_int_equal(vhp_dev_window_read(dev, 0, at, got, len, at + len + i % 3), 0);
		assert_memory_equal(data, got, len);
	}
	/* The last byte of the BAR, and the first one behind it. */
	assert_int_equal(vhp_dev_window_write(dev, 0, MOCK_BAR0_SIZE - 1, "x", 1), 0);
	assert_int_equal(vhp_dev_window_read(dev, 0, MOCK_BAR0_SIZE - 1, got, 1, MOCK_BAR0_SIZE), 0);
	assert_int_equal(got[0], 'x');
	assert_int_equal(vhp_dev_window_write(dev, 0, MOCK_BAR0_SIZE - 1, "xy", 2), -ERANGE);
	assert_int_equal(vhp_dev_window_read(dev, 0, MOCK_BAR0_SIZE - 1, got, 2, MOCK_BAR0_SIZE), -ERANGE);
	assert_int_equal(got[1], 0xff);
	assert_int_equal(vhp_dev_window_write(dev, 2, 0, "x", 1), -ERANGE);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < 500; i++) {
		uint64_t v;

		w->wrong += vhp_dev_write(w->dev, 0, w->at, 4, i) != 0;
		vhp_dev_doorbell(w->dev, 0, w->at + 4, (uint16_t)i);
		w->wrong += vhp_dev_read(w->dev, 0, w->at, 4, &v) != 0 || v != i;
		w->wrong += !vhp_dev_alive(w->dev);
	}
	return NULL;
}

static void threads(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	struct worker w[4];
	pthread_t t[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		w[i] = (struct worker){ dev, 0x2000 + 16 * i, 0 };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(w[i].wrong, 0);
	}
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void memory(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	int fd = memfd_create("test", 0);

	(void)state;
	assert_true(fd >= 0 && ftruncate(fd, 8192) == 0 && pwrite(fd, "\x5a", 1, 4096) == 1);
	assert_int_equal(vhp_dev_dma_map(dev, 0x700000000, 4096, fd, 4096, NULL), 0);
	assert_int_equal(m.seen->map_iova, 0x700000000);
	assert_int_equal(m.seen->map_size, 4096);
	assert_int_equal(m.seen->map_byte, 0x5a);
	assert_int_equal(vhp_dev_dma_unmap(dev, 0x700000000, 4096), 0);
	assert_int_equal(m.seen->unmaps, 1);
	close(fd);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void interrupts(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	int fds[8];

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		fds[i] = i == 5 ? -1 : eventfd(0, EFD_NONBLOCK);
	/* Three descriptors a message: 4-6, 7-8, none for 9, 10-11. */
	assert_int_equal(vhp_dev_set_irqs(dev, 4, 8, fds), 0);
	assert_int_equal(m.seen->irq_messages, 4);
	assert_int_equal(m.seen->irq_fds, 7);
	assert_int_equal(m.seen->irq_start, 10);
	assert_int_equal(m.seen->irq_count, 2);
	for (unsigned int i = 0; i < 8; i++) {
		eventfd_t value;

		if (i == 5)
			continue;
		assert_int_equal(eventfd_read(fds[i], &value), 0);
		assert_int_equal(value, 4 + i + 1);
		close(fds[i]);
	}
	assert_int_equal(vhp_dev_set_irqs(dev, 6, 1, (int[]){ -1 }), 0);
	assert_int_equal(m.seen->irq_start, 6);
	assert_int_equal(m.seen->irq_count, 1);
	assert_int_equal(m.seen->irq_fds, 7);
	vhp_dev_close(dev);
	mock_stop(&m);
}

static void reset(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	uint64_t v;

	(void)state;
	assert_int_equal(vhp_dev_reset(dev), 0);
	assert_int_equal(m.seen->resets, 1);
	assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 4, 2, &v), 0);
	assert_int_equal(v & 6, 6);
	vhp_dev_close(dev);
	mock_stop(&m);
}

/* ---------------------------------------------------------------------------------------------------- socket: faults */

static void refused_at_open(void **state)
{
	static const struct {
		enum mock_fault fault;
		int code;
		const char *says;
	} cases[] = {
		{ MOCK_CLOSE_AT_ONCE, -EPROTO, "not a vfio-user server" },
		{ MOCK_MINOR_1, -EPROTO, "vfio-user 0.1" },
		{ MOCK_NOT_JSON, -EPROTO, "JSON" },
		{ MOCK_NOT_TERMINATED, -EPROTO, "terminated" },
		{ MOCK_NO_LIMIT, -EPROTO, "limit" },
		{ MOCK_NOT_PCI, -ENODEV, "not a PCI device" },
		{ MOCK_OTHER_DEVICE, -ENODEV, "1af4:1041" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhp_dev *dev;
		struct mock m;

		mock_start(&m, cases[i].fault);
		assert_int_equal(vhp_dev_open_socket(m.path, &dev, err, sizeof(err)), cases[i].code);
		assert_null(dev);
		if (strstr(err, cases[i].says) == NULL || strstr(err, m.path) == NULL)
			fail_msg("case %u says: %s", i, err);
		mock_stop(&m);
	}
}

static void nobody_there(void **state)
{
	struct vhp_dev *dev;
	char path[300];

	(void)state;
	assert_int_equal(vhp_dev_open_socket("/nowhere/fn1.sock", &dev, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nowhere/fn1.sock"));
	assert_int_equal(vhp_dev_open_socket("/dev/null", &dev, NULL, 0), -ECONNREFUSED);
	assert_int_equal(vhp_dev_open_socket("", &dev, err, sizeof(err)), -EINVAL);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vhp_dev_open_socket(path, &dev, err, sizeof(err)), -ENAMETOOLONG);
}

/* Every kind of wrong reply ends the connection, with a reason, and everything after it fails at once. */
static void wrong_replies(void **state)
{
	(void)state;
	for (enum mock_fault fault = MOCK_AT_BAR_READ; fault < MOCK_ERROR_REPLY; fault++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, fault);
		struct pollfd p = { .fd = vhp_dev_watch_fd(dev), .events = POLLIN | POLLRDHUP };
		uint64_t v = 0;
		int rc = vhp_dev_read(dev, 0, 0, 4, &v);

		if (rc != -EPROTO && rc != -ENODEV)
			fail_msg("fault %u: read returns %d", fault, rc);
		assert_int_equal(v, 0xffffffff);
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_false(vhp_dev_alive(dev));
		assert_non_null(vhp_dev_failure(dev));
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 0, 2, &v), -ENODEV);
		assert_int_equal(vhp_dev_write(dev, 0, 0, 2, 0), -ENODEV);
		assert_int_equal(vhp_dev_dma_unmap(dev, 0, 4096), -ENODEV);
		assert_int_equal(vhp_dev_set_irqs(dev, 0, 1, (int[]){ -1 }), -ENODEV);
		assert_int_equal(vhp_dev_reset(dev), -ENODEV);
		vhp_dev_doorbell(dev, 0, 0, 1);
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

/* A refusal is an answer: the connection stays. */
static void error_replies(void **state)
{
	(void)state;
	for (enum mock_fault fault = MOCK_ERROR_REPLY; fault < MOCK_FAULTS; fault++) {
		struct mock m;
		struct vhp_dev *dev = open_mock(&m, fault);
		uint64_t v;

		assert_int_equal(vhp_dev_read(dev, 0, 0, 4, &v), -EIO);
		assert_true(vhp_dev_alive(dev));
		assert_int_equal(vhp_dev_read(dev, VHP_BAR_CONFIG, 0, 2, &v), 0);
		assert_int_equal(v, 0x1af4);
		vhp_dev_close(dev);
		mock_stop(&m);
	}
}

static void server_killed(void **state)
{
	struct mock m;
	struct vhp_dev *dev = open_mock(&m, MOCK_FINE);
	struct pollfd p = { .fd = vhp_dev_watch_fd(dev), .events = POLLIN | POLLRDHUP };

	(void)state;
	assert_int_equal(poll(&p, 1, 0), 0);
	mock_stop(&m);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_false(vhp_dev_alive(dev));
	assert_non_null(strstr(vhp_dev_failure(dev), "closed"));
	vhp_dev_doorbell(dev, 0, 0, 1);
	vhp_dev_close(dev);
}

/* ---------------------------------------------------------------------------------------------------- fake device */

struct fake {
	struct vhp_dev dev;
	uint8_t config[256];
	uint8_t bar[65536];
	void (*on_write)(struct fake *f, uint64_t offset);
	int reply_error; /* mailbox: how the reply is wrong */
};

static struct fake fake;

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

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

/* One virtio_pci_cap. */
static void cap(uint8_t *p, uint8_t next, uint8_t len, uint8_t type, uint8_t bar, uint32_t offset, uint32_t length)
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

static void vendor_cap(uint8_t *p, uint8_t next, uint8_t bar, uint8_t version, uint32_t offset, uint32_t length)
{
	cap(p, next, 16, 9, 0xee, offset, length);
	p[5] = 0x10;
	p[6] = bar;
	p[7] = version;
}

/* A function as the card shows it: vendor capability at 0xb0, list at the start of BAR 0. */
static void good_function(void)
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

static void find_fails(const char *says)
{
	struct vhp_virtio_pci v;

	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), -EPROTO);
	if (strstr(err, says) == NULL)
		fail_msg("expected \"%s\", got: %s", says, err);
	good_function();
}

static void virtio_found(void **state)
{
	struct vhp_virtio_pci v;
	uint64_t at;

	(void)state;
	good_function();
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.common.offset, 0x1000);
	assert_int_equal(v.notify.offset, 0x4000);
	assert_int_equal(v.notify_multiplier, 4096);
	assert_int_equal(v.isr.offset, 0x2000);
	assert_int_equal(v.device.offset, 0x3000);
	assert_int_equal(v.peer.offset, 0x3800);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 7, &at), 0);
	assert_int_equal(at, 0x4000 + 7 * 4096);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 8, &at), -ERANGE);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 0xffff, &at), -ERANGE);

	/* Without the vendor capability: standard capabilities in configuration space. */
	cap(&fake.config[0x50], 0x60, 16, 1, 0, 0x1000, 82);
	cap(&fake.config[0x60], 0x74, 20, 2, 0, 0x4000, 0x1000);
	put32(&fake.config[0x70], 4);
	cap(&fake.config[0x74], 0x84, 16, 3, 0, 0x2000, 4);
	cap(&fake.config[0x84], 0, 16, 4, 0, 0x3000, 12);
	fake.config[0x41] = 0x50;
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.notify_multiplier, 4);
	assert_int_equal(v.peer.length, 0);
	/* A vendor capability beside them is the peer block. */
	fake.config[0x85] = 0xb0;
	vendor_cap(&fake.config[0xb0], 0, 0, 1, 0x3800, 32);
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.notify_multiplier, 4);
	assert_int_equal(v.peer.offset, 0x3800);
	/* An unknown structure is skipped, a second one of a kind too. */
	good_function();
	cap(&fake.bar[0x44], 0x54, 16, 8, 5, 0xffffffff, 0xffffffff);
	cap(&fake.bar[0x54], 0, 16, 1, 0, 0x8000, 0x100);
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.common.offset, 0x1000);
}

static void virtio_hostile(void **state)
{
	(void)state;
	good_function();
	fake.config[6] = 0;
	find_fails("no capabilities");
	fake.config[0x34] = 0x20;
	find_fails("below 0x40");
	fake.config[0x41] = 0x40;
	find_fails("loop");
	fake.config[0xb7] = 2;
	find_fails("version 2");
	fake.config[0xb6] = 6;
	find_fails("BAR 6");
	fake.config[0xb6] = 2;
	find_fails("outside BAR 2");
	put32(&fake.config[0xb8], 0xfffffff0);
	find_fails("outside BAR 0");
	put32(&fake.config[0xbc], 8);
	find_fails("needs 16");
	fake.bar[0x01] = 0x00;
	find_fails("no notify");
	fake.bar[0x35] = 0x10;
	find_fails("loop");
	fake.bar[0x35] = 0xfc;
	find_fails("malformed entry at 0xfc");
	fake.bar[0x35] = 0x42;
	find_fails("not aligned");
	fake.bar[0x02] = 15;
	find_fails("malformed entry at 0x0");
	put32(&fake.bar[0x0c], 64);
	find_fails("common configuration has 64 bytes");
	put32(&fake.bar[0x08], 0xfffe);
	find_fails("outside BAR 0");
	put32(&fake.bar[0x08], 0x1002);
	find_fails("not aligned");
	put32(&fake.bar[0x20], 3);
	find_fails("multiplier 3");
	put32(&fake.bar[0x20], 1);
	find_fails("multiplier 1");
	fake.bar[0x12] = 16;
	find_fails("no multiplier");
	put32(&fake.bar[0x40], 4);
	find_fails("device configuration has 4");
	put32(&fake.bar[0x50], 16);
	find_fails("peer block has 16");
}

/* Garbage must end with an answer, whatever it is; the sanitizers watch. */
static void virtio_random(void **state)
{
	const char *env = getenv("VHP_TEST_SEED");
	unsigned int seed = env != NULL ? (unsigned int)strtoul(env, NULL, 0) : 20240601;

	(void)state;
	printf("seed %u (VHP_TEST_SEED)\n", seed);
	for (unsigned int i = 0; i < 20000; i++) {
		struct vhp_virtio_pci v;

		good_function();
		for (int n = rand_r(&seed) % 6; n >= 0; n--) {
			if (rand_r(&seed) & 1)
				fake.config[0x34 + rand_r(&seed) % (256 - 0x34)] = (uint8_t)rand_r(&seed);
			else
				fake.bar[rand_r(&seed) % 0x60] = (uint8_t)rand_r(&seed);
		}
		if (vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)) == 0) {
			const struct vhp_virtio_area *all[] = { &v.common, &v.notify, &v.isr, &v.device, &v.peer };

			for (unsigned int a = 0; a < 5; a++)
				assert_true(all[a]->length == 0 ||
					    (all[a]->bar == 0 &&
					     (uint64_t)all[a]->offset + all[a]->length <= sizeof(fake.bar)));
		}
	}
}

/* ---------------------------------------------------------------------------------------------------- mailbox */

enum {
	REPLY_FINE,
	REPLY_NEVER,
	REPLY_OP,
	REPLY_SEQ,
	REPLY_LENGTH,
	REPLY_STATUS
};

/* The firmware: adds 1 to every byte of the request. */
static void firmware(struct fake *f, uint64_t offset)
{
	struct vhp_mbox_hdr h;
	uint8_t *reply = f->bar + offsetof(vhp_mgmt_t, mbox_reply);
	const uint8_t *request = f->bar + offsetof(vhp_mgmt_t, mbox_request);

	if (offset == offsetof(vhp_mgmt_t, event_ack))
		put32(f->bar + offsetof(vhp_mgmt_t, event), 0);
	if (offset != offsetof(vhp_mgmt_t, mbox) || f->reply_error == REPLY_NEVER)
		return;
	memcpy(&h, request, sizeof(h));
	for (uint32_t i = 0; i < h.length; i++)
		reply[sizeof(h) + i] = request[sizeof(h) + i] + 1;
	h.op ^= f->reply_error == REPLY_OP;
	h.seq ^= f->reply_error == REPLY_SEQ;
	if (f->reply_error == REPLY_LENGTH)
		h.length = VHP_MBOX_SIZE;
	if (f->reply_error == REPLY_STATUS) {
		h.status = VHP_ST_BAD_ARGUMENT;
		h.detail = 12;
	}
	memcpy(reply, &h, sizeof(h));
	put32(f->bar + offsetof(vhp_mgmt_t, mbox), 0);
}

static void good_card(void)
{
	good_function();
	fake.dev.info.vendor = VHP_PEER_PCI_VENDOR;
	fake.dev.info.device = VHP_PEER_PCI_DEVICE;
	memset(fake.bar, 0, sizeof(fake.bar));
	put32(fake.bar + offsetof(vhp_mgmt_t, id), VHP_MGMT__ID__VALUE_reset);
	put32(fake.bar + offsetof(vhp_mgmt_t, version), 1 << 16);
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 1);
	fake.on_write = firmware;
}

static void mailbox_open(void **state)
{
	struct vhp_mbox m;

	(void)state;
	good_card();
	fake.dev.info.device = 0x107f;
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -ENODEV);
	good_card();
	put32(fake.bar + offsetof(vhp_mgmt_t, version), 2 << 16);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -EPROTO);
	assert_non_null(strstr(err, "version 2.0"));
	good_card();
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 0);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -ETIMEDOUT);
	put32(fake.bar + offsetof(vhp_mgmt_t, fw_status), 2);
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), -EIO);
}

static void mailbox_call(void **state)
{
	uint8_t request[VHP_MBOX_SIZE], reply[VHP_MBOX_SIZE];
	struct vhp_mbox m;

	(void)state;
	good_card();
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), 0);
	for (unsigned int i = 0; i < sizeof(request); i++)
		request[i] = (uint8_t)(i * 3);
	for (size_t len = 0; len <= VHP_MBOX_SIZE - sizeof(struct vhp_mbox_hdr); len += 21) {
		memset(reply, 0xaa, sizeof(reply));
		assert_int_equal(vhp_mbox_call(&m, 5, 1, request, len, reply, len + 3, 1000), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(reply[i], (uint8_t)(request[i] + 1));
		assert_memory_equal(reply + len, "\0\0\0\xaa",
				    4); /* what the reply lacks is zero, nothing beyond is touched */
	}
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 40, reply, 8, 1000), 0); /* a longer reply is cut off */
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, VHP_MBOX_SIZE, reply, 0, 1000), -EMSGSIZE);
	fake.reply_error = REPLY_STATUS;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 1000), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(m.detail, 12);
	for (fake.reply_error = REPLY_OP; fake.reply_error <= REPLY_LENGTH; fake.reply_error++)
		assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 1000), -EPROTO);
	fake.reply_error = REPLY_NEVER;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 5), -ETIMEDOUT);
	assert_int_equal(vhp_mbox_call(&m, 5, 1, request, 4, reply, 4, 5), -EBUSY);
	put32(fake.bar + offsetof(vhp_mgmt_t, mbox), 0);
	fake.reply_error = REPLY_FINE;
	assert_int_equal(vhp_mbox_call(&m, 5, 1, NULL, 0, NULL, 0, 1000), 0);
	vhp_mbox_close(&m);
}

static void mailbox_events(void **state)
{
	struct vhp_mbox_event e;
	struct vhp_mbox m;

	(void)state;
	good_card();
	assert_int_equal(vhp_mbox_open(&m, &fake.dev, 10, err, sizeof(err)), 0);
	assert_int_equal(vhp_mbox_event(&m, &e), 0);
	put32(fake.bar + offsetof(vhp_mgmt_t, event), VHP_EVENT_LANE_STOPPED | 1 << 8 | 0x0703u << 16);
	assert_int_equal(vhp_mbox_event(&m, &e), 1);
	assert_int_equal(e.type, VHP_EVENT_LANE_STOPPED);
	assert_int_equal(e.port, 1);
	assert_int_equal(e.arg, 0x0703);
	assert_int_equal(vhp_mbox_event(&m, &e), 0);
	vhp_mbox_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_steps),	   cmocka_unit_test(window),	     cmocka_unit_test(registers),
		cmocka_unit_test(ranges),	   cmocka_unit_test(doorbells),	     cmocka_unit_test(threads),
		cmocka_unit_test(memory),	   cmocka_unit_test(interrupts),     cmocka_unit_test(reset),
		cmocka_unit_test(refused_at_open), cmocka_unit_test(nobody_there),   cmocka_unit_test(wrong_replies),
		cmocka_unit_test(error_replies),   cmocka_unit_test(server_killed),  cmocka_unit_test(virtio_found),
		cmocka_unit_test(virtio_hostile),  cmocka_unit_test(virtio_random),  cmocka_unit_test(mailbox_open),
		cmocka_unit_test(mailbox_call),	   cmocka_unit_test(mailbox_events),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(tests[0]) - (size_t)failed, failed);
	return failed != 0;
}
