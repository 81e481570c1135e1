/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user side that is not an operation of the vDPA device: messages as they come in, sockets of our own. */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>

/* --------------------------------------------------------------------------------------------------------- messages */

/*
 * What rte_vhost 24.11 hands to those who see its messages, of which only the head and the payloads that matter here are
 * named. The driver loads with that release only.
 */
struct message {
	uint32_t request, flags, size;
	union {
		struct __rte_packed {
			uint32_t nregions, padding;
			struct {
				uint64_t gpa, size, user_addr, mmap_offset;
			} regions[VHP_MBOX_MAX_REGIONS];
		} memory;
		struct {
			uint64_t size, offset;
		} log;
		uint8_t largest[632];
	};
	int32_t fds[8], num_fds;
} __rte_packed;

#define MESSAGE_NEED_REPLY 0x8u

static bool same_memory(const struct vdpa_front *front, const struct message *msg)
{
	if (msg->memory.nregions != front->num_regions)
		return false;
	for (unsigned int i = 0; i < front->num_regions; i++) {
		const struct vdpa_region *r = &front->regions[i];

		if (msg->memory.regions[i].gpa != r->gpa || msg->memory.regions[i].size != r->size ||
		    msg->memory.regions[i].user_addr != r->user_addr)
			return false;
	}
	return true;
}

/* What belongs to features that are not offered, but that rte_vhost would handle all the same, with less checks. */
static bool not_offered(uint32_t request)
{
	return request >= VHOST_USER_IOTLB_MSG && request <= VHOST_USER_SET_INFLIGHT_FD;
}

/*
 * False: the connection ends. rte_vhost maps the log without its offset and marks beyond the mapping then; and it waits
 * for room to answer, with all other connections.
 */
static bool admit(struct vdpa_front *front, const struct message *msg)
{
	if (not_offered(msg->request)) {
		PORT_LOG(front->port, ERR, "the front end sends request %u, which it is not offered: disconnecting",
			 msg->request);
		return false;
	}
	if (!vdpa_conn_takes_answer(front)) {
		PORT_LOG(front->port, ERR, "the front end does not read the answers to its requests: disconnecting");
		return false;
	}
	if (msg->request == VHOST_USER_SET_LOG_BASE && msg->size >= sizeof(msg->log) && msg->log.offset) {
		PORT_LOG(front->port, ERR,
			 "the front end's log begins at offset 0x%" PRIx64
			 " of its file, which DPDK 24.11 cannot do: disconnecting",
			 msg->log.offset);
		return false;
	}
	return true;
}

/* As a message that rte_vhost refuses. An error without a reply ends the connection. */
static enum rte_vhost_msg_result drop(struct message *msg)
{
	for (int32_t i = 0; i < msg->num_fds && i < (int32_t)RTE_DIM(msg->fds); i++)
		close(msg->fds[i]);
	msg->num_fds = 0;
	msg->flags &= ~MESSAGE_NEED_REPLY;
	return RTE_VHOST_MSG_RESULT_ERR;
}

/* What a message changes under the card's feet is stopped first; dev_conf starts again when rte_vhost has handled it. */
static void prepare(struct vdpa_front *front, const struct message *msg)
{
	front->request = msg->request;
	front->asked |= msg->request == VHOST_USER_GET_FEATURES;
	vdpa_guard_mapped(front);
	if (msg->request == VHOST_USER_SET_MEM_TABLE || msg->request == VHOST_USER_SET_LOG_BASE)
		vdpa_guard_mapping(front);
	if (msg->request == VHOST_USER_SET_LOG_BASE)
		vdpa_guard_set(front, VDPA_GUARD_LOG, 0, 0);
	vdpa_log_pause(front->port, front->vid,
		       msg->request == VHOST_USER_SET_LOG_BASE || msg->request == VHOST_USER_SET_VRING_ADDR ||
			       msg->request == VHOST_USER_SET_VRING_KICK);
	if (msg->request == VHOST_USER_SET_MEM_TABLE) {
		front->memory_valid = front->memory_valid && front->configured && same_memory(front, msg);
		if (front->configured && !front->memory_valid) {
			PORT_LOG(front->port, INFO, "the front end's memory changes: stopping for it");
			vdpa_front_close(front);
		}
		for (unsigned int i = 0; !front->memory_valid && i < VHP_MBOX_MAX_REGIONS; i++)
			vdpa_guard_set(front, i, 0, 0);
	}
}

static enum rte_vhost_msg_result before_message(int vid, void *raw)
{
	struct vdpa_front *front = vdpa_front_lock(vid);
	bool ok = true;

	if (front) {
		ok = admit(front, raw);
		if (ok)
			prepare(front, raw);
		pthread_mutex_unlock(&front->port->lock);
	}
	return ok ? RTE_VHOST_MSG_RESULT_NOT_HANDLED : drop(raw);
}

