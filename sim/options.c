/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "vhp-sim " VHP_VERSION;

#define DEFAULT_PORTS 2u /* those of physical functions */
#define DEFAULT_FLASH_DIVIDE 10000u

enum {
	KEY_PORTS = 256,
	KEY_WINDOW,
	KEY_TRACE,
	KEY_STATS,
	KEY_SEED,
	KEY_FIRMWARE,
	KEY_LATENCY,
	KEY_JITTER,
	KEY_UP,
	KEY_DOWN,
	KEY_MPS,
	KEY_MRRS,
	KEY_RCB,
	KEY_SPLIT,
	KEY_REORDER,
	KEY_READY,
	KEY_NO_EXT_TAG,
	KEY_FAULTS,
	KEY_FLASH,
	KEY_FLASH_BUSY
};

static const struct argp_option option_table[] = {
	{ "socket-dir", 'd', "DIR", 0, "directory for the sockets fn0.sock, fn1.sock, ... (required; made if absent)",
	  0 },
	{ "ports", KEY_PORTS, "N", 0,
	  "vhost-pci-net functions to offer, 1 to 4 (default 2); 3 and 4 are virtual functions, which are enabled for it",
	  0 },
	{ "config-window", KEY_WINDOW, "pcie4|full", 0,
	  "configuration space that user logic answers: pcie4 0xb0..0xbf (default), full 0x90..0xff with the virtio capabilities",
	  0 },
	{ "firmware", KEY_FIRMWARE, "FILE", 0,
	  "firmware image, $readmemh words (default: fw/firmware.hex or share/vhost-pci-net/firmware.hex beside the program's folder)",
	  0 },
	{ "flash", KEY_FLASH, "FILE", 0,
	  "contents of the configuration flash, 128 MiB, written through; made, with a golden stand-in at 0, if there is none "
	  "(default: in memory)",
	  0 },
	{ "flash-busy", KEY_FLASH_BUSY, "N", 0,
	  "busy times of the flash: those of the data sheet divided by N, but at least 1000 cycles (default 10000)",
	  0 },
	{ "trace", KEY_TRACE, "FILE.fst", 0, "write a wave trace (FILE.1.fst and so on after the card is loaded anew)",
	  0 },
	{ "stats", KEY_STATS, "FILE.json", 0, "write statistics at the end", 0 },
	{ "seed", KEY_SEED, "N", 0, "seed of everything random (default 1)", 0 },
	{ "dma-faults-fatal", KEY_FAULTS, NULL, 0,
	  "end with status 1 at the first access outside a function's mappings", 0 },
	{ NULL, 0, NULL, 0, "Timing and link (cycles of 4 ns):", 1 },
	{ "latency", KEY_LATENCY, "CYCLES", 0, "read round trip (default 250)", 1 },
	{ "latency-jitter", KEY_JITTER, "CYCLES", 0, "up to so much more, per read (default 0)", 1 },
	{ "up-rate", KEY_UP, "BYTES", 0, "link rate towards the host per cycle, with TLP overhead (default 59.86)", 1 },
	{ "down-rate", KEY_DOWN, "BYTES", 0, "link rate towards the card (default 59.86)", 1 },
	{ "mps", KEY_MPS, "BYTES", 0, "maximum payload size (default 256)", 1 },
	{ "mrrs", KEY_MRRS, "BYTES", 0, "maximum read request size (default 512)", 1 },
	{ "rcb", KEY_RCB, "BYTES", 0, "read completion boundary, 64 or 128 (default 64)", 1 },
	{ "split", KEY_SPLIT, "PERCENT", 0, "chance that a completion is split early (default 0)", 1 },
	{ "reorder", KEY_REORDER, NULL, 0, "completions of different tags in random order", 1 },
	{ "ready", KEY_READY, "PERCENT", 0, "cycles in which each stream moves (default 100)", 1 },
	{ "no-ext-tag", KEY_NO_EXT_TAG, NULL, 0, "extended tags off: 32 outstanding reads", 1 },
	{ 0 }
};

