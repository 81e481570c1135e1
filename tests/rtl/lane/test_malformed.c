// SPDX-License-Identifier: Apache-2.0
/* Rings that break a rule: the lane stops with the reason and the place, and nothing else does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"

struct bad {
	const char *name;
	int reason;
	bool sink;
	int lane;
	void (*make)(struct lane *l, struct vq *q);
	bool violates; /* the read itself is refused */
};

static uint64_t good_gpa(struct vq *q, uint32_t len)
{
	uint64_t a = q->pool + VQ_POOL / 2 + 3;

	dm_grant(q->func, a, len, q->sink ? DM_WRITE : DM_READ);
	return a - q->gpa_delta;
}

#define DIR(q) ((q)->sink ? VQ_WRITE : 0)

static void bad_jump(struct lane *l, struct vq *q)
{
	(void)l;
	q->next_avail += q->size + 1;
}

static void bad_back(struct lane *l, struct vq *q)
{
	(void)l;
	q->next_avail -= 1;
}

static void bad_head(struct lane *l, struct vq *q)
{
	(void)l;
	vq_put_avail(q, q->size);
}

static void one_bad(struct vq *q, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	uint16_t d = q->free_list[q->nfree - 1];

	vq_put_desc(q, q->desc, d, addr, len, flags, next);
	vq_put_avail(q, d);
}

static void bad_next(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, 100), 100, DIR(q) | VQ_NEXT, q->size);
}

static void bad_loop(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, 100), 100, DIR(q) | VQ_NEXT, q->free_list[q->nfree - 1]);
}

static void bad_loop2(struct lane *l, struct vq *q)
{
	uint16_t a = q->free_list[q->nfree - 1], b = q->free_list[0];

	(void)l;
	vq_put_desc(q, q->desc, a, good_gpa(q, 50), 50, DIR(q) | VQ_NEXT, b);
	vq_put_desc(q, q->desc, b, good_gpa(q, 50), 50, DIR(q) | VQ_NEXT, a);
	vq_put_avail(q, a);
}

static void bad_len0(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, 100), 0, DIR(q), 0);
}

static void bad_wrap(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, ~0ull - 50, 100, DIR(q), 0);
}

static void bad_region(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, dm_base(0) + DM_SPACE - 50 - q->gpa_delta, 100, DIR(q), 0);
}

static void bad_region_hole(struct lane *l, struct vq *q)
{
	(void)l;
	/* Across the border of two rows that touch: not in one row. */
	one_bad(q, dm_base(0) + DM_PIECE - 8 - q->gpa_delta, 16, DIR(q), 0);
}

static void bad_region_other(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, dm_base(0) + 4096 - port_delta(1), 100, DIR(q), 0);
}

static uint64_t table_at(struct vq *q, unsigned int n)
{
	uint64_t t = q->pool + VQ_POOL / 4 * 3;

	dm_grant(q->func, t, 16u * n, DM_READ);
	return t;
}

static void bad_nest(struct lane *l, struct vq *q)
{
	uint64_t t = table_at(q, 2);

	(void)l;
	vq_put_desc(q, t, 0, good_gpa(q, 64), 64, DIR(q) | VQ_NEXT, 1);
	vq_put_desc(q, t, 1, t - q->gpa_delta, 32, VQ_INDIRECT, 0);
	one_bad(q, t - q->gpa_delta, 32, VQ_INDIRECT, 0);
}

static void bad_ind_next(struct lane *l, struct vq *q)
{
	uint64_t t = table_at(q, 1);

	(void)l;
	vq_put_desc(q, t, 0, good_gpa(q, 64), 64, DIR(q), 0);
	one_bad(q, t - q->gpa_delta, 16, VQ_INDIRECT | VQ_NEXT, 0);
}

static void bad_ind_len(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, table_at(q, 2) - q->gpa_delta, 24, VQ_INDIRECT, 0);
}

static void bad_ind_zero(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, table_at(q, 2) - q->gpa_delta, 0, VQ_INDIRECT, 0);
}

