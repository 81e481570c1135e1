/* SPDX-License-Identifier: Apache-2.0 */
#include "rootcomplex.h"

#include "memmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UP_RING 1024u

/* A TLP on its way to memory. */
struct arrival {
	uint64_t cycle;
	struct hb_up tlp;
};

/* A read that waits for its completions. */
struct pending {
	unsigned int tag, fn, left, sent_bytes;
	uint64_t next, due, order; /* next: address of the next byte */
	enum vhp_outcome outcome;
	unsigned int tc, attr;
};

struct root {
	struct vhp_model *m;
	struct memmap *map[VHP_MODEL_MAX_FN];
	struct memfiles *files;
	struct vhp_rng rng;
	struct arrival *up;
	unsigned int up_head, up_count;
	struct pending pend[HB_TAGS];
	unsigned int pend_count;
	uint64_t next_due, order;
	double down_budget;
};

struct root *root_create(struct vhp_model *m)
{
	struct root *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->m = m;
	rng_seed(&r->rng, m->cfg.seed, 6);
	r->up = calloc(UP_RING, sizeof(*r->up));
	r->files = memfiles_create();
	for (unsigned int fn = 0; fn < VHP_MODEL_MAX_FN; fn++)
		r->map[fn] = memmap_create(r->files);
	if (!r->up)
		abort();
	return r;
}

void root_destroy(struct root *r)
{
	if (!r)
		return;
	for (unsigned int fn = 0; fn < VHP_MODEL_MAX_FN; fn++)
		memmap_destroy(r->map[fn]);
	memfiles_destroy(r->files);
	free(r->up);
	free(r);
}

int root_map(struct root *r, unsigned int fn, uint64_t iova, uint64_t len, void *mem, unsigned int perm)
{
	return fn < VHP_MODEL_MAX_FN ? memmap_add(r->map[fn], iova, len, mem, perm) : -EINVAL;
}

int root_map_fd(struct root *r, unsigned int fn, uint64_t iova, uint64_t len, int fd, uint64_t offset,
		unsigned int perm)
{
	return fn < VHP_MODEL_MAX_FN ? memmap_add_fd(r->map[fn], iova, len, fd, offset, perm) : -EINVAL;
}

int root_unmap(struct root *r, unsigned int fn, uint64_t iova, uint64_t len)
{
	return fn < VHP_MODEL_MAX_FN ? memmap_remove(r->map[fn], iova, len) : -EINVAL;
}

void root_unmap_all(struct root *r, unsigned int fn)
{
	memmap_clear(r->map[fn]);
}

/* ------------------------------------------------------------------------------------------ memory */

static void fault(struct root *r, unsigned int fn, bool write, uint64_t addr, unsigned int bytes)
{
	struct vhp_model *m = r->m;

	m->st.fn[fn].dma_faults++;
	if (m->cfg.on_dma_fault)
		m->cfg.on_dma_fault(m->cfg.arg, fn, write, addr, bytes);
	if (m->cfg.dma_faults_fatal)
		hb_violation(m, "dma-fault", NULL, "function %u %s %u bytes at 0x%llx, which is not mapped for it", fn,
			     write ? "writes" : "reads", bytes, (unsigned long long)addr);
}

static void perform_write(struct root *r, const struct hb_up *t)
{
	struct vhp_model *m = r->m;
	unsigned int off, bytes = hb_be_bytes(t->dwords, t->first_be, t->last_be, &off);
	const uint8_t *src = (const uint8_t *)t->data;
	uint64_t addr = t->addr + off;
	int rc = 0;

	if (t->dwords == 1 && t->first_be == 0)
		return; /* a flush */
	if (addr - m->cfg.msi_base < m->cfg.msi_size) {
		if (t->dwords != 1 || t->first_be != 0xf) {
			hb_violation(m, "msi-write", NULL, "write of %u bytes at 0x%llx in the interrupt range", bytes,
				     (unsigned long long)addr);
			return;
		}
		m->st.fn[t->fn].msix++;
		if (m->cfg.on_msix)
			m->cfg.on_msix(m->cfg.arg, t->fn, addr, t->data[0]);
		return;
	}
	if (!memmap_covers(r->map[t->fn], addr, bytes, VHP_MEM_WRITE)) {
		fault(r, t->fn, true, addr, bytes);
		return;
	}
	if (t->dwords <= 2) { /* holes are possible */
		unsigned int be = t->first_be | (t->dwords == 2 ? t->last_be << 4 : 0), run;

		for (unsigned int i = 0; i < 8 && !rc; i += run) {
			for (run = 1; i + run < 8 && (be >> (i + run) & 1) == (be >> i & 1); run++)
				;
			if (be >> i & 1)
				rc = memmap_write(r->map[t->fn], t->addr + i, src + i, run);
		}
	} else {
		rc = memmap_write(r->map[t->fn], addr, src + off, bytes);
	}
	if (rc)
		fault(r, t->fn, true, addr, bytes);
	m->st.fn[t->fn].payload_up += bytes;
	if (m->cfg.on_dma_write)
		m->cfg.on_dma_write(m->cfg.arg, t->fn, addr, bytes);
}

