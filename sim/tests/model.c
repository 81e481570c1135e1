/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the model itself: a card played in C breaks each rule of the edge once, and must be told so by that rule's
 * name in the cycle where it happens; a card that keeps the rules must never be. Completions are checked on random reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "vhp_model.h"

#define MAX_BEATS 600

struct beat {
	uint32_t data[16], user[6];
	uint16_t keep;
	uint8_t last;
};

/* The card: plays queued beats on RQ and CC, records CQ and RC. */
struct card {
	struct beat rq[MAX_BEATS], cc[MAX_BEATS];
	unsigned int rq_n, rq_at, cc_n, cc_at;
	struct beat cq, rc[MAX_BEATS]; /* last CQ packet's first beat, all RC beats */
	unsigned int cq_n, rc_n;
	struct vhp_edge_in in;
	struct vhp_edge_out force; /* other outputs */
	bool ext_pending, mute_ext, flicker, drop_valid;
	unsigned int cycle;
};

struct test {
	struct card card;
	struct vhp_model_config cfg;
	struct vhp_model *m;
	char rule[64];
	unsigned int violations;
	uint64_t when;
	uint8_t *mem;
};

static unsigned int passed, failed;

static void verdict(bool ok, const char *name, const char *detail)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED %s: %s\n", name, detail);
}

static void settle(void *top, const struct vhp_edge_in *in, struct vhp_edge_out *out)
{
	struct card *c = top;

	c->in = *in;
	*out = c->force;
	out->m_axis_rc_tready = out->m_axis_cq_tready = 1;
	out->pcie_cq_np_req = 1;
	out->cfg_config_space_enable = 1;
	out->card_idle_o = 1;
	out->cfg_ext_read_data_valid = c->ext_pending && !c->mute_ext;
	out->cfg_ext_read_data = 0x12345678;
	if (c->rq_at < c->rq_n && !(c->drop_valid && c->cycle % 2)) {
		const struct beat *b = &c->rq[c->rq_at];

		memcpy(out->s_axis_rq_tdata, b->data, sizeof(b->data));
		memcpy(out->s_axis_rq_tuser, b->user, sizeof(out->s_axis_rq_tuser));
		out->s_axis_rq_tkeep = b->keep;
		out->s_axis_rq_tlast = b->last;
		out->s_axis_rq_tvalid = 1;
		if (c->flicker)
			out->s_axis_rq_tdata[15] = c->cycle;
	}
	if (c->cc_at < c->cc_n) {
		const struct beat *b = &c->cc[c->cc_at];

		memcpy(out->s_axis_cc_tdata, b->data, sizeof(b->data));
		memcpy(out->s_axis_cc_tuser, b->user, sizeof(out->s_axis_cc_tuser));
		out->s_axis_cc_tkeep = b->keep;
		out->s_axis_cc_tlast = b->last;
		out->s_axis_cc_tvalid = 1;
	}
}

static void edge(void *top)
{
	struct card *c = top;

	c->cycle++;
	c->ext_pending = c->in.cfg_ext_read_received;
	if (c->in.user_reset)
		return;
	if (c->rq_at < c->rq_n && c->in.s_axis_rq_tready && !(c->drop_valid && (c->cycle - 1) % 2))
		c->rq_at++;
	if (c->cc_at < c->cc_n && c->in.s_axis_cc_tready)
		c->cc_at++;
	if (c->in.m_axis_cq_tvalid) {
		memcpy(c->cq.data, c->in.m_axis_cq_tdata, sizeof(c->cq.data));
		memcpy(c->cq.user, c->in.m_axis_cq_tuser, sizeof(c->cq.user));
		c->cq_n++;
	}
	if (c->in.m_axis_rc_tvalid && c->rc_n < MAX_BEATS) {
		struct beat *b = &c->rc[c->rc_n++];

		memcpy(b->data, c->in.m_axis_rc_tdata, sizeof(b->data));
		memcpy(b->user, c->in.m_axis_rc_tuser, sizeof(b->user));
		b->keep = c->in.m_axis_rc_tkeep;
		b->last = c->in.m_axis_rc_tlast;
	}
}

static const struct vhp_top_ops ops = { .settle = settle, .edge = edge };

static bool on_violation(void *arg, const char *rule, const char *text)
{
	struct test *t = arg;

	(void)text;
	if (t->violations++ == 0) {
		snprintf(t->rule, sizeof(t->rule), "%s", rule);
		t->when = t->m ? vhp_model_cycle(t->m) : 0;
	}
	return true;
}

static struct test *begin(uint64_t seed)
{
	struct test *t = calloc(1, sizeof(*t));

	vhp_model_defaults(&t->cfg);
	t->cfg.seed = seed;
	t->cfg.arg = t;
	t->cfg.on_violation = on_violation;
	t->mem = malloc(1 << 20);
	for (unsigned int i = 0; i < 1 << 20; i++)
		t->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	return t;
}

static void power_on(struct test *t)
{
	t->m = vhp_model_create(&t->cfg, &ops, &t->card);
	if (!t->m)
		exit(1);
	for (unsigned int fn = 0; fn < 2; fn++) /* function 2 stays without bus mastership */
		vhp_model_enable(t->m, fn);
	vhp_model_mem_map(t->m, 1, 0x100000, 1 << 20, t->mem, VHP_MEM_READ | VHP_MEM_WRITE);
	vhp_model_step(t->m, 100);
}

static void end(struct test *t)
{
	vhp_model_destroy(t->m);
	free(t->mem);
	free(t);
}