static unsigned long long number(struct argp_state *state, const char *name, const char *arg, unsigned long long max)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' || v > max)
		argp_error(state, "--%s: \"%s\" is not a number from 0 to %llu", name, arg, max);
	return v;
}

static double rate(struct argp_state *state, const char *name, const char *arg)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v >= 1 && v <= 256))
		argp_error(state, "--%s: \"%s\" is not a rate from 1 to 256 bytes per cycle", name, arg);
	return v;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct vhp_model_config *c = &o->model;

	switch (key) {
	case 'd':
		o->dir = arg;
		break;
	case KEY_PORTS:
		o->ports = (unsigned int)number(state, "ports", arg, UINT_MAX);
		if (o->ports < 1 || o->ports > MAX_PORTS)
			argp_error(state, "--ports: this card has 1 to %u", MAX_PORTS);
		break;
	case KEY_WINDOW:
		if (strcmp(arg, "pcie4") == 0)
			c->window = VHP_WINDOW_PCIE4;
		else if (strcmp(arg, "full") == 0)
			c->window = VHP_WINDOW_FULL;
		else
			argp_error(state, "--config-window: \"%s\" is neither pcie4 nor full", arg);
		break;
	case KEY_FIRMWARE:
		o->firmware = arg;
		break;
	case KEY_FLASH:
		o->flash = arg;
		break;
	case KEY_FLASH_BUSY:
		o->flash_divide = (unsigned int)number(state, "flash-busy", arg, 1000000);
		if (o->flash_divide == 0)
			argp_error(state, "--flash-busy: at least 1");
		break;
	case KEY_TRACE:
		o->trace = arg;
		break;
	case KEY_STATS:
		o->stats = arg;
		break;
	case KEY_SEED:
		c->seed = number(state, "seed", arg, ULLONG_MAX);
		break;
	case KEY_FAULTS:
		c->dma_faults_fatal = true;
		break;
	case KEY_LATENCY:
		c->latency = (unsigned int)number(state, "latency", arg, 100000);
		break;
	case KEY_JITTER:
		c->latency_jitter = (unsigned int)number(state, "latency-jitter", arg, 100000);
		break;
	case KEY_UP:
		c->up_rate = rate(state, "up-rate", arg);
		break;
	case KEY_DOWN:
		c->down_rate = rate(state, "down-rate", arg);
		break;
	case KEY_MPS:
		c->mps = (unsigned int)number(state, "mps", arg, 1024);
		break;
	case KEY_MRRS:
		c->mrrs = (unsigned int)number(state, "mrrs", arg, 4096);
		break;
	case KEY_RCB:
		c->rcb = (unsigned int)number(state, "rcb", arg, 128);
		break;
	case KEY_SPLIT:
		c->split_pct = (unsigned int)number(state, "split", arg, 100);
		break;
	case KEY_REORDER:
		c->reorder = true;
		break;
	case KEY_READY:
		c->rq_ready_pct = c->cc_ready_pct = c->rc_valid_pct = c->cq_valid_pct =
			(unsigned int)number(state, "ready", arg, 100);
		if (c->rq_ready_pct == 0)
			argp_error(state, "--ready: at least 1");
		break;
	case KEY_NO_EXT_TAG:
		c->ext_tag = false;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		break;
	case ARGP_KEY_END:
		if (!o->dir)
			argp_error(state, "--socket-dir is required");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *o)
{
	static const struct argp parser = {
		option_table,
		parse_option,
		NULL,
		"Simulates the card and offers each of its functions on a vfio-user socket. Prints the line "
		"\"ready\" when the sockets accept; SIGTERM or SIGINT end it.",
		NULL,
		NULL,
		NULL
	};

	*o = (struct options){ .ports = DEFAULT_PORTS, .flash_divide = DEFAULT_FLASH_DIVIDE };
	vhp_model_defaults(&o->model);
	o->model.dma_faults_fatal = false;
	return argp_parse(&parser, argc, argv, 0, NULL, o);
}
