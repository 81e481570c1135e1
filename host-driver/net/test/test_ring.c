/* SPDX-License-Identifier: Apache-2.0 */
/* The data path against a device played by the test: what a good one does, and what a hostile one may try. */
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>

#include "cmocka_suites.h"
#include "ring_device.h"
#include "unit.h"

static void receive(void **state)
{
	static uint8_t packet[4096];

	(void)state;
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		set_up(event_idx, pool, false);
		/* Far enough for the 16-bit indices to come round. */
		for (unsigned int i = 0; i < 70000; i++) {
			uint32_t len = 14 + i % 1500;
			struct rte_mbuf *m;

			fill(packet, len, i);
			assert_int_equal(deliver(&rx_peer, packet, len + VPNET_HDR_LEN, -1), 1);
			assert_int_equal(vpnet_rx_queue_count(net->rxqs[0]), 1);
			assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
			assert_int_equal(m->port, data.port_id);
			expect(m, packet, len);
			/* The interrupt stays off: the index that would fire it is never the next. */
			if (event_idx)
				assert_false(vring_need_event(*rx_peer.ring->used_event_at,
							      (uint16_t)(rx_peer.used + 1), rx_peer.used));
			else
				assert_int_equal(rx_peer.ring->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
		}
		assert_int_equal(net->rxqs[0]->stats.packets, 70000);
		assert_int_equal(net->rxqs[0]->stats.errors, 0);
		tear_down();
	}
}

static void receive_scattered(void **state)
{
	static uint8_t packet[70000];
	struct rte_mbuf *m;

	(void)state;
	set_up(true, small_pool, true);
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t len = 14 + (i * 37) % 9000;

		fill(packet, len, i);
		assert_true(deliver(&rx_peer, packet, len + VPNET_HDR_LEN, -1) <= 40);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
		expect(m, packet, len);
	}
	/* A packet whose last buffer is not there yet waits. */
	fill(packet, 2000, 1);
	deliver(&rx_peer, packet, 2000 + VPNET_HDR_LEN, -1);
	rx_peer.ring->used->idx--;
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 0);
	rx_peer.ring->used->idx++;
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
	expect(m, packet, 2000);
	tear_down();

	/* Without the offload nobody gets a chain. */
	set_up(true, pool, false);
	fill(packet, 5000, 1);
	deliver(&rx_peer, packet, 5000 + VPNET_HDR_LEN, -1);
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 0);
	assert_int_equal(net->rxqs[0]->stats.errors, 1);
	assert_false(net->rxqs[0]->broken);
	tear_down();
}

static void receive_out_of_memory(void **state)
{
	struct rte_mbuf *hoard[MBUFS], *m[SIZE];
	uint8_t packet[100];
	unsigned int n = 0;

	(void)state;
	set_up(true, pool, false);
	while (n < MBUFS && (hoard[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	for (unsigned int i = 0; i < SIZE; i++) {
		fill(packet, 60, i);
		deliver(&rx_peer, packet, 60 + VPNET_HDR_LEN, -1);
	}
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, SIZE), SIZE);
	assert_true(net->rxqs[0]->stats.no_mbuf > 0);
	rte_pktmbuf_free_bulk(hoard, n);
	rte_pktmbuf_free_bulk(m, SIZE);
	/* The next poll recovers, with nothing received. */
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, SIZE), 0);
	assert_int_equal(net->rxqs[0]->nfree, 0);
	tear_down();
}

static void open_checksum(void **state)
{
	uint8_t packet[VPNET_HDR_LEN + 14 + 20 + 20 + 31];
	struct rte_ipv4_hdr *ip = (void *)(packet + VPNET_HDR_LEN + 14);
	uint8_t *tcp = (uint8_t *)(ip + 1);
	uint16_t sum;
	struct rte_mbuf *m;

	(void)state;
	set_up(true, pool, false);
	fill(packet, sizeof(packet) - VPNET_HDR_LEN, 3);
	ip->version_ihl = 0x45;
	ip->next_proto_id = 6;
	ip->total_length = rte_cpu_to_be_16(20 + 20 + 31);
	ip->src_addr = 0x0100000a;
	ip->dst_addr = 0x0200000a;
	tcp[12] = 0x50;
	memset(tcp + 16, 0, 2);
	sum = rte_ipv4_phdr_cksum(ip, 0);
	memcpy(tcp + 16, &sum, 2);
	packet[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	packet[6] = 34; /* csum_start */
	packet[8] = 16; /* csum_offset */
	deliver(&rx_peer, packet, sizeof(packet), -1);
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14),
						      rte_pktmbuf_mtod_offset(m, void *, 34)),
			 0);
	rte_pktmbuf_free(m);
	/* Positions outside the packet, and segmentation, which nobody negotiated. */
	packet[6] = 0xff;
	packet[7] = 0xff;
	deliver(&rx_peer, packet, sizeof(packet), -1);
	packet[6] = 34;
	packet[7] = 0;
	packet[8] = 60;
	deliver(&rx_peer, packet, sizeof(packet), -1);
	packet[0] = 0;
	packet[1] = VIRTIO_NET_HDR_GSO_TCPV4;
	deliver(&rx_peer, packet, sizeof(packet), -1);
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 0);
	assert_int_equal(net->rxqs[0]->stats.errors, 3);
	tear_down();
}

