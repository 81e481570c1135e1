/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X tables, pending bits and messages; function level reset.
 */
#include "bench.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>

#define TABLE 0x8000u
#define PBA 0x9000u
#define ALL ((1u << NUM_FN) - 1)
#define MSG_ADDR(fn, v) (0xfee00000ull + (fn) * 0x1000u + (v) * 16u)

static void send(unsigned int c, unsigned int fn, unsigned int vector)
{
	struct wr w = { .kind = WR_MSIX, .func = (uint8_t)fn };

	w.imm[0] = (uint8_t)vector;
	w.imm[1] = (uint8_t)(vector >> 8);
	wr_submit(c, &w);
}

static void program(unsigned int fn)
{
	for (unsigned int v = 0; v < 32; v++)
		CHECK(vhp_model_msix_entry(bench->m, fn, v, MSG_ADDR(fn, v), 0x1000 * fn + v, false) == 0, "entry");
	vhp_model_msix_control(bench->m, fn, true, false);
	vhp_model_run_idle(bench->m, 10000);
}

static void table_access(void)
{
	uint8_t shadow[NUM_FN][512] = { 0 }, got[512];
	uint32_t v;

	case_begin("table: any width and alignment, per function; reset values; PBA read only; beyond it UR");
	bench_init();
	bench->cfg.cc_ready_pct = 70;
	bench_open();
	for (unsigned int f = 0; f < NUM_FN; f++)
		for (unsigned int i = 12; i < 512; i += 16)
			shadow[f][i] = 1; /* masked after reset */
	for (unsigned int n = 0; n < 400; n++) {
		unsigned int f = rnd(NUM_FN), off = rnd(512), len = 1 + rnd(24);
		uint8_t data[32];

		if (off + len > 512)
			len = 512 - off;
		for (unsigned int i = 0; i < len; i++) {
			data[i] = (uint8_t)rnd(256);
			switch ((off + i) % 16) {
			case 0:
				shadow[f][off + i] = data[i] & 0xfc;
				break;
			case 12:
				shadow[f][off + i] = data[i] & 1;
				break;
			case 13:
			case 14:
			case 15:
				break;
			default:
				shadow[f][off + i] = data[i];
			}
		}
		CHECK(vhp_model_bar_write(bench->m, f, 0, TABLE + off, data, len) == 0, "write");
	}
	for (unsigned int f = 0; f < NUM_FN; f++) {
		CHECK(vhp_model_bar_read(bench->m, f, 0, TABLE, got, 512) == 0, "read of the table");
		for (unsigned int i = 0; i < 512; i++)
			CHECK(got[i] == shadow[f][i], "function %u table byte 0x%x: %02x, not %02x", f, i, got[i],
			      shadow[f][i]);
	}
	vhp_model_write32(bench->m, 1, 0, PBA, 0xffffffff);
	CHECK(vhp_model_bar_read(bench->m, 1, 0, PBA, &v, 4) == 0 && v == 0, "PBA %08x", v);
	CHECK(vhp_model_bar_read(bench->m, 1, 0, PBA + 8, &v, 4) != 0, "a read behind the PBA is answered");
	CHECK(vhp_model_bar_read(bench->m, 1, 0, TABLE + 0x200, &v, 4) != 0, "a read behind the table is answered");
	CHECK(bench->rb_reads == 0, "MSI-X accesses on the register bus");
	bench_close();
	case_end();
}

