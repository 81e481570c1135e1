// SPDX-License-Identifier: Apache-2.0
//
// Firmware's registers of the lanes: addrmap vhp_lane of rtl/soc/vhp_regs.rdl.
//
// Purpose     Queue contexts and regions lie in a RAM for reading back; every write is passed on, as a whole dword, to
//             the stages that need it. Control, status, events and indices are the stages' own.
// Handshake   rb_*: one access at a time, one response each. Absent registers, and writes to the context of a lane
//             that is enabled or busy, answer with err and change nothing. stat_i and idx_i follow stat_*_o and idx_qid_o within
//             two cycles.
// Latency     6 cycles from request to response; after reset the first access waits until the RAM holds reset values.

module vhp_lane_regs (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  output vhp_lane_pkg::ctx_wr_t        ctx_wr_o,
  output vhp_lane_pkg::rgn_wr_t        rgn_wr_o,
  output logic [vhp_pkg::NumLanes-1:0] enable_o,
  input  logic [vhp_pkg::NumLanes-1:0] busy_i,
  input  logic [vhp_pkg::NumLanes-1:0] event_set_i,
  input  vhp_pkg::stop_reason_e [vhp_pkg::NumLanes-1:0] reason_i,
  input  logic [vhp_pkg::NumLanes-1:0]       sink_i,
  input  logic [vhp_pkg::NumLanes-1:0][14:0] at_i,
  output vhp_pkg::qid_t    idx_qid_o,
  input  logic [31:0]      idx_i,        // {used, avail} of queue idx_qid_o

  // Statistics: one word of one lane.
  output vhp_pkg::lane_t   stat_lane_o,
  output logic [2:0]       stat_word_o,
  input  logic [31:0]      stat_i,

  output logic             irq_o,
  output logic             work_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;
  localparam int unsigned Q = vhp_pkg::NumQueues;

  // Word addresses of the map.
  typedef logic [13:0] word_t;
  localparam word_t WEvent  = word_t'(vhp_regs_pkg::LaneEvent >> 2);
  localparam word_t WEnable = word_t'(vhp_regs_pkg::LaneEventEnable >> 2);
  localparam word_t WLane   = word_t'(vhp_regs_pkg::LaneLaneBase >> 2);
  localparam word_t WStats  = word_t'(vhp_regs_pkg::LaneStatsBase >> 2);
  localparam word_t WQueue  = word_t'(vhp_regs_pkg::LaneQueueBase >> 2);
  localparam word_t WRegion = word_t'(vhp_regs_pkg::LaneRegionBase >> 2);
  // Bits of a word address within one element, and within the whole array.
  localparam int unsigned LaneIn    = $clog2(vhp_regs_pkg::LaneLaneStride / 4);
  localparam int unsigned StatsIn   = $clog2(vhp_regs_pkg::LaneStatsStride / 4);
  localparam int unsigned QueueIn   = $clog2(vhp_regs_pkg::LaneQueueStride / 4);
  localparam int unsigned RegionIn  = $clog2(vhp_regs_pkg::LaneRegionStride / 4);
  localparam int unsigned LaneAll   = LaneIn + $clog2(vhp_regs_pkg::LaneLaneCount);
  localparam int unsigned StatsAll  = StatsIn + $clog2(vhp_regs_pkg::LaneStatsCount);
  localparam int unsigned QueueAll  = QueueIn + $clog2(vhp_regs_pkg::LaneQueueCount);
  localparam int unsigned RegionAll = RegionIn + $clog2(vhp_regs_pkg::LaneRegionCount);
  // Bits that the context words have.
  localparam logic [31:0] CfgMask = (32'd1 << (vhp_regs_pkg::LaneQueueCfgPortLsb + vhp_regs_pkg::LaneQueueCfgPortWidth)) - 32'd1;
  localparam logic [31:0] VectorMask = (32'd1 << vhp_regs_pkg::LaneQueueVectorVectorWidth) - 32'd1;
  localparam logic [31:0] RgnMask = 32'd1 << vhp_regs_pkg::LaneRegionCtrlValidLsb;

  initial begin
    if (LaneIn != 1 || StatsIn != 3 || QueueIn != 4 || RegionIn != 3
        || $bits(vhp_lane_pkg::queue_cfg_t) != vhp_regs_pkg::LaneQueueCfgPortLsb + vhp_regs_pkg::LaneQueueCfgPortWidth) begin
      $fatal(1, "vhp_lane_regs: vhp_lane_pkg does not match rtl/soc/vhp_regs.rdl (%m)");
    end
  end

  typedef enum logic [2:0] {SelNone, SelEvent, SelEnable, SelLane, SelStats, SelQueue, SelRegion} sel_e;
  typedef enum logic [2:0] {GClear, GIdle, GSelect, GRead, GLook, GMerge, GAnswer} gstate_e;

  gstate_e          st_q;
  vhp_pkg::rb_req_t r_q;
  sel_e             sel, sel_q;
  word_t            word;
  logic [31:0]      own_q, old, old_q, merged, status;
  logic             write, err, busy_q;

  assign word = r_q.addr[15:2];

  // What is addressed: arrays lie at multiples of their size.
  always_comb begin
    sel = SelNone;
    if (r_q.addr[23:16] == '0) begin
      if (word == WEvent)                                                           sel = SelEvent;
      else if (word == WEnable)                                                     sel = SelEnable;
      else if (word[13:LaneAll] == WLane[13:LaneAll]
               && 32'(word[LaneAll-1:LaneIn]) < N)                                  sel = SelLane;
      else if (word[13:StatsAll] == WStats[13:StatsAll]
               && 32'(word[StatsAll-1:StatsIn]) < N)                                sel = SelStats;
      else if (word[13:QueueAll] == WQueue[13:QueueAll]
               && 32'(word[QueueAll-1:QueueIn]) < Q
               && word[QueueIn-1:0] <= vhp_lane_pkg::CtxIdx)                        sel = SelQueue;
      else if (word[13:RegionAll] == WRegion[13:RegionAll]
               && 32'(word[RegionAll-1:RegionIn]) < vhp_pkg::NumPorts * vhp_pkg::MaxRegions
               && word[RegionIn-1:0] <= vhp_lane_pkg::RgnCtrl)                      sel = SelRegion;
    end
  end

  // ---------------------------------------------------------------- memory of what was written
  localparam int unsigned QMemW = vhp_pkg::QidW + QueueIn < RegionAll ? RegionAll : vhp_pkg::QidW + QueueIn;
  (* ram_style = "block" *) logic [31:0] mem [2 ** (QMemW + 1)];
  logic [QMemW:0] mem_addr, clear_q;
  logic [31:0]    mem_rdata_q, mem_wdata;
  logic           mem_we;
  always_comb begin
    mem_addr  = sel_q == SelRegion ? {1'b1, QMemW'(word[RegionAll-1:0])} : {1'b0, word[QMemW-1:0]};
    mem_wdata = merged;
    if (st_q == GClear) begin
      mem_addr  = clear_q;
      mem_wdata = !clear_q[QMemW] && clear_q[QueueIn-1:0] == vhp_lane_pkg::CtxVector ? VectorMask : '0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (mem_we) mem[mem_addr] <= mem_wdata;
    mem_rdata_q <= mem[mem_addr];
  end

  logic [N-1:0]   enable_q, event_q;
  logic [31:0]    mask_q;
  vhp_pkg::lane_t lane;
  assign enable_o    = enable_q;
  assign lane        = vhp_pkg::lane_t'(word[LaneAll-1:LaneIn]);
  assign idx_qid_o   = vhp_pkg::qid_t'(word[QueueAll-1:QueueIn]);
  assign stat_lane_o = vhp_pkg::lane_t'(word[StatsAll-1:StatsIn]);
  assign stat_word_o = word[StatsIn-1:0];

  always_comb begin
    status = '0;
    status[vhp_regs_pkg::LaneLaneStatusBusyLsb] = busy_i[lane];
    status[vhp_regs_pkg::LaneLaneStatusReasonLsb +: 8] = reason_i[lane];
    status[vhp_regs_pkg::LaneLaneStatusSinkLsb] = sink_i[lane];
    status[vhp_regs_pkg::LaneLaneStatusAtLsb +: 15] = at_i[lane];
    unique case (sel_q)
      SelStats:            old = stat_i;
      SelQueue, SelRegion: old = sel_q == SelQueue && word[QueueIn-1:0] == vhp_lane_pkg::CtxIdx ? idx_i : mem_rdata_q;
      default:             old = own_q;
    endcase
    merged = old_q;
    for (int unsigned b = 0; b < 4; b++) if (r_q.be[b]) merged[b*8 +: 8] = r_q.wdata[b*8 +: 8];
    if (sel_q == SelQueue && word[QueueIn-1:0] == vhp_lane_pkg::CtxCfg)    merged &= CfgMask;
    if (sel_q == SelQueue && word[QueueIn-1:0] == vhp_lane_pkg::CtxVector) merged &= VectorMask;
    if (sel_q == SelRegion && word[RegionIn-1:0] == vhp_lane_pkg::RgnCtrl) merged &= RgnMask;
  end

  assign write  = st_q == GAnswer && r_q.write && r_q.be != '0 && !err;
  assign err    = sel_q == SelNone || (r_q.write && sel_q == SelQueue && busy_q);
  assign mem_we = st_q == GClear || (write && (sel_q == SelQueue || sel_q == SelRegion));

  always_ff @(posedge clk_i) begin
    rb_rsp_valid_o <= 1'b0;
    ctx_wr_o.valid <= 1'b0;
    ctx_wr_o.qid   <= idx_qid_o;
    ctx_wr_o.word  <= word[QueueIn-1:0];
    ctx_wr_o.data  <= merged;
    rgn_wr_o.valid <= 1'b0;
    rgn_wr_o.row   <= word[RegionAll-1:RegionIn];
    rgn_wr_o.word  <= word[RegionIn-1:0];
    rgn_wr_o.data  <= merged;
    event_q        <= event_q | event_set_i;
    unique case (st_q)
      GClear: begin
        clear_q <= clear_q + 1'b1;
        if (&clear_q) st_q <= GIdle;
      end
      GIdle: if (rb_req_valid_i) begin
        r_q  <= rb_req_i;
        st_q <= GSelect;
      end
      GSelect: begin
        sel_q <= sel;
        st_q  <= GRead;
      end
      GRead: st_q <= GLook;   // the RAM's address stands
      GLook: begin
        busy_q <= busy_i[idx_qid_o[vhp_pkg::QidW-1:1]] || enable_q[idx_qid_o[vhp_pkg::QidW-1:1]];
        unique case (sel_q)
          SelEvent:  own_q <= 32'(event_q);
          SelEnable: own_q <= mask_q;
          default:   own_q <= word[0] ? status : {31'd0, enable_q[lane]};
        endcase
        st_q <= GMerge;
      end
      GMerge: begin
        old_q <= old;
        st_q  <= GAnswer;
      end
      default: begin   // GAnswer
        rb_rsp_valid_o <= 1'b1;
        rb_rsp_o.err   <= err;
        rb_rsp_o.rdata <= err ? '0 : old_q;
        st_q           <= GIdle;
        if (write) begin
          unique case (sel_q)
            SelEvent:  event_q <= (event_q | event_set_i) & ~be_bits(r_q.wdata, r_q.be)[N-1:0];
            SelEnable: mask_q  <= merged;
            SelLane:   if (!word[0] && r_q.be[0]) enable_q[lane] <= r_q.wdata[0];
            SelQueue:  ctx_wr_o.valid <= 1'b1;
            SelRegion: rgn_wr_o.valid <= 1'b1;
            default: ;
          endcase
        end
      end
    endcase
    if (rst_i) begin
      st_q           <= GClear;
      clear_q        <= '0;
      rb_rsp_valid_o <= 1'b0;
      ctx_wr_o.valid <= 1'b0;
      rgn_wr_o.valid <= 1'b0;
      event_q        <= '0;
      mask_q         <= '0;
      enable_q       <= '0;
    end
  end

  function automatic logic [31:0] be_bits(input logic [31:0] data, input logic [3:0] be);
    return data & {{8{be[3]}}, {8{be[2]}}, {8{be[1]}}, {8{be[0]}}};
  endfunction

  assign rb_req_ready_o = st_q == GIdle;
  assign work_o         = st_q != GIdle;
  always_ff @(posedge clk_i) irq_o <= !rst_i && (32'(event_q) & mask_q) != '0;

endmodule
