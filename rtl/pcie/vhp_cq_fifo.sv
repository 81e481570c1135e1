// SPDX-License-Identifier: Apache-2.0
//
// Store and forward of completer requests: a TLP comes out only when its last beat is in and was good.
//
// Purpose     The hard block may mark a TLP as broken (discontinue) in its last beat only; no register may have seen
//             its first dwords by then. Such a TLP is forgotten as a whole, and so is one that is longer than the
//             memory (no legal write is: the block's largest payload is 1024 bytes).
// Handshake   CQ side: tready is a register. Out: valid/ready, first word falls through.
// Latency     1 cycle after the last beat.
// Parameters  Depth  beats, a power of two, 32..256
// Reset       Synchronous.

module vhp_cq_fifo #(
  parameter int unsigned Depth = 32
) (
  input  logic                   clk_i,
  input  logic                   rst_i,

  input  logic                   cq_valid_i,
  output logic                   cq_ready_o,
  input  logic                   cq_last_i,
  input  vhp_pcie_pkg::cq_user_t cq_user_i,
  input  logic [511:0]           cq_data_i,

  output logic                   out_valid_o,
  input  logic                   out_ready_i,
  output logic                   out_last_o,
  output logic [3:0]             out_first_be_o,
  output logic [3:0]             out_last_be_o,
  output logic [10:0]            out_tph_o,       // steering tag, type, present: for the error log
  output logic [511:0]           out_data_o,

  output logic                   drop_np_o,       // pulse: a non-posted TLP was forgotten
  output logic                   drop_posted_o,   // pulse: a posted TLP was forgotten
  output logic                   empty_o
);

  localparam int unsigned PtrW = $clog2(Depth);
  localparam int unsigned Width = 512 + 1 + 8 + 11;

  initial begin
    if (Depth < 32 || Depth > 256 || (Depth & (Depth - 1)) != 0) $fatal(1, "vhp_cq_fifo: Depth %0d (%m)", Depth);
  end

  logic [Width-1:0] mem [Depth];
  logic [PtrW:0]    wr_q, commit_q, rd_q;
  logic             first_q, lost_q, np_q, ready_q;

  vhp_pcie_pkg::cq_desc_t desc;
  assign desc = cq_data_i[127:0];

  wire take     = cq_valid_i && ready_q;
  wire is_np    = first_q ? !(desc.req_type == vhp_pcie_pkg::ReqMemWrite || desc.req_type >= 4'd12) : np_q;
  wire [PtrW:0] used = wr_q - rd_q;
  // A TLP that fills the memory alone would wait for itself.
  wire too_long = used >= (PtrW+1)'(Depth - 2) && commit_q == rd_q && !first_q;
  wire lost     = !first_q && lost_q || too_long;
  wire forget   = take && cq_last_i && (lost || cq_user_i.discontinue);
  wire pop      = out_valid_o && out_ready_i;

  assign cq_ready_o  = ready_q;
  assign out_valid_o = rd_q != commit_q;
  assign empty_o     = rd_q == wr_q;
  assign {out_last_o, out_first_be_o, out_last_be_o, out_tph_o, out_data_o} = mem[rd_q[PtrW-1:0]];

  always_ff @(posedge clk_i) begin
    if (take && !lost)
      mem[wr_q[PtrW-1:0]] <= {cq_last_i, cq_user_i.first_be0, cq_user_i.last_be0,
                              cq_user_i.tph_st_tag[7:0], cq_user_i.tph_type[1:0], cq_user_i.tph_present[0], cq_data_i};
  end

  always_ff @(posedge clk_i) begin
    drop_np_o     <= forget && is_np;
    drop_posted_o <= forget && !is_np;
    if (pop) rd_q <= rd_q + 1'b1;
    if (take) begin
      first_q <= cq_last_i;
      lost_q  <= lost;
      np_q    <= is_np;
      if (forget) begin
        wr_q <= commit_q;
      end else if (!lost) begin
        wr_q <= wr_q + 1'b1;
        if (cq_last_i) commit_q <= wr_q + 1'b1;
      end
    end
    // Room for two beats more: the one that this ready lets in, and the one of the next cycle.
    ready_q <= used < (PtrW+1)'(Depth - 2) || commit_q == rd_q;
    if (rst_i) begin
      wr_q     <= '0;
      commit_q <= '0;
      rd_q     <= '0;
      first_q  <= 1'b1;
      lost_q   <= 1'b0;
      np_q     <= 1'b0;
      ready_q  <= 1'b0;
      drop_np_o     <= 1'b0;
      drop_posted_o <= 1'b0;
    end
  end

  // The bits of a 512-bit CQ beat that this card has no use for.
  wire unused = &{1'b0, cq_user_i, desc};

endmodule