/* ------------------------------------------------------------------------------------------ RQ */

/* Queue a request of function 1 as a correct card sends it. Returns its first beat. */
static struct beat *request(struct card *c, bool write, uint64_t addr, unsigned int dwords, unsigned int tag)
{
	struct beat *first = &c->rq[c->rq_n];
	unsigned int total = 4 + (write ? dwords : 0);
	uint32_t pkt[4 + 1024] = { 0 };

	bits_or(pkt, 0, 64, addr);
	bits_or(pkt, 64, 11, dwords);
	bits_or(pkt, 75, 4, write);
	bits_or(pkt, 80, 8, 1);
	bits_or(pkt, 96, 8, tag);
	for (unsigned int i = 4; i < total; i++)
		pkt[i] = 0xc0de0000u + i;
	for (unsigned int at = 0; at < total; at += 16) {
		struct beat *b = &c->rq[c->rq_n++];
		unsigned int n = total - at < 16 ? total - at : 16;

		memset(b, 0, sizeof(*b));
		memcpy(b->data, &pkt[at], n * 4);
		b->keep = (uint16_t)((1u << n) - 1);
		b->last = at + n == total;
		if (at == 0) {
			bits_or(b->user, 0, 4, 0xf);
			bits_or(b->user, 8, 4, dwords > 1 ? 0xf : 0);
			bits_or(b->user, 20, 2, 1);
		}
		if (b->last) {
			bits_or(b->user, 26, 2, 1);
			bits_or(b->user, 28, 4, n - 1);
		}
	}
	return first;
}

/* A change to one field: to tdata or tuser of the first beat, or to its tkeep or tlast. */
enum where {
	NONE,
	DATA,
	USER,
	KEEP,
	LAST
};

struct mutation {
	const char *rule;
	bool write;
	unsigned int dwords;
	uint64_t addr;
	enum where where;
	unsigned int lsb, bits;
	uint32_t value;
};

static const struct mutation rq_mutations[] = {
	{ "rq-type", false, 4, 0x100000, DATA, 75, 4, 2 },
	{ "rq-at", false, 4, 0x100000, DATA, 0, 2, 1 },
	{ "rq-dword-count", false, 4, 0x100000, DATA, 64, 11, 0 },
	{ "rq-dword-count", false, 4, 0x100000, DATA, 64, 11, 1025 },
	{ "rq-poison", true, 4, 0x100000, DATA, 79, 1, 1 },
	{ "rq-requester-id", false, 4, 0x100000, DATA, 120, 1, 1 },
	{ "rq-requester-id", false, 4, 0x100000, DATA, 88, 8, 3 },
	{ "rq-completer-id", false, 4, 0x100000, DATA, 104, 16, 9 },
	{ "rq-ecrc", true, 4, 0x100000, DATA, 127, 1, 1 },
	{ "rq-function", false, 4, 0x100000, DATA, 80, 8, 3 },
	{ "rq-tuser", false, 4, 0x100000, USER, 16, 4, 1 },
	{ "rq-tuser", false, 4, 0x100000, USER, 37, 24, 1 },
	{ "rq-tuser", false, 4, 0x100000, USER, 4, 4, 0xf },
	{ "rq-byte-enable", false, 4, 0x100000, USER, 0, 4, 0x0 },
	{ "rq-byte-enable", false, 4, 0x100000, USER, 8, 4, 0x0 },
	{ "rq-byte-enable", false, 4, 0x100000, USER, 0, 4, 0xa },
	{ "rq-byte-enable", false, 4, 0x100000, USER, 8, 4, 0x6 },
	{ "rq-byte-enable", false, 1, 0x100000, USER, 8, 4, 0xf },
	{ "rq-4k", false, 8, 0x100ff0, NONE, 0, 0, 0 },
	{ "rq-mps", true, 65, 0x100000, NONE, 0, 0, 0 },
	{ "rq-mrrs", false, 129, 0x100000, NONE, 0, 0, 0 },
	{ "rq-bme", false, 4, 0x100000, DATA, 80, 8, 2 },
	{ "rq-bme", true, 4, 0x100000, DATA, 80, 8, 2 },
	{ "rq-length", false, 4, 0x100000, KEEP, 0, 0, 0x1f },
	{ "rq-length", true, 4, 0x100000, KEEP, 0, 0, 0x7f },
	{ "rq-length", true, 20, 0x100000, LAST, 0, 0, 1 },
	{ "rq-length", false, 4, 0x100000, LAST, 0, 0, 0 },
	{ "rq-tkeep", true, 4, 0x100000, KEEP, 0, 0, 0xef },
	{ "rq-tkeep", true, 4, 0x100000, KEEP, 0, 0, 0x0 },
	{ "rq-tkeep", true, 20, 0x100000, KEEP, 0, 0, 0x7fff },
	{ "rq-framing", false, 4, 0x100000, USER, 20, 2, 0 },
	{ "rq-framing", false, 4, 0x100000, USER, 20, 2, 3 },
	{ "rq-framing", false, 4, 0x100000, USER, 28, 4, 5 },
	{ "rq-discontinue", true, 4, 0x100000, USER, 36, 1, 1 },
	{ "dma-fault", true, 4, 0x400000, NONE, 0, 0, 0 },
	{ "dma-fault", false, 4, 0x400000, NONE, 0, 0, 0 },
	{ "msi-write", true, 2, 0xfee00000, NONE, 0, 0, 0 },
};

