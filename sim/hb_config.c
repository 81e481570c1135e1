/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of the functions, cfg_mgmt, cfg_ext with its window, function level reset.
 */
#include "hardblock.h"

#include <errno.h>
#include <string.h>

#define CAP_PM 0x40u
#define CAP_AER 0x100u
#define CAP_ACS 0x1e0u
#define DEVCTL_FLR (1u << 15)
#define APERTURE_LOG2 32 /* BAR 2 of function k: vhp_pkg::ApertureLog2 */
#define DONE_GRACE 64u	 /* cycles that flr_done may stay up after the reset */

unsigned int hb_cap_msix(const struct vhp_model *m)
{
	return m->cfg.window == VHP_WINDOW_FULL ? 0x48 : 0x60;
}

static unsigned int cap_pcie(const struct vhp_model *m)
{
	return m->cfg.window == VHP_WINDOW_FULL ? 0x54 : 0x70;
}

static bool in_window(const struct vhp_model *m, unsigned int off)
{
	return m->cfg.window == VHP_WINDOW_FULL ? off >= 0x90 && off < 0x100 : off >= 0xb0 && off < 0xc0;
}

uint64_t vhp_model_bar_size(unsigned int fn, unsigned int bar)
{
	if (fn >= VHP_MODEL_MAX_FN)
		return 0;
	if (bar == 0)
		return fn == 0 ? 0x10000 : 0x40000;
	if (bar == 2)
		return fn == 0 ? 0x40000 : 1ull << APERTURE_LOG2;
	if (bar == 4)
		return fn == 0 ? 0x10000 : 0;
	return 0;
}

static void reg(struct hb_function *f, unsigned int off, uint32_t value, uint32_t wmask)
{
	f->cfg[off / 4] = value;
	f->wmask[off / 4] = wmask;
}

/* Power-on and FLR state. */
static void reset_registers(struct vhp_model *m, unsigned int fn)
{
	struct hb_function *f = &m->fn[fn];
	unsigned int msix = hb_cap_msix(m), pcie = cap_pcie(m), next = m->cfg.window == VHP_WINDOW_FULL ? 0x90 : 0xb0;
	bool parent = fn == VHP_MODEL_PARENT;
	uint64_t size;

	memset(f->cfg, 0, sizeof(f->cfg));
	memset(f->wmask, 0, sizeof(f->wmask));
	if (hb_is_vf(fn)) {
		hb_vf_reset(m, fn, msix, pcie, next);
		return;
	}
	reg(f, 0x00, fn == 0 ? 0x565010ee : parent ? 0x10f01af4 : 0x107f1af4, 0);
	reg(f, 0x04, 0x00100000, 0x0546); /* memory, master, parity, SERR, INTx disable */
	/* Accelerator, other system peripheral, Ethernet; revision 1. */
	reg(f, 0x08, fn == 0 ? 0x12000001 : parent ? 0x08800001 : 0x02000001, 0);
	reg(f, 0x0c, m->cfg.nfn > 1 ? 0x00800000 : 0, 0x000000ff);
	for (unsigned int bar = 0; bar < 6; bar += 2) {
		size = vhp_model_bar_size(fn, bar);
		if (!size)
			continue;
		/* 64-bit; the aperture is memory, so it is prefetchable. */
		reg(f, 0x10 + bar * 4, bar == 2 && fn ? 0xc : 0x4, (uint32_t)~(size - 1));
		reg(f, 0x14 + bar * 4, 0, (uint32_t)(~(size - 1) >> 32));
	}
	reg(f, 0x2c, 0x565010ee, 0);
	reg(f, 0x34, CAP_PM, 0);
	reg(f, 0x3c, 0, 0x000000ff);
	reg(f, CAP_PM, 0x00030001 | (parent ? pcie : msix) << 8, 0);
	reg(f, CAP_PM + 4, 0x8, 0x3); /* no soft reset */
	if (!parent) {
		reg(f, msix, 0x00000011 | pcie << 8 | (HB_MSIX_VECTORS - 1) << 16, 0xc0000000);
		reg(f, msix + 4, 0x8000, 0); /* table: BAR 0 */
		reg(f, msix + 8, 0x9000, 0); /* PBA: BAR 0 */
	}
	/* Function 0 and the parent have no virtio structures, so their list ends here. */
	reg(f, pcie, 0x00020010 | (fn && !parent ? next << 8 : 0), 0);
	reg(f, pcie + 0x04, 0x10008023, 0); /* FLR, role based errors, extended tags, MPS 1024 */
	reg(f, pcie + 0x08, 0x2810, 0x0000f9ff & ~DEVCTL_FLR);
	reg(f, pcie + 0x0c, 0x00400103, 0); /* Gen3 x16 */
	reg(f, pcie + 0x10, 0x01030000, 0x000000c8);
	reg(f, pcie + 0x24, 0x00000010, 0);
	reg(f, pcie + 0x28, 0, 0x0000001f);
	reg(f, pcie + 0x2c, 0x0000000e, 0);
	reg(f, pcie + 0x30, 0x00000003, 0);
	reg(f, CAP_AER, 0x00020001 | (hb_sriov(m) ? HB_CAP_SRIOV : CAP_ACS) << 20, 0);
	reg(f, CAP_AER + 0x08, 0x00400000, 0x07fff030);
	reg(f, CAP_AER + 0x0c, 0x00462030, 0x07fff030);
	reg(f, CAP_AER + 0x14, 0x00002000, 0x0000f1c1);
	reg(f, CAP_ACS, 0x0001000d, 0);
	/* The functions never reach one another inside the card: request and completion redirect, direct translated. */
	reg(f, CAP_ACS + 4, 0x0000004c, 0x004c0000);
	if (!hb_sriov(m))
		return;
	hb_sriov_reset(m, fn, HB_CAP_ARI);
	/* The next physical function. */
	reg(f, HB_CAP_ARI, 0x0001000e | CAP_ACS << 20, 0);
	reg(f, HB_CAP_ARI + 4, parent ? 0 : (fn + 1) << 8, 0);
}

