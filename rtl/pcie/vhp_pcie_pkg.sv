// SPDX-License-Identifier: Apache-2.0
//
// The user side of the UltraScale+ PCIe hard block (PG213, 512 bit, no straddle): one packed struct per descriptor
// and per tuser, and the small types that the modules of this folder pass to each other.
//
// Structs are written most significant field first.

package vhp_pcie_pkg;

  // ---------------------------------------------------------------- descriptors
  typedef enum logic [3:0] {
    ReqMemRead  = 4'h0,
    ReqMemWrite = 4'h1,
    ReqIoRead   = 4'h2,
    ReqIoWrite  = 4'h3,
    ReqFetchAdd = 4'h4,
    ReqSwap     = 4'h5,
    ReqCas      = 4'h6,
    ReqMemRdLk  = 4'h7
  } req_type_e;          // 8..11 configuration, 12 message, 13 vendor message, 14 ATS message

  // Completer request, 16 bytes before the payload.
  typedef struct packed {
    logic        rsvd1;
    logic [2:0]  attr;
    logic [2:0]  tc;
    logic [5:0]  bar_aperture;
    logic [2:0]  bar_id;
    logic [7:0]  func;
    logic [7:0]  tag;
    logic [15:0] requester_id;
    logic        rsvd0;
    logic [3:0]  req_type;
    logic [10:0] dword_count;
    logic [61:0] dword_addr;
    logic [1:0]  addr_type;
  } cq_desc_t;

  // Completer completion, 12 bytes.
  typedef struct packed {
    logic        force_ecrc;
    logic [2:0]  attr;
    logic [2:0]  tc;
    logic        completer_id_en;   // 0: the block inserts the bus number
    logic [7:0]  completer_bus;
    logic [7:0]  completer_func;
    logic [7:0]  tag;
    logic [15:0] requester_id;
    logic        rsvd2;
    logic        poisoned;
    logic [2:0]  status;
    logic [10:0] dword_count;
    logic [1:0]  rsvd1;
    logic        locked;
    logic [12:0] byte_count;
    logic [5:0]  rsvd0;
    logic [1:0]  addr_type;
    logic        rsvd;
    logic [6:0]  lower_addr;
  } cc_desc_t;

  localparam logic [2:0] CplSc = 3'd0;
  localparam logic [2:0] CplUr = 3'd1;
  localparam logic [2:0] CplCa = 3'd4;

  // Requester request, 16 bytes.
  typedef struct packed {
    logic        force_ecrc;
    logic [2:0]  attr;
    logic [2:0]  tc;
    logic        requester_id_en;   // 0: the block inserts the bus number
    logic [15:0] completer_id;
    logic [7:0]  tag;
    logic [7:0]  requester_bus;
    logic [7:0]  requester_func;    // whose IOMMU domain is addressed
    logic        poisoned;
    req_type_e   req_type;
    logic [10:0] dword_count;
    logic [61:0] dword_addr;
    logic [1:0]  addr_type;
  } rq_desc_t;

  // Requester completion, 12 bytes.
  typedef struct packed {
    logic        rsvd2;
    logic [2:0]  attr;
    logic [2:0]  tc;
    logic        rsvd1;
    logic [15:0] completer_id;
    logic [7:0]  tag;
    logic [15:0] requester_id;
    logic        rsvd0;
    logic        poisoned;
    logic [2:0]  status;
    logic [10:0] dword_count;
    logic        rsvd;
    logic        request_completed; // last one of this tag, good or bad
    logic        locked;
    logic [12:0] byte_count;        // bytes remaining, with this one
    logic [3:0]  error_code;
    logic [11:0] lower_addr;
  } rc_desc_t;

  typedef enum logic [3:0] {
    RcOk        = 4'd0,
    RcPoisoned  = 4'd1,
    RcStatus    = 4'd2,   // UR, CA or CRS
    RcNoData    = 4'd3,   // no data, or more bytes than asked for
    RcMismatch  = 4'd4,   // tag matches, requester id, TC or attr do not
    RcAddress   = 4'd5,
    RcTag       = 4'd6,   // no request has this tag
    RcFlr       = 4'd8,
    RcTimeout   = 4'd9
  } rc_error_e;

  // ---------------------------------------------------------------- tuser
  typedef struct packed {
    logic [63:0] parity;
    logic [15:0] tph_st_tag;
    logic [3:0]  tph_type;
    logic [1:0]  tph_present;
    logic        discontinue;
    logic [3:0]  eop1_ptr;
    logic [3:0]  eop0_ptr;
    logic [1:0]  is_eop;
    logic [1:0]  sop1_ptr;
    logic [1:0]  sop0_ptr;
    logic [1:0]  is_sop;
    logic [63:0] byte_en;
    logic [3:0]  last_be1;
    logic [3:0]  last_be0;
    logic [3:0]  first_be1;
    logic [3:0]  first_be0;
  } cq_user_t;

  typedef struct packed {
    logic [63:0] parity;
    logic        discontinue;
    logic [3:0]  eop1_ptr;
    logic [3:0]  eop0_ptr;
    logic [1:0]  is_eop;
    logic [1:0]  sop1_ptr;
    logic [1:0]  sop0_ptr;
    logic [1:0]  is_sop;
  } cc_user_t;

  typedef struct packed {
    logic [63:0] parity;
    logic [5:0]  seq_num1;
    logic [5:0]  seq_num0;
    logic [15:0] tph_st_tag;
    logic [1:0]  tph_indirect;
    logic [3:0]  tph_type;
    logic [1:0]  tph_present;
    logic        discontinue;
    logic [3:0]  eop1_ptr;
    logic [3:0]  eop0_ptr;
    logic [1:0]  is_eop;
    logic [1:0]  sop1_ptr;
    logic [1:0]  sop0_ptr;
    logic [1:0]  is_sop;
    logic [3:0]  addr_offset;
    logic [3:0]  last_be1;
    logic [3:0]  last_be0;
    logic [3:0]  first_be1;
    logic [3:0]  first_be0;
  } rq_user_t;

  typedef struct packed {
    logic [63:0]     parity;
    logic            discontinue;
    logic [3:0][3:0] eop_ptr;
    logic [3:0]      is_eop;
    logic [3:0][1:0] sop_ptr;
    logic [3:0]      is_sop;
    logic [63:0]     byte_en;
  } rc_user_t;

  // ---------------------------------------------------------------- between the modules
  // What the requester may do for a function.
  typedef struct packed {
    logic       flr;      // function level reset in process
    logic       bme;      // Bus Master Enable
    logic [2:0] mps;      // 128 << mps bytes, 0..3
    logic [2:0] mrrs;     // 128 << mrrs bytes, 0..5
  } fn_state_t;

  // One beat of a requester TLP on its way to RQ; first and last frame it.
  typedef struct packed {
    logic         first;
    logic         last;
    logic [3:0]   last_dw;    // last dword of the beat, when last
    logic [3:0]   first_be;
    logic [3:0]   last_be;
    logic [5:0]   seq;
    logic [511:0] data;
  } rq_beat_t;

  // One read request: everything but the data of an rq_beat_t.
  typedef struct packed {
    logic [7:0]  func;
    logic [7:0]  tag;
    logic [61:0] dword_addr;
    logic [10:0] dword_count;
    logic [3:0]  first_be;
    logic [3:0]  last_be;
  } rq_read_t;

  // One completion: the request, and what of it this one answers.
  typedef struct packed {
    cq_desc_t    request;
    logic [3:0]  first_be;
    logic [3:0]  last_be;
    logic [10:0] tph;        // as vhp_cq_fifo gives it
    logic [2:0]  status;
    logic [5:0]  dwords;     // 1..32
    logic [12:0] bytes;      // still expected, with these
    logic [6:0]  lower;
  } cc_chunk_t;

  // ---------------------------------------------------------------- reads under way
  localparam int unsigned NumTags = 256;
  localparam int unsigned NumOps  = 256;     // read requests of clients under way
  localparam int unsigned FnW     = $clog2(vhp_pkg::NumFn);

  typedef logic [7:0] tag_t;
  typedef logic [7:0] op_t;

  // What a tag stands for. Offsets count from the first dword of the request.
  typedef struct packed {
    op_t                          op;
    vhp_pkg::rd_client_e          client;
    logic [FnW-1:0]               func;
    logic [vhp_pkg::RamAddrW-1:0] ram_base;   // client RAM address of the first dword's byte 0, less 12
    logic [1:0]                   lo;         // first byte
    logic [12:0]                  end_off;    // behind the last byte
    logic [6:0]                   lines;      // completion buffer lines taken
  } tag_entry_t;

  // Something happened to a tag (or to a read that was never issued: no tag is freed).
  typedef struct packed {
    op_t                  op;
    vhp_pkg::dma_status_e status;
    logic                 completed;
  } op_event_t;

  // ---------------------------------------------------------------- writes under way
  // Write clients inside the block: the ports, and the MSI-X vectors that become sendable.
  localparam int unsigned NumWrSources = vhp_pkg::NumWrClients + 1;
  typedef logic [2:0] wr_source_t;
  localparam wr_source_t WrFire = 3'(vhp_pkg::NumWrClients);

  // One write TLP, but for its data.
  typedef struct packed {
    logic        imm;        // data: 1 inline, 0 packet buffer
    logic [7:0]  func;
    logic [63:0] addr;
    logic [9:0]  len;        // bytes, less 1
    logic [16:0] src;        // first byte: packet buffer address, or offset in the inline data
    logic        patch10;    // replace packet byte 10 (of num_buffers), which is byte `at10` of the TLP
    logic        patch11;
    logic [3:0]  at10;
    logic [3:0]  at11;
    logic [15:0] num_buffers;
    logic [4:0]  place;      // in the ring of TLPs under way
  } wr_tlp_t;

  // Sequence numbers of RQ: reads are only counted back, so one number does; writes have their ring place.
  localparam logic [5:0] SeqRead  = 6'd0;
  localparam int unsigned SeqRing = 32;      // writes: {1'b1, place}

  // ---------------------------------------------------------------- function numbers
  // Inside the card function k belongs to port k - 1. The block has physical functions 0..3 and, from 4 on, their virtual
  // functions: one of each of 0..2, which nothing uses (PG213: no physical function is without), then those of VfPf.
  // So virtual function k of the card is number 4 + k of the block, and place k on the ports that have one for each
  // (cfg_vf_*, cfg_interrupt_msix_vf_*). Both ways; a number that is not built becomes another one that is not.
  function automatic logic [7:0] block_fn(input logic [7:0] func);
    unique case (func)
      8'd3:    block_fn = 8'd7;
      8'd4:    block_fn = 8'd8;
      8'd7:    block_fn = 8'd3;
      8'd8:    block_fn = 8'd4;
      default: block_fn = func;
    endcase
  endfunction

  // The physical function whose settings hold for a function.
  function automatic int unsigned pf_of(input int unsigned k);
    pf_of = k < vhp_pkg::NumPf ? k : vhp_pkg::VfPf;
  endfunction

  // ---------------------------------------------------------------- what is built
  // BARs of registers as the board's hard block is configured: function 0: BAR 0 64 KiB, BAR 2 256 KiB; function k:
  // BAR 0 256 KiB. 0 = this BAR is absent. BAR 2 of function k is the aperture, 2^ApertureLog2 bytes.
  function automatic logic [4:0] bar_size_log2(input logic [7:0] func, input logic [2:0] bar);
    bar_size_log2 = 5'd0;
    if (func == 8'd0 && bar == 3'd0) bar_size_log2 = 5'd16;
    else if (func == 8'd0 && bar == 3'd2) bar_size_log2 = 5'd18;
    else if (func == 8'd0 && bar == 3'd4) bar_size_log2 = 5'd16;
    else if (func < 8'(vhp_pkg::NumFn) && bar == 3'd0) bar_size_log2 = 5'd18;
  endfunction

  function automatic logic is_aperture(input logic [7:0] func, input logic [2:0] bar);
    is_aperture = func != 8'd0 && func < 8'(vhp_pkg::NumFn) && bar == 3'd2;
  endfunction

  // MSI-X table and PBA: BAR 0 of every function, two 4 KiB pages.
  localparam logic [23:0] MsixTableOffset = 24'h8000;
  localparam logic [23:0] MsixPbaOffset   = 24'h9000;

  // Byte enables of the first and the last dword of `len` bytes at byte `lo` of a dword.
  function automatic logic [3:0] first_be(input logic [1:0] lo, input logic one_dword, input logic [1:0] end_lo);
    first_be = 4'b1111 << lo;
    if (one_dword) first_be = first_be & last_be_mask(end_lo);
  endfunction

  // end_lo: low bits of the address behind the last byte; 0 = the dword is full.
  function automatic logic [3:0] last_be_mask(input logic [1:0] end_lo);
    case (end_lo)
      2'd1:    last_be_mask = 4'b0001;
      2'd2:    last_be_mask = 4'b0011;
      2'd3:    last_be_mask = 4'b0111;
      default: last_be_mask = 4'b1111;
    endcase
  endfunction

endpackage