static void bad_ind_loop(struct lane *l, struct vq *q)
{
	uint64_t t = table_at(q, 6);

	(void)l;
	for (int i = 0; i < 6; i++)
		vq_put_desc(q, t, i, good_gpa(q, 8), 8, DIR(q) | VQ_NEXT, (i + 1) % 6);
	one_bad(q, t - q->gpa_delta, 96, VQ_INDIRECT, 0);
}

static void bad_ind_range(struct lane *l, struct vq *q)
{
	uint64_t t = table_at(q, 3);

	(void)l;
	vq_put_desc(q, t, 0, good_gpa(q, 8), 8, DIR(q) | VQ_NEXT, 3);
	one_bad(q, t - q->gpa_delta, 48, VQ_INDIRECT, 0);
}

static void bad_ind_region(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, dm_base(0) + DM_SPACE - 16 - q->gpa_delta, 32, VQ_INDIRECT, 0);
}

static void bad_dir(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, 100), 100, DIR(q) ^ VQ_WRITE, 0);
}

static void bad_short(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, 100), 11, DIR(q), 0);
}

static void bad_long(struct lane *l, struct vq *q)
{
	(void)l;
	one_bad(q, good_gpa(q, MAX_PKT + 1), MAX_PKT + 1, DIR(q), 0);
}

static void bad_huge(struct lane *l, struct vq *q)
{
	uint16_t a = q->free_list[q->nfree - 1], b = q->free_list[q->nfree - 2];

	(void)l;
	vq_put_desc(q, q->desc, a, 0x1000, 0xffffffff, VQ_NEXT, b);
	vq_put_desc(q, q->desc, b, 0x1000, 0xffffffff, 0, 0);
	vq_put_avail(q, a);
}

static void fault_range(struct vq *q, uint64_t addr, uint64_t len, int status)
{
	dm_fault = (struct dm_fault){ true, q->func, addr, len, status };
}

static void bad_payload_ur(struct lane *l, struct vq *q)
{
	uint64_t a = good_gpa(q, 400) + q->gpa_delta;

	(void)l;
	fault_range(q, a + 200, 1, 1);
	one_bad(q, a - q->gpa_delta, 400, DIR(q), 0);
}

static void bad_payload_timeout(struct lane *l, struct vq *q)
{
	bad_payload_ur(l, q);
	dm_fault.status = 5;
}

static void bad_payload_flr(struct lane *l, struct vq *q)
{
	bad_payload_ur(l, q);
	dm_fault.status = 6;
}

static void bad_avail_read(struct lane *l, struct vq *q)
{
	(void)l;
	fault_range(q, q->avail, 4, 5);
	one_bad(q, good_gpa(q, 100), 100, DIR(q), 0);
}

static void bad_entry_read(struct lane *l, struct vq *q)
{
	(void)l;
	fault_range(q, q->avail + 4, 2u * q->size, 3);
	one_bad(q, good_gpa(q, 100), 100, DIR(q), 0);
}

static void bad_desc_read(struct lane *l, struct vq *q)
{
	(void)l;
	fault_range(q, q->desc, 16u * q->size, 7);
	one_bad(q, good_gpa(q, 100), 100, DIR(q), 0);
}

static void bad_table_read(struct lane *l, struct vq *q)
{
	uint64_t t = table_at(q, 2);

	(void)l;
	fault_range(q, t, 32, 2);
	one_bad(q, t - q->gpa_delta, 32, VQ_INDIRECT, 0);
}

