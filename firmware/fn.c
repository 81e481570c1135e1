/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio function of a port: what its driver sees, and what it did. */
#include <string.h>

#include "card.h"
#include "hw.h"

/* device_status bits (virtio 1.x, "Device Status Field"). */
enum {
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128
};

#define NET_S_LINK_UP 1u
#define FN_EVENTS_ALL 0x3fu

static uint64_t offered_features(const struct port *port)
{
	uint64_t f = 1ull << VHOST_PCI_NET_F_MAC | 1ull << VHOST_PCI_NET_F_CTRL_MAC_ADDR |
		1ull << VHOST_PCI_NET_F_MRG_RXBUF | 1ull << VHOST_PCI_NET_F_COPY_OFFLOAD |
		1ull << VHP_F_RING_INDIRECT_DESC | 1ull << VHP_F_RING_EVENT_IDX | 1ull << VHP_F_VERSION_1;

	if (port->config.max_queue_pairs > 1)
		f |= 1ull << VHOST_PCI_NET_F_MQ;
	if (port->config.flags & VHP_PORT_PV_INTERRUPT)
		f |= 1ull << VHP_F_PV_INTERRUPT;
	return f;
}

uint64_t fn_driver_features(const struct port *port)
{
	return hw_read64(FN_REG(port->index, driver_features_lo));
}

static void write_link(const struct port *port, bool up)
{
	hal_write(FN_REG(port->index, net_config),
		  PUT(VHP_FN__NET_CONFIG__STATUS, up ? NET_S_LINK_UP : 0) |
			  PUT(VHP_FN__NET_CONFIG__MAX_QUEUE_PAIRS, port->config.max_queue_pairs));
}

static void write_mac(struct port *port, const uint8_t *mac)
{
	uint32_t lo;

	memcpy(port->mac, mac, sizeof(port->mac));
	memcpy(&lo, mac, sizeof(lo));
	hal_write(FN_REG(port->index, mac_lo), lo);
	hal_write(FN_REG(port->index, mac_hi), mac[4] | (uint32_t)mac[5] << 8);
}

/* Registers that show no peer. */
static void write_no_peer(const struct port *port)
{
	uint32_t p = port->index;

	hal_write(FN_REG(p, peer_irq_ctrl), 0);
	hal_write(FN_REG(p, peer_num_rx_queues), 0);
	hw_write64(FN_REG(p, peer_uuid_hi_lo), 0);
	hw_write64(FN_REG(p, peer_uuid_lo_lo), 0);
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		hal_write(FN_REG(p, peer_gsi[i]), VHP_GSI_NONE);
	write_link(port, false);
}

static void write_all(struct port *port)
{
	uint32_t p = port->index;

	hw_write64(FN_REG(p, device_features_lo), port->device_features);
	hal_write(FN_REG(p, num_queues), 2u + 2u * port->config.max_queue_pairs);
	hal_write(FN_REG(p, mtu), port->config.mtu);
	write_mac(port, port->config.mac);
	hal_write(FN_REG(p, peer_connection), 0);
	write_no_peer(port);
}

void fn_init(struct port *port)
{
	port->device_features = offered_features(port);
	write_all(port);
	fn_sum(port);
	hal_write(FN_REG(port->index, events), FN_EVENTS_ALL);
	hal_write(FN_REG(port->index, event_enable), FN_EVENTS_ALL);
}

void fn_configure(struct port *port)
{
	uint32_t p = port->index, status = hal_read(FN_REG(p, status));
	uint32_t queues = 2u + 2u * port->config.max_queue_pairs;
	uint64_t features = offered_features(port);
	bool contract_changed = features != port->device_features || hal_read(FN_REG(p, num_queues)) != queues;

	port->device_features = features;
	hw_write64(FN_REG(p, device_features_lo), features);
	hal_write(FN_REG(p, num_queues), queues);
	hal_write(FN_REG(p, mtu), port->config.mtu);
	write_mac(port, port->config.mac);
	write_link(port, false);
	/* A driver that has agreed on other features has to begin again; one before that reads them anyway. */
	if (contract_changed && (status & STATUS_FEATURES_OK))
		fn_needs_reset(port);
	else if (status & STATUS_DRIVER_OK)
		hal_write(FN_REG(p, control), VHP_FN__CONTROL__CONFIG_CHANGE_bm);
}

void fn_needs_reset(struct port *port)
{
	if (port->broken)
		return;
	port->broken = true;
	hal_write(FN_REG(port->index, control), VHP_FN__CONTROL__NEEDS_RESET_bm);
}

