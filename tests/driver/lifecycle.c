/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes while a port is up, and what happens when it goes at a bad moment, against a running vhp-sim: queues given,
 * taken and enabled late, resets in the middle of the handshake, dirty page logging, drivers that leave features out.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_pci.h>

#define FEATURES (~(1ull << VHP_F_RING_EVENT_IDX))
#define LOG_FEATURE (1ull << 26)
#define BUF_LEN ENDS_BUF_LEN
#define LOG_IOVA 0x7900000000ull
#define LOG_LOG2 10u

static struct sim sim;
static struct host host;
static struct guest g;
static struct peer p;

static const struct vhp_mbox_port_config config = { .flags = VHP_PORT_PV_INTERRUPT, .vhost_pci_id = 0x42 };

static uint64_t common(unsigned int off, unsigned int width)
{
	return guest_read(&g, &g.v.common, off, width);
}

static void common_write(unsigned int off, unsigned int width, uint64_t v)
{
	guest_write(&g, &g.v.common, off, width, v);
}

static uint16_t rx_queues(void)
{
	return (uint16_t)common(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2);
}

static uint32_t gsi_of(unsigned int queue)
{
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2, queue);
	return (uint32_t)common(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4);
}

static void fresh(uint64_t features)
{
	struct vhp_mbox_event e;

	guest_reset(&g);
	g.silent = false;
	g.refuse = 0;
	p.features = features;
	assert_int_equal(peer_stop(&p, 0), 0);
	peer_new_rings(&p);
	while (host_event(&host, &e))
		;
}

static int connected(void **state)
{
	struct vhp_mbox_event e;

	(void)state;
	if (g.silent || guest_connection(&g) != 1 || (guest_status(&g) & 0x40) || rx_queues() != 2 ||
	    !(p.features & LOG_FEATURE)) {
		fresh(PEER_FEATURES | LOG_FEATURE);
		assert_int_equal(guest_init(&g, FEATURES, 32), 0);
		assert_int_equal(peer_start(&p, 2), 0);
		assert_true(guest_wait_connection(&g, 1));
	}
	while (host_event(&host, &e))
		;
	return 0;
}

static int unconnected(void **state)
{
	(void)state;
	fresh(PEER_FEATURES);
	return 0;
}

static void packet_to_peer(unsigned int pair)
{
	assert_true(ends_packet_to_peer(&g, &p, pair));
}

/* ------------------------------------------------------------------------------------------------ queues */

/* "The device writes the GSI of an RX virtqueue": again when the front end brings another one, with a peer status interrupt. */
static void gsi_changes(void **state)
{
	struct vhp_mbox_peer_vring v = peer_vring(&p, 2);

	(void)state;
	(void)guest_read(&g, &g.v.isr, 0, 1);
	v.gsi = 77;
	assert_int_equal(peer_give_vring(&p, &v), 0);
	assert_int_equal(gsi_of(1), 77);
	assert_int_equal(gsi_of(0), 24);
	assert_true(guest_read(&g, &g.v.isr, 0, 1) & VHOST_PCI_ISR_PEER);
	/* A queue beyond those of the peer has none. */
	assert_int_equal(gsi_of(2), VHP_GSI_NONE);
	assert_int_equal(gsi_of(8), VHP_GSI_NONE);
	assert_int_equal(gsi_of(0xffff), VHP_GSI_NONE);
	assert_int_equal(guest_connection(&g), 1);
}

/* A call fd that goes and comes back: interrupts follow, the indices go on, other queues do not notice. */
static void call_changes(void **state)
{
	struct vhp_mbox_peer_vring v = peer_vring(&p, 0);

	(void)state;
	(void)peer_calls(&p, 0);
	packet_to_peer(0);
	assert_int_equal(peer_calls(&p, 0), 1);
	v.msix_vector = 0xffff;
	assert_int_equal(peer_give_vring(&p, &v), 0);
	packet_to_peer(0);
	assert_int_equal(peer_calls(&p, 0), 0);
	v = peer_vring(&p, 0);
	assert_int_equal(peer_give_vring(&p, &v), 0);
	packet_to_peer(0);
	assert_int_equal(peer_calls(&p, 0), 1);
	packet_to_peer(1);
}

