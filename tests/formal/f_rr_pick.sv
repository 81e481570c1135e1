// SPDX-License-Identifier: Apache-2.0
//
// vhp_rr_pick: one of those that ask, the first after the last winner, going round. Five and eight inputs.
// RTL rtl/lib/vhp_rr_pick.sv
module f_rr_pick (
  input logic       clk_i,
  input logic       rst_i,
  input logic [7:0] req_i,
  input logic [2:0] last_i
);
  logic       valid5, valid8;
  logic [2:0] idx5, idx8;
  vhp_rr_pick #(.N(5)) u_five (.req_i(req_i[4:0]), .last_i, .valid_o(valid5), .idx_o(idx5));
  vhp_rr_pick #(.N(8)) u_dut (.req_i, .last_i, .valid_o(valid8), .idx_o(idx8));

  always_comb begin
    assert (valid8 == (req_i != '0));
    assert (!valid8 || req_i[idx8]);
    // Whoever stands between the last and the winner does not ask.
    for (int unsigned d = 1; d <= 8; d++)
      assert (!valid8 || d >= 32'(3'(idx8 - last_i - 3'd1)) + 1 || !req_i[3'(last_i + 3'(d))]);
    if (last_i < 3'd5) begin
      assert (valid5 == (req_i[4:0] != '0));
      assert (!valid5 || (idx5 < 3'd5 && req_i[idx5]));
      for (int unsigned n = 0; n < 5; n++) begin
        // n after the last: nobody after n wins, nor one before or at the last.
        if (valid5 && req_i[n] && 3'(n) > last_i) assert (idx5 > last_i && idx5 <= 3'(n));
        if (valid5 && req_i[n] && (req_i[4:0] >> (last_i + 3'd1)) == '0) assert (idx5 <= 3'(n));
      end
    end
  end
endmodule
