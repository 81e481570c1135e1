/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver copy against a peer played by the test, whose memory stands in an aperture of which every access is checked: inside
 * one region of PEER_MEM_INFO, or the test fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_malloc.h>

#include <cmocka.h>

#include "../vpnet_mirror.h"
#include "unit.h"
#include "vhp_access_impl.h"
#include "vhp_fn_bar_regs.h"

#define SIZE 64u /* of the peer's rings */
#define BAR 2u
#define BAR_SIZE 0x200000u

RTE_LOG_REGISTER(vpnet_logtype, pmd.net.vhost_pci, NOTICE);

static unsigned int seed = 1;

static unsigned int rnd(unsigned int below)
{
	return (unsigned int)rand_r(&seed) % below;
}

/* ---------------------------------------------------------------------------------------------------- the aperture */

static const struct vhost_pci_mem_region regions[] = {
	{ 0x0, 0x8010, 0x10000 }, /* its end is in the middle of a line */
	{ 0x100000, 0x100000, 0x40000 },
	{ 0xfffffffffffff000, 0x1000, 0x20000 }, /* up to the last byte there is */
};

static uint8_t bar[BAR_SIZE];
static unsigned int reads, writes, irqs;
static uint32_t irq_value;
static uint64_t irq_offset;
static bool closed;			 /* the aperture answers all ones */
static void (*after_write)(uint64_t at); /* the peer acts at the worst moment */

static void check(uint64_t at, size_t len)
{
	for (unsigned int i = 0; i < RTE_DIM(regions); i++)
		if (at >= regions[i].bar_offset && at - regions[i].bar_offset < regions[i].size &&
		    len <= regions[i].size - (at - regions[i].bar_offset))
			return;
	fail_msg("access outside the regions: 0x%jx + %zu", (uintmax_t)at, len);
}

static int window_read(struct vhp_dev *dev, unsigned int number, uint64_t at, void *to, size_t len, uint64_t end)
{
	(void)dev;
	assert_int_equal(number, BAR);
	while (len > 0) {
		struct vhp_window_step s = vhp_window_read_step(at, len, VHP_WINDOW_LINE, end);

		check(at - s.skip, s.touch);
		if (closed)
			memset(to, 0xff, s.take);
		else
			memcpy(to, bar + at, s.take);
		reads++;
		at += s.take;
		to = (uint8_t *)to + s.take;
		len -= s.take;
	}
	return 0;
}

static int window_write(struct vhp_dev *dev, unsigned int number, uint64_t at, const void *from, size_t len)
{
	(void)dev;
	if (number == 0) {
		irqs++;
		irq_offset = at;
		irq_value = 0;
		memcpy(&irq_value, from, len);
		return 0;
	}
	assert_int_equal(number, BAR);
	check(at, len);
	writes++;
	if (!closed)
		memcpy(bar + at, from, len);
	if (after_write != NULL)
		after_write(at);
	return 0;
}

static uint64_t bar_size(struct vhp_dev *dev, unsigned int number)
{
	(void)dev;
	return number == BAR ? BAR_SIZE : number == 0 ? 0x40000 : 0;
}

static void *address;

static void *bar_address(struct vhp_dev *dev, unsigned int number)
{
	(void)dev, (void)number;
	return address;
}

static void doorbell(struct vhp_dev *dev, unsigned int number, uint64_t offset, uint16_t value)
{
	(void)dev, (void)number, (void)offset, (void)value;
}

static const struct vhp_dev_ops ops = {
	.doorbell = doorbell,
	.window_read = window_read,
	.window_write = window_write,
	.bar_size = bar_size,
	.bar_address = bar_address,
};
static struct vhp_dev device = { .ops = &ops };

/* ---------------------------------------------------------------------------------------------------- the peer */

/* Guest-physical to the memory behind the BAR. */
static void *mem(uint64_t gpa)
{
	for (unsigned int i = 0; i < RTE_DIM(regions); i++)
		if (gpa >= regions[i].gpa && gpa - regions[i].gpa < regions[i].size)
			return bar + regions[i].bar_offset + (gpa - regions[i].gpa);
	fail_msg("test: 0x%jx is no guest address", (uintmax_t)gpa);
	return NULL;
}

/* The peer driver's end of a ring; buffers are taken from a heap in region 1 that goes round. */
struct peer_ring {
	uint64_t base;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	bool event_idx, indirect;
	uint16_t next_desc, avail_idx, used_idx;
	uint64_t heap;
	struct {
		uint64_t at[8];
		uint32_t len[8];
		unsigned int n;
	} chain[SIZE]; /* by avail position */
	uint16_t head[SIZE];
};

static struct peer_ring tx, rx; /* the peer's names: what it transmits and receives with */

#define AVAIL_AT (SIZE * 16u)
#define USED_AT 0x800u
#define HEAP_SIZE 0x40000u

