// SPDX-License-Identifier: Apache-2.0
/*
 * Region tables: all eight rows, their first and last bytes, and everything just beyond, at both ends of a lane. Each
 * probe is the second descriptor of a chain; the payload must come from, or go to, exactly the IOVA of the reference
 * below, and what no single row holds must stop the lane.
 */
#include <stdio.h>
#include <string.h>

#include "lane.h"

#define ROWS 8
#define HDR_SHAPE 5	    /* always valid: holds the headers */
#define WINDOW (128u << 10) /* memory behind a row */
#define WINDOWS (4u << 20)  /* where it begins in fn0's memory */

struct row {
	uint64_t gpa, last, iova;
	bool valid;
};

enum answer {
	HIT,
	MISS,
	WRAP
};

/* Guest memory: lowest and highest addresses, across 2^32 and 2^63, two that touch, one byte, nothing aligned. */
static const struct {
	uint64_t gpa, len;
} shape[ROWS] = {
	{ 0, 0x1000 },		{ 0xfffffffffffff000, 0x1000 }, { 0x7fffffffffffe800, 0x3000 },
	{ 0xfffff800, 0x1000 }, { 0x20000000, 0x1000 },		{ 0x20001000, 0x1000 },
	{ 0x40000003, 1 },	{ 0x123456789abd, 77 },
};

static struct row table[ROWS];
static uint64_t hdr_gpa, hdr_iova;

static enum answer lookup(uint64_t gpa, uint32_t len, uint64_t *iova)
{
	uint64_t last = gpa + len - 1;

	if (last < gpa)
		return WRAP;
	for (int r = 0; r < ROWS; r++) {
		if (table[r].valid && gpa >= table[r].gpa && last <= table[r].last) {
			*iova = table[r].iova + (gpa - table[r].gpa);
			return HIT;
		}
	}
	return MISS;
}

/* The shapes in rows of any order; `invalid` is a mask of shapes whose row is not valid. */
static void write_table(int port, unsigned int invalid)
{
	int order[ROWS];

	for (int i = 0; i < ROWS; i++)
		order[i] = i;
	for (int i = ROWS - 1; i > 0; i--) {
		int k = dm_range(0, i), t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (int r = 0; r < ROWS; r++) {
		int s = order[r];

		table[r].gpa = shape[s].gpa;
		table[r].last = shape[s].gpa + shape[s].len - 1;
		table[r].iova = dm_base(0) + WINDOWS + WINDOW * s + dm_range(0, 5000);
		table[r].valid = !(invalid >> s & 1);
		if (s == HDR_SHAPE) {
			hdr_gpa = table[r].gpa + 0x800;
			hdr_iova = table[r].iova + 0x800;
		}
		region_write(port, r, table[r].gpa, table[r].last, table[r].iova, table[r].valid);
	}
}

static void start(int id, int table_of)
{
	struct lane_opts o = defaults();
	struct lane *l = &lanes[id];

	lane_enable(id, false);
	lane_wait_still(id);
	rb_write(R_EVENT, 1u << id);
	dm_reset_memory();
	o.target = 0;
	o.first = dm_rand();
	lane_init(id, &o);
	l->src.q.port = l->snk.q.port = table_of;
	vq_write_context(&l->src.q);
	vq_write_context(&l->snk.q);
	lane_enable(id, true);
}

static bool stopped(int id)
{
	return rb_read(R_EVENT) >> id & 1;
}

/* One chain through (gpa, len) of the end in fn0; false if the lane has stopped, as it should have. */
static bool probe(int id, uint64_t gpa, uint32_t len, enum answer want, uint64_t iova)
{
	struct lane *l = &lanes[id];
	bool sink = id & 1;
	struct vq *q = sink ? &l->snk.q : &l->src.q, *o = sink ? &l->src.q : &l->snk.q;
	uint16_t a = q->next_avail * 2 & 0xfe, flags = sink ? VQ_WRITE : 0, head, ohead;
	uint32_t size = want == HIT ? HDR + len : 100, got = 0, ogot = 0, status;
	int reason = want == WRAP ? ST_DESC_LENGTH : ST_REGION;
	bool used = false, oused = false;
	int other;

	vq_put_desc(q, q->desc, a, hdr_gpa, HDR, flags | VQ_NEXT, a + 1);
	vq_put_desc(q, q->desc, a + 1, gpa, len, flags, 0);
	dm_grant(0, hdr_iova, HDR, sink ? DM_WRITE : DM_READ);
	if (want == HIT) {
		dm_grant(0, iova, len, sink ? DM_WRITE : DM_READ);
		for (uint32_t i = 0; i < len; i++)
			*dm_ptr(0, iova + i, 1) = sink ? 0xee : pattern(a, HDR + i);
	}
	vq_put_avail(q, a);
	other = vq_add(o, &size, 1, false);
	if (other < 0) {
		fail("the other end has no room");
		return false;
	}
	if (sink)
		for (uint32_t i = HDR; i < size; i++)
			vq_put(o, &o->buf[other], i, pattern(a, i));
	vq_publish(q);
	vq_publish(o);
	kick(q->qid);
	kick(o->qid);
	for (int i = 0; i < 400 && !(used && oused); i++) {
		tick(20);
		used = used || vq_get_used(q, &head, &got);
		oused = oused || vq_get_used(o, &ohead, &ogot);
		if (i % 8 == 7 && stopped(id))
			break;
	}
	status = rb_read(R_STATUS(id));
	if (want != HIT) {
		if (used || oused)
			fail("0x%llx + 0x%x passes", (unsigned long long)gpa, len);
		else if (!stopped(id) || (status >> 8 & 0xff) != (uint32_t)reason || (status >> 16 & 1) != sink)
			fail("0x%llx + 0x%x: status 0x%x, expected reason %d", (unsigned long long)gpa, len, status,
			     reason);
		return false;
	}
	if (!used || !oused) {
		fail("0x%llx + 0x%x does not pass, status 0x%x", (unsigned long long)gpa, len, status);
		return false;
	}
	if ((sink ? got : ogot) != size)
		fail("0x%llx + 0x%x: %u bytes of %u", (unsigned long long)gpa, len, sink ? got : ogot, size);
	for (uint32_t i = 0; i < len; i++) {
		uint8_t v = sink ? *dm_ptr(0, iova + i, 1) : vq_get(o, &o->buf[ohead], HDR + i);

		if (v != pattern(a, HDR + i)) {
			fail("0x%llx + 0x%x: byte %u differs", (unsigned long long)gpa, len, i);
			break;
		}
	}
	vq_free(o, ohead);
	dm_grant(0, iova, len, 0);
	return true;
}

static void probe_all(int id)
{
	static const uint32_t lens[] = { 1, 2, 13, 64, 0x1000, 0x1001, 0x2000, 0xffffffff };

	for (int s = 0; s < ROWS && !failures; s++) {
		uint64_t first = shape[s].gpa, last = first + shape[s].len - 1;
		struct {
			uint64_t gpa;
			uint32_t len;
		} at[] = {
			{ first, 1 },
			{ last, 1 },
			{ first, shape[s].len },
			{ first - 1, 1 },
			{ first - 1, 2 },
			{ last + 1, 1 },
			{ last, 2 },
			{ first, shape[s].len + 1 },
			{ first, 0xffffffff },
			{ last - dm_range(0, 20), dm_range(1, 25) },
			{ first + dm_range(0, shape[s].len - 1), lens[dm_range(0, 7)] },
		};

		for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]) && !failures; i++) {
			uint64_t iova = 0;
			enum answer want = lookup(at[i].gpa, at[i].len, &iova);

			if (!probe(id, at[i].gpa, at[i].len, want, iova) && !failures)
				start(id, id / (TB_PAIRS * 2));
		}
	}
	if (dm_violations)
		fail("%llu accesses outside of what was granted", (unsigned long long)dm_violations);
}

