// SPDX-License-Identifier: Apache-2.0
//
// The 512-bit user side on a PCIe block that has 256 bits: Gen3 x8 (PG213, supported interface widths).
//
// Purpose     Boards whose slot is Gen3 x8: block and card run at the same 250 MHz, each wide beat takes two narrow
//             cycles, which is what the link carries. Straddle is off on both sides. Widths of the side bands and the
//             places of their fields are PG213's, 256-bit interfaces; parity is not used.
// Ports       b_* to the block, c_* to the card; names and handshake are PG213's.
// Latency     2 cycles per direction.
// Parameters  none
// Reset       Synchronous; drops what is inside.

module vhp_block_x8 (
  input  logic         clk_i,
  input  logic         rst_i,
  // The block.
  output logic [255:0] b_axis_rq_tdata,
  output logic [7:0]   b_axis_rq_tkeep,
  output logic         b_axis_rq_tlast,
  output logic [61:0]  b_axis_rq_tuser,
  output logic         b_axis_rq_tvalid,
  input  logic [3:0]   b_axis_rq_tready,
  input  logic [255:0] b_axis_rc_tdata,
  input  logic [7:0]   b_axis_rc_tkeep,
  input  logic         b_axis_rc_tlast,
  input  logic [74:0]  b_axis_rc_tuser,
  input  logic         b_axis_rc_tvalid,
  output logic         b_axis_rc_tready,
  input  logic [255:0] b_axis_cq_tdata,
  input  logic [7:0]   b_axis_cq_tkeep,
  input  logic         b_axis_cq_tlast,
  input  logic [87:0]  b_axis_cq_tuser,
  input  logic         b_axis_cq_tvalid,
  output logic         b_axis_cq_tready,
  output logic [255:0] b_axis_cc_tdata,
  output logic [7:0]   b_axis_cc_tkeep,
  output logic         b_axis_cc_tlast,
  output logic [32:0]  b_axis_cc_tuser,
  output logic         b_axis_cc_tvalid,
  input  logic [3:0]   b_axis_cc_tready,
  // The card.
  input  logic [511:0] c_axis_rq_tdata,
  input  logic [15:0]  c_axis_rq_tkeep,
  input  logic         c_axis_rq_tlast,
  input  logic [136:0] c_axis_rq_tuser,
  input  logic         c_axis_rq_tvalid,
  output logic [3:0]   c_axis_rq_tready,
  output logic [511:0] c_axis_rc_tdata,
  output logic [15:0]  c_axis_rc_tkeep,
  output logic         c_axis_rc_tlast,
  output logic [160:0] c_axis_rc_tuser,
  output logic         c_axis_rc_tvalid,
  input  logic         c_axis_rc_tready,
  output logic [511:0] c_axis_cq_tdata,
  output logic [15:0]  c_axis_cq_tkeep,
  output logic         c_axis_cq_tlast,
  output logic [182:0] c_axis_cq_tuser,
  output logic         c_axis_cq_tvalid,
  input  logic         c_axis_cq_tready,
  input  logic [511:0] c_axis_cc_tdata,
  input  logic [15:0]  c_axis_cc_tkeep,
  input  logic         c_axis_cc_tlast,
  input  logic [80:0]  c_axis_cc_tuser,
  input  logic         c_axis_cc_tvalid,
  output logic [3:0]   c_axis_cc_tready
);

  // PG213, 256-bit interfaces, most significant field first.
  typedef struct packed {
    logic [2:0]  rsvd;
    logic [31:0] parity;
    logic [7:0]  tph_st_tag;
    logic [1:0]  tph_type;
    logic        tph_present;
    logic        discontinue;
    logic        sop;
    logic [31:0] byte_en;
    logic [3:0]  last_be;
    logic [3:0]  first_be;
  } cq256_user_t;

  typedef struct packed {
    logic [31:0]     parity;
    logic            discontinue;
    logic [1:0][3:0] is_eof;
    logic [1:0]      is_sof;
    logic [31:0]     byte_en;
  } rc256_user_t;

  typedef struct packed {
    logic [1:0]  seq_num_hi;
    logic [31:0] parity;
    logic [3:0]  seq_num_lo;
    logic [7:0]  tph_st_tag;
    logic        tph_indirect;
    logic [1:0]  tph_type;
    logic        tph_present;
    logic        discontinue;
    logic [2:0]  addr_offset;
    logic [3:0]  last_be;
    logic [3:0]  first_be;
  } rq256_user_t;

  // The last dword of a wide beat; keep has no holes.
  function automatic logic [3:0] last_dword(input logic [15:0] keep);
    last_dword = 4'd0;
    for (int unsigned i = 1; i < 16; i++) if (keep[i]) last_dword = 4'(i);
  endfunction

  // ---------------------------------------------------------------- RQ and CC: from the card
  vhp_pcie_pkg::rq_user_t rq_card;
  rq256_user_t            rq_block;
  logic                   rq_ready;
  assign rq_card = c_axis_rq_tuser;
  always_comb begin
    rq_block              = '0;
    rq_block.first_be     = rq_card.first_be0;
    rq_block.last_be      = rq_card.last_be0;
    rq_block.addr_offset  = rq_card.addr_offset[2:0];
    rq_block.discontinue  = rq_card.discontinue;
    rq_block.tph_present  = rq_card.tph_present[0];
    rq_block.tph_type     = rq_card.tph_type[1:0];
    rq_block.tph_indirect = rq_card.tph_indirect[0];
    rq_block.tph_st_tag   = rq_card.tph_st_tag[7:0];
    rq_block.seq_num_lo   = rq_card.seq_num0[3:0];
    rq_block.seq_num_hi   = rq_card.seq_num0[5:4];
  end

  vhp_beat_split #(.SideW($bits(rq256_user_t))) u_rq (
    .clk_i, .rst_i,
    .in_valid_i(c_axis_rq_tvalid), .in_ready_o(rq_ready), .in_data_i(c_axis_rq_tdata),
    .in_keep_i(c_axis_rq_tkeep), .in_last_i(c_axis_rq_tlast), .in_side_i(rq_block),
    .out_valid_o(b_axis_rq_tvalid), .out_ready_i(b_axis_rq_tready[0]), .out_data_o(b_axis_rq_tdata),
    .out_keep_o(b_axis_rq_tkeep), .out_last_o(b_axis_rq_tlast), .out_side_o(b_axis_rq_tuser)
  );
  assign c_axis_rq_tready = {4{rq_ready}};

  vhp_pcie_pkg::cc_user_t cc_card;
  logic                   cc_discontinue, cc_ready;
  assign cc_card = c_axis_cc_tuser;
  vhp_beat_split u_cc (
    .clk_i, .rst_i,
    .in_valid_i(c_axis_cc_tvalid), .in_ready_o(cc_ready), .in_data_i(c_axis_cc_tdata),
    .in_keep_i(c_axis_cc_tkeep), .in_last_i(c_axis_cc_tlast), .in_side_i(cc_card.discontinue),
    .out_valid_o(b_axis_cc_tvalid), .out_ready_i(b_axis_cc_tready[0]), .out_data_o(b_axis_cc_tdata),
    .out_keep_o(b_axis_cc_tkeep), .out_last_o(b_axis_cc_tlast), .out_side_o(cc_discontinue)
  );
  assign c_axis_cc_tready = {4{cc_ready}};
  assign b_axis_cc_tuser = {32'd0, cc_discontinue};

  // ---------------------------------------------------------------- CQ and RC: to the card
  cq256_user_t [1:0]      cq_block;
  vhp_pcie_pkg::cq_user_t cq_card;
  logic                   cq_first, cq_upper;
  vhp_beat_join #(.SideW($bits(cq256_user_t))) u_cq (
    .clk_i, .rst_i,
    .in_valid_i(b_axis_cq_tvalid), .in_ready_o(b_axis_cq_tready), .in_data_i(b_axis_cq_tdata),
    .in_keep_i(b_axis_cq_tkeep), .in_last_i(b_axis_cq_tlast), .in_side_i(b_axis_cq_tuser),
    .out_valid_o(c_axis_cq_tvalid), .out_ready_i(c_axis_cq_tready), .out_data_o(c_axis_cq_tdata),
    .out_keep_o(c_axis_cq_tkeep), .out_last_o(c_axis_cq_tlast), .out_first_o(cq_first), .out_upper_o(cq_upper),
    .out_side_o(cq_block)
  );
  always_comb begin
    cq_card                = '0;
    cq_card.first_be0      = cq_block[0].first_be;
    cq_card.last_be0       = cq_block[0].last_be;
    cq_card.byte_en        = {cq_block[1].byte_en, cq_block[0].byte_en};
    cq_card.is_sop         = {1'b0, cq_first};
    cq_card.is_eop         = {1'b0, c_axis_cq_tlast};
    cq_card.eop0_ptr       = c_axis_cq_tlast ? last_dword(c_axis_cq_tkeep) : 4'd0;
    cq_card.discontinue    = cq_block[0].discontinue || (cq_upper && cq_block[1].discontinue);
    cq_card.tph_present[0] = cq_block[0].tph_present;
    cq_card.tph_type[1:0]  = cq_block[0].tph_type;
    cq_card.tph_st_tag[7:0] = cq_block[0].tph_st_tag;
  end
  assign c_axis_cq_tuser = cq_card;

  rc256_user_t [1:0]      rc_block;
  vhp_pcie_pkg::rc_user_t rc_card;
  logic                   rc_first, rc_upper;
  vhp_beat_join #(.SideW($bits(rc256_user_t))) u_rc (
    .clk_i, .rst_i,
    .in_valid_i(b_axis_rc_tvalid), .in_ready_o(b_axis_rc_tready), .in_data_i(b_axis_rc_tdata),
    .in_keep_i(b_axis_rc_tkeep), .in_last_i(b_axis_rc_tlast), .in_side_i(b_axis_rc_tuser),
    .out_valid_o(c_axis_rc_tvalid), .out_ready_i(c_axis_rc_tready), .out_data_o(c_axis_rc_tdata),
    .out_keep_o(c_axis_rc_tkeep), .out_last_o(c_axis_rc_tlast), .out_first_o(rc_first), .out_upper_o(rc_upper),
    .out_side_o(rc_block)
  );
  always_comb begin
    rc_card             = '0;
    rc_card.byte_en     = {rc_block[1].byte_en, rc_block[0].byte_en};
    rc_card.is_sop      = {3'd0, rc_first};
    rc_card.is_eop      = {3'd0, c_axis_rc_tlast};
    rc_card.eop_ptr[0]  = c_axis_rc_tlast ? last_dword(c_axis_rc_tkeep) : 4'd0;
    rc_card.discontinue = rc_block[0].discontinue || (rc_upper && rc_block[1].discontinue);
  end
  assign c_axis_rc_tuser = rc_card;

  // Fields that have no meaning without straddle, parity and a second TLP in a beat.
  wire unused = &{1'b0, rq_card, cc_card, cq_block, rc_block, b_axis_rq_tready[3:1], b_axis_cc_tready[3:1]};

endmodule
