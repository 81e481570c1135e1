// SPDX-License-Identifier: Apache-2.0
//
// The SPI pins: shifts bytes, most significant bit first, on one lane or four.
//
// Purpose     Clock, slave selects and lanes of one or two flash chips that share clock and outgoing lanes. From the first
//             byte of a command (the opcode, once a chip is selected) it knows where four lanes begin, as AXI Quad SPI
//             does: quad input page program 0x32 and 0x34 (opcode, 3 and 4 address bytes, then data) and quad output fast
//             read 0x6b and 0x6c (address, one dummy byte, then data; the lanes are let go for the dummy byte). Every
//             other byte goes out on lane 0 and comes in on lane 1; lanes 2 and 3 (W#, HOLD#) are held high.
//             SPI mode 0, or 3 with mode3_i. In loopback no chip is selected and a byte comes back as it is.
//             After reset it first gives 16 clocks with no chip selected: the first edges on STARTUPE3's USRCCLKO after
//             configuration do not reach the pin.
// Handshake   tx_valid_i/tx_i hold until done_o, a pulse in which rx_o is valid. run_i, select_n_i, manual_i, loopback_i and
//             mode3_i act between bytes. Between a change of a slave select, or of the clock at rest, and the next edge
//             lie Gap cycles (tSHSL, tSLCH of the flash). abort_i gives up the byte under way: no done_o for it, the clock
//             ends its half period.
// Latency     A byte takes 16 (4 on four lanes) * SckHalf + SampleDelay + 4 cycles.
// Parameters  SckHalf      half a period of the clock in cycles, 2..16: outgoing data has that for setup and hold
//             SampleDelay  cycles from the rise of sck_o to the cycle whose start samples dq_i, 0..15. What comes in
//                          leaves the flash at the fall before it, so it is sampled SckHalf + SampleDelay cycles after that
// Reset       Synchronous.

