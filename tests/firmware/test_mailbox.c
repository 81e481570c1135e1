/* SPDX-License-Identifier: Apache-2.0 */
/* Mailbox: every field of every request, wrong states, and noise. */
#include <string.h>

#include "cmocka_suites.h"
#include "ends.h"
#include "region_map.h"
#include "suites.h"

/* A request whose field `name` is wrong is refused with that field's offset. */
#define REFUSED(op, port, req, type, name)                                                              \
	do {                                                                                            \
		assert_int_equal(host_call(&card, op, port, &(req), sizeof(req)), VHP_ST_BAD_ARGUMENT); \
		assert_int_equal(host_reply()->detail, offsetof(type, name));                           \
		assert_int_equal(host_reply()->length, 0);                                              \
	} while (0)

static void unknown_and_lengths(void **state)
{
	uint8_t junk[1024] = { 0 };

	(void)state;
	assert_int_equal(host_call(&card, 0, 0, NULL, 0), VHP_ST_UNKNOWN_OP);
	assert_int_equal(host_call(&card, VHP_OP_LOG_SYNC + 1, 0, NULL, 0), VHP_ST_UNKNOWN_OP);
	assert_int_equal(host_call(&card, 0xffff, 0xffff, NULL, 0), VHP_ST_UNKNOWN_OP);
	for (unsigned int op = 1; op <= VHP_OP_LOG_SYNC; op++) {
		bool card_wide = op == VHP_OP_CARD_INFO || op == VHP_OP_LOG_RING || op == VHP_OP_LOG_SYNC;

		assert_int_equal(host_call(&card, op, card_wide ? 1 : SIM_PORTS, NULL, 0), VHP_ST_BAD_PORT);
		assert_int_equal(host_call(&card, op, 0, junk, 3), VHP_ST_BAD_LENGTH);
		assert_int_equal(host_call(&card, op, 0, junk, 1008), VHP_ST_BAD_LENGTH);
	}
	/* A length beyond the mailbox. */
	struct vhp_mbox_hdr hdr = { .op = VHP_OP_PEER_MEM, .length = 0xfffffff0u };

	memcpy(soc.request, &hdr, sizeof(hdr));
	soc.mbox_busy = true;
	sim_run(&card);
	assert_int_equal(host_reply()->status, VHP_ST_BAD_LENGTH);
	hdr = (struct vhp_mbox_hdr){ .op = VHP_OP_CARD_INFO, .status = 1 };
	memcpy(soc.request, &hdr, sizeof(hdr));
	soc.mbox_busy = true;
	sim_run(&card);
	assert_int_equal(host_reply()->status, VHP_ST_BAD_ARGUMENT);
	assert_int_equal(host_reply()->detail, 0xffff);
}

