/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "vfio_user_client.h"

int raw_connect(unsigned int fn)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 120 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "sockets/fn%u.sock", fn);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); /* a guard against hanging only */
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

void header(uint8_t h[16], unsigned int command, uint32_t size, uint32_t flags)
{
	uint32_t w[4] = { 7u | command << 16, size, flags, 0 };

	memcpy(h, w, 16);
}

int send_msg(int fd, unsigned int command, uint32_t flags, const void *body, size_t len, const int *fds,
	     unsigned int nfds)
{
	uint8_t h[16];
	struct iovec iov[2] = { { h, 16 }, { (void *)(uintptr_t)body, len } };
	char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	header(h, command, (uint32_t)(16 + len), flags);
	if (nfds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)(16 + len) ? 0 : -errno;
}

static bool recv_all(int fd, void *buf, size_t len)
{
	for (uint8_t *p = buf; len;) {
		ssize_t n = recv(fd, p, len, 0);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

int recv_reply(int fd, unsigned int command, void *buf, size_t room)
{
	uint32_t h[4];

	if (!recv_all(fd, h, 16))
		return -ESHUTDOWN;
	if (h[1] < 16 || h[1] - 16 > room || (h[0] >> 16) != command || (h[2] & 0xf) != 1 ||
	    !recv_all(fd, buf, h[1] - 16))
		return -EBADMSG;
	return h[2] & 0x20 ? -(int)h[3] : (int)(h[1] - 16);
}

int call(int fd, unsigned int command, const void *body, size_t len, const int *fds, unsigned int nfds, void *buf,
	 size_t room)
{
	uint8_t own[1024];
	int rc = send_msg(fd, command, 0, body, len, fds, nfds);

	return rc ? -ESHUTDOWN : recv_reply(fd, command, buf ? buf : own, buf ? room : sizeof(own));
}

int client(unsigned int fn)
{
	static const char version[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":16}}";
	int fd = raw_connect(fn);

	if (fd >= 0 && call(fd, VERSION, version, sizeof(version), NULL, 0, NULL, 0) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int reg_read(int fd, uint32_t region, uint64_t offset, uint32_t count, uint32_t *v)
{
	struct access a = { .offset = offset, .region = region, .count = count }, r = { 0 };
	int rc = call(fd, REGION_READ, &a, 16, NULL, 0, &r, sizeof(r));

	memcpy(v, r.data, 4);
	return rc < 0 ? rc : rc == (int)(16 + count) ? 0 : -EBADMSG;
}

int reg_write(int fd, uint32_t region, uint64_t offset, uint32_t count, uint32_t v)
{
	struct access a = { .offset = offset, .region = region, .count = count };

	memcpy(a.data, &v, 4);
	return call(fd, REGION_WRITE, &a, 16 + count, NULL, 0, NULL, 0);
}

int dma_map(int fd, uint64_t iova, uint64_t size, uint64_t offset, int mem)
{
	uint64_t a[4] = { 32 | 3ull << 32, offset, iova, size };

	return call(fd, DMA_MAP, a, sizeof(a), &mem, mem >= 0, NULL, 0);
}

int dma_unmap(int fd, uint64_t iova, uint64_t size)
{
	uint64_t a[3] = { 24, iova, size };

	return call(fd, DMA_UNMAP, a, sizeof(a), NULL, 0, NULL, 0);
}

int set_irqs(int fd, uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds, unsigned int nfds)
{
	uint32_t a[5] = { 20, flags, index, start, count };

	return call(fd, SET_IRQS, a, sizeof(a), fds, nfds, NULL, 0);
}

bool hung_up(int fd)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		;
	close(fd);
	return n == 0 || errno == ECONNRESET;
}
