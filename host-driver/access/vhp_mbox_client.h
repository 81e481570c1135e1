/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The host's end of function 0's mailbox (firmware/include/vhp_mbox.h).
 *
 * Threads: calls may come from several threads; one request is on its way at a time, the others wait.
 * Memory: the mailbox borrows the device, which must outlive it.
 */
#ifndef VHP_MBOX_CLIENT_H
#define VHP_MBOX_CLIENT_H

#include <pthread.h>

#include "vhp_access.h"
#include "vhp_mbox.h"

struct vhp_mbox {
	struct vhp_dev *dev;
	pthread_mutex_t lock;
	uint32_t seq;
	uint16_t detail; /**< reply.detail of the last call that returned a positive status */
};

struct vhp_mbox_event {
	uint8_t type; /**< enum vhp_event_type */
	uint8_t port;
	uint16_t arg;
};

/**
 * Check that @p dev is function 0 of a card with a register map that this code knows and wait for its firmware.
 *
 * @param timeout_ms  how long the firmware may still be booting
 * @param err         NULL, or gets a sentence that says what was wrong
 * @return 0; -ENODEV not function 0; -EPROTO unknown register map; -ETIMEDOUT still booting; -EIO the firmware
 *         reports a fatal error; the error of an access.
 */
int vhp_mbox_open(struct vhp_mbox *mbox, struct vhp_dev *dev, unsigned int timeout_ms, char *err, size_t errlen);
void vhp_mbox_close(struct vhp_mbox *mbox);

/**
 * One request and its reply.
 *
 * @param req, len    the request's payload
 * @param reply       gets the reply's payload; what a longer reply holds beyond @p replylen is cut off, what a shorter
 *                    one lacks is zero
 * @param timeout_ms  for the reply; a request that got none blocks the mailbox until the firmware answers it
 * @return 0; a positive enum vhp_mbox_status (the reply is filled for VHP_ST_TIMEOUT); -EMSGSIZE too long for the
 *         mailbox; -EBUSY an earlier request still has no reply; -ETIMEDOUT; -EPROTO not the reply to this request;
 *         the error of an access.
 */
int vhp_mbox_call(struct vhp_mbox *mbox, uint16_t op, uint16_t port, const void *req, size_t len, void *reply,
		  size_t replylen, unsigned int timeout_ms);

/**
 * Take the oldest event.
 *
 * @return 1 and the event; 0 if there is none; the error of an access.
 */
int vhp_mbox_event(struct vhp_mbox *mbox, struct vhp_mbox_event *event);

/** Name of a positive return of vhp_mbox_call, for messages. */
const char *vhp_mbox_strstatus(int status);

#endif
