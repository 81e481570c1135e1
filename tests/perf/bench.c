// SPDX-License-Identifier: Apache-2.0
/*
 * make bench: throughput and latency of vhp_pcie + vhp_lanes against the ceiling that the PCIe bytes set.
 *
 * The model of docs: 250 MHz, 512 bit, PCIe Gen3 x16, MPS 256, MRRS 512, RCB 64, 256 tags, 1 us read round trip, rings
 * and buffers of both ends in host memory. The guests' drivers are here and cost no time: they poll, post at once what
 * came back, and keep interrupts off in the streams, on for the lone packet.
 *
 * Two things bound a stream: the link (column ceiling, from TLP bytes) and the beats of the requester stream, which
 * straddles no TLPs: a packet takes at least as many cycles as it has beats there (column rq beats).
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhp_model.h"

#define HDR 12
#define QSIZE 1024
#define BUF 2048
#define CLOCK_MHZ 250.0
#define IOVA 0x40000000ull
#define SPACE (16u << 20)
#define HIT_PAGE 0x3f000u

#define R_CTRL(l) (0x100u + (l) * 8)
#define R_STATUS(l) (0x104u + (l) * 8)
#define R_QUEUE(q) (0x1000u + (q) * 0x40)
#define R_STAT(l) (0x400u + (l) * 0x20)

struct ring {
	unsigned int fn, qid, vector;
	bool sink;
	uint8_t *mem;
	uint64_t desc, avail, used, buf; /* offsets in mem */
	uint16_t avail_idx, last_used, kicked;
	bool irq;
};

static uint8_t *space[3];
static struct vhp_model *m;
static void *top;
static uint64_t msix_at, msix_count;
static struct ring src, snk;

static const char *const stall_name[8] = {
	"payload_read_waits_for_dma",
	"ring_read_waits_for_dma",
	"write_waits_for_dma",
	"no_source_chain",
	"no_sink_chain",
	"packet_table_or_buffer_full",
	"writer_waits_for_payload",
	"writer_waits_for_stream",
};

/* TLP bytes per packet, as the ceiling counts them: reads 24, writes 24 + payload, completions 20 + payload. */
static double ceiling_mpps(unsigned int frame)
{
	const double desc_batch = 8, idx_batch = 32;
	const unsigned int data = frame + HDR;
	double up = 0, down = 0;

	for (int end = 0; end < 2; end++) {
		up += 24 / idx_batch + 24 / desc_batch + 24 / idx_batch;
		down += (2 * idx_batch + 20) / idx_batch + (16 * desc_batch + 20) / desc_batch + 24 / idx_batch;
		up += (8 * desc_batch + 24) / desc_batch + 26 / desc_batch;
	}
	up += 24.0 * ((data + 511) / 512) + data + 24.0 * ((data + 255) / 256);
	down += data + 20.0 * ((data + 255) / 256);
	return 16 * 8e9 * 128 / 130 / 8 * 0.95 / (up > down ? up : down) / 1e6;
}

static void on_msix(void *arg, unsigned int fn, uint64_t addr, uint32_t data)
{
	(void)arg;
	(void)fn;
	(void)addr;
	(void)data;
	msix_at = vhp_model_cycle(m);
	msix_count++;
}

static void put16(struct ring *r, uint64_t off, uint16_t v)
{
	memcpy(r->mem + off, &v, 2);
}

static uint16_t get16(const struct ring *r, uint64_t off)
{
	uint16_t v;

	memcpy(&v, r->mem + off, 2);
	return v;
}

static void ring_init(struct ring *r, unsigned int fn, unsigned int qid, bool sink, uint64_t at, bool irq)
{
	const uint64_t regs[] = { IOVA + at, IOVA + at + 0x5000, IOVA + at + 0x6000 };

	memset(r, 0, sizeof(*r));
	r->fn = fn;
	r->qid = qid;
	r->sink = sink;
	r->mem = space[fn];
	r->desc = at;
	r->avail = at + 0x5000;
	r->used = at + 0x6000;
	r->buf = at + 0x10000;
	r->irq = irq;
	r->vector = 1;
	memset(r->mem + at, 0, 0x10000);
	put16(r, r->avail, irq ? 0 : 1);
	vhp_model_write32(m, 0, 0, R_QUEUE(qid), fn | 10u << 8);
	vhp_model_write32(m, 0, 0, R_QUEUE(qid) + 4, r->vector);
	for (int i = 0; i < 3; i++) {
		vhp_model_write32(m, 0, 0, R_QUEUE(qid) + 8 + 8 * i, (uint32_t)regs[i]);
		vhp_model_write32(m, 0, 0, R_QUEUE(qid) + 12 + 8 * i, regs[i] >> 32);
	}
	vhp_model_write32(m, 0, 0, R_QUEUE(qid) + 0x20, 0);
}

