/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_soc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw.h"

struct sim_soc soc;

#define SOC_WORD(reg) (offsetof(vhp_soc_t, reg) / 4)
#define LANE_OFF(reg) offsetof(vhp_lane_t, reg)

#define RULE(cond, ...)                                           \
	do {                                                      \
		if (!(cond)) {                                    \
			fprintf(stderr, "sim_soc: " __VA_ARGS__); \
			fputc('\n', stderr);                      \
			abort();                                  \
		}                                                 \
	} while (0)

static void clear_driver_registers(uint32_t *fn)
{
	fn[FN_OFF(status) / 4] = 0;
	fn[FN_OFF(driver_features_lo) / 4] = 0;
	fn[FN_OFF(driver_features_hi) / 4] = 0;
	fn[FN_OFF(config_msix_vector) / 4] = 0xffff;
	memset(&fn[FN_OFF(queue[0]) / 4], 0, 10 * sizeof(vhp_fn__vhp_fn_queue_t));
	for (unsigned int q = 0; q < 10; q++)
		fn[FN_OFF(queue[q].cfg) / 4] = 0xffff0000u;
}

void sim_reset(void)
{
	memset(&soc, 0, sizeof(soc));
	soc.soc[SOC_WORD(caps)] = SIM_PORTS | SIM_PAIRS << 8 | 8u << 16 | 8u << 20;
	soc.time_step = 1;
	for (unsigned int p = 0; p < SIM_PORTS; p++)
		soc.aperture[p][offsetof(vhp_aperture_t, status) / 4] = SIM_APERTURE_LOG2
			<< VHP_APERTURE__STATUS__SIZE_LOG2_bp;
	for (unsigned int l = 0; l < SIM_LANES; l++)
		soc.lane[LANE_OFF(lane[l].status) / 4] = 1u << VHP_LANE__LANE_CTRL__STATUS__REASON_bp;
	for (unsigned int p = 0; p < SIM_PORTS; p++)
		clear_driver_registers(soc.fn[p]);
}

void *sim_mem(unsigned int fn, uint64_t iova)
{
	RULE(iova >= SIM_MEM_BASE && iova < SIM_MEM_BASE + SIM_MEM_SIZE, "test uses IOVA %llx",
	     (unsigned long long)iova);
	return &soc.mem[fn][iova - SIM_MEM_BASE];
}

uint32_t sim_fn_get(unsigned int port, size_t offset)
{
	return soc.fn[port][offset / 4];
}

void sim_fn_set(unsigned int port, size_t offset, uint32_t value)
{
	soc.fn[port][offset / 4] = value;
}

void sim_fn_event(unsigned int port, uint32_t events)
{
	soc.fn[port][FN_OFF(events) / 4] |= events;
}

bool sim_lane_enabled(unsigned int lane)
{
	return soc.lane[LANE_OFF(lane[lane].ctrl) / 4] & 1;
}

static bool lane_busy(unsigned int lane)
{
	return sim_lane_enabled(lane) || soc.draining[lane] != 0;
}

void sim_lane_fault(unsigned int lane, uint8_t reason, bool sink, uint16_t at)
{
	soc.lane[LANE_OFF(lane[lane].status) / 4] = (uint32_t)reason << VHP_LANE__LANE_CTRL__STATUS__REASON_bp |
		(uint32_t)sink << VHP_LANE__LANE_CTRL__STATUS__SINK_bp |
		(uint32_t)at << VHP_LANE__LANE_CTRL__STATUS__AT_bp;
	soc.lane[LANE_OFF(event) / 4] |= 1u << lane;
}

void sim_lane_idx(unsigned int qid, uint16_t avail, uint16_t used)
{
	soc.lane[LANE_OFF(queue[qid].idx) / 4] = avail | (uint32_t)used << 16;
}

uint32_t sim_queue(unsigned int qid, size_t offset)
{
	return soc.lane[(LANE_OFF(queue[qid]) + offset) / 4];
}

void sim_log_append(uint32_t entries, uint32_t lost)
{
	RULE(soc.log[0] != 0 || entries == 0, "entries without logging");
	soc.log_put += entries;
	soc.log_overflow |= lost;
}

