/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The configuration logic of an UltraScale+ part (UG570) as far as loading from an SPI flash and MultiBoot need it:
 * the ICAP, images in a flash, the watchdog of a load, fallback.
 *
 * A load reads from an address on: whatever comes before a sync word is skipped, then packets are carried out until
 * DESYNC. The image is good if IDCODE was written and is the part's, frames were written, a CRC word behind the last of
 * them was right, no CRC word was wrong, and START came. IPROG inside it goes on at WBSTAR. What is not good makes the part
 * load from address 0, with WBSTAR 0, IPROG ignored and the watchdog off; if that is not good either, the part stays dark.
 *
 * Three things are simpler than the part: a load that reaches the end of the flash has failed (a part without a watchdog
 * would read on), an image without a CRC word is refused (write_bitstream always puts one in), and frames are not kept.
 */
#ifndef VHP_SIM_FPGA_H
#define VHP_SIM_FPGA_H

#include <stdbool.h>
#include <stdint.h>

/** Where images are read from. */
struct fpga_source {
	/** @p len bytes at @p addr; always inside 0..end-1. False: nothing can be read now (a flash that is busy). */
	bool (*read)(void *arg, uint32_t addr, void *buf, uint32_t len);
	uint32_t end;
	void *arg;
};

enum fpga_event {
	FPGA_NONE,
	FPGA_DESYNC,	 /**< the packets are over, all was good */
	FPGA_IPROG,	 /**< load from WBSTAR */
	FPGA_BAD_IDCODE, /**< written for another part, or frames without an IDCODE */
	FPGA_BAD_PACKET, /**< for no register, or with too many words for it */
	FPGA_BAD_CRC,	 /**< a CRC word is wrong */
	FPGA_INCOMPLETE, /**< DESYNC without frames, a CRC word behind them, or START */
	FPGA_WATCHDOG,	 /**< the load took longer than TIMER allows */
	FPGA_END,	 /**< no sync word, or no DESYNC, up to the end of the flash */
	FPGA_UNREADABLE, /**< the flash did not answer */
	FPGA_CIRCLE	 /**< images that jump to one another without end */
};

/** Packets of one port (ICAP, or one load) and the registers that they write. */
struct fpga {
	uint32_t idcode; /**< of the part, revision ignored */
	uint32_t wbstar, timer, axss;
	/* Packets. */
	bool synced, fallback;
	uint32_t crc, left; /**< left: words of the packet */
	unsigned int reg;
	bool id_ok, frames, crc_ok, started;
	uint64_t watchdog; /**< CCLK cycles left, when TIMER says so */
};

void fpga_init(struct fpga *f, uint32_t idcode);

/**
 * One clock of the ICAPE3 pins. @p word is as on the pins: the bits of each byte in reverse order.
 *
 * @return FPGA_IPROG when the part is to be loaded anew, else FPGA_NONE (errors only end the packets)
 */
enum fpga_event fpga_icap(struct fpga *f, bool csib, bool rdwrb, uint32_t word);

/** An image that runs, or why none does. */
struct fpga_image {
	uint32_t address;    /**< where it was found */
	uint32_t usr_access; /**< its AXSS word, 0 if it has none */
	bool fallback;	     /**< it is not the one that was asked for */
};

/**
 * Load what is at WBSTAR (0 after fpga_init: power-up).
 *
 * @param log  a line for every image that is not good; may be NULL
 * @return true: @p image runs; false: nothing does
 */
bool fpga_boot(struct fpga *f, const struct fpga_source *src, struct fpga_image *image,
	       void (*log)(void *arg, const char *text), void *arg);

/** One load from @p address, without consequences; FPGA_DESYNC: good. For tests and for fpga_boot. */
enum fpga_event fpga_load(struct fpga *f, const struct fpga_source *src, uint32_t address, bool fallback);
const char *fpga_event_text(enum fpga_event e);

#endif
