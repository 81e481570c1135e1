/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Entries of the card's log ring (vhp_log in vhp_regs.rdl): IOVA page and port -> guest-physical page. Pure functions.
 */
#ifndef VDPA_DIRTY_H
#define VDPA_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#define VDPA_DIRTY_PAGE 4096u

struct vdpa_dirty_region {
	uint64_t gpa, size, iova;
};

struct vdpa_dirty_port {
	bool on;
	unsigned int num_regions;
	const struct vdpa_dirty_region *regions;
};

struct vdpa_dirty_taken {
	uint64_t entries, bad;
	uint32_t lost; /**< one bit per port of which pages may be missing: every page of it counts */
};

/**
 * Take the entries [tail, head) and clear them.
 *
 * An entry that is not one (zero, reserved bits, unknown port) means that some page is not known: then all ports
 * that log are in `lost`; for an address outside the regions it is that port. Entries of ports that do not log are passed
 * over.
 *
 * @param ring       le64 entries, a power of two of them
 * @param tail,head  free running
 * @param mark       called for each page with the port and the guest-physical address
 */
struct vdpa_dirty_taken vdpa_dirty_take(uint64_t *ring, unsigned int size_log2, uint32_t tail, uint32_t head,
					const struct vdpa_dirty_port *ports, unsigned int num_ports,
					void (*mark)(void *arg, unsigned int port, uint64_t gpa), void *arg);

#endif
