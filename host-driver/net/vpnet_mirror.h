/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Driver copy (copy=driver), as the seed's PEER_VIRTQ_INFO describes it: the peer's virtqueues, shared through the aperture.
 *
 *   peer TX virtqueue -> mirrored RX virtqueue: packets are copied into the buffers of the own receiveq of that queue,
 *                        whose used ring this driver writes itself, since the device does not serve it without copy offload;
 *                        the receive function then takes them from there as it takes the card's
 *   peer RX virtqueue -> mirrored TX virtqueue: packets are copied from the mbufs straight into the peer's buffers;
 *                        no queue of the function is used
 *
 * For the peer's rings this driver is the device: it writes used elements and used index, and interrupts the peer. What the
 * peer writes there is not believed. A rule that it breaks stops that queue, with a message, until the next connection; no
 * address outside the regions of PEER_MEM_INFO is accessed.
 *
 * A read of the peer's memory costs about 1 us on a real card, whatever its width, so that everything is read in lines of 64
 * bytes and kept: avail index and flags once per burst, 32 avail entries, 4 descriptors. Writes are posted.
 *
 * Threads: `lock` is held for a burst and by the service thread when it sets a mirror up or takes it away. It is a fair one,
 * which a burst only tries: who polls without end must not keep the others out.
 */
#ifndef VPNET_MIRROR_H
#define VPNET_MIRROR_H

#include <rte_ticketlock.h>

#include "vpnet.h"

#define VPNET_MIRROR_LINE 64u
#define VPNET_MIRROR_LINES 16u	/* of descriptors, direct mapped */
#define VPNET_MIRROR_HEADS 32u	/* avail entries in a line */
#define VPNET_MIRROR_CHAINS 64u /* of one merged packet */
#define VPNET_MIRROR_BATCH 128u /* used elements written at a time */

enum vpnet_mirror_state {
	VPNET_MIRROR_ABSENT, /* no such queue, or not enabled */
	VPNET_MIRROR_READY,  /* known, not connected */
	VPNET_MIRROR_RUNNING,
	VPNET_MIRROR_DARK,   /* its memory stopped to answer: the connection has probably just ended */
	VPNET_MIRROR_BROKEN, /* the peer broke it */
};

/* Offsets in the aperture BAR; accesses may touch what lies before `end`, the end of the region. */
struct vpnet_span {
	uint64_t at, end;
};

struct vpnet_segment {
	struct vpnet_span where;
	uint32_t len;
};

struct vpnet_mirror {
	rte_ticketlock_t lock;
	enum vpnet_mirror_state state;
	struct vpnet *net;
	uint8_t which; /* VHOST_PCI_PEER_VIRTQ_TX or _RX: the peer's name for it */
	uint8_t index;
	bool event_idx, indirect, mergeable;
	uint16_t size, mask;
	uint32_t gsi;
	struct vhost_pci_virtq row; /* as the device told */
	struct vpnet_span desc, avail, used;

	uint16_t flags;	     /* avail->flags as read in this burst, else NO_INTERRUPT: to be read */
	uint16_t avail_idx;  /* avail->idx, as last read */
	uint16_t last_avail; /* next entry to take */
	uint16_t used_next;  /* next used element to write */
	uint16_t used_idx;   /* used->idx, as last written */
	uint16_t avail_event;

	uint16_t heads_from, heads_count;
	uint16_t heads[VPNET_MIRROR_HEADS];
	uint64_t line_at[VPNET_MIRROR_LINES];
	struct vring_desc lines[VPNET_MIRROR_LINES][VPNET_MIRROR_LINE / sizeof(struct vring_desc)];

	uint16_t nelems;
	struct vring_used_elem elems[VPNET_MIRROR_BATCH + VPNET_MIRROR_CHAINS];
	unsigned int nsegs;
	struct vpnet_segment segs[2 * VPNET_MAX_SEGS];
};

/** Memory for the mirrors; nothing without copy=driver. */
int vpnet_mirrors_alloc(struct vpnet *net);
void vpnet_mirrors_free(struct vpnet *net);

/** The regions are about to change, or the device to be reset: nothing is accessed after this returns. `lock` of net is held. */
void vpnet_mirrors_forget(struct vpnet *net);
/** Take over net->ctrl.vqs[which]: what is new or has changed starts anew, the rest goes on. `lock` of net is held. */
void vpnet_mirrors_setup(struct vpnet *net, uint8_t which);
/** Start or halt as connection and link say. Halting leaves the peer's rings as another device would take them over. */
void vpnet_mirrors_update(struct vpnet *net);

/** Peer guest-physical to BAR offset; false if it does not lie in one region. */
bool vpnet_peer_translate(const struct vpnet *net, uint64_t gpa, uint64_t len, struct vpnet_span *span);

/*
 * Parts of a burst, `lock` held, @p st of the queue that asks. What returns false or 0 has taken the queue out of RUNNING.
 */

/** Report a broken rule; the queue stands still. */
void vpnet_mirror_stop(struct vpnet_mirror *m, struct vpnet_queue_stats *st, const char *what, uint64_t value);
bool vpnet_mirror_read(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint64_t at, uint64_t end, void *to,
		       size_t len);
bool vpnet_mirror_write(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint64_t at, const void *from,
			size_t len);
/** Read the avail index and flags. */
bool vpnet_mirror_refresh(struct vpnet_mirror *m, struct vpnet_queue_stats *st);
/** Append the segments of the chain at avail position @p at, all readable or all writable. @return its bytes */
uint64_t vpnet_mirror_chain(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint16_t at, bool writable,
			    uint16_t *head);
/** A used element, written with the next flush; room for VPNET_MIRROR_CHAINS after each. */
void vpnet_mirror_add(struct vpnet_mirror *m, uint16_t head, uint32_t len);
bool vpnet_mirror_flush(struct vpnet_mirror *m, struct vpnet_queue_stats *st);
/** The end of a burst: elements, used index, interrupt. */
void vpnet_mirror_commit(struct vpnet_mirror *m, struct vpnet_queue_stats *st);

#endif
