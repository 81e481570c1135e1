/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apertures: accesses of BAR 2 of function k against the memory of function 0. The model checks every completion and every
 * TLP; here what they read and change, what is refused, and the order of things.
 */
#include "bench.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhp_aperture_regs.h"
#include "vhp_log_regs.h"

#define AP(port, reg) ((port) * 0x400u + (uint32_t)offsetof(vhp_aperture_t, reg))
#define WIN(port, w, reg)                                                              \
	(AP(port, window) + (w) * (uint32_t)sizeof(vhp_aperture__window__stride20_t) + \
	 (uint32_t)offsetof(vhp_aperture__window__stride20_t, reg))
#define LOG(reg) (0x8000u + (uint32_t)offsetof(vhp_log_t, reg))

#define PORTS (NUM_FN - 1)
/* Window 2 of each port: 256 KiB of the area that no other client writes, from BAR offset WIN_AT. */
#define WIN_AT 0x7fff0000u
#define WIN_LEN 0x40000u
#define TARGET(port) (HOST_BASE + (uint64_t)(port) * WIN_LEN)

struct answer {
	bool over;
	unsigned int status, dwords;
	uint64_t cycle;
	uint32_t data[1024];
};

static void answered(void *arg, const struct vhp_cq_result *res)
{
	struct answer *a = arg;

	a->over = true;
	a->status = res->status;
	a->dwords = res->dwords;
	a->cycle = vhp_model_cycle(bench->m);
	if (res->data)
		memcpy(a->data, res->data, res->dwords * 4);
}

static bool is_over(void *arg)
{
	return ((struct answer *)arg)->over;
}

static void request(const struct vhp_cq *q, struct answer *a)
{
	if (a)
		a->over = false;
	while (vhp_model_cq(bench->m, q, a ? answered : NULL, a))
		vhp_model_step(bench->m, 1);
}

static void finish(struct answer *a)
{
	if (vhp_model_run_until(bench->m, is_over, a, 100000))
		fail("no answer");
}

static void set_window(unsigned int port, unsigned int w, uint64_t first, uint64_t last, uint64_t iova, bool valid)
{
	fw_write(WIN(port, w, first_lo), (uint32_t)first);
	fw_write(WIN(port, w, first_hi), (uint32_t)(first >> 32));
	fw_write(WIN(port, w, last_lo), (uint32_t)last);
	fw_write(WIN(port, w, last_hi), (uint32_t)(last >> 32));
	fw_write(WIN(port, w, iova_lo), (uint32_t)iova);
	fw_write(WIN(port, w, iova_hi), (uint32_t)(iova >> 32));
	fw_write(WIN(port, w, ctrl), valid);
}

static void open_windows(void)
{
	for (unsigned int p = 0; p < PORTS; p++) {
		set_window(p, 2, WIN_AT, WIN_AT + WIN_LEN - 1, TARGET(p), true);
		fw_write(AP(p, ctrl), 1);
	}
}

/* One write of @p dwords from window offset @p at; memory is expected to have it if @p good. */
static void ap_write(unsigned int port, uint32_t at, unsigned int dwords, unsigned int first_be, unsigned int last_be,
		     bool good)
{
	uint32_t data[256];
	uint8_t *want = &bench->expect[0][TARGET(port) - HOST_BASE + at];
	struct vhp_cq q = { .type = 1,
			    .fn = port + 1,
			    .bar = 2,
			    .off = WIN_AT + (uint64_t)at,
			    .dwords = dwords,
			    .first_be = first_be,
			    .last_be = last_be,
			    .tc = rnd(8),
			    .attr = rnd(8),
			    .data = data };

	for (unsigned int i = 0; i < dwords; i++) {
		unsigned int be = i == 0 ? first_be : i == dwords - 1 ? last_be : 15;

		data[i] = (uint32_t)rng_next(&bench->rng);
		for (unsigned int b = 0; good && b < 4; b++)
			if (be >> b & 1)
				want[4 * i + b] = (uint8_t)(data[i] >> (8 * b));
	}
	request(&q, NULL);
}

static void ap_read(struct answer *a, unsigned int port, uint32_t at, unsigned int dwords, unsigned int first_be,
		    unsigned int last_be)
{
	struct vhp_cq q = { .type = 0,
			    .fn = port + 1,
			    .bar = 2,
			    .off = WIN_AT + (uint64_t)at,
			    .dwords = dwords,
			    .first_be = first_be,
			    .last_be = last_be,
			    .tc = rnd(8),
			    .attr = rnd(8) };

	request(&q, a);
}

