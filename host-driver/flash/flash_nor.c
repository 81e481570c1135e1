/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_nor.h"

#include <errno.h>
#include <string.h>

#include "vhp_spi_regs.h"

#define SPI(reg) ((uint32_t)offsetof(vhp_spi_t, reg))
#define RESET_KEY 0x0000000au
#define CR_RUN (VHP_SPI__CR__SPE_bm | VHP_SPI__CR__MASTER_bm | VHP_SPI__CR__MANUAL_SS_bm)
#define CR_HOLD (CR_RUN | VHP_SPI__CR__INHIBIT_bm)
#define NOBODY_SELECTED 0xffffffffu
#define MAX_DEPTH 1024u
#define DEPTH_STEP 16u

/* Opcodes of MT25Q; those with a 4 take four bytes of address. */
enum {
	WRITE_ENABLE = 0x06,
	READ_STATUS = 0x05,
	READ_FLAGS = 0x70,
	CLEAR_FLAGS = 0x50,
	READ_ID = 0x9f,
	WRITE_EXTENDED_ADDRESS = 0xc5,
	EXIT_4_BYTE_MODE = 0xe9,
	FAST_READ_4 = 0x0c,
	QUAD_READ_4 = 0x6c,
	PROGRAM_4 = 0x12,
	QUAD_PROGRAM_4 = 0x34,
	ERASE_SECTOR_4 = 0x21,
	ERASE_BLOCK_4 = 0xdc,
};

#define STATUS_WIP 0x01u
#define FLAGS_ERASE 0x20u
#define FLAGS_PROGRAM 0x10u
#define FLAGS_PROTECTION 0x02u

/* Limits in ms: about ten times the data sheet's largest. */
#define SHIFT_LIMIT 1000u
#define PROGRAM_LIMIT 100u
#define ERASE_LIMIT 10000u

#define MICRON 0x20u

/* -------------------------------------------------------------------------------------------------------- transfers */

static int no_answer(const struct flash_nor *n, struct flash_err *err)
{
	return flash_fail(
		err, -EIO,
		"%s: BAR 4 reads all ones: the card does not answer (link down, or its memory is switched off)",
		n->bar->name);
}

/* Everything in the transmit FIFO goes out. */
static int shift_out(struct flash_nor *n, struct flash_err *err)
{
	uint64_t limit = flash_now_ms() + (uint64_t)SHIFT_LIMIT * n->bar->scale;
	uint32_t sr;

	flash_bar_write(n->bar, SPI(cr), CR_RUN);
	for (;;) {
		bool late = flash_now_ms() > limit;

		sr = flash_bar_read(n->bar, SPI(sr));
		if (sr == UINT32_MAX)
			return no_answer(n, err);
		if (sr & VHP_SPI__SR__TX_EMPTY_bm)
			break;
		if (late)
			return flash_fail(
				err, -ETIMEDOUT,
				"%s: the SPI controller does not get its bytes out (status 0x%x): power-cycle the card",
				n->bar->name, sr);
	}
	flash_bar_write(n->bar, SPI(cr), CR_HOLD);
	return 0;
}

/* @p from NULL sends zeros, @p to NULL throws away what comes back. */
static int shift(struct flash_nor *n, const uint8_t *from, uint8_t *to, size_t len, struct flash_err *err)
{
	while (len > 0) {
		size_t part = len < n->depth ? len : n->depth;
		int rc;

		for (size_t i = 0; i < part; i++)
			flash_bar_write(n->bar, SPI(dtr), from ? from[i] : 0);
		rc = shift_out(n, err);
		if (rc)
			return rc;
		for (size_t i = 0; to && i < part; i++)
			to[i] = (uint8_t)flash_bar_read(n->bar, SPI(drr));
		if (!to)
			flash_bar_write(n->bar, SPI(cr), CR_HOLD | VHP_SPI__CR__RX_RESET_bm);
		from = from ? from + part : NULL;
		to = to ? to + part : NULL;
		len -= part;
	}
	return 0;
}

static void deselect(struct flash_nor *n)
{
	flash_bar_write(n->bar, SPI(ssr), NOBODY_SELECTED);
}

