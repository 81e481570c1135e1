// SPDX-License-Identifier: Apache-2.0
//
// Used rings of all queues.
//
// Purpose     Used elements collect per queue in an aligned line of 8. A line leaves when it is full, at the ring's
//             end, or when its lane has no packet in flight; then used->idx up to the last whole packet (the buffers
//             of a merged packet must be seen together); then, if the driver wants it (vhp_used_irq), the interrupt.
// Handshake   ev_*, wr_*: valid/ready, ready and valid from registers. stop_o: a lane whose packet could not be read,
//             with its position. pos_o: avail indices {sink, source} of lane scan_i, avail_idx_o and used_idx_o: those of
//             queue idx_qid_i, both one cycle late.
// Indices     Contexts and indices lie in LUT RAMs, so one queue is looked at in a cycle; they are cleared one row per
//             cycle from the end of rst_i on (no lane runs so early).
// Latency     1 cycle per element, about 10 per line; elements go on collecting while another line leaves.

module vhp_used (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic                         pkt_valid_i,   // a packet was planned
  input  vhp_pkg::lane_t               pkt_lane_i,
  output logic [vhp_pkg::NumLanes-1:0] quiet_o,       // no packet of this lane in flight
  output logic [vhp_pkg::NumLanes-1:0] busy_o,        // something of this lane is in flight here
  output vhp_lane_pkg::stop_t          stop_o,

  input  logic                         ev_valid_i,
  output logic                         ev_ready_o,
  input  vhp_lane_pkg::used_ev_t       ev_i,

  output logic                         wr_valid_o,
  input  logic                         wr_ready_i,
  output vhp_pkg::dma_wr_req_t         wr_o,
  input  vhp_lane_pkg::seq_t           wr_seq_i,
  input  vhp_lane_pkg::seq_t           seq_done_i,

  output logic [1:0]                   chk_valid_o,   // source, sink fetch
  output vhp_pkg::lane_t               chk_lane_o,
  input  vhp_lane_pkg::irq_view_t [1:0] view_i,

  input  logic [vhp_pkg::NumFn-1:0]    fn_msix_enable_i,
  output logic [vhp_pkg::NumPorts-1:0] isr_set_o,
  output logic                         irq_valid_o,   // statistics: an interrupt went out
  output vhp_pkg::qid_t                irq_qid_o,

  input  vhp_pkg::lane_t               scan_i,
  output logic [1:0][15:0]             pos_o,
  input  vhp_pkg::qid_t                idx_qid_i,
  output logic [15:0]                  avail_idx_o,   // chains given back
  output logic [15:0]                  used_idx_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;
  localparam int unsigned Q = vhp_pkg::NumQueues;
  localparam int unsigned QidW = vhp_pkg::QidW;
  localparam int unsigned QRows = 1 << QidW;

  typedef enum logic [3:0] {UIdle, ULoad, UPrep, UElems, UIndex, UDiff, UDecide, UView, UJudge, UMsix} ustate_e;

  // ---------------------------------------------------------------- contexts
  vhp_lane_pkg::queue_cfg_t cfg_mem [QRows];
  logic [15:0] vector_mem [QRows];
  logic [31:0] base_lo_mem [QRows], base_hi_mem [QRows];
  logic [2:0]  line_mem [QRows];      // a ring of less than 8 entries has shorter lines: number of its last one

  always_ff @(posedge clk_i) begin
    if (ctx_wr_i.valid) begin
      if (ctx_wr_i.word == vhp_lane_pkg::CtxCfg) begin
        cfg_mem[ctx_wr_i.qid]  <= ctx_wr_i.data[17:0];
        line_mem[ctx_wr_i.qid] <= ctx_wr_i.data[11:8] >= 4'd3 ? 3'd7 : 3'((4'd1 << ctx_wr_i.data[9:8]) - 4'd1);
      end
      if (ctx_wr_i.word == vhp_lane_pkg::CtxVector) vector_mem[ctx_wr_i.qid]  <= ctx_wr_i.data[15:0];
      if (ctx_wr_i.word == vhp_lane_pkg::CtxUsedLo) base_lo_mem[ctx_wr_i.qid] <= ctx_wr_i.data;
      if (ctx_wr_i.word == vhp_lane_pkg::CtxUsedHi) base_hi_mem[ctx_wr_i.qid] <= ctx_wr_i.data;
    end
  end

  // ---------------------------------------------------------------- indices
  logic [15:0] avail_mem [QRows];     // chains given back
  logic [15:0] used_mem [QRows];      // used elements, those that still collect too
  logic [15:0] whole_mem [QRows];     // used index after the last whole packet
  logic [15:0] sent_mem [QRows];      // elements that left
  logic [Q-1:0]      elem_due_q, index_due_q;
  logic [N-1:0][7:0] infl_q;          // packets in flight

  // A queue starts at other indices: when no one else writes.
  logic           set_q, set_go;
  vhp_pkg::qid_t  set_qid_q;
  logic [15:0]    set_avail_q, set_used_q;
  logic [QidW:0]  clear_q;            // top bit: cleared

  always_ff @(posedge clk_i) begin
    if (set_go) set_q <= 1'b0;
    if (!clear_q[QidW]) begin
      clear_q     <= clear_q + 1'b1;
      set_q       <= 1'b1;
      set_qid_q   <= clear_q[QidW-1:0];
      set_avail_q <= '0;
      set_used_q  <= '0;
    end else if (ctx_wr_i.valid && ctx_wr_i.word == vhp_lane_pkg::CtxIdx) begin
      set_q       <= 1'b1;
      set_qid_q   <= ctx_wr_i.qid;
      set_avail_q <= ctx_wr_i.data[15:0];
      set_used_q  <= ctx_wr_i.data[31:16];
    end
    if (rst_i) begin
      clear_q <= '0;
      set_q   <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- elements
  ustate_e                st_q;
  logic                   e_valid_q, e_go, elem, full, job_q;   // job: a full line waits, or is on its way to imm_q
  vhp_lane_pkg::used_ev_t e_q;
  vhp_pkg::qid_t          e_qid, job_qid_q;
  logic [15:0]            e_avail, e_used;
  assign e_qid      = {e_q.lane, e_q.sink};
  assign e_go       = e_valid_q && !job_q;
  assign ev_ready_o = (!e_valid_q || !job_q) && !set_q;
  assign elem       = e_go && !e_q.aborted;
  assign e_avail    = avail_mem[e_qid];
  assign e_used     = used_mem[e_qid];
  assign full       = elem && (e_used[2:0] & line_mem[e_qid]) == line_mem[e_qid];

  always_ff @(posedge clk_i) begin
    if (ev_ready_o) e_q <= ev_i;
    e_valid_q     <= !rst_i && ((ev_valid_i && ev_ready_o) || (e_valid_q && !e_go));
    stop_o.valid  <= e_go && e_q.aborted && e_q.reason != vhp_pkg::StopNone && !rst_i;
    stop_o.lane   <= e_q.lane;
    stop_o.reason <= e_q.reason;
    stop_o.sink   <= 1'b0;
    stop_o.pos    <= e_avail;
  end

  assign set_go = set_q && !e_go && st_q != ULoad && st_q != UDecide && st_q != UJudge;

  vhp_pkg::qid_t idx_waddr;
  logic [15:0]   used_after;
  assign idx_waddr  = set_go ? set_qid_q : e_qid;
  assign used_after = set_go ? set_used_q : e_used + 16'd1;
  always_ff @(posedge clk_i) begin
    if (set_go || elem) begin
      avail_mem[idx_waddr] <= set_go ? set_avail_q : e_avail + 16'd1;
      used_mem[idx_waddr]  <= used_after;
    end
    if (set_go || (elem && e_q.whole)) whole_mem[idx_waddr] <= used_after;
  end

  vhp_pkg::qid_t    l_qid_q;             // the queue whose line is read
  logic [7:0][63:0] line;
  for (genvar b = 0; b < 8; b++) begin : g_bank
    logic [63:0] mem [QRows];
    always_ff @(posedge clk_i) begin
      if (elem && e_used[2:0] == 3'(b)) mem[e_qid] <= {15'd0, e_q.len, 16'd0, e_q.head};
    end
    assign line[b] = mem[l_qid_q];
  end

  always_ff @(posedge clk_i) begin
    pos_o       <= {avail_mem[{scan_i, 1'b1}], avail_mem[{scan_i, 1'b0}]};
    avail_idx_o <= avail_mem[idx_qid_i];
    used_idx_o  <= sent_mem[idx_qid_i];
  end

  // ---------------------------------------------------------------- choice
  vhp_pkg::qid_t  qid_q, flush_qid_q, view_qid;
  logic [N-1:0]   flush_q;
  logic           flush_any, flush_any_q, view_any, job_cur_q;
  vhp_pkg::lane_t flush_lane, flush_last_q;

  vhp_rr_pick #(.N(N)) u_flush (.req_i(flush_q), .last_i(flush_last_q), .valid_o(flush_any), .idx_o(flush_lane));

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      flush_q[l] <= !rst_i && infl_q[l] == '0 && (|elem_due_q[l*2 +: 2] || |index_due_q[l*2 +: 2]);
    end
    flush_any_q <= flush_any && !rst_i;
    // Sink before source.
    flush_qid_q <= {flush_lane, elem_due_q[{flush_lane, 1'b1}] || index_due_q[{flush_lane, 1'b1}]};
  end

  // ---------------------------------------------------------------- one line
  logic [15:0]   l_used_q, l_whole_q, l_sent_q, l_vector_q, mask;
  logic [63:0]   l_base_q, addr_q;
  vhp_lane_pkg::queue_cfg_t l_cfg_q;
  logic          elems_q, index_q;       // elements are to be written, an index
  vhp_pkg::wr_kind_e kind_q;
  logic [6:0]    len_q;
  logic [511:0]  imm_q;
  logic          wr_valid_q, msix_q, can_irq_q, wanted, view_come, index_go;
  logic [3:0]    n;
  logic [2:0]    first;

  assign mask  = (16'd1 << l_cfg_q.size_log2) - 16'd1;
  assign n     = l_used_q[3:0] - l_sent_q[3:0];
  assign first = l_sent_q[2:0];

  assign wr_valid_o = wr_valid_q;
  always_comb begin
    wr_o      = '0;
    wr_o.kind = kind_q;
    wr_o.func = l_cfg_q.func;
    wr_o.port = vhp_lane_pkg::port_of(qid_q[QidW-1:1]);
    wr_o.addr = addr_q;
    wr_o.len  = 17'(len_q);
    wr_o.imm  = imm_q;
  end
  assign index_go = st_q == UIndex && wr_ready_i;

  // The address of the elements, then that of the index.
  logic [18:0] off;
  assign off = st_q == UPrep && elems_q ? {l_sent_q & mask, 3'd4} : 19'd2;

  always_ff @(posedge clk_i) begin
    irq_valid_o  <= 1'b0;
    irq_qid_o    <= qid_q;
    isr_set_o    <= '0;
    if (st_q == UPrep || (st_q == UElems && wr_ready_i)) addr_q <= l_base_q + {45'd0, off};
    unique case (st_q)
      UIdle: begin
        job_cur_q <= job_q;
        qid_q     <= job_q ? job_qid_q : view_any ? view_qid : flush_qid_q;
        l_qid_q   <= job_q ? job_qid_q : view_any ? view_qid : flush_qid_q;
        if (job_q)            st_q <= ULoad;
        else if (view_any)    st_q <= UView;
        else if (flush_any_q) st_q <= ULoad;
        if (!job_q && !view_any && flush_any_q) flush_last_q <= flush_qid_q[QidW-1:1];
      end
      ULoad: begin
        // The choice was a cycle old: nothing may be due any more.
        st_q <= elem_due_q[qid_q] || index_due_q[qid_q] ? UPrep : UIdle;
      end
      UPrep: begin
        kind_q     <= vhp_pkg::WrImm;
        len_q      <= elems_q ? {n, 3'd0} : 7'd2;
        wr_valid_q <= 1'b1;
        st_q       <= elems_q ? UElems : UIndex;
        for (int unsigned i = 0; i < 8; i++) imm_q[i*64 +: 64] <= line[first + 3'(i)];
        if (!elems_q) imm_q[15:0] <= l_whole_q;
      end
      UElems: if (wr_ready_i) begin
        len_q       <= 7'd2;
        imm_q[15:0] <= l_whole_q;
        wr_valid_q  <= index_q;
        st_q        <= index_q ? UIndex : UIdle;
      end
      UIndex: if (wr_ready_i) begin
        wr_valid_q <= 1'b0;
        st_q       <= UDiff;
      end
      UDiff: st_q <= UDecide;
      UView: st_q <= view_come ? UJudge : UIdle;
      UDecide, UJudge: begin
        kind_q      <= vhp_pkg::WrMsix;
        imm_q[15:0] <= l_vector_q;
        wr_valid_q  <= can_irq_q && wanted && msix_q;
        st_q        <= can_irq_q && wanted && msix_q ? UMsix : UIdle;
        if (st_q == UJudge && can_irq_q && wanted && !msix_q) begin
          for (int unsigned p = 0; p < vhp_pkg::NumPorts; p++) isr_set_o[p] <= l_cfg_q.func == 8'(p + 1);
          irq_valid_o <= 1'b1;
        end
      end
      default: if (wr_ready_i) begin   // UMsix
        irq_valid_o <= 1'b1;
        wr_valid_q  <= 1'b0;
        st_q        <= UIdle;
      end
    endcase
    if (rst_i) begin
      st_q         <= UIdle;
      wr_valid_q   <= 1'b0;
      flush_last_q <= '0;
      irq_valid_o  <= 1'b0;
      isr_set_o    <= '0;
    end
  end

  // A view is judged in the cycle after its load.
  logic [7:0]  func_cur;
  logic [15:0] vector_cur;
  assign func_cur   = st_q == UView ? cfg_mem[l_qid_q].func : l_cfg_q.func;
  assign vector_cur = st_q == UView ? vector_mem[l_qid_q] : l_vector_q;

  always_ff @(posedge clk_i) begin
    if (st_q == ULoad || st_q == UView) begin
      l_cfg_q    <= cfg_mem[l_qid_q];
      l_vector_q <= vector_mem[l_qid_q];
    end
    if (st_q == ULoad) begin
      l_base_q  <= {base_hi_mem[l_qid_q], base_lo_mem[l_qid_q]};
      l_used_q  <= used_mem[l_qid_q];
      l_whole_q <= whole_mem[l_qid_q];
      l_sent_q  <= sent_mem[l_qid_q];
      elems_q   <= elem_due_q[qid_q];
      index_q   <= index_due_q[qid_q];
    end
    if (set_go)              sent_mem[set_qid_q] <= set_used_q;
    else if (st_q == ULoad)  sent_mem[qid_q]     <= used_mem[qid_q];
    if (st_q == UDiff || st_q == UView) begin
      msix_q    <= fn_msix(func_cur, fn_msix_enable_i);
      can_irq_q <= fn_msix(func_cur, fn_msix_enable_i) ? vector_cur != 16'hffff : func_cur != 8'd0;
    end
  end

  function automatic logic fn_msix(input logic [7:0] func, input logic [vhp_pkg::NumFn-1:0] enable);
    logic on;
    on = 1'b0;
    for (int unsigned f = 0; f < vhp_pkg::NumFn; f++) if (func == 8'(f)) on = enable[f];
    return on;
  endfunction

  // ---------------------------------------------------------------- interrupts
  logic [N-1:0] irq_busy;

  vhp_used_irq u_irq (
    .clk_i, .rst_i, .ctx_wr_i, .init_i,
    .set_i (set_go), .set_qid_i (set_qid_q), .set_used_i (set_used_q),
    .qid_i (qid_q), .index_i (index_go), .index_seq_i (wr_seq_i), .pos_i (l_whole_q),
    .diff_i (st_q == UDiff || st_q == UView), .view_diff_i (st_q == UView),
    .decide_i (st_q == UDecide), .judge_i (st_q == UJudge),
    .can_i (can_irq_q), .msix_i (msix_q), .event_idx_i (l_cfg_q.event_idx), .wanted_o (wanted),
    .pick_valid_o (view_any), .pick_qid_o (view_qid), .pick_take_i (st_q == UView), .come_o (view_come),
    .seq_done_i, .chk_valid_o, .chk_lane_o, .view_i, .busy_o (irq_busy)
  );

  // ---------------------------------------------------------------- state
  logic load_end;   // a full line has been read, or was gone already
  assign load_end = job_cur_q && (st_q == UPrep || (st_q == ULoad && !elem_due_q[qid_q] && !index_due_q[qid_q]));

  always_ff @(posedge clk_i) begin
    if (full) job_qid_q <= e_qid;
    job_q <= !rst_i && (full || (job_q && !load_end));
    for (int unsigned q = 0; q < Q; q++) begin
      // What comes in the cycle of the load is due again.
      if (st_q == ULoad && qid_q == vhp_pkg::qid_t'(q)) begin
        elem_due_q[q]  <= 1'b0;
        index_due_q[q] <= 1'b0;
      end
      if (elem && e_qid == vhp_pkg::qid_t'(q)) begin
        elem_due_q[q] <= 1'b1;
        if (e_q.whole) index_due_q[q] <= 1'b1;
      end
    end
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic plan = pkt_valid_i && pkt_lane_i == vhp_pkg::lane_t'(l);
      automatic logic done = e_go && e_q.last && e_q.lane == vhp_pkg::lane_t'(l);
      if (plan && !done) infl_q[l] <= infl_q[l] + 8'd1;
      if (done && !plan) infl_q[l] <= infl_q[l] - 8'd1;
      quiet_o[l] <= infl_q[l] == '0 && !plan;
      busy_o[l]  <= infl_q[l] != '0 || plan || |elem_due_q[l*2 +: 2] || |index_due_q[l*2 +: 2] || irq_busy[l]
                    || (st_q != UIdle && qid_q[QidW-1:1] == vhp_pkg::lane_t'(l))
                    || (e_valid_q && e_q.lane == vhp_pkg::lane_t'(l));
    end
    if (rst_i) begin
      elem_due_q  <= '0;
      index_due_q <= '0;
      infl_q      <= '0;
      busy_o      <= '0;
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      if (full) assert (!job_q);
      if (st_q == UPrep && elems_q) assert (n != 4'd0 && n <= 4'd8);
      if (init_i.valid) assert (!(|elem_due_q[{init_i.lane, 1'b0} +: 2]) && infl_q[init_i.lane] == '0);
      if (ctx_wr_i.valid && ctx_wr_i.word == vhp_lane_pkg::CtxIdx) assert (!set_q);
    end
  end
`endif

endmodule
