/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completer: what the host's accesses become. The strict model checks every completion (length, byte count, lower
 * address, RCB, MPS, error body); here the data and the side effects are checked.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	bool over;
	unsigned int status, dwords;
	uint32_t data[1024];
};

static void answered(void *arg, const struct vhp_cq_result *res)
{
	struct answer *a = arg;

	a->over = true;
	a->status = res->status;
	a->dwords = res->dwords;
	if (res->data)
		memcpy(a->data, res->data, res->dwords * 4);
}

static bool is_over(void *arg)
{
	return ((struct answer *)arg)->over;
}

static void request(struct vhp_cq *q, struct answer *a)
{
	a->over = false;
	while (vhp_model_cq(bench->m, q, answered, a))
		vhp_model_step(bench->m, 1);
}

static void finish(struct answer *a)
{
	if (vhp_model_run_until(bench->m, is_over, a, 100000))
		fail("no answer");
}

static uint32_t byte_mask(unsigned int be)
{
	uint32_t m = 0;

	for (unsigned int i = 0; i < 4; i++)
		m |= be >> i & 1 ? 0xffu << (8 * i) : 0;
	return m;
}

static uint32_t reg32(unsigned int fn, unsigned int bar, uint32_t off)
{
	uint32_t v;

	memcpy(&v, &bench->reg[fn][bar / 2][off], 4);
	return v;
}

/* A write, then what the registers hold; then a read of the same dwords. */
static void write_read(unsigned int fn, unsigned int bar, uint32_t off, unsigned int dwords, unsigned int first_be,
		       unsigned int last_be)
{
	static uint32_t data[1024], old[1024];
	static struct answer a;
	struct vhp_cq q = { .type = 1,
			    .fn = fn,
			    .bar = bar,
			    .off = off,
			    .dwords = dwords,
			    .first_be = first_be,
			    .last_be = last_be,
			    .tc = rnd(8),
			    .attr = rnd(8),
			    .data = data };

	for (unsigned int i = 0; i < dwords; i++) {
		data[i] = (uint32_t)rng_next(&bench->rng);
		old[i] = reg32(fn, bar, off + 4 * i);
	}
	if (dwords <= 256 && dwords * 4 <= bench->cfg.mps) {
		request(&q, &a);
		finish(&a);
		vhp_model_run_idle(bench->m, 100000);
		for (unsigned int i = 0; i < dwords; i++) {
			unsigned int be = i == 0 ? first_be : i == dwords - 1 ? last_be : 15;
			uint32_t want = (data[i] & byte_mask(be)) | (old[i] & ~byte_mask(be));

			CHECK(reg32(fn, bar, off + 4 * i) == want,
			      "write of %u dwords at 0x%x be %x/%x: dword %u is %08x, not %08x", dwords, off, first_be,
			      last_be, i, reg32(fn, bar, off + 4 * i), want);
		}
	}
	q.type = 0;
	q.data = NULL;
	request(&q, &a);
	finish(&a);
	CHECK(a.status == 0 && a.dwords == dwords, "read of %u dwords at 0x%x: status %u, %u dwords", dwords, off,
	      a.status, a.dwords);
	for (unsigned int i = 0; i < dwords && i < a.dwords; i++) {
		unsigned int be = i == 0 ? first_be : i == dwords - 1 ? last_be : 15;

		CHECK(((a.data[i] ^ reg32(fn, bar, off + 4 * i)) & byte_mask(be)) == 0,
		      "read of %u dwords at 0x%x be %x/%x: dword %u is %08x, not %08x", dwords, off, first_be, last_be,
		      i, a.data[i], reg32(fn, bar, off + 4 * i));
	}
}

