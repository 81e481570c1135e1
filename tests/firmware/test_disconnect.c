/* SPDX-License-Identifier: Apache-2.0 */
/* Every way out of a connection, from every state, and back. */
#include <string.h>

#include "cmocka_suites.h"
#include "ends.h"
#include "suites.h"

static void disconnect_by_driver(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_CLOSE_REQUEST);
	/* First the peer: the register still reads 1. */
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 1);
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(net_config)) & 1, 0);
	assert_int_equal(soc.acts[0][ACT_PEER], 2);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	/* The host is ready for the next driver; this one wants no connection. */
	host_start(&card, 0, HOST_FEATURES, 2);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	drv_reset(&d, &card);
	ends_reconnect(&d, 0);
}

static void disconnect_by_driver_host_silent(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_CLOSE_REQUEST);
	sim_advance(5000001);
	sim_run(&card);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	drv_reset(&d, &card);
	ends_reconnect(&d, 0);
}

static void disconnect_during_handshake(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 2);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FEATURES);
	sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	assert_int_equal(soc.acts[0][ACT_PEER], 1);
}

/* PORT_STOP: lanes drain, the driver hears of it, the indices come back, and the next connection goes on from them. */
static void disconnect_by_peer(void **state)
{
	const struct vhp_mbox_vring_bases *b = host_payload();
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	for (unsigned int l = 0; l < 4; l++)
		soc.drain_polls[l] = 5;
	sim_lane_idx(0, 1000, 999);
	sim_lane_idx(1, 500, 501);
	sim_lane_idx(3, 7, 8);
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(host_reply()->length, sizeof(*b));
	assert_int_equal(b->last_avail_idx[1], 1000);
	assert_int_equal(b->last_used_idx[1], 999);
	assert_int_equal(b->last_avail_idx[0], 7);
	assert_int_equal(b->last_used_idx[0], 8);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[0])), VHP_GSI_NONE);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[0].ctrl) / 4], 0);
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(b->last_avail_idx[1], 1000);

	/* Same front end again: the function's own queue kept its place, the peer's says its own. */
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_queue(1, QUEUE_OFF(idx)), 500 | 501 << 16);
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 101 | 101 << 16);
}

/* Stop and start again without new queues: everything resumes. */
static void restart_keeps_indices(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	sim_lane_idx(0, 1000, 999);
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_OK);
	drv_answer(&d, &card, 0);
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 1000 | 999 << 16);
}

static void graceful_stop(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	assert_int_equal(host_stop(&card, 0, VHP_STOP_GRACEFUL), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	/* connected, link down, disconnected */
	assert_int_equal(soc.acts[0][ACT_CONFIG], 3);
	assert_int_equal(soc.acts[0][ACT_PEER], 2);
}

static void lane_that_never_drains(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	soc.drain_polls[0] = ~0u;
	soc.time_step = 100;
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_TIMEOUT);
	assert_int_equal(card.port[0].state, VHP_PORT_DOWN);
	while (sim_event() != 0)
		;
	/* The stuck lane is not used again; the others are. */
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_false(sim_lane_enabled(0));
	assert_true(sim_lane_enabled(1));
	assert_int_equal(sim_event(), VHP_EVENT_LANE_STOPPED | STOP_ADMIN << 24);
}

static void driver_reset_and_back(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	soc.drain_polls[2] = 3;
	sim_lane_idx(0, 1000, 999);
	sim_lane_idx(1, 600, 600);
	drv_reset(&d, &card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	assert_int_equal(sim_event(), VHP_EVENT_DRIVER_RESET);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	ends_reconnect(&d, 0);
	/* The peer's ring goes on, the driver's begins again. */
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 1000 | 999 << 16);
	assert_int_equal(sim_queue(1, QUEUE_OFF(idx)), 0);
}

