/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VHP_SUITES_H
#define VHP_SUITES_H

void run_sequence_tests(void);
void run_connected_tests(void);
void run_disconnect_tests(void);
void run_mailbox_tests(void);
void run_ring_tests(void);
void run_peer_memory_tests(void);

#endif
