// SPDX-License-Identifier: Apache-2.0
/*
 * The flash model of sim/ (nor.h) for a SystemVerilog bench: one instance per number.
 */
#include "nor.h"

#include <stdlib.h>

#define CHIPS 8

static struct nor *chip[CHIPS];

static void log_line(void *arg, const char *text)
{
	printf("flash %d: %s\n", (int)(intptr_t)arg, text);
}

static struct nor *get(int n)
{
	if (n < 0 || n >= CHIPS || !chip[n]) {
		fprintf(stderr, "nor_dpi: there is no flash %d\n", n);
		exit(1);
	}
	return chip[n];
}

void tb_nor_open(int n, int divide, int output_delay, int verbose)
{
	struct nor_config cfg;

	if (n < 0 || n >= CHIPS || chip[n])
		get(-1);
	nor_defaults(&cfg, (unsigned int)divide);
	cfg.output_delay = (unsigned int)output_delay;
	cfg.log = verbose ? log_line : NULL;
	cfg.arg = (void *)(intptr_t)n;
	if (nor_create(&cfg, NULL, &chip[n]) < 0)
		get(-1);
}

int tb_nor_cycle(int n, int sck, int cs_n, int dq_out, int dq_tri)
{
	return nor_cycle(get(n), sck, cs_n, (uint8_t)dq_out, (uint8_t)dq_tri);
}

int tb_nor_byte(int n, int addr)
{
	uint8_t v = 0;

	return nor_read(get(n), (uint32_t)addr, &v, 1) ? v : -1;
}

int tb_nor_commands(int n, int opcode)
{
	return (int)nor_stats(get(n))->opcode[opcode & 0xff];
}

/* All violations; aborted ones, which a test may ask for, apart. */
int tb_nor_violations(int n, int aborted)
{
	const struct nor_stats *s = nor_stats(get(n));
	uint64_t sum = 0;

	if (aborted)
		return (int)s->violations[NOR_ABORTED];
	for (int v = 0; v < NOR_VIOLATIONS; v++)
		if (v != NOR_ABORTED) {
			if (s->violations[v])
				printf("flash %d: %s: %llu\n", n, nor_violation_name((enum nor_violation)v),
				       (unsigned long long)s->violations[v]);
			sum += s->violations[v];
		}
	return (int)sum;
}
