/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The PCIE4 hard block's user side (PG213): internal interface between the model's parts.
 *
 * hardblock.c  the cycle, stream sinks with the rules every stream shares, violations
 * hb_request.c RQ rules, tags, transmit queue and credits, RC
 * hb_complete.c CQ, CC rules
 * hb_config.c  configuration space, cfg_mgmt, cfg_ext, FLR
 * hb_sriov.c   virtual functions
 */
#ifndef VHP_SIM_HARDBLOCK_H
#define VHP_SIM_HARDBLOCK_H

#include "bits.h"
#include "vhp_model.h"

#define HB_TAGS 256u
#define HB_MAX_PAYLOAD_DW 256u /* MPS 1024 */
#define HB_CQ_QUEUE 64u
#define HB_TX_QUEUE 512u
#define HB_RC_QUEUE 512u
#define HB_MSIX_VECTORS 32u
#define HB_CAP_SRIOV 0x140u
#define HB_CAP_ARI 0x180u

struct root;

/* A packet being received from the card, and the beat that waits. */
struct hb_sink {
	const char *name; /* "rq", "cc" */
	uint32_t pkt[4 + 1024 + 16];
	unsigned int dwords;
	bool in_pkt, waiting;
	uint32_t wait_data[16], wait_user[5];
	uint32_t first_user[5]; /* of the packet's first beat */
	uint16_t wait_keep;
	uint8_t wait_last;
	unsigned int expect; /* dwords of the packet, from its descriptor */
	bool sop_used;	     /* the card drives is_sop/is_eop */
	bool drop;	     /* a tolerated violation: ignore the rest */
};

/* A beat on its way from the card. */
struct hb_beat {
	const uint32_t *data, *user;
	unsigned int user_words;
	uint16_t keep;
	bool last, first;
	unsigned int valid_dw; /* dwords in tkeep */
};

enum hb_kind {
	HB_WRITE,
	HB_READ,
	HB_CPL
};

/* A TLP that leaves the block towards the root complex. */
struct hb_up {
	enum hb_kind kind;
	unsigned int fn, tag, dwords, first_be, last_be;
	uint64_t addr; /* bits 1:0 are 0 */
	unsigned int seq;
	bool has_seq, dead;
	bool final; /* a completion that ends its request (tag) with this status */
	unsigned int status;
	unsigned int wire; /* bytes with overhead */
	uint64_t order;
	uint32_t data[HB_MAX_PAYLOAD_DW];
};

/* A completion of a read of the card, as it reaches the RC stream. */
struct hb_cpl {
	unsigned int tag, fn, code, status, dwords, byte_count, lower, bytes;
	bool completed, poisoned;
	unsigned int lost; /* not 0: the packet ends with discontinue behind this many dwords of payload */
	unsigned int tc, attr;
	uint32_t data[HB_MAX_PAYLOAD_DW + 1];
};

struct hb_tag {
	bool active;
	bool closing; /* its last completion waits for the card */
	unsigned int fn, dwords, first_be, last_be, bytes, tc, attr;
	uint64_t addr, issued;	       /* addr: first enabled byte */
	unsigned int left;	       /* bytes not yet handed over */
	unsigned int hdrs, data_bytes; /* worst case in the completion buffer */
};

struct hb_cq_entry {
	struct vhp_cq req;
	uint32_t data[1024];
	void (*done)(void *arg, const struct vhp_cq_result *res);
	void *arg;
	uint64_t addr, order;
	unsigned int tag;
	bool dead; /* its function was reset while it waited */
};

/* A non-posted completer request that the card has and did not complete. */
struct hb_cq_open {
	bool active;
	bool answered; /* its last completion is on its way to the host */
	bool zombie;   /* the function was reset: an answer is neither needed nor wrong */
	struct hb_cq_entry e;
	uint64_t since;
	uint32_t desc[4];
	unsigned int bytes, offset, got_bytes, got_dw; /* bytes to return; first one's place in the dword */
	uint32_t rdata[1024];
};

struct hb_function {
	uint32_t cfg[1024]; /* registers */
	uint32_t wmask[1024];
	uint64_t bme_lost;	 /* RQ beats since bus mastership went, saturating */
	bool flr;		 /* in process */
	unsigned int done_stray; /* cycles with flr_done and no FLR */
	uint64_t flr_since;
};

struct vhp_model {
	struct vhp_model_config cfg;
	struct vhp_model_stats st;
	const struct vhp_top_ops *ops;
	void *top;
	uint64_t cycle;
	uint64_t reset_left;
	struct vhp_edge_in in;
	struct vhp_edge_out out;
	bool out_valid; /* out is of the last cycle */
	struct root *root;
	bool link_down;

	/* requester */
	struct hb_sink rq;
	struct vhp_rng rq_rng;
	struct hb_tag tags[HB_TAGS];
	unsigned int tags_active, cpl_hdrs, cpl_bytes;
	struct hb_up *tx[3]; /* rings, by kind */
	unsigned int tx_head[3], tx_count[3];
	unsigned int tx_bytes;
	uint64_t tx_order;
	double up_budget;
	unsigned int ph_used, pd_used, nph_used;
	struct {
		uint64_t cycle;
		unsigned int ph, pd, nph;
	} *cred; /* ring of credits that come back */
	unsigned int cred_head, cred_count;
	uint8_t seq_q[HB_TX_QUEUE]; /* sequence numbers to return */
	unsigned int seq_head, seq_count;

	/* RC */
	struct hb_cpl *rc_q;
	unsigned int rc_head, rc_count, rc_beat;
	unsigned int rc_buf_hdrs, rc_buf_bytes; /* arrived, not taken by the card */
	struct vhp_rng rc_rng;

