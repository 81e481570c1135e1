/* SPDX-License-Identifier: Apache-2.0 */
#include "vpnet.h"

#include <bus_pci_driver.h>
#include <bus_vdev_driver.h>
#include <errno.h>
#include <rte_kvargs.h>
#include <stdlib.h>
#include <string.h>

#include "vhp_dpdk_release.h"

RTE_LOG_REGISTER(vpnet_logtype, pmd.net.vhost_pci, INFO);
#define LOG(level, name, ...) RTE_LOG_LINE_PREFIX(level, VPNET, "%s: ", name, __VA_ARGS__)

#define ARG_SOCKET "socket"
#define ARG_COPY "copy"
#define ARG_FEATURES "peer_features"

/* What holds for both buses, before the device is touched. */
static int may_probe(const char *name)
{
	if (!vhp_dpdk_release_ok()) {
		LOG(ERR, name, VHP_DPDK_RELEASE_TEXT, VHP_DPDK_RELEASE_ARGS);
		return -ENOTSUP;
	}
	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		LOG(ERR, name, "not in a secondary process: the connection to the device belongs to the primary");
		return -ENOTSUP;
	}
	return 0;
}

struct arguments {
	char socket[108];
	struct vpnet_options options;
};

static int take_copy(const char *name, const char *value, struct vpnet_options *o)
{
	if (strcmp(value, "auto") == 0)
		o->copy = VPNET_COPY_AUTO;
	else if (strcmp(value, "card") == 0)
		o->copy = VPNET_COPY_CARD;
	else if (strcmp(value, "driver") == 0)
		o->copy = VPNET_COPY_DRIVER;
	else {
		LOG(ERR, name, ARG_COPY "=%s: it is auto, card or driver", value);
		return -EINVAL;
	}
	return 0;
}

static int take_features(const char *name, const char *value, struct vpnet_options *o)
{
	char *end;

	errno = 0;
	o->peer_features = strtoull(value, &end, 0);
	if (errno != 0 || *end != '\0' || value[0] == '-') {
		LOG(ERR, name, ARG_FEATURES "=%s is no 64-bit number", value);
		return -EINVAL;
	}
	return 0;
}

/* Every key is looked at here, because rte_kvargs_parse does not say which one it did not like. */
static int read_arguments(const char *name, const char *args, bool socket, struct arguments *a)
{
	unsigned int seen = 0;
	struct rte_kvargs *list;
	int rc = 0;

	memset(a, 0, sizeof(*a));
	a->options.peer_features = UINT64_MAX;
	if (args == NULL || args[0] == '\0')
		return 0;
	list = rte_kvargs_parse(args, NULL);
	if (list == NULL) {
		LOG(ERR, name, "cannot read device arguments '%s'", args);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < list->count && rc == 0; i++) {
		static const char *const keys[] = { ARG_COPY, ARG_FEATURES, ARG_SOCKET };
		const char *key = list->pairs[i].key, *value = list->pairs[i].value;
		unsigned int k = 0, n = RTE_DIM(keys) - !socket;

		while (k < n && strcmp(key, keys[k]) != 0)
			k++;
		rc = -EINVAL;
		if (k == n)
			LOG(ERR, name,
			    "unknown device argument '%s': known are %s" ARG_COPY "=auto|card|driver and " ARG_FEATURES
			    "=MASK",
			    key, socket ? ARG_SOCKET "=PATH, " : "");
		else if (value == NULL || value[0] == '\0')
			LOG(ERR, name, "%s needs a value", key);
		else if (seen & 1u << k)
			LOG(ERR, name, "%s is given twice", key);
		else if (k == 0)
			rc = take_copy(name, value, &a->options);
		else if (k == 1)
			rc = take_features(name, value, &a->options);
		else if (strlen(value) >= sizeof(a->socket))
			LOG(ERR, name, ARG_SOCKET ": the path is longer than %zu characters", sizeof(a->socket) - 1);
		else
			rc = snprintf(a->socket, sizeof(a->socket), "%s", value) > 0 ? 0 : -EINVAL;
		seen |= 1u << k;
	}
	rte_kvargs_free(list);
	return rc;
}