static void check_read(const struct answer *a, unsigned int port, uint32_t at, unsigned int dwords,
		       unsigned int first_be, unsigned int last_be)
{
	const uint8_t *want = &bench->expect[0][TARGET(port) - HOST_BASE + at];

	CHECK(a->status == 0 && a->dwords == dwords, "read of %u dwords at 0x%x: status %u, %u dwords", dwords, at,
	      a->status, a->dwords);
	for (unsigned int i = 0; i < dwords && i < a->dwords; i++) {
		unsigned int be = i == 0 ? first_be : i == dwords - 1 ? last_be : 15;

		for (unsigned int b = 0; b < 4; b++)
			CHECK(!(be >> b & 1) || (uint8_t)(a->data[i] >> (8 * b)) == want[4 * i + b],
			      "read of %u dwords at 0x%x be %x/%x: byte %u of dword %u is %02x, not %02x", dwords, at,
			      first_be, last_be, b, i, (uint8_t)(a->data[i] >> (8 * b)), want[4 * i + b]);
	}
}

/* A write, a read of the same right behind it: it must have the written bytes. */
static void both(unsigned int port, uint32_t at, unsigned int dwords, unsigned int first_be, unsigned int last_be)
{
	static struct answer a;

	if (dwords * 4 <= bench->cfg.mps)
		ap_write(port, at, dwords, first_be, last_be, true);
	ap_read(&a, port, at, dwords, first_be, last_be);
	finish(&a);
	check_read(&a, port, at, dwords, first_be, last_be);
}

static unsigned int in_page(uint32_t at, unsigned int dwords)
{
	unsigned int room = (4096 - at % 4096) / 4;

	return dwords < room ? dwords : room;
}

static void sweep(unsigned int mps, unsigned int ready)
{
	static const unsigned int firsts[] = { 15, 14, 12, 8 }, lasts[] = { 15, 7, 3, 1 };

	case_begin("offset, length and byte enables, MPS %u, ready %u %%", mps, ready);
	bench_init();
	bench->cfg.mps = mps;
	bench->cfg.latency = 60;
	bench->cfg.latency_jitter = 60;
	bench->cfg.reorder = ready < 100;
	bench->cfg.split_pct = ready < 100 ? 60 : 0;
	bench->cfg.rq_ready_pct = bench->cfg.cc_ready_pct = bench->cfg.cq_valid_pct = bench->cfg.rc_valid_pct = ready;
	bench_open();
	open_windows();
	for (unsigned int be = 0; be < 16; be++)
		both(0, 4 * rnd(1000), 1, be, 0);
	for (unsigned int be = 0; be < 256; be++)
		if ((be & 15) && be >> 4)
			both(1, 8 * rnd(500), 2, be & 15, be >> 4);
	for (unsigned int off = 0; off < 128; off += 4)
		both(rnd(PORTS), 0x1000 + off, 2 + rnd(mps / 4 - 1), firsts[rnd(4)], lasts[rnd(4)]);
	for (unsigned int dw = 3; dw <= 70; dw++) {
		uint32_t at = 4 * rnd(WIN_LEN / 4);
		unsigned int n = in_page(at, dw);

		both(rnd(PORTS), at, n, firsts[rnd(4)] | (n == 1 ? 15 : 0), n == 1 ? 0 : lasts[rnd(4)]);
	}
	both(0, 0x3000, 1024, 15, 15);
	both(1, 0x3000 + 4 * 31, 993, 8, 1);
	both(1, WIN_LEN - 4, 1, 15, 0); /* the last dword */
	both(0, WIN_LEN - 64, 16, 15, 15);
	run_quiet(20000);
	check_host();
	CHECK(!fw_read(AP(0, refused)) && !fw_read(AP(1, refused)), "something was refused");
	bench_close();
	case_end();
}

