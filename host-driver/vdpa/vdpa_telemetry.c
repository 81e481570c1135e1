/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /vhost_pci/list, /vhost_pci/status,PORT, /vhost_pci/stats,PORT: what vhpctl shows; vdpa_tables.c has the rest. Numbers come
 * with their words, so that a client needs no tables. Telemetry has no arrays of objects: ports and lanes are members of an
 * object.
 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "vdpa_names.h"
#include "vdpa_telemetry.h"

#define STOP_NOT_IN_USE 1 /* vhp_pkg::StopAdmin: nobody is at fault */

static const char *const phases[] = {
	[VDPA_IDLE] = "no front end",
	[VDPA_NEGOTIATING] = "front end connected, its rings are not ready",
	[VDPA_UP] = "serving the front end",
	[VDPA_CLOSED_BY_DRIVER] = "closed by the vhost-pci-net driver",
	[VDPA_HELD] = "disconnected by management",
	[VDPA_REFUSED] = "the front end cannot be served",
	[VDPA_CARD_LOST] = "the card is gone",
};

/* ------------------------------------------------------------------------------------------------------ statistics */

static int read_stats(struct vdpa_port *port, struct vhp_mbox_port_stats *s)
{
	int rc = vdpa_card_call(port->card, VHP_OP_PORT_STATS, port->index, NULL, 0, s, sizeof(*s));

	if (!rc && s->nlanes > RTE_DIM(s->lanes))
		s->nlanes = RTE_DIM(s->lanes);
	return rc;
}

/* A card that came back counts from 0 again. */
static uint64_t since(uint64_t now, uint64_t base)
{
	return now >= base ? now - base : now;
}

int vdpa_port_stats(struct vdpa_port *port, struct vhp_mbox_port_stats *s)
{
	const struct vhp_mbox_port_stats *b = &port->stats_base;
	int rc = read_stats(port, s);

	if (rc)
		return rc;
	pthread_mutex_lock(&port->stats_lock);
	s->connects = since(s->connects, b->connects);
	s->disconnects = since(s->disconnects, b->disconnects);
	s->doorbells_fn = since(s->doorbells_fn, b->doorbells_fn);
	s->doorbells_peer = since(s->doorbells_peer, b->doorbells_peer);
	s->peer_irq_sent = since(s->peer_irq_sent, b->peer_irq_sent);
	s->peer_irq_refused = since(s->peer_irq_refused, b->peer_irq_refused);
	s->ignored_writes = since(s->ignored_writes, b->ignored_writes);
	s->ctrl_rx = since(s->ctrl_rx, b->ctrl_rx);
	s->ctrl_tx = since(s->ctrl_tx, b->ctrl_tx);
	s->ctrl_errors = since(s->ctrl_errors, b->ctrl_errors);
	for (unsigned int i = 0; i < s->nlanes; i++) {
		s->lanes[i].packets = since(s->lanes[i].packets, b->lanes[i].packets);
		s->lanes[i].bytes = since(s->lanes[i].bytes, b->lanes[i].bytes);
		s->lanes[i].dropped = since(s->lanes[i].dropped, b->lanes[i].dropped);
		s->lanes[i].src_irqs = since(s->lanes[i].src_irqs, b->lanes[i].src_irqs);
		s->lanes[i].snk_irqs = since(s->lanes[i].snk_irqs, b->lanes[i].snk_irqs);
		s->lanes[i].src_kicks = since(s->lanes[i].src_kicks, b->lanes[i].src_kicks);
		s->lanes[i].snk_kicks = since(s->lanes[i].snk_kicks, b->lanes[i].snk_kicks);
		s->lanes[i].no_buffer = since(s->lanes[i].no_buffer, b->lanes[i].no_buffer);
	}
	pthread_mutex_unlock(&port->stats_lock);
	return 0;
}

