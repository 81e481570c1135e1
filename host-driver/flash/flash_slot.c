/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and comparing slots: sectors that differ, readback. */
#include "flash_slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

/* From so many sectors of a block on that need it, erasing the block as a whole takes less time. */
#define BLOCK_ERASE_FROM 4u
#define SECTORS_PER_BLOCK (NOR_BLOCK_BYTES / NOR_SECTOR_BYTES)
#define WRITE_TRIES 2u

int flash_revert(struct flash_card *c, struct flash_err *err)
{
	if (!flash_has_golden(c))
		return flash_fail(err, -ENOTSUP, "board %s has no golden image: its only image starts at 0", c->board);
	return flash_guard_set(c, err);
}

/* ------------------------------------------------------------------------------------------------------------ blocks */

/* One chip's part of a write. */
struct job {
	struct flash_card *c;
	struct flash_nor *nor;
	const uint8_t *data; /* of this chip */
	uint32_t base;	     /* where data begins, a multiple of a sector */
	size_t size;
	uint64_t done, total; /* of all chips */
	const struct flash_watch *watch;
	struct flash_tally *tally;
};

static bool stopped(const struct flash_watch *w)
{
	return w && w->stop && *w->stop;
}

static void tell(const struct job *j, const char *phase)
{
	if (j->watch && j->watch->tell)
		j->watch->tell(j->watch->arg, phase, j->done, j->total);
}

static size_t sector_bytes(const struct job *j, size_t at)
{
	return j->size - at < NOR_SECTOR_BYTES ? j->size - at : NOR_SECTOR_BYTES;
}

static int program_sector(struct job *j, size_t at, struct flash_err *err)
{
	size_t n = sector_bytes(j, at);
	int rc = 0;

	for (size_t page = 0; !rc && page < n; page += NOR_PAGE_BYTES) {
		size_t len = n - page < NOR_PAGE_BYTES ? n - page : NOR_PAGE_BYTES;

		if (stopped(j->watch))
			return flash_fail(err, -EINTR, "stopped");
		if (flash_blank(j->data + at + page, len))
			continue;
		rc = flash_nor_program(j->nor, j->base + (uint32_t)(at + page), j->data + at + page, len, err);
		j->tally->pages++;
	}
	return rc;
}

/*
 * What `count` sectors from byte `from` on need: a bit per sector to erase, to program. What holds the right bytes needs nothing:
 * that is how a write that was interrupted goes on.
 */
static int look(struct job *j, size_t from, unsigned int count, uint32_t *erase, uint32_t *program,
		struct flash_err *err)
{
	uint8_t is[NOR_SECTOR_BYTES];

	*erase = *program = 0;
	for (unsigned int i = 0; i < count; i++) {
		size_t at = from + i * NOR_SECTOR_BYTES, n = sector_bytes(j, at);
		int rc = flash_nor_read(j->nor, j->base + (uint32_t)at, is, sizeof(is), err);

		if (rc)
			return rc;
		if (stopped(j->watch))
			return flash_fail(err, -EINTR, "stopped");
		if (!memcmp(is, j->data + at, n))
			continue;
		*program |= 1u << i;
		if (!flash_blank(is, sizeof(is)))
			*erase |= 1u << i;
	}
	return 0;
}

static int erase_sectors(struct job *j, size_t from, unsigned int count, uint32_t *erase, uint32_t *program,
			 struct flash_err *err)
{
	uint32_t address = j->base + (uint32_t)from;
	bool whole = count == SECTORS_PER_BLOCK && address % NOR_BLOCK_BYTES == 0;
	int rc = 0;

	if (whole && (unsigned int)__builtin_popcount(*erase) >= BLOCK_ERASE_FROM) {
		*program = *erase = (uint32_t)((1ull << SECTORS_PER_BLOCK) - 1);
		j->tally->erased += SECTORS_PER_BLOCK;
		return flash_nor_erase(j->nor, address, NOR_BLOCK_BYTES, err);
	}
	for (unsigned int i = 0; !rc && i < count; i++) {
		if (!(*erase & 1u << i))
			continue;
		if (stopped(j->watch))
			return flash_fail(err, -EINTR, "stopped");
		rc = flash_nor_erase(j->nor, address + i * NOR_SECTOR_BYTES, NOR_SECTOR_BYTES, err);
		j->tally->erased++;
	}
	return rc;
}

static int write_block(struct job *j, size_t from, unsigned int count, struct flash_err *err)
{
	uint32_t erase, program;
	int rc = look(j, from, count, &erase, &program, err);

	j->tally->sectors += count;
	j->tally->kept += count - (unsigned int)__builtin_popcount(program);
	for (unsigned int try = 0; !rc && program && try < WRITE_TRIES; try++) {
		rc = erase_sectors(j, from, count, &erase, &program, err);
		for (unsigned int i = 0; !rc && i < count; i++) {
			if (!(program & 1u << i))
				continue;
			rc = program_sector(j, from + i * NOR_SECTOR_BYTES, err);
			j->tally->programmed++;
		}
		if (!rc)
			rc = look(j, from, count, &erase, &program, err);
	}
	if (!rc && program)
		rc = flash_fail(
			err, -EIO,
			"%s: flash chip %u does not keep what is written to the sector at 0x%08x: worn out, or protected",
			j->c->bar->name, j->nor->chip,
			j->base + (uint32_t)from + (uint32_t)__builtin_ctz(program) * NOR_SECTOR_BYTES);
	return rc;
}