/* ---------------------------------------------------------------------------------------------------- vdev */

static int vdev_probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct arguments a;
	struct vhp_dev *dev;
	char err[256];
	int rc = may_probe(name);

	if (rc == 0)
		rc = read_arguments(name, rte_vdev_device_args(vdev), true, &a);
	if (rc < 0)
		return rc;
	if (a.socket[0] == '\0') {
		LOG(ERR, name, "needs " ARG_SOCKET "=PATH, the vfio-user socket of a vhost-pci-net function");
		return -EINVAL;
	}
	rc = vhp_dev_open_socket(a.socket, &dev, err, sizeof(err));
	if (rc < 0) {
		LOG(ERR, name, "%s", err);
		return rc;
	}
	return vpnet_create(&vdev->device, name, dev, &a.options);
}

static int vdev_remove(struct rte_vdev_device *vdev)
{
	return vpnet_remove(rte_vdev_device_name(vdev));
}

/* Memory that an application registers itself has no descriptor that the socket could carry. */
static int vdev_dma_map(struct rte_vdev_device *vdev, void *addr, uint64_t iova, size_t len)
{
	(void)addr, (void)iova, (void)len;
	LOG(ERR, rte_vdev_device_name(vdev), "external memory cannot be shared over a vfio-user socket");
	return -ENOTSUP;
}

static struct rte_vdev_driver vdev_driver = {
	.probe = vdev_probe,
	.remove = vdev_remove,
	.dma_map = vdev_dma_map,
	.dma_unmap = vdev_dma_map,
	.drv_flags = RTE_VDEV_DRV_NEED_IOVA_AS_VA,
};

RTE_PMD_REGISTER_VDEV(net_vhost_pci, vdev_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_vhost_pci,
			      ARG_SOCKET "=<path> " ARG_COPY "=auto|card|driver " ARG_FEATURES "=<mask>");

/* ---------------------------------------------------------------------------------------------------- PCI */

static int pci_probe(struct rte_pci_driver *driver, struct rte_pci_device *pci)
{
	const char *name = pci->device.name;
	const char *args = pci->device.devargs != NULL ? pci->device.devargs->args : NULL;
	struct arguments a;
	struct vhp_dev *dev;
	char err[256];
	int rc = may_probe(name);

	(void)driver;
	if (rc == 0)
		rc = read_arguments(name, args, false, &a);
	if (rc < 0)
		return rc;
	rc = vhp_dev_open_pci(pci, false, &dev, err, sizeof(err));
	if (rc < 0) {
		LOG(ERR, name, "%s", err);
		return rc;
	}
	return vpnet_create(&pci->device, name, dev, &a.options);
}

static int pci_remove(struct rte_pci_device *pci)
{
	return vpnet_remove(pci->device.name);
}

static const struct rte_pci_id pci_ids[] = {
	{ RTE_PCI_DEVICE(VHOST_PCI_NET_PCI_VENDOR, VHOST_PCI_NET_PCI_DEVICE) },
	{ .vendor_id = 0 },
};

/* The access layer maps the BARs itself (no RTE_PCI_DRV_NEED_MAPPING). */
static struct rte_pci_driver pci_driver = {
	.probe = pci_probe,
	.remove = pci_remove,
	.id_table = pci_ids,
	.drv_flags = RTE_PCI_DRV_INTR_LSC | RTE_PCI_DRV_INTR_RMV,
};

RTE_PMD_REGISTER_PCI(net_vhost_pci_pci, pci_driver);
RTE_PMD_REGISTER_PCI_TABLE(net_vhost_pci_pci, pci_ids);
RTE_PMD_REGISTER_PARAM_STRING(net_vhost_pci_pci, ARG_COPY "=auto|card|driver " ARG_FEATURES "=<mask>");
RTE_PMD_REGISTER_KMOD_DEP(net_vhost_pci_pci, "* vfio-pci");
