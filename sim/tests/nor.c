/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the flash model at its pins: every command group with its protocol, each violation once, against a plain copy
 * of the contents; both clock modes, several clock ratios.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bits.h"
#include "nor.h"

static unsigned int passed, failed;

static void verdict(bool ok, const char *name, const char *detail)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED %s: %s\n", name, detail);
}

/* An SPI master on the pins. */
struct bus {
	struct nor *n;
	unsigned int half; /* user clocks of half an SCK period */
	bool mode3;
	uint8_t in; /* lines at the last rising SCK */
};

static void clocks(struct bus *b, bool sck, bool cs_n, uint8_t out, uint8_t tri, unsigned int count)
{
	while (count--)
		b->in = nor_cycle(b->n, sck, cs_n, out, tri);
}

static void begin(struct bus *b)
{
	clocks(b, b->mode3, true, 0xf, 0xf, 2);
	clocks(b, b->mode3, false, 0xf, 0xe, 2);
}

static void end(struct bus *b)
{
	clocks(b, b->mode3, false, 0xf, 0xf, 2);
	clocks(b, b->mode3, true, 0xf, 0xf, 2);
}

/* One SCK period; the lines as they were just before it rises. */
static uint8_t bit(struct bus *b, uint8_t out, uint8_t tri)
{
	uint8_t got;

	clocks(b, false, false, out, tri, b->half);
	got = b->in;
	clocks(b, true, false, out, tri, b->half);
	return got;
}

static void send(struct bus *b, const uint8_t *data, size_t len, unsigned int wide)
{
	uint8_t mask = (uint8_t)((1u << wide) - 1);

	for (size_t i = 0; i < len; i++)
		for (int at = 8 - (int)wide; at >= 0; at -= (int)wide)
			bit(b, (uint8_t)((data[i] >> at & mask) | (wide == 4 ? 0 : 0xc)),
			    (uint8_t)(~mask & 0xf & ~0xc));
}

static void receive(struct bus *b, uint8_t *data, size_t len, unsigned int wide)
{
	uint8_t mask = (uint8_t)((1u << wide) - 1);

	for (size_t i = 0; i < len; i++) {
		data[i] = 0;
		for (int at = 8 - (int)wide; at >= 0; at -= (int)wide) {
			uint8_t lines = bit(b, 0xc, wide == 4 ? 0xf : 0x3);

			data[i] |= (uint8_t)((wide == 1 ? lines >> 1 & 1 : lines & mask) << at);
		}
	}
}

static void dummy(struct bus *b, unsigned int count)
{
	while (count--)
		bit(b, 0xf, 0xf);
}

static void command(struct bus *b, uint8_t opcode, const uint8_t *args, size_t len)
{
	begin(b);
	send(b, &opcode, 1, 1);
	send(b, args, len, 1);
	end(b);
}

static uint8_t reg(struct bus *b, uint8_t opcode)
{
	uint8_t v;

	begin(b);
	send(b, &opcode, 1, 1);
	receive(b, &v, 1, 1);
	end(b);
	return v;
}

static void address(uint8_t *a, uint32_t addr, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		a[i] = (uint8_t)(addr >> (8 * (bytes - 1 - i)));
}

/* A command with an address and data in either direction. */
static void transfer(struct bus *b, uint8_t opcode, uint32_t addr, unsigned int addr_bytes, unsigned int addr_wide,
		     unsigned int idle, uint8_t *data, size_t len, unsigned int wide, bool in)
{
	uint8_t a[4];

	address(a, addr, addr_bytes);
	begin(b);
	send(b, &opcode, 1, 1);
	send(b, a, addr_bytes, addr_wide);
	dummy(b, idle);
	if (in)
		receive(b, data, len, wide);
	else
		send(b, data, len, wide);
	end(b);
}

static void write_enable(struct bus *b)
{
	command(b, 0x06, NULL, 0);
}

static unsigned int wait_ready(struct bus *b)
{
	unsigned int polls = 0;

	while (reg(b, 0x05) & 1)
		polls++;
	return polls;
}

static uint64_t count(const struct bus *b, enum nor_violation v)
{
	return nor_stats(b->n)->violations[v];
}

static uint64_t violations(const struct bus *b)
{
	uint64_t sum = 0;

	for (unsigned int v = 0; v < NOR_VIOLATIONS; v++)
		sum += count(b, v);
	return sum;
}

