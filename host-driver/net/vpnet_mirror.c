/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet_mirror.h"

#include <errno.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/eventfd.h>

#include "vhp_fn_bar_regs.h"

#define MAX_QUEUE 32768u
#define NO_LINE UINT64_MAX
/* With EVENT_IDX a kick is suppressed by an avail_event that was just passed; it is moved along in time. */
#define EVENT_REFRESH 0x4000u
#define PEER_IRQ_QUEUE offsetof(vhp_fn_bar_t, peer_irq)
#define PEER_IRQ_GSI (PEER_IRQ_QUEUE + 4)

#define AVAIL_RING 4u /* offset of the entries; used_event follows the last */
#define USED_RING 4u
#define USED_IDX 2u

static const char *name_of(const struct vpnet_mirror *m)
{
	return m->which == VHOST_PCI_PEER_VIRTQ_TX ? "transmit" : "receive";
}

/* ---------------------------------------------------------------------------------------------------- peer memory */

bool vpnet_peer_translate(const struct vpnet *net, uint64_t gpa, uint64_t len, struct vpnet_span *span)
{
	for (uint32_t i = 0; i < net->ctrl.nregions; i++) {
		const struct vhost_pci_mem_region *r = &net->ctrl.regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa)) {
			span->at = r->bar_offset + (gpa - r->gpa);
			span->end = r->bar_offset + r->size;
			return true;
		}
	}
	return false;
}

/* A rule is broken: the queue stands still, whatever is staged does not leave. */
void vpnet_mirror_stop(struct vpnet_mirror *m, struct vpnet_queue_stats *st, const char *what, uint64_t value)
{
	m->state = VPNET_MIRROR_BROKEN;
	st->errors++;
	VPNET_LOG(ERR, m->net, "peer's %s queue %u stopped at avail entry %u: %s 0x%" PRIx64, name_of(m), m->index,
		  m->last_avail, what, value);
}

/* The aperture answers all ones, as a function that is gone or a window that was closed does. The service thread decides. */
static void dark(struct vpnet_mirror *m)
{
	m->state = VPNET_MIRROR_DARK;
	eventfd_write(m->net->config_fd, 1);
}

bool vpnet_mirror_read(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint64_t at, uint64_t end, void *to,
		       size_t len)
{
	st->peer_reads += (at + len - 1) / VPNET_MIRROR_LINE - at / VPNET_MIRROR_LINE + 1;
	if (vhp_dev_window_read(m->net->dev, m->net->ctrl.peer_bar, at, to, len, end) == 0)
		return true;
	dark(m);
	return false;
}

bool vpnet_mirror_write(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint64_t at, const void *from, size_t len)
{
	st->peer_writes++;
	if (vhp_dev_window_write(m->net->dev, m->net->ctrl.peer_bar, at, from, len) == 0)
		return true;
	dark(m);
	return false;
}

/* ---------------------------------------------------------------------------------------------------- avail ring */

/* Read flags and index. False: the queue stopped. */
bool vpnet_mirror_refresh(struct vpnet_mirror *m, struct vpnet_queue_stats *st)
{
	uint16_t raw[2], idx;

	if (!vpnet_mirror_read(m, st, m->avail.at, m->avail.end, raw, sizeof(raw)))
		return false;
	if (raw[0] == UINT16_MAX && raw[1] == UINT16_MAX) {
		dark(m);
		return false;
	}
	idx = rte_le_to_cpu_16(raw[1]);
	if ((uint16_t)(idx - m->last_avail) > m->size) {
		vpnet_mirror_stop(m, st, "avail index jumped to", idx);
		return false;
	}
	m->flags = rte_le_to_cpu_16(raw[0]);
	/* What was read before these entries were published may be older than they are. */
	if (idx != m->avail_idx)
		for (unsigned int i = 0; i < VPNET_MIRROR_LINES; i++)
			m->line_at[i] = NO_LINE;
	m->avail_idx = idx;
	return true;
}

