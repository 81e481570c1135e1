// SPDX-License-Identifier: Apache-2.0
//
// Walk of the descriptor chains of one end.
//
// Purpose     Heads in order; every descriptor is checked and becomes a segment {IOVA, length} of the queue's segment
//             FIFO, a finished chain a record of its chain FIFO. What breaks a rule becomes a fault record, and the
//             queue is dead until its next life.
// Chase       A descriptor that is not in its head's line, and an indirect table, is read on its own, 64 bytes at a
//             time into the queue's chase row; the queue is put aside until it came, others go on.
// Translate   Segments and chase addresses pass the region table (xl_*, fixed latency); FIFOs are written behind it.
// Handshake   rq_*: read requests, valid/ready. chain_rd_*, seg_rd_*: FIFO memories, data one cycle after the address;
//             the reader keeps the pointers (0 at init) and gives the places back by the pop inputs.
// Latency     3 cycles per descriptor within a line.

module vhp_vq_walk #(
  parameter bit Sink = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic [vhp_pkg::NumLanes-1:0] run_i,

  // Heads, lines, faults of the stages before.
  input  logic [vhp_pkg::NumLanes-1:0][15:0] head_pos_i,
  input  logic [vhp_pkg::NumLanes-1:0][15:0] avail_seen_i,
  input  logic [vhp_pkg::NumLanes-1:0][15:0] ent_have_i,
  input  logic [vhp_pkg::NumLanes-1:0]       head_fault_i,
  input  logic [vhp_pkg::NumLanes-1:0]       ent_fault_i,
  input  logic [vhp_pkg::NumLanes-1:0]       idx_fault_i,
  input  vhp_pkg::stop_reason_e [vhp_pkg::NumLanes-1:0] fault_reason_i,
  output logic [vhp_pkg::NumLanes-1:0][15:0] walk_pos_o,
  output vhp_pkg::lane_t                              head_lane_o,
  output logic [vhp_lane_pkg::HeadW-1:0]              head_pos_o,
  input  logic [15:0]                                 head_i,
  input  logic [vhp_lane_pkg::SlotW-1:0]              head_slot_i,
  input  logic                                        head_first_i,
  output logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::SlotW:0] free_o,
  input  logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::Slots-1:0] slot_done_i,
  input  logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::Slots-1:0] slot_bad_i,
  input  vhp_pkg::dma_status_e [vhp_pkg::NumLanes-1:0] slot_status_i,

  output logic                         rq_valid_o,
  input  logic                         rq_ready_i,
  output vhp_pkg::dma_rd_req_t         rq_o,
  input  logic                         rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t        rd_done_i,
  input  logic                         ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t         ram_wr_i,

  // Region table.
  output logic                         xl_translate_o,
  output logic [1:0]                   xl_port_o,
  output logic [63:0]                  xl_addr_o,
  output logic [31:0]                  xl_len_o,
  input  logic                         xl_hit_i,
  input  logic                         xl_wrap_i,
  input  logic [63:0]                  xl_iova_i,

  // Chains and segments.
  output logic                         push_valid_o,
  output vhp_pkg::lane_t               push_lane_o,
  output vhp_lane_pkg::chain_t         push_chain_o,
  input  vhp_lane_pkg::chain_pop_t     chain_pop_i,
  input  vhp_lane_pkg::seg_pop_t       seg_pop_i,
  input  vhp_pkg::lane_t [1:0]                              chain_rd_lane_i,
  input  logic           [1:0][vhp_lane_pkg::ChainW-1:0]    chain_rd_ptr_i,
  output vhp_lane_pkg::chain_t [1:0]                        chain_rd_o,
  input  vhp_pkg::lane_t                                    seg_rd_lane_i,
  input  logic [vhp_lane_pkg::SegW-1:0]                     seg_rd_ptr_i,
  output vhp_lane_pkg::seg_t                                seg_rd_o,
  output logic [vhp_pkg::NumLanes-1:0]                      stalled_o,   // no room for another segment

  output logic [vhp_pkg::NumLanes-1:0] busy_o,
  output logic [vhp_pkg::NumLanes-1:0] work_o
);

  localparam int unsigned N      = vhp_pkg::NumLanes;
  localparam int unsigned SlotW  = vhp_lane_pkg::SlotW;
  localparam int unsigned SegW   = vhp_lane_pkg::SegW;
  localparam int unsigned ChainW = vhp_lane_pkg::ChainW;
  localparam int unsigned HeadW  = vhp_lane_pkg::HeadW;
  localparam int unsigned QRows  = 1 << vhp_pkg::LaneW;
  localparam int unsigned Lat    = vhp_lane_pkg::XlateLat;
  localparam int unsigned RowW   = vhp_pkg::LaneW + SlotW;   // {chase, lane, slot without its bank bit}
  localparam vhp_pkg::rd_client_e Client = Sink ? vhp_pkg::RdSnkRing : vhp_pkg::RdSrcRing;

  typedef enum logic [2:0] {WPick, WLoad, WSlot, WRead, WMux, WAct} wstate_e;
  typedef enum logic [1:0] {ItSeg, ItChase, ItFault} item_e;

  // Where a walk stands.
  typedef struct packed {
    logic [15:0]      head;
    logic [SlotW-1:0] slot;
    logic             chase;     // the descriptor is in the chase row, not in the slot
    logic             table_on;  // in an indirect table
    logic [15:0]      idx;       // descriptor to look at
    logic [15:0]      tsize;     // entries of the table
    logic [63:0]      taddr;     // indirect table, not translated
    logic [8:0]       tcount;    // descriptors taken from this table
    logic [8:0]       count;     // segments of the chain
    logic [17:0]      total;
    logic             big;
  } walk_t;

  typedef struct packed {
    logic                 valid;
    vhp_pkg::lane_t       lane;
    item_e                kind;
    logic                 last;
    logic [16:0]          len;
    vhp_lane_pkg::chain_t chain;
    logic [19:0]          off;    // chase: byte offset in the table
    logic [6:0]           rlen;   // chase: bytes to read
  } item_t;

  typedef struct packed {
    logic [15:0] next;
    logic [15:0] flags;
    logic [31:0] len;
    logic [63:0] addr;
  } desc_t;

  typedef struct packed {
    vhp_pkg::lane_t lane;
    logic [63:0]    addr;
    logic [19:0]    off;
    logic [6:0]     rlen;
  } chase_t;

  // ---------------------------------------------------------------- contexts
  vhp_lane_pkg::queue_cfg_t [N-1:0] cfg_q;
  logic [N-1:0][63:0]               desc_base_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      if (ctx_wr_i.valid && ctx_wr_i.qid == vhp_pkg::qid_t'(l * 2 + 32'(Sink))) begin
        unique case (ctx_wr_i.word)
          vhp_lane_pkg::CtxCfg:    cfg_q[l]              <= ctx_wr_i.data[17:0];
          vhp_lane_pkg::CtxDescLo: desc_base_q[l][31:0]  <= ctx_wr_i.data;
          vhp_lane_pkg::CtxDescHi: desc_base_q[l][63:32] <= ctx_wr_i.data;
          default: ;
        endcase
      end
    end
  end

  // ---------------------------------------------------------------- state per queue
  logic [N-1:0][15:0]    walk_pos_q;
  logic [N-1:0][SlotW:0] free_q;
  logic [N-1:0]          has_slot_q, wait_slot_q, mid_q, dead_q;
  logic [N-1:0]          chase_out_q, chase_bad_q;
  vhp_pkg::dma_status_e [N-1:0] chase_status_q;
  logic [N-1:0][SegW:0]   seg_cnt_q;
  logic [N-1:0][ChainW:0] chain_cnt_q;
  logic [N-1:0][SegW-1:0]   seg_wp_q;
  logic [N-1:0][ChainW-1:0] chain_wp_q;
  logic [N-1:0]          end_q;     // a fault of the stages before is due

  assign walk_pos_o = walk_pos_q;
  assign free_o     = free_q;

  logic [N-1:0] ok, elig_q;
  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      ok[l] = run_i[l] && !dead_q[l] && !chase_out_q[l] && !seg_cnt_q[l][SegW]
              && (mid_q[l] || (!chain_cnt_q[l][ChainW]
                               && ((walk_pos_q[l] != head_pos_i[l] && !wait_slot_q[l]) || end_q[l])));
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      end_q[l] <= run_i[l] && walk_pos_q[l] == head_pos_i[l]
                  && (head_fault_i[l] || (ent_fault_i[l] && ent_have_i[l] == head_pos_i[l])
                      || (idx_fault_i[l] && avail_seen_i[l] == head_pos_i[l]));
    end
    elig_q <= rst_i ? '0 : ok;
    if (rst_i) end_q <= '0;
  end

  // ---------------------------------------------------------------- the walk
  wstate_e        st_q;
  vhp_pkg::lane_t lane_q, last_q, pick;
  logic           any;
  walk_t          w_q, w_start, w_next;
  vhp_lane_pkg::queue_cfg_t c_q;
  logic [15:0]    pos_q, msize_q;
  logic [15:0]    nh_head_q;
  logic [SlotW-1:0] nh_slot_q;
  logic           nh_first_q, nh_valid_q, nh_ok_q, first_q;
  logic [2:0]     burst_q;
  desc_t          d_q;
  walk_t          wst [QRows];
  item_t          item;
  logic           save, start_first, begin_chain, finish_chain;
  logic           still, w_act_room, chase_due_q, go_next;

  vhp_rr_pick #(.N(N)) u_pick (.req_i(elig_q), .last_i(last_q), .valid_o(any), .idx_o(pick));

  assign head_lane_o = lane_q;
  assign head_pos_o  = st_q == WLoad ? walk_pos_q[lane_q][HeadW-1:0] : pos_q[HeadW-1:0] + 1'b1;

  // Descriptor rows.
  logic [1:0][511:0] row;
  logic [RowW-1:0]   raddr;
  assign raddr = {w_q.chase, lane_q, w_q.chase ? {(SlotW-1){1'b0}} : w_q.slot[SlotW-1:1]};
  for (genvar b = 0; b < 2; b++) begin : g_row
    logic desc_land, chase_land;
    assign desc_land  = ram_wr_i.row[b][9:8] == vhp_lane_pkg::AreaDesc;
    assign chase_land = ram_wr_i.row[b][9:8] == vhp_lane_pkg::AreaChase;
    vhp_lane_ram #(.Rows(1 << RowW)) u_ram (
      .clk_i,
      .we_i    (ram_wr_valid_i && ram_wr_i.client == Client && ram_wr_i.we[b] && (desc_land || chase_land)),
      .waddr_i (chase_land ? {1'b1, vhp_pkg::lane_t'(ram_wr_i.row[b][4:0]), {(SlotW-1){1'b0}}}
                           : {1'b0, vhp_pkg::lane_t'(ram_wr_i.row[b][7:3]), ram_wr_i.row[b][2:0]}),
      .be_i    (ram_wr_i.be[b]),
      .wdata_i (ram_wr_i.data[b]),
      .raddr_i (raddr),
      .rdata_o (row[b])
    );
  end

  // What the descriptor in d_q means.
  localparam logic [15:0] FlagNext = 16'd1, FlagWrite = 16'd2, FlagIndirect = 16'd4;
  logic                  is_next, is_indirect, bad;
  vhp_pkg::stop_reason_e why;
  logic [16:0]           clip;
  logic [17:0]           total;
  logic                  carry;
  logic                  same_line;
  logic [15:0]           tsize_new;

  always_comb begin
    is_next     = (d_q.flags & FlagNext) != '0;
    is_indirect = (d_q.flags & FlagIndirect) != '0;
    clip        = d_q.len[31:17] != '0 ? 17'h1ffff : d_q.len[16:0];
    {carry, total} = {1'b0, w_q.total} + {2'b0, clip};
    if (carry) total = '1;
    same_line   = d_q.next[15:2] == w_q.idx[15:2];
    tsize_new   = d_q.len[31:20] != '0 ? 16'hffff : d_q.len[19:4];
    bad         = 1'b1;
    why         = vhp_pkg::StopNone;
    if (is_indirect) begin
      if (w_q.table_on || is_next)                              why = vhp_pkg::StopIndirectNest;
      else if (!c_q.indirect || d_q.len == '0 || d_q.len[3:0] != '0) why = vhp_pkg::StopIndirectLen;
      else bad = 1'b0;
    end else begin
      if (((d_q.flags & FlagWrite) != '0) != Sink)              why = vhp_pkg::StopDirection;
      else if (d_q.len == '0)                                   why = vhp_pkg::StopDescLength;
      else if (is_next && d_q.next >= w_q.tsize)                why = vhp_pkg::StopNextRange;
      else if (is_next && (w_q.tcount + 9'd1 >= {1'b0, w_q.tsize[7:0]} && w_q.tsize[15:8] == '0)) why = vhp_pkg::StopChainLength;
      else if (is_next && w_q.count == 9'(vhp_pkg::MaxChain - 1)) why = vhp_pkg::StopChainLength;
      else bad = 1'b0;
    end
  end

  // A chain starts at head `head` in line `slot`.
  logic [15:0]      start_head;
  logic [SlotW-1:0] start_slot;
  always_comb begin
    start_head = st_q == WAct ? nh_head_q : w_q.head;
    start_slot = st_q == WAct ? nh_slot_q : w_q.slot;
    w_start       = '0;
    w_start.head  = start_head;
    w_start.slot  = start_slot;
    w_start.idx   = start_head;
    w_start.tsize = msize_q;
  end

  logic [15:0] chase_left;   // entries of the table from the window's first on
  logic [15:0] chase_first;
  always_comb begin
    item          = '0;
    item.lane     = lane_q;
    item.chain.pos   = pos_q;
    item.chain.head  = w_q.head;
    item.chain.total = total;
    item.chain.nsegs = w_q.count + 9'd1;
    item.chain.big   = w_q.big || clip > 17'h10000;
    item.len      = clip;
    xl_translate_o = c_q.translate;
    xl_port_o     = c_q.port;
    xl_addr_o     = d_q.addr;
    xl_len_o      = d_q.len;
    w_next        = w_q;
    save          = 1'b0;
    finish_chain  = 1'b0;
    chase_first   = '0;
    chase_left    = '0;

    if (st_q == WAct) begin
      if (bad) begin
        item.valid        = 1'b1;
        item.kind         = ItFault;
        item.chain.fault  = 1'b1;
        item.chain.reason = why;
      end else if (is_indirect) begin
        item.valid      = 1'b1;
        item.kind       = ItChase;
        chase_left      = tsize_new;
        w_next.chase    = 1'b1;
        w_next.table_on = 1'b1;
        w_next.idx      = '0;
        w_next.tsize    = tsize_new;
        w_next.taddr    = d_q.addr;
        w_next.tcount   = '0;
        save            = 1'b1;
      end else if (w_act_room) begin
        item.valid    = 1'b1;
        item.kind     = ItSeg;
        item.last     = !is_next;
        w_next.count  = w_q.count + 9'd1;
        w_next.tcount = w_q.tcount + 9'd1;
        w_next.total  = total;
        w_next.big    = item.chain.big;
        w_next.idx    = d_q.next;
        finish_chain  = !is_next;
        save          = is_next && !same_line;
      end else begin
        save = 1'b1;   // the segment FIFO is full: come back to this descriptor
      end
    end else if (st_q == WRead && chase_due_q) begin
      // The next descriptor lies elsewhere: read its 64 bytes.
      item.valid  = 1'b1;
      item.kind   = ItChase;
      chase_first = {w_q.idx[15:2], 2'b00};
      chase_left  = w_q.tsize - chase_first;
      xl_addr_o   = w_q.table_on ? w_q.taddr : desc_base_q[lane_q];
      xl_len_o    = w_q.table_on ? {12'd0, w_q.tsize, 4'd0} : 32'd1;
      xl_translate_o = c_q.translate && w_q.table_on;
      w_next.chase = 1'b1;
      save        = 1'b1;
    end else if (st_q == WSlot || st_q == WLoad) begin
      item.kind        = ItFault;
      item.chain.fault = 1'b1;
      if (st_q == WSlot) begin
        item.valid        = slot_done_i[lane_q][w_q.slot] && slot_bad_i[lane_q][w_q.slot];
        item.chain.reason = vhp_lane_pkg::stop_of(slot_status_i[lane_q]);
      end else begin
        item.chain.pos = walk_pos_q[lane_q];
        if (still && mid_q[lane_q]) begin
          item.valid        = chase_bad_q[lane_q];
          item.chain.reason = vhp_lane_pkg::stop_of(chase_status_q[lane_q]);
        end else begin
          item.valid        = still && walk_pos_q[lane_q] == head_pos_i[lane_q];
          item.chain.reason = head_fault_i[lane_q] ? vhp_pkg::StopHeadRange : fault_reason_i[lane_q];
        end
      end
    end
    item.off  = {chase_first, 4'd0};
    item.rlen = chase_left > 16'd3 ? 7'd64 : {1'b0, chase_left[1:0], 4'd0};
  end

  assign still      = ok[lane_q];
  assign w_act_room = !seg_cnt_q[lane_q][SegW];
  assign go_next    = finish_chain && nh_ok_q && run_i[lane_q] && burst_q != 3'd7
                      && chain_cnt_q[lane_q] < (ChainW+1)'(vhp_lane_pkg::Chains);

  assign begin_chain = (st_q == WSlot && slot_done_i[lane_q][w_q.slot] && !item.valid && run_i[lane_q]) || go_next;
  assign start_first = st_q == WSlot ? first_q : nh_first_q;

  always_ff @(posedge clk_i) begin
    chase_due_q <= 1'b0;
    unique case (st_q)
      WPick: begin
        lane_q  <= pick;
        burst_q <= 3'd0;
        if (any) begin
          last_q <= pick;
          st_q   <= WLoad;
        end
      end
      WLoad: begin
        c_q     <= cfg_q[lane_q];
        msize_q <= 16'd1 << cfg_q[lane_q].size_log2;
        pos_q   <= walk_pos_q[lane_q];
        first_q <= head_first_i;
        if (!still || item.valid) begin
          st_q <= WPick;
        end else if (mid_q[lane_q]) begin
          w_q  <= wst[lane_q];
          st_q <= WRead;
        end else begin
          w_q.head <= head_i;
          w_q.slot <= head_slot_i;
          st_q     <= WSlot;
        end
      end
      WSlot: begin
        w_q  <= w_start;
        st_q <= begin_chain ? WRead : WPick;
      end
      WRead: begin
        nh_head_q  <= head_i;
        nh_slot_q  <= head_slot_i;
        nh_first_q <= head_first_i;
        nh_valid_q <= pos_q + 16'd1 != head_pos_i[lane_q];
        st_q       <= chase_due_q ? WPick : WMux;
      end
      WMux: begin
        d_q     <= row[w_q.chase ? 1'b0 : w_q.slot[0]][w_q.idx[1:0]*128 +: 128];
        nh_ok_q <= nh_valid_q && slot_done_i[lane_q][nh_slot_q] && !slot_bad_i[lane_q][nh_slot_q];
        st_q    <= WAct;
      end
      default: begin   // WAct
        if (go_next) begin
          w_q     <= w_start;
          pos_q   <= pos_q + 16'd1;
          burst_q <= burst_q + 3'd1;
          st_q    <= WRead;
        end else if (item.valid && item.kind == ItSeg && is_next) begin
          // In the same line: on; else ask for the line in the state after.
          w_q         <= w_next;
          chase_due_q <= !same_line;
          st_q        <= WRead;
        end else begin
          st_q <= WPick;
        end
      end
    endcase
    if (rst_i) begin
      st_q        <= WPick;
      last_q      <= '0;
      chase_due_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (save) wst[lane_q] <= w_next;
  end

  // ---------------------------------------------------------------- through the region table
  item_t [Lat-1:0] pipe_q;
  item_t           out;
  assign out = pipe_q[Lat-1];

  logic                 f_valid_q, f_seg_q, f_chain_q, f_chase_q;
  vhp_pkg::lane_t       f_lane_q;
  vhp_lane_pkg::seg_t   f_seg_data_q;
  vhp_lane_pkg::chain_t f_chain_data_q;
  chase_t               f_chase_data_q;
  logic [N-1:0]         out_dead_q;   // a fault record was pushed

  always_ff @(posedge clk_i) begin
    pipe_q    <= {pipe_q[Lat-2:0], item};
    f_valid_q <= out.valid && !out_dead_q[out.lane];
    f_lane_q  <= out.lane;
    f_seg_q   <= 1'b0;
    f_chain_q <= 1'b0;
    f_chase_q <= 1'b0;
    f_seg_data_q.addr   <= xl_iova_i;
    f_seg_data_q.len    <= out.len;
    f_chain_data_q      <= out.chain;
    f_chase_data_q.lane <= out.lane;
    f_chase_data_q.addr <= xl_iova_i;
    f_chase_data_q.off  <= out.off;
    f_chase_data_q.rlen <= out.rlen;
    if (out.valid && !out_dead_q[out.lane]) begin
      if (out.kind == ItFault) begin
        f_chain_q <= 1'b1;
      end else if (xl_wrap_i || !xl_hit_i) begin
        f_chain_q             <= 1'b1;
        f_chain_data_q.fault  <= 1'b1;
        f_chain_data_q.reason <= xl_wrap_i ? vhp_pkg::StopDescLength : vhp_pkg::StopRegion;
      end else if (out.kind == ItSeg) begin
        f_seg_q   <= 1'b1;
        f_chain_q <= out.last;
      end else begin
        f_chase_q <= 1'b1;
      end
    end
    if (rst_i) begin
      for (int unsigned i = 0; i < Lat; i++) pipe_q[i].valid <= 1'b0;
      f_valid_q <= 1'b0;
      f_seg_q   <= 1'b0;
      f_chain_q <= 1'b0;
      f_chase_q <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- FIFO memories
  vhp_lane_pkg::seg_t   seg_mem [QRows * vhp_lane_pkg::Segs];
  always_ff @(posedge clk_i) begin
    if (f_seg_q) seg_mem[{f_lane_q, seg_wp_q[f_lane_q]}] <= f_seg_data_q;
    seg_rd_o <= seg_mem[{seg_rd_lane_i, seg_rd_ptr_i}];
  end
  for (genvar r = 0; r < 2; r++) begin : g_chain
    vhp_lane_pkg::chain_t chain_mem [QRows * vhp_lane_pkg::Chains];
    always_ff @(posedge clk_i) begin
      if (f_chain_q) chain_mem[{f_lane_q, chain_wp_q[f_lane_q]}] <= f_chain_data_q;
      chain_rd_o[r] <= chain_mem[{chain_rd_lane_i[r], chain_rd_ptr_i[r]}];
    end
  end

  // Told one cycle after the write, so that a read that follows sees it.
  always_ff @(posedge clk_i) begin
    push_valid_o <= f_chain_q && !rst_i;
    push_lane_o  <= f_lane_q;
    push_chain_o <= f_chain_data_q;
  end

  // ---------------------------------------------------------------- chase reads
  chase_t cq;
  logic   cq_valid, cq_take, cq_ready, rq_full_q;

  vhp_stream_fifo #(.Width($bits(chase_t)), .Depth(QRows)) u_chase (
    .clk_i, .rst_i,
    .in_valid_i  (f_chase_q),
    .in_ready_o  (cq_ready),
    .in_data_i   (f_chase_data_q),
    .out_valid_o (cq_valid),
    .out_ready_i (cq_take),
    .out_data_o  (cq),
    .level_o     ()
  );
  assign cq_take    = cq_valid && (!rq_full_q || rq_ready_i);
  assign rq_valid_o = rq_full_q;

  always_ff @(posedge clk_i) begin
    if (cq_take) begin
      rq_o          <= '0;
      rq_o.func     <= cfg_q[cq.lane].func;
      rq_o.addr     <= cq.addr + {44'd0, cq.off};
      rq_o.len      <= {10'd0, cq.rlen};
      rq_o.ram_addr <= vhp_lane_pkg::ram_other(vhp_lane_pkg::AreaChase, 5'(cq.lane), 1'b0, 6'd0);
      rq_o.cookie   <= {1'b1, 5'(cq.lane), vhp_lane_pkg::CkChase};
    end
    rq_full_q <= !rst_i && (cq_take || (rq_full_q && !rq_ready_i));
  end

  logic           done_chase, done_line;
  vhp_pkg::lane_t done_lane;
  assign done_chase = rd_done_valid_i && rd_done_i.client == Client && rd_done_i.cookie[9]
                      && rd_done_i.cookie[3:0] == vhp_lane_pkg::CkChase;
  assign done_line  = rd_done_valid_i && rd_done_i.client == Client && !rd_done_i.cookie[9];
  assign done_lane  = vhp_pkg::lane_t'(rd_done_i.cookie[8:4]);

  // ---------------------------------------------------------------- state
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic me      = lane_q == vhp_pkg::lane_t'(l);
      automatic logic f_me    = f_lane_q == vhp_pkg::lane_t'(l);
      automatic logic new_seg = me && item.valid && item.kind == ItSeg;
      automatic logic new_chain = me && (begin_chain || (item.valid && item.kind == ItFault && !mid_q[l]
                                                         && (st_q == WLoad || st_q == WSlot)));
      automatic logic pop     = chain_pop_i.valid && chain_pop_i.lane == vhp_pkg::lane_t'(l);
      automatic logic spop    = seg_pop_i.valid && seg_pop_i.lane == vhp_pkg::lane_t'(l);
      seg_cnt_q[l]   <= seg_cnt_q[l] + (SegW+1)'(new_seg) - (spop ? seg_pop_i.count : '0);
      chain_cnt_q[l] <= chain_cnt_q[l] + (ChainW+1)'(new_chain) - (ChainW+1)'(pop);
      if (me && finish_chain) walk_pos_q[l] <= pos_q + 16'd1;
      if (me && begin_chain && start_first) begin
        if (has_slot_q[l]) free_q[l] <= free_q[l] + 1'b1;
        has_slot_q[l] <= 1'b1;
      end
      if (me && st_q == WSlot && !slot_done_i[l][w_q.slot]) wait_slot_q[l] <= 1'b1;
      if (done_line && done_lane == vhp_pkg::lane_t'(l)) wait_slot_q[l] <= 1'b0;
      if (me && save) mid_q[l] <= 1'b1;
      if (me && st_q == WLoad && still) mid_q[l] <= 1'b0;
      if (me && item.valid && item.kind == ItFault) dead_q[l] <= 1'b1;
      if (me && item.valid && item.kind == ItChase) chase_out_q[l] <= 1'b1;
      if (done_chase && done_lane == vhp_pkg::lane_t'(l)) begin
        chase_out_q[l]    <= 1'b0;
        chase_bad_q[l]    <= rd_done_i.status != vhp_pkg::DmaOk;
        chase_status_q[l] <= rd_done_i.status;
      end
      if (me && st_q == WLoad && still) chase_bad_q[l] <= 1'b0;
      if (f_me && f_seg_q) seg_wp_q[l] <= seg_wp_q[l] + 1'b1;
      if (f_me && f_chain_q) chain_wp_q[l] <= chain_wp_q[l] + 1'b1;
      if (out.valid && out.lane == vhp_pkg::lane_t'(l) && !out_dead_q[l]
          && (out.kind == ItFault || xl_wrap_i || !xl_hit_i)) begin
        out_dead_q[l]  <= 1'b1;
        dead_q[l]      <= 1'b1;
      end
      if (out.valid && out.lane == vhp_pkg::lane_t'(l) && out.kind == ItChase
          && (out_dead_q[l] || xl_wrap_i || !xl_hit_i)) chase_out_q[l] <= 1'b0;   // not issued
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(l)) begin
        walk_pos_q[l]  <= init_i.pos[Sink];
        free_q[l]      <= '0;
        has_slot_q[l]  <= 1'b0;
        wait_slot_q[l] <= 1'b0;
        mid_q[l]       <= 1'b0;
        dead_q[l]      <= 1'b0;
        out_dead_q[l]  <= 1'b0;
        chase_out_q[l] <= 1'b0;
        chase_bad_q[l] <= 1'b0;
        seg_cnt_q[l]   <= '0;
        chain_cnt_q[l] <= '0;
        seg_wp_q[l]    <= '0;
        chain_wp_q[l]  <= '0;
      end
    end
    if (rst_i) begin
      walk_pos_q  <= '0;
      free_q      <= '0;
      mid_q       <= '0;
      dead_q      <= '0;
      out_dead_q  <= '0;
      chase_out_q <= '0;
      wait_slot_q <= '0;
      seg_cnt_q   <= '0;
      chain_cnt_q <= '0;
    end
  end

  logic [N-1:0] in_pipe;
  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      in_pipe[l] = (f_valid_q && f_lane_q == vhp_pkg::lane_t'(l)) || (push_valid_o && push_lane_o == vhp_pkg::lane_t'(l));
      for (int unsigned i = 0; i < Lat; i++) begin
        if (pipe_q[i].valid && pipe_q[i].lane == vhp_pkg::lane_t'(l)) in_pipe[l] = 1'b1;
      end
      busy_o[l] = in_pipe[l] || chase_out_q[l] || (st_q != WPick && lane_q == vhp_pkg::lane_t'(l));
      work_o[l] = ok[l];
    end
  end
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      stalled_o[l] <= seg_cnt_q[l][SegW] && !in_pipe[l] && !(st_q != WPick && lane_q == vhp_pkg::lane_t'(l));
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(f_chase_q && !cq_ready));
      for (int unsigned l = 0; l < N; l++) begin
        assert (seg_cnt_q[l] <= (SegW+1)'(vhp_lane_pkg::Segs));
        assert (chain_cnt_q[l] <= (ChainW+1)'(vhp_lane_pkg::Chains));
      end
    end
  end
`endif

endmodule
