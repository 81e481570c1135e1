/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual functions: the SR-IOV capability of the physical functions (PCIe 9.3.3) with the rules for software, the
 * configuration space of a virtual function (9.3.4), function numbers.
 *
 * As the boards configure the block (PG213): each physical function has a capability, virtual functions are numbered from
 * 4 on, one of each of 0..2, which nothing uses, then those of function 3.
 */
#include "hardblock.h"

#include <errno.h>
#include <string.h>

#define CAP (HB_CAP_SRIOV / 4)
#define REG_CONTROL 2u
#define REG_TOTAL 3u
#define REG_NUM 4u
#define REG_PAGE 8u
#define REG_BAR 9u
#define VF_ENABLE 1u
#define VF_MSE 8u
#define ARI_HIERARCHY 16u
#define PAGE_SIZES 0x553u /* 4 KiB to 4 MiB */
#define PARENT_NUMBER 3u
#define FIRST_NUMBER 4u

bool hb_sriov(const struct vhp_model *m)
{
	return m->cfg.nfn > VHP_MODEL_FIRST_VF;
}

bool hb_is_vf(unsigned int fn)
{
	return fn >= VHP_MODEL_FIRST_VF && fn < VHP_MODEL_MAX_FN;
}

unsigned int hb_number(unsigned int fn)
{
	return fn == VHP_MODEL_PARENT ? PARENT_NUMBER : hb_is_vf(fn) ? fn + FIRST_NUMBER : fn;
}

int hb_index(const struct vhp_model *m, unsigned int number)
{
	unsigned int fn = number < PARENT_NUMBER ? number : number - FIRST_NUMBER;

	return (number < PARENT_NUMBER || number >= PARENT_NUMBER + FIRST_NUMBER) && fn < m->cfg.nfn ? (int)fn : -1;
}

/* Physical functions as indices of fn[]: pf 0..3. */
static unsigned int pf_index(unsigned int pf)
{
	return pf == PARENT_NUMBER ? VHP_MODEL_PARENT : pf;
}

static unsigned int total_vfs(const struct vhp_model *m, unsigned int fn)
{
	return fn == VHP_MODEL_PARENT ? m->cfg.nfn - VHP_MODEL_FIRST_VF : 1;
}

static unsigned int enabled_vfs(const struct vhp_model *m, unsigned int fn)
{
	const uint32_t *c = &m->fn[fn].cfg[CAP];

	return c[REG_CONTROL] & VF_ENABLE ? c[REG_NUM] & 0xffff : 0;
}

bool vhp_model_present(const struct vhp_model *m, unsigned int fn)
{
	if (fn == VHP_MODEL_PARENT)
		return hb_sriov(m);
	if (fn >= m->cfg.nfn)
		return false;
	return !hb_is_vf(fn) || fn - VHP_MODEL_FIRST_VF < enabled_vfs(m, VHP_MODEL_PARENT);
}

bool hb_vf_mse(const struct vhp_model *m)
{
	return m->fn[VHP_MODEL_PARENT].cfg[CAP + REG_CONTROL] & VF_MSE;
}

/* Size of a BAR of each virtual function of @p fn: at least a system page (9.3.3.14). */
static uint64_t aperture(const struct vhp_model *m, unsigned int fn, unsigned int bar)
{
	uint64_t size = fn == VHP_MODEL_PARENT ? vhp_model_bar_size(VHP_MODEL_FIRST_VF, bar) : bar == 0 ? 4096 : 0;
	uint64_t page = (uint64_t)(m->fn[fn].cfg[CAP + REG_PAGE] & PAGE_SIZES) << 12;

	return size && size < page ? page : size;
}

uint64_t hb_vf_bar_addr(const struct vhp_model *m, unsigned int fn, unsigned int bar)
{
	const uint32_t *b = &m->fn[VHP_MODEL_PARENT].cfg[CAP + REG_BAR + (bar & 6)];

	return ((uint64_t)b[1] << 32 | (b[0] & ~0xfu)) + (fn - VHP_MODEL_FIRST_VF) * aperture(m, VHP_MODEL_PARENT, bar);
}

static void bar_masks(struct vhp_model *m, unsigned int fn)
{
	struct hb_function *f = &m->fn[fn];

	for (unsigned int bar = 0; bar < 6; bar += 2) {
		uint64_t size = aperture(m, fn, bar);

		if (!size)
			continue;
		f->cfg[CAP + REG_BAR + bar] = bar == 2 ? 0xc : 0x4;
		f->wmask[CAP + REG_BAR + bar] = (uint32_t)~(size - 1);
		f->wmask[CAP + REG_BAR + bar + 1] = (uint32_t)(~(size - 1) >> 32);
	}
}