/* A log that is shorter than it says would kill us at the first page. Its descriptor is gone: try its last byte. */
static bool log_is_whole(struct vdpa_front *front)
{
	uint64_t base = 0, size = 0;
	uint8_t byte;
	struct iovec to = { &byte, 1 }, from = { .iov_len = 1 };

	if (rte_vhost_get_log_base(front->vid, &base, &size) || size == 0)
		return false;
	vdpa_guard_set(front, VDPA_GUARD_LOG, base, size);
	from.iov_base = (void *)(uintptr_t)(base + size - 1);
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1 &&
		(front->port->active != front || !vdpa_front_logs(front) || vdpa_log_covers(front));
}

/* Not called for a message that failed: after a failed SET_MEM_TABLE rte_vhost has none and must not be asked for it. */
static enum rte_vhost_msg_result after_message(int vid, void *raw)
{
	struct vdpa_front *front = vdpa_front_lock(vid);
	bool ok = true;

	if (!front)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	switch (front->request) {
	case VHOST_USER_SET_MEM_TABLE:
		ok = vdpa_front_memory_check(front);
		front->memory_valid = ok;
		break;
	case VHOST_USER_SET_FEATURES:
		ok = front->port->active != front || !vdpa_port_log(front->port);
		break;
	case VHOST_USER_SET_LOG_BASE:
		ok = log_is_whole(front);
		if (!ok) {
			vdpa_log_forget(front->port, vid);
			PORT_LOG(front->port, ERR,
				 "the front end's log is shorter than it says, or than its memory: disconnecting");
		}
		break;
	}
	vdpa_guard_mapped(front);
	if (!ok && front->request != VHOST_USER_SET_FEATURES) /* that one is answered, and the migration given up */
		((struct message *)raw)->flags &= ~MESSAGE_NEED_REPLY;
	if (ok)
		vdpa_log_pause(front->port, vid, false);
	pthread_mutex_unlock(&front->port->lock);
	return ok ? RTE_VHOST_MSG_RESULT_NOT_HANDLED : RTE_VHOST_MSG_RESULT_ERR;
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
	struct vdpa_front *front;
	bool second;

	if (!port)
		return -1;
	pthread_mutex_lock(&port->lock);
	front = vdpa_front_bind(port, vid);
	second = port->active != NULL;
	if (!front)
		atomic_fetch_add(&port->fe_refused, 1);
	pthread_mutex_unlock(&port->lock);
	if (!front) {
		PORT_LOG(port, ERR, "%s: one more front end is refused: %u are connected", port->args->iface,
			 VDPA_FRONTS);
		return -1;
	}
	PORT_LOG(port, INFO, "%s: a front end connects%s", port->args->iface,
		 second ? ", to take over from the one that runs" : "");
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

int vdpa_port_listen(struct vdpa_port *port)
{
	const char *path = port->args->iface, *what = "register the socket";

	if (!port->args->client && clear_path(port))
		return -EADDRINUSE;
	if (rte_vhost_driver_register(path, port->args->client ? RTE_VHOST_USER_CLIENT : 0))
		goto fail;
	port->registered = true;
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

int vdpa_port_register(struct vdpa_port *port)
{
	port->vdpa = rte_vdpa_register_device(&port->rte_dev, &vdpa_ops);
	if (!port->vdpa) {
		PORT_LOG(port, ERR, "rte_vhost does not take the vDPA device %s (is there one of that name?)",
			 port->name);
		return -EEXIST;
	}
	return port->args->iface[0] ? vdpa_port_listen(port) : 0;
}

static void unregister(struct vdpa_port *port)
{
	if (port->registered)
		rte_vhost_driver_unregister(port->args->iface);
	port->registered = false;
}

void vdpa_port_unregister(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->socket_lock);
	port->closing = true;
	unregister(port);
	pthread_mutex_unlock(&port->socket_lock);
}

/*
 * The way to a connection's descriptor is rte_vhost's alone; its public way to close one is to close all of the socket and
 * open that again. A front end that connects again by itself (QEMU: reconnect-ms=) finds it.
 */
void vdpa_port_renegotiate(struct vdpa_port *port)
{
	bool wanted;

	pthread_mutex_lock(&port->lock);
	wanted = port->renegotiate;
	port->renegotiate = false;
	pthread_mutex_unlock(&port->lock);
	if (!wanted)
		return;
	pthread_mutex_lock(&port->socket_lock);
	if (!port->closing) {
		unregister(port);
		if (vdpa_port_listen(port))
			PORT_LOG(port, ERR, "%s cannot be opened again: restart this process", port->args->iface);
		else
			PORT_LOG(port, INFO, "%s: front ends may connect again", port->args->iface);
	}
	pthread_mutex_unlock(&port->socket_lock);
}