/* The head at position @p at, which is published. */
static bool get_head(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint16_t at, uint16_t *head)
{
	if ((uint16_t)(at - m->heads_from) >= m->heads_count) {
		uint16_t pos = at & m->mask, count = (uint16_t)(m->avail_idx - at);
		uint64_t from = m->avail.at + AVAIL_RING + 2ull * pos;
		uint16_t in_line = (uint16_t)((VPNET_MIRROR_LINE - from % VPNET_MIRROR_LINE + 1) / 2);

		count = RTE_MIN(count, RTE_MIN(in_line, (uint16_t)(m->size - pos)));
		if (!vpnet_mirror_read(m, st, from, m->avail.end, m->heads, 2u * count))
			return false;
		m->heads_from = at;
		m->heads_count = count;
	}
	*head = rte_le_to_cpu_16(m->heads[(uint16_t)(at - m->heads_from)]);
	if (*head == UINT16_MAX) {
		dark(m);
		return false;
	}
	if (*head >= m->size) {
		vpnet_mirror_stop(m, st, "head out of range:", *head);
		return false;
	}
	return true;
}

/* Descriptor at BAR offset @p at, which lies inside a region that ends at @p end. */
static bool get_desc(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint64_t at, uint64_t end,
		     struct vring_desc *d)
{
	uint64_t line = at - at % VPNET_MIRROR_LINE;
	unsigned int slot = (unsigned int)(line / VPNET_MIRROR_LINE % VPNET_MIRROR_LINES);

	/* An indirect table may stand anywhere. */
	if (at % sizeof(*d) != 0)
		return vpnet_mirror_read(m, st, at, end, d, sizeof(*d));
	if (m->line_at[slot] != line) {
		m->line_at[slot] = NO_LINE;
		if (!vpnet_mirror_read(m, st, line, end, m->lines[slot],
				       RTE_MIN(end - line, (uint64_t)VPNET_MIRROR_LINE)))
			return false;
		m->line_at[slot] = line;
	}
	*d = m->lines[slot][at % VPNET_MIRROR_LINE / sizeof(*d)];
	if (d->addr == UINT64_MAX && d->flags == UINT16_MAX && d->next == UINT16_MAX) {
		dark(m);
		return false;
	}
	return true;
}

/*
 * Append the segments of a chain, all of them readable or all writable.
 *
 * @return its bytes; 0: the queue stopped
 */
static uint64_t walk(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint16_t head, bool writable)
{
	struct vpnet_span table = m->desc;
	uint32_t entries = m->size, seen = 0, id = head;
	bool inside = false; /* of an indirect table */
	uint64_t bytes = 0;

	for (;;) {
		struct vpnet_segment *s = &m->segs[m->nsegs];
		struct vring_desc d;
		uint16_t flags;
		uint64_t addr;
		uint32_t len;

		if (!get_desc(m, st, table.at + 16ull * id, table.end, &d))
			return 0;
		flags = rte_le_to_cpu_16(d.flags);
		addr = rte_le_to_cpu_64(d.addr);
		len = rte_le_to_cpu_32(d.len);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (inside || !m->indirect || (flags & VRING_DESC_F_NEXT)) {
				vpnet_mirror_stop(m, st,
						  inside ? "indirect table inside an indirect table, descriptor"
							  : !m->indirect
							  ? "indirect descriptor, which was not negotiated:"
							  : "indirect descriptor with NEXT set:",
						  id);
				return 0;
			}
			if (len == 0 || len % sizeof(d) != 0) {
				vpnet_mirror_stop(m, st, "indirect table of bytes:", len);
				return 0;
			}
			if (!vpnet_peer_translate(m->net, addr, len, &table)) {
				vpnet_mirror_stop(m, st, "indirect table outside the peer's memory at", addr);
				return 0;
			}
			inside = true;
			entries = len / (uint32_t)sizeof(d);
			id = 0;
			continue;
		}
		if (++seen > entries || seen > VPNET_MAX_SEGS) {
			vpnet_mirror_stop(m, st, "chain without end, or longer than allowed; head", head);
			return 0;
		}
		if (!!(flags & VRING_DESC_F_WRITE) != writable) {
			vpnet_mirror_stop(
				m, st,
				writable ? "buffer that may not be written:" : "buffer that may not be read:", id);
			return 0;
		}
		if (len == 0) {
			vpnet_mirror_stop(m, st, "descriptor of no bytes:", id);
			return 0;
		}
		if (!vpnet_peer_translate(m->net, addr, len, &s->where)) {
			vpnet_mirror_stop(m, st, "buffer outside the peer's memory at", addr);
			return 0;
		}
		s->len = len;
		m->nsegs++;
		bytes += len;
		if (!(flags & VRING_DESC_F_NEXT))
			return bytes;
		id = rte_le_to_cpu_16(d.next);
		if (id >= entries) {
			vpnet_mirror_stop(m, st, "next out of range:", id);
			return 0;
		}
	}
}

