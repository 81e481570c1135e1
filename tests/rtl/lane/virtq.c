// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "dma_model.h"
#include "virtq.h"

#define CTX(q) (0x1000u + (uint32_t)(q) * 0x40)

static uint16_t get16(struct vq *q, uint64_t a)
{
	uint16_t v;

	memcpy(&v, dm_ptr(q->func, a, 2), 2);
	return v;
}

static void put16(struct vq *q, uint64_t a, uint16_t v)
{
	memcpy(dm_ptr(q->func, a, 2), &v, 2);
}

void vq_write_context(struct vq *q)
{
	uint32_t log2 = 0;

	while (1u << log2 < q->size)
		log2++;
	rb_write(CTX(q->qid) + 0x00,
		 q->func | log2 << 8 | q->event_idx << 12 | q->indirect << 13 | q->mrg << 14 |
			 (uint32_t)q->translate << 15 | (uint32_t)q->port << 16);
	rb_write(CTX(q->qid) + 0x04, q->vector & 0xffff);
	rb_write(CTX(q->qid) + 0x08, (uint32_t)q->desc);
	rb_write(CTX(q->qid) + 0x0c, q->desc >> 32);
	rb_write(CTX(q->qid) + 0x10, (uint32_t)q->avail);
	rb_write(CTX(q->qid) + 0x14, q->avail >> 32);
	rb_write(CTX(q->qid) + 0x18, (uint32_t)q->used);
	rb_write(CTX(q->qid) + 0x1c, q->used >> 32);
	rb_write(CTX(q->qid) + 0x20, q->avail_idx | (uint32_t)q->last_used << 16);
}

void vq_init(struct vq *q, const struct vq_params *p)
{
	memset(q, 0, sizeof(*q));
	q->func = p->func;
	q->qid = p->qid;
	q->vector = p->vector;
	q->port = p->port;
	q->size = p->size;
	q->sink = p->sink;
	q->event_idx = p->event_idx;
	q->indirect = p->indirect;
	q->mrg = p->mrg;
	q->translate = p->translate;
	q->gpa_delta = p->gpa_delta;
	q->desc = dm_alloc(q->func, 16u * q->size, 16);
	q->avail = dm_alloc(q->func, 6 + 2u * q->size, 2);
	q->used = dm_alloc(q->func, 6 + 8u * q->size, 4);
	q->pool = dm_alloc(q->func, VQ_POOL, 64);
	dm_grant(q->func, q->desc, 16u * q->size, DM_READ);
	dm_grant(q->func, q->avail, 4 + 2u * q->size + (q->event_idx ? 2 : 0), DM_READ);
	dm_grant(q->func, q->used, 4 + 8u * q->size + (q->event_idx ? 2 : 0), DM_WRITE | DM_PORT(q->port));
	q->avail_idx = q->next_avail = q->kicked_at = q->last_used = p->first;
	put16(q, q->avail, 0);
	put16(q, q->avail + 2, p->first);
	put16(q, q->avail + 4 + 2u * q->size, p->first);
	put16(q, q->used, 0);
	put16(q, q->used + 2, p->first);
	put16(q, q->used + 4 + 8u * q->size, p->first);
	for (unsigned int i = 0; i < q->size; i++)
		q->free_list[i] = q->size - 1 - i;
	q->nfree = q->size;
	vq_write_context(q);
}

/* No buffer lies across two regions. */
static bool crosses(const struct vq *q, uint32_t at, uint32_t len)
{
	uint64_t first = q->pool + at - dm_base(q->func);

	return q->translate && first / DM_PIECE != (first + len - 1) / DM_PIECE;
}

