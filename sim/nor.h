/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A configuration flash at its pins: Micron MT25QU01G (1 Gbit, two dies of 64 MiB, 256-byte pages) in SPI modes 0 and 3
 * with one, two and four data lines.
 *
 *     struct nor_config cfg;
 *     nor_defaults(&cfg, 10000);
 *     nor_create(&cfg, NULL, &nor);
 *     every user clock: dq_in = nor_cycle(nor, sck, cs_n, dq_out, dq_tri);
 *
 * What a real part punishes is punished in the contents or by silence, and counted (enum nor_violation): data on too few
 * lines, commands while busy or without write enable, programming what is not erased, CS# that rises inside a byte.
 * Not modelled: QPI, XIP, suspend and resume, power down, OTP, sector locks, DTR; their commands are "unknown".
 *
 * Contents: a file, written through, or memory that goes with the model. Threads: one at a time. Errors: negative errno.
 */
#ifndef VHP_SIM_NOR_H
#define VHP_SIM_NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NOR_SIZE (128u << 20)
#define NOR_DIE (64u << 20)
#define NOR_PAGE 256u
#define NOR_SECTOR 4096u /**< bytes, the smallest that can be erased */

struct nor_config {
	/* Busy times in user clocks, at least 1. */
	uint64_t program, erase_4k, erase_32k, erase_64k, erase_die, write_register;
	unsigned int output_delay;    /**< user clocks from SCK falling to the data lines, 0..7 */
	unsigned int min_period;      /**< user clocks from one rising SCK to the next, at least */
	unsigned int min_period_read; /**< the same for the plain reads 03 and 13 */
	/** One line about a violation (the first 20) or a file that fails; may be NULL. */
	void (*log)(void *arg, const char *text);
	void *arg;
};

enum nor_violation {
	NOR_UNKNOWN,	 /**< no such command */
	NOR_BUSY,	 /**< command refused while a program or erase is under way */
	NOR_NO_WREN,	 /**< the command needs write enable */
	NOR_ABORTED,	 /**< CS# rose inside a byte, before the command was whole, or after it */
	NOR_OVERWRITE,	 /**< programming tried to turn a 0 into a 1: the bits stay 0 */
	NOR_UNDRIVEN,	 /**< the part sampled a line that nobody drove (reads 1) */
	NOR_CONTENTION,	 /**< both sides drove a line */
	NOR_HOLD,	 /**< DQ3 low in a single-line phase: HOLD#, the part ignores the clock */
	NOR_TOO_FAST,	 /**< SCK faster than the command allows */
	NOR_PROTECTED,	 /**< program or erase of a block protected by the status register */
	NOR_RANGE,	 /**< address beyond the end (it wraps) */
	NOR_INTERRUPTED, /**< reset during program or erase: the page or sector is damaged */
	NOR_VIOLATIONS
};

struct nor_stats {
	uint64_t opcode[256]; /**< commands begun */
	uint64_t pages_programmed, bytes_programmed;
	uint64_t erased_4k, erased_32k, erased_64k, erased_dies;
	uint64_t violations[NOR_VIOLATIONS];
};

struct nor;

/** Times of the data sheet (typical: 120 us a page, 50 ms 4 KiB, 153 s a die) divided by @p divide, at least 1000 clocks. */
void nor_defaults(struct nor_config *cfg, unsigned int divide);
/**
 * @param path  file with the contents, NOR_SIZE bytes, made (erased) if there is none, locked; NULL: memory, erased
 * @return 1: it is new; 0: it was there; -EFBIG wrong size; -EBUSY another process has it; other negative errno
 */
int nor_create(const struct nor_config *cfg, const char *path, struct nor **nor);
/** What is under way is not done. */
void nor_destroy(struct nor *n);

/**
 * One user clock: the pins as the card drives them.
 *
 * @param dq_tri  1 = the card does not drive this line
 * @return levels of the four lines, for the card's next clock; a line that nobody drives is 1 (pull-up)
 */
uint8_t nor_cycle(struct nor *n, bool sck, bool cs_n, uint8_t dq_out, uint8_t dq_tri);
/** A program, erase or register write is under way: the clock must go on for it to end. */
bool nor_busy(const struct nor *n);
/** Time passes with the pins at rest: what is under way is over. */
void nor_settle(struct nor *n);
/**
 * The supply fails and comes back. A command whose CS# has not risen is gone; a page or sector that was being changed has any mixture
 * of its bits before and after, an erased one any at all; registers are as at power-up.
 *
 * @param seed  decides which bits
 */
void nor_power_fail(struct nor *n, uint64_t seed);

/** The contents behind the pins' back, without what is under way; false if the range is not inside. */
bool nor_read(struct nor *n, uint32_t addr, void *buf, uint32_t len);
bool nor_write(struct nor *n, uint32_t addr, const void *buf, uint32_t len);
/** From here on all is erased for certain (what was never written in memory). */
uint32_t nor_used(const struct nor *n);

const struct nor_stats *nor_stats(const struct nor *n);
/** "busy", "no_write_enable", ...: as in the statistics file. */
const char *nor_violation_name(enum nor_violation v);
/** As one JSON object; opcodes that were never seen are left out. */
void nor_stats_json(const struct nor *n, FILE *out);

#endif