	/* CQ and CC */
	struct hb_cq_entry *cq_q[2]; /* rings: posted, non-posted */
	unsigned int cq_head[2], cq_count[2];
	uint64_t cq_order;
	int cq_now; /* ring whose head is on the stream, -1 none */
	unsigned int cq_beat;
	uint32_t cq_pkt[4 + 1024];
	unsigned int cq_pkt_dw;
	struct hb_cq_open *cq_open; /* by tag */
	unsigned int cq_open_count, cq_next_tag, np_credit;
	struct hb_cq_open *cc_now; /* the request that the packet on CC answers */
	struct hb_sink cc;
	struct vhp_rng cq_rng, cc_rng;

	/* configuration */
	struct hb_function fn[VHP_MODEL_MAX_FN + 1]; /* and the parent */
	struct vhp_rng cfg_rng;
	unsigned int mgmt_wait;
	bool mgmt_busy;
	struct vhp_edge_out mgmt_req;
	bool ext_busy, ext_got;
	uint64_t ext_since;
	uint32_t ext_data;
	bool ext_read, ext_write;
	unsigned int ext_reg, ext_fn, ext_be;
	uint32_t ext_wdata;
};

/* A rule is broken; returns only if that is tolerated. @p sink's packet so far and @p beat are printed if not NULL. */
void hb_violation(struct vhp_model *m, const char *rule, const struct hb_beat *beat, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Every part: take the card's outputs of this cycle; then prepare the inputs of the next. */
void hb_request_init(struct vhp_model *m);
void hb_request_free(struct vhp_model *m);
/* The link is down: nothing is under way any more. */
void hb_request_clear(struct vhp_model *m);
void hb_request_sample(struct vhp_model *m);
void hb_request_drive(struct vhp_model *m);
bool hb_request_idle(const struct vhp_model *m);
void hb_request_flr(struct vhp_model *m, unsigned int fn);
/* @p fn 's reads are not over. */
bool hb_request_pending(const struct vhp_model *m, unsigned int fn);

void hb_complete_init(struct vhp_model *m);
void hb_complete_free(struct vhp_model *m);
void hb_complete_clear(struct vhp_model *m); /* requests of the host end without an answer */
void hb_complete_sample(struct vhp_model *m);
void hb_complete_drive(struct vhp_model *m);
bool hb_complete_idle(const struct vhp_model *m);
void hb_complete_flr(struct vhp_model *m, unsigned int fn);
/* The last completion of a host's request has arrived there. */
void hb_complete_arrived(struct vhp_model *m, unsigned int tag, unsigned int status);

void hb_config_init(struct vhp_model *m);
void hb_config_clear(struct vhp_model *m);
void hb_config_sample(struct vhp_model *m);
void hb_config_drive(struct vhp_model *m);
bool hb_config_idle(const struct vhp_model *m);
unsigned int hb_cap_msix(const struct vhp_model *m);
/* A function that is no longer there: as after an FLR that is over at once. */
void hb_function_gone(struct vhp_model *m, unsigned int fn);

bool hb_sriov(const struct vhp_model *m);
bool hb_is_vf(unsigned int fn);
void hb_sriov_reset(struct vhp_model *m, unsigned int fn, unsigned int next);
void hb_vf_reset(struct vhp_model *m, unsigned int fn, unsigned int msix, unsigned int pcie, unsigned int window);
/* Reset the registers of a function by @p reset; virtual functions that were there because of them go. */
void hb_sriov_lost(struct vhp_model *m, void (*reset)(struct vhp_model *m, unsigned int fn), unsigned int fn);
bool hb_in_sriov(const struct vhp_model *m, unsigned int fn, unsigned int off);
int hb_sriov_write(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t v, uint32_t mask);
void hb_sriov_drive(struct vhp_model *m);
bool hb_vf_mse(const struct vhp_model *m);
uint64_t hb_vf_bar_addr(const struct vhp_model *m, unsigned int fn, unsigned int bar);
/* The block's number of a function, and back: -1 if no function of the card has it. */
unsigned int hb_number(unsigned int fn);
int hb_index(const struct vhp_model *m, unsigned int number);
bool hb_bme(const struct vhp_model *m, unsigned int fn);
bool hb_mse(const struct vhp_model *m, unsigned int fn);
unsigned int hb_mps(const struct vhp_model *m, unsigned int fn);
unsigned int hb_mrrs(const struct vhp_model *m, unsigned int fn);
bool hb_ext_tag(const struct vhp_model *m, unsigned int fn);
uint64_t hb_bar_addr(const struct vhp_model *m, unsigned int fn, unsigned int bar);

/*
 * Common rules of a stream from the card: stable while waiting, tkeep, is_sop/is_eop. True when a beat moves; then the
 * sink's packet holds it and @p beat tells about it.
 */
bool hb_sink_sample(struct vhp_model *m, struct hb_sink *s, bool valid, bool ready, const uint32_t *data, uint16_t keep,
		    bool last, const uint32_t *user, unsigned int user_words, unsigned int sop_lsb,
		    struct hb_beat *beat);
/* After a packet's length is known: does this beat end where it must? False: the packet is to be dropped. */
bool hb_sink_length(struct vhp_model *m, struct hb_sink *s, const struct hb_beat *beat);
/* Byte enables of a memory request against its length; a sentence, or NULL if they are right. */
const char *hb_be_fault(unsigned int dwords, uint64_t addr, unsigned int first_be, unsigned int last_be);
/* Bytes from first to last enabled one (1 if none), and the offset of the first. */
unsigned int hb_be_bytes(unsigned int dwords, unsigned int first_be, unsigned int last_be, unsigned int *offset);

/* Root complex to block. */
void hb_rc_push(struct vhp_model *m, const struct hb_cpl *cpl);
unsigned int hb_rc_room(const struct vhp_model *m);

#endif