/* Memory in the order of use; chains come back in that order. */
static uint64_t pool_alloc(struct vq *q, struct vq_buf *b, uint32_t len, uint32_t align)
{
	uint32_t at = q->pool_head + dm_range(0, 3);
	uint32_t cost;

	at = (at + align - 1) / align * align;
	if (crosses(q, at, len))
		at = ((q->pool + at - dm_base(q->func)) / DM_PIECE + 1) * DM_PIECE + dm_base(q->func) - q->pool;
	if (at + len > VQ_POOL) {
		at = 0;
		if (crosses(q, at, len))
			at = ((q->pool - dm_base(q->func)) / DM_PIECE + 1) * DM_PIECE + dm_base(q->func) - q->pool;
	}
	cost = at + len >= q->pool_head ? at + len - q->pool_head : VQ_POOL - q->pool_head + at + len;
	if (q->pool_used + cost >= VQ_POOL)
		return 0;
	q->pool_used += cost;
	b->pool_bytes += cost;
	q->pool_head = at + len;
	return q->pool + at;
}

void vq_put_desc(struct vq *q, uint64_t table, uint16_t index, uint64_t addr, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	uint8_t *d = dm_ptr(q->func, table + 16ull * index, 16);

	memcpy(d, &addr, 8);
	memcpy(d + 8, &len, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(d + 14, &next, 2);
}

void vq_put_avail(struct vq *q, uint16_t head)
{
	put16(q, q->avail + 4 + 2u * (q->next_avail & (q->size - 1)), head);
	q->order[q->next_avail & (q->size - 1)] = head;
	q->next_avail++;
}

int vq_add(struct vq *q, const uint32_t *lens, unsigned int n, bool indirect)
{
	unsigned int nd = indirect ? 1 : n;
	struct vq_buf tmp = { 0 };
	struct vq_buf *b;
	uint32_t save_head = q->pool_head, save_used = q->pool_used;
	uint16_t idx[VQ_MAX_SEGS];
	uint16_t head;

	if (q->nfree < nd || n > VQ_MAX_SEGS)
		return -1;
	if (dm_range(0, 15) == 0 && q->nfree > 2) { /* a free list in disorder */
		for (int k = 0; k < 8; k++) {
			unsigned int a = dm_rand() % q->nfree, c = dm_rand() % q->nfree;
			uint16_t t = q->free_list[a];

			q->free_list[a] = q->free_list[c];
			q->free_list[c] = t;
		}
	}
	if (indirect)
		tmp.table = pool_alloc(q, &tmp, 16 * n, dm_range(0, 1) ? 16 : 1);
	if (indirect && !tmp.table)
		goto full;
	for (unsigned int i = 0; i < n; i++) {
		tmp.seg[i].len = lens[i];
		tmp.seg[i].addr = pool_alloc(q, &tmp, lens[i], 1);
		if (!tmp.seg[i].addr)
			goto full;
		tmp.cap += lens[i];
	}
	for (unsigned int i = 0; i < nd; i++)
		tmp.desc[i] = q->free_list[--q->nfree];
	tmp.nsegs = n;
	tmp.ndesc = nd;
	tmp.used = true;
	head = tmp.desc[0];
	b = &q->buf[head];
	*b = tmp;
	/* Entries of an indirect table in any order, too. */
	for (unsigned int i = 0; i < n; i++)
		idx[i] = indirect ? i : b->desc[i];
	if (indirect && n > 2 && dm_range(0, 1)) {
		for (unsigned int i = n - 1; i > 1; i--) {
			unsigned int k = 1 + dm_rand() % i;
			uint16_t t = idx[i];

			idx[i] = idx[k];
			idx[k] = t;
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		dm_grant(q->func, b->seg[i].addr, b->seg[i].len, q->sink ? DM_WRITE | DM_PORT(q->port) : DM_READ);
		vq_put_desc(q, indirect ? b->table : q->desc, idx[i], b->seg[i].addr - q->gpa_delta, b->seg[i].len,
			    (i + 1 < n ? VQ_NEXT : 0) | (q->sink ? VQ_WRITE : 0), i + 1 < n ? idx[i + 1] : dm_rand());
	}
	if (indirect) {
		dm_grant(q->func, b->table, 16u * n, DM_READ);
		vq_put_desc(q, q->desc, head, b->table - q->gpa_delta, 16 * n,
			    VQ_INDIRECT | (dm_range(0, 1) ? VQ_WRITE : 0), dm_rand());
	}
	vq_put_avail(q, head);
	return head;
full:
	q->pool_head = save_head;
	q->pool_used = save_used;
	return -1;
}

void vq_publish(struct vq *q)
{
	q->avail_idx = q->next_avail;
	put16(q, q->avail + 2, q->avail_idx);
}

static bool need_event(uint16_t event, uint16_t new_idx, uint16_t old)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old);
}

