/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the MT25QU01G and what it says of itself. Private to nor.c.
 */
#ifndef VHP_SIM_NOR_COMMANDS_H
#define VHP_SIM_NOR_COMMANDS_H

#include <stdint.h>

enum action {
	NOP, /* must be 0: commands that are not there have no name either */
	READ,
	READ_ID,
	READ_SFDP,
	READ_SR,
	READ_FSR,
	READ_EAR,
	READ_VCR,
	READ_EVCR,
	READ_NVCR,
	WRITE_ENABLE,
	WRITE_DISABLE,
	WRITE_SR,
	WRITE_EAR,
	WRITE_VCR,
	WRITE_EVCR,
	CLEAR_FSR,
	ENTER_4,
	EXIT_4,
	PROGRAM,
	ERASE_4K,
	ERASE_32K,
	ERASE_64K,
	ERASE_DIE,
	RESET_ENABLE,
	RESET
};

#define MODE 1u	  /* address bytes: three, or four in 4-byte mode */
#define WREN 1u	  /* needs write enable and ends it */
#define ALWAYS 2u /* also while busy */

struct command {
	enum action action;
	uint8_t address;      /* bytes: 0, 3, 4, MODE */
	uint8_t address_wide; /* lines that carry the address */
	uint8_t data_wide;    /* lines that carry data, 0: none */
	uint8_t dummy;	      /* clocks */
	uint8_t flags;
};

static const struct command commands[256] = {
	[0x9f] = { READ_ID, 0, 0, 1, 0, 0 },
	[0x9e] = { READ_ID, 0, 0, 1, 0, 0 },
	[0x5a] = { READ_SFDP, 3, 1, 1, 8, 0 },
	[0x03] = { READ, MODE, 1, 1, 0, 0 },
	[0x0b] = { READ, MODE, 1, 1, 8, 0 },
	[0x3b] = { READ, MODE, 1, 2, 8, 0 },
	[0xbb] = { READ, MODE, 2, 2, 8, 0 },
	[0x6b] = { READ, MODE, 1, 4, 8, 0 },
	[0xeb] = { READ, MODE, 4, 4, 10, 0 },
	[0x13] = { READ, 4, 1, 1, 0, 0 },
	[0x0c] = { READ, 4, 1, 1, 8, 0 },
	[0x3c] = { READ, 4, 1, 2, 8, 0 },
	[0xbc] = { READ, 4, 2, 2, 8, 0 },
	[0x6c] = { READ, 4, 1, 4, 8, 0 },
	[0xec] = { READ, 4, 4, 4, 10, 0 },
	[0x05] = { READ_SR, 0, 0, 1, 0, ALWAYS },
	[0x70] = { READ_FSR, 0, 0, 1, 0, ALWAYS },
	[0xc8] = { READ_EAR, 0, 0, 1, 0, 0 },
	[0x85] = { READ_VCR, 0, 0, 1, 0, 0 },
	[0x65] = { READ_EVCR, 0, 0, 1, 0, 0 },
	[0xb5] = { READ_NVCR, 0, 0, 1, 0, 0 },
	[0x06] = { WRITE_ENABLE, 0, 0, 0, 0, 0 },
	[0x04] = { WRITE_DISABLE, 0, 0, 0, 0, 0 },
	[0x01] = { WRITE_SR, 0, 0, 1, 0, WREN },
	[0xc5] = { WRITE_EAR, 0, 0, 1, 0, WREN },
	[0x81] = { WRITE_VCR, 0, 0, 1, 0, WREN },
	[0x61] = { WRITE_EVCR, 0, 0, 1, 0, WREN },
	[0x50] = { CLEAR_FSR, 0, 0, 0, 0, 0 },
	[0xb7] = { ENTER_4, 0, 0, 0, 0, WREN },
	[0xe9] = { EXIT_4, 0, 0, 0, 0, WREN },
	[0x02] = { PROGRAM, MODE, 1, 1, 0, WREN },
	[0xa2] = { PROGRAM, MODE, 1, 2, 0, WREN },
	[0xd2] = { PROGRAM, MODE, 2, 2, 0, WREN },
	[0x32] = { PROGRAM, MODE, 1, 4, 0, WREN },
	[0x38] = { PROGRAM, MODE, 4, 4, 0, WREN },
	[0x12] = { PROGRAM, 4, 1, 1, 0, WREN },
	[0x34] = { PROGRAM, 4, 1, 4, 0, WREN },
	[0x3e] = { PROGRAM, 4, 4, 4, 0, WREN },
	[0x20] = { ERASE_4K, MODE, 1, 0, 0, WREN },
	[0x21] = { ERASE_4K, 4, 1, 0, 0, WREN },
	[0x52] = { ERASE_32K, MODE, 1, 0, 0, WREN },
	[0x5c] = { ERASE_32K, 4, 1, 0, 0, WREN },
	[0xd8] = { ERASE_64K, MODE, 1, 0, 0, WREN },
	[0xdc] = { ERASE_64K, 4, 1, 0, 0, WREN },
	[0xc4] = { ERASE_DIE, MODE, 1, 0, 0, WREN },
	[0x66] = { RESET_ENABLE, 0, 0, 0, 0, ALWAYS },
	[0x99] = { RESET, 0, 0, 0, 0, ALWAYS },
};

/* Manufacturer, 1.8 V, 1 Gbit; 16 more bytes: extended device id (second generation, 64 KiB sectors), factory data. */
static const uint8_t id_bytes[20] = { 0x20, 0xbb, 0x21, 0x10, 0x44, 0x00, 0x56, 0x48, 0x50, 0x53 };

/* JESD216B: header, basic flash parameters of 16 dwords at 0x30. */
static const uint8_t sfdp[] = {
	0x53, 0x46, 0x44, 0x50, 0x06, 0x01, 0x00, 0xff, 0x00, 0x06, 0x01, 0x10, 0x30, 0x00, 0x00, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xe5, 0x20, 0xfb, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x29, 0xeb, 0x27, 0x6b, 0x27, 0x3b, 0x27, 0xbb,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x27, 0xbb, 0xff, 0xff, 0x29, 0xeb, 0x0c, 0x20, 0x10, 0xd8,
	0x0f, 0x52, 0x00, 0x00, 0x24, 0x4a, 0x99, 0x00, 0x8b, 0x8e, 0x03, 0xe1, 0xac, 0x01, 0x27, 0x38,
	0x7a, 0x75, 0x7a, 0x75, 0xfb, 0xbd, 0xd5, 0x5c, 0x4a, 0x0f, 0x82, 0xff, 0x81, 0xbd, 0x3d, 0x36,
};

#endif
