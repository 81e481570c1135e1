// SPDX-License-Identifier: Apache-2.0
//
// Interrupt policy of all queues: does the driver want to hear of a used index?
//
// Purpose     If the cached avail flags (used_event) allow an interrupt, it goes out at once. Else the index write must
//             have left before they are read again (chk_*, answered by view_i), and that reading decides: never a lost
//             one. One such reading is out per queue; what is written meanwhile is judged by the next.
// Handshake   vhp_used does one thing after the other about queue qid_i: index_i (the used->idx command is handed over),
//             then diff_i, then decide_i; or, for a reading that has come (pick_*), diff_i and judge_i in the next cycle.
//             wanted_o belongs to decide_i and judge_i. set_*: a queue starts at this used index, never with decide_i or
//             judge_i.
// Latency     A reading is asked for 4 cycles after its index write has left, or later if other queues wait too.

module vhp_used_irq (
  input  logic                          clk_i,
  input  logic                          rst_i,

  input  vhp_lane_pkg::ctx_wr_t         ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t      init_i,
  input  logic                          set_i,
  input  vhp_pkg::qid_t                 set_qid_i,
  input  logic [15:0]                   set_used_i,

  input  vhp_pkg::qid_t                 qid_i,
  input  logic                          index_i,
  input  vhp_lane_pkg::seq_t            index_seq_i,
  input  logic [15:0]                   pos_i,         // used->idx, stable from index_i to decide_i
  input  logic                          diff_i,
  input  logic                          view_diff_i,   // with diff_i: judge_i follows
  input  logic                          decide_i,
  input  logic                          judge_i,
  input  logic                          can_i,         // with decide_i, judge_i: the queue has an interrupt at all
  input  logic                          msix_i,        // ... and it is a message
  input  logic                          event_idx_i,
  output logic                          wanted_o,

  output logic                          pick_valid_o,  // a reading has come, of queue pick_qid_o; may be a cycle old
  output vhp_pkg::qid_t                 pick_qid_o,
  input  logic                          pick_take_i,
  output logic                          come_o,        // ... of queue qid_i

  input  vhp_lane_pkg::seq_t            seq_done_i,
  output logic [1:0]                    chk_valid_o,   // source, sink fetch
  output vhp_pkg::lane_t                chk_lane_o,
  input  vhp_lane_pkg::irq_view_t [1:0] view_i,
  output logic [vhp_pkg::NumLanes-1:0]  busy_o         // a reading of this lane is wanted or out
);

  localparam int unsigned N     = vhp_pkg::NumLanes;
  localparam int unsigned Q     = vhp_pkg::NumQueues;
  localparam int unsigned QRows = 1 << vhp_pkg::QidW;
  localparam int unsigned LRows = 1 << vhp_pkg::LaneW;

  typedef struct packed {
    vhp_lane_pkg::seq_t seq;
    logic [15:0]        idx;
  } written_t;
  typedef enum logic [1:0] {KPick, KRead, KCompare, KGo} kstate_e;

  logic [Q-1:0] no_int_q, known_q;             // the driver's wish when we looked
  logic [Q-1:0] want_q, again_q;               // a reading is to be asked for, and another one after it
  logic [Q-1:0] fly_q, live_q, res_q;          // one is out; it still matters; it has come
  logic [Q-1:0] event_idx_q;
  logic [15:0]  uev_mem [2][LRows];            // used_event, by end and lane
  logic [15:0]  told_mem [QRows];              // used index up to which the driver was told or did not want to be
  written_t     last_mem [QRows], want_mem [QRows];
  logic [15:0]  fly_mem [QRows];

  // ---------------------------------------------------------------- does it want one?
  vhp_pkg::lane_t lane;
  logic [15:0] new_now, new_q, since_event_q, since_told_q;
  logic        known_cur_q, no_int_cur_q, live_cur_q;
  written_t    index_q;
  assign lane    = qid_i[vhp_pkg::QidW-1:1];
  assign new_now = view_diff_i ? fly_mem[qid_i] : pos_i;
  assign come_o  = res_q[qid_i];

  always_ff @(posedge clk_i) begin
    if (diff_i) begin
      new_q         <= new_now;
      since_event_q <= new_now - uev_mem[qid_i[0]][lane] - 16'd1;
      since_told_q  <= new_now - told_mem[qid_i];
      known_cur_q   <= known_q[qid_i] && (live_q[qid_i] || !view_diff_i);
      no_int_cur_q  <= no_int_q[qid_i];
      live_cur_q    <= live_q[qid_i];
    end
    if (index_i) index_q <= '{seq: index_seq_i, idx: pos_i};
  end
  assign wanted_o = known_cur_q && (event_idx_i ? since_event_q < since_told_q : !no_int_cur_q);

  // ---------------------------------------------------------------- asking
  kstate_e       kst_q;
  vhp_pkg::qid_t ask, ask_q;
  written_t      wanted_q;
  logic          ask_any, past_q, ask_go;
  logic [Q-1:0]  ask_elig_q;
  vhp_rr_pick #(.N(Q)) u_ask (.req_i(ask_elig_q), .last_i(ask_q), .valid_o(ask_any), .idx_o(ask));
  // vhp_used decides about one queue per cycle, and so does this; want_mem has one port.
  assign ask_go = kst_q == KGo && past_q && want_q[ask_q] && !fly_q[ask_q] && !decide_i;

  always_ff @(posedge clk_i) begin
    chk_valid_o <= '0;
    chk_lane_o  <= ask_q[vhp_pkg::QidW-1:1];
    ask_elig_q  <= want_q & ~fly_q;
    past_q      <= vhp_lane_pkg::seq_past(seq_done_i, wanted_q.seq);
    unique case (kst_q)
      KPick: if (ask_any) begin
        ask_q <= ask;
        kst_q <= KRead;
      end
      KRead: begin
        wanted_q <= want_mem[ask_q];
        kst_q    <= KCompare;
      end
      KCompare: kst_q <= KGo;
      default: if (!decide_i) kst_q <= KPick;
    endcase
    if (ask_go) chk_valid_o[ask_q[0]] <= 1'b1;
    if (rst_i) begin
      kst_q       <= KPick;
      ask_q       <= '0;
      chk_valid_o <= '0;
    end
  end

  // ---------------------------------------------------------------- readings that have come
  logic          res_any;
  vhp_pkg::qid_t res_qid, res_last_q;
  vhp_rr_pick #(.N(Q)) u_res (.req_i(res_q), .last_i(res_last_q), .valid_o(res_any), .idx_o(res_qid));
  always_ff @(posedge clk_i) begin
    pick_valid_o <= res_any && !rst_i;
    pick_qid_o   <= res_qid;
    if (pick_take_i) res_last_q <= qid_i;
    if (rst_i) res_last_q <= '0;
  end

  // ---------------------------------------------------------------- state
  logic told, wait_for;
  assign told     = decide_i && (!can_i || (msix_i && wanted_o));
  assign wait_for = decide_i && !told && !want_q[qid_i];

  always_ff @(posedge clk_i) begin
    for (int unsigned e = 0; e < 2; e++) begin
      if (view_i[e].valid && view_i[e].asked) uev_mem[e][view_i[e].lane] <= view_i[e].used_event;
    end
    if (set_i)                                 told_mem[set_qid_i] <= set_used_i;
    else if (told || (judge_i && live_cur_q))  told_mem[qid_i]     <= new_q;
    if (index_i)                               last_mem[qid_i]     <= '{seq: index_seq_i, idx: pos_i};
    if (ask_go)                                want_mem[ask_q]     <= last_mem[ask_q];
    else if (wait_for)                         want_mem[qid_i]     <= index_q;
    if (ask_go)                                fly_mem[ask_q]      <= wanted_q.idx;
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned q = 0; q < Q; q++) begin
      automatic logic me   = qid_i == vhp_pkg::qid_t'(q);
      automatic logic view = view_i[q % 2].valid && view_i[q % 2].lane == vhp_pkg::lane_t'(q / 2);
      if (ctx_wr_i.valid && ctx_wr_i.qid == vhp_pkg::qid_t'(q) && ctx_wr_i.word == vhp_lane_pkg::CtxCfg) begin
        event_idx_q[q] <= ctx_wr_i.data[12];
      end
      if (me && decide_i) begin
        if (told) begin
          want_q[q]  <= 1'b0;
          again_q[q] <= 1'b0;
          live_q[q]  <= 1'b0;
        end else begin
          want_q[q]  <= 1'b1;
          again_q[q] <= want_q[q];
        end
      end
      if (ask_go && ask_q == vhp_pkg::qid_t'(q)) begin
        fly_q[q]   <= 1'b1;
        live_q[q]  <= 1'b1;
        want_q[q]  <= again_q[q];
        again_q[q] <= 1'b0;
      end
      if (me && judge_i) begin
        res_q[q] <= 1'b0;
        fly_q[q] <= 1'b0;
      end
      if (view) begin
        no_int_q[q] <= view_i[q % 2].no_interrupt || view_i[q % 2].err;
        // used_event is read only when asked for.
        if (view_i[q % 2].asked) res_q[q] <= 1'b1;
        if (view_i[q % 2].err) known_q[q] <= 1'b0;
        else if (view_i[q % 2].asked || !event_idx_q[q]) known_q[q] <= 1'b1;
      end
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(q / 2)) begin
        no_int_q[q] <= 1'b1;
        known_q[q]  <= 1'b0;
        want_q[q]   <= 1'b0;
        again_q[q]  <= 1'b0;
        fly_q[q]    <= 1'b0;
        res_q[q]    <= 1'b0;
        live_q[q]   <= 1'b0;
      end
    end
    if (rst_i) begin
      want_q  <= '0;
      again_q <= '0;
      fly_q   <= '0;
      res_q   <= '0;
      live_q  <= '0;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < N; l++) busy_o[l] = |want_q[l*2 +: 2] || |fly_q[l*2 +: 2];
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(set_i && (decide_i || judge_i)));
      if (judge_i) assert (fly_q[qid_i]);
    end
  end
`endif

endmodule