void hb_config_init(struct vhp_model *m)
{
	rng_seed(&m->cfg_rng, m->cfg.seed, 5);
	for (unsigned int fn = 0; fn <= VHP_MODEL_PARENT; fn++) {
		if (fn < m->cfg.nfn || (fn == VHP_MODEL_PARENT && hb_sriov(m)))
			reset_registers(m, fn);
		m->fn[fn].bme_lost = UINT32_MAX;
	}
}

void hb_config_clear(struct vhp_model *m)
{
	for (unsigned int fn = 0; fn <= VHP_MODEL_PARENT; fn++) {
		if (fn < m->cfg.nfn || (fn == VHP_MODEL_PARENT && hb_sriov(m)))
			reset_registers(m, fn);
		m->fn[fn].bme_lost = UINT32_MAX;
		m->fn[fn].flr = false;
		m->fn[fn].done_stray = 0;
	}
	m->mgmt_busy = m->ext_busy = m->ext_read = m->ext_write = false;
	m->mgmt_wait = 0;
}

bool hb_bme(const struct vhp_model *m, unsigned int fn)
{
	return (m->fn[fn].cfg[1] & 4) && vhp_model_present(m, fn);
}

bool hb_mse(const struct vhp_model *m, unsigned int fn)
{
	return hb_is_vf(fn) ? vhp_model_present(m, fn) && hb_vf_mse(m) : m->fn[fn].cfg[1] & 2;
}

/* Device Control; a virtual function has only the reset bit of its own. */
static uint32_t devctl(const struct vhp_model *m, unsigned int fn)
{
	return m->fn[hb_is_vf(fn) ? VHP_MODEL_PARENT : fn].cfg[(cap_pcie(m) + 8) / 4];
}

unsigned int hb_mps(const struct vhp_model *m, unsigned int fn)
{
	unsigned int v = devctl(m, fn) >> 5 & 7;

	return 128u << (v < 3 ? v : 3);
}

unsigned int hb_mrrs(const struct vhp_model *m, unsigned int fn)
{
	unsigned int v = devctl(m, fn) >> 12 & 7;

	return 128u << (v < 5 ? v : 5);
}

bool hb_ext_tag(const struct vhp_model *m, unsigned int fn)
{
	return devctl(m, fn) >> 8 & 1;
}

uint64_t hb_bar_addr(const struct vhp_model *m, unsigned int fn, unsigned int bar)
{
	const uint32_t *b = &m->fn[fn].cfg[4 + (bar & 6)];

	if (hb_is_vf(fn))
		return hb_vf_bar_addr(m, fn, bar);
	return (uint64_t)b[1] << 32 | (b[0] & ~0xfu);
}

