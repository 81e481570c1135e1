/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhpctl: what the ports of the vhost-pci cards on this host are doing, for people (tables) and programs (JSON).
 *
 * It asks the telemetry socket of every DPDK process that has the vDPA plugin, vhp-vdpad or another. The plugin sends
 * numbers together with their words, so there are no tables of names here.
 */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "telemetry.h"

const char *argp_program_version = "vhpctl 0.1.0";

enum {
	OPT_PREFIX = 0x100,
	OPT_SOCKET,
	OPT_JSON,
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ "file-prefix", OPT_PREFIX, "NAME", 0, "only the process with this DPDK file prefix", 0 },
	{ "socket", OPT_SOCKET, "PATH", 0, "only the process with this telemetry socket", 0 },
	{ 0 },
};

struct config {
	const char *command, *prefix, *socket;
	bool json;
	char **ports;
	int num_ports;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case 'j':
		c->json = true;
		break;
	case OPT_PREFIX:
		c->prefix = arg;
		break;
	case OPT_SOCKET:
		c->socket = arg;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN; /* the rest: ARGP_KEY_ARGS */
		c->command = arg;
		break;
	case ARGP_KEY_ARGS:
		c->ports = state->argv + state->next;
		c->num_ports = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (!c->command)
			argp_error(state, "give a command: list, status, stats or reset");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "list\nstatus [PORT...]\nstats [PORT...]\nreset [PORT...]",
	.doc = "Show the ports of vhost-pci cards that processes on this host serve."
	       "\vCommands:\n"
	       "  list    one line per port\n"
	       "  status  connection, features, virtqueues, lanes\n"
	       "  stats   packets, bytes, drops, doorbells, interrupts, connections\n"
	       "  reset   counters to 0\n\n"
	       "A PORT is its number in `vhpctl list`, its vhost-user socket or its device name; where several processes serve "
	       "ports, PREFIX/NUMBER. Without PORT: all of them.\n\n"
	       "Exit status: 0 done, 1 nothing to show or no answer, 64 wrong arguments.",
};

/* --------------------------------------------------------------------------------------------------- the processes */

static int failures;

static void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "vhpctl: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	failures++;
}

/* Every port of every process, as {"prefix": .., "telemetry": .., and what the plugin lists}. */
static json_t *all_ports(const struct config *c)
{
	struct tel_socket sockets[TEL_MAX_SOCKETS];
	unsigned int n = tel_find(c->prefix, c->socket, sockets), denied = 0, other = 0;
	json_t *ports = json_array();

	for (unsigned int i = 0; i < n; i++) {
		json_t *list = NULL, *port;
		const char *id;
		int rc = tel_ask(sockets[i].path, "/vhost_pci/list", &list);

		if (rc == -EACCES)
			denied++;
		else if (rc == -ENOENT || (rc == 0 && !json_is_object(list)))
			other++; /* a DPDK process without the plugin */
		else if (rc && (c->prefix || c->socket || rc != -ECONNREFUSED))
			complain("%s: %s", sockets[i].path, tel_strerror(rc));
		json_object_foreach(rc == 0 ? list : NULL, id, port) {
			json_object_set_new(port, "prefix", json_string(sockets[i].prefix));
			json_object_set_new(port, "telemetry", json_string(sockets[i].path));
			json_array_append(ports, port);
		}
		json_decref(list);
	}
	if (json_array_size(ports) == 0 && !failures) {
		if (denied)
			complain(
				"%u processes may have ports, but this user may not ask them: run vhpctl as their user",
				denied);
		else if (c->socket)
			complain("%s: %s", c->socket,
				 other ? "this DPDK process serves no vhost-pci card" : "nobody answers there");
		else if (c->prefix)
			complain("no process with --file-prefix %s serves a vhost-pci card", c->prefix);
		else
			complain("no process serves a vhost-pci card%s: start vhp-vdpad (looked in %s)",
				 other ? " (other DPDK processes are running)" : "", tel_places());
	}
	return ports;
}

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_port(const json_t *port, const char *wanted, bool *known)
{
	char full[512], plain[32];

	snprintf(plain, sizeof(plain), "%lld", number(port, "port"));
	snprintf(full, sizeof(full), "%s/%s", text(port, "prefix"), plain);
	*known = !strcmp(wanted, full) || !strcmp(wanted, text(port, "device")) ||
		(*text(port, "socket") && !strcmp(wanted, text(port, "socket")));
	return *known || !strcmp(wanted, plain);
}

/* The ports of the command line, in its order. */
static json_t *wanted_ports(const struct config *c)
{
	json_t *all = all_ports(c), *chosen = json_array();

	if (c->num_ports == 0) {
		json_decref(chosen);
		return all;
	}
	for (int i = 0; i < c->num_ports; i++) {
		json_t *port, *found = NULL;
		unsigned int matches = 0;
		size_t at;

		json_array_foreach(all, at, port) {
			bool exact;

			if (!is_port(port, c->ports[i], &exact))
				continue;
			found = port;
			matches++;
		}
		if (matches == 1)
			json_array_append(chosen, found);
		else if (matches)
			complain("%s: several processes have such a port; say PREFIX/PORT (vhpctl list shows both)",
				 c->ports[i]);
		else if (json_array_size(all))
			complain("%s: no such port; vhpctl list shows them", c->ports[i]);
	}
	json_decref(all);
	return chosen;
}

