/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Wire format of the vhost-pci-net device: the virtio specification patch "vhost-pci-net device" (the seed).
 *
 * Everything is little-endian and packed. Shared by firmware, drivers and tests; it holds nothing but layout.
 * Where later virtio versions use the same numbers otherwise, the seed wins for this device type (docs/architecture.md).
 */
#ifndef VHOST_PCI_H
#define VHOST_PCI_H

#include <stdint.h>

#define VHOST_PCI_NET_VIRTIO_ID 63u /**< unassigned by virtio; PCI device id is 0x1040 + this */
#define VHOST_PCI_NET_PCI_VENDOR 0x1af4u
#define VHOST_PCI_NET_PCI_DEVICE 0x107fu
#define VHP_PEER_PCI_VENDOR 0x10eeu /**< function 0 */
#define VHP_PEER_PCI_DEVICE 0x5650u

/* Device feature bits (seed, "Device feature bits"). */
#define VHOST_PCI_NET_F_MAC 0
#define VHOST_PCI_NET_F_CTRL_MAC_ADDR 1
#define VHOST_PCI_NET_F_MRG_RXBUF 2
/* Ours: the card copies; more than one queue pair. */
#define VHOST_PCI_NET_F_COPY_OFFLOAD 16
#define VHOST_PCI_NET_F_MQ 17
/* Device independent. VIRTIO_F_PV_INTERRUPT is the seed's meaning of bit 33. */
#define VHP_F_RING_INDIRECT_DESC 28
#define VHP_F_RING_EVENT_IDX 29
#define VHP_F_VERSION_1 32
#define VHP_F_PV_INTERRUPT 33

/*
 * Peer feature bits (seed, "Peer feature bits"); 7..15 are virtio-net's numbers. 0 and 1 are ours, virtio-net's numbers as well: its
 * segmentation bits require the checksum bits, for which the seed has none. A driver that accepts a segmentation bit has
 * accepted the checksum bit of that direction, whether its answer has it or not.
 */
#define VHOST_PCI_PEER_F_CSUM 0	      /**< the driver takes packets whose checksum is open */
#define VHOST_PCI_PEER_F_GUEST_CSUM 1 /**< so does the peer */
#define VHOST_PCI_PEER_F_GUEST_TSO4 7
#define VHOST_PCI_PEER_F_GUEST_TSO6 8
#define VHOST_PCI_PEER_F_GUEST_ECN 9
#define VHOST_PCI_PEER_F_GUEST_UFO 10
#define VHOST_PCI_PEER_F_HOST_TSO4 11
#define VHOST_PCI_PEER_F_HOST_TSO6 12
#define VHOST_PCI_PEER_F_HOST_ECN 13
#define VHOST_PCI_PEER_F_HOST_UFO 14
#define VHOST_PCI_PEER_F_MRG_RXBUF 15
#define VHOST_PCI_PEER_F_LOG_ALL 27 /**< 26 in vhost-user: the host driver translates */

/* ISR status bits. */
#define VHOST_PCI_ISR_QUEUE 0x1u
#define VHOST_PCI_ISR_CONFIG 0x2u
#define VHOST_PCI_ISR_PEER 0x4u

/* Offsets in virtio_pci_common_cfg after queue_used (seed; packed). */
#define VHOST_PCI_COMMON_PEER_CONNECTION 56
#define VHOST_PCI_COMMON_PEER_NUM_RX_QUEUES 58
#define VHOST_PCI_COMMON_PEER_RX_QUEUE_SELECT 60
#define VHOST_PCI_COMMON_PEER_RX_QUEUE_GSI 62
#define VHOST_PCI_COMMON_PEER_UUID_HI 66
#define VHOST_PCI_COMMON_PEER_UUID_LO 74
#define VHOST_PCI_COMMON_SIZE 82

/** The same block naturally aligned, located by VIRTIO_PCI_CAP_VENDOR_CFG in the capability list. */
struct vhost_pci_peer_block {
	uint16_t peer_connection;
	uint16_t peer_num_rx_queues;
	uint16_t peer_rx_queue_select;
	uint16_t reserved0;
	uint32_t peer_rx_queue_gsi;
	uint32_t reserved1;
	uint64_t peer_uuid_hi;
	uint64_t peer_uuid_lo;
};

