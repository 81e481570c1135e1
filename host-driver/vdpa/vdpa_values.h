/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Values that a user writes: device arguments, options of vhp-vdpad and vhpctl. One check for all, so that the same mistake
 * gets the same sentence everywhere. No DPDK.
 *
 * Every function returns 0, or -EINVAL and in @p err one sentence "WHAT VALUE: want ...", where WHAT is "mac1=" or "--mac".
 */
#ifndef VDPA_VALUES_H
#define VDPA_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDPA_IFACE_LEN 108u /**< sun_path */
#define VDPA_MAX_GSI 4u	    /**< RX queues of a port */

struct vdpa_value {
	const char *what, *value;
	char *err;
	size_t errlen;
};

int vdpa_value_fail(const struct vdpa_value *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int vdpa_value_number(const struct vdpa_value *v, uint64_t min, uint64_t max, uint64_t *out);
/** 0 or 1, off or on, no or yes. */
int vdpa_value_bool(const struct vdpa_value *v, bool *out);
/** A socket's path: not empty, short enough, no comma. */
int vdpa_value_path(const struct vdpa_value *v, char out[VDPA_IFACE_LEN]);
/** 8-4-4-4-12 hex digits; the first 16 of them are the high half. */
int vdpa_value_uuid(const struct vdpa_value *v, uint64_t *hi, uint64_t *lo);
int vdpa_value_mac(const struct vdpa_value *v, uint8_t mac[6]);
/** FIRST, or A:B:.. with one number per RX queue. */
int vdpa_value_gsi(const struct vdpa_value *v, uint32_t gsi[VDPA_MAX_GSI], unsigned int *num);
/** DPDK's --file-prefix: a name of a directory. */
int vdpa_value_prefix(const struct vdpa_value *v);

#endif
