/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection state machine of a port: the seed's sequence between the peer (host driver, mailbox) and the
 * vhost-pci-net driver (control queues, peer_connection). transitions[] is the machine; what is not in it is ignored.
 */
#include <string.h>

#include "card.h"
#include "ctrl.h"
#include "hw.h"

/* Graceful stop: this long without a packet counts as quiet. */
#define QUIET_US 1000u
/* Messages of one driver handled before the other ports get their turn. */
#define CTRL_BURST 8

static void set_state(struct port *port, enum vhp_port_state state)
{
	port->state = (uint8_t)state;
	port->timed = false;
}

static void start_timer(struct port *port)
{
	port->deadline = port->card->now + port->config.connect_timeout_ms * 1000ull;
	port->timed = true;
}

/* ------------------------------------------------------------------------------------------------ handshake */

static void send(struct port *port, enum vhp_port_state state, uint32_t len)
{
	set_state(port, state);
	start_timer(port);
	port->out_len = len;
	port->kick_rx = true;
}

/* Both sides are there: tell the driver what the peer negotiated. */
static void begin(struct port *port)
{
	port->renegotiating = false;
	port->log_told = false;
	send(port, VHP_PORT_FEATURES, ctrl_encode_features(port, port->out));
}

static bool driver_usable(const struct port *port)
{
	return port->driver_ok && !port->broken && !port->driver_closed;
}

static void on_start(struct port *port)
{
	port->started = true;
	port->driver_accepted = 0;
	if (!port->broken)
		port->last_error = VHP_PERR_NONE;
	if (driver_usable(port))
		begin(port);
	else
		set_state(port, VHP_PORT_WAIT_DRIVER);
}

static void on_driver_ok(struct port *port)
{
	begin(port);
}

static void on_features(struct port *port)
{
	uint64_t sent = ctrl_peer_features(port), got = ctrl_accepted_features(port, port->answered_features);

	port->driver_accepted = got;
	if (port->renegotiating || (got & ~sent) != 0) {
		port_fault(port, VHP_PERR_CTRL_MESSAGE);
		return;
	}
	if (got != sent) {
		/* The host renegotiates with the front end, then stops and starts this port. */
		port->renegotiating = true;
		start_timer(port);
		card_event(VHP_EVENT_FEATURES, port, 0);
		return;
	}
	/* The memory is there when the driver hears of it. */
	if ((port->config.flags & VHP_PORT_APERTURE) && !aperture_open(port)) {
		port_fault(port, VHP_PERR_DMA);
		return;
	}
	send(port, VHP_PORT_MEM, ctrl_encode_mem(port, port->out));
}

static void on_mem(struct port *port)
{
	port->virtq_stale = 0;
	port->virtq_step = VHOST_PCI_PEER_VIRTQ_TX;
	send(port, VHP_PORT_VIRTQ, ctrl_encode_virtq(port, port->virtq_step, port->out));
}

static bool hears_logging(const struct port *port)
{
	return port->log_told != port->logging && (port->driver_accepted >> VHOST_PCI_PEER_F_LOG_ALL & 1);
}

static uint32_t encode_logging(struct port *port)
{
	port->log_told = port->logging;
	return ctrl_encode_dirty_logging(port, port->logging, port->out);
}

/* While connected: nothing waits for it, so it has no time limit. */
static void tell_logging(struct port *port)
{
	if (!hears_logging(port) || port->out_len != 0)
		return;
	port->out_len = encode_logging(port);
	port->kick_rx = true;
}

/* A queue that came or went while connected: with copy offload that is the lanes' matter, else the driver's. */
static void tell_virtq(struct port *port)
{
	for (unsigned int which = VHOST_PCI_PEER_VIRTQ_TX; which <= VHOST_PCI_PEER_VIRTQ_RX; which++) {
		if (port->offload || port->out_len != 0 || !(port->virtq_stale >> which & 1))
			continue;
		port->virtq_stale &= (uint8_t)~(1u << which);
		port->out_len = ctrl_encode_virtq(port, (uint8_t)which, port->out);
		port->kick_rx = true;
	}
}

