/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl.h"

#include <string.h>

#include "card.h"

#define VHOST_F_LOG_ALL 26 /* vhost-user's number; VHOST_PCI_PEER_F_LOG_ALL in messages */

_Static_assert(sizeof(struct vhost_pci_ctrl) + sizeof(struct vhost_pci_ctrl_peer_virtq_info) +
			       MAX_PAIRS * sizeof(struct vhost_pci_virtq) <=
		       CTRL_SEND_MAX,
	       "longest message");
_Static_assert(sizeof(struct vhost_pci_ctrl) + sizeof(struct vhost_pci_ctrl_peer_mem_info) +
			       sizeof(struct vhost_pci_mem_regions) +
			       VHP_MBOX_MAX_REGIONS * sizeof(struct vhost_pci_mem_region) <=
		       CTRL_SEND_MAX,
	       "longest message");

#define BIT(n) (1ull << (n))
#define HOST_SEGMENTS \
	(BIT(VHOST_PCI_PEER_F_HOST_TSO4) | BIT(VHOST_PCI_PEER_F_HOST_TSO6) | BIT(VHOST_PCI_PEER_F_HOST_UFO))
#define GUEST_SEGMENTS \
	(BIT(VHOST_PCI_PEER_F_GUEST_TSO4) | BIT(VHOST_PCI_PEER_F_GUEST_TSO6) | BIT(VHOST_PCI_PEER_F_GUEST_UFO))

uint64_t ctrl_peer_features(const struct port *port)
{
	const uint64_t net = (BIT(VHOST_PCI_PEER_F_MRG_RXBUF + 1) - BIT(VHOST_PCI_PEER_F_GUEST_TSO4)) |
		BIT(VHOST_PCI_PEER_F_CSUM) | BIT(VHOST_PCI_PEER_F_GUEST_CSUM);
	uint64_t bits = port->peer_features & net;

	if (port->peer_features & (1ull << VHOST_F_LOG_ALL))
		bits |= 1ull << VHOST_PCI_PEER_F_LOG_ALL;
	return bits;
}

uint64_t ctrl_accepted_features(const struct port *port, uint64_t answer)
{
	uint64_t implied = 0;

	if (answer & HOST_SEGMENTS)
		implied |= BIT(VHOST_PCI_PEER_F_CSUM);
	if (answer & GUEST_SEGMENTS)
		implied |= BIT(VHOST_PCI_PEER_F_GUEST_CSUM);
	return answer | (implied & ctrl_peer_features(port));
}

