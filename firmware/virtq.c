/* SPDX-License-Identifier: Apache-2.0 */
#include "virtq.h"

#include "hw.h"

enum {
	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4
};
enum {
	AVAIL_NO_INTERRUPT = 1
};

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

_Static_assert(sizeof(struct desc) == 16, "virtio split descriptor");

/** Where a walk along one chain stands. */
struct walk {
	uint64_t table;
	uint32_t entries; /* of that table */
	uint32_t left;	  /* descriptors that the chain may still have: the queue size bounds it (loops) */
	uint16_t next;
	bool more, in_indirect;
};

static bool span_ok(uint64_t addr, uint64_t len, uint64_t align)
{
	return addr % align == 0 && addr + (len - 1) >= addr;
}

bool virtq_addresses_ok(uint64_t desc, uint64_t avail, uint64_t used, uint16_t size, uint16_t max_size)
{
	return size != 0 && (size & (size - 1)) == 0 && size <= max_size && span_ok(desc, 16ull * size, 16) &&
		span_ok(avail, 6 + 2ull * size, 2) && span_ok(used, 6 + 8ull * size, 4);
}

bool virtq_init(struct virtq *vq, uint16_t max_size)
{
	vq->last_avail = 0;
	vq->used_idx = 0;
	return virtq_addresses_ok(vq->desc, vq->avail, vq->used, vq->size, max_size);
}

static enum virtq_status get(const struct virtq *vq, uint64_t iova, void *dst, uint32_t len)
{
	return hw_dma_read(vq->fn, iova, dst, len) == HW_DMA_OK ? VIRTQ_OK : VIRTQ_DMA;
}

static enum virtq_status put(const struct virtq *vq, uint64_t iova, const void *src, uint32_t len)
{
	return hw_dma_write(vq->fn, iova, src, len) == HW_DMA_OK ? VIRTQ_OK : VIRTQ_DMA;
}

/* Is a chain available? With none, ask for a kick and look once more: the driver may have added one in between. */
static enum virtq_status available(struct virtq *vq, uint16_t *head)
{
	enum virtq_status st;
	uint16_t idx;

	for (int look = 0;; look++) {
		st = get(vq, vq->avail + 2, &idx, sizeof(idx));
		if (st != VIRTQ_OK)
			return st;
		if ((uint16_t)(idx - vq->last_avail) > vq->size)
			return VIRTQ_RING;
		if (idx != vq->last_avail)
			break;
		if (!vq->event_idx || look > 0)
			return VIRTQ_EMPTY;
		st = put(vq, vq->used + 4 + 8ull * vq->size, &vq->last_avail, sizeof(vq->last_avail));
		if (st != VIRTQ_OK)
			return st;
	}
	st = get(vq, vq->avail + 4 + 2ull * (vq->last_avail & (vq->size - 1)), head, sizeof(*head));
	if (st == VIRTQ_OK && *head >= vq->size)
		return VIRTQ_RING;
	return st;
}

static void walk_start(const struct virtq *vq, struct walk *w, uint16_t head)
{
	*w = (struct walk){ .table = vq->desc, .entries = vq->size, .left = vq->size, .next = head, .more = true };
}

/* Next buffer of the chain; only called while w->more. */
static enum virtq_status walk_next(const struct virtq *vq, struct walk *w, bool writable, struct desc *d)
{
	enum virtq_status st;

	for (;;) {
		if (w->next >= w->entries || w->left == 0)
			return VIRTQ_RING;
		w->left--;
		st = get(vq, w->table + 16ull * w->next, d, sizeof(*d));
		if (st != VIRTQ_OK)
			return st;
		if (d->len == 0 || d->addr + (d->len - 1) < d->addr)
			return VIRTQ_RING;
		if (!(d->flags & DESC_INDIRECT))
			break;
		if (!vq->indirect || w->in_indirect || (d->flags & DESC_NEXT) || d->len % sizeof(*d) != 0)
			return VIRTQ_RING;
		w->table = d->addr;
		w->entries = d->len / sizeof(*d);
		w->next = 0;
		w->in_indirect = true;
		w->left = vq->size;
	}
	if (!(d->flags & DESC_WRITE) == writable)
		return VIRTQ_RING;
	w->more = d->flags & DESC_NEXT;
	w->next = d->next;
	return VIRTQ_OK;
}

/* Used element, used index, interrupt, in this order on the link. */
static enum virtq_status complete(struct virtq *vq, uint16_t head, uint32_t written)
{
	struct {
		uint32_t id, len;
	} elem = { head, written };
	uint16_t old = vq->used_idx, now = (uint16_t)(old + 1), word;
	enum virtq_status st;
	bool wanted;

	st = put(vq, vq->used + 4 + 8ull * (old & (vq->size - 1)), &elem, sizeof(elem));
	if (st == VIRTQ_OK)
		st = put(vq, vq->used + 2, &now, sizeof(now));
	if (st != VIRTQ_OK)
		return st;
	vq->used_idx = now;
	vq->last_avail++;

	/* Read after the index was written: the read pushes the write, so a driver that re-enables and looks again
	 * either sees the index or is seen here. */
	st = get(vq, vq->event_idx ? vq->avail + 4 + 2ull * vq->size : vq->avail, &word, sizeof(word));
	if (st != VIRTQ_OK)
		return st;
	wanted = vq->event_idx ? word == old : !(word & AVAIL_NO_INTERRUPT);
	if (!wanted)
		return VIRTQ_OK;
	if (vq->vector == 0xffff) {
		hal_write(FN_REG(vq->port, control), VHP_FN__CONTROL__QUEUE_ISR_bm);
		return VIRTQ_OK;
	}
	return hw_dma_msix(vq->fn, vq->vector) == HW_DMA_OK ? VIRTQ_OK : VIRTQ_DMA;
}

enum virtq_status virtq_send(struct virtq *vq, const void *msg, uint32_t len)
{
	const uint8_t *from = msg;
	uint32_t done = 0;
	struct walk w;
	uint16_t head;
	struct desc d;
	enum virtq_status st = available(vq, &head);

	if (st != VIRTQ_OK)
		return st;
	walk_start(vq, &w, head);
	while (done < len) {
		uint32_t n;

		if (!w.more)
			return VIRTQ_SMALL;
		st = walk_next(vq, &w, true, &d);
		if (st != VIRTQ_OK)
			return st;
		n = d.len < len - done ? d.len : len - done;
		st = put(vq, d.addr, from + done, n);
		if (st != VIRTQ_OK)
			return st;
		done += n;
	}
	return complete(vq, head, len);
}

enum virtq_status virtq_receive(struct virtq *vq, void *buf, uint32_t size, uint32_t *len)
{
	uint8_t *to = buf;
	uint32_t done = 0;
	struct walk w;
	uint16_t head;
	struct desc d;
	enum virtq_status st = available(vq, &head);

	if (st != VIRTQ_OK)
		return st;
	walk_start(vq, &w, head);
	while (w.more) {
		st = walk_next(vq, &w, false, &d);
		if (st != VIRTQ_OK)
			return st;
		if (d.len > size - done)
			return VIRTQ_LARGE;
		st = get(vq, d.addr, to + done, d.len);
		if (st != VIRTQ_OK)
			return st;
		done += d.len;
	}
	*len = done;
	return complete(vq, head, 0);
}
