/* SPDX-License-Identifier: Apache-2.0 */
/** @file The command line of vhp-sim. */
#ifndef VHP_SIM_OPTIONS_H
#define VHP_SIM_OPTIONS_H

#include "vhp_model.h"

#define MAX_PORTS 4u /**< of vhp_pkg::NumPorts, the Verilated card */

/** Texts are those of argv. */
struct options {
	const char *dir;			      /**< --socket-dir */
	const char *trace, *stats, *firmware, *flash; /**< files; NULL: not given */
	unsigned int ports;			      /**< 1 to MAX_PORTS */
	unsigned int flash_divide;		      /**< busy times of the flash divided by it */
	struct vhp_model_config model; /**< seed, window, timing and link; the owner adds the callbacks */
};

/**
 * Defaults, then the arguments. A wrong one ends the process with a message and argp_err_exit_status, as do --help and --version.
 *
 * @return 0, or an errno of argp (out of memory)
 */
int options_parse(int argc, char **argv, struct options *o);

#endif
