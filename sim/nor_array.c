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
