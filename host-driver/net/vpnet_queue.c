/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RX_FREE_THRESH 32u
#define TX_FREE_THRESH 32u

/* ---------------------------------------------------------------------------------------------------- rings */

static size_t avail_offset(uint16_t size)
{
	return size * sizeof(struct vring_desc);
}

/* used_event follows the avail ring, avail_event the used ring: two bytes each, present or not. */
static size_t used_offset(uint16_t size)
{
	return RTE_ALIGN_CEIL(avail_offset(size) + sizeof(struct vring_avail) + (size + 1u) * sizeof(uint16_t),
			      RTE_CACHE_LINE_SIZE);
}

size_t vpnet_ring_bytes(uint16_t size)
{
	return RTE_ALIGN_CEIL(used_offset(size) + sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
				      sizeof(uint16_t),
			      RTE_CACHE_LINE_SIZE);
}

int vpnet_ring_alloc(struct vpnet *net, struct vpnet_ring *ring, uint16_t index, uint16_t size, size_t extra,
		     unsigned int socket)
{
	char name[RTE_MEMZONE_NAMESIZE];
	char *base;

	snprintf(name, sizeof(name), "vpnet%u_vq%u", net->eth->data->port_id, index);
	ring->zone = rte_memzone_reserve_aligned(name, vpnet_ring_bytes(size) + extra, (int)socket,
						 RTE_MEMZONE_IOVA_CONTIG, 4096);
	if (ring->zone == NULL) {
		VPNET_LOG(ERR, net, "no memory for virtqueue %u of %u entries: %s", index, size,
			  rte_strerror(rte_errno));
		return -ENOMEM;
	}
	base = ring->zone->addr;
	ring->index = index;
	ring->size = size;
	ring->mask = size - 1;
	ring->iova = ring->zone->iova;
	ring->desc = (struct vring_desc *)base;
	ring->avail = (struct vring_avail *)(base + avail_offset(size));
	ring->used = (struct vring_used *)(base + used_offset(size));
	ring->used_event_at = (volatile uint16_t *)(void *)&ring->avail->ring[size];
	ring->avail_event_at = (volatile uint16_t *)(void *)&ring->used->ring[size];
	memset(base + vpnet_ring_bytes(size), 0, extra);
	vpnet_ring_clear(net, ring);
	return 0;
}

void vpnet_ring_free(struct vpnet_ring *ring)
{
	rte_memzone_free(ring->zone);
	memset(ring, 0, sizeof(*ring));
}

void vpnet_ring_clear(struct vpnet *net, struct vpnet_ring *ring)
{
	memset(ring->desc, 0, vpnet_ring_bytes(ring->size));
	ring->event_idx = vpnet_has(net, VHP_F_RING_EVENT_IDX);
	ring->avail_idx = 0;
	ring->used_idx = 0;
	/* No interrupts until somebody asks: an index that has just been passed, or the flag. */
	ring->used_event = UINT16_MAX;
	if (ring->event_idx)
		*ring->used_event_at = rte_cpu_to_le_16(ring->used_event);
	else
		ring->avail->flags = rte_cpu_to_le_16(VRING_AVAIL_F_NO_INTERRUPT);
}

/* ---------------------------------------------------------------------------------------------------- setup */

/* A ring cannot change under a live device, and virtio has no reset of one queue here: the device starts anew. */
static int quiesce(struct vpnet *net)
{
	int rc;

	pthread_mutex_lock(&net->lock);
	rc = vpnet_device_down(net);
	pthread_mutex_unlock(&net->lock);
	return rc;
}

static int check_size(struct vpnet *net, const char *what, uint16_t queue, uint16_t nb_desc, uint16_t vq)
{
	if (rte_is_power_of_2(nb_desc) && nb_desc >= VPNET_MIN_RING && nb_desc <= net->max_ring[vq])
		return 0;
	VPNET_LOG(ERR, net, "%s queue %u: %u descriptors; a virtqueue has a power of two, %u to %u", what, queue,
		  nb_desc, VPNET_MIN_RING, net->max_ring[vq]);
	return -EINVAL;
}

