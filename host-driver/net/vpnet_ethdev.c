/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet.h"

#include <errno.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vpnet_mirror.h"

/* What PCIe Gen3 x16 carries; there is no wire, so the figure is for information only. */
#define LINK_SPEED RTE_ETH_SPEED_NUM_100G
#define OVERHEAD (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)

/* Whether a peer comes that needs or takes them is not known before it is there: see vpnet_offload.c for when not. */
#define RX_OFFLOADS (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define RX_OFFLOADS_MERGED (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO)
#define TX_OFFLOADS                                                                                     \
	(RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
	 RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_UDP_TSO)

static struct vpnet *to_net(const struct rte_eth_dev *eth)
{
	return eth->data->dev_private;
}

/* ---------------------------------------------------------------------------------------------------- link */

bool vpnet_link_set(struct vpnet *net)
{
	struct rte_eth_dev_data *data = net->eth->data;
	struct rte_eth_link link = { 0 }, old;

	link.link_speed = LINK_SPEED;
	link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
	link.link_autoneg = RTE_ETH_LINK_FIXED;
	link.link_status = data->dev_started && net->live && !net->dead && !net->needs_reset &&
		net->peer_connection == 1;
	if (!link.link_status)
		link.link_speed = RTE_ETH_SPEED_NUM_NONE;
	old.val64 = __atomic_exchange_n((uint64_t *)&data->dev_link, link.val64, __ATOMIC_SEQ_CST);
	return old.link_status != link.link_status;
}

