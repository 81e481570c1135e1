/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed rings and control messages, from either virtual machine. Each case breaks one rule on port 0 and checks that
 * exactly that lane or port stops, with the right reason and the right side told, that port 1 goes on moving packets,
 * and that a reset (own side) or a new ring or front end (peer side) mends it.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FEATURES (~(1ull << VHP_F_RING_EVENT_IDX | 1ull << VHOST_PCI_NET_F_MQ))
#define INDIRECT (1ull << VHP_F_RING_INDIRECT_DESC)
#define VRING_RX 0u
#define VRING_TX 1u
#define VQ_RX VHOST_PCI_VQ_RX(0)
#define VQ_TX VHOST_PCI_VQ_TX(0)
#define QSIZE 16u
#define BUF_LEN 2048u

/* stop_reason_e of the card (rtl/lib/vhp_pkg.sv). */
enum {
	AVAIL_JUMP = 2,
	HEAD_RANGE,
	NEXT_RANGE,
	CHAIN_LENGTH,
	DESC_LENGTH,
	REGION,
	INDIRECT_NEST,
	INDIRECT_LEN,
	DIRECTION,
	SHORT_PACKET,
	LONG_PACKET,
	READ_ERROR,
};

static struct sim sim;
static struct host host;
static struct guest g[2];
static struct peer p[2];

static void connect(unsigned int port)
{
	guest_reset(&g[port]);
	assert_int_equal(peer_stop(&p[port], 0), 0);
	peer_new_rings(&p[port]);
	assert_int_equal(guest_init(&g[port], FEATURES, QSIZE), 0);
	assert_int_equal(peer_start(&p[port], 1), 0);
	assert_true(guest_wait_connection(&g[port], 1));
}

static bool used_moved(void *arg)
{
	const struct ring *r = arg;

	return r->used[1] != r->last_used;
}

/* One packet of port @p port to the guest and one to the peer. */
static void packets_move(unsigned int port)
{
	struct {
		struct ring *src, *snk;
		struct mem *from, *to;
	} way[2] = { { &p[port].q[VRING_TX], &g[port].q[VQ_RX], &p[port].mem, &g[port].mem },
		     { &g[port].q[VQ_TX], &p[port].q[VRING_RX], &g[port].mem, &p[port].mem } };

	for (unsigned int i = 0; i < 2; i++) {
		struct seg in = { mem_alloc(way[i].to, BUF_LEN, 64), BUF_LEN, true };
		struct seg out = { mem_alloc(way[i].from, 128, 64), 112, false };
		uint64_t cookie;
		uint32_t len;

		memset((uint8_t *)mem_at(way[i].from, out.addr) + 12, 0x5a, 100);
		assert_true(ring_add(way[i].snk, &in, 1, in.addr) >= 0);
		assert_true(ring_add(way[i].src, &out, 1, out.addr) >= 0);
		if (i == 0) {
			guest_kick(&g[port], VQ_RX);
			peer_kick(&p[port], VRING_TX);
		} else {
			peer_kick(&p[port], VRING_RX);
			guest_kick(&g[port], VQ_TX);
		}
		assert_true(wait_for(used_moved, way[i].snk));
		assert_true(ring_take(way[i].snk, &cookie, &len));
		assert_int_equal(len, 112);
		assert_memory_equal((uint8_t *)mem_at(way[i].to, in.addr) + 12,
				    (uint8_t *)mem_at(way[i].from, out.addr) + 12, 100);
		assert_true(wait_for(used_moved, way[i].src));
		assert_true(ring_take(way[i].src, &cookie, &len));
	}
}

static bool stopped[2]; /* lanes that the case has stopped by the guest's own queue */

static int setup(void **state)
{
	struct vhp_mbox_event e;

	(void)state;
	/* The case before has mended what it broke; one that failed did not. */
	if (guest_connection(&g[0]) != 1 || (guest_status(&g[0]) & 0x40))
		connect(0);
	while (host_event(&host, &e))
		;
	memset(stopped, 0, sizeof(stopped));
	return 0;
}

/* The four rings of a port that a lane reads. The peer's come first: they are mended at once, the guest's by its reset. */
enum {
	PEER_TX,
	PEER_RX,
	GUEST_RX,
	GUEST_TX
};

struct place {
	struct ring *r;
	unsigned int lane;
	bool sink, own; /* own: the vhost-pci-net driver's */
	uint16_t dir;	/* flags of a proper descriptor */
};

static struct place place(unsigned int which)
{
	switch (which) {
	case PEER_TX:
		return (struct place){ &p[0].q[VRING_TX], 0, false, false, 0 };
	case GUEST_RX:
		return (struct place){ &g[0].q[VQ_RX], 0, true, true, DESC_WRITE };
	case GUEST_TX:
		return (struct place){ &g[0].q[VQ_TX], 1, false, true, 0 };
	default:
		return (struct place){ &p[0].q[VRING_RX], 1, true, false, DESC_WRITE };
	}
}

