/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration flash from the host, against the simulated flash and configuration logic: an image is programmed
 * through BAR 4, booted, and its identity shows; a broken one gives the golden image back; what a client sees that has a
 * function open meanwhile. Run from the top of the tree.
 */
#include "lib_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vfio_user_client.h"
#include "vhp_regs.h"

#define SPI(name) offsetof(vhp_spi_t, name)
#define BOOT(name) (0x1000 + offsetof(vhp_boot_t, name))
#define BOOT_KEY 0x49505247u
#define GOLDEN 0x474f4c44u
#define ACCESS 0x20260101u
#define START 0x01002000u
#define IMAGE (START + 0x1000)
#define IMAGE_SIZE 1024u
#define CHUNK 128u
#define ONES 0xffffffffu

static struct sim sim;
static char flash_file[300];

static uint32_t get(struct vhp_dev *d, unsigned int bar, uint64_t offset)
{
	uint64_t v = 0;

	assert_int_equal(vhp_dev_read(d, bar, offset, 4, &v), 0);
	return (uint32_t)v;
}

static void set(struct vhp_dev *d, unsigned int bar, uint64_t offset, uint32_t v)
{
	assert_int_equal(vhp_dev_write(d, bar, offset, 4, v), 0);
}

static struct vhp_dev *open_fn(unsigned int fn)
{
	struct vhp_dev *d;
	char path[300], err[256];

	snprintf(path, sizeof(path), "%s/fn%u.sock", sim.dir, fn);
	if (vhp_dev_open_socket(path, &d, err, sizeof(err))) {
		print_error("%s\n", err);
		fail();
	}
	return d;
}

/* A connection that does not look what is behind it. */
static void open_raw(struct vfu_client *c, unsigned int fn)
{
	char path[300], err[256];

	snprintf(path, sizeof(path), "%s/fn%u.sock", sim.dir, fn);
	assert_int_equal(vfu_connect(c, path, err, sizeof(err)), 0);
}

static uint32_t get_raw(struct vfu_client *c, unsigned int bar, uint64_t offset)
{
	struct vfio_user_region_access a = { .offset = offset, .region = bar, .count = 4 };
	struct {
		struct vfio_user_region_access a;
		uint32_t v;
	} reply;
	struct iovec v = { &a, sizeof(a) };

	assert_int_equal(vfu_transact(c, VFIO_USER_REGION_READ, &v, 1, NULL, 0, &reply, sizeof(a) + 4, sizeof(a) + 4),
			 sizeof(a) + 4);
	return reply.v;
}

/* ---------------------------------------------------------------- SPI */

/* One command, at most 256 bytes; @p in may be NULL. */
static void spi(struct vhp_dev *d, const uint8_t *out, uint8_t *in, unsigned int len)
{
	set(d, 4, SPI(cr), 0x1e6); /* master, enabled, inhibited, FIFOs empty */
	for (unsigned int i = 0; i < len; i++)
		set(d, 4, SPI(dtr), out[i]);
	set(d, 4, SPI(ssr), ~1u);
	set(d, 4, SPI(cr), 0x086);
	while (!(get(d, 4, SPI(sr)) & VHP_SPI__SR__TX_EMPTY_bm))
		;
	set(d, 4, SPI(cr), 0x186);
	set(d, 4, SPI(ssr), ~0u);
	for (unsigned int i = 0; in && i < len; i++)
		in[i] = (uint8_t)get(d, 4, SPI(drr));
}

static void spi_wait(struct vhp_dev *d)
{
	uint8_t b[2];

	do {
		b[0] = 0x05;
		spi(d, b, b, 2);
	} while (b[1] & 1);
}

static void spi_change(struct vhp_dev *d, uint8_t opcode, uint32_t addr, const uint8_t *data, unsigned int len)
{
	uint8_t cmd[4 + CHUNK] = { opcode, (uint8_t)(addr >> 16), (uint8_t)(addr >> 8), (uint8_t)addr };

	spi(d, &(uint8_t){ 0x06 }, NULL, 1);
	spi(d, (uint8_t[]){ 0xc5, (uint8_t)(addr >> 24) }, NULL, 2);
	spi(d, &(uint8_t){ 0x06 }, NULL, 1);
	if (len)
		memcpy(cmd + 4, data, len);
	spi(d, cmd, NULL, 4 + len);
	spi_wait(d);
}