void sim_flr(unsigned int fn)
{
	soc.soc[SOC_WORD(flr_pending)] |= 1u << fn;
}

void sim_advance(uint32_t us)
{
	soc.soc[SOC_WORD(time_us)] += us;
}

uint32_t sim_event(void)
{
	uint32_t e = soc.events[0];

	if (soc.nevents == 0)
		return 0;
	soc.nevents--;
	memmove(soc.events, soc.events + 1, soc.nevents * sizeof(soc.events[0]));
	return e;
}

static uint32_t pending(void)
{
	uint32_t p = 0;
	uint32_t due = soc.soc[SOC_WORD(time_us)] - soc.soc[SOC_WORD(timer_value)];

	if (soc.soc[SOC_WORD(timer_ctrl)] && (int32_t)due >= 0)
		p |= VHP_SOC__IRQ_PENDING__TIMER_bm;
	if (soc.mbox_busy)
		p |= VHP_SOC__IRQ_PENDING__MBOX_bm;
	if (soc.lane[LANE_OFF(event) / 4] & soc.lane[LANE_OFF(event_enable) / 4])
		p |= VHP_SOC__IRQ_PENDING__LANE_bm;
	if (soc.soc[SOC_WORD(flr_pending)])
		p |= VHP_SOC__IRQ_PENDING__FLR_bm;
	for (unsigned int i = 0; i < SIM_PORTS; i++) {
		if (soc.fn[i][FN_OFF(events) / 4] & soc.fn[i][FN_OFF(event_enable) / 4])
			p |= 1u << (VHP_SOC__IRQ_PENDING__FN_bp + i);
	}
	return p;
}

static void dma(uint32_t op)
{
	uint64_t addr = soc.soc[SOC_WORD(dma_addr_lo)] | (uint64_t)soc.soc[SOC_WORD(dma_addr_hi)] << 32;
	uint32_t what = soc.soc[SOC_WORD(dma_what)], at = soc.soc[SOC_WORD(dma_local)];
	uint32_t len = what & VHP_SOC__DMA_WHAT__LEN_bm, fn = GET(VHP_SOC__DMA_WHAT__FUNC, what), status = 0;
	uint8_t *buf = (uint8_t *)soc.dma_buf + at;

	soc.dma_ops++;
	/* Of the peer the firmware only reads indices. */
	RULE(fn <= SIM_PORTS && (fn != 0 || (op == 1 && len == 2)), "DMA %u for function %u", op, fn);
	if (soc.dma_stuck) {
		soc.soc[SOC_WORD(dma_status)] = VHP_SOC__DMA_STATUS__BUSY_bm;
		return;
	}
	if (soc.dma_error) {
		status = soc.dma_error;
	} else if (op == 3) {
		RULE(addr < 32, "MSI-X vector %llu", (unsigned long long)addr);
		soc.msix[fn][addr]++;
	} else {
		RULE(len >= 1 && len + at <= sizeof(soc.dma_buf), "DMA of %u bytes at %u", len, at);
		if (addr < SIM_MEM_BASE || addr - SIM_MEM_BASE > SIM_MEM_SIZE - len)
			status = 1;
		else if (op == 1)
			memcpy(buf, sim_mem(fn, addr), len);
		else
			memcpy(sim_mem(fn, addr), buf, len);
	}
	soc.soc[SOC_WORD(dma_status)] = VHP_SOC__DMA_STATUS__DONE_bm | status << VHP_SOC__DMA_STATUS__STATUS_bp;
}

