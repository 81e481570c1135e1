// SPDX-License-Identifier: Apache-2.0
//
// Configuration-space extension: the vendor capabilities of the vhost-pci-net functions (docs/architecture.md).
//
// Purpose     Answers the hard block's cfg_ext accesses. The window is 0xb0..0xbf (ConfigFull = 0) or 0x90..0xff
//             (ConfigFull = 1); the hard block's own capability list of functions 1.. must end in a next pointer to the
//             window's first byte. Function 0 and functions that are not built have no capability there: their
//             dwords read 0 and their list must not point to the window.
//             Window 0xb0: the locator {VENDOR_CFG, 0x10ee, bar, version, offset, length of the list in BAR 0}, read only.
//             Window 0x90: COMMON, NOTIFY, ISR, DEVICE, VENDOR_CFG themselves, read only, and PCI_CFG.
//             PCI_CFG (virtio 1.2, 4.1.4.9): an access of pci_cfg_data is one of cap.length bytes at cap.offset of
//             cap.bar. That must be 1, 2 or 4 bytes of BAR 0 at a multiple of the length; anything else
//             reads all ones and writes nothing. A reset of the function clears bar, offset, length and data.
// Handshake   read_received and write_received are pulses; accesses are done in order, up to 8 may wait.
//             read_data_valid is a pulse for each read of a register of the window, 3 cycles after it; for
//             pci_cfg_data after the register bus has answered, some 20 cycles later.
//             rb: register bus, this is a master; rb_req is never valid if ConfigFull = 0.
// Parameters  ConfigFull  see above

