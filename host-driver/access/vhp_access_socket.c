/* SPDX-License-Identifier: Apache-2.0 */
/* A function of vhp-sim behind its vfio-user socket (vfio_user_client.h). */
#include <endian.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "vfio_user_client.h"
#include "vhp_access_impl.h"

#define NUM_REGIONS 8u	   /* BAR 0..5, ROM, configuration space */
#define ALL_VECTORS_OFF 0u /* count 0 with DATA_NONE */

struct sock_dev {
	struct vhp_dev dev;
	struct vfu_client client;
	uint64_t region_size[NUM_REGIONS];
};

static struct sock_dev *to_sock(struct vhp_dev *dev)
{
	return (struct sock_dev *)dev;
}

static bool sock_alive(struct vhp_dev *dev)
{
	return vfu_alive(&to_sock(dev)->client);
}

static const char *sock_failure(struct vhp_dev *dev)
{
	struct sock_dev *s = to_sock(dev);

	return atomic_load(&s->client.broken) ? s->client.failure : NULL;
}

static int sock_watch_fd(struct vhp_dev *dev)
{
	return to_sock(dev)->client.fd;
}

static uint64_t sock_bar_size(struct vhp_dev *dev, unsigned int bar)
{
	return bar < NUM_REGIONS ? to_sock(dev)->region_size[bar] : 0;
}

static int check_range(const struct sock_dev *s, unsigned int bar, uint64_t offset, size_t len)
{
	if (bar >= NUM_REGIONS || len > s->region_size[bar] || offset > s->region_size[bar] - len)
		return -ERANGE;
	return 0;
}

static int sock_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	struct sock_dev *s = to_sock(dev);
	struct {
		struct vfio_user_region_access access;
		uint8_t data[VFU_CLIENT_CHUNK];
	} reply;
	int rc = check_range(s, bar, offset, len);

	while (rc == 0 && len > 0) {
		uint32_t n = (uint32_t)(len < s->client.max_xfer ? len : s->client.max_xfer);
		struct vfio_user_region_access access = { htole64(offset), htole32(bar), htole32(n) };
		struct iovec part = { &access, sizeof(access) };

		rc = vfu_transact(&s->client, VFIO_USER_REGION_READ, &part, 1, NULL, 0, &reply, sizeof(access) + n,
				  sizeof(reply));
		if (rc < 0)
			break;
		if ((size_t)rc != sizeof(access) + n || le32toh(reply.access.count) != n)
			return vfu_broke(&s->client, -EPROTO, "read of %u bytes at BAR %u + 0x%jx was answered with %u",
					 n, bar, (uintmax_t)offset, le32toh(reply.access.count));
		memcpy(buf, reply.data, n);
		buf = (char *)buf + n;
		offset += n;
		len -= n;
		rc = 0;
	}
	return rc;
}

static int sock_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct sock_dev *s = to_sock(dev);
	int rc = check_range(s, bar, offset, len);

	while (rc == 0 && len > 0) {
		uint32_t n = (uint32_t)(len < s->client.max_xfer ? len : s->client.max_xfer);
		struct vfio_user_region_access access = { htole64(offset), htole32(bar), htole32(n) }, done;
		struct iovec parts[2] = { { &access, sizeof(access) }, { (void *)(uintptr_t)buf, n } };

		rc = vfu_transact(&s->client, VFIO_USER_REGION_WRITE, parts, 2, NULL, 0, &done, sizeof(done),
				  sizeof(done));
		if (rc < 0)
			break;
		if (le32toh(done.count) != n)
			return vfu_broke(&s->client, -EPROTO,
					 "write of %u bytes at BAR %u + 0x%jx was answered with %u", n, bar,
					 (uintmax_t)offset, le32toh(done.count));
		buf = (const char *)buf + n;
		offset += n;
		len -= n;
		rc = 0;
	}
	return rc;
}

static void sock_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	struct sock_dev *s = to_sock(dev);
	uint16_t data = htole16(value);
	struct vfu_post post = { offset, bar, sizeof(data), &data };

	if (check_range(s, bar, offset, sizeof(data)) == 0)
		vfu_post(&s->client, &post, 1);
}