/* ------------------------------------------------------------------------------------------ FLR */

void hb_function_gone(struct vhp_model *m, unsigned int fn)
{
	reset_registers(m, fn);
	m->fn[fn].flr = false;
	hb_request_flr(m, fn);
	hb_complete_flr(m, fn);
}

static void start_flr(struct vhp_model *m, unsigned int fn)
{
	if (m->fn[fn].flr)
		return;
	hb_sriov_lost(m, reset_registers, fn);
	m->fn[fn].flr = true;
	m->fn[fn].flr_since = m->cycle;
	hb_request_flr(m, fn);
	hb_complete_flr(m, fn);
}

/* The card has called the reset of a function done. */
static void flr_done(struct vhp_model *m, unsigned int fn)
{
	bool pending = hb_request_pending(m, fn);

	/* The reset of the parent is that of its virtual functions too. */
	for (unsigned int k = VHP_MODEL_FIRST_VF; fn == VHP_MODEL_PARENT && k < m->cfg.nfn; k++)
		pending |= hb_request_pending(m, k);
	if (pending)
		hb_violation(m, "flr-done-pending", NULL, "flr_done of function %u before its reads have ended",
			     hb_number(fn));
	m->fn[fn].flr = false;
}

static bool in_process(const struct vhp_model *m, unsigned int fn)
{
	return (hb_is_vf(fn) ? m->in.cfg_vf_flr_in_process[0] >> fn
			     : (uint32_t)m->in.cfg_flr_in_process >> hb_number(fn)) &
		1;
}

static void flr_sample(struct vhp_model *m)
{
	for (unsigned int fn = 0; fn <= VHP_MODEL_PARENT; fn++) {
		struct hb_function *f = &m->fn[fn];
		bool done = hb_is_vf(fn) ? m->out.cfg_vf_flr_done && m->out.cfg_vf_flr_func_num == fn
					 : m->out.cfg_flr_done >> hb_number(fn) & 1;

		if (!done)
			f->done_stray = 0;
		else if (vhp_model_present(m, fn) && in_process(m, fn))
			flr_done(m, fn);
		else if (!vhp_model_present(m, fn) || ++f->done_stray > DONE_GRACE)
			hb_violation(m, "flr-done-stray", NULL, "flr_done of function %u and no FLR in process",
				     hb_number(fn));
	}
	if (m->out.cfg_vf_flr_done && !hb_is_vf(m->out.cfg_vf_flr_func_num))
		hb_violation(m, "flr-done-stray", NULL, "flr_done of virtual function %u, which is not there",
			     m->out.cfg_vf_flr_func_num);
}

int vhp_model_flr(struct vhp_model *m, unsigned int fn)
{
	uint32_t v = hb_is_vf(fn) ? 0 : devctl(m, fn);

	return vhp_model_config_write(m, fn, cap_pcie(m) + 8, v | DEVCTL_FLR, 0x3);
}

bool vhp_model_flr_busy(const struct vhp_model *m, unsigned int fn)
{
	return m->fn[fn].flr || in_process(m, fn);
}

int vhp_model_msix_control(struct vhp_model *m, unsigned int fn, bool enable, bool function_mask)
{
	uint32_t v = (enable ? 1u << 31 : 0) | (function_mask ? 1u << 30 : 0);

	return vhp_model_config_write(m, fn, hb_cap_msix(m), v, 0xc);
}

/* ------------------------------------------------------------------------------------------ cfg_ext: host's accesses */

static bool ext_over(void *arg)
{
	struct vhp_model *m = arg;

	return !m->ext_busy;
}

bool vhp_model_config_enabled(const struct vhp_model *m)
{
	return !m->link_down && m->out_valid && m->out.cfg_config_space_enable;
}