uint64_t vpnet_mirror_chain(struct vpnet_mirror *m, struct vpnet_queue_stats *st, uint16_t at, bool writable,
			    uint16_t *head)
{
	return get_head(m, st, at, head) ? walk(m, st, *head, writable) : 0;
}

/* ---------------------------------------------------------------------------------------------------- used ring */

bool vpnet_mirror_flush(struct vpnet_mirror *m, struct vpnet_queue_stats *st)
{
	uint16_t pos = m->used_next & m->mask, first = RTE_MIN(m->nelems, (uint16_t)(m->size - pos));

	if (first > 0 && !vpnet_mirror_write(m, st, m->used.at + USED_RING + 8ull * pos, m->elems, 8u * first))
		return false;
	if (m->nelems > first &&
	    !vpnet_mirror_write(m, st, m->used.at + USED_RING, m->elems + first, 8u * (m->nelems - first)))
		return false;
	m->used_next += m->nelems;
	m->nelems = 0;
	return true;
}

void vpnet_mirror_add(struct vpnet_mirror *m, uint16_t head, uint32_t len)
{
	m->elems[m->nelems++] = (struct vring_used_elem){ rte_cpu_to_le_32(head), rte_cpu_to_le_32(len) };
}

/*
 * By GSI if the peer has one, else by queue. The seed gives GSIs to the peer's receive queues only; the index of a transmit
 * queue has a bit of its own.
 */
static void interrupt(struct vpnet_mirror *m, struct vpnet_queue_stats *st)
{
	unsigned int bar = m->net->pci.common.bar;
	uint32_t gsi = rte_cpu_to_le_32(m->gsi);
	uint16_t queue = m->index;

	if (!vpnet_has(m->net, VHP_F_PV_INTERRUPT)) {
		st->peer_irqs_impossible++;
		return;
	}
	st->peer_irqs++;
	if (m->which == VHOST_PCI_PEER_VIRTQ_RX && m->gsi != VHOST_PCI_GSI_NONE) {
		st->peer_gsis++;
		vhp_dev_window_write(m->net->dev, bar, PEER_IRQ_GSI, &gsi, sizeof(gsi));
		return;
	}
	if (m->which == VHOST_PCI_PEER_VIRTQ_TX)
		queue |= VHOST_PCI_PEER_IRQ_TX;
	queue = rte_cpu_to_le_16(queue);
	vhp_dev_window_write(m->net->dev, bar, PEER_IRQ_QUEUE, &queue, sizeof(queue));
}

/*
 * Publish what was done: elements, then the index, then an interrupt if the peer wants it. Flags that came with the avail
 * index of this burst and allow it are good enough; else its wish is read behind the index, so that none is ever lost.
 * Without EVENT_IDX that read brings the next avail index too.
 */
