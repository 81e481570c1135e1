/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhpctl: what the ports of the vhost-pci cards on this host are doing, for people (tables) and programs (JSON).
 *
 * It asks the telemetry socket of every DPDK process that has the vDPA plugin, vhp-vdpad or another. The plugin sends
 * numbers together with their words, so there are no tables of names here.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind.h"
#include "commands.h"
#include "show.h"
#include "telemetry.h"
#include "vdpa_values.h"

const char *argp_program_version = "vhpctl " VHP_VERSION;

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
	char err[256], path[VDPA_IFACE_LEN];
	struct vdpa_value v = { .value = arg, .err = err, .errlen = sizeof(err) };

	switch (key) {
	case 'j':
		c->json = true;
		break;
	case OPT_PREFIX:
		v.what = "--file-prefix";
		if (vdpa_value_prefix(&v))
			argp_error(state, "%s", err);
		c->prefix = arg;
		break;
	case OPT_SOCKET:
		v.what = "--socket";
		if (vdpa_value_path(&v, path))
			argp_error(state, "%s", err);
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
			argp_error(state, "give a command: list, status, stats, features, ... (--help)");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "COMMAND [PORT...]",
	.doc = "Show and command the ports of vhost-pci cards that processes on this host serve."
	       "\vCommands:\n"
	       "  list        one line per port\n"
	       "  status      connection, features, virtqueues, lanes\n"
	       "  stats       packets, bytes, drops, doorbells, interrupts, connections\n"
	       "  features    what front end and driver negotiated\n"
	       "  regions     memory of the front end\n"
	       "  gsi         interrupts of its virtqueues: GSI, MSI-X vector, call descriptor\n"
	       "  log         dirty page log\n"
	       "  events      the last events of the card\n"
	       "  reset       counters to 0\n"
	       "  disconnect  close these ports for the driver until connect; front ends stay\n"
	       "  connect     serve them again\n"
	       "  bind        functions of cards to vfio-pci; without ADDRESS: list them\n"
	       "  unbind      back to the driver that the kernel chooses\n"
	       "  image       release images: vhpctl image --help\n"
	       "  flash       a card's flash, and loading another image: vhpctl flash --help\n\n"
	       "A PORT is its number in `vhpctl list`, its vhost-user socket or its device name; where several processes serve "
	       "ports, PREFIX/NUMBER. Without PORT: all of them, but for connect and disconnect.\n\n"
	       "bind and unbind take ADDRESS... instead, of PCI functions, as 0000:01:00.0.\n\n"
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

static bool is_port(const json_t *port, const char *wanted, bool *known)
{
	char full[512], plain[32];

	snprintf(plain, sizeof(plain), "%lld", show_number(port, "port"));
	snprintf(full, sizeof(full), "%s/%s", show_text(port, "prefix"), plain);
	*known = !strcmp(wanted, full) || !strcmp(wanted, show_text(port, "device")) ||
		(*show_text(port, "socket") && !strcmp(wanted, show_text(port, "socket")));
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

/* ------------------------------------------------------------------------------------------------------- commands */

static json_t *ask_port(json_t *port, const char *endpoint)
{
	char command[128];
	json_t *answer = NULL;
	int rc;

	snprintf(command, sizeof(command), "%s,%lld", endpoint, show_number(port, "port"));
	rc = tel_ask(show_text(port, "telemetry"), command, &answer);
	if (!rc && !json_is_object(answer)) {
		json_decref(answer);
		rc = -EPROTO;
	}
	if (rc) {
		complain("port %lld of %s: %s", show_number(port, "port"), show_text(port, "prefix"), tel_strerror(rc));
		return NULL;
	}
	json_object_update_missing(answer, port);
	if (json_object_get(answer, "done") && !show_number(answer, "done"))
		complain("port %lld of %s: %s", show_number(port, "port"), show_text(port, "prefix"),
			 show_text(answer, "result"));
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
			if (json_array_size(answers) && !json_object_get(answer, "done"))
				putchar('\n');
			print(answer);
		}
		json_array_append_new(answers, answer);
	}
	if (c->json)
		show_json(answers);
	json_decref(ports);
	json_decref(answers);
}

