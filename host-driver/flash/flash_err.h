/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What went wrong, as a sentence for people: what and where, and what to do about it. Functions that take a struct flash_err fill
 * it whenever they return a negative errno.
 */
#ifndef FLASH_ERR_H
#define FLASH_ERR_H

#include <stdarg.h>
#include <stdio.h>

struct flash_err {
	char text[640];
};

/** @return @p code, so that a caller can return it. */
__attribute__((format(printf, 3, 4))) static inline int flash_fail(struct flash_err *e, int code, const char *format,
								   ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return code;
}

#endif
