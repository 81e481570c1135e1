/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header in front of each packet (virtio_net_hdr), which the card copies through, and the mbuf's offload flags.
 *
 * Who keeps what was negotiated: the receiving driver never has to believe the other end. What comes in with a request that
 * this driver did not accept, or that makes no sense, is dropped and counted here; what the application sends and the peer did
 * not accept is completed (checksums) or dropped and counted (segmentation), so that it never gets to the peer.
 */
#include "vpnet.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#define PEER(name) RTE_BIT64(VHOST_PCI_PEER_F_##name)

/* GUEST_*: what the peer may receive binds nobody. MRG_RXBUF: both ways to copy do it. LOG_ALL: the card logs what it writes, also
 * what goes through the aperture. CSUM: completed on receipt, where the application does not take open checksums. */
#define ALWAYS_ACCEPTED                                                                                            \
	(PEER(CSUM) | PEER(GUEST_CSUM) | PEER(GUEST_TSO4) | PEER(GUEST_TSO6) | PEER(GUEST_ECN) | PEER(GUEST_UFO) | \
	 PEER(MRG_RXBUF) | PEER(LOG_ALL))
/* Packets of 64 KiB only for an application that said that it takes them. */
#define ACCEPTED_WITH_LRO (PEER(HOST_TSO4) | PEER(HOST_TSO6) | PEER(HOST_ECN) | PEER(HOST_UFO))

#define TCP_CSUM_AT offsetof(struct rte_tcp_hdr, cksum)
#define TCP_FLAGS_AT offsetof(struct rte_tcp_hdr, tcp_flags)
#define IPV4_MAX 60u
#define UDP_CSUM_AT offsetof(struct rte_udp_hdr, dgram_cksum)

uint64_t vpnet_offload_accepted(const struct vpnet *net)
{
	bool lro = net->eth->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO;

	return ALWAYS_ACCEPTED | (lro ? ACCEPTED_WITH_LRO : 0);
}

/* Sum of @p m from @p start on; 0 would mean "none" in UDP, and TCP takes either. */
static bool complete(struct rte_mbuf *m, uint32_t start, uint32_t at)
{
	uint16_t sum;

	if (rte_raw_cksum_mbuf(m, start, m->pkt_len - start, &sum) < 0)
		return false;
	sum = (uint16_t)~sum;
	if (sum == 0)
		sum = 0xffff;
	memcpy(rte_pktmbuf_mtod_offset(m, void *, start + at), &sum, sizeof(sum));
	return true;
}

/* ---------------------------------------------------------------------------------------------------- receive */

/* A packet that is to be cut to segments: accepted, and the request is whole. */
static bool rx_large(struct vpnet_rxq *q, struct rte_mbuf *m, const struct virtio_net_hdr *hdr)
{
	uint64_t need, accepted = __atomic_load_n(&q->net->ctrl.accepted, __ATOMIC_RELAXED);
	uint16_t at = TCP_CSUM_AT;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		need = PEER(HOST_TSO4);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		need = PEER(HOST_TSO6);
		break;
	case VIRTIO_NET_HDR_GSO_UDP:
		need = PEER(HOST_UFO);
		at = UDP_CSUM_AT;
		break;
	default:
		return false;
	}
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		need |= PEER(HOST_ECN);
	if ((accepted & need) != need || hdr->gso_size == 0 || !(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    rte_le_to_cpu_16(hdr->csum_offset) != at)
		return false;
	q->stats.large++;
	m->ol_flags |= RTE_MBUF_F_RX_LRO;
	m->tso_segsz = rte_le_to_cpu_16(hdr->gso_size);
	return true;
}

/* The field holds the pseudo header's sum: the data is right, the checksum is not there yet. */
static bool rx_open_checksum(const struct vpnet_rxq *q, struct rte_mbuf *m, const struct virtio_net_hdr *hdr)
{
	uint32_t start = rte_le_to_cpu_16(hdr->csum_start), at = rte_le_to_cpu_16(hdr->csum_offset);

	if (start >= m->pkt_len || start + at + sizeof(uint16_t) > m->data_len)
		return false;
	if ((at == TCP_CSUM_AT && (q->offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM)) ||
	    (at == UDP_CSUM_AT && (q->offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM))) {
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
		return true;
	}
	return complete(m, start, at);
}

bool vpnet_rx_offload(struct vpnet_rxq *q, struct rte_mbuf *m)
{
	struct virtio_net_hdr hdr;

	memcpy(&hdr, rte_pktmbuf_mtod_offset(m, void *, -(int)VPNET_HDR_LEN), sizeof(hdr));
	if (likely(hdr.flags == 0 && hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE))
		return true;
	if ((hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE && !rx_large(q, m, &hdr)) ||
	    ((hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !rx_open_checksum(q, m, &hdr))) {
		q->stats.bad_offloads++;
		return false;
	}
	if ((hdr.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) == VIRTIO_NET_HDR_F_DATA_VALID &&
	    (q->offloads & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)))
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return true;
}

/* ---------------------------------------------------------------------------------------------------- transmit */

