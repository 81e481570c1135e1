/* SPDX-License-Identifier: Apache-2.0 */
#include "fpga.h"

#include <stdio.h>
#include <string.h>

#define SYNC 0xaa995566u
#define IDCODE_MASK 0x0fffffffu
#define TIMER_CFG_MON (1u << 30)
#define TIMER_VALUE (TIMER_CFG_MON - 1)
#define WBSTAR_ADDRESS 0x1fffffffu
#define CCLK_PER_WORD 8u /* SPIx4 */
#define MAX_JUMPS 4u
#define BLOCK 4096u

enum reg {
	REG_CRC = 0x00,
	REG_FDRI = 0x02,
	REG_CMD = 0x04,
	REG_LOUT = 0x08,
	REG_MFWR = 0x0a,
	REG_CBC = 0x0b,
	REG_IDCODE = 0x0c,
	REG_AXSS = 0x0d,
	REG_WBSTAR = 0x10,
	REG_TIMER = 0x11,
	REG_LAST = 0x1f
};

enum cmd {
	CMD_START = 5,
	CMD_RCRC = 7,
	CMD_DESYNC = 13,
	CMD_IPROG = 15
};

void fpga_init(struct fpga *f, uint32_t idcode)
{
	*f = (struct fpga){ .idcode = idcode & IDCODE_MASK };
}

/* CRC-32C, least significant bit first: 32 bits of data, then 5 of the register's address. */
static uint32_t crc_step(uint32_t crc, unsigned int reg, uint32_t word)
{
	uint64_t bits = (uint64_t)reg << 32 | word;

	for (unsigned int i = 0; i < 37; i++, bits >>= 1)
		crc = crc >> 1 ^ ((crc ^ bits) & 1 ? 0x82f63b78u : 0);
	return crc;
}

static void new_stream(struct fpga *f)
{
	f->synced = f->id_ok = f->frames = f->crc_ok = f->started = false;
	f->crc = f->left = 0;
	f->reg = 0;
}

static void set_timer(struct fpga *f, uint32_t v)
{
	f->timer = v;
	f->watchdog = v & TIMER_VALUE;
}

static enum fpga_event command(struct fpga *f, uint32_t cmd)
{
	switch (cmd & 0x1f) {
	case CMD_RCRC:
		f->crc = 0;
		break;
	case CMD_START:
		f->started = true;
		break;
	case CMD_IPROG:
		return f->fallback ? FPGA_NONE : FPGA_IPROG;
	case CMD_DESYNC:
		f->synced = false;
		return f->frames && f->crc_ok && f->started ? FPGA_DESYNC : FPGA_INCOMPLETE;
	}
	return FPGA_NONE;
}

static enum fpga_event write_reg(struct fpga *f, uint32_t v)
{
	if (f->reg == REG_CRC) {
		if (v != f->crc)
			return FPGA_BAD_CRC;
		f->crc = 0;
		f->crc_ok = true;
		return FPGA_NONE;
	}
	if (f->reg != REG_LOUT)
		f->crc = crc_step(f->crc, f->reg, v);
	switch (f->reg) {
	case REG_CMD:
		return command(f, v);
	case REG_IDCODE:
		if ((v & IDCODE_MASK) != f->idcode)
			return FPGA_BAD_IDCODE;
		f->id_ok = true;
		break;
	case REG_FDRI:
	case REG_MFWR:
		if (!f->id_ok)
			return FPGA_BAD_IDCODE;
		f->frames = true;
		f->crc_ok = false;
		break;
	case REG_AXSS:
		f->axss = v;
		break;
	case REG_WBSTAR:
		f->wbstar = v & WBSTAR_ADDRESS;
		break;
	case REG_TIMER:
		set_timer(f, v);
		break;
	}
	return FPGA_NONE;
}

static bool many_words(unsigned int reg)
{
	return reg == REG_FDRI || reg == REG_MFWR || reg == REG_CBC;
}

/* A word behind the sync word. */
static enum fpga_event packet_word(struct fpga *f, uint32_t w)
{
	bool write = (w >> 27 & 3) == 2;

	if (f->left) {
		f->left--;
		return write_reg(f, w);
	}
	/* Types 1 and 2; anything else (zeros, erased flash) is passed over, and so are NOPs and reads. */
	if (!write)
		return FPGA_NONE;
	if (w >> 29 == 1) {
		f->reg = w >> 13 & 0x3fff;
		f->left = w & 0x7ff;
		if (f->reg > REG_LAST || (f->left > 1 && !many_words(f->reg)))
			return FPGA_BAD_PACKET;
	} else if (w >> 29 == 2) {
		f->left = w & 0x7ffffff;
		if (!many_words(f->reg))
			return FPGA_BAD_PACKET;
	}
	return FPGA_NONE;
}

/* ------------------------------------------------------------------------------------------ ICAP */

