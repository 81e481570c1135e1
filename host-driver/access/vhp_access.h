/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Access to one PCI function of the card, the same for a real card and for the simulation.
 *
 * Two back ends: a vfio-user socket of vhp-sim (vhp_dev_open_socket; protocol 0.0 of QEMU's
 * docs/interop/vfio-user.rst), and the kernel's VFIO through DPDK's PCI bus (vhp_dev_open_pci).
 *
 * Threads: calls on one device may come from several threads; each call is atomic. A call on the socket back end blocks
 * for one round trip; after the socket broke, every call returns -ENODEV (reads give all ones) and `vhp_dev_alive`
 * false. Memory: the device owns nothing of the caller's; file descriptors handed in are duplicated where they are kept.
 * Errors: negative errno.
 */
#ifndef VHP_ACCESS_H
#define VHP_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vhp_dev;
struct rte_pci_device;

/** BAR number for configuration space. */
#define VHP_BAR_CONFIG 7u

struct vhp_dev_info {
	uint16_t vendor, device;
	uint8_t revision;
	unsigned int num_msix; /**< vectors of the function */
	bool socket;	       /**< vfio-user back end */
	char name[128];	       /**< socket path or PCI address, for messages */
};

/**
 * Connect to vhp-sim. On failure @p err (if not NULL) gets a sentence that says what and where.
 *
 * @return 0; -ENOENT no such socket; -ECONNREFUSED nobody listens; -EPROTO not a vfio-user server, or an
 *         incompatible one; -ENODEV not a function of this card; other negative errno.
 */
int vhp_dev_open_socket(const char *path, struct vhp_dev **dev, char *err, size_t errlen);

/**
 * Take a PCI function that is bound to vfio-pci.
 *
 * @param own_container  true: the function gets a VFIO container of its own, whose DMA map is only what
 *                       vhp_dev_dma_map adds (function 0: IOVA = peer's guest-physical); false: it shares EAL's.
 */
int vhp_dev_open_pci(struct rte_pci_device *pci, bool own_container, struct vhp_dev **dev, char *err, size_t errlen);

/** Disable interrupts, unmap everything, disconnect, free. NULL is allowed. */
void vhp_dev_close(struct vhp_dev *dev);

const struct vhp_dev_info *vhp_dev_info(const struct vhp_dev *dev);
/** False once the function is gone. On the socket back end it also answers what the server sent unasked. */
bool vhp_dev_alive(struct vhp_dev *dev);
/** Why the device is no longer alive: a sentence, valid until close; NULL while it is alive. */
const char *vhp_dev_failure(struct vhp_dev *dev);
/**
 * A descriptor that polls readable when the state of the connection may have changed: call vhp_dev_alive then.
 *
 * @return the descriptor (owned by the device); -ENOTSUP if this back end has none.
 */
int vhp_dev_watch_fd(struct vhp_dev *dev);

/** Bytes of a BAR; 0 if the function does not have it. */
uint64_t vhp_dev_bar_size(struct vhp_dev *dev, unsigned int bar);

/** Access @p width (1, 2, 4, 8) bytes, little-endian; @p offset need not be aligned. VHP_BAR_CONFIG is configuration space. */
int vhp_dev_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t *value);
int vhp_dev_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t value);
/** Copy @p len bytes from or to a BAR, in dwords; offset and len multiples of 4. */
int vhp_dev_read_buf(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len);
int vhp_dev_write_buf(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len);

/**
 * Copy from or to a BAR that is memory behind the function, not registers (the aperture): any offset and length, in the
 * widest accesses that there are, since a read costs a round trip whatever its width. Writes are posted: they arrive in order,
 * and before what the same thread reads or writes later; one that fails is not reported.
 *
 * @param end  offset behind the last byte that may be read: up to there, whole aligned lines are read
 */
int vhp_dev_window_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len, uint64_t end);
int vhp_dev_window_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len);
/** Where a BAR is mapped in this process; NULL if it is not (on the socket back end every access is a message). */
void *vhp_dev_bar_address(struct vhp_dev *dev, unsigned int bar);

/**
 * Doorbell write: like vhp_dev_write of 2 bytes, but posted: on the socket back end it does not wait for the reply.
 * This is the fast path of both drivers; it never allocates.
 */
void vhp_dev_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value);

/**
 * Let the function reach [iova, iova + size).
 *
 * @param fd      socket back end: the shared memory behind the range (memfd, hugetlbfs), at @p offset;
 *                kernel back end: ignored
 * @param va      kernel back end: where the range is mapped here; socket back end: ignored
 */
int vhp_dev_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va);
int vhp_dev_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size);

/**
 * Tie MSI-X vectors [first, first + count) to eventfds; fds[i] = -1 unties. The eventfd is signalled by VFIO itself.
 * A vector can be changed while others are in use.
 */
int vhp_dev_set_irqs(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds);

/** Function level reset. Bus mastering is on again after it; MSI-X vectors must be tied again by the caller. */
int vhp_dev_reset(struct vhp_dev *dev);

/**
 * File descriptor, offset and size of a BAR page that a front end may map as its doorbell (host notifier).
 *
 * @return 0; -ENOTSUP if this back end cannot map it.
 */
int vhp_dev_mmap_info(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
		      uint64_t *size);

#endif
