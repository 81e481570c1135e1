/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * DPDK net driver of the vhost-pci-net function: what its files share.
 *
 *   vpnet_probe.c   devargs, the two buses, probe and remove
 *   vpnet_ethdev.c  ethdev operations: configuration, start, stop, close, link
 *   vpnet_stats.c   statistics, extended statistics, dump
 *   vpnet_device.c  the virtio device: status, features, configuration, switching it on and off
 *   vpnet_ctrl.c    control queues: the seed's handshake
 *   vpnet_service.c the thread that waits for the device's events
 *   vpnet_queue.c   memory and setup of the data queues, rx interrupts
 *   vpnet_rxtx.c    the data path with copy offload, and the receiveq's end of the other
 *   vpnet_offload.c packet headers: checksums, segmentation
 *   vpnet_copy.c    the data path without it: driver copy
 *   vpnet_mirror.c  driver copy's end of the peer's virtqueues, through the aperture
 *   vpnet_memory.c  DMA map of DPDK's memory for the socket back end
 *
 * Threads: the application's control calls and the service thread meet under `lock`; a data queue belongs to the core
 * that polls it. The device is "live" from DRIVER_OK to reset. Stopping the port does not take it down: the peer stays
 * connected and its packets wait in the receive queue; what changes a queue does, and so does closing.
 */
#ifndef VPNET_H
#define VPNET_H

#include <ethdev_driver.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <rte_ether.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <stdbool.h>

#include "vhost_pci.h"
#include "vhp_access.h"
#include "vhp_virtio_pci.h"

extern int vpnet_logtype;
#define RTE_LOGTYPE_VPNET vpnet_logtype
/** Log about one port; the first argument names it. */
#define VPNET_LOG(level, net, ...) RTE_LOG_LINE_PREFIX(level, VPNET, "%s: ", (net)->name, __VA_ARGS__)

#define VPNET_MAX_PAIRS 8u   /* also RTE_ETHDEV_QUEUE_STAT_CNTRS / 2: every queue has its statistics */
#define VPNET_MAX_RING 4096u /* entries; larger rings only cost cache */
#define VPNET_MIN_RING 8u
#define VPNET_DEFAULT_RING 512u
#define VPNET_HDR_LEN 12u      /* virtio_net_hdr_mrg_rxbuf; VERSION_1 makes it 12 always */
#define VPNET_MAX_FRAME 65550u /* the card's largest packet without that header */
#define VPNET_MAX_SEGS 256u    /* the card's longest descriptor chain */
/* Slots of headers for packets without room for one. */
#define VPNET_HDR_SLOT 16u
#define VPNET_NO_VECTOR 0xffffu
/** Offload flags of a packet to send that its header has to tell. */
#define VPNET_TX_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_IP_CKSUM)
#define VPNET_MAX_PEER_VQS 64u /* rows kept of a PEER_VIRTQ_INFO */
#define VPNET_MAX_PEER_REGIONS 32u

/** Device argument copy=. */
enum vpnet_copy {
	VPNET_COPY_AUTO, /**< the card if it offers that, else the driver */
	VPNET_COPY_CARD,
	VPNET_COPY_DRIVER,
};

struct vpnet_options {
	enum vpnet_copy copy;
	uint64_t peer_features; /**< at most these are accepted */
};

/* MSI-X vectors. */
#define VPNET_VEC_CONFIG 0u
#define VPNET_VEC_CTRL 1u
#define VPNET_VEC_RX 2u

/** A split virtqueue, the driver's end. */
struct vpnet_ring {
	uint16_t index; /* virtqueue number */
	uint16_t size;	/* 0: not set up */
	uint16_t mask;
	uint16_t vector;
	bool event_idx;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	volatile uint16_t *used_event_at;  /* behind the avail ring */
	volatile uint16_t *avail_event_at; /* behind the used ring */
	uint64_t doorbell;		   /* offset in the notify BAR */
	uint16_t avail_idx;		   /* next to publish */
	uint16_t used_idx;		   /* next to take */
	uint16_t used_event;		   /* as last written */
	const struct rte_memzone *zone;
	rte_iova_t iova;
};