static void sweep(unsigned int mps, unsigned int slow)
{
	static const unsigned int firsts[] = { 15, 14, 12, 8 }, lasts[] = { 15, 7, 3, 1 };

	case_begin("sweep of alignment, length and byte enables, MPS %u, ready %u %%", mps, slow);
	bench_init();
	bench->cfg.mps = mps;
	bench->cfg.cc_ready_pct = slow;
	bench->cfg.cq_valid_pct = slow;
	bench->rb_ready_pct = slow;
	bench->rb_delay_max = slow < 100 ? 5 : 0;
	bench_open();
	for (unsigned int be = 0; be < 16; be++)
		write_read(rnd(NUM_FN), 0, 0x4000 + 4 * rnd(64), 1, be, 0);
	for (unsigned int off = 0; off < 128; off += 4)
		for (unsigned int i = 0; i < 4; i++)
			write_read(1 + rnd(2), 0, 0x10000 + off, 2 + rnd(mps / 4 - 1), firsts[rnd(4)], lasts[rnd(4)]);
	for (unsigned int dw = 2; dw <= 70; dw++)
		write_read(0, 2, 0x1000 + 4 * rnd(200), dw, firsts[rnd(4)], lasts[rnd(4)]);
	write_read(1, 0, 0x20000, 1024, 15, 15);
	write_read(2, 0, 0x20000 + 4 * 31, 993, 8, 1);
	bench_close();
	case_end();
}

static void zero_length(void)
{
	static struct answer a;
	struct vhp_cq q = { .type = 0, .fn = 1, .off = 0x1000, .dwords = 1 };

	case_begin("zero-length read has no byte enabled and is answered");
	bench_init();
	bench_open();
	request(&q, &a);
	finish(&a);
	CHECK(a.status == 0 && a.dwords == 1, "status %u, %u dwords", a.status, a.dwords);
	CHECK(bench->rb_reads == 1 && bench->rb_zero == 1, "%u register reads, %u of them with be 0", bench->rb_reads,
	      bench->rb_zero);
	bench_close();
	case_end();
}

/*
 * PG213, discontinue: the block tells with the last beat that it lost the payload, which it may have cut short. The whole
 * TLP is thrown away: no dword reaches a register, it is counted, what is before and behind it is served.
 */
static void lost_payload(void)
{
	static uint32_t data[3][256];
	static struct answer a[3];
	static uint8_t want[0x1000];

	case_begin("PG213: a TLP with discontinue does nothing; its neighbours are served");
	bench_init();
	bench->cfg.mps = 1024;
	bench->cfg.cq_valid_pct = 70;
	bench_open();
	for (unsigned int round = 0; round < 150; round++) {
		unsigned int fn = rnd(NUM_FN), len = round < 20 ? 1 + round : 1 + rnd(256);
		unsigned int lost = round % 3 == 2 ? 3 + rnd(4) : 1; /* non-posted: I/O write or an atomic */
		uint32_t ur = bench->cq_ur;
		struct vhp_cq q[3] = {
			{ .type = 1, .off = 0x4000, .dwords = 1 + rnd(256) },
			{ .type = lost,
			  .off = 0x4400,
			  .dwords = lost == 1 ? len
				  : lost == 6 ? 4
					      : 1,
			  .discontinue = true },
			{ .type = 1, .off = 0x4800, .dwords = 1 + rnd(256) },
		};

		memcpy(want, &bench->reg[fn][0][0x4000], sizeof(want));
		for (unsigned int i = 0; i < 3; i++) {
			q[i].fn = fn;
			q[i].first_be = 15;
			q[i].last_be = q[i].dwords > 1 ? 15 : 0;
			q[i].data = data[i];
			for (unsigned int d = 0; d < q[i].dwords; d++)
				data[i][d] = (uint32_t)rng_next(&bench->rng);
			if (i != 1)
				memcpy(&want[q[i].off - 0x4000], data[i], q[i].dwords * 4);
			request(&q[i], &a[i]);
		}
		for (unsigned int i = 0; i < 3; i++)
			finish(&a[i]);
		CHECK(vhp_model_run_idle(bench->m, 100000) == 0, "round %u: not idle", round);
		vhp_model_step(bench->m, 8);
		CHECK(memcmp(want, &bench->reg[fn][0][0x4000], sizeof(want)) == 0,
		      "round %u: registers after a lost TLP of type %u, %u dwords", round, lost, q[1].dwords);
		CHECK(bench->cq_ur == ur + 1, "round %u: counter went from %u to %u", round, ur, bench->cq_ur);
		/* A forgotten non-posted request gives its credit back. */
		write_read(fn, 0, 0x5000, 2 + rnd(30), 15, 15);
	}
	bench_close();
	case_end();
}

