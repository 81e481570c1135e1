// SPDX-License-Identifier: Apache-2.0
//
// Completer: memory requests of the host to the BARs (CQ) become register accesses, or go whole to the aperture; reads are
// answered on CC.
//
// Purpose     Writes of any length, alignment and byte enables go out dword by dword, lowest address first. Reads of up
//             to 1024 dwords likewise; their completions end at 128-byte boundaries (the RCB of an endpoint), so
//             none is longer than the smallest MPS. A zero-length read is one access with be = 0. What nothing
//             answers (function or BAR not built, another request type, an error of the target) completes with UR,
//             with the request's header for the error log (PG213); posted requests of that kind are dropped and
//             counted. The MSI-X pages of BAR 0 go to the msix port, BAR 2 of function k to the aperture port, all else
//             to the register bus.
// Ordering    Requests are served in order, with two exceptions. While a read waits for CC, posted writes pass it. A read
//             of an aperture waits for host memory beside the others (vhp_ap_read): register accesses of every function
//             go on meanwhile, and only a second aperture read waits for it, at most one round trip, with what
//             non-posted comes behind.
//             For that only one non-posted request is let in at a time (pcie_cq_np_req), so posted requests never
//             wait for a completion to leave (PCIe ordering rule A2).
// Handshake   rb/msix: vhp_pkg::rb_req_t. ap: valid/ready; the beats of a write follow its header; one ap_done per read. CC:
//             valid stays up for the whole packet.
// Latency     A 1-dword write reaches rb_req_valid_o 4 cycles after its CQ beat.
// Reset       Synchronous.