static void ring_init(struct peer_ring *r, uint64_t base, uint64_t heap, uint16_t start, bool event_idx, bool indirect)
{
	memset(r, 0, sizeof(*r));
	memset(mem(base), 0, 0x1000);
	r->base = base;
	r->desc = mem(base);
	r->avail = mem(base + AVAIL_AT);
	r->used = mem(base + USED_AT);
	r->event_idx = event_idx;
	r->indirect = indirect;
	r->avail_idx = r->used_idx = r->avail->idx = r->used->idx = start;
	r->heap = heap;
}

static uint16_t *used_event(struct peer_ring *r)
{
	return &r->avail->ring[SIZE];
}

static uint16_t *avail_event(struct peer_ring *r)
{
	return (uint16_t *)(void *)&r->used->ring[SIZE];
}

static uint64_t heap_take(struct peer_ring *r, uint32_t len)
{
	uint64_t low = r == &tx ? 0x120000 : 0x160000;

	if (r->heap + len > low + HEAP_SIZE)
		r->heap = low;
	r->heap += len;
	return r->heap - len;
}

/* Publish a chain of @p n pieces that hold @p bytes together. */
static void publish(struct peer_ring *r, uint32_t bytes, unsigned int n, bool write)
{
	unsigned int slot = r->avail_idx % SIZE;
	struct vring_desc *table = r->desc;
	bool indirect = r->indirect && rnd(2) == 0;
	uint16_t head = r->next_desc, id = head;
	uint64_t at = 0;

	n = RTE_MIN(n, bytes);
	r->chain[slot].n = n;
	if (indirect) {
		at = heap_take(r, 16 * n + 15);
		if (rnd(3) > 0)
			at = RTE_ALIGN_CEIL(at, 16);
		table = mem(at);
		id = 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		uint32_t len = i + 1 == n ? bytes : 1 + rnd(bytes - (n - 1 - i));
		struct vring_desc d = { 0 };

		d.addr = heap_take(r, len);
		d.len = len;
		d.flags = (write ? VRING_DESC_F_WRITE : 0) | (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		d.next = indirect ? (uint16_t)(i + 1) : (uint16_t)((id + 1) % SIZE);
		memcpy(&table[id], &d, sizeof(d));
		r->chain[slot].at[i] = d.addr;
		r->chain[slot].len[i] = len;
		id = d.next;
		bytes -= len;
	}
	if (indirect) {
		r->desc[head] = (struct vring_desc){ at, 16 * n, VRING_DESC_F_INDIRECT, 0 };
		r->next_desc = (uint16_t)((head + 1) % SIZE);
	} else {
		r->next_desc = id;
	}
	r->head[slot] = head;
	r->avail->ring[slot] = head;
	r->avail->idx = ++r->avail_idx;
}

static void put_chain(struct peer_ring *r, uint16_t position, const uint8_t *from)
{
	unsigned int slot = position % SIZE;

	for (unsigned int i = 0; i < r->chain[slot].n; i++) {
		memcpy(mem(r->chain[slot].at[i]), from, r->chain[slot].len[i]);
		from += r->chain[slot].len[i];
	}
}

static uint32_t get_chain(struct peer_ring *r, uint16_t position, uint8_t *to, uint32_t len)
{
	unsigned int slot = position % SIZE;
	uint32_t got = 0;

	for (unsigned int i = 0; i < r->chain[slot].n && got < len; i++) {
		uint32_t n = RTE_MIN(r->chain[slot].len[i], len - got);

		memcpy(to + got, mem(r->chain[slot].at[i]), n);
		got += n;
	}
	return got;
}

static void peer_sends(const uint8_t *packet, uint32_t len, unsigned int pieces)
{
	publish(&tx, len, pieces, false);
	put_chain(&tx, (uint16_t)(tx.avail_idx - 1), packet);
}

/* ---------------------------------------------------------------------------------------------------- set-up */

static struct vhost_pci_virtq row_of(const struct peer_ring *r, uint16_t start, uint32_t gsi)
{
	return (struct vhost_pci_virtq){
		.num = SIZE,
		.desc = r->base,
		.avail = r->base + AVAIL_AT,
		.used = r->base + USED_AT,
		.last_avail_idx = start,
		.flags = (uint16_t)(VHOST_PCI_VIRTQ_F_ENABLED | (r->event_idx ? VHOST_PCI_VIRTQ_F_EVENT_IDX : 0) |
				    (r->indirect ? VHOST_PCI_VIRTQ_F_INDIRECT_DESC : 0)),
		.gsi = gsi,
	};
}

static void announce(uint16_t start)
{
	struct vpnet_ctrl *c = &net->ctrl;

	c->nregions = RTE_DIM(regions);
	memcpy(c->regions, regions, sizeof(regions));
	c->peer_bar = BAR;
	c->vqs[VHOST_PCI_PEER_VIRTQ_TX][0] = row_of(&tx, start, VHOST_PCI_GSI_NONE);
	c->vqs[VHOST_PCI_PEER_VIRTQ_RX][0] = row_of(&rx, start, 77);
	c->nvqs[0] = c->nvqs[1] = 1;
	vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_TX);
	vpnet_mirrors_setup(net, VHOST_PCI_PEER_VIRTQ_RX);
	net->peer_connection = 1;
	net->config.status = 1;
	vpnet_mirrors_update(net);
}

