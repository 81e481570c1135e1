/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues, polled. Where the card copies, receiving and sending is ring work only: no register access per packet,
 * at most one doorbell per burst and only if the device asked for it (flags or avail_event).
 *
 * What the device writes (used ring, header) is checked before it is used; a queue whose ring is broken stops, is
 * reported once and comes back with the next start of the port.
 */
#include "vpnet.h"

#include <errno.h>
#include <string.h>

#define BULK 64u /* mbufs allocated or freed at a time */
/* The used_event that forbids interrupts is moved along before the 16-bit index can come round to it. */
#define EVENT_REFRESH 0x4000u

static uint16_t used_pending(const struct vpnet_ring *ring)
{
	uint16_t idx = rte_le_to_cpu_16(*(volatile uint16_t *)&ring->used->idx);

	rte_io_rmb(); /* the elements, and what they stand for, after the index */
	return (uint16_t)(idx - ring->used_idx);
}

static void publish(struct vpnet_ring *ring)
{
	rte_io_wmb(); /* entries and descriptors before the index */
	*(volatile uint16_t *)&ring->avail->idx = rte_cpu_to_le_16(ring->avail_idx);
}

bool vpnet_ring_notify(struct vpnet *net, struct vpnet_ring *ring, uint16_t old)
{
	bool wanted;

	/* The index must be visible before the device's wish is read, or both sides could wait. */
	rte_smp_mb();
	if (ring->event_idx) {
		uint16_t event = rte_le_to_cpu_16(*ring->avail_event_at);

		wanted = vring_need_event(event, ring->avail_idx, old);
	} else {
		wanted = !(rte_le_to_cpu_16(*(volatile uint16_t *)&ring->used->flags) & VRING_USED_F_NO_NOTIFY);
	}
	if (wanted)
		vhp_dev_doorbell(net->dev, net->pci.notify.bar, ring->doorbell, ring->index);
	return wanted;
}

static void keep_interrupts_off(struct vpnet_ring *ring)
{
	if (ring->event_idx && (uint16_t)(ring->used_idx - ring->used_event) > EVENT_REFRESH) {
		ring->used_event = ring->used_idx - 1;
		*ring->used_event_at = rte_cpu_to_le_16(ring->used_event);
	}
}

/* ---------------------------------------------------------------------------------------------------- receive */

uint16_t vpnet_rxq_refill(struct vpnet_rxq *q)
{
	struct vpnet_ring *ring = &q->ring;
	uint16_t posted = 0;

	while (q->nfree > 0) {
		struct rte_mbuf *bulk[BULK];
		unsigned int n = RTE_MIN(q->nfree, BULK);

		if (rte_pktmbuf_alloc_bulk(q->pool, bulk, n) != 0) {
			q->stats.no_mbuf++;
			break;
		}
		for (unsigned int i = 0; i < n; i++) {
			uint16_t id = q->free_ids[--q->nfree];
			struct vring_desc *d = &ring->desc[id];

			/* The header lies in the headroom, so that the frame starts where mbufs start. */
			d->addr = rte_cpu_to_le_64(rte_mbuf_iova_get(bulk[i]) + RTE_PKTMBUF_HEADROOM - VPNET_HDR_LEN);
			d->len = rte_cpu_to_le_32(bulk[i]->buf_len - RTE_PKTMBUF_HEADROOM + VPNET_HDR_LEN);
			d->flags = rte_cpu_to_le_16(VRING_DESC_F_WRITE);
			q->mbufs[id] = bulk[i];
			ring->avail->ring[ring->avail_idx++ & ring->mask] = rte_cpu_to_le_16(id);
		}
		posted += n;
	}
	if (posted > 0)
		publish(ring);
	return posted;
}

static void rx_broken(struct vpnet_rxq *q, const char *what, uint32_t value)
{
	q->broken = true;
	q->stats.errors++;
	VPNET_LOG(ERR, q->net, "rx queue %u stopped at used entry %u: %s %u", q->queue, q->ring.used_idx, what, value);
}

