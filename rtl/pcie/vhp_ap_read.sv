// SPDX-License-Identifier: Apache-2.0
//
// The one read of an aperture that is under way: its header, the data that lands for it, its completions.
//
// Purpose     start_i takes the request; the aperture (vhp_aperture) reads host memory into the buffer here and ends with
//             ap_done_i. Dword 0 of the request lands in row 0, and row 1 starts at the request's first 128-byte
//             boundary: a row is a completion. A read that failed is one completion with UR (the IOMMU, the window or
//             the function refused) or CA (the rest); one whose function is in FLR is forgotten.
// Buffer      32 rows of 128 bytes at RAM address 2^(RamAddrW-1) of client RdSoc.
// Handshake   start_i only while not busy_o; chunk: valid/ready.
// Reset       Synchronous.

module vhp_ap_read (
  input  logic                    clk_i,
  input  logic                    rst_i,
  input  logic [vhp_pkg::NumFn-1:0] flr_i,

  input  logic                    start_i,
  input  vhp_pcie_pkg::cc_chunk_t start_req_i,     // status and dwords are not looked at
  output logic                    busy_o,
  output logic [vhp_pkg::NumFn-1:0] fn_busy_o,

  input  logic                    ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t    ram_wr_i,
  input  logic                    ap_done_valid_i,
  input  vhp_pkg::dma_status_e    ap_done_i,

  output logic                    chunk_valid_o,
  input  logic                    chunk_ready_i,
  output vhp_pcie_pkg::cc_chunk_t chunk_o,
  output logic [1023:0]           chunk_data_o,
  output logic                    ur_o             // pulse: ended with an error
);

  // ---------------------------------------------------------------- buffer
  wire land = ram_wr_valid_i && ram_wr_i.client == vhp_pkg::RdSoc;
  logic [4:0]        row_q;
  logic [31:0][31:0] row;
  for (genvar l = 0; l < 32; l++) begin : gen_lane
    localparam int unsigned Bank = l / 16;
    localparam int unsigned Off  = (l % 16) * 4;
    (* ram_style = "distributed" *) logic [31:0] mem [32];
    always_ff @(posedge clk_i) begin
      if (land && ram_wr_i.we[Bank] && ram_wr_i.row[Bank][vhp_pkg::RamAddrW-8] && ram_wr_i.be[Bank][Off])
        mem[ram_wr_i.row[Bank][4:0]] <= ram_wr_i.data[Bank][8*Off +: 32];
    end
    assign row[l] = mem[row_q];
  end

  // ---------------------------------------------------------------- the request
  typedef enum logic [1:0] { StIdle, StWait, StRow, StSend } state_e;
  state_e                  state_q;
  vhp_pcie_pkg::cc_chunk_t req_q;
  logic [10:0]             left_q;     // dwords
  logic [4:0]              at_q;       // first dword's place in its 128-byte line
  logic [1023:0]           data_q;

  wire [5:0] room    = 6'd32 - {1'b0, at_q};
  wire [5:0] n       = left_q < 11'(room) ? left_q[5:0] : room;
  wire       error   = req_q.status != vhp_pcie_pkg::CplSc;
  logic      in_flr;
  always_comb begin
    in_flr = 1'b0;
    for (int unsigned k = 0; k < vhp_pkg::NumFn; k++) begin
      fn_busy_o[k] = state_q != StIdle && req_q.request.func == 8'(k);
      if (req_q.request.func == 8'(k)) in_flr = flr_i[k];
    end
  end

  always_ff @(posedge clk_i) begin
    ur_o <= 1'b0;
    unique case (state_q)
      StIdle: begin
        req_q        <= start_req_i;
        req_q.status <= vhp_pcie_pkg::CplSc;
        left_q       <= start_req_i.request.dword_count;
        at_q         <= start_req_i.request.dword_addr[4:0];
        row_q        <= '0;
        if (start_i) state_q <= StWait;
      end
      StWait: if (ap_done_valid_i) begin
        unique case (ap_done_i)
          vhp_pkg::DmaOk:                                       req_q.status <= vhp_pcie_pkg::CplSc;
          vhp_pkg::DmaUr, vhp_pkg::DmaFlr, vhp_pkg::DmaDisabled: req_q.status <= vhp_pcie_pkg::CplUr;
          default:                                              req_q.status <= vhp_pcie_pkg::CplCa;
        endcase
        ur_o    <= ap_done_i != vhp_pkg::DmaOk;
        state_q <= in_flr ? StIdle : StRow;
      end
      StRow: begin
        data_q       <= row;
        req_q.dwords <= n;
        state_q      <= StSend;
      end
      default: if (chunk_ready_i) begin
        left_q      <= left_q - 11'(req_q.dwords);
        at_q        <= '0;
        row_q       <= row_q + 1'b1;
        req_q.bytes <= req_q.bytes - 13'({req_q.dwords, 2'b00}) + 13'(req_q.lower[1:0]);
        req_q.lower <= '0;
        state_q     <= error || left_q == 11'(req_q.dwords) || in_flr ? StIdle : StRow;
      end
    endcase
    if (rst_i) begin
      state_q <= StIdle;
      ur_o    <= 1'b0;
    end
  end

  assign busy_o        = state_q != StIdle;
  assign chunk_valid_o = state_q == StSend;
  assign chunk_o       = req_q;
  assign chunk_data_o  = data_q;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(start_i && busy_o)) else $error("a second read (%m)");
      assert (!(ap_done_valid_i && state_q != StWait)) else $error("end of no read (%m)");
    end
  end
`endif
  wire unused = &{1'b0, ram_wr_i, start_req_i};

endmodule
