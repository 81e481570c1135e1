/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums and segmentation: what the peer accepted, and never what it did not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ip.h>

#include "cmocka_suites.h"
#include "ring_device.h"
#include "unit.h"

#define PEER(name) RTE_BIT64(VHOST_PCI_PEER_F_##name)
#define ALL_PEER 0xff83ull
#define ETHER 14u

enum kind {
	TCP4,
	TCP6,
	UDP4,
	KINDS
};

/* What is the same wherever the checksum stands: positions in a packet of that kind, behind the virtio header. */
static uint32_t l3_len(enum kind k)
{
	return k == TCP6 ? 40 : 20;
}

static uint32_t l4_len(enum kind k)
{
	return k == UDP4 ? 8 : 20;
}

static uint32_t sum_at(enum kind k)
{
	return k == UDP4 ? 6 : 16;
}

/* A frame with @p data bytes, right in all its sums; @return its length. */
static uint32_t whole(enum kind k, uint8_t *frame, uint32_t data, unsigned int seed, bool cwr)
{
	uint32_t l4 = ETHER + l3_len(k), len = l4 + l4_len(k) + data;
	uint8_t packet[70000];
	uint16_t sum;

	fill(packet, len, seed);
	memcpy(frame, packet + VPNET_HDR_LEN, len);
	memset(frame + l4 + sum_at(k), 0, 2);
	if (k != UDP4) {
		frame[l4 + 12] = 0x50;
		frame[l4 + 13] = cwr ? 0x90 : 0x10;
	}
	if (k == TCP6) {
		struct rte_ipv6_hdr *ip = (void *)(frame + ETHER);

		ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
		ip->payload_len = rte_cpu_to_be_16((uint16_t)(len - l4));
		ip->proto = IPPROTO_TCP;
		sum = rte_ipv6_udptcp_cksum(ip, frame + l4);
	} else {
		struct rte_ipv4_hdr *ip = (void *)(frame + ETHER);

		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(len - ETHER));
		ip->next_proto_id = k == UDP4 ? IPPROTO_UDP : IPPROTO_TCP;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		sum = rte_ipv4_udptcp_cksum(ip, frame + l4);
	}
	memcpy(frame + l4 + sum_at(k), &sum, 2);
	return len;
}

static uint16_t pseudo(enum kind k, const uint8_t *frame)
{
	return k == TCP6 ? rte_ipv6_phdr_cksum((const void *)(frame + ETHER), 0)
			 : rte_ipv4_phdr_cksum((const void *)(frame + ETHER), 0);
}

static uint8_t gso_of(enum kind k)
{
	return k == TCP6 ? VIRTIO_NET_HDR_GSO_TCPV6 : k == TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_UDP;
}

/* The packet as the peer sends it: header, and the frame with an open checksum. */
static uint32_t open_packet(enum kind k, uint8_t *packet, const uint8_t *frame, uint32_t len, uint8_t gso,
			    uint16_t size)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso,
		.gso_size = size,
		.hdr_len = (uint16_t)(ETHER + l3_len(k) + l4_len(k)),
		.csum_start = (uint16_t)(ETHER + l3_len(k)),
		.csum_offset = (uint16_t)sum_at(k),
	};
	uint16_t sum = pseudo(k, frame);

	memset(packet, 0, VPNET_HDR_LEN);
	memcpy(packet, &hdr, sizeof(hdr));
	memcpy(packet + VPNET_HDR_LEN, frame, len);
	memcpy(packet + VPNET_HDR_LEN + ETHER + l3_len(k) + sum_at(k), &sum, 2);
	return VPNET_HDR_LEN + len;
}

#define RX_SUMS (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

/* Up to 64 KiB, over many buffers: as it comes for an application that takes open checksums, completed for another. */
static void receive_large(void **state)
{
	static uint8_t frame[70000], packet[70000];
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < KINDS * 2 * 6; i++) {
		static const uint32_t sizes[] = { 100, 1460, 5000, 20000, 40000, 65535 - 60 };
		enum kind k = i % KINDS;
		bool open = i / KINDS % 2;
		uint32_t len;

		set_up_with(true, pool, RTE_ETH_RX_OFFLOAD_TCP_LRO | (open ? RX_SUMS : 0));
		net->ctrl.accepted = ALL_PEER;
		len = whole(k, frame, sizes[i / KINDS / 2], i, false);
		deliver(&rx_peer, packet, open_packet(k, packet, frame, len, gso_of(k), 1400), -1);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
		assert_int_equal(m->ol_flags, RTE_MBUF_F_RX_LRO | (open ? RTE_MBUF_F_RX_L4_CKSUM_NONE : 0));
		assert_int_equal(m->tso_segsz, 1400);
		if (open)
			expect(m, packet, len);
		else
			expect(m, frame - VPNET_HDR_LEN, len);
		tear_down();
	}
}

