// SPDX-License-Identifier: Apache-2.0
//
// Dirty page log: an entry in host memory for every 4 KiB page of function 0 that the card writes for a logging port.
//
// Purpose     Watches the write commands of two streams as they are accepted (lanes, and the aperture beside the
//             notifications). Each page of a command is looked up in a direct-mapped table of the pages that have an
//             entry since the last sync (512 rows, cleared at once); a miss appends an entry to the ring. Eight entries
//             leave as one line of 64 bytes on a write stream of the log's own; a part of a line leaves on sync.
//             Nothing here holds a packet back: what finds the ring or the watch FIFO full is lost, and a lost entry, or
//             one whose line was dropped, sets overflow of its port.
// Sync        A write to `sync` draws a line through both streams, in the cycle of the write: commands up to and including
//             that cycle are before it. Before it is done, every entry for those is in host memory, and the commands
//             themselves are committed to the link; commands behind it find an empty table. head and overflow change
//             only when a sync is done, and tell of what was before its line: an overflow behind the line shows with the next
//             sync, so nobody can clear it before its write has been committed. A sync written while one is busy is ignored.
// Handshake   rb: register bus, offset in vhp_log in addr[11:0]. wr_taken_i, wr_cmpl_i: a command of the stream was
//             accepted, has completed (in order). log: valid/ready, one completion per command.
// Throughput  2 cycles per page, 2 more per command when the FIFOs were empty: as fast as commands become TLPs.
// Reset       Synchronous; logging off, everything forgotten.

