/* SPDX-License-Identifier: Apache-2.0 */
#include "lib_sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void sim_start(struct sim *sim, const char *const *args)
{
	const char *dir = getenv("VHP_TEST_DIR"), *bin = getenv("VHP_SIM");
	const char *argv[32];
	unsigned int n = 0;
	char line[64] = "", opt[300], stats[320];
	int out[2];
	FILE *f;

	snprintf(sim->dir, sizeof(sim->dir), "%s", dir ? dir : "/tmp");
	snprintf(opt, sizeof(opt), "--socket-dir=%s", sim->dir);
	snprintf(stats, sizeof(stats), "--stats=%s/sim.json", sim->dir);
	argv[n++] = bin ? bin : "build/bin/vhp-sim";
	argv[n++] = opt;
	argv[n++] = stats;
	while (args && *args && n < 31)
		argv[n++] = *args++;
	argv[n] = NULL;
	if (pipe(out) < 0) {
		perror("pipe");
		exit(1);
	}
	sim->pid = fork();
	if (sim->pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv(argv[0], (char *const *)argv);
		perror(argv[0]);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	while (f && fgets(line, sizeof(line), f) && strcmp(line, "ready\n") != 0)
		;
	if (strcmp(line, "ready\n") != 0) {
		fprintf(stderr, "%s never became ready\n", argv[0]);
		exit(1);
	}
	fclose(f);
}

int sim_stop(struct sim *sim)
{
	int status;

	kill(sim->pid, SIGTERM);
	for (unsigned int ms = 0; ms < 20000; ms += 10) {
		if (waitpid(sim->pid, &status, WNOHANG) == sim->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(10000);
	}
	kill(sim->pid, SIGKILL);
	waitpid(sim->pid, &status, 0);
	return -1;
}

bool wait_for(bool (*done)(void *), void *arg)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		if (done(arg))
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - start.tv_sec) * 1000 > (long)LIB_WAIT_MS)
			return false;
		usleep(500);
	}
}

static bool used_moved(void *arg)
{
	const struct ring *r = arg;

	return r->used[1] != r->last_used;
}

bool ends_packet_to_peer(struct guest *g, struct peer *p, unsigned int pair)
{
	struct ring *src = &g->q[VHOST_PCI_VQ_TX(pair)], *snk = &p->q[2 * pair];
	struct seg in = { mem_alloc(&p->mem, ENDS_BUF_LEN, 64), ENDS_BUF_LEN, true };
	struct seg out = { mem_alloc(&g->mem, 128, 64), 112, false };
	uint64_t cookie;
	uint32_t len;

	memset((uint8_t *)mem_at(&g->mem, out.addr) + 12, 0xa5, 100);
	if (ring_add(snk, &in, 1, in.addr) < 0)
		return false;
	peer_kick(p, 2 * pair);
	if (ring_add(src, &out, 1, out.addr) < 0)
		return false;
	guest_kick(g, VHOST_PCI_VQ_TX(pair));
	if (!wait_for(used_moved, snk) || !ring_take(snk, &cookie, &len) || len != 112 || !wait_for(used_moved, src) ||
	    !ring_take(src, &cookie, &len))
		return false;
	return memcmp((uint8_t *)mem_at(&p->mem, in.addr) + 12, (uint8_t *)mem_at(&g->mem, out.addr) + 12, 100) == 0;
}
