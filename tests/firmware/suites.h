/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VHP_SUITES_H
#define VHP_SUITES_H

/** Counts of all suites so far, for the closing line. */
extern int tests_run, tests_failed;

#define RUN_SUITE(name, tests)                                                        \
	do {                                                                          \
		tests_run += (int)(sizeof(tests) / sizeof((tests)[0]));               \
		tests_failed += cmocka_run_group_tests_name(name, tests, NULL, NULL); \
	} while (0)

void run_sequence_tests(void);
void run_mailbox_tests(void);
void run_ring_tests(void);
void run_peer_memory_tests(void);

#endif
