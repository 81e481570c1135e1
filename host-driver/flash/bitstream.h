/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Configuration data of UltraScale+ (UG570, "Bitstream Composition"): the header of a .bit file, and the packets as far as they
 * say which part an image is for and which image it is. Any input is safe.
 */
#ifndef BITSTREAM_H
#define BITSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flash_err.h"

/** The texts of a .bit file's header, cut where they are longer, and where its data lies. */
struct bit_file {
	char design[128], part[64], date[16], time[16];
	size_t offset; /**< of the configuration data */
	size_t size;   /**< its bytes, to the end of the file */
};

/** @return 0; -EBADMSG not a .bit file, cut off, or with something behind its data. */
int bit_file_parse(const uint8_t *data, size_t size, struct bit_file *bit, struct flash_err *err);

/** What the packets say. Offsets count from where the walk began. */
struct bitstream_info {
	bool synced, has_idcode, has_usr_access, has_jump, complete;
	uint64_t sync;	     /**< byte of the sync word */
	uint32_t idcode;     /**< without the revision: bits 31:28 are 0 */
	uint32_t usr_access; /**< USR_ACCESS (register AXSS): the image's identity */
	uint32_t jump;	     /**< has_jump: the head loads the image at this address (WBSTAR) instead */
	uint64_t end;	     /**< complete: byte behind DESYNC and the no-operations after it */
};

/** A walk over configuration data that comes in pieces. */
struct bitstream_walk {
	struct bitstream_info info;
	uint64_t at;   /**< bytes taken */
	uint32_t word; /**< of which `have` bytes are there */
	unsigned int have;
	uint32_t payload; /**< words left of the packet */
	uint32_t reg;	  /**< register that they go to */
	uint32_t wbstar;
	bool over;
};

void bitstream_begin(struct bitstream_walk *w);
/** @return true as long as more data can tell more. */
bool bitstream_feed(struct bitstream_walk *w, const uint8_t *data, size_t len);
/** Bytes, at most @p most, that come next and tell nothing (frames): they count as taken. */
uint64_t bitstream_skip(struct bitstream_walk *w, uint64_t most);
/** All at once. */
struct bitstream_info bitstream_inspect(const uint8_t *data, size_t len);

#endif
