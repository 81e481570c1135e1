/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <linux/virtio_config.h>
#include <rte_common.h>

#include "vdpa_names.h"
#include "vhost_pci.h"

#define BIT(n) (1ull << (n))

/*
 * Features that the device side may simply stop using while the guest believes in them: it only ever sends such packets
 * or buffers of its own accord.
 */
#define DROPPABLE                                                                                    \
	(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO))

/* What --offloads asks of the vhost-pci-net driver. */
#define HOST_OFFLOADS                                                                         \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO))

/* ------------------------------------------------------------------------------------------------ configuration */

int vdpa_port_configure(struct vdpa_port *port)
{
	const struct vdpa_port_args *a = port->args;
	struct vhp_mbox_port_config config = {
		.flags = (a->pv_interrupt ? VHP_PORT_PV_INTERRUPT : 0) | (a->aperture ? VHP_PORT_APERTURE : 0) |
			(a->has_mac ? VHP_PORT_MAC : 0),
		.mtu = a->mtu,
		.max_queue_pairs = (uint16_t)a->pairs,
		.vhost_pci_id = a->vhost_pci_id,
		.uuid_hi = a->uuid_hi,
		.uuid_lo = a->uuid_lo,
		.connect_timeout_ms = a->connect_timeout_ms,
	};
	int rc;

	memcpy(config.mac, a->mac, sizeof(config.mac));
	rc = vdpa_card_call(port->card, VHP_OP_PORT_CONFIG, port->index, &config, sizeof(config), NULL, 0);
	if (rc == -EIO && a->aperture)
		PORT_LOG(port, ERR, "a card without aperture refuses aperture=1: leave it out");
	return rc;
}

/* ----------------------------------------------------------------------------------------------- vrings of the card */

uint32_t vdpa_port_gsi(const struct vdpa_port *port, unsigned int vring)
{
	const struct vdpa_port_args *a = port->args;
	unsigned int queue = vring / 2;

	if (vring % 2)
		return VHP_GSI_NONE;
	if (a->num_gsi == 0)
		return VHP_PEER_VECTOR(port->index, vring);
	/* One number: the first of a row; more: one each, and queues beyond the list have none. */
	if (a->num_gsi == 1)
		return a->gsi[0] + queue;
	return queue < a->num_gsi ? a->gsi[queue] : VHP_GSI_NONE;
}

int vdpa_port_vring_on(struct vdpa_port *port, unsigned int index)
{
	struct vdpa_front *front = port->active;
	struct vdpa_vring *q = &front->vring[index];
	struct vhp_mbox_peer_vring req = {
		.index = (uint16_t)index,
		.flags = VHP_VRING_ENABLE,
		.num = q->num,
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.gsi = vdpa_port_gsi(port, index),
		.msix_vector = (uint16_t)VHP_PEER_VECTOR(port->index, index),
	};
	int rc;

	if (rte_vhost_get_vring_base(front->vid, (uint16_t)index, &req.last_avail_idx, &req.last_used_idx))
		return -EINVAL;
	/* The vector stays with the vring even while it has no call fd: one can come at any time. */
	rc = vdpa_card_set_call(port->card, port->index, index, q->call_fd);
	if (rc) {
		PORT_LOG(port, ERR, "vring %u: cannot tie MSI-X vector %u to the call descriptor: %s", index,
			 VHP_PEER_VECTOR(port->index, index), strerror(-rc));
		return rc;
	}
	rc = vdpa_card_call(port->card, VHP_OP_PEER_VRING, port->index, &req, sizeof(req), NULL, 0);
	if (rc < 0) {
		vdpa_card_set_call(port->card, port->index, index, -1);
		return rc;
	}
	q->live = true;
	PORT_LOG(port, DEBUG,
		 "vring %u on: %u entries, desc 0x%" PRIx64 " avail 0x%" PRIx64 " used 0x%" PRIx64 ", index %u/%u",
		 index, q->num, q->desc, q->avail, q->used, req.last_avail_idx, req.last_used_idx);
	return 0;
}

static void set_base(struct vdpa_port *port, unsigned int index, uint16_t avail, uint16_t used)
{
	if (rte_vhost_set_vring_base(port->active->vid, (uint16_t)index, avail, used))
		PORT_LOG(port, ERR, "vring %u: rte_vhost does not take the indices %u/%u", index, avail, used);
}

/*
 * Nobody can ask a dead card how far it came, and a lane that did not stop in time has not said it. Chains are completed
 * in order, so what the used ring does not show was not done, and the next owner begins there.
 */
