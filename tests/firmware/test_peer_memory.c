/* SPDX-License-Identifier: Apache-2.0 */
/* The aperture onto the peer's memory, the driver that copies through it, and dirty page logging. */
#include <string.h>

#include "cmocka_suites.h"
#include "ends.h"
#include "hw.h"
#include "suites.h"

#define WINDOW_OFF(i, reg) (offsetof(vhp_aperture_t, window[i].reg) / 4)
#define LOG_WORD(reg) (offsetof(vhp_log_t, reg) / 4)
#define LOG_IOVA 0x5000000000ull
#define TWO_MIB (2ull << 20)

static unsigned int config(unsigned int port, uint32_t flags)
{
	struct vhp_mbox_port_config c = { .flags = flags, .vhost_pci_id = 7 + port };

	return host_call(&card, VHP_OP_PORT_CONFIG, port, &c, sizeof(c));
}

static bool is_open(unsigned int port)
{
	return soc.aperture[port][0] & 1;
}

static uint64_t window(unsigned int port, size_t lo)
{
	return soc.aperture[port][lo] | (uint64_t)soc.aperture[port][lo + 1] << 32;
}

/* Connect port 0 with the aperture allowed; features of the driver as given. */
static void connect(struct drv *d, uint64_t features)
{
	assert_int_equal(config(0, VHP_PORT_APERTURE), VHP_ST_OK);
	drv_start(d, 0, features);
	drv_post(d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_event(), VHP_EVENT_CONNECTED);
}

/* PEER_MEM_INFO with need_map Y names the BAR and every region; the windows stand before it goes out. */
static void aperture_message(void **state)
{
	const struct vhp_mbox_peer_mem m = { .nregions = 3,
					     .regions = { { 0, 0xa0000, HOST_IOVA },
							  { HOST_GPA, HOST_MEM, HOST_IOVA + 0x100000000ull },
							  { 0x100000000ull, 0x200000, HOST_IOVA + 0x900000000ull } } };
	static const uint64_t offset[3] = { 0, TWO_MIB, TWO_MIB + HOST_MEM };
	struct vhost_pci_ctrl_peer_mem_info info;
	struct vhost_pci_mem_regions regions;
	uint8_t msg[512];
	struct drv d;

	(void)state;
	assert_int_equal(config(0, VHP_PORT_APERTURE), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_prepare(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_OK);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	assert_false(is_open(0));
	drv_send(&d, msg, 20);
	sim_run(&card);
	assert_true(is_open(0));
	assert_false(is_open(1));
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 12 + 9 + 8 + 3 * 24);
	memcpy(&info, msg + 12, sizeof(info));
	memcpy(&regions, msg + 21, sizeof(regions));
	assert_int_equal(info.need_map, VHOST_PCI_MEM_INFO_NEED_MAP_Y);
	assert_true(info.peer_mem == 2);
	assert_int_equal(regions.nregions, 3);
	for (unsigned int i = 0; i < 3; i++) {
		struct vhost_pci_mem_region row;

		memcpy(&row, msg + 29 + 24 * i, sizeof(row));
		assert_true(row.gpa == m.regions[i].gpa && row.size == m.regions[i].size);
		assert_true(row.bar_offset == offset[i]);
		assert_true(window(0, WINDOW_OFF(i, first_lo)) == offset[i]);
		assert_true(window(0, WINDOW_OFF(i, last_lo)) == offset[i] + row.size - 1);
		assert_true(window(0, WINDOW_OFF(i, iova_lo)) == m.regions[i].iova);
		assert_int_equal(soc.aperture[0][WINDOW_OFF(i, ctrl)], 1);
	}
	assert_int_equal(soc.aperture[0][WINDOW_OFF(3, ctrl)], 0);
	/* "The driver sends back a message ... with peer_mem set to the virtual address that maps to the peer memory." */
	info.peer_mem = 0x7fff12345000ull;
	memcpy(msg + 12, &info, sizeof(info));
	drv_send(&d, msg, 12 + sizeof(info));
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(host_status(&card, 0)->flags, VHP_PORT_APERTURE);
}

/* Without management's leave nothing is mapped, and an answer that says so is refused. */
static void aperture_default_off(void **state)
{
	uint8_t msg[512];
	struct drv d;

	(void)state;
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	drv_send(&d, msg, 20);
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 29);
	assert_int_equal(msg[12], VHOST_PCI_MEM_INFO_NEED_MAP_N);
	assert_false(is_open(0));
	msg[12] = VHOST_PCI_MEM_INFO_NEED_MAP_Y;
	drv_send(&d, msg, 29);
	sim_run(&card);
	assert_int_equal(card.port[0].last_error, VHP_PERR_CTRL_MESSAGE);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_false(is_open(0));
}

