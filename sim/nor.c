/* SPDX-License-Identifier: Apache-2.0 */
#include "nor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nor_array.h"
#include "nor_commands.h"

#define LOGGED 20u
#define CLOCKS_PER_US 250u
#define LEAST_BUSY 1000u /* longer than reading the status takes, so that it is seen */

/* Status register. */
#define SR_WIP 0x01u
#define SR_WEL 0x02u
#define SR_BP(sr) (((sr) >> 2 & 7u) | ((sr) >> 3 & 8u))
#define SR_TB 0x20u
#define SR_WRITABLE 0xfcu
/* Flag status register. */
#define FSR_READY 0x80u
#define FSR_ERASE 0x20u
#define FSR_PROGRAM 0x10u
#define FSR_PROTECTION 0x02u
#define FSR_4BYTE 0x01u

static const char *const violation_names[NOR_VIOLATIONS] = {
	[NOR_UNKNOWN] = "unknown",	 [NOR_BUSY] = "busy",		[NOR_NO_WREN] = "no_write_enable",
	[NOR_ABORTED] = "aborted",	 [NOR_OVERWRITE] = "overwrite", [NOR_UNDRIVEN] = "undriven",
	[NOR_CONTENTION] = "contention", [NOR_HOLD] = "hold",		[NOR_TOO_FAST] = "too_fast",
	[NOR_PROTECTED] = "protected",	 [NOR_RANGE] = "range",		[NOR_INTERRUPTED] = "interrupted",
};

enum stage {
	COMMAND,
	ADDRESS,
	DUMMY,
	DATA_IN,
	DATA_OUT,
	OVER, /* whole; a further clock spoils it */
	SKIP  /* refused or spoilt */
};

struct nor {
	struct nor_config cfg;
	struct nor_stats st;
	struct nor_array array;
	uint64_t logged;
	bool file_failed;

	/* registers */
	uint8_t sr, fsr, ear, vcr, evcr;
	bool reset_enabled;
	uint64_t busy;
	uint32_t busy_addr, busy_len; /* what changes when it is over: a page, or what is erased */
	uint8_t busy_page[NOR_PAGE];

	/* the command under way */
	bool sck, selected, held, faulted[NOR_VIOLATIONS];
	enum stage stage;
	uint8_t opcode;
	const struct command *cmd;
	unsigned int bits, shift, dummy; /* bits of the byte so far */
	unsigned int address_left;	 /* bytes */
	uint32_t addr, count;		 /* count: data bytes */
	uint8_t page[NOR_PAGE], page_used[NOR_PAGE];
	uint8_t ahead[NOR_PAGE]; /* of a read: the page that has the byte being sent */
	uint32_t ahead_addr;
	uint8_t out, out_bits; /* byte being sent, bits left of it */
	uint8_t drive, level;  /* lines the part drives */
	uint8_t delay_drive[8], delay_level[8];
	uint64_t clock, last_rise;
};

/* ------------------------------------------------------------------------------------------ reports */

