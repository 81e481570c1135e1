/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhpctl bind against a made-up /sys: what is refused and why, and that nothing is written then. What the kernel does with
 * what is written, sys-vfio-fn0 shows in a guest.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bind.h"

#define FN0 "0000:01:00.0"
#define FN1 "0000:01:00.1"
#define OTHER "0000:02:00.0"

static char root[] = "/tmp/vhp-bind.XXXXXX";
static char sys[64], dev[64], proc[64];
static const struct bind_env env = { sys, dev, proc };
static char text[BIND_TEXT_LEN];

static void make_dirs(const char *path)
{
	char part[PATH_MAX];

	for (const char *c = strchr(path + 1, '/'); c; c = strchr(c + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(c - path), path);
		mkdir(part, 0755);
	}
}

__attribute__((format(printf, 2, 3))) static void put(const char *content, const char *fmt, ...)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/", root);
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	make_dirs(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

__attribute__((format(printf, 2, 3))) static void point(const char *target, const char *fmt, ...)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/", root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	make_dirs(path);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static const char *get(const char *file)
{
	static char content[256];
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	f = fopen(path, "r");
	if (f)
		n = fread(content, 1, sizeof(content) - 1, f);
	content[n] = '\0';
	if (f)
		fclose(f);
	return content;
}

#define DEVICE(address, file) "sys/bus/pci/devices/" address "/" file

static void make_device(const char *address, const char *vendor, const char *device, const char *group,
			const char *driver)
{
	put(vendor, "sys/bus/pci/devices/%s/vendor", address);
	put(device, "sys/bus/pci/devices/%s/device", address);
	put("(null)\n", "sys/bus/pci/devices/%s/driver_override", address);
	if (group) {
		point(group, "sys/bus/pci/devices/%s/iommu_group", address);
		put("", "sys/kernel/iommu_groups/%s/devices/%s", strrchr(group, '/') + 1, address);
	}
	if (driver) {
		char link[128];

		put("", "sys/bus/pci/drivers/%s/unbind", driver);
		snprintf(link, sizeof(link), "../../drivers/%s", driver);
		point(link, "sys/bus/pci/devices/%s/driver", address);
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(sys, sizeof(sys), "%s/sys", root);
	snprintf(dev, sizeof(dev), "%s/dev", root);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	put("", "sys/bus/pci/drivers_probe");
	put("", "sys/bus/pci/drivers/vfio-pci/unbind");
	put("", "dev/vfio/7");
	put("", "dev/vfio/8");
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", NULL);
	make_device(FN1, "0x1af4\n", "0x107f\n", "../../groups/8", NULL);
	make_device(OTHER, "0x8086\n", "0x10d3\n", "../../groups/9", "e1000e");
	return 0;
}

static void test_address(void **state)
{
	static const char *const bad[] = { "",
					   "1",
					   "0000:01:00",
					   "0000:01:00.8",
					   "0000:01:20.0",
					   "0000:01:00.0x",
					   "00000:01:00.0",
					   " 01:00.0",
					   "01:00.+1",
					   "../../etc",
					   "01:-1.0",
					   "0000:01:00.0/.." };
	char address[BIND_ADDRESS_LEN];

	(void)state;
	assert_int_equal(bind_address("0000:01:00.0", address), 0);
	assert_string_equal(address, FN0);
	assert_int_equal(bind_address("1:0.1", address), 0);
	assert_string_equal(address, FN1);
	assert_int_equal(bind_address("12AB:Fe:1f.7", address), 0);
	assert_string_equal(address, "12ab:fe:1f.7");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bind_address(bad[i], address) != -EINVAL)
			fail_msg("'%s' is taken for an address", bad[i]);
	}
}

static void refused(int got, int wanted, const char *says)
{
	assert_int_equal(got, wanted);
	if (!strstr(text, says))
		fail_msg("says '%s', without '%s'", text, says);
	assert_string_equal(get(DEVICE("0000:01:00.0", "driver_override")), "(null)\n");
	assert_string_equal(get("sys/bus/pci/drivers_probe"), "");
	assert_string_equal(get("sys/bus/pci/drivers/vfio-pci/unbind"), "");
}

static void test_not_ours(void **state)
{
	(void)state;
	refused(bind_vfio(&env, "0000:09:00.0", text), -ENODEV, "no such PCI device");
	refused(bind_vfio(&env, OTHER, text), -EINVAL, "8086:10d3 is no function");
	refused(bind_release(&env, OTHER, text), -EINVAL, "8086:10d3 is no function");
	assert_string_equal(get(DEVICE("0000:02:00.0", "driver_override")), "(null)\n");
}

