/* SPDX-License-Identifier: Apache-2.0 */
#include "mock_server.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct header {
	uint16_t id, command;
	uint32_t size, flags, error;
};

struct server {
	int fd;
	enum mock_fault fault;
	struct mock_seen *seen;
	uint8_t config[256];
	uint8_t bar0[MOCK_BAR0_SIZE];
};

static void put(struct server *s, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(s->fd, p, s->fault == MOCK_TRICKLE ? 1 : len, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0);
		p += n;
		len -= (size_t)n;
	}
}

/* First message bytes with descriptors; returns how many came. */
static unsigned int get_header(struct server *s, struct header *h, int *fds)
{
	char control[CMSG_SPACE(64 * sizeof(int))];
	struct iovec iov = { h, sizeof(*h) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	unsigned int n = 0;

	if (recvmsg(s->fd, &msg, MSG_WAITALL) != sizeof(*h))
		_exit(0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		n = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

static void reply(struct server *s, const struct header *request, const void *data, size_t len)
{
	struct header h = { request->id, request->command, (uint32_t)(sizeof(h) + len), 1, 0 };

	put(s, &h, sizeof(h));
	put(s, data, len);
}

static void version(struct server *s, const struct header *h)
{
	struct {
		uint16_t major, minor;
		char text[200];
	} v = { .major = 0 };
	size_t len;

	strcpy(v.text, "{\"capabilities\":{\"max_msg_fds\":3,\"max_data_xfer_size\":64,\"pgsizes\":4096}}");
	if (s->fault == MOCK_CLOSE_AT_ONCE)
		_exit(0);
	if (s->fault == MOCK_MINOR_1)
		v.minor = 1;
	if (s->fault == MOCK_NOT_JSON)
		strcpy(v.text, "hello");
	if (s->fault == MOCK_NO_LIMIT)
		strcpy(v.text, "{\"capabilities\":{\"max_msg_fds\":0}}");
	len = 4 + strlen(v.text) + (s->fault != MOCK_NOT_TERMINATED);
	reply(s, h, &v, len);
}

/* A reply to a BAR read that is wrong in the way of s->fault. */
static void wrong_reply(struct server *s, const struct header *request, const uint8_t *data, size_t len)
{
	struct header h = { request->id, request->command, (uint32_t)(sizeof(h) + len), 1, 0 };
	uint8_t copy[256];

	memcpy(copy, data, len);
	switch (s->fault) {
	case MOCK_DIE:
		_exit(0);
	case MOCK_DIE_HALFWAY:
		put(s, &h, sizeof(h));
		put(s, copy, len / 2);
		_exit(0);
	case MOCK_SIZE_SMALL:
		h.size = 15;
		break;
	case MOCK_SIZE_HUGE:
		h.size = 0xfffffff0;
		break;
	case MOCK_WRONG_ID:
		h.id++;
		break;
	case MOCK_WRONG_COMMAND:
		h.command = 10;
		break;
	case MOCK_WRONG_TYPE:
		h.flags = 7;
		break;
	case MOCK_SHORT_REPLY:
		h.size -= 1;
		len -= 1;
		break;
	case MOCK_LONG_REPLY:
		h.size += 1;
		len += 1;
		copy[len - 1] = 0;
		break;
	case MOCK_WRONG_COUNT:
		copy[12] ^= 1;
		break;
	case MOCK_ERROR_REPLY:
		h.flags |= 0x20;
		h.error = EIO;
		h.size = sizeof(h);
		len = 0;
		break;
	case MOCK_ERROR_ZERO:
		h.flags |= 0x20;
		h.size = sizeof(h);
		len = 0;
		break;
	default:
		break;
	}
	put(s, &h, sizeof(h));
	put(s, copy, len);
}

/* Ask the client for memory; it must say no and then still take the reply. */
static void ask_first(struct server *s)
{
	struct {
		struct header h;
		uint64_t address, count;
	} ask = { { 0x7777, 11, sizeof(ask), 0, 0 }, 0x1000, 8 };
	struct header answer;
	int fds[64];

	put(s, &ask, sizeof(ask));
	get_header(s, &answer, fds);
	if (answer.id == 0x7777 && answer.command == 11 && (answer.flags & 0x21) == 0x21 &&
	    answer.error == EOPNOTSUPP && answer.size == sizeof(answer))
		s->seen->refusals++;
}

static void access_region(struct server *s, const struct header *h, uint8_t *body, size_t len)
{
	uint64_t offset;
	uint32_t region, count;
	uint8_t *memory;
	size_t size;

	memcpy(&offset, body, 8);
	memcpy(&region, body + 8, 4);
	memcpy(&count, body + 12, 4);
	memory = region == 7 ? s->config : s->bar0;
	size = region == 7 ? sizeof(s->config) : region == 0 ? sizeof(s->bar0) : 0;
	if (count > 64 || offset + count > size)
		_exit(1); /* the client must have refused this */
	if (h->command == 9) {
		memcpy(body + 16, memory + offset, count);
		if (region == 0 && s->fault == MOCK_COMMAND_FIRST)
			ask_first(s);
		if (region == 0 && s->fault >= MOCK_AT_BAR_READ)
			wrong_reply(s, h, body, 16 + count);
		else
			reply(s, h, body, 16 + count);
		return;
	}
	if (len != 16 + count)
		_exit(1);
	memcpy(memory + offset, body + 16, count);
	if (h->flags & 0x10) {
		s->seen->doorbell_offset = offset;
		memcpy((void *)(uintptr_t)&s->seen->doorbell_value, body + 16, 2);
		s->seen->doorbells++;
	} else {
		reply(s, h, body, 16);
	}
}

static void dma_map(struct server *s, const struct header *h, const uint8_t *body, const int *fds, unsigned int nfds)
{
	uint64_t offset;
	uint8_t *p;

	memcpy(&offset, body + 8, 8);
	memcpy((void *)(uintptr_t)&s->seen->map_iova, body + 16, 8);
	memcpy((void *)(uintptr_t)&s->seen->map_size, body + 24, 8);
	if (nfds == 1) {
		p = mmap(NULL, s->seen->map_size, PROT_READ, MAP_SHARED, fds[0], (off_t)offset);
		if (p != MAP_FAILED) {
			s->seen->map_byte = p[0];
			munmap(p, s->seen->map_size);
		}
	}
	s->seen->maps++;
	reply(s, h, NULL, 0);
}

static void set_irqs(struct server *s, const struct header *h, const uint8_t *body, const int *fds, unsigned int nfds)
{
	memcpy((void *)(uintptr_t)&s->seen->irq_flags, body + 4, 4);
	memcpy((void *)(uintptr_t)&s->seen->irq_start, body + 12, 4);
	memcpy((void *)(uintptr_t)&s->seen->irq_count, body + 16, 4);
	s->seen->irq_fds += nfds;
	s->seen->irq_messages++;
	/* Each tied vector fires once, with its number + 1. */
	for (unsigned int i = 0; i < nfds; i++)
		eventfd_write(fds[i], s->seen->irq_start + i + 1);
	reply(s, h, NULL, 0);
}

static void serve(struct server *s)
{
	for (;;) {
		uint8_t body[4096] = { 0 };
		unsigned int nfds;
		struct header h;
		int fds[64];
		size_t len;

		nfds = get_header(s, &h, fds);
		len = h.size - sizeof(h);
		if (len > sizeof(body) || (len > 0 && recv(s->fd, body, len, MSG_WAITALL) != (ssize_t)len))
			_exit(1);
		switch (h.command) {
		case 1:
			version(s, &h);
			break;
		case 2:
			dma_map(s, &h, body, fds, nfds);
			break;
		case 3:
			s->seen->unmaps++;
			reply(s, &h, body, 24);
			break;
		case 4: {
			uint32_t info[4] = { 16, s->fault == MOCK_NOT_PCI ? 1 : 3, 9, 5 };

			reply(s, &h, info, sizeof(info));
			break;
		}
		case 5: {
			uint32_t index;
			uint64_t size;

			memcpy(&index, body + 8, 4);
			size = index == 7 ? 256 : index == 0 ? MOCK_BAR0_SIZE : 0;
			memcpy(body + 16, &size, 8);
			reply(s, &h, body, 32);
			break;
		}
		case 7: {
			uint32_t info[4] = { 16, 1, 2, MOCK_VECTORS };

			reply(s, &h, info, sizeof(info));
			break;
		}
		case 8:
			set_irqs(s, &h, body, fds, nfds);
			break;
		case 9:
		case 10:
			access_region(s, &h, body, len);
			break;
		case 13:
			s->seen->resets++;
			s->config[4] = 0;
			reply(s, &h, NULL, 0);
			break;
		default:
			_exit(1);
		}
		for (unsigned int i = 0; i < nfds; i++)
			close(fds[i]);
	}
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

void mock_start(struct mock *m, enum mock_fault fault)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *dir = getenv("VHP_TEST_DIR");
	static unsigned int number;
	int listener;

	snprintf(m->path, sizeof(m->path), "%.80s/mock-%d-%u.sock", dir != NULL ? dir : "/tmp", (int)getpid(),
		 number++);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", m->path);
	m->seen = mmap(NULL, sizeof(*m->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	unlink(m->path);
	if (m->seen == MAP_FAILED || listener < 0 || bind(listener, (void *)&address, sizeof(address)) < 0 ||
	    listen(listener, 1) < 0)
		die(m->path);
	fflush(NULL);
	m->pid = fork();
	if (m->pid < 0)
		die("fork");
	if (m->pid == 0) {
		static struct server s;

		s.fault = fault;
		s.seen = m->seen;
		memcpy(s.config, "\xf4\x1a\x7f\x10", 4);
		s.config[8] = 1;
		if (fault == MOCK_OTHER_DEVICE)
			s.config[2] = 0x41;
		s.fd = accept(listener, NULL, NULL);
		close(listener);
		serve(&s);
	}
	close(listener);
}

void mock_stop(struct mock *m)
{
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	unlink(m->path);
	munmap(m->seen, sizeof(*m->seen));
}
