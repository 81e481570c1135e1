// SPDX-License-Identifier: Apache-2.0
//
// Region tables of the ports: guest-physical to IOVA, with bounds.
//
// Purpose     [addr, addr + len) must lie in one valid row of the port's table; else hit is 0. A range that wraps
//             at 2^64 gives wrap, whether it is to be translated or not. Of rows that overlap the lowest counts.
// Stages      0 inputs, length less 1   1 last byte of the range   2 compare with the bounds of the port's rows
//             3 the row that holds it, its offset IOVA - guest address   4 IOVA
// Handshake   None: Lookups independent pipelines, one lookup per cycle each, answer vhp_lane_pkg::XlateLat (5)
//             cycles later. translate_i 0 passes the address through with hit 1. Rows are written one word at a time,
//             RgnCtrl last, with 3 cycles or more between two words of a row: a row's offset is made when it is written.
// Reset       Rows become invalid.
// Parameters  Lookups  1..4

module vhp_region_table #(
  parameter int unsigned Lookups = 2
) (
  input  logic                              clk_i,
  input  logic                              rst_i,
  input  vhp_lane_pkg::rgn_wr_t             rgn_wr_i,
  input  logic [Lookups-1:0]                translate_i,
  input  logic [Lookups-1:0][1:0]           port_i,
  input  logic [Lookups-1:0][63:0]          addr_i,
  input  logic [Lookups-1:0][31:0]          len_i,    // >= 1
  output logic [Lookups-1:0]                hit_o,
  output logic [Lookups-1:0]                wrap_o,
  output logic [Lookups-1:0][63:0]          iova_o
);

  localparam int unsigned Rows  = vhp_pkg::MaxRegions;
  localparam int unsigned Ports = vhp_pkg::NumPorts;
  localparam int unsigned PortW = Ports > 1 ? $clog2(Ports) : 1;
  localparam int unsigned MemRows = Rows << PortW;

  typedef logic [PortW-1:0]   port_t;
  typedef logic [2:0]         row_t;
  typedef logic [PortW+2:0]   at_t;      // {port, row}

  initial begin
    if (Rows != 8) $fatal(1, "vhp_region_table: MaxRegions %0d, the register map has 8 rows per port (%m)", Rows);
    if (Ports < 1 || Ports > 4) $fatal(1, "vhp_region_table: NumPorts %0d is not in 1..4 (%m)", Ports);
    if (Lookups < 1 || Lookups > 4) $fatal(1, "vhp_region_table: Lookups %0d is not in 1..4 (%m)", Lookups);
    if (vhp_lane_pkg::XlateLat != 5) $fatal(1, "vhp_region_table: the pipeline has 5 stages (%m)");
  end

  // ---------------------------------------------------------------- rows
  // The bounds are looked at all at once; the offsets one at a time, and the addresses only to make the offsets.
  logic [Ports-1:0][Rows-1:0][63:0] gpa_q, last_q;
  logic [Ports-1:0][Rows-1:0]       valid_q;
  logic [31:0] gpa_lo [MemRows], gpa_hi [MemRows], iova_lo [MemRows], iova_hi [MemRows];
  logic [63:0] offset [MemRows];

  logic        wr, wr1_q, wr2_q;
  at_t         wr_at, wr1_at_q, wr2_at_q;
  logic [63:0] wr_offset_q;
  assign wr    = rgn_wr_i.valid && {1'b0, rgn_wr_i.row} < 6'(8 * Ports);
  assign wr_at = at_t'(rgn_wr_i.row);

  always_ff @(posedge clk_i) begin
    if (wr) begin
      unique case (rgn_wr_i.word)
        vhp_lane_pkg::RgnGpaLo:  gpa_q[wr_at[PortW+2:3]][wr_at[2:0]][31:0]   <= rgn_wr_i.data;
        vhp_lane_pkg::RgnGpaHi:  gpa_q[wr_at[PortW+2:3]][wr_at[2:0]][63:32]  <= rgn_wr_i.data;
        vhp_lane_pkg::RgnLastLo: last_q[wr_at[PortW+2:3]][wr_at[2:0]][31:0]  <= rgn_wr_i.data;
        vhp_lane_pkg::RgnLastHi: last_q[wr_at[PortW+2:3]][wr_at[2:0]][63:32] <= rgn_wr_i.data;
        vhp_lane_pkg::RgnCtrl:   valid_q[wr_at[PortW+2:3]][wr_at[2:0]]       <= rgn_wr_i.data[0];
        default: ;
      endcase
    end
    if (rst_i) valid_q <= '0;
  end

  always_ff @(posedge clk_i) if (wr && rgn_wr_i.word == vhp_lane_pkg::RgnGpaLo)  gpa_lo[wr_at]  <= rgn_wr_i.data;
  always_ff @(posedge clk_i) if (wr && rgn_wr_i.word == vhp_lane_pkg::RgnGpaHi)  gpa_hi[wr_at]  <= rgn_wr_i.data;
  always_ff @(posedge clk_i) if (wr && rgn_wr_i.word == vhp_lane_pkg::RgnIovaLo) iova_lo[wr_at] <= rgn_wr_i.data;
  always_ff @(posedge clk_i) if (wr && rgn_wr_i.word == vhp_lane_pkg::RgnIovaHi) iova_hi[wr_at] <= rgn_wr_i.data;

  always_ff @(posedge clk_i) begin
    wr1_q       <= wr && !rst_i;
    wr2_q       <= wr1_q && !rst_i;
    wr1_at_q    <= wr_at;
    wr2_at_q    <= wr1_at_q;
    wr_offset_q <= {iova_hi[wr1_at_q], iova_lo[wr1_at_q]} - {gpa_hi[wr1_at_q], gpa_lo[wr1_at_q]};
    if (wr2_q) offset[wr2_at_q] <= wr_offset_q;
  end

  // ---------------------------------------------------------------- lookups
  // a >= b: the carry out of a + ~b + 1. One LUT and one place of the carry chain per bit, which choose b (the port's
  // row) at the same time; therefore the last byte is kept inverted and compared the other way round.
  function automatic logic not_less(input logic [63:0] a, input logic [63:0] b);
    logic [65:0] sum;
    sum = {1'b0, a, 1'b1} + {1'b0, ~b, 1'b1};
    return sum[65];
  endfunction

  for (genvar l = 0; l < int'(Lookups); l++) begin : g_lookup
    logic            xl0_q, xl1_q, xl2_q, xl3_q, wrap1_q, wrap2_q, wrap3_q, hit3_q;
    logic [1:0]      port0_q;
    port_t           port1_q, port2_q;
    logic            port1_ok_q;
    logic [63:0]     addr0_q, addr1_q, addr2_q, addr3_q, not_last1_q, offset3_q;
    logic [31:0]     len0_q;
    logic [64:0]     sum;
    logic [Rows-1:0] ge2_q, le2_q, hit;
    row_t            row;

    assign sum = {1'b0, addr0_q} + {33'd0, len0_q};
    assign hit = ge2_q & le2_q;
    always_comb begin
      row = '0;
      for (int unsigned r = Rows; r > 0; r--) if (hit[r-1]) row = row_t'(r - 1);
    end

    always_ff @(posedge clk_i) begin
      xl0_q   <= translate_i[l];
      port0_q <= port_i[l];
      addr0_q <= addr_i[l];
      len0_q  <= len_i[l] - 32'd1;

      xl1_q       <= xl0_q;
      port1_q     <= port_t'(port0_q);
      port1_ok_q  <= 32'(port0_q) < Ports;
      addr1_q     <= addr0_q;
      not_last1_q <= ~sum[63:0];
      wrap1_q     <= sum[64];

      xl2_q   <= xl1_q;
      wrap2_q <= wrap1_q;
      port2_q <= port1_q;
      addr2_q <= addr1_q;
      for (int unsigned r = 0; r < Rows; r++) begin
        ge2_q[r] <= not_less(addr1_q, gpa_q[port1_q][r]);
        le2_q[r] <= not_less(not_last1_q, ~last_q[port1_q][r]) && port1_ok_q && valid_q[port1_q][r];
      end

      xl3_q     <= xl2_q;
      wrap3_q   <= wrap2_q;
      addr3_q   <= addr2_q;
      hit3_q    <= hit != '0;
      offset3_q <= offset[{port2_q, row}];

      wrap_o[l] <= wrap3_q;
      hit_o[l]  <= hit3_q || !xl3_q;
      iova_o[l] <= addr3_q + (xl3_q ? offset3_q : '0);
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && wr) assert (!((wr1_q && wr1_at_q == wr_at) || (wr2_q && wr2_at_q == wr_at)))
      else $error("two words of a row in %0d cycles (%m)", wr1_q ? 1 : 2);
  end
`endif

endmodule