/* Regions that do not fit are refused by number; those that fit only page by page are taken. */
static void aperture_too_small(void **state)
{
	struct vhp_mbox_peer_mem m = { .nregions = 2,
				       .regions = { { 0, 0x1000, HOST_IOVA },
						    { HOST_GPA, (1ull << SIM_APERTURE_LOG2) - 0x1000, HOST_IOVA } } };
	uint64_t offset[VHP_MBOX_MAX_REGIONS];
	uint32_t bad;

	(void)state;
	assert_int_equal(config(0, VHP_PORT_APERTURE), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	assert_true(aperture_layout(&card.port[0], offset, &bad));
	assert_true(offset[1] == 0x1000);
	m.regions[1].size++;
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_NO_SPACE);
	assert_int_equal(host_reply()->detail, 1);
	m.regions[1].size = 1ull << 63;
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_NO_SPACE);
	/* The port without the aperture takes them, and refuses to start once it is allowed. */
	host_prepare(&card, 1, HOST_FEATURES, 1);
	m.regions[1].size = 1ull << 32;
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 1, &m, sizeof(m)), VHP_ST_OK);
	assert_int_equal(config(1, VHP_PORT_APERTURE), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 1, NULL, 0), VHP_ST_NO_SPACE);
	assert_int_equal(host_reply()->detail, 1);
	/* A card without the aperture says so. */
	soc.aperture[1][offsetof(vhp_aperture_t, status) / 4] = 0;
	assert_int_equal(config(1, VHP_PORT_APERTURE), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_port_config, flags));
}

/* Closed, and its last access over, before the port reports anything: from the handshake's states and from connected. */
static void aperture_closes_first(void **state)
{
	enum {
		OUT_STOP,
		OUT_RESET,
		OUT_FLR,
		OUT_PEER_FLR,
		OUT_FAULT,
		OUT_DISCONNECT,
		OUTS
	};
	uint8_t msg[512];
	struct drv d;

	(void)state;
	for (unsigned int connected = 0; connected < 2; connected++) {
		for (unsigned int out = 0; out < OUTS; out++) {
			ends_setup(NULL);
			assert_int_equal(config(0, VHP_PORT_APERTURE), VHP_ST_OK);
			drv_start(&d, 0, DRV_ALL);
			drv_post(&d, 8, 256);
			host_start(&card, 0, HOST_FEATURES, 2);
			if (connected) {
				drv_answer(&d, &card, 0);
			} else {
				assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
				drv_send(&d, msg, 20);
				sim_run(&card);
			}
			assert_int_equal(card.port[0].state, connected ? VHP_PORT_CONNECTED : VHP_PORT_MEM);
			assert_true(is_open(0));
			while (sim_event() != 0)
				;
			soc.aperture_polls[0] = 9;
			switch (out) {
			case OUT_STOP:
				assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
				assert_int_equal(card.port[0].state, VHP_PORT_DOWN);
				break;
			case OUT_RESET:
				drv_reset(&d, &card);
				assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
				break;
			case OUT_FLR:
				sim_flr(1);
				sim_run(&card);
				assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
				break;
			case OUT_PEER_FLR:
				sim_flr(0);
				sim_run(&card);
				assert_int_equal(card.port[0].state, VHP_PORT_DOWN);
				break;
			case OUT_FAULT:
				drv_publish(&d, 1, DRV_QSIZE);
				drv_kick(&d, 1);
				sim_run(&card);
				assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
				assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
				break;
			default:
				sim_fn_event(0, VHP_FN__EVENTS__DISCONNECT_bm);
				sim_run(&card);
				if (connected)
					assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
				else
					assert_int_equal(card.port[0].state, VHP_PORT_WAIT_DRIVER);
				/* The driver hears that it is closed in either case. */
				assert_int_equal(soc.acts[0][ACT_PEER], 1 + connected);
			}
			assert_int_equal(soc.soc[offsetof(vhp_soc_t, flr_pending) / 4], 0);
			assert_false(is_open(0));
			assert_int_equal(soc.aperture_busy[0], 0);
			assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
			/* And up again. */
			drv_reset(&d, &card);
			assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
			host_start(&card, 0, HOST_FEATURES, 2);
			ends_reconnect(&d, 0);
			assert_true(is_open(0));
		}
	}
}

