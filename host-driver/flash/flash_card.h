/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A card's flash as images see it: which board it is, the golden slot at 0 and the user slot behind it, the guard.
 *
 * The layout is that of xbflash2. With one chip and user slot at A: the guard's sector (4 KiB) at A, the image from A + 0x1000 on.
 * Configuration begins at A and, if the guard is there, finds a watchdog that nobody feeds: it falls back to the golden image at 0.
 * An erased guard's sector is padding before the image. Two chips (SPIx8) hold a nibble of each byte; all addresses are halved.
 *
 * A write goes: guard in place, sectors that differ, verify, guard lifted. Whatever ends it at any point, also inside an erase or
 * program command, either the old image is whole and active, or the guard is in place, or the new image is whole and active.
 */
#ifndef FLASH_CARD_H
#define FLASH_CARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bitstream.h"
#include "flash_bar.h"
#include "flash_nor.h"

#define FLASH_MAX_CHIPS 2u

/** vhp_boot.status, in words. */
struct flash_status {
	bool held, busy;
	unsigned int refused, reason;
};

struct flash_card {
	struct flash_bar *bar;
	char board[17];
	uint32_t image;	 /**< USR_ACCESS of the running image */
	uint32_t idcode; /**< of the part that it was built for */
	uint32_t start;	 /**< where the user slot begins, in the flash as a whole */
	unsigned int chips;
	uint64_t chip_bytes;
	struct flash_nor nor[FLASH_MAX_CHIPS];
};

enum flash_slot {
	FLASH_GOLDEN,
	FLASH_USER
};

enum flash_guard {
	FLASH_GUARD_NONE, /**< not a slot with a guard, or no sync word where it would be: the image behind that is active */
	FLASH_GUARD_THERE, /**< the golden image is what boots */
	FLASH_GUARD_DATA,  /**< another sync word: an image that another tool put right at the slot's begin */
};

/** What the flash holds in a slot. Offsets of the stream count from the byte in the flash as a whole given in `from`. */
struct flash_contents {
	enum flash_guard guard;
	uint32_t from;
	struct bitstream_info stream;
};

/** What a long operation tells and is told. */
struct flash_watch {
	void (*tell)(void *arg, const char *phase, uint64_t done, uint64_t total); /**< may be NULL */
	void *arg;
	const volatile sig_atomic_t *stop; /**< becomes nonzero: end with -EINTR at the next safe point; may be NULL */
};

struct flash_tally {
	uint64_t sectors, kept, erased, programmed; /**< of 4 KiB */
	uint64_t pages;
};

/** Identify the card and its chips. The bar stays the caller's. */
int flash_card_open(struct flash_bar *bar, struct flash_card *card, struct flash_err *err);
/** Only what vhp_boot tells: works while the flash itself is in nobody's hands. */
int flash_card_identify(struct flash_bar *bar, struct flash_card *card, struct flash_err *err);
/** Leave the chips as configuration logic wants them. Errors do not matter then. */
void flash_card_release(struct flash_card *card);
int flash_card_status(struct flash_card *card, struct flash_status *status, struct flash_err *err);
const char *flash_reason(unsigned int reason);

bool flash_has_golden(const struct flash_card *card);
/** Bytes for an image in a slot. */
uint64_t flash_slot_bytes(const struct flash_card *card, enum flash_slot slot);
/** First byte of a slot's image in the flash as a whole. */
uint32_t flash_slot_data(const struct flash_card *card, enum flash_slot slot);
/** @param most  bytes to look at for the image's identity */
int flash_inspect(struct flash_card *card, enum flash_slot slot, uint64_t most, struct flash_contents *contents,
		  struct flash_err *err);

/** Bytes of the flash as a whole: two chips are merged. */
int flash_read(struct flash_card *card, uint32_t address, uint8_t *to, size_t len, const struct flash_watch *watch,
	       struct flash_err *err);
/**
 * Put an image into a slot and activate it.
 *
 * @return 0; -EFBIG; -EINTR stopped: the guard is in place; -EIO the flash does not take it; errors of the card
 */
int flash_write(struct flash_card *card, enum flash_slot slot, const uint8_t *data, size_t size,
		const struct flash_watch *watch, struct flash_tally *tally, struct flash_err *err);
/** @param different  sectors whose contents are others; @p first is the address of the first one */
int flash_verify(struct flash_card *card, enum flash_slot slot, const uint8_t *data, size_t size,
		 const struct flash_watch *watch, uint64_t *different, uint32_t *first, struct flash_err *err);
/** Put the guard in place, nothing else: the golden image boots next. */
int flash_revert(struct flash_card *card, struct flash_err *err);

/**
 * Load the image at an address: chips released, then the key.
 *
 * @return 0 it is under way; -EBUSY held; -EACCES refused for another reason
 */
int flash_boot(struct flash_card *card, uint32_t address, struct flash_err *err);
/** The card answers as one that is not loading anything. */
bool flash_is_back(struct flash_bar *bar);

#endif