/* A message per line, as it is one TLP for the processor that has the widest loads. */
static int sock_window_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len, uint64_t end)
{
	uint8_t line[VHP_WINDOW_LINE];
	uint8_t *to = buf;
	int rc = check_range(to_sock(dev), bar, offset, len);

	while (rc == 0 && len > 0) {
		struct vhp_window_step step = vhp_window_read_step(offset, len, VHP_WINDOW_LINE, end);

		rc = sock_read(dev, bar, offset - step.skip, line, step.touch);
		if (rc == 0)
			memcpy(to, line + step.skip, step.take);
		to += step.take;
		offset += step.take;
		len -= step.take;
	}
	return rc;
}

static int sock_window_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct sock_dev *s = to_sock(dev);
	struct vfu_post posts[VFU_CLIENT_POSTS];
	const uint8_t *from = buf;
	int rc = check_range(s, bar, offset, len);

	while (rc == 0 && len > 0) {
		unsigned int n;

		for (n = 0; n < VFU_CLIENT_POSTS && len > 0; n++) {
			size_t take = vhp_window_write_step(offset, len, VHP_WINDOW_LINE);

			posts[n] = (struct vfu_post){ offset, bar, (uint32_t)take, from };
			from += take;
			offset += take;
			len -= take;
		}
		rc = vfu_post(&s->client, posts, n);
	}
	return rc;
}

static void *sock_bar_address(struct vhp_dev *dev, unsigned int bar)
{
	(void)dev, (void)bar;
	return NULL; /* every BAR of the simulated card is trapped */
}

static int sock_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va)
{
	struct vfio_user_dma_map map = {
		.argsz = htole32(sizeof(map)),
		.flags = htole32(VFIO_USER_DMA_MAP_READ | VFIO_USER_DMA_MAP_WRITE),
		.offset = htole64(offset),
		.address = htole64(iova),
		.size = htole64(size),
	};
	struct iovec part = { &map, sizeof(map) };
	int rc;

	(void)va;
	if (fd < 0)
		return -EBADF;
	rc = vfu_transact(&to_sock(dev)->client, VFIO_USER_DMA_MAP, &part, 1, &fd, 1, NULL, 0, 0);
	return rc < 0 ? rc : 0;
}

static int sock_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size)
{
	struct vfio_user_dma_unmap unmap = {
		.argsz = htole32(sizeof(unmap)),
		.address = htole64(iova),
		.size = htole64(size),
	};
	struct iovec part = { &unmap, sizeof(unmap) };
	int rc = vfu_transact(&to_sock(dev)->client, VFIO_USER_DMA_UNMAP, &part, 1, NULL, 0, NULL, 0, 0);

	return rc < 0 ? rc : 0;
}

static int send_irq_set(struct sock_dev *s, uint32_t flags, unsigned int first, unsigned int count, const int *fds,
			unsigned int nfds)
{
	struct vfio_user_irq_set set = {
		.argsz = htole32(sizeof(set)),
		.flags = htole32(flags | VFIO_IRQ_SET_ACTION_TRIGGER),
		.index = htole32(VFIO_PCI_MSIX_IRQ_INDEX),
		.start = htole32(first),
		.count = htole32(count),
	};
	struct iovec part = { &set, sizeof(set) };
	int rc = vfu_transact(&s->client, VFIO_USER_SET_IRQS, &part, 1, fds, nfds, NULL, 0, 0);

	return rc < 0 ? rc : 0;
}

/* One message holds descriptors for all its vectors, or none, which unties them. */
static int sock_set_irqs(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds)
{
	struct sock_dev *s = to_sock(dev);

	for (unsigned int at = 0; at < count;) {
		bool tie = fds[at] >= 0;
		unsigned int n = 1;
		int rc;

		while (at + n < count && n < s->client.max_fds && (fds[at + n] >= 0) == tie)
			n++;
		rc = send_irq_set(s, VFIO_IRQ_SET_DATA_EVENTFD, first + at, n, tie ? &fds[at] : NULL, tie ? n : 0);
		if (rc < 0)
			return rc;
		at += n;
	}
	return 0;
}

static int sock_reset(struct vhp_dev *dev)
{
	int rc = vfu_transact(&to_sock(dev)->client, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, 0, 0);

	return rc < 0 ? rc : 0;
}

static int sock_mmap_info(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
			  uint64_t *size)
{
	(void)dev, (void)bar, (void)offset, (void)fd, (void)fd_offset, (void)size;
	return -ENOTSUP; /* every BAR of the simulated card is trapped */
}

