/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flash_bar.h"
#include "show.h"
#include "sysfs.h"

#define VFIO "vfio-pci"
#define RESCAN_PAUSE_MS 1000u
#define RESET_US 10000u /* PCIe: at least 1 ms */
#define PCI_ID_OFFSET 0x00u
#define PCI_COMMAND 0x04u
#define PCI_COMMAND_SERR 0x100u
#define PCI_CAPABILITIES 0x34u
#define PCI_BRIDGE_CONTROL 0x3eu
#define PCI_BRIDGE_SERR 0x02u
#define PCI_BRIDGE_RESET 0x40u
#define CAP_PCIE 0x10u
#define PCIE_DEVICE_CONTROL 0x08u
#define PCIE_ERROR_REPORTS 0x0fu
#define PCIE_SLOT_CONTROL 0x18u
#define PCIE_SLOT_EVENTS 0x103fu /* hot-plug interrupts: the kernel must not act on the link by itself */
#define EXT_CAP_AER 0x0001u
#define AER_UNCORRECTABLE_MASK 0x08u
#define AER_SURPRISE_DOWN 0x20u

static bool there(const struct bind_env *env, const char *address)
{
	char path[PATH_MAX];

	return !sysfs_path(path, env, address, "config") && access(path, F_OK) == 0;
}

/* The first line of a device's file, "" if there is none. */
static void read_line(const struct bind_env *env, const char *address, const char *file, char *line, int size)
{
	char path[PATH_MAX];
	FILE *f = sysfs_path(path, env, address, file) ? NULL : fopen(path, "re");

	line[0] = '\0';
	if (f && !fgets(line, size, f))
		line[0] = '\0';
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = '\0';
}

/* -------------------------------------------------------------------------------------------------- configuration space */

static int config(const struct bind_env *env, const char *address, unsigned int offset, void *buf, size_t len,
		  bool write)
{
	char path[PATH_MAX];
	int fd, rc = sysfs_path(path, env, address, "config");
	ssize_t n;

	if (rc)
		return rc;
	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write ? pwrite(fd, buf, len, (off_t)offset) : pread(fd, buf, len, (off_t)offset);
	rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
	close(fd);
	return rc;
}

static unsigned int get(const struct flash_pci *p, unsigned int offset, size_t len)
{
	uint8_t b[4] = { 0 };
	unsigned int v = 0;

	if (config(p->env, p->port, offset, b, len, false))
		return 0;
	for (size_t i = 0; i < len; i++)
		v |= (unsigned int)b[i] << 8 * i;
	return v;
}

static int put(const struct flash_pci *p, unsigned int offset, size_t len, unsigned int value)
{
	uint8_t b[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24) };

	return config(p->env, p->port, offset, b, len, true);
}

/* Lists end by themselves; a broken one must not keep us. */
static unsigned int find_capability(const struct flash_pci *p, unsigned int id)
{
	unsigned int at = get(p, PCI_CAPABILITIES, 1);

	for (unsigned int i = 0; i < 48 && at >= 0x40; i++) {
		unsigned int head = get(p, at & 0xfc, 2);

		if ((head & 0xff) == id)
			return at & 0xfc;
		at = head >> 8;
	}
	return 0;
}

static unsigned int find_extended(const struct flash_pci *p, unsigned int id)
{
	unsigned int at = 0x100;

	for (unsigned int i = 0; i < 240 && at >= 0x100; i++) {
		unsigned int head = get(p, at, 4);

		if (head == 0 || head == UINT32_MAX)
			return 0;
		if ((head & 0xffff) == id)
			return at;
		at = head >> 20 & 0xffc;
	}
	return 0;
}

