/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhp-sim's sockets against clients of every kind: good, hostile, slow, sudden. After each of them the same socket serves
 * the next client, the other function has never stopped answering, and no descriptor is left in the server.
 *
 * Usage: sim-vfio-user VHP-SIM FIRMWARE [SEED]; VHP_TEST_DIR is the directory for sockets and logs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bits.h"
#include "vfio_user_client.h"

static unsigned int passed, failed;
static const char *sim_path, *firmware;
static pid_t sim;
static struct vhp_rng rng;
static int other = -1; /* a client of function 2 that is served all the time */

static void verdict(bool ok, const char *name)
{
	passed += ok;
	failed += !ok;
	if (!ok)
		printf("FAILED %s\n", name);
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------------ the server's process */

static pid_t start_sim(const char *log, int *out, const char *const *args)
{
	const char *argv[16] = { sim_path, "--socket-dir", "sockets", "--firmware", firmware };
	unsigned int n = 5;
	int pipefd[2];
	pid_t pid;

	while (*args)
		argv[n++] = *args++;
	if (pipe(pipefd))
		exit(1);
	pid = fork();
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		dup2(pipefd[1], 1);
		dup2(fd, 2);
		close(pipefd[0]);
		close(pipefd[1]);
		execv(sim_path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipefd[1]);
	*out = pipefd[0];
	return pid;
}

static int exit_code(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static bool in_file(const char *name, const char *text)
{
	char buf[4096] = "";
	FILE *f = fopen(name, "r");

	if (!f)
		return false;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	return strstr(buf, text);
}

/* Exit code of a run that has to end by itself; @p text must be in its messages. */
static void refuses(const char *name, const char *text, const char *const *args)
{
	int out, code = exit_code(start_sim("refused.log", &out, args));

	close(out);
	verdict(code > 0 && code < 126 && in_file("refused.log", text), name);
}

static unsigned int open_fds(void)
{
	char path[64];
	unsigned int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)sim);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static unsigned long cpu_ticks(void)
{
	char path[64], line[1024];
	unsigned long u = 0, s = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)sim);
	f = fopen(path, "r");
	if (f && fgets(line, sizeof(line), f))
		sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s);
	if (f)
		fclose(f);
	return u + s;
}

/* After each test: fn1 takes a new client, fn2's never lost its. */
static void all_well(const char *name)
{
	char text[200];
	uint32_t v = 0;
	int fd = client(1);

	snprintf(text, sizeof(text), "after \"%s\": the socket serves a new client", name);
	verdict(fd >= 0 && reg_read(fd, CONFIG, 0, 4, &v) == 0 && v == 0x107f1af4, text);
	if (fd >= 0)
		close(fd);
	snprintf(text, sizeof(text), "after \"%s\": the other function answers", name);
	verdict(reg_read(other, CONFIG, 0, 4, &v) == 0 && v == 0x107f1af4 && reg_read(other, 0, 0, 4, &v) == 0 &&
			(v & 0xff) == 9,
		text);
}

/* ------------------------------------------------------------------------------------------ tests */

