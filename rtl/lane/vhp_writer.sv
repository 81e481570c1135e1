// SPDX-License-Identifier: Apache-2.0
//
// Writer: packets in plan order into the sink's buffers.
//
// Purpose     Waits until the oldest packet of the table has all its bytes, and cuts it over the segments of the sink
//             chains that the planner counted for it. num_buffers is patched into the header.
// Errors      A packet with a failed read is not written, nor any later one of its lane; each still leaves the table
//             as an aborted event, so that the used writer can tell when the lane is empty.
// Handshake   wr_*, ev_*: valid/ready and room, from registers; a used event follows the command of the chain's last byte.
//             free_pkt_o as a packet is taken from the table; free_rows once the last command has read the packet buffer.
// Latency     3 cycles per packet of one slice, as per further slice; the next packet is looked up meanwhile.

module vhp_writer (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t     init_i,

  output vhp_lane_pkg::pkt_t           pkt_idx_o,
  input  vhp_lane_pkg::packet_t        pkt_i,
  input  logic                         pkt_there_i,
  input  logic                         pkt_done_i,
  input  logic                         pkt_bad_i,
  input  vhp_pkg::dma_status_e         pkt_status_i,
  output logic                         free_pkt_o,
  output logic                         free_rows_valid_o,
  output vhp_lane_pkg::pktrow_t        free_rows_o,

  output vhp_pkg::lane_t                    chain_rd_lane_o,
  output logic [vhp_lane_pkg::ChainW-1:0]   chain_rd_ptr_o,
  input  vhp_lane_pkg::chain_t              chain_rd_i,
  output logic [vhp_lane_pkg::SegW-1:0]     seg_rd_ptr_o,
  input  vhp_lane_pkg::seg_t                seg_rd_i,
  output vhp_lane_pkg::chain_pop_t          chain_pop_o,
  output vhp_lane_pkg::seg_pop_t            seg_pop_o,

  output logic                         wr_valid_o,
  input  logic                         wr_ready_i,
  output vhp_pkg::dma_wr_req_t         wr_o,
  input  vhp_lane_pkg::seq_t           wr_seq_i,
  input  vhp_lane_pkg::seq_t           seq_done_i,

  output logic                         ev_valid_o,
  input  logic                         ev_room_i,    // for six more
  output vhp_lane_pkg::used_ev_t       ev_o,

  output logic                         moved_valid_o,   // statistics: a packet was written
  output vhp_pkg::lane_t               moved_lane_o,
  output logic [16:0]                  moved_len_o,
  output logic                         work_o
);

  localparam int unsigned N      = vhp_pkg::NumLanes;
  localparam int unsigned ChainW = vhp_lane_pkg::ChainW;
  localparam int unsigned SegW   = vhp_lane_pkg::SegW;
  // Longest slice of one command.
  localparam logic [16:0] Slice  = 17'h08000;

  typedef enum logic [2:0] {XIdle, XRead, XGet, XCut, XCmd, XSkip} xstate_e;
  typedef struct packed {
    vhp_lane_pkg::seq_t    seq;
    vhp_lane_pkg::pktrow_t rows;
  } retire_t;

  logic [N-1:0][7:0] func_q;
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      if (ctx_wr_i.valid && ctx_wr_i.word == vhp_lane_pkg::CtxCfg && ctx_wr_i.qid == vhp_pkg::qid_t'(l * 2 + 1)) begin
        func_q[l] <= ctx_wr_i.data[7:0];
      end
    end
  end

  // ---------------------------------------------------------------- the oldest packet of the table
  vhp_lane_pkg::pkt_t    idx_q;
  vhp_lane_pkg::packet_t h_q;
  logic                  look_q;       // what stands in h_q is of this idx_q
  logic                  h_done_q, h_bad_q, h_ready, take;
  vhp_pkg::dma_status_e  h_status_q;
  assign pkt_idx_o  = idx_q;
  assign h_ready    = look_q && h_done_q;
  assign free_pkt_o = take;

  always_ff @(posedge clk_i) begin
    h_q        <= pkt_i;
    h_done_q   <= pkt_there_i && pkt_done_i;
    h_bad_q    <= pkt_bad_i && !pkt_i.drop;
    h_status_q <= pkt_status_i;
    look_q     <= !take && !rst_i;
    if (take) idx_q <= idx_q + 1'b1;
    if (rst_i) idx_q <= '0;
  end

  // ---------------------------------------------------------------- the packet at work
  xstate_e               st_q;
  vhp_lane_pkg::packet_t p_q;
  vhp_lane_pkg::pktrow_t rows_q;       // of the packet buffer
  logic                  p_dead_q, p_bad_q;
  vhp_pkg::dma_status_e  p_status_q;
  logic [N-1:0]             dead_q;
  logic [N-1:0][ChainW-1:0] krp_q;
  logic [N-1:0][SegW-1:0]   srp_q;
  logic [ChainW-1:0]     krp_cur_q, krp_after;
  logic [SegW-1:0]       srp_cur_q, srp_after;
  logic                  new_chain_q;
  logic [15:0]           head_q;
  logic [8:0]            segs_left_q;
  logic [7:0]            fn_q;
  logic [63:0]           addr_q;
  logic [vhp_pkg::RamAddrW-1:0] ram_q;
  logic [3:0]            patch_off_q;
  logic [16:0]           seg_left_q, pkt_left_q, chain_len_q, n_q;
  logic                  seg_end_q, pkt_end_q, one_seg_q, wr_valid_q;
  logic                  cmd, chain_end, seg_end, pkt_end, src_due_q, retire_room, room_q;

  assign chain_rd_lane_o = p_q.lane;
  assign chain_rd_ptr_o  = krp_cur_q;
  assign seg_rd_ptr_o    = srp_cur_q;

  // The shortest of segment, packet and slice, compared all at once.
  logic seg_short, pkt_short, seg_fits, pkt_fits;
  assign seg_short = seg_left_q <= pkt_left_q;
  assign pkt_short = pkt_left_q <= seg_left_q;
  assign seg_fits  = seg_left_q <= Slice;
  assign pkt_fits  = pkt_left_q <= Slice;

  assign wr_valid_o = wr_valid_q;
  always_comb begin
    wr_o             = '0;
    wr_o.kind        = vhp_pkg::WrPacket;
    wr_o.func        = fn_q;
    wr_o.port        = vhp_lane_pkg::port_of(p_q.lane);
    wr_o.addr        = addr_q;
    wr_o.len         = n_q;
    wr_o.ram_addr    = ram_q;
    wr_o.patch       = 1'b1;
    wr_o.patch_off   = patch_off_q;
    wr_o.num_buffers = 16'(p_q.nchains);
  end

  assign cmd       = wr_valid_q && wr_ready_i;
  assign pkt_end   = cmd && pkt_end_q;
  assign chain_end = cmd && (pkt_end_q || (seg_end_q && one_seg_q));
  assign seg_end   = cmd && (pkt_end_q || seg_end_q);
  // Room for what this packet still brings and for all of the next one's first slice.
  assign take      = h_ready && room_q && (st_q == XIdle || st_q == XSkip || pkt_end);
  assign krp_after = krp_cur_q + 1'b1;
  assign srp_after = srp_cur_q + SegW'(chain_end ? segs_left_q : 9'd1);

  always_ff @(posedge clk_i) begin
    chain_pop_o.valid <= chain_end && !rst_i;
    chain_pop_o.lane  <= p_q.lane;
    seg_pop_o.valid   <= seg_end && !rst_i;
    seg_pop_o.lane    <= p_q.lane;
    seg_pop_o.count   <= chain_end ? segs_left_q : 9'd1;
    room_q            <= ev_room_i && retire_room;
    if (chain_end) krp_q[p_q.lane] <= krp_after;
    if (seg_end)   srp_q[p_q.lane] <= srp_after;
    unique case (st_q)
      XIdle: ;
      XSkip: st_q <= XIdle;
      XRead: st_q <= XGet;
      XGet: begin
        addr_q      <= seg_rd_i.addr;
        seg_left_q  <= seg_rd_i.len;
        if (new_chain_q) begin
          head_q      <= chain_rd_i.head;
          segs_left_q <= chain_rd_i.nsegs;
          one_seg_q   <= chain_rd_i.nsegs == 9'd1;
          chain_len_q <= '0;
        end
        new_chain_q <= 1'b0;
        // The common case, one slice for the whole packet, saves the cut.
        n_q         <= pkt_left_q;
        seg_end_q   <= 1'b0;
        pkt_end_q   <= 1'b1;
        if (seg_rd_i.len >= pkt_left_q && pkt_left_q <= Slice) begin
          st_q       <= XCmd;
          wr_valid_q <= room_q;
        end else begin
          st_q       <= XCut;
        end
      end
      XCut: begin
        n_q        <= seg_short && seg_fits ? seg_left_q : pkt_short && pkt_fits ? pkt_left_q : Slice;
        seg_end_q  <= seg_short && seg_fits;
        pkt_end_q  <= pkt_short && pkt_fits;
        st_q       <= XCmd;
        wr_valid_q <= room_q;
      end
      default: if (cmd) begin   // XCmd
        wr_valid_q  <= 1'b0;
        ram_q       <= ram_q + n_q;
        patch_off_q <= n_q > 17'd15 || 5'(patch_off_q) + n_q[4:0] > 5'd15 ? 4'd15 : patch_off_q + n_q[3:0];
        pkt_left_q  <= pkt_left_q - n_q;
        seg_left_q  <= seg_left_q - n_q;
        addr_q      <= addr_q + 64'(n_q);
        chain_len_q <= chain_len_q + n_q;
        if (chain_end) begin
          krp_cur_q   <= krp_after;
          new_chain_q <= 1'b1;
        end else if (seg_end_q) begin
          segs_left_q <= segs_left_q - 9'd1;
          one_seg_q   <= segs_left_q == 9'd2;
        end
        if (seg_end) srp_cur_q <= srp_after;
        if (pkt_end) st_q <= XIdle;
        else         st_q <= seg_end ? XRead : XCut;
      end else if (room_q) begin
        wr_valid_q <= 1'b1;
      end
    endcase
    if (take) begin
      p_q         <= h_q;
      rows_q      <= vhp_lane_pkg::PktRowW'((h_q.len + 17'd63) >> 6);
      fn_q        <= func_q[h_q.lane];
      // The pointers of a lane that goes on move in this very cycle.
      krp_cur_q   <= pkt_end && h_q.lane == p_q.lane ? krp_after : krp_q[h_q.lane];
      srp_cur_q   <= pkt_end && h_q.lane == p_q.lane ? srp_after : srp_q[h_q.lane];
      new_chain_q <= 1'b1;
      pkt_left_q  <= h_q.len;
      ram_q       <= {h_q.row, 6'd0};
      patch_off_q <= '0;
      p_dead_q    <= dead_q[h_q.lane];
      p_bad_q     <= h_bad_q;
      p_status_q  <= h_status_q;
      if (h_bad_q) dead_q[h_q.lane] <= 1'b1;
      st_q        <= dead_q[h_q.lane] || h_bad_q || h_q.drop ? XSkip : XRead;
    end
    if (init_i.valid) begin
      dead_q[init_i.lane] <= 1'b0;
      krp_q[init_i.lane]  <= '0;
      srp_q[init_i.lane]  <= '0;
    end
    if (rst_i) begin
      st_q       <= XIdle;
      wr_valid_q <= 1'b0;
      room_q     <= 1'b0;
      dead_q     <= '0;
    end
  end

  // ---------------------------------------------------------------- used events: sink chains, then the source
  vhp_lane_pkg::used_ev_t src_ev_q;

  always_ff @(posedge clk_i) begin
    src_due_q <= (pkt_end || st_q == XSkip) && !rst_i;
    src_ev_q         <= '0;
    src_ev_q.lane    <= p_q.lane;
    src_ev_q.last    <= 1'b1;
    src_ev_q.whole   <= 1'b1;
    src_ev_q.head    <= p_q.head;
    src_ev_q.aborted <= st_q == XSkip && (p_dead_q || p_bad_q);
    src_ev_q.reason  <= st_q == XSkip && p_bad_q && !p_dead_q ? vhp_lane_pkg::stop_of(p_status_q) : vhp_pkg::StopNone;

    ev_valid_o <= (chain_end || src_due_q) && !rst_i;
    if (src_due_q) begin
      ev_o <= src_ev_q;
    end else begin
      ev_o       <= '0;
      ev_o.lane  <= p_q.lane;
      ev_o.sink  <= 1'b1;
      ev_o.whole <= pkt_end_q;
      ev_o.head  <= head_q;
      ev_o.len   <= chain_len_q + n_q;
    end
  end

  // ---------------------------------------------------------------- the packet buffer is free once it was read
  retire_t rt_in, rt;
  logic    rt_valid, rt_take, rt_push, rt_ready, rt_push_q;
  logic [7:0] rt_level;
  // A packet that is not written has rows too, unless it was a drop.
  assign rt_push = pkt_end || (st_q == XSkip && !p_q.drop);

  always_ff @(posedge clk_i) begin
    rt_push_q  <= rt_push && !rst_i;
    rt_in.seq  <= pkt_end ? wr_seq_i : wr_seq_i - 16'd1;
    rt_in.rows <= rows_q;
  end

  vhp_stream_fifo #(.Width($bits(retire_t)), .Depth(128)) u_retire (
    .clk_i, .rst_i,
    .in_valid_i  (rt_push_q),
    .in_ready_o  (rt_ready),
    .in_data_i   (rt_in),
    .out_valid_o (rt_valid),
    .out_ready_i (rt_take),
    .out_data_o  (rt),
    .level_o     (rt_level)
  );
  assign rt_take     = rt_valid && vhp_lane_pkg::seq_past(seq_done_i, rt.seq);
  assign retire_room = rt_level <= 8'd120;

  always_ff @(posedge clk_i) begin
    free_rows_valid_o <= rt_take && !rst_i;
    free_rows_o       <= rt.rows;
    moved_valid_o     <= pkt_end && !rst_i;
    moved_lane_o      <= p_q.lane;
    moved_len_o       <= p_q.len - 17'(vhp_pkg::NetHdrLen);
  end

  assign work_o = st_q != XIdle || src_due_q || ev_valid_o || rt_push_q || pkt_there_i || rt_level != '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      if (chain_end) assert (!src_due_q);
      if (rt_push_q) assert (rt_ready);
    end
  end
`endif

endmodule
