/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of vhp-vdpad; what the values may be is the plugin's (vdpa_args.h). */
#include <argp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vdpa_args.h"
#include "vhp_vdpad.h"

const char *argp_program_version = PROGRAM " " VHP_VERSION;

enum {
	OPT_UUID = 0x100,
	OPT_MAC,
	OPT_ID,
	OPT_QUEUES,
	OPT_PV,
	OPT_APERTURE,
	OPT_OFFLOADS,
	OPT_RENEGOTIATE,
	OPT_GSI,
	OPT_MTU,
	OPT_TIMEOUT,
	OPT_CLIENT,
	OPT_PREFIX,
	OPT_HUGE,
	OPT_NO_HUGE,
	OPT_MEMORY,
	OPT_PLUGIN,
	OPT_EAL,
};

static const struct argp_option options[] = {
	{ .doc = "The card, one of:" },
	{ "socket", 's', "PATH", 0, "simulated card: vfio-user socket of function 0 (DIR/fn0.sock of vhp-sim)", 0 },
	{ "pci", 'p', "ADDRESS", 0, "PCI function 0 bound to vfio-pci, like 0000:03:00.0", 0 },
	{ .doc = "Ports (give --iface once per front end):" },
	{ "iface", 'i', "PATH", 0, "vhost-user socket of the next port of the card: 0, 1, ...", 0 },
	{ "port", 'n', "N", 0, "the next --iface is port N of the card", 0 },
	{ .doc = "Settings of the port of the last --iface; before the first --iface: of every port" },
	{ "client", OPT_CLIENT, NULL, 0, "connect to the socket, and again whenever it is lost, instead of listening",
	  0 },
	{ "uuid", OPT_UUID, "UUID", 0, "shown to the vhost-pci driver as the peer's (default: zeros)", 0 },
	{ "mac", OPT_MAC, "MAC", 0, "MAC address of the vhost-pci-net device (default: a local one made of the port)",
	  0 },
	{ "vhost-pci-id", OPT_ID, "N", 0,
	  "id in the control messages (default: made of the card's address and the port)", 0 },
	{ "queues", OPT_QUEUES, "N", 0, "queue pairs (default: all that the card has)", 0 },
	{ "pv-interrupt", OPT_PV, NULL, 0, "offer VIRTIO_F_PV_INTERRUPT: the driver may interrupt the peer itself", 0 },
	{ "aperture", OPT_APERTURE, "on|off", 0,
	  "show the front end's memory to the vhost-pci driver, all of it, through a BAR (default: off)", 0 },
	{ "offloads", OPT_OFFLOADS, "on|off", 0,
	  "offer checksum and segmentation offloads to the front end, for a driver in the other machine that takes large packets "
	  "(DPDK: TCP_LRO receive offload); another one costs the front end its connection (default: off)",
	  0 },
	{ "renegotiate", OPT_RENEGOTIATE, NULL, 0,
	  "when the driver refuses a feature, disconnect the front end even if it need not know, so that it negotiates again",
	  0 },
	{ "gsi", OPT_GSI, "N[:N...]", 0,
	  "peer_rx_queue_gsi: one number for RX queue 0, the next queues add 1; or one for each queue (default: the MSI-X "
	  "vectors of function 0)",
	  0 },
	{ "mtu", OPT_MTU, "N", 0, "MTU of the vhost-pci-net device (default: 1500)", 0 },
	{ "connect-timeout", OPT_TIMEOUT, "MS", 0, "patience with an unresponsive driver (default: 5000)", 0 },
	{ .doc = "Process:" },
	{ "file-prefix", OPT_PREFIX, "NAME", 0, "DPDK's name of this process (default: " PROGRAM ".PID)", 0 },
	{ "no-huge", OPT_NO_HUGE, NULL, 0, "use ordinary memory (default)", 0 },
	{ "huge", OPT_HUGE, NULL, 0, "use hugepages", 0 },
	{ "memory", OPT_MEMORY, "MB", 0, "DPDK's memory (default: 64)", 0 },
	{ "plugin", OPT_PLUGIN, "FILE", 0, "vDPA driver (default: " PLUGIN " in ../lib of this program)", 0 },
	{ "eal", OPT_EAL, "ARG", 0, "one more argument for DPDK's EAL", 0 },
	{ "verbose", 'v', NULL, 0, "show what DPDK says; twice: in detail", 0 },
	{ 0 },
};

