/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet_mirror.h"

#include <string.h>

#define MAX_BYTES (VPNET_HDR_LEN + VPNET_MAX_FRAME)

/* ---------------------------------------------------------------------------------------------------- receive */

/* The packet in m->segs, into the next buffers of the own receiveq. */
static bool copy_in(struct vpnet_rxq *q, struct vpnet_mirror *m, uint32_t bytes, uint16_t buffers)
{
	struct vpnet_ring *ring = &q->ring;
	const struct vpnet_segment *s = m->segs;
	struct virtio_net_hdr_mrg_rxbuf *hdr = NULL;
	uint64_t from = s->where.at;
	uint32_t left = s->len;

	for (uint16_t i = 0; i < buffers; i++) {
		uint16_t id = rte_le_to_cpu_16(ring->avail->ring[(uint16_t)(q->own_idx + i) & ring->mask]);
		struct rte_mbuf *b = q->mbufs[id];
		uint8_t *to = (uint8_t *)b->buf_addr + RTE_PKTMBUF_HEADROOM - VPNET_HDR_LEN;
		uint32_t room = RTE_MIN(rte_le_to_cpu_32(ring->desc[id].len), bytes), len = room;

		if (i == 0)
			hdr = (struct virtio_net_hdr_mrg_rxbuf *)(void *)to;
		while (room > 0) {
			uint32_t n = RTE_MIN(room, left);

			if (!vpnet_mirror_read(m, &q->stats, from, s->where.end, to, n))
				return false;
			to += n;
			from += n;
			room -= n;
			left -= n;
			bytes -= n;
			if (left == 0 && bytes > 0) {
				s++;
				from = s->where.at;
				left = s->len;
			}
		}
		ring->used->ring[(uint16_t)(q->own_idx + i) & ring->mask] =
			(struct vring_used_elem){ rte_cpu_to_le_32(id), rte_cpu_to_le_32(len) };
	}
	hdr->num_buffers = rte_cpu_to_le_16(buffers);
	q->own_idx += buffers;
	rte_smp_wmb();
	*(volatile uint16_t *)&ring->used->idx = rte_cpu_to_le_16(q->own_idx);
	return true;
}

/* Buffers of the receiveq that the packet needs: 0: it never fits; more than @p have: not now. */
static uint16_t buffers_for(const struct vpnet_rxq *q, uint32_t bytes, uint16_t have)
{
	const struct vpnet_ring *ring = &q->ring;
	uint16_t most = q->mergeable ? ring->size : 1;

	for (uint16_t n = 0; n < most; n++) {
		uint16_t id;
		uint32_t room;

		if (n == have)
			return n + 1;
		id = rte_le_to_cpu_16(ring->avail->ring[(uint16_t)(q->own_idx + n) & ring->mask]);
		room = rte_le_to_cpu_32(ring->desc[id].len);
		if (bytes <= room)
			return n + 1;
		bytes -= room;
	}
	return 0;
}

/* At most @p max packets from the peer's ring. */
static void pump(struct vpnet_rxq *q, struct vpnet_mirror *m, uint16_t max)
{
	struct vpnet_queue_stats *st = &q->stats;

	m->flags = VRING_AVAIL_F_NO_INTERRUPT;
	if (m->last_avail == m->avail_idx && !vpnet_mirror_refresh(m, st))
		return;
	st->peer_empty += m->last_avail == m->avail_idx;
	for (uint16_t done = 0; done < max && m->last_avail != m->avail_idx; done++) {
		uint16_t head, need, have = (uint16_t)(q->ring.avail_idx - q->own_idx);
		uint64_t bytes;

		m->nsegs = 0;
		bytes = vpnet_mirror_chain(m, st, m->last_avail, false, &head);
		if (bytes == 0)
			break;
		if (bytes < VPNET_HDR_LEN) {
			vpnet_mirror_stop(m, st, "packet shorter than its header, bytes:", bytes);
			break;
		}
		need = bytes > MAX_BYTES ? 0 : buffers_for(q, (uint32_t)bytes, have);
		if (need > have)
			break;
		if (need == 0)
			st->errors++; /* too large for this queue: the peer gets its buffer back */
		else if (!copy_in(q, m, (uint32_t)bytes, need))
			break;
		vpnet_mirror_add(m, head, 0);
		m->last_avail++;
		if (m->nelems >= VPNET_MIRROR_BATCH && !vpnet_mirror_flush(m, st))
			break;
	}
	if (m->state == VPNET_MIRROR_RUNNING || m->state == VPNET_MIRROR_BROKEN)
		vpnet_mirror_commit(m, st);
}

uint16_t vpnet_mirror_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n)
{
	struct vpnet_rxq *q = rxq;
	struct vpnet *net = q->net;

	/* Peer queues beyond the configured ones are served in turn by those that are there. */
	for (unsigned int i = q->queue; i < VPNET_MAX_PAIRS && !q->broken; i += net->eth->data->nb_rx_queues) {
		struct vpnet_mirror *m = &net->mirrors[VHOST_PCI_PEER_VIRTQ_TX][i];

		if (m->state != VPNET_MIRROR_RUNNING || !rte_ticketlock_trylock(&m->lock))
			continue;
		if (m->state == VPNET_MIRROR_RUNNING)
			pump(q, m, n);
		rte_ticketlock_unlock(&m->lock);
	}
	return vpnet_rx_burst(rxq, pkts, n);
}

/* ---------------------------------------------------------------------------------------------------- transmit */

enum gathered {
	GATHERED,
	NO_BUFFER, /* not now */
	TOO_LARGE, /* never */
	STOPPED
};

