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
	DO_CONFIG,
	DO_LOG,
	DO_HARDWARE,
	DO_ANSWER,
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

/* Flags of the port, the aperture among them. */
static void configure(uint8_t flags)
{
	struct vhp_mbox_port_config c = { .flags = flags, .mac = { 2, 2, 2, 2, 2, 2 } };

	request(VHP_OP_PORT_CONFIG, &c, sizeof(c));
}

/* A ring, logging on or off, a sync of what is there; entries and losses come in between. */
static void logging(uint8_t what, uint8_t n)
{
	struct vhp_mbox_log_ring r = { .iova = 0x4000, .size_log2 = 6 + n % 15 };
	struct vhp_mbox_log_enable e = { .enable = n & 1 };
	struct vhp_mbox_log_sync s = { .tail = soc.log[offsetof(vhp_log_t, head) / 4] - n % 3 };

	if (what % 4 == 0)
		request(VHP_OP_LOG_RING, &r, sizeof(r));
	else if (what % 4 == 1)
		request(VHP_OP_LOG_ENABLE, &e, sizeof(e));
	else if (what % 4 == 2)
		request(VHP_OP_LOG_SYNC, &s, sizeof(s));
	else if (soc.log[0] != 0)
		sim_log_append(n, n >> 6);
}

/* How long lanes, the aperture and syncs take from now on. */
static void hardware(uint8_t lanes, uint8_t rest)
{
	soc.drain_polls[lanes % SIM_LANES] = lanes >> 3;
	soc.aperture_polls[rest & 1] = rest >> 4;
	soc.sync_polls = rest >> 1 & 7;
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

/* Send back what the device sent last, as a driver does that takes everything. */
static void echo(void)
{
	uint16_t *used = sim_mem(1, SIM_MEM_BASE + 0x800);
	uint32_t elem[2];
	uint8_t msg[512];

	if (used[1] == 0)
		return;
	memcpy(elem, &used[2 + 4 * ((used[1] - 1) & 15)], sizeof(elem));
	if (elem[0] >= 16 || elem[1] > sizeof(msg))
		return;
	memcpy(msg, sim_mem(1, SIM_MEM_BASE + 0x1000 + 0x200 * elem[0]), elem[1]);
	chain(1, msg, elem[1]);
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
	case DO_CONFIG:
		configure(arg);
		break;
	case DO_LOG:
		logging(arg, n > 1 ? b[1] : 0);
		break;
	case DO_HARDWARE:
		hardware(arg, n > 1 ? b[1] : 0);
		break;
	case DO_ANSWER:
		echo();
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