/* "The device uses this to report the number of RX virtqueues that the connected peer device uses." */
static void queue_goes_and_comes(void **state)
{
	struct vhp_mbox_peer_vring v = peer_vring(&p, 2);
	struct vhp_mbox_port_status s;

	(void)state;
	v.flags = 0;
	(void)guest_read(&g, &g.v.isr, 0, 1);
	assert_int_equal(peer_give_vring(&p, &v), 0);
	assert_int_equal(rx_queues(), 1);
	assert_int_equal(gsi_of(1), VHP_GSI_NONE);
	assert_true(guest_read(&g, &g.v.isr, 0, 1) & VHOST_PCI_ISR_PEER);
	peer_status(&p, &s);
	assert_int_equal(s.lanes[3].running, 0);
	assert_int_equal(s.lanes[1].running, 1);
	packet_to_peer(0);
	assert_int_equal(peer_replace_ring(&p, 2), 0);
	assert_int_equal(rx_queues(), 2);
	packet_to_peer(1);
}

/* The driver enables a queue after DRIVER_OK: it is served from then on. */
static void queue_enabled_late(void **state)
{
	struct vhp_mbox_port_status s;

	(void)state;
	g.late_queue = VHOST_PCI_VQ_TX(0);
	assert_int_equal(guest_init(&g, FEATURES, 32), 0);
	g.late_queue = 0;
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_wait_connection(&g, 1));
	peer_status(&p, &s);
	assert_int_equal(s.lanes[0].running, 1);
	assert_int_equal(s.lanes[1].running, 0);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, VHOST_PCI_VQ_TX(0));
	common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	packet_to_peer(0);
}

/* ------------------------------------------------------------------------------------------------ bad moments */

static bool came(void *arg)
{
	(void)arg;
	guest_pump(&g);
	return g.nlog > 0;
}

static bool second_came(void *arg)
{
	(void)arg;
	guest_pump(&g);
	return g.nlog > 1;
}

/* The handshake up to a state: 0 feature bits sent, 1 memory info sent, nothing answered. */
static void handshake_to(unsigned int state)
{
	static const uint32_t want[] = { VHP_PORT_FEATURES, VHP_PORT_MEM };
	struct vhp_mbox_port_status s;

	g.silent = true;
	assert_int_equal(guest_init(&g, FEATURES, 32), 0);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(wait_for(came, NULL));
	if (state == 1) {
		guest_send_ctrl(&g, g.log[0].bytes, g.log[0].len);
		assert_true(wait_for(second_came, NULL));
	}
	peer_status(&p, &s);
	assert_int_equal(s.state, want[state]);
	g.silent = false;
}

static void connects_again(void)
{
	assert_int_equal(guest_init(&g, FEATURES, 32), 0);
	assert_true(guest_wait_connection(&g, 1));
	packet_to_peer(0);
}

static void reset_in_handshake(void **state)
{
	struct vhp_mbox_port_status s;

	(void)state;
	handshake_to(1);
	guest_reset(&g);
	peer_status(&p, &s);
	assert_int_equal(s.state, VHP_PORT_WAIT_DRIVER);
	assert_int_equal(s.last_error, VHP_PERR_NONE);
	connects_again();
}

static bool waits_for_driver(void *arg)
{
	struct vhp_mbox_port_status s;

	(void)arg;
	peer_status(&p, &s);
	return s.state == VHP_PORT_WAIT_DRIVER;
}

static void flr_in_handshake(void **state)
{
	(void)state;
	for (unsigned int at = 0; at < 2; at++) {
		handshake_to(at);
		assert_int_equal(vhp_dev_reset(g.dev), 0);
		assert_true(wait_for(waits_for_driver, NULL));
		assert_int_equal(guest_status(&g), 0);
		if (at == 0)
			fresh(PEER_FEATURES);
	}
	connects_again();
}