/* An access that never ends: closed by force, and the aperture is not opened again while it hangs. */
static void aperture_stuck(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, DRV_ALL);
	soc.aperture_polls[0] = ~0u;
	soc.time_step = 100;
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_TIMEOUT);
	assert_int_equal(card.port[0].state, VHP_PORT_DOWN);
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(card.port[0].last_error, VHP_PERR_DMA);
	assert_false(is_open(0));
	soc.aperture_busy[0] = 0;
	soc.aperture_polls[0] = 0;
	drv_reset(&d, &card);
	ends_reconnect(&d, 0);
}

/* "the driver copies packets": without COPY_OFFLOAD no lane runs, and the indices are what the used rings say. */
static void driver_copy(void **state)
{
	struct vhp_mbox_peer_mem m = { .nregions = 1, .regions[0] = { HOST_GPA, 0x40000, SIM_MEM_BASE } };
	const struct vhp_mbox_vring_bases *b = host_payload();
	struct drv d;

	(void)state;
	assert_int_equal(config(0, VHP_PORT_APERTURE), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL & ~(1ull << VHOST_PCI_NET_F_COPY_OFFLOAD));
	drv_post(&d, 8, 256);
	host_prepare(&card, 0, HOST_FEATURES, 2);
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_OK);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
	/* The driver moves vring 1 on. */
	*(uint16_t *)sim_mem(0, SIM_MEM_BASE + 0x10000 + 0x8002) = 4242;
	sim_fn_event(0, VHP_FN__EVENTS__QUEUE_ENABLE_bm);
	sim_run(&card);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(b->last_avail_idx[1], 4242);
	assert_int_equal(b->last_used_idx[1], 4242);
	assert_int_equal(b->last_avail_idx[0], 0);
	/* Without the aperture such a driver is refused (driver_without_copy_offload). */
}

/* ------------------------------------------------------------------------------------------------ dirty page logging */

static unsigned int log_ring(uint64_t iova, uint32_t size_log2)
{
	struct vhp_mbox_log_ring r = { .iova = iova, .size_log2 = size_log2 };

	return host_call(&card, VHP_OP_LOG_RING, 0, &r, sizeof(r));
}

static unsigned int log_onoff(unsigned int port, uint32_t on)
{
	struct vhp_mbox_log_enable e = { .enable = on };

	return host_call(&card, VHP_OP_LOG_ENABLE, port, &e, sizeof(e));
}

static unsigned int log_sync_to(uint32_t tail)
{
	struct vhp_mbox_log_sync s = { .tail = tail };

	return host_call(&card, VHP_OP_LOG_SYNC, 0, &s, sizeof(s));
}

static void log_ring_fields(void **state)
{
	struct vhp_mbox_log_ring r = { .iova = LOG_IOVA, .size_log2 = 12, .reserved = 1 };

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_LOG_RING, 0, &r, sizeof(r)), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_log_ring, reserved));
	assert_int_equal(log_ring(LOG_IOVA, 5), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_log_ring, size_log2));
	assert_int_equal(log_ring(LOG_IOVA, 21), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(log_ring(LOG_IOVA, 0xffffffff), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(log_ring(LOG_IOVA + 8, 6), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_log_ring, iova));
	assert_int_equal(log_ring(~0ull - 511 + 64, 6), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(log_ring(~0ull - 511, 6), VHP_ST_OK);
	assert_int_equal(log_ring(LOG_IOVA, 20), VHP_ST_OK);
	assert_int_equal(soc.log[LOG_WORD(base_hi)], LOG_IOVA >> 32);
	assert_int_equal(soc.log[LOG_WORD(size_log2)], 20);
	assert_int_equal(log_onoff(0, 2), VHP_ST_BAD_ARGUMENT);
	/* While a port logs the ring stays. */
	assert_int_equal(log_onoff(1, 1), VHP_ST_OK);
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_WRONG_STATE);
	assert_int_equal(log_onoff(1, 0), VHP_ST_OK);
	assert_int_equal(log_ring(0, 0), VHP_ST_OK);
	/* And without one there is nothing to log into. */
	assert_int_equal(log_onoff(0, 1), VHP_ST_WRONG_STATE);
	assert_int_equal(log_onoff(0, 0), VHP_ST_OK);
	assert_int_equal(log_sync_to(0), VHP_ST_WRONG_STATE);
}

