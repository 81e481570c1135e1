/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_common.h>

#include "vdpa_names.h"

#define BIT(n) (1ull << (n))

/*
 * What the card does; VHOST_F_LOG_ALL with LOG_SHMFD, where the card has a dirty page log:
 * without it QEMU refuses to migrate, and says so. STATUS, CTRL_VQ and MAC are QEMU's own business, a vhost-user back end
 * has no part in them.
 */
#define FEATURES                                                                                    \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MTU) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))
/*
 * With offloads=1. The card copies packets with their header: that their checksum is open, or that they are to be cut to
 * segments, is a matter between the two drivers, for which these bits are. What the driver in VM B refuses of CSUM and HOST_*
 * costs the front end its connection (vdpa_port.c), so they are for those who run a driver there that takes them.
 */
#define OFFLOADS                                                                                     \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |        \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_GUEST_CSUM) |    \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | \
	 BIT(VIRTIO_NET_F_GUEST_UFO))
#define PROTOCOL_FEATURES                                                                                            \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | \
	 BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_STATUS) | BIT(VHOST_USER_PROTOCOL_F_RARP))
#define NOTIFIER_FEATURES (BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER))

unsigned int vdpa_port_pairs(const struct vdpa_port *port)
{
	return port->args->pairs ? port->args->pairs : port->card->pairs;
}

/* ---------------------------------------------------------------------------------------------------- what we offer */

static int op_get_queue_num(struct rte_vdpa_device *vdpa, uint32_t *num)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);

	if (!port)
		return -ENODEV;
	*num = vdpa_port_pairs(port);
	return 0;
}

static int op_get_features(struct rte_vdpa_device *vdpa, uint64_t *features)
{
	struct vdpa_port *port = vdpa_port_find(vdpa);

	if (!port)
		return -ENODEV;
	*features = FEATURES;
	if (vdpa_port_pairs(port) > 1)
		*features |= BIT(VIRTIO_NET_F_MQ);
	if (port->card->log.usable)
		*features |= BIT(VHOST_F_LOG_ALL);
	if (port->args->offloads)
		*features |= OFFLOADS;
	*features = vdpa_usable_offloads(*features & ~(atomic_load(&port->not_offered) & ~BIT(VHOST_F_LOG_ALL)));
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
	if (port->card->log.usable)
		*features |= BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD);
	if (!vdpa_card_doorbell_page(port->card, port->index, 0, &fd, &offset, &size))
		*features |= NOTIFIER_FEATURES;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ one front end */

struct vdpa_front *vdpa_front_lock(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	struct vdpa_front *front;

	if (!port)
		return NULL;
	pthread_mutex_lock(&port->lock);
	front = vdpa_front_bind(port, vid);
	if (!front)
		pthread_mutex_unlock(&port->lock);
	return front;
}

static void unlock(struct vdpa_front *front)
{
	pthread_mutex_unlock(&front->port->lock);
}

static int op_set_features(int vid)
{
	struct vdpa_front *front = vdpa_front_lock(vid);

	if (!front)
		return -ENODEV;
	rte_vhost_get_negotiated_features(vid, &front->features);
	/* While it runs only LOG_ALL may change, as a migration begins or ends: see after_message, which can refuse. */
	unlock(front);
	return 0;
}

static int configure(struct vdpa_front *front)
{
	struct vdpa_port *port = front->port;
	int rc;

	if (front->condemned || atomic_load(&front->memory_lost))
		return -EFAULT; /* the event thread ends the connection */
	rte_vhost_get_negotiated_features(front->vid, &front->features);
	rte_vhost_get_negotiated_protocol_features(front->vid, &front->protocol);
	if (!(front->features & BIT(VIRTIO_F_VERSION_1))) {
		vdpa_front_refuse(front, "it did not negotiate VIRTIO_F_VERSION_1; the card has no legacy mode");
		return -EINVAL;
	}
	if (port->active) {
		vdpa_front_refuse(
			front,
			"another front end runs on this port; stop that one first (its guest, or migrate it to this one)");
		return -EBUSY;
	}
	rc = vdpa_front_memory_load(front);
	for (unsigned int i = 0; !rc && i < 2 * port->card->pairs; i++) {
		if (front->vring[i].ready)
			rc = vdpa_front_vring_load(front, i);
	}
	if (rc)
		return rc;
	port->active = front;
	if (port->held) {
		front->phase = VDPA_HELD;
		PORT_LOG(port, NOTICE, "a front end is ready, but the port is disconnected: vhpctl connect %u",
			 port->id);
		return 0;
	}
	rc = atomic_load(&port->card->lost) ? -ENODEV : vdpa_port_up(port);
	if (rc == -ENODEV && port->card->socket) {
		PORT_LOG(port, WARNING,
			 "a front end is ready, but the card is gone: it is served when the card is back");
		front->phase = VDPA_CARD_LOST;
		rc = 0;
	}
	if (rc)
		port->active = NULL;
	return rc;
}

