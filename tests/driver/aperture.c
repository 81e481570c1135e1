/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The aperture: BAR 2 of the function onto the peer's memory, against a running vhp-sim; its dirty pages; and a driver that
 * copies a packet through it as the seed describes.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FEATURES (~(1ull << VHP_F_RING_EVENT_IDX))
#define LOG_IOVA 0x7900000000ull
#define LOG_LOG2 6u

static struct sim sim;
static struct host host;
static struct guest g, other_g; /* ports 0 and 1 */
static struct peer p, other_p;

static void connect(struct guest *guest, struct peer *peer, uint64_t features, uint32_t flags)
{
	struct vhp_mbox_port_config c = { .flags = flags, .vhost_pci_id = 0x42 + peer->port };

	guest_reset(guest);
	assert_int_equal(peer_stop(peer, 0), 0);
	peer_new_rings(peer);
	assert_int_equal(peer_config(peer, &c), 0);
	assert_int_equal(guest_init(guest, features, 32), 0);
	assert_int_equal(peer_start(peer, 1), 0);
	assert_true(guest_wait_connection(guest, 1));
}

/* Nothing of the case before; then connected. */
static void begin(uint64_t features, uint32_t flags)
{
	struct vhp_mbox_event e;

	connect(&g, &p, features, flags);
	while (host_event(&host, &e))
		;
}

static uint64_t read_of(struct guest *guest, uint64_t offset, unsigned int width)
{
	uint64_t v = 0;

	if (vhp_dev_read(guest->dev, VHOST_PCI_APERTURE_BAR, offset, width, &v) < 0)
		v = ~0ull;
	return width == 8 ? v : v & ((1ull << 8 * width) - 1);
}

/* What BAR 2 gives at @p offset; all ones for a refused read. */
static uint64_t bar_read(uint64_t offset, unsigned int width)
{
	return read_of(&g, offset, width);
}

/* Offset in BAR 2 of the only region, as PEER_MEM_INFO says. */
static uint64_t region_offset(const struct guest *guest)
{
	struct vhost_pci_mem_region row;

	assert_int_equal(guest->log[1].len, 12 + 9 + 8 + 24);
	memcpy(&row, guest->log[1].bytes + 29, sizeof(row));
	return row.bar_offset;
}

static void put_secret(struct peer *peer, uint64_t offset)
{
	memset(peer->mem.va + offset, 0x5c, 64);
}

/* Neither peer's memory shows or changes, wherever in the BAR it is looked for: the secret's place, all ends and powers of 2. */
static void all_dark(uint64_t size, uint64_t secret)
{
	for (unsigned int width = 1; width <= 8; width *= 2) {
		uint64_t ones = width == 8 ? ~0ull : (1ull << 8 * width) - 1;

		assert_true(bar_read(0, width) == ones);
		assert_true(bar_read(size - width, width) == ones);
		for (unsigned int at = 0; at < 8; at++)
			assert_true(bar_read(secret + at, width) == ones);
		for (uint64_t step = 4096; step < size; step *= 2) {
			assert_true(bar_read(step, width) == ones);
			assert_true(bar_read(step + secret, width) == ones);
			assert_true(bar_read(step - width / 2, width) == ones);
		}
		(void)vhp_dev_write(g.dev, VHOST_PCI_APERTURE_BAR, secret, width, 0);
	}
	/* Reading has pushed the writes. */
	(void)bar_read(secret, 4);
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(p.mem.va[secret + i], 0x5c);
		assert_int_equal(other_p.mem.va[secret + i], 0x5c);
	}
}

/*
 * Default: the driver hears of no memory, and no access of the BAR reaches any; not its own peer's, connected or not, nor that
 * of a port whose aperture is on; and not after its own was.
 */
static void aperture_off(void **state)
{
	const struct vhp_mbox_port_config off = { .vhost_pci_id = 0x42 };
	uint64_t size = vhp_dev_bar_size(g.dev, VHOST_PCI_APERTURE_BAR), secret = p.mem.size / 2, window;
	const struct guest_message *m = &g.log[1];

	(void)state;
	assert_true(size >= 2 * p.mem.size);
	put_secret(&p, secret);
	put_secret(&other_p, secret);
	connect(&other_g, &other_p, FEATURES, VHP_PORT_APERTURE);
	window = region_offset(&other_g) + secret;
	assert_int_equal(read_of(&other_g, window, 4), 0x5c5c5c5c);

	begin(FEATURES, 0);
	assert_int_equal(m->len, 29);
	for (unsigned int i = 12; i < 29; i++)
		assert_int_equal(m->bytes[i], 0);
	all_dark(size, secret);
	assert_true(bar_read(window, 4) == 0xffffffff);
	assert_int_equal(guest_connection(&g), 1);

	begin(FEATURES, VHP_PORT_APERTURE);
	window = region_offset(&g) + secret;
	assert_int_equal(bar_read(window, 4), 0x5c5c5c5c);
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_true(bar_read(window, 4) == 0xffffffff);
	assert_int_equal(peer_config(&p, &off), 0);
	all_dark(size, secret);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_wait_connection(&g, 1));
	all_dark(size, secret);
	assert_true(bar_read(window, 4) == 0xffffffff);

	assert_int_equal(read_of(&other_g, region_offset(&other_g) + secret, 4), 0x5c5c5c5c);
	assert_int_equal(peer_stop(&other_p, 0), 0);
}

