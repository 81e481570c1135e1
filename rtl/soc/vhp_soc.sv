// SPDX-License-Identifier: Apache-2.0
//
// The firmware's computer: RV32IM core, 64 KiB of RAM, its own registers, DMA port.
//
// Purpose     Runs the control plane. Memory map, interrupts and sleep: README.md beside this file.
// Handshake   fw_*: register bus master for what is outside (0x4001_0000 .. 0x4006_ffff), byte offset from 0x4000_0000 in
//             addr. Pulses out: mbox_done_o, event_push_o, fn_flr_done_o. An access that nothing answers reads 0 and
//             is kept in bus_error; the core is never left without an answer.
// Latency     RAM 2 cycles, everything else 4 and more.
// Parameters  FirmwareHex  $readmemh image of the RAM; in simulation +firmware=FILE replaces it
//             ClockMHz     cycles per microsecond of time_us
// Reset       Synchronous; the core starts at 0. RAM content stays.

module vhp_soc #(
  parameter              FirmwareHex = "",
  parameter int unsigned ClockMHz    = 250
) (
  input  logic             clk_i,
  input  logic             rst_i,

  output logic             fw_req_valid_o,
  input  logic             fw_req_ready_i,
  output vhp_pkg::rb_req_t fw_req_o,
  input  logic             fw_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t fw_rsp_i,

  output logic                  rd_req_valid_o,
  input  logic                  rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_req_o,
  input  logic                  rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t rd_done_i,
  input  logic                  ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t  ram_wr_i,
  output logic                  wr_valid_o,
  input  logic                  wr_ready_i,
  output vhp_pkg::dma_wr_req_t  wr_o,
  input  logic                  wr_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t wr_cmpl_i,

  // Interrupt causes, levels.
  input  logic                         mbox_busy_i,
  input  logic                         lane_irq_i,
  input  logic [vhp_pkg::NumPorts-1:0] fn_irq_i,
  input  logic [vhp_pkg::NumFn-1:0]    fn_flr_pending_i,

  output logic                         mbox_done_o,
  output logic                         event_push_o,
  output logic [31:0]                  event_o,
  output logic [vhp_pkg::NumFn-1:0]    fn_flr_done_o,
  output logic                         config_enable_o,
  output logic [31:0]                  fw_status_o,
  output logic [31:0]                  time_us_o,
  input  vhp_pkg::dma_stats_t          dma_stats_i,

  output logic                         idle_o   // asleep: nothing changes until an enabled cause comes
);

  localparam int unsigned RamBytes = 65536;
  localparam int unsigned RamAddrW = $clog2(RamBytes / 4);

  initial begin
    if (ClockMHz < 1 || ClockMHz > 1000) $fatal(1, "vhp_soc: ClockMHz %0d is not in 1..1000 (%m)", ClockMHz);
  end

  // ---------------------------------------------------------------- the core
  // Its Wishbone ports ignore ERR, so a missing target is acknowledged with 0 and reported in bus_error.
  logic        i_cyc, i_stb, i_ack, d_cyc, d_stb, d_ack, d_we;
  logic [29:0] i_adr, d_adr;
  logic [31:0] i_rdata, d_rdata, d_wdata;
  logic [3:0]  d_sel;
  logic        irq_q;
  VexRiscv u_cpu (
    .externalResetVector   (32'd0),
    .timerInterrupt        (1'b0),
    .softwareInterrupt     (1'b0),
    .externalInterruptArray({31'd0, irq_q}),
    .iBusWishbone_CYC      (i_cyc),
    .iBusWishbone_STB      (i_stb),
    .iBusWishbone_ACK      (i_ack),
    .iBusWishbone_WE       (),
    .iBusWishbone_ADR      (i_adr),
    .iBusWishbone_DAT_MISO (i_rdata),
    .iBusWishbone_DAT_MOSI (),
    .iBusWishbone_SEL      (),
    .iBusWishbone_ERR      (1'b0),
    .iBusWishbone_CTI      (),
    .iBusWishbone_BTE      (),
    .dBusWishbone_CYC      (d_cyc),
    .dBusWishbone_STB      (d_stb),
    .dBusWishbone_ACK      (d_ack),
    .dBusWishbone_WE       (d_we),
    .dBusWishbone_ADR      (d_adr),
    .dBusWishbone_DAT_MISO (d_rdata),
    .dBusWishbone_DAT_MOSI (d_wdata),
    .dBusWishbone_SEL      (d_sel),
    .dBusWishbone_ERR      (1'b0),
    .dBusWishbone_CTI      (),
    .dBusWishbone_BTE      (),
    .clk                   (clk_i),
    .reset                 (rst_i)
  );

  // ---------------------------------------------------------------- RAM: data accesses before fetches
  typedef enum logic [2:0] {Idle, Ram, Decode, Local, Buffer, Outside, Answer} state_e;
  state_e           state_q;
  logic             asleep;
  vhp_pkg::rb_req_t req_q;     // addr = offset from 0x4000_0000
  logic             high_q;    // outside of 0x4000_0000 .. 0x40ff_ffff
  logic [31:0]      answer_q;
  logic             i_ack_q, i_ram_q;

  wire d_start   = state_q == Idle && d_cyc && d_stb && !asleep;
  wire d_is_ram  = d_adr[29:RamAddrW] == '0;
  wire d_use_ram = d_start && d_is_ram;
  wire i_is_ram  = i_adr[29:RamAddrW] == '0;
  wire i_start   = i_cyc && i_stb && !i_ack_q && !d_use_ram;

  logic [31:0] ram_rdata;
  vhp_ram_sp #(
    .Depth      (RamBytes / 4),
    .InitFile   (FirmwareHex),
    .InitPlusarg("firmware")
  ) u_ram (
    .clk_i,
    .en_i   (d_use_ram || i_start),
    .we_i   (d_use_ram && d_we ? d_sel : '0),
    .addr_i (d_use_ram ? d_adr[RamAddrW-1:0] : i_adr[RamAddrW-1:0]),
    .wdata_i(d_wdata),
    .rdata_o(ram_rdata)
  );

  // A fetch from nowhere gives 0, which is an illegal instruction.
  assign i_ack   = i_ack_q;
  assign i_rdata = i_ram_q ? ram_rdata : '0;
  assign d_ack   = state_q == Ram || state_q == Answer;
  assign d_rdata = state_q == Ram ? ram_rdata : answer_q;

  // ---------------------------------------------------------------- everything else
  wire is_local  = !high_q && req_q.addr[23:16] == 8'h00;
  wire is_buffer = !high_q && req_q.addr[23:12] == 12'h050;

  logic        reg_ack, reg_err, rd_ack, rd_err, wr_ack, wr_err;
  logic [31:0] rd_data;
  logic        buf_rsp;
  logic [31:0] buf_rdata;
  localparam int unsigned RegAddrW = vhp_soc_regs_pkg::VHP_SOC_REGS_MIN_ADDR_WIDTH;
  wire reg_beyond = req_q.addr[15:RegAddrW] != '0;
  assign reg_ack = rd_ack || wr_ack || reg_beyond;
  assign reg_err = reg_beyond || (rd_ack && rd_err) || (wr_ack && wr_err);

  logic bus_error;
  always_comb begin
    unique case (state_q)
      Decode:  bus_error = high_q;
      Local:   bus_error = reg_ack && reg_err;
      Outside: bus_error = fw_rsp_valid_i && fw_rsp_i.err;
      default: bus_error = 1'b0;
    endcase
  end

  logic fw_wait_q;   // request taken, answer awaited
  always_ff @(posedge clk_i) begin
    i_ack_q <= i_start && !rst_i;
    i_ram_q <= i_is_ram;
    unique case (state_q)
      Idle: begin
        req_q.func  <= '0;
        req_q.bar   <= '0;
        req_q.addr  <= {d_adr[21:0], 2'b00};
        req_q.write <= d_we;
        req_q.be    <= d_sel;
        req_q.wdata <= d_wdata;
        high_q      <= d_adr[29:22] != 8'h40;
        fw_wait_q   <= 1'b0;
        if (d_start) state_q <= d_is_ram ? Ram : Decode;
      end
      Decode: begin
        answer_q <= '0;
        state_q  <= high_q ? Answer : is_local ? Local : is_buffer ? Buffer : Outside;
      end
      Local: begin
        answer_q <= rd_ack && !reg_err ? rd_data : '0;
        if (reg_ack) state_q <= Answer;
      end
      Buffer: begin
        answer_q <= buf_rdata;
        if (buf_rsp) state_q <= Answer;
      end
      Outside: begin
        if (fw_req_ready_i) fw_wait_q <= 1'b1;
        answer_q <= fw_rsp_i.err ? '0 : fw_rsp_i.rdata;
        if (fw_rsp_valid_i) state_q <= Answer;
      end
      Ram, Answer: state_q <= Idle;
      default: state_q <= Idle;
    endcase
    if (rst_i) state_q <= Idle;
  end
  assign fw_req_valid_o = state_q == Outside && !fw_wait_q;
  assign fw_req_o       = req_q;

  // ---------------------------------------------------------------- registers
  logic [31:0] biten;
  always_comb for (int b = 0; b < 4; b++) biten[8*b +: 8] = {8{req_q.be[b]}};

  vhp_soc_regs_pkg::vhp_soc__in_t  hw_in;
  vhp_soc_regs_pkg::vhp_soc__out_t hw_out;
  vhp_soc_regs u_regs (
    .clk                 (clk_i),
    .rst                 (rst_i),
    .s_cpuif_req         (state_q == Local && !reg_beyond),
    .s_cpuif_req_is_wr   (req_q.write),
    .s_cpuif_addr        (req_q.addr[RegAddrW-1:0]),
    .s_cpuif_wr_data     (req_q.wdata),
    .s_cpuif_wr_biten    (biten),
    .s_cpuif_req_stall_wr(),
    .s_cpuif_req_stall_rd(),
    .s_cpuif_rd_ack      (rd_ack),
    .s_cpuif_rd_err      (rd_err),
    .s_cpuif_rd_data     (rd_data),
    .s_cpuif_wr_ack      (wr_ack),
    .s_cpuif_wr_err      (wr_err),
    .hwif_in             (hw_in),
    .hwif_out            (hw_out)
  );

  // Microseconds and timer.
  localparam int unsigned TickW = $clog2(ClockMHz + 1);
  logic [TickW-1:0] tick_q;
  logic [31:0]      time_q;
  logic             timer_q;
  wire [31:0]       due = time_q - hw_out.timer_value.value.value;
  always_ff @(posedge clk_i) begin
    tick_q <= tick_q + 1'b1;
    if (32'(tick_q) == ClockMHz - 1) begin
      tick_q <= '0;
      time_q <= time_q + 1'b1;
    end
    timer_q <= hw_out.timer_ctrl.enable.value && !due[31] && !rst_i;
    if (rst_i) begin
      tick_q <= '0;
      time_q <= '0;
    end
  end

  // A register that acts when it is written: the field has its value the cycle after swmod.
  logic event_mod_q, flr_mod_q, go_mod_q;
  always_ff @(posedge clk_i) begin
    event_mod_q <= hw_out.event_push.value.swmod && !rst_i;
    flr_mod_q   <= hw_out.flr_done.done.swmod && !rst_i;
    go_mod_q    <= hw_out.dma_go.op.swmod && !rst_i;
  end
  assign event_push_o    = event_mod_q;
  assign event_o         = hw_out.event_push.value.value;
  assign fn_flr_done_o   = hw_out.flr_done.done.value[vhp_pkg::NumFn-1:0] & {vhp_pkg::NumFn{flr_mod_q}};
  assign mbox_done_o     = hw_out.mbox_done.done.value;
  assign config_enable_o = hw_out.config_enable.enable.value;
  assign fw_status_o     = hw_out.fw_status.value.value;
  assign time_us_o       = time_q;

  // Interrupts and sleep.
  logic        dma_busy, dma_done;
  logic [15:0] pending;
  vhp_pkg::dma_status_e dma_status;
  always_comb begin
    pending     = '0;
    pending[vhp_regs_pkg::SocIrqPendingTimerLsb]    = timer_q;
    pending[vhp_regs_pkg::SocIrqPendingMboxLsb]     = mbox_busy_i;
    pending[vhp_regs_pkg::SocIrqPendingDmaLsb]      = dma_done;
    pending[vhp_regs_pkg::SocIrqPendingLaneLsb]     = lane_irq_i;
    pending[vhp_regs_pkg::SocIrqPendingFlrLsb]      = fn_flr_pending_i != '0;
    pending[vhp_regs_pkg::SocIrqPendingBusErrorLsb] = hw_out.bus_error.valid.value;
    pending[vhp_regs_pkg::SocIrqPendingFnLsb +: vhp_regs_pkg::SocIrqPendingFnWidth] =
        vhp_regs_pkg::SocIrqPendingFnWidth'(fn_irq_i);
  end
  wire wake = (pending & hw_out.irq_enable.mask.value) != '0;
  assign asleep = hw_out.sleep.sleep.value;
  always_ff @(posedge clk_i) irq_q <= wake && !rst_i;

  // Asleep for good only once the core waits for an access: it has WFI as a no-operation.
  assign idle_o = asleep && !wake && !irq_q && state_q == Idle && d_cyc && d_stb && !i_cyc && !i_ack_q
                  && !dma_busy && !event_mod_q && !flr_mod_q && !go_mod_q && !mbox_done_o;

  logic [29:0] error_addr_q;
  always_ff @(posedge clk_i) begin
    if (bus_error && !hw_out.bus_error.valid.value) error_addr_q <= {high_q ? d_adr[29:22] : 8'h40, req_q.addr[23:2]};
    if (rst_i) error_addr_q <= '0;
  end

  vhp_soc_dma u_dma (
    .clk_i,
    .rst_i,
    .go_i           (go_mod_q),
    .op_i           (hw_out.dma_go.op.value),
    .func_i         (hw_out.dma_what.func.value),
    .addr_i         ({hw_out.dma_addr_hi.value.value, hw_out.dma_addr_lo.value.value}),
    .len_i          (hw_out.dma_what.len.value),
    .offset_i       (hw_out.dma_local.offset.value),
    .ack_i          (hw_out.dma_ack.ack.value),
    .busy_o         (dma_busy),
    .done_o         (dma_done),
    .status_o       (dma_status),
    .buf_req_i      (state_q == Buffer),
    .buf_we_i       (req_q.write ? req_q.be : '0),
    .buf_addr_i     (req_q.addr[11:2]),
    .buf_wdata_i    (req_q.wdata),
    .buf_rsp_valid_o(buf_rsp),
    .buf_rdata_o    (buf_rdata),
    .rd_req_valid_o,
    .rd_req_ready_i,
    .rd_req_o,
    .rd_done_valid_i,
    .rd_done_i,
    .ram_wr_valid_i,
    .ram_wr_i,
    .wr_valid_o,
    .wr_ready_i,
    .wr_o,
    .wr_cmpl_valid_i,
    .wr_cmpl_i
  );

  always_comb begin
    hw_in.caps.num_ports.next       = 8'(vhp_pkg::NumPorts);
    hw_in.caps.pairs.next           = 8'(vhp_pkg::PairsPerPort);
    hw_in.caps.queue_size_log2.next = 4'($clog2(vhp_pkg::MaxQueueSize));
    hw_in.caps.max_regions.next     = 8'(vhp_pkg::MaxRegions);
    hw_in.time_us.count.next        = time_q;
    hw_in.irq_pending.timer.next    = timer_q;
    hw_in.irq_pending.mbox.next     = mbox_busy_i;
    hw_in.irq_pending.dma.next      = dma_done;
    hw_in.irq_pending.lane.next     = lane_irq_i;
    hw_in.irq_pending.flr.next      = fn_flr_pending_i != '0;
    hw_in.irq_pending.bus_error.next = hw_out.bus_error.valid.value;
    hw_in.irq_pending.fn.next       = vhp_regs_pkg::SocIrqPendingFnWidth'(fn_irq_i);
    hw_in.sleep.sleep.hwclr         = wake;
    hw_in.flr_pending.pending.next  = 8'(fn_flr_pending_i);
    hw_in.bus_error.valid.hwset     = bus_error;
    hw_in.bus_error.addr.next       = error_addr_q;
    // The cycle between the write of dma_go and the start counts as busy.
    hw_in.dma_status.busy.next      = dma_busy || go_mod_q;
    hw_in.dma_status.done.next      = dma_done;
    hw_in.dma_status.status.next    = dma_status;
    hw_in.dma_rd_errors.count.next  = dma_stats_i.rd_errors;
    hw_in.dma_wr_dropped.count.next = dma_stats_i.wr_dropped;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(fw_rsp_valid_i && state_q != Outside)) else $fatal(1, "register response without request (%m)");
    end
  end
`endif

endmodule
