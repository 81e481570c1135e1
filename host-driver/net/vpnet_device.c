/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <rte_cycles.h>
#include <string.h>

#include "vpnet_mirror.h"

/*
 * Bounds on an unresponsive device; generous, a simulated card is slow. The device itself forces a disconnect after what its
 * management says, 65.5 s at most; a driver must not leave before.
 */
#define RESET_MS 30000
#define DISCONNECT_MS 70000

/*
 * What this driver can use. INDIRECT_DESC is not among it: a chain in the ring costs no more than an indirect table, and
 * one dependent read less. PV_INTERRUPT is: with driver copy the driver interrupts the peer itself; with copy offload it has
 * nothing to inject, but a device whose environment supports it shall see it accepted.
 */
#define SUPPORTED_FEATURES                                                                              \
	(RTE_BIT64(VHOST_PCI_NET_F_MAC) | RTE_BIT64(VHOST_PCI_NET_F_CTRL_MAC_ADDR) |                    \
	 RTE_BIT64(VHOST_PCI_NET_F_MRG_RXBUF) | RTE_BIT64(VHOST_PCI_NET_F_COPY_OFFLOAD) |               \
	 RTE_BIT64(VHOST_PCI_NET_F_MQ) | RTE_BIT64(VHP_F_RING_EVENT_IDX) | RTE_BIT64(VHP_F_VERSION_1) | \
	 RTE_BIT64(VHP_F_PV_INTERRUPT))
#define REQUIRED_FEATURES RTE_BIT64(VHP_F_VERSION_1)
/* Driver copy: the device does not look at the data queues, so nobody would write avail_event there. */
#define NOT_WITH_DRIVER_COPY (RTE_BIT64(VHOST_PCI_NET_F_COPY_OFFLOAD) | RTE_BIT64(VHP_F_RING_EVENT_IDX))

static int get(struct vpnet *net, uint32_t offset, unsigned int width, uint64_t *value)
{
	return vhp_dev_read(net->dev, net->pci.common.bar, net->pci.common.offset + offset, width, value);
}

static int put(struct vpnet *net, uint32_t offset, unsigned int width, uint64_t value)
{
	return vhp_dev_write(net->dev, net->pci.common.bar, net->pci.common.offset + offset, width, value);
}

int vpnet_device_status(struct vpnet *net, uint8_t *status)
{
	uint64_t v;
	int rc = get(net, VIRTIO_PCI_COMMON_STATUS, 1, &v);

	*status = (uint8_t)v;
	return rc;
}

static int add_status(struct vpnet *net, uint8_t bits)
{
	uint8_t status;
	int rc = vpnet_device_status(net, &status);

	return rc < 0 ? rc : put(net, VIRTIO_PCI_COMMON_STATUS, 1, status | bits);
}

/* The aligned peer block where the device has one, else the seed's packed registers. */
static int peer_access(struct vpnet *net, bool write, uint16_t *value)
{
	const struct vhp_virtio_area *a = net->pci.peer.length != 0 ? &net->pci.peer : &net->pci.common;
	uint64_t at = a->offset, v = *value;
	int rc;

	at += net->pci.peer.length != 0 ? offsetof(struct vhost_pci_peer_block, peer_connection)
					: VHOST_PCI_COMMON_PEER_CONNECTION;
	if (write)
		return vhp_dev_write(net->dev, a->bar, at, 2, v);
	rc = vhp_dev_read(net->dev, a->bar, at, 2, &v);
	*value = rc < 0 ? 0 : (uint16_t)v;
	return rc;
}

int vpnet_read_peer_connection(struct vpnet *net, uint16_t *value)
{
	*value = 0;
	return peer_access(net, false, value);
}

int vpnet_read_peer_gsi(struct vpnet *net, uint16_t queue, uint32_t *gsi)
{
	bool aligned = net->pci.peer.length != 0;
	const struct vhp_virtio_area *a = aligned ? &net->pci.peer : &net->pci.common;
	uint64_t select = aligned ? offsetof(struct vhost_pci_peer_block, peer_rx_queue_select)
				  : VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT;
	uint64_t at = aligned ? offsetof(struct vhost_pci_peer_block, peer_rx_queue_gsi)
			      : VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI;
	uint64_t value;
	int rc = vhp_dev_write(net->dev, a->bar, a->offset + select, 2, queue);

	if (rc == 0)
		rc = vhp_dev_read(net->dev, a->bar, a->offset + at, 4, &value);
	*gsi = rc == 0 ? (uint32_t)value : VHOST_PCI_GSI_NONE;
	return rc;
}

