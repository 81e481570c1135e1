/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The firmware's state: one card, its ports, their queues and lanes. One instance, owned by the caller of card_init;
 * every function works on what it is given, one thread.
 */
#ifndef VHP_CARD_H
#define VHP_CARD_H

#include <stdbool.h>
#include <stdint.h>

#include "region_map.h"
#include "vhost_pci.h"
#include "vhp_mbox.h"
#include "virtq.h"

#define FW_VERSION_MAJOR 0
#define FW_VERSION_MINOR 1
#define FW_VERSION_PATCH 0
#define FW_VERSION_TEXT "0.1.0"

#define MAX_PORTS 4u
#define MAX_PAIRS 4u
#define MAX_LANES (2 * MAX_PAIRS) /**< of one port */
#define CTRL_MESSAGE_MAX 512u	  /**< bytes of a control message of the driver */
#define CTRL_SEND_MAX 224u	  /**< bytes of the longest control message of ours */

#define PEER_FN 0u
#define NO_VECTOR 0xffffu

/** stop_reason_e of rtl/lib/vhp_pkg.sv, as far as firmware looks at it. */
enum {
	STOP_NONE = 0,
	STOP_ADMIN = 1,
	STOP_FUNCTION = 15
};

/** A queue of the peer, as PEER_VRING gave it. */
struct peer_vring {
	uint64_t desc, avail, used; /**< guest-physical */
	uint32_t gsi;
	uint16_t num;
	uint16_t vector; /**< of function 0 */
	uint16_t avail_idx, used_idx;
	bool enabled;
	bool own_idx; /**< a lane has moved the indices on: they are the card's now */
};

enum lane_state {
	LANE_OFF,
	LANE_RUN,
	LANE_DRAIN, /**< disabled, packets still in flight */
};

struct port_lane {
	uint8_t state;
	bool reapply; /**< when drained: start again with the contexts of now */
	uint64_t deadline;
	uint16_t fn_avail_idx, fn_used_idx; /**< indices of the function's own queue */
};

enum {
	STAT_PACKETS,
	STAT_BYTES,
	STAT_DROPPED,
	STAT_SRC_IRQS,
	STAT_SNK_IRQS,
	STAT_SRC_KICKS,
	STAT_SNK_KICKS,
	STAT_NO_BUFFER,
	LANE_STATS
};
enum {
	STAT_FN_DOORBELLS,
	STAT_PEER_DOORBELLS,
	STAT_PEER_IRQ_SENT,
	STAT_PEER_IRQ_REFUSED,
	STAT_IGNORED_WRITES,
	FN_STATS
};
enum {
	STAT_APERTURE_READS,
	STAT_APERTURE_WRITES,
	STAT_APERTURE_REFUSED,
	APERTURE_STATS
};

/** 64-bit sum over a 32-bit hardware counter. */
struct counter {
	uint64_t sum;
	uint32_t last;
};

/** Why a connection is being closed; several can come together. */
enum {
	CLOSE_DRIVER = 0x01, /**< the driver wrote 0 to peer_connection */
	CLOSE_STOP = 0x02,   /**< PORT_STOP, or FLR of function 0 */
	CLOSE_RESET = 0x04,  /**< the driver reset the function */
	CLOSE_FLR = 0x08,    /**< FLR of the function */
	CLOSE_FAIL = 0x10,   /**< last_error says why */
};

enum close_phase {
	CLOSING_HOST,  /**< waiting for the host driver's PORT_STOP */
	CLOSING_QUIET, /**< link is down, waiting until no packet moves */
	CLOSING_DRAIN, /**< lanes are stopping */
};

enum {
	OWED_FEATURES,
	OWED_MEM,
	OWED_KINDS
};

struct card;

struct port {
	struct card *card;
	uint8_t index;
	uint8_t state;	    /**< enum vhp_port_state */
	uint8_t last_error; /**< enum vhp_port_error */

	/* The driver's side. */
	bool driver_ok;	    /**< DRIVER_OK is set and the control queues stand */
	bool broken;	    /**< DEVICE_NEEDS_RESET was set: nothing until the driver resets */
	bool driver_closed; /**< the driver asked for the disconnect: no new connection until it resets */
	uint8_t pairs;	    /**< queue pairs that the driver may use */
	bool offload;	    /**< the card copies; else the driver does, through the aperture */
	struct virtq ctrl_rx, ctrl_tx;
	bool kick_rx, kick_tx; /**< look at the queue again */

