/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *show_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

long long show_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void show_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

void show_list(const json_t *ports)
{
	const json_t *port;
	size_t at;

	if (json_array_size(ports) == 0)
		return;
	printf("%-5s %-20s %-24s %-9s %-32s %s\n", "PORT", "PROCESS", "DEVICE", "CARD PORT", "SOCKET", "STATE");
	json_array_foreach(ports, at, port) {
		printf("%-5lld %-20s %-24s %-9lld %-32s %s", show_number(port, "port"), show_text(port, "prefix"),
		       show_text(port, "device"), show_number(port, "card_port"),
		       *show_text(port, "socket") ? show_text(port, "socket") : "(of the application)",
		       show_text(port, "phase"));
		if (*show_text(port, "reason"))
			printf(": %s", show_text(port, "reason"));
		putchar('\n');
	}
}

static void heading(const json_t *port)
{
	printf("port %lld (%s) of %s: %s\n", show_number(port, "port"), show_text(port, "device"),
	       show_text(port, "prefix"),
	       *show_text(port, "socket") ? show_text(port, "socket") : "socket of the application");
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
	printf("  %-26s %s%s\n", name, show_text(bits, "bits"), *line ? line : " (none)");
}

static void print_lanes(const json_t *status)
{
	json_t *lanes = json_object_get(status, "lanes"), *lane;
	const char *name;

	json_object_foreach(lanes, name, lane) {
		bool running = !strcmp(show_text(lane, "state"), "running");
		char label[64];

		snprintf(label, sizeof(label), "lane %s", name);
		if (running)
			row(label, "running");
		else if (!json_object_get(lane, "end"))
			printf("  %-26s stopped: %s\n", label, show_text(lane, "reason_text"));
		else
			printf("  %-26s stopped: %s (%s, ring position %lld)\n", label, show_text(lane, "reason_text"),
			       show_text(lane, "end"), show_number(lane, "at"));
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
		       show_number(ring, "size"), show_text(ring, "desc"), show_text(ring, "avail"),
		       show_text(ring, "used"), show_number(ring, "vector"), show_text(ring, "call"));
	}
}

void show_features(const json_t *s)
{
	heading(s);
	if (*show_text(s, "card_error"))
		row("card", show_text(s, "card_error"));
	print_words("front end", s, "features");
	print_words("  as peer feature bits", s, "peer_features_seed");
	print_words("  accepted by driver", s, "driver_accepted");
	print_words("  withheld", s, "withheld_features");
	print_words("device", s, "device_features");
	print_words("  accepted by driver", s, "driver_features");
}

void show_regions(const json_t *s)
{
	json_t *rows = json_object_get(s, "regions"), *r;
	const char *name;

	heading(s);
	if (json_object_size(rows) == 0)
		row("memory", "none: no front end runs here");
	else
		printf("  %-8s %-20s %-20s %s\n", "REGION", "GUEST-PHYSICAL", "SIZE", "IOVA OF FUNCTION 0");
	json_object_foreach(rows, name, r) {
		printf("  %-8s %-20s %-20s %s\n", name, show_text(r, "guest_physical"), show_text(r, "size"),
		       *show_text(r, "iova") ? show_text(r, "iova") : "not mapped");
	}
}

void show_gsi(const json_t *s)
{
	json_t *rows = json_object_get(s, "vrings"), *r;
	const char *name;

	heading(s);
	row("numbers from", show_text(s, "gsi_from"));
	if (json_object_get(s, "refused"))
		printf("  %-26s %lld\n", "interrupts refused", show_number(s, "refused"));
	printf("  %-8s %-10s %-12s %-8s %s\n", "VRING", "DIRECTION", "GSI", "VECTOR", "CALL");
	json_object_foreach(rows, name, r) {
		char gsi[24] = "-";

		if (json_object_get(r, "gsi"))
			snprintf(gsi, sizeof(gsi), "%lld", show_number(r, "gsi"));
		printf("  %-8s %-10s %-12s %-8lld %s\n", name, show_text(r, "direction"), gsi, show_number(r, "vector"),
		       show_text(r, "call"));
	}
}

