// SPDX-License-Identifier: Apache-2.0
//
// The control block: register targets of every BAR, the vhost-pci-net functions, doorbells, mailbox and SoC.

module vhp_control #(
  parameter FirmwareHex = "firmware.hex"
) (
  input  logic             clk_i,
  input  logic             rst_i,

  // Register accesses of the host (all functions and BARs except MSI-X tables).
  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  // DMA of the firmware (control queues).
  output logic                  rd_req_valid_o,
  input  logic                  rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_req_o,
  input  logic                  rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t rd_done_i,
  input  logic                  ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t  ram_wr_i,
  output logic                  soc_wr_valid_o,
  input  logic                  soc_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  soc_wr_o,
  input  logic                  soc_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t soc_cmpl_i,

  // Interrupts that do not come from a lane: configuration changes, forwarded peer doorbells.
  output logic                  ntf_wr_valid_o,
  input  logic                  ntf_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  ntf_wr_o,

  // Lane registers (firmware is the master) and doorbells. A kick is always accepted.
  output logic             lane_rb_req_valid_o,
  input  logic             lane_rb_req_ready_i,
  output vhp_pkg::rb_req_t lane_rb_req_o,
  input  logic             lane_rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t lane_rb_rsp_i,
  output logic             kick_valid_o,
  output vhp_pkg::qid_t    kick_qid_o,
  input  logic             lane_irq_i,                  // level: vhp_lane.event & event_enable
  input  logic [vhp_pkg::NumPorts-1:0] isr_set_i,       // pulse: queue interrupt without MSI-X, set ISR bit 0

  // Functions.
  input  logic [vhp_pkg::NumFn-1:0] fn_flr_pending_i,
  output logic [vhp_pkg::NumFn-1:0] fn_flr_done_o,
  input  logic [vhp_pkg::NumFn-1:0] fn_msix_enable_i,
  output logic                      config_enable_o,
  input  vhp_pkg::dma_stats_t       dma_stats_i,

  output logic             idle_o
);
endmodule
