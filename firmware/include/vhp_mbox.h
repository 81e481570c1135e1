/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Messages between the host driver (function 0) and the card's firmware.
 *
 * The host writes a request to vhp_mgmt.mbox_request, then 1 to vhp_mgmt.mbox; when that reads 0 again the reply
 * stands in vhp_mgmt.mbox_reply. One request at a time; the firmware answers every one, a malformed one with an
 * error status, within 10 ms (PORT_STOP: within its time limit). Little-endian; every struct is naturally aligned.
 *
 * Life of a port: PORT_CONFIG once; then for each front end PEER_FEATURES, PEER_MEM, PEER_VRING per queue,
 * PORT_START; PEER_VRING again at any time for a queue that appears, disappears or changes its GSI; PORT_STOP,
 * whose reply carries the final indices. PORT_STOP is idempotent.
 *
 * PEER_FEATURES forgets memory and queues of the front end before. Once a lane has moved a queue's indices, a
 * PEER_VRING that leaves ring addresses and size as they are does not change them until the port is stopped. After the
 * driver has asked for a disconnect, the port waits (WAIT_DRIVER) for its reset before it connects again.
 */
#ifndef VHP_MBOX_H
#define VHP_MBOX_H

#include <stdint.h>

#define VHP_MBOX_SIZE 1024u /**< bytes of each buffer, header included */
#define VHP_MBOX_MAX_REGIONS 8u
#define VHP_MBOX_MAX_VRINGS 8u /**< per port */
#define VHP_GSI_NONE 0xffffffffu
/** Function 0's MSI-X vector of a peer queue. */
#define VHP_PEER_VECTOR(port, vring) (1u + (port) * 8u + (vring))

enum vhp_mbox_op {
	VHP_OP_PORT_CONFIG = 1,	  /**< struct vhp_mbox_port_config -> nothing */
	VHP_OP_PEER_FEATURES = 2, /**< struct vhp_mbox_peer_features -> nothing; only while stopped */
	VHP_OP_PEER_MEM = 3,	  /**< struct vhp_mbox_peer_mem -> nothing; only while stopped */
	VHP_OP_PEER_VRING = 4,	  /**< struct vhp_mbox_peer_vring -> nothing */
	VHP_OP_PORT_START = 5,	  /**< nothing -> nothing; begins the handshake with the driver */
	VHP_OP_PORT_STOP = 6,	  /**< struct vhp_mbox_port_stop -> struct vhp_mbox_vring_bases */
	VHP_OP_PORT_STATUS = 7,	  /**< nothing -> struct vhp_mbox_port_status */
	VHP_OP_PORT_STATS = 8,	  /**< nothing -> struct vhp_mbox_port_stats */
	VHP_OP_CARD_INFO = 9,	  /**< nothing -> struct vhp_mbox_card_info */
	VHP_OP_VRING_BASES = 10,  /**< nothing -> struct vhp_mbox_vring_bases; final only while stopped */
	VHP_OP_LOG_RING =
		11, /**< struct vhp_mbox_log_ring -> struct vhp_mbox_log_state; card-wide, while no port logs */
	VHP_OP_LOG_ENABLE = 12, /**< struct vhp_mbox_log_enable -> nothing */
	VHP_OP_LOG_SYNC = 13,	/**< struct vhp_mbox_log_sync -> struct vhp_mbox_log_state; card-wide */
};

enum vhp_mbox_status {
	VHP_ST_OK = 0,
	VHP_ST_UNKNOWN_OP = 1,
	VHP_ST_BAD_LENGTH = 2,
	VHP_ST_BAD_PORT = 3,
	VHP_ST_BAD_ARGUMENT = 4, /**< reply.detail: byte offset of the field in the request's payload; 0xffff: header */
	VHP_ST_WRONG_STATE = 5,	 /**< not now: started where stopped is needed, or the reverse */
	VHP_ST_NOT_MAPPED = 6,	 /**< a ring lies outside the regions; detail as above (PORT_START: vring number) */
	VHP_ST_TIMEOUT = 7,	 /**< done all the same, by force: see the reply */
	VHP_ST_NO_SPACE = 8, /**< the regions do not fit the aperture; detail: the number of the first that does not */
};

/** Header of requests and replies. */
struct vhp_mbox_hdr {
	uint16_t op;	 /**< enum vhp_mbox_op; the reply repeats it */
	uint16_t port;	 /**< 0 .. num_ports - 1; 0 for card-wide requests */
	uint32_t length; /**< bytes that follow the header */
	uint32_t seq;	 /**< the reply repeats it */
	uint16_t status; /**< reply: enum vhp_mbox_status; request: 0 */
	uint16_t detail; /**< reply: see the status */
};