static const struct bad bads[] = {
	{ "avail->idx jumps", ST_AVAIL_JUMP, false, 0, bad_jump, false },
	{ "avail->idx jumps, sink", ST_AVAIL_JUMP, true, 1, bad_jump, false },
	{ "avail->idx goes back", ST_AVAIL_JUMP, false, 0, bad_back, false },
	{ "head out of range", ST_HEAD_RANGE, false, 0, bad_head, false },
	{ "head out of range, sink", ST_HEAD_RANGE, true, 0, bad_head, false },
	{ "next out of range", ST_NEXT_RANGE, false, 1, bad_next, false },
	{ "next out of range, sink", ST_NEXT_RANGE, true, 1, bad_next, false },
	{ "chain loops on itself", ST_CHAIN_LENGTH, false, 0, bad_loop, false },
	{ "chain of two loops", ST_CHAIN_LENGTH, false, 0, bad_loop2, false },
	{ "chain of two loops, sink", ST_CHAIN_LENGTH, true, 0, bad_loop2, false },
	{ "length 0", ST_DESC_LENGTH, false, 0, bad_len0, false },
	{ "length 0, sink", ST_DESC_LENGTH, true, 0, bad_len0, false },
	{ "address wraps, translated", ST_DESC_LENGTH, false, 0, bad_wrap, false },
	{ "address wraps, not translated", ST_DESC_LENGTH, true, 0, bad_wrap, false },
	{ "end outside the regions", ST_REGION, false, 0, bad_region, false },
	{ "end outside the regions, sink", ST_REGION, true, 1, bad_region, false },
	{ "across two regions", ST_REGION, false, 0, bad_region_hole, false },
	{ "another port's address", ST_REGION, false, 0, bad_region_other, false },
	{ "indirect table outside the regions", ST_REGION, false, 0, bad_ind_region, false },
	{ "indirect in indirect", ST_INDIRECT_NEST, false, 0, bad_nest, false },
	{ "indirect with next", ST_INDIRECT_NEST, true, 0, bad_ind_next, false },
	{ "indirect length 24", ST_INDIRECT_LEN, false, 1, bad_ind_len, false },
	{ "indirect length 0", ST_INDIRECT_LEN, true, 1, bad_ind_zero, false },
	{ "indirect table loops", ST_CHAIN_LENGTH, false, 0, bad_ind_loop, false },
	{ "next beyond the indirect table", ST_NEXT_RANGE, true, 1, bad_ind_range, false },
	{ "writable in a source", ST_DIRECTION, false, 0, bad_dir, false },
	{ "readable in a sink", ST_DIRECTION, true, 0, bad_dir, false },
	{ "packet without a header", ST_SHORT, false, 0, bad_short, false },
	{ "packet too long", ST_LONG, false, 0, bad_long, false },
	{ "two descriptors of 4 GiB", ST_LONG, false, 1, bad_huge, false },
	{ "payload read UR", ST_READ_ERROR, false, 0, bad_payload_ur, false },
	{ "payload read timeout", ST_READ_TIMEOUT, false, 1, bad_payload_timeout, false },
	{ "payload read in FLR", ST_FUNCTION, false, 0, bad_payload_flr, false },
	{ "avail index read timeout", ST_READ_TIMEOUT, false, 0, bad_avail_read, false },
	{ "avail entry read poisoned", ST_READ_ERROR, true, 0, bad_entry_read, false },
	{ "descriptor read without bus mastership", ST_FUNCTION, true, 1, bad_desc_read, false },
	{ "indirect table read CA", ST_READ_ERROR, false, 0, bad_table_read, false },
};

