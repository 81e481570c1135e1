/* SPDX-License-Identifier: Apache-2.0 */
#include "vfio_user.h"

#include "vfio_user_proto.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_MSG (sizeof(struct vfio_user_header) + sizeof(struct vfio_user_region_access) + VFU_MAX_XFER)
#define MAX_REPLIES (4 * MAX_MSG) /* bytes a client may leave unread before it is no longer served */
#define MAX_REST 16384u		  /* messages of a client that has gone: more than a socket buffer holds */
#define CONNS 4			  /* one client, the others to be told that it is taken */

struct conn {
	int fd; /* -1: free */
	bool refused, versioned, closing;
	uint8_t *in;
	size_t got, need;
	int fds[VFU_MAX_FDS];
	unsigned int nfds;
	uint8_t *out;
	size_t out_len, out_room;
};

struct vfu_server {
	struct vfu_config cfg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listener;
	struct conn conns[CONNS];
	struct vfu_stats st;
};

/* Largest payload first: the message at hand is built in here. */
struct request {
	struct conn *c;
	struct vfio_user_header h; /* host byte order */
	const uint8_t *body;
	size_t len;
};

static void say(struct vfu_server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct vfu_server *s, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!s->cfg.log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->cfg.log(s->cfg.arg, text);
}

/* ------------------------------------------------------------------------------------------ connections */

static void drop_fds(struct conn *c)
{
	while (c->nfds)
		if (c->fds[--c->nfds] >= 0)
			close(c->fds[c->nfds]);
}

static void conn_close(struct vfu_server *s, struct conn *c)
{
	drop_fds(c);
	close(c->fd);
	free(c->in);
	free(c->out);
	bool told = !c->refused;

	*c = (struct conn){ .fd = -1 };
	if (told) {
		say(s, "client has gone");
		s->cfg.ops->disconnected(s->cfg.arg);
	}
}

