// SPDX-License-Identifier: Apache-2.0
//
// The requester stream: reads and writes share RQ, turn by turn, whole TLPs.
//
// Purpose     The hard block holds only a few non-posted requests and then stalls RQ for writes too, so reads are held
//             back here: at most NpMax of them are in the block (their sequence numbers have not come back), and
//             none goes while the link partner's non-posted header credits are at NphLow or below. Writes likewise
//             wait while posted credits are short, so that reads do not stand behind them in the block. If nothing of a
//             kind is in the block the next one goes as soon as there is any credit: a partner with few credits is
//             slow, not dead.
// Handshake   Reads enter a FIFO (rd_room_o: at least 2 places). Writes: valid/ready beats; a write is only started when
//             its first beat is there, the others follow without a gap. RQ is registered, and valid stays up for a
//             whole TLP.
// Parameters  NpMax   1..63
//             NphLow  0..14
// Reset       Synchronous.

module vhp_rq_mux #(
  parameter int unsigned NpMax  = 12,
  parameter int unsigned NphLow = 8
) (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic                   rd_valid_i,
  output logic                   rd_room_o,
  input  vhp_pcie_pkg::rq_read_t rd_i,
  input  logic                   wr_valid_i,
  output logic                   wr_ready_o,
  input  vhp_pcie_pkg::rq_beat_t wr_i,

  input  logic [3:0]             nph_av_i,
  input  logic [7:0]             fc_ph_i,
  input  logic [11:0]            fc_pd_i,
  input  logic [2:0]             mps_i,          // largest of all functions
  input  logic [1:0]             seq_valid_i,
  input  logic [1:0][5:0]        seq_i,

  output logic                   rq_valid_o,
  input  logic                   rq_ready_i,
  output logic                   rq_last_o,
  output logic [15:0]            rq_keep_o,
  output vhp_pcie_pkg::rq_user_t rq_user_o,
  output logic [511:0]           rq_data_o,
  output logic                   idle_o
);

  initial begin
    if (NpMax < 1 || NpMax > 63 || NphLow > 14) $fatal(1, "vhp_rq_mux: NpMax %0d, NphLow %0d (%m)", NpMax, NphLow);
  end

  // ---------------------------------------------------------------- reads
  vhp_pcie_pkg::rq_read_t rd;
  logic       rd_valid, rd_take, rd_ready;
  logic [3:0] rd_level;
  vhp_stream_fifo #(.Width($bits(vhp_pcie_pkg::rq_read_t)), .Depth(8)) u_rd (
    .clk_i, .rst_i, .in_valid_i(rd_valid_i), .in_ready_o(rd_ready), .in_data_i(rd_i),
    .out_valid_o(rd_valid), .out_ready_i(rd_take), .out_data_o(rd), .level_o(rd_level)
  );
  assign rd_room_o = rd_level < 4'd5;

  // ---------------------------------------------------------------- what is in the block, and its credits
  logic [7:0] np_q, p_q;            // TLPs whose sequence numbers have not come back
  logic       np_ok_q, p_ok_q, np_any_q, p_any_q;
  logic       sent_rd, sent_wr;
  logic [1:0] back_np, back_p;
  always_comb begin
    back_np = 2'(seq_valid_i[0] && !seq_i[0][5]) + 2'(seq_valid_i[1] && !seq_i[1][5]);
    back_p  = 2'(seq_valid_i[0] && seq_i[0][5]) + 2'(seq_valid_i[1] && seq_i[1][5]);
  end
  always_ff @(posedge clk_i) begin
    np_q     <= np_q + 8'(sent_rd) - 8'(back_np);
    p_q      <= p_q + 8'(sent_wr) - 8'(back_p);
    np_ok_q  <= nph_av_i > 4'(NphLow);
    np_any_q <= nph_av_i != 4'd0;
    p_ok_q   <= fc_ph_i > 8'd4 && fc_pd_i > (12'd16 << mps_i);
    p_any_q  <= fc_ph_i != 8'd0;
    if (rst_i) begin
      np_q <= '0;
      p_q  <= '0;
    end
  end
  wire np_go = (np_ok_q && np_q < 8'(NpMax)) || (np_any_q && np_q == 8'd0);
  wire p_go  = p_ok_q || (p_any_q && p_q == 8'd0);

  // ---------------------------------------------------------------- choice
  logic in_write_q, last_wr_q, out_ready;
  wire  can_rd = rd_valid && np_go && !in_write_q;
  wire  can_wr = wr_valid_i && (in_write_q || p_go);
  wire  use_wr = can_wr && !(can_rd && last_wr_q);
  wire  use_rd = can_rd && !use_wr;
  assign wr_ready_o = use_wr && out_ready;
  assign rd_take    = use_rd && out_ready;
  assign sent_rd    = rd_take;
  assign sent_wr    = wr_ready_o && wr_i.first;

  always_ff @(posedge clk_i) begin
    if (wr_ready_o) in_write_q <= !wr_i.last;
    if (sent_wr) last_wr_q <= 1'b1;
    else if (sent_rd) last_wr_q <= 1'b0;
    if (rst_i) begin
      in_write_q <= 1'b0;
      last_wr_q  <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- beat
  vhp_pcie_pkg::rq_desc_t rd_desc;
  vhp_pcie_pkg::rq_user_t user;
  logic [15:0]            keep;
  logic                   last;
  always_comb begin
    rd_desc                = '0;
    rd_desc.tag            = rd.tag;
    rd_desc.requester_func = rd.func;
    rd_desc.req_type       = vhp_pcie_pkg::ReqMemRead;
    rd_desc.dword_count    = rd.dword_count;
    rd_desc.dword_addr     = rd.dword_addr;

    last           = use_wr ? wr_i.last : 1'b1;
    keep           = use_wr ? 16'hffff >> (4'd15 - wr_i.last_dw) : 16'h000f;
    user           = '0;
    user.is_sop    = {1'b0, use_wr ? wr_i.first : 1'b1};
    user.is_eop    = {1'b0, last};
    user.eop0_ptr  = !last ? 4'd0 : use_wr ? wr_i.last_dw : 4'd3;
    user.first_be0 = use_wr ? wr_i.first_be : rd.first_be;
    user.last_be0  = use_wr ? wr_i.last_be : rd.last_be;
    user.seq_num0  = use_wr ? wr_i.seq : vhp_pcie_pkg::SeqRead;
  end

  localparam int unsigned Width = 1 + 16 + $bits(vhp_pcie_pkg::rq_user_t) + 512;
  wire [Width-1:0] beat = {last, keep, user, use_wr ? wr_i.data : {384'd0, rd_desc}};
  logic [Width-1:0] out;
  vhp_stream_reg #(.Width(Width)) u_out (
    .clk_i, .rst_i, .in_valid_i(use_wr || use_rd), .in_ready_o(out_ready), .in_data_i(beat),
    .out_valid_o(rq_valid_o), .out_ready_i(rq_ready_i), .out_data_o(out)
  );
  assign {rq_last_o, rq_keep_o, rq_user_o, rq_data_o} = out;

  assign idle_o = !rd_valid && !wr_valid_i && !rq_valid_o && !rd_valid_i && np_q == 8'd0 && p_q == 8'd0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!rd_valid_i || rd_ready) else $error("read FIFO overrun (%m)");
      assert (!in_write_q || wr_valid_i) else $error("a gap in a write TLP (%m)");
      assert (!wr_valid_i || in_write_q != wr_i.first) else $error("write TLP out of frame (%m)");
    end
  end
`endif
  wire unused = &{1'b0, rd_ready, seq_i};

endmodule
