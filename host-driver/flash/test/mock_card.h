/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * BAR 4 without a card: the AXI Quad SPI registers as PG153 describes them, bits shifted into the simulation's flash model
 * (sim/nor.h), and vhp_boot. The power can fail after any number of register writes, and before, in or after any erase or program
 * command. Also what tests of it share: images, the flash's bytes past all registers.
 */
#ifndef MOCK_CARD_H
#define MOCK_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flash_bar.h"
#include "nor.h"

/** Time moves with register accesses only: no sleeps, and limits that a machine with other work does not reach. */
#define MOCK_SCALE 1000u

/** When the power fails at a command that changes the flash. */
enum mock_cut {
	MOCK_BEFORE, /**< it has been sent, CS# has not risen */
	MOCK_INSIDE,
	MOCK_AFTER
};

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
	int64_t writes_left;  /* until the power fails; negative: it does not */
	unsigned int changes; /* erase and program commands so far */
	unsigned int cut_at;  /* the one at which the power fails; 0: none */
	enum mock_cut cut;
	uint64_t seed; /* of what a change is that is cut off */
};

void mock_open(struct mock_card *m, unsigned int chips, uint32_t start);
void mock_close(struct mock_card *m);
/** Power off and on: registers as after reset, the flash keeps what it has. */
void mock_power_cycle(struct mock_card *m);
/** A command of its own, behind the library's back. @return what came back with the last byte */
uint8_t mock_command(struct mock_card *m, unsigned int chip, const uint8_t *bytes, unsigned int len);

/** The flash as a whole, past all registers; the range begins and ends at even addresses if there are two chips. */
void mock_peek(struct mock_card *m, uint32_t address, uint8_t *to, size_t size);
void mock_poke(struct mock_card *m, uint32_t address, const uint8_t *from, size_t size);
bool mock_holds(struct mock_card *m, uint32_t address, const uint8_t *data, size_t size);

/**
 * Configuration data: padding, sync, IDCODE, USR_ACCESS, filler frames, DESYNC. The caller frees it.
 *
 * @param size  a multiple of 4
 * @param pads  words 0xffffffff at the begin: 16 as Vivado's have, or fewer
 */
uint8_t *mock_image(unsigned int *seed, uint32_t usr_access, size_t size, unsigned int pads);

#endif
