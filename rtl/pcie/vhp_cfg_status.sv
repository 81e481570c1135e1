// SPDX-License-Identifier: Apache-2.0
//
// What configuration software allows each function: Bus Master Enable, MPS, MRRS, extended tags.
//
// Purpose     The hard block shows Bus Master Enable per function, but MPS and MRRS as one value and extended tags not
//             at all, so the Device Control register of every function is read through cfg_mgmt: every
//             PollCycles, and at once after a configuration write or a change of the status outputs.
//             Only functions with Bus Master Enable are read, and bme_o of a function rises when its register was. For a
//             virtual function the register is its physical function's (PCIe 9.3.5.4).
// Handshake   cfg_mgmt: read stays 1 until read_write_done.
// Latency     About 10 cycles per function after a change, with busy_o set from the cycle after the change.
// Parameters  PollCycles  256..65535
//             DevCtlDword dword address of Device Control in configuration space

module vhp_cfg_status #(
  parameter int unsigned PollCycles  = 256,
  parameter logic [9:0]  DevCtlDword = 10'h01e
) (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        cfg_write_i,              // any configuration write (cfg_ext_write_received)
  input  logic [1:0]  cfg_max_payload_i,
  input  logic [2:0]  cfg_max_read_req_i,
  input  logic [vhp_pkg::NumFn-1:0] master_i,   // Bus Master Enable as the block shows it
  input  logic [3:0]  cfg_rcb_status_i,

  output logic [9:0]  mgmt_addr_o,
  output logic [7:0]  mgmt_function_o,
  output logic        mgmt_read_o,
  input  logic [31:0] mgmt_read_data_i,
  input  logic        mgmt_done_i,

  output logic [vhp_pkg::NumFn-1:0]      bme_o,
  output logic [vhp_pkg::NumFn-1:0][2:0] mps_o,
  output logic [vhp_pkg::NumFn-1:0][2:0] mrrs_o,
  output logic                           ext_tag_o,   // every enabled function may use 8-bit tags
  output logic                           rcb128_o,    // every enabled function has RCB 128
  output logic                           busy_o
);

  localparam int unsigned NumFn = vhp_pkg::NumFn;

  initial begin
    if (PollCycles < 256 || PollCycles > 65535) $fatal(1, "vhp_cfg_status: PollCycles %0d (%m)", PollCycles);
  end

  typedef enum logic [1:0] { StWait, StRead, StGap } state_e;
  state_e      state_q;
  logic [15:0] timer_q;
  logic        again_q;
  logic [7:0]  fn_q;
  logic [NumFn+8:0] watch_q;
  logic [NumFn-1:0] ext_q, fresh_q, rcb, bme;
  assign bme = master_i;

  always_comb for (int unsigned k = 0; k < NumFn; k++) rcb[k] = cfg_rcb_status_i[vhp_pcie_pkg::pf_of(k)];

  wire [NumFn+8:0] watch = {cfg_rcb_status_i, master_i, cfg_max_read_req_i, cfg_max_payload_i};
  wire        trigger = cfg_write_i || watch != watch_q;

  // Encodings above the hard block's own limits (1024 and 4096 bytes) are cut to them.
  wire [2:0] mps  = mgmt_read_data_i[7:5] > 3'd3 ? 3'd3 : mgmt_read_data_i[7:5];
  wire [2:0] mrrs = mgmt_read_data_i[14:12] > 3'd5 ? 3'd5 : mgmt_read_data_i[14:12];

  logic next_bme;
  always_comb begin
    next_bme = 1'b0;
    for (int unsigned k = 1; k < NumFn; k++) if (fn_q == 8'(k - 1)) next_bme = bme[k];
  end

  wire unused = &{1'b0, mgmt_read_data_i[31:15], mgmt_read_data_i[11:9], mgmt_read_data_i[4:0]};

  assign mgmt_addr_o     = DevCtlDword;
  assign mgmt_function_o = fn_q < 8'(vhp_pkg::NumPf) ? fn_q : 8'(vhp_pkg::VfPf);
  assign mgmt_read_o     = state_q == StRead;
  assign busy_o          = state_q != StWait || again_q || trigger;

  always_ff @(posedge clk_i) begin
    watch_q <= watch;
    if (rst_i) begin
      state_q <= StWait;
      timer_q <= '0;
      again_q <= 1'b1;
      fn_q    <= '0;
      ext_q   <= '0;
      fresh_q <= '0;
      mps_o   <= '0;
      mrrs_o  <= '0;
    end else begin
      if (trigger) again_q <= 1'b1;
      unique case (state_q)
        StWait: begin
          timer_q <= timer_q + 1'b1;
          fn_q    <= '0;
          if (again_q || timer_q == 16'(PollCycles - 1)) begin
            state_q <= bme[0] ? StRead : StGap;
            timer_q <= '0;
            again_q <= trigger;
          end
        end
        StRead: if (mgmt_done_i) begin
          for (int unsigned k = 0; k < NumFn; k++) begin
            if (fn_q == 8'(k)) begin
              mps_o[k]  <= mps;
              mrrs_o[k] <= mrrs;
              ext_q[k]  <= mgmt_read_data_i[8];
              fresh_q[k] <= 1'b1;
            end
          end
          state_q <= StGap;
        end
        default: begin                       // StGap: read falls for a cycle between two accesses
          fn_q    <= fn_q + 1'b1;
          state_q <= fn_q == 8'(NumFn - 1) ? StWait : next_bme ? StRead : StGap;
        end
      endcase
      for (int unsigned k = 0; k < NumFn; k++) if (!bme[k]) fresh_q[k] <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    bme_o     <= rst_i ? '0 : bme & fresh_q;
    ext_tag_o <= !rst_i && &(ext_q | ~bme_o);
    rcb128_o  <= !rst_i && &(rcb | ~bme_o);
  end

endmodule
