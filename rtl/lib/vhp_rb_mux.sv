// SPDX-License-Identifier: Apache-2.0
//
// Two register bus masters, one target.
//
// Purpose     Passes one master's access at a time; master 1 first when both ask, it asks rarely.
// Handshake   Register bus of vhp_pkg on all sides. A master's request is taken when the target takes it.
// Latency     1 cycle from request to request, none from response to response.
// Reset       Synchronous; the access in progress is forgotten.

module vhp_rb_mux (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic [1:0]             m_req_valid_i,
  output logic [1:0]             m_req_ready_o,
  input  vhp_pkg::rb_req_t [1:0] m_req_i,
  output logic [1:0]             m_rsp_valid_o,

  output logic                   t_req_valid_o,
  input  logic                   t_req_ready_i,
  output vhp_pkg::rb_req_t       t_req_o,
  input  logic                   t_rsp_valid_i    // the response itself goes to both masters
);

  typedef enum logic [1:0] {Idle, Offer, Wait} state_e;
  state_e state_q;
  logic   master_q;

  assign t_req_valid_o = state_q == Offer;
  assign t_req_o       = m_req_i[master_q];
  always_comb begin
    m_req_ready_o           = '0;
    m_rsp_valid_o           = '0;
    m_req_ready_o[master_q] = state_q == Offer && t_req_ready_i;
    m_rsp_valid_o[master_q] = t_rsp_valid_i;
  end

  always_ff @(posedge clk_i) begin
    case (state_q)
      Idle: begin
        master_q <= m_req_valid_i[1];
        if (m_req_valid_i != '0) state_q <= Offer;
      end
      // A target may answer in the cycle in which it takes the request.
      Offer:   if (t_req_ready_i) state_q <= t_rsp_valid_i ? Idle : Wait;
      default: if (t_rsp_valid_i) state_q <= Idle;
    endcase
    if (rst_i) state_q <= Idle;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && t_rsp_valid_i) assert (state_q == Wait || (state_q == Offer && t_req_ready_i));
  end
`endif

endmodule
