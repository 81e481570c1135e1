// SPDX-License-Identifier: Apache-2.0
//
// Bench of vhp_control with its core running proxy.c: host accesses by the register bus, firmware accesses by asking the
// program through the mailbox, host memory and lane registers as models with random delays.
// +firmware=FILE +seed=N; prints "N passed, N failed".

module tb_control;
  logic clk = 0, rst = 1;
  always #2 clk = !clk;

  localparam int unsigned Ports = vhp_pkg::NumPorts, Pairs = vhp_pkg::PairsPerPort;

  logic             rb_valid = 0, rb_ready, rb_rsp_valid;
  vhp_pkg::rb_req_t rb_req = '0;
  vhp_pkg::rb_rsp_t rb_rsp;
  logic                  rd_valid, rd_ready = 0, done_valid = 0, land_valid = 0, wr_valid, wr_ready = 0, cmpl_valid = 0;
  vhp_pkg::dma_rd_req_t  rd_req;
  vhp_pkg::dma_rd_done_t done = '0;
  vhp_pkg::dma_ram_wr_t  land = '0;
  vhp_pkg::dma_wr_req_t  wr, ntf;
  vhp_pkg::dma_wr_cmpl_t cmpl = '0;
  logic                  ntf_valid, ntf_ready = 1;
  logic             lane_valid, lane_ready = 0, lane_rsp_valid = 0;
  vhp_pkg::rb_req_t lane_req;
  vhp_pkg::rb_rsp_t lane_rsp = '0;
  logic             flash_valid, flash_rsp_valid = 0, boot_hold;
  vhp_pkg::rb_req_t flash_req;
  vhp_pkg::rb_rsp_t flash_rsp = '0;
  logic             peer_valid, peer_rsp_valid = 0;
  vhp_pkg::rb_req_t peer_req;
  vhp_pkg::rb_rsp_t peer_rsp = '0;
  logic             kick_valid;
  vhp_pkg::qid_t    kick_qid;
  logic             lane_irq = 0;
  logic [Ports-1:0] isr_set = '0;
  logic [vhp_pkg::NumFn-1:0] flr_pending = '0, flr_done, msix_enable = '1;
  logic                      config_enable, idle;
  vhp_pkg::dma_stats_t       stats = '{rd_errors: 11, wr_dropped: 12, cq_ur: 13, msix_sent: 14, msix_pended: 15};

  vhp_control dut (
    .clk_i(clk), .rst_i(rst),
    .rb_req_valid_i(rb_valid), .rb_req_ready_o(rb_ready), .rb_req_i(rb_req),
    .rb_rsp_valid_o(rb_rsp_valid), .rb_rsp_o(rb_rsp),
    .rd_req_valid_o(rd_valid), .rd_req_ready_i(rd_ready), .rd_req_o(rd_req),
    .rd_done_valid_i(done_valid), .rd_done_i(done), .ram_wr_valid_i(land_valid), .ram_wr_i(land),
    .soc_wr_valid_o(wr_valid), .soc_wr_ready_i(wr_ready), .soc_wr_o(wr),
    .soc_cmpl_valid_i(cmpl_valid), .soc_cmpl_i(cmpl),
    .ntf_wr_valid_o(ntf_valid), .ntf_wr_ready_i(ntf_ready), .ntf_wr_o(ntf),
    .lane_rb_req_valid_o(lane_valid), .lane_rb_req_ready_i(lane_ready), .lane_rb_req_o(lane_req),
    .lane_rb_rsp_valid_i(lane_rsp_valid), .lane_rb_rsp_i(lane_rsp),
    .peer_rb_req_valid_o(peer_valid), .peer_rb_req_ready_i(1'b1), .peer_rb_req_o(peer_req),
    .peer_rb_rsp_valid_i(peer_rsp_valid), .peer_rb_rsp_i(peer_rsp),
    .flash_rb_req_valid_o(flash_valid), .flash_rb_req_ready_i(1'b1), .flash_rb_req_o(flash_req),
    .flash_rb_rsp_valid_i(flash_rsp_valid), .flash_rb_rsp_i(flash_rsp), .boot_hold_o(boot_hold),
    .kick_valid_o(kick_valid), .kick_qid_o(kick_qid), .lane_irq_i(lane_irq), .isr_set_i(isr_set),
    .fn_flr_pending_i(flr_pending), .fn_flr_done_o(flr_done), .fn_msix_enable_i(msix_enable),
    .config_enable_o(config_enable), .dma_stats_i(stats), .idle_o(idle)
  );

  // ---------------------------------------------------------------- checks
  int passed = 0, failed = 0, seed;
  string where = "start";
  task automatic check(input logic [31:0] got, input logic [31:0] want, input string what);
    if (got === want) passed++;
    else begin
      failed++;
      $display("FAILED %s: %s: got 0x%08x, expected 0x%08x", where, what, got, want);
    end
  endtask

  // ---------------------------------------------------------------- what comes out
  int kicks = 0, kick_last = -1;
  logic [vhp_pkg::NumFn-1:0] flr_seen = '0;
  int msgs = 0, msg_func = -1, msg_vector = -1;
  always @(posedge clk) if (!rst) begin
    if (kick_valid) begin
      kicks++;
      kick_last = int'(kick_qid);
    end
    flr_seen |= flr_done;
    flr_pending <= flr_pending & ~flr_done;
    if (ntf_valid && ntf_ready) begin
      msgs++;
      msg_func   = int'(ntf.func);
      msg_vector = int'(ntf.imm[10:0]);
      if (ntf.kind != vhp_pkg::WrMsix || ntf.imm[511:11] != 0) begin
        failed++;
        $display("FAILED %s: a notify command that is no MSI-X message", where);
      end
    end
  end

  // ---------------------------------------------------------------- vhp_flash, as far as this bench goes
  vhp_pkg::rb_req_t flash_last = '0;
  bit flash_dead = 0, flash_late = 0;     // takes requests and does not answer; a pulse: answers after all
  always @(posedge clk) begin
    flash_rsp_valid <= !rst && (flash_dead ? flash_late : flash_valid);
    flash_rsp       <= '{err: 1'b0, rdata: ~32'(flash_req.addr)};
    if (flash_valid) flash_last <= flash_req;
  end

  // ---------------------------------------------------------------- host memory: 64 KiB per function around 4 GiB
  localparam logic [63:0] MemBase = 64'hffff_8000;
  logic [7:0] mem [vhp_pkg::NumFn][65536];
  vhp_pkg::dma_status_e force_rd = vhp_pkg::DmaOk, force_wr = vhp_pkg::DmaOk;
  int wr_msgs = 0, wr_cmds = 0, wr_msix_after = 0, rd_reqs = 0;
  int last_msix = -1;

  initial forever begin
    logic [63:0] a;
    int unsigned n, at, part, ram;
    @(negedge clk);
    rd_ready = $urandom_range(3) == 0;
    #1;
    if (rd_valid && rd_ready) begin
      vhp_pkg::dma_rd_req_t r;
      r = rd_req;
      rd_reqs++;
      @(negedge clk);
      rd_ready = 0;
      a = r.addr - MemBase;
      at = 0;
      // Pieces as completions bring them: up to 128 bytes, one row of each bank.
      while (at < int'(r.len) && force_rd == vhp_pkg::DmaOk) begin
        repeat ($urandom_range(3)) @(negedge clk);
        part = $urandom_range(128 - ((int'(r.ram_addr) + at) % 64), 1);
        if (part > int'(r.len) - at) part = int'(r.len) - at;
        land = '0;
        land.client = vhp_pkg::RdSoc;
        for (int unsigned i = 0; i < part; i++) begin
          ram = int'(r.ram_addr) + at + i;
          land.we[ram[6]] = 1;
          land.row[ram[6]] = 10'(ram >> 7);
          land.be[ram[6]][ram[5:0]] = 1;
          land.data[ram[6]][8*ram[5:0] +: 8] = mem[r.func][16'(a) + 16'(at) + 16'(i)];
        end
        land_valid = 1;
        @(negedge clk);
        land_valid = 0;
        // What lands for others is not ours.
        land.client = vhp_pkg::RdPacket;
        land.data = '1;
        land_valid = $urandom_range(1) != 0;
        @(negedge clk);
        land_valid = 0;
        at += part;
      end
      repeat ($urandom_range(5)) @(negedge clk);
      done_valid = 1;
      done = '{client: vhp_pkg::RdPacket, cookie: 0, status: vhp_pkg::DmaTimeout};
      @(negedge clk);
      done = '{client: vhp_pkg::RdSoc, cookie: r.cookie, status: force_rd};
      @(negedge clk);
      done_valid = 0;
    end
  end

  int unsigned cmpl_owed = 0;
  initial forever begin
    @(negedge clk);
    wr_ready = $urandom_range(3) == 0;
    #1;
    if (wr_valid && wr_ready) begin
      wr_cmds++;
      if (wr.kind == vhp_pkg::WrImm) begin
        logic [63:0] a;
        a = wr.addr - MemBase;
        if (wr.len < 1 || wr.len > 64) begin
          failed++;
          $display("FAILED %s: write command of %0d bytes", where, wr.len);
        end
        for (int unsigned i = 0; i < int'(wr.len); i++) mem[wr.func][16'(a) + 16'(i)] = wr.imm[8*i +: 8];
      end else if (wr.kind == vhp_pkg::WrMsix) begin
        wr_msgs++;
        wr_msix_after = wr_cmds;
        last_msix = {16'(wr.func), 5'd0, wr.imm[10:0]};
      end else begin
        failed++;
        $display("FAILED %s: WrPacket from the SoC", where);
      end
      cmpl_owed++;
    end
  end
  initial forever begin
    @(negedge clk);
    cmpl_valid = 0;
    if (cmpl_owed != 0 && $urandom_range(7) == 0) begin
      cmpl_owed--;
      cmpl_valid = 1;
      cmpl.status = force_wr;
    end
  end

  // ---------------------------------------------------------------- lane registers: 16 KiB, errors from 0x3400
  // lane_deaf: takes no request. lane_mute: takes one and does not answer it before it is 0 again.
  logic [31:0] lane_mem [4096];
  bit lane_deaf = 0, lane_mute = 0;
  int lane_taken = 0;
  initial forever begin
    @(negedge clk);
    lane_ready = !lane_deaf && $urandom_range(2) == 0;
    #1;
    if (lane_valid && lane_ready) begin
      vhp_pkg::rb_req_t r;
      r = lane_req;
      lane_taken++;
      @(negedge clk);
      lane_ready = 0;
      repeat ($urandom_range(6)) @(negedge clk);
      while (lane_mute) @(negedge clk);
      lane_rsp.err   = r.addr >= 24'h3400;
      lane_rsp.rdata = lane_mem[r.addr[13:2]];
      if (r.write && !lane_rsp.err) begin
        for (int b = 0; b < 4; b++) if (r.be[b]) lane_mem[r.addr[13:2]][8*b +: 8] = r.wdata[8*b +: 8];
      end
      lane_rsp_valid = 1;
      @(negedge clk);
      lane_rsp_valid = 0;
    end
  end

  // ---------------------------------------------------------------- the host
  // The masters are processes and the tasks only hand over, as Verilator copies a task with delays into every call.
  logic rb_err, h_start = 0;
  vhp_pkg::rb_req_t h_req;
  logic [31:0] h_rdata;
  initial forever begin
    int t;
    @(negedge clk);
    if (h_start) begin
      t = 0;
      rb_valid = 1;
      rb_req   = h_req;
      #1;
      while (!rb_ready) begin
        @(negedge clk);
        #1;
        t++;
        if (t > 5000) $fatal(1, "the register bus hangs");
      end
      @(negedge clk);
      rb_valid = 0;
      while (!rb_rsp_valid) begin
        @(negedge clk);
        t++;
        if (t > 5000) $fatal(1, "no response");
      end
      h_rdata = rb_rsp.rdata;
      rb_err  = rb_rsp.err;
      h_start = 0;
    end
  end
  task automatic host(input logic write, input int unsigned func, input int unsigned bar, input int unsigned addr,
                      input logic [3:0] be, input logic [31:0] data, output logic [31:0] rdata);
    h_req   = '{func: 8'(func), bar: 3'(bar), addr: 24'(addr), write: write, be: be, wdata: data};
    h_start = 1;
    while (h_start) @(negedge clk);
    rdata = h_rdata;
  endtask
  task automatic hw(input int unsigned func, input int unsigned bar, input int unsigned addr, input logic [31:0] data);
    logic [31:0] x;
    host(1, func, bar, addr, 4'hf, data, x);
  endtask
  task automatic hr(input int unsigned func, input int unsigned bar, input int unsigned addr, output logic [31:0] data);
    host(0, func, bar, addr, 4'hf, 0, data);
  endtask
  task automatic hr_check(input int unsigned func, input int unsigned bar, input int unsigned addr, input logic [31:0] want,
                          input string what);
    logic [31:0] x;
    hr(func, bar, addr, x);
    check(x, want, what);
  endtask

  // ---------------------------------------------------------------- the firmware, by proxy
  localparam int unsigned OpRead = 1, OpWrite = 2, OpWrite8 = 3, OpWrite16 = 4, OpCpu = 5, OpSleep = 6, OpSpin = 7,
                          OpCall = 8, OpIrq = 9;
  localparam int unsigned SocBase = 'h40000000, MboxReq = 'h40010000, MboxReply = 'h40010800, FnWin = 'h40020000,
                          LaneWin = 'h40040000, DmaBuf = 'h40050000;
  logic [31:0] extra, f_result;
  logic        f_ask = 0, f_answer = 0;
  int unsigned f_op, f_a, f_b;
  initial forever begin
    logic [31:0] x;
    int t;
    @(negedge clk);
    if (f_ask) begin
      hw(0, 0, 'h1000, f_op);
      hw(0, 0, 'h1004, f_a);
      hw(0, 0, 'h1008, f_b);
      hw(0, 0, vhp_regs_pkg::MgmtMbox, 1);
      f_ask = 0;
    end else if (f_answer) begin
      t = 0;
      do begin
        repeat (20) @(negedge clk);
        hr(0, 0, vhp_regs_pkg::MgmtMbox, x);
        t++;
        if (t > 20000) $fatal(1, "%s: the firmware does not answer", where);
      end while (x[0]);
      hr(0, 0, 'h1800, f_result);
      hr(0, 0, 'h1804, extra);
      f_answer = 0;
    end
  end
  task automatic ask(input int unsigned op, input int unsigned a, input int unsigned b);
    f_op  = op;
    f_a   = a;
    f_b   = b;
    f_ask = 1;
    while (f_ask) @(negedge clk);
  endtask
  task automatic answer(output logic [31:0] result);
    f_answer = 1;
    while (f_answer) @(negedge clk);
    result = f_result;
  endtask
  task automatic fw(input int unsigned op, input int unsigned a, input int unsigned b, output logic [31:0] result);
    f_op     = op;
    f_a      = a;
    f_b      = b;
    f_answer = 1;
    f_ask    = 1;
    while (f_answer) @(negedge clk);
    result = f_result;
  endtask
  task automatic fw_w(input int unsigned a, input logic [31:0] data);
    logic [31:0] x;
    fw(OpWrite, a, data, x);
  endtask
  task automatic fw_check(input int unsigned a, input logic [31:0] want, input string what);
    logic [31:0] x;
    fw(OpRead, a, 0, x);
    check(x, want, what);
  endtask
  task automatic settle(input int unsigned n);
    repeat (n) @(negedge clk);
  endtask
  task automatic wait_idle(input string what);
    int t = 0;
    while (!idle && t < 2000) begin
      @(negedge clk);
      t++;
    end
    check(32'(idle), 1, what);
  endtask

  // ---------------------------------------------------------------- tests
  task automatic test_management();
    logic [31:0] x;
    where = "fn0 BAR 0";
    hr_check(0, 0, 'h00, 'h56485031, "id");
    hr_check(0, 0, 'h04, 'h00010000, "version");
    hr_check(0, 0, 'h08, {4'd0, 8'(vhp_pkg::MaxRegions), 4'd10, 8'(Pairs), 8'(Ports)}, "caps");
    hr_check(0, 0, 'h0c, 'h01020301, "fw_status");
    hr_check(0, 0, 'h20, 11, "dma_rd_errors");
    hr_check(0, 0, 'h24, 12, "dma_wr_dropped");
    hr_check(0, 0, 'h28, 13, "cq_ur");
    hr_check(0, 0, 'h2c, 14, "msix_sent");
    hr_check(0, 0, 'h30, 15, "msix_pended");
    hw(0, 0, 'h00, 0);
    hr_check(0, 0, 'h00, 'h56485031, "id is read-only");
    host(1, 0, 0, vhp_regs_pkg::MgmtMbox, 4'h2, '1, x);
    hr_check(0, 0, vhp_regs_pkg::MgmtMbox, 0, "byte enables keep other bytes of mbox out");
    where = "flash BAR";
    hw(0, 4, 'h1028, 32'hfeed_f00d);
    check({flash_last.write, flash_last.be, 27'(flash_last.addr)}, {1'b1, 4'hf, 27'h1028}, "a write gets there");
    check(flash_last.wdata, 32'hfeed_f00d, "with its data");
    hr_check(0, 4, 'h68, ~32'h68, "a read comes from there");
    where = "boot_hold";
    hw(0, 0, vhp_regs_pkg::MgmtBootHold, 1);
    hr_check(0, 0, vhp_regs_pkg::MgmtBootHold, 1, "set");
    check(32'(boot_hold), 1, "and seen");
    where = "nothing is there";
    begin
      int unsigned bad[8][3] = '{'{0, 0, 'h48}, '{0, 0, 'h1400}, '{0, 0, 'h2000}, '{1, 4, 0}, '{1, 2, 0},
                                 '{int'(Ports) + 1, 0, 0}, '{255, 0, 0}, '{0, 0, 'h10000}};
      foreach (bad[i]) begin
        hr(bad[i][0], bad[i][1], bad[i][2], x);
        check({x[30:0], rb_err}, 1, $sformatf("read fn %0d BAR %0d 0x%0x", bad[i][0], bad[i][1], bad[i][2]));
        hw(bad[i][0], bad[i][1], bad[i][2], 1);
        check(32'(rb_err), 1, $sformatf("write fn %0d BAR %0d 0x%0x", bad[i][0], bad[i][1], bad[i][2]));
      end
    end
    where = "mailbox memories";
    for (int unsigned i = 3; i < 256; i += 11) hw(0, 0, 'h1000 + 4 * i, 32'ha5000000 + i);
    for (int unsigned i = 3; i < 256; i += 11) hr_check(0, 0, 'h1000 + 4 * i, 32'ha5000000 + i, "request reads back");
    for (int unsigned i = 3; i < 256; i += 77) fw_check(MboxReq + 4 * i, 32'ha5000000 + i, "firmware reads the request");
    host(1, 0, 0, 'h100c, 4'b0110, 32'hffeeddcc, x);
    hr_check(0, 0, 'h100c, 32'ha5eedd03, "byte enables");
    for (int unsigned i = 3; i < 256; i += 77) begin
      fw_w(MboxReply + 4 * i, 32'h5a000000 + i);
      hr_check(0, 0, 'h1800 + 4 * i, 32'h5a000000 + i, "host reads the reply");
      hw(0, 0, 'h1800 + 4 * i, 0);
      hr_check(0, 0, 'h1800 + 4 * i, 32'h5a000000 + i, "host cannot write the reply");
    end
  endtask

  task automatic test_cpu();
    logic [31:0] x;
    where = "core and RAM";
    fw(OpCpu, $urandom, 0, x);
    check(x, 0, "step that failed");
    fw_check(SocBase + vhp_regs_pkg::SocCaps, {4'd0, 8'(vhp_pkg::MaxRegions), 4'd10, 8'(Pairs), 8'(Ports)}, "caps");
    fw(OpWrite, 'hf000, 32'h11223344, x);
    fw(OpWrite8, 'hf001, 'haa, x);
    fw(OpWrite16, 'hf002, 'hbbcc, x);
    fw_check('hf000, 32'hbbccaa44, "byte and halfword writes");
    where = "nothing is there: the core goes on";
    begin
      int unsigned bad[9] = '{'h00010000, 'h10000000, 'h40000080, 'h40010400, 'h40010c00, 'h40030000,
                              'h40043400, 'h40051000, 'h80000000};
      foreach (bad[i]) begin
        fw_check(SocBase + vhp_regs_pkg::SocBusError, x & 32'hfffffffe, "bus_error.valid is clear before");
        fw_check(bad[i], 0, $sformatf("read of 0x%08x", bad[i]));
        fw_check(SocBase + vhp_regs_pkg::SocBusError, bad[i] | 1, "bus_error holds the address");
        fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
        x = bad[i];
      end
      fw_w(FnWin + Ports * 'h1000, 0);
      fw_check(SocBase + vhp_regs_pkg::SocBusError, (FnWin + Ports * 'h1000) | 1, "absent function");
      fw_w(MboxReq, 0);
      fw_check(SocBase + vhp_regs_pkg::SocBusError, (FnWin + Ports * 'h1000) | 1, "the first address is kept");
      fw(OpIrq, 5, 50, x);
      check(x, 1, "bus_error interrupts");
      fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
      fw_w(MboxReq, 0);
      fw_check(SocBase + vhp_regs_pkg::SocBusError, MboxReq | 1, "the request is read-only for the firmware");
      fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
    end
    fw(OpCall, 'h20000, 0, x);
    check(x, 2, "a jump to nowhere is an illegal instruction");
    check(extra, 'h20000, "at that address");
  endtask

  task automatic test_sleep();
    logic [31:0] x;
    int unsigned t0;
    where = "sleep";
    wait_idle("idle after the start");
    for (int i = 0; i < 2000; i++) begin
      @(negedge clk);
      if (!idle) break;
    end
    check(32'(idle), 1, "idle stays");
    check({dut.u_soc.u_cpu.iBusWishbone_CYC, dut.u_soc.asleep}, 1, "no fetch while asleep");
    fw(OpSleep, 20, 0, x);
    check(x, 1, "one timer interrupt");
    check(32'(extra >= 20 && extra <= 22), 1, $sformatf("slept 20 us (%0d)", extra));
    // With the timer enabled the card is idle until it is due, and then awake.
    ask(OpSleep, 40, 0);
    settle(1500);
    wait_idle("idle while the timer runs");
    t0 = 0;
    while (idle) begin
      @(negedge clk);
      t0++;
    end
    check(32'(t0 > 3000 && t0 < 10500), 1, $sformatf("woken by the timer after %0d cycles", t0));
    answer(x);
    check(x, 1, "one interrupt");
    ask(OpSpin, 10, 0);
    settle(500);
    for (int i = 0; i < 1500; i++) begin
      @(negedge clk);
      if (idle) break;
    end
    check(32'(idle), 0, "not idle while the core works");
    answer(x);
    wait_idle("idle again");
    // An access of the host, a kick: not idle in the very cycle, idle afterwards, the core asleep.
    @(negedge clk);
    rb_valid = 1;
    rb_req   = '{func: 8'd0, bar: 3'd2, addr: 24'd0, write: 1'b1, be: 4'hf, wdata: 0};
    #1;
    check(32'(idle), 0, "request in this cycle");
    @(negedge clk);
    rb_valid = 0;
    kicks = 0;
    t0 = 0;
    while (!idle) begin
      @(negedge clk);
      t0++;
    end
    check(32'(kicks), 1, "the kick left before idle");
    check(32'(t0 < 20), 1, "idle soon");
    lane_irq = 1;
    #1;
    check(32'(idle), 1, "a cause that is not enabled does not wake");
    lane_irq = 0;
  endtask

  task automatic test_irqs();
    logic [31:0] x;
    where = "interrupt causes";
    lane_irq = 1;
    fw(OpIrq, 3, 50, x);
    check({x[15:0], extra[15:0]}, 32'h0001_0000 | 'ha, "lane (and mbox, which asks)");
    lane_irq = 0;
    fw(OpIrq, 3, 20, x);
    check(x, 0, "lane gone");
    flr_pending = 3'b100;
    hw(0, 0, vhp_regs_pkg::MgmtBootHold, 1);
    check(32'(boot_hold), 1, "a reset of function 2 leaves boot_hold");
    flr_pending = 3'b101;
    fw(OpIrq, 4, 50, x);
    check(x, 1, "FLR");
    fw_check(SocBase + vhp_regs_pkg::SocFlrPending, 5, "flr_pending");
    flr_seen = 0;
    fw_w(SocBase + vhp_regs_pkg::SocFlrDone, 4);
    check(32'(flr_seen), 4, "flr_done of function 2 only");
    check(32'(boot_hold), 0, "a reset of function 0 clears boot_hold");
    fw_w(SocBase + vhp_regs_pkg::SocFlrDone, 1);
    check(32'(flr_seen), 5, "flr_done of function 0");
    fw_check(SocBase + vhp_regs_pkg::SocFlrPending, 0, "none pending");
    for (int unsigned p = 0; p < Ports; p++) begin
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnEventEnable, 'h3f);
      fw(OpIrq, 8 + p, 20, x);
      check(x, 0, "function quiet");
      hw(p + 1, 0, 'h10000, 0);
      fw(OpIrq, 8 + p, 50, x);
      check(x, 1, "control receiveq doorbell interrupts");
      fw_check(FnWin + p * 'h1000, 4, "kick_ctrl_rx");
      fw_w(FnWin + p * 'h1000, 'h3f);
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnEventEnable, 0);
    end
  endtask

  task automatic test_doorbells();
    logic [31:0] x, rung;
    int want;
    where = "doorbells";
    for (int unsigned p = 0; p < Ports; p++) fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnNumQueues, vhp_pkg::FnVqs);
    hr(0, 0, vhp_regs_pkg::MgmtDoorbells, rung);
    for (int unsigned page = 0; page < 64; page++) begin
      kicks = 0;
      hr(0, 2, page * 4096 + 4 * $urandom_range(1023), x);
      check(32'(kicks), 0, "a read is no doorbell");
      check(x, 0, "a page reads 0");
      host(1, 0, 2, page * 4096, 4'h0, 0, x);
      check(32'(kicks), 0, "a write of no byte is no doorbell");
      hw(0, 2, page * 4096 + 4 * $urandom_range(1023), $urandom);
      settle(3);
      if (page / 16 < Ports && page % 16 < 2 * Pairs) begin
        // lane = (port * Pairs + pair) * 2 + dir: peer RX is the sink of B2A (1), peer TX the source of A2B (0).
        want = int'(page % 2 == 0 ? (((page / 16) * Pairs + (page % 16) / 2) * 2 + 1) * 2 + 1
                                  : (((page / 16) * Pairs + (page % 16) / 2) * 2 + 0) * 2 + 0);
        check(32'(kicks), 1, $sformatf("peer page %0d", page));
        check(32'(kick_last), 32'(want), $sformatf("qid of peer page %0d", page));
      end else begin
        check(32'(kicks), 0, $sformatf("unknown peer page %0d", page));
        check(32'(rb_err), 1, "error");
      end
    end
    hw(0, 2, 'h40000, 0);
    check(32'(rb_err), 1, "beyond BAR 2");
    for (int unsigned p = 0; p < Ports; p++) begin
      fw_check(FnWin + p * 'h1000 + vhp_regs_pkg::FnPeerDoorbells, 2 * Pairs + (p == 0 ? 1 : 0), "peer_doorbells");   // test_sleep rang once
      for (int unsigned q = 0; q < 16; q++) begin
        kicks = 0;
        hw(p + 1, 0, 'h10000 + q * 4096 + 4 * $urandom_range(1023), q);
        settle(3);
        check(32'(rb_err), 0, "notify page");
        if (q >= 2 && q < vhp_pkg::FnVqs) begin
          want = int'(q % 2 == 0 ? ((p * Pairs + (q - 2) / 2) * 2 + 0) * 2 + 1 : ((p * Pairs + (q - 3) / 2) * 2 + 1) * 2 + 0);
          check(32'(kicks), 1, $sformatf("queue %0d", q));
          check(32'(kick_last), 32'(want), $sformatf("qid of queue %0d", q));
        end else begin
          check(32'(kicks), 0, $sformatf("queue %0d kicks no lane", q));
        end
      end
      fw_check(FnWin + p * 'h1000, 'hc, "control queues raise events");
      fw_w(FnWin + p * 'h1000, 'h3f);
      fw_check(FnWin + p * 'h1000 + vhp_regs_pkg::FnIgnoredWrites, 16 - vhp_pkg::FnVqs, "unknown queues are counted");
    end
    hr(0, 0, vhp_regs_pkg::MgmtDoorbells, x);
    check(x - rung, Ports * (2 * Pairs + vhp_pkg::FnVqs), "doorbells");
  endtask

  task automatic test_messages();
    logic [31:0] x;
    where = "configuration interrupts";
    for (int unsigned p = 0; p < Ports; p++) begin
      hw(p + 1, 0, 'h1010, 32'(5 + p));
      msgs = 0;
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnControl, 4);
      check(32'(msgs), 1, "one message");
      check(32'(msg_func), p + 1, "function");
      check(32'(msg_vector), 5 + p, "config_msix_vector");
      hr_check(p + 1, 0, 'h2000, 4, "ISR bit 2 too");
      isr_set[p] = 1;
      @(negedge clk);
      isr_set = '0;
      hr_check(p + 1, 0, 'h2000, 1, "ISR bit 0 of a queue interrupt");
      msix_enable[p + 1] = 0;
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnControl, 2);
      check(32'(msgs), 1, "no message without MSI-X");
      hr_check(p + 1, 0, 'h2000, 2, "but the ISR");
      msix_enable[p + 1] = 1;
      hw(p + 1, 0, 'h1010, 32'hffff);
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnControl, 2);
      check(32'(msgs), 1, "no message without a vector");
      hr_check(p + 1, 0, 'h2000, 2, "but the ISR");
    end
    where = "peer interrupts";
    for (int unsigned p = 0; p < Ports; p++) begin
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnPeerNumRxQueues, Pairs);
      fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnPeerIrqCtrl, 1);
      for (int unsigned q = 0; q < Pairs; q++) begin
        fw_w(FnWin + p * 'h1000 + vhp_regs_pkg::FnPeerGsiBase + 4 * q, 32'h700 + 16 * p + q);
        msgs = 0;
        hw(p + 1, 0, 'h5000, q);
        settle(30);
        check(32'(msgs), 1, "by queue");
        check(32'(msg_func), 0, "function 0");
        check(32'(msg_vector), 1 + 8 * p + 2 * q, "vector of the peer's vring");
        hw(p + 1, 0, 'h5004, 32'h700 + 16 * p + q);
        settle(30);
        check(32'(msgs), 2, "by GSI");
        check(32'(msg_vector), 1 + 8 * p + 2 * q, "vector of the GSI");
        hw(p + 1, 0, 'h5000, 'h8000 + q);
        settle(30);
        check(32'(msgs), 3, "TX queue by index");
        check(32'(msg_vector), 1 + 8 * p + 2 * q + 1, "vector of the peer's TX vring");
      end
      msgs = 2;
      hw(p + 1, 0, 'h5004, 32'h700 + 16 * (p ^ 1));
      settle(30);
      check(32'(msgs), 2, "another port's GSI is refused");
    end
    hr_check(0, 0, vhp_regs_pkg::MgmtPeerIrqRefused, Ports, "refusals, seen by the host");
    where = "a link that stands still";
    ntf_ready = 0;
    msgs = 0;
    for (int i = 0; i < 8; i++) begin
      hw(1, 0, 'h5000, 0);
      hw(1, 0, 'h5000, 1);
    end
    settle(50);
    check(32'(idle), 0, "a message that waits keeps the card busy");
    ntf_ready = 1;
    settle(60);
    check(32'(msgs >= 2 && msgs <= 3), 1, "doorbells never wait; equal interrupts merge");
  endtask

  task automatic test_events();
    logic [31:0] x;
    where = "event queue";
    hr_check(0, 0, vhp_regs_pkg::MgmtEvent, 0, "empty");
    msgs = 0;
    for (int unsigned i = 1; i <= 18; i++) fw_w(SocBase + vhp_regs_pkg::SocEventPush, 32'h00010000 * i + 1);
    check(32'(msgs), 18, "vector 0 for each");
    check(32'(msg_func), 0, "function 0");
    check(32'(msg_vector), 0, "vector 0");
    hr_check(0, 0, vhp_regs_pkg::MgmtEventLost, 2, "two lost");
    for (int unsigned i = 1; i <= 16; i++) begin
      hr_check(0, 0, vhp_regs_pkg::MgmtEvent, 32'h00010000 * i + 1, "oldest first");
      hr_check(0, 0, vhp_regs_pkg::MgmtEvent, 32'h00010000 * i + 1, "reading has no effect");
      hw(0, 0, vhp_regs_pkg::MgmtEventAck, 0);
      hw(0, 0, vhp_regs_pkg::MgmtEventAck, 1);
    end
    hr_check(0, 0, vhp_regs_pkg::MgmtEvent, 0, "empty again");
    hw(0, 0, vhp_regs_pkg::MgmtEventAck, 1);
    fw_w(SocBase + vhp_regs_pkg::SocEventPush, 77);
    hr_check(0, 0, vhp_regs_pkg::MgmtEvent, 77, "an ack too many does no harm");
    hw(0, 0, vhp_regs_pkg::MgmtEventAck, 1);
  endtask

  task automatic dma(input int unsigned op, input int unsigned func, input logic [63:0] addr, input int unsigned len,
                     input int unsigned offset, output logic [31:0] status);
    fw_w(SocBase + vhp_regs_pkg::SocDmaAddrLo, addr[31:0]);
    fw_w(SocBase + vhp_regs_pkg::SocDmaAddrHi, addr[63:32]);
    fw_w(SocBase + vhp_regs_pkg::SocDmaWhat, (func << 16) | len);
    fw_w(SocBase + vhp_regs_pkg::SocDmaLocal, offset);
    fw_w(SocBase + vhp_regs_pkg::SocDmaGo, op);
    do fw(OpRead, SocBase + vhp_regs_pkg::SocDmaStatus, 0, status); while (status[0]);
  endtask
  task automatic test_dma(input int n);
    logic [31:0] x, status, w;
    logic [7:0]  shadow [4096];
    logic [7:0]  expect_mem [65536];
    int unsigned func, len, offset, bad;
    logic [63:0] addr;
    where = "DMA";
    foreach (mem[f, i]) mem[f][i] = 8'($urandom);
    for (int unsigned i = 0; i < 4096; i += 4) begin
      w = $urandom;
      if (i % 256 == 0) fw_w(DmaBuf + i, w);   // the rest is filled by a read below
    end
    dma(1, 0, MemBase, 4096, 0, status);
    check(status, 2, "read of 4096 bytes");
    for (int unsigned i = 0; i < 4096; i++) shadow[i] = mem[0][i];
    for (int i = 0; i < n; i++) begin
      func   = $urandom_range(vhp_pkg::NumFn - 1);
      len    = $urandom_range(3) == 0 ? $urandom_range(4096, 1) : $urandom_range(200, 1);
      offset = $urandom_range(4096 - len);
      addr   = MemBase + 64'($urandom_range(65536 - len));
      if ($urandom_range(1) != 0) begin
        dma(1, func, addr, len, offset, status);
        check(status, 2, "read");
        for (int unsigned k = 0; k < len; k++) shadow[offset + k] = mem[func][16'(addr - MemBase) + 16'(k)];
        for (int k = 0; k < 4; k++) begin
          offset = $urandom_range(1023) * 4;
          fw_check(DmaBuf + offset, {shadow[offset+3], shadow[offset+2], shadow[offset+1], shadow[offset]}, "buffer after a read");
        end
      end else begin
        fw(OpWrite8, DmaBuf + offset, 'h5a, x);
        shadow[offset] = 8'h5a;
        foreach (expect_mem[k]) expect_mem[k] = mem[func][k];
        for (int unsigned k = 0; k < len; k++) expect_mem[16'(addr - MemBase) + 16'(k)] = shadow[offset + k];
        dma(2, func, addr, len, offset, status);
        check(status, 2, "write");
        bad = 0;
        foreach (expect_mem[k]) if (mem[func][k] != expect_mem[k]) bad++;
        check(32'(bad), 0, $sformatf("bytes wrong after a write of %0d at 0x%0x from 0x%0x", len, addr, offset));
      end
    end
    where = "DMA: order, errors";
    fw_w(SocBase + vhp_regs_pkg::SocDmaAck, 1);
    fw_check(SocBase + vhp_regs_pkg::SocDmaStatus, 0, "ack clears done");
    wr_cmds = 0;
    dma(2, 1, MemBase, 200, 0, status);
    dma(3, 1, 64'd9, 1, 0, status);
    check(status, 2, "MSI-X");
    check(32'(last_msix), 32'h0001_0009, "vector 9 of function 1");
    check(32'(wr_msix_after), 5, "behind the four commands of its data");
    fw(OpIrq, 2, 50, x);
    check(x, 1, "DMA interrupt");
    dma(1, 0, MemBase, 0, 0, status);
    check(status, 'h42, "length 0 is refused");
    dma(2, 0, MemBase, 4097, 0, status);
    check(status, 'h42, "length 4097 is refused");
    dma(1, 0, MemBase, 100, 4000, status);
    check(status, 'h42, "end beyond the buffer is refused");
    rd_reqs = 0;
    force_rd = vhp_pkg::DmaUr;
    dma(1, 0, MemBase, 100, 0, status);
    check(status, 'h12, "read error");
    force_rd = vhp_pkg::DmaOk;
    force_wr = vhp_pkg::DmaDisabled;
    dma(2, 0, MemBase, 300, 0, status);
    check(status, 'h72, "write dropped");
    force_wr = vhp_pkg::DmaOk;
    dma(1, 0, MemBase, 4, 0, status);
    check(status, 2, "and good again");
    check(32'(rd_reqs), 2, "one request per read");
    fw_w(SocBase + vhp_regs_pkg::SocDmaAck, 1);
  endtask

  task automatic test_lane_registers(input int n);
    logic [31:0] shadow [4096];
    int unsigned a;
    where = "lane registers";
    foreach (lane_mem[i]) begin
      lane_mem[i] = $urandom;
      shadow[i] = lane_mem[i];
    end
    for (int i = 0; i < n; i++) begin
      a = $urandom_range('h33ff) & ~3;
      if ($urandom_range(1) != 0) begin
        shadow[a / 4] = $urandom;
        fw_w(LaneWin + a, shadow[a / 4]);
        check(lane_mem[a / 4], shadow[a / 4], "written");
      end else begin
        fw_check(LaneWin + a, shadow[a / 4], "read");
      end
    end
  endtask

  // A target that does not take or not answer a request holds neither bus, and what it owes goes to nobody.
  task automatic test_time_limit();
    localparam int unsigned At = LaneWin + 'h40, TargetFlash = 2, TargetLanes = 3;
    logic [31:0] x;
    int unsigned late = 0;
    time         begun;
    where = "register bus: lanes take no request";
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, 0, "bus_late before");
    fw_w(At, 32'h1234_5678);
    lane_deaf = 1;
    fw_check(At, 0, "read");
    fw_check(SocBase + vhp_regs_pkg::SocBusError, At | 1, "bus_error holds the address");
    fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, 'h100_0000 | TargetLanes << 16 | ++late, "bus_late names firmware and lanes");
    fw_w(At, 32'hffff_ffff);
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, 'h100_0000 | TargetLanes << 16 | ++late, "a write counts too");
    fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
    lane_deaf = 0;
    fw_check(At, 32'h1234_5678, "the request was withdrawn: the write did nothing, the bus goes on");
    fw_check(SocBase + vhp_regs_pkg::SocBusError, At & 32'hffff_fffe, "no error");

    where = "register bus: lanes answer too late";
    lane_mute = 1;
    fw_check(At, 0, "read");
    fw_check(SocBase + vhp_regs_pkg::SocBusError, At | 1, "bus_error holds the address");
    fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, 'h100_0000 | TargetLanes << 16 | ++late, "counted");
    lane_taken = 0;
    for (int i = 0; i < 3; i++) begin
      fw_w(At + 4 * i, 32'hdead_0000);
      late++;
    end
    check(lane_taken, 0, "requests that reach lanes that owe an answer");
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, 'h100_0000 | TargetLanes << 16 | late, "each refusal counts");
    fw_w(SocBase + vhp_regs_pkg::SocBusError, 1);
    fw_check(SocBase + vhp_regs_pkg::SocCaps, {4'd0, 8'(vhp_pkg::MaxRegions), 4'd10, 8'(Pairs), 8'(Ports)},
             "other targets answer meanwhile");
    lane_mute = 0;
    settle(20);
    fw_check(At, 32'h1234_5678, "the late answer went to nobody, the next access gets its own");
    fw_w(At + 4, 32'h0bad_cafe);
    fw_check(At + 4, 32'h0bad_cafe, "and so does the one after it");
    fw_check(SocBase + vhp_regs_pkg::SocBusError, At & 32'hffff_fffe, "no error");

    where = "register bus: the flash block answers too late";
    flash_dead = 1;
    hr(0, 4, 'h68, x);
    check({x[30:0], rb_err}, 1, "read of the flash BAR");
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, TargetFlash << 16 | ++late, "bus_late names host and flash");
    begun = $time;
    hw(0, 4, 'h68, 0);
    check(32'(rb_err), 1, "write of the flash BAR");
    check(32'($time - begun < 4 * 64), 1, "which does not wait for the time limit again");
    late++;
    hr_check(0, 0, vhp_regs_pkg::MgmtId, 'h56485031, "management answers meanwhile");
    flash_late = 1;
    settle(1);
    flash_late = 0;
    flash_dead = 0;
    settle(2);
    hr_check(0, 4, 'h68, ~32'h68, "the next access gets its own answer");
    check(32'(rb_err), 0, "without error");
    hr_check(0, 0, vhp_regs_pkg::MgmtBusLate, TargetFlash << 16 | late, "bus_late stays");
  endtask

  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    void'($urandom(seed));
    $display("seed %0d", seed);
    settle(5);
    rst = 0;
    #1;
    check(32'(config_enable), 0, "configuration space is closed at reset");
    check(32'(idle), 0, "not idle while the firmware starts");
    for (int i = 0; i < 3000; i++) begin
      @(negedge clk);
      if (config_enable) break;
    end
    check(32'(config_enable), 1, "the firmware starts and opens configuration space");
    test_sleep();
    test_management();
    test_cpu();
    test_irqs();
    test_doorbells();
    test_messages();
    test_events();
    test_dma(60);
    test_lane_registers(60);
    test_time_limit();
    wait_idle("idle at the end");
    $display("%0d passed, %0d failed", passed, failed);
    $finish;
  end
endmodule
