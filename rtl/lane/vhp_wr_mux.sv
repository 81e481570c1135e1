// SPDX-License-Identifier: Apache-2.0
//
// The lanes' one stream of write commands.
//
// Purpose     Merges the stages' commands in the order in which they are taken, and numbers them, so that a stage can
//             tell when one of its commands has left (vhp_lane_pkg::seq_past).
// Handshake   in_*: valid/ready; seq_o is the number of the command that is taken in this cycle. out_*: from a FIFO.
// Reset       Synchronous.

module vhp_wr_mux #(
  parameter int unsigned N = 4
) (
  input  logic                          clk_i,
  input  logic                          rst_i,
  input  logic                 [N-1:0]  in_valid_i,
  output logic                 [N-1:0]  in_ready_o,
  input  vhp_pkg::dma_wr_req_t [N-1:0]  in_i,
  output vhp_lane_pkg::seq_t            seq_o,
  output vhp_lane_pkg::seq_t            seq_done_o,
  output logic                          out_valid_o,
  input  logic                          out_ready_i,
  output vhp_pkg::dma_wr_req_t          out_o,
  input  logic                          cmpl_valid_i,
  output logic                          work_o
);

  logic                 any, in_ready;
  logic [$clog2(N)-1:0] pick, last_q;
  vhp_lane_pkg::seq_t   issued_q, done_q;

  vhp_rr_pick #(.N(N)) u_pick (.req_i(in_valid_i), .last_i(last_q), .valid_o(any), .idx_o(pick));

  always_comb begin
    for (int unsigned i = 0; i < N; i++) in_ready_o[i] = any && in_ready && pick == ($clog2(N))'(i);
  end

  vhp_stream_fifo #(.Width($bits(vhp_pkg::dma_wr_req_t)), .Depth(4)) u_out (
    .clk_i, .rst_i,
    .in_valid_i  (any),
    .in_ready_o  (in_ready),
    .in_data_i   (in_i[pick]),
    .out_valid_o (out_valid_o),
    .out_ready_i (out_ready_i),
    .out_data_o  (out_o),
    .level_o     ()
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      last_q   <= '0;
      issued_q <= '0;
      done_q   <= '0;
    end else begin
      if (any && in_ready) begin
        last_q   <= pick;
        issued_q <= issued_q + 1'b1;
      end
      if (cmpl_valid_i) done_q <= done_q + 1'b1;
    end
  end

  assign seq_o      = issued_q + 1'b1;
  assign seq_done_o = done_q;
  assign work_o     = issued_q != done_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && cmpl_valid_i) assert (work_o);
  end
`endif

endmodule