static enum vpnet_mirror_state state_of(unsigned int which)
{
	return net->mirrors[which][0].state;
}

struct options {
	bool event_idx, indirect, mergeable, small;
	uint16_t start;
};

static void set_up(struct options o)
{
	struct rte_eth_rxconf rxconf = { .offloads = RTE_ETH_RX_OFFLOAD_SCATTER };
	struct rte_eth_txconf txconf = { 0 };

	net->features = RTE_BIT64(VHP_F_VERSION_1) | RTE_BIT64(VHOST_PCI_NET_F_MRG_RXBUF) |
		RTE_BIT64(VHP_F_PV_INTERRUPT);
	net->ctrl.accepted = o.mergeable ? RTE_BIT64(VHOST_PCI_PEER_F_MRG_RXBUF) : 0;
	assert_int_equal(vpnet_rxq_setup(&eth, 0, 128, 0, &rxconf, o.small ? small_pool : pool), 0);
	assert_int_equal(vpnet_txq_setup(&eth, 0, 128, 0, &txconf), 0);
	assert_true(vpnet_rxq_refill(net->rxqs[0]) > 0);
	assert_int_equal(vpnet_mirrors_alloc(net), 0);
	/* One ring in each of the regions that take it, the rx ring up to the last bytes of its region. */
	ring_init(&tx, 0x1000, 0x120000, o.start, o.event_idx, o.indirect);
	ring_init(&rx, 0x1ff000, 0x160000, o.start, o.event_idx, o.indirect);
	closed = false;
	net->live = true;
	announce(o.start);
	reads = writes = irqs = 0;
}

static void tear_down(void)
{
	after_write = NULL;
	vpnet_mirrors_forget(net);
	vpnet_mirrors_free(net);
	net->live = false; /* there is no device to reset */
	vpnet_rxq_release(&eth, 0);
	vpnet_txq_release(&eth, 0);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	assert_int_equal(rte_mempool_avail_count(small_pool), MBUFS);
}

static void fill(uint8_t *packet, uint32_t len, unsigned int with)
{
	memset(packet, 0, VPNET_HDR_LEN);
	for (uint32_t i = 0; i < len; i++)
		packet[VPNET_HDR_LEN + i] = (uint8_t)(with * 31 + i * 7 + (i >> 8));
}

static void expect(struct rte_mbuf *m, const uint8_t *packet, uint32_t len)
{
	static uint8_t copy[70000];

	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, copy), packet + VPNET_HDR_LEN, len);
	rte_pktmbuf_free(m);
}

static struct rte_mbuf *make(uint32_t len, unsigned int segs, const uint8_t *packet, uint16_t headroom)
{
	struct rte_mbuf *first = NULL;

	for (unsigned int i = 0; i < segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t part = i + 1 == segs ? len : len / (segs - i);

		m->data_off = headroom;
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), packet, part);
		packet += part;
		len -= part;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

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

/* ---------------------------------------------------------------------------------------------------- good peers */

