// SPDX-License-Identifier: Apache-2.0
//
// fn0 BAR 0: management registers (generated), mailbox memories, event queue.
//
// Purpose     What the host driver sees of the card; the mailbox between it and the firmware.
// Handshake   Register bus for the host (rb_*) and for the firmware (fw_*: 0x000 request, read only; 0x800 reply).
//             mbox_done_i, event_push_i, peer_refused_i are pulses; mbox_busy_o, boot_hold_o and flr_i are levels; event_irq_o a pulse.
// Latency     Host: a write 3 cycles, a read 4. Firmware: 3 cycles, and it waits a cycle when the host uses the memory.
// Parameters  none
// Reset       Synchronous; empties the event queue. The mailbox memories are not reset.

module vhp_mgmt (
  input  logic             clk_i,
  input  logic             rst_i,

  input  logic             rb_req_valid_i,
  output logic             rb_req_ready_o,
  input  vhp_pkg::rb_req_t rb_req_i,
  output logic             rb_rsp_valid_o,
  output vhp_pkg::rb_rsp_t rb_rsp_o,

  input  logic             fw_req_valid_i,
  output logic             fw_req_ready_o,
  input  vhp_pkg::rb_req_t fw_req_i,
  output logic             fw_rsp_valid_o,
  output vhp_pkg::rb_rsp_t fw_rsp_o,

  output logic             boot_hold_o,
  input  logic             flr_i,             // function 0 is in reset

  output logic             mbox_busy_o,
  input  logic             mbox_done_i,
  input  logic             event_push_i,
  input  logic [31:0]      event_i,
  output logic             event_irq_o,

  // Shown to the host.
  input  logic [31:0]         fw_status_i,
  input  logic [31:0]         time_us_i,
  input  logic [31:0]         doorbells_i,
  input  logic [vhp_pkg::NumPorts-1:0] peer_refused_i,
  input  logic [1:0]          late_valid_i,   // pulses: an access of host, firmware ended by its time limit
  input  logic [1:0][4:0]     late_i,
  input  vhp_pkg::dma_stats_t dma_stats_i,

  output logic             idle_o
);

  localparam int unsigned MboxWords = vhp_regs_pkg::MgmtMboxRequestSize / 4;

  // ---------------------------------------------------------------- host side: one access at a time
  typedef enum logic [1:0] {Idle, Issue, Wait} state_e;
  state_e           state_q;
  vhp_pkg::rb_req_t req_q;
  vhp_pkg::rb_rsp_t rsp_q;
  logic             rsp_valid_q;

  localparam int unsigned RegAddrW = vhp_mgmt_regs_pkg::VHP_MGMT_REGS_MIN_ADDR_WIDTH;
  logic        beyond_q;          // above the registers
  logic        rd_ack, rd_err, wr_ack, wr_err, stall_wr, stall_rd;
  logic [31:0] rd_data;
  wire         reg_ack = rd_ack || wr_ack;

  always_ff @(posedge clk_i) begin
    rsp_valid_q <= 1'b0;
    unique case (state_q)
      Idle: begin
        req_q    <= rb_req_i;
        beyond_q <= rb_req_i.addr[23:RegAddrW] != '0;
        if (rb_req_valid_i) state_q <= Issue;
      end
      Issue, Wait: begin
        if (beyond_q || reg_ack) begin
          state_q     <= Idle;
          rsp_valid_q <= 1'b1;
          rsp_q.err   <= beyond_q || (rd_ack && rd_err) || (wr_ack && wr_err);
          rsp_q.rdata <= beyond_q || !rd_ack ? '0 : rd_data;
        end else begin
          state_q <= Wait;
        end
      end
      default: state_q <= Idle;
    endcase
    if (rst_i) begin
      state_q     <= Idle;
      rsp_valid_q <= 1'b0;
    end
  end
  assign rb_req_ready_o = state_q == Idle;
  assign rb_rsp_valid_o = rsp_valid_q;
  assign rb_rsp_o       = rsp_q;

  logic [31:0] biten;
  always_comb for (int b = 0; b < 4; b++) biten[8*b +: 8] = {8{req_q.be[b]}};

  vhp_mgmt_regs_pkg::vhp_mgmt__in_t  hw_in;
  vhp_mgmt_regs_pkg::vhp_mgmt__out_t hw_out;
  vhp_mgmt_regs u_regs (
    .clk                 (clk_i),
    .rst                 (rst_i),
    .s_cpuif_req         (state_q == Issue && !beyond_q),
    .s_cpuif_req_is_wr   (req_q.write),
    .s_cpuif_addr        (req_q.addr[RegAddrW-1:0]),
    .s_cpuif_wr_data     (req_q.wdata),
    .s_cpuif_wr_biten    (biten),
    .s_cpuif_req_stall_wr(stall_wr),
    .s_cpuif_req_stall_rd(stall_rd),
    .s_cpuif_rd_ack      (rd_ack),
    .s_cpuif_rd_err      (rd_err),
    .s_cpuif_rd_data     (rd_data),
    .s_cpuif_wr_ack      (wr_ack),
    .s_cpuif_wr_err      (wr_err),
    .hwif_in             (hw_in),
    .hwif_out            (hw_out)
  );

  // ---------------------------------------------------------------- mailbox memory: request, then reply
  wire host_req = hw_out.mbox_request.req || hw_out.mbox_reply.req;
  wire host_we  = hw_out.mbox_request.req && hw_out.mbox_request.req_is_wr;
  logic host_ack_q, host_wr_q, fw_rsp_q;

  typedef enum logic [1:0] {FwIdle, FwAccess, FwAnswer} fw_state_e;
  fw_state_e        fw_state_q;
  vhp_pkg::rb_req_t fw_q;
  wire fw_reply  = fw_q.addr[11:10] == 2'b10;
  wire fw_hit    = fw_q.addr[23:12] == '0 && !fw_q.addr[10] && (fw_reply || !fw_q.write);

  logic [3:0]                       ram_we;
  logic [$clog2(2 * MboxWords)-1:0] ram_addr;
  logic [31:0]                      ram_wdata, ram_rdata;
  always_comb begin
    if (host_req) begin
      ram_we    = host_we ? req_q.be : '0;
      ram_addr  = {hw_out.mbox_reply.req, req_q.addr[9:2]};
      ram_wdata = req_q.wdata;
    end else begin
      ram_we    = fw_state_q == FwAccess && fw_hit && fw_q.write ? fw_q.be : '0;
      ram_addr  = {fw_reply, fw_q.addr[9:2]};
      ram_wdata = fw_q.wdata;
    end
  end
  vhp_ram_sp #(.Depth(2 * MboxWords)) u_mailbox (
    .clk_i,
    .en_i   (1'b1),
    .we_i   (ram_we),
    .addr_i (ram_addr),
    .wdata_i(ram_wdata),
    .rdata_o(ram_rdata)
  );

  always_ff @(posedge clk_i) begin
    host_ack_q <= host_req && !rst_i;
    host_wr_q  <= host_we;
    fw_rsp_q   <= 1'b0;
    unique case (fw_state_q)
      FwIdle: begin
        fw_q <= fw_req_i;
        if (fw_req_valid_i) fw_state_q <= FwAccess;
      end
      FwAccess: begin
        if (!host_req) begin
          fw_state_q <= FwAnswer;
          fw_rsp_q   <= 1'b1;
        end
      end
      default: fw_state_q <= FwIdle;
    endcase
    if (rst_i) begin
      fw_state_q <= FwIdle;
      fw_rsp_q   <= 1'b0;
    end
  end
  assign fw_req_ready_o = fw_state_q == FwIdle;
  assign fw_rsp_valid_o = fw_rsp_q;
  assign fw_rsp_o.err   = !fw_hit;
  assign fw_rsp_o.rdata = fw_hit && !fw_q.write ? ram_rdata : '0;

  // ---------------------------------------------------------------- events
  logic        push_ready, event_valid;
  logic [31:0] event_head, lost_q, refused_q;
  logic [15:0] late_count_q;
  logic [4:0]  late_q;
  logic        late_fw_q;
  logic [4:0]  level;
  vhp_stream_fifo #(.Width(32), .Depth(16)) u_events (
    .clk_i,
    .rst_i,
    .in_valid_i (event_push_i),
    .in_ready_o (push_ready),
    .in_data_i  (event_i),
    .out_valid_o(event_valid),
    .out_ready_i(hw_out.event_ack.ack.value),
    .out_data_o (event_head),
    .level_o    (level)
  );
  always_ff @(posedge clk_i) begin
    event_irq_o <= event_push_i && !rst_i;
    if (event_push_i && !push_ready && lost_q != '1) lost_q <= lost_q + 1'b1;
    refused_q <= refused_q + 32'($countones(peer_refused_i));
    // One count for both in one cycle is enough to show that it happens.
    if (late_valid_i != '0) begin
      late_q    <= late_valid_i[0] ? late_i[0] : late_i[1];
      late_fw_q <= !late_valid_i[0];
      if (late_count_q != '1) late_count_q <= late_count_q + 1'b1;
    end
    if (rst_i) begin
      lost_q       <= '0;
      refused_q    <= '0;
      late_count_q <= '0;
      late_q       <= '0;
      late_fw_q    <= 1'b0;
    end
  end

  // ---------------------------------------------------------------- what the registers show
  assign mbox_busy_o = hw_out.mbox.busy.value;
  assign boot_hold_o = hw_out.boot_hold.hold.value;
  always_comb begin
    hw_in.caps.num_ports.next       = 8'(vhp_pkg::NumPorts);
    hw_in.caps.pairs.next           = 8'(vhp_pkg::PairsPerPort);
    hw_in.caps.queue_size_log2.next = 4'($clog2(vhp_pkg::MaxQueueSize));
    hw_in.caps.max_regions.next     = 8'(vhp_pkg::MaxRegions);
    hw_in.fw_status.state.next      = fw_status_i[7:0];
    hw_in.fw_status.patch.next      = fw_status_i[15:8];
    hw_in.fw_status.minor.next      = fw_status_i[23:16];
    hw_in.fw_status.major.next      = fw_status_i[31:24];
    hw_in.mbox.busy.hwclr           = mbox_done_i;
    hw_in.event_.event_type.next    = event_valid ? event_head[7:0] : '0;
    hw_in.event_.port.next          = event_valid ? event_head[15:8] : '0;
    hw_in.event_.arg.next           = event_valid ? event_head[31:16] : '0;
    hw_in.event_lost.count.next     = lost_q;
    hw_in.dma_rd_errors.count.next  = dma_stats_i.rd_errors;
    hw_in.dma_wr_dropped.count.next = dma_stats_i.wr_dropped;
    hw_in.cq_ur.count.next          = dma_stats_i.cq_ur;
    hw_in.msix_sent.count.next      = dma_stats_i.msix_sent;
    hw_in.msix_pended.count.next    = dma_stats_i.msix_pended;
    hw_in.peer_irq_refused.count.next = refused_q;
    hw_in.doorbells.count.next      = doorbells_i;
    hw_in.time_us.count.next        = time_us_i;
    hw_in.boot_hold.hold.hwclr      = flr_i;
    hw_in.bus_late.count.next       = late_count_q;
    hw_in.bus_late.target.next      = late_q;
    hw_in.bus_late.firmware.next    = late_fw_q;
    hw_in.mbox_request.rd_ack       = host_ack_q && !host_wr_q;
    hw_in.mbox_request.wr_ack       = host_ack_q && host_wr_q;
    hw_in.mbox_request.rd_data      = ram_rdata;
    hw_in.mbox_reply.rd_ack         = host_ack_q && !host_wr_q;
    hw_in.mbox_reply.wr_ack         = 1'b0;
    hw_in.mbox_reply.rd_data        = ram_rdata;
  end

  assign idle_o = state_q == Idle && !rb_req_valid_i && !rsp_valid_q && fw_state_q == FwIdle && !fw_req_valid_i
                  && !event_irq_o && !event_push_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!(state_q == Issue && (stall_wr || stall_rd))) else $fatal(1, "register block stalls an access (%m)");
      assert (level <= 5'd16) else $fatal(1, "event queue overran (%m)");
    end
  end
`endif

endmodule
