// SPDX-License-Identifier: Apache-2.0
//
// The other end of a checked stream (stream.h), on the first DPDK port: stream_pmd EAL-ARGUMENTS -- a|b RATE MAX. Sends only
// while the link is up. Public DPDK interface only.

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "stream.h"

#define BURST 32u

static bool link_up(void)
{
	static struct rte_eth_link link;
	struct rte_eth_link now;

	if (rte_eth_link_get_nowait(0, &now) == 0 && now.link_status != link.link_status) {
		link = now;
		printf("link %s\n", link.link_status ? "up" : "down");
	}
	return link.link_status != 0;
}

static unsigned int receive(struct stream *s)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(0, 0, m, BURST);

	for (uint16_t i = 0; i < n; i++) {
		uint8_t flat[STREAM_MAX];
		const void *data = NULL;

		if (m[i]->pkt_len <= sizeof(flat))
			data = rte_pktmbuf_read(m[i], 0, m[i]->pkt_len, flat);
		if (data != NULL)
			stream_check(s, data, m[i]->pkt_len);
		else
			s->corrupt++;
		rte_pktmbuf_free(m[i]);
	}
	return n;
}

/* Extended statistics that counted something. */
static void print_xstats(void)
{
	static struct rte_eth_xstat_name names[256];
	static struct rte_eth_xstat values[256];
	int n = rte_eth_xstats_get_names(0, names, RTE_DIM(names));

	if (n > (int)RTE_DIM(names) || rte_eth_xstats_get(0, values, RTE_DIM(values)) != n)
		return;
	for (int i = 0; i < n; i++)
		if (values[i].value != 0)
			printf("%s: %" PRIu64 "\n", names[values[i].id].name, values[i].value);
}

static unsigned int transmit(struct stream *s, struct rte_mempool *pool)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = 0, done;

	while (n < RTE_MIN(BURST, s->quota) && (s->rate == 0 || s->credit >= (n + 1) * (uint64_t)1000000u)) {
		m[n] = rte_pktmbuf_alloc(pool);
		if (m[n] == NULL)
			break;
		m[n]->data_len = (uint16_t)stream_make(rte_pktmbuf_mtod(m[n], uint8_t *), s->max, s->way,
						       (uint32_t)(s->sent + n));
		m[n]->pkt_len = m[n]->data_len;
		n++;
	}
	done = rte_eth_tx_burst(0, 0, m, n);
	for (uint16_t i = 0; i < done; i++)
		stream_sent(s);
	rte_pktmbuf_free_bulk(m + done, n - done);
	return done;
}

int main(int argc, char **argv)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_stats stats;
	struct rte_mempool *pool;
	uint64_t looked = 0;
	bool up = false, more = true;
	struct stream s;
	int args = rte_eal_init(argc, argv);

	if (args < 0 || argc - args != 4 ||
	    !stream_init(&s, (uint8_t)argv[args + 1][0], argv[args + 2], argv[args + 3])) {
		fprintf(stderr, "usage: %s EAL-ARGUMENTS -- a|b RATE MAX\n", argv[0]);
		return 2;
	}
	conf.rxmode.mtu = (uint32_t)RTE_MAX(s.max - RTE_ETHER_HDR_LEN, (size_t)RTE_ETHER_MTU);
	pool = rte_pktmbuf_pool_create("pool", 2047, 0, 0, RTE_PKTMBUF_HEADROOM + 9216, 0);
	if (pool == NULL || rte_eth_dev_configure(0, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(0, 0, 256, 0, NULL, pool) != 0 || rte_eth_tx_queue_setup(0, 0, 256, 0, NULL) != 0 ||
	    rte_eth_dev_start(0) != 0) {
		fprintf(stderr, "the port cannot be set up\n");
		return 1;
	}
	puts("ready");
	while (more) {
		unsigned int work = 0;
		uint64_t now = stream_now_us();

		if (now - looked > 1000) {
			up = link_up();
			looked = now;
		}
		if (!s.holding)
			work += receive(&s);
		if (up && stream_due(&s))
			work += transmit(&s, pool);
		more = stream_commands(&s, 0);
		if (work == 0)
			rte_delay_us_sleep(100);
	}
	stream_print(&s, "end");
	if (rte_eth_stats_get(0, &stats) == 0)
		printf("port: received %" PRIu64 " missed %" PRIu64 " errors %" PRIu64 " without mbuf %" PRIu64
		       ", sent %" PRIu64 " errors %" PRIu64 "\n",
		       stats.ipackets, stats.imissed, stats.ierrors, stats.rx_nombuf, stats.opackets, stats.oerrors);
	print_xstats();
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	rte_eal_cleanup();
	puts("Bye...");
	return stream_right(&s) ? 0 : 1;
}