static void kick(unsigned int which)
{
	if (which == PEER_TX)
		peer_kick(&p[0], VRING_TX);
	else if (which == PEER_RX)
		peer_kick(&p[0], VRING_RX);
	else
		guest_kick(&g[0], which == GUEST_RX ? VQ_RX : VQ_TX);
}

/* After a fault of its own queues: the front end stays, the driver's reset is enough. */
static void guest_again(void)
{
	assert_int_equal(guest_init(&g[0], FEATURES, QSIZE), 0);
	assert_true(guest_wait_connection(&g[0], 1));
	packets_move(0);
}

/* After each case. */
static int mend(void **state)
{
	(void)state;
	if (stopped[0] || stopped[1])
		guest_again();
	return 0;
}

/* Exactly this lane stops, for this reason; port 1 does not notice; the peer's ring is replaced. */
static void lane_stops(unsigned int which, unsigned int reason)
{
	struct place at = place(which);
	struct vhp_mbox_port_status s;
	struct vhp_mbox_event e;

	kick(which);
	assert_true(host_wait_event(&host, VHP_EVENT_LANE_STOPPED, 0, &e));
	assert_int_equal(e.arg & 0xff, at.lane);
	assert_int_equal(e.arg >> 8, reason);
	peer_status(&p[0], &s);
	assert_int_equal(s.lanes[at.lane].running, 0);
	assert_int_equal(s.lanes[at.lane].reason, reason);
	assert_int_equal(s.lanes[at.lane].sink, at.sink);
	assert_int_equal(s.lanes[!at.lane].running, !stopped[!at.lane]);
	assert_int_equal(s.last_error, VHP_PERR_LANE);
	/* The side at fault is told. */
	stopped[at.lane] |= at.own;
	assert_int_equal(guest_status(&g[0]) >> 6 & 1, stopped[0] || stopped[1]);
	packets_move(1);
	if (at.own)
		return;
	assert_int_equal(peer_replace_ring(&p[0], which == PEER_TX ? VRING_TX : VRING_RX), 0);
	peer_status(&p[0], &s);
	assert_int_equal(s.lanes[at.lane].running, 1);
	packets_move(0);
}

static void break_desc(unsigned int which, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next,
		       unsigned int reason)
{
	struct place at = place(which);

	at.r->desc[0].addr = addr;
	at.r->desc[0].len = len;
	at.r->desc[0].flags = flags;
	at.r->desc[0].next = next;
	ring_publish(at.r, 0);
	lane_stops(which, reason);
}

static uint64_t some_buffer(unsigned int which)
{
	return mem_alloc(place(which).r->mem, BUF_LEN, 64);
}

#define FOR_EACH_RING(which) for (unsigned int which = PEER_TX; which <= GUEST_TX; which++)

static void avail_jump(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	{
		place(which).r->avail[1] = QSIZE * 8 + 100;
		lane_stops(which, AVAIL_JUMP);
	}
}

static void head_out_of_range(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	{
		ring_publish(place(which).r, place(which).r->size);
		lane_stops(which, HEAD_RANGE);
	}
}

static void next_out_of_range(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	break_desc(which, some_buffer(which), 64, place(which).dir | DESC_NEXT, place(which).r->size, NEXT_RANGE);
}

static void loop(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	break_desc(which, some_buffer(which), 64, place(which).dir | DESC_NEXT, 0, CHAIN_LENGTH);
}

static void zero_length(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	break_desc(which, some_buffer(which), 0, place(which).dir, 0, DESC_LENGTH);
}

static void wrong_direction(void **state)
{
	(void)state;
	FOR_EACH_RING(which)
	break_desc(which, some_buffer(which), 128, place(which).dir ^ DESC_WRITE, 0, DIRECTION);
}

static void indirect_not_negotiated(void **state)
{
	(void)state;
	/* The peers' features have no INDIRECT_DESC; the guest's have. */
	break_desc(PEER_TX, some_buffer(PEER_TX), 16, DESC_INDIRECT, 0, INDIRECT_LEN);
	break_desc(GUEST_TX, some_buffer(GUEST_TX), 17, DESC_INDIRECT, 0, INDIRECT_LEN);
}

static void indirect_nested(void **state)
{
	struct ring_desc *table;
	uint64_t at;

	(void)state;
	at = some_buffer(GUEST_TX);
	table = mem_at(g[0].q[VQ_TX].mem, at);
	table[0] = (struct ring_desc){ .addr = at, .len = 16, .flags = DESC_INDIRECT };
	break_desc(GUEST_TX, at, 16, DESC_INDIRECT, 0, INDIRECT_NEST);
}

/* The peer's memory ends at its regions: one byte before, one after, and an address that wraps. */
static void outside_regions(void **state)
{
	(void)state;
	break_desc(PEER_TX, PEER_GPA - 1, 128, 0, 0, REGION);
	break_desc(PEER_TX, PEER_GPA + p[0].mem.size - 127, 128, 0, 0, REGION);
	break_desc(PEER_RX, p[0].iova, 2048, DESC_WRITE, 0, REGION);
	break_desc(PEER_TX, ~0ull - 15, 128, 0, 0, DESC_LENGTH);
}