/* A 0 where a 0 stands asks for nothing. */
static void write_0_unconnected(void **state)
{
	(void)state;
	handshake_to(0);
	common_write(VHOST_PCI_COMMON_PEER_CONNECTION, 2, 0);
	assert_int_equal(guest_connection(&g), 0);
	guest_send_ctrl(&g, g.log[0].bytes, g.log[0].len);
	assert_true(guest_wait_connection(&g, 1));
	packet_to_peer(0);
}

/* ------------------------------------------------------------------------------------------------ features */

static bool needs_reset(void *arg)
{
	(void)arg;
	return guest_status(&g) & 0x40;
}

/* Neither copies: without an aperture a driver that leaves out COPY_OFFLOAD has no way to the peer's memory. */
static void nobody_copies(void **state)
{
	struct vhp_mbox_port_status s;

	(void)state;
	assert_int_equal(guest_init(&g, FEATURES & ~(1ull << VHOST_PCI_NET_F_COPY_OFFLOAD), 32), 0);
	assert_true(wait_for(needs_reset, NULL));
	peer_status(&p, &s);
	assert_int_equal(s.last_error, VHP_PERR_FEATURES);
}

/* "if VHOST_PCI_NET_F_CTRL_MAC_ADDR is negotiated": else the message is refused. */
static void mac_not_negotiated(void **state)
{
	struct __attribute__((packed)) {
		struct vhost_pci_ctrl h;
		struct vhost_pci_ctrl_mac m;
	} msg = { { VHOST_PCI_CTRL_MAC, 0x42 }, { { 0x52, 0x54, 9, 9, 9, 9 } } };
	uint64_t was = guest_read(&g, &g.v.device, 0, 4);

	(void)state;
	assert_int_equal(guest_init(&g, FEATURES & ~(1ull << VHOST_PCI_NET_F_CTRL_MAC_ADDR), 32), 0);
	guest_send_ctrl(&g, &msg, sizeof(msg));
	assert_true(wait_for(needs_reset, NULL));
	assert_int_equal(guest_read(&g, &g.v.device, 0, 4), was);
}

/* ------------------------------------------------------------------------------------------------ dirty page logging */

static int log_enable(uint32_t on)
{
	struct vhp_mbox_log_enable e = { .enable = on };

	return vhp_mbox_call(&host.mbox, VHP_OP_LOG_ENABLE, 0, &e, sizeof(e), NULL, 0, LIB_WAIT_MS);
}

static int log_ring(uint64_t iova, uint32_t size_log2, struct vhp_mbox_log_state *s)
{
	struct vhp_mbox_log_ring r = { .iova = iova, .size_log2 = size_log2 };

	return vhp_mbox_call(&host.mbox, VHP_OP_LOG_RING, 0, &r, sizeof(r), s, sizeof(*s), LIB_WAIT_MS);
}

static unsigned int want_messages;

static bool messages_came(void *arg)
{
	(void)arg;
	guest_pump(&g);
	return g.nlog >= want_messages;
}

/* "The device sends messages to turn on or off the page logging mode of the driver." */
static void logging_message(uint8_t on)
{
	const struct guest_message *m;
	struct vhost_pci_ctrl h;

	want_messages = g.nlog + 1;
	assert_int_equal(log_enable(on), 0);
	assert_true(wait_for(messages_came, NULL));
	m = &g.log[(g.nlog - 1) % 32];
	memcpy(&h, m->bytes, sizeof(h));
	assert_int_equal(m->len, 13);
	assert_int_equal(h.request, VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING);
	assert_true(h.vhost_pci_id == config.vhost_pci_id);
	assert_int_equal(m->bytes[12], on);
}

static struct mem log_mem;

