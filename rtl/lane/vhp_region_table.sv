// SPDX-License-Identifier: Apache-2.0
//
// Region tables of the ports: guest-physical to IOVA, with bounds.
//
// Purpose     [addr, addr + len) must lie in one valid row of the port's table; else hit is 0. A range that wraps
//             at 2^64 gives wrap, whether it is to be translated or not.
// Handshake   None: Lookups independent pipelines, one lookup per cycle each, answer vhp_lane_pkg::XlateLat (5)
//             cycles later. translate_i 0 passes the address through with hit 1.
// Reset       Rows become invalid.

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

  localparam int unsigned Rows = vhp_pkg::MaxRegions;
  localparam int unsigned Ports = vhp_pkg::NumPorts;

  initial begin
    if (Rows != 8) $fatal(1, "vhp_region_table: MaxRegions %0d, the register map has 8 rows per port (%m)", Rows);
    if (vhp_lane_pkg::XlateLat != 5) $fatal(1, "vhp_region_table: the pipeline has 5 stages (%m)");
  end

  logic [Ports-1:0][Rows-1:0][63:0] gpa_q, last_q, iova_q;
  logic [Ports-1:0][Rows-1:0]       valid_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned p = 0; p < Ports; p++) begin
      for (int unsigned r = 0; r < Rows; r++) begin
        if (rgn_wr_i.valid && rgn_wr_i.row == 5'(p * Rows + r)) begin
          unique case (rgn_wr_i.word)
            vhp_lane_pkg::RgnGpaLo:  gpa_q[p][r][31:0]   <= rgn_wr_i.data;
            vhp_lane_pkg::RgnGpaHi:  gpa_q[p][r][63:32]  <= rgn_wr_i.data;
            vhp_lane_pkg::RgnLastLo: last_q[p][r][31:0]  <= rgn_wr_i.data;
            vhp_lane_pkg::RgnLastHi: last_q[p][r][63:32] <= rgn_wr_i.data;
            vhp_lane_pkg::RgnIovaLo: iova_q[p][r][31:0]  <= rgn_wr_i.data;
            vhp_lane_pkg::RgnIovaHi: iova_q[p][r][63:32] <= rgn_wr_i.data;
            vhp_lane_pkg::RgnCtrl:   valid_q[p][r]       <= rgn_wr_i.data[0];
            default: ;
          endcase
        end
      end
    end
    if (rst_i) valid_q <= '0;
  end

  for (genvar l = 0; l < Lookups; l++) begin : g_lookup
    // 1: end of the range; the port's rows.
    logic                  xl1_q, xl2_q, xl3_q, xl4_q, wrap1_q, wrap2_q, wrap3_q, wrap4_q;
    logic [63:0]           addr1_q, addr2_q, addr3_q, addr4_q, end1_q;
    logic [Rows-1:0]       ge2_q, le2_q;
    logic [1:0]            port1_q, port2_q;
    logic                  hit3_q, hit4_q;
    logic [63:0]           gpa3_q, iova3_q, delta4_q;
    logic [64:0]           sum;
    logic [Rows-1:0]       hit;
    logic [63:0]           gpa_sel, iova_sel;

    assign sum = {1'b0, addr_i[l]} + {33'd0, len_i[l] - 32'd1};

    always_comb begin
      gpa_sel  = '0;
      iova_sel = '0;
      hit      = '0;
      for (int unsigned p = 0; p < Ports; p++) begin
        if (port2_q == 2'(p)) hit = ge2_q & le2_q & valid_q[p];
      end
      for (int unsigned p = 0; p < Ports; p++) begin
        for (int unsigned r = 0; r < Rows; r++) begin
          // The lowest row that matches, should firmware have written rows that overlap.
          if (port2_q == 2'(p) && ge2_q[r] && le2_q[r] && valid_q[p][r] && (hit & ((Rows'(1) << r) - 1'b1)) == '0) begin
            gpa_sel  |= gpa_q[p][r];
            iova_sel |= iova_q[p][r];
          end
        end
      end
    end

    always_ff @(posedge clk_i) begin
      xl1_q   <= translate_i[l];
      addr1_q <= addr_i[l];
      end1_q  <= sum[63:0];
      wrap1_q <= sum[64];
      port1_q <= port_i[l];

      xl2_q   <= xl1_q;
      addr2_q <= addr1_q;
      wrap2_q <= wrap1_q;
      port2_q <= port1_q;
      ge2_q   <= '0;
      le2_q   <= '0;
      for (int unsigned p = 0; p < Ports; p++) begin
        for (int unsigned r = 0; r < Rows; r++) begin
          if (port1_q == 2'(p)) begin
            ge2_q[r] <= addr1_q >= gpa_q[p][r];
            le2_q[r] <= end1_q <= last_q[p][r];
          end
        end
      end

      xl3_q   <= xl2_q;
      addr3_q <= addr2_q;
      wrap3_q <= wrap2_q;
      hit3_q  <= |hit;
      gpa3_q  <= gpa_sel;
      iova3_q <= iova_sel;

      xl4_q    <= xl3_q;
      addr4_q  <= addr3_q;
      wrap4_q  <= wrap3_q;
      hit4_q   <= hit3_q;
      delta4_q <= iova3_q - gpa3_q;

      iova_o[l] <= xl4_q ? addr4_q + delta4_q : addr4_q;
      hit_o[l]  <= hit4_q || !xl4_q;
      wrap_o[l] <= wrap4_q;
    end
  end

endmodule
