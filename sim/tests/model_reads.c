/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of the card: their completions are checked on random ones, with every outcome, and when the link goes down. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_card.h"

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

void test_completions(uint64_t seed)
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

void test_outcomes(void)
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
		{ VHP_OUT_DISCONTINUE, 0, 0, true },
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
		verdict(t->card.rc_n >= 1 &&
				bits_get(t->card.rc[0].user, 96, 1) == (cases[i].fate == VHP_OUT_DISCONTINUE),
			name, "discontinue differs");
		verdict(vhp_model_idle(t->m), name, "the read did not end");
		expect(t, name, "");
		end(t);
	}
}

void test_determinism(void)
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

void test_link_down(uint64_t seed)
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