int vdpa_port_stats_reset(struct vdpa_port *port)
{
	struct vhp_mbox_port_stats now;
	int rc = read_stats(port, &now);

	if (rc)
		return rc;
	pthread_mutex_lock(&port->stats_lock);
	port->stats_base = now;
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		atomic_store(&port->relayed[i], 0);
	pthread_mutex_unlock(&port->stats_lock);
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- helpers */

/* The one that matters: the one that has the port, or the one that is there. */
static const struct vdpa_front *main_front(const struct vdpa_port *port)
{
	if (port->active)
		return port->active;
	return port->front[0].vid < 0 && port->front[1].vid >= 0 ? &port->front[1] : &port->front[0];
}

void vdpa_tel_hex(struct rte_tel_data *d, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	rte_tel_data_add_dict_string(d, name, text);
}

/* {"bits": "0x..", "names": [...]} */
static void add_bits(struct rte_tel_data *d, const char *name, uint64_t bits, enum vdpa_bits set)
{
	struct rte_tel_data *both = rte_tel_data_alloc(), *names = rte_tel_data_alloc();

	if (!both || !names) {
		rte_tel_data_free(both);
		rte_tel_data_free(names);
		return;
	}
	rte_tel_data_start_dict(both);
	rte_tel_data_start_array(names, RTE_TEL_STRING_VAL);
	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *word = vdpa_bit_name(set, bit);
		char number[16];

		if (!(bits >> bit & 1))
			continue;
		snprintf(number, sizeof(number), "bit %u", bit);
		rte_tel_data_add_array_string(names, word ? word : number);
	}
	vdpa_tel_hex(both, "bits", bits);
	rte_tel_data_add_dict_container(both, "names", names, 0);
	rte_tel_data_add_dict_container(d, name, both, 0);
}

static void add_uuid(struct rte_tel_data *d, uint64_t hi, uint64_t lo)
{
	char text[40];

	snprintf(text, sizeof(text), "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned int)(hi >> 32),
		 (unsigned int)(hi >> 16 & 0xffff), (unsigned int)(hi & 0xffff), (unsigned int)(lo >> 48),
		 lo & (UINT64_MAX >> 16));
	rte_tel_data_add_dict_string(d, "uuid", text);
}

void vdpa_tel_identity(struct rte_tel_data *d, struct vdpa_port *port)
{
	const struct vdpa_front *front = main_front(port);
	unsigned int connected = 0;

	for (unsigned int i = 0; i < VDPA_FRONTS; i++)
		connected += port->front[i].vid >= 0;
	rte_tel_data_add_dict_uint(d, "port", port->id);
	rte_tel_data_add_dict_string(d, "device", port->name);
	rte_tel_data_add_dict_string(d, "card", port->card->socket ? port->card->socket : port->card->name);
	rte_tel_data_add_dict_uint(d, "card_port", port->index);
	rte_tel_data_add_dict_string(d, "socket", port->args->iface);
	rte_tel_data_add_dict_string(d, "socket_role", port->args->client ? "client" : "server");
	rte_tel_data_add_dict_string(d, "phase", port->held ? phases[VDPA_HELD] : phases[front->phase]);
	if (front->phase == VDPA_REFUSED)
		rte_tel_data_add_dict_string(d, "reason", front->why);
	rte_tel_data_add_dict_uint(d, "front_ends", connected);
}

static const char *lane_name(unsigned int lane, char text[16])
{
	snprintf(text, 16, "%s%u", lane % 2 ? "b2a" : "a2b", lane / 2);
	return text;
}

/* ------------------------------------------------------------------------------------------------------- endpoints */

static int list_one(struct vdpa_port *port, void *arg)
{
	struct rte_tel_data *one = rte_tel_data_alloc();
	char name[16];

	if (!one)
		return -ENOMEM;
	rte_tel_data_start_dict(one);
	pthread_mutex_lock(&port->lock);
	vdpa_tel_identity(one, port);
	pthread_mutex_unlock(&port->lock);
	snprintf(name, sizeof(name), "%u", port->id);
	rte_tel_data_add_dict_container(arg, name, one, 0);
	return 0;
}

static int on_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	int rc;

	(void)cmd;
	(void)params;
	rte_tel_data_start_dict(d);
	rc = vdpa_port_visit(-1, list_one, d);
	return rc == -ENOENT ? 0 : rc;
}