static void put(uint32_t *w, unsigned int lsb, unsigned int n, uint32_t v)
{
	for (unsigned int i = 0; i < n; i++) {
		w[(lsb + i) / 32] &= ~(1u << ((lsb + i) % 32));
		w[(lsb + i) / 32] |= (v >> i & 1) << ((lsb + i) % 32);
	}
}

static void mutate(struct beat *b, const struct mutation *mu)
{
	switch (mu->where) {
	case DATA:
		put(b->data, mu->lsb, mu->bits, mu->value);
		break;
	case USER:
		put(b->user, mu->lsb, mu->bits, mu->value);
		break;
	case KEEP:
		b->keep = (uint16_t)mu->value;
		break;
	case LAST:
		b->last = (uint8_t)mu->value;
		break;
	default:
		break;
	}
}

static void expect(struct test *t, const char *name, const char *rule)
{
	char detail[160];

	snprintf(detail, sizeof(detail), "expected rule %s, got %s (%u violations)", rule[0] ? rule : "none",
		 t->violations ? t->rule : "none", t->violations);
	verdict(rule[0] ? t->violations && strcmp(t->rule, rule) == 0 : t->violations == 0, name, detail);
}

static void test_rq_rules(void)
{
	for (unsigned int i = 0; i < sizeof(rq_mutations) / sizeof(rq_mutations[0]); i++) {
		const struct mutation *mu = &rq_mutations[i];
		struct test *t = begin(i + 1);
		char name[64];

		power_on(t);
		mutate(request(&t->card, mu->write, mu->addr, mu->dwords, 5), mu);
		if (strcmp(mu->rule, "rq-length") == 0) { /* nothing else shall be wrong: framing is optional */
			for (unsigned int k = 0; k < t->card.rq_n; k++)
				put(t->card.rq[k].user, 20, 16, 0);
			if (mu->where == LAST && !mu->value)
				t->card.rq[0].keep = 0xffff;
		}
		vhp_model_step(t->m, 800);
		snprintf(name, sizeof(name), "RQ mutation %u", i);
		expect(t, name, mu->rule);
		end(t);
	}
}

static void test_rq_good(void)
{
	struct test *t = begin(3);

	t->cfg.rq_ready_pct = 40;
	power_on(t);
	request(&t->card, true, 0x100000, 1, 0);
	request(&t->card, true, 0x100100, 64, 0);
	request(&t->card, false, 0x101000, 128, 7);
	request(&t->card, false, 0x1ffffc, 1, 8);
	bits_or(request(&t->card, false, 0x100004, 1, 9)->user, 16, 0, 0);
	put(t->card.rq[t->card.rq_n - 1].user, 0, 4, 0); /* zero-length read */
	vhp_model_step(t->m, 2000);
	expect(t, "good requests", "");
	verdict(vhp_model_idle(t->m), "good requests end idle", "not idle");
	verdict(!memcmp(t->mem, "\x04\x00\xde\xc0", 4), "a write lands", "memory has other bytes");
	verdict(vhp_model_stats(t->m)->fn[1].wr.bytes == 24 + 4 + 24 + 256, "bytes up are counted", "another number");
	end(t);
}

static void test_rq_sequences(void)
{
	struct test *t = begin(4);

	power_on(t); /* a tag is used again while its read is open */
	request(&t->card, false, 0x100000, 4, 5);
	request(&t->card, false, 0x100000, 4, 5);
	vhp_model_step(t->m, 50);
	expect(t, "tag reuse", "rq-tag-reuse");
	end(t);

	t = begin(5); /* tag 32 with extended tags off */
	t->cfg.ext_tag = false;
	power_on(t);
	request(&t->card, false, 0x100000, 4, 32);
	vhp_model_step(t->m, 50);
	expect(t, "tag range", "rq-tag-range");
	end(t);

	t = begin(6); /* more headers than the completion buffer can take */
	power_on(t);
	for (unsigned int i = 0; i < 33; i++)
		request(&t->card, false, 0x100000 + i * 512, 128, i);
	vhp_model_step(t->m, 200);
	expect(t, "completion buffer", "rq-completion-buffer");
	end(t);

	t = begin(7);
	t->cfg.rq_ready_pct = 20;
	power_on(t);
	t->card.flicker = true;
	request(&t->card, false, 0x100000, 4, 1);
	request(&t->card, false, 0x100000, 4, 2);
	vhp_model_step(t->m, 100);
	expect(t, "beat changes while it waits", "rq-unstable");
	end(t);

	t = begin(8);
	t->cfg.rq_ready_pct = 20;
	power_on(t);
	t->card.drop_valid = true;
	request(&t->card, true, 0x100000, 60, 1);
	vhp_model_step(t->m, 100);
	expect(t, "valid falls while it waits", "rq-valid-drop");
	end(t);
}

/* ------------------------------------------------------------------------------------------ CC */

struct answer {
	unsigned int status;
	bool done;
	uint32_t data[1024];
	unsigned int dwords;
};

static void answered(void *arg, const struct vhp_cq_result *res)
{
	struct answer *a = arg;

	a->status = res->status;
	a->dwords = res->dwords;
	if (res->dwords)
		memcpy(a->data, res->data, res->dwords * 4);
	a->done = true;
}

/* Queue a completion for the read that the card has just got: bytes [from, from + dwords * 4) of it. */
static struct beat *completion(struct card *c, unsigned int from_dw, unsigned int dwords, unsigned int status)
{
	const uint32_t *q = c->cq.data;
	unsigned int all = bits_get(q, 64, 11), total = status ? 8 : 3 + dwords;
	unsigned int first_be = bits_get(c->cq.user, 0, 4), last_be = bits_get(c->cq.user, 8, 4);
	unsigned int skip = first_be ? (unsigned int)__builtin_ctz(first_be) : 0, bytes;
	struct beat *first = &c->cc[c->cc_n];
	uint32_t pkt[3 + 1024] = { 0 };