/* The capability of physical function @p fn (an index of fn[]), after power on or a reset. */
void hb_sriov_reset(struct vhp_model *m, unsigned int fn, unsigned int next)
{
	struct hb_function *f = &m->fn[fn];
	uint32_t *c = &f->cfg[CAP], *w = &f->wmask[CAP], number = hb_number(fn), total = total_vfs(m, fn);

	c[0] = 0x00010010 | next << 20;
	c[1] = number == 0 ? 2 : 0; /* ARI Capable Hierarchy Preserved */
	w[REG_CONTROL] = VF_ENABLE | VF_MSE | (number == 0 ? ARI_HIERARCHY : 0);
	c[REG_TOTAL] = total << 16 | total;
	c[REG_NUM] = number << 16;
	w[REG_NUM] = 0xffff;
	c[5] = 1u << 16 | FIRST_NUMBER; /* stride, offset: every physical function before it has one */
	c[6] = (fn == 0 ? 0x5650u : 0x107fu) << 16;
	c[7] = PAGE_SIZES;
	c[REG_PAGE] = 1;
	w[REG_PAGE] = PAGE_SIZES;
	bar_masks(m, fn);
}

/* A virtual function: vendor and device read all ones, no BARs, no memory enable, no settings of the link. */
void hb_vf_reset(struct vhp_model *m, unsigned int fn, unsigned int msix, unsigned int pcie, unsigned int window)
{
	uint32_t *c = m->fn[fn].cfg, *w = m->fn[fn].wmask;

	c[0] = 0xffffffff;
	c[1] = 0x00100000;
	w[1] = 0x0004;
	c[2] = 0x02000001;
	c[11] = 0x565010ee;
	c[13] = msix;
	c[msix / 4] = 0x00000011 | pcie << 8 | (HB_MSIX_VECTORS - 1) << 16;
	w[msix / 4] = 0xc0000000;
	c[msix / 4 + 1] = 0x8000;
	c[msix / 4 + 2] = 0x9000;
	c[pcie / 4] = 0x00020010 | window << 8;
	c[pcie / 4 + 1] = 0x10008023;
	c[pcie / 4 + 3] = 0x00400103;
	c[0x100 / 4] = HB_CAP_ARI << 20; /* a null capability leads on */
	c[HB_CAP_ARI / 4] = 0x0001000e;
}

/* Virtual functions that are no longer there; @p before: how many there were. */
static void vfs_go(struct vhp_model *m, unsigned int before)
{
	for (unsigned int fn = VHP_MODEL_FIRST_VF; fn < VHP_MODEL_FIRST_VF + before && fn < m->cfg.nfn; fn++)
		if (!vhp_model_present(m, fn))
			hb_function_gone(m, fn);
}

void hb_sriov_lost(struct vhp_model *m, void (*reset)(struct vhp_model *m, unsigned int fn), unsigned int fn)
{
	unsigned int before = fn == VHP_MODEL_PARENT ? enabled_vfs(m, fn) : 0;

	reset(m, fn);
	vfs_go(m, before);
}

/* What software must not do to the capability (9.3.3.3 to 9.3.3.14), as a sentence; NULL: it may. */
static const char *misuse(const struct vhp_model *m, unsigned int fn, unsigned int reg, uint32_t v)
{
	const uint32_t *c = &m->fn[fn].cfg[CAP];
	bool on = c[REG_CONTROL] & VF_ENABLE;
	uint32_t num = c[REG_NUM] & 0xffff;

	if (reg == REG_CONTROL && (v & VF_ENABLE) && !on && (num == 0 || num > total_vfs(m, fn)))
		return "VF Enable set while NumVFs is 0 or above TotalVFs";
	if (reg == REG_CONTROL && on && ((v ^ c[REG_CONTROL]) & ARI_HIERARCHY))
		return "ARI Capable Hierarchy changed while VF Enable is set";
	if (reg == REG_NUM && on && (v & 0xffff) != num)
		return "NumVFs changed while VF Enable is set";
	if (reg == REG_PAGE && on && v != c[REG_PAGE])
		return "System Page Size changed while VF Enable is set";
	if (reg == REG_PAGE && (!(v & PAGE_SIZES) || (v & (v - 1))))
		return "System Page Size is not one of the supported ones";
	if (reg >= REG_BAR && reg < REG_BAR + 6 && (c[REG_CONTROL] & VF_MSE) && v != c[reg])
		return "a VF BAR changed while VF MSE is set";
	return NULL;
}

