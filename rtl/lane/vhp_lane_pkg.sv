// SPDX-License-Identifier: Apache-2.0
//
// Types that pass between the stages of the lanes, and the map of the ring RAMs.

package vhp_lane_pkg;

  // ---------------------------------------------------------------- sizes
  localparam int unsigned Segs     = vhp_pkg::MaxChain;  // segments held per queue; one whole chain always fits
  localparam int unsigned Chains   = 64;   // chain records held per queue: 64 buffers of 1526 bytes hold MaxPacket
  localparam int unsigned Entries  = 128;  // avail entries per queue: twice what 1 us at 50 Mpps takes
  localparam int unsigned Heads    = 64;   // heads between avail ring and walk, per queue
  localparam int unsigned Slots    = 16;   // descriptor lines per queue
  localparam int unsigned Packets  = 128;  // packets in flight
  localparam int unsigned PktRows  = vhp_pkg::PktBufBytes / 64;
  localparam int unsigned SegW     = $clog2(Segs);
  localparam int unsigned ChainW   = $clog2(Chains);
  localparam int unsigned EntryW   = $clog2(Entries);
  localparam int unsigned HeadW    = $clog2(Heads);
  localparam int unsigned SlotW    = $clog2(Slots);
  localparam int unsigned PktW     = $clog2(Packets);
  localparam int unsigned PktRowW  = $clog2(PktRows);
  localparam int unsigned XlateLat = 5;    // cycles of vhp_region_table

  typedef logic [PktW-1:0]    pkt_t;
  typedef logic [PktRowW-1:0] pktrow_t;
  typedef logic [15:0]        seq_t;       // number of a write command, modulo 2^16

  // ---------------------------------------------------------------- firmware's writes, to whom they concern
  // Word numbers of vhp_lane.queue and vhp_lane.region.
  localparam logic [3:0] CtxCfg     = 4'(vhp_regs_pkg::LaneQueueCfg >> 2);
  localparam logic [3:0] CtxVector  = 4'(vhp_regs_pkg::LaneQueueVector >> 2);
  localparam logic [3:0] CtxDescLo  = 4'(vhp_regs_pkg::LaneQueueDescLo >> 2);
  localparam logic [3:0] CtxDescHi  = 4'(vhp_regs_pkg::LaneQueueDescHi >> 2);
  localparam logic [3:0] CtxAvailLo = 4'(vhp_regs_pkg::LaneQueueAvailLo >> 2);
  localparam logic [3:0] CtxAvailHi = 4'(vhp_regs_pkg::LaneQueueAvailHi >> 2);
  localparam logic [3:0] CtxUsedLo  = 4'(vhp_regs_pkg::LaneQueueUsedLo >> 2);
  localparam logic [3:0] CtxUsedHi  = 4'(vhp_regs_pkg::LaneQueueUsedHi >> 2);
  localparam logic [3:0] CtxIdx     = 4'(vhp_regs_pkg::LaneQueueIdx >> 2);
  localparam logic [2:0] RgnGpaLo   = 3'(vhp_regs_pkg::LaneRegionGpaLo >> 2);
  localparam logic [2:0] RgnGpaHi   = 3'(vhp_regs_pkg::LaneRegionGpaHi >> 2);
  localparam logic [2:0] RgnLastLo  = 3'(vhp_regs_pkg::LaneRegionLastLo >> 2);
  localparam logic [2:0] RgnLastHi  = 3'(vhp_regs_pkg::LaneRegionLastHi >> 2);
  localparam logic [2:0] RgnIovaLo  = 3'(vhp_regs_pkg::LaneRegionIovaLo >> 2);
  localparam logic [2:0] RgnIovaHi  = 3'(vhp_regs_pkg::LaneRegionIovaHi >> 2);
  localparam logic [2:0] RgnCtrl    = 3'(vhp_regs_pkg::LaneRegionCtrl >> 2);

  typedef struct packed {
    logic            valid;
    vhp_pkg::qid_t   qid;
    logic [3:0]      word;
    logic [31:0]     data;
  } ctx_wr_t;

  typedef struct packed {
    logic            valid;
    logic [4:0]      row;    // port * 8 + index
    logic [2:0]      word;
    logic [31:0]     data;
  } rgn_wr_t;

  // vhp_lane.queue.cfg
  typedef struct packed {
    logic [1:0] port;
    logic       translate;
    logic       mrg_rxbuf;
    logic       indirect;
    logic       event_idx;
    logic [3:0] size_log2;
    logic [7:0] func;
  } queue_cfg_t;

  // A lane begins a life: every stage forgets what it knew of it.
  typedef struct packed {
    logic           valid;
    vhp_pkg::lane_t lane;
    logic [1:0][15:0] pos;   // first avail entry of source, sink
  } lane_init_t;

  // ---------------------------------------------------------------- chains
  typedef struct packed {
    logic [63:0] addr;   // IOVA
    logic [16:0] len;    // what is longer than any packet stands as 0x1ffff
  } seg_t;

  // A whole chain, or (fault) the reason why the ring ends here.
  typedef struct packed {
    logic                  fault;
    vhp_pkg::stop_reason_e reason;
    logic [15:0]           pos;     // avail index
    logic [15:0]           head;
    logic [17:0]           total;   // bytes, saturating
    logic [8:0]            nsegs;   // 1..256
    logic [8:0]            ndescs;  // of the queue's descriptor table, 1..256
    logic                  big;     // one segment is longer than a read request may be
  } chain_t;

  // What the walk hands to the region table: a segment, a chase (read of descriptors elsewhere) or a fault.
  typedef enum logic [1:0] {ItSeg, ItChase, ItFault} item_e;

  typedef struct packed {
    logic           valid;
    vhp_pkg::lane_t lane;
    item_e          kind;
    logic           last;   // segment: the chain is complete
    logic [16:0]    len;
    chain_t         chain;
    logic [7:0]     func;   // chase: whose memory
    logic [19:0]    off;    // chase: byte offset in the table
    logic [6:0]     rlen;   // chase: bytes to read
  } item_t;

  typedef struct packed {
    logic           valid;
    vhp_pkg::lane_t lane;
    logic [8:0]     count;
  } seg_pop_t;

  typedef struct packed {
    logic           valid;
    vhp_pkg::lane_t lane;
  } chain_pop_t;

  // ---------------------------------------------------------------- packets
  typedef struct packed {
    vhp_pkg::lane_t    lane;
    logic              drop;      // no sink chain can hold it: only the source is returned
    logic [16:0]       len;       // with virtio_net_hdr
    pktrow_t           row;       // first row of the packet buffer
    logic [15:0]       head;      // of the source chain
    logic [ChainW:0]   nchains;   // sink chains
    logic              mrg;
  } packet_t;

  // What becomes of a chain. last: the packet is finished; whole: of its chains on this side none is to come, so the
  // used index may show it (all buffers of a merged packet become visible together).
  typedef struct packed {
    vhp_pkg::lane_t        lane;
    logic                  sink;
    logic                  last;
    logic                  whole;
    logic                  aborted;   // no element: the packet was not written
    vhp_pkg::stop_reason_e reason;  // with aborted: StopNone if the lane had stopped before
    logic [15:0]           head;
    logic [16:0]           len;
  } used_ev_t;

  typedef struct packed {
    logic                  valid;
    vhp_pkg::lane_t        lane;
    vhp_pkg::stop_reason_e reason;
    logic                  sink;
    logic [15:0]           pos;
  } stop_t;

  // Answer to a request of the interrupt policy: what the driver wants now.
  typedef struct packed {
    logic           valid;
    vhp_pkg::lane_t lane;
    logic           err;
    logic           asked;       // vhp_used asked for it; else only the cached values change
    logic           no_interrupt;
    logic [15:0]    used_event;
  } irq_view_t;

  // ---------------------------------------------------------------- ring RAM, byte address
  // {area, queue, slot, byte}; no request of ours crosses a 64-byte row.
  localparam logic [1:0] AreaDesc = 2'd0, AreaEntry = 2'd1, AreaChase = 2'd2, AreaPoll = 2'd3;

  function automatic logic [vhp_pkg::RamAddrW-1:0] ram_desc(input logic [4:0] q, input logic [SlotW-1:0] slot);
    return {AreaDesc, q, slot, 6'd0};
  endfunction

  function automatic logic [vhp_pkg::RamAddrW-1:0] ram_other(input logic [1:0] area, input logic [4:0] q,
                                                             input logic line, input logic [5:0] off);
    return {area, 3'd0, q, line, off};
  endfunction

  // Entries: banks in turn every 32, as a read brings them.
  function automatic logic [vhp_pkg::RamAddrW-1:0] ram_entry(input logic [4:0] q, input logic [EntryW-1:0] pos);
    return {AreaEntry, 2'd0, pos[6], q, pos[5:0], 1'b0};
  endfunction

  // Cookies: bit 9 clear: descriptor line {queue, slot}; set: {queue, what}.
  localparam logic [3:0] CkEntry0 = 4'd0, CkEntry1 = 4'd1, CkChase = 4'd2, CkPoll = 4'd3, CkUsedEvent = 4'd4;

  function automatic vhp_pkg::stop_reason_e stop_of(input vhp_pkg::dma_status_e status);
    unique case (status)
      vhp_pkg::DmaTimeout:                      return vhp_pkg::StopReadTimeout;
      vhp_pkg::DmaFlr, vhp_pkg::DmaDisabled:    return vhp_pkg::StopFunction;
      default:                                  return vhp_pkg::StopReadError;
    endcase
  endfunction

  // The port whose packets a lane carries (vhp_pkg, "lanes and queues").
  function automatic logic [1:0] port_of(input vhp_pkg::lane_t lane);
    return 2'(32'(lane) / (2 * vhp_pkg::PairsPerPort));
  endfunction

  // Write command `seq` has left.
  function automatic logic seq_past(input seq_t done, input seq_t seq);
    seq_t diff;
    diff = done - seq;
    return !diff[15];
  endfunction

endpackage
