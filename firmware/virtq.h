/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A control virtqueue, device side: split ring in the driver's memory, reached through the DMA port
 * (virtio 1.x, "Split Virtqueues"). Everything read from the ring is hostile; nothing is trusted twice.
 */
#ifndef VHP_VIRTQ_H
#define VHP_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

struct virtq {
	uint64_t desc, avail, used; /**< IOVA */
	uint16_t size;
	uint16_t last_avail; /**< next avail entry to take */
	uint16_t used_idx;
	uint16_t vector; /**< MSI-X, 0xffff = none */
	uint8_t fn;
	uint8_t port;
	bool event_idx, indirect;
};

enum virtq_status {
	VIRTQ_OK,
	VIRTQ_EMPTY, /**< nothing available; the driver will kick */
	VIRTQ_RING,  /**< malformed ring */
	VIRTQ_DMA,   /**< the ring or a buffer cannot be reached */
	VIRTQ_SMALL, /**< send: the chain is smaller than the message */
	VIRTQ_LARGE, /**< receive: the chain is larger than any message */
};

/** Size, alignment and wrap of a queue's addresses. */
bool virtq_addresses_ok(uint64_t desc, uint64_t avail, uint64_t used, uint16_t size, uint16_t max_size);

/** Start at index 0. @return false if the addresses or the size are not valid. */
bool virtq_init(struct virtq *vq, uint16_t max_size);

/** Put @p msg into the next device-writable chain, publish it, interrupt the driver if it wants that. */
enum virtq_status virtq_send(struct virtq *vq, const void *msg, uint32_t len);

/** Take the next device-readable chain into @p buf, publish it as used. */
enum virtq_status virtq_receive(struct virtq *vq, void *buf, uint32_t size, uint32_t *len);

#endif