static void test_good(void)
{
	int fd = client(1), ev[2] = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	uint32_t info[4] = { 16 }, region[8] = { 32, 0, 0 }, aperture[8] = { 32, 0, 2 }, irq[4] = { 16, 0, 2 }, v;
	uint64_t n, multi[7] = { 2, 0x20, (uint64_t)4 << 32, 1, 0x24, (uint64_t)4 << 32, 2 };
	int mem = memfd_create("m", MFD_CLOEXEC);

	verdict(fd >= 0, "version");
	verdict(call(fd, GET_INFO, info, 16, NULL, 0, info, 16) == 16 && info[1] == 3 && info[2] == 9 && info[3] == 5,
		"device info");
	verdict(call(fd, GET_REGION_INFO, region, 32, NULL, 0, region, 32) == 32 && region[1] == 3 &&
			region[4] == 0x40000,
		"BAR 0 info");
	verdict(call(fd, GET_REGION_INFO, aperture, 32, NULL, 0, aperture, 32) == 32 && aperture[1] == 3 &&
			aperture[4] == 0 && aperture[5] == 1,
		"BAR 2 info: 4 GiB");
	verdict(!reg_read(fd, 2, 0xfffffffd, 3, &v) && (v & 0xffffff) == 0xffffff &&
			reg_write(fd, 2, 0x7ffffffe, 4, 0) >= 0,
		"a closed aperture reads as ones, writes vanish");
	verdict(call(fd, GET_IRQ_INFO, irq, 16, NULL, 0, irq, 16) == 16 && irq[1] == 1 && irq[3] == 32, "MSI-X info");
	verdict(!reg_read(fd, CONFIG, 0xb0, 4, &v) && (v & 0xff) == 9, "vendor capability at 0xb0");
	verdict(reg_write(fd, CONFIG, 4, 2, 6) >= 0 && !reg_read(fd, CONFIG, 4, 2, &v) && (v & 6) == 6,
		"bus master on");
	verdict(call(fd, WRITE_MULTI, multi, sizeof(multi), NULL, 0, NULL, 0) == 8, "several writes in a message");
	verdict(ftruncate(mem, 1 << 20) == 0 && dma_map(fd, 0x10000, 1 << 20, 0, mem) == 0, "map");
	verdict(dma_map(fd, 0x20000, 4096, 0, mem) == -EEXIST, "overlapping map is refused");
	verdict(dma_map(fd, 0x1000000, 4096, 1 << 20, mem) == -EINVAL, "map behind the file's end is refused");
	verdict(dma_map(fd, 0x1000000, 4096, 0, -1) == 0, "map without a descriptor");
	verdict(dma_unmap(fd, 0x20000, 4096) == -EINVAL, "unmap of a part is refused");
	verdict(dma_unmap(fd, 0, 1ull << 63) >= 0 && dma_map(fd, 0x20000, 4096, 0, mem) == 0,
		"unmap of everything, map again");
	verdict(set_irqs(fd, 0x24, 2, 0, 2, ev, 2) >= 0, "two vectors tied in one message");
	verdict(set_irqs(fd, 0x21, 2, 1, 1, NULL, 0) >= 0 && read(ev[1], &n, 8) == 8 && read(ev[0], &n, 8) < 0,
		"a vector fires as a test");
	verdict(call(fd, RESET, NULL, 0, NULL, 0, NULL, 0) == 0 && call(fd, RESET, NULL, 0, NULL, 0, NULL, 0) == 0,
		"reset, twice");
	verdict(!reg_read(fd, 0, 0x8000 + 16 + 8, 4, &v) && v == 0x4101, "reset keeps the tied vectors in the table");
	verdict(set_irqs(fd, 0x21, 2, 0, 0, NULL, 0) >= 0 && !reg_read(fd, 0, 0x8000 + 12, 4, &v) && (v & 1),
		"all untied: masked");
	verdict(reg_write(fd, CONFIG, 4, 2, 6) >= 0, "bus master on again");
	close(fd);
	fd = client(1);
	verdict(!reg_read(fd, CONFIG, 4, 2, &v) && (v & 6) == 2, "a new client finds bus mastership off");
	verdict(dma_map(fd, 0x20000, 4096, 0, mem) == 0, "a new client finds no mapping of the old one");
	close(fd);
	close(mem);
	close(ev[0]);
	close(ev[1]);
	all_well("good client");
}