static void receive_all(bool event_idx, bool indirect, bool small, unsigned int packets)
{
	static uint8_t sent[SIZE][4096];
	static uint32_t lens[SIZE];
	unsigned int first = 0, last = 0; /* packets under way */

	set_up((struct options){ event_idx, indirect, false, small, 65500 });
	while (first < packets) {
		struct rte_mbuf *m[16];
		unsigned int burst = rnd(12), n, before = irqs;
		uint16_t from = tx.used->idx, want = (uint16_t)(from + rnd(4));
		bool interrupts = rnd(2);

		for (; burst > 0 && last - first < 8 && last < packets; burst--, last++) {
			uint32_t len = 14 + rnd(small ? 2900 : 1500);

			lens[last % SIZE] = len;
			fill(sent[last % SIZE], len, last);
			peer_sends(sent[last % SIZE], len + VPNET_HDR_LEN, 1 + rnd(5));
		}
		tx.avail->flags = !event_idx && !interrupts ? VRING_AVAIL_F_NO_INTERRUPT : 0;
		*used_event(&tx) = interrupts ? want : (uint16_t)(from - 1);
		n = vpnet_mirror_rx_burst(net->rxqs[0], m, RTE_DIM(m));
		for (unsigned int i = 0; i < n; i++, first++)
			expect(m[i], sent[first % SIZE], lens[first % SIZE]);
		/* Everything read is given back, in order. */
		assert_int_equal((uint16_t)(tx.used->idx - tx.used_idx), n);
		for (; tx.used_idx != tx.used->idx; tx.used_idx++) {
			assert_int_equal(tx.used->ring[tx.used_idx % SIZE].id, tx.head[tx.used_idx % SIZE]);
			assert_int_equal(tx.used->ring[tx.used_idx % SIZE].len, 0);
		}
		/* An interrupt if, and only if, the peer asked. */
		if (event_idx)
			assert_int_equal(irqs - before,
					 n > 0 && vring_need_event(*used_event(&tx), tx.used->idx, from));
		else
			assert_int_equal(irqs - before, n > 0 && interrupts);
		/* The peer is never asked to kick. */
		if (event_idx)
			assert_false(vring_need_event(*avail_event(&tx), (uint16_t)(tx.avail_idx + 1), tx.avail_idx));
		else
			assert_int_equal(tx.used->flags, VRING_USED_F_NO_NOTIFY);
	}
	assert_int_equal(net->rxqs[0]->stats.packets, packets);
	assert_int_equal(net->rxqs[0]->stats.errors, 0);
	tear_down();
}

static void receive(void **state)
{
	(void)state;
	/* Far enough for the 16-bit indices to come round. */
	receive_all(false, false, false, 70000);
	receive_all(true, false, false, 70000);
	receive_all(true, true, false, 20000);
	receive_all(false, true, true, 20000);
}

static void transmit_all(struct options o, unsigned int packets)
{
	static uint8_t sent[SIZE][4096], got[4096];
	static uint32_t lens[SIZE];
	unsigned int first = 0, last = 0;

	set_up(o);
	while (first < packets) {
		struct rte_mbuf *m[8];
		unsigned int n = rnd(9), done, before = irqs;
		uint16_t from = rx.used->idx;
		bool interrupts = rnd(2);

		/* Buffers: small ones only if packets may be merged. */
		for (unsigned int i = rnd(20); i > 0 && (uint16_t)(rx.avail_idx - rx.used_idx) < 10; i--)
			publish(&rx, o.mergeable ? 40 + rnd(1000) : 1600, 1 + rnd(4), true);
		n = RTE_MIN(n, packets - last);
		for (unsigned int i = 0; i < n; i++) {
			uint32_t len = 14 + rnd(1500);

			lens[(last + i) % SIZE] = len;
			fill(sent[(last + i) % SIZE], len, last + i);
			m[i] = make(len, 1 + rnd(3), sent[(last + i) % SIZE] + VPNET_HDR_LEN,
				    rnd(3) ? RTE_PKTMBUF_HEADROOM : 0);
		}
		rx.avail->flags = !o.event_idx && !interrupts ? VRING_AVAIL_F_NO_INTERRUPT : 0;
		*used_event(&rx) = interrupts ? (uint16_t)(from + rnd(4)) : (uint16_t)(from - 1);
		done = vpnet_mirror_tx_burst(net->txqs[0], m, (uint16_t)n);
		rte_pktmbuf_free_bulk(m + done, n - done);
		last += done;
		if (o.event_idx)
			assert_int_equal(irqs - before,
					 done > 0 && vring_need_event(*used_event(&rx), rx.used->idx, from));
		else
			assert_int_equal(irqs - before, done > 0 && interrupts);
		if (irqs > before) {
			assert_int_equal(irq_offset, offsetof(vhp_fn_bar_t, peer_irq) + 4);
			assert_int_equal(irq_value, 77);
		}
		for (; first < last; first++) {
			uint32_t total = lens[first % SIZE] + VPNET_HDR_LEN, at = 0;
			uint16_t buffers = 0, chains;

			get_chain(&rx, rx.used_idx, got, VPNET_HDR_LEN);
			for (; at < total; buffers++, rx.used_idx++) {
				const struct vring_used_elem *e = &rx.used->ring[rx.used_idx % SIZE];

				assert_true(rx.used_idx != rx.used->idx);
				assert_int_equal(e->id, rx.head[rx.used_idx % SIZE]);
				assert_int_equal(get_chain(&rx, rx.used_idx, got + at, total - at), e->len);
				at += e->len;
			}
			memcpy(&chains, got + 10, sizeof(chains));
			assert_int_equal(chains, buffers);
			assert_memory_equal(got + VPNET_HDR_LEN, sent[first % SIZE] + VPNET_HDR_LEN,
					    lens[first % SIZE]);
		}
		assert_int_equal(rx.used_idx, rx.used->idx);
	}
	assert_int_equal(net->txqs[0]->stats.packets, packets);
	assert_int_equal(net->txqs[0]->stats.errors, 0);
	tear_down();
}

