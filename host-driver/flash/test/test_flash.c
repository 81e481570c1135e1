/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots, guard and NOR commands against the simulation's flash model behind a mock of BAR 4. SEED in the environment repeats a run.
 */
#include <errno.h>
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

static unsigned int seed;

static void open_card(struct mock_card *m, struct flash_card *c)
{
	struct flash_err err;

	if (flash_card_open(&m->bar, c, &err))
		fail_msg("%s", err.text);
}

static void must_write(struct flash_card *c, enum flash_slot slot, const uint8_t *data, size_t size,
		       struct flash_tally *t)
{
	struct flash_err err;

	if (flash_write(c, slot, data, size, NULL, t, &err))
		fail_msg("%s", err.text);
}

static enum flash_guard guard_of(struct flash_card *c)
{
	struct flash_contents f;
	struct flash_err err;

	assert_int_equal(flash_inspect(c, FLASH_USER, 4096, &f, &err), 0);
	return f.guard;
}

static void no_violation(const struct mock_card *m)
{
	for (unsigned int i = 0; i < m->chips; i++)
		for (unsigned int v = 0; v < NOR_VIOLATIONS; v++)
			if (nor_stats(m->nor[i])->violations[v])
				fail_msg("chip %u: %s, %ju times", i, nor_violation_name(v),
					 (uintmax_t)nor_stats(m->nor[i])->violations[v]);
}

/* --------------------------------------------------------------------------------------------------------- one chip */

static void test_identify(void **state)
{
	struct mock_card m;
	struct flash_card c;

	(void)state;
	mock_open(&m, 1, START);
	open_card(&m, &c);
	assert_string_equal(c.board, "sim");
	assert_int_equal(c.start, START);
	assert_int_equal(c.nor[0].bytes, 128 << 20);
	assert_int_equal(c.nor[0].depth, 256);
	assert_true(c.nor[0].micron);
	assert_int_equal(flash_slot_data(&c, FLASH_USER), START + 0x1000);
	assert_int_equal(flash_slot_bytes(&c, FLASH_USER), (128u << 20) - START - 0x1000);
	no_violation(&m);
	mock_close(&m);
}

static void write_and_read(unsigned int chips, unsigned int depth)
{
	uint32_t start = chips == 2 ? START_PAIR : START;
	size_t size = 200004; /* ends in the middle of a page and of a sector */
	uint8_t *golden = mock_image(&seed, 0x60, 8192, 1), *one = mock_image(&seed, 0x100, size, 1),
		*two = mock_image(&seed, 0x200, size, 1), *back;
	uint8_t sector[0x2000];
	struct flash_contents f;
	struct flash_tally t;
	struct flash_err err;
	struct mock_card m;
	struct flash_card c;
	uint64_t different;
	uint32_t first;

	mock_open(&m, chips, start);
	m.depth = depth;
	open_card(&m, &c);
	must_write(&c, FLASH_GOLDEN, golden, 8192, &t);
	must_write(&c, FLASH_USER, one, size, &t);
	assert_int_equal(t.kept, 0);
	assert_int_equal(t.programmed, t.sectors);
	assert_true(mock_holds(&m, start + chips * 0x1000, one, size));
	mock_peek(&m, start, sector, sizeof(sector));
	for (uint32_t i = 0; i < chips * 0x1000; i++)
		assert_int_equal(sector[i], 0xff);

	/* Over another image, in whole blocks where that takes less time. */
	must_write(&c, FLASH_USER, two, size, &t);
	assert_true(chips == 2 || nor_stats(m.nor[0])->erased_64k > 0);
	assert_true(mock_holds(&m, start + chips * 0x1000, two, size));
	assert_true(mock_holds(&m, 0, golden, 8192));
	assert_int_equal(flash_verify(&c, FLASH_USER, two, size, NULL, &different, &first, &err), 0);
	assert_int_equal(different, 0);
	assert_int_equal(flash_verify(&c, FLASH_USER, one, size, NULL, &different, &first, &err), 0);
	assert_true(different > 0 && first >= start + chips * 0x1000);

	/* Who is there, and where it ends. */
	assert_int_equal(flash_inspect(&c, FLASH_USER, UINT64_MAX, &f, &err), 0);
	assert_int_equal(f.guard, FLASH_GUARD_NONE);
	assert_true(f.stream.has_usr_access && f.stream.usr_access == 0x200 && f.stream.idcode == 0x04b37093);
	assert_true(f.stream.complete);
	assert_int_equal(f.stream.end, size);
	back = malloc(size);
	assert_int_equal(flash_read(&c, f.from, back, size, NULL, &err), 0);
	assert_memory_equal(back, two, size);

	/* The same again: nothing is touched but the guard. */
	must_write(&c, FLASH_USER, two, size, &t);
	assert_int_equal(t.programmed + t.erased, 0);
	assert_int_equal(t.kept, t.sectors);

	flash_card_release(&c);
	no_violation(&m);
	mock_close(&m);
	free(golden);
	free(one);
	free(two);
	free(back);
}

