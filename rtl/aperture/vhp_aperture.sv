// SPDX-License-Identifier: Apache-2.0
//
// Apertures of all ports: accesses to BAR 2 of function k = port + 1 become accesses of function 0 to the peer's memory.
//
// Purpose     Per port up to 8 windows, ranges of the BAR with the IOVA that each begins at; nothing else is reached. A
//             request must lie in one window and in one 4 KiB page (PCIe 2.2.7: none crosses it), and the port must be
//             enabled: else a read ends with UR, a write is dropped, and both are counted. A write leaves as commands of
//             up to 64 bytes of the stream it shares with the notifications, so what is written to the peer interrupt
//             page behind it follows it on the link. Byte enables with holes are kept (one command per run of bytes in
//             the 2 dwords that may have them, PCIe 2.2.5).
//             A read is one request of whole dwords, two if it begins inside a 128-byte line and goes beyond it (vhp_ap_read);
//             it waits until every command that the stream took before it is committed to the link, so it follows
//             them on RQ. A zero-length read is a read of its dword: it flushes the writes before it.
// Handshake   req: valid/ready, ready once the commands of the write before it are in the stream; the further beats of a
//             write on beat. done_*: one per read, a pulse. wr: valid/ready. cmpl:
//             completions of the commands of this module, in order. stream_*: what the shared stream took and ended.
//             rd: valid/ready, done by cookie.
// Latency     Request to first command 9 cycles when it is in the window used last, up to 30 if not; then 3 cycles per 64
//             bytes. Register access 2 cycles.
// Reset       Synchronous; disabled. Windows are not reset, their valid bits are.