static void report(const json_t *answer, const char *done)
{
	if (show_number(answer, "done"))
		printf("port %lld: %s\n", show_number(answer, "port"), done);
}

static void print_reset(const json_t *answer)
{
	report(answer, "counters are 0");
}

static void print_connect(const json_t *answer)
{
	report(answer, "connected as soon as both ends are ready");
}

static void print_disconnect(const json_t *answer)
{
	report(answer, "disconnected until vhpctl connect");
}

static void list(const struct config *c)
{
	json_t *ports = wanted_ports(c);

	if (c->json)
		show_json(ports);
	else
		show_list(ports);
	json_decref(ports);
}

static int bind_to_vfio(const struct config *c)
{
	return bind_command(false, c->ports, c->num_ports, c->json);
}

static int unbind_from_vfio(const struct config *c)
{
	return bind_command(true, c->ports, c->num_ports, c->json);
}

static const struct command {
	const char *name, *endpoint;
	void (*print)(const json_t *answer);
	bool acts;			    /* changes something: its ports have to be named */
	int (*run)(const struct config *c); /* of this host, not of a process; returns the number of failures */
} commands[] = {
	{ "list", NULL, NULL, false, NULL },
	{ "status", "/vhost_pci/status", show_status, false, NULL },
	{ "stats", "/vhost_pci/stats", show_stats, false, NULL },
	{ "features", "/vhost_pci/status", show_features, false, NULL },
	{ "regions", "/vhost_pci/regions", show_regions, false, NULL },
	{ "gsi", "/vhost_pci/gsi", show_gsi, false, NULL },
	{ "log", "/vhost_pci/log", show_log, false, NULL },
	{ "events", "/vhost_pci/events", show_events, false, NULL },
	{ "reset", "/vhost_pci/reset_stats", print_reset, false, NULL },
	{ "connect", "/vhost_pci/connect", print_connect, true, NULL },
	{ "disconnect", "/vhost_pci/disconnect", print_disconnect, true, NULL },
	{ "bind", NULL, NULL, false, bind_to_vfio },
	{ "unbind", NULL, NULL, true, unbind_from_vfio },
};

/* A command with arguments of its own. */
static int run_command(int (*run)(int argc, char **argv), const char *name, int argc, char **argv)
{
	int status;

	argv[1] = (char *)(uintptr_t)name;
	status = run(argc - 1, argv + 1);
	if (fflush(stdout) && status == EXIT_SUCCESS) {
		complain("cannot write: %s", strerror(errno));
		status = EXIT_FAILURE;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct config c = { 0 };
	const struct command *command = NULL;

	if (argc > 1 && !strcmp(argv[1], "image"))
		return run_command(command_image, "vhpctl image", argc, argv);
	if (argc > 1 && !strcmp(argv[1], "flash"))
		return run_command(command_flash, "vhpctl flash", argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(c.command, commands[i].name))
			command = &commands[i];
	}
	if (!strcmp(c.command, "image") || !strcmp(c.command, "flash")) {
		fprintf(stderr, "vhpctl: %s comes first, its options behind it (vhpctl %s --help)\n", c.command,
			c.command);
		return 64;
	}
	if (!command) {
		fprintf(stderr, "vhpctl: unknown command %s: want one of", c.command);
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
			fprintf(stderr, " %s", commands[i].name);
		fprintf(stderr, " image flash (vhpctl --help)\n");
		return 64;
	}
	if (command->acts && c.num_ports == 0) {
		fprintf(stderr, "vhpctl: %s: give the %s, or several; vhpctl %s shows them\n", c.command,
			command->run ? "address" : "port", command->run ? "bind" : "list");
		return 64;
	}
	if (command->run)
		failures += command->run(&c);
	else if (command->endpoint)
		per_port(&c, command->endpoint, command->print);
	else
		list(&c);
	if (fflush(stdout)) {
		complain("cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
