/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of a connection. rte_vhost reads a message's payload and writes its answers blocking, on one thread for all
 * connections, and names a connection by a number: so its descriptor is looked up among those of the process, to limit
 * how long it can be waited for, and to be able to end one connection.
 */
#include "vdpa.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Front ends send a message in one piece: there is nothing to wait for. */
#define MESSAGE_TIMEOUT_MS 250

static bool has_name(int (*name_of)(int fd, struct sockaddr *addr, socklen_t *len), int fd, const char *path,
		     bool exact)
{
	struct {
		struct sockaddr_un addr;
		char end;
	} name = { 0 };
	socklen_t len = sizeof(name.addr);
	const char *base = strrchr(path, '/'), *other;

	if (name_of(fd, (struct sockaddr *)&name.addr, &len) || name.addr.sun_family != AF_UNIX ||
	    !name.addr.sun_path[0])
		return false;
	if (exact)
		return !strcmp(name.addr.sun_path, path);
	other = strrchr(name.addr.sun_path, '/');
	return !strcmp(other ? other + 1 : name.addr.sun_path, base ? base + 1 : path);
}

/*
 * One that we accepted has our path. One that we connected has the front end's, which may be written in another way but for
 * the last part.
 */
static bool connects(int fd, const char *path)
{
	socklen_t len = sizeof(int);
	int listens = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && !listens &&
		(has_name(getsockname, fd, path, true) || has_name(getpeername, fd, path, false));
}

static bool known(const struct vdpa_port *port, const struct stat *st)
{
	for (unsigned int i = 0; i < VDPA_FRONTS; i++) {
		if (port->front[i].conn_fd >= 0 && port->front[i].conn_inode == st->st_ino)
			return true;
	}
	return false;
}

void vdpa_conn_find(struct vdpa_front *front)
{
	const struct timeval limit = { .tv_usec = MESSAGE_TIMEOUT_MS * 1000 };
	DIR *fds = opendir("/proc/self/fd");
	unsigned int found = 0;
	struct dirent *e;
	char path[PATH_MAX] = "";

	if (rte_vhost_get_ifname(front->vid, path, sizeof(path)))
		path[0] = '\0';
	while (fds && path[0] && (e = readdir(fds))) {
		int fd = atoi(e->d_name);
		struct stat st;

		if (e->d_name[0] == '.' || fstat(fd, &st) || !S_ISSOCK(st.st_mode) || !connects(fd, path) ||
		    known(front->port, &st))
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (found++)
			continue;
		front->conn_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		front->conn_inode = st.st_ino;
	}
	if (fds)
		closedir(fds);
	if (found == 1 && front->conn_fd >= 0)
		return;
	PORT_LOG(front->port, WARNING, "%u connections look like the front end's: it cannot be closed alone", found);
	vdpa_conn_release(front);
}

void vdpa_conn_release(struct vdpa_front *front)
{
	if (front->conn_fd >= 0)
		close(front->conn_fd);
	front->conn_fd = -1;
}

bool vdpa_conn_takes_answer(const struct vdpa_front *front)
{
	struct pollfd p = { .fd = front->conn_fd, .events = POLLOUT };

	return front->conn_fd < 0 || poll(&p, 1, 0) != 0;
}

void vdpa_conn_close(struct vdpa_front *front)
{
	if (front->conn_fd >= 0)
		shutdown(front->conn_fd, SHUT_RDWR);
	else
		front->port->renegotiate = front->port->registered;
}