static void accept_read(struct root *r, const struct hb_up *t, uint64_t sent)
{
	struct vhp_model *m = r->m;
	const struct hb_tag *tag = &m->tags[t->tag];
	struct pending *p;
	struct vhp_dma_read rd = { .fn = t->fn, .addr = tag->addr, .bytes = tag->bytes, .tag = t->tag };

	if (!tag->active || tag->closing)
		return; /* ended by FLR on the way */
	p = &r->pend[r->pend_count++];
	*p = (struct pending){ .tag = t->tag,
			       .fn = t->fn,
			       .left = tag->bytes,
			       .next = tag->addr,
			       .order = r->order++,
			       .tc = tag->tc,
			       .attr = tag->attr };
	p->due = sent + m->cfg.latency + (m->cfg.latency_jitter ? rng_below(&r->rng, m->cfg.latency_jitter + 1) : 0);
	p->outcome = m->cfg.on_dma_read ? m->cfg.on_dma_read(m->cfg.arg, &rd) : VHP_OUT_OK;
	if (!memmap_covers(r->map[t->fn], tag->addr, tag->bytes, VHP_MEM_READ)) {
		fault(r, t->fn, false, tag->addr, tag->bytes);
		p->outcome = VHP_OUT_UR;
	}
	if (p->outcome == VHP_OUT_TIMEOUT)
		p->due = sent + m->cfg.completion_timeout;
	if (p->due < r->next_due || r->pend_count == 1)
		r->next_due = p->due;
}

static void perform(struct root *r, const struct arrival *a)
{
	if (a->tlp.kind == HB_WRITE)
		perform_write(r, &a->tlp);
	else if (a->tlp.kind == HB_READ)
		accept_read(r, &a->tlp, a->cycle - r->m->cfg.latency / 4);
	else
		hb_complete_arrived(r->m, a->tlp.tag, a->tlp.status);
}

/* The way up takes a quarter of the round trip and keeps the order; the rest is memory and the way back. */
void root_receive(struct root *r, const struct hb_up *tlp)
{
	struct arrival *a;

	if (tlp->kind == HB_CPL && !tlp->final)
		return;
	if (r->up_count == UP_RING) {
		perform(r, &r->up[r->up_head]);
		r->up_head = (r->up_head + 1) % UP_RING;
		r->up_count--;
	}
	a = &r->up[(r->up_head + r->up_count++) % UP_RING];
	a->cycle = r->m->cycle + r->m->cfg.latency / 4;
	memcpy(&a->tlp, tlp, offsetof(struct hb_up, data) + (tlp->kind == HB_WRITE ? tlp->dwords * 4 : 0));
}

/* ------------------------------------------------------------------------------------------ completions */

bool root_down_take(struct root *r, unsigned int bytes)
{
	if (r->down_budget <= 0)
		return false;
	r->down_budget -= bytes;
	r->m->st.down_bytes += bytes;
	return true;
}

/* Bytes of the next completion: to the end, or to a boundary that MPS allows. */
static unsigned int split(struct root *r, const struct pending *p)
{
	const struct vhp_model_config *cfg = &r->m->cfg;
	uint64_t first = p->next / cfg->rcb + 1, last = ((p->next & ~3ull) + cfg->mps) / cfg->rcb;
	bool whole = (p->next & 3) + p->left <= cfg->mps;
	uint64_t end;

	if (whole && (first * cfg->rcb >= p->next + p->left || !rng_pct(&r->rng, cfg->split_pct)))
		return p->left;
	if (last < first)
		last = first;
	if (last * cfg->rcb >= p->next + p->left)
		last = (p->next + p->left - 1) / cfg->rcb;
	end = rng_pct(&r->rng, cfg->split_pct) ? first + rng_below(&r->rng, (uint32_t)(last - first + 1)) : last;
	return (unsigned int)(end * cfg->rcb - p->next);
}

static void count_cpl(struct root *r, const struct hb_cpl *c, bool link)
{
	struct vhp_fn_stats *st = &r->m->st.fn[c->fn];

	if (!link)
		return; /* made by the block itself */
	st->cpl.tlps++;
	st->cpl.bytes += 20 + c->dwords * 4;
	st->payload_down += c->bytes;
	root_down_take(r, 20 + c->dwords * 4);
}

/* A completion with data for the read's next bytes. */
static void data_completion(struct root *r, struct pending *p, struct hb_cpl *c)
{
	unsigned int n = split(r, p);

	*c = (struct hb_cpl){ .tag = p->tag,
			      .fn = p->fn,
			      .byte_count = p->left,
			      .lower = p->next & 0xfff,
			      .bytes = n,
			      .tc = p->tc,
			      .attr = p->attr };
	c->dwords = (unsigned int)((p->next & 3) + n + 3) / 4;
	if (memmap_read(r->map[p->fn], p->next, (uint8_t *)c->data + (p->next & 3), n)) {
		fault(r, p->fn, false, p->next, n);
		*c = (struct hb_cpl){ .tag = p->tag,
				      .fn = p->fn,
				      .code = 2,
				      .status = 1,
				      .completed = true,
				      .byte_count = p->left,
				      .lower = p->next & 0x7f };
		p->left = 0;
		return;
	}
	p->next += n;
	p->left -= n;
	c->completed = p->left == 0;
}

