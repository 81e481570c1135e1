/* SPDX-License-Identifier: Apache-2.0 */
/* Driver copy, what leads to it: control messages, addresses, the rows of the peer's virtqueues, connections that end. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_suites.h"
#include "mirror_peer.h"
#include "unit.h"

/* ---------------------------------------------------------------------------------------------------- addresses */

static void translation(void **state)
{
	static const struct {
		uint64_t gpa, len;
		int64_t at;
	} cases[] = {
		{ 0, 1, 0x10000 },
		{ 0, 0x8010, 0x10000 },
		{ 0x800f, 1, 0x1800f },
		{ 0x8010, 1, -1 },
		{ 0x800f, 2, -1 },
		{ 0, 0x8011, -1 },
		{ 0xfffff, 1, -1 },
		{ 0xfffff, 2, -1 },
		{ 0x100000, 1, 0x40000 },
		{ 0x1fffff, 1, 0x13ffff },
		{ 0x1fffff, 2, -1 },
		{ 0x200000, 1, -1 },
		{ UINT64_MAX, 1, 0x20fff },
		{ UINT64_MAX, 2, -1 },
		{ UINT64_MAX - 0xfff, 0x1000, 0x20000 },
		{ UINT64_MAX - 0x1000, 1, -1 },
		{ 0, UINT64_MAX, -1 },
		{ 1, UINT64_MAX, -1 },
		{ UINT64_MAX, UINT64_MAX, -1 },
	};

	(void)state;
	set_up((struct options){ 0 });
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct vpnet_span s = { 0 };
		bool good = vpnet_peer_translate(net, cases[i].gpa, cases[i].len, &s);

		assert_int_equal(good, cases[i].at >= 0);
		if (good)
			assert_int_equal(s.at, cases[i].at);
	}
	tear_down();
}

/* ---------------------------------------------------------------------------------------------------- connections */

static void resume(void **state)
{
	static uint8_t packet[200];
	struct rte_mbuf *m[4];
	uint64_t count;

	(void)state;
	for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
		set_up((struct options){ .event_idx = event_idx, .start = 65534 });
		for (unsigned int i = 0; i < 4; i++)
			peer_sends(packet, 112, 1);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 4);
		rte_pktmbuf_free_bulk(m, 4);
		/* The link goes down first, as in a graceful stop: kicks are on again, and nothing is polled. */
		net->config.status = 0;
		vpnet_mirrors_update(net);
		assert_int_equal(state_of(0), VPNET_MIRROR_READY);
		if (event_idx)
			assert_int_equal(*avail_event(&tx), 2);
		else
			assert_int_equal(tx.used->flags, 0);
		peer_sends(packet, 112, 1);
		aperture.reads = 0;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
		assert_int_equal(aperture.reads, 0);
		/* The next connection goes on where memory says, whatever the message. */
		announce(event_idx ? 2 : 65534);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 1);
		rte_pktmbuf_free(m[0]);
		assert_int_equal(tx.used->idx, 3);
		/* The same rows again while it works: nothing starts anew, but the GSI is taken. */
		net->ctrl.vqs[VHOST_PCI_PEER_VIRTQ_RX][0].gsi = 99;
		net->ctrl.vqs[VHOST_PCI_PEER_VIRTQ_TX][0].last_avail_idx = 0;
		vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_TX);
		vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_RX);
		assert_int_equal(state_of(0), VPNET_MIRROR_RUNNING);
		assert_int_equal(net->mirrors[VHOST_PCI_PEER_VIRTQ_RX][0].gsi, 99);
		/* The window is closed under way: no message before the connection is looked at. */
		aperture.closed = true;
		(void)!read(net->config_fd, &count, sizeof(count));
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
		assert_int_equal(state_of(0), VPNET_MIRROR_DARK);
		assert_int_equal(read(net->config_fd, &count, sizeof(count)), sizeof(count));
		if (event_idx) {
			net->peer_connection = 0;
			vpnet_mirrors_update(net);
			assert_int_equal(state_of(0), VPNET_MIRROR_DARK);
		} else {
			vpnet_mirrors_update(net);
			assert_int_equal(state_of(0), VPNET_MIRROR_BROKEN);
		}
		tear_down();
	}
}