	if (all == 1)
		bytes = first_be ? 32 - (unsigned int)__builtin_clz(first_be) - skip : 1;
	else
		bytes = all * 4 - skip - (unsigned int)(__builtin_clz(last_be) - 28);
	if (from_dw) {
		bytes -= from_dw * 4 - skip;
		skip = 0;
	}
	bits_or(pkt, 0, 7, (q[0] + from_dw * 4 + skip) & 0x7f);
	bits_or(pkt, 16, 13, bytes);
	bits_or(pkt, 32, 11, status ? 0 : dwords);
	bits_or(pkt, 43, 3, status);
	bits_or(pkt, 48, 16, bits_get(q, 80, 16));
	bits_or(pkt, 64, 8, bits_get(q, 96, 8));
	bits_or(pkt, 72, 8, bits_get(q, 104, 8));
	bits_or(pkt, 89, 3, bits_get(q, 121, 3));
	bits_or(pkt, 92, 3, bits_get(q, 124, 3));
	if (status) {
		pkt[3] = first_be | last_be << 4;
		memcpy(&pkt[4], q, 16);
	} else {
		for (unsigned int i = 0; i < dwords; i++)
			pkt[3 + i] = 0xda7a0000u + from_dw + i;
	}
	for (unsigned int at = 0; at < total; at += 16) {
		struct beat *b = &c->cc[c->cc_n++];
		unsigned int n = total - at < 16 ? total - at : 16;

		memset(b, 0, sizeof(*b));
		memcpy(b->data, &pkt[at], n * 4);
		b->keep = (uint16_t)((1u << n) - 1);
		b->last = at + n == total;
	}
	return first;
}

static const struct mutation cc_mutations[] = {
	{ "cc-unexpected", false, 4, 0, DATA, 64, 8, 77 },  { "cc-unexpected", false, 4, 0, DATA, 48, 16, 0x1234 },
	{ "cc-reserved", false, 4, 0, DATA, 7, 1, 1 },	    { "cc-reserved", false, 4, 0, DATA, 8, 2, 1 },
	{ "cc-reserved", false, 4, 0, DATA, 95, 1, 1 },	    { "cc-poison", false, 4, 0, DATA, 46, 1, 1 },
	{ "cc-locked", false, 4, 0, DATA, 29, 1, 1 },	    { "cc-function", false, 4, 0, DATA, 72, 8, 2 },
	{ "cc-completer-id", false, 4, 0, DATA, 88, 1, 1 }, { "cc-attr", false, 4, 0, DATA, 89, 3, 1 },
	{ "cc-attr", false, 4, 0, DATA, 92, 3, 1 },	    { "cc-status", false, 4, 0, DATA, 43, 3, 2 },
	{ "cc-byte-count", false, 4, 0, DATA, 16, 13, 15 }, { "cc-lower-address", false, 4, 0, DATA, 0, 7, 4 },
	{ "cc-dword-count", false, 4, 0, DATA, 32, 11, 5 }, { "cc-rcb", false, 4, 0, DATA, 32, 11, 3 },
	{ "cc-length", false, 4, 0, KEEP, 0, 0, 0x3f },	    { "cc-tkeep", false, 4, 0, KEEP, 0, 0, 0x77 },
	{ "cc-discontinue", false, 4, 0, USER, 16, 1, 1 },  { "cc-framing", false, 4, 0, USER, 6, 2, 1 },
};

static void open_read(struct test *t, unsigned int dwords, struct answer *a)
{
	struct vhp_cq q = {
		.fn = 1, .bar = 0, .off = 0x100, .dwords = dwords, .first_be = 0xf, .last_be = dwords > 1 ? 0xf : 0
	};

	memset(a, 0, sizeof(*a));
	vhp_model_cq(t->m, &q, answered, a);
	vhp_model_step(t->m, 10);
}

static void test_cc_rules(void)
{
	struct answer a;

	for (unsigned int i = 0; i < sizeof(cc_mutations) / sizeof(cc_mutations[0]); i++) {
		struct test *t = begin(i + 100);
		char name[64];

		power_on(t);
		open_read(t, 4, &a);
		mutate(completion(&t->card, 0, 4, 0), &cc_mutations[i]);
		vhp_model_step(t->m, 50);
		snprintf(name, sizeof(name), "CC mutation %u", i);
		expect(t, name, cc_mutations[i].rule);
		end(t);
	}

	struct test *t = begin(200); /* one completion, split ones, UR, zero length: all right */

	power_on(t);
	open_read(t, 4, &a);
	completion(&t->card, 0, 4, 0);
	vhp_model_step(t->m, 150);
	verdict(a.done && a.status == 0 && a.dwords == 4 && a.data[3] == 0xda7a0003u, "good completion",
		"result differs");
	open_read(t, 160, &a);
	completion(&t->card, 0, 32, 0);
	completion(&t->card, 32, 64, 0);
	completion(&t->card, 96, 64, 0);
	vhp_model_step(t->m, 150);
	verdict(a.done && a.dwords == 160 && a.data[159] == 0xda7a0000u + 159, "split completion", "result differs");
	open_read(t, 4, &a);
	completion(&t->card, 0, 0, 1);
	vhp_model_step(t->m, 150);
	verdict(a.done && a.status == 1, "UR", "result differs");
	expect(t, "good completions", "");
	open_read(t, 4, &a);
	completion(&t->card, 0, 0, 4)->data[5] ^= 1;
	vhp_model_step(t->m, 50);
	expect(t, "error completion without the request", "cc-error-body");
	end(t);

	t = begin(201);
	power_on(t);
	open_read(t, 65, &a);
	completion(&t->card, 0, 65, 0);
	vhp_model_step(t->m, 50);
	expect(t, "completion above MPS", "cc-mps");
	end(t);

	t = begin(202);
	t->cfg.cc_timeout = 200;
	power_on(t);
	open_read(t, 4, &a);
	vhp_model_step(t->m, 400);
	expect(t, "no completion", "cc-timeout");
	verdict(a.done && a.status == 7, "caller of a read that got no completion", "not told");
	end(t);
}