/* Whole 64-byte writes are one TLP each, in order; figures for the comparison of the two ways to copy. */
static void rate(void)
{
	static struct answer a;
	uint64_t start, tlps;

	case_begin("64-byte writes leave as one TLP each");
	bench_init();
	bench->cfg.latency = 250;
	bench_open();
	open_windows();
	vhp_model_run_idle(bench->m, 10000);
	start = vhp_model_cycle(bench->m);
	tlps = bench->dma_writes;
	for (unsigned int i = 0; i < 500; i++)
		ap_write(0, 64 * (i % 512), 16, 15, 15, true);
	run_quiet(100000);
	CHECK(bench->dma_writes - tlps == 500, "%llu TLPs for 500 writes",
	      (unsigned long long)(bench->dma_writes - tlps));
	printf("64-byte writes: %.1f cycles each\n", (double)(vhp_model_cycle(bench->m) - start) / 500);
	start = vhp_model_cycle(bench->m);
	ap_read(&a, 0, 0, 16, 15, 15);
	finish(&a);
	printf("64-byte read: %llu cycles, host memory latency 250\n", (unsigned long long)(a.cycle - start));
	CHECK(a.cycle - start < 400, "a read takes %llu cycles", (unsigned long long)(a.cycle - start));
	check_host();
	CHECK(fw_read(AP(0, writes)) == 500 && fw_read(AP(0, reads)) == 1, "counters");
	bench_close();
	case_end();
}

static void refused_both(unsigned int port, uint32_t at, unsigned int dwords, const char *why)
{
	static struct answer a;
	uint32_t before, ur = bench->cq_ur;

	before = fw_read(AP(port, refused));
	if (dwords * 4 <= bench->cfg.mps)
		ap_write(port, at, dwords, 15, dwords > 1 ? 15 : 0, false);
	ap_read(&a, port, at, dwords, 15, dwords > 1 ? 15 : 0);
	finish(&a);
	CHECK(a.status == 1, "%s: read has status %u", why, a.status);
	run_quiet(20000);
	CHECK(fw_read(AP(port, refused)) == before + 1 + (dwords * 4 <= bench->cfg.mps), "%s: not counted", why);
	CHECK(bench->cq_ur == ur + 1 + (dwords * 4 <= bench->cfg.mps), "%s: UR not counted", why);
}

static void bounds(void)
{
	static struct answer a;
	uint32_t data[8] = { 0 };
	struct vhp_cq q = { .type = 1, .fn = 1, .bar = 2, .dwords = 8, .first_be = 0xd, .last_be = 0xf, .data = data };
	uint64_t writes;

	case_begin("bounds, windows, enable");
	bench_init();
	bench_open();
	writes = bench->dma_writes;
	refused_both(0, 0, 1, "reset state");
	set_window(0, 2, WIN_AT, WIN_AT + WIN_LEN - 1, TARGET(0), true);
	refused_both(0, 0, 4, "disabled");
	fw_write(AP(0, ctrl), 1);
	both(0, 0, 4, 15, 15);
	refused_both(1, 0, 1, "the other port");
	refused_both(0, (uint32_t)-4, 1, "before the window");
	refused_both(0, WIN_LEN, 1, "behind the window");
	refused_both(0, (uint32_t)-WIN_AT, 1, "first dword of the BAR");
	fw_write(WIN(0, 2, last_lo), WIN_AT + 0x800 - 1);
	both(0, 0x7fc, 1, 15, 0);
	refused_both(0, 0x7fc, 2, "across the window's end");
	refused_both(0, 0x7f0, 100, "a long read across the window's end");
	fw_write(WIN(0, 2, last_lo), WIN_AT + 0x800 - 2);
	refused_both(0, 0x7fc, 1, "a dword that is not whole");
	/* Two windows side by side are two: a request lies in one. */
	fw_write(WIN(0, 2, last_lo), WIN_AT + 0x800 - 1);
	set_window(0, 7, WIN_AT + 0x1000, WIN_AT + 0x1fff, TARGET(0) + 0x20000, true);
	ap_read(&a, 0, 0x1000, 16, 15, 15);
	finish(&a);
	CHECK(a.status == 0 && !memcmp(a.data, &bench->host[0][TARGET(0) - HOST_BASE + 0x20000], 64), "window 7");
	fw_write(WIN(0, 7, ctrl), 0);
	refused_both(0, 0x1000, 1, "a window that is not valid");
	set_window(0, 7, 1ull << 32, 0xffffffffffull, TARGET(0), true);
	refused_both(0, (uint32_t)-WIN_AT, 1, "a window behind the BAR's end");
	/* A window to the last byte of the BAR, and one that ends behind it. */
	set_window(0, 0, 0xfffff000u, 0x1fffffffffull, TARGET(0), true);
	both(0, 0, 4, 15, 15);
	ap_read(&a, 0, (uint32_t)(0xfffff000u - WIN_AT), 1024, 15, 15);
	finish(&a);
	CHECK(a.status == 0 && !memcmp(a.data, &bench->host[0][TARGET(0) - HOST_BASE], 4096), "the BAR's last page");
	/* Byte enables with holes where PCIe has none: nothing of the request is written. */
	q.off = WIN_AT;
	request(&q, NULL);
	q.dwords = 2;
	q.type = 1;
	run_quiet(20000);
	CHECK(fw_read(AP(0, refused)) > 0, "holes in a long write");
	fw_write(AP(0, ctrl), 0);
	refused_both(0, 0, 64, "disabled again");
	CHECK(fw_read(AP(0, status)) >> 8 == 32, "size of the BAR");
	check_host();
	CHECK(bench->dma_writes - writes == 3, "%llu DMA writes, 3 were allowed",
	      (unsigned long long)(bench->dma_writes - writes));
	bench_close();
	case_end();
}

