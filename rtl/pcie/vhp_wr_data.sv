// SPDX-License-Identifier: Apache-2.0
//
// Write TLPs become beats of RQ: descriptor, and the payload rotated to its place behind it.
//
// Stages      H   descriptor fields of the TLP
//             G   one beat per cycle; the rows of both banks that hold its 64 source bytes are addressed
//             D1  RAM
//             D2  RAM output: lane q comes from one bank or the other; rotate by 8-byte steps
//             D3  rotate by bytes
//             D4  descriptor and num_buffers laid over, disabled bytes cleared
//             FIFO to the RQ multiplexer
//             A TLP starts only when the FIFO has room for all of it: nothing stalls in between, and once its first
//             beat is in the FIFO the others follow without a gap.
// Handshake   tlp: valid/ready with its inline data beside it. out: valid/ready beats, framed by first and last.
// Reset       Synchronous.

module vhp_wr_data (
  input  logic                    clk_i,
  input  logic                    rst_i,

  input  logic                    ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t    ram_wr_i,

  input  logic                    tlp_valid_i,
  output logic                    tlp_ready_o,
  input  vhp_pcie_pkg::wr_tlp_t   tlp_i,
  input  logic [511:0]            tlp_imm_i,

  output logic                    out_valid_o,
  input  logic                    out_ready_i,
  output vhp_pcie_pkg::rq_beat_t  out_o,
  output logic                    idle_o
);

  localparam int unsigned Depth = 32;      // beats; the largest TLP has 17

  // ---------------------------------------------------------------- H
  logic                  h_valid_q, h_imm_q, g_start;
  vhp_pcie_pkg::wr_tlp_t h_q;
  logic [10:0]           h_last_q;   // last byte, from the first beat's byte 0
  wire  [4:0]            h_beats = h_last_q[10:6] + 5'd1;

  // A word of inline data waits here until its last beat has left; the FIFO's depth covers the stages.
  wire         take = tlp_valid_i && tlp_ready_o;
  logic        imm_ready, imm_valid, imm_pop;
  logic [511:0] imm_data;
  wire [3:0]   unused_imm_level;
  vhp_stream_fifo #(.Width(512), .Depth(8)) u_imm (
    .clk_i, .rst_i,
    .in_valid_i(take && tlp_i.imm), .in_ready_o(imm_ready), .in_data_i(tlp_imm_i),
    .out_valid_o(imm_valid), .out_ready_i(imm_pop), .out_data_o(imm_data), .level_o(unused_imm_level)
  );

  assign tlp_ready_o = !h_valid_q || g_start;
  always_ff @(posedge clk_i) begin
    if (tlp_ready_o) begin
      h_valid_q <= tlp_valid_i;
      h_q       <= tlp_i;
      h_imm_q   <= tlp_i.imm;
      h_last_q  <= 11'd16 + 11'(tlp_i.addr[1:0]) + 11'(tlp_i.len);
    end
    if (rst_i) h_valid_q <= 1'b0;
  end

  wire [1:0]  h_lo     = h_q.addr[1:0];
  wire [8:0]  h_end_dw = h_last_q[10:2] - 9'd4;           // last dword, from the first
  wire [1:0]  h_end_lo = h_last_q[1:0] + 2'd1;
  wire        h_one    = h_end_dw == 9'd0;
  vhp_pcie_pkg::rq_desc_t h_desc;
  always_comb begin
    h_desc                = '0;
    h_desc.requester_func = vhp_pcie_pkg::block_fn(h_q.func);
    h_desc.req_type       = vhp_pcie_pkg::ReqMemWrite;
    h_desc.dword_count    = 11'(h_end_dw) + 11'd1;
    h_desc.dword_addr     = h_q.addr[63:2];
  end

  // ---------------------------------------------------------------- G
  typedef struct packed {
    logic         valid;
    logic         first;
    logic         last;
    logic         imm;
    logic         odd;         // the first source row is in bank 1
    logic [5:0]   rot;         // source lane of byte 0
    logic [10:0]  stop;        // last valid byte, from this beat's byte 0
    logic [1:0]   lo;
    logic [127:0] desc;
    logic [3:0]   first_be;
    logic [3:0]   last_be;
    logic [4:0]   place;
    logic         patch10;
    logic         patch11;
    logic [4:0]   at10;        // byte of the beat
    logic [4:0]   at11;
    logic [15:0]  num_buffers;
  } ctl_t;

  ctl_t        g_q, d1_q, d2_q, d3_q, d4_q;
  logic [10:0] g_block_q;
  logic [4:0]  g_left_q;       // beats after this one
  logic [5:0]  room_q;         // free places of the FIFO, less what is under way
  logic        out_pop;

  wire g_busy = g_q.valid && g_left_q != 5'd0;
  assign g_start = h_valid_q && !g_busy && room_q >= 6'(h_beats);
  wire [16:0] h_src = h_q.src - 17'd16 - 17'(h_lo);

  always_ff @(posedge clk_i) begin
    if (g_start) begin
      g_q.valid       <= 1'b1;
      g_q.first       <= 1'b1;
      g_q.last        <= h_beats == 5'd1;
      g_q.imm         <= h_imm_q;
      g_q.odd         <= h_src[6];
      g_q.rot         <= h_src[5:0];
      g_q.stop        <= h_last_q;
      g_q.lo          <= h_lo;
      g_q.desc        <= h_desc;
      g_q.first_be    <= vhp_pcie_pkg::first_be(h_lo, h_one, h_end_lo);
      g_q.last_be     <= h_one ? 4'd0 : vhp_pcie_pkg::last_be_mask(h_end_lo);
      g_q.place       <= h_q.place;
      g_q.patch10     <= h_q.patch10;
      g_q.patch11     <= h_q.patch11;
      g_q.at10        <= 5'd16 + 5'(h_lo) + 5'(h_q.at10);
      g_q.at11        <= 5'd16 + 5'(h_lo) + 5'(h_q.at11);
      g_q.num_buffers <= h_q.num_buffers;
      g_block_q       <= h_src[16:6];
      g_left_q        <= h_beats - 5'd1;
    end else if (g_busy) begin
      g_q.first   <= 1'b0;
      g_q.last    <= g_left_q == 5'd1;
      g_q.odd     <= !g_q.odd;
      g_q.stop    <= g_q.stop - 11'd64;
      g_q.patch10 <= 1'b0;
      g_q.patch11 <= 1'b0;
      g_block_q   <= g_block_q + 1'b1;
      g_left_q    <= g_left_q - 5'd1;
    end else begin
      g_q.valid <= 1'b0;
    end
    room_q <= room_q - (g_start ? 6'(h_beats) : 6'd0) + 6'(out_pop);
    if (rst_i) begin
      g_q.valid <= 1'b0;
      g_left_q  <= '0;
      room_q    <= 6'(Depth);
    end
  end

  // ---------------------------------------------------------------- D1, D2: source rows
  logic [1:0][9:0]   row;
  logic [1:0][511:0] bank;
  assign row[1] = g_block_q[10:1];
  assign row[0] = g_block_q[10:1] + 10'(g_block_q[0]);

  vhp_pkt_buf u_buf (.clk_i, .ram_wr_valid_i, .ram_wr_i, .rd_row_i(row), .rd_data_o(bank));

  always_ff @(posedge clk_i) begin
    d1_q <= g_q;
    d2_q <= d1_q;
    d3_q <= d2_q;
    d4_q <= d3_q;
    if (rst_i) begin
      d1_q.valid <= 1'b0;
      d2_q.valid <= 1'b0;
      d3_q.valid <= 1'b0;
      d4_q.valid <= 1'b0;
    end
  end

  // Which bank each lane takes is known a stage before the data.
  logic [63:0]  bank1_q;
  logic         imm2_q;
  always_ff @(posedge clk_i) begin
    for (int unsigned q = 0; q < 64; q++) bank1_q[q] <= (6'(q) >= d1_q.rot) == d1_q.odd;
    imm2_q <= d1_q.imm;
  end
  assign imm_pop = d2_q.valid && d2_q.imm && d2_q.last;

  logic [511:0] lanes, rot8, rot8_q;
  always_comb begin
    for (int unsigned q = 0; q < 64; q++)
      lanes[8*q +: 8] = imm2_q ? imm_data[8*q +: 8] : bank1_q[q] ? bank[1][8*q +: 8] : bank[0][8*q +: 8];
    for (int unsigned w = 0; w < 8; w++) rot8[64*w +: 64] = lanes[64*32'(3'(w) + d2_q.rot[5:3]) +: 64];
  end

  // ---------------------------------------------------------------- D3: rotate by bytes, mask
  logic [511:0] rot1, rot1_q;
  logic [63:0]  keep_q;
  logic [15:0]  hit10_q, hit11_q;    // bytes 16..31 of the beat
  always_comb begin
    for (int unsigned p = 0; p < 64; p++) rot1[8*p +: 8] = rot8_q[8*32'(6'(p) + 6'(d3_q.rot[2:0])) +: 8];
  end
  always_ff @(posedge clk_i) begin
    rot8_q <= rot8;
    rot1_q <= rot1;
    for (int unsigned p = 0; p < 64; p++)
      keep_q[p] <= (d3_q.stop[10:6] != 5'd0 || 6'(p) <= d3_q.stop[5:0]) && (!d3_q.first || 6'(p) >= 6'd16 + 6'(d3_q.lo));
    for (int unsigned p = 0; p < 16; p++) begin
      hit10_q[p] <= d3_q.patch10 && d3_q.at10 == 5'(p + 16);
      hit11_q[p] <= d3_q.patch11 && d3_q.at11 == 5'(p + 16);
    end
  end

  // ---------------------------------------------------------------- D4: overlay
  vhp_pcie_pkg::rq_beat_t beat_q;
  logic [511:0] laid;
  logic         beat_valid_q, fifo_ready;
  always_comb begin
    for (int unsigned p = 0; p < 64; p++) laid[8*p +: 8] = keep_q[p] ? rot1_q[8*p +: 8] : 8'd0;
    for (int unsigned p = 0; p < 16; p++) begin
      if (keep_q[p+16] && hit10_q[p]) laid[8*(p+16) +: 8] = d4_q.num_buffers[7:0];
      if (keep_q[p+16] && hit11_q[p]) laid[8*(p+16) +: 8] = d4_q.num_buffers[15:8];
    end
    if (d4_q.first) laid[127:0] = d4_q.desc;
  end
  always_ff @(posedge clk_i) begin
    beat_valid_q    <= !rst_i && d4_q.valid;
    beat_q.first    <= d4_q.first;
    beat_q.last     <= d4_q.last;
    beat_q.last_dw  <= d4_q.last ? d4_q.stop[5:2] : 4'd15;
    beat_q.first_be <= d4_q.first ? d4_q.first_be : 4'd0;
    beat_q.last_be  <= d4_q.first ? d4_q.last_be : 4'd0;
    beat_q.seq      <= {1'b1, d4_q.place};
    beat_q.data     <= laid;
  end

  wire [5:0] unused_level;
  vhp_stream_fifo #(.Width($bits(vhp_pcie_pkg::rq_beat_t)), .Depth(Depth)) u_out (
    .clk_i, .rst_i,
    .in_valid_i(beat_valid_q), .in_ready_o(fifo_ready), .in_data_i(beat_q),
    .out_valid_o, .out_ready_i, .out_data_o(out_o), .level_o(unused_level)
  );
  assign out_pop = out_valid_o && out_ready_i;

  assign idle_o = !h_valid_q && !g_q.valid && !d1_q.valid && !d2_q.valid && !d3_q.valid && !d4_q.valid &&
                  !beat_valid_q && !out_valid_o;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!beat_valid_q || fifo_ready) else $error("beat FIFO overrun (%m)");
      assert (!(take && tlp_i.imm) || imm_ready) else $error("inline data overrun (%m)");
      assert (!imm_pop || imm_valid) else $error("inline data missing (%m)");
    end
  end
`endif
  wire unused = &{1'b0, imm_ready, imm_valid, fifo_ready, h_q, d4_q};

endmodule