/* With management's leave: PEER_MEM_INFO says where, every width reads and writes, nothing lies beside the windows. */
static void aperture_on(void **state)
{
	struct vhost_pci_ctrl_peer_mem_info info;
	struct vhost_pci_mem_regions regions;
	struct vhost_pci_mem_region row;
	struct vhp_mbox_port_status before, after;
	uint64_t place, offset, size = vhp_dev_bar_size(g.dev, VHOST_PCI_APERTURE_BAR);
	uint8_t *bytes;

	(void)state;
	begin(FEATURES, VHP_PORT_APERTURE);
	assert_int_equal(g.log[1].len, 12 + 9 + 8 + 24);
	memcpy(&info, g.log[1].bytes + 12, sizeof(info));
	memcpy(&regions, g.log[1].bytes + 21, sizeof(regions));
	memcpy(&row, g.log[1].bytes + 29, sizeof(row));
	assert_int_equal(info.need_map, VHOST_PCI_MEM_INFO_NEED_MAP_Y);
	assert_true(info.peer_mem == VHOST_PCI_APERTURE_BAR);
	assert_int_equal(regions.nregions, 1);
	assert_true(row.gpa == p.mem.gpa && row.size == p.mem.size && row.bar_offset + row.size <= size);

	peer_status(&p, &before);
	place = mem_alloc(&p.mem, 64, 64);
	offset = place - row.gpa + row.bar_offset;
	bytes = mem_at(&p.mem, place);
	for (unsigned int i = 0; i < 64; i++)
		bytes[i] = (uint8_t)(i * 5 + 1);
	for (unsigned int width = 1; width <= 8; width *= 2) {
		for (unsigned int at = 0; at < 8; at++) {
			uint64_t want = 0, put = 0xc1c2c3c4c5c6c7c8ull + at;

			memcpy(&want, bytes + at, width);
			assert_true(bar_read(offset + at, width) == want);
			assert_int_equal(vhp_dev_write(g.dev, VHOST_PCI_APERTURE_BAR, offset + 32 + at, width, put), 0);
			/* Reading pushes the write; bytes around it stay. */
			want = bar_read(offset + 32 + at, width);
			assert_memory_equal(bytes + 32 + at, &put, width);
			assert_memory_equal(&want, &put, width);
			assert_int_equal(bytes[31], 31 * 5 + 1);
			assert_int_equal(bytes[32 + 15], (uint8_t)(47 * 5 + 1));
		}
	}
	assert_true(bar_read(row.bar_offset + row.size - 1, 1) == bytes[p.mem.gpa + p.mem.size - 1 - place]);
	assert_true(bar_read(row.bar_offset + row.size, 4) == 0xffffffff);
	peer_status(&p, &after);
	assert_true(after.aperture_reads > before.aperture_reads && after.aperture_writes > before.aperture_writes);
	assert_true(after.aperture_refused > before.aperture_refused);
	assert_true(after.flags & VHP_PORT_APERTURE);
	assert_true(ends_packet_to_peer(&g, &p, 0));
	/* Closed with the connection. */
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_true(bar_read(offset, 4) == 0xffffffff);
}

/* ------------------------------------------------------------------------------------------------ dirty pages */

static unsigned int call(uint16_t op, const void *req, size_t len, struct vhp_mbox_log_state *s)
{
	return (unsigned int)vhp_mbox_call(&host.mbox, op, 0, req, len, s, s ? sizeof(*s) : 0, LIB_WAIT_MS);
}

