// SPDX-License-Identifier: Apache-2.0
//
// The card: everything between the PCIe hard block's user side and nothing else.
//
// Purpose     Top of the design; simulated by vhp-sim and instantiated unchanged by rtl/boards/. It only connects its
//             five blocks: vhp_pcie (edge, DMA, MSI-X), vhp_control (functions, SoC, doorbells), vhp_lanes (packets),
//             vhp_peer_mem (apertures, dirty page log), vhp_flash (configuration flash, loading another image).
// Ports       The user side of the AMD UltraScale+ PCIe hard block with the vendor's names (PG213): 512 bit, straddle
//             off on all four streams, client tags, external MSI-X. Handshake and latency are PG213's.
//             flash_*: pins of the configuration flash as STARTUPE3 has them, flash_dq_tri 1 = not driven; both chips share
//             what goes out, flash_dq_in has chip 0 in 3:0 and chip 1 in 7:4. icap_*: as ICAPE3 has them, each byte
//             bit-reversed; a cycle with icap_csib 0 is a word. usr_access_data: the USR_ACCESS word of the running image.
//             card_idle_o is 1 while nothing is pending anywhere and the firmware sleeps in WFI: with no input
//             changing, every later cycle is like this one, so the clock may stop.
// Parameters  FirmwareHex    $readmemh image of the firmware's RAM, 32-bit words; "" = none (simulation: +firmware=FILE)
//             ConfigFull     1: the hard block gives user logic 0x90..0xff of configuration space and the virtio
//                            capabilities stand there too; 0: only 0xb0..0xbf
//             BoardName      name of the board, ASCII, up to 16 characters
//             Idcode         IDCODE of the part, without the revision
//             FlashStart     where the user image begins: byte address in the flash; below lies the golden image
//             FlashSizeLog2  log2 of the bytes of one flash chip, 16..31
//             FlashChips     1, or 2: an image is striped over both (SPIx8)
//             FlashSckHalf   half a period of flash_sck in cycles, 2 (62.5 MHz) to 16; 4 (31 MHz) is below the 54 MHz
//                            that a plain read (0x03) of the flash may have, and leaves time for the way through STARTUPE3
//             FlashSampleDelay  cycles from the rising edge of flash_sck to the sampling of flash_dq_in, 0..15
// Reset       user_reset, synchronous.

