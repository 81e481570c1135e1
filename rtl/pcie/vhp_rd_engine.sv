// SPDX-License-Identifier: Apache-2.0
//
// Reads of host memory: requests of four clients to tags and TLPs (vhp_rd_issue), completions to the clients' RAM
// (vhp_rd_land), and the end of each request (vhp_rd_ops).
//
// Handshake   req: valid/ready per client, in any number under way. done: one per request, in the order in which they
//             end, 2 cycles or more after the last ram_wr of the request. ram_wr has no back pressure.
// Throughput  One TLP per 2 cycles out; RC one beat per cycle in.
// Reset       Synchronous; takes 256 cycles to be ready, requests wait.

module vhp_rd_engine (
  input  logic                     clk_i,
  input  logic                     rst_i,
  input  vhp_pcie_pkg::fn_state_t [vhp_pkg::NumFn-1:0] fn_i,
  input  logic                     ext_tag_i,
  input  logic                     rcb128_i,

  input  logic                 [vhp_pkg::NumRdClients-1:0] req_valid_i,
  output logic                 [vhp_pkg::NumRdClients-1:0] req_ready_o,
  input  vhp_pkg::dma_rd_req_t [vhp_pkg::NumRdClients-1:0] req_i,
  output logic                     done_valid_o,
  output vhp_pkg::dma_rd_done_t    done_o,
  output logic                     ram_wr_valid_o,
  output vhp_pkg::dma_ram_wr_t     ram_wr_o,

  output logic                     rq_valid_o,
  output vhp_pcie_pkg::rq_read_t   rq_o,
  input  logic                     rq_room_i,

  input  logic                     rc_valid_i,
  output logic                     rc_ready_o,
  input  logic                     rc_last_i,
  input  vhp_pcie_pkg::rc_user_t   rc_user_i,
  input  logic [511:0]             rc_data_i,

  output logic [vhp_pkg::NumFn-1:0] fn_idle_o,
  output logic                     error_o,        // pulse: a completion with an error
  output logic                     bad_tag_o,
  output logic                     malformed_o,
  output logic                     idle_o
);

  logic land_ready, ops_ready, issue_idle, land_idle, ops_idle, starved;
  logic op_free_valid, op_take, op_write, tag_write, tag_put_valid, event_valid, skip_valid, skip_ready;
  vhp_pcie_pkg::op_t        op_free, op;
  vhp_pkg::rd_client_e      op_client;
  logic [9:0]               op_cookie, op_total;
  vhp_pcie_pkg::tag_t       tag, tag_put;
  vhp_pcie_pkg::tag_entry_t tag_entry;
  logic [6:0]               tag_put_lines;
  logic [vhp_pcie_pkg::FnW-1:0] tag_put_func;
  vhp_pcie_pkg::op_event_t  event_q, skip;

  // RC waits a cycle if the end of a request that was never issued finds no gap.
  logic rc_ready_q;
  always_ff @(posedge clk_i) rc_ready_q <= !rst_i && !starved && land_ready;
  assign rc_ready_o = rc_ready_q;

  vhp_rd_issue u_issue (
    .clk_i, .rst_i, .fn_i, .ext_tag_i, .rcb128_i,
    .ready_i(land_ready && ops_ready),
    .req_valid_i, .req_ready_o, .req_i,
    .op_free_valid_i(op_free_valid), .op_free_i(op_free), .op_take_o(op_take),
    .op_write_o(op_write), .op_o(op), .op_client_o(op_client), .op_cookie_o(op_cookie), .op_total_o(op_total),
    .tag_write_o(tag_write), .tag_o(tag), .tag_entry_o(tag_entry),
    .tag_put_valid_i(tag_put_valid), .tag_put_i(tag_put), .tag_put_lines_i(tag_put_lines),
    .tag_put_func_i(tag_put_func),
    .skip_valid_o(skip_valid), .skip_ready_i(skip_ready), .skip_o(skip),
    .rq_valid_o, .rq_o, .rq_room_i, .fn_idle_o, .idle_o(issue_idle)
  );

  vhp_rd_land u_land (
    .clk_i, .rst_i,
    .rc_valid_i(rc_valid_i && rc_ready_q), .rc_last_i, .rc_discontinue_i(rc_user_i.discontinue), .rc_data_i,
    .tag_write_i(tag_write), .tag_i(tag), .tag_entry_i(tag_entry),
    .tag_put_valid_o(tag_put_valid), .tag_put_o(tag_put), .tag_put_lines_o(tag_put_lines),
    .tag_put_func_o(tag_put_func),
    .event_valid_o(event_valid), .event_o(event_q), .bad_tag_o, .malformed_o,
    .ram_wr_valid_o, .ram_wr_o, .ready_o(land_ready), .idle_o(land_idle)
  );

  vhp_rd_ops u_ops (
    .clk_i, .rst_i,
    .write_i(op_write), .op_i(op), .client_i(op_client), .cookie_i(op_cookie), .total_i(op_total),
    .event_valid_i(event_valid), .event_i(event_q),
    .skip_valid_i(skip_valid), .skip_ready_o(skip_ready), .skip_i(skip), .starved_o(starved),
    .done_valid_o, .done_o, .op_free_valid_o(op_free_valid), .op_free_o(op_free), .op_take_i(op_take),
    .ready_o(ops_ready), .idle_o(ops_idle)
  );

  assign error_o = bad_tag_o || (event_valid && event_q.status != vhp_pkg::DmaOk);
  assign idle_o  = issue_idle && land_idle && ops_idle;

  wire unused = &{1'b0, rc_user_i};

endmodule
