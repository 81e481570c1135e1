// SPDX-License-Identifier: Apache-2.0
//
// Registers of vhp_spi: what AXI Quad SPI (PG153) shows software in master mode, and two FIFOs of 256 bytes.
//
// Purpose     One block for xbflash2, Linux's spi-xilinx and our own tools. A byte leaves the transmit FIFO when it has been
//             shifted whole, in the cycle in which what came back for it enters the receive FIFO: transmit empty means
//             that everything has landed, and as long as no more than 256 bytes are under way none is lost. A byte that
//             comes while the receive FIFO is full is dropped (drr_overrun), one written while the transmit FIFO is full
//             too.
//             Nothing moves unless spe, master, not inhibit, cpol = cpha and not lsb_first. inhibit, spe and the slave
//             select act between bytes: a byte that has begun is finished. With manual_ss 0 the chip that ssr names is
//             selected while the transmit FIFO has bytes.
//             Reset of the transmit FIFO, the software reset and flr_i give up the byte under way.
// Handshake   Register bus rb_*; a byte of dtr, drr, cr, ipisr, ssr counts if its byte enable is set, srr as a whole.
// Latency     2 cycles per access.
// Parameters  as vhp_flash
// Reset       Synchronous.

module vhp_spi #(
  parameter int unsigned SckHalf     = 4,
  parameter int unsigned SampleDelay = 3
) (
  input  logic             clk_i,
  input  logic             rst_i,
  input  logic             flr_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  output logic             sck_o,
  output logic [1:0]       cs_n_o,
  output logic [3:0]       dq_o,
  output logic [3:0]       dq_tri_o,
  input  logic [7:0]       dq_i,

  output logic             idle_o
);

  localparam int unsigned Depth    = 256;
  localparam int unsigned LevelW   = $clog2(Depth) + 1;
  localparam logic [31:0] ResetKey = 32'h0000_000a;

  typedef struct packed {
    logic lsb_first;
    logic inhibit;
    logic manual_ss;
    logic cpha;
    logic cpol;
    logic master;
    logic spe;
    logic loopback;
  } control_t;
  localparam control_t ControlReset = '{inhibit: 1'b1, manual_ss: 1'b1, default: 1'b0};

  typedef struct packed {
    logic tx_half;
    logic drr_overrun;
    logic drr_full;
    logic dtr_empty;
  } events_t;

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
  wire        read  = access && !is_write;

  control_t    cr_q;
  logic        dgier_q;
  events_t     isr_q, isr_toggle, isr_set;
  logic [13:0] ier_q;
  logic [31:0] ssr_q;
  logic        reset_q, tx_reset_q, rx_reset_q;

  // ---------------------------------------------------------------- FIFOs
  logic              tx_ready, tx_valid, rx_ready, rx_valid, byte_done;
  logic [7:0]        tx_byte, rx_byte, drr;
  logic [LevelW-1:0] tx_level, rx_level;
  vhp_stream_fifo #(.Width(8), .Depth(Depth)) u_tx (
    .clk_i,
    .rst_i      (rst_i || tx_reset_q),
    .in_valid_i (write && addr == vhp_regs_pkg::SpiDtr && be[0]),
    .in_ready_o (tx_ready),
    .in_data_i  (wdata[7:0]),
    .out_valid_o(tx_valid),
    .out_ready_i(byte_done),
    .out_data_o (tx_byte),
    .level_o    (tx_level)
  );
  vhp_stream_fifo #(.Width(8), .Depth(Depth)) u_rx (
    .clk_i,
    .rst_i      (rst_i || rx_reset_q),
    .in_valid_i (byte_done),
    .in_ready_o (rx_ready),
    .in_data_i  (rx_byte),
    .out_valid_o(rx_valid),
    .out_ready_i(read && addr == vhp_regs_pkg::SpiDrr && be[0]),
    .out_data_o (drr),
    .level_o    (rx_level)
  );

  // ---------------------------------------------------------------- reading
  function automatic logic [31:0] occupancy(input logic [LevelW-1:0] bytes);
    occupancy = bytes == '0 ? '0 : 32'(bytes) - 32'd1;
  endfunction

  always_comb begin
    value = '0;
    unique case (addr)
      vhp_regs_pkg::SpiDgier: value[31] = dgier_q;
      vhp_regs_pkg::SpiIpisr: value[6:0] = {isr_q.tx_half, isr_q.drr_overrun, isr_q.drr_full, 1'b0, isr_q.dtr_empty, 2'b00};
      vhp_regs_pkg::SpiIpier: value[13:0] = ier_q;
      vhp_regs_pkg::SpiCr:    value[9:0] = {cr_q.lsb_first, cr_q.inhibit, cr_q.manual_ss, 2'b00, cr_q.cpha, cr_q.cpol,
                                            cr_q.master, cr_q.spe, cr_q.loopback};
      vhp_regs_pkg::SpiSr:    value[10:0] = {2'b00, cr_q.lsb_first, !cr_q.master, cr_q.cpol != cr_q.cpha, 2'b10,
                                             !tx_ready, !tx_valid, !rx_ready, !rx_valid};
      vhp_regs_pkg::SpiDrr:   value[7:0] = rx_valid ? drr : '0;
      vhp_regs_pkg::SpiSsr:   value = ssr_q;
      vhp_regs_pkg::SpiTfo:   value = occupancy(tx_level);
      vhp_regs_pkg::SpiRfo:   value = occupancy(rx_level);
      default: ;
    endcase
  end

  // ---------------------------------------------------------------- writing
  wire  cr_write = write && addr == vhp_regs_pkg::SpiCr;
  always_comb begin
    isr_toggle = '0;
    if (write && addr == vhp_regs_pkg::SpiIpisr && be[0]) begin
      isr_toggle = '{tx_half: wdata[6], drr_overrun: wdata[5], drr_full: wdata[4], dtr_empty: wdata[2]};
    end
    isr_set.dtr_empty   = byte_done && tx_level == LevelW'(1);
    isr_set.tx_half     = byte_done && tx_level == LevelW'(Depth / 2 + 1);
    isr_set.drr_full    = byte_done && rx_level == LevelW'(Depth - 1);
    isr_set.drr_overrun = byte_done && !rx_ready;
  end

  always_ff @(posedge clk_i) begin

    isr_q <= (isr_q ^ isr_toggle) | isr_set;
    if (write && addr == vhp_regs_pkg::SpiDgier && be[3]) dgier_q <= wdata[31];
    if (write && addr == vhp_regs_pkg::SpiIpier) begin
      if (be[0]) ier_q[7:0]  <= wdata[7:0];
      if (be[1]) ier_q[13:8] <= wdata[13:8];
    end
    if (write && addr == vhp_regs_pkg::SpiSsr) begin
      for (int b = 0; b < 4; b++) if (be[b]) ssr_q[8*b +: 8] <= wdata[8*b +: 8];
    end
    if (cr_write && be[0]) begin
      cr_q.loopback  <= wdata[vhp_regs_pkg::SpiCrLoopbackLsb];
      cr_q.spe       <= wdata[vhp_regs_pkg::SpiCrSpeLsb];
      cr_q.master    <= wdata[vhp_regs_pkg::SpiCrMasterLsb];
      cr_q.cpol      <= wdata[vhp_regs_pkg::SpiCrCpolLsb];
      cr_q.cpha      <= wdata[vhp_regs_pkg::SpiCrCphaLsb];
      cr_q.manual_ss <= wdata[vhp_regs_pkg::SpiCrManualSsLsb];
    end
    if (cr_write && be[1]) begin
      cr_q.inhibit   <= wdata[vhp_regs_pkg::SpiCrInhibitLsb];
      cr_q.lsb_first <= wdata[vhp_regs_pkg::SpiCrLsbFirstLsb];
    end

    reset_q    <= rst_i || flr_i || (write && addr == vhp_regs_pkg::SpiSrr && be == 4'hf && wdata == ResetKey);
    tx_reset_q <= reset_q || rst_i || (cr_write && be[0] && wdata[vhp_regs_pkg::SpiCrTxResetLsb]);
    rx_reset_q <= reset_q || rst_i || (cr_write && be[0] && wdata[vhp_regs_pkg::SpiCrRxResetLsb]);
    if (rst_i || reset_q) begin
      cr_q    <= ControlReset;
      dgier_q <= 1'b0;
      isr_q   <= '0;
      ier_q   <= '0;
      ssr_q   <= '1;
    end
  end

  // ---------------------------------------------------------------- the pins
  logic shift_idle;
  wire  on = cr_q.spe && cr_q.master;
  vhp_spi_shift #(
    .SckHalf    (SckHalf),
    .SampleDelay(SampleDelay)
  ) u_shift (
    .clk_i,
    .rst_i,
    .abort_i   (tx_reset_q),
    .run_i     (on && !cr_q.inhibit && cr_q.cpol == cr_q.cpha && !cr_q.lsb_first),
    .loopback_i(cr_q.loopback),
    .mode3_i   (cr_q.cpol && cr_q.cpha),
    .select_n_i(on ? ssr_q[1:0] : 2'b11),
    .manual_i  (cr_q.manual_ss),
    .tx_valid_i(tx_valid && !tx_reset_q),
    .tx_i      (tx_byte),
    .done_o    (byte_done),
    .rx_o      (rx_byte),
    .sck_o,
    .cs_n_o,
    .dq_o,
    .dq_tri_o,
    .dq_i,
    .idle_o    (shift_idle)
  );

  assign idle_o = shift_idle && bus_idle && !reset_q && !tx_reset_q && !rx_reset_q;

endmodule
