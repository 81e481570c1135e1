/* SPDX-License-Identifier: Apache-2.0 */
/* The seed's sequence from the features to the connection, and how it fails. */
#include <string.h>

#include "cmocka_suites.h"
#include "ctrl.h"
#include "ends.h"
#include "hw.h"
#include "suites.h"

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
	assert_int_equal(host_stop(&card, 1, 0), VHP_ST_OK);
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
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
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
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	while (sim_event() != 0)
		;
	/* Without segmentation a checksum bit stands for itself. */
	host_start(&card, 0, HOST_FEATURES | segments | sums, 1);
	drv_answer(&d, &card, (segments & 0x7800) | sums);
	assert_int_equal(sim_event(), VHP_EVENT_FEATURES);
	assert_true(host_status(&card, 0)->driver_accepted == ((segments & 0x780) | 2 | 1ull << 15 | 1ull << 27));
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
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
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
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
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
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
	ends_reconnect(&d, 0);
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
		cmocka_unit_test_setup(boots, ends_setup),
		cmocka_unit_test_setup(whole_sequence, ends_setup),
		cmocka_unit_test_setup(features_per_side, ends_setup),
		cmocka_unit_test_setup(pv_interrupt, ends_setup),
		cmocka_unit_test_setup(subset_renegotiates, ends_setup),
		cmocka_unit_test_setup(segmentation_bits, ends_setup),
		cmocka_unit_test_setup(renegotiation_times_out, ends_setup),
		cmocka_unit_test_setup(more_than_offered_fails, ends_setup),
		cmocka_unit_test_setup(stale_answers, ends_setup),
		cmocka_unit_test_setup(unresponsive_driver, ends_setup),
		cmocka_unit_test_setup(driver_without_copy_offload, ends_setup),
		cmocka_unit_test_setup(dirty_logging_message, ends_setup),
	};

	RUN_SUITE("sequence", tests);
}
