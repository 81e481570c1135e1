/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A vfio-user client that can also be rude: messages as the test wants them. Written for itself, so that it shares no mistake
 * with the server. Sockets are sockets/fnN.sock below the working directory; file descriptors are the caller's.
 */
#ifndef VHP_SIM_VFIO_USER_CLIENT_H
#define VHP_SIM_VFIO_USER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NO_REPLY 0x10u
#define CONFIG 7u /* region */

enum {
	VERSION = 1,
	DMA_MAP,
	DMA_UNMAP,
	GET_INFO,
	GET_REGION_INFO,
	GET_IRQ_INFO = 7,
	SET_IRQS,
	REGION_READ,
	REGION_WRITE,
	RESET = 13,
	WRITE_MULTI = 15
};

/** Body of REGION_READ and REGION_WRITE. */
struct access {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[64];
};

/** Connect, no message sent. @return a descriptor, or -1 */
int raw_connect(unsigned int fn);
/** Connect and agree on the version. @return a descriptor, or -1 */
int client(unsigned int fn);

/** A header of 16 bytes, in front of @p size - 16 bytes of body. */
void header(uint8_t h[16], unsigned int command, uint32_t size, uint32_t flags);
/** @return 0, or a negative errno */
int send_msg(int fd, unsigned int command, uint32_t flags, const void *body, size_t len, const int *fds,
	     unsigned int nfds);
/** @return length of the reply's body in @p buf, negative errno of an error reply, -ESHUTDOWN if the server hung up */
int recv_reply(int fd, unsigned int command, void *buf, size_t room);
/** A message and its reply; with @p buf NULL the reply's body is lost. @return as recv_reply */
int call(int fd, unsigned int command, const void *body, size_t len, const int *fds, unsigned int nfds, void *buf,
	 size_t room);
/** Closes @p fd. True if the server had hung up, or did then; what it sent before does not count. */
bool hung_up(int fd);

/** Commands. @return not negative; else as recv_reply */
int reg_read(int fd, uint32_t region, uint64_t offset, uint32_t count, uint32_t *v);
int reg_write(int fd, uint32_t region, uint64_t offset, uint32_t count, uint32_t v);
int dma_map(int fd, uint64_t iova, uint64_t size, uint64_t offset, int mem);
int dma_unmap(int fd, uint64_t iova, uint64_t size);
int set_irqs(int fd, uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds, unsigned int nfds);

#endif