/* Entries are numbered on; what is reported as overflow is cleared, and nothing else. */
static void log_syncs(void **state)
{
	const struct vhp_mbox_log_state *s = host_payload();

	(void)state;
	soc.sync_polls = 3;
	assert_int_equal(log_ring(LOG_IOVA, 6), VHP_ST_OK);
	assert_int_equal(host_reply()->length, sizeof(*s));
	assert_int_equal(s->head, 0);
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	assert_int_equal(log_onoff(1, 1), VHP_ST_OK);
	assert_int_equal(soc.log[LOG_WORD(ctrl)], 3);
	sim_log_append(20, 0);
	assert_int_equal(log_sync_to(0), VHP_ST_OK);
	assert_int_equal(s->head, 20);
	assert_int_equal(s->enabled, 3);
	assert_int_equal(s->overflow, 0);
	sim_log_append(5, 2);
	assert_int_equal(log_sync_to(20), VHP_ST_OK);
	assert_int_equal(soc.log[LOG_WORD(tail)], 20);
	assert_int_equal(s->head, 25);
	assert_int_equal(s->overflow, 2);
	assert_int_equal(log_sync_to(25), VHP_ST_OK);
	assert_int_equal(s->overflow, 0);
	/* Not taken twice, not ahead of what there is. */
	assert_int_equal(log_sync_to(24), VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_log_sync, tail));
	assert_int_equal(log_sync_to(26), VHP_ST_BAD_ARGUMENT);
	/* The numbers go on with another ring. */
	assert_int_equal(log_onoff(0, 0), VHP_ST_OK);
	assert_int_equal(log_onoff(1, 0), VHP_ST_OK);
	assert_int_equal(log_ring(LOG_IOVA + 0x1000, 7), VHP_ST_OK);
	assert_int_equal(s->head, 25);
	assert_int_equal(soc.log[LOG_WORD(tail)], 25);
	/* A sync that never ends: everything counts as written. */
	assert_int_equal(log_onoff(1, 1), VHP_ST_OK);
	soc.sync_polls = ~0u;
	soc.time_step = 100;
	assert_int_equal(log_sync_to(25), VHP_ST_TIMEOUT);
	assert_int_equal(s->overflow, 2);
}

static const uint8_t *logging_message(struct drv *d, uint8_t *msg)
{
	uint32_t len = drv_take(d, msg, 512);

	if (len == 0)
		return NULL;
	assert_int_equal(len, 13);
	assert_int_equal(msg[0], VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING);
	assert_int_equal(msg[4], 7);
	return msg + 12;
}

/* "The device sends messages to turn on or off the page logging mode of the driver." */
static void log_messages(void **state)
{
	uint8_t msg[512];
	const uint8_t *on;
	struct drv d;

	(void)state;
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_OK);
	connect(&d, DRV_ALL);
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	on = logging_message(&d, msg);
	assert_non_null(on);
	assert_int_equal(*on, VHOST_PCI_DIRTY_PAGE_LOGGING_ON);
	assert_int_equal(host_status(&card, 0)->flags, VHP_PORT_APERTURE | VHP_PORT_LOGGING);
	/* Once is enough. */
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	assert_null(logging_message(&d, msg));
	assert_int_equal(log_onoff(0, 0), VHP_ST_OK);
	on = logging_message(&d, msg);
	assert_non_null(on);
	assert_int_equal(*on, VHOST_PCI_DIRTY_PAGE_LOGGING_OFF);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 0);
}

/* A driver that connects while logging is on hears of it behind the virtqueues, before peer_connection is 1. */
static void log_on_before_connect(void **state)
{
	uint8_t msg[512];
	struct drv d;

	(void)state;
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_OK);
	assert_int_equal(config(0, 0), VHP_ST_OK);
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 4, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	drv_send(&d, msg, 20);
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 29);
	drv_send(&d, msg, 29);
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 57);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 57);
	assert_int_equal(card.port[0].state, VHP_PORT_VIRTQ);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	drv_post(&d, 4, 256);
	sim_run(&card);
	assert_non_null(logging_message(&d, msg));
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	/* PORT_STOP leaves it on; the next driver hears it again. */
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	assert_int_equal(soc.log[LOG_WORD(ctrl)], 1);
	host_start(&card, 0, HOST_FEATURES, 1);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].ctrl_sent, 10);
}

