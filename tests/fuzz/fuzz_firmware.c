/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: mailbox requests, control rings and messages, register writes and resets in any order against the
 * portable firmware. sim_soc.c's rules and the sanitizers decide; the firmware must come to rest after each step.
 *
 * Input: records {u8 what, u8 length, bytes}. The driver's memory is small, so that random addresses often hit it.
 */
#include <stdint.h>
#include <string.h>

#include "sim_soc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	DO_MBOX,
	DO_QUEUE_REG,
	DO_MEMORY,
	DO_EVENTS,
	DO_FLR,
	DO_TIME,
	DO_LANE_FAULT,
	DO_DRIVER,
	DO_CHAIN,
	DO_START,
	DOS
};

static struct card card;

static void mailbox(const uint8_t *bytes, size_t n)
{
	memset(soc.request, 0, sizeof(soc.request));
	memcpy(soc.request, bytes, n);
	soc.mbox_busy = true;
}

static void request(uint16_t op, const void *payload, uint32_t len)
{
	struct vhp_mbox_hdr hdr = { .op = op, .length = len };

	memset(soc.request, 0, sizeof(soc.request));
	memcpy(soc.request, &hdr, sizeof(hdr));
	if (len != 0)
		memcpy(soc.request + 4, payload, len);
	soc.mbox_busy = true;
	sim_run(&card);
}

/* A front end, so that the fuzzer need not find the whole sequence. */
static void start(void)
{
	struct vhp_mbox_peer_features f = { .features = 1ull << 32 | 1ull << 15 };
	struct vhp_mbox_peer_mem m = { .nregions = 1, .regions[0] = { 0, 0x100000, 0x1000000 } };
	struct vhp_mbox_peer_vring v = { .flags = 1, .num = 16, .avail = 0x1000, .used = 0x2000, .msix_vector = 0xffff };

	request(VHP_OP_PEER_FEATURES, &f, sizeof(f));
	request(VHP_OP_PEER_MEM, &m, sizeof(m));
	request(VHP_OP_PEER_VRING, &v, sizeof(v));
	request(VHP_OP_PORT_START, NULL, 0);
}

/* A driver with proper queues of 16 entries at SIM_MEM_BASE and 0x8000 further. */
static void driver(uint8_t drop)
{
	uint64_t f = card.port[0].device_features & ~(1ull << (drop & 63));

	sim_fn_set(0, FN_OFF(driver_features_lo), (uint32_t)f);
	sim_fn_set(0, FN_OFF(driver_features_hi), (uint32_t)(f >> 32));
	for (unsigned int q = 0; q < 4; q++) {
		uint32_t base = SIM_MEM_BASE + q * 0x8000;

		sim_fn_set(0, FN_OFF(queue[q].cfg), 16 | (q + 1) << 16);
		sim_fn_set(0, FN_OFF(queue[q].desc_lo), base);
		sim_fn_set(0, FN_OFF(queue[q].avail_lo), base + 0x400);
		sim_fn_set(0, FN_OFF(queue[q].used_lo), base + 0x800);
		sim_fn_set(0, FN_OFF(queue[q].enable), 1);
	}
	sim_fn_set(0, FN_OFF(status), 0xf);
	sim_fn_event(0, 1);
}

/* A chain of one descriptor, with the input's bytes as what it points to. */
static void chain(unsigned int q, const uint8_t *bytes, size_t n)
{
	uint64_t base = SIM_MEM_BASE + q * 0x8000;
	uint16_t *avail = sim_mem(1, base + 0x400), head = avail[1] & 15;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc = { base + 0x1000 + 0x200 * head, q == 0 ? 512 : (uint32_t)n, q == 0 ? 2 : 0, 0 };

	memcpy(sim_mem(1, desc.addr), bytes, n);
	memcpy(sim_mem(1, base + 16 * head), &desc, sizeof(desc));
	avail[2 + head] = head;
	avail[1]++;
	sim_fn_event(0, q == 0 ? 4 : 8);
}

static void step(unsigned int what, const uint8_t *b, size_t n)
{
	uint8_t arg = n > 0 ? b[0] : 0;

	switch (what) {
	case DO_MBOX:
		mailbox(b, n);
		break;
	case DO_QUEUE_REG:
		if (n >= 5)
			memcpy(&soc.fn[0][FN_OFF(queue[0]) / 4 + arg % 32], b + 1, 4);
		break;
	case DO_MEMORY:
		if (n >= 3)
			memcpy(&soc.mem[1][(arg | b[1] << 8) & 0xffff], b + 2, n - 2);
		break;
	case DO_EVENTS:
		sim_fn_event(0, arg & 0x3f);
		break;
	case DO_FLR:
		sim_flr(arg % 3);
		break;
	case DO_TIME:
		sim_advance((uint32_t)arg << 16);
		break;
	case DO_LANE_FAULT:
		sim_lane_fault(arg % SIM_LANES, n > 1 ? b[1] : 1, arg >> 7, 5);
		break;
	case DO_DRIVER:
		driver(n > 0 ? arg : 63);
		break;
	case DO_CHAIN:
		chain(arg & 1, b + (n > 0), n > 0 ? n - 1 : 0);
		break;
	default:
		start();
	}
	sim_run(&card);
	while (sim_event() != 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sim_reset();
	memset(&card, 0, sizeof(card));
	card_init(&card);
	while (size >= 2) {
		size_t n = data[1];

		if (n > size - 2)
			n = size - 2;
		step(data[0] % DOS, data + 2, n);
		data += 2 + n;
		size -= 2 + n;
	}
	return 0;
}
