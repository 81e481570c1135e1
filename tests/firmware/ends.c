/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"

#include <string.h>

#include "cmocka_suites.h"
#include "vhp_regs.h"

struct card card;

int ends_setup(void **state)
{
	(void)state;
	sim_reset();
	memset(&card, 0, sizeof(card));
	card_init(&card);
	return 0;
}

void ends_connect(struct drv *d, unsigned int port)
{
	drv_start(d, port, DRV_ALL);
	drv_post(d, 8, 256);
	host_start(&card, port, HOST_FEATURES, 2);
	drv_answer(d, &card, 0);
	assert_int_equal(card.port[port].state, VHP_PORT_CONNECTED);
	assert_int_equal(sim_event(), VHP_EVENT_CONNECTED | port << 8);
}

void ends_reconnect(struct drv *d, unsigned int port)
{
	drv_start(d, port, DRV_ALL);
	drv_post(d, 8, 256);
	drv_answer(d, &card, 0);
	assert_int_equal(card.port[port].state, VHP_PORT_CONNECTED);
}

static void set_queue(struct drv *d, unsigned int q, uint64_t base, uint16_t size)
{
	sim_fn_set(d->port, FN_OFF(queue[q].cfg), size | (q + 1) << 16);
	sim_fn_set(d->port, FN_OFF(queue[q].desc_lo), (uint32_t)base);
	sim_fn_set(d->port, FN_OFF(queue[q].desc_hi), (uint32_t)(base >> 32));
	sim_fn_set(d->port, FN_OFF(queue[q].avail_lo), (uint32_t)(base + 0x1000));
	sim_fn_set(d->port, FN_OFF(queue[q].avail_hi), (uint32_t)(base >> 32));
	sim_fn_set(d->port, FN_OFF(queue[q].used_lo), (uint32_t)(base + 0x2000));
	sim_fn_set(d->port, FN_OFF(queue[q].used_hi), (uint32_t)(base >> 32));
	sim_fn_set(d->port, FN_OFF(queue[q].enable), 1);
}

void drv_start(struct drv *d, unsigned int port, uint64_t features)
{
	memset(d, 0, sizeof(*d));
	d->port = port;
	d->fn = port + 1;
	d->event_idx = features >> VHP_F_RING_EVENT_IDX & 1;
	memset(soc.mem[d->fn], 0, SIM_MEM_SIZE);
	sim_fn_set(port, FN_OFF(driver_features_lo), (uint32_t)features);
	sim_fn_set(port, FN_OFF(driver_features_hi), (uint32_t)(features >> 32));
	for (unsigned int q = 0; q < 2; q++) {
		uint64_t base = SIM_MEM_BASE + q * 0x10000;

		d->q[q] = (struct drv_queue){
			.desc = base, .avail = base + 0x1000, .used = base + 0x2000, .buf = base + 0x3000
		};
		set_queue(d, q, base, DRV_QSIZE);
	}
	/* Data queues: never touched by firmware, so addresses are enough. */
	for (unsigned int q = 2; q < 2 + 2 * SIM_PAIRS; q++)
		set_queue(d, q, 0x900000000ull + q * 0x10000, 256);
	sim_fn_set(port, FN_OFF(status), 0xf);
	sim_fn_event(port, VHP_FN__EVENTS__STATUS_bm | VHP_FN__EVENTS__QUEUE_ENABLE_bm);
}

struct vring_desc *drv_desc(struct drv *d, unsigned int queue, unsigned int i)
{
	return sim_mem(d->fn, d->q[queue].desc + 16 * i);
}

void drv_publish(struct drv *d, unsigned int queue, uint16_t head)
{
	uint16_t *avail = sim_mem(d->fn, d->q[queue].avail);

	avail[2 + avail[1] % DRV_QSIZE] = head;
	avail[1]++;
}

void drv_kick(struct drv *d, unsigned int queue)
{
	sim_fn_event(d->port, queue == 0 ? VHP_FN__EVENTS__KICK_CTRL_RX_bm : VHP_FN__EVENTS__KICK_CTRL_TX_bm);
}

static uint64_t slot(struct drv *d, unsigned int queue, unsigned int i)
{
	return d->q[queue].buf + 0x400 * (i % DRV_QSIZE);
}

/* Kick only if the device asked for it, as a driver with EVENT_IDX does. */
static void kick_if_wanted(struct drv *d, unsigned int queue)
{
	uint16_t *avail = sim_mem(d->fn, d->q[queue].avail);
	uint16_t *used = sim_mem(d->fn, d->q[queue].used);

	if (!d->event_idx || used[2 + 4 * DRV_QSIZE] == (uint16_t)(avail[1] - 1))
		drv_kick(d, queue);
}

void drv_post(struct drv *d, unsigned int n, uint32_t len)
{
	for (unsigned int i = 0; i < n; i++) {
		uint16_t at = d->q[0].next++ % DRV_QSIZE;

		*drv_desc(d, 0, at) = (struct vring_desc){ .addr = slot(d, 0, at), .len = len, .flags = 2 };
		drv_publish(d, 0, at);
		kick_if_wanted(d, 0);
	}
}

