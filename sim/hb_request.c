/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requester side of the block: RQ with its rules, client tags, transmit queue with credits and link rate, RC.
 */
#include "hardblock.h"
#include "rootcomplex.h"

#include <stdlib.h>
#include <string.h>

#define CRED_RING 2048u

void hb_request_init(struct vhp_model *m)
{
	m->rq.name = "rq";
	rng_seed(&m->rq_rng, m->cfg.seed, 1);
	rng_seed(&m->rc_rng, m->cfg.seed, 2);
	for (int k = 0; k < 3; k++)
		m->tx[k] = calloc(HB_TX_QUEUE, sizeof(*m->tx[k]));
	m->rc_q = calloc(HB_RC_QUEUE, sizeof(*m->rc_q));
	m->cred = calloc(CRED_RING, sizeof(*m->cred));
	if (!m->tx[0] || !m->tx[1] || !m->tx[2] || !m->rc_q || !m->cred)
		abort();
}

void hb_request_free(struct vhp_model *m)
{
	for (int k = 0; k < 3; k++)
		free(m->tx[k]);
	free(m->rc_q);
	free(m->cred);
}

void hb_request_clear(struct vhp_model *m)
{
	root_clear(m->root);
	m->rq = (struct hb_sink){ .name = m->rq.name };
	memset(m->tags, 0, sizeof(m->tags));
	memset(m->tx_count, 0, sizeof(m->tx_count));
	m->tags_active = m->cpl_hdrs = m->cpl_bytes = m->tx_bytes = 0;
	m->ph_used = m->pd_used = m->nph_used = m->cred_count = m->seq_count = 0;
	m->rc_count = m->rc_beat = m->rc_buf_hdrs = m->rc_buf_bytes = 0;
}

/* ------------------------------------------------------------------------------------------ completion buffer */

/* What the completions of the bytes that are still to come can need at most: one header per RCB block. */
static void worst_case(const struct vhp_model *m, const struct hb_tag *t, unsigned int *hdrs, unsigned int *bytes)
{
	uint64_t first = t->addr + (t->bytes - t->left), last = t->addr + t->bytes - 1;

	if (t->left == 0) {
		*hdrs = *bytes = 0;
		return;
	}
	*hdrs = (unsigned int)(last / m->cfg.rcb - first / m->cfg.rcb) + 1;
	*bytes = (unsigned int)((last / 4 - first / 4) + 1) * 4;
}

static void tag_account(struct vhp_model *m, struct hb_tag *t)
{
	unsigned int hdrs, bytes;

	worst_case(m, t, &hdrs, &bytes);
	m->cpl_hdrs += hdrs - t->hdrs;
	m->cpl_bytes += bytes - t->data_bytes;
	t->hdrs = hdrs;
	t->data_bytes = bytes;
}

static void tag_free(struct vhp_model *m, unsigned int tag)
{
	struct hb_tag *t = &m->tags[tag];

	t->left = 0;
	tag_account(m, t);
	t->active = false;
	m->tags_active--;
}

/* ------------------------------------------------------------------------------------------ RQ */

#define FAIL(rule, ...)                                \
	do {                                           \
		hb_violation(m, rule, b, __VA_ARGS__); \
		m->rq.drop = true;                     \
		return;                                \
	} while (0)

