/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_common.h>

#define BIT(n) (1ull << (n))

/*
 * What the card does. No checksum and segmentation offloads: the card copies, the other end would have to finish the
 * packets, and its driver cannot say that it does. No VHOST_F_LOG_ALL: QEMU then refuses to migrate, and says so.
 * STATUS, CTRL_VQ and MAC are QEMU's own business, a vhost-user back end has no part in them.
 */
#define FEATURES                                                                                    \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MTU) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define PROTOCOL_FEATURES                                                                                            \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | \
	 BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_STATUS))
#define NOTIFIER_FEATURES (BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER))

/* Requests of the vhost-user protocol that matter here. */
#define VHOST_USER_SET_MEM_TABLE 5u
#define VHOST_USER_SET_VRING_KICK 12u
#define VHOST_USER_SET_VRING_CALL 13u

static unsigned int pairs_of(const struct vdpa_port *port)
{
	return port->args->pairs ? port->args->pairs : port->card->pairs;
}

/* ---------------------------------------------------------------------------------------------------- what we offer */

static int op_get_queue_num(struct rte_vdpa_device *vdpa, uint32_t *num)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);

	if (!port)
		return -ENODEV;
	*num = pairs_of(port);
	return 0;
}

static int op_get_features(struct rte_vdpa_device *vdpa, uint64_t *features)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);

	if (!port)
		return -ENODEV;
	*features = (FEATURES | (pairs_of(port) > 1 ? BIT(VIRTIO_NET_F_MQ) : 0)) & ~atomic_load(&port->not_offered);
	return 0;
}

static int op_get_protocol_features(struct rte_vdpa_device *vdpa, uint64_t *features)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);
	uint64_t offset, size;
	int fd;

	if (!port)
		return -ENODEV;
	*features = PROTOCOL_FEATURES;
	if (!vdpa_card_doorbell_page(port->card, port->index, 0, &fd, &offset, &size))
		*features |= NOTIFIER_FEATURES;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ one front end */

static enum rte_vhost_msg_result before_message(int vid, void *raw);
static enum rte_vhost_msg_result after_message(int vid, void *raw);

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

/* port.lock held. False: another front end has the port. */
static bool bind_vid(struct vdpa_port *port, int vid)
{
	if (port->vid == vid)
		return true;
	if (port->vid >= 0)
		return false;
	port->vid = vid;
	port->phase = VDPA_NEGOTIATING;
	port->request = 0;
	port->memory_valid = false;
	port->lockless = false;
	port->features = 0;
	if (rte_vhost_extern_callback_register(vid, &message_ops, NULL))
		PORT_LOG(port, ERR, "rte_vhost does not let us see the messages of the front end");
	atomic_store(&port->not_offered, port->withheld);
	atomic_fetch_add(&port->fe_connects, 1);
	return true;
}

static struct vdpa_port *lock_port(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);

	if (!port)
		return NULL;
	pthread_mutex_lock(&port->lock);
	if (bind_vid(port, vid))
		return port;
	pthread_mutex_unlock(&port->lock);
	return NULL;
}

static void unlock_port(struct vdpa_port *port)
{
	pthread_mutex_unlock(&port->lock);
}

static int op_set_features(int vid)
{
	struct vdpa_port *port = lock_port(vid);

	if (!port)
		return -ENODEV;
	rte_vhost_get_negotiated_features(vid, &port->features);
	unlock_port(port);
	return 0;
}

static int configure(struct vdpa_port *port)
{
	int rc;

	rte_vhost_get_negotiated_features(port->vid, &port->features);
	if (!(port->features & BIT(VIRTIO_F_VERSION_1))) {
		vdpa_port_refuse(port, "it did not negotiate VIRTIO_F_VERSION_1; the card has no legacy mode");
		return -EINVAL;
	}
	rc = vdpa_port_memory_load(port);
	for (unsigned int i = 0; !rc && i < 2 * port->card->pairs; i++) {
		if (port->vring[i].ready)
			rc = vdpa_port_vring_load(port, i);
	}
	if (rc)
		return rc;
	rc = atomic_load(&port->card->lost) ? -ENODEV : vdpa_port_up(port);
	if (rc == -ENODEV && port->card->socket) {
		PORT_LOG(port, WARNING,
			 "a front end is ready, but the card is gone: it is served when the card is back");
		port->phase = VDPA_CARD_LOST;
		rc = 0;
	}
	return rc;
}

static void greet(struct vdpa_port *port)
{
	uint16_t mtu = 0, ours = port->args->mtu ? port->args->mtu : 1500;
	uint64_t protocol = 0;

	if (port->started) {
		PORT_LOG(port, INFO, "serving the front end, features 0x%" PRIx64, port->features);
		vdpa_notifier_start(port);
	}
	if (!rte_vhost_get_mtu(port->vid, &mtu) && mtu > ours)
		PORT_LOG(port, WARNING, "the front end's MTU is %u, but mtu=%u here: larger packets may be dropped",
			 mtu, ours);
	rte_vhost_get_negotiated_protocol_features(port->vid, &protocol);
	port->lockless = protocol & BIT(VHOST_USER_PROTOCOL_F_STATUS);
	if (!port->lockless)
		PORT_LOG(port, INFO,
			 "an old front end: when rte_vhost says \"failed to configure vDPA device\", it did not fail");
}

