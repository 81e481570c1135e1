// SPDX-License-Identifier: Apache-2.0
//
// Bench of vhp_block_x8: random packets in all four streams at random pace, every beat and side band compared with what
// PG213's tables say (bit numbers, not the design's structs); then full speed; then a reset in the middle of packets.
// +seed=N; prints "N passed, N failed".

module tb_block_x8;
  logic clk = 0, rst = 1;
  always #2 clk = !clk;

  typedef struct packed {logic last; logic [7:0] keep; logic [255:0] data; logic [87:0] user;} narrow_t;
  typedef struct packed {logic last; logic [15:0] keep; logic [511:0] data; logic [182:0] user;} wide_t;
  typedef struct packed {logic last; logic [15:0] keep; logic [511:0] data; logic [182:0] user, mask;} want_t;

  // Index: streams to the card 0 CQ, 1 RC; streams to the block 0 RQ, 1 CC.
  narrow_t up_in [2];    logic [1:0] up_valid = 0, up_ready;
  wide_t   up_out [2];   logic [1:0] up_out_valid, up_out_ready = 0;
  wide_t   down_in [2];  logic [1:0] down_valid = 0, down_ready;
  narrow_t down_out [2]; logic [1:0] down_out_valid, down_out_ready = 0;
  logic [3:0] rq_ready, cc_ready;
  assign down_ready = {cc_ready[0], rq_ready[0]};

  vhp_block_x8 dut (
    .clk_i(clk), .rst_i(rst),
    .b_axis_rq_tdata(down_out[0].data), .b_axis_rq_tkeep(down_out[0].keep), .b_axis_rq_tlast(down_out[0].last),
    .b_axis_rq_tuser(down_out[0].user[61:0]), .b_axis_rq_tvalid(down_out_valid[0]),
    .b_axis_rq_tready({4{down_out_ready[0]}}),
    .b_axis_cc_tdata(down_out[1].data), .b_axis_cc_tkeep(down_out[1].keep), .b_axis_cc_tlast(down_out[1].last),
    .b_axis_cc_tuser(down_out[1].user[32:0]), .b_axis_cc_tvalid(down_out_valid[1]),
    .b_axis_cc_tready({4{down_out_ready[1]}}),
    .b_axis_cq_tdata(up_in[0].data), .b_axis_cq_tkeep(up_in[0].keep), .b_axis_cq_tlast(up_in[0].last),
    .b_axis_cq_tuser(up_in[0].user), .b_axis_cq_tvalid(up_valid[0]), .b_axis_cq_tready(up_ready[0]),
    .b_axis_rc_tdata(up_in[1].data), .b_axis_rc_tkeep(up_in[1].keep), .b_axis_rc_tlast(up_in[1].last),
    .b_axis_rc_tuser(up_in[1].user[74:0]), .b_axis_rc_tvalid(up_valid[1]), .b_axis_rc_tready(up_ready[1]),
    .c_axis_rq_tdata(down_in[0].data), .c_axis_rq_tkeep(down_in[0].keep), .c_axis_rq_tlast(down_in[0].last),
    .c_axis_rq_tuser(down_in[0].user[136:0]), .c_axis_rq_tvalid(down_valid[0]), .c_axis_rq_tready(rq_ready),
    .c_axis_cc_tdata(down_in[1].data), .c_axis_cc_tkeep(down_in[1].keep), .c_axis_cc_tlast(down_in[1].last),
    .c_axis_cc_tuser(down_in[1].user[80:0]), .c_axis_cc_tvalid(down_valid[1]), .c_axis_cc_tready(cc_ready),
    .c_axis_cq_tdata(up_out[0].data), .c_axis_cq_tkeep(up_out[0].keep), .c_axis_cq_tlast(up_out[0].last),
    .c_axis_cq_tuser(up_out[0].user), .c_axis_cq_tvalid(up_out_valid[0]), .c_axis_cq_tready(up_out_ready[0]),
    .c_axis_rc_tdata(up_out[1].data), .c_axis_rc_tkeep(up_out[1].keep), .c_axis_rc_tlast(up_out[1].last),
    .c_axis_rc_tuser(up_out[1].user[160:0]), .c_axis_rc_tvalid(up_out_valid[1]), .c_axis_rc_tready(up_out_ready[1])
  );
  assign up_out[1].user[182:161]  = '0;
  assign down_out[0].user[87:62]  = '0;
  assign down_out[1].user[87:33]  = '0;

  // ---------------------------------------------------------------- checks
  int passed = 0, failed = 0;
  task automatic check(input logic ok, input string what);
    if (ok) passed++;
    else begin
      failed++;
      if (failed < 20) $display("FAILED at %0t: %s", $time, what);
    end
  endtask

  function automatic logic [511:0] random512();
    for (int i = 0; i < 16; i++) random512[32*i +: 32] = $urandom;
  endfunction
  function automatic logic [15:0] keep_of(input int dwords);   // of a wide beat
    keep_of = dwords >= 16 ? 16'hffff : 16'((1 << dwords) - 1);
  endfunction
  function automatic logic [511:0] kept(input logic [15:0] keep, input logic [511:0] data);
    for (int i = 0; i < 16; i++) kept[32*i +: 32] = keep[i] ? data[32*i +: 32] : 32'd0;
  endfunction

  // ---------------------------------------------------------------- packets
  narrow_t up_queue [2][$];
  wide_t   down_queue [2][$];
  want_t   want [4][$];            // 0 CQ, 1 RC, 2 RQ, 3 CC

  // From the block: narrow beats in, wide beats out.
  task automatic send_up(input int s, input int dwords);
    logic [511:0] data, byte_en;
    logic [3:0]   first_be, last_be;
    logic [10:0]  tph;
    logic         bad;
    narrow_t n;
    want_t   w;
    first_be = 4'($urandom); last_be = 4'($urandom); tph = 11'($urandom);
    for (int at = 0; at < dwords; at += 16) begin
      data = random512(); byte_en = random512();
      bad  = at + 16 >= dwords && $urandom_range(9) == 0;
      w = '0;
      w.last = at + 16 >= dwords;
      w.keep = keep_of(dwords - at);
      w.data = data;
      for (int half = 0; half < 2 && at + 8 * half < dwords; half++) begin
        n = '0;
        n.last = at + 8 * half + 8 >= dwords;
        n.keep = w.keep[8*half +: 8];
        n.data = data[256*half +: 256];
        if (s == 0) begin
          n.user[3:0]   = at + half == 0 ? first_be : 4'($urandom);
          n.user[7:4]   = at + half == 0 ? last_be : 4'($urandom);
          n.user[39:8]  = byte_en[32*half +: 32];
          n.user[40]    = at + half == 0;
          n.user[41]    = bad && n.last;
          n.user[52:42] = at + half == 0 ? tph : 11'($urandom);
          w.user[16 + 32*half +: 32] = byte_en[32*half +: 32];
        end else begin
          n.user[31:0] = byte_en[32*half +: 32];
          n.user[32]   = at + half == 0;
          n.user[42]   = bad && n.last;
          w.user[32*half +: 32] = byte_en[32*half +: 32];
        end
        up_queue[s].push_back(n);
      end
      if (s == 0) begin
        w.mask[79:16] = '1;
        w.mask[97:80] = '1;
        if (at == 0) begin
          w.mask[3:0]   = '1;  w.user[3:0]  = first_be;
          w.mask[11:8]  = '1;  w.user[11:8] = last_be;
          w.mask[98:97] = 2'b01;   w.user[97]      = tph[0];
          w.mask[102:99] = 4'b0011; w.user[100:99] = tph[2:1];
          w.mask[110:103] = '1;     w.user[110:103] = tph[10:3];
        end else w.mask[97] = 1'b0;
        w.user[80] = at == 0;
        w.user[86] = w.last;
        w.user[91:88] = w.last ? 4'(dwords - at - 1) : 4'd0;
        w.user[96] = bad;
      end else begin
        w.mask[96:0] = '1;
        w.user[64] = at == 0;
        w.user[76] = w.last;
        w.user[83:80] = w.last ? 4'(dwords - at - 1) : 4'd0;
        w.user[96] = bad;
      end
      want[s].push_back(w);
    end
  endtask

  // From the card: wide beats in, narrow beats out.
  task automatic send_down(input int s, input int dwords);
    logic [511:0] data;
    logic [5:0]   seq;
    logic [3:0]   first_be, last_be;
    logic         bad;
    wide_t i;
    want_t w;
    first_be = 4'($urandom); last_be = 4'($urandom); seq = 6'($urandom);
    for (int at = 0; at < dwords; at += 16) begin
      data = random512();
      bad  = at + 16 >= dwords && $urandom_range(9) == 0;
      i = '0;
      i.last = at + 16 >= dwords;
      i.keep = keep_of(dwords - at);
      i.data = data;
      if (s == 0) begin
        i.user[3:0]   = first_be;
        i.user[11:8]  = last_be;
        i.user[20]    = at == 0;
        i.user[26]    = i.last;
        i.user[36]    = bad;
        i.user[66:61] = seq;
      end else begin
        i.user[0]  = at == 0;
        i.user[6]  = i.last;
        i.user[16] = bad;
      end
      down_queue[s].push_back(i);
      for (int half = 0; half < 2 && at + 8 * half < dwords; half++) begin
        w = '0;
        w.last = at + 8 * half + 8 >= dwords;
        w.keep = {8'd0, i.keep[8*half +: 8]};
        w.data = {256'd0, data[256*half +: 256]};
        if (s == 0) begin
          w.user[11] = bad; w.mask[11] = 1'b1;
          w.mask[59:28] = '1;                                   // no parity
          if (at + half == 0) begin
            w.mask[7:0]   = '1; w.user[7:0]   = {last_be, first_be};
            w.mask[27:24] = '1; w.user[27:24] = seq[3:0];
            w.mask[61:60] = '1; w.user[61:60] = seq[5:4];
          end
        end else begin
          w.user[0] = bad;
          w.mask[32:0] = '1;
        end
        want[2 + s].push_back(w);
      end
    end
  endtask

  // ---------------------------------------------------------------- pace and comparison
  int eager = 50;                  // percent of cycles in which a side is willing
  function automatic logic willing();
    willing = $urandom_range(99) < eager;
  endfunction

  task automatic compare(input int s, input wide_t got);
    want_t w;
    if (want[s].size() == 0) check(1'b0, $sformatf("stream %0d: a beat that nobody sent", s));
    else begin
      w = want[s].pop_front();
      check(got.last == w.last && got.keep == w.keep && kept(w.keep, got.data) == kept(w.keep, w.data)
            && (got.user & w.mask) == (w.user & w.mask),
            $sformatf("stream %0d: last %b %b keep %h %h user %h %h", s, got.last, w.last, got.keep, w.keep,
                      got.user & w.mask, w.user & w.mask));
    end
  endtask

  wide_t      held [4];
  logic [3:0] waits = 0;
  always @(posedge clk) begin
    for (int s = 0; s < 2; s++) begin
      if (!up_valid[s] || up_ready[s]) begin
        up_valid[s] <= 1'b0;
        if (!rst && up_queue[s].size() != 0 && willing()) begin
          up_valid[s] <= 1'b1;
          up_in[s]    <= up_queue[s].pop_front();
        end
      end
      if (!down_valid[s] || down_ready[s]) begin
        down_valid[s] <= 1'b0;
        if (!rst && down_queue[s].size() != 0 && willing()) begin
          down_valid[s] <= 1'b1;
          down_in[s]    <= down_queue[s].pop_front();
        end
      end
      if (!rst && up_out_valid[s] && up_out_ready[s]) compare(s, up_out[s]);
      if (!rst && down_out_valid[s] && down_out_ready[s])
        compare(2 + s, '{last: down_out[s].last, keep: {8'd0, down_out[s].keep}, data: {256'd0, down_out[s].data},
                         user: {95'd0, down_out[s].user}});
      // A waiting beat stays.
      if (waits[s] && !rst) check(up_out_valid[s] && up_out[s] == held[s], "a waiting beat changed (to the card)");
      if (waits[2+s] && !rst)
        check(down_out_valid[s] && {down_out[s].data, down_out[s].keep} == {held[2+s].data[255:0], held[2+s].keep[7:0]},
              "a waiting beat changed (to the block)");
      waits[s]     <= !rst && up_out_valid[s] && !up_out_ready[s];
      held[s]      <= up_out[s];
      waits[2+s]   <= !rst && down_out_valid[s] && !down_out_ready[s];
      held[2+s]    <= '{last: down_out[s].last, keep: {8'd0, down_out[s].keep}, data: {256'd0, down_out[s].data}, user: '0};
      up_out_ready[s]   <= willing();
      down_out_ready[s] <= willing();
      if (rst) {up_valid[s], down_valid[s]} <= '0;
    end
  end

  function automatic logic busy();
    busy = up_valid != 0 || down_valid != 0;
    for (int s = 0; s < 2; s++) busy = busy || up_queue[s].size() != 0 || down_queue[s].size() != 0;
    for (int s = 0; s < 4; s++) busy = busy || want[s].size() != 0;
  endfunction

  task automatic finish(input int limit);
    int n = 0;
    while (busy() && n < limit) begin
      @(posedge clk);
      n++;
    end
    check(!busy(), "beats are missing");
  endtask

  int seed, begun;
  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    $display("seed %0d", seed);
    void'($urandom(seed));
    repeat (4) @(posedge clk);
    rst <= 0;
    foreach (want[pass]) begin                 // four paces
      eager = 25 * (pass + 1);
      for (int n = 0; n < 400; n++) for (int s = 0; s < 2; s++) begin
        send_up(s, $urandom_range(1, 70));
        send_down(s, $urandom_range(1, 70));
      end
      finish(400000);
    end

    // Full speed: a narrow beat in every cycle.
    eager = 100;
    for (int n = 0; n < 100; n++) for (int s = 0; s < 2; s++) begin
      send_up(s, 64);
      send_down(s, 64);
    end
    begun = int'($time);
    finish(10000);
    check((int'($time) - begun) / 4 <= 800 + 16, $sformatf("800 narrow beats took %0d cycles", (int'($time) - begun) / 4));

    // Reset in the middle: what was under way is gone, what comes after is whole.
    eager = 60;
    for (int n = 0; n < 20; n++) for (int s = 0; s < 2; s++) begin
      send_up(s, 40);
      send_down(s, 40);
    end
    repeat (37) @(posedge clk);
    rst <= 1;
    repeat (3) @(posedge clk);
    foreach (up_queue[s]) begin
      up_queue[s] = {};
      down_queue[s] = {};
    end
    foreach (want[s]) want[s] = {};
    @(posedge clk);
    rst <= 0;
    for (int n = 0; n < 50; n++) for (int s = 0; s < 2; s++) begin
      send_up(s, $urandom_range(1, 40));
      send_down(s, $urandom_range(1, 40));
    end
    finish(100000);

    $display("%0d passed, %0d failed", passed, failed);
    if (failed != 0) $fatal(1);
    $finish;
  end
endmodule
