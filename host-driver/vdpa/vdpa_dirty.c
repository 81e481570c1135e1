/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa_dirty.h"

#include <endian.h>

#define ENTRY_PORT 0xfull
#define ENTRY_RESERVED 0xff0ull

static bool to_gpa(const struct vdpa_dirty_port *port, uint64_t iova, uint64_t *gpa)
{
	for (unsigned int i = 0; i < port->num_regions; i++) {
		const struct vdpa_dirty_region *r = &port->regions[i];

		if (iova >= r->iova && iova - r->iova < r->size) {
			*gpa = r->gpa + (iova - r->iova);
			return true;
		}
	}
	return false;
}

struct vdpa_dirty_taken vdpa_dirty_take(uint64_t *ring, unsigned int size_log2, uint32_t tail, uint32_t head,
					const struct vdpa_dirty_port *ports, unsigned int num_ports,
					void (*mark)(void *arg, unsigned int port, uint64_t gpa), void *arg)
{
	struct vdpa_dirty_taken taken = { 0 };
	uint32_t size = 1u << size_log2, all = 0;

	for (unsigned int i = 0; i < num_ports; i++)
		all |= ports[i].on ? 1u << i : 0;
	if (head - tail > size) {
		taken.bad = 1;
		taken.lost = all;
		return taken;
	}
	for (; tail != head; tail++) {
		uint64_t *at = &ring[tail & (size - 1)];
		uint64_t entry = le64toh(__atomic_exchange_n(at, 0, __ATOMIC_ACQUIRE)), gpa;
		unsigned int port = (unsigned int)(entry & ENTRY_PORT) - 1;

		taken.entries++;
		if (entry & ENTRY_RESERVED || port >= num_ports) {
			taken.bad++;
			taken.lost = all;
		} else if (ports[port].on) {
			if (to_gpa(&ports[port], entry & ~(uint64_t)(VDPA_DIRTY_PAGE - 1), &gpa)) {
				mark(arg, port, gpa);
			} else {
				taken.bad++;
				taken.lost |= 1u << port;
			}
		}
	}
	return taken;
}