void fn_reset(struct port *port)
{
	uint32_t p = port->index;

	fn_sum(port);
	port->driver_ok = false;
	port->broken = false;
	port->driver_closed = false;
	port->kick_rx = false;
	port->kick_tx = false;
	port->out_len = 0;
	memset(port->owed, 0, sizeof(port->owed));
	for (unsigned int lane = 0; lane < MAX_LANES; lane++) {
		port->lane[lane].fn_avail_idx = 0;
		port->lane[lane].fn_used_idx = 0;
	}
	write_all(port);
	hal_write(FN_REG(p, events), FN_EVENTS_ALL);
	hal_write(FN_REG(p, control), VHP_FN__CONTROL__RESET_DONE_bm);
	/* Counters may have been cleared with the registers. */
	for (unsigned int i = 0; i < FN_STATS; i++)
		port->fn_stats[i].last = 0;
	port->fn_stats[STAT_FN_DOORBELLS].last = hal_read(FN_REG(p, doorbells));
	port->fn_stats[STAT_PEER_DOORBELLS].last = hal_read(FN_REG(p, peer_doorbells));
	port->fn_stats[STAT_PEER_IRQ_SENT].last = hal_read(FN_REG(p, peer_irq_sent));
	port->fn_stats[STAT_PEER_IRQ_REFUSED].last = hal_read(FN_REG(p, peer_irq_refused));
	port->fn_stats[STAT_IGNORED_WRITES].last = hal_read(FN_REG(p, ignored_writes));
}

bool fn_show_queues(struct port *port)
{
	uint32_t p = port->index, num = 0;
	bool changed = false;

	for (unsigned int i = 0; i < port->card->pairs; i++) {
		const struct peer_vring *v = &port->vring[2 * i];
		uint32_t gsi = v->enabled ? v->gsi : VHP_GSI_NONE;

		if (v->enabled)
			num = i + 1;
		if (hal_read(FN_REG(p, peer_gsi[i])) != gsi) {
			hal_write(FN_REG(p, peer_gsi[i]), gsi);
			changed = true;
		}
	}
	if (hal_read(FN_REG(p, peer_num_rx_queues)) != num) {
		hal_write(FN_REG(p, peer_num_rx_queues), num);
		changed = true;
	}
	return changed;
}

void fn_connected(struct port *port)
{
	uint32_t p = port->index;

	hw_write64(FN_REG(p, peer_uuid_hi_lo), port->config.uuid_hi);
	hw_write64(FN_REG(p, peer_uuid_lo_lo), port->config.uuid_lo);
	fn_show_queues(port);
	if (fn_driver_features(port) >> VHP_F_PV_INTERRUPT & 1)
		hal_write(FN_REG(p, peer_irq_ctrl), VHP_FN__PEER_IRQ_CTRL__ENABLE_bm);
	write_link(port, true);
	hal_write(FN_REG(p, peer_connection), 1);
	hal_write(FN_REG(p, control), VHP_FN__CONTROL__CONFIG_CHANGE_bm | VHP_FN__CONTROL__PEER_CHANGE_bm);
}

void fn_link_down(struct port *port)
{
	write_link(port, false);
	hal_write(FN_REG(port->index, control), VHP_FN__CONTROL__CONFIG_CHANGE_bm);
}

void fn_disconnected(struct port *port, bool notify)
{
	write_no_peer(port);
	hal_write(FN_REG(port->index, peer_connection), 0);
	if (notify)
		hal_write(FN_REG(port->index, control),
			  VHP_FN__CONTROL__CONFIG_CHANGE_bm | VHP_FN__CONTROL__PEER_CHANGE_bm);
}

void fn_set_mac(struct port *port, const uint8_t *mac)
{
	write_mac(port, mac);
	hal_write(FN_REG(port->index, control), VHP_FN__CONTROL__CONFIG_CHANGE_bm);
}

void fn_sum(struct port *port)
{
	static const uint16_t reg[FN_STATS] = {
		[STAT_FN_DOORBELLS] = offsetof(vhp_fn_t, doorbells),
		[STAT_PEER_DOORBELLS] = offsetof(vhp_fn_t, peer_doorbells),
		[STAT_PEER_IRQ_SENT] = offsetof(vhp_fn_t, peer_irq_sent),
		[STAT_PEER_IRQ_REFUSED] = offsetof(vhp_fn_t, peer_irq_refused),
		[STAT_IGNORED_WRITES] = offsetof(vhp_fn_t, ignored_writes),
	};

	for (unsigned int i = 0; i < FN_STATS; i++) {
		struct counter *c = &port->fn_stats[i];
		uint32_t now = hal_read(HW_FN + port->index * HW_FN_STEP + reg[i]);

		c->sum += (uint32_t)(now - c->last);
		c->last = now;
	}
	for (unsigned int i = 0; i < APERTURE_STATS; i++) {
		struct counter *c = &port->aperture_stats[i];
		uint32_t now = hal_read(APERTURE_REG(port->index, reads) + 4 * i);

		c->sum += (uint32_t)(now - c->last);
		c->last = now;
	}
}