static void greet(struct vdpa_front *front)
{
	struct vdpa_port *port = front->port;
	uint16_t mtu = 0, ours = port->args->mtu ? port->args->mtu : 1500;

	if (port->started) {
		PORT_LOG(port, INFO, "serving the front end, features 0x%" PRIx64, front->features);
		vdpa_notifier_start(port);
	}
	if (!rte_vhost_get_mtu(front->vid, &mtu) && mtu > ours)
		PORT_LOG(port, WARNING, "the front end's MTU is %u, but mtu=%u here: larger packets may be dropped",
			 mtu, ours);
}

/*
 * A configured device makes rte_vhost 24.11 handle messages without the vring locks, and it panics where it needs them after
 * all: SET_VRING_KICK, and SET_MEM_TABLE when a guest gets more memory. What "configured" would buy is nothing that this
 * driver does not do itself (before_message closes, this opens), so it never says that it is, which rte_vhost takes for a
 * failure and asks again after each message. vhp-vdpad leaves out the line that rte_vhost then logs.
 */
static int op_dev_conf(int vid)
{
	struct vdpa_front *front = vdpa_front_lock(vid);

	if (!front)
		return -EBUSY;
	if (!front->configured) {
		front->configured = configure(front) == 0;
		if (front->configured)
			greet(front);
	}
	unlock(front);
	return -EAGAIN;
}

static int op_dev_close(int vid)
{
	struct vdpa_front *front = vdpa_front_lock(vid);

	if (!front)
		return 0;
	vdpa_front_close(front);
	unlock(front);
	return 0;
}

/* The connection is over; guest memory is still mapped. */
static int op_dev_cleanup(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);
	struct vdpa_front *front;

	if (!port)
		return 0;
	pthread_mutex_lock(&port->lock);
	front = vdpa_front_of(port, vid);
	if (front) {
		vdpa_front_close(front);
		vdpa_log_pause(port, vid, false); /* a message that failed does not say that it is over */
		vdpa_log_forget(port, vid);
		if (port->notifier.vid == vid)
			vdpa_notifier_stop(port);
		vdpa_front_release(front);
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

static int vring_ready(struct vdpa_front *front, unsigned int index)
{
	struct vdpa_vring *q = &front->vring[index], old = *q;
	struct vdpa_port *port = front->port;
	struct rte_vhost_vring v = { 0 };
	int rc;

	if (rte_vhost_get_vhost_vring(front->vid, (uint16_t)index, &v))
		return -EINVAL;
	q->ready = true;
	rc = vdpa_relay_add(front, index, v.kickfd);
	if (rc || port->active != front)
		return rc; /* dev_conf takes it from here */
	rc = vdpa_front_vring_load(front, index);
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

static void vring_gone(struct vdpa_front *front, unsigned int index)
{
	struct vdpa_port *port = front->port;

	front->vring[index].ready = false;
	/* rte_vhost says "gone" and "ready" within these messages, to have the descriptor exchanged. */
	if (front->request == VHOST_USER_SET_VRING_CALL || front->request == VHOST_USER_SET_VRING_KICK)
		return;
	vdpa_relay_remove(front, index);
	if (port->active == front && port->started)
		vdpa_port_vring_off(port, index);
}

static int op_set_vring_state(int vid, int vring, int state)
{
	struct vdpa_front *front = vdpa_front_lock(vid);
	unsigned int num;
	int rc = 0;

	if (!front)
		return -EBUSY;
	num = 2 * vdpa_port_pairs(front->port);
	if (vring < 0 || (unsigned int)vring >= num) {
		PORT_LOG(front->port, ERR, "vring %d: the port has %u queue pairs", vring, num / 2);
		rc = -EINVAL;
	} else if (state) {
		rc = vring_ready(front, (unsigned int)vring);
	} else {
		vring_gone(front, (unsigned int)vring);
	}
	unlock(front);
	return rc;
}

/*
 * SEND_RARP, several times after a migration. The network behind the port has not changed with the guest's place: nothing has to
 * learn it again.
 */
static int op_migration_done(int vid)
{
	struct vdpa_front *front = vdpa_front_lock(vid);

	if (!front)
		return -EBUSY;
	if (!front->migrated) {
		front->migrated = true;
		atomic_fetch_add(&front->port->migrations, 1);
		PORT_LOG(front->port, INFO, "the front end's guest has migrated to this connection");
	}
	unlock(front);
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

	if (!port || vring < 0 || (unsigned int)vring >= 2 * vdpa_port_pairs(port))
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
	if (qid < 0 || (unsigned int)qid >= 2 * vdpa_port_pairs(port))
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

struct rte_vdpa_dev_ops vdpa_ops = {
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