static int ext_access(struct vhp_model *m, unsigned int fn, unsigned int off, bool write, uint32_t v, unsigned int be)
{
	int rc;

	if ((fn >= m->cfg.nfn && !(fn == VHP_MODEL_PARENT && hb_sriov(m))) || off > 4092 || (off & 3))
		return -EINVAL;
	if (!vhp_model_present(m, fn))
		return -ENXIO; /* the block answers UR */
	while (!m->link_down && (m->reset_left || !m->out_valid))
		vhp_model_step(m, 1);
	if (m->link_down)
		return -EIO;
	if (!vhp_model_config_enabled(m))
		return -EAGAIN;
	m->ext_read = !write;
	m->ext_write = write;
	m->ext_reg = off / 4;
	m->ext_fn = fn;
	m->ext_be = be;
	m->ext_wdata = v;
	m->ext_busy = true;
	m->ext_got = false;
	m->ext_since = m->cycle;
	rc = vhp_model_run_until(m, ext_over, m, m->cfg.ext_timeout + 16);
	return m->link_down ? -EIO : rc;
}

int vhp_model_config_read(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t *v)
{
	int rc = ext_access(m, fn, off, false, 0, 0);

	*v = 0xffffffff;
	if (rc)
		return rc;
	*v = in_window(m, off) ? m->ext_data : m->fn[fn].cfg[off / 4];
	return 0;
}

int vhp_model_config_write(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t v, unsigned int byte_enable)
{
	struct hb_function *f;
	uint32_t mask = 0;
	int rc = ext_access(m, fn, off, true, v, byte_enable);

	if (rc)
		return rc;
	f = &m->fn[fn];
	for (unsigned int i = 0; i < 4; i++)
		if (byte_enable >> i & 1)
			mask |= 0xffu << (i * 8);
	if (off == cap_pcie(m) + 8 && (v & mask & DEVCTL_FLR)) {
		start_flr(m, fn);
		return 0;
	}
	mask &= f->wmask[off / 4];
	if (hb_in_sriov(m, fn, off))
		return hb_sriov_write(m, fn, off, v, mask);
	f->cfg[off / 4] = (f->cfg[off / 4] & ~mask) | (v & mask);
	return 0;
}

static void ext_sample(struct vhp_model *m)
{
	bool pulsed = m->in.cfg_ext_read_received || m->in.cfg_ext_write_received;

	if (!m->ext_busy)
		return;
	if (pulsed) {
		m->ext_since = m->cycle;
		if (m->in.cfg_ext_write_received || !in_window(m, m->ext_reg * 4))
			m->ext_busy = false;
	}
	if (m->ext_busy && m->ext_read == false && m->out.cfg_ext_read_data_valid) {
		m->ext_data = m->out.cfg_ext_read_data;
		m->ext_busy = false;
	} else if (m->ext_busy && !m->ext_read && m->cycle - m->ext_since > m->cfg.ext_timeout) {
		hb_violation(m, "cfg-ext-timeout", NULL, "no answer to a read of register 0x%x of function %u",
			     m->ext_reg * 4, m->ext_fn);
		m->ext_data = 0;
		m->ext_busy = false;
	}
}

/* ------------------------------------------------------------------------------------------ cfg_mgmt */

static int mgmt_function(const struct vhp_model *m)
{
	unsigned int number = m->out.cfg_mgmt_function_number;

	return hb_sriov(m) && number == hb_number(VHP_MODEL_PARENT) ? (int)VHP_MODEL_PARENT : hb_index(m, number);
}

static void mgmt_sample(struct vhp_model *m)
{
	const struct vhp_edge_out *o = &m->out;
	struct hb_function *f;
	uint32_t mask = 0;

	if (m->in.cfg_mgmt_read_write_done)
		return; /* the card sees done in this cycle and takes the request away in the next */
	if (!m->mgmt_busy) {
		if (!o->cfg_mgmt_read && !o->cfg_mgmt_write)
			return;
		if (o->cfg_mgmt_read && o->cfg_mgmt_write)
			hb_violation(m, "mgmt-request", NULL, "cfg_mgmt_read and cfg_mgmt_write together");
		if (mgmt_function(m) < 0) {
			hb_violation(m, "mgmt-request", NULL, "function %u is not there", o->cfg_mgmt_function_number);
			return;
		}
		m->mgmt_busy = true;
		m->mgmt_req = *o;
		m->mgmt_wait = 2 + rng_below(&m->cfg_rng, 8);
		return;
	}
	if (o->cfg_mgmt_read != m->mgmt_req.cfg_mgmt_read || o->cfg_mgmt_write != m->mgmt_req.cfg_mgmt_write ||
	    o->cfg_mgmt_addr != m->mgmt_req.cfg_mgmt_addr ||
	    o->cfg_mgmt_write_data != m->mgmt_req.cfg_mgmt_write_data ||
	    o->cfg_mgmt_function_number != m->mgmt_req.cfg_mgmt_function_number ||
	    o->cfg_mgmt_byte_enable != m->mgmt_req.cfg_mgmt_byte_enable) {
		hb_violation(m, "mgmt-unstable", NULL, "the request changed before cfg_mgmt_read_write_done");
		m->mgmt_busy = false;
		return;
	}
	if (m->mgmt_wait && --m->mgmt_wait)
		return;
	f = &m->fn[mgmt_function(m)];
	m->in.cfg_mgmt_read_data = f->cfg[o->cfg_mgmt_addr & 0x3ff];
	if (o->cfg_mgmt_write) {
		for (unsigned int i = 0; i < 4; i++)
			if (o->cfg_mgmt_byte_enable >> i & 1)
				mask |= 0xffu << (i * 8);
		mask &= f->wmask[o->cfg_mgmt_addr & 0x3ff];
		f->cfg[o->cfg_mgmt_addr & 0x3ff] &= ~mask;
		f->cfg[o->cfg_mgmt_addr & 0x3ff] |= o->cfg_mgmt_write_data & mask;
	}
	m->mgmt_busy = false;
	m->mgmt_wait = 1; /* done goes out with the next inputs */
}

