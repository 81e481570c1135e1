/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completer side of the block: CQ delivery with non-posted credit, CC with its rules.
 */
#include "hardblock.h"
#include "rootcomplex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST_ID 0x0008u /* requester ID of the host's accesses: bus 0, device 1 */
#define POSTED 0
#define NONPOSTED 1

void hb_complete_init(struct vhp_model *m)
{
	m->cc.name = "cc";
	rng_seed(&m->cq_rng, m->cfg.seed, 3);
	rng_seed(&m->cc_rng, m->cfg.seed, 4);
	m->cq_q[0] = calloc(HB_CQ_QUEUE, sizeof(*m->cq_q[0]));
	m->cq_q[1] = calloc(HB_CQ_QUEUE, sizeof(*m->cq_q[1]));
	m->cq_open = calloc(HB_TAGS, sizeof(*m->cq_open));
	if (!m->cq_q[0] || !m->cq_q[1] || !m->cq_open)
		abort();
	m->cq_now = -1;
}

void hb_complete_free(struct vhp_model *m)
{
	free(m->cq_q[0]);
	free(m->cq_q[1]);
	free(m->cq_open);
}

static bool posted(unsigned int type)
{
	return type == 1 || (type >= 12 && type <= 14);
}

static bool has_payload(unsigned int type)
{
	return type == 1 || (type >= 3 && type <= 6);
}

int vhp_model_cq(struct vhp_model *m, const struct vhp_cq *req,
		 void (*done)(void *arg, const struct vhp_cq_result *res), void *arg)
{
	int k = posted(req->type) ? POSTED : NONPOSTED;
	struct hb_cq_entry *e = &m->cq_q[k][(m->cq_head[k] + m->cq_count[k]) % HB_CQ_QUEUE];

	if (req->dwords < 1 || req->dwords > 1024 || req->fn >= m->cfg.nfn || req->bar > 5 ||
	    (req->discontinue && !has_payload(req->type)))
		return -EINVAL;
	if (!vhp_model_present(m, req->fn))
		return -ENXIO;
	if (m->link_down)
		return -EIO;
	if (m->cq_count[k] == HB_CQ_QUEUE)
		return -ENOSPC;
	e->req = *req;
	e->done = done;
	e->arg = arg;
	e->addr = (hb_bar_addr(m, req->fn, req->bar) + req->off) & ~3ull;
	e->order = m->cq_order++;
	e->dead = false;
	if (req->data)
		memcpy(e->data, req->data, req->dwords * 4);
	else
		memset(e->data, 0, req->dwords * 4);
	e->req.data = NULL;
	m->cq_count[k]++;
	return 0;
}

/* ------------------------------------------------------------------------------------------ CQ */

static void cq_pop(struct vhp_model *m, int k)
{
	m->cq_head[k] = (m->cq_head[k] + 1) % HB_CQ_QUEUE;
	m->cq_count[k]--;
}

static bool take_tag(struct vhp_model *m, unsigned int *tag)
{
	for (unsigned int i = 0; i < HB_TAGS; i++) {
		unsigned int t = (m->cq_next_tag + i) % HB_TAGS;

		if (!m->cq_open[t].active) {
			*tag = t;
			m->cq_next_tag = t + 1;
			return true;
		}
	}
	return false;
}

/* The request that may go next: non-posted ones wait for credit and for older writes, writes pass them. */
static int cq_pick(struct vhp_model *m)
{
	for (int k = 0; k < 2; k++)
		while (m->cq_count[k] && m->cq_q[k][m->cq_head[k]].dead)
			cq_pop(m, k);
	if (m->cq_count[NONPOSTED] && m->np_credit &&
	    (!m->cq_count[POSTED] ||
	     m->cq_q[POSTED][m->cq_head[POSTED]].order > m->cq_q[NONPOSTED][m->cq_head[NONPOSTED]].order))
		return NONPOSTED;
	return m->cq_count[POSTED] ? POSTED : -1;
}

