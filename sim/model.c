/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hardblock.h"
#include "rootcomplex.h"

void vhp_model_defaults(struct vhp_model_config *cfg)
{
	*cfg = (struct vhp_model_config){
		.seed = 1,
		.nfn = 3,
		.window = VHP_WINDOW_PCIE4,
		.up_rate = 59.86,
		.down_rate = 59.86,
		.latency = 250,
		.rcb = 64,
		.mps = 256,
		.mrrs = 512,
		.ext_tag = true,
		.completion_timeout = 50000,
		.rq_ready_pct = 100,
		.cc_ready_pct = 100,
		.rc_valid_pct = 100,
		.cq_valid_pct = 100,
		.np_queue = 16,
		.tx_queue = 2048,
		.ph = 64,
		.pd = 1024,
		.nph = 64,
		.credit_return = 32,
		.cpl_headers = 256,
		.cpl_bytes = 32768,
		.cplbuf_worst_case = true,
		.bme_grace = 64,
		.cc_timeout = 20000,
		.ext_timeout = 512,
		.reset_cycles = 16,
		.dma_faults_fatal = true,
		.msi_base = 0xfee00000,
		.msi_size = 0x100000,
	};
}

static const char *config_fault(const struct vhp_model_config *c)
{
	if (c->nfn < 1 || c->nfn > VHP_MODEL_MAX_FN)
		return "functions: 1 to 5";
	if (!(c->up_rate >= 1 && c->up_rate <= 256 && c->down_rate >= 1 && c->down_rate <= 256))
		return "link rates: 1 to 256 bytes per cycle";
	if (c->rcb != 64 && c->rcb != 128)
		return "RCB: 64 or 128";
	if (c->mps < 128 || c->mps > 1024 || (c->mps & (c->mps - 1)))
		return "MPS: 128, 256, 512 or 1024";
	if (c->mrrs < 128 || c->mrrs > 4096 || (c->mrrs & (c->mrrs - 1)))
		return "MRRS: 128 to 4096, a power of two";
	if (!c->np_queue || c->np_queue > 256 || c->tx_queue < 64 || c->tx_queue > 65536)
		return "queues: np_queue 1 to 256, tx_queue 64 to 65536";
	if (!c->ph || c->pd < 64 || !c->nph || c->ph > 512 || c->nph > 512)
		return "credits: ph and nph 1 to 512, pd at least 64";
	if (c->latency > 100000)
		return "latency: at most 100000 cycles";
	return NULL;
}

struct vhp_model *vhp_model_create(const struct vhp_model_config *cfg, const struct vhp_top_ops *ops, void *top)
{
	const char *fault = config_fault(cfg);
	struct vhp_model *m;

