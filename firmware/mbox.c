/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailbox: requests of the host driver (vhp_mbox.h). A request is copied once and then checked, so that a host that
 * writes on meanwhile gains nothing. PORT_STOP and a PEER_VRING that has to stop a lane are answered when the lanes
 * are quiet.
 */
#include <string.h>

#include "card.h"
#include "hw.h"

#define PAYLOAD_MAX (VHP_MBOX_SIZE - sizeof(struct vhp_mbox_hdr))
#define DETAIL_HEADER 0xffffu /* BAD_ARGUMENT: the header */

#define VIRTIO_NET_MTU_MIN 68u
/* Entries of a log ring, log2. */
#define LOG_SIZE_MIN 6u
#define LOG_SIZE_MAX 20u
/* A sync takes microseconds; a link that is stuck must not stop the mailbox. */
#define LOG_SYNC_LIMIT_US 100000u
#define BIT(n) (1ull << (n))

static union {
	struct vhp_mbox_port_config config;
	struct vhp_mbox_peer_features features;
	struct vhp_mbox_peer_mem mem;
	struct vhp_mbox_peer_vring vring;
	struct vhp_mbox_port_stop stop;
	struct vhp_mbox_log_ring log_ring;
	struct vhp_mbox_log_enable log_enable;
	struct vhp_mbox_log_sync log_sync;
} request;

static union {
	struct vhp_mbox_vring_bases bases;
	struct vhp_mbox_port_status status;
	struct vhp_mbox_port_stats stats;
	struct vhp_mbox_card_info info;
	struct vhp_mbox_log_state log;
} answer;

struct result {
	enum vhp_mbox_status status;
	uint16_t detail;
	uint16_t length; /* of `answer` */
	bool later;	 /* mbox_poll answers */
};

#define OK(len) ((struct result){ .length = (len) })
#define REFUSE(st) ((struct result){ .status = (st) })
#define REFUSE_AT(st, type, field) ((struct result){ .status = (st), .detail = (uint16_t)offsetof(type, field) })

static void send_reply(const struct vhp_mbox_hdr *req, struct result r)
{
	struct vhp_mbox_hdr hdr = *req;

	hdr.status = (uint16_t)r.status;
	hdr.detail = r.detail;
	hdr.length = r.length;
	hw_copy_out(HW_MBOX_REPLY + sizeof(hdr), &answer, r.length);
	hw_copy_out(HW_MBOX_REPLY, &hdr, sizeof(hdr));
	hal_write(SOC_REG(mbox_done), 1);
}

static struct result port_config(struct port *port)
{
	const struct vhp_mbox_port_config *c = &request.config;
	struct vhp_mbox_port_config was = port->config;

	if (port->started)
		return REFUSE(VHP_ST_WRONG_STATE);
	if ((c->flags & ~(VHP_PORT_PV_INTERRUPT | VHP_PORT_MAC | VHP_PORT_APERTURE)) ||
	    ((c->flags & VHP_PORT_APERTURE) && !aperture_built(port)))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_config, flags);
	if (c->mtu != 0 && c->mtu < VIRTIO_NET_MTU_MIN)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_config, mtu);
	if (c->max_queue_pairs > port->card->pairs)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_config, max_queue_pairs);
	if ((c->flags & VHP_PORT_MAC) &&
	    ((c->mac[0] & 1) || !(c->mac[0] | c->mac[1] | c->mac[2] | c->mac[3] | c->mac[4] | c->mac[5])))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_config, mac);
	port_default_config(port);
	port->config.flags = c->flags;
	port->config.vhost_pci_id = c->vhost_pci_id;
	port->config.uuid_hi = c->uuid_hi;
	port->config.uuid_lo = c->uuid_lo;
	if (c->mtu != 0)
		port->config.mtu = c->mtu;
	if (c->max_queue_pairs != 0)
		port->config.max_queue_pairs = c->max_queue_pairs;
	if (c->flags & VHP_PORT_MAC)
		memcpy(port->config.mac, c->mac, sizeof(c->mac));
	if (c->connect_timeout_ms != 0)
		port->config.connect_timeout_ms = c->connect_timeout_ms;
	/* A host driver that starts again says the same again: a running driver must not notice. */
	if (memcmp(&was, &port->config, sizeof(was)) != 0)
		fn_configure(port);
	return OK(0);
}

