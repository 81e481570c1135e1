// SPDX-License-Identifier: Apache-2.0
//
// Bench of vhp_virtio_fn: one directed test per clause, then random accesses of any byte enables against a byte-wise
// reference of the registers. +seed=N; prints "N passed, N failed".

module tb_virtio_fn;
  logic clk = 0, rst = 1;
  always #2 clk = !clk;

  logic             host_valid = 0, host_ready, host_rsp_valid, fw_valid = 0, fw_ready, fw_rsp_valid;
  vhp_pkg::rb_req_t host_req = '0, fw_req = '0;
  vhp_pkg::rb_rsp_t host_rsp, fw_rsp;
  logic kick_rx = 0, kick_tx = 0, bell = 0, peer_bell = 0, bad = 0, isr_queue = 0;
  logic [7:0] num_queues;
  logic cfg_irq, peer_irq, peer_refused, irq, idle;
  logic [15:0] vector;
  logic [3:0] peer_vring;

  vhp_virtio_fn dut (
    .clk_i(clk), .rst_i(rst),
    .host_req_valid_i(host_valid), .host_req_ready_o(host_ready), .host_req_i(host_req),
    .host_rsp_valid_o(host_rsp_valid), .host_rsp_o(host_rsp),
    .fw_req_valid_i(fw_valid), .fw_req_ready_o(fw_ready), .fw_req_i(fw_req),
    .fw_rsp_valid_o(fw_rsp_valid), .fw_rsp_o(fw_rsp),
    .kick_ctrl_rx_i(kick_rx), .kick_ctrl_tx_i(kick_tx), .doorbell_i(bell), .peer_doorbell_i(peer_bell),
    .bad_notify_i(bad), .num_queues_o(num_queues), .isr_queue_i(isr_queue),
    .cfg_irq_o(cfg_irq), .config_vector_o(vector), .peer_irq_o(peer_irq), .peer_irq_vring_o(peer_vring),
    .peer_refused_o(peer_refused), .irq_o(irq), .idle_o(idle)
  );

  int cfg_irqs = 0, peer_irqs = 0, refused = 0, last_peer = -1;
  always @(posedge clk) if (!rst) begin
    cfg_irqs  += int'(cfg_irq);
    peer_irqs += int'(peer_irq);
    refused   += int'(peer_refused);
    if (peer_irq) last_peer = int'(peer_vring);
  end

  // ---------------------------------------------------------------- checks
  int passed = 0, failed = 0;
  string where = "start";
  task automatic check(input logic [31:0] got, input logic [31:0] want, input string what);
    if (got === want) passed++;
    else begin
      failed++;
      $display("FAILED %s: %s: got 0x%08x, expected 0x%08x", where, what, got, want);
    end
  endtask

  // ---------------------------------------------------------------- bus masters
  logic host_err, fw_err;
  int   seed, host_wait;
  task automatic host(input logic write, input logic [23:0] addr, input logic [3:0] be, input logic [31:0] data,
                      output logic [31:0] rdata);
    @(negedge clk);
    host_valid = 1;
    host_req   = '{func: 8'd1, bar: 3'd0, addr: addr, write: write, be: be, wdata: data};
    host_wait = 0;
    #1;   // ready may depend on valid
    while (!host_ready) begin
      @(negedge clk);
      #1;
      host_wait++;
      if (host_wait > 2000) $fatal(1, "no grant");
    end
    @(negedge clk);
    host_valid = 0;
    while (!host_rsp_valid) begin
      @(negedge clk);
      host_wait++;
      if (host_wait > 2000) $fatal(1, "no response");
    end
    rdata    = host_rsp.rdata;
    host_err = host_rsp.err;
  endtask
  task automatic fw(input logic write, input logic [11:0] addr, input logic [31:0] data, output logic [31:0] rdata);
    int t = 0;
    @(negedge clk);
    fw_valid = 1;
    fw_req   = '{func: 8'd0, bar: 3'd0, addr: 24'(addr), write: write, be: 4'hf, wdata: data};
    #1;
    while (!fw_ready) begin
      @(negedge clk);
      #1;
      t++;
      if (t > 2000) $fatal(1, "no grant");
    end
    @(negedge clk);
    fw_valid = 0;
    while (!fw_rsp_valid) begin
      @(negedge clk);
      t++;
      if (t > 2000) $fatal(1, "no response");
    end
    rdata  = fw_rsp.rdata;
    fw_err = fw_rsp.err;
  endtask
  task automatic fw_w(input int unsigned addr, input logic [31:0] data);
    logic [31:0] x;
    fw(1, 12'(addr), data, x);
  endtask
  task automatic fw_check(input int unsigned addr, input logic [31:0] want, input string what);
    logic [31:0] x;
    fw(0, 12'(addr), 0, x);
    check(x, want, what);
  endtask

  // Any width at any byte, as the completer splits it.
  localparam int unsigned Common = 'h1000, Isr = 'h2000, Device = 'h3000, Peer = 'h4000, PeerIrq = 'h5000;
  task automatic wr(input int unsigned addr, input int unsigned bytes, input logic [63:0] data);
    logic [31:0] x, w;
    logic [3:0]  be;
    for (int unsigned a = addr & ~3; a < addr + bytes; a += 4) begin
      be = 0;
      w  = $urandom;   // bytes that are not enabled are noise
      for (int unsigned b = 0; b < 4; b++) if (a + b >= addr && a + b < addr + bytes) begin
        be[b] = 1;
        w[8*b +: 8] = data[8*(a + b - addr) +: 8];
      end
      host(1, 24'(a), be, w, x);
    end
  endtask
  task automatic rd(input int unsigned addr, input int unsigned bytes, output logic [63:0] data);
    logic [31:0] x;
    data = 0;
    for (int unsigned a = addr & ~3; a < addr + bytes; a += 4) begin
      host(0, 24'(a), 4'hf, 0, x);
      for (int unsigned b = 0; b < 4; b++) if (a + b >= addr && a + b < addr + bytes) data[8*(a + b - addr) +: 8] = x[8*b +: 8];
    end
  endtask
  task automatic rd_check(input int unsigned addr, input int unsigned bytes, input logic [63:0] want, input string what);
    logic [63:0] x;
    rd(addr, bytes, x);
    check(x[31:0], want[31:0], what);
    if (bytes > 4) check(x[63:32], want[63:32], {what, " (high)"});
  endtask
  int unsigned ignored_seen = 0;
  task automatic ignored_check(input int unsigned more, input string what);
    ignored_seen += more;
    fw_check(vhp_regs_pkg::FnIgnoredWrites, 32'(ignored_seen), {what, ": ignored writes"});
  endtask
  task automatic reset_function();
    logic [31:0] x;
    wr(Common + 20, 1, 0);
    fw_w(vhp_regs_pkg::FnControl, 1);
    fw(0, 12'(vhp_regs_pkg::FnIgnoredWrites), 0, x);
    ignored_seen = x;
  endtask

  localparam logic [63:0] Offer = 64'h1_3003_0007;   // MAC, CTRL_MAC, MRG, COPY, MQ, INDIRECT, EVENT_IDX, VERSION_1
  task automatic negotiate();
    wr(Common + 20, 1, 1);
    wr(Common + 20, 1, 3);
    wr(Common + 8, 4, 0);
    wr(Common + 12, 4, 64'(Offer[31:0]));
    wr(Common + 8, 4, 1);
    wr(Common + 12, 4, 64'(Offer[63:32]));
    wr(Common + 20, 1, 'hb);
  endtask

  // ---------------------------------------------------------------- one test per clause
  task automatic test_reset_values();
    where = "4.1.4.3 reset values";
    rd_check(Common + 0, 4, 0, "device_feature_select");
    rd_check(Common + 4, 4, 0, "device_feature before the firmware runs");
    rd_check(Common + 8, 4, 0, "driver_feature_select");
    rd_check(Common + 16, 2, 'hffff, "config_msix_vector");
    rd_check(Common + 18, 2, 4, "num_queues");
    rd_check(Common + 20, 1, 0, "device_status");
    for (int unsigned q = 0; q < 8; q++) begin
      wr(Common + 22, 2, 64'(q));
      rd_check(Common + 24, 2, q < 4 ? 1024 : 0, $sformatf("queue_size %0d (0 = unavailable)", q));
      rd_check(Common + 26, 2, 'hffff, "queue_msix_vector");
      rd_check(Common + 28, 2, 0, "queue_enable");
      rd_check(Common + 30, 2, q < 4 ? 64'(q) : 0, "queue_notify_off");
      rd_check(Common + 32, 8, 0, "queue_desc");
      rd_check(Common + 40, 8, 0, "queue_avail");
      rd_check(Common + 48, 8, 0, "queue_used");
    end
    wr(Common + 22, 2, 0);
    rd_check(Common + 56, 2, 0, "peer_connection");
    rd_check(Common + 58, 2, 0, "peer_num_rx_queues");
    rd_check(Common + 62, 4, 64'hffffffff, "peer_rx_queue_gsi");
    rd_check(Common + 66, 8, 0, "peer_uuid_hi");
    rd_check(Common + 74, 8, 0, "peer_uuid_lo");
    rd_check(Device + 10, 2, 1500, "mtu");
    rd_check(Device + 8, 2, 1, "max_queue_pairs");
    ignored_check(0, "reset values");
  endtask

  task automatic test_features();
    where = "2.2, 4.1.4.3.1 feature negotiation";
    fw_w(vhp_regs_pkg::FnDeviceFeaturesLo, Offer[31:0]);
    fw_w(vhp_regs_pkg::FnDeviceFeaturesHi, Offer[63:32]);
    rd_check(Common + 4, 4, 64'(Offer[31:0]), "window 0");
    wr(Common + 0, 4, 1);
    rd_check(Common + 4, 4, 64'(Offer[63:32]), "window 1");
    wr(Common + 0, 4, 2);
    rd_check(Common + 4, 4, 0, "window 2 reads 0");
    wr(Common + 0, 4, 64'h8000_0001);
    rd_check(Common + 4, 4, 0, "window 0x80000001 reads 0");
    wr(Common + 4, 4, 'h55);
    ignored_check(1, "device_feature is read-only");
    wr(Common + 20, 1, 3);
    wr(Common + 8, 4, 7);
    wr(Common + 12, 4, 'hffff);
    rd_check(Common + 12, 4, 0, "driver_feature window 7");
    ignored_check(1, "driver_feature window 7");
    // VERSION_1 is missing.
    wr(Common + 8, 4, 0);
    wr(Common + 12, 4, 64'(Offer[31:0]));
    wr(Common + 20, 1, 'hb);
    rd_check(Common + 20, 1, 3, "FEATURES_OK without VERSION_1 does not stick");
    // A bit that is not offered.
    wr(Common + 8, 4, 1);
    wr(Common + 12, 4, 'h101);
    wr(Common + 20, 1, 'hb);
    rd_check(Common + 20, 1, 3, "FEATURES_OK with a bit not offered does not stick");
    wr(Common + 20, 1, 7);
    rd_check(Common + 20, 1, 3, "DRIVER_OK before FEATURES_OK does not stick");
    ignored_check(1, "DRIVER_OK before FEATURES_OK");
    wr(Common + 12, 4, 1);
    wr(Common + 20, 1, 'hb);
    rd_check(Common + 20, 1, 'hb, "FEATURES_OK with a subset");
    wr(Common + 12, 4, 0);
    rd_check(Common + 12, 4, 1, "driver_feature is closed after FEATURES_OK");
    ignored_check(1, "driver_feature after FEATURES_OK");
    fw_check(vhp_regs_pkg::FnDriverFeaturesLo, Offer[31:0], "firmware sees driver features");
    fw_check(vhp_regs_pkg::FnDriverFeaturesHi, 1, "firmware sees driver features (high)");
    fw_check(vhp_regs_pkg::FnEvents, 1, "status event");
    wr(Common + 20, 1, 'hf);
    rd_check(Common + 20, 1, 'hf, "DRIVER_OK");
    where = "2.1 device_status bits are only added";
    wr(Common + 20, 1, 'h3);
    rd_check(Common + 20, 1, 'hf, "clearing bits is ignored");
    ignored_check(1, "clearing bits");
    wr(Common + 20, 1, 'h5f);
    rd_check(Common + 20, 1, 'hf, "a driver cannot set DEVICE_NEEDS_RESET or reserved bits");
    ignored_check(1, "reserved status bits");
    wr(Common + 20, 1, 'h8f);
    rd_check(Common + 20, 1, 'h8f, "FAILED");
  endtask

  task automatic test_reset();
    logic [63:0] x;
    where = "2.1.2, 4.1.4.3.1 reset";
    wr(Common + 16, 2, 3);
    wr(Common + 22, 2, 2);
    wr(Common + 32, 8, 64'h1122334455667788);
    wr(Common + 28, 2, 1);
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    wr(Common + 20, 1, 0);
    for (int i = 0; i < 5; i++) begin
      rd(Common + 20, 1, x);
      check(32'(x != 0), 1, "device_status stays non-zero until the firmware is done");
    end
    fw_check(vhp_regs_pkg::FnEvents, 2, "reset event");
    wr(Common + 20, 1, 1);
    wr(Common + 16, 2, 4);
    ignored_check(2, "writes during the reset");
    fw_check(vhp_regs_pkg::FnQueueBase + 2 * 32 + vhp_regs_pkg::FnQueueDescLo, 'h55667788, "firmware still sees the queues");
    fw_w(vhp_regs_pkg::FnControl, 1);
    rd_check(Common + 20, 1, 0, "device_status after reset_done");
    fw_check(vhp_regs_pkg::FnEvents, 0, "events after reset_done");
    for (int unsigned q = 0; q < 4; q++) fw_check(vhp_regs_pkg::FnQueueBase + q * 32, 32'hffff_0400, "queue size and vector");
    for (int unsigned q = 0; q < 4; q++) for (int unsigned k = 1; k < 8; k++)
      fw_check(vhp_regs_pkg::FnQueueBase + q * 32 + k * 4, 0, "queue word");
    test_reset_values_after();
    // A driver that starts: 0 while the status is 0.
    wr(Common + 16, 2, 5);
    wr(Common + 20, 1, 0);
    rd_check(Common + 20, 1, 0, "reset of an idle function is immediate");
    rd_check(Common + 16, 2, 'hffff, "and clears what was written");
    fw_check(vhp_regs_pkg::FnEvents, 0, "without an event");
  endtask
  task automatic test_reset_values_after();
    wr(Common + 0, 4, 0);
    rd_check(Common + 4, 4, 64'(Offer[31:0]), "device_feature survives");
    rd_check(Common + 12, 4, 0, "driver_feature");
    rd_check(Common + 16, 2, 'hffff, "config_msix_vector");
    rd_check(Common + 22, 2, 0, "queue_select");
    rd_check(Common + 28, 2, 0, "queue_enable");
  endtask

  task automatic test_queues();
    where = "4.1.4.3.2 queue_size";
    fw_w(vhp_regs_pkg::FnNumQueues, 6);
    rd_check(Common + 18, 2, 6, "num_queues");
    fw_w(vhp_regs_pkg::FnNumQueues, 60);
    rd_check(Common + 18, 2, 64'(vhp_pkg::FnVqs), "num_queues never exceeds what is built");
    fw_w(vhp_regs_pkg::FnNumQueues, 6);
    negotiate();
    for (int unsigned q = 0; q < 6; q++) begin
      wr(Common + 22, 2, 64'(q));
      wr(Common + 24, 2, 64'(256 >> q));
      rd_check(Common + 24, 2, 64'(256 >> q), "power of two is taken");
      wr(Common + 24, 2, 0);
      wr(Common + 24, 2, 3);
      wr(Common + 24, 2, 2048);
      wr(Common + 24, 2, 'h8000);
      rd_check(Common + 24, 2, 64'(256 >> q), "0, 3, 2048, 0x8000 are refused");
      ignored_check(4, "queue_size");
      where = "4.1.5.1.2 vectors";
      wr(Common + 26, 2, 64'(q + 7));
      rd_check(Common + 26, 2, 64'(q + 7), "queue_msix_vector");
      wr(Common + 26, 2, 64'(vhp_pkg::VecPerFn));
      rd_check(Common + 26, 2, 'hffff, "vector beyond the table reads NO_VECTOR");
      wr(Common + 26, 2, 64'(q + 7));
      where = "4.1.4.3 queue addresses";
      wr(Common + 32, 8, 64'h1000_0000_0000_0000 + 64'(q));
      wr(Common + 40, 4, 64'h4000_0000 + 64'(q));
      wr(Common + 44, 4, 64'h55);
      wr(Common + 49, 2, 64'habcd);   // unaligned, as byte enables can say
      rd_check(Common + 32, 8, 64'h1000_0000_0000_0000 + 64'(q), "queue_desc");
      rd_check(Common + 40, 8, 64'h55_4000_0000 + 64'(q), "queue_avail");
      rd_check(Common + 48, 8, 64'habcd00, "queue_used");
      where = "4.1.4.3.2 queue_enable";
      wr(Common + 28, 2, 0);
      wr(Common + 28, 2, 2);
      rd_check(Common + 28, 2, 0, "0 and 2 are ignored");
      ignored_check(2, "queue_enable 0 and 2");
      fw_w(vhp_regs_pkg::FnEvents, 'h3f);
      wr(Common + 28, 2, 1);
      rd_check(Common + 28, 2, 1, "enabled");
      fw_check(vhp_regs_pkg::FnEvents, 'h10, "queue_enable event");
      fw_check(vhp_regs_pkg::FnQueueBase + q * 32 + vhp_regs_pkg::FnQueueEnable, 1, "firmware sees it");
      fw_check(vhp_regs_pkg::FnQueueBase + q * 32, {16'(q + 7), 16'(256 >> q)}, "firmware sees size and vector");
      fw_check(vhp_regs_pkg::FnQueueBase + q * 32 + vhp_regs_pkg::FnQueueUsedLo, 'habcd00, "firmware sees queue_used");
      wr(Common + 28, 2, 0);
      wr(Common + 24, 2, 16);
      wr(Common + 32, 8, 0);
      rd_check(Common + 24, 2, 64'(256 >> q), "size is closed once enabled");
      rd_check(Common + 32, 8, 64'h1000_0000_0000_0000 + 64'(q), "address is closed once enabled");
      rd_check(Common + 28, 2, 1, "queue_enable 0 is ignored");
      ignored_check(4, "writes to an enabled queue");
    end
    where = "4.1.4.3.1 unavailable queue";
    wr(Common + 22, 2, 6);
    wr(Common + 24, 8, 64'h0001_0003_0100);
    wr(Common + 32, 8, 1);
    rd_check(Common + 24, 8, 64'h0000_0000_ffff_0000, "size 0, NO_VECTOR, disabled");
    rd_check(Common + 32, 8, 0, "no address");
    ignored_check(4, "writes to an unavailable queue");
    wr(Common + 22, 2, 'h100);
    rd_check(Common + 24, 2, 0, "queue_select 0x100 is not queue 0");
    reset_function();
    fw_w(vhp_regs_pkg::FnNumQueues, 4);
  endtask

  task automatic test_peer();
    logic [63:0] hi, lo;
    hi = 64'h0123456789abcdef;
    lo = 64'hfedcba9876543210;
    where = "seed: peer fields, packed at 56..81";
    fw_w(vhp_regs_pkg::FnPeerUuidHiLo, hi[31:0]);
    fw_w(vhp_regs_pkg::FnPeerUuidHiHi, hi[63:32]);
    fw_w(vhp_regs_pkg::FnPeerUuidLoLo, lo[31:0]);
    fw_w(vhp_regs_pkg::FnPeerUuidLoHi, lo[63:32]);
    fw_w(vhp_regs_pkg::FnPeerNumRxQueues, 2);
    fw_w(vhp_regs_pkg::FnPeerGsiBase, 'h01020304);
    fw_w(vhp_regs_pkg::FnPeerGsiBase + 4, 'h21222324);
    fw_w(vhp_regs_pkg::FnPeerGsiBase + 8, 'h31323334);
    fw_w(vhp_regs_pkg::FnPeerConnection, 1);
    rd_check(Common + 56, 2, 1, "peer_connection");
    rd_check(Common + 58, 2, 2, "peer_num_rx_queues");
    rd_check(Common + 66, 8, hi, "peer_uuid_hi");
    rd_check(Common + 74, 8, lo, "peer_uuid_lo");
    rd_check(Common + 82, 2, 0, "nothing after byte 81");
    rd_check(Peer + 0, 4, 64'h0002_0001, "aligned: connection, num_rx_queues");
    rd_check(Peer + 16, 8, hi, "aligned: uuid_hi");
    rd_check(Peer + 24, 8, lo, "aligned: uuid_lo");
    for (int unsigned q = 0; q < 4; q++) begin
      wr(q[0] ? Peer + 4 : Common + 60, 2, 64'(q));
      rd_check(Common + 60, 2, 64'(q), "peer_rx_queue_select");
      rd_check(Peer + 4, 4, 64'(q), "aligned: peer_rx_queue_select");
      rd_check(Common + 62, 4, q == 0 ? 'h01020304 : q == 1 ? 'h21222324 : 64'hffffffff, "peer_rx_queue_gsi");
      rd_check(Peer + 8, 4, q == 0 ? 'h01020304 : q == 1 ? 'h21222324 : 64'hffffffff, "aligned: peer_rx_queue_gsi");
    end
    ignored_check(0, "peer selects");
    where = "seed: peer_connection is written with 0 only";
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    wr(Common + 56, 2, 1);
    rd_check(Common + 56, 2, 1, "1 changes nothing");
    ignored_check(1, "peer_connection 1");
    fw_check(vhp_regs_pkg::FnEvents, 0, "no event");
    wr(Common + 56, 2, 0);
    rd_check(Common + 56, 2, 1, "the device, not the driver, clears it");
    fw_check(vhp_regs_pkg::FnEvents, 'h20, "disconnect event");
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    wr(Peer, 2, 0);
    fw_check(vhp_regs_pkg::FnEvents, 'h20, "disconnect event through the aligned block");
    fw_w(vhp_regs_pkg::FnPeerConnection, 0);
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    wr(Common + 56, 2, 0);
    wr(Common + 56, 2, 1);
    wr(Peer, 2, 1);
    rd_check(Common + 56, 2, 0, "0 while disconnected: nothing; 1 refused");
    fw_check(vhp_regs_pkg::FnEvents, 0, "no event while disconnected");
    ignored_check(2, "peer_connection 1 while disconnected");
    where = "seed: read-only for the driver";
    wr(Common + 58, 2, 9);
    wr(Common + 62, 4, 9);    // two accesses
    wr(Common + 66, 8, 9);    // three
    wr(Common + 74, 8, 9);    // three
    wr(Peer + 8, 4, 9);
    wr(Peer + 16, 8, 9);
    wr(Common + 18, 2, 9);
    wr(Common + 21, 1, 9);
    wr(Common + 30, 2, 9);
    wr(Device, 8, 9);
    wr(0, 4, 9);
    wr(Isr, 1, 9);
    ignored_check(1 + 2 + 3 + 3 + 1 + 2 + 3 + 2 + 2, "read-only fields");
    rd_check(Common + 58, 2, 2, "peer_num_rx_queues");
    rd_check(Common + 66, 8, hi, "peer_uuid_hi");
  endtask

  task automatic test_peer_irq();
    where = "peer interrupt page";
    peer_irqs = 0;
    refused   = 0;
    wr(PeerIrq, 2, 0);
    repeat (4) @(negedge clk);
    check(32'(peer_irqs), 0, "disabled: nothing sent");
    check(32'(refused), 1, "disabled: refused");
    fw_w(vhp_regs_pkg::FnPeerIrqCtrl, 1);
    wr(PeerIrq, 2, 1);
    repeat (4) @(negedge clk);
    check(32'(peer_irqs), 1, "queue 1 sent");
    check(32'(last_peer), 2, "RX queue 1");
    wr(PeerIrq, 2, 'h8001);
    wr(PeerIrq, 4, 'h8000);
    repeat (4) @(negedge clk);
    check(32'(peer_irqs), 3, "two TX queues sent");
    check(32'(last_peer), 1, "TX queue 0");
    wr(PeerIrq, 2, 'h8002);
    repeat (4) @(negedge clk);
    check(32'(refused), 2, "TX queue 2 refused");
    refused   = 1;
    peer_irqs = 1;
    wr(PeerIrq, 4, 2);
    wr(PeerIrq, 4, 'h10000);
    wr(PeerIrq, 4, 64'hffffffff);
    repeat (4) @(negedge clk);
    check(32'(refused), 4, "queues 2, 0x10000, 0xffffffff refused");
    wr(PeerIrq + 4, 4, 'h01020304);
    repeat (4) @(negedge clk);
    check(32'(last_peer), 0, "GSI of queue 0");
    wr(PeerIrq + 4, 4, 'h21222324);
    repeat (4) @(negedge clk);
    check(32'(last_peer), 2, "GSI of queue 1");
    check(32'(peer_irqs), 3, "three sent");
    wr(PeerIrq + 4, 4, 'h31323334);
    wr(PeerIrq + 4, 4, 64'hffffffff);
    wr(PeerIrq + 4, 2, 'h0304);
    repeat (4) @(negedge clk);
    check(32'(refused), 7, "GSI of an unused row, 0xffffffff and half a GSI refused");
    fw_w(vhp_regs_pkg::FnPeerNumRxQueues, 0);
    wr(PeerIrq + 4, 4, 'h01020304);
    repeat (4) @(negedge clk);
    check(32'(refused), 8, "no RX queue: refused");
    fw_check(vhp_regs_pkg::FnPeerIrqSent, 5, "counter sent");
    fw_check(vhp_regs_pkg::FnPeerIrqRefused, 9, "counter refused");
    fw_w(vhp_regs_pkg::FnPeerNumRxQueues, 2);
    rd_check(PeerIrq, 4, 0, "reads 0");
  endtask

  task automatic test_interrupts();
    logic [63:0] g0, g1;
    logic [31:0] x;
    where = "4.1.4.5 ISR, 2.5.1 config_generation";
    rd(Isr, 1, g0);
    cfg_irqs = 0;
    rd(Common + 21, 1, g0);
    fw_w(vhp_regs_pkg::FnControl, 2);
    rd(Common + 21, 1, g1);
    check(32'(g1[7:0]), 32'(8'(g0[7:0] + 8'd1)), "config_generation after config_change");
    fw_w(vhp_regs_pkg::FnControl, 4);
    isr_queue = 1;
    @(negedge clk);
    isr_queue = 0;
    check(32'(cfg_irqs), 2, "two configuration interrupts");
    host(0, 24'(Isr), 4'h0, 0, x);
    host(0, 24'(Isr), 4'h2, 0, x);
    check(x & 32'h7, 7, "zero-length read and a read of other bytes leave the ISR");
    rd_check(Isr, 1, 7, "queue, config and peer bits");
    rd_check(Isr, 1, 0, "read clears");
    fw_w(vhp_regs_pkg::FnControl, 'h10);
    rd_check(Isr, 1, 1, "queue_isr");
    where = "2.5.3 a change of the configuration shows in config_generation";
    rd(Common + 21, 1, g0);
    fw_w(vhp_regs_pkg::FnMacLo, 'h33221102);
    rd(Common + 21, 1, g1);
    check(32'(g0 != g1), 1, "mac");
    g0 = g1;
    fw_w(vhp_regs_pkg::FnMacHi, 'h5544);
    fw_w(vhp_regs_pkg::FnNetConfig, 'h0002_0001);
    fw_w(vhp_regs_pkg::FnMtu, 9000);
    rd(Common + 21, 1, g1);
    check(32'(g0 != g1), 1, "mac_hi, status, mtu");
    rd_check(Device, 8, 64'h0001_5544_3322_1102, "mac, status");
    rd_check(Device + 8, 4, 64'h2328_0002, "max_queue_pairs, mtu");
    where = "2.1.2 DEVICE_NEEDS_RESET";
    negotiate();
    cfg_irqs = 0;
    fw_w(vhp_regs_pkg::FnControl, 8);
    rd_check(Common + 20, 1, 'h4b, "DEVICE_NEEDS_RESET is set");
    check(32'(cfg_irqs), 1, "and signalled");
    rd_check(Isr, 1, 2, "as a configuration change");
    reset_function();
    rd_check(Common + 20, 1, 0, "reset clears it");
    where = "vectors";
    wr(Common + 16, 2, 9);
    check(32'(vector), 9, "config_msix_vector to the interrupt block");
    wr(Common + 16, 2, 77);
    check(32'(vector), 'hffff, "unusable vector is none");
    fw_check(vhp_regs_pkg::FnConfigMsixVector, 'hffff, "firmware sees none");
    where = "events";
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    check(32'(irq), 0, "no interrupt");
    kick_rx = 1;
    @(negedge clk);
    kick_rx = 0;
    kick_tx = 1;
    @(negedge clk);
    kick_tx = 0;
    fw_check(vhp_regs_pkg::FnEvents, 'hc, "control queue doorbells");
    check(32'(irq), 0, "masked");
    fw_w(vhp_regs_pkg::FnEventEnable, 'h8);
    check(32'(irq), 1, "interrupt");
    fw_w(vhp_regs_pkg::FnEvents, 'h8);
    fw_check(vhp_regs_pkg::FnEvents, 'h4, "write 1 clears that one");
    check(32'(irq), 0, "interrupt gone");
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
  endtask

  task automatic test_absent();
    logic [31:0] x;
    logic [23:0] absent[8] = '{24'h100, 24'h1080, 24'h2004, 24'h3010, 24'h4020, 24'h5008, 24'h6000, 24'h20000};
    logic [11:0] fw_absent[4] = '{12'h068, 12'h0a0, 12'h0fc, 12'h240};
    where = "nothing is there";
    foreach (absent[i]) begin
      host(0, absent[i], 4'hf, 0, x);
      check(32'(host_err), 1, $sformatf("read of 0x%05x", absent[i]));
      check(x, 0, "data 0");
      host(1, absent[i], 4'hf, 1, x);
      check(32'(host_err), 1, $sformatf("write of 0x%05x", absent[i]));
    end
    foreach (fw_absent[i]) begin
      fw(0, fw_absent[i], 0, x);
      check(32'(fw_err), 1, $sformatf("firmware read of 0x%03x", fw_absent[i]));
    end
    where = "capability list";
    for (int unsigned i = 0; i < 64; i++)
      rd_check(4 * i, 4, 64'(vhp_virtio_caps_pkg::list_dword(8'd0, 8'(i))), "dword");
  endtask

  // ---------------------------------------------------------------- random accesses against a byte-wise reference
  // Only registers without side effects on others: the writable bytes and what they must hold.
  logic [7:0] ref_q [6][26];    // queue: bytes 24..25 skipped (validated), vector 26..27, addresses 32..55
  logic [7:0] ref_common [82];
  // Bytes 56..81 of the common structure (peer block) as the firmware gave them, the same naturally aligned, and the device
  // configuration. The driver's is the select; a 0 for peer_connection asks for a disconnect and changes nothing yet.
  logic [7:0] ref_peer [26], ref_aligned [32], ref_device [12];
  task automatic peer_reference();
    logic [15:0] select;
    logic [31:0] gsi;
    select = {ref_peer[5], ref_peer[4]};
    gsi    = select < 2 ? 32'h5152_5354 + 32'h1010_1010 * 32'(select) : 32'hffff_ffff;
    for (int unsigned b = 0; b < 4; b++) ref_peer[6 + b] = gsi[8*b +: 8];
    for (int unsigned b = 0; b < 6; b++) ref_aligned[b] = ref_peer[b];
    ref_aligned[6] = 0;
    ref_aligned[7] = 0;
    for (int unsigned b = 0; b < 4; b++) ref_aligned[8 + b] = ref_peer[6 + b];
    for (int unsigned b = 12; b < 16; b++) ref_aligned[b] = 0;
    for (int unsigned b = 0; b < 16; b++) ref_aligned[16 + b] = ref_peer[10 + b];
  endtask
  task automatic test_random_peer(input int n);
    logic [31:0] x, w, want;
    logic [3:0]  be;
    logic [63:0] mac;
    int unsigned a, place, asked;
    where = "random accesses to the peer's registers and the configuration";
    fw_w(vhp_regs_pkg::FnPeerConnection, 1);
    fw_w(vhp_regs_pkg::FnPeerNumRxQueues, 2);
    fw_w(vhp_regs_pkg::FnPeerGsiBase, 32'h5152_5354);
    fw_w(vhp_regs_pkg::FnPeerGsiBase + 4, 32'h6162_6364);
    foreach (ref_peer[i]) ref_peer[i] = i < 10 ? 8'h00 : 8'($urandom);
    ref_peer[0] = 1;
    ref_peer[2] = 2;
    for (int unsigned i = 0; i < 4; i++)
      fw_w(i == 0 ? vhp_regs_pkg::FnPeerUuidHiLo : i == 1 ? vhp_regs_pkg::FnPeerUuidHiHi :
           i == 2 ? vhp_regs_pkg::FnPeerUuidLoLo : vhp_regs_pkg::FnPeerUuidLoHi,
           {ref_peer[13 + 4*i], ref_peer[12 + 4*i], ref_peer[11 + 4*i], ref_peer[10 + 4*i]});
    rd(Device, 8, mac);
    rd_check(Device + 8, 4, 64'h2328_0002, "max_queue_pairs, mtu");
    for (int unsigned b = 0; b < 8; b++) ref_device[b] = mac[8*b +: 8];
    for (int unsigned b = 8; b < 12; b++) ref_device[b] = 8'(32'h2328_0002 >> (8 * (b - 8)));
    wr(Common + 60, 2, 0);
    fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    peer_reference();
    for (int i = 0; i < n; i++) begin
      place = $urandom_range(2);
      a  = 4 * $urandom_range(place == 0 ? 6 : place == 1 ? 7 : 2);
      be = 4'($urandom);
      w  = $urandom;
      if ($urandom_range(3) == 0) w[15:0] = 0;   // queue 0, and disconnect
      asked = 0;
      if ($urandom_range(1) != 0) begin
        host(1, 24'((place == 0 ? Common + 56 : place == 1 ? Peer : Device) + a), be, w, x);
        if (place < 2 && a == 4) begin
          if (be[0]) ref_peer[4] = w[7:0];
          if (be[1]) ref_peer[5] = w[15:8];
        end
        // The register holds 1: its lower byte alone is enough to write a 0.
        if (place < 2 && a == 0 && be[0] && w[7:0] == 0 && (!be[1] || w[15:8] == 0)) asked = 'h20;
        peer_reference();
      end
      host(0, 24'((place == 0 ? Common + 56 : place == 1 ? Peer : Device) + a), 4'hf, 0, x);
      for (int unsigned b = 0; b < 4; b++)
        want[8*b +: 8] = place == 0 ? (a + b < 26 ? ref_peer[a + b] : 8'h00) : place == 1 ? ref_aligned[a + b] : ref_device[a + b];
      check(x, want, $sformatf("%s byte %0d", place == 0 ? "common 56 +" : place == 1 ? "aligned" : "device", a));
      fw_check(vhp_regs_pkg::FnEvents, 32'(asked), $sformatf("disconnect event, bytes %b of 0x%08x", be, w));
      fw_w(vhp_regs_pkg::FnEvents, 'h3f);
    end
  endtask
  task automatic test_random(input int n);
    logic [31:0] x, w, want;
    logic [3:0]  be;
    int unsigned q, a, sel, pick;
    where = "random accesses";
    reset_function();
    fw_w(vhp_regs_pkg::FnNumQueues, 6);
    foreach (ref_q[i, j]) ref_q[i][j] = j < 2 ? 8'hff : 8'h00;
    foreach (ref_common[i]) ref_common[i] = 0;
    sel = 0;
    for (int i = 0; i < n; i++) begin
      if ($urandom_range(9) == 0) begin
        q = $urandom_range(5);
        wr(Common + 22, 2, 64'(q));
        sel = q;
      end
      // 0, 2: selects; 6 (upper half): vector; 8..13: addresses.
      pick = $urandom_range(9);
      case (pick)
        0: a = 0;
        1: a = 8;
        2: a = 24;
        default: a = 32 + 4 * $urandom_range(5);
      endcase
      be = 4'($urandom);
      if (a == 24) be &= 4'b1100;
      w = $urandom;
      if (a == 24) w[31:21] = 0;   // half of the vectors usable
      if ($urandom_range(1) != 0) begin
        host(1, 24'(Common + a), be, w, x);
        for (int unsigned b = 0; b < 4; b++) if (be[b]) begin
          if (a < 16) ref_common[a + b] = w[8*b +: 8];
          else if (a == 24) ref_q[sel][b - 2] = w[8*b +: 8];
          else ref_q[sel][a + b - 30] = w[8*b +: 8];
        end
      end
      host(0, 24'(Common + a), 4'hf, 0, x);
      for (int unsigned b = 0; b < 4; b++) begin
        if (a < 16) want[8*b +: 8] = ref_common[a + b];
        else if (a == 24) want[8*b +: 8] = b < 2 ? (b == 0 ? 8'h00 : 8'h04) : ref_q[sel][b - 2];
        else want[8*b +: 8] = ref_q[sel][a + b - 30];
      end
      if (a == 24 && want[31:16] >= 16'(vhp_pkg::VecPerFn)) want[31:16] = 16'hffff;
      check(x, want, $sformatf("queue %0d byte %0d", sel, a));
      // The firmware sees the same.
      if (a >= 32) fw_check(vhp_regs_pkg::FnQueueBase + sel * 32 + 8 + (a - 32), want, "firmware's view");
    end
  endtask

  // Both masters at once: each gets its own answer.
  task automatic test_contention(input int n);
    where = "both masters";
    reset_function();
    fork
      begin
        logic [31:0] x;
        for (int i = 0; i < n; i++) begin
          host(1, 24'(Common + 8), 4'hf, 32'(i), x);
          host(0, 24'(Common + 8), 4'hf, 0, x);
          check(x, 32'(i), "host");
        end
      end
      begin
        logic [31:0] x;
        for (int i = 0; i < n; i++) begin
          fw(1, 12'(vhp_regs_pkg::FnPeerUuidLoLo), ~32'(i), x);
          fw(0, 12'(vhp_regs_pkg::FnPeerUuidLoLo), 0, x);
          check(x, ~32'(i), "firmware");
        end
      end
    join
  endtask

  initial begin
    int n;
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    if (!$value$plusargs("n=%d", n)) n = 3000;
    void'($urandom(seed));
    $display("seed %0d", seed);
    repeat (5) @(negedge clk);
    rst = 0;
    test_reset_values();
    test_features();
    test_reset();
    test_queues();
    test_peer();
    test_peer_irq();
    test_interrupts();
    test_absent();
    test_random(n);
    test_random_peer(n);
    test_contention(300);
    $display("%0d passed, %0d failed", passed, failed);
    $finish;
  end
endmodule
