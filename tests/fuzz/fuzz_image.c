/* SPDX-License-Identifier: Apache-2.0 */
/* Release images from anybody: container, metadata, bitstream, MCS. Nothing may be read outside the bytes given. */
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "mcs.h"

static uint8_t from(const void *arg, size_t at)
{
	return ((const uint8_t *)arg)[at];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_report *report = malloc(sizeof(*report));
	struct bitstream_info whole = bitstream_inspect(data, size);
	struct bitstream_walk pieces;
	struct bit_file bit;
	struct flash_err err;
	struct image *m;

	if (!report)
		abort();
	if (!image_parse(data, size, &m, &err)) {
		image_verify(m, NULL, report);
		if (report->signed_right)
			abort();
		image_close(m);
	}
	free(report);

	/* In any pieces the same. */
	bitstream_begin(&pieces);
	for (size_t at = 0, n = 1; at < size; at += n, n = n % 7 + 1) {
		if (n > size - at)
			n = size - at;
		bitstream_feed(&pieces, data + at, n);
	}
	if (pieces.info.synced != whole.synced || pieces.info.complete != whole.complete ||
	    (whole.complete && pieces.info.end != whole.end) || pieces.info.usr_access != whole.usr_access)
		abort();
	bit_file_parse(data, size, &bit, &err);
	if (size > 16)
		mcs_compare((const char *)data + 16, size - 16, 0, 16, from, data, &err);
	return 0;
}
