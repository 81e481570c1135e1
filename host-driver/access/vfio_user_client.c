/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two locks: `request_lock` is held for one request and its reply and owns the receiving side; `send_lock` is held while
 * one message leaves. What wants no reply takes only the second and never waits for somebody's round trip.
 *
 * The stream cannot be resynchronised: the first message that breaks the protocol ends the connection.
 */
#include "vfio_user_client.h"

#include <endian.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhp_access_impl.h"

/* A server that says nothing for so long is taken as hung. Generous: a simulated card on a busy host is slow. */
#define HELLO_TIMEOUT_S 15
#define REPLY_TIMEOUT_S 120

#define MAX_FOREIGN (1u << 20) /* largest message from the server that is skipped instead of refused */

/* The connection is over; the first reason is kept. Wakes a thread that waits for a reply. */
int vfu_broke(struct vfu_client *c, int code, const char *format, ...)
{
	pthread_mutex_lock(&c->failure_lock);
	if (!atomic_load(&c->broken)) {
		va_list args;

		va_start(args, format);
		vsnprintf(c->failure, sizeof(c->failure), format, args);
		va_end(args);
		atomic_store(&c->broken, true);
		shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&c->failure_lock);
	return code;
}

/* ---------------------------------------------------------------------------------------------------- the stream */

/* Descriptors travel with the first byte. */
static int send_all(struct vfu_client *c, struct iovec *iov, unsigned int n, const int *fds, unsigned int nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VFU_CLIENT_FDS * sizeof(int))];
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
		ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			int code = errno;

			if (code == EAGAIN || code == EWOULDBLOCK)
				return vfu_broke(c, -ENODEV, "the server took no data for %d s", REPLY_TIMEOUT_S);
			return vfu_broke(c, -ENODEV, "cannot send: %s", strerror(code));
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

static int send_message(struct vfu_client *c, struct vfio_user_header *h, struct iovec *iov, unsigned int n,
			const int *fds, unsigned int nfds)
{
	int rc;

	iov[0] = (struct iovec){ h, sizeof(*h) };
	pthread_mutex_lock(&c->send_lock);
	rc = atomic_load(&c->broken) ? -ENODEV : send_all(c, iov, n, fds, nfds);
	pthread_mutex_unlock(&c->send_lock);
	return rc;
}

/* Descriptors that a server attaches unasked are closed by the kernel: there is no control buffer. */
static int recv_all(struct vfu_client *c, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(c->fd, (char *)buf + got, len - got, 0);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return vfu_broke(c, -ENODEV, "the server closed the connection");
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return vfu_broke(c, -ETIMEDOUT, "no answer from the server within the time limit");
		return vfu_broke(c, -ENODEV, "cannot receive: %s", strerror(errno));
	}
	return 0;
}

static int skip(struct vfu_client *c, size_t len)
{
	char waste[512];

	while (len > 0) {
		size_t n = len < sizeof(waste) ? len : sizeof(waste);
		int rc = recv_all(c, waste, n);

		if (rc < 0)
			return rc;
		len -= n;
	}
	return 0;
}

static int recv_header(struct vfu_client *c, struct vfio_user_header *h)
{
	int rc = recv_all(c, h, sizeof(*h));

	if (rc < 0)
		return rc;
	h->id = le16toh(h->id);
	h->command = le16toh(h->command);
	h->size = le32toh(h->size);
	h->flags = le32toh(h->flags);
	h->error = le32toh(h->error);
	if (h->size < sizeof(*h) || h->size > MAX_FOREIGN)
		return vfu_broke(c, -EPROTO, "message %u from the server has size %u", h->command, h->size);
	if ((h->flags & VFIO_USER_TYPE_MASK) > VFIO_USER_REPLY)
		return vfu_broke(c, -EPROTO, "message %u from the server has type %u", h->command,
				 h->flags & VFIO_USER_TYPE_MASK);
	return 0;
}

/*
 * The server asks us for something: DMA_READ and DMA_WRITE, for memory that was mapped without a descriptor. We never
 * map such memory, so there is nothing to serve: say so.
 */
