/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfio-user client, protocol 0.0.
 *
 * Two locks: `request_lock` is held for one request and its reply and owns the receiving side; `send_lock` is held while
 * one message leaves. A doorbell wants no reply, so it takes only the second and never waits for somebody's round trip.
 *
 * The stream cannot be resynchronised: the first message that breaks the protocol ends the connection.
 */
#include <endian.h>
#include <errno.h>
#include <jansson.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhp_access_impl.h"

/* A server that says nothing for so long is taken as hung. Generous: a simulated card on a busy host is slow. */
#define HELLO_TIMEOUT_S 15
#define REPLY_TIMEOUT_S 120

#define MAX_FDS 16u	       /* of one SET_IRQS message */
#define MAX_CHUNK 4096u	       /* bytes of one REGION_READ or REGION_WRITE */
#define MAX_FOREIGN (1u << 20) /* largest message from the server that is skipped instead of refused */
#define NUM_REGIONS 8u	       /* BAR 0..5, ROM, configuration space */
#define ALL_VECTORS_OFF 0u     /* count 0 with DATA_NONE */

enum command {
	CMD_VERSION = 1,
	CMD_DMA_MAP = 2,
	CMD_DMA_UNMAP = 3,
	CMD_GET_INFO = 4,
	CMD_GET_REGION_INFO = 5,
	CMD_GET_IRQ_INFO = 7,
	CMD_SET_IRQS = 8,
	CMD_REGION_READ = 9,
	CMD_REGION_WRITE = 10,
	CMD_RESET = 13,
};

#define FLAG_TYPE 0xfu
#define FLAG_REPLY 0x1u
#define FLAG_NO_REPLY 0x10u
#define FLAG_ERROR 0x20u

#define DMA_READ 0x1u
#define DMA_WRITE 0x2u

struct header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* with this header */
	uint32_t flags;
	uint32_t error;
};

struct version {
	uint16_t major;
	uint16_t minor;
};

struct device_info {
	uint32_t argsz, flags, num_regions, num_irqs;
};

struct region_info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
};

struct irq_info {
	uint32_t argsz, flags, index, count;
};

struct irq_set {
	uint32_t argsz, flags, index, start, count;
};

struct dma_map {
	uint32_t argsz, flags;
	uint64_t offset, address, size;
};

struct dma_unmap {
	uint32_t argsz, flags;
	uint64_t address, size;
};

struct region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

_Static_assert(sizeof(struct header) == 16 && sizeof(struct region_info) == 32 && sizeof(struct irq_set) == 20 &&
		       sizeof(struct dma_map) == 32 && sizeof(struct dma_unmap) == 24 &&
		       sizeof(struct region_access) == 16,
	       "vfio-user messages have no padding");

struct sock_dev {
	struct vhp_dev dev;
	int fd;
	pthread_mutex_t request_lock;
	pthread_mutex_t send_lock;
	atomic_bool broken;
	pthread_mutex_t failure_lock;
	char failure[192];
	atomic_uint next_id;
	uint32_t max_xfer;
	uint32_t max_fds;
	uint64_t region_size[NUM_REGIONS];
};

static struct sock_dev *to_sock(struct vhp_dev *dev)
{
	return (struct sock_dev *)dev;
}

/* The connection is over; the first reason is kept. Wakes a thread that waits for a reply. */
static int __attribute__((format(printf, 3, 4))) broke(struct sock_dev *s, int code, const char *format, ...)
{
	pthread_mutex_lock(&s->failure_lock);
	if (!atomic_load(&s->broken)) {
		va_list args;

		va_start(args, format);
		vsnprintf(s->failure, sizeof(s->failure), format, args);
		va_end(args);
		atomic_store(&s->broken, true);
		shutdown(s->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->failure_lock);
	return code;
}

/* ---------------------------------------------------------------------------------------------------- the stream */

/* Descriptors travel with the first byte. */
static int send_all(struct sock_dev *s, struct iovec *iov, unsigned int n, const int *fds, unsigned int nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };

	if (nfds > 0) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}

	while (msg.msg_iovlen > 0) {
		ssize_t sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			int code = errno;

			if (code == EAGAIN || code == EWOULDBLOCK)
				return broke(s, -ENODEV, "the server took no data for %d s", REPLY_TIMEOUT_S);
			return broke(s, -ENODEV, "cannot send: %s", strerror(code));
		}
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		while (msg.msg_iovlen > 0 && (size_t)sent >= msg.msg_iov->iov_len) {
			sent -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen > 0) {
			msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + sent;
			msg.msg_iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

static int send_message(struct sock_dev *s, struct header *h, struct iovec *iov, unsigned int n, const int *fds,
			unsigned int nfds)
{
	int rc;

	iov[0] = (struct iovec){ h, sizeof(*h) };
	pthread_mutex_lock(&s->send_lock);
	rc = atomic_load(&s->broken) ? -ENODEV : send_all(s, iov, n, fds, nfds);
	pthread_mutex_unlock(&s->send_lock);
	return rc;
}

/* Descriptors that a server attaches unasked are closed by the kernel: there is no control buffer. */
static int recv_all(struct sock_dev *s, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(s->fd, (char *)buf + got, len - got, 0);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return broke(s, -ENODEV, "the server closed the connection");
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return broke(s, -ETIMEDOUT, "no answer from the server within the time limit");
		return broke(s, -ENODEV, "cannot receive: %s", strerror(errno));
	}
	return 0;
}

