// SPDX-License-Identifier: Apache-2.0
//
// Used rings and interrupts of all queues.
//
// Purpose     Used elements collect per queue in an aligned line of 8. A line leaves when it is full, at the ring's
//             end, or when its lane has no packet in flight; then used->idx up to the last whole packet (the buffers
//             of a merged packet must be seen together); then, if the driver wants it, MSI-X.
// Interrupts  If the cached avail flags (used_event) allow it, at once. Else the index write must have left before
//             they are read again (chk_*, answered by view_i), and that reading decides: never a lost one. One such
//             reading is out per queue; what is written meanwhile is judged by the next.
// Handshake   ev_*, wr_*: valid/ready. stop_o: a lane whose packet could not be read, with its position.
// Latency     1 cycle per element, about 8 per line.

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

  output logic [vhp_pkg::NumQueues-1:0][15:0] avail_idx_o,   // chains given back
  output logic [vhp_pkg::NumQueues-1:0][15:0] used_idx_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;
  localparam int unsigned Q = vhp_pkg::NumQueues;
  localparam int unsigned QRows = 1 << vhp_pkg::QidW;

  typedef enum logic [3:0] {UIdle, ULoad, URotate, UElems, UIndex, UDecide, UView, UJudge, UMsix} ustate_e;

  // ---------------------------------------------------------------- contexts
  vhp_lane_pkg::queue_cfg_t [Q-1:0] cfg_q;
  logic [Q-1:0][15:0] vector_q;
  logic [Q-1:0][63:0] base_q;

  // ---------------------------------------------------------------- state per queue
  logic [Q-1:0][15:0] avail_q, used_q;      // used_q counts the elements that still collect, too
  logic [Q-1:0][3:0]  cnt_q;
  logic [Q-1:0][15:0] whole_q, shown_q;     // used index after the last whole packet, and as the driver sees it
  logic [Q-1:0]       due_q;                // something is to be written
  logic [N-1:0][7:0]  infl_q;
  logic [Q-1:0]       no_int_q, uev_ok_q;   // what the driver wanted when we looked
  logic [Q-1:0][15:0] uev_q;
  logic [Q-1:0][15:0] sig_q;                // used index up to which the driver was told or did not want to be
  logic [Q-1:0]       want_q, again_q, fly_q, live_q, res_q;
  vhp_lane_pkg::seq_t [Q-1:0] want_seq_q, last_seq_q;
  logic [Q-1:0][15:0] want_idx_q, last_idx_q, fly_idx_q;

  assign avail_idx_o = avail_q;
  always_comb begin
    for (int unsigned q = 0; q < Q; q++) used_idx_o[q] = used_q[q] - 16'(cnt_q[q]);
    for (int unsigned l = 0; l < N; l++) quiet_o[l] = infl_q[l] == '0;
  end

  // ---------------------------------------------------------------- choice
  ustate_e       st_q;
  vhp_pkg::qid_t qid_q, ev_qid, view_qid, flush_qid;
  logic [N-1:0]  flush_q;
  logic [Q-1:0]  view_elig_q;
  logic          flush_any, view_any;
  vhp_pkg::lane_t flush_lane, flush_last_q;
  vhp_pkg::qid_t view_last_q;

  vhp_rr_pick #(.N(N)) u_flush (.req_i(flush_q), .last_i(flush_last_q), .valid_o(flush_any), .idx_o(flush_lane));
  vhp_rr_pick #(.N(Q)) u_view  (.req_i(view_elig_q), .last_i(view_last_q), .valid_o(view_any), .idx_o(view_qid));
  // Sink before source.
  assign flush_qid = {flush_lane, due_q[{flush_lane, 1'b1}]};

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      flush_q[l] <= !rst_i && infl_q[l] == '0 && (due_q[l*2] || due_q[l*2+1]);
    end
    for (int unsigned q = 0; q < Q; q++) due_q[q] <= !rst_i && (cnt_q[q] != '0 || whole_q[q] != shown_q[q]);
    view_elig_q <= rst_i ? '0 : res_q;
  end

  // ---------------------------------------------------------------- elements
  logic        ev_take, elem, line_full;
  logic [15:0] ev_pos, ev_mask;
  logic [63:0] ev_elem;
  assign ev_qid     = {ev_i.lane, ev_i.sink};
  assign ev_ready_o = st_q == UIdle;
  assign ev_take    = ev_valid_i && ev_ready_o;
  assign elem       = ev_take && !ev_i.aborted;
  assign ev_pos     = used_q[ev_qid];
  assign ev_mask    = (16'd1 << cfg_q[ev_qid].size_log2) - 16'd1;
  assign line_full  = ev_pos[2:0] == 3'd7 || (ev_pos & ev_mask) == ev_mask;
  assign ev_elem    = {15'd0, ev_i.len, 16'd0, ev_i.head};

  logic [7:0][63:0] line, line_q;
  for (genvar b = 0; b < 8; b++) begin : g_bank
    logic [63:0] mem [QRows];
    always_ff @(posedge clk_i) begin
      if (elem && ev_pos[2:0] == 3'(b)) mem[ev_qid] <= ev_elem;
    end
    assign line[b] = mem[qid_q];
  end

  // ---------------------------------------------------------------- one line
  logic [15:0]  pos_q, start_q, mask_q, vec_q;
  logic [3:0]   n_q;
  logic [63:0]  ubase_q;
  vhp_lane_pkg::queue_cfg_t c_q;
  logic [511:0] imm_q;
  logic         msix_q, can_irq_q, hidden_q;   // hidden: no packet became whole
  logic [15:0]  old_q, new_q, uev_cur_q;
  logic         no_int_cur_q, known_q;
  logic         wanted;
  logic [15:0]  since_event, since_old;

  assign since_event = new_q - uev_cur_q - 16'd1;
  assign since_old   = new_q - old_q;
  assign wanted      = known_q && (c_q.event_idx ? since_event < since_old : !no_int_cur_q);

  assign wr_valid_o = st_q == UElems || st_q == UIndex || st_q == UMsix;
  always_comb begin
    wr_o      = '0;
    wr_o.kind = vhp_pkg::WrImm;
    wr_o.func = c_q.func;
    wr_o.port = vhp_lane_pkg::port_of(qid_q[vhp_pkg::QidW-1:1]);
    wr_o.imm  = imm_q;
    unique case (st_q)
      UElems: begin
        wr_o.addr = ubase_q + 64'd4 + {45'd0, start_q & mask_q, 3'd0};
        wr_o.len  = {10'd0, n_q, 3'd0};
      end
      UIndex: begin
        wr_o.addr      = ubase_q + 64'd2;
        wr_o.len       = 17'd2;
        wr_o.imm[15:0] = pos_q;
      end
      default: begin
        wr_o.kind      = vhp_pkg::WrMsix;
        wr_o.imm[15:0] = vec_q;
      end
    endcase
  end

  logic [N-1:0] fsm_lane;
  always_comb begin
    for (int unsigned l = 0; l < N; l++) fsm_lane[l] = st_q != UIdle && qid_q[vhp_pkg::QidW-1:1] == vhp_pkg::lane_t'(l);
  end

  always_ff @(posedge clk_i) begin
    irq_valid_o  <= 1'b0;
    irq_qid_o    <= qid_q;
    isr_set_o    <= '0;
    stop_o.valid <= 1'b0;
    stop_o.lane   <= ev_i.lane;
    stop_o.reason <= ev_i.reason;
    stop_o.sink   <= 1'b0;
    stop_o.pos    <= avail_q[{ev_i.lane, 1'b0}];
    unique case (st_q)
      UIdle: begin
        if (ev_take) begin
          qid_q <= ev_qid;
          if (elem && line_full) st_q <= ULoad;
          if (ev_i.aborted && ev_i.reason != vhp_pkg::StopNone) stop_o.valid <= 1'b1;
        end else if (view_any) begin
          qid_q       <= view_qid;
          view_last_q <= view_qid;
          st_q        <= UView;
        end else if (flush_any) begin
          qid_q        <= flush_qid;
          flush_last_q <= flush_lane;
          st_q         <= ULoad;
        end
      end
      ULoad: begin
        line_q  <= line;
        pos_q    <= whole_q[qid_q];
        hidden_q <= whole_q[qid_q] == shown_q[qid_q];
        start_q <= used_q[qid_q] - 16'(cnt_q[qid_q]);
        n_q     <= cnt_q[qid_q];
        c_q     <= cfg_q[qid_q];
        mask_q  <= (16'd1 << cfg_q[qid_q].size_log2) - 16'd1;
        ubase_q <= base_q[qid_q];
        vec_q   <= vector_q[qid_q];
        // The choice was a cycle old; an index can be due without elements.
        if (cnt_q[qid_q] != '0)                    st_q <= URotate;
        else if (whole_q[qid_q] != shown_q[qid_q]) st_q <= UIndex;
        else                                       st_q <= UIdle;
      end
      URotate: begin
        for (int unsigned i = 0; i < 8; i++) imm_q[i*64 +: 64] <= line_q[start_q[2:0] + 3'(i)];
        st_q <= UElems;
      end
      UElems: if (wr_ready_i) st_q <= hidden_q ? UIdle : UIndex;
      UIndex: begin
        // What is known of the driver's wish before the index leaves.
        new_q        <= pos_q;
        old_q        <= sig_q[qid_q];
        uev_cur_q    <= uev_q[qid_q];
        no_int_cur_q <= no_int_q[qid_q];
        known_q      <= uev_ok_q[qid_q];
        msix_q       <= fn_msix(c_q.func, fn_msix_enable_i);
        can_irq_q    <= fn_msix(c_q.func, fn_msix_enable_i) ? vec_q != 16'hffff : c_q.func != 8'd0;
        if (wr_ready_i) st_q <= UDecide;
      end
      UDecide: st_q <= can_irq_q && msix_q && wanted ? UMsix : UIdle;
      UView: begin
        c_q          <= cfg_q[qid_q];
        vec_q        <= vector_q[qid_q];
        new_q        <= fly_idx_q[qid_q];
        old_q        <= sig_q[qid_q];
        uev_cur_q    <= uev_q[qid_q];
        no_int_cur_q <= no_int_q[qid_q];
        known_q      <= live_q[qid_q] && uev_ok_q[qid_q];
        msix_q       <= fn_msix(cfg_q[qid_q].func, fn_msix_enable_i);
        can_irq_q    <= fn_msix(cfg_q[qid_q].func, fn_msix_enable_i) ? vector_q[qid_q] != 16'hffff
                                                                     : cfg_q[qid_q].func != 8'd0;
        st_q         <= res_q[qid_q] ? UJudge : UIdle;
      end
      UJudge: begin
        if (can_irq_q && wanted && !msix_q) begin
          for (int unsigned p = 0; p < vhp_pkg::NumPorts; p++) isr_set_o[p] <= c_q.func == 8'(p + 1);
          irq_valid_o <= 1'b1;
        end
        st_q <= can_irq_q && wanted && msix_q ? UMsix : UIdle;
      end
      default: if (wr_ready_i) begin   // UMsix
        irq_valid_o <= 1'b1;
        st_q        <= UIdle;
      end
    endcase
    if (rst_i) begin
      st_q         <= UIdle;
      flush_last_q <= '0;
      view_last_q  <= '0;
      irq_valid_o  <= 1'b0;
      isr_set_o    <= '0;
      stop_o.valid <= 1'b0;
    end
  end

  function automatic logic fn_msix(input logic [7:0] func, input logic [vhp_pkg::NumFn-1:0] enable);
    logic on;
    on = 1'b0;
    for (int unsigned f = 0; f < vhp_pkg::NumFn; f++) if (func == 8'(f)) on = enable[f];
    return on;
  endfunction

  // ---------------------------------------------------------------- readings of the driver's wish
  logic [Q-1:0]  chk_elig_q;
  logic          chk_any, chk_go;
  vhp_pkg::qid_t chk_qid, chk_last_q;
  vhp_rr_pick #(.N(Q)) u_chk (.req_i(chk_elig_q), .last_i(chk_last_q), .valid_o(chk_any), .idx_o(chk_qid));
  assign chk_go = chk_any && want_q[chk_qid] && !fly_q[chk_qid]
                  && !(st_q == UDecide && qid_q == chk_qid);

  always_ff @(posedge clk_i) begin
    for (int unsigned q = 0; q < Q; q++) begin
      chk_elig_q[q] <= !rst_i && want_q[q] && !fly_q[q] && vhp_lane_pkg::seq_past(seq_done_i, want_seq_q[q]);
    end
    chk_valid_o <= '0;
    chk_lane_o  <= chk_qid[vhp_pkg::QidW-1:1];
    if (chk_go && !rst_i) chk_valid_o[chk_qid[0]] <= 1'b1;
    if (chk_any) chk_last_q <= chk_qid;
    if (rst_i) chk_last_q <= '0;
  end

  // ---------------------------------------------------------------- state
  always_ff @(posedge clk_i) begin
    for (int unsigned q = 0; q < Q; q++) begin
      automatic logic me     = qid_q == vhp_pkg::qid_t'(q);
      automatic logic ctx    = ctx_wr_i.valid && ctx_wr_i.qid == vhp_pkg::qid_t'(q);
      automatic logic view   = view_i[q % 2].valid && view_i[q % 2].lane == vhp_pkg::lane_t'(q / 2);
      if (ctx) begin
        unique case (ctx_wr_i.word)
          vhp_lane_pkg::CtxCfg:    cfg_q[q]         <= ctx_wr_i.data[17:0];
          vhp_lane_pkg::CtxVector: vector_q[q]      <= ctx_wr_i.data[15:0];
          vhp_lane_pkg::CtxUsedLo: base_q[q][31:0]  <= ctx_wr_i.data;
          vhp_lane_pkg::CtxUsedHi: base_q[q][63:32] <= ctx_wr_i.data;
          vhp_lane_pkg::CtxIdx: begin
            avail_q[q] <= ctx_wr_i.data[15:0];
            used_q[q]  <= ctx_wr_i.data[31:16];
          end
          default: ;
        endcase
      end

      if (elem && ev_qid == vhp_pkg::qid_t'(q)) begin
        avail_q[q] <= avail_q[q] + 16'd1;
        used_q[q]  <= used_q[q] + 16'd1;
        cnt_q[q]   <= cnt_q[q] + 4'd1;
        if (ev_i.whole) whole_q[q] <= used_q[q] + 16'd1;
      end
      if (me && st_q == UElems && wr_ready_i) cnt_q[q] <= '0;
      if (me && st_q == UIndex && wr_ready_i) begin
        shown_q[q]    <= pos_q;
        last_seq_q[q] <= wr_seq_i;
        last_idx_q[q] <= pos_q;
      end
      if (me && st_q == UDecide) begin
        if (!can_irq_q || (msix_q && wanted)) begin
          sig_q[q]   <= pos_q;
          want_q[q]  <= 1'b0;
          again_q[q] <= 1'b0;
          live_q[q]  <= 1'b0;
        end else if (want_q[q]) begin
          again_q[q] <= 1'b1;
        end else begin
          want_q[q]     <= 1'b1;
          want_seq_q[q] <= last_seq_q[q];
          want_idx_q[q] <= pos_q;
        end
      end
      if (chk_go && chk_qid == vhp_pkg::qid_t'(q)) begin
        fly_q[q]     <= 1'b1;
        live_q[q]    <= 1'b1;
        fly_idx_q[q] <= want_idx_q[q];
        want_q[q]    <= again_q[q];
        again_q[q]   <= 1'b0;
        if (again_q[q]) begin
          want_seq_q[q] <= last_seq_q[q];
          want_idx_q[q] <= last_idx_q[q];
        end
      end
      if (me && st_q == UJudge) begin
        res_q[q] <= 1'b0;
        fly_q[q] <= 1'b0;
        if (live_q[q]) sig_q[q] <= new_q;
      end
      if (view) begin
        no_int_q[q] <= view_i[q % 2].no_interrupt || view_i[q % 2].err;
        // used_event is read only when asked for.
        if (view_i[q % 2].asked) begin
          uev_q[q] <= view_i[q % 2].used_event;
          res_q[q] <= 1'b1;
        end
        if (view_i[q % 2].err) uev_ok_q[q] <= 1'b0;
        else if (view_i[q % 2].asked || !cfg_q[q].event_idx) uev_ok_q[q] <= 1'b1;
      end
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(q / 2)) begin
        cnt_q[q]    <= '0;
        whole_q[q]  <= used_q[q];
        shown_q[q]  <= used_q[q];
        sig_q[q]    <= used_q[q];
        no_int_q[q] <= 1'b1;
        uev_ok_q[q] <= 1'b0;
        want_q[q]   <= 1'b0;
        again_q[q]  <= 1'b0;
        fly_q[q]    <= 1'b0;
        res_q[q]    <= 1'b0;
        live_q[q]   <= 1'b0;
      end
    end
    for (int unsigned l = 0; l < N; l++) begin
      infl_q[l] <= infl_q[l] + 8'(pkt_valid_i && pkt_lane_i == vhp_pkg::lane_t'(l))
                   - 8'(ev_take && ev_i.last && ev_i.lane == vhp_pkg::lane_t'(l));
      busy_o[l] <= infl_q[l] != '0 || cnt_q[l*2] != '0 || cnt_q[l*2+1] != '0 || due_q[l*2] || due_q[l*2+1] || fsm_lane[l]
                   || want_q[l*2] || want_q[l*2+1] || fly_q[l*2] || fly_q[l*2+1];
    end
    if (rst_i) begin
      cnt_q    <= '0;
      infl_q   <= '0;
      want_q   <= '0;
      again_q  <= '0;
      fly_q    <= '0;
      res_q    <= '0;
      live_q   <= '0;
      avail_q  <= '0;
      used_q   <= '0;
      whole_q  <= '0;
      shown_q  <= '0;
      busy_o   <= '0;
    end
  end

endmodule
