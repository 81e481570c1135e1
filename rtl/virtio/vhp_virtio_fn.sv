// SPDX-License-Identifier: Apache-2.0
//
// One vhost-pci-net function: everything of its BAR 0 that is virtio's or the seed's, but the notify pages.
//
// Purpose     virtio_pci_common_cfg of the seed (82 bytes, packed), capability list, ISR status, device configuration,
//             aligned peer block and peer interrupt page for the driver; addrmap vhp_fn for the firmware.
//             Features, peer data, MAC and queue addresses live in one RAM whose word address is the firmware's
//             offset; what the hardware must see at any time is in registers.
// Handshake   Register bus of vhp_pkg, one for the driver (host_*) and one for the firmware (fw_*), served in turn,
//             so that each access is atomic. Pulses in: doorbells and queue interrupts. Pulses out: see the ports.
// Latency     6 cycles from request to response; 86 for one that resets the function (queues are cleared).
//             A GSI written to the peer interrupt page takes 2 cycles per peer queue more.
// Parameters  none; sizes are vhp_pkg's
// Reset       Synchronous; the RAM gets its reset values in the 256 cycles that follow.

module vhp_virtio_fn (
  input  logic             clk_i,
  input  logic             rst_i,

  // The driver: BAR 0 without notify pages and MSI-X.
  input  logic             host_req_valid_i,
  output logic             host_req_ready_o,
  input  vhp_pkg::rb_req_t host_req_i,
  output logic             host_rsp_valid_o,
  output vhp_pkg::rb_rsp_t host_rsp_o,

  // The firmware: addrmap vhp_fn.
  input  logic             fw_req_valid_i,
  output logic             fw_req_ready_o,
  input  vhp_pkg::rb_req_t fw_req_i,
  output logic             fw_rsp_valid_o,
  output vhp_pkg::rb_rsp_t fw_rsp_o,

  // Doorbells, decoded by vhp_notify; pulses.
  input  logic             kick_ctrl_rx_i,
  input  logic             kick_ctrl_tx_i,
  input  logic             doorbell_i,        // any queue of this function
  input  logic             peer_doorbell_i,   // any peer page of this port
  input  logic             bad_notify_i,      // notify page without a queue
  output logic [7:0]       num_queues_o,      // level: queues that exist now

  // Interrupts, sent by vhp_notify.
  input  logic             isr_queue_i,       // pulse: set ISR bit 0
  output logic             cfg_irq_o,         // pulse: send config_vector_o
  output logic [15:0]      config_vector_o,   // level: 0xffff = none
  output logic             peer_irq_o,        // pulse: interrupt peer vring peer_irq_vring_o: RX queue i 2 * i, TX 2 * i + 1
  output logic [3:0]       peer_irq_vring_o,
  output logic             peer_refused_o,    // pulse

  output logic             irq_o,             // level: events & event_enable
  output logic             idle_o
);

  localparam logic [15:0] NoVector = 16'hffff;

  // Driver-visible bits.
  localparam logic [7:0] StAcknowledge = 8'h01, StDriver = 8'h02, StDriverOk = 8'h04, StFeaturesOk = 8'h08,
                         StNeedsReset = 8'h40, StFailed = 8'h80;
  localparam logic [2:0] IsrQueue = 3'b001, IsrConfig = 3'b010, IsrPeer = 3'b100;

  // Pages of BAR 0.
  typedef enum logic [2:0] {
    PgCapList = 3'd0, PgCommon = 3'd1, PgIsr = 3'd2, PgDevice = 3'd3, PgPeer = 3'd4, PgPeerIrq = 3'd5, PgNone = 3'd6
  } page_e;

  // Words of the RAM = firmware's offset / 4.
  localparam int unsigned AddrW = 8;
  typedef logic [AddrW-1:0] word_t;
  localparam word_t WEvents       = word_t'(vhp_regs_pkg::FnEvents >> 2);
  localparam word_t WEventEnable  = word_t'(vhp_regs_pkg::FnEventEnable >> 2);
  localparam word_t WStatus       = word_t'(vhp_regs_pkg::FnStatus >> 2);
  localparam word_t WControl      = word_t'(vhp_regs_pkg::FnControl >> 2);
  localparam word_t WDevFeatLo    = word_t'(vhp_regs_pkg::FnDeviceFeaturesLo >> 2);
  localparam word_t WDevFeatHi    = word_t'(vhp_regs_pkg::FnDeviceFeaturesHi >> 2);
  localparam word_t WDrvFeatLo    = word_t'(vhp_regs_pkg::FnDriverFeaturesLo >> 2);
  localparam word_t WDrvFeatHi    = word_t'(vhp_regs_pkg::FnDriverFeaturesHi >> 2);
  localparam word_t WPeerConn     = word_t'(vhp_regs_pkg::FnPeerConnection >> 2);
  localparam word_t WPeerNumRx    = word_t'(vhp_regs_pkg::FnPeerNumRxQueues >> 2);
  localparam word_t WUuid         = word_t'(vhp_regs_pkg::FnPeerUuidHiLo >> 2);   // four words
  localparam word_t WConfigVector = word_t'(vhp_regs_pkg::FnConfigMsixVector >> 2);
  localparam word_t WMacLo        = word_t'(vhp_regs_pkg::FnMacLo >> 2);
  localparam word_t WMacHi        = word_t'(vhp_regs_pkg::FnMacHi >> 2);
  localparam word_t WNetConfig    = word_t'(vhp_regs_pkg::FnNetConfig >> 2);
  localparam word_t WMtu          = word_t'(vhp_regs_pkg::FnMtu >> 2);
  localparam word_t WNumQueues    = word_t'(vhp_regs_pkg::FnNumQueues >> 2);
  localparam word_t WPeerIrqCtrl  = word_t'(vhp_regs_pkg::FnPeerIrqCtrl >> 2);
  localparam word_t WIgnored      = word_t'(vhp_regs_pkg::FnIgnoredWrites >> 2);
  localparam word_t WIrqSent      = word_t'(vhp_regs_pkg::FnPeerIrqSent >> 2);
  localparam word_t WIrqRefused   = word_t'(vhp_regs_pkg::FnPeerIrqRefused >> 2);
  localparam word_t WDoorbells    = word_t'(vhp_regs_pkg::FnDoorbells >> 2);
  localparam word_t WPeerBells    = word_t'(vhp_regs_pkg::FnPeerDoorbells >> 2);
  localparam word_t WGsi          = word_t'(vhp_regs_pkg::FnPeerGsiBase >> 2);    // eight words
  localparam word_t WQueue        = word_t'(vhp_regs_pkg::FnQueueBase >> 2);      // eight words per queue
  localparam word_t WEnd          = word_t'((vhp_regs_pkg::FnQueueBase
                                             + vhp_regs_pkg::FnQueueStride * vhp_regs_pkg::FnQueueCount) >> 2);

  initial begin
    if (vhp_pkg::FnVqs > vhp_regs_pkg::FnQueueCount) $fatal(1, "vhp_fn has too few queues (%m)");
    if (vhp_pkg::PairsPerPort > vhp_regs_pkg::FnPeerGsiCount) $fatal(1, "vhp_fn has too few GSIs (%m)");
    if (vhp_regs_pkg::FnQueueStride != 32 || vhp_regs_pkg::FnPeerGsiStride != 4) $fatal(1, "vhp_fn layout (%m)");
  end

  function automatic logic [31:0] merge(input logic [31:0] old, input logic [31:0] data, input logic [3:0] be);
    for (int b = 0; b < 4; b++) merge[8*b +: 8] = be[b] ? data[8*b +: 8] : old[8*b +: 8];
  endfunction

  // An unusable vector number reads back as NO_VECTOR (virtio 1.x, 4.1.5.1.2).
  function automatic logic [15:0] usable_vector(input logic [15:0] vector);
    usable_vector = 32'(vector) < vhp_pkg::VecPerFn ? vector : NoVector;
  endfunction

  // ---------------------------------------------------------------- registers
  logic [31:0] dev_sel_q, drv_sel_q;
  logic [63:0] drv_feat_q;
  logic [15:0] config_vector_q, queue_sel_q, peer_conn_q, peer_num_rx_q, peer_sel_q, num_queues_q;
  logic [7:0]  status_q, generation_q;
  logic        reset_pending_q;
  logic [vhp_pkg::FnVqs-1:0] enable_q;
  logic [5:0]  events_q, event_enable_q;
  logic [2:0]  isr_q;
  logic        peer_irq_en_q;
  logic [31:0] ignored_q, irq_sent_q, irq_refused_q, doorbells_q, peer_bells_q;

  // ---------------------------------------------------------------- access sequencer
  typedef enum logic [2:0] {Clear, Idle, ReadA, ReadB, Hold, Exec, GsiRead, GsiCheck} state_e;
  state_e           state_q;
  logic             fw_q;          // access is the firmware's
  vhp_pkg::rb_req_t req_q;
  logic             turn_q;        // next to be served if both wait: 1 = firmware
  word_t            clear_q;
  logic [31:0]      a_q, b_q;
  logic [2:0]       gsi_q;
  logic             host_rsp_q, fw_rsp_q;
  vhp_pkg::rb_rsp_t rsp_q;

  logic             ram_en;
  logic [3:0]       ram_we;
  word_t            ram_addr;
  logic [31:0]      ram_wdata, ram_rdata;
  vhp_ram_sp #(.Depth(256)) u_ram (
    .clk_i,
    .en_i   (ram_en),
    .we_i   (ram_we),
    .addr_i (ram_addr),
    .wdata_i(ram_wdata),
    .rdata_o(ram_rdata)
  );

  wire grant_fw   = state_q == Idle && fw_req_valid_i && (turn_q || !host_req_valid_i);
  wire grant_host = state_q == Idle && host_req_valid_i && (!turn_q || !fw_req_valid_i);
  assign fw_req_ready_o   = grant_fw;
  assign host_req_ready_o = grant_host;

  // ---------------------------------------------------------------- decode of the held request
  wire [9:0]  dw    = req_q.addr[11:2];
  wire [4:0]  c     = dw[4:0];               // dword of the common configuration
  wire        wr    = req_q.write && req_q.be != '0;
  word_t      fw_word;
  assign fw_word = word_t'(dw);

  page_e page;
  always_comb begin
    page = PgNone;
    if (req_q.addr[23:15] == '0) begin
      unique case (req_q.addr[14:12])
        3'd0: if (dw < 10'd64) page = PgCapList;
        3'd1: if (dw < 10'd32) page = PgCommon;
        3'd2: if (dw < 10'd1)  page = PgIsr;
        3'd3: if (dw < 10'd4)  page = PgDevice;
        3'd4: if (dw < 10'd8)  page = PgPeer;
        3'd5: if (dw < 10'd2)  page = PgPeerIrq;
        default: page = PgNone;
      endcase
    end
  end

  wire [7:0] num_queues = num_queues_q < 16'(vhp_pkg::FnVqs) ? num_queues_q[7:0] : 8'(vhp_pkg::FnVqs);
  wire [3:0] num_rx     = peer_num_rx_q < 16'(vhp_pkg::PairsPerPort) ? peer_num_rx_q[3:0]
                                                                     : 4'(vhp_pkg::PairsPerPort);
  wire       queue_ok   = queue_sel_q < 16'(num_queues);
  wire [3:0] queue      = queue_sel_q[3:0];
  wire       gsi_ok     = peer_sel_q < 16'(num_rx);
  logic      queue_on;
  always_comb begin
    queue_on = 1'b0;
    for (int i = 0; i < int'(vhp_pkg::FnVqs); i++) if (queue == 4'(i)) queue_on = queue_ok && enable_q[i];
  end

  // Two words are read for each access: a field may straddle dwords.
  word_t addr_a, addr_b;
  always_comb begin
    addr_a = fw_word;
    addr_b = WDevFeatHi;
    if (!fw_q) begin
      unique case (page)
        PgCommon: begin
          if (c == 5'd1)                     addr_a = dev_sel_q[0] ? WDevFeatHi : WDevFeatLo;
          else if (c == 5'd5)                addr_a = WDevFeatLo;
          else if (c == 5'd6)                addr_a = WQueue + word_t'({queue, 3'd0});
          else if (c >= 5'd8 && c < 5'd14)   addr_a = WQueue + word_t'({queue, 3'(c - 5'd6)});
          else if (c == 5'd15 || c == 5'd16) addr_a = WGsi | word_t'(peer_sel_q[2:0]);
          else                               addr_a = WUuid + word_t'(c) - word_t'(17);
          if (c >= 5'd16 && c < 5'd20)       addr_b = WUuid + word_t'(c) - word_t'(16);
        end
        PgPeer: addr_a = dw[2] ? WUuid + word_t'(dw[1:0]) : WGsi | word_t'(peer_sel_q[2:0]);
        PgDevice: begin
          addr_a = dw[1:0] == 2'd0 ? WMacLo : dw[1:0] == 2'd1 ? WMacHi : WMtu;
          addr_b = WNetConfig;
        end
        default: ;
      endcase
    end
  end

  // ---------------------------------------------------------------- read data
  wire [31:0] gsi = gsi_ok ? a_q : '1;
  logic [31:0] host_rdata;
  logic        host_err;
  always_comb begin
    host_rdata = '0;
    host_err   = 1'b0;
    unique case (page)
      PgCapList: host_rdata = vhp_virtio_caps_pkg::list_dword(8'h0, 8'(dw[5:0]));
      PgCommon: begin
        unique case (c)
          5'd0:  host_rdata = dev_sel_q;
          5'd1:  host_rdata = dev_sel_q[31:1] == '0 ? a_q : '0;
          5'd2:  host_rdata = drv_sel_q;
          5'd3:  host_rdata = drv_sel_q == 32'd0 ? drv_feat_q[31:0] : drv_sel_q == 32'd1 ? drv_feat_q[63:32] : '0;
          5'd4:  host_rdata = {8'd0, num_queues, usable_vector(config_vector_q)};
          5'd5:  host_rdata = {queue_sel_q, generation_q, status_q};
          5'd6:  host_rdata = queue_ok ? {usable_vector(a_q[31:16]), a_q[15:0]} : {NoVector, 16'd0};
          5'd7:  host_rdata = queue_ok ? {queue_sel_q, 15'd0, queue_on} : '0;
          5'd8, 5'd9, 5'd10, 5'd11, 5'd12, 5'd13: host_rdata = queue_ok ? a_q : '0;
          5'd14: host_rdata = {peer_num_rx_q, peer_conn_q};
          5'd15: host_rdata = {gsi[15:0], peer_sel_q};
          5'd16: host_rdata = {b_q[15:0], gsi[31:16]};
          5'd17, 5'd18, 5'd19: host_rdata = {b_q[15:0], a_q[31:16]};
          5'd20: host_rdata = {16'd0, a_q[31:16]};
          default: ;
        endcase
      end
      PgIsr: host_rdata = {29'd0, isr_q};
      PgDevice: begin
        unique case (dw[1:0])
          2'd0: host_rdata = a_q;
          2'd1: host_rdata = {b_q[15:0], a_q[15:0]};
          2'd2: host_rdata = {a_q[15:0], b_q[31:16]};
          default: ;
        endcase
      end
      PgPeer: begin
        unique case (dw[2:0])
          3'd0: host_rdata = {peer_num_rx_q, peer_conn_q};
          3'd1: host_rdata = {16'd0, peer_sel_q};
          3'd2: host_rdata = gsi;
          3'd3: host_rdata = '0;
          default: host_rdata = a_q;
        endcase
      end
      PgPeerIrq: host_rdata = '0;
      default: host_err = 1'b1;
    endcase
  end

  logic [31:0] fw_rdata;
  logic        fw_err;
  wire         fw_queue    = fw_word >= WQueue && fw_word < WEnd;
  wire [3:0]   fw_queue_no = 4'((fw_word - WQueue) >> 3);
  logic        fw_queue_on;
  always_comb begin
    fw_queue_on = 1'b0;
    for (int i = 0; i < int'(vhp_pkg::FnVqs); i++) if (fw_queue_no == 4'(i)) fw_queue_on = enable_q[i];
  end
  always_comb begin
    fw_rdata = a_q;
    fw_err   = req_q.addr[23:10] != '0;
    unique case (fw_word)
      WEvents:       fw_rdata = {26'd0, events_q};
      WEventEnable:  fw_rdata = {26'd0, event_enable_q};
      WStatus:       fw_rdata = {24'd0, status_q};
      WControl:      fw_rdata = '0;
      WDrvFeatLo:    fw_rdata = drv_feat_q[31:0];
      WDrvFeatHi:    fw_rdata = drv_feat_q[63:32];
      WPeerConn:     fw_rdata = {16'd0, peer_conn_q};
      WPeerNumRx:    fw_rdata = {16'd0, peer_num_rx_q};
      WConfigVector: fw_rdata = {16'd0, usable_vector(config_vector_q)};
      WMacHi, WMtu:  fw_rdata = {16'd0, a_q[15:0]};
      WNumQueues:    fw_rdata = {16'd0, num_queues_q};
      WPeerIrqCtrl:  fw_rdata = {31'd0, peer_irq_en_q};
      WIgnored:      fw_rdata = ignored_q;
      WIrqSent:      fw_rdata = irq_sent_q;
      WIrqRefused:   fw_rdata = irq_refused_q;
      WDoorbells:    fw_rdata = doorbells_q;
      WPeerBells:    fw_rdata = peer_bells_q;
      default: begin
        if (fw_queue) begin
          if (fw_word[2:0] == 3'd0)      fw_rdata = {usable_vector(a_q[31:16]), a_q[15:0]};
          else if (fw_word[2:0] == 3'd1) fw_rdata = {31'd0, fw_queue_on};
        end else if (fw_word > WPeerBells && !(fw_word >= WGsi && fw_word < WGsi + word_t'(vhp_regs_pkg::FnPeerGsiCount))) begin
          fw_err = 1'b1;
        end
      end
    endcase
    if (fw_err) fw_rdata = '0;
  end

  // ---------------------------------------------------------------- effect of the access in state Exec
  wire [31:0] wdata = req_q.wdata;
  wire [3:0]  be    = req_q.be;

  logic        exec_host, exec_fw;
  assign exec_host = state_q == Exec && !fw_q;
  assign exec_fw   = state_q == Exec && fw_q;

  wire [15:0] size_new  = {be[1] ? wdata[15:8] : a_q[15:8], be[0] ? wdata[7:0] : a_q[7:0]};
  wire        size_good = size_new != '0 && (size_new & (size_new - 16'd1)) == '0
                          && 32'(size_new) <= vhp_pkg::MaxQueueSize && queue_ok && !queue_on;
  wire        feat_good = ((drv_feat_q[31:0] & ~a_q) | (drv_feat_q[63:32] & ~b_q)) == '0 && drv_feat_q[32];
  wire [15:0] word16    = {be[1] ? wdata[15:8] : 8'd0, be[0] ? wdata[7:0] : 8'd0};   // write of a 16-bit field at 0
  wire [15:0] conn_new  = {be[1] ? wdata[15:8] : peer_conn_q[15:8], be[0] ? wdata[7:0] : peer_conn_q[7:0]};

  // Values that device_status takes from a non-zero write.
  logic [7:0] status_add;
  logic       status_bad;
  always_comb begin
    status_add = wdata[7:0] & ~status_q & (StAcknowledge | StDriver | StDriverOk | StFeaturesOk | StFailed);
    status_bad = (status_q & ~wdata[7:0] & ~StNeedsReset) != '0        // a driver must not clear bits
                 || (wdata[7:0] & ~status_q & ~(StAcknowledge | StDriver | StDriverOk | StFeaturesOk | StFailed)) != '0;
    if (!feat_good) status_add &= ~StFeaturesOk;
    if (((status_q | status_add) & StFeaturesOk) == '0 && (status_add & StDriverOk) != '0) begin
      status_add &= ~StDriverOk;
      status_bad  = 1'b1;
    end
  end

  logic [5:0]  event_set, event_clr;
  logic [2:0]  isr_set;
  logic        isr_clr, ignored, clear_regs, cfg_irq, generation_inc, reset_req, status_wr, enable_set;
  logic        peer_go, peer_bad, gsi_search;
  logic        wr_dev_sel, wr_drv_sel, wr_drv_feat, wr_vector, wr_queue_sel, wr_peer_sel;
  logic [3:0]  ram_we_exec;
  always_comb begin
    event_set      = '0;
    event_clr      = '0;
    isr_set        = '0;
    isr_clr        = 1'b0;
    ignored        = 1'b0;
    clear_regs     = 1'b0;
    cfg_irq        = 1'b0;
    generation_inc = 1'b0;
    reset_req      = 1'b0;
    status_wr      = 1'b0;
    enable_set     = 1'b0;
    peer_go        = 1'b0;
    peer_bad       = 1'b0;
    gsi_search     = 1'b0;
    wr_dev_sel     = 1'b0;
    wr_drv_sel     = 1'b0;
    wr_drv_feat    = 1'b0;
    wr_vector      = 1'b0;
    wr_queue_sel   = 1'b0;
    wr_peer_sel    = 1'b0;
    ram_we_exec    = '0;

    if (exec_host && !req_q.write && page == PgIsr && be[0]) isr_clr = 1'b1;

    if (exec_host && wr) begin
      if (reset_pending_q) begin
        // Only the firmware ends a reset; another write of 0 asks for what is under way.
        ignored = !(page == PgCommon && c == 5'd5 && be[0] && wdata[7:0] == '0);
      end else begin
        unique case (page)
          PgCommon: begin
            unique case (c)
              5'd0: wr_dev_sel = 1'b1;
              5'd2: wr_drv_sel = 1'b1;
              5'd3: begin
                wr_drv_feat = drv_sel_q[31:1] == '0 && (status_q & StFeaturesOk) == '0;
                ignored     = !wr_drv_feat;
              end
              5'd4: begin
                wr_vector = be[1:0] != '0;
                ignored   = be[3:2] != '0;
              end
              5'd5: begin
                wr_queue_sel = be[3:2] != '0;
                ignored      = be[1];
                if (be[0]) begin
                  if (wdata[7:0] != '0) begin
                    status_wr    = 1'b1;
                    event_set[0] = 1'b1;
                    ignored      = be[1] || status_bad;
                  end else if (status_q != '0) begin
                    reset_req    = 1'b1;
                    event_set[1] = 1'b1;
                  end else begin
                    clear_regs = 1'b1;   // nothing runs: the registers go back at once
                  end
                end
              end
              5'd6: begin
                ram_we_exec = {be[3:2] & {2{queue_ok}}, be[1:0] & {2{size_good}}};
                ignored     = ram_we_exec != be;
              end
              5'd7: begin
                enable_set   = be[0] && word16 == 16'd1 && queue_ok;
                event_set[4] = enable_set && !queue_on;
                ignored      = !enable_set || be[3:2] != '0;
              end
              5'd8, 5'd9, 5'd10, 5'd11, 5'd12, 5'd13: begin
                if (queue_ok && !queue_on) ram_we_exec = be;
                ignored = !(queue_ok && !queue_on);
              end
              5'd14: begin
                if (be[1:0] != '0) begin
                  if (conn_new != '0)            ignored = 1'b1;
                  else if (peer_conn_q == 16'd1) event_set[5] = 1'b1;
                end
                if (be[3:2] != '0) ignored = 1'b1;
              end
              5'd15: begin
                wr_peer_sel = be[1:0] != '0;
                ignored     = be[3:2] != '0;
              end
              default: ignored = 1'b1;
            endcase
          end
          PgPeer: begin
            unique case (dw[2:0])
              3'd0: begin
                if (be[1:0] != '0) begin
                  if (conn_new != '0)            ignored = 1'b1;
                  else if (peer_conn_q == 16'd1) event_set[5] = 1'b1;
                end
                if (be[3:2] != '0) ignored = 1'b1;
              end
              3'd1: begin
                wr_peer_sel = be[1:0] != '0;
                ignored     = be[3:2] != '0;
              end
              default: ignored = 1'b1;
            endcase
          end
          PgPeerIrq: begin
            if (!peer_irq_en_q) begin
              peer_bad = 1'b1;
            end else if (!dw[0]) begin
              // Bit 15 tells a TX queue, of which the peer has as many.
              peer_go  = be[0] && !(be[3:2] != '0 && wdata[31:16] != '0) && {1'b0, word16[14:0]} < 16'(num_rx);
              peer_bad = !peer_go;
            end else begin
              gsi_search = be == 4'hf && wdata != '1 && num_rx != '0;
              peer_bad   = !gsi_search;
            end
          end
          PgNone: ;
          default: ignored = 1'b1;
        endcase
      end
    end

    // The result of a search for a GSI.
    if (state_q == GsiCheck) begin
      peer_go  = ram_rdata == wdata;
      peer_bad = !peer_go && 4'(gsi_q) + 4'd1 >= num_rx;
    end

    if (exec_fw && wr && !fw_err) begin
      unique case (fw_word)
        WEvents: event_clr = wdata[5:0] & {6{be[0]}};
        WControl: begin
          if (be[0]) begin
            clear_regs = wdata[0];
            if (wdata[1] || wdata[3]) begin
              generation_inc = 1'b1;
              isr_set       |= IsrConfig;
              cfg_irq        = 1'b1;
            end
            if (wdata[2]) begin
              isr_set |= IsrPeer;
              cfg_irq  = 1'b1;
            end
            if (wdata[4]) isr_set |= IsrQueue;
          end
        end
        WDevFeatLo, WDevFeatHi: ram_we_exec = be;
        WMacLo, WNetConfig: begin
          ram_we_exec    = be;
          generation_inc = 1'b1;
        end
        WMacHi, WMtu: begin
          ram_we_exec    = be & 4'b0011;
          generation_inc = 1'b1;
        end
        default: begin
          if (fw_word >= WUuid && fw_word < WUuid + word_t'(4)) ram_we_exec = be;
          if (fw_word >= WGsi && fw_word < WGsi + word_t'(vhp_regs_pkg::FnPeerGsiCount)) ram_we_exec = be;
        end
      endcase
    end
  end

  // ---------------------------------------------------------------- RAM port
  logic [31:0] clear_word;
  always_comb begin
    clear_word = '0;
    if (clear_q >= WQueue)                         clear_word = clear_q[2:0] == 3'd0
                                                                ? {NoVector, 16'(vhp_pkg::MaxQueueSize)} : '0;
    else if (clear_q >= WGsi && clear_q < WGsi + 8) clear_word = '1;
    else if (clear_q == WMtu)                      clear_word = 32'd1500;
    else if (clear_q == WNetConfig)                clear_word = 32'h0001_0000;
  end

  always_comb begin
    ram_en    = 1'b1;
    ram_we    = '0;
    ram_addr  = addr_a;
    ram_wdata = wdata;
    unique case (state_q)
      Clear: begin
        ram_we    = '1;
        ram_addr  = clear_q;
        ram_wdata = clear_word;
      end
      ReadB:   ram_addr = addr_b;
      Exec:    ram_we   = ram_we_exec;
      GsiRead: ram_addr = WGsi | word_t'(gsi_q);
      default: ;
    endcase
  end

  // ---------------------------------------------------------------- state
  logic finish;
  assign finish = (state_q == Exec && !gsi_search) || (state_q == GsiCheck && (peer_go || peer_bad));

  always_ff @(posedge clk_i) begin
    host_rsp_q <= finish && !fw_q;
    fw_rsp_q   <= finish && fw_q;
    unique case (state_q)
      Clear: begin
        clear_q <= clear_q + 1'b1;
        if (clear_q == WEnd - word_t'(1)) state_q <= Idle;
      end
      Idle: begin
        if (grant_fw || grant_host) begin
          state_q <= ReadA;
          fw_q    <= grant_fw;
          req_q   <= grant_fw ? fw_req_i : host_req_i;
          turn_q  <= grant_host;
        end
      end
      ReadA: state_q <= ReadB;
      ReadB: begin
        a_q     <= ram_rdata;
        state_q <= Hold;
      end
      Hold: begin
        b_q     <= ram_rdata;
        state_q <= Exec;
      end
      Exec: begin
        rsp_q.err   <= fw_q ? fw_err : host_err;
        rsp_q.rdata <= req_q.write ? '0 : fw_q ? fw_rdata : host_rdata;
        gsi_q       <= '0;
        clear_q     <= WQueue;
        state_q     <= clear_regs ? Clear : gsi_search ? GsiRead : Idle;
      end
      GsiRead: state_q <= GsiCheck;
      GsiCheck: begin
        gsi_q   <= gsi_q + 1'b1;
        state_q <= peer_go || peer_bad ? Idle : GsiRead;
      end
      default: state_q <= Idle;
    endcase
    if (rst_i) begin
      state_q    <= Clear;
      clear_q    <= '0;
      turn_q     <= 1'b0;
      host_rsp_q <= 1'b0;
      fw_rsp_q   <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (wr_dev_sel)   dev_sel_q       <= merge(dev_sel_q, wdata, be);
    if (wr_drv_sel)   drv_sel_q       <= merge(drv_sel_q, wdata, be);
    if (wr_drv_feat) begin
      if (drv_sel_q[0]) drv_feat_q[63:32] <= merge(drv_feat_q[63:32], wdata, be);
      else              drv_feat_q[31:0]  <= merge(drv_feat_q[31:0], wdata, be);
    end
    if (wr_vector) begin
      if (be[0]) config_vector_q[7:0]  <= wdata[7:0];
      if (be[1]) config_vector_q[15:8] <= wdata[15:8];
    end
    if (wr_queue_sel) begin
      if (be[2]) queue_sel_q[7:0]  <= wdata[23:16];
      if (be[3]) queue_sel_q[15:8] <= wdata[31:24];
    end
    if (wr_peer_sel) begin
      if (be[0]) peer_sel_q[7:0]  <= wdata[7:0];
      if (be[1]) peer_sel_q[15:8] <= wdata[15:8];
    end
    for (int i = 0; i < int'(vhp_pkg::FnVqs); i++) if (enable_set && queue == 4'(i)) enable_q[i] <= 1'b1;
    if (status_wr) status_q        <= status_q | status_add;
    if (reset_req) reset_pending_q <= 1'b1;
    if (exec_fw && wr && fw_word == WControl && be[0] && wdata[3]) status_q <= status_q | StNeedsReset;

    events_q <= (events_q & ~event_clr) | event_set | {2'b00, kick_ctrl_tx_i, kick_ctrl_rx_i, 2'b00};
    isr_q    <= (isr_clr ? 3'b000 : isr_q) | isr_set | (isr_queue_i ? IsrQueue : 3'b000);
    if (generation_inc) generation_q <= generation_q + 1'b1;

    if (clear_regs) begin
      dev_sel_q       <= '0;
      drv_sel_q       <= '0;
      drv_feat_q      <= '0;
      config_vector_q <= NoVector;
      queue_sel_q     <= '0;
      peer_sel_q      <= '0;
      status_q        <= '0;
      reset_pending_q <= 1'b0;
      enable_q        <= '0;
      events_q        <= '0;
      isr_q           <= '0;
    end

    if (exec_fw && wr && !fw_err) begin
      unique case (fw_word)
        WEventEnable: if (be[0]) event_enable_q <= wdata[5:0];
        WPeerConn:    peer_conn_q   <= 16'(merge({16'd0, peer_conn_q}, wdata, be));
        WPeerNumRx:   peer_num_rx_q <= 16'(merge({16'd0, peer_num_rx_q}, wdata, be));
        WNumQueues:   num_queues_q  <= 16'(merge({16'd0, num_queues_q}, wdata, be));
        WPeerIrqCtrl: if (be[0]) peer_irq_en_q <= wdata[0];
        default: ;
      endcase
    end

    // Two causes may come in one cycle; one count is enough to show that it happens.
    if (ignored || bad_notify_i) ignored_q     <= ignored_q + 1'b1;
    if (peer_go)                 irq_sent_q    <= irq_sent_q + 1'b1;
    if (peer_bad)                irq_refused_q <= irq_refused_q + 1'b1;
    if (doorbell_i)              doorbells_q   <= doorbells_q + 1'b1;
    if (peer_doorbell_i)         peer_bells_q  <= peer_bells_q + 1'b1;

    if (rst_i) begin
      dev_sel_q       <= '0;
      drv_sel_q       <= '0;
      drv_feat_q      <= '0;
      config_vector_q <= NoVector;
      queue_sel_q     <= '0;
      peer_sel_q      <= '0;
      status_q        <= '0;
      reset_pending_q <= 1'b0;
      enable_q        <= '0;
      events_q        <= '0;
      isr_q           <= '0;
      event_enable_q  <= '0;
      peer_conn_q     <= '0;
      peer_num_rx_q   <= '0;
      num_queues_q    <= 16'd4;
      peer_irq_en_q   <= 1'b0;
      generation_q    <= '0;
      ignored_q       <= '0;
      irq_sent_q      <= '0;
      irq_refused_q   <= '0;
      doorbells_q     <= '0;
      peer_bells_q    <= '0;
    end
  end

  // Pulses leave from registers.
  always_ff @(posedge clk_i) begin
    cfg_irq_o        <= cfg_irq && !rst_i;
    peer_irq_o       <= peer_go && !rst_i;
    peer_refused_o   <= peer_bad && !rst_i;
    peer_irq_vring_o <= state_q == GsiCheck ? {gsi_q, 1'b0} : {wdata[2:0], wdata[15]};
  end

  assign host_rsp_valid_o = host_rsp_q;
  assign host_rsp_o       = rsp_q;
  assign fw_rsp_valid_o   = fw_rsp_q;
  assign fw_rsp_o         = rsp_q;
  assign config_vector_o  = usable_vector(config_vector_q);
  assign num_queues_o     = num_queues;
  assign irq_o            = (events_q & event_enable_q) != '0;
  assign idle_o           = state_q == Idle && !host_rsp_q && !fw_rsp_q && !host_req_valid_i && !fw_req_valid_i
                            && !cfg_irq_o && !peer_irq_o;

`ifndef SYNTHESIS
  // Responses go to who asked, and a reset that is under way shows as a non-zero device_status.
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(host_rsp_q && fw_rsp_q)) else $fatal(1, "two responses (%m)");
      assert (!(reset_pending_q && status_q == '0)) else $fatal(1, "reset pending with device_status 0 (%m)");
    end
  end
`endif

endmodule
