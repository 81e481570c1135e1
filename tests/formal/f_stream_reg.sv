// SPDX-License-Identifier: Apache-2.0
//
// vhp_stream_reg: nothing lost, doubled or reordered; a waiting beat stands still; never more than two in it.
// RTL rtl/lib/vhp_stream_reg.sv
module f_stream_reg (
  input logic       clk_i,
  input logic       rst_i,
  input logic       in_valid_i,
  input logic [3:0] in_data_i,
  input logic       out_ready_i
);
  logic       in_ready, out_valid;
  logic [3:0] out_data;
  vhp_stream_reg #(.Width(4)) u_dut (
    .clk_i, .rst_i, .in_valid_i, .in_ready_o(in_ready), .in_data_i, .out_valid_o(out_valid), .out_ready_i,
    .out_data_o(out_data)
  );

  // A model: the beats in order, oldest in place 0.
  logic [1:0][3:0] model_q;
  logic [1:0]      count_q;
  logic            waits_q;
  logic [3:0]      waiting_q;
  wire push = in_valid_i && in_ready;
  wire pop  = out_valid && out_ready_i;
  always_ff @(posedge clk_i) begin
    waits_q   <= out_valid && !out_ready_i && !rst_i;
    waiting_q <= out_data;
    if (rst_i) begin
      count_q <= '0;
    end else begin
      if (pop) model_q[0] <= model_q[1];
      if (push) model_q[1'(count_q - 2'(pop))] <= in_data_i;
      count_q <= count_q + 2'(push) - 2'(pop);
    end
  end
  always_comb begin
    if (!rst_i) begin
      assert (count_q <= 2'd2);
      assert (in_ready == (count_q < 2'd2));
      assert (out_valid == (count_q != '0));
      assert (count_q == '0 || out_data == model_q[0]);
      assert (!waits_q || (out_valid && out_data == waiting_q));
      assert (count_q != 2'd2 || u_dut.spare_q == model_q[1]);
    end
  end
endmodule
