/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host notifier on kernel VFIO: what vhp_dev_mmap_info names is what a front end would be given. Each doorbell page of function
 * 0 is mapped through that descriptor alone, as QEMU does for a guest, and rung; the card must count it. A DPDK program for a
 * machine where function 0 is bound to vfio-pci:
 *
 *   ring_page EAL_ARGS    e.g. -a 0000:00:03.0
 */
#include <bus_pci_driver.h>
#include <errno.h>
#include <rte_eal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhost_pci.h"
#include "vhp_access.h"
#include "vhp_mgmt_regs.h"

#define DOORBELL_BAR 2u
#define PAGES_PER_PORT 16u
#define DOORBELLS offsetof(vhp_mgmt_t, doorbells)
#define CAPS offsetof(vhp_mgmt_t, caps)

static int passed, failed;

static void check(bool good, const char *what, unsigned int number)
{
	if (good)
		passed++;
	else
		failed++;
	if (!good)
		printf("FAILED  %s (%u)\n", what, number);
}

static void ring(struct vhp_dev *dev, unsigned int page, bool counted)
{
	uint64_t before = 0, after = 0, offset = 0, size = 0;
	volatile uint16_t *bell;
	int fd = -1;

	check(vhp_dev_mmap_info(dev, DOORBELL_BAR, 4096ull * page, &fd, &offset, &size) == 0 && size == 4096,
	      "page can be mapped", page);
	if (fd < 0)
		return;
	bell = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	check(bell != MAP_FAILED, "mmap", page);
	if (bell == MAP_FAILED)
		return;
	vhp_dev_read(dev, 0, DOORBELLS, 4, &before);
	for (unsigned int i = 0; i < 3; i++)
		bell[i] = (uint16_t)i;
	/* A read that came back has pushed the writes. */
	vhp_dev_read(dev, 0, DOORBELLS, 4, &after);
	check(after - before == (counted ? 3 : 0), counted ? "three doorbells counted" : "no queue, no doorbell", page);
	munmap((void *)(uintptr_t)bell, size);
}

static int probe(struct rte_pci_driver *driver, struct rte_pci_device *pci)
{
	uint64_t caps = 0, offset, size;
	struct vhp_dev *dev;
	char err[256];
	int fd;

	(void)driver;
	if (vhp_dev_open_pci(pci, true, &dev, err, sizeof(err)) < 0) {
		printf("FAILED  %s\n", err);
		failed++;
		return -ENODEV;
	}
	vhp_dev_read(dev, 0, CAPS, 4, &caps);
	printf("%u ports, %u queue pairs\n", (unsigned int)(caps & 0xff), (unsigned int)(caps >> 8 & 0xff));
	for (unsigned int port = 0; port < (caps & 0xff); port++) {
		for (unsigned int vring = 0; vring < 2 * (caps >> 8 & 0xff); vring++)
			ring(dev, port * PAGES_PER_PORT + vring, true);
		ring(dev, port * PAGES_PER_PORT + PAGES_PER_PORT - 1, false);
	}
	check(vhp_dev_mmap_info(dev, DOORBELL_BAR, 2048, &fd, &offset, &size) == -EINVAL, "half a page is refused", 0);
	check(vhp_dev_mmap_info(dev, DOORBELL_BAR, vhp_dev_bar_size(dev, DOORBELL_BAR), &fd, &offset, &size) < 0,
	      "a page behind the BAR is refused", 0);
	vhp_dev_close(dev);
	return 0;
}

static int leave(struct rte_pci_device *pci)
{
	(void)pci;
	return 0;
}

static const struct rte_pci_id ids[] = {
	{ RTE_PCI_DEVICE(VHP_PEER_PCI_VENDOR, VHP_PEER_PCI_DEVICE) },
	{ .vendor_id = 0 },
};

static struct rte_pci_driver driver = { .probe = probe, .remove = leave, .id_table = ids };

RTE_PMD_REGISTER_PCI(ring_page, driver);

int main(int argc, char **argv)
{
	if (rte_eal_init(argc, argv) < 0)
		failed++;
	if (passed + failed == 0) {
		puts("FAILED  function 0 was not found");
		failed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	rte_eal_cleanup();
	return failed != 0;
}