static void short_packet(void **state)
{
	(void)state;
	break_desc(PEER_TX, some_buffer(PEER_TX), 11, 0, 0, SHORT_PACKET);
	break_desc(GUEST_TX, some_buffer(GUEST_TX), 1, 0, 0, SHORT_PACKET);
}

/* The driver's own buffer that no IOMMU lets through: the completion is UR. */
static void unreachable_buffer(void **state)
{
	struct place in = place(PEER_RX);
	struct seg s = { mem_alloc(in.r->mem, BUF_LEN, 64), BUF_LEN, true };

	(void)state;
	assert_true(ring_add(in.r, &s, 1, s.addr) >= 0);
	kick(PEER_RX);
	break_desc(GUEST_TX, 0x100, 128, 0, 0, READ_ERROR);
	/* A new front end, too: the buffer above is not waited for. */
	connect(0);
	packets_move(0);
	memset(stopped, 0, sizeof(stopped));
}

/* ------------------------------------------------------------------------------------------------ control queues */

/* The port stops for this reason, its driver is told to reset, and does. */
static void port_fails(unsigned int why)
{
	struct vhp_mbox_port_status s;
	struct vhp_mbox_event e;

	assert_true(host_wait_event(&host, VHP_EVENT_ERROR, 0, &e));
	assert_int_equal(e.arg, why);
	assert_true(guest_wait_connection(&g[0], 0));
	assert_true(guest_status(&g[0]) & 0x40);
	peer_status(&p[0], &s);
	assert_int_equal(s.state, VHP_PORT_FAILED);
	assert_int_equal(s.last_error, why);
	for (unsigned int i = 0; i < s.nlanes; i++)
		assert_int_equal(s.lanes[i].running, 0);
	packets_move(1);
	guest_again();
}

static void control_rings(void **state)
{
	struct ring *tx = &g[0].q[VHOST_PCI_VQ_CTRL_TX];

	(void)state;
	ring_publish(tx, tx->size);
	guest_kick(&g[0], 1);
	port_fails(VHP_PERR_CTRL_RING);
	tx->avail[1] = 0x7000;
	guest_kick(&g[0], 1);
	port_fails(VHP_PERR_CTRL_RING);
	tx->desc[0].addr = mem_alloc(tx->mem, 64, 64);
	tx->desc[0].len = 4;
	tx->desc[0].flags = DESC_NEXT;
	tx->desc[0].next = 0;
	ring_publish(tx, 0);
	guest_kick(&g[0], 1);
	port_fails(VHP_PERR_CTRL_RING);
	tx->desc[0].addr = 0x10;
	tx->desc[0].len = 20;
	tx->desc[0].flags = 0;
	ring_publish(tx, 0);
	guest_kick(&g[0], 1);
	port_fails(VHP_PERR_DMA);
}

static void control_messages(void **state)
{
	static const struct {
		uint32_t request, len;
	} cases[] = { { VHOST_PCI_CTRL_PEER_FEATURE_BITS, 20 },
		      { VHOST_PCI_CTRL_PEER_VIRTQ_INFO, 17 },
		      { 99, 12 },
		      { VHOST_PCI_CTRL_MAC, 17 },
		      { VHOST_PCI_CTRL_MAC, 11 } };

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhost_pci_ctrl h = { .request = cases[i].request };
		uint8_t msg[32] = { 0 };

		memcpy(msg, &h, sizeof(h));
		guest_send_ctrl(&g[0], msg, cases[i].len);
		port_fails(VHP_PERR_CTRL_MESSAGE);
	}
}

static int open_all(void **state)
{
	(void)state;
	host_open(&host, &sim);
	for (unsigned int i = 0; i < 2; i++) {
		const struct vhp_mbox_port_config config = { .max_queue_pairs = 1 };

		guest_open(&g[i], &sim, i);
		peer_open(&p[i], &host, i, PEER_FEATURES & ~INDIRECT, QSIZE * 8);
		if (peer_config(&p[i], &config) != 0)
			return -1;
	}
	connect(1);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		guest_close(&g[i]);
		peer_close(&p[i]);
	}
	host_close(&host);
	return 0;
}

int main(int argc, char **argv)
{
#define CASE(f) { #f, f, setup, mend, NULL }
	const struct CMUnitTest tests[] = {
		CASE(avail_jump),	CASE(head_out_of_range), CASE(next_out_of_range),	CASE(loop),
		CASE(zero_length),	CASE(wrong_direction),	 CASE(indirect_not_negotiated), CASE(indirect_nested),
		CASE(outside_regions),	CASE(short_packet),	 CASE(unreachable_buffer),	CASE(control_rings),
		CASE(control_messages),
	};

	return sim_run_tests(&sim, NULL, "malformed", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 1 ? argv[1] : NULL);
}