/* A completion that ends the read with an error. */
static void error_completion(struct pending *p, struct hb_cpl *c, unsigned int code, unsigned int status)
{
	*c = (struct hb_cpl){ .tag = p->tag,
			      .fn = p->fn,
			      .code = code,
			      .status = status,
			      .completed = true,
			      .byte_count = p->left,
			      .lower = p->next & 0x7f,
			      .tc = p->tc,
			      .attr = p->attr };
	p->left = 0;
}

static void stray_tag(struct root *r, struct hb_cpl *c)
{
	unsigned int tag = rng_below(&r->rng, HB_TAGS);

	for (unsigned int i = 0; i < HB_TAGS && r->m->tags[tag].active; i++)
		tag = (tag + 1) % HB_TAGS;
	c->tag = tag;
	c->code = 6;
	c->completed = true;
}

/* One completion of a read; false if the read goes on. */
static bool complete(struct root *r, struct pending *p)
{
	struct hb_cpl c;
	struct pending before = *p;
	bool link = true;

	switch (p->outcome) {
	case VHP_OUT_UR:
		error_completion(p, &c, 2, 1);
		break;
	case VHP_OUT_CA:
		error_completion(p, &c, 2, 4);
		break;
	case VHP_OUT_NO_DATA:
	case VHP_OUT_START_ADDR:
		error_completion(p, &c, p->outcome, 0);
		break;
	case VHP_OUT_FLR:
	case VHP_OUT_TIMEOUT:
		error_completion(p, &c, p->outcome, 0);
		link = false;
		break;
	case VHP_OUT_INVALID_TAG:
		data_completion(r, p, &c);
		*p = before;
		stray_tag(r, &c);
		p->outcome = VHP_OUT_OK;
		break;
	case VHP_OUT_RID_MISMATCH:
		data_completion(r, p, &c);
		*p = before;
		for (unsigned int i = 0; i < c.dwords; i++)
			c.data[i] = ~c.data[i];
		c.code = 4;
		c.completed = false;
		c.lower &= 0x7f;
		p->outcome = VHP_OUT_OK;
		break;
	case VHP_OUT_POISONED:
		data_completion(r, p, &c);
		c.code = 1;
		c.poisoned = true;
		p->outcome = VHP_OUT_OK;
		break;
	case VHP_OUT_DISCONTINUE:
		data_completion(r, p, &c);
		for (unsigned int i = 0; i < c.dwords; i++)
			c.data[i] = ~c.data[i];
		if (c.dwords)
			c.lost = rng_pct(&r->rng, 50) ? c.dwords : 1 + rng_below(&r->rng, c.dwords);
		p->outcome = VHP_OUT_OK;
		break;
	default:
		data_completion(r, p, &c);
	}
	count_cpl(r, &c, link);
	hb_rc_push(r->m, &c);
	return p->left == 0;
}

static struct pending *choose(struct root *r)
{
	struct pending *best = NULL;
	unsigned int due = 0;

	r->next_due = UINT64_MAX;
	for (unsigned int i = 0; i < r->pend_count; i++) {
		struct pending *p = &r->pend[i];

		if (p->due > r->m->cycle) {
			if (p->due < r->next_due)
				r->next_due = p->due;
			continue;
		}
		due++;
		if (!best || (r->m->cfg.reorder ? rng_below(&r->rng, due) == 0 : p->order < best->order))
			best = p;
	}
	if (best)
		r->next_due = 0;
	return best;
}

void root_tick(struct root *r)
{
	struct vhp_model *m = r->m;
	struct pending *p;

	while (r->up_count && r->up[r->up_head].cycle <= m->cycle) {
		perform(r, &r->up[r->up_head]);
		r->up_head = (r->up_head + 1) % UP_RING;
		r->up_count--;
	}
	r->down_budget += m->cfg.down_rate;
	if (r->down_budget > m->cfg.down_rate)
		r->down_budget = m->cfg.down_rate;
	while (r->pend_count && r->next_due <= m->cycle && r->down_budget > 0 && hb_rc_room(m) > HB_TAGS &&
	       (p = choose(r)))
		if (complete(r, p))
			*p = r->pend[--r->pend_count];
}

bool root_idle(const struct root *r)
{
	return !r->up_count && !r->pend_count;
}

void root_cancel(struct root *r, unsigned int fn)
{
	for (unsigned int i = 0; i < r->pend_count;) {
		if (r->pend[i].fn == fn)
			r->pend[i] = r->pend[--r->pend_count];
		else
			i++;
	}
}

void root_clear(struct root *r)
{
	r->up_count = r->pend_count = 0;
}
