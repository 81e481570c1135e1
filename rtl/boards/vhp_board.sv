// SPDX-License-Identifier: Apache-2.0
//
// Top of every FPGA image: the PCIe block's IP, its clock and reset, the configuration logic, and the card.
//
// Purpose     What is simulated (vhp_card) stands here unchanged behind the hard block. vhp_pcie4 is the module that
//             rtl/boards/vivado/pcie.tcl makes of pcie4_uscale_plus or pcie4c_uscale_plus: both have the same ports.
//             vhp_config has STARTUPE3, ICAPE3 and USR_ACCESSE2.
// Ports       The slot: lanes, 100 MHz reference clock, PERST# (pins in <board>/<board>.xdc). Cards with HBM have one
//             more, hbm_cattrip, which must be low or the board's controller cuts the power: VHP_BOARD_HBM. The flash
//             hangs on the configuration bank and needs no ports; a second chip has some, flash2_*: VHP_BOARD_FLASH2.
// Parameters  Lanes        16 or 8
//             BlockWidth   512: the block's user side is the card's (Gen3 x16, Gen4 x8); 256: Gen3 x8, with an adapter
//             FirmwareHex  $readmemh image of the firmware's RAM
//             BoardName, Idcode, FlashStart, FlashSizeLog2, FlashChips  of vhp_card
// Reset       PERST#, active low, asynchronous, resets the block; the block makes user_reset.

module vhp_board #(
  parameter int unsigned Lanes       = 16,
  parameter int unsigned BlockWidth  = 512,
  parameter              FirmwareHex = "firmware.mem",
  parameter logic [127:0] BoardName     = "",
  parameter logic [31:0]  Idcode        = 32'h0,
  parameter logic [31:0]  FlashStart    = 32'h0,
  parameter int unsigned  FlashSizeLog2 = 27,
  parameter int unsigned  FlashChips    = 1
) (
  input  logic [Lanes-1:0] pcie_rx_p,
  input  logic [Lanes-1:0] pcie_rx_n,
  output logic [Lanes-1:0] pcie_tx_p,
  output logic [Lanes-1:0] pcie_tx_n,
  input  logic             pcie_refclk_p,
  input  logic             pcie_refclk_n,
`ifdef VHP_BOARD_HBM
  output logic             hbm_cattrip,
`endif
`ifdef VHP_BOARD_FLASH2
  inout  wire  [3:0]       flash2_dq,
  output logic             flash2_cs_n,
`endif
  input  logic             pcie_perst_n
);

  initial begin
    if (Lanes != 8 && Lanes != 16) $fatal(1, "vhp_board: Lanes is 8 or 16 (%m)");
    if (BlockWidth != 256 && BlockWidth != 512) $fatal(1, "vhp_board: BlockWidth is 256 or 512 (%m)");
    if (BlockWidth == 256 && Lanes != 8) $fatal(1, "vhp_board: 256 bits carry no more than 8 lanes (%m)");
  end