uint32_t drv_take(struct drv *d, void *msg, uint32_t size)
{
	uint16_t *used = sim_mem(d->fn, d->q[0].used);
	uint32_t elem[2];

	if (used[1] == d->q[0].last_used)
		return 0;
	memcpy(elem, &used[2 + 4 * (d->q[0].last_used % DRV_QSIZE)], sizeof(elem));
	d->q[0].last_used++;
	assert_true(elem[0] < DRV_QSIZE);
	assert_true(elem[1] <= size);
	memcpy(msg, sim_mem(d->fn, slot(d, 0, elem[0])), elem[1]);
	/* Next used index wants an interrupt again. */
	if (d->event_idx)
		((uint16_t *)sim_mem(d->fn, d->q[0].avail))[2 + DRV_QSIZE] = d->q[0].last_used;
	return elem[1];
}

void drv_send(struct drv *d, const void *msg, uint32_t len)
{
	uint16_t at = d->q[1].next++ % DRV_QSIZE;

	memcpy(sim_mem(d->fn, slot(d, 1, at)), msg, len);
	*drv_desc(d, 1, at) = (struct vring_desc){ .addr = slot(d, 1, at), .len = len };
	drv_publish(d, 1, at);
	kick_if_wanted(d, 1);
}

void drv_reset(struct drv *d, struct card *card)
{
	unsigned int before = soc.acts[d->port][ACT_RESET_DONE];

	sim_fn_event(d->port, VHP_FN__EVENTS__RESET_bm);
	sim_run(card);
	assert_int_equal(soc.acts[d->port][ACT_RESET_DONE], before + 1);
	assert_int_equal(sim_fn_get(d->port, FN_OFF(status)), 0);
}

void drv_answer(struct drv *d, struct card *card, uint64_t refuse)
{
	uint8_t msg[512];
	uint32_t len;

	for (;;) {
		struct vhost_pci_ctrl h;

		sim_run(card);
		len = drv_take(d, msg, sizeof(msg));
		if (len == 0)
			return;
		drv_post(d, 1, 256);
		memcpy(&h, msg, sizeof(h));
		if (h.request == VHOST_PCI_CTRL_PEER_FEATURE_BITS) {
			uint64_t bits;

			assert_int_equal(len, 20);
			memcpy(&bits, msg + 12, 8);
			bits &= ~refuse;
			memcpy(msg + 12, &bits, 8);
			drv_send(d, msg, len);
		} else if (h.request == VHOST_PCI_CTRL_PEER_MEM_INFO) {
			drv_send(d, msg, len);
		}
	}
}

unsigned int host_call(struct card *card, unsigned int op, unsigned int port, const void *payload, uint32_t len)
{
	static uint32_t seq;
	struct vhp_mbox_hdr hdr = { .op = (uint16_t)op, .port = (uint16_t)port, .length = len, .seq = ++seq };

	memset(soc.request, 0xee, sizeof(soc.request));
	memcpy(soc.request, &hdr, sizeof(hdr));
	if (len != 0)
		memcpy((uint8_t *)soc.request + sizeof(hdr), payload, len);
	soc.mbox_busy = true;
	sim_run(card);
	assert_false(soc.mbox_busy);
	assert_int_equal(host_reply()->op, op);
	assert_int_equal(host_reply()->seq, seq);
	return host_reply()->status;
}

const struct vhp_mbox_hdr *host_reply(void)
{
	return (const struct vhp_mbox_hdr *)soc.reply;
}

const void *host_payload(void)
{
	return (const uint8_t *)soc.reply + sizeof(struct vhp_mbox_hdr);
}

struct vhp_mbox_peer_vring host_vring(unsigned int port, unsigned int i)
{
	return (struct vhp_mbox_peer_vring){
		.index = (uint16_t)i,
		.flags = VHP_VRING_ENABLE,
		.num = HOST_QSIZE,
		.desc = HOST_GPA + i * 0x10000,
		.avail = HOST_GPA + i * 0x10000 + 0x4000,
		.used = HOST_GPA + i * 0x10000 + 0x8000,
		.last_avail_idx = (uint16_t)(100 + i),
		.last_used_idx = (uint16_t)(100 + i),
		.gsi = 40 + i,
		.msix_vector = (uint16_t)VHP_PEER_VECTOR(port, i),
	};
}

void host_prepare(struct card *card, unsigned int port, uint64_t features, unsigned int pairs)
{
	struct vhp_mbox_peer_features f = { .features = features };
	struct vhp_mbox_peer_mem m = { .nregions = 1, .regions[0] = { HOST_GPA, HOST_MEM, HOST_IOVA } };

	assert_int_equal(host_call(card, VHP_OP_PEER_FEATURES, port, &f, sizeof(f)), VHP_ST_OK);
	assert_int_equal(host_call(card, VHP_OP_PEER_MEM, port, &m, sizeof(m)), VHP_ST_OK);
	for (unsigned int i = 0; i < 2 * pairs; i++) {
		struct vhp_mbox_peer_vring v = host_vring(port, i);

		assert_int_equal(host_call(card, VHP_OP_PEER_VRING, port, &v, sizeof(v)), VHP_ST_OK);
	}
}

void host_start(struct card *card, unsigned int port, uint64_t features, unsigned int pairs)
{
	host_prepare(card, port, features, pairs);
	assert_int_equal(host_call(card, VHP_OP_PORT_START, port, NULL, 0), VHP_ST_OK);
}

unsigned int host_stop(struct card *card, unsigned int port, uint32_t flags)
{
	struct vhp_mbox_port_stop s = { .flags = flags };

	return host_call(card, VHP_OP_PORT_STOP, port, &s, sizeof(s));
}

const struct vhp_mbox_port_status *host_status(struct card *card, unsigned int port)
{
	assert_int_equal(host_call(card, VHP_OP_PORT_STATUS, port, NULL, 0), VHP_ST_OK);
	return host_payload();
}