/* The first beat: descriptor and tuser. */
static void rq_first(struct vhp_model *m, const struct hb_beat *b)
{
	const uint32_t *d = m->rq.pkt;
	unsigned int type, dwords, fn, tag, first_be, last_be, bytes, off;
	int index;
	const char *fault;
	uint64_t addr;
	bool live;

	if (m->rq.drop)
		return;
	if (b->valid_dw < 4)
		FAIL("rq-length", "descriptor of %u dwords", b->valid_dw);
	dwords = bits_get(d, 64, 11);
	type = bits_get(d, 75, 4);
	index = hb_index(m, bits_get(d, 80, 8));
	tag = bits_get(d, 96, 8);
	addr = bits_get(d, 0, 64) & ~3ull;
	first_be = bits_get(b->user, 0, 4);
	last_be = bits_get(b->user, 8, 4);
	m->rq.expect = type == 1 ? 4 + dwords : 4;

	if (type > 1)
		FAIL("rq-type", "request type %u: only memory reads and writes are built", type);
	if (bits_get(d, 0, 2))
		FAIL("rq-at", "address type is not 0 (untranslated)");
	if (dwords == 0 || dwords > 1024)
		FAIL("rq-dword-count", "dword count %u", dwords);
	if (bits_get(d, 79, 1))
		FAIL("rq-poison", "poisoned request");
	if (bits_get(d, 120, 1) || bits_get(d, 88, 8))
		FAIL("rq-requester-id",
		     "requester-ID enable or bus number set; the block inserts the bus of an endpoint");
	if (bits_get(d, 104, 16))
		FAIL("rq-completer-id", "completer ID is not 0 in a request routed by address");
	if (bits_get(d, 127, 1))
		FAIL("rq-ecrc", "force ECRC set");
	if (index < 0)
		FAIL("rq-function", "function %u is not there", (unsigned int)bits_get(d, 80, 8));
	fn = (unsigned int)index;
	if (bits_get(b->user, 4, 4) || bits_get(b->user, 12, 4) || bits_get(b->user, 16, 4) ||
	    bits_get(b->user, 37, 24) || bits_get(b->user, 67, 6))
		FAIL("rq-tuser", "fields of a second TLP, addr_offset or TPH are not 0");
	fault = hb_be_fault(dwords, addr, first_be, last_be);
	if (fault)
		FAIL("rq-byte-enable", "%s (%u dwords, first_be 0x%x, last_be 0x%x)", fault, dwords, first_be, last_be);
	if ((addr & 0xfff) + dwords * 4 > 4096)
		FAIL("rq-4k", "address 0x%llx and %u dwords cross a 4 KiB boundary", (unsigned long long)addr, dwords);
	if (addr >> 32 == 0 && dwords && addr + dwords * 4ull > 0x100000000ull)
		FAIL("rq-4k", "address wraps at 4 GiB");
	/* FLR puts the limits back while requests of the function may still be on their way (bme_grace). */
	live = hb_bme(m, fn);
	if (live && type == 1 && dwords * 4 > hb_mps(m, fn))
		FAIL("rq-mps", "%u bytes of payload, function %u has MPS %u", dwords * 4, fn, hb_mps(m, fn));
	if (live && type == 0 && dwords * 4 > hb_mrrs(m, fn))
		FAIL("rq-mrrs", "read of %u bytes, function %u has MRRS %u", dwords * 4, fn, hb_mrrs(m, fn));
	if (type == 1)
		return;

	bytes = hb_be_bytes(dwords, first_be, last_be, &off);
	if (live && tag >= 32 && !hb_ext_tag(m, fn))
		FAIL("rq-tag-range", "tag %u, but function %u has extended tags disabled", tag, fn);
	if (m->tags[tag].active)
		FAIL("rq-tag-reuse", "tag %u is in use (function %u, address 0x%llx, since cycle %llu)", tag,
		     m->tags[tag].fn, (unsigned long long)m->tags[tag].addr, (unsigned long long)m->tags[tag].issued);
	m->tags[tag] = (struct hb_tag){ .active = true,
					.fn = fn,
					.dwords = dwords,
					.first_be = first_be,
					.last_be = last_be,
					.bytes = bytes,
					.left = bytes,
					.addr = addr + off,
					.issued = m->cycle,
					.tc = bits_get(d, 121, 3),
					.attr = bits_get(d, 124, 3) };
	m->tags_active++;
	if (m->tags_active > m->st.reads_outstanding_max)
		m->st.reads_outstanding_max = m->tags_active;
	tag_account(m, &m->tags[tag]);
	if (m->cfg.cplbuf_worst_case && (m->cpl_hdrs > m->cfg.cpl_headers || m->cpl_bytes > m->cfg.cpl_bytes))
		hb_violation(m, "rq-completion-buffer", b,
			     "outstanding reads may bring %u headers and %u bytes, the buffer holds %u and %u",
			     m->cpl_hdrs, m->cpl_bytes, m->cfg.cpl_headers, m->cfg.cpl_bytes);
}

#undef FAIL