static void cq_start(struct vhp_model *m)
{
	int k = cq_pick(m);
	struct hb_cq_entry *e;
	struct vhp_fn_stats *st;
	uint32_t *d = m->cq_pkt;
	unsigned int payload;

	if (k < 0 || !rng_pct(&m->cq_rng, m->cfg.cq_valid_pct))
		return;
	e = &m->cq_q[k][m->cq_head[k]];
	payload = has_payload(e->req.type) ? e->req.dwords : 0;
	e->tag = 0;
	if (k == NONPOSTED && !take_tag(m, &e->tag))
		return;
	if (!root_down_take(m->root, 24 + payload * 4))
		return;
	memset(d, 0, 16);
	bits_or(d, 0, 64, e->addr);
	bits_or(d, 64, 11, e->req.dwords);
	bits_or(d, 75, 4, e->req.type);
	bits_or(d, 80, 16, HOST_ID);
	bits_or(d, 96, 8, e->tag);
	bits_or(d, 104, 8, hb_number(e->req.fn));
	bits_or(d, 112, 3, e->req.bar);
	bits_or(d, 115, 6, (unsigned int)__builtin_ctzll(vhp_model_bar_size(e->req.fn, e->req.bar) | 1ull << 63));
	bits_or(d, 121, 3, e->req.tc);
	bits_or(d, 124, 3, e->req.attr);
	memcpy(&d[4], e->data, payload * 4);
	if (e->req.discontinue) {
		for (unsigned int i = 0; i < payload; i++)
			d[4 + i] = ~d[4 + i];
		if (rng_pct(&m->cq_rng, 50))
			payload = 1 + rng_below(&m->cq_rng, payload);
	}
	m->cq_pkt_dw = 4 + payload;
	m->cq_now = k;
	m->cq_beat = 0;
	st = &m->st.fn[e->req.fn];
	if (k == POSTED) {
		st->cq_wr.tlps++;
		st->cq_wr.bytes += 24 + payload * 4;
	} else {
		st->cq_rd.tlps++;
		st->cq_rd.bytes += 24 + payload * 4;
		m->np_credit--;
	}
}

static void cq_drive(struct vhp_model *m)
{
	struct vhp_edge_in *in = &m->in;
	const struct hb_cq_entry *e;
	unsigned int from, n;

	if (in->m_axis_cq_tvalid && !(m->out.m_axis_cq_tready & 1) && m->out_valid)
		return;
	in->m_axis_cq_tvalid = 0;
	if (m->cq_now < 0)
		cq_start(m);
	else if (!rng_pct(&m->cq_rng, m->cfg.cq_valid_pct))
		return;
	if (m->cq_now < 0)
		return;
	e = &m->cq_q[m->cq_now][m->cq_head[m->cq_now]];
	from = m->cq_beat * 16;
	n = m->cq_pkt_dw - from < 16 ? m->cq_pkt_dw - from : 16;
	memset(in->m_axis_cq_tdata, 0, sizeof(in->m_axis_cq_tdata));
	memset(in->m_axis_cq_tuser, 0, sizeof(in->m_axis_cq_tuser));
	memcpy(in->m_axis_cq_tdata, &m->cq_pkt[from], n * 4);
	in->m_axis_cq_tkeep = (uint16_t)((1u << n) - 1);
	in->m_axis_cq_tlast = from + n == m->cq_pkt_dw;
	if (from == 0) {
		bits_or(in->m_axis_cq_tuser, 0, 4, e->req.first_be);
		bits_or(in->m_axis_cq_tuser, 8, 4, e->req.last_be);
		bits_or(in->m_axis_cq_tuser, 80, 2, 1);
	}
	if (in->m_axis_cq_tlast) {
		bits_or(in->m_axis_cq_tuser, 86, 2, 1);
		bits_or(in->m_axis_cq_tuser, 88, 4, n - 1);
		bits_or(in->m_axis_cq_tuser, 96, 1, e->req.discontinue);
	}
	for (unsigned int i = from < 4 ? 4 - from : 0; i < n; i++) {
		unsigned int dw = from + i - 4;
		unsigned int be = dw == 0 ? e->req.first_be : dw == e->req.dwords - 1 ? e->req.last_be : 0xf;

		bits_or(in->m_axis_cq_tuser, 16 + i * 4, 4, be);
	}
	in->m_axis_cq_tvalid = 1;
}

