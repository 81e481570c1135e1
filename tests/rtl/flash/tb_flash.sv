// SPDX-License-Identifier: Apache-2.0
//
// Bench of rtl/flash against the flash model of sim/ (nor.h), pin by pin.
//
// Two blocks: 0 with two chips and the card's timing, 1 with one chip, the fastest clock and another board, behind
// vhp_config of rtl/boards with stand-ins for the primitives (primitives.sv; the first edges of the clock get lost). Register
// sequences are those of xbflash2 (as watched from the bus) and of Linux's spi-xilinx.

module tb_flash;

  import "DPI-C" function void tb_nor_open(input int n, input int divide, input int output_delay, input int verbose);
  import "DPI-C" function int tb_nor_cycle(input int n, input int sck, input int cs_n, input int dq_out, input int dq_tri);
  import "DPI-C" function int tb_nor_byte(input int n, input int addr);
  import "DPI-C" function int tb_nor_commands(input int n, input int opcode);
  import "DPI-C" function int tb_nor_violations(input int n, input int aborted);

  localparam int unsigned D = 2;

  logic clk = 0, rst = 1;
  always #2 clk = !clk;

  logic             [D-1:0] req_valid = '0, req_ready, rsp_valid, sck, csib, rdwrb, idle;
  logic             [D-1:0] hold = '0, flr = '0, avail = '1;
  vhp_pkg::rb_req_t         req = '0;
  vhp_pkg::rb_rsp_t [D-1:0] rsp;
  logic [D-1:0][1:0]        cs_n;
  logic [D-1:0][3:0]        dq_out, dq_tri;
  logic [D-1:0][7:0]        dq_in;
  logic [7:0]               dq_in0 = '1;
  assign dq_in[0] = dq_in0;
  logic [D-1:0][31:0]       icap;
  logic [31:0]              usr_access = 32'hc0ffee01;

  for (genvar d = 0; d < int'(D); d++) begin : g_dut
    vhp_flash #(
      .BoardName  (d == 0 ? "sim" : "board-16-letters"),
      .Idcode     (d == 0 ? 32'h04b3_7093 : 32'hf4b3_1093),
      .Start      (d == 0 ? 32'h0800_0000 : 32'h0100_2000),
      .SizeLog2   (27),
      .Chips      (d == 0 ? 2 : 1),
      .SckHalf    (d == 0 ? 4 : 2),
      .SampleDelay(d == 0 ? 3 : 1)
    ) u_dut (
      .clk_i(clk), .rst_i(rst),
      .rb_req_valid_i(req_valid[d]), .rb_req_ready_o(req_ready[d]), .rb_req_i(req),
      .rb_rsp_valid_o(rsp_valid[d]), .rb_rsp_o(rsp[d]),
      .hold_i(hold[d]), .flr_i(flr[d]),
      .sck_o(sck[d]), .cs_n_o(cs_n[d]), .dq_o(dq_out[d]), .dq_tri_o(dq_tri[d]), .dq_i(dq_in[d]),
      .icap_csib_o(csib[d]), .icap_rdwrb_o(rdwrb[d]), .icap_o(icap[d]), .icap_avail_i(d == 0 ? avail[d] : config_avail),
      .usr_access_i(d == 0 ? usr_access : config_access), .idle_o(idle[d])
    );
  end

  logic        config_avail;
  logic [31:0] config_access;
  vhp_config #(.Chips(1)) u_config (
    .clk_i(clk), .rst_i(rst),
    .flash_sck_i(sck[1]), .flash_cs_n_i(cs_n[1]), .flash_dq_out_i(dq_out[1]), .flash_dq_tri_i(dq_tri[1]), .flash_dq_in_o(dq_in[1]),
    .icap_csib_i(csib[1]), .icap_rdwrb_i(rdwrb[1]), .icap_i(icap[1]), .icap_avail_o(config_avail), .usr_access_o(config_access)
  );

  // ---------------------------------------------------------------- checks
  int passed = 0, failed = 0, seed;
  string where = "start";
  task automatic check(input logic [31:0] got, input logic [31:0] want, input string what);
    if (got === want) passed++;
    else begin
      failed++;
      if (failed < 40) $display("FAILED %s: %s: got 0x%08x, expected 0x%08x", where, what, got, want);
    end
  endtask

  // ---------------------------------------------------------------- the chips, and what must never be on the pins
  int unsigned wake_clocks [D];
  logic [D-1:0] sck_q = '0, idle_q = '0;
  logic [D-1:0][1:0] cs_q = '1;
  logic [31:0] words [D][$];
  always @(posedge clk) begin
    dq_in0[3:0] <= 4'(tb_nor_cycle(0, int'(sck[0]), int'(cs_n[0][0]), int'(dq_out[0]), int'(dq_tri[0])));
    dq_in0[7:4] <= 4'(tb_nor_cycle(1, int'(sck[0]), int'(cs_n[0][1]), int'(dq_out[0]), int'(dq_tri[0])));
    u_config.u_startup.pins <= 4'(tb_nor_cycle(2, int'(u_config.u_startup.cclk), int'(u_config.u_startup.fcs_b), int'(dq_out[1]),
                                               int'(dq_tri[1])));
    sck_q  <= sck;
    cs_q   <= cs_n;
    idle_q <= rst ? '0 : idle & ~req_valid & ~flr;
    for (int d = 0; d < int'(D); d++) if (!rst) begin
      if (sck[d] && !sck_q[d] && cs_n[d] == 2'b11) wake_clocks[d]++;
      // At rest nothing moves: the card's clock may stop.
      if (idle_q[d] && !req_valid[d] && !flr[d] && (!idle[d] || sck[d] != sck_q[d] || cs_n[d] != cs_q[d] || !csib[d]) && hold == '0) begin
        failed++;
        $display("FAILED %s: block %0d was idle and moves", where, d);
      end
      if (!csib[d]) begin
        words[d].push_back(icap[d]);
        if (rdwrb[d]) begin
          failed++;
          $display("FAILED %s: ICAP word while rdwrb is read", where);
        end
      end
    end
  end

  // ---------------------------------------------------------------- register bus
  // Tasks are copied into every place that calls them, so what is called often is a process that others start and wait for.
  logic              err, h_start = 0;
  int                h_dut;
  vhp_pkg::rb_req_t  h_req;
  logic [31:0]       h_rdata;
  initial forever begin
    int unsigned waited;
    @(negedge clk);
    if (h_start) begin
      req              = h_req;
      req_valid[h_dut] = 1;
      while (!req_ready[h_dut]) @(negedge clk);
      @(negedge clk);
      req_valid[h_dut] = 0;
      waited = 0;
      while (!rsp_valid[h_dut]) begin
        waited++;
        if (waited > 100) $fatal(1, "%s: no response at 0x%0x", where, h_req.addr);
        @(negedge clk);
      end
      h_rdata = rsp[h_dut].rdata;
      err     = rsp[h_dut].err;
      h_start = 0;
    end
  end
  task automatic access(input int d, input logic write, input int unsigned addr, input logic [3:0] be, input logic [31:0] data,
                        output logic [31:0] rdata);
    h_dut   = d;
    h_req   = '{func: 8'd0, bar: 3'd4, addr: 24'(addr), write: write, be: be, wdata: data};
    h_start = 1;
    while (h_start) @(negedge clk);
    rdata = h_rdata;
  endtask
  task automatic w(input int d, input int unsigned addr, input logic [31:0] data);
    logic [31:0] x;
    access(d, 1, addr, 4'hf, data, x);
    check(32'(err), 0, $sformatf("write of 0x%0x", addr));
  endtask
  task automatic r(input int d, input int unsigned addr, output logic [31:0] data);
    access(d, 0, addr, 4'hf, 0, data);
  endtask
  task automatic r_check(input int d, input int unsigned addr, input logic [31:0] want, input string what);
    logic [31:0] x;
    r(d, addr, x);
    check(x, want, what);
  endtask
  task automatic pulse_flr(input int d);
    @(negedge clk);
    flr[d] = 1;
    repeat (5) @(negedge clk);
    flr[d] = 0;
    repeat (3) @(negedge clk);
  endtask

  localparam int unsigned Srr = vhp_regs_pkg::SpiSrr, Cr = vhp_regs_pkg::SpiCr, Sr = vhp_regs_pkg::SpiSr,
                          Dtr = vhp_regs_pkg::SpiDtr, Drr = vhp_regs_pkg::SpiDrr, Ssr = vhp_regs_pkg::SpiSsr,
                          Tfo = vhp_regs_pkg::SpiTfo, Rfo = vhp_regs_pkg::SpiRfo, Isr = vhp_regs_pkg::SpiIpisr,
                          Ier = vhp_regs_pkg::SpiIpier, Gier = vhp_regs_pkg::SpiDgier;
  localparam logic [31:0] CrOn = 32'h86, Inhibit = 32'h100, FifoReset = 32'h60, Loop = 32'h1;
  localparam int unsigned RxEmpty = 0, TxEmpty = 2, TxFull = 3;
  localparam int unsigned B = 'h1000;       // vhp_boot

  task automatic wait_tx(input int d);
    logic [31:0] sr;
    for (int i = 0; i < 100000; i++) begin
      r(d, Sr, sr);
      if (sr[TxEmpty]) return;
    end
    $fatal(1, "%s: the transmit FIFO does not become empty", where);
  endtask

  // ---------------------------------------------------------------- xbflash2's way to move bytes
  logic [7:0] out [$], in [$];
  task automatic prepare(input int d);
    w(d, Srr, 32'ha);
    r_check(d, Cr, 32'h180, "cr after the software reset");
    w(d, Cr, CrOn | Inhibit | FifoReset);
    r_check(d, Cr, CrOn | Inhibit, "the FIFO resets clear themselves");
    r_check(d, Sr, 32'h25, "sr");
  endtask
  // Sends `out`, receives as many into `in`; the chip stays selected over refills of the FIFO.
  logic t_start = 0;
  int   t_dut, t_chip;
  initial forever begin
    logic [31:0] x, sr;
    int unsigned at;
    while (!t_start) @(negedge clk);
    at = 0;
    in = {};
    r(t_dut, Cr, x);
    w(t_dut, Cr, x | Inhibit);
    r(t_dut, Cr, x);
    w(t_dut, Cr, x | FifoReset);
    w(t_dut, Ssr, ~(32'd1 << t_chip));
    while (at < out.size()) begin
      forever begin
        r(t_dut, Sr, sr);
        if (sr[TxFull] || at == out.size()) break;
        w(t_dut, Dtr, 32'(out[at]));
        at++;
      end
      r(t_dut, Cr, x);
      w(t_dut, Cr, x & ~Inhibit);
      wait_tx(t_dut);
      w(t_dut, Cr, x | Inhibit);
      forever begin
        r(t_dut, Sr, sr);
        if (sr[RxEmpty]) break;
        r(t_dut, Drr, x);
        in.push_back(x[7:0]);
      end
      check(in.size(), at, "every byte that left came back when transmit empty was seen");
      r(t_dut, Cr, x);
    end
    w(t_dut, Ssr, 32'h3);
    t_start = 0;
  end
  task automatic transfer(input int d, input int chip);
    t_dut   = d;
    t_chip  = chip;
    t_start = 1;
    while (t_start) @(negedge clk);
  endtask

  task automatic ready(input int d, input int chip);
    for (int i = 0; i < 5000; i++) begin
      out = {8'h05, 8'h00};
      transfer(d, chip);
      if (!in[1][0]) return;
    end
    $fatal(1, "%s: the flash stays busy", where);
  endtask
  task automatic wren(input int d, input int chip);
    out = {8'h06};
    transfer(d, chip);
  endtask
  task automatic bank(input int d, input int chip, input logic [7:0] b);
    ready(d, chip);
    wren(d, chip);
    out = {8'hc5, b};
    transfer(d, chip);
  endtask
  task automatic id(input int d, input int chip);
    out = {8'h9f, 8'h0, 8'h0, 8'h0, 8'h0};
    transfer(d, chip);
    check({8'd0, in[1], in[2], in[3]}, 32'h0020bb21, $sformatf("JEDEC ID of block %0d chip %0d", d, chip));
  endtask
  function automatic logic [7:0] pattern(input int unsigned a);
    pattern = 8'(a * 7 + (a >> 8) * 13 + 3);
  endfunction
  // `bytes` of pattern(a) at the 3-byte address in the bank, by quad input page program.
  task automatic program_quad(input int d, input int chip, input logic [7:0] opcode, input int unsigned a, input int bytes);
    ready(d, chip);
    wren(d, chip);
    out = {opcode};
    if (opcode == 8'h34) out.push_back(8'(a >> 24));
    out.push_back(8'(a >> 16));
    out.push_back(8'(a >> 8));
    out.push_back(8'(a));
    for (int i = 0; i < bytes; i++) out.push_back(pattern(a + i));
    transfer(d, chip);
    ready(d, chip);
  endtask
  task automatic erase(input int d, input int chip, input int unsigned a);
    ready(d, chip);
    wren(d, chip);
    out = {8'h20, 8'(a >> 16), 8'(a >> 8), 8'(a)};
    transfer(d, chip);
    ready(d, chip);
  endtask
  task automatic holds(input int n, input int unsigned at, input int unsigned a, input int bytes, input string what);
    int bad = 0;
    for (int i = 0; i < bytes; i++) if (tb_nor_byte(n, int'(at) + i) != int'(pattern(a + i))) bad++;
    check(bad, 0, {what, ": bytes that are wrong in the flash"});
  endtask

  // ---------------------------------------------------------------- tests
  task automatic test_reset_values();
    where = "reset values";
    for (int d = 0; d < int'(D); d++) begin
      r_check(d, Gier, 0, "dgier");
      r_check(d, Isr, 0, "ipisr");
      r_check(d, Ier, 0, "ipier");
      r_check(d, Srr, 0, "srr");
      r_check(d, Cr, 32'h180, "cr");
      r_check(d, Sr, 32'ha5, "sr");
      r_check(d, Dtr, 0, "dtr");
      r_check(d, Drr, 0, "drr of an empty FIFO");
      r_check(d, Ssr, '1, "ssr");
      r_check(d, Tfo, 0, "tfo");
      r_check(d, Rfo, 0, "rfo");
      r_check(d, B + vhp_regs_pkg::BootId, 32'h56485046, "id");
      r_check(d, B + vhp_regs_pkg::BootVersion, 32'h00010000, "version");
      r_check(d, B + vhp_regs_pkg::BootImage, usr_access, "image");
      r_check(d, B + vhp_regs_pkg::BootAddress, 0, "address");
      r_check(d, B + vhp_regs_pkg::BootBoot, 0, "boot");
      r_check(d, B + vhp_regs_pkg::BootStatus, 0, "status");
    end
    r_check(0, B + vhp_regs_pkg::BootIdcode, 32'h04b37093, "idcode");
    r_check(1, B + vhp_regs_pkg::BootIdcode, 32'h04b31093, "idcode, revision cut off");
    r_check(0, B + vhp_regs_pkg::BootFlash, 32'h21b, "flash");
    r_check(1, B + vhp_regs_pkg::BootFlash, 32'h11b, "flash");
    r_check(0, B + vhp_regs_pkg::BootStart, 32'h08000000, "start");
    r_check(1, B + vhp_regs_pkg::BootStart, 32'h01002000, "start");
    r_check(0, B + vhp_regs_pkg::BootBoardBase, "mis", "a short name begins in bits 7:0");
    for (int unsigned i = 1; i < 4; i++) r_check(0, B + vhp_regs_pkg::BootBoardBase + 4 * i, 0, "and is padded with 0");
    r_check(1, B + vhp_regs_pkg::BootBoardBase, "raob", "16 letters");
    r_check(1, B + vhp_regs_pkg::BootBoardBase + 12, "sret", "16 letters");
    where = "clocks after reset";
    for (int d = 0; d < int'(D); d++) begin
      for (int i = 0; i < 1000 && !idle[d]; i++) @(negedge clk);
      check(32'(idle[d]), 1, "idle");
      check(wake_clocks[d], 16, "clocks with no chip selected");
    end
  endtask

  task automatic test_bounds();
    logic [31:0] x;
    int unsigned bad [6] = '{'h2000, 'h2040, 'h3000, 'h8000, 'hfffc, 'h1_0000};
    where = "what is not there";
    for (int unsigned a = 0; a < 'h2000; a += 'h14c) begin
      if (a % 4 == 0 && (a > 'h80 && a < 'h1000 || a > 'h1040)) begin
        r_check(0, a, 0, $sformatf("0x%0x reads 0", a));
        w(0, a, '1);
      end
    end
    foreach (bad[i]) begin
      access(0, 0, bad[i], 4'hf, 0, x);
      check({x[30:0], err}, 1, $sformatf("read of 0x%0x", bad[i]));
      access(0, 1, bad[i], 4'hf, 1, x);
      check(32'(err), 1, $sformatf("write of 0x%0x", bad[i]));
    end
    where = "byte enables";
    w(0, Srr, 32'ha);
    access(0, 1, Srr, 4'h7, 32'ha, x);
    w(0, Cr, CrOn | Inhibit | Loop);
    access(0, 1, Srr, 4'h1, 32'ha, x);
    w(0, Srr, 32'hb);
    r_check(0, Cr, CrOn | Inhibit | Loop, "only the whole key resets");
    access(0, 1, Cr, 4'h2, 32'h0, x);
    r_check(0, Cr, CrOn | Loop, "inhibit alone");
    access(0, 1, Cr, 4'h1, 32'h0, x);
    r_check(0, Cr, 0, "the low byte alone");
    w(0, Cr, CrOn | Inhibit | Loop);
    access(0, 1, Dtr, 4'he, 32'h55, x);
    access(0, 1, Dtr, 4'h0, 32'h55, x);
    r_check(0, Sr, 32'h25, "no byte, no entry");
    for (int unsigned i = 0; i < 3; i++) access(0, 1, Dtr, 4'h1, 32'hffffff10 + i, x);
    w(0, Cr, CrOn | Loop);
    wait_tx(0);
    access(0, 0, Drr, 4'h0, 0, x);
    access(0, 0, Drr, 4'hc, 0, x);
    r_check(0, Rfo, 2, "a read without byte 0 takes nothing");
    for (int unsigned i = 0; i < 3; i++) r_check(0, Drr, 'h10 + i, "bytes in order");
    access(0, 1, Ssr, 4'h8, 0, x);
    r_check(0, Ssr, 32'h00ffffff, "ssr by bytes");
    access(0, 1, Ier, 4'h2, '1, x);
    r_check(0, Ier, 32'h3f00, "ipier by bytes");
    w(0, Gier, '1);
    r_check(0, Gier, 32'h80000000, "dgier");
    w(0, Srr, 32'ha);
    r_check(0, Ssr, '1, "the software reset puts all back");
    r_check(0, Ier, 0, "ipier");
    r_check(0, Gier, 0, "dgier");
  endtask

  task automatic test_fifos();
    logic [31:0] x;
    int unsigned n = 0;
    where = "FIFOs, as spi-xilinx probes them";
    w(0, Cr, Loop);
    r_check(0, Cr, Loop, "the loopback bit reads back");
    w(0, Srr, 32'ha);
    forever begin
      r(0, Sr, x);
      if (x[TxFull] || n > 300) break;
      w(0, Dtr, n ^ 32'ha5);
      n++;
      r_check(0, Tfo, n - 1, "tfo");
    end
    check(n, 256, "bytes until transmit full");
    check(x, 32'ha9, "sr when full");
    w(0, Dtr, 32'hee);
    r_check(0, Tfo, 255, "one more is dropped");
    where = "loopback";
    w(0, Cr, CrOn | Inhibit | Loop);
    w(0, Ssr, 32'hfffffffe);
    repeat (500) @(negedge clk);
    r_check(0, Tfo, 255, "nothing moves while inhibited");
    check(32'(cs_n[0]), 3, "no chip is selected");
    w(0, Cr, CrOn | Loop);
    wait_tx(0);
    r_check(0, Sr, 32'h26, "sr with the receive FIFO full");
    r_check(0, Rfo, 255, "rfo");
    r_check(0, Isr, 32'h54, "half empty, receive full, transmit empty");
    w(0, Dtr, 32'h77);
    wait_tx(0);
    r_check(0, Isr, 32'h74, "overrun");
    r_check(0, Rfo, 255, "the byte is dropped, none is lost");
    w(0, Isr, 32'h34);
    r_check(0, Isr, 32'h40, "a write of 1 toggles");
    w(0, Isr, 32'h48);
    r_check(0, Isr, 32'h0, "a write of 1 toggles; an event that cannot be stays 0");
    w(0, Isr, 32'h4);
    r_check(0, Isr, 32'h4, "a write of 1 sets what was 0");
    for (int unsigned i = 0; i < 256; i++) r_check(0, Drr, (i ^ 32'ha5) & 32'hff, "what was sent");
    r_check(0, Sr, 32'h25, "both empty");
    r_check(0, Drr, 0, "empty");
    where = "FIFO resets";
    w(0, Cr, CrOn | Inhibit | Loop);
    for (int i = 0; i < 5; i++) w(0, Dtr, i);
    w(0, Cr, CrOn | Loop);
    wait_tx(0);
    w(0, Cr, CrOn | Inhibit | Loop);
    for (int i = 0; i < 5; i++) w(0, Dtr, i);
    w(0, Cr, CrOn | Inhibit | Loop | 32'h20);
    r_check(0, Cr, CrOn | Inhibit | Loop, "bit 5 reads 0");
    r_check(0, Sr, 32'h24, "transmit empty, receive not");
    w(0, Dtr, 1);
    w(0, Cr, CrOn | Inhibit | Loop | 32'h40);
    r_check(0, Sr, 32'h21, "receive empty, transmit not");
    w(0, Srr, 32'ha);
    r_check(0, Sr, 32'ha5, "the software reset empties both");
  endtask

  // What must not move, does not, and says why.
  task automatic test_modes();
    logic [31:0] bad [5] = '{32'h84, 32'h82, 32'h8e, 32'h96, 32'h286};
    logic [31:0] sr  [5] = '{32'h21, 32'ha1, 32'h61, 32'h61, 32'h121};
    logic s;
    where = "modes";
    foreach (bad[i]) begin
      w(0, Srr, 32'ha);
      w(0, Dtr, 32'h9f);
      s = sck[0];
      w(0, Cr, bad[i]);
      repeat (300) @(negedge clk);
      r_check(0, Sr, sr[i], $sformatf("cr 0x%0x: sr", bad[i]));
      check({31'd0, sck[0]}, {31'd0, s}, "no clock");
      r_check(0, Cr, bad[i], "cr reads back");
    end
    where = "mode 3";
    w(0, Srr, 32'ha);
    w(0, Cr, 32'h19e);
    repeat (10) @(negedge clk);
    check(32'(sck[0]), 1, "the clock rests high");
    id(0, 0);
    id(0, 1);
    repeat (40) @(negedge clk);
    check(32'(sck[0]), 1, "the clock rests high");
    w(0, Srr, 32'ha);
    where = "automatic slave select";
    w(0, Cr, 32'h106);
    w(0, Ssr, 32'hfffffffd);
    repeat (50) @(negedge clk);
    check(32'(cs_n[0]), 3, "nothing to send");
    out = {8'h9f, 8'h0, 8'h0, 8'h0};
    foreach (out[i]) w(0, Dtr, 32'(out[i]));
    repeat (50) @(negedge clk);
    check(32'(cs_n[0]), 3, "inhibited");
    w(0, Cr, 32'h006);
    repeat (50) @(negedge clk);
    check(32'(cs_n[0]), 1, "chip 1 while there are bytes");
    wait_tx(0);
    repeat (50) @(negedge clk);
    check(32'(cs_n[0]), 3, "and not after them");
    r_check(0, Drr, 32'hff, "byte 0");
    r_check(0, Drr, 32'h20, "manufacturer");
    r_check(0, Drr, 32'hbb, "type");
    r_check(0, Drr, 32'h21, "capacity");
    r_check(0, Sr, 32'h25, "sr");
  endtask

  task automatic test_xbflash2();
    where = "xbflash2: identification";
    for (int d = 0; d < int'(D); d++) begin
      prepare(d);
      for (int chip = 0; chip < (d == 0 ? 2 : 1); chip++) begin
        id(d, chip);
        ready(d, chip);
      end
    end
    where = "xbflash2: bank, erase, quad program";
    for (int chip = 0; chip < 2; chip++) begin
      bank(0, chip, 8'h01);
      erase(0, chip, 'h002000);
      for (int unsigned a = 'h002000; a < 'h002200; a += 128) program_quad(0, chip, 8'h32, a, 128);
      holds(chip, 'h01002000, 'h002000, 512, $sformatf("chip %0d", chip));
      check(tb_nor_byte(chip, 'h2000), 32'hff, "bank 0 is untouched");
    end
    // The end of a bank and the begin of the next.
    bank(1, 0, 8'h00);
    erase(1, 0, 'hfff000);
    program_quad(1, 0, 8'h32, 'hffff80, 128);
    holds(2, 'h00ffff80, 'hffff80, 128, "end of bank 0");
    bank(1, 0, 8'h01);
    erase(1, 0, 'h000000);
    program_quad(1, 0, 8'h32, 'h000000, 128);
    holds(2, 'h01000000, 0, 128, "begin of bank 1");
    erase(1, 0, 'h000000);
    check(tb_nor_byte(2, 'h01000000), 32'hff, "erased again");
    where = "xbflash2: single lane";
    ready(1, 0);
    wren(1, 0);
    out = {8'h02, 8'h00, 8'h01, 8'h00};
    for (int i = 0; i < 256; i++) out.push_back(pattern('h100 + i));
    transfer(1, 0);
    ready(1, 0);
    holds(2, 'h01000100, 'h100, 256, "page program");
  endtask

  task automatic compare(input int unsigned skip, input int unsigned a, input int bytes, input string what);
    int bad = 0;
    for (int i = 0; i < bytes; i++) if (in[skip + i] !== pattern(a + i)) bad++;
    check(bad, 0, {what, ": bytes that were read wrong"});
  endtask

  task automatic test_reads();
    where = "reads";
    for (int chip = 0; chip < 2; chip++) begin
      // 600 bytes: the chip stays selected over two refills of the FIFO.
      out = {8'h03, 8'h00, 8'h20, 8'h00};
      for (int i = 0; i < 600; i++) out.push_back(8'(i));
      transfer(0, chip);
      compare(4, 'h2000, 512, "read");
      check(32'(in[4 + 512]), 32'hff, "erased behind");
      out = {8'h0c, 8'h01, 8'h00, 8'h20, 8'h00, 8'h00};
      for (int i = 0; i < 300; i++) out.push_back(8'h0);
      transfer(0, chip);
      compare(6, 'h2000, 300, "fast read, 4-byte address");
      out = {8'h6b, 8'h00, 8'h20, 8'h00, 8'h00};
      for (int i = 0; i < 300; i++) out.push_back(8'h0);
      transfer(0, chip);
      compare(5, 'h2000, 300, "quad output fast read");
      out = {8'h6c, 8'h01, 8'h00, 8'h20, 8'h10, 8'h00};
      for (int i = 0; i < 400; i++) out.push_back(8'hff);
      transfer(0, chip);
      compare(6, 'h2010, 400, "quad output fast read, 4-byte address");
    end
    where = "reads, fastest clock";
    out = {8'h6c, 8'h00, 8'hff, 8'hff, 8'h80, 8'h00};
    for (int i = 0; i < 128; i++) out.push_back(8'h0);
    transfer(1, 0);
    compare(6, 'hffff80, 128, "quad output fast read");
    out = {8'h0b, 8'h00, 8'h01, 8'h00, 8'h00};
    for (int i = 0; i < 256; i++) out.push_back(8'h0);
    transfer(1, 0);
    compare(5, 'h100, 256, "fast read");
    where = "4-byte addresses: quad program";
    ready(1, 0);
    program_quad(1, 0, 8'h34, 'h07fff000, 200);
    holds(2, 'h07fff000, 'h07fff000, 200, "0x34");
    out = {8'h32, 8'h55};             // no chip is selected: not a command, on one lane
    w(1, Cr, CrOn);
    foreach (out[i]) w(1, Dtr, 32'(out[i]));
    wait_tx(1);
    check(tb_nor_commands(2, 'h34), 1, "commands seen");
  endtask

  // Bytes come and go one by one while the shifter runs.
  task automatic test_stream();
    logic [31:0] x;
    int unsigned sent = 0, got = 0, bad = 0;
    where = "stream";
    w(0, Srr, 32'ha);
    w(0, Cr, CrOn);
    w(0, Ssr, 32'hfffffffe);
    while (got < 1004) begin
      if (sent < 1004 && sent - got < 256 && $urandom_range(1) == 0) begin
        w(0, Dtr, sent == 0 ? 32'h03 : sent == 2 ? 32'h20 : 32'h00);
        sent++;
      end
      r(0, Sr, x);
      if (!x[RxEmpty] && $urandom_range(2) == 0) begin
        r(0, Drr, x);
        if (got >= 4 && x[7:0] !== (got - 4 < 512 ? pattern('h2000 + got - 4) : 8'hff)) bad++;
        got++;
      end
    end
    check(bad, 0, "bytes that were read wrong");
    w(0, Ssr, '1);
    where = "inhibit and slave select act between bytes";
    for (int i = 0; i < 20; i++) begin
      w(0, Cr, CrOn | Inhibit | FifoReset);
      w(0, Ssr, 32'hfffffffe);
      out = {8'h9f, 8'h0, 8'h0, 8'h0, 8'h0, 8'h0, 8'h0, 8'h0};
      foreach (out[k]) w(0, Dtr, 32'(out[k]));
      w(0, Cr, CrOn);
      repeat (60 + i * 7) @(negedge clk);
      w(0, Cr, CrOn | Inhibit);
      repeat (100) @(negedge clk);
      r(0, Sr, x);
      if (x[RxEmpty]) got = 0;
      else begin
        r(0, Rfo, x);
        got = x + 1;
      end
      r_check(0, Tfo, 7 - got, "each byte is in one of the FIFOs");
      repeat (4) @(negedge clk);
      check(32'(idle[0]), 1, "and nothing moves");
      w(0, Cr, CrOn);
      wait_tx(0);
      r_check(0, Drr, 32'hff, "byte 0");
      r_check(0, Drr, 32'h20, "manufacturer");
      r_check(0, Drr, 32'hbb, "type");
      r_check(0, Drr, 32'h21, "capacity");
      // Deselected in the middle of a byte: it is finished first.
      w(0, Cr, CrOn | FifoReset);
      w(0, Dtr, 0);
      repeat (3 * i) @(negedge clk);
      w(0, Ssr, 32'h3);
      wait_tx(0);
    end
    check(tb_nor_violations(0, 1), 0, "commands cut inside a byte");
  endtask

  task automatic test_resets();
    logic [31:0] x;
    where = "resets while shifting";
    for (int unsigned i = 0; i < 60; i++) begin
      int unsigned kind = i % 3;
      logic [1:0] cs;
      w(0, Cr, CrOn | Inhibit | FifoReset);
      w(0, Ssr, 32'hfffffffe);
      out = {8'h0b, 8'h0, 8'h20, 8'h0, 8'h0, 8'h0, 8'h0, 8'h0};
      foreach (out[k]) w(0, Dtr, 32'(out[k]));
      w(0, Cr, CrOn);
      repeat (20 + $urandom_range(400)) @(negedge clk);
      cs = cs_n[0];
      if (kind == 0) w(0, Srr, 32'ha);
      else if (kind == 1) w(0, Cr, CrOn | 32'h20);
      else pulse_flr(0);
      r(0, Sr, x);
      check(32'(x[TxEmpty]), 1, "the transmit FIFO is empty");
      if (kind == 1) begin
        r_check(0, Cr, CrOn, "cr is kept");
        w(0, Ssr, 32'h3);
      end else begin
        r_check(0, Cr, 32'h180, "cr");
        r_check(0, Ssr, '1, "ssr");
        r_check(0, Rfo, 0, "rfo");
      end
      repeat (60) @(negedge clk);
      check(32'(cs_n[0]), 3, "no chip is selected");
      check(32'(idle[0]), 1, "idle");
      check(32'(cs), 2, "the chip was selected before");
      if (kind != 1) prepare(0);
      else w(0, Cr, CrOn | Inhibit | FifoReset);
      id(0, 0);
      repeat (40) @(negedge clk);
    end
  endtask

  function automatic logic [31:0] swap(input logic [31:0] x);
    for (int i = 0; i < 32; i++) swap[i] = x[8 * (i / 8) + 7 - i % 8];
  endfunction
  task automatic refused(input int d, input int unsigned n, input int unsigned reason, input logic [1:0] low);
    r_check(d, B + vhp_regs_pkg::BootStatus, reason << 24 | n << 16 | 32'(low), $sformatf("refused for reason %0d", reason));
    check(words[d].size(), 0, "no word to ICAP");
  endtask

  task automatic test_boot();
    logic [31:0] x;
    logic [31:0] want [8] = '{'hffffffff, 'haa995566, 'h20000000, 'h30020001, 0, 'h30008001, 'hf, 'h20000000};
    localparam int unsigned Address = B + vhp_regs_pkg::BootAddress, Go = B + vhp_regs_pkg::BootBoot;
    localparam logic [31:0] Key = "IPRG";
    for (int d = 0; d < int'(D); d++) begin
      where = $sformatf("boot of block %0d: refusals", d);
      pulse_flr(d);
      words[d] = {};
      w(d, Address, 32'h01002000);
      w(d, Go, 0);
      refused(d, 1, 1, 0);
      w(d, Go, swap(Key));
      refused(d, 2, 1, 0);
      access(d, 1, Go, 4'h7, Key, x);
      refused(d, 3, 1, 0);
      access(d, 1, Go, 4'h0, Key, x);
      refused(d, 3, 1, 0);
      @(negedge clk) hold[d] = 1;
      w(d, Go, Key);
      refused(d, 4, 2, 1);
      @(negedge clk) hold[d] = 0;
      w(d, Address, 32'h01002080);
      w(d, Go, Key);
      refused(d, 5, 3, 0);
      w(d, Address, d == 0 ? 32'h1000_0000 : 32'h0800_0000);
      w(d, Go, Key);
      refused(d, 6, 3, 0);
      w(d, Address, 32'hffffff00);
      w(d, Go, Key);
      refused(d, 7, 3, 0);
      access(d, 1, Address, 4'h8, 32'h07555555, x);
      access(d, 1, Address, 4'h1, 32'h55555500, x);
      r_check(d, Address, 32'h07ffff00, "address by bytes");
      w(d, Cr, CrOn | Inhibit);
      w(d, Ssr, 32'hfffffffe);
      w(d, Go, Key);
      refused(d, 8, 4, 0);
      w(d, Ssr, '1);
      for (int i = 0; i < 260; i++) w(d, Go, Key ^ 32'(1 << i % 32));
      refused(d, 255, 1, 0);
      pulse_flr(d);
      refused(d, 0, 0, 0);
      r_check(d, Address, 0, "a reset of the function clears address");
      where = $sformatf("boot of block %0d", d);
      w(d, Address, 32'h07ffff00);
      @(negedge clk) avail[d] = 0;
      u_config.u_icap.there = avail[1];
      repeat (4) @(negedge clk);
      w(d, Go, Key);
      repeat (100) @(negedge clk);
      refused(d, 0, 0, 2);
      check(32'(idle[d]), 0, "not idle while it waits");
      pulse_flr(d);
      w(d, Address, 32'h00000000);            // too late
      @(negedge clk) avail[d] = 1;
      u_config.u_icap.there = avail[1];
      for (int i = 0; i < 200 && !idle[d]; i++) @(negedge clk);
      check(32'(idle[d]), 1, "idle when it has all gone");
      check(words[d].size(), 8, "words");
      want[4] = d == 0 ? 32'h03ffff80 : 32'h07ffff00;
      foreach (want[i]) check(words[d][i], swap(want[i]), $sformatf("word %0d", i));
      words[d] = {};
      w(d, Go, Key);
      refused(d, 1, 5, 2);
    end
    where = "ICAPE3";
    repeat (20) @(negedge clk);
    check(u_config.u_icap.words.size(), 8, "words");
    foreach (want[i]) check(u_config.u_icap.words[i], swap(want[i]), $sformatf("word %0d", i));
    check(32'(u_config.u_icap.least >= 16.0), 1, "half a period of its clock for setup");
    where = "reset after IPROG";
    @(negedge clk) rst = 1;
    usr_access = 32'h12345678;
    repeat (4) @(negedge clk);
    rst = 0;
    repeat (400) @(negedge clk);
    r_check(0, B + vhp_regs_pkg::BootStatus, 0, "status");
    r_check(1, Cr, 32'h180, "cr");
    r_check(0, B + vhp_regs_pkg::BootImage, 32'h12345678, "another image");
  endtask

  // Anything at all, then it must still work. Boot keys are left out: they would end it.
  task automatic test_hostile();
    logic [31:0] x;
    int unsigned a;
    where = $sformatf("hostile accesses, seed %0d", seed);
    for (int i = 0; i < 6000; i++) begin
      a = $urandom_range(9) == 0 ? $urandom_range('h1fff) & ~3 : 'h40 + 4 * $urandom_range(15);
      if ($urandom_range(15) == 0) a = Gier + 4 * $urandom_range(3);
      x = $urandom;
      // Mostly able to move.
      if (a == Cr && $urandom_range(2) != 0) x = CrOn | x & 32'h161;
      if (a == Srr) x = $urandom_range(3) == 0 ? 32'ha : x;
      access(0, 1'($urandom), a, $urandom_range(1) == 0 ? 4'hf : 4'($urandom), x, x);
      check(32'(err), 0, "answered");
      if ($urandom_range(99) == 0) repeat ($urandom_range(1000)) @(negedge clk);
      if ($urandom_range(199) == 0) pulse_flr(0);
    end
    w(0, Srr, 32'ha);
    repeat (200) @(negedge clk);
    check(32'(idle[0]), 1, "idle");
    prepare(0);
    // What it did to the chip is undone by the chip's own reset.
    out = {8'h66};
    transfer(0, 0);
    out = {8'h99};
    transfer(0, 0);
    repeat (2000) @(negedge clk);
    id(0, 0);
  endtask

  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    $display("seed %0d", seed);
    void'($urandom(seed));
    tb_nor_open(0, 20000, 3, 1);
    tb_nor_open(1, 20000, 1, 1);
    tb_nor_open(2, 20000, 1, 1);
    repeat (4) @(negedge clk);
    rst = 0;
    test_reset_values();
    test_bounds();
    test_fifos();
    test_modes();
    test_xbflash2();
    test_reads();
    test_stream();
    where = "the chips' complaints";
    for (int n = 0; n < 3; n++) begin
      check(tb_nor_violations(n, 0), 0, $sformatf("flash %0d: violations", n));
      check(tb_nor_violations(n, 1), 0, $sformatf("flash %0d: commands cut off", n));
    end
    test_resets();
    test_boot();
    test_hostile();
    $display("%0d passed, %0d failed", passed, failed);
    if (failed != 0) $fatal(1, "failed");
    $finish;
  end

  initial begin
    #200ms;
    $fatal(1, "%s: the bench does not end", where);
  end

endmodule