/* Entries [from, to) of the ring name port 0 and pages of the peer. @return whether the page of @p gpa is among them */
static bool logged(uint32_t from, uint32_t to, uint64_t gpa)
{
	const uint64_t *ring = (const uint64_t *)log_mem.va;
	uint64_t page = p.iova + (gpa - p.mem.gpa);
	bool found = false;

	for (; from != to; from++) {
		uint64_t entry = ring[from & ((1u << LOG_LOG2) - 1)];

		assert_int_equal(entry & 0xfff, 1);
		assert_true(entry >= p.iova && (entry & ~0xfffull) < p.iova + p.mem.size);
		found |= (entry ^ page) >> 12 == 0;
	}
	return found;
}

static void log_sync(uint32_t tail, struct vhp_mbox_log_state *s)
{
	struct vhp_mbox_log_sync r = { .tail = tail };

	assert_int_equal(vhp_mbox_call(&host.mbox, VHP_OP_LOG_SYNC, 0, &r, sizeof(r), s, sizeof(*s), LIB_WAIT_MS), 0);
}

/* The messages, and what the card itself logs: the page of each buffer that it writes and of the used ring, until it is off. */
static void dirty_logging(void **state)
{
	struct vhp_mbox_log_state s;
	struct vhp_mbox_port_status st;
	uint64_t used = p.q[0].used_gpa, next;
	uint32_t tail;

	(void)state;
	mem_create(&log_mem, 0, 8u << LOG_LOG2);
	assert_int_equal(vhp_dev_dma_map(host.dev, LOG_IOVA, log_mem.size, log_mem.fd, 0, log_mem.va), 0);
	/* Not without a ring. */
	assert_int_equal(log_enable(1), VHP_ST_WRONG_STATE);
	assert_int_equal(log_ring(LOG_IOVA, LOG_LOG2, &s), 0);
	tail = s.head;
	packet_to_peer(0);
	logging_message(VHOST_PCI_DIRTY_PAGE_LOGGING_ON);
	peer_status(&p, &st);
	assert_true(st.flags & VHP_PORT_LOGGING);
	log_sync(tail, &s);
	assert_int_equal(s.head, tail);
	assert_int_equal(s.enabled, 1);

	/* Twice, as a page of an entry that was taken is logged again. */
	for (unsigned int i = 0; i < 2; i++) {
		next = mem_alloc(&p.mem, 0, BUF_LEN);
		packet_to_peer(0);
		log_sync(tail, &s);
		assert_int_equal(s.overflow, 0);
		assert_true(s.head != tail);
		assert_true(logged(tail, s.head, next));
		assert_true(logged(tail, s.head, used));
		tail = s.head;
	}
	logging_message(VHOST_PCI_DIRTY_PAGE_LOGGING_OFF);
	peer_status(&p, &st);
	assert_false(st.flags & VHP_PORT_LOGGING);
	packet_to_peer(0);
	assert_int_equal(guest_status(&g) & 0x40, 0);
	log_sync(tail, &s);
	assert_int_equal(s.head, tail);
	assert_int_equal(s.enabled, 0);
	assert_int_equal(log_ring(0, 0, &s), 0);
	assert_int_equal(vhp_dev_dma_unmap(host.dev, LOG_IOVA, log_mem.size), 0);
	mem_destroy(&log_mem);
}

static int open_all(void **state)
{
	(void)state;
	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	peer_open(&p, &host, 0, PEER_FEATURES, 64);
	assert_int_equal(peer_config(&p, &config), 0);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	guest_close(&g);
	peer_close(&p);
	host_close(&host);
	return 0;
}

int main(int argc, char **argv)
{
#define CASE(f) { #f, f, unconnected, NULL, NULL }
#define CONNECTED(f) { #f, f, connected, NULL, NULL }
	const struct CMUnitTest tests[] = {
		CONNECTED(gsi_changes),	  CONNECTED(call_changes),   CONNECTED(queue_goes_and_comes),
		CONNECTED(dirty_logging), CASE(queue_enabled_late),  CASE(reset_in_handshake),
		CASE(flr_in_handshake),	  CASE(write_0_unconnected), CASE(nobody_copies),
		CASE(mac_not_negotiated),
	};

	return sim_run_tests(&sim, NULL, "lifecycle", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 1 ? argv[1] : NULL);
}