static int skip(struct sock_dev *s, size_t len)
{
	char waste[512];

	while (len > 0) {
		size_t n = len < sizeof(waste) ? len : sizeof(waste);
		int rc = recv_all(s, waste, n);

		if (rc < 0)
			return rc;
		len -= n;
	}
	return 0;
}

static int recv_header(struct sock_dev *s, struct header *h)
{
	int rc = recv_all(s, h, sizeof(*h));

	if (rc < 0)
		return rc;
	h->id = le16toh(h->id);
	h->command = le16toh(h->command);
	h->size = le32toh(h->size);
	h->flags = le32toh(h->flags);
	h->error = le32toh(h->error);
	if (h->size < sizeof(*h) || h->size > MAX_FOREIGN)
		return broke(s, -EPROTO, "message %u from the server has size %u", h->command, h->size);
	if ((h->flags & FLAG_TYPE) > FLAG_REPLY)
		return broke(s, -EPROTO, "message %u from the server has type %u", h->command, h->flags & FLAG_TYPE);
	return 0;
}

/*
 * The server asks us for something: DMA_READ and DMA_WRITE, for memory that was mapped without a descriptor. We never
 * map such memory, so there is nothing to serve: say so.
 */
static int refuse(struct sock_dev *s, const struct header *h)
{
	struct header reply = {
		.id = htole16(h->id),
		.command = htole16(h->command),
		.size = htole32(sizeof(reply)),
		.flags = htole32(FLAG_REPLY | FLAG_ERROR),
		.error = htole32(EOPNOTSUPP),
	};
	struct iovec iov[1];
	int rc = skip(s, h->size - sizeof(*h));

	if (rc < 0 || (h->flags & FLAG_NO_REPLY))
		return rc;
	return send_message(s, &reply, iov, 1, NULL, 0);
}

/*
 * One request and its reply. @p reply gets at least @p min bytes and at most @p cap; what is longer is skipped.
 * A positive return is the length of the reply's payload that was stored.
 */
static int transact(struct sock_dev *s, enum command command, const struct iovec *parts, unsigned int nparts,
		    const int *fds, unsigned int nfds, void *reply, size_t min, size_t cap)
{
	struct iovec iov[4];
	struct header h;
	uint16_t id;
	size_t len = 0;
	int rc;

	if (atomic_load(&s->broken))
		return -ENODEV;
	for (unsigned int i = 0; i < nparts; i++) {
		iov[1 + i] = parts[i];
		len += parts[i].iov_len;
	}

	pthread_mutex_lock(&s->request_lock);
	id = (uint16_t)atomic_fetch_add(&s->next_id, 1);
	h = (struct header){
		.id = htole16(id),
		.command = htole16((uint16_t)command),
		.size = htole32((uint32_t)(sizeof(h) + len)),
	};
	rc = send_message(s, &h, iov, 1 + nparts, fds, nfds);
	while (rc == 0) {
		rc = recv_header(s, &h);
		if (rc < 0)
			break;
		if ((h.flags & FLAG_TYPE) != FLAG_REPLY) {
			rc = refuse(s, &h);
			continue;
		}
		len = h.size - sizeof(h);
		if (h.id != id || h.command != command) {
			rc = broke(s, -EPROTO, "reply to command %u id %u, expected command %u id %u", h.command, h.id,
				   command, id);
		} else if (h.flags & FLAG_ERROR) {
			rc = skip(s, len);
			if (rc == 0)
				rc = h.error > 0 && h.error < 4096 ? -(int)h.error : -EIO;
		} else if (len < min) {
			rc = broke(s, -EPROTO, "reply to command %u has %zu bytes, expected %zu", command, len, min);
		} else {
			size_t take = len < cap ? len : cap;

			rc = recv_all(s, reply, take);
			if (rc == 0)
				rc = skip(s, len - take);
			if (rc == 0)
				rc = (int)take;
		}
		break;
	}
	pthread_mutex_unlock(&s->request_lock);
	return rc;
}

