// SPDX-License-Identifier: Apache-2.0
//
// DMA port of the firmware: one operation at a time between host memory and a 4 KiB buffer, or an MSI-X message.
//
// Purpose     Control queues. A read lands in the buffer as one request; a write leaves as commands of up to 64 bytes
//             (WrImm), gathered from the buffer a byte per cycle, which needs no wide shifter; done comes when the
//             last one is committed. All of it in order on one write stream, so an MSI-X message follows its data.
// Handshake   go_i is a pulse, ignored while busy_o. done_o stays until ack_i or the next go_i. Buffer access buf_*:
//             held until buf_rsp_valid_o. DMA ports as vhp_pkg has them.
// Latency     Buffer access 2 cycles, or more while data lands. 66 cycles per 64 bytes written.
// Parameters  none; the buffer is 32 rows of 128 bytes, as the landing data comes
// Reset       Synchronous; forgets the operation. The buffer is not reset.

module vhp_soc_dma (
  input  logic        clk_i,
  input  logic        rst_i,

  // Operation; arguments are taken with go_i.
  input  logic        go_i,
  input  logic [1:0]  op_i,       // 1 read, 2 write, 3 MSI-X vector addr_i[10:0]
  input  logic [7:0]  func_i,
  input  logic [63:0] addr_i,
  input  logic [12:0] len_i,      // 1..4096
  input  logic [11:0] offset_i,   // offset + len <= 4096
  input  logic        ack_i,
  output logic        busy_o,
  output logic        done_o,
  output vhp_pkg::dma_status_e status_o,

  // The core's access to the buffer.
  input  logic        buf_req_i,
  input  logic [3:0]  buf_we_i,
  input  logic [11:2] buf_addr_i,
  input  logic [31:0] buf_wdata_i,
  output logic        buf_rsp_valid_o,
  output logic [31:0] buf_rdata_o,

  output logic                  rd_req_valid_o,
  input  logic                  rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_req_o,
  input  logic                  rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t rd_done_i,
  input  logic                  ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t  ram_wr_i,
  output logic                  wr_valid_o,
  input  logic                  wr_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_o,
  input  logic                  wr_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t wr_cmpl_i
);

  localparam logic [1:0] OpRead = 2'd1, OpWrite = 2'd2, OpMsix = 2'd3;
  localparam int unsigned Lanes = 32;   // dwords of a row

  // ---------------------------------------------------------------- buffer
  // The upper half of the client's RAM addresses and cookies is the aperture's.
  wire       land   = ram_wr_valid_i && ram_wr_i.client == vhp_pkg::RdSoc && !(ram_wr_i.we[0] ? ram_wr_i.row[0][vhp_pkg::RamAddrW-8]
                                                                                               : ram_wr_i.row[1][vhp_pkg::RamAddrW-8]);
  wire       rd_end = rd_done_valid_i && rd_done_i.client == vhp_pkg::RdSoc && !rd_done_i.cookie[9];

  logic [Lanes-1:0][31:0] row_data;
  logic [11:2]            rd_addr;
  wire                    buf_write = buf_req_i && buf_we_i != '0 && !land;

  for (genvar l = 0; l < int'(Lanes); l++) begin : g_lane
    localparam int unsigned Bank = l / 16;
    localparam int unsigned Off  = (l % 16) * 4;
    (* ram_style = "distributed" *) logic [31:0] mem [32];
    logic [4:0]  row;
    logic [3:0]  we;
    logic [31:0] data;
    always_comb begin
      row  = buf_addr_i[11:7];
      we   = buf_write && buf_addr_i[6:2] == 5'(l) ? buf_we_i : '0;
      data = buf_wdata_i;
      if (land) begin
        row  = ram_wr_i.row[Bank][4:0];
        we   = ram_wr_i.be[Bank][Off +: 4] & {4{ram_wr_i.we[Bank]}};
        data = ram_wr_i.data[Bank][8*Off +: 32];
      end
    end
    always_ff @(posedge clk_i) begin
      for (int b = 0; b < 4; b++) if (we[b]) mem[row][8*b +: 8] <= data[8*b +: 8];
    end
    assign row_data[l] = mem[rd_addr[11:7]];
  end

  // One read port, the core first.
  logic        gather, fill_q, fill_done;
  logic [11:0] byte_q;
  wire         buf_read = buf_req_i && buf_we_i == '0;
  assign rd_addr = buf_read ? buf_addr_i : byte_q[11:2];
  assign gather  = fill_q && !buf_read && !fill_done;

  logic [31:0] word_q;
  logic [1:0]  word_byte_q;
  logic        word_valid_q, buf_rsp_q;
  always_ff @(posedge clk_i) begin
    word_q       <= row_data[rd_addr[6:2]];
    word_byte_q  <= byte_q[1:0];
    word_valid_q <= gather && !rst_i;
    buf_rsp_q    <= buf_req_i && !buf_rsp_q && (buf_read || !land) && !rst_i;
  end
  assign buf_rsp_valid_o = buf_rsp_q;
  assign buf_rdata_o     = word_q;

  // ---------------------------------------------------------------- operation
  typedef enum logic [2:0] {Idle, Read, ReadWait, Fill, Send, Drain} state_e;
  state_e               state_q;
  logic                 msix_q, done_q, carry_q;
  logic [7:0]           func_q;
  logic [63:0]          addr_q;
  logic [12:0]          left_q;       // bytes not sent yet
  logic [6:0]           taken_q;      // bytes asked of the buffer for this command
  logic [6:0]           in_q;         // bytes in imm_q
  logic [6:0]           flight_q;     // commands without completion
  logic [511:0]         imm_q;
  vhp_pkg::dma_status_e status_q;

  wire [6:0]  chunk = left_q > 13'd64 ? 7'd64 : left_q[6:0];
  wire        sent  = wr_valid_o && wr_ready_i;
  wire [12:0] end_of_buffer = {1'b0, offset_i} + len_i;   // len_i 4096 at offset 0 gives 4096
  wire        args_bad = op_i != OpMsix && (len_i == '0 || len_i > 13'd4096 || end_of_buffer > 13'd4096);

  assign fill_done = taken_q == 7'd64;

  always_ff @(posedge clk_i) begin
    if (ack_i) done_q <= 1'b0;
    // The upper half of the address follows a cycle later; a command takes 64 cycles to gather.
    carry_q <= 1'b0;
    if (carry_q) addr_q[63:32] <= addr_q[63:32] + 1'b1;
    flight_q <= flight_q + 7'(sent) - 7'(wr_cmpl_valid_i);
    // The first error is the one that counts.
    if (wr_cmpl_valid_i && status_q == vhp_pkg::DmaOk) status_q <= wr_cmpl_i.status;

    if (gather) begin
      byte_q  <= byte_q + 1'b1;
      taken_q <= taken_q + 1'b1;
    end
    if (word_valid_q) begin
      imm_q <= {word_q[8*word_byte_q +: 8], imm_q[511:8]};
      in_q  <= in_q + 1'b1;
    end

    unique case (state_q)
      Idle: begin
        if (go_i && op_i != '0) begin
          done_q   <= 1'b0;
          status_q <= vhp_pkg::DmaOk;
          func_q   <= func_i;
          addr_q   <= addr_i;
          left_q   <= len_i;
          byte_q   <= offset_i;
          taken_q  <= '0;
          in_q     <= '0;
          flight_q <= '0;
          msix_q   <= op_i == OpMsix;
          if (args_bad) begin
            done_q   <= 1'b1;
            status_q <= vhp_pkg::DmaMalformed;
          end else begin
            unique case (op_i)
              OpRead:  state_q <= Read;
              OpWrite: begin
                state_q <= Fill;
                fill_q  <= 1'b1;
              end
              default: begin
                state_q     <= Send;
                imm_q[15:0] <= addr_i[15:0];
              end
            endcase
          end
        end
      end
      Read: if (rd_req_ready_i) state_q <= ReadWait;
      ReadWait: begin
        if (rd_end) begin
          state_q  <= Idle;
          done_q   <= 1'b1;
          status_q <= rd_done_i.status;
        end
      end
      // 64 bytes always, so that byte 0 of the command ends at bit 0; what is beyond `chunk` is not sent. byte_q runs
      // ahead by that much, but only in the last command.
      Fill: begin
        if (in_q == 7'd64) begin
          state_q <= Send;
          fill_q  <= 1'b0;
        end
      end
      Send: begin
        if (wr_ready_i) begin
          taken_q <= '0;
          in_q    <= '0;
          {carry_q, addr_q[31:0]} <= {1'b0, addr_q[31:0]} + 33'(chunk);
          left_q  <= left_q - 13'(chunk);
          if (!msix_q && left_q > 13'd64) begin
            state_q <= Fill;
            fill_q  <= 1'b1;
          end else begin
            state_q <= Drain;
          end
        end
      end
      Drain: begin
        if (flight_q == '0) begin
          state_q <= Idle;
          done_q  <= 1'b1;
        end
      end
      default: state_q <= Idle;
    endcase

    if (rst_i) begin
      state_q  <= Idle;
      fill_q   <= 1'b0;
      done_q   <= 1'b0;
      carry_q  <= 1'b0;
      flight_q <= '0;
      status_q <= vhp_pkg::DmaOk;
    end
  end

  always_comb begin
    rd_req_o          = '0;
    rd_req_o.func     = func_q;
    rd_req_o.addr     = addr_q;
    rd_req_o.len      = 17'(left_q);
    rd_req_o.ram_addr = vhp_pkg::RamAddrW'(byte_q);
    wr_o              = '0;
    wr_o.kind         = msix_q ? vhp_pkg::WrMsix : vhp_pkg::WrImm;
    wr_o.func         = func_q;
    wr_o.addr         = addr_q;
    wr_o.len          = 17'(chunk);
    wr_o.imm          = imm_q;
    if (msix_q) begin
      wr_o.addr = '0;
      wr_o.len  = '0;
      wr_o.imm  = 512'(imm_q[10:0]);
    end
  end
  assign rd_req_valid_o = state_q == Read;
  assign wr_valid_o     = state_q == Send;
  assign busy_o         = state_q != Idle;
  assign done_o         = done_q;
  assign status_o       = status_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(wr_cmpl_valid_i && flight_q == '0)) else $fatal(1, "write completion without command (%m)");
      assert (!(rd_end && state_q != ReadWait))
        else $fatal(1, "read done without request (%m)");
    end
  end
`endif

endmodule
