/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * BAR 4 without a card: the AXI Quad SPI registers as PG153 describes them, bits shifted into the simulation's flash model
 * (sim/nor.h), and vhp_boot. The power can fail after any number of register writes.
 */
#ifndef MOCK_CARD_H
#define MOCK_CARD_H

#include <stdbool.h>
#include <stdint.h>

#include "flash_bar.h"
#include "nor.h"

struct mock_card {
	struct flash_bar bar;
	unsigned int chips, depth;
	struct nor *nor[2];
	uint32_t start, idcode, image;
	/* Registers. */
	uint32_t cr, ssr, address;
	uint8_t tx[256], rx[256];
	unsigned int tx_level, rx_level, overruns;
	uint8_t opcode;
	unsigned int index; /* bytes of this command */
	unsigned int refused, reason;
	bool held, loading;
	/* Defects. */
	bool all_ones, never_empty, never_ready;
	int64_t writes_left; /* until the power fails; negative: it does not */
};

void mock_open(struct mock_card *m, unsigned int chips, uint32_t start);
void mock_close(struct mock_card *m);
/** Power off and on: registers as after reset, the flash keeps what it has. */
void mock_power_cycle(struct mock_card *m);
/** A command of its own, behind the library's back. */
/** @return what came back with the last byte */
uint8_t mock_command(struct mock_card *m, unsigned int chip, const uint8_t *bytes, unsigned int len);

#endif