/* Requests that were not accepted, or that are none: dropped and counted, and the queue goes on. */
static void receive_not_accepted(void **state)
{
	static uint8_t frame[4000], packet[4000];
	static const struct {
		enum kind kind;
		uint8_t gso;
		uint64_t without;
	} cases[] = {
		{ TCP4, VIRTIO_NET_HDR_GSO_TCPV4, PEER(HOST_TSO4) },
		{ TCP6, VIRTIO_NET_HDR_GSO_TCPV6, PEER(HOST_TSO6) },
		{ UDP4, VIRTIO_NET_HDR_GSO_UDP, PEER(HOST_UFO) },
		{ TCP4, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, PEER(HOST_ECN) },
		{ TCP4, 5 /* UDP_L4 */, 0 },
		{ TCP4, 0x7f, 0 },
		{ TCP4, VIRTIO_NET_HDR_GSO_ECN, 0 },
		{ UDP4, VIRTIO_NET_HDR_GSO_TCPV4, 0 }, /* TCP, whose checksum stands where UDP's does */
	};
	struct rte_mbuf *m;
	uint32_t len;

	(void)state;
	set_up_with(true, pool, RTE_ETH_RX_OFFLOAD_TCP_LRO | RX_SUMS);
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		len = whole(cases[i].kind, frame, 3000, i, false);
		len = open_packet(cases[i].kind, packet, frame, len, cases[i].gso, 1400);
		net->ctrl.accepted = ALL_PEER & ~cases[i].without;
		deliver(&rx_peer, packet, len, -1);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 0);
		assert_int_equal(net->rxqs[0]->stats.bad_offloads, i + 1);
		if (cases[i].without == 0)
			continue;
		net->ctrl.accepted = ALL_PEER;
		deliver(&rx_peer, packet, len, -1);
		assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	/* No segment size; no open checksum. */
	len = open_packet(TCP4, packet, frame, whole(TCP4, frame, 3000, 1, false), VIRTIO_NET_HDR_GSO_TCPV4, 0);
	deliver(&rx_peer, packet, len, -1);
	packet[4] = 100;
	packet[0] = 0;
	deliver(&rx_peer, packet, len, -1);
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 0);
	assert_int_equal(net->rxqs[0]->stats.bad_offloads, RTE_DIM(cases) + 2);
	assert_int_equal(net->rxqs[0]->stats.errors, net->rxqs[0]->stats.bad_offloads);
	/* The other end says that a checksum is right. */
	packet[0] = VIRTIO_NET_HDR_F_DATA_VALID;
	packet[1] = 0;
	deliver(&rx_peer, packet, 100, -1);
	assert_int_equal(vpnet_rx_burst(net->rxqs[0], &m, 1), 1);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
	rte_pktmbuf_free(m);
	tear_down();
	/* A ring that cannot hold a large packet is refused. */
	assert_int_equal(vpnet_rxq_setup(&eth, 0, 16, 0,
					 &(struct rte_eth_rxconf){ .offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO }, pool),
			 -EINVAL);
}

/* A frame as an application hands it over, with everything left to be done. */
static struct rte_mbuf *request(enum kind k, const uint8_t *frame, uint32_t len, uint16_t segsz, uint16_t headroom)
{
	struct rte_mbuf *m = make(len, 1 + len / 1800, frame, headroom);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);

	m->l2_len = ETHER;
	m->l3_len = l3_len(k);
	m->l4_len = l4_len(k);
	m->tso_segsz = segsz;
	m->ol_flags = k == TCP6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	m->ol_flags |= k == UDP4 ? (segsz ? RTE_MBUF_F_TX_UDP_SEG : RTE_MBUF_F_TX_UDP_CKSUM)
				 : (segsz ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_TCP_CKSUM);
	memset(at + ETHER + l3_len(k) + sum_at(k), 0x5a, 2);
	if (k != TCP6)
		memset(at + ETHER + 10, 0x5a, 2);
	assert_int_equal(vpnet_tx_prepare(net->txqs[0], &m, 1), 1);
	return m;
}

