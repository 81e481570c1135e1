// SPDX-License-Identifier: Apache-2.0
/* Directed cases of vhp_lanes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"

/* Of all cases, by EVENT_IDX: times that a driver had something new, and that the card wanted to hear it. */
static struct {
	uint64_t offers, kicks;
} notified[2];

/* The card counts exactly the notifications that it asked for. */
static void check_kicks(int lane, const uint32_t before[2])
{
	for (unsigned int end = 0; end < 2; end++) {
		const struct vq *q = end ? &lanes[lane].snk.q : &lanes[lane].src.q;
		uint32_t counted = stat(lane, S_SRC_KICKS + end) - before[end];

		notified[q->event_idx].offers += q->offers;
		notified[q->event_idx].kicks += q->kicks;
		if (counted != (uint32_t)q->kicks)
			fail("%s kicks: the card counts %u of %llu", end ? "sink" : "source", counted,
			     (unsigned long long)q->kicks);
	}
}

static void simple(const char *name, int lane, struct lane_opts o)
{
	uint32_t base, bytes, dropped, kicks[2];

	begin(name);
	lane_init(lane, &o);
	base = stat(lane, S_PACKETS);
	bytes = stat(lane, S_BYTES);
	dropped = stat(lane, S_DROPPED);
	kicks[0] = stat(lane, S_SRC_KICKS);
	kicks[1] = stat(lane, S_SNK_KICKS);
	lane_enable(lane, true);
	run_lanes();
	lanes_check_end();
	if (!failures)
		check_kicks(lane, kicks);
	if (!failures && stat(lane, S_PACKETS) - base != lanes[lane].rcvd)
		fail("statistics: %u packets, %u came", stat(lane, S_PACKETS) - base, lanes[lane].rcvd);
	if (!failures && stat(lane, S_BYTES) - bytes != (uint32_t)lanes[lane].bytes)
		fail("statistics: %u bytes, %llu came", stat(lane, S_BYTES) - bytes,
		     (unsigned long long)lanes[lane].bytes);
	if (!failures && stat(lane, S_DROPPED) - dropped != lanes[lane].dropped)
		fail("statistics: %u dropped, expected %u", stat(lane, S_DROPPED) - dropped, lanes[lane].dropped);
	end();
}

static void t_registers(void)
{
	struct lane_opts o = defaults();

	begin("registers");
	rb_write(0x1000 + 0x08, 0x12345678);
	rb_write_be(0x1000 + 0x08, 0xaabbccdd, 0x5);
	if (rb_read(0x1000 + 0x08) != 0x12bb56dd)
		fail("byte enables: 0x%x", rb_read(0x1000 + 0x08));
	rb_write_be(0x1000 + 0x08, 0, 0);
	if (rb_read(0x1000 + 0x08) != 0x12bb56dd)
		fail("a write without bytes changes a register");
	rb_write(0x1000 + 0x20, 0x00050007);
	if (rb_read(0x1000 + 0x20) != 0x00050007)
		fail("idx reads 0x%x", rb_read(0x1000 + 0x20));
	rb_write(0x3000 + 0x10, 0xdeadbeef);
	if (rb_read(0x3000 + 0x10) != 0xdeadbeef)
		fail("region reads 0x%x", rb_read(0x3000 + 0x10));
	static const uint32_t absent[] = { 0x008,
					   0x0fc,
					   0x100 + 8 * NLANES,
					   0x400 + 0x20 * NLANES,
					   0x1024,
					   0x1000 + 0x40 * 2 * NLANES,
					   0x301c,
					   0x3000 + 0x20 * 8 * TB_PORTS,
					   0x10000,
					   0xfffffc };

	for (unsigned int i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (!rb_read_err(absent[i]))
			fail("0x%x answers although nothing is there", absent[i]);
	if (rb_write_be(0x1030, 1, 15) == 0)
		fail("a write to nothing is accepted");
	o.target = 0;
	lane_init(0, &o);
	lane_enable(0, true);
	if (rb_write_be(0x1000 + 0x08, 0, 15) == 0)
		fail("a context of a running lane can be written");
	lane_enable(0, false);
	lane_wait_still(0);
	end();
}

static void t_sizes(void)
{
	for (uint16_t size = 2; size <= 1024; size *= 2) {
		struct lane_opts o = defaults();
		char name[64];

		o.src_size = size;
		o.snk_size = size;
		o.target = size < 64 ? 100 : size * 3;
		o.max_len = 300;
		o.first = 65536 - size / 2 - 10;
		snprintf(name, sizeof(name), "size %u", size);
		simple(strdup(name), 0, o);
	}
}

/* virtio 1.2, 2.7.10: while a queue is worked on, its driver is asked for none: NO_NOTIFY, or an avail_event that lies behind. */
static void t_suppressed(void)
{
	begin("suppressed notifications");
	for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
		uint64_t offers = notified[event_idx].offers, kicks = notified[event_idx].kicks;

		if (kicks == 0 || kicks > offers - offers / (event_idx ? 2 : 20))
			fail("%s: %llu notifications wanted of %llu", event_idx ? "avail_event" : "NO_NOTIFY",
			     (unsigned long long)kicks, (unsigned long long)offers);
	}
	end();
}

