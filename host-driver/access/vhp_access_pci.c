/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel VFIO, through DPDK's PCI bus: DPDK owns the container, group and device descriptors and maps the BARs; reset,
 * interrupts and region offsets are asked of the VFIO device itself.
 */
#include <bus_pci_driver.h>
#include <errno.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <linux/vfio.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_io.h>
#include <rte_vfio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vhp_access_impl.h"

#define NUM_BARS 6u
#define CONFIG_SIZE 4096u

struct mapping {
	struct mapping *next;
	uint64_t iova, size;
	void *va;
};

struct pci_dev {
	struct vhp_dev dev;
	struct rte_pci_device *pci;
	int container;	     /* RTE_VFIO_DEFAULT_CONTAINER_FD if EAL's is shared */
	int device;	     /* VFIO device */
	unsigned int widest; /* bytes of one access to a window */
	bool mapped;	     /* rte_pci_map_device succeeded */
	bool vectors;	     /* MSI-X is switched on */
	atomic_bool gone;
	pthread_mutex_t lock; /* mappings, vectors */
	struct mapping *mappings;
};

static struct pci_dev *to_pci(struct vhp_dev *dev)
{
	return (struct pci_dev *)dev;
}

/* ---------------------------------------------------------------------------------------------------- registers */

static uint64_t pci_bar_size(struct vhp_dev *dev, unsigned int bar)
{
	const struct pci_dev *p = to_pci(dev);

	if (bar == VHP_BAR_CONFIG)
		return CONFIG_SIZE;
	return bar < NUM_BARS && p->pci->mem_resource[bar].addr != NULL ? p->pci->mem_resource[bar].len : 0;
}

static int locate(struct vhp_dev *dev, unsigned int bar, uint64_t offset, size_t len, uint8_t **address)
{
	uint64_t size = pci_bar_size(dev, bar);

	if (len > size || offset > size - len)
		return -ERANGE;
	if (bar != VHP_BAR_CONFIG)
		*address = (uint8_t *)to_pci(dev)->pci->mem_resource[bar].addr + offset;
	return 0;
}

/* The largest naturally aligned step; virtio's 64-bit fields are accessed as two dwords. */
static size_t step(uint64_t offset, size_t len)
{
	if (offset % 4 == 0 && len >= 4)
		return 4;
	return offset % 2 == 0 && len >= 2 ? 2 : 1;
}

static bool all_ones(const void *buf, size_t len)
{
	const uint8_t *b = buf;

	for (size_t i = 0; i < len; i++)
		if (b[i] != 0xff)
			return false;
	return true;
}

/* A function that was taken away reads all ones; so do some registers: the vendor id decides. */
static int check_gone(struct pci_dev *p)
{
	uint16_t vendor = 0;

	if (rte_pci_read_config(p->pci, &vendor, sizeof(vendor), 0) == sizeof(vendor) && vendor != 0xffff)
		return 0;
	atomic_store(&p->gone, true);
	return -ENODEV;
}

static int pci_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	struct pci_dev *p = to_pci(dev);
	uint8_t *address = NULL, *to = buf;
	int rc = locate(dev, bar, offset, len, &address);

	if (rc < 0)
		return rc;
	if (atomic_load(&p->gone))
		return -ENODEV;
	if (bar == VHP_BAR_CONFIG)
		return rte_pci_read_config(p->pci, buf, len, (off_t)offset) == (int)len ? 0 : -EIO;

	for (size_t at = 0, n; at < len; at += n) {
		n = step(offset + at, len - at);
		if (n == 4) {
			uint32_t v = rte_read32(address + at);

			memcpy(to + at, &v, n);
		} else if (n == 2) {
			uint16_t v = rte_read16(address + at);

			memcpy(to + at, &v, n);
		} else {
			to[at] = rte_read8(address + at);
		}
	}
	return all_ones(buf, len) ? check_gone(p) : 0;
}

static int pci_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct pci_dev *p = to_pci(dev);
	const uint8_t *from = buf;
	uint8_t *address = NULL;
	int rc = locate(dev, bar, offset, len, &address);

	if (rc < 0)
		return rc;
	if (atomic_load(&p->gone))
		return -ENODEV;
	if (bar == VHP_BAR_CONFIG)
		return rte_pci_write_config(p->pci, buf, len, (off_t)offset) == (int)len ? 0 : -EIO;

	for (size_t at = 0, n; at < len; at += n) {
		n = step(offset + at, len - at);
		if (n == 4) {
			uint32_t v;

			memcpy(&v, from + at, n);
			rte_write32(v, address + at);
		} else if (n == 2) {
			uint16_t v;

			memcpy(&v, from + at, n);
			rte_write16(v, address + at);
		} else {
			rte_write8(from[at], address + at);
		}
	}
	return 0;
}

