/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defects that other PCIe DMA designs have or had, each as a case of its own.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static void max_read(unsigned int len)
{
	uint64_t tlps;

	case_begin("1: MRRS 4096, aligned, %u bytes: no read of 0 dwords (1024 on the wire) behind it", len);
	bench_init();
	bench->cfg.mrrs = 4096;
	bench_open();
	rd_submit(2, 1, HOST_BASE + 0x8000, len, 0, 1);
	run_quiet(20000);
	tlps = vhp_model_stats(bench->m)->fn[1].rd.tlps;
	CHECK(tlps == len / 4096, "%llu read TLPs", (unsigned long long)tlps);
	CHECK(bench->rd[2][1].status == DMA_OK, "status %d", bench->rd[2][1].status);
	bench_close();
	case_end();
}

static enum vhp_outcome outcome;
static unsigned int hits;

static enum vhp_outcome first_only(void *arg, const struct vhp_dma_read *rd)
{
	(void)arg;
	if (rd->addr < HOST_BASE + 0x80000)
		return VHP_OUT_OK;
	return hits++ == 0 ? outcome : VHP_OUT_OK;
}

/* After the error every tag must be usable: as many reads as there are tags, all out at once, twice over. */
static void tag_survives(const char *number, enum vhp_outcome what, int status, const char *text, bool ext)
{
	case_begin("%s: %s (%s tags)", number, text, ext ? "256" : "32");
	bench_init();
	bench->cfg.ext_tag = ext;
	bench->cfg.split_pct = 100;
	bench->cfg.reorder = true;
	bench->cfg.latency = 600;
	bench->cfg.latency_jitter = 500;
	bench->cfg.completion_timeout = 5000;
	bench->cfg.on_dma_read = first_only;
	bench->expect_read_errors = true;
	bench_open();
	outcome = what;
	for (unsigned int round = 0; round < 3; round++) {
		hits = 0;
		rd_submit(1, 2, HOST_BASE + 0x80000 + 64, 448, 2048 * round, round);
		for (unsigned int i = 0; i < 300; i++)
			rd_submit(0, (uint8_t)(i % NUM_FN), HOST_BASE + 1024 * (i % 256) + i % 64, 100 + i % 60,
				  400 * i, i);
		run_quiet(60000);
		CHECK(bench->rd[1][round].status == status, "status %d, not %d", bench->rd[1][round].status, status);
		for (unsigned int i = 0; i < 300; i++)
			CHECK(bench->rd[0][i].status == DMA_OK, "read %u behind it: status %d", i,
			      bench->rd[0][i].status);
	}
	CHECK(vhp_model_stats(bench->m)->reads_outstanding_max >= (ext ? 80 : 30), "only %llu reads were out at once",
	      (unsigned long long)vhp_model_stats(bench->m)->reads_outstanding_max);
	bench_close();
	case_end();
}

static void iommu_refuses(void)
{
	case_begin("4: the IOMMU refuses a read: UR retires the tag, 2000 times");
	bench_init();
	bench->expect_read_errors = true;
	bench->cfg.latency = 30;
	bench_open();
	for (unsigned int i = 0; i < 2000; i++) {
		rd_submit(3, 1, 0x5000000000ull + 64 * i, 64, 64 * (i % 1000), i % 500);
		while (bench->rd_open > 200)
			vhp_model_step(bench->m, 1);
	}
	run_quiet(50000);
	for (unsigned int i = 0; i < 500; i++)
		CHECK(bench->rd[3][i].status == DMA_UR, "read %u: status %d", i, bench->rd[3][i].status);
	CHECK(bench->faults == 2000 && bench->rd_errors == 2000, "%u faults, %u counted", bench->faults,
	      bench->rd_errors);
	bench->expect_read_errors = false;
	rd_submit(3, 1, HOST_BASE + 5, 9000, 3, 501);
	run_quiet(10000);
	bench_close();
	case_end();
}