void vpnet_mirror_commit(struct vpnet_mirror *m, struct vpnet_queue_stats *st)
{
	uint16_t old = m->used_idx, idx;
	bool wanted;

	if (!vpnet_mirror_flush(m, st) || m->used_next == old)
		return;
	m->used_idx = m->used_next;
	idx = rte_cpu_to_le_16(m->used_idx);
	if (!vpnet_mirror_write(m, st, m->used.at + USED_IDX, &idx, sizeof(idx)))
		return;
	if (m->state == VPNET_MIRROR_BROKEN) {
		wanted = true; /* nothing of it is read any more; an interrupt too many does no harm */
	} else if (m->event_idx) {
		if (!vpnet_mirror_read(m, st, m->avail.at + AVAIL_RING + 2ull * m->size, m->avail.end, &idx,
				       sizeof(idx)))
			return;
		wanted = vring_need_event(rte_le_to_cpu_16(idx), m->used_idx, old);
	} else {
		if ((m->flags & VRING_AVAIL_F_NO_INTERRUPT) && !vpnet_mirror_refresh(m, st))
			return;
		wanted = !(m->flags & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (wanted)
		interrupt(m, st);
	if (m->event_idx && (uint16_t)(m->last_avail - m->avail_event) > EVENT_REFRESH) {
		m->avail_event = (uint16_t)(m->last_avail - 1);
		idx = rte_cpu_to_le_16(m->avail_event);
		vpnet_mirror_write(m, st, m->used.at + USED_RING + 8ull * m->size, &idx, sizeof(idx));
	}
}

/* ---------------------------------------------------------------------------------------------------- life */

int vpnet_mirrors_alloc(struct vpnet *net)
{
	for (unsigned int which = 0; which < 2; which++) {
		net->mirrors[which] =
			rte_zmalloc("vpnet_mirror", VPNET_MAX_PAIRS * sizeof(struct vpnet_mirror), RTE_CACHE_LINE_SIZE);
		if (net->mirrors[which] == NULL)
			return -ENOMEM;
		for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
			struct vpnet_mirror *m = &net->mirrors[which][i];

			rte_ticketlock_init(&m->lock);
			m->net = net;
			m->which = (uint8_t)which;
			m->index = (uint8_t)i;
		}
	}
	return 0;
}

void vpnet_mirrors_free(struct vpnet *net)
{
	for (unsigned int which = 0; which < 2; which++) {
		rte_free(net->mirrors[which]);
		net->mirrors[which] = NULL;
	}
}

/*
 * Kicks off, as this driver polls. Every chain that a device like this one took it has returned, in order: so last_avail_idx
 * of the message is the used index in memory. Should they differ, memory is right: nothing is returned twice.
 */
static void start(struct vpnet_mirror *m)
{
	struct vpnet_queue_stats st = { 0 }; /* what the service thread does is no queue's */
	uint16_t raw[2], value;

	m->state = VPNET_MIRROR_RUNNING;
	if (!vpnet_mirror_read(m, &st, m->used.at, m->used.end, raw, sizeof(raw)))
		return;
	m->used_idx = m->used_next = rte_le_to_cpu_16(raw[1]);
	if (m->used_idx != m->row.last_avail_idx)
		VPNET_LOG(NOTICE, m->net,
			  "peer's %s queue %u begins at its used index %u; the device said last_avail_idx %u",
			  name_of(m), m->index, m->used_idx, m->row.last_avail_idx);
	m->last_avail = m->avail_idx = m->used_idx;
	m->avail_event = (uint16_t)(m->last_avail - 1);
	m->flags = VRING_AVAIL_F_NO_INTERRUPT;
	m->heads_count = 0;
	m->nelems = 0;
	for (unsigned int i = 0; i < VPNET_MIRROR_LINES; i++)
		m->line_at[i] = NO_LINE;
	value = rte_cpu_to_le_16(m->event_idx ? m->avail_event : VRING_USED_F_NO_NOTIFY);
	vpnet_mirror_write(m, &st, m->event_idx ? m->used.at + USED_RING + 8ull * m->size : m->used.at, &value,
			   sizeof(value));
}

/* The next device finds a ring that asks for kicks, and nothing half done. */
static void halt(struct vpnet_mirror *m)
{
	uint16_t value = rte_cpu_to_le_16(m->event_idx ? m->last_avail : 0);

	m->row.last_avail_idx = m->last_avail;
	m->state = VPNET_MIRROR_READY;
	vhp_dev_window_write(m->net->dev, m->net->ctrl.peer_bar,
			     m->event_idx ? m->used.at + USED_RING + 8ull * m->size : m->used.at, &value,
			     sizeof(value));
}

void vpnet_mirrors_update(struct vpnet *net)
{
	bool run = net->live && !net->dead && !net->needs_reset && net->peer_connection == 1 &&
		(net->config.status & 1);

	if (net->mirrors[0] == NULL)
		return;
	for (unsigned int which = 0; which < 2; which++) {
		for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
			struct vpnet_mirror *m = &net->mirrors[which][i];

			rte_ticketlock_lock(&m->lock);
			if (run && m->state == VPNET_MIRROR_DARK) {
				m->state = VPNET_MIRROR_BROKEN;
				VPNET_LOG(ERR, net, "peer's %s queue %u stopped: its memory reads all ones", name_of(m),
					  m->index);
			} else if (run && m->state == VPNET_MIRROR_READY) {
				start(m);
			} else if (!run && m->state == VPNET_MIRROR_RUNNING) {
				/* While it is still there; a write to a window that was closed goes nowhere. */
				halt(m);
			}
			rte_ticketlock_unlock(&m->lock);
		}
	}
}