static void program(struct vhp_dev *d, uint32_t addr, const uint8_t *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i += CHUNK)
		spi_change(d, 0x32, addr + i, data + i, len - i < CHUNK ? len - i : CHUNK);
}

static void file_bytes(uint32_t addr, void *buf, size_t len)
{
	int fd = open(flash_file, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, len, addr), len);
	close(fd);
}

static void make_image(uint8_t *image)
{
	char cmd[200];
	FILE *p;

	snprintf(cmd, sizeof(cmd), "rtl/boards/standin --board sim --usr-access 0x%x --size %u --format bin -o -",
		 ACCESS, IMAGE_SIZE);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_int_equal(fread(image, 1, IMAGE_SIZE, p), IMAGE_SIZE);
	assert_int_equal(pclose(p), 0);
}

/* ---------------------------------------------------------------- booting */

static bool answers(void *arg)
{
	return get(arg, VHP_BAR_CONFIG, 0) != ONES;
}

static bool gone(void *arg)
{
	return get(arg, VHP_BAR_CONFIG, 0) == ONES;
}

static void boot(struct vhp_dev *d, uint32_t address)
{
	set(d, 4, BOOT(address), address);
	set(d, 4, BOOT(boot), BOOT_KEY);
}

/* Boot, wait until the card is there again, and give a new connection to function 0. */
static struct vhp_dev *boot_and_come_back(struct vhp_dev *d, uint32_t address)
{
	boot(d, address);
	assert_true(wait_for(gone, d));
	assert_true(wait_for(answers, d));
	vhp_dev_close(d);
	return open_fn(0);
}

static void start_with_file(const char *more)
{
	char opt[320];

	snprintf(opt, sizeof(opt), "--flash=%s", flash_file);
	sim_start(&sim, (const char *const[]){ opt, more, NULL });
}

static json_t *end_with_stats(void)
{
	json_t *root, *flash;
	char path[300];

	assert_int_equal(sim_stop(&sim), 0);
	snprintf(path, sizeof(path), "%s/sim.json", sim.dir);
	root = json_load_file(path, 0, NULL);
	assert_non_null(root);
	flash = json_incref(json_object_get(root, "flash"));
	json_decref(root);
	assert_non_null(flash);
	return flash;
}

static long long number(json_t *o, const char *a, const char *b)
{
	json_t *v = json_object_get(o, a);

	return json_integer_value(b ? json_object_get(v, b) : v);
}

/* ---------------------------------------------------------------- cases */

static void test_identity(void **state)
{
	uint8_t id[5] = { 0x9f };
	struct vhp_dev *d;
	json_t *flash;

	(void)state;
	sim_start(&sim, NULL);
	d = open_fn(0);
	assert_int_equal(vhp_dev_bar_size(d, 4), 0x10000);
	assert_int_equal(get(d, 4, BOOT(id)), 0x56485046);
	assert_int_equal(get(d, 4, BOOT(image)), GOLDEN);
	assert_int_equal(get(d, 4, BOOT(idcode)), 0x04b37093);
	assert_int_equal(get(d, 4, BOOT(start)), START);
	spi(d, id, id, 5);
	assert_memory_equal(id + 1, ((uint8_t[]){ 0x20, 0xbb, 0x21, 0x10 }), 4);
	/* The golden image in memory goes on at the user slot, which is empty. */
	d = boot_and_come_back(d, 0);
	assert_int_equal(get(d, 4, BOOT(image)), GOLDEN);
	vhp_dev_close(d);
	flash = end_with_stats();
	assert_int_equal(number(flash, "reloads", NULL), 1);
	assert_int_equal(number(flash, "fallbacks", NULL), 2);
	assert_int_equal(number(json_object_get(flash, "running"), "usr_access", NULL), GOLDEN);
	assert_int_equal(number(json_object_get(flash, "nor"), "opcodes", "9f"), 1);
	json_decref(flash);
}

/* A packet through both ends: the firmware and the functions are those of a card just switched on. */
static void packet_passes(void)
{
	struct host host;
	struct guest g;
	struct peer p;

	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	peer_open(&p, &host, 0, PEER_FEATURES, 16);
	assert_int_equal(guest_init(&g, ~0ull, 16), 0);
	assert_int_equal(peer_start(&p, 1), 0);
	assert_true(guest_wait_connection(&g, 1));
	assert_true(ends_packet_to_peer(&g, &p, 0));
	peer_close(&p);
	guest_close(&g);
	host_close(&host);
}

