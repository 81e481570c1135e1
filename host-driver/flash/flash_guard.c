/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what configuration meets first in the user slot's first sector.
 *
 * Whatever is changed here, the power may fail in the middle of it. An erase that is cut off leaves any bits, a program command any
 * part of its zeros. So a guard begins and ends with its sync word alone: the words behind it are there before it, and it is spoilt
 * before they are erased. Without a sync word configuration skips the sector, whatever it holds.
 */
#include <errno.h>
#include <string.h>

#include "flash_slot.h"
#include "image.h"

#define GUARD_OFFSET 128u /* in a chip, where xbflash2 has it */
#define SYNC_AT 20u	  /* in the guard's bytes */
#define SYNC_BYTES 4u
#define MATCHED_BYTES 16u /* sync word to watchdog value */
#define PAD_BYTES 8u	  /* left in front of a guard in an image's padding */

/* Bus width, sync, and a watchdog of two clocks that nothing feeds. */
static const uint8_t guard[44] = {
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0xbb, 0x11, 0x22, 0x00, 0x44, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xaa, 0x99, 0x55, 0x66, 0x20, 0x00, 0x00, 0x00, 0x30, 0x02,
	0x20, 0x01, 0x40, 0x00, 0x00, 0x02, 0x20, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00,
};

/* The slot's first sector, of all chips together. */
struct sector {
	struct flash_card *c;
	size_t size;
	uint8_t bytes[FLASH_MAX_CHIPS * NOR_SECTOR_BYTES];
};

bool flash_blank(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0xff)
			return false;
	return true;
}

static int load(struct flash_card *c, struct sector *s, struct flash_err *err)
{
	s->c = c;
	s->size = (size_t)c->chips * NOR_SECTOR_BYTES;
	return flash_read(c, c->start, s->bytes, s->size, NULL, err);
}

/* Where the first sync word begins, or -1. Any byte may be its first. */
static int first_sync(const struct sector *s)
{
	for (size_t at = 0; at + SYNC_BYTES <= s->size; at++)
		if (!memcmp(s->bytes + at, guard + SYNC_AT, SYNC_BYTES))
			return (int)at;
	return -1;
}

static int last_sync(const struct sector *s)
{
	for (size_t at = s->size - SYNC_BYTES + 1; at-- > 0;)
		if (!memcmp(s->bytes + at, guard + SYNC_AT, SYNC_BYTES))
			return (int)at;
	return -1;
}

static enum flash_guard state_of(const struct sector *s)
{
	int sync = first_sync(s);

	if (sync < 0)
		return FLASH_GUARD_NONE;
	return (size_t)sync + MATCHED_BYTES <= s->size && !memcmp(s->bytes + sync, guard + SYNC_AT, MATCHED_BYTES)
		? FLASH_GUARD_THERE
		: FLASH_GUARD_DATA;
}

int flash_guard_state(struct flash_card *c, enum flash_guard *state, struct flash_err *err)
{
	struct sector s;
	int rc = load(c, &s, err);

	*state = rc ? FLASH_GUARD_NONE : state_of(&s);
	return rc;
}

/* The sector on every chip where it is not erased. */
static int erase(struct sector *s, struct flash_err *err)
{
	uint32_t at = s->c->start / s->c->chips;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < s->c->chips; i++) {
		uint8_t is[NOR_SECTOR_BYTES];

		rc = flash_nor_read(&s->c->nor[i], at, is, sizeof(is), err);
		if (!rc && !flash_blank(is, sizeof(is)))
			rc = flash_nor_erase(&s->c->nor[i], at, NOR_SECTOR_BYTES, err);
	}
	return rc;
}

/* Within a page of each chip; `at` counts from the slot's begin, even as `len` is. */
static int program(struct sector *s, size_t at, const uint8_t *data, size_t len, struct flash_err *err)
{
	uint32_t address = (s->c->start + (uint32_t)at) / s->c->chips;
	uint8_t part[sizeof(guard)];
	int rc = 0;

	for (unsigned int i = 0; !rc && i < s->c->chips; i++) {
		size_t n = len / s->c->chips;

		for (size_t k = 0; k < n; k++)
			part[k] = s->c->chips == 1 ? data[k] : image_striped_byte(data, len, i, k);
		if (!flash_blank(part, n))
			rc = flash_nor_program(&s->c->nor[i], address, part, n, err);
	}
	return rc;
}

/* A guard fits into the padding in front of an image's sync word, also where one was begun. */
static bool fits_padding(const struct sector *s, int sync)
{
	const uint8_t *words = guard + SYNC_AT;
	size_t len = sizeof(guard) - SYNC_AT;

	if (sync < 0 || (size_t)sync < PAD_BYTES + len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((s->bytes[PAD_BYTES + i] & words[i]) != words[i])
			return false;
	return true;
}

int flash_guard_set(struct flash_card *c, struct flash_err *err)
{
	uint8_t words[sizeof(guard)];
	size_t at = (size_t)c->chips * GUARD_OFFSET, skip = 0;
	enum flash_guard is;
	struct sector s;
	int rc = load(c, &s, err);

	if (rc || state_of(&s) == FLASH_GUARD_THERE)
		return rc;
	if (fits_padding(&s, first_sync(&s))) {
		at = PAD_BYTES;
		skip = SYNC_AT;
	} else {
		rc = erase(&s, err);
	}
	memcpy(words, guard, sizeof(guard));
	memset(words + SYNC_AT, 0xff, SYNC_BYTES);
	if (!rc)
		rc = program(&s, at, words + skip, sizeof(words) - skip, err);
	if (!rc)
		rc = program(&s, at + SYNC_AT - skip, guard + SYNC_AT, SYNC_BYTES, err);
	if (!rc)
		rc = flash_guard_state(c, &is, err);
	if (!rc && is != FLASH_GUARD_THERE)
		rc = flash_fail(err, -EIO, "%s: the flash does not take the guard at 0x%08x", c->bar->name,
				c->start + (uint32_t)at);
	return rc;
}

int flash_guard_lift(struct flash_card *c, struct flash_err *err)
{
	static const uint8_t zeros[2] = { 0 };
	struct sector s;
	int sync, rc = load(c, &s, err);

	/* The guard is the first one: it has to work until it is the only one. */
	while (!rc && (sync = last_sync(&s)) >= 0) {
		/* With two chips their bytes are pairs. */
		rc = program(&s, (size_t)sync & ~(size_t)(c->chips - 1), zeros, c->chips, err);
		memset(s.bytes + sync, 0, 1);
	}
	if (!rc)
		rc = erase(&s, err);
	if (!rc)
		rc = load(c, &s, err);
	if (!rc && !flash_blank(s.bytes, s.size))
		rc = flash_fail(err, -EIO, "%s: the flash does not give up the guard in the sector at 0x%08x",
				c->bar->name, c->start);
	return rc;
}
