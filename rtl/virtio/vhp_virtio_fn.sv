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
// Latency     7 cycles from request to response; 87 for one that resets the function (queues are cleared).
//             What an access depends on is decoded and compared while its RAM words are read, into registers.
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

  typedef vhp_virtio_fn_pkg::word_t word_t;

  // Driver-visible bits.
  localparam logic [7:0] StAcknowledge = 8'h01, StDriver = 8'h02, StDriverOk = 8'h04, StFeaturesOk = 8'h08,
                         StNeedsReset = 8'h40, StFailed = 8'h80;
  localparam logic [2:0] IsrQueue = 3'b001, IsrConfig = 3'b010, IsrPeer = 3'b100;

  initial begin
    if (vhp_pkg::FnVqs > vhp_regs_pkg::FnQueueCount) $fatal(1, "vhp_fn has too few queues (%m)");
    if (vhp_pkg::PairsPerPort > vhp_regs_pkg::FnPeerGsiCount) $fatal(1, "vhp_fn has too few GSIs (%m)");
    if (vhp_regs_pkg::FnQueueStride != 32 || vhp_regs_pkg::FnPeerGsiStride != 4) $fatal(1, "vhp_fn layout (%m)");
  end

  function automatic logic [31:0] merge(input logic [31:0] old, input logic [31:0] data, input logic [3:0] be);
    for (int b = 0; b < 4; b++) merge[8*b +: 8] = be[b] ? data[8*b +: 8] : old[8*b +: 8];
  endfunction

  // ---------------------------------------------------------------- registers
  vhp_virtio_fn_pkg::regs_t  r_q;
  logic                      reset_pending_q;
  logic [vhp_pkg::FnVqs-1:0] enable_q;
  logic [2:0]                isr_q;

  // ---------------------------------------------------------------- access sequencer
  typedef enum logic [3:0] {Clear, Idle, Decode, ReadA, ReadB, Hold, Exec, GsiRead, GsiCheck} state_e;
  state_e           state_q;
  logic             fw_q;          // access is the firmware's
  vhp_pkg::rb_req_t req_q;
  logic             turn_q;        // next to be served if both wait: 1 = firmware
  word_t            clear_q;
  logic [31:0]      a_q, b_q;
  logic [2:0]       gsi_q;
  logic             host_rsp_q, fw_rsp_q;

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

  // ---------------------------------------------------------------- decode of the held request, in Decode
  wire [9:0]  dw    = req_q.addr[11:2];
  wire [4:0]  c     = dw[4:0];               // dword of the common configuration
  wire [31:0] wdata = req_q.wdata;
  wire [3:0]  be    = req_q.be;
  word_t      fw_word;
  assign fw_word = word_t'(dw);

  vhp_virtio_fn_pkg::page_e page, page_q;
  always_comb begin
    page = vhp_virtio_fn_pkg::PgNone;
    if (req_q.addr[23:15] == '0) begin
      unique case (req_q.addr[14:12])
        3'd0: if (dw < 10'd64) page = vhp_virtio_fn_pkg::PgCapList;
        3'd1: if (dw < 10'd32) page = vhp_virtio_fn_pkg::PgCommon;
        3'd2: if (dw < 10'd1)  page = vhp_virtio_fn_pkg::PgIsr;
        3'd3: if (dw < 10'd4)  page = vhp_virtio_fn_pkg::PgDevice;
        3'd4: if (dw < 10'd8)  page = vhp_virtio_fn_pkg::PgPeer;
        3'd5: if (dw < 10'd2)  page = vhp_virtio_fn_pkg::PgPeerIrq;
        default: page = vhp_virtio_fn_pkg::PgNone;
      endcase
    end
  end

  wire fw_is_queue = fw_word >= vhp_virtio_fn_pkg::WQueue && fw_word < vhp_virtio_fn_pkg::WEnd;
  wire fw_is_gsi   = fw_word >= vhp_virtio_fn_pkg::WGsi && fw_word < vhp_virtio_fn_pkg::WGsiEnd;
  wire fw_nothing  = req_q.addr[23:10] != '0 ||
                     (fw_word > vhp_virtio_fn_pkg::WPeerBells && !fw_is_gsi && !fw_is_queue);

  // Two words are read for each access: a field may straddle dwords.
  wire [3:0] queue = r_q.queue_sel[3:0];
  word_t     addr_a, addr_b, addr_a_q, addr_b_q;
  always_comb begin
    addr_a = fw_word;
    addr_b = vhp_virtio_fn_pkg::WDevFeatHi;
    if (!fw_q) begin
      unique case (page)
        vhp_virtio_fn_pkg::PgCommon: begin
          if (c == 5'd1)                     addr_a = r_q.dev_sel[0] ? vhp_virtio_fn_pkg::WDevFeatHi
                                                                     : vhp_virtio_fn_pkg::WDevFeatLo;
          else if (c == 5'd5)                addr_a = vhp_virtio_fn_pkg::WDevFeatLo;
          else if (c == 5'd6)                addr_a = vhp_virtio_fn_pkg::WQueue + word_t'({queue, 3'd0});
          else if (c >= 5'd8 && c < 5'd14)   addr_a = vhp_virtio_fn_pkg::WQueue + word_t'({queue, 3'(c - 5'd6)});
          else if (c == 5'd15 || c == 5'd16) addr_a = vhp_virtio_fn_pkg::WGsi | word_t'(r_q.peer_sel[2:0]);
          else                               addr_a = vhp_virtio_fn_pkg::WUuid + word_t'(c) - word_t'(17);
          if (c >= 5'd16 && c < 5'd20)       addr_b = vhp_virtio_fn_pkg::WUuid + word_t'(c) - word_t'(16);
        end
        vhp_virtio_fn_pkg::PgPeer: addr_a = dw[2] ? vhp_virtio_fn_pkg::WUuid + word_t'(dw[1:0])
                                                  : vhp_virtio_fn_pkg::WGsi | word_t'(r_q.peer_sel[2:0]);
        vhp_virtio_fn_pkg::PgDevice: begin
          addr_a = dw[1:0] == 2'd0 ? vhp_virtio_fn_pkg::WMacLo :
                   dw[1:0] == 2'd1 ? vhp_virtio_fn_pkg::WMacHi : vhp_virtio_fn_pkg::WMtu;
          addr_b = vhp_virtio_fn_pkg::WNetConfig;
        end
        default: ;
      endcase
    end
  end

  // What follows from the registers alone. They change in Exec, five cycles before the next one.
  logic [7:0]  num_queues_q;      // that exist
  logic [3:0]  num_rx_q;          // the peer's RX queues
  logic        queue_ok_q, gsi_ok_q;
  // What the effect of an access depends on, valid in Exec.
  logic        fw_err_q, fw_queue_q, fw_queue_on_q, queue_on_q, host_wr_q, fw_wr_q;
  logic [15:0] at_q;                       // the dword of the common configuration, one bit
  logic        fw_ram_q, fw_half_q;        // the access is to a word of the RAM, or to its low half
  logic        fw_control_q, fw_config_q;  // to control, to what the driver sees as device configuration
  logic        zero_q, at_rest_q;          // a status of 0 is written; the device has that
  logic        size_good_q, feat_good_q, rx_good_q, gsi_good_q, conn_bad_q, enable_good_q;
  wire [15:0]  size_new  = {be[1] ? wdata[15:8] : a_q[15:8], be[0] ? wdata[7:0] : a_q[7:0]};
  wire [15:0]  word16    = {be[1] ? wdata[15:8] : 8'd0, be[0] ? wdata[7:0] : 8'd0};   // write of a 16-bit field at 0
  wire [15:0]  conn_new  = {be[1] ? wdata[15:8] : r_q.peer_conn[15:8], be[0] ? wdata[7:0] : r_q.peer_conn[7:0]};
  wire [3:0]   fw_queue_no = 4'((fw_word - vhp_virtio_fn_pkg::WQueue) >> 3);

  always_ff @(posedge clk_i) begin
    num_queues_q <= r_q.num_queues < 16'(vhp_pkg::FnVqs) ? r_q.num_queues[7:0] : 8'(vhp_pkg::FnVqs);
    num_rx_q     <= r_q.peer_num_rx < 16'(vhp_pkg::PairsPerPort) ? r_q.peer_num_rx[3:0] : 4'(vhp_pkg::PairsPerPort);
    queue_ok_q   <= r_q.queue_sel < 16'(num_queues_q);
    gsi_ok_q     <= r_q.peer_sel < 16'(num_rx_q);

    page_q       <= page;
    addr_a_q     <= addr_a;
    addr_b_q     <= addr_b;
    fw_err_q     <= fw_nothing;
    fw_queue_q   <= fw_is_queue;

    for (int i = 0; i < 16; i++) at_q[i] <= page_q == vhp_virtio_fn_pkg::PgCommon && c == 5'(i);
    fw_control_q <= fw_word == vhp_virtio_fn_pkg::WControl;
    fw_config_q  <= fw_word == vhp_virtio_fn_pkg::WMacLo || fw_word == vhp_virtio_fn_pkg::WMacHi ||
                    fw_word == vhp_virtio_fn_pkg::WNetConfig || fw_word == vhp_virtio_fn_pkg::WMtu;
    zero_q       <= be[0] && wdata[7:0] == '0;
    at_rest_q    <= r_q.status == '0;
    fw_half_q    <= fw_word == vhp_virtio_fn_pkg::WMacHi || fw_word == vhp_virtio_fn_pkg::WMtu;
    fw_ram_q     <= fw_is_gsi || fw_word == vhp_virtio_fn_pkg::WDevFeatLo || fw_word == vhp_virtio_fn_pkg::WDevFeatHi ||
                    fw_word == vhp_virtio_fn_pkg::WMacLo || fw_word == vhp_virtio_fn_pkg::WNetConfig ||
                    (fw_word >= vhp_virtio_fn_pkg::WUuid && fw_word < vhp_virtio_fn_pkg::WUuid + word_t'(4));

    queue_on_q    <= 1'b0;
    fw_queue_on_q <= 1'b0;
    for (int i = 0; i < int'(vhp_pkg::FnVqs); i++) begin
      if (queue == 4'(i))       queue_on_q    <= queue_ok_q && enable_q[i];
      if (fw_queue_no == 4'(i)) fw_queue_on_q <= enable_q[i];
    end
    host_wr_q   <= !fw_q && req_q.write && be != '0;
    fw_wr_q     <= fw_q && req_q.write && be != '0 && !fw_err_q;
    size_good_q <= size_new != '0 && (size_new & (size_new - 16'd1)) == '0 && 32'(size_new) <= vhp_pkg::MaxQueueSize;
    // In Hold the second word comes from the RAM.
    feat_good_q <= ((r_q.drv_feat[31:0] & ~a_q) | (r_q.drv_feat[63:32] & ~ram_rdata)) == '0 && r_q.drv_feat[32];
    rx_good_q   <= be[0] && !(be[3:2] != '0 && wdata[31:16] != '0) && {1'b0, word16[14:0]} < 16'(num_rx_q);
    gsi_good_q <= be == 4'hf && wdata != '1 && num_rx_q != '0;
    conn_bad_q  <= conn_new != '0;
    enable_good_q <= be[0] && word16 == 16'd1;
  end
  wire size_free = size_good_q && queue_ok_q && !queue_on_q;

  // ---------------------------------------------------------------- read data
  vhp_pkg::rb_rsp_t rsp;
  vhp_virtio_read u_read (
    .clk_i,
    .fw_i         (fw_q),
    .write_i      (req_q.write),
    .page_i       (page_q),
    .dw_i         (dw[5:0]),
    .word_i       (fw_word),
    .err_i        (fw_q ? fw_err_q : page_q == vhp_virtio_fn_pkg::PgNone),
    .queue_ok_i   (queue_ok_q),
    .queue_on_i   (queue_on_q),
    .fw_queue_i   (fw_queue_q),
    .fw_queue_on_i(fw_queue_on_q),
    .gsi_ok_i     (gsi_ok_q),
    .num_queues_i (num_queues_q),
    .regs_i       (r_q),
    .take_i       (state_q == Exec),
    .a_i          (a_q),
    .b_i          (b_q),
    .isr_i        (isr_q),
    .rsp_o        (rsp)
  );

  // ---------------------------------------------------------------- effect of the access in state Exec
  wire exec_host = state_q == Exec && !fw_q;
  wire exec_wr   = state_q == Exec && host_wr_q;
  wire exec_fw   = state_q == Exec && fw_wr_q;

  // Values that device_status takes from a non-zero write. The driver's features are looked at only where they decide.
  localparam logic [7:0] StWritable = StAcknowledge | StDriver | StDriverOk | StFeaturesOk | StFailed;
  logic [7:0] status_new_q, status_add;
  logic       status_wrong_q, status_bad;
  always_ff @(posedge clk_i) begin
    status_new_q   <= wdata[7:0] & ~r_q.status & StWritable;
    status_wrong_q <= (r_q.status & ~wdata[7:0] & ~StNeedsReset) != '0        // a driver must not clear bits
                      || (wdata[7:0] & ~r_q.status & ~StWritable) != '0;
  end
  always_comb begin
    status_add = status_new_q;
    status_bad = status_wrong_q;
    if (!feat_good_q) status_add &= ~StFeaturesOk;
    if (((r_q.status | status_add) & StFeaturesOk) == '0 && (status_add & StDriverOk) != '0) begin
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
    ram_we_exec = '0;
    if (exec_wr && !reset_pending_q) begin
      if (at_q[6]) ram_we_exec = {be[3:2] & {2{queue_ok_q}}, be[1:0] & {2{size_free}}};
      if (at_q[13:8] != '0 && queue_ok_q && !queue_on_q) ram_we_exec = be;
    end
    if (exec_fw) ram_we_exec = be & {{2{fw_ram_q}}, {2{fw_ram_q || fw_half_q}}};
  end

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

    if (exec_host && !req_q.write && page_q == vhp_virtio_fn_pkg::PgIsr && be[0]) isr_clr = 1'b1;

    if (exec_wr) begin
      if (reset_pending_q) begin
        // Only the firmware ends a reset; another write of 0 asks for what is under way.
        ignored = !(at_q[5] && zero_q);
      end else begin
        unique case (page_q)
          vhp_virtio_fn_pkg::PgCommon: begin
            unique case (1'b1)
              at_q[0]: wr_dev_sel = 1'b1;
              at_q[2]: wr_drv_sel = 1'b1;
              at_q[3]: begin
                wr_drv_feat = r_q.drv_sel[31:1] == '0 && (r_q.status & StFeaturesOk) == '0;
                ignored     = !wr_drv_feat;
              end
              at_q[4]: begin
                wr_vector = be[1:0] != '0;
                ignored   = be[3:2] != '0;
              end
              at_q[5]: begin
                wr_queue_sel = be[3:2] != '0;
                ignored      = be[1];
                if (be[0]) begin
                  if (!zero_q) begin
                    status_wr    = 1'b1;
                    event_set[0] = 1'b1;
                    ignored      = be[1] || status_bad;
                  end else if (!at_rest_q) begin
                    reset_req    = 1'b1;
                    event_set[1] = 1'b1;
                  end else begin
                    clear_regs = 1'b1;   // nothing runs: the registers go back at once
                  end
                end
              end
              at_q[6]: begin
                ignored = ram_we_exec != be;
              end
              at_q[7]: begin
                enable_set   = enable_good_q && queue_ok_q;
                event_set[4] = enable_set && !queue_on_q;
                ignored      = !enable_set || be[3:2] != '0;
              end
              at_q[8], at_q[9], at_q[10], at_q[11], at_q[12], at_q[13]: begin
                ignored = !(queue_ok_q && !queue_on_q);
              end
              at_q[14]: begin
                if (be[1:0] != '0) begin
                  if (conn_bad_q)                  ignored = 1'b1;
                  else if (r_q.peer_conn == 16'd1) event_set[5] = 1'b1;
                end
                if (be[3:2] != '0) ignored = 1'b1;
              end
              at_q[15]: begin
                wr_peer_sel = be[1:0] != '0;
                ignored     = be[3:2] != '0;
              end
              default: ignored = 1'b1;
            endcase
          end
          vhp_virtio_fn_pkg::PgPeer: begin
            unique case (dw[2:0])
              3'd0: begin
                if (be[1:0] != '0) begin
                  if (conn_bad_q)                  ignored = 1'b1;
                  else if (r_q.peer_conn == 16'd1) event_set[5] = 1'b1;
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
          vhp_virtio_fn_pkg::PgPeerIrq: begin
            if (!r_q.peer_irq_en) begin
              peer_bad = 1'b1;
            end else if (!dw[0]) begin
              // Bit 15 tells a TX queue, of which the peer has as many.
              peer_go  = rx_good_q;
              peer_bad = !peer_go;
            end else begin
              gsi_search = gsi_good_q;
              peer_bad   = !gsi_search;
            end
          end
          vhp_virtio_fn_pkg::PgNone: ;
          default: ignored = 1'b1;
        endcase
      end
    end

    // The result of a search for a GSI.
    if (state_q == GsiCheck) begin
      peer_go  = ram_rdata == wdata;
      peer_bad = !peer_go && 4'(gsi_q) + 4'd1 >= num_rx_q;
    end

    if (exec_fw) begin
      if (fw_word == vhp_virtio_fn_pkg::WEvents) event_clr = wdata[5:0] & {6{be[0]}};
      if (fw_control_q && be[0]) begin
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
      if (fw_config_q) generation_inc = 1'b1;
    end
  end

  // ---------------------------------------------------------------- RAM port
  logic [31:0] clear_word;
  always_comb begin
    clear_word = '0;
    if (clear_q >= vhp_virtio_fn_pkg::WQueue) begin
      if (clear_q[2:0] == 3'd0) clear_word = {vhp_virtio_fn_pkg::NoVector, 16'(vhp_pkg::MaxQueueSize)};
    end else if (clear_q >= vhp_virtio_fn_pkg::WGsi && clear_q < vhp_virtio_fn_pkg::WGsiEnd) begin
      clear_word = '1;
    end else if (clear_q == vhp_virtio_fn_pkg::WMtu) begin
      clear_word = 32'd1500;
    end else if (clear_q == vhp_virtio_fn_pkg::WNetConfig) begin
      clear_word = 32'h0001_0000;
    end
  end

  always_comb begin
    ram_en    = 1'b1;
    ram_we    = '0;
    ram_addr  = addr_a_q;
    ram_wdata = wdata;
    unique case (state_q)
      Clear: begin
        ram_we    = '1;
        ram_addr  = clear_q;
        ram_wdata = clear_word;
      end
      ReadB:   ram_addr = addr_b_q;
      Exec:    ram_we   = ram_we_exec;
      GsiRead: ram_addr = vhp_virtio_fn_pkg::WGsi | word_t'(gsi_q);
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
        if (clear_q == vhp_virtio_fn_pkg::WEnd - word_t'(1)) state_q <= Idle;
      end
      Idle: begin
        if (grant_fw || grant_host) begin
          state_q <= Decode;
          fw_q    <= grant_fw;
          req_q   <= grant_fw ? fw_req_i : host_req_i;
          turn_q  <= grant_host;
        end
      end
      Decode: state_q <= ReadA;
      ReadA:  state_q <= ReadB;
      ReadB: begin
        a_q     <= ram_rdata;
        state_q <= Hold;
      end
      Hold: begin
        b_q     <= ram_rdata;
        state_q <= Exec;
      end
      Exec: begin
        gsi_q   <= '0;
        clear_q <= vhp_virtio_fn_pkg::WQueue;
        state_q <= clear_regs ? Clear : gsi_search ? GsiRead : Idle;
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
    if (wr_dev_sel) r_q.dev_sel <= merge(r_q.dev_sel, wdata, be);
    if (wr_drv_sel) r_q.drv_sel <= merge(r_q.drv_sel, wdata, be);
    if (wr_drv_feat) begin
      if (r_q.drv_sel[0]) r_q.drv_feat[63:32] <= merge(r_q.drv_feat[63:32], wdata, be);
      else                r_q.drv_feat[31:0]  <= merge(r_q.drv_feat[31:0], wdata, be);
    end
    if (wr_vector) begin
      if (be[0]) r_q.config_vector[7:0]  <= wdata[7:0];
      if (be[1]) r_q.config_vector[15:8] <= wdata[15:8];
    end
    if (wr_queue_sel) begin
      if (be[2]) r_q.queue_sel[7:0]  <= wdata[23:16];
      if (be[3]) r_q.queue_sel[15:8] <= wdata[31:24];
    end
    if (wr_peer_sel) begin
      if (be[0]) r_q.peer_sel[7:0]  <= wdata[7:0];
      if (be[1]) r_q.peer_sel[15:8] <= wdata[15:8];
    end
    for (int i = 0; i < int'(vhp_pkg::FnVqs); i++) if (enable_set && queue == 4'(i)) enable_q[i] <= 1'b1;
    if (status_wr) r_q.status      <= r_q.status | status_add;
    if (reset_req) reset_pending_q <= 1'b1;
    if (exec_fw && fw_control_q && be[0] && wdata[3]) r_q.status <= r_q.status | StNeedsReset;

    r_q.events <= (r_q.events & ~event_clr) | event_set | {2'b00, kick_ctrl_tx_i, kick_ctrl_rx_i, 2'b00};
    isr_q      <= (isr_clr ? 3'b000 : isr_q) | isr_set | (isr_queue_i ? IsrQueue : 3'b000);
    if (generation_inc) r_q.generation <= r_q.generation + 1'b1;

    if (clear_regs || rst_i) begin
      r_q.dev_sel       <= '0;
      r_q.drv_sel       <= '0;
      r_q.drv_feat      <= '0;
      r_q.config_vector <= vhp_virtio_fn_pkg::NoVector;
      r_q.queue_sel     <= '0;
      r_q.peer_sel      <= '0;
      r_q.status        <= '0;
      reset_pending_q   <= 1'b0;
      enable_q          <= '0;
      r_q.events        <= '0;
      isr_q             <= '0;
    end

    if (exec_fw) begin
      unique case (fw_word)
        vhp_virtio_fn_pkg::WEventEnable: if (be[0]) r_q.event_enable <= wdata[5:0];
        vhp_virtio_fn_pkg::WPeerConn:    r_q.peer_conn   <= 16'(merge({16'd0, r_q.peer_conn}, wdata, be));
        vhp_virtio_fn_pkg::WPeerNumRx:   r_q.peer_num_rx <= 16'(merge({16'd0, r_q.peer_num_rx}, wdata, be));
        vhp_virtio_fn_pkg::WNumQueues:   r_q.num_queues  <= 16'(merge({16'd0, r_q.num_queues}, wdata, be));
        vhp_virtio_fn_pkg::WPeerIrqCtrl: if (be[0]) r_q.peer_irq_en <= wdata[0];
        default: ;
      endcase
    end

    // Two causes may come in one cycle; one count is enough to show that it happens.
    if (ignored || bad_notify_i) r_q.ignored     <= r_q.ignored + 1'b1;
    if (peer_go)                 r_q.irq_sent    <= r_q.irq_sent + 1'b1;
    if (peer_bad)                r_q.irq_refused <= r_q.irq_refused + 1'b1;
    if (doorbell_i)              r_q.doorbells   <= r_q.doorbells + 1'b1;
    if (peer_doorbell_i)         r_q.peer_bells  <= r_q.peer_bells + 1'b1;

    if (rst_i) begin
      r_q.event_enable <= '0;
      r_q.peer_conn    <= '0;
      r_q.peer_num_rx  <= '0;
      r_q.num_queues   <= 16'd4;
      r_q.peer_irq_en  <= 1'b0;
      r_q.generation   <= '0;
      r_q.ignored      <= '0;
      r_q.irq_sent     <= '0;
      r_q.irq_refused  <= '0;
      r_q.doorbells    <= '0;
      r_q.peer_bells   <= '0;
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
  assign host_rsp_o       = rsp;
  assign fw_rsp_valid_o   = fw_rsp_q;
  assign fw_rsp_o         = rsp;
  assign config_vector_o  = vhp_virtio_fn_pkg::usable_vector(r_q.config_vector);
  assign num_queues_o     = num_queues_q;
  assign irq_o            = (r_q.events & r_q.event_enable) != '0;
  assign idle_o           = state_q == Idle && !host_rsp_q && !fw_rsp_q && !host_req_valid_i && !fw_req_valid_i
                            && !cfg_irq_o && !peer_irq_o;

`ifndef SYNTHESIS
  // Responses go to who asked, and a reset that is under way shows as a non-zero device_status.
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(host_rsp_q && fw_rsp_q)) else $fatal(1, "two responses (%m)");
      assert (!(reset_pending_q && r_q.status == '0)) else $fatal(1, "reset pending with device_status 0 (%m)");
    end
  end
`endif

endmodule
