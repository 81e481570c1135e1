// SPDX-License-Identifier: Apache-2.0
//
// What touches the peer's memory beside the lanes, and what keeps book of it.
//
// Purpose     Holds the dirty page log (vhp_dirty_log), which watches the command streams of the lanes and of the
//             notifications, and decodes the firmware's accesses to it.
// Handshake   rb: register bus of the firmware, offset from 0x4006_0000 in addr[15:0]. Streams: taken_i is a command's
//             valid && ready.
// Latency     Register access 2 cycles.
// Reset       Synchronous.

module vhp_peer_mem (
  input  logic                  clk_i,
  input  logic                  rst_i,

  input  logic                  rb_req_valid_i,
  output logic                  rb_req_ready_o,
  input  vhp_pkg::rb_req_t      rb_req_i,
  output logic                  rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t      rb_rsp_o,

  input  logic                  lane_taken_i,
  input  vhp_pkg::dma_wr_req_t  lane_wr_i,
  input  logic                  lane_cmpl_i,
  input  logic                  ntf_taken_i,
  input  vhp_pkg::dma_wr_req_t  ntf_wr_i,
  input  logic                  ntf_cmpl_i,

  output logic                  log_wr_valid_o,
  input  logic                  log_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  log_wr_o,
  input  logic                  log_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t log_cmpl_i,

  output logic                  idle_o
);

  localparam logic [3:0] LogPage = 4'h8;   // addr[15:12]

  logic             is_log, log_rsp_valid, log_ready, none_q;
  vhp_pkg::rb_rsp_t log_rsp;
  assign is_log = rb_req_i.addr[15:12] == LogPage;

  always_ff @(posedge clk_i) none_q <= rb_req_valid_i && !is_log && !rst_i;
  assign rb_req_ready_o = is_log ? log_ready : 1'b1;
  assign rb_rsp_valid_o = log_rsp_valid || none_q;
  assign rb_rsp_o       = none_q ? {1'b1, 32'd0} : log_rsp;

  logic log_idle;
  vhp_dirty_log u_log (
    .clk_i, .rst_i,
    .rb_req_valid_i(rb_req_valid_i && is_log), .rb_req_ready_o(log_ready), .rb_req_i,
    .rb_rsp_valid_o(log_rsp_valid), .rb_rsp_o(log_rsp),
    .wr_taken_i({ntf_taken_i, lane_taken_i}), .wr_i({ntf_wr_i, lane_wr_i}), .wr_cmpl_i({ntf_cmpl_i, lane_cmpl_i}),
    .log_valid_o(log_wr_valid_o), .log_ready_i(log_wr_ready_i), .log_o(log_wr_o),
    .log_cmpl_valid_i, .log_cmpl_i, .idle_o(log_idle)
  );

  assign idle_o = log_idle && !none_q;

endmodule