/* Descriptors in order: slot i of the ring is descriptor i. */
static void ring_post(struct ring *r, uint32_t len)
{
	uint16_t i = r->avail_idx % QSIZE;
	uint64_t addr = IOVA + r->buf + (uint64_t)i * BUF;
	uint16_t flags = r->sink ? 2 : 0;

	memcpy(r->mem + r->desc + 16 * i, &addr, 8);
	memcpy(r->mem + r->desc + 16 * i + 8, &len, 4);
	memcpy(r->mem + r->desc + 16 * i + 12, &flags, 2);
	put16(r, r->avail + 4 + 2 * i, i);
	r->avail_idx++;
}

static void doorbell(struct ring *r)
{
	static const uint32_t v;
	struct vhp_cq cq = {
		.type = 1, .fn = 0, .bar = 2, .off = r->qid * 4096ull, .dwords = 1, .first_be = 15, .data = &v
	};

	while (vhp_model_cq(m, &cq, NULL, NULL) == -ENOSPC)
		vhp_model_step(m, 1);
}

static void ring_publish(struct ring *r)
{
	if (r->avail_idx == r->kicked)
		return;
	put16(r, r->avail + 2, r->avail_idx);
	r->kicked = r->avail_idx;
	if (!(get16(r, r->used) & 1))
		doorbell(r);
}

static unsigned int ring_reap(struct ring *r)
{
	uint16_t n = get16(r, r->used + 2) - r->last_used;

	r->last_used += n;
	return n;
}

static void fatal(const char *what)
{
	fprintf(stderr, "bench: cycle %llu: %s; lane status 0x%x 0x%x\n", (unsigned long long)vhp_model_cycle(m), what,
		vhp_model_read32(m, 0, 0, R_STATUS(0)), vhp_model_read32(m, 0, 0, R_STATUS(1)));
	exit(1);
}

static void lane_start(int dir, bool irq)
{
	unsigned int a = dir ? 1 : 0, b = dir ? 0 : 1;

	ring_init(&src, a, dir * 2, false, 0, irq);
	ring_init(&snk, b, dir * 2 + 1, true, 0x400000, irq);
	vhp_model_write32(m, 0, 0, R_CTRL(dir), 1);
}

static void lane_stop(int dir)
{
	vhp_model_write32(m, 0, 0, R_CTRL(dir), 0);
	for (int i = 0; i < 10000; i++) {
		if (!(vhp_model_read32(m, 0, 0, R_STATUS(dir)) & 1))
			return;
		vhp_model_step(m, 10);
	}
	fatal("the lane stays busy");
}

static void check_packet(uint32_t len)
{
	/* The newest one, whole but for num_buffers. */
	uint16_t i = (uint16_t)(snk.last_used - 1) % QSIZE;
	const uint8_t *e = snk.mem + snk.used + 4 + 8 * i;
	uint32_t id, got;

	memcpy(&id, e, 4);
	memcpy(&got, e + 4, 4);
	if (id != i || got != len)
		fatal("a used element is wrong");
	if (memcmp(snk.mem + snk.buf + (uint64_t)id * BUF + HDR, src.mem + src.buf + (uint64_t)id * BUF + HDR,
		   len - HDR))
		fatal("a packet has changed");
}

