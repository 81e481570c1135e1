/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes of a port: queue contexts and regions in, indices and statistics out. lane = pair * 2 + direction within the
 * port; direction 0 moves packets from peer TX to receiveq, 1 from transmitq to peer RX.
 */
#include "card.h"
#include "hw.h"

/* A lane finishes what is in flight; the longest wait is a completion timeout of the requester (50 ms). */
#define DRAIN_LIMIT_US 200000u

struct queue_context {
	uint64_t desc, avail, used; /* IOVA */
	uint32_t cfg;
	uint16_t vector, avail_idx, used_idx;
};

unsigned int lane_number(const struct port *port, unsigned int lane)
{
	return port->index * port->card->pairs * 2u + lane;
}

/* vhost-user vring and virtqueue number of the two ends of a lane. */
static unsigned int peer_vring_of(unsigned int lane)
{
	return lane & 1 ? lane & ~1u : lane | 1u;
}

static unsigned int fn_queue_of(unsigned int lane)
{
	return 2 + lane;
}

static uint32_t log2_of(uint32_t power)
{
	uint32_t n = 0;

	while (power > 1) {
		power >>= 1;
		n++;
	}
	return n;
}

static void write_context(unsigned int qid, const struct queue_context *c)
{
	hal_write(LANE_REG(queue[qid].cfg), c->cfg);
	hal_write(LANE_REG(queue[qid].vector), c->vector);
	hw_write64(LANE_REG(queue[qid].desc_lo), c->desc);
	hw_write64(LANE_REG(queue[qid].avail_lo), c->avail);
	hw_write64(LANE_REG(queue[qid].used_lo), c->used);
	hal_write(LANE_REG(queue[qid].idx),
		  PUT(VHP_LANE__QUEUE_CONTEXT__IDX__AVAIL_IDX, c->avail_idx) |
			  PUT(VHP_LANE__QUEUE_CONTEXT__IDX__USED_IDX, c->used_idx));
}

static uint32_t context_cfg(uint8_t fn, uint16_t size, bool event_idx, bool indirect, bool mrg)
{
	return PUT(VHP_LANE__QUEUE_CONTEXT__CFG__FUNC, fn) |
		PUT(VHP_LANE__QUEUE_CONTEXT__CFG__SIZE_LOG2, log2_of(size)) |
		PUT(VHP_LANE__QUEUE_CONTEXT__CFG__EVENT_IDX, event_idx) |
		PUT(VHP_LANE__QUEUE_CONTEXT__CFG__INDIRECT, indirect) |
		PUT(VHP_LANE__QUEUE_CONTEXT__CFG__MRG_RXBUF, mrg);
}

/* The peer's end. Ring addresses are translated here, buffer addresses by the lane. */
static bool peer_context(const struct port *port, unsigned int lane, struct queue_context *c)
{
	const struct peer_vring *v = &port->vring[peer_vring_of(lane)];
	uint64_t f = port->peer_features;
	bool sink = lane & 1;

	if (!v->enabled || !region_map_find(&port->map, v->desc, 16ull * v->num, &c->desc) ||
	    !region_map_find(&port->map, v->avail, 6 + 2ull * v->num, &c->avail) ||
	    !region_map_find(&port->map, v->used, 6 + 8ull * v->num, &c->used))
		return false;
	c->cfg = context_cfg(PEER_FN, v->num, f >> VHP_F_RING_EVENT_IDX & 1, f >> VHP_F_RING_INDIRECT_DESC & 1,
			     sink && (f >> VHOST_PCI_PEER_F_MRG_RXBUF & 1)) |
		PUT(VHP_LANE__QUEUE_CONTEXT__CFG__TRANSLATE, 1) | PUT(VHP_LANE__QUEUE_CONTEXT__CFG__PORT, port->index);
	c->vector = v->vector;
	c->avail_idx = v->avail_idx;
	c->used_idx = v->used_idx;
	return true;
}

enum own_queue {
	QUEUE_ABSENT,
	QUEUE_READY,
	QUEUE_MALFORMED
};

static enum own_queue fn_context(const struct port *port, unsigned int lane, struct queue_context *c)
{
	uint32_t p = port->index, q = fn_queue_of(lane);
	uint64_t f = fn_driver_features(port);
	uint32_t cfg;
	uint16_t size;

