/* SPDX-License-Identifier: Apache-2.0 */
/* Driver copy with a peer that breaks the rules: no access outside the regions, no buffer lost, the queue stops. */
#include <stdlib.h>
#include <string.h>

#include "cmocka_suites.h"
#include "mirror_peer.h"
#include "unit.h"

enum trick {
	HEAD_RANGE,
	NEXT_RANGE,
	LOOP,
	DIRECTION,
	MIXED,
	NO_BYTES,
	OUTSIDE,
	ACROSS_END,
	WRAPS,
	INDEX_JUMP,
	INDIRECT_OFF,
	INDIRECT_NEST,
	INDIRECT_NEXT,
	INDIRECT_LEN,
	INDIRECT_OUTSIDE,
	INDIRECT_LOOP,
	TRICKS
};

static void play(struct peer_ring *r, enum trick t, bool write)
{
	uint16_t good = write ? VRING_DESC_F_WRITE : 0, slot = r->avail_idx % SIZE;
	struct vring_desc *d = r->desc, *table = mem(0x110000);

	d[5] = (struct vring_desc){ 0x100000, 100, good, 0 };
	table[0] = (struct vring_desc){ 0x100000, 100, good, 0 };
	r->avail->ring[slot] = 5;
	switch (t) {
	case HEAD_RANGE:
		r->avail->ring[slot] = SIZE;
		break;
	case NEXT_RANGE:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = SIZE;
		break;
	case LOOP:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = 5;
		break;
	case DIRECTION:
		d[5].flags ^= VRING_DESC_F_WRITE;
		break;
	case MIXED:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = 6;
		d[6] = (struct vring_desc){ 0x100000, 100, good ^ VRING_DESC_F_WRITE, 0 };
		break;
	case NO_BYTES:
		d[5].len = 0;
		break;
	case OUTSIDE:
		d[5].addr = 0x300000;
		break;
	case ACROSS_END:
		d[5].addr = 0x1ffff0;
		break;
	case WRAPS:
		d[5].addr = UINT64_MAX - 10;
		break;
	case INDEX_JUMP:
		r->avail->idx = (uint16_t)(r->avail_idx + SIZE + 1);
		return;
	case INDIRECT_OFF:
	case INDIRECT_NEST:
	case INDIRECT_NEXT:
	case INDIRECT_LEN:
	case INDIRECT_OUTSIDE:
	case INDIRECT_LOOP:
		d[5] = (struct vring_desc){ 0x110000, 32, VRING_DESC_F_INDIRECT, 0 };
		if (t == INDIRECT_NEST)
			table[0] = (struct vring_desc){ 0x110000, 32, VRING_DESC_F_INDIRECT, 0 };
		if (t == INDIRECT_NEXT)
			d[5].flags |= VRING_DESC_F_NEXT;
		if (t == INDIRECT_LEN)
			d[5].len = rnd(2) ? 0 : 24;
		if (t == INDIRECT_OUTSIDE)
			d[5].addr = 0x1ffff0;
		if (t == INDIRECT_LOOP) {
			table[0].flags |= VRING_DESC_F_NEXT;
			table[0].next = 0;
		}
		break;
	default:
		break;
	}
	r->avail->idx = ++r->avail_idx;
}

