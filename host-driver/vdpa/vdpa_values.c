/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa_values.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GSI_NUMBER 0xfffffff0u /* the first of a row of VDPA_MAX_GSI; all ones means none */

int vdpa_value_fail(const struct vdpa_value *v, const char *fmt, ...)
{
	const char *space = v->what[0] == '-' ? " " : "";
	va_list ap;
	int n;

	if (!v->errlen)
		return -EINVAL;
	n = snprintf(v->err, v->errlen, "%s%s%s: ", v->what, space, v->value);
	if (n < 0 || (size_t)n >= v->errlen)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(v->err + n, v->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int vdpa_value_number(const struct vdpa_value *v, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(v->value, &end, 0);
	if (!isdigit((unsigned char)v->value[0]) || *end != '\0' || errno || n < min || n > max)
		return vdpa_value_fail(v, "want a number from %llu to %llu", (unsigned long long)min,
				       (unsigned long long)max);
	*out = n;
	return 0;
}

int vdpa_value_bool(const struct vdpa_value *v, bool *out)
{
	static const char *const words[] = { "0", "1", "off", "on", "no", "yes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(v->value, words[i])) {
			*out = i % 2;
			return 0;
		}
	}
	return vdpa_value_fail(v, "want 0 or 1, off or on");
}

int vdpa_value_path(const struct vdpa_value *v, char out[VDPA_IFACE_LEN])
{
	if (v->value[0] == '\0')
		return vdpa_value_fail(v, "want a socket path");
	if (strchr(v->value, ','))
		return vdpa_value_fail(v, "a comma cannot be part of it");
	if (strlen(v->value) >= VDPA_IFACE_LEN)
		return vdpa_value_fail(v, "a socket path has at most %u characters", VDPA_IFACE_LEN - 1);
	strcpy(out, v->value);
	return 0;
}

int vdpa_value_uuid(const struct vdpa_value *v, uint64_t *hi, uint64_t *lo)
{
	uint64_t half[2] = { 0, 0 };
	unsigned int digits = 0;
	const char *c;

	for (c = v->value; *c; c++) {
		size_t at = (size_t)(c - v->value);
		bool dash = at == 8 || at == 13 || at == 18 || at == 23;

		if (dash ? *c != '-' : !isxdigit((unsigned char)*c) || digits == 32)
			break;
		if (dash)
			continue;
		half[digits / 16] = half[digits / 16] << 4 |
			(uint64_t)(isdigit((unsigned char)*c) ? *c - '0' : (*c | 0x20) - 'a' + 10);
		digits++;
	}
	if (*c || digits != 32)
		return vdpa_value_fail(v, "want a UUID like 6d3f8a52-0c9e-4b7a-9f21-5e8d7c6b4a39");
	*hi = half[0];
	*lo = half[1];
	return 0;
}

int vdpa_value_mac(const struct vdpa_value *v, uint8_t mac[6])
{
	unsigned int b[6];
	int used = 0;

	if (sscanf(v->value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &used) != 6 ||
	    v->value[used] || used != 17)
		return vdpa_value_fail(v, "want a MAC address like 02:56:48:50:00:01");
	if (b[0] & 1)
		return vdpa_value_fail(v, "this is a multicast address");
	if (!(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
		return vdpa_value_fail(v, "a device cannot have the address 0");
	for (unsigned int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

int vdpa_value_gsi(const struct vdpa_value *v, uint32_t gsi[VDPA_MAX_GSI], unsigned int *num)
{
	const char *at = v->value;
	char *end;

	for (*num = 0; *num < VDPA_MAX_GSI; (*num)++, at = end + 1) {
		unsigned long long n;

		errno = 0;
		n = strtoull(at, &end, 0);
		if (!isdigit((unsigned char)*at) || errno || n > MAX_GSI_NUMBER || (*end && *end != ':'))
			break;
		gsi[*num] = (uint32_t)n;
		if (!*end) {
			(*num)++;
			return 0;
		}
	}
	return vdpa_value_fail(v, "want a number from 0 to %u, or up to %u of them like 24:26:28", MAX_GSI_NUMBER,
			       VDPA_MAX_GSI);
}

int vdpa_value_prefix(const struct vdpa_value *v)
{
	if (!v->value[0] || strchr(v->value, '/') || strchr(v->value, ',') || v->value[0] == '.' ||
	    strlen(v->value) > 63)
		return vdpa_value_fail(v, "want a name without / and comma, at most 63 characters");
	return 0;
}
