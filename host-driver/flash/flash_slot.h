/* SPDX-License-Identifier: Apache-2.0 */
/** @file What flash_card.c and flash_slot.c share. */
#ifndef FLASH_SLOT_H
#define FLASH_SLOT_H

#include "flash_card.h"

/** What stands in the user slot's guard sector; with two chips the weaker one counts. */
int flash_guard_state(struct flash_card *card, enum flash_guard *state, struct flash_err *err);

#endif
