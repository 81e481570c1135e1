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

  logic [N-1:0] after;
  logic [W-1:0] idx_after, idx_any;

  always_comb begin
    idx_after = '0;
    idx_any   = '0;
    for (int unsigned i = 0; i < N; i++) after[i] = req_i[i] && W'(i) > last_i;
    for (int unsigned i = N; i > 0; i--) begin
      if (after[i-1]) idx_after = W'(i - 1);
      if (req_i[i-1]) idx_any   = W'(i - 1);
    end
  end

  assign valid_o = |req_i;
  assign idx_o   = |after ? idx_after : idx_any;

endmodule