/*
 * With a configured device rte_vhost 24.11 handles messages without the vring locks, and panics where it needs them after
 * all: SET_VRING_KICK and SET_MEM_TABLE. A front end with the STATUS feature sets up every vring before it lets us start,
 * so such messages are refused then (before_message). One without may start the first pair alone: it must not count as
 * configured, which rte_vhost can only be told as a failure.
 */
static int op_dev_conf(int vid)
{
	struct vdpa_port *port = lock_port(vid);
	int rc = 0;

	if (!port)
		return -EBUSY;
	if (!port->configured) {
		rc = configure(port);
		port->configured = rc == 0;
		if (!rc)
			greet(port);
	}
	if (!rc && !port->lockless)
		rc = -EAGAIN;
	unlock_port(port);
	return rc;
}

static void close_front_end(struct vdpa_port *port)
{
	vdpa_port_down(port);
	port->configured = false;
	port->lockless = false;
	if (port->phase != VDPA_IDLE && port->phase != VDPA_REFUSED)
		port->phase = VDPA_NEGOTIATING;
}

static int op_dev_close(int vid)
{
	struct vdpa_port *port = lock_port(vid);

	if (!port)
		return 0;
	close_front_end(port);
	unlock_port(port);
	return 0;
}

/* The connection is over; guest memory is still mapped. */
static int op_dev_cleanup(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);

	if (!port)
		return 0;
	pthread_mutex_lock(&port->lock);
	if (port->vid == vid) {
		vdpa_port_down(port);
		vdpa_notifier_stop(port);
		for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
			vdpa_relay_remove(port, i);
			port->vring[i] = (struct vdpa_vring){ .call_fd = -1, .kick_fd = -1 };
		}
		port->configured = false;
		port->vid = -1;
		port->phase = VDPA_IDLE;
		port->num_regions = 0;
		atomic_fetch_add(&port->fe_disconnects, 1);
		PORT_LOG(port, INFO, "the front end is gone");
	}
	pthread_mutex_unlock(&port->lock);
	return 0;
}

/* A signal on a new call fd covers an interrupt that went to the old one in the meantime. Never waits. */
static void signal_call(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;

	if (fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
		(void)!write(fd, &one, sizeof(one));
}

static int vring_ready(struct vdpa_port *port, unsigned int index)
{
	struct vdpa_vring *q = &port->vring[index], old = *q;
	struct rte_vhost_vring v = { 0 };
	int rc;

	if (rte_vhost_get_vhost_vring(port->vid, (uint16_t)index, &v))
		return -EINVAL;
	q->ready = true;
	rc = vdpa_relay_add(port, index, v.kickfd);
	if (rc || !port->configured)
		return rc; /* dev_conf takes it from here */
	rc = vdpa_port_vring_load(port, index);
	if (rc || !port->started)
		return rc;
	if (q->live && q->num == old.num && q->desc == old.desc && q->avail == old.avail && q->used == old.used) {
		/* Only a descriptor was exchanged: the card need not know. */
		rc = vdpa_card_set_call(port->card, port->index, index, q->call_fd);
		signal_call(q->call_fd);
	} else {
		vdpa_port_vring_off(port, index);
		rc = vdpa_port_vring_on(port, index);
	}
	vdpa_card_doorbell(port->card, port->index, index); /* for kicks that came in between */
	return rc;
}

static void vring_gone(struct vdpa_port *port, unsigned int index)
{
	port->vring[index].ready = false;
	/* rte_vhost says "gone" and "ready" within these messages, to have the descriptor exchanged. */
	if (port->request == VHOST_USER_SET_VRING_CALL || port->request == VHOST_USER_SET_VRING_KICK)
		return;
	vdpa_relay_remove(port, index);
	if (port->started)
		vdpa_port_vring_off(port, index);
}

static int op_set_vring_state(int vid, int vring, int state)
{
	struct vdpa_port *port = lock_port(vid);
	int rc = 0;

	if (!port)
		return -EBUSY;
	if (vring < 0 || (unsigned int)vring >= 2 * pairs_of(port)) {
		PORT_LOG(port, ERR, "vring %d: the port has %u queue pairs", vring, pairs_of(port));
		rc = -EINVAL;
	} else if (state) {
		rc = vring_ready(port, (unsigned int)vring);
	} else {
		vring_gone(port, (unsigned int)vring);
	}
	unlock_port(port);
	return rc;
}

static int op_migration_done(int vid)
{
	struct vdpa_port *port = lock_port(vid);

	if (!port)
		return -EBUSY;
	PORT_LOG(port, INFO, "the front end's guest has migrated to this host");
	unlock_port(port);
	return 0;
}

/* ------------------------------------------------------------------------------------------------- host notifier */

/* No port.lock: these run on the notifier thread, which dev_close waits for. */
static int op_get_vfio_device_fd(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	uint64_t offset, size;
	int fd;

	return port && !vdpa_card_doorbell_page(port->card, port->index, 0, &fd, &offset, &size) ? fd : -ENOTSUP;
}

static int op_get_notify_area(int vid, int vring, uint64_t *offset, uint64_t *size)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	int fd;

	if (!port || vring < 0 || (unsigned int)vring >= 2 * pairs_of(port))
		return -ENOTSUP;
	return vdpa_card_doorbell_page(port->card, port->index, (unsigned int)vring, &fd, offset, size);
}

