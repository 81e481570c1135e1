/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet.h"

#include <inttypes.h>
#include <string.h>

#include "vpnet_mirror.h"

int vpnet_stats_get(struct rte_eth_dev *eth, struct rte_eth_stats *stats)
{
	const struct vpnet *net = eth->data->dev_private;

	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		const struct vpnet_queue_stats *rx = net->rxqs[i] != NULL ? &net->rxqs[i]->stats : NULL;
		const struct vpnet_queue_stats *tx = net->txqs[i] != NULL ? &net->txqs[i]->stats : NULL;

		if (rx != NULL) {
			stats->ipackets += stats->q_ipackets[i] = rx->packets;
			stats->ibytes += stats->q_ibytes[i] = rx->bytes;
			stats->ierrors += stats->q_errors[i] = rx->errors;
		}
		if (tx != NULL) {
			stats->opackets += stats->q_opackets[i] = tx->packets;
			stats->obytes += stats->q_obytes[i] = tx->bytes;
			stats->oerrors += tx->errors;
		}
	}
	stats->rx_nombuf = eth->data->rx_mbuf_alloc_failed;
	return 0;
}

int vpnet_stats_reset(struct rte_eth_dev *eth)
{
	struct vpnet *net = eth->data->dev_private;

	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		if (net->rxqs[i] != NULL)
			memset(&net->rxqs[i]->stats, 0, sizeof(net->rxqs[i]->stats));
		if (net->txqs[i] != NULL)
			memset(&net->txqs[i]->stats, 0, sizeof(net->txqs[i]->stats));
	}
	eth->data->rx_mbuf_alloc_failed = 0;
	pthread_mutex_lock(&net->lock);
	net->connects = net->disconnects = 0;
	net->ctrl.received = net->ctrl.sent = net->ctrl.errors = 0;
	pthread_mutex_unlock(&net->lock);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- extended */

enum row_of {
	OF_PORT,
	OF_RXQ,
	OF_TXQ
};

static const struct row {
	const char *name;
	enum row_of of;
	size_t offset; /* of a uint64_t */
} rows[] = {
	{ "peer_connects", OF_PORT, offsetof(struct vpnet, connects) },
	{ "peer_disconnects", OF_PORT, offsetof(struct vpnet, disconnects) },
	{ "peer_features", OF_PORT, offsetof(struct vpnet, ctrl.peer_features) },
	{ "peer_features_accepted", OF_PORT, offsetof(struct vpnet, ctrl.accepted) },
	{ "ctrl_received", OF_PORT, offsetof(struct vpnet, ctrl.received) },
	{ "ctrl_sent", OF_PORT, offsetof(struct vpnet, ctrl.sent) },
	{ "ctrl_errors", OF_PORT, offsetof(struct vpnet, ctrl.errors) },
	{ "dirty_page_logging", OF_PORT, offsetof(struct vpnet, ctrl.dirty_logging) },
	{ "dirty_page_logging_changes", OF_PORT, offsetof(struct vpnet, ctrl.dirty_logging_changes) },
	{ "doorbells", OF_RXQ, offsetof(struct vpnet_queue_stats, doorbells) },
	{ "no_mbuf", OF_RXQ, offsetof(struct vpnet_queue_stats, no_mbuf) },
	{ "large_packets", OF_RXQ, offsetof(struct vpnet_queue_stats, large) },
	{ "bad_offloads", OF_RXQ, offsetof(struct vpnet_queue_stats, bad_offloads) },
	{ "peer_reads", OF_RXQ, offsetof(struct vpnet_queue_stats, peer_reads) },
	{ "peer_reads_empty", OF_RXQ, offsetof(struct vpnet_queue_stats, peer_empty) },
	{ "peer_writes", OF_RXQ, offsetof(struct vpnet_queue_stats, peer_writes) },
	{ "peer_interrupts", OF_RXQ, offsetof(struct vpnet_queue_stats, peer_irqs) },
	{ "peer_interrupts_impossible", OF_RXQ, offsetof(struct vpnet_queue_stats, peer_irqs_impossible) },
	{ "doorbells", OF_TXQ, offsetof(struct vpnet_queue_stats, doorbells) },
	{ "ring_full", OF_TXQ, offsetof(struct vpnet_queue_stats, ring_full) },
	{ "large_packets", OF_TXQ, offsetof(struct vpnet_queue_stats, large) },
	{ "bad_offloads", OF_TXQ, offsetof(struct vpnet_queue_stats, bad_offloads) },
	{ "peer_reads", OF_TXQ, offsetof(struct vpnet_queue_stats, peer_reads) },
	{ "peer_writes", OF_TXQ, offsetof(struct vpnet_queue_stats, peer_writes) },
	{ "peer_interrupts", OF_TXQ, offsetof(struct vpnet_queue_stats, peer_irqs) },
	{ "peer_interrupts_by_gsi", OF_TXQ, offsetof(struct vpnet_queue_stats, peer_gsis) },
	{ "peer_interrupts_impossible", OF_TXQ, offsetof(struct vpnet_queue_stats, peer_irqs_impossible) },
};