static void on_virtq_sent(struct port *port)
{
	if (port->virtq_step == VHOST_PCI_PEER_VIRTQ_TX) {
		port->virtq_step = VHOST_PCI_PEER_VIRTQ_RX;
		send(port, VHP_PORT_VIRTQ, ctrl_encode_virtq(port, port->virtq_step, port->out));
		return;
	}
	if (hears_logging(port)) {
		send(port, VHP_PORT_VIRTQ, encode_logging(port));
		return;
	}
	port->forced = false;
	set_state(port, VHP_PORT_CONNECTED);
	if (!lanes_start(port)) {
		/* Not visible to anyone yet: stop what has started, without a disconnect. */
		port_fault(port, VHP_PERR_LANE);
		return;
	}
	fn_connected(port);
	port->connected = true;
	port->connects++;
	card_event(VHP_EVENT_CONNECTED, port, 0);
}

static void close_by(struct port *port, uint8_t cause, enum close_phase phase)
{
	set_state(port, VHP_PORT_CLOSING);
	port->closing |= cause;
	port->phase = (uint8_t)phase;
	port->out_len = 0;
	if (phase == CLOSING_DRAIN) {
		lanes_stop(port);
		aperture_close(port);
	}
}

/* ------------------------------------------------------------------------------------------------ failing */

static void fail(struct port *port, enum vhp_port_error error)
{
	port->last_error = (uint8_t)error;
	port->out_len = 0;
	card_event(VHP_EVENT_ERROR, port, (uint16_t)error);
}

void port_fault(struct port *port, enum vhp_port_error error)
{
	fail(port, error);
	port->ctrl_errors += error == VHP_PERR_CTRL_RING || error == VHP_PERR_CTRL_MESSAGE ||
		error == VHP_PERR_CTRL_BUFFER;
	fn_needs_reset(port);
	if (port->state == VHP_PORT_CONNECTED || port->state == VHP_PORT_CLOSING || port->aperture)
		close_by(port, CLOSE_FAIL, CLOSING_DRAIN);
	else if (port->state != VHP_PORT_DOWN)
		set_state(port, VHP_PORT_FAILED);
}

/* The driver did not answer. It may still answer later, so only its reset brings the two in step again. */
static void on_handshake_timeout(struct port *port)
{
	if (port->renegotiating) {
		/* The driver did its part; the host did not find a common set with the peer. */
		fail(port, VHP_PERR_FEATURES);
		set_state(port, VHP_PORT_FAILED);
		return;
	}
	port_fault(port, VHP_PERR_TIMEOUT);
}

/* ------------------------------------------------------------------------------------------------ closing */

/* The driver writes 0: the host closes with the front end; after the time limit the card does it alone. */
static void on_disconnect_connected(struct port *port)
{
	port->driver_closed = true;
	close_by(port, CLOSE_DRIVER, CLOSING_HOST);
	start_timer(port);
	card_event(VHP_EVENT_CLOSE_REQUEST, port, 0);
}

/* During the handshake there is nothing to close yet, but the driver wants no connection. */
static void on_disconnect_handshake(struct port *port)
{
	port->driver_closed = true;
	if (port->aperture) {
		close_by(port, CLOSE_DRIVER, CLOSING_DRAIN);
		return;
	}
	port->out_len = 0;
	set_state(port, VHP_PORT_WAIT_DRIVER);
	fn_disconnected(port, true);
}

static void on_disconnect_idle(struct port *port)
{
	port->driver_closed = port->driver_ok;
	fn_disconnected(port, port->driver_ok);
}

static void on_disconnect_closing(struct port *port)
{
	port->driver_closed = true;
}

