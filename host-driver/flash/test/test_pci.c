/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading another image, as far as Linux is concerned, against a made-up /sys: what keeps it from being loaded, and what the functions
 * get back. What the kernel does with what is written, the test `flash` shows in a guest.
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

#include "flash_pci.h"

#define PORT "0000:64:00.0"
#define FN0 "0000:65:00.0"
#define FN1 "0000:65:00.1"
#define FN3 "0000:65:00.3"
#define VF "0000:65:00.7"

static char root[] = "/tmp/vhp-flash-pci.XXXXXX";
static char sys[64], dev[64], proc[64];
static const struct bind_env env = { sys, dev, proc };

static void full_path(char path[PATH_MAX], const char *address, const char *file)
{
	snprintf(path, PATH_MAX, "%s/devices/" PORT "/%s/%s", sys, address, file);
}

static void put(const char *address, const char *file, const char *content)
{
	char path[PATH_MAX];
	FILE *f;

	full_path(path, address, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

static const char *get(const char *path)
{
	static char content[128];
	FILE *f = fopen(path, "r");
	size_t n = 0;

	if (f) {
		n = fread(content, 1, sizeof(content) - 1, f);
		fclose(f);
	}
	content[n] = '\0';
	return content;
}

static void make_function(const char *address, const char *vendor, const char *device, const char *driver)
{
	char path[PATH_MAX], link[PATH_MAX];

	full_path(path, address, "");
	assert_int_equal(mkdir(path, 0755), 0);
	put(address, "vendor", vendor);
	put(address, "device", device);
	put(address, "config", "");
	put(address, "driver_override", "(null)\n");
	snprintf(link, sizeof(link), "%s/bus/pci/devices/%s", sys, address);
	assert_int_equal(symlink(path, link), 0);
	if (driver) {
		full_path(path, address, "driver");
		snprintf(link, sizeof(link), "../../../bus/pci/drivers/%s", driver);
		assert_int_equal(symlink(link, path), 0);
	}
}

/* A card whose ports 2 and 3 may be had: function 3 at pci-pf-stub. */
static int make_card(void **state)
{
	static const char *const dirs[] = { "sys",
					    "dev",
					    "proc",
					    "sys/devices",
					    "sys/devices/" PORT,
					    "sys/bus",
					    "sys/bus/pci",
					    "sys/bus/pci/devices",
					    "sys/bus/pci/drivers",
					    "sys/bus/pci/drivers/pci-pf-stub" };
	char path[PATH_MAX];

	(void)state;
	strcpy(root, "/tmp/vhp-flash-pci.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(sys, sizeof(sys), "%s/sys", root);
	snprintf(dev, sizeof(dev), "%s/dev", root);
	snprintf(proc, sizeof(proc), "%s/proc", root);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/pci-pf-stub/bind", sys);
	fclose(fopen(path, "w"));
	make_function(FN0, "0x10ee\n", "0x5650\n", NULL);
	make_function(FN1, "0x1af4\n", "0x1041\n", NULL);
	make_function(FN3, "0x1af4\n", "0x10f0\n", "pci-pf-stub");
	put(FN3, "driver_override", "pci-pf-stub\n");
	put(FN3, "sriov_numvfs", "0\n");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_card(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void must_find(struct flash_pci *pci)
{
	struct flash_err err;

	if (flash_pci_find(&env, FN0, pci, &err))
		fail_msg("%s", err.text);
}

static void test_virtual_functions(void **state)
{
	struct flash_pci pci;
	struct flash_err err;

	(void)state;
	must_find(&pci);
	assert_string_equal(pci.port, PORT);
	assert_int_equal(pci.count, 3);
	assert_int_equal(flash_pci_in_use(&pci, &err), 0);

	put(FN3, "sriov_numvfs", "2\n");
	make_function(VF, "0xffff\n", "0xffff\n", NULL);
	must_find(&pci);
	assert_int_equal(flash_pci_in_use(&pci, &err), -EBUSY);
	/* Whose, and what helps. */
	assert_non_null(strstr(err.text, FN3 " has 2 virtual functions"));
	assert_non_null(strstr(err.text, "echo 0 > "));
	assert_non_null(strstr(err.text, "/bus/pci/devices/" FN3 "/sriov_numvfs"));

	put(FN3, "sriov_numvfs", "0\n");
	assert_int_equal(flash_pci_in_use(&pci, &err), 0);
}

/* The function is made anew: without its driver, and without what named it. */
static void test_driver_back(void **state)
{
	char path[PATH_MAX];
	struct flash_pci pci;
	struct flash_err err;

	(void)state;
	must_find(&pci);
	full_path(path, FN3, "driver");
	assert_int_equal(unlink(path), 0);
	put(FN3, "driver_override", "(null)\n");
	/* Nobody here makes the link, so that it says that it failed. */
	assert_int_equal(flash_pci_attach(&pci, &err), -EIO);
	assert_non_null(strstr(err.text, FN3 " did not get its driver pci-pf-stub back"));
	full_path(path, FN3, "driver_override");
	assert_string_equal(get(path), "pci-pf-stub");
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/pci-pf-stub/bind", sys);
	assert_string_equal(get(path), FN3);
	full_path(path, FN1, "driver_override");
	assert_string_equal(get(path), "(null)\n");
}

static void test_not_a_card(void **state)
{
	struct flash_pci pci;
	struct flash_err err;

	(void)state;
	assert_int_equal(flash_pci_find(&env, FN1, &pci, &err), -ENODEV);
	assert_int_equal(flash_pci_find(&env, "0000:99:00.0", &pci, &err), -ENODEV);
	assert_int_equal(flash_pci_find(&env, "no address", &pci, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_virtual_functions, make_card, remove_card),
		cmocka_unit_test_setup_teardown(test_driver_back, make_card, remove_card),
		cmocka_unit_test_setup_teardown(test_not_a_card, make_card, remove_card),
	};
	const int count = (int)(sizeof(tests) / sizeof(tests[0]));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("%d passed, %d failed\n", count - failed, failed);
	return failed != 0;
}