static int link_update(struct rte_eth_dev *eth, int wait_to_complete)
{
	struct vpnet *net = to_net(eth);
	uint16_t connection;

	(void)wait_to_complete; /* nothing to wait for: the peer comes when it comes */
	pthread_mutex_lock(&net->lock);
	if (net->live && !net->dead && vpnet_read_peer_connection(net, &connection) == 0) {
		if (connection != net->peer_connection && connection == 1)
			net->connects++;
		else if (connection != net->peer_connection)
			net->disconnects++;
		net->peer_connection = connection;
		vpnet_mirrors_update(net);
	}
	vpnet_link_set(net);
	pthread_mutex_unlock(&net->lock);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- life */

static int configure(struct rte_eth_dev *eth)
{
	struct vpnet *net = to_net(eth);
	const struct rte_eth_conf *conf = &eth->data->dev_conf;
	int rc;

	if (conf->rxmode.mq_mode != RTE_ETH_MQ_RX_NONE && conf->rxmode.mq_mode != RTE_ETH_MQ_RX_RSS) {
		VPNET_LOG(ERR, net,
			  "rx multi-queue mode %u: the peer's driver chooses the queue, there is none but this",
			  conf->rxmode.mq_mode);
		return -ENOTSUP;
	}
	if (conf->rxmode.mq_mode == RTE_ETH_MQ_RX_RSS && conf->rx_adv_conf.rss_conf.rss_hf != 0) {
		VPNET_LOG(ERR, net, "no RSS: the peer's driver chooses the queue");
		return -ENOTSUP;
	}
	if (conf->txmode.mq_mode != RTE_ETH_MQ_TX_NONE) {
		VPNET_LOG(ERR, net, "tx multi-queue mode %u is not supported", conf->txmode.mq_mode);
		return -ENOTSUP;
	}
	/* Queues may change: their rings leave the device first. */
	pthread_mutex_lock(&net->lock);
	rc = vpnet_device_down(net);
	pthread_mutex_unlock(&net->lock);
	if (eth->data->dev_conf.intr_conf.rxq == 0)
		vpnet_rx_intr_close(net);
	return rc;
}

/* Packets that arrived while the port was stopped belong to nobody. */
static void discard(struct vpnet_rxq *q)
{
	struct rte_mbuf *pkts[32];
	uint16_t n;

	for (unsigned int left = q->ring.size; left > 0; left -= RTE_MIN(left, (unsigned int)n)) {
		n = q->net->driver_copy ? vpnet_mirror_rx_burst(q, pkts, RTE_DIM(pkts))
					: vpnet_rx_burst(q, pkts, RTE_DIM(pkts));
		if (n == 0)
			return;
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

static int any_broken(const struct vpnet *net)
{
	for (unsigned int i = 0; i < VPNET_MAX_PAIRS; i++)
		if ((net->rxqs[i] != NULL && net->rxqs[i]->broken) || (net->txqs[i] != NULL && net->txqs[i]->broken))
			return 1;
	return 0;
}

static int start(struct rte_eth_dev *eth)
{
	struct vpnet *net = to_net(eth);
	struct rte_eth_dev_data *data = eth->data;
	uint16_t connection;
	int rc = 0;

	if (data->dev_conf.intr_conf.rxq != 0 && net->driver_copy) {
		VPNET_LOG(
			ERR, net,
			"no rx interrupts with driver copy: the peer's rings are polled, a kick reaches the card only");
		return -ENOTSUP;
	}
	if (data->dev_conf.intr_conf.rxq != 0) {
		rc = vpnet_rx_intr_open(net);
		if (rc < 0)
			return rc;
	}
	pthread_mutex_lock(&net->lock);
	if (net->dead)
		rc = -ENODEV;
	if (rc == 0 && net->live && (net->needs_reset || any_broken(net)))
		rc = vpnet_device_down(net);
	if (rc == 0 && !net->live)
		rc = vpnet_device_up(net);
	else if (rc == 0)
		for (unsigned int i = 0; i < data->nb_rx_queues; i++)
			discard(net->rxqs[i]);
	if (rc == 0) {
		eth->rx_pkt_burst = net->driver_copy ? vpnet_mirror_rx_burst : vpnet_rx_burst;
		eth->tx_pkt_burst = net->driver_copy ? vpnet_mirror_tx_burst : vpnet_tx_burst;
		memset(data->rx_queue_state, RTE_ETH_QUEUE_STATE_STARTED, data->nb_rx_queues);
		memset(data->tx_queue_state, RTE_ETH_QUEUE_STATE_STARTED, data->nb_tx_queues);
		if (vpnet_read_peer_connection(net, &connection) == 0)
			net->peer_connection = connection;
		/* ethdev sets this after we return; the link depends on it now. */
		data->dev_started = 1;
		vpnet_link_set(net);
	}
	pthread_mutex_unlock(&net->lock);
	return rc;
}

/* The device stays up (see vpnet.h): only the application's ends of the queues are cut. */
static int stop(struct rte_eth_dev *eth)
{
	struct vpnet *net = to_net(eth);
	struct rte_eth_dev_data *data = eth->data;

	eth->rx_pkt_burst = rte_eth_pkt_burst_dummy;
	eth->tx_pkt_burst = rte_eth_pkt_burst_dummy;
	memset(data->rx_queue_state, RTE_ETH_QUEUE_STATE_STOPPED, data->nb_rx_queues);
	memset(data->tx_queue_state, RTE_ETH_QUEUE_STATE_STOPPED, data->nb_tx_queues);
	pthread_mutex_lock(&net->lock);
	data->dev_started = 0;
	vpnet_link_set(net);
	pthread_mutex_unlock(&net->lock);
	return 0;
}

/* Everything that probe made, in reverse; each part may be missing. */
static int uninit(struct vpnet *net)
{
	int rc;

	if (net->live)
		vpnet_device_disconnect(net); /* the service thread still answers the device */
	rc = vpnet_service_stop(net);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&net->lock);
	rc = vpnet_device_down(net);
	pthread_mutex_unlock(&net->lock);
	vpnet_rx_intr_close(net);
	for (uint16_t i = 0; i < VPNET_MAX_PAIRS; i++) {
		if (net->rxqs[i] != NULL)
			vpnet_rxq_release(net->eth, i);
		if (net->txqs[i] != NULL)
			vpnet_txq_release(net->eth, i);
	}
	vpnet_memory_close(net);
	vhp_dev_close(net->dev); /* ends all DMA, whatever the device did above */
	net->dev = NULL;
	vpnet_ctrl_free(net);
	vpnet_mirrors_free(net);
	close(net->config_fd);
	close(net->ctrl_fd);
	close(net->stop_fd);
	pthread_mutex_destroy(&net->lock);
	return 0;
}

static int dev_close(struct rte_eth_dev *eth)
{
	/* The rest is the primary's; mac_addrs and dev_private are freed by ethdev. */
	return rte_eal_process_type() == RTE_PROC_PRIMARY ? uninit(to_net(eth)) : 0;
}

static int dev_reset(struct rte_eth_dev *eth)
{
	struct vpnet *net = to_net(eth);
	int rc;

	pthread_mutex_lock(&net->lock);
	rc = net->dead ? -ENODEV : vpnet_device_down(net);
	if (rc == 0)
		rc = vpnet_device_probe(net);
	if (rc == 0)
		net->needs_reset = false;
	pthread_mutex_unlock(&net->lock);
	return rc;
}

static int is_removed(struct rte_eth_dev *eth)
{
	return !vhp_dev_alive(to_net(eth)->dev);
}

/* ---------------------------------------------------------------------------------------------------- attributes */

static int infos_get(struct rte_eth_dev *eth, struct rte_eth_dev_info *info)
{
	const struct vpnet *net = to_net(eth);
	uint16_t rx_max = UINT16_MAX, tx_max = UINT16_MAX;

	for (unsigned int i = 0; i < net->max_pairs; i++) {
		rx_max = RTE_MIN(rx_max, net->max_ring[VHOST_PCI_VQ_RX(i)]);
		tx_max = RTE_MIN(tx_max, net->max_ring[VHOST_PCI_VQ_TX(i)]);
	}
	info->max_rx_queues = info->max_tx_queues = net->max_pairs;
	info->max_mac_addrs = 1;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_mtu = net->config.mtu;
	info->max_rx_pktlen = RTE_MIN(net->config.mtu + OVERHEAD, VPNET_MAX_FRAME);
	info->min_rx_bufsize = RTE_ETHER_MIN_LEN;
	info->speed_capa = RTE_ETH_LINK_SPEED_100G | RTE_ETH_LINK_SPEED_FIXED;
	info->max_lro_pkt_size = VPNET_MAX_FRAME;
	info->rx_offload_capa = RX_OFFLOADS | (vpnet_has(net, VHOST_PCI_NET_F_MRG_RXBUF) ? RX_OFFLOADS_MERGED : 0);
	info->tx_offload_capa = TX_OFFLOADS;
	info->rx_desc_lim =
		(struct rte_eth_desc_lim){ .nb_min = VPNET_MIN_RING, .nb_max = rx_max, .nb_align = VPNET_MIN_RING };
	info->tx_desc_lim = (struct rte_eth_desc_lim){
		.nb_min = VPNET_MIN_RING,
		.nb_max = tx_max,
		.nb_align = VPNET_MIN_RING,
		.nb_seg_max = VPNET_MAX_SEGS - 1,
		.nb_mtu_seg_max = VPNET_MAX_SEGS - 1,
	};
	info->default_rxportconf = (struct rte_eth_dev_portconf){
		.burst_size = 32,
		.ring_size = RTE_MIN(rx_max, VPNET_DEFAULT_RING),
		.nb_queues = 1,
	};
	info->default_txportconf = (struct rte_eth_dev_portconf){
		.burst_size = 32,
		.ring_size = RTE_MIN(tx_max, VPNET_DEFAULT_RING),
		.nb_queues = 1,
	};
	return 0;
}

/* There is one sender at the other end, and everything it sends is for this port: nothing is ever filtered. */
static int no_filter(struct rte_eth_dev *eth)
{
	(void)eth;
	return 0;
}

static int mtu_set(struct rte_eth_dev *eth, uint16_t mtu)
{
	struct vpnet *net = to_net(eth);

	if (mtu > net->config.mtu) {
		VPNET_LOG(ERR, net, "mtu %u is above the device's %u", mtu, net->config.mtu);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < eth->data->nb_rx_queues; i++) {
		const struct vpnet_rxq *q = net->rxqs[i];

		if (q != NULL && !(q->scatter && q->mergeable) &&
		    mtu + OVERHEAD > rte_pktmbuf_data_room_size(q->pool) - RTE_PKTMBUF_HEADROOM) {
			VPNET_LOG(ERR, net, "mtu %u does not fit the mbufs of rx queue %u without the SCATTER offload",
				  mtu, i);
			return -EINVAL;
		}
	}
	return 0;
}

static int mac_addr_set(struct rte_eth_dev *eth, struct rte_ether_addr *mac)
{
	struct vpnet *net = to_net(eth);
	int rc = 0;

	if (!vpnet_has(net, VHOST_PCI_NET_F_CTRL_MAC_ADDR)) {
		VPNET_LOG(ERR, net, "the device does not let its MAC address be set");
		return -ENOTSUP;
	}
	pthread_mutex_lock(&net->lock);
	/* ethdev sets the same address again at each start. Without DRIVER_OK it waits for the start. */
	if (!rte_is_same_ether_addr(mac, &net->mac)) {
		net->mac = *mac;
		net->mac_changed = true;
		if (net->live)
			rc = vpnet_ctrl_send_mac(net);
	}
	pthread_mutex_unlock(&net->lock);
	return rc;
}

static int fw_version_get(struct rte_eth_dev *eth, char *text, size_t size)
{
	const struct vpnet *net = to_net(eth);
	/* The function shows no firmware number: revision and features identify what it does. */
	int n = snprintf(text, size, "rev %u features 0x%" PRIx64, vhp_dev_info(net->dev)->revision,
			 net->device_features);

	return n < 0 ? -EINVAL : (size_t)n >= size ? n + 1 : 0;
}

static void rxq_info_get(struct rte_eth_dev *eth, uint16_t queue, struct rte_eth_rxq_info *info)
{
	const struct vpnet_rxq *q = eth->data->rx_queues[queue];

	info->mp = q->pool;
	info->nb_desc = q->ring.size;
	info->scattered_rx = q->scatter && q->mergeable;
	info->conf.rx_free_thresh = q->free_thresh;
	info->conf.offloads = q->offloads;
	info->rx_buf_size = rte_pktmbuf_data_room_size(q->pool) - RTE_PKTMBUF_HEADROOM;
}

static void txq_info_get(struct rte_eth_dev *eth, uint16_t queue, struct rte_eth_txq_info *info)
{
	const struct vpnet_txq *q = eth->data->tx_queues[queue];

	info->nb_desc = q->ring.size;
	info->conf.tx_free_thresh = q->free_thresh;
	info->conf.offloads = eth->data->dev_conf.txmode.offloads;
}

/* rx/tx_queue_start and _stop are absent on purpose: without VIRTIO_F_RING_RESET a virtqueue lives as long as the device. */
const struct eth_dev_ops vpnet_ops = {
	.dev_configure = configure,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = dev_close,
	.dev_reset = dev_reset,
	.is_removed = is_removed,
	.link_update = link_update,
	.promiscuous_enable = no_filter,
	.promiscuous_disable = no_filter,
	.allmulticast_enable = no_filter,
	.allmulticast_disable = no_filter,
	.mac_addr_set = mac_addr_set,
	.mtu_set = mtu_set,
	.stats_get = vpnet_stats_get,
	.stats_reset = vpnet_stats_reset,
	.xstats_get = vpnet_xstats_get,
	.xstats_get_names = vpnet_xstats_get_names,
	.xstats_reset = vpnet_stats_reset,
	.dev_infos_get = infos_get,
	.fw_version_get = fw_version_get,
	.rxq_info_get = rxq_info_get,
	.txq_info_get = txq_info_get,
	.rx_queue_setup = vpnet_rxq_setup,
	.rx_queue_release = vpnet_rxq_release,
	.tx_queue_setup = vpnet_txq_setup,
	.tx_queue_release = vpnet_txq_release,
	.rx_queue_intr_enable = vpnet_rx_intr_enable,
	.rx_queue_intr_disable = vpnet_rx_intr_disable,
	.tx_done_cleanup = vpnet_tx_done_cleanup,
	.eth_dev_priv_dump = vpnet_dump,
};

/* ---------------------------------------------------------------------------------------------------- probe */

static int init(struct vpnet *net, struct rte_eth_dev *eth)
{
	int rc;

	net->config_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	net->ctrl_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	net->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (net->config_fd < 0 || net->ctrl_fd < 0 || net->stop_fd < 0) {
		VPNET_LOG(ERR, net, "cannot create eventfds: %s", strerror(errno));
		return -EMFILE;
	}
	if (vhp_dev_info(net->dev)->device != VHOST_PCI_NET_PCI_DEVICE) {
		VPNET_LOG(ERR, net, "%s is not a vhost-pci-net function but the card's peer function (function 0)",
			  vhp_dev_info(net->dev)->name);
		return -ENODEV;
	}
	rc = vpnet_device_probe(net);
	if (rc < 0)
		return rc;

	eth->data->mac_addrs = rte_zmalloc("vpnet_mac", sizeof(struct rte_ether_addr), 0);
	if (eth->data->mac_addrs == NULL)
		return -ENOMEM;
	if (vpnet_has(net, VHOST_PCI_NET_F_MAC)) {
		memcpy(net->mac.addr_bytes, net->config.mac, sizeof(net->config.mac));
	} else {
		rte_eth_random_addr(net->mac.addr_bytes);
		net->mac_changed = true;
	}
	*eth->data->mac_addrs = net->mac;
	if (vhp_dev_info(net->dev)->socket) {
		rc = vpnet_memory_open(net);
		if (rc < 0)
			return rc;
	}
	rc = net->driver_copy ? vpnet_mirrors_alloc(net) : 0;
	if (rc == 0)
		rc = vpnet_ctrl_alloc(net);
	return rc < 0 ? rc : vpnet_service_start(net);
}

int vpnet_create(struct rte_device *device, const char *name, struct vhp_dev *dev, const struct vpnet_options *options)
{
	struct rte_eth_dev *eth = rte_eth_dev_allocate(name);
	struct vpnet *net;
	int rc;

	if (eth == NULL) {
		vhp_dev_close(dev);
		return -ENOMEM;
	}
	net = rte_zmalloc_socket("vpnet", sizeof(*net), RTE_CACHE_LINE_SIZE, device->numa_node);
	if (net == NULL) {
		vhp_dev_close(dev);
		rte_eth_dev_release_port(eth);
		return -ENOMEM;
	}
	eth->data->dev_private = net;
	eth->data->numa_node = device->numa_node;
	eth->data->dev_flags = RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	eth->device = device;
	eth->intr_handle = NULL;
	eth->dev_ops = &vpnet_ops;
	eth->rx_pkt_burst = rte_eth_pkt_burst_dummy;
	eth->tx_pkt_burst = rte_eth_pkt_burst_dummy;
	eth->tx_pkt_prepare = vpnet_tx_prepare;
	eth->rx_queue_count = vpnet_rx_queue_count;
	eth->rx_descriptor_status = vpnet_rx_descriptor_status;
	eth->tx_descriptor_status = vpnet_tx_descriptor_status;
	snprintf(net->name, sizeof(net->name), "%s", name);
	net->eth = eth;
	net->dev = dev;
	net->options = *options;
	net->config_fd = net->ctrl_fd = net->stop_fd = -1;
	pthread_mutex_init(&net->lock, NULL);

	rc = init(net, eth);
	if (rc < 0) {
		uninit(net);
		rte_eth_dev_release_port(eth);
		return rc;
	}
	rte_eth_dev_probing_finish(eth);
	VPNET_LOG(INFO, net, "%s: %u queue pair(s) of up to %u entries, features 0x%" PRIx64 ", the %s copies",
		  vhp_dev_info(dev)->name, net->max_pairs, net->max_ring[VHOST_PCI_VQ_RX(0)], net->features,
		  net->driver_copy ? "driver" : "card");
	return 0;
}

int vpnet_remove(const char *name)
{
	struct rte_eth_dev *eth = rte_eth_dev_allocated(name);
	int rc;

	if (eth == NULL) /* closed before */
		return 0;
	if (eth->data->dev_started) {
		rc = rte_eth_dev_stop(eth->data->port_id);
		if (rc < 0)
			return rc;
	}
	return rte_eth_dev_close(eth->data->port_id);
}
