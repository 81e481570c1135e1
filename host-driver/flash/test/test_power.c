/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power fails before, in and after every erase and program command of a write, from everything that a slot may hold; a change that
 * is cut off leaves any mixture of bits. What the card would then boot is judged from the flash's bytes alone, without trusting the
 * checksums and fallback of the part. Then the same write again, which has to end well. SEED in the environment repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "flash_card.h"
#include "mock_card.h"

#define START 0x01002000u
#define START_PAIR 0x02004000u
#define SIZE 5304u /* ends in the middle of a page and of a sector; with two chips less than one */
#define GOLDEN_SIZE 5000u
#define PADS 16u
#define RANDOM_CUTS 10u
#define GUARD_CHANGES 3u /* at either end of a write, on each chip */
#define GUARD_TEARS 8u	 /* there it matters most what is left: more of them */

static unsigned int seed;

/* In this order a write goes. */
enum outcome {
	BOOTS_NOTHING,
	BOOTS_OLD,
	BOOTS_GOLDEN,
	BOOTS_NEW
};

static const char *const outcomes[] = { "nothing", "the old image", "the golden image", "the new image" };

/* What is in the user slot when the write begins. */
enum begin {
	OLD,	      /* an image behind an erased guard's sector */
	AT_SLOT,      /* an image right at the slot, as JTAG tools write it */
	AT_SLOT_BARE, /* the same without padding in front of its sync word */
	WORDS_ONLY,   /* a guard that was begun: the words without the sync word; an image behind it */
	TORN,	      /* a guard that another tool left half there: the sync word without what makes it a guard */
	ONE_CHIP,     /* the guard is on one of two chips */
	GUARDED,      /* the guard, and an image of which half is another one's */
	EMPTY
};

static const char *const begins[] = { "an image",
				      "an image right at the slot",
				      "an image without padding",
				      "a guard's words",
				      "half a guard",
				      "one chip's guard",
				      "a guard",
				      "nothing" };

struct rig {
	enum begin begin;
	enum flash_slot slot;
	unsigned int chips;
	uint32_t start, data;
	uint8_t *golden, *old, *new;
	size_t size; /* of the image that is written */
	struct mock_card m;
	struct flash_card c;
};

static const uint8_t guard_words[44] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0xbb, 0x11, 0x22, 0x00,
					 0x44, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xaa, 0x99,
					 0x55, 0x66, 0x20, 0x00, 0x00, 0x00, 0x30, 0x02, 0x20, 0x01, 0x40,
					 0x00, 0x00, 0x02, 0x20, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00 };
#define SYNC_AT 20u

static void rig_open(struct rig *r, enum begin begin, enum flash_slot slot, unsigned int chips)
{
	memset(r, 0, sizeof(*r));
	r->begin = begin;
	r->slot = slot;
	r->chips = chips;
	r->start = chips == 2 ? START_PAIR : START;
	r->data = r->start + chips * 0x1000;
	r->size = slot == FLASH_GOLDEN ? GOLDEN_SIZE : SIZE;
	r->golden = mock_image(&seed, 0x60, GOLDEN_SIZE, PADS);
	r->old = mock_image(&seed, 0x100, SIZE, begin == AT_SLOT_BARE ? 1 : PADS);
	r->new = mock_image(&seed, 0x200, r->size, PADS);
}

static void rig_close(struct rig *r)
{
	free(r->golden);
	free(r->old);
	free(r->new);
}

