/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The bytes of a flash: a file, written through, or memory of which only what was written takes room. Private to nor.c.
 */
#ifndef VHP_SIM_NOR_ARRAY_H
#define VHP_SIM_NOR_ARRAY_H

#include <stdint.h>

struct nor_array {
	int fd;
	uint8_t invert;	     /* memory holds the complement, so that erased is what a new page has */
	uint32_t used;	     /* erased from here on, for certain */
	const char *failure; /* what went wrong first; the bytes concerned read as erased */
};

/**
 * @param path  file of @p size bytes, made (erased) if there is none, locked; NULL: memory
 * @return 1: new; 0: it was there; -EFBIG no file of that size; -EBUSY another process has it; other negative errno
 */
int nor_array_open(struct nor_array *a, const char *path, uint32_t size);
void nor_array_close(struct nor_array *a);

/* Ranges inside the array. */
void nor_array_load(struct nor_array *a, uint32_t addr, uint8_t *buf, uint32_t len);
void nor_array_store(struct nor_array *a, uint32_t addr, const uint8_t *buf, uint32_t len);
void nor_array_fill(struct nor_array *a, uint32_t addr, uint32_t len, uint8_t value);
/**
 * A change that was cut off. Towards @p wanted: of the bits that should become 0 some did. Erasing (@p wanted NULL): some bits are as
 * before, some 1, some 0. How many is chance too, from none to all.
 */
void nor_array_tear(struct nor_array *a, uint32_t addr, const uint8_t *wanted, uint32_t len, uint64_t seed);

#endif
