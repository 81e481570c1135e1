// SPDX-License-Identifier: Apache-2.0
/* Tests of vhp_lanes: directed, random, malformed (+test=NAME +seed=N). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dma_model.h"
#include "virtq.h"

#define NLANES 8
#define PAIRS 2
#define HDR 12
#define MAX_PKT 65562
#define HANG 400000u /* cycles without progress */

#define R_EVENT 0x000
#define R_EVENT_ENABLE 0x004
#define R_CTRL(l) (0x100u + (l) * 8)
#define R_STATUS(l) (0x104u + (l) * 8)
#define R_STAT(l, k) (0x400u + (l) * 0x20 + (k) * 4)
#define R_IDX(q) (0x1000u + (q) * 0x40 + 0x20)
#define R_REGION(r) (0x3000u + (r) * 0x20)

enum {
	S_PACKETS,
	S_BYTES,
	S_DROPPED,
	S_SRC_IRQS,
	S_SNK_IRQS,
	S_SRC_KICKS,
	S_SNK_KICKS,
	S_NO_BUFFER
};
enum {
	ST_NONE,
	ST_ADMIN,
	ST_AVAIL_JUMP,
	ST_HEAD_RANGE,
	ST_NEXT_RANGE,
	ST_CHAIN_LENGTH,
	ST_DESC_LENGTH,
	ST_REGION,
	ST_INDIRECT_NEST,
	ST_INDIRECT_LEN,
	ST_DIRECTION,
	ST_SHORT,
	ST_LONG,
	ST_READ_ERROR,
	ST_READ_TIMEOUT,
	ST_FUNCTION
};

unsigned int failures;
static unsigned int passed, failed;
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

/* ------------------------------------------------------------------------------------------------ a lane's drivers */

enum irq_mode {
	POLL,
	IRQ
};

struct pkt {
	uint32_t len, seed;
};

/* One end's driver: where it is in its loop. */
struct end {
	struct vq q;
	enum irq_mode mode;
	enum {
		E_RUN,
		E_ARMED,
		E_SLEEP
	} st;
	enum {
		P_ADD,
		P_PUBLISH,
		P_KICK
	} pub;
	uint64_t msix_seen, wakeups;
	unsigned int wait;
};

struct lane {
	int id;
	struct end src, snk;
	bool on;
	uint32_t max_len, small_cap;
	unsigned int max_segs;
	uint32_t cap_lo, cap_hi;
	unsigned int target, sent, src_done, rcvd, dropped, posted;
	struct pkt *pkt;
	uint16_t head_of[65536 / 16];
	unsigned int part; /* chains of the present packet that have come */
	unsigned int parts;
	uint32_t got;
	uint64_t progress, bytes;
	unsigned int burst;
	bool no_buffers; /* the sink's driver is asleep */
};

static struct lane lanes[NLANES];

static uint8_t pattern(uint32_t seed, uint32_t off)
{
	uint32_t x = seed * 2654435761u ^ off * 40503u;

	return x >> 13 ^ x >> 5;
}

static uint64_t irq_count(struct end *e)
{
	return dm_msix_enable >> e->q.func & 1 ? dm_msix[e->q.func][e->q.vector] : dm_isr[e->q.func];
}

static unsigned int split(uint32_t total, unsigned int nmax, uint32_t *lens)
{
	unsigned int n = dm_range(1, nmax);

	if (n > total)
		n = total;
	for (unsigned int i = 0; i < n; i++) {
		uint32_t rest = total - (n - 1 - i);

		if (i + 1 == n) {
			lens[i] = total;
		} else {
			switch (dm_range(0, 3)) {
			case 0:
				lens[i] = 1;
				break;
			case 1:
				lens[i] = rest < HDR ? rest : HDR;
				break;
			default:
				lens[i] = dm_range(1, rest);
				break;
			}
		}
		total -= lens[i];
		if (total == 0 && i + 1 < n)
			return i + 1;
	}
	return n;
}