/* A new card with all that, past its registers. */
static void card_open(struct rig *r)
{
	uint8_t words[sizeof(guard_words)];
	struct flash_err err;

	mock_open(&r->m, r->chips, r->start);
	r->m.seed = (uint64_t)rand_r(&seed);
	mock_poke(&r->m, 0, r->golden, GOLDEN_SIZE);
	memcpy(words, guard_words, sizeof(words));
	if (r->begin == AT_SLOT || r->begin == AT_SLOT_BARE)
		mock_poke(&r->m, r->start, r->old, SIZE);
	else if (r->begin != EMPTY)
		mock_poke(&r->m, r->data, r->old, SIZE);
	if (r->begin == GUARDED)
		mock_poke(&r->m, r->data, r->new, SIZE / 2);
	if (r->begin == WORDS_ONLY)
		memset(words + SYNC_AT, 0xff, 4);
	if (r->begin == TORN)
		memset(words + SYNC_AT + 5, 0xff, 7);
	if (r->begin == ONE_CHIP)
		for (unsigned int i = 0; i < sizeof(words); i++)
			words[i] |= 0xf0;
	if (r->begin == WORDS_ONLY || r->begin == TORN || r->begin == ONE_CHIP || r->begin == GUARDED)
		mock_poke(&r->m, r->start + 128 * r->chips, words, sizeof(words));
	if (flash_card_open(&r->m.bar, &r->c, &err))
		fail_msg("%s", err.text);
}

/* Configuration that begins at the user slot reads on until a sync word. */
static enum outcome judge(struct rig *r)
{
	uint8_t sector[0x2000];

	mock_peek(&r->m, r->start, sector, r->chips * 0x1000);
	for (size_t at = 0; at + 16 <= r->chips * 0x1000; at++) {
		if (memcmp(sector + at, guard_words + SYNC_AT, 4) != 0)
			continue;
		if (memcmp(sector + at, guard_words + SYNC_AT, 16) == 0)
			return BOOTS_GOLDEN;
		/* An image right at the slot: what stands in its padding does not matter. */
		return at % 4 == 0 && mock_holds(&r->m, r->start + (uint32_t)at, r->old + at, SIZE - at)
			? BOOTS_OLD
			: BOOTS_NOTHING;
	}
	if (mock_holds(&r->m, r->data, r->old, SIZE))
		return BOOTS_OLD;
	return r->slot == FLASH_USER && mock_holds(&r->m, r->data, r->new, SIZE) ? BOOTS_NEW : BOOTS_NOTHING;
}

static int write_new(struct rig *r, struct flash_err *err)
{
	struct flash_tally t;

	return flash_write(&r->c, r->slot, r->new, r->size, NULL, &t, err);
}

/* Power on again; the same write, to its end. */
static void heal(struct rig *r, const char *where)
{
	uint8_t sector[0x2000];
	struct flash_err err;
	uint32_t i = 0;

	if (flash_card_open(&r->m.bar, &r->c, &err) || write_new(r, &err))
		fail_msg("%s: writing again: %s", where, err.text);
	if (r->slot == FLASH_GOLDEN) {
		assert_true(mock_holds(&r->m, 0, r->new, r->size));
		return;
	}
	mock_peek(&r->m, r->start, sector, r->chips * 0x1000);
	while (i < r->chips * 0x1000 && sector[i] == 0xff)
		i++;
	if (judge(r) != BOOTS_NEW || i < r->chips * 0x1000)
		fail_msg("%s: written again: boots %s, guard's sector differs at %u", where, outcomes[judge(r)], i);
}

static unsigned int count_changes(struct rig *r)
{
	struct flash_err err;
	unsigned int n;

	card_open(r);
	if (write_new(r, &err))
		fail_msg("%s", err.text);
	n = r->m.changes;
	mock_close(&r->m);
	return n;
}

/* Where there may be nothing to boot: only with an image that leaves no room for a guard, or half a guard that was there before. */
static bool may_be_dark(const struct rig *r, unsigned int change, enum mock_cut cut)
{
	switch (r->begin) {
	case TORN:
	case EMPTY: /* words, sync word; then the guard is there */
		return change <= 2;
	case AT_SLOT_BARE: /* erase, words, sync word */
		return change <= 3 * r->chips && !(change == 1 && cut == MOCK_BEFORE);
	default:
		return false;
	}
}

