/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A test program of several cmocka suites, one per source file: main() defines the counts, calls the suites one after the
 * other and returns suites_end().
 */
#ifndef VHP_CMOCKA_SUITES_H
#define VHP_CMOCKA_SUITES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/** Counts of all suites so far. */
extern int tests_run, tests_failed;

/** Runs an array of struct CMUnitTest and counts. */
#define RUN_SUITE(name, tests)                                                        \
	do {                                                                          \
		tests_run += (int)(sizeof(tests) / sizeof((tests)[0]));               \
		tests_failed += cmocka_run_group_tests_name(name, tests, NULL, NULL); \
	} while (0)

/** Prints the closing line. @return the program's exit status */
static inline int suites_end(void)
{
	printf("%d passed, %d failed\n", tests_run - tests_failed, tests_failed);
	return tests_failed != 0;
}

/** The seed of everything random, which it prints: VHP_TEST_SEED, or @p otherwise. */
static inline unsigned int suites_seed(unsigned int otherwise)
{
	const char *env = getenv("VHP_TEST_SEED");
	unsigned int seed = env != NULL ? (unsigned int)strtoul(env, NULL, 0) : otherwise;

	printf("seed %u (VHP_TEST_SEED)\n", seed);
	return seed;
}

#endif