static uint64_t message_at;
static uint32_t message_seen, message_bad;

static void doorbell(unsigned int fn, unsigned int bar, uint32_t addr, uint32_t data)
{
	(void)fn;
	(void)bar;
	(void)data;
	if (addr == 0x5000)
		wr_submit(WR_NOTIFY, &(struct wr){ .kind = WR_MSIX, .func = 0, .imm = { 3 } });
}

static void message(unsigned int fn, uint32_t data)
{
	(void)fn;
	(void)data;
	message_seen++;
	if (memcmp(&bench->host[0][TARGET(0) - HOST_BASE + message_at],
		   &bench->expect[0][TARGET(0) - HOST_BASE + message_at], 1000))
		message_bad++;
}

static void order(void)
{
	uint32_t bell = 1;
	struct vhp_cq q = { .type = 1, .fn = 1, .bar = 0, .off = 0x5000, .dwords = 1, .first_be = 15, .data = &bell };
	static struct answer a;

	case_begin("order: interrupt behind data, read behind writes");
	bench_init();
	bench->cfg.mps = 256;
	bench->cfg.rq_ready_pct = 40;
	bench->cfg.latency = 100;
	bench->on_register_write = doorbell;
	bench->on_message = message;
	message_seen = message_bad = 0;
	bench_open();
	open_windows();
	vhp_model_msix_entry(bench->m, 0, 3, 0xfee00000, 7, false);
	vhp_model_msix_control(bench->m, 0, true, false);
	for (unsigned int i = 0; i < 200; i++) {
		message_at = 4096 * rnd(60) + 4 * rnd(700);
		for (unsigned int at = 0; at < 1000;) {
			unsigned int n = 1 + rnd(64);

			n = n * 4 > 1000 - at ? (1000 - at) / 4 : n;
			n = in_page((uint32_t)message_at + at, n);
			ap_write(0, (uint32_t)message_at + at, n, 15, n > 1 ? 15 : 0, true);
			at += 4 * n;
		}
		request(&q, NULL);
		if (pct(50)) {
			ap_read(&a, 0, (uint32_t)message_at, in_page((uint32_t)message_at, 8), 15, 15);
			finish(&a);
			check_read(&a, 0, (uint32_t)message_at, in_page((uint32_t)message_at, 8), 15, 15);
		}
		run_quiet(20000);
	}
	CHECK(message_seen == 200 && !message_bad, "%u messages, %u before their data", message_seen, message_bad);
	check_host();
	bench_close();
	case_end();
}

static enum vhp_outcome fate;
static enum vhp_outcome choose(void *arg, const struct vhp_dma_read *rd)
{
	(void)arg;
	return rd->fn == 0 ? fate : VHP_OUT_OK;
}