static void bad_rows(void **state)
{
	static const struct {
		uint32_t num;
		uint64_t desc, avail, used;
	} rows[] = {
		{ 0, 0x1000, 0x2000, 0x3000 },	{ 65536, 0x1000, 0x2000, 0x3000 },
		{ 48, 0x1000, 0x2000, 0x3000 }, { 64, 0x7c20, 0x2000, 0x3000 }, /* 16 bytes behind the end */
		{ 64, 0x1008, 0x2000, 0x3000 }, { 64, 0x1000, 0x2001, 0x3000 },
		{ 64, 0x1000, 0x2000, 0x3002 }, { 64, 0x1000, 0x7f90, 0x3000 },
		{ 64, 0x1000, 0x2000, 0x7e10 }, { 64, UINT64_MAX - 15, 0x2000, 0x3000 },
	};
	struct vhost_pci_virtq *row = &net->ctrl.vqs[VHOST_PCI_PEER_VIRTQ_TX][0];
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		set_up((struct options){ 0 });
		row->num = rows[i].num;
		row->desc = rows[i].desc;
		row->avail = rows[i].avail;
		row->used = rows[i].used;
		vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_TX);
		assert_int_equal(state_of(0), VPNET_MIRROR_BROKEN);
		aperture.reads = 0;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 0);
		assert_int_equal(aperture.reads, 0);
		tear_down();
	}
	/* Exactly to the last byte of a region is right. */
	set_up((struct options){ 0 });
	row->desc = 0x8010 - 64 * 16;
	vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_TX);
	assert_int_equal(state_of(0), VPNET_MIRROR_READY);
	/* A queue that is not enabled is none. */
	row->flags = 0;
	vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_TX);
	assert_int_equal(state_of(0), VPNET_MIRROR_ABSENT);
	tear_down();
}

/* ---------------------------------------------------------------------------------------------------- messages */

/* The device sends @p payload; @return the length of the answer's payload, which stands in @p answer, or -1 for none. */
static int tell(uint32_t request, const void *payload, size_t len, void *answer, size_t size)
{
	struct vpnet_ctrl *c = &net->ctrl;
	struct vpnet_ring *in = &c->rx, *out = &c->tx;
	struct vhost_pci_ctrl header = { request, 42 };
	uint16_t pos = in->used->idx, id = in->avail->ring[pos & in->mask], sent = out->avail->idx;
	uint8_t *to = (uint8_t *)c->zone->addr + (in->desc[id].addr - c->zone->iova);
	const uint8_t *from;

	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), payload, len);
	in->used->ring[pos & in->mask] = (struct vring_used_elem){ id, (uint32_t)(sizeof(header) + len) };
	in->used->idx++;
	vpnet_ctrl_receive(net);
	if (out->avail->idx == sent)
		return -1;
	id = out->avail->ring[sent & out->mask];
	from = (uint8_t *)c->zone->addr + (out->desc[id].addr - c->zone->iova);
	assert_memory_equal(from, &header, sizeof(header));
	assert_true(out->desc[id].len - sizeof(header) <= size);
	memcpy(answer, from + sizeof(header), out->desc[id].len - sizeof(header));
	out->used->ring[out->used->idx & out->mask] = (struct vring_used_elem){ id, 0 };
	out->used->idx++;
	return (int)(out->desc[id].len - sizeof(header));
}