static void t_rows(const char *name, int id, unsigned int invalid)
{
	begin(name);
	dm_cfg = (struct dm_config){ 4, 12, 1, 2, 0 };
	write_table(id / (TB_PAIRS * 2), invalid);
	start(id, id / (TB_PAIRS * 2));
	probe_all(id);
	end();
}

/* Firmware has written rows that overlap: the lowest counts, and only rows that are valid do. */
static void t_overlap(void)
{
	begin("rows that overlap");
	dm_cfg = (struct dm_config){ 4, 12, 1, 2, 0 };
	for (int r = 0; r < ROWS; r++) {
		table[r] =
			(struct row){ 0x1000, 0x8fff, dm_base(0) + WINDOWS + WINDOW * r, r == 3 || r == 5 || r == 7 };
		if (r == 3)
			table[r].gpa = 0x3000;
		region_write(0, r, table[r].gpa, table[r].last, table[r].iova, table[r].valid);
	}
	hdr_gpa = 0x8000;
	hdr_iova = table[3].iova + 0x5000;
	start(0, 0);
	for (uint32_t gpa = 0x1000; gpa < 0x5000 && !failures; gpa += 0x400) {
		uint64_t iova = 0;

		if (lookup(gpa, 0x500, &iova) != HIT || !probe(0, gpa, 0x500, HIT, iova))
			fail("0x%x does not pass", gpa);
	}
	end();
}

static void t_no_table(void)
{
	begin("region table of a port that is not built");
	dm_cfg = (struct dm_config){ 4, 12, 1, 2, 0 };
	write_table(0, 0);
	start(0, 3);
	/* Headers do not pass either: one probe stands for all. */
	if (!probe(0, hdr_gpa, 64, MISS, 0) && !failures)
		start(0, 3);
	end();
}

void region_tests(void)
{
	t_rows("8 rows, source", lane_of(0), 0);
	t_rows("8 rows, sink", lane_of(1), 0);
	t_rows("rows that are not valid, source of the last port", NLANES - 2, 1u << 0 | 1u << 4 | 1u << 7);
	t_rows("rows that are not valid, sink of the last port", NLANES - 1, 1u << 1 | 1u << 2 | 1u << 6);
	t_overlap();
	t_no_table();
}
