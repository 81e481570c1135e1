// SPDX-License-Identifier: Apache-2.0
//
// Writer: packets in plan order into the sink's buffers.
//
// Purpose     Waits until the oldest packet of the table has all its bytes, and cuts it over the segments of the sink
//             chains that the planner counted for it. num_buffers is patched into the header.
// Errors      A packet with a failed read is not written, nor any later one of its lane; each still leaves the table
//             as an aborted event, so that the used writer can tell when the lane is empty.
// Handshake   wr_*: valid/ready; ev_*: used events, valid/ready, after the command of the last byte was taken.
//             free_pkt_o as a packet is taken from the table; free_rows once the last command has read the packet buffer.
// Latency     4 cycles per packet of one slice, 3 per further slice.

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
  input  logic                         ev_room_i,    // for four more
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

  typedef enum logic [2:0] {XIdle, XRead, XGet, XCut, XCmd} xstate_e;
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

  xstate_e               st_q;
  vhp_lane_pkg::pkt_t    idx_q;
  vhp_lane_pkg::packet_t p_q;
  logic [N-1:0]             dead_q;
  logic [N-1:0][ChainW-1:0] krp_q;
  logic [N-1:0][SegW-1:0]   srp_q;
  logic [ChainW-1:0]     krp_cur_q;
  logic [SegW-1:0]       srp_cur_q;
  logic                  new_chain_q;
  logic [15:0]           head_q;
  logic [8:0]            segs_left_q;
  logic [63:0]           addr_q;
  logic [16:0]           seg_left_q, pkt_left_q, off_q, chain_len_q, n_q;
  logic                  seg_end_q, pkt_end_q;
  logic                  src_due_q;
  vhp_lane_pkg::used_ev_t src_ev_q;
  logic                  retire_ready;

  assign pkt_idx_o       = idx_q;
  assign chain_rd_lane_o = p_q.lane;
  assign chain_rd_ptr_o  = krp_cur_q;
  assign seg_rd_ptr_o    = srp_cur_q;

  // ---------------------------------------------------------------- command
  logic [16:0] n;
  always_comb begin
    n = seg_left_q < pkt_left_q ? seg_left_q : pkt_left_q;
    if (n > Slice) n = Slice;
  end

  assign wr_valid_o = st_q == XCmd && ev_room_i && retire_ready;
  always_comb begin
    wr_o             = '0;
    wr_o.kind        = vhp_pkg::WrPacket;
    wr_o.func        = func_q[p_q.lane];
    wr_o.port        = vhp_lane_pkg::port_of(p_q.lane);
    wr_o.addr        = addr_q;
    wr_o.len         = n_q;
    wr_o.ram_addr    = {p_q.row, 6'd0} + off_q;
    wr_o.patch       = 1'b1;
    wr_o.patch_off   = off_q > 17'd15 ? 4'd15 : off_q[3:0];
    wr_o.num_buffers = 16'(p_q.nchains);
  end

  logic cmd, chain_end, pkt_end, take;
  assign cmd       = wr_valid_o && wr_ready_i;
  assign pkt_end   = cmd && pkt_end_q;
  assign chain_end = cmd && (pkt_end_q || (seg_end_q && segs_left_q == 9'd1));
  assign free_pkt_o = take;
  assign take      = st_q == XIdle && pkt_there_i && pkt_done_i && ev_room_i && retire_ready;

  logic [ChainW-1:0] krp_after;
  logic [SegW-1:0]   srp_after;
  assign krp_after = krp_cur_q + 1'b1;
  assign srp_after = srp_cur_q + SegW'(chain_end ? segs_left_q : 9'd1);

  always_ff @(posedge clk_i) begin
    chain_pop_o.valid <= chain_end && !rst_i;
    chain_pop_o.lane  <= p_q.lane;
    seg_pop_o.valid   <= cmd && (chain_end || seg_end_q) && !rst_i;
    seg_pop_o.lane    <= p_q.lane;
    seg_pop_o.count   <= chain_end ? segs_left_q : 9'd1;
    src_due_q         <= 1'b0;
    unique case (st_q)
      XIdle: if (take) begin
        p_q         <= pkt_i;
        krp_cur_q   <= krp_q[pkt_i.lane];
        srp_cur_q   <= srp_q[pkt_i.lane];
        new_chain_q <= 1'b1;
        pkt_left_q  <= pkt_i.len;
        off_q       <= '0;
        idx_q       <= idx_q + 1'b1;
        src_ev_q        <= '0;
        src_ev_q.lane   <= pkt_i.lane;
        src_ev_q.last   <= 1'b1;
        src_ev_q.whole  <= 1'b1;
        src_ev_q.head   <= pkt_i.head;
        src_ev_q.reason <= vhp_pkg::StopNone;
        if (dead_q[pkt_i.lane] || (pkt_bad_i && !pkt_i.drop)) begin
          src_ev_q.aborted <= 1'b1;
          if (!dead_q[pkt_i.lane]) src_ev_q.reason <= vhp_lane_pkg::stop_of(pkt_status_i);
          dead_q[pkt_i.lane] <= 1'b1;
          src_due_q  <= 1'b1;
        end else if (pkt_i.drop) begin
          src_due_q  <= 1'b1;
        end else begin
          st_q <= XRead;
        end
      end
      XRead: st_q <= XGet;
      XGet: begin
        addr_q      <= seg_rd_i.addr;
        seg_left_q  <= seg_rd_i.len;
        if (new_chain_q) begin
          head_q      <= chain_rd_i.head;
          segs_left_q <= chain_rd_i.nsegs;
          chain_len_q <= '0;
        end
        new_chain_q <= 1'b0;
        // The common case, one slice for the whole packet, saves the cut.
        n_q         <= pkt_left_q;
        seg_end_q   <= 1'b0;
        pkt_end_q   <= 1'b1;
        st_q        <= seg_rd_i.len >= pkt_left_q && pkt_left_q <= Slice ? XCmd : XCut;
      end
      XCut: begin
        n_q       <= n;
        seg_end_q <= n == seg_left_q;
        pkt_end_q <= n == pkt_left_q;
        st_q      <= XCmd;
      end
      default: if (cmd) begin   // XCmd
        off_q       <= off_q + n_q;
        pkt_left_q  <= pkt_left_q - n_q;
        seg_left_q  <= seg_left_q - n_q;
        addr_q      <= addr_q + 64'(n_q);
        chain_len_q <= chain_len_q + n_q;
        if (chain_end) begin
          krp_cur_q         <= krp_after;
          krp_q[p_q.lane]   <= krp_after;
          new_chain_q       <= 1'b1;
        end else if (seg_end_q) begin
          segs_left_q       <= segs_left_q - 9'd1;
        end
        if (chain_end || seg_end_q) begin
          srp_cur_q         <= srp_after;
          srp_q[p_q.lane]   <= srp_after;
        end
        if (pkt_end) begin
          src_due_q  <= 1'b1;
          st_q       <= XIdle;
        end else begin
          st_q <= chain_end || seg_end_q ? XRead : XCut;
        end
      end
    endcase
    if (init_i.valid) begin
      dead_q[init_i.lane] <= 1'b0;
      krp_q[init_i.lane]  <= '0;
      srp_q[init_i.lane]  <= '0;
    end
    if (rst_i) begin
      st_q              <= XIdle;
      idx_q             <= '0;
      dead_q            <= '0;
      src_due_q         <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- used events: sink chains, then the source
  always_comb begin
    ev_valid_o = chain_end || src_due_q;
    ev_o       = src_ev_q;
    if (!src_due_q) begin
      ev_o.sink = 1'b1;
      ev_o.last = 1'b0;
      ev_o.whole = pkt_end_q;
      ev_o.head = head_q;
      ev_o.len  = chain_len_q + n_q;
    end
  end

  // ---------------------------------------------------------------- the packet buffer is free once it was read
  retire_t rt_in, rt;
  logic    rt_valid, rt_take, rt_push;
  logic [7:0] rt_level;
  // A packet that is not written has rows too, unless it was a drop.
  assign rt_push   = pkt_end || (take && !pkt_i.drop && (dead_q[pkt_i.lane] || pkt_bad_i));
  assign rt_in.seq = pkt_end ? wr_seq_i : wr_seq_i - 16'd1;
  assign rt_in.rows = vhp_lane_pkg::PktRowW'(((pkt_end ? p_q.len : pkt_i.len) + 17'd63) >> 6);

  vhp_stream_fifo #(.Width($bits(retire_t)), .Depth(128)) u_retire (
    .clk_i, .rst_i,
    .in_valid_i  (rt_push),
    .in_ready_o  (retire_ready),
    .in_data_i   (rt_in),
    .out_valid_o (rt_valid),
    .out_ready_i (rt_take),
    .out_data_o  (rt),
    .level_o     (rt_level)
  );
  assign rt_take = rt_valid && vhp_lane_pkg::seq_past(seq_done_i, rt.seq);

  always_ff @(posedge clk_i) begin
    free_rows_valid_o <= rt_take && !rst_i;
    free_rows_o       <= rt.rows;
    moved_valid_o     <= pkt_end && !rst_i;
    moved_lane_o      <= p_q.lane;
    moved_len_o       <= p_q.len - 17'(vhp_pkg::NetHdrLen);
  end

  assign work_o = st_q != XIdle || src_due_q || pkt_there_i || rt_level != '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      if (chain_end) assert (!src_due_q);
      if (rt_push) assert (retire_ready);
    end
  end
`endif

endmodule
