// SPDX-License-Identifier: Apache-2.0
//
// The lanes' one stream of write commands.
//
// Purpose     Merges the stages' commands in turn, each stage's own in order. Every stage has its own numbers, so that it
//             can tell when one of its commands has left (vhp_lane_pkg::seq_past).
// Handshake   in_*: valid/ready, ready from a register, a command every second cycle per stage. seq_o[i] is the number of
//             the command that stage i hands over in this cycle, seq_done_o[i] the newest of its commands that has left.
//             out_*: from a FIFO. cmpl_valid_i: the oldest command of out_* has left, at least two cycles after it was taken.
// Latency     2 cycles.
// Parameters  N      stages, 2..8
//             Lines  stages (bits) whose commands may carry 64 bytes; the others' carry 2
//             Flying commands that may be between out_* and cmpl_valid_i, a power of two
// Reset       Synchronous.

module vhp_wr_mux #(
  parameter int unsigned  N      = 4,
  parameter logic [N-1:0] Lines  = N'(2),
  parameter int unsigned  Flying = 512
) (
  input  logic                             clk_i,
  input  logic                             rst_i,
  input  logic                 [N-1:0]     in_valid_i,
  output logic                 [N-1:0]     in_ready_o,
  input  vhp_pkg::dma_wr_req_t [N-1:0]     in_i,
  output vhp_lane_pkg::seq_t   [N-1:0]     seq_o,
  output vhp_lane_pkg::seq_t   [N-1:0]     seq_done_o,
  output logic                             out_valid_o,
  input  logic                             out_ready_i,
  output vhp_pkg::dma_wr_req_t             out_o,
  input  logic                             cmpl_valid_i,
  output logic                             work_o
);

  localparam int unsigned W = $clog2(N);

  initial begin
    if (N < 2 || N > 8) $fatal(1, "vhp_wr_mux: N %0d is not in 2..8 (%m)", N);
  end

  logic                 any, go, out_ready, order_ready, order_valid;
  logic [W-1:0]         pick, last_q, first;
  logic [N-1:0]         valid_q;
  vhp_pkg::dma_wr_req_t [N-1:0] cmd_q;
  vhp_lane_pkg::seq_t   [N-1:0] next_q, done_q;
  logic [$clog2(Flying):0] flying;

  // ---------------------------------------------------------------- a place per stage
  assign in_ready_o = ~valid_q;
  for (genvar i = 0; i < N; i++) begin : g_in
    logic push;
    assign push = in_valid_i[i] && !valid_q[i];
    always_ff @(posedge clk_i) begin
      if (push) begin
        cmd_q[i]  <= in_i[i];
        next_q[i] <= next_q[i] + 1'b1;
        if (!Lines[i]) cmd_q[i].imm <= 512'(in_i[i].imm[15:0]);
      end
      valid_q[i] <= push || (valid_q[i] && !(go && pick == W'(i)));
      if (cmpl_valid_i && first == W'(i)) done_q[i] <= done_q[i] + 1'b1;
      if (rst_i) begin
        valid_q[i] <= 1'b0;
        next_q[i]  <= vhp_lane_pkg::seq_t'(1);
        done_q[i]  <= '0;
      end
    end
  end

  assign seq_o      = next_q;
  assign seq_done_o = done_q;

  // ---------------------------------------------------------------- in turn
  vhp_rr_pick #(.N(N)) u_pick (.req_i(valid_q), .last_i(last_q), .valid_o(any), .idx_o(pick));
  assign go = any && out_ready && order_ready;

  vhp_stream_fifo #(.Width($bits(vhp_pkg::dma_wr_req_t)), .Depth(4)) u_out (
    .clk_i, .rst_i,
    .in_valid_i  (any && order_ready),
    .in_ready_o  (out_ready),
    .in_data_i   (cmd_q[pick]),
    .out_valid_o (out_valid_o),
    .out_ready_i (out_ready_i),
    .out_data_o  (out_o),
    .level_o     ()
  );

  // Whose commands are on their way, oldest first.
  vhp_stream_fifo #(.Width(W), .Depth(Flying)) u_order (
    .clk_i, .rst_i,
    .in_valid_i  (any && out_ready),
    .in_ready_o  (order_ready),
    .in_data_i   (pick),
    .out_valid_o (order_valid),
    .out_ready_i (cmpl_valid_i),
    .out_data_o  (first),
    .level_o     (flying)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i)   last_q <= '0;
    else if (go) last_q <= pick;
  end

  assign work_o = |valid_q || flying != '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && cmpl_valid_i) assert (order_valid);
  end
`endif

endmodule
