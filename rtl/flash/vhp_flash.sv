// SPDX-License-Identifier: Apache-2.0
//
// Function 0's BAR 4: the SPI controller of the configuration flash, and the registers that tell which image runs and load
// another one.
//
// Purpose     0x0000 vhp_spi, 0x1000 vhp_boot (rtl/soc/vhp_regs.rdl). In these two pages what is not a register reads 0 and
//             ignores writes, so that a tool for AXI Quad SPI never meets an error; behind them an access is answered with
//             an error.
// Handshake   Register bus rb_*. hold_i and flr_i are levels. sck, cs_n, dq: registers, dq_tri_o 1 = not driven; dq_i may
//             come at any time, see SampleDelay. icap_*: a word in each cycle with icap_csib_o 0. usr_access_i does not
//             change while an image runs.
// Latency     8 cycles per access. Nothing here is on the data path.
// Parameters  BoardName    ASCII, up to 16 characters, as a string or as its number
//             Idcode       IDCODE of the part; bits 31:28 are shown as 0
//             Start        byte address of the user image, a multiple of 256, inside the flash
//             SizeLog2     log2 of the bytes of one chip, 16..28: START_ADDR of WBSTAR has 29 bits
//             Chips        1 or 2
//             SckHalf      half a period of sck_o in cycles, 2..16
//             SampleDelay  cycles from the rise of sck_o to the sampling of dq_i, 0..15
// Reset       Synchronous. A reset of function 0 (flr_i) resets the registers, deselects the chips and ends the transfer
//             under way; an IPROG that has begun goes on.

module vhp_flash #(
  parameter logic [127:0] BoardName   = "sim",
  parameter logic [31:0]  Idcode      = 32'h0,
  parameter logic [31:0]  Start       = 32'h0,
  parameter int unsigned  SizeLog2    = 27,
  parameter int unsigned  Chips       = 1,
  parameter int unsigned  SckHalf     = 4,
  parameter int unsigned  SampleDelay = 3
) (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  input  logic             hold_i,           // vhp_mgmt.boot_hold
  input  logic             flr_i,            // function 0 is in reset

  output logic             sck_o,
  output logic [1:0]       cs_n_o,
  output logic [3:0]       dq_o,             // to both chips
  output logic [3:0]       dq_tri_o,
  input  logic [7:0]       dq_i,             // chip 0 in 3:0, chip 1 in 7:4

  output logic             icap_csib_o,
  output logic             icap_rdwrb_o,
  output logic [31:0]      icap_o,
  input  logic             icap_avail_i,
  input  logic [31:0]      usr_access_i,

  output logic             idle_o
);

  localparam int unsigned Spi = 0, Boot = 1;

  logic [1:0]             sel, t_valid, t_ready, t_rsp_valid;
  vhp_pkg::rb_req_t       t_req;
  vhp_pkg::rb_rsp_t [1:0] t_rsp;
  logic                   bus_idle;
  assign sel = t_req.addr[23:13] != '0 ? 2'd2 : {1'b0, t_req.addr[12]};
  logic       unused_late_valid;
  logic [1:0] unused_late;
  // The bus that leads here has the shorter time limit, and tells of it.
  vhp_rb_demux #(.Targets(2), .Limit(65536)) u_bus (
    .clk_i,
    .rst_i,
    .req_valid_i  (rb_req_valid_i),
    .req_ready_o  (rb_req_ready_o),
    .req_i        (rb_req_i),
    .rsp_valid_o  (rb_rsp_valid_o),
    .rsp_o        (rb_rsp_o),
    .sel_i        (sel),
    .t_req_o      (t_req),
    .t_req_valid_o(t_valid),
    .t_req_ready_i(t_ready),
    .t_rsp_valid_i(t_rsp_valid),
    .t_rsp_i      (t_rsp),
    .late_valid_o (unused_late_valid),
    .late_o       (unused_late),
    .idle_o       (bus_idle)
  );

  logic spi_idle, boot_idle;
  vhp_spi #(
    .SckHalf    (SckHalf),
    .SampleDelay(SampleDelay)
  ) u_spi (
    .clk_i,
    .rst_i,
    .flr_i,
    .rb_req_valid_i(t_valid[Spi]),
    .rb_req_ready_o(t_ready[Spi]),
    .rb_req_i      (t_req),
    .rb_rsp_valid_o(t_rsp_valid[Spi]),
    .rb_rsp_o      (t_rsp[Spi]),
    .sck_o,
    .cs_n_o,
    .dq_o,
    .dq_tri_o,
    .dq_i,
    .idle_o        (spi_idle)
  );

  vhp_boot #(
    .BoardName(BoardName),
    .Idcode   (Idcode),
    .Start    (Start),
    .SizeLog2 (SizeLog2),
    .Chips    (Chips)
  ) u_boot (
    .clk_i,
    .rst_i,
    .flr_i,
    .rb_req_valid_i(t_valid[Boot]),
    .rb_req_ready_o(t_ready[Boot]),
    .rb_req_i      (t_req),
    .rb_rsp_valid_o(t_rsp_valid[Boot]),
    .rb_rsp_o      (t_rsp[Boot]),
    .hold_i,
    .selected_i    (cs_n_o != 2'b11),
    .icap_csib_o,
    .icap_rdwrb_o,
    .icap_o,
    .icap_avail_i,
    .usr_access_i,
    .idle_o        (boot_idle)
  );

  assign idle_o = bus_idle && spi_idle && boot_idle;

endmodule
