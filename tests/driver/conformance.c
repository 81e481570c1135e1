/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver-side conformance to the seed, against a running vhp-sim: each case names the clause that it checks. Both ends
 * are played here (lib_sim.h); one simulator serves all cases, so each case also starts from what the last one left. A
 * connection costs a second or two of processor time: cases that only look at one share it.
 */
#include "lib_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_pci.h>

static struct sim sim;
static struct host host;
static struct guest g;
static struct peer p;

#define ALL_FEATURES (~(1ull << VHP_F_RING_EVENT_IDX))
#define TIMEOUT_MS 2
#define VHOST_PCI_ID 0x0123456789abcdefull

static const struct vhp_mbox_port_config config = {
	.flags = VHP_PORT_MAC | VHP_PORT_PV_INTERRUPT,
	.vhost_pci_id = VHOST_PCI_ID,
	.uuid_hi = 0x1112131415161718ull,
	.uuid_lo = 0x2122232425262728ull,
	.mac = { 0x52, 0x54, 0x00, 0x01, 0x02, 0x03 },
};

static uint64_t common(unsigned int off, unsigned int width)
{
	return guest_read(&g, &g.v.common, off, width);
}

static void common_write(unsigned int off, unsigned int width, uint64_t v)
{
	guest_write(&g, &g.v.common, off, width, v);
}

static void connect(void)
{
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_int_equal(peer_start(&p, 2), 0);
	assert_true(guest_wait_connection(&g, 1));
	assert_true(host_wait_event(&host, VHP_EVENT_CONNECTED, 0, NULL));
}

/* Before each case: nothing connected, no driver. */
static int setup(void **state)
{
	struct vhp_mbox_event e;

	(void)state;
	guest_reset(&g);
	g.silent = false;
	g.refuse = 0;
	p.features = PEER_FEATURES;
	assert_int_equal(peer_stop(&p, 0), 0);
	peer_new_rings(&p);
	while (host_event(&host, &e))
		;
	return 0;
}

/* Before a case that needs a connection of two pairs and leaves it as it is. */
static int connected(void **state)
{
	struct vhp_mbox_event e;

	if (g.refuse != 0 || g.silent || guest_connection(&g) != 1 ||
	    common(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2) != 2) {
		setup(state);
		p.features |= 1ull << 26; /* vhost-user's LOG_ALL */
		connect();
	}
	while (host_event(&host, &e))
		;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ registers */

static void device_id_and_class(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(vhp_dev_read(g.dev, VHP_BAR_CONFIG, 0, 4, &v), 0);
	assert_int_equal(v, VHOST_PCI_NET_PCI_VENDOR | VHOST_PCI_NET_PCI_DEVICE << 16);
	assert_int_equal(vhp_dev_read(g.dev, VHP_BAR_CONFIG, 8, 4, &v), 0);
	assert_int_equal(v >> 8, 0x020000);
	assert_true((v & 0xff) >= 1);
}

static void device_feature_bits(void **state)
{
	uint64_t must = 1ull << VHOST_PCI_NET_F_MAC | 1ull << VHOST_PCI_NET_F_CTRL_MAC_ADDR |
		1ull << VHOST_PCI_NET_F_MRG_RXBUF | 1ull << VHOST_PCI_NET_F_COPY_OFFLOAD | 1ull << VHP_F_VERSION_1 |
		1ull << VHP_F_PV_INTERRUPT;

	(void)state;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 16), 0);
	assert_true((g.offered & must) == must);
	/* Later virtio's queue reset, notification data and admin queue share the peer block's place. */
	assert_true((g.offered & (7ull << 39)) == 0);
}

/* "A device MUST check if the management environment supports pv interrupt" */
static void pv_interrupt_only_by_management(void **state)
{
	struct vhp_mbox_port_config c = config;

	(void)state;
	c.flags &= ~VHP_PORT_PV_INTERRUPT;
	assert_int_equal(peer_config(&p, &c), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 16), 0);
	assert_int_equal(g.offered >> VHP_F_PV_INTERRUPT & 1, 0);
	guest_reset(&g);
	assert_int_equal(peer_config(&p, &config), 0);
}