static void t_reenable(void)
{
	struct lane_opts o = defaults();
	int id = lane_of(2);
	struct lane *l = &lanes[id];

	begin("disable in the middle, enable again");
	o.target = 600;
	o.mrg = true;
	lane_init(id, &o);
	lane_enable(id, true);
	for (int round = 0; round < 12 && !failures; round++) {
		unsigned int n = dm_range(50, 3000);

		for (unsigned int i = 0; i < n; i++) {
			lane_step(l);
			tick(1);
		}
		lane_enable(id, false);
		if (dm_range(0, 1)) {
			lane_wait_still(id);
			if (dm_reads_out())
				fail("%u reads are out although the only lane is still", dm_reads_out());
			if (rb_read(R_IDX(2 * id)) >> 16 != vq_used_idx(&l->src.q) ||
			    rb_read(R_IDX(2 * id + 1)) >> 16 != vq_used_idx(&l->snk.q))
				fail("indices in the registers and in memory differ");
		}
		lane_enable(id, true);
	}
	l->progress = dm_cycle;
	run_lanes();
	lanes_check_end();
	end();
}

static void t_no_buffers(void)
{
	struct lane_opts o = defaults();
	int id = lane_of(5);
	struct lane *other = &lanes[id];

	begin("sink without buffers, then with");
	lane_init(0, &o);
	lane_init(id, &o);
	lanes[0].no_buffers = true;
	lane_enable(0, true);
	lane_enable(id, true);
	for (int i = 0; i < 20000 || (!lane_finished(other) && dm_cycle - other->progress < HANG); i++) {
		lane_step(&lanes[0]);
		lane_step(other);
		tick(1);
	}
	if (lanes[0].rcvd)
		fail("packets came without buffers");
	if (!lane_finished(other))
		fail("another lane stands still: %u packets", other->rcvd);
	if (!stat(0, S_NO_BUFFER))
		fail("no_buffer is not counted");
	lanes[0].no_buffers = false;
	lanes[0].progress = dm_cycle;
	run_lanes();
	lanes_check_end();
	end();
}

static void t_idle(void)
{
	struct lane_opts o = defaults();
	uint32_t lens[1] = { 100 };
	struct lane *l = &lanes[1];

	begin("idle and lone packets");
	o.mode = IRQ;
	o.target = 0;
	lane_init(1, &o);
	/* Chains that lie in disorder take a read per descriptor: not all of them are to. */
	l->max_segs = 2;
	lane_enable(1, true);
	for (int i = 0; i < 300 || l->posted < 30; i++) {
		lane_step(l);
		tick(1);
	}
	l->no_buffers = true;
	for (int n = 0; n < 20 && !failures; n++) {
		int head;
		unsigned int t = 0;

		for (int i = 0; i < 3000; i++) {
			lane_step(l);
			tick(1);
		}
		for (int i = 0; i < 50000 && !dut_idle(); i++)
			tick(1);
		if (!dut_idle())
			fail("not idle without work");
		l->pkt = realloc(l->pkt, (n + 2) * sizeof(*l->pkt));
		l->pkt[n].len = 100;
		l->pkt[n].seed = dm_rand();
		head = vq_add(&l->src.q, lens, 1, false);
		for (uint32_t i = 0; i < 100; i++)
			vq_put(&l->src.q, &l->src.q.buf[head], i, pattern(l->pkt[n].seed, i));
		l->sent = l->target = n + 1;
		vq_publish(&l->src.q);
		if (!vq_need_kick(&l->src.q))
			fail("an idle queue does not want to be kicked");
		kick(l->src.q.qid);
		while ((l->rcvd != l->sent || l->src_done != l->sent) && t++ < 20000 && !failures) {
			lane_step(l);
			tick(1);
		}
		if (l->rcvd != l->sent)
			fail("lone packet %d does not come", n);
	}
	lanes_check_end();
	end();
}

