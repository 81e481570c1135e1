/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_impl.h"

/* Layout of xclbin.h, little-endian: offsets in the file. */
enum {
	AT_MAGIC = 0,
	AT_NUM_SECTIONS = 448,
	AT_SECTIONS = 456,
	SECTION_HEADER = 40,
	SECTION_AT_OFFSET = 24,
	SECTION_AT_SIZE = 32,
	MCS_HEADER = 8,
	MCS_CHUNK = 24,
};

enum {
	KIND_BITSTREAM = 0,
	KIND_FIRMWARE = 3,
	KIND_MCS = 12,
	KIND_USER_METADATA = 16
};

#define METADATA_MAX (1u << 20)

uint64_t image_le(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* ---------------------------------------------------------------------------------------------------------- container */

static int add_section(struct image *m, const char *name, uint32_t kind, const uint8_t *data, size_t size,
		       struct flash_err *err)
{
	struct image_section *s = &m->sections[m->num_sections];

	if (image_section(m, name))
		return flash_fail(err, -EBADMSG, "it has two sections %s", name);
	if (m->num_sections == IMAGE_MAX_SECTIONS)
		return flash_fail(err, -EBADMSG, "it has more than %u sections", IMAGE_MAX_SECTIONS);
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->kind = kind;
	s->data = data;
	s->size = size;
	m->num_sections++;
	return 0;
}

/* The MCS section is a table of chunks with a type each. */
static int add_mcs(struct image *m, const uint8_t *data, size_t size, struct flash_err *err)
{
	unsigned int count = size >= MCS_HEADER ? data[0] : 0;

	if (count == 0 || count > 2 || size < MCS_HEADER + count * MCS_CHUNK)
		return flash_fail(err, -EBADMSG, "section MCS has no table of one or two files");
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *chunk = data + MCS_HEADER + i * MCS_CHUNK;
		uint64_t at = image_le(chunk + 8, 8), n = image_le(chunk + 16, 8);
		int rc;

		if (chunk[0] != 1 && chunk[0] != 2)
			return flash_fail(err, -EBADMSG, "section MCS: file %u is of an unknown type, %u", i, chunk[0]);
		if (at > size || n > size - at)
			return flash_fail(err, -EBADMSG, "section MCS: file %u lies outside the section", i);
		rc = add_section(m, chunk[0] == 1 ? "MCS-PRIMARY" : "MCS-SECONDARY", KIND_MCS, data + at, n, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_container(struct image *m, struct flash_err *err)
{
	uint64_t length, count;
	int64_t signature;

	if (m->size < AT_SECTIONS || memcmp(m->bytes + AT_MAGIC, "xclbin2", 8) != 0)
		return flash_fail(err, -EBADMSG, "not an xclbin file");
	length = image_le(m->bytes + IMAGE_AT_LENGTH, 8);
	if (length != m->size)
		return flash_fail(err, -EBADMSG, "it says that it has %ju bytes, but %zu are there: cut off or damaged",
				  (uintmax_t)length, m->size);
	signature = (int32_t)image_le(m->bytes + IMAGE_AT_SIGNATURE_LENGTH, 4);
	if (signature < -1 || signature == 0 || signature > (int64_t)(m->size - AT_SECTIONS))
		return flash_fail(err, -EBADMSG, "the length of its signature, %jd, cannot be", (intmax_t)signature);
	m->has_signature = signature > 0;
	m->signed_size = m->size - (m->has_signature ? (size_t)signature : 0);

	count = image_le(m->bytes + AT_NUM_SECTIONS, 4);
	if (count > IMAGE_MAX_SECTIONS || count * SECTION_HEADER > m->signed_size - AT_SECTIONS)
		return flash_fail(err, -EBADMSG, "its %ju section headers cannot be", (uintmax_t)count);
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *h = m->bytes + AT_SECTIONS + i * SECTION_HEADER;
		uint32_t kind = (uint32_t)image_le(h, 4);
		uint64_t at = image_le(h + SECTION_AT_OFFSET, 8), n = image_le(h + SECTION_AT_SIZE, 8);
		char name[24];
		int rc;

		if (at < AT_SECTIONS + count * SECTION_HEADER || at > m->signed_size || n > m->signed_size - at)
			return flash_fail(err, -EBADMSG,
					  "section %u (kind %u) lies outside the file: cut off or damaged", i, kind);
		snprintf(name, sizeof(name), "section %u", kind);
		if (kind == KIND_MCS)
			rc = add_mcs(m, m->bytes + at, n, err);
		else
			rc = add_section(m,
					 kind == KIND_BITSTREAM		      ? "BITSTREAM"
						 : kind == KIND_FIRMWARE      ? "FIRMWARE"
						 : kind == KIND_USER_METADATA ? "USER_METADATA"
									      : name,
					 kind, m->bytes + at, n, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- metadata */

/* Texts get into messages and terminals: printable, not too long. */
static int get_text(const json_t *object, const char *key, const char **text, struct flash_err *err)
{
	const char *s = json_string_value(json_object_get(object, key));
	size_t n = s ? strlen(s) : 0;

	*text = s;
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			n = 0;
	if (n == 0 || n > 128)
		return flash_fail(err, -EBADMSG, "its metadata: \"%s\" is not a text of 1 to 128 printable characters",
				  key);
	return 0;
}

static int get_number(const json_t *object, const char *key, uint64_t most, uint64_t *value, struct flash_err *err)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > most)
		return flash_fail(err, -EBADMSG, "its metadata: \"%s\" is not a number from 0 to %ju", key,
				  (uintmax_t)most);
	*value = (uint64_t)json_integer_value(v);
	return 0;
}

static int parse_metadata(struct image *m, struct flash_err *err)
{
	const struct image_section *s = image_section(m, "USER_METADATA");
	const json_t *flash;
	const char *project;
	uint64_t schema, idcode, usr_access, start, chips, bytes;
	json_error_t fault;

	if (!s)
		return flash_fail(err, -EBADMSG, "it has no metadata: not a release image of this project");
	if (s->size > METADATA_MAX)
		return flash_fail(err, -EBADMSG, "its metadata have %zu bytes", s->size);
	m->meta = json_loadb((const char *)s->data, s->size, JSON_REJECT_DUPLICATES, &fault);
	if (!m->meta)
		return flash_fail(err, -EBADMSG, "its metadata are not JSON (line %d, column %d)", fault.line,
				  fault.column);
	if (get_text(m->meta, "project", &project, err) || strcmp(project, "vhost-pci-net") != 0)
		return flash_fail(err, -EBADMSG, "it is not a release image of vhost-pci-net");
	if (get_number(m->meta, "schema", INT32_MAX, &schema, err))
		return -EBADMSG;
	if (schema != IMAGE_SCHEMA)
		return flash_fail(err, -EBADMSG, "its metadata have layout %ju, this program knows %d",
				  (uintmax_t)schema, IMAGE_SCHEMA);
	flash = json_object_get(m->meta, "flash");
	if (get_text(m->meta, "version", &m->version, err) || get_text(m->meta, "board", &m->board, err) ||
	    get_text(m->meta, "part", &m->part, err) || get_text(m->meta, "git", &m->git, err) ||
	    get_text(m->meta, "firmware", &m->firmware, err) ||
	    get_number(m->meta, "idcode", UINT32_MAX >> 4, &idcode, err) ||
	    get_number(m->meta, "usr_access", UINT32_MAX, &usr_access, err) ||
	    get_number(flash, "start", UINT32_MAX, &start, err) || get_number(flash, "chips", 2, &chips, err) ||
	    get_number(flash, "size", 1u << 30, &bytes, err))
		return -EBADMSG;
	if (chips == 0 || bytes == 0 || start >= bytes * chips || start % (4096 * chips) != 0)
		return flash_fail(err, -EBADMSG, "its metadata: start 0x%jx, %ju chips of %ju bytes: no such flash",
				  (uintmax_t)start, (uintmax_t)chips, (uintmax_t)bytes);
	m->idcode = (uint32_t)idcode;
	m->usr_access = (uint32_t)usr_access;
	m->flash_start = (uint32_t)start;
	m->chips = (unsigned int)chips;
	m->chip_bytes = bytes;
	m->standin = json_is_true(json_object_get(m->meta, "standin"));
	return 0;
}

static int parse_bitstream(struct image *m, struct flash_err *err)
{
	const struct image_section *s = image_section(m, "BITSTREAM");
	struct flash_err why;

	if (!s)
		return flash_fail(err, -EBADMSG, "it has no bitstream");
	if (bit_file_parse(s->data, s->size, &m->bit, &why))
		return flash_fail(err, -EBADMSG, "its bitstream: %s", why.text);
	m->data = s->data + m->bit.offset;
	m->data_size = m->bit.size;
	m->stream = bitstream_inspect(m->data, m->data_size);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- the whole */

static int parse(struct image *m, struct flash_err *err)
{
	int rc = parse_container(m, err);

	if (!rc)
		rc = parse_metadata(m, err);
	return rc ? rc : parse_bitstream(m, err);
}

static struct image *with_room(size_t size)
{
	struct image *m = calloc(1, sizeof(*m));

	if (m)
		m->bytes = malloc(size ? size : 1);
	if (m && !m->bytes) {
		free(m);
		return NULL;
	}
	if (m)
		m->size = size;
	return m;
}

int image_parse(const void *bytes, size_t size, struct image **image, struct flash_err *err)
{
	struct image *m = with_room(size);
	int rc;

	*image = NULL;
	if (!m)
		return flash_fail(err, -ENOMEM, "out of memory");
	memcpy(m->bytes, bytes, size);
	rc = parse(m, err);
	if (rc) {
		image_close(m);
		return rc;
	}
	*image = m;
	return 0;
}

static int read_file(int fd, struct image **image, const char *path, struct flash_err *err)
{
	struct image *m;
	struct stat st;
	size_t at = 0;

	if (fstat(fd, &st))
		return flash_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return flash_fail(err, -EINVAL, "%s: not a regular file", path);
	if (st.st_size > (off_t)IMAGE_MAX_BYTES)
		return flash_fail(err, -EFBIG, "%s: %jd bytes; no release image is larger than %u", path,
				  (intmax_t)st.st_size, IMAGE_MAX_BYTES);
	m = with_room((size_t)st.st_size);
	if (!m)
		return flash_fail(err, -ENOMEM, "%s: out of memory", path);
	while (at < m->size) {
		ssize_t n = read(fd, m->bytes + at, m->size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int rc = n < 0 ? -errno : -EBADMSG;

			image_close(m);
			return flash_fail(err, rc, "%s: %s", path,
					  n < 0 ? strerror(-rc) : "it shrinks while it is read");
		}
		at += (size_t)n;
	}
	*image = m;
	return 0;
}

int image_open(const char *path, struct image **image, struct flash_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct flash_err why;

	*image = NULL;
	if (fd < 0)
		return flash_fail(err, -errno, "%s: %s", path, strerror(errno));
	rc = read_file(fd, image, path, err);
	close(fd);
	if (rc)
		return rc;
	rc = parse(*image, &why);
	if (rc) {
		image_close(*image);
		*image = NULL;
		return flash_fail(err, rc, "%s: %s", path, why.text);
	}
	return 0;
}

void image_close(struct image *m)
{
	if (!m)
		return;
	json_decref(m->meta);
	free(m->bytes);
	free(m);
}

const struct image_section *image_section(const struct image *m, const char *name)
{
	for (unsigned int i = 0; i < m->num_sections; i++)
		if (!strcmp(m->sections[i].name, name))
			return &m->sections[i];
	return NULL;
}

uint8_t image_striped_byte(const uint8_t *data, size_t size, unsigned int chip, size_t at)
{
	uint8_t first = data[2 * at], second = 2 * at + 1 < size ? data[2 * at + 1] : 0xff;

	return chip == 0 ? (uint8_t)(first << 4 | (second & 0x0f)) : (uint8_t)((first & 0xf0) | second >> 4);
}