/** Device configuration. */
struct __attribute__((packed)) vhost_pci_net_config {
	uint8_t mac[6];
	uint16_t status; /**< bit 0: link up, i.e. peer_connection 1 */
	uint16_t max_queue_pairs;
	uint16_t mtu;
};

/* Virtqueues: receiveq of pair i is 2 + 2i, transmitq 3 + 2i. */
#define VHOST_PCI_VQ_CTRL_RX 0
#define VHOST_PCI_VQ_CTRL_TX 1
#define VHOST_PCI_VQ_RX(pair) (2 + 2 * (pair))
#define VHOST_PCI_VQ_TX(pair) (3 + 2 * (pair))

/* Control messages. */
#define VHOST_PCI_CTRL_PEER_FEATURE_BITS 0u
#define VHOST_PCI_CTRL_PEER_MEM_INFO 1u
#define VHOST_PCI_CTRL_PEER_VIRTQ_INFO 2u
#define VHOST_PCI_CTRL_DIRTY_PAGE_LOGGING 3u
#define VHOST_PCI_CTRL_MAC 0x10000u

struct __attribute__((packed)) vhost_pci_ctrl {
	uint32_t request;
	uint64_t vhost_pci_id;
};

struct __attribute__((packed)) vhost_pci_ctrl_driver_feature_bits {
	uint64_t feature_bits;
};

#define VHOST_PCI_MEM_INFO_NEED_MAP_N 0
#define VHOST_PCI_MEM_INFO_NEED_MAP_Y 1
#define VHOST_PCI_APERTURE_BAR 2u
struct __attribute__((packed)) vhost_pci_ctrl_peer_mem_info {
	uint8_t need_map;
	uint64_t peer_mem; /**< need_map Y: number of the aperture BAR; N: 0. The driver's answer: its mapping's address */
};

/** other_mem_info: this, then nregions rows. */
struct __attribute__((packed)) vhost_pci_mem_regions {
	uint32_t nregions;
	uint32_t reserved;
};

struct __attribute__((packed)) vhost_pci_mem_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t bar_offset;
};

#define VHOST_PCI_PEER_VIRTQ_TX 0
#define VHOST_PCI_PEER_VIRTQ_RX 1
struct __attribute__((packed)) vhost_pci_ctrl_peer_virtq_info {
	uint8_t tx_or_rx;
	uint32_t virtq_num; /**< rows that follow */
};

#define VHOST_PCI_GSI_NONE 0xffffffffu
/** Value written to offset 0 of the peer interrupt page: a peer RX queue's index, or this with a peer TX queue's. */
#define VHOST_PCI_PEER_IRQ_TX 0x8000u

/* vhost_pci_virtq.flags: ours. A driver that copies has to know how the peer uses the ring. */
#define VHOST_PCI_VIRTQ_F_ENABLED 0x1u
#define VHOST_PCI_VIRTQ_F_EVENT_IDX 0x2u     /**< the peer negotiated VIRTIO_F_EVENT_IDX */
#define VHOST_PCI_VIRTQ_F_INDIRECT_DESC 0x4u /**< the peer negotiated VIRTIO_F_INDIRECT_DESC */
struct __attribute__((packed)) vhost_pci_virtq {
	uint32_t num;
	uint64_t desc; /**< peer guest-physical, as avail and used */
	uint64_t avail;
	uint64_t used;
	uint16_t last_avail_idx;
	uint16_t flags; /**< VHOST_PCI_VIRTQ_F_* */
	uint32_t gsi;
	uint32_t reserved;
};

#define VHOST_PCI_DIRTY_PAGE_LOGGING_OFF 0
#define VHOST_PCI_DIRTY_PAGE_LOGGING_ON 1
struct __attribute__((packed)) vhost_pci_ctrl_dirty_page_logging {
	uint8_t off_or_on;
};

struct __attribute__((packed)) vhost_pci_ctrl_mac {
	uint8_t mac[6];
};

_Static_assert(sizeof(struct vhost_pci_ctrl) == 12, "seed: 12-byte header");
_Static_assert(sizeof(struct vhost_pci_virtq) == 40, "virtq row is 40 bytes");
_Static_assert(sizeof(struct vhost_pci_peer_block) == 32, "aligned peer block");

#endif
