// SPDX-License-Identifier: Apache-2.0
/* A case: set-up, the run of the lanes, the checks at the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"

unsigned int failures;
unsigned int cases_passed, cases_failed;
static const char *case_name = "";

void fail(const char *fmt, ...)
{
	va_list ap;

	if (failures++ > 20)
		return;
	printf("FAIL %s: cycle %llu: ", case_name, (unsigned long long)dm_cycle);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

int lane_of(int n)
{
	return n % NLANES;
}

int src_func(int lane)
{
	int port = lane / (TB_PAIRS * 2);

	return lane & 1 ? port + 1 : 0;
}

int snk_func(int lane)
{
	int port = lane / (TB_PAIRS * 2);

	return lane & 1 ? 0 : port + 1;
}

uint64_t port_delta(int port)
{
	static const uint64_t delta[3] = { 0xfffff00000000000ull, 0x123456789000ull, 0x7000000000ull };

	return delta[port];
}

void region_write(int port, int row, uint64_t gpa, uint64_t last, uint64_t iova, bool valid)
{
	uint32_t r = R_REGION(port * 8 + row);

	rb_write(r + 0x18, 0);
	rb_write(r + 0x00, (uint32_t)gpa);
	rb_write(r + 0x04, gpa >> 32);
	rb_write(r + 0x08, (uint32_t)last);
	rb_write(r + 0x0c, last >> 32);
	rb_write(r + 0x10, (uint32_t)iova);
	rb_write(r + 0x14, iova >> 32);
	rb_write(r + 0x18, valid);
}

/* The port's regions: all of fn0's memory, in five pieces that touch, in disorder; rows between are not valid. */
static void regions_init(void)
{
	static const int row[5] = { 6, 0, 3, 1, 7 };

	for (int port = 0; port < TB_PORTS; port++) {
		for (int i = 0; i < 8; i++)
			region_write(port, i, 0, 0, 0, false);
		for (int i = 0; i < 5; i++) {
			uint64_t first = dm_base(0) + (uint64_t)DM_PIECE * i;
			uint64_t last = i == 4 ? dm_base(0) + DM_SPACE - 1 : first + DM_PIECE - 1;

			region_write(port, row[i], first - port_delta(port), last - port_delta(port), first, true);
		}
	}
}

void lane_init(int id, const struct lane_opts *o)
{
	struct lane *l = &lanes[id];
	int port = id / (TB_PAIRS * 2);
	int base = id % (TB_PAIRS * 2) / 2;
	struct vq_params p = { 0 };
	unsigned int chains;

	free(l->pkt);
	memset(l, 0, sizeof(*l));
	l->id = id;
	l->on = true;
	l->target = o->target;
	l->max_len = o->max_len;
	l->pkt = calloc(o->target + 1, sizeof(*l->pkt));
	l->max_segs = dm_range(0, 1) ? 2 : dm_range(0, 3) ? 6 : 40;
	l->burst = dm_range(1, 40);

	p.port = port;
	p.event_idx = o->event_idx;
	p.indirect = o->indirect;
	p.first = o->first;
	p.func = src_func(id);
	p.qid = id * 2;
	p.vector = p.func ? 3 + 2 * base : 1 + port * 8 + 2 * base + 1;
	p.size = o->src_size;
	p.translate = p.func == 0;
	p.gpa_delta = p.func == 0 ? port_delta(port) : 0;
	vq_init(&l->src.q, &p);
	p.sink = true;
	p.func = snk_func(id);
	p.qid = id * 2 + 1;
	p.vector = p.func ? 2 + 2 * base : 1 + port * 8 + 2 * base;
	p.size = o->snk_size;
	p.mrg = o->mrg;
	p.translate = p.func == 0;
	p.gpa_delta = p.func == 0 ? port_delta(port) : 0;
	p.first = o->first + 77;
	vq_init(&l->snk.q, &p);
	l->src.mode = l->snk.mode = o->mode;
	if (o->mode == POLL) {
		/* Without EVENT_IDX: forbidden by flag. */
		vq_disable_irq(&l->src.q);
		vq_disable_irq(&l->snk.q);
	}
	if (o->mrg) {
		chains = o->snk_size / 3;
		if (chains > 32)
			chains = 32;
		if (chains < 1)
			chains = 1;
		l->cap_lo = (o->max_len + chains - 1) / chains;
		l->cap_hi = l->cap_lo + dm_range(0, 2000);
	} else {
		l->cap_lo = o->max_len;
		l->cap_hi = o->max_len + 500;
		l->small_cap = dm_range(0, 1) ? o->max_len : 0;
	}
	l->progress = dm_cycle;
}

void lane_enable(int id, bool on)
{
	rb_write(R_CTRL(id), on);
}