static void transmit(void **state)
{
	(void)state;
	transmit_all((struct options){ .start = 65000 }, 70000);
	transmit_all((struct options){ .mergeable = true, .event_idx = true }, 40000);
	transmit_all((struct options){ .mergeable = true, .event_idx = true, .indirect = true }, 20000);
	transmit_all((struct options){ .mergeable = true, .indirect = true }, 20000);
}

/* Requests for segmentation: in the header of the peer that took them, and not at all to one that did not; both ways. */
static void offloads(void **state)
{
	static const uint8_t expected[VPNET_HDR_LEN] = {
		1, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, 100, 0, 34, 0, 16, 0, 1, 0
	};
	static uint8_t packet[VPNET_HDR_LEN + 3000], got[4000];
	const uint64_t takes = RTE_BIT64(VHOST_PCI_PEER_F_GUEST_TSO4) | RTE_BIT64(VHOST_PCI_PEER_F_GUEST_CSUM);
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		bool accepted = i & 1;

		set_up((struct options){ 0 });
		net->ctrl.accepted = accepted ? takes | RTE_BIT64(VHOST_PCI_PEER_F_HOST_TSO4) : 0;
		fill(packet, 900, i);
		packet[VPNET_HDR_LEN + 34 + 13] = 0x10; /* no CWR */
		publish(&rx, 2000, 3, true);
		m = make(900, 1, packet + VPNET_HDR_LEN, i & 2 ? RTE_PKTMBUF_HEADROOM : 0);
		m->l2_len = 14;
		m->l3_len = m->l4_len = 20;
		m->tso_segsz = 100;
		m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG;
		assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], &m, 1), 1);
		assert_int_equal(net->txqs[0]->stats.bad_offloads, !accepted);
		assert_int_equal(rx.used->idx, accepted);
		if (accepted) {
			assert_int_equal(get_chain(&rx, 0, got, 900 + VPNET_HDR_LEN), 900 + VPNET_HDR_LEN);
			assert_memory_equal(got, expected, VPNET_HDR_LEN);
			assert_memory_equal(got + VPNET_HDR_LEN, packet + VPNET_HDR_LEN, 900);
		}
		net->rxqs[0]->offloads = RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
		memcpy(packet, expected, VPNET_HDR_LEN);
		peer_sends(packet, 900 + VPNET_HDR_LEN, 3);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), accepted);
		assert_int_equal(net->rxqs[0]->stats.bad_offloads, !accepted);
		assert_int_equal(tx.used->idx, 1);
		if (accepted) {
			assert_int_equal(m->ol_flags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
			assert_int_equal(m->tso_segsz, 100);
			rte_pktmbuf_free(m);
		}
		tear_down();
	}
}

/* Packets that do not fit: dropped and counted, the peer's buffers stay; what fits goes on. */
static void transmit_large(void **state)
{
	static uint8_t packet[3000];
	struct rte_mbuf *m[3];

	(void)state;
	set_up((struct options){ 0 });
	fill(packet, 2000, 1);
	publish(&rx, 500, 1, true);
	m[0] = make(489, 1, packet, RTE_PKTMBUF_HEADROOM); /* one byte too many with its header */
	m[1] = make(488, 1, packet, RTE_PKTMBUF_HEADROOM);
	m[2] = rte_pktmbuf_alloc(pool); /* nothing in it */
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 3), 3);
	assert_int_equal(net->txqs[0]->stats.errors, 2);
	assert_int_equal(net->txqs[0]->stats.packets, 1);
	assert_int_equal(rx.used->idx, 1);
	assert_int_equal(rx.used->ring[0].len, 500);
	tear_down();

	/* Mergeable: more buffers than the ring has, or than a packet may take. */
	set_up((struct options){ .mergeable = true });
	for (unsigned int i = 0; i < SIZE; i++)
		publish(&rx, 20, 1, true);
	m[0] = make(2000, 1, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
	assert_int_equal(net->txqs[0]->stats.errors, 1);
	assert_int_equal(rx.used->idx, 0);
	/* Not enough yet is something else: it waits. */
	tear_down();
	set_up((struct options){ .mergeable = true });
	publish(&rx, 20, 1, true);
	m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 0);
	assert_int_equal(rx.used->idx, 0);
	publish(&rx, 92, 1, true);
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
	assert_int_equal(rx.used->idx, 2);
	tear_down();
}

