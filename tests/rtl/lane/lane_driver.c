// SPDX-License-Identifier: Apache-2.0
/* The drivers of both ends of a lane. */
#include <stdlib.h>
#include <string.h>

#include "lane.h"

struct lane lanes[NLANES];

uint8_t pattern(uint32_t seed, uint32_t off)
{
	uint32_t x = seed * 2654435761u ^ off * 40503u;

	return x >> 13 ^ x >> 5;
}

static uint64_t irq_count(struct end *e)
{
	return dm_msix_enable >> e->q.func & 1 ? dm_msix[e->q.func][e->q.vector] : dm_isr[e->q.func];
}

static unsigned int split(uint32_t total, unsigned int nmax, uint32_t *lens)
{
	unsigned int n = dm_range(1, nmax);

	if (n > total)
		n = total;
	for (unsigned int i = 0; i < n; i++) {
		uint32_t rest = total - (n - 1 - i);

		if (i + 1 == n) {
			lens[i] = total;
		} else {
			switch (dm_range(0, 3)) {
			case 0:
				lens[i] = 1;
				break;
			case 1:
				lens[i] = rest < HDR ? rest : HDR;
				break;
			default:
				lens[i] = dm_range(1, rest);
				break;
			}
		}
		total -= lens[i];
		if (total == 0 && i + 1 < n)
			return i + 1;
	}
	return n;
}

static void add_packet(struct lane *l)
{
	struct pkt *p = &l->pkt[l->sent];
	uint32_t lens[VQ_MAX_SEGS];
	unsigned int n;
	int head;
	bool ind = l->src.q.indirect && dm_range(0, 2) == 0;
	unsigned int nmax = l->max_segs;

	if (!ind && nmax > l->src.q.size)
		nmax = l->src.q.size;
	if (!p->len) {
		p->len = dm_range(0, 3) ? dm_range(HDR, l->max_len < 1600 ? l->max_len : 1600)
					: dm_range(HDR, l->max_len);
		p->seed = dm_rand();
	}
	n = split(p->len, nmax, lens);
	head = vq_add(&l->src.q, lens, n, ind);
	if (head < 0)
		return;
	for (uint32_t i = 0; i < p->len; i++)
		vq_put(&l->src.q, &l->src.q.buf[head], i, pattern(p->seed, i));
	l->sent++;
}

static bool add_buffer(struct lane *l)
{
	uint32_t lens[VQ_MAX_SEGS];
	uint32_t cap = dm_range(l->cap_lo, l->cap_hi);
	bool ind = l->snk.q.indirect && dm_range(0, 2) == 0;
	unsigned int nmax = l->snk.q.mrg && l->max_segs > 3 ? 3 : l->max_segs;

	if (l->small_cap && dm_range(0, 19) == 0)
		cap = dm_range(1, l->small_cap);
	if (!ind && nmax > l->snk.q.size)
		nmax = l->snk.q.size;
	if (vq_add(&l->snk.q, lens, split(cap, nmax, lens), ind) < 0)
		return false;
	l->posted++;
	return true;
}

void producer(struct lane *l, struct end *e)
{
	switch (e->pub) {
	case P_ADD: {
		unsigned int n = dm_range(1, l->burst);

		if (e == &l->src) {
			while (n-- && l->sent < l->target)
				add_packet(l);
		} else if (!l->no_buffers) {
			while (n-- && add_buffer(l))
				;
		}
		if (e->q.next_avail != e->q.avail_idx)
			e->pub = P_PUBLISH;
		break;
	}
	case P_PUBLISH:
		vq_publish(&e->q);
		e->pub = P_KICK;
		break;
	default:
		if (vq_need_kick(&e->q))
			kick(e->q.qid);
		e->pub = P_ADD;
		break;
	}
}

