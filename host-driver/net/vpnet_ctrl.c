/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seed's control queues (firmware/include/vhost_pci.h). The device leads: it sends on the control receiveq, the
 * driver answers on the control transmitq. A message that cannot be right is reported and not answered; the device
 * then gives the connection up after its own time limit.
 */
#include "vpnet.h"

#include <errno.h>
#include <rte_errno.h>
#include <string.h>

#include "vpnet_mirror.h"

#define RING 32u
#define BUFFERS 16u
#define BUFFER_SIZE 2048u

static uint8_t *buffer(const struct vpnet_ctrl *c, unsigned int i)
{
	return (uint8_t *)c->zone->addr + i * BUFFER_SIZE;
}

static rte_iova_t buffer_iova(const struct vpnet_ctrl *c, unsigned int i)
{
	return c->zone->iova + i * BUFFER_SIZE;
}

int vpnet_ctrl_alloc(struct vpnet *net)
{
	struct vpnet_ctrl *c = &net->ctrl;
	uint16_t rx = RTE_MIN(net->max_ring[VHOST_PCI_VQ_CTRL_RX], RING);
	uint16_t tx = RTE_MIN(net->max_ring[VHOST_PCI_VQ_CTRL_TX], RING);
	char name[RTE_MEMZONE_NAMESIZE];
	int rc;

	c->rx_buffers = RTE_MIN(rx, BUFFERS);
	c->tx_buffers = RTE_MIN(tx, BUFFERS);
	snprintf(name, sizeof(name), "vpnet%u_ctrl", net->eth->data->port_id);
	c->zone = rte_memzone_reserve_aligned(name, (c->rx_buffers + c->tx_buffers) * BUFFER_SIZE, SOCKET_ID_ANY,
					      RTE_MEMZONE_IOVA_CONTIG, 4096);
	if (c->zone == NULL) {
		VPNET_LOG(ERR, net, "no memory for control buffers: %s", rte_strerror(rte_errno));
		return -ENOMEM;
	}
	rc = vpnet_ring_alloc(net, &c->rx, VHOST_PCI_VQ_CTRL_RX, rx, 0, (unsigned int)SOCKET_ID_ANY);
	if (rc == 0)
		rc = vpnet_ring_alloc(net, &c->tx, VHOST_PCI_VQ_CTRL_TX, tx, 0, (unsigned int)SOCKET_ID_ANY);
	if (rc < 0)
		vpnet_ctrl_free(net);
	return rc;
}

void vpnet_ctrl_free(struct vpnet *net)
{
	vpnet_ring_free(&net->ctrl.rx);
	vpnet_ring_free(&net->ctrl.tx);
	rte_memzone_free(net->ctrl.zone);
	net->ctrl.zone = NULL;
}

static void publish(struct vpnet_ring *ring, uint16_t id)
{
	ring->avail->ring[ring->avail_idx++ & ring->mask] = rte_cpu_to_le_16(id);
	rte_io_wmb();
	*(volatile uint16_t *)&ring->avail->idx = rte_cpu_to_le_16(ring->avail_idx);
}

static uint16_t pending(const struct vpnet_ring *ring)
{
	uint16_t idx = rte_le_to_cpu_16(*(volatile uint16_t *)&ring->used->idx);

	rte_io_rmb();
	return (uint16_t)(idx - ring->used_idx);
}

void vpnet_ctrl_clear(struct vpnet *net)
{
	struct vpnet_ctrl *c = &net->ctrl;

	vpnet_ring_clear(net, &c->rx);
	vpnet_ring_clear(net, &c->tx);
	c->tx_busy = 0;
	c->peer_features = c->accepted = 0;
	c->nregions = 0;
	c->nvqs[0] = c->nvqs[1] = 0;
	c->dirty_logging = 0;
	/* Control messages are interrupts always. */
	if (c->rx.event_idx)
		*c->rx.used_event_at = 0;
	else
		c->rx.avail->flags = 0;
	for (uint16_t i = 0; i < c->rx_buffers; i++) {
		c->rx.desc[i] = (struct vring_desc){
			.addr = rte_cpu_to_le_64(buffer_iova(c, i)),
			.len = rte_cpu_to_le_32(BUFFER_SIZE),
			.flags = rte_cpu_to_le_16(VRING_DESC_F_WRITE),
		};
		publish(&c->rx, i);
	}
}

/* ---------------------------------------------------------------------------------------------------- sending */