/* ---------------------------------------------------------------------------------------------------- operations */

static bool sock_alive(struct vhp_dev *dev)
{
	struct sock_dev *s = to_sock(dev);
	struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLRDHUP };

	/* Somebody waits for a reply: that thread sees whatever happens. */
	if (pthread_mutex_trylock(&s->request_lock) != 0)
		return !atomic_load(&s->broken);
	while (!atomic_load(&s->broken) && poll(&p, 1, 0) > 0) {
		struct header h;

		if (recv_header(s, &h) < 0)
			break;
		if ((h.flags & FLAG_TYPE) == FLAG_REPLY)
			broke(s, -EPROTO, "reply to command %u that was not sent", h.command);
		else
			refuse(s, &h);
	}
	pthread_mutex_unlock(&s->request_lock);
	return !atomic_load(&s->broken);
}

static const char *sock_failure(struct vhp_dev *dev)
{
	struct sock_dev *s = to_sock(dev);

	return atomic_load(&s->broken) ? s->failure : NULL;
}

static int sock_watch_fd(struct vhp_dev *dev)
{
	return to_sock(dev)->fd;
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
		struct region_access access;
		uint8_t data[MAX_CHUNK];
	} reply;
	int rc = check_range(s, bar, offset, len);

	while (rc == 0 && len > 0) {
		uint32_t n = (uint32_t)(len < s->max_xfer ? len : s->max_xfer);
		struct region_access access = { htole64(offset), htole32(bar), htole32(n) };
		struct iovec part = { &access, sizeof(access) };

		rc = transact(s, CMD_REGION_READ, &part, 1, NULL, 0, &reply, sizeof(access) + n, sizeof(reply));
		if (rc < 0)
			break;
		if ((size_t)rc != sizeof(access) + n || le32toh(reply.access.count) != n)
			return broke(s, -EPROTO, "read of %u bytes at BAR %u + 0x%jx was answered with %u", n, bar,
				     (uintmax_t)offset, le32toh(reply.access.count));
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
		uint32_t n = (uint32_t)(len < s->max_xfer ? len : s->max_xfer);
		struct region_access access = { htole64(offset), htole32(bar), htole32(n) }, done;
		struct iovec parts[2] = { { &access, sizeof(access) }, { (void *)(uintptr_t)buf, n } };

		rc = transact(s, CMD_REGION_WRITE, parts, 2, NULL, 0, &done, sizeof(done), sizeof(done));
		if (rc < 0)
			break;
		if (le32toh(done.count) != n)
			return broke(s, -EPROTO, "write of %u bytes at BAR %u + 0x%jx was answered with %u", n, bar,
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
	struct region_access access = { htole64(offset), htole32(bar), htole32(sizeof(data)) };
	struct header h = {
		.id = htole16((uint16_t)atomic_fetch_add(&s->next_id, 1)),
		.command = htole16(CMD_REGION_WRITE),
		.size = htole32(sizeof(h) + sizeof(access) + sizeof(data)),
		.flags = htole32(FLAG_NO_REPLY),
	};
	struct iovec iov[3] = { { 0 }, { &access, sizeof(access) }, { &data, sizeof(data) } };

	if (check_range(s, bar, offset, sizeof(data)) == 0)
		send_message(s, &h, iov, 3, NULL, 0);
}

static int sock_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va)
{
	struct dma_map map = {
		.argsz = htole32(sizeof(map)),
		.flags = htole32(DMA_READ | DMA_WRITE),
		.offset = htole64(offset),
		.address = htole64(iova),
		.size = htole64(size),
	};
	struct iovec part = { &map, sizeof(map) };
	int rc;

	(void)va;
	if (fd < 0)
		return -EBADF;
	rc = transact(to_sock(dev), CMD_DMA_MAP, &part, 1, &fd, 1, NULL, 0, 0);
	return rc < 0 ? rc : 0;
}

static int sock_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size)
{
	struct dma_unmap unmap = {
		.argsz = htole32(sizeof(unmap)),
		.address = htole64(iova),
		.size = htole64(size),
	};
	struct iovec part = { &unmap, sizeof(unmap) };
	int rc = transact(to_sock(dev), CMD_DMA_UNMAP, &part, 1, NULL, 0, NULL, 0, 0);

	return rc < 0 ? rc : 0;
}