static void soc_write(uint32_t off, uint32_t v)
{
	switch (off) {
	case offsetof(vhp_soc_t, mbox_done):
		RULE(soc.mbox_busy, "mbox_done without a request");
		soc.mbox_busy = false;
		return;
	case offsetof(vhp_soc_t, event_push):
		RULE(soc.nevents < SIM_EVENTS, "too many events");
		soc.events[soc.nevents++] = v;
		return;
	case offsetof(vhp_soc_t, flr_done):
		RULE((v & ~soc.soc[SOC_WORD(flr_pending)]) == 0, "flr_done %x without FLR", v);
		soc.soc[SOC_WORD(flr_pending)] &= ~v;
		return;
	case offsetof(vhp_soc_t, dma_go):
		dma(v);
		return;
	case offsetof(vhp_soc_t, dma_ack):
		soc.soc[SOC_WORD(dma_status)] &= ~VHP_SOC__DMA_STATUS__DONE_bm;
		return;
	case offsetof(vhp_soc_t, sleep):
		soc.slept++;
		return;
	case offsetof(vhp_soc_t, timer_value):
	case offsetof(vhp_soc_t, timer_ctrl):
	case offsetof(vhp_soc_t, irq_enable):
	case offsetof(vhp_soc_t, fw_status):
	case offsetof(vhp_soc_t, config_enable):
	case offsetof(vhp_soc_t, dma_addr_lo):
	case offsetof(vhp_soc_t, dma_addr_hi):
	case offsetof(vhp_soc_t, dma_what):
	case offsetof(vhp_soc_t, dma_local):
		soc.soc[off / 4] = v;
		return;
	default:
		RULE(false, "write to SoC register %x", off);
	}
}

static void fn_control(unsigned int p, uint32_t v)
{
	uint32_t *fn = soc.fn[p];

	for (unsigned int i = 0; i < ACTS; i++)
		soc.acts[p][i] += v >> i & 1;
	if (v & VHP_FN__CONTROL__RESET_DONE_bm) {
		for (unsigned int l = p * SIM_PAIRS * 2; l < (p + 1) * SIM_PAIRS * 2; l++)
			RULE(!lane_busy(l) || soc.drain_polls[l] == ~0u, "reset_done of port %u while lane %u runs", p,
			     l);
		clear_driver_registers(fn);
	}
	if (v & VHP_FN__CONTROL__NEEDS_RESET_bm)
		fn[FN_OFF(status) / 4] |= 0x40;
}

static void fn_write(unsigned int p, uint32_t off, uint32_t v)
{
	switch (off) {
	case offsetof(vhp_fn_t, events):
		soc.fn[p][off / 4] &= ~v;
		return;
	case offsetof(vhp_fn_t, control):
		fn_control(p, v);
		return;
	case offsetof(vhp_fn_t, status):
	case offsetof(vhp_fn_t, driver_features_lo):
	case offsetof(vhp_fn_t, driver_features_hi):
	case offsetof(vhp_fn_t, config_msix_vector):
		RULE(false, "write to the driver's register %x", off);
		return;
	default:
		RULE(off < FN_OFF(ignored_writes) || (off >= FN_OFF(peer_gsi[0]) && off < FN_OFF(peer_gsi[8])),
		     "write to function register %x", off);
		soc.fn[p][off / 4] = v;
	}
}

static void lane_write(uint32_t off, uint32_t v)
{
	if (off == LANE_OFF(event)) {
		soc.lane[0] &= ~v;
	} else if (off == LANE_OFF(event_enable)) {
		RULE((v & ~((1u << SIM_LANES) - 1)) == 0, "event_enable %x", v);
		soc.lane[1] = v;
	} else if (off >= LANE_OFF(lane[0]) && off < LANE_OFF(lane[SIM_LANES])) {
		unsigned int lane = (off - LANE_OFF(lane[0])) / 8;

		RULE(off % 8 == 0, "write to lane %u's status", lane);
		if ((v & 1) && !sim_lane_enabled(lane)) {
			RULE(!lane_busy(lane), "lane %u enabled before it drained", lane);
			soc.lane[off / 4 + 1] = 0;
		}
		if (!(v & 1) && sim_lane_enabled(lane)) {
			soc.draining[lane] = soc.drain_polls[lane];
			if (GET(VHP_LANE__LANE_CTRL__STATUS__REASON, soc.lane[off / 4 + 1]) == 0)
				soc.lane[off / 4 + 1] = 1u << VHP_LANE__LANE_CTRL__STATUS__REASON_bp;
		}
		soc.lane[off / 4] = v & 1;
	} else if (off >= LANE_OFF(queue[0]) && off < LANE_OFF(queue[2 * SIM_LANES])) {
		unsigned int lane = (off - LANE_OFF(queue[0])) / 0x80;

		RULE(!lane_busy(lane), "context of lane %u written while it runs", lane);
		soc.lane[off / 4] = v;
	} else if (off >= LANE_OFF(region[0]) && off < LANE_OFF(region[SIM_PORTS * 8])) {
		unsigned int p = (off - LANE_OFF(region[0])) / 0x100;

		for (unsigned int l = p * SIM_PAIRS * 2; l < (p + 1) * SIM_PAIRS * 2; l++)
			RULE(!lane_busy(l) || soc.drain_polls[l] == ~0u,
			     "regions of port %u written while lane %u runs", p, l);
		soc.lane[off / 4] = v;
	} else {
		RULE(false, "write to lane register %x", off);
	}
}

