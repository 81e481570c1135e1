// SPDX-License-Identifier: Apache-2.0
//
// Build-time sizes of the card and the types that cross its block boundaries.
//
// The card is three blocks (docs/architecture.md): vhp_pcie (the hard block's edge, DMA, MSI-X), vhp_control
// (functions, SoC, doorbells) and vhp_lanes (packets). Every struct that passes from one to another is here.
// Structs are written most significant field first.

package vhp_pkg;

  // ---------------------------------------------------------------- sizes
  localparam int unsigned NumPorts     = 4;   // vhost-pci-net functions, 1..4
  localparam int unsigned PairsPerPort = 2;   // queue pairs per port, 1..4
  localparam int unsigned NumFn        = NumPorts + 1;             // function 0 is the peer function
  localparam int unsigned NumPf        = NumFn < 3 ? NumFn : 3;    // 0..2 are physical functions
  localparam int unsigned NumVf        = NumFn - NumPf;            // 3 and 4 are virtual functions of physical function
  localparam int unsigned VfPf         = 3;                        // VfPf, which is nothing else
  localparam int unsigned NumLanes     = NumPorts * PairsPerPort * 2;
  localparam int unsigned NumQueues    = NumLanes * 2;             // a source and a sink per lane
  localparam int unsigned LaneW        = $clog2(NumLanes);
  localparam int unsigned QidW         = $clog2(NumQueues);
  localparam int unsigned FnVqs        = 2 + 2 * PairsPerPort;     // control rx, control tx, pairs
  localparam int unsigned PeerVqs      = 2 * PairsPerPort;         // vhost-user vrings per port
  localparam int unsigned MaxQueueSize = 1024; // entries of a function's virtqueue; queue_size at reset
  localparam int unsigned MaxRegions   = 8;   // rows of a port's region table; rte_vhost's limit too
  localparam int unsigned PktBufBytes  = 131072;
  localparam int unsigned MaxPacket    = 65562;  // bytes with virtio_net_hdr: 12 + 14 + 65536
  localparam int unsigned NetHdrLen    = 12;     // struct virtio_net_hdr with VIRTIO_F_VERSION_1
  localparam int unsigned MaxChain     = 256;    // descriptors of one chain
  localparam int unsigned ApertureLog2 = 32;     // BAR 2 of function k: window onto the peer's memory, 4 GiB

  // MSI-X vectors per function: fn0 = management + one per peer queue; fnK = config + one per virtqueue.
  localparam int unsigned VecPerFn     = 32;
  // Function 0's vector of peer queue `vring` of `port` is 1 + port * 8 + vring.
  localparam int unsigned PeerVecBase  = 1;
  localparam int unsigned PeerVecStep  = 8;

  // ---------------------------------------------------------------- lanes and queues
  // lane = (port * PairsPerPort + pair) * 2 + direction; qid = lane * 2 + end.
  // Direction A2B: source = peer TX (vring 2*pair+1), sink = receiveq 2+2*pair of function port+1.
  // Direction B2A: source = transmitq 3+2*pair of function port+1, sink = peer RX (vring 2*pair).
  localparam logic DirA2B    = 1'b0;
  localparam logic DirB2A    = 1'b1;
  localparam logic EndSource = 1'b0;
  localparam logic EndSink   = 1'b1;

  typedef logic [LaneW-1:0] lane_t;
  typedef logic [QidW-1:0]  qid_t;

  // Why a lane stands still; firmware and tools see the number.
  typedef enum logic [7:0] {
    StopNone         = 8'd0,   // running
    StopAdmin        = 8'd1,   // disabled by firmware
    StopAvailJump    = 8'd2,   // avail->idx moved by more than the queue size
    StopHeadRange    = 8'd3,   // head index >= queue size
    StopNextRange    = 8'd4,   // next index >= table size
    StopChainLength  = 8'd5,   // chain longer than its table (a loop) or than MaxChain
    StopDescLength   = 8'd6,   // descriptor of length 0, or address + length wraps
    StopRegion       = 8'd7,   // address outside the port's region table
    StopIndirectNest = 8'd8,   // indirect descriptor inside an indirect table, or with NEXT set
    StopIndirectLen  = 8'd9,   // indirect not negotiated, or table length 0 or no multiple of 16
    StopDirection    = 8'd10,  // writable descriptor in a source, readable one in a sink
    StopShortPacket  = 8'd11,  // source chain shorter than virtio_net_hdr
    StopLongPacket   = 8'd12,  // source chain longer than MaxPacket
    StopReadError    = 8'd13,  // completion with UR, CA, poison or a malformed one
    StopReadTimeout  = 8'd14,  // completion timeout
    StopFunction     = 8'd15   // the function lost bus mastership or is in FLR
  } stop_reason_e;

  // ---------------------------------------------------------------- register bus
  // One access of one dword. The target answers every request, reads and writes, with exactly one response,
  // any number of cycles later; one request is outstanding. be == 0 is a zero-length read: no side effect.
  typedef struct packed {
    logic [7:0]  func;   // function that was addressed
    logic [2:0]  bar;    // BAR number: 0, 2, 4
    logic [23:0] addr;   // byte offset in the BAR, bits 1:0 are 0
    logic        write;
    logic [3:0]  be;
    logic [31:0] wdata;
  } rb_req_t;

  typedef struct packed {
    logic        err;    // nothing is there: completes with UR (read) or is counted (write)
    logic [31:0] rdata;
  } rb_rsp_t;

  // ---------------------------------------------------------------- accesses to an aperture
  // A memory request to BAR 2 of function k, whole: its header with the first 12 dwords of a write; the others follow,
  // 16 a beat. It is answered for a read, once, by a dma_status_e.
  typedef struct packed {
    logic [7:0]              func;
    logic [ApertureLog2-1:2] addr;       // first dword, offset in the BAR
    logic [10:0]             dwords;     // 1..1024
    logic [3:0]              first_be;
    logic [3:0]              last_be;    // 0 with one dword
    logic                    write;
    logic                    more;       // beats of data follow
    logic [383:0]            data;
  } ap_req_t;

  typedef struct packed {
    logic         last;
    logic [511:0] data;
  } ap_beat_t;

  // ---------------------------------------------------------------- DMA: reads of host memory
  // A client's request lands in the client's own RAM; one done per request once every byte is there.
  localparam int unsigned NumRdClients = 4;
  typedef enum logic [1:0] {
    RdSrcRing = 2'd0,   // avail entries and descriptors of source queues
    RdSnkRing = 2'd1,   // the same of sink queues
    RdPacket  = 2'd2,   // payload, into the packet buffer
    RdSoc     = 2'd3    // control queues (RAM address and cookie below half), aperture (above)
  } rd_client_e;

  typedef enum logic [3:0] {
    DmaOk        = 4'd0,
    DmaUr        = 4'd1,   // unsupported request: the IOMMU refused
    DmaCa        = 4'd2,   // completer abort
    DmaPoisoned  = 4'd3,
    DmaMalformed = 4'd4,   // RC error codes 3, 4, 5; data that the block lost (discontinue)
    DmaTimeout   = 4'd5,   // RC error code 9
    DmaFlr       = 4'd6,   // RC error code 8, or the function is in FLR
    DmaDisabled  = 4'd7    // Bus Master Enable is 0: nothing was issued
  } dma_status_e;

  localparam int unsigned RamAddrW = 17;   // byte address in a client's RAM

  typedef struct packed {
    logic [7:0]          func;
    logic [63:0]         addr;      // IOVA, any byte
    logic [16:0]         len;       // bytes, 1..65536; the engine splits
    logic [RamAddrW-1:0] ram_addr;  // first byte in the client's RAM; wraps at the RAM's end
    logic [9:0]          cookie;    // comes back in dma_rd_done_t
  } dma_rd_req_t;

  typedef struct packed {
    rd_client_e  client;
    logic [9:0]  cookie;
    dma_status_e status;
  } dma_rd_done_t;

  // Landing data: byte address a is byte a[5:0] of row a[16:7] of bank a[6]. Both banks may be written in a
  // cycle. There is no back pressure; the done of a request comes at least one cycle after its last write.
  typedef struct packed {
    rd_client_e                     client;
    logic [1:0]                     we;
    logic [1:0][RamAddrW-8:0]       row;
    logic [1:0][63:0]               be;
    logic [1:0][511:0]              data;
  } dma_ram_wr_t;

  // ---------------------------------------------------------------- DMA: writes to host memory
  // Commands of one client leave in order, as posted writes of one TLP stream; that is what puts data before
  // used index and used index before MSI-X.
  localparam int unsigned NumWrClients = 4;
  localparam int unsigned WrLane   = 0;
  localparam int unsigned WrSoc    = 1;
  localparam int unsigned WrNotify = 2;   // interrupts that are not a lane's, and aperture writes
  localparam int unsigned WrLog    = 3;   // entries of the dirty page log

  typedef enum logic [1:0] {
    WrPacket = 2'd0,   // len bytes of the packet buffer from ram_addr
    WrImm    = 2'd1,   // len 1..64 bytes of imm, byte 0 first
    WrMsix   = 2'd2    // MSI-X vector imm[10:0] of func; masked vectors go to the PBA
  } wr_kind_e;

  typedef struct packed {
    wr_kind_e            kind;
    logic [7:0]          func;
    logic [1:0]          port;         // whose traffic it is; with func 0: whose dirty log
    logic [63:0]         addr;         // IOVA, any byte
    logic [16:0]         len;
    logic [RamAddrW-1:0] ram_addr;
    logic                patch;        // WrPacket: replace num_buffers (packet bytes 10 and 11)
    logic [3:0]          patch_off;    // packet offset of this command's first byte, 15 = beyond
    logic [15:0]         num_buffers;
    logic [511:0]        imm;
  } dma_wr_req_t;

  // One per command, in order per client, once its last TLP is committed to the link (sequence number
  // returned) or the command was dropped (status != DmaOk).
  typedef struct packed {
    dma_status_e status;
  } dma_wr_cmpl_t;

  // ---------------------------------------------------------------- statistics of the DMA block
  typedef struct packed {
    logic [31:0] rd_errors;     // completions with an error status
    logic [31:0] wr_dropped;    // write commands dropped (BME, FLR)
    logic [31:0] cq_ur;         // completer requests answered UR or counted as such
    logic [31:0] msix_sent;     // messages that left
    logic [31:0] msix_pended;   // messages that went to the PBA
  } dma_stats_t;

endpackage
