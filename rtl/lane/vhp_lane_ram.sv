// SPDX-License-Identifier: Apache-2.0
//
// A bank of ring RAM: 64-byte rows, byte enables, one write and one read port.
//
// Latency     rdata_o follows raddr_i by one cycle; a read of the row that is being written gives the old bytes.
// Parameters  Rows  power of two, 2..4096

module vhp_lane_ram #(
  parameter int unsigned Rows = 32,
  localparam int unsigned AddrW = $clog2(Rows)
) (
  input  logic             clk_i,
  input  logic             we_i,
  input  logic [AddrW-1:0] waddr_i,
  input  logic [63:0]      be_i,
  input  logic [511:0]     wdata_i,
  input  logic [AddrW-1:0] raddr_i,
  output logic [511:0]     rdata_o
);

  initial begin
    if (Rows < 2 || Rows > 4096 || (Rows & (Rows - 1)) != 0) begin
      $fatal(1, "vhp_lane_ram: Rows %0d is not a power of two in 2..4096 (%m)", Rows);
    end
  end

  logic [511:0] mem [Rows];

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < 64; b++) begin
      if (we_i && be_i[b]) mem[waddr_i][b*8 +: 8] <= wdata_i[b*8 +: 8];
    end
    rdata_o <= mem[raddr_i];
  end

endmodule
