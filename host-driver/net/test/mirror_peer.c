/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmocka_suites.h"
#include "mirror_peer.h"
#include "unit.h"
#include "vhp_access_impl.h"

const struct vhost_pci_mem_region regions[3] = {
	{ 0x0, 0x8010, 0x10000 }, /* its end is in the middle of a line */
	{ 0x100000, 0x100000, 0x40000 },
	{ 0xfffffffffffff000, 0x1000, 0x20000 }, /* up to the last byte there is */
};

struct aperture aperture;
struct peer_ring tx, rx;

unsigned int seed = 1;

unsigned int rnd(unsigned int below)
{
	return (unsigned int)rand_r(&seed) % below;
}

/* ---------------------------------------------------------------------------------------------------- the aperture */

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
		if (aperture.closed)
			memset(to, 0xff, s.take);
		else
			memcpy(to, aperture.bytes + at, s.take);
		aperture.reads++;
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
		aperture.irqs++;
		aperture.irq_offset = at;
		aperture.irq_value = 0;
		memcpy(&aperture.irq_value, from, len);
		return 0;
	}
	assert_int_equal(number, BAR);
	check(at, len);
	aperture.writes++;
	if (!aperture.closed)
		memcpy(aperture.bytes + at, from, len);
	if (aperture.after_write != NULL)
		aperture.after_write(at);
	return 0;
}

static uint64_t bar_size(struct vhp_dev *dev, unsigned int number)
{
	(void)dev;
	return number == BAR ? BAR_SIZE : number == 0 ? 0x40000 : 0;
}

static void *bar_address(struct vhp_dev *dev, unsigned int number)
{
	(void)dev, (void)number;
	return aperture.address;
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
struct vhp_dev device = { .ops = &ops };

/* ---------------------------------------------------------------------------------------------------- the peer */

void *mem(uint64_t gpa)
{
	for (unsigned int i = 0; i < RTE_DIM(regions); i++)
		if (gpa >= regions[i].gpa && gpa - regions[i].gpa < regions[i].size)
			return aperture.bytes + regions[i].bar_offset + (gpa - regions[i].gpa);
	fail_msg("test: 0x%jx is no guest address", (uintmax_t)gpa);
	return NULL;
}

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

uint16_t *used_event(struct peer_ring *r)
{
	return &r->avail->ring[SIZE];
}

uint16_t *avail_event(struct peer_ring *r)
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

void publish(struct peer_ring *r, uint32_t bytes, unsigned int n, bool write)
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

uint32_t get_chain(struct peer_ring *r, uint16_t position, uint8_t *to, uint32_t len)
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

void peer_sends(const uint8_t *packet, uint32_t len, unsigned int pieces)
{
	publish(&tx, len, pieces, false);
	put_chain(&tx, (uint16_t)(tx.avail_idx - 1), packet);
}

/* ---------------------------------------------------------------------------------------------------- set-up */

struct vhost_pci_virtq row_of(const struct peer_ring *r, uint16_t start, uint32_t gsi)
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

void announce(uint16_t start)
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

enum vpnet_mirror_state state_of(unsigned int which)
{
	return net->mirrors[which][0].state;
}

void set_up(struct options o)
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
	aperture.closed = false;
	net->live = true;
	announce(o.start);
	aperture.reads = aperture.writes = aperture.irqs = 0;
}

void tear_down(void)
{
	aperture.after_write = NULL;
	vpnet_mirrors_forget(net);
	vpnet_mirrors_free(net);
	net->live = false; /* there is no device to reset */
	vpnet_rxq_release(&eth, 0);
	vpnet_txq_release(&eth, 0);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	assert_int_equal(rte_mempool_avail_count(small_pool), MBUFS);
}