static json_t *throughput(unsigned int size, int dir, uint64_t warm, uint64_t cycles)
{
	const uint32_t len = size + HDR;
	const struct vhp_model_stats *st;
	uint64_t start, packets = 0;
	double cpp, mpps, gbps, up, down, beats, ceiling;
	json_t *o, *stalls;
	bool measuring = false;
	unsigned int n;

	lane_start(dir, false);
	for (int i = 0; i < QSIZE; i++) {
		ring_post(&snk, BUF);
		ring_post(&src, len);
	}
	ring_publish(&snk);
	ring_publish(&src);
	start = vhp_model_cycle(m);
	while (vhp_model_cycle(m) - start < warm + cycles) {
		if (!measuring && vhp_model_cycle(m) - start >= warm) {
			measuring = true;
			packets = 0;
			vhp_model_write32(m, 0, 2, HIT_PAGE, 0);
			vhp_model_stats_reset(m);
		}
		vhp_model_step(m, 16);
		n = ring_reap(&snk);
		packets += n;
		if (n)
			check_packet(len);
		while (n--)
			ring_post(&snk, BUF);
		ring_publish(&snk);
		n = ring_reap(&src);
		while (n--)
			ring_post(&src, len);
		ring_publish(&src);
	}
	st = vhp_model_stats(m);
	if (!packets)
		fatal("no packet came");
	cpp = (double)st->cycles / packets;
	mpps = CLOCK_MHZ / cpp;
	gbps = mpps * size * 8 / 1e3;
	up = (double)st->up_bytes / packets;
	down = (double)st->down_bytes / packets;
	beats = (double)st->rq_beats / packets;
	ceiling = ceiling_mpps(size);
	stalls = json_object();
	json_object_set_new(stalls, "rq_waits_for_link", json_real((double)st->rq_stall / st->cycles));
	cycles = st->cycles;
	for (int i = 0; i < 8; i++)
		json_object_set_new(stalls, stall_name[i],
				    json_real((double)vhp_model_read32(m, 0, 2, HIT_PAGE + 4 * i) / cycles));
	printf("%5u  %s  %8.2f %8.2f %8.2f %8.1f %8.1f %8.2f %8.1f %7.1f%%\n", size, dir ? "b2a" : "a2b", cpp, mpps,
	       gbps, up, down, beats, ceiling, 100 * mpps / ceiling);
	fflush(stdout);
	o = json_pack("{s:i s:s s:i s:s s:s s:f s:f s:f s:f s:f s:f s:f s:f s:o}", "size", size, "direction",
		      dir ? "b2a" : "a2b", "pairs", 1, "ring", "split", "copy", "offload", "cycles_per_packet", cpp,
		      "mpps", mpps, "gbps", gbps, "pcie_up_bytes", up, "pcie_down_bytes", down, "rq_beats", beats,
		      "ceiling_mpps", ceiling, "percent_of_ceiling", 100 * mpps / ceiling, "stalls", stalls);
	lane_stop(dir);
	return o;
}

static json_t *latency(unsigned int size, int dir)
{
	const uint32_t len = size + HDR;
	uint64_t t0, t_used = 0, worst_used = 0, worst_msix = 0;
	uint64_t sum_used = 0, sum_msix = 0;
	const int rounds = 8;

	lane_start(dir, true);
	for (int i = 0; i < 256; i++)
		ring_post(&snk, BUF);
	ring_publish(&snk);
	vhp_model_run_idle(m, 100000);
	for (int k = 0; k < rounds; k++) {
		uint64_t seen;

		ring_post(&src, len);
		seen = msix_count;
		msix_at = 0;
		t0 = vhp_model_cycle(m);
		ring_publish(&src);
		t_used = 0;
		for (int i = 0; i < 20000; i++) {
			vhp_model_step(m, 1);
			if (!t_used && get16(&snk, snk.used + 2) != snk.last_used)
				t_used = vhp_model_cycle(m);
			if (t_used && msix_count != seen)
				break;
		}
		if (!t_used || msix_count == seen)
			fatal("a lone packet or its interrupt does not come");
		sum_used += t_used - t0;
		sum_msix += msix_at - t0;
		worst_used = t_used - t0 > worst_used ? t_used - t0 : worst_used;
		worst_msix = msix_at - t0 > worst_msix ? msix_at - t0 : worst_msix;
		vhp_model_step(m, 3000);
		if (vhp_model_run_idle(m, 100000))
			fatal("the card does not become idle");
		ring_reap(&snk);
		ring_reap(&src);
		check_packet(len);
	}
	printf("%5u  %s  doorbell to used index %6.0f ns (worst %6.0f), to MSI-X %6.0f ns (worst %6.0f)\n", size,
	       dir ? "b2a" : "a2b", sum_used * 4.0 / rounds, worst_used * 4.0, sum_msix * 4.0 / rounds,
	       worst_msix * 4.0);
	lane_stop(dir);
	return json_pack("{s:i s:s s:f s:f s:f s:f}", "size", size, "direction", dir ? "b2a" : "a2b", "used_ns",
			 sum_used * 4.0 / rounds, "msix_ns", sum_msix * 4.0 / rounds, "used_worst_ns", worst_used * 4.0,
			 "msix_worst_ns", worst_msix * 4.0);
}