static void messages(void)
{
	case_begin("messages: address and data of the vector, requester function; off, out of range: dropped");
	bench_init();
	bench_open();
	for (unsigned int f = 0; f < NUM_FN; f++)
		program(f);
	for (unsigned int n = 0; n < 200; n++)
		send(n % 3, rnd(NUM_FN), rnd(32));
	run_quiet(20000);
	CHECK(bench->msi_count == 200 && bench->msix_sent == 200, "%u messages, %u counted", bench->msi_count,
	      bench->msix_sent);
	for (unsigned int i = 0; i < bench->msi_count; i++) {
		unsigned int f = bench->msi[i].fn, v = bench->msi[i].data & 0xfff;

		CHECK(bench->msi[i].addr == MSG_ADDR(f, v) && bench->msi[i].data == 0x1000 * f + v,
		      "message %u: function %u address 0x%llx data 0x%x", i, f, (unsigned long long)bench->msi[i].addr,
		      bench->msi[i].data);
	}
	vhp_model_msix_control(bench->m, 1, false, false);
	vhp_model_step(bench->m, 20);
	CHECK(bench->msix_enable == (ALL & ~2u), "fn_msix_enable 0x%x", bench->msix_enable);
	send(0, 1, 3);
	send(0, 2, 32);
	send(0, 2, 0x7ff);
	send(0, 7, 1);
	send(0, 2, 4);
	run_quiet(20000);
	CHECK(bench->msi_count == 201 && bench->wr_dropped == 4, "%u messages, %u dropped", bench->msi_count,
	      bench->wr_dropped);
	for (unsigned int i = 0; i < bench->wr_cmpl_count[0]; i++)
		CHECK(bench->wr_status[0][i] == DMA_OK, "command %u: status %d", i, bench->wr_status[0][i]);
	bench_close();
	case_end();
}

static uint32_t pba(unsigned int fn)
{
	return vhp_model_read32(bench->m, fn, 0, PBA);
}

static void masks(void)
{
	case_begin("masked vectors become pending and fire on unmask, per vector and per function, once");
	bench_init();
	bench_open();
	for (unsigned int f = 0; f < NUM_FN; f++)
		program(f);
	for (unsigned int v = 0; v < 8; v++)
		vhp_model_write32(bench->m, 1, 0, TABLE + 16 * v + 12, 1);
	vhp_model_run_idle(bench->m, 10000);
	for (unsigned int v = 0; v < 16; v++) {
		send(0, 1, v);
		send(0, 1, v);
	}
	run_quiet(20000);
	CHECK(bench->msi_count == 16 && pba(1) == 0xff, "%u messages, PBA %08x", bench->msi_count, pba(1));
	CHECK(bench->msix_pended == 16, "%u pended", bench->msix_pended);
	CHECK(pba(0) == 0 && pba(2) == 0, "PBA of other functions %08x %08x", pba(0), pba(2));
	bench->msi_count = 0;
	vhp_model_write32(bench->m, 1, 0, TABLE + 16 * 5 + 12, 0);
	run_quiet(20000);
	CHECK(bench->msi_count == 1 && bench->msi[0].data == 0x1005 && pba(1) == 0xdf, "%u messages, PBA %08x",
	      bench->msi_count, pba(1));
	/* Function mask holds everything, also vectors that are not masked themselves. */
	vhp_model_msix_control(bench->m, 1, true, true);
	vhp_model_step(bench->m, 20);
	for (unsigned int v = 0; v < 8; v++)
		vhp_model_write32(bench->m, 1, 0, TABLE + 16 * v + 12, 0);
	vhp_model_run_idle(bench->m, 10000);
	send(2, 1, 30);
	send(2, 2, 30);
	run_quiet(20000);
	CHECK(bench->msi_count == 2 && bench->msi[1].fn == 2 && pba(1) == 0x400000df, "%u messages, PBA %08x",
	      bench->msi_count, pba(1));
	bench->msi_count = 0;
	vhp_model_msix_control(bench->m, 1, true, false);
	run_quiet(20000);
	CHECK(bench->msi_count == 8 && pba(1) == 0, "%u messages, PBA %08x", bench->msi_count, pba(1));
	bench_close();
	case_end();
}

/* An interrupt must not overtake the data that was written before it by the same client. */
static uint64_t order_addr[512];
static unsigned int order_count;

static void order_write(void *arg, unsigned int fn, uint64_t addr, unsigned int bytes)
{
	(void)arg;
	(void)fn;
	(void)bytes;
	if (order_count < 512)
		order_addr[order_count++] = addr;
}

