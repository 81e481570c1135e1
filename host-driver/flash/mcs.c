/* SPDX-License-Identifier: Apache-2.0 */
#include "mcs.h"

#include <errno.h>
#include <stdbool.h>

enum {
	RECORD_DATA = 0,
	RECORD_END = 1,
	RECORD_UPPER = 4
};

struct record {
	unsigned int count, type;
	uint16_t address;
	uint8_t data[255];
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A line without its end. */
static const char *parse_record(const char *line, size_t len, struct record *r)
{
	uint8_t bytes[255 + 5], sum = 0;
	size_t n = (len - 1) / 2;

	if (len < 11 || line[0] != ':' || len % 2 == 0 || n > sizeof(bytes))
		return "is no record";
	for (size_t i = 0; i < n; i++) {
		int high = digit(line[1 + 2 * i]), low = digit(line[2 + 2 * i]);

		if (high < 0 || low < 0)
			return "has something else than hexadecimal digits";
		bytes[i] = (uint8_t)(high << 4 | low);
		sum = (uint8_t)(sum + bytes[i]);
	}
	if (sum != 0)
		return "has a wrong checksum";
	if (n != bytes[0] + 5u)
		return "has another length than it says";
	r->count = bytes[0];
	r->address = (uint16_t)(bytes[1] << 8 | bytes[2]);
	r->type = bytes[3];
	for (unsigned int i = 0; i < r->count; i++)
		r->data[i] = bytes[4 + i];
	return NULL;
}

int mcs_compare(const char *text, size_t len, uint32_t start, size_t size, uint8_t (*byte)(const void *arg, size_t at),
		const void *arg, struct flash_err *err)
{
	uint64_t upper = 0;
	size_t done = 0, at = 0;
	unsigned int line = 0;
	bool ended = false;

	while (at < len) {
		size_t n = 0;
		struct record r;
		const char *fault = NULL;

		while (at + n < len && text[at + n] != '\n')
			n++;
		line++;
		if (n > 0 && text[at + n - 1] == '\r')
			fault = parse_record(text + at, n - 1, &r);
		else if (n > 0)
			fault = parse_record(text + at, n, &r);
		if (!fault && n > 0) {
			if (ended)
				fault = "stands behind the end record";
			else if (r.type == RECORD_END)
				ended = true;
			else if (r.type == RECORD_UPPER && r.count == 2 && r.address == 0)
				upper = (uint64_t)(r.data[0] << 8 | r.data[1]) << 16;
			else if (r.type != RECORD_DATA)
				fault = "is a record of another kind than data, upper address, end";
			else if (upper + r.address != (uint64_t)start + done)
				fault = "has another address than the next of the image";
			else if (r.count > size - done)
				fault = "goes beyond the end of the image";
			for (unsigned int i = 0; !fault && r.type == RECORD_DATA && i < r.count; i++)
				if (r.data[i] != byte(arg, done++))
					fault = "differs from the bitstream";
		}
		if (fault)
			return flash_fail(err, -EBADMSG, "line %u %s", line, fault);
		at += n + 1;
	}
	if (!ended)
		return flash_fail(err, -EBADMSG, "the end record is missing");
	if (done != size)
		return flash_fail(err, -EBADMSG, "it ends after %zu of %zu bytes", done, size);
	return 0;
}
