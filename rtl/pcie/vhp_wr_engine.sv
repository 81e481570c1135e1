// SPDX-License-Identifier: Apache-2.0
//
// Writes to host memory: command streams of four clients, and MSI-X messages, to posted TLPs in order (vhp_wr_split),
// their data from the packet buffer (vhp_wr_data), and the end of each command (vhp_wr_retire).
//
// Handshake   req: valid/ready per client. cmpl: one pulse per command, in order per client. A completion with status
//             DmaOk means that the TLPs have their place in the link's order (sequence number returned), or that an
//             MSI-X command made no message.
// Throughput  One TLP per 2 cycles, one beat per cycle.
// Reset       Synchronous.

module vhp_wr_engine (
  input  logic                     clk_i,
  input  logic                     rst_i,
  input  vhp_pcie_pkg::fn_state_t [vhp_pkg::NumFn-1:0] fn_i,

  input  logic                  [vhp_pkg::NumWrClients-1:0] req_valid_i,
  output logic                  [vhp_pkg::NumWrClients-1:0] req_ready_o,
  input  vhp_pkg::dma_wr_req_t  [vhp_pkg::NumWrClients-1:0] req_i,
  output logic                  [vhp_pkg::NumWrClients-1:0] cmpl_valid_o,
  output vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] cmpl_o,

  input  logic                     ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t     ram_wr_i,

  input  logic                     fire_valid_i,
  output logic                     fire_ready_o,
  input  logic [7:0]               fire_func_i,
  input  logic [10:0]              fire_vector_i,
  output logic                     lookup_valid_o,
  output logic                     lookup_fire_o,
  output logic [7:0]               lookup_func_o,
  output logic [10:0]              lookup_vector_o,
  input  logic                     lookup_done_i,
  input  logic                     lookup_send_i,
  input  logic                     lookup_pended_i,
  input  logic [63:0]              lookup_addr_i,
  input  logic [31:0]              lookup_data_i,

  output logic                     rq_valid_o,
  input  logic                     rq_ready_i,
  output vhp_pcie_pkg::rq_beat_t   rq_o,
  input  logic [1:0]               seq_valid_i,
  input  logic [1:0][4:0]          seq_place_i,

  output logic [vhp_pkg::NumFn-1:0] fn_idle_o,
  output logic                     dropped_o,
  output logic                     msix_sent_o,
  output logic                     msix_pended_o,
  output logic                     idle_o
);

  logic tlp_valid, tlp_ready, place_valid, place_ready, place_last, place_done;
  logic split_idle, data_idle, retire_idle;
  vhp_pcie_pkg::wr_tlp_t    tlp;
  logic [511:0]             tlp_imm;
  logic [4:0]               place;
  logic [7:0]               place_func;
  vhp_pcie_pkg::wr_source_t place_source;
  vhp_pkg::dma_status_e     place_status;

  vhp_wr_split u_split (
    .clk_i, .rst_i, .fn_i, .req_valid_i, .req_ready_o, .req_i,
    .fire_valid_i, .fire_ready_o, .fire_func_i, .fire_vector_i,
    .lookup_valid_o, .lookup_fire_o, .lookup_func_o, .lookup_vector_o,
    .lookup_done_i, .lookup_send_i, .lookup_pended_i, .lookup_addr_i, .lookup_data_i,
    .tlp_valid_o(tlp_valid), .tlp_ready_i(tlp_ready), .tlp_o(tlp), .tlp_imm_o(tlp_imm),
    .place_valid_o(place_valid), .place_ready_i(place_ready), .place_i(place), .place_source_o(place_source),
    .place_last_o(place_last), .place_done_o(place_done), .place_status_o(place_status), .place_func_o(place_func),
    .dropped_o, .msix_sent_o, .msix_pended_o, .idle_o(split_idle)
  );

  vhp_wr_data u_data (
    .clk_i, .rst_i, .ram_wr_valid_i, .ram_wr_i,
    .tlp_valid_i(tlp_valid), .tlp_ready_o(tlp_ready), .tlp_i(tlp), .tlp_imm_i(tlp_imm),
    .out_valid_o(rq_valid_o), .out_ready_i(rq_ready_i), .out_o(rq_o), .idle_o(data_idle)
  );

  vhp_wr_retire u_retire (
    .clk_i, .rst_i,
    .place_valid_i(place_valid), .place_ready_o(place_ready), .place_o(place), .place_source_i(place_source),
    .place_last_i(place_last), .place_done_i(place_done), .place_status_i(place_status), .place_func_i(place_func),
    .seq_valid_i, .seq_place_i, .cmpl_valid_o, .cmpl_o, .fn_idle_o, .idle_o(retire_idle)
  );

  assign idle_o = split_idle && data_idle && retire_idle;

endmodule