static void order_msi(void *arg, unsigned int fn, uint64_t addr, uint32_t data)
{
	struct bench *b = arg;

	(void)data;
	b->msi_count++;
	order_write(arg, fn, addr, 4);
}

static void ordering(void)
{
	unsigned int last = 0;

	case_begin("data, then the interrupt, in the order of the commands");
	bench_init();
	bench->cfg.on_dma_write = order_write;
	bench->cfg.on_msix = order_msi;
	bench->cfg.rq_ready_pct = 50;
	bench_open();
	program(1);
	order_count = 0;
	for (unsigned int i = 0; i < 60; i++) {
		struct wr w = { .kind = i % 2 ? WR_IMM : WR_PACKET,
				.func = 1,
				.len = i % 2 ? 8 : 200,
				.addr = HOST_WRITE(1) + i * 256 };

		wr_submit(1, &w);
		send(1, 1, i % 32);
	}
	run_quiet(20000);
	CHECK(bench->msi_count == 60, "%u messages", bench->msi_count);
	for (unsigned int i = 0; i < order_count; i++) {
		bool msi = order_addr[i] < HOST_BASE;
		unsigned int k = msi ? last : (unsigned int)((order_addr[i] - HOST_WRITE(1)) / 256);

		if (msi) {
			CHECK(order_addr[i] == MSG_ADDR(1, last % 32), "message %u is 0x%llx", last,
			      (unsigned long long)order_addr[i]);
			last++;
		} else {
			CHECK(k == last, "data of command %u after %u messages", k, last);
		}
	}
	bench_close();
	case_end();
}

void test_msix(void)
{
	table_access();
	messages();
	masks();
	ordering();
}

/* ---------------------------------------------------------------------------------------------- FLR */

static void traffic(unsigned int fn_mask, unsigned int n)
{
	static unsigned int at;

	for (unsigned int i = 0; i < n; i++, at++) {
		unsigned int slot = at % 64, f = rnd(NUM_FN);
		struct wr w = { .kind = WR_PACKET,
				.len = 1 + rnd(900),
				.ram = rnd(RAM_BYTES),
				.addr = HOST_WRITE(0) + (at % 1000) * 1024 };

		if (!(fn_mask >> f & 1))
			continue;
		if (!bench->rd[0][slot].busy)
			rd_submit(0, (uint8_t)f, HOST_BASE + rnd(HOST_READ_LEN - 2000), 1 + rnd(2000), slot * 2048,
				  slot);
		if (bench->wr_hist_count[0] < QUEUE - 1 && bench->wr_count[0] < 200) {
			w.func = (uint8_t)f;
			wr_submit(0, &w);
		}
	}
}

/* Reads of the reset function end with DmaFlr or DmaDisabled, all others are whole. */
static void check_reads(unsigned int fn, bool some)
{
	unsigned int stopped = 0;

	for (unsigned int s = 0; s < 64; s++) {
		const struct rd_state *r = &bench->rd[0][s];

		if (!r->done)
			continue;
		if (r->r.func != fn)
			CHECK(r->status == DMA_OK, "function %u read ended with %d", r->r.func, r->status);
		else
			CHECK(r->status == DMA_OK || r->status == DMA_FLR || r->status == DMA_DISABLED,
			      "reset function: status %d", r->status);
		stopped += r->status != DMA_OK;
	}
	CHECK(!some || stopped, "no read was stopped");
}

