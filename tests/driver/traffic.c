/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the card between rings that this program keeps for both virtual machines: every byte is compared,
 * interrupts are counted on the eventfds, and the peer's interrupt is rung by queue and by GSI.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HDR 12u
#define SLOT 2048u
#define LARGEST 65562u /* with the header */
#define LARGE_SLOT (17u * PAGE)
#define PAGE 4096u
#define SOURCES 16u
#define OFFLOADS 0x7f83ull /* CSUM, GUEST_CSUM, GUEST_* and HOST_* of virtio-net */
#define NO_MQ (~0ull & ~(1ull << VHP_F_RING_EVENT_IDX))
#define VRING_RX 0u
#define VRING_TX 1u
#define VQ_RX VHOST_PCI_VQ_RX(0)
#define VQ_TX VHOST_PCI_VQ_TX(0)

static struct sim sim;
static struct host host;
static struct guest g;
static struct peer p;
static unsigned int seed;
static unsigned int sources = SOURCES; /* buffers that a run sends from */
static bool large; /* packets up to LARGEST, with requests for checksums and segmentation in their headers */

/** One direction: where packets come from and where they go to. */
struct path {
	struct ring *src, *snk;
	struct mem *src_mem, *snk_mem;
	void (*kick_src)(void), (*kick_snk)(void);
	bool mrg;
	uint32_t snk_len; /* bytes of a sink buffer */
	uint64_t src_kicks, snk_kicks;
};

static void kick_peer_tx(void)
{
	peer_kick(&p, VRING_TX);
}

static void kick_peer_rx(void)
{
	peer_kick(&p, VRING_RX);
}

static void kick_guest_tx(void)
{
	guest_kick(&g, VQ_TX);
}

static void kick_guest_rx(void)
{
	guest_kick(&g, VQ_RX);
}

static struct path path(bool to_guest, uint32_t snk_len)
{
	if (to_guest)
		return (struct path){ &p.q[VRING_TX],
				      &g.q[VQ_RX],
				      &p.mem,
				      &g.mem,
				      kick_peer_tx,
				      kick_guest_rx,
				      g.features >> VHOST_PCI_NET_F_MRG_RXBUF & 1,
				      snk_len,
				      0,
				      0 };
	return (struct path){ &g.q[VQ_TX],
			      &p.q[VRING_RX],
			      &g.mem,
			      &p.mem,
			      kick_guest_tx,
			      kick_peer_rx,
			      p.features >> VHOST_PCI_PEER_F_MRG_RXBUF & 1,
			      snk_len,
			      0,
			      0 };
}

/* The header of a large packet: bytes 0 to 9 are a matter between the two drivers, and the card's business in no way. */
static void request(unsigned int n, uint8_t *hdr)
{
	static const uint8_t types[] = { 0x01, 0x04, 0x03, 0x81, 0x84, 0x00 };

	hdr[0] = 1; /* NEEDS_CSUM */
	hdr[1] = types[n % sizeof(types)];
	hdr[2] = n % 2 ? 74 : 54;
	hdr[4] = 0xa8; /* 1448 */
	hdr[5] = 0x05;
	hdr[6] = n % 2 ? 54 : 34;
	hdr[8] = n % 6 == 2 ? 6 : 16;
}

/* Packet `n`: length and bytes follow from the seed and its number. */
static uint32_t packet(unsigned int n, uint8_t *bytes)
{
	static const uint32_t sizes[] = { LARGEST, 2 * 1448 + 66, LARGEST - 1, 32768, 1515, 65536, 61 };
	unsigned int x = seed * 2654435761u + n * 40503u;
	uint32_t len = 60 + (x >> 7) % 1455;

	memset(bytes, 0, HDR);
	if (large) {
		request(n, bytes);
		len = sizes[n % (sizeof(sizes) / sizeof(sizes[0]))] - HDR;
	}
	for (uint32_t i = 0; i < len; i++)
		bytes[HDR + i] = (uint8_t)(x + i * 7 + (i >> 8));
	return HDR + len;
}