static void return_seq(struct vhp_model *m, unsigned int seq)
{
	m->seq_q[(m->seq_head + m->seq_count++) % HB_TX_QUEUE] = (uint8_t)seq;
	if (m->seq_count >= HB_TX_QUEUE)
		abort(); /* cannot be: bounded by the transmit queue */
}

/* A read that the block ends itself. */
static void end_read(struct vhp_model *m, unsigned int tag, unsigned int code, unsigned int status)
{
	struct hb_cpl c = { .tag = tag, .fn = m->tags[tag].fn, .code = code, .status = status, .completed = true };

	hb_rc_push(m, &c);
}

static void tx_push(struct vhp_model *m, enum hb_kind kind, const struct hb_up *u, const uint32_t *data)
{
	struct hb_up *slot = &m->tx[kind][(m->tx_head[kind] + m->tx_count[kind]) % HB_TX_QUEUE];

	memcpy(slot, u, offsetof(struct hb_up, data));
	if (data)
		memcpy(slot->data, data, u->dwords * 4);
	slot->kind = kind;
	slot->order = m->tx_order++;
	m->tx_count[kind]++;
	m->tx_bytes += u->wire;
}

static void rq_done(struct vhp_model *m, const struct hb_beat *b)
{
	const uint32_t *d = m->rq.pkt;
	bool write = bits_get(d, 75, 4) == 1;
	struct hb_up u = {
		.fn = (unsigned int)hb_index(m, bits_get(d, 80, 8)),
		.tag = bits_get(d, 96, 8),
		.dwords = bits_get(d, 64, 11),
		.addr = bits_get(d, 0, 64) & ~3ull,
	};
	struct hb_function *f = &m->fn[u.fn];

	if (!hb_bme(m, u.fn)) {
		/* What was on its way when the bit fell is dropped; a card that goes on is broken. */
		if (f->bme_lost > m->cfg.bme_grace) {
			hb_violation(m, "rq-bme", b, "function %u issues a %s of 0x%llx without bus mastership%s", u.fn,
				     write ? "write" : "read", (unsigned long long)u.addr, f->flr ? " (in FLR)" : "");
		}
		m->st.fn[u.fn].dropped++;
		return_seq(m, bits_get(m->rq.first_user, 61, 6));
		if (!write)
			end_read(m, u.tag, f->flr ? 8 : 2, f->flr ? 0 : 1);
		return;
	}
	u.first_be = bits_get(m->rq.first_user, 0, 4);
	u.last_be = bits_get(m->rq.first_user, 8, 4);
	u.seq = bits_get(m->rq.first_user, 61, 6);
	u.has_seq = true;
	u.wire = 24 + (write ? u.dwords * 4 : 0);
	tx_push(m, write ? HB_WRITE : HB_READ, &u, write ? &d[4] : NULL);
}

static void rq_beat(struct vhp_model *m, const struct hb_beat *b)
{
	m->st.rq_beats++;
	if (b->first)
		rq_first(m, b);
	if (bits_get(b->user, 36, 1)) {
		hb_violation(m, "rq-discontinue", b, "discontinue is set");
		m->rq.drop = true;
	}
	if (hb_sink_length(m, &m->rq, b) && b->last)
		rq_done(m, b);
}

/* ------------------------------------------------------------------------------------------ link */

static bool credits_free(const struct vhp_model *m, const struct hb_up *u)
{
	if (u->kind == HB_WRITE)
		return m->ph_used < m->cfg.ph && m->pd_used + (u->dwords + 3) / 4 <= m->cfg.pd;
	return u->kind != HB_READ || m->nph_used < m->cfg.nph;
}

static void credits_take(struct vhp_model *m, const struct hb_up *u)
{
	unsigned int at = (m->cred_head + m->cred_count) % CRED_RING;

	if (u->kind == HB_CPL || m->cred_count == CRED_RING)
		return;
	m->cred[at].cycle = m->cycle + m->cfg.credit_return;
	m->cred[at].ph = u->kind == HB_WRITE;
	m->cred[at].pd = u->kind == HB_WRITE ? (u->dwords + 3) / 4 : 0;
	m->cred[at].nph = u->kind == HB_READ;
	m->ph_used += m->cred[at].ph;
	m->pd_used += m->cred[at].pd;
	m->nph_used += m->cred[at].nph;
	m->cred_count++;
}