module vhp_dirty_log (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic                   rb_req_valid_i,
  output logic                   rb_req_ready_o,
  input  vhp_pkg::rb_req_t       rb_req_i,
  output logic                   rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t       rb_rsp_o,

  input  logic                 [1:0] wr_taken_i,
  input  vhp_pkg::dma_wr_req_t [1:0] wr_i,
  input  logic                 [1:0] wr_cmpl_i,

  output logic                   log_valid_o,
  input  logic                   log_ready_i,
  output vhp_pkg::dma_wr_req_t   log_o,
  input  logic                   log_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t  log_cmpl_i,

  output logic                   idle_o
);

  localparam int unsigned Ports     = vhp_pkg::NumPorts;
  localparam int unsigned PortBits  = vhp_regs_pkg::LogCtrlEnableWidth;
  localparam int unsigned RowsLog2  = 9;
  localparam int unsigned FifoDepth = 32;
  localparam int unsigned PendW     = 8;    // commands of a stream between acceptance and completion
  localparam logic [4:0]  SizeMin   = 5'd6, SizeMax = 5'd20;

  typedef logic [PortBits-1:0] ports_t;
  typedef logic [51:0]         page_t;

  initial begin
    if (Ports > PortBits) $fatal(1, "vhp_dirty_log: %0d ports, the registers have %0d (%m)", Ports, PortBits);
  end

  function automatic ports_t one(input logic [1:0] port);
    one = ports_t'(1) << port;
  endfunction

  // ---------------------------------------------------------------- registers
  ports_t      enable_q, shown_q;
  logic [31:0] base_lo_q, base_hi_q, tail_q, head_q, merged_q;
  logic [4:0]  size_q;
  logic [19:0] mask_q;              // entries of the ring, less 1
  logic        ring_q;              // there is a ring
  logic        sync_busy, rsp_valid_q;
  vhp_pkg::rb_rsp_t rsp_q;

  wire [11:0]  at = rb_req_i.addr[11:0];
  wire         we = rb_req_valid_i && rb_req_i.write;
  logic [31:0] old, merged_data;
  logic        known;
  always_comb begin
    known = 1'b1;
    unique case (at)
      12'(vhp_regs_pkg::LogCtrl):     old = 32'(enable_q);
      12'(vhp_regs_pkg::LogBaseLo):   old = base_lo_q;
      12'(vhp_regs_pkg::LogBaseHi):   old = base_hi_q;
      12'(vhp_regs_pkg::LogSizeLog2): old = 32'(size_q);
      12'(vhp_regs_pkg::LogSync):     old = 32'(sync_busy);
      12'(vhp_regs_pkg::LogHead):     old = head_q;
      12'(vhp_regs_pkg::LogTail):     old = tail_q;
      12'(vhp_regs_pkg::LogOverflow): old = 32'(shown_q);
      12'(vhp_regs_pkg::LogMerged):   old = merged_q;
      default: begin
        old   = '0;
        known = 1'b0;
      end
    endcase
    for (int unsigned b = 0; b < 4; b++)
      merged_data[8*b +: 8] = rb_req_i.be[b] ? rb_req_i.wdata[8*b +: 8] : old[8*b +: 8];
  end
  wire sync_start = we && at == 12'(vhp_regs_pkg::LogSync) && rb_req_i.be[0] && rb_req_i.wdata[0] && !sync_busy;
  wire ports_t clear = we && at == 12'(vhp_regs_pkg::LogOverflow) && rb_req_i.be[0] ? rb_req_i.wdata[PortBits-1:0] : '0;

  always_ff @(posedge clk_i) begin
    rsp_valid_q <= rb_req_valid_i && !rst_i;
    rsp_q       <= {!known, old};
    if (we) begin
      unique case (at)
        12'(vhp_regs_pkg::LogCtrl):     enable_q  <= merged_data[PortBits-1:0] & ports_t'((1 << Ports) - 1);
        12'(vhp_regs_pkg::LogBaseLo):   base_lo_q <= {merged_data[31:6], 6'd0};
        12'(vhp_regs_pkg::LogBaseHi):   base_hi_q <= merged_data;
        12'(vhp_regs_pkg::LogSizeLog2): size_q    <= merged_data[4:0];
        12'(vhp_regs_pkg::LogTail):     tail_q    <= merged_data;
        default: ;
      endcase
    end
    mask_q <= 20'((21'd1 << size_q) - 21'd1);
    ring_q <= size_q >= SizeMin && size_q <= SizeMax;
    if (rst_i) begin
      enable_q  <= '0;
      base_lo_q <= '0;
      base_hi_q <= '0;
      size_q    <= '0;
      tail_q    <= '0;
    end
  end
  assign rb_req_ready_o = 1'b1;
  assign rb_rsp_valid_o = rsp_valid_q;
  assign rb_rsp_o       = rsp_q;

  // ---------------------------------------------------------------- sync
  // Mark1, Mark2: what was accepted up to the write comes to stand in the FIFOs; Drain: those commands are worked off;
  // Flush: their last entries leave; Wait: completions.
  typedef enum logic [2:0] { SyIdle, SyMark1, SyMark2, SyDrain, SyFlush, SyWait } sync_e;
  sync_e                 sync_q;
  logic [1:0][PendW-1:0] pend_q, left_q;       // commands without completion: all, those before the line
  logic [PendW-1:0]      log_pend_q, log_left_q;
  logic [31:0]           put_q, put_snap_q;    // entries appended
  logic                  drained, flushed, line_taken;
  assign sync_busy = sync_q != SyIdle;
  wire   sync_done = sync_q == SyWait && left_q == '0 && log_left_q == '0;

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < 2; s++) begin
      pend_q[s] <= pend_q[s] + PendW'(wr_taken_i[s]) - PendW'(wr_cmpl_i[s]);
      if (sync_start) left_q[s] <= pend_q[s] + PendW'(wr_taken_i[s]) - PendW'(wr_cmpl_i[s]);
      else if (left_q[s] != '0) left_q[s] <= left_q[s] - PendW'(wr_cmpl_i[s]);
    end
    log_pend_q <= log_pend_q + PendW'(line_taken) - PendW'(log_cmpl_valid_i);
    if (sync_q == SyFlush) log_left_q <= log_pend_q + PendW'(line_taken) - PendW'(log_cmpl_valid_i);
    else if (log_left_q != '0) log_left_q <= log_left_q - PendW'(log_cmpl_valid_i);

    unique case (sync_q)
      SyIdle:  if (sync_start) sync_q <= SyMark1;
      SyMark1: sync_q <= SyMark2;
      SyMark2: sync_q <= SyDrain;
      SyDrain: begin
        put_snap_q <= put_q;
        if (drained) sync_q <= SyFlush;
      end
      SyFlush: if (flushed) sync_q <= SyWait;
      default: if (sync_done) begin
        sync_q <= SyIdle;
        head_q <= put_snap_q;
      end
    endcase
    if (rst_i) begin
      sync_q     <= SyIdle;
      pend_q     <= '0;
      left_q     <= '0;
      log_pend_q <= '0;
      log_left_q <= '0;
      head_q     <= '0;
    end
  end

  // ---------------------------------------------------------------- commands: watched, then a FIFO per stream
  typedef struct packed {
    logic [1:0] port;
    page_t      page;
    logic [4:0] more;         // pages behind the first, 0..16
  } cmd_t;

  logic [1:0]       o_valid_q, f_valid, f_ready, f_pop;
  logic [1:0][1:0]  o_port_q;
  page_t            o_page_q [2];
  logic [1:0][11:0] o_off_q;
  logic [1:0][16:0] o_len_q;      // less 1
  cmd_t             f_cmd [2];
  logic [1:0][$clog2(FifoDepth):0] f_level, mark_q;
  ports_t           lost_watch;

  for (genvar s = 0; s < 2; s++) begin : gen_stream
    wire vhp_pkg::dma_wr_req_t w = wr_i[s];
    always_ff @(posedge clk_i) begin
      o_valid_q[s] <= !rst_i && wr_taken_i[s] && w.func == 8'd0 && w.kind != vhp_pkg::WrMsix && w.len != 17'd0 && enable_q[w.port];
      o_port_q[s]  <= w.port;
      o_page_q[s]  <= w.addr[63:12];
      o_off_q[s]   <= w.addr[11:0];
      o_len_q[s]   <= w.len - 17'd1;
    end
    wire [17:0] last_byte = 18'(o_off_q[s]) + 18'(o_len_q[s]);
    wire cmd_t  cmd       = {o_port_q[s], o_page_q[s], last_byte[16:12]};
    vhp_stream_fifo #(.Width($bits(cmd_t)), .Depth(FifoDepth)) u_fifo (
      .clk_i, .rst_i,
      .in_valid_i(o_valid_q[s]), .in_ready_o(f_ready[s]), .in_data_i(cmd),
      .out_valid_o(f_valid[s]), .out_ready_i(f_pop[s]), .out_data_o(f_cmd[s]), .level_o(f_level[s])
    );
    // Commands before the line that are still in the FIFO.
    always_ff @(posedge clk_i) begin
      if (sync_q == SyMark2) mark_q[s] <= f_level[s] - ($clog2(FifoDepth)+1)'(f_pop[s]);
      else if (sync_q == SyDrain && f_pop[s]) mark_q[s] <= mark_q[s] - 1'b1;
    end
    // Nothing but the command is looked at.
    wire unused_fields = &{1'b0, w, last_byte[17], last_byte[11:0]};
  end
  always_comb begin
    lost_watch = '0;
    for (int unsigned s = 0; s < 2; s++) if (o_valid_q[s] && !f_ready[s]) lost_watch |= one(o_port_q[s]);
  end

  // ---------------------------------------------------------------- pages: look up, append
  typedef enum logic [1:0] { StTake, StRead, StAct } state_e;
  state_e      state_q;
  logic        turn_q;                 // the stream that was served last
  cmd_t        next_q;                 // the next command: the FIFOs do not wait for the end of a comparison
  logic        next_valid_q;
  logic [1:0]  port_q;
  page_t       page_q;
  logic [4:0]  more_q;
  logic [25:0] next_lo_q, next_hi_q;   // the page behind, without a 52-bit carry in the step to it
  logic        next_wrap_q;

  (* ram_style = "block" *) logic [44:0] rows [2**RowsLog2];
  logic [2**RowsLog2-1:0] live_q;
  logic [44:0]            row_q;
  logic                   row_live_q;
  logic [RowsLog2-1:0]    row_at_q;
  function automatic logic [RowsLog2-1:0] row_of(input logic [RowsLog2-1:0] page, input logic [1:0] port);
    row_of = page ^ {port, {(RowsLog2-2){1'b0}}};
  endfunction
  wire [44:0]         row_tag = {port_q, page_q[51:RowsLog2]};

  logic [7:0][63:0] line_q;
  logic [3:0]       line_n_q;          // entries in it
  logic [31:0]      used_q;
  wire line_full = line_n_q != '0 && put_q[2:0] == 3'd0;
  wire ring_full = !ring_q || (used_q & ~{12'd0, mask_q}) != '0;
  wire hit       = row_live_q && row_q == row_tag;
  wire act       = state_q == StAct && (hit || ring_full || !line_full);
  wire append    = act && !hit && !ring_full;
  wire lost_page = act && !hit && ring_full;

  wire [1:0] open = f_valid & (sync_q == SyDrain ? {mark_q[1] != '0, mark_q[0] != '0} : 2'b11);
  wire       pick = open[1] && (!open[0] || !turn_q);
  wire       take = open != '0 && sync_q != SyFlush && !next_valid_q;
  wire       load = next_valid_q && (state_q == StTake || (act && more_q == '0));
  assign f_pop   = {take && pick, take && !pick};
  assign drained = state_q == StTake && !next_valid_q && mark_q == '0;

  always_ff @(posedge clk_i) begin
    row_q      <= rows[row_at_q];
    row_live_q <= live_q[row_at_q];
    if (append) rows[row_at_q] <= row_tag;
    if (append) live_q[row_at_q] <= 1'b1;
    if (rst_i || sync_q == SyFlush) live_q <= '0;

    // One append in two cycles: used_q is exact when it is looked at, but for a tail that was written just now.
    used_q <= put_q - tail_q;
    if (append) put_q <= put_q + 1'b1;
    if (act && hit) merged_q <= merged_q + 1'b1;

    next_lo_q   <= page_q[25:0] + 1'b1;
    next_hi_q   <= page_q[51:26] + 1'b1;
    next_wrap_q <= &page_q[25:0];

    if (state_q == StRead) state_q <= StAct;
    if (act) begin
      state_q      <= more_q == '0 ? StTake : StRead;
      more_q       <= more_q - 1'b1;
      page_q[25:0] <= next_lo_q;
      row_at_q     <= row_of(next_lo_q[RowsLog2-1:0], port_q);
      if (next_wrap_q) page_q[51:26] <= next_hi_q;
    end
    if (load) begin
      state_q      <= StRead;
      next_valid_q <= 1'b0;
      row_at_q     <= row_of(next_q.page[RowsLog2-1:0], next_q.port);
      {port_q, page_q, more_q} <= next_q;
    end
    if (take) begin
      next_valid_q <= 1'b1;
      next_q       <= f_cmd[pick];
      turn_q       <= pick;
    end
    if (rst_i) begin
      state_q      <= StTake;
      next_valid_q <= 1'b0;
      turn_q       <= 1'b0;
      put_q        <= '0;
      merged_q     <= '0;
    end
  end

  // ---------------------------------------------------------------- lines to host memory
  typedef enum logic [1:0] { OutIdle, OutLow, OutHigh, OutSend } out_e;
  out_e             out_q;
  logic [7:0][63:0] imm_q;
  logic [6:0]       len_q;
  logic [31:0]      addr_lo_q, addr_hi_q, hi_next_q;
  logic             carry_q;
  wire [19:0] first     = put_q[19:0] - 20'(line_n_q);     // ring position of the line's first entry
  wire        line_move = out_q == OutIdle && (line_full || (sync_q == SyFlush && line_n_q != '0));
  assign flushed    = line_n_q == '0 && out_q == OutIdle;
  assign line_taken = log_valid_o && log_ready_i;

  always_ff @(posedge clk_i) begin
    if (append) line_q[line_n_q[2:0]] <= {page_q, 8'd0, 4'(port_q) + 4'd1};
    if (line_move) line_n_q <= '0;
    else if (append) line_n_q <= line_n_q + 1'b1;

    hi_next_q <= base_hi_q + 1'b1;
    unique case (out_q)
      OutIdle: begin
        imm_q     <= line_q;
        len_q     <= {line_n_q, 3'd0};
        addr_lo_q <= {9'd0, first & mask_q, 3'd0};
        if (line_move) out_q <= OutLow;
      end
      OutLow: begin
        {carry_q, addr_lo_q} <= {1'b0, addr_lo_q} + {1'b0, base_lo_q};
        out_q                <= OutHigh;
      end
      OutHigh: begin
        addr_hi_q <= carry_q ? hi_next_q : base_hi_q;
        out_q     <= OutSend;
      end
      default: if (log_ready_i) out_q <= OutIdle;
    endcase
    if (rst_i) begin
      line_n_q <= '0;
      out_q    <= OutIdle;
    end
  end

  assign log_valid_o = out_q == OutSend;
  always_comb begin
    log_o      = '0;
    log_o.kind = vhp_pkg::WrImm;
    log_o.addr = {addr_hi_q, addr_lo_q};
    log_o.len  = 17'(len_q);
    log_o.imm  = imm_q;
  end

  // ---------------------------------------------------------------- overflow
  // now: behind the line of the last sync; snap: before the line of the sync that is busy; shown: the register.
  ports_t now_q, snap_q, lost_ring, lost_line;
  logic   ahead;         // what the table or the ring loses now is before the line
  assign ahead     = sync_q == SyMark2 || sync_q == SyDrain;
  assign lost_ring = lost_page ? one(port_q) : '0;
  // A line holds entries of any port.
  assign lost_line = log_cmpl_valid_i && log_cmpl_i.status != vhp_pkg::DmaOk ? ports_t'((1 << Ports) - 1) : '0;
  wire    line_ahead = ahead || sync_q == SyFlush || (sync_q == SyWait && log_left_q != '0);

  always_ff @(posedge clk_i) begin
    ports_t to_now, to_snap;
    to_now  = lost_watch | (ahead ? '0 : lost_ring) | (line_ahead ? '0 : lost_line);
    to_snap = (ahead ? lost_ring : '0) | (line_ahead ? lost_line : '0);
    if (sync_q == SyMark2) begin
      now_q  <= to_now;
      snap_q <= now_q | to_snap;
    end else begin
      now_q  <= now_q | to_now;
      snap_q <= sync_done ? '0 : snap_q | to_snap;
    end
    shown_q <= (shown_q & ~clear) | (sync_done ? snap_q : '0);
    if (rst_i) begin
      now_q   <= '0;
      snap_q  <= '0;
      shown_q <= '0;
    end
  end

  assign idle_o = !rb_req_valid_i && !rsp_valid_q && sync_q == SyIdle && o_valid_q == '0 && f_valid == '0 &&
                  state_q == StTake && !next_valid_q && out_q == OutIdle && !line_full;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      for (int unsigned s = 0; s < 2; s++) begin
        assert (!(wr_cmpl_i[s] && pend_q[s] == '0 && !wr_taken_i[s])) else $error("completion without command (%m)");
        assert (pend_q[s] != '1) else $error("more commands under way than can be counted (%m)");
      end
      assert (!(log_cmpl_valid_i && log_pend_q == '0)) else $error("completion of no line (%m)");
    end
  end
`endif
  wire unused = &{1'b0, rb_req_i};

endmodule
