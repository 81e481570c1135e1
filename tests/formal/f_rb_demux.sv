// SPDX-License-Identifier: Apache-2.0
//
// vhp_rb_demux: every request gets one answer, from the target that was selected when it was decoded (an error if there is
// none), and no target sees another one's request. Targets take and answer whenever they like.
// RTL rtl/lib/vhp_pkg.sv rtl/lib/vhp_rb_demux.sv
module f_rb_demux (
  input logic             clk_i,
  input logic             rst_i,
  input logic             req_valid_i,
  input vhp_pkg::rb_req_t req_i,
  input logic [1:0]       sel_i,
  input logic [2:0]       t_ready_i,
  input logic [2:0]       t_rsp_valid_i,
  input vhp_pkg::rb_rsp_t [2:0] t_rsp_i
);
  logic             ready, rsp_valid, idle;
  vhp_pkg::rb_rsp_t rsp;
  vhp_pkg::rb_req_t t_req;
  logic [2:0]       t_valid;
  vhp_rb_demux #(.Targets(3)) u_dut (
    .clk_i, .rst_i, .req_valid_i, .req_ready_o(ready), .req_i, .rsp_valid_o(rsp_valid), .rsp_o(rsp), .sel_i,
    .t_req_o(t_req), .t_req_valid_o(t_valid), .t_req_ready_i(t_ready_i), .t_rsp_valid_i, .t_rsp_i, .idle_o(idle)
  );

  // What is open: a request of the master (open_q), taken by a target (taken_q).
  logic             open_q, taken_q, none_q, answered_q;
  logic [1:0]       sel_q;
  vhp_pkg::rb_req_t req_q;
  vhp_pkg::rb_rsp_t answer_q;
  wire accept = req_valid_i && ready;
  wire decode = u_dut.state_q == 2'd1;
  logic taken_now, answers_now;
  always_comb begin
    taken_now   = 1'b0;
    answers_now = 1'b0;
    for (int unsigned t = 0; t < 3; t++) begin
      if (t_valid[t] && t_ready_i[t]) taken_now = 1'b1;
      // A target answers only what it took, then or later.
      if (t_rsp_valid_i[t]) assume (2'(t) == sel_q && !none_q && !answered_q && (taken_q || (t_valid[t] && t_ready_i[t])));
      if (t_rsp_valid_i[t]) answers_now = 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (accept) begin
      open_q <= 1'b1;
      req_q  <= req_i;
    end
    if (decode) begin
      sel_q  <= sel_i;
      none_q <= sel_i == 2'd3;
    end
    if (taken_now) taken_q <= 1'b1;
    answered_q <= answers_now || (decode && sel_i == 2'd3);
    answer_q   <= answers_now ? t_rsp_i[sel_q] : {1'b1, 32'd0};
    if (rsp_valid || rst_i) begin
      open_q  <= accept && !rst_i;
      taken_q <= 1'b0;
    end
    if (rst_i) answered_q <= 1'b0;
  end
  always_comb begin
    if (!rst_i) begin
      assert (rsp_valid == answered_q);
      assert (!rsp_valid || (open_q && rsp == answer_q));
      assert (t_valid == '0 || (open_q && !taken_q && !none_q && t_valid == 3'd1 << sel_q && t_req == req_q));
      assert (!accept || !open_q || rsp_valid);
      assert (!idle || (!open_q && !rsp_valid));
      // The states against what is open.
      assert (!taken_q || open_q);
      assert (!answered_q || open_q);
      assert (ready == (!open_q || answered_q));
      assert (ready || u_dut.req_q == req_q);
      assert (u_dut.state_q != 2'd1 || !taken_q);
      assert (u_dut.state_q != 2'd2 || (!taken_q && !none_q && u_dut.sel_q == sel_q && sel_q != 2'd3));
      assert (u_dut.state_q != 2'd3 || (taken_q && !none_q && u_dut.sel_q == sel_q && sel_q != 2'd3));
      assert (!answered_q || u_dut.state_q == 2'd0);
      assert (!open_q || answered_q || u_dut.state_q != 2'd0);
    end
  end
endmodule