static void post_sink(struct path *t, uint64_t buf)
{
	struct seg s[LARGE_SLOT / PAGE];
	uint16_t old = t->snk->next_avail;
	unsigned int n = 0;

	/* More than a page is a chain of pages, as Linux has it without mergeable buffers. */
	for (uint32_t at = 0; at < t->snk_len; n++) {
		uint32_t piece = t->snk_len - at > PAGE ? PAGE : t->snk_len - at;

		s[n] = (struct seg){ buf + at, piece, true };
		at += piece;
	}
	assert_true(ring_add(t->snk, s, n, buf) >= 0);
	if (ring_wants_kick(t->snk, old)) {
		t->snk_kicks++;
		t->kick_snk();
	}
}

static void send(struct path *t, unsigned int n, uint64_t buf)
{
	uint8_t *to = mem_at(t->src_mem, buf);
	uint32_t len = packet(n, to);
	uint16_t old = t->src->next_avail;
	struct seg s[18];
	unsigned int count = 0;
	uint32_t at = 0;

	/* Chains of one to four pieces, cut anywhere; of up to 18, where a page of the sender's memory is a piece. */
	for (unsigned int pieces = large ? 18 : 1 + n % 4; at < len; count++) {
		uint32_t piece = count + 1 == pieces ? len - at
			: large			     ? PAGE - (count == 0 ? 300 : 0)
						     : 1 + (len - at) * (n % 5 + 1) / 9;

		if (piece > len - at)
			piece = len - at;
		s[count] = (struct seg){ buf + at, piece, false };
		at += piece;
	}
	assert_true(ring_add(t->src, s, count, buf) >= 0);
	if (ring_wants_kick(t->src, old)) {
		t->src_kicks++;
		t->kick_src();
	}
}

/* Take one packet from the sink, which may be several buffers. @return false if none is complete. */
static bool receive(struct path *t, uint8_t *bytes, uint32_t *len)
{
	static uint64_t bufs[64];
	uint32_t part;
	unsigned int n = 1;

	*len = 0;
	if (t->snk->used[1] == t->snk->last_used)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *from;

		assert_true(ring_take(t->snk, &bufs[i], &part));
		assert_true(part <= t->snk_len && *len + part <= LARGEST);
		from = mem_at(t->snk_mem, bufs[i]);
		memcpy(bytes + *len, from, part);
		*len += part;
		if (i == 0) {
			n = from[10] | (unsigned int)from[11] << 8;
			assert_true(n >= 1 && n <= 64);
			if (!t->mrg)
				assert_int_equal(n, 1);
			/* All buffers of a packet are published together. */
			assert_true((uint16_t)(t->snk->used[1] - t->snk->last_used) >= n - 1);
		}
	}
	for (unsigned int i = 0; i < n; i++)
		post_sink(t, bufs[i]);
	return true;
}

static void prepare(struct path *t, unsigned int buffers)
{
	for (unsigned int i = 0; i < buffers; i++)
		post_sink(t, mem_alloc(t->snk_mem, t->snk_len, 64));
}

struct flow {
	struct path *t;
	unsigned int got, total;
};

static bool take_all(void *arg)
{
	static uint8_t have[LARGEST], want[LARGEST];
	struct flow *f = arg;
	uint32_t len;

	while (f->got < f->total && receive(f->t, have, &len)) {
		uint32_t wanted = packet(f->got, want);

		assert_int_equal(len, wanted);
		have[10] = have[11] = 0;
		assert_memory_equal(have, want, len);
		f->got++;
	}
	return f->got == f->total;
}

struct sender {
	struct path *t;
	uint64_t *free;
	unsigned int nfree;
};

static bool has_free(void *arg)
{
	struct sender *s = arg;
	uint32_t len;

	while (ring_take(s->t->src, &s->free[s->nfree], &len))
		s->nfree++;
	return s->nfree != 0;
}

