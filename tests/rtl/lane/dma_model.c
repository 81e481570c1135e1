// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "svdpi.h"
#include "dma_model.h"

#define RAM_BYTES (128u << 10)
#define MAX_READS 512
#define MAX_PIECES 1100
#define MAX_WRITES 4096
#define MAX_KICKS 256

struct dm_config dm_cfg = { 20, 200, 1, 8, 20 };
struct dm_fault dm_fault;
uint64_t dm_violations;
uint64_t dm_msix[DM_FUNCS][DM_VECTORS];
uint64_t dm_isr[DM_FUNCS];
uint64_t dm_cycle;
unsigned int dm_msix_enable = (1u << DM_FUNCS) - 1;

static uint8_t memory[DM_FUNCS][DM_SPACE], rights[DM_FUNCS][DM_SPACE];
static uint64_t brk_at[DM_FUNCS];
static uint8_t pktbuf[RAM_BYTES];
static uint32_t rng = 1;

struct piece {
	uint64_t when, sample_at;
	uint64_t addr;
	uint32_t ram_addr, len;
	bool sampled, landed;
	uint8_t data[64];
};

struct read {
	bool used;
	int client, func, cookie, status;
	unsigned int npieces, left;
	uint64_t done_at;
	struct piece *piece;
};

struct write {
	int kind, func, port, patch, patch_off, num_buffers;
	uint64_t addr;
	uint32_t len, ram_addr;
	uint8_t imm[64];
};

static struct read reads[MAX_READS];
static unsigned int reads_out;
static struct write writes[MAX_WRITES];
static unsigned int wr_head, wr_tail;
static uint64_t wr_when;
static int kicks[MAX_KICKS];
static unsigned int kick_head, kick_tail;

static ucontext_t sim_ctx, test_ctx;
static bool over, idle_now, irq_now;
static struct {
	bool valid, taken, answered, write, err;
	uint32_t addr, wdata, rdata;
	int be;
} rb;

static void die(const char *what)
{
	fprintf(stderr, "cycle %llu: %s\n", (unsigned long long)dm_cycle, what);
	fflush(NULL);
	abort();
}

void dm_seed(uint32_t seed)
{
	rng = seed * 2654435761u + 12345;
	if (!rng)
		rng = 1;
}

uint32_t dm_rand(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return rng;
}

uint32_t dm_range(uint32_t lo, uint32_t hi)
{
	return lo + dm_rand() % (hi - lo + 1);
}

/* Bases far apart, so that an address used with the wrong function never exists. */
uint64_t dm_base(int func)
{
	static const uint64_t base[4] = { 0x7000000000ull, 0x100000000ull, 0x3fff00000000ull, 0x80fedcba9000ull };

	return base[func];
}

static bool inside(int func, uint64_t addr, size_t len)
{
	return func >= 0 && func < DM_FUNCS && addr >= dm_base(func) && addr - dm_base(func) + len <= DM_SPACE;
}

uint8_t *dm_ptr(int func, uint64_t addr, size_t len)
{
	if (!inside(func, addr, len))
		die("the bench uses memory that is not there");
	return &memory[func][addr - dm_base(func)];
}

void dm_grant(int func, uint64_t addr, size_t len, int r)
{
	dm_ptr(func, addr, len);
	memset(&rights[func][addr - dm_base(func)], r, len);
}

uint64_t dm_alloc(int func, size_t len, size_t align)
{
	uint64_t at = (brk_at[func] + align - 1) / align * align;

	if (at + len > DM_SPACE)
		die("bench memory is used up");
	brk_at[func] = at + len;
	return dm_base(func) + at;
}

void dm_reset_memory(void)
{
	memset(brk_at, 0, sizeof(brk_at));
	memset(rights, 0, sizeof(rights));
	memset(memory, 0xa5, sizeof(memory));
}