`ifdef VHP_BOARD_HBM
  assign hbm_cattrip = 1'b0;
`endif

  // Widths of the block's side bands (PG213).
  localparam int unsigned KeepW   = BlockWidth / 32;
  localparam int unsigned RqUserW = BlockWidth == 512 ? 137 : 62;
  localparam int unsigned RcUserW = BlockWidth == 512 ? 161 : 75;
  localparam int unsigned CqUserW = BlockWidth == 512 ? 183 : 88;
  localparam int unsigned CcUserW = BlockWidth == 512 ? 81 : 33;

  // ---------------------------------------------------------------- clock
  // O drives the transceivers, ODIV2 (undivided here) the IP's own BUFG_GT.
  logic sys_clk, sys_clk_gt;
  IBUFDS_GTE4 #(
    .REFCLK_HROW_CK_SEL(2'b00)
  ) u_refclk (
    .CEB  (1'b0),
    .I    (pcie_refclk_p),
    .IB   (pcie_refclk_n),
    .O    (sys_clk_gt),
    .ODIV2(sys_clk)
  );

  // ---------------------------------------------------------------- between block and card
  logic                  user_clk, user_reset, user_lnk_up;
  // The block's streams (b_) and the card's.
  logic [BlockWidth-1:0] b_rq_tdata;
  logic [KeepW-1:0]      b_rq_tkeep;
  logic [RqUserW-1:0]    b_rq_tuser;
  logic                  b_rq_tlast, b_rq_tvalid;
  logic [3:0]            b_rq_tready;
  logic [BlockWidth-1:0] b_rc_tdata;
  logic [KeepW-1:0]      b_rc_tkeep;
  logic [RcUserW-1:0]    b_rc_tuser;
  logic                  b_rc_tlast, b_rc_tvalid;
  logic                  b_rc_tready;
  logic [BlockWidth-1:0] b_cq_tdata;
  logic [KeepW-1:0]      b_cq_tkeep;
  logic [CqUserW-1:0]    b_cq_tuser;
  logic                  b_cq_tlast, b_cq_tvalid;
  logic                  b_cq_tready;
  logic [BlockWidth-1:0] b_cc_tdata;
  logic [KeepW-1:0]      b_cc_tkeep;
  logic [CcUserW-1:0]    b_cc_tuser;
  logic                  b_cc_tlast, b_cc_tvalid;
  logic [3:0]            b_cc_tready;
  logic [511:0]          s_axis_rq_tdata, m_axis_rc_tdata, m_axis_cq_tdata, s_axis_cc_tdata;
  logic [15:0]           s_axis_rq_tkeep, m_axis_rc_tkeep, m_axis_cq_tkeep, s_axis_cc_tkeep;
  logic                  s_axis_rq_tlast, s_axis_rq_tvalid, m_axis_rc_tlast, m_axis_rc_tvalid, m_axis_rc_tready,
                         m_axis_cq_tlast, m_axis_cq_tvalid, m_axis_cq_tready, s_axis_cc_tlast, s_axis_cc_tvalid;
  logic [136:0]          s_axis_rq_tuser;
  logic [3:0]            s_axis_rq_tready, s_axis_cc_tready;
  logic [160:0]          m_axis_rc_tuser;
  logic [182:0]          m_axis_cq_tuser;
  logic [80:0]           s_axis_cc_tuser;
  // The same signal on both.
  logic [5:0]            pcie_rq_seq_num0, pcie_rq_seq_num1, pcie_cq_np_req_count;
  logic                  pcie_rq_seq_num_vld0, pcie_rq_seq_num_vld1, cfg_mgmt_write, cfg_mgmt_read,
                         cfg_mgmt_read_write_done, cfg_ext_read_received, cfg_ext_write_received,
                         cfg_ext_read_data_valid, cfg_config_space_enable, cfg_err_cor_in, cfg_err_uncor_in;
  logic [3:0]            pcie_tfc_nph_av, pcie_tfc_npd_av, cfg_rcb_status, cfg_mgmt_byte_enable,
                         cfg_ext_write_byte_enable, cfg_flr_in_process, cfg_flr_done, cfg_interrupt_msix_enable,
                         cfg_interrupt_msix_mask;
  logic [1:0]            pcie_cq_np_req, cfg_max_payload;
  logic [7:0]            cfg_fc_ph, cfg_fc_nph, cfg_fc_cplh, cfg_mgmt_function_number, cfg_ext_function_number;
  logic [11:0]           cfg_fc_pd, cfg_fc_npd, cfg_fc_cpld;
  logic [2:0]            cfg_fc_sel, cfg_max_read_req;
  logic [15:0]           cfg_function_status;
  logic [9:0]            cfg_mgmt_addr, cfg_ext_register_number;
  logic [31:0]           cfg_mgmt_write_data, cfg_mgmt_read_data, cfg_ext_write_data, cfg_ext_read_data;
  logic [503:0]          cfg_vf_status;
  logic [251:0]          cfg_vf_flr_in_process, cfg_interrupt_msix_vf_enable, cfg_interrupt_msix_vf_mask;
  logic [7:0]            cfg_vf_flr_func_num;
  logic                  cfg_vf_flr_done;
  logic                  power_state_change, card_idle;
  // Configuration logic.
  logic                  flash_sck, icap_csib, icap_rdwrb, icap_avail;
  logic [1:0]            flash_cs_n;
  logic [3:0]            flash_dq_out, flash_dq_tri;
  logic [7:0]            flash_dq_in;
  logic [31:0]           icap_i, usr_access_data;

  // ---------------------------------------------------------------- PCIe block
  vhp_pcie4 u_pcie (
    .sys_clk,
    .sys_clk_gt,
    .sys_reset                         (pcie_perst_n),
    .pci_exp_rxp                       (pcie_rx_p),
    .pci_exp_rxn                       (pcie_rx_n),
    .pci_exp_txp                       (pcie_tx_p),
    .pci_exp_txn                       (pcie_tx_n),
    .user_clk,
    .user_reset,
    .user_lnk_up,
    .phy_rdy_out                       (),

    .s_axis_rq_tdata                   (b_rq_tdata),
    .s_axis_rq_tkeep                   (b_rq_tkeep),
    .s_axis_rq_tlast                   (b_rq_tlast),
    .s_axis_rq_tuser                   (b_rq_tuser),
    .s_axis_rq_tvalid                  (b_rq_tvalid),
    .s_axis_rq_tready                  (b_rq_tready),
    .m_axis_rc_tdata                   (b_rc_tdata),
    .m_axis_rc_tkeep                   (b_rc_tkeep),
    .m_axis_rc_tlast                   (b_rc_tlast),
    .m_axis_rc_tuser                   (b_rc_tuser),
    .m_axis_rc_tvalid                  (b_rc_tvalid),
    .m_axis_rc_tready                  (b_rc_tready),
    .m_axis_cq_tdata                   (b_cq_tdata),
    .m_axis_cq_tkeep                   (b_cq_tkeep),
    .m_axis_cq_tlast                   (b_cq_tlast),
    .m_axis_cq_tuser                   (b_cq_tuser),
    .m_axis_cq_tvalid                  (b_cq_tvalid),
    .m_axis_cq_tready                  (b_cq_tready),
    .s_axis_cc_tdata                   (b_cc_tdata),
    .s_axis_cc_tkeep                   (b_cc_tkeep),
    .s_axis_cc_tlast                   (b_cc_tlast),
    .s_axis_cc_tuser                   (b_cc_tuser),
    .s_axis_cc_tvalid                  (b_cc_tvalid),
    .s_axis_cc_tready                  (b_cc_tready),
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
    // Tags are the card's; its view of the link is user_lnk_up.
    .pcie_rq_tag0                      (),
    .pcie_rq_tag_vld0                  (),
    .pcie_rq_tag1                      (),
    .pcie_rq_tag_vld1                  (),
    .pcie_rq_tag_av                    (),
    .cfg_phy_link_down                 (),
    .cfg_phy_link_status               (),
    .cfg_negotiated_width              (),
    .cfg_current_speed                 (),
    .cfg_ltssm_state                   (),
    .cfg_rx_pm_state                   (),
    .cfg_tx_pm_state                   (),
    .cfg_pl_status_change              (),
    .cfg_bus_number                    (),
    .cfg_function_power_state          (),
    .cfg_link_power_state              (),
    .cfg_obff_enable                   (),
    .cfg_tph_requester_enable          (),
    .cfg_tph_st_mode                   (),
    .cfg_err_cor_out                   (),
    .cfg_err_nonfatal_out              (),
    .cfg_err_fatal_out                 (),
    .cfg_local_error_valid             (),
    .cfg_local_error_out               (),
    .cfg_hot_reset_out                 (),
    .cfg_vf_status,
    .cfg_vf_flr_in_process,
    .cfg_vf_flr_func_num,
    .cfg_vf_flr_done,
    .cfg_interrupt_msix_vf_enable,
    .cfg_interrupt_msix_vf_mask,
    .cfg_vf_power_state                (),
    .cfg_vf_tph_requester_enable       (),
    .cfg_vf_tph_st_mode                (),
    // MSI-X messages are the card's own memory writes: the block's port rests.
    .cfg_interrupt_int                 (4'd0),
    .cfg_interrupt_pending             (4'd0),
    .cfg_interrupt_sent                (),
    .cfg_interrupt_msi_sent            (),
    .cfg_interrupt_msi_fail            (),
    .cfg_interrupt_msi_function_number (8'd0),
    .cfg_interrupt_msix_address        (64'd0),
    .cfg_interrupt_msix_data           (32'd0),
    .cfg_interrupt_msix_int            (1'b0),
    .cfg_interrupt_msix_vec_pending    (2'd0),
    .cfg_interrupt_msix_vec_pending_status(),
    // No messages, no power management of our own: a change of the power state is acknowledged at once.
    .cfg_msg_received                  (),
    .cfg_msg_received_data             (),
    .cfg_msg_received_type             (),
    .cfg_msg_transmit                  (1'b0),
    .cfg_msg_transmit_type             (3'd0),
    .cfg_msg_transmit_data             (32'd0),
    .cfg_msg_transmit_done             (),
    .cfg_power_state_change_interrupt  (power_state_change),
    .cfg_power_state_change_ack        (power_state_change),
    .cfg_pm_aspm_l1_entry_reject       (1'b0),
    .cfg_pm_aspm_tx_l0s_entry_disable  (1'b0),
    .cfg_req_pm_transition_l23_ready   (1'b0),
    .cfg_link_training_enable          (1'b1),
    .cfg_mgmt_debug_access             (1'b0),
    .cfg_dsn                           (64'd0),
    // Root port side.
    .cfg_hot_reset_in                  (1'b0),
    .cfg_ds_port_number                (8'd0),
    .cfg_ds_bus_number                 (8'd0),
    .cfg_ds_device_number              (5'd0)
  );

  if (BlockWidth == 512) begin : gen_direct
    assign b_rq_tdata   = s_axis_rq_tdata;
    assign b_rq_tkeep   = s_axis_rq_tkeep;
    assign b_rq_tlast   = s_axis_rq_tlast;
    assign b_rq_tuser   = s_axis_rq_tuser;
    assign b_rq_tvalid  = s_axis_rq_tvalid;
    assign s_axis_rq_tready = b_rq_tready;
    assign m_axis_rc_tdata = b_rc_tdata;
    assign m_axis_rc_tkeep = b_rc_tkeep;
    assign m_axis_rc_tlast = b_rc_tlast;
    assign m_axis_rc_tuser = b_rc_tuser;
    assign m_axis_rc_tvalid = b_rc_tvalid;
    assign b_rc_tready  = m_axis_rc_tready;
    assign m_axis_cq_tdata = b_cq_tdata;
    assign m_axis_cq_tkeep = b_cq_tkeep;
    assign m_axis_cq_tlast = b_cq_tlast;
    assign m_axis_cq_tuser = b_cq_tuser;
    assign m_axis_cq_tvalid = b_cq_tvalid;
    assign b_cq_tready  = m_axis_cq_tready;
    assign b_cc_tdata   = s_axis_cc_tdata;
    assign b_cc_tkeep   = s_axis_cc_tkeep;
    assign b_cc_tlast   = s_axis_cc_tlast;
    assign b_cc_tuser   = s_axis_cc_tuser;
    assign b_cc_tvalid  = s_axis_cc_tvalid;
    assign s_axis_cc_tready = b_cc_tready;
  end else begin : gen_x8
    vhp_block_x8 u_x8 (
      .clk_i(user_clk),
      .rst_i(user_reset),
      .b_axis_rq_tdata  (b_rq_tdata),
      .c_axis_rq_tdata  (s_axis_rq_tdata),
      .b_axis_rq_tkeep  (b_rq_tkeep),
      .c_axis_rq_tkeep  (s_axis_rq_tkeep),
      .b_axis_rq_tlast  (b_rq_tlast),
      .c_axis_rq_tlast  (s_axis_rq_tlast),
      .b_axis_rq_tuser  (b_rq_tuser),
      .c_axis_rq_tuser  (s_axis_rq_tuser),
      .b_axis_rq_tvalid (b_rq_tvalid),
      .c_axis_rq_tvalid (s_axis_rq_tvalid),
      .b_axis_rq_tready (b_rq_tready),
      .c_axis_rq_tready (s_axis_rq_tready),
      .b_axis_rc_tdata  (b_rc_tdata),
      .c_axis_rc_tdata  (m_axis_rc_tdata),
      .b_axis_rc_tkeep  (b_rc_tkeep),
      .c_axis_rc_tkeep  (m_axis_rc_tkeep),
      .b_axis_rc_tlast  (b_rc_tlast),
      .c_axis_rc_tlast  (m_axis_rc_tlast),
      .b_axis_rc_tuser  (b_rc_tuser),
      .c_axis_rc_tuser  (m_axis_rc_tuser),
      .b_axis_rc_tvalid (b_rc_tvalid),
      .c_axis_rc_tvalid (m_axis_rc_tvalid),
      .b_axis_rc_tready (b_rc_tready),
      .c_axis_rc_tready (m_axis_rc_tready),
      .b_axis_cq_tdata  (b_cq_tdata),
      .c_axis_cq_tdata  (m_axis_cq_tdata),
      .b_axis_cq_tkeep  (b_cq_tkeep),
      .c_axis_cq_tkeep  (m_axis_cq_tkeep),
      .b_axis_cq_tlast  (b_cq_tlast),
      .c_axis_cq_tlast  (m_axis_cq_tlast),
      .b_axis_cq_tuser  (b_cq_tuser),
      .c_axis_cq_tuser  (m_axis_cq_tuser),
      .b_axis_cq_tvalid (b_cq_tvalid),
      .c_axis_cq_tvalid (m_axis_cq_tvalid),
      .b_axis_cq_tready (b_cq_tready),
      .c_axis_cq_tready (m_axis_cq_tready),
      .b_axis_cc_tdata  (b_cc_tdata),
      .c_axis_cc_tdata  (s_axis_cc_tdata),
      .b_axis_cc_tkeep  (b_cc_tkeep),
      .c_axis_cc_tkeep  (s_axis_cc_tkeep),
      .b_axis_cc_tlast  (b_cc_tlast),
      .c_axis_cc_tlast  (s_axis_cc_tlast),
      .b_axis_cc_tuser  (b_cc_tuser),
      .c_axis_cc_tuser  (s_axis_cc_tuser),
      .b_axis_cc_tvalid (b_cc_tvalid),
      .c_axis_cc_tvalid (s_axis_cc_tvalid),
      .b_axis_cc_tready (b_cc_tready),
      .c_axis_cc_tready (s_axis_cc_tready)
    );
  end

  // ---------------------------------------------------------------- configuration logic
  vhp_config #(
    .Chips(FlashChips)
  ) u_config (
    .clk_i         (user_clk),
    .rst_i         (user_reset),
    .flash_sck_i   (flash_sck),
    .flash_cs_n_i  (flash_cs_n),
    .flash_dq_out_i(flash_dq_out),
    .flash_dq_tri_i(flash_dq_tri),
    .flash_dq_in_o (flash_dq_in),
`ifdef VHP_BOARD_FLASH2
    .flash2_dq,
    .flash2_cs_n,
`endif
    .icap_csib_i   (icap_csib),
    .icap_rdwrb_i  (icap_rdwrb),
    .icap_i,
    .icap_avail_o  (icap_avail),
    .usr_access_o  (usr_access_data)
  );

  // ---------------------------------------------------------------- card
  vhp_card #(
    .FirmwareHex  (FirmwareHex),
    .ConfigFull   (1'b0),
    .BoardName    (BoardName),
    .Idcode       (Idcode),
    .FlashStart   (FlashStart),
    .FlashSizeLog2(FlashSizeLog2),
    .FlashChips   (FlashChips)
  ) u_card (
    .user_clk,
    .user_reset,
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
    .flash_sck,
    .flash_cs_n,
    .flash_dq_out,
    .flash_dq_tri,
    .flash_dq_in,
    .icap_csib,
    .icap_rdwrb,
    .icap_i,
    .icap_avail,
    .usr_access_data,
    .card_idle_o(card_idle)
  );

  // For simulation, whose clock may stop.
  wire unused = card_idle;

endmodule