static void say(struct nor *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct nor *n, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (!n->cfg.log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n->cfg.log(n->cfg.arg, text);
}

/* Once per command and kind. */
static void violation(struct nor *n, enum nor_violation v)
{
	if (n->faulted[v])
		return;
	n->faulted[v] = true;
	n->st.violations[v]++;
	if (n->logged++ < LOGGED)
		say(n, "command %02x at address 0x%x: %s", n->opcode, n->addr, violation_names[v]);
}

const char *nor_violation_name(enum nor_violation v)
{
	return violation_names[v];
}

const struct nor_stats *nor_stats(const struct nor *n)
{
	return &n->st;
}

void nor_stats_json(const struct nor *n, FILE *out)
{
	const struct nor_stats *s = &n->st;
	const char *comma = "";

	fprintf(out,
		"{\"pages_programmed\": %llu, \"bytes_programmed\": %llu, \"erased_4k\": %llu, \"erased_32k\": %llu, "
		"\"erased_64k\": %llu, \"erased_dies\": %llu,\n  \"opcodes\": {",
		(unsigned long long)s->pages_programmed, (unsigned long long)s->bytes_programmed,
		(unsigned long long)s->erased_4k, (unsigned long long)s->erased_32k, (unsigned long long)s->erased_64k,
		(unsigned long long)s->erased_dies);
	for (unsigned int i = 0; i < 256; i++) {
		if (!s->opcode[i])
			continue;
		fprintf(out, "%s\"%02x\": %llu", comma, i, (unsigned long long)s->opcode[i]);
		comma = ", ";
	}
	fprintf(out, "},\n  \"violations\": {");
	for (unsigned int i = 0; i < NOR_VIOLATIONS; i++)
		fprintf(out, "%s\"%s\": %llu", i ? ", " : "", violation_names[i], (unsigned long long)s->violations[i]);
	fprintf(out, "}}");
}

/* ------------------------------------------------------------------------------------------ contents */

static void check_array(struct nor *n)
{
	if (!n->array.failure || n->file_failed)
		return;
	n->file_failed = true;
	say(n, "the contents: %s", n->array.failure);
}

static void load(struct nor *n, uint32_t addr, uint8_t *buf, uint32_t len)
{
	nor_array_load(&n->array, addr, buf, len);
	check_array(n);
}

static void store(struct nor *n, uint32_t addr, const uint8_t *buf, uint32_t len)
{
	nor_array_store(&n->array, addr, buf, len);
	check_array(n);
}

static void fill(struct nor *n, uint32_t addr, uint32_t len, uint8_t value)
{
	nor_array_fill(&n->array, addr, len, value);
	check_array(n);
}

static bool inside(uint32_t addr, uint32_t len)
{
	return addr <= NOR_SIZE && len <= NOR_SIZE - addr;
}

bool nor_read(struct nor *n, uint32_t addr, void *buf, uint32_t len)
{
	if (!inside(addr, len))
		return false;
	load(n, addr, buf, len);
	return true;
}

bool nor_write(struct nor *n, uint32_t addr, const void *buf, uint32_t len)
{
	if (!inside(addr, len))
		return false;
	store(n, addr, buf, len);
	return true;
}

uint32_t nor_used(const struct nor *n)
{
	return n->array.used;
}

/* ------------------------------------------------------------------------------------------ registers */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void power_up(struct nor *n)
{
	n->sr &= SR_WRITABLE;
	n->fsr = FSR_READY;
	n->ear = 0;
	n->vcr = 0xfb; /* default dummy clocks, no XIP */
	n->evcr = 0xff;
	n->reset_enabled = false;
}

static void begin_busy(struct nor *n, uint64_t clocks, uint32_t addr, uint32_t len)
{
	n->sr |= SR_WIP;
	n->fsr &= (uint8_t)~FSR_READY;
	n->busy = clocks ? clocks : 1;
	n->busy_addr = addr;
	n->busy_len = len;
}

static void end_busy(struct nor *n)
{
	if (n->busy_len == NOR_PAGE)
		store(n, n->busy_addr, n->busy_page, NOR_PAGE);
	else if (n->busy_len && n->busy_addr < n->array.used)
		fill(n, n->busy_addr, least(n->busy_len, n->array.used - n->busy_addr), 0xff);
	n->sr &= (uint8_t)~(SR_WIP | SR_WEL);
	n->fsr |= FSR_READY;
	n->busy_len = 0;
}

bool nor_busy(const struct nor *n)
{
	return n->busy != 0;
}

void nor_settle(struct nor *n)
{
	if (n->busy)
		end_busy(n);
	n->busy = 0;
}

/* 2^(BP-1) blocks of 64 KiB from the top, or with TB from the bottom. */
static bool is_protected(const struct nor *n, uint32_t addr, uint32_t len)
{
	unsigned int bp = SR_BP(n->sr);
	uint32_t size = bp == 0 ? 0 : bp > 11 ? NOR_SIZE : 65536u << (bp - 1);

	if (!size)
		return false;
	return n->sr & SR_TB ? addr < size : addr + len > NOR_SIZE - size;
}

static bool change_allowed(struct nor *n, uint32_t addr, uint32_t len, uint8_t error)
{
	if (!is_protected(n, addr, len))
		return true;
	violation(n, NOR_PROTECTED);
	n->fsr |= FSR_PROTECTION | error;
	n->sr &= (uint8_t)~SR_WEL;
	return false;
}

/* ------------------------------------------------------------------------------------------ commands that change */

static void program(struct nor *n)
{
	uint32_t base = n->addr & ~(NOR_PAGE - 1);
	uint8_t *now = n->busy_page;

	if (!change_allowed(n, base, NOR_PAGE, FSR_PROGRAM))
		return;
	load(n, base, now, NOR_PAGE);
	for (unsigned int i = 0; i < NOR_PAGE; i++) {
		if (!n->page_used[i])
			continue;
		if (n->page[i] & ~now[i])
			violation(n, NOR_OVERWRITE);
		now[i] &= n->page[i];
		n->st.bytes_programmed++;
	}
	n->st.pages_programmed++;
	begin_busy(n, n->cfg.program, base, NOR_PAGE);
}

static void erase(struct nor *n, uint32_t len, uint64_t clocks, uint64_t *count)
{
	uint32_t base = n->addr & ~(len - 1);

	if (!change_allowed(n, base, len, FSR_ERASE))
		return;
	++*count;
	begin_busy(n, clocks, base, len);
}

static void reset(struct nor *n)
{
	if (n->busy) {
		n->addr = n->busy_addr;
		violation(n, NOR_INTERRUPTED);
		fill(n, n->busy_addr, n->busy_len, 0x5a);
		n->busy = n->busy_len = 0;
		end_busy(n);
	}
	power_up(n);
}

void nor_power_fail(struct nor *n, uint64_t seed)
{
	if (n->busy_len == NOR_PAGE)
		nor_array_tear(&n->array, n->busy_addr, n->busy_page, NOR_PAGE, seed);
	else if (n->busy_len)
		nor_array_tear(&n->array, n->busy_addr, NULL, n->busy_len, seed);
	check_array(n);
	n->busy = n->busy_len = 0;
	n->selected = n->held = false;
	n->stage = COMMAND;
	n->drive = 0;
	power_up(n);
}

/* CS# rose and the command was whole. */
static void execute(struct nor *n)
{
	bool enabled = n->reset_enabled;

	n->reset_enabled = false;
	if (n->cmd->flags & WREN) {
		if (!(n->sr & SR_WEL)) {
			violation(n, NOR_NO_WREN);
			return;
		}
		/* The others end it when they are over. */
		if (n->cmd->action < PROGRAM && n->cmd->action != WRITE_SR)
			n->sr &= (uint8_t)~SR_WEL;
	}
	switch (n->cmd->action) {
	case WRITE_ENABLE:
		n->sr |= SR_WEL;
		break;
	case WRITE_DISABLE:
		n->sr &= (uint8_t)~SR_WEL;
		break;
	case WRITE_SR:
		n->sr = (uint8_t)((n->sr & ~SR_WRITABLE) | (n->page[0] & SR_WRITABLE));
		begin_busy(n, n->cfg.write_register, 0, 0);
		break;
	case WRITE_EAR:
		n->ear = n->page[0] & (NOR_SIZE / (1u << 24) - 1);
		break;
	case WRITE_VCR:
		n->vcr = n->page[0];
		break;
	case WRITE_EVCR:
		n->evcr = n->page[0];
		break;
	case CLEAR_FSR:
		n->fsr &= FSR_READY | FSR_4BYTE;
		break;
	case ENTER_4:
		n->fsr |= FSR_4BYTE;
		break;
	case EXIT_4:
		n->fsr &= (uint8_t)~FSR_4BYTE;
		break;
	case PROGRAM:
		program(n);
		break;
	case ERASE_4K:
		erase(n, NOR_SECTOR, n->cfg.erase_4k, &n->st.erased_4k);
		break;
	case ERASE_32K:
		erase(n, 32768, n->cfg.erase_32k, &n->st.erased_32k);
		break;
	case ERASE_64K:
		erase(n, 65536, n->cfg.erase_64k, &n->st.erased_64k);
		break;
	case ERASE_DIE:
		erase(n, NOR_DIE, n->cfg.erase_die, &n->st.erased_dies);
		break;
	case RESET_ENABLE:
		n->reset_enabled = true;
		break;
	case RESET:
		if (enabled)
			reset(n);
		break;
	default: /* reads */
		break;
	}
}

/* ------------------------------------------------------------------------------------------ the command under way */

static void begin_data(struct nor *n)
{
	n->bits = n->shift = 0;
	n->out_bits = 0;
	if (n->cmd->data_wide == 0)
		n->stage = OVER;
	else if (n->cmd->action >= WRITE_ENABLE)
		n->stage = DATA_IN;
	else
		n->stage = n->dummy ? DUMMY : DATA_OUT;
}

static void decode(struct nor *n, uint8_t opcode)
{
	n->opcode = opcode;
	n->cmd = &commands[opcode];
	n->st.opcode[opcode]++;
	n->bits = n->shift = 0;
	n->addr = n->count = 0;
	n->dummy = n->cmd->dummy;
	/* Dummy clocks of the volatile configuration register, for the reads that have any. */
	if (n->cmd->action == READ && n->dummy && n->vcr >> 4 != 0 && n->vcr >> 4 != 15)
		n->dummy = n->vcr >> 4;
	if (n->cmd->action == NOP) {
		violation(n, NOR_UNKNOWN);
		n->stage = SKIP;
	} else if (n->busy && !(n->cmd->flags & ALWAYS)) {
		violation(n, NOR_BUSY);
		n->stage = SKIP;
	} else if (n->cmd->address) {
		n->stage = ADDRESS;
		n->address_left = n->cmd->address != MODE ? n->cmd->address : n->fsr & FSR_4BYTE ? 4 : 3;
	} else {
		begin_data(n);
	}
	memset(n->page_used, 0, sizeof(n->page_used));
}

static void address_byte(struct nor *n, uint8_t byte)
{
	n->addr = n->addr << 8 | byte;
	if (--n->address_left)
		return;
	if (n->cmd->address == MODE && !(n->fsr & FSR_4BYTE))
		n->addr |= (uint32_t)n->ear << 24;
	if (n->cmd->action != READ_SFDP && n->addr >= NOR_SIZE) {
		violation(n, NOR_RANGE);
		n->addr &= NOR_SIZE - 1;
	}
	begin_data(n);
}

static void data_byte(struct nor *n, uint8_t byte)
{
	uint32_t at = n->cmd->action == PROGRAM ? (n->addr + n->count) % NOR_PAGE : 0;

	/* A page that is sent more than once round keeps what came last; a register has one byte. */
	n->page[at] = byte;
	n->page_used[at] = 1;
	n->count++;
}

static uint8_t next_out(struct nor *n)
{
	uint32_t i = n->count++, at;

	switch (n->cmd->action) {
	case READ:
		at = (n->addr & ~(NOR_DIE - 1)) | ((n->addr + i) & (NOR_DIE - 1));
		if (i == 0 || n->ahead_addr != (at & ~(NOR_PAGE - 1))) {
			n->ahead_addr = at & ~(NOR_PAGE - 1);
			load(n, n->ahead_addr, n->ahead, NOR_PAGE);
		}
		return n->ahead[at % NOR_PAGE];
	case READ_ID:
		return i < sizeof(id_bytes) ? id_bytes[i] : 0;
	case READ_SFDP:
		return n->addr + i < sizeof(sfdp) ? sfdp[n->addr + i] : 0xff;
	case READ_SR:
		return n->sr;
	case READ_FSR:
		return n->fsr;
	case READ_EAR:
		return n->ear;
	case READ_VCR:
		return n->vcr;
	case READ_EVCR:
		return n->evcr;
	default:
		return 0xff;
	}
}

static unsigned int lines_in(const struct nor *n)
{
	return n->stage == ADDRESS ? n->cmd->address_wide : n->stage == DATA_IN ? n->cmd->data_wide : 1;
}

static void rising(struct nor *n, uint8_t levels, uint8_t dq_tri)
{
	unsigned int wide = lines_in(n);
	uint64_t period = n->clock - n->last_rise;

	n->last_rise = n->clock;
	if (n->bits || n->stage != COMMAND) {
		bool plain = n->cmd && n->stage != COMMAND && n->cmd->action == READ && !n->cmd->dummy;

		if (period < n->cfg.min_period || (plain && period < n->cfg.min_period_read))
			violation(n, NOR_TOO_FAST);
	}
	switch (n->stage) {
	case DUMMY:
		if (--n->dummy == 0)
			n->stage = DATA_OUT;
		return;
	case OVER:
		violation(n, NOR_ABORTED);
		n->stage = SKIP;
		return;
	case DATA_OUT:
	case SKIP:
		return;
	default:
		break;
	}
	if (dq_tri & ((1u << wide) - 1))
		violation(n, NOR_UNDRIVEN);
	n->shift = n->shift << wide | (levels & ((1u << wide) - 1));
	n->bits += wide;
	if (n->bits < 8)
		return;
	n->bits = 0;
	if (n->stage == COMMAND)
		decode(n, (uint8_t)n->shift);
	else if (n->stage == ADDRESS)
		address_byte(n, (uint8_t)n->shift);
	else
		data_byte(n, (uint8_t)n->shift);
}

/* One line sends on DQ1, several on DQ0 and up; most significant bit first. */
static void falling(struct nor *n)
{
	unsigned int wide;

	if (n->stage != DATA_OUT)
		return;
	wide = n->cmd->data_wide;
	if (!n->out_bits) {
		n->out = next_out(n);
		n->out_bits = 8;
	}
	n->out_bits -= (uint8_t)wide;
	n->level = (uint8_t)(n->out >> n->out_bits & ((1u << wide) - 1));
	n->drive = (uint8_t)((1u << wide) - 1);
	if (wide == 1) {
		n->level = (uint8_t)(n->level << 1);
		n->drive = 2;
	}
}

static void select_chip(struct nor *n, bool sck)
{
	n->selected = true;
	n->stage = COMMAND;
	n->cmd = NULL;
	n->bits = n->shift = 0;
	n->addr = n->count = 0;
	n->opcode = 0;
	n->sck = sck;
	memset(n->faulted, 0, sizeof(n->faulted));
}

static void deselect(struct nor *n)
{
	n->selected = n->held = false;
	n->drive = 0;
	switch (n->stage) {
	case COMMAND:
		if (n->bits)
			violation(n, NOR_ABORTED);
		break;
	case ADDRESS:
	case DUMMY:
		violation(n, NOR_ABORTED);
		break;
	case DATA_IN:
		if (n->bits || !n->count)
			violation(n, NOR_ABORTED);
		else
			execute(n);
		break;
	case OVER:
		execute(n);
		break;
	default:
		if (n->stage == DATA_OUT)
			n->reset_enabled = false;
		break;
	}
}

/* HOLD# is DQ3 unless the command uses it for data. */
static bool hold(struct nor *n, uint8_t levels)
{
	bool quad = n->cmd && n->stage != COMMAND && (n->cmd->data_wide == 4 || n->cmd->address_wide == 4);

	n->held = !quad && !(levels & 8);
	if (n->held)
		violation(n, NOR_HOLD);
	return n->held;
}

uint8_t nor_cycle(struct nor *n, bool sck, bool cs_n, uint8_t dq_out, uint8_t dq_tri)
{
	uint8_t levels = (dq_out | dq_tri) & 0xf, drive, level;

	n->clock++;
	if (n->busy && --n->busy == 0)
		end_busy(n);
	if (cs_n && n->selected)
		deselect(n);
	else if (!cs_n && !n->selected)
		select_chip(n, sck);
	if (n->selected) {
		if (n->drive & ~dq_tri)
			violation(n, NOR_CONTENTION);
		if (sck != n->sck && !hold(n, levels)) {
			if (sck)
				rising(n, levels, dq_tri);
			else
				falling(n);
		}
		n->sck = sck;
	}
	n->delay_drive[n->clock % 8] = n->drive;
	n->delay_level[n->clock % 8] = n->level;
	drive = n->delay_drive[(n->clock - n->cfg.output_delay) % 8];
	level = n->delay_level[(n->clock - n->cfg.output_delay) % 8];
	return (uint8_t)((levels & ~drive) | (level & drive));
}

/* ------------------------------------------------------------------------------------------ life */

static uint64_t clocks(uint64_t us, unsigned int divide)
{
	uint64_t c = us * CLOCKS_PER_US / (divide ? divide : 1);

	return c > LEAST_BUSY ? c : LEAST_BUSY;
}

void nor_defaults(struct nor_config *cfg, unsigned int divide)
{
	*cfg = (struct nor_config){
		.program = clocks(120, divide),
		.erase_4k = clocks(50000, divide),
		.erase_32k = clocks(100000, divide),
		.erase_64k = clocks(150000, divide),
		.erase_die = clocks(153000000, divide),
		.write_register = clocks(1300, divide),
		.output_delay = 1,    /* with the one to the card's next clock 8 ns: tCLQV 6 ns and the way */
		.min_period = 2,      /* 125 MHz; the part does 133 MHz with 8 dummy clocks */
		.min_period_read = 5, /* 54 MHz */
	};
}

int nor_create(const struct nor_config *cfg, const char *path, struct nor **nor)
{
	struct nor *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->cfg = *cfg;
	n->cfg.output_delay &= 7;
	rc = nor_array_open(&n->array, path, NOR_SIZE);
	if (rc < 0) {
		free(n);
		return rc;
	}
	power_up(n);
	*nor = n;
	return rc;
}

void nor_destroy(struct nor *n)
{
	if (!n)
		return;
	nor_array_close(&n->array);
	free(n);
}
