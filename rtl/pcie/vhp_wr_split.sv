// SPDX-License-Identifier: Apache-2.0
//
// Write commands become write TLPs.
//
// Purpose     Commands of each client are taken in order, round robin between the clients by command. A TLP holds at most
//             MPS bytes, counted from the dword of its first byte, and ends at 4 KiB. An MSI-X command is looked up
//             in the table here, at its place in the stream, and becomes a 4-byte write, or nothing.
//             Every TLP, and every command that is dropped, takes a place in the ring of vhp_wr_retire, which gives
//             the completions in order. A command is dropped as a whole, or from the TLP on at which its function
//             lost Bus Master Enable or went into FLR: status DmaDisabled, DmaFlr; an impossible length: DmaMalformed.
//             An MSI-X command that makes no message (masked, MSI-X off, no such vector) completes with DmaOk.
// Handshake   req: valid/ready per client. tlp, place: valid/ready. lookup: see vhp_msix.
// Throughput  One TLP per 2 cycles; an MSI-X command takes 5.
// Reset       Synchronous.

module vhp_wr_split (
  input  logic                      clk_i,
  input  logic                      rst_i,
  input  vhp_pcie_pkg::fn_state_t [vhp_pkg::NumFn-1:0] fn_i,

  input  logic                 [vhp_pkg::NumWrClients-1:0] req_valid_i,
  output logic                 [vhp_pkg::NumWrClients-1:0] req_ready_o,
  input  vhp_pkg::dma_wr_req_t [vhp_pkg::NumWrClients-1:0] req_i,

  input  logic                      fire_valid_i,
  output logic                      fire_ready_o,
  input  logic [7:0]                fire_func_i,
  input  logic [10:0]               fire_vector_i,

  output logic                      lookup_valid_o,
  output logic                      lookup_fire_o,
  output logic [7:0]                lookup_func_o,
  output logic [10:0]               lookup_vector_o,
  input  logic                      lookup_done_i,
  input  logic                      lookup_send_i,
  input  logic                      lookup_pended_i,
  input  logic [63:0]               lookup_addr_i,
  input  logic [31:0]               lookup_data_i,

  output logic                      tlp_valid_o,
  input  logic                      tlp_ready_i,
  output vhp_pcie_pkg::wr_tlp_t     tlp_o,
  output logic [511:0]              tlp_imm_o,

  output logic                      place_valid_o,
  input  logic                      place_ready_i,
  input  logic [4:0]                place_i,
  output vhp_pcie_pkg::wr_source_t  place_source_o,
  output logic                      place_last_o,      // last of its command
  output logic                      place_done_o,      // nothing was sent
  output vhp_pkg::dma_status_e      place_status_o,
  output logic [7:0]                place_func_o,

  output logic                      dropped_o,         // pulses
  output logic                      msix_sent_o,
  output logic                      msix_pended_o,
  output logic                      idle_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;
  localparam int unsigned NumC  = vhp_pkg::NumWrClients;
  localparam int unsigned NumS  = vhp_pcie_pkg::NumWrSources;

  // ---------------------------------------------------------------- client FIFOs, round robin
  logic [NumS-1:0] f_valid, f_ready;
  vhp_pkg::dma_wr_req_t [NumS-1:0] f_req;
  for (genvar c = 0; c < int'(NumC); c++) begin : gen_client
    wire [2:0] unused_level;
    vhp_stream_fifo #(.Width($bits(vhp_pkg::dma_wr_req_t)), .Depth(4)) u_fifo (
      .clk_i, .rst_i,
      .in_valid_i(req_valid_i[c]), .in_ready_o(req_ready_o[c]), .in_data_i(req_i[c]),
      .out_valid_o(f_valid[c]), .out_ready_i(f_ready[c]), .out_data_o(f_req[c]), .level_o(unused_level)
    );
  end
  assign f_valid[vhp_pcie_pkg::WrFire] = fire_valid_i;
  assign fire_ready_o = f_ready[vhp_pcie_pkg::WrFire];
  always_comb begin
    f_req[vhp_pcie_pkg::WrFire]           = '0;
    f_req[vhp_pcie_pkg::WrFire].kind      = vhp_pkg::WrMsix;
    f_req[vhp_pcie_pkg::WrFire].func      = fire_func_i;
    f_req[vhp_pcie_pkg::WrFire].imm[10:0] = fire_vector_i;
  end

  // The choice is made a cycle before it is used: no command is loaded in the cycle after another, and one that waits stays.
  vhp_pcie_pkg::wr_source_t last_q, pick, pick_q;
  logic                     any, any_q;
  vhp_rr_pick #(.N(NumS)) u_pick (.req_i(f_valid), .last_i(last_q), .valid_o(any), .idx_o(pick));

  // ---------------------------------------------------------------- the command
  typedef enum logic [2:0] { StIdle, StLookup, StWait, StCalc, StEmit, StVoid } state_e;
  state_e                   state_q;
  vhp_pcie_pkg::wr_source_t src_q;
  logic [7:0]               func_q;
  logic [NumFn-1:0]         fn_q;         // the same, one bit per function; 0: none that is built
  logic [63:0]              addr_q;
  logic [15:0]              len_q;        // bytes left, less 1
  logic [16:0]              from_q;
  logic                     imm_sel_q, patch_q, bad_q;
  logic [3:0]               pkt_off_q;    // packet offset of the next byte, 15 = beyond
  logic [15:0]              nb_q;
  logic [511:0]             imm_q;
  logic [9:0]               chunk_q;      // bytes of the TLP, less 1
  logic                     chunk_last_q;
  // The page behind the current one, made while the TLP's size is: no 64-bit carry in the step to the next TLP.
  logic [25:0]              hi_q, lo_q;
  logic                     wrap_q;
  wire  [12:0]              low = {1'b0, addr_q[11:0]} + 13'(chunk_q) + 13'd1;     // bit 12: the page's end
  logic                     ok_q;
  vhp_pkg::dma_status_e     why_q;

  // Largest TLP from here, less 1, for each MPS: MPS - 1 - addr[1:0], or up to the end of the 4 KiB page. The command's
  // function chooses among them at the end.
  logic [3:0][9:0] cut;
  logic [3:0]      fits;
  logic [1:0]      mps;
  logic            now_ok, now_flr;
  always_comb begin
    for (int unsigned m = 0; m < 4; m++) begin
      automatic logic [9:2] mask  = 8'((32 << m) - 1);         // in dwords
      automatic logic       far   = |(~addr_q[11:2] & ~{2'b00, mask});
      automatic logic [9:0] limit = {far ? mask : ~addr_q[9:2], ~addr_q[1:0]};
      fits[m] = len_q <= {6'd0, limit};
      // A TLP that does not end the command leaves four dwords of a small MPS free: with its header it takes whole beats
      // of RQ then (MPS 256: 240 bytes in 4 beats, not 256 in 5), which without straddle bound large packets.
      cut[m] = limit;
      if (m == 0 && &limit[6:4]) cut[m][6:2] = 5'd27;
      if (m == 1 && &limit[7:4]) cut[m][7:2] = 6'd59;
    end
    mps     = 2'd0;
    now_ok  = 1'b0;
    now_flr = 1'b0;
    for (int unsigned k = 0; k < NumFn; k++) begin
      if (fn_q[k]) begin
        mps     |= fn_i[k].mps > 3'd3 ? 2'd3 : fn_i[k].mps[1:0];
        now_ok  |= fn_i[k].bme && !fn_i[k].flr;
        now_flr |= fn_i[k].flr;
      end
    end
  end

  // ---------------------------------------------------------------- machine
  wire emit      = state_q == StEmit && ok_q && !bad_q && tlp_ready_i && place_ready_i;
  wire drop      = state_q == StEmit && (!ok_q || bad_q) && place_ready_i;
  wire void_done = state_q == StVoid && place_ready_i;
  wire ends      = drop || void_done || (emit && chunk_last_q);
  wire load      = (state_q == StIdle || ends) && any_q;

  always_comb begin
    f_ready         = '0;
    f_ready[pick_q] = load;
  end

  vhp_pkg::dma_wr_req_t head;
  assign head = f_req[pick_q];
  wire   unused_port = ^head.port;   // for the dirty log, before this stage
  wire   head_msix = head.kind == vhp_pkg::WrMsix;

  always_ff @(posedge clk_i) begin
    ok_q          <= now_ok;
    why_q         <= bad_q ? vhp_pkg::DmaMalformed : now_flr ? vhp_pkg::DmaFlr : vhp_pkg::DmaDisabled;
    pick_q        <= pick;
    any_q         <= any;
    dropped_o     <= 1'b0;
    msix_sent_o   <= 1'b0;
    msix_pended_o <= 1'b0;

    unique case (state_q)
      StLookup: state_q <= StWait;
      StWait: if (lookup_done_i) begin
        addr_q        <= lookup_addr_i;
        imm_q[31:0]   <= lookup_data_i;
        state_q       <= lookup_send_i ? StCalc : StVoid;
        msix_sent_o   <= lookup_send_i;
        msix_pended_o <= lookup_pended_i;
        dropped_o     <= !lookup_send_i && !lookup_pended_i && src_q != vhp_pcie_pkg::WrFire;
      end
      StCalc: begin
        chunk_q      <= fits[mps] ? len_q[9:0] : cut[mps];
        chunk_last_q <= fits[mps];
        hi_q         <= addr_q[63:38] + 26'd1;
        lo_q         <= addr_q[37:12] + 26'd1;
        wrap_q       <= &addr_q[37:12];
        state_q      <= StEmit;
      end
      StEmit: begin
        if (emit) begin
          addr_q[11:0] <= low[11:0];
          if (low[12]) addr_q[37:12] <= lo_q;
          if (low[12] && wrap_q) addr_q[63:38] <= hi_q;
          from_q    <= from_q + 17'(chunk_q) + 17'd1;
          len_q     <= len_q - 16'(chunk_q) - 16'd1;
          pkt_off_q <= chunk_q >= 10'(4'd14 - pkt_off_q) || pkt_off_q == 4'd15 ? 4'd15 : pkt_off_q + chunk_q[3:0] + 4'd1;
          state_q   <= StCalc;
        end
        dropped_o <= drop;
      end
      default: ;
    endcase

    if (ends) state_q <= StIdle;
    if (load) begin
      last_q    <= pick_q;
      src_q     <= pick_q;
      func_q    <= head.func;
      for (int unsigned k = 0; k < NumFn; k++) fn_q[k] <= head.func == 8'(k);
      addr_q    <= head.addr;
      len_q     <= head_msix ? 16'd3 : 16'(head.len - 17'd1);
      bad_q     <= !head_msix && (head.len == 17'd0 || head.len > 17'd65536 ||
                                  (head.kind == vhp_pkg::WrImm && head.len > 17'd64));
      imm_sel_q <= head.kind != vhp_pkg::WrPacket;
      from_q    <= head.kind == vhp_pkg::WrPacket ? head.ram_addr : 17'd0;
      patch_q   <= head.kind == vhp_pkg::WrPacket && head.patch;
      pkt_off_q <= head.patch_off;
      nb_q      <= head.num_buffers;
      imm_q     <= head.imm;
      state_q   <= head_msix ? StLookup : StCalc;
    end
    if (rst_i) begin
      state_q       <= StIdle;
      last_q        <= '0;
      any_q         <= 1'b0;
      dropped_o     <= 1'b0;
      msix_sent_o   <= 1'b0;
      msix_pended_o <= 1'b0;
    end
  end

  assign lookup_valid_o  = state_q == StLookup;
  assign lookup_fire_o   = src_q == vhp_pcie_pkg::WrFire;
  assign lookup_func_o   = func_q;
  assign lookup_vector_o = imm_q[10:0];

  always_comb begin
    tlp_o.imm         = imm_sel_q;
    tlp_o.func        = func_q;
    tlp_o.addr        = addr_q;
    tlp_o.len         = chunk_q;
    tlp_o.src         = from_q;
    tlp_o.patch10     = patch_q && pkt_off_q <= 4'd10;
    tlp_o.patch11     = patch_q && pkt_off_q <= 4'd11;
    tlp_o.at10        = 4'd10 - pkt_off_q;
    tlp_o.at11        = 4'd11 - pkt_off_q;
    tlp_o.num_buffers = nb_q;
    tlp_o.place       = place_i;
  end
  assign tlp_valid_o = state_q == StEmit && ok_q && !bad_q && place_ready_i;
  assign tlp_imm_o   = imm_q;

  // A command that makes nothing waits for no one but its place.
  assign place_valid_o  = emit || drop || void_done;
  assign place_source_o = src_q;
  assign place_last_o   = ends;
  assign place_done_o   = !emit;
  assign place_status_o = drop ? why_q : vhp_pkg::DmaOk;
  assign place_func_o   = func_q;

  assign idle_o = state_q == StIdle && f_valid == '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && load) assert (f_valid[pick_q]) else $error("the chosen command is not there (%m)");
  end
`endif

endmodule