static void collect(struct vpnet *net)
{
	struct vpnet_ctrl *c = &net->ctrl;
	uint16_t n = pending(&c->tx);

	for (uint16_t i = 0; i < n && i < c->tx.size; i++) {
		uint32_t id = rte_le_to_cpu_32(c->tx.used->ring[c->tx.used_idx++ & c->tx.mask].id);

		if (id < c->tx_buffers)
			c->tx_busy &= ~RTE_BIT64(id);
	}
}

static int send_message(struct vpnet *net, uint32_t request, const void *payload, size_t len)
{
	struct vpnet_ctrl *c = &net->ctrl;
	struct vhost_pci_ctrl header = {
		.request = rte_cpu_to_le_32(request),
		.vhost_pci_id = rte_cpu_to_le_64(c->vhost_pci_id),
	};
	uint16_t old = c->tx.avail_idx, id = 0;

	collect(net);
	while (id < c->tx_buffers && (c->tx_busy & RTE_BIT64(id)))
		id++;
	if (id == c->tx_buffers || sizeof(header) + len > BUFFER_SIZE) {
		VPNET_LOG(ERR, net, "control message 0x%x cannot be sent: %s", request,
			  id == c->tx_buffers ? "the device does not take the earlier ones" : "too long");
		c->errors++;
		return id == c->tx_buffers ? -EAGAIN : -EMSGSIZE;
	}
	memcpy(buffer(c, c->rx_buffers + id), &header, sizeof(header));
	memcpy(buffer(c, c->rx_buffers + id) + sizeof(header), payload, len);
	c->tx.desc[id] = (struct vring_desc){
		.addr = rte_cpu_to_le_64(buffer_iova(c, c->rx_buffers + id)),
		.len = rte_cpu_to_le_32((uint32_t)(sizeof(header) + len)),
	};
	c->tx_busy |= RTE_BIT64(id);
	publish(&c->tx, id);
	c->sent++;
	vpnet_ring_notify(net, &c->tx, old);
	return 0;
}

int vpnet_ctrl_send_mac(struct vpnet *net)
{
	struct vhost_pci_ctrl_mac message;

	memcpy(message.mac, net->mac.addr_bytes, sizeof(message.mac));
	return send_message(net, VHOST_PCI_CTRL_MAC, &message, sizeof(message));
}

/* ---------------------------------------------------------------------------------------------------- receiving */

/* Each returns NULL, or what is wrong with the message. */
static const char *feature_bits(struct vpnet *net, const uint8_t *payload, size_t len)
{
	struct vhost_pci_ctrl_driver_feature_bits bits;
	struct vpnet_ctrl *c = &net->ctrl;
	uint64_t accepted;

	if (len != sizeof(bits))
		return "wrong length";
	memcpy(&bits, payload, sizeof(bits));
	c->peer_features = rte_le_to_cpu_64(bits.feature_bits);
	accepted = c->peer_features & vpnet_offload_accepted(net) & net->options.peer_features;
	__atomic_store_n(&c->accepted, accepted, __ATOMIC_RELAXED);
	if (c->accepted != c->peer_features)
		VPNET_LOG(NOTICE, net,
			  "peer features 0x%" PRIx64 ": accepted 0x%" PRIx64 ", the peer has to renegotiate",
			  c->peer_features, c->accepted);
	bits.feature_bits = rte_cpu_to_le_64(c->accepted);
	send_message(net, VHOST_PCI_CTRL_PEER_FEATURE_BITS, &bits, sizeof(bits));
	return NULL;
}

/* The seed's need_map Y: map the BAR. @return the address that maps to the peer's memory; 0 with *wrong set. */
static uint64_t map_peer(struct vpnet *net, uint64_t bar, const char **wrong)
{
	const struct vpnet_ctrl *c = &net->ctrl;
	uint64_t size = bar < 6 ? vhp_dev_bar_size(net->dev, (unsigned int)bar) : 0;
	void *address;

	if (size == 0 || bar == net->pci.common.bar) {
		*wrong = "peer_mem is no BAR that the function has for it";
		return 0;
	}
	for (uint32_t i = 0; i < c->nregions; i++) {
		const struct vhost_pci_mem_region *r = &c->regions[i];

		if (r->size == 0 || r->gpa + (r->size - 1) < r->gpa || r->size > size ||
		    r->bar_offset > size - r->size || r->bar_offset % 4096 != 0) {
			*wrong = "a region is empty, wraps around, or does not lie in the BAR on a page";
			return 0;
		}
	}
	net->ctrl.peer_bar = (uint8_t)bar;
	address = vhp_dev_bar_address(net->dev, (unsigned int)bar);
	if (address != NULL)
		return (uint64_t)(uintptr_t)address;
	/* Nothing to map: every access is a message. The answer names no address of this process, but is not 0. */
	VPNET_LOG(INFO, net, "BAR %u is not mapped: each access to the peer's memory is a message of the socket",
		  (unsigned int)bar);
	return UINT64_C(1) << 32 | bar;
}

