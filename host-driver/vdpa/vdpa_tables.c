/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /vhost_pci/regions, gsi, log, events: tables of a port; /vhost_pci/connect, disconnect, reset_stats: commands. All with the
 * parameter PORT. A command answers "result": "done" or why it is refused and what to do, and "done": 1 or 0.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "vdpa_names.h"
#include "vdpa_telemetry.h"

/* Rows are members of an object, "0", "1", ..: telemetry has no arrays of objects. */
static struct rte_tel_data *new_row(void)
{
	struct rte_tel_data *row = rte_tel_data_alloc();

	if (row)
		rte_tel_data_start_dict(row);
	return row;
}

static void add_row(struct rte_tel_data *rows, uint64_t number, struct rte_tel_data *row)
{
	char name[24];

	snprintf(name, sizeof(name), "%" PRIu64, number);
	rte_tel_data_add_dict_container(rows, name, row, 0);
}

static int start(struct vdpa_port *port, struct rte_tel_data *d, struct rte_tel_data **rows)
{
	*rows = new_row();
	if (!*rows)
		return -ENOMEM;
	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&port->lock);
	vdpa_tel_identity(d, port);
	return 0;
}

static int regions_of(struct vdpa_port *port, void *arg)
{
	const struct vdpa_front *front;
	struct rte_tel_data *rows, *row;

	if (start(port, arg, &rows))
		return -ENOMEM;
	front = port->active;
	for (unsigned int i = 0; front && i < front->num_regions && (row = new_row()); i++) {
		const struct vdpa_region *r = &front->regions[i];

		vdpa_tel_hex(row, "guest_physical", r->gpa);
		vdpa_tel_hex(row, "size", r->size);
		if (port->started)
			vdpa_tel_hex(row, "iova", r->iova);
		add_row(rows, i, row);
	}
	pthread_mutex_unlock(&port->lock);
	rte_tel_data_add_dict_container(arg, "regions", rows, 0);
	return 0;
}

static int gsi_of(struct vdpa_port *port, void *arg)
{
	struct rte_tel_data *rows, *row;
	struct vhp_mbox_port_status s = { 0 };
	bool known;

	known = !vdpa_card_call(port->card, VHP_OP_PORT_STATUS, port->index, NULL, 0, &s, sizeof(s));
	if (start(port, arg, &rows))
		return -ENOMEM;
	for (unsigned int i = 0; i < 2 * vdpa_port_pairs(port) && (row = new_row()); i++) {
		const struct vdpa_vring *q = port->active ? &port->active->vring[i] : NULL;
		uint32_t gsi = vdpa_port_gsi(port, i);

		rte_tel_data_add_dict_string(row, "direction", i % 2 ? "transmit" : "receive");
		if (gsi != VHP_GSI_NONE)
			rte_tel_data_add_dict_uint(row, "gsi", gsi);
		rte_tel_data_add_dict_uint(row, "vector", VHP_PEER_VECTOR(port->index, i));
		rte_tel_data_add_dict_string(row, "call",
					     !q || !q->live	       ? "not in use"
						     : q->call_fd >= 0 ? "eventfd"
								       : "none, the guest polls");
		add_row(rows, i, row);
	}
	pthread_mutex_unlock(&port->lock);
	rte_tel_data_add_dict_container(arg, "vrings", rows, 0);
	rte_tel_data_add_dict_string(arg, "gsi_from", port->args->num_gsi ? "management" : "MSI-X vectors of the card");
	if (known)
		rte_tel_data_add_dict_uint(arg, "refused", s.gsi_refused);
	return 0;
}

static int log_of(struct vdpa_port *port, void *arg)
{
	struct vdpa_log *log = &port->card->log;
	struct rte_tel_data *d = arg;

	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&port->lock);
	vdpa_tel_identity(d, port);
	pthread_mutex_unlock(&port->lock);
	pthread_mutex_lock(&log->lock);
	rte_tel_data_add_dict_string(d, "log",
				     !log->usable			 ? "the card has none"
					     : log->port[port->index].on ? "on"
									 : "off");
	rte_tel_data_add_dict_uint(d, "pages", log->target[port->index].pages);
	rte_tel_data_add_dict_uint(d, "overflows", log->target[port->index].overflows);
	rte_tel_data_add_dict_uint(d, "ring_entries", log->usable ? 1u << log->size_log2 : 0);
	rte_tel_data_add_dict_uint(d, "card_entries", log->entries);
	rte_tel_data_add_dict_uint(d, "card_merged", log->merged);
	rte_tel_data_add_dict_uint(d, "card_bad_entries", log->bad);
	rte_tel_data_add_dict_uint(d, "card_syncs", log->syncs);
	pthread_mutex_unlock(&log->lock);
	return 0;
}

