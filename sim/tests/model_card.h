/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * A card played in C, for tests of the model: it plays queued beats on RQ and CC and records CQ and RC. Each test has one and
 * a model around it.
 */
#ifndef VHP_SIM_MODEL_CARD_H
#define VHP_SIM_MODEL_CARD_H

#include "bits.h"
#include "vhp_model.h"

#define MAX_BEATS 600

struct beat {
	uint32_t data[16], user[6];
	uint16_t keep;
	uint8_t last;
};

struct card {
	struct beat rq[MAX_BEATS], cc[MAX_BEATS];
	unsigned int rq_n, rq_at, cc_n, cc_at;
	struct beat cq, rc[MAX_BEATS]; /**< last CQ packet's first beat, all RC beats */
	unsigned int cq_n, rc_n;
	struct vhp_edge_in in;
	struct vhp_edge_out force; /**< other outputs */
	bool ext_pending, mute_ext, flicker, drop_valid;
	unsigned int cycle;
};

struct test {
	struct card card;
	struct vhp_model_config cfg; /**< may be changed until power_on() */
	struct vhp_model *m;
	char rule[64]; /**< that was broken first */
	unsigned int violations;
	uint8_t *mem; /**< 1 MiB, mapped at 0x100000 for function 1 */
};

/** Counts a check; @p detail is printed with its name if it failed. */
void verdict(bool ok, const char *name, const char *detail);
/** Checks that this rule was the first to be broken; "": none was. */
void expect(struct test *t, const char *name, const char *rule);
/** Prints the closing line. @return the program's exit status */
int verdict_end(void);

struct test *begin(uint64_t seed);
/** The model is made; functions 0 and 1 are enabled, function 2 stays without bus mastership. */
void power_on(struct test *t);
void end(struct test *t);

/** Queue a request of function 1 as a correct card sends it. @return its first beat */
struct beat *request(struct card *c, bool write, uint64_t addr, unsigned int dwords, unsigned int tag);
/** Set bits [lsb + n - 1 : lsb], whatever they are. */
void put(uint32_t *w, unsigned int lsb, unsigned int n, uint32_t v);

/** The rules of configuration space and of virtual functions. */
void test_config(void);
void test_vf_functions(void);
void test_vf_rules(void);
/** Completions of the card's reads: every split and order, every outcome; twice the same; the link going down. */
void test_completions(uint64_t seed);
void test_outcomes(void);
void test_determinism(void);
void test_link_down(uint64_t seed);

#endif
