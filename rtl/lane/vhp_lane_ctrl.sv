// SPDX-License-Identifier: Apache-2.0
//
// The lives of the lanes.
//
//   off --enable--> init --> run --disable or stop--> drain --> commit --> off (disabled) or halt (stopped)
//
// Purpose     drain ends when nothing of the lane is in flight in any stage, commit when every write command that the
//             lane can have issued has left. Then only does `busy` fall: contexts, indices and guest memory are final.
//             A lane that stopped by itself halts until enable was 0 once.
// Commit      One round after the other, for all lanes: the numbers of all stages' newest commands are taken, and the
//             round ends when all of them have left. The second round that ends in a lane's commit began in it.
// Handshake   stop_i: [0] planner, [1] used writer; one cycle each. An unread packet lies before anything that the
//             planner complains about, so the used writer's reason wins. pos_i: the avail indices {sink, source} of lane
//             scan_o of the cycle before.

module vhp_lane_ctrl #(
  parameter int unsigned Streams = 4   // stages that issue write commands
) (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  logic [vhp_pkg::NumLanes-1:0] enable_i,
  input  vhp_lane_pkg::stop_t [1:0]    stop_i,
  input  logic [vhp_pkg::NumLanes-1:0] stage_busy_i,
  input  vhp_lane_pkg::seq_t [Streams-1:0] seq_i,       // number of the stage's next command
  input  vhp_lane_pkg::seq_t [Streams-1:0] seq_done_i,
  output vhp_pkg::lane_t               scan_o,
  input  logic [1:0][15:0]             pos_i,

  output vhp_lane_pkg::lane_init_t     init_o,
  output logic [vhp_pkg::NumLanes-1:0] run_o,
  output logic [vhp_pkg::NumLanes-1:0] busy_o,
  output logic [vhp_pkg::NumLanes-1:0] event_set_o,   // pulse: stopped by itself, and now still
  output vhp_pkg::stop_reason_e [vhp_pkg::NumLanes-1:0] reason_o,
  output logic [vhp_pkg::NumLanes-1:0]       sink_o,
  output logic [vhp_pkg::NumLanes-1:0][14:0] at_o,
  output logic                         work_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;

  typedef enum logic [2:0] {LOff, LInit, LRun, LDrain, LCommit, LHalt} life_e;
  typedef enum logic [1:0] {CTake, CLook, CWait} commit_e;

  life_e [N-1:0]                 life_q;
  logic [N-1:0]                  still_q, fault_q, run_q, sink_q, second_q;
  vhp_pkg::stop_reason_e [N-1:0] reason_q;
  logic [N-1:0][14:0]            at_q;
  vhp_pkg::lane_t                scan_q, scan_next;
  logic                          init_q;

  assign run_o    = run_q;
  assign reason_o = reason_q;
  assign sink_o   = sink_q;
  assign at_o     = at_q;
  assign scan_o   = scan_q;
  assign scan_next = scan_q == vhp_pkg::lane_t'(N - 1) ? '0 : scan_q + 1'b1;

  // ---------------------------------------------------------------- commit rounds
  commit_e                          cst_q;
  vhp_lane_pkg::seq_t [Streams-1:0] round_q;
  logic [Streams-1:0]               left_q;    // of this round, looked at one cycle late
  logic                             round_end_q, committing_q;

  always_ff @(posedge clk_i) begin
    round_end_q  <= 1'b0;
    committing_q <= 1'b0;
    for (int unsigned l = 0; l < N; l++) if (life_q[l] == LCommit) committing_q <= 1'b1;
    for (int unsigned s = 0; s < Streams; s++) left_q[s] <= vhp_lane_pkg::seq_past(seq_done_i[s], round_q[s]);
    unique case (cst_q)
      CTake: begin
        for (int unsigned s = 0; s < Streams; s++) round_q[s] <= seq_i[s] - 1'b1;
        if (committing_q) cst_q <= CLook;
      end
      CLook: cst_q <= CWait;
      default: if (&left_q) begin   // CWait
        round_end_q <= 1'b1;
        cst_q       <= CTake;
      end
    endcase
    if (rst_i) begin
      cst_q        <= CTake;
      round_end_q  <= 1'b0;
      committing_q <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- lives
  always_ff @(posedge clk_i) begin
    scan_q       <= scan_next;
    init_q       <= 1'b0;
    init_o.valid <= init_q;
    init_o.lane  <= scan_q == '0 ? vhp_pkg::lane_t'(N - 1) : scan_q - 1'b1;
    init_o.pos   <= pos_i;
    event_set_o  <= '0;
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic turn = scan_q == vhp_pkg::lane_t'(l);
      unique case (life_q[l])
        LOff: if (turn && enable_i[l]) begin
          life_q[l]   <= LInit;
          init_q      <= 1'b1;
          reason_q[l] <= vhp_pkg::StopNone;
          sink_q[l]   <= 1'b0;
          at_q[l]     <= '0;
          fault_q[l]  <= 1'b0;
        end
        LInit: if (turn) begin
          life_q[l] <= LRun;
          run_q[l]  <= 1'b1;
        end
        LRun: if (!enable_i[l]) begin
          life_q[l]   <= LDrain;
          run_q[l]    <= 1'b0;
          still_q[l]  <= 1'b0;
          reason_q[l] <= vhp_pkg::StopAdmin;
        end
        // Still at two visits in a row: no stage was between two of its states.
        LDrain: if (turn) begin
          still_q[l]  <= !stage_busy_i[l];
          second_q[l] <= 1'b0;
          if (still_q[l] && !stage_busy_i[l]) life_q[l] <= LCommit;
        end
        LCommit: if (round_end_q) begin
          second_q[l] <= 1'b1;
          if (second_q[l]) begin
            life_q[l]      <= fault_q[l] ? LHalt : LOff;
            event_set_o[l] <= fault_q[l];
          end
        end
        default: if (!enable_i[l]) life_q[l] <= LOff;   // LHalt
      endcase
      for (int unsigned s = 0; s < 2; s++) begin
        if (stop_i[s].valid && stop_i[s].lane == vhp_pkg::lane_t'(l) && (s == 1 || run_q[l])) begin
          life_q[l]   <= LDrain;
          run_q[l]    <= 1'b0;
          still_q[l]  <= 1'b0;
          fault_q[l]  <= 1'b1;
          reason_q[l] <= stop_i[s].reason;
          sink_q[l]   <= stop_i[s].sink;
          at_q[l]     <= stop_i[s].pos[14:0];
        end
      end
    end
    if (rst_i) begin
      for (int unsigned l = 0; l < N; l++) begin
        life_q[l]   <= LOff;
        reason_q[l] <= vhp_pkg::StopAdmin;
      end
      run_q        <= '0;
      fault_q      <= '0;
      sink_q       <= '0;
      at_q         <= '0;
      scan_q       <= '0;
      init_q       <= 1'b0;
      init_o.valid <= 1'b0;
      event_set_o  <= '0;
    end
  end

  always_comb begin
    work_o = init_q || init_o.valid;
    for (int unsigned l = 0; l < N; l++) begin
      busy_o[l] = life_q[l] != LOff && life_q[l] != LHalt;
      if (life_q[l] == LInit || life_q[l] == LDrain || life_q[l] == LCommit || (life_q[l] == LOff && enable_i[l])
          || (life_q[l] == LRun && !enable_i[l]) || (life_q[l] == LHalt && !enable_i[l])) work_o = 1'b1;
    end
  end

endmodule