static int send_irq_set(struct sock_dev *s, uint32_t flags, unsigned int first, unsigned int count, const int *fds,
			unsigned int nfds)
{
	struct irq_set set = {
		.argsz = htole32(sizeof(set)),
		.flags = htole32(flags | VFIO_IRQ_SET_ACTION_TRIGGER),
		.index = htole32(VFIO_PCI_MSIX_IRQ_INDEX),
		.start = htole32(first),
		.count = htole32(count),
	};
	struct iovec part = { &set, sizeof(set) };
	int rc = transact(s, CMD_SET_IRQS, &part, 1, fds, nfds, NULL, 0, 0);

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

		while (at + n < count && n < s->max_fds && (fds[at + n] >= 0) == tie)
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
	int rc = transact(to_sock(dev), CMD_RESET, NULL, 0, NULL, 0, NULL, 0, 0);

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

	if (!atomic_load(&s->broken) && dev->info.num_msix > 0)
		send_irq_set(s, VFIO_IRQ_SET_DATA_NONE, 0, ALL_VECTORS_OFF, NULL, 0);
	close(s->fd); /* the server unmaps what a client leaves behind */
	pthread_mutex_destroy(&s->request_lock);
	pthread_mutex_destroy(&s->send_lock);
	pthread_mutex_destroy(&s->failure_lock);
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
	.dma_map = sock_dma_map,
	.dma_unmap = sock_dma_unmap,
	.set_irqs = sock_set_irqs,
	.reset = sock_reset,
	.mmap_info = sock_mmap_info,
};

/* ---------------------------------------------------------------------------------------------------- connecting */

static void set_timeout(int fd, int seconds)
{
	struct timeval t = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* A number that the server may name in its capabilities, brought into 1..max. */
static int limit(json_t *capabilities, const char *name, uint32_t max, uint32_t *value)
{
	json_t *number = json_object_get(capabilities, name);

	if (number == NULL)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 1)
		return -EPROTO;
	*value = json_integer_value(number) < (json_int_t)max ? (uint32_t)json_integer_value(number) : max;
	return 0;
}

static int read_capabilities(struct sock_dev *s, const char *text, size_t len, char *err, size_t errlen)
{
	const char *name = s->dev.info.name;
	json_t *root, *capabilities;
	int rc = 0;

	if (len == 0)
		return 0; /* the JSON is optional */
	if (text[len - 1] != '\0')
		return vhp_fail(err, errlen, -EPROTO, "%s: the server's version text is not terminated", name);
	root = json_loads(text, 0, NULL);
	if (!json_is_object(root)) {
		rc = vhp_fail(err, errlen, -EPROTO, "%s: the server's version text is not a JSON object", name);
	} else {
		capabilities = json_object_get(root, "capabilities");
		if (limit(capabilities, "max_msg_fds", MAX_FDS, &s->max_fds) < 0 ||
		    limit(capabilities, "max_data_xfer_size", MAX_CHUNK, &s->max_xfer) < 0)
			rc = vhp_fail(err, errlen, -EPROTO, "%s: the server names a limit that is not a number > 0",
				      name);
	}
	json_decref(root);
	return rc;
}

static int hello(struct sock_dev *s, char *err, size_t errlen)
{
	static const char text[] = "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,"
				   "\"pgsizes\":4096}}";
	struct version version = { htole16(0), htole16(0) };
	struct iovec parts[2] = { { &version, sizeof(version) }, { (void *)(uintptr_t)text, sizeof(text) } };
	const char *name = s->dev.info.name;
	struct {
		struct version version;
		char text[2048];
	} reply;
	int rc;

	rc = transact(s, CMD_VERSION, parts, 2, NULL, 0, &reply, sizeof(reply.version), sizeof(reply));
	if (rc < 0 && atomic_load(&s->broken))
		return vhp_fail(err, errlen, -EPROTO, "%s: not a vfio-user server? %s", name, s->failure);
	if (rc < 0)
		return vhp_fail(err, errlen, -EPROTO, "%s: the server refused protocol version 0.0: %s", name,
				strerror(-rc));
	if (le16toh(reply.version.major) != 0 || le16toh(reply.version.minor) != 0)
		return vhp_fail(err, errlen, -EPROTO, "%s: the server speaks vfio-user %u.%u, this driver 0.0", name,
				le16toh(reply.version.major), le16toh(reply.version.minor));
	return read_capabilities(s, reply.text, (size_t)rc - sizeof(reply.version), err, errlen);
}