/* The link goes down on purpose: no error message of it may reach the host's error handling, nor hot plug. */
static void quieten(struct flash_pci *p)
{
	if (!p->port[0] || p->quiet)
		return;
	p->pcie = find_capability(p, CAP_PCIE);
	p->aer = find_extended(p, EXT_CAP_AER);
	p->command = (uint16_t)get(p, PCI_COMMAND, 2);
	p->bridge_control = (uint16_t)get(p, PCI_BRIDGE_CONTROL, 2);
	put(p, PCI_COMMAND, 2, p->command & ~PCI_COMMAND_SERR);
	put(p, PCI_BRIDGE_CONTROL, 2, p->bridge_control & ~PCI_BRIDGE_SERR);
	if (p->pcie) {
		p->device_control = (uint16_t)get(p, p->pcie + PCIE_DEVICE_CONTROL, 2);
		p->slot_control = (uint16_t)get(p, p->pcie + PCIE_SLOT_CONTROL, 2);
		put(p, p->pcie + PCIE_DEVICE_CONTROL, 2, p->device_control & ~PCIE_ERROR_REPORTS);
		put(p, p->pcie + PCIE_SLOT_CONTROL, 2, p->slot_control & ~PCIE_SLOT_EVENTS);
	}
	if (p->aer) {
		p->aer_mask = get(p, p->aer + AER_UNCORRECTABLE_MASK, 4);
		put(p, p->aer + AER_UNCORRECTABLE_MASK, 4, p->aer_mask | AER_SURPRISE_DOWN);
	}
	p->quiet = true;
}

static void restore_port(struct flash_pci *p)
{
	if (!p->quiet)
		return;
	p->quiet = false;
	/* Clear what the link's fall left (RW1C), then as it was. */
	put(p, PCI_COMMAND + 2, 2, 0xf900);
	if (p->pcie) {
		put(p, p->pcie + PCIE_DEVICE_CONTROL + 2, 2, 0x000f);
		put(p, p->pcie + PCIE_SLOT_CONTROL + 2, 2, 0x011f);
		put(p, p->pcie + PCIE_DEVICE_CONTROL, 2, p->device_control);
		put(p, p->pcie + PCIE_SLOT_CONTROL, 2, p->slot_control);
	}
	if (p->aer) {
		put(p, p->aer + 4, 4, AER_SURPRISE_DOWN);
		put(p, p->aer + AER_UNCORRECTABLE_MASK, 4, p->aer_mask);
	}
	put(p, PCI_BRIDGE_CONTROL, 2, p->bridge_control & ~PCI_BRIDGE_RESET);
	put(p, PCI_COMMAND, 2, p->command);
}

/* ----------------------------------------------------------------------------------------------------------- the card */

int flash_pci_only(const struct bind_env *env, char address[BIND_ADDRESS_LEN], struct flash_err *err)
{
	json_t *all = bind_list(env), *one;
	char list[256] = "";
	size_t at, used = 0;
	unsigned int n = 0;

	json_array_foreach(all, at, one) {
		if (show_number(one, "function") != 0)
			continue;
		n++;
		snprintf(address, BIND_ADDRESS_LEN, "%s", show_text(one, "address"));
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", address);
	}
	json_decref(all);
	if (n == 0)
		return flash_fail(err, -ENODEV,
				  "no card on this host (10ee:5650); a simulated one is reached with --socket PATH");
	return n == 1 ? 0 : flash_fail(err, -ENOTUNIQ, "several cards; say which with --pci:%s", list);
}