module vhp_spi_shift #(
  parameter int unsigned SckHalf     = 4,
  parameter int unsigned SampleDelay = 3
) (
  input  logic       clk_i,
  input  logic       rst_i,
  input  logic       abort_i,

  input  logic       run_i,
  input  logic       loopback_i,
  input  logic       mode3_i,
  input  logic [1:0] select_n_i,
  input  logic       manual_i,       // 0: selected only while there are bytes

  input  logic       tx_valid_i,
  input  logic [7:0] tx_i,
  output logic       done_o,
  output logic [7:0] rx_o,

  output logic       sck_o,
  output logic [1:0] cs_n_o,
  output logic [3:0] dq_o,
  output logic [3:0] dq_tri_o,
  input  logic [7:0] dq_i,

  output logic       idle_o
);

  localparam int unsigned Gap     = 16;
  localparam int unsigned Prelude = 16;

  initial begin
    if (SckHalf < 2 || SckHalf > 16) $fatal(1, "vhp_spi_shift: SckHalf %0d is not in 2..16 (%m)", SckHalf);
    if (SampleDelay > 15) $fatal(1, "vhp_spi_shift: SampleDelay %0d is not in 0..15 (%m)", SampleDelay);
  end

  typedef enum logic [2:0] {Wake, Rest, Settle, Low, High, Drain} state_e;
  state_e     state_q;
  logic [4:0] count_q;            // cycles left in Settle, Low, High
  logic [4:0] wake_q;             // clocks left in Wake
  logic       half_over;
  assign half_over = count_q == '0;

  // ---------------------------------------------------------------- where four lanes begin
  logic [7:0] opcode_q;
  logic [2:0] index_q;            // bytes of the command before this one, at most 7
  logic       selected;
  assign selected = cs_n_o != 2'b11;

  // For the byte at index_q: four lanes; lanes let go.
  logic       quad, release_;
  logic [7:0] opcode;
  always_comb begin
    opcode   = index_q == '0 ? tx_i : opcode_q;
    quad     = 1'b0;
    release_ = 1'b0;
    unique case (opcode)
      8'h32:   quad = index_q >= 3'd4;
      8'h34:   quad = index_q >= 3'd5;
      8'h6b: begin
        release_ = index_q >= 3'd4;
        quad     = index_q >= 3'd5;
      end
      8'h6c: begin
        release_ = index_q >= 3'd5;
        quad     = index_q >= 3'd6;
      end
      default: ;
    endcase
    if (!selected || loopback_i) begin
      quad     = 1'b0;
      release_ = 1'b0;
    end
  end

  // ---------------------------------------------------------------- sampling
  // dq_q in the cycle of the strobe is what stood on the pins at its start.
  logic [7:0]           dq_q;
  logic [SampleDelay:0] strobe_q;
  logic                 rise, sample;
  logic [3:0]           lanes;
  logic [3:0]           samples_q;          // still to come for this byte
  logic [7:0]           in_q;
  logic [6:0]           out_q;              // what follows the bits on the pins
  logic                 quad_q, loop_q;
  assign sample = strobe_q[SampleDelay];
  assign lanes  = cs_n_o[0] ? dq_q[7:4] : dq_q[3:0];

  // ---------------------------------------------------------------- machine
  logic [3:0] bits_q;                       // clocks left in this byte, this one included
  logic [1:0] want_n;
  logic       give_up_q;
  assign want_n = loopback_i || !(manual_i || (run_i && tx_valid_i)) ? 2'b11 : select_n_i;
  assign rise   = state_q == Low && half_over && !give_up_q && !abort_i;
  assign done_o = state_q == Drain && samples_q == '0 && !give_up_q && !abort_i;
  assign rx_o   = loop_q ? tx_i : in_q;

  always_ff @(posedge clk_i) begin
    dq_q     <= dq_i;
    strobe_q <= (SampleDelay + 1)'({strobe_q, rise});
    if (sample) begin
      in_q      <= quad_q ? {in_q[3:0], lanes} : {in_q[6:0], lanes[1]};
      samples_q <= samples_q - 4'd1;
    end
    if (!half_over) count_q <= count_q - 5'd1;
    if (abort_i && state_q != Rest && state_q != Wake && state_q != Settle) give_up_q <= 1'b1;

    unique case (state_q)
      Wake: begin
        if (half_over) begin
          sck_o   <= !sck_o;
          count_q <= 5'(SckHalf - 1);
          if (sck_o) begin
            wake_q <= wake_q - 5'd1;
            if (wake_q == 5'd1) state_q <= Rest;
          end
        end
      end
      Rest: begin
        give_up_q <= 1'b0;
        // Never in the moment in which a slave select moves.
        if (sck_o != mode3_i) begin
          sck_o    <= mode3_i;
          count_q  <= 5'(Gap - 1);
          state_q  <= Settle;
        end else if (cs_n_o != want_n) begin
          cs_n_o   <= want_n;
          dq_tri_o <= want_n == 2'b11 ? 4'b1111 : 4'b0010;
          dq_o     <= 4'b1100;
          index_q  <= '0;
          count_q  <= 5'(Gap - 1);
          state_q  <= Settle;
        end else if (run_i && tx_valid_i && !abort_i) begin
          out_q     <= quad ? {tx_i[3:0], 3'd0} : tx_i[6:0];
          quad_q    <= quad;
          loop_q    <= loopback_i;
          bits_q    <= quad ? 4'd2 : 4'd8;
          samples_q <= quad ? 4'd2 : 4'd8;
          strobe_q  <= '0;
          if (index_q == '0) opcode_q <= tx_i;
          dq_o      <= quad ? tx_i[7:4] : {3'b110, tx_i[7]};
          if (selected) dq_tri_o <= release_ ? 4'b1111 : quad ? 4'b0000 : 4'b0010;
          sck_o     <= 1'b0;
          count_q   <= 5'(SckHalf - 1);
          state_q   <= Low;
        end
      end
      Settle: begin
        if (half_over) state_q <= Rest;
      end
      Low: begin
        if (half_over) begin
          count_q <= 5'(SckHalf - 1);
          state_q <= give_up_q || abort_i ? Rest : High;
          sck_o   <= rise;
        end
      end
      High: begin
        if (half_over) begin
          count_q <= 5'(SckHalf - 1);
          sck_o   <= 1'b0;
          bits_q  <= bits_q - 4'd1;
          out_q   <= {out_q[5:0], 1'b0};
          if (give_up_q || abort_i) begin
            sck_o   <= mode3_i;
            state_q <= Rest;
          end else if (bits_q == 4'd1) begin
            sck_o   <= mode3_i;
            state_q <= Drain;
          end else begin
            state_q <= Low;
            dq_o    <= quad_q ? out_q[6:3] : {3'b110, out_q[6]};
          end
        end
      end
      Drain: begin
        if (give_up_q || abort_i) begin
          state_q <= Rest;
        end else if (samples_q == '0) begin
          state_q <= Rest;
          if (selected && index_q != '1) index_q <= index_q + 3'd1;
        end
      end
      default: state_q <= Rest;
    endcase

    if (rst_i) begin
      state_q   <= Wake;
      wake_q    <= 5'(Prelude);
      count_q   <= '0;
      sck_o     <= 1'b0;
      cs_n_o    <= '1;
      dq_o      <= '0;
      dq_tri_o  <= '1;
      strobe_q  <= '0;
      samples_q <= '0;
      give_up_q <= 1'b0;
      index_q   <= '0;
    end
  end

  assign idle_o = state_q == Rest && cs_n_o == want_n && sck_o == mode3_i && !(run_i && tx_valid_i) && !give_up_q;

`ifndef SYNTHESIS
  // A chip is selected and let go while the clock rests, and nothing is clocked in that moment.
  logic [1:0] cs_n_q;
  logic       sck_q;
  always_ff @(posedge clk_i) begin
    cs_n_q <= cs_n_o;
    sck_q  <= sck_o;
    if (!rst_i && state_q != Wake && cs_n_q != cs_n_o)
      assert (sck_q == sck_o) else $error("a slave select changed with the clock (%m)");
  end
`endif

endmodule
