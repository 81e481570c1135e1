/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * One vfio-user connection, client side: requests with their replies, and writes that want none. Private to this folder.
 *
 * Threads: every call may come from several threads, except connect and disconnect.
 */
#ifndef VFIO_USER_CLIENT_H
#define VFIO_USER_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vfio_user_proto.h"

#define VFU_CLIENT_FDS 16u     /**< of one message */
#define VFU_CLIENT_CHUNK 4096u /**< bytes of one region access */
#define VFU_CLIENT_POSTS 16u   /**< writes of one vfu_post */

struct vfu_client {
	int fd;
	uint32_t max_xfer; /**< bytes of one region access that the server takes too */
	uint32_t max_fds;
	atomic_bool broken;
	char failure[192]; /**< why, once broken */
	atomic_uint next_id;
	pthread_mutex_t request_lock;
	pthread_mutex_t send_lock;
	pthread_mutex_t failure_lock;
};

/** Connect and agree on the protocol. @return 0, or a negative errno and a sentence in @p err (may be NULL). */
int vfu_connect(struct vfu_client *c, const char *path, char *err, size_t errlen);
void vfu_disconnect(struct vfu_client *c);

/**
 * One request and its reply. @p reply gets at least @p min bytes and at most @p cap; what is longer is skipped.
 *
 * @return bytes of the reply's payload that were stored; the error in the reply; -ENODEV, -EPROTO or -ETIMEDOUT with the
 *         connection broken.
 */
int vfu_transact(struct vfu_client *c, enum vfio_user_command command, const struct iovec *parts, unsigned int nparts,
		 const int *fds, unsigned int nfds, void *reply, size_t min, size_t cap);

/** A region write. */
struct vfu_post {
	uint64_t offset;
	uint32_t region;
	uint32_t len;
	const void *data;
};

/** At most VFU_CLIENT_POSTS writes without reply, in order, with one system call. @return 0 or -ENODEV. */
int vfu_post(struct vfu_client *c, const struct vfu_post *posts, unsigned int n);

/** False once the connection is broken; also answers what the server sent unasked. */
bool vfu_alive(struct vfu_client *c);

/** The connection is over; the first reason is kept. Wakes a thread that waits for a reply. @return @p code */
int vfu_broke(struct vfu_client *c, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