#define VHP_PORT_PV_INTERRUPT 0x1u /**< management says that the environment supports it: offer feature bit 33 */
#define VHP_PORT_APERTURE 0x2u	   /**< show the peer's memory to the driver through BAR 2 (PEER_MEM_INFO need_map Y) */
#define VHP_PORT_MAC 0x4u	   /**< `mac` is given, else the firmware derives a local one from the port number */
#define VHP_PORT_LOGGING 0x8u	   /**< port_status only: LOG_ENABLE is on */
struct vhp_mbox_port_config {
	uint32_t flags;
	uint16_t mtu;		  /**< 68..65535, 0 = 1500 */
	uint16_t max_queue_pairs; /**< 1..caps.pairs, 0 = all */
	uint64_t vhost_pci_id;	  /**< header field of every control message of the port */
	uint64_t uuid_hi;
	uint64_t uuid_lo;
	uint8_t mac[6];
	uint16_t connect_timeout_ms; /**< time limit on an unresponsive driver; 0 = 5000 */
};

struct vhp_mbox_peer_features {
	uint64_t features; /**< as negotiated by vhost-user, virtio and vhost bit numbers (LOG_ALL is 26 here) */
};

struct vhp_mbox_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t iova;
};

struct vhp_mbox_peer_mem {
	uint32_t nregions; /**< 1..VHP_MBOX_MAX_REGIONS */
	uint32_t reserved;
	struct vhp_mbox_region regions[VHP_MBOX_MAX_REGIONS];
};

#define VHP_VRING_ENABLE 0x1u
struct vhp_mbox_peer_vring {
	uint16_t index; /**< vhost-user vring: even = peer RX, odd = peer TX */
	uint16_t flags;
	uint16_t num; /**< entries, power of two, 2..32768 */
	uint16_t reserved;
	uint64_t desc; /**< guest-physical, as avail and used */
	uint64_t avail;
	uint64_t used;
	uint16_t last_avail_idx;
	uint16_t last_used_idx;
	uint32_t gsi;	      /**< shown as peer_rx_queue_gsi (RX queues); VHP_GSI_NONE = none */
	uint16_t msix_vector; /**< VHP_PEER_VECTOR, whose eventfd is the call fd; 0xffff = no call fd */
	uint16_t reserved2[3];
};

/** First the driver hears that the link is down, and packets under way arrive; bounded by the port's time limit. */
#define VHP_STOP_GRACEFUL 0x1u
struct vhp_mbox_port_stop {
	uint32_t flags;
	uint32_t reserved;
};

struct vhp_mbox_vring_bases {
	uint16_t last_avail_idx[VHP_MBOX_MAX_VRINGS];
	uint16_t last_used_idx[VHP_MBOX_MAX_VRINGS];
};

/**
 * The log ring in host memory: le64 entries, see vhp_log in vhp_regs.rdl and docs/registers.md. Entry n stands at n modulo the
 * ring's size. Entry numbers go on over LOG_RING: the new ring is empty, and its first entry is number `head` of the reply.
 * An FLR of function 0 takes the ring away and ends logging.
 */
struct vhp_mbox_log_ring {
	uint64_t iova;	    /**< of function 0, a multiple of 64 */
	uint32_t size_log2; /**< entries, 6..20; 0 takes the ring away */
	uint32_t reserved;
};

/**
 * Start or stop to log the pages of the peer that the card writes; refused without a ring. The driver hears DIRTY_PAGE_LOGGING if
 * it accepted VHOST_PCI_PEER_F_LOG_ALL. Legal in every state of the port; PORT_STOP does not change it. Every write that was not
 * logged is visible in host memory before the reply to `enable` 1, every entry before the reply to 0.
 */
struct vhp_mbox_log_enable {
	uint32_t enable; /**< 0 or 1 */
	uint32_t reserved;
};

/**
 * The host sets the bits of entries [tail, head) only after the reply: a page written later than the sync gets an entry of
 * its own. A port in `overflow` lost entries: every page of it counts as written. With VHP_ST_TIMEOUT that is every port
 * that logs.
 */
struct vhp_mbox_log_sync {
	uint32_t tail; /**< entries taken so far, free running: from the last one given up to the last head of a reply */
	uint32_t reserved;
};

struct vhp_mbox_log_state {
	uint32_t head;	   /**< entries appended so far, free running */
	uint32_t overflow; /**< one bit per port; cleared by this reply */
	uint32_t enabled;  /**< one bit per port */
	uint32_t merged;   /**< pages that needed no entry of their own, free running */
};

enum vhp_port_state {
	VHP_PORT_DOWN = 0,	  /**< no front end */
	VHP_PORT_WAIT_DRIVER = 1, /**< started; the driver is not DRIVER_OK yet */
	VHP_PORT_FEATURES = 2,	  /**< peer feature bits sent, answer awaited */
	VHP_PORT_MEM = 3,	  /**< memory info sent, answer awaited */
	VHP_PORT_VIRTQ = 4,	  /**< virtqueue info is being sent */
	VHP_PORT_CONNECTED = 5,
	VHP_PORT_CLOSING = 6, /**< draining, or waiting for the peer to close */
	VHP_PORT_FAILED = 7,  /**< see last_error; the next PORT_STOP or driver reset clears it */
};

