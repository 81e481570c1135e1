/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_bar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sysfs.h"
#include "vhost_pci.h"
#include "vhp_access.h"

#define SIMULATION_SCALE 60u

uint64_t flash_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void flash_sleep_us(unsigned int us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

void flash_bar_close(struct flash_bar *bar)
{
	if (bar)
		bar->ops->close(bar);
}

/* ------------------------------------------------------------------------------------------------------------ socket */

struct socket_bar {
	struct flash_bar bar;
	struct vhp_dev *dev;
};

static uint32_t socket_read(struct flash_bar *bar, uint32_t offset)
{
	uint64_t value = UINT32_MAX;

	vhp_dev_read(((struct socket_bar *)bar)->dev, FLASH_BAR, offset, 4, &value);
	return (uint32_t)value;
}

/* Posted, as on PCIe. */
static void socket_write(struct flash_bar *bar, uint32_t offset, uint32_t value)
{
	uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24) };

	vhp_dev_window_write(((struct socket_bar *)bar)->dev, FLASH_BAR, offset, bytes, sizeof(bytes));
}

static void socket_close(struct flash_bar *bar)
{
	vhp_dev_close(((struct socket_bar *)bar)->dev);
	free(bar);
}

static const struct flash_bar_ops socket_ops = { socket_read, socket_write, socket_close };

int flash_bar_open_socket(const char *path, struct flash_bar **bar, struct flash_err *err)
{
	struct socket_bar *b = calloc(1, sizeof(*b));
	int rc;

	*bar = NULL;
	if (!b)
		return flash_fail(err, -ENOMEM, "%s: out of memory", path);
	rc = vhp_dev_open_socket(path, &b->dev, err->text, sizeof(err->text));
	if (rc) {
		free(b);
		return rc;
	}
	b->bar.ops = &socket_ops;
	b->bar.how = "socket";
	b->bar.scale = SIMULATION_SCALE;
	snprintf(b->bar.name, sizeof(b->bar.name), "%s", path);
	if (vhp_dev_info(b->dev)->device != VHP_PEER_PCI_DEVICE ||
	    vhp_dev_bar_size(b->dev, FLASH_BAR) < FLASH_BAR_BYTES) {
		bool other = vhp_dev_info(b->dev)->device != VHP_PEER_PCI_DEVICE;

		socket_close(&b->bar);
		return flash_fail(err, -ENODEV,
				  other ? "%s: not function 0 of the card: its flash is reached by fn0.sock"
					: "%s: function 0 has no BAR 4: this image has no flash controller",
				  path);
	}
	*bar = &b->bar;
	return 0;
}

/* -------------------------------------------------------------------------------------------------- a mapped BAR */

struct mapped_bar {
	struct flash_bar bar;
	volatile uint32_t *regs;
	int fd;		       /* sysfs: resource4, locked; VFIO: the device */
	int group, container;  /* VFIO */
	char enable[PATH_MAX]; /* sysfs: the file that was switched on; "" if it was on */
};

static uint32_t mapped_read(struct flash_bar *bar, uint32_t offset)
{
	return ((struct mapped_bar *)bar)->regs[offset / 4];
}

static void mapped_write(struct flash_bar *bar, uint32_t offset, uint32_t value)
{
	((struct mapped_bar *)bar)->regs[offset / 4] = value;
}

static void mapped_close(struct flash_bar *bar)
{
	struct mapped_bar *b = (struct mapped_bar *)bar;

	if (b->regs)
		munmap((void *)(uintptr_t)b->regs, FLASH_BAR_BYTES);
	if (b->fd >= 0)
		close(b->fd);
	if (b->group >= 0)
		close(b->group);
	if (b->container >= 0)
		close(b->container);
	if (b->enable[0])
		sysfs_write(b->enable, "0");
	free(b);
}

static const struct flash_bar_ops mapped_ops = { mapped_read, mapped_write, mapped_close };

static struct mapped_bar *new_mapped(const char *how, const char *address)
{
	struct mapped_bar *b = calloc(1, sizeof(*b));

	if (b) {
		b->bar.ops = &mapped_ops;
		b->bar.how = how;
		b->bar.scale = 1;
		snprintf(b->bar.name, sizeof(b->bar.name), "%s", address);
		b->fd = b->group = b->container = -1;
	}
	return b;
}