/* The machine's way out: everything is stopped, the indices are saved. */
static void on_quiet(struct port *port)
{
	uint8_t causes = port->closing;
	bool driver_left = causes & (CLOSE_RESET | CLOSE_FLR);
	bool was_connected = port->connected;

	port->closing = 0;
	port->connected = false;
	lanes_clear_regions(port);
	if (was_connected)
		lanes_take_peer_indices(port);
	fn_disconnected(port, !driver_left && (was_connected || (causes & CLOSE_DRIVER)));
	if (driver_left) {
		if (was_connected)
			card_event(VHP_EVENT_DRIVER_RESET, port, 0);
		fn_reset(port);
	}
	if (causes & CLOSE_FLR)
		card_flr_done(port->card, port->index + 1);
	if (was_connected) {
		port->disconnects++;
		card_event(VHP_EVENT_DISCONNECTED, port, 0);
	}
	if (causes & CLOSE_STOP) {
		port->started = false;
		set_state(port, VHP_PORT_DOWN);
	} else if ((causes & CLOSE_FAIL) && !driver_left) {
		set_state(port, VHP_PORT_FAILED);
	} else {
		set_state(port, VHP_PORT_WAIT_DRIVER);
	}
}

/* Lanes are off in all states but CONNECTED and CLOSING: only an aperture is waited for. */
static void on_stop_idle(struct port *port)
{
	if (port->aperture) {
		close_by(port, CLOSE_STOP, CLOSING_DRAIN);
		return;
	}
	port->started = false;
	port->out_len = 0;
	port->closing = 0;
	set_state(port, VHP_PORT_DOWN);
}

static void on_stop_connected(struct port *port)
{
	close_by(port, CLOSE_STOP, CLOSING_DRAIN);
}

static void on_left_idle(struct port *port)
{
	if (port->aperture) {
		close_by(port, 0, CLOSING_DRAIN);
		return;
	}
	if (port->closing & CLOSE_FLR)
		card_flr_done(port->card, port->index + 1);
	port->closing = 0;
	port->last_error = VHP_PERR_NONE;
	fn_reset(port);
	set_state(port, port->started ? VHP_PORT_WAIT_DRIVER : VHP_PORT_DOWN);
}

static void on_left_connected(struct port *port)
{
	close_by(port, 0, CLOSING_DRAIN);
}

static void on_closing_timeout(struct port *port)
{
	close_by(port, 0, CLOSING_DRAIN);
}

/* ------------------------------------------------------------------------------------------------ the machine */

static void (*const transitions[VHP_PORT_FAILED + 1][PORT_EVENTS])(struct port *) = {
	[VHP_PORT_DOWN] = {
		[PORT_EV_START] = on_start,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_idle,
	},
	[VHP_PORT_WAIT_DRIVER] = {
		[PORT_EV_STOP] = on_stop_idle,
		[PORT_EV_DRIVER_OK] = on_driver_ok,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_idle,
	},
	[VHP_PORT_FEATURES] = {
		[PORT_EV_STOP] = on_stop_idle,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_handshake,
		[PORT_EV_FEATURES] = on_features,
		[PORT_EV_TIMEOUT] = on_handshake_timeout,
	},
	[VHP_PORT_MEM] = {
		[PORT_EV_STOP] = on_stop_idle,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_handshake,
		[PORT_EV_MEM] = on_mem,
		[PORT_EV_TIMEOUT] = on_handshake_timeout,
	},
	[VHP_PORT_VIRTQ] = {
		[PORT_EV_STOP] = on_stop_idle,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_handshake,
		[PORT_EV_SENT] = on_virtq_sent,
		[PORT_EV_TIMEOUT] = on_handshake_timeout,
	},
	[VHP_PORT_CONNECTED] = {
		[PORT_EV_STOP] = on_stop_connected,
		[PORT_EV_DRIVER_LEFT] = on_left_connected,
		[PORT_EV_DISCONNECT] = on_disconnect_connected,
		[PORT_EV_SENT] = tell_logging,
	},
	[VHP_PORT_CLOSING] = {
		[PORT_EV_STOP] = on_stop_connected,
		[PORT_EV_DRIVER_LEFT] = on_left_connected,
		[PORT_EV_DISCONNECT] = on_disconnect_closing,
		[PORT_EV_TIMEOUT] = on_closing_timeout,
		[PORT_EV_QUIET] = on_quiet,
	},
	[VHP_PORT_FAILED] = {
		[PORT_EV_STOP] = on_stop_idle,
		[PORT_EV_DRIVER_LEFT] = on_left_idle,
		[PORT_EV_DISCONNECT] = on_disconnect_idle,
	},
};

