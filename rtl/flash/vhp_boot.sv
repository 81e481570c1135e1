// SPDX-License-Identifier: Apache-2.0
//
// Registers of vhp_boot: which image runs, on which board; loading another one.
//
// Purpose     Shows what the build wrote into the image and the image's USR_ACCESS word; hands an address to vhp_icap if
//             the key is right, nobody holds the running image, the address is a multiple of 256 inside the flash and no
//             chip is selected (its command would meet the configuration logic's). Everything else is counted in status.
// Handshake   Register bus rb_*; the write of the key is answered before the image goes. Byte enables count: only a whole
//             write of the key is one.
// Latency     2 cycles per access.
// Parameters  as vhp_flash
// Reset       Synchronous; flr_i resets the registers too, but no IPROG under way. It stays under way until the
//             configuration logic, or rst_i, ends it.

module vhp_boot #(
  parameter logic [127:0] BoardName = "sim",
  parameter logic [31:0]  Idcode    = 32'h0,
  parameter logic [31:0]  Start     = 32'h0,
  parameter int unsigned  SizeLog2  = 27,
  parameter int unsigned  Chips     = 1
) (
  input  logic             clk_i,
  input  logic             rst_i,
  input  logic             flr_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  input  logic             hold_i,
  input  logic             selected_i,       // a chip is selected

  output logic             icap_csib_o,
  output logic             icap_rdwrb_o,
  output logic [31:0]      icap_o,
  input  logic             icap_avail_i,
  input  logic [31:0]      usr_access_i,

  output logic             idle_o
);

  localparam logic [31:0] Id  = 32'h5648_5046;   // 'VHPF'
  localparam logic [31:0] Key = 32'h4950_5247;   // 'IPRG'

  // Bytes of the whole flash.
  localparam logic [32:0] FlashBytes = 33'(Chips) << SizeLog2;

  initial begin
    if (SizeLog2 < 16 || SizeLog2 > 28) $fatal(1, "vhp_boot: SizeLog2 %0d is not in 16..28 (%m)", SizeLog2);
    if (Chips != 1 && Chips != 2) $fatal(1, "vhp_boot: Chips is 1 or 2, not %0d (%m)", Chips);
    if (Start[7:0] != '0 || {1'b0, Start} >= FlashBytes) $fatal(1, "vhp_boot: Start 0x%08x (%m)", Start);
  end

  typedef enum logic [2:0] {
    RefNone     = 3'd0,
    RefKey      = 3'd1,
    RefHeld     = 3'd2,
    RefAddress  = 3'd3,
    RefSelected = 3'd4,
    RefBusy     = 3'd5
  } refusal_e;

  // The first character of a string is its most significant byte, of the register its least significant one.
  function automatic logic [127:0] name_chars(input logic [127:0] text);
    name_chars = '0;
    for (int unsigned i = 0; i < 16; i++) begin
      if (text[8*i +: 8] != 8'd0) name_chars = {name_chars[119:0], text[8*i +: 8]};
    end
  endfunction
  localparam logic [127:0] Name = name_chars(BoardName);

  // ---------------------------------------------------------------- one access at a time
  logic        access, is_write, bus_idle;
  logic [11:0] at;
  logic [3:0]  be;
  logic [31:0] wdata, value;
  vhp_rb_target u_bus (
    .clk_i,
    .rst_i,
    .rb_req_valid_i,
    .rb_req_ready_o,
    .rb_req_i,
    .rb_rsp_valid_o,
    .rb_rsp_o,
    .access_o(access),
    .write_o (is_write),
    .addr_o  (at),
    .be_o    (be),
    .wdata_o (wdata),
    .rdata_i (value),
    .idle_o  (bus_idle)
  );
  wire [31:0] addr  = 32'(at);
  wire        write = access && is_write;

  logic [31:0] address_q, image_q;
  logic        held_q;
  logic [7:0]  refused_q;
  refusal_e    reason_q;
  logic        icap_busy, start_q;

  always_comb begin
    value = '0;
    unique case (addr)
      vhp_regs_pkg::BootId:      value = Id;
      vhp_regs_pkg::BootVersion: value = 32'h0001_0000;
      vhp_regs_pkg::BootImage:   value = image_q;
      vhp_regs_pkg::BootIdcode:  value = {4'd0, Idcode[27:0]};
      vhp_regs_pkg::BootFlash:   value = {22'd0, 2'(Chips), 8'(SizeLog2)};
      vhp_regs_pkg::BootStart:   value = Start;
      vhp_regs_pkg::BootAddress: value = address_q;
      vhp_regs_pkg::BootStatus:  value = {5'd0, reason_q, refused_q, 14'd0, icap_busy || start_q, held_q};
      default: ;
    endcase
    for (int unsigned i = 0; i < vhp_regs_pkg::BootBoardCount; i++) begin
      if (addr == vhp_regs_pkg::BootBoardBase + i * vhp_regs_pkg::BootBoardStride) value = Name[32*i +: 32];
    end
  end

  // What stands against an IPROG; the first reason is told.
  refusal_e refusal;
  always_comb begin
    if (wdata != Key || be != 4'hf)                                   refusal = RefKey;
    else if (held_q)                                                  refusal = RefHeld;
    else if (address_q[7:0] != '0 || {1'b0, address_q} >= FlashBytes) refusal = RefAddress;
    else if (selected_i)                                              refusal = RefSelected;
    else if (icap_busy || start_q)                                    refusal = RefBusy;
    else                                                              refusal = RefNone;
  end
  wire boot = write && addr == vhp_regs_pkg::BootBoot && be != '0;

  always_ff @(posedge clk_i) begin
    image_q <= usr_access_i;
    held_q  <= hold_i;
    start_q <= boot && refusal == RefNone;
    if (write && addr == vhp_regs_pkg::BootAddress) begin
      for (int b = 0; b < 4; b++) if (be[b]) address_q[8*b +: 8] <= wdata[8*b +: 8];
    end
    if (boot && refusal != RefNone) begin
      reason_q <= refusal;
      if (refused_q != '1) refused_q <= refused_q + 8'd1;
    end
    if (rst_i || flr_i) begin
      address_q <= '0;
      refused_q <= '0;
      reason_q  <= RefNone;
      start_q   <= 1'b0;
    end
  end

  // Both chips of a pair get the same address, half of the pair's.
  logic icap_idle;
  vhp_icap u_icap (
    .clk_i,
    .rst_i,
    .start_i (start_q),
    .wbstar_i(Chips == 2 ? {4'd0, address_q[28:1]} : {4'd0, address_q[27:0]}),
    .busy_o  (icap_busy),
    .csib_o  (icap_csib_o),
    .rdwrb_o (icap_rdwrb_o),
    .data_o  (icap_o),
    .avail_i (icap_avail_i),
    .idle_o  (icap_idle)
  );

  assign idle_o = icap_idle && bus_idle && !start_q && held_q == hold_i && image_q == usr_access_i;

endmodule
