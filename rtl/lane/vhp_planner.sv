// SPDX-License-Identifier: Apache-2.0
//
// Planner: which packet is next, and where it goes.
//
// Purpose     Lanes in turn: a lane's packet starts when the source chain at the head of its FIFO fits the sink's
//             complete chains. It takes the next entry of the packet table and the next rows of the packet buffer
//             (both rings, in plan order), its payload reads go out, and the writer finds it in the table.
// Rules       Source chain below NetHdrLen: StopShortPacket; above MaxPacket: StopLongPacket. A packet that the sink
//             can never hold is planned as a drop. A fault record stops the lane once it is at the head.
//             Without mergeable buffers the sink can never hold what its next chain cannot; with them, what all it can
//             post cannot: its descriptors are all held, or the FIFOs of chains or segments are full.
// Handshake   rd_req_*: valid/ready. src_/snk_push_*: new records in the chain FIFOs. free_*: the writer has finished
//             with the oldest packet, with its bytes. stop_o: the lane stops (one cycle). done/bad per table entry for the writer.
// Latency     4 cycles per packet, 2 more per further sink chain of a merged packet.

module vhp_planner (
  input  logic                         clk_i,
  input  logic                         rst_i,

  input  vhp_lane_pkg::ctx_wr_t        ctx_wr_i,   // all queues
  input  vhp_lane_pkg::lane_init_t     init_i,
  input  logic [vhp_pkg::NumLanes-1:0] run_i,
  input  logic [vhp_pkg::NumLanes-1:0] quiet_i,    // no packet of this lane in flight
  output vhp_lane_pkg::stop_t          stop_o,

  // Chain FIFOs, [0] source, [1] sink.
  input  logic                 [1:0]                           push_valid_i,
  input  vhp_pkg::lane_t       [1:0]                           push_lane_i,
  input  vhp_lane_pkg::chain_t [1:0]                           push_chain_i,
  output vhp_pkg::lane_t                                       chain_rd_lane_o,
  output logic                 [1:0][vhp_lane_pkg::ChainW-1:0] chain_rd_ptr_o,
  input  vhp_lane_pkg::chain_t [1:0]                           chain_rd_i,
  output vhp_lane_pkg::chain_pop_t                             src_chain_pop_o,
  input  logic [vhp_pkg::NumLanes-1:0]                         snk_stalled_i,

  // Source segments.
  output vhp_pkg::lane_t                                       seg_rd_lane_o,
  output logic [vhp_lane_pkg::SegW-1:0]                        seg_rd_ptr_o,
  input  vhp_lane_pkg::seg_t                                   seg_rd_i,
  output vhp_lane_pkg::seg_pop_t                               seg_pop_o,

  // Payload reads.
  output logic                         rd_req_valid_o,
  input  logic                         rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t         rd_req_o,
  input  logic                         rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t        rd_done_i,

  // Packet table.
  output logic                         pkt_valid_o,    // an entry is filled (one cycle)
  output vhp_pkg::lane_t               pkt_lane_o,
  input  vhp_lane_pkg::pkt_t           pkt_idx_i,
  output vhp_lane_pkg::packet_t        pkt_o,          // combinational from pkt_idx_i
  output logic                         pkt_there_o,    // entry pkt_idx_i is filled
  output logic                         pkt_done_o,     // ... and all its reads are done
  output logic                         pkt_bad_o,
  output vhp_pkg::dma_status_e         pkt_status_o,
  input  logic                         free_pkt_i,     // the oldest entry of the table is free
  input  logic                         free_rows_valid_i,
  input  vhp_lane_pkg::pktrow_t        free_rows_i,    // the oldest rows of the packet buffer are free
  output logic                         no_buffer_valid_o,
  output vhp_pkg::lane_t               no_buffer_lane_o,
  output logic                         dropped_valid_o,
  output vhp_pkg::lane_t               dropped_lane_o,

  output logic [vhp_pkg::NumLanes-1:0] busy_o,   // payload reads of this lane are still to be issued
  output logic                         work_o
);

  localparam int unsigned N       = vhp_pkg::NumLanes;
  localparam int unsigned ChainW  = vhp_lane_pkg::ChainW;
  localparam int unsigned SegW    = vhp_lane_pkg::SegW;
  localparam int unsigned Packets = vhp_lane_pkg::Packets;
  localparam int unsigned PktW    = vhp_lane_pkg::PktW;
  localparam int unsigned PktRowW = vhp_lane_pkg::PktRowW;
  localparam int unsigned ByteW   = 24;   // Chains * 2^18
  localparam int unsigned DescW   = 10;   // Segs + Chains

  typedef enum logic [2:0] {PPick, PRead, PGet, PDecide, PMoreRead, PMoreGet, PMoreAdd} pstate_e;

  typedef struct packed {
    vhp_pkg::lane_t        lane;
    vhp_lane_pkg::pkt_t    idx;
    vhp_lane_pkg::pktrow_t row;
    logic [8:0]            nsegs;
    logic                  drop;
  } job_t;

  // ---------------------------------------------------------------- contexts
  logic [N-1:0]           mrg_q;
  logic [N-1:0][DescW-1:0] snk_size_q;   // of the descriptor table; from 512 on more than can be held
  logic [N-1:0][7:0]      src_func_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      if (ctx_wr_i.valid && ctx_wr_i.word == vhp_lane_pkg::CtxCfg) begin
        if (ctx_wr_i.qid == vhp_pkg::qid_t'(l * 2)) src_func_q[l] <= ctx_wr_i.data[7:0];
        if (ctx_wr_i.qid == vhp_pkg::qid_t'(l * 2 + 1)) begin
          snk_size_q[l] <= ctx_wr_i.data[11:8] >= 4'd9 ? DescW'(512) : DescW'(10'd1 << ctx_wr_i.data[11:8]);
          mrg_q[l]      <= ctx_wr_i.data[14];
        end
      end
    end
  end

  // ---------------------------------------------------------------- what each lane has
  logic [N-1:0][1:0][ChainW-1:0] rp_q;
  logic [N-1:0][1:0][ChainW:0]   cnt_q;      // records not planned yet
  logic [N-1:0][ByteW-1:0]       bytes_q;    // in the sink's
  logic [N-1:0][DescW-1:0]       descs_q;    // of the sink's descriptor table, held by them
  logic [N-1:0]                  kfault_q;   // the sink's last record is a fault
  vhp_pkg::stop_reason_e [N-1:0] kreason_q;
  logic [N-1:0][15:0]            kpos_q;
  logic [N-1:0]                  full_q;     // the sink's FIFO cannot get more
  logic [N-1:0]                  blocked_q;  // wait for more from the sink
  logic [N-1:0]                  cand_q;

  pstate_e              st_q;
  vhp_pkg::lane_t       lane_q, last_q, pick;
  logic                 any;
  vhp_lane_pkg::chain_t s_q;
  logic [1:0][ChainW:0] c_q;
  logic [ByteW-1:0]     b_q;
  logic                 mrg_cur_q, kfault_cur_q, full_cur_q, quiet_cur_q, enough_q, one_fits_q;
  logic [1:0][ChainW-1:0] rp_cur_q;
  logic [ChainW:0]      n_q;          // sink chains taken
  logic [17:0]          got_q;        // bytes in them, saturating
  logic [ByteW-1:0]     got_bytes_q;
  logic [DescW-1:0]     got_descs_q;
  logic [18:0]          got_next;
  vhp_lane_pkg::pktrow_t rows_q;
  logic                 run_cur_q, short_q, long_q, one_left_q;
  assign got_next = 19'(got_q) + 19'(chain_rd_i[1].total);

  vhp_rr_pick #(.N(N)) u_pick (.req_i(cand_q), .last_i(last_q), .valid_o(any), .idx_o(pick));

  // Packet table and buffer: rings.
  logic [PktW:0]    used_pkts_q;
  logic [PktW-1:0]  tail_q;
  logic [PktRowW:0] used_rows_q;
  vhp_lane_pkg::pktrow_t row_tail_q;
  logic             waited_q, entry_q, rows_max_q, rows_this_q, room, job_ready;
  logic [4:0]       job_level;

  // ---------------------------------------------------------------- decision
  logic go, drop, block, stop;
  vhp_pkg::stop_reason_e reason;
  logic                  stop_sink;
  logic [15:0]           stop_pos;
  logic                  more;

  always_comb begin
    go        = 1'b0;
    drop      = 1'b0;
    block     = 1'b0;
    stop      = 1'b0;
    more      = 1'b0;
    reason    = s_q.reason;
    stop_sink = 1'b0;
    stop_pos  = s_q.pos;
    if (st_q == PDecide && run_cur_q) begin
      if (kfault_cur_q && one_left_q) begin
        stop      = 1'b1;
        reason    = kreason_q[lane_q];
        stop_pos  = kpos_q[lane_q];
        stop_sink = 1'b1;
      end else if (c_q[0] == '0) begin
        stop = 1'b0;
      end else if (s_q.fault) begin
        stop = 1'b1;
      end else if (short_q) begin
        stop   = 1'b1;
        reason = vhp_pkg::StopShortPacket;
      end else if (long_q) begin
        stop   = 1'b1;
        reason = vhp_pkg::StopLongPacket;
      end else if (c_q[1] == '0) begin
        block = 1'b1;
      end else if (one_fits_q) begin
        go = 1'b1;
      end else if (!mrg_cur_q) begin
        go   = 1'b1;
        drop = 1'b1;
      end else if (enough_q) begin
        more = 1'b1;
      end else if (kfault_cur_q) begin
        stop      = 1'b1;
        reason    = kreason_q[lane_q];
        stop_pos  = kpos_q[lane_q];
        stop_sink = 1'b1;
      end else if (full_cur_q && quiet_cur_q) begin
        go   = 1'b1;
        drop = 1'b1;
      end else begin
        block = 1'b1;
      end
    end else if (st_q == PMoreAdd && run_cur_q) begin
      go = got_q >= s_q.total;
    end
  end

  logic plan;
  assign room = entry_q && (rows_max_q || (waited_q && rows_this_q));
  assign plan = go && room && job_ready;

  assign chain_rd_lane_o = lane_q;
  assign chain_rd_ptr_o  = rp_cur_q;

  always_ff @(posedge clk_i) begin
    run_cur_q <= run_i[lane_q];
    unique case (st_q)
      PPick: begin
        lane_q <= pick;
        rp_cur_q <= rp_q[pick];
        if (any) begin
          last_q <= pick;
          st_q   <= PRead;
        end
      end
      PRead: begin
        // Counts of the moment at which the records are read.
        c_q          <= cnt_q[lane_q];
        b_q          <= bytes_q[lane_q];
        mrg_cur_q    <= mrg_q[lane_q];
        kfault_cur_q <= kfault_q[lane_q];
        full_cur_q   <= full_q[lane_q];
        quiet_cur_q  <= quiet_i[lane_q];
        st_q         <= PGet;
      end
      PGet: begin
        s_q         <= chain_rd_i[0];
        n_q         <= (ChainW+1)'(1);
        got_q       <= chain_rd_i[1].total;
        got_bytes_q <= ByteW'(chain_rd_i[1].total);
        got_descs_q <= DescW'(chain_rd_i[1].ndescs);
        short_q     <= chain_rd_i[0].total < 18'(vhp_pkg::NetHdrLen);
        long_q      <= chain_rd_i[0].total > 18'(vhp_pkg::MaxPacket);
        one_left_q  <= c_q[1] == (ChainW+1)'(1);
        one_fits_q  <= chain_rd_i[1].total >= chain_rd_i[0].total && !chain_rd_i[1].fault;
        enough_q    <= b_q >= ByteW'(chain_rd_i[0].total);
        rows_q      <= PktRowW'((chain_rd_i[0].total + 18'd63) >> 6);
        st_q        <= PDecide;
      end
      PDecide: begin
        if (more) begin
          rp_cur_q[1] <= rp_cur_q[1] + 1'b1;
          st_q        <= PMoreRead;
        end else if (!go || plan) begin
          st_q <= PPick;
        end
      end
      PMoreRead: st_q <= PMoreGet;
      PMoreGet: begin
        st_q  <= PMoreAdd;
        n_q   <= n_q + 1'b1;
        got_q <= got_next[18] ? '1 : got_next[17:0];
        got_bytes_q <= got_bytes_q + ByteW'(chain_rd_i[1].total);
        got_descs_q <= got_descs_q + DescW'(chain_rd_i[1].ndescs);
      end
      default: begin   // PMoreAdd
        if (!run_cur_q || plan) begin
          st_q <= PPick;
        end else if (!go) begin
          rp_cur_q[1] <= rp_cur_q[1] + 1'b1;
          st_q        <= PMoreRead;
        end
      end
    endcase
    if (rst_i) begin
      st_q   <= PPick;
      last_q <= '0;
    end
  end

  // What comes and what a plan takes, one cycle late: a plan's lane is looked at again two cycles after it at the
  // earliest, and so are counts and bytes, always of the same moment.
  logic [1:0]           push_q;
  vhp_pkg::lane_t [1:0] push_lane_q;
  vhp_lane_pkg::chain_t push_chain_q;   // the sink's
  logic                 plan_q, take_q;
  vhp_pkg::lane_t       plan_lane_q;
  logic [ChainW:0]      take_k_q;
  logic [ByteW-1:0]     take_bytes_q;
  logic [DescW-1:0]     take_descs_q;
  vhp_lane_pkg::pktrow_t take_rows_q;

  always_ff @(posedge clk_i) begin
    push_q       <= rst_i ? '0 : push_valid_i;
    push_lane_q  <= push_lane_i;
    push_chain_q <= push_chain_i[1];
    plan_q       <= plan && !rst_i;
    take_q       <= plan && !drop && !rst_i;
    plan_lane_q  <= lane_q;
    take_k_q     <= n_q;
    take_bytes_q <= got_bytes_q;
    take_descs_q <= got_descs_q;
    take_rows_q  <= drop ? '0 : rows_q;
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      automatic logic me = lane_q == vhp_pkg::lane_t'(l);
      automatic logic s_push = push_q[0] && push_lane_q[0] == vhp_pkg::lane_t'(l);
      automatic logic k_push = push_q[1] && push_lane_q[1] == vhp_pkg::lane_t'(l);
      automatic logic k_more = k_push && !push_chain_q.fault;
      automatic logic s_take = plan_q && plan_lane_q == vhp_pkg::lane_t'(l);
      automatic logic k_take = take_q && plan_lane_q == vhp_pkg::lane_t'(l);
      if (s_push != s_take) cnt_q[l][0] <= s_push ? cnt_q[l][0] + 1'b1 : cnt_q[l][0] - 1'b1;
      if (k_push || k_take) begin
        cnt_q[l][1] <= cnt_q[l][1] + (ChainW+1)'(k_push) - (k_take ? take_k_q : '0);
        bytes_q[l]  <= bytes_q[l] + (k_more ? ByteW'(push_chain_q.total) : '0) - (k_take ? take_bytes_q : '0);
        descs_q[l]  <= descs_q[l] + (k_more ? DescW'(push_chain_q.ndescs) : '0) - (k_take ? take_descs_q : '0);
      end
      if (me && plan) begin
        rp_q[l][0] <= rp_q[l][0] + 1'b1;
        if (!drop) rp_q[l][1] <= rp_q[l][1] + n_q[ChainW-1:0];
      end
      if (k_push && push_chain_q.fault) begin
        kfault_q[l]  <= 1'b1;
        kreason_q[l] <= push_chain_q.reason;
        kpos_q[l]    <= push_chain_q.pos;
      end
      full_q[l] <= cnt_q[l][1][ChainW] || descs_q[l] >= snk_size_q[l] || snk_stalled_i[l];
      // Blocked: until the sink has more than was looked at, or what it has becomes all that it can have.
      if (me && block && cnt_q[l][1] == c_q[1]) blocked_q[l] <= 1'b1;
      if (k_push || (full_q[l] && quiet_i[l] && !(me && st_q != PPick))) blocked_q[l] <= 1'b0;
      // A drop decision needs a full FIFO and nothing in flight; without sink chains there is none.
      cand_q[l] <= run_i[l] && ((cnt_q[l][0] != '0 && !blocked_q[l]) || (kfault_q[l] && cnt_q[l][1] == (ChainW+1)'(1)));
      if (init_i.valid && init_i.lane == vhp_pkg::lane_t'(l)) begin
        rp_q[l]      <= '0;
        cnt_q[l]     <= '0;
        bytes_q[l]   <= '0;
        descs_q[l]   <= '0;
        kfault_q[l]  <= 1'b0;
        blocked_q[l] <= 1'b0;
        full_q[l]    <= 1'b0;
      end
    end
    if (rst_i) begin
      cnt_q     <= '0;
      cand_q    <= '0;
      kfault_q  <= '0;
      blocked_q <= '0;
    end
  end

  always_ff @(posedge clk_i) begin
    stop_o.valid  <= stop && !rst_i;
    stop_o.lane   <= lane_q;
    stop_o.reason <= reason;
    stop_o.sink   <= stop_sink;
    stop_o.pos    <= stop_pos;
    src_chain_pop_o.valid <= plan && !rst_i;
    src_chain_pop_o.lane  <= lane_q;
    no_buffer_valid_o <= block && !rst_i;
    no_buffer_lane_o  <= lane_q;
    dropped_valid_o   <= plan && drop && !rst_i;
    dropped_lane_o    <= lane_q;
  end

  // ---------------------------------------------------------------- packet table
  vhp_lane_pkg::packet_t table_mem [Packets];
  // Reads are counted modulo 2^9 without an end: `end` is the count at which the packet's last one is done.
  logic [8:0]            end_mem [Packets];
  logic [8:0]            count_mem [Packets];
  vhp_pkg::dma_status_e  status_mem [Packets];
  logic [Packets-1:0]    done_q, bad_q;
  vhp_lane_pkg::packet_t entry;
  vhp_lane_pkg::pktrow_t rows;
  logic [8:0]            nreads_q, tail_count_q;   // of the packet that is looked at; of the table's next entry

  assign rows = drop ? '0 : rows_q;

  always_comb begin
    entry         = '0;
    entry.lane    = lane_q;
    entry.drop    = drop;
    entry.len     = s_q.total[16:0];
    entry.row     = row_tail_q;
    entry.head    = s_q.head;
    entry.nchains = n_q;
    entry.mrg     = mrg_cur_q;
  end

  assign pkt_valid_o = plan_q;
  assign pkt_lane_o  = plan_lane_q;

  // A read is done: count, then tell.
  logic                 d_valid_q, d_last, e_valid_q;
  vhp_lane_pkg::pkt_t   d_idx_q, e_idx_q;
  vhp_pkg::dma_status_e d_status_q;
  logic [8:0]           d_count;
  assign d_count = count_mem[d_idx_q] + 9'd1;
  assign d_last  = d_count == end_mem[d_idx_q];

  always_ff @(posedge clk_i) begin
    if (st_q == PGet) nreads_q <= chain_rd_i[0].nsegs + 9'(chain_rd_i[0].big);
    tail_count_q <= count_mem[tail_q];
    d_valid_q    <= rd_done_valid_i && rd_done_i.client == vhp_pkg::RdPacket && !rst_i;
    d_idx_q      <= rd_done_i.cookie[PktW-1:0];
    d_status_q   <= rd_done_i.status;
    e_valid_q    <= d_valid_q && d_last && !rst_i;
    e_idx_q      <= d_idx_q;
    if (d_valid_q) begin
      count_mem[d_idx_q] <= d_count;
      if (d_status_q != vhp_pkg::DmaOk) begin
        status_mem[d_idx_q] <= d_status_q;
        bad_q[d_idx_q]      <= 1'b1;
      end
    end
    if (e_valid_q) done_q[e_idx_q] <= 1'b1;
    if (plan) begin
      table_mem[tail_q] <= entry;
      end_mem[tail_q]   <= tail_count_q + nreads_q;
      done_q[tail_q]    <= drop;
      bad_q[tail_q]     <= 1'b0;
    end
  end

  assign pkt_o        = table_mem[pkt_idx_i];
  assign pkt_done_o   = done_q[pkt_idx_i];
  assign pkt_bad_o    = bad_q[pkt_idx_i];
  assign pkt_status_o = status_mem[pkt_idx_i];
  assign pkt_there_o  = used_pkts_q != '0;

  always_ff @(posedge clk_i) begin
    if (plan_q != free_pkt_i) used_pkts_q <= plan_q ? used_pkts_q + 1'b1 : used_pkts_q - 1'b1;
    used_rows_q <= used_rows_q + (plan_q ? (PktRowW+1)'(take_rows_q) : '0)
                   - (free_rows_valid_i ? (PktRowW+1)'(free_rows_i) : '0);
    if (plan) begin
      tail_q     <= tail_q + 1'b1;
      row_tail_q <= row_tail_q + rows;
    end
    // Looked at two cycles late; nothing is planned between PPick and PDecide. Room for the largest packet is known
    // at once, room for just this one in the second cycle of PDecide.
    waited_q  <= st_q == PDecide || st_q == PMoreAdd;
    entry_q   <= used_pkts_q < (PktW+1)'(Packets);
    rows_max_q  <= used_rows_q <= (PktRowW+1)'(vhp_lane_pkg::PktRows - (vhp_pkg::MaxPacket + 63) / 64);
    rows_this_q <= used_rows_q + (PktRowW+1)'(rows_q) <= (PktRowW+1)'(vhp_lane_pkg::PktRows);
    if (rst_i) begin
      used_pkts_q <= '0;
      used_rows_q <= '0;
      tail_q      <= '0;
      row_tail_q  <= '0;
    end
  end

  // ---------------------------------------------------------------- payload reads
  typedef enum logic [1:0] {RIdle, RRead, RGet, RIssue} rstate_e;
  rstate_e    rst_q;
  job_t       job_in, job, j_q;
  logic       job_valid, job_take;
  logic [N-1:0][SegW-1:0] srp_q;
  logic [SegW-1:0] srp_cur_q;
  vhp_lane_pkg::seg_t g_q;
  logic [16:0] off_q;
  logic [8:0]  left_q;
  logic        req_valid_q, half;
  logic [16:0] req_len;

  assign job_in.lane  = lane_q;
  assign job_in.idx   = tail_q;
  assign job_in.row   = row_tail_q;
  assign job_in.nsegs = s_q.nsegs;
  assign job_in.drop  = drop;

  vhp_stream_fifo #(.Width($bits(job_t)), .Depth(16)) u_jobs (
    .clk_i, .rst_i,
    .in_valid_i  (plan),
    .in_ready_o  (job_ready),
    .in_data_i   (job_in),
    .out_valid_o (job_valid),
    .out_ready_i (job_take),
    .out_data_o  (job),
    .level_o     (job_level)
  );

  logic can_issue, last_seg;
  assign can_issue = !req_valid_q || rd_req_ready_i;
  // A segment of more than 65536 bytes takes two requests.
  assign half      = g_q.len > 17'h10000;
  assign req_len   = half ? 17'h08000 : g_q.len;
  assign last_seg  = left_q == 9'd1 && !half;
  assign job_take  = job_valid && (rst_q == RIdle || (rst_q == RIssue && can_issue && last_seg));
  assign seg_rd_lane_o = j_q.lane;
  assign seg_rd_ptr_o  = srp_cur_q;

  assign rd_req_valid_o = req_valid_q;

  logic [SegW-1:0] srp_after;
  assign srp_after = srp_cur_q + (rst_q == RRead ? SegW'(j_q.nsegs) : SegW'(1));

  always_ff @(posedge clk_i) begin
    seg_pop_o.valid <= 1'b0;
    seg_pop_o.lane  <= j_q.lane;
    seg_pop_o.count <= 9'd1;
    if (rd_req_ready_i) req_valid_q <= 1'b0;
    if (job_take) begin
      j_q    <= job;
      left_q <= job.nsegs;
      off_q  <= '0;
      // The pointer of a lane that goes on moves in this very cycle.
      srp_cur_q <= rst_q == RIssue && job.lane == j_q.lane ? srp_after : srp_q[job.lane];
    end
    unique case (rst_q)
      RIdle: if (job_take) rst_q <= RRead;
      RRead: begin
        if (j_q.drop) begin
          seg_pop_o.valid <= 1'b1;
          seg_pop_o.count <= j_q.nsegs;
          srp_q[j_q.lane] <= srp_after;
          rst_q           <= RIdle;
        end else begin
          rst_q <= RGet;
        end
      end
      RGet: begin
        g_q   <= seg_rd_i;
        rst_q <= RIssue;
      end
      default: if (can_issue) begin   // RIssue
        req_valid_q       <= 1'b1;
        rd_req_o.func     <= src_func_q[j_q.lane];
        rd_req_o.addr     <= g_q.addr;
        rd_req_o.len      <= req_len;
        rd_req_o.ram_addr <= {j_q.row, 6'd0} + off_q;
        rd_req_o.cookie   <= 10'(j_q.idx);
        if (half) begin
          g_q.addr <= g_q.addr + 64'h8000;
          g_q.len  <= g_q.len - 17'h08000;
          off_q    <= off_q + 17'h08000;
        end else begin
          seg_pop_o.valid <= 1'b1;
          srp_q[j_q.lane] <= srp_after;
          if (!last_seg) begin
            off_q     <= off_q + g_q.len;
            left_q    <= left_q - 9'd1;
            srp_cur_q <= srp_after;
            rst_q     <= RRead;
          end else begin
            rst_q <= job_take ? RRead : RIdle;
          end
        end
      end
    endcase
    if (init_i.valid) srp_q[init_i.lane] <= '0;
    if (rst_i) begin
      rst_q           <= RIdle;
      req_valid_q     <= 1'b0;
      seg_pop_o.valid <= 1'b0;
    end
  end

  logic job_end;
  logic [N-1:0][4:0] jobs_q;
  assign job_end = (rst_q == RRead && j_q.drop) || (rst_q == RIssue && can_issue && last_seg);
  always_ff @(posedge clk_i) begin
    for (int unsigned l = 0; l < N; l++) begin
      jobs_q[l] <= jobs_q[l] + 5'(plan && lane_q == vhp_pkg::lane_t'(l)) - 5'(job_end && j_q.lane == vhp_pkg::lane_t'(l));
      busy_o[l] <= jobs_q[l] != '0 || (plan && lane_q == vhp_pkg::lane_t'(l));
    end
    if (rst_i) jobs_q <= '0;
  end

  assign work_o = |cand_q || st_q != PPick || plan_q || d_valid_q || e_valid_q || job_level != '0 || rst_q != RIdle || req_valid_q || used_pkts_q != '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (used_pkts_q <= (PktW+1)'(Packets));
      assert (used_rows_q <= (PktRowW+1)'(vhp_lane_pkg::PktRows));
      if (e_valid_q) assert (!done_q[e_idx_q]);
    end
  end
`endif

endmodule