int vpnet_rxq_setup(struct rte_eth_dev *eth, uint16_t queue, uint16_t nb_desc, unsigned int socket,
		    const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct vpnet *net = eth->data->dev_private;
	uint32_t room = rte_pktmbuf_data_room_size(pool);
	uint32_t frame = eth->data->mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
	uint64_t offloads = conf->offloads | eth->data->dev_conf.rxmode.offloads;
	/* Packets of 64 KiB are chains of mbufs, whatever else was asked for. */
	bool lro = offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO;
	bool scatter = lro || (offloads & RTE_ETH_RX_OFFLOAD_SCATTER);
	bool mergeable = vpnet_has(net, VHOST_PCI_NET_F_MRG_RXBUF);
	struct vpnet_rxq *q;
	int rc;

	rc = check_size(net, "rx", queue, nb_desc, VHOST_PCI_VQ_RX(queue));
	if (rc < 0)
		return rc;
	if (conf->rx_deferred_start) {
		VPNET_LOG(ERR, net, "rx queue %u: deferred start is not possible, virtio enables queues at start only",
			  queue);
		return -ENOTSUP;
	}
	if (room < RTE_PKTMBUF_HEADROOM + RTE_ETHER_MIN_LEN) {
		VPNET_LOG(ERR, net, "rx queue %u: mbufs of %u bytes hold no packet", queue, room);
		return -EINVAL;
	}
	if (frame > room - RTE_PKTMBUF_HEADROOM && !(scatter && mergeable)) {
		VPNET_LOG(ERR, net, "rx queue %u: frames of %u bytes do not fit mbufs of %u: %s", queue, frame,
			  room - RTE_PKTMBUF_HEADROOM,
			  mergeable ? "enable the SCATTER offload" : "the device does not merge receive buffers");
		return -EINVAL;
	}
	if (lro &&
	    (uint64_t)nb_desc * (room - RTE_PKTMBUF_HEADROOM + VPNET_HDR_LEN) < VPNET_HDR_LEN + VPNET_MAX_FRAME) {
		VPNET_LOG(ERR, net,
			  "rx queue %u: %u descriptors with mbufs of %u bytes do not hold a packet of %u: LRO is on",
			  queue, nb_desc, room - RTE_PKTMBUF_HEADROOM, VPNET_MAX_FRAME);
		return -EINVAL;
	}

	vpnet_rxq_release(eth, queue);
	rc = quiesce(net);
	if (rc < 0)
		return rc;
	q = rte_zmalloc_socket("vpnet_rxq", sizeof(*q), RTE_CACHE_LINE_SIZE, (int)socket);
	if (q == NULL)
		return -ENOMEM;
	q->net = net;
	q->pool = pool;
	q->port = eth->data->port_id;
	q->queue = queue;
	q->mergeable = mergeable;
	q->scatter = scatter;
	q->offloads = offloads;
	q->event_fd = -1;
	q->free_thresh = conf->rx_free_thresh != 0 ? conf->rx_free_thresh : RTE_MIN(RX_FREE_THRESH, nb_desc / 4u);
	if (q->free_thresh >= nb_desc) {
		VPNET_LOG(ERR, net, "rx queue %u: rx_free_thresh %u is not below %u descriptors", queue, q->free_thresh,
			  nb_desc);
		rte_free(q);
		return -EINVAL;
	}
	q->mbufs = rte_zmalloc_socket("vpnet_rxq", nb_desc * sizeof(*q->mbufs), RTE_CACHE_LINE_SIZE, (int)socket);
	q->free_ids = rte_zmalloc_socket("vpnet_rxq", nb_desc * sizeof(*q->free_ids), RTE_CACHE_LINE_SIZE, (int)socket);
	rc = q->mbufs == NULL || q->free_ids == NULL
		? -ENOMEM
		: vpnet_ring_alloc(net, &q->ring, VHOST_PCI_VQ_RX(queue), nb_desc, 0, socket);
	if (rc < 0) {
		rte_free(q->mbufs);
		rte_free(q->free_ids);
		rte_free(q);
		return rc;
	}
	vpnet_rxq_clear(q);
	net->rxqs[queue] = q;
	eth->data->rx_queues[queue] = q;
	return 0;
}

