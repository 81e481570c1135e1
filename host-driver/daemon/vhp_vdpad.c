/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhp-vdpad: owns function 0 of a card and serves one vhost-user socket per port.
 *
 * A thin frame around the vDPA plugin: it turns options into device arguments, starts DPDK, and ends it in the order that
 * leaves nothing behind. Main thread: set-up, then waits; signal thread: SIGTERM and SIGINT.
 */
#include <argp.h>
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

#include "vdpa_args.h"

#define PROGRAM "vhp-vdpad"
#define VDEV "vdpa_vhost_pci0"
#define PLUGIN "librte_vdpa_vhost_pci.so"
#define MAX_SETTINGS 64
#define MAX_EAL 64

const char *argp_program_version = PROGRAM " " VHP_VERSION;

enum {
	OPT_UUID = 0x100,
	OPT_MAC,
	OPT_ID,
	OPT_QUEUES,
	OPT_PV,
	OPT_APERTURE,
	OPT_OFFLOADS,
	OPT_RENEGOTIATE,
	OPT_GSI,
	OPT_MTU,
	OPT_TIMEOUT,
	OPT_CLIENT,
	OPT_PREFIX,
	OPT_HUGE,
	OPT_NO_HUGE,
	OPT_MEMORY,
	OPT_PLUGIN,
	OPT_EAL,
};

static const struct argp_option options[] = {
	{ .doc = "The card, one of:" },
	{ "socket", 's', "PATH", 0, "simulated card: vfio-user socket of function 0 (DIR/fn0.sock of vhp-sim)", 0 },
	{ "pci", 'p', "ADDRESS", 0, "PCI function 0 bound to vfio-pci, like 0000:03:00.0", 0 },
	{ .doc = "Ports (give --iface once per front end):" },
	{ "iface", 'i', "PATH", 0, "vhost-user socket of the next port of the card: 0, 1, ...", 0 },
	{ "port", 'n', "N", 0, "the next --iface is port N of the card", 0 },
	{ .doc = "Settings of the port of the last --iface; before the first --iface: of every port" },
	{ "client", OPT_CLIENT, NULL, 0, "connect to the socket, and again whenever it is lost, instead of listening",
	  0 },
	{ "uuid", OPT_UUID, "UUID", 0, "shown to the vhost-pci driver as the peer's (default: zeros)", 0 },
	{ "mac", OPT_MAC, "MAC", 0, "MAC address of the vhost-pci-net device (default: a local one made of the port)",
	  0 },
	{ "vhost-pci-id", OPT_ID, "N", 0,
	  "id in the control messages (default: made of the card's address and the port)", 0 },
	{ "queues", OPT_QUEUES, "N", 0, "queue pairs (default: all that the card has)", 0 },
	{ "pv-interrupt", OPT_PV, NULL, 0, "offer VIRTIO_F_PV_INTERRUPT: the driver may interrupt the peer itself", 0 },
	{ "aperture", OPT_APERTURE, "on|off", 0,
	  "show the front end's memory to the vhost-pci driver, all of it, through a BAR (default: off)", 0 },
	{ "offloads", OPT_OFFLOADS, "on|off", 0,
	  "offer checksum and segmentation offloads to the front end, for a driver in the other machine that takes large packets "
	  "(DPDK: TCP_LRO receive offload); another one costs the front end its connection (default: off)",
	  0 },
	{ "renegotiate", OPT_RENEGOTIATE, NULL, 0,
	  "when the driver refuses a feature, disconnect the front end even if it need not know, so that it negotiates again",
	  0 },
	{ "gsi", OPT_GSI, "N[:N...]", 0,
	  "peer_rx_queue_gsi: one number for RX queue 0, the next queues add 1; or one for each queue (default: the MSI-X "
	  "vectors of function 0)",
	  0 },
	{ "mtu", OPT_MTU, "N", 0, "MTU of the vhost-pci-net device (default: 1500)", 0 },
	{ "connect-timeout", OPT_TIMEOUT, "MS", 0, "patience with an unresponsive driver (default: 5000)", 0 },
	{ .doc = "Process:" },
	{ "file-prefix", OPT_PREFIX, "NAME", 0, "DPDK's name of this process (default: " PROGRAM ".PID)", 0 },
	{ "no-huge", OPT_NO_HUGE, NULL, 0, "use ordinary memory (default)", 0 },
	{ "huge", OPT_HUGE, NULL, 0, "use hugepages", 0 },
	{ "memory", OPT_MEMORY, "MB", 0, "DPDK's memory (default: 64)", 0 },
	{ "plugin", OPT_PLUGIN, "FILE", 0, "vDPA driver (default: " PLUGIN " in ../lib of this program)", 0 },
	{ "eal", OPT_EAL, "ARG", 0, "one more argument for DPDK's EAL", 0 },
	{ "verbose", 'v', NULL, 0, "show what DPDK says; twice: in detail", 0 },
	{ 0 },
};