static int map_registers(struct mapped_bar *b, off_t offset)
{
	void *p = mmap(NULL, FLASH_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	b->regs = p;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- sysfs */

int flash_bar_open_sysfs(const struct bind_env *env, const char *address, struct flash_bar **bar, struct flash_err *err)
{
	struct mapped_bar *b = new_mapped("sysfs", address);
	char path[PATH_MAX], driver[PATH_MAX];
	struct stat st;
	int rc = 0;

	*bar = NULL;
	if (!b)
		return flash_fail(err, -ENOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource%u", env->sys, address, FLASH_BAR);
	b->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (b->fd < 0 || fstat(b->fd, &st)) {
		rc = -errno;
		flash_fail(err, rc, "%s: %s%s", path, strerror(-rc),
			   rc == -ENOENT ? ": the function has no BAR 4; the image is older than its flash controller"
				   : rc == -EACCES || rc == -EPERM
				   ? " (this needs root; with Secure Boot the kernel allows it to nobody)"
				   : "");
	} else if (st.st_size < (off_t)FLASH_BAR_BYTES) {
		rc = flash_fail(err, -ENODEV, "%s: %jd bytes, not the %u of the flash controller", path,
				(intmax_t)st.st_size, FLASH_BAR_BYTES);
	} else if (flock(b->fd, LOCK_EX | LOCK_NB)) {
		rc = flash_fail(err, -EBUSY, "%s: another program works on this flash", address);
	}
	/* Without a driver nobody has switched the function's memory on. */
	snprintf(driver, sizeof(driver), "%s/bus/pci/devices/%s/driver", env->sys, address);
	if (!rc && access(driver, F_OK)) {
		snprintf(b->enable, sizeof(b->enable), "%s/bus/pci/devices/%s/enable", env->sys, address);
		rc = sysfs_write(b->enable, "1");
		if (rc) {
			flash_fail(err, rc, "%s: cannot switch it on: %s", b->enable, strerror(-rc));
			b->enable[0] = '\0';
		}
	}
	if (!rc) {
		rc = map_registers(b, 0);
		if (rc == -EINVAL || rc == -EBUSY)
			flash_fail(
				err, -EBUSY,
				"%s: BAR 4 is in the hands of a program or driver (vhp-vdpad?): end it, or unbind the function",
				address);
		else if (rc)
			flash_fail(
				err, rc, "%s: cannot map BAR 4: %s%s", address, strerror(-rc),
				rc == -EPERM
					? " (Secure Boot: the kernel allows it to nobody; bind the function to vfio-pci)"
					: "");
		if (rc == -EINVAL)
			rc = -EBUSY;
	}
	if (rc) {
		mapped_close(&b->bar);
		return rc;
	}
	*bar = &b->bar;
	return 0;
}

/* -------------------------------------------------------------------------------------------------------------- VFIO */

static int vfio_open(const struct bind_env *env, struct mapped_bar *b, const char *address, const char *group,
		     struct flash_err *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_region_info region = { .argsz = sizeof(region), .index = FLASH_BAR };
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/vfio/%s", env->dev, group);
	b->group = open(path, O_RDWR | O_CLOEXEC);
	if (b->group < 0)
		return flash_fail(err, -errno, "%s: %s%s", path, strerror(errno),
				  errno == EBUSY	    ? ": another program has the card (vhp-vdpad?)"
					  : errno == EACCES ? ": this user may not use the card"
							    : "");
	snprintf(path, sizeof(path), "%s/vfio/vfio", env->dev);
	b->container = open(path, O_RDWR | O_CLOEXEC);
	if (b->container < 0)
		return flash_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (ioctl(b->group, VFIO_GROUP_GET_STATUS, &status) || !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return flash_fail(
			err, -EXDEV,
			"IOMMU group %s is not usable: another device in it has a driver (vhpctl bind tells which)",
			group);
	if (ioctl(b->group, VFIO_GROUP_SET_CONTAINER, &b->container) ||
	    (ioctl(b->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) &&
	     ioctl(b->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU)))
		return flash_fail(err, -errno, "VFIO group %s: %s", group, strerror(errno));
	b->fd = ioctl(b->group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (b->fd < 0)
		return flash_fail(err, -errno, "VFIO device %s: %s", address, strerror(errno));
	if (ioctl(b->fd, VFIO_DEVICE_GET_REGION_INFO, &region))
		return flash_fail(err, -errno, "%s: VFIO tells nothing of BAR 4: %s", address, strerror(errno));
	if (region.size < FLASH_BAR_BYTES || !(region.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return flash_fail(err, -ENODEV,
				  "%s: no BAR 4 of %u bytes: the image is older than its flash controller", address,
				  FLASH_BAR_BYTES);
	rc = map_registers(b, (off_t)region.offset);
	return rc ? flash_fail(err, rc, "%s: cannot map BAR 4: %s", address, strerror(-rc)) : 0;
}

int flash_bar_open_pci(const struct bind_env *env, const char *address, struct flash_bar **bar, struct flash_err *err)
{
	char driver[NAME_MAX], group[NAME_MAX];
	struct mapped_bar *b;
	int rc;

	*bar = NULL;
	if (strcmp(sysfs_link(env, address, "driver", driver), "vfio-pci"))
		return flash_bar_open_sysfs(env, address, bar, err);
	if (!*sysfs_link(env, address, "iommu_group", group))
		return flash_fail(err, -ENOTSUP, "%s: bound to vfio-pci, but in no IOMMU group", address);
	b = new_mapped("VFIO", address);
	if (!b)
		return flash_fail(err, -ENOMEM, "out of memory");
	rc = vfio_open(env, b, address, group, err);
	if (!rc) {
		*bar = &b->bar;
		return 0;
	}
	mapped_close(&b->bar);
	/* Whoever has it may have left BAR 4 alone; then it is also switched on. */
	if (rc == -EBUSY) {
		struct flash_err also;

		if (!flash_bar_open_sysfs(env, address, bar, &also))
			return 0;
	}
	return rc;
}
