/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function 0 of a card in software, for tests of the vDPA driver: registers, mailbox and events of the real one, strict
 * about the order and content of requests, and a mirror in place of the far end: what the peer transmits comes back.
 *
 *   fake_card SOCKET [PORTS [PAIRS]]
 *
 * Prints "ready". Lines on standard input: "event PORT TYPE ARG", "accept PORT BITS" (driver_accepted of PORT_STATUS),
 * "mute 0|1" (answer no mailbox request). A rule of the interface that the driver breaks is printed as "VIOLATION: ..".
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#include "memmap.h"
#include "vfio_user.h"
#include "vhost_pci.h"
#include "vhp_mbox.h"
#include "vhp_mgmt_regs.h"

#define MAX_PORTS 3u
#define MAX_PAIRS 4u
#define MAX_VRINGS (2 * MAX_PAIRS)
#define VECTORS 32u
#define BAR0_SIZE 0x10000u
#define BAR2_SIZE 0x40000u
#define QUEUE_SIZE_MAX 4096u
#define MAX_EVENTS 16u
#define HDR_LEN 12u
#define REG(name) offsetof(vhp_mgmt_t, name)
#define BIT(n) (1ull << (n))

struct ring {
	struct vhp_mbox_peer_vring cfg;
	bool enabled;
	uint16_t avail, used;
};

struct port {
	bool configured, have_features, have_mem;
	enum vhp_port_state state;
	uint64_t features, accepted;
	struct vhp_mbox_peer_mem mem;
	struct ring ring[MAX_VRINGS];
	uint64_t packets[MAX_PAIRS], bytes[MAX_PAIRS], irqs[MAX_VRINGS], kicks[MAX_VRINGS];
	uint32_t connects, disconnects;
};

static struct {
	unsigned int ports, pairs;
	struct vfu_server *vfu;
	struct memfiles *files;
	struct memmap *map;
	int irq[VECTORS];
	uint8_t request[VHP_MBOX_SIZE], reply[VHP_MBOX_SIZE], config[4096];
	bool busy, mute;
	uint32_t events[MAX_EVENTS];
	unsigned int num_events;
	uint32_t lost;
	struct port port[MAX_PORTS];
} card;