/* The own receiveq is full: the peer's packets wait in its ring, none is lost. */
static void receive_without_buffers(void **state)
{
	struct rte_mbuf *hoard[MBUFS + 128], *m[8];
	static uint8_t packet[200];
	unsigned int n = 0, sent = 0, got = 0;

	(void)state;
	set_up((struct options){ 0 });
	while (n < MBUFS && (hoard[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	while (got < 300) {
		for (; sent < 400 && (uint16_t)(tx.avail_idx - tx.used->idx) < 50; sent++) {
			fill(packet, 60, sent);
			peer_sends(packet, 60 + VPNET_HDR_LEN, 1);
		}
		for (unsigned int i = 0, k = vpnet_mirror_rx_burst(net->rxqs[0], m, 8); i < k; i++, got++) {
			fill(packet, 60, got);
			if (n > 0) {
				rte_pktmbuf_refcnt_update(m[i], 1);
				hoard[n++] = m[i];
			}
			expect(m[i], packet, 60);
		}
		if (got == 128 && n > 0) {
			/* All that were posted are used up. */
			for (unsigned int i = 0; i < 20; i++)
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 8), 0);
			rte_pktmbuf_free_bulk(hoard, n);
			n = 0;
		}
	}
	assert_int_equal(net->rxqs[0]->stats.errors, 0);
	while (got < sent)
		for (unsigned int i = 0, k = vpnet_mirror_rx_burst(net->rxqs[0], m, 8); i < k; i++, got++)
			rte_pktmbuf_free(m[i]);
	tear_down();
}

static void enable_interrupts(uint64_t at)
{
	if (at == 0x10000 + 0x1000 + USED_AT + 2) {
		tx.avail->flags = 0;
		*used_event(&tx) = (uint16_t)(tx.used->idx - 1);
	}
}

/* The peer allows interrupts the moment after the used index: it gets one. */
static void no_lost_interrupt(void **state)
{
	static uint8_t packet[200];
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
		set_up((struct options){ .event_idx = event_idx });
		tx.avail->flags = event_idx ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
		*used_event(&tx) = (uint16_t)-1;
		peer_sends(packet, 72, 1);
		after_write = enable_interrupts;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(irqs, 1);
		assert_int_equal(irq_offset, offsetof(vhp_fn_bar_t, peer_irq));
		assert_int_equal(irq_value, VHOST_PCI_PEER_IRQ_TX | 0);
		/* Without VIRTIO_F_PV_INTERRUPT there is no way, which is counted. */
		net->features &= ~RTE_BIT64(VHP_F_PV_INTERRUPT);
		peer_sends(packet, 72, 1);
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 1);
		rte_pktmbuf_free(m);
		assert_int_equal(irqs, 1);
		assert_int_equal(net->rxqs[0]->stats.peer_irqs_impossible, 1);
		/* A receive queue without GSI is named by its index. */
		net->features |= RTE_BIT64(VHP_F_PV_INTERRUPT);
		net->mirrors[VHOST_PCI_PEER_VIRTQ_RX][0].gsi = VHOST_PCI_GSI_NONE;
		*used_event(&rx) = rx.used->idx;
		publish(&rx, 1600, 1, true);
		m = make(60, 1, packet, RTE_PKTMBUF_HEADROOM);
		assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], &m, 1), 1);
		assert_int_equal(irqs, 2);
		assert_int_equal(irq_offset, offsetof(vhp_fn_bar_t, peer_irq));
		assert_int_equal(irq_value, 0);
		tear_down();
	}
}

/* Accesses for a burst of 32 packets of 64 bytes: what the file says it costs. */
static void access_pattern(void **state)
{
	static uint8_t packet[100];
	struct rte_mbuf *m[32];

	(void)state;
	set_up((struct options){ 0 });
	tx.avail->flags = rx.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	for (unsigned int i = 0; i < 32; i++)
		peer_sends(packet, 76, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 32), 32);
	rte_pktmbuf_free_bulk(m, 32);
	/* Index, 2 lines of entries (the first begins 4 bytes in), 8 lines of descriptors, at most 3 of payload, index again. */
	printf("receive: %u reads, %u writes for 32 packets of 76 bytes\n", reads, writes);
	assert_true(reads <= 1 + 2 + 8 + 32 * 3 + 1);
	assert_int_equal(net->rxqs[0]->stats.peer_reads, reads);
	/* Elements, index. */
	assert_int_equal(writes, 2);
	reads = writes = 0;
	for (unsigned int i = 0; i < 32; i++) {
		publish(&rx, 1600, 1, true);
		m[i] = make(64, 1, packet, RTE_PKTMBUF_HEADROOM);
	}
	assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 32), 32);
	printf("transmit: %u reads, %u writes for 32 packets of 76 bytes\n", reads, writes);
	assert_true(reads <= 1 + 2 + 8 + 1);
	assert_int_equal(writes, 32 + 2);
	tear_down();
}

/* ---------------------------------------------------------------------------------------------------- bad peers */