/* A request is done when its last byte is there, not when its last TLP was issued. */
static void done_after_data(void)
{
	case_begin("4: done comes after the data, never at issue (completions late and out of order)");
	bench_init();
	bench->cfg.reorder = true;
	bench->cfg.latency = 500;
	bench->cfg.latency_jitter = 2000;
	bench->cfg.split_pct = 70;
	bench_open();
	for (unsigned int i = 0; i < 60; i++)
		rd_submit(i % RD_CLIENTS, (uint8_t)(i % NUM_FN), HOST_BASE + rnd(0x80000), 1500 + rnd(500),
			  2048 * (i / RD_CLIENTS), i);
	run_quiet(100000); /* bench_rd_done compares all bytes at the done */
	bench_close();
	case_end();
}

static void corner_widths(void)
{
	unsigned int n = 0;

	case_begin("5, 6: every byte of both banks as first and last byte, one byte to two rows");
	bench_init();
	bench->cfg.latency = 40;
	bench_open();
	for (unsigned int at = 0; at < 128; at++) {
		for (unsigned int len = 1; len <= 129;
		     len += len < 4 || len > 60 ? 1 + len / 70 * 3 : 11, n = (n + 1) % 200) {
			while (bench->rd[1][n].busy)
				vhp_model_step(bench->m, 1);
			rd_submit(1, 0, HOST_BASE + 4096 * rnd(100) + rnd(256), len, 512 * n + at, n);
		}
	}
	run_quiet(20000);
	bench_close();
	case_end();
}

static void completion_buffer(unsigned int rcb)
{
	case_begin("7: outstanding reads never exceed the completion buffer, RCB %u, answered as badly as allowed",
		   rcb);
	bench_init();
	bench->cfg.rcb = rcb;
	bench->cfg.split_pct = 100;
	bench->cfg.mrrs = 4096;
	bench->cfg.latency = 3000; /* all of it comes at once */
	bench->cfg.rc_valid_pct = 30;
	bench->cfg.down_rate = 256;
	bench_open();
	for (unsigned int i = 0; i < 45; i++)
		rd_submit(i % 3, 1, HOST_BASE + 4096 * i + rnd(64), 1 + rnd(8000), 8192 * (i / 3), i);
	run_quiet(200000);
	bench_close();
	case_end();
}

/* One client that always has work must not starve the others. */
static void fair_clients(void)
{
	uint64_t worst = 0;

	case_begin("7: clients share the read engine: short reads beside endless long ones");
	bench_init();
	bench_open();
	for (unsigned int i = 0; i < 32; i++)
		rd_submit(2, 0, HOST_BASE + 4096 * i, 4096, 4096 * i, i);
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t t;

		rd_submit(0, 1, HOST_BASE + 64 * i, 64, 64 * i, i);
		while (bench->rd[0][i].busy && vhp_model_cycle(bench->m) < bench->rd[0][i].submitted + 20000)
			vhp_model_step(bench->m, 1);
		t = bench->rd[0][i].finished - bench->rd[0][i].submitted;
		worst = t > worst ? t : worst;
	}
	printf("slowest short read %llu cycles\n", (unsigned long long)worst);
	CHECK(worst < 2500, "%llu cycles", (unsigned long long)worst);
	run_quiet(100000);
	bench_close();
	case_end();
}

/* The block takes 2 non-posted requests, and the link hardly any: writes must go on, and nothing may hang. */
static void no_lockup(void)
{
	uint64_t stall;

	case_begin("7: reads do not clog RQ for writes when non-posted credits run out");
	bench_init();
	bench->cfg.nph = 4;
	bench->cfg.np_queue = 16;
	bench->cfg.credit_return = 400;
	bench_open();
	for (unsigned int i = 0; i < 200; i++)
		rd_submit(0, 1, HOST_BASE + 512 * i, 400, 512 * i, i);
	for (unsigned int i = 0; i < 100; i++) {
		struct wr w = { .kind = WR_IMM, .func = 2, .len = 64, .addr = HOST_WRITE(1) + 64 * i };

		wr_submit(1, &w);
	}
	vhp_model_step(bench->m, 3000);
	CHECK(bench->wr_cmpl_count[1] == 100, "%u of 100 writes completed beside starving reads",
	      bench->wr_cmpl_count[1]);
	run_quiet(200000);
	stall = vhp_model_stats(bench->m)->rq_stall_np;
	CHECK(stall == 0, "RQ stood still for %llu cycles because of reads", (unsigned long long)stall);
	check_host();
	bench_close();
	case_end();
}

