/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Intel HEX as flash tools take it (.mcs): records 00, 01 and 04, ascending without holes. Any input is safe.
 */
#ifndef MCS_H
#define MCS_H

#include <stddef.h>
#include <stdint.h>

#include "flash_err.h"

/**
 * Compare a text with the bytes that it should hold: @p size bytes from address @p start on, given by @p byte, and nothing else.
 *
 * @param byte  byte @p at of what is expected
 * @return 0; -EBADMSG with the line at fault
 */
int mcs_compare(const char *text, size_t len, uint32_t start, size_t size, uint8_t (*byte)(const void *arg, size_t at),
		const void *arg, struct flash_err *err);

#endif
