// SPDX-License-Identifier: Apache-2.0
//
// Free list of the numbers Base .. Base + Count - 1.
//
// Handshake   id_o may be taken (take_i) whenever valid_o is 1; put_valid_i gives a number back, at any time.
// Latency     A number that was put can be taken 2 cycles later at the earliest; one take per cycle.
// Parameters  Base, Count  Base + Count <= 256
// Reset       Synchronous; every number is free.

module vhp_free_list #(
  parameter int unsigned Base  = 0,
  parameter int unsigned Count = 256
) (
  input  logic       clk_i,
  input  logic       rst_i,
  output logic       valid_o,
  output logic [7:0] id_o,
  input  logic       take_i,
  input  logic       put_valid_i,
  input  logic [7:0] put_id_i,
  output logic       all_free_o
);

  initial begin
    if (Count < 2 || Base + Count > 256) $fatal(1, "vhp_free_list: Base %0d Count %0d (%m)", Base, Count);
  end

  // Numbers never taken so far come from a counter, so that the memory needs no filling.
  logic [8:0] fresh_q;
  logic [7:0] mem [256];
  logic [7:0] wr_q, rd_q;
  logic [8:0] out_q;             // numbers taken
  logic       valid_q;
  logic [7:0] id_q;

  wire fresh = fresh_q != 9'(Base + Count);
  wire stock = wr_q != rd_q;     // never full: at most 255 are in it while one is in id_q
  wire load  = (take_i || !valid_q) && (fresh || stock);

  assign valid_o    = valid_q;
  assign id_o       = id_q;
  assign all_free_o = out_q == 9'd0;

  always_ff @(posedge clk_i) begin
    if (put_valid_i) mem[wr_q] <= put_id_i;
    if (load) id_q <= fresh ? fresh_q[7:0] : mem[rd_q];
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      fresh_q <= 9'(Base);
      wr_q    <= '0;
      rd_q    <= '0;
      out_q   <= '0;
      valid_q <= 1'b0;
    end else begin
      if (put_valid_i) wr_q <= wr_q + 1'b1;
      if (load) valid_q <= 1'b1;
      else if (take_i) valid_q <= 1'b0;
      if (load && fresh) fresh_q <= fresh_q + 1'b1;
      if (load && !fresh) rd_q <= rd_q + 1'b1;
      out_q <= out_q + 9'(take_i) - 9'(put_valid_i);
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!take_i || valid_q) else $error("taken from an empty list (%m)");
      assert (!put_valid_i || out_q != 9'd0) else $error("more put than taken (%m)");
    end
  end
`endif

endmodule
