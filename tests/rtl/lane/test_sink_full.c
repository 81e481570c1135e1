// SPDX-License-Identifier: Apache-2.0
/*
 * Mergeable sinks that hold everything they can post and still cannot hold the next packet: it is dropped and counted,
 * and the lane goes on. While the driver can post more, the lane waits for it (virtio 1.x, 5.1.6.4: buffers may be posted
 * one by one).
 */
#include <stdio.h>
#include <stdlib.h>

#include "lane.h"

#define CHAIN 100 /* bytes of a chain of the sink */
#define TOO_LONG (CHAIN * 16 + 1)
#define PACKETS 40

/* The sink's driver posts chains of these segments until it has no descriptor left, or `limit` of them. */
static void post(struct lane *l, const uint32_t *lens, unsigned int n, bool indirect, unsigned int limit)
{
	while (limit-- && vq_add(&l->snk.q, lens, n, indirect) >= 0)
		l->posted++;
	if (l->snk.q.next_avail == l->snk.q.avail_idx)
		return;
	vq_publish(&l->snk.q);
	if (vq_need_kick(&l->snk.q))
		kick(l->snk.q.qid);
}

/* 16 chains fill the ring: `n` descriptors each, or one with a table of `n`. */
static void ring_of(const char *name, int id, unsigned int n, bool indirect)
{
	struct lane_opts o = defaults();
	struct lane *l = &lanes[id];
	uint32_t lens[8], dropped, moved;

	begin(name);
	for (unsigned int i = 0; i < n; i++)
		lens[i] = i + 1 < n ? CHAIN / n : CHAIN - CHAIN / n * (n - 1);
	o.mrg = true;
	o.indirect = indirect;
	o.snk_size = indirect ? 16 : 16 * n;
	o.target = PACKETS;
	o.max_len = TOO_LONG;
	lane_init(id, &o);
	for (unsigned int i = 0; i < PACKETS; i++) {
		l->pkt[i].len = i % 4 == 1 ? TOO_LONG : i % 4 == 2 ? TOO_LONG - 1 : 90;
		l->pkt[i].seed = i;
	}
	l->no_buffers = true;
	dropped = stat(id, S_DROPPED);
	moved = stat(id, S_PACKETS);
	lane_enable(id, true);

	/* All but one chain: the first packet passes, the second waits, for a driver that may still post. */
	post(l, lens, n, indirect, 15);
	for (int i = 0; i < 6000; i++) {
		lane_step(l);
		tick(1);
	}
	if (stat(id, S_DROPPED) != dropped)
		fail("a packet is dropped while the driver has descriptors left");
	if (stat(id, S_PACKETS) - moved != 1)
		fail("%u packets came, expected 1", stat(id, S_PACKETS) - moved);

	l->progress = dm_cycle;
	while ((l->src_done < PACKETS || l->rcvd < PACKETS * 3 / 4) && dm_cycle - l->progress < HANG && !failures) {
		/* check_sink wants to know which were dropped. */
		while (l->parts == 0 && l->rcvd + l->dropped < l->sent && l->pkt[l->rcvd + l->dropped].len == TOO_LONG)
			l->dropped++;
		post(l, lens, n, indirect, 16);
		lane_step(l);
		tick(1);
	}
	if (l->src_done != PACKETS)
		fail("%u of %u returned: the lane waits for buffers that cannot come", l->src_done, PACKETS);
	if (stat(id, S_DROPPED) - dropped != PACKETS / 4)
		fail("%u dropped, expected %u", stat(id, S_DROPPED) - dropped, PACKETS / 4);
	if (stat(id, S_PACKETS) - moved != PACKETS * 3 / 4)
		fail("%u moved, expected %u", stat(id, S_PACKETS) - moved, PACKETS * 3 / 4);
	lanes_check_end();
	end();
}

void sink_full_tests(void)
{
	ring_of("all descriptors held, chains of 4", 0, 4, false);
	ring_of("all descriptors held, chains of 8", 1, 8, false);
	ring_of("all descriptors held, indirect chains", 0, 4, true);
}
