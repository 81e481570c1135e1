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
	*features = (FEATURES | (vdpa_port_pairs(port) > 1 ? BIT(VIRTIO_NET_F_MQ) : 0)) &
		~atomic_load(&port->not_offered);
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

bool vdpa_port_bind(struct vdpa_port *port, int vid)
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
	if (vdpa_watch_messages(vid))
		PORT_LOG(port, ERR, "rte_vhost does not let us see the messages of the front end");
	atomic_store(&port->not_offered, port->withheld);
	atomic_fetch_add(&port->fe_connects, 1);
	return true;
}

struct vdpa_port *vdpa_port_lock(int vid)
{
	struct vdpa_port *port = vdpa_port_of_vid(vid);

	if (!port)
		return NULL;
	pthread_mutex_lock(&port->lock);
	if (vdpa_port_bind(port, vid))
		return port;
	pthread_mutex_unlock(&port->lock);
	return NULL;
}

static int op_set_features(int vid)
{
	struct vdpa_port *port = vdpa_port_lock(vid);

	if (!port)
		return -ENODEV;
	rte_vhost_get_negotiated_features(vid, &port->features);
	pthread_mutex_unlock(&port->lock);
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
	struct vdpa_port *port = vdpa_port_lock(vid);
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
	pthread_mutex_unlock(&port->lock);
	return rc;
}

void vdpa_port_close(struct vdpa_port *port)
{
	vdpa_port_down(port);
	port->configured = false;
	port->lockless = false;
	if (port->phase != VDPA_IDLE && port->phase != VDPA_REFUSED)
		port->phase = VDPA_NEGOTIATING;
}

static int op_dev_close(int vid)
{
	struct vdpa_port *port = vdpa_port_lock(vid);

	if (!port)
		return 0;
	vdpa_port_close(port);
	pthread_mutex_unlock(&port->lock);
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
	struct vdpa_port *port = vdpa_port_lock(vid);
	int rc = 0;

	if (!port)
		return -EBUSY;
	if (vring < 0 || (unsigned int)vring >= 2 * vdpa_port_pairs(port)) {
		PORT_LOG(port, ERR, "vring %d: the port has %u queue pairs", vring, vdpa_port_pairs(port));
		rc = -EINVAL;
	} else if (state) {
		rc = vring_ready(port, (unsigned int)vring);
	} else {
		vring_gone(port, (unsigned int)vring);
	}
	pthread_mutex_unlock(&port->lock);
	return rc;
}

static int op_migration_done(int vid)
{
	struct vdpa_port *port = vdpa_port_lock(vid);

	if (!port)
		return -EBUSY;
	PORT_LOG(port, INFO, "the front end's guest has migrated to this host");
	pthread_mutex_unlock(&port->lock);
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
