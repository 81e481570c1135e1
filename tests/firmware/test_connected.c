/* SPDX-License-Identifier: Apache-2.0 */
/* A port that is connected: its queues, lanes, MAC address and counters. */
#include <string.h>

#include "cmocka_suites.h"
#include "ends.h"
#include "suites.h"

static void set_mac(void **state)
{
	struct __attribute__((packed)) {
		struct vhost_pci_ctrl h;
		struct vhost_pci_ctrl_mac m;
	} msg = { { .request = VHOST_PCI_CTRL_MAC }, { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } } };
	uint32_t was_lo = sim_fn_get(0, FN_OFF(mac_lo));
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_send(&d, &msg, sizeof(msg));
	sim_run(&card);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_lo)), 0x12005452);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_hi)), 0x5634);
	assert_int_equal(soc.acts[0][ACT_CONFIG], 1);
	/* The driver's MAC goes with the driver. */
	drv_reset(&d, &card);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_lo)), was_lo);
	/* Not negotiated: refused. */
	drv_start(&d, 0, DRV_ALL & ~(1ull << VHOST_PCI_NET_F_CTRL_MAC_ADDR));
	drv_send(&d, &msg, sizeof(msg));
	sim_run(&card);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_lo)), was_lo);
	assert_int_equal(card.port[0].last_error, VHP_PERR_CTRL_MESSAGE);
}

static void lane_faults(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	/* The peer's ring: the host hears of it, the driver does not. */
	sim_lane_idx(0, 77, 77);
	sim_lane_fault(0, 3, false, 77);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_LANE_STOPPED | 3u << 24);
	assert_false(sim_lane_enabled(0));
	assert_true(sim_lane_enabled(1) && sim_lane_enabled(2));
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
	assert_int_equal(host_status(&card, 0)->lanes[0].reason, 3);
	assert_int_equal(host_status(&card, 0)->lanes[0].at, 77);
	assert_int_equal(host_status(&card, 0)->lanes[0].running, 0);
	assert_int_equal(host_status(&card, 0)->last_error, VHP_PERR_LANE);
	/* The queue is given again: only that lane starts, where it stopped. */
	struct vhp_mbox_peer_vring v = host_vring(0, 1);

	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_true(sim_lane_enabled(0));
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 77 | 77 << 16);
	/* The driver's own queue. */
	sim_lane_fault(1, 10, false, 5);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_LANE_STOPPED | 10u << 24 | 1 << 16);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
	drv_reset(&d, &card);
	ends_reconnect(&d, 0);
	assert_true(sim_lane_enabled(1));
}

static void malformed_data_queue(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	sim_fn_set(0, FN_OFF(queue[3].desc_lo), 8);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(card.port[0].last_error, VHP_PERR_LANE);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
	assert_int_equal(sim_event(), VHP_EVENT_ERROR | VHP_PERR_LANE << 16);
	assert_int_equal(sim_event(), 0);
}

/* A queue of a running port changes: its lane alone is touched. */
static void live_vring(void **state)
{
	struct vhp_mbox_peer_vring v = host_vring(0, 2);
	struct drv d;
	unsigned int told;

	(void)state;
	ends_connect(&d, 0);
	told = soc.acts[0][ACT_PEER];
	/* The same again: nothing happens. */
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_int_equal(soc.acts[0][ACT_PEER], told);

	v.gsi = 99;
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[1])), 99);
	assert_int_equal(soc.acts[0][ACT_PEER], told + 1);

	/* Vring 2 is peer RX of pair 1: sink of lane 3. The card's indices go on, whatever the request says. */
	soc.drain_polls[3] = 6;
	sim_lane_idx(7, 210, 209);
	v.msix_vector = 0xffff;
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_true(sim_lane_enabled(3));
	assert_int_equal(sim_queue(7, QUEUE_OFF(vector)), 0xffff);
	assert_int_equal(sim_queue(7, QUEUE_OFF(idx)), 210 | 209 << 16);

	v.flags = 0;
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_false(sim_lane_enabled(3));
	assert_true(sim_lane_enabled(0) && sim_lane_enabled(1) && sim_lane_enabled(2));
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_num_rx_queues)), 1);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[1])), VHP_GSI_NONE);

	/* Another ring brings its own indices. */
	v = host_vring(0, 2);
	v.desc += 0x1000;
	v.last_avail_idx = 5;
	v.last_used_idx = 6;
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
	assert_true(sim_lane_enabled(3));
	assert_int_equal(sim_queue(7, QUEUE_OFF(idx)), 5 | 6 << 16);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

static void statistics(void **state)
{
	const struct vhp_mbox_port_stats *s = host_payload();
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	/* 32-bit counters run over; 64-bit sums do not. */
	for (int i = 0; i < 5; i++) {
		soc.lane[offsetof(vhp_lane_t, stats[1].bytes) / 4] += 0xc0000000u;
		sim_advance(150000);
		sim_run(&card);
	}
	soc.fn[0][FN_OFF(doorbells) / 4] = 17;
	assert_int_equal(host_call(&card, VHP_OP_PORT_STATS, 0, NULL, 0), VHP_ST_OK);
	assert_true(s->lanes[1].bytes == 5 * 0xc0000000ull);
	assert_int_equal(s->doorbells_fn, 17);
	assert_int_equal(s->connects, 1);
	assert_int_equal(s->ctrl_rx, 4);
	assert_int_equal(s->ctrl_tx, 2);
	assert_int_equal(s->nlanes, 4);
	soc.fn[0][FN_OFF(doorbells) / 4] = 20;
	drv_reset(&d, &card);
	assert_int_equal(host_call(&card, VHP_OP_PORT_STATS, 0, NULL, 0), VHP_ST_OK);
	assert_int_equal(s->doorbells_fn, 20);
	assert_int_equal(s->disconnects, 1);
}

/* A queue that the driver enables after DRIVER_OK is served from then on. */
static void late_queue_enable(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	sim_fn_set(0, FN_OFF(queue[3].enable), 0);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_true(sim_lane_enabled(0));
	assert_false(sim_lane_enabled(1));
	/* A lane that stopped with a fault is not what the event means. */
	sim_lane_fault(2, 3, false, 7);
	sim_run(&card);
	assert_false(sim_lane_enabled(2));
	sim_fn_set(0, FN_OFF(queue[3].enable), 1);
	sim_fn_event(0, VHP_FN__EVENTS__QUEUE_ENABLE_bm);
	sim_run(&card);
	assert_true(sim_lane_enabled(1));
	assert_false(sim_lane_enabled(2));
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
}

void run_connected_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(set_mac, ends_setup),
		cmocka_unit_test_setup(lane_faults, ends_setup),
		cmocka_unit_test_setup(malformed_data_queue, ends_setup),
		cmocka_unit_test_setup(live_vring, ends_setup),
		cmocka_unit_test_setup(statistics, ends_setup),
		cmocka_unit_test_setup(late_queue_enable, ends_setup),
	};

	RUN_SUITE("connected", tests);
}
