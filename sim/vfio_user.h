/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * vfio-user server for one PCI function (protocol 0.0, QEMU docs/interop/vfio-user.rst), one client at a time.
 *
 * Everything is non-blocking: the owner polls the descriptors of vfu_poll_fds and calls vfu_process. A client that breaks
 * the protocol gets an error reply, or is disconnected if the stream cannot be trusted any more; a second client gets
 * EBUSY. Whatever a client does, the server stays, with no descriptor or memory of it left.
 *
 * Threads: a server belongs to one thread; the operations are called from vfu_process.
 */
#ifndef VHP_SIM_VFIO_USER_H
#define VHP_SIM_VFIO_USER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFU_REGIONS 9u /**< 0..5 BARs, 6 ROM, 7 configuration space, 8 VGA */
#define VFU_REGION_CONFIG 7u
#define VFU_MAX_XFER 65536u /**< bytes of one region access */
#define VFU_MAX_FDS 16u	    /**< descriptors of one message */
#define VFU_MAX_POLL 6u	    /**< descriptors a server polls at most */

#define VFU_PERM_READ 1u
#define VFU_PERM_WRITE 2u

/** What the function does. All return 0 or a negative errno, which goes to the client. */
struct vfu_ops {
	/** @p count bytes at @p offset, inside the region, 1..VFU_MAX_XFER. */
	int (*region_read)(void *arg, unsigned int region, uint64_t offset, void *buf, uint32_t count);
	int (*region_write)(void *arg, unsigned int region, uint64_t offset, const void *buf, uint32_t count);
	/** @p fd stays the server's; it is never negative (ranges without a descriptor are not reported). */
	int (*dma_map)(void *arg, uint64_t iova, uint64_t size, int fd, uint64_t offset, unsigned int perm);
	int (*dma_unmap)(void *arg, uint64_t iova, uint64_t size);
	int (*dma_unmap_all)(void *arg);
	/** Tie vector to an eventfd, which becomes the function's on success; -1 unties. */
	int (*set_irq)(void *arg, unsigned int vector, int fd);
	/** VFIO_IRQ_SET with DATA_NONE or DATA_BOOL: fire as a test. */
	int (*trigger_irq)(void *arg, unsigned int vector);
	int (*reset)(void *arg);
	/** A client is there; a client has gone: untie, unmap, reset. */
	void (*connected)(void *arg);
	void (*disconnected)(void *arg);
};

struct vfu_config {
	const char *path;
	uint64_t region_size[VFU_REGIONS]; /**< 0 = absent */
	unsigned int msix_vectors;
	const struct vfu_ops *ops;
	void *arg;
	/** One line about a client's mistake or coming and going; may be NULL. */
	void (*log)(void *arg, const char *text);
};

struct vfu_stats {
	uint64_t clients, refused, messages, errors, disconnected_for_fault;
};

struct vfu_server;

/**
 * Listen on the socket. A socket file that nobody listens on any more is replaced.
 *
 * @return 0; -EADDRINUSE: somebody serves it; -ENAMETOOLONG; other negative errno
 */
int vfu_create(const struct vfu_config *cfg, struct vfu_server **server);
/** Disconnect, remove the socket file. NULL is allowed. */
void vfu_destroy(struct vfu_server *s);
/** Fill up to VFU_MAX_POLL entries; their number. */
unsigned int vfu_poll_fds(const struct vfu_server *s, struct pollfd *fds);
/** Do what is ready, at most one message per client. True: something was done. */
bool vfu_process(struct vfu_server *s);
bool vfu_has_client(const struct vfu_server *s);
const struct vfu_stats *vfu_get_stats(const struct vfu_server *s);

#endif