static struct bus open_bus(unsigned int half, bool mode3)
{
	struct bus b = { .half = half, .mode3 = mode3 };
	struct nor_config cfg;

	nor_defaults(&cfg, 100000);
	if (nor_create(&cfg, NULL, &b.n) != 1)
		abort();
	return b;
}

/* ------------------------------------------------------------------------------------------ what must work */

static void test_identity(struct bus *b)
{
	uint8_t id[20], sfdp[8], opcode = 0x9f;

	begin(b);
	send(b, &opcode, 1, 1);
	receive(b, id, sizeof(id), 1);
	end(b);
	verdict(id[0] == 0x20 && id[1] == 0xbb && id[2] == 0x21 && id[3] == 0x10, "JEDEC id", "not 20 BB 21 10");
	transfer(b, 0x5a, 0, 3, 1, 8, sfdp, sizeof(sfdp), 1, true);
	verdict(memcmp(sfdp, "SFDP", 4) == 0, "SFDP", "no signature");
	transfer(b, 0x5a, 0x34, 3, 1, 8, sfdp, 4, 1, true);
	verdict(memcmp(sfdp, "\xff\xff\xff\x3f", 4) == 0, "SFDP", "density is not 1 Gbit");
	verdict(reg(b, 0x05) == 0 && reg(b, 0x70) == 0x80 && reg(b, 0xc8) == 0, "registers",
		"not at their reset values");
}

struct access {
	const char *name;
	uint8_t opcode;
	unsigned int addr_bytes, addr_wide, idle, wide;
};

static const struct access reads[] = {
	{ "read 03", 0x03, 3, 1, 0, 1 }, { "read 0b", 0x0b, 3, 1, 8, 1 },  { "read 3b", 0x3b, 3, 1, 8, 2 },
	{ "read bb", 0xbb, 3, 2, 8, 2 }, { "read 6b", 0x6b, 3, 1, 8, 4 },  { "read eb", 0xeb, 3, 4, 10, 4 },
	{ "read 13", 0x13, 4, 1, 0, 1 }, { "read 0c", 0x0c, 4, 1, 8, 1 },  { "read 3c", 0x3c, 4, 1, 8, 2 },
	{ "read 6c", 0x6c, 4, 1, 8, 4 }, { "read ec", 0xec, 4, 4, 10, 4 },
};