/* What the driver writes through the aperture is logged by the card, a page once between two syncs. */
static void aperture_logged(void **state)
{
	struct vhp_mbox_log_ring ring = { .iova = LOG_IOVA, .size_log2 = LOG_LOG2 };
	struct vhp_mbox_log_enable enable = { .enable = 1 };
	struct vhp_mbox_log_state s;
	struct vhp_mbox_log_sync sync;
	uint64_t place;
	struct mem log;

	(void)state;
	begin(FEATURES, VHP_PORT_APERTURE);
	mem_create(&log, 0, 8u << LOG_LOG2);
	assert_int_equal(vhp_dev_dma_map(host.dev, LOG_IOVA, log.size, log.fd, 0, log.va), 0);
	assert_int_equal(call(VHP_OP_LOG_RING, &ring, sizeof(ring), &s), 0);
	sync.tail = s.head;
	sync.reserved = 0;
	assert_int_equal(call(VHP_OP_LOG_ENABLE, &enable, sizeof(enable), NULL), 0);
	place = mem_alloc(&p.mem, 2 * 4096, 4096);
	/* One write across the border of two pages, others in the second; reads are none. */
	assert_int_equal(vhp_dev_write(g.dev, VHOST_PCI_APERTURE_BAR, place - p.mem.gpa + 4092, 8, 1), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vhp_dev_write(g.dev, VHOST_PCI_APERTURE_BAR, place - p.mem.gpa + 5000 + i, 1, 1), 0);
	(void)bar_read(0, 4);
	assert_int_equal(call(VHP_OP_LOG_SYNC, &sync, sizeof(sync), &s), 0);
	assert_int_equal(s.overflow, 0);
	assert_int_equal(s.head - sync.tail, 2);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t entry = ((const uint64_t *)log.va)[(sync.tail + i) & ((1u << LOG_LOG2) - 1)];

		assert_true(entry == (p.iova + (place - p.mem.gpa) + 4096 * i) + 1);
	}
	enable.enable = 0;
	ring.size_log2 = 0;
	assert_int_equal(call(VHP_OP_LOG_ENABLE, &enable, sizeof(enable), NULL), 0);
	assert_int_equal(call(VHP_OP_LOG_RING, &ring, sizeof(ring), &s), 0);
	assert_int_equal(vhp_dev_dma_unmap(host.dev, LOG_IOVA, log.size), 0);
	mem_destroy(&log);
}

/* ------------------------------------------------------------------------------------------------ driver copy */

static void bar_write(uint64_t gpa, unsigned int width, uint64_t value)
{
	assert_int_equal(vhp_dev_write(g.dev, VHOST_PCI_APERTURE_BAR, gpa - p.mem.gpa, width, value), 0);
}

static uint64_t peek(uint64_t gpa, unsigned int width)
{
	return bar_read(gpa - p.mem.gpa, width);
}

/*
 * "the driver copies packets from the mirrored RX virtqueues": without COPY_OFFLOAD the rings of PEER_VIRTQ_INFO are the
 * driver's, the card's lanes stand still, and what the driver used is where the next connection begins.
 */
static void driver_copies(void **state)
{
	struct seg out = { .len = 112 };
	struct vhp_mbox_port_status s;
	struct vhost_pci_virtq tx;
	uint64_t cookie, desc;
	uint32_t len;
	uint16_t head;

	(void)state;
	begin(FEATURES & ~(1ull << VHOST_PCI_NET_F_COPY_OFFLOAD), VHP_PORT_APERTURE);
	memcpy(&tx, g.log[2].bytes + 12 + 5, sizeof(tx));
	assert_int_equal(g.log[2].bytes[12], VHOST_PCI_PEER_VIRTQ_TX);
	peer_status(&p, &s);
	for (unsigned int i = 0; i < s.nlanes; i++)
		assert_int_equal(s.lanes[i].running, 0);

	out.addr = mem_alloc(&p.mem, 128, 64);
	for (unsigned int i = 0; i < 112; i++)
		((uint8_t *)mem_at(&p.mem, out.addr))[i] = (uint8_t)(3 * i);
	assert_true(ring_add(&p.q[1], &out, 1, out.addr) >= 0);
	peer_kick(&p, 1);
	assert_int_equal((uint16_t)(peek(tx.avail + 2, 2) - tx.last_avail_idx), 1);
	head = (uint16_t)peek(tx.avail + 4 + 2 * (tx.last_avail_idx % tx.num), 2);
	desc = tx.desc + 16 * head;
	assert_true(peek(desc, 8) == out.addr);
	assert_int_equal(peek(desc + 8, 4), 112);
	for (unsigned int i = 0; i < 112; i++)
		assert_int_equal(peek(out.addr + i, 1), (uint8_t)(3 * i));
	bar_write(tx.used + 4 + 8 * (tx.last_avail_idx % tx.num), 8, head);
	bar_write(tx.used + 2, 2, (uint16_t)(tx.last_avail_idx + 1));
	/* Reading pushes the writes. */
	(void)peek(tx.used + 2, 2);
	assert_true(ring_take(&p.q[1], &cookie, &len));
	assert_true(cookie == out.addr);
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_int_equal(p.bases.last_avail_idx[1], 1);
	assert_int_equal(p.bases.last_used_idx[1], 1);
	assert_int_equal(p.bases.last_avail_idx[0], 0);
}

static int open_all(void **state)
{
	(void)state;
	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	guest_open(&other_g, &sim, 1);
	peer_open(&p, &host, 0, PEER_FEATURES, 64);
	peer_open(&other_p, &host, 1, PEER_FEATURES, 64);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	guest_close(&g);
	guest_close(&other_g);
	peer_close(&p);
	peer_close(&other_p);
	host_close(&host);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aperture_off),
		cmocka_unit_test(aperture_on),
		cmocka_unit_test(aperture_logged),
		cmocka_unit_test(driver_copies),
	};

	return sim_run_tests(&sim, NULL, "aperture", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 1 ? argv[1] : NULL);
}
