/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhp-sim: the simulated card with each function on a vfio-user socket.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

const char *argp_program_version = "vhp-sim " VHP_VERSION;

#define MAX_PORTS 2u		/* of vhp_pkg::NumPorts, the Verilated card */
#define CHUNK 64u		/* cycles between two looks at the sockets */
#define BOOT_CYCLES 20000000ull /* 80 ms of simulated time until configuration space must be on */
#define FAULTS_LOGGED 20u	/* DMA faults written to the log one by one */

/* Which window the Verilated card of this program has (sim.mk). */
#define OWN_WINDOW (VHP_CONFIG_FULL ? VHP_WINDOW_FULL : VHP_WINDOW_PCIE4)

struct options {
	const char *dir, *trace, *stats, *firmware;
	unsigned int ports;
	struct vhp_model_config model;
};

struct sim {
	struct options o;
	void *top;
	struct vhp_model *m;
	struct vhp_server *fn[VHP_MODEL_MAX_FN];
	unsigned int nfn;
	int signals;
	struct timespec start;
};

/* For the clean-up when a broken rule ends the process from inside the model. */
static struct sim *the_sim;

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
	KEY_ORDERED,
	KEY_READY,
	KEY_NO_EXT_TAG,
	KEY_FAULTS
};

static const struct argp_option option_table[] = {
	{ "socket-dir", 'd', "DIR", 0, "directory for the sockets fn0.sock, fn1.sock, ... (required; made if absent)",
	  0 },
	{ "ports", KEY_PORTS, "N", 0, "vhost-pci-net functions to offer, 1 to 2 (default 2)", 0 },
	{ "config-window", KEY_WINDOW, "pcie4|full", 0,
	  "configuration space that user logic answers: pcie4 0xb0..0xbf (default), full 0x90..0xff with the virtio capabilities",
	  0 },
	{ "firmware", KEY_FIRMWARE, "FILE", 0,
	  "firmware image, $readmemh words (default: fw/firmware.hex or share/vhost-pci-net/firmware.hex beside the program's folder)",
	  0 },
	{ "trace", KEY_TRACE, "FILE.fst", 0, "write a wave trace", 0 },
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
	{ "reorder", KEY_ORDERED, NULL, 0, "completions of different tags in random order", 1 },
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
	case KEY_ORDERED:
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

/* ------------------------------------------------------------------------------------------ files */

/* PROGRAM is in BUILD/bin and the image in BUILD/fw, or in PREFIX/bin and PREFIX/share/vhost-pci-net. */
static char *default_firmware(void)
{
	static const char installed[] = "/share/vhost-pci-net/firmware.hex";
	static char path[PATH_MAX + sizeof(installed)];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(path, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
	}
	slash = path + strlen(path);
	strcpy(slash, installed);
	if (access(path, F_OK))
		strcpy(slash, "/fw/firmware.hex");
	return path;
}

/* The window is a parameter of the Verilated card: the program beside this one has the other. */
static void run_other(char **argv)
{
	char path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			strcpy(slash, VHP_CONFIG_FULL ? "/vhp-sim" : "/vhp-sim-full");
			execv(path, argv);
		}
	}
	fprintf(stderr, "vhp-sim: %s: %s\n", VHP_CONFIG_FULL ? "vhp-sim" : "vhp-sim-full", strerror(errno));
}

static bool readable(const char *path, const char *what)
{
	if (access(path, R_OK) == 0)
		return true;
	fprintf(stderr, "vhp-sim: %s %s: %s\n", what, path, strerror(errno));
	return false;
}

