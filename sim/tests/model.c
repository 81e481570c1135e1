/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the model itself: a card played in C breaks each rule of the edge once, and must be told so by that rule's
 * name; a card that keeps the rules must never be. Here the rules of RQ and CC.
 */
#include <stdlib.h>
#include <string.h>

#include "model_card.h"

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

/* ------------------------------------------------------------------------------------------ RQ */

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
	return verdict_end();
}