static void version_1_required(void **state)
{
	(void)state;
	assert_true(guest_init(&g, ALL_FEATURES & ~(1ull << VHP_F_VERSION_1), 16) < 0);
}

/* "the device MUST allow reading of any device-specific configuration field" from FEATURES_OK on (and ours does before, too). */
static void config_layout(void **state)
{
	const struct vhost_pci_net_config want = {
		.mac = { 0x52, 0x54, 0x00, 0x01, 0x02, 0x03 },
		.max_queue_pairs = 2,
		.mtu = 1500,
	};

	(void)state;
	for (unsigned int negotiated = 0; negotiated < 2; negotiated++) {
		if (negotiated)
			assert_int_equal(guest_prepare(&g, ALL_FEATURES, 16), 0);
		assert_int_equal(guest_status(&g), negotiated ? 0xb : 0);
		for (unsigned int width = 1; width <= 8; width *= 2) {
			for (unsigned int off = 0; off + width <= sizeof(want); off++) {
				uint64_t v = 0;

				memcpy(&v, (const uint8_t *)&want + off, width);
				assert_int_equal(guest_read(&g, &g.v.device, off, width), v);
			}
		}
	}
}

/* Both views of the peer block at every width and alignment, against the values that the host gave. */
static void peer_registers_any_access(void **state)
{
	uint8_t want[82 - 56];
	uint16_t num = 2, sel = 1;
	uint32_t gsi = 24 + 2;

	(void)state;
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2, sel);
	memset(want, 0, sizeof(want));
	want[0] = 1;
	memcpy(want + 2, &num, 2);
	memcpy(want + 4, &sel, 2);
	memcpy(want + 6, &gsi, 4);
	memcpy(want + 10, &config.uuid_hi, 8);
	memcpy(want + 18, &config.uuid_lo, 8);
	for (unsigned int width = 1; width <= 8; width *= 2) {
		for (unsigned int off = 0; off + width <= sizeof(want); off++) {
			uint64_t v = 0;

			memcpy(&v, want + off, width);
			assert_int_equal(common(56 + off, width), v);
		}
	}
	const struct vhost_pci_peer_block block = {
		.peer_connection = 1,
		.peer_num_rx_queues = num,
		.peer_rx_queue_select = sel,
		.peer_rx_queue_gsi = gsi,
		.peer_uuid_hi = config.uuid_hi,
		.peer_uuid_lo = config.uuid_lo,
	};

	assert_true(g.v.peer.length >= sizeof(block));
	for (unsigned int width = 1; width <= 8; width *= 2) {
		for (unsigned int off = 0; off + width <= sizeof(block); off++) {
			uint64_t v = 0;

			memcpy(&v, (const uint8_t *)&block + off, width);
			assert_int_equal(guest_read(&g, &g.v.peer, off, width), v);
		}
	}
	/*
	 * The select register is written at every width and alignment, with the fields beside it. Those are the device's, except
	 * peer_connection, whose place gets a 1, which has no effect.
	 */
	for (unsigned int width = 1; width <= 8; width *= 2) {
		for (unsigned int off = 0; off + width <= sizeof(want); off++) {
			uint8_t data[8] = { 0 };
			uint64_t v;
			bool selects = false;

			for (unsigned int i = 0; i < width; i++) {
				unsigned int at = off + i;

				data[i] = (uint8_t)(at < 2 ? 0xff : at == 5 ? 0 : at == 4 ? !want[4] : 0xa0 + at);
				selects |= at == 4;
			}
			memcpy(&v, data, 8);
			common_write(56 + off, width, v);
			if (selects) {
				want[4] = !want[4];
				gsi = 24 + 2 * want[4];
				memcpy(want + 6, &gsi, 4);
			}
			for (unsigned int i = 0; i + 2 <= sizeof(want); i += 8) {
				v = 0;
				memcpy(&v, want + i, sizeof(want) - i < 8 ? 2 : 8);
				assert_int_equal(common(56 + i, sizeof(want) - i < 8 ? 2 : 8), v);
			}
		}
	}
	/* Its upper byte alone: queue 0x101 or 0x100, which is none. */
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT + 1, 1, 1);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2), 0x100 | want[4]);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4), VHP_GSI_NONE);
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT + 1, 1, 0);
	assert_int_equal(guest_connection(&g), 1);
	/* Select through the other view; a queue that is not there has no GSI. */
	guest_write(&g, &g.v.peer, offsetof(struct vhost_pci_peer_block, peer_rx_queue_select), 2, 0);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4), 24);
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2, 7);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4), VHP_GSI_NONE);
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT, 2, 0);
}

