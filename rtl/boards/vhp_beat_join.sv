// SPDX-License-Identifier: Apache-2.0
//
// Two 256-bit beats of a packet become one 512-bit beat; a packet starts in the lower half.
//
// Handshake   valid/ready on both sides; in_ready_o and out_* are registers. out_first_o: first beat of a packet;
//             out_upper_o: the upper half holds a beat (else its keep bits and its side band are 0).
// Latency     2 cycles behind the beat that completes the wide one; takes a beat per cycle.
// Parameters  SideW  side band bits of a narrow beat, >= 1; the wide beat has those of both halves
// Reset       Synchronous; drops what is inside.

module vhp_beat_join #(
  parameter int unsigned SideW = 1
) (
  input  logic                  clk_i,
  input  logic                  rst_i,

  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  input  logic [255:0]          in_data_i,
  input  logic [7:0]            in_keep_i,
  input  logic                  in_last_i,
  input  logic [SideW-1:0]      in_side_i,

  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  output logic [511:0]          out_data_o,
  output logic [15:0]           out_keep_o,
  output logic                  out_last_o,
  output logic                  out_first_o,
  output logic                  out_upper_o,
  output logic [1:0][SideW-1:0] out_side_o
);

  logic             valid, ready, last;
  logic [255:0]     data;
  logic [7:0]       keep;
  logic [SideW-1:0] side;
  vhp_stream_reg #(.Width(1 + 256 + 8 + SideW)) u_in (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o, .in_data_i({in_last_i, in_data_i, in_keep_i, in_side_i}),
    .out_valid_o(valid), .out_ready_i(ready), .out_data_o({last, data, keep, side})
  );

  logic             half_q;     // the lower half waits for the upper one
  logic             first_q;    // the next wide beat starts a packet
  logic [255:0]     data_q;
  logic [7:0]       keep_q;
  logic [SideW-1:0] side_q;

  wire free = out_ready_i || !out_valid_o;
  wire whole = half_q || last;
  wire make  = valid && whole && free;
  assign ready = !whole || free;

  always_ff @(posedge clk_i) begin
    if (valid && !half_q) begin
      data_q <= data;
      keep_q <= keep;
      side_q <= side;
    end
    if (make) begin
      out_data_o  <= half_q ? {data, data_q} : {256'd0, data};
      out_keep_o  <= half_q ? {keep, keep_q} : {8'd0, keep};
      out_side_o  <= half_q ? {side, side_q} : {{SideW{1'b0}}, side};
      out_last_o  <= last;
      out_first_o <= first_q;
      out_upper_o <= half_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      half_q      <= 1'b0;
      first_q     <= 1'b1;
      out_valid_o <= 1'b0;
    end else begin
      if (valid && ready) half_q <= !whole;
      if (make) first_q <= last;
      if (free) out_valid_o <= make;
    end
  end

endmodule