static struct result peer_features(struct port *port)
{
	if (port->state != VHP_PORT_DOWN)
		return REFUSE(VHP_ST_WRONG_STATE);
	/* Without VERSION_1 the header has another length; a packed ring has another layout. */
	if (!(request.features.features & BIT(VHP_F_VERSION_1)) || (request.features.features & BIT(34)))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_features, features);
	port_forget_peer(port);
	port->peer_features = request.features.features;
	port->have_features = true;
	return OK(0);
}

static struct result fits_aperture(const struct port *port)
{
	uint64_t offset[VHP_MBOX_MAX_REGIONS];
	uint32_t bad;

	if ((port->config.flags & VHP_PORT_APERTURE) && !aperture_layout(port, offset, &bad))
		return (struct result){ .status = VHP_ST_NO_SPACE, .detail = (uint16_t)bad };
	return OK(0);
}

static struct result peer_mem(struct port *port)
{
	const struct vhp_mbox_peer_mem *m = &request.mem;
	struct region_map was = port->map;
	struct result fits;
	uint32_t bad;

	if (port->state != VHP_PORT_DOWN)
		return REFUSE(VHP_ST_WRONG_STATE);
	if (m->nregions == 0 || m->nregions > VHP_MBOX_MAX_REGIONS || m->nregions > port->card->max_regions)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_mem, nregions);
	if (m->reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_mem, reserved);
	if (!region_map_set(&port->map, m->regions, m->nregions, &bad))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_mem, regions[bad]);
	fits = fits_aperture(port);
	if (fits.status != VHP_ST_OK) {
		port->map = was;
		return fits;
	}
	port->have_mem = true;
	return OK(0);
}

static bool mapped(const struct port *port, uint64_t gpa, uint64_t len)
{
	uint64_t iova;

	return region_map_find(&port->map, gpa, len, &iova);
}

/* An enabled ring: shape first, then place. */
static struct result check_ring(const struct port *port, const struct vhp_mbox_peer_vring *v)
{
	if (v->num < 2 || (v->num & (v->num - 1)) != 0 || v->num > 1u << port->card->queue_size_log2)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, num);
	if (v->desc % 16 != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, desc);
	if (v->avail % 2 != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, avail);
	if (v->used % 4 != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, used);
	if (!mapped(port, v->desc, 16ull * v->num))
		return REFUSE_AT(VHP_ST_NOT_MAPPED, struct vhp_mbox_peer_vring, desc);
	if (!mapped(port, v->avail, 6 + 2ull * v->num))
		return REFUSE_AT(VHP_ST_NOT_MAPPED, struct vhp_mbox_peer_vring, avail);
	if (!mapped(port, v->used, 6 + 8ull * v->num))
		return REFUSE_AT(VHP_ST_NOT_MAPPED, struct vhp_mbox_peer_vring, used);
	return OK(0);
}

static struct result peer_vring(struct port *port)
{
	const struct vhp_mbox_peer_vring *r = &request.vring;
	struct peer_vring *v;
	bool enable = r->flags & VHP_VRING_ENABLE, same_ring, rewire;
	unsigned int lane;

	if (port->state == VHP_PORT_CLOSING)
		return REFUSE(VHP_ST_WRONG_STATE);
	if (r->index >= 2u * port->card->pairs)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, index);
	if (r->flags & ~VHP_VRING_ENABLE)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, flags);
	if (r->reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, reserved);
	/* The peer interrupt page finds the vector by queue number, so each queue has its own. */
	if (r->msix_vector != NO_VECTOR && r->msix_vector != VHP_PEER_VECTOR(port->index, r->index))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, msix_vector);
	if (r->reserved2[0] != 0 || r->reserved2[1] != 0 || r->reserved2[2] != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_peer_vring, reserved2);
	if (enable) {
		struct result bad = check_ring(port, r);

		if (bad.status != VHP_ST_OK)
			return bad;
	}

	v = &port->vring[r->index];
	same_ring = !enable || (r->num == v->num && r->desc == v->desc && r->avail == v->avail && r->used == v->used);
	rewire = enable != v->enabled || !same_ring || r->msix_vector != v->vector;
	/* A ring that a lane of this connection has moved on keeps its indices; another ring brings its own. */
	if (port->state == VHP_PORT_DOWN || !v->own_idx || !same_ring) {
		v->avail_idx = r->last_avail_idx;
		v->used_idx = r->last_used_idx;
		v->own_idx = false;
	}
	v->enabled = enable;
	v->gsi = r->gsi;
	v->vector = r->msix_vector;
	if (enable) {
		v->num = r->num;
		v->desc = r->desc;
		v->avail = r->avail;
		v->used = r->used;
	}
	if (rewire)
		port->virtq_stale |= 1u << (r->index & 1 ? VHOST_PCI_PEER_VIRTQ_TX : VHOST_PCI_PEER_VIRTQ_RX);
	if (port->state != VHP_PORT_CONNECTED)
		return OK(0);

	/* Peer TX 2i+1 is the source of lane 2i, peer RX 2i the sink of lane 2i+1. A lane that stopped starts again. */
	lane = r->index ^ 1u;
	if (fn_show_queues(port))
		hal_write(FN_REG(port->index, control), VHP_FN__CONTROL__PEER_CHANGE_bm);
	if (rewire || port->lane[lane].state != LANE_RUN) {
		lane_restart(port, lane);
		return (struct result){ .later = true };
	}
	return OK(0);
}

