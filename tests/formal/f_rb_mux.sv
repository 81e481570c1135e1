// SPDX-License-Identifier: Apache-2.0
//
// vhp_rb_mux: each master that asks gets one answer, its own; the target sees the requests whole and one at a time.
// RTL rtl/lib/vhp_pkg.sv rtl/lib/vhp_rb_mux.sv
module f_rb_mux (
  input logic                   clk_i,
  input logic                   rst_i,
  input logic [1:0]             valid_i,
  input vhp_pkg::rb_req_t [1:0] req_i,
  input logic                   t_ready_i,
  input logic                   t_rsp_valid_i
);
  logic [1:0]       ready, rsp_valid;
  logic             t_valid;
  vhp_pkg::rb_req_t t_req;
  vhp_rb_mux u_dut (
    .clk_i, .rst_i, .m_req_valid_i(valid_i), .m_req_ready_o(ready), .m_req_i(req_i), .m_rsp_valid_o(rsp_valid),
    .t_req_valid_o(t_valid), .t_req_ready_i(t_ready_i), .t_req_o(t_req), .t_rsp_valid_i
  );

  logic [1:0]             open_q, waits_q;   // taken and not answered; offered and not taken
  vhp_pkg::rb_req_t [1:0] held_q;
  wire taken = t_valid && t_ready_i;
  always_ff @(posedge clk_i) begin
    for (int unsigned m = 0; m < 2; m++) begin
      open_q[m]  <= !rst_i && (open_q[m] || (valid_i[m] && ready[m])) && !rsp_valid[m];
      waits_q[m] <= !rst_i && valid_i[m] && !ready[m];
    end
    held_q <= req_i;
  end
  always_comb begin
    for (int unsigned m = 0; m < 2; m++) begin
      // A master keeps its request until it is taken and has one outstanding.
      if (waits_q[m]) assume (valid_i[m] && req_i[m] == held_q[m]);
      if (open_q[m]) assume (!valid_i[m]);
    end
    // The target answers what it took, once.
    if (t_rsp_valid_i) assume (taken || open_q != '0);
    if (!rst_i) begin
      assert (open_q != 2'b11);
      assert (ready != 2'b11);
      assert (taken == (ready != '0));
      for (int unsigned m = 0; m < 2; m++) begin
        assert (!ready[m] || (valid_i[m] && t_req == req_i[m] && open_q == '0));
        assert (!rsp_valid[m] || open_q[m] || ready[m]);
      end
      assert (!t_rsp_valid_i || rsp_valid == (open_q | ready));
      assert (u_dut.state_q != 2'd1 || (waits_q[u_dut.master_q] && open_q == '0));
      assert (u_dut.state_q != 2'd0 || open_q == '0);
      assert (u_dut.state_q < 2'd2 || open_q == 2'd1 << u_dut.master_q);
      assert (u_dut.state_q != 2'd3);
    end
  end
endmodule
