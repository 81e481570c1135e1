/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver's side of a split virtqueue (virtio 1.x, 2.7), for the bench of vhp_lanes: chains of random shape, both
 * kinds of notification suppression, and publication in separate steps so that the device can see any interleaving.
 */
#ifndef VIRTQ_H
#define VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#define VQ_MAX_SIZE 1024
#define VQ_MAX_SEGS 256
#define VQ_POOL (768u << 10)

#define VQ_NEXT 1
#define VQ_WRITE 2
#define VQ_INDIRECT 4

struct vq_seg {
	uint64_t addr; /* IOVA */
	uint32_t len;
};

struct vq_buf {
	bool used;
	uint32_t cap;
	unsigned int nsegs;
	struct vq_seg seg[VQ_MAX_SEGS];
	unsigned int ndesc;
	uint16_t desc[VQ_MAX_SEGS];
	uint64_t table; /* indirect table, 0 = none */
	uint32_t pool_end;
	uint32_t pool_bytes;
};

struct vq {
	int func, qid, vector;
	uint16_t size;
	bool sink, event_idx, indirect, mrg, translate;
	int port;
	uint64_t gpa_delta; /* guest address = IOVA - delta, modulo 2^64 */
	uint64_t desc, avail, used;
	uint16_t avail_idx;  /* published */
	uint16_t next_avail; /* written to the ring */
	uint16_t kicked_at;  /* published index at the last look at the notification */
	uint16_t last_used;
	uint16_t free_list[VQ_MAX_SIZE];
	unsigned int nfree;
	struct vq_buf buf[VQ_MAX_SIZE]; /* by head */
	uint16_t order[VQ_MAX_SIZE];	/* heads in the order of publication */
	uint64_t pool;
	uint32_t pool_head, pool_tail, pool_used;
	uint64_t offers; /* times that the driver had something new */
	uint64_t kicks;	 /* and the device wanted to hear of it */
	uint64_t shuffles;
};

struct vq_params {
	int func, qid, vector, port;
	uint16_t size, first;
	bool sink, event_idx, indirect, mrg, translate;
	uint64_t gpa_delta;
};

/** Lays out rings and a buffer pool in func's memory, and writes the queue context. */
void vq_init(struct vq *q, const struct vq_params *p);
/** Writes context registers again, with the present indices. */
void vq_write_context(struct vq *q);
/**
 * Writes a chain of these segment lengths to ring and table, not yet published. Returns its head or -1 when
 * descriptors or pool do not suffice.
 */
int vq_add(struct vq *q, const uint32_t *lens, unsigned int n, bool indirect);
/** Writes a ring entry without any check: for malformed rings. */
void vq_put_avail(struct vq *q, uint16_t head);
void vq_put_desc(struct vq *q, uint64_t table, uint16_t index, uint64_t addr, uint32_t len, uint16_t flags,
		 uint16_t next);
void vq_publish(struct vq *q);
/** Does the device want to be told of what was published since the last call? */
bool vq_need_kick(struct vq *q);
/** A used element: false if there is none; checks that chains come back in order. */
bool vq_get_used(struct vq *q, uint16_t *head, uint32_t *len);
/** Gives a chain's descriptors and memory back. */
void vq_free(struct vq *q, uint16_t head);
void vq_enable_irq(struct vq *q);
void vq_disable_irq(struct vq *q);
uint16_t vq_used_idx(struct vq *q);
uint8_t vq_get(struct vq *q, const struct vq_buf *b, uint32_t off);
void vq_put(struct vq *q, const struct vq_buf *b, uint32_t off, uint8_t v);

void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern unsigned int failures;
#endif