static void add_packet(struct lane *l)
{
	struct pkt *p = &l->pkt[l->sent];
	uint32_t lens[VQ_MAX_SEGS];
	unsigned int n;
	int head;
	bool ind = l->src.q.indirect && dm_range(0, 2) == 0;
	unsigned int nmax = l->max_segs;

	if (!ind && nmax > l->src.q.size)
		nmax = l->src.q.size;
	if (!p->len) {
		p->len = dm_range(0, 3) ? dm_range(HDR, l->max_len < 1600 ? l->max_len : 1600)
					: dm_range(HDR, l->max_len);
		p->seed = dm_rand();
	}
	n = split(p->len, nmax, lens);
	head = vq_add(&l->src.q, lens, n, ind);
	if (head < 0)
		return;
	for (uint32_t i = 0; i < p->len; i++)
		vq_put(&l->src.q, &l->src.q.buf[head], i, pattern(p->seed, i));
	l->sent++;
}

static bool add_buffer(struct lane *l)
{
	uint32_t lens[VQ_MAX_SEGS];
	uint32_t cap = dm_range(l->cap_lo, l->cap_hi);
	bool ind = l->snk.q.indirect && dm_range(0, 2) == 0;
	unsigned int nmax = l->snk.q.mrg && l->max_segs > 3 ? 3 : l->max_segs;

	if (l->small_cap && dm_range(0, 19) == 0)
		cap = dm_range(1, l->small_cap);
	if (!ind && nmax > l->snk.q.size)
		nmax = l->snk.q.size;
	if (vq_add(&l->snk.q, lens, split(cap, nmax, lens), ind) < 0)
		return false;
	l->posted++;
	return true;
}

static void producer(struct lane *l, struct end *e)
{
	switch (e->pub) {
	case P_ADD: {
		unsigned int n = dm_range(1, l->burst);

		if (e == &l->src) {
			while (n-- && l->sent < l->target)
				add_packet(l);
		} else if (!l->no_buffers) {
			while (n-- && add_buffer(l))
				;
		}
		if (e->q.next_avail != e->q.avail_idx)
			e->pub = P_PUBLISH;
		break;
	}
	case P_PUBLISH:
		vq_publish(&e->q);
		e->pub = P_KICK;
		break;
	default:
		if (vq_need_kick(&e->q))
			kick(e->q.qid);
		e->pub = P_ADD;
		break;
	}
}

static void check_sink(struct lane *l, uint16_t head, uint32_t len)
{
	struct vq *q = &l->snk.q;
	struct vq_buf *b = &q->buf[head];
	struct pkt *p;

	if (l->parts == 0) {
		/* A buffer that can take more than the packet that comes next: those before were dropped. */
		while (!q->mrg && l->rcvd + l->dropped < l->sent && l->pkt[l->rcvd + l->dropped].len > b->cap)
			l->dropped++;
		l->parts = vq_get(q, b, 10) | vq_get(q, b, 11) << 8;
		if (b->cap < HDR)
			l->parts = q->mrg ? 0xffff : 1; /* header over several chains: known at the end */
		l->got = 0;
		l->part = 0;
		if (!q->mrg && l->parts != 1)
			fail("lane %d: num_buffers %u without mergeable buffers", l->id, l->parts);
	}
	if (l->rcvd + l->dropped >= l->sent) {
		fail("lane %d: a packet that was not sent", l->id);
		return;
	}
	p = &l->pkt[l->rcvd + l->dropped];
	if (len > b->cap || len == 0 || l->got + len > p->len)
		fail("lane %d packet %u (%u bytes): used length %u, capacity %u, had %u", l->id, l->rcvd, p->len, len,
		     b->cap, l->got);
	for (uint32_t i = 0; i < len && l->got + i < p->len; i++) {
		uint32_t off = l->got + i;

		if (off == 10 || off == 11)
			continue;
		if (vq_get(q, b, i) != pattern(p->seed, off)) {
			fail("lane %d packet %u: byte %u of %u differs", l->id, l->rcvd, off, p->len);
			break;
		}
	}
	l->got += len;
	l->part++;
	if (l->got == p->len) {
		if (l->parts != 0xffff && l->part != l->parts)
			fail("lane %d packet %u: num_buffers %u, %u came", l->id, l->rcvd, l->parts, l->part);
		l->parts = 0;
		l->rcvd++;
		l->bytes += p->len - HDR;
	} else if (len != b->cap) {
		fail("lane %d packet %u: a chain of %u bytes holds only %u", l->id, l->rcvd, b->cap, len);
	}
}