static void test_write(void **state)
{
	(void)state;
	write_and_read(1, 256);
}

static void test_write_small_fifo(void **state)
{
	(void)state;
	write_and_read(1, 16);
}

static void test_write_pair(void **state)
{
	(void)state;
	write_and_read(2, 256);
}

static void test_guard(void **state)
{
	/* What xbflash2 writes, byte for byte. */
	static const uint8_t want[44] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0xbb, 0x11, 0x22, 0x00,
					  0x44, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xaa, 0x99,
					  0x55, 0x66, 0x20, 0x00, 0x00, 0x00, 0x30, 0x02, 0x20, 0x01, 0x40,
					  0x00, 0x00, 0x02, 0x20, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00 };

	(void)state;
	for (unsigned int chips = 1; chips <= 2; chips++) {
		uint32_t start = chips == 2 ? START_PAIR : START;
		uint8_t *one = mock_image(&seed, 0x100, 20000, 1);
		struct flash_tally t;
		struct flash_err err;
		struct mock_card m;
		struct flash_card c;

		mock_open(&m, chips, start);
		open_card(&m, &c);
		must_write(&c, FLASH_USER, one, 20000, &t);
		assert_int_equal(flash_revert(&c, &err), 0);
		assert_int_equal(guard_of(&c), FLASH_GUARD_THERE);
		assert_true(mock_holds(&m, start + chips * 128, want, sizeof(want)));
		assert_true(mock_holds(&m, start + chips * 0x1000, one, 20000));
		/* Nothing to do: no erase. */
		uint64_t erased = nor_stats(m.nor[0])->erased_4k;
		assert_int_equal(flash_revert(&c, &err), 0);
		assert_int_equal(nor_stats(m.nor[0])->erased_4k, erased);
		/* The image is still there: only the guard goes. */
		must_write(&c, FLASH_USER, one, 20000, &t);
		assert_int_equal(t.programmed, 0);
		assert_int_equal(guard_of(&c), FLASH_GUARD_NONE);
		/* An image right at the slot, as JTAG tools write it, then a real write. */
		mock_poke(&m, start, one, 20000);
		assert_int_equal(guard_of(&c), FLASH_GUARD_DATA);
		must_write(&c, FLASH_USER, one, 20000, &t);
		assert_int_equal(guard_of(&c), FLASH_GUARD_NONE);
		mock_close(&m);
		free(one);
	}
}

/* ------------------------------------------------------------------------------------------------------ interruptions */

struct stopper {
	volatile sig_atomic_t stop;
	unsigned int calls, at;
};

static void count_down(void *arg, const char *phase, uint64_t done, uint64_t total)
{
	struct stopper *s = arg;

	assert_non_null(phase);
	assert_true(done <= total);
	s->stop = ++s->calls >= s->at;
}

static void test_stopped(void **state)
{
	uint8_t *image = mock_image(&seed, 0x300, 300000, 1);

	(void)state;
	for (unsigned int at = 1; at <= 5; at++) {
		struct stopper s = { .at = at };
		struct flash_watch watch = { count_down, &s, &s.stop };
		struct flash_tally t;
		struct flash_err err;
		struct mock_card m;
		struct flash_card c;

		mock_open(&m, 1, START);
		open_card(&m, &c);
		assert_int_equal(flash_write(&c, FLASH_USER, image, 300000, &watch, &t, &err), -EINTR);
		assert_int_equal(guard_of(&c), FLASH_GUARD_THERE);
		assert_int_equal(m.ssr & 3, 3);
		must_write(&c, FLASH_USER, image, 300000, &t);
		assert_true(t.kept > 0);
		assert_int_equal(guard_of(&c), FLASH_GUARD_NONE);
		no_violation(&m);
		mock_close(&m);
	}
	free(image);
}

/* ------------------------------------------------------------------------------------------------------------ defects */

