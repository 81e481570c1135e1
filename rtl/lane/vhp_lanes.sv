// SPDX-License-Identifier: Apache-2.0
//
// The lanes: packets from source virtqueues to sink virtqueues.

module vhp_lanes (
  input  logic             clk_i,
  input  logic             rst_i,

  // Firmware's registers, addrmap vhp_lane.
  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  // Doorbells: always accepted.
  input  logic             kick_valid_i,
  input  vhp_pkg::qid_t    kick_qid_i,

  // Reads, index = vhp_pkg::rd_client_e: source rings, sink rings, payload.
  output logic                 [2:0] rd_req_valid_o,
  input  logic                 [2:0] rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t [2:0] rd_req_o,
  input  logic                       rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t      rd_done_i,
  input  logic                       ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t       ram_wr_i,

  // Writes, in order: data, used elements, used index, MSI-X.
  output logic                  wr_req_valid_o,
  input  logic                  wr_req_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_req_o,
  input  logic                  wr_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t wr_cmpl_i,

  input  logic [vhp_pkg::NumFn-1:0]    fn_msix_enable_i,
  output logic [vhp_pkg::NumPorts-1:0] isr_set_o,   // pulse: queue interrupt of a function without MSI-X
  output logic                         irq_o,       // level: vhp_lane.event & event_enable
  output logic                         idle_o
);
endmodule