static bool allowed(int func, uint64_t addr, size_t len, int r)
{
	if (!inside(func, addr, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(rights[func][addr - dm_base(func) + i] & r))
			return false;
	return true;
}

unsigned int dm_reads_out(void)
{
	return reads_out;
}

/* ------------------------------------------------------------------------------------------------ requests */

void tb_rd_req(int client, int func, uint64_t addr, int len, int ram_addr, int cookie)
{
	struct read *r = NULL;
	uint64_t last = 0;

	for (unsigned int i = 0; i < MAX_READS; i++) {
		if (!reads[i].used) {
			r = &reads[i];
			break;
		}
	}
	if (!r)
		die("more reads are out than the bench holds");
	if (len < 1 || len > 65536)
		die("read request with a length outside 1..65536");
	for (unsigned int i = 0; i < MAX_READS; i++)
		if (reads[i].used && reads[i].client == client && reads[i].cookie == cookie && client != 2)
			die("two ring reads with one cookie");
	memset(r, 0, sizeof(*r));
	r->used = true;
	r->client = client;
	r->func = func;
	r->cookie = cookie;
	reads_out++;
	if (dm_fault.on && func == dm_fault.func && addr < dm_fault.addr + dm_fault.len && dm_fault.addr < addr + len) {
		r->status = dm_fault.status;
	} else if (!allowed(func, addr, len, DM_READ)) {
		fprintf(stderr, "cycle %llu: read of %d bytes at fn%d 0x%llx is not granted (client %d cookie 0x%x)\n",
			(unsigned long long)dm_cycle, len, func, (unsigned long long)addr, client, cookie);
		dm_violations++;
		r->status = 1;
	}
	if (r->status == 0) {
		r->piece = calloc(len / 64 + 2, sizeof(*r->piece));
		while (len > 0) {
			struct piece *p = &r->piece[r->npieces++];

			/* As completions do: to the next 64 bytes of host memory. */
			p->len = 64 - (addr & 63);
			if (p->len > (uint32_t)len)
				p->len = len;
			p->addr = addr;
			p->ram_addr = ram_addr;
			p->when = dm_cycle + dm_range(dm_cfg.rd_min, dm_cfg.rd_max);
			p->sample_at = dm_cycle + dm_rand() % (p->when - dm_cycle + 1);
			if (p->when > last)
				last = p->when;
			addr += p->len;
			ram_addr = (ram_addr + p->len) % RAM_BYTES;
			len -= p->len;
		}
	} else {
		last = dm_cycle + dm_range(dm_cfg.rd_min, dm_cfg.rd_max);
	}
	r->left = r->npieces;
	r->done_at = last;
}

void tb_wr_req(int kind, int func, uint64_t addr, int len, int ram_addr, svBit patch, int patch_off, int num_buffers,
	       const svBitVecVal *imm, int port)
{
	struct write *w = &writes[wr_tail % MAX_WRITES];

	if (wr_tail - wr_head == MAX_WRITES)
		die("more writes are out than the bench holds");
	if (kind != 2 && (len < 1 || (kind == 1 && len > 64)))
		die("write command with an invalid length");
	w->kind = kind;
	w->func = func;
	w->port = port;
	w->addr = addr;
	w->len = len;
	w->ram_addr = ram_addr;
	w->patch = patch;
	w->patch_off = patch_off;
	w->num_buffers = num_buffers;
	memcpy(w->imm, imm, 64);
	if (wr_tail == wr_head)
		wr_when = dm_cycle + dm_range(dm_cfg.wr_min, dm_cfg.wr_max);
	wr_tail++;
}

static void do_write(const struct write *w)
{
	static uint8_t buf[1u << 17];
	int owner;

	if (w->kind == 2) {
		unsigned int vec = (w->imm[0] | w->imm[1] << 8) & 0x7ff;

		if (w->func >= DM_FUNCS || vec >= DM_VECTORS)
			die("MSI-X of a vector or function that is not there");
		dm_msix[w->func][vec]++;
		return;
	}
	if (w->kind == 0) {
		for (uint32_t i = 0; i < w->len; i++)
			buf[i] = pktbuf[(w->ram_addr + i) % RAM_BYTES];
		for (uint32_t i = 0; w->patch && w->patch_off < 12 && i < w->len; i++) {
			if (w->patch_off + i == 10)
				buf[i] = w->num_buffers & 0xff;
			if (w->patch_off + i == 11)
				buf[i] = w->num_buffers >> 8;
		}
	} else {
		memcpy(buf, w->imm, w->len);
	}
	if (!allowed(w->func, w->addr, w->len, DM_WRITE)) {
		fprintf(stderr, "cycle %llu: write of %u bytes at fn%d 0x%llx is not granted (kind %d)\n",
			(unsigned long long)dm_cycle, w->len, w->func, (unsigned long long)w->addr, w->kind);
		dm_violations++;
		return;
	}
	owner = rights[w->func][w->addr - dm_base(w->func)] >> 4;
	if (owner && owner != w->port + 1) {
		fprintf(stderr, "cycle %llu: write at fn%d 0x%llx carries port %d, the memory is port %d's\n",
			(unsigned long long)dm_cycle, w->func, (unsigned long long)w->addr, w->port, owner - 1);
		dm_violations++;
	}
	memcpy(dm_ptr(w->func, w->addr, w->len), buf, w->len);
}

/* ------------------------------------------------------------------------------------------------ test's side */

void tick(unsigned int n)
{
	while (n--)
		swapcontext(&test_ctx, &sim_ctx);
}

static void rb_access(uint32_t addr, bool write, uint32_t wdata, int be)
{
	rb.valid = true;
	rb.taken = false;
	rb.answered = false;
	rb.addr = addr;
	rb.write = write;
	rb.wdata = wdata;
	rb.be = be;
	/* The first one waits until the context memory is clear: a cycle for each of its words. */
	for (int i = 0; i < 10000 && !rb.answered; i++)
		tick(1);
	if (!rb.answered)
		die("a register access is not answered");
}

uint32_t rb_read(uint32_t addr)
{
	rb_access(addr, false, 0, 15);
	if (rb.err)
		die("a register read ends with an error");
	return rb.rdata;
}

int rb_read_err(uint32_t addr)
{
	rb_access(addr, false, 0, 15);
	return rb.err;
}

int rb_write_be(uint32_t addr, uint32_t value, int be)
{
	rb_access(addr, true, value, be);
	return rb.err;
}

void rb_write(uint32_t addr, uint32_t value)
{
	if (rb_write_be(addr, value, 15)) {
		fprintf(stderr, "register 0x%x\n", addr);
		die("a register write ends with an error");
	}
}

void kick(int qid)
{
	if (kick_tail - kick_head == MAX_KICKS)
		die("too many kicks wait");
	kicks[kick_tail++ % MAX_KICKS] = qid;
}

bool dut_idle(void)
{
	return idle_now && kick_head == kick_tail;
}

bool dut_irq(void)
{
	return irq_now;
}

static void test_entry(void)
{
	lane_test_main();
	over = true;
	swapcontext(&test_ctx, &sim_ctx);
}

int tb_init(const char *test, unsigned int seed)
{
	static char stack[1 << 20];

	if (lane_test_select(test))
		return 1;
	dm_seed(seed);
	dm_reset_memory();
	getcontext(&test_ctx);
	test_ctx.uc_stack.ss_sp = stack;
	test_ctx.uc_stack.ss_size = sizeof(stack);
	test_ctx.uc_link = NULL;
	makecontext(&test_ctx, test_entry, 0);
	printf("seed %u\n", seed);
	return 0;
}

void tb_rb_rsp(svBit err, unsigned int rdata)
{
	if (!rb.valid && !rb.taken)
		die("a register response without a request");
	rb.answered = true;
	rb.taken = false;
	rb.err = err;
	rb.rdata = rdata;
}

void tb_isr(int mask)
{
	for (int f = 1; f < DM_FUNCS; f++)
		if (mask >> (f - 1) & 1)
			dm_isr[f]++;
}

/* ------------------------------------------------------------------------------------------------ a cycle */

static void put_byte(uint32_t a, uint8_t v, int *we, int row[2], uint64_t be[2], uint8_t data[2][64])
{
	int bank = a >> 6 & 1;

	*we |= 1 << bank;
	row[bank] = a >> 7;
	be[bank] |= 1ull << (a & 63);
	data[bank][a & 63] = v;
}

int tb_step(svBit idle, svBit irq, svBit rb_taken, svBitVecVal *rd_ready, svBit *wr_ready, svBit *wr_cmpl,
	    svBit *done_valid, int *done_client, int *done_cookie, int *done_status, svBit *ram_valid, int *ram_client,
	    svBitVecVal *ram_we, int *ram_row0, int *ram_row1, svBitVecVal *be0, svBitVecVal *be1, svBitVecVal *data0,
	    svBitVecVal *data1, svBit *kick_valid, int *kick_qid, int *msix_enable, svBit *rb_valid, int *rb_addr,
	    svBit *rb_write_o, int *rb_be, unsigned int *rb_wdata)
{
	static bool rb_req_up;
	unsigned int start;
	int we = 0, row[2] = { 0, 0 };
	uint64_t be[2] = { 0, 0 };
	static uint8_t data[2][64];

	dm_cycle++;
	idle_now = idle;
	irq_now = irq;
	*rd_ready = 0;
	for (int c = 0; c < 3; c++)
		if (dm_range(0, 99) >= dm_cfg.stall && reads_out < MAX_READS - 8)
			*rd_ready |= 1u << c;
	*wr_ready = dm_range(0, 99) >= dm_cfg.stall && wr_tail - wr_head < 64;

	/* Memory is looked at somewhere between request and arrival. */
	for (unsigned int i = 0; reads_out && i < MAX_READS; i++) {
		struct read *r = &reads[i];

		for (unsigned int k = 0; r->used && k < r->npieces; k++) {
			struct piece *p = &r->piece[k];

			if (!p->sampled && p->sample_at <= dm_cycle) {
				memcpy(p->data, dm_ptr(r->func, p->addr, p->len), p->len);
				p->sampled = true;
			}
		}
	}
	/* One piece lands per cycle; where the search starts makes the order. */
	*ram_valid = 0;
	start = dm_rand() % MAX_READS;
	for (unsigned int n = 0; reads_out && n < MAX_READS && !*ram_valid; n++) {
		struct read *r = &reads[(start + n) % MAX_READS];

		for (unsigned int k = 0; r->used && r->left && k < r->npieces && !*ram_valid; k++) {
			struct piece *p = &r->piece[k];

			if (p->landed || p->when > dm_cycle)
				continue;
			p->landed = true;
			r->left--;
			r->done_at = dm_cycle + 1;
			*ram_valid = 1;
			*ram_client = r->client;
			for (uint32_t b = 0; b < p->len; b++) {
				uint32_t a = (p->ram_addr + b) % RAM_BYTES;

				if (r->client == 2)
					pktbuf[a] = p->data[b];
				put_byte(a, p->data[b], &we, row, be, data);
			}
		}
	}
	*ram_we = we;
	*ram_row0 = row[0];
	*ram_row1 = row[1];
	memcpy(be0, &be[0], 8);
	memcpy(be1, &be[1], 8);
	memcpy(data0, data[0], 64);
	memcpy(data1, data[1], 64);

	*done_valid = 0;
	for (unsigned int n = 0; reads_out && n < MAX_READS && !*done_valid; n++) {
		struct read *r = &reads[(start + n) % MAX_READS];

		if (!r->used || r->left || r->done_at > dm_cycle)
			continue;
		*done_valid = 1;
		*done_client = r->client;
		*done_cookie = r->cookie;
		*done_status = r->status;
		free(r->piece);
		r->piece = NULL;
		r->used = false;
		reads_out--;
	}

	*wr_cmpl = 0;
	if (wr_head != wr_tail && wr_when <= dm_cycle) {
		do_write(&writes[wr_head++ % MAX_WRITES]);
		*wr_cmpl = 1;
		wr_when = dm_cycle + dm_range(dm_cfg.wr_min, dm_cfg.wr_max);
	}

	/* The test runs until its next tick. */
	if (rb_taken) {
		rb.valid = false;
		rb.taken = true;
		rb_req_up = false;
	}
	if (!over)
		swapcontext(&sim_ctx, &test_ctx);

	*kick_valid = 0;
	if (kick_head != kick_tail) {
		*kick_valid = 1;
		*kick_qid = kicks[kick_head++ % MAX_KICKS];
	}
	*msix_enable = dm_msix_enable;
	rb_req_up = rb.valid;
	*rb_valid = rb_req_up;
	*rb_addr = rb.addr;
	*rb_write_o = rb.write;
	*rb_be = rb.be;
	*rb_wdata = rb.wdata;
	return over;
}