module vhp_card #(
  parameter     FirmwareHex = "",
  parameter bit ConfigFull  = 1'b0,
  parameter logic [127:0] BoardName        = "sim",
  parameter logic [31:0]  Idcode           = 32'h04b3_7093,
  parameter logic [31:0]  FlashStart       = 32'h0100_2000,
  parameter int unsigned  FlashSizeLog2    = 27,
  parameter int unsigned  FlashChips       = 1,
  parameter int unsigned  FlashSckHalf     = 4,
  parameter int unsigned  FlashSampleDelay = 3
) (
  input  logic         user_clk,
  input  logic         user_reset,
  input  logic         user_lnk_up,
  // Requester request and completion.
  output logic [511:0] s_axis_rq_tdata,
  output logic [15:0]  s_axis_rq_tkeep,
  output logic         s_axis_rq_tlast,
  output logic [136:0] s_axis_rq_tuser,
  output logic         s_axis_rq_tvalid,
  input  logic [3:0]   s_axis_rq_tready,
  input  logic [511:0] m_axis_rc_tdata,
  input  logic [15:0]  m_axis_rc_tkeep,
  input  logic         m_axis_rc_tlast,
  input  logic [160:0] m_axis_rc_tuser,
  input  logic         m_axis_rc_tvalid,
  output logic         m_axis_rc_tready,
  // Completer request and completion.
  input  logic [511:0] m_axis_cq_tdata,
  input  logic [15:0]  m_axis_cq_tkeep,
  input  logic         m_axis_cq_tlast,
  input  logic [182:0] m_axis_cq_tuser,
  input  logic         m_axis_cq_tvalid,
  output logic         m_axis_cq_tready,
  output logic [511:0] s_axis_cc_tdata,
  output logic [15:0]  s_axis_cc_tkeep,
  output logic         s_axis_cc_tlast,
  output logic [80:0]  s_axis_cc_tuser,
  output logic         s_axis_cc_tvalid,
  input  logic [3:0]   s_axis_cc_tready,
  // Requester sequence numbers and credits, completer non-posted credit.
  input  logic [5:0]   pcie_rq_seq_num0,
  input  logic         pcie_rq_seq_num_vld0,
  input  logic [5:0]   pcie_rq_seq_num1,
  input  logic         pcie_rq_seq_num_vld1,
  input  logic [3:0]   pcie_tfc_nph_av,
  input  logic [3:0]   pcie_tfc_npd_av,
  output logic [1:0]   pcie_cq_np_req,
  input  logic [5:0]   pcie_cq_np_req_count,
  input  logic [7:0]   cfg_fc_ph,
  input  logic [11:0]  cfg_fc_pd,
  input  logic [7:0]   cfg_fc_nph,
  input  logic [11:0]  cfg_fc_npd,
  input  logic [7:0]   cfg_fc_cplh,
  input  logic [11:0]  cfg_fc_cpld,
  output logic [2:0]   cfg_fc_sel,
  // Configuration: status, management port, extension port.
  input  logic [1:0]   cfg_max_payload,
  input  logic [2:0]   cfg_max_read_req,
  input  logic [15:0]  cfg_function_status,
  input  logic [3:0]   cfg_rcb_status,
  output logic [9:0]   cfg_mgmt_addr,
  output logic [7:0]   cfg_mgmt_function_number,
  output logic         cfg_mgmt_write,
  output logic [31:0]  cfg_mgmt_write_data,
  output logic [3:0]   cfg_mgmt_byte_enable,
  output logic         cfg_mgmt_read,
  input  logic [31:0]  cfg_mgmt_read_data,
  input  logic         cfg_mgmt_read_write_done,
  input  logic         cfg_ext_read_received,
  input  logic         cfg_ext_write_received,
  input  logic [9:0]   cfg_ext_register_number,
  input  logic [7:0]   cfg_ext_function_number,
  input  logic [31:0]  cfg_ext_write_data,
  input  logic [3:0]   cfg_ext_write_byte_enable,
  output logic [31:0]  cfg_ext_read_data,
  output logic         cfg_ext_read_data_valid,
  output logic         cfg_config_space_enable,
  output logic         cfg_err_cor_in,
  output logic         cfg_err_uncor_in,
  // Function level reset.
  input  logic [3:0]   cfg_flr_in_process,
  output logic [3:0]   cfg_flr_done,
  // MSI-X control bits; the messages are posted writes on RQ.
  input  logic [3:0]   cfg_interrupt_msix_enable,
  input  logic [3:0]   cfg_interrupt_msix_mask,
  // The same of virtual functions; two bits of status each: bus master, enabled.
  input  logic [503:0] cfg_vf_status,
  input  logic [251:0] cfg_vf_flr_in_process,
  output logic [7:0]   cfg_vf_flr_func_num,
  output logic         cfg_vf_flr_done,
  input  logic [251:0] cfg_interrupt_msix_vf_enable,
  input  logic [251:0] cfg_interrupt_msix_vf_mask,
  // Configuration flash, ICAP, identity of the running image.
  output logic         flash_sck,
  output logic [1:0]   flash_cs_n,
  output logic [3:0]   flash_dq_out,
  output logic [3:0]   flash_dq_tri,
  input  logic [7:0]   flash_dq_in,
  output logic         icap_csib,
  output logic         icap_rdwrb,
  output logic [31:0]  icap_i,
  input  logic         icap_avail,
  input  logic [31:0]  usr_access_data,

  output logic         card_idle_o
);

  // Register accesses of the host.
  logic            rb_req_valid, rb_req_ready, rb_rsp_valid;
  vhp_pkg::rb_req_t rb_req;
  vhp_pkg::rb_rsp_t rb_rsp;

  // DMA.
  logic                 [vhp_pkg::NumRdClients-1:0] rd_req_valid, rd_req_ready;
  vhp_pkg::dma_rd_req_t [vhp_pkg::NumRdClients-1:0] rd_req;
  logic                                             rd_done_valid, ram_wr_valid;
  vhp_pkg::dma_rd_done_t                            rd_done;
  vhp_pkg::dma_ram_wr_t                             ram_wr;
  logic                 [vhp_pkg::NumWrClients-1:0] wr_req_valid, wr_req_ready, wr_cmpl_valid;
  vhp_pkg::dma_wr_req_t [vhp_pkg::NumWrClients-1:0] wr_req;
  vhp_pkg::dma_wr_cmpl_t [vhp_pkg::NumWrClients-1:0] wr_cmpl;
  vhp_pkg::dma_stats_t                              dma_stats;

  // Apertures; the streams that they share with vhp_control.
  logic                      ap_req_valid, ap_req_ready, ap_beat_valid, ap_beat_ready, ap_done_valid, ap_refused;
  vhp_pkg::ap_req_t          ap_req;
  vhp_pkg::ap_beat_t         ap_beat;
  vhp_pkg::dma_status_e      ap_done;
  logic [vhp_pkg::NumFn-1:0] ap_fn_busy;
  logic                      soc_rd_valid, soc_rd_ready, ntf_wr_valid, ntf_wr_ready;
  vhp_pkg::dma_rd_req_t      soc_rd;
  vhp_pkg::dma_wr_req_t      ntf_wr;

  // Functions.
  logic [vhp_pkg::NumFn-1:0] fn_flr_pending, fn_flr_done, fn_msix_enable;
  logic                      config_enable;

  // Control to lanes.
  logic             lane_rb_req_valid, lane_rb_req_ready, lane_rb_rsp_valid;
  vhp_pkg::rb_req_t lane_rb_req;
  vhp_pkg::rb_rsp_t lane_rb_rsp;
  logic             peer_rb_req_valid, peer_rb_req_ready, peer_rb_rsp_valid;
  vhp_pkg::rb_req_t peer_rb_req;
  vhp_pkg::rb_rsp_t peer_rb_rsp;
  logic             kick_valid;
  vhp_pkg::qid_t    kick_qid;
  logic             lane_irq;
  logic [vhp_pkg::NumPorts-1:0] isr_set;

  // Flash.
  logic             flash_rb_req_valid, flash_rb_req_ready, flash_rb_rsp_valid, boot_hold;
  vhp_pkg::rb_req_t flash_rb_req;
  vhp_pkg::rb_rsp_t flash_rb_rsp;

  logic pcie_idle, control_idle, lanes_idle, peer_idle, flash_idle;
  assign card_idle_o = pcie_idle && control_idle && lanes_idle && peer_idle && flash_idle;

  // Simulation lets the two large blocks rest (vhp_clk_gate); on a card both are user_clk.
  logic        pcie_clk, lanes_clk;
  typedef struct packed {          // inputs without a handshake: a change of any of them is an event
    logic        lnk_up;
    logic        config_enable;
    logic [1:0]  max_payload;
    logic [2:0]  max_read_req;
    logic [15:0] function_status;
    logic [3:0]  rcb_status;
    logic [3:0]  flr, msix_enable, msix_mask;
    logic [3:0]  vf_status;        // of virtual functions 3 and 4
    logic [1:0]  vf_flr, vf_msix_enable, vf_msix_mask;
  } level_t;
  level_t level, level_q;
  assign level = '{
    lnk_up:          user_lnk_up,
    config_enable:   config_enable,
    max_payload:     cfg_max_payload,
    max_read_req:    cfg_max_read_req,
    function_status: cfg_function_status,
    rcb_status:      cfg_rcb_status,
    flr:             cfg_flr_in_process,
    msix_enable:     cfg_interrupt_msix_enable,
    msix_mask:       cfg_interrupt_msix_mask,
    vf_status:       cfg_vf_status[9:6],
    vf_flr:          cfg_vf_flr_in_process[4:3],
    vf_msix_enable:  cfg_interrupt_msix_vf_enable[4:3],
    vf_msix_mask:    cfg_interrupt_msix_vf_mask[4:3]
  };
  always_ff @(posedge user_clk) level_q <= level;

  vhp_clk_gate u_pcie_clk (
    .clk_i (user_clk),
    .idle_i(pcie_idle),
    .wake_i(user_reset || m_axis_cq_tvalid || m_axis_rc_tvalid || rb_rsp_valid || rd_req_valid != '0 || wr_req_valid != '0
            || pcie_rq_seq_num_vld0 || pcie_rq_seq_num_vld1 || cfg_mgmt_read_write_done || cfg_ext_read_received
            || cfg_ext_write_received || fn_flr_done != '0 || ap_done_valid || ap_refused || ap_fn_busy != '0
            || level != level_q),
    .clk_o (pcie_clk)
  );

  vhp_clk_gate u_lanes_clk (
    .clk_i (user_clk),
    .idle_i(lanes_idle),
    .wake_i(user_reset || lane_rb_req_valid || kick_valid || rd_done_valid || ram_wr_valid || wr_cmpl_valid[vhp_pkg::WrLane]
            || level != level_q),
    .clk_o (lanes_clk)
  );

  vhp_pcie #(
    .ConfigFull(ConfigFull)
  ) u_pcie (
    .clk_i(pcie_clk),
    .rst_i(user_reset),
    .user_lnk_up,
    .s_axis_rq_tdata,
    .s_axis_rq_tkeep,
    .s_axis_rq_tlast,
    .s_axis_rq_tuser,
    .s_axis_rq_tvalid,
    .s_axis_rq_tready,
    .m_axis_rc_tdata,
    .m_axis_rc_tkeep,
    .m_axis_rc_tlast,
    .m_axis_rc_tuser,
    .m_axis_rc_tvalid,
    .m_axis_rc_tready,
    .m_axis_cq_tdata,
    .m_axis_cq_tkeep,
    .m_axis_cq_tlast,
    .m_axis_cq_tuser,
    .m_axis_cq_tvalid,
    .m_axis_cq_tready,
    .s_axis_cc_tdata,
    .s_axis_cc_tkeep,
    .s_axis_cc_tlast,
    .s_axis_cc_tuser,
    .s_axis_cc_tvalid,
    .s_axis_cc_tready,
    .pcie_rq_seq_num0,
    .pcie_rq_seq_num_vld0,
    .pcie_rq_seq_num1,
    .pcie_rq_seq_num_vld1,
    .pcie_tfc_nph_av,
    .pcie_tfc_npd_av,
    .pcie_cq_np_req,
    .pcie_cq_np_req_count,
    .cfg_fc_ph,
    .cfg_fc_pd,
    .cfg_fc_nph,
    .cfg_fc_npd,
    .cfg_fc_cplh,
    .cfg_fc_cpld,
    .cfg_fc_sel,
    .cfg_max_payload,
    .cfg_max_read_req,
    .cfg_function_status,
    .cfg_rcb_status,
    .cfg_mgmt_addr,
    .cfg_mgmt_function_number,
    .cfg_mgmt_write,
    .cfg_mgmt_write_data,
    .cfg_mgmt_byte_enable,
    .cfg_mgmt_read,
    .cfg_mgmt_read_data,
    .cfg_mgmt_read_write_done,
    .cfg_ext_read_received,
    .cfg_ext_write_received,
    .cfg_ext_register_number,
    .cfg_ext_function_number,
    .cfg_ext_write_data,
    .cfg_ext_write_byte_enable,
    .cfg_ext_read_data,
    .cfg_ext_read_data_valid,
    .cfg_config_space_enable,
    .cfg_err_cor_in,
    .cfg_err_uncor_in,
    .cfg_flr_in_process,
    .cfg_flr_done,
    .cfg_interrupt_msix_enable,
    .cfg_interrupt_msix_mask,
    .cfg_vf_status,
    .cfg_vf_flr_in_process,
    .cfg_vf_flr_func_num,
    .cfg_vf_flr_done,
    .cfg_interrupt_msix_vf_enable,
    .cfg_interrupt_msix_vf_mask,

    .rb_req_valid_o   (rb_req_valid),
    .rb_req_ready_i   (rb_req_ready),
    .rb_req_o         (rb_req),
    .rb_rsp_valid_i   (rb_rsp_valid),
    .rb_rsp_i         (rb_rsp),
    .ap_req_valid_o   (ap_req_valid),
    .ap_req_ready_i   (ap_req_ready),
    .ap_req_o         (ap_req),
    .ap_beat_valid_o  (ap_beat_valid),
    .ap_beat_ready_i  (ap_beat_ready),
    .ap_beat_o        (ap_beat),
    .ap_done_valid_i  (ap_done_valid),
    .ap_done_i        (ap_done),
    .ap_refused_i     (ap_refused),
    .ap_fn_busy_i     (ap_fn_busy),
    .rd_req_valid_i   (rd_req_valid),
    .rd_req_ready_o   (rd_req_ready),
    .rd_req_i         (rd_req),
    .rd_done_valid_o  (rd_done_valid),
    .rd_done_o        (rd_done),
    .ram_wr_valid_o   (ram_wr_valid),
    .ram_wr_o         (ram_wr),
    .wr_req_valid_i   (wr_req_valid),
    .wr_req_ready_o   (wr_req_ready),
    .wr_req_i         (wr_req),
    .wr_cmpl_valid_o  (wr_cmpl_valid),
    .wr_cmpl_o        (wr_cmpl),
    .fn_flr_pending_o (fn_flr_pending),
    .fn_flr_done_i    (fn_flr_done),
    .fn_msix_enable_o (fn_msix_enable),
    .config_enable_i  (config_enable),
    .stats_o          (dma_stats),
    .idle_o           (pcie_idle)
  );

  vhp_control #(
    .FirmwareHex(FirmwareHex)
  ) u_control (
    .clk_i            (user_clk),
    .rst_i            (user_reset),
    .rb_req_valid_i   (rb_req_valid),
    .rb_req_ready_o   (rb_req_ready),
    .rb_req_i         (rb_req),
    .rb_rsp_valid_o   (rb_rsp_valid),
    .rb_rsp_o         (rb_rsp),
    .rd_req_valid_o   (soc_rd_valid),
    .rd_req_ready_i   (soc_rd_ready),
    .rd_req_o         (soc_rd),
    .rd_done_valid_i  (rd_done_valid),
    .rd_done_i        (rd_done),
    .ram_wr_valid_i   (ram_wr_valid),
    .ram_wr_i         (ram_wr),
    .soc_wr_valid_o   (wr_req_valid[vhp_pkg::WrSoc]),
    .soc_wr_ready_i   (wr_req_ready[vhp_pkg::WrSoc]),
    .soc_wr_o         (wr_req[vhp_pkg::WrSoc]),
    .soc_cmpl_valid_i (wr_cmpl_valid[vhp_pkg::WrSoc]),
    .soc_cmpl_i       (wr_cmpl[vhp_pkg::WrSoc]),
    .ntf_wr_valid_o   (ntf_wr_valid),
    .ntf_wr_ready_i   (ntf_wr_ready),
    .ntf_wr_o         (ntf_wr),
    .lane_rb_req_valid_o(lane_rb_req_valid),
    .lane_rb_req_ready_i(lane_rb_req_ready),
    .lane_rb_req_o    (lane_rb_req),
    .lane_rb_rsp_valid_i(lane_rb_rsp_valid),
    .lane_rb_rsp_i    (lane_rb_rsp),
    .peer_rb_req_valid_o(peer_rb_req_valid),
    .peer_rb_req_ready_i(peer_rb_req_ready),
    .peer_rb_req_o    (peer_rb_req),
    .peer_rb_rsp_valid_i(peer_rb_rsp_valid),
    .peer_rb_rsp_i    (peer_rb_rsp),
    .flash_rb_req_valid_o(flash_rb_req_valid),
    .flash_rb_req_ready_i(flash_rb_req_ready),
    .flash_rb_req_o   (flash_rb_req),
    .flash_rb_rsp_valid_i(flash_rb_rsp_valid),
    .flash_rb_rsp_i   (flash_rb_rsp),
    .boot_hold_o      (boot_hold),
    .kick_valid_o     (kick_valid),
    .kick_qid_o       (kick_qid),
    .lane_irq_i       (lane_irq),
    .isr_set_i        (isr_set),
    .fn_flr_pending_i (fn_flr_pending),
    .fn_flr_done_o    (fn_flr_done),
    .fn_msix_enable_i (fn_msix_enable),
    .config_enable_o  (config_enable),
    .dma_stats_i      (dma_stats),
    .idle_o           (control_idle)
  );

  vhp_lanes u_lanes (
    .clk_i            (lanes_clk),
    .rst_i            (user_reset),
    .rb_req_valid_i   (lane_rb_req_valid),
    .rb_req_ready_o   (lane_rb_req_ready),
    .rb_req_i         (lane_rb_req),
    .rb_rsp_valid_o   (lane_rb_rsp_valid),
    .rb_rsp_o         (lane_rb_rsp),
    .kick_valid_i     (kick_valid),
    .kick_qid_i       (kick_qid),
    .rd_req_valid_o   (rd_req_valid[2:0]),
    .rd_req_ready_i   (rd_req_ready[2:0]),
    .rd_req_o         (rd_req[2:0]),
    .rd_done_valid_i  (rd_done_valid),
    .rd_done_i        (rd_done),
    .ram_wr_valid_i   (ram_wr_valid),
    .ram_wr_i         (ram_wr),
    .wr_req_valid_o   (wr_req_valid[vhp_pkg::WrLane]),
    .wr_req_ready_i   (wr_req_ready[vhp_pkg::WrLane]),
    .wr_req_o         (wr_req[vhp_pkg::WrLane]),
    .wr_cmpl_valid_i  (wr_cmpl_valid[vhp_pkg::WrLane]),
    .wr_cmpl_i        (wr_cmpl[vhp_pkg::WrLane]),
    .fn_msix_enable_i (fn_msix_enable),
    .isr_set_o        (isr_set),
    .irq_o            (lane_irq),
    .idle_o           (lanes_idle)
  );

  vhp_peer_mem u_peer_mem (
    .clk_i            (user_clk),
    .rst_i            (user_reset),
    .rb_req_valid_i   (peer_rb_req_valid),
    .rb_req_ready_o   (peer_rb_req_ready),
    .rb_req_i         (peer_rb_req),
    .rb_rsp_valid_o   (peer_rb_rsp_valid),
    .rb_rsp_o         (peer_rb_rsp),
    .lane_taken_i     (wr_req_valid[vhp_pkg::WrLane] && wr_req_ready[vhp_pkg::WrLane]),
    .lane_wr_i        (wr_req[vhp_pkg::WrLane]),
    .lane_cmpl_i      (wr_cmpl_valid[vhp_pkg::WrLane]),
    .ap_req_valid_i   (ap_req_valid),
    .ap_req_ready_o   (ap_req_ready),
    .ap_req_i         (ap_req),
    .ap_beat_valid_i  (ap_beat_valid),
    .ap_beat_ready_o  (ap_beat_ready),
    .ap_beat_i        (ap_beat),
    .ap_done_valid_o  (ap_done_valid),
    .ap_done_o        (ap_done),
    .ap_refused_o     (ap_refused),
    .ap_fn_busy_o     (ap_fn_busy),
    .soc_rd_valid_i   (soc_rd_valid),
    .soc_rd_ready_o   (soc_rd_ready),
    .soc_rd_i         (soc_rd),
    .rd_valid_o       (rd_req_valid[vhp_pkg::RdSoc]),
    .rd_ready_i       (rd_req_ready[vhp_pkg::RdSoc]),
    .rd_o             (rd_req[vhp_pkg::RdSoc]),
    .rd_done_valid_i  (rd_done_valid),
    .rd_done_i        (rd_done),
    .ntf_wr_valid_i   (ntf_wr_valid),
    .ntf_wr_ready_o   (ntf_wr_ready),
    .ntf_wr_i         (ntf_wr),
    .wr_valid_o       (wr_req_valid[vhp_pkg::WrNotify]),
    .wr_ready_i       (wr_req_ready[vhp_pkg::WrNotify]),
    .wr_o             (wr_req[vhp_pkg::WrNotify]),
    .wr_cmpl_valid_i  (wr_cmpl_valid[vhp_pkg::WrNotify]),
    .wr_cmpl_i        (wr_cmpl[vhp_pkg::WrNotify]),
    .log_wr_valid_o   (wr_req_valid[vhp_pkg::WrLog]),
    .log_wr_ready_i   (wr_req_ready[vhp_pkg::WrLog]),
    .log_wr_o         (wr_req[vhp_pkg::WrLog]),
    .log_cmpl_valid_i (wr_cmpl_valid[vhp_pkg::WrLog]),
    .log_cmpl_i       (wr_cmpl[vhp_pkg::WrLog]),
    .idle_o           (peer_idle)
  );

  vhp_flash #(
    .BoardName  (BoardName),
    .Idcode     (Idcode),
    .Start      (FlashStart),
    .SizeLog2   (FlashSizeLog2),
    .Chips      (FlashChips),
    .SckHalf    (FlashSckHalf),
    .SampleDelay(FlashSampleDelay)
  ) u_flash (
    .clk_i            (user_clk),
    .rst_i            (user_reset),
    .rb_req_valid_i   (flash_rb_req_valid),
    .rb_req_ready_o   (flash_rb_req_ready),
    .rb_req_i         (flash_rb_req),
    .rb_rsp_valid_o   (flash_rb_rsp_valid),
    .rb_rsp_o         (flash_rb_rsp),
    .hold_i           (boot_hold),
    .flr_i            (fn_flr_pending[0]),
    .sck_o            (flash_sck),
    .cs_n_o           (flash_cs_n),
    .dq_o             (flash_dq_out),
    .dq_tri_o         (flash_dq_tri),
    .dq_i             (flash_dq_in),
    .icap_csib_o      (icap_csib),
    .icap_rdwrb_o     (icap_rdwrb),
    .icap_o           (icap_i),
    .icap_avail_i     (icap_avail),
    .usr_access_i     (usr_access_data),
    .idle_o           (flash_idle)
  );

endmodule
