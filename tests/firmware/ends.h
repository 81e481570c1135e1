/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The two ends of a port, as small as a test needs them: a vhost-pci-net driver with its control queues in simulated
 * memory, and a host driver that speaks the mailbox.
 */
#ifndef VHP_ENDS_H
#define VHP_ENDS_H

#include "sim_soc.h"

/** The firmware under test. */
extern struct card card;
/** cmocka's set-up of each test: simulated card and firmware as after reset. */
int ends_setup(void **state);

#define DRV_QSIZE 16u

/** All features but PV_INTERRUPT. */
#define DRV_ALL                                                                                                    \
	(1ull << VHOST_PCI_NET_F_MAC | 1ull << VHOST_PCI_NET_F_CTRL_MAC_ADDR | 1ull << VHOST_PCI_NET_F_MRG_RXBUF | \
	 1ull << VHOST_PCI_NET_F_COPY_OFFLOAD | 1ull << VHOST_PCI_NET_F_MQ | 1ull << VHP_F_RING_INDIRECT_DESC |    \
	 1ull << VHP_F_RING_EVENT_IDX | 1ull << VHP_F_VERSION_1)

struct drv_queue {
	uint64_t desc, avail, used, buf;
	uint16_t next, last_used;
};

struct drv {
	unsigned int port, fn;
	bool event_idx;
	struct drv_queue q[2]; /**< control receiveq, control transmitq */
};

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/** Queues in memory, features, DRIVER_OK. */
void drv_start(struct drv *d, unsigned int port, uint64_t features);
/** Post @p n control receiveq buffers of @p len bytes. */
void drv_post(struct drv *d, unsigned int n, uint32_t len);
/** Take a control message of the device; @return its length, 0 = none. */
uint32_t drv_take(struct drv *d, void *msg, uint32_t size);
/** Put a message on the control transmitq and kick. */
void drv_send(struct drv *d, const void *msg, uint32_t len);
/** Let the device take a chain that the test has built: head @p head, whatever it is. */
void drv_publish(struct drv *d, unsigned int queue, uint16_t head);
struct vring_desc *drv_desc(struct drv *d, unsigned int queue, unsigned int i);
void drv_kick(struct drv *d, unsigned int queue);
/** Write 0 to device_status, and check that the reset is finished. */
void drv_reset(struct drv *d, struct card *card);
/** Answer everything that comes until nothing does: all peer features but those in @p refuse. */
void drv_answer(struct drv *d, struct card *card, uint64_t refuse);

/** Send a mailbox request and run the card until the reply stands; @return its status. */
unsigned int host_call(struct card *card, unsigned int op, unsigned int port, const void *payload, uint32_t len);
const struct vhp_mbox_hdr *host_reply(void);
const void *host_payload(void);

#define HOST_GPA 0x40000000ull
#define HOST_IOVA 0x7f0000000000ull
#define HOST_MEM 0x10000000ull
#define HOST_FEATURES (1ull << 15 | 1ull << 11 | 1ull << 26 | 1ull << 28 | 1ull << 29 | 1ull << 32)
#define HOST_QSIZE 256u

/** Vring @p i of the tests' front end. */
struct vhp_mbox_peer_vring host_vring(unsigned int port, unsigned int i);
/** Everything up to PORT_START, one or two pairs. */
void host_prepare(struct card *card, unsigned int port, uint64_t features, unsigned int pairs);
void host_start(struct card *card, unsigned int port, uint64_t features, unsigned int pairs);
/** @return the request's status */
unsigned int host_stop(struct card *card, unsigned int port, uint32_t flags);
const struct vhp_mbox_port_status *host_status(struct card *card, unsigned int port);

/** Both ends of a port, two pairs, until it is connected and the event came. */
void ends_connect(struct drv *d, unsigned int port);
/** The driver of a port that the host has started comes, or comes again, and the port connects. */
void ends_reconnect(struct drv *d, unsigned int port);

#endif