int vpnet_read_config(struct vpnet *net, struct vhost_pci_net_config *config)
{
	uint64_t before, after;
	int rc;

	/* virtio: read again if the generation moved, so that a field is never half old. */
	for (int i = 0; i < 16; i++) {
		rc = get(net, VIRTIO_PCI_COMMON_CFGGENERATION, 1, &before);
		if (rc == 0)
			rc = vhp_dev_read_buf(net->dev, net->pci.device.bar, net->pci.device.offset, config,
					      sizeof(*config));
		if (rc == 0)
			rc = get(net, VIRTIO_PCI_COMMON_CFGGENERATION, 1, &after);
		if (rc < 0)
			return rc;
		if (before == after) {
			config->status = rte_le_to_cpu_16(config->status);
			config->max_queue_pairs = rte_le_to_cpu_16(config->max_queue_pairs);
			config->mtu = rte_le_to_cpu_16(config->mtu);
			return 0;
		}
	}
	return -EAGAIN;
}

static int reset(struct vpnet *net)
{
	uint8_t status;
	int rc = put(net, VIRTIO_PCI_COMMON_STATUS, 1, 0);

	for (unsigned int ms = 0; rc == 0; ms++) {
		rc = vpnet_device_status(net, &status);
		if (rc < 0 || status == 0)
			break;
		if (ms == RESET_MS) {
			VPNET_LOG(ERR, net, "device_status still reads 0x%02x %u ms after the reset", status, RESET_MS);
			return -ETIMEDOUT;
		}
		rte_delay_us_sleep(1000);
	}
	return rc;
}

static int read_features(struct vpnet *net, uint64_t *features)
{
	uint64_t lo = 0, hi = 0;
	int rc = put(net, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);

	if (rc == 0)
		rc = get(net, VIRTIO_PCI_COMMON_DF, 4, &lo);
	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	if (rc == 0)
		rc = get(net, VIRTIO_PCI_COMMON_DF, 4, &hi);
	*features = hi << 32 | lo;
	return rc;
}

static int write_features(struct vpnet *net, uint64_t features)
{
	int rc = put(net, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);

	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_GF, 4, features >> 32);
	return rc;
}

