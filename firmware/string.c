/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy, memset and memcmp by words: the C library of the cross compiler has them by bytes, and every access to RAM costs
 * the core several cycles.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t __attribute__((may_alias)) word_t;

static int unaligned(const void *a, const void *b)
{
	return ((uintptr_t)a | (uintptr_t)b) % sizeof(word_t) != 0;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (!unaligned(d, s)) {
		for (; n >= sizeof(word_t); n -= sizeof(word_t), d += sizeof(word_t), s += sizeof(word_t))
			*(word_t *)d = *(const word_t *)s;
	}
	while (n-- > 0)
		*d++ = *s++;
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint8_t *d = dst;
	word_t word = (uint8_t)c * 0x01010101u;

	if (!unaligned(d, d)) {
		for (; n >= sizeof(word_t); n -= sizeof(word_t), d += sizeof(word_t))
			*(word_t *)d = word;
	}
	while (n-- > 0)
		*d++ = (uint8_t)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n > 0 && *x == *y; n--)
		x++, y++;
	return n == 0 ? 0 : *x - *y;
}