int vpnet_txq_setup(struct rte_eth_dev *eth, uint16_t queue, uint16_t nb_desc, unsigned int socket,
		    const struct rte_eth_txconf *conf)
{
	struct vpnet *net = eth->data->dev_private;
	struct vpnet_txq *q;
	int rc;

	rc = check_size(net, "tx", queue, nb_desc, VHOST_PCI_VQ_TX(queue));
	if (rc < 0)
		return rc;
	if (conf->tx_deferred_start) {
		VPNET_LOG(ERR, net, "tx queue %u: deferred start is not possible, virtio enables queues at start only",
			  queue);
		return -ENOTSUP;
	}
	vpnet_txq_release(eth, queue);
	rc = quiesce(net);
	if (rc < 0)
		return rc;
	q = rte_zmalloc_socket("vpnet_txq", sizeof(*q), RTE_CACHE_LINE_SIZE, (int)socket);
	if (q == NULL)
		return -ENOMEM;
	q->net = net;
	q->queue = queue;
	q->free_thresh = conf->tx_free_thresh != 0 ? conf->tx_free_thresh : RTE_MIN(TX_FREE_THRESH, nb_desc / 4u);
	if (q->free_thresh >= nb_desc) {
		VPNET_LOG(ERR, net, "tx queue %u: tx_free_thresh %u is not below %u descriptors", queue, q->free_thresh,
			  nb_desc);
		rte_free(q);
		return -EINVAL;
	}
	q->mbufs = rte_zmalloc_socket("vpnet_txq", nb_desc * sizeof(*q->mbufs), RTE_CACHE_LINE_SIZE, (int)socket);
	q->next = rte_zmalloc_socket("vpnet_txq", nb_desc * sizeof(*q->next), RTE_CACHE_LINE_SIZE, (int)socket);
	q->chain = rte_zmalloc_socket("vpnet_txq", nb_desc * sizeof(*q->chain), RTE_CACHE_LINE_SIZE, (int)socket);
	rc = q->mbufs == NULL || q->next == NULL || q->chain == NULL
		? -ENOMEM
		: vpnet_ring_alloc(net, &q->ring, VHOST_PCI_VQ_TX(queue), nb_desc, (size_t)nb_desc * VPNET_HDR_SLOT,
				   socket);
	if (rc < 0) {
		rte_free(q->mbufs);
		rte_free(q->next);
		rte_free(q->chain);
		rte_free(q);
		return rc;
	}
	q->hdrs_iova = q->ring.iova + vpnet_ring_bytes(nb_desc);
	q->hdrs = (uint8_t *)q->ring.zone->addr + vpnet_ring_bytes(nb_desc);
	vpnet_txq_clear(q);
	net->txqs[queue] = q;
	eth->data->tx_queues[queue] = q;
	return 0;
}

void vpnet_rxq_clear(struct vpnet_rxq *q)
{
	q->nfree = 0;
	for (uint16_t i = 0; i < q->ring.size; i++) {
		rte_pktmbuf_free(q->mbufs[i]);
		q->mbufs[i] = NULL;
		/* Taken from the end: descriptor 0 first. */
		q->free_ids[q->nfree++] = q->ring.size - 1 - i;
	}
	q->broken = false;
	q->own_idx = 0;
	vpnet_ring_clear(q->net, &q->ring);
}

void vpnet_txq_clear(struct vpnet_txq *q)
{
	for (uint16_t i = 0; i < q->ring.size; i++) {
		rte_pktmbuf_free(q->mbufs[i]);
		q->mbufs[i] = NULL;
		q->chain[i] = 0;
		q->next[i] = i + 1;
	}
	q->free_head = 0;
	q->nfree = q->ring.size;
	q->broken = false;
	vpnet_ring_clear(q->net, &q->ring);
}

void vpnet_rxq_release(struct rte_eth_dev *eth, uint16_t queue)
{
	struct vpnet *net = eth->data->dev_private;
	struct vpnet_rxq *q = queue < VPNET_MAX_PAIRS ? net->rxqs[queue] : NULL;

	if (q == NULL)
		return;
	eth->data->rx_queues[queue] = NULL;
	net->rxqs[queue] = NULL;
	/* A device that cannot be stopped may still write here: better lost than reused. */
	if (quiesce(net) < 0)
		return;
	vpnet_rxq_clear(q);
	if (q->event_fd >= 0)
		close(q->event_fd);
	vpnet_ring_free(&q->ring);
	rte_free(q->mbufs);
	rte_free(q->free_ids);
	rte_free(q);
}

void vpnet_txq_release(struct rte_eth_dev *eth, uint16_t queue)
{
	struct vpnet *net = eth->data->dev_private;
	struct vpnet_txq *q = queue < VPNET_MAX_PAIRS ? net->txqs[queue] : NULL;

	if (q == NULL)
		return;
	eth->data->tx_queues[queue] = NULL;
	net->txqs[queue] = NULL;
	if (quiesce(net) < 0)
		return;
	vpnet_txq_clear(q);
	vpnet_ring_free(&q->ring);
	rte_free(q->mbufs);
	rte_free(q->next);
	rte_free(q->chain);
	rte_free(q);
}

/* ---------------------------------------------------------------------------------------------------- rx interrupts */