static void credits_return(struct vhp_model *m)
{
	while (m->cred_count && m->cred[m->cred_head].cycle <= m->cycle) {
		m->ph_used -= m->cred[m->cred_head].ph;
		m->pd_used -= m->cred[m->cred_head].pd;
		m->nph_used -= m->cred[m->cred_head].nph;
		m->cred_head = (m->cred_head + 1) % CRED_RING;
		m->cred_count--;
	}
}

/* Oldest TLP that may go: reads and completions never pass a posted write, writes pass blocked reads. */
static struct hb_up *pick(struct vhp_model *m)
{
	uint64_t oldest_write = m->tx_count[HB_WRITE] ? m->tx[HB_WRITE][m->tx_head[HB_WRITE]].order : UINT64_MAX;
	struct hb_up *best = NULL;

	for (int k = 0; k < 3; k++) {
		struct hb_up *u = &m->tx[k][m->tx_head[k]];

		if (!m->tx_count[k] || !credits_free(m, u) || (k != HB_WRITE && u->order > oldest_write))
			continue;
		if (!best || u->order < best->order)
			best = u;
	}
	return best;
}

static void count_up(struct vhp_model *m, const struct hb_up *u)
{
	struct vhp_fn_stats *s = &m->st.fn[u->fn];
	struct vhp_dir_stats *d = u->kind == HB_WRITE ? &s->wr : u->kind == HB_READ ? &s->rd : &s->cpl_up;

	d->tlps++;
	d->bytes += u->wire;
	m->st.up_bytes += u->wire;
}

static void link_up(struct vhp_model *m)
{
	struct hb_up *u;

	credits_return(m);
	m->up_budget += m->cfg.up_rate;
	if (m->up_budget > m->cfg.up_rate)
		m->up_budget = m->cfg.up_rate;
	while (m->up_budget > 0 && (u = pick(m)) != NULL) {
		m->tx_head[u->kind] = (m->tx_head[u->kind] + 1) % HB_TX_QUEUE;
		m->tx_count[u->kind]--;
		m->tx_bytes -= u->wire;
		if (u->has_seq)
			return_seq(m, u->seq);
		if (u->dead) {
			if (u->kind == HB_CPL && u->final)
				hb_complete_arrived(m, u->tag, u->status);
			continue;
		}
		m->up_budget -= u->wire;
		credits_take(m, u);
		count_up(m, u);
		root_receive(m->root, u);
	}
}

/* ------------------------------------------------------------------------------------------ RC */

unsigned int hb_rc_room(const struct vhp_model *m)
{
	return HB_RC_QUEUE - m->rc_count;
}

void hb_rc_push(struct vhp_model *m, const struct hb_cpl *cpl)
{
	struct hb_cpl *slot = &m->rc_q[(m->rc_head + m->rc_count) % HB_RC_QUEUE];

	if (m->rc_count == HB_RC_QUEUE)
		abort(); /* cannot be: two per tag at most */
	memcpy(slot, cpl, offsetof(struct hb_cpl, data) + cpl->dwords * 4);
	m->rc_count++;
	if (cpl->completed && cpl->code != 6)
		m->tags[cpl->tag].closing = true;
	if (cpl->dwords == 0)
		return;
	m->rc_buf_hdrs++;
	m->rc_buf_bytes += cpl->dwords * 4;
	if (m->rc_buf_hdrs > m->cfg.cpl_headers || m->rc_buf_bytes > m->cfg.cpl_bytes)
		hb_violation(m, "rc-buffer-overrun", NULL, "the completion buffer holds %u headers and %u bytes",
			     m->rc_buf_hdrs, m->rc_buf_bytes);
}

/* Dwords of a packet, with its descriptor. */
static unsigned int rc_dwords(const struct hb_cpl *c)
{
	return 3 + (c->lost ? c->lost : c->dwords);
}

