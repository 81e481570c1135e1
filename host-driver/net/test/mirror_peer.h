/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Driver copy's other end, played by the test: a peer driver with its two rings, whose memory stands in an aperture of which
 * every access is checked: inside one region of PEER_MEM_INFO, or the test fails.
 */
#ifndef VPNET_TEST_MIRROR_PEER_H
#define VPNET_TEST_MIRROR_PEER_H

#include "../vpnet_mirror.h"

#define SIZE 64u /* of the peer's rings */
#define BAR 2u
#define BAR_SIZE 0x200000u

/** The peer's memory: what PEER_MEM_INFO says. */
extern const struct vhost_pci_mem_region regions[3];

extern struct aperture {
	uint8_t bytes[BAR_SIZE];	  /* of the BAR */
	unsigned int reads, writes, irqs; /* accesses; interrupts to the peer */
	uint32_t irq_value;
	uint64_t irq_offset;
	bool closed;			  /* it answers all ones */
	void (*after_write)(uint64_t at); /* the peer acts at the worst moment */
	void *address;			  /* where it is mapped; NULL: it is not */
} aperture;

extern struct vhp_dev device;

/** The peer driver's end of a ring; buffers are taken from a heap in region 1 that goes round. */
struct peer_ring {
	uint64_t base;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	bool event_idx, indirect;
	uint16_t next_desc, avail_idx, used_idx;
	uint64_t heap;
	struct {
		uint64_t at[8];
		uint32_t len[8];
		unsigned int n;
	} chain[SIZE]; /* by avail position */
	uint16_t head[SIZE];
};

/** Where the parts of a ring stand behind its base. */
#define AVAIL_AT (SIZE * 16u)
#define USED_AT 0x800u

extern struct peer_ring tx, rx; /* the peer's names: what it transmits and receives with */

/** Seed of rnd(). */
extern unsigned int seed;
unsigned int rnd(unsigned int below);

struct options {
	bool event_idx, indirect, mergeable, small;
	uint16_t start;
};

/** A device that copies, connected to a peer with fresh rings whose indices begin at start. */
void set_up(struct options o);
/** And away; every buffer is back. */
void tear_down(void);
/** The rows of both rings come, then the connection. */
void announce(uint16_t start);
/** The row of PEER_VIRTQ_INFO for a ring. */
struct vhost_pci_virtq row_of(const struct peer_ring *r, uint16_t start, uint32_t gsi);
/** Of the mirror of the first queue, VHOST_PCI_PEER_VIRTQ_TX or RX. */
enum vpnet_mirror_state state_of(unsigned int which);

/** Guest-physical to the memory behind the BAR. */
void *mem(uint64_t gpa);
uint16_t *used_event(struct peer_ring *r);
uint16_t *avail_event(struct peer_ring *r);
/** Publish a chain of @p n pieces that hold @p bytes together. */
void publish(struct peer_ring *r, uint32_t bytes, unsigned int n, bool write);
/** Up to @p len bytes of the chain at an avail position. @return how many */
uint32_t get_chain(struct peer_ring *r, uint16_t position, uint8_t *to, uint32_t len);
/** A packet with its header, @p len together, on the peer's transmit ring. */
void peer_sends(const uint8_t *packet, uint32_t len, unsigned int pieces);

/** Suites. */
void run_hostile_tests(void);
void run_connect_tests(void);

#endif
