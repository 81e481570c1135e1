/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_suites.h"
#include "suites.h"

int tests_run, tests_failed;

int main(void)
{
	run_sequence_tests();
	run_connected_tests();
	run_disconnect_tests();
	run_mailbox_tests();
	run_ring_tests();
	run_peer_memory_tests();
	return suites_end();
}
