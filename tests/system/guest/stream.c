// SPDX-License-Identifier: Apache-2.0
//
// The guest's end of a checked stream (../stream.h): stream INTERFACE RATE MAX MEMORY_MIB. Frames cross a packet socket with a large
// buffer, so that after "hold" they stay in the pages that the device wrote. MEMORY_MIB of memory are filled with a pattern and
// looked at again at the end.

#include <errno.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../stream.h"

#define PAGE 4096u
#define SOCKET_SIZE (96 << 20)

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(STREAM_ETHERTYPE) };
	int size = SOCKET_SIZE, one = 1, fd;

	address.sll_ifindex = (int)if_nametoindex(interface);
	if (address.sll_ifindex == 0)
		die(interface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		die("receive buffer");
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0)
		die("PACKET_IGNORE_OUTGOING");
	/* A queueing discipline like fq_codel drops frames of a slow device without a word; the driver refuses and is asked again. */
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) != 0)
		die("PACKET_QDISC_BYPASS");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("bind");
	return fd;
}

static void fill(uint64_t *memory, size_t words)
{
	for (size_t i = 0; i < words; i++)
		memory[i] = i * 0x9e3779b97f4a7c15u + 1;
}

static size_t wrong_pages(const uint64_t *memory, size_t words)
{
	size_t wrong = 0, last = SIZE_MAX;

	for (size_t i = 0; i < words; i++) {
		if (memory[i] == i * 0x9e3779b97f4a7c15u + 1)
			continue;
		if (i * 8 / PAGE != last)
			wrong++;
		last = i * 8 / PAGE;
	}
	return wrong;
}

/* What the kernel had no room for. */
static void count_drops(struct stream *s, int fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		s->dropped += stats.tp_drops;
}

static unsigned int receive(struct stream *s, int fd)
{
	uint8_t frame[65536];
	unsigned int n = 0;
	ssize_t len;

	while (n < 64 && (len = recv(fd, frame, sizeof(frame), 0)) >= 0) {
		stream_check(s, frame, (size_t)len);
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	uint8_t frame[STREAM_MAX];
	size_t words, wrong;
	uint64_t *memory;
	struct stream s;
	bool more = true;
	int fd;

	if (argc != 5 || !stream_init(&s, 'a', argv[2], argv[3])) {
		fprintf(stderr, "usage: stream INTERFACE RATE MAX MEMORY_MIB\n");
		return 2;
	}
	words = strtoul(argv[4], NULL, 0) << 17;
	memory = mmap(NULL, words * 8 + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("memory");
	fill(memory, words);
	fd = open_socket(argv[1]);
	puts("ready");
	while (more) {
		unsigned int work = 0;

		if (!s.holding)
			work += receive(&s, fd);
		for (unsigned int n = 0; n < 32 && stream_due(&s); n++) {
			size_t len = stream_make(frame, s.max, s.way, (uint32_t)s.sent);

			if (send(fd, frame, len, 0) != (ssize_t)len)
				break;
			stream_sent(&s);
			work++;
		}
		count_drops(&s, fd);
		more = stream_commands(&s, work > 0 ? 0 : 2);
	}
	wrong = wrong_pages(memory, words);
	stream_print(&s, "end");
	printf("memory: %zu of %zu pages wrong\n", wrong, words * 8 / PAGE);
	return stream_right(&s) && wrong == 0 ? 0 : 1;
}
