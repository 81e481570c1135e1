/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A running vhp-sim, and the two ends of its ports: `guest` is VM B's vhost-pci-net driver on a function, `peer` is
 * the host driver of function 0 together with VM A's virtio-net rings. No DPDK.
 *
 * Functions that can fail in a way that a test looks at return negative errno; what no test expects ends the program
 * with a sentence on stderr.
 */
#ifndef VHP_LIB_SIM_H
#define VHP_LIB_SIM_H

#include <sys/types.h>

#include "lib_ring.h"
#include "vhost_pci.h"
#include "vhp_access.h"
#include "vhp_mbox.h"
#include "vhp_mbox_client.h"
#include "vhp_virtio_pci.h"

#define LIB_WAIT_MS 600000u /**< guard against a hang; never part of a verdict on speed */

struct sim {
	pid_t pid;
	char dir[256];
};

/** Start build/bin/vhp-sim (or $VHP_SIM) below $VHP_TEST_DIR with further arguments, NULL-terminated; wait for "ready". */
void sim_start(struct sim *sim, const char *const *args);
/** SIGTERM. @return its exit status, -1 if it had to be killed. */
int sim_stop(struct sim *sim);

struct CMUnitTest;
/**
 * main() of a cmocka program: run @p count tests against a vhp-sim started with @p args, @p open and @p close around all of them, and print
 * the closing line. A simulator that does not end cleanly counts as one more test, which failed.
 *
 * @param filter  only the tests with such a name; NULL: all
 * @return exit status of the program
 */
int sim_run_tests(struct sim *sim, const char *const *args, const char *name, const struct CMUnitTest *tests,
		  size_t count, int (*open)(void **state), int (*close)(void **state), const char *filter);

/** Call @p done until it is true. @return false after LIB_WAIT_MS. */
bool wait_for(bool (*done)(void *), void *arg);

/* ---------------------------------------------------------------- VM B */
#define GUEST_QUEUES 6u
#define GUEST_CTRL_BUF 512u

struct guest_message {
	uint32_t len;
	uint8_t bytes[GUEST_CTRL_BUF];
};

struct guest {
	struct vhp_dev *dev;
	struct vhp_virtio_pci v;
	struct mem mem;
	unsigned int port;
	uint64_t offered, features;
	uint16_t num_queues;
	struct ring q[GUEST_QUEUES];
	uint64_t doorbell[GUEST_QUEUES];
	int irq[1 + GUEST_QUEUES]; /**< eventfds: configuration, then each queue */
	uint64_t irqs[1 + GUEST_QUEUES];

	/* Control queues. */
	struct guest_message log[32]; /**< what the device sent, in order */
	unsigned int nlog;
	bool silent;		 /**< do not answer */
	uint64_t refuse;	 /**< peer feature bits to leave out of the answer */
	unsigned int late_queue; /**< guest_init does not enable this one; 0 = all */
};

/** Connect to the function of @p port; queues are set up by guest_init. */
void guest_open(struct guest *g, const struct sim *sim, unsigned int port);
void guest_close(struct guest *g);
/** Reset, features (of those offered), queues of @p size entries, DRIVER_OK, control buffers. */
int guest_init(struct guest *g, uint64_t features, uint16_t size);
/** guest_init up to the queues: FEATURES_OK stands, DRIVER_OK does not. */
int guest_prepare(struct guest *g, uint64_t features, uint16_t size);
void guest_driver_ok(struct guest *g);
/** Give the device buffers for control messages. */
void guest_post_ctrl(struct guest *g);
void guest_reset(struct guest *g);
uint64_t guest_read(struct guest *g, const struct vhp_virtio_area *a, unsigned int off, unsigned int width);
void guest_write(struct guest *g, const struct vhp_virtio_area *a, unsigned int off, unsigned int width, uint64_t v);
uint8_t guest_status(struct guest *g);
uint16_t guest_connection(struct guest *g);
/** Take the device's control messages, log and answer them. @return how many came. */
unsigned int guest_pump(struct guest *g);
/** Send a control message. */
void guest_send_ctrl(struct guest *g, const void *msg, uint32_t len);
/** Pump until peer_connection reads @p value. @return false if it never does. */
bool guest_wait_connection(struct guest *g, uint16_t value);
void guest_kick(struct guest *g, unsigned int queue);
/** Interrupts of vector @p v (0 = configuration, 1 + queue) since the last call. */
uint64_t guest_irqs(struct guest *g, unsigned int v);

/* ---------------------------------------------------------------- VM A and its host driver */
#define PEER_GPA 0x40000000ull
#define PEER_IOVA 0x7000000000ull
#define PEER_VRINGS 4u
#define PEER_FEATURES (1ull << 32 | 1ull << 15 | 1ull << 11)

/** Function 0: one per process. */
struct host {
	struct vhp_dev *dev;
	struct vhp_mbox mbox;
	int event_irq;
	int call[32]; /**< eventfd of each MSI-X vector, -1 = none */
};

struct peer {
	struct host *host;
	unsigned int port;
	struct mem mem;
	uint64_t iova;
	uint64_t features;
	struct ring q[PEER_VRINGS];
	uint64_t calls[PEER_VRINGS];
	struct vhp_mbox_vring_bases bases; /**< of the last stop */
};

void host_open(struct host *h, const struct sim *sim);
void host_close(struct host *h);
/** Next event of any port. @return false if none comes. */
bool host_event(struct host *h, struct vhp_mbox_event *e);
/** Wait for an event of this type and port, dropping others. */
bool host_wait_event(struct host *h, uint8_t type, uint8_t port, struct vhp_mbox_event *e);

/** Memory of VM A, mapped for function 0, and rings of @p size entries. */
void peer_open(struct peer *p, struct host *h, unsigned int port, uint64_t features, uint16_t size);
/** Stop the port, then unmap. */
void peer_close(struct peer *p);
int peer_config(struct peer *p, const struct vhp_mbox_port_config *c);
/** PEER_FEATURES, PEER_MEM, PEER_VRING for @p pairs, PORT_START. @return 0 or the first refusal. */
int peer_start(struct peer *p, unsigned int pairs);
struct vhp_mbox_peer_vring peer_vring(struct peer *p, unsigned int vring);
int peer_give_vring(struct peer *p, const struct vhp_mbox_peer_vring *v);
int peer_stop(struct peer *p, uint32_t flags);
/** New, empty rings in the same place. */
void peer_new_rings(struct peer *p);
/** A new, empty ring for @p vring in another place, given to the card. */
int peer_replace_ring(struct peer *p, unsigned int vring);
void peer_status(struct peer *p, struct vhp_mbox_port_status *s);
void peer_stats(struct peer *p, struct vhp_mbox_port_stats *s);
void peer_kick(struct peer *p, unsigned int vring);
/** Calls of a vring since the last time. */
uint64_t peer_calls(struct peer *p, unsigned int vring);

/* ---------------------------------------------------------------- both */
#define ENDS_BUF_LEN 2048u
/** One packet of pair @p pair from the guest to the peer, into a new buffer. @return whether it came, unchanged */
bool ends_packet_to_peer(struct guest *g, struct peer *p, unsigned int pair);

#endif