/* ------------------------------------------------------------------------------------------ configuration */

static void test_config(void)
{
	struct test *t = begin(300);
	uint32_t v;

	power_on(t);
	verdict(!vhp_model_config_read(t->m, 1, 0xb0, &v) && v == 0x12345678, "register of the window",
		"not the card's answer");
	verdict(!vhp_model_config_read(t->m, 1, 0x00, &v) && v == 0x107f1af4, "vendor and device", "differ");
	verdict(vhp_model_config_read(t->m, 3, 0, &v) == -EINVAL && v == 0xffffffff, "absent function", "answers");
	expect(t, "configuration reads", "");
	t->card.mute_ext = true;
	vhp_model_config_read(t->m, 1, 0xb4, &v);
	expect(t, "no answer", "cfg-ext-timeout");
	end(t);

	t = begin(301); /* pending reads end with code 8, done before that is wrong */
	power_on(t);
	request(&t->card, false, 0x100000, 4, 9);
	vhp_model_step(t->m, 20);
	t->card.rc_n = 0;
	vhp_model_flr(t->m, 1);
	vhp_model_step(t->m, 20);
	verdict(t->card.rc_n == 1 && bits_get(t->card.rc[0].data, 12, 4) == 8 && bits_get(t->card.rc[0].data, 30, 1),
		"FLR ends reads with code 8", "no such completion");
	verdict(vhp_model_flr_busy(t->m, 1) && !vhp_model_flr_busy(t->m, 0), "FLR of function 1 is in process",
		"it is not");
	t->card.force.cfg_flr_done = 2;
	vhp_model_step(t->m, 4);
	t->card.force.cfg_flr_done = 0;
	vhp_model_step(t->m, 4);
	verdict(!vhp_model_flr_busy(t->m, 1), "FLR ends with done", "still in process");
	vhp_model_config_read(t->m, 1, 4, &v);
	verdict(!(v & 4), "FLR clears bus mastership", "still set");
	expect(t, "FLR", "");
	t->card.force.cfg_flr_done = 2;
	vhp_model_step(t->m, 200);
	expect(t, "done without FLR", "flr-done-stray");
	end(t);

	t = begin(302);
	t->cfg.rc_valid_pct = 1;
	power_on(t);
	t->card.force.cfg_flr_done = 2;
	request(&t->card, false, 0x100000, 4, 9);
	vhp_model_step(t->m, 30);
	vhp_model_flr(t->m, 1);
	vhp_model_step(t->m, 4);
	expect(t, "done with reads pending", "flr-done-pending");
	end(t);

	t = begin(303);
	power_on(t);
	t->card.force.cfg_mgmt_read = 1;
	vhp_model_step(t->m, 2);
	t->card.force.cfg_mgmt_addr = 5;
	vhp_model_step(t->m, 2);
	expect(t, "management request changes", "mgmt-unstable");
	end(t);
}

/* ------------------------------------------------------------------------------------------ virtual functions */

#define SRIOV 0x140u /* of the parent: control 0x08, NumVFs 0x10, page size 0x20, VF BARs 0x24 */

static struct test *begin_vfs(uint64_t seed)
{
	struct test *t = begin(seed);

	t->cfg.nfn = 5;
	power_on(t);
	vhp_model_mem_map(t->m, 4, 0x100000, 1 << 20, t->mem, VHP_MEM_READ | VHP_MEM_WRITE);
	return t;
}

/* A request with the block's number of the function. */
static void vf_request(struct test *t, bool write, unsigned int dwords, unsigned int number)
{
	put(request(&t->card, write, 0x100000, dwords, 9)->data, 80, 8, number);
}