static void add_lanes(struct rte_tel_data *d, const struct vhp_mbox_port_status *s)
{
	struct rte_tel_data *lanes = rte_tel_data_alloc();

	if (!lanes)
		return;
	rte_tel_data_start_dict(lanes);
	for (unsigned int i = 0; i < RTE_MIN(s->nlanes, RTE_DIM(s->lanes)); i++) {
		struct rte_tel_data *lane = rte_tel_data_alloc();
		char name[16];

		if (!lane)
			break;
		rte_tel_data_start_dict(lane);
		rte_tel_data_add_dict_uint(lane, "lane", s->lanes[i].lane);
		rte_tel_data_add_dict_string(lane, "state", s->lanes[i].running ? "running" : "stopped");
		if (!s->lanes[i].running) {
			rte_tel_data_add_dict_uint(lane, "reason", s->lanes[i].reason);
			rte_tel_data_add_dict_string(lane, "reason_text", vdpa_stop_reason(s->lanes[i].reason));
		}
		if (!s->lanes[i].running && s->lanes[i].reason > STOP_NOT_IN_USE) {
			rte_tel_data_add_dict_string(lane, "end", s->lanes[i].sink ? "sink" : "source");
			rte_tel_data_add_dict_uint(lane, "at", s->lanes[i].at);
		}
		rte_tel_data_add_dict_container(lanes, lane_name(i, name), lane, 0);
	}
	rte_tel_data_add_dict_container(d, "lanes", lanes, 0);
}

static void add_vrings(struct rte_tel_data *d, struct vdpa_port *port)
{
	const struct vdpa_front *front = main_front(port);
	struct rte_tel_data *rings = rte_tel_data_alloc();

	if (!rings)
		return;
	rte_tel_data_start_dict(rings);
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		const struct vdpa_vring *q = &front->vring[i];
		struct rte_tel_data *ring;
		char name[8];

		if (!q->live)
			continue;
		ring = rte_tel_data_alloc();
		if (!ring)
			break;
		rte_tel_data_start_dict(ring);
		rte_tel_data_add_dict_uint(ring, "size", q->num);
		vdpa_tel_hex(ring, "desc", q->desc);
		vdpa_tel_hex(ring, "avail", q->avail);
		vdpa_tel_hex(ring, "used", q->used);
		rte_tel_data_add_dict_uint(ring, "vector", VHP_PEER_VECTOR(port->index, i));
		rte_tel_data_add_dict_string(ring, "call", q->call_fd >= 0 ? "eventfd" : "none, the guest polls");
		snprintf(name, sizeof(name), "%u", i);
		rte_tel_data_add_dict_container(rings, name, ring, 0);
	}
	rte_tel_data_add_dict_container(d, "vrings", rings, 0);
}

static int status_of(struct vdpa_port *port, void *arg)
{
	struct rte_tel_data *d = arg;
	struct vhp_mbox_port_status s = { 0 };
	int rc = vdpa_card_call(port->card, VHP_OP_PORT_STATUS, port->index, NULL, 0, &s, sizeof(s));

	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&port->lock);
	vdpa_tel_identity(d, port);
	add_uuid(d, port->args->uuid_hi, port->args->uuid_lo);
	vdpa_tel_hex(d, "vhost_pci_id", port->args->vhost_pci_id);
	rte_tel_data_add_dict_uint(d, "image_held", vdpa_card_image_held(port->card) == 1);
	rte_tel_data_add_dict_uint(d, "pv_interrupt", port->args->pv_interrupt);
	rte_tel_data_add_dict_uint(d, "aperture", port->args->aperture);
	rte_tel_data_add_dict_string(d, "doorbells",
				     atomic_load(&port->notifier_on) ? "mapped by the front end" : "relayed");
	add_bits(d, "features", main_front(port)->features, VDPA_BITS_VHOST_NET);
	add_bits(d, "withheld_features", port->withheld, VDPA_BITS_VHOST_NET);
	add_vrings(d, port);
	pthread_mutex_unlock(&port->lock);

	rte_tel_data_add_dict_string(d, "card_state", rc ? "unknown" : vdpa_port_state(s.state));
	rte_tel_data_add_dict_uint(d, "connected", !rc && s.state == VHP_PORT_CONNECTED);
	if (rc) {
		rte_tel_data_add_dict_string(d, "card_error", rc == -ENODEV ? "the card is gone" : strerror(-rc));
		return 0;
	}
	rte_tel_data_add_dict_string(d, "last_error", vdpa_port_error(s.last_error));
	add_bits(d, "peer_features", s.peer_features, VDPA_BITS_VHOST_NET);
	add_bits(d, "peer_features_seed", vdpa_peer_bits(s.peer_features), VDPA_BITS_PEER);
	add_bits(d, "driver_accepted", s.driver_accepted, VDPA_BITS_PEER);
	add_bits(d, "device_features", s.device_features, VDPA_BITS_DEVICE);
	add_bits(d, "driver_features", s.driver_features, VDPA_BITS_DEVICE);
	add_bits(d, "device_status", s.device_status, VDPA_BITS_STATUS);
	rte_tel_data_add_dict_uint(d, "logging", (s.flags & VHP_PORT_LOGGING) != 0);
	rte_tel_data_add_dict_uint(d, "connects", s.connects);
	rte_tel_data_add_dict_uint(d, "disconnects", s.disconnects);
	rte_tel_data_add_dict_uint(d, "aperture_reads", s.aperture_reads);
	rte_tel_data_add_dict_uint(d, "aperture_writes", s.aperture_writes);
	rte_tel_data_add_dict_uint(d, "aperture_refused", s.aperture_refused);
	add_lanes(d, &s);
	return 0;
}

