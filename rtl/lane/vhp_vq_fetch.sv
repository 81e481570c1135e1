// SPDX-License-Identifier: Apache-2.0
//
// Queue fetch of one end: from kicks to checked, translated chains. One queue per lane.
//
//   kick -> vhp_vq_avail -> vhp_vq_lines -> vhp_vq_walk -> segment and chain FIFOs
//             index, entries   heads, lines     chains
//
// Handshake   rd_req_*: read requests of client RdSrcRing or RdSnkRing, valid/ready, from a register.
//             nw_*: notification writes into the lanes' write stream.

module vhp_vq_fetch #(
  parameter bit Sink = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic [vhp_pkg::NumLanes-1:0] run_i,
  input  logic                         kick_valid_i,
  input  vhp_pkg::lane_t               kick_lane_i,
  input  logic                         chk_valid_i,
  input  vhp_pkg::lane_t               chk_lane_i,
  output vhp_lane_pkg::irq_view_t      view_o,

  output logic                         rd_req_valid_o,
  input  logic                         rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t         rd_req_o,
  input  logic                         rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t        rd_done_i,
  input  logic                         ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t         ram_wr_i,

  output logic                         nw_valid_o,
  input  logic                         nw_ready_i,
  output vhp_pkg::dma_wr_req_t         nw_o,
  input  vhp_lane_pkg::seq_t           nw_seq_i,
  input  vhp_lane_pkg::seq_t           seq_done_i,

  output logic                         xl_translate_o,
  output logic [1:0]                   xl_port_o,
  output logic [63:0]                  xl_addr_o,
  output logic [31:0]                  xl_len_o,
  input  logic                         xl_hit_i,
  input  logic                         xl_wrap_i,
  input  logic [63:0]                  xl_iova_i,

  output logic                         push_valid_o,
  output vhp_pkg::lane_t               push_lane_o,
  output vhp_lane_pkg::chain_t         push_chain_o,
  input  vhp_lane_pkg::chain_pop_t     chain_pop_i,
  input  vhp_lane_pkg::seg_pop_t       seg_pop_i,
  input  vhp_pkg::lane_t [1:0]                              chain_rd_lane_i,
  input  logic           [1:0][vhp_lane_pkg::ChainW-1:0]    chain_rd_ptr_i,
  output vhp_lane_pkg::chain_t [1:0]                        chain_rd_o,
  input  vhp_pkg::lane_t                                    seg_rd_lane_i,
  input  logic [vhp_lane_pkg::SegW-1:0]                     seg_rd_ptr_i,
  output vhp_lane_pkg::seg_t                                seg_rd_o,
  output logic [vhp_pkg::NumLanes-1:0]                      stalled_o,

  output logic [vhp_pkg::NumLanes-1:0] busy_o,
  output logic [vhp_pkg::NumLanes-1:0] work_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;

  logic [N-1:0][15:0] head_pos, walk_pos, avail_seen, ent_have;
  logic [N-1:0]       ent_fault, idx_fault, head_fault;
  vhp_pkg::stop_reason_e [N-1:0] fault_reason;
  vhp_pkg::lane_t     entry_lane, head_lane;
  logic [vhp_lane_pkg::EntryW-1:0] entry_pos;
  logic [15:0]        entry, head;
  logic [vhp_lane_pkg::HeadW-1:0] head_rd_pos;
  logic [vhp_lane_pkg::SlotW-1:0] head_slot;
  logic               head_first;
  logic [N-1:0][vhp_lane_pkg::SlotW:0]   free;
  logic [N-1:0][vhp_lane_pkg::Slots-1:0] slot_done, slot_bad;
  vhp_pkg::dma_status_e [N-1:0]          slot_status;
  logic [2:0]                 rq_valid, rq_ready;
  vhp_pkg::dma_rd_req_t [2:0] rq;
  logic [2:0][N-1:0]          busy, work;

  vhp_vq_avail #(.Sink(Sink)) u_avail (
    .clk_i, .rst_i, .ctx_wr_i, .init_i, .run_i, .kick_valid_i, .kick_lane_i,
    .chk_valid_i, .chk_lane_i, .view_o,
    .rq_valid_o (rq_valid[0]), .rq_ready_i (rq_ready[0]), .rq_o (rq[0]),
    .rd_done_valid_i, .rd_done_i, .ram_wr_valid_i, .ram_wr_i,
    .nw_valid_o, .nw_ready_i, .nw_o, .nw_seq_i, .seq_done_i,
    .head_pos_i (head_pos), .walk_pos_i (walk_pos), .avail_seen_o (avail_seen), .ent_have_o (ent_have),
    .ent_fault_o (ent_fault), .idx_fault_o (idx_fault), .fault_reason_o (fault_reason),
    .entry_lane_i (entry_lane), .entry_pos_i (entry_pos), .entry_o (entry),
    .busy_o (busy[0]), .work_o (work[0])
  );

  vhp_vq_lines #(.Sink(Sink)) u_lines (
    .clk_i, .rst_i, .ctx_wr_i, .init_i, .run_i,
    .avail_seen_i (avail_seen), .ent_have_i (ent_have), .walk_pos_i (walk_pos), .head_pos_o (head_pos),
    .head_fault_o (head_fault), .entry_lane_o (entry_lane), .entry_pos_o (entry_pos), .entry_i (entry),
    .rq_valid_o (rq_valid[1]), .rq_ready_i (rq_ready[1]), .rq_o (rq[1]),
    .rd_done_valid_i, .rd_done_i,
    .head_lane_i (head_lane), .head_pos_i (head_rd_pos), .head_o (head), .head_slot_o (head_slot),
    .head_first_o (head_first), .free_i (free), .slot_done_o (slot_done), .slot_bad_o (slot_bad),
    .slot_status_o (slot_status), .busy_o (busy[1]), .work_o (work[1])
  );

  vhp_vq_walk #(.Sink(Sink)) u_walk (
    .clk_i, .rst_i, .ctx_wr_i, .init_i, .run_i,
    .head_pos_i (head_pos), .avail_seen_i (avail_seen), .ent_have_i (ent_have), .head_fault_i (head_fault),
    .ent_fault_i (ent_fault), .idx_fault_i (idx_fault), .fault_reason_i (fault_reason), .walk_pos_o (walk_pos),
    .head_lane_o (head_lane), .head_pos_o (head_rd_pos), .head_i (head), .head_slot_i (head_slot),
    .head_first_i (head_first), .free_o (free), .slot_done_i (slot_done), .slot_bad_i (slot_bad),
    .slot_status_i (slot_status),
    .rq_valid_o (rq_valid[2]), .rq_ready_i (rq_ready[2]), .rq_o (rq[2]),
    .rd_done_valid_i, .rd_done_i, .ram_wr_valid_i, .ram_wr_i,
    .xl_translate_o, .xl_port_o, .xl_addr_o, .xl_len_o, .xl_hit_i, .xl_wrap_i, .xl_iova_i,
    .push_valid_o, .push_lane_o, .push_chain_o, .chain_pop_i, .seg_pop_i,
    .chain_rd_lane_i, .chain_rd_ptr_i, .chain_rd_o, .seg_rd_lane_i, .seg_rd_ptr_i, .seg_rd_o,
    .stalled_o, .busy_o (busy[2]), .work_o (work[2])
  );

  // ---------------------------------------------------------------- one request stream: lines, chase, avail in turn
  logic       any, in_ready;
  logic [1:0] pick, last_q;
  vhp_rr_pick #(.N(3)) u_pick (.req_i(rq_valid), .last_i(last_q), .valid_o(any), .idx_o(pick));

  always_comb begin
    for (int unsigned i = 0; i < 3; i++) rq_ready[i] = any && in_ready && pick == 2'(i);
  end
  always_ff @(posedge clk_i) begin
    if (rst_i)                last_q <= '0;
    else if (any && in_ready) last_q <= pick;
  end

  logic fifo_busy;
  logic [2:0] level;
  vhp_stream_fifo #(.Width($bits(vhp_pkg::dma_rd_req_t)), .Depth(4)) u_out (
    .clk_i, .rst_i,
    .in_valid_i  (any),
    .in_ready_o  (in_ready),
    .in_data_i   (rq[pick]),
    .out_valid_o (rd_req_valid_o),
    .out_ready_i (rd_req_ready_i),
    .out_data_o  (rd_req_o),
    .level_o     (level)
  );
  assign fifo_busy = level != '0;

  always_comb begin
    busy_o = busy[0] | busy[1] | busy[2];
    work_o = work[0] | work[1] | work[2] | {N{fifo_busy}};
  end

endmodule