static bool aperture_is_open(unsigned int p)
{
	return soc.aperture[p][0] & 1;
}

static void aperture_write(unsigned int p, uint32_t off, uint32_t v)
{
	if (off == offsetof(vhp_aperture_t, ctrl)) {
		RULE(!(v & 1) || soc.aperture_busy[p] == 0, "aperture %u enabled before it was quiet", p);
		if (!(v & 1) && aperture_is_open(p))
			soc.aperture_busy[p] = soc.aperture_polls[p];
	} else {
		RULE(off >= offsetof(vhp_aperture_t, window[0]) && off < offsetof(vhp_aperture_t, window[8]),
		     "write to aperture register %x", off);
		RULE(!aperture_is_open(p) && soc.aperture_busy[p] == 0,
		     "window of aperture %u written while it is used", p);
	}
	soc.aperture[p][off / 4] = v;
}

static uint32_t aperture_read(unsigned int p, uint32_t off)
{
	uint32_t v = soc.aperture[p][off / 4];

	if (off == offsetof(vhp_aperture_t, status)) {
		if (soc.aperture_busy[p] != 0 && soc.aperture_busy[p] != ~0u)
			soc.aperture_busy[p]--;
		v |= aperture_is_open(p) || soc.aperture_busy[p] != 0;
	}
	return v;
}

static void log_write(uint32_t off, uint32_t v)
{
	switch (off) {
	case offsetof(vhp_log_t, base_lo):
	case offsetof(vhp_log_t, base_hi):
	case offsetof(vhp_log_t, size_log2):
		RULE(soc.log[0] == 0, "log ring changed while a port logs");
		soc.log[off / 4] = v;
		return;
	case offsetof(vhp_log_t, ctrl):
	case offsetof(vhp_log_t, tail):
		soc.log[off / 4] = v;
		return;
	case offsetof(vhp_log_t, sync):
		soc.syncs++;
		soc.syncing = soc.sync_polls;
		if (soc.syncing == 0)
			soc.syncing = 1;
		return;
	case offsetof(vhp_log_t, overflow):
		soc.log[off / 4] &= ~v;
		return;
	default:
		RULE(false, "write to log register %x", off);
	}
}

static uint32_t log_read(uint32_t off)
{
	if (off == offsetof(vhp_log_t, sync) && soc.syncing != 0) {
		if (soc.syncing != ~0u && --soc.syncing == 0) {
			soc.log[offsetof(vhp_log_t, head) / 4] = soc.log_put;
			soc.log[offsetof(vhp_log_t, overflow) / 4] |= soc.log_overflow;
			soc.log_overflow = 0;
		}
		return soc.syncing != 0;
	}
	return soc.log[off / 4];
}

static uint32_t lane_read(uint32_t off)
{
	uint32_t v = soc.lane[off / 4];

	if (off >= LANE_OFF(lane[0]) && off < LANE_OFF(lane[SIM_LANES]) && off % 8 == 4) {
		unsigned int lane = (off - LANE_OFF(lane[0])) / 8;

		if (soc.draining[lane] != 0 && soc.draining[lane] != ~0u)
			soc.draining[lane]--;
		v |= lane_busy(lane);
	}
	return v;
}

