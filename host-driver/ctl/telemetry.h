/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Client of DPDK's telemetry sockets (version 2: SEQPACKET, one JSON object per packet).
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <jansson.h>

#define TEL_MAX_SOCKETS 64

struct tel_socket {
	char path[108];
	char prefix[64]; /**< the process's --file-prefix */
};

/**
 * Find the sockets of DPDK processes.
 *
 * @param prefix  only that file prefix; NULL: all
 * @param path    only that socket; NULL: those in the runtime directories
 * @return how many are in @p sockets
 */
unsigned int tel_find(const char *prefix, const char *path, struct tel_socket sockets[TEL_MAX_SOCKETS]);
/** The directories that tel_find looks into, for messages. */
const char *tel_places(void);

/**
 * Send one command.
 *
 * @param[out] answer  what stands behind the command in the reply; the caller's
 * @return 0; -ENOENT: the process does not know the command, or the object it names; -ECONNREFUSED: nobody is there;
 *         -EPROTO: not telemetry; -ETIMEDOUT; other errors of the socket
 */
int tel_ask(const char *path, const char *command, json_t **answer);
const char *tel_strerror(int rc);

#endif
