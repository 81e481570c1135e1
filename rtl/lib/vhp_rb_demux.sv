// SPDX-License-Identifier: Apache-2.0
//
// One register bus master, several targets.
//
// Purpose     Holds the master's request, offers it to the target that sel_i names and returns its response.
// Handshake   Register bus of vhp_pkg on both sides. The request is registered in t_req_o; sel_i is the parent's
//             decode of t_req_o (combinational, sampled one cycle after the request came). sel_i >= Targets means
//             that nothing is there: the response is an error with data 0.
// Time limit  A target that has not taken the request, or not answered it, after Limit cycles cannot hold the bus: the
//             master gets an error with data 0, late_o tells which target it was. What took a request and still owes the
//             response gets no other one, for it could not be told whose the response is: accesses to it end at once with
//             an error, and count as late, until the response has come; nobody gets that response.
// Latency     3 cycles more than the target's own from request to response.
// Parameters  Targets  1..16
//             Limit    cycles, a power of two, 64..65536; more than any target takes
// Reset       Synchronous; drops the access in progress.

module vhp_rb_demux #(
  parameter int unsigned Targets = 2,
  parameter int unsigned Limit   = 4096
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

  output logic                           late_valid_o,   // pulse: an access ended without its target
  output logic [$clog2(Targets+1)-1:0]   late_o,

  output logic                           idle_o
);

  localparam int unsigned SelW = $clog2(Targets + 1);

  initial begin
    if (Targets < 1 || Targets > 16) $fatal(1, "vhp_rb_demux: Targets %0d is not in 1..16 (%m)", Targets);
    if (Limit < 64 || Limit > 65536 || (Limit & (Limit - 1)) != 0)
      $fatal(1, "vhp_rb_demux: Limit %0d is no power of two in 64..65536 (%m)", Limit);
  end

  typedef enum logic [1:0] {Idle, Decode, Offer, Wait} state_e;
  state_e           state_q;
  logic [SelW-1:0]  sel_q;
  vhp_pkg::rb_req_t req_q;
  vhp_pkg::rb_rsp_t rsp_q;
  logic             rsp_valid_q;

  logic [Targets-1:0]     owes_q;      // took a request that was given up
  logic [Targets-1:0]     at_q;        // the target, one bit; none if it owes
  logic [Targets-1:0]     valid_q;     // the same while the request is offered
  logic                   refuse_q;
  logic [$clog2(Limit):0] time_q;
  wire                    over        = time_q[$clog2(Limit)];
  wire                    t_ready     = (valid_q & t_req_ready_i) != '0;
  wire                    t_rsp_valid = (at_q & t_rsp_valid_i) != '0;

  vhp_pkg::rb_rsp_t   t_rsp;
  logic [Targets-1:0] choice;
  always_comb begin
    t_rsp = '0;
    for (int t = 0; t < Targets; t++) begin
      choice[t] = sel_i == SelW'(t) && !owes_q[t];
      if (at_q[t]) t_rsp |= t_rsp_i[t];
    end
  end
  assign t_req_valid_o = valid_q;

  // An answer in the last moment counts; a request that is taken then waits for its answer one cycle more.
  wire late = (state_q == Offer && (refuse_q || (over && !t_ready))) || (state_q == Wait && over && !t_rsp_valid);

  always_ff @(posedge clk_i) begin
    rsp_valid_q  <= 1'b0;
    late_valid_o <= late && !rst_i;
    late_o       <= sel_q;
    time_q       <= state_q == Decode ? '0 : over ? time_q : time_q + 1'b1;
    unique case (state_q)
      Idle: begin
        req_q <= req_i;
        if (req_valid_i) state_q <= Decode;
      end
      Decode: begin
        sel_q    <= sel_i;
        at_q     <= choice;
        valid_q  <= choice;
        refuse_q <= choice == '0;
        if (32'(sel_i) < Targets) begin
          state_q <= Offer;
        end else begin
          state_q     <= Idle;
          rsp_valid_q <= 1'b1;
          rsp_q       <= '{err: 1'b1, rdata: '0};
        end
      end
      // A target may answer in the cycle in which it takes the request.
      Offer, Wait: begin
        if (t_ready || late) valid_q <= '0;
        if (t_ready) state_q <= Wait;
        if (t_rsp_valid || late) begin
          state_q     <= Idle;
          rsp_valid_q <= 1'b1;
          rsp_q       <= late ? '{err: 1'b1, rdata: '0} : t_rsp;
        end
      end
      default: state_q <= Idle;
    endcase
    for (int t = 0; t < Targets; t++) begin
      if (t_rsp_valid_i[t])                        owes_q[t] <= 1'b0;
      else if (late && state_q == Wait && at_q[t]) owes_q[t] <= 1'b1;
    end
    if (rst_i) begin
      state_q     <= Idle;
      rsp_valid_q <= 1'b0;
      valid_q     <= '0;
      owes_q      <= '0;
    end
  end

  assign req_ready_o = state_q == Idle;
  assign t_req_o     = req_q;
  assign rsp_valid_o = rsp_valid_q;
  assign rsp_o       = rsp_q;
  assign idle_o      = state_q == Idle && !rsp_valid_q && !req_valid_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      for (int t = 0; t < Targets; t++)
        assert (!t_rsp_valid_i[t] || owes_q[t] || (at_q[t] && (state_q == Wait || (state_q == Offer && t_ready))))
          else $fatal(1, "response of target %0d without request (%m)", t);
    end
  end
`endif

endmodule
