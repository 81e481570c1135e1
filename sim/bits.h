/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Bit fields by position in arrays of 32-bit words (descriptors, tuser), and the model's random numbers.
 */
#ifndef VHP_SIM_BITS_H
#define VHP_SIM_BITS_H

#include <stdbool.h>
#include <stdint.h>

/** Bits [lsb + n - 1 : lsb], n 1..64. */
static inline uint64_t bits_get(const uint32_t *w, unsigned int lsb, unsigned int n)
{
	uint64_t v = 0;
	unsigned int got = 0;

	while (got < n) {
		unsigned int sh = (lsb + got) % 32;
		unsigned int take = 32 - sh < n - got ? 32 - sh : n - got;
		uint64_t part = w[(lsb + got) / 32] >> sh;

		if (take < 32)
			part &= (1u << take) - 1;
		v |= part << got;
		got += take;
	}
	return v;
}

/** Set bits [lsb + n - 1 : lsb]; they must be 0 before. */
static inline void bits_or(uint32_t *w, unsigned int lsb, unsigned int n, uint64_t v)
{
	for (unsigned int done = 0; done < n;) {
		unsigned int sh = (lsb + done) % 32;
		unsigned int take = 32 - sh < n - done ? 32 - sh : n - done;
		uint64_t mask = take < 32 ? (1u << take) - 1 : 0xffffffffu;

		w[(lsb + done) / 32] |= (uint32_t)(((v >> done) & mask) << sh);
		done += take;
	}
}

/** xorshift64*: small, seeded, the same everywhere. */
struct vhp_rng {
	uint64_t s;
};

static inline void rng_seed(struct vhp_rng *r, uint64_t seed, uint64_t stream)
{
	r->s = (seed + 1) * 0x9e3779b97f4a7c15u ^ (stream + 1) * 0xd1342543de82ef95u;
	if (r->s == 0)
		r->s = 1;
}

static inline uint64_t rng_next(struct vhp_rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * 0x2545f4914f6cdd1du;
}

/** Uniform enough in [0, n), n > 0. */
static inline uint32_t rng_below(struct vhp_rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

/** True in @p pct of 100 calls. */
static inline bool rng_pct(struct vhp_rng *r, unsigned int pct)
{
	return pct >= 100 || rng_below(r, 100) < pct;
}

#endif