static void base_from_ring(struct vdpa_port *port, unsigned int index)
{
	uint16_t used = __atomic_load_n(&port->active->vring[index].used_hva->idx, __ATOMIC_ACQUIRE);

	set_base(port, index, used, used);
}

static void take_bases(struct vdpa_port *port, const struct vhp_mbox_vring_bases *bases, int only)
{
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		if (!port->active->vring[i].live || (only >= 0 && i != (unsigned int)only))
			continue;
		if (bases)
			set_base(port, i, bases->last_avail_idx[i], bases->last_used_idx[i]);
		else
			base_from_ring(port, i);
	}
}

void vdpa_port_vring_off(struct vdpa_port *port, unsigned int index)
{
	struct vhp_mbox_peer_vring req = { .index = (uint16_t)index, .gsi = VHP_GSI_NONE, .msix_vector = 0xffff };
	struct vdpa_vring *q = &port->active->vring[index];
	struct vhp_mbox_vring_bases bases;
	int rc;

	if (!q->live)
		return;
	rc = vdpa_card_call(port->card, VHP_OP_PEER_VRING, port->index, &req, sizeof(req), NULL, 0);
	if (!rc)
		rc = vdpa_card_call(port->card, VHP_OP_VRING_BASES, port->index, NULL, 0, &bases, sizeof(bases));
	take_bases(port, rc ? NULL : &bases, (int)index);
	vdpa_card_set_call(port->card, port->index, index, -1);
	q->live = false;
	PORT_LOG(port, DEBUG, "vring %u off", index);
}

/* ------------------------------------------------------------------------------------------------------ up and down */

static void unmap_all(struct vdpa_front *front, unsigned int count)
{
	while (count--)
		vdpa_card_unmap(front->port->card, front->regions[count].iova, front->regions[count].size);
}

static int map_all(struct vdpa_port *port)
{
	struct vdpa_front *front = port->active;
	struct vhp_mbox_peer_mem mem = { .nregions = front->num_regions };

	for (unsigned int i = 0; i < front->num_regions; i++) {
		struct vdpa_region *r = &front->regions[i];
		int rc = vdpa_card_map(port->card, r->gpa, r->size, r->fd, r->offset, r->hva, &r->iova);

		if (rc) {
			vdpa_front_refuse(front,
					  "cannot map memory region %u (guest-physical 0x%" PRIx64 ", 0x%" PRIx64
					  " bytes) for the card: %s",
					  i, r->gpa, r->size, strerror(-rc));
			unmap_all(front, i);
			return rc;
		}
		mem.regions[i] = (struct vhp_mbox_region){ .gpa = r->gpa, .size = r->size, .iova = r->iova };
		PORT_LOG(port, DEBUG, "region %u: guest-physical 0x%" PRIx64 " size 0x%" PRIx64 " iova 0x%" PRIx64, i,
			 r->gpa, r->size, r->iova);
	}
	if (vdpa_card_call(port->card, VHP_OP_PEER_MEM, port->index, &mem, sizeof(mem), NULL, 0)) {
		vdpa_front_refuse(front, "the card does not take its memory table%s",
				  port->args->aperture ? ": does it fit the aperture? Without aperture=1 any size does"
						       : "");
		unmap_all(front, front->num_regions);
		return -EIO;
	}
	return 0;
}

int vdpa_port_log(struct vdpa_port *port)
{
	if (!port->started)
		return 0;
	if (vdpa_front_logs(port->active))
		return vdpa_log_start(port->active);
	vdpa_log_stop(port);
	return 0;
}

static int stop_card(struct vdpa_port *port, uint32_t flags, struct vhp_mbox_vring_bases *bases)
{
	struct vhp_mbox_port_stop stop = { .flags = flags };

	return vdpa_card_call(port->card, VHP_OP_PORT_STOP, port->index, &stop, sizeof(stop), bases, sizeof(*bases));
}

/* Interrupts, mappings and the relay; the card itself is quiet or dead. */
static void release(struct vdpa_port *port)
{
	struct vdpa_front *front = port->active;

	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		if (front->vring[i].live)
			vdpa_card_set_call(port->card, port->index, i, -1);
		front->vring[i].live = false;
	}
	unmap_all(front, front->num_regions);
	port->started = false;
}

/*
 * What the vhost-pci-net driver hears: LOG_ALL before anybody logs, as vhost-user negotiates it only when a migration begins
 * and the driver is asked once.
 */