struct vpnet_queue_stats {
	uint64_t packets, bytes, errors;
	uint64_t doorbells; /* sent */
	uint64_t no_mbuf;   /* rx: refills that found the pool empty */
	uint64_t ring_full; /* tx: packets left to the caller */
	/* Of the errors: a header that was not negotiated or is nonsense (rx); what the peer does not take (tx). */
	uint64_t bad_offloads;
	uint64_t large; /* packets that are to be cut to segments */
	/* Driver copy: accesses to the peer's memory (reads by line), interrupts that it got, or could not get. */
	uint64_t peer_reads, peer_writes;
	uint64_t peer_empty; /* of the reads: bursts that found nothing */
	uint64_t peer_irqs, peer_irqs_impossible;
	uint64_t peer_gsis; /* of the interrupts: by GSI */
};

struct vpnet_rxq {
	struct vpnet_ring ring;
	struct vpnet *net;
	struct rte_mempool *pool;
	struct rte_mbuf **mbufs; /* by descriptor */
	uint16_t *free_ids;
	uint16_t nfree;
	uint16_t free_thresh;
	uint16_t port;
	uint16_t queue;
	bool mergeable;
	bool scatter;
	uint64_t offloads; /* RTE_ETH_RX_OFFLOAD_* */
	bool broken;	   /* the device broke the ring: nothing is taken until a restart */
	uint16_t own_idx;  /* driver copy: next buffer to fill, as this driver serves the receiveq itself */
	struct vpnet_queue_stats stats;
	int event_fd; /* rx interrupt, -1 without */
} __rte_cache_aligned;

struct vpnet_txq {
	struct vpnet_ring ring;
	struct vpnet *net;
	struct rte_mbuf **mbufs; /* by head descriptor */
	uint16_t *next;		 /* chains of used and of free descriptors */
	uint16_t *chain;	 /* descriptors of the packet, by head; 0: not outstanding */
	uint16_t free_head;
	uint16_t nfree;
	uint16_t free_thresh;
	uint16_t queue;
	bool broken;
	rte_iova_t hdrs_iova; /* headers of packets without room for one, by head descriptor */
	uint8_t *hdrs;
	struct vpnet_queue_stats stats;
} __rte_cache_aligned;

struct vpnet_ctrl {
	struct vpnet_ring rx, tx;
	const struct rte_memzone *zone; /* the buffers of both */
	uint16_t rx_buffers, tx_buffers;
	uint64_t tx_busy; /* one bit per tx buffer */
	/* What the device said. */
	uint64_t vhost_pci_id;
	uint64_t peer_features, accepted;
	uint8_t need_map;
	uint8_t peer_bar;  /* with need_map Y */
	uint64_t peer_mem; /* as answered */
	uint32_t nregions;
	struct vhost_pci_mem_region regions[VPNET_MAX_PEER_REGIONS];
	uint32_t nvqs[2]; /* VHOST_PCI_PEER_VIRTQ_TX, _RX */
	struct vhost_pci_virtq vqs[2][VPNET_MAX_PEER_VQS];
	uint64_t dirty_logging; /* 0 or 1 */
	uint64_t dirty_logging_changes;
	uint64_t received, sent, errors;
};

struct vpnet {
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_dev *eth;
	struct vhp_dev *dev;
	struct vhp_virtio_pci pci;