static void test_refusals(void)
{
	int fd = client(1), null = open("/dev/null", O_RDWR), ev = eventfd(0, EFD_CLOEXEC), pair[2] = { ev, ev };
	uint32_t v, irq[5] = { 20, 0x22, 2, 0, 4 };

	verdict(reg_read(fd, 9, 0, 4, &v) == -EINVAL, "region 9");
	verdict(reg_read(fd, 3, 0, 4, &v) == -EINVAL, "absent region");
	verdict(reg_read(fd, 0, 0x40000, 4, &v) == -EINVAL, "offset behind the BAR");
	verdict(reg_read(fd, 0, 0x3fffe, 4, &v) == -EINVAL, "access across the BAR's end");
	verdict(reg_read(fd, 0, UINT64_MAX - 1, 4, &v) == -EINVAL, "offset that wraps");
	verdict(reg_read(fd, 0, 0, 0, &v) == -EINVAL, "count 0");
	verdict(reg_read(fd, 0, 0, 0xffffffff, &v) == -EINVAL, "count 4 GiB");
	verdict(set_irqs(fd, 0x24, 2, 31, 2, pair, 2) == -EINVAL, "vector 32");
	verdict(set_irqs(fd, 0x24, 2, 0xffffffff, 2, pair, 2) == -EINVAL, "vectors that wrap");
	verdict(set_irqs(fd, 0x24, 2, 0, 3, pair, 2) == -EINVAL, "two descriptors for three vectors");
	verdict(set_irqs(fd, 0x24, 2, 0, 1, &null, 1) == -EINVAL, "a descriptor that is no eventfd");
	verdict(set_irqs(fd, 0x24, 0, 0, 1, &ev, 1) == -EINVAL, "INTx, which is not there");
	verdict(set_irqs(fd, 0x2c, 77, 0, 1, &ev, 1) == -EINVAL, "interrupt index 77");
	verdict(set_irqs(fd, 0x21, 2, 4, 1, NULL, 0) == -EINVAL, "firing a vector that is not tied");
	verdict(call(fd, SET_IRQS, irq, sizeof(irq), NULL, 0, NULL, 0) == -EINVAL, "booleans that are missing");
	verdict(dma_map(fd, 0x1000, 0, 0, null) == -EINVAL, "map of nothing");
	verdict(dma_map(fd, UINT64_MAX - 4095, 8192, 0, null) == -EINVAL, "map that wraps");
	verdict(dma_map(fd, 0x1000, 4096, 0, null) < 0, "map of /dev/null");
	verdict(call(fd, 77, NULL, 0, NULL, 0, NULL, 0) == -ENOTSUP, "command 77");
	verdict(call(fd, 0, NULL, 0, NULL, 0, NULL, 0) == -ENOTSUP, "command 0");
	verdict(call(fd, VERSION, "\0\0\0\0", 4, NULL, 0, NULL, 0) == -EALREADY, "a second version");
	verdict(reg_read(fd, CONFIG, 0, 4, &v) == 0, "the client is still served");
	close(fd);
	close(null);
	close(ev);
	all_well("refusals");
}

