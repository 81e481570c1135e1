// SPDX-License-Identifier: Apache-2.0
//
// Read requests of the clients become memory read TLPs.
//
// Stages      FIFO per client -> round robin by request -> Split (Calc, Next: one TLP per 2 cycles) -> Size -> Gate ->
//             Form -> RQ.
//             Split   a TLP ends at 4 KiB, and is at most MRRS less the offset in a 128-byte line, so that all but
//                     the first start on such a line.
//             Gate    waits for a tag and for room in the hard block's completion buffer, which is counted in lines of
//                     the RCB (one header and RCB bytes each): the worst way in which a completer may split.
//                     A TLP of a function that may not issue (Bus Master Enable 0, FLR), or of a request with an
//                     impossible length, becomes an event with that status instead.
// Handshake   req: valid/ready per client. rq: level_i of the FIFO behind it is looked at, never overrun.
// Parameters  CplHeaders  completion headers that the hard block holds, 65..256
//             CplCredits  completion data credits of 16 bytes that it holds, less a margin, 512..4095
// Reset       Synchronous.

module vhp_rd_issue #(
  parameter int unsigned CplHeaders = 256,
  parameter int unsigned CplCredits = 2048 - 256
) (
  input  logic                      clk_i,
  input  logic                      rst_i,
  input  vhp_pcie_pkg::fn_state_t [vhp_pkg::NumFn-1:0] fn_i,
  input  logic                      ext_tag_i,
  input  logic                      rcb128_i,
  input  logic                      ready_i,          // tables are initialised

  input  logic                 [vhp_pkg::NumRdClients-1:0] req_valid_i,
  output logic                 [vhp_pkg::NumRdClients-1:0] req_ready_o,
  input  vhp_pkg::dma_rd_req_t [vhp_pkg::NumRdClients-1:0] req_i,

  // Operation numbers and tags.
  input  logic                      op_free_valid_i,
  input  vhp_pcie_pkg::op_t         op_free_i,
  output logic                      op_take_o,
  output logic                      op_write_o,       // with every TLP; total is 0 but for the last
  output vhp_pcie_pkg::op_t         op_o,
  output vhp_pkg::rd_client_e       op_client_o,
  output logic [9:0]                op_cookie_o,
  output logic [9:0]                op_total_o,
  output logic                      tag_write_o,
  output vhp_pcie_pkg::tag_t        tag_o,
  output vhp_pcie_pkg::tag_entry_t  tag_entry_o,
  input  logic                      tag_put_valid_i,  // freed
  input  vhp_pcie_pkg::tag_t        tag_put_i,
  input  logic [6:0]                tag_put_lines_i,
  input  logic [vhp_pcie_pkg::FnW-1:0] tag_put_func_i,

  // A TLP that was not issued: its event.
  output logic                      skip_valid_o,
  input  logic                      skip_ready_i,
  output vhp_pcie_pkg::op_event_t   skip_o,

  output logic                      rq_valid_o,
  output vhp_pcie_pkg::rq_read_t    rq_o,
  input  logic                      rq_room_i,        // at least 2 places

  output logic [vhp_pkg::NumFn-1:0] fn_idle_o,        // no tag of the function is out
  output logic                      idle_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;
  localparam int unsigned NumC  = vhp_pkg::NumRdClients;
  localparam int unsigned FnW   = vhp_pcie_pkg::FnW;
  localparam int unsigned Max64  = CplHeaders < CplCredits / 4 ? CplHeaders : CplCredits / 4;
  localparam int unsigned Max128 = CplHeaders < CplCredits / 8 ? CplHeaders : CplCredits / 8;

  initial begin
    if (CplHeaders < 65 || CplHeaders > 256 || CplCredits < 512 || CplCredits > 4095)
      $fatal(1, "vhp_rd_issue: CplHeaders %0d, CplCredits %0d (%m)", CplHeaders, CplCredits);
  end

  // ---------------------------------------------------------------- client FIFOs, round robin
  logic [NumC-1:0] f_valid, f_ready;
  vhp_pkg::dma_rd_req_t [NumC-1:0] f_req;
  for (genvar c = 0; c < int'(NumC); c++) begin : gen_client
    wire [2:0] unused_level;
    vhp_stream_fifo #(.Width($bits(vhp_pkg::dma_rd_req_t)), .Depth(4)) u_fifo (
      .clk_i, .rst_i,
      .in_valid_i(req_valid_i[c]), .in_ready_o(req_ready_o[c]), .in_data_i(req_i[c]),
      .out_valid_o(f_valid[c]), .out_ready_i(f_ready[c]), .out_data_o(f_req[c]), .level_o(unused_level)
    );
  end

  logic [1:0] last_q, pick;
  logic       any;
  always_comb begin
    pick = last_q;
    any  = |f_valid;
    for (int i = 4; i >= 1; i--) if (f_valid[2'(last_q + 2'(i))]) pick = 2'(last_q + 2'(i));
  end

  // ---------------------------------------------------------------- Split
  logic                c_valid_q, c_calc_q, c_bad_q;
  vhp_pkg::rd_client_e c_client_q;
  logic [7:0]          c_func_q;
  logic [63:0]         c_addr_q;
  logic [15:0]         c_len_q;      // bytes left, less 1
  logic [16:0]         c_ram_q;
  logic [9:0]          c_cookie_q, c_count_q;
  vhp_pcie_pkg::op_t   c_op_q;
  logic [11:0]         c_chunk_q;    // bytes of the TLP, less 1
  logic                c_last_q;
  // The page behind the current one, made while the TLP's size is: no 64-bit carry in the step to the next TLP.
  logic [25:0]         c_hi_q, c_lo_q;
  logic                c_wrap_q;
  wire  [12:0]         c_low = {1'b0, c_addr_q[11:0]} + 13'(c_chunk_q) + 13'd1;   // bit 12: the page's end

  // Whole 128-byte lines behind the first one that the TLP may touch: limited by MRRS and by 4 KiB. Of a function
  // that is not built the limit is any: its TLPs are not issued.
  logic [NumFn-1:0][4:0] fn_lines_q;
  logic [4:0]  by_mrrs, by_page, lines128;
  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < NumFn; k++) fn_lines_q[k] <= 5'((6'd1 << fn_i[k].mrrs) - 6'd1);
  end
  always_comb begin
    by_mrrs = '0;
    for (int unsigned k = 0; k < NumFn; k++) if (c_func_q[FnW-1:0] == FnW'(k)) by_mrrs = fn_lines_q[k];
    by_page  = ~c_addr_q[11:7];
    lines128 = by_mrrs < by_page ? by_mrrs : by_page;
  end
  wire [11:0] limit = {lines128, ~c_addr_q[6:0]};   // less 1
  // Both at once, without waiting for which is less.
  wire        fits  = c_len_q <= {4'd0, by_mrrs, ~c_addr_q[6:0]} && c_len_q <= {4'd0, by_page, ~c_addr_q[6:0]};

  logic t_valid_q, t_ready;
  wire  c_next  = c_valid_q && !c_calc_q && t_ready;          // the TLP moves on to Size
  wire  c_empty = !c_valid_q || (c_next && c_last_q);
  wire  load    = c_empty && any && op_free_valid_i && ready_i;
  assign op_take_o = load;
  always_comb begin
    f_ready = '0;
    f_ready[pick] = load;
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      last_q     <= pick;
      c_client_q <= vhp_pkg::rd_client_e'(pick);
      c_func_q   <= f_req[pick].func;
      c_addr_q   <= f_req[pick].addr;
      c_len_q    <= 16'(f_req[pick].len - 17'd1);
      c_bad_q    <= f_req[pick].len == 17'd0 || f_req[pick].len > 17'd65536;
      c_ram_q    <= f_req[pick].ram_addr;
      c_cookie_q <= f_req[pick].cookie;
      c_op_q     <= op_free_i;
      c_count_q  <= 10'd1;
    end else if (c_valid_q && c_calc_q) begin
      c_chunk_q <= fits ? c_len_q[11:0] : limit;
      c_last_q  <= fits || c_bad_q;
      c_hi_q    <= c_addr_q[63:38] + 26'd1;
      c_lo_q    <= c_addr_q[37:12] + 26'd1;
      c_wrap_q  <= &c_addr_q[37:12];
    end else if (c_next) begin
      c_addr_q[11:0] <= c_low[11:0];
      if (c_low[12]) c_addr_q[37:12] <= c_lo_q;
      if (c_low[12] && c_wrap_q) c_addr_q[63:38] <= c_hi_q;
      c_ram_q   <= c_ram_q + 17'(c_chunk_q) + 17'd1;
      c_len_q   <= c_len_q - 16'(c_chunk_q) - 16'd1;
      c_count_q <= c_count_q + 10'd1;
    end
    if (load || c_next) c_calc_q <= 1'b1;
    else if (c_valid_q) c_calc_q <= 1'b0;
    if (load) c_valid_q <= 1'b1;
    else if (c_empty) c_valid_q <= 1'b0;
    if (rst_i) begin
      c_valid_q <= 1'b0;
      c_calc_q  <= 1'b0;
      last_q    <= '0;
    end
  end

  // ---------------------------------------------------------------- Size, Gate
  typedef struct packed {
    vhp_pkg::rd_client_e client;
    logic [7:0]          func;
    logic [63:0]         addr;
    logic [11:0]         chunk;
    logic [16:0]         ram;
    vhp_pcie_pkg::op_t   op;
    logic [9:0]          cookie;
    logic [9:0]          total;
    logic                bad;
  } tlp_t;

  tlp_t       t_q, g_q;
  logic       g_valid_q, g_ready;
  logic [6:0] g_lines_q;
  logic       g_ok_q, g_known_q;
  vhp_pkg::dma_status_e g_why_q;

  // A TLP comes every other cycle: Size is empty in between, and its ready need not wait for Gate's.
  assign t_ready = !t_valid_q;
  always_ff @(posedge clk_i) begin
    t_valid_q <= c_next || (t_valid_q && !g_ready);
    if (t_ready) begin
      t_q.client <= c_client_q;
      t_q.func   <= c_func_q;
      t_q.addr   <= c_addr_q;
      t_q.chunk  <= c_chunk_q;
      t_q.ram    <= c_ram_q;
      t_q.op     <= c_op_q;
      t_q.cookie <= c_cookie_q;
      t_q.total  <= c_last_q ? c_count_q : 10'd0;
      t_q.bad    <= c_bad_q;
    end
    if (rst_i) t_valid_q <= 1'b0;
  end

  wire [12:0] span64  = 13'(t_q.addr[5:0]) + 13'(t_q.chunk);
  wire [12:0] span128 = 13'(t_q.addr[6:0]) + 13'(t_q.chunk);

  // The function's state is sampled each cycle: a TLP that waits here must not leave after FLR began.
  function automatic vhp_pkg::dma_status_e may(input logic [7:0] func, input logic bad,
                                               input vhp_pcie_pkg::fn_state_t [NumFn-1:0] fn);
    may = vhp_pkg::DmaDisabled;
    for (int unsigned k = 0; k < NumFn; k++) begin
      if (func == 8'(k)) begin
        if (fn[k].flr)      may = vhp_pkg::DmaFlr;
        else if (fn[k].bme) may = vhp_pkg::DmaOk;
      end
    end
    if (bad) may = vhp_pkg::DmaMalformed;
  endfunction
  vhp_pkg::dma_status_e may_t, may_g;
  assign may_t = may(t_q.func, t_q.bad, fn_i);
  assign may_g = may(g_q.func, g_q.bad, fn_i);

  always_ff @(posedge clk_i) begin
    g_ok_q  <= g_ready ? may_t == vhp_pkg::DmaOk : may_g == vhp_pkg::DmaOk;
    g_why_q <= g_ready ? may_t : may_g;
    if (g_ready) begin
      g_valid_q <= t_valid_q;
      g_q       <= t_q;
      g_lines_q <= rcb128_i ? 7'(span128[12:7]) + 7'd1 : 7'(span64[12:6]) + 7'd1;
      g_known_q <= t_q.func < 8'(NumFn);
    end
    if (rst_i) g_valid_q <= 1'b0;
  end

  // Tags: 0..31 for everybody, 32..255 only with extended tags; the large pool first.
  logic a_valid, b_valid, a_free, b_free;
  logic [7:0] a_id, b_id;
  wire use_b = ext_tag_i && b_valid;
  wire issue;
  vhp_free_list #(.Base(0), .Count(32)) u_tags_a (
    .clk_i, .rst_i, .valid_o(a_valid), .id_o(a_id), .take_i(issue && !use_b),
    .put_valid_i(tag_put_valid_i && tag_put_i < 8'd32), .put_id_i(tag_put_i), .all_free_o(a_free)
  );
  vhp_free_list #(.Base(32), .Count(224)) u_tags_b (
    .clk_i, .rst_i, .valid_o(b_valid), .id_o(b_id), .take_i(issue && use_b),
    .put_valid_i(tag_put_valid_i && tag_put_i >= 8'd32), .put_id_i(tag_put_i), .all_free_o(b_free)
  );

  logic [8:0] lines_q, lines_less;   // lines out; without those that come back now
  wire  [8:0] lines_max = rcb128_i ? 9'(Max128) : 9'(Max64);
  wire        lines_ok  = {1'b0, lines_q} + 10'(g_lines_q) <= {1'b0, lines_max};
  assign lines_less = lines_q - (tag_put_valid_i ? 9'(tag_put_lines_i) : 9'd0);

  assign issue = g_valid_q && g_ok_q && (use_b || a_valid) && lines_ok && rq_room_i;
  wire   skip  = g_valid_q && !g_ok_q && skip_ready_i;
  assign g_ready = !g_valid_q || issue || skip;

  assign skip_valid_o = g_valid_q && !g_ok_q;
  always_comb begin
    skip_o.op        = g_q.op;
    skip_o.status    = g_why_q;
    skip_o.completed = 1'b1;
  end

  assign op_write_o  = issue || skip;
  assign op_o        = g_q.op;
  assign op_client_o = g_q.client;
  assign op_cookie_o = g_q.cookie;
  assign op_total_o  = g_q.total;

  assign tag_write_o = issue;
  assign tag_o       = use_b ? b_id : a_id;
  always_comb begin
    tag_entry_o.op       = g_q.op;
    tag_entry_o.client   = g_q.client;
    tag_entry_o.func     = g_q.func[FnW-1:0];
    tag_entry_o.ram_base = g_q.ram - 17'(g_q.addr[1:0]) - 17'd12;
    tag_entry_o.lo       = g_q.addr[1:0];
    tag_entry_o.end_off  = 13'(g_q.addr[1:0]) + 13'(g_q.chunk) + 13'd1;
    tag_entry_o.lines    = g_lines_q;
  end

  logic [NumFn-1:0][8:0] out_q;
  always_ff @(posedge clk_i) begin
    lines_q <= issue ? lines_less + 9'(g_lines_q) : lines_less;
    for (int unsigned k = 0; k < NumFn; k++) begin
      out_q[k] <= out_q[k] + 9'(issue && g_q.func == 8'(k)) - 9'(tag_put_valid_i && tag_put_func_i == FnW'(k));
      fn_idle_o[k] <= out_q[k] == 9'd0;
    end
    if (rst_i) begin
      lines_q   <= '0;
      out_q     <= '0;
      fn_idle_o <= '0;
    end
  end

  // ---------------------------------------------------------------- Form
  logic        r_valid_q;
  logic [7:0]  r_func_q, r_tag_q;
  logic [61:0] r_addr_q;
  logic [1:0]  r_lo_q;
  logic [12:0] r_end_q;              // end_off - 1: the last byte
  wire  [1:0]  r_end_lo = r_end_q[1:0] + 2'd1;
  wire         r_one = r_end_q[12:2] == 11'd0;

  always_ff @(posedge clk_i) begin
    r_valid_q <= !rst_i && issue;
    r_func_q  <= vhp_pcie_pkg::block_fn(g_q.func);
    r_tag_q   <= tag_o;
    r_addr_q  <= g_q.addr[63:2];
    r_lo_q    <= g_q.addr[1:0];
    r_end_q   <= 13'(g_q.addr[1:0]) + 13'(g_q.chunk);
  end

  assign rq_valid_o = r_valid_q;
  always_comb begin
    rq_o.func        = r_func_q;
    rq_o.tag         = r_tag_q;
    rq_o.dword_addr  = r_addr_q;
    rq_o.dword_count = r_end_q[12:2] + 11'd1;
    rq_o.first_be    = vhp_pcie_pkg::first_be(r_lo_q, r_one, r_end_lo);
    rq_o.last_be     = r_one ? 4'd0 : vhp_pcie_pkg::last_be_mask(r_end_lo);
  end

  assign idle_o = f_valid == '0 && !c_valid_q && !t_valid_q && !g_valid_q && !r_valid_q && a_free && b_free;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && r_valid_q) begin
      assert (rq_o.dword_count != 11'd0 && rq_o.dword_count <= 11'd1024)
        else $error("read of %0d dwords (%m)", rq_o.dword_count);
      assert (13'({rq_o.dword_addr[9:0], 2'b00}) + 13'(rq_o.dword_count) * 13'd4 <= 13'd4096)
        else $error("read crosses 4 KiB (%m)");
    end
    if (!rst_i && issue) assert (g_known_q) else $error("read of a function that is not built (%m)");
  end
`endif
  wire unused = &{1'b0, g_known_q, span64[5:0], span128[6:0], g_q.bad, g_q.func};

endmodule
