/* SPDX-License-Identifier: Apache-2.0 */
#include "region_map.h"

/* Comparisons use last bytes: a region may end at the top of the address space. */
static uint64_t last_of(uint64_t first, uint64_t size)
{
	return first + (size - 1);
}

static bool acceptable(const struct vhp_mbox_region *r, const struct vhp_mbox_region *before, uint32_t nbefore)
{
	if (r->size == 0 || last_of(r->gpa, r->size) < r->gpa || last_of(r->iova, r->size) < r->iova)
		return false;
	for (uint32_t i = 0; i < nbefore; i++) {
		if (r->gpa <= last_of(before[i].gpa, before[i].size) && before[i].gpa <= last_of(r->gpa, r->size))
			return false;
	}
	return true;
}

bool region_map_set(struct region_map *map, const struct vhp_mbox_region *regions, uint32_t count, uint32_t *bad)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!acceptable(&regions[i], regions, i)) {
			*bad = i;
			return false;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		map->regions[i] = regions[i];
	map->count = count;
	return true;
}

bool region_map_find(const struct region_map *map, uint64_t gpa, uint64_t len, uint64_t *iova)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct vhp_mbox_region *r = &map->regions[i];
		uint64_t at = gpa - r->gpa;

		if (gpa < r->gpa || at >= r->size)
			continue;
		if (len == 0 || len > r->size - at)
			return false;
		*iova = r->iova + at;
		return true;
	}
	return false;
}