static void run(struct path *t, unsigned int total)
{
	unsigned int slots = large ? 2 : sources; /* 18 descriptors each */
	uint64_t bufs[SOURCES];
	struct sender s = { t, bufs, 0 };
	struct flow f = { t, 0, 0 };

	for (; s.nfree < slots; s.nfree++)
		bufs[s.nfree] = mem_alloc(t->src_mem, large ? LARGE_SLOT : SLOT, 64);
	for (unsigned int n = 0; n < total; n++) {
		if (s.nfree == 0)
			assert_true(wait_for(has_free, &s));
		f.total = n;
		(void)take_all(&f);
		send(t, n, bufs[--s.nfree]);
	}
	f.total = total;
	assert_true(wait_for(take_all, &f));
	while (s.nfree < slots)
		assert_true(wait_for(has_free, &s) && s.nfree != 0);
}

static void connect_with(uint64_t own, uint64_t peer)
{
	guest_reset(&g);
	assert_int_equal(peer_stop(&p, 0), 0);
	p.features = peer;
	peer_new_rings(&p);
	for (unsigned int v = 0; v < PEER_VRINGS; v++)
		(void)peer_calls(&p, v);
	assert_int_equal(guest_init(&g, own, 64), 0);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_wait_connection(&g, 1));
}

/* Both directions, each with so many buffers. */
static void connect_paths(struct path *to_guest, struct path *to_peer, unsigned int buffers)
{
	connect_with(NO_MQ, PEER_FEATURES);
	*to_guest = path(true, SLOT);
	*to_peer = path(false, SLOT);
	prepare(to_guest, buffers);
	prepare(to_peer, buffers);
}

struct counting {
	const struct path *t;
	unsigned int lane;
	struct vhp_mbox_port_stats before;
};

/* Every doorbell that the card wanted has been counted for its lane, and none besides. */
static bool kicks_counted(void *arg)
{
	struct counting *c = arg;
	struct vhp_mbox_port_stats now;

	peer_stats(&p, &now);
	return now.lanes[c->lane].src_kicks - c->before.lanes[c->lane].src_kicks == c->t->src_kicks &&
		now.lanes[c->lane].snk_kicks - c->before.lanes[c->lane].snk_kicks == c->t->snk_kicks;
}

static void one_way(bool to_guest, uint64_t own, uint64_t peer, uint32_t snk_len, unsigned int packets)
{
	struct vhp_mbox_port_stats a, b;
	struct counting kicks;
	struct path t;

	connect_with(own, peer);
	t = path(to_guest, snk_len);
	kicks.t = &t;
	kicks.lane = !to_guest;
	peer_stats(&p, &kicks.before);
	prepare(&t, snk_len == LARGE_SLOT ? 3 : large ? 60 : 40);
	peer_stats(&p, &a);
	run(&t, packets);
	peer_stats(&p, &b);
	assert_int_equal(b.lanes[!to_guest].packets - a.lanes[!to_guest].packets, packets);
	assert_int_equal(b.lanes[!to_guest].dropped, a.lanes[!to_guest].dropped);
	assert_true(b.lanes[!to_guest].snk_irqs > a.lanes[!to_guest].snk_irqs);
	assert_true(t.src_kicks >= 1 && t.snk_kicks >= 1);
	/* Doorbells of the two functions come on sockets of their own: the last may still be under way. */
	assert_true(wait_for(kicks_counted, &kicks));
}

static void to_guest(void **state)
{
	(void)state;
	one_way(true, NO_MQ, PEER_FEATURES, SLOT, 200);
	/* The interrupts are on the eventfds: receiveq of the guest, call of the peer's TX. */
	assert_true(guest_irqs(&g, 1 + VQ_RX) >= 1);
	assert_true(peer_calls(&p, VRING_TX) >= 1);
}

