/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four ports at once, two of physical and two of virtual functions, against a running vhp-sim: all carry packets, each its
 * own; whatever happens to one of them, the other three go on.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PORTS 4u
#define FEATURES (~(1ull << VHP_F_RING_EVENT_IDX | 1ull << VHOST_PCI_NET_F_MQ))
#define QSIZE 16u
#define BUF_LEN 2048u
#define LEN 112u
#define VRING_RX 0u
#define VRING_TX 1u
#define VQ_RX VHOST_PCI_VQ_RX(0)
#define VQ_TX VHOST_PCI_VQ_TX(0)
#define HEAD_RANGE 3u /* stop_reason_e of the card (rtl/lib/vhp_pkg.sv) */

static struct sim sim;
static struct host host;
static struct guest g[PORTS];
static struct peer p[PORTS];

static uint64_t id_of(unsigned int port)
{
	return 0xabc0000000000000ull + port;
}

static void give_id(unsigned int port)
{
	const struct vhp_mbox_port_config config = { .flags = VHP_PORT_PV_INTERRUPT, .vhost_pci_id = id_of(port) };

	assert_int_equal(peer_config(&p[port], &config), 0);
}

static void connect(unsigned int port)
{
	assert_int_equal(guest_init(&g[port], FEATURES, QSIZE), 0);
	assert_int_equal(peer_start(&p[port], 1), 0);
	assert_true(guest_wait_connection(&g[port], 1));
}

static void disconnect(unsigned int port)
{
	assert_int_equal(peer_stop(&p[port], 0), 0);
	peer_new_rings(&p[port]);
}

static bool used_moved(void *arg)
{
	const struct ring *r = arg;

	return r->used[1] != r->last_used;
}

struct way {
	struct ring *src, *snk;
	struct mem *from, *to;
	struct seg in, out;
};

static struct way way(unsigned int port, bool to_peer)
{
	struct guest *b = &g[port];
	struct peer *a = &p[port];

	if (to_peer)
		return (struct way){ .src = &b->q[VQ_TX], .snk = &a->q[VRING_RX], .from = &b->mem, .to = &a->mem };
	return (struct way){ .src = &a->q[VRING_TX], .snk = &b->q[VQ_RX], .from = &a->mem, .to = &b->mem };
}

/* A packet each way on all ports of the mask, under way together; what arrives is that port's and nobody else's. */
static void packets(unsigned int mask)
{
	static uint8_t tag;
	struct way w[PORTS][2];
	uint64_t cookie;
	uint32_t len;

	tag += PORTS * 2;
	for (unsigned int port = 0; port < PORTS; port++) {
		for (unsigned int i = 0; i < 2 && (mask >> port & 1); i++) {
			struct way *one = &w[port][i];

			*one = way(port, i);
			one->in = (struct seg){ mem_alloc(one->to, BUF_LEN, 64), BUF_LEN, true };
			one->out = (struct seg){ mem_alloc(one->from, 128, 64), LEN, false };
			memset((uint8_t *)mem_at(one->from, one->out.addr) + 12, tag + (int)(port * 2 + i), LEN - 12);
			assert_true(ring_add(one->snk, &one->in, 1, one->in.addr) >= 0);
			assert_true(ring_add(one->src, &one->out, 1, one->out.addr) >= 0);
		}
	}
	for (unsigned int port = 0; port < PORTS; port++) {
		if (!(mask >> port & 1))
			continue;
		guest_kick(&g[port], VQ_RX);
		peer_kick(&p[port], VRING_TX);
		peer_kick(&p[port], VRING_RX);
		guest_kick(&g[port], VQ_TX);
	}
	for (unsigned int port = 0; port < PORTS; port++) {
		for (unsigned int i = 0; i < 2 && (mask >> port & 1); i++) {
			struct way *one = &w[port][i];

			assert_true(wait_for(used_moved, one->snk));
			assert_true(ring_take(one->snk, &cookie, &len));
			assert_int_equal(len, LEN);
			assert_memory_equal((uint8_t *)mem_at(one->to, one->in.addr) + 12,
					    (uint8_t *)mem_at(one->from, one->out.addr) + 12, LEN - 12);
			assert_true(wait_for(used_moved, one->src));
			assert_true(ring_take(one->src, &cookie, &len));
		}
	}
}

#define ALL ((1u << PORTS) - 1)

/* Forget what drivers were told so far. */
static void attend(void)
{
	for (unsigned int port = 0; port < PORTS; port++)
		(void)guest_irqs(&g[port], 0);
}

/* The other ports carry packets, are connected, and their drivers were told nothing. */
static void others_go_on(unsigned int port)
{
	packets(ALL & ~(1u << port));
	for (unsigned int i = 0; i < PORTS; i++) {
		if (i == port)
			continue;
		assert_int_equal(guest_connection(&g[i]), 1);
		assert_int_equal(guest_status(&g[i]) & 0x40, 0);
		assert_int_equal(guest_pump(&g[i]), 0);
		assert_int_equal(guest_irqs(&g[i], 0), 0);
	}
}

