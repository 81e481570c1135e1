/* SPDX-License-Identifier: Apache-2.0 */
/* The data path against a device played by the test: what a good one does, and what a hostile one may try. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ip.h>

#include <cmocka.h>

#include "../vpnet.h"
#include "unit.h"
#include "vhp_access_impl.h"

#define SIZE 64u

RTE_LOG_REGISTER(vpnet_logtype, pmd.net.vhost_pci, NOTICE);

static unsigned int doorbells;
static uint16_t last_doorbell;

static void count_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	(void)dev, (void)bar, (void)offset;
	doorbells++;
	last_doorbell = value;
}

static const struct vhp_dev_ops ops = { .doorbell = count_doorbell };
static struct vhp_dev device = { .ops = &ops };

/* ---------------------------------------------------------------------------------------------------- the device */

/* The device's end of a ring, which knows no more than the driver wrote to memory. */
struct peer {
	struct vpnet_ring *ring;
	uint16_t avail, used;
};

static bool take(struct peer *p, uint16_t *head)
{
	if (p->avail == p->ring->avail->idx)
		return false;
	*head = p->ring->avail->ring[p->avail++ & p->ring->mask];
	return true;
}

static void give(struct peer *p, uint32_t id, uint32_t len)
{
	p->ring->used->ring[p->used++ & p->ring->mask] = (struct vring_used_elem){ id, len };
	p->ring->used->idx = p->used;
}

/* Write a packet (with header) into as many receive buffers as it takes; @p buffers overrides num_buffers. */
static unsigned int deliver(struct peer *p, const uint8_t *packet, uint32_t len, int buffers)
{
	struct vring_used_elem done[SIZE];
	uint8_t *first = NULL;
	unsigned int n = 0;

	while (len > 0) {
		const struct vring_desc *d;
		uint16_t head;
		uint32_t part;

		if (!take(p, &head))
			fail_msg("no receive buffer");
		d = &p->ring->desc[head];
		assert_int_equal(d->flags, VRING_DESC_F_WRITE);
		part = RTE_MIN(len, d->len);
		memcpy((void *)(uintptr_t)d->addr, packet, part);
		if (first == NULL)
			first = (uint8_t *)(uintptr_t)d->addr;
		done[n++] = (struct vring_used_elem){ head, part };
		packet += part;
		len -= part;
	}
	first[10] = (uint8_t)(buffers < 0 ? n : (unsigned int)buffers);
	first[11] = 0;
	for (unsigned int i = 0; i < n; i++)
		give(p, done[i].id, done[i].len);
	return n;
}

/* Take one packet from the transmit ring; @return its length without the header. */
static uint32_t fetch_with_header(struct peer *p, uint8_t *header, uint8_t *frame, uint16_t *head,
				  unsigned int *descriptors)
{
	uint8_t all[70000];
	uint32_t len = 0;
	uint16_t id;

	if (!take(p, head))
		return 0;
	id = *head;
	for (*descriptors = 1;; (*descriptors)++) {
		const struct vring_desc *d = &p->ring->desc[id];

		assert_true(d->len > 0 && len + d->len <= sizeof(all));
		memcpy(all + len, (void *)(uintptr_t)d->addr, d->len);
		len += d->len;
		if (!(d->flags & VRING_DESC_F_NEXT))
			break;
		id = d->next;
		assert_true(id < p->ring->size && *descriptors < p->ring->size);
	}
	assert_true(len > VPNET_HDR_LEN);
	memcpy(header, all, VPNET_HDR_LEN);
	memcpy(frame, all + VPNET_HDR_LEN, len - VPNET_HDR_LEN);
	return len - VPNET_HDR_LEN;
}

static uint32_t fetch(struct peer *p, uint8_t *frame, uint16_t *head, unsigned int *descriptors)
{
	uint8_t header[VPNET_HDR_LEN] = { 0 };
	uint32_t len = fetch_with_header(p, header, frame, head, descriptors);

	assert_memory_equal(header, "\0\0\0\0\0\0\0\0\0\0\0\0", VPNET_HDR_LEN);
	return len;
}