	if (lane / 2 >= port->pairs || !(hal_read(FN_REG(p, queue[q].enable)) & 1))
		return QUEUE_ABSENT;
	cfg = hal_read(FN_REG(p, queue[q].cfg));
	size = (uint16_t)GET(VHP_FN__VHP_FN_QUEUE__CFG__SIZE, cfg);
	c->desc = hw_read64(FN_REG(p, queue[q].desc_lo));
	c->avail = hw_read64(FN_REG(p, queue[q].avail_lo));
	c->used = hw_read64(FN_REG(p, queue[q].used_lo));
	if (!virtq_addresses_ok(c->desc, c->avail, c->used, size, (uint16_t)(1u << port->card->queue_size_log2)))
		return QUEUE_MALFORMED;
	c->cfg = context_cfg((uint8_t)(p + 1), size, f >> VHP_F_RING_EVENT_IDX & 1, f >> VHP_F_RING_INDIRECT_DESC & 1,
			     !(lane & 1) && (f >> VHOST_PCI_NET_F_MRG_RXBUF & 1));
	c->vector = (uint16_t)GET(VHP_FN__VHP_FN_QUEUE__CFG__MSIX_VECTOR, cfg);
	c->avail_idx = port->lane[lane].fn_avail_idx;
	c->used_idx = port->lane[lane].fn_used_idx;
	return QUEUE_READY;
}

void lane_status(const struct port *port, unsigned int lane, uint32_t *status)
{
	*status = hal_read(LANE_REG(lane[lane_number(port, lane)].status));
}

static bool busy(const struct port *port, unsigned int lane)
{
	uint32_t status;

	lane_status(port, lane, &status);
	return status & VHP_LANE__LANE_CTRL__STATUS__BUSY_bm;
}

/* Start a lane that is off, if both its queues are there. */
static bool lane_start(struct port *port, unsigned int lane)
{
	unsigned int n = lane_number(port, lane);
	struct queue_context peer, own;
	enum own_queue have = fn_context(port, lane, &own);

	if (have == QUEUE_MALFORMED)
		return false;
	/* Without copy offload the driver moves the packets itself. */
	if (have == QUEUE_ABSENT || !port->offload || !peer_context(port, lane, &peer))
		return true;
	if (busy(port, lane)) {
		/* It never drained after an earlier stop: its contexts must not be touched. */
		port->last_error = VHP_PERR_LANE;
		card_event(VHP_EVENT_LANE_STOPPED, port, (uint16_t)(lane | STOP_ADMIN << 8));
		return true;
	}
	write_context(2 * n, lane & 1 ? &own : &peer);
	write_context(2 * n + 1, lane & 1 ? &peer : &own);
	port->vring[peer_vring_of(lane)].own_idx = true;
	hal_write(LANE_REG(event), 1u << n);
	hal_write(LANE_REG(lane[n].ctrl), VHP_LANE__LANE_CTRL__CTRL__ENABLE_bm);
	port->lane[lane].state = LANE_RUN;
	return true;
}

static void lane_stop(struct port *port, unsigned int lane)
{
	struct port_lane *l = &port->lane[lane];

	l->reapply = false;
	if (l->state != LANE_RUN)
		return;
	hal_write(LANE_REG(lane[lane_number(port, lane)].ctrl), 0);
	l->state = LANE_DRAIN;
	l->deadline = port->card->now + DRAIN_LIMIT_US;
}

static void write_regions(const struct port *port)
{
	for (uint32_t i = 0; i < port->map.count; i++) {
		const struct vhp_mbox_region *r = &port->map.regions[i];
		unsigned int row = port->index * VHP_MBOX_MAX_REGIONS + i;

		hw_write64(LANE_REG(region[row].gpa_lo), r->gpa);
		hw_write64(LANE_REG(region[row].last_lo), r->gpa + (r->size - 1));
		hw_write64(LANE_REG(region[row].iova_lo), r->iova);
		hal_write(LANE_REG(region[row].ctrl), VHP_LANE__REGION__CTRL__VALID_bm);
	}
}

void lanes_clear_regions(struct port *port)
{
	for (unsigned int i = 0; i < VHP_MBOX_MAX_REGIONS; i++)
		hal_write(LANE_REG(region[port->index * VHP_MBOX_MAX_REGIONS + i].ctrl), 0);
}

bool lanes_start(struct port *port)
{
	lanes_clear_regions(port);
	write_regions(port);
	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++) {
		if (port->lane[lane].state == LANE_OFF && !lane_start(port, lane))
			return false;
	}
	return true;
}

bool lanes_add(struct port *port)
{
	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++) {
		uint32_t status;

		/* One that stopped with a fault waits for what the fault asks for. */
		lane_status(port, lane, &status);
		if (port->lane[lane].state == LANE_OFF &&
		    GET(VHP_LANE__LANE_CTRL__STATUS__REASON, status) <= STOP_ADMIN && !lane_start(port, lane))
			return false;
	}
	return true;
}

/*
 * A driver that copies by itself has used what it took, in order, so used->idx stands for both. An index that cannot be read
 * stays what the host gave.
 */