static void check_sink(struct lane *l, uint16_t head, uint32_t len)
{
	struct vq *q = &l->snk.q;
	struct vq_buf *b = &q->buf[head];
	struct pkt *p;

	if (l->parts == 0) {
		/* A buffer that can take more than the packet that comes next: those before were dropped. */
		while (!q->mrg && l->rcvd + l->dropped < l->sent && l->pkt[l->rcvd + l->dropped].len > b->cap)
			l->dropped++;
		l->parts = vq_get(q, b, 10) | vq_get(q, b, 11) << 8;
		if (b->cap < HDR)
			l->parts = q->mrg ? 0xffff : 1; /* header over several chains: known at the end */
		l->got = 0;
		l->part = 0;
		if (!q->mrg && l->parts != 1)
			fail("lane %d: num_buffers %u without mergeable buffers", l->id, l->parts);
	}
	if (l->rcvd + l->dropped >= l->sent) {
		fail("lane %d: a packet that was not sent", l->id);
		return;
	}
	p = &l->pkt[l->rcvd + l->dropped];
	if (len > b->cap || len == 0 || l->got + len > p->len)
		fail("lane %d packet %u (%u bytes): used length %u, capacity %u, had %u", l->id, l->rcvd, p->len, len,
		     b->cap, l->got);
	for (uint32_t i = 0; i < len && l->got + i < p->len; i++) {
		uint32_t off = l->got + i;

		if (off == 10 || off == 11)
			continue;
		if (vq_get(q, b, i) != pattern(p->seed, off)) {
			fail("lane %d packet %u: byte %u of %u differs", l->id, l->rcvd, off, p->len);
			break;
		}
	}
	l->got += len;
	l->part++;
	if (l->got == p->len) {
		if (l->parts != 0xffff && l->part != l->parts)
			fail("lane %d packet %u: num_buffers %u, %u came", l->id, l->rcvd, l->parts, l->part);
		l->parts = 0;
		l->rcvd++;
		l->bytes += p->len - HDR;
	} else if (len != b->cap) {
		fail("lane %d packet %u: a chain of %u bytes holds only %u", l->id, l->rcvd, b->cap, len);
	}
}

void consumer(struct lane *l, struct end *e)
{
	uint16_t head;
	uint32_t len;

	switch (e->st) {
	case E_RUN:
		while (vq_get_used(&e->q, &head, &len)) {
			l->progress = dm_cycle;
			if (e == &l->snk) {
				check_sink(l, head, len);
			} else {
				if (len)
					fail("lane %d: source chain with used length %u", l->id, len);
				l->src_done++;
			}
			vq_free(&e->q, head);
			if (dm_range(0, 3) == 0)
				return;
		}
		/* virtio-net: the buffers of one merged packet are used together. */
		if (e == &l->snk && l->parts)
			fail("lane %d packet %u: the used index shows %u of its %u buffers", l->id, l->rcvd, l->part,
			     l->parts);
		if (e->mode == IRQ) {
			e->msix_seen = irq_count(e);
			vq_enable_irq(&e->q);
			e->st = E_ARMED;
		}
		break;
	case E_ARMED:
		if (vq_used_idx(&e->q) != e->q.last_used) {
			vq_disable_irq(&e->q);
			e->st = E_RUN;
		} else {
			e->st = E_SLEEP;
		}
		break;
	default:
		if (irq_count(e) != e->msix_seen) {
			e->wakeups++;
			vq_disable_irq(&e->q);
			e->st = E_RUN;
		}
		break;
	}
}

void lane_step(struct lane *l)
{
	struct end *ends[2] = { &l->src, &l->snk };

	for (int i = 0; i < 2; i++) {
		struct end *e = ends[i];

		if (e->wait) {
			e->wait--;
			continue;
		}
		if (dm_range(0, 1))
			producer(l, e);
		else
			consumer(l, e);
		e->wait = dm_range(0, 1) ? dm_range(0, 20) : 0;
		if (dm_range(0, 300) == 0)
			e->wait = dm_range(0, 3000);
	}
}

bool lane_finished(const struct lane *l)
{
	return l->sent == l->target && l->src_done == l->target && l->parts == 0 &&
		(!l->snk.q.mrg ? l->rcvd + l->dropped <= l->target : l->rcvd == l->target);
}