static int setup(void **state)
{
	struct vhp_mbox_event e;

	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		if (guest_connection(&g[port]) != 1 || (guest_status(&g[port]) & 0x40)) {
			guest_reset(&g[port]);
			disconnect(port);
			connect(port);
		}
	}
	while (host_event(&host, &e))
		;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ cases */

static void all_at_once(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		packets(ALL);
}

/* Doorbells and interrupts are the port's own: function 0's vector 1 + port * 8 + vring, the function's 1 + queue. */
static void interrupts(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		for (unsigned int i = 0; i < PORTS; i++)
			for (unsigned int q = 0; q < 2; q++)
				(void)(peer_calls(&p[i], q) + guest_irqs(&g[i], 1 + VQ_RX + q));
		packets(1u << port);
		for (unsigned int i = 0; i < PORTS; i++) {
			for (unsigned int q = 0; q < 2; q++) {
				assert_int_equal(peer_calls(&p[i], q), i == port);
				assert_int_equal(guest_irqs(&g[i], 1 + VQ_RX + q), i == port);
			}
		}
	}
}

/* "vhost_pci_id": another one on each port, and the same after the driver's reset and a new connection. */
static void ids(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int port = 0; port < PORTS; port++) {
			struct vhost_pci_ctrl h;

			guest_reset(&g[port]);
			disconnect(port);
			connect(port);
			assert_true(g[port].nlog > 0);
			memcpy(&h, g[port].log[0].bytes, sizeof(h));
			assert_true(h.vhost_pci_id == id_of(port));
		}
	}
	packets(ALL);
}

static void malformed_ring(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		struct vhp_mbox_event e;

		attend();
		ring_publish(&g[port].q[VQ_TX], QSIZE);
		guest_kick(&g[port], VQ_TX);
		assert_true(host_wait_event(&host, VHP_EVENT_LANE_STOPPED, (uint8_t)port, &e));
		assert_int_equal(e.arg >> 8, HEAD_RANGE);
		assert_int_equal(guest_status(&g[port]) & 0x40, 0x40);
		others_go_on(port);
		assert_int_equal(guest_init(&g[port], FEATURES, QSIZE), 0);
		assert_true(guest_wait_connection(&g[port], 1));
		packets(ALL);
	}
}

static void driver_resets(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		attend();
		guest_reset(&g[port]);
		others_go_on(port);
		assert_int_equal(guest_init(&g[port], FEATURES, QSIZE), 0);
		assert_true(guest_wait_connection(&g[port], 1));
		packets(ALL);
	}
}

/* FLR, of physical and of virtual functions. */
static void function_resets(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		attend();
		assert_int_equal(vhp_dev_reset(g[port].dev), 0);
		assert_int_equal(guest_status(&g[port]), 0);
		others_go_on(port);
		assert_int_equal(guest_init(&g[port], FEATURES, QSIZE), 0);
		assert_true(guest_wait_connection(&g[port], 1));
		packets(ALL);
	}
}

static void front_end_goes(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		attend();
		assert_int_equal(peer_stop(&p[port], 0), 0);
		assert_true(guest_wait_connection(&g[port], 0));
		others_go_on(port);
		peer_new_rings(&p[port]);
		assert_int_equal(peer_start(&p[port], 1), 0);
		assert_true(guest_wait_connection(&g[port], 1));
		packets(ALL);
	}
}

/* The driver's process is gone without a word: socket closed, memory unmapped while the front end still sends. */
static void driver_is_killed(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		struct seg out = { mem_alloc(&p[port].mem, 128, 64), LEN, false };

		attend();
		guest_close(&g[port]);
		assert_true(ring_add(&p[port].q[VRING_TX], &out, 1, out.addr) >= 0);
		peer_kick(&p[port], VRING_TX);
		others_go_on(port);
		guest_open(&g[port], &sim, port);
		disconnect(port);
		connect(port);
		packets(ALL);
	}
}

/* ------------------------------------------------------------------------------------------------ main */

static int open_all(void **state)
{
	(void)state;
	host_open(&host, &sim);
	for (unsigned int port = 0; port < PORTS; port++) {
		guest_open(&g[port], &sim, port);
		peer_open(&p[port], &host, port, PEER_FEATURES, QSIZE);
		give_id(port);
		connect(port);
	}
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (unsigned int port = 0; port < PORTS; port++) {
		guest_close(&g[port]);
		peer_close(&p[port]);
	}
	host_close(&host);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const args[] = { "--ports", "4", NULL };
#define CASE(f) { #f, f, setup, NULL, NULL }
	const struct CMUnitTest tests[] = {
		CASE(all_at_once),    CASE(interrupts),	      CASE(ids),
		CASE(malformed_ring), CASE(driver_resets),    CASE(function_resets),
		CASE(front_end_goes), CASE(driver_is_killed),
	};

	return sim_run_tests(&sim, args, "ports", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 1 ? argv[1] : NULL);
}
