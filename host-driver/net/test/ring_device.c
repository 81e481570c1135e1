/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmocka_suites.h"
#include "ring_device.h"
#include "unit.h"
#include "vhp_access_impl.h"

unsigned int doorbells;
uint16_t last_doorbell;
struct peer rx_peer, tx_peer;

static void count_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	(void)dev, (void)bar, (void)offset;
	doorbells++;
	last_doorbell = value;
}

static const struct vhp_dev_ops ops = { .doorbell = count_doorbell };
struct vhp_dev device = { .ops = &ops };

bool take(struct peer *p, uint16_t *head)
{
	if (p->avail == p->ring->avail->idx)
		return false;
	*head = p->ring->avail->ring[p->avail++ & p->ring->mask];
	return true;
}

void give(struct peer *p, uint32_t id, uint32_t len)
{
	p->ring->used->ring[p->used++ & p->ring->mask] = (struct vring_used_elem){ id, len };
	p->ring->used->idx = p->used;
}

unsigned int deliver(struct peer *p, const uint8_t *packet, uint32_t len, int buffers)
{
	struct vring_used_elem done[SIZE];
	uint8_t *first = NULL;
	unsigned int n = 0;

	while (len > 0) {
		const struct vring_desc *d;
		uint16_t head;
		uint32_t part;

		if (!take(p, &head))
			fail_msg("no receive buffer");
		d = &p->ring->desc[head];
		assert_int_equal(d->flags, VRING_DESC_F_WRITE);
		part = RTE_MIN(len, d->len);
		memcpy((void *)(uintptr_t)d->addr, packet, part);
		if (first == NULL)
			first = (uint8_t *)(uintptr_t)d->addr;
		done[n++] = (struct vring_used_elem){ head, part };
		packet += part;
		len -= part;
	}
	first[10] = (uint8_t)(buffers < 0 ? n : (unsigned int)buffers);
	first[11] = 0;
	for (unsigned int i = 0; i < n; i++)
		give(p, done[i].id, done[i].len);
	return n;
}

uint32_t fetch_with_header(struct peer *p, uint8_t *header, uint8_t *frame, uint16_t *head, unsigned int *descriptors)
{
	uint8_t all[70000];
	uint32_t len = 0;
	uint16_t id;

	if (!take(p, head))
		return 0;
	id = *head;
	for (*descriptors = 1;; (*descriptors)++) {
		const struct vring_desc *d = &p->ring->desc[id];

		assert_true(d->len > 0 && len + d->len <= sizeof(all));
		memcpy(all + len, (void *)(uintptr_t)d->addr, d->len);
		len += d->len;
		if (!(d->flags & VRING_DESC_F_NEXT))
			break;
		id = d->next;
		assert_true(id < p->ring->size && *descriptors < p->ring->size);
	}
	assert_true(len > VPNET_HDR_LEN);
	memcpy(header, all, VPNET_HDR_LEN);
	memcpy(frame, all + VPNET_HDR_LEN, len - VPNET_HDR_LEN);
	return len - VPNET_HDR_LEN;
}

uint32_t fetch(struct peer *p, uint8_t *frame, uint16_t *head, unsigned int *descriptors)
{
	uint8_t header[VPNET_HDR_LEN] = { 0 };
	uint32_t len = fetch_with_header(p, header, frame, head, descriptors);

	assert_memory_equal(header, "\0\0\0\0\0\0\0\0\0\0\0\0", VPNET_HDR_LEN);
	return len;
}

void set_up_with(bool event_idx, struct rte_mempool *mp, uint64_t offloads)
{
	struct rte_eth_rxconf rxconf = { .offloads = offloads };
	struct rte_eth_txconf txconf = { 0 };

	net->features = RTE_BIT64(VHP_F_VERSION_1) | RTE_BIT64(VHOST_PCI_NET_F_MRG_RXBUF);
	if (event_idx)
		net->features |= RTE_BIT64(VHP_F_RING_EVENT_IDX);
	assert_int_equal(vpnet_rxq_setup(&eth, 0, SIZE, 0, &rxconf, mp), 0);
	assert_int_equal(vpnet_txq_setup(&eth, 0, SIZE, 0, &txconf), 0);
	assert_int_equal(vpnet_rxq_refill(net->rxqs[0]), SIZE);
	rx_peer = (struct peer){ .ring = &net->rxqs[0]->ring };
	tx_peer = (struct peer){ .ring = &net->txqs[0]->ring };
	doorbells = 0;
}

void set_up(bool event_idx, struct rte_mempool *mp, bool scatter)
{
	set_up_with(event_idx, mp, scatter ? RTE_ETH_RX_OFFLOAD_SCATTER : 0);
}

void tear_down(void)
{
	net->ctrl.accepted = 0;
	vpnet_rxq_release(&eth, 0);
	vpnet_txq_release(&eth, 0);
	/* Every buffer is back. */
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	assert_int_equal(rte_mempool_avail_count(small_pool), MBUFS);
}
