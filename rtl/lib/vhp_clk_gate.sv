// SPDX-License-Identifier: Apache-2.0
//
// Clock of a block that may rest.
//
// Purpose     A Verilated card spends its time on blocks that have nothing to do. Where the simulator reads this file
//             (VERILATOR) the clock stops while the block is at rest; hardware gets the clock unchanged. Both behave alike
//             as long as `idle_i` keeps its promise: with `wake_i` low, every later cycle of the block is like this one.
//             The same promise lets vhp-sim stop the whole card (card_idle_o).
// Ports       clk_i    free-running clock
//             idle_i   the block is at rest
//             wake_i   an input of the block asks for something, in the cycle in which it does
//             clk_o    clock of the block; runs in a cycle of wake_i and for Linger cycles after it or after idle_i fell
// Parameters  Linger   cycles that it runs on, 1..255: what an input sets off must show in idle_i by then

module vhp_clk_gate #(
  parameter int unsigned Linger = 32
) (
  input  logic clk_i,
  input  logic idle_i,
  input  logic wake_i,
  output logic clk_o
);

`ifdef VERILATOR
  logic [7:0] left_q;
  logic       open;
  always_ff @(posedge clk_i) begin
    if (wake_i || !idle_i)    left_q <= 8'(Linger);
    else if (left_q != 8'd0)  left_q <= left_q - 8'd1;
  end
  // The clock is only switched while it is low.
  always_latch if (!clk_i) open = wake_i || !idle_i || left_q != 8'd0;
  assign clk_o = clk_i && open;
`else
  wire unused  = idle_i ^ wake_i;
  assign clk_o = clk_i;
`endif

  if (Linger < 1 || Linger > 255) begin : g_check
    $error("vhp_clk_gate: Linger is 1 to 255");
  end

endmodule
