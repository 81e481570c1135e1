// SPDX-License-Identifier: Apache-2.0
//
// Configuration-space extension: the vendor capabilities of the vhost-pci-net functions (docs/architecture.md).
//
// Purpose     Answers the hard block's cfg_ext reads. The window is 0xb0..0xbf (ConfigFull = 0) or 0x90..0xff
//             (ConfigFull = 1); the hard block's own capability list of functions 1.. must end in a next pointer to the
//             window's first byte. Function 0 and functions that are not built have no capability there: their
//             dwords read 0 and their list must not point to the window.
//             Window 0xb0: the locator {VENDOR_CFG, 0x10ee, bar, version, offset, length of the list in BAR 0}.
//             Window 0x90: COMMON, NOTIFY, ISR, DEVICE, VENDOR_CFG themselves. PCI_CFG is not offered.
//             Everything is read only; writes are ignored.
// Handshake   read_received is a pulse; read_data_valid follows one cycle later for registers of the window only.
// Parameters  ConfigFull  see above

module vhp_cfg_ext #(
  parameter bit ConfigFull = 1'b0
) (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        read_received_i,
  input  logic [9:0]  register_number_i,   // dword
  input  logic [7:0]  function_number_i,
  output logic [31:0] read_data_o,
  output logic        read_data_valid_o
);

  localparam logic [9:0] First = ConfigFull ? 10'h024 : 10'h02c;
  localparam logic [9:0] Last  = ConfigFull ? 10'h03f : 10'h02f;
  localparam logic [7:0] Base  = {First[5:0], 2'b00};

  wire        hit     = register_number_i >= First && register_number_i <= Last;
  wire        built   = function_number_i != 8'd0 && function_number_i < 8'(vhp_pkg::NumFn);
  wire [7:0]  index   = 8'(register_number_i - First);
  wire [31:0] content = ConfigFull ? vhp_virtio_caps_pkg::list_dword(Base, index) :
                                     vhp_virtio_caps_pkg::locator_dword(index[1:0]);

  always_ff @(posedge clk_i) begin
    read_data_o <= built ? content : 32'd0;
    if (rst_i) read_data_valid_o <= 1'b0;
    else       read_data_valid_o <= read_received_i && hit;
  end

endmodule
