/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requester: reads and writes of host memory. Bytes are compared one by one; the strict model checks every TLP.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static unsigned int random_len(void)
{
	switch (rnd(4)) {
	case 0:
		return 1 + rnd(16);
	case 1:
		return 1 + rnd(200);
	case 2:
		return 1 + rnd(1600);
	default:
		return 1 + rnd(8000);
	}
}

/* Reads of all clients, 16 slots of 8 KiB in each client's RAM. */
static void random_reads(unsigned int n)
{
	uint64_t stop = vhp_model_cycle(bench->m) + 2000000;

	while (n && vhp_model_cycle(bench->m) < stop) {
		unsigned int c = rnd(RD_CLIENTS), slot = rnd(c == RD_SOC ? 8 : 16), len = random_len();

		if (!bench->rd[c][slot].busy) {
			uint64_t addr = HOST_BASE +
				(pct(30) ? 4096 * (1 + rnd(200)) - rnd(len + 64) % 4096 : rnd(HOST_READ_LEN - len));

			if (addr + len > HOST_BASE + HOST_READ_LEN)
				addr = HOST_BASE + HOST_READ_LEN - len;
			rd_submit(c, (uint8_t)rnd(NUM_FN), addr, len, slot * 8192 + rnd(8192 - len), slot);
			n--;
		}
		if (pct(50))
			vhp_model_step(bench->m, rnd(12));
		else if (bench->rd_open > 56)
			vhp_model_step(bench->m, 20);
	}
	CHECK(n == 0, "%u reads could not even be asked for", n);
}

static uint64_t next_addr[WR_CLIENTS];

/* Commands of all clients with addresses that go up, so that everything can be compared at the end. */
static void random_writes(unsigned int n, bool msix)
{
	while (n--) {
		unsigned int c = rnd(WR_CLIENTS);
		struct wr w = { .func = (uint8_t)rnd(NUM_FN) };

		if (msix && pct(10)) {
			w.kind = WR_MSIX;
			w.imm[0] = (uint8_t)rnd(32);
		} else if (pct(50)) {
			w.kind = WR_IMM;
			w.len = 1 + rnd(64);
			for (unsigned int i = 0; i < 64; i++)
				w.imm[i] = (uint8_t)rnd(256);
		} else {
			w.kind = WR_PACKET;
			w.len = 1 + rnd(pct(20) ? 6000 : pct(50) ? 90 : 1600);
			w.ram = rnd(RAM_BYTES);
			w.patch = pct(50);
			w.patch_off = pct(60) ? 0 : rnd(16);
			w.num_buffers = (uint16_t)rnd(65536);
		}
		if (w.kind != WR_MSIX) {
			next_addr[c] += pct(60) ? rnd(70) : 0;
			if (next_addr[c] + w.len > HOST_WRITE_LEN)
				next_addr[c] = rnd(64);
			w.addr = HOST_WRITE(c) + next_addr[c];
			next_addr[c] += w.len;
		}
		wr_submit(c, &w);
		if (pct(30))
			vhp_model_step(bench->m, rnd(30));
		while (bench->wr_count[c] > 100)
			vhp_model_step(bench->m, 10);
	}
}

/* The packet buffer is a client's RAM like the others: fill it with two reads of the largest length. */
static void fill_packet_buffer(void)
{
	rd_submit(RD_PACKET, 0, HOST_BASE + 3, 65536, 0, 100);
	rd_submit(RD_PACKET, 1, HOST_BASE + 70000, 65536, 65536, 101);
	run_quiet(200000);
}

static void offsets_and_lengths(unsigned int mrrs)
{
	unsigned int slot = 0;

	case_begin("reads: every offset in 64 with lengths 1 to 160, MRRS %u", mrrs);
	bench_init();
	bench->cfg.mrrs = mrrs;
	bench->cfg.reorder = true;
	bench->cfg.latency = 60;
	bench->cfg.latency_jitter = 60;
	bench->cfg.split_pct = 40;
	bench_open();
	for (unsigned int off = 0; off < 64; off++) {
		for (unsigned int len = 1; len <= 160; len += off % 4 == 0 ? 1 : 7, slot = (slot + 1) % 256) {
			while (bench->rd[0][slot].busy)
				vhp_model_step(bench->m, 1);
			rd_submit(0, (uint8_t)(len % NUM_FN),
				  HOST_BASE + (pct(50) ? 4096 * rnd(200) + 4000 : 64 * rnd(10000)) + off, len,
				  slot * 512 + rnd(300), slot);
		}
	}
	run_quiet(100000);
	bench_close();
	case_end();
}

