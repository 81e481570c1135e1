/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The card around the firmware, for tests on the host: registers, lanes, DMA port and each function's host memory.
 * It is strict: an access that the hardware forbids (a context of a running lane, a register that is not there, sleep
 * with a time limit running) fails the test at once, by name.
 *
 * One instance, `soc`; sim_reset() before each test.
 */
#ifndef VHP_SIM_SOC_H
#define VHP_SIM_SOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "card.h"
#include "vhp_regs.h"

#define SIM_PORTS 2u
#define SIM_PAIRS 2u
#define SIM_LANES (SIM_PORTS * SIM_PAIRS * 2u)
#define SIM_MEM_BASE 0x100000u /**< IOVA of every function's memory */
#define SIM_MEM_SIZE 0x80000u
#define SIM_APERTURE_LOG2 32u
#define SIM_EVENTS 64u

/** bits of fn.control, counted */
enum {
	ACT_RESET_DONE,
	ACT_CONFIG,
	ACT_PEER,
	ACT_NEEDS_RESET,
	ACT_QUEUE_ISR,
	ACTS
};

struct sim_soc {
	uint32_t soc[0x68 / 4], fn[SIM_PORTS][0x240 / 4], lane[0x3400 / 4];
	uint32_t aperture[SIM_PORTS][0x200 / 4], log[0x24 / 4];
	_Alignas(64) uint32_t request[256], reply[256], dma_buf[1024];
	_Alignas(64) uint8_t mem[SIM_PORTS + 1][SIM_MEM_SIZE];
	bool mbox_busy;

	uint32_t events[SIM_EVENTS];
	unsigned int nevents;
	unsigned int acts[SIM_PORTS][ACTS];
	unsigned int msix[SIM_PORTS + 1][32];
	unsigned int dma_ops;
	unsigned int drain_polls[SIM_LANES]; /**< reads of status until a disabled lane is quiet; ~0 = never */
	unsigned int draining[SIM_LANES];
	unsigned int aperture_polls[SIM_PORTS]; /**< reads of status until a disabled aperture is quiet; ~0 = never */
	unsigned int aperture_busy[SIM_PORTS];
	unsigned int sync_polls; /**< reads of vhp_log.sync until it is done; ~0 = never */
	unsigned int syncing;
	unsigned int syncs;
	uint32_t log_put;      /**< entries appended; head shows them after a sync */
	uint32_t log_overflow; /**< since the last sync */
	uint8_t dma_error;     /**< status of every DMA operation, if not 0 */
	bool dma_stuck;
	uint32_t time_step; /**< microseconds per read of time_us */
	unsigned int slept;
};

extern struct sim_soc soc;

void sim_reset(void);
/** Memory behind @p iova of function @p fn. */
void *sim_mem(unsigned int fn, uint64_t iova);
/** Raise events of a function, as the hardware would. */
void sim_fn_event(unsigned int port, uint32_t events);
uint32_t sim_fn_get(unsigned int port, size_t offset);
void sim_fn_set(unsigned int port, size_t offset, uint32_t value);
/** A lane stops by itself. */
void sim_lane_fault(unsigned int lane, uint8_t reason, bool sink, uint16_t at);
bool sim_lane_enabled(unsigned int lane);
void sim_lane_idx(unsigned int qid, uint16_t avail, uint16_t used);
uint32_t sim_queue(unsigned int qid, size_t offset);
/** Entries go into the log; @p lost: ports that lost one. */
void sim_log_append(uint32_t entries, uint32_t lost);
void sim_flr(unsigned int fn);
void sim_advance(uint32_t us);
/** Let the firmware run until it would sleep. */
void sim_run(struct card *card);
/** Next event that the host has not seen: type | port << 8 | arg << 16; 0 = none. */
uint32_t sim_event(void);

#define FN_OFF(reg) offsetof(vhp_fn_t, reg)
#define QUEUE_OFF(reg) offsetof(vhp_lane__queue_context__stride40_t, reg)

#endif
