// SPDX-License-Identifier: Apache-2.0
//
// Requester completions: each beat of RC goes straight to its place in the client's RAM.
//
// Stages      R0  RC beat registered; the tag's rows are read
//             R1  place and checks of the completion; the tag's progress is written back
//             R2  byte range; late checks
//             R3  rotate by 8-byte steps, mask of valid bytes
//             R4  rotate by bytes, split over the two banks
//             R5  ram_wr_o. The event of the TLP leaves from R3, so that any done comes after the data.
// Errors      Every RC error code, status, poison and discontinue becomes the event's status. Data of such a
//             completion and of all later ones of its tag is not written (but for discontinue, which comes with
//             the last beat). A tag ends only with request completed. A completion whose tag is not out, or with
//             code 6, changes nothing and is reported on bad_tag_o. Completions of one tag come in address order
//             (PCIe 2.3.1.1): the byte count must be exactly what is missing.
// Handshake   RC is taken every cycle while rc_ready_i is 1.
// Reset       Synchronous; ready_o rises when the tag rows are cleared (256 cycles).

module vhp_rd_land (
  input  logic                     clk_i,
  input  logic                     rst_i,

  input  logic                     rc_valid_i,       // valid && ready
  input  logic                     rc_last_i,
  input  logic                     rc_discontinue_i,
  input  logic [511:0]             rc_data_i,

  input  logic                     tag_write_i,
  input  vhp_pcie_pkg::tag_t       tag_i,
  input  vhp_pcie_pkg::tag_entry_t tag_entry_i,

  output logic                     tag_put_valid_o,
  output vhp_pcie_pkg::tag_t       tag_put_o,
  output logic [6:0]               tag_put_lines_o,
  output logic [vhp_pcie_pkg::FnW-1:0] tag_put_func_o,

  output logic                     event_valid_o,
  output vhp_pcie_pkg::op_event_t  event_o,
  output logic                     bad_tag_o,        // pulse
  output logic                     malformed_o,      // pulse: codes 3, 4, 5 and our own checks

  output logic                     ram_wr_valid_o,
  output vhp_pkg::dma_ram_wr_t     ram_wr_o,

  output logic                     ready_o,
  output logic                     idle_o
);

  localparam int unsigned NumTags = vhp_pcie_pkg::NumTags;

  typedef struct packed {
    logic        bad;        // an earlier completion was wrong
    logic        more;       // not the first completion of the tag
    logic [10:0] dw;         // dwords received
  } progress_t;

  vhp_pcie_pkg::tag_entry_t tags [NumTags];
  progress_t                progress [NumTags];
  logic [NumTags-1:0]       out_q;           // tags that are out
  logic [8:0]               init_q;

  always_ff @(posedge clk_i) begin
    if (tag_write_i) tags[tag_i] <= tag_entry_i;
  end

  // ---------------------------------------------------------------- R0
  logic         r0_valid_q, r0_first_q, r0_last_q, r0_disc_q, rc_first_q;
  logic [511:0] r0_data_q;
  vhp_pcie_pkg::rc_desc_t r0_desc;
  assign r0_desc = r0_data_q[95:0];

  always_ff @(posedge clk_i) begin
    r0_data_q  <= rc_data_i;
    r0_last_q  <= rc_last_i;
    r0_disc_q  <= rc_discontinue_i;
    r0_first_q <= rc_first_q;
    r0_valid_q <= !rst_i && rc_valid_i;
    if (rst_i) rc_first_q <= 1'b1;
    else if (rc_valid_i) rc_first_q <= rc_last_i;
  end

  // ---------------------------------------------------------------- R1
  logic         r1_valid_q, r1_first_q, r1_last_q, r1_disc_q;
  logic         r1_out_q, r1_same_q;         // same: the TLP just before has the same tag
  logic [511:0] r1_data_q;
  vhp_pcie_pkg::tag_entry_t r1_tag_q;
  progress_t    r1_prog_q, done_prog_q;
  logic         done_out_q, done_valid_q;
  vhp_pcie_pkg::rc_desc_t r1_desc;
  assign r1_desc = r1_data_q[95:0];

  wire r1_start = r1_valid_q && r1_first_q;

  always_ff @(posedge clk_i) begin
    r1_data_q  <= r0_data_q;
    r1_first_q <= r0_first_q;
    r1_last_q  <= r0_last_q;
    r1_disc_q  <= r0_disc_q;
    r1_tag_q   <= tags[r0_desc.tag];
    r1_prog_q  <= progress[r0_desc.tag];
    r1_out_q   <= out_q[r0_desc.tag];
    r1_same_q  <= r1_start && r1_desc.tag == r0_desc.tag;
    r1_valid_q <= !rst_i && r0_valid_q;
  end

  // What the TLP before wrote back, if it has not reached the memory when this one's rows were read.
  progress_t prog, prog_next;
  logic      is_out, out_next;
  assign prog   = r1_same_q && done_valid_q ? done_prog_q : r1_prog_q;
  assign is_out = r1_same_q && done_valid_q ? done_out_q : r1_out_q;

  wire [1:0]  lo      = prog.more ? 2'd0 : r1_tag_q.lo;
  wire [10:0] dw_next = prog.dw + r1_desc.dword_count;
  wire [12:0] missing = r1_tag_q.end_off - {prog.dw, lo};

  vhp_pkg::dma_status_e status1;
  always_comb begin
    unique case (r1_desc.error_code)
      vhp_pcie_pkg::RcOk: begin
        if (r1_desc.poisoned)                             status1 = vhp_pkg::DmaPoisoned;
        else if (r1_desc.status == 3'd4)                  status1 = vhp_pkg::DmaCa;
        else if (r1_desc.status != vhp_pcie_pkg::CplSc)   status1 = vhp_pkg::DmaUr;
        else                                              status1 = vhp_pkg::DmaOk;
      end
      vhp_pcie_pkg::RcPoisoned: status1 = vhp_pkg::DmaPoisoned;
      vhp_pcie_pkg::RcStatus:   status1 = r1_desc.status == 3'd4 ? vhp_pkg::DmaCa : vhp_pkg::DmaUr;
      vhp_pcie_pkg::RcFlr:      status1 = vhp_pkg::DmaFlr;
      vhp_pcie_pkg::RcTimeout:  status1 = vhp_pkg::DmaTimeout;
      default:                  status1 = vhp_pkg::DmaMalformed;
    endcase
  end

  wire known = is_out && r1_desc.error_code != vhp_pcie_pkg::RcTag;

  always_comb begin
    out_next       = is_out && !(known && r1_desc.request_completed);
    prog_next.more = !r1_desc.request_completed;
    prog_next.dw   = r1_desc.request_completed ? 11'd0 : dw_next;
    prog_next.bad  = !r1_desc.request_completed && (prog.bad || status1 != vhp_pkg::DmaOk);
    if (!known) prog_next = prog;
  end

  wire prog_we = r1_start && known;
  wire [7:0] prog_at = ready_o ? r1_desc.tag : init_q[7:0];
  always_ff @(posedge clk_i) begin
    if (prog_we || !ready_o) progress[prog_at] <= ready_o ? prog_next : '0;
    done_prog_q  <= prog_next;
    done_out_q   <= out_next;
    done_valid_q <= r1_start;
  end

  assign ready_o = init_q[8];
  always_ff @(posedge clk_i) begin
    if (rst_i) init_q <= '0;
    else if (!init_q[8]) init_q <= init_q + 1'b1;
  end

  // A tag is issued long after it ended, so the two never meet on one bit.
  always_ff @(posedge clk_i) begin
    for (int unsigned t = 0; t < NumTags; t++) begin
      if (tag_write_i && tag_i == 8'(t)) out_q[t] <= 1'b1;
      else if (r1_start && known && r1_desc.request_completed && r1_desc.tag == 8'(t)) out_q[t] <= 1'b0;
    end
    if (rst_i) out_q <= '0;
  end

  // ---------------------------------------------------------------- R2
  logic         r2_valid_q, r2_first_q, r2_last_q, r2_disc_q, r2_known_q, r2_bad_q, r2_completed_q;
  logic [511:0] r2_data_q;
  logic [10:0]  r2_dw_q, r2_dw_next_q, r2_end_dw_q, r2_count_q;
  logic [1:0]   r2_lo_q;
  logic [12:0]  r2_bytes_q, r2_missing_q;
  logic [7:0]   r2_tagno_q;
  vhp_pcie_pkg::tag_entry_t r2_tag_q;
  vhp_pkg::dma_status_e     r2_status_q;

  always_ff @(posedge clk_i) begin
    r2_valid_q     <= !rst_i && r1_valid_q;
    r2_first_q     <= r1_first_q;
    r2_last_q      <= r1_last_q;
    r2_disc_q      <= r1_disc_q;
    r2_data_q      <= r1_data_q;
    r2_known_q     <= known;
    r2_bad_q       <= prog.bad;
    r2_completed_q <= r1_desc.request_completed;
    r2_dw_q        <= prog.dw;
    r2_dw_next_q   <= dw_next;
    r2_end_dw_q    <= 11'((r1_tag_q.end_off + 13'd3) >> 2);
    r2_count_q     <= r1_desc.dword_count;
    r2_lo_q        <= lo;
    r2_bytes_q     <= r1_desc.byte_count;
    r2_missing_q   <= missing;
    r2_tagno_q     <= r1_desc.tag;
    r2_tag_q       <= r1_tag_q;
    r2_status_q    <= status1;
  end

  // The last completion, and only that, has the last dword.
  wire        at_end  = r2_dw_next_q == r2_end_dw_q;
  wire        late    = r2_status_q == vhp_pkg::DmaOk &&
                        (r2_bytes_q != r2_missing_q || r2_completed_q != at_end || r2_count_q == 11'd0 || r2_dw_next_q > r2_end_dw_q);
  wire [12:0] stop    = r2_completed_q ? r2_bytes_q + 13'(r2_lo_q) + 13'd12 : {r2_count_q, 2'b00} + 13'd12;
  vhp_pkg::dma_status_e status2;
  assign status2 = late ? vhp_pkg::DmaMalformed : r2_status_q;

  // ---------------------------------------------------------------- R3
  logic         r3_valid_q, r3_write_q, r3_last_q, r3_disc_q, r3_known_q, r3_completed_q;
  logic [511:0] r3_data_q;
  logic [16:0]  r3_base_q;        // RAM address of byte 0 of the beat
  logic [3:0]   r3_start_q;       // first valid byte of the beat
  logic [12:0]  r3_stop_q;        // behind the last one, from the beat's byte 0
  logic         r3_full_q;        // that is 64 or more
  logic [7:0]   r3_tagno_q;
  vhp_pcie_pkg::tag_entry_t r3_tag_q;
  vhp_pkg::dma_status_e     r3_status_q;

  always_ff @(posedge clk_i) begin
    r3_data_q  <= r2_data_q;
    r3_last_q  <= r2_last_q;
    r3_disc_q  <= r2_disc_q;
    r3_valid_q <= !rst_i && r2_valid_q;
    if (r2_valid_q) begin
      if (r2_first_q) begin
        r3_base_q      <= r2_tag_q.ram_base + 17'({r2_dw_q, 2'b00});
        r3_start_q     <= 4'd12 + 4'(r2_lo_q);
        // The first dword's own offset is in ram_base already.
        r3_stop_q      <= stop;
        r3_full_q      <= stop[12:6] != 7'd0;
        r3_write_q     <= r2_known_q && !r2_bad_q && status2 == vhp_pkg::DmaOk;
        r3_known_q     <= r2_known_q;
        r3_completed_q <= r2_completed_q;
        r3_status_q    <= status2;
        r3_tag_q       <= r2_tag_q;
        r3_tagno_q     <= r2_tagno_q;
      end else begin
        r3_base_q  <= r3_base_q + 17'd64;
        r3_start_q <= 4'd0;
        r3_stop_q  <= r3_full_q ? r3_stop_q - 13'd64 : 13'd0;
        r3_full_q  <= r3_stop_q[12:7] != 6'd0;
      end
    end
  end

  // Rotation by 8-byte steps, and which lanes belong to the row of the base.
  logic [511:0] rot8;
  logic [63:0]  mask, mask8, upper;
  logic         in_row, in_next;     // the beat has bytes in the base's row, in the one behind it
  always_comb begin
    automatic logic [6:0] stop7 = r3_full_q ? 7'd64 : {1'b0, r3_stop_q[5:0]};
    mask    = {64{r3_write_q}} & (64'hffff_ffff_ffff_ffff << r3_start_q)
              & (r3_full_q ? '1 : ~(64'hffff_ffff_ffff_ffff << r3_stop_q[5:0]));
    in_row  = r3_write_q && stop7 > 7'(r3_start_q) && 7'(r3_base_q[5:0]) + 7'(r3_start_q) < 7'd64;
    in_next = r3_write_q && stop7 > 7'(r3_start_q) && 8'(r3_base_q[5:0]) + 8'(stop7) > 8'd64;
    rot8  = r3_data_q;
    mask8 = mask;
    for (int unsigned w = 0; w < 8; w++) begin
      rot8[64*w +: 64] = r3_data_q[64*32'(3'(w) - r3_base_q[5:3]) +: 64];
      mask8[8*w +: 8]  = mask[8*32'(3'(w) - r3_base_q[5:3]) +: 8];
    end
    upper = 64'hffff_ffff_ffff_ffff << r3_base_q[5:0];
  end

  // ---------------------------------------------------------------- R4
  logic                r4_valid_q, r4_in_row_q, r4_in_next_q;
  logic [511:0]        r4_data_q;
  logic [63:0]         r4_mask_q, r4_upper_q;
  logic [2:0]          r4_rot_q;
  logic [10:0]         r4_block_q;
  vhp_pkg::rd_client_e r4_client_q;

  always_ff @(posedge clk_i) begin
    r4_valid_q  <= !rst_i && r3_valid_q && r3_write_q;
    r4_data_q   <= rot8;
    r4_mask_q   <= mask8;
    r4_upper_q  <= upper;
    r4_in_row_q  <= in_row;
    r4_in_next_q <= in_next;
    r4_rot_q    <= r3_base_q[2:0];
    r4_block_q  <= r3_base_q[16:6];
    r4_client_q <= r3_tag_q.client;
  end

  logic [511:0] rot1;
  logic [63:0]  mask1, be_row, be_next;
  always_comb begin
    for (int unsigned q = 0; q < 64; q++) begin
      rot1[8*q +: 8] = r4_data_q[8*32'(6'(q) - 6'(r4_rot_q)) +: 8];
      mask1[q]       = r4_mask_q[6'(q) - 6'(r4_rot_q)];
    end
    be_row  = mask1 & r4_upper_q;
    be_next = mask1 & ~r4_upper_q;
  end

  always_ff @(posedge clk_i) begin
    ram_wr_valid_o   <= !rst_i && r4_valid_q;
    ram_wr_o.client  <= r4_client_q;
    ram_wr_o.data[0] <= rot1;
    ram_wr_o.data[1] <= rot1;
    ram_wr_o.row[1]  <= r4_block_q[10:1];
    ram_wr_o.row[0]  <= r4_block_q[10:1] + 10'(r4_block_q[0]);
    ram_wr_o.be[0]   <= r4_block_q[0] ? be_next : be_row;
    ram_wr_o.be[1]   <= r4_block_q[0] ? be_row : be_next;
    ram_wr_o.we[0]   <= r4_block_q[0] ? r4_in_next_q : r4_in_row_q;
    ram_wr_o.we[1]   <= r4_block_q[0] ? r4_in_row_q : r4_in_next_q;
  end

  // ---------------------------------------------------------------- events, one per TLP
  wire tlp_end = r3_valid_q && r3_last_q;
  always_ff @(posedge clk_i) begin
    event_valid_o     <= !rst_i && tlp_end && r3_known_q;
    event_o.op        <= r3_tag_q.op;
    event_o.status    <= r3_status_q == vhp_pkg::DmaOk && r3_disc_q ? vhp_pkg::DmaMalformed : r3_status_q;
    event_o.completed <= r3_completed_q;
    tag_put_valid_o   <= !rst_i && tlp_end && r3_known_q && r3_completed_q;
    tag_put_o         <= r3_tagno_q;
    tag_put_lines_o   <= r3_tag_q.lines;
    tag_put_func_o    <= r3_tag_q.func;
    bad_tag_o         <= !rst_i && tlp_end && !r3_known_q;
    malformed_o       <= !rst_i && tlp_end && r3_known_q && r3_status_q == vhp_pkg::DmaMalformed;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && r4_valid_q) assert (r4_in_row_q == |be_row && r4_in_next_q == |be_next);
  end
`endif

  // What lies between the TLPs of a request is R3's; everything behind it drains by itself.
  assign idle_o = ready_o && !rc_valid_i && rc_first_q && !r0_valid_q && !r1_valid_q && !r2_valid_q && !r3_valid_q &&
                  !r4_valid_q && !ram_wr_valid_o && !event_valid_o;

  wire unused = &{1'b0, r0_desc, r1_desc, r3_tag_q};

endmodule