/* "The driver MUST NOT write to peer_num_rx_queues, peer_rx_queue_gsi, peer_uuid_hi, or peer_uuid_lo" */
static void read_only_registers(void **state)
{
	struct vhp_mbox_port_stats before, after;

	(void)state;
	peer_stats(&p, &before);
	common_write(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2, 9);
	common_write(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4, 9);
	common_write(VHOST_PCI_COMMON_PEER_UUID_HI, 8, 9);
	common_write(VHOST_PCI_COMMON_PEER_UUID_LO, 8, 9);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2), 2);
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI, 4), 24);
	assert_true(common(VHOST_PCI_COMMON_PEER_UUID_HI, 8) == config.uuid_hi);
	assert_true(common(VHOST_PCI_COMMON_PEER_UUID_LO, 8) == config.uuid_lo);
	peer_stats(&p, &after);
	assert_true(after.ignored_writes >= before.ignored_writes + 4);
	assert_int_equal(guest_connection(&g), 1);
}

/* "The driver MUST NOT write a 1 to peer_connection": it has no effect. */
static void write_1_refused(void **state)
{
	(void)state;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 16), 0);
	common_write(VHOST_PCI_COMMON_PEER_CONNECTION, 2, 1);
	guest_write(&g, &g.v.peer, 0, 2, 1);
	assert_int_equal(guest_connection(&g), 0);
}

static void write_1_connected(void **state)
{
	(void)state;
	common_write(VHOST_PCI_COMMON_PEER_CONNECTION, 2, 1);
	common_write(VHOST_PCI_COMMON_PEER_CONNECTION, 2, 0x100);
	assert_int_equal(guest_connection(&g), 1);
	assert_false(host_event(&host, &(struct vhp_mbox_event){ 0 }));
}