/* Up to the next multiple of a block, at most to the end. */
static unsigned int sectors_until_block(const struct job *j, size_t from)
{
	size_t left = (j->size - from + NOR_SECTOR_BYTES - 1) / NOR_SECTOR_BYTES;
	size_t here = SECTORS_PER_BLOCK - (j->base + from) % NOR_BLOCK_BYTES / NOR_SECTOR_BYTES;

	return (unsigned int)(left < here ? left : here);
}

static int write_range(struct job *j, size_t from, size_t to, struct flash_err *err)
{
	int rc = 0;

	while (!rc && from < to) {
		unsigned int count = sectors_until_block(j, from);

		if ((to - from + NOR_SECTOR_BYTES - 1) / NOR_SECTOR_BYTES < count)
			count = (unsigned int)((to - from + NOR_SECTOR_BYTES - 1) / NOR_SECTOR_BYTES);
		if (stopped(j->watch))
			return flash_fail(err, -EINTR, "stopped");
		rc = write_block(j, from, count, err);
		from += (size_t)count * NOR_SECTOR_BYTES;
		j->done += (size_t)count * NOR_SECTOR_BYTES;
		if (j->done > j->total)
			j->done = j->total;
		tell(j, "write");
	}
	return rc;
}

/* ------------------------------------------------------------------------------------------------------- whole slots */

/* One chip's bytes of an image; the image itself with one chip. */
static const uint8_t *chip_part(const struct flash_card *c, unsigned int chip, const uint8_t *data, size_t size,
				size_t *part_size, uint8_t **made)
{
	*made = NULL;
	*part_size = (size + c->chips - 1) / c->chips;
	if (c->chips == 1)
		return data;
	*made = malloc(*part_size ? *part_size : 1);
	for (size_t i = 0; *made && i < *part_size; i++)
		(*made)[i] = image_striped_byte(data, size, chip, i);
	return *made;
}

static int fits(const struct flash_card *c, enum flash_slot slot, size_t size, struct flash_err *err)
{
	if (size == 0 || size > flash_slot_bytes(c, slot))
		return flash_fail(err, -EFBIG, "the image has %zu bytes, the %s slot takes 1 to %ju", size,
				  slot == FLASH_GOLDEN ? "golden" : "user", (uintmax_t)flash_slot_bytes(c, slot));
	return 0;
}

int flash_write(struct flash_card *c, enum flash_slot slot, const uint8_t *data, size_t size,
		const struct flash_watch *watch, struct flash_tally *tally, struct flash_err *err)
{
	bool guarded = slot == FLASH_USER && flash_has_golden(c);
	struct job j = { .c = c, .total = size, .watch = watch, .tally = tally };
	int rc = fits(c, slot, size, err);

	memset(tally, 0, sizeof(*tally));
	if (!rc && guarded)
		rc = flash_guard_set(c, err);
	for (unsigned int i = 0; !rc && i < c->chips; i++) {
		uint8_t *made;

		j.data = chip_part(c, i, data, size, &j.size, &made);
		if (!j.data)
			return flash_fail(err, -ENOMEM, "out of memory");
		j.nor = &c->nor[i];
		j.base = flash_slot_data(c, slot) / c->chips;
		j.total = (uint64_t)j.size * c->chips;
		/* Without a guard the sector that makes it an image comes last. */
		rc = write_range(&j, guarded ? 0 : NOR_SECTOR_BYTES, j.size, err);
		if (!rc && !guarded)
			rc = write_range(&j, 0, j.size < NOR_SECTOR_BYTES ? j.size : NOR_SECTOR_BYTES, err);
		free(made);
	}
	if (!rc && stopped(watch))
		rc = flash_fail(err, -EINTR, "stopped");
	if (!rc && guarded)
		rc = flash_guard_lift(c, err);
	return rc;
}

int flash_verify(struct flash_card *c, enum flash_slot slot, const uint8_t *data, size_t size,
		 const struct flash_watch *watch, uint64_t *different, uint32_t *first, struct flash_err *err)
{
	struct job j = { .c = c, .watch = watch };
	int rc = fits(c, slot, size, err);

	*different = 0;
	*first = 0;
	for (unsigned int i = 0; !rc && i < c->chips; i++) {
		uint8_t is[NOR_SECTOR_BYTES], *made;

		j.data = chip_part(c, i, data, size, &j.size, &made);
		if (!j.data)
			return flash_fail(err, -ENOMEM, "out of memory");
		j.base = flash_slot_data(c, slot) / c->chips;
		j.total = (uint64_t)j.size * c->chips;
		for (size_t at = 0; !rc && at < j.size; at += NOR_SECTOR_BYTES) {
			size_t n = sector_bytes(&j, at);

			rc = stopped(watch) ? flash_fail(err, -EINTR, "stopped")
					    : flash_nor_read(&c->nor[i], j.base + (uint32_t)at, is, n, err);
			if (!rc && memcmp(is, j.data + at, n) && !(*different)++)
				*first = (j.base + (uint32_t)at) * c->chips;
			j.done += n;
			tell(&j, "compare");
		}
		free(made);
	}
	return rc;
}
