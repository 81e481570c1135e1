// SPDX-License-Identifier: Apache-2.0
//
// Doorbells in, interrupts that do not come from a lane out.
//
// Purpose     Turns a write to a notify page (fn k BAR 0) or a peer doorbell page (fn0 BAR 2) into the kick of a lane's
//             queue, and interrupt causes of the functions and of the mailbox into MSI-X commands. Causes are pending
//             bits, one per vector: taking a doorbell never waits for the link, and equal causes merge.
// Handshake   Register bus (rb_*); kicks are pulses that are always taken; ntf_wr_* is valid/ready.
// Latency     Doorbell to kick 1 cycle. One command in at most 4 cycles.
// Parameters  none; sizes are vhp_pkg's
// Reset       Synchronous; drops what is pending.

module vhp_notify (
  input  logic             clk_i,
  input  logic             rst_i,

  // fn0 BAR 2, and offset 0x10000 and up of fn k BAR 0.
  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  output logic             kick_valid_o,
  output vhp_pkg::qid_t    kick_qid_o,

  // Functions, index = port; pulses but num_queues_i and config_vector_i.
  input  logic [vhp_pkg::NumPorts-1:0][7:0]  num_queues_i,
  output logic [vhp_pkg::NumPorts-1:0]       kick_ctrl_rx_o,
  output logic [vhp_pkg::NumPorts-1:0]       kick_ctrl_tx_o,
  output logic [vhp_pkg::NumPorts-1:0]       doorbell_o,
  output logic [vhp_pkg::NumPorts-1:0]       peer_doorbell_o,
  output logic [vhp_pkg::NumPorts-1:0]       bad_notify_o,
  input  logic [vhp_pkg::NumPorts-1:0]       cfg_irq_i,
  input  logic [vhp_pkg::NumPorts-1:0][15:0] config_vector_i,
  input  logic [vhp_pkg::NumPorts-1:0]       peer_irq_i,
  input  logic [vhp_pkg::NumPorts-1:0][3:0]  peer_irq_vring_i,
  input  logic                               event_irq_i,      // pulse: an event for the host, vector 0 of function 0
  input  logic [vhp_pkg::NumFn-1:0]          fn_msix_enable_i,

  output logic                 ntf_wr_valid_o,
  input  logic                 ntf_wr_ready_i,
  output vhp_pkg::dma_wr_req_t ntf_wr_o,

  output logic [31:0]          doorbells_o,   // all of them since reset
  output logic                 idle_o
);

  localparam int unsigned Ports = vhp_pkg::NumPorts;
  localparam int unsigned Pairs = vhp_pkg::PairsPerPort;

  initial begin
    if (Ports < 1 || Ports > 4 || Pairs < 1 || Pairs > 4) $fatal(1, "NumPorts or PairsPerPort out of range (%m)");
    if (vhp_pkg::PeerVecBase + (Ports - 1) * vhp_pkg::PeerVecStep + vhp_pkg::PeerVqs > vhp_pkg::VecPerFn) begin
      $fatal(1, "%0d ports of %0d pairs need more than %0d vectors of function 0 (%m)", Ports, Pairs, vhp_pkg::VecPerFn);
    end
    if (vhp_pkg::PeerVqs > vhp_pkg::PeerVecStep) $fatal(1, "PeerVecStep is smaller than PeerVqs (%m)");
  end

  // ---------------------------------------------------------------- doorbells
  // lane = (port * Pairs + pair) * 2 + direction; qid = lane * 2 + end.
  function automatic vhp_pkg::qid_t qid(input int unsigned port, input logic [3:0] pair, input logic dir, input logic sink);
    qid = vhp_pkg::qid_t'((port * Pairs + 32'(pair)) * 4 + 32'({dir, sink}));
  endfunction

  wire       ring    = rb_req_valid_i && rb_req_i.write && rb_req_i.be != '0;
  wire       is_peer = rb_req_i.func == '0;
  wire [3:0] vring   = rb_req_i.addr[15:12];   // notify page and peer page: the queue's number in its function
  wire [1:0] page_port = rb_req_i.addr[17:16]; // peer page only

  logic                kick, hit;
  vhp_pkg::qid_t       kick_qid;
  logic [Ports-1:0]    ctrl_rx, ctrl_tx, bell, peer_bell, bad;
  always_comb begin
    kick      = 1'b0;
    hit       = 1'b0;
    kick_qid  = '0;
    ctrl_rx   = '0;
    ctrl_tx   = '0;
    bell      = '0;
    peer_bell = '0;
    bad       = '0;
    for (int unsigned p = 0; p < Ports; p++) begin
      if (is_peer) begin
        if (32'(page_port) == p && rb_req_i.addr[23:18] == '0 && 32'(vring) < vhp_pkg::PeerVqs) begin
          hit          = 1'b1;
          peer_bell[p] = ring;
          kick         = ring;
          // Even: peer RX, sink of B2A. Odd: peer TX, source of A2B.
          kick_qid     = vring[0] ? qid(p, {1'b0, vring[3:1]}, vhp_pkg::DirA2B, vhp_pkg::EndSource)
                                  : qid(p, {1'b0, vring[3:1]}, vhp_pkg::DirB2A, vhp_pkg::EndSink);
        end
      end else if (32'(rb_req_i.func) == p + 1) begin
        hit = 1'b1;
        if (8'(vring) >= num_queues_i[p]) begin
          bad[p] = ring;
        end else begin
          bell[p]    = ring;
          ctrl_rx[p] = ring && vring == 4'd0;
          ctrl_tx[p] = ring && vring == 4'd1;
          if (vring >= 4'd2) begin
            kick     = ring;
            // Even: receiveq, sink of A2B. Odd: transmitq, source of B2A.
            kick_qid = vring[0] ? qid(p, {1'b0, vring[3:1]} - 4'd1, vhp_pkg::DirB2A, vhp_pkg::EndSource)
                                : qid(p, {1'b0, vring[3:1]} - 4'd1, vhp_pkg::DirA2B, vhp_pkg::EndSink);
          end
        end
      end
    end
  end

  logic             kick_q, rsp_valid_q;
  vhp_pkg::qid_t    kick_qid_q;
  vhp_pkg::rb_rsp_t rsp_q;
  logic [Ports-1:0] ctrl_rx_q, ctrl_tx_q, bell_q, peer_bell_q, bad_q;
  logic [31:0]      doorbells_q;

  always_ff @(posedge clk_i) begin
    kick_q      <= kick && !rst_i;
    kick_qid_q  <= kick_qid;
    rsp_valid_q <= rb_req_valid_i && !rst_i;
    rsp_q.err   <= !hit;
    rsp_q.rdata <= '0;
    ctrl_rx_q   <= ctrl_rx & {Ports{!rst_i}};
    ctrl_tx_q   <= ctrl_tx & {Ports{!rst_i}};
    bell_q      <= bell & {Ports{!rst_i}};
    peer_bell_q <= peer_bell & {Ports{!rst_i}};
    bad_q       <= bad & {Ports{!rst_i}};
    if ((bell_q | peer_bell_q) != '0) doorbells_q <= doorbells_q + 1'b1;
    if (rst_i) doorbells_q <= '0;
  end

  assign rb_req_ready_o  = 1'b1;
  assign rb_rsp_valid_o  = rsp_valid_q;
  assign rb_rsp_o        = rsp_q;
  assign kick_valid_o    = kick_q;
  assign kick_qid_o      = kick_qid_q;
  assign kick_ctrl_rx_o  = ctrl_rx_q;
  assign kick_ctrl_tx_o  = ctrl_tx_q;
  assign doorbell_o      = bell_q;
  assign peer_doorbell_o = peer_bell_q;
  assign bad_notify_o    = bad_q;
  assign doorbells_o     = doorbells_q;

  // ---------------------------------------------------------------- interrupts
  // Causes in a row: 0 = event of the mailbox, then per port configuration, then per port its peer vrings.
  localparam int unsigned Vrings   = vhp_pkg::PeerVqs;
  localparam int unsigned Causes   = 1 + Ports + Ports * Vrings;
  localparam int unsigned CauseW   = $clog2(Causes);
  localparam int unsigned PeerBase = 1 + Ports;

  logic [Causes-1:0] set, pending_q;
  logic [CauseW-1:0] scan_q;
  always_comb begin
    set    = '0;
    set[0] = event_irq_i;
    for (int unsigned p = 0; p < Ports; p++) begin
      set[1 + p] = cfg_irq_i[p];
      for (int unsigned i = 0; i < Vrings; i++) begin
        set[PeerBase + p * Vrings + i] = peer_irq_i[p] && 32'(peer_irq_vring_i[p]) == i;
      end
    end
  end

  // Function and vector of the cause that is looked at.
  logic [7:0]  func;
  logic [15:0] vector;
  logic        enabled;
  always_comb begin
    func    = '0;
    vector  = '0;
    enabled = fn_msix_enable_i[0];
    for (int unsigned p = 0; p < Ports; p++) begin
      if (32'(scan_q) == 1 + p) begin
        func    = 8'(p + 1);
        vector  = config_vector_i[p];
        enabled = fn_msix_enable_i[p + 1];
      end
      for (int unsigned i = 0; i < Vrings; i++) begin
        if (32'(scan_q) == PeerBase + p * Vrings + i) begin
          vector = 16'(vhp_pkg::PeerVecBase + p * vhp_pkg::PeerVecStep + i);
        end
      end
    end
  end

  // The scan stands still while nothing is pending, so that an idle card does not change.
  logic                 wr_valid_q;
  vhp_pkg::dma_wr_req_t wr_q;
  wire                  take = pending_q[scan_q] && !wr_valid_q;

  always_ff @(posedge clk_i) begin
    pending_q <= pending_q | set;
    if (take && !set[scan_q]) pending_q[scan_q] <= 1'b0;
    if (pending_q != '0 && !pending_q[scan_q]) scan_q <= 32'(scan_q) == Causes - 1 ? '0 : scan_q + 1'b1;

    if (wr_valid_q && ntf_wr_ready_i) wr_valid_q <= 1'b0;
    if (take) begin
      // Without MSI-X or a vector the ISR bit is all there is.
      wr_valid_q <= enabled && 32'(vector) < vhp_pkg::VecPerFn;
      wr_q       <= '0;
      wr_q.kind  <= vhp_pkg::WrMsix;
      wr_q.func  <= func;
      wr_q.imm   <= 512'(vector[10:0]);
    end

    if (rst_i) begin
      pending_q  <= '0;
      scan_q     <= '0;
      wr_valid_q <= 1'b0;
    end
  end

  assign ntf_wr_valid_o = wr_valid_q;
  assign ntf_wr_o       = wr_q;
  assign idle_o         = pending_q == '0 && set == '0 && !wr_valid_q && !rb_req_valid_i && !rsp_valid_q && !kick_q
                          && (bell_q | peer_bell_q | ctrl_rx_q | ctrl_tx_q | bad_q) == '0;

`ifndef SYNTHESIS
  vhp_pkg::dma_wr_req_t past_wr_q;
  logic                 past_wait_q;
  always_ff @(posedge clk_i) begin
    past_wait_q <= !rst_i && ntf_wr_valid_o && !ntf_wr_ready_i;
    past_wr_q   <= ntf_wr_o;
    if (!rst_i && past_wait_q) begin
      assert (ntf_wr_valid_o && ntf_wr_o == past_wr_q) else $fatal(1, "command changed while waiting (%m)");
    end
  end
`endif

endmodule
