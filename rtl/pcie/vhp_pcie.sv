// SPDX-License-Identifier: Apache-2.0
//
// The PCIe block: completer, requester (DMA), MSI-X, configuration space and FLR.

module vhp_pcie #(
  parameter bit ConfigFull = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_i,
  input  logic         user_lnk_up,
  // Requester request and completion.
  output logic [511:0] s_axis_rq_tdata,
  output logic [15:0]  s_axis_rq_tkeep,
  output logic         s_axis_rq_tlast,
  output logic [136:0] s_axis_rq_tuser,
  output logic         s_axis_rq_tvalid,
  input  logic [3:0]   s_axis_rq_tready,
  input  logic [511:0] m_axis_rc_tdata,
  input  logic [15:0]  m_axis_rc_tkeep,
  input  logic         m_axis_rc_tlast,
  input  logic [160:0] m_axis_rc_tuser,
  input  logic         m_axis_rc_tvalid,
  output logic         m_axis_rc_tready,
  // Completer request and completion.
  input  logic [511:0] m_axis_cq_tdata,
  input  logic [15:0]  m_axis_cq_tkeep,
  input  logic         m_axis_cq_tlast,
  input  logic [182:0] m_axis_cq_tuser,
  input  logic         m_axis_cq_tvalid,
  output logic         m_axis_cq_tready,
  output logic [511:0] s_axis_cc_tdata,
  output logic [15:0]  s_axis_cc_tkeep,
  output logic         s_axis_cc_tlast,
  output logic [80:0]  s_axis_cc_tuser,
  output logic         s_axis_cc_tvalid,
  input  logic [3:0]   s_axis_cc_tready,
  // Requester sequence numbers and credits, completer non-posted credit.
  input  logic [5:0]   pcie_rq_seq_num0,
  input  logic         pcie_rq_seq_num_vld0,
  input  logic [5:0]   pcie_rq_seq_num1,
  input  logic         pcie_rq_seq_num_vld1,
  input  logic [3:0]   pcie_tfc_nph_av,
  input  logic [3:0]   pcie_tfc_npd_av,
  output logic [1:0]   pcie_cq_np_req,
  input  logic [5:0]   pcie_cq_np_req_count,
  input  logic [7:0]   cfg_fc_ph,
  input  logic [11:0]  cfg_fc_pd,
  input  logic [7:0]   cfg_fc_nph,
  input  logic [11:0]  cfg_fc_npd,
  input  logic [7:0]   cfg_fc_cplh,
  input  logic [11:0]  cfg_fc_cpld,
  output logic [2:0]   cfg_fc_sel,
  // Configuration: status, management port, extension port.
  input  logic [1:0]   cfg_max_payload,
  input  logic [2:0]   cfg_max_read_req,
  input  logic [15:0]  cfg_function_status,
  input  logic [3:0]   cfg_rcb_status,
  output logic [9:0]   cfg_mgmt_addr,
  output logic [7:0]   cfg_mgmt_function_number,
  output logic         cfg_mgmt_write,
  output logic [31:0]  cfg_mgmt_write_data,
  output logic [3:0]   cfg_mgmt_byte_enable,
  output logic         cfg_mgmt_read,
  input  logic [31:0]  cfg_mgmt_read_data,
  input  logic         cfg_mgmt_read_write_done,
  input  logic         cfg_ext_read_received,
  input  logic         cfg_ext_write_received,
  input  logic [9:0]   cfg_ext_register_number,
  input  logic [7:0]   cfg_ext_function_number,
  input  logic [31:0]  cfg_ext_write_data,
  input  logic [3:0]   cfg_ext_write_byte_enable,
  output logic [31:0]  cfg_ext_read_data,
  output logic         cfg_ext_read_data_valid,
  output logic         cfg_config_space_enable,
  output logic         cfg_err_cor_in,
  output logic         cfg_err_uncor_in,
  // Function level reset.
  input  logic [3:0]   cfg_flr_in_process,
  output logic [3:0]   cfg_flr_done,
  // MSI-X control bits; the messages are posted writes on RQ.
  input  logic [3:0]   cfg_interrupt_msix_enable,
  input  logic [3:0]   cfg_interrupt_msix_mask,

  // Host register accesses (BARs), except the MSI-X table and PBA, which are answered here.
  output logic             rb_req_valid_o,
  input  logic             rb_req_ready_i,
  output vhp_pkg::rb_req_t rb_req_o,
  input  logic             rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t rb_rsp_i,

  // Reads of host memory, per client; landing data and done go to all, with the client's number.
  input  logic                 [vhp_pkg::NumRdClients-1:0] rd_req_valid_i,
  output logic                 [vhp_pkg::NumRdClients-1:0] rd_req_ready_o,
  input  vhp_pkg::dma_rd_req_t [vhp_pkg::NumRdClients-1:0] rd_req_i,
  output logic                                             rd_done_valid_o,
  output vhp_pkg::dma_rd_done_t                            rd_done_o,
  output logic                                             ram_wr_valid_o,
  output vhp_pkg::dma_ram_wr_t                             ram_wr_o,

  // Writes to host memory, per client, in order per client. The packet buffer is inside.
  input  logic                  [vhp_pkg::NumWrClients-1:0] wr_req_valid_i,
  output logic                  [vhp_pkg::NumWrClients-1:0] wr_req_ready_o,
  input  vhp_pkg::dma_wr_req_t  [vhp_pkg::NumWrClients-1:0] wr_req_i,
  output logic                  [vhp_pkg::NumWrClients-1:0] wr_cmpl_valid_o,
  output vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] wr_cmpl_o,

  // Functions. flr_pending stays until flr_done; the block itself has by then no request of the function left.
  output logic [vhp_pkg::NumFn-1:0] fn_flr_pending_o,
  input  logic [vhp_pkg::NumFn-1:0] fn_flr_done_i,
  output logic [vhp_pkg::NumFn-1:0] fn_msix_enable_o,
  input  logic                      config_enable_i,   // to cfg_config_space_enable

  output vhp_pkg::dma_stats_t stats_o,
  output logic                idle_o
);
endmodule
