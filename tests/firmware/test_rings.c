/* SPDX-License-Identifier: Apache-2.0 */
/* Control virtqueues: every shape that is allowed, and every one that is not. */
#include <string.h>

#include "cmocka_suites.h"
#include "ends.h"
#include "hw.h"
#include "suites.h"

static struct drv d;

enum {
	RX,
	TX
};
enum {
	F_NEXT = 1,
	F_WRITE = 2,
	F_INDIRECT = 4
};

#define BUF (SIM_MEM_BASE + 0x40000)
#define TABLE (SIM_MEM_BASE + 0x50000)

static int setup_with(uint64_t features)
{
	ends_setup(NULL);
	drv_start(&d, 0, features);
	sim_run(&card);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(DRV_ALL);
}

static uint16_t *avail_of(unsigned int q)
{
	return sim_mem(d.fn, d.q[q].avail);
}

static uint16_t *used_of(unsigned int q)
{
	return sim_mem(d.fn, d.q[q].used);
}

/* The port stopped for this reason, told host and driver, and comes back after a reset; the other port did not notice. */
static void stopped(enum vhp_port_error why)
{
	sim_run(&card);
	assert_int_equal(card.port[0].state, card.port[0].started ? VHP_PORT_FAILED : VHP_PORT_DOWN);
	assert_int_equal(card.port[0].last_error, why);
	assert_int_equal(soc.acts[0][ACT_NEEDS_RESET], 1);
	assert_int_equal(sim_event(), VHP_EVENT_ERROR | why << 16);
	assert_int_equal(sim_event(), 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(status)) & 0x40, 0x40);
	assert_int_equal(soc.acts[1][ACT_NEEDS_RESET], 0);
	/* Nothing of this driver is touched any more. */
	unsigned int ops = soc.dma_ops;

	drv_kick(&d, RX);
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(soc.dma_ops, ops);
	soc.dma_error = 0;
	drv_reset(&d, &card);
	drv_start(&d, 0, DRV_ALL);
	drv_post(&d, 8, 256);
	if (!card.port[0].started)
		host_start(&card, 0, HOST_FEATURES, 1);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
}

/* A CTRL_MAC message cut into the given pieces, chained, at @p table. */
static void mac_chain(struct vring_desc *table, const unsigned int *pieces, unsigned int n)
{
	uint8_t msg[18] = { 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7, 7, 7, 7 };
	unsigned int at = 0;

	memcpy(sim_mem(d.fn, BUF), msg, sizeof(msg));
	for (unsigned int i = 0; i < n; i++) {
		table[i] = (struct vring_desc){
			.addr = BUF + at, .len = pieces[i], .flags = i + 1 < n ? F_NEXT : 0, .next = (uint16_t)(i + 1)
		};
		at += pieces[i];
	}
}

static void expect_mac(void)
{
	sim_run(&card);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_lo)), 0x07070702);
	assert_int_equal(sim_fn_get(0, FN_OFF(mac_hi)), 0x0707);
	assert_int_equal(used_of(TX)[1], 1);
	assert_int_equal(card.port[0].last_error, VHP_PERR_NONE);
}

static void chain_shapes(void **state)
{
	static const unsigned int whole[] = { 18 }, bytes[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3 },
				  odd[] = { 5, 13 };

	(void)state;
	mac_chain(drv_desc(&d, TX, 0), whole, 1);
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
	expect_mac();
	setup(NULL);
	mac_chain(drv_desc(&d, TX, 0), bytes, 16);
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
	expect_mac();
	/* Indirect. */
	setup(NULL);
	mac_chain(sim_mem(d.fn, TABLE), odd, 2);
	*drv_desc(&d, TX, 9) = (struct vring_desc){ .addr = TABLE, .len = 32, .flags = F_INDIRECT };
	drv_publish(&d, TX, 9);
	drv_kick(&d, TX);
	expect_mac();
	/* A message to the driver, over several buffers of an indirect table. */
	setup(NULL);
	struct vring_desc *t = sim_mem(d.fn, TABLE);

	for (unsigned int i = 0; i < 4; i++)
		t[i] = (struct vring_desc){ .addr = BUF + 0x100 * i,
					    .len = 7,
					    .flags = F_WRITE | (i < 3 ? F_NEXT : 0),
					    .next = (uint16_t)(i + 1) };
	*drv_desc(&d, RX, 3) = (struct vring_desc){ .addr = TABLE, .len = 64, .flags = F_INDIRECT };
	drv_publish(&d, RX, 3);
	host_start(&card, 0, HOST_FEATURES, 1);
	assert_int_equal(used_of(RX)[1], 1);
	assert_int_equal(used_of(RX)[2], 3);
	assert_int_equal(used_of(RX)[4], 20);
	/* Bytes 7..13 stand in the second buffer: 13 is the second byte of the feature bits. */
	assert_int_equal(*(uint8_t *)sim_mem(d.fn, BUF + 0x105), 0);
	assert_int_equal(*(uint8_t *)sim_mem(d.fn, BUF + 0x106), 0x88);
}