/* The mbuf of the used element at @p at, or NULL with the queue stopped. */
static struct rte_mbuf *rx_take(struct vpnet_rxq *q, uint16_t at, uint32_t *len)
{
	const struct vring_used_elem *e = &q->ring.used->ring[at & q->ring.mask];
	uint32_t id = rte_le_to_cpu_32(e->id);
	struct rte_mbuf *m;

	*len = rte_le_to_cpu_32(e->len);
	if (unlikely(id >= q->ring.size || q->mbufs[id] == NULL)) {
		rx_broken(q, "descriptor that is not outstanding:", id);
		return NULL;
	}
	m = q->mbufs[id];
	if (unlikely(*len > (uint32_t)m->buf_len - RTE_PKTMBUF_HEADROOM + VPNET_HDR_LEN)) {
		rx_broken(q, "more bytes than the buffer holds:", *len);
		return NULL;
	}
	q->mbufs[id] = NULL;
	q->free_ids[q->nfree++] = (uint16_t)id;
	return m;
}

/* One packet of @p segs buffers, whose used elements are all there. NULL: dropped, or the queue stopped. */
static struct rte_mbuf *rx_packet(struct vpnet_rxq *q, uint16_t segs)
{
	struct rte_mbuf *first = NULL, *last = NULL;
	uint32_t len;

	for (uint16_t i = 0; i < segs; i++) {
		struct rte_mbuf *m = rx_take(q, q->ring.used_idx, &len);

		if (m == NULL) {
			rte_pktmbuf_free(first);
			return NULL;
		}
		q->ring.used_idx++;
		if (first == NULL) {
			first = m;
			/* rx_segments has checked that the header is there. */
			len -= VPNET_HDR_LEN;
			m->pkt_len = 0;
			m->nb_segs = 0;
			m->port = q->port;
		} else {
			/* The device put data where the header of a packet's first buffer goes. */
			m->data_off = RTE_PKTMBUF_HEADROOM - VPNET_HDR_LEN;
			last->next = m;
		}
		m->data_len = (uint16_t)len;
		first->pkt_len += len;
		first->nb_segs++;
		last = m;
	}
	if (unlikely(first->pkt_len < RTE_ETHER_HDR_LEN || (segs > 1 && !q->scatter) || !vpnet_rx_offload(q, first))) {
		q->stats.errors++;
		rte_pktmbuf_free(first);
		return NULL;
	}
	return first;
}

/* Buffers of the packet at the used index; 0 if they are not all there, or the queue stopped. */
static uint16_t rx_segments(struct vpnet_rxq *q, uint16_t pending)
{
	const struct vring_used_elem *e = &q->ring.used->ring[q->ring.used_idx & q->ring.mask];
	uint32_t id = rte_le_to_cpu_32(e->id), len = rte_le_to_cpu_32(e->len);
	const struct virtio_net_hdr_mrg_rxbuf *hdr;
	uint16_t segs = 1;

	if (unlikely(id >= q->ring.size || q->mbufs[id] == NULL)) {
		rx_broken(q, "descriptor that is not outstanding:", id);
		return 0;
	}
	if (unlikely(len < VPNET_HDR_LEN)) {
		rx_broken(q, "no room for the header in a length of", len);
		return 0;
	}
	if (q->mergeable) {
		hdr = rte_pktmbuf_mtod_offset(q->mbufs[id], const struct virtio_net_hdr_mrg_rxbuf *,
					      -(int)VPNET_HDR_LEN);
		segs = rte_le_to_cpu_16(hdr->num_buffers);
		if (unlikely(segs == 0 || segs > q->ring.size)) {
			rx_broken(q, "num_buffers", segs);
			return 0;
		}
	}
	return segs <= pending ? segs : 0;
}

