/* SPDX-License-Identifier: Apache-2.0 */
/* Connection state machine: the seed's sequence, every way out of it, and back. */
#include "ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl.h"
#include "hw.h"
#include "suites.h"

static struct card card;

static int setup(void **state)
{
	(void)state;
	sim_reset();
	memset(&card, 0, sizeof(card));
	card_init(&card);
	return 0;
}

static void connect(struct drv *d, unsigned int port)
{
	drv_start(d, port, DRV_ALL);
	drv_post(d, 8, 256);
	host_start(&card, port, HOST_FEATURES, 2);
	drv_answer(d, &card, 0);
	assert_int_equal(card.port[port].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_event(), VHP_EVENT_CONNECTED | port << 8);
}

static unsigned int port_stop_now(unsigned int port, uint32_t flags)
{
	struct vhp_mbox_port_stop s = { .flags = flags };

	return host_call(&card, VHP_OP_PORT_STOP, port, &s, sizeof(s));
}

static void boots(void **state)
{
	(void)state;
	assert_int_equal(soc.soc[offsetof(vhp_soc_t, fw_status) / 4] & 0xff, 1);
	assert_int_equal(soc.soc[offsetof(vhp_soc_t, config_enable) / 4], 1);
	for (unsigned int p = 0; p < SIM_PORTS; p++) {
		uint64_t f = sim_fn_get(p, FN_OFF(device_features_lo)) |
			(uint64_t)sim_fn_get(p, FN_OFF(device_features_hi)) << 32;

		assert_true(f == DRV_ALL);
		assert_int_equal(sim_fn_get(p, FN_OFF(num_queues)), 2 + 2 * SIM_PAIRS);
		assert_int_equal(sim_fn_get(p, FN_OFF(net_config)), SIM_PAIRS << 16);
		assert_int_equal(sim_fn_get(p, FN_OFF(mac_lo)) & 3, 2);
		assert_int_equal(sim_fn_get(p, FN_OFF(mtu)), 1500);
	}
	sim_run(&card);
}

/* The messages in the seed's order, byte by byte, and nothing shown before the end. */
static void whole_sequence(void **state)
{
	struct vhp_mbox_port_config c = { .vhost_pci_id = 0x1122334455667788ull,
					  .uuid_hi = 0xa1a2a3a4a5a6a7a8ull,
					  .uuid_lo = 0xb1b2b3b4b5b6b7b8ull };
	struct vhost_pci_ctrl h = { .vhost_pci_id = c.vhost_pci_id };
	uint8_t msg[512], want[12];
	uint64_t bits;
	struct drv d;

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &c, sizeof(c)), VHP_ST_OK);
	host_start(&card, 0, HOST_FEATURES, 2);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 4, 256);
	sim_run(&card);

	assert_int_equal(card.port[0].state, VHP_PORT_FEATURES);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	assert_int_equal(soc.msix[1][1], 1);
	h.request = 0;
	memcpy(want, &h, 12);
	assert_memory_equal(msg, want, 12);
	memcpy(&bits, msg + 12, 8);
	/* LOG_ALL is 27 in the seed, 26 in vhost-user; transport features do not show. */
	assert_true(bits == (1ull << 15 | 1ull << 11 | 1ull << 27));
	assert_int_equal(drv_take(&d, msg + 100, 100), 0);
	drv_send(&d, msg, 20);
	sim_run(&card);

	assert_int_equal(card.port[0].state, VHP_PORT_MEM);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 29);
	h.request = 1;
	memcpy(want, &h, 12);
	assert_memory_equal(msg, want, 12);
	for (int i = 12; i < 29; i++)
		assert_int_equal(msg[i], 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
	drv_send(&d, msg, 29);
	sim_run(&card);

	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 12 + 5 + 80);
	assert_int_equal(msg[0], 2);
	assert_int_equal(msg[12], VHOST_PCI_PEER_VIRTQ_TX);
	assert_int_equal(msg[13], 2);
	for (unsigned int pair = 0; pair < 2; pair++) {
		struct vhp_mbox_peer_vring v = host_vring(0, 2 * pair + 1);
		struct vhost_pci_virtq row;

		memcpy(&row, msg + 17 + 40 * pair, sizeof(row));
		assert_int_equal(row.num, v.num);
		assert_true(row.desc == v.desc && row.avail == v.avail && row.used == v.used);
		assert_int_equal(row.last_avail_idx, v.last_avail_idx);
		assert_int_equal(row.flags,
				 VHOST_PCI_VIRTQ_F_ENABLED | VHOST_PCI_VIRTQ_F_EVENT_IDX |
					 VHOST_PCI_VIRTQ_F_INDIRECT_DESC);
		assert_int_equal(row.gsi, v.gsi);
	}
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 12 + 5 + 80);
	assert_int_equal(msg[12], VHOST_PCI_PEER_VIRTQ_RX);

	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 1);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_num_rx_queues)), 2);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[0])), 40);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[1])), 42);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[2])), VHP_GSI_NONE);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_uuid_hi_lo)), 0xa5a6a7a8u);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_uuid_hi_hi)), 0xa1a2a3a4u);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_uuid_lo_lo)), 0xb5b6b7b8u);
	assert_int_equal(sim_fn_get(0, FN_OFF(net_config)) & 1, 1);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_irq_ctrl)), 0);
	assert_int_equal(soc.acts[0][ACT_PEER], 1);
	assert_int_equal(sim_event(), VHP_EVENT_CONNECTED);
	assert_int_equal(sim_event(), 0);

	/* Queue contexts: lane 0 peer TX -> receiveq, lane 1 transmitq -> peer RX. */
	assert_int_equal(sim_queue(0, QUEUE_OFF(cfg)), 0 | 8 << 8 | 1 << 12 | 1 << 13 | 1 << 15);
	assert_int_equal(sim_queue(0, QUEUE_OFF(desc_lo)), (uint32_t)(HOST_IOVA + 0x10000));
	assert_int_equal(sim_queue(0, QUEUE_OFF(desc_hi)), HOST_IOVA >> 32);
	assert_int_equal(sim_queue(0, QUEUE_OFF(vector)), 2);
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 101 | 101 << 16);
	assert_int_equal(sim_queue(1, QUEUE_OFF(cfg)), 1 | 8 << 8 | 1 << 12 | 1 << 13 | 1 << 14);
	assert_int_equal(sim_queue(1, QUEUE_OFF(idx)), 0);
	assert_int_equal(sim_queue(2, QUEUE_OFF(cfg)), 1 | 8 << 8 | 1 << 12 | 1 << 13);
	assert_int_equal(sim_queue(3, QUEUE_OFF(cfg)), 0 | 8 << 8 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15);
	assert_int_equal(sim_queue(3, QUEUE_OFF(vector)), 1);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[0].gpa_lo) / 4], HOST_GPA);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[0].last_lo) / 4], HOST_GPA + HOST_MEM - 1);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[0].ctrl) / 4], 1);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[1].ctrl) / 4], 0);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_int_equal(sim_lane_enabled(l), l < 4);
}

