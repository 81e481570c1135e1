/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <rte_common.h>

#include "vdpa_names.h"
#include "vhost_pci.h"

#define BIT(n) (1ull << (n))

/*
 * Features that the device side may simply stop using while the guest believes in them: it only ever sends such packets
 * or buffers of its own accord. Without any other one the front end has to negotiate anew, which vhost-user does not let
 * a back end ask for.
 */
#define DROPPABLE                                                                                    \
	(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO))

/* ------------------------------------------------------------------------------------------------ configuration */

int vdpa_port_configure(struct vdpa_port *port)
{
	const struct vdpa_port_args *a = port->args;
	struct vhp_mbox_port_config config = {
		.flags = (a->pv_interrupt ? VHP_PORT_PV_INTERRUPT : 0) | (a->has_mac ? VHP_PORT_MAC : 0),
		.mtu = a->mtu,
		.max_queue_pairs = (uint16_t)a->pairs,
		.vhost_pci_id = a->vhost_pci_id,
		.uuid_hi = a->uuid_hi,
		.uuid_lo = a->uuid_lo,
		.connect_timeout_ms = a->connect_timeout_ms,
	};

	memcpy(config.mac, a->mac, sizeof(config.mac));
	return vdpa_card_call(port->card, VHP_OP_PORT_CONFIG, port->index, &config, sizeof(config), NULL, 0);
}

