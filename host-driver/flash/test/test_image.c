/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A release image as xclbinutil made it: whole and signed; then with a bit flipped in every byte, cut off everywhere, and with
 * changes that keep it consistent but not signed. test_image IMAGE CERTIFICATE; SEED in the environment repeats a run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image.h"
#include "mcs.h"

static unsigned int passed, failed;

__attribute__((format(printf, 2, 3))) static void verdict(bool good, const char *format, ...)
{
	va_list args;

	if (good) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static struct image_report report;

/* Is it taken for a good image? @p said: why not. */
static bool good(const uint8_t *bytes, size_t size, const char *cert, char said[640])
{
	struct flash_err err = { "" };
	struct image *m;

	if (image_parse(bytes, size, &m, &err)) {
		strcpy(said, err.text);
		return false;
	}
	image_verify(m, cert, &report);
	image_close(m);
	strcpy(said, image_report_fault(&report));
	return report.intact && report.signed_right;
}

static void flips(const struct image *m, const char *cert, unsigned int *seed)
{
	uint8_t *copy = malloc(m->size);
	unsigned int taken = 0, silent = 0, in_signature = 0;
	char said[640];

	memcpy(copy, m->bytes, m->size);
	for (size_t i = 0; i < m->size; i++) {
		uint8_t bit = (uint8_t)(1u << rand_r(seed) % 8);

		copy[i] ^= bit;
		if (good(copy, m->size, cert, said)) {
			/* Parts of PKCS#7 say nothing about the contents. */
			if (i >= m->signed_size)
				in_signature++;
			else if (!taken++)
				printf("byte %zu, bit 0x%02x: taken\n", i, bit);
		} else if (!said[0]) {
			silent++;
		}
		copy[i] ^= bit;
	}
	verdict(taken == 0, "%u of %zu flipped bytes were not seen", taken, m->signed_size);
	verdict(silent == 0, "%u flipped bytes were refused without a word", silent);
	verdict(in_signature < (m->size - m->signed_size) / 4, "%u bytes of the signature do not matter", in_signature);
	free(copy);
}

static void cuts(const struct image *m, const char *cert, unsigned int *seed)
{
	unsigned int taken = 0;
	char said[640];

	for (size_t n = 0; n < m->size; n += 1 + (size_t)rand_r(seed) % 40) {
		uint8_t *copy = malloc(n ? n : 1); /* of its own, so that the sanitizer sees what goes beyond */

		memcpy(copy, m->bytes, n);
		taken += good(copy, n, cert, said);
		free(copy);
	}
	verdict(taken == 0, "%u files that were cut off were taken", taken);
}

static void unsigned_image(const struct image *m, const char *cert)
{
	uint8_t *copy = malloc(m->signed_size);
	char said[640];

	memcpy(copy, m->bytes, m->signed_size);
	memset(copy + 8, 0xff, 4);
	for (unsigned int i = 0; i < 8; i++)
		copy[304 + i] = (uint8_t)((uint64_t)m->signed_size >> 8 * i);
	verdict(!good(copy, m->signed_size, cert, said) && strstr(said, "nobody signed"), "without signature: \"%s\"",
		said);
	verdict(!good(copy, m->signed_size, NULL, said) && report.intact && !report.signed_wrong,
		"without certificate: \"%s\"", said);
	free(copy);
}

static uint8_t byte_of(const void *arg, size_t at)
{
	return ((const uint8_t *)arg)[at];
}

static void hex_files(void)
{
	static const uint8_t want[4] = { 1, 2, 3, 4 };
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ ":020000040100F9\n:0420000001020304D2\n:00000001FF\n", NULL },
		{ ":020000040100F9\r\n:0420000001020304D2\r\n:00000001FF\r\n", NULL },
		{ ":020000040100F9\n:0220000001 2DB\n", "line 2 has something else" },
		{ ":020000040100F9\n:0420000001020304D3\n:00000001FF\n", "line 2 has a wrong checksum" },
		{ ":020000040100F9\n:0420000001020305D1\n:00000001FF\n", "line 2 differs" },
		{ ":020000040100F9\n:0420010001020304D1\n:00000001FF\n", "line 2 has another address" },
		{ ":020000040100F9\n:0420000001020304D2\n", "the end record is missing" },
		{ ":020000040100F9\n:00000001FF\n", "it ends after 0 of 4" },
		{ ":020000040100F9\n:0420000001020304D2\n:00000001FF\n:00000001FF\n", "line 4 stands behind" },
		{ ":020000021000EC\n", "line 1 is a record of another kind" },
		{ "x\n", "line 1 is no record" },
		{ ":\n", "line 1 is no record" },
		{ ":0520000001020304\n", "line 1" },
		{ "", "the end record is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flash_err err = { "" };
		int rc = mcs_compare(cases[i].text, strlen(cases[i].text), 0x01002000, sizeof(want), byte_of, want,
				     &err);

		verdict(cases[i].says ? rc == -EBADMSG && strstr(err.text, cases[i].says) : rc == 0,
			"MCS case %zu: %d \"%s\"", i, rc, err.text);
	}
}

int main(int argc, char **argv)
{
	const char *given = getenv("SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)time(NULL);
	struct flash_err err;
	struct image *m;
	char said[640];

	if (argc != 3) {
		fprintf(stderr, "usage: test_image IMAGE CERTIFICATE\n");
		return 2;
	}
	printf("SEED=%u\n", seed);
	verdict(image_open("/dev/null", &m, &err) == -EINVAL && strstr(err.text, "regular"), "/dev/null: %s", err.text);
	verdict(image_open("/nowhere", &m, &err) == -ENOENT, "/nowhere: %s", err.text);
	verdict(image_open(argv[2], &m, &err) == -EBADMSG && strstr(err.text, "not an xclbin"), "%s: %s", argv[2],
		err.text);
	if (image_open(argv[1], &m, &err)) {
		printf("FAILED %s\n%u passed, %u failed\n", err.text, passed, failed + 1);
		return 1;
	}
	verdict(good(m->bytes, m->size, argv[2], said), "as it is: %s", said);
	verdict(!good(m->bytes, m->size, "/nowhere", said) && report.signed_wrong && strstr(said, "cannot be read"),
		"no certificate there: %s", said);
	verdict(!good(m->bytes, m->size, argv[1], said) && strstr(said, "not a certificate"), "no certificate: %s",
		said);
	verdict(m->standin && m->stream.complete && m->stream.usr_access == m->usr_access, "what it says of itself");
	flips(m, argv[2], &seed);
	cuts(m, argv[2], &seed);
	unsigned_image(m, argv[2]);
	hex_files();
	image_close(m);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