static void add_setting(struct argp_state *state, const char *key, const char *value, const char *option, bool shared)
{
	struct config *c = state->input;
	char err[256];

	if (vdpa_args_check(key, option, value, err, sizeof(err)))
		argp_error(state, "%s", err);
	if (c->num_settings == MAX_SETTINGS)
		argp_error(state, "too many settings");
	c->settings[c->num_settings++] = (struct setting){ c->port, key, value, option, shared };
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;
	char err[256];
	struct vdpa_value v = { .value = arg, .err = err, .errlen = sizeof(err) };
	uint64_t n = 0;

	switch (key) {
	case 's':
		if (vdpa_args_check("socket", "--socket", arg, err, sizeof(err)))
			argp_error(state, "%s", err);
		c->socket = arg;
		break;
	case 'p':
		/* DPDK's name of the device has the domain. */
		snprintf(c->pci_name, sizeof(c->pci_name), "%s%s", strchr(arg, ':') == strrchr(arg, ':') ? "0000:" : "",
			 arg);
		c->pci = c->pci_name;
		break;
	case 'n':
		v.what = "--port";
		if (vdpa_value_number(&v, 0, VDPA_MAX_PORTS - 1, &n))
			argp_error(state, "%s", err);
		c->next_port = (int)n;
		break;
	case 'i':
		if (c->next_port >= (int)VDPA_MAX_PORTS)
			argp_error(state, "--iface %s: there is no port %d", arg, c->next_port);
		c->port = c->next_port++;
		c->num_ports++;
		add_setting(state, "iface", arg, "--iface", false);
		break;
	case OPT_CLIENT:
		add_setting(state, "client", "1", "--client", true);
		break;
	case OPT_UUID:
		add_setting(state, "uuid", arg, "--uuid", false);
		break;
	case OPT_MAC:
		add_setting(state, "mac", arg, "--mac", false);
		break;
	case OPT_ID:
		add_setting(state, "vhost_pci_id", arg, "--vhost-pci-id", false);
		break;
	case OPT_QUEUES:
		add_setting(state, "queues", arg, "--queues", true);
		break;
	case OPT_PV:
		add_setting(state, "pv_interrupt", "1", "--pv-interrupt", true);
		break;
	case OPT_APERTURE:
		add_setting(state, "aperture", arg, "--aperture", true);
		break;
	case OPT_OFFLOADS:
		add_setting(state, "offloads", arg, "--offloads", true);
		break;
	case OPT_RENEGOTIATE:
		add_setting(state, "renegotiate", "1", "--renegotiate", true);
		break;
	case OPT_GSI:
		add_setting(state, "gsi", arg, "--gsi", false);
		break;
	case OPT_MTU:
		add_setting(state, "mtu", arg, "--mtu", true);
		break;
	case OPT_TIMEOUT:
		add_setting(state, "connect_timeout", arg, "--connect-timeout", true);
		break;
	case OPT_PREFIX:
		v.what = "--file-prefix";
		if (vdpa_value_prefix(&v))
			argp_error(state, "%s", err);
		c->prefix = arg;
		break;
	case OPT_HUGE:
		c->huge = true;
		break;
	case OPT_NO_HUGE:
		c->huge = false;
		break;
	case OPT_MEMORY:
		v.what = "--memory";
		if (vdpa_value_number(&v, 16, 65536, &n))
			argp_error(state, "%s (megabytes)", err);
		c->memory = arg;
		break;
	case OPT_PLUGIN:
		c->plugin = arg;
		break;
	case OPT_EAL:
		if (c->num_eal == MAX_EAL)
			argp_error(state, "too many --eal");
		c->eal[c->num_eal++] = arg;
		break;
	case 'v':
		c->verbose++;
		break;
	case ARGP_KEY_END:
		if (!c->socket == !c->pci)
			argp_error(state, "give the card: either --socket PATH or --pci ADDRESS");
		if (c->num_ports == 0)
			argp_error(state, "give at least one --iface PATH, the vhost-user socket of a front end");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Serve vhost-user front ends (virtual machines) with function 0 of a vhost-pci card.\v"
	       "Prints \"ready\" when the sockets accept front ends. SIGTERM or SIGINT end it: front ends are disconnected, the "
	       "sockets removed. Exit status: 0 after a signal, 1 if it cannot serve, 64 for wrong arguments.\n\n"
	       "Example, two ports of a simulated card:\n"
	       "  " PROGRAM " --socket /run/card/fn0.sock --iface /run/vm1.sock --mac 02:00:00:00:00:01 "
	       "--iface /run/vm2.sock\n\n"
	       "vhpctl(1) shows state and counters.",
};

void append(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + used, size - used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size - used)
		die("the arguments are too long");
}

static void make_devargs(struct config *c)
{
	if (c->socket)
		append(c->devargs, sizeof(c->devargs), "socket=%s", c->socket);
	for (unsigned int i = 0; i < c->num_settings; i++) {
		struct setting *s = &c->settings[i];
		int port = s->port;

		if (port < 0 && !s->shared) {
			if (c->num_ports > 1)
				die("%s %s: which port? Give it after its --iface", s->option, s->value);
			port = c->port;
		}
		append(c->devargs, sizeof(c->devargs), "%s%s", c->devargs[0] ? "," : "", s->key);
		if (port >= 0)
			append(c->devargs, sizeof(c->devargs), "%d", port);
		append(c->devargs, sizeof(c->devargs), "=%s", s->value);
	}
}

void options_parse(int argc, char **argv, struct config *c)
{
	*c = (struct config){ .port = -1, .memory = "64" };
	argp_parse(&argp, argc, argv, 0, NULL, c);
	if (!c->prefix) {
		snprintf(c->default_prefix, sizeof(c->default_prefix), PROGRAM ".%d", (int)getpid());
		c->prefix = c->default_prefix;
	}
	make_devargs(c);
}
