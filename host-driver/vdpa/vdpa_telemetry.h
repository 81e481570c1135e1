/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the two files of telemetry commands share.
 */
#ifndef VDPA_TELEMETRY_H
#define VDPA_TELEMETRY_H

#include <rte_telemetry.h>

#include "vdpa.h"

void vdpa_tel_hex(struct rte_tel_data *d, const char *name, uint64_t value);
/** What is known of a port without asking the card; port.lock held. */
void vdpa_tel_identity(struct rte_tel_data *d, struct vdpa_port *port);
/** Run @p fn on the port that the command's parameter names. An error makes telemetry answer "null". */
int vdpa_tel_for_port(const char *params, int (*fn)(struct vdpa_port *port, void *arg), struct rte_tel_data *d);
void vdpa_tables_register(void);

#endif
