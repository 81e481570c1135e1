/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bus_pci_driver.h>
#include <bus_vdev_driver.h>
#include <rte_common.h>
#include <rte_eal.h>

#include "vhost_pci.h"
#include "vhp_dpdk_release.h"

RTE_LOG_REGISTER(vdpa_logtype, pmd.vdpa.vhost_pci, INFO);

#define LOG(level, fmt, ...) RTE_LOG(level, VHOST_PCI, fmt "\n", ##__VA_ARGS__)

/* -------------------------------------------------------------------------------------------------------- registry */

/* A port stays for as long as somebody holds the lock for reading, or one of its sockets can call us. */
static pthread_rwlock_t registry_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct vdpa_card *cards;

static struct vdpa_port *find(bool (*match)(const struct vdpa_port *port, const void *arg), const void *arg)
{
	for (struct vdpa_card *card = cards; card; card = card->next) {
		for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
			if (card->port[i] && match(card->port[i], arg))
				return card->port[i];
		}
	}
	return NULL;
}

static bool has_vdpa(const struct vdpa_port *port, const void *arg)
{
	return port->vdpa == arg;
}

static bool has_id(const struct vdpa_port *port, const void *arg)
{
	return port->id == *(const unsigned int *)arg;
}

struct vdpa_port *vdpa_port_find(const struct rte_vdpa_device *vdpa)
{
	struct vdpa_port *port;

	if (!vdpa)
		return NULL;
	pthread_rwlock_rdlock(&registry_lock);
	port = find(has_vdpa, vdpa);
	pthread_rwlock_unlock(&registry_lock);
	return port;
}

struct vdpa_port *vdpa_port_of_vid(int vid)
{
	return vdpa_port_find(rte_vhost_get_vdpa_device(vid));
}

int vdpa_port_visit(int id, int (*fn)(struct vdpa_port *port, void *arg), void *arg)
{
	int rc = -ENOENT;

	pthread_rwlock_rdlock(&registry_lock);
	for (unsigned int n = 0; n < VDPA_MAX_PORTS * 64; n++) {
		struct vdpa_port *port;

		if (id >= 0 && n != (unsigned int)id)
			continue;
		port = find(has_id, &n);
		if (port)
			rc = fn(port, arg);
		if (port && rc)
			break;
	}
	pthread_rwlock_unlock(&registry_lock);
	return rc;
}

/* ----------------------------------------------------------------------------------------------------------- ports */

/* The id of a port must not depend on how its card was named. */
static int give_ids(struct vdpa_card *card, char *err, size_t errlen)
{
	char where[PATH_MAX];

	if (!card->socket)
		return vdpa_args_ids(&card->args, card->name, err, errlen);
	if (!realpath(card->socket, where)) {
		int rc = -errno;

		snprintf(err, errlen, "%s: cannot tell where it is: %s", card->socket, strerror(-rc));
		return rc;
	}
	return vdpa_args_ids(&card->args, where, err, errlen);
}

static struct vdpa_port *new_port(struct vdpa_card *card, unsigned int index, bool first)
{
	struct vdpa_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->card = card;
	port->index = index;
	port->id = UINT32_MAX;
	port->args = &card->args.port[index];
	for (unsigned int i = 0; i < VDPA_FRONTS; i++) {
		port->front[i].port = port;
		vdpa_front_release(&port->front[i]);
	}
	pthread_mutex_init(&port->lock, NULL);
	pthread_mutex_init(&port->socket_lock, NULL);
	pthread_mutex_init(&port->events_lock, NULL);
	pthread_mutex_init(&port->stats_lock, NULL);
	/* rte_vhost tells vDPA devices apart by their names: the first port has the device's own. */
	snprintf(port->name, sizeof(port->name), first ? "%s" : "%s_port%u", card->rte_dev->name, index);
	port->rte_dev = *card->rte_dev;
	port->rte_dev.name = port->name;
	return port;
}

static void free_port(struct vdpa_port *port)
{
	for (unsigned int i = 0; i < VDPA_FRONTS; i++)
		vdpa_front_release(&port->front[i]);
	pthread_mutex_destroy(&port->events_lock);
	pthread_mutex_destroy(&port->stats_lock);
	pthread_mutex_destroy(&port->socket_lock);
	pthread_mutex_destroy(&port->lock);
	free(port);
}

/* ------------------------------------------------------------------------------------------------- probe and remove */

static void destroy(struct vdpa_card *card)
{
	/* Front ends first: this calls dev_close and dev_cleanup, which want to find their port. */
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i])
			vdpa_port_unregister(card->port[i]);
	}
	pthread_rwlock_wrlock(&registry_lock);
	for (struct vdpa_card **at = &cards; *at; at = &(*at)->next) {
		if (*at == card) {
			*at = card->next;
			break;
		}
	}
	pthread_rwlock_unlock(&registry_lock);

	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i] && card->port[i]->vdpa)
			rte_vdpa_unregister_device(card->port[i]->vdpa);
	}
	vdpa_card_close(card);
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		if (card->port[i])
			free_port(card->port[i]);
	}
	free(card);
}

