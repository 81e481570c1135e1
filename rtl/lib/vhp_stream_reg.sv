// SPDX-License-Identifier: Apache-2.0
//
// Register slice: cuts valid, ready and data of a stream; 1 beat per cycle, 1 cycle latency.
//
// Handshake   valid/ready on both sides; both in_ready_o and out_* are registers. A waiting beat does not change.
// Parameters  Width  bits per beat, >= 1
// Reset       Synchronous; drops what is inside.

module vhp_stream_reg #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i,

  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o
);

  // The second place takes the beat that arrives in the cycle in which ready falls.
  logic             valid_q, spare_valid_q;
  logic [Width-1:0] data_q, spare_q;

  assign in_ready_o  = !spare_valid_q;
  assign out_valid_o = valid_q;
  assign out_data_o  = data_q;

  wire free = out_ready_i || !valid_q;

  always_ff @(posedge clk_i) begin
    if (!spare_valid_q) spare_q <= in_data_i;
    if (free) data_q <= spare_valid_q ? spare_q : in_data_i;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q       <= 1'b0;
      spare_valid_q <= 1'b0;
    end else if (free) begin
      valid_q       <= spare_valid_q || in_valid_i;
      spare_valid_q <= 1'b0;
    end else begin
      spare_valid_q <= spare_valid_q || in_valid_i;
    end
  end

endmodule