static void conn_fault(struct vfu_server *s, struct conn *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The stream cannot be trusted any more. */
static void conn_fault(struct vfu_server *s, struct conn *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(s, "disconnecting the client: %s", text);
	s->st.disconnected_for_fault++;
	c->closing = true;
}

static bool queue_out(struct conn *c, const void *data, size_t len)
{
	if (c->out_len + len > c->out_room) {
		size_t room = c->out_len + len + 4096;
		uint8_t *grown = realloc(c->out, room);

		if (!grown)
			return false;
		c->out = grown;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return true;
}

static void flush_out(struct vfu_server *s, struct conn *c)
{
	ssize_t n = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->closing = true;
		c->out_len = 0;
		return;
	}
	if (n > 0) {
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		c->out_len -= (size_t)n;
	}
	(void)s;
}

static void reply(struct vfu_server *s, const struct request *r, const void *body, size_t len, const void *more,
		  size_t more_len)
{
	struct vfio_user_header h = {
		.id = htole16(r->h.id),
		.command = htole16(r->h.command),
		.size = htole32((uint32_t)(sizeof(h) + len + more_len)),
		.flags = htole32(VFIO_USER_REPLY),
	};

	if (r->h.flags & VFIO_USER_NO_REPLY)
		return;
	if (!queue_out(r->c, &h, sizeof(h)) || !queue_out(r->c, body, len) || !queue_out(r->c, more, more_len))
		conn_fault(s, r->c, "out of memory");
}

static void reply_error(struct vfu_server *s, const struct request *r, int rc)
{
	struct vfio_user_header h = {
		.id = htole16(r->h.id),
		.command = htole16(r->h.command),
		.size = htole32(sizeof(h)),
		.flags = htole32(VFIO_USER_REPLY | VFIO_USER_ERROR),
		.error = htole32((uint32_t)-rc),
	};

	s->st.errors++;
	if (r->h.flags & VFIO_USER_NO_REPLY)
		return;
	if (!queue_out(r->c, &h, sizeof(h)))
		conn_fault(s, r->c, "out of memory");
}

/* ------------------------------------------------------------------------------------------ commands */

static int do_version(struct vfu_server *s, struct request *r)
{
	static const char text[] =
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536,\"pgsizes\":4096,"
		"\"write_multiple\":true}}";
	struct vfio_user_version v;
	const char *json = (const char *)r->body + sizeof(v);
	json_t *root;

	if (r->len < sizeof(v))
		return -EINVAL;
	if (r->c->versioned)
		return -EALREADY;
	memcpy(&v, r->body, sizeof(v));
	if (le16toh(v.major) != 0) {
		say(s, "client wants protocol version %u.%u; this is 0.0", le16toh(v.major), le16toh(v.minor));
		return -EINVAL;
	}
	if (r->len > sizeof(v)) {
		if (json[r->len - sizeof(v) - 1])
			return -EINVAL;
		root = json_loads(json, 0, NULL);
		if (!json_is_object(root)) {
			json_decref(root);
			say(s, "client's version text is no JSON object");
			return -EINVAL;
		}
		json_decref(root);
	}
	v.major = v.minor = 0;
	r->c->versioned = true;
	reply(s, r, &v, sizeof(v), text, sizeof(text));
	return 0;
}

static int do_dma_map(struct vfu_server *s, struct request *r)
{
	struct vfio_user_dma_map a;
	int rc = 0;

	if (r->len != sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (!le64toh(a.size) || le64toh(a.address) + (le64toh(a.size) - 1) < le64toh(a.address) || le32toh(a.flags) > 3)
		return -EINVAL;
	if (r->c->nfds > 1)
		return -EINVAL;
	/* Without a descriptor the memory is not reachable (ROMs, other devices): an access of the card is a DMA fault. */
	if (r->c->nfds == 1 && le32toh(a.flags))
		rc = s->cfg.ops->dma_map(s->cfg.arg, le64toh(a.address), le64toh(a.size), r->c->fds[0],
					 le64toh(a.offset), le32toh(a.flags));
	if (!rc)
		reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

static int do_dma_unmap(struct vfu_server *s, struct request *r)
{
	struct vfio_user_dma_unmap a;
	int rc;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.flags) == VFIO_USER_DMA_UNMAP_ALL) {
		if (a.address || a.size)
			return -EINVAL;
		rc = s->cfg.ops->dma_unmap_all(s->cfg.arg);
	} else if (le32toh(a.flags)) {
		return -ENOTSUP; /* dirty pages are logged by the card's own means */
	} else if (!le64toh(a.size) || le64toh(a.address) + (le64toh(a.size) - 1) < le64toh(a.address)) {
		return -EINVAL;
	} else {
		rc = s->cfg.ops->dma_unmap(s->cfg.arg, le64toh(a.address), le64toh(a.size));
	}
	if (!rc)
		reply(s, r, &a, sizeof(a), NULL, 0);
	return rc;
}

static int do_get_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_device_info a = { .argsz = htole32(sizeof(a)),
					   .flags = htole32(VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI),
					   .num_regions = htole32(VFU_REGIONS),
					   .num_irqs = htole32(VFIO_PCI_NUM_IRQS) };

	if (r->len < sizeof(a))
		return -EINVAL;
	reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static int do_get_region_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_info a;
	uint64_t size;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.index) >= VFU_REGIONS)
		return -EINVAL;
	size = s->cfg.region_size[le32toh(a.index)];
	a.argsz = htole32(sizeof(a));
	a.flags = htole32(size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0);
	a.cap_offset = 0;
	a.size = htole64(size);
	a.offset = 0;
	reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static unsigned int irq_count(const struct vfu_server *s, uint32_t index)
{
	return index == VFIO_PCI_MSIX_IRQ_INDEX ? s->cfg.msix_vectors : 0;
}