static int refuse(struct vfu_client *c, const struct vfio_user_header *h)
{
	struct vfio_user_header reply = {
		.id = htole16(h->id),
		.command = htole16(h->command),
		.size = htole32(sizeof(reply)),
		.flags = htole32(VFIO_USER_REPLY | VFIO_USER_ERROR),
		.error = htole32(EOPNOTSUPP),
	};
	struct iovec iov[1];
	int rc = skip(c, h->size - sizeof(*h));

	if (rc < 0 || (h->flags & VFIO_USER_NO_REPLY))
		return rc;
	return send_message(c, &reply, iov, 1, NULL, 0);
}

/*
 * One request and its reply. @p reply gets at least @p min bytes and at most @p cap; what is longer is skipped.
 * A positive return is the length of the reply's payload that was stored.
 */
int vfu_transact(struct vfu_client *c, enum vfio_user_command command, const struct iovec *parts, unsigned int nparts,
		 const int *fds, unsigned int nfds, void *reply, size_t min, size_t cap)
{
	struct iovec iov[4];
	struct vfio_user_header h;
	uint16_t id;
	size_t len = 0;
	int rc;

	if (atomic_load(&c->broken))
		return -ENODEV;
	for (unsigned int i = 0; i < nparts; i++) {
		iov[1 + i] = parts[i];
		len += parts[i].iov_len;
	}

	pthread_mutex_lock(&c->request_lock);
	id = (uint16_t)atomic_fetch_add(&c->next_id, 1);
	h = (struct vfio_user_header){
		.id = htole16(id),
		.command = htole16((uint16_t)command),
		.size = htole32((uint32_t)(sizeof(h) + len)),
	};
	rc = send_message(c, &h, iov, 1 + nparts, fds, nfds);
	while (rc == 0) {
		rc = recv_header(c, &h);
		if (rc < 0)
			break;
		if ((h.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_REPLY) {
			rc = refuse(c, &h);
			continue;
		}
		len = h.size - sizeof(h);
		if (h.id != id || h.command != command) {
			rc = vfu_broke(c, -EPROTO, "reply to command %u id %u, expected command %u id %u", h.command,
				       h.id, command, id);
		} else if (h.flags & VFIO_USER_ERROR) {
			rc = skip(c, len);
			if (rc == 0)
				rc = h.error > 0 && h.error < 4096 ? -(int)h.error : -EIO;
		} else if (len < min) {
			rc = vfu_broke(c, -EPROTO, "reply to command %u has %zu bytes, expected %zu", command, len,
				       min);
		} else {
			size_t take = len < cap ? len : cap;

			rc = recv_all(c, reply, take);
			if (rc == 0)
				rc = skip(c, len - take);
			if (rc == 0)
				rc = (int)take;
		}
		break;
	}
	pthread_mutex_unlock(&c->request_lock);
	return rc;
}

/* ---------------------------------------------------------------------------------------------------- unasked */

int vfu_post(struct vfu_client *c, const struct vfu_post *posts, unsigned int n)
{
	struct {
		struct vfio_user_header h;
		struct vfio_user_region_access access;
	} head[VFU_CLIENT_POSTS];
	struct iovec iov[2 * VFU_CLIENT_POSTS];
	int rc = 0;

	for (unsigned int i = 0; i < n; i++) {
		head[i].h = (struct vfio_user_header){
			.id = htole16((uint16_t)atomic_fetch_add(&c->next_id, 1)),
			.command = htole16(VFIO_USER_REGION_WRITE),
			.size = htole32((uint32_t)(sizeof(head[i]) + posts[i].len)),
			.flags = htole32(VFIO_USER_NO_REPLY),
		};
		head[i].access = (struct vfio_user_region_access){ htole64(posts[i].offset), htole32(posts[i].region),
								   htole32(posts[i].len) };
		iov[2 * i] = (struct iovec){ &head[i], sizeof(head[i]) };
		iov[2 * i + 1] = (struct iovec){ (void *)(uintptr_t)posts[i].data, posts[i].len };
	}
	pthread_mutex_lock(&c->send_lock);
	if (n > 0)
		rc = atomic_load(&c->broken) ? -ENODEV : send_all(c, iov, 2 * n, NULL, 0);
	pthread_mutex_unlock(&c->send_lock);
	return rc;
}

bool vfu_alive(struct vfu_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLRDHUP };

	/* Somebody waits for a reply: that thread sees whatever happens. */
	if (pthread_mutex_trylock(&c->request_lock) != 0)
		return !atomic_load(&c->broken);
	while (!atomic_load(&c->broken) && poll(&p, 1, 0) > 0) {
		struct vfio_user_header h;

		if (recv_header(c, &h) < 0)
			break;
		if ((h.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_REPLY)
			vfu_broke(c, -EPROTO, "reply to command %u that was not sent", h.command);
		else
			refuse(c, &h);
	}
	pthread_mutex_unlock(&c->request_lock);
	return !atomic_load(&c->broken);
}

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

static int read_capabilities(struct vfu_client *c, const char *name, const char *text, size_t len, char *err,
			     size_t errlen)
{
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
		if (limit(capabilities, "max_msg_fds", VFU_CLIENT_FDS, &c->max_fds) < 0 ||
		    limit(capabilities, "max_data_xfer_size", VFU_CLIENT_CHUNK, &c->max_xfer) < 0)
			rc = vhp_fail(err, errlen, -EPROTO, "%s: the server names a limit that is not a number > 0",
				      name);
	}
	json_decref(root);
	return rc;
}