static void consumer(struct lane *l, struct end *e)
{
	uint16_t head;
	uint32_t len;

	switch (e->st) {
	case E_RUN:
		while (vq_get_used(&e->q, &head, &len)) {
			l->progress = dm_cycle;
			if (e == &l->snk) {
				check_sink(l, head, len);
			} else {
				if (len)
					fail("lane %d: source chain with used length %u", l->id, len);
				l->src_done++;
			}
			vq_free(&e->q, head);
			if (dm_range(0, 3) == 0)
				return;
		}
		/* virtio-net: the buffers of one merged packet are used together. */
		if (e == &l->snk && l->parts)
			fail("lane %d packet %u: the used index shows %u of its %u buffers", l->id, l->rcvd, l->part,
			     l->parts);
		if (e->mode == IRQ) {
			e->msix_seen = irq_count(e);
			vq_enable_irq(&e->q);
			e->st = E_ARMED;
		}
		break;
	case E_ARMED:
		if (vq_used_idx(&e->q) != e->q.last_used) {
			vq_disable_irq(&e->q);
			e->st = E_RUN;
		} else {
			e->st = E_SLEEP;
		}
		break;
	default:
		if (irq_count(e) != e->msix_seen) {
			e->wakeups++;
			vq_disable_irq(&e->q);
			e->st = E_RUN;
		}
		break;
	}
}

static void lane_step(struct lane *l)
{
	struct end *ends[2] = { &l->src, &l->snk };

	for (int i = 0; i < 2; i++) {
		struct end *e = ends[i];

		if (e->wait) {
			e->wait--;
			continue;
		}
		if (dm_range(0, 1))
			producer(l, e);
		else
			consumer(l, e);
		e->wait = dm_range(0, 1) ? dm_range(0, 20) : 0;
		if (dm_range(0, 300) == 0)
			e->wait = dm_range(0, 3000);
	}
}

static bool lane_finished(const struct lane *l)
{
	return l->sent == l->target && l->src_done == l->target && l->parts == 0 &&
		(!l->snk.q.mrg ? l->rcvd + l->dropped <= l->target : l->rcvd == l->target);
}

/* ------------------------------------------------------------------------------------------------ set-up */

static int src_func(int lane)
{
	int port = lane / (PAIRS * 2);

	return lane & 1 ? port + 1 : 0;
}

static int snk_func(int lane)
{
	int port = lane / (PAIRS * 2);

	return lane & 1 ? 0 : port + 1;
}

static uint64_t port_delta(int port)
{
	return port ? 0x123456789000ull : 0xfffff00000000000ull;
}

/* The port's regions: all of fn0's memory, in five pieces that touch, in disorder; rows between are not valid. */
static void regions_init(void)
{
	static const int row[5] = { 6, 0, 3, 1, 7 };

	for (int port = 0; port < 2; port++) {
		for (int i = 0; i < 8; i++)
			rb_write(R_REGION(port * 8 + i) + 0x18, 0);
		for (int i = 0; i < 5; i++) {
			uint64_t first = dm_base(0) + (uint64_t)DM_PIECE * i;
			uint64_t last = i == 4 ? dm_base(0) + DM_SPACE - 1 : first + DM_PIECE - 1;
			uint32_t r = R_REGION(port * 8 + row[i]);

			rb_write(r + 0x00, (uint32_t)(first - port_delta(port)));
			rb_write(r + 0x04, (first - port_delta(port)) >> 32);
			rb_write(r + 0x08, (uint32_t)(last - port_delta(port)));
			rb_write(r + 0x0c, (last - port_delta(port)) >> 32);
			rb_write(r + 0x10, (uint32_t)first);
			rb_write(r + 0x14, first >> 32);
			rb_write(r + 0x18, 1);
		}
	}
}

struct lane_opts {
	uint16_t src_size, snk_size, first;
	bool event_idx, indirect, mrg;
	enum irq_mode mode;
	unsigned int target;
	uint32_t max_len;
};