static uint64_t features_for_card(const struct vdpa_port *port)
{
	const struct vdpa_front *front = port->active;
	uint64_t features = front->features & ~BIT(VHOST_F_LOG_ALL);

	if (port->card->log.usable && front->protocol & BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD))
		features |= BIT(VHOST_F_LOG_ALL);
	return vdpa_usable_offloads(features & ~port->withheld);
}

int vdpa_port_up(struct vdpa_port *port)
{
	struct vhp_mbox_peer_features features = { .features = features_for_card(port) };
	struct vdpa_front *front = port->active;
	struct vhp_mbox_vring_bases bases;
	int rc, stopped;

	rc = vdpa_card_call(port->card, VHP_OP_PEER_FEATURES, port->index, &features, sizeof(features), NULL, 0);
	if (rc) {
		vdpa_front_refuse(front, "the card does not take the features 0x%" PRIx64, features.features);
		return rc;
	}
	port->given = features.features;
	rc = map_all(port);
	if (rc)
		return rc;
	rc = vdpa_relay_start(port);
	for (unsigned int i = 0; !rc && i < 2 * port->card->pairs; i++) {
		if (front->vring[i].ready)
			rc = vdpa_port_vring_on(port, i);
	}
	if (!rc && vdpa_front_logs(front))
		rc = vdpa_log_start(front);
	if (!rc)
		rc = vdpa_card_call(port->card, VHP_OP_PORT_START, port->index, NULL, 0, NULL, 0);
	if (rc) {
		vdpa_relay_stop(port);
		vdpa_log_stop(port);
		stopped = stop_card(port, 0, &bases);
		if (stopped >= 0)
			take_bases(port, stopped == VDPA_FORCED ? NULL : &bases, -1);
		release(port);
		vdpa_front_refuse(front, "the card does not start: %s", strerror(-rc));
		return rc;
	}
	port->started = true;
	front->phase = VDPA_UP;
	/* Kicks that came before the rings were known are gone: look once. */
	for (unsigned int i = 0; i < 2 * port->card->pairs; i++) {
		if (front->vring[i].live)
			vdpa_card_doorbell(port->card, port->index, i);
	}
	return 0;
}

static void down(struct vdpa_port *port, uint32_t flags)
{
	struct vhp_mbox_vring_bases bases;
	int rc;

	if (!port->started)
		return;
	vdpa_notifier_stop(port);
	vdpa_relay_stop(port);
	rc = stop_card(port, flags, &bases);
	vdpa_log_stop(port); /* the last pages, the used rings' among them */
	take_bases(port, rc ? NULL : &bases, -1);
	release(port);
	port->active->phase = VDPA_NEGOTIATING;
}

void vdpa_port_down(struct vdpa_port *port)
{
	down(port, 0);
}

bool vdpa_port_hold(struct vdpa_port *port, bool hold)
{
	if (port->held == hold)
		return false;
	port->held = hold;
	port->withheld = 0;
	port->balks = 0;
	if (hold && port->started)
		down(port, VHP_STOP_GRACEFUL);
	if (hold && port->active)
		port->active->phase = VDPA_HELD;
	if (!hold && port->active && !port->started && !atomic_load(&port->card->lost))
		vdpa_port_up(port);
	PORT_LOG(port, NOTICE, "%s by management", hold ? "disconnected" : "connected again");
	return true;
}

/* ---------------------------------------------------------------------------------------------------- card events */

uint64_t vdpa_port_must_tell(const struct vdpa_port *port, uint64_t features)
{
	/* The card logs all that is written, whatever its driver thinks. */
	features &= ~BIT(VHOST_F_LOG_ALL);
	return port->args->renegotiate && port->balks < VDPA_BALKS ? features : features & ~DROPPABLE;
}

/*
 * The driver took only part of the peer's features. What only the device uses is left out without the front end, unless
 * management wants it told; for anything else it has to negotiate anew, which vhost-user does not let a back end ask for:
 * only a new connection does it.
 */