static void open_request(struct vhp_model *m, const struct hb_cq_entry *e)
{
	struct hb_cq_open *o = &m->cq_open[e->tag];

	o->active = true;
	o->answered = false;
	o->zombie = e->dead;
	o->e = *e;
	o->since = m->cycle;
	memcpy(o->desc, m->cq_pkt, sizeof(o->desc));
	if (e->req.type == 0 || e->req.type == 7) {
		o->bytes = hb_be_bytes(e->req.dwords, e->req.first_be, e->req.last_be, &o->offset);
	} else {
		o->bytes = 4;
		o->offset = 0;
	}
	o->got_bytes = o->got_dw = 0;
	m->cq_open_count++;
}

static void cq_sample(struct vhp_model *m)
{
	struct hb_cq_entry *e;

	if (!m->in.m_axis_cq_tvalid)
		return;
	if (!(m->out.m_axis_cq_tready & 1)) {
		m->st.cq_stall++;
		return;
	}
	m->st.cq_beats++;
	m->cq_beat++;
	if (!m->in.m_axis_cq_tlast)
		return;
	e = &m->cq_q[m->cq_now][m->cq_head[m->cq_now]];
	if (m->cq_now == NONPOSTED && !e->req.discontinue)
		open_request(m, e);
	cq_pop(m, m->cq_now);
	/* Nobody answers a non-posted request that the block lost: the host's time limit ends it. */
	if ((m->cq_now == POSTED || e->req.discontinue) && e->done && !e->dead)
		e->done(e->arg, &(struct vhp_cq_result){ .status = m->cq_now == POSTED ? 0 : 7 });
	m->cq_now = -1;
}

/* ------------------------------------------------------------------------------------------ CC */

static void finish(struct vhp_model *m, struct hb_cq_open *o, unsigned int status)
{
	bool tell = !o->zombie && o->e.done;

	o->active = false;
	m->cq_open_count--;
	if (tell)
		o->e.done(o->e.arg, &(struct vhp_cq_result){ .status = status, .dwords = o->got_dw, .data = o->rdata });
}

#define FAIL(rule, ...)                                \
	do {                                           \
		hb_violation(m, rule, b, __VA_ARGS__); \
		m->cc.drop = true;                     \
		return;                                \
	} while (0)

/* An unsuccessful completion carries the request for the error log: first_be, last_be, TPH; then the CQ descriptor. */
static void check_error_body(struct vhp_model *m, const struct hb_beat *b)
{
	const struct hb_cq_open *o = m->cc_now;
	const uint32_t *p = m->cc.pkt;

	if (p[3] != (o->e.req.first_be | o->e.req.last_be << 4) || memcmp(&p[4], o->desc, 16))
		FAIL("cc-error-body",
		     "dwords 3..7 of a UR or CA completion must be first_be/last_be/TPH and the CQ descriptor");
}

static void check_data(struct vhp_model *m, const struct hb_beat *b, unsigned int lower, unsigned int count,
		       unsigned int dwords)
{
	const struct hb_cq_open *o = m->cc_now;
	bool mem = o->e.req.type == 0 || o->e.req.type == 7;
	uint64_t next = o->e.addr + o->offset + o->got_bytes, end;
	unsigned int left = o->bytes - o->got_bytes, all = ((next & 3) + left + 3) / 4;

	if (o->e.req.type == 3) {
		if (dwords)
			FAIL("cc-dword-count", "completion of an I/O write with %u dwords", dwords);
		return;
	}
	if (!mem && o->e.req.type != 2)
		FAIL("cc-status", "successful completion of request type %u, which the card does not support",
		     o->e.req.type);
	if (count != left)
		FAIL("cc-byte-count", "byte count %u, %u bytes are left of the request", count, left);
	if (mem && lower != (next & 0x7f))
		FAIL("cc-lower-address", "lower address 0x%02x, next byte is 0x%02llx", lower,
		     (unsigned long long)(next & 0x7f));
	if (dwords == 0 || dwords > all)
		FAIL("cc-dword-count", "%u dwords, %u are left of the request", dwords, all);
	if (dwords * 4 > hb_mps(m, o->e.req.fn))
		FAIL("cc-mps", "%u bytes of payload, MPS is %u", dwords * 4, hb_mps(m, o->e.req.fn));
	end = (next & ~3ull) + dwords * 4;
	if (dwords < all && end % 128)
		FAIL("cc-rcb", "completion ends at 0x%llx, neither the request's end nor a 128-byte boundary",
		     (unsigned long long)end);
}