struct vhp_mbox_port_status {
	uint32_t state;		  /**< enum vhp_port_state */
	uint32_t last_error;	  /**< enum vhp_port_error */
	uint64_t peer_features;	  /**< vhost-user numbers: what the front end negotiated */
	uint64_t driver_accepted; /**< seed numbers: what the vhost-pci-net driver answered */
	uint64_t device_features; /**< offered by the function */
	uint64_t driver_features; /**< accepted by the function's driver */
	uint32_t device_status;	  /**< virtio device_status */
	uint32_t connects;
	uint32_t disconnects;
	uint32_t nlanes;
	uint64_t vhost_pci_id;
	uint32_t flags;	      /**< VHP_PORT_* in force, VHP_PORT_LOGGING */
	uint32_t gsi_refused; /**< peer interrupts that the driver asked for and did not get */
	uint64_t aperture_reads;
	uint64_t aperture_writes;
	uint64_t aperture_refused;
	struct {
		uint8_t lane;
		uint8_t running;
		uint8_t reason; /**< vhp_pkg::stop_reason_e */
		uint8_t sink;	/**< end at fault */
		uint32_t at;	/**< ring position at fault */
	} lanes[8];
};

enum vhp_port_error {
	VHP_PERR_NONE = 0,
	VHP_PERR_CTRL_RING = 1,	   /**< malformed control virtqueue */
	VHP_PERR_CTRL_MESSAGE = 2, /**< malformed or unexpected control message */
	VHP_PERR_CTRL_BUFFER = 3,  /**< control receiveq buffer too small */
	VHP_PERR_DMA = 4,
	VHP_PERR_TIMEOUT = 5,  /**< the driver did not answer in time */
	VHP_PERR_LANE = 6,     /**< a lane stopped: see lanes[] */
	VHP_PERR_FEATURES = 7, /**< the peer's features cannot work with this driver */
	VHP_PERR_DRIVER = 8,   /**< the driver set FAILED in device_status */
};

struct vhp_mbox_port_stats {
	uint64_t connects;
	uint64_t disconnects;
	uint64_t doorbells_fn;	 /**< by the vhost-pci-net driver */
	uint64_t doorbells_peer; /**< by the peer's driver */
	uint64_t peer_irq_sent;	 /**< by the driver's own peer interrupt page */
	uint64_t peer_irq_refused;
	uint64_t ignored_writes;
	uint64_t ctrl_rx; /**< control messages to the driver */
	uint64_t ctrl_tx; /**< control messages from the driver */
	uint64_t ctrl_errors;
	uint32_t nlanes;
	uint32_t reserved;
	struct {
		uint64_t packets;
		uint64_t bytes;
		uint64_t dropped;
		uint64_t src_irqs;
		uint64_t snk_irqs;
		uint64_t src_kicks;
		uint64_t snk_kicks;
		uint64_t no_buffer;
	} lanes[8]; /**< lane = pair * 2 + direction (0: peer to driver, 1: driver to peer) */
};

struct vhp_mbox_card_info {
	uint32_t fw_version; /**< as vhp_mgmt.fw_status bits 31:8 */
	uint32_t num_ports;
	uint32_t pairs;
	uint32_t max_queue_size;
	uint64_t dma_rd_errors;
	uint64_t dma_wr_dropped;
	uint64_t uptime_us;
	char build[32]; /**< text, NUL terminated */
};

/** vhp_mgmt.event: {type, port, arg}. */
enum vhp_event_type {
	VHP_EVENT_CONNECTED = 1,     /**< peer_connection is 1 */
	VHP_EVENT_DISCONNECTED = 2,  /**< peer_connection is 0 again */
	VHP_EVENT_CLOSE_REQUEST = 3, /**< the driver wrote 0: close with the front end, then PORT_STOP */
	VHP_EVENT_FEATURES = 4,	     /**< the driver accepted a subset: see port_status.driver_accepted; renegotiate */
	VHP_EVENT_LANE_STOPPED = 5,  /**< arg: lane | reason << 8 */
	VHP_EVENT_ERROR = 6,	     /**< arg: enum vhp_port_error */
	VHP_EVENT_DRIVER_RESET = 7,  /**< the driver reset the function while connected */
};

_Static_assert(sizeof(struct vhp_mbox_hdr) == 16, "");
_Static_assert(sizeof(struct vhp_mbox_port_status) + sizeof(struct vhp_mbox_hdr) <= VHP_MBOX_SIZE, "");
_Static_assert(sizeof(struct vhp_mbox_peer_mem) == 200, "");
_Static_assert(sizeof(struct vhp_mbox_port_stats) + sizeof(struct vhp_mbox_hdr) <= VHP_MBOX_SIZE, "");

#endif
