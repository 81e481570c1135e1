/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receiver that sleeps: waits for the first port's rx interrupt instead of polling, and answers every packet.
 *
 *   rx_sleep EAL-ARGUMENTS -- COUNT
 *
 * Ends after COUNT packets and prints how often it slept. Public DPDK interface only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_mbuf.h>

#define BURST 32u
#define WAIT_MS 300000

static unsigned int empty_queue(uint64_t *sent)
{
	struct rte_mbuf *m[BURST];
	unsigned int total = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(0, 0, m, BURST)) > 0) {
		uint16_t done = 0;

		total += n;
		while (done < n)
			done += rte_eth_tx_burst(0, 0, m + done, n - done);
		*sent += n;
	}
	return total;
}

int main(int argc, char **argv)
{
	struct rte_eth_conf conf = { .intr_conf = { .rxq = 1 } };
	struct rte_eth_link link = { 0 };
	struct rte_epoll_event event;
	uint64_t received = 0, sent = 0, wanted, sleeps = 0;
	struct rte_mempool *pool;
	int args = rte_eal_init(argc, argv);

	if (args < 0 || argc - args != 2) {
		fprintf(stderr, "usage: %s EAL-ARGUMENTS -- COUNT\n", argv[0]);
		return 2;
	}
	wanted = strtoull(argv[args + 1], NULL, 0);
	pool = rte_pktmbuf_pool_create("pool", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL || rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(0, 0, 128, 0, NULL, pool) != 0 || rte_eth_tx_queue_setup(0, 0, 128, 0, NULL) != 0 ||
	    rte_eth_dev_start(0) != 0 ||
	    rte_eth_dev_rx_intr_ctl_q(0, 0, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, NULL) != 0) {
		fprintf(stderr, "the port cannot be set up for interrupts\n");
		return 1;
	}
	while (rte_eth_link_get_nowait(0, &link) == 0 && link.link_status == 0)
		rte_delay_us_sleep(10000);
	puts("link up");
	fflush(stdout);
	while (received < wanted) {
		received += empty_queue(&sent);
		if (received >= wanted)
			break;
		rte_eth_dev_rx_intr_enable(0, 0);
		if (rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, WAIT_MS) <= 0) {
			printf("no interrupt within %d ms, %" PRIu64 " packets so far\n", WAIT_MS, received);
			return 1;
		}
		rte_eth_dev_rx_intr_disable(0, 0);
		sleeps++;
	}
	/* What was sent is still the card's until it says otherwise. */
	for (unsigned int i = 0; i < 1000 && rte_eth_tx_done_cleanup(0, 0, 0) >= 0; i++)
		rte_delay_us_sleep(1000);
	printf("received %" PRIu64 ", answered %" PRIu64 ", slept %" PRIu64 " times\n", received, sent, sleeps);
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	rte_eal_cleanup();
	return 0;
}