bool vq_need_kick(struct vq *q)
{
	uint16_t old = q->kicked_at;
	bool need;

	q->kicked_at = q->avail_idx;
	if (old == q->avail_idx)
		return false;
	if (q->event_idx)
		need = need_event(get16(q, q->used + 4 + 8u * q->size), q->avail_idx, old);
	else
		need = !(get16(q, q->used) & 1);
	q->offers++;
	q->kicks += need;
	return need;
}

uint16_t vq_used_idx(struct vq *q)
{
	return get16(q, q->used + 2);
}

bool vq_get_used(struct vq *q, uint16_t *head, uint32_t *len)
{
	uint64_t e = q->used + 4 + 8ull * (q->last_used & (q->size - 1));
	uint32_t id;

	if (vq_used_idx(q) == q->last_used)
		return false;
	if ((uint16_t)(vq_used_idx(q) - q->last_used) > (uint16_t)(q->avail_idx - q->last_used))
		fail("qid %d: used->idx %u is beyond what was published (%u)", q->qid, vq_used_idx(q), q->avail_idx);
	memcpy(&id, dm_ptr(q->func, e, 4), 4);
	memcpy(len, dm_ptr(q->func, e + 4, 4), 4);
	if (id != q->order[q->last_used & (q->size - 1)])
		fail("qid %d: used element %u has id %u, expected %u", q->qid, q->last_used, id,
		     q->order[q->last_used & (q->size - 1)]);
	*head = q->order[q->last_used & (q->size - 1)];
	q->last_used++;
	return true;
}

void vq_free(struct vq *q, uint16_t head)
{
	struct vq_buf *b = &q->buf[head];

	if (!b->used) {
		fail("qid %d: chain %u comes back twice", q->qid, head);
		return;
	}
	for (unsigned int i = 0; i < b->nsegs; i++)
		dm_grant(q->func, b->seg[i].addr, b->seg[i].len, 0);
	if (b->table)
		dm_grant(q->func, b->table, 16u * b->nsegs, 0);
	for (unsigned int i = b->ndesc; i > 0; i--)
		q->free_list[q->nfree++] = b->desc[i - 1];
	q->pool_used -= b->pool_bytes;
	b->used = false;
}

void vq_enable_irq(struct vq *q)
{
	put16(q, q->avail, 0);
	put16(q, q->avail + 4 + 2u * q->size, q->last_used);
}

void vq_disable_irq(struct vq *q)
{
	if (!q->event_idx)
		put16(q, q->avail, 1);
}

static uint8_t *at(struct vq *q, const struct vq_buf *b, uint32_t off)
{
	for (unsigned int i = 0; i < b->nsegs; i++) {
		if (off < b->seg[i].len)
			return dm_ptr(q->func, b->seg[i].addr + off, 1);
		off -= b->seg[i].len;
	}
	return NULL;
}

uint8_t vq_get(struct vq *q, const struct vq_buf *b, uint32_t off)
{
	uint8_t *p = at(q, b, off);

	return p ? *p : 0;
}

void vq_put(struct vq *q, const struct vq_buf *b, uint32_t off, uint8_t v)
{
	uint8_t *p = at(q, b, off);

	if (p)
		*p = v;
}
