// SPDX-License-Identifier: Apache-2.0
//
// One statistics counter per lane.
//
// Purpose     32-bit counters in a LUT RAM; run over. One event per cycle.
// Latency     rdata_o follows rd_lane_i combinationally; an event is in after two cycles.
// Reset       Cleared one per cycle from the end of rst_i on; events of those NumLanes cycles are lost (no lane
//             runs so early).

module vhp_lane_counter #(
  parameter int unsigned IncW = 1
) (
  input  logic            clk_i,
  input  logic            rst_i,
  input  logic            valid_i,
  input  vhp_pkg::lane_t  lane_i,
  input  logic [IncW-1:0] inc_i,
  input  vhp_pkg::lane_t  rd_lane_i,
  output logic [31:0]     rdata_o
);

  localparam int unsigned Rows = 1 << vhp_pkg::LaneW;

  logic [31:0]            mem [Rows];
  logic                   valid_q, we;
  vhp_pkg::lane_t         lane_q, waddr;
  logic [IncW-1:0]        inc_q;
  logic [vhp_pkg::LaneW:0] clear_q;   // top bit: cleared

  assign we    = valid_q || !clear_q[vhp_pkg::LaneW];
  assign waddr = clear_q[vhp_pkg::LaneW] ? lane_q : clear_q[vhp_pkg::LaneW-1:0];

  always_ff @(posedge clk_i) begin
    valid_q <= valid_i && clear_q[vhp_pkg::LaneW] && !rst_i;
    lane_q  <= lane_i;
    inc_q   <= inc_i;
    if (we) mem[waddr] <= clear_q[vhp_pkg::LaneW] ? mem[waddr] + 32'(inc_q) : '0;
    if (rst_i) clear_q <= '0;
    else if (!clear_q[vhp_pkg::LaneW]) clear_q <= clear_q + 1'b1;
  end

  assign rdata_o = mem[rd_lane_i];

endmodule