/* --------------------------------------------------------------------------------------------------------- tables */

static void print_list(const json_t *ports)
{
	const json_t *port;
	size_t at;

	if (json_array_size(ports) == 0)
		return;
	printf("%-5s %-20s %-24s %-9s %-32s %s\n", "PORT", "PROCESS", "DEVICE", "CARD PORT", "SOCKET", "STATE");
	json_array_foreach(ports, at, port) {
		printf("%-5lld %-20s %-24s %-9lld %-32s %s", number(port, "port"), text(port, "prefix"),
		       text(port, "device"), number(port, "card_port"),
		       *text(port, "socket") ? text(port, "socket") : "(of the application)", text(port, "phase"));
		if (*text(port, "reason"))
			printf(": %s", text(port, "reason"));
		putchar('\n');
	}
}

static void heading(const json_t *port)
{
	printf("port %lld (%s) of %s: %s\n", number(port, "port"), text(port, "device"), text(port, "prefix"),
	       *text(port, "socket") ? text(port, "socket") : "socket of the application");
}

static void row(const char *name, const char *value)
{
	printf("  %-26s %s\n", name, value);
}

static void print_words(const char *name, const json_t *status, const char *key)
{
	const json_t *bits = json_object_get(status, key), *word;
	char line[1024] = "";
	size_t at, used = 0;

	if (!bits)
		return;
	json_array_foreach(json_object_get(bits, "names"), at, word) {
		if (used < sizeof(line))
			used += (size_t)snprintf(line + used, sizeof(line) - used, " %s", json_string_value(word));
	}
	printf("  %-26s %s%s\n", name, text(bits, "bits"), *line ? line : " (none)");
}

static void print_lanes(const json_t *status)
{
	json_t *lanes = json_object_get(status, "lanes"), *lane;
	const char *name;

	json_object_foreach(lanes, name, lane) {
		bool running = !strcmp(text(lane, "state"), "running");
		char label[64];

		snprintf(label, sizeof(label), "lane %s", name);
		if (running)
			row(label, "running");
		else if (!json_object_get(lane, "end"))
			printf("  %-26s stopped: %s\n", label, text(lane, "reason_text"));
		else
			printf("  %-26s stopped: %s (%s, ring position %lld)\n", label, text(lane, "reason_text"),
			       text(lane, "end"), number(lane, "at"));
	}
}

static void print_vrings(const json_t *status)
{
	json_t *rings = json_object_get(status, "vrings"), *ring;
	const char *name;

	json_object_foreach(rings, name, ring) {
		char label[64];

		snprintf(label, sizeof(label), "vring %s (%s)", name, atoi(name) % 2 ? "transmit" : "receive");
		printf("  %-26s %lld entries, desc %s, avail %s, used %s, MSI-X vector %lld, call: %s\n", label,
		       number(ring, "size"), text(ring, "desc"), text(ring, "avail"), text(ring, "used"),
		       number(ring, "vector"), text(ring, "call"));
	}
}

static void print_status(const json_t *s)
{
	bool in_use = strcmp(text(s, "phase"), "no front end") != 0;

	heading(s);
	row("state", text(s, "phase"));
	if (*text(s, "reason"))
		row("reason", text(s, "reason"));
	row("connection", text(s, "card_state"));
	if (*text(s, "card_error")) {
		row("card", text(s, "card_error"));
	} else {
		row("last error", text(s, "last_error"));
		printf("  %-26s %lld, disconnected %lld times\n", "connected", number(s, "connects"),
		       number(s, "disconnects"));
	}
	row("card", text(s, "card"));
	printf("  %-26s %lld\n", "port of the card", number(s, "card_port"));
	row("peer uuid", text(s, "uuid"));
	row("vhost_pci_id", text(s, "vhost_pci_id"));
	row("PV interrupt", number(s, "pv_interrupt") ? "offered" : "not offered");
	row("peer doorbells", text(s, "doorbells"));
	if (in_use) {
		print_words("front end features", s, "features");
		print_words("  as peer feature bits", s, "peer_features_seed");
		print_words("  accepted by driver", s, "driver_accepted");
	}
	if (json_array_size(json_object_get(json_object_get(s, "withheld_features"), "names")))
		print_words("  withheld", s, "withheld_features");
	print_words("device features", s, "device_features");
	print_words("  accepted by driver", s, "driver_features");
	print_words("device status", s, "device_status");
	print_vrings(s);
	print_lanes(s);
}