static void malformed_one(const struct bad *b)
{
	struct lane_opts o = defaults();
	int five = NLANES > 2 ? 5 : b->lane ^ 1;
	struct lane *l, *other;
	struct vq *q;
	uint32_t st, want_pos;
	unsigned int before;

	begin(b->name);
	o.indirect = true;
	o.src_size = 64;
	o.snk_size = 64;
	o.target = 30;
	o.first = dm_rand();
	lane_init(b->lane, &o);
	l = &lanes[b->lane];
	l->small_cap = 0;
	/* So few that all 64 chains of a ring are walked: a bad table must not meet good heads that wait for places. */
	if (l->max_segs > 3)
		l->max_segs = 3;
	o.target = 1000000;
	lane_init(five, &o);
	other = &lanes[five];
	other->small_cap = 0;
	lane_enable(b->lane, true);
	lane_enable(five, true);
	rb_write(R_EVENT_ENABLE, 0xff);
	/* A good beginning. */
	for (int i = 0; i < 200000 && !lane_finished(l); i++) {
		lane_step(l);
		lane_step(other);
		tick(1);
	}
	if (!lane_finished(l))
		fail("the good packets do not come");
	l->no_buffers = true;
	l->src.pub = l->snk.pub = P_ADD;
	for (int i = 0; i < 3000; i++) {
		consumer(l, &l->src);
		consumer(l, &l->snk);
		lane_step(other);
		tick(1);
	}
	vq_publish(&l->src.q);
	vq_publish(&l->snk.q);
	kick(l->src.q.qid);
	kick(l->snk.q.qid);
	tick(2000);
	q = b->sink ? &l->snk.q : &l->src.q;
	want_pos = q->next_avail;
	if (b->sink && q->nfree < 4) {
		/* All descriptors are posted: send packets until some are free again. */
		l->target += 8;
		l->pkt = realloc(l->pkt, (l->target + 1) * sizeof(*l->pkt));
		memset(&l->pkt[l->sent], 0, (l->target + 1 - l->sent) * sizeof(*l->pkt));
		/* The source may be done before the consumer has looked at every used buffer. */
		for (int i = 0; i < 100000 && (!lane_finished(l) || q->nfree < 4); i++) {
			lane_step(l);
			lane_step(other);
			tick(1);
		}
		/* What was posted meanwhile is read before anything is bad. */
		tick(2000);
		want_pos = q->next_avail;
	}
	if (q->nfree < 2) {
		fail("the ring is full, nothing bad fits in");
		end();
		return;
	}
	b->make(l, q);
	vq_publish(q);
	kick(q->qid);
	/* A sink's ring stops the lane when its good buffers are used up. */
	for (int i = 0; i < 60000; i++) {
		if (b->sink && l->src.q.nfree > 2 && i % 50 == 0) {
			uint32_t len[1] = { 200 };
			int head = vq_add(&l->src.q, len, 1, false);

			if (head >= 0) {
				l->pkt = realloc(l->pkt, (l->sent + 2) * sizeof(*l->pkt));
				l->pkt[l->sent].len = 200;
				l->pkt[l->sent].seed = i;
				for (uint32_t k = 0; k < 200; k++)
					vq_put(&l->src.q, &l->src.q.buf[head], k, pattern(i, k));
				l->sent++;
				vq_publish(&l->src.q);
				kick(l->src.q.qid);
			}
		}
		consumer(l, &l->src);
		consumer(l, &l->snk);
		lane_step(other);
		tick(1);
		if (i % 100 == 0 && rb_read(R_EVENT) & 1u << b->lane)
			break;
	}
	st = rb_read(R_STATUS(b->lane));
	if (!(rb_read(R_EVENT) >> b->lane & 1) || !dut_irq())
		fail("no event, status 0x%x", st);
	if (failures) {
		tell_queue("source", &l->src);
		tell_queue("sink", &l->snk);
		printf("  sent %u received %u dropped %u, next packet %u bytes\n", l->sent, l->rcvd, l->dropped,
		       l->pkt[l->rcvd + l->dropped].len);
	}
	if ((st >> 8 & 0xff) != (uint32_t)b->reason || (st >> 16 & 1) != b->sink || st & 1)
		fail("status 0x%x, expected reason %d sink %d not busy", st, b->reason, b->sink);
	if (st >> 17 != (want_pos & 0x7fff) && b->reason != ST_AVAIL_JUMP)
		fail("stopped at 0x%x, expected 0x%x", st >> 17, want_pos & 0x7fff);
	if ((rb_read(R_IDX(b->lane * 2 + b->sink)) & 0xffff) != (want_pos & 0xffff) && b->reason != ST_AVAIL_JUMP)
		fail("index 0x%x, expected 0x%x", rb_read(R_IDX(b->lane * 2 + b->sink)) & 0xffff, want_pos & 0xffff);
	/* Other lanes go on. */
	before = other->rcvd;
	for (int i = 0; i < 30000; i++) {
		lane_step(other);
		tick(1);
	}
	if (other->rcvd < before + 10)
		fail("another lane stands still");
	if (dm_violations)
		fail("%llu accesses outside of what was granted", (unsigned long long)dm_violations);
	/* And the lane itself with new rings. */
	dm_fault.on = false;
	rb_write(R_EVENT, 1u << b->lane);
	lane_enable(b->lane, false);
	tick(50);
	if ((rb_read(R_STATUS(b->lane)) >> 8 & 0xff) != (uint32_t)b->reason)
		fail("the reason is gone before the lane runs again");
	lane_enable(five, false);
	lane_wait_still(five);
	other->on = false;
	dm_reset_memory();
	o.target = 50;
	o.first = dm_rand();
	lane_init(b->lane, &o);
	lane_enable(b->lane, true);
	run_lanes();
	lanes_check_end();
	end();
}