/* mrg, EVENT_IDX and INDIRECT are each side's own. */
static void features_per_side(void **state)
{
	uint64_t own = 1ull << VHP_F_VERSION_1 | 1ull << VHOST_PCI_NET_F_COPY_OFFLOAD;
	struct drv d;

	(void)state;
	drv_start(&d, 0, own);
	drv_post(&d, 4, 256);
	host_start(&card, 0, 1ull << 32 | 1ull << 29, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_queue(0, QUEUE_OFF(cfg)) & 0xf000, 1 << 12 | 1 << 15);
	assert_int_equal(sim_queue(1, QUEUE_OFF(cfg)) & 0xf000, 0);
	assert_int_equal(sim_queue(3, QUEUE_OFF(cfg)) & 0xf000, 1 << 12 | 1 << 15);
	/* Without MQ one pair runs. */
	assert_true(sim_lane_enabled(0) && sim_lane_enabled(1));
	assert_false(sim_lane_enabled(2) || sim_lane_enabled(3));
}

static void pv_interrupt(void **state)
{
	struct vhp_mbox_port_config c = { .flags = VHP_PORT_PV_INTERRUPT };
	struct drv d;

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 1, &c, sizeof(c)), VHP_ST_OK);
	assert_int_equal(sim_fn_get(1, FN_OFF(device_features_hi)), 3);
	drv_start(&d, 1, DRV_ALL | 1ull << VHP_F_PV_INTERRUPT);
	drv_post(&d, 4, 256);
	host_start(&card, 1, HOST_FEATURES, 1);
	drv_answer(&d, &card, 0);
	assert_int_equal(sim_fn_get(1, FN_OFF(peer_irq_ctrl)), 1);
	assert_int_equal(port_stop_now(1, 0), VHP_ST_OK);
	assert_int_equal(sim_fn_get(1, FN_OFF(peer_irq_ctrl)), 0);
}

static void subset_renegotiates(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	drv_answer(&d, &card, 1ull << 11);
	assert_int_equal(card.port[0].state, VHP_PORT_FEATURES);
	assert_int_equal(sim_event(), VHP_EVENT_FEATURES);
	assert_true(host_status(&card, 0)->driver_accepted == (1ull << 15 | 1ull << 27));
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	host_start(&card, 0, HOST_FEATURES & ~(1ull << 11), 1);
	drv_answer(&d, &card, 1ull << 11);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
}

