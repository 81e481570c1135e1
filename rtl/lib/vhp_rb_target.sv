// SPDX-License-Identifier: Apache-2.0
//
// Register bus towards a block of plain registers.
//
// Purpose     Holds a request for the one cycle in which it is carried out, and answers in the next. No address is an error.
// Handshake   Register bus of vhp_pkg. access_o: the other outputs hold a request; rdata_i is what addr_o reads in this cycle.
// Latency     2 cycles per access.
// Reset       Synchronous; drops the access in progress.

module vhp_rb_target (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  output logic             access_o,
  output logic             write_o,
  output logic [11:0]      addr_o,     // offset in the block's 4 KiB
  output logic [3:0]       be_o,
  output logic [31:0]      wdata_o,
  input  logic [31:0]      rdata_i,
  output logic             idle_o
);

  logic             busy_q, rsp_valid_q;
  vhp_pkg::rb_req_t req_q;
  logic [31:0]      rdata_q;

  always_ff @(posedge clk_i) begin
    busy_q      <= !rst_i && rb_req_valid_i && rb_req_ready_o;
    rsp_valid_q <= !rst_i && busy_q;
    req_q       <= rb_req_i;
    rdata_q     <= req_q.write ? '0 : rdata_i;
  end

  assign rb_req_ready_o = !busy_q && !rsp_valid_q;
  assign rb_rsp_valid_o = rsp_valid_q;
  assign rb_rsp_o       = '{err: 1'b0, rdata: rdata_q};
  assign access_o       = busy_q;
  assign write_o        = req_q.write;
  assign addr_o         = req_q.addr[11:0];
  assign be_o           = req_q.be;
  assign wdata_o        = req_q.wdata;
  assign idle_o         = !busy_q && !rsp_valid_q;

  wire unused = &{1'b0, req_q};

endmodule