/* After FLR nothing of the old stream may shift the new one: odd offsets before, then compare. */
static void nothing_left_over(void)
{
	case_begin("8: FLR in the middle of unaligned streams leaves nothing behind that shifts the next ones");
	bench_init();
	bench->cfg.latency = 300;
	bench->cfg.rc_valid_pct = 40;
	bench->expect_read_errors = true;
	bench->check_order = false;
	bench_open();
	for (unsigned int round = 0; round < 8; round++) {
		bench->expect_read_errors = true;
		for (unsigned int i = 0; i < 10; i++)
			rd_submit(i % 2, 1, HOST_BASE + 1 + 2000 * i, 1777, 2048 * i, 2 * i);
		vhp_model_step(bench->m, 250 + rnd(300));
		vhp_model_flr(bench->m, 1);
		for (unsigned int i = 0; vhp_model_flr_busy(bench->m, 1) && i < 20000; i++)
			vhp_model_step(bench->m, 1);
		run_quiet(20000);
		vhp_model_enable(bench->m, 1);
		vhp_model_step(bench->m, 100);
		bench->expect_read_errors = false;
		for (unsigned int i = 0; i < 10; i++)
			rd_submit(i % 2, 1, HOST_BASE + 3 + 1999 * i, 1800, 2048 * i, 2 * i + 1);
		run_quiet(20000);
	}
	bench_close();
	case_end();
}

static void uninvited(void)
{
	case_begin("2, 4: a completion with an invalid tag changes nothing and is reported");
	bench_init();
	bench->cfg.on_dma_read = first_only;
	outcome = VHP_OUT_INVALID_TAG;
	hits = 0;
	bench_open();
	rd_submit(0, 1, HOST_BASE + 0x80000, 300, 0, 1);
	run_quiet(10000);
	CHECK(bench->rd[0][1].status == DMA_OK, "status %d", bench->rd[0][1].status);
	CHECK(vhp_model_stats(bench->m)->err_cor == 1 && bench->rd_errors == 1, "%llu correctable errors, %u counted",
	      (unsigned long long)vhp_model_stats(bench->m)->err_cor, bench->rd_errors);
	bench_close();
	case_end();
}

void test_defects(void)
{
	max_read(4096);
	max_read(8192);
	max_read(65536);
	tag_survives("2", VHP_OUT_POISONED, DMA_POISONED,
		     "a poisoned split does not free the tag before the others came", true);
	tag_survives("2", VHP_OUT_NO_DATA, DMA_MALFORMED, "code 3 is not good data", true);
	tag_survives("2", VHP_OUT_START_ADDR, DMA_MALFORMED, "code 5 is not good data", true);
	tag_survives("2", VHP_OUT_RID_MISMATCH, DMA_MALFORMED, "code 4 discards until request completed", false);
	tag_survives("2", VHP_OUT_DISCONTINUE, DMA_MALFORMED, "data that the block lost (discontinue) is not good data",
		     true);
	tag_survives("3", VHP_OUT_TIMEOUT, DMA_TIMEOUT, "a completion timeout is reported and retires the tag", false);
	tag_survives("4", VHP_OUT_UR, DMA_UR, "UR retires the tag", false);
	tag_survives("4", VHP_OUT_CA, DMA_CA, "CA retires the tag", true);
	iommu_refuses();
	uninvited();
	done_after_data();
	corner_widths();
	completion_buffer(64);
	completion_buffer(128);
	fair_clients();
	no_lockup();
	nothing_left_over();
}