static void test_no_iommu(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", root, DEVICE("0000:01:00.0", "iommu_group"));
	unlink(path);
	refused(bind_vfio(&env, FN0, text), -ENOTSUP, "intel_iommu=on");
}

static void test_shared_group(void **state)
{
	(void)state;
	put("", "sys/kernel/iommu_groups/7/devices/%s", OTHER);
	refused(bind_vfio(&env, FN0, text), -EXDEV, "0000:02:00.0, which e1000e drives");
}

static void test_bridge_in_group(void **state)
{
	(void)state;
	make_device("0000:00:01.0", "0x8086\n", "0x1901\n", "../../groups/7", "pcieport");
	/* Nothing here is a kernel that would bind it: goes on to the end, and is undone. */
	assert_int_equal(bind_vfio(&env, FN0, text), -EIO);
	assert_non_null(strstr(text, "dmesg"));
	assert_string_equal(get("sys/bus/pci/drivers_probe"), FN0);
	assert_string_equal(get(DEVICE("0000:01:00.0", "driver_override")), "\nfio-pci");
}

static void test_functions_share_group(void **state)
{
	(void)state;
	put("", "sys/kernel/iommu_groups/7/devices/%s", FN1);
	refused(bind_vfio(&env, FN0, text), -EXDEV, "also holds 0000:01:00.1 of the card");
	assert_non_null(strstr(text, "ACS"));
}

static void test_interface_up(void **state)
{
	(void)state;
	make_device(FN1, "0x1af4\n", "0x107f\n", "../../groups/8", "virtio-pci");
	put("0x1003\n", "sys/bus/pci/devices/" FN1 "/virtio3/net/eth7/flags");
	refused(bind_vfio(&env, FN1, text), -EBUSY, "ip link set eth7 down");
	put("0x1002\n", "sys/bus/pci/devices/" FN1 "/virtio3/net/eth7/flags");
	assert_int_equal(bind_vfio(&env, FN1, text), -EIO);
	assert_string_equal(get("sys/bus/pci/drivers/virtio-pci/unbind"), FN1);
}

static void test_bound_before(void **state)
{
	(void)state;
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", "vfio-pci");
	refused(bind_vfio(&env, FN0, text), 0, "was bound to vfio-pci, IOMMU group 7");
}

static void test_in_use(void **state)
{
	char target[PATH_MAX];

	(void)state;
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", "vfio-pci");
	snprintf(target, sizeof(target), "%s/vfio/7", dev);
	point(target, "proc/4711/fd/12");
	point("/dev/null", "proc/4712/fd/0");
	refused(bind_release(&env, FN0, text), -EBUSY, "group 7 (process 4711)");
}

static void test_release(void **state)
{
	(void)state;
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", "vfio-pci");
	assert_int_equal(bind_release(&env, FN0, text), 0);
	assert_string_equal(get("sys/bus/pci/drivers/vfio-pci/unbind"), FN0);
	assert_string_equal(get(DEVICE("0000:01:00.0", "driver_override")), "\nnull)\n");
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", "xclmgmt");
	assert_int_equal(bind_release(&env, FN0, text), -EINVAL);
	assert_non_null(strstr(text, "xclmgmt has it"));
}

static void test_list(void **state)
{
	json_t *all, *one;
	char target[PATH_MAX];

	(void)state;
	make_device(FN0, "0x10ee\n", "0x5650\n", "../../groups/7", "vfio-pci");
	snprintf(target, sizeof(target), "%s/vfio/7", dev);
	point(target, "proc/4711/fd/12");
	all = bind_list(&env);
	assert_int_equal(json_array_size(all), 2);
	one = json_array_get(all, 0);
	assert_string_equal(json_string_value(json_object_get(one, "address")), FN0);
	assert_string_equal(json_string_value(json_object_get(one, "driver")), "vfio-pci");
	assert_int_equal(json_integer_value(json_object_get(one, "iommu_group")), 7);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(one, "used_by"), 0)), 4711);
	one = json_array_get(all, 1);
	assert_int_equal(json_integer_value(json_object_get(one, "function")), 1);
	assert_string_equal(json_string_value(json_object_get(one, "driver")), "");
	json_decref(all);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_address),
		CASE(test_not_ours),
		CASE(test_no_iommu),
		CASE(test_shared_group),
		CASE(test_bridge_in_group),
		CASE(test_functions_share_group),
		CASE(test_interface_up),
		CASE(test_bound_before),
		CASE(test_in_use),
		CASE(test_release),
		CASE(test_list),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%d passed, %d failed\n", (int)(sizeof(tests) / sizeof(tests[0])) - failed, failed);
	return failed != 0;
}
