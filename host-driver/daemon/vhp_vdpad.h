/* SPDX-License-Identifier: Apache-2.0 */
/** @file What the files of vhp-vdpad share: options.c (arguments to device arguments), vhp_vdpad.c (the process). */
#ifndef VHP_VDPAD_H
#define VHP_VDPAD_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM "vhp-vdpad"
#define PLUGIN "librte_vdpa_vhost_pci.so"
#define MAX_SETTINGS 64
#define MAX_EAL 32 /* arguments of --eal */

struct setting {
	int port; /* of the card; -1: before the first --iface */
	const char *key;
	const char *value;
	const char *option;
	bool shared; /* may be given once for several ports */
};

struct config {
	const char *socket, *pci, *prefix, *plugin, *memory;
	bool huge;
	int verbose;
	unsigned int num_ports, num_settings, num_eal;
	int port, next_port;
	struct setting settings[MAX_SETTINGS];
	const char *eal[MAX_EAL];
	char default_prefix[32], pci_name[64];
	char devargs[4096];
};

/**
 * Parses the arguments and makes the device arguments of them. Texts stay those of argv. A wrong argument ends the process with
 * status 64.
 */
void options_parse(int argc, char **argv, struct config *c);

/** Ends the process with a message and status 1, leaving nothing behind. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/** At the end of @p text, or die(). */
void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