static void lane_init(int id, const struct lane_opts *o)
{
	struct lane *l = &lanes[id];
	int port = id / (PAIRS * 2);
	int base = id % (PAIRS * 2) / 2;
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

static void lane_enable(int id, bool on)
{
	rb_write(R_CTRL(id), on);
}

static void lane_wait_still(int id)
{
	for (int i = 0; i < 20000; i++) {
		if (!(rb_read(R_STATUS(id)) & 1))
			return;
		tick(10);
	}
	fail("lane %d stays busy", id);
}

static void tell_queue(const char *name, const struct end *e)
{
	const struct vq *q = &e->q;

	printf("  %s: size %u%s%s%s, published %04x, used seen %04x, used->idx %04x, free descriptors %u, state %d, wait %u\n",
	       name, q->size, q->event_idx ? " event_idx" : "", q->mrg ? " mergeable" : "",
	       e->mode == IRQ ? " irq" : "", q->avail_idx, q->last_used, vq_used_idx((struct vq *)q), q->nfree, e->st,
	       e->wait);
}

static void run_lanes(void)
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

static void lanes_check_end(void)
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

static void begin(const char *name)
{
	case_name = name;
	failures = 0;
	dm_violations = 0;
	dm_fault.on = false;
	memset(dm_msix, 0, sizeof(dm_msix));
	memset(dm_isr, 0, sizeof(dm_isr));
	dm_msix_enable = 7;
	for (int i = 0; i < NLANES; i++)
		rb_write(R_CTRL(i), 0);
	for (int i = 0; i < NLANES; i++)
		lane_wait_still(i);
	for (int i = 0; i < NLANES; i++) {
		free(lanes[i].pkt);
		memset(&lanes[i], 0, sizeof(lanes[i]));
	}
	dm_violations = 0;
	dm_reset_memory();
	rb_write(R_EVENT, 0xffffffff);
	regions_init();
}

static void end(void)
{
	/* An idle block says so, and then stays idle. */
	for (int i = 0; i < 5000 && !dut_idle(); i++)
		tick(1);
	if (!failures && !dut_idle())
		fail("not idle at the end");
	if (failures) {
		failed++;
		printf("FAIL %s\n", case_name);
		for (int i = 0; i < NLANES; i++)
			rb_write(R_CTRL(i), 0);
	} else {
		passed++;
		printf("ok   %s\n", case_name);
	}
	fflush(stdout);
}

static uint32_t stat(int lane, int k)
{
	return rb_read(R_STAT(lane, k));
}

static struct lane_opts defaults(void)
{
	struct lane_opts o = { 256, 256, 0, false, false, false, POLL, 200, 1526 };

	return o;
}

/* ------------------------------------------------------------------------------------------------ directed */

static void simple(const char *name, int lane, struct lane_opts o)
{
	uint32_t base, bytes, dropped;

	begin(name);
	lane_init(lane, &o);
	base = stat(lane, S_PACKETS);
	bytes = stat(lane, S_BYTES);
	dropped = stat(lane, S_DROPPED);
	lane_enable(lane, true);
	run_lanes();
	lanes_check_end();
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
					   0x1000 + 0x40 * 16,
					   0x301c,
					   0x3000 + 0x20 * 16,
					   0x10000,
					   0xfffffc };

	for (unsigned int i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (!rb_read_err(absent[i]))
			fail("0x%x answers although nothing is there", absent[i]);
	if (rb_write_be(0x1030, 1, 15) == 0)
		fail("a write to nothing is accepted");
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

static void t_reenable(void)
{
	struct lane_opts o = defaults();

	begin("disable in the middle, enable again");
	o.target = 600;
	o.mrg = true;
	lane_init(2, &o);
	lane_enable(2, true);
	for (int round = 0; round < 12 && !failures; round++) {
		unsigned int n = dm_range(50, 3000);

		for (unsigned int i = 0; i < n; i++) {
			lane_step(&lanes[2]);
			tick(1);
		}
		lane_enable(2, false);
		if (dm_range(0, 1)) {
			lane_wait_still(2);
			if (dm_reads_out())
				fail("%u reads are out although the only lane is still", dm_reads_out());
			if (rb_read(R_IDX(4)) >> 16 != vq_used_idx(&lanes[2].src.q) ||
			    rb_read(R_IDX(5)) >> 16 != vq_used_idx(&lanes[2].snk.q))
				fail("indices in the registers and in memory differ");
		}
		lane_enable(2, true);
	}
	lanes[2].progress = dm_cycle;
	run_lanes();
	lanes_check_end();
	end();
}

static void t_no_buffers(void)
{
	struct lane_opts o = defaults();

	begin("sink without buffers, then with");
	lane_init(0, &o);
	lane_init(5, &o);
	lanes[0].no_buffers = true;
	lane_enable(0, true);
	lane_enable(5, true);
	for (int i = 0; i < 20000 || (!lane_finished(&lanes[5]) && dm_cycle - lanes[5].progress < HANG); i++) {
		lane_step(&lanes[0]);
		lane_step(&lanes[5]);
		tick(1);
	}
	if (lanes[0].rcvd)
		fail("packets came without buffers");
	if (!lane_finished(&lanes[5]))
		fail("another lane stands still: %u packets", lanes[5].rcvd);
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
	lane_enable(1, true);
	for (int i = 0; i < 300; i++) {
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
		for (int i = 0; i < 5000 && !dut_idle(); i++)
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

static void directed(void)
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
	simple("one buffer, 64 KiB", 7, o);
	o = defaults();
	o.indirect = true;
	simple("indirect", 3, o);
	o = defaults();
	o.mode = IRQ;
	simple("interrupts by flag", 0, o);
	o.event_idx = true;
	simple("interrupts by used_event", 1, o);
	o.first = 65500;
	o.src_size = 16;
	o.snk_size = 32;
	o.target = 400;
	simple("event index, small rings, index wraps", 6, o);
	t_sizes();
	t_reenable();
	t_no_buffers();
	t_idle();
	t_drop();
	t_isr();
}

/* ------------------------------------------------------------------------------------------------ random */

static void random_tests(void)
{
	static const uint32_t lens[] = { 80, 300, 1526, 9018, MAX_PKT };

	for (int round = 0; round < 12 && !failed; round++) {
		char name[64];
		unsigned int speed = dm_range(0, 2);

		snprintf(name, sizeof(name), "random %d", round);
		begin(strdup(name));
		dm_cfg.rd_min = dm_range(1, 30);
		dm_cfg.rd_max = dm_cfg.rd_min + (speed == 0 ? 10 : speed == 1 ? 150 : 600);
		dm_cfg.wr_max = dm_range(1, 30);
		dm_cfg.stall = dm_range(0, 2) * 35;
		dm_msix_enable = dm_range(0, 3) ? 7 : 1 | dm_range(0, 3) << 1;
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

/* ------------------------------------------------------------------------------------------------ malformed */

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
	o.target = 1000000;
	lane_init(5, &o);
	other = &lanes[5];
	other->small_cap = 0;
	lane_enable(b->lane, true);
	lane_enable(5, true);
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
	lane_enable(5, false);
	lane_wait_still(5);
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
	lane_init(5, &o);
	other = &lanes[5];
	for (int i = 0; i < NLANES; i++)
		lane_enable(i, true);
	for (int i = 0; i < 60000 && !failures; i++) {
		int n = dm_range(0, NLANES - 1);
		struct vq *q = dm_range(0, 1) ? &lanes[n].src.q : &lanes[n].snk.q;

		if (n != 5) {
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

static void malformed(void)
{
	for (unsigned int i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		malformed_one(&bads[i]);
	for (int r = 0; r < 4; r++)
		t_noise(r);
}

/* ------------------------------------------------------------------------------------------------ entry */

static void (*chosen)(void);

int lane_test_select(const char *name)
{
	if (!strcmp(name, "directed"))
		chosen = directed;
	else if (!strcmp(name, "random"))
		chosen = random_tests;
	else if (!strcmp(name, "malformed"))
		chosen = malformed;
	else
		return 1;
	return 0;
}

void lane_test_main(void)
{
	tick(20);
	chosen();
	printf("%u passed, %u failed\n", passed, failed);
	fflush(stdout);
}
