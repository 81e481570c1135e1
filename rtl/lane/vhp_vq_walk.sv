// SPDX-License-Identifier: Apache-2.0
//
// Walk of the descriptor chains of one end.
//
// Purpose     Heads in order; every descriptor is checked and becomes a segment {IOVA, length} of the queue's segment
//             FIFO, a finished chain a record of its chain FIFO (vhp_vq_chains). What breaks a rule becomes a fault record,
//             and the queue is dead until its next life.
// Chase       A descriptor that is not in its head's line, and an indirect table, is read on its own, 64 bytes at a
//             time into the queue's chase row; the queue is put aside until it came, others go on.
// Translate   Segments and chase addresses pass the region table (xl_*, fixed latency).
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
  localparam int unsigned RowW   = vhp_pkg::LaneW + SlotW;   // {chase, lane, slot without its bank bit}
  localparam vhp_pkg::rd_client_e Client = Sink ? vhp_pkg::RdSnkRing : vhp_pkg::RdSrcRing;

  typedef enum logic [2:0] {WPick, WLoad, WSlot, WRead, WMux, WAct} wstate_e;

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
    logic [15:0] next;
    logic [15:0] flags;
    logic [31:0] len;
    logic [63:0] addr;
  } desc_t;

  // ---------------------------------------------------------------- contexts
  vhp_lane_pkg::queue_cfg_t cfg [QRows];
  logic [31:0]              desc_lo [QRows], desc_hi [QRows];
  vhp_pkg::lane_t           ctx_lane;
  logic                     ctx_mine;
  assign ctx_lane = ctx_wr_i.qid[vhp_pkg::QidW-1:1];
  assign ctx_mine = ctx_wr_i.valid && ctx_wr_i.qid[0] == Sink;

  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxCfg)    cfg[ctx_lane]     <= ctx_wr_i.data[17:0];
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxDescLo) desc_lo[ctx_lane] <= ctx_wr_i.data;
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxDescHi) desc_hi[ctx_lane] <= ctx_wr_i.data;

  // ---------------------------------------------------------------- state per queue
  logic [N-1:0][15:0]    walk_pos_q;
  logic [N-1:0][SlotW:0] free_q;
  logic [N-1:0]          has_slot_q, wait_slot_q, mid_q, dead_q;
  logic [N-1:0]          chase_out_q, chase_bad_q;
  vhp_pkg::dma_status_e [N-1:0] chase_status_q;
  logic [N-1:0][SegW:0]   seg_cnt_q;
  logic [N-1:0][ChainW:0] chain_cnt_q;
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
  logic [63:0]    base_q;
  logic [15:0]    nh_head_q;
  logic [SlotW-1:0] nh_slot_q;
  logic           nh_first_q, nh_valid_q, nh_ok_q, first_q;
  logic [2:0]     burst_q;
  logic           begin_q, slot_done_q, slot_bad_q;   // WRead: a chain begins, if its line is there
  logic [2:0]     dsel_q;                             // of the row: {bank, descriptor}
  desc_t          d, d_q;
  logic           d_zero_q, d_odd_q, d_beyond_q, d_line_q, w_last_q, w_room_q;
  logic [16:0]    d_clip_q;
  logic [15:0]    d_tsize_q;
  walk_t          wst [QRows];
  vhp_lane_pkg::item_t item;
  logic           save, start_first, begin_chain, finish_chain;
  logic           still, chase_due_q, go_next;

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

  assign d = row[dsel_q[2]][dsel_q[1:0]*128 +: 128];

  // What the descriptor in d_q means.
  localparam logic [15:0] FlagNext = 16'd1, FlagWrite = 16'd2, FlagIndirect = 16'd4;
  logic                  is_next, is_indirect, bad;
  vhp_pkg::stop_reason_e why;
  logic [17:0]           total;
  logic                  carry;

  always_comb begin
    is_next     = (d_q.flags & FlagNext) != '0;
    is_indirect = (d_q.flags & FlagIndirect) != '0;
    {carry, total} = {1'b0, w_q.total} + {2'b0, d_clip_q};
    if (carry) total = '1;
    bad         = 1'b1;
    why         = vhp_pkg::StopNone;
    if (is_indirect) begin
      if (w_q.table_on || is_next)                              why = vhp_pkg::StopIndirectNest;
      else if (!c_q.indirect || d_zero_q || d_odd_q)            why = vhp_pkg::StopIndirectLen;
      else bad = 1'b0;
    end else begin
      if (((d_q.flags & FlagWrite) != '0) != Sink)              why = vhp_pkg::StopDirection;
      else if (d_zero_q)                                        why = vhp_pkg::StopDescLength;
      else if (is_next && d_beyond_q)                           why = vhp_pkg::StopNextRange;
      else if (is_next && w_last_q)                             why = vhp_pkg::StopChainLength;
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
    item.func     = c_q.func;
    item.chain.pos   = pos_q;
    item.chain.head  = w_q.head;
    item.chain.total = total;
    item.chain.nsegs = w_q.count + 9'd1;
    item.chain.ndescs = w_q.count + 9'd1 - (w_q.table_on ? w_q.tcount : 9'd0);
    item.chain.big   = w_q.big || d_clip_q > 17'h10000;
    item.len      = d_clip_q;
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
        item.kind         = vhp_lane_pkg::ItFault;
        item.chain.fault  = 1'b1;
        item.chain.reason = why;
      end else if (is_indirect) begin
        item.valid      = 1'b1;
        item.kind       = vhp_lane_pkg::ItChase;
        chase_left      = d_tsize_q;
        w_next.chase    = 1'b1;
        w_next.table_on = 1'b1;
        w_next.idx      = '0;
        w_next.tsize    = d_tsize_q;
        w_next.taddr    = d_q.addr;
        w_next.tcount   = '0;
        save            = 1'b1;
      end else if (w_room_q) begin
        item.valid    = 1'b1;
        item.kind     = vhp_lane_pkg::ItSeg;
        item.last     = !is_next;
        w_next.count  = w_q.count + 9'd1;
        w_next.tcount = w_q.tcount + 9'd1;
        w_next.total  = total;
        w_next.big    = item.chain.big;
        w_next.idx    = d_q.next;
        finish_chain  = !is_next;
        save          = is_next && !d_line_q;
      end else begin
        save = 1'b1;   // the segment FIFO is full: come back to this descriptor
      end
    end else if (st_q == WRead && chase_due_q) begin
      // The next descriptor lies elsewhere: read its 64 bytes.
      item.valid  = 1'b1;
      item.kind   = vhp_lane_pkg::ItChase;
      chase_first = {w_q.idx[15:2], 2'b00};
      chase_left  = w_q.tsize - chase_first;
      xl_addr_o   = w_q.table_on ? w_q.taddr : base_q;
      xl_len_o    = w_q.table_on ? {12'd0, w_q.tsize, 4'd0} : 32'd1;
      xl_translate_o = c_q.translate && w_q.table_on;
      w_next.chase = 1'b1;
      save        = 1'b1;
    end else if ((st_q == WRead && begin_q) || st_q == WLoad) begin
      item.kind        = vhp_lane_pkg::ItFault;
      item.chain.fault = 1'b1;
      if (st_q == WRead) begin
        item.valid        = slot_done_q && slot_bad_q;
        item.chain.reason = vhp_lane_pkg::stop_of(slot_status_i[lane_q]);
      end else begin
        item.chain.pos = walk_pos_q[lane_q];
        if (still && mid_q[lane_q]) begin
          item.valid        = chase_bad_q[lane_q];
          item.chain.reason = vhp_lane_pkg::stop_of(chase_status_q[lane_q]);
        end else begin
          item.valid        = still && end_q[lane_q];
          item.chain.reason = head_fault_i[lane_q] ? vhp_pkg::StopHeadRange : fault_reason_i[lane_q];
        end
      end
    end
    item.off  = {chase_first, 4'd0};
    item.rlen = chase_left > 16'd3 ? 7'd64 : {1'b0, chase_left[1:0], 4'd0};
  end

  // Of the cycle before: with what this state machine did last. A fault that came up since then is a fault in vhp_vq_chains.
  assign still   = elig_q[lane_q];
  assign go_next = finish_chain && nh_ok_q;

  assign begin_chain = (st_q == WRead && begin_q && slot_done_q && !slot_bad_q && run_i[lane_q]) || go_next;
  assign start_first = st_q == WRead ? first_q : nh_first_q;

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
        c_q     <= cfg[lane_q];
        base_q  <= {desc_hi[lane_q], desc_lo[lane_q]};
        msize_q <= 16'd1 << cfg[lane_q].size_log2;
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
        w_q         <= w_start;
        slot_done_q <= slot_done_i[lane_q][w_q.slot];
        slot_bad_q  <= slot_bad_i[lane_q][w_q.slot];
        begin_q     <= 1'b1;
        st_q        <= WRead;
      end
      WRead: begin
        nh_head_q  <= head_i;
        nh_slot_q  <= head_slot_i;
        nh_first_q <= head_first_i;
        nh_valid_q <= pos_q + 16'd1 != head_pos_i[lane_q];
        dsel_q     <= {w_q.slot[0] && !w_q.chase, w_q.idx[1:0]};
        begin_q    <= 1'b0;
        st_q       <= chase_due_q || (begin_q && !begin_chain) ? WPick : WMux;
      end
      WMux: begin
        d_q        <= d;
        // The checks that need nothing but the descriptor and the walk, at once; all others only get easier.
        d_zero_q   <= d.len == '0;
        d_odd_q    <= d.len[3:0] != '0;
        d_beyond_q <= d.next >= w_q.tsize;
        d_line_q   <= d.next[15:2] == w_q.idx[15:2];
        d_clip_q   <= d.len[31:17] != '0 ? 17'h1ffff : d.len[16:0];
        d_tsize_q  <= d.len[31:20] != '0 ? 16'hffff : d.len[19:4];
        w_last_q   <= (w_q.tsize[15:8] == '0 && w_q.tcount + 9'd1 >= {1'b0, w_q.tsize[7:0]})
                      || w_q.count == 9'(vhp_pkg::MaxChain - 1);
        w_room_q   <= !seg_cnt_q[lane_q][SegW];
        nh_ok_q    <= nh_valid_q && slot_done_i[lane_q][nh_slot_q] && !slot_bad_i[lane_q][nh_slot_q]
                      && run_i[lane_q] && burst_q != 3'd7 && !chain_cnt_q[lane_q][ChainW];
        st_q    <= WAct;
      end
      default: begin   // WAct
        if (go_next) begin
          w_q     <= w_start;
          pos_q   <= pos_q + 16'd1;
          burst_q <= burst_q + 3'd1;
          st_q    <= WRead;
        end else if (item.valid && item.kind == vhp_lane_pkg::ItSeg && is_next) begin
          // In the same line: on; else ask for the line in the state after.
          w_q         <= w_next;
          chase_due_q <= !d_line_q;
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
      begin_q     <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (save) wst[lane_q] <= w_next;
  end

  // ---------------------------------------------------------------- behind the region table
  logic [N-1:0]   in_chains;
  logic           refused, unread;
  vhp_pkg::lane_t out_lane;

  vhp_vq_chains u_chains (
    .clk_i, .rst_i, .init_i, .item_i (item), .xl_hit_i, .xl_wrap_i, .xl_iova_i,
    .push_valid_o, .push_lane_o, .push_chain_o, .chain_rd_lane_i, .chain_rd_ptr_i, .chain_rd_o,
    .seg_rd_lane_i, .seg_rd_ptr_i, .seg_rd_o, .rq_valid_o, .rq_ready_i, .rq_o,
    .refused_o (refused), .unread_o (unread), .lane_o (out_lane), .busy_o (in_chains)
  );

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
      automatic logic new_seg = me && item.valid && item.kind == vhp_lane_pkg::ItSeg;
      automatic logic new_chain = me && (begin_chain || (item.valid && item.kind == vhp_lane_pkg::ItFault && !mid_q[l]
                                                         && (st_q == WLoad || st_q == WRead)));
      automatic logic pop     = chain_pop_i.valid && chain_pop_i.lane == vhp_pkg::lane_t'(l);
      automatic logic spop    = seg_pop_i.valid && seg_pop_i.lane == vhp_pkg::lane_t'(l);
      seg_cnt_q[l]   <= seg_cnt_q[l] + (SegW+1)'(new_seg) - (spop ? seg_pop_i.count : '0);
      chain_cnt_q[l] <= chain_cnt_q[l] + (ChainW+1)'(new_chain) - (ChainW+1)'(pop);
      if (me && finish_chain) walk_pos_q[l] <= pos_q + 16'd1;
      if (me && begin_chain && start_first) begin
        if (has_slot_q[l]) free_q[l] <= free_q[l] + 1'b1;
        has_slot_q[l] <= 1'b1;
      end
      // Waits for a line from the moment in which it is looked at, so that none is missed that comes meanwhile.
      if (me && st_q == WSlot) wait_slot_q[l] <= 1'b1;
      if (me && st_q == WRead && begin_q && slot_done_q) wait_slot_q[l] <= 1'b0;
      if (done_line && done_lane == vhp_pkg::lane_t'(l)) wait_slot_q[l] <= 1'b0;
      if (me && save) mid_q[l] <= 1'b1;
      if (me && st_q == WLoad && still) mid_q[l] <= 1'b0;
      if (me && item.valid && item.kind == vhp_lane_pkg::ItFault) dead_q[l] <= 1'b1;
      if (me && item.valid && item.kind == vhp_lane_pkg::ItChase) chase_out_q[l] <= 1'b1;
      if (done_chase && done_lane == vhp_pkg::lane_t'(l)) begin
        chase_out_q[l]    <= 1'b0;
        chase_bad_q[l]    <= rd_done_i.status != vhp_pkg::DmaOk;
        chase_status_q[l] <= rd_done_i.status;
      end
      if (me && st_q == WLoad && still) chase_bad_q[l] <= 1'b0;
      if (refused && out_lane == vhp_pkg::lane_t'(l)) dead_q[l] <= 1'b1;
      if (unread && out_lane == vhp_pkg::lane_t'(l)) chase_out_q[l] <= 1'b0;
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(l)) begin
        walk_pos_q[l]  <= init_i.pos[Sink];
        free_q[l]      <= '0;
        has_slot_q[l]  <= 1'b0;
        wait_slot_q[l] <= 1'b0;
        mid_q[l]       <= 1'b0;
        dead_q[l]      <= 1'b0;
        chase_out_q[l] <= 1'b0;
        chase_bad_q[l] <= 1'b0;
        seg_cnt_q[l]   <= '0;
        chain_cnt_q[l] <= '0;
      end
    end
    if (rst_i) begin
      walk_pos_q  <= '0;
      free_q      <= '0;
      mid_q       <= '0;
      dead_q      <= '0;
      chase_out_q <= '0;
      wait_slot_q <= '0;
      seg_cnt_q   <= '0;
      chain_cnt_q <= '0;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      busy_o[l] = in_chains[l] || chase_out_q[l] || (st_q != WPick && lane_q == vhp_pkg::lane_t'(l));
    end
  end
  assign work_o = elig_q;
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      stalled_o[l] <= seg_cnt_q[l][SegW] && !in_chains[l] && !(st_q != WPick && lane_q == vhp_pkg::lane_t'(l));
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      for (int unsigned l = 0; l < N; l++) begin
        assert (seg_cnt_q[l] <= (SegW+1)'(vhp_lane_pkg::Segs));
        assert (chain_cnt_q[l] <= (ChainW+1)'(vhp_lane_pkg::Chains));
      end
    end
  end
`endif

endmodule