static int do_get_irq_info(struct vfu_server *s, struct request *r)
{
	struct vfio_user_irq_info a;
	unsigned int count;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	if (le32toh(a.index) >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	count = irq_count(s, le32toh(a.index));
	a.argsz = htole32(sizeof(a));
	a.flags = htole32(count ? VFIO_IRQ_INFO_EVENTFD : 0);
	a.count = htole32(count);
	reply(s, r, &a, sizeof(a), NULL, 0);
	return 0;
}

static int tie(struct vfu_server *s, struct request *r, uint32_t start, uint32_t count)
{
	struct conn *c = r->c;
	int rc = 0;

	/* Either a descriptor for each vector, or none: untie. */
	if (c->nfds && c->nfds != count)
		return -EINVAL;
	for (uint32_t i = 0; !rc && i < count; i++) {
		rc = s->cfg.ops->set_irq(s->cfg.arg, start + i, c->nfds ? c->fds[i] : -1);
		if (!rc && c->nfds)
			c->fds[i] = -1; /* the function's now */
	}
	return rc;
}

static int do_set_irqs(struct vfu_server *s, struct request *r)
{
	uint32_t start, count, data, action;
	struct vfio_user_irq_set a;
	int rc = 0;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	start = le32toh(a.start);
	count = le32toh(a.count);
	data = le32toh(a.flags) & VFIO_IRQ_SET_DATA_TYPE_MASK;
	action = le32toh(a.flags) & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	if (le32toh(a.index) >= VFIO_PCI_NUM_IRQS ||
	    (le32toh(a.flags) & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)))
		return -EINVAL;
	if (start > irq_count(s, le32toh(a.index)) || count > irq_count(s, le32toh(a.index)) - start)
		return -EINVAL;
	if (action != VFIO_IRQ_SET_ACTION_TRIGGER)
		return count ? -ENOTSUP : (reply(s, r, NULL, 0, NULL, 0), 0); /* MSI-X is masked in the table only */
	switch (data) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (count == 0) /* the whole index off */
			for (unsigned int v = 0; !rc && v < irq_count(s, le32toh(a.index)); v++)
				rc = s->cfg.ops->set_irq(s->cfg.arg, v, -1);
		for (uint32_t i = 0; !rc && i < count; i++)
			rc = s->cfg.ops->trigger_irq(s->cfg.arg, start + i);
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (r->len != sizeof(a) + count)
			return -EINVAL;
		for (uint32_t i = 0; !rc && i < count; i++)
			if (r->body[sizeof(a) + i])
				rc = s->cfg.ops->trigger_irq(s->cfg.arg, start + i);
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		rc = tie(s, r, start, count);
		break;
	default:
		return -EINVAL;
	}
	if (!rc)
		reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

static int check_region(const struct vfu_server *s, uint32_t region, uint64_t offset, uint32_t count)
{
	if (region >= VFU_REGIONS || !count || count > VFU_MAX_XFER)
		return -EINVAL;
	if (offset > s->cfg.region_size[region] || count > s->cfg.region_size[region] - offset)
		return -EINVAL;
	return 0;
}

