// SPDX-License-Identifier: Apache-2.0
//
// The control block: register targets of every BAR, the vhost-pci-net functions, doorbells, mailbox and SoC.
//
// Purpose     Connects host accesses and firmware accesses to the same functions; holds no state of its own.
// Handshake   Register bus towards vhp_pcie (rb_*), vhp_lanes (lane_rb_*), vhp_peer_mem (peer_rb_*) and vhp_flash (flash_rb_*); DMA ports as
//             vhp_pkg has them; kicks are pulses that are always taken; idle_o is 1 while the core sleeps and nothing is under way.
//             No target can hold a register bus: after a time limit the access ends with an error (vhp_rb_demux); the
//             host sees the count and the last target in bus_late, the firmware its address in bus_error.
// Latency     Host access 6 to 12 cycles (90 for one that resets a function); doorbell to kick 4.
// Parameters  FirmwareHex  $readmemh image of the firmware's RAM, "" = none; simulation: +firmware=FILE
// Reset       Synchronous.

module vhp_control #(
  parameter FirmwareHex = ""
) (
  input  logic             clk_i,
  input  logic             rst_i,

  // Register accesses of the host (all functions and BARs except MSI-X tables).
  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  // DMA of the firmware (control queues).
  output logic                  rd_req_valid_o,
  input  logic                  rd_req_ready_i,
  output vhp_pkg::dma_rd_req_t  rd_req_o,
  input  logic                  rd_done_valid_i,
  input  vhp_pkg::dma_rd_done_t rd_done_i,
  input  logic                  ram_wr_valid_i,
  input  vhp_pkg::dma_ram_wr_t  ram_wr_i,
  output logic                  soc_wr_valid_o,
  input  logic                  soc_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  soc_wr_o,
  input  logic                  soc_cmpl_valid_i,
  input  vhp_pkg::dma_wr_cmpl_t soc_cmpl_i,

  // Interrupts that do not come from a lane: configuration changes, forwarded peer doorbells.
  output logic                  ntf_wr_valid_o,
  input  logic                  ntf_wr_ready_i,
  output vhp_pkg::dma_wr_req_t  ntf_wr_o,

  // Lane registers (firmware is the master) and doorbells. A kick is always accepted.
  output logic             lane_rb_req_valid_o,
  input  logic             lane_rb_req_ready_i,
  output vhp_pkg::rb_req_t lane_rb_req_o,
  input  logic             lane_rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t lane_rb_rsp_i,
  output logic             peer_rb_req_valid_o,         // aperture and dirty log, the same
  input  logic             peer_rb_req_ready_i,
  output vhp_pkg::rb_req_t peer_rb_req_o,
  input  logic             peer_rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t peer_rb_rsp_i,
  output logic             flash_rb_req_valid_o,        // function 0's BAR 4 (the host is the master)
  input  logic             flash_rb_req_ready_i,
  output vhp_pkg::rb_req_t flash_rb_req_o,
  input  logic             flash_rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t flash_rb_rsp_i,
  output logic             boot_hold_o,                 // level: the running image is in use
  output logic             kick_valid_o,
  output vhp_pkg::qid_t    kick_qid_o,
  input  logic             lane_irq_i,                  // level: vhp_lane.event & event_enable
  input  logic [vhp_pkg::NumPorts-1:0] isr_set_i,       // pulse: queue interrupt without MSI-X, set ISR bit 0

  // Functions.
  input  logic [vhp_pkg::NumFn-1:0] fn_flr_pending_i,
  output logic [vhp_pkg::NumFn-1:0] fn_flr_done_o,
  input  logic [vhp_pkg::NumFn-1:0] fn_msix_enable_i,
  output logic                      config_enable_o,
  input  vhp_pkg::dma_stats_t       dma_stats_i,

  output logic             idle_o
);

  localparam int unsigned Ports = vhp_pkg::NumPorts;

  // ---------------------------------------------------------------- the host's targets: mgmt, notify, functions, flash
  localparam int unsigned HostTargets = 3 + Ports;
  localparam int unsigned HostFlash   = 2 + Ports;
  localparam int unsigned HostSelW    = $clog2(HostTargets + 1);
  localparam logic [2:0]  Bar0 = 3'd0, Bar2 = 3'd2, Bar4 = 3'd4;
  localparam logic [7:0]  NotifyWindow = 8'(vhp_regs_pkg::FnBarNotifyBase >> 16);   // of a function's BAR 0

  logic [HostSelW-1:0]                host_sel;
  vhp_pkg::rb_req_t                   host_req;
  logic             [HostTargets-1:0] host_req_valid, host_req_ready, host_rsp_valid;
  vhp_pkg::rb_rsp_t [HostTargets-1:0] host_rsp;
  logic                               host_idle, host_late_valid;
  logic [HostSelW-1:0]                host_late;
  always_comb begin
    host_sel = HostSelW'(HostTargets);
    if (host_req.func == '0) begin
      if (host_req.bar == Bar0)      host_sel = HostSelW'(0);
      else if (host_req.bar == Bar2) host_sel = HostSelW'(1);
      else if (host_req.bar == Bar4) host_sel = HostSelW'(HostFlash);
    end else if (host_req.bar == Bar0 && 32'(host_req.func) <= Ports) begin
      host_sel = host_req.addr[23:16] == NotifyWindow ? HostSelW'(1) : HostSelW'(host_req.func) + HostSelW'(1);
    end
  end
  vhp_rb_demux #(.Targets(HostTargets)) u_host (
    .clk_i,
    .rst_i,
    .req_valid_i  (rb_req_valid_i),
    .req_ready_o  (rb_req_ready_o),
    .req_i        (rb_req_i),
    .rsp_valid_o  (rb_rsp_valid_o),
    .rsp_o        (rb_rsp_o),
    .sel_i        (host_sel),
    .t_req_o      (host_req),
    .t_req_valid_o(host_req_valid),
    .t_req_ready_i(host_req_ready),
    .t_rsp_valid_i(host_rsp_valid),
    .t_rsp_i      (host_rsp),
    .late_valid_o (host_late_valid),
    .late_o       (host_late),
    .idle_o       (host_idle)
  );

  assign flash_rb_req_valid_o      = host_req_valid[HostFlash];
  assign flash_rb_req_o            = host_req;
  assign host_req_ready[HostFlash] = flash_rb_req_ready_i;
  assign host_rsp_valid[HostFlash] = flash_rb_rsp_valid_i;
  assign host_rsp[HostFlash]       = flash_rb_rsp_i;

  // ---------------------------------------------------------------- the firmware's: mailbox, lanes, peer memory, functions
  localparam int unsigned FwTargets = 3 + Ports;
  localparam int unsigned FwSelW    = $clog2(FwTargets + 1);
  logic                             fw_req_valid, fw_req_ready, fw_rsp_valid;
  vhp_pkg::rb_req_t                 fw_req, fw_t_req, fw_local;
  vhp_pkg::rb_rsp_t                 fw_rsp;
  logic [FwSelW-1:0]                fw_sel;
  logic             [FwTargets-1:0] fw_t_valid, fw_t_ready, fw_t_rsp_valid;
  vhp_pkg::rb_rsp_t [FwTargets-1:0] fw_t_rsp;
  logic                             fw_idle, fw_late_valid;
  logic [FwSelW-1:0]                fw_late;
  always_comb begin
    fw_sel        = FwSelW'(FwTargets);
    fw_local      = fw_t_req;
    fw_local.addr = fw_t_req.addr & 24'h00_ffff;
    unique case (fw_t_req.addr[23:16])
      8'h01: fw_sel = FwSelW'(0);
      8'h02: begin
        if (32'(fw_t_req.addr[15:12]) < Ports) fw_sel = FwSelW'(3) + FwSelW'(fw_t_req.addr[15:12]);
        fw_local.addr = fw_t_req.addr & 24'h00_0fff;
      end
      8'h04: fw_sel = FwSelW'(1);
      8'h06: fw_sel = FwSelW'(2);
      default: ;
    endcase
  end
  vhp_rb_demux #(.Targets(FwTargets)) u_fw (
    .clk_i,
    .rst_i,
    .req_valid_i  (fw_req_valid),
    .req_ready_o  (fw_req_ready),
    .req_i        (fw_req),
    .rsp_valid_o  (fw_rsp_valid),
    .rsp_o        (fw_rsp),
    .sel_i        (fw_sel),
    .t_req_o      (fw_t_req),
    .t_req_valid_o(fw_t_valid),
    .t_req_ready_i(fw_t_ready),
    .t_rsp_valid_i(fw_t_rsp_valid),
    .t_rsp_i      (fw_t_rsp),
    .late_valid_o (fw_late_valid),
    .late_o       (fw_late),
    .idle_o       (fw_idle)
  );

  assign lane_rb_req_valid_o = fw_t_valid[1];
  assign lane_rb_req_o       = fw_local;
  assign fw_t_ready[1]       = lane_rb_req_ready_i;
  assign fw_t_rsp_valid[1]   = lane_rb_rsp_valid_i;
  assign fw_t_rsp[1]         = lane_rb_rsp_i;

  assign peer_rb_req_valid_o = fw_t_valid[2];
  assign peer_rb_req_o       = fw_local;
  assign fw_t_ready[2]       = peer_rb_req_ready_i;
  assign fw_t_rsp_valid[2]   = peer_rb_rsp_valid_i;
  assign fw_t_rsp[2]         = peer_rb_rsp_i;

  // Who did not answer, as vhp_mgmt.bus_late has it.
  localparam logic [4:0] LateMgmt = 5'd0, LateNotify = 5'd1, LateFlash = 5'd2, LateLanes = 5'd3, LatePeer = 5'd4,
                         LateFn = 5'd8;
  logic [4:0] host_late_code, fw_late_code;
  always_comb begin
    host_late_code = LateFn + 5'(host_late) - 5'd2;
    if (host_late == HostSelW'(0))         host_late_code = LateMgmt;
    if (host_late == HostSelW'(1))         host_late_code = LateNotify;
    if (host_late == HostSelW'(HostFlash)) host_late_code = LateFlash;
    fw_late_code = LateFn + 5'(fw_late) - 5'd3;
    if (fw_late == FwSelW'(0)) fw_late_code = LateMgmt;
    if (fw_late == FwSelW'(1)) fw_late_code = LateLanes;
    if (fw_late == FwSelW'(2)) fw_late_code = LatePeer;
  end

  // ---------------------------------------------------------------- management, mailbox, events
  logic        mbox_busy, mbox_done, event_push, event_irq, mgmt_idle;
  logic [31:0] event_word, fw_status, time_us, doorbells;
  logic [Ports-1:0] peer_refused;
  vhp_mgmt u_mgmt (
    .clk_i,
    .rst_i,
    .rb_req_valid_i(host_req_valid[0]),
    .rb_req_ready_o(host_req_ready[0]),
    .rb_req_i      (host_req),
    .rb_rsp_valid_o(host_rsp_valid[0]),
    .rb_rsp_o      (host_rsp[0]),
    .fw_req_valid_i(fw_t_valid[0]),
    .fw_req_ready_o(fw_t_ready[0]),
    .fw_req_i      (fw_local),
    .fw_rsp_valid_o(fw_t_rsp_valid[0]),
    .fw_rsp_o      (fw_t_rsp[0]),
    .boot_hold_o,
    .flr_i         (fn_flr_pending_i[0]),
    .mbox_busy_o   (mbox_busy),
    .mbox_done_i   (mbox_done),
    .event_push_i  (event_push),
    .event_i       (event_word),
    .event_irq_o   (event_irq),
    .fw_status_i   (fw_status),
    .time_us_i     (time_us),
    .doorbells_i   (doorbells),
    .peer_refused_i(peer_refused),
    .late_valid_i  ({fw_late_valid, host_late_valid}),
    .late_i        ({fw_late_code, host_late_code}),
    .dma_stats_i,
    .idle_o        (mgmt_idle)
  );

  // ---------------------------------------------------------------- functions
  logic [Ports-1:0]       kick_ctrl_rx, kick_ctrl_tx, doorbell, peer_doorbell, bad_notify, cfg_irq, peer_irq, fn_irq,
                          fn_idle;
  logic [Ports-1:0][7:0]  num_queues;
  logic [Ports-1:0][15:0] config_vector;
  logic [Ports-1:0][3:0]  peer_irq_vring;
  for (genvar p = 0; p < int'(Ports); p++) begin : g_fn
    vhp_virtio_fn u_fn (
      .clk_i,
      .rst_i,
      .host_req_valid_i(host_req_valid[2 + p]),
      .host_req_ready_o(host_req_ready[2 + p]),
      .host_req_i      (host_req),
      .host_rsp_valid_o(host_rsp_valid[2 + p]),
      .host_rsp_o      (host_rsp[2 + p]),
      .fw_req_valid_i  (fw_t_valid[3 + p]),
      .fw_req_ready_o  (fw_t_ready[3 + p]),
      .fw_req_i        (fw_local),
      .fw_rsp_valid_o  (fw_t_rsp_valid[3 + p]),
      .fw_rsp_o        (fw_t_rsp[3 + p]),
      .kick_ctrl_rx_i  (kick_ctrl_rx[p]),
      .kick_ctrl_tx_i  (kick_ctrl_tx[p]),
      .doorbell_i      (doorbell[p]),
      .peer_doorbell_i (peer_doorbell[p]),
      .bad_notify_i    (bad_notify[p]),
      .num_queues_o    (num_queues[p]),
      .isr_queue_i     (isr_set_i[p]),
      .cfg_irq_o       (cfg_irq[p]),
      .config_vector_o (config_vector[p]),
      .peer_irq_o      (peer_irq[p]),
      .peer_irq_vring_o(peer_irq_vring[p]),
      .peer_refused_o  (peer_refused[p]),
      .irq_o           (fn_irq[p]),
      .idle_o          (fn_idle[p])
    );
  end

  // ---------------------------------------------------------------- doorbells and interrupts
  logic notify_idle;
  vhp_notify u_notify (
    .clk_i,
    .rst_i,
    .rb_req_valid_i  (host_req_valid[1]),
    .rb_req_ready_o  (host_req_ready[1]),
    .rb_req_i        (host_req),
    .rb_rsp_valid_o  (host_rsp_valid[1]),
    .rb_rsp_o        (host_rsp[1]),
    .kick_valid_o,
    .kick_qid_o,
    .num_queues_i    (num_queues),
    .kick_ctrl_rx_o  (kick_ctrl_rx),
    .kick_ctrl_tx_o  (kick_ctrl_tx),
    .doorbell_o      (doorbell),
    .peer_doorbell_o (peer_doorbell),
    .bad_notify_o    (bad_notify),
    .cfg_irq_i       (cfg_irq),
    .config_vector_i (config_vector),
    .peer_irq_i      (peer_irq),
    .peer_irq_vring_i(peer_irq_vring),
    .event_irq_i     (event_irq),
    .fn_msix_enable_i,
    .ntf_wr_valid_o,
    .ntf_wr_ready_i,
    .ntf_wr_o,
    .doorbells_o     (doorbells),
    .idle_o          (notify_idle)
  );

  // ---------------------------------------------------------------- firmware
  logic soc_idle;
  vhp_soc #(.FirmwareHex(FirmwareHex)) u_soc (
    .clk_i,
    .rst_i,
    .fw_req_valid_o  (fw_req_valid),
    .fw_req_ready_i  (fw_req_ready),
    .fw_req_o        (fw_req),
    .fw_rsp_valid_i  (fw_rsp_valid),
    .fw_rsp_i        (fw_rsp),
    .rd_req_valid_o,
    .rd_req_ready_i,
    .rd_req_o,
    .rd_done_valid_i,
    .rd_done_i,
    .ram_wr_valid_i,
    .ram_wr_i,
    .wr_valid_o      (soc_wr_valid_o),
    .wr_ready_i      (soc_wr_ready_i),
    .wr_o            (soc_wr_o),
    .wr_cmpl_valid_i (soc_cmpl_valid_i),
    .wr_cmpl_i       (soc_cmpl_i),
    .mbox_busy_i     (mbox_busy),
    .lane_irq_i,
    .fn_irq_i        (fn_irq),
    .fn_flr_pending_i,
    .mbox_done_o     (mbox_done),
    .event_push_o    (event_push),
    .event_o         (event_word),
    .fn_flr_done_o,
    .config_enable_o,
    .fw_status_o     (fw_status),
    .time_us_o       (time_us),
    .dma_stats_i,
    .idle_o          (soc_idle)
  );

  assign idle_o = soc_idle && host_idle && fw_idle && mgmt_idle && notify_idle && fn_idle == '1;

endmodule