	pthread_mutex_t lock;
	bool live;
	bool dead;	  /* the function is gone */
	bool needs_reset; /* the device asked for it */
	bool mac_changed; /* `mac` is not what the device came with: tell it at each start */
	struct rte_ether_addr mac;
	uint16_t peer_connection;
	uint64_t features;
	uint64_t device_features;
	uint16_t num_queues;
	uint16_t max_pairs;
	uint16_t max_ring[2 + 2 * VPNET_MAX_PAIRS];
	struct vhost_pci_net_config config;
	struct vpnet_options options;
	bool driver_copy;		 /* VHOST_PCI_NET_F_COPY_OFFLOAD was not accepted */
	struct vpnet_mirror *mirrors[2]; /* VHOST_PCI_PEER_VIRTQ_TX, _RX; VPNET_MAX_PAIRS each */
	uint16_t peer_rx_queues;	 /* of those, how many the tx queues may use */
	struct vpnet_ctrl ctrl;
	uint64_t connects, disconnects;

	int config_fd, ctrl_fd, stop_fd;
	rte_thread_t service;
	bool service_runs;

	struct vpnet_memory *memory; /* socket back end only */

	struct vpnet_rxq *rxqs[VPNET_MAX_PAIRS];
	struct vpnet_txq *txqs[VPNET_MAX_PAIRS];
};

static inline bool vpnet_has(const struct vpnet *net, unsigned int feature)
{
	return (net->features >> feature) & 1;
}

/* ------------------------------------------------------------------------------------------------ vpnet_device.c */

/** Find the structures, reset the device and read what it offers. */
int vpnet_device_probe(struct vpnet *net);
/** Reset, negotiate, set every queue up and set DRIVER_OK. `lock` is held. On error the device is left reset. */
int vpnet_device_up(struct vpnet *net);
/** Reset the device and wait for it: afterwards it reaches none of our memory. `lock` is held. */
int vpnet_device_down(struct vpnet *net);
/** The seed's close: write 0 to peer_connection and wait until it reads 0 (bounded). Without `lock`. */
void vpnet_device_disconnect(struct vpnet *net);
int vpnet_device_status(struct vpnet *net, uint8_t *status);
int vpnet_read_peer_connection(struct vpnet *net, uint16_t *value);
/** GSI of the peer's RX queue, from the seed's registers; only while connected. */
int vpnet_read_peer_gsi(struct vpnet *net, uint16_t queue, uint32_t *gsi);
int vpnet_read_config(struct vpnet *net, struct vhost_pci_net_config *config);

/* ------------------------------------------------------------------------------------------------ vpnet_queue.c */

/** Memory for a ring of @p size entries and @p extra bytes behind it, zeroed. */
int vpnet_ring_alloc(struct vpnet *net, struct vpnet_ring *ring, uint16_t index, uint16_t size, size_t extra,
		     unsigned int socket);
void vpnet_ring_free(struct vpnet_ring *ring);
/** Back to an empty ring, for a device that was reset. */
void vpnet_ring_clear(struct vpnet *net, struct vpnet_ring *ring);
/** Where the bytes behind the ring start. */
size_t vpnet_ring_bytes(uint16_t size);

int vpnet_rxq_setup(struct rte_eth_dev *eth, uint16_t queue, uint16_t nb_desc, unsigned int socket,
		    const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int vpnet_txq_setup(struct rte_eth_dev *eth, uint16_t queue, uint16_t nb_desc, unsigned int socket,
		    const struct rte_eth_txconf *conf);
void vpnet_rxq_release(struct rte_eth_dev *eth, uint16_t queue);
void vpnet_txq_release(struct rte_eth_dev *eth, uint16_t queue);
/** Empty a queue (the device is reset): mbufs back to their pools, ring as new. */
void vpnet_rxq_clear(struct vpnet_rxq *q);
void vpnet_txq_clear(struct vpnet_txq *q);
int vpnet_rx_intr_enable(struct rte_eth_dev *eth, uint16_t queue);
int vpnet_rx_intr_disable(struct rte_eth_dev *eth, uint16_t queue);
/** Eventfds and the interrupt handle for the configured rx queues. */
int vpnet_rx_intr_open(struct vpnet *net);
void vpnet_rx_intr_close(struct vpnet *net);

/* ------------------------------------------------------------------------------------------------ vpnet_rxtx.c */

uint16_t vpnet_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n);
uint16_t vpnet_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n);
/* Driver copy (vpnet_copy.c). */
uint16_t vpnet_mirror_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t n);
uint16_t vpnet_mirror_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t n);
/** Room for the header before the first byte, in memory that is this packet's alone. */
static inline bool vpnet_tx_can_push(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && rte_pktmbuf_headroom(m) >= VPNET_HDR_LEN &&
		m->data_len > 0;
}
/** Post buffers for every free descriptor. @return descriptors posted. */
uint16_t vpnet_rxq_refill(struct vpnet_rxq *q);
/** Tell the device about what was published since @p old, if it wants to know. */
bool vpnet_ring_notify(struct vpnet *net, struct vpnet_ring *ring, uint16_t old);
int vpnet_rx_descriptor_status(void *rxq, uint16_t offset);
int vpnet_tx_descriptor_status(void *txq, uint16_t offset);
uint32_t vpnet_rx_queue_count(void *rxq);
int vpnet_tx_done_cleanup(void *txq, uint32_t count);