void show_log(const json_t *s)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "pages", "pages marked" },
		{ "overflows", "times all were marked" },
		{ "ring_entries", "entries of the ring" },
		{ "card_entries", "taken (all ports)" },
		{ "card_merged", "merged by the card" },
		{ "card_bad_entries", "malformed" },
		{ "card_syncs", "syncs" },
	};

	heading(s);
	row("dirty page log", show_text(s, "log"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("  %-26s %14lld\n", rows[i].name, show_number(s, rows[i].key));
}

void show_events(const json_t *s)
{
	json_t *rows = json_object_get(s, "events"), *r;
	const char *name;

	heading(s);
	printf("  %lld events so far, %lld lost by the card\n", show_number(s, "so_far"),
	       show_number(s, "lost_by_card"));
	json_object_foreach(rows, name, r) {
		long long ms = show_number(r, "time_ms");
		time_t seconds = (time_t)(ms / 1000);
		struct tm tm;
		char when[32];

		strftime(when, sizeof(when), "%F %T", localtime_r(&seconds, &tm));
		printf("  %s.%03lld  %s\n", when, ms % 1000, show_text(r, "text"));
	}
}

void show_status(const json_t *s)
{
	bool in_use = strcmp(show_text(s, "phase"), "no front end") != 0;

	heading(s);
	row("state", show_text(s, "phase"));
	if (*show_text(s, "reason"))
		row("reason", show_text(s, "reason"));
	row("connection", show_text(s, "card_state"));
	if (*show_text(s, "card_error")) {
		row("card", show_text(s, "card_error"));
	} else {
		row("last error", show_text(s, "last_error"));
		printf("  %-26s %lld, disconnected %lld times\n", "connected", show_number(s, "connects"),
		       show_number(s, "disconnects"));
	}
	row("card", show_text(s, "card"));
	printf("  %-26s %lld\n", "port of the card", show_number(s, "card_port"));
	row("peer uuid", show_text(s, "uuid"));
	row("vhost_pci_id", show_text(s, "vhost_pci_id"));
	row("PV interrupt", show_number(s, "pv_interrupt") ? "offered" : "not offered");
	row("aperture", show_number(s, "aperture") ? "on" : "off");
	row("peer doorbells", show_text(s, "doorbells"));
	row("dirty pages", show_number(s, "logging") ? "logged" : "not logged");
	if (show_number(s, "front_ends") > 1)
		row("front ends", "2: one waits for its place");
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
	printf("  %-26s %14lld packets %16lld bytes %10lld dropped\n", name, show_number(s, k[0]), show_number(s, k[1]),
	       show_number(s, k[2]));
}

void show_stats(const json_t *s)
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
		{ "migrations", "  guests migrated here" },
		{ "lane_stops", "lane stops" },
		{ "errors", "errors" },
		{ "dma_read_errors", "DMA read errors (card)" },
		{ "dma_writes_dropped", "DMA writes dropped (card)" },
		{ "card_losses", "card lost" },
	};
	json_t *lane;
	const char *name;

	heading(s);
	if (*show_text(s, "card_error"))
		row("card", show_text(s, "card_error"));
	else
		print_direction(s, "peer to driver", "a2b");
	if (!*show_text(s, "card_error"))
		print_direction(s, "driver to peer", "b2a");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (json_object_get(s, rows[i].key))
			printf("  %-26s %14lld\n", rows[i].name, show_number(s, rows[i].key));
	}
	json_object_foreach(json_object_get(s, "lanes"), name, lane) {
		printf("  lane %-4s %lld packets, %lld bytes, %lld dropped, %lld waits for buffers; source: %lld doorbells, %lld "
		       "interrupts; sink: %lld doorbells, %lld interrupts\n",
		       name, show_number(lane, "packets"), show_number(lane, "bytes"), show_number(lane, "dropped"),
		       show_number(lane, "no_buffer"), show_number(lane, "source_doorbells"),
		       show_number(lane, "source_interrupts"), show_number(lane, "sink_doorbells"),
		       show_number(lane, "sink_interrupts"));
	}
}
