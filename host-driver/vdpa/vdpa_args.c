/* SPDX-License-Identifier: Apache-2.0 */
#include "vdpa_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_kvargs.h>

struct parser {
	struct vdpa_args *args;
	char *err;
	size_t errlen;
	const char *key; /* as the user wrote it */
	char what[64];	 /* the same with "=", for messages */
	struct vdpa_value v;
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

/* Per-port settings; a shared one may be given once for every port. */
enum key {
	K_IFACE,
	K_CLIENT,
	K_QUEUES,
	K_UUID,
	K_MAC,
	K_ID,
	K_PV,
	K_APERTURE,
	K_OFFLOADS,
	K_RENEGOTIATE,
	K_GSI,
	K_MTU,
	K_TIMEOUT,
	K_COUNT
};

static const struct {
	const char *name;
	bool shared;
} keys[K_COUNT] = {
	[K_IFACE] = { "iface", false },
	[K_CLIENT] = { "client", true },
	[K_QUEUES] = { "queues", true },
	[K_UUID] = { "uuid", false },
	[K_MAC] = { "mac", false },
	[K_ID] = { "vhost_pci_id", false },
	[K_PV] = { "pv_interrupt", true },
	[K_APERTURE] = { "aperture", true },
	[K_GSI] = { "gsi", false },
	[K_OFFLOADS] = { "offloads", true },
	[K_RENEGOTIATE] = { "renegotiate", true },
	[K_MTU] = { "mtu", true },
	[K_TIMEOUT] = { "connect_timeout", true },
};

static int set_port(const struct vdpa_value *v, enum key key, struct vdpa_port_args *port)
{
	uint64_t n = 0;
	int rc;

	switch (key) {
	case K_IFACE:
		return vdpa_value_path(v, port->iface);
	case K_CLIENT:
		return vdpa_value_bool(v, &port->client);
	case K_PV:
		return vdpa_value_bool(v, &port->pv_interrupt);
	case K_APERTURE:
		return vdpa_value_bool(v, &port->aperture);
	case K_OFFLOADS:
		return vdpa_value_bool(v, &port->offloads);
	case K_RENEGOTIATE:
		return vdpa_value_bool(v, &port->renegotiate);
	case K_UUID:
		return vdpa_value_uuid(v, &port->uuid_hi, &port->uuid_lo);
	case K_MAC:
		port->has_mac = true;
		return vdpa_value_mac(v, port->mac);
	case K_ID:
		port->has_id = true;
		return vdpa_value_number(v, 0, UINT64_MAX, &port->vhost_pci_id);
	case K_GSI:
		return vdpa_value_gsi(v, port->gsi, &port->num_gsi);
	case K_QUEUES:
		rc = vdpa_value_number(v, 1, 4, &n);
		port->pairs = (unsigned int)n;
		return rc;
	case K_MTU:
		rc = vdpa_value_number(v, 68, 65535, &n);
		port->mtu = (uint16_t)n;
		return rc;
	case K_TIMEOUT:
		rc = vdpa_value_number(v, 1, 65535, &n);
		port->connect_timeout_ms = (uint16_t)n;
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

static void at(struct parser *p, const struct rte_kvargs_pair *pair)
{
	p->key = pair->key;
	snprintf(p->what, sizeof(p->what), "%s=", pair->key);
	p->v = (struct vdpa_value){ p->what, pair->value ? pair->value : "", p->err, p->errlen };
}

/* Apply one list of settings: numbered = false first, so that a numbered setting overrides a shared one. */
static int apply(struct parser *p, const struct rte_kvargs *kv, unsigned int base, bool numbered)
{
	bool seen[K_COUNT][VDPA_MAX_PORTS] = { 0 };

	for (unsigned int i = 0; i < kv->count; i++) {
		enum key key;
		int port, rc;

		at(p, &kv->pairs[i]);
		if (find_key(p->key, &key, &port) || (port >= 0) != numbered)
			continue;
		if (port < 0)
			port = (int)base;
		if (seen[key][port])
			return vdpa_value_fail(&p->v, "given twice");
		seen[key][port] = true;

		if (numbered && key == K_IFACE && p->args->port[port].iface[0])
			return vdpa_value_fail(&p->v, "iface= already names the socket of port %d", port);
		if (!numbered && keys[key].shared) {
			for (unsigned int n = 0; n < VDPA_MAX_PORTS; n++) {
				rc = set_port(&p->v, key, &p->args->port[n]);
				if (rc)
					return rc;
			}
			continue;
		}
		rc = set_port(&p->v, key, &p->args->port[port]);
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

		at(p, &kv->pairs[i]);
		if (!strcmp(p->key, "socket")) {
			if (!need_socket)
				return vdpa_value_fail(&p->v, "only for a simulated card (--vdev)");
			if (args->socket[0])
				return vdpa_value_fail(&p->v, "given twice");
			rc = vdpa_value_path(&p->v, args->socket);
		} else if (!strcmp(p->key, "port")) {
			if (have_port)
				return vdpa_value_fail(&p->v, "given twice");
			have_port = true;
			rc = vdpa_value_number(&p->v, 0, VDPA_MAX_PORTS - 1, &base);
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

		if (!port->used && (port->has_mac || port->num_gsi || port->uuid_hi || port->uuid_lo || port->has_id))
			return fail(p, "there are settings for port %u, but no iface%u=", n, n);
		for (unsigned int m = 0; m < n; m++) {
			if (port->used && port->iface[0] && !strcmp(port->iface, args->port[m].iface))
				return fail(p, "iface%u and iface%u are the same socket %s", m, n, port->iface);
			if (port->used && port->has_id && args->port[m].used && args->port[m].has_id &&
			    port->vhost_pci_id == args->port[m].vhost_pci_id)
				return fail(p,
					    "vhost_pci_id%u and vhost_pci_id%u are the same: each port needs its own",
					    m, n);
		}
	}
	return 0;
}

/* FNV-1a; the low digit is the port. */
int vdpa_args_ids(struct vdpa_args *args, const char *where, char *err, size_t errlen)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (const char *c = where; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
	for (unsigned int n = 0; n < VDPA_MAX_PORTS; n++) {
		if (!args->port[n].has_id)
			args->port[n].vhost_pci_id = (hash & ~0xfull) | n;
		for (unsigned int m = 0; m < n; m++) {
			if (!args->port[n].used || !args->port[m].used ||
			    args->port[n].vhost_pci_id != args->port[m].vhost_pci_id)
				continue;
			snprintf(err, errlen,
				 "vhost_pci_id%u=0x%" PRIx64 " is what port %u has: each port needs its own",
				 args->port[n].has_id ? n : m, args->port[n].vhost_pci_id,
				 args->port[n].has_id ? m : n);
			return -EINVAL;
		}
	}
	return 0;
}

int vdpa_args_check(const char *key, const char *what, const char *value, char *err, size_t errlen)
{
	struct vdpa_value v = { what, value, err, errlen };
	struct vdpa_port_args port = { 0 };
	char path[VDPA_IFACE_LEN];
	enum key k;
	int number;

	if (!strcmp(key, "socket"))
		return vdpa_value_path(&v, path);
	if (find_key(key, &k, &number) || number >= 0)
		return -ENOENT;
	return set_port(&v, k, &port);
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
