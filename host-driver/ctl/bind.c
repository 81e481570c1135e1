/* SPDX-License-Identifier: Apache-2.0 */
#include "bind.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"
#include "sysfs.h"

#define VFIO "vfio-pci"
#define IFF_UP 1u

const struct bind_env bind_host = { "/sys", "/dev", "/proc" };

/* The functions of a card; rtl/lib/vhp_pkg.sv has the ids. */
static const struct {
	unsigned int vendor, device;
	int function;
} ids[] = {
	{ 0x10ee, 0x5650, 0 },
	{ 0x1af4, 0x107f, 1 },
};

int bind_address(const char *text, char address[BIND_ADDRESS_LEN])
{
	unsigned int domain = 0, bus, slot, function;
	int end = -1;

	if (sscanf(text, "%4x:%2x:%2x.%1u%n", &domain, &bus, &slot, &function, &end) != 4 || end < 0 || text[end]) {
		domain = 0;
		end = -1;
		if (sscanf(text, "%2x:%2x.%1u%n", &bus, &slot, &function, &end) != 3 || end < 0 || text[end])
			return -EINVAL;
	}
	/* scanf takes blanks and signs. */
	for (const char *c = text; *c; c++) {
		if (!isxdigit((unsigned char)*c) && *c != ':' && *c != '.')
			return -EINVAL;
	}
	if (slot > 31 || function > 7)
		return -EINVAL;
	snprintf(address, BIND_ADDRESS_LEN, "%04x:%02x:%02x.%u", domain & 0xffff, bus & 0xff, slot & 31, function & 7);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- sysfs */

static bool read_number(const char *path, unsigned int *value)
{
	char buf[32];
	FILE *f = fopen(path, "re");
	bool good = f && fgets(buf, sizeof(buf), f);

	if (good)
		*value = (unsigned int)strtoul(buf, NULL, 0);
	if (f)
		fclose(f);
	return good;
}

/* -1: not a function of a card. */
static int which_function(const struct bind_env *env, const char *address, unsigned int *vendor, unsigned int *device)
{
	char path[PATH_MAX];

	if (sysfs_path(path, env, address, "vendor") || !read_number(path, vendor))
		return -1;
	if (sysfs_path(path, env, address, "device") || !read_number(path, device))
		return -1;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (*vendor == ids[i].vendor && *device == ids[i].device)
			return ids[i].function;
	}
	return -1;
}

static int say(char text[BIND_TEXT_LEN], int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int say(char text[BIND_TEXT_LEN], int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, BIND_TEXT_LEN, fmt, ap);
	va_end(ap);
	return rc;
}

static int say_errno(char text[BIND_TEXT_LEN], int rc, const char *what)
{
	return say(text, rc, "cannot %s: %s%s", what, strerror(-rc),
		   rc == -EACCES || rc == -EPERM ? " (this needs root)" : "");
}

/* Processes that have the VFIO group open. Of other users' processes nothing is seen without root. */
static json_t *group_users(const struct bind_env *env, const char *group)
{
	char pattern[PATH_MAX], wanted[PATH_MAX], to[PATH_MAX];
	json_t *pids = json_array();
	long last = -1;
	glob_t g;

	snprintf(wanted, sizeof(wanted), "%s/vfio/%s", env->dev, group);
	snprintf(pattern, sizeof(pattern), "%s/[0-9]*/fd/*", env->proc);
	if (!*group || glob(pattern, GLOB_NOSORT, NULL, &g))
		return pids;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		ssize_t n = readlink(g.gl_pathv[i], to, sizeof(to) - 1);
		long pid = strtol(g.gl_pathv[i] + strlen(env->proc) + 1, NULL, 10);

		to[n > 0 ? n : 0] = '\0';
		if (strcmp(to, wanted) || pid == last)
			continue;
		json_array_append_new(pids, json_integer(pid));
		last = pid;
	}
	globfree(&g);
	return pids;
}

static json_t *describe(const struct bind_env *env, const char *address)
{
	unsigned int vendor = 0, device = 0;
	char name[NAME_MAX], group[NAME_MAX], number[24];
	int function = which_function(env, address, &vendor, &device);
	json_t *one;

	if (function < 0)
		return NULL;
	sysfs_link(env, address, "iommu_group", group);
	snprintf(number, sizeof(number), "%04x:%04x", vendor, device);
	one = json_object();
	json_object_set_new(one, "address", json_string(address));
	json_object_set_new(one, "function", json_integer(function));
	json_object_set_new(one, "ids", json_string(number));
	json_object_set_new(one, "driver", json_string(sysfs_link(env, address, "driver", name)));
	json_object_set_new(one, "iommu_group", json_integer(*group ? strtol(group, NULL, 10) : -1));
	json_object_set_new(one, "used_by", group_users(env, group));
	return one;
}