static void messages(void **state)
{
	struct __attribute__((packed)) {
		struct vhost_pci_ctrl_peer_mem_info info;
		struct vhost_pci_mem_regions head;
		struct vhost_pci_mem_region row[RTE_DIM(regions)];
	} m = { { VHOST_PCI_MEM_INFO_NEED_MAP_Y, BAR }, { RTE_DIM(regions), 0 }, { { 0 } } }, bad, got;
	struct __attribute__((packed)) {
		struct vhost_pci_ctrl_peer_virtq_info info;
		struct vhost_pci_virtq row;
	} q;
	uint64_t bits = RTE_BIT64(15) | RTE_BIT64(7) | RTE_BIT64(11) | RTE_BIT64(27), answer;
	uint8_t on = VHOST_PCI_DIRTY_PAGE_LOGGING_ON, two = 2;

	(void)state;
	set_up((struct options){ 0 });
	vpnet_mirrors_forget(net);
	assert_int_equal(vpnet_ctrl_alloc(net), 0);
	vpnet_ctrl_clear(net);
	memcpy(m.row, regions, sizeof(regions));

	/* Feature bits: what this driver can, within what the user allows. */
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_FEATURE_BITS, &bits, 8, &answer, 8), 8);
	assert_int_equal(answer, RTE_BIT64(15) | RTE_BIT64(7) | RTE_BIT64(27));
	net->options.peer_features = ~RTE_BIT64(15);
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_FEATURE_BITS, &bits, 8, &answer, 8), 8);
	assert_int_equal(answer, RTE_BIT64(7) | RTE_BIT64(27));
	net->options.peer_features = UINT64_MAX;

	/* need_map Y: the answer is the same message with the address of the mapping; without one it is not 0 either. */
	aperture.address = aperture.bytes;
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_MEM_INFO, &m, sizeof(m), &got, sizeof(got)), sizeof(m));
	assert_int_equal(got.info.need_map, VHOST_PCI_MEM_INFO_NEED_MAP_Y);
	assert_int_equal(got.info.peer_mem, (uintptr_t)aperture.bytes);
	assert_memory_equal(&got.head, &m.head, sizeof(m) - sizeof(m.info));
	aperture.address = NULL;
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_MEM_INFO, &m, sizeof(m), &got, sizeof(got)), sizeof(m));
	assert_true(got.info.peer_mem != 0);

	/* Virtqueues: mirrored as soon as they are told. */
	q.info = (struct vhost_pci_ctrl_peer_virtq_info){ VHOST_PCI_PEER_VIRTQ_TX, 1 };
	q.row = row_of(&tx, 0, VHOST_PCI_GSI_NONE);
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_VIRTQ_INFO, &q, sizeof(q), &got, sizeof(got)), -1);
	assert_int_equal(state_of(0), VPNET_MIRROR_RUNNING);
	q.info.tx_or_rx = VHOST_PCI_PEER_VIRTQ_RX;
	q.row = row_of(&rx, 0, 5);
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_VIRTQ_INFO, &q, sizeof(q), &got, sizeof(got)), -1);
	assert_int_equal(state_of(1), VPNET_MIRROR_RUNNING);
	assert_int_equal(net->peer_rx_queues, 1);

	/* A memory message takes the queues away before its regions count. */
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_MEM_INFO, &m, sizeof(m), &got, sizeof(got)), sizeof(m));
	assert_int_equal(state_of(0), VPNET_MIRROR_ABSENT);
	assert_int_equal(net->peer_rx_queues, 0);

	/* Not answered: no memory shown, BARs that are not there, regions that are not in them. */
	net->ctrl.errors = 0;
	for (unsigned int i = 0; i < 10; i++) {
		bad = m;
		switch (i) {
		case 0:
			bad.info.need_map = VHOST_PCI_MEM_INFO_NEED_MAP_N;
			break;
		case 1:
			bad.info.peer_mem = 3;
			break;
		case 2:
			bad.info.peer_mem = 0;
			break;
		case 3:
			bad.info.peer_mem = UINT64_MAX;
			break;
		case 4:
			bad.row[1].size = 0;
			break;
		case 5:
			bad.row[1].bar_offset = BAR_SIZE - 0xff000;
			break;
		case 6:
			bad.row[1].bar_offset = UINT64_MAX - 0xfff;
			break;
		case 7:
			bad.row[2].size = 0x1001;
			break;
		case 8:
			bad.row[0].bar_offset += 64;
			break;
		default:
			bad.info.need_map = 2;
		}
		assert_int_equal(tell(VHOST_PCI_CTRL_PEER_MEM_INFO, &bad, sizeof(bad), &got, sizeof(got)), -1);
		assert_int_equal(net->ctrl.errors, i + 1);
	}

	/* Dirty page logging: recorded. */
	assert_int_equal(tell(VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING, &on, 1, &got, sizeof(got)), -1);
	assert_int_equal(net->ctrl.dirty_logging, 1);
	assert_int_equal(net->ctrl.dirty_logging_changes, 1);
	assert_int_equal(tell(VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING, &two, 1, &got, sizeof(got)), -1);
	assert_int_equal(net->ctrl.dirty_logging, 1);
	on = VHOST_PCI_DIRTY_PAGE_LOGGING_OFF;
	assert_int_equal(tell(VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING, &on, 1, &got, sizeof(got)), -1);
	assert_int_equal(net->ctrl.dirty_logging, 0);
	assert_int_equal(net->ctrl.dirty_logging_changes, 2);
	vpnet_ctrl_free(net);
	tear_down();
}

void run_connect_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translation),
		cmocka_unit_test(resume),
		cmocka_unit_test(bad_rows),
		cmocka_unit_test(messages),
	};

	RUN_SUITE("connect", tests);
}