void vpnet_rx_intr_close(struct vpnet *net)
{
	struct rte_intr_handle *handle = net->eth->intr_handle;

	if (handle == NULL)
		return;
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		struct vpnet_rxq *q = net->rxqs[i];
		int none = -1;

		if (q == NULL || q->event_fd < 0)
			continue;
		vhp_dev_set_irqs(net->dev, VPNET_VEC_RX + i, 1, &none);
		close(q->event_fd);
		q->event_fd = -1;
	}
	rte_intr_free_epoll_fd(handle);
	rte_intr_vec_list_free(handle);
	rte_intr_instance_free(handle);
	net->eth->intr_handle = NULL;
}

/*
 * The same handle for both back ends: the eventfds are ours, VFIO or vhp-sim signals them, and the VDEV type makes EAL
 * only read them.
 */
static struct rte_intr_handle *make_handle(struct vpnet *net, uint16_t n)
{
	struct rte_intr_handle *handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);

	if (handle == NULL)
		return NULL;
	if (rte_intr_type_set(handle, RTE_INTR_HANDLE_VDEV) != 0 || rte_intr_fd_set(handle, -1) != 0 ||
	    rte_intr_efd_counter_size_set(handle, sizeof(uint64_t)) != 0 || rte_intr_nb_efd_set(handle, n) != 0 ||
	    rte_intr_max_intr_set(handle, n + 1) != 0 || rte_intr_vec_list_alloc(handle, net->name, n) != 0)
		goto fail;
	for (uint16_t i = 0; i < n; i++)
		if (rte_intr_vec_list_index_set(handle, i, RTE_INTR_VEC_RXTX_OFFSET + i) != 0 ||
		    rte_intr_efds_index_set(handle, i, net->rxqs[i]->event_fd) != 0)
			goto fail;
	return handle;
fail:
	rte_intr_vec_list_free(handle);
	rte_intr_instance_free(handle);
	return NULL;
}

int vpnet_rx_intr_open(struct vpnet *net)
{
	uint16_t n = net->eth->data->nb_rx_queues;
	int rc = 0;

	if (net->eth->intr_handle != NULL)
		return 0;
	if (VPNET_VEC_RX + n > vhp_dev_info(net->dev)->num_msix) {
		VPNET_LOG(ERR, net, "rx interrupts of %u queues need %u MSI-X vectors, the function has %u", n,
			  VPNET_VEC_RX + n, vhp_dev_info(net->dev)->num_msix);
		return -ENOSPC;
	}
	for (uint16_t i = 0; i < n && rc == 0; i++) {
		net->rxqs[i]->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		rc = net->rxqs[i]->event_fd < 0
			? -errno
			: vhp_dev_set_irqs(net->dev, VPNET_VEC_RX + i, 1, &net->rxqs[i]->event_fd);
	}
	if (rc == 0) {
		net->eth->intr_handle = make_handle(net, n);
		if (net->eth->intr_handle != NULL)
			return 0;
		rc = -ENOMEM;
	}
	VPNET_LOG(ERR, net, "cannot set up rx interrupts: %s", strerror(-rc));
	for (uint16_t i = 0; i < n; i++) {
		if (net->rxqs[i]->event_fd >= 0)
			close(net->rxqs[i]->event_fd);
		net->rxqs[i]->event_fd = -1;
	}
	return rc;
}

int vpnet_rx_intr_enable(struct rte_eth_dev *eth, uint16_t queue)
{
	struct vpnet_rxq *q = eth->data->rx_queues[queue];
	struct vpnet_ring *ring = &q->ring;

	if (q->event_fd < 0)
		return -ENOTSUP;
	if (ring->event_idx) {
		ring->used_event = ring->used_idx;
		*ring->used_event_at = rte_cpu_to_le_16(ring->used_event);
	} else {
		*(volatile uint16_t *)&ring->avail->flags = 0;
	}
	/* What arrived before the device could see that would otherwise wait for the next packet. */
	rte_smp_mb();
	if (rte_le_to_cpu_16(*(volatile uint16_t *)&ring->used->idx) != ring->used_idx)
		eventfd_write(q->event_fd, 1);
	return 0;
}

int vpnet_rx_intr_disable(struct rte_eth_dev *eth, uint16_t queue)
{
	struct vpnet_rxq *q = eth->data->rx_queues[queue];
	struct vpnet_ring *ring = &q->ring;

	if (q->event_fd < 0)
		return -ENOTSUP;
	if (ring->event_idx) {
		ring->used_event = ring->used_idx - 1;
		*ring->used_event_at = rte_cpu_to_le_16(ring->used_event);
	} else {
		*(volatile uint16_t *)&ring->avail->flags = rte_cpu_to_le_16(VRING_AVAIL_F_NO_INTERRUPT);
	}
	return 0;
}
