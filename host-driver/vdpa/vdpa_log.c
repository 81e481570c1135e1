/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty pages. The card appends the pages that it writes to a ring in memory of ours; each sync takes what it appended and
 * sets the bits in the front ends' bitmaps, which only a processor can do (PCIe has no atomic OR).
 *
 * One ring serves all ports. A sync is one mailbox request, so it is done on a timer, and when a port stops before rte_vhost
 * answers the front end.
 */
#include "vdpa.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_common.h>

#define SIZE_LOG2 18u /* 2 MiB: 1 GiB of different pages between two syncs */
#define RING_BYTES ((uint64_t)sizeof(uint64_t) << SIZE_LOG2)
#define RING_IOVA 0x7f00000000ull /* beyond guests of 500 GiB, within the 39 bits of the smallest IOMMUs */
/* A simulated card spends real time on each request. */
#define PERIOD_MS(card) ((card)->socket ? 500u : 50u)
#define CALL_TIMEOUT_MS(card) ((card)->socket ? 120000u : 1000u)

void vdpa_log_init(struct vdpa_card *card)
{
	struct vdpa_log *log = &card->log;

	pthread_mutex_init(&log->lock, NULL);
	log->fd = -1;
	log->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++)
		log->target[i].vid = -1;
}

static int make_ring(struct vdpa_log *log)
{
	if (log->ring)
		return 0;
	log->fd = memfd_create("vhost-pci-log", MFD_CLOEXEC);
	if (log->fd < 0 || ftruncate(log->fd, RING_BYTES))
		return -errno;
	log->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, log->fd, 0);
	if (log->ring == MAP_FAILED) {
		log->ring = NULL;
		return -errno;
	}
	log->size_log2 = SIZE_LOG2;
	return 0;
}

static void arm(struct vdpa_card *card)
{
	struct itimerspec t = { 0 };

	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->log.port[i].on)
			t.it_interval.tv_nsec = (long)PERIOD_MS(card) * 1000000;
	}
	t.it_value = t.it_interval;
	timerfd_settime(card->log.timer_fd, 0, &t, NULL);
}

/* ----------------------------------------------------------------------------------------------------- the ring */

void vdpa_log_attach(struct vdpa_card *card, struct vhp_dev *dev, struct vhp_mbox *mbox)
{
	struct vhp_mbox_log_enable off = { 0 };
	struct vhp_mbox_log_ring ring = { .size_log2 = SIZE_LOG2, .iova = RING_IOVA };
	struct vhp_mbox_log_state state;
	struct vhp_mbox_log_sync sync;
	struct vdpa_log *log = &card->log;
	unsigned int timeout = CALL_TIMEOUT_MS(card);
	int rc = log->timer_fd < 0 ? -EMFILE : 0;

	pthread_mutex_lock(&log->lock);
	log->usable = false;
	for (unsigned int i = 0; !rc && i < card->num_ports; i++)
		rc = vhp_mbox_call(mbox, VHP_OP_LOG_ENABLE, (uint16_t)i, &off, sizeof(off), NULL, 0, timeout);
	if (!rc)
		rc = make_ring(log);
	if (!rc)
		rc = vhp_dev_dma_map(dev, ring.iova, RING_BYTES, log->fd, 0, log->ring);
	if (!rc) {
		memset(log->ring, 0, RING_BYTES);
		rc = vhp_mbox_call(mbox, VHP_OP_LOG_RING, 0, &ring, sizeof(ring), &state, sizeof(state), timeout);
		/* What an earlier ring lost is nobody's business: a first sync clears it. */
		sync = (struct vhp_mbox_log_sync){ .tail = state.head };
		if (!rc)
			rc = vhp_mbox_call(mbox, VHP_OP_LOG_SYNC, 0, &sync, sizeof(sync), &state, sizeof(state),
					   timeout);
		log->tail = state.head;
		log->merged = state.merged;
		if (rc)
			vhp_dev_dma_unmap(dev, ring.iova, RING_BYTES);
	}
	log->usable = rc == 0;
	pthread_mutex_unlock(&log->lock);
	if (!rc)
		card->ranges[card->num_ranges++] = (struct vdpa_range){ ring.iova, RING_BYTES };
	else if (rc == VHP_ST_UNKNOWN_OP)
		CARD_LOG(card, NOTICE,
			 "the card's firmware has no dirty page log: front ends cannot migrate while connected");
	else
		CARD_LOG(card, WARNING, "no dirty page log, front ends cannot migrate while connected: %s",
			 vhp_mbox_strstatus(rc));
}