/* A write to the capability, of bits that exist; -EPERM if software must not (rule sriov-software). */
int hb_sriov_write(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t v, uint32_t mask)
{
	struct hb_function *f = &m->fn[fn];
	unsigned int reg = off / 4 - CAP, before = fn == VHP_MODEL_PARENT ? enabled_vfs(m, fn) : 0;
	uint32_t value = (f->cfg[off / 4] & ~mask) | (v & mask);
	const char *fault = misuse(m, fn, reg, value);

	if (fault) {
		hb_violation(m, "sriov-software", NULL, "%s (physical function %u)", fault, hb_number(fn));
		return -EPERM;
	}
	f->cfg[off / 4] = value;
	if (reg == REG_PAGE)
		bar_masks(m, fn);
	vfs_go(m, before);
	return 0;
}

bool hb_in_sriov(const struct vhp_model *m, unsigned int fn, unsigned int off)
{
	return hb_sriov(m) && !hb_is_vf(fn) && off >= HB_CAP_SRIOV && off < HB_CAP_SRIOV + 0x40;
}

/* Places of virtual functions on the ports that have one for each: that of the card's function k is k. */
void hb_sriov_drive(struct vhp_model *m)
{
	struct vhp_edge_in *in = &m->in;

	in->cfg_vf_status[0] = 0;
	in->cfg_vf_flr_in_process[0] = in->cfg_interrupt_msix_vf_enable[0] = in->cfg_interrupt_msix_vf_mask[0] = 0;
	for (unsigned int pf = 0; pf < PARENT_NUMBER; pf++)
		in->cfg_vf_status[0] |= (uint32_t)(enabled_vfs(m, pf_index(pf)) != 0) << (2 * pf);
	for (unsigned int fn = VHP_MODEL_FIRST_VF; fn < m->cfg.nfn; fn++) {
		const struct hb_function *f = &m->fn[fn];
		uint32_t msix = f->cfg[hb_cap_msix(m) / 4];

		if (!vhp_model_present(m, fn))
			continue;
		in->cfg_vf_status[0] |= (1u | (f->cfg[1] >> 2 & 1) << 1) << (2 * fn);
		in->cfg_vf_flr_in_process[0] |= (uint32_t)f->flr << fn;
		in->cfg_interrupt_msix_vf_enable[0] |= (msix >> 31 & 1) << fn;
		in->cfg_interrupt_msix_vf_mask[0] |= (msix >> 30 & 1) << fn;
	}
}

int vhp_model_sriov(struct vhp_model *m, unsigned int vfs)
{
	const unsigned int p = VHP_MODEL_PARENT, at = HB_CAP_SRIOV;
	int rc;

	if (!hb_sriov(m) || vfs > total_vfs(m, p))
		return -EINVAL;
	rc = vhp_model_config_write(m, p, at + REG_CONTROL * 4, 0, 0x3);
	if (!rc && vfs) {
		/* MPS, MRRS and tags of the parent hold for its virtual functions. */
		rc = vhp_model_enable(m, p);
		if (!rc && !(m->fn[0].cfg[CAP + REG_CONTROL] & ARI_HIERARCHY))
			rc = vhp_model_config_write(m, 0, at + REG_CONTROL * 4, ARI_HIERARCHY, 0x3);
		if (!rc)
			rc = vhp_model_config_write(m, p, at + REG_PAGE * 4, 1, 0xf);
		for (unsigned int bar = 0; !rc && bar < 4; bar += 2) {
			bool large = aperture(m, p, bar) >> 32;

			rc = vhp_model_config_write(m, p, at + (REG_BAR + bar) * 4, large ? 0 : 0xb0000000u, 0xf);
			if (!rc)
				rc = vhp_model_config_write(m, p, at + (REG_BAR + bar + 1) * 4, large ? 0xc0 : 0x40,
							    0xf);
		}
	}
	if (!rc)
		rc = vhp_model_config_write(m, p, at + REG_NUM * 4, vfs, 0x3);
	if (!rc && vfs)
		rc = vhp_model_config_write(m, p, at + REG_CONTROL * 4, VF_ENABLE | VF_MSE, 0x3);
	return rc;
}