static void unsupported(void)
{
	static const unsigned int types[] = { 2, 3, 4, 5, 6, 7 };
	static struct answer a;
	uint32_t ur;

	case_begin("UR: request types, BARs, holes; counted");
	bench_init();
	bench->hole = 0x4080;
	bench->hole_len = 0x40;
	bench->cfg.cc_ready_pct = 60;
	bench_open();
	for (unsigned int i = 0; i < 6; i++) {
		struct vhp_cq q = { .type = types[i],
				    .fn = rnd(NUM_FN),
				    .off = 0x1000,
				    .dwords = types[i] == 6 ? 4 : 1,
				    .first_be = 15,
				    .last_be = types[i] == 6 ? 15 : 0 };

		ur = bench->cq_ur;
		request(&q, &a);
		finish(&a);
		vhp_model_step(bench->m, 8);
		CHECK(a.status == 1, "request type %u: status %u", types[i], a.status);
		CHECK(bench->cq_ur == ur + 1, "request type %u: counter went from %u to %u", types[i], ur,
		      bench->cq_ur);
	}
	struct vhp_cq absent = { .type = 0, .fn = 1, .bar = 2, .off = 0, .dwords = 3, .first_be = 15, .last_be = 15 };

	request(&absent, &a);
	finish(&a);
	CHECK(a.status == 1, "absent BAR: status %u", a.status);
	absent.type = 1;
	ur = bench->cq_ur;
	request(&absent, &a);
	finish(&a);
	vhp_model_run_idle(bench->m, 1000);
	vhp_model_step(bench->m, 8);
	CHECK(bench->cq_ur == ur + 1 && bench->rb_writes == 0,
	      "write to an absent BAR: counter %u to %u, %u register writes", ur, bench->cq_ur, bench->rb_writes);
	/* A read into a hole, from its first dword and behind good ones (in the first and in a later completion). */
	for (unsigned int start = 0x4000; start <= 0x4080; start += 0x40) {
		struct vhp_cq q = { .type = 0, .fn = 1, .off = start, .dwords = 64, .first_be = 15, .last_be = 15 };

		request(&q, &a);
		finish(&a);
		CHECK(a.status == 1, "read from 0x%x into a hole: status %u", start, a.status);
	}
	ur = bench->cq_ur;
	struct vhp_cq hole = { .type = 1, .fn = 1, .off = 0x4078, .dwords = 4, .first_be = 15, .last_be = 15 };

	request(&hole, &a);
	finish(&a);
	vhp_model_run_idle(bench->m, 1000);
	vhp_model_step(bench->m, 8);
	CHECK(bench->cq_ur == ur + 1, "write into a hole: counter %u to %u", ur, bench->cq_ur);
	/* A message is dropped and counted, and the next request works. */
	struct vhp_cq msg = { .type = 12, .fn = 0, .off = 0, .dwords = 1 };

	ur = bench->cq_ur;
	request(&msg, &a);
	finish(&a);
	vhp_model_run_idle(bench->m, 1000);
	vhp_model_step(bench->m, 8);
	CHECK(bench->cq_ur == ur + 1, "message: counter %u to %u", ur, bench->cq_ur);
	write_read(2, 0, 0x3000, 3, 15, 15);
	bench_close();
	case_end();
}