static const struct access programs[] = {
	{ "program 02", 0x02, 3, 1, 0, 1 }, { "program a2", 0xa2, 3, 1, 0, 2 }, { "program d2", 0xd2, 3, 2, 0, 2 },
	{ "program 32", 0x32, 3, 1, 0, 4 }, { "program 38", 0x38, 3, 4, 0, 4 }, { "program 12", 0x12, 4, 1, 0, 1 },
	{ "program 34", 0x34, 4, 1, 0, 4 }, { "program 3e", 0x3e, 4, 4, 0, 4 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_data(struct bus *b, struct vhp_rng *rng)
{
	uint8_t data[300], got[300], direct[300];
	char text[80];

	for (unsigned int p = 0; p < COUNT(programs); p++) {
		const struct access *w = &programs[p];
		uint32_t addr = (rng_below(rng, 0x100) << 12) + 0x100 * p;
		unsigned int len = 1 + rng_below(rng, 256);

		for (unsigned int i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)rng_next(rng);
		write_enable(b);
		verdict(reg(b, 0x05) == 2, w->name, "write enable does not show");
		transfer(b, w->opcode, addr, w->addr_bytes, w->addr_wide, 0, data, len, w->wide, false);
		verdict((reg(b, 0x05) & 3) == 3 && !(reg(b, 0x70) & 0x80), w->name, "no busy time");
		wait_ready(b);
		verdict(reg(b, 0x05) == 0 && reg(b, 0x70) == 0x80, w->name, "registers after the busy time");
		nor_read(b->n, addr, direct, len);
		verdict(memcmp(direct, data, len) == 0, w->name, "other contents");
		for (unsigned int r = 0; r < COUNT(reads); r++) {
			const struct access *a = &reads[r];

			transfer(b, a->opcode, addr, a->addr_bytes, a->addr_wide, a->idle, got, len, a->wide, true);
			snprintf(text, sizeof(text), "read back by %02x at 0x%x", a->opcode, addr);
			verdict(memcmp(got, data, len) == 0, w->name, text);
		}
	}
}

static void test_page(struct bus *b)
{
	uint8_t data[300], got[256];

	/* 300 bytes from offset 0x80 of a page: the last 256 stay, round the page. */
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	write_enable(b);
	transfer(b, 0x02, 0x700080, 3, 1, 0, data, 300, 1, false);
	wait_ready(b);
	nor_read(b->n, 0x700000, got, 256);
	bool ok = true;
	for (unsigned int i = 44; i < 300; i++)
		ok &= got[(0x80 + i) % 256] == data[i];
	verdict(ok, "page wrap", "other contents");
	nor_read(b->n, 0x700100, got, 1);
	verdict(got[0] == 0xff, "page wrap", "the next page has changed");
	/* Bits only fall. */
	uint64_t before = count(b, NOR_OVERWRITE);
	uint8_t a = 0x0f, c = 0xf3;
	write_enable(b);
	transfer(b, 0x02, 0x710000, 3, 1, 0, &a, 1, 1, false);
	wait_ready(b);
	write_enable(b);
	transfer(b, 0x02, 0x710000, 3, 1, 0, &c, 1, 1, false);
	wait_ready(b);
	nor_read(b->n, 0x710000, got, 1);
	verdict(got[0] == 0x03 && count(b, NOR_OVERWRITE) == before + 1, "program of not erased bytes",
		"not the AND, or not counted");
}

struct erase {
	const char *name;
	uint8_t opcode;
	unsigned int addr_bytes;
	uint32_t len;
};

static void test_erase(struct bus *b, struct vhp_rng *rng)
{
	static const struct erase erases[] = {
		{ "erase 20", 0x20, 3, 4096 },	  { "erase 21", 0x21, 4, 4096 },  { "erase 52", 0x52, 3, 32768 },
		{ "erase 5c", 0x5c, 4, 32768 },	  { "erase d8", 0xd8, 3, 65536 }, { "erase dc", 0xdc, 4, 65536 },
		{ "erase c4", 0xc4, 3, NOR_DIE },
	};
	uint8_t zero[2] = { 0, 0 }, got;
	uint8_t a[4];

	for (unsigned int e = 0; e < COUNT(erases); e++) {
		uint32_t base = erases[e].len == NOR_DIE ? 0 : 0x400000, len = erases[e].len;
		uint32_t inside = base + rng_below(rng, len < 1u << 24 ? len : 1u << 24);

		if (base)
			nor_write(b->n, base - 1, zero, 1);
		nor_write(b->n, base, zero, 1);
		nor_write(b->n, base + len - 1, zero, 2);
		write_enable(b);
		address(a, inside, erases[e].addr_bytes);
		command(b, erases[e].opcode, a, erases[e].addr_bytes);
		verdict(wait_ready(b) > 0, erases[e].name, "no busy time");
		if (base) {
			nor_read(b->n, base - 1, &got, 1);
			verdict(got == 0, erases[e].name, "the byte in front has changed");
		}
		nor_read(b->n, base, &got, 1);
		verdict(got == 0xff, erases[e].name, "the first byte is not erased");
		nor_read(b->n, base + len - 1, &got, 1);
		verdict(got == 0xff, erases[e].name, "the last byte is not erased");
		nor_read(b->n, base + len, &got, 1);
		verdict(got == 0, erases[e].name, "the byte behind has changed");
	}
	verdict(nor_stats(b->n)->erased_4k >= 2 && nor_stats(b->n)->erased_dies >= 1, "erase", "not counted");
}

static void test_addressing(struct bus *b)
{
	uint8_t bank = 5, mark = 0x42, got, long_data[2];

	write_enable(b);
	command(b, 0xc5, &bank, 1);
	verdict(reg(b, 0xc8) == 5 && reg(b, 0x05) == 0, "extended address", "not written, or write enable is still on");
	write_enable(b);
	transfer(b, 0x02, 0x001234, 3, 1, 0, &mark, 1, 1, false);
	wait_ready(b);
	nor_read(b->n, 0x05001234, &got, 1);
	verdict(got == 0x42, "extended address", "programmed elsewhere");
	transfer(b, 0x13, 0x05001234, 4, 1, 0, &got, 1, 1, true);
	verdict(got == 0x42, "four-byte read", "wrong byte");
	write_enable(b);
	command(b, 0xb7, NULL, 0);
	verdict((reg(b, 0x70) & 1) == 1, "four-byte mode", "does not show in the flag status");
	transfer(b, 0x03, 0x05001234, 4, 1, 0, &got, 1, 1, true);
	verdict(got == 0x42, "four-byte mode", "wrong byte");
	write_enable(b);
	command(b, 0xe9, NULL, 0);
	verdict((reg(b, 0x70) & 1) == 0, "four-byte mode", "does not end");
	/* A read goes round at the end of a die. */
	nor_write(b->n, 0, "\x11", 1);
	nor_write(b->n, NOR_DIE - 1, "\x22", 1);
	transfer(b, 0x13, NOR_DIE - 1, 4, 1, 0, long_data, 2, 1, true);
	verdict(long_data[0] == 0x22 && long_data[1] == 0x11, "end of a die", "does not go round");
	/* Reset. */
	command(b, 0x66, NULL, 0);
	command(b, 0x99, NULL, 0);
	verdict(reg(b, 0xc8) == 0, "reset", "the extended address stays");
}

/* ------------------------------------------------------------------------------------------ what must be refused */

#define EXPECT(name, violation, body)                                                               \
	do {                                                                                        \
		uint64_t before_ = count(b, violation), all_ = violations(b);                       \
		body verdict(count(b, violation) == before_ + 1 && violations(b) == all_ + 1, name, \
			     "not counted, or something else too");                                 \
	} while (0)

static void byte_at(struct bus *b, const char *name, uint32_t addr, uint8_t expected)
{
	uint8_t got;

	nor_read(b->n, addr, &got, 1);
	verdict(got == expected, name, "other contents");
}

static void test_violations(struct bus *b)
{
	uint8_t a[4] = { 0x20, 0, 0, 0 }, data[4] = { 1, 2, 3, 4 }, opcode, got, protect;
	unsigned int half = b->half;

	EXPECT("unknown command", NOR_UNKNOWN, command(b, 0xc7, NULL, 0););
	EXPECT("program without write enable", NOR_NO_WREN, transfer(b, 0x02, 0x200000, 3, 1, 0, data, 4, 1, false););
	EXPECT("erase without write enable", NOR_NO_WREN, command(b, 0x20, a, 3););
	byte_at(b, "without write enable", 0x200000, 0xff);

	write_enable(b);
	transfer(b, 0x02, 0x200100, 3, 1, 0, data, 4, 1, false);
	EXPECT("read while busy", NOR_BUSY, transfer(b, 0x03, 0x200100, 3, 1, 0, &got, 1, 1, true););
	verdict(got == 0xff, "read while busy", "answered");
	EXPECT("write enable while busy", NOR_BUSY, write_enable(b););
	wait_ready(b);
	byte_at(b, "while busy", 0x200100, 1);

	/* CS# inside a byte, inside the address, without data, behind the opcode. */
	write_enable(b);
	opcode = 0x02;
	EXPECT("CS# inside a data byte", NOR_ABORTED, begin(b); send(b, &opcode, 1, 1); send(b, a, 3, 1);
	       send(b, data, 1, 1); bit(b, 0xf, 0xe); end(b););
	EXPECT("CS# inside the address", NOR_ABORTED, begin(b); send(b, &opcode, 1, 1); send(b, a, 2, 1); end(b););
	EXPECT("program without data", NOR_ABORTED, command(b, 0x02, a, 3););
	verdict(!nor_busy(b->n), "aborted program", "was begun");
	EXPECT("CS# inside the opcode", NOR_ABORTED, begin(b); bit(b, 0xf, 0xe); end(b););
	opcode = 0x04;
	EXPECT("write disable with a ninth clock", NOR_ABORTED, begin(b); send(b, &opcode, 1, 1); bit(b, 0xf, 0xe);
	       end(b););
	verdict(reg(b, 0x05) == 2, "write disable with a ninth clock", "done all the same");
	byte_at(b, "aborted program", 0x200000, 0xff);

	/* A quad program whose data comes on one line: the part takes four lines a clock, whatever is on them. */
	b->half = 3;
	opcode = 0x32;
	EXPECT("quad data on one line", NOR_UNDRIVEN, begin(b); send(b, &opcode, 1, 1); a[1] = 2; send(b, a, 3, 1);
	       for (int i = 7; i >= 0; i--) bit(b, data[3] >> i & 1, 0xe); end(b););
	wait_ready(b);
	byte_at(b, "quad data on one line", 0x200200, 0xee);
	byte_at(b, "quad data on one line", 0x200202, 0xef);
	a[1] = 0;

	/* Lines. */
	opcode = 0x9f;
	EXPECT("both sides drive", NOR_CONTENTION, begin(b); send(b, &opcode, 1, 1); bit(b, 0xd, 0xc); bit(b, 0xd, 0xc);
	       end(b););
	EXPECT("HOLD#", NOR_HOLD, begin(b); for (int i = 7; i >= 0; i--) bit(b, opcode >> i & 1, 6); end(b););
	b->half = 2;
	opcode = 0x03;
	EXPECT("plain read at 62.5 MHz", NOR_TOO_FAST, transfer(b, 0x03, 0, 3, 1, 0, &got, 1, 1, true););
	b->half = half;

	/* Protection: TB and BP = 1, the lowest 64 KiB. */
	protect = 0x24;
	write_enable(b);
	command(b, 0x01, &protect, 1);
	wait_ready(b);
	verdict(reg(b, 0x05) == 0x24, "write status", "other bits");
	write_enable(b);
	EXPECT("program of a protected block", NOR_PROTECTED, transfer(b, 0x02, 0x00ff00, 3, 1, 0, data, 4, 1, false););
	verdict(reg(b, 0x70) == 0x92, "program of a protected block", "flag status");
	command(b, 0x50, NULL, 0);
	verdict(reg(b, 0x70) == 0x80, "clear flag status", "bits stay");
	write_enable(b);
	transfer(b, 0x02, 0x010000, 3, 1, 0, data, 4, 1, false);
	wait_ready(b);
	byte_at(b, "block above the protected one", 0x010000, 1);
	protect = 0;
	write_enable(b);
	command(b, 0x01, &protect, 1);
	wait_ready(b);

	EXPECT("address beyond the end", NOR_RANGE, transfer(b, 0x13, NOR_SIZE + 0x010000, 4, 1, 0, &got, 1, 1, true););
	verdict(got == 1, "address beyond the end", "does not wrap");

	/* Reset in the middle of an erase: the sector is neither old nor erased. */
	write_enable(b);
	command(b, 0x20, a, 3);
	EXPECT("reset while busy", NOR_INTERRUPTED, command(b, 0x66, NULL, 0); command(b, 0x99, NULL, 0););
	verdict(!nor_busy(b->n) && reg(b, 0x05) == 0, "reset while busy", "still busy");
	byte_at(b, "reset while busy", 0x200000, 0x5a);
	/* 99 alone is nothing. */
	write_enable(b);
	command(b, 0x99, NULL, 0);
	verdict(reg(b, 0x05) == 2, "reset without reset enable", "done all the same");
	command(b, 0x04, NULL, 0);
}

/* ------------------------------------------------------------------------------------------ power */

static void test_power_fail(struct bus *b)
{
	static const uint8_t erase[4] = { 0x01, 0x00, 0x10, 0x00 };
	uint8_t old[3 * NOR_SECTOR], is[3 * NOR_SECTOR], page[NOR_PAGE], bank = 1;
	unsigned int before = 0, after = 0, neither = 0;

	for (unsigned int seed = 0; seed < 64; seed++) {
		bool kept = true;

		for (unsigned int i = 0; i < sizeof(old); i++)
			old[i] = (uint8_t)(i * 7 + seed);
		memset(old + NOR_SECTOR - NOR_PAGE, 0xff, NOR_PAGE);
		for (unsigned int i = 0; i < NOR_PAGE; i++)
			page[i] = (uint8_t)(0xa5 ^ i);
		nor_write(b->n, 0x01000000, old, sizeof(old));

		/* A page: its zeros come one by one, nothing else changes. */
		write_enable(b);
		transfer(b, 0x12, 0x01000000 + NOR_SECTOR - NOR_PAGE, 4, 1, 0, page, NOR_PAGE, 1, false);
		verdict(nor_busy(b->n), "power fails in a page", "not busy");
		nor_power_fail(b->n, seed);
		nor_read(b->n, 0x01000000, is, sizeof(is));
		for (unsigned int i = 0; i < NOR_PAGE; i++) {
			uint8_t got = is[NOR_SECTOR - NOR_PAGE + i];

			kept = kept && (got & page[i]) == page[i];
			before += got == 0xff;
			after += got == page[i];
			neither += got != 0xff && got != page[i];
		}
		verdict(kept, "power fails in a page", "a bit became 0 that should stay 1");
		memset(is + NOR_SECTOR - NOR_PAGE, 0xff, NOR_PAGE);
		verdict(memcmp(is, old, sizeof(old)) == 0, "power fails in a page", "another page changed");

		/* A sector, and not its neighbours. */
		write_enable(b);
		command(b, 0x21, erase, 4);
		nor_power_fail(b->n, seed);
		verdict(!nor_busy(b->n) && reg(b, 0x05) == 0, "power fails in an erase", "busy after it");
		nor_read(b->n, 0x01000000, is, sizeof(is));
		verdict(memcmp(is, old, NOR_SECTOR - NOR_PAGE) == 0 &&
				memcmp(is + 2 * NOR_SECTOR, old + 2 * NOR_SECTOR, NOR_SECTOR) == 0,
			"power fails in an erase", "another sector changed");
		for (unsigned int i = NOR_SECTOR; i < 2 * NOR_SECTOR; i++) {
			before += is[i] == old[i];
			after += is[i] == 0xff;
			neither += is[i] != old[i] && is[i] != 0xff;
		}
	}
	verdict(before > 1000 && after > 1000 && neither > 1000, "power fails", "always with the same end");

	/* A command that is not whole, and registers. */
	write_enable(b);
	command(b, 0xc5, &bank, 1);
	write_enable(b);
	begin(b);
	send(b, (const uint8_t[]){ 0x21, 0x01, 0x00, 0x00, 0x00 }, 5, 1);
	nor_read(b->n, 0x01000000, old, NOR_SECTOR);
	nor_power_fail(b->n, 1);
	end(b);
	wait_ready(b);
	nor_read(b->n, 0x01000000, is, NOR_SECTOR);
	verdict(memcmp(is, old, NOR_SECTOR) == 0, "power fails inside a command", "it was carried out");
	verdict(reg(b, 0xc8) == 0 && reg(b, 0x05) == 0, "registers after the power failed", "not those of power-up");
}

/* ------------------------------------------------------------------------------------------ the file */

static void test_file(void)
{
	char dir[] = "/tmp/sim-nor-XXXXXX", path[64];
	struct bus b = { .half = 3 };
	struct nor_config cfg;
	struct nor *second;
	uint8_t data[4] = { 9, 8, 7, 6 }, got[4];
	int fd;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/flash", dir);
	nor_defaults(&cfg, 100000);
	verdict(nor_create(&cfg, path, &b.n) == 1, "new file", "not made");
	verdict(nor_create(&cfg, path, &second) == -EBUSY, "second user of a file", "not refused");
	write_enable(&b);
	transfer(&b, 0x12, 0x07fffffc, 4, 1, 0, data, 4, 1, false);
	wait_ready(&b);
	fd = open(path, O_RDWR);
	verdict(pread(fd, got, 4, 0x07fffffc) == 4 && memcmp(got, data, 4) == 0, "file", "not written through");
	verdict(pread(fd, got, 1, 0) == 1 && got[0] == 0xff, "file", "not erased");
	nor_destroy(b.n);
	verdict(nor_create(&cfg, path, &b.n) == 0, "old file", "not taken");
	transfer(&b, 0x13, 0x07fffffc, 4, 1, 0, got, 4, 1, true);
	verdict(memcmp(got, data, 4) == 0, "old file", "other contents");
	/* Cut off behind the model's back: reads as erased, no signal. */
	verdict(ftruncate(fd, 100) == 0, "file", "truncate");
	transfer(&b, 0x13, 0x07fffffc, 4, 1, 0, got, 4, 1, true);
	verdict(memcmp(got, "\xff\xff\xff\xff", 4) == 0, "file cut off", "not erased");
	nor_destroy(b.n);
	verdict(nor_create(&cfg, path, &b.n) == -EFBIG, "file of the wrong size", "not refused");
	verdict(nor_create(&cfg, dir, &b.n) == -EISDIR, "folder", "not refused");
	close(fd);
	unlink(path);
	rmdir(dir);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	struct vhp_rng rng;

	printf("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed, 0);
	for (unsigned int half = 3; half <= 6; half += 3) {
		for (int mode3 = 0; mode3 < 2; mode3++) {
			struct bus b = open_bus(half, mode3);

			test_identity(&b);
			test_data(&b, &rng);
			test_addressing(&b);
			verdict(violations(&b) == 0, "good commands", "counted as violations");
			test_page(&b);
			test_erase(&b, &rng);
			test_violations(&b);
			test_power_fail(&b);
			nor_destroy(b.n);
		}
	}
	test_file();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