static void add_lane_stats(struct rte_tel_data *d, const struct vhp_mbox_port_stats *s)
{
	struct rte_tel_data *lanes = rte_tel_data_alloc();

	if (!lanes)
		return;
	rte_tel_data_start_dict(lanes);
	for (unsigned int i = 0; i < s->nlanes; i++) {
		struct rte_tel_data *lane = rte_tel_data_alloc();
		char name[16];

		if (!lane)
			break;
		rte_tel_data_start_dict(lane);
		rte_tel_data_add_dict_uint(lane, "packets", s->lanes[i].packets);
		rte_tel_data_add_dict_uint(lane, "bytes", s->lanes[i].bytes);
		rte_tel_data_add_dict_uint(lane, "dropped", s->lanes[i].dropped);
		rte_tel_data_add_dict_uint(lane, "no_buffer", s->lanes[i].no_buffer);
		rte_tel_data_add_dict_uint(lane, "source_interrupts", s->lanes[i].src_irqs);
		rte_tel_data_add_dict_uint(lane, "sink_interrupts", s->lanes[i].snk_irqs);
		rte_tel_data_add_dict_uint(lane, "source_doorbells", s->lanes[i].src_kicks);
		rte_tel_data_add_dict_uint(lane, "sink_doorbells", s->lanes[i].snk_kicks);
		rte_tel_data_add_dict_container(lanes, lane_name(i, name), lane, 0);
	}
	rte_tel_data_add_dict_container(d, "lanes", lanes, 0);
}

