/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svdpi.h"

struct bench *bench;
uint64_t test_seed = 1;
uint64_t host_base;

static char case_name[160];
static bool case_failed;
static unsigned int passed, failed, told;
static const char *trace_path;

uint32_t rnd(uint32_t n)
{
	return rng_below(&bench->rng, n);
}

bool pct(unsigned int p)
{
	return rng_pct(&bench->rng, p);
}

unsigned int cases_failed(void)
{
	return failed;
}

void case_begin(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(case_name, sizeof(case_name), fmt, ap);
	va_end(ap);
	case_failed = false;
	told = 0;
}

void case_end(void)
{
	if (case_failed)
		failed++;
	else
		passed++;
	printf("%s %s\n", case_failed ? "FAIL" : "ok  ", case_name);
	fflush(stdout);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	case_failed = true;
	if (told++ >= 8)
		return;
	printf("%s: cycle %llu: ", case_name, bench && bench->m ? (unsigned long long)vhp_model_cycle(bench->m) : 0ull);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---------------------------------------------------------------------------------------------- model callbacks */

static bool on_violation(void *arg, const char *rule, const char *text)
{
	struct bench *b = arg;

	b->violations++;
	if (!b->want_violation)
		fail("rule %s broken: %s", rule, text);
	return true;
}

static void on_fault(void *arg, unsigned int fn, bool write, uint64_t addr, unsigned int bytes)
{
	struct bench *b = arg;

	b->faults++;
	if (!b->expect_read_errors)
		fail("DMA fault: function %u %s 0x%llx, %u bytes", fn, write ? "writes" : "reads",
		     (unsigned long long)addr, bytes);
}

static void on_msix(void *arg, unsigned int fn, uint64_t addr, uint32_t data)
{
	struct bench *b = arg;

	if (b->msi_count < 4096) {
		b->msi[b->msi_count].fn = fn;
		b->msi[b->msi_count].addr = addr;
		b->msi[b->msi_count].data = data;
		b->msi[b->msi_count++].cycle = vhp_model_cycle(b->m);
	}
	if (b->on_message)
		b->on_message(fn, data);
}

/* Writes of a client arrive in the order of its commands, without gaps: this follows them byte by byte. */
static void on_write(void *arg, unsigned int fn, uint64_t addr, unsigned int bytes)
{
	struct bench *b = arg;
	unsigned int c;

	b->dma_writes++;
	if (!b->check_order || addr < HOST_WRITE(0) || addr >= HOST_WRITE(WR_CLIENTS))
		return;
	c = (unsigned int)((addr - HOST_WRITE(0)) / HOST_WRITE_LEN);
	while (b->wr_next[c] < b->wr_hist_count[c] && b->wr_hist[c][b->wr_next[c]].kind == WR_MSIX)
		b->wr_next[c]++;
	if (b->wr_next[c] >= b->wr_hist_count[c]) {
		fail("client %u: write of 0x%llx that no command asked for", c, (unsigned long long)addr);
		return;
	}
	const struct wr *w = &b->wr_hist[c][b->wr_next[c]];

	if (w->func != fn || w->addr + b->wr_next_off[c] != addr || b->wr_next_off[c] + bytes > w->len) {
		fail("client %u: write of function %u 0x%llx %u bytes, expected function %u 0x%llx (offset %u of %u)",
		     c, fn, (unsigned long long)addr, bytes, w->func, (unsigned long long)(w->addr + b->wr_next_off[c]),
		     b->wr_next_off[c], w->len);
		return;
	}
	b->wr_next_off[c] += bytes;
	if (b->wr_next_off[c] == w->len) {
		b->wr_next[c]++;
		b->wr_next_off[c] = 0;
	}
}

/* ---------------------------------------------------------------------------------------------- open, close */

void bench_init(void)
{
	static uint64_t opened;

	host_base = 0x7f4000000000ull - HOST_READ_LEN / 2 - opened % 4 * HOST_READ_LEN;

	bench = calloc(1, sizeof(*bench));
	if (!bench)
		abort();
	rng_seed(&bench->rng, test_seed, 100 + opened);
	vhp_model_defaults(&bench->cfg);
	bench->cfg.seed = test_seed * 1000 + opened++;
	bench->cfg.nfn = NUM_FN;
	bench->cfg.dma_faults_fatal = false;
	bench->cfg.arg = bench;
	bench->cfg.on_violation = on_violation;
	bench->cfg.on_dma_fault = on_fault;
	bench->cfg.on_msix = on_msix;
	bench->cfg.on_dma_write = on_write;
	bench->rb_ready_pct = 100;
	bench->rd_req_pct = 100;
	bench->check_order = true;
	bench->flr_hold = 20;
}

void bench_open(void)
{
	struct bench *b = bench;

	b->top = vhp_verilated_create(b->cfg.seed, 0, NULL);
	if (trace_path)
		vhp_verilated_trace(b->top, trace_path);
	b->m = vhp_model_create(&b->cfg, &vhp_verilated_ops, b->top);
	if (!b->m)
		exit(2);
	for (unsigned int f = 0; f < NUM_FN; f++) {
		b->host[f] = malloc(HOST_LEN);
		b->expect[f] = malloc(HOST_LEN);
		for (unsigned int i = 0; i < HOST_LEN; i++)
			b->host[f][i] = (uint8_t)(rng_next(&b->rng) >> 40);
		memcpy(b->expect[f], b->host[f], HOST_LEN);
		b->reg[f][0] = calloc(1, 0x40000);
		b->reg[f][1] = calloc(1, 0x40000);
		if (vhp_model_mem_map(b->m, f, HOST_BASE, HOST_LEN, b->host[f], VHP_MEM_READ | VHP_MEM_WRITE))
			abort();
	}
	for (unsigned int i = 0; i < RAM_BYTES; i++)
		b->ram[RD_PACKET][i] = 0;
	vhp_model_step(b->m, 400);
	for (unsigned int f = 0; f < NUM_FN; f++)
		if (vhp_model_enable(b->m, f))
			fail("function %u cannot be enabled", f);
	vhp_model_step(b->m, 200);
}

void bench_close(void)
{
	struct bench *b = bench;

	vhp_model_destroy(b->m);
	vhp_verilated_destroy(b->top);
	for (unsigned int f = 0; f < NUM_FN; f++) {
		free(b->host[f]);
		free(b->expect[f]);
		free(b->reg[f][0]);
		free(b->reg[f][1]);
	}
	free(b);
	bench = NULL;
}

/* ---------------------------------------------------------------------------------------------- reads */

void rd_submit(unsigned int c, uint8_t func, uint64_t addr, uint32_t len, uint32_t ram, uint32_t cookie)
{
	struct bench *b = bench;
	struct rd_state *s = &b->rd[c][cookie];

	if (s->busy || b->rd_count[c] == QUEUE || (c == RD_SOC && (cookie >= 512 || ram + len > 65536)))
		abort();
	*s = (struct rd_state){ .busy = true,
				.r = { func, addr, len, ram, cookie },
				.submitted = vhp_model_cycle(b->m) };
	for (uint32_t i = 0; i < len && len <= RAM_BYTES; i++) {
		uint32_t a = (ram + i) % RAM_BYTES;

		b->owner[c][a] = (uint16_t)(cookie + 1);
		b->landed[c][a] = 0;
	}
	b->rdq[c][(b->rd_head[c] + b->rd_count[c]++) % QUEUE] = s->r;
	b->rd_open++;
}

svBit bench_rd_req(int client, svBitVecVal *func, svBitVecVal *addr, svBitVecVal *len, svBitVecVal *ram,
		   svBitVecVal *cookie)
{
	struct bench *b = bench;
	const struct rd *r = &b->rdq[client][b->rd_head[client]];

	if (!b->rd_count[client] || !pct(b->rd_req_pct))
		return 0;
	*func = r->func;
	addr[0] = (uint32_t)r->addr;
	addr[1] = (uint32_t)(r->addr >> 32);
	*len = r->len;
	*ram = r->ram;
	*cookie = r->cookie;
	b->rd_head[client] = (b->rd_head[client] + 1) % QUEUE;
	b->rd_count[client]--;
	return 1;
}

void bench_ram(int client, int bank, int row, const svBitVecVal *be, const svBitVecVal *data)
{
	struct bench *b = bench;
	uint64_t mask = be[0] | (uint64_t)be[1] << 32;

	if (!mask)
		fail("RAM write of client %d without bytes", client);
	for (unsigned int i = 0; i < 64; i++) {
		uint32_t a = (uint32_t)row * 128 + (uint32_t)bank * 64 + i;
		uint16_t own;

		if (!(mask >> i & 1))
			continue;
		own = b->owner[client][a];
		if (!own || !b->rd[client][own - 1].busy) {
			fail("RAM write of client %d at 0x%x, which no open request has", client, a);
			continue;
		}
		if (b->landed[client][a]++)
			fail("client %d RAM 0x%x written twice", client, a);
		b->rd[client][own - 1].written++;
		b->ram[client][a] = (uint8_t)(data[i / 4] >> (8 * (i % 4)));
	}
}

void bench_rd_done(int client, int cookie, int status)
{
	struct bench *b = bench;
	struct rd_state *s = &b->rd[client][cookie];

	if (!s->busy) {
		fail("done of client %d cookie %d, which is not open", client, cookie);
		return;
	}
	s->busy = false;
	s->done = true;
	s->status = status;
	s->finished = vhp_model_cycle(b->m);
	b->rd_open--;
	b->rd_done_count++;
	if (status != DMA_OK) {
		if (!b->expect_read_errors)
			fail("read of client %d cookie %d: status %d", client, cookie, status);
		return;
	}
	if (s->written != s->r.len)
		fail("client %d cookie %d: %u of %u bytes landed by done", client, cookie, s->written, s->r.len);
	for (uint32_t i = 0; i < s->r.len; i++) {
		uint8_t is = b->ram[client][(s->r.ram + i) % RAM_BYTES],
			want = b->host[s->r.func][s->r.addr - HOST_BASE + i];

		if (is != want) {
			fail("client %d func %u addr 0x%llx len %u ram 0x%x: byte %u is %02x, not %02x", client,
			     s->r.func, (unsigned long long)s->r.addr, s->r.len, s->r.ram, i, is, want);
			break;
		}
	}
}

/* ---------------------------------------------------------------------------------------------- writes */

void wr_submit(unsigned int c, const struct wr *w)
{
	struct bench *b = bench;

	if (b->wr_count[c] == QUEUE || b->wr_hist_count[c] == QUEUE)
		abort();
	b->wrq[c][(b->wr_head[c] + b->wr_count[c]++) % QUEUE] = *w;
	b->wr_hist[c][b->wr_hist_count[c]++] = *w;
}

svBit bench_wr_req(int client, svBitVecVal *kind, svBitVecVal *func, svBitVecVal *addr, svBitVecVal *len,
		   svBitVecVal *ram, svBitVecVal *patch, svBitVecVal *imm)
{
	struct bench *b = bench;
	const struct wr *w = &b->wrq[client][b->wr_head[client]];

	if (!b->wr_count[client])
		return 0;
	*kind = w->kind;
	*func = w->func;
	addr[0] = (uint32_t)w->addr;
	addr[1] = (uint32_t)(w->addr >> 32);
	*len = w->len;
	*ram = w->ram;
	*patch = (uint32_t)w->patch << 20 | w->patch_off << 16 | w->num_buffers;
	memcpy(imm, w->imm, 64);
	b->wr_open_q[client][(b->wr_open_head[client] + b->wr_open_count[client]++) % QUEUE] = *w;
	b->wr_head[client] = (b->wr_head[client] + 1) % QUEUE;
	b->wr_count[client]--;
	return 1;
}

void bench_wr_taken(int client)
{
	(void)client;
}

void bench_wr_cmpl(int client, int status)
{
	struct bench *b = bench;
	struct wr *w = &b->wr_open_q[client][b->wr_open_head[client]];

	if (!b->wr_open_count[client]) {
		fail("completion of write client %d with nothing open", client);
		return;
	}
	b->wr_status[client][b->wr_cmpl_count[client]++ % QUEUE] = status;
	if (status == DMA_OK && w->kind != WR_MSIX) {
		uint8_t *to = &b->expect[w->func][w->addr - HOST_BASE];

		for (uint32_t i = 0; i < w->len; i++) {
			to[i] = w->kind == WR_IMM ? w->imm[i] : b->ram[RD_PACKET][(w->ram + i) % RAM_BYTES];
			if (w->kind == WR_PACKET && w->patch && w->patch_off < 15 && w->patch_off + i == 10)
				to[i] = (uint8_t)w->num_buffers;
			if (w->kind == WR_PACKET && w->patch && w->patch_off < 15 && w->patch_off + i == 11)
				to[i] = (uint8_t)(w->num_buffers >> 8);
		}
	}
	b->wr_open_head[client] = (b->wr_open_head[client] + 1) % QUEUE;
	b->wr_open_count[client]--;
}

void check_host(void)
{
	struct bench *b = bench;

	for (unsigned int f = 0; f < NUM_FN; f++) {
		for (uint32_t i = 0; i < HOST_LEN; i++) {
			if (b->host[f][i] == b->expect[f][i])
				continue;
			fail("memory of function %u at 0x%llx is %02x, not %02x", f,
			     (unsigned long long)(HOST_BASE + i), b->host[f][i], b->expect[f][i]);
			break;
		}
	}
}

static bool quiet(void *arg)
{
	struct bench *b = arg;

	if (b->rd_open)
		return false;
	for (unsigned int c = 0; c < WR_CLIENTS; c++)
		if (b->wr_count[c] || b->wr_open_count[c])
			return false;
	return vhp_model_idle(b->m);
}

void run_quiet(uint64_t max)
{
	struct bench *b = bench;

	vhp_model_step(b->m, 4);
	if (vhp_model_run_until(b->m, quiet, b, max))
		fail("not quiet after %llu cycles: %u reads open, writes open %u %u %u, model idle %d",
		     (unsigned long long)max, b->rd_open, b->wr_open_count[0], b->wr_open_count[1], b->wr_open_count[2],
		     vhp_model_idle(b->m));
}

/* ---------------------------------------------------------------------------------------------- register target */

svBit bench_rb_ready(void)
{
	return pct(bench->rb_ready_pct);
}

void bench_rb(const svBitVecVal *func, int bar, int addr, svBit write, int be, int wdata, svBit *err,
	      svBitVecVal *rdata, svBitVecVal *delay)
{
	struct bench *b = bench;
	unsigned int f = *func & 0xff;
	uint32_t a = (uint32_t)addr, limit = f == 0 && bar == 0 ? 0x10000 : 0x40000;

	*delay = b->rb_delay_max ? rnd(b->rb_delay_max + 1) : 0;
	*err = 0;
	*rdata = 0;
	if (f >= NUM_FN || (bar != 0 && !(bar == 2 && f == 0)) || a >= limit || (a & 3)) {
		fail("register access of function %u BAR %d at 0x%x", f, bar, a);
		*err = 1;
		return;
	}
	if (bar == 0 && a >= 0x8000 && a < 0xa000)
		fail("access of the MSI-X pages on the register bus: 0x%x", a);
	b->rb_reads += !write;
	b->rb_writes += write;
	b->rb_zero += be == 0;
	if (b->hole_len && a >= b->hole && a < b->hole + b->hole_len) {
		*err = 1;
		*rdata = 0xbadbad00;
		return;
	}
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t *p = &b->reg[f][bar / 2][a + i];

		if (write && be >> i & 1)
			*p = (uint8_t)((uint32_t)wdata >> (8 * i));
		*rdata |= (uint32_t)*p << (8 * i);
	}
	if (write && b->on_register_write)
		b->on_register_write(f, (unsigned int)bar, a, (uint32_t)wdata);
	if (write && be == 0)
		fail("register write without byte enables at 0x%x", a);
}