static void load_queue(struct port *port, unsigned int q, struct virtq *vq)
{
	uint32_t p = port->index, cfg = hal_read(FN_REG(p, queue[q].cfg));
	uint64_t f = fn_driver_features(port);

	vq->fn = (uint8_t)(p + 1);
	vq->port = (uint8_t)p;
	vq->size = (uint16_t)GET(VHP_FN__VHP_FN_QUEUE__CFG__SIZE, cfg);
	vq->vector = (uint16_t)GET(VHP_FN__VHP_FN_QUEUE__CFG__MSIX_VECTOR, cfg);
	vq->desc = hw_read64(FN_REG(p, queue[q].desc_lo));
	vq->avail = hw_read64(FN_REG(p, queue[q].avail_lo));
	vq->used = hw_read64(FN_REG(p, queue[q].used_lo));
	vq->event_idx = f >> VHP_F_RING_EVENT_IDX & 1;
	vq->indirect = f >> VHP_F_RING_INDIRECT_DESC & 1;
}

/* DRIVER_OK: both control queues must stand, and the features must leave a data path. */
static void driver_ready(struct port *port)
{
	bool aperture = port->config.flags & VHP_PORT_APERTURE;
	const uint64_t needed = 1ull << VHP_F_VERSION_1 | (aperture ? 0 : 1ull << VHOST_PCI_NET_F_COPY_OFFLOAD);
	uint16_t max_size = (uint16_t)(1u << port->card->queue_size_log2);
	uint32_t p = port->index;
	uint64_t f = fn_driver_features(port);

	port->offload = f >> VHOST_PCI_NET_F_COPY_OFFLOAD & 1;
	port->pairs = (f >> VHOST_PCI_NET_F_MQ & 1) ? (uint8_t)port->config.max_queue_pairs : 1;
	load_queue(port, VHOST_PCI_VQ_CTRL_RX, &port->ctrl_rx);
	load_queue(port, VHOST_PCI_VQ_CTRL_TX, &port->ctrl_tx);
	if ((f & needed) != needed || (f & ~port->device_features) != 0) {
		port_fault(port, VHP_PERR_FEATURES);
		return;
	}
	if (!(hal_read(FN_REG(p, queue[VHOST_PCI_VQ_CTRL_RX].enable)) & 1) ||
	    !(hal_read(FN_REG(p, queue[VHOST_PCI_VQ_CTRL_TX].enable)) & 1) || !virtq_init(&port->ctrl_rx, max_size) ||
	    !virtq_init(&port->ctrl_tx, max_size)) {
		port_fault(port, VHP_PERR_CTRL_RING);
		return;
	}
	port->driver_ok = true;
	port->kick_tx = true;
	port_event(port, PORT_EV_DRIVER_OK);
}

void fn_events(struct port *port)
{
	uint32_t p = port->index, events = hal_read(FN_REG(p, events)), status;

	hal_write(FN_REG(p, events), events);
	/* Whatever came with a reset belongs to the driver before it. */
	if (events & VHP_FN__EVENTS__RESET_bm) {
		port_driver_left(port, CLOSE_RESET);
		return;
	}
	if (port->closing & (CLOSE_RESET | CLOSE_FLR))
		return;
	status = hal_read(FN_REG(p, status));
	if (events & VHP_FN__EVENTS__STATUS_bm) {
		if ((status & STATUS_FAILED) && port->driver_ok)
			port_fault(port, VHP_PERR_DRIVER);
		else if ((status & STATUS_DRIVER_OK) && !port->driver_ok && !port->broken)
			driver_ready(port);
	}
	if (events & VHP_FN__EVENTS__KICK_CTRL_RX_bm)
		port->kick_rx = true;
	if (events & VHP_FN__EVENTS__KICK_CTRL_TX_bm)
		port->kick_tx = true;
	if (events & VHP_FN__EVENTS__QUEUE_ENABLE_bm)
		port_queue_enabled(port);
	if (events & VHP_FN__EVENTS__DISCONNECT_bm)
		port_event(port, PORT_EV_DISCONNECT);
}
