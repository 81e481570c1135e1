/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * One address space: disjoint ranges, sorted, backed by the caller's memory or by files.
 *
 * A file is mapped once per (device, inode), whatever number of ranges uses it, and unmapped with the last of them. A
 * file that its owner truncates does not hurt us: the copy functions catch SIGBUS and report -EFAULT.
 */
#ifndef VHP_SIM_MEMMAP_H
#define VHP_SIM_MEMMAP_H

#include <stdbool.h>
#include <stdint.h>

struct memmap;
struct memfiles;

struct memfiles *memfiles_create(void);
void memfiles_destroy(struct memfiles *files);

struct memmap *memmap_create(struct memfiles *files);
void memmap_destroy(struct memmap *map);

/** 0; -EINVAL empty or wraps, -EEXIST overlaps, -ENOMEM. */
int memmap_add(struct memmap *map, uint64_t iova, uint64_t len, void *mem, unsigned int perm);
/** Also -EINVAL if the file ends before the range, or an error of fstat or mmap. The descriptor stays the caller's. */
int memmap_add_fd(struct memmap *map, uint64_t iova, uint64_t len, int fd, uint64_t offset, unsigned int perm);
/** Number of ranges removed; -EINVAL if one lies across the border (then nothing is removed). */
int memmap_remove(struct memmap *map, uint64_t iova, uint64_t len);
void memmap_clear(struct memmap *map);

/** Every byte is mapped with @p perm. */
bool memmap_covers(struct memmap *map, uint64_t iova, uint64_t len, unsigned int perm);
/** Copy; aligned 2, 4 and 8 byte pieces are single accesses. -EFAULT if a byte is not mapped. */
int memmap_read(struct memmap *map, uint64_t iova, void *dst, unsigned int len);
int memmap_write(struct memmap *map, uint64_t iova, const void *src, unsigned int len);

#endif