static void to_peer(void **state)
{
	(void)state;
	one_way(false, NO_MQ, PEER_FEATURES, SLOT, 200);
	assert_true(guest_irqs(&g, 1 + VQ_TX) >= 1);
	assert_true(peer_calls(&p, VRING_RX) >= 1);
}

/* Small mergeable buffers: a packet spreads over up to eight. */
static void merged_buffers(void **state)
{
	(void)state;
	one_way(true, NO_MQ, PEER_FEATURES, 200, 60);
	one_way(false, NO_MQ, PEER_FEATURES, 200, 60);
}

static void no_merge(void **state)
{
	(void)state;
	one_way(true, NO_MQ & ~(1ull << VHOST_PCI_NET_F_MRG_RXBUF), 1ull << 32, SLOT, 60);
	one_way(false, NO_MQ & ~(1ull << VHOST_PCI_NET_F_MRG_RXBUF), 1ull << 32, SLOT, 60);
}

/*
 * VIRTIO_NET_F_GUEST_*, HOST_*: "Virtio-net can receive TSOv4", "Vhost-pci-net supports TSOv4" and so on: packets of up to 64 KiB,
 * in both directions, with the drivers' requests in their headers.
 */
static void segments(bool mergeable)
{
	uint64_t own = NO_MQ & ~(mergeable ? 0 : 1ull << VHOST_PCI_NET_F_MRG_RXBUF);
	uint64_t peer = (mergeable ? PEER_FEATURES : 1ull << 32) | OFFLOADS;
	struct vhp_mbox_port_status s;

	large = true;
	for (unsigned int i = 0; i < 2; i++) {
		one_way(i, own, peer, mergeable ? SLOT : LARGE_SLOT, 8);
		peer_status(&p, &s);
		assert_true(s.driver_accepted == (peer & 0xffff));
	}
	large = false;
}

static void segments_merged(void **state)
{
	(void)state;
	segments(true);
}

static void segments_one_buffer(void **state)
{
	(void)state;
	segments(false);
}

/* A large packet for which no buffer is large enough is dropped and counted; what follows arrives. */
static void segments_without_room(void **state)
{
	struct vhp_mbox_port_stats a, b;
	struct path t;
	uint64_t buf;

	(void)state;
	for (unsigned int to_guest = 0; to_guest < 2; to_guest++) {
		connect_with(NO_MQ & ~(1ull << VHOST_PCI_NET_F_MRG_RXBUF), 1ull << 32 | OFFLOADS);
		t = path(to_guest, SLOT);
		prepare(&t, 40);
		peer_stats(&p, &a);
		buf = mem_alloc(t.src_mem, LARGE_SLOT, 64);
		large = true;
		send(&t, 0, buf);
		large = false;
		run(&t, 20);
		peer_stats(&p, &b);
		assert_int_equal(b.lanes[!to_guest].dropped - a.lanes[!to_guest].dropped, 1);
		assert_int_equal(b.lanes[!to_guest].packets - a.lanes[!to_guest].packets, 20);
	}
}

static void event_idx(void **state)
{
	(void)state;
	one_way(true, ~0ull, PEER_FEATURES | 1ull << 29, SLOT, 100);
	one_way(false, ~0ull, PEER_FEATURES | 1ull << 29, SLOT, 100);
}

static void both_ways(void **state)
{
	struct path a, b;

	(void)state;
	connect_paths(&a, &b, 40);
	for (unsigned int i = 0; i < 10; i++) {
		run(&a, 15);
		run(&b, 15);
	}
}

