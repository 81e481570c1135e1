/* SPDX-License-Identifier: Apache-2.0 */
/* Driver copy with a peer that keeps the rules: packets, offloads, interrupts, and what an access costs. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cmocka_suites.h"
#include "mirror_peer.h"
#include "unit.h"
#include "vhp_fn_bar_regs.h"

static void receive_all(bool event_idx, bool indirect, bool small, unsigned int packets)
{
	static uint8_t sent[SIZE][4096];
	static uint32_t lens[SIZE];
	unsigned int first = 0, last = 0; /* packets under way */

	set_up((struct options){ event_idx, indirect, false, small, 65500 });
	while (first < packets) {
		struct rte_mbuf *m[16];
		unsigned int burst = rnd(12), n, before = aperture.irqs;
		uint16_t from = tx.used->idx, want = (uint16_t)(from + rnd(4));
		bool interrupts = rnd(2);

		for (; burst > 0 && last - first < 8 && last < packets; burst--, last++) {
			uint32_t len = 14 + rnd(small ? 2900 : 1500);

			lens[last % SIZE] = len;
			fill(sent[last % SIZE], len, last);
			peer_sends(sent[last % SIZE], len + VPNET_HDR_LEN, 1 + rnd(5));
		}
		tx.avail->flags = !event_idx && !interrupts ? VRING_AVAIL_F_NO_INTERRUPT : 0;
		*used_event(&tx) = interrupts ? want : (uint16_t)(from - 1);
		n = vpnet_mirror_rx_burst(net->rxqs[0], m, RTE_DIM(m));
		for (unsigned int i = 0; i < n; i++, first++)
			expect(m[i], sent[first % SIZE], lens[first % SIZE]);
		/* Everything read is given back, in order. */
		assert_int_equal((uint16_t)(tx.used->idx - tx.used_idx), n);
		for (; tx.used_idx != tx.used->idx; tx.used_idx++) {
			assert_int_equal(tx.used->ring[tx.used_idx % SIZE].id, tx.head[tx.used_idx % SIZE]);
			assert_int_equal(tx.used->ring[tx.used_idx % SIZE].len, 0);
		}
		/* An interrupt if, and only if, the peer asked. */
		if (event_idx)
			assert_int_equal(aperture.irqs - before,
					 n > 0 && vring_need_event(*used_event(&tx), tx.used->idx, from));
		else
			assert_int_equal(aperture.irqs - before, n > 0 && interrupts);
		/* The peer is never asked to kick. */
		if (event_idx)
			assert_false(vring_need_event(*avail_event(&tx), (uint16_t)(tx.avail_idx + 1), tx.avail_idx));
		else
			assert_int_equal(tx.used->flags, VRING_USED_F_NO_NOTIFY);
	}
	assert_int_equal(net->rxqs[0]->stats.packets, packets);
	assert_int_equal(net->rxqs[0]->stats.errors, 0);
	tear_down();
}

static void receive(void **state)
{
	(void)state;
	/* Far enough for the 16-bit indices to come round. */
	receive_all(false, false, false, 70000);
	receive_all(true, false, false, 70000);
	receive_all(true, true, false, 20000);
	receive_all(false, true, true, 20000);
}

