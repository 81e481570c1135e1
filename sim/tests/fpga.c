/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the configuration logic with the streams of rtl/boards/standin: every board's image runs on its own part and on
 * no other; one bit flipped, cut off, or hostile, it does not run; jumps, watchdog and fallback; the ICAP.
 * Run from the top of the tree.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "fpga.h"

#define FLASH (1u << 20)
#define SMALL 8192u
#define USER 0x80000u
#define GUARD 0x1000u
#define ACCESS 0x12345678u
#define GOLDEN 0x474f4c44u
#define SIM_IDCODE 0x04b37093u

static unsigned int passed, failed;

static void verdict(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void verdict(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		passed++;
		return;
	}
	if (failed++ > 20)
		return;
	printf("FAILED ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* A flash in memory; whoever reads outside of it ends the test. */
struct flash {
	uint8_t bytes[FLASH];
	bool mute;
};

static bool read_flash(void *arg, uint32_t addr, void *buf, uint32_t len)
{
	struct flash *f = arg;

	if (addr > FLASH || len > FLASH - addr) {
		printf("FAILED read of %u bytes at 0x%x, outside the flash\n", len, addr);
		exit(1);
	}
	memcpy(buf, f->bytes + addr, len);
	return !f->mute;
}

static void erase(struct flash *f)
{
	memset(f->bytes, 0xff, FLASH);
	f->mute = false;
}

static struct fpga_source source(struct flash *f)
{
	return (struct fpga_source){ read_flash, FLASH, f };
}

/* Configuration data of a stand-in. */
static uint32_t standin(uint8_t *buf, uint32_t room, const char *board, uint32_t access, const char *more)
{
	char cmd[300];
	uint32_t len;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "rtl/boards/standin --board %s --usr-access 0x%x --format bit %s -o -", board,
		 access, more);
	p = popen(cmd, "r");
	len = p ? (uint32_t)fread(buf, 1, room, p) : 0;
	if (!p || pclose(p) || len < 200) {
		printf("FAILED %s\n", cmd);
		exit(1);
	}
	/* Behind the header of the .bit file: "e" and the length. */
	for (uint32_t i = 0; i + 5 < len; i++) {
		uint32_t data = (uint32_t)buf[i + 1] << 24 | (uint32_t)buf[i + 2] << 16 | (uint32_t)buf[i + 3] << 8 |
			buf[i + 4];

		if (buf[i] == 'e' && data == len - i - 5) {
			memmove(buf, buf + i + 5, data);
			memset(buf + data, 0xff, i + 5);
			return data;
		}
	}
	printf("FAILED %s: no field e with the length\n", cmd);
	exit(1);
}

static enum fpga_event load(struct flash *f, uint32_t idcode, uint32_t addr, uint32_t *access)
{
	struct fpga_source src = { read_flash, SMALL, f };
	struct fpga fpga;
	enum fpga_event e;

	fpga_init(&fpga, idcode);
	e = fpga_load(&fpga, &src, addr, false);
	*access = fpga.axss;
	return e;
}

/* ------------------------------------------------------------------------------------------ boards */

struct board {
	char name[256];
	uint32_t idcode;
};

static unsigned int list_boards(struct board *b, unsigned int max)
{
	DIR *d = opendir("rtl/boards");
	unsigned int n = 0;

	if (!d)
		abort();
	b[n++] = (struct board){ "sim", SIM_IDCODE };
	for (struct dirent *e; (e = readdir(d)) && n < max;) {
		char path[400], line[200];
		FILE *f;

		snprintf(path, sizeof(path), "rtl/boards/%s/board.tcl", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		snprintf(b[n].name, sizeof(b[n].name), "%s", e->d_name);
		b[n].idcode = 0;
		while (fgets(line, sizeof(line), f))
			sscanf(line, " idcode 0x%x", &b[n].idcode);
		fclose(f);
		verdict(b[n].idcode != 0, "board %s has no idcode", e->d_name);
		n += b[n].idcode != 0;
	}
	closedir(d);
	return n;
}

static void test_boards(struct flash *f)
{
	struct board boards[32];
	unsigned int n = list_boards(boards, 32);
	uint32_t access;

	verdict(n >= 8, "only %u boards", n);
	for (unsigned int i = 0; i < n; i++) {
		erase(f);
		standin(f->bytes, FLASH, boards[i].name, ACCESS + i, "--size 4096");
		verdict(load(f, boards[i].idcode, 0, &access) == FPGA_DESYNC && access == ACCESS + i, "image of %s",
			boards[i].name);
		verdict(load(f, boards[i].idcode | 0x20000000, 0, &access) == FPGA_DESYNC,
			"image of %s, later revision", boards[i].name);
		for (unsigned int k = 0; k < n; k++)
			if (boards[k].idcode != boards[i].idcode)
				verdict(load(f, boards[k].idcode, 0, &access) == FPGA_BAD_IDCODE,
					"image of %s runs on %s", boards[i].name, boards[k].name);
	}
}

/* ------------------------------------------------------------------------------------------ damage */

static uint32_t word_at(const struct flash *f, uint32_t addr)
{
	const uint8_t *p = f->bytes + addr;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t find_word(const struct flash *f, uint32_t from, uint32_t len, uint32_t a, uint32_t b)
{
	for (uint32_t at = from; at + 8 <= len; at += 4)
		if (word_at(f, at) == a && word_at(f, at + 4) == b)
			return at;
	printf("FAILED no words %08x %08x in the image\n", a, b);
	exit(1);
}

static void test_damage(struct flash *f, struct vhp_rng *rng)
{
	uint32_t access, len, from, to, last;

	erase(f);
	len = standin(f->bytes, FLASH, "sim", ACCESS, "--size 2048");
	/*
	 * What the CRC guards: from behind RCRC to the last CRC word's header; not NOPs, nor the two bits between register and
	 * count of a header, which mean nothing.
	 */
	from = find_word(f, 0, len, 0x30008001, 7) + 8;
	to = find_word(f, from, len, 0x30008001, 13);
	last = to - 16;
	verdict(word_at(f, last) == 0x30000001, "no CRC word in front of DESYNC");
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		uint32_t w = word_at(f, bit / 32 * 4);
		bool spare = w >> 29 == 1 && bit / 8 % 4 == 2 && (bit % 8 == 3 || bit % 8 == 4);
		bool guarded = bit / 8 >= from && bit / 8 < to + 4 && bit / 32 != last / 4 && w != 0x20000000 && !spare;
		enum fpga_event e;

		f->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		e = load(f, SIM_IDCODE, 0, &access);
		verdict(e == FPGA_DESYNC ? !guarded && access == ACCESS : e != FPGA_NONE,
			"bit %u of byte 0x%x flipped: %s, access 0x%x", bit % 8, bit / 8, fpga_event_text(e), access);
		f->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* Cut off at every word: the rest erased, or zero, or the same image once more (an older one lay there). */
	for (uint32_t cut = 0; cut < to + 8; cut += 4) {
		struct flash *g = malloc(sizeof(*g));

		*g = *f;
		memset(g->bytes + cut, 0xff, len - cut);
		verdict(load(g, SIM_IDCODE, 0, &access) != FPGA_DESYNC, "cut off at 0x%x, erased behind", cut);
		memset(g->bytes + cut, 0, len - cut);
		verdict(load(g, SIM_IDCODE, 0, &access) != FPGA_DESYNC, "cut off at 0x%x, zero behind", cut);
		for (uint32_t i = cut; i < len; i++)
			g->bytes[i] = (uint8_t)rng_next(rng);
		verdict(load(g, SIM_IDCODE, 0, &access) != FPGA_DESYNC, "cut off at 0x%x, noise behind", cut);
		free(g);
	}
}

/* Streams of random packets: no read outside the flash, and an end. */
static void test_noise(struct flash *f, struct vhp_rng *rng)
{
	for (unsigned int run = 0; run < 40; run++) {
		struct fpga_source src = source(f);
		struct fpga_image image;
		struct fpga fpga;
		uint32_t at = 0;

		for (uint32_t i = 0; i < FLASH; i += 4) {
			uint32_t w = (uint32_t)rng_next(rng);

			if (rng_pct(rng, 60))
				w = 0x30000001 | rng_below(rng, 32) << 13;
			else if (rng_pct(rng, 50))
				w &= 0x1f;
			memcpy(f->bytes + i,
			       (uint8_t[4]){ (uint8_t)(w >> 24), (uint8_t)(w >> 16), (uint8_t)(w >> 8), (uint8_t)w },
			       4);
		}
		for (at = 0; at < FLASH; at += 1 + rng_below(rng, 60000))
			memcpy(f->bytes + at, "\xaa\x99\x55\x66", at + 4 <= FLASH ? 4 : 0);
		fpga_init(&fpga, SIM_IDCODE);
		fpga.wbstar = (uint32_t)rng_next(rng);
		verdict(!fpga_boot(&fpga, &src, &image, NULL, NULL), "noise runs");
	}
}

/* ------------------------------------------------------------------------------------------ MultiBoot */

static void boots(struct flash *f, uint32_t wbstar, const char *name, bool runs, uint32_t address, uint32_t access,
		  bool fallback)
{
	struct fpga_source src = source(f);
	struct fpga_image image = { 0 };
	struct fpga fpga;
	bool ok;

	fpga_init(&fpga, SIM_IDCODE);
	fpga.wbstar = wbstar;
	ok = fpga_boot(&fpga, &src, &image, NULL, NULL);
	verdict(ok == runs &&
			(!ok || (image.address == address && image.usr_access == access && image.fallback == fallback)),
		"%s: %s, image at 0x%x, access 0x%x%s", name, ok ? "runs" : "nothing runs", image.address,
		image.usr_access, image.fallback ? ", fallback" : "");
}

static void test_multiboot(struct flash *f)
{
	/* The guard of xbflash2: watchdog of 2 cycles, behind a sync word, at 128 of the slot. */
	static const uint8_t guard[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0xbb,
					 0x11, 0x22, 0x00, 0x44, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xaa, 0x99, 0x55, 0x66, 0x30, 0x02, 0x20, 0x01, 0x40, 0x00, 0x00, 0x02 };
	uint32_t len, other;

	erase(f);
	boots(f, 0, "erased flash", false, 0, 0, false);
	standin(f->bytes, FLASH, "sim", GOLDEN, "--size 4096 --jump 0x80000 --watchdog 0x100000");
	boots(f, 0, "golden alone", true, 0, GOLDEN, true);
	boots(f, USER, "empty slot", true, 0, GOLDEN, true);
	boots(f, 0xfffffff0, "beyond the end", true, 0, GOLDEN, true);
	boots(f, FLASH - 2, "at the end", true, 0, GOLDEN, true);
	len = standin(f->bytes + USER + GUARD, FLASH - USER - GUARD, "sim", ACCESS, "--size 8192");
	boots(f, 0, "power-up", true, USER, ACCESS, false);
	boots(f, USER, "slot", true, USER, ACCESS, false);
	boots(f, USER + 3, "slot, odd address", true, USER + 3, ACCESS, false);
	memcpy(f->bytes + USER + 128, guard, sizeof(guard));
	boots(f, USER, "slot with its guard", true, 0, GOLDEN, true);
	memset(f->bytes + USER + 128, 0xff, sizeof(guard));
	boots(f, USER, "slot, guard erased", true, USER, ACCESS, false);
	f->bytes[USER + GUARD + len / 2] ^= 1;
	boots(f, 0, "bad image in the slot", true, 0, GOLDEN, true);
	f->bytes[USER + GUARD + len / 2] ^= 1;
	f->mute = true;
	boots(f, USER, "flash does not answer", false, 0, 0, false);
	f->mute = false;
	/* A golden image that is bad: the slot still runs when it is asked for, and nothing does else. */
	f->bytes[600] ^= 1;
	boots(f, USER, "slot, bad golden image", true, USER, ACCESS, false);
	f->bytes[USER + GUARD + len / 2] ^= 1;
	boots(f, USER, "two bad images", false, 0, 0, false);
	/* Images that jump to one another: the part falls back, and there jumps are ignored. */
	erase(f);
	standin(f->bytes, FLASH, "sim", GOLDEN, "--size 4096 --jump 0x80000");
	standin(f->bytes + USER, FLASH - USER, "sim", ACCESS, "--size 4096 --jump 0x80000");
	boots(f, 0, "circle", true, 0, GOLDEN, true);
	/* An image for another part. */
	erase(f);
	standin(f->bytes, FLASH, "sim", GOLDEN, "--size 4096");
	other = standin(f->bytes + USER, FLASH - USER, "au50", ACCESS, "--size 4096");
	boots(f, USER, "image of another part", true, 0, GOLDEN, true);
	boots(f, 0, "golden without a jump", true, 0, GOLDEN, false);
	/* A watchdog that lets the image through, and one that does not. */
	memset(f->bytes + USER, 0xff, other);
	standin(f->bytes + USER, FLASH - USER, "sim", ACCESS, "--size 4096 --watchdog 8192");
	boots(f, USER, "watchdog of 1024 words", true, USER, ACCESS, false);
	standin(f->bytes + USER, FLASH - USER, "sim", ACCESS, "--size 4096 --watchdog 2048");
	boots(f, USER, "watchdog of 256 words", true, 0, GOLDEN, true);
}

/* ------------------------------------------------------------------------------------------ ICAP */

static uint32_t pins(uint32_t w)
{
	uint32_t r = 0;

	for (unsigned int i = 0; i < 32; i++)
		r |= (w >> i & 1) << (i / 8 * 8 + 7 - i % 8);
	return r;
}

static enum fpga_event feed(struct fpga *f, const uint32_t *words, unsigned int n, bool reversed)
{
	enum fpga_event e = FPGA_NONE;

	for (unsigned int i = 0; i < n && e == FPGA_NONE; i++) {
		e = fpga_icap(f, true, false, pins(0xaa995566)); /* not selected */
		if (e == FPGA_NONE)
			e = fpga_icap(f, false, true, pins(0x30008001)); /* a read */
		if (e == FPGA_NONE)
			e = fpga_icap(f, false, false, reversed ? pins(words[i]) : words[i]);
	}
	return e;
}

static void test_icap(void)
{
	static const uint32_t iprog[] = { 0xffffffff, 0xaa995566, 0x20000000, 0x30020001, 0x01002000,
					  0x20000000, 0x30008001, 0x0000000f, 0x20000000 };
	static const uint32_t nothing[] = { 0xffffffff, 0xaa995566, 0x20000000, 0x30020001, 0x01002000,
					    0x30008001, 0x0000000d, 0x30008001, 0x0000000f };
	struct fpga f;

	fpga_init(&f, SIM_IDCODE);
	verdict(feed(&f, iprog, 9, true) == FPGA_IPROG && f.wbstar == 0x01002000, "ICAP: IPROG with WBSTAR");
	fpga_init(&f, SIM_IDCODE);
	verdict(feed(&f, iprog, 9, false) == FPGA_NONE, "ICAP: bits not reversed");
	fpga_init(&f, SIM_IDCODE);
	verdict(feed(&f, iprog + 2, 7, true) == FPGA_NONE, "ICAP: no sync word");
	fpga_init(&f, SIM_IDCODE);
	verdict(feed(&f, nothing, 9, true) == FPGA_NONE, "ICAP: IPROG behind DESYNC");
	verdict(feed(&f, iprog, 9, true) == FPGA_IPROG, "ICAP: once more");
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	struct flash *f = malloc(sizeof(*f));
	struct vhp_rng rng;

	if (!f)
		return 1;
	printf("seed %llu\n", (unsigned long long)seed);
	rng_seed(&rng, seed, 0);
	test_boards(f);
	test_damage(f, &rng);
	test_noise(f, &rng);
	test_multiboot(f);
	test_icap();
	free(f);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