static double seconds(struct timespec a, struct timespec b)
{
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static int write_stats(struct sim *s)
{
	const struct vhp_model_stats *st = vhp_model_stats(s->m);
	uint64_t faults = 0, cycles = vhp_model_cycle(s->m);
	double busy;
	struct timespec now, cpu;
	FILE *f = fopen(s->o.stats, "w");

	if (!f) {
		fprintf(stderr, "vhp-sim: --stats %s: %s\n", s->o.stats, strerror(errno));
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	busy = seconds((struct timespec){ 0 }, cpu);
	for (unsigned int i = 0; i < s->nfn; i++)
		faults += st->fn[i].dma_faults;
	fprintf(f,
		"{\"simulator\": {\"seed\": %llu, \"wall_seconds\": %.3f, \"cpu_seconds\": %.3f, \"cycles_per_second\": %.0f},\n",
		(unsigned long long)s->o.model.seed, seconds(s->start, now), busy, (double)cycles / busy);
	fprintf(f, "\"dma_faults\": %llu,\n\"servers\": [", (unsigned long long)faults);
	for (unsigned int i = 0; i < s->nfn; i++) {
		const struct vhp_server_stats *h = vhp_server_stats(s->fn[i]);
		const struct vfu_stats *v = vfu_get_stats(vhp_server_vfu(s->fn[i]));

		fprintf(f,
			"%s\n  {\"function\": %u, \"irqs\": %llu, \"irqs_untied\": %llu, \"irqs_foreign\": %llu, \"clients\": %llu, "
			"\"refused\": %llu, \"messages\": %llu, \"errors\": %llu, \"disconnected_for_fault\": %llu}",
			i ? "," : "", i, (unsigned long long)h->irqs, (unsigned long long)h->irqs_untied,
			(unsigned long long)h->irqs_foreign, (unsigned long long)v->clients,
			(unsigned long long)v->refused, (unsigned long long)v->messages, (unsigned long long)v->errors,
			(unsigned long long)v->disconnected_for_fault);
	}
	fprintf(f, "\n],\n\"model\": ");
	vhp_model_stats_json(s->m, f);
	fprintf(f, "}\n");
	if (fclose(f)) {
		fprintf(stderr, "vhp-sim: --stats %s: %s\n", s->o.stats, strerror(errno));
		return 1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------ callbacks of the model */

static void on_msix(void *arg, unsigned int fn, uint64_t addr, uint32_t data)
{
	struct sim *s = arg;

	if (fn < s->nfn && s->fn[fn])
		vhp_server_msix(s->fn[fn], addr, data);
}

static void on_dma_fault(void *arg, unsigned int fn, bool write, uint64_t addr, unsigned int bytes)
{
	struct sim *s = arg;
	uint64_t n = vhp_model_stats(s->m)->fn[fn].dma_faults;

	if (n <= FAULTS_LOGGED || n % 1000 == 0)
		fprintf(stderr,
			"vhp-sim: cycle %llu: DMA fault %llu of fn%u: %s of %u bytes at 0x%llx is outside its mappings\n",
			(unsigned long long)vhp_model_cycle(s->m), (unsigned long long)n, fn, write ? "write" : "read",
			bytes, (unsigned long long)addr);
}

static void remove_sockets(void)
{
	struct sim *s = the_sim;

	for (unsigned int i = 0; s && i < s->nfn; i++) {
		char path[PATH_MAX];

		if (s->fn[i] && snprintf(path, sizeof(path), "%s/fn%u.sock", s->o.dir, i) < (int)sizeof(path))
			unlink(path);
	}
}

/* ------------------------------------------------------------------------------------------ running */

static bool booted(void *arg)
{
	return vhp_model_config_enabled(arg);
}

static void run_chunk(struct sim *s)
{
	for (unsigned int i = 0; i < CHUNK && !vhp_model_idle(s->m); i++)
		vhp_model_step(s->m, 1);
}

/* Until a signal comes. The clock runs only while something is pending; else the process sleeps in poll. */
static void serve(struct sim *s)
{
	for (bool busy = true;;) {
		struct pollfd fds[1 + VHP_MODEL_MAX_FN * VFU_MAX_POLL];
		unsigned int n = 0, first[VHP_MODEL_MAX_FN + 1];
		uint64_t before;

		fds[n++] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
		for (unsigned int i = 0; i < s->nfn; i++) {
			first[i] = n;
			n += vfu_poll_fds(vhp_server_vfu(s->fn[i]), &fds[n]);
		}
		first[s->nfn] = n;
		if (poll(fds, n, busy ? 0 : -1) < 0 && errno != EINTR) {
			perror("vhp-sim: poll");
			return;
		}
		if (fds[0].revents)
			return;
		before = vhp_model_cycle(s->m);
		for (unsigned int i = 0; i < s->nfn; i++) {
			bool ready = false;

			for (unsigned int k = first[i]; k < first[i + 1]; k++)
				ready |= fds[k].revents != 0;
			/* A posted write shows in card_idle_o some register stages after it came: until then do not look. */
			if (ready && vfu_process(vhp_server_vfu(s->fn[i])))
				vhp_model_step(s->m, 16);
		}
		run_chunk(s);
		busy = !vhp_model_idle(s->m) || vhp_model_cycle(s->m) - before > CHUNK;
	}
}

static int start(struct sim *s)
{
	char plusarg[PATH_MAX + 16];
	const char *argv[] = { plusarg };
	int rc;

	snprintf(plusarg, sizeof(plusarg), "+firmware=%s", s->o.firmware);
	s->top = vhp_verilated_create(s->o.model.seed, 1, argv);
	if (s->o.trace && vhp_verilated_trace(s->top, s->o.trace)) {
		fprintf(stderr, "vhp-sim: --trace %s: cannot be written\n", s->o.trace);
		return 1;
	}
	s->m = vhp_model_create(&s->o.model, &vhp_verilated_ops, s->top);
	if (!s->m)
		return 1;
	if (vhp_model_run_until(s->m, booted, s->m, BOOT_CYCLES)) {
		fprintf(stderr, "vhp-sim: the firmware %s did not enable configuration space within %llu cycles\n",
			s->o.firmware, BOOT_CYCLES);
		return 1;
	}
	if (mkdir(s->o.dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "vhp-sim: --socket-dir %s: %s\n", s->o.dir, strerror(errno));
		return 1;
	}
	the_sim = s;
	atexit(remove_sockets);
	for (unsigned int i = 0; i < s->nfn; i++) {
		rc = vhp_server_create(s->m, i, s->o.dir, &s->fn[i]);
		if (rc) {
			fprintf(stderr, "vhp-sim: %s/fn%u.sock: %s\n", s->o.dir, i,
				rc == -EADDRINUSE ? "another process serves this socket" : strerror(-rc));
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
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
	static struct sim s;
	sigset_t set;
	int rc;

	vhp_model_defaults(&s.o.model);
	s.o.ports = MAX_PORTS;
	s.o.model.dma_faults_fatal = false;
	if (argp_parse(&parser, argc, argv, 0, NULL, &s.o))
		return 1;
	if (s.o.model.window != OWN_WINDOW) {
		run_other(argv);
		return 1;
	}
	if (!s.o.firmware)
		s.o.firmware = default_firmware();
	if (!s.o.firmware || !readable(s.o.firmware, "firmware"))
		return 1;
	/* The card always has its functions; --ports says how many are offered. */
	s.o.model.nfn = MAX_PORTS + 1;
	s.nfn = s.o.ports + 1;
	s.o.model.arg = &s;
	s.o.model.on_msix = on_msix;
	s.o.model.on_dma_fault = on_dma_fault;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	clock_gettime(CLOCK_MONOTONIC, &s.start);

	rc = start(&s);
	if (!rc) {
		printf("ready\n");
		fflush(stdout);
		serve(&s);
		if (s.o.stats)
			rc = write_stats(&s);
	}
	for (unsigned int i = 0; i < s.nfn; i++)
		vhp_server_destroy(s.fn[i]);
	the_sim = NULL;
	vhp_model_destroy(s.m);
	vhp_verilated_destroy(s.top);
	return rc;
}