static int do_region_read(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_access a;
	uint8_t *buf;
	int rc;

	if (r->len != sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	rc = check_region(s, le32toh(a.region), le64toh(a.offset), le32toh(a.count));
	if (rc)
		return rc;
	buf = malloc(le32toh(a.count));
	if (!buf)
		return -ENOMEM;
	rc = s->cfg.ops->region_read(s->cfg.arg, le32toh(a.region), le64toh(a.offset), buf, le32toh(a.count));
	if (!rc)
		reply(s, r, &a, sizeof(a), buf, le32toh(a.count));
	free(buf);
	return rc;
}

static int do_region_write(struct vfu_server *s, struct request *r)
{
	struct vfio_user_region_access a;
	int rc;

	if (r->len < sizeof(a))
		return -EINVAL;
	memcpy(&a, r->body, sizeof(a));
	rc = check_region(s, le32toh(a.region), le64toh(a.offset), le32toh(a.count));
	if (!rc && r->len != sizeof(a) + le32toh(a.count))
		rc = -EINVAL;
	if (!rc)
		rc = s->cfg.ops->region_write(s->cfg.arg, le32toh(a.region), le64toh(a.offset), r->body + sizeof(a),
					      le32toh(a.count));
	if (!rc)
		reply(s, r, &a, sizeof(a), NULL, 0);
	return rc;
}

static int do_write_multi(struct vfu_server *s, struct request *r)
{
	struct vfio_user_write_one w;
	uint64_t n, i;
	int rc = 0;

	if (r->len < sizeof(n))
		return -EINVAL;
	memcpy(&n, r->body, sizeof(n));
	n = le64toh(n);
	if (n > VFU_MAX_XFER / sizeof(w) || r->len != sizeof(n) + n * sizeof(w))
		return -EINVAL;
	for (i = 0; !rc && i < n; i++) {
		memcpy(&w, r->body + sizeof(n) + i * sizeof(w), sizeof(w));
		rc = le32toh(w.count) > sizeof(w.data)
			? -EINVAL
			: check_region(s, le32toh(w.region), le64toh(w.offset), le32toh(w.count));
		if (!rc)
			rc = s->cfg.ops->region_write(s->cfg.arg, le32toh(w.region), le64toh(w.offset), w.data,
						      le32toh(w.count));
	}
	n = htole64(n);
	if (!rc)
		reply(s, r, &n, sizeof(n), NULL, 0);
	return rc;
}

static int do_reset(struct vfu_server *s, struct request *r)
{
	int rc = s->cfg.ops->reset(s->cfg.arg);

	if (!rc)
		reply(s, r, NULL, 0, NULL, 0);
	return rc;
}

static int dispatch(struct vfu_server *s, struct request *r)
{
	static int (*const handlers[])(struct vfu_server *s, struct request *r) = {
		[VFIO_USER_VERSION] = do_version,
		[VFIO_USER_DMA_MAP] = do_dma_map,
		[VFIO_USER_DMA_UNMAP] = do_dma_unmap,
		[VFIO_USER_GET_INFO] = do_get_info,
		[VFIO_USER_GET_REGION_INFO] = do_get_region_info,
		[VFIO_USER_GET_IRQ_INFO] = do_get_irq_info,
		[VFIO_USER_SET_IRQS] = do_set_irqs,
		[VFIO_USER_REGION_READ] = do_region_read,
		[VFIO_USER_REGION_WRITE] = do_region_write,
		[VFIO_USER_RESET] = do_reset,
		[VFIO_USER_REGION_WRITE_MULTI] = do_write_multi,
	};

	if (r->h.command >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[r->h.command])
		return -ENOTSUP;
	if (r->h.command != VFIO_USER_SET_IRQS && r->h.command != VFIO_USER_DMA_MAP && r->c->nfds)
		return -EINVAL;
	return handlers[r->h.command](s, r);
}

static void handle(struct vfu_server *s, struct conn *c)
{
	struct request r = { .c = c,
			     .body = c->in + sizeof(struct vfio_user_header),
			     .len = c->need - sizeof(struct vfio_user_header) };
	struct vfio_user_header h;
	int rc;

	memcpy(&h, c->in, sizeof(h));
	r.h = (struct vfio_user_header){ le16toh(h.id), le16toh(h.command), le32toh(h.size), le32toh(h.flags),
					 le32toh(h.error) };
	s->st.messages++;
	if (c->refused) {
		reply_error(s, &r, -EBUSY);
		c->closing = true;
	} else if ((r.h.flags & VFIO_USER_TYPE_MASK) != 0) {
		conn_fault(s, c, "message of type %u: this server sends no commands", r.h.flags & VFIO_USER_TYPE_MASK);
	} else if (!c->versioned && r.h.command != VFIO_USER_VERSION) {
		reply_error(s, &r, -EPROTO);
		conn_fault(s, c, "command %u before the version", r.h.command);
	} else {
		rc = dispatch(s, &r);
		if (rc) {
			say(s, "command %u refused: %s", r.h.command, strerror(-rc));
			reply_error(s, &r, rc);
		}
		if (!c->versioned)
			c->closing = true; /* no common version */
	}
	drop_fds(c);
	c->got = 0;
	c->need = sizeof(struct vfio_user_header);
}

/* ------------------------------------------------------------------------------------------ input */

static void take_fds(struct conn *c, struct msghdr *msg)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (m->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			if (c->nfds < VFU_MAX_FDS)
				c->fds[c->nfds++] = fd;
			else
				close(fd);
		}
	}
}

/* Never reads behind the message at hand, so that descriptors belong to it. True: something came. */
static bool read_some(struct vfu_server *s, struct conn *c)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(VFU_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { c->in + c->got, c->need - c->got };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct vfio_user_header h;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			c->closing = true;
		return c->closing;
	}
	take_fds(c, &msg);
	if (n == 0) {
		if (c->got && !c->refused)
			say(s, "client has gone in the middle of a message");
		c->closing = true;
		c->out_len = 0;
		return true;
	}
	if (msg.msg_flags & MSG_CTRUNC) {
		conn_fault(s, c, "more than %u descriptors in a message", VFU_MAX_FDS);
		return true;
	}
	c->got += (size_t)n;
	if (c->got == sizeof(h) && c->need == sizeof(h)) {
		memcpy(&h, c->in, sizeof(h));
		if (le32toh(h.size) < sizeof(h) || le32toh(h.size) > MAX_MSG) {
			conn_fault(s, c, "message of %u bytes; 16 to %zu are possible", le32toh(h.size),
				   (size_t)MAX_MSG);
			return true;
		}
		c->need = le32toh(h.size);
	}
	return true;
}