static void port_config(void **state)
{
	const struct vhp_mbox_port_config good = { .flags = VHP_PORT_MAC,
						   .mtu = 9000,
						   .max_queue_pairs = 1,
						   .mac = { 2, 1, 2, 3, 4, 5 },
						   .connect_timeout_ms = 7 };
	struct vhp_mbox_port_config c = good;
	struct drv d;

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &c, sizeof(c)), VHP_ST_OK);
	assert_int_equal(sim_fn_get(0, FN_OFF(mtu)), 9000);
	assert_int_equal(sim_fn_get(0, FN_OFF(num_queues)), 4);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_lo)), 0x03020102);
	assert_int_equal(sim_fn_get(0, FN_OFF(device_features_lo)) >> VHOST_PCI_NET_F_MQ & 1, 0);
	c.flags |= VHP_PORT_LOGGING;
	REFUSED(VHP_OP_PORT_CONFIG, 0, c, struct vhp_mbox_port_config, flags);
	c = good;
	c.mtu = 67;
	REFUSED(VHP_OP_PORT_CONFIG, 0, c, struct vhp_mbox_port_config, mtu);
	c = good;
	c.max_queue_pairs = SIM_PAIRS + 1;
	REFUSED(VHP_OP_PORT_CONFIG, 0, c, struct vhp_mbox_port_config, max_queue_pairs);
	c = good;
	c.mac[0] = 1;
	REFUSED(VHP_OP_PORT_CONFIG, 0, c, struct vhp_mbox_port_config, mac);
	c = good;
	memset(c.mac, 0, 6);
	REFUSED(VHP_OP_PORT_CONFIG, 0, c, struct vhp_mbox_port_config, mac);

	/* The same configuration again does not disturb a running driver, another one does what it must. */
	drv_start(&d, 0, DRV_ALL & ~(1ull << VHOST_PCI_NET_F_MQ));
	sim_run(&card);
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &good, sizeof(good)), VHP_ST_OK);
	assert_int_equal(soc.acts[0][ACT_CONFIG] + soc.acts[0][ACT_NEEDS_RESET], 0);
	c = good;
	c.mtu = 1400;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &c, sizeof(c)), VHP_ST_OK);
	assert_int_equal(soc.acts[0][ACT_CONFIG], 1);
	c.max_queue_pairs = 2;
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &c, sizeof(c)), VHP_ST_OK);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(host_call(&card, VHP_OP_PORT_CONFIG, 0, &good, sizeof(good)), VHP_ST_WRONG_STATE);
}

static void features(void **state)
{
	struct vhp_mbox_peer_features f = { .features = 0x20000000 };

	(void)state;
	REFUSED(VHP_OP_PEER_FEATURES, 0, f, struct vhp_mbox_peer_features, features);
	f.features = 1ull << 32 | 1ull << 34;
	REFUSED(VHP_OP_PEER_FEATURES, 0, f, struct vhp_mbox_peer_features, features);
	f.features = 1ull << 32;
	assert_int_equal(host_call(&card, VHP_OP_PEER_FEATURES, 0, &f, sizeof(f)), VHP_ST_OK);
}

static void memory(void **state)
{
	struct vhp_mbox_peer_mem m = { .nregions = 2,
				       .regions = { { 0x1000, 0x1000, 0 }, { 0x3000, 0x1000, 0x1000 } } };
	const struct vhp_mbox_peer_mem good = m;

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	m.nregions = 0;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, nregions);
	m.nregions = 9;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, nregions);
	m.nregions = 0xffffffff;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, nregions);
	m = good;
	m.reserved = 1;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, reserved);
	m = good;
	m.regions[1].size = 0;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, regions[1]);
	m = good;
	m.regions[1].gpa = 0x1fff;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, regions[1]);
	m = good;
	m.regions[0].gpa = ~0ull - 0xffe;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, regions[0]);
	m = good;
	m.regions[0].iova = ~0ull - 0xffe;
	REFUSED(VHP_OP_PEER_MEM, 0, m, struct vhp_mbox_peer_mem, regions[0]);
	m = good;
	m.regions[0].gpa = ~0ull - 0xfff;
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
}

static void region_lookup(void **state)
{
	const struct vhp_mbox_region r[2] = { { ~0ull - 0xfff, 0x1000, 0x5000 }, { 0x1000, 0x2000, 0x9000 } };
	struct region_map map = { 0 };
	uint64_t iova = 0;
	uint32_t bad;

	(void)state;
	assert_true(region_map_set(&map, r, 2, &bad));
	assert_true(region_map_find(&map, 0x1000, 0x2000, &iova) && iova == 0x9000);
	assert_true(region_map_find(&map, 0x2fff, 1, &iova) && iova == 0xafff);
	assert_true(region_map_find(&map, ~0ull, 1, &iova) && iova == 0x5fff);
	assert_false(region_map_find(&map, 0xfff, 2, &iova));
	assert_false(region_map_find(&map, 0x2fff, 2, &iova));
	assert_false(region_map_find(&map, 0x1000, 0, &iova));
	assert_false(region_map_find(&map, 0x1000, ~0ull, &iova));
	assert_false(region_map_find(&map, ~0ull, 2, &iova));
	assert_false(region_map_find(&map, 0x3000, 1, &iova));
}