static void add_to_registry(struct vdpa_card *card)
{
	pthread_rwlock_wrlock(&registry_lock);
	card->next = cards;
	cards = card;
	for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
		unsigned int id = 0;

		if (!card->port[i])
			continue;
		while (find(has_id, &id))
			id++;
		card->port[i]->id = id;
	}
	pthread_rwlock_unlock(&registry_lock);
}

static int probe(struct rte_device *rte_dev, struct rte_pci_device *pci)
{
	struct vdpa_card *card;
	char err[512];
	int rc;

	if (!vhp_dpdk_release_ok()) {
		LOG(ERR, "%s: " VHP_DPDK_RELEASE_TEXT, rte_dev->name, VHP_DPDK_RELEASE_ARGS);
		return -ENOTSUP;
	}
	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		LOG(ERR, "%s: only a primary process can own a card", rte_dev->name);
		return -ENOTSUP;
	}
	card = calloc(1, sizeof(*card));
	if (!card)
		return -ENOMEM;
	card->rte_dev = rte_dev;
	card->pci = pci;
	card->event_fd = -1;
	card->stop_fd = -1;
	snprintf(card->name, sizeof(card->name), "%s", rte_dev->name);

	rc = vdpa_args_parse(rte_dev->devargs ? rte_dev->devargs->args : NULL, !pci, &card->args, err, sizeof(err));
	if (rc) {
		LOG(ERR, "%s: %s", card->name, err);
		free(card);
		return rc;
	}
	card->socket = pci ? NULL : card->args.socket;
	for (unsigned int i = 0, n = 0; i < VDPA_MAX_PORTS; i++) {
		if (!card->args.port[i].used)
			continue;
		card->port[i] = new_port(card, i, n++ == 0);
		if (!card->port[i])
			rc = -ENOMEM;
	}
	if (!rc) {
		rc = vdpa_card_open(card, err, sizeof(err));
		if (!rc) {
			rc = give_ids(card, err, sizeof(err));
			if (rc)
				vdpa_card_close(card);
		}
		if (rc)
			LOG(ERR, "%s: %s", card->name, err);
	}
	if (rc) {
		for (unsigned int i = 0; i < VDPA_MAX_PORTS; i++) {
			if (card->port[i])
				free_port(card->port[i]);
		}
		free(card);
		return rc;
	}
	add_to_registry(card);
	vdpa_telemetry_register();
	vdpa_guard_init();

	for (unsigned int i = 0; !rc && i < VDPA_MAX_PORTS; i++) {
		if (!card->port[i])
			continue;
		rc = vdpa_port_configure(card->port[i]);
		if (!rc)
			rc = vdpa_port_register(card->port[i]);
	}
	if (rc) {
		destroy(card);
		return rc;
	}
	LOG(INFO, "%s: firmware %u.%u.%u (%s), %u of %u ports in use, %u queue pairs per port", card->name,
	    card->info.fw_version >> 16 & 0xff, card->info.fw_version >> 8 & 0xff, card->info.fw_version & 0xff,
	    card->info.build, card->args.num_ports, card->num_ports, card->pairs);
	return 0;
}

static int remove_card(struct rte_device *rte_dev)
{
	struct vdpa_card *card;

	pthread_rwlock_rdlock(&registry_lock);
	for (card = cards; card && card->rte_dev != rte_dev; card = card->next)
		;
	pthread_rwlock_unlock(&registry_lock);
	if (card)
		destroy(card);
	return 0;
}

static int vdev_probe(struct rte_vdev_device *vdev)
{
	return probe(&vdev->device, NULL);
}

static int vdev_remove(struct rte_vdev_device *vdev)
{
	return remove_card(&vdev->device);
}

static int pci_probe(struct rte_pci_driver *drv, struct rte_pci_device *pci)
{
	(void)drv;
	return probe(&pci->device, pci);
}

static int pci_remove(struct rte_pci_device *pci)
{
	return remove_card(&pci->device);
}

static const struct rte_pci_id ids[] = {
	{ RTE_PCI_DEVICE(VHP_PEER_PCI_VENDOR, VHP_PEER_PCI_DEVICE) },
	{ .vendor_id = 0 },
};

static struct rte_vdev_driver vdev_driver = {
	.probe = vdev_probe,
	.remove = vdev_remove,
};

static struct rte_pci_driver pci_driver = {
	.id_table = ids,
	.probe = pci_probe,
	.remove = pci_remove,
};

RTE_PMD_REGISTER_VDEV(vdpa_vhost_pci, vdev_driver);
RTE_PMD_REGISTER_PARAM_STRING(vdpa_vhost_pci, VDPA_ARGS_HELP);
RTE_PMD_REGISTER_PCI(vdpa_vhost_pci_fn, pci_driver);
RTE_PMD_REGISTER_PCI_TABLE(vdpa_vhost_pci_fn, ids);
RTE_PMD_REGISTER_KMOD_DEP(vdpa_vhost_pci_fn, "* vfio-pci");