module vhp_completer (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic                   cq_valid_i,
  output logic                   cq_ready_o,
  input  logic                   cq_last_i,
  input  vhp_pcie_pkg::cq_user_t cq_user_i,
  input  logic [511:0]           cq_data_i,
  output logic                   cq_np_req_o,

  output logic                   cc_valid_o,
  input  logic                   cc_ready_i,
  output logic                   cc_last_o,
  output logic [15:0]            cc_keep_o,
  output vhp_pcie_pkg::cc_user_t cc_user_o,
  output logic [511:0]           cc_data_o,

  output vhp_pkg::rb_req_t       req_o,             // for both targets
  output logic                   rb_req_valid_o,
  input  logic                   rb_req_ready_i,
  input  logic                   rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t       rb_rsp_i,
  output logic                   msix_req_valid_o,
  input  logic                   msix_req_ready_i,
  input  logic                   msix_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t       msix_rsp_i,

  input  logic [vhp_pkg::NumFn-1:0] flr_i,
  output logic                   ap_req_valid_o,
  input  logic                   ap_req_ready_i,
  output vhp_pkg::ap_req_t       ap_req_o,
  output logic                   ap_beat_valid_o,
  input  logic                   ap_beat_ready_i,
  output vhp_pkg::ap_beat_t      ap_beat_o,
  input  logic                   ap_done_valid_i,
  input  vhp_pkg::dma_status_e   ap_done_i,
  output logic [vhp_pkg::NumFn-1:0] ap_fn_busy_o,    // a read or the header of a write of the function
  input  logic                   ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t   ram_wr_i,

  output logic                   ur_o,              // pulse: a request that nothing answers
  output logic                   idle_o
);

  localparam int unsigned ChunkDw = 32;   // dwords of one completion at most

  // ---------------------------------------------------------------- requests, whole and good
  logic         in_valid, in_ready, in_last, in_empty, drop_np, drop_posted;
  logic [3:0]   in_first_be, in_last_be;
  logic [10:0]  in_tph;
  logic [511:0] in_data;

  vhp_cq_fifo u_fifo (
    .clk_i, .rst_i, .cq_valid_i, .cq_ready_o, .cq_last_i, .cq_user_i, .cq_data_i,
    .out_valid_o(in_valid), .out_ready_i(in_ready), .out_last_o(in_last), .out_first_be_o(in_first_be),
    .out_last_be_o(in_last_be), .out_tph_o(in_tph), .out_data_o(in_data),
    .drop_np_o(drop_np), .drop_posted_o(drop_posted), .empty_o(in_empty)
  );

  // ---------------------------------------------------------------- state
  typedef enum logic [3:0] {
    StIdle, StDecode, StWrite, StWriteReq, StWriteRsp, StFetch, StFlush, StRead, StReadReq, StReadRsp, StSend,
    StApWrite, StApData, StApRead
  } state_e;
  state_e state_q;

  // The request being decoded and, for a write, carried out.
  vhp_pcie_pkg::cq_desc_t desc_q;
  logic [3:0]   first_be_q, last_be_q;
  logic [10:0]  tph_q;
  logic [511:0] pay_q;            // payload, next dword in bits 31:0
  logic [4:0]   pay_left_q;       // dwords of pay_q
  logic         tlp_end_q;        // pay_q came with the last beat
  logic [10:0]  dw_left_q;
  logic [23:0]  addr_q;
  logic         head_q, bad_q;

  // The one read (or other non-posted request) that is inside.
  vhp_pcie_pkg::cq_desc_t rdesc_q;
  logic         rd_busy_q, rd_ap_q, rd_ur_q, rd_head_q;
  logic [3:0]   rd_first_be_q, rd_last_be_q;
  logic [10:0]  rd_tph_q, rd_left_q;
  logic [23:0]  rd_addr_q;
  logic [12:0]  rd_bytes_q;       // bytes that the requester still expects, before this chunk
  logic [6:0]   rd_lower_q;
  logic [5:0]   rd_n_q;           // dwords in the chunk
  logic         np_credit_q;      // a non-posted request may come or is inside

  // Completion on its way to vhp_cc_send; the read of an aperture that is under way.
  logic                        cc_busy_q;
  logic [ChunkDw-1:0][31:0]    cc_pay_q;
  vhp_pcie_pkg::cc_chunk_t     cc_q;
  logic                        ap_busy, ap_ur;

  vhp_pcie_pkg::cq_desc_t in_desc;
  assign in_desc = in_data[127:0];

  // ---------------------------------------------------------------- decode
  wire       is_write  = desc_q.req_type == vhp_pcie_pkg::ReqMemWrite;
  wire       is_read   = desc_q.req_type == vhp_pcie_pkg::ReqMemRead;
  wire       is_posted = is_write || desc_q.req_type >= 4'd12;
  wire [4:0] bar_log2  = vhp_pcie_pkg::bar_size_log2(desc_q.func, desc_q.bar_id);
  wire       hit       = bar_log2 != 5'd0 && desc_q.dword_count != 11'd0;
  wire [23:0] bar_mask = (24'd1 << bar_log2) - 24'd1;
  wire [23:0] bar_addr = {desc_q.dword_addr[21:0], 2'b00} & bar_mask;

  // Disabled bytes before the first and behind the last enabled byte of a dword.
  function automatic logic [1:0] lead(input logic [3:0] be);
    lead = be[0] ? 2'd0 : be[1] ? 2'd1 : be[2] ? 2'd2 : be[3] ? 2'd3 : 2'd0;
  endfunction
  function automatic logic [1:0] trail(input logic [3:1] be);
    trail = be[3] ? 2'd0 : be[2] ? 2'd1 : be[1] ? 2'd2 : 2'd3;
  endfunction

  wire        one_dw = desc_q.dword_count == 11'd1;
  wire [1:0]  d_lead = lead(first_be_q);
  wire [1:0]  d_trail = trail(one_dw ? first_be_q[3:1] : last_be_q[3:1]);
  wire [12:0] d_bytes = one_dw && first_be_q == 4'd0 ? 13'd1 :
                        {desc_q.dword_count, 2'b00} - 13'(d_lead) - 13'(d_trail);

  wire       wr_last = dw_left_q == 11'd1;
  wire [3:0] wr_be   = head_q ? first_be_q : wr_last ? last_be_q : 4'hf;
  wire       rd_last = rd_left_q == 11'd1;
  wire [3:0] rd_be   = rd_head_q ? rd_first_be_q : rd_last ? rd_last_be_q : 4'hf;

  // ---------------------------------------------------------------- targets
  logic req_msix_q;
  vhp_pkg::rb_req_t req_q;
  wire  to_req   = state_q == StWriteReq || state_q == StReadReq;
  wire  req_gone = req_msix_q ? msix_req_ready_i : rb_req_ready_i;
  wire  rsp      = req_msix_q ? msix_rsp_valid_i : rb_rsp_valid_i;
  wire  rsp_err  = req_msix_q ? msix_rsp_i.err : rb_rsp_i.err;
  wire [31:0] rsp_data = req_msix_q ? msix_rsp_i.rdata : rb_rsp_i.rdata;

  assign req_o            = req_q;
  assign rb_req_valid_o   = to_req && !req_msix_q;
  assign msix_req_valid_o = to_req && req_msix_q;

  function automatic logic in_msix(input logic [2:0] bar, input logic [23:12] page);
    in_msix = bar == 3'd0 && (page == vhp_pcie_pkg::MsixTableOffset[23:12] ||
                              page == vhp_pcie_pkg::MsixPbaOffset[23:12]);
  endfunction

  // ---------------------------------------------------------------- the read as its completion tells of it
  wire chunk_last = rd_ur_q || rd_left_q == 11'd0;
  vhp_pcie_pkg::cc_chunk_t rd_chunk;
  always_comb begin
    rd_chunk          = '0;
    rd_chunk.request  = rdesc_q;
    rd_chunk.first_be = rd_first_be_q;
    rd_chunk.last_be  = rd_last_be_q;
    rd_chunk.tph      = rd_tph_q;
    rd_chunk.bytes    = rd_bytes_q;
    rd_chunk.lower    = rd_lower_q;
  end

  // ---------------------------------------------------------------- aperture
  wire  is_ap = vhp_pcie_pkg::is_aperture(desc_q.func, desc_q.bar_id) && desc_q.dword_count != 11'd0;
  logic fn_flr;             // the function addressed is in FLR: what still comes is dropped
  always_comb begin
    fn_flr = 1'b0;
    for (int unsigned k = 0; k < vhp_pkg::NumFn; k++) if (desc_q.func == 8'(k)) fn_flr = flr_i[k];
  end

  assign ap_req_valid_o = state_q == StApWrite || state_q == StApRead;
  always_comb begin
    ap_req_o          = '0;
    ap_req_o.func     = desc_q.func;
    ap_req_o.addr     = desc_q.dword_addr[vhp_pkg::ApertureLog2-3:0];
    ap_req_o.dwords   = desc_q.dword_count;
    ap_req_o.first_be = first_be_q;
    ap_req_o.last_be  = last_be_q;
    ap_req_o.write    = 1'b1;
    ap_req_o.more     = !tlp_end_q;
    ap_req_o.data     = pay_q[383:0];
    if (state_q == StApRead) begin
      ap_req_o.func     = rdesc_q.func;
      ap_req_o.addr     = rdesc_q.dword_addr[vhp_pkg::ApertureLog2-3:0];
      ap_req_o.dwords   = rdesc_q.dword_count;
      ap_req_o.first_be = rd_first_be_q;
      ap_req_o.last_be  = rd_last_be_q;
      ap_req_o.write    = 1'b0;
      ap_req_o.more     = 1'b0;
    end
  end
  assign ap_beat_valid_o = state_q == StApData && in_valid;
  assign ap_beat_o       = {in_last, in_data};

  // ---------------------------------------------------------------- machine
  // Nothing passes a write to an aperture until all of it is in its stream (ap_req_ready_i): an interrupt to the peer
  // must not come before the data.
  wire cc_free   = !cc_busy_q;
  wire start_rd  = state_q == StIdle && ap_req_ready_i && rd_busy_q && (rd_ap_q ? !ap_busy : cc_free);
  wire in_np     = !(in_desc.req_type == vhp_pcie_pkg::ReqMemWrite || in_desc.req_type >= 4'd12);
  wire start_new = state_q == StIdle && ap_req_ready_i && !start_rd && in_valid && !(rd_busy_q && in_np);
  assign in_ready = start_new || state_q == StFetch || state_q == StFlush || (state_q == StApData && ap_beat_ready_i);

  always_ff @(posedge clk_i) begin
    ur_o        <= drop_posted || drop_np || ap_ur;
    cq_np_req_o <= 1'b0;

    unique case (state_q)
      StIdle: begin
        desc_q      <= in_desc;
        desc_q.func <= vhp_pcie_pkg::block_fn(in_desc.func);
        first_be_q <= in_first_be;
        last_be_q  <= in_last_be;
        tph_q      <= in_tph;
        pay_q      <= {128'd0, in_data[511:128]};
        pay_left_q <= 5'd12;
        tlp_end_q  <= in_last;
        head_q     <= 1'b1;
        bad_q      <= 1'b0;
        rd_n_q     <= 6'd0;
        if (start_rd) state_q <= rd_ap_q ? StApRead : rd_ur_q ? StSend : StRead;
        else if (start_new) state_q <= StDecode;
      end

      StDecode: begin
        addr_q    <= bar_addr;
        dw_left_q <= desc_q.dword_count;
        if (is_posted) begin
          if (is_write && hit) begin
            state_q <= StWrite;
          end else if (is_write && is_ap && !fn_flr) begin
            state_q <= StApWrite;
          end else begin
            ur_o    <= 1'b1;
            state_q <= tlp_end_q ? StIdle : StFlush;
          end
        end else begin
          rdesc_q       <= desc_q;
          rd_busy_q     <= 1'b1;
          rd_ap_q       <= is_read && is_ap && !fn_flr;
          rd_ur_q       <= !(is_read && hit);
          rd_head_q     <= 1'b1;
          rd_first_be_q <= first_be_q;
          rd_last_be_q  <= last_be_q;
          rd_tph_q      <= tph_q;
          rd_left_q     <= desc_q.dword_count;
          rd_addr_q     <= bar_addr;
          rd_bytes_q    <= is_read ? d_bytes : 13'd4;
          rd_lower_q    <= {desc_q.dword_addr[4:0], d_lead};
          state_q       <= tlp_end_q ? StIdle : StFlush;
        end
      end

      // ------------------------------------------------------------ write
      StWrite: begin
        req_q.func  <= desc_q.func;
        req_q.bar   <= desc_q.bar_id;
        req_q.addr  <= addr_q;
        req_q.write <= 1'b1;
        req_q.be    <= wr_be;
        req_q.wdata <= pay_q[31:0];
        req_msix_q  <= in_msix(desc_q.bar_id, addr_q[23:12]);
        if (wr_be != 4'd0) begin
          state_q <= StWriteReq;
        end else begin                        // no byte enabled: nothing to write
          pay_q      <= pay_q >> 32;
          pay_left_q <= pay_left_q - 1'b1;
          head_q     <= 1'b0;
          dw_left_q  <= dw_left_q - 1'b1;
          addr_q     <= addr_q + 24'd4;
          state_q    <= next_write(wr_last, pay_left_q == 5'd1, tlp_end_q);
        end
      end
      StWriteReq: if (req_gone) state_q <= StWriteRsp;
      StWriteRsp: if (rsp) begin
        pay_q      <= pay_q >> 32;
        pay_left_q <= pay_left_q - 1'b1;
        head_q     <= 1'b0;
        dw_left_q  <= dw_left_q - 1'b1;
        addr_q     <= addr_q + 24'd4;
        bad_q      <= bad_q || rsp_err;
        if (wr_last) ur_o <= bad_q || rsp_err;  // once per TLP
        state_q    <= next_write(wr_last, pay_left_q == 5'd1, tlp_end_q);
      end
      StFetch: begin                          // next beat of the payload
        pay_q      <= in_data;
        pay_left_q <= 5'd16;
        tlp_end_q  <= in_last;
        if (in_valid) state_q <= StWrite;
      end
      StFlush: if (in_valid && in_last) state_q <= StIdle;

      // ------------------------------------------------------------ read
      StRead: begin
        req_q.func  <= rdesc_q.func;
        req_q.bar   <= rdesc_q.bar_id;
        req_q.addr  <= rd_addr_q;
        req_q.write <= 1'b0;
        req_q.be    <= rd_be;
        req_q.wdata <= 32'd0;
        req_msix_q  <= in_msix(rdesc_q.bar_id, rd_addr_q[23:12]);
        state_q     <= StReadReq;
      end
      StReadReq: if (req_gone) state_q <= StReadRsp;
      StReadRsp: if (rsp) begin
        rd_n_q    <= rd_n_q + 1'b1;
        rd_left_q <= rd_left_q - 1'b1;
        rd_addr_q <= rd_addr_q + 24'd4;
        rd_head_q <= 1'b0;
        if (rsp_err) begin
          rd_ur_q <= 1'b1;
          state_q <= StSend;
        end else begin
          state_q <= rd_last || rd_addr_q[6:2] == 5'd31 ? StSend : StRead;
        end
      end

      // ------------------------------------------------------------ aperture
      StApWrite: if (ap_req_ready_i) state_q <= tlp_end_q ? StIdle : StApData;
      StApData:  if (in_valid && ap_beat_ready_i && in_last) state_q <= StIdle;
      StApRead:  if (ap_req_ready_i) begin
        rd_busy_q   <= 1'b0;                  // vhp_ap_read has it: the next one may come
        cq_np_req_o <= 1'b1;
        state_q     <= StIdle;
      end

      default: begin                          // StSend: the buffer is free, start_rd saw to it
        rd_bytes_q <= rd_bytes_q - 13'({rd_n_q, 2'b00}) + 13'(rd_lower_q[1:0]);
        rd_lower_q <= 7'd0;
        if (chunk_last) begin
          rd_busy_q   <= 1'b0;
          cq_np_req_o <= 1'b1;
          if (rd_ur_q) ur_o <= 1'b1;
        end
        state_q <= StIdle;
      end
    endcase

    // The first credit after reset, and the one of a request that was forgotten.
    if (!np_credit_q || drop_np) cq_np_req_o <= 1'b1;
    np_credit_q <= 1'b1;

    if (rst_i) begin
      state_q     <= StIdle;
      rd_busy_q   <= 1'b0;
      ur_o        <= 1'b0;
      cq_np_req_o <= 1'b0;
      np_credit_q <= 1'b0;
    end
  end

  function automatic state_e next_write(input logic last, input logic beat_empty, input logic tlp_end);
    if (last)            next_write = tlp_end ? StIdle : StFlush;
    else if (!beat_empty) next_write = StWrite;
    else                 next_write = tlp_end ? StIdle : StFetch;   // payload shorter than its count
  endfunction

  // ---------------------------------------------------------------- completions
  logic                    ap_chunk_valid, cc_idle;
  logic [1:0]              chunk_ready;
  vhp_pcie_pkg::cc_chunk_t ap_chunk;
  logic [1023:0]           ap_chunk_data;

  always_ff @(posedge clk_i) begin
    if (state_q == StReadRsp && rsp) cc_pay_q[rd_n_q[4:0]] <= rsp_data;
    if (state_q == StSend) begin
      cc_busy_q        <= 1'b1;
      cc_q             <= rd_chunk;
      cc_q.status      <= rd_ur_q ? vhp_pcie_pkg::CplUr : vhp_pcie_pkg::CplSc;
      cc_q.dwords      <= rd_n_q;
    end else if (chunk_ready[0]) begin
      cc_busy_q <= 1'b0;
    end
    if (rst_i) cc_busy_q <= 1'b0;
  end

  vhp_ap_read u_ap_read (
    .clk_i, .rst_i, .flr_i,
    .start_i(state_q == StApRead && ap_req_ready_i), .start_req_i(rd_chunk), .busy_o(ap_busy), .fn_busy_o(ap_fn_busy_o),
    .ram_wr_valid_i, .ram_wr_i, .ap_done_valid_i, .ap_done_i,
    .chunk_valid_o(ap_chunk_valid), .chunk_ready_i(chunk_ready[1]), .chunk_o(ap_chunk), .chunk_data_o(ap_chunk_data),
    .ur_o(ap_ur)
  );

  vhp_cc_send u_cc (
    .clk_i, .rst_i,
    .chunk_valid_i({ap_chunk_valid, cc_busy_q}), .chunk_ready_o(chunk_ready), .chunk_i({ap_chunk, cc_q}),
    .chunk_data_i({ap_chunk_data, cc_pay_q}),
    .cc_valid_o, .cc_ready_i, .cc_last_o, .cc_keep_o, .cc_user_o, .cc_data_o, .idle_o(cc_idle)
  );

  assign idle_o = !cq_valid_i && state_q == StIdle && in_empty && !rd_busy_q && !ap_busy && cc_idle;

  wire unused = &{1'b0, in_desc, desc_q.dword_addr[61:30], rdesc_q.bar_aperture};

endmodule