static uint8_t *put(uint8_t *to, const void *from, uint32_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *header(const struct port *port, uint32_t request, uint8_t *buf)
{
	struct vhost_pci_ctrl h = { .request = request, .vhost_pci_id = port->config.vhost_pci_id };

	return put(buf, &h, sizeof(h));
}

uint32_t ctrl_encode_features(const struct port *port, uint8_t *buf)
{
	struct vhost_pci_ctrl_driver_feature_bits f = { .feature_bits = ctrl_peer_features(port) };

	return (uint32_t)(put(header(port, VHOST_PCI_CTRL_PEER_FEATURE_BITS, buf), &f, sizeof(f)) - buf);
}

/* Without an aperture peer memory is never visible to the driver: nothing to map, no regions. */
uint32_t ctrl_encode_mem(const struct port *port, uint8_t *buf)
{
	struct vhost_pci_ctrl_peer_mem_info m = { .need_map = VHOST_PCI_MEM_INFO_NEED_MAP_N };
	struct vhost_pci_mem_regions regions = { 0 };
	uint64_t offset[VHP_MBOX_MAX_REGIONS];
	uint8_t *at = header(port, VHOST_PCI_CTRL_PEER_MEM_INFO, buf);
	uint32_t bad;

	if (port->aperture && aperture_layout(port, offset, &bad)) {
		m.need_map = VHOST_PCI_MEM_INFO_NEED_MAP_Y;
		m.peer_mem = VHOST_PCI_APERTURE_BAR;
		regions.nregions = port->map.count;
	}
	at = put(at, &m, sizeof(m));
	at = put(at, &regions, sizeof(regions));
	for (uint32_t i = 0; i < regions.nregions; i++) {
		struct vhost_pci_mem_region row = {
			.gpa = port->map.regions[i].gpa,
			.size = port->map.regions[i].size,
			.bar_offset = offset[i],
		};

		at = put(at, &row, sizeof(row));
	}
	return (uint32_t)(at - buf);
}

static uint16_t virtq_flags(const struct port *port, const struct peer_vring *v)
{
	uint16_t flags = v->enabled ? VHOST_PCI_VIRTQ_F_ENABLED : 0;

	if (port->peer_features >> VHP_F_RING_EVENT_IDX & 1)
		flags |= VHOST_PCI_VIRTQ_F_EVENT_IDX;
	if (port->peer_features >> VHP_F_RING_INDIRECT_DESC & 1)
		flags |= VHOST_PCI_VIRTQ_F_INDIRECT_DESC;
	return flags;
}

uint32_t ctrl_encode_virtq(const struct port *port, uint8_t which, uint8_t *buf)
{
	struct vhost_pci_ctrl_peer_virtq_info info = { .tx_or_rx = which };
	unsigned int odd = which == VHOST_PCI_PEER_VIRTQ_TX;
	uint8_t *at = header(port, VHOST_PCI_CTRL_PEER_VIRTQ_INFO, buf);

	for (unsigned int pair = 0; pair < port->card->pairs; pair++) {
		if (port->vring[2 * pair + odd].num != 0)
			info.virtq_num = pair + 1;
	}
	at = put(at, &info, sizeof(info));
	for (unsigned int pair = 0; pair < info.virtq_num; pair++) {
		const struct peer_vring *v = &port->vring[2 * pair + odd];
		struct vhost_pci_virtq row = {
			.num = v->num,
			.desc = v->desc,
			.avail = v->avail,
			.used = v->used,
			.last_avail_idx = v->avail_idx,
			.flags = virtq_flags(port, v),
			.gsi = v->gsi,
		};

		at = put(at, &row, sizeof(row));
	}
	return (uint32_t)(at - buf);
}

uint32_t ctrl_encode_dirty_logging(const struct port *port, bool on, uint8_t *buf)
{
	struct vhost_pci_ctrl_dirty_page_logging l = {
		.off_or_on = on ? VHOST_PCI_DIRTY_PAGE_LOGGING_ON : VHOST_PCI_DIRTY_PAGE_LOGGING_OFF,
	};

	return (uint32_t)(put(header(port, VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING, buf), &l, sizeof(l)) - buf);
}

static bool parse_features(const uint8_t *payload, uint32_t len, struct ctrl_message *msg)
{
	struct vhost_pci_ctrl_driver_feature_bits f;

	if (len != sizeof(f))
		return false;
	memcpy(&f, payload, sizeof(f));
	msg->feature_bits = f.feature_bits;
	return true;
}

/* peer_mem is the driver's own address and other_mem_info its echo of ours: neither is used. */
static bool parse_mem(const struct port *port, const uint8_t *payload, uint32_t len)
{
	struct vhost_pci_ctrl_peer_mem_info m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, payload, sizeof(m));
	return m.need_map == VHOST_PCI_MEM_INFO_NEED_MAP_N ||
		(m.need_map == VHOST_PCI_MEM_INFO_NEED_MAP_Y && (port->config.flags & VHP_PORT_APERTURE));
}

static bool parse_mac(const uint8_t *payload, uint32_t len, struct ctrl_message *msg)
{
	static const uint8_t none[6];

	if (len != sizeof(struct vhost_pci_ctrl_mac))
		return false;
	memcpy(msg->mac, payload, sizeof(msg->mac));
	return !(msg->mac[0] & 1) && memcmp(msg->mac, none, sizeof(none)) != 0;
}

bool ctrl_parse(const struct port *port, const uint8_t *buf, uint32_t len, struct ctrl_message *msg)
{
	struct vhost_pci_ctrl h;
	const uint8_t *payload = buf + sizeof(h);

	if (len < sizeof(h))
		return false;
	memcpy(&h, buf, sizeof(h));
	len -= sizeof(h);
	msg->request = h.request;

	/* The driver learns vhost_pci_id from the device's first message, and may set the MAC before that. */
	if (h.request == VHOST_PCI_CTRL_MAC)
		return parse_mac(payload, len, msg);
	if (h.vhost_pci_id != port->config.vhost_pci_id)
		return false;
	if (h.request == VHOST_PCI_CTRL_PEER_FEATURE_BITS)
		return parse_features(payload, len, msg);
	if (h.request == VHOST_PCI_CTRL_PEER_MEM_INFO)
		return parse_mem(port, payload, len);
	return false;
}
