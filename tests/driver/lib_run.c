/* SPDX-License-Identifier: Apache-2.0 */
/* The test programs' common main(); apart from lib_sim.c, so that programs without cmocka can use that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "lib_sim.h"

int sim_run_tests(struct sim *sim, const char *const *args, const char *name, const struct CMUnitTest *tests,
		  size_t count, int (*open)(void **state), int (*close)(void **state), const char *filter)
{
	int failed, total = (int)count, rc;

	if (filter)
		cmocka_set_test_filter(filter);
	sim_start(sim, args);
	failed = _cmocka_run_group_tests(name, tests, count, open, close);
	rc = sim_stop(sim);
	if (rc != 0) {
		printf("vhp-sim ended with %d\n", rc);
		failed++;
		total++;
	}
	printf("%d passed, %d failed\n", total - failed, failed);
	return failed != 0;
}
