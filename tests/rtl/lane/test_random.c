// SPDX-License-Identifier: Apache-2.0
/* Random cases of vhp_lanes: every option of every lane, and the speed of the DMA. */
#include <stdio.h>
#include <string.h>

#include "lane.h"

void random_tests(void)
{
	static const uint32_t lens[] = { 80, 300, 1526, 9018, MAX_PKT };

	for (int round = 0; round < 12 && !cases_failed; round++) {
		char name[64];
		unsigned int speed = dm_range(0, 2);

		snprintf(name, sizeof(name), "random %d", round);
		begin(strdup(name));
		dm_cfg.rd_min = dm_range(1, 30);
		dm_cfg.rd_max = dm_cfg.rd_min + (speed == 0 ? 10 : speed == 1 ? 150 : 600);
		dm_cfg.wr_max = dm_range(1, 30);
		dm_cfg.stall = dm_range(0, 2) * 35;
		dm_msix_enable = (1u << DM_FUNCS) - 1;
		if (dm_range(0, 3) == 0)
			dm_msix_enable &= 1 | dm_range(0, 3) << 1;
		for (int i = 0; i < NLANES; i++) {
			struct lane_opts o = defaults();

			if (dm_range(0, 3) == 0)
				continue;
			o.src_size = 1u << dm_range(1, dm_range(0, 2) ? 8 : 10);
			o.snk_size = 1u << dm_range(1, dm_range(0, 2) ? 8 : 10);
			o.first = dm_rand();
			o.event_idx = dm_range(0, 1);
			o.indirect = dm_range(0, 1);
			o.mrg = dm_range(0, 1);
			o.mode = dm_range(0, 1);
			o.max_len = lens[dm_range(0, 3 + (dm_range(0, 3) == 0))];
			o.target = o.max_len > 10000 ? 40 : dm_range(50, 400);
			lane_init(i, &o);
			/* ISR bits of all queues of a function are one. */
			lanes[i].src.mode = dm_msix_enable >> src_func(i) & 1 ? (enum irq_mode)dm_range(0, 1) : POLL;
			lanes[i].snk.mode = dm_msix_enable >> snk_func(i) & 1 ? (enum irq_mode)dm_range(0, 1) : POLL;
			lane_enable(i, true);
		}
		run_lanes();
		lanes_check_end();
		end();
	}
}