static void test_vf_functions(void)
{
	struct test *t = begin_vfs(310);
	uint32_t v = 0;
	uint64_t bar;

	verdict(vhp_model_config_read(t->m, 3, 0, &v) == -ENXIO && v == 0xffffffff &&
			vhp_model_bar_read(t->m, 4, 0, 0, &v, 4) == -EIO,
		"virtual functions that are not enabled", "answer");
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, 0, &v) && v == 0x10f01af4, "parent", "other ids");
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, SRIOV + 0x14, &v) && v == 0x00010004,
		"offset and stride: function 7 and 8", "differ");
	verdict(!vhp_model_sriov(t->m, 2) && vhp_model_present(t->m, 3) && vhp_model_present(t->m, 4), "two of them",
		"not there");
	verdict(!vhp_model_config_read(t->m, 4, 0, &v) && v == 0xffffffff && !vhp_model_config_read(t->m, 4, 8, &v) &&
			v == 0x02000001,
		"vendor and device read all ones, the class does not", "differ");
	verdict(!vhp_model_config_read(t->m, 4, 0xb0, &v) && v == 0x12345678 && t->card.in.cfg_ext_function_number == 8,
		"window of function 8", "not the card's answer, or another function");
	vhp_model_config_write(t->m, 4, 0x10, 0xffffffff, 0xf);
	vhp_model_config_write(t->m, 4, 0x78, 0x7fff, 0x3);
	vhp_model_config_write(t->m, 4, 0x04, 0x0546, 0x3);
	verdict(!vhp_model_config_read(t->m, 4, 0x10, &v) && v == 0 && !vhp_model_config_read(t->m, 4, 0x78, &v) &&
			v == 0 && !vhp_model_config_read(t->m, 4, 0x04, &v) && (v & 0xffff) == 4,
		"no BARs, no Device Control, of Command bus mastership alone", "written");
	vhp_model_step(t->m, 4);
	verdict((t->card.in.cfg_vf_status[0] >> 6 & 0xf) == 0xd, "status of both", "differs");
	verdict(!vhp_model_bar_write(t->m, 4, 0, 0x40, &v, 4), "write to a VF BAR", "refused");
	vhp_model_step(t->m, 20);
	bar = bits_get(t->card.cq.data, 0, 64);
	verdict(bits_get(t->card.cq.data, 104, 8) == 8 && bar == 0x40b0040040,
		"second function, second part of the VF BAR", "another function or address");
	vf_request(t, false, 4, 8);
	vhp_model_step(t->m, 600);
	verdict(t->card.rc_n == 1 && bits_get(t->card.rc[0].data, 48, 16) == 8, "completion for function 8", "none");
	expect(t, "virtual functions", "");
	vhp_model_flr(t->m, 4);
	vhp_model_step(t->m, 4);
	verdict(t->card.in.cfg_vf_flr_in_process[0] == 0x10 && !t->card.in.cfg_flr_in_process, "FLR of one",
		"of another");
	t->card.force.cfg_vf_flr_func_num = 4;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 4);
	t->card.force.cfg_vf_flr_done = 0;
	verdict(!vhp_model_flr_busy(t->m, 4) && vhp_model_present(t->m, 4), "its end", "still in FLR, or gone");
	vhp_model_flr(t->m, VHP_MODEL_PARENT);
	vhp_model_step(t->m, 4);
	verdict(!vhp_model_present(t->m, 3) && t->card.in.cfg_flr_in_process == 8 &&
			!(t->card.in.cfg_vf_status[0] >> 6),
		"FLR of the parent ends them", "still there");
	expect(t, "FLR", "");
	end(t);
}

static void test_vf_rules(void)
{
	static const struct {
		const char *name;
		unsigned int off;
		uint32_t value;
		unsigned int vfs; /* enabled before it */
	} software[] = {
		{ "NumVFs while VF Enable is set", SRIOV + 0x10, 1, 2 },
		{ "VF Enable without NumVFs", SRIOV + 0x08, 1, 0 },
		{ "page size while VF Enable is set", SRIOV + 0x20, 2, 2 },
		{ "two page sizes", SRIOV + 0x20, 3, 0 },
		{ "VF BAR while VF MSE is set", SRIOV + 0x24, 0x90000000, 2 },
	};
	static const struct {
		const char *rule;
		bool write;
		unsigned int dwords, number, vfs;
	} card[] = {
		{ "rq-bme", false, 4, 8, 0 }, /* not enabled */
		{ "rq-bme", true, 4, 8, 1 },  /* one is, this one not */
		{ "rq-bme", true, 4, 7, 2 },  /* no bus mastership */
		{ "rq-mps", true, 65, 8, 2 }, /* the parent's */
		{ "rq-mrrs", false, 129, 8, 2 },
		{ "rq-function", false, 4, 4, 2 }, /* virtual function of function 0 */
		{ "rq-function", false, 4, 3, 2 }, /* the parent */
	};
	uint32_t v;

	for (unsigned int i = 0; i < sizeof(software) / sizeof(software[0]); i++) {
		struct test *t = begin_vfs(320 + i);

		vhp_model_sriov(t->m, software[i].vfs);
		vhp_model_config_write(t->m, VHP_MODEL_PARENT, software[i].off, software[i].value, 0xf);
		expect(t, software[i].name, "sriov-software");
		end(t);
	}
	for (unsigned int i = 0; i < sizeof(card) / sizeof(card[0]); i++) {
		struct test *t = begin_vfs(330 + i);

		t->cfg.bme_grace = 0;
		vhp_model_sriov(t->m, card[i].vfs);
		if (card[i].vfs == 2)
			vhp_model_config_write(t->m, 4, 0x04, 4, 0x3);
		/* Beats until the function counts as lost. */
		for (unsigned int n = 0; n < 100; n++)
			vhp_model_step(t->m, 1);
		vf_request(t, card[i].write, card[i].dwords, card[i].number);
		vhp_model_step(t->m, 100);
		expect(t, "request of a virtual function", card[i].rule);
		end(t);
	}

	struct test *t = begin_vfs(340);

	vhp_model_sriov(t->m, 2);
	t->card.force.cfg_vf_flr_func_num = 3;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 200);
	expect(t, "done of a virtual function without FLR", "flr-done-stray");
	end(t);

	t = begin_vfs(341);
	t->card.force.cfg_vf_flr_func_num = 7;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 2);
	expect(t, "done by the block's number", "flr-done-stray");
	end(t);

	t = begin_vfs(342);
	vhp_model_cfg(t->m)->rc_valid_pct = 1;
	vhp_model_sriov(t->m, 2);
	vhp_model_enable(t->m, 4);
	vf_request(t, false, 4, 8);
	vhp_model_step(t->m, 30);
	t->card.force.cfg_flr_done = 8;
	vhp_model_flr(t->m, VHP_MODEL_PARENT);
	vhp_model_step(t->m, 4);
	expect(t, "done of the parent while a virtual function's reads are pending", "flr-done-pending");
	end(t);

	t = begin_vfs(343); /* a larger page makes larger BARs */
	vhp_model_config_write(t->m, VHP_MODEL_PARENT, SRIOV + 0x20, 0x100, 0xf);
	vhp_model_config_write(t->m, VHP_MODEL_PARENT, SRIOV + 0x24, 0xffffffff, 0xf);
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, SRIOV + 0x24, &v) && v == 0xfff00004,
		"1 MiB pages: 1 MiB each", "another size");
	expect(t, "page size", "");
	end(t);
}