	/* The peer's side. */
	bool started;
	bool connected; /**< peer_connection is 1 */
	bool have_features, have_mem;
	uint64_t peer_features;
	uint64_t answered_features; /**< the last PEER_FEATURE_BITS of the driver */
	uint64_t driver_accepted;   /**< the one that counted */
	struct region_map map;
	struct peer_vring vring[VHP_MBOX_MAX_VRINGS];

	/* Configuration. */
	struct vhp_mbox_port_config config;
	uint64_t device_features;
	uint8_t mac[6]; /**< as the driver sees it: config.mac until CTRL_MAC */

	/* Handshake. */
	uint8_t out[CTRL_SEND_MAX]; /**< message that waits for a control receiveq buffer */
	uint32_t out_len;
	uint8_t virtq_step;	  /**< VHOST_PCI_PEER_VIRTQ_TX, then _RX */
	uint8_t owed[OWED_KINDS]; /**< messages delivered that the driver has not answered, older connections included */
	bool renegotiating;	  /**< the driver took a subset: the host has to start again */
	bool timed;
	uint64_t deadline;

	/* Closing. */
	uint8_t closing; /**< CLOSE_* */
	uint8_t phase;	 /**< enum close_phase */
	bool forced;	 /**< a lane did not drain in time */
	uint64_t limit;	 /**< of the quiet phase, then of the aperture's last accesses */
	uint64_t quiet_packets;

	bool aperture;	     /**< open: the driver reaches the peer's memory */
	uint8_t virtq_stale; /**< bit VHOST_PCI_PEER_VIRTQ_*: rows changed since a driver that copies was told */
	bool logging;	     /**< LOG_ENABLE */
	bool log_told;	     /**< what DIRTY_PAGE_LOGGING told this driver last, or is about to */

	struct port_lane lane[MAX_LANES];
	struct counter lane_stats[MAX_LANES][LANE_STATS];
	struct counter fn_stats[FN_STATS];
	struct counter aperture_stats[APERTURE_STATS];
	uint32_t connects, disconnects;
	uint64_t ctrl_sent, ctrl_received, ctrl_errors;
};

struct card {
	uint8_t num_ports, pairs, queue_size_log2, max_regions;
	bool peer_flr;	  /**< FLR of function 0: stopping all ports */
	uint8_t flr_seen; /**< FLRs that are being handled */
	uint64_t now;	  /**< microseconds since reset */
	uint64_t next_sum;
	uint32_t now_low;

	/* Dirty page log. */
	bool log_ring;
	uint32_t log_tail;

	/* Mailbox request whose reply waits for a lane to drain, or for a sync of the log. */
	bool mbox_waiting;
	struct vhp_mbox_hdr mbox_hdr;
	uint64_t mbox_limit; /**< of the sync */

	struct port port[MAX_PORTS];
};

enum card_next {
	CARD_AGAIN, /**< work is left */
	CARD_TIMED, /**< a time limit is running: wait, but stay awake */
	CARD_IDLE,  /**< nothing to do until a cause is pending */
};

/** Read the built-in sizes, program the functions, let the host see configuration space. Fatal if sizes do not fit. */
void card_init(struct card *card);
/** Handle everything that is pending. @param[out] wait_us with CARD_TIMED and CARD_IDLE: at most that long */
enum card_next card_step(struct card *card, uint32_t *wait_us);
/** Wait as card_step said. */
void card_wait(enum card_next next, uint32_t wait_us);
void card_event(enum vhp_event_type type, const struct port *port, uint16_t arg);
/** The FLR of @p fn is handled. */
void card_flr_done(struct card *card, unsigned int fn);

/* fn.c: the virtio function, driver's side. */
void fn_init(struct port *port);
/** Handle the function's pending events. */
void fn_events(struct port *port);
/** Finish a driver reset: forget the driver, clear its registers. */
void fn_reset(struct port *port);
/** Offered features, sizes and MAC from the configuration; DEVICE_NEEDS_RESET if a running driver knows others. */
void fn_configure(struct port *port);
void fn_needs_reset(struct port *port);
/** Show the peer block and link state. @p notify tells the driver. */
void fn_connected(struct port *port);
void fn_disconnected(struct port *port, bool notify);
void fn_link_down(struct port *port);
/** GSIs and number of RX queues; @return true if something changed */
bool fn_show_queues(struct port *port);
void fn_set_mac(struct port *port, const uint8_t *mac);
uint64_t fn_driver_features(const struct port *port);
void fn_sum(struct port *port);

