/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A simulated card answers in its own time. */
#define TIMEOUT_S 130
#define MAX_REPLY (64 * 1024)
#define MAX_PLACES 4

/* Where DPDK puts its runtime directories: root's, the user's, without XDG_RUNTIME_DIR, and for vhp-vdpad@.service. */
static unsigned int places(char out[MAX_PLACES][256])
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned int n = 0;

	snprintf(out[n++], 256, "/var/run/dpdk");
	if (xdg && *xdg)
		snprintf(out[n++], 256, "%s/dpdk", xdg);
	snprintf(out[n++], 256, "/tmp/dpdk");
	snprintf(out[n++], 256, "/run/vhost-pci-net/*/dpdk");
	return n;
}

const char *tel_places(void)
{
	static char text[MAX_PLACES * 260];
	char dirs[MAX_PLACES][256];
	unsigned int n = places(dirs);
	size_t used = 0;

	for (unsigned int i = 0; i < n && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "", dirs[i]);
	return text;
}

static void prefix_of(const char *path, char prefix[64])
{
	const char *end = strrchr(path, '/'), *begin = end;

	while (begin && begin > path && begin[-1] != '/')
		begin--;
	snprintf(prefix, 64, "%.*s", begin ? (int)(end - begin) : 0, begin ? begin : "");
}

unsigned int tel_find(const char *prefix, const char *path, struct tel_socket sockets[TEL_MAX_SOCKETS])
{
	char dirs[MAX_PLACES][256], pattern[1200];
	unsigned int n = 0, ndirs = places(dirs);

	if (path) {
		snprintf(sockets[0].path, sizeof(sockets[0].path), "%s", path);
		prefix_of(path, sockets[0].prefix);
		return 1;
	}
	for (unsigned int i = 0; i < ndirs; i++) {
		glob_t g;

		/* A second process with the same prefix and memory of its own adds ":1". */
		snprintf(pattern, sizeof(pattern), "%s/%s/dpdk_telemetry.v2*", dirs[i], prefix ? prefix : "*");
		if (glob(pattern, 0, NULL, &g))
			continue;
		for (size_t k = 0; k < g.gl_pathc && n < TEL_MAX_SOCKETS; k++) {
			if (strlen(g.gl_pathv[k]) >= sizeof(sockets[n].path))
				continue;
			strcpy(sockets[n].path, g.gl_pathv[k]);
			prefix_of(sockets[n].path, sockets[n].prefix);
			n++;
		}
		globfree(&g);
	}
	return n;
}

static int receive(int fd, char *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size - 1, 0);

	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (n == 0)
		return -EPROTO;
	buf[n] = '\0';
	return 0;
}

int tel_ask(const char *path, const char *command, json_t **answer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	json_t *reply = NULL;
	size_t name;
	char *buf;
	int fd, rc;

	*answer = NULL;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	buf = malloc(MAX_REPLY);
	rc = buf ? 0 : -ENOMEM;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!rc && connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		rc = errno == EPROTOTYPE ? -EPROTO : errno == ENOENT ? -ECONNREFUSED : -errno;
	if (!rc)
		rc = receive(fd, buf, MAX_REPLY); /* it introduces itself first */
	if (!rc && send(fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		rc = -errno;
	if (!rc)
		rc = receive(fd, buf, MAX_REPLY);
	if (rc == -EPIPE || rc == -ECONNRESET)
		rc = -EPROTO;
	if (!rc) {
		reply = json_loads(buf, 0, NULL);
		if (!json_is_object(reply) || json_object_size(reply) != 1)
			rc = -EPROTO;
	}
	if (!rc) {
		/* {"/command": answer}: the name comes without its parameters; null: unknown, or it failed. */
		const char *key = json_object_iter_key(json_object_iter(reply));

		name = strcspn(command, ",");
		*answer = json_object_iter_value(json_object_iter(reply));
		if (strlen(key) != name || strncmp(key, command, name))
			rc = -EPROTO;
		else if (json_is_null(*answer))
			rc = -ENOENT;
		*answer = rc ? NULL : json_incref(*answer);
	}
	json_decref(reply);
	free(buf);
	close(fd);
	return rc;
}

const char *tel_strerror(int rc)
{
	switch (rc) {
	case -ENOENT:
		return "the process does not know this port or command; is its vDPA plugin of the same version?";
	case -ECONNREFUSED:
		return "nobody answers there: the process has ended";
	case -EPROTO:
		return "this is not a DPDK telemetry socket, or the process ended while it answered";
	case -ETIMEDOUT:
		return "no answer: is the card or the simulation stuck?";
	case -EACCES:
		return "not allowed: run vhpctl as the user of that process";
	default:
		return strerror(-rc);
	}
}