static void setup(const char *trace)
{
	struct vhp_model_config cfg;

	vhp_model_defaults(&cfg);
	cfg.seed = 1;
	cfg.nfn = 3;
	cfg.up_rate = cfg.down_rate = 59.86;
	cfg.latency = 250;
	cfg.latency_jitter = 0;
	cfg.rcb = 64;
	cfg.split_pct = 0;
	cfg.reorder = false;
	cfg.mps = 256;
	cfg.mrrs = 512;
	cfg.ext_tag = true;
	cfg.dma_faults_fatal = true;
	cfg.rq_ready_pct = cfg.cc_ready_pct = cfg.rc_valid_pct = cfg.cq_valid_pct = 100;
	cfg.on_msix = on_msix;
	top = vhp_verilated_create(1, 0, NULL);
	if (trace)
		vhp_verilated_trace(top, trace);
	m = vhp_model_create(&cfg, &vhp_verilated_ops, top);
	if (!m)
		exit(2);
	vhp_model_step(m, 400);
	for (unsigned int f = 0; f < 3; f++) {
		space[f] = malloc(SPACE);
		for (unsigned int i = 0; i < SPACE; i++)
			space[f][i] = i * 7 + i / 251 + f;
		if (vhp_model_mem_map(m, f, IOVA, SPACE, space[f], VHP_MEM_READ | VHP_MEM_WRITE) ||
		    vhp_model_enable(m, f))
			exit(2);
		vhp_model_msix_entry(m, f, 1, cfg.msi_base + f * 16, 0x40 + f, false);
		vhp_model_msix_control(m, f, true, false);
	}
	vhp_model_step(m, 200);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "trace", required_argument, NULL, 't' },
		{ "cycles", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const unsigned int sizes[] = { 64, 1500 };
	const char *json = NULL, *trace = NULL;
	uint64_t cycles = 40000;
	json_t *root, *tp = json_array(), *lat = json_array();
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = optarg;
			break;
		case 't':
			trace = optarg;
			break;
		case 'c':
			cycles = strtoull(optarg, NULL, 0);
			break;
		default:
			fprintf(c == 'h' ? stdout : stderr, "usage: %s [--json FILE] [--trace FILE.fst] [--cycles N]\n",
				argv[0]);
			return c == 'h' ? 0 : 2;
		}
	}
	setup(trace);
	printf(" size  dir  cyc/pkt     Mpps     Gb/s  up B/pkt  dn B/pkt rq beats  ceiling  reached\n");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int dir = 0; dir < 2; dir++)
			json_array_append_new(tp, throughput(sizes[i], dir, 10000, cycles));
	printf("\nwhere the lane stalled, per cent of cycles\n");
	for (size_t i = 0; i < json_array_size(tp); i++) {
		json_t *e = json_array_get(tp, i), *v;
		const char *key;

		printf("%5lld  %s ", (long long)json_integer_value(json_object_get(e, "size")),
		       json_string_value(json_object_get(e, "direction")));
		json_object_foreach(json_object_get(e, "stalls"), key, v)
			if (json_real_value(v) > 0.005)
				printf(" %s %.0f", key, 100 * json_real_value(v));
		printf("\n");
	}
	printf("\nlone packet on an idle card\n");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int dir = 0; dir < 2; dir++)
			json_array_append_new(lat, latency(sizes[i], dir));
	root = json_pack("{s:o s:o s:{s:i s:s}}", "throughput", tp, "latency", lat, "simulator", "cycles",
			 (int)vhp_model_cycle(m), "top", "vhp_pcie + vhp_lanes");
	if (json && json_dump_file(root, json, JSON_INDENT(2))) {
		fprintf(stderr, "bench: cannot write %s\n", json);
		return 1;
	}
	json_decref(root);
	return 0;
}