static void transmit_all(struct options o, unsigned int packets)
{
	static uint8_t sent[SIZE][4096], got[4096];
	static uint32_t lens[SIZE];
	unsigned int first = 0, last = 0;

	set_up(o);
	while (first < packets) {
		struct rte_mbuf *m[8];
		unsigned int n = rnd(9), done, before = aperture.irqs;
		uint16_t from = rx.used->idx;
		bool interrupts = rnd(2);

		/* Buffers: small ones only if packets may be merged. */
		for (unsigned int i = rnd(20); i > 0 && (uint16_t)(rx.avail_idx - rx.used_idx) < 10; i--)
			publish(&rx, o.mergeable ? 40 + rnd(1000) : 1600, 1 + rnd(4), true);
		n = RTE_MIN(n, packets - last);
		for (unsigned int i = 0; i < n; i++) {
			uint32_t len = 14 + rnd(1500);

			lens[(last + i) % SIZE] = len;
			fill(sent[(last + i) % SIZE], len, last + i);
			m[i] = make(len, 1 + rnd(3), sent[(last + i) % SIZE] + VPNET_HDR_LEN,
				    rnd(3) ? RTE_PKTMBUF_HEADROOM : 0);
		}
		rx.avail->flags = !o.event_idx && !interrupts ? VRING_AVAIL_F_NO_INTERRUPT : 0;
		*used_event(&rx) = interrupts ? (uint16_t)(from + rnd(4)) : (uint16_t)(from - 1);
		done = vpnet_mirror_tx_burst(net->txqs[0], m, (uint16_t)n);
		rte_pktmbuf_free_bulk(m + done, n - done);
		last += done;
		if (o.event_idx)
			assert_int_equal(aperture.irqs - before,
					 done > 0 && vring_need_event(*used_event(&rx), rx.used->idx, from));
		else
			assert_int_equal(aperture.irqs - before, done > 0 && interrupts);
		if (aperture.irqs > before) {
			assert_int_equal(aperture.irq_offset, offsetof(vhp_fn_bar_t, peer_irq) + 4);
			assert_int_equal(aperture.irq_value, 77);
			assert_int_equal(net->txqs[0]->stats.peer_gsis, net->txqs[0]->stats.peer_irqs);
		}
		for (; first < last; first++) {
			uint32_t total = lens[first % SIZE] + VPNET_HDR_LEN, at = 0;
			uint16_t buffers = 0, chains;

			get_chain(&rx, rx.used_idx, got, VPNET_HDR_LEN);
			for (; at < total; buffers++, rx.used_idx++) {
				const struct vring_used_elem *e = &rx.used->ring[rx.used_idx % SIZE];

				assert_true(rx.used_idx != rx.used->idx);
				assert_int_equal(e->id, rx.head[rx.used_idx % SIZE]);
				assert_int_equal(get_chain(&rx, rx.used_idx, got + at, total - at), e->len);
				at += e->len;
			}
			memcpy(&chains, got + 10, sizeof(chains));
			assert_int_equal(chains, buffers);
			assert_memory_equal(got + VPNET_HDR_LEN, sent[first % SIZE] + VPNET_HDR_LEN,
					    lens[first % SIZE]);
		}
		assert_int_equal(rx.used_idx, rx.used->idx);
	}
	assert_int_equal(net->txqs[0]->stats.packets, packets);
	assert_int_equal(net->txqs[0]->stats.errors, 0);
	tear_down();
}

static void transmit(void **state)
{
	(void)state;
	transmit_all((struct options){ .start = 65000 }, 70000);
	transmit_all((struct options){ .mergeable = true, .event_idx = true }, 40000);
	transmit_all((struct options){ .mergeable = true, .event_idx = true, .indirect = true }, 20000);
	transmit_all((struct options){ .mergeable = true, .indirect = true }, 20000);
}

/* Requests for segmentation: in the header of the peer that took them, and not at all to one that did not; both ways. */
static void offloads(void **state)
{
	static const uint8_t expected[VPNET_HDR_LEN] = {
		1, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, 100, 0, 34, 0, 16, 0, 1, 0
	};
	static uint8_t packet[VPNET_HDR_LEN + 3000], got[4000];
	const uint64_t takes = RTE_BIT64(VHOST_PCI_PEER_F_GUEST_TSO4) | RTE_BIT64(VHOST_PCI_PEER_F_GUEST_CSUM);
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		bool accepted = i & 1;

		set_up((struct options){ 0 });
		net->ctrl.accepted = accepted ? takes | RTE_BIT64(VHOST_PCI_PEER_F_HOST_TSO4) : 0;
		fill(packet, 900, i);
		packet[VPNET_HDR_LEN + 34 + 13] = 0x10; /* no CWR */
		publish(&rx, 2000, 3, true);
		m = make(900, 1, packet + VPNET_HDR_LEN, i & 2 ? RTE_PKTMBUF_HEADROOM : 0);
		m->l2_len = 14;
		m->l3_len = m->l4_len = 20;
		m->tso_segsz = 100;
		m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG;
		assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], &m, 1), 1);
		assert_int_equal(net->txqs[0]->stats.bad_offloads, !accepted);
		assert_int_equal(rx.used->idx, accepted);
		if (accepted) {
			assert_int_equal(get_chain(&rx, 0, got, 900 + VPNET_HDR_LEN), 900 + VPNET_HDR_LEN);
			assert_memory_equal(got, expected, VPNET_HDR_LEN);
			assert_memory_equal(got + VPNET_HDR_LEN, packet + VPNET_HDR_LEN, 900);
		}
		net->rxqs[0]->offloads = RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
		memcpy(packet, expected, VPNET_HDR_LEN);
		peer_sends(packet, 900 + VPNET_HDR_LEN, 3);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), accepted);
		assert_int_equal(net->rxqs[0]->stats.bad_offloads, !accepted);
		assert_int_equal(tx.used->idx, 1);
		if (accepted) {
			assert_int_equal(m->ol_flags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
			assert_int_equal(m->tso_segsz, 100);
			rte_pktmbuf_free(m);
		}
		tear_down();
	}
}