static void rc_sample(struct vhp_model *m)
{
	struct hb_cpl *c = &m->rc_q[m->rc_head];
	unsigned int beats;

	if (!m->in.m_axis_rc_tvalid)
		return;
	if (!(m->out.m_axis_rc_tready & 1)) {
		m->st.rc_stall++;
		return;
	}
	m->st.rc_beats++;
	if (m->rc_beat == 0 && c->code != 6 && m->tags[c->tag].active) {
		struct hb_tag *t = &m->tags[c->tag];

		t->left = c->completed ? 0 : t->left - (c->code == 0 || c->code == 1 ? c->bytes : 0);
		tag_account(m, t);
	}
	beats = (rc_dwords(c) + 15) / 16;
	if (++m->rc_beat < beats)
		return;
	if (c->dwords) {
		m->rc_buf_hdrs--;
		m->rc_buf_bytes -= c->dwords * 4;
	}
	if (c->completed && c->code != 6)
		tag_free(m, c->tag);
	m->rc_beat = 0;
	m->rc_head = (m->rc_head + 1) % HB_RC_QUEUE;
	m->rc_count--;
}

static void rc_descriptor(const struct vhp_model *m, const struct hb_cpl *c, uint32_t d[3])
{
	d[0] = d[1] = d[2] = 0;
	bits_or(d, 0, 12, c->lower);
	bits_or(d, 12, 4, c->code);
	bits_or(d, 16, 13, c->byte_count);
	bits_or(d, 30, 1, c->completed);
	bits_or(d, 32, 11, c->dwords);
	bits_or(d, 43, 3, c->status);
	bits_or(d, 46, 1, c->poisoned);
	bits_or(d, 48, 16, hb_number(c->fn));
	bits_or(d, 64, 8, c->tag);
	bits_or(d, 89, 3, c->tc);
	bits_or(d, 92, 3, c->attr);
	(void)m;
}

static void rc_drive(struct vhp_model *m)
{
	struct vhp_edge_in *in = &m->in;
	const struct hb_cpl *c = &m->rc_q[m->rc_head];
	unsigned int total, from, n, first_byte, end_byte;

	/* A beat that was offered and not taken stays. */
	if (in->m_axis_rc_tvalid && !(m->out.m_axis_rc_tready & 1) && m->out_valid)
		return;
	in->m_axis_rc_tvalid = 0;
	if (!m->rc_count || !rng_pct(&m->rc_rng, m->cfg.rc_valid_pct))
		return;
	total = rc_dwords(c);
	from = m->rc_beat * 16;
	n = total - from < 16 ? total - from : 16;
	memset(in->m_axis_rc_tdata, 0, sizeof(in->m_axis_rc_tdata));
	memset(in->m_axis_rc_tuser, 0, sizeof(in->m_axis_rc_tuser));
	if (from == 0) {
		rc_descriptor(m, c, in->m_axis_rc_tdata);
		memcpy(&in->m_axis_rc_tdata[3], c->data, (n - 3) * 4);
		bits_or(in->m_axis_rc_tuser, 64, 2, 1);
	} else {
		memcpy(in->m_axis_rc_tdata, &c->data[from - 3], n * 4);
	}
	in->m_axis_rc_tkeep = (uint16_t)((1u << n) - 1);
	in->m_axis_rc_tlast = from + n == total;
	if (in->m_axis_rc_tlast) {
		bits_or(in->m_axis_rc_tuser, 76, 2, 1);
		bits_or(in->m_axis_rc_tuser, 80, 4, n - 1);
		bits_or(in->m_axis_rc_tuser, 96, 1, c->lost != 0);
	}
	/* byte_en marks payload bytes, counted from the packet's start. */
	first_byte = 12 + (c->lower & 3);
	end_byte = first_byte + c->bytes;
	for (unsigned int i = 0; c->dwords && i < n * 4; i++)
		if (from * 4 + i >= first_byte && from * 4 + i < end_byte)
			in->m_axis_rc_tuser[i / 32] |= 1u << (i % 32);
	in->m_axis_rc_tvalid = 1;
}

/* ------------------------------------------------------------------------------------------ cycle */

