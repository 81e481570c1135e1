/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A PCI device in sysfs: its files and what its links point to. Addresses as sysfs has them, "0000:01:00.0".
 */
#ifndef VHP_CTL_SYSFS_H
#define VHP_CTL_SYSFS_H

#include <limits.h>

#include "bind.h"

/** Path of a device's file, with "" of its directory. @return 0, or -ENAMETOOLONG */
int sysfs_path(char path[PATH_MAX], const struct bind_env *env, const char *address, const char *file);
/** @return 0, or a negative errno of open or write: what the kernel says to the text */
int sysfs_write(const char *path, const char *text);
int sysfs_write_device(const struct bind_env *env, const char *address, const char *file, const char *text);
/** The last part of what a link of the device points to, such as "driver"; "" if there is none. @return @p name */
const char *sysfs_link(const struct bind_env *env, const char *address, const char *file, char name[NAME_MAX]);

#endif
