/* SPDX-License-Identifier: Apache-2.0 */
/** @file What flash_card.c, flash_slot.c and flash_guard.c share. */
#ifndef FLASH_SLOT_H
#define FLASH_SLOT_H

#include "flash_card.h"

bool flash_blank(const uint8_t *data, size_t len);

/** What configuration would meet in the user slot's first sector, of all chips together. */
int flash_guard_state(struct flash_card *card, enum flash_guard *state, struct flash_err *err);
/**
 * The guard is what configuration meets. In front of an image right at the slot it stands in the image's padding, as long as there
 * is some: what was active stays so until the guard is whole.
 */
int flash_guard_set(struct flash_card *card, struct flash_err *err);
/** The first sector is erased: what is behind it becomes active, at once. */
int flash_guard_lift(struct flash_card *card, struct flash_err *err);

#endif