/* Take chains of the peer for @p need bytes into m->segs, and their elements behind those that wait. */
static enum gathered gather(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint32_t need, uint16_t *chains)
{
	bool read = false;

	m->nsegs = 0;
	for (*chains = 0;;) {
		uint16_t at = (uint16_t)(m->last_avail + *chains), head;
		uint64_t bytes;

		if (*chains == m->size || *chains == VPNET_MIRROR_CHAINS || m->nsegs > VPNET_MAX_SEGS)
			return TOO_LARGE;
		if (at == m->avail_idx && !read) {
			read = true;
			if (!vpnet_mirror_refresh(m, st))
				return STOPPED;
		}
		if (at == m->avail_idx)
			return NO_BUFFER;
		bytes = vpnet_mirror_chain(m, st, at, true, &head);
		if (bytes == 0)
			return STOPPED;
		++*chains;
		vpnet_mirror_add(m, head, (uint32_t)RTE_MIN(bytes, (uint64_t)need));
		if (bytes >= need)
			return GATHERED;
		need -= (uint32_t)bytes;
		if (!m->mergeable)
			return TOO_LARGE;
	}
}

/* What is still to be written, and where to. */
struct cursor {
	const struct vpnet_segment *s;
	uint64_t at;
	uint32_t room;
};

static bool put(struct vpnet_mirror *m, struct vpnet_queue_stats *st, struct cursor *c, const uint8_t *from,
		uint32_t len)
{
	while (len > 0) {
		uint32_t n;

		if (c->room == 0) {
			c->s++;
			c->at = c->s->where.at;
			c->room = c->s->len;
		}
		n = RTE_MIN(len, c->room);
		if (!vpnet_mirror_write(m, st, c->at, from, n))
			return false;
		from += n;
		len -= n;
		c->at += n;
		c->room -= n;
	}
	return true;
}

static bool copy_out(struct vpnet_mirror *m, struct vpnet_queue_stats *st, struct rte_mbuf *pkt, uint16_t chains,
		     const struct virtio_net_hdr *base)
{
	const struct virtio_net_hdr_mrg_rxbuf hdr = { .hdr = *base, .num_buffers = rte_cpu_to_le_16(chains) };
	struct cursor c = { m->segs, m->segs[0].where.at, m->segs[0].len };
	const struct rte_mbuf *s = pkt;

	/* In front of the frame, where that is possible: one write less. */
	if (vpnet_tx_can_push(pkt)) {
		uint8_t *start = rte_pktmbuf_mtod_offset(pkt, uint8_t *, -(int)VPNET_HDR_LEN);

		memcpy(start, &hdr, sizeof(hdr));
		if (!put(m, st, &c, start, sizeof(hdr) + pkt->data_len))
			return false;
		s = pkt->next;
	} else if (!put(m, st, &c, (const uint8_t *)&hdr, sizeof(hdr))) {
		return false;
	}
	for (; s != NULL; s = s->next)
		if (!put(m, st, &c, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len))
			return false;
	return true;
}

static uint16_t transmit(struct vpnet_txq *q, struct vpnet_mirror *m, struct rte_mbuf **pkts, uint16_t n)
{
	struct vpnet_queue_stats *st = &q->stats;
	uint16_t done;

	m->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (done = 0; done < n; done++) {
		struct virtio_net_hdr hdr = { 0 };
		enum gathered result = TOO_LARGE;
		uint16_t chains = 0, waiting = m->nelems;

		if ((pkts[done]->ol_flags & VPNET_TX_FLAGS) && !vpnet_tx_offload(m->net, pkts[done], &hdr)) {
			st->errors++;
			st->bad_offloads++;
			continue;
		}
		if (pkts[done]->pkt_len > 0 && pkts[done]->pkt_len <= VPNET_MAX_FRAME)
			result = gather(m, st, pkts[done]->pkt_len + VPNET_HDR_LEN, &chains);
		/* Only a packet that was written takes its chains along. */
		if (result != GATHERED)
			m->nelems = waiting;
		if (result == TOO_LARGE) {
			st->errors++;
			continue;
		}
		if (result == NO_BUFFER)
			st->ring_full += n - done;
		if (result != GATHERED || !copy_out(m, st, pkts[done], chains, &hdr))
			break;
		m->last_avail += chains;
		st->large += hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
		st->packets++;
		st->bytes += pkts[done]->pkt_len;
		if (m->nelems >= VPNET_MIRROR_BATCH && !vpnet_mirror_flush(m, st))
			break;
	}
	return done;
}

uint16_t vpnet_mirror_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n)
{
	struct vpnet_txq *q = txq;
	struct vpnet *net = q->net;
	uint16_t done = 0, peers = __atomic_load_n(&net->peer_rx_queues, __ATOMIC_RELAXED);
	struct vpnet_mirror *m;

	if (peers == 0 || n == 0)
		return 0;
	m = &net->mirrors[VHOST_PCI_PEER_VIRTQ_RX][q->queue % peers];
	if (!rte_ticketlock_trylock(&m->lock))
		return 0;
	if (m->state == VPNET_MIRROR_RUNNING) {
		done = transmit(q, m, pkts, n);
		if (m->state == VPNET_MIRROR_RUNNING || m->state == VPNET_MIRROR_BROKEN)
			vpnet_mirror_commit(m, &q->stats);
	}
	rte_ticketlock_unlock(&m->lock);
	if (done > 0)
		rte_pktmbuf_free_bulk(pkts, done);
	return done;
}
