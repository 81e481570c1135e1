/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user side that is not an operation of the vDPA device: messages as they come in, sockets of our own. */
#include "vdpa.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>

/* --------------------------------------------------------------------------------------------------------- messages */

/* Head of every vhost-user message, and the payload of SET_MEM_TABLE. */
struct message {
	uint32_t request, flags, size;
	struct __rte_packed {
		uint32_t nregions, padding;
		struct {
			uint64_t gpa, size, user_addr, mmap_offset;
		} regions[VHP_MBOX_MAX_REGIONS];
	} memory;
} __rte_packed;

#define MESSAGE_NEED_REPLY 0x8u

static bool same_memory(const struct vdpa_port *port, const struct message *msg)
{
	if (msg->memory.nregions != port->num_regions)
		return false;
	for (unsigned int i = 0; i < port->num_regions; i++) {
		const struct vdpa_region *r = &port->regions[i];

		if (msg->memory.regions[i].gpa != r->gpa || msg->memory.regions[i].size != r->size ||
		    msg->memory.regions[i].user_addr != r->user_addr)
			return false;
	}
	return true;
}

/* @return false: the message may not reach rte_vhost */
static bool admit(struct vdpa_port *port, const struct message *msg)
{
	bool memory = msg->request == VHOST_USER_SET_MEM_TABLE;

	port->request = msg->request;
	if (port->configured && ((memory && !same_memory(port, msg)) || msg->request == VHOST_USER_SET_VRING_KICK)) {
		if (port->lockless) {
			PORT_LOG(
				port, WARNING,
				"the front end changes its %s while it runs, which DPDK 24.11 cannot do: disconnecting, it may "
				"connect again",
				memory ? "memory" : "vrings");
			return false;
		}
		if (memory)
			vdpa_port_close(port);
	}
	if (memory)
		port->memory_valid = false;
	return true;
}

static enum rte_vhost_msg_result before_message(int vid, void *raw)
{
	struct vdpa_port *port = vdpa_port_lock(vid);
	struct message *msg = raw;
	bool ok = true;

	if (port) {
		ok = admit(port, msg);
		pthread_mutex_unlock(&port->lock);
	}
	if (ok)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	msg->flags &= ~MESSAGE_NEED_REPLY; /* an error without a reply ends the connection */
	return RTE_VHOST_MSG_RESULT_ERR;
}

/* Not called for a message that failed: after a failed SET_MEM_TABLE rte_vhost has none and must not be asked for it. */
static enum rte_vhost_msg_result after_message(int vid, void *raw)
{
	struct vdpa_port *port = vdpa_port_lock(vid);

	(void)raw;
	if (port) {
		if (port->request == VHOST_USER_SET_MEM_TABLE)
			port->memory_valid = true;
		pthread_mutex_unlock(&port->lock);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

int vdpa_watch_messages(int vid)
{
	return rte_vhost_extern_callback_register(vid, &message_ops, NULL);
}

/* ---------------------------------------------------------------------------------------------- a socket of our own */

static int on_new_connection(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	bool ours;

	if (!port)
		return -1;
	pthread_mutex_lock(&port->lock);
	ours = vdpa_port_bind(port, vid);
	if (!ours)
		atomic_fetch_add(&port->fe_refused, 1);
	pthread_mutex_unlock(&port->lock);
	if (!ours) {
		PORT_LOG(port, ERR, "%s: a second front end is refused while the first is connected",
			 port->args->iface);
		return -1;
	}
	PORT_LOG(port, INFO, "%s: a front end connects", port->args->iface);
	return 0;
}

static int on_new_device(int vid)
{
	(void)vid;
	return 0; /* dev_conf decides: without "running" rte_vhost would not call dev_close */
}

static void on_destroy_device(int vid)
{
	(void)vid;
}

static const struct rte_vhost_device_ops notify_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.new_connection = on_new_connection,
};

/* What a killed process left behind may go; anything else in the way is an error. */
static int clear_path(struct vdpa_port *port)
{
	const char *path = port->args->iface;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		PORT_LOG(port, ERR, "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		PORT_LOG(port, ERR, "%s exists and is not a socket: give another iface=", path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strcpy(addr.sun_path, path);
	rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	close(fd);
	if (rc == -ECONNREFUSED) {
		PORT_LOG(port, INFO, "%s: removing the socket that a former process left", path);
		return unlink(path) ? -errno : 0;
	}
	PORT_LOG(port, ERR, "%s is in use by another process%s%s", path, rc ? ": " : "", rc ? strerror(-rc) : "");
	return -EADDRINUSE;
}

int vdpa_port_register(struct vdpa_port *port)
{
	const char *path = port->args->iface, *what;

	port->vdpa = rte_vdpa_register_device(&port->rte_dev, &vdpa_ops);
	if (!port->vdpa) {
		PORT_LOG(port, ERR, "rte_vhost does not take the vDPA device %s (is there one of that name?)",
			 port->name);
		return -EEXIST;
	}
	if (!path[0])
		return 0;
	if (!port->args->client && clear_path(port))
		return -EADDRINUSE;
	port->registered = true;
	what = "register the socket";
	if (rte_vhost_driver_register(path, port->args->client ? RTE_VHOST_USER_CLIENT : 0)) {
		port->registered = false;
		goto fail;
	}
	what = "attach the device to the socket";
	if (rte_vhost_driver_attach_vdpa_device(path, port->vdpa))
		goto fail;
	what = "limit the queues of the socket";
	if (rte_vhost_driver_set_max_queue_num(path, vdpa_port_pairs(port)))
		goto fail;
	what = "take over the socket's events";
	if (rte_vhost_driver_callback_register(path, &notify_ops))
		goto fail;
	what = port->args->client ? "connect to the socket" : "listen on the socket";
	if (rte_vhost_driver_start(path))
		goto fail;
	return 0;

fail:
	PORT_LOG(port, ERR, "%s: cannot %s: see what VHOST_CONFIG says", path, what);
	return -EIO;
}

void vdpa_port_unregister(struct vdpa_port *port)
{
	if (port->registered)
		rte_vhost_driver_unregister(port->args->iface);
	port->registered = false;
}