static void pci_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	uint8_t *address = NULL;

	if (bar < NUM_BARS && offset % 2 == 0 && locate(dev, bar, offset, sizeof(value), &address) == 0)
		rte_write16(value, address);
}

/*
 * Uncached memory: each load is a read request of its own and the processor waits for it. Where it has them, loads of a whole
 * line are used; what is narrower takes its place without them.
 */
#ifdef __x86_64__
static __attribute__((target("avx512f"))) void copy_64(uint8_t *to, const uint8_t *from)
{
	_mm512_storeu_si512(to, _mm512_loadu_si512(from));
}

static __attribute__((target("avx"))) void copy_32(uint8_t *to, const uint8_t *from)
{
	_mm256_storeu_si256((__m256i *)(void *)to, _mm256_loadu_si256((const __m256i *)(const void *)from));
}

static void copy_16(uint8_t *to, const uint8_t *from)
{
	_mm_storeu_si128((__m128i *)(void *)to, _mm_loadu_si128((const __m128i *)(const void *)from));
}

static unsigned int widest(void)
{
	return __builtin_cpu_supports("avx512f") ? 64 : __builtin_cpu_supports("avx") ? 32 : 16;
}
#else
static unsigned int widest(void)
{
	return 8;
}
#endif

typedef uint64_t __attribute__((may_alias)) any64;
typedef uint32_t __attribute__((may_alias)) any32;
typedef uint16_t __attribute__((may_alias)) any16;

/* One access of a natural width; either end may be the device. */
static void copy_step(uint8_t *to, const uint8_t *from, unsigned int width)
{
	switch (width) {
#ifdef __x86_64__
	case 64:
		copy_64(to, from);
		break;
	case 32:
		copy_32(to, from);
		break;
	case 16:
		copy_16(to, from);
		break;
#endif
	case 8:
		*(volatile any64 *)(void *)to = *(const volatile any64 *)(const void *)from;
		break;
	case 4:
		*(volatile any32 *)(void *)to = *(const volatile any32 *)(const void *)from;
		break;
	case 2:
		*(volatile any16 *)(void *)to = *(const volatile any16 *)(const void *)from;
		break;
	default:
		*(volatile uint8_t *)to = *(const volatile uint8_t *)from;
	}
}

static int pci_window_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len, uint64_t end)
{
	uint8_t line[VHP_WINDOW_LINE] __attribute__((aligned(VHP_WINDOW_LINE)));
	struct pci_dev *p = to_pci(dev);
	uint8_t *address = NULL, *to = buf;
	int rc = bar < NUM_BARS ? locate(dev, bar, offset, len, &address) : -EINVAL;

	if (rc == 0 && atomic_load(&p->gone))
		rc = -ENODEV;
	while (rc == 0 && len > 0) {
		struct vhp_window_step step = vhp_window_read_step(offset, len, p->widest, end);

		copy_step(line, address - step.skip, step.touch);
		memcpy(to, line + step.skip, step.take);
		to += step.take;
		address += step.take;
		offset += step.take;
		len -= step.take;
	}
	rte_io_rmb();
	return rc;
}

static int pci_window_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	uint8_t line[VHP_WINDOW_LINE] __attribute__((aligned(VHP_WINDOW_LINE)));
	struct pci_dev *p = to_pci(dev);
	const uint8_t *from = buf;
	uint8_t *address = NULL;
	int rc = bar < NUM_BARS ? locate(dev, bar, offset, len, &address) : -EINVAL;

	if (rc == 0 && atomic_load(&p->gone))
		rc = -ENODEV;
	rte_io_wmb(); /* in order with the writes before */
	while (rc == 0 && len > 0) {
		unsigned int n = vhp_window_write_step(offset, len, p->widest);

		memcpy(line, from, n);
		copy_step(address, line, n);
		from += n;
		address += n;
		offset += n;
		len -= n;
	}
	rte_io_wmb();
	return rc;
}