/* Rings of noise: nothing may hang or be touched. */
static void t_noise(int round)
{
	struct lane_opts o = defaults();
	int five = lane_of(5);
	struct lane *other;
	char name[64];

	snprintf(name, sizeof(name), "noise in every ring, round %d", round);
	begin(strdup(name));
	o.indirect = true;
	o.mrg = round & 1;
	o.src_size = o.snk_size = 16;
	o.target = 0;
	for (int i = 0; i < NLANES; i++)
		lane_init(i, &o);
	o.src_size = o.snk_size = 256;
	o.target = 1000000;
	o.mrg = false;
	lane_init(five, &o);
	other = &lanes[five];
	for (int i = 0; i < NLANES; i++)
		lane_enable(i, true);
	for (int i = 0; i < 60000 && !failures; i++) {
		int n = dm_range(0, NLANES - 1);
		struct vq *q = dm_range(0, 1) ? &lanes[n].src.q : &lanes[n].snk.q;

		if (n != five) {
			uint16_t d = dm_range(0, 15);
			uint64_t a = q->pool + dm_range(0, 1000);
			uint16_t fl = (dm_range(0, 3) == 0 ? VQ_NEXT : 0) | (dm_range(0, 7) == 0 ? VQ_INDIRECT : 0) |
				(q->sink ^ (dm_range(0, 30) == 0) ? VQ_WRITE : 0);

			dm_grant(q->func, q->pool, 70000, q->sink ? DM_WRITE | DM_READ : DM_READ);
			vq_put_desc(q, q->desc, d, dm_range(0, 60) ? a - q->gpa_delta : dm_rand(),
				    dm_range(0, 3) ? dm_range(12, 2000) : 16 * dm_range(0, 5), fl, dm_range(0, 16));
			memcpy(dm_ptr(q->func, q->pool + dm_range(0, 1000), 16), dm_ptr(q->func, q->desc + 16 * d, 16),
			       16);
			vq_put_avail(q, dm_range(0, 50) ? dm_range(0, 15) : dm_rand());
			if (dm_range(0, 3) == 0 && (uint16_t)(q->next_avail - vq_used_idx(q)) < 16)
				vq_publish(q);
			if (dm_range(0, 2) == 0)
				kick(q->qid);
			if (dm_range(0, 40) == 0 && !(rb_read(R_STATUS(n)) & 1)) {
				rb_write(R_CTRL(n), 0);
				q->next_avail = q->avail_idx;
				rb_write(R_CTRL(n), 1);
			}
		}
		lane_step(other);
		tick(1);
	}
	if (other->rcvd < 20)
		fail("the good lane moved only %u packets", other->rcvd);
	for (int i = 0; i < NLANES; i++) {
		lane_enable(i, false);
		lane_wait_still(i);
	}
	/* With fn1's and fn2's untranslated addresses a guest may name what it likes: the IOMMU refuses. Ours never do. */
	end();
}

void malformed_tests(void)
{
	for (unsigned int i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		malformed_one(&bads[i]);
	for (int r = 0; r < 4; r++)
		t_noise(r);
}
