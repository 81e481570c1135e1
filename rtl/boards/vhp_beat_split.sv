// SPDX-License-Identifier: Apache-2.0
//
// A 512-bit beat becomes one or two 256-bit beats: one if its upper half is empty, which only a packet's last beat is.
//
// Handshake   valid/ready on both sides; in_ready_o and out_* are registers.
// Latency     2 cycles; gives a beat per cycle.
// Parameters  SideW  side band bits, >= 1, the same for both halves
// Reset       Synchronous; drops what is inside.

module vhp_beat_split #(
  parameter int unsigned SideW = 1
) (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [511:0]     in_data_i,
  input  logic [15:0]      in_keep_i,
  input  logic             in_last_i,
  input  logic [SideW-1:0] in_side_i,

  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [255:0]     out_data_o,
  output logic [7:0]       out_keep_o,
  output logic             out_last_o,
  output logic [SideW-1:0] out_side_o
);

  logic             valid, ready, last, give;
  logic [511:0]     data;
  logic [15:0]      keep;
  logic [SideW-1:0] side;
  vhp_stream_reg #(.Width(1 + 512 + 16 + SideW)) u_in (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i({in_last_i, in_data_i, in_keep_i, in_side_i}),
    .out_valid_o(valid), .out_ready_i(ready), .out_data_o({last, data, keep, side})
  );

  logic upper_q;   // the lower half is gone
  wire  end_of_beat = upper_q || !keep[8];
  assign ready = give && end_of_beat;

  always_ff @(posedge clk_i) begin
    if (rst_i) upper_q <= 1'b0;
    else if (valid && give) upper_q <= !end_of_beat;
  end

  vhp_stream_reg #(.Width(1 + 256 + 8 + SideW)) u_out (
    .clk_i, .rst_i, .in_valid_i(valid), .in_ready_o(give),
    .in_data_i({last && end_of_beat, upper_q ? data[511:256] : data[255:0], upper_q ? keep[15:8] : keep[7:0], side}),
    .out_valid_o, .out_ready_i, .out_data_o({out_last_o, out_data_o, out_keep_o, out_side_o})
  );

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && valid) assert (last || keep == 16'hffff) else $error("a hole inside a packet (%m)");
  end
`endif

endmodule
