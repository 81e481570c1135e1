/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Guest-physical memory of one port's peer: what the card may touch, and at which IOVA.
 *
 * Mirrors the rows that lane.c writes into the card's region table. Regions keep the order of the request; they are at
 * most eight, so lookups are linear.
 */
#ifndef VHP_REGION_MAP_H
#define VHP_REGION_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vhp_mbox.h"

struct region_map {
	uint32_t count; /**< 0 = no memory given */
	struct vhp_mbox_region regions[VHP_MBOX_MAX_REGIONS];
};

/**
 * Replace the map by @p count regions: none empty, none wrapping (guest-physical or IOVA), guest-physical disjoint.
 *
 * @param[out] bad  index of the first region that is refused
 * @return true if taken; the map is unchanged otherwise
 */
bool region_map_set(struct region_map *map, const struct vhp_mbox_region *regions, uint32_t count, uint32_t *bad);

/** IOVA of the @p len bytes at @p gpa, all of them in one region. @return false if any byte is outside. */
bool region_map_find(const struct region_map *map, uint64_t gpa, uint64_t len, uint64_t *iova);

#endif