uint32_t hal_read(uint32_t addr)
{
	RULE(addr % 4 == 0, "unaligned read at %x", addr);
	if (addr == SOC_REG(irq_pending))
		return pending();
	if (addr == SOC_REG(time_us))
		return soc.soc[SOC_WORD(time_us)] += soc.time_step;
	if (addr >= HW_SOC && addr < HW_SOC + sizeof(soc.soc))
		return soc.soc[(addr - HW_SOC) / 4];
	if (addr >= HW_MBOX_REQUEST && addr < HW_MBOX_REQUEST + sizeof(soc.request))
		return soc.request[(addr - HW_MBOX_REQUEST) / 4];
	if (addr >= HW_FN && addr < HW_FN + SIM_PORTS * HW_FN_STEP && (addr - HW_FN) % HW_FN_STEP < sizeof(soc.fn[0]))
		return soc.fn[(addr - HW_FN) / HW_FN_STEP][(addr - HW_FN) % HW_FN_STEP / 4];
	if (addr >= HW_LANE && addr < HW_LANE + sizeof(soc.lane))
		return lane_read(addr - HW_LANE);
	if (addr >= HW_DMA_BUF && addr < HW_DMA_BUF + sizeof(soc.dma_buf))
		return soc.dma_buf[(addr - HW_DMA_BUF) / 4];
	if (addr >= HW_APERTURE && addr < HW_APERTURE + SIM_PORTS * HW_APERTURE_STEP &&
	    (addr - HW_APERTURE) % HW_APERTURE_STEP < sizeof(soc.aperture[0]))
		return aperture_read((addr - HW_APERTURE) / HW_APERTURE_STEP, (addr - HW_APERTURE) % HW_APERTURE_STEP);
	if (addr >= HW_LOG && addr < HW_LOG + sizeof(soc.log))
		return log_read(addr - HW_LOG);
	RULE(false, "read at %x", addr);
	return 0;
}

void hal_write(uint32_t addr, uint32_t value)
{
	RULE(addr % 4 == 0, "unaligned write at %x", addr);
	if (addr >= HW_SOC && addr < HW_SOC + sizeof(soc.soc))
		soc_write(addr - HW_SOC, value);
	else if (addr >= HW_MBOX_REPLY && addr < HW_MBOX_REPLY + sizeof(soc.reply))
		soc.reply[(addr - HW_MBOX_REPLY) / 4] = value;
	else if (addr >= HW_FN && addr < HW_FN + SIM_PORTS * HW_FN_STEP &&
		 (addr - HW_FN) % HW_FN_STEP < sizeof(soc.fn[0]))
		fn_write((addr - HW_FN) / HW_FN_STEP, (addr - HW_FN) % HW_FN_STEP, value);
	else if (addr >= HW_LANE && addr < HW_LANE + sizeof(soc.lane))
		lane_write(addr - HW_LANE, value);
	else if (addr >= HW_DMA_BUF && addr < HW_DMA_BUF + sizeof(soc.dma_buf))
		soc.dma_buf[(addr - HW_DMA_BUF) / 4] = value;
	else if (addr >= HW_APERTURE && addr < HW_APERTURE + SIM_PORTS * HW_APERTURE_STEP &&
		 (addr - HW_APERTURE) % HW_APERTURE_STEP < sizeof(soc.aperture[0]))
		aperture_write((addr - HW_APERTURE) / HW_APERTURE_STEP, (addr - HW_APERTURE) % HW_APERTURE_STEP, value);
	else if (addr >= HW_LOG && addr < HW_LOG + sizeof(soc.log))
		log_write(addr - HW_LOG, value);
	else
		RULE(false, "write at %x", addr);
}

void hal_wait(void)
{
}

void hal_fatal(enum hal_fatal_code code, uint32_t arg)
{
	RULE(false, "firmware gave up: code %d, %x", code, arg);
	abort();
}

void sim_run(struct card *card)
{
	for (int i = 0; i < 200000; i++) {
		uint32_t wait_us;
		enum card_next next = card_step(card, &wait_us);
		unsigned int slept = soc.slept;

		card_wait(next, wait_us);
		RULE(next == CARD_IDLE || soc.slept == slept, "sleeps with work or a time limit");
		if (next == CARD_IDLE)
			RULE(soc.slept == slept + 1, "idle but awake");
		if (next != CARD_AGAIN && pending() == 0)
			return;
	}
	RULE(false, "the firmware never comes to rest");
}