static struct result port_start(struct port *port)
{
	struct result fits = fits_aperture(port);
	bool any = false;

	if (port->state != VHP_PORT_DOWN || !port->have_features || !port->have_mem || port->card->peer_flr)
		return REFUSE(VHP_ST_WRONG_STATE);
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		const struct peer_vring *v = &port->vring[i];

		any |= v->enabled;
		/* Memory may have been replaced since the ring was given. */
		if (v->enabled &&
		    (!mapped(port, v->desc, 16ull * v->num) || !mapped(port, v->avail, 6 + 2ull * v->num) ||
		     !mapped(port, v->used, 6 + 8ull * v->num)))
			return (struct result){ .status = VHP_ST_NOT_MAPPED, .detail = (uint16_t)i };
	}
	if (!any)
		return REFUSE(VHP_ST_WRONG_STATE);
	/* The aperture may have been allowed after the memory was given. */
	if (fits.status != VHP_ST_OK)
		return fits;
	port_event(port, PORT_EV_START);
	return OK(0);
}

static struct result bases(const struct port *port)
{
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		answer.bases.last_avail_idx[i] = port->vring[i].avail_idx;
		answer.bases.last_used_idx[i] = port->vring[i].used_idx;
	}
	return OK(sizeof(answer.bases));
}

static struct result stop(struct port *port)
{
	if (request.stop.flags & ~VHP_STOP_GRACEFUL)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_stop, flags);
	if (request.stop.reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_port_stop, reserved);
	port_stop(port, request.stop.flags & VHP_STOP_GRACEFUL);
	return port->state == VHP_PORT_DOWN ? bases(port) : (struct result){ .later = true };
}

static struct result port_status(struct port *port)
{
	struct vhp_mbox_port_status *s = &answer.status;

	memset(s, 0, sizeof(*s));
	fn_sum(port);
	s->state = port->state;
	s->last_error = port->last_error;
	s->peer_features = port->peer_features;
	s->driver_accepted = port->driver_accepted;
	s->device_features = port->device_features;
	s->driver_features = fn_driver_features(port);
	s->device_status = hal_read(FN_REG(port->index, status));
	s->connects = port->connects;
	s->disconnects = port->disconnects;
	s->nlanes = 2u * port->card->pairs;
	s->vhost_pci_id = port->config.vhost_pci_id;
	s->flags = port->config.flags | (port->logging ? VHP_PORT_LOGGING : 0);
	s->gsi_refused = (uint32_t)port->fn_stats[STAT_PEER_IRQ_REFUSED].sum;
	s->aperture_reads = port->aperture_stats[STAT_APERTURE_READS].sum;
	s->aperture_writes = port->aperture_stats[STAT_APERTURE_WRITES].sum;
	s->aperture_refused = port->aperture_stats[STAT_APERTURE_REFUSED].sum;
	for (unsigned int i = 0; i < s->nlanes; i++) {
		uint32_t st;

		lane_status(port, i, &st);
		s->lanes[i].lane = (uint8_t)lane_number(port, i);
		s->lanes[i].running = port->lane[i].state == LANE_RUN;
		s->lanes[i].reason = (uint8_t)GET(VHP_LANE__LANE_CTRL__STATUS__REASON, st);
		s->lanes[i].sink = (uint8_t)GET(VHP_LANE__LANE_CTRL__STATUS__SINK, st);
		s->lanes[i].at = GET(VHP_LANE__LANE_CTRL__STATUS__AT, st);
	}
	return OK(sizeof(*s));
}

static struct result port_stats(struct port *port)
{
	struct vhp_mbox_port_stats *s = &answer.stats;

