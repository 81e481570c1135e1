// SPDX-License-Identifier: Apache-2.0
//
// The configuration primitives as far as the bench needs them. STARTUPE3's pins are flattened out for the bench to reach.

module STARTUPE3 #(
  parameter PROG_USR = "FALSE"
) (
  output logic       CFGCLK,
  output logic       CFGMCLK,
  output logic [3:0] DI,
  output logic       EOS,
  output logic       PREQ,
  input  logic [3:0] DO,
  input  logic [3:0] DTS,
  input  logic       FCSBO,
  input  logic       FCSBTS,
  input  logic       GSR,
  input  logic       GTS,
  input  logic       KEYCLEARB,
  input  logic       PACK,
  input  logic       USRCCLKO,
  input  logic       USRCCLKTS,
  input  logic       USRDONEO,
  input  logic       USRDONETS
);
  // The first edges after configuration are lost.
  int unsigned lost = 0;
  logic        cclk = 0;
  logic [3:0]  pins = '1;
  always @(USRCCLKO) begin
    if (lost < 6) lost++;
    else cclk = USRCCLKO;
  end
  wire fcs_b = FCSBO || FCSBTS;
  assign DI      = pins;
  assign CFGCLK  = 1'b0;
  assign CFGMCLK = 1'b0;
  assign EOS     = 1'b1;
  assign PREQ    = 1'b0;
endmodule

module ICAPE3 #(
  parameter ICAP_AUTO_SWITCH = "DISABLE"
) (
  output logic        AVAIL,
  output logic [31:0] O,
  output logic        PRDONE,
  output logic        PRERROR,
  input  logic        CLK,
  input  logic        CSIB,
  input  logic        RDWRB,
  input  logic [31:0] I
);
  logic        there = 1;
  logic [31:0] words [$];
  realtime     changed = 0, least = 1000;
  always @(I or CSIB or RDWRB) changed = $realtime;
  always @(posedge CLK) if (!CSIB) begin
    words.push_back(I);
    if ($realtime - changed < least) least = $realtime - changed;
    if (RDWRB) $fatal(1, "ICAPE3 is read");
  end
  assign AVAIL   = there;
  assign O       = '0;
  assign PRDONE  = 1'b1;
  assign PRERROR = 1'b0;
endmodule

module USR_ACCESSE2 (
  output logic        CFGCLK,
  output logic        DATAVALID,
  output logic [31:0] DATA
);
  assign CFGCLK    = 1'b0;
  assign DATAVALID = 1'b1;
  assign DATA      = 32'hc0ffee01;
endmodule

module BUFGCE (
  output logic O,
  input  logic CE,
  input  logic I
);
  assign O = I && CE;
endmodule