enum trick {
	HEAD_RANGE,
	NEXT_RANGE,
	LOOP,
	DIRECTION,
	MIXED,
	NO_BYTES,
	OUTSIDE,
	ACROSS_END,
	WRAPS,
	INDEX_JUMP,
	INDIRECT_OFF,
	INDIRECT_NEST,
	INDIRECT_NEXT,
	INDIRECT_LEN,
	INDIRECT_OUTSIDE,
	INDIRECT_LOOP,
	TRICKS
};

static void play(struct peer_ring *r, enum trick t, bool write)
{
	uint16_t good = write ? VRING_DESC_F_WRITE : 0, slot = r->avail_idx % SIZE;
	struct vring_desc *d = r->desc, *table = mem(0x110000);

	d[5] = (struct vring_desc){ 0x100000, 100, good, 0 };
	table[0] = (struct vring_desc){ 0x100000, 100, good, 0 };
	r->avail->ring[slot] = 5;
	switch (t) {
	case HEAD_RANGE:
		r->avail->ring[slot] = SIZE;
		break;
	case NEXT_RANGE:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = SIZE;
		break;
	case LOOP:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = 5;
		break;
	case DIRECTION:
		d[5].flags ^= VRING_DESC_F_WRITE;
		break;
	case MIXED:
		d[5].flags |= VRING_DESC_F_NEXT;
		d[5].next = 6;
		d[6] = (struct vring_desc){ 0x100000, 100, good ^ VRING_DESC_F_WRITE, 0 };
		break;
	case NO_BYTES:
		d[5].len = 0;
		break;
	case OUTSIDE:
		d[5].addr = 0x300000;
		break;
	case ACROSS_END:
		d[5].addr = 0x1ffff0;
		break;
	case WRAPS:
		d[5].addr = UINT64_MAX - 10;
		break;
	case INDEX_JUMP:
		r->avail->idx = (uint16_t)(r->avail_idx + SIZE + 1);
		return;
	case INDIRECT_OFF:
	case INDIRECT_NEST:
	case INDIRECT_NEXT:
	case INDIRECT_LEN:
	case INDIRECT_OUTSIDE:
	case INDIRECT_LOOP:
		d[5] = (struct vring_desc){ 0x110000, 32, VRING_DESC_F_INDIRECT, 0 };
		if (t == INDIRECT_NEST)
			table[0] = (struct vring_desc){ 0x110000, 32, VRING_DESC_F_INDIRECT, 0 };
		if (t == INDIRECT_NEXT)
			d[5].flags |= VRING_DESC_F_NEXT;
		if (t == INDIRECT_LEN)
			d[5].len = rnd(2) ? 0 : 24;
		if (t == INDIRECT_OUTSIDE)
			d[5].addr = 0x1ffff0;
		if (t == INDIRECT_LOOP) {
			table[0].flags |= VRING_DESC_F_NEXT;
			table[0].next = 0;
		}
		break;
	default:
		break;
	}
	r->avail->idx = ++r->avail_idx;
}

static void hostile(void **state)
{
	static uint8_t packet[200];
	struct rte_mbuf *m[4];

	(void)state;
	for (enum trick t = 0; t < TRICKS; t++) {
		for (unsigned int way = 0; way < 2; way++) {
			struct peer_ring *r = way == 0 ? &tx : &rx;

			set_up((struct options){ .indirect = t > INDIRECT_OFF, .start = 65530 });
			fill(packet, 100, t);
			/* A good one before it still arrives. */
			if (way == 0)
				peer_sends(packet, 112, 2);
			else
				publish(&rx, 1600, 2, true);
			r->indirect = false;
			play(r, t, way);
			/* A jump of the index is found before anything is taken. */
			if (way == 0) {
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), t != INDEX_JUMP);
				if (t != INDEX_JUMP)
					expect(m[0], packet, 100);
			} else {
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				m[1] = make(88, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 2), t != INDEX_JUMP);
				rte_pktmbuf_free_bulk(m + (t != INDEX_JUMP), 1 + (t == INDEX_JUMP));
			}
			assert_int_equal(state_of(way), VPNET_MIRROR_BROKEN);
			assert_int_equal((uint16_t)(r->used->idx - 65530), t != INDEX_JUMP);
			/* It stays so, with no further access; the other direction goes on. */
			reads = writes = 0;
			if (way == 0) {
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
				assert_int_equal(reads + writes, 0);
				publish(&rx, 1600, 1, true);
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 1);
			} else {
				m[0] = make(100, 1, packet, RTE_PKTMBUF_HEADROOM);
				assert_int_equal(vpnet_mirror_tx_burst(net->txqs[0], m, 1), 0);
				assert_int_equal(reads + writes, 0);
				rte_pktmbuf_free(m[0]);
				peer_sends(packet, 112, 1);
				assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 1);
				rte_pktmbuf_free(m[0]);
			}
			/* The next connection brings it back. */
			vpnet_mirrors_forget(net);
			announce(0);
			assert_int_equal(state_of(way), VPNET_MIRROR_RUNNING);
			tear_down();
		}
	}
	/* A packet without room for its header, and one larger than any. */
	set_up((struct options){ 0 });
	peer_sends(packet, 11, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
	assert_int_equal(state_of(0), VPNET_MIRROR_BROKEN);
	tear_down();
	set_up((struct options){ 0 });
	tx.desc[0] = (struct vring_desc){ 0x100000, 0x100000, 0, 0 };
	tx.avail->idx = ++tx.avail_idx;
	tx.next_desc = 1;
	peer_sends(packet, 112, 1);
	assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 1);
	expect(m[0], packet, 100);
	assert_int_equal(net->rxqs[0]->stats.errors, 1);
	assert_int_equal(tx.used->idx, 2);
	tear_down();
}