void vdpa_log_close(struct vdpa_card *card)
{
	struct vhp_mbox_log_ring none = { 0 };
	struct vdpa_log *log = &card->log;

	if (log->usable && card->dev)
		vdpa_card_try(card, VHP_OP_LOG_RING, 0, &none, sizeof(none), NULL, 0);
	log->usable = false;
	if (log->ring)
		munmap(log->ring, RING_BYTES);
	if (log->fd >= 0)
		close(log->fd);
	if (log->timer_fd >= 0)
		close(log->timer_fd);
	log->ring = NULL;
	log->fd = -1;
	log->timer_fd = -1;
	pthread_mutex_destroy(&log->lock);
}

/* ------------------------------------------------------------------------------------------------------- marking */

static void mark_page(void *arg, unsigned int port, uint64_t gpa)
{
	struct vdpa_log_target *t = &((struct vdpa_log *)arg)->target[port];

	t->pages++;
	if (t->paused)
		t->owed = true;
	else if (t->vid >= 0)
		rte_vhost_log_write(t->vid, gpa, VDPA_DIRTY_PAGE);
}

static void mark_all(struct vdpa_log *log, unsigned int port)
{
	const struct vdpa_dirty_port *p = &log->port[port];
	struct vdpa_log_target *t = &log->target[port];

	t->owed = t->paused;
	for (unsigned int i = 0; !t->paused && t->vid >= 0 && i < p->num_regions; i++)
		rte_vhost_log_write(t->vid, p->regions[i].gpa, p->regions[i].size);
}

/* log.lock held. @return false: the card did not say what it wrote */
static bool sync_ring(struct vdpa_card *card)
{
	struct vdpa_log *log = &card->log;
	struct vhp_mbox_log_sync sync = { .tail = log->tail };
	struct vdpa_dirty_taken taken;
	struct vhp_mbox_log_state state;

	/* With VDPA_FORCED every port is in `overflow`. */
	if (vdpa_card_call(card, VHP_OP_LOG_SYNC, 0, &sync, sizeof(sync), &state, sizeof(state)) < 0)
		return false;
	taken = vdpa_dirty_take(log->ring, log->size_log2, log->tail, state.head, log->port, card->num_ports, mark_page,
				log);
	if (taken.bad && !log->bad)
		CARD_LOG(card, ERR,
			 "the dirty page log has entries that mean nothing: all memory of the ports is sent again");
	log->syncs++;
	log->entries += taken.entries;
	log->bad += taken.bad;
	log->tail = state.head;
	log->merged = state.merged;
	for (unsigned int i = 0; i < card->num_ports; i++) {
		if (!log->port[i].on || !((state.overflow | taken.lost) >> i & 1))
			continue;
		log->target[i].overflows++;
		mark_all(log, i);
	}
	return true;
}

static bool paused(const struct vdpa_log *log)
{
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (log->port[i].on && log->target[i].paused)
			return true;
	}
	return false;
}

void vdpa_log_tick(struct vdpa_card *card)
{
	uint64_t count;

	(void)!read(card->log.timer_fd, &count, sizeof(count));
	pthread_mutex_lock(&card->log.lock);
	if (!paused(&card->log) && !atomic_load(&card->lost))
		sync_ring(card);
	pthread_mutex_unlock(&card->log.lock);
}

/* -------------------------------------------------------------------------------------------------------- a port */