static void test_no_answer(void **state)
{
	struct flash_err err;
	struct mock_card m;
	struct flash_card c;

	(void)state;
	mock_open(&m, 1, START);
	m.all_ones = true;
	assert_int_equal(flash_card_open(&m.bar, &c, &err), -EIO);
	assert_non_null(strstr(err.text, "all ones"));
	m.all_ones = false;
	m.never_empty = true;
	m.bar.scale = 0;
	assert_int_equal(flash_card_open(&m.bar, &c, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "does not get its bytes out"));
	m.never_empty = false;
	m.never_ready = true;
	assert_int_equal(flash_card_open(&m.bar, &c, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "stays busy"));
	m.never_ready = false;
	m.bar.scale = MOCK_SCALE;
	/* It goes away in the middle: no endless wait. */
	open_card(&m, &c);
	for (unsigned int writes = 1; writes < 300; writes += 7) {
		uint8_t data[300];

		m.writes_left = writes;
		assert_int_equal(flash_read(&c, 0, data, sizeof(data), NULL, &err), -EIO);
	}
	mock_close(&m);
}

static void test_refused(void **state)
{
	uint8_t *image = mock_image(&seed, 0x1, 5000, 1);
	static const uint8_t wren[] = { 0x06 }, protect[] = { 0x01, 0x7c };
	struct flash_tally t;
	struct flash_err err;
	struct mock_card m;
	struct flash_card c;

	(void)state;
	mock_open(&m, 1, START);
	open_card(&m, &c);
	assert_int_equal(flash_write(&c, FLASH_GOLDEN, image, START + 1, NULL, &t, &err), -EFBIG);
	assert_int_equal(flash_write(&c, FLASH_USER, image, 128u << 20, NULL, &t, &err), -EFBIG);
	assert_int_equal(flash_write(&c, FLASH_USER, image, 0, NULL, &t, &err), -EFBIG);
	assert_int_equal(flash_read(&c, (128u << 20) - 1, image, 2, NULL, &err), -ERANGE);
	assert_int_equal(nor_used(m.nor[0]), 0);
	/* Blocks protected by the status register. */
	mock_command(&m, 0, wren, sizeof(wren));
	mock_command(&m, 0, protect, sizeof(protect));
	assert_int_equal(flash_write(&c, FLASH_USER, image, 5000, NULL, &t, &err), -EIO);
	assert_non_null(strstr(err.text, "write-protected"));
	mock_close(&m);

	/* No golden image: nothing to revert to. */
	mock_open(&m, 1, 0);
	open_card(&m, &c);
	assert_int_equal(flash_revert(&c, &err), -ENOTSUP);
	must_write(&c, FLASH_GOLDEN, image, 5000, &t);
	assert_true(mock_holds(&m, 0, image, 5000));
	mock_close(&m);
	free(image);
}

static void test_boot(void **state)
{
	/* An address register that another tool left behind, which reads of three bytes would go wrong with. */
	static const uint8_t wren[] = { 0x06 }, bank[] = { 0xc5, 0x01 }, read_3[] = { 0x03, 0, 0, 0, 0 };
	struct flash_err err;
	struct mock_card m;
	struct flash_card c;
	uint8_t golden = 0x5a;

	(void)state;
	mock_open(&m, 1, START);
	open_card(&m, &c);
	m.held = true;
	assert_int_equal(flash_boot(&c, START, &err), -EBUSY);
	assert_int_equal(m.refused, 0);
	m.held = false;
	assert_int_equal(flash_boot(&c, START + 4, &err), -EACCES);
	assert_non_null(strstr(err.text, "multiple of 256"));
	assert_true(nor_write(m.nor[0], 0, &golden, 1));
	mock_command(&m, 0, wren, sizeof(wren));
	mock_command(&m, 0, bank, sizeof(bank));
	assert_int_equal(flash_boot(&c, START, &err), 0);
	assert_true(m.loading);
	assert_int_equal(m.address, START);
	assert_false(flash_is_back(&m.bar));
	assert_int_equal(mock_command(&m, 0, read_3, sizeof(read_3)), golden);
	assert_int_equal(nor_stats(m.nor[0])->opcode[0xc5], 3);
	mock_close(&m);
}

int main(void)
{
	const char *given = getenv("SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_small_fifo),
		cmocka_unit_test(test_write_pair),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_boot),
	};
	const int count = (int)(sizeof(tests) / sizeof(tests[0]));
	int failed;

	seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)time(NULL);
	print_message("SEED=%u\n", seed);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%d passed, %d failed\n", count - failed, failed);
	return failed != 0;
}