/* Without VHOST_F_LOG_ALL the driver is not told; without a buffer the message waits, and only the last state counts. */
static void log_message_conditions(void **state)
{
	uint8_t msg[512];
	struct drv d;

	(void)state;
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_OK);
	assert_int_equal(config(0, 0), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES & ~(1ull << 26), 1);
	drv_answer(&d, &card, 0);
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	assert_null(logging_message(&d, msg));
	assert_int_equal(log_onoff(0, 0), VHP_ST_OK);

	drv_reset(&d, &card);
	assert_int_equal(host_stop(&card, 0, 0), VHP_ST_OK);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 4, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 20);
	drv_send(&d, msg, 20);
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 29);
	drv_send(&d, msg, 29);
	sim_run(&card);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	drv_take(&d, msg, sizeof(msg));
	drv_take(&d, msg, sizeof(msg));
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	assert_null(logging_message(&d, msg));
	assert_int_equal(log_onoff(0, 0), VHP_ST_OK);
	assert_int_equal(log_onoff(0, 1), VHP_ST_OK);
	drv_post(&d, 4, 256);
	sim_run(&card);
	assert_int_equal(*logging_message(&d, msg), VHOST_PCI_DIRTY_PAGE_LOGGING_ON);
	assert_null(logging_message(&d, msg));
	/* A message that still waits when the port closes is not sent to the next connection. */
	for (int i = 0; i < 3; i++)
		drv_take(&d, msg, sizeof(msg));
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

/* FLR of function 0 takes its memory away: logging ends, the ring is forgotten. */
static void log_and_peer_flr(void **state)
{
	(void)state;
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_OK);
	assert_int_equal(log_onoff(1, 1), VHP_ST_OK);
	sim_log_append(3, 0);
	sim_flr(0);
	sim_run(&card);
	assert_int_equal(soc.soc[offsetof(vhp_soc_t, flr_pending) / 4], 0);
	assert_int_equal(soc.log[LOG_WORD(ctrl)], 0);
	assert_int_equal(soc.log[LOG_WORD(size_log2)], 0);
	assert_int_equal(log_onoff(1, 1), VHP_ST_WRONG_STATE);
	assert_int_equal(host_status(&card, 1)->flags, 0);
	assert_int_equal(log_ring(LOG_IOVA, 12), VHP_ST_OK);
	assert_int_equal(((const struct vhp_mbox_log_state *)host_payload())->head, 3);
}

/* ------------------------------------------------------------------------------------------------ status */

static void status_fields(void **state)
{
	const struct vhp_mbox_port_status *s = host_payload();
	struct drv d;

	(void)state;
	connect(&d, DRV_ALL);
	soc.aperture[0][offsetof(vhp_aperture_t, reads) / 4] = 5;
	soc.aperture[0][offsetof(vhp_aperture_t, writes) / 4] = 6;
	soc.aperture[0][offsetof(vhp_aperture_t, refused) / 4] = 0xffffffff;
	sim_fn_set(0, FN_OFF(peer_irq_refused), 3);
	host_status(&card, 0);
	assert_true(s->vhost_pci_id == 7);
	assert_true(s->aperture_reads == 5 && s->aperture_writes == 6 && s->aperture_refused == 0xffffffff);
	assert_int_equal(s->gsi_refused, 3);
	soc.aperture[0][offsetof(vhp_aperture_t, refused) / 4] = 1;
	host_status(&card, 0);
	assert_true(s->aperture_refused == 0x100000001ull);
	assert_int_equal(host_status(&card, 1)->aperture_reads, 0);
}

/* Resets one after the other, each handled once, whatever the function was doing. */
static void flr_again_and_again(void **state)
{
	struct drv d;

	(void)state;
	connect(&d, DRV_ALL);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int before = soc.acts[0][ACT_RESET_DONE];

		sim_flr(1);
		sim_run(&card);
		assert_int_equal(soc.soc[offsetof(vhp_soc_t, flr_pending) / 4], 0);
		assert_int_equal(soc.acts[0][ACT_RESET_DONE], before + 1);
		if (i % 3 == 0) {
			ends_reconnect(&d, 0);
		}
	}
}

void run_peer_memory_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(aperture_message, ends_setup),
		cmocka_unit_test_setup(aperture_default_off, ends_setup),
		cmocka_unit_test_setup(aperture_too_small, ends_setup),
		cmocka_unit_test_setup(aperture_closes_first, ends_setup),
		cmocka_unit_test_setup(aperture_stuck, ends_setup),
		cmocka_unit_test_setup(driver_copy, ends_setup),
		cmocka_unit_test_setup(log_ring_fields, ends_setup),
		cmocka_unit_test_setup(log_syncs, ends_setup),
		cmocka_unit_test_setup(log_messages, ends_setup),
		cmocka_unit_test_setup(log_on_before_connect, ends_setup),
		cmocka_unit_test_setup(log_message_conditions, ends_setup),
		cmocka_unit_test_setup(log_and_peer_flr, ends_setup),
		cmocka_unit_test_setup(status_fields, ends_setup),
		cmocka_unit_test_setup(flr_again_and_again, ends_setup),
	};

	RUN_SUITE("peer memory", tests);
}