/* ---------------------------------------------------------------------------------------------- firmware */

svBit bench_fw_req(svBit *write, svBitVecVal *addr, svBitVecVal *data)
{
	struct bench *b = bench;

	if (!b->fw_go)
		return 0;
	b->fw_go = false;
	*write = b->fw_write;
	*addr = b->fw_addr;
	*data = b->fw_data;
	return 1;
}

void bench_fw_rsp(svBit err, int rdata)
{
	bench->fw_busy = false;
	bench->fw_err = err;
	bench->fw_data = (uint32_t)rdata;
}

static bool fw_over(void *arg)
{
	return !((struct bench *)arg)->fw_busy;
}

static uint32_t fw_access(bool write, uint32_t addr, uint32_t data)
{
	struct bench *b = bench;

	b->fw_go = b->fw_busy = true;
	b->fw_write = write;
	b->fw_addr = addr;
	b->fw_data = data;
	if (vhp_model_run_until(b->m, fw_over, b, 200) || b->fw_err)
		fail("firmware's access of 0x%x is not answered", addr);
	return b->fw_data;
}

uint32_t fw_read(uint32_t addr)
{
	return fw_access(false, addr, 0);
}

void fw_write(uint32_t addr, uint32_t data)
{
	fw_access(true, addr, data);
}