void lanes_take_peer_indices(struct port *port)
{
	if (port->offload || port->card->peer_flr)
		return;
	for (unsigned int i = 0; i < 2u * port->card->pairs; i++) {
		struct peer_vring *v = &port->vring[i];
		uint64_t iova;
		uint16_t idx;

		if (v->enabled && region_map_find(&port->map, v->used + 2, sizeof(idx), &iova) &&
		    hw_dma_read(PEER_FN, iova, &idx, sizeof(idx)) == HW_DMA_OK) {
			v->avail_idx = idx;
			v->used_idx = idx;
		}
	}
}

void lanes_stop(struct port *port)
{
	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++)
		lane_stop(port, lane);
}

void lane_restart(struct port *port, unsigned int lane)
{
	lane_stop(port, lane);
	port->lane[lane].reapply = true;
}

/* The lane is quiet: its indices go on from here the next time. */
static void save_indices(struct port *port, unsigned int lane)
{
	unsigned int n = lane_number(port, lane), end = lane & 1;
	struct peer_vring *v = &port->vring[peer_vring_of(lane)];
	uint32_t peer = hal_read(LANE_REG(queue[2 * n + end].idx));
	uint32_t own = hal_read(LANE_REG(queue[2 * n + !end].idx));

	/* own_idx is false if PEER_VRING has just replaced the ring with its indices. */
	if (v->own_idx) {
		v->avail_idx = (uint16_t)GET(VHP_LANE__QUEUE_CONTEXT__IDX__AVAIL_IDX, peer);
		v->used_idx = (uint16_t)GET(VHP_LANE__QUEUE_CONTEXT__IDX__USED_IDX, peer);
	}
	port->lane[lane].fn_avail_idx = (uint16_t)GET(VHP_LANE__QUEUE_CONTEXT__IDX__AVAIL_IDX, own);
	port->lane[lane].fn_used_idx = (uint16_t)GET(VHP_LANE__QUEUE_CONTEXT__IDX__USED_IDX, own);
}

unsigned int lanes_poll(struct port *port)
{
	unsigned int draining = 0;

	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++) {
		struct port_lane *l = &port->lane[lane];

		if (l->state == LANE_DRAIN) {
			if (!busy(port, lane)) {
				save_indices(port, lane);
				l->state = LANE_OFF;
			} else if (port->card->now >= l->deadline) {
				/* By force: the indices stay at what was last known. */
				port->forced = true;
				l->state = LANE_OFF;
			} else {
				draining++;
				continue;
			}
		}
		if (l->reapply) {
			l->reapply = false;
			if (!lane_start(port, lane))
				port_fault(port, VHP_PERR_LANE);
		}
	}
	return draining;
}

unsigned int lanes_running(const struct port *port)
{
	unsigned int n = 0;

	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++)
		n += port->lane[lane].state == LANE_RUN;
	return n;
}

bool lanes_changing(const struct port *port)
{
	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++) {
		if (port->lane[lane].state == LANE_DRAIN || port->lane[lane].reapply)
			return true;
	}
	return false;
}

static void lane_stopped(struct port *port, unsigned int lane)
{
	uint32_t status, reason;
	bool sink;

	lane_status(port, lane, &status);
	reason = GET(VHP_LANE__LANE_CTRL__STATUS__REASON, status);
	sink = status & VHP_LANE__LANE_CTRL__STATUS__SINK_bm;
	lane_stop(port, lane);
	if (reason == STOP_NONE || reason == STOP_ADMIN)
		return;
	/* A function that is being reset takes its lanes with it; that is no fault. */
	if (reason == STOP_FUNCTION && (port->card->peer_flr || (port->closing & (CLOSE_RESET | CLOSE_FLR))))
		return;
	port->last_error = VHP_PERR_LANE;
	card_event(VHP_EVENT_LANE_STOPPED, port, (uint16_t)(lane | reason << 8));
	/* The driver's own queue is the sink of direction 0 and the source of direction 1. */
	if (sink == !(lane & 1))
		fn_needs_reset(port);
}

void lanes_events(struct card *card)
{
	uint32_t events = hal_read(LANE_REG(event));

	hal_write(LANE_REG(event), events);
	for (unsigned int p = 0; p < card->num_ports; p++) {
		for (unsigned int lane = 0; lane < 2u * card->pairs; lane++) {
			if (events >> lane_number(&card->port[p], lane) & 1)
				lane_stopped(&card->port[p], lane);
		}
	}
}

static void count(struct counter *c, uint32_t now)
{
	c->sum += (uint32_t)(now - c->last);
	c->last = now;
}

void lanes_sum(struct port *port)
{
	for (unsigned int lane = 0; lane < 2u * port->card->pairs; lane++) {
		uint32_t base = LANE_REG(stats[lane_number(port, lane)]);

		for (unsigned int i = 0; i < LANE_STATS; i++)
			count(&port->lane_stats[lane][i], hal_read(base + 4 * i));
	}
}