/* rte_vhost marks nothing beyond the bitmap, and does not say so. */
bool vdpa_log_covers(const struct vdpa_front *front)
{
	uint64_t base = 0, size = 0;

	if (rte_vhost_get_log_base(front->vid, &base, &size) || base == 0)
		return false;
	for (unsigned int i = 0; i < front->num_regions; i++) {
		const struct vdpa_region *r = &front->regions[i];

		if ((r->gpa + r->size - 1) / VDPA_DIRTY_PAGE / 8 >= size)
			return false;
	}
	return true;
}

static void forget(struct vdpa_log_target *t)
{
	t->vid = -1;
	t->paused = false;
	t->owed = false;
}

int vdpa_log_start(struct vdpa_front *front)
{
	struct vhp_mbox_log_enable on = { .enable = 1 };
	struct vdpa_port *port = front->port;
	struct vdpa_log *log = &port->card->log;
	struct vdpa_dirty_port *p = &log->port[port->index];
	int rc;

	if (!log->usable) {
		PORT_LOG(port, ERR, "the front end wants its dirty pages logged, which the card cannot do");
		return -ENOTSUP;
	}
	if (!vdpa_log_covers(front)) {
		PORT_LOG(port, ERR,
			 "the front end wants its dirty pages logged, but its log does not cover its memory");
		return -EINVAL;
	}
	pthread_mutex_lock(&log->lock);
	if (p->on) {
		pthread_mutex_unlock(&log->lock);
		return 0;
	}
	p->num_regions = front->num_regions;
	for (unsigned int i = 0; i < front->num_regions; i++)
		log->regions[port->index][i] = (struct vdpa_dirty_region){ front->regions[i].gpa,
									   front->regions[i].size,
									   front->regions[i].iova };
	p->regions = log->regions[port->index];
	if (log->target[port->index].vid != front->vid)
		forget(&log->target[port->index]);
	log->target[port->index].vid = front->vid;
	p->on = true;
	rc = vdpa_card_call(port->card, VHP_OP_LOG_ENABLE, port->index, &on, sizeof(on), NULL, 0);
	if (rc < 0)
		p->on = false;
	arm(port->card);
	pthread_mutex_unlock(&log->lock);
	if (rc < 0)
		return rc;
	PORT_LOG(port, INFO, "the front end's dirty pages are logged");
	return 0;
}

static void stop(struct vdpa_port *port, bool gone)
{
	struct vhp_mbox_log_enable off = { 0 };
	struct vdpa_log *log = &port->card->log;
	struct vdpa_dirty_port *p = &log->port[port->index];

	pthread_mutex_lock(&log->lock);
	if (p->on) {
		gone |= vdpa_card_call(port->card, VHP_OP_LOG_ENABLE, port->index, &off, sizeof(off), NULL, 0) != 0;
		if (gone || !sync_ring(port->card))
			mark_all(log, port->index);
		p->on = false;
		/* In a pause the last pages are owed, and marked when it ends. */
		if (!log->target[port->index].paused)
			forget(&log->target[port->index]);
		arm(port->card);
		PORT_LOG(port, INFO, "the front end's dirty pages are no longer logged");
	}
	pthread_mutex_unlock(&log->lock);
}

void vdpa_log_stop(struct vdpa_port *port)
{
	stop(port, false);
}

void vdpa_log_abandon(struct vdpa_port *port)
{
	stop(port, true);
}

void vdpa_log_pause(struct vdpa_port *port, int vid, bool pause)
{
	struct vdpa_log *log = &port->card->log;
	struct vdpa_log_target *t = &log->target[port->index];

	pthread_mutex_lock(&log->lock);
	if (t->vid == vid && t->paused != pause) {
		t->paused = pause;
		if (!pause && t->owed)
			mark_all(log, port->index);
		if (!pause && !log->port[port->index].on)
			forget(t);
	}
	pthread_mutex_unlock(&log->lock);
}

void vdpa_log_forget(struct vdpa_port *port, int vid)
{
	struct vdpa_log_target *t = &port->card->log.target[port->index];

	pthread_mutex_lock(&port->card->log.lock);
	if (t->vid == vid)
		forget(t);
	pthread_mutex_unlock(&port->card->log.lock);
}
