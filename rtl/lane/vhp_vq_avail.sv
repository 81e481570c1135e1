// SPDX-License-Identifier: Apache-2.0
//
// Avail rings of one end: notifications, avail index, avail entries.
//
// Purpose     Turns kicks into avail entries on the card, 128 per queue, and keeps the notification protocol: a
//             queue goes to sleep only after notifications were enabled, that write has left, and the index was
//             read once more. Reads of the interrupt policy (avail flags, used_event) go the same way.
// Handshake   rq_*: read requests, valid/ready. rd_done_i: those of this client. nw_*: writes of used->flags or
//             avail_event; nw_seq_i is the command's number in the cycle of valid && ready.
//             lines_*: entries lie in ent_mem from head_pos to ent_have; entry_o follows entry_pos_i by 2 cycles.
// Faults      An index that jumped and a failed read end the ring; ent_fault_o/idx_fault_o say where: once all
//             entries before are used up, the walk reports them.

module vhp_vq_avail #(
  parameter bit Sink = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,      // of this end's queues
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic [vhp_pkg::NumLanes-1:0] run_i,         // may take new entries
  input  logic                         kick_valid_i,
  input  vhp_pkg::lane_t               kick_lane_i,

  // Interrupt policy.
  input  logic                         chk_valid_i,
  input  vhp_pkg::lane_t               chk_lane_i,
  output vhp_lane_pkg::irq_view_t      view_o,

  output logic                         rq_valid_o,
  input  logic                         rq_ready_i,
  output vhp_pkg::dma_rd_req_t         rq_o,
  input  logic                         rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t        rd_done_i,
  input  logic                         ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t         ram_wr_i,

  output logic                         nw_valid_o,
  input  logic                         nw_ready_i,
  output vhp_pkg::dma_wr_req_t         nw_o,
  input  vhp_lane_pkg::seq_t           nw_seq_i,
  input  vhp_lane_pkg::seq_t           seq_done_i,

  // Towards the lines.
  input  logic [vhp_pkg::NumLanes-1:0][15:0] head_pos_i,
  input  logic [vhp_pkg::NumLanes-1:0][15:0] walk_pos_i,
  output logic [vhp_pkg::NumLanes-1:0][15:0] avail_seen_o,
  output logic [vhp_pkg::NumLanes-1:0][15:0] ent_have_o,
  output logic [vhp_pkg::NumLanes-1:0]       ent_fault_o,
  output logic [vhp_pkg::NumLanes-1:0]       idx_fault_o,
  output vhp_pkg::stop_reason_e [vhp_pkg::NumLanes-1:0] fault_reason_o,
  input  vhp_pkg::lane_t                     entry_lane_i,
  input  logic [vhp_lane_pkg::EntryW-1:0]    entry_pos_i,
  output logic [15:0]                        entry_o,

  output logic [vhp_pkg::NumLanes-1:0] busy_o,   // something of this lane is in flight here
  output logic [vhp_pkg::NumLanes-1:0] work_o    // this lane can go on without input from elsewhere
);

  localparam int unsigned N     = vhp_pkg::NumLanes;
  localparam int unsigned QRows = 1 << vhp_pkg::LaneW;
  localparam vhp_pkg::rd_client_e Client = Sink ? vhp_pkg::RdSnkRing : vhp_pkg::RdSrcRing;
  // Known but not walked entries, below which a busy queue's index is read again.
  localparam logic [15:0] LowWater = 16'd48;
  localparam logic [15:0] Progress = 16'd16;

  typedef enum logic [2:0] {
    NIdle,      // notifications enabled, index read after that: a kick will come
    NActive,
    NWrEnable,  // enable: to be written
    NCommit,    // enable: on its way
    NCheck,     // enabled; the index has to be read once more
    NWrDisable  // disable: to be written
  } notify_e;

  // ---------------------------------------------------------------- contexts
  vhp_lane_pkg::queue_cfg_t cfg [QRows];
  logic [31:0]              avail_lo [QRows], avail_hi [QRows], used_lo [QRows], used_hi [QRows];
  logic [N-1:0]             event_idx_q;
  vhp_pkg::lane_t           ctx_lane;
  logic                     ctx_mine;
  assign ctx_lane = ctx_wr_i.qid[vhp_pkg::QidW-1:1];
  assign ctx_mine = ctx_wr_i.valid && ctx_wr_i.qid[0] == Sink;

  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxCfg)     cfg[ctx_lane]      <= ctx_wr_i.data[17:0];
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxAvailLo) avail_lo[ctx_lane] <= ctx_wr_i.data;
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxAvailHi) avail_hi[ctx_lane] <= ctx_wr_i.data;
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxUsedLo)  used_lo[ctx_lane]  <= ctx_wr_i.data;
  always_ff @(posedge clk_i) if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxUsedHi)  used_hi[ctx_lane]  <= ctx_wr_i.data;
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      if (ctx_mine && ctx_wr_i.word == vhp_lane_pkg::CtxCfg && ctx_lane == vhp_pkg::lane_t'(l)) event_idx_q[l] <= ctx_wr_i.data[12];
    end
  end

  // ---------------------------------------------------------------- state per queue
  notify_e [N-1:0]           nst_q;
  logic [N-1:0]              armed_q;      // a kick comes for the next entry
  logic [N-1:0]              dirty_q;      // the index moved since the enabling write took its value
  vhp_lane_pkg::seq_t [N-1:0] nseq_q;
  logic [N-1:0]              kick_q;
  logic [N-1:0]              chk_q, chk_fly_q;
  logic [N-1:0][1:0]         poll_left_q;  // reads of the poll that are out
  vhp_pkg::dma_status_e [N-1:0] poll_status_q;
  logic [N-1:0]              poll_sync_q;  // the poll that is out began in NCheck
  logic [N-1:0][15:0]        poll_at_q;    // walk position when the index was last read
  logic [N-1:0][5:0][7:0]    poll_data_q;  // flags, idx, used_event
  logic [N-1:0][15:0]        seen_q, req_q, have_q;
  logic [N-1:0][1:0]         ent_out_q, ent_done_q, ent_bad_q;
  logic [N-1:0][1:0][15:0]   ent_end_q;
  logic [N-1:0]              ent_new_q, ent_old_q;   // which of the two reads is next, is oldest
  vhp_pkg::dma_status_e [N-1:0] ent_status_q;
  logic [N-1:0]              ent_fault_q, idx_fault_q;
  vhp_pkg::stop_reason_e [N-1:0] reason_q;

  assign avail_seen_o   = seen_q;
  assign ent_have_o     = have_q;
  assign ent_fault_o    = ent_fault_q;
  assign idx_fault_o    = idx_fault_q;
  assign fault_reason_o = reason_q;

  // ---------------------------------------------------------------- landing
  vhp_pkg::lane_t     poll_lane;
  logic               poll_land;
  assign poll_lane = vhp_pkg::lane_t'(ram_wr_i.row[0][4:0]);
  assign poll_land = ram_wr_valid_i && ram_wr_i.client == Client && ram_wr_i.we[0]
                     && ram_wr_i.row[0][9:8] == vhp_lane_pkg::AreaPoll;

  always_ff @(posedge clk_i) begin
    if (poll_land) begin
      for (int unsigned b = 0; b < 6; b++) begin
        if (ram_wr_i.be[0][b]) poll_data_q[poll_lane][b] <= ram_wr_i.data[0][b*8 +: 8];
      end
    end
  end

  // Entry rows: bank = bit 5 of the position. Four entries in the first cycle, one of them in the second.
  logic [1:0][511:0] ent_row;
  for (genvar b = 0; b < 2; b++) begin : g_ent
    logic [511:0] rows [2 * QRows];
    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < 64; i++) begin
        if (ram_wr_valid_i && ram_wr_i.client == Client && ram_wr_i.we[b]
            && ram_wr_i.row[b][9:8] == vhp_lane_pkg::AreaEntry && ram_wr_i.be[b][i]) begin
          rows[{ram_wr_i.row[b][5], vhp_pkg::lane_t'(ram_wr_i.row[b][4:0])}][i*8 +: 8] <= ram_wr_i.data[b][i*8 +: 8];
        end
      end
    end
    assign ent_row[b] = rows[{entry_pos_i[6], entry_lane_i}];
  end

  logic [63:0] ent_four_q;
  logic [1:0]  entry_pos_q;
  always_ff @(posedge clk_i) begin
    ent_four_q  <= ent_row[entry_pos_i[5]][entry_pos_i[4:2]*64 +: 64];
    entry_pos_q <= entry_pos_i[1:0];
    entry_o     <= ent_four_q[entry_pos_q*16 +: 16];
  end

  // ---------------------------------------------------------------- which queue may do what
  logic [N-1:0] poll_ok, poll_elig_q, ent_ok, ent_elig_q, nw_ok, nw_elig_q;
  logic [N-1:0] landing;  // what a poll told is not in the state and in ask_q yet
  logic [N-1:0] ask_q;    // the entries are running low: read the index again
  logic [N-1:0] walked_q; // every known entry is walked

  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      poll_ok[l] = poll_left_q[l] == 2'd0
                   && (chk_q[l]
                       || (run_i[l] && !idx_fault_q[l] && !ent_fault_q[l] && !landing[l]
                           && ((nst_q[l] == NIdle && kick_q[l]) || (nst_q[l] == NActive && ask_q[l])
                               || nst_q[l] == NCheck)));
      ent_ok[l]  = run_i[l] && !ent_fault_q[l] && req_q[l] != seen_q[l] && ent_out_q[l] != 2'b11
                   && !ent_out_q[l][ent_new_q[l]];
      nw_ok[l]   = run_i[l] && (nst_q[l] == NWrEnable || nst_q[l] == NWrDisable);
    end
  end

  // Room for one more read of up to 32 entries; how far the walk is.
  logic [N-1:0] room_q;
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic [15:0] held   = req_q[l] - head_pos_i[l];
      automatic logic [15:0] known  = seen_q[l] - walk_pos_i[l];
      automatic logic [15:0] walked = walk_pos_i[l] - poll_at_q[l];
      room_q[l] <= held <= 16'(vhp_lane_pkg::Entries - 32);
      ask_q[l]  <= known == 16'd0 || (known < LowWater && walked >= Progress);
      walked_q[l] <= known == 16'd0;
    end
    poll_elig_q <= rst_i ? '0 : poll_ok;
    ent_elig_q  <= rst_i ? '0 : ent_ok & room_q;
    nw_elig_q   <= rst_i ? '0 : nw_ok;
  end

  // ---------------------------------------------------------------- read requests: polls and entries
  typedef enum logic [2:0] {RPick, RLoad, RCalc, RPoll, RPollEvent, REntry} rstate_e;
  rstate_e               rst_q;
  vhp_pkg::lane_t        lane_q, poll_last_q, ent_last_q;
  logic                  poll_any, ent_any, is_poll_q;
  vhp_pkg::lane_t        poll_idx, ent_idx;
  vhp_lane_pkg::queue_cfg_t lcfg_q;
  logic [15:0]           lreq_q, lseen_q, lend_q, mask_q, event_off_q;
  logic [5:0]            group_q;
  logic                  lchk_q, lnew_q;
  logic [5:0]            n;          // entries to read

  vhp_rr_pick #(.N(N)) u_poll_pick (.req_i(poll_elig_q), .last_i(poll_last_q), .valid_o(poll_any), .idx_o(poll_idx));
  vhp_rr_pick #(.N(N)) u_ent_pick  (.req_i(ent_elig_q),  .last_i(ent_last_q),  .valid_o(ent_any),  .idx_o(ent_idx));

  always_comb begin
    automatic logic [15:0] known;
    automatic logic [5:0]  to_end;
    known  = lseen_q - lreq_q;
    to_end = group_q - (lreq_q[5:0] & (group_q - 6'd1));
    n      = known < {10'd0, to_end} ? known[5:0] : to_end;
  end

  logic poll_go, poll_event_go, ent_go;
  assign poll_go       = rst_q == RPoll && rq_ready_i;
  assign poll_event_go = rst_q == RPollEvent && rq_ready_i;
  assign ent_go        = rst_q == REntry && rq_ready_i;
  assign rq_valid_o    = rst_q == RPoll || rst_q == RPollEvent || rst_q == REntry;

  always_ff @(posedge clk_i) begin
    unique case (rst_q)
      RPick: begin
        is_poll_q <= poll_any;
        lane_q    <= poll_any ? poll_idx : ent_idx;
        if (poll_any || ent_any) rst_q <= RLoad;
      end
      RLoad: begin
        lcfg_q        <= cfg[lane_q];
        mask_q        <= (16'd1 << cfg[lane_q].size_log2) - 16'd1;
        event_off_q   <= (16'd2 << cfg[lane_q].size_log2) + 16'd4;
        group_q       <= cfg[lane_q].size_log2 >= 4'd5 ? 6'd32 : 6'(6'd1 << cfg[lane_q].size_log2[2:0]);
        lreq_q        <= req_q[lane_q];
        lseen_q       <= seen_q[lane_q];
        lnew_q        <= ent_new_q[lane_q];
        lchk_q        <= chk_q[lane_q];
        rq_o          <= '0;
        rq_o.func     <= cfg[lane_q].func;
        rq_o.addr     <= {avail_hi[lane_q], avail_lo[lane_q]};
        rq_o.len      <= 17'd4;
        rq_o.ram_addr <= vhp_lane_pkg::ram_other(vhp_lane_pkg::AreaPoll, 5'(lane_q), 1'b0, 6'd0);
        rq_o.cookie   <= {1'b1, 5'(lane_q), vhp_lane_pkg::CkPoll};
        // Of the cycle before: with what this state machine did last.
        if (!is_poll_q)                rst_q <= RCalc;
        else if (poll_elig_q[lane_q])  rst_q <= RPoll;
        else                           rst_q <= RPick;
      end
      RCalc: begin
        lend_q        <= lreq_q + {10'd0, n};
        rq_o.addr     <= rq_o.addr + {47'd0, lreq_q & mask_q, 1'b0} + 64'd4;
        rq_o.len      <= {10'd0, n, 1'b0};
        rq_o.ram_addr <= vhp_lane_pkg::ram_entry(5'(lane_q), lreq_q[vhp_lane_pkg::EntryW-1:0]);
        rq_o.cookie   <= {1'b1, 5'(lane_q), lnew_q ? vhp_lane_pkg::CkEntry1 : vhp_lane_pkg::CkEntry0};
        rst_q         <= ent_elig_q[lane_q] ? REntry : RPick;
      end
      RPoll: if (rq_ready_i) begin
        rq_o.addr     <= rq_o.addr + {48'd0, event_off_q};
        rq_o.len      <= 17'd2;
        rq_o.ram_addr <= vhp_lane_pkg::ram_other(vhp_lane_pkg::AreaPoll, 5'(lane_q), 1'b0, 6'd4);
        rq_o.cookie   <= {1'b1, 5'(lane_q), vhp_lane_pkg::CkUsedEvent};
        poll_last_q   <= lane_q;
        rst_q         <= lchk_q && lcfg_q.event_idx ? RPollEvent : RPick;
      end
      RPollEvent: if (rq_ready_i) rst_q <= RPick;
      default: if (rq_ready_i) begin
        ent_last_q <= lane_q;
        rst_q      <= RPick;
      end
    endcase
    if (rst_i) begin
      rst_q       <= RPick;
      poll_last_q <= '0;
      ent_last_q  <= '0;
    end
  end

  // ---------------------------------------------------------------- answers
  logic           done_mine;
  logic [3:0]     done_what;
  vhp_pkg::lane_t done_lane;
  assign done_mine = rd_done_valid_i && rd_done_i.client == Client && rd_done_i.cookie[9];
  assign done_what = rd_done_i.cookie[3:0];
  assign done_lane = vhp_pkg::lane_t'(rd_done_i.cookie[8:4]);

  logic done_poll, done_ent;
  assign done_poll = done_mine && (done_what == vhp_lane_pkg::CkPoll || done_what == vhp_lane_pkg::CkUsedEvent);
  assign done_ent  = done_mine && (done_what == vhp_lane_pkg::CkEntry0 || done_what == vhp_lane_pkg::CkEntry1);

  // A poll is complete: three stages, one queue per cycle.
  logic                  pa_q, pb_q;
  vhp_pkg::lane_t        pa_lane_q, pb_lane_q;
  logic [15:0]           pa_flags_q, pa_idx_q, pa_event_q, pa_delta_q, pb_flags_q, pb_idx_q, pb_event_q;
  logic [3:0]            pa_log2_q;
  vhp_pkg::dma_status_e  pb_status_q;
  logic                  pb_jump_q, pb_new_q, pb_bad_q;
  logic                  last_of_poll;

  assign last_of_poll = done_poll && poll_left_q[done_lane] == 2'd1
                        && !(rst_q == RPollEvent && lane_q == done_lane);

  // The second read of a poll may start after the first one's answer: then its own answer is the last.
  always_ff @(posedge clk_i) begin
    pa_q        <= last_of_poll && !rst_i;
    pa_lane_q   <= done_lane;
    pa_flags_q  <= {poll_data_q[done_lane][1], poll_data_q[done_lane][0]};
    pa_idx_q    <= {poll_data_q[done_lane][3], poll_data_q[done_lane][2]};
    pa_event_q  <= {poll_data_q[done_lane][5], poll_data_q[done_lane][4]};
    pa_delta_q  <= {poll_data_q[done_lane][3], poll_data_q[done_lane][2]} - seen_q[done_lane];
    pa_log2_q   <= cfg[done_lane].size_log2;

    pb_q        <= pa_q && !rst_i;
    pb_lane_q   <= pa_lane_q;
    pb_flags_q  <= pa_flags_q;
    pb_idx_q    <= pa_idx_q;
    pb_event_q  <= pa_event_q;
    pb_status_q <= poll_status_q[pa_lane_q];
    pb_bad_q    <= poll_status_q[pa_lane_q] != vhp_pkg::DmaOk;
    pb_jump_q   <= pa_delta_q > (16'd1 << pa_log2_q);
    pb_new_q    <= pa_delta_q != 16'd0;

    view_o.valid        <= pb_q && !rst_i;
    view_o.lane         <= pb_lane_q;
    view_o.err          <= pb_bad_q;
    view_o.asked        <= chk_fly_q[pb_lane_q];
    view_o.no_interrupt <= pb_flags_q[0];
    view_o.used_event   <= pb_event_q;
  end

  // ---------------------------------------------------------------- notification writes
  vhp_pkg::lane_t nw_last_q, nw_idx, nw_lane_q;
  logic           nw_any, nw_enable_q;
  logic [1:0]     nw_st_q;      // 0 pick, 1 load, 2 offer
  vhp_lane_pkg::queue_cfg_t nw_cfg_q;
  logic [63:0]    nw_base_q;
  logic [15:0]    nw_seen_q;

  vhp_rr_pick #(.N(N)) u_nw_pick (.req_i(nw_elig_q), .last_i(nw_last_q), .valid_o(nw_any), .idx_o(nw_idx));

  assign nw_valid_o = nw_st_q == 2'd2;
  always_comb begin
    nw_o           = '0;
    nw_o.kind      = vhp_pkg::WrImm;
    nw_o.func      = nw_cfg_q.func;
    nw_o.port      = vhp_lane_pkg::port_of(nw_lane_q);
    nw_o.len       = 17'd2;
    nw_o.addr      = nw_cfg_q.event_idx ? nw_base_q + 64'd4 + (64'd8 << nw_cfg_q.size_log2) : nw_base_q;
    nw_o.imm[15:0] = nw_cfg_q.event_idx ? nw_seen_q : {15'd0, !nw_enable_q};
  end

  logic nw_go;
  assign nw_go = nw_valid_o && nw_ready_i;

  always_ff @(posedge clk_i) begin
    unique case (nw_st_q)
      2'd0: if (nw_any) begin
        nw_lane_q <= nw_idx;
        nw_st_q   <= 2'd1;
      end
      2'd1: begin
        nw_cfg_q    <= cfg[nw_lane_q];
        nw_base_q   <= {used_hi[nw_lane_q], used_lo[nw_lane_q]};
        nw_seen_q   <= seen_q[nw_lane_q];
        nw_enable_q <= nst_q[nw_lane_q] == NWrEnable;
        nw_st_q     <= nw_elig_q[nw_lane_q] ? 2'd2 : 2'd0;   // as above
      end
      default: if (nw_ready_i) begin
        nw_last_q <= nw_lane_q;
        nw_st_q   <= 2'd0;
      end
    endcase
    if (rst_i) begin
      nw_st_q   <= 2'd0;
      nw_last_q <= '0;
    end
  end

  // ---------------------------------------------------------------- state
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      // Polls.
      poll_left_q[l] <= poll_left_q[l] + 2'((poll_go || poll_event_go) && lane_q == vhp_pkg::lane_t'(l))
                        - 2'(done_poll && done_lane == vhp_pkg::lane_t'(l));
      if (done_poll && done_lane == vhp_pkg::lane_t'(l) && rd_done_i.status != vhp_pkg::DmaOk) begin
        poll_status_q[l] <= rd_done_i.status;
      end
      if (poll_go && lane_q == vhp_pkg::lane_t'(l)) begin
        poll_status_q[l] <= vhp_pkg::DmaOk;
        poll_at_q[l]     <= walk_pos_i[l];
        chk_fly_q[l]     <= lchk_q;
        poll_sync_q[l]   <= nst_q[l] == NCheck;
        if (lchk_q) chk_q[l] <= 1'b0;
        if (nst_q[l] == NIdle || nst_q[l] == NActive || nst_q[l] == NCheck) kick_q[l] <= 1'b0;
      end
      if (chk_valid_i && chk_lane_i == vhp_pkg::lane_t'(l)) chk_q[l] <= 1'b1;

      // Notifications.
      if (nw_st_q == 2'd1 && nw_elig_q[l] && nw_lane_q == vhp_pkg::lane_t'(l)) dirty_q[l] <= 1'b0;
      unique case (nst_q[l])
        // A driver that kicks although its queue is awake is told to stop that.
        NActive: if (kick_q[l] && armed_q[l] && !event_idx_q[l] && run_i[l]) nst_q[l] <= NWrDisable;
        NWrEnable: if (nw_go && nw_lane_q == vhp_pkg::lane_t'(l)) begin
          nst_q[l]  <= NCommit;
          nseq_q[l] <= nw_seq_i;
        end
        // An index that came meanwhile may be beyond the event that was asked for: once more.
        NCommit: if (vhp_lane_pkg::seq_past(seq_done_i, nseq_q[l])) begin
          nst_q[l]   <= dirty_q[l] ? NActive : NCheck;
          armed_q[l] <= !dirty_q[l] || !event_idx_q[l];
        end
        NWrDisable: if (nw_go && nw_lane_q == vhp_pkg::lane_t'(l)) begin
          nst_q[l]   <= NActive;
          armed_q[l] <= 1'b0;
          kick_q[l]  <= 1'b0;
        end
        default: ;
      endcase
      if (pb_q && pb_lane_q == vhp_pkg::lane_t'(l) && run_i[l] && !idx_fault_q[l]) begin
        if (pb_bad_q || pb_jump_q) begin
          idx_fault_q[l] <= 1'b1;
          if (!ent_fault_q[l]) reason_q[l] <= pb_bad_q ? vhp_lane_pkg::stop_of(pb_status_q) : vhp_pkg::StopAvailJump;
        end else if (pb_new_q) begin
          seen_q[l]  <= pb_idx_q;
          dirty_q[l] <= 1'b1;
          if (nst_q[l] == NIdle || nst_q[l] == NCheck) nst_q[l] <= NActive;
          if (event_idx_q[l]) armed_q[l] <= 1'b0;
        end else if (nst_q[l] == NCheck) begin
          if (poll_sync_q[l]) nst_q[l] <= NIdle;
        end else if (nst_q[l] == NActive && walked_q[l]) begin
          nst_q[l] <= armed_q[l] ? NIdle : NWrEnable;
        end
      end
      if (kick_valid_i && kick_lane_i == vhp_pkg::lane_t'(l)) kick_q[l] <= 1'b1;

      // Entries: two reads in order.
      if (ent_go && lane_q == vhp_pkg::lane_t'(l)) begin
        req_q[l]                    <= lend_q;
        ent_out_q[l][lnew_q]        <= 1'b1;
        ent_done_q[l][lnew_q]       <= 1'b0;
        ent_bad_q[l][lnew_q]        <= 1'b0;
        ent_end_q[l][lnew_q]        <= lend_q;
        ent_new_q[l]                <= !lnew_q;
      end
      if (done_ent && done_lane == vhp_pkg::lane_t'(l)) begin
        ent_done_q[l][done_what[0]] <= 1'b1;
        if (rd_done_i.status != vhp_pkg::DmaOk) begin
          ent_bad_q[l][done_what[0]] <= 1'b1;
          ent_status_q[l]            <= rd_done_i.status;
        end
      end
      if (ent_out_q[l][ent_old_q[l]] && ent_done_q[l][ent_old_q[l]]) begin
        ent_out_q[l][ent_old_q[l]] <= 1'b0;
        ent_old_q[l]               <= !ent_old_q[l];
        if (ent_bad_q[l][ent_old_q[l]] && !ent_fault_q[l]) begin
          ent_fault_q[l] <= 1'b1;
          reason_q[l]    <= vhp_lane_pkg::stop_of(ent_status_q[l]);
        end else if (!ent_fault_q[l]) begin
          have_q[l]      <= ent_end_q[l][ent_old_q[l]];
        end
      end

      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(l)) begin
        nst_q[l]       <= NActive;
        armed_q[l]     <= 1'b0;
        kick_q[l]      <= 1'b0;
        chk_q[l]       <= 1'b0;
        chk_fly_q[l]   <= 1'b0;
        seen_q[l]      <= init_i.pos[Sink];
        req_q[l]       <= init_i.pos[Sink];
        have_q[l]      <= init_i.pos[Sink];
        ent_out_q[l]   <= '0;
        ent_done_q[l]  <= '0;
        ent_new_q[l]   <= 1'b0;
        ent_old_q[l]   <= 1'b0;
        ent_fault_q[l] <= 1'b0;
        idx_fault_q[l] <= 1'b0;
        poll_at_q[l]   <= init_i.pos[Sink];
      end
    end
    if (rst_i) begin
      for (int unsigned l = 0; l < N; l++) nst_q[l] <= NIdle;
      armed_q     <= '0;
      kick_q      <= '0;
      chk_q       <= '0;
      chk_fly_q   <= '0;
      poll_left_q <= '0;
      ent_out_q   <= '0;
      ent_done_q  <= '0;
      seen_q      <= '0;
      req_q       <= '0;
      have_q      <= '0;
      ent_fault_q <= '0;
      idx_fault_q <= '0;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      landing[l] = (pa_q && pa_lane_q == vhp_pkg::lane_t'(l)) || (pb_q && pb_lane_q == vhp_pkg::lane_t'(l))
                   || (view_o.valid && view_o.lane == vhp_pkg::lane_t'(l));
      busy_o[l] = poll_left_q[l] != 2'd0 || ent_out_q[l] != 2'd0 || chk_q[l]
                  || (rst_q != RPick && lane_q == vhp_pkg::lane_t'(l))
                  || (nw_st_q != 2'd0 && nw_lane_q == vhp_pkg::lane_t'(l))
                  || landing[l];
      work_o[l] = poll_elig_q[l] || ent_elig_q[l] || nw_elig_q[l] || (run_i[l] && nst_q[l] == NCommit);
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && done_poll) assert (poll_left_q[done_lane] != 2'd0);
    if (!rst_i && done_ent) assert (ent_out_q[done_lane][done_what[0]] && !ent_done_q[done_lane][done_what[0]]);
    if (!rst_i && init_i.valid) assert (!busy_o[init_i.lane]);
  end
`endif

endmodule
