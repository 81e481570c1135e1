/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the two halves of the vfio-user server share: vfio_user.c has sockets, connections and the stream of messages,
 * vfio_user_commands.c what each message asks for.
 */
#ifndef VHP_SIM_VFIO_USER_IMPL_H
#define VHP_SIM_VFIO_USER_IMPL_H

#include <sys/un.h>

#include "vfio_user.h"
#include "vfio_user_proto.h"

#define VFU_CONNS 4u /**< one client, the others to be told that it is taken */

struct conn {
	int fd; /**< -1: free */
	bool refused, versioned, closing;
	uint8_t *in;
	size_t got, need;
	int fds[VFU_MAX_FDS]; /**< that came with the message; one that a command keeps becomes -1, the others are closed */
	unsigned int nfds;
	uint8_t *out;
	size_t out_len, out_room;
};

struct vfu_server {
	struct vfu_config cfg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listener;
	struct conn conns[VFU_CONNS];
	struct vfu_stats st;
};

/** A message that came whole. */
struct request {
	struct conn *c;
	struct vfio_user_header h; /**< host byte order */
	const uint8_t *body;	   /**< as it came: little endian, any contents */
	size_t len;
};

/** Do what the message asks and answer. @return 0: answered; a negative errno: not, the caller sends it */
int vfu_command(struct vfu_server *s, struct request *r);

/** Queue the answer: @p len bytes of @p body, then @p more_len of @p more. Nothing if the client wants none. */
void vfu_reply(struct vfu_server *s, const struct request *r, const void *body, size_t len, const void *more,
	       size_t more_len);
/** A line for the owner's log. */
void vfu_say(struct vfu_server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
