// SPDX-License-Identifier: Apache-2.0
//
// One register bus master, several targets.
//
// Purpose     Holds the master's request, offers it to the target that sel_i names and returns its response.
// Handshake   Register bus of vhp_pkg on both sides. The request is registered in t_req_o; sel_i is the parent's
//             decode of t_req_o (combinational, sampled one cycle after the request came). sel_i >= Targets means
//             that nothing is there: the response is an error with data 0.
// Latency     3 cycles more than the target's own from request to response.
// Parameters  Targets  1..16
// Reset       Synchronous; drops the access in progress.

module vhp_rb_demux #(
  parameter int unsigned Targets = 2
) (
  input  logic                           clk_i,
  input  logic                           rst_i,

  input  logic                           req_valid_i,
  output logic                           req_ready_o,
  input  vhp_pkg::rb_req_t               req_i,
  output logic                           rsp_valid_o,
  output vhp_pkg::rb_rsp_t               rsp_o,

  input  logic [$clog2(Targets+1)-1:0]   sel_i,
  output vhp_pkg::rb_req_t               t_req_o,
  output logic [Targets-1:0]             t_req_valid_o,
  input  logic [Targets-1:0]             t_req_ready_i,
  input  logic [Targets-1:0]             t_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t [Targets-1:0] t_rsp_i,

  output logic                           idle_o
);

  localparam int unsigned SelW = $clog2(Targets + 1);

  initial begin
    if (Targets < 1 || Targets > 16) $fatal(1, "vhp_rb_demux: Targets %0d is not in 1..16 (%m)", Targets);
  end

  typedef enum logic [1:0] {Idle, Decode, Offer, Wait} state_e;
  state_e           state_q;
  logic [SelW-1:0]  sel_q;
  vhp_pkg::rb_req_t req_q;
  vhp_pkg::rb_rsp_t rsp_q;
  logic             rsp_valid_q;

  logic             t_ready, t_rsp_valid;
  vhp_pkg::rb_rsp_t t_rsp;
  always_comb begin
    t_ready     = 1'b0;
    t_rsp_valid = 1'b0;
    t_rsp       = '0;
    for (int t = 0; t < Targets; t++) begin
      t_req_valid_o[t] = state_q == Offer && sel_q == SelW'(t);
      if (sel_q == SelW'(t)) begin
        t_ready     = t_req_ready_i[t];
        t_rsp_valid = t_rsp_valid_i[t];
        t_rsp       = t_rsp_i[t];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    rsp_valid_q <= 1'b0;
    unique case (state_q)
      Idle: begin
        req_q <= req_i;
        if (req_valid_i) state_q <= Decode;
      end
      Decode: begin
        sel_q <= sel_i;
        if (32'(sel_i) < Targets) begin
          state_q <= Offer;
        end else begin
          state_q     <= Idle;
          rsp_valid_q <= 1'b1;
          rsp_q.err   <= 1'b1;
          rsp_q.rdata <= '0;
        end
      end
      // A target may answer in the cycle in which it takes the request.
      Offer, Wait: begin
        if (state_q == Offer && t_ready) state_q <= Wait;
        if (t_rsp_valid) begin
          state_q     <= Idle;
          rsp_valid_q <= 1'b1;
          rsp_q       <= t_rsp;
        end
      end
      default: state_q <= Idle;
    endcase
    if (rst_i) begin
      state_q     <= Idle;
      rsp_valid_q <= 1'b0;
    end
  end

  assign req_ready_o = state_q == Idle;
  assign t_req_o     = req_q;
  assign rsp_valid_o = rsp_valid_q;
  assign rsp_o       = rsp_q;
  assign idle_o      = state_q == Idle && !rsp_valid_q && !req_valid_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && t_rsp_valid) begin
      assert (state_q == Wait || (state_q == Offer && t_ready)) else $fatal(1, "response without request (%m)");
    end
  end
`endif

endmodule
