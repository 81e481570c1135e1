// SPDX-License-Identifier: Apache-2.0
//
// The PCIe block: completer, requester (DMA), MSI-X, configuration space and FLR.
//
// Purpose     Everything between the hard block's user side and the rest of the card. Connects the modules of this folder
//             (README.md has the picture) and keeps the statistics.
// Ports       Names without suffix are the hard block's (PG213), 512 bit, straddle off.
//             rb       one access outstanding; the target must answer every one.
//             rd_req   valid/ready per client; rd_done one per request, in the order in which they end, at least 2 cycles
//                      after the last ram_wr of the request. An impossible length ends with DmaMalformed.
//             ram_wr   landing data, no back pressure.
//             wr_req   valid/ready per client; wr_cmpl one per command, in order per client. An MSI-X command that makes
//                      no message (masked and now pending, MSI-X off, no such vector) completes with DmaOk; an
//                      impossible length with DmaMalformed.
//             fn_flr_pending  see vhp_flr; fn_flr_done is a pulse.
//             idle_o   nothing is under way. The timed poll of Device Control (vhp_cfg_status) does not count: it can
//                      only repeat what the last one found while no input changes.
// Latency     Cycles from handshake to valid when nothing waits: read request to RQ 8, RC beat to ram_wr 6, write command
//             to RQ 12, 1-dword doorbell on CQ to rb 4.
// Parameters  ConfigFull  see vhp_cfg_ext. It also tells where the PCI Express capability is: 0x54 when 0x90 and up are
//                         user logic's, else 0x70 (the block's fixed place).
// Reset       Synchronous; requests are taken 256 cycles later.

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
  // The same of virtual functions; two bits of status each: bus master, enabled.
  input  logic [503:0] cfg_vf_status,
  input  logic [251:0] cfg_vf_flr_in_process,
  output logic [7:0]   cfg_vf_flr_func_num,
  output logic         cfg_vf_flr_done,
  input  logic [251:0] cfg_interrupt_msix_vf_enable,
  input  logic [251:0] cfg_interrupt_msix_vf_mask,

  // Host register accesses (BARs), except the MSI-X table and PBA, which are answered here.
  output logic             rb_req_valid_o,
  input  logic             rb_req_ready_i,
  output vhp_pkg::rb_req_t rb_req_o,
  input  logic             rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t rb_rsp_i,

  // Accesses to the apertures: the header of a request, the further beats of a write, the end of a read. Reads of host
  // memory for it land inside (client RdSoc, RAM addresses from 2^(RamAddrW-1)).
  output logic                  ap_req_valid_o,
  input  logic                  ap_req_ready_i,
  output vhp_pkg::ap_req_t      ap_req_o,
  output logic                  ap_beat_valid_o,
  input  logic                  ap_beat_ready_i,
  output vhp_pkg::ap_beat_t     ap_beat_o,
  input  logic                  ap_done_valid_i,
  input  vhp_pkg::dma_status_e  ap_done_i,
  input  logic                  ap_refused_i,      // pulse: a write was dropped
  input  logic [vhp_pkg::NumFn-1:0] ap_fn_busy_i,  // of the function's accesses one is under way: its FLR waits

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
  localparam int unsigned NumFn = vhp_pkg::NumFn;

  initial begin
    if (vhp_pkg::NumVf > 2) $fatal(1, "vhp_pcie: %0d virtual functions, 2 have numbers (%m)", vhp_pkg::NumVf);
  end

  // ---------------------------------------------------------------- physical and virtual functions: the block's ports of both
  logic [NumFn-1:0] master, present, in_process, block_msix_enable, block_msix_mask;
  for (genvar k = 0; k < NumFn; k++) begin : g_fn
    if (k < vhp_pkg::NumPf) begin : g_pf
      assign present[k]           = 1'b1;
      assign master[k]            = cfg_function_status[4*k+2];
      assign in_process[k]        = cfg_flr_in_process[k];
      assign block_msix_enable[k] = cfg_interrupt_msix_enable[k];
      assign block_msix_mask[k]   = cfg_interrupt_msix_mask[k];
    end else begin : g_vf
      assign present[k]           = cfg_vf_status[2*k];
      assign master[k]            = cfg_vf_status[2*k] && cfg_vf_status[2*k+1];
      assign in_process[k]        = cfg_vf_flr_in_process[k];
      assign block_msix_enable[k] = cfg_interrupt_msix_vf_enable[k];
      assign block_msix_mask[k]   = cfg_interrupt_msix_vf_mask[k];
    end
  end

  // ---------------------------------------------------------------- configuration
  logic [NumFn-1:0]      bme, flr, msix_clear, msix_cleared, drained, rd_fn_idle, wr_fn_idle, ap_fn_busy;
  logic [NumFn-1:0]      msix_enable_q, msix_mask_q;
  logic [NumFn-1:0][2:0] mps, mrrs;
  logic [2:0]            mps_max_q;
  logic                  ext_tag, rcb128, status_busy, flr_busy;
  vhp_pcie_pkg::fn_state_t [NumFn-1:0] fn;

  // Register bus masters: 0 the completer, 1 the window of PCI_CFG.
  logic             [1:0] m_req_valid, m_req_ready, m_rsp_valid;
  vhp_pkg::rb_req_t [1:0] m_req;
  logic                   ext_idle;

  vhp_cfg_ext #(.ConfigFull(ConfigFull)) u_cfg_ext (
    .clk_i, .rst_i,
    .read_received_i(cfg_ext_read_received), .write_received_i(cfg_ext_write_received),
    .register_number_i(cfg_ext_register_number), .function_number_i(cfg_ext_function_number),
    .write_data_i(cfg_ext_write_data), .write_byte_enable_i(cfg_ext_write_byte_enable),
    .read_data_o(cfg_ext_read_data), .read_data_valid_o(cfg_ext_read_data_valid), .flr_i(flr),
    .rb_req_valid_o(m_req_valid[1]), .rb_req_ready_i(m_req_ready[1]), .rb_req_o(m_req[1]),
    .rb_rsp_valid_i(m_rsp_valid[1]), .rb_rsp_i, .idle_o(ext_idle)
  );

  vhp_cfg_status #(.DevCtlDword(ConfigFull ? 10'h017 : 10'h01e)) u_cfg_status (
    .clk_i, .rst_i,
    .cfg_write_i(cfg_ext_write_received), .cfg_max_payload_i(cfg_max_payload), .cfg_max_read_req_i(cfg_max_read_req),
    .master_i(master), .cfg_rcb_status_i(cfg_rcb_status),
    .mgmt_addr_o(cfg_mgmt_addr), .mgmt_function_o(cfg_mgmt_function_number), .mgmt_read_o(cfg_mgmt_read),
    .mgmt_read_data_i(cfg_mgmt_read_data), .mgmt_done_i(cfg_mgmt_read_write_done),
    .bme_o(bme), .mps_o(mps), .mrrs_o(mrrs), .ext_tag_o(ext_tag), .rcb128_o(rcb128), .busy_o(status_busy)
  );
  assign cfg_mgmt_write       = 1'b0;
  assign cfg_mgmt_write_data  = 32'd0;
  assign cfg_mgmt_byte_enable = 4'd0;
  assign cfg_fc_sel           = 3'b100;     // transmit credits available

  vhp_flr u_flr (
    .clk_i, .rst_i, .in_process_i(in_process), .present_i(present), .parent_i(cfg_flr_in_process[vhp_pkg::VfPf]),
    .cfg_flr_done_o(cfg_flr_done), .cfg_vf_flr_done_o(cfg_vf_flr_done), .cfg_vf_flr_func_num_o(cfg_vf_flr_func_num),
    .flr_o(flr), .drained_i(drained), .msix_clear_o(msix_clear), .msix_cleared_i(msix_cleared),
    .pending_o(fn_flr_pending_o), .done_i(fn_flr_done_i), .busy_o(flr_busy)
  );
  assign drained = rd_fn_idle & wr_fn_idle & ~ap_fn_busy & ~ap_fn_busy_i;

  always_comb begin
    for (int unsigned k = 0; k < NumFn; k++) begin
      fn[k].flr  = flr[k];
      fn[k].bme  = bme[k];
      fn[k].mps  = mps[k];
      fn[k].mrrs = mrrs[k];
    end
  end

  // The pending bits see a change of enable, mask or function state two cycles after it.
  logic                  settle_q;
  logic [NumFn-1:0]      active_q;
  always_ff @(posedge clk_i) begin
    active_q <= bme & ~flr;
    settle_q <= !rst_i && (active_q != (bme & ~flr) || msix_enable_q != block_msix_enable ||
                           msix_mask_q != block_msix_mask);
  end

  logic [2:0] mps_max;
  always_comb begin
    mps_max = 3'd0;
    for (int unsigned k = 0; k < NumFn; k++) if (mps[k] > mps_max) mps_max = mps[k];
  end

  always_ff @(posedge clk_i) begin
    cfg_config_space_enable <= !rst_i && config_enable_i;
    msix_enable_q <= rst_i ? '0 : block_msix_enable;
    msix_mask_q   <= block_msix_mask;
    mps_max_q     <= mps_max;
  end
  assign fn_msix_enable_o = msix_enable_q;

  // ---------------------------------------------------------------- completer and MSI-X
  vhp_pkg::rb_req_t target_req;
  vhp_pkg::rb_rsp_t msix_rsp;
  logic msix_req_valid, msix_req_ready, msix_rsp_valid, cq_np_req, cq_ur, completer_idle, msix_idle;
  assign m_req[0]       = target_req;
  if (ConfigFull) begin : g_rb_mux
    vhp_rb_mux u_rb_mux (
      .clk_i, .rst_i, .m_req_valid_i(m_req_valid), .m_req_ready_o(m_req_ready), .m_req_i(m_req), .m_rsp_valid_o(m_rsp_valid),
      .t_req_valid_o(rb_req_valid_o), .t_req_ready_i(rb_req_ready_i), .t_req_o(rb_req_o), .t_rsp_valid_i(rb_rsp_valid_i)
    );
  end else begin : g_rb
    assign rb_req_valid_o = m_req_valid[0];
    assign rb_req_o       = m_req[0];
    assign m_req_ready    = {1'b0, rb_req_ready_i};
    assign m_rsp_valid    = {1'b0, rb_rsp_valid_i};
    wire unused_m         = &{1'b0, m_req_valid[1], m_req[1]};
  end
  assign pcie_cq_np_req = {1'b0, cq_np_req};

  vhp_completer u_completer (
    .clk_i, .rst_i,
    .cq_valid_i(m_axis_cq_tvalid), .cq_ready_o(m_axis_cq_tready), .cq_last_i(m_axis_cq_tlast),
    .cq_user_i(m_axis_cq_tuser), .cq_data_i(m_axis_cq_tdata), .cq_np_req_o(cq_np_req),
    .cc_valid_o(s_axis_cc_tvalid), .cc_ready_i(s_axis_cc_tready[0]), .cc_last_o(s_axis_cc_tlast),
    .cc_keep_o(s_axis_cc_tkeep), .cc_user_o(s_axis_cc_tuser), .cc_data_o(s_axis_cc_tdata),
    .req_o(target_req), .rb_req_valid_o(m_req_valid[0]), .rb_req_ready_i(m_req_ready[0]), .rb_rsp_valid_i(m_rsp_valid[0]),
    .rb_rsp_i,
    .msix_req_valid_o(msix_req_valid), .msix_req_ready_i(msix_req_ready),
    .msix_rsp_valid_i(msix_rsp_valid), .msix_rsp_i(msix_rsp),
    .flr_i(flr), .ap_req_valid_o, .ap_req_ready_i, .ap_req_o, .ap_beat_valid_o, .ap_beat_ready_i, .ap_beat_o,
    .ap_done_valid_i, .ap_done_i, .ap_fn_busy_o(ap_fn_busy), .ram_wr_valid_i(ram_wr_valid_o), .ram_wr_i(ram_wr_o),
    .ur_o(cq_ur), .idle_o(completer_idle)
  );

  logic lookup_valid, lookup_fire, lookup_done, lookup_send, lookup_pended, fire_valid, fire_ready;
  logic [7:0]  lookup_func, fire_func;
  logic [10:0] lookup_vector, fire_vector;
  logic [63:0] lookup_addr;
  logic [31:0] lookup_data;

  vhp_msix u_msix (
    .clk_i, .rst_i,
    .req_valid_i(msix_req_valid), .req_ready_o(msix_req_ready), .req_i(target_req),
    .rsp_valid_o(msix_rsp_valid), .rsp_o(msix_rsp),
    .lookup_valid_i(lookup_valid), .lookup_fire_i(lookup_fire), .lookup_func_i(lookup_func),
    .lookup_vector_i(lookup_vector), .lookup_done_o(lookup_done), .lookup_send_o(lookup_send),
    .lookup_pended_o(lookup_pended), .lookup_addr_o(lookup_addr), .lookup_data_o(lookup_data),
    .fire_valid_o(fire_valid), .fire_ready_i(fire_ready), .fire_func_o(fire_func), .fire_vector_o(fire_vector),
    .enable_i(msix_enable_q), .mask_i(msix_mask_q), .active_i(bme & ~flr), .clear_i(msix_clear),
    .cleared_o(msix_cleared), .idle_o(msix_idle)
  );

  // ---------------------------------------------------------------- requester
  logic rd_rq_valid, rd_rq_room, wr_rq_valid, wr_rq_ready, rd_idle, wr_idle, rq_idle;
  logic rd_error, rd_bad_tag, rd_malformed, wr_dropped, msix_sent, msix_pended;
  vhp_pcie_pkg::rq_read_t rd_rq;
  vhp_pcie_pkg::rq_beat_t wr_rq;
  logic [1:0]      seq_valid_q, wr_seq_valid;
  logic [1:0][5:0] seq_q;

  always_ff @(posedge clk_i) begin
    seq_valid_q <= rst_i ? 2'b00 : {pcie_rq_seq_num_vld1, pcie_rq_seq_num_vld0};
    seq_q       <= {pcie_rq_seq_num1, pcie_rq_seq_num0};
  end
  assign wr_seq_valid = seq_valid_q & {seq_q[1][5], seq_q[0][5]};

  vhp_rd_engine u_rd (
    .clk_i, .rst_i, .fn_i(fn), .ext_tag_i(ext_tag), .rcb128_i(rcb128),
    .req_valid_i(rd_req_valid_i), .req_ready_o(rd_req_ready_o), .req_i(rd_req_i),
    .done_valid_o(rd_done_valid_o), .done_o(rd_done_o), .ram_wr_valid_o, .ram_wr_o,
    .rq_valid_o(rd_rq_valid), .rq_o(rd_rq), .rq_room_i(rd_rq_room),
    .rc_valid_i(m_axis_rc_tvalid), .rc_ready_o(m_axis_rc_tready), .rc_last_i(m_axis_rc_tlast),
    .rc_user_i(m_axis_rc_tuser), .rc_data_i(m_axis_rc_tdata),
    .fn_idle_o(rd_fn_idle), .error_o(rd_error), .bad_tag_o(rd_bad_tag), .malformed_o(rd_malformed), .idle_o(rd_idle)
  );

  vhp_wr_engine u_wr (
    .clk_i, .rst_i, .fn_i(fn),
    .req_valid_i(wr_req_valid_i), .req_ready_o(wr_req_ready_o), .req_i(wr_req_i),
    .cmpl_valid_o(wr_cmpl_valid_o), .cmpl_o(wr_cmpl_o),
    .ram_wr_valid_i(ram_wr_valid_o), .ram_wr_i(ram_wr_o),
    .fire_valid_i(fire_valid), .fire_ready_o(fire_ready), .fire_func_i(fire_func), .fire_vector_i(fire_vector),
    .lookup_valid_o(lookup_valid), .lookup_fire_o(lookup_fire), .lookup_func_o(lookup_func),
    .lookup_vector_o(lookup_vector), .lookup_done_i(lookup_done), .lookup_send_i(lookup_send),
    .lookup_pended_i(lookup_pended), .lookup_addr_i(lookup_addr), .lookup_data_i(lookup_data),
    .rq_valid_o(wr_rq_valid), .rq_ready_i(wr_rq_ready), .rq_o(wr_rq),
    .seq_valid_i(wr_seq_valid), .seq_place_i({seq_q[1][4:0], seq_q[0][4:0]}),
    .fn_idle_o(wr_fn_idle), .dropped_o(wr_dropped), .msix_sent_o(msix_sent), .msix_pended_o(msix_pended),
    .idle_o(wr_idle)
  );

  vhp_rq_mux u_rq (
    .clk_i, .rst_i,
    .rd_valid_i(rd_rq_valid), .rd_room_o(rd_rq_room), .rd_i(rd_rq),
    .wr_valid_i(wr_rq_valid), .wr_ready_o(wr_rq_ready), .wr_i(wr_rq),
    .nph_av_i(pcie_tfc_nph_av), .fc_ph_i(cfg_fc_ph), .fc_pd_i(cfg_fc_pd), .mps_i(mps_max_q),
    .seq_valid_i(seq_valid_q), .seq_i(seq_q),
    .rq_valid_o(s_axis_rq_tvalid), .rq_ready_i(s_axis_rq_tready[0]), .rq_last_o(s_axis_rq_tlast),
    .rq_keep_o(s_axis_rq_tkeep), .rq_user_o(s_axis_rq_tuser), .rq_data_o(s_axis_rq_tdata), .idle_o(rq_idle)
  );

  // ---------------------------------------------------------------- errors and statistics
  always_ff @(posedge clk_i) begin
    cfg_err_cor_in   <= !rst_i && rd_bad_tag;
    cfg_err_uncor_in <= !rst_i && rd_malformed;
    stats_o.rd_errors   <= stats_o.rd_errors + 32'(rd_error);
    stats_o.wr_dropped  <= stats_o.wr_dropped + 32'(wr_dropped);
    stats_o.cq_ur       <= stats_o.cq_ur + 32'(cq_ur) + 32'(ap_refused_i);
    stats_o.msix_sent   <= stats_o.msix_sent + 32'(msix_sent);
    stats_o.msix_pended <= stats_o.msix_pended + 32'(msix_pended);
    if (rst_i) stats_o <= '0;
  end

  assign idle_o = completer_idle && msix_idle && rd_idle && wr_idle && rq_idle && !status_busy && !flr_busy && ext_idle &&
                  msix_enable_q == block_msix_enable && msix_mask_q == block_msix_mask &&
                  !settle_q;

  // Not needed: the link's state is in the others, the completer counts its own non-posted credit, credits of other
  // kinds than ours, tkeep where the descriptor tells the length, functions that are not built.
  wire unused = &{1'b0, user_lnk_up, m_axis_rc_tkeep, m_axis_cq_tkeep, s_axis_rq_tready[3:1], s_axis_cc_tready[3:1],
                  pcie_tfc_npd_av, pcie_cq_np_req_count, cfg_fc_nph, cfg_fc_npd, cfg_fc_cplh, cfg_fc_cpld,
                  cfg_function_status, cfg_flr_in_process, cfg_interrupt_msix_enable, cfg_interrupt_msix_mask,
                  cfg_vf_status, cfg_vf_flr_in_process, cfg_interrupt_msix_vf_enable, cfg_interrupt_msix_vf_mask};

endmodule