static int events_of(struct vdpa_port *port, void *arg)
{
	struct rte_tel_data *rows, *row;
	uint64_t first;

	if (start(port, arg, &rows))
		return -ENOMEM;
	pthread_mutex_unlock(&port->lock);
	pthread_mutex_lock(&port->events_lock);
	first = port->num_events > VDPA_EVENTS ? port->num_events - VDPA_EVENTS : 0;
	for (uint64_t n = first; n < port->num_events && (row = new_row()); n++) {
		const struct vdpa_event_record *e = &port->events[n % VDPA_EVENTS];
		char text[160];

		vdpa_event_text(e->type, e->arg, text, sizeof(text));
		rte_tel_data_add_dict_uint(row, "time_ms", e->time_ms);
		rte_tel_data_add_dict_uint(row, "type", e->type);
		rte_tel_data_add_dict_uint(row, "argument", e->arg);
		rte_tel_data_add_dict_string(row, "text", text);
		add_row(rows, n, row);
	}
	rte_tel_data_add_dict_uint(arg, "so_far", port->num_events);
	pthread_mutex_unlock(&port->events_lock);
	rte_tel_data_add_dict_uint(arg, "lost_by_card", atomic_load(&port->card->events_lost));
	rte_tel_data_add_dict_container(arg, "events", rows, 0);
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- commands */

static int answer(struct vdpa_port *port, struct rte_tel_data *d, const char *refusal)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "port", port->id);
	rte_tel_data_add_dict_uint(d, "done", refusal == NULL);
	rte_tel_data_add_dict_string(d, "result", refusal ? refusal : "done");
	return 0;
}

static int reset_of(struct vdpa_port *port, void *arg)
{
	int rc = vdpa_port_stats_reset(port);

	return answer(port, arg,
		      rc == -ENODEV ? "the card is gone; its counters begin at 0 when it is back"
			      : rc  ? "the card does not answer; see the log of its process"
				    : NULL);
}

static int hold(struct vdpa_port *port, struct rte_tel_data *d, bool on)
{
	const char *refusal = NULL;

	pthread_mutex_lock(&port->lock);
	if (!vdpa_port_hold(port, on))
		refusal = on ? "it is disconnected already; `vhpctl connect` ends that"
			     : "nothing keeps it disconnected; `vhpctl status` shows what it waits for";
	else if (!on && port->active && port->active->phase == VDPA_REFUSED)
		refusal = "the card did not take the port; `vhpctl status` shows the reason";
	pthread_mutex_unlock(&port->lock);
	return answer(port, d, refusal);
}

static int connect_of(struct vdpa_port *port, void *arg)
{
	return hold(port, arg, false);
}

static int disconnect_of(struct vdpa_port *port, void *arg)
{
	return hold(port, arg, true);
}

static const struct {
	const char *name, *help;
	int (*fn)(struct vdpa_port *port, void *arg);
} commands[] = {
	{ "/vhost_pci/regions", "Memory of the front end. Parameter: port", regions_of },
	{ "/vhost_pci/gsi", "Interrupts of the front end's virtqueues. Parameter: port", gsi_of },
	{ "/vhost_pci/log", "Log of dirty pages. Parameter: port", log_of },
	{ "/vhost_pci/events", "Last events of a port. Parameter: port", events_of },
	{ "/vhost_pci/reset_stats", "Counters of a port to 0. Parameter: port", reset_of },
	{ "/vhost_pci/connect", "Serve the port again after disconnect. Parameter: port", connect_of },
	{ "/vhost_pci/disconnect", "Disconnect the port until connect. Parameter: port", disconnect_of },
};

static int on_command(const char *cmd, const char *params, struct rte_tel_data *d)
{
	for (unsigned int i = 0; i < RTE_DIM(commands); i++) {
		if (!strcmp(cmd, commands[i].name))
			return vdpa_tel_for_port(params, commands[i].fn, d);
	}
	return -EINVAL;
}

void vdpa_tables_register(void)
{
	for (unsigned int i = 0; i < RTE_DIM(commands); i++)
		rte_telemetry_register_cmd(commands[i].name, on_command, commands[i].help);
}