module vhp_cfg_ext #(
  parameter bit ConfigFull = 1'b0
) (
  input  logic                      clk_i,
  input  logic                      rst_i,
  input  logic                      read_received_i,
  input  logic                      write_received_i,
  input  logic [9:0]                register_number_i,   // dword
  input  logic [7:0]                function_number_i,
  input  logic [31:0]               write_data_i,
  input  logic [3:0]                write_byte_enable_i,
  output logic [31:0]               read_data_o,
  output logic                      read_data_valid_o,

  input  logic [vhp_pkg::NumFn-1:0] flr_i,

  output logic                      rb_req_valid_o,
  input  logic                      rb_req_ready_i,
  output vhp_pkg::rb_req_t          rb_req_o,
  input  logic                      rb_rsp_valid_i,
  input  vhp_pkg::rb_rsp_t          rb_rsp_i,

  output logic                      idle_o
);

  localparam logic [9:0] First = ConfigFull ? 10'h024 : 10'h02c;
  localparam logic [9:0] Last  = ConfigFull ? 10'h03f : 10'h02f;
  localparam logic [7:0] Base  = {First[5:0], 2'b00};

  // ---------------------------------------------------------------- accesses of the window, in order
  typedef struct packed {
    logic        write;
    logic [7:0]  func;
    logic [7:0]  index;   // dword of the window
    logic [3:0]  be;
    logic [31:0] data;
  } access_t;

  access_t    in, head;
  logic       in_ready, head_valid, pop;
  logic [3:0] level;
  wire        hit = register_number_i >= First && register_number_i <= Last;
  assign in = '{write: write_received_i, func: vhp_pcie_pkg::block_fn(function_number_i), index: 8'(register_number_i - First),
                be: write_byte_enable_i, data: write_data_i};

  vhp_stream_fifo #(.Width($bits(access_t)), .Depth(8)) u_fifo (
    .clk_i, .rst_i,
    .in_valid_i((read_received_i || (ConfigFull && write_received_i)) && hit), .in_ready_o(in_ready), .in_data_i(in),
    .out_valid_o(head_valid), .out_ready_i(pop), .out_data_o(head), .level_o(level)
  );

  wire        built   = head.func != 8'd0 && head.func < 8'(vhp_pkg::NumFn);
  wire [31:0] content = ConfigFull ? vhp_virtio_caps_pkg::config_dword(Base, head.index) :
                                     vhp_virtio_caps_pkg::locator_dword(head.index[1:0]);

  if (!ConfigFull) begin : g_small
    assign pop            = head_valid;
    assign rb_req_valid_o = 1'b0;
    assign rb_req_o       = '0;
    assign idle_o         = level == '0 && !read_data_valid_o && !read_received_i;
    always_ff @(posedge clk_i) begin
      read_data_o       <= built ? content : 32'd0;
      read_data_valid_o <= !rst_i && head_valid;
    end
    wire unused = &{1'b0, flr_i, rb_req_ready_i, rb_rsp_valid_i, rb_rsp_i, head.write, head.be, head.data, head.index[7:2]};
  end else begin : g_full

    // -------------------------------------------------------------- PCI_CFG
    typedef struct packed {
      logic [31:0] data;
      logic [31:0] length;
      logic [31:0] offset;
      logic [7:0]  bar;
    } window_t;
    window_t [vhp_pkg::NumFn-1:0] window_q;

    typedef enum logic [1:0] {Take, Check, Offer, Wait} state_e;
    state_e  state_q;
    logic       write_q;   // the access of pci_cfg_data under way
    logic [7:0] func_q;
    window_t    w_q;       // its function's window
    logic    legal_q;

    localparam logic [7:0] AtWindow = vhp_virtio_caps_pkg::AtPciCfg / 8'd4;
    wire is_data = built && head.index == AtWindow + 8'd4;

    function automatic logic [31:0] merge(input logic [31:0] old, input logic [31:0] data, input logic [3:0] be);
      for (int unsigned i = 0; i < 4; i++) merge[8*i +: 8] = be[i] ? data[8*i +: 8] : old[8*i +: 8];
    endfunction

    wire [4:0]  shift   = {w_q.offset[1:0], 3'b000};
    wire [3:0]  bytes   = w_q.length[2] ? 4'hf : w_q.length[1] ? 4'h3 : 4'h1;
    wire [31:0] keep    = w_q.length[2] ? 32'hffff_ffff : w_q.length[1] ? 32'h0000_ffff : 32'h0000_00ff;
    wire        aligned = w_q.length == 32'd1 || (w_q.length == 32'd2 && !w_q.offset[0]) ||
                          (w_q.length == 32'd4 && w_q.offset[1:0] == 2'd0);
    wire        fits    = w_q.bar == 8'd0 && w_q.offset < vhp_virtio_caps_pkg::BarLen;
    wire [31:0] answer  = (rb_rsp_i.rdata >> shift) & keep;

    assign pop            = head_valid && state_q == Take;
    assign rb_req_valid_o = state_q == Offer;
    always_comb begin
      rb_req_o       = '0;
      rb_req_o.func  = func_q;
      rb_req_o.addr  = {w_q.offset[23:2], 2'b00};
      rb_req_o.write = write_q;
      rb_req_o.be    = bytes << w_q.offset[1:0];
      rb_req_o.wdata = w_q.data << shift;
    end
    assign idle_o = level == '0 && state_q == Take && !read_data_valid_o && !read_received_i && !write_received_i;

    always_ff @(posedge clk_i) begin
      read_data_valid_o <= 1'b0;
      case (state_q)
        Take: begin
          write_q     <= head.write;
          func_q      <= head.func;
          read_data_o <= built ? content : 32'd0;
          for (int unsigned f = 1; f < vhp_pkg::NumFn; f++) begin
            if (head.func == 8'(f)) begin
              w_q <= window_q[f];
              if (head.write && head.index == AtWindow + 8'd4) w_q.data <= merge(window_q[f].data, head.data, head.be);
              if (!head.write) begin
                if (head.index == AtWindow + 8'd1) read_data_o <= {24'd0, window_q[f].bar};
                if (head.index == AtWindow + 8'd2) read_data_o <= window_q[f].offset;
                if (head.index == AtWindow + 8'd3) read_data_o <= window_q[f].length;
              end
            end
          end
          if (head_valid) begin
            if (is_data) state_q           <= Check;
            else         read_data_valid_o <= !head.write;
          end
        end
        Check: begin
          legal_q <= aligned && fits;
          state_q <= aligned && fits ? Offer : Wait;
        end
        Offer: if (rb_req_ready_i) state_q <= Wait;
        default: ;
      endcase
      // The answer of the register bus, perhaps in the cycle in which it takes the request; nothing to wait for if the
      // window shows nothing.
      if ((state_q == Offer && rb_req_ready_i && rb_rsp_valid_i) || (state_q == Wait && (!legal_q || rb_rsp_valid_i))) begin
        state_q           <= Take;
        read_data_o       <= !legal_q || rb_rsp_i.err ? 32'hffff_ffff : answer;
        read_data_valid_o <= !write_q;
      end

      for (int unsigned f = 1; f < vhp_pkg::NumFn; f++) begin
        if (state_q == Take && head_valid && head.write && head.func == 8'(f)) begin
          if (head.index == AtWindow + 8'd1 && head.be[0]) window_q[f].bar <= head.data[7:0];
          if (head.index == AtWindow + 8'd2) window_q[f].offset <= merge(window_q[f].offset, head.data, head.be);
          if (head.index == AtWindow + 8'd3) window_q[f].length <= merge(window_q[f].length, head.data, head.be);
          if (head.index == AtWindow + 8'd4) window_q[f].data   <= merge(window_q[f].data, head.data, head.be);
        end
        if (state_q == Wait && legal_q && rb_rsp_valid_i && !write_q && func_q == 8'(f))
          window_q[f].data <= (window_q[f].data & ~keep) | answer;
        if (flr_i[f]) window_q[f] <= '0;
      end
      window_q[0] <= '0;   // function 0 has no such capability
      if (rst_i) begin
        state_q           <= Take;
        read_data_valid_o <= 1'b0;
        window_q          <= '0;
      end
    end

    wire unused = &{1'b0, flr_i[0], w_q.offset[31:24], w_q.bar, w_q.length[31:3]};
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && read_received_i && hit) assert (in_ready) else $error("more than 8 configuration accesses wait (%m)");
  end
`endif

endmodule