/* The seed has bits for segmentation, none for the checksums that it requires: ours go along with them, unless both are refused. */
static void segmentation_bits(void **state)
{
	const uint64_t segments = 0x7f80, sums = 3;
	uint8_t msg[64];
	uint64_t bits;
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES | segments | sums, 1);
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	memcpy(&bits, msg + 12, 8);
	assert_true(bits == (segments | sums | 1ull << 15 | 1ull << 27));
	bits &= ~sums;
	memcpy(msg + 12, &bits, 8);
	drv_send(&d, msg, 20);
	drv_answer(&d, &card, sums);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_true(host_status(&card, 0)->driver_accepted == (segments | sums | 1ull << 15 | 1ull << 27));
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	while (sim_event() != 0)
		;
	/* Without segmentation a checksum bit stands for itself. */
	host_start(&card, 0, HOST_FEATURES | segments | sums, 1);
	drv_answer(&d, &card, (segments & 0x7800) | sums);
	assert_int_equal(sim_event(), VHP_EVENT_FEATURES);
	assert_true(host_status(&card, 0)->driver_accepted == ((segments & 0x780) | 2 | 1ull << 15 | 1ull << 27));
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	host_start(&card, 0, HOST_FEATURES & ~(1ull << 11), 1);
	drv_answer(&d, &card, sums);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_true(host_status(&card, 0)->driver_accepted == (1ull << 15 | 1ull << 27));
}

static void renegotiation_times_out(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	drv_answer(&d, &card, 1ull << 11);
	assert_int_equal(sim_event(), VHP_EVENT_FEATURES);
	sim_advance(5000001);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_ERROR | VHP_PERR_FEATURES << 16);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	host_start(&card, 0, HOST_FEATURES & ~(1ull << 11), 1);
	drv_answer(&d, &card, 1ull << 11);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

static void more_than_offered_fails(void **state)
{
	struct vhost_pci_ctrl_driver_feature_bits f = { .feature_bits = 1ull << 15 | 1ull << 11 | 1ull << 27 |
								1ull << 9 };
	struct vhost_pci_ctrl h = { 0 };
	uint8_t msg[20];
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	sim_run(&card);
	memcpy(msg, &h, 12);
	memcpy(msg + 12, &f, 8);
	drv_send(&d, msg, 20);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(card.port[0].last_error, VHP_PERR_CTRL_MESSAGE);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
}

static void disconnect_by_driver(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, 0);
	sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_CLOSE_REQUEST);
	/* First the peer: the register still reads 1. */
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 1);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(net_config)) & 1, 0);
	assert_int_equal(soc.acts[0][ACT_PEER], 2);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	/* The host is ready for the next driver; this one wants no connection. */
	host_start(&card, 0, HOST_FEATURES, 2);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	drv_reset(&d, &card);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

static void disconnect_by_driver_host_silent(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, 0);
	sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_CLOSE_REQUEST);
	sim_advance(5000001);
	sim_run(&card);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	drv_reset(&d, &card);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
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
	connect(&d, 0);
	for (unsigned int l = 0; l < 4; l++)
		soc.drain_polls[l] = 5;
	sim_lane_idx(0, 1000, 999);
	sim_lane_idx(1, 500, 501);
	sim_lane_idx(3, 7, 8);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	assert_int_equal(host_reply()->length, sizeof(*b));
	assert_int_equal(b->last_avail_idx[1], 1000);
	assert_int_equal(b->last_used_idx[1], 999);
	assert_int_equal(b->last_avail_idx[0], 7);
	assert_int_equal(b->last_used_idx[0], 8);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_gsi[0])), VHP_GSI_NONE);
	assert_int_equal(soc.lane[offsetof(vhp_lane_t, region[0].ctrl) / 4], 0);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
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
	connect(&d, 0);
	sim_lane_idx(0, 1000, 999);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_OK);
	drv_answer(&d, &card, 0);
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 1000 | 999 << 16);
}

static void graceful_stop(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, 0);
	assert_int_equal(port_stop_now(0, VHP_STOP_GRACEFUL), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	/* connected, link down, disconnected */
	assert_int_equal(soc.acts[0][ACT_CONFIG], 3);
	assert_int_equal(soc.acts[0][ACT_PEER], 2);
}

static void lane_that_never_drains(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, 0);
	soc.drain_polls[0] = ~0u;
	soc.time_step = 100;
	assert_int_equal(port_stop_now(0, 0), VHP_ST_TIMEOUT);
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
	connect(&d, 0);
	soc.drain_polls[2] = 3;
	sim_lane_idx(0, 1000, 999);
	sim_lane_idx(1, 600, 600);
	drv_reset(&d, &card);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
	assert_int_equal(sim_event(), VHP_EVENT_DRIVER_RESET);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	/* The peer's ring goes on, the driver's begins again. */
	assert_int_equal(sim_queue(0, QUEUE_OFF(idx)), 1000 | 999 << 16);
	assert_int_equal(sim_queue(1, QUEUE_OFF(idx)), 0);
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
			setup(NULL);
			connect(&other, 1);
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
				assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
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
			assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
			host_start(&card, 0, HOST_FEATURES, 2);
			drv_start(&d, 0, DRV_ALL);
			drv_post(&d, 8, 256);
			drv_answer(&d, &card, 0);
			assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
		}
	}
}

