/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhp-vdpad: owns function 0 of a card and serves one vhost-user socket per port.
 *
 * A thin frame around the vDPA plugin: it turns options into device arguments (options.c), starts DPDK, and ends it in the
 * order that leaves nothing behind. Main thread: set-up, then waits; signal thread: SIGTERM and SIGINT.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_vdpa.h>

#include "vhp_vdpad.h"

#define VDEV "vdpa_vhost_pci0"
#define MAX_ARGS (MAX_EAL + 32) /* of EAL: those of --eal and ours */

/* ----------------------------------------------------------------------------------------------------------- set-up */

/* Our own dlopen: EAL refuses files below world-writable directories, and says less when it cannot load one. */
static void load_plugin(const struct config *c)
{
	static const char *const places[] = { "../lib/" PLUGIN, "../lib/vhost-pci-net/" PLUGIN, PLUGIN };
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n;
	char *slash;

	if (c->plugin) {
		if (!dlopen(c->plugin, RTLD_NOW))
			die("cannot load the driver: %s", dlerror());
		return;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		die("cannot tell where this program is; give --plugin FILE");
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", self, places[i]);
		if (access(path, F_OK))
			continue;
		if (!dlopen(path, RTLD_NOW))
			die("cannot load the driver: %s", dlerror());
		return;
	}
	die("%s is neither in %s/../lib nor in %s/../lib/vhost-pci-net; give --plugin FILE", PLUGIN, self, self);
}

/* All CPUs that this process may use: its threads sleep nearly always and must not be stuck on a busy one. */
static void make_lcores(char *text, size_t size)
{
	cpu_set_t set;
	bool first = true;

	snprintf(text, size, "0@(");
	if (sched_getaffinity(0, sizeof(set), &set))
		die("cannot read the CPU affinity: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		append(text, size, "%s%d", first ? "" : ",", cpu);
		first = false;
	}
	append(text, size, ")");
}

static bool in_use(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	bool used;
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	used = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	if (fd >= 0)
		close(fd);
	return used;
}

static char runtime_dir[PATH_MAX];

static void remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
}

/* Directories that killed daemons left. */
static void remove_stale_dirs(void)
{
	char base[PATH_MAX], dir[PATH_MAX + NAME_MAX + 2];
	struct dirent *e;
	char *slash;
	DIR *d;

	snprintf(base, sizeof(base), "%s", runtime_dir);
	slash = strrchr(base, '/');
	if (!slash)
		return;
	*slash = '\0';
	d = opendir(base);
	while (d && (e = readdir(d)) != NULL) {
		int pid = 0, end = 0;

		if (sscanf(e->d_name, PROGRAM ".%d%n", &pid, &end) != 1 || e->d_name[end] || pid <= 0 ||
		    pid == getpid())
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", base, e->d_name);
		if (kill(pid, 0) && errno == ESRCH)
			remove_dir(dir);
	}
	if (d)
		closedir(d);
}

/*
 * The driver tells rte_vhost that it has not configured its device (vdpa_ops.c says why), and rte_vhost logs after each message
 * that this failed. Nothing is wrong then; whatever is has a line of the driver's own.
 */
static ssize_t write_log(void *cookie, const char *text, size_t len)
{
	(void)cookie;
	if (!memmem(text, len, "failed to configure vDPA device", 31))
		(void)!fwrite(text, 1, len, stderr);
	return (ssize_t)len;
}

static void filter_log(void)
{
	static const cookie_io_functions_t io = { .write = write_log };
	FILE *f = fopencookie(NULL, "w", io);

	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, 1024);
	rte_openlog_stream(f);
}

static void start_eal(struct config *c)
{
	char lcores[1024], allow[sizeof(c->devargs) + 64];
	char *argv[MAX_ARGS];
	int argc = 0;

	make_lcores(lcores, sizeof(lcores));
#define ARG(text) (argv[argc++] = (char *)(uintptr_t)(text))
	ARG(PROGRAM);
	ARG("--file-prefix");
	ARG(c->prefix);
	ARG("--lcores");
	ARG(lcores);
	if (c->huge) {
		ARG("--in-memory");
	} else {
		ARG("--no-huge");
		ARG("--no-shconf");
	}
	ARG("-m");
	ARG(c->memory);
	if (c->pci) {
		snprintf(allow, sizeof(allow), "%s,%s", c->pci, c->devargs);
		ARG("-a");
		ARG(allow);
	} else {
		ARG("--no-pci");
	}
	ARG(c->verbose > 1 ? "--log-level=*:debug" : c->verbose ? "--log-level=*:info" : "--log-level=*:warning");
	if (c->verbose < 2)
		ARG("--log-level=pmd.vdpa.vhost_pci:info");
	for (unsigned int i = 0; i < c->num_eal; i++)
		ARG(c->eal[i]);
	argv[argc] = NULL;
#undef ARG
	filter_log();
	if (rte_eal_init(argc, argv) < 0)
		die("DPDK does not start: %s (-v shows more)", rte_strerror(rte_errno));
	snprintf(runtime_dir, sizeof(runtime_dir), "%s", rte_eal_get_runtime_dir());
	remove_stale_dirs();
}