void port_event(struct port *port, enum port_event event)
{
	void (*action)(struct port *) = transitions[port->state][event];

	if (action)
		action(port);
}

void port_init(struct card *card, unsigned int index)
{
	struct port *port = &card->port[index];

	memset(port, 0, sizeof(*port));
	port->card = card;
	port->index = (uint8_t)index;
	port_forget_peer(port);
}

void port_default_config(struct port *port)
{
	const uint8_t mac[6] = { 0x02, 'v', 'h', 'p', 0, (uint8_t)(port->index + 1) };

	memset(&port->config, 0, sizeof(port->config));
	port->config.mtu = 1500;
	port->config.max_queue_pairs = port->card->pairs;
	port->config.connect_timeout_ms = 5000;
	memcpy(port->config.mac, mac, sizeof(mac));
}

void port_forget_peer(struct port *port)
{
	port->have_features = false;
	port->have_mem = false;
	port->peer_features = 0;
	port->driver_accepted = 0;
	port->map.count = 0;
	memset(port->vring, 0, sizeof(port->vring));
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		port->vring[i].gsi = VHP_GSI_NONE;
}

void port_driver_left(struct port *port, uint8_t cause)
{
	port->closing |= cause;
	port_event(port, PORT_EV_DRIVER_LEFT);
}

/*
 * virtio asks drivers to enable their queues before DRIVER_OK. One that is late is served from then on; at the latest the next
 * connection sees it.
 */
void port_queue_enabled(struct port *port)
{
	if (port->state == VHP_PORT_CONNECTED && !lanes_add(port))
		port_fault(port, VHP_PERR_LANE);
}

void port_log(struct port *port, bool on)
{
	port->logging = on;
	if (port->state == VHP_PORT_CONNECTED)
		tell_logging(port);
}

static uint64_t packets_moved(struct port *port)
{
	uint64_t sum = 0;

	lanes_sum(port);
	for (unsigned int lane = 0; lane < MAX_LANES; lane++)
		sum += port->lane_stats[lane][STAT_PACKETS].sum;
	return sum;
}

void port_stop(struct port *port, bool graceful)
{
	if (!graceful || port->state != VHP_PORT_CONNECTED) {
		port_event(port, PORT_EV_STOP);
		return;
	}
	/* The driver hears of it first and stops sending; what is under way still arrives. */
	close_by(port, CLOSE_STOP, CLOSING_QUIET);
	fn_link_down(port);
	start_timer(port);
	port->quiet_packets = packets_moved(port);
	port->limit = port->card->now + QUIET_US;
}

/* ------------------------------------------------------------------------------------------------ control queues */

static enum vhp_port_error error_of(enum virtq_status st)
{
	switch (st) {
	case VIRTQ_DMA:
		return VHP_PERR_DMA;
	case VIRTQ_SMALL:
		return VHP_PERR_CTRL_BUFFER;
	case VIRTQ_LARGE:
		return VHP_PERR_CTRL_MESSAGE;
	default:
		return VHP_PERR_CTRL_RING;
	}
}

static void owe(struct port *port, unsigned int kind)
{
	/* A driver that never answers runs into the time limit long before. */
	if (port->owed[kind] < 255)
		port->owed[kind]++;
}

static void serve_rx(struct port *port)
{
	uint8_t state = port->state;
	enum virtq_status st;

	port->kick_rx = false;
	if (port->out_len == 0)
		return;
	st = virtq_send(&port->ctrl_rx, port->out, port->out_len);
	if (st == VIRTQ_EMPTY)
		return;
	if (st != VIRTQ_OK) {
		port_fault(port, error_of(st));
		return;
	}
	port->out_len = 0;
	port->ctrl_sent++;
	if (state == VHP_PORT_FEATURES)
		owe(port, OWED_FEATURES);
	else if (state == VHP_PORT_MEM)
		owe(port, OWED_MEM);
	port_event(port, PORT_EV_SENT);
}

