// SPDX-License-Identifier: Apache-2.0
//
// Round-robin choice.
//
// Purpose     The first requester after `last_i`, cyclically; the caller keeps `last_i`.
// Latency     Combinational.
// Parameters  N  requesters, 2..64

module vhp_rr_pick #(
  parameter int unsigned N = 8,
  localparam int unsigned W = $clog2(N)
) (
  input  logic [N-1:0] req_i,
  input  logic [W-1:0] last_i,
  output logic         valid_o,
  output logic [W-1:0] idx_o
);

  initial begin
    if (N < 2 || N > 64) $fatal(1, "vhp_rr_pick: N %0d is not in 2..64 (%m)", N);
  end

  // Trees, node n with the children 2n and 2n + 1: depth log2 N. One looks at all, one only at those after the last.
  localparam int unsigned Leaves = 1 << W;
  logic [2*Leaves-1:0]        any, any_after;
  logic [2*Leaves-1:0][W-1:0] idx, idx_after;

  always_comb begin
    any       = '0;
    any_after = '0;
    idx       = '0;
    idx_after = '0;
    for (int unsigned i = 0; i < N; i++) begin
      any[Leaves+i]       = req_i[i];
      any_after[Leaves+i] = req_i[i] && W'(i) > last_i;
      idx[Leaves+i]       = W'(i);
      idx_after[Leaves+i] = W'(i);
    end
    for (int unsigned n = Leaves - 1; n > 0; n--) begin
      any[n]       = any[2*n] || any[2*n+1];
      any_after[n] = any_after[2*n] || any_after[2*n+1];
      idx[n]       = any[2*n] ? idx[2*n] : idx[2*n+1];
      idx_after[n] = any_after[2*n] ? idx_after[2*n] : idx_after[2*n+1];
    end
  end

  assign valid_o = any[1];
  assign idx_o   = any_after[1] ? idx_after[1] : idx[1];

endmodule