/* ----------------------------------------------------------------------------------------------------- statistics */

static const char *const stat_names[] = { "packets", "bytes", "dropped", "interrupts", "kicks", "no_buffer" };

static int op_get_stats_names(struct rte_vdpa_device *vdpa, struct rte_vdpa_stat_name *names, unsigned int size)
{
	(void)vdpa;
	for (unsigned int i = 0; names && i < RTE_MIN(size, RTE_DIM(stat_names)); i++)
		snprintf(names[i].name, sizeof(names[i].name), "%s", stat_names[i]);
	return RTE_DIM(stat_names);
}

/* Per vring: an even one is the sink of its lane, an odd one the source. */
static int op_get_stats(struct rte_vdpa_device *vdpa, int qid, struct rte_vdpa_stat *stats, unsigned int n)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);
	struct vhp_mbox_port_stats s;
	unsigned int lane = (unsigned int)qid ^ 1; /* vring 0 (RX) is lane 1, vring 1 (TX) is lane 0 */
	int rc;

	if (!port)
		return -ENODEV;
	if (qid < 0 || (unsigned int)qid >= 2 * pairs_of(port))
		return -EINVAL;
	rc = vdpa_port_stats(port, &s);
	if (rc)
		return rc;
	const uint64_t values[RTE_DIM(stat_names)] = {
		s.lanes[lane].packets,
		s.lanes[lane].bytes,
		s.lanes[lane].dropped,
		qid % 2 ? s.lanes[lane].src_irqs : s.lanes[lane].snk_irqs,
		qid % 2 ? s.lanes[lane].src_kicks : s.lanes[lane].snk_kicks,
		s.lanes[lane].no_buffer,
	};
	n = RTE_MIN(n, RTE_DIM(stat_names));
	for (unsigned int i = 0; i < n; i++)
		stats[i] = (struct rte_vdpa_stat){ .id = i, .value = values[i] };
	return (int)n;
}

static int op_reset_stats(struct rte_vdpa_device *vdpa, int qid)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);

	(void)qid; /* the card reports a port at a time */
	return port ? vdpa_port_stats_reset(port) : -ENODEV;
}

static struct rte_vdpa_dev_ops ops = {
	.get_queue_num = op_get_queue_num,
	.get_features = op_get_features,
	.get_protocol_features = op_get_protocol_features,
	.dev_conf = op_dev_conf,
	.dev_close = op_dev_close,
	.dev_cleanup = op_dev_cleanup,
	.set_vring_state = op_set_vring_state,
	.set_features = op_set_features,
	.migration_done = op_migration_done,
	.get_vfio_device_fd = op_get_vfio_device_fd,
	.get_notify_area = op_get_notify_area,
	.get_stats_names = op_get_stats_names,
	.get_stats = op_get_stats,
	.reset_stats = op_reset_stats,
};

/* ------------------------------------------------------------------------------------------ messages, our own socket */

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
			close_front_end(port);
	}
	if (memory)
		port->memory_valid = false;
	return true;
}

static enum rte_vhost_msg_result before_message(int vid, void *raw)
{
	struct vdpa_port *port = lock_port(vid);
	struct message *msg = raw;
	bool ok = true;

	if (port) {
		ok = admit(port, msg);
		unlock_port(port);
	}
	if (ok)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	msg->flags &= ~MESSAGE_NEED_REPLY; /* an error without a reply ends the connection */
	return RTE_VHOST_MSG_RESULT_ERR;
}

/* Not called for a message that failed: after a failed SET_MEM_TABLE rte_vhost has none and must not be asked for it. */
static enum rte_vhost_msg_result after_message(int vid, void *raw)
{
	struct vdpa_port *port = lock_port(vid);

	(void)raw;
	if (port) {
		if (port->request == VHOST_USER_SET_MEM_TABLE)
			port->memory_valid = true;
		unlock_port(port);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static int on_new_connection(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	bool ours;

	if (!port)
		return -1;
	pthread_mutex_lock(&port->lock);
	ours = bind_vid(port, vid);
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

	port->vdpa = rte_vdpa_register_device(&port->rte_dev, &ops);
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
	if (rte_vhost_driver_set_max_queue_num(path, pairs_of(port)))
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
