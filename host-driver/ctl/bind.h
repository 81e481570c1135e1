/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Which driver of the kernel owns the functions of a card: vfio-pci, so that programs and virtual machines get them, or the
 * one that the kernel chooses. By sysfs driver_override, one function at a time.
 */
#ifndef VHP_CTL_BIND_H
#define VHP_CTL_BIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Where things are; the test has a tree of its own. */
struct bind_env {
	const char *sys;  /* "/sys" */
	const char *dev;  /* "/dev" */
	const char *proc; /* "/proc" */
};

extern const struct bind_env bind_host;

#define BIND_ADDRESS_LEN 16
#define BIND_TEXT_LEN 1024

/**
 * A PCI address with or without domain as sysfs has it, "0000:01:00.0".
 * Returns 0, or -EINVAL if the text is none.
 */
int bind_address(const char *text, char address[BIND_ADDRESS_LEN]);

/**
 * All functions of cards on this host: an array of {"address", "function" (0: of the peer, 1: vhost-pci-net), "ids",
 * "driver" ("" if none), "iommu_group" (-1 if none), "used_by": [pids]}. The caller owns it.
 */
json_t *bind_list(const struct bind_env *env);

/**
 * Binds a function to vfio-pci. `text` says what was done, or why not and what helps.
 * Returns 0 (also if it was bound before); -ENODEV no such device; -EINVAL not of a card; -ENOTSUP no IOMMU; -EXDEV its IOMMU
 * group holds devices that other drivers own, or another function of a card; -EBUSY in use; other negative errno of sysfs.
 */
int bind_vfio(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN]);

/** Takes a function from vfio-pci and lets the kernel choose. -EBUSY while a process has it open. Otherwise as bind_vfio. */
int bind_release(const struct bind_env *env, const char *address, char text[BIND_TEXT_LEN]);

/**
 * `vhpctl bind` and, with `release`, `vhpctl unbind`: what was done for each address, or with n = 0 the list. Errors go to
 * stderr. Returns 0 if all was done, else 1.
 */
int bind_command(bool release, char *const *addresses, int n, bool json);

#endif