/* --------------------------------------------------------------------------------------------------------- shut-down */

#define REMOVE_LIMIT_S 20 /* to let go of a card that is gone */

static atomic_bool serving;
static atomic_bool card_gone;
static sem_t stop;

/*
 * Not exit() and not rte_eal_cleanup(): the vhost thread of DPDK 24.11 goes on running and would find its memory gone.
 */
static void leave(int status) __attribute__((noreturn));

static void leave(int status)
{
	if (runtime_dir[0])
		remove_dir(runtime_dir);
	fflush(NULL);
	_exit(status);
}

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, PROGRAM ": ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	leave(EXIT_FAILURE);
}

/* Tells systemd, if it started this as Type=notify (sd_notify(3)). */
static void notify(const char *state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* From the driver, which has said why. Whoever restarts this program has it probe again: Restart=on-failure. */
static void on_device(const char *name, enum rte_dev_event_type event, void *arg)
{
	(void)arg;
	if (event != RTE_DEV_EVENT_REMOVE)
		return;
	fprintf(stderr, PROGRAM ": %s is gone: ending\n", name);
	atomic_store(&card_gone, true);
	sem_post(&stop);
}

static void *signal_thread(void *arg)
{
	sigset_t *set = arg;
	time_t first = 0;
	int sig;

	for (;;) {
		struct timespec now;

		if (sigwait(set, &sig))
			continue;
		if (!atomic_load(&serving))
			leave(EXIT_SUCCESS); /* the card may take its time to answer */
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (first == 0) {
			first = now.tv_sec + 1;
			sem_post(&stop);
		} else if (now.tv_sec > first + 1) { /* shells and timeout(1) like to signal twice */
			fprintf(stderr, PROGRAM ": signalled again, ending at once\n");
			leave(EXIT_FAILURE);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct config c;
	static sigset_t signals;
	pthread_t thread;
	char path[PATH_MAX + 32];

	options_parse(argc, argv, &c);
	if (c.socket && access(c.socket, F_OK))
		die("%s: %s (start vhp-sim first, --socket names its DIR/fn0.sock)", c.socket, strerror(errno));

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	sem_init(&stop, 0, 0);
	if (pthread_create(&thread, NULL, signal_thread, &signals))
		die("cannot start a thread: %s", strerror(errno));

	/* Known only once EAL runs, but the file prefix must be free before. */
	if (c.prefix != c.default_prefix) {
		const char *base = getuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");

		snprintf(path, sizeof(path), "%s/dpdk/%s/dpdk_telemetry.v2", base ? base : "/tmp", c.prefix);
		if (in_use(path))
			die("another process has --file-prefix %s", c.prefix);
	}
	load_plugin(&c);
	if (rte_dev_event_callback_register(NULL, on_device, NULL))
		die("cannot register for device events");
	start_eal(&c);
	if (c.socket && rte_eal_hotplug_add("vdev", VDEV, c.devargs))
		die("cannot serve with the card at %s: the reason is above", c.socket);
	if (c.pci && !rte_vdpa_find_device_by_name(c.pci))
		die("cannot serve with %s: see above; is it function 0 (10ee:5650) of the card and bound to vfio-pci?",
		    c.pci);

	atomic_store(&serving, true);
	printf("ready\n");
	fflush(stdout);
	notify("READY=1");

	while (sem_wait(&stop) && errno == EINTR)
		;
	notify("STOPPING=1");
	if (atomic_load(&card_gone))
		alarm(REMOVE_LIMIT_S);
	rte_eal_hotplug_remove(c.pci ? "pci" : "vdev", c.pci ? c.pci : VDEV);
	leave(atomic_load(&card_gone) ? EXIT_FAILURE : EXIT_SUCCESS);
}
