// SPDX-License-Identifier: Apache-2.0
//
// vhp_rb_demux: every request gets one answer, from the target that was selected when it was decoded (an error if there is
// none), and no target sees another one's request. Targets take and answer whenever they like, or never: then the answer is an
// error, late tells of the target, and it gets no request before it has answered the one that it took.
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
  logic             late_valid;
  logic [1:0]       late;
  vhp_rb_demux #(.Targets(3)) u_dut (
    .clk_i, .rst_i, .req_valid_i, .req_ready_o(ready), .req_i, .rsp_valid_o(rsp_valid), .rsp_o(rsp), .sel_i,
    .t_req_o(t_req), .t_req_valid_o(t_valid), .t_req_ready_i(t_ready_i), .t_rsp_valid_i, .t_rsp_i,
    .late_valid_o(late_valid), .late_o(late), .idle_o(idle)
  );

  // What is open: a request of the master (open_q), taken by a target (taken_q); who owes the answer of one given up (owes_q).
  logic             open_q, taken_q, none_q, answered_q;
  logic [2:0]       owes_q, own;
  logic             over_q;                // of the cycle before
  logic             owed_q;                // the target owed when the request was decoded
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
      own[t] = 2'(t) == sel_q && !none_q && !answered_q && !owes_q[t] && (taken_q || (t_valid[t] && t_ready_i[t]));
      assume (!t_rsp_valid_i[t] || own[t] || owes_q[t]);
      if (t_rsp_valid_i[t] && own[t] && !late_valid) answers_now = 1'b1;
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
      owed_q <= 1'(owes_q >> sel_i);
    end
    if (taken_now) taken_q <= 1'b1;
    for (int unsigned t = 0; t < 3; t++) begin
      if (t_rsp_valid_i[t]) owes_q[t] <= 1'b0;
      else if (late_valid && taken_q && sel_q == 2'(t)) owes_q[t] <= 1'b1;
    end
    over_q <= u_dut.over;
    answered_q <= answers_now || (decode && sel_i == 2'd3);
    answer_q   <= answers_now ? t_rsp_i[sel_q] : {1'b1, 32'd0};
    if (rsp_valid || rst_i) begin
      open_q  <= accept && !rst_i;
      taken_q <= 1'b0;
    end
    if (rst_i) begin
      answered_q <= 1'b0;
      owes_q     <= '0;
    end
  end
  always_comb begin
    if (!rst_i) begin
      assert (rsp_valid == (answered_q || late_valid));
      assert (!rsp_valid || (open_q && rsp == (late_valid ? {1'b1, 32'd0} : answer_q)));
      assert (!late_valid || (!answered_q && !none_q && late == sel_q && (over_q || owed_q)));
      assert (t_valid == '0 || (open_q && !taken_q && !none_q && t_valid == 3'd1 << sel_q && t_req == req_q &&
                                (t_valid & owes_q) == '0));
      assert (!accept || !open_q || rsp_valid);
      assert (!idle || (!open_q && !rsp_valid));
      // The states against what is open.
      assert (!taken_q || open_q);
      assert (!answered_q || open_q);
      assert (ready == (!open_q || answered_q || late_valid));
      assert (u_dut.owes_q == (owes_q | (late_valid && taken_q ? 3'd1 << sel_q : 3'd0)));
      assert (ready || u_dut.req_q == req_q);
      assert (u_dut.state_q != 2'd1 || !taken_q);
      assert (u_dut.state_q != 2'd2 || (!taken_q && !none_q && u_dut.sel_q == sel_q && sel_q != 2'd3));
      assert (u_dut.state_q != 2'd3 || (!owes_q[sel_q] && taken_q && !none_q && u_dut.sel_q == sel_q && sel_q != 2'd3));
      assert (!answered_q || u_dut.state_q == 2'd0);
      assert (!late_valid || u_dut.state_q == 2'd0);
      assert (u_dut.state_q < 2'd2 || (u_dut.at_q == (owed_q ? 3'd0 : 3'd1 << sel_q) && u_dut.refuse_q == owed_q));
      assert (u_dut.valid_q == (u_dut.state_q == 2'd2 ? u_dut.at_q : 3'd0));
      assert (!owed_q || u_dut.state_q != 2'd3);
      assert (!open_q || answered_q || late_valid || u_dut.state_q != 2'd0);
    end
  end
endmodule
