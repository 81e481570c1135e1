/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A SPI NOR flash behind the registers of vhp_spi (the AXI Quad SPI register set, PG153): read, erase, program. All addresses go
 * with four bytes in the command, so that no mode of the chip matters. Micron chips read and program on four lanes.
 *
 * Every wait has a limit; a card that does not answer, or a chip that stays busy, ends in a sentence.
 */
#ifndef FLASH_NOR_H
#define FLASH_NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flash_bar.h"

#define NOR_PAGE_BYTES 256u
#define NOR_SECTOR_BYTES 4096u
#define NOR_BLOCK_BYTES 65536u

struct flash_nor {
	struct flash_bar *bar;
	unsigned int chip;  /**< slave select, 0 or 1 */
	unsigned int depth; /**< bytes of the FIFOs */
	uint8_t id[3];	    /**< JEDEC: manufacturer, type, capacity */
	uint64_t bytes;
	bool micron;
};

/**
 * Reset the controller, wait for what a former owner left under way, and identify the chip.
 *
 * @return 0; -EIO the card does not answer; -ETIMEDOUT; -ENODEV no chip, or one that is not known
 */
int flash_nor_open(struct flash_bar *bar, unsigned int chip, struct flash_nor *nor, struct flash_err *err);
/** Leave the chip as configuration logic expects it: not selected, addresses of three bytes in the first 16 MiB. */
int flash_nor_release(struct flash_nor *nor, struct flash_err *err);

int flash_nor_read(struct flash_nor *nor, uint32_t address, uint8_t *to, size_t len, struct flash_err *err);
/** @param bytes  NOR_SECTOR_BYTES or NOR_BLOCK_BYTES; @p address is a multiple of it */
int flash_nor_erase(struct flash_nor *nor, uint32_t address, unsigned int bytes, struct flash_err *err);
/** Within one page, which is erased. */
int flash_nor_program(struct flash_nor *nor, uint32_t address, const uint8_t *from, size_t len, struct flash_err *err);

#endif