static void test_hostile(void)
{
	uint8_t buf[4096], h[16];
	int fd, fds[64];
	unsigned int before = open_fds();

	fd = raw_connect(1);
	verdict(call(fd, GET_INFO, buf, 16, NULL, 0, NULL, 0) == -EPROTO && hung_up(fd), "command before the version");
	fd = raw_connect(1);
	verdict(call(fd, VERSION, "\1\0\0\0", 4, NULL, 0, NULL, 0) == -EINVAL && hung_up(fd), "version 1.0");
	fd = raw_connect(1);
	verdict(call(fd, VERSION, "\0\0\0\0{nonsense", 14, NULL, 0, NULL, 0) == -EINVAL && hung_up(fd),
		"version text that is no JSON");
	for (unsigned int i = 0; i < 20; i++) {
		fd = i % 2 ? client(1) : raw_connect(1);
		for (unsigned int k = 0; k < sizeof(buf); k++)
			buf[k] = (uint8_t)rng_next(&rng);
		send(fd, buf, 16 + rng_below(&rng, sizeof(buf) - 16), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		verdict(hung_up(fd), "garbage");
	}
	all_well("garbage");
	for (unsigned int i = 0; i < 2; i++) {
		fd = client(1);
		header(h, REGION_READ, i ? 0x7fffffff : 15, 0);
		send(fd, h, 16, MSG_NOSIGNAL);
		verdict(hung_up(fd), i ? "message of 2 GiB" : "message shorter than its header");
	}
	fd = client(1);
	header(h, REGION_READ, 32, 1);
	send(fd, h, 16, MSG_NOSIGNAL);
	memset(buf, 0, 16);
	send(fd, buf, 16, MSG_NOSIGNAL);
	verdict(hung_up(fd), "a reply to nothing");
	for (unsigned int cut = 1; cut < 32; cut += 3) {
		fd = client(1);
		memset(buf, 0, 32);
		header(buf, REGION_READ, 32, 0);
		send(fd, buf, cut, MSG_NOSIGNAL);
		close(fd);
	}
	all_well("messages cut off");
	/* Every command with bodies of every length: an answer or an error, never the end. */
	fd = client(1);
	for (unsigned int command = 0; command < 20; command++) {
		for (unsigned int len = 0; len < 64; len++) {
			int rc;

			for (unsigned int k = 0; k < len; k++)
				buf[k] = rng_pct(&rng, 70) ? 0 : (uint8_t)rng_next(&rng);
			rc = call(fd, command, buf, len, NULL, 0, buf, sizeof(buf));
			if (rc == -ESHUTDOWN || rc == -EBADMSG) {
				verdict(false, "body of a wrong length");
				close(fd);
				fd = client(1);
			}
		}
	}
	verdict(true, "bodies of every length");
	close(fd);
	all_well("bodies of every length");

	for (unsigned int i = 0; i < 64; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	fd = client(1);
	verdict(call(fd, GET_INFO, buf, 16, fds, 16, NULL, 0) == -EINVAL, "descriptors where none belong");
	send_msg(fd, GET_INFO, 0, buf, 16, fds, 64);
	verdict(hung_up(fd), "64 descriptors");
	fd = client(1);
	header(buf, SET_IRQS, 36, 0);
	for (unsigned int i = 0; i < 4; i++) /* descriptors with every piece of one message */
		send_msg(fd, SET_IRQS, 0, buf, 1, fds, 16);
	close(fd);
	for (unsigned int i = 0; i < 64; i++)
		close(fds[i]);
	all_well("too many descriptors");
	reg_read(other, CONFIG, 0, 4, (uint32_t *)buf);
	verdict(open_fds() == before, "no descriptor is left");
}

static void test_slow_and_rude(void)
{
	uint8_t msg[32];
	uint32_t v = 0, status = 0;
	struct access a = { .offset = 0, .region = CONFIG, .count = 4 };
	int fd = client(1), second;

	header(msg, REGION_READ, 32, 0);
	memcpy(msg + 16, &a, 16);
	for (unsigned int i = 0; i < 32; i++) { /* the other function is served between two bytes */
		send(fd, msg + i, 1, MSG_NOSIGNAL);
		if (i % 8 == 0)
			verdict(reg_read(other, CONFIG, 0, 4, &v) == 0, "other function during a slow message");
	}
	verdict(recv_reply(fd, REGION_READ, &a, sizeof(a)) == 20, "message byte by byte");
	a = (struct access){ .offset = 0x3c, .region = CONFIG, .count = 1, .data = { 0x5a } };
	send_msg(fd, REGION_WRITE, NO_REPLY, &a, 17, NULL, 0);
	verdict(reg_read(fd, CONFIG, 0x3c, 1, &v) == 0 && (v & 0xff) == 0x5a, "a write that wants no reply gets none");
	for (unsigned int i = 0; i < 100; i++) { /* more than are taken at one go */
		a.data[0] = (uint8_t)i;
		send_msg(fd, REGION_WRITE, NO_REPLY, &a, 17, NULL, 0);
	}
	verdict(reg_read(other, CONFIG, 0, 4, &v) == 0, "other function beside posted writes");
	verdict(reg_read(fd, CONFIG, 0x3c, 1, &v) == 0 && (v & 0xff) == 99, "posted writes arrive in order");
	a.region = 99;
	send_msg(fd, REGION_WRITE, NO_REPLY, &a, 17, NULL, 0);
	verdict(reg_read(fd, CONFIG, 0, 4, &v) == 0, "neither does a wrong one");

	second = raw_connect(1);
	verdict(call(second, VERSION, "\0\0\0\0", 4, NULL, 0, NULL, 0) == -EBUSY && hung_up(second),
		"a second client is told EBUSY");
	for (unsigned int i = 0; i < 8; i++) /* refused ones that say nothing do not block the door */
		close(raw_connect(1));
	verdict(reg_read(fd, CONFIG, 0, 4, &v) == 0, "the first client is still served");

	/* Requests without end, replies never read. */
	a = (struct access){ .offset = 0, .region = CONFIG, .count = 64 };
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (unsigned int i = 0; i < 200000 && send_msg(fd, REGION_READ, 0, &a, 16, NULL, 0) == 0; i++)
		if (i % 1000 == 0)
			status |= (uint32_t)reg_read(other, CONFIG, 0, 4, &v);
	verdict(status == 0, "the other function beside a flood");
	close(fd);
	all_well("flood");

	for (unsigned int i = 0; i < 10; i++) {
		fd = client(1);
		a = (struct access){ .offset = 0, .region = 0, .count = 64 };
		reg_write(fd, CONFIG, 4, 2, 6);
		send_msg(fd, REGION_READ, 0, &a, 16, NULL, 0);
		close(fd);
	}
	all_well("clients that leave before the reply");
}

/* An idle card needs no processor. */
static void test_idle(void)
{
	unsigned long before;
	uint32_t v;
	bool idle = false;

	reg_read(other, CONFIG, 0, 4, &v);
	for (unsigned int i = 0; i < 60 && !idle; i++) {
		before = cpu_ticks();
		sleep(1);
		idle = cpu_ticks() - before <= 1;
	}
	verdict(idle, "an idle card sleeps");
}

/* A virtual function as vfio-pci shows it: what the function itself has not is made up. */
static void test_virtual(void)
{
	int fd = client(4), two = client(3);
	uint32_t v = 0, w = 0;

	verdict(fd >= 0 && reg_read(fd, CONFIG, 0, 4, &v) == 0 && v == 0x107f1af4,
		"virtual function: vendor and device");
	verdict(reg_read(fd, CONFIG, 4, 2, &v) == 0 && (v & 0xffff) == 2, "memory enable is shown");
	reg_write(fd, CONFIG, 4, 2, 4);
	verdict(reg_read(fd, CONFIG, 4, 2, &v) == 0 && (v & 0xffff) == 4 && reg_read(fd, 0, 0, 4, &v) == 0 &&
			(v & 0xff) == 9,
		"memory enable is only shown, bus mastership is written");
	reg_write(fd, CONFIG, 0x10, 4, 0xffffffff);
	reg_write(fd, CONFIG, 0x1c, 4, 0xffffffff);
	verdict(reg_read(fd, CONFIG, 0x10, 4, &v) == 0 && v == 0xfffc0004 && reg_read(fd, CONFIG, 0x18, 4, &v) == 0 &&
			v == 0xc && reg_read(fd, CONFIG, 0x1c, 4, &w) == 0 && w == 0xffffffff,
		"sizes of the BARs");
	reg_write(fd, CONFIG, 0x10, 4, 0xfe000000);
	verdict(reg_read(fd, CONFIG, 0x10, 4, &v) == 0 && v == 0xfe000004 && reg_read(fd, CONFIG, 0x24, 4, &v) == 0 &&
			v == 0,
		"an address, and a BAR that is not there");
	verdict(reg_read(fd, CONFIG, 0xb0, 4, &v) == 0 && (v & 0xff) == 9, "locator of the capability list");
	/* Its reset keeps what was shown, and is its own. */
	reg_write(two, CONFIG, 4, 2, 6);
	reg_write(fd, CONFIG, 0x78, 2, 0x8000);
	verdict(reg_read(fd, CONFIG, 0x10, 4, &v) == 0 && v == 0xfe000004 && reg_read(fd, CONFIG, 4, 2, &v) == 0 &&
			(v & 0xffff) == 4 && reg_read(two, CONFIG, 4, 2, &v) == 0 && (v & 0xffff) == 6,
		"function level reset");
	close(fd);
	verdict(reg_read(two, CONFIG, 4, 2, &v) == 0 && (v & 0xffff) == 6 && reg_read(two, 0, 0, 4, &v) == 0 &&
			(v & 0xff) == 9,
		"its client leaves, the other virtual function stays");
	close(two);
	all_well("virtual functions");
}

static void test_end(int out)
{
	json_t *root;

	kill(sim, SIGTERM);
	verdict(exit_code(sim) == 0, "SIGTERM ends it with 0");
	close(out);
	verdict(access("sockets/fn0.sock", F_OK) && access("sockets/fn1.sock", F_OK), "the sockets are removed");
	root = json_load_file("stats.json", 0, NULL);
	verdict(json_is_object(root) && json_integer_value(json_object_get(root, "dma_faults")) == 0 &&
			json_integer_value(json_object_get(json_object_get(root, "model"), "cycles")) > 0,
		"statistics are written, no DMA fault");
	json_decref(root);
}

/* A firmware that never gets anywhere: the wait for it ends with the signal, not with its limit of cycles. */
static void test_dead_firmware(void)
{
	FILE *f = fopen("dead.hex", "w");
	pid_t pid;
	int out;

	if (!f)
		exit(1);
	fprintf(f, "0000006f\n"); /* jump to itself */
	fclose(f);
	pid = start_sim("dead.log", &out,
			(const char *const[]){ "--firmware", "dead.hex", "--flash", "dead.flash", NULL });
	/* With a flash file vhp-sim says what it loaded; then it waits. */
	while (!in_file("dead.log", "USR_ACCESS") && waitpid(pid, NULL, WNOHANG) == 0)
		usleep(10000);
	kill(pid, SIGTERM);
	verdict(exit_code(pid) == 1 && !in_file("dead.log", "did not enable"),
		"SIGTERM while a dead firmware is waited for");
	close(out);
}

static void stale_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	mkdir("sockets", 0777);
	strcpy(a.sun_path, "sockets/fn1.sock");
	unlink(a.sun_path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		perror("bind");
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	const char *where = getenv("VHP_TEST_DIR");
	char line[32] = "";
	int out;

	if (argc < 3) {
		fprintf(stderr, "usage: sim-vfio-user VHP-SIM FIRMWARE [SEED]\n");
		return 2;
	}
	/* Socket paths are short: work with relative names. */
	sim_path = realpath(argv[1], NULL);
	firmware = realpath(argv[2], NULL);
	if (!sim_path || !firmware || (where && chdir(where))) {
		perror("sim-vfio-user");
		return 2;
	}
	rng_seed(&rng, seed, 0);
	printf("seed %llu\n", (unsigned long long)seed);

	refuses("--ports 9", "--ports", (const char *[]){ "--ports", "9", NULL });
	refuses("unknown window", "neither pcie4 nor full", (const char *[]){ "--config-window", "x", NULL });
	refuses("unknown option", "unrecognized", (const char *[]){ "--nonsense", NULL });
	refuses("no firmware", "No such file", (const char *[]){ "--firmware", "/nowhere.hex", NULL });
	refuses("trace that cannot be written", "cannot be written",
		(const char *[]){ "--trace", "/nowhere/x.fst", NULL });

	stale_socket();
	sim = start_sim("vhp-sim.log", &out,
			(const char *[]){ "--ports", "4", "--stats", "stats.json", "--seed", "7", NULL });
	verdict(read(out, line, sizeof(line) - 1) == 6 && strcmp(line, "ready\n") == 0,
		"ready, with a stale socket file in the way");
	refuses("a second process on the same sockets", "another process serves", (const char *[]){ NULL });
	other = client(2);
	verdict(other >= 0, "function 2");
	test_good();
	test_refusals();
	test_hostile();
	test_slow_and_rude();
	test_virtual();
	test_idle();
	close(other);
	test_end(out);
	test_dead_firmware();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
