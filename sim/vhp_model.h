/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The card's surroundings in C: a strict model of the PCIe hard block's user side and of a root complex with one
 * address space (IOMMU domain) per function. RTL benches and vhp-sim use this one header.
 *
 *     struct vhp_model_config cfg;
 *     vhp_model_defaults(&cfg);
 *     cfg.seed = 7;
 *     void *top = vhp_verilated_create(cfg.seed, argc, argv);
 *     struct vhp_model *m = vhp_model_create(&cfg, &vhp_verilated_ops, top);
 *     vhp_model_mem_map(m, 1, 0x100000, 65536, buffer, VHP_MEM_READ | VHP_MEM_WRITE);
 *     vhp_model_enable(m, 1);                      // memory space and bus master on, BARs placed
 *     vhp_model_bar_write(m, 1, 0, 0x10, &v, 4);   // a CQ TLP; more of them by vhp_model_cq
 *     vhp_model_step(m, 1000);
 *
 * Strictness: a rule of the interface that the RTL breaks (names: sim/README.md) is reported with cycle, rule and beat on
 * stderr at that cycle and ends the process with status 1 (after the trace was written), unless `on_violation` says
 * otherwise. So do assertions in the RTL (rule "rtl-assert") and, with `dma_faults_fatal`, accesses outside the maps.
 *
 * Determinism: everything random comes from `seed`; the same calls with the same seed give the same cycles.
 * Threads: a model belongs to one thread. Callbacks run inside vhp_model_step; they may call anything here that does not
 * step (the blocking calls do). Memory: the model copies `cfg`; mapped memory stays the caller's.
 * Errors: negative errno. Units: bytes and cycles of user_clk (4 ns).
 */
#ifndef VHP_MODEL_H
#define VHP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "edge.h"

/*
 * Functions as the card counts them: 0..2 are physical functions, 3 and 4 virtual functions of physical function 3. That
 * one has nothing but its configuration space, reached as function VHP_MODEL_PARENT. With nfn <= 3 there is no SR-IOV.
 */
#define VHP_MODEL_MAX_FN 5
#define VHP_MODEL_FIRST_VF 3
#define VHP_MODEL_PARENT VHP_MODEL_MAX_FN

enum vhp_config_window {
	VHP_WINDOW_PCIE4, /**< user logic answers 0xb0..0xbf */
	VHP_WINDOW_FULL	  /**< user logic answers 0x90..0xff */
};

/** What becomes of a read of the card; names of the RC error code. */
enum vhp_outcome {
	VHP_OUT_OK = 0,
	VHP_OUT_POISONED = 1,	  /**< one split is poisoned, the others are good */
	VHP_OUT_UR = 2,		  /**< status UR */
	VHP_OUT_NO_DATA = 3,	  /**< completion without data, or byte count too big */
	VHP_OUT_RID_MISMATCH = 4, /**< one bad split with desc[30] = 0, then the good ones */
	VHP_OUT_START_ADDR = 5,	  /**< start address mismatch */
	VHP_OUT_INVALID_TAG = 6,  /**< first a completion for a tag that is not in use, then the good ones */
	VHP_OUT_FLR = 8,	  /**< terminated by FLR */
	VHP_OUT_TIMEOUT = 9,	  /**< never answered; the block times it out */
	VHP_OUT_CA = 16,	  /**< status CA (error code 2) */
	VHP_OUT_DISCONTINUE = 17  /**< the block loses the data of one split (discontinue), the others are good */
};

/** A read of the card as it reaches the root complex. */
struct vhp_dma_read {
	unsigned int fn;
	uint64_t addr;	    /**< first enabled byte */
	unsigned int bytes; /**< last minus first enabled byte plus one; 1 for a zero-length read */
	unsigned int tag;
};

struct vhp_model_config {
	uint64_t seed;
	unsigned int nfn; /**< functions, 1..VHP_MODEL_MAX_FN */
	enum vhp_config_window window;

