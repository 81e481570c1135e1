/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Inside of the vDPA driver: one card (function 0) and its ports. README.md has the picture.
 *
 * Objects and threads
 *   card   owns the connection to function 0. Its event thread takes card events, watches for the card's death and
 *          attaches it again (simulation) or tells the program that it is gone (RTE_DEV_EVENT_REMOVE).
 *   port   one rte_vdpa device. Operations of rte_vhost come on its control thread, card events on the event thread,
 *          statistics on any thread.
 *   front  one vhost-user connection. A port has up to two: while a guest migrates within the host, its destination is
 *          connected before its source has stopped. The card has the rings of one of them, port.active.
 *   log    the card's ring of dirty pages; its timer runs on the event thread.
 *   relay  one thread per connected port: kick eventfd -> doorbell page.
 *
 * Locks, in this order: registry (vdpa_probe.c) > port.lock > log.lock > card.iova_lock > card.dev_lock. The registry lock
 * is held while a port is looked up or shown, never while a thread of the card is joined by anyone but its remover.
 */
#ifndef VDPA_H
#define VDPA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_log.h>
#include <rte_vdpa.h>
#include <rte_vhost.h>
#include <vdpa_driver.h>

#include "vdpa_args.h"
#include "vdpa_dirty.h"
#include "vhp_access.h"
#include "vhp_mbox.h"
#include "vhp_mbox_client.h"

struct rte_pci_device;
struct vdpa_card;
struct vdpa_front;
struct vdpa_port;

#define VDPA_PAGE_SIZE 4096u
#define VDPA_EVENT_VECTOR 0u
#define VDPA_DOORBELL_BAR 2u
#define VDPA_DOORBELL_PAGE(port, vring) (((port) * 16u + (vring)) * (uint64_t)VDPA_PAGE_SIZE)
#define VDPA_EVENTS 32u
#define VDPA_BALKS 2u
#define VDPA_FRONTS 2u /**< of a port: the one that is served and one that waits for its place */