/* Answers come in order: only the last one owed belongs to this connection, the others to ones that were stopped. */
static void answer(struct port *port, unsigned int kind, enum port_event event)
{
	if (port->owed[kind] == 0) {
		port_fault(port, VHP_PERR_CTRL_MESSAGE);
		return;
	}
	/* With our message still waiting for a buffer this one answers an earlier connection's, too. */
	if (--port->owed[kind] == 0 && port->out_len == 0)
		port_event(port, event);
}

static void handle_message(struct port *port, const struct ctrl_message *msg)
{
	switch (msg->request) {
	case VHOST_PCI_CTRL_PEER_FEATURE_BITS:
		port->answered_features = msg->feature_bits;
		answer(port, OWED_FEATURES, PORT_EV_FEATURES);
		break;
	case VHOST_PCI_CTRL_PEER_MEM_INFO:
		answer(port, OWED_MEM, PORT_EV_MEM);
		break;
	case VHOST_PCI_CTRL_MAC:
		if (fn_driver_features(port) >> VHOST_PCI_NET_F_CTRL_MAC_ADDR & 1)
			fn_set_mac(port, msg->mac);
		else
			port_fault(port, VHP_PERR_CTRL_MESSAGE);
		break;
	default:
		port_fault(port, VHP_PERR_CTRL_MESSAGE);
	}
}

static void serve_tx(struct port *port)
{
	uint8_t buf[CTRL_MESSAGE_MAX];
	struct ctrl_message msg;

	port->kick_tx = false;
	for (int i = 0; i < CTRL_BURST; i++) {
		uint32_t len;
		enum virtq_status st = virtq_receive(&port->ctrl_tx, buf, sizeof(buf), &len);

		if (st == VIRTQ_EMPTY)
			return;
		if (st != VIRTQ_OK) {
			port_fault(port, error_of(st));
			return;
		}
		port->ctrl_received++;
		if (!ctrl_parse(port, buf, len, &msg))
			port_fault(port, VHP_PERR_CTRL_MESSAGE);
		else
			handle_message(port, &msg);
		if (port->broken)
			return;
	}
	port->kick_tx = true;
}

/* ------------------------------------------------------------------------------------------------ main loop's part */

static void run_closing(struct port *port, unsigned int draining)
{
	if (port->phase == CLOSING_QUIET) {
		uint64_t moved = packets_moved(port);

		if (moved != port->quiet_packets) {
			port->quiet_packets = moved;
			port->limit = port->card->now + QUIET_US;
		} else if (port->card->now >= port->limit) {
			close_by(port, 0, CLOSING_DRAIN);
		}
	} else if (port->phase == CLOSING_DRAIN && draining == 0 && lanes_running(port) == 0) {
		if (aperture_quiet(port)) {
			port_event(port, PORT_EV_QUIET);
		} else if (port->card->now >= port->limit) {
			port->forced = true;
			port_event(port, PORT_EV_QUIET);
		}
	}
}

enum card_next port_run(struct port *port)
{
	unsigned int draining;

	if (port->driver_ok && !port->broken && !(port->closing & (CLOSE_RESET | CLOSE_FLR))) {
		if (port->state == VHP_PORT_CONNECTED)
			tell_virtq(port);
		if (port->kick_tx)
			serve_tx(port);
		if (port->kick_rx && !port->broken)
			serve_rx(port);
	}
	draining = lanes_poll(port);
	if (port->state == VHP_PORT_CLOSING)
		run_closing(port, draining);
	if (port->timed && port->card->now >= port->deadline) {
		port->timed = false;
		port_event(port, PORT_EV_TIMEOUT);
	}
	if (draining != 0 || (port->state == VHP_PORT_CLOSING && port->phase != CLOSING_HOST))
		return CARD_AGAIN;
	if (port->driver_ok && !port->broken && (port->kick_tx || (port->kick_rx && port->out_len != 0)))
		return CARD_AGAIN;
	return port->timed ? CARD_TIMED : CARD_IDLE;
}
