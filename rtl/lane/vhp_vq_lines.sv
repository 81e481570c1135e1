// SPDX-License-Identifier: Apache-2.0
//
// Heads and descriptor lines of one end.
//
// Purpose     Takes avail entries in order, checks the head, and requests the 64-byte line (4 descriptors) it lies
//             in. Consecutive heads of one line share the read, but only heads that were published before the line
//             was read: `pub`, the avail index known when the read was issued.
// Handshake   rq_*: read requests, valid/ready. The walk reads heads by position: head_rd_o follows head_lane_i and
//             head_pos_i combinationally (LUT RAM).
// Lines       Slots are taken in order, 16 per queue; free_i counts the slots that the walk has left behind.
// Latency     3 cycles per head in a run of one queue, 4 with a change of queue.

module vhp_vq_lines #(
  parameter bit Sink = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic [vhp_pkg::NumLanes-1:0] run_i,

  input  logic [vhp_pkg::NumLanes-1:0][15:0] avail_seen_i,
  input  logic [vhp_pkg::NumLanes-1:0][15:0] ent_have_i,
  input  logic [vhp_pkg::NumLanes-1:0][15:0] walk_pos_i,
  output logic [vhp_pkg::NumLanes-1:0][15:0] head_pos_o,
  output logic [vhp_pkg::NumLanes-1:0]       head_fault_o,   // the entry at head_pos is no descriptor
  output vhp_pkg::lane_t                     entry_lane_o,
  output logic [vhp_lane_pkg::EntryW-1:0]    entry_pos_o,
  input  logic [15:0]                        entry_i,

  output logic                         rq_valid_o,
  input  logic                         rq_ready_i,
  output vhp_pkg::dma_rd_req_t         rq_o,
  input  logic                         rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t        rd_done_i,

  // Towards the walk.
  input  vhp_pkg::lane_t                              head_lane_i,
  input  logic [vhp_lane_pkg::HeadW-1:0]              head_pos_i,
  output logic [15:0]                                 head_o,
  output logic [vhp_lane_pkg::SlotW-1:0]              head_slot_o,
  output logic                                        head_first_o,   // first head of its slot
  input  logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::SlotW:0] free_i,
  output logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::Slots-1:0] slot_done_o,
  output logic [vhp_pkg::NumLanes-1:0][vhp_lane_pkg::Slots-1:0] slot_bad_o,
  output vhp_pkg::dma_status_e [vhp_pkg::NumLanes-1:0] slot_status_o,   // of the last bad line

  output logic [vhp_pkg::NumLanes-1:0] busy_o,
  output logic [vhp_pkg::NumLanes-1:0] work_o
);

  localparam int unsigned N     = vhp_pkg::NumLanes;
  localparam int unsigned Slots = vhp_lane_pkg::Slots;
  localparam int unsigned SlotW = vhp_lane_pkg::SlotW;
  localparam int unsigned HeadW = vhp_lane_pkg::HeadW;
  localparam vhp_pkg::rd_client_e Client = Sink ? vhp_pkg::RdSnkRing : vhp_pkg::RdSrcRing;
  localparam int unsigned MemRows = (1 << vhp_pkg::LaneW) * vhp_lane_pkg::Heads;

  typedef enum logic [2:0] {HPick, HRead, HRow, HMux, HDo, HLine} hstate_e;

  // ---------------------------------------------------------------- contexts
  logic [N-1:0][7:0]  func_q;
  logic [N-1:0][3:0]  size_log2_q;
  logic [N-1:0][63:0] desc_base_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      if (ctx_wr_i.valid && ctx_wr_i.qid == vhp_pkg::qid_t'(l * 2 + 32'(Sink))) begin
        unique case (ctx_wr_i.word)
          vhp_lane_pkg::CtxCfg: begin
            func_q[l]      <= ctx_wr_i.data[7:0];
            size_log2_q[l] <= ctx_wr_i.data[11:8];
          end
          vhp_lane_pkg::CtxDescLo: desc_base_q[l][31:0]  <= ctx_wr_i.data;
          vhp_lane_pkg::CtxDescHi: desc_base_q[l][63:32] <= ctx_wr_i.data;
          default: ;
        endcase
      end
    end
  end

  // ---------------------------------------------------------------- state
  logic [N-1:0][15:0]      head_pos_q;
  logic [N-1:0]            fault_q;
  logic [N-1:0][SlotW:0]   alloc_q;
  logic [N-1:0]            line_valid_q;
  logic [N-1:0][13:0]      line_q;       // the newest slot's line
  logic [N-1:0][15:0]      pub_q;
  logic [N-1:0][Slots-1:0] slot_done_q, slot_bad_q;
  vhp_pkg::dma_status_e [N-1:0] slot_status_q;
  logic [N-1:0][SlotW:0]   out_q;        // line reads that are out

  assign head_pos_o    = head_pos_q;
  assign head_fault_o  = fault_q;
  assign slot_done_o   = slot_done_q;
  assign slot_bad_o    = slot_bad_q;
  assign slot_status_o = slot_status_q;

  logic [N-1:0] ok, elig_q;
  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic [15:0]    held = head_pos_q[l] - walk_pos_i[l];
      automatic logic [SlotW:0] used = alloc_q[l] - free_i[l];
      ok[l] = run_i[l] && !fault_q[l] && head_pos_q[l] != ent_have_i[l] && held < 16'(vhp_lane_pkg::Heads)
              && used < (SlotW+1)'(Slots - 1);
    end
  end
  always_ff @(posedge clk_i) elig_q <= rst_i ? '0 : ok;

  // ---------------------------------------------------------------- one head after the other
  hstate_e        st_q;
  vhp_pkg::lane_t lane_q, last_q, pick;
  logic           any;
  logic [2:0]     burst_q;
  logic [15:0]    pos_q, next_q, head_q, pub_cur_q, seen_cur_q, beyond_q;
  logic [13:0]    line_cur_q;
  logic           line_cur_valid_q;
  logic           fresh_q, more_q, line_room_q;
  logic [3:0]     log2_q;
  logic [SlotW:0] alloc_cur_q;
  logic [63:0]    base_q, addr_q;
  logic [7:0]     fn_q;
  logic           share, in_range, push, again;
  logic [15:0]    ahead, held_next;
  logic [SlotW:0] used_next;

  vhp_rr_pick #(.N(N)) u_pick (.req_i(elig_q), .last_i(last_q), .valid_o(any), .idx_o(pick));

  assign entry_lane_o = lane_q;
  assign entry_pos_o  = pos_q[vhp_lane_pkg::EntryW-1:0];

  assign ahead    = pub_cur_q - pos_q;
  assign share    = line_cur_valid_q && line_cur_q == entry_i[15:2] && fresh_q;
  assign in_range = (entry_i & beyond_q) == 16'd0;

  assign rq_valid_o = st_q == HLine;
  always_comb begin
    rq_o          = '0;
    rq_o.func     = fn_q;
    rq_o.addr     = addr_q;
    rq_o.len      = log2_q >= 4'd2 ? 17'd64 : 17'(17'd16 << log2_q[0]);
    rq_o.ram_addr = vhp_lane_pkg::ram_desc(5'(lane_q), alloc_cur_q[SlotW-1:0]);
    rq_o.cookie   = {1'b0, 5'(lane_q), alloc_cur_q[SlotW-1:0]};
  end

  assign push  = (st_q == HDo && in_range && share) || (st_q == HLine && rq_ready_i);
  // Stay with this queue for a while: saves the choice. What the other stages have done since HMux can only help.
  assign held_next = next_q - walk_pos_i[lane_q];
  assign used_next = alloc_cur_q + 1'b1 - free_i[lane_q];
  assign again     = more_q && burst_q != 3'd7;

  always_ff @(posedge clk_i) begin
    unique case (st_q)
      HPick: begin
        lane_q  <= pick;
        burst_q <= 3'd0;
        if (any) begin
          last_q <= pick;
          st_q   <= HRead;
        end
      end
      HRead: begin
        pos_q <= head_pos_q[lane_q];
        st_q  <= elig_q[lane_q] ? HRow : HPick;   // of the cycle before: with what this state machine did last
      end
      HRow: begin   // pos_q is at the entry RAM
        base_q           <= desc_base_q[lane_q];
        log2_q           <= size_log2_q[lane_q];
        beyond_q         <= 16'hffff << size_log2_q[lane_q];
        next_q           <= pos_q + 16'd1;
        fn_q             <= func_q[lane_q];
        line_cur_q       <= line_q[lane_q];
        line_cur_valid_q <= line_valid_q[lane_q];
        pub_cur_q        <= pub_q[lane_q];
        alloc_cur_q      <= alloc_q[lane_q];
        st_q             <= HMux;
      end
      HMux: begin
        fresh_q     <= ahead != 16'd0 && !ahead[15];
        more_q      <= run_i[lane_q] && next_q != ent_have_i[lane_q] && held_next < 16'(vhp_lane_pkg::Heads);
        line_room_q <= used_next < (SlotW+1)'(Slots - 1);
        st_q        <= HDo;
      end
      HDo: begin
        head_q     <= entry_i;
        addr_q     <= base_q + {44'd0, entry_i[15:2], 6'd0};
        seen_cur_q <= avail_seen_i[lane_q];
        if (!in_range) st_q <= HPick;
        else if (!share) st_q <= HLine;
        else begin
          pos_q   <= next_q;
          burst_q <= burst_q + 3'd1;
          st_q    <= again ? HRow : HPick;
        end
      end
      default: if (rq_ready_i) begin   // HLine
        pos_q   <= next_q;
        burst_q <= burst_q + 3'd1;
        st_q    <= again && line_room_q ? HRow : HPick;
      end
    endcase
    if (rst_i) begin
      st_q   <= HPick;
      last_q <= '0;
    end
  end

  // ---------------------------------------------------------------- head FIFO
  logic [SlotW+16:0] mem [MemRows];
  logic [SlotW-1:0]  push_slot;
  assign push_slot = st_q == HLine ? alloc_cur_q[SlotW-1:0] : alloc_cur_q[SlotW-1:0] - 1'b1;

  always_ff @(posedge clk_i) begin
    if (push) begin
      mem[{lane_q, pos_q[HeadW-1:0]}] <= {st_q == HLine, push_slot, st_q == HLine ? head_q : entry_i};
    end
  end
  assign {head_first_o, head_slot_o, head_o} = mem[{head_lane_i, head_pos_i}];

  // ---------------------------------------------------------------- state
  logic                   done_line;
  vhp_pkg::lane_t         done_lane;
  logic [SlotW-1:0]       done_slot;
  assign done_line = rd_done_valid_i && rd_done_i.client == Client && !rd_done_i.cookie[9];
  assign done_lane = vhp_pkg::lane_t'(rd_done_i.cookie[8:4]);
  assign done_slot = rd_done_i.cookie[SlotW-1:0];

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic issue = st_q == HLine && rq_ready_i && lane_q == vhp_pkg::lane_t'(l);
      automatic logic done  = done_line && done_lane == vhp_pkg::lane_t'(l);
      if (push && lane_q == vhp_pkg::lane_t'(l)) head_pos_q[l] <= next_q;
      if (st_q == HDo && !in_range && lane_q == vhp_pkg::lane_t'(l)) fault_q[l] <= 1'b1;
      out_q[l] <= out_q[l] + (SlotW+1)'(issue) - (SlotW+1)'(done);
      if (issue) begin
        alloc_q[l]      <= alloc_cur_q + 1'b1;
        line_q[l]       <= head_q[15:2];
        line_valid_q[l] <= 1'b1;
        // Taken in the state before: what was known before the request left.
        pub_q[l]        <= seen_cur_q;
        slot_done_q[l][alloc_cur_q[SlotW-1:0]] <= 1'b0;
        slot_bad_q[l][alloc_cur_q[SlotW-1:0]]  <= 1'b0;
      end
      if (done) begin
        slot_done_q[l][done_slot] <= 1'b1;
        if (rd_done_i.status != vhp_pkg::DmaOk) begin
          slot_bad_q[l][done_slot] <= 1'b1;
          slot_status_q[l]         <= rd_done_i.status;
        end
      end
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(l)) begin
        head_pos_q[l]   <= init_i.pos[Sink];
        fault_q[l]      <= 1'b0;
        alloc_q[l]      <= '0;
        line_valid_q[l] <= 1'b0;
        slot_done_q[l]  <= '0;
        slot_bad_q[l]   <= '0;
      end
    end
    if (rst_i) begin
      head_pos_q   <= '0;
      fault_q      <= '0;
      alloc_q      <= '0;
      line_valid_q <= '0;
      out_q        <= '0;
    end
  end

  always_comb begin
    for (int unsigned l = 0; l < N; l++) begin
      busy_o[l] = out_q[l] != '0 || (st_q != HPick && lane_q == vhp_pkg::lane_t'(l));
      work_o[l] = elig_q[l];
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && done_line) assert (out_q[done_lane] != '0 && !slot_done_q[done_lane][done_slot]);
  end
`endif

endmodule