/* ---------------------------------------------------------------------------------------------- functions */

int bench_fn(int flr_pending, int msix_enable)
{
	struct bench *b = bench;
	int done = 0;

	b->flr_pending = (unsigned int)flr_pending;
	b->msix_enable = (unsigned int)msix_enable;
	for (unsigned int f = 0; f < NUM_FN; f++) {
		if (!(flr_pending >> f & 1))
			b->flr_wait[f] = 0;
		else if (++b->flr_wait[f] == b->flr_hold)
			done |= 1 << f;
	}
	return done;
}

void bench_stats(int rd_errors, int wr_dropped, int cq_ur, int sent, int pended)
{
	bench->rd_errors = (uint32_t)rd_errors;
	bench->wr_dropped = (uint32_t)wr_dropped;
	bench->cq_ur = (uint32_t)cq_ur;
	bench->msix_sent = (uint32_t)sent;
	bench->msix_pended = (uint32_t)pended;
}

/* ---------------------------------------------------------------------------------------------- main */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "completer", test_completer }, { "requester", test_requester }, { "msix", test_msix }, { "flr", test_flr },
	{ "defects", test_defects },	 { "aperture", test_aperture },	  { "rate", test_rate },
};

static void usage(FILE *f)
{
	fprintf(f, "usage: pcie-bench [--seed N] [--trace FILE.fst] TEST\nTEST:");
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		fprintf(f, " %s", tests[i].name);
	fprintf(f, "\n--trace writes the last case only\n");
}

int main(int argc, char **argv)
{
	static const struct option opts[] = { { "seed", required_argument, NULL, 's' },
					      { "trace", required_argument, NULL, 't' },
					      { "help", no_argument, NULL, 'h' },
					      { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		char *end = NULL;

		switch (o) {
		case 's':
			test_seed = strtoull(optarg, &end, 0);
			if (!*optarg || *end) {
				fprintf(stderr, "pcie-bench: --seed %s is not a number\n", optarg);
				return 2;
			}
			break;
		case 't':
			trace_path = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (optind != argc - 1 || strcmp(argv[optind], tests[i].name))
			continue;
		printf("seed %llu\n", (unsigned long long)test_seed);
		tests[i].run();
		printf("%u passed, %u failed\n", passed, failed);
		return failed != 0;
	}
	usage(stderr);
	return 2;
}