static void vrings(void **state)
{
	struct vhp_mbox_peer_vring v;

	(void)state;
	host_prepare(&card, 0, HOST_FEATURES, 1);
#define BAD(field, value)                                                            \
	do {                                                                         \
		v = host_vring(0, 0);                                                \
		v.field = (value);                                                   \
		REFUSED(VHP_OP_PEER_VRING, 0, v, struct vhp_mbox_peer_vring, field); \
	} while (0)
#define UNMAPPED(field, value)                                                                              \
	do {                                                                                                \
		v = host_vring(0, 0);                                                                       \
		v.field = (value);                                                                          \
		assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_NOT_MAPPED); \
		assert_int_equal(host_reply()->detail, offsetof(struct vhp_mbox_peer_vring, field));        \
	} while (0)
	BAD(index, 4);
	BAD(index, 0xffff);
	BAD(flags, 3);
	BAD(num, 0);
	BAD(num, 1);
	BAD(num, 100);
	BAD(num, 512);
	BAD(num, 32768);
	BAD(reserved, 1);
	BAD(desc, HOST_GPA + 8);
	BAD(avail, HOST_GPA + 1);
	BAD(used, HOST_GPA + 2);
	BAD(msix_vector, 0);
	BAD(msix_vector, 2);
	BAD(msix_vector, 0xfffe);
	v = host_vring(0, 0);
	v.reserved2[2] = 1;
	REFUSED(VHP_OP_PEER_VRING, 0, v, struct vhp_mbox_peer_vring, reserved2);
	UNMAPPED(desc, 0);
	UNMAPPED(desc, HOST_GPA + HOST_MEM - 16 * HOST_QSIZE + 16);
	UNMAPPED(avail, HOST_GPA + HOST_MEM - 6 - 2 * HOST_QSIZE + 2);
	UNMAPPED(used, HOST_GPA + HOST_MEM - 6 - 8 * HOST_QSIZE + 2 + 4 - (6 + 2) % 4);
	UNMAPPED(used, ~0ull - 3);
	v = host_vring(0, 0);
	v.desc = HOST_GPA + HOST_MEM - 16 * HOST_QSIZE;
	assert_int_equal(host_call(&card, VHP_OP_PEER_VRING, 0, &v, sizeof(v)), VHP_ST_OK);
#undef BAD
#undef UNMAPPED
}

static void wrong_states(void **state)
{
	struct vhp_mbox_peer_features f = { .features = 1ull << 32 };
	struct vhp_mbox_peer_mem m = { .nregions = 1, .regions[0] = { 0, 0x1000, 0 } };
	struct vhp_mbox_port_stop s = { .flags = 2 };

	(void)state;
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
	assert_int_equal(host_call(&card, VHP_OP_PEER_FEATURES, 0, &f, sizeof(f)), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	/* No queue. */
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_WRONG_STATE);
	assert_int_equal(host_call(&card, VHP_OP_PEER_FEATURES, 0, &f, sizeof(f)), VHP_ST_WRONG_STATE);
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_WRONG_STATE);
	REFUSED(VHP_OP_PORT_STOP, 0, s, struct vhp_mbox_port_stop, flags);
	s = (struct vhp_mbox_port_stop){ .reserved = 1 };
	REFUSED(VHP_OP_PORT_STOP, 0, s, struct vhp_mbox_port_stop, reserved);
	s.reserved = 0;
	assert_int_equal(host_call(&card, VHP_OP_PORT_STOP, 0, &s, sizeof(s)), VHP_ST_OK);
	/* Memory changed under the rings. */
	assert_int_equal(host_call(&card, VHP_OP_PEER_MEM, 0, &m, sizeof(m)), VHP_ST_OK);
	assert_int_equal(host_call(&card, VHP_OP_PORT_START, 0, NULL, 0), VHP_ST_NOT_MAPPED);
	assert_int_equal(host_reply()->detail, 0);
}