static void random_mix(unsigned int k)
{
	static const unsigned int rcb[] = { 64, 128 }, ready[] = { 100, 70, 30 };

	bench_init();
	bench->cfg.mps = 128u << rnd(4);
	bench->cfg.mrrs = 128u << rnd(6);
	bench->cfg.ext_tag = rnd(4) != 0;
	bench->cfg.rcb = rcb[rnd(2)];
	bench->cfg.reorder = rnd(4) != 0;
	bench->cfg.split_pct = rnd(100);
	bench->cfg.latency = 20 + rnd(400);
	bench->cfg.latency_jitter = rnd(300);
	bench->cfg.rq_ready_pct = ready[rnd(3)];
	bench->cfg.rc_valid_pct = ready[rnd(3)];
	bench->cfg.nph = k % 5 == 4 ? 1 + rnd(8) : 64;
	bench->cfg.ph = k % 5 == 3 ? 1 + rnd(4) : 64;
	bench->cfg.pd = k % 5 == 3 ? 64 : 1024;
	bench->cfg.np_queue = 4 + rnd(13);
	bench->rd_req_pct = ready[rnd(3)];
	case_begin("random reads and writes %u: MPS %u MRRS %u RCB %u tags %s ready %u/%u np %u/%u p %u", k,
		   bench->cfg.mps, bench->cfg.mrrs, bench->cfg.rcb, bench->cfg.ext_tag ? "256" : "32",
		   bench->cfg.rq_ready_pct, bench->cfg.rc_valid_pct, bench->cfg.nph, bench->cfg.np_queue,
		   bench->cfg.ph);
	memset(next_addr, 0, sizeof(next_addr));
	bench_open();
	random_reads(60);
	run_quiet(300000);
	fill_packet_buffer();
	random_writes(300, true);
	run_quiet(400000);
	check_host();
	/* Both at once; the packet buffer is not read into here, writes take what is there. */
	for (unsigned int i = 0; i < 40; i++) {
		unsigned int c = rnd(2), slot = rnd(16), len = random_len();

		if (!bench->rd[c][slot].busy)
			rd_submit(c, (uint8_t)rnd(NUM_FN), HOST_BASE + rnd(HOST_READ_LEN - len), len, slot * 8192,
				  slot);
		random_writes(5, false);
	}
	run_quiet(400000);
	check_host();
	for (unsigned int c = 0; c < WR_CLIENTS; c++)
		CHECK(bench->wr_cmpl_count[c] == bench->wr_hist_count[c], "client %u: %u of %u commands completed", c,
		      bench->wr_cmpl_count[c], bench->wr_hist_count[c]);
	CHECK(bench->rd_errors == 0 &&
		      bench->wr_dropped <= bench->wr_hist_count[0] + bench->wr_hist_count[1] + bench->wr_hist_count[2],
	      "%u read errors", bench->rd_errors);
	bench_close();
	case_end();
}

static void limits(void)
{
	case_begin("requests of 65536 bytes, RAM that wraps, impossible lengths");
	bench_init();
	bench->cfg.reorder = true;
	bench_open();
	rd_submit(2, 2, HOST_BASE + 1, 65536, 100000, 7);
	rd_submit(0, 1, HOST_BASE + 4095, 2, 131071, 8);
	run_quiet(100000);
	bench->expect_read_errors = true;
	rd_submit(1, 0, HOST_BASE, 0, 0, 9);
	rd_submit(1, 0, HOST_BASE, 65537, 0, 10);
	rd_submit(3, NUM_FN, HOST_BASE, 64, 0, 11);
	run_quiet(10000);
	CHECK(bench->rd[1][9].status == DMA_MALFORMED, "length 0: status %d", bench->rd[1][9].status);
	CHECK(bench->rd[1][10].status == DMA_MALFORMED, "length 65537: status %d", bench->rd[1][10].status);
	CHECK(bench->rd[3][11].status == DMA_DISABLED, "a function that is not there: status %d",
	      bench->rd[3][11].status);
	struct wr bad = { .kind = WR_IMM, .len = 65, .addr = HOST_WRITE(0) },
		  zero = { .kind = WR_PACKET, .addr = HOST_WRITE(0) };
	struct wr absent = { .kind = WR_IMM, .func = 9, .len = 4, .addr = HOST_WRITE(0) };

	bench->check_order = false;
	wr_submit(0, &bad);
	wr_submit(0, &zero);
	wr_submit(0, &absent);
	run_quiet(10000);
	CHECK(bench->wr_status[0][0] == DMA_MALFORMED && bench->wr_status[0][1] == DMA_MALFORMED &&
		      bench->wr_status[0][2] == DMA_DISABLED,
	      "status %d %d %d", bench->wr_status[0][0], bench->wr_status[0][1], bench->wr_status[0][2]);
	CHECK(bench->wr_dropped == 3, "%u dropped", bench->wr_dropped);
	/* The block still works. */
	rd_submit(1, 0, HOST_BASE + 11, 3000, 5, 12);
	run_quiet(10000);
	CHECK(bench->rd[1][12].status == DMA_OK, "afterwards: status %d", bench->rd[1][12].status);
	bench_close();
	case_end();
}

/* ---------------------------------------------------------------------------------------------- errors */

static enum vhp_outcome wanted;
static unsigned int victim_nth, seen;
static uint64_t victim_addr, victim_end;

static enum vhp_outcome on_read(void *arg, const struct vhp_dma_read *rd)
{
	(void)arg;
	if (rd->addr < victim_addr || rd->addr >= victim_end)
		return VHP_OUT_OK;
	return seen++ == victim_nth ? wanted : VHP_OUT_OK;
}

