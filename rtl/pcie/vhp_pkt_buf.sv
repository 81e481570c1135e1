// SPDX-License-Identifier: Apache-2.0
//
// Packet buffer: two banks of 64-byte rows, written by landing reads, read by the write engine.
//
// Handshake   ram_wr: vhp_pkg::dma_ram_wr_t, beats of client RdPacket are taken. Read: a row per bank each cycle.
// Latency     Read data 2 cycles after the address (block RAM with output register).

module vhp_pkt_buf (
  input  logic                 clk_i,
  input  logic                 ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t ram_wr_i,
  input  logic [1:0][9:0]      rd_row_i,
  output logic [1:0][511:0]    rd_data_o
);

  localparam int unsigned Rows = vhp_pkg::PktBufBytes / 128;

  initial begin
    if (Rows < 2 || Rows > 1024 || (Rows & (Rows - 1)) != 0) $fatal(1, "vhp_pkt_buf: %0d rows (%m)", Rows);
  end
  localparam int unsigned RowW = $clog2(Rows);

  for (genvar b = 0; b < 2; b++) begin : gen_bank
    logic [511:0] mem [Rows];
    logic [511:0] data_q;
    wire we = ram_wr_valid_i && ram_wr_i.client == vhp_pkg::RdPacket && ram_wr_i.we[b];

    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < 64; i++)
        if (we && ram_wr_i.be[b][i]) mem[ram_wr_i.row[b][RowW-1:0]][8*i +: 8] <= ram_wr_i.data[b][8*i +: 8];
    end
    always_ff @(posedge clk_i) begin
      data_q       <= mem[rd_row_i[b][RowW-1:0]];
      rd_data_o[b] <= data_q;
    end
  end

endmodule
