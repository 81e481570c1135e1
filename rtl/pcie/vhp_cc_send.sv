// SPDX-License-Identifier: Apache-2.0
//
// Completions to CC: one packet per chunk, from the register accesses (0) and the aperture's reads (1) in turn.
//
// Purpose     A chunk is a completion of up to 32 dwords or one with an error, for which the request's header is sent behind
//             the descriptor, for the error log (PG213).
// Handshake   chunk: valid/ready with its payload, first dword in bits 31:0. CC: valid stays up for the whole packet.
// Latency     2 cycles from the chunk to the first beat; 1 to 3 beats each.
// Reset       Synchronous.

module vhp_cc_send (
  input  logic                          clk_i,
  input  logic                          rst_i,

  input  logic                    [1:0] chunk_valid_i,
  output logic                    [1:0] chunk_ready_o,
  input  vhp_pcie_pkg::cc_chunk_t [1:0] chunk_i,
  input  logic             [1:0][1023:0] chunk_data_i,

  output logic                          cc_valid_o,
  input  logic                          cc_ready_i,
  output logic                          cc_last_o,
  output logic [15:0]                   cc_keep_o,
  output vhp_pcie_pkg::cc_user_t        cc_user_o,
  output logic [511:0]                  cc_data_o,
  output logic                          idle_o
);

  logic                   busy_q, last_q;
  logic [31:0][31:0]      pay_q;
  vhp_pcie_pkg::cc_desc_t desc_q;
  logic [5:0]             n_q;
  logic [1:0]             beat_q;

  wire pick = chunk_valid_i[1] && (!chunk_valid_i[0] || !last_q);
  wire load = !busy_q && chunk_valid_i != '0;
  assign chunk_ready_o = {load && pick, load && !pick};

  vhp_pcie_pkg::cc_chunk_t c;
  vhp_pcie_pkg::cc_desc_t  desc;
  vhp_pcie_pkg::cq_desc_t  request;   // as it came: with the block's function number
  assign c = chunk_i[pick];
  always_comb begin
    request      = c.request;
    request.func = vhp_pcie_pkg::block_fn(c.request.func);
  end
  always_comb begin
    desc                = '0;
    desc.attr           = c.request.attr;
    desc.tc             = c.request.tc;
    desc.completer_func = request.func;
    desc.tag            = c.request.tag;
    desc.requester_id   = c.request.requester_id;
    desc.status         = c.status;
    desc.dword_count    = c.status != vhp_pcie_pkg::CplSc ? 11'd0 : 11'(c.dwords);
    desc.locked         = c.request.req_type == vhp_pcie_pkg::ReqMemRdLk;
    desc.byte_count     = c.bytes;
    desc.lower_addr     = c.lower;
  end

  // Beat 0 has 3 dwords of header and 13 of payload, beat 1 payload 13..28, beat 2 payload 29..31.
  wire cc_move = cc_ready_i || !cc_valid_o;
  logic [511:0] data;
  logic [5:0]   total;            // dwords of the packet
  logic [3:0]   tail;             // last dword of its last beat
  logic         last;
  always_comb begin
    total = n_q + 6'd3;
    tail  = 4'(total - 6'd1);
    unique case (beat_q)
      2'd0:    data = {pay_q[12:0], desc_q};
      2'd1:    data = pay_q[28:13];
      default: data = {416'd0, pay_q[31:29]};
    endcase
    last = {beat_q, 4'd15} >= total - 6'd1;
  end

  always_ff @(posedge clk_i) begin
    if (cc_move) begin
      cc_valid_o <= busy_q;
      cc_data_o  <= data;
      cc_last_o  <= last;
      cc_keep_o  <= last ? 16'hffff >> (4'd15 - tail) : 16'hffff;
      cc_user_o          <= '0;
      cc_user_o.is_sop   <= {1'b0, beat_q == 2'd0};
      cc_user_o.is_eop   <= {1'b0, last};
      cc_user_o.eop0_ptr <= last ? tail : 4'd0;
      if (busy_q) begin
        beat_q <= beat_q + 1'b1;
        if (last) busy_q <= 1'b0;
      end
    end
    if (load) begin
      busy_q <= 1'b1;
      beat_q <= 2'd0;
      last_q <= pick;
      desc_q <= desc;
      n_q    <= c.status != vhp_pcie_pkg::CplSc ? 6'd5 : c.dwords;
      pay_q  <= chunk_data_i[pick];
      if (c.status != vhp_pcie_pkg::CplSc) pay_q[4:0] <= {request, 13'd0, c.tph, c.last_be, c.first_be};
    end
    if (rst_i) begin
      cc_valid_o <= 1'b0;
      busy_q     <= 1'b0;
      last_q     <= 1'b0;
      beat_q     <= 2'd0;
    end
  end

  assign idle_o = !busy_q && !cc_valid_o && chunk_valid_i == '0;

  wire unused = &{1'b0, c};

endmodule
