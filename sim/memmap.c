/* SPDX-License-Identifier: Apache-2.0 */
#include "memmap.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vhp_model.h"

struct memfile {
	dev_t dev;
	ino_t ino;
	uint8_t *base;
	uint64_t size;
	bool writable;
	unsigned int users;
	struct memfile *next;
};

struct memfiles {
	struct memfile *first;
};

struct range {
	uint64_t iova, last; /* last byte: a range may end at the top */
	uint8_t *mem;	     /* NULL: file */
	struct memfile *file;
	uint64_t offset;
	unsigned int perm;
};

struct memmap {
	struct memfiles *files;
	struct range *r;
	unsigned int count, room, hit;
};

struct memfiles *memfiles_create(void)
{
	struct memfiles *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	return f;
}

static void file_put(struct memfiles *files, struct memfile *f)
{
	struct memfile **at = &files->first;

	if (--f->users)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	munmap(f->base, f->size);
	free(f);
}

void memfiles_destroy(struct memfiles *files)
{
	free(files); /* maps are gone, so no file is left */
}

static struct memfile *file_get(struct memfiles *files, int fd, uint64_t need, bool write, int *err)
{
	struct memfile *f;
	struct stat st;
	void *base;

	*err = -EINVAL;
	if (fstat(fd, &st)) {
		*err = -errno;
		return NULL;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size < need)
		return NULL;
	for (f = files->first; f; f = f->next)
		if (f->dev == st.st_dev && f->ino == st.st_ino)
			break;
	if (f && f->size >= need && (f->writable || !write)) {
		f->users++;
		return f;
	}
	write = write || (f && f->writable);
	base = mmap(NULL, (size_t)st.st_size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED) {
		*err = -errno;
		return NULL;
	}
	if (f) { /* it grew, or was read-only: ranges refer to it by offset, so its mapping may move */
		munmap(f->base, f->size);
	} else {
		f = calloc(1, sizeof(*f));
		if (!f) {
			munmap(base, (size_t)st.st_size);
			*err = -ENOMEM;
			return NULL;
		}
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->next = files->first;
		files->first = f;
	}
	f->base = base;
	f->size = (uint64_t)st.st_size;
	f->writable = write;
	f->users++;
	return f;
}

struct memmap *memmap_create(struct memfiles *files)
{
	struct memmap *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->files = files;
	return m;
}

void memmap_clear(struct memmap *map)
{
	for (unsigned int i = 0; i < map->count; i++)
		if (map->r[i].file)
			file_put(map->files, map->r[i].file);
	map->count = map->hit = 0;
}

void memmap_destroy(struct memmap *map)
{
	memmap_clear(map);
	free(map->r);
	free(map);
}

