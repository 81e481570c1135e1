/* SPDX-License-Identifier: Apache-2.0 */
/* VM B: a vhost-pci-net driver as small as the seed allows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "lib_sim.h"

#define GUEST_GPA 0x1000000ull
#define GUEST_MEM (16ull << 20)

#define CHECKED(call, what)                                                                  \
	do {                                                                                 \
		int rc_ = (call);                                                            \
		if (rc_ < 0) {                                                               \
			fprintf(stderr, "port %u: %s: %s\n", g->port, what, strerror(-rc_)); \
			exit(1);                                                             \
		}                                                                            \
	} while (0)

uint64_t guest_read(struct guest *g, const struct vhp_virtio_area *a, unsigned int off, unsigned int width)
{
	uint64_t v = 0;

	CHECKED(vhp_dev_read(g->dev, a->bar, a->offset + off, width, &v), "read");
	return v;
}

void guest_write(struct guest *g, const struct vhp_virtio_area *a, unsigned int off, unsigned int width, uint64_t v)
{
	CHECKED(vhp_dev_write(g->dev, a->bar, a->offset + off, width, v), "write");
}

static uint64_t rd(struct guest *g, unsigned int off, unsigned int width)
{
	return guest_read(g, &g->v.common, off, width);
}

static void wr(struct guest *g, unsigned int off, unsigned int width, uint64_t v)
{
	guest_write(g, &g->v.common, off, width, v);
}

uint8_t guest_status(struct guest *g)
{
	return (uint8_t)rd(g, VIRTIO_PCI_COMMON_STATUS, 1);
}

uint16_t guest_connection(struct guest *g)
{
	return (uint16_t)rd(g, VHOST_PCI_COMMON_PEER_CONNECTION, 2);
}

static void tie_vectors(struct guest *g)
{
	CHECKED(vhp_dev_set_irqs(g->dev, 0, 1 + GUEST_QUEUES, g->irq), "MSI-X vectors");
}

void guest_open(struct guest *g, const struct sim *sim, unsigned int port)
{
	char path[300], err[256] = "";

	memset(g, 0, sizeof(*g));
	g->port = port;
	snprintf(path, sizeof(path), "%s/fn%u.sock", sim->dir, port + 1);
	if (vhp_dev_open_socket(path, &g->dev, err, sizeof(err)) < 0 ||
	    vhp_virtio_pci_find(g->dev, &g->v, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s: %s\n", path, err);
		exit(1);
	}
	mem_create(&g->mem, GUEST_GPA, GUEST_MEM);
	CHECKED(vhp_dev_dma_map(g->dev, GUEST_GPA, GUEST_MEM, g->mem.fd, 0, g->mem.va), "DMA map");
	for (unsigned int i = 0; i < 1 + GUEST_QUEUES; i++)
		g->irq[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	tie_vectors(g);
}

static void free_queues(struct guest *g)
{
	for (unsigned int i = 0; i < GUEST_QUEUES; i++)
		ring_destroy(&g->q[i]);
	g->mem.brk = 0;
}

void guest_close(struct guest *g)
{
	vhp_dev_close(g->dev);
	free_queues(g);
	for (unsigned int i = 0; i < 1 + GUEST_QUEUES; i++)
		close(g->irq[i]);
	mem_destroy(&g->mem);
}

static bool is_reset(void *arg)
{
	return guest_status(arg) == 0;
}

void guest_reset(struct guest *g)
{
	wr(g, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	if (!wait_for(is_reset, g)) {
		fprintf(stderr, "port %u: device_status never reads 0 after the reset\n", g->port);
		exit(1);
	}
	g->nlog = 0;
}

uint64_t guest_irqs(struct guest *g, unsigned int v)
{
	uint64_t n = 0;

	if (read(g->irq[v], &n, sizeof(n)) == sizeof(n))
		g->irqs[v] += n;
	n = g->irqs[v];
	g->irqs[v] = 0;
	return n;
}

void guest_kick(struct guest *g, unsigned int queue)
{
	vhp_dev_doorbell(g->dev, g->v.notify.bar, g->doorbell[queue], (uint16_t)queue);
}

static void post_ctrl(struct guest *g, uint64_t buf)
{
	struct seg s = { buf, GUEST_CTRL_BUF, true };
	uint16_t old = g->q[0].next_avail;

	if (ring_add(&g->q[0], &s, 1, buf) >= 0 && ring_wants_kick(&g->q[0], old))
		guest_kick(g, 0);
}

static void setup_queue(struct guest *g, unsigned int q, uint16_t size)
{
	struct ring *r = &g->q[q];
	uint16_t max;

	wr(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	max = (uint16_t)rd(g, VIRTIO_PCI_COMMON_Q_SIZE, 2);
	if (size == 0 || size > max)
		size = max;
	ring_create(r, &g->mem, size, g->features >> VHP_F_RING_EVENT_IDX & 1);
	wr(g, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	wr(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, 1 + q);
	/* 64-bit fields as two dwords, as virtio wants it. */
	wr(g, VIRTIO_PCI_COMMON_Q_DESCLO, 4, (uint32_t)r->desc_gpa);
	wr(g, VIRTIO_PCI_COMMON_Q_DESCHI, 4, r->desc_gpa >> 32);
	wr(g, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, (uint32_t)r->avail_gpa);
	wr(g, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, r->avail_gpa >> 32);
	wr(g, VIRTIO_PCI_COMMON_Q_USEDLO, 4, (uint32_t)r->used_gpa);
	wr(g, VIRTIO_PCI_COMMON_Q_USEDHI, 4, r->used_gpa >> 32);
	CHECKED(vhp_virtio_pci_doorbell(&g->v, (uint16_t)rd(g, VIRTIO_PCI_COMMON_Q_NOFF, 2), &g->doorbell[q]),
		"doorbell");
	if (q == 0 || q != g->late_queue)
		wr(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

int guest_prepare(struct guest *g, uint64_t features, uint16_t size)
{
	guest_reset(g);
	free_queues(g);
	tie_vectors(g);
	for (unsigned int v = 0; v < 1 + GUEST_QUEUES; v++)
		(void)guest_irqs(g, v);
	wr(g, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	wr(g, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	g->offered = 0;
	for (unsigned int i = 0; i < 2; i++) {
		wr(g, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		g->offered |= rd(g, VIRTIO_PCI_COMMON_DF, 4) << (32 * i);
	}
	g->features = features & g->offered;
	for (unsigned int i = 0; i < 2; i++) {
		wr(g, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		wr(g, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(g->features >> (32 * i)));
	}
	wr(g, VIRTIO_PCI_COMMON_STATUS, 1, 0xb);
	if (!(guest_status(g) & VIRTIO_CONFIG_S_FEATURES_OK))
		return -ENOTSUP;
	wr(g, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	g->num_queues = (uint16_t)rd(g, VIRTIO_PCI_COMMON_NUMQ, 2);
	if (!(g->features >> VHOST_PCI_NET_F_MQ & 1) && g->num_queues > 4)
		g->num_queues = 4;
	if (g->num_queues > GUEST_QUEUES)
		g->num_queues = GUEST_QUEUES;
	for (unsigned int q = 0; q < g->num_queues; q++)
		setup_queue(g, q, size);
	return 0;
}

void guest_driver_ok(struct guest *g)
{
	wr(g, VIRTIO_PCI_COMMON_STATUS, 1, 0xf);
}

void guest_post_ctrl(struct guest *g)
{
	for (unsigned int i = 0; i < 8; i++)
		post_ctrl(g, mem_alloc(&g->mem, GUEST_CTRL_BUF, 64));
}

int guest_init(struct guest *g, uint64_t features, uint16_t size)
{
	int rc = guest_prepare(g, features, size);

	if (rc < 0)
		return rc;
	guest_driver_ok(g);
	guest_post_ctrl(g);
	return 0;
}

void guest_send_ctrl(struct guest *g, const void *msg, uint32_t len)
{
	uint64_t cookie, buf = 0;
	uint32_t used;
	uint16_t old = g->q[1].next_avail;

	/* Buffers come back as the device takes them. */
	while (ring_take(&g->q[1], &cookie, &used))
		buf = cookie;
	if (buf == 0)
		buf = mem_alloc(&g->mem, GUEST_CTRL_BUF, 64);
	memcpy(mem_at(&g->mem, buf), msg, len < GUEST_CTRL_BUF ? len : GUEST_CTRL_BUF);
	struct seg s = { buf, len, false };

	if (ring_add(&g->q[1], &s, 1, buf) >= 0 && ring_wants_kick(&g->q[1], old))
		guest_kick(g, 1);
}

static void answer(struct guest *g, const struct guest_message *m)
{
	struct guest_message reply = *m;
	struct vhost_pci_ctrl h;
	uint64_t bits;

	memcpy(&h, m->bytes, sizeof(h));
	if (h.request == VHOST_PCI_CTRL_PEER_FEATURE_BITS) {
		memcpy(&bits, m->bytes + sizeof(h), sizeof(bits));
		bits &= ~g->refuse;
		memcpy(reply.bytes + sizeof(h), &bits, sizeof(bits));
		guest_send_ctrl(g, reply.bytes, reply.len);
	} else if (h.request == VHOST_PCI_CTRL_PEER_MEM_INFO) {
		guest_send_ctrl(g, reply.bytes, reply.len);
	}
}

unsigned int guest_pump(struct guest *g)
{
	unsigned int n = 0;
	uint64_t buf;
	uint32_t len;

	ring_interrupts(&g->q[0], true);
	while (ring_take(&g->q[0], &buf, &len)) {
		struct guest_message *m = &g->log[g->nlog % 32];

		m->len = len < GUEST_CTRL_BUF ? len : GUEST_CTRL_BUF;
		memcpy(m->bytes, mem_at(&g->mem, buf), m->len);
		g->nlog++;
		n++;
		post_ctrl(g, buf);
		if (!g->silent && m->len >= sizeof(struct vhost_pci_ctrl))
			answer(g, m);
		ring_interrupts(&g->q[0], true);
	}
	return n;
}

struct wanted {
	struct guest *g;
	uint16_t value;
};

static bool has_connection(void *arg)
{
	struct wanted *w = arg;

	guest_pump(w->g);
	return guest_connection(w->g) == w->value;
}

bool guest_wait_connection(struct guest *g, uint16_t value)
{
	struct wanted w = { g, value };

	return wait_for(has_connection, &w);
}
