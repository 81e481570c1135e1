// SPDX-License-Identifier: Apache-2.0
//
// Firmware's registers of the lanes: addrmap vhp_lane of rtl/soc/vhp_regs.rdl.
//
// Purpose     Queue contexts and regions lie in a RAM for reading back; every write is passed on, as a whole dword, to
//             the stages that need it. Control, status, events and indices are the stages' own.
// Handshake   rb_*: one access at a time, one response each. Absent registers, and writes to the context of a lane
//             that is busy, answer with err and change nothing.
// Latency     4 cycles from request to response.

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
  input  logic [vhp_pkg::NumQueues-1:0][15:0] avail_idx_i,
  input  logic [vhp_pkg::NumQueues-1:0][15:0] used_idx_i,

  // Statistics: one word of one lane.
  output vhp_pkg::lane_t   stat_lane_o,
  input  logic [7:0][31:0] stat_i,

  output logic             irq_o,
  output logic             work_o
);

  localparam int unsigned N = vhp_pkg::NumLanes;
  localparam int unsigned Q = vhp_pkg::NumQueues;

  // Word addresses of the map (offset / 4), 14 bits.
  localparam logic [13:0] AdEvent = 14'h0000, AdEventEnable = 14'h0001;
  typedef enum logic [2:0] {SelNone, SelEvent, SelEnable, SelLane, SelStats, SelQueue, SelRegion} sel_e;
  typedef enum logic [1:0] {GIdle, GRead, GMerge, GAnswer} gstate_e;

  gstate_e          st_q;
  vhp_pkg::rb_req_t r_q;
  sel_e             sel, sel_q;
  logic [13:0]      word;
  logic [31:0]      old, old_q, merged;
  logic             write, err, ctx_busy;

  assign word = r_q.addr[15:2];

  // What is addressed.
  always_comb begin
    sel = SelNone;
    if (r_q.addr[23:16] == '0) begin
      if (word == AdEvent)                                                        sel = SelEvent;
      else if (word == AdEventEnable)                                             sel = SelEnable;
      else if (word[13:6] == 8'h01 && word[5:1] < 5'(N))                          sel = SelLane;     // 0x100
      else if (word[13:8] == 6'h01 && word[7:3] < 5'(N))                          sel = SelStats;    // 0x400
      else if (word[13:10] == 4'h1 && 32'(word[9:4]) < Q && word[3:0] <= vhp_lane_pkg::CtxIdx) sel = SelQueue;  // 0x1000
      else if (word[13:8] == 6'h0c && 32'(word[7:3]) < vhp_pkg::NumPorts * vhp_pkg::MaxRegions
               && word[2:0] <= vhp_lane_pkg::RgnCtrl)                             sel = SelRegion;   // 0x3000
    end
  end

  // ---------------------------------------------------------------- memory of what was written
  localparam int unsigned QMemW = vhp_pkg::QidW + 4 < 8 ? 8 : vhp_pkg::QidW + 4;
  (* ram_style = "block" *) logic [31:0] mem [2 ** (QMemW + 1)];
  logic [QMemW:0] mem_addr;
  logic [31:0]    mem_rdata_q;
  logic           mem_we;
  assign mem_addr = sel_q == SelRegion ? {1'b1, QMemW'(word[7:0])} : {1'b0, word[QMemW-1:0]};
  always_ff @(posedge clk_i) begin
    if (mem_we) mem[mem_addr] <= merged;
    mem_rdata_q <= mem[mem_addr];
  end
  // Nothing was written to a word yet: it reads as its reset value.
  logic [2**QMemW-1:0] qset_q;
  logic [2**8-1:0]     rset_q;

  logic [N-1:0]  enable_q, event_q;
  logic [31:0]   mask_q;
  vhp_pkg::lane_t lane;
  vhp_pkg::qid_t  qid;
  logic [31:0]    stat_q;
  assign enable_o    = enable_q;
  assign lane        = vhp_pkg::lane_t'(word[5:1]);
  assign qid         = vhp_pkg::qid_t'(word[9:4]);
  assign stat_lane_o = vhp_pkg::lane_t'(word[7:3]);
  assign ctx_busy    = busy_i[qid[vhp_pkg::QidW-1:1]];

  always_comb begin
    old = '0;
    unique case (sel_q)
      SelEvent:  old = 32'(event_q);
      SelEnable: old = mask_q;
      SelLane:   old = word[0] ? {at_i[lane], sink_i[lane], reason_i[lane], 7'd0, busy_i[lane]} : {31'd0, enable_q[lane]};
      SelStats:  old = stat_q;
      SelQueue: begin
        if (word[3:0] == vhp_lane_pkg::CtxIdx) old = {used_idx_i[qid], avail_idx_i[qid]};
        else if (qset_q[word[QMemW-1:0]])            old = mem_rdata_q;
        else if (word[3:0] == vhp_lane_pkg::CtxVector) old = 32'h0000ffff;
      end
      SelRegion: if (rset_q[word[7:0]]) old = mem_rdata_q;
      default: ;
    endcase
    merged = old_q;
    for (int unsigned b = 0; b < 4; b++) if (r_q.be[b]) merged[b*8 +: 8] = r_q.wdata[b*8 +: 8];
    if (sel_q == SelQueue && word[3:0] == vhp_lane_pkg::CtxCfg)    merged &= 32'h0003ffff;
    if (sel_q == SelQueue && word[3:0] == vhp_lane_pkg::CtxVector) merged &= 32'h0000ffff;
    if (sel_q == SelRegion && word[2:0] == vhp_lane_pkg::RgnCtrl)  merged &= 32'h00000001;
  end

  assign write  = st_q == GAnswer && r_q.write && r_q.be != '0 && !err;
  assign err    = sel_q == SelNone || (r_q.write && sel_q == SelQueue && ctx_busy);
  assign mem_we = write && (sel_q == SelQueue || sel_q == SelRegion);

  logic again_q;   // two cycles: RAM, then the choice
  always_ff @(posedge clk_i) begin
    rb_rsp_valid_o <= 1'b0;
    ctx_wr_o.valid <= 1'b0;
    ctx_wr_o.qid   <= qid;
    ctx_wr_o.word  <= word[3:0];
    ctx_wr_o.data  <= merged;
    rgn_wr_o.valid <= 1'b0;
    rgn_wr_o.row   <= word[7:3];
    rgn_wr_o.word  <= word[2:0];
    rgn_wr_o.data  <= merged;
    stat_q         <= stat_i[word[2:0]];
    again_q        <= st_q == GMerge && !again_q;
    event_q        <= event_q | event_set_i;
    unique case (st_q)
      GIdle: if (rb_req_valid_i) begin
        r_q  <= rb_req_i;
        st_q <= GRead;
      end
      GRead: begin
        sel_q <= sel;
        st_q  <= GMerge;
      end
      GMerge: begin
        old_q <= old;
        if (again_q) st_q <= GAnswer;
      end
      default: begin   // GAnswer
        rb_rsp_valid_o <= 1'b1;
        rb_rsp_o.err   <= err;
        rb_rsp_o.rdata <= err ? '0 : old_q;
        st_q           <= GIdle;
        if (write) begin
          unique case (sel_q)
            SelEvent: event_q <= (event_q | event_set_i) & ~be_bits(r_q.wdata, r_q.be)[N-1:0];
            SelEnable: mask_q <= merged;
            SelLane: if (!word[0] && r_q.be[0]) enable_q[lane] <= r_q.wdata[0];
            SelQueue: begin
              ctx_wr_o.valid    <= 1'b1;
              qset_q[word[QMemW-1:0]] <= 1'b1;
            end
            SelRegion: begin
              rgn_wr_o.valid    <= 1'b1;
              rset_q[word[7:0]] <= 1'b1;
            end
            default: ;
          endcase
        end
      end
    endcase
    if (rst_i) begin
      st_q           <= GIdle;
      rb_rsp_valid_o <= 1'b0;
      ctx_wr_o.valid <= 1'b0;
      rgn_wr_o.valid <= 1'b0;
      again_q        <= 1'b0;
      event_q        <= '0;
      mask_q         <= '0;
      enable_q       <= '0;
      qset_q         <= '0;
      rset_q         <= '0;
    end
  end

  function automatic logic [31:0] be_bits(input logic [31:0] data, input logic [3:0] be);
    return data & {{8{be[3]}}, {8{be[2]}}, {8{be[1]}}, {8{be[0]}}};
  endfunction

  assign rb_req_ready_o = st_q == GIdle;
  assign work_o         = st_q != GIdle;
  always_ff @(posedge clk_i) irq_o <= !rst_i && (32'(event_q) & mask_q) != '0;

endmodule