int flash_pci_find(const struct bind_env *env, const char *address, struct flash_pci *p, struct flash_err *err)
{
	char path[PATH_MAX], real[PATH_MAX], ids[2][16] = { "", "" }, test[BIND_ADDRESS_LEN];
	static const char *const files[2] = { "vendor", "device" };
	char *slash, *above;
	struct dirent *e;
	DIR *d;

	memset(p, 0, sizeof(*p));
	p->env = env;
	if (bind_address(address, p->address))
		return flash_fail(err, -EINVAL,
				  "%s: not a PCI address; want DOMAIN:BUS:DEVICE.FUNCTION, as 0000:01:00.0", address);
	if (sysfs_path(path, env, p->address, "") || !realpath(path, real))
		return flash_fail(err, -ENODEV, "%s: no such PCI device (vhpctl bind lists the cards)", p->address);
	for (unsigned int i = 0; i < 2; i++)
		read_line(env, p->address, files[i], ids[i], sizeof(ids[i]));
	if (strtoul(ids[0], NULL, 0) != 0x10ee || strtoul(ids[1], NULL, 0) != 0x5650)
		return flash_fail(err, -ENODEV, "%s: %04lx:%04lx is not function 0 of a card (10ee:5650)", p->address,
				  strtoul(ids[0], NULL, 0), strtoul(ids[1], NULL, 0));
	/* .../<port>/<function>; on the root bus the parent is no device. */
	slash = strrchr(real, '/');
	*slash = '\0';
	above = strrchr(real, '/');
	if (above && !bind_address(above + 1, test))
		snprintf(p->port, sizeof(p->port), "%s", test);

	d = opendir(real);
	while (d && (e = readdir(d)) != NULL && p->count < FLASH_PCI_FUNCTIONS) {
		struct flash_pci_function *f = &p->functions[p->count];

		if (bind_address(e->d_name, test) || strcmp(e->d_name, test))
			continue;
		/* On the root bus only what shares the card's device number is the card. */
		if (!p->port[0] && strncmp(test, p->address, strlen("0000:00:00")))
			continue;
		snprintf(f->address, sizeof(f->address), "%s", test);
		sysfs_link(env, test, "driver", f->driver);
		read_line(env, test, "driver_override", f->override, sizeof(f->override));
		if (!strcmp(f->override, "(null)"))
			f->override[0] = '\0';
		p->count++;
	}
	if (d)
		closedir(d);
	if (p->count == 0)
		return flash_fail(err, -ENODEV, "%s: cannot list %s", p->address, real);
	return 0;
}

static json_t *described(json_t *all, const char *address)
{
	json_t *one;
	size_t at;

	json_array_foreach(all, at, one) {
		if (!strcmp(show_text(one, "address"), address))
			return one;
	}
	return NULL;
}