static int hello(struct vfu_client *c, const char *name, char *err, size_t errlen)
{
	static const char text[] = "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,"
				   "\"pgsizes\":4096}}";
	struct vfio_user_version version = { htole16(0), htole16(0) };
	struct iovec parts[2] = { { &version, sizeof(version) }, { (void *)(uintptr_t)text, sizeof(text) } };

	struct {
		struct vfio_user_version version;
		char text[2048];
	} reply;
	int rc;

	rc = vfu_transact(c, VFIO_USER_VERSION, parts, 2, NULL, 0, &reply, sizeof(reply.version), sizeof(reply));
	if (rc < 0 && atomic_load(&c->broken))
		return vhp_fail(err, errlen, -EPROTO, "%s: not a vfio-user server? %s", name, c->failure);
	if (rc < 0)
		return vhp_fail(err, errlen, -EPROTO, "%s: the server refused protocol version 0.0: %s", name,
				strerror(-rc));
	if (le16toh(reply.version.major) != 0 || le16toh(reply.version.minor) != 0)
		return vhp_fail(err, errlen, -EPROTO, "%s: the server speaks vfio-user %u.%u, this driver 0.0", name,
				le16toh(reply.version.major), le16toh(reply.version.minor));
	return read_capabilities(c, name, reply.text, (size_t)rc - sizeof(reply.version), err, errlen);
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

int vfu_connect(struct vfu_client *c, const char *path, char *err, size_t errlen)
{
	int rc, fd = connect_to(path, err, errlen);

	if (fd < 0)
		return fd;
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	pthread_mutex_init(&c->request_lock, NULL);
	pthread_mutex_init(&c->send_lock, NULL);
	pthread_mutex_init(&c->failure_lock, NULL);
	c->max_fds = 1; /* the specification's default */
	c->max_xfer = VFU_CLIENT_CHUNK;
	rc = hello(c, path, err, errlen);
	if (rc < 0)
		vfu_disconnect(c);
	else
		set_timeout(fd, REPLY_TIMEOUT_S);
	return rc;
}

void vfu_disconnect(struct vfu_client *c)
{
	close(c->fd); /* the server unmaps what a client leaves behind */
	pthread_mutex_destroy(&c->request_lock);
	pthread_mutex_destroy(&c->send_lock);
	pthread_mutex_destroy(&c->failure_lock);
}