static void sock_close(struct vhp_dev *dev)
{
	struct sock_dev *s = to_sock(dev);

	if (!atomic_load(&s->client.broken) && dev->info.num_msix > 0)
		send_irq_set(s, VFIO_IRQ_SET_DATA_NONE, 0, ALL_VECTORS_OFF, NULL, 0);
	vfu_disconnect(&s->client);
	free(s);
}

static const struct vhp_dev_ops sock_ops = {
	.close = sock_close,
	.alive = sock_alive,
	.failure = sock_failure,
	.watch_fd = sock_watch_fd,
	.bar_size = sock_bar_size,
	.read = sock_read,
	.write = sock_write,
	.doorbell = sock_doorbell,
	.window_read = sock_window_read,
	.window_write = sock_window_write,
	.bar_address = sock_bar_address,
	.dma_map = sock_dma_map,
	.dma_unmap = sock_dma_unmap,
	.set_irqs = sock_set_irqs,
	.reset = sock_reset,
	.mmap_info = sock_mmap_info,
};

static int explore(struct sock_dev *s, char *err, size_t errlen)
{
	const char *name = s->dev.info.name;
	struct vfio_user_device_info info = { .argsz = htole32(sizeof(info)) };
	struct vfio_user_irq_info irq = { .argsz = htole32(sizeof(irq)), .index = htole32(VFIO_PCI_MSIX_IRQ_INDEX) };
	struct iovec part = { &info, sizeof(info) };
	struct iovec irq_part = { &irq, sizeof(irq) };
	int rc;

	rc = vfu_transact(&s->client, VFIO_USER_GET_INFO, &part, 1, NULL, 0, &info, sizeof(info), sizeof(info));
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: GET_INFO failed: %s", name, strerror(-rc));
	if (!(le32toh(info.flags) & VFIO_DEVICE_FLAGS_PCI) || le32toh(info.num_regions) < NUM_REGIONS ||
	    le32toh(info.num_irqs) <= VFIO_PCI_MSIX_IRQ_INDEX)
		return vhp_fail(err, errlen, -ENODEV,
				"%s: not a PCI device with MSI-X (flags 0x%x, %u regions, %u irqs)", name,
				le32toh(info.flags), le32toh(info.num_regions), le32toh(info.num_irqs));

	for (uint32_t i = 0; i < NUM_REGIONS; i++) {
		struct vfio_user_region_info region = { .argsz = htole32(sizeof(region)), .index = htole32(i) };
		struct iovec region_part = { &region, sizeof(region) };

		rc = vfu_transact(&s->client, VFIO_USER_GET_REGION_INFO, &region_part, 1, NULL, 0, &region,
				  sizeof(region), sizeof(region));
		if (rc < 0)
			return vhp_fail(err, errlen, rc, "%s: GET_REGION_INFO %u failed: %s", name, i, strerror(-rc));
		s->region_size[i] = le64toh(region.size);
	}

	rc = vfu_transact(&s->client, VFIO_USER_GET_IRQ_INFO, &irq_part, 1, NULL, 0, &irq, sizeof(irq), sizeof(irq));
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: GET_IRQ_INFO failed: %s", name, strerror(-rc));
	s->dev.info.num_msix = le32toh(irq.count);
	if (s->dev.info.num_msix > 2048)
		return vhp_fail(err, errlen, -EPROTO, "%s: %u MSI-X vectors, PCI allows 2048", name,
				s->dev.info.num_msix);
	return 0;
}

int vhp_dev_open_socket(const char *path, struct vhp_dev **dev, char *err, size_t errlen)
{
	struct sock_dev *s = calloc(1, sizeof(*s));
	int rc;

	*dev = NULL;
	if (s == NULL)
		return vhp_fail(err, errlen, -ENOMEM, "%s: out of memory", path);
	rc = vfu_connect(&s->client, path, err, errlen);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->dev.ops = &sock_ops;
	s->dev.info.socket = true;
	snprintf(s->dev.info.name, sizeof(s->dev.info.name), "%s", path);
	rc = explore(s, err, errlen);
	if (rc == 0)
		rc = vhp_dev_identify(&s->dev, err, errlen);
	if (rc < 0) {
		sock_close(&s->dev);
		return rc;
	}
	*dev = &s->dev;
	return 0;
}