static void *pci_bar_address(struct vhp_dev *dev, unsigned int bar)
{
	return bar < NUM_BARS ? to_pci(dev)->pci->mem_resource[bar].addr : NULL;
}

static bool pci_alive(struct vhp_dev *dev)
{
	struct pci_dev *p = to_pci(dev);

	return !atomic_load(&p->gone) && check_gone(p) == 0;
}

static const char *pci_failure(struct vhp_dev *dev)
{
	return atomic_load(&to_pci(dev)->gone) ? "the function was removed from the bus" : NULL;
}

static int pci_watch_fd(struct vhp_dev *dev)
{
	(void)dev;
	return -ENOTSUP;
}

/* ---------------------------------------------------------------------------------------------------- memory */

static int pci_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va)
{
	struct pci_dev *p = to_pci(dev);
	struct mapping *m;

	(void)fd, (void)offset;
	if (va == NULL)
		return -EINVAL;
	m = malloc(sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	if (rte_vfio_container_dma_map(p->container, (uint64_t)(uintptr_t)va, iova, size) != 0) {
		free(m);
		return rte_errno > 0 ? -rte_errno : -EIO;
	}
	pthread_mutex_lock(&p->lock);
	*m = (struct mapping){ p->mappings, iova, size, va };
	p->mappings = m;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int pci_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size)
{
	struct pci_dev *p = to_pci(dev);
	struct mapping **at, *m;
	int rc = -ENOENT;

	pthread_mutex_lock(&p->lock);
	for (at = &p->mappings; *at != NULL && ((*at)->iova != iova || (*at)->size != size);)
		at = &(*at)->next;
	m = *at;
	if (m != NULL) {
		rc = 0;
		if (rte_vfio_container_dma_unmap(p->container, (uint64_t)(uintptr_t)m->va, iova, size) != 0)
			rc = rte_errno > 0 ? -rte_errno : -EIO;
		*at = m->next;
		free(m);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

/* ---------------------------------------------------------------------------------------------------- interrupts */

static int irq_set(struct pci_dev *p, uint32_t flags, unsigned int first, unsigned int count, const int *fds)
{
	size_t data = fds != NULL ? count * sizeof(*fds) : 0;
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + data);
	int rc = 0;

	if (set == NULL)
		return -ENOMEM;
	set->argsz = (uint32_t)(sizeof(*set) + data);
	set->flags = flags | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->start = first;
	set->count = count;
	if (data > 0)
		memcpy(set->data, fds, data);
	if (ioctl(p->device, VFIO_DEVICE_SET_IRQS, set) < 0)
		rc = -errno;
	free(set);
	return rc;
}

/* Older kernels cannot add vectors once MSI-X is on: the first call switches every vector on, tied to nothing. */
static int switch_on(struct pci_dev *p)
{
	unsigned int n = p->dev.info.num_msix;
	int *none = malloc(n * sizeof(*none));
	int rc;

	if (none == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		none[i] = -1;
	rc = irq_set(p, VFIO_IRQ_SET_DATA_EVENTFD, 0, n, none);
	free(none);
	if (rc == 0)
		p->vectors = true;
	return rc;
}

static int pci_set_irqs(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds)
{
	struct pci_dev *p = to_pci(dev);
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if (!p->vectors)
		rc = switch_on(p);
	if (rc == 0)
		rc = irq_set(p, VFIO_IRQ_SET_DATA_EVENTFD, first, count, fds);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static int pci_reset(struct vhp_dev *dev)
{
	struct pci_dev *p = to_pci(dev);
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if (p->vectors)
		irq_set(p, VFIO_IRQ_SET_DATA_NONE, 0, 0, NULL);
	p->vectors = false;
	if (ioctl(p->device, VFIO_DEVICE_RESET) < 0)
		rc = -errno;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static int pci_mmap_info(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
			 uint64_t *size)
{
	struct pci_dev *p = to_pci(dev);
	struct vfio_region_info info = { .argsz = sizeof(info), .index = bar };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (bar >= NUM_BARS || offset % page != 0)
		return -EINVAL;
	if (ioctl(p->device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return -errno;
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP) || info.size < page || offset > info.size - page)
		return -ENOTSUP;
	*fd = p->device;
	*fd_offset = info.offset + offset;
	*size = page;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- life */

static void pci_close(struct vhp_dev *dev)
{
	struct pci_dev *p = to_pci(dev);

	if (p->vectors)
		irq_set(p, VFIO_IRQ_SET_DATA_NONE, 0, 0, NULL);
	while (p->mappings != NULL)
		pci_dma_unmap(dev, p->mappings->iova, p->mappings->size);
	if (p->mapped)
		rte_pci_unmap_device(p->pci);
	if (p->container != RTE_VFIO_DEFAULT_CONTAINER_FD)
		rte_vfio_container_destroy(p->container);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct vhp_dev_ops pci_ops = {
	.close = pci_close,
	.alive = pci_alive,
	.failure = pci_failure,
	.watch_fd = pci_watch_fd,
	.bar_size = pci_bar_size,
	.read = pci_read,
	.write = pci_write,
	.doorbell = pci_doorbell,
	.window_read = pci_window_read,
	.window_write = pci_window_write,
	.bar_address = pci_bar_address,
	.dma_map = pci_dma_map,
	.dma_unmap = pci_dma_unmap,
	.set_irqs = pci_set_irqs,
	.reset = pci_reset,
	.mmap_info = pci_mmap_info,
};

/*
 * The group must be in the new container before the device is mapped: EAL then leaves the container's DMA map alone,
 * and function 0 reaches nothing but what the front end shares.
 */
static int take_container(struct pci_dev *p, char *err, size_t errlen)
{
	const char *name = p->dev.info.name;
	int group;

	if (rte_vfio_get_group_num(rte_pci_get_sysfs_path(), name, &group) <= 0)
		return vhp_fail(err, errlen, -ENODEV, "%s: in no IOMMU group (is the IOMMU on, and vfio-pci bound?)",
				name);
	p->container = rte_vfio_container_create();
	if (p->container < 0) {
		p->container = RTE_VFIO_DEFAULT_CONTAINER_FD;
		return vhp_fail(err, errlen, -EIO, "%s: cannot create a VFIO container (at most 64 in a process)",
				name);
	}
	if (rte_vfio_container_group_bind(p->container, group) < 0) {
		rte_vfio_container_destroy(p->container);
		p->container = RTE_VFIO_DEFAULT_CONTAINER_FD;
		return vhp_fail(err, errlen, -EBUSY,
				"%s: cannot put IOMMU group %d into a container of its own; a device that shares the "
				"group may be in use elsewhere",
				name, group);
	}
	return 0;
}

static int set_up(struct pci_dev *p, bool own_container, char *err, size_t errlen)
{
	struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = VFIO_PCI_MSIX_IRQ_INDEX };
	const char *name = p->dev.info.name;
	int rc;

	if (p->pci->kdrv != RTE_PCI_KDRV_VFIO)
		return vhp_fail(err, errlen, -ENODEV, "%s: not bound to vfio-pci (vhpctl bind, or dpdk-devbind.py -b)",
				name);
	if (own_container) {
		rc = take_container(p, err, errlen);
		if (rc < 0)
			return rc;
	}
	if (rte_pci_map_device(p->pci) != 0)
		return vhp_fail(err, errlen, -EIO, "%s: cannot map the BARs", name);
	p->mapped = true;
	p->device = rte_intr_dev_fd_get(p->pci->intr_handle);
	if (p->device < 0 || ioctl(p->device, VFIO_DEVICE_GET_IRQ_INFO, &irq) < 0)
		return vhp_fail(err, errlen, -EIO, "%s: cannot ask VFIO for the MSI-X vectors", name);
	p->dev.info.num_msix = irq.count;
	return vhp_dev_identify(&p->dev, err, errlen);
}

int vhp_dev_open_pci(struct rte_pci_device *pci, bool own_container, struct vhp_dev **dev, char *err, size_t errlen)
{
	struct pci_dev *p = calloc(1, sizeof(*p));
	int rc;

	*dev = NULL;
	if (p == NULL)
		return vhp_fail(err, errlen, -ENOMEM, "%s: out of memory", pci->name);
	p->dev.ops = &pci_ops;
	p->pci = pci;
	p->container = RTE_VFIO_DEFAULT_CONTAINER_FD;
	p->device = -1;
	p->widest = widest();
	snprintf(p->dev.info.name, sizeof(p->dev.info.name), "%s", pci->name);
	pthread_mutex_init(&p->lock, NULL);
	rc = set_up(p, own_container, err, errlen);
	if (rc < 0) {
		pci_close(&p->dev);
		return rc;
	}
	*dev = &p->dev;
	return 0;
}