static uint32_t reverse_bytes_bits(uint32_t w)
{
	w = (w >> 1 & 0x55555555) | (w & 0x55555555) << 1;
	w = (w >> 2 & 0x33333333) | (w & 0x33333333) << 2;
	return (w >> 4 & 0x0f0f0f0f) | (w & 0x0f0f0f0f) << 4;
}

enum fpga_event fpga_icap(struct fpga *f, bool csib, bool rdwrb, uint32_t word)
{
	enum fpga_event e;

	if (csib || rdwrb)
		return FPGA_NONE;
	word = reverse_bytes_bits(word);
	if (!f->synced) {
		if (word == SYNC) {
			new_stream(f);
			f->synced = true;
		}
		return FPGA_NONE;
	}
	e = packet_word(f, word);
	if (e != FPGA_NONE)
		f->synced = false;
	return e == FPGA_IPROG ? e : FPGA_NONE;
}

/* ------------------------------------------------------------------------------------------ images */

/* Bytes of the source in order. */
struct reader {
	const struct fpga_source *src;
	uint32_t at, have; /* next byte, end of the block */
	uint8_t block[BLOCK];
	bool failed;
};

static bool next_byte(struct reader *r, uint8_t *byte)
{
	if (r->at == r->have) {
		uint32_t len = BLOCK - r->at % BLOCK;

		if (r->at >= r->src->end)
			return false;
		if (len > r->src->end - r->at)
			len = r->src->end - r->at;
		if (!r->src->read(r->src->arg, r->at, r->block + r->at % BLOCK, len)) {
			r->failed = true;
			return false;
		}
		r->have = r->at + len;
	}
	*byte = r->block[r->at++ % BLOCK];
	return true;
}

enum fpga_event fpga_load(struct fpga *f, const struct fpga_source *src, uint32_t address, bool fallback)
{
	struct reader r = { .src = src, .at = address, .have = address };
	uint32_t word = 0;
	unsigned int bytes = 0;
	uint8_t byte;

	new_stream(f);
	f->fallback = fallback;
	f->axss = 0;
	if (fallback)
		f->wbstar = 0;
	set_timer(f, fallback ? 0 : f->timer);
	while (next_byte(&r, &byte)) {
		enum fpga_event e = FPGA_NONE;

		word = word << 8 | byte;
		bytes++;
		/* Before the sync word any byte may be its first; behind it words are words. */
		if (!f->synced) {
			f->synced = word == SYNC;
			if (f->synced)
				bytes = 0;
		} else if (bytes == 4) {
			e = packet_word(f, word);
			bytes = 0;
		}
		if (e != FPGA_NONE)
			return e;
		if (f->timer & TIMER_CFG_MON && !fallback && r.at % 4 == 0) {
			if (f->watchdog < CCLK_PER_WORD)
				return FPGA_WATCHDOG;
			f->watchdog -= CCLK_PER_WORD;
		}
	}
	return r.failed ? FPGA_UNREADABLE : FPGA_END;
}

const char *fpga_event_text(enum fpga_event e)
{
	static const char *const texts[] = {
		[FPGA_NONE] = "nothing",
		[FPGA_DESYNC] = "good",
		[FPGA_IPROG] = "jumps elsewhere",
		[FPGA_BAD_IDCODE] = "written for another part (IDCODE)",
		[FPGA_BAD_PACKET] = "packet for no register, or with too many words for it",
		[FPGA_BAD_CRC] = "CRC error",
		[FPGA_INCOMPLETE] = "incomplete (no frames, no CRC word or no START before DESYNC)",
		[FPGA_WATCHDOG] = "watchdog expired",
		[FPGA_END] = "no image, or no end of one, up to the end of the flash",
		[FPGA_UNREADABLE] = "the flash does not answer",
		[FPGA_CIRCLE] = "images jump in a circle",
	};

	return texts[e];
}

bool fpga_boot(struct fpga *f, const struct fpga_source *src, struct fpga_image *image,
	       void (*log)(void *arg, const char *text), void *arg)
{
	uint32_t address = f->wbstar;
	unsigned int jumps = 0;

	for (bool fallback = false;;) {
		enum fpga_event e = fpga_load(f, src, address, fallback);
		char text[160];

		if (e == FPGA_DESYNC) {
			*image = (struct fpga_image){ address, f->axss, fallback };
			f->fallback = false;
			return true;
		}
		if (e == FPGA_IPROG && jumps++ < MAX_JUMPS) {
			address = f->wbstar;
			continue;
		}
		if (e == FPGA_IPROG)
			e = FPGA_CIRCLE;
		snprintf(text, sizeof(text), "image at 0x%08x: %s; %s", address, fpga_event_text(e),
			 fallback ? "nothing runs" : "falling back to 0");
		if (log)
			log(arg, text);
		if (fallback)
			return false;
		fallback = true;
		address = 0;
	}
}