/* VRING_AVAIL_F_NO_INTERRUPT: packets come, interrupts do not. */
static void no_interrupt(void **state)
{
	struct path a, b;

	(void)state;
	connect_with(NO_MQ, PEER_FEATURES);
	a = path(true, SLOT);
	b = path(false, SLOT);
	for (unsigned int i = 0; i < 2; i++) {
		ring_interrupts(i ? b.src : a.src, false);
		ring_interrupts(i ? b.snk : a.snk, false);
	}
	prepare(&a, 40);
	prepare(&b, 40);
	(void)guest_irqs(&g, 1 + VQ_RX);
	(void)guest_irqs(&g, 1 + VQ_TX);
	run(&a, 30);
	run(&b, 30);
	assert_int_equal(guest_irqs(&g, 1 + VQ_RX), 0);
	assert_int_equal(guest_irqs(&g, 1 + VQ_TX), 0);
	assert_int_equal(peer_calls(&p, VRING_RX), 0);
	assert_int_equal(peer_calls(&p, VRING_TX), 0);
}

static bool called(void *arg)
{
	return peer_calls(&p, *(unsigned int *)arg) != 0;
}

/* VIRTIO_F_PV_INTERRUPT: the driver rings the peer's queue by number and by GSI. */
static void peer_interrupt_page(void **state)
{
	struct vhp_mbox_port_stats a, b;
	unsigned int vring = VRING_RX;

	(void)state;
	connect_with(NO_MQ, PEER_FEATURES);
	peer_stats(&p, &a);
	assert_int_equal(vhp_dev_write(g.dev, 0, 0x5000, 4, 0), 0);
	assert_true(wait_for(called, &vring));
	assert_int_equal(vhp_dev_write(g.dev, 0, 0x5004, 4, peer_vring(&p, VRING_RX).gsi), 0);
	assert_true(wait_for(called, &vring));
	/* What is no queue or GSI of the peer's is refused and counted. */
	assert_int_equal(vhp_dev_write(g.dev, 0, 0x5000, 4, 5), 0);
	assert_int_equal(vhp_dev_write(g.dev, 0, 0x5004, 4, 77), 0);
	peer_stats(&p, &b);
	assert_int_equal(b.peer_irq_sent - a.peer_irq_sent, 2);
	assert_int_equal(b.peer_irq_refused - a.peer_irq_refused, 2);
	/* Without the feature the page does nothing. */
	connect_with(NO_MQ & ~(1ull << VHP_F_PV_INTERRUPT), PEER_FEATURES);
	peer_stats(&p, &a);
	assert_int_equal(vhp_dev_write(g.dev, 0, 0x5000, 4, 0), 0);
	peer_stats(&p, &b);
	assert_int_equal(b.peer_irq_sent, a.peer_irq_sent);
	assert_int_equal(peer_calls(&p, VRING_RX), 0);
}

/* Stop and start again in the middle: rings go on where they were, nothing is lost or doubled. */
static void resume_after_stop(void **state)
{
	struct path a, b;

	(void)state;
	connect_paths(&a, &b, 40);
	for (unsigned int i = 0; i < 4; i++) {
		run(&a, 20);
		run(&b, 20);
		assert_int_equal(peer_stop(&p, 0), 0);
		assert_int_equal(p.bases.last_avail_idx[VRING_TX], a.src->next_avail);
		assert_int_equal(p.bases.last_used_idx[VRING_TX], a.src->used[1]);
		assert_int_equal(p.bases.last_used_idx[VRING_RX], b.snk->used[1]);
		assert_int_equal(peer_start(&p, 1), 0);
		assert_true(guest_wait_connection(&g, 1));
	}
}

/*
 * Connections of every kind, one after the other; packets cross, and the indices go on. (40 of them, as the whole card is simulated for
 * each; the firmware alone does it 600 times in fw-unit.)
 */