	memset(s, 0, sizeof(*s));
	fn_sum(port);
	lanes_sum(port);
	s->connects = port->connects;
	s->disconnects = port->disconnects;
	s->doorbells_fn = port->fn_stats[STAT_FN_DOORBELLS].sum;
	s->doorbells_peer = port->fn_stats[STAT_PEER_DOORBELLS].sum;
	s->peer_irq_sent = port->fn_stats[STAT_PEER_IRQ_SENT].sum;
	s->peer_irq_refused = port->fn_stats[STAT_PEER_IRQ_REFUSED].sum;
	s->ignored_writes = port->fn_stats[STAT_IGNORED_WRITES].sum;
	s->ctrl_rx = port->ctrl_sent;
	s->ctrl_tx = port->ctrl_received;
	s->ctrl_errors = port->ctrl_errors;
	s->nlanes = 2u * port->card->pairs;
	for (unsigned int i = 0; i < s->nlanes; i++) {
		const struct counter *c = port->lane_stats[i];

		s->lanes[i].packets = c[STAT_PACKETS].sum;
		s->lanes[i].bytes = c[STAT_BYTES].sum;
		s->lanes[i].dropped = c[STAT_DROPPED].sum;
		s->lanes[i].src_irqs = c[STAT_SRC_IRQS].sum;
		s->lanes[i].snk_irqs = c[STAT_SNK_IRQS].sum;
		s->lanes[i].src_kicks = c[STAT_SRC_KICKS].sum;
		s->lanes[i].snk_kicks = c[STAT_SNK_KICKS].sum;
		s->lanes[i].no_buffer = c[STAT_NO_BUFFER].sum;
	}
	return OK(sizeof(*s));
}

static struct result card_info(struct port *port)
{
	static const char build[] = "vhp-fw " FW_VERSION_TEXT " rv32im";
	const struct card *card = port->card;
	struct vhp_mbox_card_info *info = &answer.info;

	_Static_assert(sizeof(build) <= sizeof(info->build), "build text");
	memset(info, 0, sizeof(*info));
	info->fw_version = FW_VERSION_MAJOR << 16 | FW_VERSION_MINOR << 8 | FW_VERSION_PATCH;
	info->num_ports = card->num_ports;
	info->pairs = card->pairs;
	info->max_queue_size = 1u << card->queue_size_log2;
	info->dma_rd_errors = hal_read(SOC_REG(dma_rd_errors));
	info->dma_wr_dropped = hal_read(SOC_REG(dma_wr_dropped));
	info->uptime_us = card->now;
	memcpy(info->build, build, sizeof(build));
	return OK(sizeof(*info));
}

static struct result vring_bases(struct port *port)
{
	return bases(port);
}

static struct result log_ring(struct port *port)
{
	const struct vhp_mbox_log_ring *r = &request.log_ring;
	struct card *card = port->card;

	for (unsigned int i = 0; i < card->num_ports; i++) {
		if (card->port[i].logging)
			return REFUSE(VHP_ST_WRONG_STATE);
	}
	if (card->peer_flr)
		return REFUSE(VHP_ST_WRONG_STATE);
	if (r->reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_ring, reserved);
	if (r->size_log2 != 0 && (r->size_log2 < LOG_SIZE_MIN || r->size_log2 > LOG_SIZE_MAX))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_ring, size_log2);
	if (r->size_log2 != 0 && (r->iova % 64 != 0 || r->iova + (8ull << r->size_log2) - 1 < r->iova))
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_ring, iova);
	log_set_ring(card, r->size_log2 != 0 ? r->iova : 0, r->size_log2);
	log_state(false, &answer.log);
	return OK(sizeof(answer.log));
}

static struct result sync_first(struct card *card)
{
	log_sync();
	card->mbox_limit = card->now + LOG_SYNC_LIMIT_US;
	return (struct result){ .later = true };
}

static struct result log_onoff(struct port *port)
{
	const struct vhp_mbox_log_enable *r = &request.log_enable;

	if (r->enable > 1)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_enable, enable);
	if (r->reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_enable, reserved);
	if (port->card->peer_flr || (r->enable && !port->card->log_ring))
		return REFUSE(VHP_ST_WRONG_STATE);
	port_log(port, r->enable);
	log_enable(port->card);
	return sync_first(port->card);
}

static struct result log_take_and_sync(struct port *port)
{
	const struct vhp_mbox_log_sync *r = &request.log_sync;
	struct card *card = port->card;

