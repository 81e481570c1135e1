/* SPDX-License-Identifier: Apache-2.0 */
/** @file What image.c and image_verify.c share of the container's layout. */
#ifndef IMAGE_IMPL_H
#define IMAGE_IMPL_H

#include <stdint.h>

/** Offsets in the file: what signing changes. */
#define IMAGE_AT_SIGNATURE_LENGTH 8u
#define IMAGE_AT_LENGTH 304u

/** A little-endian number of 1 to 8 bytes. */
uint64_t image_le(const uint8_t *p, unsigned int bytes);

#endif
