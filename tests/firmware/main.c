/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "suites.h"

int tests_run, tests_failed;

int main(void)
{
	run_sequence_tests();
	run_mailbox_tests();
	run_ring_tests();
	run_peer_memory_tests();
	printf("%d passed, %d failed\n", tests_run - tests_failed, tests_failed);
	return tests_failed != 0;
}