/* One command: what is sent, then what is sent or received behind it. */
static int command(struct flash_nor *n, const uint8_t *head, size_t head_len, const uint8_t *from, uint8_t *to,
		   size_t len, struct flash_err *err)
{
	int rc;

	flash_bar_write(n->bar, SPI(cr), CR_HOLD | VHP_SPI__CR__TX_RESET_bm | VHP_SPI__CR__RX_RESET_bm);
	flash_bar_write(n->bar, SPI(ssr), NOBODY_SELECTED & ~(1u << n->chip));
	rc = shift(n, head, NULL, head_len, err);
	if (!rc)
		rc = shift(n, from, to, len, err);
	deselect(n);
	return rc;
}

static int plain(struct flash_nor *n, uint8_t opcode, struct flash_err *err)
{
	return command(n, &opcode, 1, NULL, NULL, 0, err);
}

static int read_register(struct flash_nor *n, uint8_t opcode, uint8_t *value, struct flash_err *err)
{
	return command(n, &opcode, 1, NULL, value, 1, err);
}

static void with_address(uint8_t head[5], uint8_t opcode, uint32_t address)
{
	head[0] = opcode;
	for (unsigned int i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(address >> (24 - 8 * i));
}

/* The chip is done with what it does. @p limit in ms. */
static int wait_ready(struct flash_nor *n, unsigned int limit, const char *what, uint32_t address,
		      struct flash_err *err)
{
	uint64_t end = flash_now_ms() + (uint64_t)limit * n->bar->scale;
	unsigned int pause = 10;
	uint8_t status;

	for (;;) {
		bool late = flash_now_ms() > end;
		int rc = read_register(n, READ_STATUS, &status, err);

		if (rc)
			return rc;
		if (!(status & STATUS_WIP))
			return 0;
		if (late)
			return flash_fail(
				err, -ETIMEDOUT,
				"%s: flash chip %u stays busy (status 0x%02x) after %s at 0x%08x: power-cycle the card",
				n->bar->name, n->chip, status, what, address);
		if (n->bar->scale == 1) { /* in simulated time asking is what moves it on */
			flash_sleep_us(pause);
			pause = pause < 1000 ? 2 * pause : pause;
		}
	}
}

/* What a chip can tell of its failures. */
static int check_flags(struct flash_nor *n, const char *what, uint32_t address, struct flash_err *err)
{
	uint8_t flags;
	int rc;

	if (!n->micron)
		return 0;
	rc = read_register(n, READ_FLAGS, &flags, err);
	if (rc || !(flags & (FLAGS_ERASE | FLAGS_PROGRAM | FLAGS_PROTECTION)))
		return rc;
	plain(n, CLEAR_FLAGS, err);
	return flash_fail(err, -EIO, "%s: flash chip %u refused %s at 0x%08x (flags 0x%02x)%s", n->bar->name, n->chip,
			  what, address, flags, flags & FLAGS_PROTECTION ? ": the range is write-protected" : "");
}

/* ---------------------------------------------------------------------------------------------------------- opening */

static int find_depth(struct flash_nor *n, struct flash_err *err)
{
	flash_bar_write(n->bar, SPI(cr), CR_HOLD | VHP_SPI__CR__TX_RESET_bm | VHP_SPI__CR__RX_RESET_bm);
	for (n->depth = 0; n->depth < MAX_DEPTH;) {
		uint32_t sr;

		for (unsigned int i = 0; i < DEPTH_STEP; i++)
			flash_bar_write(n->bar, SPI(dtr), 0);
		n->depth += DEPTH_STEP;
		sr = flash_bar_read(n->bar, SPI(sr));
		if (sr == UINT32_MAX)
			return no_answer(n, err);
		if (sr & VHP_SPI__SR__TX_FULL_bm) {
			flash_bar_write(n->bar, SPI(cr), CR_HOLD | VHP_SPI__CR__TX_RESET_bm | VHP_SPI__CR__RX_RESET_bm);
			return 0;
		}
	}
	return flash_fail(err, -EIO,
			  "%s: the SPI controller at BAR 4 takes %u bytes and is not full: no AXI Quad SPI registers",
			  n->bar->name, n->depth);
}

int flash_nor_open(struct flash_bar *bar, unsigned int chip, struct flash_nor *n, struct flash_err *err)
{
	uint8_t opcode = READ_ID;
	int rc;

	memset(n, 0, sizeof(*n));
	n->bar = bar;
	n->chip = chip;
	flash_bar_write(bar, SPI(srr), RESET_KEY);
	rc = find_depth(n, err);
	/* A program that was killed may have left an erase under way. */
	if (!rc)
		rc = wait_ready(n, ERASE_LIMIT, "what was under way before", 0, err);
	if (!rc)
		rc = command(n, &opcode, 1, NULL, n->id, sizeof(n->id), err);
	if (rc)
		return rc;
	if ((n->id[0] == 0xff && n->id[1] == 0xff) || (n->id[0] == 0 && n->id[1] == 0))
		return flash_fail(err, -ENODEV, "%s: flash chip %u does not answer (id %02x %02x %02x)", bar->name,
				  chip, n->id[0], n->id[1], n->id[2]);
	/* Capacity: log2 of the bytes; beyond 32 MiB manufacturers count on in decimal: 0x20 is 64 MiB. */
	if (n->id[2] >= 0x10 && n->id[2] <= 0x19)
		n->bytes = 1ull << n->id[2];
	else if (n->id[2] >= 0x20 && n->id[2] <= 0x22)
		n->bytes = 1ull << (n->id[2] - 0x20 + 26);
	else
		return flash_fail(err, -ENODEV, "%s: flash chip %u has an unknown size (id %02x %02x %02x)", bar->name,
				  chip, n->id[0], n->id[1], n->id[2]);
	n->micron = n->id[0] == MICRON;
	return n->micron ? plain(n, CLEAR_FLAGS, err) : 0;
}

int flash_nor_release(struct flash_nor *n, struct flash_err *err)
{
	static const uint8_t first_bank[] = { WRITE_EXTENDED_ADDRESS, 0 };
	int rc = plain(n, WRITE_ENABLE, err);

	if (!rc)
		rc = command(n, first_bank, sizeof(first_bank), NULL, NULL, 0, err);
	if (!rc)
		rc = wait_ready(n, PROGRAM_LIMIT, "a register write", 0, err);
	if (!rc)
		rc = plain(n, WRITE_ENABLE, err);
	if (!rc)
		rc = plain(n, EXIT_4_BYTE_MODE, err);
	return rc;
}

/* --------------------------------------------------------------------------------------------------------- the chip */

static int in_range(const struct flash_nor *n, uint32_t address, size_t len, struct flash_err *err)
{
	if (len > n->bytes || address > n->bytes - len)
		return flash_fail(err, -ERANGE, "%s: 0x%zx bytes at 0x%08x are outside the flash chip (%ju bytes)",
				  n->bar->name, len, address, (uintmax_t)n->bytes);
	return 0;
}

int flash_nor_read(struct flash_nor *n, uint32_t address, uint8_t *to, size_t len, struct flash_err *err)
{
	uint8_t head[6] = { 0 }; /* the last one is the dummy byte */
	int rc = in_range(n, address, len, err);

	if (rc)
		return rc;
	with_address(head, n->micron ? QUAD_READ_4 : FAST_READ_4, address);
	return command(n, head, sizeof(head), NULL, to, len, err);
}

int flash_nor_erase(struct flash_nor *n, uint32_t address, unsigned int bytes, struct flash_err *err)
{
	uint8_t head[5];
	int rc = in_range(n, address, bytes, err);

	with_address(head, bytes == NOR_BLOCK_BYTES ? ERASE_BLOCK_4 : ERASE_SECTOR_4, address);
	if (!rc)
		rc = plain(n, WRITE_ENABLE, err);
	if (!rc)
		rc = command(n, head, sizeof(head), NULL, NULL, 0, err);
	if (!rc)
		rc = wait_ready(n, ERASE_LIMIT, "an erase", address, err);
	return rc ? rc : check_flags(n, "an erase", address, err);
}

int flash_nor_program(struct flash_nor *n, uint32_t address, const uint8_t *from, size_t len, struct flash_err *err)
{
	uint8_t head[5];
	int rc = in_range(n, address, len, err);

	if (!rc && address % NOR_PAGE_BYTES + len > NOR_PAGE_BYTES)
		rc = flash_fail(err, -EINVAL, "%zu bytes at 0x%08x cross a page", len, address);
	with_address(head, n->micron ? QUAD_PROGRAM_4 : PROGRAM_4, address);
	if (!rc)
		rc = plain(n, WRITE_ENABLE, err);
	if (!rc)
		rc = command(n, head, sizeof(head), from, NULL, len, err);
	if (!rc)
		rc = wait_ready(n, PROGRAM_LIMIT, "a write", address, err);
	return rc ? rc : check_flags(n, "a write", address, err);
}
