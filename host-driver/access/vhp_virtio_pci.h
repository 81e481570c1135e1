/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Where the virtio structures of a vhost-pci-net function are.
 *
 * The function shows them in two ways (docs/architecture.md): one vendor capability in configuration space that names
 * a list of virtio_pci_cap structures inside a BAR, or, where the hard block has room for it, those structures in
 * configuration space itself (virtio 1.x, "PCI Device Layout"). Where the standard capabilities are, they are used.
 *
 * Nothing that the device says is believed: what is returned lies inside an existing BAR, is large enough for the
 * structure that it is said to hold, and is aligned as virtio demands.
 */
#ifndef VHP_VIRTIO_PCI_H
#define VHP_VIRTIO_PCI_H

#include "vhp_access.h"

struct vhp_virtio_area {
	uint8_t bar;
	uint32_t offset;
	uint32_t length; /**< 0: the function has no such structure */
};

struct vhp_virtio_pci {
	struct vhp_virtio_area common; /**< at least VHOST_PCI_COMMON_SIZE bytes */
	struct vhp_virtio_area notify;
	struct vhp_virtio_area isr;
	struct vhp_virtio_area device; /**< at least sizeof(struct vhost_pci_net_config) bytes */
	struct vhp_virtio_area peer;   /**< aligned peer block; optional */
	uint32_t notify_multiplier;    /**< bytes between two steps of queue_notify_off */
};

/**
 * Find the structures of @p dev.
 *
 * @param err  NULL, or gets a sentence that says what was wrong and where
 * @return 0; -EPROTO if a structure is missing or malformed; the error of a failed access.
 */
int vhp_virtio_pci_find(struct vhp_dev *dev, struct vhp_virtio_pci *out, char *err, size_t errlen);

/**
 * Offset in the notify BAR of a queue's doorbell.
 *
 * @param notify_off  queue_notify_off of the queue, as the device gave it
 * @return 0; -ERANGE if it lies outside the notify structure.
 */
int vhp_virtio_pci_doorbell(const struct vhp_virtio_pci *v, uint16_t notify_off, uint64_t *offset);

#endif