/* Reset, then everything up to FEATURES_OK. */
static int negotiate(struct vpnet *net)
{
	uint8_t status = 0;
	int rc = reset(net);

	if (rc == 0)
		rc = add_status(net, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	if (rc == 0)
		rc = add_status(net, VIRTIO_CONFIG_S_DRIVER);
	if (rc == 0)
		rc = read_features(net, &net->device_features);
	if (rc < 0)
		return rc;
	if ((net->device_features & REQUIRED_FEATURES) != REQUIRED_FEATURES) {
		VPNET_LOG(ERR, net,
			  "the device offers features 0x%" PRIx64 ", this driver cannot work without 0x%" PRIx64,
			  net->device_features, (uint64_t)REQUIRED_FEATURES);
		return -ENOTSUP;
	}
	net->driver_copy = net->options.copy == VPNET_COPY_DRIVER ||
		(net->options.copy == VPNET_COPY_AUTO &&
		 !(net->device_features & RTE_BIT64(VHOST_PCI_NET_F_COPY_OFFLOAD)));
	if (!net->driver_copy && !(net->device_features & RTE_BIT64(VHOST_PCI_NET_F_COPY_OFFLOAD))) {
		VPNET_LOG(ERR, net, "copy=card: the device does not offer VHOST_PCI_NET_F_COPY_OFFLOAD");
		return -ENOTSUP;
	}
	net->features = net->device_features & SUPPORTED_FEATURES;
	if (net->driver_copy)
		net->features &= ~NOT_WITH_DRIVER_COPY;
	rc = write_features(net, net->features);
	if (rc == 0)
		rc = add_status(net, VIRTIO_CONFIG_S_FEATURES_OK);
	if (rc == 0)
		rc = vpnet_device_status(net, &status);
	if (rc == 0 && !(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		VPNET_LOG(ERR, net, "the device refused features 0x%" PRIx64, net->features);
		rc = -ENOTSUP;
	}
	return rc;
}

/* Largest power of two that both sides can do. */
static uint16_t ring_limit(uint64_t queue_size)
{
	uint32_t limit = queue_size < VPNET_MAX_RING ? (uint32_t)queue_size : VPNET_MAX_RING;

	return limit < 2 ? 0 : (uint16_t)rte_align32prevpow2(limit);
}

static int read_queues(struct vpnet *net)
{
	uint64_t value;
	int rc = get(net, VIRTIO_PCI_COMMON_NUMQ, 2, &value);

	if (rc < 0)
		return rc;
	net->num_queues = (uint16_t)value;
	net->max_pairs = 1;
	if (vpnet_has(net, VHOST_PCI_NET_F_MQ) && net->config.max_queue_pairs > 1)
		net->max_pairs = RTE_MIN(net->config.max_queue_pairs, VPNET_MAX_PAIRS);
	/* The seed's device has no transmitq: there the peer's own rings are written to. */
	while (net->max_pairs > 1 && VHOST_PCI_VQ_TX(net->max_pairs - 1) >= net->num_queues)
		net->max_pairs--;
	for (uint16_t q = 0; q <= VHOST_PCI_VQ_TX(net->max_pairs - 1); q++) {
		if (net->driver_copy && q > VHOST_PCI_VQ_CTRL_TX && q % 2 != 0) {
			net->max_ring[q] = VPNET_MAX_RING;
			continue;
		}
		rc = put(net, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
		if (rc == 0)
			rc = get(net, VIRTIO_PCI_COMMON_Q_SIZE, 2, &value);
		if (rc < 0)
			return rc;
		net->max_ring[q] = ring_limit(value);
		if (q >= net->num_queues || net->max_ring[q] < (q < 2 ? 2 : VPNET_MIN_RING)) {
			VPNET_LOG(ERR, net, "virtqueue %u of %u has queue_size %u: too small", q, net->num_queues,
				  (unsigned int)value);
			return -EPROTO;
		}
	}
	return 0;
}

int vpnet_device_probe(struct vpnet *net)
{
	char err[256];
	int rc = vhp_virtio_pci_find(net->dev, &net->pci, err, sizeof(err));

	if (rc < 0) {
		VPNET_LOG(ERR, net, "%s", err);
		return rc;
	}
	rc = negotiate(net);
	if (rc == 0)
		rc = vpnet_read_config(net, &net->config);
	if (rc == 0 && net->config.mtu < RTE_ETHER_MIN_MTU) {
		VPNET_LOG(ERR, net, "the device says mtu %u, the least is %u", net->config.mtu, RTE_ETHER_MIN_MTU);
		rc = -EPROTO;
	}
	if (rc == 0)
		rc = read_queues(net);
	if (rc < 0)
		VPNET_LOG(ERR, net, "cannot initialise the device: %s", strerror(-rc));
	return rc;
}

static int put64(struct vpnet *net, uint32_t offset, uint64_t value)
{
	int rc = put(net, offset, 4, (uint32_t)value);

	return rc < 0 ? rc : put(net, offset + 4, 4, value >> 32);
}

static int set_vector(struct vpnet *net, uint32_t offset, uint16_t vector)
{
	uint64_t got = 0;
	int rc = put(net, offset, 2, vector);

	if (rc == 0)
		rc = get(net, offset, 2, &got);
	if (rc == 0 && got != vector) {
		VPNET_LOG(ERR, net, "the device did not take MSI-X vector %u", vector);
		rc = -EIO;
	}
	return rc;
}

static int enable_queue(struct vpnet *net, struct vpnet_ring *ring)
{
	uint64_t notify_off = 0;
	int rc = put(net, VIRTIO_PCI_COMMON_Q_SELECT, 2, ring->index);

	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_Q_SIZE, 2, ring->size);
	if (rc == 0)
		rc = set_vector(net, VIRTIO_PCI_COMMON_Q_MSIX, ring->vector);
	if (rc == 0)
		rc = put64(net, VIRTIO_PCI_COMMON_Q_DESCLO, ring->iova);
	if (rc == 0)
		rc = put64(net, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->iova + ((char *)ring->avail - (char *)ring->desc));
	if (rc == 0)
		rc = put64(net, VIRTIO_PCI_COMMON_Q_USEDLO, ring->iova + ((char *)ring->used - (char *)ring->desc));
	if (rc == 0)
		rc = get(net, VIRTIO_PCI_COMMON_Q_NOFF, 2, &notify_off);
	if (rc == 0)
		rc = vhp_virtio_pci_doorbell(&net->pci, (uint16_t)notify_off, &ring->doorbell);
	if (rc == -ERANGE)
		VPNET_LOG(ERR, net, "virtqueue %u: queue_notify_off %u lies outside the notify structure", ring->index,
			  (unsigned int)notify_off);
	if (rc == 0)
		rc = put(net, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	return rc;
}

static int enable_queues(struct vpnet *net)
{
	int rc = set_vector(net, VIRTIO_PCI_COMMON_MSIX, VPNET_VEC_CONFIG);

	net->ctrl.rx.vector = VPNET_VEC_CTRL;
	net->ctrl.tx.vector = VPNET_NO_VECTOR; /* its buffers are collected when the next message is sent */
	vpnet_ctrl_clear(net);
	if (rc == 0)
		rc = enable_queue(net, &net->ctrl.rx);
	if (rc == 0)
		rc = enable_queue(net, &net->ctrl.tx);
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS && rc == 0; i++) {
		struct vpnet_rxq *rxq = net->rxqs[i];
		struct vpnet_txq *txq = net->txqs[i];

		if (rxq != NULL) {
			vpnet_rxq_clear(rxq);
			rxq->ring.vector = rxq->event_fd >= 0 ? VPNET_VEC_RX + i : VPNET_NO_VECTOR;
			rc = enable_queue(net, &rxq->ring);
		}
		if (txq != NULL && rc == 0) {
			vpnet_txq_clear(txq);
			if (net->driver_copy)
				continue;
			txq->ring.vector = VPNET_NO_VECTOR;
			rc = enable_queue(net, &txq->ring);
		}
	}
	return rc;
}

int vpnet_device_up(struct vpnet *net)
{
	int rc = net->dead ? -ENODEV : negotiate(net);

	if (rc == 0)
		rc = enable_queues(net);
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS && rc == 0; i++) {
		if (net->rxqs[i] != NULL && vpnet_rxq_refill(net->rxqs[i]) == 0) {
			VPNET_LOG(ERR, net, "rx queue %u: the mbuf pool is empty", i);
			rc = -ENOMEM;
		}
	}
	if (rc == 0)
		rc = add_status(net, VIRTIO_CONFIG_S_DRIVER_OK);
	if (rc < 0) {
		VPNET_LOG(ERR, net, "cannot start the device: %s", strerror(-rc));
		net->live = true; /* whatever was enabled is taken down the same way */
		vpnet_device_down(net);
		return rc;
	}
	net->live = true;
	net->needs_reset = false;
	/* Before DRIVER_OK the device must not be notified; so everything that was posted is announced now. */
	vpnet_ring_notify(net, &net->ctrl.rx, 0);
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++)
		if (net->rxqs[i] != NULL && !net->driver_copy)
			vpnet_ring_notify(net, &net->rxqs[i]->ring, 0);
	if (net->mac_changed && vpnet_has(net, VHOST_PCI_NET_F_CTRL_MAC_ADDR))
		vpnet_ctrl_send_mac(net);
	return 0;
}