json_t *bind_list(const struct bind_env *env)
{
	char path[PATH_MAX];
	json_t *all = json_array();
	struct dirent **names;
	int n = -1;

	if (!sysfs_path(path, env, "", ""))
		n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		json_t *one = describe(env, names[i]->d_name);

		if (one)
			json_array_append_new(all, one);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return all;
}

/* ------------------------------------------------------------------------------------------------------------ checks */

/* A VFIO group is usable only if no other driver owns a device in it. Bridges do not count, as for the kernel. */
static int check_group(const struct bind_env *env, const char *address, const char *group, char text[BIND_TEXT_LEN])
{
	char path[PATH_MAX], driver[NAME_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s/devices", env->sys, group);
	d = opendir(path);
	while (!rc && d && (e = readdir(d)) != NULL) {
		unsigned int vendor, device;

		if (e->d_name[0] == '.' || !strcmp(e->d_name, address))
			continue;
		sysfs_link(env, e->d_name, "driver", driver);
		if (which_function(env, e->d_name, &vendor, &device) >= 0)
			rc = say(
				text, -EXDEV,
				"IOMMU group %s also holds %s of the card: functions in one group cannot go to different "
				"owners. Some bridge above the card, or its slot, lacks ACS: use another slot, or enable ACS "
				"in the firmware setup",
				group, e->d_name);
		else if (*driver && strcmp(driver, VFIO) && strcmp(driver, "pcieport") && strcmp(driver, "pci-stub"))
			rc = say(
				text, -EXDEV,
				"IOMMU group %s also holds %s, which %s drives: VFIO gives out whole groups. Use another slot, "
				"enable ACS in the firmware setup, or bind that device to " VFIO " too",
				group, e->d_name, driver);
	}
	if (d)
		closedir(d);
	return rc;
}

/* Network interfaces of another driver (virtio_net, ...) that are up. */
static int check_interfaces(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN])
{
	static const char *const where[] = { "net/*/flags", "virtio*/net/*/flags" };
	char pattern[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		glob_t g;

		if (sysfs_path(pattern, env, address, where[i]) || glob(pattern, 0, NULL, &g))
			continue;
		for (size_t k = 0; !rc && k < g.gl_pathc; k++) {
			unsigned int flags = 0;
			char *name;

			if (!read_number(g.gl_pathv[k], &flags) || !(flags & IFF_UP))
				continue;
			*strrchr(g.gl_pathv[k], '/') = '\0';
			name = strrchr(g.gl_pathv[k], '/') + 1;
			rc = say(text, -EBUSY, "its network interface %s is up: ip link set %s down, and try again",
				 name, name);
		}
		globfree(&g);
	}
	return rc;
}

/* The kernel would wait until the program ends: better not to ask. */
static int check_users(const struct bind_env *env, const char *group, char text[BIND_TEXT_LEN])
{
	char path[PATH_MAX], list[256] = "";
	json_t *pids = group_users(env, group), *pid;
	size_t at, used = 0;
	int fd, rc = 0;

	json_array_foreach(pids, at, pid) {
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%lld", at ? ", " : " (process ",
						 (long long)json_integer_value(pid));
	}
	snprintf(path, sizeof(path), "%s/vfio/%s", env->dev, group);
	/* A group can be open once. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (json_array_size(pids) || (fd < 0 && errno == EBUSY))
		rc = say(text, -EBUSY, "a program uses IOMMU group %s%s%s: end it first", group, list,
			 *list ? ")" : "");
	if (fd >= 0)
		close(fd);
	json_decref(pids);
	return rc;
}

static bool have_vfio(const struct bind_env *env)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/drivers/" VFIO, env->sys);
	return access(path, F_OK) == 0;
}

static void load_vfio(void)
{
	char program[] = "modprobe", module[] = VFIO;
	char *const argv[] = { program, module, NULL };
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
}

static int check_device(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN])
{
	unsigned int vendor = 0, device = 0;
	char path[PATH_MAX];

	if (sysfs_path(path, env, address, "") || access(path, F_OK))
		return say(text, -ENODEV, "no such PCI device (vhpctl bind without address lists what is there)");
	if (which_function(env, address, &vendor, &device) < 0)
		return say(text, -EINVAL, "%04x:%04x is no function of a vhost-pci card", vendor, device);
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- changes */

/* Take it from the driver that has it, and let the kernel look for one. */
static int probe_again(const struct bind_env *env, const char *address, bool bound)
{
	char path[PATH_MAX];
	int rc = bound ? sysfs_write_device(env, address, "driver/unbind", address) : 0;

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/bus/pci/drivers_probe", env->sys);
	return sysfs_write(path, address);
}

int bind_vfio(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN])
{
	char driver[NAME_MAX], group[NAME_MAX], now[NAME_MAX];
	int rc = check_device(env, address, text);

	if (rc)
		return rc;
	sysfs_link(env, address, "driver", driver);
	sysfs_link(env, address, "iommu_group", group);
	if (!*group)
		return say(
			text, -ENOTSUP,
			"no IOMMU: switch on VT-d or AMD-Vi in the firmware setup and, with an Intel processor, boot with "
			"intel_iommu=on");
	rc = check_group(env, address, group, text);
	if (rc)
		return rc;
	if (!strcmp(driver, VFIO))
		return say(text, 0, "was bound to " VFIO ", IOMMU group %s", group);
	rc = check_interfaces(env, address, text);
	if (rc)
		return rc;
	if (!have_vfio(env))
		load_vfio();
	if (!have_vfio(env))
		return say(text, -ENOENT, "the kernel has no driver " VFIO ": modprobe " VFIO " as root says why");
	rc = sysfs_write_device(env, address, "driver_override", VFIO);
	if (rc)
		return say_errno(text, rc, "write driver_override");
	rc = probe_again(env, address, *driver);
	if (!rc && strcmp(sysfs_link(env, address, "driver", now), VFIO))
		rc = -EIO;
	if (rc) {
		/* What else probes drivers later should find the device as it was. */
		sysfs_write_device(env, address, "driver_override", "\n");
		return rc == -EIO ? say(text, rc, VFIO " does not take it: the kernel's log (dmesg) says why")
				  : say_errno(text, rc, "bind it");
	}
	return say(text, 0, "bound to " VFIO ", IOMMU group %s: /dev/vfio/%s%s%s", group, group,
		   *driver ? "; was with " : "", driver);
}

