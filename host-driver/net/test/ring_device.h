/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The device's ends of the data path's two rings, played by the test. They know no more than the driver wrote to memory.
 */
#ifndef VPNET_TEST_RING_DEVICE_H
#define VPNET_TEST_RING_DEVICE_H

#include "../vpnet.h"

#define SIZE 64u

struct peer {
	struct vpnet_ring *ring;
	uint16_t avail, used;
};

extern struct vhp_dev device;
extern struct peer rx_peer, tx_peer;
extern unsigned int doorbells; /* since set_up() */
extern uint16_t last_doorbell;

/** One queue each way with rings of SIZE; receive buffers of @p mp. */
void set_up(bool event_idx, struct rte_mempool *mp, bool scatter);
/** The same with these receive offloads. */
void set_up_with(bool event_idx, struct rte_mempool *mp, uint64_t offloads);
/** And away; every buffer is back. */
void tear_down(void);

/** The next head that the driver made available; false: none. */
bool take(struct peer *p, uint16_t *head);
/** An element of the used ring. */
void give(struct peer *p, uint32_t id, uint32_t len);
/**
 * Write a packet (with header) into as many receive buffers as it takes; @p buffers, unless -1, overrides num_buffers.
 * @return how many it took
 */
unsigned int deliver(struct peer *p, const uint8_t *packet, uint32_t len, int buffers);
/** Take one packet from the transmit ring, whose header must be zeros; @return its length without the header, 0: none. */
uint32_t fetch(struct peer *p, uint8_t *frame, uint16_t *head, unsigned int *descriptors);
/** The same with any header. */
uint32_t fetch_with_header(struct peer *p, uint8_t *header, uint8_t *frame, uint16_t *head, unsigned int *descriptors);

/** A suite. */
void run_offload_tests(void);

#endif