static void violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void violation(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("VIOLATION: ");
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

static void fire(unsigned int vector)
{
	const uint64_t one = 1;

	if (card.irq[vector] >= 0)
		(void)!write(card.irq[vector], &one, sizeof(one));
}

static void event(unsigned int type, unsigned int port, unsigned int arg)
{
	if (card.num_events == MAX_EVENTS)
		card.lost++;
	else
		card.events[card.num_events++] = type | port << 8 | arg << 16;
	fire(0);
}

/* ------------------------------------------------------------------------------------------------------- the mirror */

static bool translate(const struct port *p, uint64_t gpa, uint64_t len, uint64_t *iova)
{
	for (uint32_t i = 0; i < p->mem.nregions; i++) {
		const struct vhp_mbox_region *r = &p->mem.regions[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->size)
			continue;
		*iova = r->iova + (gpa - r->gpa);
		return len <= r->size - (gpa - r->gpa);
	}
	return false;
}

static int guest_read(struct port *p, uint64_t gpa, void *to, unsigned int len)
{
	uint64_t iova;

	if (!translate(p, gpa, len, &iova))
		return -EFAULT;
	return memmap_read(card.map, iova, to, len);
}

static int guest_write(struct port *p, uint64_t gpa, const void *from, unsigned int len)
{
	uint64_t iova;

	if (!translate(p, gpa, len, &iova))
		return -EFAULT;
	return memmap_write(card.map, iova, from, len);
}

static uint16_t read16(struct port *p, uint64_t gpa)
{
	uint16_t v = 0;

	if (guest_read(p, gpa, &v, 2))
		violation("ring at guest-physical 0x%llx is not mapped", (unsigned long long)gpa);
	return v;
}

/* Gather (tx) or scatter (rx) one chain; @return bytes, negative on a fault. */
static int chain(struct port *p, struct ring *r, uint16_t head, uint8_t *buf, int len, bool rx)
{
	struct vring_desc d = { .next = head, .flags = VRING_DESC_F_NEXT };
	int done = 0;

	for (unsigned int n = 0; d.flags & VRING_DESC_F_NEXT; n++) {
		unsigned int take;

		if (n == r->cfg.num || guest_read(p, r->cfg.desc + 16ull * d.next, &d, sizeof(d)))
			return -EFAULT;
		if (!(d.flags & VRING_DESC_F_WRITE) == rx || (d.flags & VRING_DESC_F_INDIRECT))
			return -EINVAL;
		take = d.len < (uint32_t)(len - done) ? d.len : (uint32_t)(len - done);
		if (take && (rx ? guest_write(p, d.addr, buf + done, take) : guest_read(p, d.addr, buf + done, take)))
			return -EFAULT;
		done += (int)take;
	}
	return done;
}

static void put_used(struct port *p, unsigned int index, uint16_t head, uint32_t len)
{
	struct ring *r = &p->ring[index];
	struct vring_used_elem e = { .id = head, .len = len };

	guest_write(p, r->cfg.used + 4 + 8ull * (r->used & (r->cfg.num - 1)), &e, sizeof(e));
	r->used++;
	guest_write(p, r->cfg.used + 2, &r->used, 2);
	r->avail++;
	if (read16(p, r->cfg.avail) & VRING_AVAIL_F_NO_INTERRUPT)
		return;
	p->irqs[index]++;
	fire(VHP_PEER_VECTOR((unsigned int)(p - card.port), index));
}

static void mirror(struct port *p, unsigned int pair)
{
	struct ring *rx = &p->ring[2 * pair], *tx = &p->ring[2 * pair + 1];
	static uint8_t packet[65536];

	if (p->state != VHP_PORT_CONNECTED || !rx->enabled || !tx->enabled)
		return;
	while (tx->avail != read16(p, tx->cfg.avail + 2) && rx->avail != read16(p, rx->cfg.avail + 2)) {
		uint16_t th = read16(p, tx->cfg.avail + 4 + 2ull * (tx->avail & (tx->cfg.num - 1)));
		uint16_t rh = read16(p, rx->cfg.avail + 4 + 2ull * (rx->avail & (rx->cfg.num - 1)));
		const uint16_t one = 1;
		int len = chain(p, tx, th, packet, sizeof(packet), false);

		if (len < (int)HDR_LEN) {
			violation("transmit chain %u: %d", th, len);
			return;
		}
		memcpy(packet + 10, &one, 2); /* num_buffers */
		if (chain(p, rx, rh, packet, len, true) != len) {
			violation("receive chain %u does not hold %d bytes", rh, len);
			return;
		}
		put_used(p, 2 * pair, rh, (uint32_t)len);
		put_used(p, 2 * pair + 1, th, 0);
		p->packets[pair]++;
		p->bytes[pair] += (uint64_t)len - HDR_LEN;
	}
}

/* -------------------------------------------------------------------------------------------------------- mailbox */

static int set_ring(struct port *p, unsigned int port, const struct vhp_mbox_peer_vring *v, uint16_t *detail)
{
	uint64_t iova;
	struct ring *r;

	*detail = offsetof(struct vhp_mbox_peer_vring, index);
	if (v->index >= 2 * card.pairs)
		return VHP_ST_BAD_ARGUMENT;
	r = &p->ring[v->index];
	if (!(v->flags & VHP_VRING_ENABLE)) {
		r->enabled = false;
		return VHP_ST_OK;
	}
	if (!p->have_mem)
		violation("PEER_VRING %u before PEER_MEM", v->index);
	*detail = offsetof(struct vhp_mbox_peer_vring, num);
	if (v->num < 2 || v->num > QUEUE_SIZE_MAX || (v->num & (v->num - 1)))
		return VHP_ST_BAD_ARGUMENT;
	*detail = offsetof(struct vhp_mbox_peer_vring, msix_vector);
	if (v->msix_vector != VHP_PEER_VECTOR(port, v->index))
		return VHP_ST_BAD_ARGUMENT;
	*detail = offsetof(struct vhp_mbox_peer_vring, desc);
	if (!translate(p, v->desc, 16ull * v->num, &iova) || !translate(p, v->avail, 6 + 2ull * v->num, &iova) ||
	    !translate(p, v->used, 6 + 8ull * v->num, &iova))
		return VHP_ST_NOT_MAPPED;
	if (v->index % 2 ? v->gsi != VHP_GSI_NONE : v->gsi == VHP_GSI_NONE)
		violation("vring %u has GSI 0x%x", v->index, v->gsi);
	r->cfg = *v;
	r->enabled = true;
	r->avail = v->last_avail_idx;
	r->used = v->last_used_idx;
	return VHP_ST_OK;
}

static void connect_port(struct port *p, unsigned int port)
{
	p->state = VHP_PORT_CONNECTED;
	p->connects++;
	event(VHP_EVENT_CONNECTED, port, 0);
}

static void bases(const struct port *p, struct vhp_mbox_vring_bases *b)
{
	for (unsigned int i = 0; i < MAX_VRINGS; i++) {
		b->last_avail_idx[i] = p->ring[i].avail;
		b->last_used_idx[i] = p->ring[i].used;
	}
}

static void status(const struct port *p, struct vhp_mbox_port_status *s)
{
	s->state = p->state;
	s->peer_features = p->features;
	s->driver_accepted = p->accepted;
	s->device_features = BIT(VHP_F_VERSION_1) | BIT(VHOST_PCI_NET_F_MAC);
	s->driver_features = s->device_features;
	s->device_status = 0x0f;
	s->connects = p->connects;
	s->disconnects = p->disconnects;
	s->nlanes = 2 * card.pairs;
	for (unsigned int i = 0; i < s->nlanes; i++) {
		s->lanes[i].lane = (uint8_t)i;
		s->lanes[i].running = p->state == VHP_PORT_CONNECTED && p->ring[i ^ 1].enabled;
		s->lanes[i].reason = s->lanes[i].running ? 0 : 1;
	}
}

static void stats(const struct port *p, struct vhp_mbox_port_stats *s)
{
	s->connects = p->connects;
	s->disconnects = p->disconnects;
	s->nlanes = 2 * card.pairs;
	for (unsigned int i = 0; i < s->nlanes; i++) {
		bool b2a = i % 2;

		s->lanes[i].packets = p->packets[i / 2];
		s->lanes[i].bytes = p->bytes[i / 2];
		s->lanes[i].src_irqs = b2a ? 0 : p->irqs[i + 1];
		s->lanes[i].snk_irqs = b2a ? p->irqs[i - 1] : 0;
		s->lanes[i].src_kicks = b2a ? 0 : p->kicks[i + 1];
		s->lanes[i].snk_kicks = b2a ? p->kicks[i - 1] : 0;
	}
	for (unsigned int i = 0; i < MAX_VRINGS; i++)
		s->doorbells_peer += p->kicks[i];
}

static int handle(const struct vhp_mbox_hdr *h, const void *payload, void *out, uint32_t *len, uint16_t *detail)
{
	struct port *p = &card.port[h->port < card.ports ? h->port : 0];
	bool any = false;

	if (h->port >= card.ports)
		return VHP_ST_BAD_PORT;
	switch (h->op) {
	case VHP_OP_PORT_CONFIG:
		if (h->length != sizeof(struct vhp_mbox_port_config))
			return VHP_ST_BAD_LENGTH;
		p->configured = true;
		return VHP_ST_OK;
	case VHP_OP_PEER_FEATURES:
		if (!p->configured)
			violation("port %u: features before PORT_CONFIG", h->port);
		if (p->state != VHP_PORT_DOWN)
			return VHP_ST_WRONG_STATE;
		memcpy(&p->features, payload, sizeof(p->features));
		if (!(p->features & BIT(32)) || (p->features & BIT(34)))
			return VHP_ST_BAD_ARGUMENT;
		p->accepted = p->features & 0xff80;
		p->have_features = true;
		p->have_mem = false;
		memset(p->ring, 0, sizeof(p->ring));
		return VHP_ST_OK;
	case VHP_OP_PEER_MEM:
		if (p->state != VHP_PORT_DOWN || !p->have_features)
			return VHP_ST_WRONG_STATE;
		if (h->length != sizeof(p->mem))
			return VHP_ST_BAD_LENGTH;
		memcpy(&p->mem, payload, sizeof(p->mem));
		for (uint32_t i = 0; i < p->mem.nregions; i++) {
			if (!memmap_covers(card.map, p->mem.regions[i].iova, p->mem.regions[i].size,
					   VFU_PERM_READ | VFU_PERM_WRITE))
				violation("port %u: region %u is not mapped at its IOVA", h->port, i);
		}
		p->have_mem = true;
		return VHP_ST_OK;
	case VHP_OP_PEER_VRING:
		if (h->length != sizeof(struct vhp_mbox_peer_vring))
			return VHP_ST_BAD_LENGTH;
		return set_ring(p, h->port, payload, detail);
	case VHP_OP_PORT_START:
		for (unsigned int i = 0; i < MAX_VRINGS; i++)
			any |= p->ring[i].enabled;
		if (p->state != VHP_PORT_DOWN || !p->have_features || !p->have_mem || !any)
			return VHP_ST_WRONG_STATE;
		connect_port(p, h->port);
		return VHP_ST_OK;
	case VHP_OP_PORT_STOP:
		if (p->state == VHP_PORT_CONNECTED) {
			p->disconnects++;
			event(VHP_EVENT_DISCONNECTED, h->port, 0);
		}
		p->state = VHP_PORT_DOWN;
		/* fall through */
	case VHP_OP_VRING_BASES:
		bases(p, out);
		*len = sizeof(struct vhp_mbox_vring_bases);
		return VHP_ST_OK;
	case VHP_OP_PORT_STATUS:
		status(p, out);
		*len = sizeof(struct vhp_mbox_port_status);
		return VHP_ST_OK;
	case VHP_OP_PORT_STATS:
		stats(p, out);
		*len = sizeof(struct vhp_mbox_port_stats);
		return VHP_ST_OK;
	case VHP_OP_CARD_INFO:
		*(struct vhp_mbox_card_info *)out = (struct vhp_mbox_card_info){
			.fw_version = 0x000100,
			.num_ports = card.ports,
			.pairs = card.pairs,
			.max_queue_size = QUEUE_SIZE_MAX,
			.build = "mirror",
		};
		*len = sizeof(struct vhp_mbox_card_info);
		return VHP_ST_OK;
	default:
		violation("unknown mailbox operation %u", h->op);
		return VHP_ST_UNKNOWN_OP;
	}
}

static void mailbox(void)
{
	struct vhp_mbox_hdr h;
	uint32_t len = 0;

	if (card.mute)
		return;
	memcpy(&h, card.request, sizeof(h));
	memset(card.reply, 0, sizeof(card.reply));
	h.detail = 0;
	h.status = (uint16_t)handle(&h, card.request + sizeof(h), card.reply + sizeof(h), &len, &h.detail);
	h.length = len;
	memcpy(card.reply, &h, sizeof(h));
	card.busy = false;
}

/* -------------------------------------------------------------------------------------------------------- function */

static uint32_t read_reg(uint64_t at)
{
	switch (at) {
	case REG(id):
		return VHP_MGMT__ID__VALUE_reset;
	case REG(version):
		return 1u << VHP_MGMT__VERSION__MAJOR_bp;
	case REG(caps):
		return card.ports | card.pairs << VHP_MGMT__CAPS__PAIRS_bp | 12u << VHP_MGMT__CAPS__QUEUE_SIZE_LOG2_bp |
			8u << VHP_MGMT__CAPS__MAX_REGIONS_bp;
	case REG(fw_status):
		return 1u << VHP_MGMT__FW_STATUS__STATE_bp;
	case REG(mbox):
		return card.busy;
	case REG(event):
		return card.num_events ? card.events[0] : 0;
	case REG(event_lost):
		return card.lost;
	default:
		return 0;
	}
}

static int region_read(void *arg, unsigned int region, uint64_t offset, void *buf, uint32_t count)
{
	(void)arg;
	memset(buf, 0, count);
	if (region == VFU_REGION_CONFIG) {
		memcpy(buf, card.config + offset, count);
	} else if (region == 0 && offset >= REG(mbox_reply) && offset + count <= REG(mbox_reply) + VHP_MBOX_SIZE) {
		memcpy(buf, card.reply + offset - REG(mbox_reply), count);
	} else if (region == 0 && count == 4 && offset % 4 == 0) {
		uint32_t v = htole32(read_reg(offset));

		memcpy(buf, &v, 4);
	}
	return 0;
}

static int region_write(void *arg, unsigned int region, uint64_t offset, const void *buf, uint32_t count)
{
	(void)arg;
	if (region == VFU_REGION_CONFIG) {
		if (offset == 4)
			memcpy(card.config + offset, buf, count);
	} else if (region == 2) {
		unsigned int port = (unsigned int)(offset / 4096 / 16), vring = (unsigned int)(offset / 4096 % 16);

		if (port >= card.ports || vring >= 2 * card.pairs) {
			violation("doorbell of port %u vring %u", port, vring);
			return 0;
		}
		card.port[port].kicks[vring]++;
		mirror(&card.port[port], vring / 2);
	} else if (region == 0 && offset >= REG(mbox_request) && offset + count <= REG(mbox_request) + VHP_MBOX_SIZE) {
		if (card.busy)
			violation("the request is written while the mailbox is busy");
		memcpy(card.request + offset - REG(mbox_request), buf, count);
	} else if (region == 0 && offset == REG(mbox)) {
		card.busy = true;
		mailbox();
	} else if (region == 0 && offset == REG(event_ack) && card.num_events) {
		memmove(card.events, card.events + 1, --card.num_events * sizeof(card.events[0]));
	} else {
		violation("write of %u bytes to BAR %u + 0x%llx", count, region, (unsigned long long)offset);
	}
	return 0;
}

static int dma_map(void *arg, uint64_t iova, uint64_t size, int fd, uint64_t offset, unsigned int perm)
{
	(void)arg;
	return memmap_add_fd(card.map, iova, size, fd, offset, perm);
}

static int dma_unmap(void *arg, uint64_t iova, uint64_t size)
{
	int n = memmap_remove(card.map, iova, size);

	(void)arg;
	for (unsigned int i = 0; i < card.ports; i++) {
		const struct port *p = &card.port[i];

		for (uint32_t k = 0; p->state != VHP_PORT_DOWN && k < p->mem.nregions; k++) {
			if (p->mem.regions[k].iova == iova)
				violation("port %u: memory is unmapped before PORT_STOP", i);
		}
	}
	return n < 0 ? n : 0;
}

static int dma_unmap_all(void *arg)
{
	(void)arg;
	memmap_clear(card.map);
	return 0;
}

static int set_irq(void *arg, unsigned int vector, int fd)
{
	(void)arg;
	if (card.irq[vector] >= 0)
		close(card.irq[vector]);
	card.irq[vector] = fd;
	return 0;
}

static int trigger_irq(void *arg, unsigned int vector)
{
	(void)arg;
	fire(vector);
	return 0;
}

static int reset(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < card.ports; i++)
		card.port[i].state = VHP_PORT_DOWN;
	return 0;
}