static unsigned int copies(const struct rte_eth_dev *eth, const struct row *r)
{
	return r->of == OF_PORT ? 1 : r->of == OF_RXQ ? eth->data->nb_rx_queues : eth->data->nb_tx_queues;
}

static unsigned int count(const struct rte_eth_dev *eth)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < RTE_DIM(rows); i++)
		n += copies(eth, &rows[i]);
	return n;
}

int vpnet_xstats_get_names(struct rte_eth_dev *eth, struct rte_eth_xstat_name *names, unsigned int size)
{
	unsigned int n = count(eth), at = 0;

	if (names == NULL || size < n)
		return (int)n;
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		for (unsigned int q = 0; q < copies(eth, &rows[i]); q++, at++) {
			if (rows[i].of == OF_PORT)
				snprintf(names[at].name, sizeof(names[at].name), "%s", rows[i].name);
			else
				snprintf(names[at].name, sizeof(names[at].name), "%s_q%u_%s",
					 rows[i].of == OF_RXQ ? "rx" : "tx", q, rows[i].name);
		}
	}
	return (int)n;
}

int vpnet_xstats_get(struct rte_eth_dev *eth, struct rte_eth_xstat *stats, unsigned int size)
{
	struct vpnet *net = eth->data->dev_private;
	unsigned int n = count(eth), at = 0;

	if (stats == NULL || size < n)
		return (int)n;
	pthread_mutex_lock(&net->lock);
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		for (unsigned int q = 0; q < copies(eth, &rows[i]); q++, at++) {
			const void *base = net;

			if (rows[i].of == OF_RXQ)
				base = net->rxqs[q] != NULL ? &net->rxqs[q]->stats : NULL;
			else if (rows[i].of == OF_TXQ)
				base = net->txqs[q] != NULL ? &net->txqs[q]->stats : NULL;
			stats[at].id = at;
			stats[at].value = 0;
			if (base != NULL)
				memcpy(&stats[at].value, (const char *)base + rows[i].offset, sizeof(uint64_t));
		}
	}
	pthread_mutex_unlock(&net->lock);
	return (int)n;
}

/* ---------------------------------------------------------------------------------------------------- dump */

static void dump_ring(FILE *f, const char *what, unsigned int queue, const struct vpnet_ring *r, bool broken)
{
	fprintf(f, "  %s %u: virtqueue %u, %u entries, avail %u, used %u (device %u), vector %u%s\n", what, queue,
		r->index, r->size, r->avail_idx, r->used_idx, rte_le_to_cpu_16(*(volatile uint16_t *)&r->used->idx),
		r->vector, broken ? ", BROKEN" : "");
}

