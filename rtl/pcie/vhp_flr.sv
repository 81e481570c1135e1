// SPDX-License-Identifier: Apache-2.0
//
// Function level reset, one small machine per function.
//
// Purpose     Start:  the block's in_process; for a virtual function also that it goes away (VF Enable cleared, or the FLR of
//                     its physical function, which clears it): then there is no done to give.
//             Drain:  from then on, flr_o stops the requester for this function. Reads end by their
//                     completions or by the hard block's code 8; writes that are split already leave.
//             Clear:  the function's MSI-X table and pending bits are cleared (msix_clear_o until msix_cleared_i).
//             Users:  pending_o until the control block's done pulse.
//             Done:   a pulse to the block, virtual functions one at a time; then wait until it takes in_process back.
//             Physical function VfPf has a machine with nothing to do but to wait for its virtual functions.
//             The other functions are not touched.
// Reset       Synchronous.

module vhp_flr (
  input  logic                      clk_i,
  input  logic                      rst_i,
  input  logic [vhp_pkg::NumFn-1:0] in_process_i,
  input  logic [vhp_pkg::NumFn-1:0] present_i,        // 0: a virtual function that is not enabled
  input  logic                      parent_i,         // in_process of physical function VfPf
  output logic [3:0]                cfg_flr_done_o,
  output logic                      cfg_vf_flr_done_o,
  output logic [7:0]                cfg_vf_flr_func_num_o,
  output logic [vhp_pkg::NumFn-1:0] flr_o,            // the function issues nothing
  input  logic [vhp_pkg::NumFn-1:0] drained_i,        // no read and no write of the function is under way
  output logic [vhp_pkg::NumFn-1:0] msix_clear_o,
  input  logic [vhp_pkg::NumFn-1:0] msix_cleared_i,   // pulse
  output logic [vhp_pkg::NumFn-1:0] pending_o,
  input  logic [vhp_pkg::NumFn-1:0] done_i,           // pulse
  output logic                      busy_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;
  localparam int unsigned NumPf = vhp_pkg::NumPf;

  typedef enum logic [2:0] { StIdle, StStop, StDrain, StClear, StUsers, StDone, StWait } state_e;
  state_e [NumFn-1:0]      state_q;
  logic   [NumFn-1:0][2:0] settle_q;   // a request that was on its way when flr_o rose is counted by then

  logic   [NumFn-1:0]      present_q, gone_q;   // gone: it went away, and the reset for that did not start yet
  wire    [NumFn-1:0]      went = present_q & ~present_i;
  state_e                  parent_q;
  logic [2:0]              parent_settle_q;
  logic                    vf_busy;
  logic [NumFn-1:0]        finish;    // from StDone: of the virtual functions one at a time
  always_comb begin
    vf_busy = 1'b0;
    for (int unsigned k = 0; k < NumFn; k++) begin
      finish[k] = state_q[k] == StDone;
      if (k >= NumPf) begin
        if (state_q[k] != StIdle || went[k] || gone_q[k]) vf_busy = 1'b1;
        for (int unsigned j = NumPf; j < k; j++) if (state_q[j] == StDone) finish[k] = 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    cfg_flr_done_o        <= '0;
    cfg_vf_flr_done_o     <= 1'b0;
    cfg_vf_flr_func_num_o <= '0;
    present_q             <= present_i;
    gone_q                <= gone_q | went;
    for (int unsigned k = 0; k < NumFn; k++) begin
      unique case (state_q[k])
        StIdle: begin
          settle_q[k] <= '0;
          if (in_process_i[k] || gone_q[k]) begin
            state_q[k] <= StStop;
            gone_q[k]  <= went[k];
          end
        end
        StStop: begin
          settle_q[k] <= settle_q[k] + 1'b1;
          if (&settle_q[k]) state_q[k] <= StDrain;
        end
        StDrain: if (drained_i[k]) state_q[k] <= StClear;
        StClear: if (msix_cleared_i[k]) state_q[k] <= StUsers;
        StUsers: if (done_i[k]) state_q[k] <= StDone;
        StDone: if (finish[k]) begin
          if (k < NumPf) begin
            cfg_flr_done_o[k] <= in_process_i[k];
          end else begin
            cfg_vf_flr_done_o     <= in_process_i[k];
            cfg_vf_flr_func_num_o <= 8'(k);
          end
          state_q[k] <= StWait;
        end
        default: if (!in_process_i[k]) state_q[k] <= StIdle;
      endcase
    end

    parent_settle_q <= parent_q == StStop ? parent_settle_q + 1'b1 : '0;
    unique case (parent_q)
      StIdle: if (parent_i) parent_q <= StStop;
      StStop: if (&parent_settle_q) parent_q <= StDrain;   // by then its virtual functions are seen to be gone
      StDrain: if (!vf_busy) begin
        cfg_flr_done_o[vhp_pkg::VfPf] <= parent_i;
        parent_q                      <= StWait;
      end
      default: if (!parent_i) parent_q <= StIdle;
    endcase

    if (rst_i) begin
      cfg_flr_done_o    <= '0;
      cfg_vf_flr_done_o <= 1'b0;
      present_q         <= '0;
      gone_q            <= '0;
      parent_q          <= StIdle;
      for (int unsigned k = 0; k < NumFn; k++) state_q[k] <= StIdle;
    end
  end

  always_comb begin
    busy_o = parent_q == StIdle ? parent_i : parent_q != StDrain || !vf_busy;
    for (int unsigned k = 0; k < NumFn; k++) begin
      flr_o[k]        = state_q[k] != StIdle;
      msix_clear_o[k] = state_q[k] == StClear;
      pending_o[k]    = state_q[k] == StUsers;
      // Waiting for the control block is its work, not ours.
      if (state_q[k] == StIdle ? in_process_i[k] || went[k] || gone_q[k] : state_q[k] == StUsers ? done_i[k] : 1'b1) busy_o = 1'b1;
    end
  end

endmodule