static void print_direction(const json_t *s, const char *name, const char *key)
{
	char k[3][32];
	static const char *const what[] = { "packets", "bytes", "dropped" };

	for (int i = 0; i < 3; i++)
		snprintf(k[i], sizeof(k[i]), "%s_%s", key, what[i]);
	printf("  %-26s %14lld packets %16lld bytes %10lld dropped\n", name, number(s, k[0]), number(s, k[1]),
	       number(s, k[2]));
}

static void print_stats(const json_t *s)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "interrupts_forwarded", "interrupts to the peer" },
		{ "driver_peer_interrupts", "  by the driver itself" },
		{ "driver_peer_interrupts_refused", "  refused" },
		{ "doorbells_peer", "doorbells by the peer" },
		{ "kicks_relayed", "  relayed by software" },
		{ "doorbells_driver", "doorbells by the driver" },
		{ "ignored_writes", "register writes ignored" },
		{ "control_messages_to_driver", "control messages to driver" },
		{ "control_messages_from_driver", "  from driver" },
		{ "control_errors", "  malformed" },
		{ "connects", "connects" },
		{ "disconnects", "disconnects" },
		{ "close_requests", "  asked by the driver" },
		{ "driver_resets", "  resets by the driver" },
		{ "front_end_connects", "front ends connected" },
		{ "front_end_disconnects", "  gone" },
		{ "front_ends_refused", "  refused" },
		{ "lane_stops", "lane stops" },
		{ "errors", "errors" },
		{ "dma_read_errors", "DMA read errors (card)" },
		{ "dma_writes_dropped", "DMA writes dropped (card)" },
		{ "card_losses", "card lost" },
	};
	json_t *lane;
	const char *name;

	heading(s);
	if (*text(s, "card_error"))
		row("card", text(s, "card_error"));
	else
		print_direction(s, "peer to driver", "a2b");
	if (!*text(s, "card_error"))
		print_direction(s, "driver to peer", "b2a");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (json_object_get(s, rows[i].key))
			printf("  %-26s %14lld\n", rows[i].name, number(s, rows[i].key));
	}
	json_object_foreach(json_object_get(s, "lanes"), name, lane) {
		printf("  lane %-4s %lld packets, %lld bytes, %lld dropped, %lld waits for buffers; source: %lld doorbells, %lld "
		       "interrupts; sink: %lld doorbells, %lld interrupts\n",
		       name, number(lane, "packets"), number(lane, "bytes"), number(lane, "dropped"),
		       number(lane, "no_buffer"), number(lane, "source_doorbells"), number(lane, "source_interrupts"),
		       number(lane, "sink_doorbells"), number(lane, "sink_interrupts"));
	}
}

/* ------------------------------------------------------------------------------------------------------- commands */

static json_t *ask_port(json_t *port, const char *endpoint)
{
	char command[128];
	json_t *answer = NULL;
	int rc;

	snprintf(command, sizeof(command), "%s,%lld", endpoint, number(port, "port"));
	rc = tel_ask(text(port, "telemetry"), command, &answer);
	if (!rc && !json_is_object(answer)) {
		json_decref(answer);
		rc = -EPROTO;
	}
	if (rc) {
		complain("port %lld of %s: %s", number(port, "port"), text(port, "prefix"), tel_strerror(rc));
		return NULL;
	}
	json_object_update_missing(answer, port);
	return answer;
}

static void per_port(const struct config *c, const char *endpoint, void (*print)(const json_t *))
{
	json_t *ports = wanted_ports(c), *port, *answers = json_array();
	size_t at;

	json_array_foreach(ports, at, port) {
		json_t *answer = ask_port(port, endpoint);

		if (!answer)
			continue;
		if (!c->json) {
			if (json_array_size(answers))
				putchar('\n');
			print(answer);
		}
		json_array_append_new(answers, answer);
	}
	if (c->json) {
		json_dumpf(answers, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(ports);
	json_decref(answers);
}

static void print_reset(const json_t *answer)
{
	if (strcmp(text(answer, "reset"), "done"))
		complain("port %lld: %s", number(answer, "port"), text(answer, "reset"));
	else
		printf("port %lld: counters are 0\n", number(answer, "port"));
}

static void list(const struct config *c)
{
	json_t *ports = wanted_ports(c);

	if (c->json) {
		json_dumpf(ports, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_list(ports);
	}
	json_decref(ports);
}

int main(int argc, char **argv)
{
	struct config c = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (!strcmp(c.command, "list")) {
		list(&c);
	} else if (!strcmp(c.command, "status")) {
		per_port(&c, "/vhost_pci/status", print_status);
	} else if (!strcmp(c.command, "stats")) {
		per_port(&c, "/vhost_pci/stats", print_stats);
	} else if (!strcmp(c.command, "reset")) {
		per_port(&c, "/vhost_pci/reset_stats", print_reset);
	} else {
		fprintf(stderr, "vhpctl: unknown command %s: want list, status, stats or reset (vhpctl --help)\n",
			c.command);
		return 64;
	}
	if (fflush(stdout)) {
		complain("cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