/* Segmentation, an open checksum, or a completed one: what the peer took, and never what it did not. */
static void transmit_offloads(void **state)
{
	static uint8_t frame[70000], open[70000], got[70000];
	static const uint64_t peers[] = { ALL_PEER, PEER(GUEST_CSUM), 0, ALL_PEER & ~PEER(GUEST_ECN) };
	unsigned int sent = 0, dropped = 0;

	(void)state;
	for (unsigned int i = 0; i < KINDS * 4 * 2 * 6; i++) {
		static const uint32_t sizes[] = { 0, 1, 1400, 1401, 30001, 65535 - 60 };
		enum kind k = i % KINDS;
		uint64_t peer = peers[i / KINDS % 4];
		bool cwr = k != UDP4 && i / KINDS / 4 % 2;
		uint32_t data = sizes[i / KINDS / 8], len = whole(k, frame, data, i, cwr);
		bool large = data > 1400,
		     takes = !large || (peer & PEER(GUEST_TSO4) && (!cwr || peer & PEER(GUEST_ECN)));
		struct rte_mbuf *m;
		struct virtio_net_hdr hdr;
		uint8_t header[VPNET_HDR_LEN];
		unsigned int descriptors;
		uint16_t head;

		set_up(true, pool, false);
		net->ctrl.accepted = peer;
		m = request(k, frame, len, 1400, i % 5 ? RTE_PKTMBUF_HEADROOM : 0);
		assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
		assert_int_equal(net->txqs[0]->stats.bad_offloads, !takes);
		assert_int_equal(net->txqs[0]->stats.errors, !takes);
		assert_int_equal(net->txqs[0]->stats.packets, takes);
		if (!takes) {
			assert_false(take(&tx_peer, &head));
			dropped++;
			tear_down();
			continue;
		}
		assert_int_equal(fetch_with_header(&tx_peer, header, got, &head, &descriptors), len);
		memcpy(&hdr, header, sizeof(hdr));
		if (peer & PEER(GUEST_CSUM)) {
			(void)open_packet(k, open, frame, len, 0, 0);
			assert_memory_equal(got, open + VPNET_HDR_LEN, len);
			assert_int_equal(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(hdr.csum_start, ETHER + l3_len(k));
			assert_int_equal(hdr.csum_offset, sum_at(k));
		} else {
			assert_memory_equal(got, frame, len);
			assert_int_equal(hdr.flags, 0);
		}
		assert_int_equal(hdr.gso_type, !large ? 0 : gso_of(k) | (cwr ? VIRTIO_NET_HDR_GSO_ECN : 0));
		assert_int_equal(hdr.gso_size, large ? 1400 : 0);
		assert_int_equal(hdr.hdr_len, large ? ETHER + l3_len(k) + l4_len(k) : 0);
		assert_memory_equal(header + 10, "\0\0", 2);
		sent++;
		give(&tx_peer, head, 0);
		vpnet_tx_done_cleanup(net->txqs[0], 0);
		tear_down();
	}
	assert_true(sent > 60 && dropped > 30);
}

/* What nobody can send: refused by tx_prepare with a reason, and dropped if it is sent all the same. */
static void transmit_nonsense(void **state)
{
	static uint8_t frame[4000], got[70000];
	struct rte_mbuf *m, *clone;
	unsigned int descriptors;
	uint16_t head;
	uint32_t len;

	(void)state;
	set_up(true, pool, false);
	net->ctrl.accepted = ALL_PEER;
	for (unsigned int t = 0; t < 7; t++) {
		len = whole(TCP4, frame, 1000, t, false);
		m = request(TCP4, frame, len, 500, RTE_PKTMBUF_HEADROOM);
		if (t == 0)
			m->tso_segsz = 0;
		else if (t == 1)
			m->l3_len = 24; /* not what the header says */
		else if (t == 2)
			m->l2_len = 120;
		else if (t == 3)
			m->ol_flags |= RTE_MBUF_F_TX_IPV6;
		else if (t == 4)
			m->ol_flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM;
		else if (t == 5)
			m->ol_flags = RTE_MBUF_F_TX_SCTP_CKSUM | RTE_MBUF_F_TX_IPV4;
		else
			m->l2_len = 127, m->l3_len = 511;
		rte_errno = 0;
		assert_int_equal(vpnet_tx_prepare(net->txqs[0], &m, 1), 0);
		assert_int_equal(rte_errno, t == 4 || t == 5 ? ENOTSUP : EINVAL);
		rte_pktmbuf_free(m);
	}
	m = request(TCP4, frame, len, 500, RTE_PKTMBUF_HEADROOM);
	m->tso_segsz = 0;
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	m = request(TCP4, frame, len, 0, RTE_PKTMBUF_HEADROOM);
	m->data_len = m->pkt_len = 40; /* the checksum is not in it */
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	/* Data that somebody else sees too is not written to: the peer would have to complete it, and does not. */
	net->ctrl.accepted = 0;
	m = request(TCP4, frame, len, 0, RTE_PKTMBUF_HEADROOM);
	clone = rte_pktmbuf_clone(m, pool);
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &clone, 1), 1);
	assert_int_equal(net->txqs[0]->stats.bad_offloads, 3);
	assert_false(take(&tx_peer, &head));
	/* A packet for which there is no room is completed once, however often it is offered. */
	net->txqs[0]->nfree = 0;
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 0);
	net->txqs[0]->nfree = SIZE;
	assert_int_equal(vpnet_tx_burst(net->txqs[0], &m, 1), 1);
	assert_int_equal(fetch(&tx_peer, got, &head, &descriptors), len);
	assert_memory_equal(got, frame, len);
	give(&tx_peer, head, 0);
	vpnet_tx_done_cleanup(net->txqs[0], 0);
	tear_down();
}

/* Of the peer's features the HOST ones only for an application that takes large packets. */
static void accepted_features(void **state)
{
	(void)state;
	assert_true(vpnet_offload_accepted(net) == ((ALL_PEER & ~0x7800ull) | RTE_BIT64(27)));
	data.dev_conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO;
	assert_true(vpnet_offload_accepted(net) == (ALL_PEER | RTE_BIT64(27)));
	data.dev_conf.rxmode.offloads = 0;
}

void run_offload_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receive_large),     cmocka_unit_test(receive_not_accepted),
		cmocka_unit_test(transmit_offloads), cmocka_unit_test(transmit_nonsense),
		cmocka_unit_test(accepted_features),
	};

	RUN_SUITE("offload", tests);
}