static void flr_of(unsigned int fn)
{
	uint32_t v;

	case_begin(
		"FLR of function %u under traffic: it stops, the others do not, MSI-X is cleared, and it works again",
		fn);
	bench_init();
	bench->cfg.latency = 400;
	bench->expect_read_errors = true;
	bench->check_order = false;
	bench_open();
	for (unsigned int f = 0; f < NUM_FN; f++)
		program(f);
	vhp_model_write32(bench->m, fn, 0, TABLE + 12, 1);
	vhp_model_run_idle(bench->m, 10000);
	send(0, fn, 0);
	run_quiet(20000);
	CHECK(pba(fn) == 1, "PBA %08x", pba(fn));
	for (unsigned int i = 0; i < 20; i++) {
		traffic(ALL, 4);
		vhp_model_step(bench->m, 20);
	}
	CHECK(vhp_model_flr(bench->m, fn) == 0, "FLR cannot be started");
	for (unsigned int i = 0; i < 40; i++) {
		traffic(ALL, 3);
		vhp_model_step(bench->m, 30);
		CHECK(!(bench->flr_pending & ~(1u << fn)), "flr_pending 0x%x", bench->flr_pending);
	}
	for (unsigned int i = 0; vhp_model_flr_busy(bench->m, fn) && i < 20000; i++)
		vhp_model_step(bench->m, 1);
	CHECK(!vhp_model_flr_busy(bench->m, fn), "FLR does not end");
	run_quiet(50000);
	check_reads(fn, true);
	CHECK(bench->wr_dropped > 0, "no write was dropped");
	/* The others kept their tables; the reset one starts anew. */
	for (unsigned int f = 0; f < NUM_FN; f++) {
		if (f == fn)
			CHECK(vhp_model_enable(bench->m, f) == 0, "enable");
		vhp_model_bar_read(bench->m, f, 0, TABLE + 16 * 7 + 12, &v, 4);
		CHECK(v == (f == fn ? 1u : 0u), "function %u vector control %08x", f, v);
		CHECK(pba(f) == 0, "function %u PBA %08x", f, pba(f));
	}
	vhp_model_step(bench->m, 100);
	bench->expect_read_errors = false;
	memset(bench->rd[0], 0, sizeof(bench->rd[0]));
	program(fn);
	bench->msi_count = 0;
	send(1, fn, 9);
	traffic(ALL, 30);
	run_quiet(50000);
	CHECK(bench->msi_count == 1, "%u messages after the reset", bench->msi_count);
	CHECK(bench->violations == 0, "%u rules broken", bench->violations);
	bench_close();
	case_end();
}

static void flr_waits(void)
{
	case_begin("FLR is held until the control block is done, and reads of the function are refused meanwhile");
	bench_init();
	bench->flr_hold = 3000;
	bench->expect_read_errors = true;
	bench_open();
	vhp_model_flr(bench->m, 1);
	vhp_model_step(bench->m, 1000);
	CHECK(bench->flr_pending == 2 && vhp_model_flr_busy(bench->m, 1), "flr_pending 0x%x", bench->flr_pending);
	rd_submit(0, 1, HOST_BASE, 100, 0, 1);
	rd_submit(0, 2, HOST_BASE, 100, 1000, 2);
	vhp_model_step(bench->m, 1000);
	CHECK(bench->rd[0][1].status == DMA_FLR && bench->rd[0][2].status == DMA_OK, "status %d and %d",
	      bench->rd[0][1].status, bench->rd[0][2].status);
	vhp_model_step(bench->m, 2000);
	CHECK(!vhp_model_flr_busy(bench->m, 1) && bench->flr_pending == 0, "still in FLR");
	bench_close();
	case_end();
}

/* Both at once, and again while the first is not over. */
static void flr_both(void)
{
	case_begin("FLR of two functions at once, repeated");
	bench_init();
	bench->cfg.latency = 300;
	bench->expect_read_errors = true;
	bench->check_order = false;
	bench_open();
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int f = 1; f < NUM_FN; f++)
			vhp_model_enable(bench->m, f);
		vhp_model_step(bench->m, 100);
		traffic(ALL, 40);
		vhp_model_step(bench->m, rnd(400));
		vhp_model_flr(bench->m, 1);
		vhp_model_flr(bench->m, 2);
		traffic(ALL, 20);
		for (unsigned int i = 0;
		     (vhp_model_flr_busy(bench->m, 1) || vhp_model_flr_busy(bench->m, 2)) && i < 20000; i++)
			vhp_model_step(bench->m, 1);
		CHECK(!vhp_model_flr_busy(bench->m, 1) && !vhp_model_flr_busy(bench->m, 2),
		      "round %u: FLR does not end", round);
		run_quiet(50000);
	}
	bench_close();
	case_end();
}

