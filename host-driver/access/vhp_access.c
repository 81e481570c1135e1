/* SPDX-License-Identifier: Apache-2.0 */
#include "vhp_access_impl.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "vhost_pci.h"

#define PCI_VENDOR_ID 0x00u
#define PCI_DEVICE_ID 0x02u
#define PCI_COMMAND 0x04u
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_REVISION_ID 0x08u

int vhp_fail(char *err, size_t errlen, int code, const char *format, ...)
{
	if (err != NULL && errlen > 0) {
		va_list args;

		va_start(args, format);
		vsnprintf(err, errlen, format, args);
		va_end(args);
	}
	return code;
}

int vhp_dev_enable(struct vhp_dev *dev)
{
	uint64_t command = 0;
	int rc;

	rc = vhp_dev_read(dev, VHP_BAR_CONFIG, PCI_COMMAND, 2, &command);
	if (rc < 0)
		return rc;
	return vhp_dev_write(dev, VHP_BAR_CONFIG, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

int vhp_dev_identify(struct vhp_dev *dev, char *err, size_t errlen)
{
	struct vhp_dev_info *info = &dev->info;
	uint64_t vendor = 0, device = 0, revision = 0;
	int rc;

	rc = vhp_dev_read(dev, VHP_BAR_CONFIG, PCI_VENDOR_ID, 2, &vendor);
	if (rc == 0)
		rc = vhp_dev_read(dev, VHP_BAR_CONFIG, PCI_DEVICE_ID, 2, &device);
	if (rc == 0)
		rc = vhp_dev_read(dev, VHP_BAR_CONFIG, PCI_REVISION_ID, 1, &revision);
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: cannot read configuration space: %s", info->name, strerror(-rc));

	info->vendor = (uint16_t)vendor;
	info->device = (uint16_t)device;
	info->revision = (uint8_t)revision;
	if (!(vendor == VHOST_PCI_NET_PCI_VENDOR && device == VHOST_PCI_NET_PCI_DEVICE) &&
	    !(vendor == VHP_PEER_PCI_VENDOR && device == VHP_PEER_PCI_DEVICE))
		return vhp_fail(err, errlen, -ENODEV,
				"%s: PCI ids %04x:%04x are neither a vhost-pci-net function (%04x:%04x) nor the "
				"peer function (%04x:%04x)",
				info->name, info->vendor, info->device, VHOST_PCI_NET_PCI_VENDOR,
				VHOST_PCI_NET_PCI_DEVICE, VHP_PEER_PCI_VENDOR, VHP_PEER_PCI_DEVICE);

	rc = vhp_dev_enable(dev);
	if (rc < 0)
		return vhp_fail(err, errlen, rc, "%s: cannot set bus mastering: %s", info->name, strerror(-rc));
	return 0;
}

void vhp_dev_close(struct vhp_dev *dev)
{
	if (dev != NULL)
		dev->ops->close(dev);
}

const struct vhp_dev_info *vhp_dev_info(const struct vhp_dev *dev)
{
	return &dev->info;
}

bool vhp_dev_alive(struct vhp_dev *dev)
{
	return dev->ops->alive(dev);
}

const char *vhp_dev_failure(struct vhp_dev *dev)
{
	return dev->ops->failure(dev);
}

int vhp_dev_watch_fd(struct vhp_dev *dev)
{
	return dev->ops->watch_fd(dev);
}

uint64_t vhp_dev_bar_size(struct vhp_dev *dev, unsigned int bar)
{
	return dev->ops->bar_size(dev, bar);
}

static bool width_ok(unsigned int width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

int vhp_dev_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t *value)
{
	uint64_t raw = 0;
	int rc;

	*value = UINT64_MAX;
	if (!width_ok(width))
		return -EINVAL;
	*value >>= 64 - 8 * width;
	rc = dev->ops->read(dev, bar, offset, &raw, width);
	if (rc == 0)
		*value = le64toh(raw);
	return rc;
}

int vhp_dev_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, unsigned int width, uint64_t value)
{
	uint64_t raw = htole64(value);

	if (!width_ok(width))
		return -EINVAL;
	return dev->ops->write(dev, bar, offset, &raw, width);
}

int vhp_dev_read_buf(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len)
{
	int rc;

	if (offset % 4 != 0 || len % 4 != 0)
		return -EINVAL;
	rc = len > 0 ? dev->ops->read(dev, bar, offset, buf, len) : 0;
	if (rc < 0)
		memset(buf, 0xff, len);
	return rc;
}

int vhp_dev_write_buf(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	if (offset % 4 != 0 || len % 4 != 0)
		return -EINVAL;
	return len > 0 ? dev->ops->write(dev, bar, offset, buf, len) : 0;
}

unsigned int vhp_window_write_step(uint64_t offset, size_t len, unsigned int width)
{
	while (width > 1 && (offset % width != 0 || len < width))
		width /= 2;
	return width;
}

struct vhp_window_step vhp_window_read_step(uint64_t offset, size_t len, unsigned int width, uint64_t end)
{
	struct vhp_window_step step;

	step.skip = (unsigned int)(offset % width);
	step.take = width - step.skip;
	if (step.take > len)
		step.take = (unsigned int)len;
	for (unsigned int half = width / 2; half > 0 && offset % half + step.take <= half; half /= 2) {
		step.skip = (unsigned int)(offset % half);
		width = half;
	}
	if (offset - step.skip + width > end) {
		width = vhp_window_write_step(offset, len, width);
		step.skip = 0;
		step.take = width;
	}
	step.touch = width;
	return step;
}

int vhp_dev_window_read(struct vhp_dev *dev, unsigned int bar, uint64_t offset, void *buf, size_t len, uint64_t end)
{
	int rc = len > 0 ? dev->ops->window_read(dev, bar, offset, buf, len, end) : 0;

	if (rc < 0)
		memset(buf, 0xff, len);
	return rc;
}

int vhp_dev_window_write(struct vhp_dev *dev, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	return len > 0 ? dev->ops->window_write(dev, bar, offset, buf, len) : 0;
}

void *vhp_dev_bar_address(struct vhp_dev *dev, unsigned int bar)
{
	return dev->ops->bar_address(dev, bar);
}

void vhp_dev_doorbell(struct vhp_dev *dev, unsigned int bar, uint64_t offset, uint16_t value)
{
	dev->ops->doorbell(dev, bar, offset, value);
}

int vhp_dev_dma_map(struct vhp_dev *dev, uint64_t iova, uint64_t size, int fd, uint64_t offset, void *va)
{
	if (size == 0 || iova + (size - 1) < iova)
		return -EINVAL;
	return dev->ops->dma_map(dev, iova, size, fd, offset, va);
}

int vhp_dev_dma_unmap(struct vhp_dev *dev, uint64_t iova, uint64_t size)
{
	if (size == 0 || iova + (size - 1) < iova)
		return -EINVAL;
	return dev->ops->dma_unmap(dev, iova, size);
}

int vhp_dev_set_irqs(struct vhp_dev *dev, unsigned int first, unsigned int count, const int *fds)
{
	if (count > dev->info.num_msix || first > dev->info.num_msix - count)
		return -EINVAL;
	return count > 0 ? dev->ops->set_irqs(dev, first, count, fds) : 0;
}

int vhp_dev_reset(struct vhp_dev *dev)
{
	int rc = dev->ops->reset(dev);

	/* FLR clears the command register; without it the BARs would not even answer. */
	return rc < 0 ? rc : vhp_dev_enable(dev);
}

int vhp_dev_mmap_info(struct vhp_dev *dev, unsigned int bar, uint64_t offset, int *fd, uint64_t *fd_offset,
		      uint64_t *size)
{
	return dev->ops->mmap_info(dev, bar, offset, fd, fd_offset, size);
}
