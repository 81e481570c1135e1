/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of vhp_lanes: lanes with drivers at both ends (lane_driver.c), their set-up, run and final checks (lane_case.c).
 *
 *	begin("name");
 *	lane_init(0, &opts);	any number of lanes, at most 8 (the guests' memory)
 *	lane_enable(0, true);
 *	run_lanes();		until every packet has come and every buffer is returned
 *	lanes_check_end();
 *	end();
 */
#ifndef LANE_H
#define LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "dma_model.h"
#include "virtq.h"

#define NLANES (TB_PORTS * TB_PAIRS * 2)
#define HDR 12 /* struct virtio_net_hdr */
#define MAX_PKT 65562
#define HANG 400000u /* cycles without progress */

#define R_EVENT 0x000
#define R_EVENT_ENABLE 0x004
#define R_CTRL(l) (0x100u + (l) * 8)
#define R_STATUS(l) (0x104u + (l) * 8)
#define R_STAT(l, k) (0x400u + (l) * 0x20 + (k) * 4)
#define R_IDX(q) (0x1000u + (q) * 0x40 + 0x20)
#define R_REGION(r) (0x3000u + (r) * 0x20)

enum {
	S_PACKETS,
	S_BYTES,
	S_DROPPED,
	S_SRC_IRQS,
	S_SNK_IRQS,
	S_SRC_KICKS,
	S_SNK_KICKS,
	S_NO_BUFFER
};
enum {
	ST_NONE,
	ST_ADMIN,
	ST_AVAIL_JUMP,
	ST_HEAD_RANGE,
	ST_NEXT_RANGE,
	ST_CHAIN_LENGTH,
	ST_DESC_LENGTH,
	ST_REGION,
	ST_INDIRECT_NEST,
	ST_INDIRECT_LEN,
	ST_DIRECTION,
	ST_SHORT,
	ST_LONG,
	ST_READ_ERROR,
	ST_READ_TIMEOUT,
	ST_FUNCTION
};

enum irq_mode {
	POLL,
	IRQ
};

struct pkt {
	uint32_t len, seed;
};

/* One end's driver: where it is in its loop. */
struct end {
	struct vq q;
	enum irq_mode mode;
	enum {
		E_RUN,
		E_ARMED,
		E_SLEEP
	} st;
	enum {
		P_ADD,
		P_PUBLISH,
		P_KICK
	} pub;
	uint64_t msix_seen, wakeups;
	unsigned int wait;
};

struct lane {
	int id;
	struct end src, snk;
	bool on;
	uint32_t max_len, small_cap;
	unsigned int max_segs;
	uint32_t cap_lo, cap_hi;
	unsigned int target, sent, src_done, rcvd, dropped, posted;
	struct pkt *pkt;
	uint16_t head_of[65536 / 16];
	unsigned int part; /* chains of the present packet that have come */
	unsigned int parts;
	uint32_t got;
	uint64_t progress, bytes;
	unsigned int burst;
	bool no_buffers; /* the sink's driver is asleep */
};

extern struct lane lanes[NLANES];

/** Byte `off` of the packet with this seed. */
uint8_t pattern(uint32_t seed, uint32_t off);
/** One step of an end's driver: new buffers; used buffers. */
void producer(struct lane *l, struct end *e);
void consumer(struct lane *l, struct end *e);
/** One step of both drivers, chosen at random. */
void lane_step(struct lane *l);
bool lane_finished(const struct lane *l);

struct lane_opts {
	uint16_t src_size, snk_size, first;
	bool event_idx, indirect, mrg;
	enum irq_mode mode;
	unsigned int target;
	uint32_t max_len;
};

struct lane_opts defaults(void);
/** Lane `n` of the default build, or the one of this build that has the same direction. */
int lane_of(int n);
int src_func(int lane);
int snk_func(int lane);
/** IOVA - guest address of a port's memory. */
uint64_t port_delta(int port);
void region_write(int port, int row, uint64_t gpa, uint64_t last, uint64_t iova, bool valid);

void begin(const char *name);
void lane_init(int id, const struct lane_opts *o);
void lane_enable(int id, bool on);
void lane_wait_still(int id);
void run_lanes(void);
void lanes_check_end(void);
void tell_queue(const char *name, const struct end *e);
uint32_t stat(int lane, int k);
void end(void);

extern unsigned int cases_passed, cases_failed;

void directed_tests(void);
void region_tests(void);
void random_tests(void);
void malformed_tests(void);
void sink_full_tests(void);
#endif
