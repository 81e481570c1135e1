// SPDX-License-Identifier: Apache-2.0
//
// Bench top of rtl/pcie: vhp_pcie with the card's ports, and C code (pcie_bench.c) as its clients and register target.
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

  output logic         card_idle_o
);

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
  logic                  [vhp_pkg::NumWrClients-1:0] wr_valid_q, wr_ready, wr_cmpl_valid;
  vhp_pkg::dma_wr_req_t  [vhp_pkg::NumWrClients-1:0] wr_req_q;
  vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] wr_cmpl;
  logic                  [NumFn-1:0]                 flr_pending, flr_done_q, msix_enable;
  vhp_pkg::dma_stats_t                               stats;
  logic                                              idle;

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
    .rb_req_valid_o(rb_req_valid), .rb_req_ready_i(rb_req_ready_q), .rb_req_o(rb_req),
    .rb_rsp_valid_i(rb_rsp_valid_q), .rb_rsp_i(rb_rsp_q),
    .rd_req_valid_i(rd_valid_q), .rd_req_ready_o(rd_ready), .rd_req_i(rd_req_q),
    .rd_done_valid_o(rd_done_valid), .rd_done_o(rd_done), .ram_wr_valid_o(ram_wr_valid), .ram_wr_o(ram_wr),
    .wr_req_valid_i(wr_valid_q), .wr_req_ready_o(wr_ready), .wr_req_i(wr_req_q),
    .wr_cmpl_valid_o(wr_cmpl_valid), .wr_cmpl_o(wr_cmpl),
    .fn_flr_pending_o(flr_pending), .fn_flr_done_i(flr_done_q), .fn_msix_enable_o(msix_enable),
    .config_enable_i(1'b1), .stats_o(stats), .idle_o(idle)
  );

  assign card_idle_o = idle && rd_valid_q == '0 && wr_valid_q == '0 && !rb_busy_q;

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
      else if (!rd_valid_q[c] || rd_ready[c]) begin
        rd_valid_q[c] <= bench_rd_req(c, rd_func, rd_addr, rd_len, rd_ram, rd_cookie);
        rd_req_q[c]   <= {rd_func, rd_addr, rd_len[16:0], rd_ram[16:0], rd_cookie[9:0]};
      end
    end
    if (!user_reset) begin
      if (ram_wr_valid) begin
        for (int b = 0; b < 2; b++)
          if (ram_wr.we[b]) bench_ram(32'(ram_wr.client), b, 32'(ram_wr.row[b]), ram_wr.be[b], ram_wr.data[b]);
      end
      if (rd_done_valid) bench_rd_done(32'(rd_done.client), 32'(rd_done.cookie), 32'(rd_done.status));
    end
  end

  // ---------------------------------------------------------------- write clients
  bit [7:0]   wr_func;
  bit [63:0]  wr_addr;
  bit [31:0]  wr_kind, wr_len, wr_ram, wr_patch;
  bit [511:0] wr_imm;
  always_ff @(posedge user_clk) begin
    for (int c = 0; c < int'(vhp_pkg::NumWrClients); c++) begin
      if (user_reset) wr_valid_q[c] <= 1'b0;
      else begin
        if (wr_valid_q[c] && wr_ready[c]) bench_wr_taken(c);
        if (!wr_valid_q[c] || wr_ready[c]) begin
          wr_valid_q[c] <= bench_wr_req(c, wr_kind, wr_func, wr_addr, wr_len, wr_ram, wr_patch, wr_imm);
          wr_req_q[c]   <= {wr_kind[1:0], wr_func, 2'd0, wr_addr, wr_len[16:0], wr_ram[16:0], wr_patch[20:0], wr_imm};
        end
        if (wr_cmpl_valid[c]) bench_wr_cmpl(c, 32'(wr_cmpl[c].status));
      end
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