extern int vdpa_logtype;
#define RTE_LOGTYPE_VHOST_PCI vdpa_logtype
/* "name: text"; the subject comes first, so that lines of several ports can be told apart. */
#define CARD_LOG(card, level, fmt, ...) RTE_LOG(level, VHOST_PCI, "%s: " fmt "\n", (card)->name, ##__VA_ARGS__)
#define PORT_LOG(port, level, fmt, ...) \
	RTE_LOG(level, VHOST_PCI, "%s port %u: " fmt "\n", (port)->card->name, (port)->index, ##__VA_ARGS__)

/* -------------------------------------------------------------------------------------------------- dirty pages */

/** Where the pages of a port are marked. */
struct vdpa_log_target {
	int vid;     /**< -1: nowhere */
	bool paused; /**< rte_vhost is replacing what we mark in ... */
	bool owed;   /**< ... and pages came meanwhile */
	uint64_t pages, overflows;
};

struct vdpa_log {
	pthread_mutex_t lock; /**< everything below */
	bool usable;	      /**< the card has a log and took the ring */
	int timer_fd;	      /**< ticks while a port logs */
	int fd;		      /**< memory of the ring, -1 none */
	uint64_t *ring;
	unsigned int size_log2;
	uint32_t tail; /**< entries taken */
	uint32_t merged;
	uint64_t syncs, entries, bad;
	struct vdpa_dirty_port port[VDPA_MAX_PORTS];
	struct vdpa_dirty_region regions[VDPA_MAX_PORTS][VHP_MBOX_MAX_REGIONS];
	struct vdpa_log_target target[VDPA_MAX_PORTS];
};

/* ------------------------------------------------------------------------------------------------------- card */

struct vdpa_range {
	uint64_t iova, size;
};

struct vdpa_card {
	char name[160];
	const char *socket;	    /**< vfio-user socket, NULL for a PCI function */
	struct rte_pci_device *pci; /**< or NULL */
	struct vdpa_args args;
	struct rte_device *rte_dev;

	/** Guards dev and mbox: read = use them, write = replace them. */
	pthread_rwlock_t dev_lock;
	struct vhp_dev *dev; /**< NULL while the card is lost */
	struct vhp_mbox mbox;
	atomic_bool lost;
	struct vhp_mbox_card_info info;
	unsigned int num_ports, pairs, max_regions;
	uint32_t max_queue_size;

	int event_fd; /**< tied to MSI-X vector 0 */
	int stop_fd;
	bool thread_runs;
	pthread_t thread;

	pthread_mutex_t iova_lock;
	unsigned int num_ranges;
	struct vdpa_range ranges[VDPA_MAX_PORTS * VHP_MBOX_MAX_REGIONS + 1]; /**< and the log ring */

	struct vdpa_log log;

	_Atomic uint64_t events, events_lost, lost_count, reattach_count;
	struct vdpa_port *port[VDPA_MAX_PORTS];
	struct vdpa_card *next;
};

/**
 * Open function 0, check what it is, stop whatever an earlier owner left running, start the event thread.
 *
 * @param[out] err  one sentence on failure
 */
int vdpa_card_open(struct vdpa_card *card, char *err, size_t errlen);
/** Every port is down. Idempotent. */
void vdpa_card_close(struct vdpa_card *card);

/** The card did it after its time limit, although something was still busy (logged): a lane may not have stopped. */
#define VDPA_FORCED 1

/**
 * Mailbox request of a port.
 *
 * @return 0; VDPA_FORCED (PORT_STOP, PEER_VRING, LOG_ENABLE, LOG_SYNC); -EIO: the card refused it (logged with the reason); -ENODEV: the card is gone (logged once elsewhere);
 *         -ETIMEDOUT (logged).
 */
int vdpa_card_call(struct vdpa_card *card, enum vhp_mbox_op op, unsigned int port, const void *req, size_t len,
		   void *reply, size_t reply_len);

/** The same without a line in the log. @return also the card's refusal, a positive enum vhp_mbox_status */
int vdpa_card_try(struct vdpa_card *card, enum vhp_mbox_op op, unsigned int port, const void *req, size_t len,
		  void *reply, size_t reply_len);

/** Let the card reach a region at an IOVA that no other port uses: the guest-physical address where possible. */
int vdpa_card_map(struct vdpa_card *card, uint64_t gpa, uint64_t size, int fd, uint64_t offset, void *va,
		  uint64_t *iova);
void vdpa_card_unmap(struct vdpa_card *card, uint64_t iova, uint64_t size);
int vdpa_card_set_call(struct vdpa_card *card, unsigned int port, unsigned int vring, int fd);
/** What the card says: 1 it refuses to load another image while this driver has it, 0 it does not; negative errno. */
int vdpa_card_image_held(struct vdpa_card *card);
void vdpa_card_doorbell(struct vdpa_card *card, unsigned int port, unsigned int vring);
int vdpa_card_doorbell_page(struct vdpa_card *card, unsigned int port, unsigned int vring, int *fd, uint64_t *offset,
			    uint64_t *size);

/* ------------------------------------------------------------------------------------------------------- port */

/** Where a front end stands; the card's own state is vhp_port_state. */
enum vdpa_phase {
	VDPA_IDLE,	       /**< no front end */
	VDPA_NEGOTIATING,      /**< connected, its rings are not ready */
	VDPA_UP,	       /**< the card serves it */
	VDPA_CLOSED_BY_DRIVER, /**< the vhost-pci-net driver asked to disconnect */
	VDPA_HELD,	       /**< ready, but management keeps the port disconnected */
	VDPA_REFUSED,	       /**< connected but cannot be served: see why */
	VDPA_CARD_LOST,	       /**< ready, the card is gone */
};

struct vdpa_region {
	uint64_t gpa, size, iova, user_addr;
	uint8_t *hva;
	int fd;		 /**< owned by rte_vhost, valid until dev_close */
	uint64_t offset; /**< of gpa in fd */
};

struct vdpa_vring {
	bool ready;  /**< rte_vhost: enabled, mapped, has kick and call */
	bool live;   /**< the card has it */
	int call_fd; /**< rte_vhost's; -1 none */
	int kick_fd; /**< our duplicate; -1 none */
	uint16_t num;
	uint64_t desc, avail, used; /**< guest-physical */
	const struct vring_used *used_hva;
};

/** Where a file of the front end is mapped; read by the handler of SIGBUS. */
struct vdpa_guard {
	_Atomic uintptr_t start;
	_Atomic size_t size;
};
#define VDPA_GUARD_LOG VHP_MBOX_MAX_REGIONS /**< slot of the dirty log's bitmap, behind those of the memory regions */

/** One connection, under port.lock. */
struct vdpa_front {
	struct vdpa_port *port;
	int vid;	     /**< -1: this place is free */
	int conn_fd;	     /**< our duplicate of its socket; -1 unknown */
	uint64_t conn_inode; /**< of that socket */
	enum vdpa_phase phase;
	char why[200];		 /**< VDPA_REFUSED: the reason */
	bool configured;	 /**< between dev_conf and dev_close */
	bool migrated;		 /**< its guest came from another connection */
	bool asked;		 /**< it has seen what it is offered */
	unsigned int request;	 /**< vhost-user request in work, 0 none */
	bool memory_valid;	 /**< the last SET_MEM_TABLE went well */
	atomic_bool memory_lost; /**< a file of it became shorter than it was: set by the handler of SIGBUS */
	bool condemned;		 /**< ... and seen to: not served any more */
	struct vdpa_guard guard[VHP_MBOX_MAX_REGIONS + 1];
	uint64_t features; /**< negotiated, vhost-user numbers */
	uint64_t protocol;
	unsigned int num_regions;
	struct vdpa_region regions[VHP_MBOX_MAX_REGIONS];
	struct vdpa_vring vring[VHP_MBOX_MAX_VRINGS];
};

struct vdpa_relay {
	bool runs;
	pthread_t thread;
	int epoll_fd, stop_fd;
};

struct vdpa_notifier {
	pthread_t thread;
	bool started;
	atomic_bool done;
	int vid;
};

struct vdpa_port {
	struct vdpa_card *card;
	unsigned int index; /**< of the card */
	unsigned int id;    /**< of the process: what vhpctl calls it */
	const struct vdpa_port_args *args;
	char name[64];
	struct rte_device rte_dev; /**< what the vDPA device hangs on: the vdev or PCI device under a name of its own */
	struct rte_vdpa_device *vdpa;
	pthread_mutex_t socket_lock; /**< outermost of all; the next two */
	bool registered;	     /**< our own vhost-user socket */
	bool closing;

	pthread_mutex_t lock; /**< everything below */
	struct vdpa_front front[VDPA_FRONTS];
	struct vdpa_front *active; /**< configured, has the port; NULL none */
	bool started;		   /**< the card has been given the port */
	bool held;		   /**< management keeps it disconnected */
	bool renegotiate;	   /**< the sockets are to be opened anew: see vdpa_port_renegotiate */
	uint64_t given;		   /**< features that the card was given */
	uint64_t withheld; /**< features that the vhost-pci-net driver did not accept: the card does not get them */
	/** `withheld` when the front end connected: what it is offered may not change while it is there. */
	_Atomic uint64_t not_offered;
	/** Front ends in a row that went away when they saw the subset. With VDPA_BALKS of them it is not insisted on. */
	unsigned int balks;
	struct vdpa_relay relay;
	struct vdpa_notifier notifier;
	atomic_bool notifier_on;

	pthread_mutex_t stats_lock;
	struct vhp_mbox_port_stats stats_base; /**< what reset_stats subtracts */
	_Atomic uint64_t relayed[VHP_MBOX_MAX_VRINGS];
	_Atomic uint64_t fe_connects, fe_disconnects, fe_refused;
	_Atomic uint64_t migrations, close_requests, feature_events, lane_events, error_events, driver_resets;

	pthread_mutex_t events_lock;
	struct vdpa_event_record {
		uint64_t time_ms; /**< since 1970 */
		uint16_t type, arg;
	} events[VDPA_EVENTS];
	uint64_t num_events; /**< so far; the last VDPA_EVENTS are kept */
};

/** Tell the card about the port (PORT_CONFIG). */
int vdpa_port_configure(struct vdpa_port *port);

/* Called with port.lock held. */
int vdpa_port_up(struct vdpa_port *port); /**< regions and ready vrings of the active front end -> running, or nothing */
void vdpa_port_down(struct vdpa_port *port); /**< quiesced, final indices with rte_vhost, nothing mapped; idempotent */
int vdpa_port_vring_on(struct vdpa_port *port, unsigned int vring);
void vdpa_port_vring_off(struct vdpa_port *port, unsigned int vring);
/** Of @p features those without which a front end has to negotiate anew. */
uint64_t vdpa_port_must_tell(const struct vdpa_port *port, uint64_t features);
uint32_t vdpa_port_gsi(const struct vdpa_port *port, unsigned int vring); /**< VHP_GSI_NONE: none */
/** Switch the log of the active front end as its features say. @return 0 or vdpa_log_start's */
int vdpa_port_log(struct vdpa_port *port);
/** Management: disconnect, and keep it so; or serve again. @return false: nothing to change */
bool vdpa_port_hold(struct vdpa_port *port, bool hold);

/* Event thread. */
void vdpa_port_event(struct vdpa_port *port, unsigned int type, unsigned int arg);
void vdpa_port_card_lost(struct vdpa_port *port);
void vdpa_port_card_back(struct vdpa_port *port);
void vdpa_port_memory_lost(struct vdpa_port *port); /**< close the front ends whose memory is gone */

/* vdpa_front.c: port.lock held. */
struct vdpa_front *vdpa_front_of(struct vdpa_port *port, int vid); /**< NULL: none */
/** The place of a connection, a free one if it is new; NULL: all are taken. */
struct vdpa_front *vdpa_front_bind(struct vdpa_port *port, int vid);
void vdpa_front_release(struct vdpa_front *front);
/** Take rings and call fd of a ready vring from rte_vhost. */
int vdpa_front_vring_load(struct vdpa_front *front, unsigned int vring);
/** Take the memory table from rte_vhost. */
int vdpa_front_memory_load(struct vdpa_front *front);
void vdpa_front_refuse(struct vdpa_front *front, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool vdpa_front_logs(const struct vdpa_front *front); /**< it wants its dirty pages logged */
/** As dev_close. */
void vdpa_front_close(struct vdpa_front *front);
/** Guard its memory as rte_vhost has it. @return false: a file is too short for its region, and refused */
bool vdpa_front_memory_check(struct vdpa_front *front);

/* vdpa_conn.c: port.lock held. */
void vdpa_conn_find(struct vdpa_front *front); /**< and limit how long rte_vhost waits for it */
void vdpa_conn_release(struct vdpa_front *front);
/** False: so many answers are unread that one more may have to wait. */
bool vdpa_conn_takes_answer(const struct vdpa_front *front);
/** End the connection; rte_vhost sees that it is closed, and calls dev_close and dev_cleanup. Never waits. */
void vdpa_conn_close(struct vdpa_front *front);

/* vdpa_guard.c: front ends that shorten their files. */
void vdpa_guard_init(void); /**< take over SIGBUS; idempotent */
void vdpa_guard_add(struct vdpa_front *front);
void vdpa_guard_remove(struct vdpa_front *front);
/** rte_vhost maps what we do not know yet, on this thread, until the end of this message. */
void vdpa_guard_mapping(struct vdpa_front *front);
void vdpa_guard_mapped(struct vdpa_front *front);
void vdpa_guard_set(struct vdpa_front *front, unsigned int slot, uint64_t start, uint64_t size); /**< size 0: nothing */

/* vdpa_log.c */
void vdpa_log_init(struct vdpa_card *card);
/** A new device, nobody uses it yet: stop logs that a former owner left, give it the ring. Without one it is not usable. */
void vdpa_log_attach(struct vdpa_card *card, struct vhp_dev *dev, struct vhp_mbox *mbox);
void vdpa_log_close(struct vdpa_card *card);
bool vdpa_log_covers(const struct vdpa_front *front); /**< its bitmap has a bit for each page of its memory */
/** The card logs the pages of this front end from now on. Idempotent. @return 0; -ENOTSUP, -EINVAL (logged), vdpa_card_call's */
int vdpa_log_start(struct vdpa_front *front);
/** Off; every page written before is marked when this returns. Idempotent. */
void vdpa_log_stop(struct vdpa_port *port);
/** The card is gone: nobody knows what it wrote last, every page counts. */
void vdpa_log_abandon(struct vdpa_port *port);
/**
 * Nothing is marked in the front end's bitmap until the end of the pause; what is owed then is marked, even if the log was
 * stopped meanwhile.
 */
void vdpa_log_pause(struct vdpa_port *port, int vid, bool pause);
void vdpa_log_forget(struct vdpa_port *port, int vid); /**< nothing is marked in this bitmap any more */
void vdpa_log_tick(struct vdpa_card *card);

/* vdpa_relay.c: port.lock held. */
int vdpa_relay_start(struct vdpa_port *port);
void vdpa_relay_stop(struct vdpa_port *port);
int vdpa_relay_add(struct vdpa_front *front, unsigned int vring, int kick_fd);
void vdpa_relay_remove(struct vdpa_front *front, unsigned int vring);
void vdpa_notifier_start(struct vdpa_port *port);
void vdpa_notifier_stop(struct vdpa_port *port);

/* vdpa_ops.c: what rte_vhost calls. */
extern struct rte_vdpa_dev_ops vdpa_ops;
unsigned int vdpa_port_pairs(const struct vdpa_port *port); /**< queue pairs that front ends may use */
/** The connection, its port locked; NULL if it has none. The caller unlocks front->port->lock. */
struct vdpa_front *vdpa_front_lock(int vid);

/* vdpa_socket.c */
#define VHOST_USER_GET_FEATURES 1u
#define VHOST_USER_SET_FEATURES 2u
#define VHOST_USER_SET_MEM_TABLE 5u
#define VHOST_USER_SET_LOG_BASE 6u
#define VHOST_USER_SET_VRING_ADDR 9u
#define VHOST_USER_SET_VRING_KICK 12u
#define VHOST_USER_SET_VRING_CALL 13u
#define VHOST_USER_IOTLB_MSG 22u
#define VHOST_USER_SET_INFLIGHT_FD 32u
/** See the messages of a connection before rte_vhost handles them. */
int vdpa_watch_messages(int vid);
int vdpa_port_register(struct vdpa_port *port);
int vdpa_port_listen(struct vdpa_port *port);	   /**< open the socket */
void vdpa_port_unregister(struct vdpa_port *port); /**< for good */
/**
 * Event thread, no lock held: if the port asked for it, close its connections, so that front ends connect anew and are
 * offered what holds now.
 */
void vdpa_port_renegotiate(struct vdpa_port *port);

/* vdpa_probe.c: registry of cards and ports. */
struct vdpa_port *vdpa_port_find(const struct rte_vdpa_device *vdpa);
struct vdpa_port *vdpa_port_of_vid(int vid);
/** Call @p fn with the port of that id (or each one, id -1) while it cannot go away. @return fn's; -ENOENT */
int vdpa_port_visit(int id, int (*fn)(struct vdpa_port *port, void *arg), void *arg);

/* vdpa_telemetry.c */
void vdpa_telemetry_register(void);
/** Counters since the last reset. @return 0 or vdpa_card_call's */
int vdpa_port_stats(struct vdpa_port *port, struct vhp_mbox_port_stats *stats);
int vdpa_port_stats_reset(struct vdpa_port *port);

#endif
