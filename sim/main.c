/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhp-sim: the simulated card with each function on a vfio-user socket.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "flash.h"
#include "options.h"
#include "server.h"

#define CHUNK 64u		/* cycles between two looks at the sockets */
#define BOOT_CYCLES 20000000ull /* 80 ms of simulated time until configuration space must be on */
#define FAULTS_LOGGED 20u	/* DMA faults written to the log one by one */
#define IDCODE 0x04b37093u	/* of vhp_card's parameters in simulation: an XCU200 */
#define DOWN_CYCLES 500000u	/* 2 ms without link while an image is loaded; a real part takes longer */
#define DOWN_STEP 4096u		/* of them between two looks at the sockets */

/* Which window the Verilated card of this program has (sim.mk). */
#define OWN_WINDOW (VHP_CONFIG_FULL ? VHP_WINDOW_FULL : VHP_WINDOW_PCIE4)

/* The golden image of a new flash: build/obj-sim/golden.bin, made by rtl/boards/standin. */
extern const uint8_t _binary_golden_bin_start[], _binary_golden_bin_end[];

enum card {
	CARD_RUNS,
	CARD_LOADS, /* link down */
	CARD_BOOTS, /* link up, the firmware is not there yet */
	CARD_DARK   /* no image is good */
};

struct sim {
	struct options o;
	struct flash *flash;
	enum card card;
	uint64_t since;	     /* cycle of the last change */
	unsigned int images; /* loaded so far */
	void *top;
	struct vhp_model *m;
	struct vhp_server *fn[VHP_MODEL_MAX_FN];
	unsigned int nfn;
	int signals;
	struct timespec start;
};

/* For the clean-up when a broken rule ends the process from inside the model. */
static struct sim *the_sim;

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
	fprintf(f, "\n],\n\"flash\": ");
	flash_stats_json(s->flash, f);
	fprintf(f, ",\n\"model\": ");
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

static void on_flash(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "vhp-sim: flash: %s\n", text);
}