	if (r->reserved != 0)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_sync, reserved);
	if (card->peer_flr || !card->log_ring)
		return REFUSE(VHP_ST_WRONG_STATE);
	if (r->tail - card->log_tail > hal_read(LOG_REG(head)) - card->log_tail)
		return REFUSE_AT(VHP_ST_BAD_ARGUMENT, struct vhp_mbox_log_sync, tail);
	log_take(card, r->tail);
	return sync_first(card);
}

static const struct {
	struct result (*handle)(struct port *port);
	uint16_t length; /* of the request's payload, exactly */
} ops[] = {
	[VHP_OP_PORT_CONFIG] = { port_config, sizeof(request.config) },
	[VHP_OP_PEER_FEATURES] = { peer_features, sizeof(request.features) },
	[VHP_OP_PEER_MEM] = { peer_mem, sizeof(request.mem) },
	[VHP_OP_PEER_VRING] = { peer_vring, sizeof(request.vring) },
	[VHP_OP_PORT_START] = { port_start, 0 },
	[VHP_OP_PORT_STOP] = { stop, sizeof(request.stop) },
	[VHP_OP_PORT_STATUS] = { port_status, 0 },
	[VHP_OP_PORT_STATS] = { port_stats, 0 },
	[VHP_OP_CARD_INFO] = { card_info, 0 },
	[VHP_OP_VRING_BASES] = { vring_bases, 0 },
	[VHP_OP_LOG_RING] = { log_ring, sizeof(request.log_ring) },
	[VHP_OP_LOG_ENABLE] = { log_onoff, sizeof(request.log_enable) },
	[VHP_OP_LOG_SYNC] = { log_take_and_sync, sizeof(request.log_sync) },
};

static bool card_wide(uint16_t op)
{
	return op == VHP_OP_CARD_INFO || op == VHP_OP_LOG_RING || op == VHP_OP_LOG_SYNC;
}

static struct result dispatch(struct card *card, const struct vhp_mbox_hdr *hdr)
{
	if (hdr->op >= sizeof(ops) / sizeof(ops[0]) || !ops[hdr->op].handle)
		return REFUSE(VHP_ST_UNKNOWN_OP);
	if (hdr->status != 0 || hdr->detail != 0)
		return (struct result){ .status = VHP_ST_BAD_ARGUMENT, .detail = DETAIL_HEADER };
	if (hdr->port >= card->num_ports || (card_wide(hdr->op) && hdr->port != 0))
		return REFUSE(VHP_ST_BAD_PORT);
	if (hdr->length > PAYLOAD_MAX || hdr->length != ops[hdr->op].length)
		return REFUSE(VHP_ST_BAD_LENGTH);
	hw_copy_in(&request, HW_MBOX_REQUEST + sizeof(*hdr), hdr->length);
	return ops[hdr->op].handle(&card->port[hdr->port]);
}

void mbox_request(struct card *card)
{
	struct vhp_mbox_hdr hdr;
	struct result r;

	hw_copy_in(&hdr, HW_MBOX_REQUEST, sizeof(hdr));
	r = dispatch(card, &hdr);
	if (r.later) {
		card->mbox_waiting = true;
		card->mbox_hdr = hdr;
		return;
	}
	send_reply(&hdr, r);
}

void mbox_poll(struct card *card)
{
	struct port *port = &card->port[card->mbox_hdr.port];
	struct result r;

	if (!card->mbox_waiting)
		return;
	if (card->mbox_hdr.op == VHP_OP_LOG_ENABLE || card->mbox_hdr.op == VHP_OP_LOG_SYNC) {
		bool lost = log_syncing();

		if (lost && card->now < card->mbox_limit)
			return;
		r = OK(0);
		if (card->mbox_hdr.op == VHP_OP_LOG_SYNC) {
			log_state(lost, &answer.log);
			r = OK(sizeof(answer.log));
		}
		if (lost)
			r.status = VHP_ST_TIMEOUT;
		card->mbox_waiting = false;
		send_reply(&card->mbox_hdr, r);
		return;
	}
	if (card->mbox_hdr.op == VHP_OP_PORT_STOP) {
		if (port->state != VHP_PORT_DOWN)
			return;
		r = bases(port);
	} else {
		if (lanes_changing(port))
			return;
		r = OK(0);
	}
	if (port->forced)
		r.status = VHP_ST_TIMEOUT;
	port->forced = false;
	card->mbox_waiting = false;
	send_reply(&card->mbox_hdr, r);
}
