// SPDX-License-Identifier: Apache-2.0
//
// vhp_stream_fifo: nothing lost, doubled or reordered; never more in it than Depth; a waiting beat stands still.
// RTL rtl/lib/vhp_stream_fifo.sv
module f_stream_fifo (
  input logic       clk_i,
  input logic       rst_i,
  input logic       in_valid_i,
  input logic [3:0] in_data_i,
  input logic       out_ready_i
);
  localparam int unsigned Depth = 4;
  logic       in_ready, out_valid;
  logic [3:0] out_data;
  logic [2:0] level;
  vhp_stream_fifo #(.Width(4), .Depth(Depth)) u_dut (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o(in_ready), .in_data_i,
    .out_valid_o(out_valid), .out_ready_i, .out_data_o(out_data), .level_o(level)
  );

  // A model: the beats in order, oldest in place 0.
  logic [Depth-1:0][3:0] model_q;
  logic [2:0]            count_q;
  wire push = in_valid_i && in_ready;
  wire pop  = out_valid && out_ready_i;
  always_ff @(posedge clk_i) begin
    if (rst_i) count_q <= '0;
    else begin
      if (pop) model_q <= model_q >> 4;
      if (push) model_q[2'(count_q - 3'(pop))] <= in_data_i;
      count_q <= count_q + 3'(push) - 3'(pop);
    end
  end
  always_comb begin
    if (!rst_i) begin
      assert (level == count_q);
      assert (in_ready == (count_q != 3'(Depth)));
      assert (out_valid == (count_q != 0));
      assert (count_q == 0 || out_data == model_q[0]);
      // What makes the above inductive: pointers and memory against the model.
      assert (count_q <= 3'(Depth) && u_dut.level_q == count_q);
      assert (u_dut.wr_ptr_q == u_dut.rd_ptr_q + 2'(count_q));
      for (int unsigned i = 0; i < Depth; i++)
        assert (3'(i) >= count_q || u_dut.mem[u_dut.rd_ptr_q + 2'(i)] == model_q[i]);
    end
  end
endmodule