int vpnet_device_down(struct vpnet *net)
{
	int rc;

	if (!net->live)
		return 0;
	vpnet_mirrors_forget(net);
	rc = net->dead ? 0 : reset(net);
	if (rc < 0 && vhp_dev_alive(net->dev)) {
		/* It may still write to our buffers: as a last resort the function is reset by VFIO, which ends all DMA. */
		VPNET_LOG(WARNING, net, "the device did not reset (%s): function level reset", strerror(-rc));
		rc = vhp_dev_reset(net->dev);
		if (rc < 0) {
			VPNET_LOG(ERR, net, "function level reset failed: %s; the device's buffers are not reused",
				  strerror(-rc));
			return rc;
		}
	}
	net->live = false;
	net->peer_connection = 0;
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		if (net->rxqs[i] != NULL)
			vpnet_rxq_clear(net->rxqs[i]);
		if (net->txqs[i] != NULL)
			vpnet_txq_clear(net->txqs[i]);
	}
	return 0;
}

void vpnet_device_disconnect(struct vpnet *net)
{
	uint16_t connection;

	if (net->dead || vpnet_read_peer_connection(net, &connection) < 0 || connection == 0)
		return;
	VPNET_LOG(DEBUG, net, "closing the connection to the peer");
	pthread_mutex_lock(&net->lock);
	vpnet_mirrors_forget(net);
	pthread_mutex_unlock(&net->lock);
	connection = 0;
	if (peer_access(net, true, &connection) < 0)
		return;
	for (unsigned int ms = 0; ms < DISCONNECT_MS; ms++) {
		if (vpnet_read_peer_connection(net, &connection) < 0 || connection == 0)
			return;
		rte_delay_us_sleep(1000);
	}
	VPNET_LOG(WARNING, net, "peer_connection still reads %u after %u ms: closing with a reset", connection,
		  DISCONNECT_MS);
}