/* "The device MUST present a 0 in queue_enable on reset", and in queue_size of a queue that is not there. */
static void queue_registers(void **state)
{
	(void)state;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 16), 0);
	guest_reset(&g);
	for (unsigned int q = 0; q < 6; q++) {
		common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		assert_int_equal(common(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		assert_true(common(VIRTIO_PCI_COMMON_Q_SIZE, 2) >= 16);
	}
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 6);
	assert_int_equal(common(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
}

/* ------------------------------------------------------------------------------------------------ connection */

static const struct vhost_pci_ctrl *header(unsigned int i)
{
	return (const struct vhost_pci_ctrl *)g.log[i].bytes;
}

static const void *payload(unsigned int i)
{
	return g.log[i].bytes + sizeof(struct vhost_pci_ctrl);
}

/* "PEER_FEATURE_BITS ... PEER_MEM_INFO ... PEER_VIRTQ_INFO", TX before RX, then peer_connection. */
static void connection_sequence(void **state)
{
	static const uint32_t order[] = { VHOST_PCI_CTRL_PEER_FEATURE_BITS, VHOST_PCI_CTRL_PEER_MEM_INFO,
					  VHOST_PCI_CTRL_PEER_VIRTQ_INFO, VHOST_PCI_CTRL_PEER_VIRTQ_INFO };
	struct vhp_mbox_port_status s;
	uint64_t bits;

	(void)state;
	assert_int_equal(g.nlog, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(header(i)->request, order[i]);
		assert_true(header(i)->vhost_pci_id == config.vhost_pci_id);
	}
	memcpy(&bits, payload(0), 8);
	assert_true(bits == (1ull << 15 | 1ull << 11 | 1ull << VHOST_PCI_PEER_F_LOG_ALL));
	assert_int_equal(g.log[0].len, 20);
	assert_int_equal(g.log[1].len, 29);
	assert_int_equal(*(const uint8_t *)payload(1), VHOST_PCI_MEM_INFO_NEED_MAP_N);
	for (unsigned int i = 2; i < 4; i++) {
		struct vhost_pci_ctrl_peer_virtq_info info;

		assert_int_equal(g.log[i].len, 12 + 5 + 2 * 40);
		memcpy(&info, payload(i), sizeof(info));
		assert_int_equal(info.tx_or_rx, i == 2 ? VHOST_PCI_PEER_VIRTQ_TX : VHOST_PCI_PEER_VIRTQ_RX);
		assert_int_equal(info.virtq_num, 2);
		for (unsigned int pair = 0; pair < 2; pair++) {
			struct vhp_mbox_peer_vring v = peer_vring(&p, 2 * pair + (i == 2));
			struct vhost_pci_virtq row;

			memcpy(&row, (const uint8_t *)payload(i) + 5 + 40 * pair, sizeof(row));
			assert_int_equal(row.num, v.num);
			assert_true(row.desc == v.desc && row.avail == v.avail && row.used == v.used);
			assert_int_equal(row.flags, VHOST_PCI_VIRTQ_F_ENABLED);
			assert_int_equal(row.gsi, v.gsi);
		}
	}
	peer_status(&p, &s);
	assert_int_equal(s.state, VHP_PORT_CONNECTED);
	assert_true(s.driver_accepted == bits);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(s.lanes[i].running, 1);
	/* Link up. */
	assert_int_equal(guest_read(&g, &g.v.device, 6, 2), 1);
}

/* "it MUST write a 1 to the peer_connection and notify the driver": MSI-X vector of the configuration, ISR bit 2. */
static void connection_notifies(void **state)
{
	(void)state;
	p.features |= 1ull << 26;
	connect();
	assert_true(guest_irqs(&g, 0) >= 1);
	assert_int_equal(guest_read(&g, &g.v.isr, 0, 1) & (VHOST_PCI_ISR_PEER | VHOST_PCI_ISR_CONFIG),
			 VHOST_PCI_ISR_PEER | VHOST_PCI_ISR_CONFIG);
	/* Reading acknowledged it. */
	assert_int_equal(guest_read(&g, &g.v.isr, 0, 1), 0);
}

/* Several rounds of the firmware's loop, in which it would look at whatever waits for it. */
static void let_it_work(void)
{
	struct vhp_mbox_port_status s;

	for (unsigned int i = 0; i < 20; i++)
		peer_status(&p, &s);
}

static void no_irqs(void)
{
	for (unsigned int v = 0; v < 1 + GUEST_QUEUES; v++)
		assert_int_equal(guest_irqs(&g, v), 0);
	for (unsigned int v = 0; v < PEER_VRINGS; v++)
		assert_int_equal(peer_calls(&p, v), 0);
	assert_int_equal(guest_read(&g, &g.v.isr, 0, 1), 0);
}

/* One packet to each side, and room for it, with doorbells; the peer's interrupts are taken. */
static void offer_packets(void)
{
	struct ring *rings[] = { &g.q[VHOST_PCI_VQ_RX(0)], &g.q[VHOST_PCI_VQ_TX(0)], &p.q[0], &p.q[1] };

	for (unsigned int i = 0; i < 4; i++) {
		struct mem *m = i < 2 ? &g.mem : &p.mem;
		bool write = i % 3 == 0 ? i == 0 : i == 2;
		struct seg s = { mem_alloc(m, 2048, 64), write ? 2048 : 112, write };

		assert_true(ring_add(rings[i], &s, 1, s.addr) >= 0);
	}
	for (unsigned int v = 0; v < PEER_VRINGS; v++)
		(void)peer_calls(&p, v);
	for (unsigned int q = 0; q < 4; q++)
		guest_kick(&g, q);
	peer_kick(&p, 0);
	peer_kick(&p, 1);
}

static bool packets_crossed(void *arg)
{
	(void)arg;
	return g.q[VHOST_PCI_VQ_RX(0)].used[1] == 1 && g.q[VHOST_PCI_VQ_TX(0)].used[1] == 1 && p.q[0].used[1] == 1 &&
		p.q[1].used[1] == 1;
}

static const struct __attribute__((packed)) mac_message {
	struct vhost_pci_ctrl h;
	struct vhost_pci_ctrl_mac m;
} mac_message = { { VHOST_PCI_CTRL_MAC, VHOST_PCI_ID }, { { 0x52, 0x54, 0x09, 0x0a, 0x0b, 0x0c } } };

static bool mac_is_set(void *arg)
{
	(void)arg;
	return guest_read(&g, &g.v.device, 0, 4) == 0x0a095452;
}

/*
 * "The device MUST NOT consume buffers or send any used buffer notifications to the driver before DRIVER_OK": the peer is there,
 * every queue has a buffer and a doorbell.
 */
static void nothing_before_driver_ok(void **state)
{
	struct vhp_mbox_port_status s;

	(void)state;
	assert_int_equal(peer_start(&p, 1), 0);
	assert_int_equal(guest_prepare(&g, ALL_FEATURES, 64), 0);
	guest_post_ctrl(&g);
	guest_send_ctrl(&g, &mac_message, sizeof(mac_message));
	offer_packets();
	let_it_work();
	peer_status(&p, &s);
	assert_int_equal(s.state, VHP_PORT_WAIT_DRIVER);
	for (unsigned int q = 0; q < g.num_queues; q++)
		assert_int_equal(g.q[q].used[1], 0);
	assert_int_equal(p.q[0].used[1], 0);
	assert_int_equal(p.q[1].used[1], 0);
	assert_false(mac_is_set(NULL));
	no_irqs();
	/* And with it everything, without another doorbell. */
	guest_driver_ok(&g);
	assert_true(guest_wait_connection(&g, 1));
	assert_true(wait_for(mac_is_set, NULL));
	assert_true(wait_for(packets_crossed, NULL));
}

/* The driver may come before the peer, as in most cases here, or after it. */
static void peer_first(void **state)
{
	(void)state;
	assert_int_equal(peer_start(&p, 1), 0);
	assert_int_equal(guest_connection(&g), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_true(guest_wait_connection(&g, 1));
	assert_int_equal(common(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2), 1);
}

/* "If the driver only accepts a subset ..., the device needs to re-negotiate the subset with the peer device" */
static void subset_renegotiated(void **state)
{
	struct vhp_mbox_port_status s;

	(void)state;
	g.refuse = 1ull << 11;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_pump(&g) || guest_wait_connection(&g, 0));
	for (unsigned int i = 0; i < 1000 && g.nlog == 0; i++)
		(void)guest_wait_connection(&g, 0);
	assert_true(host_wait_event(&host, VHP_EVENT_FEATURES, 0, NULL));
	peer_status(&p, &s);
	assert_int_equal(s.state, VHP_PORT_FEATURES);
	assert_true(s.driver_accepted == 1ull << 15);
	assert_int_equal(guest_connection(&g), 0);
	assert_int_equal(peer_stop(&p, 0), 0);
	p.features &= ~(1ull << 11);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_wait_connection(&g, 1));
}

/* "When the device notifies that the driver requests to write a 0 ...": first the peer, then 0 and an interrupt. */
static void disconnect_by_driver(void **state)
{
	(void)state;
	(void)guest_read(&g, &g.v.isr, 0, 1);
	(void)guest_irqs(&g, 0);
	common_write(VHOST_PCI_COMMON_PEER_CONNECTION, 2, 0);
	assert_true(host_wait_event(&host, VHP_EVENT_CLOSE_REQUEST, 0, NULL));
	assert_int_equal(guest_connection(&g), 1);
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_int_equal(guest_connection(&g), 0);
	assert_true(guest_irqs(&g, 0) >= 1);
	assert_true(guest_read(&g, &g.v.isr, 0, 1) & VHOST_PCI_ISR_PEER);
	assert_int_equal(guest_read(&g, &g.v.device, 6, 2), 0);
	/* The peer is back at once; the driver that left is not taken again before its reset. */
	assert_int_equal(peer_start(&p, 1), 0);
	assert_int_equal(guest_connection(&g), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_true(guest_wait_connection(&g, 1));
}

/* "The driver MUST NOT unload until it reads a 0": with a silent host the time limit makes it read 0. */
static void disconnect_by_driver_silent_host(void **state)
{
	struct vhp_mbox_port_config c = config;

	(void)state;
	c.connect_timeout_ms = TIMEOUT_MS;
	assert_int_equal(peer_config(&p, &c), 0);
	connect();
	guest_write(&g, &g.v.peer, 0, 2, 0);
	assert_true(guest_wait_connection(&g, 0));
	assert_true(host_wait_event(&host, VHP_EVENT_DISCONNECTED, 0, NULL));
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_int_equal(peer_config(&p, &config), 0);
}

static void disconnect_by_peer(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		(void)guest_read(&g, &g.v.isr, 0, 1);
		assert_int_equal(peer_stop(&p, i ? VHP_STOP_GRACEFUL : 0), 0);
		assert_int_equal(guest_connection(&g), 0);
		assert_true(guest_read(&g, &g.v.isr, 0, 1) & VHOST_PCI_ISR_PEER);
		assert_int_equal(common(VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES, 2), 0);
		assert_int_equal(guest_read(&g, &g.v.device, 6, 2), 0);
		/* The driver stays; the next front end gets it without a reset. */
		assert_int_equal(peer_start(&p, 2), 0);
		assert_true(guest_wait_connection(&g, 1));
	}
}

/* "After writing 0 to device_status, the driver MUST wait for a read of device_status to return 0" */
static void driver_reset(void **state)
{
	uint16_t used[GUEST_QUEUES], peer_used[PEER_VRINGS];

	(void)state;
	guest_reset(&g);
	assert_true(host_wait_event(&host, VHP_EVENT_DRIVER_RESET, 0, NULL));
	assert_int_equal(guest_connection(&g), 0);
	/* No notification follows, whatever the peer does, and what the driver had given is not touched. */
	for (unsigned int v = 0; v < 1 + GUEST_QUEUES; v++)
		(void)guest_irqs(&g, v);
	assert_int_equal(guest_read(&g, &g.v.isr, 0, 1), 0);
	for (unsigned int q = 0; q < g.num_queues; q++)
		used[q] = g.q[q].used[1];
	for (unsigned int v = 0; v < PEER_VRINGS; v++)
		peer_used[v] = p.q[v].used[1];
	offer_packets();
	let_it_work();
	for (unsigned int q = 0; q < g.num_queues; q++)
		assert_int_equal(g.q[q].used[1], used[q]);
	for (unsigned int v = 0; v < PEER_VRINGS; v++)
		assert_int_equal(p.q[v].used[1], peer_used[v]);
	no_irqs();
	assert_int_equal(guest_status(&g), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_true(guest_wait_connection(&g, 1));
}

static void function_level_reset(void **state)
{
	(void)state;
	assert_int_equal(vhp_dev_reset(g.dev), 0);
	assert_true(host_wait_event(&host, VHP_EVENT_DISCONNECTED, 0, NULL));
	assert_int_equal(guest_status(&g), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_true(guest_wait_connection(&g, 1));
}

/* The firmware alone does it several hundred times in fw-unit. */
#define RECONNECTS 6u

static void reconnects(void **state)
{
	struct vhp_mbox_port_stats before, after;

	(void)state;
	peer_stats(&p, &before);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	for (unsigned int i = 0; i < RECONNECTS; i++) {
		if (i % 3 == 2)
			assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
		assert_int_equal(peer_start(&p, 1 + i % 2), 0);
		assert_true(guest_wait_connection(&g, 1));
		assert_int_equal(peer_stop(&p, 0), 0);
		assert_int_equal(guest_connection(&g), 0);
	}
	peer_stats(&p, &after);
	assert_int_equal(after.connects - before.connects, RECONNECTS);
	assert_int_equal(after.disconnects - before.disconnects, RECONNECTS);
	assert_int_equal(after.ctrl_errors, before.ctrl_errors);
}

/* With VIRTIO_F_EVENT_IDX the control queues work as well. */
static void event_idx(void **state)
{
	(void)state;
	assert_int_equal(guest_init(&g, ~0ull, 64), 0);
	assert_true(g.features >> VHP_F_RING_EVENT_IDX & 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(peer_start(&p, 1), 0);
		assert_true(guest_wait_connection(&g, 1));
		assert_int_equal(peer_stop(&p, 0), 0);
	}
}

/* A driver that does not answer: DEVICE_NEEDS_RESET after the time limit, and its reset mends it. */
static void unresponsive_driver(void **state)
{
	struct vhp_mbox_port_config c = config;
	struct vhp_mbox_event e;

	(void)state;
	c.connect_timeout_ms = TIMEOUT_MS;
	assert_int_equal(peer_config(&p, &c), 0);
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	g.silent = true;
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(host_wait_event(&host, VHP_EVENT_ERROR, 0, &e));
	assert_int_equal(e.arg, VHP_PERR_TIMEOUT);
	assert_true(guest_status(&g) & 0x40);
	g.silent = false;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	assert_true(guest_wait_connection(&g, 1));
	assert_int_equal(peer_stop(&p, 0), 0);
	assert_int_equal(peer_config(&p, &config), 0);
}

/* "if VHOST_PCI_NET_F_CTRL_MAC_ADDR is negotiated, the driver sends a message ... to set the MAC address" */
static void set_mac(void **state)
{
	uint64_t generation;

	(void)state;
	assert_int_equal(guest_init(&g, ALL_FEATURES, 64), 0);
	generation = common(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	guest_send_ctrl(&g, &mac_message, sizeof(mac_message));
	assert_true(wait_for(mac_is_set, NULL));
	assert_int_equal(guest_read(&g, &g.v.device, 4, 2), 0x0c0b);
	assert_true(common(VIRTIO_PCI_COMMON_CFGGENERATION, 1) != generation);
	guest_reset(&g);
	assert_int_equal(guest_read(&g, &g.v.device, 0, 4), 0x01005452);
}

static int open_all(void **state)
{
	(void)state;
	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	peer_open(&p, &host, 0, PEER_FEATURES, 128);
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
/* The name of a case is what docs/conformance.md refers to. */
#define CASE(f) { #f, f, setup, NULL, NULL }
#define CONNECTED(f) { #f, f, connected, NULL, NULL }
	const struct CMUnitTest tests[] = {
		CASE(device_id_and_class),
		CASE(device_feature_bits),
		CASE(pv_interrupt_only_by_management),
		CASE(version_1_required),
		CASE(config_layout),
		CASE(queue_registers),
		CASE(write_1_refused),
		CASE(set_mac),
		CASE(connection_notifies),
		CONNECTED(connection_sequence),
		CONNECTED(peer_registers_any_access),
		CONNECTED(read_only_registers),
		CONNECTED(write_1_connected),
		CONNECTED(disconnect_by_peer),
		CONNECTED(function_level_reset),
		CONNECTED(driver_reset),
		CONNECTED(disconnect_by_driver),
		CASE(nothing_before_driver_ok),
		CASE(peer_first),
		CASE(subset_renegotiated),
		CASE(disconnect_by_driver_silent_host),
		CASE(reconnects),
		CASE(event_idx),
		CASE(unresponsive_driver),
	};

	return sim_run_tests(&sim, NULL, "conformance", tests, sizeof(tests) / sizeof(tests[0]), open_all, close_all,
			     argc > 1 ? argv[1] : NULL);
}