/* First range that ends at or after the address. */
static unsigned int lower(const struct memmap *map, uint64_t iova)
{
	unsigned int lo = 0, hi = map->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (map->r[mid].last < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int insert(struct memmap *map, const struct range *r)
{
	unsigned int at = lower(map, r->iova);
	struct range *grown;

	if (at < map->count && map->r[at].iova <= r->last)
		return -EEXIST;
	if (map->count == map->room) {
		grown = realloc(map->r, (map->room * 2 + 16) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		map->r = grown;
		map->room = map->room * 2 + 16;
	}
	memmove(&map->r[at + 1], &map->r[at], (map->count - at) * sizeof(*r));
	map->r[at] = *r;
	map->count++;
	return 0;
}

int memmap_add(struct memmap *map, uint64_t iova, uint64_t len, void *mem, unsigned int perm)
{
	struct range r = { .iova = iova, .last = iova + (len - 1), .mem = mem, .perm = perm };

	if (len == 0 || r.last < iova)
		return -EINVAL;
	return insert(map, &r);
}

int memmap_add_fd(struct memmap *map, uint64_t iova, uint64_t len, int fd, uint64_t offset, unsigned int perm)
{
	struct range r = { .iova = iova, .last = iova + (len - 1), .offset = offset, .perm = perm };
	int rc;

	if (len == 0 || r.last < iova || offset + len < offset)
		return -EINVAL;
	r.file = file_get(map->files, fd, offset + len, perm & VHP_MEM_WRITE, &rc);
	if (!r.file)
		return rc;
	rc = insert(map, &r);
	if (rc)
		file_put(map->files, r.file);
	return rc;
}

int memmap_remove(struct memmap *map, uint64_t iova, uint64_t len)
{
	uint64_t last = iova + (len - 1);
	unsigned int at, end;

	if (len == 0 || last < iova)
		return -EINVAL;
	at = lower(map, iova);
	for (end = at; end < map->count && map->r[end].iova <= last; end++)
		if (map->r[end].iova < iova || map->r[end].last > last)
			return -EINVAL;
	for (unsigned int i = at; i < end; i++)
		if (map->r[i].file)
			file_put(map->files, map->r[i].file);
	memmove(&map->r[at], &map->r[end], (map->count - end) * sizeof(*map->r));
	map->count -= end - at;
	map->hit = 0;
	return (int)(end - at);
}

static struct range *find(struct memmap *map, uint64_t iova)
{
	unsigned int at = map->hit;

	if (at >= map->count || iova < map->r[at].iova || iova > map->r[at].last) {
		at = lower(map, iova);
		if (at >= map->count || iova < map->r[at].iova)
			return NULL;
		map->hit = at;
	}
	return &map->r[at];
}

bool memmap_covers(struct memmap *map, uint64_t iova, uint64_t len, unsigned int perm)
{
	while (len) {
		struct range *r = find(map, iova);
		uint64_t room;

		if (!r || (r->perm & perm) != perm)
			return false;
		room = r->last - iova;
		if (room >= len - 1)
			return true;
		len -= room + 1;
		iova += room + 1;
	}
	return true;
}

/*
 * SIGBUS means that a file behind a mapping became shorter. The handler only acts while a copy runs; the model has one
 * thread, and a signal's disposition is the process's in any case.
 */
static sigjmp_buf bus_jump;
static volatile sig_atomic_t bus_armed;

static void on_sigbus(int sig)
{
	if (bus_armed)
		siglongjmp(bus_jump, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

__attribute__((noinline)) static void copy(uint8_t *dst, const uint8_t *src, unsigned int len)
{
	while (len) {
		uintptr_t both = (uintptr_t)dst | (uintptr_t)src;
		unsigned int n = len >= 8 && !(both & 7) ? 8
			: len >= 4 && !(both & 3)	 ? 4
			: len >= 2 && !(both & 1)	 ? 2
							 : 1;

		switch (n) {
		case 8:
			*(volatile uint64_t *)dst = *(const volatile uint64_t *)src;
			break;
		case 4:
			*(volatile uint32_t *)dst = *(const volatile uint32_t *)src;
			break;
		case 2:
			*(volatile uint16_t *)dst = *(const volatile uint16_t *)src;
			break;
		default:
			*(volatile uint8_t *)dst = *(const volatile uint8_t *)src;
		}
		dst += n;
		src += n;
		len -= n;
	}
}

__attribute__((noinline)) static int guarded_copy(uint8_t *dst, const uint8_t *src, unsigned int len)
{
	static bool installed;

	if (!installed) {
		struct sigaction sa = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER };

		sigaction(SIGBUS, &sa, NULL);
		installed = true;
	}
	if (sigsetjmp(bus_jump, 0)) {
		bus_armed = 0;
		return -EFAULT;
	}
	bus_armed = 1;
	copy(dst, src, len);
	bus_armed = 0;
	return 0;
}

static int transfer(struct memmap *map, uint64_t iova, uint8_t *buf, unsigned int len, bool write)
{
	unsigned int perm = write ? VHP_MEM_WRITE : VHP_MEM_READ;

	while (len) {
		struct range *r = find(map, iova);
		unsigned int n = len;
		uint8_t *mem;
		int rc = 0;

		if (!r || !(r->perm & perm))
			return -EFAULT;
		if (r->last - iova < n - 1)
			n = (unsigned int)(r->last - iova) + 1;
		mem = (r->file ? r->file->base + r->offset : r->mem) + (iova - r->iova);
		if (r->file)
			rc = write ? guarded_copy(mem, buf, n) : guarded_copy(buf, mem, n);
		else
			copy(write ? mem : buf, write ? buf : mem, n);
		if (rc)
			return rc;
		iova += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int memmap_read(struct memmap *map, uint64_t iova, void *dst, unsigned int len)
{
	return transfer(map, iova, dst, len, false);
}

int memmap_write(struct memmap *map, uint64_t iova, const void *src, unsigned int len)
{
	return transfer(map, iova, (uint8_t *)(uintptr_t)src, len, true);
}