uint16_t vpnet_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n)
{
	struct vpnet_rxq *q = rxq;
	struct vpnet_ring *ring = &q->ring;
	uint16_t pending, done = 0;
	uint64_t bytes = 0;

	if (unlikely(q->broken))
		return 0;
	pending = used_pending(ring);
	if (unlikely(pending > ring->size)) {
		rx_broken(q, "used index jumped by", pending);
		return 0;
	}
	while (pending > 0 && done < n) {
		uint16_t segs = rx_segments(q, pending);
		struct rte_mbuf *m;

		if (segs == 0)
			break;
		rte_prefetch0(&ring->used->ring[(ring->used_idx + segs) & ring->mask]);
		m = rx_packet(q, segs);
		if (unlikely(q->broken))
			break;
		pending -= segs;
		if (unlikely(m == NULL))
			continue;
		bytes += m->pkt_len;
		pkts[done++] = m;
	}
	q->stats.packets += done;
	q->stats.bytes += bytes;

	if (q->nfree >= q->free_thresh && !q->broken) {
		uint16_t old = ring->avail_idx;

		/* (Without copy offload nobody but this driver looks at the ring.) */
		if (vpnet_rxq_refill(q) > 0)
			q->stats.doorbells += !q->net->driver_copy && vpnet_ring_notify(q->net, ring, old);
		else
			q->net->eth->data->rx_mbuf_alloc_failed++;
		if (q->event_fd < 0)
			keep_interrupts_off(ring);
	}
	return done;
}

uint32_t vpnet_rx_queue_count(void *rxq)
{
	const struct vpnet_rxq *q = rxq;

	return RTE_MIN(used_pending(&q->ring), q->ring.size);
}

int vpnet_rx_descriptor_status(void *rxq, uint16_t offset)
{
	const struct vpnet_rxq *q = rxq;

	if (offset >= q->ring.size)
		return -EINVAL;
	if (offset < used_pending(&q->ring))
		return RTE_ETH_RX_DESC_DONE;
	return offset < q->ring.size - q->nfree ? RTE_ETH_RX_DESC_AVAIL : RTE_ETH_RX_DESC_UNAVAIL;
}

/* ---------------------------------------------------------------------------------------------------- transmit */

/* Collect what the device has sent, at most @p max packets. */
static uint32_t tx_reclaim(struct vpnet_txq *q, uint32_t max)
{
	struct vpnet_ring *ring = &q->ring;
	uint16_t pending = used_pending(ring);
	struct rte_mbuf *bulk[BULK];
	uint32_t done = 0;
	unsigned int n = 0;

	if (unlikely(pending > ring->size)) {
		q->broken = true;
		VPNET_LOG(ERR, q->net, "tx queue %u stopped: used index jumped by %u", q->queue, pending);
		return 0;
	}
	while (pending > 0 && done < max) {
		uint32_t id = rte_le_to_cpu_32(ring->used->ring[ring->used_idx & ring->mask].id);
		uint16_t tail;

		if (unlikely(id >= ring->size || q->chain[id] == 0)) {
			q->broken = true;
			VPNET_LOG(ERR, q->net, "tx queue %u stopped at used entry %u: descriptor %u is not outstanding",
				  q->queue, ring->used_idx, id);
			break;
		}
		bulk[n++] = q->mbufs[id];
		q->mbufs[id] = NULL;
		tail = (uint16_t)id;
		for (uint16_t i = 1; i < q->chain[id]; i++)
			tail = q->next[tail];
		q->nfree += q->chain[id];
		q->chain[id] = 0;
		q->next[tail] = q->free_head;
		q->free_head = (uint16_t)id;
		ring->used_idx++;
		pending--;
		done++;
		if (n == BULK) {
			rte_pktmbuf_free_bulk(bulk, n);
			n = 0;
		}
	}
	if (n > 0)
		rte_pktmbuf_free_bulk(bulk, n);
	return done;
}

static uint16_t tx_put(struct vpnet_txq *q, uint64_t addr, uint32_t len, uint16_t id, bool more)
{
	struct vring_desc *d = &q->ring.desc[id];

	d->addr = rte_cpu_to_le_64(addr);
	d->len = rte_cpu_to_le_32(len);
	d->flags = rte_cpu_to_le_16(more ? VRING_DESC_F_NEXT : 0);
	d->next = rte_cpu_to_le_16(q->next[id]);
	return q->next[id];
}

