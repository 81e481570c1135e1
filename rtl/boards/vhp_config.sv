// SPDX-License-Identifier: Apache-2.0
//
// The configuration logic of the FPGA as the card needs it: the flash behind STARTUPE3, ICAPE3, USR_ACCESSE2.
//
// Purpose     STARTUPE3 gives user logic the dedicated pins of the configuration bank: clock (USRCCLKO), the first chip's
//             slave select and four lanes. The second chip of an SPIx8 board shares the clock and has pins of its own for
//             the rest. The first edges on USRCCLKO after configuration do not reach the pin; vhp_spi_shift gives 16 clocks
//             with no chip selected before anything else.
//             ICAPE3 gets an eighth of the card's clock, which is beyond what it may have, from a flip-flop and a buffer. A
//             word is handed over at the falling edge of that clock, so it has half its period for setup and hold whatever
//             the skew; vhp_icap sends no more than one word in eight cycles.
// Ports       Names and polarity of vhp_card. flash2_*: pins.
// Parameters  Chips  1 or 2
// Reset       Synchronous; stops a word on its way, and the clock of ICAPE3 with it.

module vhp_config #(
  parameter int unsigned Chips = 1
) (
  input  logic        clk_i,
  input  logic        rst_i,

  input  logic        flash_sck_i,
  input  logic [1:0]  flash_cs_n_i,
  input  logic [3:0]  flash_dq_out_i,
  input  logic [3:0]  flash_dq_tri_i,
  output logic [7:0]  flash_dq_in_o,

`ifdef VHP_BOARD_FLASH2
  inout  wire  [3:0]  flash2_dq,
  output logic        flash2_cs_n,
`endif

  input  logic        icap_csib_i,
  input  logic        icap_rdwrb_i,
  input  logic [31:0] icap_i,
  output logic        icap_avail_o,
  output logic [31:0] usr_access_o
);

  // ---------------------------------------------------------------- flash
  STARTUPE3 #(
    .PROG_USR("FALSE")
  ) u_startup (
    .CFGCLK   (),
    .CFGMCLK  (),
    .DI       (flash_dq_in_o[3:0]),
    .EOS      (),
    .PREQ     (),
    .DO       (flash_dq_out_i),
    .DTS      (flash_dq_tri_i),
    .FCSBO    (flash_cs_n_i[0]),
    .FCSBTS   (1'b0),
    .GSR      (1'b0),
    .GTS      (1'b0),
    .KEYCLEARB(1'b1),
    .PACK     (1'b0),
    .USRCCLKO (flash_sck_i),
    .USRCCLKTS(1'b0),
    .USRDONEO (1'b1),
    .USRDONETS(1'b1)
  );

`ifdef VHP_BOARD_FLASH2
  for (genvar i = 0; i < 4; i++) begin : gen_flash2
    IOBUF u_dq (
      .IO(flash2_dq[i]),
      .O (flash_dq_in_o[4 + i]),
      .I (flash_dq_out_i[i]),
      .T (flash_dq_tri_i[i])
    );
  end
  assign flash2_cs_n = flash_cs_n_i[1];
  initial begin
    if (Chips != 2) $fatal(1, "vhp_config: VHP_BOARD_FLASH2 goes with two chips (%m)");
  end
`else
  assign flash_dq_in_o[7:4] = '1;
  wire unused               = flash_cs_n_i[1];
  initial begin
    if (Chips != 1) $fatal(1, "vhp_config: two chips need VHP_BOARD_FLASH2 (%m)");
  end
`endif

  // ---------------------------------------------------------------- ICAP
  logic [2:0]  phase_q;
  logic        icap_clk_q, csib_q, pending_q;
  logic [31:0] word_q, next_q;
  logic        icap_clk, avail;
  (* ASYNC_REG = "TRUE" *) logic [1:0] avail_q;

  always_ff @(posedge clk_i) begin
    phase_q    <= phase_q + 3'd1;
    icap_clk_q <= phase_q[2];
    avail_q    <= {avail_q[0], avail};
    if (phase_q == 3'd0) begin
      csib_q    <= !pending_q;
      word_q    <= next_q;
      pending_q <= 1'b0;
    end
    if (!icap_csib_i) begin
      next_q    <= icap_i;
      pending_q <= 1'b1;
    end
    if (rst_i) begin
      phase_q    <= '0;
      icap_clk_q <= 1'b0;
      pending_q  <= 1'b0;
      csib_q     <= 1'b1;
    end
  end
  assign icap_avail_o = avail_q[1];

  BUFGCE u_icap_clk (
    .I (icap_clk_q),
    .CE(1'b1),
    .O (icap_clk)
  );

  ICAPE3 #(
    .ICAP_AUTO_SWITCH("DISABLE")
  ) u_icap (
    .CLK    (icap_clk),
    .CSIB   (csib_q),
    .RDWRB  (icap_rdwrb_i),
    .I      (word_q),
    .O      (),
    .AVAIL  (avail),
    .PRDONE (),
    .PRERROR()
  );

  // ---------------------------------------------------------------- identity
  USR_ACCESSE2 u_access (
    .CFGCLK   (),
    .DATAVALID(),
    .DATA     (usr_access_o)
  );

endmodule
