// SPDX-License-Identifier: Apache-2.0
//
// Read requests of clients under way: how many TLPs each has and how many have ended.
//
// Purpose     One row per request. The issue side writes {client, cookie, total TLPs} with every TLP (total is 0 until the
//             last one is known); the landing side counts ended TLPs and keeps the first error. When the count reaches
//             the total the client gets its done and the row is free. A TLP that was never issued arrives on the skip
//             port and counts like an ended one.
// Handshake   event: always taken. skip: valid/ready, taken when there is no event.
// Latency     done 3 cycles after the event.
// Reset       Synchronous; ready_o rises when the rows are cleared (256 cycles).

module vhp_rd_ops (
  input  logic                    clk_i,
  input  logic                    rst_i,

  input  logic                    write_i,
  input  vhp_pcie_pkg::op_t       op_i,
  input  vhp_pkg::rd_client_e     client_i,
  input  logic [9:0]              cookie_i,
  input  logic [9:0]              total_i,

  input  logic                    event_valid_i,
  input  vhp_pcie_pkg::op_event_t event_i,
  input  logic                    skip_valid_i,
  output logic                    skip_ready_o,
  input  vhp_pcie_pkg::op_event_t skip_i,
  output logic                    starved_o,       // skip has waited long: hold RC back for a moment

  output logic                    done_valid_o,
  output vhp_pkg::dma_rd_done_t   done_o,

  output logic                    op_free_valid_o,
  output vhp_pcie_pkg::op_t       op_free_o,
  input  logic                    op_take_i,

  output logic                    ready_o,
  output logic                    idle_o
);

  localparam int unsigned NumOps = vhp_pcie_pkg::NumOps;

  typedef struct packed {
    vhp_pkg::rd_client_e client;
    logic [9:0]          cookie;
    logic [9:0]          total;
  } issue_t;

  typedef struct packed {
    vhp_pkg::dma_status_e status;
    logic [9:0]           ended;
  } state_t;

  issue_t     issued [NumOps];
  state_t     states [NumOps];
  logic [8:0] init_q;

  always_ff @(posedge clk_i) begin
    if (write_i) issued[op_i] <= {client_i, cookie_i, total_i};
  end

  // ---------------------------------------------------------------- E0: the skip register and the choice
  logic                    skip_q;
  vhp_pcie_pkg::op_event_t skip_ev_q, ev;
  logic [3:0]              wait_q;
  wire ev_valid  = event_valid_i || skip_q;
  wire skip_pop  = skip_q && !event_valid_i;
  assign ev           = event_valid_i ? event_i : skip_ev_q;
  assign skip_ready_o = !skip_q;
  assign starved_o    = wait_q[3];

  always_ff @(posedge clk_i) begin
    if (!skip_q) skip_ev_q <= skip_i;
    if (rst_i) begin
      skip_q <= 1'b0;
      wait_q <= '0;
    end else begin
      if (!skip_q) skip_q <= skip_valid_i;
      else if (skip_pop) skip_q <= 1'b0;
      if (!skip_q || skip_pop) wait_q <= '0;
      else if (!wait_q[3]) wait_q <= wait_q + 1'b1;
    end
  end

  // ---------------------------------------------------------------- E1: count
  logic                    e1_valid_q, e1_same_q, e2_valid_q;
  vhp_pcie_pkg::op_event_t e1_ev_q;
  issue_t                  e1_issued_q;
  state_t                  e1_state_q, e2_state_q;

  always_ff @(posedge clk_i) begin
    e1_valid_q  <= !rst_i && ev_valid;
    e1_ev_q     <= ev;
    e1_issued_q <= issued[ev.op];
    e1_state_q  <= states[ev.op];
    e1_same_q   <= e1_valid_q && e1_ev_q.op == ev.op;
    e2_valid_q  <= e1_valid_q;
  end

  state_t state, state_next;
  logic   done;
  always_comb begin
    state             = e1_same_q && e2_valid_q ? e2_state_q : e1_state_q;
    state_next.status = state.status != vhp_pkg::DmaOk ? state.status : e1_ev_q.status;
    state_next.ended  = state.ended + 10'(e1_ev_q.completed);
    done              = e1_valid_q && e1_ev_q.completed && state_next.ended == e1_issued_q.total;
  end

  wire [7:0] at = ready_o ? e1_ev_q.op : init_q[7:0];
  always_ff @(posedge clk_i) begin
    if (e1_valid_q || !ready_o) states[at] <= !ready_o || done ? '0 : state_next;
    e2_state_q   <= done ? '0 : state_next;
    done_valid_o <= !rst_i && done;
    done_o       <= {e1_issued_q.client, e1_issued_q.cookie, state_next.status};
  end

  logic [7:0] free_q;
  always_ff @(posedge clk_i) free_q <= e1_ev_q.op;

  assign ready_o = init_q[8];
  always_ff @(posedge clk_i) begin
    if (rst_i) init_q <= '0;
    else if (!init_q[8]) init_q <= init_q + 1'b1;
  end

  logic all_free;
  vhp_free_list #(.Base(0), .Count(NumOps)) u_free (
    .clk_i, .rst_i, .valid_o(op_free_valid_o), .id_o(op_free_o), .take_i(op_take_i),
    .put_valid_i(done_valid_o), .put_id_i(free_q), .all_free_o(all_free)
  );

  assign idle_o = ready_o && all_free && !skip_q && !done_valid_o;

endmodule
