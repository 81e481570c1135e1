// SPDX-License-Identifier: Apache-2.0
//
// First-word-fall-through FIFO between two valid/ready streams.
//
// Purpose     Decouples two stages; neither side sees the other's handshake combinationally.
// Handshake   A beat moves on a rising edge with valid && ready. out_valid_o never waits for out_ready_i, and a
//             waiting beat does not change. level_o counts the beats inside.
// Latency     1 cycle from in_* to out_* when empty; 1 beat per cycle.
// Parameters  Width  bits per beat, >= 1
//             Depth  beats, a power of two, 2..1024 (the memory has an asynchronous read: LUT RAM)
// Reset       Synchronous; empties the FIFO. The memory itself is not reset.

module vhp_stream_fifo #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 16
) (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic                   in_valid_i,
  output logic                   in_ready_o,
  input  logic [Width-1:0]       in_data_i,

  output logic                   out_valid_o,
  input  logic                   out_ready_i,
  output logic [Width-1:0]       out_data_o,

  output logic [$clog2(Depth):0] level_o
);

  localparam int unsigned PtrW = $clog2(Depth);

  initial begin
    if (Depth < 2 || Depth > 1024 || (Depth & (Depth - 1)) != 0)
      $fatal(1, "vhp_stream_fifo: Depth %0d is not a power of two in 2..1024 (%m)", Depth);
  end

  logic [Width-1:0] mem [Depth];
  logic [PtrW-1:0]  wr_ptr_q, rd_ptr_q;
  logic [PtrW:0]    level_q;
  logic             full_q, empty_q;

  wire push = in_valid_i && in_ready_o;
  wire pop  = out_valid_o && out_ready_i;

  assign in_ready_o  = !full_q;
  assign out_valid_o = !empty_q;
  assign out_data_o  = mem[rd_ptr_q];
  assign level_o     = level_q;

  always_ff @(posedge clk_i) begin
    if (push) mem[wr_ptr_q] <= in_data_i;
  end

  // full and empty are registers of their own, so that ready and valid leave without logic.
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      wr_ptr_q <= '0;
      rd_ptr_q <= '0;
      level_q  <= '0;
      full_q   <= 1'b0;
      empty_q  <= 1'b1;
    end else begin
      if (push) wr_ptr_q <= wr_ptr_q + 1'b1;
      if (pop)  rd_ptr_q <= rd_ptr_q + 1'b1;
      if (push && !pop) begin
        level_q <= level_q + 1'b1;
        full_q  <= level_q == (PtrW+1)'(Depth - 1);
        empty_q <= 1'b0;
      end else if (pop && !push) begin
        level_q <= level_q - 1'b1;
        full_q  <= 1'b0;
        empty_q <= level_q == (PtrW+1)'(1);
      end
    end
  end

`ifndef SYNTHESIS
  logic             waited_q;
  logic [Width-1:0] data_q;
  always_ff @(posedge clk_i) begin
    waited_q <= !rst_i && out_valid_o && !out_ready_i;
    data_q   <= out_data_o;
    if (!rst_i && waited_q)
      assert (out_valid_o && out_data_o == data_q) else $error("a waiting beat changed (%m)");
  end
`endif

endmodule