static const char *mem_info(struct vpnet *net, const uint8_t *payload, size_t len)
{
	struct vhost_pci_ctrl_peer_mem_info info;
	struct vhost_pci_mem_regions regions;
	struct vpnet_ctrl *c = &net->ctrl;
	uint8_t answer[BUFFER_SIZE];
	size_t at = sizeof(info) + sizeof(regions);
	uint32_t n;

	if (len < at)
		return "too short";
	memcpy(&info, payload, sizeof(info));
	memcpy(&regions, payload + sizeof(info), sizeof(regions));
	n = rte_le_to_cpu_32(regions.nregions);
	if (n > VPNET_MAX_PEER_REGIONS)
		return "too many regions";
	if (len != at + n * sizeof(c->regions[0]))
		return "length does not fit nregions";
	if (info.need_map != VHOST_PCI_MEM_INFO_NEED_MAP_N && info.need_map != VHOST_PCI_MEM_INFO_NEED_MAP_Y)
		return "need_map is neither 0 nor 1";
	if (net->driver_copy && info.need_map != VHOST_PCI_MEM_INFO_NEED_MAP_Y)
		return "need_map N: management does not show the peer's memory (vhp-vdpad --aperture), so the driver cannot copy";
	vpnet_mirrors_forget(net);
	c->need_map = info.need_map;
	c->nregions = n;
	for (uint32_t i = 0; i < n; i++) {
		struct vhost_pci_mem_region r;

		memcpy(&r, payload + at + i * sizeof(r), sizeof(r));
		c->regions[i].gpa = rte_le_to_cpu_64(r.gpa);
		c->regions[i].size = rte_le_to_cpu_64(r.size);
		c->regions[i].bar_offset = rte_le_to_cpu_64(r.bar_offset);
	}
	c->peer_mem = 0;
	if (net->driver_copy) {
		const char *wrong = NULL;

		c->peer_mem = map_peer(net, rte_le_to_cpu_64(info.peer_mem), &wrong);
		if (wrong != NULL) {
			c->nregions = 0;
			return wrong;
		}
	} else if (info.need_map == VHOST_PCI_MEM_INFO_NEED_MAP_Y) {
		/* The card copies: the peer's memory is never mapped here, and the answer's address says so. */
		VPNET_LOG(INFO, net, "the device shows the peer's memory in a BAR; not mapped, copy offload is in use");
	}
	memcpy(answer, payload, len);
	info.peer_mem = rte_cpu_to_le_64(c->peer_mem);
	memcpy(answer, &info, sizeof(info));
	send_message(net, VHOST_PCI_CTRL_PEER_MEM_INFO, answer, len);
	return NULL;
}

static const char *virtq_info(struct vpnet *net, const uint8_t *payload, size_t len)
{
	struct vhost_pci_ctrl_peer_virtq_info info;
	struct vpnet_ctrl *c = &net->ctrl;
	uint32_t n;

	if (len < sizeof(info))
		return "too short";
	memcpy(&info, payload, sizeof(info));
	n = rte_le_to_cpu_32(info.virtq_num);
	if (info.tx_or_rx != VHOST_PCI_PEER_VIRTQ_TX && info.tx_or_rx != VHOST_PCI_PEER_VIRTQ_RX)
		return "tx_or_rx is neither 0 nor 1";
	if (n > VPNET_MAX_PEER_VQS)
		return "too many virtqueues";
	if (len != sizeof(info) + n * sizeof(struct vhost_pci_virtq))
		return "length does not fit virtq_num";
	c->nvqs[info.tx_or_rx] = n;
	for (uint32_t i = 0; i < n; i++) {
		struct vhost_pci_virtq *to = &c->vqs[info.tx_or_rx][i], vq;

		memcpy(&vq, payload + sizeof(info) + i * sizeof(vq), sizeof(vq));
		*to = (struct vhost_pci_virtq){
			.num = rte_le_to_cpu_32(vq.num),
			.desc = rte_le_to_cpu_64(vq.desc),
			.avail = rte_le_to_cpu_64(vq.avail),
			.used = rte_le_to_cpu_64(vq.used),
			.last_avail_idx = rte_le_to_cpu_16(vq.last_avail_idx),
			.flags = rte_le_to_cpu_16(vq.flags),
			.gsi = rte_le_to_cpu_32(vq.gsi),
		};
	}
	vpnet_mirrors_setup(net, info.tx_or_rx);
	vpnet_mirrors_update(net);
	return NULL;
}

