// SPDX-License-Identifier: Apache-2.0
//
// Single-port RAM of 32-bit words with byte enables, for block RAM.
//
// Handshake   en_i starts an access; we_i = 0 reads. rdata_o of a write is the old word.
// Latency     rdata_o one cycle after en_i; it holds until the next access.
// Parameters  Depth        words, power of two, 16..65536
//             InitFile     $readmemh image that the configuration loads, "" for none
//             InitPlusarg  simulation: name of a plusarg whose file replaces InitFile, "" for none
// Reset       None; the content is undefined without an image.

module vhp_ram_sp #(
  parameter int unsigned Depth       = 256,
  parameter              InitFile    = "",
  parameter              InitPlusarg = ""
) (
  input  logic                     clk_i,
  input  logic                     en_i,
  input  logic [3:0]               we_i,
  input  logic [$clog2(Depth)-1:0] addr_i,
  input  logic [31:0]              wdata_i,
  output logic [31:0]              rdata_o
);

  (* ram_style = "block" *) logic [31:0] mem [Depth];

`ifndef SYNTHESIS
  string path;
`endif

  initial begin
    if (Depth < 16 || Depth > 65536 || (Depth & (Depth - 1)) != 0) begin
      $fatal(1, "vhp_ram_sp: Depth %0d is not a power of two in 16..65536 (%m)", Depth);
    end
`ifndef SYNTHESIS
    if (InitPlusarg != "" && $value$plusargs({InitPlusarg, "=%s"}, path)) $readmemh(path, mem);
    else
`endif
    if (InitFile != "") $readmemh(InitFile, mem);
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      for (int b = 0; b < 4; b++) begin
        if (we_i[b]) mem[addr_i][8*b +: 8] <= wdata_i[8*b +: 8];
      end
      rdata_o <= mem[addr_i];
    end
  end

endmodule
