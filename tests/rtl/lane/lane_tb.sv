// SPDX-License-Identifier: Apache-2.0
//
// Bench of vhp_lanes alone: clock, reset and the DPI-C calls. The DMA, the guests' memories and their drivers are C
// (dma_model.c, virtq.c), as are the lanes' cases (lane.h) and the tests (test_*.c).

module lane_tb;

  import "DPI-C" context function int tb_init(input string test, input int unsigned seed);
  import "DPI-C" context function void tb_rd_req(input int client, input int func, input longint unsigned addr,
                                                 input int len, input int ram_addr, input int cookie);
  import "DPI-C" context function void tb_wr_req(input int kind, input int func, input longint unsigned addr,
                                                 input int len, input int ram_addr, input bit patch, input int patch_off,
                                                 input int num_buffers, input bit [511:0] imm, input int port);
  import "DPI-C" context function void tb_rb_rsp(input bit err, input int unsigned rdata);
  import "DPI-C" context function void tb_isr(input int mask);
  // One cycle: 1 = the test has ended.
  import "DPI-C" context function int tb_step(
    input bit idle, input bit irq, input bit rb_taken,
    output bit [2:0] rd_ready, output bit wr_ready, output bit wr_cmpl,
    output bit done_valid, output int done_client, output int done_cookie, output int done_status,
    output bit ram_valid, output int ram_client, output bit [1:0] ram_we, output int ram_row0, output int ram_row1,
    output bit [63:0] ram_be0, output bit [63:0] ram_be1, output bit [511:0] ram_data0, output bit [511:0] ram_data1,
    output bit kick_valid, output int kick_qid, output int msix_enable,
    output bit rb_valid, output int rb_addr, output bit rb_write, output int rb_be, output int unsigned rb_wdata);

  logic clk = 1'b0, rst = 1'b1;
  always #1 clk = !clk;

  logic                 rb_valid = 0, rb_ready, rb_rsp_valid;
  vhp_pkg::rb_req_t     rb_req = '0;
  vhp_pkg::rb_rsp_t     rb_rsp;
  logic                 kick_valid = 0;
  vhp_pkg::qid_t        kick_qid = '0;
  logic [2:0]           rd_valid, rd_ready = '0;
  vhp_pkg::dma_rd_req_t [2:0] rd_req;
  logic                 done_valid = 0, ram_valid = 0, wr_valid, wr_ready = 0, cmpl_valid = 0;
  vhp_pkg::dma_rd_done_t done = '0;
  vhp_pkg::dma_ram_wr_t ram = '0;
  vhp_pkg::dma_wr_req_t wr_req;
  vhp_pkg::dma_wr_cmpl_t cmpl;
  logic [vhp_pkg::NumFn-1:0] msix_enable = '0;
  logic [vhp_pkg::NumPorts-1:0] isr;
  logic                 irq, idle;
  assign cmpl.status = vhp_pkg::DmaOk;

  vhp_lanes dut (
    .clk_i (clk), .rst_i (rst),
    .rb_req_valid_i (rb_valid), .rb_req_ready_o (rb_ready), .rb_req_i (rb_req),
    .rb_rsp_valid_o (rb_rsp_valid), .rb_rsp_o (rb_rsp),
    .kick_valid_i (kick_valid), .kick_qid_i (kick_qid),
    .rd_req_valid_o (rd_valid), .rd_req_ready_i (rd_ready), .rd_req_o (rd_req),
    .rd_done_valid_i (done_valid), .rd_done_i (done), .ram_wr_valid_i (ram_valid), .ram_wr_i (ram),
    .wr_req_valid_o (wr_valid), .wr_req_ready_i (wr_ready), .wr_req_o (wr_req),
    .wr_cmpl_valid_i (cmpl_valid), .wr_cmpl_i (cmpl),
    .fn_msix_enable_i (msix_enable), .isr_set_o (isr), .irq_o (irq), .idle_o (idle)
  );

  bit [2:0]   n_rd_ready;
  bit         n_wr_ready, n_cmpl, n_done, n_ram, n_kick, n_rb, n_rb_write;
  bit [1:0]   n_we;
  bit [63:0]  n_be0, n_be1;
  bit [511:0] n_data0, n_data1;
  int         n_done_client, n_done_cookie, n_done_status, n_ram_client, n_row0, n_row1, n_kick_qid, n_msix, n_addr, n_be;
  int unsigned n_wdata;
  int         cycle = 0, over = 0;
  string      test;
  int unsigned seed;

  initial begin
    test = "directed";
    seed = 1;
    void'($value$plusargs("test=%s", test));
    void'($value$plusargs("seed=%d", seed));
    if (tb_init(test, seed) != 0) $fatal(1, "unknown test");
    if ($test$plusargs("trace")) begin
      $dumpfile("lane.fst");
      $dumpvars(0, lane_tb);
    end
  end

  // The previous valid request must stay as it is until it is taken.
  logic [2:0]                 held_q = '0;
  vhp_pkg::dma_rd_req_t [2:0] held_req_q;
  logic                       held_wr_q = 1'b0;
  vhp_pkg::dma_wr_req_t       held_wr_req_q;

  always @(posedge clk) begin
    cycle <= cycle + 1;
    rst   <= cycle < 20;
    if (!rst) begin
      for (int c = 0; c < 3; c++) begin
        if (held_q[c] && (!rd_valid[c] || rd_req[c] != held_req_q[c])) $fatal(1, "rd_req %0d changed while waiting", c);
        held_q[c]     <= rd_valid[c] && !rd_ready[c];
        held_req_q[c] <= rd_req[c];
        if (rd_valid[c] && rd_ready[c]) begin
          tb_rd_req(c, int'(rd_req[c].func), rd_req[c].addr, int'(rd_req[c].len), int'(rd_req[c].ram_addr),
                    int'(rd_req[c].cookie));
        end
      end
      if (held_wr_q && (!wr_valid || wr_req != held_wr_req_q)) $fatal(1, "wr_req changed while waiting");
      held_wr_q     <= wr_valid && !wr_ready;
      held_wr_req_q <= wr_req;
      if (wr_valid && wr_ready) begin
        tb_wr_req(int'(wr_req.kind), int'(wr_req.func), wr_req.addr, int'(wr_req.len), int'(wr_req.ram_addr),
                  wr_req.patch, int'(wr_req.patch_off), int'(wr_req.num_buffers), wr_req.imm, int'(wr_req.port));
      end
      if (rb_rsp_valid) tb_rb_rsp(rb_rsp.err, rb_rsp.rdata);
      if (isr != '0) tb_isr(int'(isr));
      over = tb_step(idle, irq, rb_valid && rb_ready, n_rd_ready, n_wr_ready, n_cmpl,
                     n_done, n_done_client, n_done_cookie, n_done_status,
                     n_ram, n_ram_client, n_we, n_row0, n_row1, n_be0, n_be1, n_data0, n_data1,
                     n_kick, n_kick_qid, n_msix, n_rb, n_addr, n_rb_write, n_be, n_wdata);
      if (over != 0) $finish;
      rd_ready    <= n_rd_ready;
      wr_ready    <= n_wr_ready;
      cmpl_valid  <= n_cmpl;
      done_valid  <= n_done;
      done.client <= vhp_pkg::rd_client_e'(n_done_client[1:0]);
      done.cookie <= n_done_cookie[9:0];
      done.status <= vhp_pkg::dma_status_e'(n_done_status[3:0]);
      ram_valid   <= n_ram;
      ram.client  <= vhp_pkg::rd_client_e'(n_ram_client[1:0]);
      ram.we      <= n_we;
      ram.row     <= {n_row1[9:0], n_row0[9:0]};
      ram.be      <= {n_be1, n_be0};
      ram.data    <= {n_data1, n_data0};
      kick_valid  <= n_kick;
      kick_qid    <= n_kick_qid[vhp_pkg::QidW-1:0];
      msix_enable <= n_msix[vhp_pkg::NumFn-1:0];
      rb_valid    <= n_rb;
      rb_req.addr  <= n_addr[23:0];
      rb_req.write <= n_rb_write;
      rb_req.be    <= n_be[3:0];
      rb_req.wdata <= n_wdata;
    end
  end

endmodule