static void interrupt_flags(void **state)
{
	const uint64_t plain = DRV_ALL & ~(1ull << VHP_F_RING_EVENT_IDX);
	static const unsigned int whole[] = { 18 };

	(void)state;
	/* NO_INTERRUPT. */
	setup_with(plain);
	mac_chain(drv_desc(&d, TX, 0), whole, 1);
	avail_of(TX)[0] = 1;
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
	expect_mac();
	assert_int_equal(soc.msix[1][2], 0);
	avail_of(TX)[0] = 0;
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(soc.msix[1][2], 1);
	/* EVENT_IDX: an interrupt exactly when used_event is passed; avail_event asks for the next kick. */
	setup(NULL);
	mac_chain(drv_desc(&d, TX, 0), whole, 1);
	avail_of(TX)[2 + DRV_QSIZE] = 1;
	for (unsigned int i = 0; i < 3; i++) {
		drv_publish(&d, TX, 0);
		drv_kick(&d, TX);
		sim_run(&card);
		assert_int_equal(soc.msix[1][2], i >= 1);
		assert_int_equal(used_of(TX)[2 + 4 * DRV_QSIZE], i + 1);
	}
	/* Without MSI-X vector: ISR. */
	sim_fn_event(0, VHP_FN__EVENTS__RESET_bm);
	sim_run(&card);
	drv_start(&d, 0, plain);
	sim_fn_set(0, FN_OFF(queue[1].cfg), DRV_QSIZE | 0xffff0000u);
	mac_chain(drv_desc(&d, TX, 0), whole, 1);
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(soc.acts[0][ACT_QUEUE_ISR], 1);
}

/* The ring wraps many times, entries and indices. */
static void long_run(void **state)
{
	static const unsigned int whole[] = { 18 };

	(void)state;
	mac_chain(drv_desc(&d, TX, 0), whole, 1);
	for (unsigned int i = 0; i < 70000; i++) {
		drv_publish(&d, TX, 0);
		if (i % 13 == 0) {
			drv_kick(&d, TX);
			sim_run(&card);
		}
	}
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(used_of(TX)[1], (uint16_t)70000);
	assert_int_equal(card.port[0].ctrl_received, 70000);
	assert_int_equal(card.port[0].last_error, VHP_PERR_NONE);
}

static void publish_tx(struct vring_desc desc)
{
	*drv_desc(&d, TX, 0) = desc;
	drv_publish(&d, TX, 0);
	drv_kick(&d, TX);
}

