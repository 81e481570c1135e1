// SPDX-License-Identifier: Apache-2.0
//
// Function level reset, one small machine per function.
//
// Purpose     Drain:  from cfg_flr_in_process on, flr_o stops the requester for this function. Reads end by their
//                     completions or by the hard block's code 8; writes that are split already leave.
//             Clear:  the function's MSI-X table and pending bits are cleared (msix_clear_o until msix_cleared_i).
//             Users:  pending_o until the control block's done pulse.
//             Done:   a pulse on cfg_flr_done; then wait until the hard block takes in_process back.
//             The other functions are not touched.
// Reset       Synchronous.

module vhp_flr (
  input  logic                      clk_i,
  input  logic                      rst_i,
  input  logic [3:0]                cfg_flr_in_process_i,
  output logic [3:0]                cfg_flr_done_o,
  output logic [vhp_pkg::NumFn-1:0] flr_o,            // the function issues nothing
  input  logic [vhp_pkg::NumFn-1:0] drained_i,        // no read and no write of the function is under way
  output logic [vhp_pkg::NumFn-1:0] msix_clear_o,
  input  logic [vhp_pkg::NumFn-1:0] msix_cleared_i,   // pulse
  output logic [vhp_pkg::NumFn-1:0] pending_o,
  input  logic [vhp_pkg::NumFn-1:0] done_i,           // pulse
  output logic                      busy_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;

  typedef enum logic [2:0] { StIdle, StStop, StDrain, StClear, StUsers, StDone, StWait } state_e;
  state_e [NumFn-1:0]      state_q;
  logic   [NumFn-1:0][2:0] settle_q;   // a request that was on its way when flr_o rose is counted by then

  always_ff @(posedge clk_i) begin
    cfg_flr_done_o <= '0;
    for (int unsigned k = 0; k < NumFn; k++) begin
      unique case (state_q[k])
        StIdle: begin
          settle_q[k] <= '0;
          if (cfg_flr_in_process_i[k]) state_q[k] <= StStop;
        end
        StStop: begin
          settle_q[k] <= settle_q[k] + 1'b1;
          if (&settle_q[k]) state_q[k] <= StDrain;
        end
        StDrain: if (drained_i[k]) state_q[k] <= StClear;
        StClear: if (msix_cleared_i[k]) state_q[k] <= StUsers;
        StUsers: if (done_i[k]) state_q[k] <= StDone;
        StDone: begin
          cfg_flr_done_o[k] <= 1'b1;
          state_q[k]        <= StWait;
        end
        default: if (!cfg_flr_in_process_i[k]) state_q[k] <= StIdle;
      endcase
    end
    if (rst_i) begin
      cfg_flr_done_o <= '0;
      for (int unsigned k = 0; k < NumFn; k++) state_q[k] <= StIdle;
    end
  end

  always_comb begin
    busy_o = 1'b0;
    for (int unsigned k = 0; k < NumFn; k++) begin
      flr_o[k]        = state_q[k] != StIdle;
      msix_clear_o[k] = state_q[k] == StClear;
      pending_o[k]    = state_q[k] == StUsers;
      // Waiting for the control block is its work, not ours.
      if (state_q[k] == StIdle ? cfg_flr_in_process_i[k] : state_q[k] == StUsers ? done_i[k] : 1'b1) busy_o = 1'b1;
    end
  end

endmodule