static void cc_first(struct vhp_model *m, const struct hb_beat *b)
{
	const uint32_t *d = m->cc.pkt;
	unsigned int tag, status, dwords;
	struct hb_cq_open *o;

	m->cc_now = NULL;
	if (m->cc.drop)
		return;
	if (b->valid_dw < 3)
		FAIL("cc-length", "descriptor of %u dwords", b->valid_dw);
	tag = bits_get(d, 64, 8);
	status = bits_get(d, 43, 3);
	dwords = bits_get(d, 32, 11);
	o = &m->cq_open[tag];
	if (bits_get(d, 48, 16) != HOST_ID || !o->active || o->answered)
		FAIL("cc-unexpected", "completion for requester 0x%04x tag %u, which has no request open",
		     (unsigned int)bits_get(d, 48, 16), tag);
	m->cc_now = o;
	if (bits_get(d, 7, 1) || bits_get(d, 8, 2) || bits_get(d, 10, 6) || bits_get(d, 30, 2) || bits_get(d, 47, 1) ||
	    bits_get(d, 95, 1))
		FAIL("cc-reserved", "address type, reserved bits or force ECRC are not 0");
	if (bits_get(d, 46, 1))
		FAIL("cc-poison", "poisoned completion");
	if (bits_get(d, 29, 1) != (o->e.req.type == 7))
		FAIL("cc-locked", "locked bit does not fit the request");
	if (bits_get(d, 72, 8) != hb_number(o->e.req.fn))
		FAIL("cc-function", "completer function %u, the request went to function %u",
		     (unsigned int)bits_get(d, 72, 8), hb_number(o->e.req.fn));
	if (bits_get(d, 80, 9))
		FAIL("cc-completer-id",
		     "completer bus or completer-ID enable set; the block inserts the bus of an endpoint");
	if (bits_get(d, 89, 3) != o->e.req.tc || bits_get(d, 92, 3) != o->e.req.attr)
		FAIL("cc-attr", "TC or attributes differ from the request's");
	if (status != 0 && status != 1 && status != 4)
		FAIL("cc-status", "completion status %u", status);
	if (status) {
		if (dwords)
			FAIL("cc-dword-count", "UR or CA with dword count %u instead of 0", dwords);
		if ((o->e.req.type == 0 || o->e.req.type == 7) && bits_get(d, 16, 13) != o->bytes - o->got_bytes)
			FAIL("cc-byte-count", "byte count %u, %u bytes are left of the request",
			     (unsigned int)bits_get(d, 16, 13), o->bytes - o->got_bytes);
		m->cc.expect = 8;
		return;
	}
	m->cc.expect = 3 + dwords;
	check_data(m, b, bits_get(d, 0, 7), bits_get(d, 16, 13), dwords);
}

#undef FAIL

static void cc_done(struct vhp_model *m, const struct hb_beat *b)
{
	struct hb_cq_open *o = m->cc_now;
	const uint32_t *d = m->cc.pkt;
	unsigned int status = bits_get(d, 43, 3), dwords = bits_get(d, 32, 11);
	struct hb_up u = { .fn = o->e.req.fn,
			   .tag = o->e.tag,
			   .dwords = dwords,
			   .wire = 20 + dwords * 4,
			   .kind = HB_CPL,
			   .status = status };
	struct hb_up *slot = &m->tx[HB_CPL][(m->tx_head[HB_CPL] + m->tx_count[HB_CPL]) % HB_TX_QUEUE];

	if (status) {
		check_error_body(m, b);
		if (m->cc.drop)
			return;
	}
	if (!status) {
		memcpy(&o->rdata[o->got_dw], &d[3], dwords * 4);
		o->got_bytes += dwords * 4 - ((o->e.addr + o->offset + o->got_bytes) & 3);
		o->got_dw += dwords;
	}
	/* It reaches the host behind the posted writes before it. */
	u.final = status || o->got_bytes >= o->bytes || o->e.req.type == 3;
	o->answered = u.final;
	memcpy(slot, &u, offsetof(struct hb_up, data));
	slot->order = m->tx_order++;
	m->tx_count[HB_CPL]++;
	m->tx_bytes += u.wire;
}