void vdpa_port_refuse(struct vdpa_port *port, const char *fmt, ...)
{
	char why[sizeof(port->why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	/* rte_vhost tries again after every message of the front end: say it once. */
	if (port->phase != VDPA_REFUSED || strcmp(why, port->why)) {
		PORT_LOG(port, ERR, "cannot serve the front end: %s", why);
		strcpy(port->why, why);
	}
	port->phase = VDPA_REFUSED;
}

/* ------------------------------------------------------------------------------------------- what rte_vhost knows */

int vdpa_port_memory_load(struct vdpa_port *port)
{
	struct rte_vhost_memory *mem = NULL;
	int rc = 0;

	port->num_regions = 0;
	if (!port->memory_valid || rte_vhost_get_mem_table(port->vid, &mem)) {
		vdpa_port_refuse(port, "it gave no memory table");
		return -EINVAL;
	}
	if (mem->nregions == 0 || mem->nregions > port->card->max_regions) {
		vdpa_port_refuse(port, "its memory table has %u regions; the card takes 1 to %u", mem->nregions,
				 port->card->max_regions);
		rc = -EINVAL;
	}
	for (unsigned int i = 0; !rc && i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *m = &mem->regions[i];
		struct vdpa_region *r = &port->regions[i];

		*r = (struct vdpa_region){
			.gpa = m->guest_phys_addr,
			.size = m->size,
			.user_addr = m->guest_user_addr,
			.hva = (uint8_t *)(uintptr_t)m->host_user_addr,
			.fd = m->fd,
			.offset = m->host_user_addr - (uint64_t)(uintptr_t)m->mmap_addr,
		};
		if (r->size == 0 || (r->gpa | r->size | r->offset) % VDPA_PAGE_SIZE ||
		    r->gpa + (r->size - 1) < r->gpa) {
			vdpa_port_refuse(port,
					 "memory region %u (guest-physical 0x%" PRIx64 ", size 0x%" PRIx64
					 ", offset 0x%" PRIx64 ") is not made of whole pages",
					 i, r->gpa, r->size, r->offset);
			rc = -EINVAL;
		}
		for (unsigned int k = 0; !rc && k < i; k++) {
			const struct vdpa_region *o = &port->regions[k];

			if (r->gpa <= o->gpa + (o->size - 1) && o->gpa <= r->gpa + (r->size - 1)) {
				vdpa_port_refuse(port, "memory regions %u and %u overlap at guest-physical 0x%" PRIx64,
						 k, i, RTE_MAX(r->gpa, o->gpa));
				rc = -EINVAL;
			}
		}
	}
	if (!rc)
		port->num_regions = mem->nregions;
	free(mem);
	return rc;
}

/* Ring address in this process -> guest-physical; the whole ring must lie in one region. */
static int to_gpa(const struct vdpa_port *port, const void *hva, uint64_t len, uint64_t *gpa)
{
	for (unsigned int i = 0; i < port->num_regions; i++) {
		const struct vdpa_region *r = &port->regions[i];
		uint64_t at = (uint64_t)((const uint8_t *)hva - r->hva);

		if ((const uint8_t *)hva < r->hva || at >= r->size)
			continue;
		if (len > r->size - at)
			return -EFAULT;
		*gpa = r->gpa + at;
		return 0;
	}
	return -EFAULT;
}

int vdpa_port_vring_load(struct vdpa_port *port, unsigned int index)
{
	struct vdpa_vring *q = &port->vring[index];
	struct rte_vhost_vring v = { 0 };
	uint64_t n;

	if (rte_vhost_get_vhost_vring(port->vid, (uint16_t)index, &v))
		return -EINVAL;
	n = v.size;
	if (n < 2 || n > port->card->max_queue_size || (n & (n - 1))) {
		vdpa_port_refuse(port, "vring %u has %u entries; the card takes powers of two from 2 to %u", index,
				 v.size, port->card->max_queue_size);
		return -EINVAL;
	}
	/* With room for used_event and avail_event behind the rings. */
	if (to_gpa(port, v.desc, 16 * n, &q->desc) || to_gpa(port, v.avail, 6 + 2 * n, &q->avail) ||
	    to_gpa(port, v.used, 6 + 8 * n, &q->used)) {
		vdpa_port_refuse(port, "the rings of vring %u are not inside its memory regions", index);
		return -EFAULT;
	}
	q->num = v.size;
	q->used_hva = v.used;
	q->call_fd = v.callfd >= 0 ? v.callfd : -1;
	return 0;
}

/* ----------------------------------------------------------------------------------------------- vrings of the card */

static uint32_t gsi_of(const struct vdpa_port *port, unsigned int vring)
{
	if (vring % 2)
		return VHP_GSI_NONE;
	return port->args->has_gsi ? port->args->gsi + vring / 2 : VHP_PEER_VECTOR(port->index, vring);
}

int vdpa_port_vring_on(struct vdpa_port *port, unsigned int index)
{
	struct vdpa_vring *q = &port->vring[index];
	struct vhp_mbox_peer_vring req = {
		.index = (uint16_t)index,
		.flags = VHP_VRING_ENABLE,
		.num = q->num,
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.gsi = gsi_of(port, index),
		.msix_vector = (uint16_t)VHP_PEER_VECTOR(port->index, index),
	};
	int rc;

	if (rte_vhost_get_vring_base(port->vid, (uint16_t)index, &req.last_avail_idx, &req.last_used_idx))
		return -EINVAL;
	/* The vector stays with the vring even while it has no call fd: one can come at any time. */
	rc = vdpa_card_set_call(port->card, port->index, index, q->call_fd);
	if (rc) {
		PORT_LOG(port, ERR, "vring %u: cannot tie MSI-X vector %u to the call descriptor: %s", index,
			 VHP_PEER_VECTOR(port->index, index), strerror(-rc));
		return rc;
	}
	rc = vdpa_card_call(port->card, VHP_OP_PEER_VRING, port->index, &req, sizeof(req), NULL, 0);
	if (rc) {
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
	if (rte_vhost_set_vring_base(port->vid, (uint16_t)index, avail, used))
		PORT_LOG(port, ERR, "vring %u: rte_vhost does not take the indices %u/%u", index, avail, used);
}

/*
 * Nobody can ask a dead card how far it came. Chains are completed in order, so what the used ring does not show was not
 * done, and the next owner begins there.
 */
static void base_from_ring(struct vdpa_port *port, unsigned int index)
{
	uint16_t used = __atomic_load_n(&port->vring[index].used_hva->idx, __ATOMIC_ACQUIRE);

	set_base(port, index, used, used);
}

static void take_bases(struct vdpa_port *port, const struct vhp_mbox_vring_bases *bases, int only)
{
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		if (!port->vring[i].live || (only >= 0 && i != (unsigned int)only))
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
	struct vdpa_vring *q = &port->vring[index];
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

static void unmap_all(struct vdpa_port *port, unsigned int count)
{
	while (count--)
		vdpa_card_unmap(port->card, port->regions[count].iova, port->regions[count].size);
}

static int map_all(struct vdpa_port *port)
{
	struct vhp_mbox_peer_mem mem = { .nregions = port->num_regions };

	for (unsigned int i = 0; i < port->num_regions; i++) {
		struct vdpa_region *r = &port->regions[i];
		int rc = vdpa_card_map(port->card, r->gpa, r->size, r->fd, r->offset, r->hva, &r->iova);

		if (rc) {
			vdpa_port_refuse(port,
					 "cannot map memory region %u (guest-physical 0x%" PRIx64 ", 0x%" PRIx64
					 " bytes) for the card: %s",
					 i, r->gpa, r->size, strerror(-rc));
			unmap_all(port, i);
			return rc;
		}
		mem.regions[i] = (struct vhp_mbox_region){ .gpa = r->gpa, .size = r->size, .iova = r->iova };
		PORT_LOG(port, DEBUG, "region %u: guest-physical 0x%" PRIx64 " size 0x%" PRIx64 " iova 0x%" PRIx64, i,
			 r->gpa, r->size, r->iova);
	}
	if (vdpa_card_call(port->card, VHP_OP_PEER_MEM, port->index, &mem, sizeof(mem), NULL, 0)) {
		vdpa_port_refuse(port, "the card does not take its memory table");
		unmap_all(port, port->num_regions);
		return -EIO;
	}
	return 0;
}

static int stop_card(struct vdpa_port *port, struct vhp_mbox_vring_bases *bases)
{
	struct vhp_mbox_port_stop stop = { 0 };

	return vdpa_card_call(port->card, VHP_OP_PORT_STOP, port->index, &stop, sizeof(stop), bases, sizeof(*bases));
}

/* Interrupts, mappings and the relay; the card itself is quiet or dead. */
static void release(struct vdpa_port *port)
{
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++) {
		if (port->vring[i].live)
			vdpa_card_set_call(port->card, port->index, i, -1);
		port->vring[i].live = false;
	}
	unmap_all(port, port->num_regions);
	port->started = false;
}

int vdpa_port_up(struct vdpa_port *port)
{
	struct vhp_mbox_peer_features features = { .features = port->features & ~port->withheld };
	struct vhp_mbox_vring_bases bases;
	int rc;

	rc = vdpa_card_call(port->card, VHP_OP_PEER_FEATURES, port->index, &features, sizeof(features), NULL, 0);
	if (rc) {
		vdpa_port_refuse(port, "the card does not take the features 0x%" PRIx64, features.features);
		return rc;
	}
	rc = map_all(port);
	if (rc)
		return rc;
	rc = vdpa_relay_start(port);
	for (unsigned int i = 0; !rc && i < 2 * port->card->pairs; i++) {
		if (port->vring[i].ready)
			rc = vdpa_port_vring_on(port, i);
	}
	if (!rc)
		rc = vdpa_card_call(port->card, VHP_OP_PORT_START, port->index, NULL, 0, NULL, 0);
	if (rc) {
		vdpa_relay_stop(port);
		if (!stop_card(port, &bases))
			take_bases(port, &bases, -1);
		release(port);
		vdpa_port_refuse(port, "the card does not start: %s", strerror(-rc));
		return rc;
	}
	port->started = true;
	port->phase = VDPA_UP;
	/* Kicks that came before the rings were known are gone: look once. */
	for (unsigned int i = 0; i < 2 * port->card->pairs; i++) {
		if (port->vring[i].live)
			vdpa_card_doorbell(port->card, port->index, i);
	}
	return 0;
}

void vdpa_port_down(struct vdpa_port *port)
{
	struct vhp_mbox_vring_bases bases;
	int rc;

	if (!port->started)
		return;
	vdpa_notifier_stop(port);
	vdpa_relay_stop(port);
	rc = stop_card(port, &bases);
	take_bases(port, rc ? NULL : &bases, -1);
	release(port);
	port->phase = port->vid >= 0 ? VDPA_NEGOTIATING : VDPA_IDLE;
}

/* ---------------------------------------------------------------------------------------------------- card events */

/* The driver took only part of the peer's features: go on without the rest if that is possible. */
static void restart_with_subset(struct vdpa_port *port)
{
	struct vhp_mbox_port_status status;
	uint64_t offered, dropped;
	char words[256];

	if (!port->started ||
	    vdpa_card_call(port->card, VHP_OP_PORT_STATUS, port->index, NULL, 0, &status, sizeof(status)))
		return;
	offered = vdpa_peer_bits(port->features & ~port->withheld);
	dropped = vdpa_peer_bits_to_vhost(offered & ~status.driver_accepted);
	if (dropped == 0)
		return;
	vdpa_feature_names(dropped, VDPA_BITS_VHOST_NET, words, sizeof(words));
	if (dropped & ~DROPPABLE) {
		vdpa_port_down(port);
		vdpa_port_refuse(
			port,
			"the vhost-pci-net driver refuses %s, which the front end uses; restart the front end, which "
			"is not offered it any more",
			words);
	} else {
		PORT_LOG(port, NOTICE, "the vhost-pci-net driver refuses %s: starting again without", words);
	}
	port->withheld |= dropped;
	if (dropped & ~DROPPABLE)
		return;
	vdpa_port_down(port);
	vdpa_port_up(port);
}

void vdpa_port_event(struct vdpa_port *port, unsigned int type, unsigned int arg)
{
	pthread_mutex_lock(&port->lock);
	switch (type) {
	case VHP_EVENT_CONNECTED:
		PORT_LOG(port, NOTICE, "connected with the vhost-pci-net driver");
		if (port->phase == VDPA_CLOSED_BY_DRIVER)
			port->phase = VDPA_UP;
		break;
	case VHP_EVENT_DISCONNECTED:
		PORT_LOG(port, NOTICE, "disconnected");
		break;
	case VHP_EVENT_CLOSE_REQUEST:
		atomic_fetch_add(&port->close_requests, 1);
		PORT_LOG(port, NOTICE,
			 "the vhost-pci-net driver asks to disconnect: the front end is idle until it resets");
		/* Started again the card waits: a driver that disconnected gets no connection before it has reset. */
		vdpa_port_down(port);
		if (port->configured && !vdpa_port_up(port))
			port->phase = VDPA_CLOSED_BY_DRIVER;
		break;
	case VHP_EVENT_FEATURES:
		atomic_fetch_add(&port->feature_events, 1);
		restart_with_subset(port);
		break;
	case VHP_EVENT_LANE_STOPPED:
		atomic_fetch_add(&port->lane_events, 1);
		PORT_LOG(port, ERR, "lane %u stopped: %s", arg & 0xff, vdpa_stop_reason(arg >> 8));
		break;
	case VHP_EVENT_ERROR:
		atomic_fetch_add(&port->error_events, 1);
		PORT_LOG(port, ERR, "the connection failed: %s", vdpa_port_error(arg));
		break;
	case VHP_EVENT_DRIVER_RESET:
		atomic_fetch_add(&port->driver_resets, 1);
		PORT_LOG(port, NOTICE, "the vhost-pci-net driver reset its device");
		port->withheld = 0; /* the next front end is offered everything again */
		break;
	default:
		PORT_LOG(port, WARNING, "unknown event %u (argument %u)", type, arg);
	}
	pthread_mutex_unlock(&port->lock);
}

void vdpa_port_card_lost(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->lock);
	if (port->started) {
		vdpa_notifier_stop(port);
		vdpa_relay_stop(port);
		take_bases(port, NULL, -1);
		release(port);
	}
	if (port->configured)
		port->phase = VDPA_CARD_LOST;
	pthread_mutex_unlock(&port->lock);
}

void vdpa_port_card_back(struct vdpa_port *port)
{
	pthread_mutex_lock(&port->lock);
	port->withheld = 0;
	if (!vdpa_port_configure(port) && port->configured && !port->started)
		vdpa_port_up(port);
	pthread_mutex_unlock(&port->lock);
}
