/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa_names.h"

#include <stdio.h>
#include <string.h>

#include "vhost_pci.h"
#include "vhp_mbox.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ull << (n))
#define VHOST_F_LOG_ALL_BIT 26

static const char *const vhost_net_bits[64] = {
	[0] = "CSUM",
	[1] = "GUEST_CSUM",
	[3] = "MTU",
	[5] = "MAC",
	[7] = "GUEST_TSO4",
	[8] = "GUEST_TSO6",
	[9] = "GUEST_ECN",
	[10] = "GUEST_UFO",
	[11] = "HOST_TSO4",
	[12] = "HOST_TSO6",
	[13] = "HOST_ECN",
	[14] = "HOST_UFO",
	[15] = "MRG_RXBUF",
	[16] = "STATUS",
	[17] = "CTRL_VQ",
	[18] = "CTRL_RX",
	[19] = "CTRL_VLAN",
	[21] = "GUEST_ANNOUNCE",
	[22] = "MQ",
	[23] = "CTRL_MAC_ADDR",
	[24] = "NOTIFY_ON_EMPTY",
	[VHOST_F_LOG_ALL_BIT] = "LOG_ALL",
	[27] = "ANY_LAYOUT",
	[28] = "INDIRECT_DESC",
	[29] = "EVENT_IDX",
	[30] = "PROTOCOL_FEATURES",
	[32] = "VERSION_1",
	[33] = "IOMMU_PLATFORM",
	[34] = "RING_PACKED",
	[35] = "IN_ORDER",
	[36] = "ORDER_PLATFORM",
};

static const char *const peer_bits[64] = {
	[VHOST_PCI_PEER_F_CSUM] = "CSUM",
	[VHOST_PCI_PEER_F_GUEST_CSUM] = "GUEST_CSUM",
	[VHOST_PCI_PEER_F_GUEST_TSO4] = "GUEST_TSO4",
	[VHOST_PCI_PEER_F_GUEST_TSO6] = "GUEST_TSO6",
	[VHOST_PCI_PEER_F_GUEST_ECN] = "GUEST_ECN",
	[VHOST_PCI_PEER_F_GUEST_UFO] = "GUEST_UFO",
	[VHOST_PCI_PEER_F_HOST_TSO4] = "HOST_TSO4",
	[VHOST_PCI_PEER_F_HOST_TSO6] = "HOST_TSO6",
	[VHOST_PCI_PEER_F_HOST_ECN] = "HOST_ECN",
	[VHOST_PCI_PEER_F_HOST_UFO] = "HOST_UFO",
	[VHOST_PCI_PEER_F_MRG_RXBUF] = "MRG_RXBUF",
	[VHOST_PCI_PEER_F_LOG_ALL] = "LOG_ALL",
};

static const char *const device_bits[64] = {
	[VHOST_PCI_NET_F_MAC] = "MAC",
	[VHOST_PCI_NET_F_CTRL_MAC_ADDR] = "CTRL_MAC_ADDR",
	[VHOST_PCI_NET_F_MRG_RXBUF] = "MRG_RXBUF",
	[VHOST_PCI_NET_F_COPY_OFFLOAD] = "COPY_OFFLOAD",
	[VHOST_PCI_NET_F_MQ] = "MQ",
	[VHP_F_RING_INDIRECT_DESC] = "INDIRECT_DESC",
	[VHP_F_RING_EVENT_IDX] = "EVENT_IDX",
	[VHP_F_VERSION_1] = "VERSION_1",
	[VHP_F_PV_INTERRUPT] = "PV_INTERRUPT",
};

static const char *const status_bits[64] = {
	[0] = "ACKNOWLEDGE", [1] = "DRIVER",	  [2] = "DRIVER_OK",
	[3] = "FEATURES_OK", [6] = "NEEDS_RESET", [7] = "FAILED",
};

const char *vdpa_bit_name(enum vdpa_bits set, unsigned int bit)
{
	if (bit > 63)
		return NULL;
	switch (set) {
	case VDPA_BITS_VHOST_NET:
		return vhost_net_bits[bit];
	case VDPA_BITS_PEER:
		return peer_bits[bit];
	case VDPA_BITS_DEVICE:
		return device_bits[bit];
	case VDPA_BITS_STATUS:
		return status_bits[bit];
	}
	return NULL;
}

void vdpa_feature_names(uint64_t bits, enum vdpa_bits set, char *text, size_t len)
{
	size_t used = 0;

	snprintf(text, len, "none");
	for (unsigned int bit = 0; bit < 64 && used < len; bit++) {
		const char *name = vdpa_bit_name(set, bit);
		int n;

		if (!(bits & BIT(bit)))
			continue;
		n = name ? snprintf(text + used, len - used, "%s%s", used ? ", " : "", name)
			 : snprintf(text + used, len - used, "%sbit %u", used ? ", " : "", bit);
		used += (size_t)n;
	}
}