static void failures(void)
{
	static const struct {
		enum vhp_outcome fate;
		unsigned int status;
		const char *name;
	} cases[] = { { VHP_OUT_UR, 1, "UR" },
		      { VHP_OUT_CA, 4, "CA" },
		      { VHP_OUT_POISONED, 4, "poisoned" },
		      { VHP_OUT_TIMEOUT, 4, "timeout" },
		      { VHP_OUT_DISCONTINUE, 4, "discontinued" },
		      { VHP_OUT_OK, 0, "good" } };
	static struct answer a;

	case_begin("failed reads are answered, and the next ones are good");
	bench_init();
	bench->cfg.on_dma_read = choose;
	bench->cfg.completion_timeout = 3000;
	bench->expect_read_errors = true;
	bench_open();
	open_windows();
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int n = 1; n < 1000; n += 333) {
			fate = cases[i].fate;
			ap_read(&a, i % PORTS, 4 * rnd(6), n, 15, n > 1 ? 15 : 0);
			finish(&a);
			CHECK(a.status == cases[i].status, "%s, %u dwords: status %u", cases[i].name, n, a.status);
			fate = VHP_OUT_OK;
			both(i % PORTS, 4 * rnd(100), 20, 15, 15);
		}
	}
	/* The block lost a write's payload (PG213, discontinue): none of it reaches the peer. */
	for (unsigned int n = 1; n < 256; n += 17) {
		uint32_t data[256] = { 0 };
		struct vhp_cq q = { .type = 1,
				    .fn = 1,
				    .bar = 2,
				    .off = WIN_AT,
				    .dwords = n,
				    .first_be = 15,
				    .last_be = n > 1 ? 15 : 0,
				    .data = data,
				    .discontinue = true };

		request(&q, NULL);
		both(0, 0x2000, 8, 15, 15);
	}
	run_quiet(20000);
	check_host();
	/* The IOMMU does not know the page: reads are answered with UR, writes vanish. */
	set_window(0, 1, 0x1000, 0x1fff, 0x123456789000ull, true);
	ap_read(&a, 0, 0x1000 - WIN_AT, 4, 15, 15);
	finish(&a);
	CHECK(a.status == 1, "outside the IOMMU's maps: status %u", a.status);
	/* Function 0 loses bus mastership. */
	vhp_model_config_write(bench->m, 0, 4, 0x0002, 0x3);
	vhp_model_step(bench->m, 200);
	ap_write(0, 0, 16, 15, 15, false);
	ap_read(&a, 0, 0, 16, 15, 15);
	finish(&a);
	CHECK(a.status == 1, "function 0 is not bus master: status %u", a.status);
	vhp_model_config_write(bench->m, 0, 4, 0x0006, 0x3);
	vhp_model_step(bench->m, 200);
	CHECK(fw_read(AP(0, refused)) >= 2, "refused accesses are counted");
	both(0, 0, 16, 15, 15);
	run_quiet(20000);
	check_host();
	bench_close();
	case_end();
}

static void slow_read(void)
{
	static struct answer a, b, c;
	struct vhp_cq q = { .type = 0, .fn = 2, .bar = 0, .off = 0x100, .dwords = 4, .first_be = 15, .last_be = 15 };
	uint64_t start;

	case_begin("a slow read holds up nobody's registers; busy while it is in flight");
	bench_init();
	bench->cfg.latency = 2000;
	bench_open();
	open_windows();
	start = vhp_model_cycle(bench->m);
	ap_read(&a, 0, 0, 1024, 15, 15);
	request(&q, &b);
	finish(&b);
	CHECK(!a.over && b.status == 0 && b.cycle - start < bench->cfg.latency / 4 + 300,
	      "a register read took %llu cycles", (unsigned long long)(b.cycle - start));
	/* A second one waits for the first, and registers behind it too: one round trip. */
	ap_read(&c, 1, 0, 8, 15, 15);
	request(&q, &b);
	vhp_model_step(bench->m, 100);
	fw_write(AP(0, ctrl), 0);
	CHECK(fw_read(AP(0, status)) & 1, "not busy with a read in flight");
	finish(&a);
	finish(&b);
	CHECK(b.cycle - start < 3600, "registers waited %llu cycles", (unsigned long long)(b.cycle - start));
	check_read(&a, 0, 0, 1024, 15, 15);
	finish(&c);
	check_read(&c, 1, 0, 8, 15, 15);
	vhp_model_step(bench->m, 20);
	CHECK(!(fw_read(AP(0, status)) & 1), "busy with nothing in flight");
	bench_close();
	case_end();
}