static void hostile(void **state)
{
	static uint8_t packet[200];
	struct rte_mbuf *m[4];

	(void)state;
	for (enum trick t = 0; t < TRICKS; t++) {
		for (unsigned int way = 0; way < 2; way++) {
			struct peer_ring *r = way == 0 ? &tx : &rx;

			set_up((struct options){ .indirect = t > INDIRECT_OFF, .start = 65530 });
			fill(packet, 100, t);
			/* A good one before it still arrives. */
			if (way == 0)
				peer_sends(packet, 112, 2);
			else
				publish(&rx, 1600, 2, true);
			r->indirect = false;
			play(r, t, way);
			/* A jump of the index is found before anything is taken. */
			if (way == 0) {
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), t != INDEX_JUMP);
				if (t != INDEX_JUMP)
					expect(m[0], packet, 100);
			} else {
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				m[1] = make(88, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 2), t != INDEX_JUMP);
				rte_pktmbuf_free_bulk(m + (t != INDEX_JUMP), 1 + (t == INDEX_JUMP));
			}
			assert_int_equal(state_of(way), VPNET_MIRROR_BROKEN);
			assert_int_equal((uint16_t)(r->used->idx - 65530), t != INDEX_JUMP);
			/* It stays so, with no further access; the other direction goes on. */
			aperture.reads = aperture.writes = 0;
			if (way == 0) {
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
				assert_int_equal(aperture.reads + aperture.writes, 0);
				publish(&rx, 1600, 1, true);
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
			} else {
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 0);
				assert_int_equal(aperture.reads + aperture.writes, 0);
				rte_pktmbuf_free(m[0]);
				peer_sends(packet, 112, 1);
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 1);
				rte_pktmbuf_free(m[0]);
			}
			/* The next connection brings it back. */
			vpnet_mirrors_forget(net);
			announce(0);
			assert_int_equal(state_of(way), VPNET_MIRROR_RUNNING);
			tear_down();
		}
	}
	/* A packet without room for its header, and one larger than any. */
	set_up((struct options){ 0 });
	peer_sends(packet, 11, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
	assert_int_equal(state_of(0), VPNET_MIRROR_BROKEN);
	tear_down();
	set_up((struct options){ 0 });
	tx.desc[0] = (struct vring_desc){ 0x100000, 0x100000, 0, 0 };
	tx.avail->idx = ++tx.avail_idx;
	tx.next_desc = 1;
	peer_sends(packet, 112, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 1);
	expect(m[0], packet, 100);
	assert_int_equal(net->rxqs[0]->stats.errors, 1);
	assert_int_equal(tx.used->idx, 2);
	tear_down();
}

/* Rings of noise: whatever stands there, no access leaves the regions and no buffer is lost. */
static void noise(void **state)
{
	static uint8_t packet[2000];

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		set_up((struct options){ rnd(2), rnd(2), rnd(2), rnd(2), (uint16_t)rnd(65536) });
		for (unsigned int k = 0; k < 3; k++) {
			struct rte_mbuf *m[4];
			unsigned int done;

			for (unsigned int way = 0; way < 2; way++) {
				struct peer_ring *r = way == 0 ? &tx : &rx;

				for (unsigned int j = 0; j < SIZE; j++) {
					r->desc[j] = (struct vring_desc){
						rnd(8) ? 0x100000 + rnd(0x100000) : (uint64_t)rnd(1u << 30) << rnd(34),
						rnd(8) ? 1 + rnd(2000) : (uint32_t)rnd(1u << 30) * 4,
						(uint16_t)(rnd(10) ? (way ? VRING_DESC_F_WRITE : 0) |
									   (rnd(3) ? 0 : VRING_DESC_F_NEXT)
								   : rnd(8)),
						(uint16_t)rnd(rnd(8) ? SIZE : 65536),
					};
					r->avail->ring[j] = (uint16_t)rnd(rnd(8) ? SIZE : 65536);
				}
				r->avail->idx = (uint16_t)(r->used->idx + rnd(rnd(4) ? 10 : 65536));
				r->avail->flags = (uint16_t)rnd(3);
			}
			rte_pktmbuf_free_bulk(m, vpnet_mirror_rx_burst(net->rxqs[0], m, 4));
			for (unsigned int j = 0; j < 4; j++)
				m[j] = make(14 + rnd(1500), 1 + rnd(2), packet, RTE_PKTMBUF_HEADROOM);
			done = vpnet_mirror_tx_burst(net->txqs[0], m, 4);
			rte_pktmbuf_free_bulk(m + done, 4 - done);
		}
		tear_down();
	}
}

void run_hostile_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile),
		cmocka_unit_test(noise),
	};

	RUN_SUITE("hostile", tests);
}
