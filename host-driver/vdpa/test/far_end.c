/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers of the vhost-pci-net functions of a running vhp-sim, for tests of the vDPA driver: each sends back every packet
 * that it receives, and does what it is told.
 *
 *   far_end DIR [PORTS]
 *
 * Prints "ready". Lines on standard input, each answered with "done":
 *   init PORT [REFUSED]    reset, and set up again; REFUSED: hex, peer feature bits to leave out of the answer
 *   reset PORT             reset and stay so
 *   wait PORT              until peer_connection reads 1
 *   disconnect PORT        write 0 to peer_connection, wait until it reads 0
 *   nonsense PORT          send a control message that is none
 *   echo PORT 0|1          send packets back, or keep them
 *   gsi PORT QUEUE         print "gsi N" as the function shows it
 *   logging PORT           print "logging N", the last DIRTY_PAGE_LOGGING (-1: never)
 *   memory PORT            print "need_map N regions N" of the last PEER_MEM_INFO
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib_sim.h"

#define MAX_PORTS 3u
#define BUFFERS 32u
#define BUFFER_SIZE 2048u
#define QUEUE 64u
#define VQ_RX VHOST_PCI_VQ_RX(0)
#define VQ_TX VHOST_PCI_VQ_TX(0)

static struct far {
	struct guest g;
	bool up, keep;
	int logging;
	unsigned int need_map, regions;
	uint64_t kept[BUFFERS];
	unsigned int num_kept;
} far_ends[MAX_PORTS];
static unsigned int num_ports = 2;

static void give(struct far *f, unsigned int queue, uint64_t buf, uint32_t len)
{
	struct seg s = { buf, len, queue == VQ_RX };
	uint16_t old = f->g.q[queue].next_avail;

	if (ring_add(&f->g.q[queue], &s, 1, buf) < 0) {
		fprintf(stderr, "queue %u is full\n", queue);
		exit(1);
	}
	if (ring_wants_kick(&f->g.q[queue], old))
		guest_kick(&f->g, queue);
}

static void init(struct far *f, uint64_t refuse)
{
	f->g.refuse = refuse;
	f->logging = -1;
	f->num_kept = 0;
	if (guest_init(&f->g, ~0ull & ~(1ull << VHP_F_RING_EVENT_IDX) & ~(1ull << VHOST_PCI_NET_F_MQ), QUEUE)) {
		fprintf(stderr, "port %u: the features are not taken\n", f->g.port);
		exit(1);
	}
	for (unsigned int i = 0; i < BUFFERS; i++)
		give(f, VQ_RX, mem_alloc(&f->g.mem, BUFFER_SIZE, 64), BUFFER_SIZE);
	f->up = true;
}

static void control(struct far *f)
{
	unsigned int seen = f->g.nlog, n = guest_pump(&f->g);

	for (unsigned int i = 0; i < n; i++) {
		const struct guest_message *m = &f->g.log[(seen + i) % 32];
		struct vhost_pci_ctrl h;

		memcpy(&h, m->bytes, sizeof(h));
		if (h.request == VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING)
			f->logging = m->bytes[sizeof(h)];
		if (h.request == VHOST_PCI_CTRL_PEER_MEM_INFO) {
			f->need_map = m->bytes[sizeof(h)];
			memcpy(&f->regions, m->bytes + sizeof(h) + sizeof(struct vhost_pci_ctrl_peer_mem_info), 4);
		}
	}
}

static void packets(struct far *f)
{
	uint64_t buf;
	uint32_t len;

	ring_interrupts(&f->g.q[VQ_RX], true);
	while (ring_take(&f->g.q[VQ_RX], &buf, &len)) {
		if (f->keep && f->num_kept < BUFFERS)
			f->kept[f->num_kept++] = buf;
		else
			give(f, VQ_TX, buf, len);
	}
	ring_interrupts(&f->g.q[VQ_TX], true);
	while (ring_take(&f->g.q[VQ_TX], &buf, &len))
		give(f, VQ_RX, buf, BUFFER_SIZE);
}

static void turn(struct far *f)
{
	for (unsigned int v = 0; v < 1 + GUEST_QUEUES; v++)
		(void)guest_irqs(&f->g, v);
	if (!f->up)
		return;
	control(f);
	packets(f);
}

static int command(char *line)
{
	static const unsigned char none[32] = { 0xee };
	struct guest *g;
	char word[16];
	unsigned int port, value;
	unsigned long long bits = 0;
	struct far *f;

	if (sscanf(line, "%15s %u", word, &port) != 2 || port >= num_ports)
		return -EINVAL;
	f = &far_ends[port];
	g = &f->g;
	if (!strcmp(word, "init")) {
		(void)sscanf(line, "%*s %*u %llx", &bits);
		init(f, bits);
	} else if (!strcmp(word, "reset")) {
		f->up = false;
		guest_reset(g);
	} else if (!strcmp(word, "disconnect")) {
		guest_write(g, &g->v.common, VHOST_PCI_COMMON_PEER_CONNECTION, 2, 0);
		if (!guest_wait_connection(g, 0))
			return -ETIMEDOUT;
	} else if (!strcmp(word, "wait")) {
		if (!guest_wait_connection(g, 1))
			return -ETIMEDOUT;
	} else if (!strcmp(word, "nonsense")) {
		guest_send_ctrl(g, none, sizeof(none));
	} else if (!strcmp(word, "echo") && sscanf(line, "%*s %*u %u", &value) == 1) {
		f->keep = !value;
		while (!f->keep && f->num_kept)
			give(f, VQ_RX, f->kept[--f->num_kept], BUFFER_SIZE);
	} else if (!strcmp(word, "gsi") && sscanf(line, "%*s %*u %u", &value) == 1) {
		guest_write(g, &g->v.common, VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2, value);
		printf("gsi %llu\n",
		       (unsigned long long)guest_read(g, &g->v.common, VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4));
	} else if (!strcmp(word, "memory")) {
		printf("need_map %u regions %u\n", f->need_map, f->regions);
	} else if (!strcmp(word, "logging")) {
		printf("logging %d\n", f->logging);
	} else {
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sim sim = { 0 };

	if (argc < 2 || argc > 3 || (argc > 2 && (num_ports = (unsigned int)atoi(argv[2])) - 1 >= MAX_PORTS)) {
		fprintf(stderr, "usage: far_end DIR [PORTS]\n");
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(sim.dir, sizeof(sim.dir), "%s", argv[1]);
	for (unsigned int p = 0; p < num_ports; p++) {
		guest_open(&far_ends[p].g, &sim, p);
		init(&far_ends[p], 0);
	}
	printf("ready\n");
	for (;;) {
		struct pollfd fds[1 + MAX_PORTS * (1 + GUEST_QUEUES)] = { { .fd = STDIN_FILENO, .events = POLLIN } };
		unsigned int n = 1;
		char line[128];

		for (unsigned int p = 0; p < num_ports; p++) {
			for (unsigned int v = 0; v < 1 + GUEST_QUEUES; v++)
				fds[n++] = (struct pollfd){ .fd = far_ends[p].g.irq[v], .events = POLLIN };
		}
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return 1;
		for (unsigned int p = 0; p < num_ports; p++)
			turn(&far_ends[p]);
		if (fds[0].revents) {
			int rc;

			if (!fgets(line, sizeof(line), stdin))
				return 0;
			rc = command(line);
			if (rc)
				printf("failed: %s", line);
			printf("done\n");
		}
	}
}