static void t_drop(void)
{
	struct lane_opts o = defaults();
	struct lane *l = &lanes[0];
	uint32_t dropped;

	/* Mergeable, but all buffers of the ring together are too small. */
	begin("packet that all buffers together cannot hold");
	o.mrg = true;
	o.snk_size = 8;
	o.target = 40;
	o.max_len = 1000;
	lane_init(0, &o);
	for (int i = 0; i < 40; i++) {
		l->pkt[i].len = i % 4 == 3 ? 1000 : 90;
		l->pkt[i].seed = i;
	}
	l->cap_lo = l->cap_hi = 100;
	l->burst = 8;
	l->max_segs = 1;
	dropped = stat(0, S_DROPPED);
	lane_enable(0, true);
	for (int i = 0; i < 200000 && l->src_done < 40 && !failures; i++) {
		/* The check below wants to know which were dropped. */
		while (l->parts == 0 && l->rcvd + l->dropped < l->sent && l->pkt[l->rcvd + l->dropped].len == 1000)
			l->dropped++;
		lane_step(l);
		tick(1);
	}
	if (l->src_done != 40)
		fail("%u of 40 returned", l->src_done);
	if (stat(0, S_DROPPED) - dropped != 10)
		fail("%u dropped, expected 10", stat(0, S_DROPPED) - dropped);
	if (l->rcvd != 30)
		fail("%u received, expected 30", l->rcvd);
	lanes_check_end();
	end();
}

static void t_isr(void)
{
	struct lane_opts o = defaults();

	begin("interrupt without MSI-X");
	dm_msix_enable = 1;
	o.mode = IRQ;
	lane_init(0, &o);
	lanes[0].src.mode = POLL;
	lane_enable(0, true);
	run_lanes();
	if (dm_msix[1][2])
		fail("MSI-X from a function that has it disabled");
	if (!dm_isr[1])
		fail("no ISR pulse");
	lanes_check_end();
	end();
}

/* Lanes of every port and direction at once. */
static void t_ports(void)
{
	int step = NLANES > 8 ? NLANES / 8 : 1;
	struct lane_opts o = defaults();

	begin("every port at once");
	o.target = 60;
	for (int i = 0; i < NLANES && i / step < 8; i += step) {
		o.mode = i / step & 1 ? IRQ : POLL;
		o.first = dm_rand();
		lane_init(i, &o);
	}
	for (int i = 0; i < NLANES; i++)
		if (lanes[i].on)
			lane_enable(i, true);
	run_lanes();
	lanes_check_end();
	end();
}

void directed_tests(void)
{
	struct lane_opts o;

	t_registers();
	o = defaults();
	simple("A to B", 0, o);
	simple("B to A", 1, o);
	o.mrg = true;
	simple("mergeable", 0, o);
	o.max_len = MAX_PKT;
	o.target = 60;
	simple("mergeable, 64 KiB", 1, o);
	o.mrg = false;
	simple("one buffer, 64 KiB", NLANES - 1, o);
	o = defaults();
	o.indirect = true;
	simple("indirect", lane_of(3), o);
	o = defaults();
	o.mode = IRQ;
	simple("interrupts by flag", 0, o);
	o.event_idx = true;
	simple("interrupts by used_event", 1, o);
	o.first = 65500;
	o.src_size = 16;
	o.snk_size = 32;
	o.target = 400;
	simple("event index, small rings, index wraps", lane_of(6), o);
	t_sizes();
	t_suppressed();
	t_reenable();
	t_no_buffers();
	t_idle();
	t_drop();
	sink_full_tests();
	t_isr();
	t_ports();
}