#define SAME_BITS                                                                                               \
	(BIT(VHOST_PCI_PEER_F_CSUM) | BIT(VHOST_PCI_PEER_F_GUEST_CSUM) | BIT(VHOST_PCI_PEER_F_GUEST_TSO4) |     \
	 BIT(VHOST_PCI_PEER_F_GUEST_TSO6) | BIT(VHOST_PCI_PEER_F_GUEST_ECN) | BIT(VHOST_PCI_PEER_F_GUEST_UFO) | \
	 BIT(VHOST_PCI_PEER_F_HOST_TSO4) | BIT(VHOST_PCI_PEER_F_HOST_TSO6) | BIT(VHOST_PCI_PEER_F_HOST_ECN) |   \
	 BIT(VHOST_PCI_PEER_F_HOST_UFO) | BIT(VHOST_PCI_PEER_F_MRG_RXBUF))

uint64_t vdpa_peer_bits(uint64_t features)
{
	return (features & SAME_BITS) | (features & BIT(VHOST_F_LOG_ALL_BIT) ? BIT(VHOST_PCI_PEER_F_LOG_ALL) : 0);
}

uint64_t vdpa_peer_bits_to_vhost(uint64_t bits)
{
	return (bits & SAME_BITS) | (bits & BIT(VHOST_PCI_PEER_F_LOG_ALL) ? BIT(VHOST_F_LOG_ALL_BIT) : 0);
}

uint64_t vdpa_usable_offloads(uint64_t features)
{
	const unsigned int host = VHOST_PCI_PEER_F_HOST_TSO4, guest = VHOST_PCI_PEER_F_GUEST_TSO4;

	/* In both directions TSO4, TSO6, ECN, UFO in this order. */
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int first = i ? guest : host;

		if (!(features & BIT(i ? VHOST_PCI_PEER_F_GUEST_CSUM : VHOST_PCI_PEER_F_CSUM)))
			features &= ~(15ull << first);
		if (!(features & 3ull << first))
			features &= ~BIT(first + 2);
	}
	return features;
}

const char *vdpa_stop_reason(unsigned int reason)
{
	/* The order is vhp_pkg::stop_reason_e's. */
	static const char *const names[] = {
		"running",
		"not in use",
		"the avail index jumped by more than the queue size",
		"a head index is outside the queue",
		"a next index is outside the descriptor table",
		"a descriptor chain is a loop or too long",
		"a descriptor has length 0 or wraps around",
		"an address is outside the memory regions",
		"an indirect table inside an indirect table",
		"an indirect table that was not negotiated or has a bad length",
		"a writable descriptor where a readable one belongs, or the reverse",
		"a packet shorter than its header",
		"a packet longer than the card takes",
		"a read of guest memory failed",
		"a read of guest memory timed out",
		"the function may not access memory (bus master off or reset)",
	};

	return reason < COUNT(names) ? names[reason] : "unknown reason";
}

const char *vdpa_port_error(unsigned int error)
{
	static const char *const names[] = {
		[VHP_PERR_NONE] = "none",
		[VHP_PERR_CTRL_RING] = "the driver's control virtqueue is malformed",
		[VHP_PERR_CTRL_MESSAGE] = "the driver sent a malformed or unexpected control message",
		[VHP_PERR_CTRL_BUFFER] = "the driver's control receive buffer is too small",
		[VHP_PERR_DMA] = "the card could not reach memory",
		[VHP_PERR_TIMEOUT] = "the driver did not answer in time",
		[VHP_PERR_LANE] = "a lane stopped",
		[VHP_PERR_FEATURES] = "the peer's features do not work with this driver",
		[VHP_PERR_DRIVER] = "the driver gave up (FAILED in its device status)",
	};

	return error < COUNT(names) && names[error] ? names[error] : "unknown error";
}

const char *vdpa_port_state(unsigned int state)
{
	static const char *const names[] = {
		[VHP_PORT_DOWN] = "down",
		[VHP_PORT_WAIT_DRIVER] = "waiting for the driver",
		[VHP_PORT_FEATURES] = "exchanging features",
		[VHP_PORT_MEM] = "exchanging memory information",
		[VHP_PORT_VIRTQ] = "exchanging virtqueue information",
		[VHP_PORT_CONNECTED] = "connected",
		[VHP_PORT_CLOSING] = "closing",
		[VHP_PORT_FAILED] = "failed",
	};

	return state < COUNT(names) && names[state] ? names[state] : "unknown state";
}

void vdpa_event_text(unsigned int type, unsigned int arg, char *text, size_t len)
{
	switch (type) {
	case VHP_EVENT_CONNECTED:
		snprintf(text, len, "connected with the vhost-pci-net driver");
		break;
	case VHP_EVENT_DISCONNECTED:
		snprintf(text, len, "disconnected");
		break;
	case VHP_EVENT_CLOSE_REQUEST:
		snprintf(text, len, "the vhost-pci-net driver asks to disconnect");
		break;
	case VHP_EVENT_FEATURES:
		snprintf(text, len, "the vhost-pci-net driver accepts only some of the features");
		break;
	case VHP_EVENT_LANE_STOPPED:
		snprintf(text, len, "lane %u stopped: %s", arg & 0xff, vdpa_stop_reason(arg >> 8));
		break;
	case VHP_EVENT_ERROR:
		snprintf(text, len, "the connection failed: %s", vdpa_port_error(arg));
		break;
	case VHP_EVENT_DRIVER_RESET:
		snprintf(text, len, "the vhost-pci-net driver reset its device");
		break;
	default:
		snprintf(text, len, "unknown event %u (argument %u)", type, arg);
	}
}