/* While CC stands still a read waits; writes behind it must still get through (PCIe ordering, rule A2). */
static void posted_passes(void)
{
	static struct answer r[4], w[32];
	static uint32_t data[1] = { 0x12345678 };

	case_begin("posted writes pass a read whose completion is blocked");
	bench_init();
	bench->cfg.cc_ready_pct = 0;
	bench->cfg.cc_timeout = 1000000;
	bench_open();
	for (unsigned int i = 0; i < 4; i++) {
		struct vhp_cq q = { .type = 0, .fn = 1, .off = 0x10000, .dwords = 256, .first_be = 15, .last_be = 15 };

		request(&q, &r[i]);
	}
	vhp_model_step(bench->m, 3000);
	for (unsigned int i = 0; i < 32; i++) {
		struct vhp_cq q = {
			.type = 1, .fn = 1, .off = 0x1000 + 4 * i, .dwords = 1, .first_be = 15, .data = data
		};

		request(&q, &w[i]);
	}
	vhp_model_step(bench->m, 3000);
	CHECK(bench->rb_writes == 32, "%u of 32 writes got through", bench->rb_writes);
	CHECK(!r[0].over, "a read was answered without CC");
	vhp_model_cfg(bench->m)->cc_ready_pct = 100;
	for (unsigned int i = 0; i < 4; i++) {
		finish(&r[i]);
		CHECK(r[i].status == 0 && r[i].dwords == 256, "read %u: status %u, %u dwords", i, r[i].status,
		      r[i].dwords);
	}
	bench_close();
	case_end();
}

static void doorbell_rate(void)
{
	static struct answer w[64];
	static uint32_t data[1] = { 1 };
	uint64_t from;

	case_begin("doorbells: at most 8 cycles each");
	bench_init();
	bench_open();
	from = vhp_model_cycle(bench->m);
	for (unsigned int i = 0; i < 64; i++) {
		struct vhp_cq q = {
			.type = 1, .fn = 1, .off = 0x10000 + 4096 * (i % 4), .dwords = 1, .first_be = 3, .data = data
		};

		request(&q, &w[i]);
	}
	while (bench->rb_writes < 64 && vhp_model_cycle(bench->m) < from + 10000)
		vhp_model_step(bench->m, 1);
	printf("64 doorbells in %llu cycles\n", (unsigned long long)(vhp_model_cycle(bench->m) - from));
	CHECK(vhp_model_cycle(bench->m) - from <= 64 * 8 + 20, "too slow");
	bench_close();
	case_end();
}

static void config_window(void)
{
	/* the locator, as docs/architecture.md has it */
	static const uint32_t locator[4] = { 0x09100009, 0x010010ee, 0, 84 };
	uint32_t v;

	case_begin("configuration window: locator of functions 1.., nothing in function 0");
	bench_init();
	bench_open();
	for (unsigned int fn = 0; fn < NUM_FN; fn++) {
		for (unsigned int i = 0; i < 4; i++) {
			CHECK(vhp_model_config_read(bench->m, fn, 0xb0 + 4 * i, &v) == 0, "read");
			CHECK(v == (fn ? locator[i] : 0), "function %u dword 0x%x: %08x", fn, 0xb0 + 4 * i, v);
		}
		vhp_model_config_write(bench->m, fn, 0xb4, 0xffffffff, 15);
		vhp_model_config_read(bench->m, fn, 0xb4, &v);
		CHECK(v == (fn ? locator[1] : 0), "function %u: a write changed it to %08x", fn, v);
	}
	bench_close();
	case_end();
}

void test_completer(void)
{
	static const unsigned int mps[] = { 128, 256, 1024 };

	for (unsigned int i = 0; i < 3; i++) {
		sweep(mps[i], 100);
		sweep(mps[i], 50);
	}
	zero_length();
	lost_payload();
	unsupported();
	posted_passes();
	doorbell_rate();
	config_window();
}