/* ---------------------------------------------------------------------------------------------------- set-up */

static struct peer rx_peer, tx_peer;

static void set_up_with(bool event_idx, struct rte_mempool *mp, uint64_t offloads)
{
	struct rte_eth_rxconf rxconf = { .offloads = offloads };
	struct rte_eth_txconf txconf = { 0 };

	net->features = RTE_BIT64(VHP_F_VERSION_1) | RTE_BIT64(VHOST_PCI_NET_F_MRG_RXBUF);
	if (event_idx)
		net->features |= RTE_BIT64(VHP_F_RING_EVENT_IDX);
	assert_int_equal(vpnet_rxq_setup(&eth, 0, SIZE, 0, &rxconf, mp), 0);
	assert_int_equal(vpnet_txq_setup(&eth, 0, SIZE, 0, &txconf), 0);
	assert_int_equal(vpnet_rxq_refill(net->rxqs[0]), SIZE);
	rx_peer = (struct peer){ .ring = &net->rxqs[0]->ring };
	tx_peer = (struct peer){ .ring = &net->txqs[0]->ring };
	doorbells = 0;
}

static void set_up(bool event_idx, struct rte_mempool *mp, bool scatter)
{
	set_up_with(event_idx, mp, scatter ? RTE_ETH_RX_OFFLOAD_SCATTER : 0);
}

static void tear_down(void)
{
	net->ctrl.accepted = 0;
	vpnet_rxq_release(&eth, 0);
	vpnet_txq_release(&eth, 0);
	/* Every buffer is back. */
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	assert_int_equal(rte_mempool_avail_count(small_pool), MBUFS);
}

static void fill(uint8_t *packet, uint32_t len, unsigned int seed)
{
	memset(packet, 0, VPNET_HDR_LEN);
	for (uint32_t i = 0; i < len; i++)
		packet[VPNET_HDR_LEN + i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

static void expect(struct rte_mbuf *m, const uint8_t *packet, uint32_t len)
{
	uint8_t copy[70000];
	const uint8_t *p;

	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, len);
	p = rte_pktmbuf_read(m, 0, len, copy);
	assert_non_null(p);
	assert_memory_equal(p, packet + VPNET_HDR_LEN, len);
	rte_pktmbuf_free(m);
}

/* ---------------------------------------------------------------------------------------------------- good devices */

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

static struct rte_mbuf *make(uint32_t len, unsigned int segs, const uint8_t *packet, uint16_t headroom)
{
	struct rte_mbuf *first = NULL, *last = NULL;

	for (unsigned int i = 0; i < segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t part = i + 1 == segs ? len : len / (segs - i);

		m->data_off = headroom;
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), packet, part);
		packet += part;
		len -= part;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
		last = m;
	}
	(void)last;
	return first;
}

/* ---------------------------------------------------------------------------------------------------- offloads */

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

static struct rte_mbuf *make(uint32_t len, unsigned int segs, const uint8_t *packet, uint16_t headroom);

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
	const char *env = getenv("VHP_TEST_SEED");
	unsigned int seed = env != NULL ? (unsigned int)strtoul(env, NULL, 0) : 1;
	struct rte_mbuf *m[32];

	(void)state;
	printf("seed %u (VHP_TEST_SEED)\n", seed);
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
		cmocka_unit_test(receive_large),
		cmocka_unit_test(receive_not_accepted),
		cmocka_unit_test(transmit_offloads),
		cmocka_unit_test(transmit_nonsense),
		cmocka_unit_test(accepted_features),
		cmocka_unit_test(transmit),
		cmocka_unit_test(transmit_odd),
		cmocka_unit_test(notification),
		cmocka_unit_test(hostile_receive),
		cmocka_unit_test(hostile_transmit),
		cmocka_unit_test(random_used),
	};
	int failed;

	(void)argc;
	if (!unit_start(argv[0], &device))
		return 1;

	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%zu passed, %d failed\n", RTE_DIM(tests) - (size_t)failed, failed);
	free(net);
	return failed != 0;
}