int bind_release(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN])
{
	char driver[NAME_MAX], group[NAME_MAX], now[NAME_MAX];
	int rc = check_device(env, address, text);

	if (rc)
		return rc;
	sysfs_link(env, address, "driver", driver);
	if (*driver && strcmp(driver, VFIO))
		return say(text, -EINVAL, "%s has it, not " VFIO, driver);
	if (*driver) {
		rc = check_users(env, sysfs_link(env, address, "iommu_group", group), text);
		if (rc)
			return rc;
	}
	rc = sysfs_write_device(env, address, "driver_override", "\n");
	if (rc)
		return say_errno(text, rc, "write driver_override");
	rc = probe_again(env, address, *driver);
	/* No driver wants it: not an error. */
	if (rc && rc != -ENODEV && rc != -EINVAL)
		return say_errno(text, rc, "take it from " VFIO);
	sysfs_link(env, address, "driver", now);
	return say(text, 0, "%s%s", *now ? "now with " : "no driver", now);
}

/* ----------------------------------------------------------------------------------------------------------- vhpctl */

static void show(json_t *functions)
{
	json_t *one;
	size_t at;

	printf("%-13s %-11s %-16s %-12s %s\n", "ADDRESS", "IDS", "FUNCTION", "DRIVER", "IOMMU GROUP");
	json_array_foreach(functions, at, one) {
		json_t *pids = json_object_get(one, "used_by"), *pid;
		const char *driver = show_text(one, "driver");
		long long group = show_number(one, "iommu_group");
		size_t k;

		printf("%-13s %-11s %-16s %-12s ", show_text(one, "address"), show_text(one, "ids"),
		       show_number(one, "function") ? "vhost-pci-net" : "0 (peer)", *driver ? driver : "-");
		if (group >= 0)
			printf("%lld", group);
		else
			printf("none: no IOMMU");
		json_array_foreach(pids, k, pid)
			printf("%s%lld", k ? ", " : " in use by process ", (long long)json_integer_value(pid));
		putchar('\n');
	}
}

int bind_command(bool release, char *const *addresses, int n, bool json)
{
	char address[BIND_ADDRESS_LEN], text[BIND_TEXT_LEN];
	json_t *done = json_array(), *functions = n ? NULL : bind_list(&bind_host);
	int failed = 0;

	if (functions && json) {
		show_json(functions);
	} else if (functions && json_array_size(functions)) {
		show(functions);
	} else if (functions) {
		fprintf(stderr, "vhpctl: no function of a vhost-pci card (10ee:5650, 1af4:107f) on this host\n");
		failed = 1;
	}
	for (int i = 0; i < n; i++) {
		int rc = bind_address(addresses[i], address);

		if (rc)
			say(text, rc, "not a PCI address: want DOMAIN:BUS:DEVICE.FUNCTION, as 0000:01:00.0");
		else
			rc = release ? bind_release(&bind_host, address, text) : bind_vfio(&bind_host, address, text);
		failed |= rc != 0;
		if (json)
			json_array_append_new(done,
					      json_pack("{ss, sb, ss}", "address", addresses[i], "done", rc == 0,
							"result", text));
		if (rc)
			fprintf(stderr, "vhpctl: %s: %s\n", addresses[i], text);
		else if (!json)
			printf("%s: %s\n", address, text);
	}
	if (json && n)
		show_json(done);
	json_decref(functions);
	json_decref(done);
	return failed;
}