/* ------------------------------------------------------------------------------------------ completions of reads */

struct expected {
	bool open;
	uint64_t next;
	unsigned int left;
};

static const char *check_rc(struct test *t, struct expected *e)
{
	for (unsigned int i = 0; i < t->card.rc_n;) {
		const uint32_t *d = t->card.rc[i].data;
		unsigned int tag = bits_get(d, 64, 8), dwords = bits_get(d, 32, 11), lower = bits_get(d, 0, 12), n,
			     at = 3;
		struct expected *x = &e[tag];
		uint32_t pkt[3 + 1024];

		if (!x->open)
			return "tag that is not open";
		if (lower != (x->next & 0xfff) || bits_get(d, 16, 13) != x->left || bits_get(d, 12, 4))
			return "lower address, byte count or error code";
		if (dwords * 4 > t->cfg.mps)
			return "above MPS";
		for (n = 0; n < 3 + dwords; n += 16, i++) {
			if (i >= t->card.rc_n)
				return "packet cut off";
			memcpy(&pkt[n], t->card.rc[i].data, 64);
			if (t->card.rc[i].last != (n + 16 >= 3 + dwords))
				return "tlast";
		}
		n = dwords * 4 - (unsigned int)(x->next & 3);
		if (n > x->left)
			n = x->left;
		if (n < x->left && (x->next + n) % t->cfg.rcb)
			return "does not end at the completion boundary";
		if (memcmp((uint8_t *)&pkt[at] + (x->next & 3), t->mem + (x->next - 0x100000), n))
			return "data";
		x->next += n;
		x->left -= n;
		if (bits_get(d, 30, 1) != (x->left == 0))
			return "request completed";
		x->open = x->left != 0;
	}
	return NULL;
}

static void test_completions(uint64_t seed)
{
	struct test *t = begin(seed);
	struct expected e[256] = { 0 };
	struct vhp_rng rng;
	const char *fault;
	char name[64];

	rng_seed(&rng, seed, 9);
	t->cfg.reorder = rng_pct(&rng, 50);
	t->cfg.split_pct = rng_below(&rng, 101);
	t->cfg.latency_jitter = rng_below(&rng, 300);
	t->cfg.rcb = rng_pct(&rng, 50) ? 64 : 128;
	t->cfg.mps = 128u << rng_below(&rng, 3);
	t->cfg.mrrs = 4096;
	t->cfg.rc_valid_pct = 30 + rng_below(&rng, 71);
	t->cfg.rq_ready_pct = 30 + rng_below(&rng, 71);
	power_on(t);
	for (unsigned int i = 0; i < 12; i++) {
		unsigned int dwords = 1 + rng_below(&rng, 256), first = rng_below(&rng, 4), last = rng_below(&rng, 4),
			     tag = i * 21;
		uint64_t addr = 0x100000 + rng_below(&rng, 200) * 4096;
		struct beat *b;

		addr += rng_below(&rng, 1024 - dwords + 1) * 4;
		if (dwords == 1 && last < first)
			last = first;
		b = request(&t->card, false, addr, dwords, tag);
		put(b->user, 0, 4, dwords == 1 ? (0xfu << first) & (0xfu >> (3 - last)) & 0xf : (0xfu << first) & 0xf);
		put(b->user, 8, 4, dwords == 1 ? 0 : 0xfu >> (3 - last));
		e[tag] = (struct expected){ true, addr + first, dwords * 4 - first - (3 - last) };
	}
	vhp_model_step(t->m, 4000);
	fault = check_rc(t, e);
	for (unsigned int i = 0; !fault && i < 256; i++)
		if (e[i].open)
			fault = "a read did not end";
	snprintf(name, sizeof(name), "completions, seed %llu", (unsigned long long)seed);
	verdict(!fault, name, fault ? fault : "");
	expect(t, name, "");
	verdict(vhp_model_idle(t->m), name, "not idle at the end");
	end(t);
}

static enum vhp_outcome fate;

static enum vhp_outcome on_read(void *arg, const struct vhp_dma_read *rd)
{
	(void)arg;
	(void)rd;
	return fate;
}

