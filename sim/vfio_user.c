/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfio_user_impl.h"

#define MAX_MSG (sizeof(struct vfio_user_header) + sizeof(struct vfio_user_region_access) + VFU_MAX_XFER)
#define MAX_REPLIES (4 * MAX_MSG) /* bytes a client may leave unread before it is no longer served */
#define MAX_POSTED 32u		  /* writes of a client before others are looked at */
#define MAX_REST 16384u		  /* messages of a client that has gone: more than a socket buffer holds */

void vfu_say(struct vfu_server *s, const char *fmt, ...)
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
		vfu_say(s, "client has gone");
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
	vfu_say(s, "disconnecting the client: %s", text);
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

static void flush_out(struct conn *c)
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
}

void vfu_reply(struct vfu_server *s, const struct request *r, const void *body, size_t len, const void *more,
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

/* ------------------------------------------------------------------------------------------ input */

/* True: it was a posted write. */
static bool handle(struct vfu_server *s, struct conn *c)
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
		rc = vfu_command(s, &r);
		if (rc) {
			vfu_say(s, "command %u refused: %s", r.h.command, strerror(-rc));
			reply_error(s, &r, rc);
		}
		if (!c->versioned)
			c->closing = true; /* no common version */
	}
	drop_fds(c);
	c->got = 0;
	c->need = sizeof(struct vfio_user_header);
	return r.h.command == VFIO_USER_REGION_WRITE && (r.h.flags & VFIO_USER_NO_REPLY);
}

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
			vfu_say(s, "client has gone in the middle of a message");
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
	/*
	 * One message, or posted writes that have come one behind the other, as they do on a link. A client that does not read its
	 * replies is not served until it does.
	 */
	for (unsigned int n = 0; n < MAX_POSTED && !c->closing && c->out_len < MAX_REPLIES;) {
		if (!read_some(s, c))
			break;
		*busy = true;
		if (c->closing || c->got < c->need)
			continue;
		n++;
		if (!handle(s, c))
			break;
	}
	flush_out(c);
	if (c->closing) {
		flush_out(c);
		conn_close(s, c);
	}
}

/* The client has hung up, but its last messages are still to be served. */
static struct conn *leaving(struct vfu_server *s)
{
	for (unsigned int i = 0; i < VFU_CONNS; i++) {
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
	for (unsigned int i = 0; i < VFU_CONNS; i++) {
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
		vfu_say(s, "second client refused: the function is in use");
		return;
	}
	s->st.clients++;
	vfu_say(s, "client connected");
	s->cfg.ops->connected(s->cfg.arg);
}

/* ------------------------------------------------------------------------------------------ server */

unsigned int vfu_poll_fds(const struct vfu_server *s, struct pollfd *fds)
{
	unsigned int n = 0;

	fds[n++] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	for (unsigned int i = 0; i < VFU_CONNS; i++) {
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

	for (unsigned int i = 0; i < VFU_CONNS; i++)
		if (s->conns[i].fd >= 0)
			serve(s, &s->conns[i], &busy);
	accept_client(s);
	return busy;
}

bool vfu_has_client(const struct vfu_server *s)
{
	for (unsigned int i = 0; i < VFU_CONNS; i++)
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
	for (unsigned int i = 0; i < VFU_CONNS; i++)
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
	for (unsigned int i = 0; i < VFU_CONNS; i++)
		if (s->conns[i].fd >= 0)
			conn_close(s, &s->conns[i]);
	close(s->listener);
	unlink(s->path);
	free(s);
}
