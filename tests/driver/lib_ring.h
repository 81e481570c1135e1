/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Guest memory and split virtqueues, driver side, for tests that play both virtual machines.
 *
 * Addresses are guest-physical throughout. Tests may write anything into descriptors and rings: vring_desc() and the
 * pointers of struct ring reach them directly. One thread.
 */
#ifndef VHP_LIB_RING_H
#define VHP_LIB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Shared memory of one virtual machine. */
struct mem {
	int fd;
	uint8_t *va;
	uint64_t gpa, size;
	uint64_t brk; /**< bytes handed out */
};

void mem_create(struct mem *m, uint64_t gpa, uint64_t size);
void mem_destroy(struct mem *m);
/** Hand out zeroed memory; aborts when it is used up. */
uint64_t mem_alloc(struct mem *m, uint64_t size, uint64_t align);
/** Pointer to @p gpa; aborts outside. */
void *mem_at(const struct mem *m, uint64_t gpa);

struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
enum {
	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4
};

struct ring {
	struct mem *mem;
	uint16_t size;
	bool event_idx;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	volatile struct ring_desc *desc;
	volatile uint16_t *avail; /**< flags, idx, ring[], used_event */
	volatile uint16_t *used;  /**< flags, idx, elements, avail_event */
	uint16_t free_head, num_free;
	uint16_t next_avail, last_used;
	uint64_t *cookie; /**< per head */
	uint16_t *chain;  /**< per head: descriptors to give back */
};

struct seg {
	uint64_t addr;
	uint32_t len;
	bool write;
};

void ring_create(struct ring *r, struct mem *mem, uint16_t size, bool event_idx);
void ring_destroy(struct ring *r);
/** Chain @p n segments and make them available. @return the head; -1 if the ring is full. */
int ring_add(struct ring *r, const struct seg *segs, unsigned int n, uint64_t cookie);
/** Make any head available, without looking. */
void ring_publish(struct ring *r, uint16_t head);
/** Does the device want a doorbell for what was added since @p old? */
bool ring_wants_kick(const struct ring *r, uint16_t old);
/** Take a used chain. @return false if there is none. */
bool ring_take(struct ring *r, uint64_t *cookie, uint32_t *len);
/** Ask for an interrupt with the next used chain, or for none. */
void ring_interrupts(struct ring *r, bool on);

#endif
