/* SPDX-License-Identifier: Apache-2.0 */
/* The host driver of function 0 and the rings of the virtual machine behind it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib_sim.h"
#include "vhp_regs.h"

#define PEER_MEM (16ull << 20)
#define DOORBELL_BAR 2u

static _Noreturn void fail(const char *what, int rc)
{
	fprintf(stderr, "fn0: %s: %s\n", what, rc > 0 ? vhp_mbox_strstatus(rc) : strerror(-rc));
	exit(1);
}

void host_open(struct host *h, const struct sim *sim)
{
	char path[300], err[256] = "";
	int rc;

	memset(h, 0, sizeof(*h));
	snprintf(path, sizeof(path), "%s/fn0.sock", sim->dir);
	rc = vhp_dev_open_socket(path, &h->dev, err, sizeof(err));
	if (rc == 0)
		rc = vhp_mbox_open(&h->mbox, h->dev, LIB_WAIT_MS, err, sizeof(err));
	if (rc != 0) {
		fprintf(stderr, "%s: %s\n", path, err);
		exit(1);
	}
	for (unsigned int v = 0; v < 32; v++)
		h->call[v] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->event_irq = h->call[0];
	rc = vhp_dev_set_irqs(h->dev, 0, 32, h->call);
	if (rc < 0)
		fail("MSI-X vectors", rc);
}

void host_close(struct host *h)
{
	vhp_mbox_close(&h->mbox);
	vhp_dev_close(h->dev);
	for (unsigned int v = 0; v < 32; v++)
		close(h->call[v]);
}

struct event_wait {
	struct host *h;
	struct vhp_mbox_event *e;
	int type, port; /* -1: any */
};

static bool event_came(void *arg)
{
	struct event_wait *w = arg;

	while (vhp_mbox_event(&w->h->mbox, w->e) == 1) {
		if (w->type < 0 || (w->e->type == w->type && w->e->port == w->port))
			return true;
	}
	return false;
}

bool host_event(struct host *h, struct vhp_mbox_event *e)
{
	struct event_wait w = { h, e, -1, -1 };

	return event_came(&w);
}

bool host_wait_event(struct host *h, uint8_t type, uint8_t port, struct vhp_mbox_event *e)
{
	struct vhp_mbox_event any;
	struct event_wait w = { h, e ? e : &any, type, port };

	return wait_for(event_came, &w);
}

static int call(struct peer *p, uint16_t op, const void *req, size_t len, void *reply, size_t replylen)
{
	int rc = vhp_mbox_call(&p->host->mbox, op, (uint16_t)p->port, req, len, reply, replylen, LIB_WAIT_MS);

	if (rc < 0)
		fail("mailbox", rc);
	return rc;
}

void peer_new_rings(struct peer *p)
{
	uint16_t size = p->q[0].size;

	p->mem.brk = 0;
	for (unsigned int i = 0; i < PEER_VRINGS; i++) {
		ring_destroy(&p->q[i]);
		ring_create(&p->q[i], &p->mem, size, p->features >> VHP_F_RING_EVENT_IDX & 1);
	}
	memset(&p->bases, 0, sizeof(p->bases));
}

void peer_open(struct peer *p, struct host *h, unsigned int port, uint64_t features, uint16_t size)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->host = h;
	p->port = port;
	p->features = features;
	/* Another IOVA than the guest-physical address: a translation that is forgotten shows. */
	p->iova = PEER_IOVA + port * (1ull << 32);
	mem_create(&p->mem, PEER_GPA, PEER_MEM);
	rc = vhp_dev_dma_map(h->dev, p->iova, PEER_MEM, p->mem.fd, 0, p->mem.va);
	if (rc < 0)
		fail("DMA map", rc);
	for (unsigned int i = 0; i < PEER_VRINGS; i++)
		p->q[i].size = size;
	peer_new_rings(p);
}

