/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of one device without a card share: EAL, mbuf pools, a struct vpnet with its ethdev. */
#ifndef VPNET_TEST_UNIT_H
#define VPNET_TEST_UNIT_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>

#include "../vpnet.h"

#define MBUFS 1023u

static struct rte_eth_dev eth;
static struct rte_eth_dev_data data;
static struct vpnet *net;
static struct rte_mempool *pool, *small_pool;
static void *rxqs[VPNET_MAX_PAIRS], *txqs[VPNET_MAX_PAIRS];

/* Sets all of the above up, the device being dev; on failure prints the closing line and returns false. */
static inline bool unit_start(char *program, struct vhp_dev *dev)
{
	char *args[] = { program,
			 (char *)"--no-huge",
			 (char *)"-m",
			 (char *)"64",
			 (char *)"--no-pci",
			 (char *)"--no-shconf",
			 (char *)"--no-telemetry",
			 (char *)"--lcores=0@0",
			 (char *)"--log-level=pmd.net.vhost_pci:critical",
			 NULL };

	if (rte_eal_init(RTE_DIM(args) - 1, args) < 0) {
		puts("0 passed, 1 failed (EAL does not start)");
		return false;
	}
	pool = rte_pktmbuf_pool_create("large", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	small_pool = rte_pktmbuf_pool_create("small", MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + 256, 0);
	net = calloc(1, sizeof(*net));
	if (pool == NULL || small_pool == NULL || net == NULL) {
		puts("0 passed, 1 failed (no memory)");
		return false;
	}
	pthread_mutex_init(&net->lock, NULL);
	snprintf(net->name, sizeof(net->name), "test");
	net->dev = dev;
	net->eth = &eth;
	for (unsigned int i = 0; i < RTE_DIM(net->max_ring); i++)
		net->max_ring[i] = 1024;
	eth.data = &data;
	data.dev_private = net;
	data.mtu = 1500;
	data.rx_queues = rxqs;
	data.tx_queues = txqs;
	return true;
}

#endif