/* Descriptors for one packet; the header goes into the headroom or, from the slot of the head, before it. */
static void tx_enqueue(struct vpnet_txq *q, struct rte_mbuf *m, uint16_t need, bool push,
		       const struct virtio_net_hdr *hdr)
{
	struct vpnet_ring *ring = &q->ring;
	uint16_t head = q->free_head, id = head, left = need;
	const struct rte_mbuf *s = m;
	uint8_t *to = push ? rte_pktmbuf_mtod_offset(m, uint8_t *, -(int)VPNET_HDR_LEN) : q->hdrs + id * VPNET_HDR_SLOT;

	memcpy(to, hdr, sizeof(*hdr));
	memset(to + sizeof(*hdr), 0, VPNET_HDR_LEN - sizeof(*hdr));
	if (push) {
		id = tx_put(q, rte_mbuf_data_iova(m) - VPNET_HDR_LEN, m->data_len + VPNET_HDR_LEN, id, --left > 0);
		s = m->next;
	} else {
		id = tx_put(q, q->hdrs_iova + id * VPNET_HDR_SLOT, VPNET_HDR_LEN, id, --left > 0);
	}
	for (; s != NULL; s = s->next)
		if (s->data_len > 0) /* a descriptor of no bytes is malformed */
			id = tx_put(q, rte_mbuf_data_iova(s), s->data_len, id, --left > 0);
	q->free_head = id;
	q->nfree -= need;
	q->chain[head] = need;
	q->mbufs[head] = m;
	ring->avail->ring[ring->avail_idx++ & ring->mask] = rte_cpu_to_le_16(head);
}

/* Descriptors that the packet needs; 0 if the device could never take it. */
static uint16_t tx_need(const struct vpnet_txq *q, const struct rte_mbuf *m, bool push)
{
	uint32_t need = push ? 0 : 1;

	if (m->nb_segs == 1) {
		need += m->data_len > 0;
	} else {
		for (const struct rte_mbuf *s = m; s != NULL; s = s->next)
			need += s->data_len > 0;
	}
	if (unlikely(m->pkt_len == 0 || m->pkt_len > VPNET_MAX_FRAME || need > VPNET_MAX_SEGS || need > q->ring.size))
		return 0;
	return (uint16_t)need;
}

uint16_t vpnet_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n)
{
	struct vpnet_txq *q = txq;
	struct vpnet_ring *ring = &q->ring;
	uint16_t old = ring->avail_idx, done;
	uint64_t bytes = 0, errors = 0;

	if (unlikely(q->broken))
		return 0;
	if (q->nfree < q->free_thresh || q->nfree < n)
		tx_reclaim(q, UINT32_MAX);
	for (done = 0; done < n; done++) {
		struct rte_mbuf *m = pkts[done];
		struct virtio_net_hdr hdr = { 0 };
		bool push = vpnet_tx_can_push(m);
		uint16_t need = tx_need(q, m, push);

		if (unlikely(need == 0)) {
			rte_pktmbuf_free(m);
			errors++;
			continue;
		}
		if (unlikely(need > q->nfree)) {
			tx_reclaim(q, UINT32_MAX);
			if (need > q->nfree || q->broken) {
				q->stats.ring_full += n - done;
				break;
			}
		}
		if ((m->ol_flags & VPNET_TX_FLAGS) && unlikely(!vpnet_tx_offload(q->net, m, &hdr))) {
			rte_pktmbuf_free(m);
			errors++;
			q->stats.bad_offloads++;
			continue;
		}
		q->stats.large += hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
		bytes += m->pkt_len;
		tx_enqueue(q, m, need, push, &hdr);
	}
	q->stats.packets += done - errors;
	q->stats.bytes += bytes;
	q->stats.errors += errors;
	if (ring->avail_idx != old) {
		publish(ring);
		q->stats.doorbells += vpnet_ring_notify(q->net, ring, old);
		keep_interrupts_off(ring);
	}
	return done;
}

int vpnet_tx_done_cleanup(void *txq, uint32_t count)
{
	struct vpnet_txq *q = txq;

	return q->broken ? -EIO : (int)tx_reclaim(q, count == 0 ? UINT32_MAX : count);
}

int vpnet_tx_descriptor_status(void *txq, uint16_t offset)
{
	const struct vpnet_txq *q = txq;

	if (offset >= q->ring.size)
		return -EINVAL;
	return offset < q->ring.size - q->nfree ? RTE_ETH_TX_DESC_FULL : RTE_ETH_TX_DESC_DONE;
}