static int stats_of(struct vdpa_port *port, void *arg)
{
	struct rte_tel_data *d = arg;
	struct vhp_mbox_port_stats s;
	struct vdpa_card *card = port->card;
	uint64_t sum[2][3] = { 0 }, interrupts = 0, relayed = 0;
	struct vhp_mbox_card_info info;
	int rc = vdpa_port_stats(port, &s);

	if (!rc)
		rc = vdpa_card_call(card, VHP_OP_CARD_INFO, 0, NULL, 0, &info, sizeof(info));

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "port", port->id);
	rte_tel_data_add_dict_string(d, "device", port->name);
	rte_tel_data_add_dict_uint(d, "front_end_connects", atomic_load(&port->fe_connects));
	rte_tel_data_add_dict_uint(d, "front_end_disconnects", atomic_load(&port->fe_disconnects));
	rte_tel_data_add_dict_uint(d, "front_ends_refused", atomic_load(&port->fe_refused));
	rte_tel_data_add_dict_uint(d, "migrations", atomic_load(&port->migrations));
	rte_tel_data_add_dict_uint(d, "close_requests", atomic_load(&port->close_requests));
	rte_tel_data_add_dict_uint(d, "feature_events", atomic_load(&port->feature_events));
	rte_tel_data_add_dict_uint(d, "lane_stops", atomic_load(&port->lane_events));
	rte_tel_data_add_dict_uint(d, "errors", atomic_load(&port->error_events));
	rte_tel_data_add_dict_uint(d, "driver_resets", atomic_load(&port->driver_resets));
	rte_tel_data_add_dict_uint(d, "card_events", atomic_load(&card->events));
	rte_tel_data_add_dict_uint(d, "card_events_lost", atomic_load(&card->events_lost));
	rte_tel_data_add_dict_uint(d, "card_losses", atomic_load(&card->lost_count));
	rte_tel_data_add_dict_uint(d, "card_reattached", atomic_load(&card->reattach_count));
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		relayed += atomic_load(&port->relayed[i]);
	rte_tel_data_add_dict_uint(d, "kicks_relayed", relayed);
	if (rc) {
		rte_tel_data_add_dict_string(d, "card_error", rc == -ENODEV ? "the card is gone" : strerror(-rc));
		return 0;
	}

	for (unsigned int i = 0; i < s.nlanes; i++) {
		sum[i % 2][0] += s.lanes[i].packets;
		sum[i % 2][1] += s.lanes[i].bytes;
		sum[i % 2][2] += s.lanes[i].dropped;
		/* the peer's queues: source of a2b, sink of b2a */
		interrupts += i % 2 ? s.lanes[i].snk_irqs : s.lanes[i].src_irqs;
	}
	rte_tel_data_add_dict_uint(d, "a2b_packets", sum[0][0]);
	rte_tel_data_add_dict_uint(d, "a2b_bytes", sum[0][1]);
	rte_tel_data_add_dict_uint(d, "a2b_dropped", sum[0][2]);
	rte_tel_data_add_dict_uint(d, "b2a_packets", sum[1][0]);
	rte_tel_data_add_dict_uint(d, "b2a_bytes", sum[1][1]);
	rte_tel_data_add_dict_uint(d, "b2a_dropped", sum[1][2]);
	rte_tel_data_add_dict_uint(d, "interrupts_forwarded", interrupts + s.peer_irq_sent);
	rte_tel_data_add_dict_uint(d, "driver_peer_interrupts", s.peer_irq_sent);
	rte_tel_data_add_dict_uint(d, "driver_peer_interrupts_refused", s.peer_irq_refused);
	rte_tel_data_add_dict_uint(d, "doorbells_peer", s.doorbells_peer);
	rte_tel_data_add_dict_uint(d, "doorbells_driver", s.doorbells_fn);
	rte_tel_data_add_dict_uint(d, "ignored_writes", s.ignored_writes);
	rte_tel_data_add_dict_uint(d, "control_messages_to_driver", s.ctrl_rx);
	rte_tel_data_add_dict_uint(d, "control_messages_from_driver", s.ctrl_tx);
	rte_tel_data_add_dict_uint(d, "control_errors", s.ctrl_errors);
	rte_tel_data_add_dict_uint(d, "connects", s.connects);
	rte_tel_data_add_dict_uint(d, "disconnects", s.disconnects);
	rte_tel_data_add_dict_uint(d, "dma_read_errors", info.dma_rd_errors);
	rte_tel_data_add_dict_uint(d, "dma_writes_dropped", info.dma_wr_dropped);
	add_lane_stats(d, &s);
	return 0;
}

/* Telemetry answers "null" to what cannot be done. */
int vdpa_tel_for_port(const char *params, int (*fn)(struct vdpa_port *port, void *arg), struct rte_tel_data *d)
{
	unsigned long id;
	char *end;

	if (!params || *params < '0' || *params > '9')
		return -EINVAL;
	id = strtoul(params, &end, 10);
	if (*end || id > INT32_MAX)
		return -EINVAL;
	return vdpa_port_visit((int)id, fn, d);
}

static int on_status(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return vdpa_tel_for_port(params, status_of, d);
}

static int on_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return vdpa_tel_for_port(params, stats_of, d);
}

static void register_commands(void)
{
	rte_telemetry_register_cmd("/vhost_pci/list", on_list, "Ports of vhost-pci cards. No parameters");
	rte_telemetry_register_cmd("/vhost_pci/status", on_status, "State of a port. Parameter: port");
	rte_telemetry_register_cmd("/vhost_pci/stats", on_stats, "Counters of a port. Parameter: port");
	vdpa_tables_register();
}

void vdpa_telemetry_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_commands);
}
