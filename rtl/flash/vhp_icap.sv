// SPDX-License-Identifier: Apache-2.0
//
// Loads another image: the IPROG command with a start address, sent to the configuration logic through ICAPE3.
//
// Purpose     The eight words of UG570, "IPROG Using ICAP". ICAPE3 wants each byte bit-reversed, and so leave they.
//             WBSTAR: its bits 28:0 are START_ADDR (UG570, "Warm Boot Start Address Register"), which is the flash's byte
//             address as it stands, with 24-bit and with 32-bit addressing of the flash alike: AMD's own example for an
//             SPI x4 flash with SPI_32BIT_ADDR (XAPP1280) gives the plain byte address, and so do open NICs for the cards
//             here. Bits 31:29 (RS pins of parallel flash) are 0. With two chips (SPI x8) both get the same address: half
//             of the pair's (UG908 doubles it the other way for write_cfgmem).
// Handshake   start_i is a pulse, taken while busy_o is 0, with wbstar_i. A word goes out in a
//             cycle with csib_o 0, one every Period cycles, and stays on data_o until the next; rdwrb_o is always write.
//             avail_i 0 holds the next word back.
// Latency     start to IPROG: 8 * Period cycles.
// Parameters  none; Period lets rtl/boards/ give ICAPE3 a clock of an eighth of ours: 250 MHz is beyond it
// Reset       Synchronous. busy_o stays 1 after the last word: what comes is the configuration logic's.

module vhp_icap (
  input  logic        clk_i,
  input  logic        rst_i,

  input  logic        start_i,
  input  logic [31:0] wbstar_i,
  output logic        busy_o,

  output logic        csib_o,
  output logic        rdwrb_o,
  output logic [31:0] data_o,
  input  logic        avail_i,

  output logic        idle_o
);

  localparam int unsigned Period = 8;
  localparam int unsigned Words  = 8;

  localparam logic [31:0] Dummy       = 32'hffff_ffff;
  localparam logic [31:0] Sync        = 32'haa99_5566;
  localparam logic [31:0] Noop        = 32'h2000_0000;
  localparam logic [31:0] WriteWbstar = 32'h3002_0001;
  localparam logic [31:0] WriteCmd    = 32'h3000_8001;
  localparam logic [31:0] CmdIprog    = 32'h0000_000f;

  function automatic logic [31:0] swap(input logic [31:0] word);
    for (int unsigned i = 0; i < 32; i++) swap[i] = word[8 * (i / 8) + 7 - i % 8];
  endfunction

  typedef enum logic [1:0] {Idle, Send, Done} state_e;
  state_e                     state_q;
  logic [$clog2(Words)-1:0]   word_q;
  logic [$clog2(Period)-1:0]  wait_q;
  logic                       csib_q;
  logic [31:0]                data_q, wbstar_q;

  logic [31:0] word;
  always_comb begin
    unique case (word_q)
      3'd0:    word = Dummy;
      3'd1:    word = Sync;
      3'd3:    word = WriteWbstar;
      3'd4:    word = wbstar_q;
      3'd5:    word = WriteCmd;
      3'd6:    word = CmdIprog;
      default: word = Noop;
    endcase
  end

  always_ff @(posedge clk_i) begin
    csib_q <= 1'b1;
    unique case (state_q)
      Idle: begin
        word_q   <= '0;
        wait_q   <= '0;
        wbstar_q <= wbstar_i;
        if (start_i) state_q <= Send;
      end
      Send: begin
        if (wait_q != '0) wait_q <= wait_q - 1'b1;
        else if (avail_i) begin
          csib_q <= 1'b0;
          data_q <= swap(word);
          word_q <= word_q + 1'b1;
          wait_q <= '1;
          if (word_q == '1) state_q <= Done;
        end
      end
      default: state_q <= Done;
    endcase
    if (rst_i) begin
      state_q <= Idle;
      csib_q  <= 1'b1;
      data_q  <= '1;
    end
  end

  assign busy_o  = state_q != Idle;
  assign csib_o  = csib_q;
  assign rdwrb_o = 1'b0;
  assign data_o  = data_q;
  assign idle_o  = state_q != Send && csib_q && !start_i;

endmodule