static void restart_with_subset(struct vdpa_port *port)
{
	struct vdpa_front *front = port->active;
	struct vhp_mbox_port_status status;
	uint64_t dropped, told;
	char words[256];

	if (!port->started ||
	    vdpa_card_call(port->card, VHP_OP_PORT_STATUS, port->index, NULL, 0, &status, sizeof(status)))
		return;
	dropped = vdpa_peer_bits_to_vhost(vdpa_peer_bits(port->given) & ~status.driver_accepted);
	if (dropped == 0)
		return;
	vdpa_feature_names(dropped, VDPA_BITS_VHOST_NET, words, sizeof(words));
	port->withheld |= dropped;
	told = vdpa_port_must_tell(port, dropped);
	vdpa_port_down(port);
	if (!told) {
		PORT_LOG(port, NOTICE, "the vhost-pci-net driver refuses %s: starting again without", words);
		vdpa_port_up(port);
	} else if (port->registered) {
		PORT_LOG(
			port, NOTICE,
			"the vhost-pci-net driver refuses %s: disconnecting the front end, which has to negotiate again",
			words);
		if (told & HOST_OFFLOADS)
			PORT_LOG(
				port, NOTICE,
				"large packets want a program there with the LRO receive offload; else leave --offloads out");
		port->renegotiate = true;
	} else {
		vdpa_front_refuse(
			front,
			"the vhost-pci-net driver refuses %s, which the front end uses; restart the front end, "
			"which is not offered it any more",
			words);
	}
}

static void record(struct vdpa_port *port, unsigned int type, unsigned int arg)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&port->events_lock);
	port->events[port->num_events++ % VDPA_EVENTS] = (struct vdpa_event_record){
		.time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.type = (uint16_t)type,
		.arg = (uint16_t)arg,
	};
	pthread_mutex_unlock(&port->events_lock);
}

void vdpa_port_event(struct vdpa_port *port, unsigned int type, unsigned int arg)
{
	bool bad = type == VHP_EVENT_LANE_STOPPED || type == VHP_EVENT_ERROR || type > VHP_EVENT_DRIVER_RESET;
	struct vdpa_front *front;
	char text[160];

	record(port, type, arg);
	vdpa_event_text(type, arg, text, sizeof(text));
	if (bad)
		PORT_LOG(port, ERR, "%s", text);
	else
		PORT_LOG(port, NOTICE, "%s", text);
	pthread_mutex_lock(&port->lock);
	front = port->active;
	switch (type) {
	case VHP_EVENT_CONNECTED:
		if (front && front->phase == VDPA_CLOSED_BY_DRIVER)
			front->phase = VDPA_UP;
		break;
	case VHP_EVENT_CLOSE_REQUEST:
		atomic_fetch_add(&port->close_requests, 1);
		/* Started again the card waits: a driver that disconnected gets no connection before it has reset. */
		vdpa_port_down(port);
		if (front && !port->held && !vdpa_port_up(port)) {
			front->phase = VDPA_CLOSED_BY_DRIVER;
			PORT_LOG(port, NOTICE, "the front end is idle until that driver resets");
		}
		break;
	case VHP_EVENT_FEATURES:
		atomic_fetch_add(&port->feature_events, 1);
		restart_with_subset(port);
		break;
	case VHP_EVENT_LANE_STOPPED:
		atomic_fetch_add(&port->lane_events, 1);
		break;
	case VHP_EVENT_ERROR:
		atomic_fetch_add(&port->error_events, 1);
		break;
	case VHP_EVENT_DRIVER_RESET:
		atomic_fetch_add(&port->driver_resets, 1);
		/* Another driver may take what the last one refused: it is asked again, as is the next front end. */
		port->withheld = 0;
		port->balks = 0;
		if (port->started && features_for_card(port) != port->given) {
			vdpa_port_down(port);
			vdpa_port_up(port);
		}
		break;
	}
	pthread_mutex_unlock(&port->lock);
}

void vdpa_port_memory_lost(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->lock);
	for (unsigned int i = 0; i < VDPA_FRONTS; i++) {
		struct vdpa_front *front = &port->front[i];

		if (front->vid < 0 || !atomic_exchange(&front->memory_lost, false) || front->condemned)
			continue;
		front->condemned = true;
		vdpa_front_close(front);
		vdpa_front_refuse(front, "it has shortened the file of its memory or of its log: disconnecting");
		vdpa_conn_close(front);
	}
	pthread_mutex_unlock(&port->lock);
}

void vdpa_port_card_lost(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->lock);
	if (port->started) {
		vdpa_notifier_stop(port);
		vdpa_relay_stop(port);
		vdpa_log_abandon(port);
		take_bases(port, NULL, -1);
		release(port);
	}
	if (port->active)
		port->active->phase = VDPA_CARD_LOST;
	pthread_mutex_unlock(&port->lock);
}

void vdpa_port_card_back(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->lock);
	port->withheld = 0;
	if (!vdpa_port_configure(port) && port->active && !port->started) {
		if (port->held)
			port->active->phase = VDPA_HELD;
		else
			vdpa_port_up(port);
	}
	pthread_mutex_unlock(&port->lock);
}
