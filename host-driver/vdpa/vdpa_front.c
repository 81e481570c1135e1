/* SPDX-License-Identifier: Apache-2.0 */
/* A vhost-user connection: what rte_vhost knows of it. */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_common.h>

/* ------------------------------------------------------------------------------------------------------- its place */

struct vdpa_front *vdpa_front_of(struct vdpa_port *port, int vid)
{
	for (unsigned int i = 0; i < VDPA_FRONTS; i++) {
		if (port->front[i].vid == vid && vid >= 0)
			return &port->front[i];
	}
	return NULL;
}

static void clear(struct vdpa_front *front, struct vdpa_port *port)
{
	*front = (struct vdpa_front){ .port = port, .vid = -1, .conn_fd = -1, .phase = VDPA_IDLE };
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		front->vring[i] = (struct vdpa_vring){ .call_fd = -1, .kick_fd = -1 };
}

struct vdpa_front *vdpa_front_bind(struct vdpa_port *port, int vid)
{
	struct vdpa_front *front = vdpa_front_of(port, vid), *place = NULL;
	bool alone = true;

	if (front)
		return front;
	for (unsigned int i = VDPA_FRONTS; i-- > 0;) {
		if (port->front[i].vid < 0)
			place = &port->front[i];
		else
			alone = false;
	}
	if (!place)
		return NULL;
	clear(place, port);
	place->vid = vid;
	place->phase = VDPA_NEGOTIATING;
	vdpa_conn_find(place);
	vdpa_guard_add(place);
	if (vdpa_watch_messages(vid))
		PORT_LOG(port, ERR, "rte_vhost does not let us see the messages of the front end");
	/* The second one may hold the guest of the first, which has what it was offered. */
	if (alone)
		atomic_store(&port->not_offered,
			     port->balks < VDPA_BALKS ? port->withheld : vdpa_port_must_tell(port, port->withheld));
	atomic_fetch_add(&port->fe_connects, 1);
	return place;
}

/*
 * A front end that has seen what it is offered, has lost something by it, and goes: QEMU does so when its guest has acknowledged
 * more. It would come back and go for ever, so in the end it gets what it wants, if the device can do without.
 */
static void balked(struct vdpa_port *port)
{
	uint64_t subset = atomic_load(&port->not_offered) & ~(1ull << VHOST_F_LOG_ALL);

	if (!subset || port->balks == VDPA_BALKS || ++port->balks < VDPA_BALKS)
		return;
	if (vdpa_port_must_tell(port, subset))
		PORT_LOG(
			port, WARNING,
			"front ends do not take the features that the driver left, and cannot do without the others: `vhpctl "
			"disconnect %u` and `connect` offer all again, when the driver has changed",
			port->id);
	else
		PORT_LOG(
			port, NOTICE,
			"front ends do not take the features that the driver left: they are offered all again, and not told");
}

void vdpa_front_release(struct vdpa_front *front)
{
	if (front->features)
		front->port->balks = front->port->balks < VDPA_BALKS ? 0 : front->port->balks;
	else if (front->asked)
		balked(front->port);
	for (unsigned int i = 0; i < VHP_MBOX_MAX_VRINGS; i++)
		vdpa_relay_remove(front, i);
	vdpa_guard_remove(front);
	vdpa_conn_release(front);
	clear(front, front->port);
}

void vdpa_front_refuse(struct vdpa_front *front, const char *fmt, ...)
{
	char why[sizeof(front->why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	/* rte_vhost tries again after every message of the front end: say it once. */
	if (front->phase != VDPA_REFUSED || strcmp(why, front->why)) {
		PORT_LOG(front->port, ERR, "cannot serve the front end: %s", why);
		strcpy(front->why, why);
	}
	front->phase = VDPA_REFUSED;
}

bool vdpa_front_logs(const struct vdpa_front *front)
{
	return front->features >> VHOST_F_LOG_ALL & 1;
}

void vdpa_front_close(struct vdpa_front *front)
{
	struct vdpa_port *port = front->port;

	if (port->active == front) {
		vdpa_port_down(port);
		port->active = NULL;
	}
	front->configured = false;
	if (front->phase != VDPA_IDLE && front->phase != VDPA_REFUSED)
		front->phase = VDPA_NEGOTIATING;
}

/* ----------------------------------------------------------------------------------------------------------- memory */

static bool file_holds(int fd, uint64_t end)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size >= end);
}

