/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "model_card.h"

static unsigned int passed, failed;

void verdict(bool ok, const char *name, const char *detail)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED %s: %s\n", name, detail);
}

void expect(struct test *t, const char *name, const char *rule)
{
	char detail[160];

	snprintf(detail, sizeof(detail), "expected rule %s, got %s (%u violations)", rule[0] ? rule : "none",
		 t->violations ? t->rule : "none", t->violations);
	verdict(rule[0] ? t->violations && strcmp(t->rule, rule) == 0 : t->violations == 0, name, detail);
}

int verdict_end(void)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}

/* ------------------------------------------------------------------------------------------ the card */

static void settle(void *top, const struct vhp_edge_in *in, struct vhp_edge_out *out)
{
	struct card *c = top;

	c->in = *in;
	*out = c->force;
	out->m_axis_rc_tready = out->m_axis_cq_tready = 1;
	out->pcie_cq_np_req = 1;
	out->cfg_config_space_enable = 1;
	out->card_idle_o = 1;
	out->cfg_ext_read_data_valid = c->ext_pending && !c->mute_ext;
	out->cfg_ext_read_data = 0x12345678;
	if (c->rq_at < c->rq_n && !(c->drop_valid && c->cycle % 2)) {
		const struct beat *b = &c->rq[c->rq_at];

		memcpy(out->s_axis_rq_tdata, b->data, sizeof(b->data));
		memcpy(out->s_axis_rq_tuser, b->user, sizeof(out->s_axis_rq_tuser));
		out->s_axis_rq_tkeep = b->keep;
		out->s_axis_rq_tlast = b->last;
		out->s_axis_rq_tvalid = 1;
		if (c->flicker)
			out->s_axis_rq_tdata[15] = c->cycle;
	}
	if (c->cc_at < c->cc_n) {
		const struct beat *b = &c->cc[c->cc_at];

		memcpy(out->s_axis_cc_tdata, b->data, sizeof(b->data));
		memcpy(out->s_axis_cc_tuser, b->user, sizeof(out->s_axis_cc_tuser));
		out->s_axis_cc_tkeep = b->keep;
		out->s_axis_cc_tlast = b->last;
		out->s_axis_cc_tvalid = 1;
	}
}

static void edge(void *top)
{
	struct card *c = top;

	c->cycle++;
	c->ext_pending = c->in.cfg_ext_read_received;
	if (c->in.user_reset)
		return;
	if (c->rq_at < c->rq_n && c->in.s_axis_rq_tready && !(c->drop_valid && (c->cycle - 1) % 2))
		c->rq_at++;
	if (c->cc_at < c->cc_n && c->in.s_axis_cc_tready)
		c->cc_at++;
	if (c->in.m_axis_cq_tvalid) {
		memcpy(c->cq.data, c->in.m_axis_cq_tdata, sizeof(c->cq.data));
		memcpy(c->cq.user, c->in.m_axis_cq_tuser, sizeof(c->cq.user));
		c->cq_n++;
	}
	if (c->in.m_axis_rc_tvalid && c->rc_n < MAX_BEATS) {
		struct beat *b = &c->rc[c->rc_n++];

		memcpy(b->data, c->in.m_axis_rc_tdata, sizeof(b->data));
		memcpy(b->user, c->in.m_axis_rc_tuser, sizeof(b->user));
		b->keep = c->in.m_axis_rc_tkeep;
		b->last = c->in.m_axis_rc_tlast;
	}
}

static const struct vhp_top_ops ops = { .settle = settle, .edge = edge };

/* ------------------------------------------------------------------------------------------ a test */

static bool on_violation(void *arg, const char *rule, const char *text)
{
	struct test *t = arg;

	(void)text;
	if (t->violations++ == 0)
		snprintf(t->rule, sizeof(t->rule), "%s", rule);
	return true;
}

struct test *begin(uint64_t seed)
{
	struct test *t = calloc(1, sizeof(*t));

	vhp_model_defaults(&t->cfg);
	t->cfg.seed = seed;
	t->cfg.arg = t;
	t->cfg.on_violation = on_violation;
	t->mem = malloc(1 << 20);
	for (unsigned int i = 0; i < 1 << 20; i++)
		t->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	return t;
}

void power_on(struct test *t)
{
	t->m = vhp_model_create(&t->cfg, &ops, &t->card);
	if (!t->m)
		exit(1);
	for (unsigned int fn = 0; fn < 2; fn++) /* function 2 stays without bus mastership */
		vhp_model_enable(t->m, fn);
	vhp_model_mem_map(t->m, 1, 0x100000, 1 << 20, t->mem, VHP_MEM_READ | VHP_MEM_WRITE);
	vhp_model_step(t->m, 100);
}

void end(struct test *t)
{
	vhp_model_destroy(t->m);
	free(t->mem);
	free(t);
}

struct beat *request(struct card *c, bool write, uint64_t addr, unsigned int dwords, unsigned int tag)
{
	struct beat *first = &c->rq[c->rq_n];
	unsigned int total = 4 + (write ? dwords : 0);
	uint32_t pkt[4 + 1024] = { 0 };

	bits_or(pkt, 0, 64, addr);
	bits_or(pkt, 64, 11, dwords);
	bits_or(pkt, 75, 4, write);
	bits_or(pkt, 80, 8, 1);
	bits_or(pkt, 96, 8, tag);
	for (unsigned int i = 4; i < total; i++)
		pkt[i] = 0xc0de0000u + i;
	for (unsigned int at = 0; at < total; at += 16) {
		struct beat *b = &c->rq[c->rq_n++];
		unsigned int n = total - at < 16 ? total - at : 16;

		memset(b, 0, sizeof(*b));
		memcpy(b->data, &pkt[at], n * 4);
		b->keep = (uint16_t)((1u << n) - 1);
		b->last = at + n == total;
		if (at == 0) {
			bits_or(b->user, 0, 4, 0xf);
			bits_or(b->user, 8, 4, dwords > 1 ? 0xf : 0);
			bits_or(b->user, 20, 2, 1);
		}
		if (b->last) {
			bits_or(b->user, 26, 2, 1);
			bits_or(b->user, 28, 4, n - 1);
		}
	}
	return first;
}

/* A change to one field: to tdata or tuser of the first beat, or to its tkeep or tlast. */
void put(uint32_t *w, unsigned int lsb, unsigned int n, uint32_t v)
{
	for (unsigned int i = 0; i < n; i++) {
		w[(lsb + i) / 32] &= ~(1u << ((lsb + i) % 32));
		w[(lsb + i) / 32] |= (v >> i & 1) << ((lsb + i) % 32);
	}
}