static void malformed_transmit(void **state)
{
	static const struct {
		struct vring_desc desc;
		enum vhp_port_error why;
	} cases[] = {
		{ { .addr = BUF, .len = 0 }, VHP_PERR_CTRL_RING },
		{ { .addr = ~0ull, .len = 2 }, VHP_PERR_CTRL_RING },
		{ { .addr = BUF, .len = 18, .flags = F_WRITE }, VHP_PERR_CTRL_RING },
		{ { .addr = BUF, .len = 18, .flags = F_NEXT, .next = DRV_QSIZE }, VHP_PERR_CTRL_RING },
		{ { .addr = BUF, .len = 18, .flags = F_NEXT, .next = 0xffff }, VHP_PERR_CTRL_RING },
		{ { .addr = BUF, .len = 1, .flags = F_NEXT, .next = 0 }, VHP_PERR_CTRL_RING }, /* loop */
		{ { .addr = BUF, .len = 513 }, VHP_PERR_CTRL_MESSAGE },
		{ { .addr = BUF, .len = 0xffffffff }, VHP_PERR_CTRL_MESSAGE },
		{ { .addr = BUF, .len = 11 }, VHP_PERR_CTRL_MESSAGE },
		{ { .addr = SIM_MEM_BASE - 16, .len = 18 }, VHP_PERR_DMA },
		{ { .addr = SIM_MEM_BASE + SIM_MEM_SIZE - 17, .len = 18 }, VHP_PERR_DMA },
		{ { .addr = TABLE, .len = 0, .flags = F_INDIRECT }, VHP_PERR_CTRL_RING },
		{ { .addr = TABLE, .len = 17, .flags = F_INDIRECT }, VHP_PERR_CTRL_RING },
		{ { .addr = TABLE, .len = 16, .flags = F_INDIRECT | F_NEXT }, VHP_PERR_CTRL_RING },
		{ { .addr = 0, .len = 16, .flags = F_INDIRECT }, VHP_PERR_DMA },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(NULL);
		/* A valid message in the buffer, so that only the ring is wrong; a nested indirect in the table. */
		publish_tx(cases[i].desc);
		stopped(cases[i].why);
	}
	/* Indirect inside indirect. */
	setup(NULL);
	*(struct vring_desc *)sim_mem(d.fn, TABLE) =
		(struct vring_desc){ .addr = TABLE, .len = 16, .flags = F_INDIRECT };
	publish_tx((struct vring_desc){ .addr = TABLE, .len = 16, .flags = F_INDIRECT });
	stopped(VHP_PERR_CTRL_RING);
	/* Indirect that was not negotiated. */
	setup_with(DRV_ALL & ~(1ull << VHP_F_RING_INDIRECT_DESC));
	publish_tx((struct vring_desc){ .addr = TABLE, .len = 16, .flags = F_INDIRECT });
	stopped(VHP_PERR_CTRL_RING);
	/* A loop inside an indirect table that is longer than the queue. */
	setup(NULL);
	struct vring_desc *t = sim_mem(d.fn, TABLE);

	for (unsigned int k = 0; k < 64; k++)
		t[k] = (struct vring_desc){ .addr = BUF, .len = 1, .flags = F_NEXT, .next = (uint16_t)((k + 1) % 64) };
	publish_tx((struct vring_desc){ .addr = TABLE, .len = 1024, .flags = F_INDIRECT });
	stopped(VHP_PERR_CTRL_RING);
}

static void malformed_avail(void **state)
{
	(void)state;
	/* Head out of range. */
	drv_publish(&d, TX, DRV_QSIZE);
	drv_kick(&d, TX);
	stopped(VHP_PERR_CTRL_RING);
	/* More entries than the queue has. */
	setup(NULL);
	avail_of(TX)[1] = DRV_QSIZE + 1;
	drv_kick(&d, TX);
	stopped(VHP_PERR_CTRL_RING);
	setup(NULL);
	avail_of(TX)[1] = 0xffff;
	drv_kick(&d, TX);
	stopped(VHP_PERR_CTRL_RING);
	/* Backwards, with a message of ours waiting. */
	setup(NULL);
	host_start(&card, 0, HOST_FEATURES, 1);
	avail_of(RX)[1] = 0x8000;
	drv_kick(&d, RX);
	stopped(VHP_PERR_CTRL_RING);
	/* The completion cannot be delivered. */
	setup(NULL);
	soc.dma_error = 7;
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(card.port[0].last_error, VHP_PERR_DMA);
	soc.dma_error = 0;
	stopped(VHP_PERR_DMA);
}

static void malformed_receive(void **state)
{
	(void)state;
	/* Read-only buffer. */
	*drv_desc(&d, RX, 0) = (struct vring_desc){ .addr = BUF, .len = 256 };
	drv_publish(&d, RX, 0);
	host_start(&card, 0, HOST_FEATURES, 1);
	stopped(VHP_PERR_CTRL_RING);
	/* Too small. */
	setup(NULL);
	*drv_desc(&d, RX, 0) = (struct vring_desc){ .addr = BUF, .len = 19, .flags = F_WRITE };
	drv_publish(&d, RX, 0);
	host_start(&card, 0, HOST_FEATURES, 1);
	stopped(VHP_PERR_CTRL_BUFFER);
	/* Unreachable. */
	setup(NULL);
	*drv_desc(&d, RX, 0) = (struct vring_desc){ .addr = 0x10, .len = 256, .flags = F_WRITE };
	drv_publish(&d, RX, 0);
	host_start(&card, 0, HOST_FEATURES, 1);
	stopped(VHP_PERR_DMA);
	/* Large enough only for the first messages: the connection never comes up half. */
	setup(NULL);
	drv_post(&d, 8, 40);
	host_start(&card, 0, HOST_FEATURES, 1);
	drv_answer(&d, &card, 0);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	stopped(VHP_PERR_CTRL_BUFFER);
}