static bool is_tcp(uint64_t flags)
{
	return (flags & RTE_MBUF_F_TX_TCP_SEG) || (flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
}

static bool is_udp(uint64_t flags)
{
	return (flags & RTE_MBUF_F_TX_UDP_SEG) || (flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM;
}

/* Segmentation of a packet that has more than one segment. */
static bool tx_large(uint64_t peer, const struct rte_mbuf *m, struct virtio_net_hdr *hdr)
{
	uint32_t headers = m->l2_len + m->l3_len + m->l4_len;
	uint64_t need;

	if (m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_UDP;
		need = PEER(GUEST_UFO);
	} else if (m->ol_flags & RTE_MBUF_F_TX_IPV6) {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		need = PEER(GUEST_TSO6);
	} else {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		need = PEER(GUEST_TSO4);
	}
	/* CWR belongs to the first segment only, which who cuts has to know. */
	if (!(m->ol_flags & RTE_MBUF_F_TX_UDP_SEG) &&
	    (*rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l2_len + m->l3_len + TCP_FLAGS_AT) & RTE_TCP_CWR_FLAG)) {
		hdr->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		need |= PEER(GUEST_ECN);
	}
	hdr->gso_size = rte_cpu_to_le_16(m->tso_segsz);
	hdr->hdr_len = rte_cpu_to_le_16((uint16_t)headers);
	return (peer & need) == need && m->tso_segsz != 0;
}

bool vpnet_tx_offload(const struct vpnet *net, struct rte_mbuf *m, struct virtio_net_hdr *hdr)
{
	uint64_t peer = __atomic_load_n(&net->ctrl.accepted, __ATOMIC_RELAXED), flags = m->ol_flags;
	uint32_t start = m->l2_len + m->l3_len, at = is_tcp(flags) ? TCP_CSUM_AT : UDP_CSUM_AT;
	bool large;

	if (!is_tcp(flags) && !is_udp(flags))
		return (flags & RTE_MBUF_F_TX_L4_MASK) == 0; /* the IP checksum is the matter of tx_prepare */
	if (start + at + sizeof(uint16_t) > m->data_len)
		return false;
	large = (flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) &&
		m->pkt_len > start + m->l4_len + m->tso_segsz;
	if (large && !tx_large(peer, m, hdr))
		return false;
	if (peer & PEER(GUEST_CSUM)) {
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr->csum_start = rte_cpu_to_le_16((uint16_t)start);
		hdr->csum_offset = rte_cpu_to_le_16((uint16_t)at);
		return true;
	}
	/* Data that others see too is not written to. */
	if (large || !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 || !complete(m, start, at))
		return false;
	/* Once: a packet that finds no room comes again. */
	m->ol_flags &= ~(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG);
	return true;
}

/* The sums that hardware wants to find: all of the IPv4 header's, and TCP's or UDP's over the pseudo header. */
static int tx_sums(struct rte_mbuf *m)
{
	uint64_t flags = m->ol_flags;
	uint32_t l3 = m->l2_len, l4 = l3 + m->l3_len;
	bool tcp = is_tcp(flags), l4_sum = tcp || is_udp(flags), v4 = flags & RTE_MBUF_F_TX_IPV4;
	uint32_t need = l4 + (tcp ? sizeof(struct rte_tcp_hdr) : l4_sum ? sizeof(struct rte_udp_hdr) : 0);
	uint16_t sum;

	if ((flags & RTE_MBUF_F_TX_OFFLOAD_MASK & ~VPNET_TX_FLAGS & ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) ||
	    (flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM)
		return -ENOTSUP;
	if (v4 == !!(flags & RTE_MBUF_F_TX_IPV6) || need > m->data_len ||
	    m->l3_len < (v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)) ||
	    ((flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) && (m->tso_segsz == 0 || m->l4_len == 0)))
		return -EINVAL;
	if (v4) {
		/* A copy: the frame may begin anywhere. */
		struct {
			struct rte_ipv4_hdr ip;
			uint8_t options[IPV4_MAX - sizeof(struct rte_ipv4_hdr)];
		} h;
		uint8_t *at = rte_pktmbuf_mtod_offset(m, uint8_t *, l3);

		if (m->l3_len > IPV4_MAX || (at[0] & 15) * 4 != m->l3_len)
			return -EINVAL;
		memcpy(&h, at, m->l3_len);
		if (flags & RTE_MBUF_F_TX_IP_CKSUM) {
			h.ip.hdr_checksum = 0;
			h.ip.hdr_checksum = rte_ipv4_cksum(&h.ip);
			memcpy(at, &h, sizeof(h.ip));
		}
		sum = rte_ipv4_phdr_cksum(&h.ip, 0);
	} else {
		/* As if there were no extension headers. */
		struct rte_ipv6_hdr ip;

		memcpy(&ip, rte_pktmbuf_mtod_offset(m, const void *, l3), sizeof(ip));
		ip.payload_len = rte_cpu_to_be_16(rte_be_to_cpu_16(ip.payload_len) - (m->l3_len - sizeof(ip)));
		ip.proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
		sum = rte_ipv6_phdr_cksum(&ip, 0);
	}
	if (l4_sum)
		memcpy(rte_pktmbuf_mtod_offset(m, void *, l4 + (tcp ? TCP_CSUM_AT : UDP_CSUM_AT)), &sum, sizeof(sum));
	return 0;
}

uint16_t vpnet_tx_prepare(void *txq, struct rte_mbuf **pkts, uint16_t n)
{
	(void)txq; /* what the peer takes is known when the packet is sent: the peer may change before */
	for (uint16_t i = 0; i < n; i++) {
		int rc = (pkts[i]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6))
			? tx_sums(pkts[i])
			: 0;

		if (rc < 0) {
			rte_errno = -rc;
			return i;
		}
	}
	return n;
}