static void flr(void)
{
	static struct answer a, b;

	case_begin("FLR of the function, FLR of function 0");
	bench_init();
	bench->cfg.latency = 600;
	bench->expect_read_errors = true;
	bench_open();
	open_windows();
	for (unsigned int i = 0; i < 12; i++) {
		unsigned int fn = i % 3;
		static struct answer last;

		ap_read(&a, 0, 0, 1 + rnd(200), 15, 15);
		ap_read(&last, 1, 0, 20, 15, 15);
		vhp_model_step(bench->m, rnd(900));
		if (vhp_model_flr(bench->m, fn))
			fail("FLR");
		for (unsigned int n = 0; vhp_model_flr_busy(bench->m, fn) && n < 20000; n++)
			vhp_model_step(bench->m, 1);
		CHECK(!vhp_model_flr_busy(bench->m, fn), "FLR of function %u does not end", fn);
		finish(&a);
		finish(&last);
		CHECK(fn == 1		? a.status == 7 || a.status == 0
			      : fn == 0 ? a.status <= 1
					: a.status == 0,
		      "FLR of function %u, read of function 1: status %u", fn, a.status);
		vhp_model_enable(bench->m, fn);
		vhp_model_step(bench->m, 300);
		both(0, 64 * i, 16, 15, 15);
		both(1, 64 * i, 16, 15, 15);
		ap_read(&b, 0, 0, 1, 0, 0);
		finish(&b);
		CHECK(b.status == 0, "zero-length read: status %u", b.status);
	}
	run_quiet(20000);
	check_host();
	bench_close();
	case_end();
}

/* The log sees what goes through the apertures, and its entries are in host memory when a sync is done. */
static void dirty_log(void)
{
	struct vhp_cq reg = { .type = 0, .fn = 0, .bar = 0, .off = 0x100, .dwords = 1, .first_be = 15 };
	uint32_t tail = 0, head;
	uint64_t e, ring;

	case_begin("dirty log of aperture writes");
	bench_init();
	bench->cfg.rq_ready_pct = 50;
	bench_open();
	open_windows();
	ring = HOST_BASE + HOST_READ_LEN - 0x2000;
	fw_write(LOG(base_lo), (uint32_t)ring);
	fw_write(LOG(base_hi), (uint32_t)(ring >> 32));
	fw_write(LOG(size_log2), 8);
	fw_write(LOG(ctrl), (1u << PORTS) - 1);
	for (unsigned int round = 0; round < 20; round++) {
		bool dirty[PORTS][WIN_LEN / 4096] = { 0 };
		unsigned int n = rnd(30);

		for (unsigned int i = 0; i < n; i++) {
			uint32_t at = 4 * rnd(WIN_LEN / 4);
			unsigned int p = rnd(PORTS), dwords = in_page(at, 1 + rnd(32));

			ap_write(p, at, dwords, 15, dwords > 1 ? 15 : 0, true);
			dirty[p][at / 4096] = true;
		}
		/* The host knows that its writes have arrived by a read behind them. */
		static struct answer a;

		ap_read(&a, 0, 0, 1, 0, 0);
		finish(&a);
		fw_write(LOG(sync), 1);
		while (fw_read(LOG(sync)) & 1)
			;
		head = fw_read(LOG(head));
		/* The entries are on the link; whatever tells the host of them comes behind, as this completion does. */
		request(&reg, &a);
		finish(&a);
		CHECK(!fw_read(LOG(overflow)), "overflow");
		for (; tail != head; tail++) {
			memcpy(&e, &bench->host[0][ring - HOST_BASE + tail % 256 * 8], 8);
			unsigned int p = (unsigned int)(e & 15) - 1;
			uint64_t page = ((e & ~0xfffull) - TARGET(p)) / 4096;

			if (p >= PORTS || page >= WIN_LEN / 4096 || !dirty[p][page])
				fail("entry %u: 0x%llx", tail, (unsigned long long)e);
			else
				dirty[p][page] = false;
		}
		for (unsigned int i = 0; i < PORTS * (WIN_LEN / 4096); i++)
			CHECK(!dirty[i / (WIN_LEN / 4096)][i % (WIN_LEN / 4096)], "round %u: a page has no entry",
			      round);
		fw_write(LOG(tail), tail);
	}
	bench_close();
	case_end();
}

void test_aperture(void)
{
	sweep(128, 100);
	sweep(256, 50);
	sweep(1024, 90);
	bounds();
	rate();
	order();
	failures();
	slow_read();
	flr();
	dirty_log();
}