static void bus_master(unsigned int fn)
{
	unsigned int other = fn == 2 ? 1 : 2;
	uint32_t v;

	case_begin(
		"Bus Master Enable of function %u off: reads and writes end with DmaDisabled, nothing is issued; on again: they work",
		fn);
	bench_init();
	bench->expect_read_errors = true;
	bench->check_order = false;
	bench_open();
	vhp_model_config_read(bench->m, fn, 4, &v);
	vhp_model_config_write(bench->m, fn, 4, v & ~4u, 3);
	vhp_model_step(bench->m, 50);
	uint64_t before = vhp_model_stats(bench->m)->fn[fn].rd.tlps + vhp_model_stats(bench->m)->fn[fn].dropped;
	struct wr w = { .kind = WR_IMM, .func = (uint8_t)fn, .len = 8, .addr = HOST_WRITE(0) };

	rd_submit(0, (uint8_t)fn, HOST_BASE, 5000, 0, 1);
	wr_submit(0, &w);
	w.func = (uint8_t)other;
	wr_submit(0, &w);
	run_quiet(10000);
	CHECK(bench->rd[0][1].status == DMA_DISABLED, "read: status %d", bench->rd[0][1].status);
	CHECK(bench->wr_status[0][0] == DMA_DISABLED && bench->wr_status[0][1] == DMA_OK, "writes: status %d %d",
	      bench->wr_status[0][0], bench->wr_status[0][1]);
	CHECK(vhp_model_stats(bench->m)->fn[fn].rd.tlps + vhp_model_stats(bench->m)->fn[fn].dropped == before,
	      "something was issued");
	CHECK(bench->wr_dropped == 1, "%u dropped", bench->wr_dropped);
	vhp_model_config_write(bench->m, fn, 4, v, 3);
	vhp_model_step(bench->m, 100);
	rd_submit(0, (uint8_t)fn, HOST_BASE, 5000, 0, 2);
	run_quiet(10000);
	CHECK(bench->rd[0][2].status == DMA_OK, "read: status %d", bench->rd[0][2].status);
	check_host();
	bench_close();
	case_end();
}

/* ---------------------------------------------------------------------------------------------- virtual functions */

static bool vfs_quiet(void *arg)
{
	(void)arg;
	return !bench->flr_pending && !vhp_model_flr_busy(bench->m, VHP_MODEL_PARENT);
}

/* Traffic of all functions while the virtual ones go by @p go; then they come back and start anew. */
static void vfs_go(const char *how, int (*go)(void))
{
	unsigned int seen = 0;
	uint32_t v;

	case_begin("%s under traffic: virtual functions stop and are reset, physical ones are not, and they work again",
		   how);
	bench_init();
	bench->cfg.latency = 400;
	bench->flr_hold = 100;
	bench->expect_read_errors = true;
	bench->check_order = false;
	bench_open();
	for (unsigned int f = 0; f < NUM_FN; f++)
		program(f);
	for (unsigned int i = 0; i < 20; i++) {
		traffic(ALL, 4);
		vhp_model_step(bench->m, 20);
	}
	CHECK(go() == 0, "refused");
	CHECK(vhp_model_config_read(bench->m, 3, 0, &v) == -ENXIO && v == 0xffffffff,
	      "a function that is gone answers");
	for (unsigned int i = 0; i < 60; i++) {
		if (i < 40)
			traffic(ALL, 3);
		vhp_model_step(bench->m, 30);
		seen |= bench->flr_pending;
	}
	vhp_model_run_until(bench->m, vfs_quiet, NULL, 20000);
	CHECK(vfs_quiet(NULL), "the reset does not end: pending 0x%x", bench->flr_pending);
	CHECK(seen == 0x18, "the control block saw resets 0x%x", seen);
	run_quiet(50000);
	for (unsigned int s = 0; s < 64; s++)
		if (bench->rd[0][s].done && bench->rd[0][s].r.func < VHP_MODEL_FIRST_VF)
			CHECK(bench->rd[0][s].status == DMA_OK, "function %u read ended with %d",
			      bench->rd[0][s].r.func, bench->rd[0][s].status);
	for (unsigned int f = 0; f < NUM_FN; f++) {
		bool vf = f >= VHP_MODEL_FIRST_VF;

		if (vf)
			CHECK(vhp_model_enable(bench->m, f) == 0, "enable");
		vhp_model_bar_read(bench->m, f, 0, TABLE + 16 * 7 + 12, &v, 4);
		CHECK(v == (vf ? 1u : 0u), "function %u vector control %08x", f, v);
	}
	vhp_model_step(bench->m, 100);
	bench->expect_read_errors = false;
	memset(bench->rd[0], 0, sizeof(bench->rd[0]));
	for (unsigned int f = VHP_MODEL_FIRST_VF; f < NUM_FN; f++)
		program(f);
	bench->msi_count = 0;
	for (unsigned int f = 0; f < NUM_FN; f++)
		send(1, f, 9);
	traffic(ALL, 30);
	run_quiet(50000);
	CHECK(bench->msi_count == NUM_FN, "%u messages afterwards", bench->msi_count);
	CHECK(bench->violations == 0, "%u rules broken", bench->violations);
	bench_close();
	case_end();
}