bool vdpa_front_memory_check(struct vdpa_front *front)
{
	struct rte_vhost_memory *mem = NULL;
	bool ok = true;

	if (rte_vhost_get_mem_table(front->vid, &mem))
		return false;
	for (unsigned int i = 0; i < VHP_MBOX_MAX_REGIONS; i++)
		vdpa_guard_set(front, i, i < mem->nregions ? (uint64_t)(uintptr_t)mem->regions[i].mmap_addr : 0,
			       i < mem->nregions ? mem->regions[i].mmap_size : 0);
	for (unsigned int i = 0; ok && i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *m = &mem->regions[i];

		ok = file_holds(m->fd, m->host_user_addr - (uint64_t)(uintptr_t)m->mmap_addr + m->size);
		if (!ok)
			vdpa_front_refuse(front, "the file of memory region %u is shorter than the region", i);
	}
	free(mem);
	return ok;
}

static int load_region(struct vdpa_front *front, unsigned int i, const struct rte_vhost_mem_region *m)
{
	struct vdpa_region *r = &front->regions[i];

	*r = (struct vdpa_region){
		.gpa = m->guest_phys_addr,
		.size = m->size,
		.user_addr = m->guest_user_addr,
		.hva = (uint8_t *)(uintptr_t)m->host_user_addr,
		.fd = m->fd,
		.offset = m->host_user_addr - (uint64_t)(uintptr_t)m->mmap_addr,
	};
	if (r->size == 0 || (r->gpa | r->size | r->offset) % VDPA_PAGE_SIZE || r->gpa + (r->size - 1) < r->gpa) {
		vdpa_front_refuse(front,
				  "memory region %u (guest-physical 0x%" PRIx64 ", size 0x%" PRIx64
				  ", offset 0x%" PRIx64 ") is not made of whole pages",
				  i, r->gpa, r->size, r->offset);
		return -EINVAL;
	}
	if (!file_holds(r->fd, r->offset + r->size)) {
		vdpa_front_refuse(front, "the file of memory region %u is shorter than the region", i);
		return -EINVAL;
	}
	for (unsigned int k = 0; k < i; k++) {
		const struct vdpa_region *o = &front->regions[k];

		if (r->gpa <= o->gpa + (o->size - 1) && o->gpa <= r->gpa + (r->size - 1)) {
			vdpa_front_refuse(front, "memory regions %u and %u overlap at guest-physical 0x%" PRIx64, k, i,
					  RTE_MAX(r->gpa, o->gpa));
			return -EINVAL;
		}
	}
	return 0;
}

int vdpa_front_memory_load(struct vdpa_front *front)
{
	const struct vdpa_card *card = front->port->card;
	struct rte_vhost_memory *mem = NULL;
	int rc = 0;

	front->num_regions = 0;
	if (!front->memory_valid || rte_vhost_get_mem_table(front->vid, &mem)) {
		vdpa_front_refuse(front, "it gave no memory table");
		return -EINVAL;
	}
	if (mem->nregions == 0 || mem->nregions > card->max_regions) {
		vdpa_front_refuse(front, "its memory table has %u regions; the card takes 1 to %u", mem->nregions,
				  card->max_regions);
		rc = -EINVAL;
	}
	for (unsigned int i = 0; !rc && i < mem->nregions; i++)
		rc = load_region(front, i, &mem->regions[i]);
	if (!rc)
		front->num_regions = mem->nregions;
	free(mem);
	return rc;
}

/* ------------------------------------------------------------------------------------------------------------ vrings */

/* Ring address in this process -> guest-physical; the whole ring must lie in one region. */
static int to_gpa(const struct vdpa_front *front, const void *hva, uint64_t len, uint64_t *gpa)
{
	for (unsigned int i = 0; i < front->num_regions; i++) {
		const struct vdpa_region *r = &front->regions[i];
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

int vdpa_front_vring_load(struct vdpa_front *front, unsigned int index)
{
	const struct vdpa_card *card = front->port->card;
	struct vdpa_vring *q = &front->vring[index];
	struct rte_vhost_vring v = { 0 };
	uint64_t n;

	if (rte_vhost_get_vhost_vring(front->vid, (uint16_t)index, &v))
		return -EINVAL;
	n = v.size;
	if (n < 2 || n > card->max_queue_size || (n & (n - 1))) {
		vdpa_front_refuse(front, "vring %u has %u entries; the card takes powers of two from 2 to %u", index,
				  v.size, card->max_queue_size);
		return -EINVAL;
	}
	/* With room for used_event and avail_event behind the rings. */
	if (to_gpa(front, v.desc, 16 * n, &q->desc) || to_gpa(front, v.avail, 6 + 2 * n, &q->avail) ||
	    to_gpa(front, v.used, 6 + 8 * n, &q->used)) {
		vdpa_front_refuse(front, "the rings of vring %u are not inside its memory regions", index);
		return -EFAULT;
	}
	q->num = v.size;
	q->used_hva = v.used;
	q->call_fd = v.callfd >= 0 ? v.callfd : -1;
	return 0;
}