module vhp_aperture (
  input  logic                  clk_i,
  input  logic                  rst_i,

  input  logic                  rb_req_valid_i,
  output logic                  rb_req_ready_o,
  input  vhp_pkg::rb_req_t      rb_req_i,          // addr[11:10] = port
  output logic                  rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t      rb_rsp_o,

  input  logic                  req_valid_i,
  output logic                  req_ready_o,
  input  vhp_pkg::ap_req_t      req_i,
  input  logic                  beat_valid_i,
  output logic                  beat_ready_o,
  input  vhp_pkg::ap_beat_t     beat_i,
  output logic                  done_valid_o,
  output vhp_pkg::dma_status_e  done_o,
  output logic                  refused_o,         // pulse: a write was dropped
  output logic [vhp_pkg::NumFn-1:0] fn_busy_o,

  output logic                  wr_valid_o,
  input  logic                  wr_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_o,
  input  logic                  cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t cmpl_i,
  input  logic                  stream_taken_i,
  input  logic                  stream_cmpl_i,

  output logic                  rd_valid_o,
  input  logic                  rd_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_o,
  input  logic                  rd_done_valid_i,   // of this module's requests
  input  vhp_pkg::dma_status_e  rd_done_i,

  output logic                  idle_o
);

  localparam int unsigned Ports  = vhp_pkg::NumPorts;
  localparam int unsigned Rows   = vhp_regs_pkg::ApertureWindowCount;
  localparam int unsigned BarW   = vhp_pkg::ApertureLog2;
  localparam int unsigned PendW  = 8;

  initial begin
    if (Ports > 4 || Rows != 8) $fatal(1, "vhp_aperture: %0d ports, %0d windows (%m)", Ports, Rows);
    if (BarW < 20 || BarW > 32) $fatal(1, "vhp_aperture: ApertureLog2 %0d is not in 20..32 (%m)", BarW);
  end

  // ---------------------------------------------------------------- windows
  // A memory per word of a window: row = port * 8 + window. The firmware reads through the port that looks up.
  typedef enum logic [2:0] { WFirstLo, WFirstHi, WLastLo, WLastHi, WIovaLo, WIovaHi, WCtrl, WNone } word_e;
  logic [Ports*Rows-1:0] live_q;                // window[].ctrl.valid
  logic [5:0][31:0]      word, word_q;
  logic [4:0]            row;
  logic                  row_live_q, rb_take;

  wire [11:0] at      = {2'b00, rb_req_i.addr[9:0]};
  wire [1:0]  rb_port = rb_req_i.addr[11:10];
  wire        in_win  = at >= 12'(vhp_regs_pkg::ApertureWindowBase);
  wire [4:0]  rb_row  = {rb_port, at[7:5]};
  wire        rb_here = 32'(rb_port) < Ports && (!in_win || at < 12'(vhp_regs_pkg::ApertureWindowBase + Rows * vhp_regs_pkg::ApertureWindowStride));
  wire        rb_we   = rb_take && rb_here && rb_req_i.write;

  for (genvar w = 0; w < 6; w++) begin : gen_word
    (* ram_style = "distributed" *) logic [31:0] mem [32];
    always_ff @(posedge clk_i) begin
      for (int unsigned b = 0; b < 4; b++)
        if (rb_we && in_win && at[4:2] == 3'(w) && rb_req_i.be[b]) mem[rb_row][8*b +: 8] <= rb_req_i.wdata[8*b +: 8];
    end
    assign word[w] = mem[row];
  end

  // ---------------------------------------------------------------- registers
  logic [Ports-1:0]       enable_q, busy, busy_q;
  logic [Ports-1:0][31:0] reads_q, writes_q, refused_q;
  logic [1:0]             rb_state_q;           // 0 none, 1 waits for the windows' read port, 2 answer
  logic [11:0]            rb_at_q;
  logic [4:0]             rb_row_q;
  logic                   rb_here_q, looking;
  vhp_pkg::rb_rsp_t       rsp_q;
  assign rb_req_ready_o = rb_state_q == 2'd0;
  assign rb_take        = rb_req_valid_i && rb_req_ready_o;
  assign rb_rsp_valid_o = rb_state_q == 2'd2;
  assign rb_rsp_o       = rsp_q;

  logic [31:0] value;
  logic        known;
  always_comb begin
    value = '0;
    known = rb_here_q;
    if (rb_at_q >= 12'(vhp_regs_pkg::ApertureWindowBase)) begin
      unique case (word_e'(rb_at_q[4:2]))
        WCtrl:   value = 32'(live_q[$clog2(Ports*Rows)'(rb_row_q)]);
        WNone:   known = 1'b0;
        default: value = word[rb_at_q[4:2]];
      endcase
    end else begin
      for (int unsigned p = 0; p < Ports; p++) begin
        if (rb_row_q[4:3] == 2'(p)) begin
          unique case (rb_at_q)
            12'(vhp_regs_pkg::ApertureCtrl):    value = 32'(enable_q[p]);
            12'(vhp_regs_pkg::ApertureStatus):  value = (32'(busy_q[p]) << vhp_regs_pkg::ApertureStatusBusyLsb) |
                                                        (BarW << vhp_regs_pkg::ApertureStatusSizeLog2Lsb);
            12'(vhp_regs_pkg::ApertureReads):   value = reads_q[p];
            12'(vhp_regs_pkg::ApertureWrites):  value = writes_q[p];
            12'(vhp_regs_pkg::ApertureRefused): value = refused_q[p];
            default: known = 1'b0;
          endcase
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    rb_state_q <= rb_state_q == 2'd1 ? (looking ? 2'd1 : 2'd2) : rb_take ? 2'd1 : 2'd0;
    if (rb_take) begin
      rb_at_q   <= at;
      rb_row_q  <= rb_row;
      rb_here_q <= rb_here;
    end
    busy_q <= busy;
    rsp_q  <= {!known, known ? value : 32'd0};
    for (int unsigned r = 0; r < Ports * Rows; r++)
      if (rb_we && in_win && word_e'(at[4:2]) == WCtrl && 32'(rb_row) == r && rb_req_i.be[0]) live_q[r] <= rb_req_i.wdata[0];
    for (int unsigned p = 0; p < Ports; p++)
      if (rb_we && at == 12'(vhp_regs_pkg::ApertureCtrl) && 32'(rb_port) == p && rb_req_i.be[0]) enable_q[p] <= rb_req_i.wdata[0];
    if (rst_i) begin
      rb_state_q <= 2'd0;
      live_q     <= '0;
      enable_q   <= '0;
    end
  end

  // ---------------------------------------------------------------- a request: which window, which page
  typedef enum logic [3:0] {
    StIdle, StCheck, StRow, StCompare, StMatch, StLow, StHigh, StRead, StGather, StForm, StSend, StDrain
  } state_e;
  state_e           state_q;
  vhp_pkg::ap_req_t req_q;
  logic [1:0]       port_q;
  logic [2:0]       win_q, tries_q;
  logic [Ports-1:0][2:0] last_win_q;
  logic [31:0]      addr_q, end_q;            // first and last byte, offsets in the BAR
  logic             bad_q, ge_q, le_q, more_q;
  logic [19:0]      off_q;                    // page in the window
  logic [51:0]      page_q;                   // IOVA
  logic             carry_q;
  logic             small_q;                  // at most 2 dwords: any byte enables
  wire [1:0]        req_port = 2'(req_i.func - 8'd1);

  assign looking     = state_q == StRow;
  assign row         = looking ? {port_q, win_q} : rb_row_q;
  assign req_ready_o = state_q == StIdle;

  // In a request of more than 2 dwords the enabled bytes are one run.
  function automatic logic run_bad(input logic [3:0] first, input logic [3:0] last);
    run_bad = !(first == 4'hf || first == 4'he || first == 4'hc || first == 4'h8) ||
              !(last == 4'hf || last == 4'h7 || last == 4'h3 || last == 4'h1);
  endfunction

  logic enabled;
  always_comb begin
    enabled = 1'b0;
    for (int unsigned p = 0; p < Ports; p++) if (port_q == 2'(p)) enabled = enable_q[p];
  end

  // ---------------------------------------------------------------- a write: commands of up to 64 bytes
  logic [383:0] hold_q;
  logic [10:0]  left_q;                       // dwords not gathered yet
  logic [511:0] data_q;
  logic [4:0]   n_q;                          // dwords of data_q
  logic         first_q, last_q;              // data_q holds the request's first, last dword
  logic [7:0]   mask_q;                       // small: byte enables not yet written
  logic [11:0]  off12_q;                      // data_q's first byte in its page
  vhp_pkg::dma_wr_req_t wr_q;

  wire need_beat = left_q > 11'd12;
  assign beat_ready_o = (state_q == StGather && need_beat && more_q) || state_q == StDrain;

  function automatic logic [2:0] low_bit(input logic [7:0] m);
    low_bit = 3'd0;
    for (int i = 7; i >= 0; i--) if (m[i]) low_bit = 3'(i);
  endfunction
  function automatic logic [1:0] lead(input logic [2:0] be);
    lead = be[0] ? 2'd0 : be[1] ? 2'd1 : be[2] ? 2'd2 : 2'd3;
  endfunction
  function automatic logic [1:0] trail(input logic [3:1] be);
    trail = be[3] ? 2'd0 : be[2] ? 2'd1 : be[1] ? 2'd2 : 2'd3;
  endfunction

  // The next run of a small request, and what is left behind it. low_q and moved_q follow mask_q by a cycle; it is older than
  // that in StForm.
  logic [2:0] skip, low_q;
  logic [7:0] moved_q, rest;
  logic [3:0] run_len;
  logic [6:0] len;
  always_ff @(posedge clk_i) begin
    low_q   <= low_bit(mask_q);
    moved_q <= mask_q >> low_bit(mask_q);
  end
  always_comb begin
    run_len = 4'd8;
    for (int i = 7; i >= 0; i--) if (!moved_q[i]) run_len = 4'(i);
    // Adding the lowest bit carries through the run and clears it.
    rest    = mask_q & (mask_q + (8'd1 << low_q));
    if (small_q) begin
      skip = low_q;
      len  = 7'(run_len);
    end else begin
      skip = first_q ? {1'b0, lead(req_q.first_be[2:0])} : 3'd0;
      len  = {n_q, 2'b00} - 7'(skip) - (last_q ? 7'(trail(req_q.last_be[3:1])) : 7'd0);
    end
  end

  logic refuse, written;
  assign written = state_q == StSend && wr_ready_i && (small_q ? mask_q == '0 : last_q);

  // ---------------------------------------------------------------- the read under way
  typedef enum logic [2:0] { RdIdle, RdFlush, RdFirst, RdRest, RdWait, RdEnd } rd_e;
  rd_e                  rd_q;
  logic [1:0]           rd_port_q, rd_open_q;
  logic [51:0]          rd_page_q;
  logic [11:2]          rd_off_q;
  logic [10:0]          rd_n_q, rd_n1_q;      // dwords; of them in the first line
  logic [PendW-1:0]     pend_q, before_q;
  vhp_pkg::dma_status_e rd_status_q;

  always_ff @(posedge clk_i) begin
    refuse    <= 1'b0;
    unique case (state_q)
      StIdle: begin
        req_q   <= req_i;
        port_q  <= req_port;
        addr_q  <= 32'({req_i.addr, 2'b00});
        hold_q  <= req_i.data;
        left_q  <= req_i.dwords;
        more_q  <= req_i.more;
        off12_q <= {req_i.addr[11:2], 2'b00};
        mask_q  <= {req_i.dwords == 11'd2 ? req_i.last_be : 4'd0, req_i.first_be};
        small_q <= req_i.dwords <= 11'd2;
        first_q <= 1'b1;
        tries_q <= '0;
        for (int unsigned p = 0; p < Ports; p++) if (req_port == 2'(p)) win_q <= last_win_q[p];
        if (req_valid_i) state_q <= StCheck;
      end
      StCheck: begin
        end_q   <= {addr_q[31:12], 12'(addr_q[11:0] + {req_q.dwords[9:0], 2'b00} - 12'd1)};
        bad_q   <= 13'(addr_q[11:2]) + 13'(req_q.dwords) > 13'd1024 ||
                   (req_q.write && !small_q && run_bad(req_q.first_be, req_q.last_be));
        state_q <= StRow;
      end
      StRow: begin
        word_q     <= word;
        row_live_q <= live_q[$clog2(Ports*Rows)'(row)];
        state_q    <= StCompare;
      end
      StCompare: begin
        ge_q    <= word_q[WFirstHi] == '0 && addr_q >= word_q[WFirstLo];
        le_q    <= word_q[WLastHi] != '0 || end_q <= word_q[WLastLo];
        state_q <= StMatch;
      end
      StMatch: begin
        off_q   <= addr_q[31:12] - word_q[WFirstLo][31:12];
        tries_q <= tries_q + 1'b1;
        if (bad_q || !enabled) begin
          state_q <= StRead;                  // refused below
        end else if (row_live_q && ge_q && le_q) begin
          for (int unsigned p = 0; p < Ports; p++) if (port_q == 2'(p)) last_win_q[p] <= win_q;
          state_q <= StLow;
        end else begin
          win_q   <= win_q + 1'b1;
          bad_q   <= &tries_q;
          state_q <= &tries_q ? StRead : StRow;
        end
      end
      StLow: begin
        {carry_q, page_q[25:0]} <= {1'b0, word_q[WIovaHi][5:0], word_q[WIovaLo][31:12]} + 27'(off_q);
        page_q[51:26]           <= word_q[WIovaHi][31:6];
        state_q                 <= StHigh;
      end
      StHigh: begin
        page_q[51:26] <= page_q[51:26] + 26'(carry_q);
        state_q       <= StRead;
      end
      // Where reads and writes part, and what is refused ends.
      StRead: begin
        if (bad_q || !enabled) begin
          refuse  <= 1'b1;
          state_q <= req_q.write && more_q ? StDrain : StIdle;
        end else if (!req_q.write) begin
          state_q <= StIdle;
        end else if (small_q && mask_q == '0) begin     // no byte at all
          state_q <= more_q ? StDrain : StIdle;
        end else begin
          state_q <= StGather;
        end
      end
      StGather: begin
        data_q <= need_beat ? {beat_i.data[127:0], hold_q} : {128'd0, hold_q};
        n_q    <= left_q > 11'd16 ? 5'd16 : left_q[4:0];
        last_q <= left_q <= 11'd16;
        if (need_beat && !more_q) begin       // payload shorter than its count
          refuse  <= 1'b1;
          state_q <= StIdle;
        end else if (!need_beat || beat_valid_i) begin
          left_q  <= left_q > 11'd16 ? left_q - 11'd16 : 11'd0;
          if (need_beat) begin
            hold_q <= beat_i.data[511:128];
            more_q <= !beat_i.last;
          end
          state_q <= StForm;
        end
      end
      StForm: begin
        wr_q      <= '0;
        wr_q.kind <= vhp_pkg::WrImm;
        wr_q.port <= port_q;
        wr_q.addr <= {page_q, off12_q + 12'(skip)};
        wr_q.len  <= 17'(len);
        wr_q.imm  <= data_q >> {skip, 3'b000};
        mask_q    <= rest;
        off12_q   <= small_q ? off12_q : off12_q + 12'd64;
        first_q   <= 1'b0;
        state_q   <= StSend;
      end
      StSend: if (wr_ready_i) begin
        if (small_q && mask_q != '0) state_q <= StForm;
        else if (!last_q)            state_q <= StGather;
        else                         state_q <= more_q ? StDrain : StIdle;
      end
      default: if (beat_valid_i && beat_i.last) state_q <= StIdle;    // StDrain
    endcase
    if (rst_i) begin
      state_q    <= StIdle;
      refuse     <= 1'b0;
      last_win_q <= '0;
    end
  end

  assign wr_valid_o = state_q == StSend;
  assign wr_o       = wr_q;
  assign refused_o  = refuse && req_q.write;

  // ---------------------------------------------------------------- reads
  wire rd_start = state_q == StRead && !req_q.write;
  wire rd_deny  = bad_q || !enabled;
  wire [10:0] line_room = 11'd32 - {6'd0, addr_q[6:2]};
  always_ff @(posedge clk_i) begin
    // What the stream holds when the read comes is before it; its own writes are all in by then.
    pend_q <= pend_q + PendW'(stream_taken_i) - PendW'(stream_cmpl_i);
    if (rd_start) before_q <= pend_q + PendW'(stream_taken_i) - PendW'(stream_cmpl_i);
    else if (before_q != '0) before_q <= before_q - PendW'(stream_cmpl_i);
    rd_open_q <= rd_open_q + 2'(rd_valid_o && rd_ready_i) - 2'(rd_done_valid_i);
    if (rd_done_valid_i && rd_status_q == vhp_pkg::DmaOk) rd_status_q <= rd_done_i;

    done_valid_o <= 1'b0;
    unique case (rd_q)
      RdIdle: if (rd_start) begin
        rd_port_q    <= port_q;
        rd_page_q    <= page_q;
        rd_off_q     <= addr_q[11:2];
        rd_n_q       <= req_q.dwords;
        rd_n1_q      <= req_q.dwords < line_room ? req_q.dwords : line_room;
        rd_status_q  <= rd_deny ? vhp_pkg::DmaUr : vhp_pkg::DmaOk;
        rd_q         <= rd_deny ? RdEnd : RdFlush;
      end
      RdFlush: if (before_q == '0) rd_q <= RdFirst;
      RdFirst: if (rd_ready_i) rd_q <= rd_n_q == rd_n1_q ? RdWait : RdRest;
      RdRest:  if (rd_ready_i) rd_q <= RdWait;
      RdWait:  if (rd_open_q == '0) rd_q <= RdEnd;
      default: begin
        done_valid_o <= 1'b1;
        done_o       <= rd_status_q;
        rd_q         <= RdIdle;
      end
    endcase
    if (rst_i) begin
      rd_q         <= RdIdle;
      rd_open_q    <= '0;
      pend_q       <= '0;
      before_q     <= '0;
      done_valid_o <= 1'b0;
    end
  end

  assign rd_valid_o = rd_q == RdFirst || rd_q == RdRest;
  localparam logic [vhp_pkg::RamAddrW-1:0] RamBase = {1'b1, {(vhp_pkg::RamAddrW-1){1'b0}}};
  always_comb begin
    rd_o          = '0;
    rd_o.cookie   = {1'b1, 9'd0};
    rd_o.addr     = {rd_page_q, rd_off_q, 2'b00};
    rd_o.len      = 17'({rd_n1_q, 2'b00});
    rd_o.ram_addr = RamBase;
    if (rd_q == RdRest) begin
      rd_o.addr     = {rd_page_q, rd_off_q[11:7] + 5'd1, 7'd0};
      rd_o.len      = 17'({rd_n_q - rd_n1_q, 2'b00});
      rd_o.ram_addr = RamBase + vhp_pkg::RamAddrW'(128);
    end
  end

  // ---------------------------------------------------------------- counters, what is under way
  // Whose commands the completions are, in order.
  logic       own_valid, own_ready;
  logic [1:0] own_port;
  wire  [6:0] unused_level;
  vhp_stream_fifo #(.Width(2), .Depth(64)) u_own (
    .clk_i, .rst_i,
    .in_valid_i(wr_valid_o && wr_ready_i), .in_ready_o(own_ready), .in_data_i(wr_q.port),
    .out_valid_o(own_valid), .out_ready_i(cmpl_valid_i), .out_data_o(own_port), .level_o(unused_level)
  );

  logic [Ports-1:0][PendW-1:0] open_q;
  always_comb begin
    fn_busy_o = '0;
    for (int unsigned p = 0; p < Ports; p++) begin
      busy[p] = open_q[p] != '0 || (state_q != StIdle && port_q == 2'(p)) || (rd_q != RdIdle && rd_port_q == 2'(p));
      fn_busy_o[p + 1] = busy[p];
    end
  end
  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < Ports; p++) begin
      open_q[p] <= open_q[p] + PendW'(wr_valid_o && wr_ready_i && port_q == 2'(p)) - PendW'(cmpl_valid_i && own_port == 2'(p));
      if (written && port_q == 2'(p)) writes_q[p] <= writes_q[p] + 1'b1;
      if (rd_q == RdEnd && rd_port_q == 2'(p) && rd_status_q == vhp_pkg::DmaOk) reads_q[p] <= reads_q[p] + 1'b1;
      refused_q[p] <= refused_q[p] + 32'(refused_o && port_q == 2'(p)) +
                      32'(cmpl_valid_i && own_port == 2'(p) && cmpl_i.status != vhp_pkg::DmaOk) +
                      32'(rd_q == RdEnd && rd_port_q == 2'(p) && rd_status_q != vhp_pkg::DmaOk);
    end
    if (rst_i) begin
      open_q    <= '0;
      reads_q   <= '0;
      writes_q  <= '0;
      refused_q <= '0;
    end
  end

  assign idle_o = state_q == StIdle && rd_q == RdIdle && !req_valid_i && !refuse && !done_valid_o && open_q == '0 &&
                  rb_state_q == 2'd0 && !rb_req_valid_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(rd_start && rd_q != RdIdle)) else $error("a second read (%m)");
      assert (!(cmpl_valid_i && !own_valid)) else $error("completion of no command (%m)");
      assert (!(wr_valid_o && wr_ready_i) || own_ready) else $error("more commands under way than can be counted (%m)");
    end
  end
`endif

  wire unused = &{1'b0, rb_req_i, own_valid, own_ready, req_q, word_q, beat_i, rd_done_i};

endmodule