/* Rings of noise: whatever stands there, no access leaves the regions and no buffer is lost. */
static void noise(void **state)
{
	static uint8_t packet[2000];

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		set_up((struct options){ rnd(2), rnd(2), rnd(2), rnd(2), (uint16_t)rnd(65536) });
		for (unsigned int k = 0; k < 3; k++) {
			struct rte_mbuf *m[4];
			unsigned int done;

			for (unsigned int way = 0; way < 2; way++) {
				struct peer_ring *r = way == 0 ? &tx : &rx;

				for (unsigned int j = 0; j < SIZE; j++) {
					r->desc[j] = (struct vring_desc){
						rnd(8) ? 0x100000 + rnd(0x100000) : (uint64_t)rnd(1u << 30) << rnd(34),
						rnd(8) ? 1 + rnd(2000) : (uint32_t)rnd(1u << 30) * 4,
						(uint16_t)(rnd(10) ? (way ? VRING_DESC_F_WRITE : 0) |
									   (rnd(3) ? 0 : VRING_DESC_F_NEXT)
								   : rnd(8)),
						(uint16_t)rnd(rnd(8) ? SIZE : 65536),
					};
					r->avail->ring[j] = (uint16_t)rnd(rnd(8) ? SIZE : 65536);
				}
				r->avail->idx = (uint16_t)(r->used->idx + rnd(rnd(4) ? 10 : 65536));
				r->avail->flags = (uint16_t)rnd(3);
			}
			rte_pktmbuf_free_bulk(m, vpnet_mirror_rx_burst(net->rxqs[0], m, 4));
			for (unsigned int j = 0; j < 4; j++)
				m[j] = make(14 + rnd(1500), 1 + rnd(2), packet, RTE_PKTMBUF_HEADROOM);
			done = vpnet_mirror_tx_burst(net->txqs[0], m, 4);
			rte_pktmbuf_free_bulk(m + done, 4 - done);
		}
		tear_down();
	}
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
		reads = 0;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], m, 4), 0);
		assert_int_equal(reads, 0);
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
		closed = true;
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
		reads = 0;
		assert_int_equal(vpnet_mirror_rx_burst(net->rxqs[0], &m, 1), 0);
		assert_int_equal(reads, 0);
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
	address = bar;
	assert_int_equal(tell(VHOST_PCI_CTRL_PEER_MEM_INFO, &m, sizeof(m), &got, sizeof(got)), sizeof(m));
	assert_int_equal(got.info.need_map, VHOST_PCI_MEM_INFO_NEED_MAP_Y);
	assert_int_equal(got.info.peer_mem, (uintptr_t)bar);
	assert_memory_equal(&got.head, &m.head, sizeof(m) - sizeof(m.info));
	address = NULL;
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translation),
		cmocka_unit_test(receive),
		cmocka_unit_test(transmit),
		cmocka_unit_test(offloads),
		cmocka_unit_test(transmit_large),
		cmocka_unit_test(receive_without_buffers),
		cmocka_unit_test(no_lost_interrupt),
		cmocka_unit_test(access_pattern),
		cmocka_unit_test(hostile),
		cmocka_unit_test(noise),
		cmocka_unit_test(resume),
		cmocka_unit_test(bad_rows),
		cmocka_unit_test(messages),
	};
	const char *env = getenv("VHP_TEST_SEED");
	int failed;

	(void)argc;
	if (env != NULL)
		seed = (unsigned int)strtoul(env, NULL, 0);
	printf("seed %u (VHP_TEST_SEED)\n", seed);
	if (!unit_start(argv[0], &device))
		return 1;
	net->driver_copy = true;
	net->options.peer_features = UINT64_MAX;
	net->config_fd = eventfd(0, EFD_NONBLOCK);
	data.nb_rx_queues = data.nb_tx_queues = 1;

	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%zu passed, %d failed\n", RTE_DIM(tests) - (size_t)failed, failed);
	free(net);
	return failed != 0;
}
