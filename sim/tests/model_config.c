/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space of the model: window, FLR, management port, virtual functions. */
#include <errno.h>

#include "model_card.h"

void test_config(void)
{
	struct test *t = begin(300);
	uint32_t v;

	power_on(t);
	verdict(!vhp_model_config_read(t->m, 1, 0xb0, &v) && v == 0x12345678, "register of the window",
		"not the card's answer");
	verdict(!vhp_model_config_read(t->m, 1, 0x00, &v) && v == 0x107f1af4, "vendor and device", "differ");
	verdict(vhp_model_config_read(t->m, 3, 0, &v) == -EINVAL && v == 0xffffffff, "absent function", "answers");
	expect(t, "configuration reads", "");
	t->card.mute_ext = true;
	vhp_model_config_read(t->m, 1, 0xb4, &v);
	expect(t, "no answer", "cfg-ext-timeout");
	end(t);

	t = begin(301); /* pending reads end with code 8, done before that is wrong */
	power_on(t);
	request(&t->card, false, 0x100000, 4, 9);
	vhp_model_step(t->m, 20);
	t->card.rc_n = 0;
	vhp_model_flr(t->m, 1);
	vhp_model_step(t->m, 20);
	verdict(t->card.rc_n == 1 && bits_get(t->card.rc[0].data, 12, 4) == 8 && bits_get(t->card.rc[0].data, 30, 1),
		"FLR ends reads with code 8", "no such completion");
	verdict(vhp_model_flr_busy(t->m, 1) && !vhp_model_flr_busy(t->m, 0), "FLR of function 1 is in process",
		"it is not");
	t->card.force.cfg_flr_done = 2;
	vhp_model_step(t->m, 4);
	t->card.force.cfg_flr_done = 0;
	vhp_model_step(t->m, 4);
	verdict(!vhp_model_flr_busy(t->m, 1), "FLR ends with done", "still in process");
	vhp_model_config_read(t->m, 1, 4, &v);
	verdict(!(v & 4), "FLR clears bus mastership", "still set");
	expect(t, "FLR", "");
	t->card.force.cfg_flr_done = 2;
	vhp_model_step(t->m, 200);
	expect(t, "done without FLR", "flr-done-stray");
	end(t);

	t = begin(302);
	t->cfg.rc_valid_pct = 1;
	power_on(t);
	t->card.force.cfg_flr_done = 2;
	request(&t->card, false, 0x100000, 4, 9);
	vhp_model_step(t->m, 30);
	vhp_model_flr(t->m, 1);
	vhp_model_step(t->m, 4);
	expect(t, "done with reads pending", "flr-done-pending");
	end(t);

	t = begin(303);
	power_on(t);
	t->card.force.cfg_mgmt_read = 1;
	vhp_model_step(t->m, 2);
	t->card.force.cfg_mgmt_addr = 5;
	vhp_model_step(t->m, 2);
	expect(t, "management request changes", "mgmt-unstable");
	end(t);
}

/* ------------------------------------------------------------------------------------------ virtual functions */

#define SRIOV 0x140u /* of the parent: control 0x08, NumVFs 0x10, page size 0x20, VF BARs 0x24 */

static struct test *begin_vfs(uint64_t seed)
{
	struct test *t = begin(seed);

	t->cfg.nfn = 5;
	power_on(t);
	vhp_model_mem_map(t->m, 4, 0x100000, 1 << 20, t->mem, VHP_MEM_READ | VHP_MEM_WRITE);
	return t;
}

/* A request with the block's number of the function. */
static void vf_request(struct test *t, bool write, unsigned int dwords, unsigned int number)
{
	put(request(&t->card, write, 0x100000, dwords, 9)->data, 80, 8, number);
}

void test_vf_functions(void)
{
	struct test *t = begin_vfs(310);
	uint32_t v = 0;
	uint64_t bar;

	verdict(vhp_model_config_read(t->m, 3, 0, &v) == -ENXIO && v == 0xffffffff &&
			vhp_model_bar_read(t->m, 4, 0, 0, &v, 4) == -EIO,
		"virtual functions that are not enabled", "answer");
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, 0, &v) && v == 0x10f01af4, "parent", "other ids");
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, SRIOV + 0x14, &v) && v == 0x00010004,
		"offset and stride: function 7 and 8", "differ");
	verdict(!vhp_model_sriov(t->m, 2) && vhp_model_present(t->m, 3) && vhp_model_present(t->m, 4), "two of them",
		"not there");
	verdict(!vhp_model_config_read(t->m, 4, 0, &v) && v == 0xffffffff && !vhp_model_config_read(t->m, 4, 8, &v) &&
			v == 0x02000001,
		"vendor and device read all ones, the class does not", "differ");
	verdict(!vhp_model_config_read(t->m, 4, 0xb0, &v) && v == 0x12345678 && t->card.in.cfg_ext_function_number == 8,
		"window of function 8", "not the card's answer, or another function");
	vhp_model_config_write(t->m, 4, 0x10, 0xffffffff, 0xf);
	vhp_model_config_write(t->m, 4, 0x78, 0x7fff, 0x3);
	vhp_model_config_write(t->m, 4, 0x04, 0x0546, 0x3);
	verdict(!vhp_model_config_read(t->m, 4, 0x10, &v) && v == 0 && !vhp_model_config_read(t->m, 4, 0x78, &v) &&
			v == 0 && !vhp_model_config_read(t->m, 4, 0x04, &v) && (v & 0xffff) == 4,
		"no BARs, no Device Control, of Command bus mastership alone", "written");
	vhp_model_step(t->m, 4);
	verdict((t->card.in.cfg_vf_status[0] >> 6 & 0xf) == 0xd, "status of both", "differs");
	verdict(!vhp_model_bar_write(t->m, 4, 0, 0x40, &v, 4), "write to a VF BAR", "refused");
	vhp_model_step(t->m, 20);
	bar = bits_get(t->card.cq.data, 0, 64);
	verdict(bits_get(t->card.cq.data, 104, 8) == 8 && bar == 0x40b0040040,
		"second function, second part of the VF BAR", "another function or address");
	vf_request(t, false, 4, 8);
	vhp_model_step(t->m, 600);
	verdict(t->card.rc_n == 1 && bits_get(t->card.rc[0].data, 48, 16) == 8, "completion for function 8", "none");
	expect(t, "virtual functions", "");
	vhp_model_flr(t->m, 4);
	vhp_model_step(t->m, 4);
	verdict(t->card.in.cfg_vf_flr_in_process[0] == 0x10 && !t->card.in.cfg_flr_in_process, "FLR of one",
		"of another");
	t->card.force.cfg_vf_flr_func_num = 4;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 4);
	t->card.force.cfg_vf_flr_done = 0;
	verdict(!vhp_model_flr_busy(t->m, 4) && vhp_model_present(t->m, 4), "its end", "still in FLR, or gone");
	vhp_model_flr(t->m, VHP_MODEL_PARENT);
	vhp_model_step(t->m, 4);
	verdict(!vhp_model_present(t->m, 3) && t->card.in.cfg_flr_in_process == 8 &&
			!(t->card.in.cfg_vf_status[0] >> 6),
		"FLR of the parent ends them", "still there");
	expect(t, "FLR", "");
	end(t);
}

