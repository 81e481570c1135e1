/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the files of `vhpctl flash` share: flash_command.c (arguments), flash_show.c, flash_transfer.c (write, verify, revert,
 * read), flash_reload.c (boot). The commands print to stdout unless --json, complain to stderr, and return an exit status of
 * commands.h. One command in one thread.
 */
#ifndef FLASH_COMMAND_H
#define FLASH_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flash_card.h"
#include "image.h"

struct flash_config {
	const char *verb, *pci, *socket, *image, *cert, *output;
	bool json, force, yes, golden, allow_unsigned, has_offset, has_length;
	uint64_t offset, length;
	unsigned int settle_s, limit_s;
};

#define FLASH_COMMAND_LOOK 8192u /**< bytes of a slot, for its identity, which stands in the head */

extern const char *const flash_command_slots[];	 /**< names of enum flash_slot */
extern const char *const flash_command_guards[]; /**< words for the guard in struct flash_contents */

/** The commands. @p result gets what there is to say in JSON; @p image is --image, opened. */
int flash_command_show(const struct flash_config *c, struct flash_card *card, json_t *result);
int flash_command_write(const struct flash_config *c, struct flash_card *card, const struct image *image,
			json_t *result);
int flash_command_verify(const struct flash_config *c, struct flash_card *card, const struct image *image,
			 json_t *result);
int flash_command_revert(const struct flash_config *c, struct flash_card *card, json_t *result);
int flash_command_read(const struct flash_config *c, struct flash_card *card, json_t *result);
/** Releases @p card and closes @p bar, also if it fails; @p image may be NULL. */
int flash_command_boot(const struct flash_config *c, struct flash_bar *bar, struct flash_card *card,
		       const struct image *image, json_t *result);

/** Ask before something is changed. @return 0, or the exit status if it must not be */
int flash_command_confirm(const struct flash_config *c, const char *question);
/** A member "0x%08x". */
void flash_command_set_hex(json_t *o, const char *key, uint32_t value);
/** To stderr, and into @p result as "error". @return @p status */
int flash_command_complain(json_t *result, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