void peer_close(struct peer *p)
{
	/* The card must have let go of the memory before it disappears. */
	(void)peer_stop(p, 0);
	(void)vhp_dev_dma_unmap(p->host->dev, p->iova, PEER_MEM);
	for (unsigned int i = 0; i < PEER_VRINGS; i++)
		ring_destroy(&p->q[i]);
	mem_destroy(&p->mem);
}

int peer_config(struct peer *p, const struct vhp_mbox_port_config *c)
{
	return call(p, VHP_OP_PORT_CONFIG, c, sizeof(*c), NULL, 0);
}

struct vhp_mbox_peer_vring peer_vring(struct peer *p, unsigned int i)
{
	const struct ring *r = &p->q[i];

	return (struct vhp_mbox_peer_vring){
		.index = (uint16_t)i,
		.flags = VHP_VRING_ENABLE,
		.num = r->size,
		.desc = r->desc_gpa,
		.avail = r->avail_gpa,
		.used = r->used_gpa,
		.last_avail_idx = p->bases.last_avail_idx[i],
		.last_used_idx = p->bases.last_used_idx[i],
		.gsi = 24 + 8 * p->port + i,
		.msix_vector = (uint16_t)VHP_PEER_VECTOR(p->port, i),
	};
}

int peer_give_vring(struct peer *p, const struct vhp_mbox_peer_vring *v)
{
	return call(p, VHP_OP_PEER_VRING, v, sizeof(*v), NULL, 0);
}

int peer_replace_ring(struct peer *p, unsigned int i)
{
	struct vhp_mbox_peer_vring v;
	uint16_t size = p->q[i].size;

	ring_destroy(&p->q[i]);
	ring_create(&p->q[i], &p->mem, size, p->features >> VHP_F_RING_EVENT_IDX & 1);
	p->bases.last_avail_idx[i] = 0;
	p->bases.last_used_idx[i] = 0;
	v = peer_vring(p, i);
	return peer_give_vring(p, &v);
}

int peer_start(struct peer *p, unsigned int pairs)
{
	struct vhp_mbox_peer_features f = { .features = p->features };
	struct vhp_mbox_peer_mem m = { .nregions = 1, .regions[0] = { p->mem.gpa, p->mem.size, p->iova } };
	int rc = call(p, VHP_OP_PEER_FEATURES, &f, sizeof(f), NULL, 0);

	if (rc == 0)
		rc = call(p, VHP_OP_PEER_MEM, &m, sizeof(m), NULL, 0);
	for (unsigned int i = 0; rc == 0 && i < 2 * pairs; i++) {
		struct vhp_mbox_peer_vring v = peer_vring(p, i);

		rc = peer_give_vring(p, &v);
	}
	return rc != 0 ? rc : call(p, VHP_OP_PORT_START, NULL, 0, NULL, 0);
}

int peer_stop(struct peer *p, uint32_t flags)
{
	struct vhp_mbox_port_stop s = { .flags = flags };

	return call(p, VHP_OP_PORT_STOP, &s, sizeof(s), &p->bases, sizeof(p->bases));
}

void peer_status(struct peer *p, struct vhp_mbox_port_status *s)
{
	int rc = call(p, VHP_OP_PORT_STATUS, NULL, 0, s, sizeof(*s));

	if (rc != 0)
		fail("PORT_STATUS", rc);
}

void peer_stats(struct peer *p, struct vhp_mbox_port_stats *s)
{
	int rc = call(p, VHP_OP_PORT_STATS, NULL, 0, s, sizeof(*s));

	if (rc != 0)
		fail("PORT_STATS", rc);
}

void peer_kick(struct peer *p, unsigned int vring)
{
	vhp_dev_doorbell(p->host->dev, DOORBELL_BAR, (p->port * 16u + vring) * 4096u, (uint16_t)vring);
}

uint64_t peer_calls(struct peer *p, unsigned int vring)
{
	uint64_t n = 0;

	if (read(p->host->call[VHP_PEER_VECTOR(p->port, vring)], &n, sizeof(n)) != sizeof(n))
		n = 0;
	return n;
}