static void transmit(void **state)
{
	static uint8_t packet[70000], frame[70000];

	(void)state;
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		struct {
			uint16_t head;
			uint32_t len;
		} held[SIZE];
		unsigned int nheld = 0, seed = 7;

		set_up(event_idx, pool, false);
		for (unsigned int i = 0; i < 30000; i++) {
			unsigned int segs = 1 + i % 4, descriptors;
			uint16_t headroom = i % 5 == 0 ? 0 : RTE_PKTMBUF_HEADROOM;
			uint32_t len = segs + (i * 13) % 2000;
			struct rte_mbuf *m;
			uint16_t head;

			fill(packet, len, i);
			m = make(len, segs, packet + VPNET_HDR_LEN, headroom);
			if (vpnet_tx_burst(net->txqs[0], &m, 1) == 0) {
				/* Full: the device gives back what it holds, in any order. */
				rte_pktmbuf_free(m);
				assert_true(nheld > 0);
				while (nheld > 0) {
					unsigned int k = (unsigned int)rand_r(&seed) % nheld;

					give(&tx_peer, held[k].head, 0);
					held[k] = held[--nheld];
				}
				continue;
			}
			assert_int_equal(fetch(&tx_peer, frame, &head, &descriptors), len);
			assert_memory_equal(frame, packet + VPNET_HDR_LEN, len);
			assert_int_equal(descriptors, segs + (headroom == 0));
			held[nheld].head = head;
			held[nheld++].len = len;
			assert_true(nheld <= SIZE);
		}
		while (nheld > 0)
			give(&tx_peer, held[--nheld].head, 0);
		assert_true(vpnet_tx_done_cleanup(net->txqs[0], 0) > 0);
		assert_int_equal(net->txqs[0]->nfree, SIZE);
		assert_false(net->txqs[0]->broken);
		tear_down();
	}
}

static void transmit_odd(void **state)
{
	struct rte_mbuf *m, *clone, *tail;
	static uint8_t packet[3000], frame[70000];
	unsigned int descriptors;
	uint16_t head;

	(void)state;
	set_up(true, pool, false);
	/* Shared data is not written to: the header comes in a descriptor of its own. */
	m = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
	clone = rte_pktmbuf_clone(m, pool);
	memset(rte_pktmbuf_mtod_offset(m, void *, -12), 0x77, 12);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &clone, 1), 1);
	assert_int_equal(fetch(&tx_peer, frame, &head, &descriptors), 100);
	assert_int_equal(descriptors, 2);
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, -1), 0x77);
	give(&tx_peer, head, 0);
	rte_pktmbuf_free(m);
	/* Empty segments get no descriptor. */
	m = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
	tail = rte_pktmbuf_alloc(pool);
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	assert_int_equal(fetch(&tx_peer, frame, &head, &descriptors), 100);
	assert_int_equal(descriptors, 1);
	give(&tx_peer, head, 0);
	/* What the device could never take is dropped and counted, and the burst goes on. */
	m = rte_pktmbuf_alloc(pool);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	m = make(70 * 40, 70, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	assert_int_equal(net->txqs[0]->stats.errors, 2);
	assert_false(take(&tx_peer, &head));
	vpnet_tx_done_cleanup(net->txqs[0], 0);
	tear_down();
}

static void notification(void **state)
{
	uint8_t packet[100] = { 0 }, frame[70000];
	struct rte_mbuf *m[8];
	unsigned int d;
	uint16_t head;

	(void)state;
	/* Flags: one doorbell a burst, none if the device said so. */
	set_up(false, pool, false);
	for (unsigned int i = 0; i < 8; i++)
		m[i] = make(60, 1, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], m, 4), 4);
	assert_int_equal(doorbells, 1);
	assert_int_equal(last_doorbell, 3);
	tx_peer.ring->used->flags = VRING_USED_F_NO_NOTIFY;
	assert_int_equal(vpnet_tx_burst(net->txqs[0], m + 4, 4), 4);
	assert_int_equal(doorbells, 1);
	while (fetch(&tx_peer, frame, &head, &d) > 0)
		give(&tx_peer, head, 0);
	vpnet_tx_done_cleanup(net->txqs[0], 0);
	tear_down();
	/* EVENT_IDX: only the burst that passes avail_event. */
	set_up(true, pool, false);
	*tx_peer.ring->avail_event_at = 2;
	for (unsigned int i = 0; i < 5; i++) {
		m[0] = make(60, 1, packet, RTE_PKTMBUF_HEADROOM);
		assert_int_equal(vpnet_tx_burst(net->txqs[0], m, 1), 1);
		assert_int_equal(doorbells, i >= 2);
	}
	while (fetch(&tx_peer, frame, &head, &d) > 0)
		give(&tx_peer, head, 0);
	vpnet_tx_done_cleanup(net->txqs[0], 0);
	/* An empty burst says nothing. */
	assert_int_equal(vpnet_tx_burst(net->txqs[0], m, 0), 0);
	assert_int_equal(doorbells, 1);
	tear_down();
}

