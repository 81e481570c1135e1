// SPDX-License-Identifier: Apache-2.0
//
// Read data of a vhost-pci-net function.
//
// Purpose     In three steps. From the held request, for the driver's map and the firmware's: the word that comes from
//             registers, and how the two RAM words that were read for the access come into it. Then the choice of the map.
//             When take_i tells that both words are there, the response.
// Handshake   Everything but a_i, b_i and isr_i is there two cycles before take_i; rsp_o holds from the cycle after it.
//             ISR status is taken in the cycle of take_i, in which it is cleared too: no bit is lost between.
// Reset       None; there is nothing that outlives an access.

module vhp_virtio_read (
  input  logic                     clk_i,

  input  logic                     fw_i,         // the access is the firmware's
  input  logic                     write_i,
  input  vhp_virtio_fn_pkg::page_e page_i,
  input  logic [5:0]               dw_i,         // dword of the page
  input  vhp_virtio_fn_pkg::word_t word_i,       // dword of the firmware's map
  input  logic                     err_i,        // nothing is there
  input  logic                     queue_ok_i,   // queue_sel names a queue
  input  logic                     queue_on_i,   // it is enabled
  input  logic                     fw_queue_i,   // word_i is a queue's
  input  logic                     fw_queue_on_i,
  input  logic                     gsi_ok_i,     // peer_sel names a peer RX queue
  input  logic [7:0]               num_queues_i, // that exist
  input  vhp_virtio_fn_pkg::regs_t regs_i,

  input  logic                     take_i,
  input  logic [31:0]              a_i,
  input  logic [31:0]              b_i,
  input  logic [2:0]               isr_i,
  output vhp_pkg::rb_rsp_t         rsp_o
);

  // What the response is made of: the register word, or the RAM words a and b.
  typedef enum logic [3:0] {
    FReg,        // register word
    FA,          // a
    FALow,       // low half of a
    FAHigh,      // high half of a, moved down
    FCross,      // high half of a below the low half of b
    FVector,     // a with an MSI-X vector in the high half
    FGsiLow,     // low half of a above the register word's low half
    FGsiNone,    // ones below the low half of b
    FMac,        // low half of a below the low half of b
    FMtu,        // high half of b below the low half of a
    FIsr
  } form_e;

  // ---------------------------------------------------------------- first and second step
  form_e       fw_form, host_form, fw_form_q, host_form_q, form_q;
  logic [31:0] fw_data, host_data, fw_data_q, host_data_q, data_q;
  logic        err_q;
  always_comb begin
    fw_form = FReg;
    fw_data = '0;
    unique case (word_i)
      vhp_virtio_fn_pkg::WEvents:       fw_data = {26'd0, regs_i.events};
      vhp_virtio_fn_pkg::WEventEnable:  fw_data = {26'd0, regs_i.event_enable};
      vhp_virtio_fn_pkg::WStatus:       fw_data = {24'd0, regs_i.status};
      vhp_virtio_fn_pkg::WControl:      fw_data = '0;
      vhp_virtio_fn_pkg::WDrvFeatLo:    fw_data = regs_i.drv_feat[31:0];
      vhp_virtio_fn_pkg::WDrvFeatHi:    fw_data = regs_i.drv_feat[63:32];
      vhp_virtio_fn_pkg::WPeerConn:     fw_data = {16'd0, regs_i.peer_conn};
      vhp_virtio_fn_pkg::WPeerNumRx:    fw_data = {16'd0, regs_i.peer_num_rx};
      vhp_virtio_fn_pkg::WConfigVector: fw_data = {16'd0, vhp_virtio_fn_pkg::usable_vector(regs_i.config_vector)};
      vhp_virtio_fn_pkg::WMacHi,
      vhp_virtio_fn_pkg::WMtu:          fw_form = FALow;
      vhp_virtio_fn_pkg::WNumQueues:    fw_data = {16'd0, regs_i.num_queues};
      vhp_virtio_fn_pkg::WPeerIrqCtrl:  fw_data = {31'd0, regs_i.peer_irq_en};
      vhp_virtio_fn_pkg::WIgnored:      fw_data = regs_i.ignored;
      vhp_virtio_fn_pkg::WIrqSent:      fw_data = regs_i.irq_sent;
      vhp_virtio_fn_pkg::WIrqRefused:   fw_data = regs_i.irq_refused;
      vhp_virtio_fn_pkg::WDoorbells:    fw_data = regs_i.doorbells;
      vhp_virtio_fn_pkg::WPeerBells:    fw_data = regs_i.peer_bells;
      default: begin
        fw_form = FA;
        if (fw_queue_i && word_i[2:0] == 3'd0) fw_form = FVector;
        if (fw_queue_i && word_i[2:0] == 3'd1) begin
          fw_form = FReg;
          fw_data = {31'd0, fw_queue_on_i};
        end
      end
    endcase

    host_form = FReg;
    host_data = '0;
    unique case (page_i)
      vhp_virtio_fn_pkg::PgCapList: host_data = vhp_virtio_caps_pkg::list_dword(8'h0, 8'(dw_i));
      vhp_virtio_fn_pkg::PgCommon: begin
        unique case (dw_i[4:0])
          5'd0:  host_data = regs_i.dev_sel;
          5'd1:  host_form = regs_i.dev_sel[31:1] == '0 ? FA : FReg;
          5'd2:  host_data = regs_i.drv_sel;
          5'd3:  host_data = regs_i.drv_sel[31:1] != '0 ? '0 :
                        regs_i.drv_sel[0] ? regs_i.drv_feat[63:32] : regs_i.drv_feat[31:0];
          5'd4:  host_data = {8'd0, num_queues_i, vhp_virtio_fn_pkg::usable_vector(regs_i.config_vector)};
          5'd5:  host_data = {regs_i.queue_sel, regs_i.generation, regs_i.status};
          5'd6: begin
            host_form = queue_ok_i ? FVector : FReg;
            host_data = {vhp_virtio_fn_pkg::NoVector, 16'd0};
          end
          5'd7:  host_data = queue_ok_i ? {regs_i.queue_sel, 15'd0, queue_on_i} : '0;
          5'd8, 5'd9, 5'd10, 5'd11, 5'd12, 5'd13: host_form = queue_ok_i ? FA : FReg;
          5'd14: host_data = {regs_i.peer_num_rx, regs_i.peer_conn};
          5'd15: begin
            host_form = gsi_ok_i ? FGsiLow : FReg;
            host_data = {16'hffff, regs_i.peer_sel};
          end
          5'd16: host_form = gsi_ok_i ? FCross : FGsiNone;
          5'd17, 5'd18, 5'd19: host_form = FCross;
          5'd20: host_form = FAHigh;
          default: ;
        endcase
      end
      vhp_virtio_fn_pkg::PgIsr: host_form = FIsr;
      vhp_virtio_fn_pkg::PgDevice: begin
        unique case (dw_i[1:0])
          2'd0: host_form = FA;
          2'd1: host_form = FMac;
          2'd2: host_form = FMtu;
          default: ;
        endcase
      end
      vhp_virtio_fn_pkg::PgPeer: begin
        unique case (dw_i[2:0])
          3'd0: host_data = {regs_i.peer_num_rx, regs_i.peer_conn};
          3'd1: host_data = {16'd0, regs_i.peer_sel};
          3'd2: begin
            host_form = gsi_ok_i ? FA : FReg;
            host_data = '1;
          end
          3'd3: ;
          default: host_form = FA;
        endcase
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    fw_form_q   <= fw_form;
    fw_data_q   <= fw_data;
    host_form_q <= host_form;
    host_data_q <= host_data;
    // The second step. Nothing comes back of a write, nor from where nothing is.
    form_q <= err_i || write_i ? FReg : fw_i ? fw_form_q : host_form_q;
    data_q <= err_i || write_i ? '0 : fw_i ? fw_data_q : host_data_q;
    err_q  <= err_i;
  end

  // ---------------------------------------------------------------- third step
  logic [31:0] rdata;
  always_comb begin
    unique case (form_q)
      FA:       rdata = a_i;
      FALow:    rdata = {16'd0, a_i[15:0]};
      FAHigh:   rdata = {16'd0, a_i[31:16]};
      FCross:   rdata = {b_i[15:0], a_i[31:16]};
      FVector:  rdata = {vhp_virtio_fn_pkg::usable_vector(a_i[31:16]), a_i[15:0]};
      FGsiLow:  rdata = {a_i[15:0], data_q[15:0]};
      FGsiNone: rdata = {b_i[15:0], 16'hffff};
      FMac:     rdata = {b_i[15:0], a_i[15:0]};
      FMtu:     rdata = {a_i[15:0], b_i[31:16]};
      FIsr:     rdata = {29'd0, isr_i};
      default:  rdata = data_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (take_i) begin
      rsp_o.err   <= err_q;
      rsp_o.rdata <= rdata;
    end
  end

endmodule