static void cut_user(struct rig *r, unsigned int change, enum mock_cut cut, bool and_heal, unsigned int seen[4])
{
	static const char *const when[] = { "before", "in", "after" };
	struct flash_err err;
	enum outcome is;
	char where[120];

	snprintf(where, sizeof(where), "%u chip(s), %s in the slot, power fails %s change %u", r->chips,
		 begins[r->begin], when[cut], change);
	card_open(r);
	r->m.cut_at = change;
	r->m.cut = cut;
	if (write_new(r, &err) == 0)
		fail_msg("%s: the write says that it is done", where);
	mock_power_cycle(&r->m);
	is = judge(r);
	seen[is]++;
	if (is == BOOTS_NOTHING && !may_be_dark(r, change, cut))
		fail_msg("%s: boots nothing (%s)", where, err.text);
	if (!mock_holds(&r->m, 0, r->golden, GOLDEN_SIZE))
		fail_msg("%s: the golden image is damaged", where);
	if (and_heal)
		heal(r, where);
	mock_close(&r->m);
}

static void each_change(enum begin begin, unsigned int chips)
{
	unsigned int seen[4] = { 0 }, n;
	struct rig r;

	rig_open(&r, begin, FLASH_USER, chips);
	n = count_changes(&r);
	/* After one is before the next. */
	for (unsigned int change = 1; change <= n; change++) {
		bool of_guard = change <= GUARD_CHANGES * chips || change + GUARD_CHANGES * chips > n;

		cut_user(&r, change, MOCK_BEFORE, of_guard || change % 4 == 0, seen);
		cut_user(&r, change, MOCK_INSIDE, of_guard || change % 2 == 0, seen);
		for (unsigned int i = 0; of_guard && i < GUARD_TEARS; i++)
			cut_user(&r, change, MOCK_INSIDE, false, seen);
	}
	cut_user(&r, n, MOCK_AFTER, true, seen);
	print_message("%u chip(s), %s in the slot: %u changes; boots golden %u, old %u, new %u, nothing %u times\n",
		      chips, begins[begin], n, seen[BOOTS_GOLDEN], seen[BOOTS_OLD], seen[BOOTS_NEW],
		      seen[BOOTS_NOTHING]);
	assert_true(n > SIZE / 256);
	assert_true(seen[BOOTS_GOLDEN] > SIZE / 256 && seen[BOOTS_NEW] > 0);
	assert_true(seen[BOOTS_OLD] > 0 || begin == TORN || begin == GUARDED || begin == EMPTY);
	rig_close(&r);
}

static void test_user(void **state)
{
	(void)state;
	for (enum begin b = OLD; b <= EMPTY; b++)
		if (b != ONE_CHIP)
			each_change(b, 1);
}

static void test_user_pair(void **state)
{
	(void)state;
	each_change(OLD, 2);
	each_change(AT_SLOT, 2);
	each_change(ONE_CHIP, 2);
}

/* Reverting keeps the image, wherever it is, and nothing comes between it and the golden one. */
static void test_revert(void **state)
{
	static const enum begin from[] = { OLD, AT_SLOT };

	(void)state;
	for (unsigned int k = 0; k < 4; k++) {
		unsigned int seen[4] = { 0 };
		struct flash_err err;
		struct rig r;

		rig_open(&r, from[k % 2], FLASH_USER, 1 + k / 2);
		for (unsigned int change = 1, n = 1; change <= n; change++) {
			for (enum mock_cut cut = MOCK_BEFORE; cut <= MOCK_AFTER; cut++) {
				card_open(&r);
				assert_int_equal(flash_revert(&r.c, &err), 0);
				n = r.m.changes;
				assert_int_equal(judge(&r), BOOTS_GOLDEN);
				mock_close(&r.m);

				card_open(&r);
				r.m.cut_at = change;
				r.m.cut = cut;
				assert_true(flash_revert(&r.c, &err) != 0);
				mock_power_cycle(&r.m);
				seen[judge(&r)]++;
				assert_true(flash_card_open(&r.m.bar, &r.c, &err) == 0);
				assert_int_equal(flash_revert(&r.c, &err), 0);
				assert_int_equal(judge(&r), BOOTS_GOLDEN);
				mock_close(&r.m);
			}
		}
		assert_true(seen[BOOTS_OLD] > 0 && seen[BOOTS_GOLDEN] > 0);
		assert_int_equal(seen[BOOTS_NOTHING] + seen[BOOTS_NEW], 0);
		rig_close(&r);
	}
}