static void serve(struct vfu_server *s, struct conn *c, bool *busy)
{
	/* A client that does not read its replies is not served until it does. */
	while (!c->closing && c->out_len < MAX_REPLIES) {
		if (!read_some(s, c))
			break;
		*busy = true;
		if (!c->closing && c->got == c->need) {
			handle(s, c);
			break;
		}
	}
	flush_out(s, c);
	if (c->closing) {
		flush_out(s, c);
		conn_close(s, c);
	}
}

/* The client has hung up, but its last messages are still to be served. */
static struct conn *leaving(struct vfu_server *s)
{
	for (unsigned int i = 0; i < CONNS; i++) {
		struct pollfd p = { .fd = s->conns[i].fd, .events = POLLRDHUP };

		if (p.fd >= 0 && !s->conns[i].refused && poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)))
			return &s->conns[i];
	}
	return NULL;
}

static void accept_client(struct vfu_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;
	bool taken = false;

	if (fd < 0)
		return;
	/* Who comes right after a client that goes is not refused: first the old one's rest, which is bounded. */
	for (unsigned int i = 0; i < MAX_REST && (c = leaving(s)); i++)
		serve(s, c, &taken);
	c = NULL;
	taken = false;
	for (unsigned int i = 0; i < CONNS; i++) {
		if (s->conns[i].fd < 0)
			c = c ? c : &s->conns[i];
		else if (!s->conns[i].refused)
			taken = true;
	}
	if (!c || !(c->in = malloc(MAX_MSG))) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->need = sizeof(struct vfio_user_header);
	c->refused = taken;
	if (taken) {
		s->st.refused++;
		say(s, "second client refused: the function is in use");
		return;
	}
	s->st.clients++;
	say(s, "client connected");
	s->cfg.ops->connected(s->cfg.arg);
}

/* ------------------------------------------------------------------------------------------ server */

unsigned int vfu_poll_fds(const struct vfu_server *s, struct pollfd *fds)
{
	unsigned int n = 0;

	fds[n++] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	for (unsigned int i = 0; i < CONNS; i++) {
		const struct conn *c = &s->conns[i];

		if (c->fd < 0)
			continue;
		fds[n++] = (struct pollfd){ .fd = c->fd,
					    .events = (short)((c->out_len < MAX_REPLIES ? POLLIN : 0) |
							      (c->out_len ? POLLOUT : 0)) };
	}
	return n;
}

bool vfu_process(struct vfu_server *s)
{
	bool busy = false;

	for (unsigned int i = 0; i < CONNS; i++)
		if (s->conns[i].fd >= 0)
			serve(s, &s->conns[i], &busy);
	accept_client(s);
	return busy;
}

bool vfu_has_client(const struct vfu_server *s)
{
	for (unsigned int i = 0; i < CONNS; i++)
		if (s->conns[i].fd >= 0 && !s->conns[i].refused)
			return true;
	return false;
}

const struct vfu_stats *vfu_get_stats(const struct vfu_server *s)
{
	return &s->st;
}

/* A socket file that nobody listens on is what a killed process leaves; anything else stays. */
static int remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN ? -EADDRINUSE : 0;
	close(fd);
	if (rc)
		return rc;
	return unlink(addr->sun_path) ? -errno : 0;
}

int vfu_create(const struct vfu_config *cfg, struct vfu_server **server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct vfu_server *s;
	int rc;

	if (strlen(cfg->path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, cfg->path);
	rc = remove_stale(&addr);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	strcpy(s->path, cfg->path);
	for (unsigned int i = 0; i < CONNS; i++)
		s->conns[i].fd = -1;
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(s->listener, 4)) {
		rc = -errno;
		if (s->listener >= 0)
			close(s->listener);
		free(s);
		return rc;
	}
	*server = s;
	return 0;
}

void vfu_destroy(struct vfu_server *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < CONNS; i++)
		if (s->conns[i].fd >= 0)
			conn_close(s, &s->conns[i]);
	close(s->listener);
	unlink(s->path);
	free(s);
}