static void test_program_and_boot(void **state)
{
	uint8_t image[IMAGE_SIZE], got[IMAGE_SIZE], zero = 0;
	struct vhp_dev *d, *stays, *early;
	struct vfu_client raw;
	char path[300], err[256];
	json_t *flash, *nor;

	(void)state;
	make_image(image);
	unlink(flash_file);
	start_with_file(NULL);
	d = open_fn(0);
	assert_int_equal(get(d, 4, BOOT(image)), GOLDEN);
	spi_change(d, 0x20, IMAGE, NULL, 0);
	program(d, IMAGE, image, IMAGE_SIZE);
	file_bytes(IMAGE, got, IMAGE_SIZE);
	assert_memory_equal(got, image, IMAGE_SIZE);

	/* Held: refused, and nothing happens. */
	set(d, 0, offsetof(vhp_mgmt_t, boot_hold), 1);
	boot(d, START);
	assert_int_equal(get(d, 4, BOOT(status)) & VHP_BOOT__STATUS__HELD_bm, VHP_BOOT__STATUS__HELD_bm);
	assert_int_equal((get(d, 4, BOOT(status)) & VHP_BOOT__STATUS__REFUSED_bm) >> VHP_BOOT__STATUS__REFUSED_bp, 1);
	set(d, 0, offsetof(vhp_mgmt_t, boot_hold), 0);

	/* Function 1's client stays through the boot: all ones, then a function as after power-up. */
	stays = open_fn(1);
	assert_int_equal(get(stays, VHP_BAR_CONFIG, 0), 0x107f1af4);
	assert_int_not_equal(get(stays, 0, 0), ONES);
	boot(d, START);
	assert_int_equal(get(d, 4, BOOT(image)), ONES);
	assert_true(wait_for(gone, stays));
	assert_int_equal(get(stays, 0, 0), ONES);
	set(stays, 0, 0x1000, 0);
	set(stays, VHP_BAR_CONFIG, 4, 6);
	assert_int_equal(vhp_dev_reset(stays), -EIO);
	/* One that comes while the card is away is served as soon as it is there. */
	vhp_dev_close(d);
	open_raw(&raw, 0);
	assert_int_equal(get_raw(&raw, 4, BOOT(image)), ONES);
	assert_true(wait_for(answers, stays));
	assert_int_equal(get(stays, VHP_BAR_CONFIG, 0), 0x107f1af4);
	assert_int_equal(get(stays, VHP_BAR_CONFIG, 4) & 0x7, 0);
	assert_int_equal(get(stays, VHP_BAR_CONFIG, 0x10), 0x4);
	assert_int_equal(get(stays, 0, 0), ONES);
	set(stays, VHP_BAR_CONFIG, 4, 2);
	assert_int_not_equal(get(stays, 0, 0), ONES);
	assert_true(vhp_dev_alive(stays));
	vhp_dev_close(stays);
	assert_int_equal(get_raw(&raw, 4, BOOT(image)), ACCESS);
	vfu_disconnect(&raw);
	packet_passes();

	/* One bit of the frames programmed to 0: the golden image. */
	d = open_fn(0);
	program(d, IMAGE + IMAGE_SIZE / 2, (uint8_t[4]){ 0 }, 4);
	d = boot_and_come_back(d, START);
	assert_int_equal(get(d, 4, BOOT(image)), GOLDEN);

	/* Erased and only half programmed: the same; whole again: it runs, also from 0 by the golden image's jump. */
	spi_change(d, 0x20, IMAGE, NULL, 0);
	program(d, IMAGE, image, IMAGE_SIZE / 2);
	d = boot_and_come_back(d, START);
	assert_int_equal(get(d, 4, BOOT(image)), GOLDEN);
	program(d, IMAGE + IMAGE_SIZE / 2, image + IMAGE_SIZE / 2, IMAGE_SIZE / 2);
	d = boot_and_come_back(d, 0);
	assert_int_equal(get(d, 4, BOOT(image)), ACCESS);

	/* The golden image destroyed: the user image still runs; without either the card stays away, and vhp-sim serves on. */
	spi_change(d, 0x32, 0x200, &zero, 1);
	d = boot_and_come_back(d, START);
	assert_int_equal(get(d, 4, BOOT(image)), ACCESS);
	early = open_fn(2);
	boot(d, 0x02000000);
	assert_true(wait_for(gone, d));
	assert_int_equal(get(d, 4, BOOT(image)), ONES);
	vhp_dev_close(d);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(get(early, VHP_BAR_CONFIG, 0), ONES);
	vhp_dev_close(early);
	snprintf(path, sizeof(path), "%s/fn0.sock", sim.dir);
	assert_int_equal(vhp_dev_open_socket(path, &d, err, sizeof(err)), -ENODEV);
	flash = end_with_stats();
	nor = json_object_get(flash, "nor");
	assert_int_equal(number(flash, "reloads", NULL), 6);
	assert_int_equal(number(flash, "fallbacks", NULL), 3);
	assert_true(json_is_null(json_object_get(flash, "running")));
	assert_int_equal(number(nor, "erased_4k", NULL), 2);
	assert_int_equal(number(nor, "pages_programmed", NULL), 2 * IMAGE_SIZE / CHUNK + 2);
	/* Lanes, clock and CS# are as the part wants them. */
	assert_int_equal(number(nor, "violations", "overwrite"), 0);
	assert_int_equal(number(nor, "violations", "undriven"), 0);
	assert_int_equal(number(nor, "violations", "contention"), 0);
	assert_int_equal(number(nor, "violations", "hold"), 0);
	assert_int_equal(number(nor, "violations", "aborted"), 0);
	assert_int_equal(number(nor, "violations", "too_fast"), 0);
	assert_int_equal(number(nor, "violations", "no_write_enable"), 0);
	assert_int_equal(number(nor, "violations", "busy"), 0);
	json_decref(flash);
}