static void dump_mirrors(FILE *f, struct vpnet *net)
{
	static const char *const states[] = {
		[VPNET_MIRROR_ABSENT] = "absent", [VPNET_MIRROR_READY] = "ready",   [VPNET_MIRROR_RUNNING] = "running",
		[VPNET_MIRROR_DARK] = "dark",	  [VPNET_MIRROR_BROKEN] = "BROKEN",
	};

	for (unsigned int which = 0; which < 2 && net->mirrors[which] != NULL; which++) {
		for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
			struct vpnet_mirror *m = &net->mirrors[which][i];

			rte_ticketlock_lock(&m->lock);
			if (m->state != VPNET_MIRROR_ABSENT)
				fprintf(f,
					"  mirrored %s %u: %s, %u entries, avail %u (peer %u), used %u%s%s%s, gsi %d\n",
					which == VHOST_PCI_PEER_VIRTQ_TX ? "rx" : "tx", i, states[m->state], m->size,
					m->last_avail, m->avail_idx, m->used_idx, m->event_idx ? ", EVENT_IDX" : "",
					m->indirect ? ", INDIRECT_DESC" : "", m->mergeable ? ", mergeable" : "",
					(int)m->gsi);
			rte_ticketlock_unlock(&m->lock);
		}
	}
}

int vpnet_dump(struct rte_eth_dev *eth, FILE *f)
{
	struct vpnet *net = eth->data->dev_private;
	const struct vpnet_ctrl *c = &net->ctrl;
	uint8_t status = 0;

	pthread_mutex_lock(&net->lock);
	vpnet_device_status(net, &status);
	fprintf(f, "vhost-pci-net at %s (%s)\n", vhp_dev_info(net->dev)->name,
		vhp_dev_info(net->dev)->socket ? "vfio-user" : "vfio-pci");
	fprintf(f, "  device_status 0x%02x%s%s%s, peer_connection %u\n", status, net->live ? " live" : "",
		net->needs_reset ? " NEEDS-RESET" : "", net->dead ? " GONE" : "", net->peer_connection);
	fprintf(f, "  features: offered 0x%" PRIx64 ", accepted 0x%" PRIx64 "\n", net->device_features, net->features);
	fprintf(f, "  config: status %u, max_queue_pairs %u, mtu %u\n", net->config.status, net->config.max_queue_pairs,
		net->config.mtu);
	fprintf(f, "  control: id 0x%" PRIx64 ", received %" PRIu64 ", sent %" PRIu64 ", errors %" PRIu64 "\n",
		c->vhost_pci_id, c->received, c->sent, c->errors);
	fprintf(f, "  peer features 0x%" PRIx64 ", accepted 0x%" PRIx64 ", need_map %u, dirty logging %s\n",
		c->peer_features, c->accepted, c->need_map, c->dirty_logging ? "on" : "off");
	fprintf(f, "  the %s copies; peer_mem answered 0x%" PRIx64 "\n", net->driver_copy ? "driver" : "card",
		c->peer_mem);
	dump_mirrors(f, net);
	for (uint32_t i = 0; i < c->nregions; i++)
		fprintf(f, "  peer memory %u: gpa 0x%" PRIx64 " size 0x%" PRIx64 " bar offset 0x%" PRIx64 "\n", i,
			c->regions[i].gpa, c->regions[i].size, c->regions[i].bar_offset);
	for (unsigned int d = 0; d < 2; d++) {
		for (uint32_t i = 0; i < c->nvqs[d]; i++) {
			const struct vhost_pci_virtq *q = &c->vqs[d][i];

			fprintf(f,
				"  peer %s %u: %u entries, desc 0x%" PRIx64 " avail 0x%" PRIx64 " used 0x%" PRIx64
				", avail index %u, flags 0x%x, gsi %d\n",
				d == VHOST_PCI_PEER_VIRTQ_TX ? "tx" : "rx", i, q->num, q->desc, q->avail, q->used,
				q->last_avail_idx, q->flags, (int)q->gsi);
		}
	}
	dump_ring(f, "control rx", 0, &c->rx, false);
	dump_ring(f, "control tx", 0, &c->tx, false);
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++) {
		if (net->rxqs[i] != NULL)
			dump_ring(f, "rx", i, &net->rxqs[i]->ring, net->rxqs[i]->broken);
		if (net->txqs[i] != NULL)
			dump_ring(f, "tx", i, &net->txqs[i]->ring, net->txqs[i]->broken);
	}
	pthread_mutex_unlock(&net->lock);
	return 0;
}
