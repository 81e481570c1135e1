/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "cmocka_suites.h"

RTE_LOG_REGISTER(vpnet_logtype, pmd.net.vhost_pci, NOTICE);

struct rte_eth_dev eth;
struct rte_eth_dev_data data;
struct vpnet *net;
struct rte_mempool *pool, *small_pool;
int tests_run, tests_failed;

static void *rxqs[VPNET_MAX_PAIRS], *txqs[VPNET_MAX_PAIRS];

bool unit_start(char *program, struct vhp_dev *dev)
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

void fill(uint8_t *packet, uint32_t len, unsigned int with)
{
	memset(packet, 0, VPNET_HDR_LEN);
	for (uint32_t i = 0; i < len; i++)
		packet[VPNET_HDR_LEN + i] = (uint8_t)(with * 31 + i * 7 + (i >> 8));
}

void expect(struct rte_mbuf *m, const uint8_t *packet, uint32_t len)
{
	static uint8_t copy[70000];
	const uint8_t *p;

	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, len);
	p = rte_pktmbuf_read(m, 0, len, copy);
	assert_non_null(p);
	assert_memory_equal(p, packet + VPNET_HDR_LEN, len);
	rte_pktmbuf_free(m);
}

struct rte_mbuf *make(uint32_t len, unsigned int segs, const uint8_t *packet, uint16_t headroom)
{
	struct rte_mbuf *first = NULL;

	for (unsigned int i = 0; i < segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t part = i + 1 == segs ? len : len / (segs - i);

		m->data_off = headroom;
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), packet, part);
		packet += part;
		len -= part;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}
