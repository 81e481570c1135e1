/* SPDX-License-Identifier: Apache-2.0 */
#include "nor_array.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u

static void failed(struct nor_array *a, const char *why)
{
	if (!a->failure)
		a->failure = why;
}

/* pread, not a mapping: a file that is cut off by somebody must not end the process. */
void nor_array_load(struct nor_array *a, uint32_t addr, uint8_t *buf, uint32_t len)
{
	uint32_t got = 0;

	while (got < len) {
		ssize_t r = pread(a->fd, buf + got, len - got, (off_t)addr + got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			failed(a, r ? strerror(errno) : "the file has become shorter");
			memset(buf + got, 0xff ^ a->invert, len - got);
			break;
		}
		got += (uint32_t)r;
	}
	for (uint32_t i = 0; a->invert && i < len; i++)
		buf[i] ^= a->invert;
}

void nor_array_store(struct nor_array *a, uint32_t addr, const uint8_t *buf, uint32_t len)
{
	uint8_t copy[BLOCK];

	while (len) {
		uint32_t part = len < BLOCK ? len : BLOCK;
		ssize_t w;

		for (uint32_t i = 0; i < part; i++)
			copy[i] = buf[i] ^ a->invert;
		w = pwrite(a->fd, copy, part, addr);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			failed(a, w ? strerror(errno) : "not written");
			return;
		}
		addr += (uint32_t)w;
		buf += w;
		len -= (uint32_t)w;
		if (addr > a->used)
			a->used = addr;
	}
}

void nor_array_fill(struct nor_array *a, uint32_t addr, uint32_t len, uint8_t value)
{
	uint8_t block[BLOCK];

	memset(block, value, sizeof(block));
	for (uint32_t part; len && !a->failure; addr += part, len -= part) {
		part = len < BLOCK ? len : BLOCK;
		nor_array_store(a, addr, block, part);
	}
}

static uint8_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(*state >> 56);
}

/* A bit is set with probability odds / 255. */
static uint8_t some_bits(uint64_t *state, uint8_t odds)
{
	uint8_t bits = 0;

	for (unsigned int i = 0; i < 8; i++)
		bits = (uint8_t)(bits << 1 | (next(state) < odds || odds == 0xff));
	return bits;
}

void nor_array_tear(struct nor_array *a, uint32_t addr, const uint8_t *wanted, uint32_t len, uint64_t seed)
{
	uint64_t state = seed ^ 0x9e3779b97f4a7c15u;
	uint8_t block[BLOCK], done, ones;

	for (unsigned int i = 0; i < 4; i++)
		next(&state);
	done = next(&state);
	/* Often nearly nothing, or nearly all. */
	done = done < 0x40 ? done / 0x10 : done > 0xc0 ? 0xff - (0xff - done) / 0x10 : done;
	ones = next(&state);
	for (uint32_t part, at = 0; at < len && !a->failure; at += part) {
		part = len - at < BLOCK ? len - at : BLOCK;
		nor_array_load(a, addr + at, block, part);
		for (uint32_t i = 0; i < part; i++) {
			uint8_t change = some_bits(&state, done),
				to = wanted ? wanted[at + i] : some_bits(&state, ones);

			block[i] = (uint8_t)((block[i] & ~change) | (to & change));
		}
		nor_array_store(a, addr + at, block, part);
	}
}

static int open_file(struct nor_array *a, const char *path, uint32_t size)
{
	struct stat st;
	int made = 0;

	a->fd = open(path, O_RDWR | O_CLOEXEC);
	if (a->fd < 0 && errno == ENOENT) {
		a->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		made = 1;
	}
	if (a->fd < 0)
		return -errno;
	if (flock(a->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (made) {
		nor_array_fill(a, 0, size, 0xff);
		if (a->failure) {
			unlink(path);
			return -ENOSPC;
		}
	}
	if (fstat(a->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != size)
		return -EFBIG;
	a->used = size;
	return made;
}

int nor_array_open(struct nor_array *a, const char *path, uint32_t size)
{
	int rc;

	*a = (struct nor_array){ .fd = -1 };
	if (path) {
		rc = open_file(a, path, size);
	} else {
		a->invert = 0xff;
		a->fd = memfd_create("flash", MFD_CLOEXEC);
		rc = a->fd < 0 || ftruncate(a->fd, size) ? -errno : 1;
	}
	if (rc < 0)
		nor_array_close(a);
	return rc;
}

void nor_array_close(struct nor_array *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}
