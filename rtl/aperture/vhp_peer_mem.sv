// SPDX-License-Identifier: Apache-2.0
//
// What reaches the peer's memory beside the lanes, and what keeps book of what is written there.
//
// Purpose     Connects the apertures (vhp_aperture) and the dirty page log (vhp_dirty_log), and decodes the firmware's
//             accesses to them. Aperture writes share the stream of the notifications, aperture reads the read client of
//             the SoC: both pass through here. The log watches the streams of the lanes and of the notifications.
// Handshake   rb: register bus of the firmware, offset from 0x4006_0000 in addr[15:0]. ap_*: see vhp_pcie. ntf_*, soc_rd_*:
//             valid/ready, in from vhp_control, out to vhp_pcie, without a cycle of delay.
// Latency     Register access 2 to 3 cycles.
// Reset       Synchronous.

module vhp_peer_mem (
  input  logic                  clk_i,
  input  logic                  rst_i,

  input  logic                  rb_req_valid_i,
  output logic                  rb_req_ready_o,
  input  vhp_pkg::rb_req_t      rb_req_i,
  output logic                  rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t      rb_rsp_o,

  input  logic                  ap_req_valid_i,
  output logic                  ap_req_ready_o,
  input  vhp_pkg::ap_req_t      ap_req_i,
  input  logic                  ap_beat_valid_i,
  output logic                  ap_beat_ready_o,
  input  vhp_pkg::ap_beat_t     ap_beat_i,
  output logic                  ap_done_valid_o,
  output vhp_pkg::dma_status_e  ap_done_o,
  output logic                  ap_refused_o,
  output logic [vhp_pkg::NumFn-1:0] ap_fn_busy_o,

  // Reads: the SoC's and the apertures' to one client.
  input  logic                  soc_rd_valid_i,
  output logic                  soc_rd_ready_o,
  input  vhp_pkg::dma_rd_req_t  soc_rd_i,
  output logic                  rd_valid_o,
  input  logic                  rd_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_o,
  input  logic                  rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t rd_done_i,

  // Writes: the notifications' and the apertures' to one stream; the lanes' are watched.
  input  logic                  ntf_wr_valid_i,
  output logic                  ntf_wr_ready_o,
  input  vhp_pkg::dma_wr_req_t  ntf_wr_i,
  output logic                  wr_valid_o,
  input  logic                  wr_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_o,
  input  logic                  wr_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t wr_cmpl_i,
  input  logic                  lane_taken_i,
  input  vhp_pkg::dma_wr_req_t  lane_wr_i,
  input  logic                  lane_cmpl_i,

  output logic                  log_wr_valid_o,
  input  logic                  log_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  log_wr_o,
  input  logic                  log_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t log_cmpl_i,

  output logic                  idle_o
);

  // ---------------------------------------------------------------- registers
  localparam logic [3:0] AperturePage = 4'h0, LogPage = 4'h8;   // addr[15:12]

  logic             is_log, is_ap, log_ready, log_rsp_valid, ap_ready, ap_rsp_valid, none_q;
  vhp_pkg::rb_rsp_t log_rsp, ap_rsp;
  assign is_log = rb_req_i.addr[15:12] == LogPage;
  assign is_ap  = rb_req_i.addr[15:12] == AperturePage;

  always_ff @(posedge clk_i) none_q <= rb_req_valid_i && !is_log && !is_ap && !rst_i;
  assign rb_req_ready_o = is_log ? log_ready : is_ap ? ap_ready : 1'b1;
  assign rb_rsp_valid_o = log_rsp_valid || ap_rsp_valid || none_q;
  assign rb_rsp_o       = none_q ? {1'b1, 32'd0} : log_rsp_valid ? log_rsp : ap_rsp;

  // ---------------------------------------------------------------- shared streams
  logic                 ap_wr_valid, ap_rd_valid, wr_taken, cmpl_own, own_ready;
  vhp_pkg::dma_wr_req_t ap_wr;
  vhp_pkg::dma_rd_req_t ap_rd;
  assign wr_valid_o     = ap_wr_valid || ntf_wr_valid_i;
  assign wr_o           = ap_wr_valid ? ap_wr : ntf_wr_i;
  assign ntf_wr_ready_o = wr_ready_i && !ap_wr_valid;
  assign wr_taken       = wr_valid_o && wr_ready_i;

  assign rd_valid_o     = ap_rd_valid || soc_rd_valid_i;
  assign rd_o           = ap_rd_valid ? ap_rd : soc_rd_i;
  assign soc_rd_ready_o = rd_ready_i && !ap_rd_valid;

  // Whose the completions are: 1 the aperture's.
  logic       own_valid;
  wire  [6:0] unused_level;
  vhp_stream_fifo #(.Width(1), .Depth(64)) u_own (
    .clk_i, .rst_i,
    .in_valid_i(wr_taken), .in_ready_o(own_ready), .in_data_i(ap_wr_valid),
    .out_valid_o(own_valid), .out_ready_i(wr_cmpl_valid_i), .out_data_o(cmpl_own), .level_o(unused_level)
  );

  logic ap_idle, log_idle;
  vhp_aperture u_aperture (
    .clk_i, .rst_i,
    .rb_req_valid_i(rb_req_valid_i && is_ap), .rb_req_ready_o(ap_ready), .rb_req_i,
    .rb_rsp_valid_o(ap_rsp_valid), .rb_rsp_o(ap_rsp),
    .req_valid_i(ap_req_valid_i), .req_ready_o(ap_req_ready_o), .req_i(ap_req_i),
    .beat_valid_i(ap_beat_valid_i), .beat_ready_o(ap_beat_ready_o), .beat_i(ap_beat_i),
    .done_valid_o(ap_done_valid_o), .done_o(ap_done_o), .refused_o(ap_refused_o), .fn_busy_o(ap_fn_busy_o),
    .wr_valid_o(ap_wr_valid), .wr_ready_i, .wr_o(ap_wr),
    .cmpl_valid_i(wr_cmpl_valid_i && cmpl_own), .cmpl_i(wr_cmpl_i),
    .stream_taken_i(wr_taken), .stream_cmpl_i(wr_cmpl_valid_i),
    .rd_valid_o(ap_rd_valid), .rd_ready_i, .rd_o(ap_rd),
    .rd_done_valid_i(rd_done_valid_i && rd_done_i.client == vhp_pkg::RdSoc && rd_done_i.cookie[9]),
    .rd_done_i(rd_done_i.status), .idle_o(ap_idle)
  );

  vhp_dirty_log u_log (
    .clk_i, .rst_i,
    .rb_req_valid_i(rb_req_valid_i && is_log), .rb_req_ready_o(log_ready), .rb_req_i,
    .rb_rsp_valid_o(log_rsp_valid), .rb_rsp_o(log_rsp),
    .wr_taken_i({wr_taken, lane_taken_i}), .wr_i({wr_o, lane_wr_i}), .wr_cmpl_i({wr_cmpl_valid_i, lane_cmpl_i}),
    .log_valid_o(log_wr_valid_o), .log_ready_i(log_wr_ready_i), .log_o(log_wr_o),
    .log_cmpl_valid_i, .log_cmpl_i, .idle_o(log_idle)
  );

  assign idle_o = ap_idle && log_idle && !none_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!wr_taken || own_ready) else $error("more commands under way than can be counted (%m)");
      assert (!wr_cmpl_valid_i || own_valid) else $error("completion of no command (%m)");
    end
  end
`endif
  wire unused = &{1'b0, rb_req_i, own_ready, own_valid, rd_done_i};

endmodule