/* ------------------------------------------------------------------------------------------------ vpnet_offload.c */

/** Peer feature bits that this driver agrees to, as the port is configured. */
uint64_t vpnet_offload_accepted(const struct vpnet *net);
/** Flags of a received packet from its header, which stands in front of it. @return false: to be dropped; counted */
bool vpnet_rx_offload(struct vpnet_rxq *q, struct rte_mbuf *m);
/** Header of a packet with any of VPNET_TX_FLAGS; checksums are completed for a peer that wants them. @return false: to be dropped */
bool vpnet_tx_offload(const struct vpnet *net, struct rte_mbuf *m, struct virtio_net_hdr *hdr);
uint16_t vpnet_tx_prepare(void *txq, struct rte_mbuf **pkts, uint16_t n);

/* ------------------------------------------------------------------------------------------------ vpnet_ctrl.c */

int vpnet_ctrl_alloc(struct vpnet *net);
void vpnet_ctrl_free(struct vpnet *net);
/** Empty both queues and post the receive buffers (not yet notified). */
void vpnet_ctrl_clear(struct vpnet *net);
/** Read and answer what the device sent. `lock` is held. */
void vpnet_ctrl_receive(struct vpnet *net);
/** Queue VHOST_PCI_CTRL_MAC. `lock` is held. */
int vpnet_ctrl_send_mac(struct vpnet *net);

/* ------------------------------------------------------------------------------------------------ vpnet_service.c */

int vpnet_service_start(struct vpnet *net);
/** @return 0; -EDEADLK when called by the service thread itself (an event callback). */
int vpnet_service_stop(struct vpnet *net);

/* ------------------------------------------------------------------------------------------------ vpnet_memory.c */

/** Map all of DPDK's memory and keep the map current. */
int vpnet_memory_open(struct vpnet *net);
void vpnet_memory_close(struct vpnet *net);

/* ------------------------------------------------------------------------------------------------ vpnet_ethdev.c */

extern const struct eth_dev_ops vpnet_ops;

/** Publish the link state. @return true if it changed. */
bool vpnet_link_set(struct vpnet *net);

/** Take over @p dev (also on failure) and make a port of it. */
int vpnet_create(struct rte_device *device, const char *name, struct vhp_dev *dev, const struct vpnet_options *options);
int vpnet_remove(const char *name);

/* ------------------------------------------------------------------------------------------------ vpnet_stats.c */

int vpnet_stats_get(struct rte_eth_dev *eth, struct rte_eth_stats *stats);
int vpnet_stats_reset(struct rte_eth_dev *eth);
int vpnet_xstats_get(struct rte_eth_dev *eth, struct rte_eth_xstat *stats, unsigned int n);
int vpnet_xstats_get_names(struct rte_eth_dev *eth, struct rte_eth_xstat_name *names, unsigned int size);
int vpnet_dump(struct rte_eth_dev *eth, FILE *file);

#endif