void lane_wait_still(int id)
{
	for (int i = 0; i < 20000; i++) {
		if (!(rb_read(R_STATUS(id)) & 1))
			return;
		tick(10);
	}
	fail("lane %d stays busy", id);
}

void tell_queue(const char *name, const struct end *e)
{
	const struct vq *q = &e->q;

	printf("  %s: size %u%s%s%s, published %04x, used seen %04x, used->idx %04x, free descriptors %u, state %d, wait %u\n",
	       name, q->size, q->event_idx ? " event_idx" : "", q->mrg ? " mergeable" : "",
	       e->mode == IRQ ? " irq" : "", q->avail_idx, q->last_used, vq_used_idx((struct vq *)q), q->nfree, e->st,
	       e->wait);
}

void run_lanes(void)
{
	bool all = false;

	while (!all && failures == 0) {
		all = true;
		for (int i = 0; i < NLANES; i++) {
			struct lane *l = &lanes[i];

			if (!l->on)
				continue;
			lane_step(l);
			if (!lane_finished(l)) {
				all = false;
				if (dm_cycle - l->progress > HANG) {
					fail("lane %d hangs: %u of %u sent, %u returned, %u received, %u dropped; status 0x%x",
					     i, l->sent, l->target, l->src_done, l->rcvd, l->dropped,
					     rb_read(R_STATUS(i)));
					tell_queue("source", &l->src);
					tell_queue("sink", &l->snk);
					printf("  next packet %u bytes, buffers %u..%u, %s\n",
					       l->pkt[l->rcvd + l->dropped].len, l->cap_lo, l->cap_hi,
					       dut_idle() ? "idle" : "not idle");
					return;
				}
			}
		}
		tick(1);
	}
}

void lanes_check_end(void)
{
	for (int i = 0; i < NLANES && failures == 0; i++) {
		struct lane *l = &lanes[i];
		uint32_t st, idx;

		if (!l->on)
			continue;
		lane_enable(i, false);
		lane_wait_still(i);
		/* What the driver has not looked at yet, then the packets dropped after the last one that came. */
		l->snk.st = E_RUN;
		for (int k = 0; k < 3000 && vq_used_idx(&l->snk.q) != l->snk.q.last_used; k++)
			consumer(l, &l->snk);
		while (!l->snk.q.mrg && l->rcvd + l->dropped < l->target)
			l->dropped++;
		st = rb_read(R_STATUS(i));
		if ((st >> 8 & 0xff) != ST_ADMIN)
			fail("lane %d: status 0x%x after disable", i, st);
		idx = rb_read(R_IDX(2 * i));
		if (idx != (l->src.q.avail_idx | (uint32_t)l->src.q.last_used << 16))
			fail("lane %d: source indices 0x%x, the driver has %04x %04x", i, idx, l->src.q.last_used,
			     l->src.q.avail_idx);
		idx = rb_read(R_IDX(2 * i + 1));
		if (idx != (l->snk.q.last_used | (uint32_t)l->snk.q.last_used << 16))
			fail("lane %d: sink indices 0x%x, the driver has %04x", i, idx, l->snk.q.last_used);
	}
	if (dm_violations)
		fail("%llu accesses outside of what was granted", (unsigned long long)dm_violations);
}

void begin(const char *name)
{
	case_name = name;
	failures = 0;
	dm_violations = 0;
	dm_fault.on = false;
	memset(dm_msix, 0, sizeof(dm_msix));
	memset(dm_isr, 0, sizeof(dm_isr));
	dm_msix_enable = (1u << DM_FUNCS) - 1;
	for (int i = 0; i < NLANES; i++)
		rb_write(R_CTRL(i), 0);
	for (int i = 0; i < NLANES; i++)
		lane_wait_still(i);
	for (int i = 0; i < NLANES; i++) {
		if (!lanes[i].on)
			continue;
		free(lanes[i].pkt);
		memset(&lanes[i], 0, sizeof(lanes[i]));
	}
	dm_violations = 0;
	dm_reset_memory();
	rb_write(R_EVENT, 0xffffffff);
	regions_init();
}

void end(void)
{
	/* An idle block says so, and then stays idle. */
	for (int i = 0; i < 5000 && !dut_idle(); i++)
		tick(1);
	if (!failures && !dut_idle())
		fail("not idle at the end");
	if (failures) {
		cases_failed++;
		printf("FAIL %s\n", case_name);
		for (int i = 0; i < NLANES; i++)
			rb_write(R_CTRL(i), 0);
	} else {
		cases_passed++;
		printf("ok   %s\n", case_name);
	}
	fflush(stdout);
}

uint32_t stat(int lane, int k)
{
	return rb_read(R_STAT(lane, k));
}

struct lane_opts defaults(void)
{
	struct lane_opts o = { 256, 256, 0, false, false, false, POLL, 200, 1526 };

	return o;
}