static void driver_sets_failed(void **state)
{
	struct drv d;

	(void)state;
	ends_connect(&d, 0);
	sim_fn_set(0, FN_OFF(status), 0x8f);
	sim_fn_event(0, VHP_FN__EVENTS__STATUS_bm);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(card.port[0].last_error, VHP_PERR_DRIVER);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
	drv_reset(&d, &card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
}

/* Bring port 0 into a state, as far as it goes. */
static void reach(struct drv *d, enum vhp_port_state want)
{
	uint8_t msg[512];
	uint32_t len;

	drv_start(d, 0, DRV_ALL);
	drv_post(d, want == VHP_PORT_VIRTQ ? 2 : 8, 256);
	if (want == VHP_PORT_DOWN) {
		sim_run(&card);
		return;
	}
	if (want == VHP_PORT_WAIT_DRIVER) {
		host_start(&card, 0, HOST_FEATURES, 2);
		drv_reset(d, &card);
		return;
	}
	host_start(&card, 0, HOST_FEATURES, 2);
	sim_run(&card);
	if (want == VHP_PORT_FEATURES)
		return;
	len = drv_take(d, msg, sizeof(msg));
	drv_send(d, msg, len);
	sim_run(&card);
	if (want == VHP_PORT_MEM)
		return;
	if (want == VHP_PORT_VIRTQ) {
		len = drv_take(d, msg, sizeof(msg));
		drv_send(d, msg, len);
		sim_run(&card);
		return;
	}
	drv_answer(d, &card, 0);
	if (want == VHP_PORT_CLOSING)
		sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	if (want == VHP_PORT_FAILED) {
		drv_publish(d, 1, DRV_QSIZE);
		drv_kick(d, 1);
	}
	sim_run(&card);
}

/* Every way out from every state leads to a port that connects again; the other port never notices. */
static void out_of_every_state(void **state)
{
	enum {
		OUT_FLR,
		OUT_RESET,
		OUT_STOP,
		OUT_PEER_FLR,
		OUTS
	};
	struct drv d, other;

	(void)state;
	for (unsigned int from = VHP_PORT_DOWN; from <= VHP_PORT_FAILED; from++) {
		for (unsigned int out = 0; out < OUTS; out++) {
			ends_setup(NULL);
			ends_connect(&other, 1);
			reach(&d, (enum vhp_port_state)from);
			assert_int_equal(card.port[0].state, from);
			soc.drain_polls[0] = 4;
			switch (out) {
			case OUT_FLR:
				sim_flr(1);
				break;
			case OUT_RESET:
				sim_fn_event(0, VHP_FN__EVENTS__RESET_bm);
				break;
			case OUT_STOP:
				assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
				break;
			default:
				sim_flr(0);
			}
			sim_run(&card);
			assert_int_equal(soc.soc[offsetof(vhp_soc_t, flr_pending) / 4], 0);
			assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
			if (out == OUT_FLR || out == OUT_RESET) {
				assert_int_equal(card.port[0].state,
						 from == VHP_PORT_DOWN ? VHP_PORT_DOWN : VHP_PORT_WAIT_DRIVER);
				assert_int_equal(soc.acts[0][ACT_RESET_DONE] >= 1, 1);
			} else {
				assert_int_equal(card.port[0].state, VHP_PORT_DOWN);
			}
			if (out != OUT_PEER_FLR) {
				assert_int_equal(card.port[1].state, VHP_PORT_CONNECTED);
				assert_true(sim_lane_enabled(4));
			} else {
				assert_int_equal(card.port[1].state, VHP_PORT_DOWN);
				assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
			}
			/* And up again, from wherever that was. */
			drv_reset(&d, &card);
			assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
			host_start(&card, 0, HOST_FEATURES, 2);
			ends_reconnect(&d, 0);
		}
	}
}

/* By the host, by the driver's wish, by FLR, by the driver's reset. */
static void many_reconnects(void **state)
{
	unsigned int ways[4] = { 0 };
	struct drv d;
	uint64_t seed = 1;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	for (int i = 0; i < 600; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		if (card.port[0].state == VHP_PORT_DOWN)
			host_start(&card, 0, HOST_FEATURES, 1 + i % 2);
		drv_answer(&d, &card, 0);
		assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
		for (unsigned int l = 0; l < 4; l++)
			soc.drain_polls[l] = (unsigned int)(seed >> (33 + 3 * l)) & 7;
		ways[seed >> 60 & 3]++;
		switch (seed >> 60 & 3) {
		case 0:
			assert_int_equal(host_stop(&card, 0, (uint32_t)(seed >> 62 & 1)), VHP_ST_OK);
			break;
		case 1:
			sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
			sim_run(&card);
			assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
			assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
			break;
		case 2:
			sim_flr(1);
			sim_run(&card);
			assert_int_equal(soc.soc[offsetof(vhp_soc_t, flr_pending) / 4], 0);
			break;
		}
		if (seed >> 60 & 3) {
			drv_reset(&d, &card);
			drv_start(&d, 0, DRV_ALL);
			drv_post(&d, 8, 256);
		}
		while (sim_event() != 0)
			;
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_in_range(ways[i], 100, 200);
	assert_int_equal(card.port[0].connects, 600);
	assert_int_equal(card.port[0].disconnects, 600);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
}

void run_disconnect_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(disconnect_by_driver, ends_setup),
		cmocka_unit_test_setup(disconnect_by_driver_host_silent, ends_setup),
		cmocka_unit_test_setup(disconnect_during_handshake, ends_setup),
		cmocka_unit_test_setup(disconnect_by_peer, ends_setup),
		cmocka_unit_test_setup(restart_keeps_indices, ends_setup),
		cmocka_unit_test_setup(graceful_stop, ends_setup),
		cmocka_unit_test_setup(lane_that_never_drains, ends_setup),
		cmocka_unit_test_setup(driver_reset_and_back, ends_setup),
		cmocka_unit_test_setup(driver_sets_failed, ends_setup),
		cmocka_unit_test_setup(out_of_every_state, ends_setup),
		cmocka_unit_test_setup(many_reconnects, ends_setup),
	};

	RUN_SUITE("disconnect", tests);
}