void hb_request_sample(struct vhp_model *m)
{
	const struct vhp_edge_out *o = &m->out;
	bool ready = m->in.s_axis_rq_tready & 1;
	struct hb_beat b;

	rc_sample(m);
	if (hb_sink_sample(m, &m->rq, o->s_axis_rq_tvalid, ready, o->s_axis_rq_tdata, o->s_axis_rq_tkeep,
			   o->s_axis_rq_tlast, o->s_axis_rq_tuser, 5, 20, &b)) {
		rq_beat(m, &b);
	} else if (o->s_axis_rq_tvalid) {
		m->st.rq_stall++;
		if (m->tx_count[HB_READ] >= m->cfg.np_queue)
			m->st.rq_stall_np++;
	}
	for (unsigned int f = 0; ready && f < m->cfg.nfn; f++) {
		if (hb_bme(m, f))
			m->fn[f].bme_lost = 0;
		else if (m->fn[f].bme_lost < UINT32_MAX)
			m->fn[f].bme_lost++;
	}
	link_up(m);
}

static unsigned int cap(unsigned int limit, unsigned int used, unsigned int max)
{
	unsigned int left = used < limit ? limit - used : 0;

	return left < max ? left : max;
}

void hb_request_drive(struct vhp_model *m)
{
	struct vhp_edge_in *in = &m->in;
	bool room = m->tx_bytes < m->cfg.tx_queue && m->tx_count[HB_READ] < m->cfg.np_queue &&
		m->tx_count[HB_WRITE] < HB_TX_QUEUE / 4;
	unsigned int nph = cap(m->cfg.nph, m->nph_used + m->tx_count[HB_READ], 127);

	rc_drive(m);
	in->s_axis_rq_tready = room && rng_pct(&m->rq_rng, m->cfg.rq_ready_pct) ? 0xf : 0;
	in->pcie_rq_seq_num_vld0 = in->pcie_rq_seq_num_vld1 = 0;
	if (m->seq_count) {
		in->pcie_rq_seq_num0 = m->seq_q[m->seq_head];
		in->pcie_rq_seq_num_vld0 = 1;
		m->seq_head = (m->seq_head + 1) % HB_TX_QUEUE;
		m->seq_count--;
	}
	if (m->seq_count) {
		in->pcie_rq_seq_num1 = m->seq_q[m->seq_head];
		in->pcie_rq_seq_num_vld1 = 1;
		m->seq_head = (m->seq_head + 1) % HB_TX_QUEUE;
		m->seq_count--;
	}
	in->pcie_tfc_nph_av = (uint8_t)(nph < 15 ? nph : 15);
	in->pcie_tfc_npd_av = 15;
	/* Only "transmit credits available" is modelled; the other selections read 0. */
	if (m->out.cfg_fc_sel == 4) {
		in->cfg_fc_ph = (uint8_t)cap(m->cfg.ph, m->ph_used + m->tx_count[HB_WRITE], 127);
		in->cfg_fc_pd = (uint16_t)cap(m->cfg.pd, m->pd_used + m->tx_bytes / 16, 2047);
		in->cfg_fc_nph = (uint8_t)nph;
		in->cfg_fc_npd = 2047;
		in->cfg_fc_cplh = 127;
		in->cfg_fc_cpld = 2047;
	} else {
		in->cfg_fc_ph = in->cfg_fc_nph = in->cfg_fc_cplh = 0;
		in->cfg_fc_pd = in->cfg_fc_npd = in->cfg_fc_cpld = 0;
	}
}

bool hb_request_idle(const struct vhp_model *m)
{
	return !m->tags_active && !m->tx_count[0] && !m->tx_count[1] && !m->tx_count[2] && !m->rc_count &&
		!m->seq_count && !m->cred_count && !m->rq.in_pkt && !m->rq.waiting && !m->in.pcie_rq_seq_num_vld0;
}

void hb_request_flr(struct vhp_model *m, unsigned int fn)
{
	root_cancel(m->root, fn);
	for (unsigned int i = 0; i < m->tx_count[HB_READ]; i++) {
		struct hb_up *u = &m->tx[HB_READ][(m->tx_head[HB_READ] + i) % HB_TX_QUEUE];

		if (u->fn == fn)
			u->dead = true;
	}
	for (unsigned int tag = 0; tag < HB_TAGS; tag++)
		if (m->tags[tag].active && m->tags[tag].fn == fn && !m->tags[tag].closing)
			end_read(m, tag, 8, 0);
}

bool hb_request_pending(const struct vhp_model *m, unsigned int fn)
{
	for (unsigned int tag = 0; tag < HB_TAGS; tag++)
		if (m->tags[tag].active && m->tags[tag].fn == fn)
			return true;
	return false;
}