/* Answers of a driver that are still under way when the front end goes belong to nobody. */
static void stale_answers(void **state)
{
	uint8_t first[32];
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	sim_run(&card);
	assert_int_equal(drv_take(&d, first, sizeof(first)), 20);
	assert_int_equal(port_stop_now(0, 0), VHP_ST_OK);
	host_start(&card, 0, HOST_FEATURES | 1ull << 12, 1);
	sim_run(&card);
	drv_send(&d, first, 20);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FEATURES);
	assert_int_equal(sim_event(), 0);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);

	/* An answer that nobody asked for is an error. */
	drv_send(&d, first, 20);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(card.port[0].last_error, VHP_PERR_CTRL_MESSAGE);
}

static void unresponsive_driver(void **state)
{
	struct vhp_mbox_port_config c = { .connect_timeout_ms = 20 };
	struct drv d;

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &c, sizeof(c)), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL);
	host_start(&card, 0, HOST_FEATURES, 1);
	sim_advance(15000);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FEATURES);
	sim_advance(6000);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(sim_event(), VHP_EVENT_ERROR | VHP_PERR_TIMEOUT << 16);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
	drv_reset(&d, &card);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

static void driver_without_copy_offload(void **state)
{
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL & ~(1ull << VHOST_PCI_NET_F_COPY_OFFLOAD));
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	sim_run(&card);
	assert_int_equal(card.port[0].last_error, VHP_PERR_FEATURES);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
	assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
}

static void driver_sets_failed(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, 0);
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
	connect(&d, 0);
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
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
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
	connect(&d, 0);
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
	connect(&d, 0);
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

static void many_reconnects(void **state)
{
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
		if (seed >> 60 & 1) {
			assert_int_equal(port_stop_now(0, (uint32_t)(seed >> 61 & 1)), VHP_ST_OK);
		} else {
			drv_reset(&d, &card);
			drv_start(&d, 0, DRV_ALL);
			drv_post(&d, 8, 256);
		}
		while (sim_event() != 0)
			;
	}
	assert_int_equal(card.port[0].connects, 600);
	assert_int_equal(card.port[0].disconnects, 600);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
}

static void dirty_logging_message(void **state)
{
	uint8_t buf[CTRL_SEND_MAX], want[13] = { VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING };

	(void)state;
	want[12] = 1;
	assert_int_equal(ctrl_encode_dirty_logging(&card.port[0], true, buf), 13);
	assert_memory_equal(buf, want, 13);
}

void run_sequence_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(boots, setup),
		cmocka_unit_test_setup(whole_sequence, setup),
		cmocka_unit_test_setup(features_per_side, setup),
		cmocka_unit_test_setup(pv_interrupt, setup),
		cmocka_unit_test_setup(subset_renegotiates, setup),
		cmocka_unit_test_setup(segmentation_bits, setup),
		cmocka_unit_test_setup(renegotiation_times_out, setup),
		cmocka_unit_test_setup(more_than_offered_fails, setup),
		cmocka_unit_test_setup(disconnect_by_driver, setup),
		cmocka_unit_test_setup(disconnect_by_driver_host_silent, setup),
		cmocka_unit_test_setup(disconnect_during_handshake, setup),
		cmocka_unit_test_setup(disconnect_by_peer, setup),
		cmocka_unit_test_setup(restart_keeps_indices, setup),
		cmocka_unit_test_setup(graceful_stop, setup),
		cmocka_unit_test_setup(lane_that_never_drains, setup),
		cmocka_unit_test_setup(driver_reset_and_back, setup),
		cmocka_unit_test_setup(out_of_every_state, setup),
		cmocka_unit_test_setup(stale_answers, setup),
		cmocka_unit_test_setup(unresponsive_driver, setup),
		cmocka_unit_test_setup(driver_without_copy_offload, setup),
		cmocka_unit_test_setup(driver_sets_failed, setup),
		cmocka_unit_test_setup(set_mac, setup),
		cmocka_unit_test_setup(lane_faults, setup),
		cmocka_unit_test_setup(malformed_data_queue, setup),
		cmocka_unit_test_setup(live_vring, setup),
		cmocka_unit_test_setup(statistics, setup),
		cmocka_unit_test_setup(many_reconnects, setup),
		cmocka_unit_test_setup(dirty_logging_message, setup),
	};

	RUN_SUITE("sequence", tests);
}
