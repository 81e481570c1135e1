/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Benches of rtl/pcie: the clients of vhp_pcie and its register target in C, on top of the strict model (sim/vhp_model.h).
 *
 * One bench is open at a time; the DPI functions of pcie_bench.sv find it in the global `bench`. Each case opens its own,
 * so that a failure does not spill over.
 */
#ifndef PCIE_BENCH_H
#define PCIE_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bits.h"
#include "vhp_model.h"

#define RD_CLIENTS 4
#define WR_CLIENTS 3 /* the fourth is the dirty log's */
#define RD_PACKET 2
#define RD_SOC 3 /* RAM addresses below 64 KiB, cookies below 512: the rest is the aperture's */
#define WR_NOTIFY 2
#define RAM_BYTES 131072u
#define NUM_FN 5 /* 0..2 physical functions, 3 and 4 virtual ones */
#define COOKIES 1024

/* vhp_pkg::dma_status_e */
enum {
	DMA_OK,
	DMA_UR,
	DMA_CA,
	DMA_POISONED,
	DMA_MALFORMED,
	DMA_TIMEOUT,
	DMA_FLR,
	DMA_DISABLED
};
/* vhp_pkg::wr_kind_e */
enum {
	WR_PACKET,
	WR_IMM,
	WR_MSIX
};

/*
 * Host memory of each function: an area that is only read, and one per write client. The base is chosen by bench_init so
 * that a 2^38 boundary (where the RTL's address step has a carry of its own) is inside a different area each time.
 */
extern uint64_t host_base;
#define HOST_BASE host_base
#define HOST_READ_LEN (1u << 20)
#define HOST_WRITE_LEN (1u << 20)
#define HOST_WRITE(client) (HOST_BASE + HOST_READ_LEN + (uint64_t)(client) * HOST_WRITE_LEN)
#define HOST_LEN (HOST_READ_LEN + WR_CLIENTS * HOST_WRITE_LEN)

struct rd {
	uint8_t func;
	uint64_t addr;
	uint32_t len, ram, cookie;
};

struct rd_state {
	bool busy, done;
	int status;
	uint32_t written; /* bytes that landed */
	struct rd r;
	uint64_t submitted, finished;
};

struct wr {
	uint32_t kind;
	uint8_t func;
	uint64_t addr;
	uint32_t len, ram;
	bool patch;
	unsigned int patch_off;
	uint16_t num_buffers;
	uint8_t imm[64];
};

#define QUEUE 2048

struct bench {
	struct vhp_model_config cfg;
	struct vhp_model *m;
	void *top;
	uint8_t *host[NUM_FN];	 /* HOST_LEN each */
	uint8_t *expect[NUM_FN]; /* what host memory should be */

	struct rd rdq[RD_CLIENTS][QUEUE];
	unsigned int rd_head[RD_CLIENTS], rd_count[RD_CLIENTS];
	struct rd_state rd[RD_CLIENTS][COOKIES];
	uint8_t ram[RD_CLIENTS][RAM_BYTES];
	uint16_t owner[RD_CLIENTS][RAM_BYTES]; /* cookie + 1 */
	uint8_t landed[RD_CLIENTS][RAM_BYTES];
	unsigned int rd_open, rd_done_count;
	unsigned int rd_req_pct;
	bool expect_read_errors;

	struct wr wrq[WR_CLIENTS][QUEUE];
	unsigned int wr_head[WR_CLIENTS], wr_count[WR_CLIENTS];
	struct wr wr_open_q[WR_CLIENTS][QUEUE]; /* handed to the card, not completed */
	unsigned int wr_open_head[WR_CLIENTS], wr_open_count[WR_CLIENTS];
	/* The write that must come next, per client. */
	unsigned int wr_next[WR_CLIENTS];
	uint32_t wr_next_off[WR_CLIENTS];
	struct wr wr_hist[WR_CLIENTS][QUEUE];
	unsigned int wr_hist_count[WR_CLIENTS];
	int wr_status[WR_CLIENTS][QUEUE];
	unsigned int wr_cmpl_count[WR_CLIENTS];
	bool check_order;

	/* register target: a memory per function and BAR; [hole, hole + hole_len) of each answers with an error */
	uint8_t *reg[NUM_FN][2];
	uint32_t hole, hole_len;
	unsigned int rb_ready_pct, rb_delay_max;
	unsigned int rb_reads, rb_writes, rb_zero;

	/* the firmware's access to aperture and dirty log that is under way */
	bool fw_go, fw_busy, fw_write, fw_err;
	uint32_t fw_addr, fw_data;
	void (*on_register_write)(unsigned int fn, unsigned int bar, uint32_t addr, uint32_t data);
	void (*on_message)(unsigned int fn, uint32_t data);

	unsigned int flr_pending, flr_hold, msix_enable; /* flr_hold: cycles until a pending FLR is answered */
	unsigned int flr_wait[NUM_FN];
	uint32_t rd_errors, wr_dropped, cq_ur, msix_sent, msix_pended;

	struct {
		unsigned int fn;
		uint64_t addr;
		uint32_t data;
		uint64_t cycle;
	} msi[4096];
	unsigned int msi_count;
	uint64_t dma_writes;

	bool want_violation; /* a broken rule is what the case looks for */
	unsigned int violations, faults;
	struct vhp_rng rng;
};

extern struct bench *bench;
extern uint64_t test_seed;

/** Defaults, then change what the case needs, then bench_open. */
void bench_init(void);
void bench_open(void);
void bench_close(void);

/** Case bookkeeping: every failure is printed with the case's name. */
void case_begin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void case_end(void);
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define CHECK(cond, ...)                   \
	do {                               \
		if (!(cond))               \
			fail(__VA_ARGS__); \
	} while (0)
unsigned int cases_failed(void);

/** Queue a read of client @p c. The cookie must not be under way. */
void rd_submit(unsigned int c, uint8_t func, uint64_t addr, uint32_t len, uint32_t ram, uint32_t cookie);
/** Queue a write command; kept to check that TLPs come in order and hold the right bytes. */
void wr_submit(unsigned int c, const struct wr *w);
/** Run until all reads and writes are done and the block is idle; fails after @p max cycles. */
void run_quiet(uint64_t max);
/** Compare all of host memory with what the completed writes should have made of it. */
void check_host(void);

uint32_t rnd(uint32_t n);
bool pct(unsigned int p);

/** Registers of vhp_peer_mem as the firmware sees them, offsets from 0x40060000. A missing one fails the case. */
uint32_t fw_read(uint32_t addr);
void fw_write(uint32_t addr, uint32_t data);

void test_completer(void);
void test_aperture(void);
void test_requester(void);
void test_msix(void);
void test_flr(void);
void test_defects(void);
void test_rate(void);

#endif