/* Packets that do not fit: dropped and counted, the peer's buffers stay; what fits goes on. */
static void transmit_large(void **state)
{
	static uint8_t packet[3000];
	struct rte_mbuf *m[3];

	(void)state;
	set_up((struct options){ 0 });
	fill(packet, 2000, 1);
	publish(&rx, 500, 1, true);
	m[0] = make(489, 1, packet, RTE_PKTMBUF_HEADROOM); /* one byte too many with its header */
	m[1] = make(488, 1, packet, RTE_PKTMBUF_HEADROOM);
	m[2] = rte_pktmbuf_alloc(pool); /* nothing in it */
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 3), 3);
	assert_int_equal(net->txqs[0]->stats.errors, 2);
	assert_int_equal(net->txqs[0]->stats.packets, 1);
	assert_int_equal(rx.used->idx, 1);
	assert_int_equal(rx.used->ring[0].len, 500);
	tear_down();

	/* Mergeable: more buffers than the ring has, or than a packet may take. */
	set_up((struct options){ .mergeable = true });
	for (unsigned int i = 0; i < SIZE; i++)
		publish(&rx, 20, 1, true);
	m[0] = make(2000, 1, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
	assert_int_equal(net->txqs[0]->stats.errors, 1);
	assert_int_equal(rx.used->idx, 0);
	/* Not enough yet is something else: it waits. */
	tear_down();
	set_up((struct options){ .mergeable = true });
	publish(&rx, 20, 1, true);
	m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 0);
	assert_int_equal(rx.used->idx, 0);
	publish(&rx, 92, 1, true);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
	assert_int_equal(rx.used->idx, 2);
	tear_down();
}