struct setting {
	int port; /* of the card; -1: before the first --iface */
	const char *key;
	const char *value;
	const char *option;
	bool shared; /* may be given once for several ports */
};

struct config {
	const char *socket, *pci, *prefix, *plugin, *memory;
	bool huge;
	int verbose;
	unsigned int num_ports, num_settings, num_eal;
	int port, next_port;
	struct setting settings[MAX_SETTINGS];
	const char *eal[MAX_EAL];
	char default_prefix[32], pci_name[64];
	char devargs[4096];
};

static void add_setting(struct argp_state *state, const char *key, const char *value, const char *option, bool shared)
{
	struct config *c = state->input;

	char err[256];

	if (vdpa_args_check(key, option, value, err, sizeof(err)))
		argp_error(state, "%s", err);
	if (c->num_settings == MAX_SETTINGS)
		argp_error(state, "too many settings");
	c->settings[c->num_settings++] = (struct setting){ c->port, key, value, option, shared };
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;
	struct vdpa_value v = { .value = arg };
	char err[256];
	uint64_t n = 0;

	v.err = err;
	v.errlen = sizeof(err);
	switch (key) {
	case 's':
		if (vdpa_args_check("socket", "--socket", arg, err, sizeof(err)))
			argp_error(state, "%s", err);
		c->socket = arg;
		break;
	case 'p':
		/* DPDK's name of the device has the domain. */
		snprintf(c->pci_name, sizeof(c->pci_name), "%s%s", strchr(arg, ':') == strrchr(arg, ':') ? "0000:" : "",
			 arg);
		c->pci = c->pci_name;
		break;
	case 'n':
		v.what = "--port";
		if (vdpa_value_number(&v, 0, VDPA_MAX_PORTS - 1, &n))
			argp_error(state, "%s", err);
		c->next_port = (int)n;
		break;
	case 'i':
		if (c->next_port >= (int)VDPA_MAX_PORTS)
			argp_error(state, "--iface %s: there is no port %d", arg, c->next_port);
		c->port = c->next_port++;
		c->num_ports++;
		add_setting(state, "iface", arg, "--iface", false);
		break;
	case OPT_CLIENT:
		add_setting(state, "client", "1", "--client", true);
		break;
	case OPT_UUID:
		add_setting(state, "uuid", arg, "--uuid", false);
		break;
	case OPT_MAC:
		add_setting(state, "mac", arg, "--mac", false);
		break;
	case OPT_ID:
		add_setting(state, "vhost_pci_id", arg, "--vhost-pci-id", false);
		break;
	case OPT_QUEUES:
		add_setting(state, "queues", arg, "--queues", true);
		break;
	case OPT_PV:
		add_setting(state, "pv_interrupt", "1", "--pv-interrupt", true);
		break;
	case OPT_APERTURE:
		add_setting(state, "aperture", arg, "--aperture", true);
		break;
	case OPT_OFFLOADS:
		add_setting(state, "offloads", arg, "--offloads", true);
		break;
	case OPT_RENEGOTIATE:
		add_setting(state, "renegotiate", "1", "--renegotiate", true);
		break;
	case OPT_GSI:
		add_setting(state, "gsi", arg, "--gsi", false);
		break;
	case OPT_MTU:
		add_setting(state, "mtu", arg, "--mtu", true);
		break;
	case OPT_TIMEOUT:
		add_setting(state, "connect_timeout", arg, "--connect-timeout", true);
		break;
	case OPT_PREFIX:
		v.what = "--file-prefix";
		if (vdpa_value_prefix(&v))
			argp_error(state, "%s", err);
		c->prefix = arg;
		break;
	case OPT_HUGE:
		c->huge = true;
		break;
	case OPT_NO_HUGE:
		c->huge = false;
		break;
	case OPT_MEMORY:
		v.what = "--memory";
		if (vdpa_value_number(&v, 16, 65536, &n))
			argp_error(state, "%s (megabytes)", err);
		c->memory = arg;
		break;
	case OPT_PLUGIN:
		c->plugin = arg;
		break;
	case OPT_EAL:
		if (c->num_eal == MAX_EAL - 32)
			argp_error(state, "too many --eal");
		c->eal[c->num_eal++] = arg;
		break;
	case 'v':
		c->verbose++;
		break;
	case ARGP_KEY_END:
		if (!c->socket == !c->pci)
			argp_error(state, "give the card: either --socket PATH or --pci ADDRESS");
		if (c->num_ports == 0)
			argp_error(state, "give at least one --iface PATH, the vhost-user socket of a front end");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Serve vhost-user front ends (virtual machines) with function 0 of a vhost-pci card.\v"
	       "Prints \"ready\" when the sockets accept front ends. SIGTERM or SIGINT end it: front ends are disconnected, the "
	       "sockets removed. Exit status: 0 after a signal, 1 if it cannot serve, 64 for wrong arguments.\n\n"
	       "Example, two ports of a simulated card:\n"
	       "  " PROGRAM " --socket /run/card/fn0.sock --iface /run/vm1.sock --mac 02:00:00:00:00:01 "
	       "--iface /run/vm2.sock\n\n"
	       "vhpctl(1) shows state and counters.",
};

/* ----------------------------------------------------------------------------------------------------------- set-up */

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + used, size - used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size - used)
		die("the arguments are too long");
}