/* ------------------------------------------------------------------------------------------ cycle */

void hb_config_sample(struct vhp_model *m)
{
	flr_sample(m);
	ext_sample(m);
	mgmt_sample(m);
	m->st.err_cor += m->out.cfg_err_cor_in & 1;
	m->st.err_uncor += m->out.cfg_err_uncor_in & 1;
}

static unsigned int log2_128(unsigned int bytes)
{
	return (unsigned int)__builtin_ctz(bytes) - 7;
}

void hb_config_drive(struct vhp_model *m)
{
	struct vhp_edge_in *in = &m->in;
	unsigned int msix = hb_cap_msix(m) / 4;

	in->cfg_mgmt_read_write_done = !m->mgmt_busy && m->mgmt_wait;
	if (!m->mgmt_busy)
		m->mgmt_wait = 0;
	in->cfg_ext_read_received = m->ext_read;
	in->cfg_ext_write_received = m->ext_write;
	if (m->ext_read || m->ext_write) {
		in->cfg_ext_register_number = (uint16_t)m->ext_reg;
		in->cfg_ext_function_number = (uint8_t)hb_number(m->ext_fn);
		in->cfg_ext_write_data = m->ext_wdata;
		in->cfg_ext_write_byte_enable = (uint8_t)m->ext_be;
		m->ext_read = m->ext_write = false;
	}
	in->cfg_max_payload = (uint8_t)log2_128(hb_mps(m, 0));
	in->cfg_max_read_req = (uint8_t)log2_128(hb_mrrs(m, 0));
	in->cfg_rcb_status = m->cfg.rcb == 128 ? 0xf : 0;
	in->cfg_function_status = 0;
	in->cfg_flr_in_process = in->cfg_interrupt_msix_enable = in->cfg_interrupt_msix_mask = 0;
	for (unsigned int fn = 0; fn <= VHP_MODEL_PARENT; fn++) {
		const struct hb_function *f = &m->fn[fn];
		unsigned int n = hb_number(fn), status = (f->cfg[1] & 7) | (f->cfg[1] >> 10 & 1) << 3;

		if (hb_is_vf(fn) || !vhp_model_present(m, fn))
			continue;
		in->cfg_function_status |= (uint16_t)(status << (4 * n));
		in->cfg_flr_in_process |= (uint8_t)(f->flr << n);
		in->cfg_interrupt_msix_enable |= (uint8_t)((f->cfg[msix] >> 31 & 1) << n);
		in->cfg_interrupt_msix_mask |= (uint8_t)((f->cfg[msix] >> 30 & 1) << n);
	}
	if (hb_sriov(m))
		hb_sriov_drive(m);
}

bool hb_config_idle(const struct vhp_model *m)
{
	return !m->ext_busy && !m->mgmt_busy && !m->mgmt_wait && !m->in.cfg_mgmt_read_write_done &&
		!m->in.cfg_flr_in_process && !m->in.cfg_vf_flr_in_process[0] && !m->in.cfg_ext_read_received &&
		!m->in.cfg_ext_write_received;
}