/* One TLP of a request fails; its neighbours of other clients and functions must not notice. */
static void error_code(enum vhp_outcome what, int status, const char *name)
{
	case_begin("RC error: %s", name);
	bench_init();
	bench->cfg.reorder = true;
	bench->cfg.split_pct = 60;
	bench->cfg.latency = 100;
	bench->cfg.latency_jitter = 200;
	bench->cfg.completion_timeout = 3000;
	bench->cfg.on_dma_read = on_read;
	bench->expect_read_errors = true;
	bench_open();
	for (unsigned int round = 0; round < 12; round++) {
		wanted = what;
		seen = 0;
		victim_nth = round % 4;
		victim_addr = HOST_BASE + 0x40000 + rnd(4096);
		victim_end = victim_addr + 2000;
		rd_submit(2, 1, victim_addr, 2000, 4096 * round, round);
		for (unsigned int i = 0; i < 8; i++)
			rd_submit(i % 2, (uint8_t)rnd(NUM_FN), HOST_BASE + rnd(0x30000), 1 + rnd(3000), 4096 * i,
				  16 + i);
		run_quiet(60000);
		CHECK(bench->rd[2][round].status == status, "round %u: status %d, not %d", round,
		      bench->rd[2][round].status, status);
		for (unsigned int i = 0; i < 8; i++)
			CHECK(bench->rd[i % 2][16 + i].status == DMA_OK, "round %u: a neighbour ended with %d", round,
			      bench->rd[i % 2][16 + i].status);
	}
	CHECK(bench->rd_errors >= 12, "%u errors counted", bench->rd_errors);
	bench_close();
	case_end();
}

void test_requester(void)
{
	static const unsigned int mrrs[] = { 128, 512, 4096 };

	for (unsigned int i = 0; i < 3; i++)
		offsets_and_lengths(mrrs[i]);
	limits();
	error_code(VHP_OUT_POISONED, DMA_POISONED, "1, one split poisoned");
	error_code(VHP_OUT_UR, DMA_UR, "2, UR");
	error_code(VHP_OUT_CA, DMA_CA, "2, CA");
	error_code(VHP_OUT_NO_DATA, DMA_MALFORMED, "3, no data");
	error_code(VHP_OUT_RID_MISMATCH, DMA_MALFORMED, "4, requester ID mismatch, then good splits");
	error_code(VHP_OUT_START_ADDR, DMA_MALFORMED, "5, start address");
	error_code(VHP_OUT_INVALID_TAG, DMA_OK, "6, a tag that is not in use");
	error_code(VHP_OUT_TIMEOUT, DMA_TIMEOUT, "9, timeout");
	error_code(VHP_OUT_DISCONTINUE, DMA_MALFORMED, "0, but the block lost the data (PG213: discontinue)");
	for (unsigned int i = 0; i < 20; i++)
		random_mix(i);
}

/* ---------------------------------------------------------------------------------------------- rates */

static void read_rate(unsigned int len, unsigned int n)
{
	uint64_t from, cycles;

	bench_init();
	bench_open();
	from = vhp_model_cycle(bench->m);
	for (unsigned int i = 0; i < n; i++)
		rd_submit(2, 1, HOST_BASE + (i * 2048u) % HOST_READ_LEN, len, i * (len <= 128 ? 128 : 2048), i);
	bench->check_order = false;
	run_quiet(1000000);
	cycles = bench->rd[2][n - 1].finished - from;
	printf("reads of %u bytes: %.2f cycles each, 250 cycles of latency included once\n", len, (double)cycles / n);
	CHECK(cycles / n <= 4 + len / 32, "%llu cycles for %u reads", (unsigned long long)cycles, n);
	bench_close();
}

static void write_rate(unsigned int len, unsigned int n)
{
	uint64_t from, to;

	bench_init();
	bench->cfg.up_rate = 128;
	bench_open();
	fill_packet_buffer();
	from = vhp_model_cycle(bench->m);
	for (unsigned int i = 0; i < n; i++) {
		struct wr w = { .kind = WR_PACKET,
				.func = 1,
				.len = len,
				.addr = HOST_WRITE(0) + (i * 2048u) % HOST_WRITE_LEN,
				.ram = (i * 2048u) % RAM_BYTES };

		wr_submit(0, &w);
	}
	while (bench->wr_cmpl_count[0] < n && vhp_model_cycle(bench->m) < from + 200000)
		vhp_model_step(bench->m, 1);
	to = vhp_model_cycle(bench->m);
	printf("writes of %u bytes: %.2f cycles each\n", len, (double)(to - from) / n);
	CHECK((to - from) / n <= 4 + (len + 16) / 48, "%llu cycles for %u writes", (unsigned long long)(to - from), n);
	run_quiet(10000);
	check_host();
	bench_close();
}

void test_rate(void)
{
	case_begin("read rate");
	read_rate(76, 1000);
	read_rate(512, 64);
	read_rate(1526, 64);
	case_end();
	case_begin("write rate");
	write_rate(12, 500);
	write_rate(76, 500);
	write_rate(1526, 64);
	case_end();
}