	if (fault) {
		fprintf(stderr, "model: bad configuration: %s\n", fault);
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->cfg = *cfg;
	m->ops = ops;
	m->top = top;
	m->reset_left = cfg->reset_cycles ? cfg->reset_cycles : 1;
	m->root = root_create(m);
	hb_request_init(m);
	hb_complete_init(m);
	hb_config_init(m);
	return m;
}

void vhp_model_destroy(struct vhp_model *m)
{
	if (!m)
		return;
	root_destroy(m->root);
	hb_request_free(m);
	hb_complete_free(m);
	free(m);
}

struct vhp_model_config *vhp_model_cfg(struct vhp_model *m)
{
	return &m->cfg;
}

void vhp_model_fail(struct vhp_model *m, const char *rule, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hb_violation(m, rule, NULL, "%s", text);
}

/* ------------------------------------------------------------------------------------------ running */

static void check_top(struct vhp_model *m)
{
	const char *text = m->ops->failure ? m->ops->failure(m->top) : NULL;

	if (text)
		hb_violation(m, "rtl-assert", NULL, "%s", text);
}

static void reset_cycle(struct vhp_model *m)
{
	memset(&m->in, 0, sizeof(m->in));
	m->in.user_reset = 1;
	m->ops->settle(m->top, &m->in, &m->out);
	m->ops->edge(m->top);
	m->cycle++;
	if (--m->reset_left)
		return;
	m->in.user_reset = 0;
	m->in.user_lnk_up = 1;
	if (m->cfg.side)
		m->cfg.side(m->cfg.side_arg, &m->out, &m->in);
	memset(&m->out, 0, sizeof(m->out));
	hb_config_drive(m);
}

static void link_drop(struct vhp_model *m)
{
	m->link_down = true;
	memset(&m->in, 0, sizeof(m->in));
	memset(&m->out, 0, sizeof(m->out));
	m->out_valid = false;
	hb_request_clear(m);
	hb_complete_clear(m);
	hb_config_clear(m);
}

static void cycle(struct vhp_model *m)
{
	if (m->link_down) {
		m->cycle++;
		m->st.cycles++;
		return;
	}
	if (m->reset_left) {
		reset_cycle(m);
		check_top(m);
		return;
	}
	m->ops->settle(m->top, &m->in, &m->out);
	m->out_valid = true;
	hb_request_sample(m);
	hb_complete_sample(m);
	hb_config_sample(m);
	m->ops->edge(m->top);
	check_top(m);
	m->cycle++;
	m->st.cycles++;
	root_tick(m->root);
	hb_request_drive(m);
	hb_complete_drive(m);
	hb_config_drive(m);
	if (m->cfg.side && m->cfg.side(m->cfg.side_arg, &m->out, &m->in))
		link_drop(m);
}

void vhp_model_step(struct vhp_model *m, uint64_t cycles)
{
	while (cycles--)
		cycle(m);
}

int vhp_model_run_until(struct vhp_model *m, bool (*done)(void *arg), void *arg, uint64_t max)
{
	while (!done(arg)) {
		if (max-- == 0)
			return -ETIMEDOUT;
		if (m->link_down)
			return -EIO;
		if (m->cfg.stop && m->cycle % 4096 == 0 && m->cfg.stop(m->cfg.arg))
			return -EINTR;
		cycle(m);
	}
	return 0;
}

bool vhp_model_idle(const struct vhp_model *m)
{
	if (m->link_down)
		return true;
	return !m->reset_left && m->out_valid && !(m->cfg.side_busy && m->cfg.side_busy(m->cfg.side_arg)) &&
		m->out.card_idle_o && hb_request_idle(m) && hb_complete_idle(m) && hb_config_idle(m) &&
		root_idle(m->root);
}

int vhp_model_run_idle(struct vhp_model *m, uint64_t max)
{
	/* What was asked for since the last cycle shows in card_idle_o only after one. */
	do {
		if (max-- == 0)
			return -ETIMEDOUT;
		cycle(m);
	} while (!vhp_model_idle(m));
	return 0;
}

bool vhp_model_link_up(const struct vhp_model *m)
{
	return !m->link_down;
}

void vhp_model_link_restore(struct vhp_model *m, void *top)
{
	m->top = top;
	m->link_down = false;
	m->reset_left = m->cfg.reset_cycles ? m->cfg.reset_cycles : 1;
}

uint64_t vhp_model_cycle(const struct vhp_model *m)
{
	return m->cycle;
}

/* ------------------------------------------------------------------------------------------ host's accesses */

struct wait {
	bool over;
	unsigned int status, skip;
	uint8_t *dst;
	unsigned int bytes;
};

static void read_done(void *arg, const struct vhp_cq_result *res)
{
	struct wait *w = arg;

	w->status = res->status;
	if (res->status == 0)
		memcpy(w->dst, (const uint8_t *)res->data + w->skip, w->bytes);
	w->over = true;
}

static int check_access(const struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, size_t len)
{
	uint64_t size = fn < m->cfg.nfn ? vhp_model_bar_size(fn, bar) : 0;

	if (!size || off > size || len > size - off)
		return -EINVAL;
	return hb_mse(m, fn) && !m->fn[fn].flr ? 0 : -EIO;
}

/* Byte enables of the n bytes at offset off. */
static void enables(uint64_t off, unsigned int n, struct vhp_cq *q)
{
	unsigned int first = off & 3, end = first + n;

	q->dwords = (end + 3) / 4;
	q->first_be = (0xfu << first) & 0xf;
	q->last_be = 0xfu >> ((4 - (end & 3)) & 3);
	if (q->dwords == 1) {
		q->first_be &= q->last_be;
		q->last_be = 0;
	}
}

static unsigned int piece(uint64_t addr, size_t len, unsigned int max)
{
	unsigned int n = 4096 - (unsigned int)(addr & 4095);

	if (n > max - (addr & 3))
		n = max - (unsigned int)(addr & 3);
	return len < n ? (unsigned int)len : n;
}

int vhp_model_bar_read(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, void *buf, size_t len)
{
	int rc = check_access(m, fn, bar, off, len);
	uint8_t *dst = buf;

	memset(buf, 0xff, len);
	while (!rc && len) {
		unsigned int n = piece(hb_bar_addr(m, fn, bar) + off, len, 4096);
		struct vhp_cq q = { .type = 0, .fn = fn, .bar = bar, .off = off };
		struct wait w = { .skip = off & 3, .dst = dst, .bytes = n };

		enables(off, n, &q);
		while ((rc = vhp_model_cq(m, &q, read_done, &w)) == -ENOSPC)
			cycle(m);
		if (rc)
			return rc;
		while (!w.over) /* ends: rule cc-timeout, FLR */
			cycle(m);
		if (w.status)
			rc = -EIO;
		off += n;
		dst += n;
		len -= n;
	}
	return rc;
}

int vhp_model_bar_write(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, const void *buf,
			size_t len)
{
	int rc = check_access(m, fn, bar, off, len);
	const uint8_t *src = buf;

	while (!rc && len) {
		unsigned int n = piece(hb_bar_addr(m, fn, bar) + off, len, hb_mps(m, fn));
		struct vhp_cq q = { .type = 1, .fn = fn, .bar = bar, .off = off };
		uint32_t data[1024];

		enables(off, n, &q);
		memset(data, 0, q.dwords * 4);
		memcpy((uint8_t *)data + (off & 3), src, n);
		q.data = data;
		while ((rc = vhp_model_cq(m, &q, NULL, NULL)) == -ENOSPC)
			cycle(m);
		off += n;
		src += n;
		len -= n;
	}
	return rc;
}

uint32_t vhp_model_read32(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off)
{
	uint8_t b[4];

	vhp_model_bar_read(m, fn, bar, off, b, 4);
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

void vhp_model_write32(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	vhp_model_bar_write(m, fn, bar, off, b, 4);
}

int vhp_model_enable(struct vhp_model *m, unsigned int fn)
{
	unsigned int pcie = m->cfg.window == VHP_WINDOW_FULL ? 0x54 : 0x70;
	uint32_t devctl = 0x2810u & ~0x70e0u;
	int rc;

	if (fn >= VHP_MODEL_FIRST_VF && fn < VHP_MODEL_MAX_FN) {
		rc = vhp_model_present(m, fn) ? 0 : vhp_model_sriov(m, m->cfg.nfn - VHP_MODEL_FIRST_VF);
		return rc ? rc : vhp_model_config_write(m, fn, 0x04, 0x0004, 0x3);
	}
	devctl |= (uint32_t)(__builtin_ctz(m->cfg.mps) - 7) << 5;
	devctl |= (uint32_t)(__builtin_ctz(m->cfg.mrrs) - 7) << 12;
	devctl |= m->cfg.ext_tag ? 1u << 8 : 0;
	rc = vhp_model_config_write(m, fn, pcie + 8, devctl, 0x3);
	for (unsigned int bar = 0; !rc && bar < 6; bar += 2) {
		if (!vhp_model_bar_size(fn, bar))
			continue;
		bool large = vhp_model_bar_size(fn, bar) >> 32;

		rc = vhp_model_config_write(m, fn, 0x10 + bar * 4, large ? 0 : 0xa0000000u + (fn << 22) + (bar << 19),
					    0xf);
		if (!rc)
			rc = vhp_model_config_write(m, fn, 0x14 + bar * 4, large ? 0x80 + 8 * fn : 0x40, 0xf);
	}
	return rc ? rc : vhp_model_config_write(m, fn, 0x04, 0x0006, 0x3);
}

int vhp_model_msix_entry(struct vhp_model *m, unsigned int fn, unsigned int vector, uint64_t addr, uint32_t data,
			 bool masked)
{
	uint32_t entry[4] = { (uint32_t)addr, (uint32_t)(addr >> 32), data, masked };

	if (vector >= 32)
		return -EINVAL;
	return vhp_model_bar_write(m, fn, 0, 0x8000 + vector * 16, entry, sizeof(entry));
}

/* ------------------------------------------------------------------------------------------ card's accesses */

int vhp_model_mem_map(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len, void *mem, unsigned int perm)
{
	return root_map(m->root, fn, iova, len, mem, perm);
}

int vhp_model_mem_map_fd(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len, int fd, uint64_t offset,
			 unsigned int perm)
{
	return root_map_fd(m->root, fn, iova, len, fd, offset, perm);
}

int vhp_model_mem_unmap(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len)
{
	return root_unmap(m->root, fn, iova, len);
}

void vhp_model_mem_unmap_all(struct vhp_model *m, unsigned int fn)
{
	root_unmap_all(m->root, fn);
}

/* ------------------------------------------------------------------------------------------ statistics */

const struct vhp_model_stats *vhp_model_stats(const struct vhp_model *m)
{
	return &m->st;
}

void vhp_model_stats_reset(struct vhp_model *m)
{
	memset(&m->st, 0, sizeof(m->st));
}

static void json_dir(FILE *out, const char *name, const struct vhp_dir_stats *d, const char *end)
{
	fprintf(out, "\"%s\": {\"tlps\": %llu, \"bytes\": %llu}%s", name, (unsigned long long)d->tlps,
		(unsigned long long)d->bytes, end);
}

int vhp_model_stats_json(const struct vhp_model *m, FILE *out)
{
	const struct vhp_model_stats *s = &m->st;

#define FIELD(name) fprintf(out, "  \"" #name "\": %llu,\n", (unsigned long long)s->name);
	fprintf(out, "{\n");
	FIELD(cycles)
	FIELD(up_bytes)
	FIELD(down_bytes)
	FIELD(rq_beats)
	FIELD(rc_beats)
	FIELD(cq_beats)
	FIELD(cc_beats)
	FIELD(rq_stall)
	FIELD(rq_stall_np)
	FIELD(cc_stall)
	FIELD(rc_stall)
	FIELD(cq_stall)
	FIELD(reads_outstanding_max)
	FIELD(err_cor)
	FIELD(err_uncor)
#undef FIELD
	fprintf(out, "  \"functions\": [\n");
	for (unsigned int i = 0; i < m->cfg.nfn; i++) {
		const struct vhp_fn_stats *f = &s->fn[i];

		fprintf(out, "    {\"function\": %u, ", i);
		json_dir(out, "wr", &f->wr, ", ");
		json_dir(out, "rd", &f->rd, ", ");
		json_dir(out, "cpl_up", &f->cpl_up, ", ");
		json_dir(out, "cq_wr", &f->cq_wr, ", ");
		json_dir(out, "cq_rd", &f->cq_rd, ", ");
		json_dir(out, "cpl", &f->cpl, ", ");
		fprintf(out,
			"\"payload_up\": %llu, \"payload_down\": %llu, \"msix\": %llu, \"dma_faults\": %llu, \"dropped\": %llu}%s\n",
			(unsigned long long)f->payload_up, (unsigned long long)f->payload_down,
			(unsigned long long)f->msix, (unsigned long long)f->dma_faults, (unsigned long long)f->dropped,
			i + 1 < m->cfg.nfn ? "," : "");
	}
	fprintf(out, "  ]\n}\n");
	return ferror(out) ? -EIO : 0;
}