/* lane.c */
/** Start every lane whose two queues are there. @return false if a queue of the driver is malformed */
bool lanes_start(struct port *port);
/** Disable all lanes of the port; lanes_poll says when they are quiet. */
void lanes_stop(struct port *port);
/** One lane only: stop it, and start it with the contexts of now. */
void lane_restart(struct port *port, unsigned int lane);
/** @return lanes of the port that are not quiet yet */
unsigned int lanes_poll(struct port *port);
unsigned int lanes_running(const struct port *port);
/** A lane_restart() is under way. */
bool lanes_changing(const struct port *port);
void lanes_events(struct card *card);
void lanes_sum(struct port *port);
void lanes_clear_regions(struct port *port);
/** Start the lanes of a running port that have never run and whose queues are there now. @return as lanes_start */
bool lanes_add(struct port *port);
/** The indices of the peer's rings where no lane keeps them: what the driver has put into the used rings. */
void lanes_take_peer_indices(struct port *port);
void lane_status(const struct port *port, unsigned int lane, uint32_t *status);
unsigned int lane_number(const struct port *port, unsigned int lane);

/* aperture.c: windows of the function's BAR 2 onto the peer's memory. */
bool aperture_built(const struct port *port);
/** Where each region of the port goes in the BAR. @return false if region @p bad does not fit */
bool aperture_layout(const struct port *port, uint64_t offset[VHP_MBOX_MAX_REGIONS], uint32_t *bad);
/** @return false if accesses of an earlier connection never ended: stays closed */
bool aperture_open(struct port *port);
/** aperture_quiet says when the last access has ended, port->limit how long that may take. */
void aperture_close(struct port *port);
bool aperture_quiet(const struct port *port);

/* dirty_log.c: the card's log of written pages. */
/** While nothing logs. @p size_log2 0 takes the ring away. */
void log_set_ring(struct card *card, uint64_t iova, uint32_t size_log2);
void log_enable(struct card *card);
void log_take(struct card *card, uint32_t tail);
void log_sync(void);
bool log_syncing(void);
/** After a sync; clears overflow. @p lost: it did not end, so every port that logs overflowed. */
void log_state(bool lost, struct vhp_mbox_log_state *state);
/** Function 0 is gone. */
void log_forget(struct card *card);

/* port.c: connection state machine. */
enum port_event {
	PORT_EV_START,	     /**< PORT_START */
	PORT_EV_STOP,	     /**< PORT_STOP */
	PORT_EV_DRIVER_OK,   /**< the driver is ready */
	PORT_EV_DRIVER_LEFT, /**< reset or FLR by the driver; port->closing says which */
	PORT_EV_DISCONNECT,  /**< the driver wrote 0 to peer_connection */
	PORT_EV_SENT,	     /**< the message in `out` was delivered */
	PORT_EV_FEATURES,    /**< the driver answered PEER_FEATURE_BITS: driver_accepted */
	PORT_EV_MEM,	     /**< the driver answered PEER_MEM_INFO */
	PORT_EV_TIMEOUT,
	PORT_EV_QUIET, /**< every lane has drained */
	PORT_EVENTS
};
void port_init(struct card *card, unsigned int index);
/** What PORT_CONFIG's zeros mean. */
void port_default_config(struct port *port);
/** Features, memory and queues of the last front end. */
void port_forget_peer(struct port *port);
void port_event(struct port *port, enum port_event event);
/** The driver (or its memory) is at fault: close, DEVICE_NEEDS_RESET, tell the host. */
void port_fault(struct port *port, enum vhp_port_error error);
/** Close because of @p cause, which is added to those already there. */
void port_driver_left(struct port *port, uint8_t cause);
void port_stop(struct port *port, bool graceful);
/** A queue of the driver was enabled. */
void port_queue_enabled(struct port *port);
/** Start or stop logging; tells the driver, at once or when it connects. */
void port_log(struct port *port, bool on);
/** Control queues, drains and time limits. @return what the main loop has to do for this port */
enum card_next port_run(struct port *port);

/* mbox.c */
void mbox_request(struct card *card);
/** Send the reply that waited, once it may go. */
void mbox_poll(struct card *card);

#endif