static void malformed_queues(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} cases[] = {
		{ FN_OFF(queue[0].enable), 0 },	 { FN_OFF(queue[1].enable), 0 },   { FN_OFF(queue[0].cfg), 0 },
		{ FN_OFF(queue[0].cfg), 100 },	 { FN_OFF(queue[0].cfg), 512 },	   { FN_OFF(queue[0].cfg), 0xffff },
		{ FN_OFF(queue[1].desc_lo), 8 }, { FN_OFF(queue[1].avail_lo), 1 }, { FN_OFF(queue[1].used_lo), 2 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sim_reset();
		memset(&card, 0, sizeof(card));
		card_init(&card);
		drv_start(&d, 0, DRV_ALL);
		sim_fn_set(0, cases[i].offset, cases[i].value);
		stopped(VHP_PERR_CTRL_RING);
	}
	/* A table that wraps around the address space. */
	sim_reset();
	memset(&card, 0, sizeof(card));
	card_init(&card);
	drv_start(&d, 0, DRV_ALL);
	sim_fn_set(0, FN_OFF(queue[0].desc_lo), 0xfffffff0u);
	sim_fn_set(0, FN_OFF(queue[0].desc_hi), 0xffffffffu);
	stopped(VHP_PERR_CTRL_RING);
}

static void malformed_messages(void **state)
{
	static const struct {
		uint32_t request, len;
		uint64_t id;
	} cases[] = {
		{ VHOST_PCI_CTRL_PEER_FEATURE_BITS, 19, 0 },
		{ VHOST_PCI_CTRL_PEER_FEATURE_BITS, 21, 0 },
		{ VHOST_PCI_CTRL_PEER_FEATURE_BITS, 20, 1 },
		{ VHOST_PCI_CTRL_PEER_MEM_INFO, 20, 0 },
		{ VHOST_PCI_CTRL_PEER_MEM_INFO, 29, 0 }, /* not asked for */
		{ VHOST_PCI_CTRL_PEER_VIRTQ_INFO, 17, 0 },
		{ VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING, 13, 0 },
		{ VHOST_PCI_CTRL_MAC, 17, 0 },
		{ VHOST_PCI_CTRL_MAC, 19, 0 },
		{ VHOST_PCI_CTRL_MAC, 18, 0 },
		/* all zero */ { 4, 12, 0 },
		{ 0xffffffff, 512, 0 },
		{ 0, 12, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhost_pci_ctrl h = { .request = cases[i].request, .vhost_pci_id = cases[i].id };
		uint8_t msg[512] = { 0 };

		setup(NULL);
		drv_post(&d, 4, 256);
		host_start(&card, 0, HOST_FEATURES, 1);
		memcpy(msg, &h, sizeof(h));
		drv_send(&d, msg, cases[i].len);
		stopped(VHP_PERR_CTRL_MESSAGE);
	}
	/* need_map Y as an answer to N. */
	uint8_t msg[512];

	setup(NULL);
	drv_post(&d, 4, 256);
	host_start(&card, 0, HOST_FEATURES, 1);
	drv_send(&d, msg, drv_take(&d, msg, sizeof(msg)));
	sim_run(&card);
	assert_int_equal(drv_take(&d, msg, sizeof(msg)), 29);
	msg[12] = 1;
	drv_send(&d, msg, 29);
	stopped(VHP_PERR_CTRL_MESSAGE);
}

/* While connected, a fault takes the lanes down first. */
static void fault_while_connected(void **state)
{
	(void)state;
	drv_post(&d, 8, 256);
	host_start(&card, 0, HOST_FEATURES, 2);
	drv_answer(&d, &card, 0);
	assert_int_equal(card.port[0].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_event(), VHP_EVENT_CONNECTED);
	soc.drain_polls[1] = 9;
	drv_publish(&d, TX, 0xffff);
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(sim_event(), VHP_EVENT_ERROR | VHP_PERR_CTRL_RING << 16);
	assert_int_equal(sim_event(), VHP_EVENT_DISCONNECTED);
	assert_int_equal(card.port[0].state, VHP_PORT_FAILED);
	assert_int_equal(sim_fn_get(0, FN_OFF(peer_connection)), 0);
	for (unsigned int l = 0; l < SIM_LANES; l++)
		assert_false(sim_lane_enabled(l));
}

static void dma_port_dead(void **state)
{
	(void)state;
	soc.dma_stuck = true;
	soc.time_step = 1000;
	drv_kick(&d, TX);
	sim_run(&card);
	assert_int_equal(card.port[0].last_error, VHP_PERR_DMA);
	/* The host still gets its answers. */
	assert_int_equal(host_call(&card, VHP_OP_CARD_INFO, 0, NULL, 0), VHP_ST_OK);
}

static void driver_gives_up(void **state)
{
	(void)state;
	sim_fn_set(0, FN_OFF(status), 0x8f);
	sim_fn_event(0, VHP_FN__EVENTS__STATUS_bm);
	stopped(VHP_PERR_DRIVER);
}

/* Rings and buffers full of noise; whatever happens, the sanitizers, sim_soc's rules and a reset decide. */
static void noise(void **state)
{
	(void)state;
	srand(815);
	for (int round = 0; round < 3000; round++) {
		uint16_t *words[2] = { (uint16_t *)drv_desc(&d, RX, 0), (uint16_t *)drv_desc(&d, TX, 0) };

		for (unsigned int q = 0; q < 2; q++) {
			for (unsigned int i = 0; i < DRV_QSIZE; i++) {
				struct vring_desc *desc = drv_desc(&d, q, i);

				desc->addr = rand() % 8 ? BUF + (uint64_t)(rand() % 0x1000) : (uint64_t)rand() << 20;
				desc->len = rand() % 8 ? (uint32_t)rand() % 32 + 1 : (uint32_t)rand();
				desc->flags = (uint16_t)(rand() % 16 ? (q == RX ? F_WRITE : 0) | (rand() & 1) : rand());
				desc->next = (uint16_t)(rand() % (DRV_QSIZE + 1));
			}
			if (rand() % 4 == 0)
				words[q][rand() % 128] = (uint16_t)rand();
		}
		uint8_t *buf = sim_mem(d.fn, BUF);

		for (unsigned int i = 0; i < 0x1000; i += 64) {
			memset(buf + i, 0, 64);
			buf[i] = (uint8_t)(rand() % 5);
			buf[i + 2] = rand() % 4 == 0;
			buf[i + 12] = (uint8_t)rand();
		}
		if (card.port[0].state == VHP_PORT_DOWN)
			host_start(&card, 0, HOST_FEATURES, 1);
		for (unsigned int k = 0; k < 4; k++) {
			drv_publish(&d, rand() & 1, (uint16_t)(rand() % (DRV_QSIZE + 1)));
			drv_kick(&d, rand() & 1);
			sim_run(&card);
		}
		if (rand() % 16 == 0)
			sim_fn_event(0, (uint32_t)rand() & 0x3f);
		if (rand() % 16 == 0)
			sim_flr((unsigned int)rand() % 3);
		sim_run(&card);
		if (card.port[0].broken || rand() % 32 == 0) {
			drv_reset(&d, &card);
			drv_start(&d, 0, DRV_ALL);
			sim_run(&card);
		}
		while (sim_event() != 0)
			;
	}
}

void run_ring_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(chain_shapes, setup),
		cmocka_unit_test_setup(interrupt_flags, setup),
		cmocka_unit_test_setup(long_run, setup),
		cmocka_unit_test_setup(malformed_transmit, setup),
		cmocka_unit_test_setup(malformed_avail, setup),
		cmocka_unit_test_setup(malformed_receive, setup),
		cmocka_unit_test_setup(malformed_queues, setup),
		cmocka_unit_test_setup(malformed_messages, setup),
		cmocka_unit_test_setup(fault_while_connected, setup),
		cmocka_unit_test_setup(dma_port_dead, setup),
		cmocka_unit_test_setup(driver_gives_up, setup),
		cmocka_unit_test_setup(noise, setup),
	};

	RUN_SUITE("rings", tests);
}