static int explore(struct sock_dev *s, char *err, size_t errlen)
{
	const char *name = s->dev.info.name;
	struct device_info info = { .argsz = htole32(sizeof(info)) };
	struct irq_info irq = { .argsz = htole32(sizeof(irq)), .index = htole32(VFIO_PCI_MSIX_IRQ_INDEX) };
	struct iovec part = { &info, sizeof(info) };
	struct iovec irq_part = { &irq, sizeof(irq) };
	int rc;

	rc = transact(s, CMD_GET_INFO, &part, 1, NULL, 0, &info, sizeof(info), sizeof(info));
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: GET_INFO failed: %s", name, strerror(-rc));
	if (!(le32toh(info.flags) & VFIO_DEVICE_FLAGS_PCI) || le32toh(info.num_regions) < NUM_REGIONS ||
	    le32toh(info.num_irqs) <= VFIO_PCI_MSIX_IRQ_INDEX)
		return vhp_fail(err, errlen, -ENODEV,
				"%s: not a PCI device with MSI-X (flags 0x%x, %u regions, %u irqs)", name,
				le32toh(info.flags), le32toh(info.num_regions), le32toh(info.num_irqs));

	for (uint32_t i = 0; i < NUM_REGIONS; i++) {
		struct region_info region = { .argsz = htole32(sizeof(region)), .index = htole32(i) };
		struct iovec region_part = { &region, sizeof(region) };

		rc = transact(s, CMD_GET_REGION_INFO, &region_part, 1, NULL, 0, &region, sizeof(region),
			      sizeof(region));
		if (rc < 0)
			return vhp_fail(err, errlen, rc, "%s: GET_REGION_INFO %u failed: %s", name, i, strerror(-rc));
		s->region_size[i] = le64toh(region.size);
	}

	rc = transact(s, CMD_GET_IRQ_INFO, &irq_part, 1, NULL, 0, &irq, sizeof(irq), sizeof(irq));
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: GET_IRQ_INFO failed: %s", name, strerror(-rc));
	s->dev.info.num_msix = le32toh(irq.count);
	if (s->dev.info.num_msix > 2048)
		return vhp_fail(err, errlen, -EPROTO, "%s: %u MSI-X vectors, PCI allows 2048", name,
				s->dev.info.num_msix);
	return 0;
}

static int connect_to(const char *path, char *err, size_t errlen)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, rc;

	if (path == NULL || path[0] == '\0')
		return vhp_fail(err, errlen, -EINVAL, "no socket path given");
	if (strlen(path) >= sizeof(address.sun_path))
		return vhp_fail(err, errlen, -ENAMETOOLONG, "%s: socket paths have at most %zu characters", path,
				sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vhp_fail(err, errlen, -errno, "cannot create a socket: %s", strerror(errno));
	set_timeout(fd, HELLO_TIMEOUT_S);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		rc = -errno;
		close(fd);
		return vhp_fail(err, errlen, rc, "%s: cannot connect: %s%s", path, strerror(-rc),
				rc == -ENOENT || rc == -ECONNREFUSED ? " (is vhp-sim running?)" : "");
	}
	return fd;
}

int vhp_dev_open_socket(const char *path, struct vhp_dev **dev, char *err, size_t errlen)
{
	struct sock_dev *s;
	int fd, rc;

	*dev = NULL;
	fd = connect_to(path, err, errlen);
	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		close(fd);
		return vhp_fail(err, errlen, -ENOMEM, "%s: out of memory", path);
	}
	s->fd = fd;
	s->dev.ops = &sock_ops;
	s->dev.info.socket = true;
	snprintf(s->dev.info.name, sizeof(s->dev.info.name), "%s", path);
	pthread_mutex_init(&s->request_lock, NULL);
	pthread_mutex_init(&s->send_lock, NULL);
	pthread_mutex_init(&s->failure_lock, NULL);
	s->max_fds = 1; /* the specification's default */
	s->max_xfer = MAX_CHUNK;

	rc = hello(s, err, errlen);
	if (rc == 0) {
		set_timeout(fd, REPLY_TIMEOUT_S);
		rc = explore(s, err, errlen);
	}
	if (rc == 0)
		rc = vhp_dev_identify(&s->dev, err, errlen);
	if (rc < 0) {
		sock_close(&s->dev);
		return rc;
	}
	*dev = &s->dev;
	return 0;
}