	/* Link and memory. Rates in bytes per cycle with TLP overhead; 59.86 = Gen3 x16 less 5 % at 250 MHz. */
	double up_rate, down_rate;
	unsigned int latency; /**< from the read leaving the block to its first completion, cycles (250 = 1 us) */
	unsigned int latency_jitter; /**< 0..n cycles more, per read */
	unsigned int rcb;	     /**< read completion boundary, 64 or 128 */
	unsigned int split_pct;	     /**< chance that a completion ends at a boundary before the largest */
	bool reorder;		     /**< completions of different tags in random order (else: by age) */
	unsigned int mps,
		mrrs; /**< written to every function's Device Control by vhp_model_enable: 128..1024, 128..4096 */
	bool ext_tag;
	unsigned int completion_timeout; /**< cycles until RC error code 9 */

	/* The block's user side. Percentages of cycles, 100 = always. */
	unsigned int rq_ready_pct, cc_ready_pct, rc_valid_pct, cq_valid_pct;
	unsigned int np_queue;	    /**< non-posted requests it holds before RQ stalls (16) */
	unsigned int tx_queue;	    /**< bytes of posted requests and completions it holds before RQ and CC stall */
	unsigned int ph, pd, nph;   /**< credits of the root port: posted headers, data (16 B), non-posted headers */
	unsigned int credit_return; /**< cycles until a credit comes back */
	unsigned int cpl_headers, cpl_bytes; /**< completion buffer (256, 32768) */
	bool cplbuf_worst_case; /**< outstanding reads may never be able to overrun it, even if all is answered at once */
	unsigned int bme_grace;	   /**< beats that RQ may still move after bus mastership or the function went */
	unsigned int cc_timeout;   /**< cycles a completer request may take */
	unsigned int ext_timeout;  /**< cycles the RTL may take to answer a cfg_ext read */
	unsigned int reset_cycles; /**< user_reset at the start */
	bool dma_faults_fatal;	   /**< an access outside the maps ends the run (rule "dma-fault") */

	/* Callbacks; all may be NULL. */
	void *arg;
	/** A message write (address inside msi_base .. msi_base + msi_size - 1). */
	void (*on_msix)(void *arg, unsigned int fn, uint64_t addr, uint32_t data);
	/** A DMA fault, e.g. for a log. */
	void (*on_dma_fault)(void *arg, unsigned int fn, bool write, uint64_t addr, unsigned int bytes);
	/** Every posted write that was performed (after it): for ordering checks. */
	void (*on_dma_write)(void *arg, unsigned int fn, uint64_t addr, unsigned int bytes);
	/** Chooses the fate of a read. */
	enum vhp_outcome (*on_dma_read)(void *arg, const struct vhp_dma_read *rd);
	/** A rule was broken: true = tolerated, the run goes on. */
	bool (*on_violation)(void *arg, const char *rule, const char *text);
	/**
	 * What is on the edge besides PCIe (flash, ICAP), every cycle: the card's outputs, and its inputs of the next one.
	 * True: the card is being loaded anew and is gone from now on (vhp_model_link_up). @p side_busy: it needs the clock.
	 */
	bool (*side)(void *side_arg, const struct vhp_edge_out *out, struct vhp_edge_in *in);
	bool (*side_busy)(const void *side_arg);
	void *side_arg;
	/** Asked now and then while a call blocks: true ends it with -EINTR. */
	bool (*stop)(void *arg);
	uint64_t msi_base, msi_size; /**< default 0xfee00000, 1 MiB */
};

void vhp_model_defaults(struct vhp_model_config *cfg);

struct vhp_model;

/** Starts in reset: the first vhp_model_step holds user_reset for reset_cycles. NULL: bad configuration (said on stderr). */
struct vhp_model *vhp_model_create(const struct vhp_model_config *cfg, const struct vhp_top_ops *ops, void *top);
void vhp_model_destroy(struct vhp_model *m);
/** The live configuration: rates, percentages and callbacks may be changed between steps. */
struct vhp_model_config *vhp_model_cfg(struct vhp_model *m);

/* ---------------------------------------------------------------------------------------------- running */