/* A call that blocks for long, e.g. because the firmware is dead, ends when a signal comes. */
static bool on_stop(void *arg)
{
	const struct sim *s = arg;
	struct pollfd p = { .fd = s->signals, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
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

/* A configured part: every register and memory as the image has them. */
static int power_on(struct sim *s)
{
	char plusarg[PATH_MAX + 16], trace[PATH_MAX + 16];
	const char *argv[] = { plusarg }, *dot;

	snprintf(plusarg, sizeof(plusarg), "+firmware=%s", s->o.firmware);
	s->top = vhp_verilated_create(s->o.model.seed + s->images, 1, argv);
	if (!s->o.trace)
		return 0;
	dot = strrchr(s->o.trace, '.');
	if (!dot || strchr(dot, '/'))
		dot = s->o.trace + strlen(s->o.trace);
	if (s->images)
		snprintf(trace, sizeof(trace), "%.*s.%u%s", (int)(dot - s->o.trace), s->o.trace, s->images, dot);
	else
		snprintf(trace, sizeof(trace), "%s", s->o.trace);
	if (vhp_verilated_trace(s->top, trace) == 0)
		return 0;
	fprintf(stderr, "vhp-sim: --trace %s: cannot be written\n", trace);
	return 1;
}

static void become(struct sim *s, enum card card)
{
	s->card = card;
	s->since = vhp_model_cycle(s->m);
}

/* What the host does with pci-pf-stub and sriov_numvfs, for the ports that are virtual functions. */
static int enable_vfs(struct sim *s)
{
	int rc = s->nfn > VHP_MODEL_FIRST_VF ? vhp_model_sriov(s->m, s->nfn - VHP_MODEL_FIRST_VF) : 0;

	if (rc)
		fprintf(stderr, "vhp-sim: the virtual functions cannot be enabled: %s\n", strerror(-rc));
	return rc;
}

/* After IPROG: the link is down for a while, the image is loaded, the firmware boots. Called between other work. */
static void load_card(struct sim *s)
{
	uint64_t passed = vhp_model_cycle(s->m) - s->since;

	if (s->card == CARD_RUNS && !vhp_model_link_up(s->m)) {
		fprintf(stderr, "vhp-sim: IPROG: the link is down\n");
		for (unsigned int i = 0; i < s->nfn; i++)
			vhp_server_link_down(s->fn[i]);
		become(s, CARD_LOADS);
	} else if (s->card == CARD_LOADS && passed < DOWN_CYCLES) {
		vhp_model_step(s->m, DOWN_STEP);
	} else if (s->card == CARD_LOADS) {
		vhp_verilated_destroy(s->top);
		s->top = NULL;
		s->images++;
		if (!flash_reload(s->flash) || power_on(s)) {
			fprintf(stderr, "vhp-sim: no image runs: the card stays away\n");
			become(s, CARD_DARK);
			return;
		}
		vhp_model_link_restore(s->m, s->top);
		become(s, CARD_BOOTS);
	} else if (s->card == CARD_BOOTS && booted(s->m)) {
		fprintf(stderr, "vhp-sim: the link is up\n");
		enable_vfs(s);
		for (unsigned int i = 0; i < s->nfn; i++)
			vhp_server_link_up(s->fn[i]);
		become(s, CARD_RUNS);
	} else if (s->card == CARD_BOOTS && passed > BOOT_CYCLES) {
		fprintf(stderr, "vhp-sim: the firmware did not enable configuration space: the card stays away\n");
		become(s, CARD_DARK);
	} else if (s->card == CARD_BOOTS) {
		vhp_model_step(s->m, CHUNK);
	}
}

static void run_chunk(struct sim *s)
{
	for (unsigned int i = 0; i < CHUNK && !vhp_model_idle(s->m); i++)
		vhp_model_step(s->m, 1);
	load_card(s);
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
		busy = !vhp_model_idle(s->m) || vhp_model_cycle(s->m) - before > CHUNK || s->card == CARD_LOADS ||
			s->card == CARD_BOOTS;
	}
}

static int open_flash(struct sim *s)
{
	const struct flash_config cfg = {
		.path = s->o.flash,
		.divide = s->o.flash_divide,
		.idcode = IDCODE,
		.golden = _binary_golden_bin_start,
		.golden_len = (uint32_t)(_binary_golden_bin_end - _binary_golden_bin_start),
		.log = on_flash,
	};
	int rc = flash_create(&cfg, &s->flash);

	if (!rc)
		return 0;
	fprintf(stderr, "vhp-sim: --flash %s: %s\n", s->o.flash ? s->o.flash : "(memory)",
		rc == -EFBIG		? "the contents are a file of 128 MiB"
			: rc == -EBUSY	? "another process uses it"
			: rc == -ENOENT ? "no image in it runs"
					: strerror(-rc));
	return 1;
}

static int start(struct sim *s)
{
	int rc;

	if (open_flash(s) || power_on(s))
		return 1;
	s->o.model.side = flash_cycle;
	s->o.model.side_busy = flash_busy;
	s->o.model.side_arg = s->flash;
	s->m = vhp_model_create(&s->o.model, &vhp_verilated_ops, s->top);
	if (!s->m)
		return 1;
	rc = vhp_model_run_until(s->m, booted, s->m, BOOT_CYCLES);
	if (rc) {
		if (rc == -ETIMEDOUT)
			fprintf(stderr,
				"vhp-sim: the firmware %s did not enable configuration space within %llu cycles\n",
				s->o.firmware, BOOT_CYCLES);
		return 1;
	}
	if (enable_vfs(s))
		return 1;
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
	static struct sim s;
	sigset_t set;
	int rc;

	if (options_parse(argc, argv, &s.o))
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
	s.o.model.stop = on_stop;

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
	flash_destroy(s.flash);
	return rc;
}