static void connected(void *arg)
{
	(void)arg;
}

static void disconnected(void *arg)
{
	reset(arg);
	dma_unmap_all(arg);
	for (unsigned int v = 0; v < VECTORS; v++)
		set_irq(arg, v, -1);
	card.num_events = 0;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	printf("server: %s\n", text);
	fflush(stdout);
}

static void command(char *line)
{
	unsigned int a, b, c;
	unsigned long long bits;

	if (sscanf(line, "event %u %u %u", &a, &b, &c) == 3 && a < card.ports) {
		if (b == VHP_EVENT_CLOSE_REQUEST)
			card.port[a].state = VHP_PORT_CLOSING;
		event(b, a, c);
	} else if (sscanf(line, "accept %u %llx", &a, &bits) == 2 && a < card.ports) {
		card.port[a].accepted = bits;
	} else if (sscanf(line, "mute %u", &a) == 1) {
		card.mute = a;
		if (card.busy)
			mailbox();
	} else {
		printf("unknown command: %s", line);
	}
	printf("done\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct vfu_ops ops = {
		.region_read = region_read,
		.region_write = region_write,
		.dma_map = dma_map,
		.dma_unmap = dma_unmap,
		.dma_unmap_all = dma_unmap_all,
		.set_irq = set_irq,
		.trigger_irq = trigger_irq,
		.reset = reset,
		.connected = connected,
		.disconnected = disconnected,
	};
	struct vfu_config cfg = { .msix_vectors = VECTORS, .ops = &ops, .log = say };
	int rc;

	if (argc < 2) {
		fprintf(stderr, "usage: fake_card SOCKET [PORTS [PAIRS]]\n");
		return 64;
	}
	card.ports = argc > 2 ? (unsigned int)atoi(argv[2]) : 2;
	card.pairs = argc > 3 ? (unsigned int)atoi(argv[3]) : 2;
	if (card.ports < 1 || card.ports > MAX_PORTS || card.pairs < 1 || card.pairs > MAX_PAIRS)
		return 64;
	for (unsigned int v = 0; v < VECTORS; v++)
		card.irq[v] = -1;
	card.config[0] = VHP_PEER_PCI_VENDOR & 0xff;
	card.config[1] = VHP_PEER_PCI_VENDOR >> 8;
	card.config[2] = VHP_PEER_PCI_DEVICE & 0xff;
	card.config[3] = VHP_PEER_PCI_DEVICE >> 8;
	card.files = memfiles_create();
	card.map = memmap_create(card.files);
	cfg.path = argv[1];
	cfg.region_size[0] = BAR0_SIZE;
	cfg.region_size[2] = BAR2_SIZE;
	cfg.region_size[VFU_REGION_CONFIG] = sizeof(card.config);
	rc = vfu_create(&cfg, &card.vfu);
	if (rc) {
		fprintf(stderr, "fake_card: %s: %s\n", argv[1], strerror(-rc));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);

	for (;;) {
		struct pollfd fds[VFU_MAX_POLL + 1] = { { .fd = STDIN_FILENO, .events = POLLIN } };
		unsigned int n = vfu_poll_fds(card.vfu, fds + 1);
		char line[256];

		if (poll(fds, n + 1, -1) < 0 && errno != EINTR)
			break;
		while (vfu_process(card.vfu))
			;
		if (fds[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				break;
			command(line);
		}
	}
	vfu_destroy(card.vfu);
	memmap_destroy(card.map);
	memfiles_destroy(card.files);
	return 0;
}