static void make_devargs(struct config *c)
{
	if (c->socket)
		append(c->devargs, sizeof(c->devargs), "socket=%s", c->socket);
	for (unsigned int i = 0; i < c->num_settings; i++) {
		struct setting *s = &c->settings[i];
		int port = s->port;

		if (port < 0 && !s->shared) {
			if (c->num_ports > 1)
				die("%s %s: which port? Give it after its --iface", s->option, s->value);
			port = c->port;
		}
		append(c->devargs, sizeof(c->devargs), "%s%s", c->devargs[0] ? "," : "", s->key);
		if (port >= 0)
			append(c->devargs, sizeof(c->devargs), "%d", port);
		append(c->devargs, sizeof(c->devargs), "=%s", s->value);
	}
}

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
	char *argv[MAX_EAL + 32];
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

static atomic_bool serving;
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

static void die(const char *fmt, ...)
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
	static struct config c = { .port = -1, .memory = "64" };
	static sigset_t signals;
	pthread_t thread;
	char path[PATH_MAX + 32];

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (!c.prefix) {
		snprintf(c.default_prefix, sizeof(c.default_prefix), PROGRAM ".%d", (int)getpid());
		c.prefix = c.default_prefix;
	}
	make_devargs(&c);
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
	rte_eal_hotplug_remove(c.pci ? "pci" : "vdev", c.pci ? c.pci : VDEV);
	leave(EXIT_SUCCESS);
}