static int disable(void)
{
	return vhp_model_sriov(bench->m, 0);
}

static int reset_parent(void)
{
	return vhp_model_flr(bench->m, VHP_MODEL_PARENT);
}

/* Payload sizes of a virtual function are its physical function's; the strict model knows no others. */
static void vf_settings(void)
{
	const struct vhp_fn_stats *st;
	struct wr w = { .kind = WR_IMM, .func = 4, .len = 64 };

	case_begin("MPS 128 and MRRS 128 of the parent hold for its virtual functions, and for no other");
	bench_init();
	bench->cfg.mps = 512;
	bench->cfg.mrrs = 512;
	bench_open();
	CHECK(vhp_model_config_write(bench->m, VHP_MODEL_PARENT, 0x78, 0x0100, 0x3) == 0, "Device Control");
	vhp_model_step(bench->m, 200);
	for (unsigned int f = 2; f < 4; f++)
		rd_submit(0, (uint8_t)f, HOST_BASE, 1024, f * 1024, f);
	w.addr = HOST_WRITE(0) + 1;
	wr_submit(0, &w);
	run_quiet(10000);
	st = vhp_model_stats(bench->m)->fn;
	CHECK(st[2].rd.tlps == 2 && st[3].rd.tlps == 8, "reads of 1024 bytes: %llu and %llu TLPs",
	      (unsigned long long)st[2].rd.tlps, (unsigned long long)st[3].rd.tlps);
	check_host();
	CHECK(bench->violations == 0, "%u rules broken", bench->violations);
	bench_close();
	case_end();
}

/* Both virtual functions are reset at once: one port of the block takes a done of one function at a time. */
static void vf_flr_both(void)
{
	case_begin("FLR of both virtual functions in the same cycle ends for both, and the physical ones see none");
	bench_init();
	bench->flr_hold = 200;
	bench_open();
	for (unsigned int round = 0; round < 3; round++) {
		vhp_model_flr(bench->m, 3);
		vhp_model_flr(bench->m, 4);
		vhp_model_step(bench->m, 150);
		CHECK(bench->flr_pending == 0x18, "pending 0x%x", bench->flr_pending);
		vhp_model_step(bench->m, 400);
		CHECK(!vhp_model_flr_busy(bench->m, 3) && !vhp_model_flr_busy(bench->m, 4), "still in FLR");
	}
	CHECK(bench->violations == 0, "%u rules broken", bench->violations);
	bench_close();
	case_end();
}

void test_flr(void)
{
	for (unsigned int f = 0; f < NUM_FN; f++)
		flr_of(f);
	flr_waits();
	flr_both();
	bus_master(1);
	bus_master(4);
	vfs_go("VF Enable cleared", disable);
	vfs_go("FLR of the parent", reset_parent);
	vf_settings();
	vf_flr_both();
}
