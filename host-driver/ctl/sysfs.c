/* SPDX-License-Identifier: Apache-2.0 */
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sysfs_path(char path[PATH_MAX], const struct bind_env *env, const char *address, const char *file)
{
	int n = snprintf(path, PATH_MAX, "%s/bus/pci/devices/%s%s%s", env->sys, address, *file ? "/" : "", file);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int sysfs_write_device(const struct bind_env *env, const char *address, const char *file, const char *text)
{
	char path[PATH_MAX];
	int rc = sysfs_path(path, env, address, file);

	return rc ? rc : sysfs_write(path, text);
}

const char *sysfs_link(const struct bind_env *env, const char *address, const char *file, char name[NAME_MAX])
{
	char path[PATH_MAX], to[PATH_MAX];
	const char *slash;
	ssize_t n = -1;

	if (!sysfs_path(path, env, address, file))
		n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = '\0';
	slash = strrchr(to, '/');
	snprintf(name, NAME_MAX, "%.*s", NAME_MAX - 1, slash ? slash + 1 : to);
	return name;
}