/* The next start finds what the last one left; what is no flash is refused. */
static void test_file(void **state)
{
	uint8_t image[IMAGE_SIZE], head[4096];
	char cmd[900];
	struct vhp_dev *d;
	int fd;

	(void)state;
	make_image(image);
	fd = open(flash_file, O_RDWR);
	assert_true(fd >= 0);
	/* The golden image is bad since the last case, now the other is too: nothing runs at power-up. */
	assert_int_equal(pwrite(fd, "", 1, IMAGE + IMAGE_SIZE / 2), 1);
	snprintf(cmd, sizeof(cmd), "timeout 60 build/bin/vhp-sim --socket-dir=%s --flash=%s 2>%s/refused.log", sim.dir,
		 flash_file, sim.dir);
	assert_int_equal(WEXITSTATUS(system(cmd)), 1);
	snprintf(cmd, sizeof(cmd), "grep -q 'no image in it runs' %s/refused.log", sim.dir);
	assert_int_equal(system(cmd), 0);
	/* The user image as golden image. */
	memset(head, 0xff, sizeof(head));
	memcpy(head, image, sizeof(image));
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	start_with_file("--flash-busy=1000000");
	d = open_fn(0);
	assert_int_equal(get(d, 4, BOOT(image)), ACCESS);
	vhp_dev_close(d);
	/* In use. */
	snprintf(cmd, sizeof(cmd), "timeout 60 build/bin/vhp-sim --socket-dir=%s --flash=%s 2>%s/refused.log", sim.dir,
		 flash_file, sim.dir);
	assert_int_equal(WEXITSTATUS(system(cmd)), 1);
	snprintf(cmd, sizeof(cmd), "grep -q 'another process uses it' %s/refused.log", sim.dir);
	assert_int_equal(system(cmd), 0);
	json_decref(end_with_stats());
	assert_int_equal(ftruncate(fd, 5000), 0);
	snprintf(cmd, sizeof(cmd), "timeout 60 build/bin/vhp-sim --socket-dir=%s --flash=%s 2>%s/refused.log", sim.dir,
		 flash_file, sim.dir);
	assert_int_equal(WEXITSTATUS(system(cmd)), 1);
	snprintf(cmd, sizeof(cmd), "grep -q '128 MiB' %s/refused.log", sim.dir);
	assert_int_equal(system(cmd), 0);
	close(fd);
	unlink(flash_file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_program_and_boot),
		cmocka_unit_test(test_file),
	};
	const char *dir = getenv("VHP_TEST_DIR");
	int failed;

	snprintf(flash_file, sizeof(flash_file), "%s/flash.bin", dir ? dir : "/tmp");
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	failed = cmocka_run_group_tests_name("flash", tests, NULL, NULL);
	printf("%zu passed, %d failed\n", sizeof(tests) / sizeof(tests[0]) - (size_t)failed, failed);
	return failed != 0;
}
