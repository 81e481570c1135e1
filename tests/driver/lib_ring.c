/* SPDX-License-Identifier: Apache-2.0 */
#include "lib_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	abort();
}

void mem_create(struct mem *m, uint64_t gpa, uint64_t size)
{
	m->gpa = gpa;
	m->size = size;
	m->brk = 0;
	m->fd = memfd_create("vhp-test-guest", MFD_CLOEXEC);
	if (m->fd < 0 || ftruncate(m->fd, (off_t)size) < 0)
		die("guest memory");
	m->va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (m->va == MAP_FAILED)
		die("guest memory");
}

void mem_destroy(struct mem *m)
{
	munmap(m->va, m->size);
	close(m->fd);
}

uint64_t mem_alloc(struct mem *m, uint64_t size, uint64_t align)
{
	uint64_t at = (m->brk + align - 1) & ~(align - 1);

	if (at + size > m->size) {
		fprintf(stderr, "guest memory of %llu bytes is used up\n", (unsigned long long)m->size);
		abort();
	}
	m->brk = at + size;
	memset(m->va + at, 0, size);
	return m->gpa + at;
}

void *mem_at(const struct mem *m, uint64_t gpa)
{
	if (gpa < m->gpa || gpa - m->gpa >= m->size) {
		fprintf(stderr, "the test itself uses address 0x%llx\n", (unsigned long long)gpa);
		abort();
	}
	return m->va + (gpa - m->gpa);
}

void ring_create(struct ring *r, struct mem *mem, uint16_t size, bool event_idx)
{
	*r = (struct ring){ .mem = mem, .size = size, .event_idx = event_idx, .num_free = size };
	r->desc_gpa = mem_alloc(mem, 16u * size, 4096);
	r->avail_gpa = mem_alloc(mem, 6u + 2u * size, 64);
	r->used_gpa = mem_alloc(mem, 6u + 8u * size, 64);
	r->desc = mem_at(mem, r->desc_gpa);
	r->avail = mem_at(mem, r->avail_gpa);
	r->used = mem_at(mem, r->used_gpa);
	r->cookie = calloc(size, sizeof(*r->cookie));
	r->chain = calloc(size, sizeof(*r->chain));
	if (!r->cookie || !r->chain)
		die("ring");
	for (uint16_t i = 0; i < size; i++)
		r->desc[i].next = (uint16_t)(i + 1);
}

void ring_destroy(struct ring *r)
{
	free(r->cookie);
	free(r->chain);
	r->cookie = NULL;
	r->chain = NULL;
}

void ring_publish(struct ring *r, uint16_t head)
{
	r->avail[2 + (r->next_avail & (r->size - 1))] = head;
	r->next_avail++;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	r->avail[1] = r->next_avail;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int ring_add(struct ring *r, const struct seg *segs, unsigned int n, uint64_t cookie)
{
	uint16_t head = r->free_head, at = head;

	if (n == 0 || n > r->num_free)
		return -1;
	for (unsigned int i = 0; i < n; i++) {
		volatile struct ring_desc *d = &r->desc[at];

		d->addr = segs[i].addr;
		d->len = segs[i].len;
		d->flags = (uint16_t)((segs[i].write ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0));
		at = d->next;
	}
	r->free_head = at;
	r->num_free = (uint16_t)(r->num_free - n);
	r->cookie[head] = cookie;
	r->chain[head] = (uint16_t)n;
	ring_publish(r, head);
	return head;
}

bool ring_wants_kick(const struct ring *r, uint16_t old)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->event_idx) {
		uint16_t event = r->used[2 + 4 * r->size];

		return (uint16_t)(r->next_avail - event - 1) < (uint16_t)(r->next_avail - old);
	}
	return !(r->used[0] & 1);
}

bool ring_take(struct ring *r, uint64_t *cookie, uint32_t *len)
{
	volatile uint16_t *elem = &r->used[2 + 4 * (r->last_used & (r->size - 1))];
	uint16_t at;
	uint32_t id;

	if (r->used[1] == r->last_used)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	id = elem[0] | (uint32_t)elem[1] << 16;
	*len = elem[2] | (uint32_t)elem[3] << 16;
	if (id >= r->size || r->chain[id] == 0) {
		fprintf(stderr, "the device used head %u, which it was not given\n", id);
		abort();
	}
	*cookie = r->cookie[id];
	/* Give the chain back: find its end, whose next becomes the free list. */
	at = (uint16_t)id;
	for (unsigned int i = 1; i < r->chain[id]; i++)
		at = r->desc[at].next;
	r->desc[at].next = r->free_head;
	r->free_head = (uint16_t)id;
	r->num_free = (uint16_t)(r->num_free + r->chain[id]);
	r->chain[id] = 0;
	r->last_used++;
	return true;
}

void ring_interrupts(struct ring *r, bool on)
{
	if (r->event_idx)
		r->avail[2 + r->size] = (uint16_t)(on ? r->last_used : r->last_used - 1);
	else
		r->avail[0] = !on;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
