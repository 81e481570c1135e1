/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A firmware that dies (faulty_main.c): it says so in fw_status, leaves its record, tells the driver, and the card is still
 * there for both ends to read.
 */
#include "lib_sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faulty.h"
#include "vhp_regs.h"

#define REG(name) offsetof(vhp_mgmt_t, name)
#define RECORD_MAGIC 0x46415441u
#define MCAUSE_LOAD_MISALIGNED 4u
#define MCAUSE_ILLEGAL 2u

static struct sim sim;

static uint32_t mgmt(struct host *h, uint64_t offset)
{
	uint64_t v = 0;

	assert_int_equal(vhp_dev_read(h->dev, 0, offset, 4, &v), 0);
	return (uint32_t)v;
}

static bool is_dead(void *arg)
{
	return (mgmt(arg, REG(fw_status)) & 0xff) == 2;
}

static void dies(uint64_t how, uint32_t code, uint32_t cause)
{
	struct vhp_mbox_port_config c = { .vhost_pci_id = how };
	struct vhp_mbox again;
	struct host host;
	struct guest g;
	struct peer p;
	char err[256];
	uint32_t record[5];

	sim_start(&sim, (const char *const[]){ "--firmware=" FAULTY_HEX, NULL });
	host_open(&host, &sim);
	guest_open(&g, &sim, 0);
	peer_open(&p, &host, 0, PEER_FEATURES, 16);
	assert_int_equal(guest_init(&g, ~0ull, 16), 0);
	assert_int_equal(guest_status(&g) & 0x40, 0);
	assert_int_equal(peer_config(&p, &c), 0);
	/* The stack is looked at whenever the core wakes. */
	guest_kick(&g, 1);
	assert_true(wait_for(is_dead, &host));
	assert_true(mgmt(&host, REG(fw_status)) >> 8 != 0);
	for (unsigned int i = 0; i < 5; i++)
		record[i] = mgmt(&host, REG(mbox_reply) + 4 * i);
	assert_int_equal(record[0], RECORD_MAGIC);
	assert_int_equal(record[1], code);
	if (cause != 0) {
		assert_int_equal(record[2], cause);
		assert_true(record[3] != 0 && record[3] < 0x10000);
	}
	/* The driver hears of it, a host driver that comes now is told, and registers still answer. */
	assert_true(guest_status(&g) & 0x40);
	assert_int_equal(vhp_mbox_open(&again, host.dev, 1000, err, sizeof(err)), -EIO);
	assert_int_equal(mgmt(&host, REG(id)), 0x56485031u);
	/* Resets still end, or nobody could take the functions back. */
	guest_reset(&g);
	assert_int_equal(vhp_dev_reset(g.dev), 0);
	guest_close(&g);
	vhp_dev_close(host.dev);
	assert_int_equal(sim_stop(&sim), 0);
}

static void illegal_instruction(void **state)
{
	(void)state;
	dies(FAULT_ILLEGAL, 1, MCAUSE_ILLEGAL);
}

static void misaligned_load(void **state)
{
	(void)state;
	dies(FAULT_LOAD, 1, MCAUSE_LOAD_MISALIGNED);
}

static void stack_overflow(void **state)
{
	(void)state;
	dies(FAULT_STACK, 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(illegal_instruction),
		cmocka_unit_test(misaligned_load),
		cmocka_unit_test(stack_overflow),
	};
	int failed = cmocka_run_group_tests_name("trap", tests, NULL, NULL);

	printf("%d passed, %d failed\n", (int)(sizeof(tests) / sizeof(tests[0])) - failed, failed);
	return failed != 0;
}