static void test_outcomes(void)
{
	static const struct {
		enum vhp_outcome fate;
		unsigned int code, status;
		bool completed_first;
	} cases[] = {
		{ VHP_OUT_POISONED, 1, 0, true },
		{ VHP_OUT_UR, 2, 1, true },
		{ VHP_OUT_CA, 2, 4, true },
		{ VHP_OUT_NO_DATA, 3, 0, true },
		{ VHP_OUT_RID_MISMATCH, 4, 0, false },
		{ VHP_OUT_START_ADDR, 5, 0, true },
		{ VHP_OUT_INVALID_TAG, 6, 0, true },
		{ VHP_OUT_FLR, 8, 0, true },
		{ VHP_OUT_TIMEOUT, 9, 0, true },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test *t = begin(400 + i);
		char name[48];

		fate = cases[i].fate;
		t->cfg.on_dma_read = on_read;
		t->cfg.completion_timeout = 1000;
		power_on(t);
		request(&t->card, false, 0x100000, 4, 17);
		vhp_model_step(t->m, 1500);
		snprintf(name, sizeof(name), "read with outcome %d", (int)fate);
		verdict(t->card.rc_n >= 1 && bits_get(t->card.rc[0].data, 12, 4) == cases[i].code &&
				bits_get(t->card.rc[0].data, 43, 3) == cases[i].status &&
				bits_get(t->card.rc[0].data, 30, 1) == cases[i].completed_first &&
				(bits_get(t->card.rc[0].data, 64, 8) == 17) == (cases[i].code != 6),
			name, "first completion differs");
		verdict(vhp_model_idle(t->m), name, "the read did not end");
		expect(t, name, "");
		end(t);
	}
}

static void test_determinism(void)
{
	uint32_t hash[2] = { 0, 0 };

	for (unsigned int run = 0; run < 2; run++) {
		struct test *t = begin(77);

		t->cfg.reorder = true;
		t->cfg.split_pct = 50;
		t->cfg.latency_jitter = 100;
		t->cfg.rc_valid_pct = t->cfg.rq_ready_pct = 60;
		power_on(t);
		for (unsigned int i = 0; i < 20; i++)
			request(&t->card, false, 0x100000 + i * 4096, 64, i);
		for (unsigned int c = 0; c < 1500; c++) {
			vhp_model_step(t->m, 1);
			for (unsigned int i = 0; i < 16; i++)
				hash[run] =
					hash[run] * 31 + t->card.in.m_axis_rc_tdata[i] + t->card.in.m_axis_rc_tvalid;
		}
		end(t);
	}
	verdict(hash[0] == hash[1] && hash[0], "two runs with one seed", "differ");
}

/* ------------------------------------------------------------------------------------------ surprise link down */

struct side {
	uint64_t calls, drop_at;
};

static bool side(void *arg, const struct vhp_edge_out *out, struct vhp_edge_in *in)
{
	struct side *s = arg;

	(void)out;
	in->usr_access_data = 0x600d;
	return ++s->calls == s->drop_at;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void test_link_down(uint64_t seed)
{
	struct side s = { 0 };
	struct test *t = begin(seed);
	struct card *fresh = calloc(1, sizeof(*fresh));
	struct vhp_rng rng;
	uint32_t v;

	rng_seed(&rng, seed, 9);
	t->cfg.side = side;
	t->cfg.side_arg = &s;
	t->cfg.latency_jitter = 200;
	power_on(t);
	verdict(t->card.in.usr_access_data == 0x600d, "side inputs", "do not reach the card");
	/* Reads of the card at every stage, and one of the host that the card never answers. */
	for (unsigned int i = 0; i < 30; i++)
		request(&t->card, i % 3 == 0, 0x100000 + i * 4096, 32, i);
	s.drop_at = s.calls + 100 + rng_below(&rng, 600);
	v = vhp_model_read32(t->m, 1, 0, 0x10);
	verdict(v == 0xffffffff && !vhp_model_link_up(t->m), "host's read at link down",
		"got something else than all ones");
	verdict(vhp_model_idle(t->m), "model without link", "not idle");
	verdict(vhp_model_config_read(t->m, 0, 0, &v) == -EIO && v == 0xffffffff, "configuration space without link",
		"answers");
	verdict(vhp_model_config_write(t->m, 0, 4, 6, 0xf) == -EIO, "configuration write without link", "taken");
	verdict(vhp_model_bar_write(t->m, 1, 0, 0x10, &v, 4) == -EIO, "write without link", "taken");
	verdict(vhp_model_run_until(t->m, never, NULL, 1000) == -EIO, "waiting without link", "goes on");
	vhp_model_step(t->m, 5000);
	/* The next card: configuration space at its reset values, tags free, mappings still there. */
	vhp_model_link_restore(t->m, fresh);
	verdict(vhp_model_config_read(t->m, 1, 4, &v) == 0 && (v & 7) == 0, "command register of the next card",
		"not 0");
	verdict(vhp_model_read32(t->m, 1, 0, 0x10) == 0xffffffff, "BAR of the next card",
		"answers with memory space off");
	vhp_model_enable(t->m, 1);
	vhp_model_step(t->m, 100);
	request(fresh, false, 0x100000, 16, 0);
	vhp_model_step(t->m, 1500);
	verdict(fresh->rc_n == 2 && memcmp(&fresh->rc[0].data[3], t->mem, 52) == 0, "read of the next card",
		"not answered");
	verdict(t->violations == 0, "link down", t->rule);
	end(t);
	free(fresh);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;

	printf("seed %llu\n", (unsigned long long)seed);
	test_rq_good();
	test_rq_rules();
	test_rq_sequences();
	test_cc_rules();
	test_config();
	test_vf_functions();
	test_vf_rules();
	for (uint64_t i = 0; i < 200; i++)
		test_completions(seed + i);
	test_outcomes();
	test_determinism();
	for (uint64_t i = 0; i < 20; i++)
		test_link_down(seed + i);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