/* Nothing to fall back to: the sector that begins it is the old one until all others are right, and the user slot stays. */
static void test_golden(void **state)
{
	(void)state;
	for (unsigned int chips = 1; chips <= 2; chips++) {
		size_t first = chips * 0x1000 < GOLDEN_SIZE ? chips * 0x1000 : GOLDEN_SIZE;
		unsigned int n, old_first = 0;
		struct rig r;

		rig_open(&r, OLD, FLASH_GOLDEN, chips);
		n = count_changes(&r);
		assert_true(n > GOLDEN_SIZE / 256);
		for (unsigned int i = 0; i < 2 * n; i++) {
			struct flash_err err;
			char where[80];

			snprintf(where, sizeof(where), "golden, %u chip(s), change %u", chips, 1 + i / 2);
			card_open(&r);
			r.m.cut_at = 1 + i / 2;
			r.m.cut = i % 2 ? MOCK_INSIDE : MOCK_BEFORE;
			if (write_new(&r, &err) == 0)
				fail_msg("%s: the write says that it is done", where);
			mock_power_cycle(&r.m);
			if (mock_holds(&r.m, 0, r.golden, first))
				old_first++;
			else if (chips == 1 && !mock_holds(&r.m, 0x1000, r.new + 0x1000, GOLDEN_SIZE - 0x1000))
				fail_msg("%s: the first sector changed before the others were right", where);
			if (!mock_holds(&r.m, r.data, r.old, SIZE) || judge(&r) != BOOTS_OLD)
				fail_msg("%s: the user slot changed", where);
			heal(&r, where);
			assert_true(mock_holds(&r.m, r.data, r.old, SIZE));
			mock_close(&r.m);
		}
		assert_true(old_first > 0);
		rig_close(&r);
	}
}

/* Between any two register writes, also inside a command. */
static void test_anywhere(void **state)
{
	(void)state;
	for (unsigned int chips = 1; chips <= 2; chips++) {
		struct flash_err err;
		int64_t all = 1 << 24;
		struct rig r;

		rig_open(&r, OLD, FLASH_USER, chips);
		card_open(&r);
		r.m.writes_left = all;
		assert_int_equal(write_new(&r, &err), 0);
		all -= r.m.writes_left;
		mock_close(&r.m);
		for (unsigned int i = 0; i < RANDOM_CUTS; i++) {
			char where[80];
			bool done;

			card_open(&r);
			r.m.writes_left = 1 + (int64_t)((unsigned int)rand_r(&seed) % (unsigned int)(all - 1));
			snprintf(where, sizeof(where), "%u chip(s), power fails after %jd register writes", chips,
				 (intmax_t)r.m.writes_left);
			done = write_new(&r, &err) == 0;
			mock_power_cycle(&r.m);
			if (judge(&r) == BOOTS_NOTHING || (done && judge(&r) != BOOTS_NEW) ||
			    !mock_holds(&r.m, 0, r.golden, GOLDEN_SIZE))
				fail_msg("%s: boots %s (%s)", where, outcomes[judge(&r)], err.text);
			heal(&r, where);
			mock_close(&r.m);
		}
		rig_close(&r);
	}
}

int main(void)
{
	const char *given = getenv("SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),   cmocka_unit_test(test_user_pair), cmocka_unit_test(test_revert),
		cmocka_unit_test(test_golden), cmocka_unit_test(test_anywhere),
	};
	const int count = (int)(sizeof(tests) / sizeof(tests[0]));
	int failed;

	seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)time(NULL);
	print_message("SEED=%u\n", seed);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%d passed, %d failed\n", count - failed, failed);
	return failed != 0;
}