/* The own receiveq is full: the peer's packets wait in its ring, none is lost. */
static void receive_without_buffers(void **state)
{
	struct rte_mbuf *hoard[MBUFS + 128], *m[8];
	static uint8_t packet[200];
	unsigned int n = 0, sent = 0, got = 0;

	(void)state;
	set_up((struct options){ 0 });
	while (n < MBUFS && (hoard[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	while (got < 300) {
		for (; sent < 400 && (uint16_t)(tx.avail_idx - tx.used->idx) < 50; sent++) {
			fill(packet, 60, sent);
			peer_sends(packet, 60 + VPNET_HDR_LEN, 1);
		}
		for (unsigned int i = 0, k = vpnet_mirror_rx_burst(net->rxqs[0], m, 8); i < k; i++, got++) {
			fill(packet, 60, got);
			if (n > 0) {
				rte_pktmbuf_refcnt_update(m[i], 1);
				hoard[n++] = m[i];
			}
			expect(m[i], packet, 60);
		}
		if (got == 128 && n > 0) {
			/* All that were posted are used up. */
			for (unsigned int i = 0; i < 20; i++)
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 8), 0);
			rte_pktmbuf_free_bulk(hoard, n);
			n = 0;
		}
	}
	assert_int_equal(net->rxqs[0]->stats.errors, 0);
	while (got < sent)
		for (unsigned int i = 0, k = vpnet_mirror_rx_burst(net->rxqs[0], m, 8); i < k; i++, got++)
			rte_pktmbuf_free(m[i]);
	tear_down();
}

static void enable_interrupts(uint64_t at)
{
	if (at == 0x10000 + 0x1000 + USED_AT + 2) {
		tx.avail->flags = 0;
		*used_event(&tx) = (uint16_t)(tx.used->idx - 1);
	}
}

/* The peer allows interrupts the moment after the used index: it gets one. */
static void no_lost_interrupt(void **state)
{
	static uint8_t packet[200];
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
		set_up((struct options){ .event_idx = event_idx });
		tx.avail->flags = event_idx ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
		*used_event(&tx) = (uint16_t)-1;
		peer_sends(packet, 72, 1);
		aperture.after_write = enable_interrupts;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(aperture.irqs, 1);
		assert_int_equal(aperture.irq_offset, offsetof(vhp_fn_bar_t, peer_irq));
		assert_int_equal(aperture.irq_value, VHOST_PCI_PEER_IRQ_TX | 0);
		/* Without VIRTIO_F_PV_INTERRUPT there is no way, which is counted. */
		net->features &= ~RTE_BIT64(VHP_F_PV_INTERRUPT);
		peer_sends(packet, 72, 1);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(aperture.irqs, 1);
		assert_int_equal(net->rxqs[0]->stats.peer_irqs_impossible, 1);
		/* A receive queue without GSI is named by its index. */
		net->features |= RTE_BIT64(VHP_F_PV_INTERRUPT);
		net->mirrors[VHOST_PCI_PEER_VIRTQ_RX][0].gsi = VHOST_PCI_GSI_NONE;
		*used_event(&rx) = rx.used->idx;
		publish(&rx, 1600, 1, true);
		m = make(60, 1, packet, RTE_PKTMBUF_HEADROOM);
		assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], &m, 1), 1);
		assert_int_equal(aperture.irqs, 2);
		assert_int_equal(aperture.irq_offset, offsetof(vhp_fn_bar_t, peer_irq));
		assert_int_equal(aperture.irq_value, 0);
		assert_int_equal(net->txqs[0]->stats.peer_gsis, 0);
		tear_down();
	}
}

/* Accesses for a burst of 32 packets of 64 bytes: what the file says it costs. */
static void access_pattern(void **state)
{
	static uint8_t packet[100];
	struct rte_mbuf *m[32];

	(void)state;
	set_up((struct options){ 0 });
	tx.avail->flags = rx.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (unsigned int i = 0; i < 32; i++)
		peer_sends(packet, 76, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 32), 32);
	rte_pktmbuf_free_bulk(m, 32);
	/* Index, 2 lines of entries (the first begins 4 bytes in), 8 lines of descriptors, at most 3 of payload, index again. */
	printf("receive: %u reads, %u writes for 32 packets of 76 bytes\n", aperture.reads, aperture.writes);
	assert_true(aperture.reads <= 1 + 2 + 8 + 32 * 3 + 1);
	assert_int_equal(net->rxqs[0]->stats.peer_reads, aperture.reads);
	/* Elements, index. */
	assert_int_equal(aperture.writes, 2);
	aperture.reads = aperture.writes = 0;
	for (unsigned int i = 0; i < 32; i++) {
		publish(&rx, 1600, 1, true);
		m[i] = make(64, 1, packet, RTE_PKTMBUF_HEADROOM);
	}
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 32), 32);
	printf("transmit: %u reads, %u writes for 32 packets of 76 bytes\n", aperture.reads, aperture.writes);
	assert_true(aperture.reads <= 1 + 2 + 8 + 1);
	assert_int_equal(aperture.writes, 32 + 2);
	tear_down();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive),
		cmocka_unit_test(transmit),
		cmocka_unit_test(offloads),
		cmocka_unit_test(transmit_large),
		cmocka_unit_test(receive_without_buffers),
		cmocka_unit_test(no_lost_interrupt),
		cmocka_unit_test(access_pattern),
	};

	(void)argc;
	seed = suites_seed(1);
	if (!unit_start(argv[0], &device))
		return 1;
	net->driver_copy = true;
	net->options.peer_features = UINT64_MAX;
	net->config_fd = eventfd(0, EFD_NONBLOCK);
	data.nb_rx_queues = data.nb_tx_queues = 1;

	RUN_SUITE("mirror", tests);
	run_hostile_tests();
	run_connect_tests();
	free(net);
	return suites_end();
}
