/* SPDX-License-Identifier: Apache-2.0 */
/** @file What the files of `vhpctl flash` share. */
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

/** Connect by --socket, --pci, or to the only card. */
int flash_command_open(const struct flash_config *c, struct flash_bar **bar, struct flash_err *err);
/** `vhpctl flash boot`. @p result gets what there is to say in JSON. @return exit status */
int flash_command_boot(const struct flash_config *c, struct flash_bar *bar, struct flash_card *card,
		       const struct image *image, json_t *result);
/** Ask before something is changed. @return 0, or the exit status if it must not be */
int flash_command_confirm(const struct flash_config *c, const char *question);
/** To stderr, and into @p result as "error". @return @p status */
int flash_command_complain(json_t *result, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
