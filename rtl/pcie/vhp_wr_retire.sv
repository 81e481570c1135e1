// SPDX-License-Identifier: Apache-2.0
//
// Ring of the write TLPs under way: completions of commands in order.
//
// Purpose     A TLP takes the next place and leaves when its sequence number came back and all before it left. The last
//             one of a command gives the client its completion. What was dropped takes a place that is done at once,
//             so that it completes in its turn.
// Handshake   place_valid_i only with place_ready_o. At most one completion per cycle, each a pulse.
// Reset       Synchronous.

module vhp_wr_retire (
  input  logic                      clk_i,
  input  logic                      rst_i,

  input  logic                      place_valid_i,
  output logic                      place_ready_o,
  output logic [4:0]                place_o,
  input  vhp_pcie_pkg::wr_source_t  place_source_i,
  input  logic                      place_last_i,
  input  logic                      place_done_i,
  input  vhp_pkg::dma_status_e      place_status_i,
  input  logic [7:0]                place_func_i,

  input  logic [1:0]                seq_valid_i,    // a write's sequence number came back
  input  logic [1:0][4:0]           seq_place_i,

  output logic                  [vhp_pkg::NumWrClients-1:0] cmpl_valid_o,
  output vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] cmpl_o,
  output logic                  [vhp_pkg::NumFn-1:0]        fn_idle_o,   // no place is the function's
  output logic                      idle_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;
  localparam int unsigned Ring  = vhp_pcie_pkg::SeqRing;

  typedef struct packed {
    vhp_pcie_pkg::wr_source_t source;
    logic                     last;
    vhp_pkg::dma_status_e     status;
    logic [7:0]               func;
  } place_t;

  place_t [Ring-1:0] ring_q;
  logic [Ring-1:0]   done_q;
  logic [4:0]        put_q, get_q;
  logic [5:0]        level_q;
  logic              ready_q;

  assign place_ready_o = ready_q;
  assign place_o       = put_q;

  place_t head;
  assign head = ring_q[get_q];
  wire pop = level_q != 6'd0 && done_q[get_q];

  always_ff @(posedge clk_i) begin
    if (place_valid_i) ring_q[put_q] <= {place_source_i, place_last_i, place_status_i, place_func_i};
    for (int unsigned i = 0; i < Ring; i++) begin
      if (place_valid_i && put_q == 5'(i)) done_q[i] <= place_done_i;
      else if ((seq_valid_i[0] && seq_place_i[0] == 5'(i)) || (seq_valid_i[1] && seq_place_i[1] == 5'(i))) done_q[i] <= 1'b1;
    end
    if (place_valid_i) put_q <= put_q + 1'b1;
    if (pop) get_q <= get_q + 1'b1;
    level_q <= level_q + 6'(place_valid_i) - 6'(pop);
    // One place is kept free, so that ready is a register.
    ready_q <= level_q + 6'(place_valid_i) < 6'(Ring - 1);
    if (rst_i) begin
      put_q   <= '0;
      get_q   <= '0;
      level_q <= '0;
      done_q  <= '0;
      ready_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned c = 0; c < vhp_pkg::NumWrClients; c++) begin
      cmpl_valid_o[c]  <= !rst_i && pop && head.last && head.source == vhp_pcie_pkg::wr_source_t'(c);
      cmpl_o[c].status <= head.status;
    end
  end

  // A place is counted at once and forgotten a cycle late: idle never comes early, and the ring's read is not in one step
  // with the count.
  logic [NumFn-1:0][5:0] fn_q;
  logic [NumFn-1:0]      left_q;
  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < NumFn; k++) begin
      left_q[k]    <= pop && head.func == 8'(k);
      fn_q[k]      <= fn_q[k] + 6'(place_valid_i && place_func_i == 8'(k)) - 6'(left_q[k]);
      fn_idle_o[k] <= fn_q[k] == 6'd0;
    end
    if (rst_i) begin
      left_q    <= '0;
      fn_q      <= '0;
      fn_idle_o <= '0;
    end
  end

  assign idle_o = level_q == 6'd0 && cmpl_valid_o == '0 && left_q == '0;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!place_valid_i || ready_q) else $error("ring overrun (%m)");
      for (int unsigned i = 0; i < 2; i++)
        assert (!seq_valid_i[i] || (5'(seq_place_i[i] - get_q) < level_q[4:0] && !done_q[seq_place_i[i]]))
          else $error("sequence number of place %0d, which is not under way (%m)", seq_place_i[i]);
    end
  end
`endif

endmodule
