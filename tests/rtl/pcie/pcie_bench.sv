// SPDX-License-Identifier: Apache-2.0
//
// Bench top of rtl/pcie and rtl/aperture: vhp_pcie and vhp_peer_mem with the card's ports, and C code (bench.c) as their
// clients, register target and firmware.
//
// Every cycle each port asks C for a request when it is free, and tells C what came out.

module pcie_bench #(
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

  // C sees packed vectors as arrays of 32-bit words.
  import "DPI-C" function bit bench_rd_req(input int client, output bit [7:0] func, output bit [63:0] addr,
                                           output bit [31:0] len, output bit [31:0] ram, output bit [31:0] cookie);
  import "DPI-C" function void bench_rd_done(input int client, input int cookie, input int status);
  import "DPI-C" function void bench_ram(input int client, input int bank, input int row, input bit [63:0] be,
                                         input bit [511:0] data);
  import "DPI-C" function bit bench_wr_req(input int client, output bit [31:0] kind, output bit [7:0] func,
                                           output bit [63:0] addr, output bit [31:0] len, output bit [31:0] ram,
                                           output bit [31:0] patch, output bit [511:0] imm);
  import "DPI-C" function void bench_wr_taken(input int client);
  import "DPI-C" function void bench_wr_cmpl(input int client, input int status);
  import "DPI-C" function bit bench_rb_ready();
  import "DPI-C" function void bench_rb(input bit [7:0] func, input int bar, input int addr, input bit write,
                                        input int be, input int wdata, output bit err, output bit [31:0] rdata,
                                        output bit [31:0] delay);
  import "DPI-C" function bit bench_fw_req(output bit write, output bit [31:0] addr, output bit [31:0] data);
  import "DPI-C" function void bench_fw_rsp(input bit err, input int rdata);
  import "DPI-C" function int bench_fn(input int flr_pending, input int msix_enable);
  import "DPI-C" function void bench_stats(input int rd_errors, input int wr_dropped, input int cq_ur, input int sent,
                                           input int pended);

  localparam int unsigned NumFn = vhp_pkg::NumFn;

  logic             rb_req_valid, rb_req_ready_q, rb_rsp_valid_q;
  vhp_pkg::rb_req_t rb_req;
  vhp_pkg::rb_rsp_t rb_rsp_q, rb_held_q;
  logic             rb_busy_q;
  logic [31:0]      rb_wait_q;

  logic                  [vhp_pkg::NumRdClients-1:0] rd_valid_q, rd_ready;
  vhp_pkg::dma_rd_req_t  [vhp_pkg::NumRdClients-1:0] rd_req_q;
  logic                                              rd_done_valid, ram_wr_valid;
  vhp_pkg::dma_rd_done_t                             rd_done;
  vhp_pkg::dma_ram_wr_t                              ram_wr;
  logic                  [vhp_pkg::NumWrClients-1:0] wr_ready, wr_cmpl_valid;
  vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] wr_cmpl;
  logic                  [NumFn-1:0]                 flr_pending, flr_done_q, msix_enable;
  vhp_pkg::dma_stats_t                               stats;
  logic                                              idle;

  // What C drives, and what the block gets: the SoC's reads, the notifications and the log pass through vhp_peer_mem.
  localparam int unsigned WrC = vhp_pkg::NumWrClients - 1;
  logic                  [WrC-1:0]                   wr_valid_q, c_wr_ready;
  vhp_pkg::dma_wr_req_t  [WrC-1:0]                   wr_req_q;
  logic                  [vhp_pkg::NumRdClients-1:0] p_rd_valid, c_rd_ready;
  vhp_pkg::dma_rd_req_t  [vhp_pkg::NumRdClients-1:0] p_rd_req;
  logic                  [vhp_pkg::NumWrClients-1:0] p_wr_valid;
  vhp_pkg::dma_wr_req_t  [vhp_pkg::NumWrClients-1:0] p_wr_req;
  logic                  ap_req_valid, ap_req_ready, ap_beat_valid, ap_beat_ready, ap_done_valid, ap_refused, peer_idle;
  vhp_pkg::ap_req_t      ap_req;
  vhp_pkg::ap_beat_t     ap_beat;
  vhp_pkg::dma_status_e  ap_done;
  logic [NumFn-1:0]      ap_fn_busy;
  logic                  fw_valid_q, fw_ready, fw_rsp_valid;
  vhp_pkg::rb_req_t      fw_req_q;
  vhp_pkg::rb_rsp_t      fw_rsp;
  assign p_rd_valid[2:0] = rd_valid_q[2:0];
  assign p_rd_req[2:0]   = rd_req_q[2:0];
  assign c_rd_ready[2:0] = rd_ready[2:0];
  assign p_wr_valid[1:0] = wr_valid_q[1:0];
  assign p_wr_req[1:0]   = wr_req_q[1:0];
  assign c_wr_ready[1:0] = wr_ready[1:0];

  vhp_peer_mem u_peer_mem (
    .clk_i(user_clk), .rst_i(user_reset),
    .rb_req_valid_i(fw_valid_q), .rb_req_ready_o(fw_ready), .rb_req_i(fw_req_q),
    .rb_rsp_valid_o(fw_rsp_valid), .rb_rsp_o(fw_rsp),
    .ap_req_valid_i(ap_req_valid), .ap_req_ready_o(ap_req_ready), .ap_req_i(ap_req),
    .ap_beat_valid_i(ap_beat_valid), .ap_beat_ready_o(ap_beat_ready), .ap_beat_i(ap_beat),
    .ap_done_valid_o(ap_done_valid), .ap_done_o(ap_done), .ap_refused_o(ap_refused), .ap_fn_busy_o(ap_fn_busy),
    .soc_rd_valid_i(rd_valid_q[vhp_pkg::RdSoc]), .soc_rd_ready_o(c_rd_ready[vhp_pkg::RdSoc]),
    .soc_rd_i(rd_req_q[vhp_pkg::RdSoc]),
    .rd_valid_o(p_rd_valid[vhp_pkg::RdSoc]), .rd_ready_i(rd_ready[vhp_pkg::RdSoc]), .rd_o(p_rd_req[vhp_pkg::RdSoc]),
    .rd_done_valid_i(rd_done_valid), .rd_done_i(rd_done),
    .ntf_wr_valid_i(wr_valid_q[vhp_pkg::WrNotify]), .ntf_wr_ready_o(c_wr_ready[vhp_pkg::WrNotify]),
    .ntf_wr_i(wr_req_q[vhp_pkg::WrNotify]),
    .wr_valid_o(p_wr_valid[vhp_pkg::WrNotify]), .wr_ready_i(wr_ready[vhp_pkg::WrNotify]),
    .wr_o(p_wr_req[vhp_pkg::WrNotify]),
    .wr_cmpl_valid_i(wr_cmpl_valid[vhp_pkg::WrNotify]), .wr_cmpl_i(wr_cmpl[vhp_pkg::WrNotify]),
    .lane_taken_i(p_wr_valid[vhp_pkg::WrLane] && wr_ready[vhp_pkg::WrLane]), .lane_wr_i(p_wr_req[vhp_pkg::WrLane]),
    .lane_cmpl_i(wr_cmpl_valid[vhp_pkg::WrLane]),
    .log_wr_valid_o(p_wr_valid[vhp_pkg::WrLog]), .log_wr_ready_i(wr_ready[vhp_pkg::WrLog]),
    .log_wr_o(p_wr_req[vhp_pkg::WrLog]),
    .log_cmpl_valid_i(wr_cmpl_valid[vhp_pkg::WrLog]), .log_cmpl_i(wr_cmpl[vhp_pkg::WrLog]),
    .idle_o(peer_idle)
  );

  // Completions of the notification stream that are C's: a bit per command.
  logic       own_q [64];
  logic [5:0] own_put_q, own_get_q;
  always_ff @(posedge user_clk) begin
    if (p_wr_valid[vhp_pkg::WrNotify] && wr_ready[vhp_pkg::WrNotify]) begin
      own_q[own_put_q] <= c_wr_ready[vhp_pkg::WrNotify] && wr_valid_q[vhp_pkg::WrNotify];
      own_put_q        <= own_put_q + 6'd1;
    end
    if (wr_cmpl_valid[vhp_pkg::WrNotify]) own_get_q <= own_get_q + 6'd1;
    if (user_reset) begin
      own_put_q <= '0;
      own_get_q <= '0;
    end
  end

  vhp_pcie #(.ConfigFull(ConfigFull)) u_dut (
    .clk_i(user_clk),
    .rst_i(user_reset),
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
    .rb_req_valid_o(rb_req_valid), .rb_req_ready_i(rb_req_ready_q), .rb_req_o(rb_req),
    .rb_rsp_valid_i(rb_rsp_valid_q), .rb_rsp_i(rb_rsp_q),
    .ap_req_valid_o(ap_req_valid), .ap_req_ready_i(ap_req_ready), .ap_req_o(ap_req),
    .ap_beat_valid_o(ap_beat_valid), .ap_beat_ready_i(ap_beat_ready), .ap_beat_o(ap_beat),
    .ap_done_valid_i(ap_done_valid), .ap_done_i(ap_done), .ap_refused_i(ap_refused), .ap_fn_busy_i(ap_fn_busy),
    .rd_req_valid_i(p_rd_valid), .rd_req_ready_o(rd_ready), .rd_req_i(p_rd_req),
    .rd_done_valid_o(rd_done_valid), .rd_done_o(rd_done), .ram_wr_valid_o(ram_wr_valid), .ram_wr_o(ram_wr),
    .wr_req_valid_i(p_wr_valid), .wr_req_ready_o(wr_ready), .wr_req_i(p_wr_req),
    .wr_cmpl_valid_o(wr_cmpl_valid), .wr_cmpl_o(wr_cmpl),
    .fn_flr_pending_o(flr_pending), .fn_flr_done_i(flr_done_q), .fn_msix_enable_o(msix_enable),
    .config_enable_i(1'b1), .stats_o(stats), .idle_o(idle)
  );

  assign card_idle_o = idle && rd_valid_q == '0 && wr_valid_q == '0 && !rb_busy_q && peer_idle && !fw_valid_q;

  // ---------------------------------------------------------------- register target
  bit        rb_err;
  bit [31:0] rb_rdata, rb_delay;
  always_ff @(posedge user_clk) begin
    rb_rsp_valid_q <= 1'b0;
    rb_req_ready_q <= 1'b0;
    if (user_reset) begin
      rb_busy_q <= 1'b0;
    end else if (rb_busy_q) begin
      rb_wait_q <= rb_wait_q - 32'd1;
      if (rb_wait_q == 32'd0) begin
        rb_busy_q      <= 1'b0;
        rb_rsp_valid_q <= 1'b1;
        rb_rsp_q       <= rb_held_q;
      end
    end else if (rb_req_valid && rb_req_ready_q) begin
      bench_rb(rb_req.func, 32'(rb_req.bar), 32'(rb_req.addr), rb_req.write, 32'(rb_req.be), rb_req.wdata, rb_err, rb_rdata,
               rb_delay);
      rb_busy_q <= 1'b1;
      rb_wait_q <= rb_delay;
      rb_held_q <= {rb_err, rb_rdata};
    end else begin
      rb_req_ready_q <= bench_rb_ready();
    end
  end

  // ---------------------------------------------------------------- read clients
  bit [7:0]  rd_func;
  bit [63:0] rd_addr;
  bit [31:0] rd_len, rd_ram, rd_cookie;
  always_ff @(posedge user_clk) begin
    for (int c = 0; c < int'(vhp_pkg::NumRdClients); c++) begin
      if (user_reset) rd_valid_q[c] <= 1'b0;
      else if (!rd_valid_q[c] || c_rd_ready[c]) begin
        rd_valid_q[c] <= bench_rd_req(c, rd_func, rd_addr, rd_len, rd_ram, rd_cookie);
        rd_req_q[c]   <= {rd_func, rd_addr, rd_len[16:0], rd_ram[16:0], rd_cookie[9:0]};
      end
    end
    if (!user_reset) begin
      if (ram_wr_valid) begin
        for (int b = 0; b < 2; b++)
          if (ram_wr.we[b] && !(ram_wr.client == vhp_pkg::RdSoc && ram_wr.row[b][9]))
            bench_ram(32'(ram_wr.client), b, 32'(ram_wr.row[b]), ram_wr.be[b], ram_wr.data[b]);
      end
      if (rd_done_valid && !(rd_done.client == vhp_pkg::RdSoc && rd_done.cookie[9]))
        bench_rd_done(32'(rd_done.client), 32'(rd_done.cookie), 32'(rd_done.status));
    end
  end

  // ---------------------------------------------------------------- write clients
  bit [7:0]   wr_func;
  bit [63:0]  wr_addr;
  bit [31:0]  wr_kind, wr_len, wr_ram, wr_patch;
  bit [511:0] wr_imm;
  always_ff @(posedge user_clk) begin
    for (int c = 0; c < int'(WrC); c++) begin
      if (user_reset) wr_valid_q[c] <= 1'b0;
      else begin
        if (wr_valid_q[c] && c_wr_ready[c]) bench_wr_taken(c);
        if (!wr_valid_q[c] || c_wr_ready[c]) begin
          wr_valid_q[c] <= bench_wr_req(c, wr_kind, wr_func, wr_addr, wr_len, wr_ram, wr_patch, wr_imm);
          wr_req_q[c]   <= {wr_kind[1:0], wr_func, 2'd0, wr_addr, wr_len[16:0], wr_ram[16:0], wr_patch[20:0], wr_imm};
        end
        if (wr_cmpl_valid[c] && (c != int'(vhp_pkg::WrNotify) || own_q[own_get_q]))
          bench_wr_cmpl(c, 32'(wr_cmpl[c].status));
      end
    end
  end

  // ---------------------------------------------------------------- firmware
  bit        fw_write;
  bit [31:0] fw_addr, fw_data;
  always_ff @(posedge user_clk) begin
    if (user_reset) begin
      fw_valid_q <= 1'b0;
    end else begin
      if (!fw_valid_q || fw_ready) begin
        fw_valid_q <= bench_fw_req(fw_write, fw_addr, fw_data);
        fw_req_q   <= '{func: 8'd0, bar: 3'd0, addr: fw_addr[23:0], write: fw_write, be: 4'hf, wdata: fw_data};
      end
      if (fw_rsp_valid) bench_fw_rsp(fw_rsp.err, fw_rsp.rdata);
    end
  end

  // ---------------------------------------------------------------- functions
  always_ff @(posedge user_clk) begin
    if (user_reset) begin
      flr_done_q <= '0;
    end else begin
      flr_done_q <= NumFn'(bench_fn(32'(flr_pending), 32'(msix_enable)));
      bench_stats(stats.rd_errors, stats.wr_dropped, stats.cq_ur, stats.msix_sent, stats.msix_pended);
    end
  end

  wire unused = &{1'b0, rd_len, rd_ram, rd_cookie, wr_kind, wr_len, wr_ram, wr_patch};

endmodule