/* A group is open in one process at a time. */
static bool group_is_open(const struct bind_env *env, long long group)
{
	char path[PATH_MAX];
	bool busy;
	int fd;

	snprintf(path, sizeof(path), "%s/vfio/%lld", env->dev, group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	busy = fd < 0 && errno == EBUSY;
	if (fd >= 0)
		close(fd);
	return busy;
}

int flash_pci_in_use(const struct flash_pci *p, struct flash_err *err)
{
	json_t *all = bind_list(p->env);
	int rc = 0;

	for (unsigned int i = 0; !rc && i < p->count; i++) {
		const struct flash_pci_function *f = &p->functions[i];
		json_t *one = described(all, f->address), *pids = json_object_get(one, "used_by");
		char path[PATH_MAX], vfs[16];

		/* Their number is forgotten with the function, and nobody would know what they were for. */
		read_line(p->env, f->address, "sriov_numvfs", vfs, sizeof(vfs));
		if (strtoul(vfs, NULL, 10) > 0)
			rc = flash_fail(
				err, -EBUSY,
				"%s has %s virtual functions, of ports 2 and 3: end what uses them, then echo 0 > "
				"%s/bus/pci/devices/%s/sriov_numvfs; set it again when the image is loaded",
				f->address, vfs, p->env->sys, f->address);
		else if (json_array_size(pids))
			rc = flash_fail(err, -EBUSY, "%s is in use by process %lld: end it first", f->address,
					(long long)json_integer_value(json_array_get(pids, 0)));
		else if (!strcmp(f->driver, VFIO) && one && group_is_open(p->env, show_number(one, "iommu_group")))
			rc = flash_fail(err, -EBUSY,
					"%s is in use by a program that has its VFIO group open: end it first",
					f->address);
		else if (!sysfs_path(path, p->env, f->address, "net") && access(path, F_OK) == 0)
			rc = flash_fail(err, -EBUSY,
					"%s is a network interface of this host (driver %s): vhpctl bind %s first, or "
					"unbind its driver",
					f->address, f->driver, f->address);
	}
	json_decref(all);
	return rc;
}

int flash_pci_detach(struct flash_pci *p, struct flash_err *err)
{
	for (unsigned int i = 0; i < p->count; i++) {
		const struct flash_pci_function *f = &p->functions[i];
		int rc = f->driver[0] ? sysfs_write_device(p->env, f->address, "driver/unbind", f->address) : 0;

		if (rc)
			return flash_fail(err, rc, "%s: cannot take it from driver %s: %s%s", f->address, f->driver,
					  strerror(-rc), rc == -EACCES || rc == -EPERM ? " (this needs root)" : "");
	}
	quieten(p);
	return 0;
}

int flash_pci_remove(const struct flash_pci *p, struct flash_err *err)
{
	/* Function 0 last: the others may be its virtual functions and go with it. */
	for (unsigned int i = 0; i < p->count; i++) {
		const char *a = p->functions[p->count - 1 - i].address;

		if (strcmp(a, p->address))
			sysfs_write_device(p->env, a, "remove", "1");
	}
	sysfs_write_device(p->env, p->address, "remove", "1");
	return there(p->env, p->address) ? flash_fail(err, -EIO, "%s: the kernel does not let it go", p->address) : 0;
}

static bool answers(const struct flash_pci *p)
{
	uint8_t id[4] = { 0xff, 0xff, 0xff, 0xff };

	return there(p->env, p->address) && !config(p->env, p->address, PCI_ID_OFFSET, id, sizeof(id), false) &&
		!(id[0] == 0xff && id[1] == 0xff);
}

int flash_pci_wait_back(const struct flash_pci *p, unsigned int settle_ms, unsigned int limit_ms, struct flash_err *err)
{
	uint64_t end = flash_now_ms() + limit_ms;
	char path[PATH_MAX];
	bool late;

	flash_sleep_us(settle_ms * 1000);
	do {
		late = flash_now_ms() > end;
		if (p->port[0]) {
			unsigned int control = get(p, PCI_BRIDGE_CONTROL, 2) & ~PCI_BRIDGE_RESET;

			put(p, PCI_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_RESET);
			flash_sleep_us(RESET_US);
			put(p, PCI_BRIDGE_CONTROL, 2, control);
		}
		flash_sleep_us(RESCAN_PAUSE_MS * 1000);
		/* The port's own file looks below it only; root ports of old kernels have none. */
		if (!p->port[0] || sysfs_path(path, p->env, p->port, "rescan") || sysfs_write(path, "1")) {
			snprintf(path, sizeof(path), "%s/bus/pci/rescan", p->env->sys);
			sysfs_write(path, "1");
		}
		if (answers(p))
			return 0;
		/* A function that the kernel found, but that does not answer, would stay as it is. */
		if (there(p->env, p->address))
			sysfs_write_device(p->env, p->address, "remove", "1");
	} while (!late);
	return flash_fail(
		err, -ETIMEDOUT,
		"%s: the card did not come back in %u s. Try: echo 1 > /sys/bus/pci/rescan; else restart the host (its power "
		"off and on if need be): the card then loads what is active, or the golden image",
		p->address, limit_ms / 1000);
}

int flash_pci_attach(struct flash_pci *p, struct flash_err *err)
{
	int rc = 0;

	restore_port(p);
	for (unsigned int i = 0; i < p->count; i++) {
		const struct flash_pci_function *f = &p->functions[i];
		char now[NAME_MAX], text[BIND_TEXT_LEN] = "no such function any more", path[PATH_MAX];

		if (!f->driver[0])
			continue;
		sysfs_link(p->env, f->address, "driver", now);
		if (!strcmp(now, f->driver))
			continue;
		if (!strcmp(f->driver, VFIO)) {
			bind_vfio(p->env, f->address, text);
		} else if (there(p->env, f->address) && !now[0]) {
			/* A driver without ids of its own, as pci-pf-stub, takes what names it. */
			if (f->override[0])
				sysfs_write_device(p->env, f->address, "driver_override", f->override);
			snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s/bind", p->env->sys, f->driver);
			snprintf(text, sizeof(text), "%s", strerror(-sysfs_write(path, f->address)));
		}
		sysfs_link(p->env, f->address, "driver", now);
		if (strcmp(now, f->driver) && !rc)
			rc = flash_fail(err, -EIO, "%s did not get its driver %s back: %.300s", f->address, f->driver,
					text);
	}
	return rc;
}
