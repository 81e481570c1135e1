// SPDX-License-Identifier: Apache-2.0
//
// Top of the bench: vhp_pcie and vhp_lanes with the hard block's ports, without control and firmware.
//
// fn0 BAR 0 is addrmap vhp_lane. fn0 BAR 2: page 0..15 doorbell of that queue; page 63: counters of this file, one dword
// each, cycles since a write to the page.

module vhp_perf_top #(
  parameter bit ConfigFull = 1'b0
) (
  input  logic         user_clk,
  input  logic         user_reset,
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
  // The same of virtual functions; two bits of status each: bus master, enabled.
  input  logic [503:0] cfg_vf_status,
  input  logic [251:0] cfg_vf_flr_in_process,
  output logic [7:0]   cfg_vf_flr_func_num,
  output logic         cfg_vf_flr_done,
  input  logic [251:0] cfg_interrupt_msix_vf_enable,
  input  logic [251:0] cfg_interrupt_msix_vf_mask,
  // Configuration flash, ICAP, identity of the running image.
  output logic         flash_sck,
  output logic [1:0]   flash_cs_n,
  output logic [3:0]   flash_dq_out,
  output logic [3:0]   flash_dq_tri,
  input  logic [7:0]   flash_dq_in,
  output logic         icap_csib,
  output logic         icap_rdwrb,
  output logic [31:0]  icap_i,
  input  logic         icap_avail,
  input  logic [31:0]  usr_access_data,

  output logic         card_idle_o
);

  // No flash here.
  assign flash_sck    = 1'b0;
  assign flash_cs_n   = '1;
  assign flash_dq_out = '0;
  assign flash_dq_tri = '1;
  assign icap_csib    = 1'b1;
  assign icap_rdwrb   = 1'b1;
  assign icap_i       = '1;
  wire unused_flash   = &{1'b0, flash_dq_in, icap_avail, usr_access_data};

  logic                rb_valid, rb_ready, rsp_valid, lane_rb_ready, lane_rsp_valid, own_rsp_q;
  vhp_pkg::rb_req_t    rb;
  vhp_pkg::rb_rsp_t    rsp, lane_rsp, own_q;
  logic [vhp_pkg::NumRdClients-1:0]                 rd_valid, rd_ready;
  vhp_pkg::dma_rd_req_t [vhp_pkg::NumRdClients-1:0] rd;
  logic                 done_valid, ram_valid;
  vhp_pkg::dma_rd_done_t done;
  vhp_pkg::dma_ram_wr_t ram;
  logic [vhp_pkg::NumWrClients-1:0]                  wr_valid, wr_ready, cmpl_valid;
  vhp_pkg::dma_wr_req_t [vhp_pkg::NumWrClients-1:0]  wr;
  vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] cmpl;
  logic [vhp_pkg::NumFn-1:0] flr, msix_enable;
  logic                 pcie_idle, lanes_idle, kick_q;
  vhp_pkg::qid_t        kick_qid_q;
  logic                 own;

  assign own       = rb.bar == 3'd2;
  assign rb_ready  = own ? 1'b1 : lane_rb_ready;
  assign rsp_valid = own_rsp_q || lane_rsp_valid;
  assign rsp       = own_rsp_q ? own_q : lane_rsp;

  vhp_pcie #(.ConfigFull(ConfigFull)) u_pcie (
    .clk_i (user_clk), .rst_i (user_reset),
    .user_lnk_up,
    .s_axis_rq_tdata,
    .s_axis_rq_tkeep,
    .s_axis_rq_tlast,
    .s_axis_rq_tuser,
    .s_axis_rq_tvalid,
    .s_axis_rq_tready,
    .m_axis_rc_tdata,
    .m_axis_rc_tkeep,
    .m_axis_rc_tlast,
    .m_axis_rc_tuser,
    .m_axis_rc_tvalid,
    .m_axis_rc_tready,
    .m_axis_cq_tdata,
    .m_axis_cq_tkeep,
    .m_axis_cq_tlast,
    .m_axis_cq_tuser,
    .m_axis_cq_tvalid,
    .m_axis_cq_tready,
    .s_axis_cc_tdata,
    .s_axis_cc_tkeep,
    .s_axis_cc_tlast,
    .s_axis_cc_tuser,
    .s_axis_cc_tvalid,
    .s_axis_cc_tready,
    .pcie_rq_seq_num0,
    .pcie_rq_seq_num_vld0,
    .pcie_rq_seq_num1,
    .pcie_rq_seq_num_vld1,
    .pcie_tfc_nph_av,
    .pcie_tfc_npd_av,
    .pcie_cq_np_req,
    .pcie_cq_np_req_count,
    .cfg_fc_ph,
    .cfg_fc_pd,
    .cfg_fc_nph,
    .cfg_fc_npd,
    .cfg_fc_cplh,
    .cfg_fc_cpld,
    .cfg_fc_sel,
    .cfg_max_payload,
    .cfg_max_read_req,
    .cfg_function_status,
    .cfg_rcb_status,
    .cfg_mgmt_addr,
    .cfg_mgmt_function_number,
    .cfg_mgmt_write,
    .cfg_mgmt_write_data,
    .cfg_mgmt_byte_enable,
    .cfg_mgmt_read,
    .cfg_mgmt_read_data,
    .cfg_mgmt_read_write_done,
    .cfg_ext_read_received,
    .cfg_ext_write_received,
    .cfg_ext_register_number,
    .cfg_ext_function_number,
    .cfg_ext_write_data,
    .cfg_ext_write_byte_enable,
    .cfg_ext_read_data,
    .cfg_ext_read_data_valid,
    .cfg_config_space_enable,
    .cfg_err_cor_in,
    .cfg_err_uncor_in,
    .cfg_flr_in_process,
    .cfg_flr_done,
    .cfg_interrupt_msix_enable,
    .cfg_interrupt_msix_mask,
    .cfg_vf_status,
    .cfg_vf_flr_in_process,
    .cfg_vf_flr_func_num,
    .cfg_vf_flr_done,
    .cfg_interrupt_msix_vf_enable,
    .cfg_interrupt_msix_vf_mask,
    .rb_req_valid_o (rb_valid), .rb_req_ready_i (rb_ready), .rb_req_o (rb), .rb_rsp_valid_i (rsp_valid), .rb_rsp_i (rsp),
    .ap_req_valid_o (), .ap_req_ready_i (1'b1), .ap_req_o (), .ap_beat_valid_o (), .ap_beat_ready_i (1'b1), .ap_beat_o (),
    .ap_done_valid_i (1'b0), .ap_done_i (vhp_pkg::DmaOk), .ap_refused_i (1'b0), .ap_fn_busy_i ('0),
    .rd_req_valid_i (rd_valid), .rd_req_ready_o (rd_ready), .rd_req_i (rd),
    .rd_done_valid_o (done_valid), .rd_done_o (done), .ram_wr_valid_o (ram_valid), .ram_wr_o (ram),
    .wr_req_valid_i (wr_valid), .wr_req_ready_o (wr_ready), .wr_req_i (wr),
    .wr_cmpl_valid_o (cmpl_valid), .wr_cmpl_o (cmpl),
    .fn_flr_pending_o (flr), .fn_flr_done_i (flr), .fn_msix_enable_o (msix_enable),
    .config_enable_i (1'b1), .stats_o (), .idle_o (pcie_idle)
  );

  vhp_lanes u_lanes (
    .clk_i (user_clk), .rst_i (user_reset),
    .rb_req_valid_i (rb_valid && !own), .rb_req_ready_o (lane_rb_ready), .rb_req_i (rb),
    .rb_rsp_valid_o (lane_rsp_valid), .rb_rsp_o (lane_rsp),
    .kick_valid_i (kick_q), .kick_qid_i (kick_qid_q),
    .rd_req_valid_o (rd_valid[2:0]), .rd_req_ready_i (rd_ready[2:0]), .rd_req_o (rd[2:0]),
    .rd_done_valid_i (done_valid), .rd_done_i (done), .ram_wr_valid_i (ram_valid), .ram_wr_i (ram),
    .wr_req_valid_o (wr_valid[vhp_pkg::WrLane]), .wr_req_ready_i (wr_ready[vhp_pkg::WrLane]),
    .wr_req_o (wr[vhp_pkg::WrLane]), .wr_cmpl_valid_i (cmpl_valid[vhp_pkg::WrLane]), .wr_cmpl_i (cmpl[vhp_pkg::WrLane]),
    .fn_msix_enable_i (msix_enable), .isr_set_o (), .irq_o (), .idle_o (lanes_idle)
  );

  assign rd_valid[3] = 1'b0;
  assign rd[3]       = '0;
  assign wr_valid[3:1] = '0;
  assign wr[3:1]     = '0;
  assign card_idle_o = pcie_idle && lanes_idle && !kick_q;

  // ---------------------------------------------------------------- counters: where the lanes wait
  localparam int unsigned Counters = 8;
  logic [Counters-1:0][31:0] count_q;
  logic [Counters-1:0]       hit;

  always_comb begin
    hit    = '0;
    hit[0] = rd_valid[2] && !rd_ready[2];                                   // payload read waits for the DMA
    hit[1] = |(rd_valid[1:0] & ~rd_ready[1:0]);                             // ring read waits for the DMA
    hit[2] = wr_valid[vhp_pkg::WrLane] && !wr_ready[vhp_pkg::WrLane];       // write command waits for the DMA
    hit[3] = u_lanes.u_planner.cand_q == '0 && u_lanes.u_planner.blocked_q == '0;  // no source chain is ready
    hit[4] = u_lanes.u_planner.blocked_q != '0;                             // no sink chain is ready
    hit[5] = u_lanes.u_planner.go && !u_lanes.u_planner.plan;               // packet table, buffer or job queue is full
    hit[6] = u_lanes.u_writer.pkt_there_i && !u_lanes.u_writer.pkt_done_i;  // the oldest packet waits for its payload
    hit[7] = u_lanes.u_writer.wr_valid_o && !u_lanes.u_writer.wr_ready_i;   // the writer waits for the stream
  end

  always_ff @(posedge user_clk) begin
    kick_q     <= rb_valid && own && rb.write && rb.addr[23:12] < 12'(vhp_pkg::NumQueues);
    kick_qid_q <= rb.addr[12 +: vhp_pkg::QidW];
    own_rsp_q  <= rb_valid && own && !user_reset;
    own_q.err   <= 1'b0;
    own_q.rdata <= count_q[rb.addr[4:2]];
    for (int unsigned i = 0; i < Counters; i++) if (hit[i]) count_q[i] <= count_q[i] + 32'd1;
    if (user_reset || (rb_valid && own && rb.write && rb.addr[17:12] == 6'd63)) count_q <= '0;
  end

endmodule
