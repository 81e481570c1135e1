/* SPDX-License-Identifier: Apache-2.0 */
/* Where the virtio structures are: lists as the card and as standard devices have them, broken ones, noise. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_suites.h"
#include "fake_function.h"
#include "vhp_virtio_pci.h"

static char err[512];

static void find_fails(const char *says)
{
	struct vhp_virtio_pci v;

	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), -EPROTO);
	if (strstr(err, says) == NULL)
		fail_msg("expected \"%s\", got: %s", says, err);
	good_function();
}

static void virtio_found(void **state)
{
	struct vhp_virtio_pci v;
	uint64_t at;

	(void)state;
	good_function();
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.common.offset, 0x1000);
	assert_int_equal(v.notify.offset, 0x4000);
	assert_int_equal(v.notify_multiplier, 4096);
	assert_int_equal(v.isr.offset, 0x2000);
	assert_int_equal(v.device.offset, 0x3000);
	assert_int_equal(v.peer.offset, 0x3800);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 7, &at), 0);
	assert_int_equal(at, 0x4000 + 7 * 4096);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 8, &at), -ERANGE);
	assert_int_equal(vhp_virtio_pci_doorbell(&v, 0xffff, &at), -ERANGE);

	/* Without the vendor capability: standard capabilities in configuration space. */
	cap(&fake.config[0x50], 0x60, 16, 1, 0, 0x1000, 82);
	cap(&fake.config[0x60], 0x74, 20, 2, 0, 0x4000, 0x1000);
	put32(&fake.config[0x70], 4);
	cap(&fake.config[0x74], 0x84, 16, 3, 0, 0x2000, 4);
	cap(&fake.config[0x84], 0, 16, 4, 0, 0x3000, 12);
	fake.config[0x41] = 0x50;
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.notify_multiplier, 4);
	assert_int_equal(v.peer.length, 0);
	/* A vendor capability beside them is the peer block. */
	fake.config[0x85] = 0xb0;
	vendor_cap(&fake.config[0xb0], 0, 0, 1, 0x3800, 32);
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.notify_multiplier, 4);
	assert_int_equal(v.peer.offset, 0x3800);
	/* An unknown structure is skipped, a second one of a kind too. */
	good_function();
	cap(&fake.bar[0x44], 0x54, 16, 8, 5, 0xffffffff, 0xffffffff);
	cap(&fake.bar[0x54], 0, 16, 1, 0, 0x8000, 0x100);
	assert_int_equal(vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)), 0);
	assert_int_equal(v.common.offset, 0x1000);
}

static void virtio_hostile(void **state)
{
	(void)state;
	good_function();
	fake.config[6] = 0;
	find_fails("no capabilities");
	fake.config[0x34] = 0x20;
	find_fails("below 0x40");
	fake.config[0x41] = 0x40;
	find_fails("loop");
	fake.config[0xb7] = 2;
	find_fails("version 2");
	fake.config[0xb6] = 6;
	find_fails("BAR 6");
	fake.config[0xb6] = 2;
	find_fails("outside BAR 2");
	put32(&fake.config[0xb8], 0xfffffff0);
	find_fails("outside BAR 0");
	put32(&fake.config[0xbc], 8);
	find_fails("needs 16");
	fake.bar[0x01] = 0x00;
	find_fails("no notify");
	fake.bar[0x35] = 0x10;
	find_fails("loop");
	fake.bar[0x35] = 0xfc;
	find_fails("malformed entry at 0xfc");
	fake.bar[0x35] = 0x42;
	find_fails("not aligned");
	fake.bar[0x02] = 15;
	find_fails("malformed entry at 0x0");
	put32(&fake.bar[0x0c], 64);
	find_fails("common configuration has 64 bytes");
	put32(&fake.bar[0x08], 0xfffe);
	find_fails("outside BAR 0");
	put32(&fake.bar[0x08], 0x1002);
	find_fails("not aligned");
	put32(&fake.bar[0x20], 3);
	find_fails("multiplier 3");
	put32(&fake.bar[0x20], 1);
	find_fails("multiplier 1");
	fake.bar[0x12] = 16;
	find_fails("no multiplier");
	put32(&fake.bar[0x40], 4);
	find_fails("device configuration has 4");
	put32(&fake.bar[0x50], 16);
	find_fails("peer block has 16");
}

/* Garbage must end with an answer, whatever it is; the sanitizers watch. */
static void virtio_random(void **state)
{
	unsigned int seed = suites_seed(20240601);

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		struct vhp_virtio_pci v;

		good_function();
		for (int n = rand_r(&seed) % 6; n >= 0; n--) {
			if (rand_r(&seed) & 1)
				fake.config[0x34 + rand_r(&seed) % (256 - 0x34)] = (uint8_t)rand_r(&seed);
			else
				fake.bar[rand_r(&seed) % 0x60] = (uint8_t)rand_r(&seed);
		}
		if (vhp_virtio_pci_find(&fake.dev, &v, err, sizeof(err)) == 0) {
			const struct vhp_virtio_area *all[] = { &v.common, &v.notify, &v.isr, &v.device, &v.peer };

			for (unsigned int a = 0; a < 5; a++)
				assert_true(all[a]->length == 0 ||
					    (all[a]->bar == 0 &&
					     (uint64_t)all[a]->offset + all[a]->length <= sizeof(fake.bar)));
		}
	}
}

void run_virtio_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtio_found),
		cmocka_unit_test(virtio_hostile),
		cmocka_unit_test(virtio_random),
	};

	RUN_SUITE("virtio", tests);
}