void test_vf_rules(void)
{
	static const struct {
		const char *name;
		unsigned int off;
		uint32_t value;
		unsigned int vfs; /* enabled before it */
	} software[] = {
		{ "NumVFs while VF Enable is set", SRIOV + 0x10, 1, 2 },
		{ "VF Enable without NumVFs", SRIOV + 0x08, 1, 0 },
		{ "page size while VF Enable is set", SRIOV + 0x20, 2, 2 },
		{ "two page sizes", SRIOV + 0x20, 3, 0 },
		{ "VF BAR while VF MSE is set", SRIOV + 0x24, 0x90000000, 2 },
	};
	static const struct {
		const char *rule;
		bool write;
		unsigned int dwords, number, vfs;
	} card[] = {
		{ "rq-bme", false, 4, 8, 0 }, /* not enabled */
		{ "rq-bme", true, 4, 8, 1 },  /* one is, this one not */
		{ "rq-bme", true, 4, 7, 2 },  /* no bus mastership */
		{ "rq-mps", true, 65, 8, 2 }, /* the parent's */
		{ "rq-mrrs", false, 129, 8, 2 },
		{ "rq-function", false, 4, 4, 2 }, /* virtual function of function 0 */
		{ "rq-function", false, 4, 3, 2 }, /* the parent */
	};
	uint32_t v;

	for (unsigned int i = 0; i < sizeof(software) / sizeof(software[0]); i++) {
		struct test *t = begin_vfs(320 + i);

		vhp_model_sriov(t->m, software[i].vfs);
		vhp_model_config_write(t->m, VHP_MODEL_PARENT, software[i].off, software[i].value, 0xf);
		expect(t, software[i].name, "sriov-software");
		end(t);
	}
	for (unsigned int i = 0; i < sizeof(card) / sizeof(card[0]); i++) {
		struct test *t = begin_vfs(330 + i);

		t->cfg.bme_grace = 0;
		vhp_model_sriov(t->m, card[i].vfs);
		if (card[i].vfs == 2)
			vhp_model_config_write(t->m, 4, 0x04, 4, 0x3);
		/* Beats until the function counts as lost. */
		for (unsigned int n = 0; n < 100; n++)
			vhp_model_step(t->m, 1);
		vf_request(t, card[i].write, card[i].dwords, card[i].number);
		vhp_model_step(t->m, 100);
		expect(t, "request of a virtual function", card[i].rule);
		end(t);
	}

	struct test *t = begin_vfs(340);

	vhp_model_sriov(t->m, 2);
	t->card.force.cfg_vf_flr_func_num = 3;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 200);
	expect(t, "done of a virtual function without FLR", "flr-done-stray");
	end(t);

	t = begin_vfs(341);
	t->card.force.cfg_vf_flr_func_num = 7;
	t->card.force.cfg_vf_flr_done = 1;
	vhp_model_step(t->m, 2);
	expect(t, "done by the block's number", "flr-done-stray");
	end(t);

	t = begin_vfs(342);
	vhp_model_cfg(t->m)->rc_valid_pct = 1;
	vhp_model_sriov(t->m, 2);
	vhp_model_enable(t->m, 4);
	vf_request(t, false, 4, 8);
	vhp_model_step(t->m, 30);
	t->card.force.cfg_flr_done = 8;
	vhp_model_flr(t->m, VHP_MODEL_PARENT);
	vhp_model_step(t->m, 4);
	expect(t, "done of the parent while a virtual function's reads are pending", "flr-done-pending");
	end(t);

	t = begin_vfs(343); /* a larger page makes larger BARs */
	vhp_model_config_write(t->m, VHP_MODEL_PARENT, SRIOV + 0x20, 0x100, 0xf);
	vhp_model_config_write(t->m, VHP_MODEL_PARENT, SRIOV + 0x24, 0xffffffff, 0xf);
	verdict(!vhp_model_config_read(t->m, VHP_MODEL_PARENT, SRIOV + 0x24, &v) && v == 0xfff00004,
		"1 MiB pages: 1 MiB each", "another size");
	expect(t, "page size", "");
	end(t);
}
