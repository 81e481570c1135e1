// SPDX-License-Identifier: Apache-2.0
//
// Chains of one end, behind the region table: segment FIFOs, chain FIFOs and the chase reads.
//
// Purpose     An item of the walk goes beside its lookup in the region table; what is refused there becomes a fault
//             record, after which nothing more of the queue is taken in this life.
// Handshake   item_i: one per cycle, always taken; vhp_vq_walk counts the places. chain_rd_*, seg_rd_*: FIFO memories,
//             data one cycle after the address; the reader keeps the pointers (0 at init). rq_*: valid/ready.
//             refused_o, unread_o: pulses for lane_o: the queue is dead; its chase read will not come.
// Latency     push_* XlateLat + 2 cycles after the item, when a read sees the record.

module vhp_vq_chains (
  input  logic                         clk_i,
  input  logic                         rst_i,
  input  vhp_lane_pkg::lane_init_t     init_i,

  input  vhp_lane_pkg::item_t          item_i,
  input  logic                         xl_hit_i,     // XlateLat cycles after the item
  input  logic                         xl_wrap_i,
  input  logic [63:0]                  xl_iova_i,

  output logic                         push_valid_o,
  output vhp_pkg::lane_t               push_lane_o,
  output vhp_lane_pkg::chain_t         push_chain_o,
  input  vhp_pkg::lane_t [1:0]                              chain_rd_lane_i,
  input  logic           [1:0][vhp_lane_pkg::ChainW-1:0]    chain_rd_ptr_i,
  output vhp_lane_pkg::chain_t [1:0]                        chain_rd_o,
  input  vhp_pkg::lane_t                                    seg_rd_lane_i,
  input  logic [vhp_lane_pkg::SegW-1:0]                     seg_rd_ptr_i,
  output vhp_lane_pkg::seg_t                                seg_rd_o,

  output logic                         rq_valid_o,
  input  logic                         rq_ready_i,
  output vhp_pkg::dma_rd_req_t         rq_o,

  output logic                         refused_o,
  output logic                         unread_o,
  output vhp_pkg::lane_t               lane_o,
  output logic [vhp_pkg::NumLanes-1:0] busy_o        // an item of this lane is on its way
);

  localparam int unsigned N      = vhp_pkg::NumLanes;
  localparam int unsigned SegW   = vhp_lane_pkg::SegW;
  localparam int unsigned ChainW = vhp_lane_pkg::ChainW;
  localparam int unsigned QRows  = 1 << vhp_pkg::LaneW;
  localparam int unsigned Lat    = vhp_lane_pkg::XlateLat;

  typedef struct packed {
    vhp_pkg::lane_t lane;
    logic [7:0]     func;
    logic [63:0]    addr;
    logic [19:0]    off;
    logic [6:0]     rlen;
  } chase_t;

  // ---------------------------------------------------------------- beside the lookup
  vhp_lane_pkg::item_t [Lat-1:0] pipe_q;
  vhp_lane_pkg::item_t           out;
  logic [N-1:0]                  dead_q;   // a fault record was pushed
  logic                          alive, bad;
  assign out   = pipe_q[Lat-1];
  assign alive = out.valid && !dead_q[out.lane];
  assign bad   = out.kind == vhp_lane_pkg::ItFault || xl_wrap_i || !xl_hit_i;

  logic                 f_valid_q, f_seg_q, f_chain_q, f_chase_q;
  vhp_pkg::lane_t       f_lane_q;
  vhp_lane_pkg::seg_t   f_seg_data_q;
  vhp_lane_pkg::chain_t f_chain_data_q;
  chase_t               f_chase_data_q;

  always_ff @(posedge clk_i) begin
    pipe_q    <= {pipe_q[Lat-2:0], item_i};
    f_valid_q <= alive;
    f_lane_q  <= out.lane;
    f_seg_q   <= alive && !bad && out.kind == vhp_lane_pkg::ItSeg;
    f_chase_q <= alive && !bad && out.kind == vhp_lane_pkg::ItChase;
    f_chain_q <= alive && (bad || (out.kind == vhp_lane_pkg::ItSeg && out.last));
    refused_o <= alive && bad;
    unread_o  <= out.valid && out.kind == vhp_lane_pkg::ItChase && (dead_q[out.lane] || bad);
    lane_o    <= out.lane;

    f_seg_data_q.addr   <= xl_iova_i;
    f_seg_data_q.len    <= out.len;
    f_chain_data_q      <= out.chain;
    f_chase_data_q.lane <= out.lane;
    f_chase_data_q.func <= out.func;
    f_chase_data_q.addr <= xl_iova_i;
    f_chase_data_q.off  <= out.off;
    f_chase_data_q.rlen <= out.rlen;
    if (out.kind != vhp_lane_pkg::ItFault && bad) begin
      f_chain_data_q.fault  <= 1'b1;
      f_chain_data_q.reason <= xl_wrap_i ? vhp_pkg::StopDescLength : vhp_pkg::StopRegion;
    end
    if (alive && bad) dead_q[out.lane] <= 1'b1;
    if (init_i.valid) dead_q[init_i.lane] <= 1'b0;

    if (rst_i) begin
      for (int unsigned i = 0; i < Lat; i++) pipe_q[i].valid <= 1'b0;
      f_valid_q <= 1'b0;
      f_seg_q   <= 1'b0;
      f_chain_q <= 1'b0;
      f_chase_q <= 1'b0;
      refused_o <= 1'b0;
      unread_o  <= 1'b0;
      dead_q    <= '0;
    end
  end

  // ---------------------------------------------------------------- FIFO memories
  logic [N-1:0][SegW-1:0]   seg_wp_q;
  logic [N-1:0][ChainW-1:0] chain_wp_q;

  vhp_lane_pkg::seg_t   seg_mem [QRows * vhp_lane_pkg::Segs];
  always_ff @(posedge clk_i) begin
    if (f_seg_q) seg_mem[{f_lane_q, seg_wp_q[f_lane_q]}] <= f_seg_data_q;
    seg_rd_o <= seg_mem[{seg_rd_lane_i, seg_rd_ptr_i}];
  end
  for (genvar r = 0; r < 2; r++) begin : g_chain
    vhp_lane_pkg::chain_t chain_mem [QRows * vhp_lane_pkg::Chains];
    always_ff @(posedge clk_i) begin
      if (f_chain_q) chain_mem[{f_lane_q, chain_wp_q[f_lane_q]}] <= f_chain_data_q;
      chain_rd_o[r] <= chain_mem[{chain_rd_lane_i[r], chain_rd_ptr_i[r]}];
    end
  end

  always_ff @(posedge clk_i) begin
    if (f_seg_q)   seg_wp_q[f_lane_q]   <= seg_wp_q[f_lane_q] + 1'b1;
    if (f_chain_q) chain_wp_q[f_lane_q] <= chain_wp_q[f_lane_q] + 1'b1;
    if (init_i.valid) begin
      seg_wp_q[init_i.lane]   <= '0;
      chain_wp_q[init_i.lane] <= '0;
    end
    // Told one cycle after the write, so that a read that follows sees it.
    push_valid_o <= f_chain_q && !rst_i;
    push_lane_o  <= f_lane_q;
    push_chain_o <= f_chain_data_q;
  end

  // ---------------------------------------------------------------- chase reads
  chase_t cq;
  logic   cq_valid, cq_take, cq_ready, rq_full_q;

  vhp_stream_fifo #(.Width($bits(chase_t)), .Depth(QRows)) u_chase (
    .clk_i, .rst_i,
    .in_valid_i  (f_chase_q),
    .in_ready_o  (cq_ready),
    .in_data_i   (f_chase_data_q),
    .out_valid_o (cq_valid),
    .out_ready_i (cq_take),
    .out_data_o  (cq),
    .level_o     ()
  );
  assign cq_take    = cq_valid && (!rq_full_q || rq_ready_i);
  assign rq_valid_o = rq_full_q;

  always_ff @(posedge clk_i) begin
    if (cq_take) begin
      rq_o          <= '0;
      rq_o.func     <= cq.func;
      rq_o.addr     <= cq.addr + {44'd0, cq.off};
      rq_o.len      <= {10'd0, cq.rlen};
      rq_o.ram_addr <= vhp_lane_pkg::ram_other(vhp_lane_pkg::AreaChase, 5'(cq.lane), 1'b0, 6'd0);
      rq_o.cookie   <= {1'b1, 5'(cq.lane), vhp_lane_pkg::CkChase};
    end
    rq_full_q <= !rst_i && (cq_take || (rq_full_q && !rq_ready_i));
  end

  // ---------------------------------------------------------------- state
  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      busy_o[l] = (f_valid_q && f_lane_q == vhp_pkg::lane_t'(l)) || (push_valid_o && push_lane_o == vhp_pkg::lane_t'(l));
      for (int unsigned i = 0; i < Lat; i++) begin
        if (pipe_q[i].valid && pipe_q[i].lane == vhp_pkg::lane_t'(l)) busy_o[l] = 1'b1;
      end
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!(f_chase_q && !cq_ready));
    if (!rst_i && init_i.valid) assert (!busy_o[init_i.lane]);
  end
`endif

endmodule
