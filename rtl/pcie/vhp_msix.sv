// SPDX-License-Identifier: Apache-2.0
//
// MSI-X tables and pending bits of all functions (PCI 3.0, 6.8.2).
//
// Purpose     Host accesses to table (0x8000) and PBA (0x9000) of BAR 0, any byte enables. Lookups of the write
//             engine: "function f sends vector v" gives the message, or makes the vector pending if it is masked, or
//             drops it (MSI-X off, function stopped, no such vector). A pending vector that becomes sendable is
//             offered on the fire port; the write engine then looks it up again like any other.
// Handshake   req/rsp: vhp_pkg::rb_req_t. lookup: a pulse, the answer 2 cycles later, one at a time. fire:
//             valid/ready; the vector stays quiet until its lookup came (lookup_fire_i).
//             clear_i[k] (level) sets table and PBA of function k to their reset values; cleared_o[k] pulses.
// Latency     Host access 2 cycles.
// Reset       Synchronous; clearing the tables takes NumFn * VecPerFn cycles, accesses wait for it.

module vhp_msix (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             req_valid_i,
  output logic             req_ready_o,
  input  vhp_pkg::rb_req_t req_i,
  output logic             rsp_valid_o,
  output vhp_pkg::rb_rsp_t rsp_o,

  input  logic             lookup_valid_i,
  input  logic             lookup_fire_i,
  input  logic [7:0]       lookup_func_i,
  input  logic [10:0]      lookup_vector_i,
  output logic             lookup_done_o,
  output logic             lookup_send_o,     // with done: send it
  output logic             lookup_pended_o,   // with done: masked, now pending; neither: dropped
  output logic [63:0]      lookup_addr_o,
  output logic [31:0]      lookup_data_o,

  output logic             fire_valid_o,
  input  logic             fire_ready_i,
  output logic [7:0]       fire_func_o,
  output logic [10:0]      fire_vector_o,

  input  logic [vhp_pkg::NumFn-1:0] enable_i,
  input  logic [vhp_pkg::NumFn-1:0] mask_i,
  input  logic [vhp_pkg::NumFn-1:0] active_i,   // bus master and not in FLR
  input  logic [vhp_pkg::NumFn-1:0] clear_i,
  output logic [vhp_pkg::NumFn-1:0] cleared_o,

  output logic             idle_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;
  localparam int unsigned Vec   = vhp_pkg::VecPerFn;
  localparam int unsigned VecW  = $clog2(Vec);
  localparam int unsigned FnW   = $clog2(NumFn);
  localparam int unsigned IdxW  = FnW + VecW;

  initial begin
    if (Vec != 32) $fatal(1, "vhp_msix: the PBA layout is for 32 vectors, not %0d (%m)", Vec);
  end

  // Message address and data in LUT RAM; the vectors' mask bits are registers, all are looked at together.
  logic [31:0] mem_lo   [2**IdxW];
  logic [31:0] mem_hi   [2**IdxW];
  logic [31:0] mem_data [2**IdxW];
  logic [NumFn-1:0][Vec-1:0] vmask_q, pend_q;

  // ---------------------------------------------------------------- clearing
  logic             clr_busy_q, clr_all_q;
  logic [FnW-1:0]   clr_fn_q;
  logic [VecW-1:0]  clr_vec_q;
  logic [NumFn-1:0] clr_mine_q;      // not again for the same level

  // ---------------------------------------------------------------- host access
  typedef enum logic [1:0] { StIdle, StAccess, StAnswer } state_e;
  state_e           state_q;
  vhp_pkg::rb_req_t req_q;
  wire is_pba   = req_q.addr[12];    // the completer sends only the two pages
  wire in_table = !is_pba && req_q.addr[11:VecW+4] == '0;
  wire in_pba   = is_pba && req_q.addr[11:3] == '0;
  wire [FnW-1:0]  h_fn  = req_q.func[FnW-1:0];
  wire [IdxW-1:0] h_idx = {h_fn, req_q.addr[VecW+3:4]};
  wire [1:0]      h_dw  = req_q.addr[3:2];

  assign req_ready_o = state_q == StIdle && !clr_busy_q;

  wire            host_we = state_q == StAccess && req_q.write && in_table;
  wire [IdxW-1:0] w_idx   = clr_busy_q ? {clr_fn_q, clr_vec_q} : h_idx;
  wire [31:0]     w_data  = clr_busy_q ? 32'd0 : req_q.wdata;
  wire [3:0]      w_be    = clr_busy_q ? 4'hf : req_q.be;
  wire we_lo   = clr_busy_q || (host_we && h_dw == 2'd0);
  wire we_hi   = clr_busy_q || (host_we && h_dw == 2'd1);
  wire we_data = clr_busy_q || (host_we && h_dw == 2'd2);
  wire we_ctrl = host_we && h_dw == 2'd3 && req_q.be[0];

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < 4; b++) begin
      if (we_lo && w_be[b])   mem_lo[w_idx][8*b +: 8]   <= w_data[8*b +: 8];
      if (we_hi && w_be[b])   mem_hi[w_idx][8*b +: 8]   <= w_data[8*b +: 8];
      if (we_data && w_be[b]) mem_data[w_idx][8*b +: 8] <= w_data[8*b +: 8];
    end
  end

  logic [31:0] h_lo_q, h_hi_q, h_data_q, h_pba_q;
  logic        h_mask_q;
  always_ff @(posedge clk_i) begin
    h_lo_q   <= {mem_lo[h_idx][31:2], 2'b00};
    h_hi_q   <= mem_hi[h_idx];
    h_data_q <= mem_data[h_idx];
    h_mask_q <= vmask_q[h_fn][req_q.addr[VecW+3:4]];
    h_pba_q  <= pend_q[h_fn];
  end

  always_ff @(posedge clk_i) begin
    rsp_valid_o <= 1'b0;
    unique case (state_q)
      StIdle: begin
        req_q <= req_i;
        if (req_valid_i && req_ready_o) state_q <= StAccess;
      end
      StAccess: state_q <= StAnswer;
      default: begin
        rsp_valid_o <= 1'b1;
        rsp_o.err   <= !in_table && !in_pba;
        if (is_pba) rsp_o.rdata <= req_q.addr[2] ? 32'd0 : h_pba_q;
        else begin
          unique case (h_dw)
            2'd0:    rsp_o.rdata <= h_lo_q;
            2'd1:    rsp_o.rdata <= h_hi_q;
            2'd2:    rsp_o.rdata <= h_data_q;
            default: rsp_o.rdata <= {31'd0, h_mask_q};
          endcase
        end
        state_q <= StIdle;
      end
    endcase
    if (rst_i) begin
      state_q     <= StIdle;
      rsp_valid_o <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- lookup
  logic             l1_valid_q, l1_fire_q, l1_known_q;
  logic [FnW-1:0]   l1_fn_q;
  logic [VecW-1:0]  l1_vec_q;
  logic [63:0]      l1_addr_q;
  logic [31:0]      l1_data_q;
  wire  [IdxW-1:0]  l_idx = {lookup_func_i[FnW-1:0], lookup_vector_i[VecW-1:0]};

  wire l1_on     = l1_known_q && enable_i[l1_fn_q] && active_i[l1_fn_q];
  wire l1_masked = mask_i[l1_fn_q] || vmask_q[l1_fn_q][l1_vec_q];
  // A second look at a pending vector sends only what is still pending.
  wire l1_due    = !l1_fire_q || pend_q[l1_fn_q][l1_vec_q];
  wire l1_send   = l1_valid_q && l1_on && !l1_masked && l1_due;
  wire l1_pend   = l1_valid_q && l1_on && l1_masked && !l1_fire_q;

  always_ff @(posedge clk_i) begin
    l1_fire_q  <= lookup_fire_i;
    l1_known_q <= lookup_func_i < 8'(NumFn) && lookup_vector_i < 11'(Vec);
    l1_fn_q    <= lookup_func_i < 8'(NumFn) ? lookup_func_i[FnW-1:0] : '0;
    l1_vec_q   <= lookup_vector_i[VecW-1:0];
    l1_addr_q  <= {mem_hi[l_idx], mem_lo[l_idx][31:2], 2'b00};
    l1_data_q  <= mem_data[l_idx];
    lookup_send_o   <= l1_send;
    lookup_pended_o <= l1_pend;
    lookup_addr_o   <= l1_addr_q;
    lookup_data_o   <= l1_data_q;
    l1_valid_q      <= !rst_i && lookup_valid_i;
    lookup_done_o   <= !rst_i && l1_valid_q;
  end

  // ---------------------------------------------------------------- pending vectors that may go
  // Two steps: one candidate per function, then the lowest function.
  logic [NumFn-1:0]           cand_q;
  logic [NumFn-1:0][VecW-1:0] cand_vec_q;
  logic                       fire_valid_q, fire_wait_q;
  logic [FnW-1:0]             fire_fn_q;
  logic [VecW-1:0]            fire_vec_q;

  assign fire_valid_o  = fire_valid_q;
  assign fire_func_o   = 8'(fire_fn_q);
  assign fire_vector_o = 11'(fire_vec_q);

  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < NumFn; k++) begin
      cand_q[k] <= !rst_i && !fire_wait_q && !fire_valid_q && enable_i[k] && active_i[k] && !mask_i[k] &&
                   |(pend_q[k] & ~vmask_q[k]);
      for (int v = int'(Vec) - 1; v >= 0; v--)
        if (pend_q[k][v] && !vmask_q[k][v]) cand_vec_q[k] <= VecW'(v);
    end
    if (fire_valid_q) begin
      if (fire_ready_i) begin
        fire_valid_q <= 1'b0;
        fire_wait_q  <= 1'b1;
      end
    end else if (fire_wait_q) begin
      if (l1_valid_q && l1_fire_q) fire_wait_q <= 1'b0;
    end else if (|cand_q) begin
      fire_valid_q <= 1'b1;
      for (int k = int'(NumFn) - 1; k >= 0; k--) begin
        if (cand_q[k]) begin
          fire_fn_q  <= FnW'(k);
          fire_vec_q <= cand_vec_q[k];
        end
      end
    end
    if (rst_i) begin
      fire_valid_q <= 1'b0;
      fire_wait_q  <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- bits
  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < NumFn; k++) begin
      for (int unsigned v = 0; v < Vec; v++) begin
        if (we_ctrl && h_idx == {FnW'(k), VecW'(v)}) vmask_q[k][v] <= req_q.wdata[0];
        if (l1_fn_q == FnW'(k) && l1_vec_q == VecW'(v)) begin
          if (l1_pend) pend_q[k][v] <= 1'b1;
          if (l1_send) pend_q[k][v] <= 1'b0;
        end
      end
      if (clr_busy_q && clr_fn_q == FnW'(k)) begin
        vmask_q[k] <= '1;
        pend_q[k]  <= '0;
      end
    end
    if (rst_i) begin
      vmask_q <= '1;
      pend_q  <= '0;
    end
  end

  // ---------------------------------------------------------------- clearing: all at reset, one function at FLR
  always_ff @(posedge clk_i) begin
    cleared_o <= '0;
    for (int unsigned k = 0; k < NumFn; k++) if (!clear_i[k]) clr_mine_q[k] <= 1'b0;
    if (clr_busy_q) begin
      clr_vec_q <= clr_vec_q + 1'b1;
      if (&clr_vec_q) begin
        if (clr_all_q && clr_fn_q != FnW'(NumFn - 1)) begin
          clr_fn_q <= clr_fn_q + 1'b1;
        end else begin
          clr_busy_q <= 1'b0;
          clr_all_q  <= 1'b0;
          if (!clr_all_q) cleared_o[clr_fn_q] <= 1'b1;
        end
      end
    end else if (state_q == StIdle && !(req_valid_i && req_ready_o)) begin
      for (int k = int'(NumFn) - 1; k >= 0; k--) begin
        if (clear_i[k] && !clr_mine_q[k]) begin
          clr_busy_q    <= 1'b1;
          clr_fn_q      <= FnW'(k);
        end
      end
      for (int unsigned k = 0; k < NumFn; k++)
        if (clear_i[k] && (clear_i & ~clr_mine_q & (NumFn'(1) << k) - NumFn'(1)) == '0) clr_mine_q[k] <= 1'b1;
    end
    if (rst_i) begin
      clr_busy_q <= 1'b1;
      clr_all_q  <= 1'b1;
      clr_fn_q   <= '0;
      clr_vec_q  <= '0;
      clr_mine_q <= '0;
      cleared_o  <= '0;
    end
  end

  assign idle_o = !clr_busy_q && state_q == StIdle && !fire_valid_q && !fire_wait_q && cand_q == '0 &&
                  !l1_valid_q && !lookup_done_o;

  wire unused = &{1'b0, req_q.addr[23:13], req_q.bar, req_q.func, req_q.addr[1:0], mem_lo[l_idx][1:0],
                  mem_lo[h_idx][1:0]};

endmodule
