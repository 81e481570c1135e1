// SPDX-License-Identifier: Apache-2.0
//
// The lanes: packets from source virtqueues to sink virtqueues.
//
//   kick -> vhp_vq_fetch source --+                               +--> vhp_used --> used rings, interrupts
//                                 +--> vhp_planner --> vhp_writer-+
//   kick -> vhp_vq_fetch sink ----+    payload reads   payload writes
//
// Purpose     Every stage holds many packets of all lanes; none waits for the round trip of another one. The life of
//             a packet is docs/architecture.md, "Lanes"; the stages are described in README.md.
// Handshake   rd_*, wr_*: vhp_pkg. kick_*: always accepted. idle_o: nothing to do until the next input.
// Reset       Synchronous.

module vhp_lanes (
  input  logic             clk_i,
  input  logic             rst_i,

  // Firmware's registers, addrmap vhp_lane.
  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  // Doorbells: always accepted.
  input  logic             kick_valid_i,
  input  vhp_pkg::qid_t    kick_qid_i,

  // Reads, index = vhp_pkg::rd_client_e: source rings, sink rings, payload.
  output logic                 [2:0] rd_req_valid_o,
  input  logic                 [2:0] rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t [2:0] rd_req_o,
  input  logic                       rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t      rd_done_i,
  input  logic                       ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t       ram_wr_i,

  // Writes, in order: data, used elements, used index, MSI-X.
  output logic                  wr_req_valid_o,
  input  logic                  wr_req_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_req_o,
  input  logic                  wr_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t wr_cmpl_i,

  input  logic [vhp_pkg::NumFn-1:0]    fn_msix_enable_i,
  output logic [vhp_pkg::NumPorts-1:0] isr_set_o,   // pulse: queue interrupt of a function without MSI-X
  output logic                         irq_o,       // level: vhp_lane.event & event_enable
  output logic                         idle_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;
  // Cycles without work after which none can come up from inside: every stage looks at its queues each cycle.
  localparam logic [4:0] IdleAfter = 5'd16;

  vhp_lane_pkg::ctx_wr_t    ctx_wr;
  vhp_lane_pkg::rgn_wr_t    rgn_wr;
  vhp_lane_pkg::lane_init_t init;
  logic [N-1:0]             enable, run, lane_busy, event_set, sink, stage_busy;
  logic [N-1:0][14:0]       at;
  vhp_pkg::stop_reason_e [N-1:0] reason;
  vhp_lane_pkg::stop_t [1:0]     stop;
  // Streams of write commands: [0] writer, [1] used writer, [2], [3] notifications of the sources, of the sinks.
  localparam int unsigned Streams = 4;
  vhp_lane_pkg::seq_t [Streams-1:0] seq, seq_done;
  logic                     regs_work, ctrl_work, mux_work, planner_work, writer_work;

  // ---------------------------------------------------------------- registers and lives
  vhp_pkg::lane_t   stat_lane, scan;
  logic [2:0]       stat_word;
  logic [7:0][31:0] stat;
  logic [31:0]      stat_q;
  vhp_pkg::qid_t    idx_qid;
  logic [15:0]      avail_idx, used_idx;
  logic [1:0][15:0] scan_pos;

  always_ff @(posedge clk_i) stat_q <= stat[stat_word];

  vhp_lane_regs u_regs (
    .clk_i, .rst_i, .rb_req_valid_i, .rb_req_ready_o, .rb_req_i, .rb_rsp_valid_o, .rb_rsp_o,
    .ctx_wr_o (ctx_wr), .rgn_wr_o (rgn_wr), .enable_o (enable), .busy_i (lane_busy), .event_set_i (event_set),
    .reason_i (reason), .sink_i (sink), .at_i (at), .idx_qid_o (idx_qid), .idx_i ({used_idx, avail_idx}),
    .stat_lane_o (stat_lane), .stat_word_o (stat_word), .stat_i (stat_q), .irq_o, .work_o (regs_work)
  );

  vhp_lane_ctrl #(.Streams(Streams)) u_ctrl (
    .clk_i, .rst_i, .enable_i (enable), .stop_i (stop), .stage_busy_i (stage_busy),
    .seq_i (seq), .seq_done_i (seq_done), .scan_o (scan), .pos_i (scan_pos),
    .init_o (init), .run_o (run), .busy_o (lane_busy), .event_set_o (event_set), .reason_o (reason), .sink_o (sink),
    .at_o (at), .work_o (ctrl_work)
  );

  // ---------------------------------------------------------------- queues
  logic [1:0]                      chk_valid;
  vhp_pkg::lane_t                  chk_lane;
  vhp_lane_pkg::irq_view_t [1:0]   view;
  logic [1:0]                      nw_valid, nw_ready;
  vhp_pkg::dma_wr_req_t [1:0]      nw;
  logic [1:0]                      xl_translate, xl_hit, xl_wrap;
  logic [1:0][1:0]                 xl_port;
  logic [1:0][63:0]                xl_addr, xl_iova;
  logic [1:0][31:0]                xl_len;
  logic [1:0]                      push_valid;
  vhp_pkg::lane_t [1:0]            push_lane;
  vhp_lane_pkg::chain_t [1:0]      push_chain;
  vhp_lane_pkg::chain_pop_t [1:0]  chain_pop;
  vhp_lane_pkg::seg_pop_t [1:0]    seg_pop;
  vhp_pkg::lane_t                  plan_rd_lane, write_rd_lane;
  logic [1:0][vhp_lane_pkg::ChainW-1:0] plan_rd_ptr;
  logic [vhp_lane_pkg::ChainW-1:0] write_rd_ptr;
  vhp_lane_pkg::chain_t [1:0][1:0] chain_rd;
  vhp_pkg::lane_t [1:0]            seg_rd_lane;
  logic [1:0][vhp_lane_pkg::SegW-1:0] seg_rd_ptr;
  vhp_lane_pkg::seg_t [1:0]        seg_rd;
  logic [1:0][N-1:0]               stalled, fetch_busy, fetch_work;

  for (genvar e = 0; e < 2; e++) begin : g_end
    vhp_vq_fetch #(.Sink(e == 1)) u_fetch (
      .clk_i, .rst_i, .ctx_wr_i (ctx_wr), .init_i (init), .run_i (run),
      .kick_valid_i (kick_valid_i && kick_qid_i[0] == 1'(e)),
      .kick_lane_i  (kick_qid_i[vhp_pkg::QidW-1:1]),
      .chk_valid_i (chk_valid[e]), .chk_lane_i (chk_lane), .view_o (view[e]),
      .rd_req_valid_o (rd_req_valid_o[e]), .rd_req_ready_i (rd_req_ready_i[e]), .rd_req_o (rd_req_o[e]),
      .rd_done_valid_i, .rd_done_i, .ram_wr_valid_i, .ram_wr_i,
      .nw_valid_o (nw_valid[e]), .nw_ready_i (nw_ready[e]), .nw_o (nw[e]), .nw_seq_i (seq[2+e]), .seq_done_i (seq_done[2+e]),
      .xl_translate_o (xl_translate[e]), .xl_port_o (xl_port[e]), .xl_addr_o (xl_addr[e]), .xl_len_o (xl_len[e]),
      .xl_hit_i (xl_hit[e]), .xl_wrap_i (xl_wrap[e]), .xl_iova_i (xl_iova[e]),
      .push_valid_o (push_valid[e]), .push_lane_o (push_lane[e]), .push_chain_o (push_chain[e]),
      .chain_pop_i (chain_pop[e]), .seg_pop_i (seg_pop[e]),
      .chain_rd_lane_i ({write_rd_lane, plan_rd_lane}), .chain_rd_ptr_i ({write_rd_ptr, plan_rd_ptr[e]}),
      .chain_rd_o (chain_rd[e]),
      .seg_rd_lane_i (seg_rd_lane[e]), .seg_rd_ptr_i (seg_rd_ptr[e]), .seg_rd_o (seg_rd[e]),
      .stalled_o (stalled[e]), .busy_o (fetch_busy[e]), .work_o (fetch_work[e])
    );
  end

  vhp_region_table #(.Lookups(2)) u_regions (
    .clk_i, .rst_i, .rgn_wr_i (rgn_wr),
    .translate_i (xl_translate), .port_i (xl_port), .addr_i (xl_addr), .len_i (xl_len),
    .hit_o (xl_hit), .wrap_o (xl_wrap), .iova_o (xl_iova)
  );

  // ---------------------------------------------------------------- packets
  logic                  pkt_valid, pkt_there, pkt_done, pkt_bad, free_pkt, free_rows_valid;
  vhp_pkg::lane_t        pkt_lane;
  vhp_lane_pkg::pkt_t    pkt_idx;
  vhp_lane_pkg::packet_t pkt;
  vhp_pkg::dma_status_e  pkt_status;
  vhp_lane_pkg::pktrow_t free_rows;
  logic [N-1:0]          quiet, used_busy, planner_busy;
  logic                  no_buffer_valid, dropped_valid, moved_valid, irq_valid;
  vhp_pkg::lane_t        no_buffer_lane, dropped_lane, moved_lane;
  logic [16:0]           moved_len;
  vhp_pkg::qid_t         irq_qid;

  vhp_planner u_planner (
    .clk_i, .rst_i, .ctx_wr_i (ctx_wr), .init_i (init), .run_i (run), .quiet_i (quiet), .stop_o (stop[0]),
    .push_valid_i (push_valid), .push_lane_i (push_lane), .push_chain_i (push_chain),
    .chain_rd_lane_o (plan_rd_lane), .chain_rd_ptr_o (plan_rd_ptr), .chain_rd_i ({chain_rd[1][0], chain_rd[0][0]}),
    .src_chain_pop_o (chain_pop[0]), .snk_stalled_i (stalled[1]),
    .seg_rd_lane_o (seg_rd_lane[0]), .seg_rd_ptr_o (seg_rd_ptr[0]), .seg_rd_i (seg_rd[0]), .seg_pop_o (seg_pop[0]),
    .rd_req_valid_o (rd_req_valid_o[2]), .rd_req_ready_i (rd_req_ready_i[2]), .rd_req_o (rd_req_o[2]),
    .rd_done_valid_i, .rd_done_i,
    .pkt_valid_o (pkt_valid), .pkt_lane_o (pkt_lane), .pkt_idx_i (pkt_idx), .pkt_o (pkt), .pkt_there_o (pkt_there),
    .pkt_done_o (pkt_done), .pkt_bad_o (pkt_bad), .pkt_status_o (pkt_status),
    .free_pkt_i (free_pkt), .free_rows_valid_i (free_rows_valid), .free_rows_i (free_rows),
    .no_buffer_valid_o (no_buffer_valid), .no_buffer_lane_o (no_buffer_lane),
    .dropped_valid_o (dropped_valid), .dropped_lane_o (dropped_lane),
    .busy_o (planner_busy), .work_o (planner_work)
  );

  logic                   ev_valid, ev_room, used_ev_valid, used_ev_ready, ev_in_ready;
  vhp_lane_pkg::used_ev_t ev, used_ev;
  logic [5:0]             ev_level;
  logic                   wp_valid, wp_ready, wu_valid, wu_ready;
  vhp_pkg::dma_wr_req_t   wp, wu;

  vhp_writer u_writer (
    .clk_i, .rst_i, .ctx_wr_i (ctx_wr), .init_i (init),
    .pkt_idx_o (pkt_idx), .pkt_i (pkt), .pkt_there_i (pkt_there), .pkt_done_i (pkt_done), .pkt_bad_i (pkt_bad),
    .pkt_status_i (pkt_status), .free_pkt_o (free_pkt), .free_rows_valid_o (free_rows_valid), .free_rows_o (free_rows),
    .chain_rd_lane_o (write_rd_lane), .chain_rd_ptr_o (write_rd_ptr), .chain_rd_i (chain_rd[1][1]),
    .seg_rd_ptr_o (seg_rd_ptr[1]), .seg_rd_i (seg_rd[1]), .chain_pop_o (chain_pop[1]), .seg_pop_o (seg_pop[1]),
    .wr_valid_o (wp_valid), .wr_ready_i (wp_ready), .wr_o (wp), .wr_seq_i (seq[0]), .seq_done_i (seq_done[0]),
    .ev_valid_o (ev_valid), .ev_room_i (ev_room), .ev_o (ev),
    .moved_valid_o (moved_valid), .moved_lane_o (moved_lane), .moved_len_o (moved_len), .work_o (writer_work)
  );
  assign seg_rd_lane[1] = write_rd_lane;

  vhp_stream_fifo #(.Width($bits(vhp_lane_pkg::used_ev_t)), .Depth(32)) u_events (
    .clk_i, .rst_i,
    .in_valid_i  (ev_valid),
    .in_ready_o  (ev_in_ready),
    .in_data_i   (ev),
    .out_valid_o (used_ev_valid),
    .out_ready_i (used_ev_ready),
    .out_data_o  (used_ev),
    .level_o     (ev_level)
  );
  assign ev_room = ev_level <= 6'd26;

  vhp_used u_used (
    .clk_i, .rst_i, .ctx_wr_i (ctx_wr), .init_i (init), .pkt_valid_i (pkt_valid), .pkt_lane_i (pkt_lane),
    .quiet_o (quiet), .busy_o (used_busy), .stop_o (stop[1]),
    .ev_valid_i (used_ev_valid), .ev_ready_o (used_ev_ready), .ev_i (used_ev),
    .wr_valid_o (wu_valid), .wr_ready_i (wu_ready), .wr_o (wu), .wr_seq_i (seq[1]), .seq_done_i (seq_done[1]),
    .chk_valid_o (chk_valid), .chk_lane_o (chk_lane), .view_i (view),
    .fn_msix_enable_i, .isr_set_o, .irq_valid_o (irq_valid), .irq_qid_o (irq_qid),
    .scan_i (scan), .pos_o (scan_pos), .idx_qid_i (idx_qid), .avail_idx_o (avail_idx), .used_idx_o (used_idx)
  );

  vhp_wr_mux #(.N(Streams), .Lines(4'b0010), .Flying(256)) u_mux (
    .clk_i, .rst_i,
    .in_valid_i ({nw_valid, wu_valid, wp_valid}), .in_ready_o ({nw_ready, wu_ready, wp_ready}), .in_i ({nw, wu, wp}),
    .seq_o (seq), .seq_done_o (seq_done),
    .out_valid_o (wr_req_valid_o), .out_ready_i (wr_req_ready_i), .out_o (wr_req_o),
    .cmpl_valid_i (wr_cmpl_valid_i), .work_o (mux_work)
  );

  assign stage_busy = fetch_busy[0] | fetch_busy[1] | used_busy | planner_busy;

  // ---------------------------------------------------------------- statistics, in the order of the registers
  vhp_lane_counter #(.IncW(1))  u_packets (.clk_i, .rst_i, .valid_i (moved_valid), .lane_i (moved_lane), .inc_i (1'b1),
                                           .rd_lane_i (stat_lane), .rdata_o (stat[0]));
  vhp_lane_counter #(.IncW(17)) u_bytes   (.clk_i, .rst_i, .valid_i (moved_valid), .lane_i (moved_lane), .inc_i (moved_len),
                                           .rd_lane_i (stat_lane), .rdata_o (stat[1]));
  vhp_lane_counter #(.IncW(1))  u_dropped (.clk_i, .rst_i, .valid_i (dropped_valid), .lane_i (dropped_lane), .inc_i (1'b1),
                                           .rd_lane_i (stat_lane), .rdata_o (stat[2]));
  for (genvar e = 0; e < 2; e++) begin : g_stat
    vhp_lane_counter #(.IncW(1)) u_irqs  (.clk_i, .rst_i, .valid_i (irq_valid && irq_qid[0] == 1'(e)),
                                          .lane_i (irq_qid[vhp_pkg::QidW-1:1]), .inc_i (1'b1),
                                          .rd_lane_i (stat_lane), .rdata_o (stat[3+e]));
    vhp_lane_counter #(.IncW(1)) u_kicks (.clk_i, .rst_i, .valid_i (kick_valid_i && kick_qid_i[0] == 1'(e)),
                                          .lane_i (kick_qid_i[vhp_pkg::QidW-1:1]), .inc_i (1'b1),
                                          .rd_lane_i (stat_lane), .rdata_o (stat[5+e]));
  end
  vhp_lane_counter #(.IncW(1))  u_no_buf  (.clk_i, .rst_i, .valid_i (no_buffer_valid), .lane_i (no_buffer_lane), .inc_i (1'b1),
                                           .rd_lane_i (stat_lane), .rdata_o (stat[7]));

  // ---------------------------------------------------------------- idle
  logic       work;
  logic [4:0] calm_q;
  assign work = regs_work || ctrl_work || mux_work || planner_work || writer_work || kick_valid_i || rb_req_valid_i
                || ev_level != '0 || |used_busy || |fetch_busy[0] || |fetch_busy[1] || |fetch_work[0] || |fetch_work[1];
  always_ff @(posedge clk_i) begin
    if (rst_i || work)             calm_q <= '0;
    else if (calm_q != IdleAfter)  calm_q <= calm_q + 1'b1;
    idle_o <= !rst_i && !work && calm_q == IdleAfter;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && ev_valid) assert (ev_in_ready);
  end
`endif

  // Commands that the DMA dropped concern a function in FLR or without bus mastership; its reads fail too, and that
  // stops the lane.
  logic unused;
  assign unused = &{1'b0, wr_cmpl_i};

endmodule