#define RECONNECTS 40u
static void reconnects_of_every_kind(void **state)
{
	struct vhp_mbox_port_stats before, after;
	struct vhp_mbox_event e;
	struct path a, b;

	(void)state;
	connect_paths(&a, &b, 16);
	sources = 1;
	peer_stats(&p, &before);
	for (unsigned int i = 0; i < RECONNECTS; i++) {
		unsigned int kind = i % 8 == 5 ? 1 + i / 8 % 3 : 0; /* a new driver costs most of the time */
		bool new_driver = kind != 0;

		while (host_event(&host, &e))
			;
		if (kind == 2) { /* the driver takes its leave */
			guest_write(&g, &g.v.peer, 0, 2, 0);
			assert_true(host_wait_event(&host, VHP_EVENT_CLOSE_REQUEST, 0, NULL));
		} else if (kind == 1) { /* or goes without a word */
			guest_reset(&g);
		} else if (kind == 3) {
			assert_int_equal(vhp_dev_reset(g.dev), 0);
		}
		assert_int_equal(peer_stop(&p, i % 16 == 0 ? VHP_STOP_GRACEFUL : 0), 0);
		assert_int_equal(guest_connection(&g), 0);
		assert_int_equal(p.bases.last_avail_idx[VRING_TX], p.q[VRING_TX].next_avail);
		assert_int_equal(p.bases.last_used_idx[VRING_TX], p.q[VRING_TX].used[1]);
		assert_int_equal(p.bases.last_used_idx[VRING_RX], p.q[VRING_RX].used[1]);
		if (i % 3 == 0)
			assert_int_equal(peer_start(&p, 1), 0);
		if (new_driver)
			assert_int_equal(guest_init(&g, NO_MQ, 64), 0);
		if (i % 3 != 0)
			assert_int_equal(peer_start(&p, 1), 0);
		assert_true(guest_wait_connection(&g, 1));
		if (new_driver)
			prepare(&a, 16);
		if (new_driver || i % 4 == 0) {
			run(&a, 1);
			run(&b, 1);
		}
	}
	sources = SOURCES;
	peer_stats(&p, &after);
	assert_int_equal(after.connects - before.connects, RECONNECTS);
	assert_int_equal(after.disconnects - before.disconnects, RECONNECTS);
	assert_int_equal(after.ctrl_errors, before.ctrl_errors);
	/* What takes nearly all of the packet buffer still goes through. */
	segments(true);
}

/* A queue of the peer goes and comes while the other direction runs. */
static void queue_goes_and_comes(void **state)
{
	struct vhp_mbox_peer_vring v;
	struct path a, b;

	(void)state;
	connect_paths(&a, &b, 40);
	run(&a, 20);
	run(&b, 20);
	v = peer_vring(&p, VRING_RX);
	v.flags = 0;
	assert_int_equal(peer_give_vring(&p, &v), 0);
	run(&a, 20);
	v.flags = VHP_VRING_ENABLE;
	assert_int_equal(peer_give_vring(&p, &v), 0);
	run(&b, 20);
	assert_int_equal(guest_connection(&g), 1);
}

static int open_all(void **state)
{
	const struct vhp_mbox_port_config config = { .flags = VHP_PORT_PV_INTERRUPT };

	(void)state;
	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	peer_open(&p, &host, 0, PEER_FEATURES, 128);
	return peer_config(&p, &config);
}

static int close_all(void **state)
{
	(void)state;
	guest_close(&g);
	peer_close(&p);
	host_close(&host);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_guest),
		cmocka_unit_test(to_peer),
		cmocka_unit_test(merged_buffers),
		cmocka_unit_test(no_merge),
		cmocka_unit_test(segments_merged),
		cmocka_unit_test(segments_one_buffer),
		cmocka_unit_test(segments_without_room),
		cmocka_unit_test(event_idx),
		cmocka_unit_test(both_ways),
		cmocka_unit_test(no_interrupt),
		cmocka_unit_test(peer_interrupt_page),
		cmocka_unit_test(resume_after_stop),
		cmocka_unit_test(queue_goes_and_comes),
		cmocka_unit_test(reconnects_of_every_kind),
	};
	const char *const args[] = { "--dma-faults-fatal", "--reorder", "--split=20", NULL };

	seed = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 1;
	printf("seed %u\n", seed);
	return sim_run_tests(&sim, args, "traffic", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 2 ? argv[2] : NULL);
}