/* ---------------------------------------------------------------------------------------------------- hostile devices */

enum rx_trick {
	RX_ID,
	RX_ID_TWICE,
	RX_JUMP,
	RX_SHORT,
	RX_LONG,
	RX_ZERO_BUFFERS,
	RX_MANY_BUFFERS,
	RX_SECOND_BAD,
	RX_TRICKS
};

static void hostile_receive(void **state)
{
	uint8_t packet[200];
	struct rte_mbuf *m[4];
	uint16_t head;

	(void)state;
	for (enum rx_trick t = 0; t < RX_TRICKS; t++) {
		set_up(true, pool, true);
		fill(packet, 100, t);
		switch (t) {
		case RX_ID:
			give(&rx_peer, SIZE, 112);
			break;
		case RX_ID_TWICE:
			deliver(&rx_peer, packet, 112, -1);
			give(&rx_peer, 0, 112);
			assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, 1), 1);
			rte_pktmbuf_free(m[0]);
			break;
		case RX_JUMP:
			rx_peer.ring->used->idx = SIZE + 1;
			break;
		case RX_SHORT:
			take(&rx_peer, &head);
			give(&rx_peer, head, VPNET_HDR_LEN - 1);
			break;
		case RX_LONG:
			deliver(&rx_peer, packet, 112, -1);
			rx_peer.ring->used->ring[0].len = UINT32_MAX;
			break;
		case RX_ZERO_BUFFERS:
			deliver(&rx_peer, packet, 112, 0);
			break;
		case RX_MANY_BUFFERS:
			deliver(&rx_peer, packet, 112, SIZE + 1);
			break;
		case RX_SECOND_BAD:
			deliver(&rx_peer, packet, 112, 2);
			give(&rx_peer, 0xffffffff, 10);
			break;
		default:
			break;
		}
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, 4), 0);
		assert_true(net->rxqs[0]->broken);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, 4), 0);
		/* A restart brings it back. */
		vpnet_rxq_clear(net->rxqs[0]);
		assert_int_equal(vpnet_rxq_refill(net->rxqs[0]), SIZE);
		rx_peer.avail = rx_peer.used = 0;
		deliver(&rx_peer, packet, 112, -1);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], m, 4), 1);
		expect(m[0], packet, 100);
		tear_down();
	}
}

static void hostile_transmit(void **state)
{
	uint8_t packet[200] = { 0 };
	struct rte_mbuf *m;
	uint16_t head;

	(void)state;
	for (unsigned int t = 0; t < 4; t++) {
		set_up(true, pool, false);
		m = make(100, 2, packet, RTE_PKTMBUF_HEADROOM);
		assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
		assert_true(take(&tx_peer, &head));
		if (t == 0)
			give(&tx_peer, SIZE + 5, 0);
		else if (t == 1)
			give(&tx_peer, (head + 1u) % SIZE, 0); /* in the chain, but not its head */
		else if (t == 2)
			tx_peer.ring->used->idx = SIZE + 1;
		else {
			give(&tx_peer, head, 0);
			give(&tx_peer, head, 0);
		}
		vpnet_tx_done_cleanup(net->txqs[0], 0);
		assert_true(net->txqs[0]->broken);
		m = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
		assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 0);
		rte_pktmbuf_free(m);
		tear_down();
	}
}

/* Any used ring at all: no crash, no buffer lost or given out twice (the pool is counted). */
static void random_used(void **state)
{
	unsigned int seed = suites_seed(1);
	struct rte_mbuf *m[32];

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		set_up(i & 1, i & 2 ? pool : small_pool, true);
		for (unsigned int k = 0; k < 4; k++) {
			uint8_t packet[200];

			fill(packet, 100, k);
			deliver(&rx_peer, packet, 112, rand_r(&seed) % 8 == 0 ? rand_r(&seed) % 256 : -1);
			rx_peer.ring->used->ring[rand_r(&seed) % SIZE].id = (uint32_t)rand_r(&seed) % (SIZE + 2);
			rx_peer.ring->used->ring[rand_r(&seed) % SIZE].len = (uint32_t)rand_r(&seed) % 3000;
			if (rand_r(&seed) % 4 == 0)
				rx_peer.ring->used->idx = (uint16_t)(rx_peer.used + rand_r(&seed) % (SIZE + 2));
			rte_pktmbuf_free_bulk(m, vpnet_rx_burst(net->rxqs[0], m, RTE_DIM(m)));
		}
		tear_down();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive),
		cmocka_unit_test(receive_scattered),
		cmocka_unit_test(receive_out_of_memory),
		cmocka_unit_test(open_checksum),
		cmocka_unit_test(transmit),
		cmocka_unit_test(transmit_odd),
		cmocka_unit_test(notification),
		cmocka_unit_test(hostile_receive),
		cmocka_unit_test(hostile_transmit),
		cmocka_unit_test(random_used),
	};

	(void)argc;
	if (!unit_start(argv[0], &device))
		return 1;

	RUN_SUITE("ring", tests);
	run_offload_tests();
	free(net);
	return suites_end();
}
