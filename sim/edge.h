/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The card's edge in C: the ports of rtl/vhp_card.sv, one field per port with the port's name, and the operations of a
 * "top" that has them (a Verilated module through shim.cpp, or a test that plays one).
 *
 * Widths: up to 8, 16 and 32 bits in uint8_t, uint16_t and uint32_t; wider ports are arrays of 32-bit words, least
 * significant word first. Unused high bits are 0.
 */
#ifndef VHP_SIM_EDGE_H
#define VHP_SIM_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* S(type, port): scalar port. W(words, port): wide port. */
#define VHP_EDGE_INPUTS(S, W)                 \
	S(uint8_t, user_reset)                \
	S(uint8_t, user_lnk_up)               \
	S(uint8_t, s_axis_rq_tready)          \
	W(16, m_axis_rc_tdata)                \
	S(uint16_t, m_axis_rc_tkeep)          \
	S(uint8_t, m_axis_rc_tlast)           \
	W(6, m_axis_rc_tuser)                 \
	S(uint8_t, m_axis_rc_tvalid)          \
	W(16, m_axis_cq_tdata)                \
	S(uint16_t, m_axis_cq_tkeep)          \
	S(uint8_t, m_axis_cq_tlast)           \
	W(6, m_axis_cq_tuser)                 \
	S(uint8_t, m_axis_cq_tvalid)          \
	S(uint8_t, s_axis_cc_tready)          \
	S(uint8_t, pcie_rq_seq_num0)          \
	S(uint8_t, pcie_rq_seq_num_vld0)      \
	S(uint8_t, pcie_rq_seq_num1)          \
	S(uint8_t, pcie_rq_seq_num_vld1)      \
	S(uint8_t, pcie_tfc_nph_av)           \
	S(uint8_t, pcie_tfc_npd_av)           \
	S(uint8_t, pcie_cq_np_req_count)      \
	S(uint8_t, cfg_fc_ph)                 \
	S(uint16_t, cfg_fc_pd)                \
	S(uint8_t, cfg_fc_nph)                \
	S(uint16_t, cfg_fc_npd)               \
	S(uint8_t, cfg_fc_cplh)               \
	S(uint16_t, cfg_fc_cpld)              \
	S(uint8_t, cfg_max_payload)           \
	S(uint8_t, cfg_max_read_req)          \
	S(uint16_t, cfg_function_status)      \
	S(uint8_t, cfg_rcb_status)            \
	S(uint32_t, cfg_mgmt_read_data)       \
	S(uint8_t, cfg_mgmt_read_write_done)  \
	S(uint8_t, cfg_ext_read_received)     \
	S(uint8_t, cfg_ext_write_received)    \
	S(uint16_t, cfg_ext_register_number)  \
	S(uint8_t, cfg_ext_function_number)   \
	S(uint32_t, cfg_ext_write_data)       \
	S(uint8_t, cfg_ext_write_byte_enable) \
	S(uint8_t, cfg_flr_in_process)        \
	S(uint8_t, cfg_interrupt_msix_enable) \
	S(uint8_t, cfg_interrupt_msix_mask)   \
	W(16, cfg_vf_status)                  \
	W(8, cfg_vf_flr_in_process)           \
	W(8, cfg_interrupt_msix_vf_enable)    \
	W(8, cfg_interrupt_msix_vf_mask)      \
	S(uint8_t, flash_dq_in)               \
	S(uint8_t, icap_avail)                \
	S(uint32_t, usr_access_data)

#define VHP_EDGE_OUTPUTS(S, W)               \
	W(16, s_axis_rq_tdata)               \
	S(uint16_t, s_axis_rq_tkeep)         \
	S(uint8_t, s_axis_rq_tlast)          \
	W(5, s_axis_rq_tuser)                \
	S(uint8_t, s_axis_rq_tvalid)         \
	S(uint8_t, m_axis_rc_tready)         \
	S(uint8_t, m_axis_cq_tready)         \
	W(16, s_axis_cc_tdata)               \
	S(uint16_t, s_axis_cc_tkeep)         \
	S(uint8_t, s_axis_cc_tlast)          \
	W(3, s_axis_cc_tuser)                \
	S(uint8_t, s_axis_cc_tvalid)         \
	S(uint8_t, pcie_cq_np_req)           \
	S(uint8_t, cfg_fc_sel)               \
	S(uint16_t, cfg_mgmt_addr)           \
	S(uint8_t, cfg_mgmt_function_number) \
	S(uint8_t, cfg_mgmt_write)           \
	S(uint32_t, cfg_mgmt_write_data)     \
	S(uint8_t, cfg_mgmt_byte_enable)     \
	S(uint8_t, cfg_mgmt_read)            \
	S(uint32_t, cfg_ext_read_data)       \
	S(uint8_t, cfg_ext_read_data_valid)  \
	S(uint8_t, cfg_config_space_enable)  \
	S(uint8_t, cfg_err_cor_in)           \
	S(uint8_t, cfg_err_uncor_in)         \
	S(uint8_t, cfg_flr_done)             \
	S(uint8_t, cfg_vf_flr_func_num)      \
	S(uint8_t, cfg_vf_flr_done)          \
	S(uint8_t, flash_sck)                \
	S(uint8_t, flash_cs_n)               \
	S(uint8_t, flash_dq_out)             \
	S(uint8_t, flash_dq_tri)             \
	S(uint8_t, icap_csib)                \
	S(uint8_t, icap_rdwrb)               \
	S(uint32_t, icap_i)                  \
	S(uint8_t, card_idle_o)

#define VHP_EDGE_SCALAR(type, port) type port;
#define VHP_EDGE_WIDE(words, port) uint32_t port[words];

struct vhp_edge_in {
	VHP_EDGE_INPUTS(VHP_EDGE_SCALAR, VHP_EDGE_WIDE)
};

struct vhp_edge_out {
	VHP_EDGE_OUTPUTS(VHP_EDGE_SCALAR, VHP_EDGE_WIDE)
};

/**
 * A clock cycle is one settle() (inputs applied with the clock low, outputs read) and one edge() (rising edge).
 */
struct vhp_top_ops {
	void (*settle)(void *top, const struct vhp_edge_in *in, struct vhp_edge_out *out);
	void (*edge)(void *top);
	/** First failure inside the top since creation (assertion, $error, $fatal) or NULL. May be NULL itself. */
	const char *(*failure)(void *top);
	/** Write what a trace holds to disk; called before the run is ended by a failure. May be NULL. */
	void (*flush)(void *top);
};

/* ------------------------------------------------------------- the Verilated top of this executable (shim.cpp) */

extern const struct vhp_top_ops vhp_verilated_ops;

/**
 * Create the Verilated top. Registers and memories without a reset value start random, from @p seed.
 *
 * @param argc,argv  plusargs for the RTL ($test$plusargs, $value$plusargs); others are ignored
 */
void *vhp_verilated_create(uint64_t seed, int argc, const char *const *argv);
/** Runs final blocks and closes a trace. NULL is allowed. */
void vhp_verilated_destroy(void *top);
/** Start (or, with NULL, stop) an FST trace; 0, or -EIO if the file cannot be written. */
int vhp_verilated_trace(void *top, const char *path);
/** The RTL executed $finish. */
bool vhp_verilated_finished(void *top);

#ifdef __cplusplus
}
#endif
#endif