void hb_complete_arrived(struct vhp_model *m, unsigned int tag, unsigned int status)
{
	finish(m, &m->cq_open[tag], status);
}

static void cc_sample(struct vhp_model *m)
{
	const struct vhp_edge_out *out = &m->out;
	struct hb_beat b;

	if (!hb_sink_sample(m, &m->cc, out->s_axis_cc_tvalid, m->in.s_axis_cc_tready & 1, out->s_axis_cc_tdata,
			    out->s_axis_cc_tkeep, out->s_axis_cc_tlast, out->s_axis_cc_tuser, 3, 0, &b)) {
		m->st.cc_stall += out->s_axis_cc_tvalid;
		return;
	}
	m->st.cc_beats++;
	if (b.first)
		cc_first(m, &b);
	if (bits_get(b.user, 16, 1)) {
		hb_violation(m, "cc-discontinue", &b, "discontinue is set");
		m->cc.drop = true;
	}
	if (hb_sink_length(m, &m->cc, &b) && b.last)
		cc_done(m, &b);
}

static void check_timeout(struct vhp_model *m)
{
	for (unsigned int t = 0; t < HB_TAGS; t++) {
		struct hb_cq_open *o = &m->cq_open[t];

		if (!o->active || o->answered || m->cycle - o->since < m->cfg.cc_timeout)
			continue;
		if (!o->zombie)
			hb_violation(m, "cc-timeout", NULL,
				     "no completion after %u cycles: function %u BAR %u offset 0x%llx type %u",
				     m->cfg.cc_timeout, o->e.req.fn, o->e.req.bar, (unsigned long long)o->e.req.off,
				     o->e.req.type);
		finish(m, o, 7);
	}
}

/* ------------------------------------------------------------------------------------------ cycle */

void hb_complete_sample(struct vhp_model *m)
{
	cq_sample(m);
	cc_sample(m);
	if (m->cq_open_count && m->cycle % 64 == 0)
		check_timeout(m);
}

void hb_complete_drive(struct vhp_model *m)
{
	unsigned int inc = m->out.pcie_cq_np_req & 3;

	m->np_credit += inc == 3 ? 2 : inc & 1;
	if (m->np_credit > 32)
		m->np_credit = 32;
	cq_drive(m);
	m->in.pcie_cq_np_req_count = (uint8_t)m->np_credit;
	m->in.s_axis_cc_tready = m->tx_bytes < m->cfg.tx_queue && m->tx_count[HB_CPL] < HB_TX_QUEUE / 2 &&
			rng_pct(&m->cc_rng, m->cfg.cc_ready_pct)
		? 0xf
		: 0;
}

bool hb_complete_idle(const struct vhp_model *m)
{
	return !m->cq_count[0] && !m->cq_count[1] && m->cq_now < 0 && !m->cq_open_count && !m->cc.in_pkt &&
		!m->cc.waiting && !m->in.m_axis_cq_tvalid;
}

void hb_complete_clear(struct vhp_model *m)
{
	for (unsigned int fn = 0; fn < m->cfg.nfn; fn++)
		hb_complete_flr(m, fn);
	memset(m->cq_count, 0, sizeof(m->cq_count));
	memset(m->cq_open, 0, HB_TAGS * sizeof(*m->cq_open));
	m->cq_open_count = m->np_credit = 0;
	m->cq_now = -1;
	m->cc = (struct hb_sink){ .name = m->cc.name };
	m->cc_now = NULL;
}

void hb_complete_flr(struct vhp_model *m, unsigned int fn)
{
	static const struct vhp_cq_result gone = { .status = 7 };

	for (int k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < m->cq_count[k]; i++) {
			struct hb_cq_entry *e = &m->cq_q[k][(m->cq_head[k] + i) % HB_CQ_QUEUE];

			if (e->req.fn != fn || e->dead)
				continue;
			e->dead = true;
			if (e->done)
				e->done(e->arg, &gone);
		}
	}
	for (unsigned int t = 0; t < HB_TAGS; t++) {
		struct hb_cq_open *o = &m->cq_open[t];

		if (!o->active || o->e.req.fn != fn || o->zombie)
			continue;
		o->zombie = true;
		if (o->e.done)
			o->e.done(o->e.arg, &gone);
	}
}
