/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model of the DMA block and of the guests' memories for the bench of vhp_lanes.
 *
 * Each function has an address space of DM_SPACE bytes at its own base; every byte carries rights. Reads take a
 * seeded time, come in pieces in any order, and see memory at some moment between request and arrival. Writes leave
 * in order; a packet slice is read from the packet buffer, and memory changes, at the moment of the completion.
 */
#ifndef DMA_MODEL_H
#define DMA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes of the build: NumPorts and PairsPerPort of vhp_pkg. */
#ifndef TB_PORTS
#define TB_PORTS 4
#endif
#ifndef TB_PAIRS
#define TB_PAIRS 2
#endif

#define DM_FUNCS (TB_PORTS + 1)
#define DM_SPACE (16u << 20)
#define DM_PIECE (DM_SPACE / 5) /* fn0's memory is five regions */
#define DM_READ 1
#define DM_WRITE 2
#define DM_PORT(p) (((p) + 1) << 4) /* written only with this port in the command */
#define DM_VECTORS 32

struct dm_config {
	unsigned int rd_min, rd_max; /* cycles from request to the last piece */
	unsigned int wr_min, wr_max; /* cycles per write command */
	unsigned int stall;	     /* per cent of cycles in which a ready is low */
};

/** Set by a test: a read of this range of this function ends with `status`. */
struct dm_fault {
	bool on;
	int func;
	uint64_t addr, len;
	int status;
};

extern struct dm_config dm_cfg;
extern struct dm_fault dm_fault;
extern uint64_t dm_violations; /* accesses without the right */
extern uint64_t dm_msix[DM_FUNCS][DM_VECTORS];
extern uint64_t dm_isr[DM_FUNCS];
extern uint64_t dm_cycle;
extern unsigned int dm_msix_enable;

uint64_t dm_base(int func);
/** Host pointer to an IOVA of a function; the range must exist. */
uint8_t *dm_ptr(int func, uint64_t addr, size_t len);
void dm_grant(int func, uint64_t addr, size_t len, int rights);
/** A fresh range of `len` bytes with alignment `align`, without rights; wraps around never: aborts when full. */
uint64_t dm_alloc(int func, size_t len, size_t align);
void dm_reset_memory(void);

void dm_seed(uint32_t seed);
uint32_t dm_rand(void);
/** lo <= result <= hi */
uint32_t dm_range(uint32_t lo, uint32_t hi);

/** Let n cycles pass (called by a test). */
void tick(unsigned int n);
uint32_t rb_read(uint32_t addr);
/** 1 if the answer was an error. */
int rb_write_be(uint32_t addr, uint32_t value, int be);
int rb_read_err(uint32_t addr);
void rb_write(uint32_t addr, uint32_t value);
void kick(int qid);
bool dut_idle(void);
bool dut_irq(void);
unsigned int dm_reads_out(void);

/* lane_test.c */
int lane_test_select(const char *name);
void lane_test_main(void);
#endif