static const char *dirty_page_logging(struct vpnet *net, const uint8_t *payload, size_t len)
{
	if (len != sizeof(struct vhost_pci_ctrl_dirty_page_logging))
		return "wrong length";
	if (payload[0] != VHOST_PCI_DIRTY_PAGE_LOGGING_OFF && payload[0] != VHOST_PCI_DIRTY_PAGE_LOGGING_ON)
		return "off_or_on is neither 0 nor 1";
	/* Every write to the peer goes through the card, in both ways to copy, so the card logs it; here it is only shown. */
	net->ctrl.dirty_logging_changes += net->ctrl.dirty_logging != payload[0];
	net->ctrl.dirty_logging = payload[0] == VHOST_PCI_DIRTY_PAGE_LOGGING_ON;
	VPNET_LOG(INFO, net, "dirty page logging %s", payload[0] ? "on" : "off");
	return NULL;
}

static void message(struct vpnet *net, const uint8_t *text, uint32_t len)
{
	struct vhost_pci_ctrl header;
	const char *wrong;
	uint32_t request;

	if (len < sizeof(header) || len > BUFFER_SIZE) {
		VPNET_LOG(ERR, net, "control message of %u bytes", len);
		net->ctrl.errors++;
		return;
	}
	memcpy(&header, text, sizeof(header));
	request = rte_le_to_cpu_32(header.request);
	net->ctrl.vhost_pci_id = rte_le_to_cpu_64(header.vhost_pci_id);
	net->ctrl.received++;
	text += sizeof(header);
	len -= sizeof(header);
	VPNET_LOG(DEBUG, net, "control message %u, %u bytes of payload", request, len);

	switch (request) {
	case VHOST_PCI_CTRL_PEER_FEATURE_BITS:
		wrong = feature_bits(net, text, len);
		break;
	case VHOST_PCI_CTRL_PEER_MEM_INFO:
		wrong = mem_info(net, text, len);
		break;
	case VHOST_PCI_CTRL_PEER_VIRTQ_INFO:
		wrong = virtq_info(net, text, len);
		break;
	case VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING:
		wrong = dirty_page_logging(net, text, len);
		break;
	default:
		wrong = "unknown request";
		break;
	}
	if (wrong != NULL) {
		VPNET_LOG(ERR, net, "control message %u ignored: %s (%u bytes of payload)", request, wrong, len);
		net->ctrl.errors++;
	}
}

void vpnet_ctrl_receive(struct vpnet *net)
{
	struct vpnet_ctrl *c = &net->ctrl;
	uint16_t old = c->rx.avail_idx, n;
	uint8_t text[BUFFER_SIZE];

	if (!net->live)
		return;
	for (n = pending(&c->rx); n > 0; n = pending(&c->rx)) {
		const struct vring_used_elem *e = &c->rx.used->ring[c->rx.used_idx & c->rx.mask];
		uint32_t id = rte_le_to_cpu_32(e->id), len = rte_le_to_cpu_32(e->len);

		if (n > c->rx.size || id >= c->rx_buffers || len > BUFFER_SIZE) {
			VPNET_LOG(ERR, net,
				  "control receiveq broken: %u new entries, buffer %u, %u bytes; not read any more", n,
				  id, len);
			c->errors++;
			c->rx.used_idx += n;
			break;
		}
		/* A copy: the device could still change its buffer. */
		memcpy(text, buffer(c, id), len);
		c->rx.used_idx++;
		publish(&c->rx, (uint16_t)id);
		/* The interrupt for the next message, before its index is looked at again. */
		if (c->rx.event_idx)
			*c->rx.used_event_at = rte_cpu_to_le_16(c->rx.used_idx);
		rte_smp_mb();
		message(net, text, len);
	}
	if (c->rx.avail_idx != old)
		vpnet_ring_notify(net, &c->rx, old);
}