static void card_info(void **state)
{
	const struct vhp_mbox_card_info *info = host_payload();

	(void)state;
	sim_advance(0xfffffff0u);
	sim_run(&card);
	sim_advance(0x100);
	assert_int_equal(host_call(&card, VHP_OP_CARD_INFO, 0, NULL, 0), VHP_ST_OK);
	assert_int_equal(info->num_ports, SIM_PORTS);
	assert_int_equal(info->pairs, SIM_PAIRS);
	assert_int_equal(info->max_queue_size, 256);
	assert_true(info->uptime_us > 0xffffffffull && info->uptime_us < 0x100001000ull);
	assert_memory_equal(info->build, "vhp-fw ", 7);
}

/* Requests of random bytes, most of them nearly right, against a card with a driver: always one answer. */
static void noise(void **state)
{
	static const uint16_t sizes[] = { 0, 48, 8, 200, 48, 0, 8, 0, 0, 0, 0, 16, 8, 8 };
	uint32_t payload[64];
	struct drv d;

	(void)state;
	srand(4711);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	for (int i = 0; i < 20000; i++) {
		unsigned int op = (unsigned int)rand() % 15;
		uint32_t len = op < 14 && rand() % 8 ? sizes[op] : (uint32_t)rand() % 256;

		for (unsigned int k = 0; k < 64; k++)
			payload[k] = rand() % 3 ? (uint32_t)rand() % 5 : (uint32_t)rand() << 1;
		if (op == VHP_OP_PEER_VRING && rand() % 2) {
			struct vhp_mbox_peer_vring v = host_vring(0, (unsigned int)rand() % 4);

			v.flags = (uint16_t)(rand() & 1);
			memcpy(payload, &v, sizeof(v));
		}
		if (card.port[0].state == VHP_PORT_DOWN && op == VHP_OP_PEER_FEATURES && rand() % 2) {
			host_prepare(&card, 0, HOST_FEATURES, 2);
			op = VHP_OP_PORT_START;
			len = 0;
		}
		if (card.port[0].state != VHP_PORT_DOWN && op != VHP_OP_PORT_STOP && rand() % 16 == 0)
			drv_answer(&d, &card, 0);
		if (card.port[0].state != VHP_PORT_DOWN && (op == VHP_OP_PEER_FEATURES || op == VHP_OP_PORT_START)) {
			op = VHP_OP_PORT_STOP;
			len = 8;
			memset(payload, 0, 8);
		}
		if (op == VHP_OP_PEER_FEATURES && len == 8 && rand() % 2)
			memcpy(payload, &(uint64_t){ HOST_FEATURES }, 8);
		(void)host_call(&card, op, op == VHP_OP_CARD_INFO ? 0 : (uint32_t)rand() % 3, payload, len);
		if (card.port[0].broken) {
			drv_reset(&d, &card);
			drv_start(&d, 0, DRV_ALL);
			drv_post(&d, 8, 256);
		}
		while (sim_event() != 0)
			;
	}
	assert_true(card.port[0].connects > 10);
}

void run_mailbox_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_and_lengths, ends_setup),
		cmocka_unit_test_setup(port_config, ends_setup),
		cmocka_unit_test_setup(features, ends_setup),
		cmocka_unit_test_setup(memory, ends_setup),
		cmocka_unit_test_setup(region_lookup, ends_setup),
		cmocka_unit_test_setup(vrings, ends_setup),
		cmocka_unit_test_setup(wrong_states, ends_setup),
		cmocka_unit_test_setup(card_info, ends_setup),
		cmocka_unit_test_setup(noise, ends_setup),
	};

	RUN_SUITE("mailbox", tests);
}
