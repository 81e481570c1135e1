/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The one DPDK release that a plugin was compiled for.
 *
 * The layout of the driver side moves inside a soname (25.03 put members into the middle of eth_dev_ops), so the dynamic
 * linker does not notice. Every probe function calls vhp_dpdk_release_ok first and refuses the device.
 */
#ifndef VHP_DPDK_RELEASE_H
#define VHP_DPDK_RELEASE_H

#include <rte_version.h>
#include <stdbool.h>

/** What to tell the user, with rte_version() as the argument. */
#define VHP_DPDK_RELEASE_TEXT                                                                                  \
	"this plugin was built for DPDK %d.%02d and this is %s: use DPDK %d.%02d, or rebuild the plugin with " \
	"make DPDK_SDK_INCLUDE=<driver headers of your DPDK>"
#define VHP_DPDK_RELEASE_ARGS RTE_VER_YEAR, RTE_VER_MONTH, rte_version(), RTE_VER_YEAR, RTE_VER_MONTH

/* The generated headers hold the layout of 24.11; genuine ones come with the release that rte_version.h names. */
static inline bool vhp_dpdk_release_ok(void)
{
	return rte_version_year() == RTE_VER_YEAR && rte_version_month() == RTE_VER_MONTH;
}

#endif
