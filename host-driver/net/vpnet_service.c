/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One control thread per port waits for the device: configuration and peer status interrupts, control messages, the end
 * of the socket. It sleeps in poll() otherwise. (EAL's interrupt thread is shared; a round trip to a simulated card
 * would hold up every other device there.)
 *
 * Application callbacks run on it, without the lock.
 */
#include "vpnet.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <rte_errno.h>
#include <rte_thread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vpnet_mirror.h"

enum {
	POLL_STOP,
	POLL_CONFIG,
	POLL_CTRL,
	POLL_SOCKET,
	NUM_POLL
};

static void drain(int fd)
{
	eventfd_t value;

	(void)!eventfd_read(fd, &value);
}

/* They may change with any peer status interrupt. */
static void read_gsis(struct vpnet *net)
{
	uint16_t n = net->mirrors[0] != NULL ? net->peer_rx_queues : 0;

	for (uint16_t i = 0; i < n; i++) {
		struct vpnet_mirror *m = &net->mirrors[VHOST_PCI_PEER_VIRTQ_RX][i];
		uint32_t gsi;

		if (vpnet_read_peer_gsi(net, i, &gsi) < 0)
			return;
		rte_ticketlock_lock(&m->lock);
		m->gsi = gsi;
		rte_ticketlock_unlock(&m->lock);
	}
}

/* Configuration or peer status changed. @return true if the link did. */
static bool status_changed(struct vpnet *net)
{
	struct vhost_pci_net_config config;
	uint16_t connection = 0;
	uint8_t status = 0;
	bool link;

	pthread_mutex_lock(&net->lock);
	if (net->live && vpnet_device_status(net, &status) == 0 && vpnet_read_peer_connection(net, &connection) == 0 &&
	    vpnet_read_config(net, &config) == 0) {
		if ((status & VIRTIO_CONFIG_S_NEEDS_RESET) && !net->needs_reset) {
			VPNET_LOG(
				ERR, net,
				"the device needs a reset (status 0x%02x): a malformed ring, or DMA outside its memory; "
				"stop and reset the port%s",
				status,
				net->driver_copy && net->connects == 0
					? " (copy=driver needs an aperture: vhp-vdpad --aperture on)"
					: "");
			net->needs_reset = true;
		}
		if (connection != net->peer_connection) {
			VPNET_LOG(INFO, net, "peer %s", connection ? "connected" : "disconnected");
			if (connection)
				net->connects++;
			else
				net->disconnects++;
		}
		net->peer_connection = connection;
		net->config = config;
		if (connection == 1)
			read_gsis(net);
		vpnet_mirrors_update(net);
	}
	link = vpnet_link_set(net);
	pthread_mutex_unlock(&net->lock);
	return link;
}

/* @return true if the function is gone, the first time. */
static bool check_gone(struct vpnet *net)
{
	const char *why;

	if (vhp_dev_alive(net->dev))
		return false;
	pthread_mutex_lock(&net->lock);
	why = vhp_dev_failure(net->dev);
	VPNET_LOG(ERR, net, "the device is gone: %s", why != NULL ? why : "no reason known");
	net->dead = true;
	net->peer_connection = 0;
	vpnet_link_set(net);
	pthread_mutex_unlock(&net->lock);
	return true;
}

static uint32_t serve(void *arg)
{
	struct vpnet *net = arg;
	struct pollfd p[NUM_POLL] = {
		[POLL_STOP] = { .fd = net->stop_fd, .events = POLLIN },
		[POLL_CONFIG] = { .fd = net->config_fd, .events = POLLIN },
		[POLL_CTRL] = { .fd = net->ctrl_fd, .events = POLLIN },
		[POLL_SOCKET] = { .fd = vhp_dev_watch_fd(net->dev), .events = POLLIN | POLLRDHUP },
	};

	for (;;) {
		if (poll(p, NUM_POLL, -1) < 0 && errno != EINTR)
			break;
		if (p[POLL_STOP].revents)
			break;
		if (p[POLL_CTRL].revents) {
			drain(net->ctrl_fd);
			pthread_mutex_lock(&net->lock);
			vpnet_ctrl_receive(net);
			pthread_mutex_unlock(&net->lock);
		}
		if (p[POLL_CONFIG].revents) {
			drain(net->config_fd);
			if (status_changed(net))
				rte_eth_dev_callback_process(net->eth, RTE_ETH_EVENT_INTR_LSC, NULL);
		}
		if ((p[POLL_SOCKET].revents || p[POLL_CONFIG].revents) && check_gone(net)) {
			rte_eth_dev_callback_process(net->eth, RTE_ETH_EVENT_INTR_LSC, NULL);
			rte_eth_dev_callback_process(net->eth, RTE_ETH_EVENT_INTR_RMV, NULL);
			/* Nothing comes any more but the end. */
			p[POLL_CONFIG].fd = p[POLL_CTRL].fd = p[POLL_SOCKET].fd = -1;
		}
	}
	return 0;
}

int vpnet_service_start(struct vpnet *net)
{
	const int fds[] = { net->config_fd, net->ctrl_fd };
	char name[RTE_THREAD_NAME_SIZE];
	int rc;

	if (vhp_dev_info(net->dev)->num_msix < VPNET_VEC_RX) {
		VPNET_LOG(ERR, net, "the function has %u MSI-X vectors, the driver needs %u",
			  vhp_dev_info(net->dev)->num_msix, VPNET_VEC_RX);
		return -ENOSPC;
	}
	rc = vhp_dev_set_irqs(net->dev, VPNET_VEC_CONFIG, RTE_DIM(fds), fds);
	if (rc < 0) {
		VPNET_LOG(ERR, net, "cannot set up interrupts: %s", strerror(-rc));
		return rc;
	}
	snprintf(name, sizeof(name), "vpnet-%u", net->eth->data->port_id);
	rc = rte_thread_create_control(&net->service, name, serve, net);
	if (rc != 0) {
		VPNET_LOG(ERR, net, "cannot start the service thread: %s", strerror(rc < 0 ? -rc : rc));
		return -EAGAIN;
	}
	net->service_runs = true;
	return 0;
}

int vpnet_service_stop(struct vpnet *net)
{
	if (!net->service_runs)
		return 0;
	if (rte_thread_equal(rte_thread_self(), net->service)) {
		VPNET_LOG(ERR, net, "a port cannot be closed from one of its event callbacks: use an alarm");
		return -EDEADLK;
	}
	eventfd_write(net->stop_fd, 1);
	rte_thread_join(net->service, NULL);
	net->service_runs = false;
	return 0;
}
