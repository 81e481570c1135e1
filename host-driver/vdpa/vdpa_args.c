/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa_args.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_kvargs.h>

struct parser {
	struct vdpa_args *args;
	char *err;
	size_t errlen;
	const char *key; /* as the user wrote it, for messages */
	const char *value;
};

static int fail(const struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(const struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (p->errlen) {
		va_start(ap, fmt);
		vsnprintf(p->err, p->errlen, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

static int take_number(const struct parser *p, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(p->value, &end, 0);
	if (!isdigit((unsigned char)p->value[0]) || *end != '\0' || errno || v < min || v > max)
		return fail(p, "%s=%s: want a number from %llu to %llu", p->key, p->value, (unsigned long long)min,
			    (unsigned long long)max);
	*out = v;
	return 0;
}

static int take_bool(const struct parser *p, bool *out)
{
	uint64_t v;

	if (take_number(p, 0, 1, &v))
		return fail(p, "%s=%s: want 0 or 1", p->key, p->value);
	*out = v;
	return 0;
}

static int take_path(const struct parser *p, char out[VDPA_IFACE_LEN])
{
	if (p->value[0] == '\0')
		return fail(p, "%s=: want a socket path", p->key);
	if (strlen(p->value) >= VDPA_IFACE_LEN)
		return fail(p, "%s=%s: a socket path has at most %u characters", p->key, p->value, VDPA_IFACE_LEN - 1);
	strcpy(out, p->value);
	return 0;
}

/* 8-4-4-4-12 hex digits; the first 16 of them are the high half. */
static int take_uuid(const struct parser *p, uint64_t *hi, uint64_t *lo)
{
	uint64_t half[2] = { 0, 0 };
	unsigned int digits = 0;
	const char *c;

	for (c = p->value; *c; c++) {
		size_t at = (size_t)(c - p->value);
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
		return fail(p, "%s=%s: want a UUID like 6d3f8a52-0c9e-4b7a-9f21-5e8d7c6b4a39", p->key, p->value);
	*hi = half[0];
	*lo = half[1];
	return 0;
}

static int take_mac(const struct parser *p, uint8_t mac[6])
{
	unsigned int b[6];
	int used = 0;

	if (sscanf(p->value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &used) != 6 ||
	    p->value[used] || used != 17)
		return fail(p, "%s=%s: want a MAC address like 02:56:48:50:00:01", p->key, p->value);
	if (b[0] & 1)
		return fail(p, "%s=%s: this is a multicast address", p->key, p->value);
	for (unsigned int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

/* Per-port settings; a shared one may be given once for every port. */
enum key {
	K_IFACE,
	K_CLIENT,
	K_QUEUES,
	K_UUID,
	K_MAC,
	K_ID,
	K_PV,
	K_GSI,
	K_MTU,
	K_TIMEOUT,
	K_COUNT
};

static const struct {
	const char *name;
	bool shared;
} keys[K_COUNT] = {
	[K_IFACE] = { "iface", false },	   [K_CLIENT] = { "client", true },
	[K_QUEUES] = { "queues", true },   [K_UUID] = { "uuid", false },
	[K_MAC] = { "mac", false },	   [K_ID] = { "vhost_pci_id", false },
	[K_PV] = { "pv_interrupt", true }, [K_GSI] = { "gsi", false },
	[K_MTU] = { "mtu", true },	   [K_TIMEOUT] = { "connect_timeout", true },
};

static int set_port(const struct parser *p, enum key key, struct vdpa_port_args *port)
{
	uint64_t v = 0;
	int rc;

	switch (key) {
	case K_IFACE:
		return take_path(p, port->iface);
	case K_CLIENT:
		return take_bool(p, &port->client);
	case K_PV:
		return take_bool(p, &port->pv_interrupt);
	case K_UUID:
		return take_uuid(p, &port->uuid_hi, &port->uuid_lo);
	case K_MAC:
		port->has_mac = true;
		return take_mac(p, port->mac);
	case K_ID:
		return take_number(p, 0, UINT64_MAX, &port->vhost_pci_id);
	case K_QUEUES:
		rc = take_number(p, 1, 4, &v);
		port->pairs = (unsigned int)v;
		return rc;
	case K_GSI:
		rc = take_number(p, 0, 0xfffffff0u, &v);
		port->gsi = (uint32_t)v;
		port->has_gsi = true;
		return rc;
	case K_MTU:
		rc = take_number(p, 68, 65535, &v);
		port->mtu = (uint16_t)v;
		return rc;
	case K_TIMEOUT:
		rc = take_number(p, 1, 65535, &v);
		port->connect_timeout_ms = (uint16_t)v;
		return rc;
	default:
		return -EINVAL;
	}
}

/* Split "iface1" into K_IFACE and 1; port is -1 without a number. */
static int find_key(const char *text, enum key *key, int *port)
{
	for (unsigned int k = 0; k < K_COUNT; k++) {
		size_t n = strlen(keys[k].name);

		if (strncmp(text, keys[k].name, n))
			continue;
		if (text[n] == '\0') {
			*port = -1;
		} else if (text[n] >= '0' && text[n] < (char)('0' + VDPA_MAX_PORTS) && text[n + 1] == '\0') {
			*port = text[n] - '0';
		} else {
			continue;
		}
		*key = (enum key)k;
		return 0;
	}
	return -ENOENT;
}

/* Apply one list of settings: numbered = false first, so that a numbered setting overrides a shared one. */
static int apply(struct parser *p, const struct rte_kvargs *kv, unsigned int base, bool numbered)
{
	bool seen[K_COUNT][VDPA_MAX_PORTS] = { 0 };

	for (unsigned int i = 0; i < kv->count; i++) {
		enum key key;
		int port, rc;

		p->key = kv->pairs[i].key;
		p->value = kv->pairs[i].value ? kv->pairs[i].value : "";
		if (find_key(p->key, &key, &port) || (port >= 0) != numbered)
			continue;
		if (port < 0)
			port = (int)base;
		if (seen[key][port])
			return fail(p, "%s=%s: given twice", p->key, p->value);
		seen[key][port] = true;

		if (numbered && key == K_IFACE && p->args->port[port].iface[0])
			return fail(p, "%s=%s: iface= already names the socket of port %d", p->key, p->value, port);
		if (!numbered && keys[key].shared) {
			for (unsigned int n = 0; n < VDPA_MAX_PORTS; n++) {
				rc = set_port(p, key, &p->args->port[n]);
				if (rc)
					return rc;
			}
			continue;
		}
		rc = set_port(p, key, &p->args->port[port]);
		if (rc)
			return rc;
		p->args->port[port].used |= key == K_IFACE;
	}
	return 0;
}

static int parse(struct parser *p, const struct rte_kvargs *kv, bool need_socket)
{
	struct vdpa_args *args = p->args;
	uint64_t base = 0;
	bool have_port = false;
	int rc;

	for (unsigned int i = 0; i < kv->count; i++) {
		enum key key;
		int port;

		p->key = kv->pairs[i].key;
		p->value = kv->pairs[i].value ? kv->pairs[i].value : "";
		if (!strcmp(p->key, "socket")) {
			if (!need_socket)
				return fail(p, "%s=%s: only for a simulated card (--vdev)", p->key, p->value);
			if (args->socket[0])
				return fail(p, "%s=%s: given twice", p->key, p->value);
			rc = take_path(p, args->socket);
		} else if (!strcmp(p->key, "port")) {
			if (have_port)
				return fail(p, "%s=%s: given twice", p->key, p->value);
			have_port = true;
			rc = take_number(p, 0, VDPA_MAX_PORTS - 1, &base);
		} else {
			rc = find_key(p->key, &key, &port);
			if (rc)
				return fail(p, "unknown argument %s; known are: %s", p->key, VDPA_ARGS_HELP);
		}
		if (rc)
			return rc;
	}

	rc = apply(p, kv, (unsigned int)base, false);
	if (!rc)
		rc = apply(p, kv, (unsigned int)base, true);
	if (rc)
		return rc;

	if (need_socket && !args->socket[0])
		return fail(p, "socket= is missing: name the vfio-user socket of function 0 (DIR/fn0.sock of vhp-sim)");
	/* Without iface=, or with port= beside numbered ones, the application attaches the port itself. */
	for (unsigned int n = 0; n < VDPA_MAX_PORTS; n++)
		args->num_ports += args->port[n].used;
	if (args->num_ports == 0 || (have_port && !args->port[base].used)) {
		args->port[base].used = true;
		args->num_ports++;
	}

	for (unsigned int n = 0; n < VDPA_MAX_PORTS; n++) {
		struct vdpa_port_args *port = &args->port[n];

		if (!port->used &&
		    (port->has_mac || port->has_gsi || port->uuid_hi || port->uuid_lo || port->vhost_pci_id))
			return fail(p, "there are settings for port %u, but no iface%u=", n, n);
		for (unsigned int m = 0; m < n; m++) {
			if (port->used && port->iface[0] && !strcmp(port->iface, args->port[m].iface))
				return fail(p, "iface%u and iface%u are the same socket %s", m, n, port->iface);
		}
	}
	return 0;
}

int vdpa_args_parse(const char *text, bool need_socket, struct vdpa_args *args, char *err, size_t errlen)
{
	struct parser p = { .args = args, .err = err, .errlen = errlen };
	struct rte_kvargs *kv;
	int rc;

	memset(args, 0, sizeof(*args));
	kv = rte_kvargs_parse(text ? text : "", NULL);
	if (!kv)
		return fail(&p, "cannot parse the device arguments \"%s\": want key=value,key=value", text ? text : "");
	rc = parse(&p, kv, need_socket);
	rte_kvargs_free(kv);
	return rc;
}