void vpnet_mirrors_forget(struct vpnet *net)
{
	if (net->mirrors[0] == NULL)
		return;
	__atomic_store_n(&net->peer_rx_queues, 0, __ATOMIC_RELAXED);
	for (unsigned int which = 0; which < 2; which++) {
		for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
			struct vpnet_mirror *m = &net->mirrors[which][i];

			rte_ticketlock_lock(&m->lock);
			if (m->state == VPNET_MIRROR_RUNNING)
				halt(m);
			m->state = VPNET_MIRROR_ABSENT;
			memset(&m->row, 0, sizeof(m->row));
			rte_ticketlock_unlock(&m->lock);
		}
	}
}

static const char *wrong_row(struct vpnet_mirror *m)
{
	const struct vhost_pci_virtq *r = &m->row;

	if (r->num == 0 || r->num > MAX_QUEUE || !rte_is_power_of_2(r->num))
		return "its size is no power of two up to 32768";
	if (!vpnet_peer_translate(m->net, r->desc, 16ull * r->num, &m->desc) ||
	    !vpnet_peer_translate(m->net, r->avail, 6 + 2ull * r->num, &m->avail) ||
	    !vpnet_peer_translate(m->net, r->used, 6 + 8ull * r->num, &m->used))
		return "it lies outside the peer's memory";
	if (m->desc.at % 16 != 0 || m->avail.at % 2 != 0 || m->used.at % 4 != 0)
		return "it is not aligned";
	return NULL;
}

static void init(struct vpnet_mirror *m, const struct vhost_pci_virtq *row)
{
	const char *wrong;

	if (m->state == VPNET_MIRROR_RUNNING)
		halt(m);
	m->state = VPNET_MIRROR_ABSENT;
	m->row = *row;
	if (!(row->flags & VHOST_PCI_VIRTQ_F_ENABLED))
		return;
	wrong = wrong_row(m);
	if (wrong != NULL) {
		VPNET_LOG(ERR, m->net,
			  "peer's %s queue %u is not used: %s (%u entries, desc 0x%" PRIx64 ", avail 0x%" PRIx64
			  ", used 0x%" PRIx64 ")",
			  name_of(m), m->index, wrong, row->num, row->desc, row->avail, row->used);
		m->state = VPNET_MIRROR_BROKEN;
		return;
	}
	m->size = (uint16_t)row->num;
	m->mask = (uint16_t)(row->num - 1);
	m->event_idx = row->flags & VHOST_PCI_VIRTQ_F_EVENT_IDX;
	m->indirect = row->flags & VHOST_PCI_VIRTQ_F_INDIRECT_DESC;
	m->mergeable = (m->net->ctrl.accepted >> VHOST_PCI_PEER_F_MRG_RXBUF) & 1;
	m->state = VPNET_MIRROR_READY;
}

static bool same_ring(const struct vhost_pci_virtq *a, const struct vhost_pci_virtq *b)
{
	return a->num == b->num && a->desc == b->desc && a->avail == b->avail && a->used == b->used &&
		a->flags == b->flags;
}

void vpnet_mirrors_setup(struct vpnet *net, uint8_t which)
{
	static const struct vhost_pci_virtq none;
	uint32_t n = RTE_MIN(net->ctrl.nvqs[which], (uint32_t)VPNET_MAX_PAIRS);
	uint16_t usable = 0;

	if (net->mirrors[0] == NULL)
		return;
	if (net->ctrl.nvqs[which] > n)
		VPNET_LOG(WARNING, net, "the peer has %u queues, %u are served", net->ctrl.nvqs[which], n);
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		struct vpnet_mirror *m = &net->mirrors[which][i];
		const struct vhost_pci_virtq *row = i < n ? &net->ctrl.vqs[which][i] : &none;

		rte_ticketlock_lock(&m->lock);
		/* A queue at work keeps its indices: the device knows only those that it began with. */
		if (m->state != VPNET_MIRROR_RUNNING || !same_ring(&m->row, row))
			init(m, row);
		m->gsi = row->gsi;
		if (m->state == VPNET_MIRROR_READY || m->state == VPNET_MIRROR_RUNNING)
			usable = (uint16_t)(i + 1);
		rte_ticketlock_unlock(&m->lock);
	}
	if (which == VHOST_PCI_PEER_VIRTQ_RX)
		__atomic_store_n(&net->peer_rx_queues, usable, __ATOMIC_RELAXED);
}
