// SPDX-License-Identifier: Apache-2.0
//
// Bench of vhp_dirty_log. The bench plays two streams of write commands with completions in order and at random, the
// log's own stream into a model of host memory, and the firmware on the register bus. At every sync it compares the
// entries that came with the pages that were written: each page of a logging port must be there, or its port must have
// overflowed; and all writes from before the sync must have completed.
// +seed=N; prints "N passed, N failed".

module tb_dirty_log;
  logic clk = 0, rst = 1;
  always #2 clk = !clk;

  localparam int unsigned Ports = vhp_pkg::NumPorts;
  typedef logic [55:0] key_t;      // port, page
  localparam logic [23:0] Ctrl = 24'(vhp_regs_pkg::LogCtrl), BaseLo = 24'(vhp_regs_pkg::LogBaseLo),
                          BaseHi = 24'(vhp_regs_pkg::LogBaseHi), SizeLog2 = 24'(vhp_regs_pkg::LogSizeLog2),
                          Sync = 24'(vhp_regs_pkg::LogSync), Head = 24'(vhp_regs_pkg::LogHead),
                          Tail = 24'(vhp_regs_pkg::LogTail), Overflow = 24'(vhp_regs_pkg::LogOverflow),
                          Merged = 24'(vhp_regs_pkg::LogMerged);

  logic                        rb_valid = 0, rb_ready, rsp_valid;
  vhp_pkg::rb_req_t            rb = '0;
  vhp_pkg::rb_rsp_t            rsp;
  logic                 [1:0]  taken = '0, cmpl = '0;
  vhp_pkg::dma_wr_req_t [1:0]  wr = '0;
  logic                        log_valid, log_ready = 0, log_cmpl = 0;
  vhp_pkg::dma_wr_req_t        log;
  vhp_pkg::dma_wr_cmpl_t       log_status = '0;
  logic                        idle;

  vhp_dirty_log dut (
    .clk_i(clk), .rst_i(rst), .rb_req_valid_i(rb_valid), .rb_req_ready_o(rb_ready), .rb_req_i(rb),
    .rb_rsp_valid_o(rsp_valid), .rb_rsp_o(rsp), .wr_taken_i(taken), .wr_i(wr), .wr_cmpl_i(cmpl),
    .log_valid_o(log_valid), .log_ready_i(log_ready), .log_o(log), .log_cmpl_valid_i(log_cmpl), .log_cmpl_i(log_status),
    .idle_o(idle)
  );

  int passed = 0, failed = 0, seed, told = 0;
  string where = "start";
  task automatic fail(input string what);
    failed++;
    if (told++ < 20) $display("FAILED %s: %s", where, what);
  endtask
  task automatic check(input logic [63:0] got, input logic [63:0] want, input string what);
    if (got === want) passed++;
    else fail($sformatf("%s: got 0x%0x, expected 0x%0x", what, got, want));
  endtask

  // ---------------------------------------------------------------- what the bench is set to
  int unsigned wr_pct = 0, cmpl_pct = 100, log_pct = 100, log_cmpl_pct = 100, log_bad_pct = 0, hot = 40;
  bit          loose = 0;      // the ring moved: no comparison until the next sync

  // ---------------------------------------------------------------- the model
  bit               must [key_t], next [key_t], ever [key_t];
  logic [Ports-1:0] enabled = '0;
  int unsigned      open [2], before_line [2];
  bit               line = 0;      // a sync is busy: what comes now is behind its line
  logic [63:0]      base = '0, ring [1 << 12];
  logic [31:0]      tail = '0, put = '0;
  int unsigned      size_log2 = 0;
  vhp_pkg::dma_wr_req_t log_queue [$];

  function automatic bit logged(input vhp_pkg::dma_wr_req_t w);
    return w.func == 0 && w.kind != vhp_pkg::WrMsix && 32'(w.port) < Ports && enabled[w.port];
  endfunction

  // One process sees every edge, in the order that the block defines: commands of the cycle, then the sync.
  always @(posedge clk) if (!rst) begin
    for (int s = 0; s < 2; s++) begin
      if (cmpl[s]) begin
        open[s]--;
        if (before_line[s] != 0) before_line[s]--;
      end
      if (taken[s]) begin
        open[s]++;
        if (logged(wr[s])) begin
          logic [63:0] a;
          a = wr[s].addr;
          for (int unsigned at = 0; at < int'(wr[s].len) + 4096; at += 4096) begin
            logic [51:0] page;
            logic [63:0] last;
            page = a[63:12] + 52'(at / 4096);
            last = {12'd0, a[63:12]} + (64'(a[11:0]) + 64'(wr[s].len) - 1) / 4096;
            if (64'(a[63:12]) + at / 4096 > last) break;
            ever[{2'd0, wr[s].port, page}] = 1;
            if (line) next[{2'd0, wr[s].port, page}] = 1;
            else must[{2'd0, wr[s].port, page}] = 1;
          end
        end
      end
    end
    if (rb_valid && rb.write && rb.addr == Sync && rb.wdata[0] && !line) begin
      line = 1;
      before_line = open;
    end
    if (rb_valid && rb.write && rb.addr == Ctrl) enabled = rb.wdata[Ports-1:0];
    if (rb_valid && rb.write && rb.addr == Tail) tail = rb.wdata;

    // The log's stream: visible in host memory once completed.
    if (log_cmpl) begin
      vhp_pkg::dma_wr_req_t l;
      l = log_queue.pop_front();
      if (log_status.status == vhp_pkg::DmaOk)
        for (int unsigned i = 0; i < int'(l.len) / 8; i++) ring[12'((l.addr - base) / 8) + 12'(i)] = l.imm[64*i +: 64];
    end
    if (log_valid && log_ready) begin
      int unsigned n;
      n = int'(log.len) / 8;
      log_queue.push_back(log);
      if (log.kind != vhp_pkg::WrImm || log.func != 0 || log.len % 8 != 0 || n < 1 || n > 8) fail("an impossible line");
      if (!loose) begin
        if (log.addr != base + 8 * (64'(put) % (64'd1 << size_log2)))
          fail($sformatf("a line for 0x%0x, expected ring position %0d", log.addr, put));
        if (log.addr[5:3] + n > 8) fail("a line crosses 64 bytes");
        if (put + n - tail > (1 << size_log2)) fail("an entry that the host has not taken is overwritten");
      end
      put += n;
    end
  end

  // ---------------------------------------------------------------- drivers
  function automatic bit pct(input int unsigned p);
    return $urandom_range(99) < p;
  endfunction

  function automatic vhp_pkg::dma_wr_req_t random_command();
    logic [51:0] page;
    int unsigned where_to, how_long;
    where_to = $urandom_range(9);
    how_long = $urandom_range(15);
    random_command = '0;
    random_command.kind = vhp_pkg::wr_kind_e'(pct(15) ? 2 : $urandom_range(1));
    random_command.func = pct(80) ? 8'd0 : 8'($urandom_range(vhp_pkg::NumFn - 1));
    random_command.port = 2'($urandom_range(Ports - 1));
    unique case (where_to)
      0:       page = {26'($urandom), 26'h3fffff0} + 52'($urandom_range(31));  // the step's own carry
      1:       page = 52'({$urandom, $urandom});
      default: page = 52'h1_0000_0000 + 52'($urandom_range(hot - 1)) * 52'd3;
    endcase
    if (page > 52'hf_ffff_ffff_ff00) page = 52'd5;
    random_command.addr = {page, pct(30) ? 12'hfff - 12'($urandom_range(3)) : 12'($urandom)};
    unique case (how_long)
      0:       random_command.len = 17'd65536 - 17'($urandom_range(40));
      1, 2, 3: random_command.len = 17'($urandom_range(9000, 1));
      default: random_command.len = 17'($urandom_range(2048, 1));
    endcase
    if (random_command.kind == vhp_pkg::WrImm) random_command.len = 17'($urandom_range(64, 1));
  endfunction

  vhp_pkg::dma_wr_req_t forced [2][$];
  int unsigned hold_cmpl [2];      // completions that may still be given, per stream, when not ~0
  always @(negedge clk) if (!rst) begin
    for (int s = 0; s < 2; s++) begin
      taken[s] = 0;
      if (forced[s].size() != 0) begin
        wr[s] = forced[s].pop_front();
        taken[s] = 1;
      end else if (pct(wr_pct) && open[s] < 60) begin
        wr[s] = random_command();
        taken[s] = 1;
      end
      cmpl[s] = open[s] != 0 && hold_cmpl[s] != 0 && pct(cmpl_pct);
      if (cmpl[s] && hold_cmpl[s] != '1) hold_cmpl[s]--;
    end
    log_ready = pct(log_pct);
    log_cmpl  = log_queue.size() != 0 && pct(log_cmpl_pct);
    log_status.status = pct(log_bad_pct) ? vhp_pkg::DmaFlr : vhp_pkg::DmaOk;
  end

  task automatic settle(input int n);
    repeat (n) @(negedge clk);
    #1;
  endtask

  logic [31:0] rdata;
  logic        rerr;
  task automatic access(input logic write, input logic [23:0] addr, input logic [31:0] data, input logic [3:0] be);
    @(negedge clk);
    #1;
    rb = '{func: 0, bar: 0, addr: addr, write: write, be: be, wdata: data};
    rb_valid = 1;
    @(negedge clk);
    #1;
    rb_valid = 0;
    while (!rsp_valid) begin
      @(negedge clk);
      #1;
    end
    rdata = rsp.rdata;
    rerr  = rsp.err;
  endtask
  task automatic set(input logic [23:0] addr, input logic [31:0] data);
    access(1, addr, data, 4'hf);
  endtask
  task automatic expect_reg(input logic [23:0] addr, input logic [31:0] want, input string what);
    access(0, addr, 0, 4'hf);
    check(64'(rdata), 64'(want), what);
  endtask

  task automatic set_ring(input logic [63:0] at, input int unsigned log2);
    base = at;
    size_log2 = log2;
    set(BaseLo, at[31:0]);
    set(BaseHi, at[63:32]);
    set(SizeLog2, log2);
  endtask

  // A command of `pages` pages from the last byte of `page`.
  task automatic command(input int s, input logic [1:0] port, input logic [51:0] page, input int unsigned len,
                         input logic [11:0] off);
    vhp_pkg::dma_wr_req_t w;
    w = '0;
    w.kind = vhp_pkg::WrPacket;
    w.port = port;
    w.addr = {page, off};
    w.len  = 17'(len);
    forced[s].push_back(w);
  endtask

  task automatic start_sync();
    set(Sync, 1);
  endtask

  // Waits for the end of a sync, takes what it gives and compares. Leaves the figures of it in these.
  logic [31:0]      s_head, s_old_tail;
  logic [Ports-1:0] s_over;
  key_t             s_entries [$];
  task automatic end_sync();
    bit          have [key_t];
    int unsigned missing;
    key_t        k;
    for (int i = 0; i < 200000; i++) begin
      access(0, Sync, 0, 4'hf);
      if (!rdata[0]) break;
    end
    check(64'(rdata), 0, "sync ends");
    if (before_line[0] + before_line[1] != 0) fail("sync is done, but a write from before it is under way");
    else passed++;
    access(0, Overflow, 0, 4'hf);
    s_over = rdata[Ports-1:0];
    access(0, Head, 0, 4'hf);
    s_head     = rdata;
    s_old_tail = tail;
    s_entries.delete();
    if (!loose) begin
      if (s_head - tail > (1 << size_log2)) fail("head is further from tail than the ring is large");
      for (logic [31:0] i = tail; i != s_head; i++) begin
        logic [63:0] e;
        e = ring[12'(i % (1 << size_log2))];
        k = {2'd0, 2'(e[3:0] - 1), e[63:12]};
        if (s_over != '1 && (e[11:4] != 0 || e[3:0] == 0 || 32'(e[3:0]) > Ports)) fail($sformatf("entry 0x%0x", e));
        // A dropped line leaves what was there; its ports have overflowed.
        else if (!ever.exists(k) && s_over != '1) fail($sformatf("entry 0x%0x for a page that nobody wrote", e));
        have[k] = 1;
        s_entries.push_back(k);
      end
      missing = 0;
      foreach (must[m]) if (!have.exists(m) && !s_over[m[53:52]]) begin
        missing++;
        if (missing == 1) fail($sformatf("port %0d page 0x%0x was written and has neither entry nor overflow", m[53:52], m[51:0]));
      end
      if (missing == 0) passed++;
    end
    set(Overflow, 32'(s_over));
    set(Tail, s_head);
    must = next;
    next.delete();
    line = 0;
    loose = 0;
  endtask
  task automatic sync();
    while (forced[0].size() + forced[1].size() != 0) settle(1);
    settle(1);
    start_sync();
    end_sync();
  endtask

  // ---------------------------------------------------------------- directed
  task automatic fresh(input int unsigned log2);
    rst = 1;
    rb_valid = 0;
    taken = '0;
    cmpl = '0;
    log_cmpl = 0;
    must.delete();
    next.delete();
    ever.delete();
    log_queue.delete();
    open = '{0, 0};
    before_line = '{0, 0};
    hold_cmpl = '{'1, '1};
    line = 0;
    put = 0;
    tail = 0;
    enabled = '0;
    {wr_pct, log_bad_pct} = '0;
    {cmpl_pct, log_pct, log_cmpl_pct} = {32'd100, 32'd100, 32'd100};
    settle(3);
    rst = 0;
    settle(1);
    set_ring(64'hff_ffff_ff80, log2);    // the ring lies across 2^40: carry into the upper half
    if (log2 == 0) set(SizeLog2, 0);
  endtask

  task automatic test_registers();
    where = "registers";
    fresh(7);
    expect_reg(BaseLo, 32'hffff_ff80, "base, low");
    expect_reg(BaseHi, 32'hff, "base, high");
    access(1, BaseHi, 32'h1234_5678, 4'b0110);
    expect_reg(BaseHi, 32'h0034_56ff, "byte enables");
    access(1, Ctrl, '1, 4'b0000);
    expect_reg(Ctrl, 0, "no byte enabled");
    set(Ctrl, '1);
    expect_reg(Ctrl, (1 << Ports) - 1, "only ports that there are");
    set(Head, 5);
    expect_reg(Head, 0, "head is read-only");
    access(0, 24'h24, 0, 4'hf);
    check(64'(rerr), 1, "nothing behind the last register");
    set(Sync, 0);
    expect_reg(Sync, 0, "writing 0 starts no sync");
  endtask

  task automatic test_merge();
    where = "merge";
    fresh(7);
    set(Ctrl, 1);
    for (int i = 0; i < 5; i++) command(i % 2, 0, 52'h77, 100, 12'd50);
    settle(30);
    expect_reg(Head, 0, "head moves at sync only");
    sync();
    check(64'(s_head), 1, "one entry");
    expect_reg(Merged, 4, "four merged");
    command(0, 0, 52'h77, 1, 12'd0);
    sync();
    check(64'(s_head), 2, "a write after the sync has an entry of its own");
    sync();
    check(64'(s_head), 2, "and no third one");
    // The same page for two ports, and two pages of one row of the table.
    set(Ctrl, 3);
    command(0, 0, 52'h1000, 8, 12'd0);
    command(0, 1, 52'h1000, 8, 12'd0);
    command(0, 0, 52'h1200, 8, 12'd0);
    command(0, 0, 52'h1000, 8, 12'd0);
    sync();
    check(64'(s_head), 6, "ports apart, rows shared");
    check(64'(s_over), 0, "nothing is lost");
  endtask

  task automatic test_spans();
    where = "spans";
    fresh(9);
    set(Ctrl, 3);
    command(0, 0, 52'h3fffffe, 65536, 12'hfff);
    sync();
    check(64'(s_head), 17, "64 KiB from a page's last byte: 17 pages");
    command(1, 1, 52'h50, 4096, 12'd0);
    sync();
    check(64'(s_head), 18, "a whole page");
    command(1, 1, 52'h60, 2, 12'hfff);
    sync();
    check(64'(s_head), 20, "two bytes across a page's end");
    for (int i = 0; i < 8; i++) command(1, 0, 52'h100 + 52'(i), 1, 12'd0);
    settle(60);
    check(64'(log_queue.size()), 0, "a whole line does not wait for the sync");
    check(64'(put), 24, "and a part of one does");
    sync();
    check(64'(s_head), 28, "the rest");
  endtask

  task automatic test_not_logged();
    vhp_pkg::dma_wr_req_t w;
    where = "not logged";
    fresh(7);
    command(0, 0, 52'h10, 10, 12'd0);
    sync();
    check(64'(s_head), 0, "nothing while logging is off");
    set(Ctrl, 2);
    command(0, 0, 52'h10, 10, 12'd0);
    w = '0;
    w.kind = vhp_pkg::WrMsix;
    w.port = 1;
    w.imm = 5;
    forced[1].push_back(w);
    w.kind = vhp_pkg::WrImm;
    w.func = 1;
    w.len = 64;
    forced[1].push_back(w);
    sync();
    check(64'(s_head), 0, "another port, an interrupt, another function");
    command(0, 1, 52'h10, 10, 12'd0);
    settle(3);
    set(Ctrl, 0);
    sync();
    check(64'(s_head), 1, "what was accepted before logging ended is in the log");
  endtask

  task automatic test_line_through_streams();
    where = "sync and commands of one cycle";
    fresh(7);
    set(Ctrl, 1);
    // In the cycle of the sync: before it, and waited for.
    hold_cmpl = '{0, 0};
    fork
      start_sync();
      begin
        @(negedge clk);
        #2;
        command(0, 0, 52'h1, 10, 12'd0);
        command(1, 0, 52'h2, 10, 12'd0);
      end
    join
    settle(100);
    check(64'(must.size()), 0, "bench: the commands were behind the write");
    expect_reg(Sync, 0, "a sync waits for nothing that comes behind it");
    hold_cmpl = '{'1, '1};
    end_sync();
    check(64'(s_head), 0, "nor counts it");
    sync();
    check(64'(s_head), 2, "the next sync has it");
    hold_cmpl = '{0, 0};
    command(0, 0, 52'h3, 10, 12'd0);
    command(1, 0, 52'h4, 10, 12'd0);
    start_sync();
    check(64'(must.size()), 2, "bench: the commands are in the cycle of the write");
    settle(200);
    expect_reg(Sync, 1, "busy while the writes are under way");
    expect_reg(Head, 2, "head stays until it is done");
    set(Sync, 1);
    hold_cmpl = '{0, '1};
    settle(50);
    expect_reg(Sync, 1, "still busy for the first stream");
    // Behind the line: neither waited for, nor merged with the entry before it.
    command(0, 0, 52'h3, 10, 12'd0);
    settle(20);
    hold_cmpl = '{1, '1};
    end_sync();
    check(64'(s_head), 4, "two entries");
    hold_cmpl = '{'1, '1};
    sync();
    check(64'(s_head), 5, "the write behind the line has an entry of its own");
  endtask

  task automatic test_overflow();
    where = "overflow";
    fresh(6);
    set(Ctrl, 3);
    command(0, 1, 52'h999, 1, 12'd0);
    for (int i = 0; i < 70; i++) command(0, 0, 52'h100 + 52'(i), 1, 12'd0);
    settle(400);
    expect_reg(Overflow, 0, "shown by a sync");
    sync();
    check(64'(s_head), 64, "the ring is full");
    check(64'(s_over), 1, "one port lost entries");
    expect_reg(Overflow, 0, "cleared by writing 1");
    command(0, 0, 52'h100, 1, 12'd0);
    sync();
    check(64'(s_head), 65, "room again");
    check(64'(s_over), 0, "and nothing lost");

    // Lost behind the line: shown by the next sync, when the write has been committed.
    hold_cmpl = '{0, '1};
    command(0, 0, 52'h1, 1, 12'd0);
    settle(2);
    start_sync();
    for (int i = 0; i < 80; i++) command(1, 1, 52'h100 + 52'(i), 1, 12'd0);
    settle(400);
    hold_cmpl = '{'1, '1};
    end_sync();
    check(64'(s_over), 0, "an overflow behind the line is not shown yet");
    sync();
    check(64'(s_over), 2, "it is by the next sync");

    // No ring: everything overflows; sizes that are none.
    foreach (ring[i]) ring[i] = '0;
    for (int i = 0; i < 4; i++) begin
      set(Ctrl, 0);
      sync();
      set(SizeLog2, i == 0 ? 0 : i == 1 ? 5 : i == 2 ? 21 : 31);
      set(Ctrl, 1);
      command(0, 0, 52'h1 + 52'(i), 1, 12'd0);
      sync();
      check(64'(s_head - s_old_tail), 0, "no entry");
      check(64'(s_over), 1, "without a ring everything overflows");
    end

    // A tail that makes no sense only costs entries.
    fresh(6);
    set(Ctrl, 1);
    set(Tail, 32'd1000);
    loose = 1;
    command(0, 0, 52'h1, 1, 12'd0);
    sync();
    check(64'(s_over), 1, "tail ahead of head");

    // The line did not reach host memory.
    fresh(6);
    set(Ctrl, 1);
    log_bad_pct = 100;
    command(0, 0, 52'h1, 1, 12'd0);
    sync();
    check(64'(s_over), 64'((1 << Ports) - 1), "a dropped line overflows every port");
    log_bad_pct = 0;
    command(0, 0, 52'h1, 1, 12'd0);
    sync();
    check(64'(s_over), 0, "and the next one is good");

    // The log's stream stands still: packets do not.
    fresh(10);
    set(Ctrl, 3);
    log_pct = 0;
    for (int i = 0; i < 200; i++) command(0, 0, 52'h100 + 52'(i), 1, 12'd0);
    settle(300);
    check(64'(open[0] + forced[0].size()), 0, "commands were not held back");
    log_pct = 100;
    sync();
    check(64'(s_over), 1, "the watch FIFO overflowed");
    sync();
    check(64'(s_over), 0, "once");
  endtask

  // ---------------------------------------------------------------- random
  task automatic test_random(input int n);
    for (int i = 0; i < n; i++) begin
      where = $sformatf("random %0d", i);
      if (i % 10 == 0) fresh(i % 3 == 0 ? 6 : i % 3 == 1 ? 8 : 12);
      if (i % 10 == 5) begin         // the ring moves while commands are under way
        loose = 1;
        set_ring(64'h1_0000_0000 * 64'($urandom_range(100)) + 64'hffff_ffc0, 8);
        sync();
        sync();
      end
      set(Ctrl, $urandom_range(3));
      wr_pct       = $urandom_range(4) == 0 ? 100 : $urandom_range(50);
      cmpl_pct     = $urandom_range(100, 5);
      log_pct      = $urandom_range(100, 2);
      log_cmpl_pct = $urandom_range(100, 5);
      log_bad_pct  = pct(20) ? 30 : 0;
      hot          = $urandom_range(300, 1);
      settle($urandom_range(400));
      start_sync();
      if (pct(30)) begin
        settle($urandom_range(6));
        set(Ctrl, $urandom_range(3));
      end
      end_sync();
    end
    wr_pct = 0;
    cmpl_pct = 100;
    log_pct = 100;
    log_cmpl_pct = 100;
    sync();
    settle(10);
    check(64'(idle), 1, "idle at the end");
  endtask

  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    void'($urandom(seed));
    $display("seed %0d", seed);
    test_registers();
    test_merge();
    test_spans();
    test_not_logged();
    test_line_through_streams();
    test_overflow();
    test_random(300);
    $display("%0d passed, %0d failed", passed, failed);
    if (failed != 0) $fatal(1, "failed");
    $finish;
  end
endmodule
