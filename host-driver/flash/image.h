/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A release image: an xclbin container (XRT's xclbin.h, "xclbin2") with BITSTREAM (.bit), MCS-PRIMARY and, for boards with two
 * chips, MCS-SECONDARY, FIRMWARE, and USER_METADATA, which is JSON and says what the rest is (rtl/boards/release writes it).
 *
 * The signature is a detached PKCS#7 at the end of the file. It covers every byte before it, with the header as it was before
 * signing: signature length -1, total length without the signature.
 *
 * A file is read once, as a whole; what is checked is what is used later. Any input is safe.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bitstream.h"
#include "flash_err.h"

#define IMAGE_MAX_SECTIONS 64u
#define IMAGE_MAX_BYTES (512u << 20)
/** Version of the metadata's layout. */
#define IMAGE_SCHEMA 1
/** Where the certificate of releases is installed, for those who give none. */
#define IMAGE_CERTIFICATE "/etc/vhost-pci-net/release.crt"

struct image_section {
	char name[24]; /**< "BITSTREAM", "MCS-PRIMARY"; of a kind that is not known: "section N" */
	uint32_t kind;
	const uint8_t *data;
	size_t size;
};

struct image {
	uint8_t *bytes;
	size_t size, signed_size; /**< without the signature */
	bool has_signature;
	unsigned int num_sections;
	struct image_section sections[IMAGE_MAX_SECTIONS];
	json_t *meta;
	/* Of the metadata. */
	const char *version, *board, *part, *git, *firmware; /**< owned by meta */
	uint32_t idcode, usr_access;
	uint32_t flash_start;
	unsigned int chips;
	uint64_t chip_bytes;
	bool standin;
	/* Of the bitstream. */
	struct bit_file bit;
	const uint8_t *data; /**< configuration data: what goes into the flash */
	size_t data_size;
	struct bitstream_info stream;
};

enum image_verdict {
	IMAGE_OK,
	IMAGE_BAD,
	IMAGE_UNKNOWN
};

/** One thing that was checked. */
struct image_check {
	char what[32];
	enum image_verdict verdict;
	char text[320];
};

#define IMAGE_MAX_CHECKS (IMAGE_MAX_SECTIONS + 8u)

struct image_report {
	unsigned int count;
	struct image_check checks[IMAGE_MAX_CHECKS];
	bool intact;	   /**< everything but the signature is as it should be */
	bool signed_right; /**< signed by the certificate that was asked for */
	bool signed_wrong; /**< there is a signature or a certificate, and it does not hold */
};

/**
 * Read a file; the container, the metadata and the bitstream's header have to make sense.
 *
 * @return 0; -EBADMSG not such an image or a damaged one; -EFBIG; the errno of reading
 */
int image_open(const char *path, struct image **image, struct flash_err *err);
/** The same of bytes in memory, which are copied. */
int image_parse(const void *bytes, size_t size, struct image **image, struct flash_err *err);
/** NULL is allowed. */
void image_close(struct image *image);

/** NULL if there is none. */
const struct image_section *image_section(const struct image *image, const char *name);

/**
 * Everything that can be checked without a card.
 *
 * @param certificate  PEM or DER file of whoever must have signed it; NULL: the signature is not checked
 */
void image_verify(const struct image *image, const char *certificate, struct image_report *report);
/** The first thing that is wrong, as a sentence; "" if there is none. */
const char *image_report_fault(const struct image_report *report);

/** Nibble-striped data of one chip of a pair (SPIx8): chip 0 has the low nibbles; byte @p at of its data. */
uint8_t image_striped_byte(const uint8_t *data, size_t size, unsigned int chip, size_t at);

#endif