/** Run @p cycles cycles. */
void vhp_model_step(struct vhp_model *m, uint64_t cycles);
/** Run until @p done returns true (checked every cycle); 0, or -ETIMEDOUT after @p max cycles. */
int vhp_model_run_until(struct vhp_model *m, bool (*done)(void *arg), void *arg, uint64_t max);
/** Nothing is pending in the model and card_idle_o is 1: cycles would change nothing. */
bool vhp_model_idle(const struct vhp_model *m);
/**
 * False after a surprise link down. Then accesses of the host give -EIO and all ones or go nowhere, what was under way has
 * ended so, cycles only count, and the model is idle. Mappings stay: they are the host's.
 */
bool vhp_model_link_up(const struct vhp_model *m);
/** The link is up again with the top @p top, which has just been created: reset, configuration space at its reset values. */
void vhp_model_link_restore(struct vhp_model *m, void *top);
/** Run until idle; 0 or -ETIMEDOUT. */
int vhp_model_run_idle(struct vhp_model *m, uint64_t max);
uint64_t vhp_model_cycle(const struct vhp_model *m);
/** Report a failure of the test itself the way a broken rule is reported (rule @p rule). */
void vhp_model_fail(struct vhp_model *m, const char *rule, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---------------------------------------------------------------------------------------------- host to card */

/**
 * Read or write @p len bytes of a BAR, any offset and length, as CQ TLPs (split at 4 KiB, writes also at MPS).
 * The read blocks (steps) until its completions came; the write is posted and blocks only for room in the queue.
 *
 * @return 0; -EIO: a completion had UR or CA (buf is all ones there), or memory space is off; -EINVAL outside the BAR.
 */
int vhp_model_bar_read(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, void *buf, size_t len);
int vhp_model_bar_write(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, const void *buf,
			size_t len);

/** Convenience: 32-bit accesses; a failed read gives all ones. */
uint32_t vhp_model_read32(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off);
void vhp_model_write32(struct vhp_model *m, unsigned int fn, unsigned int bar, uint64_t off, uint32_t v);

/** One completer request as raw as the block delivers it. */
struct vhp_cq {
	unsigned int type;    /**< 0 memory read, 1 memory write, 2.. as PG213 (atomic, I/O, message) */
	unsigned int fn, bar; /**< BAR number as the function numbers it (0, 2) */
	uint64_t off;	      /**< byte offset in the BAR; bits 1:0 ignored */
	unsigned int dwords;  /**< 1..1024 */
	unsigned int first_be, last_be;
	unsigned int tc, attr;
	const uint32_t *data; /**< type 1: dwords of payload, copied */
	bool discontinue; /**< the block loses the payload: bad data, perhaps cut short. A non-posted one: status 7 */
};

/** What came back. */
struct vhp_cq_result {
	unsigned int status;  /**< 0 SC, 1 UR, 4 CA; 7: discarded by FLR, timeout or discontinue */
	unsigned int dwords;  /**< received */
	const uint32_t *data; /**< dwords as on the wire (bytes that were not enabled included); valid in the callback */
};

/**
 * Queue a completer request. The order of posted requests is kept; reads do not pass writes.
 *
 * @param done  called when the last completion came (non-posted) or the last beat was taken (posted); may be NULL
 * @return 0; -ENOSPC queue full (step, then again)
 */
int vhp_model_cq(struct vhp_model *m, const struct vhp_cq *req,
		 void (*done)(void *arg, const struct vhp_cq_result *res), void *arg);

/**
 * Configuration space of a function, dword aligned @p off 0..4092. Reads give all ones for a function that is not there.
 *
 * @return 0; -EAGAIN: the card answers with Configuration Request Retry Status (firmware is still booting); -ENXIO: a
 *         virtual function that is not enabled; -EPERM: a write that software must not make (rule sriov-software)
 */
int vhp_model_config_read(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t *v);
int vhp_model_config_write(struct vhp_model *m, unsigned int fn, unsigned int off, uint32_t v,
			   unsigned int byte_enable);

/**
 * What firmware would do: BARs placed, MPS, MRRS and tags from the configuration, memory space and bus master on. Of a
 * virtual function bus master; all of them are enabled first if they are not.
 */
int vhp_model_enable(struct vhp_model *m, unsigned int fn);
/** What an operating system does to have @p vfs virtual functions of the parent, 0 to nfn - 3; those that are there go first. */
int vhp_model_sriov(struct vhp_model *m, unsigned int vfs);
/** The function is there: physical, or virtual and enabled. */
bool vhp_model_present(const struct vhp_model *m, unsigned int fn);
/** Program one MSI-X table entry by BAR writes. */
int vhp_model_msix_entry(struct vhp_model *m, unsigned int fn, unsigned int vector, uint64_t addr, uint32_t data,
			 bool masked);
/** MSI-X Enable and Function Mask of the capability. */
int vhp_model_msix_control(struct vhp_model *m, unsigned int fn, bool enable, bool function_mask);
/** Start an FLR through Device Control; over when vhp_model_flr_busy is false. */
int vhp_model_flr(struct vhp_model *m, unsigned int fn);
bool vhp_model_flr_busy(const struct vhp_model *m, unsigned int fn);
/** Size in bytes of a BAR, 0 if the function has none of that number. */
uint64_t vhp_model_bar_size(unsigned int fn, unsigned int bar);
bool vhp_model_config_enabled(const struct vhp_model *m); /**< cfg_config_space_enable as driven by the card */

/* ---------------------------------------------------------------------------------------------- card to host */

#define VHP_MEM_READ 1u	 /**< the function may read */
#define VHP_MEM_WRITE 2u /**< the function may write */

/**
 * Map caller's memory into a function's address space.
 *
 * @return 0; -EEXIST overlaps a mapping; -EINVAL empty or wraps
 */
int vhp_model_mem_map(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len, void *mem, unsigned int perm);
/**
 * The same with a file (memfd, hugetlbfs): mapped once per file, however many ranges use it; @p fd stays the caller's.
 * A range behind the file's end is refused (-EINVAL).
 */
int vhp_model_mem_map_fd(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len, int fd, uint64_t offset,
			 unsigned int perm);
/** Remove every mapping that lies inside the range; the number removed, or -EINVAL if one lies across its border. */
int vhp_model_mem_unmap(struct vhp_model *m, unsigned int fn, uint64_t iova, uint64_t len);
void vhp_model_mem_unmap_all(struct vhp_model *m, unsigned int fn);

/* ---------------------------------------------------------------------------------------------- statistics */

struct vhp_dir_stats {
	uint64_t tlps, bytes; /**< bytes with TLP overhead (24 memory requests, 20 completions), payload in dwords */
};

struct vhp_fn_stats {
	struct vhp_dir_stats wr, rd, cpl_up;	/**< up: posted writes, read requests, completions of BAR reads */
	struct vhp_dir_stats cq_wr, cq_rd, cpl; /**< down: BAR writes, BAR reads, completions of DMA reads */
	uint64_t payload_up, payload_down;	/**< bytes of DMA without overhead: written, read */
	uint64_t msix;
	uint64_t dma_faults;
	uint64_t dropped; /**< requests dropped because bus mastership was off or the function was in FLR */
};

struct vhp_model_stats {
	uint64_t cycles;
	uint64_t up_bytes, down_bytes; /**< both with overhead, all functions */
	uint64_t rq_beats, rc_beats, cq_beats, cc_beats;
	uint64_t rq_stall, cc_stall; /**< cycles with valid from the card and no ready from the block */
	uint64_t rq_stall_np;	     /**< of rq_stall: because the non-posted queue was full */
	uint64_t rc_stall, cq_stall; /**< cycles with valid from the block and no ready from the card */
	uint64_t reads_outstanding_max;
	uint64_t err_cor, err_uncor; /**< cycles with cfg_err_cor_in, cfg_err_uncor_in */
	struct vhp_fn_stats fn[VHP_MODEL_MAX_FN];
};

const struct vhp_model_stats *vhp_model_stats(const struct vhp_model *m);
void vhp_model_stats_reset(struct vhp_model *m);
/** As one JSON object with the struct's names. */
int vhp_model_stats_json(const struct vhp_model *m, FILE *out);

#endif
