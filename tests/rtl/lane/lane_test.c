// SPDX-License-Identifier: Apache-2.0
/* Tests of vhp_lanes: +test=NAME +seed=N. */
#include <stdio.h>
#include <string.h>

#include "lane.h"

static void (*chosen)(void);

int lane_test_select(const char *name)
{
	if (!strcmp(name, "directed"))
		chosen = directed_tests;
	else if (!strcmp(name, "random"))
		chosen = random_tests;
	else if (!strcmp(name, "malformed"))
		chosen = malformed_tests;
	else if (!strcmp(name, "regions"))
		chosen = region_tests;
	else
		return 1;
	return 0;
}

void lane_test_main(void)
{
	tick(20);
	chosen();
	printf("%u passed, %u failed\n", cases_passed, cases_failed);
	fflush(stdout);
}
