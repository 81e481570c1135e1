// SPDX-License-Identifier: Apache-2.0
//
// The virtio capabilities of a vhost-pci-net function (virtio 1.2, 4.1.4), as dwords.
//
// One chain, two homes: at offset 0 of BAR 0 (cap_next counts from the list's start), and, where the hard block
// leaves room, in configuration space from 0x90 (cap_next is a configuration address). 0 ends the chain. Order:
// COMMON, NOTIFY, ISR, DEVICE, VENDOR_CFG (aligned peer block); in configuration space PCI_CFG after them.
// The third structure here is the locator: the one vendor capability of a hard block with a 16-byte window.

package vhp_virtio_caps_pkg;

  localparam logic [7:0] CapVendor = 8'h09;

  localparam logic [7:0] CfgCommon = 8'd1;
  localparam logic [7:0] CfgNotify = 8'd2;
  localparam logic [7:0] CfgIsr    = 8'd3;
  localparam logic [7:0] CfgDevice = 8'd4;
  localparam logic [7:0] CfgPciCfg = 8'd5;
  localparam logic [7:0] CfgVendor = 8'd9;

  localparam logic [15:0] VendorId = 16'h10ee;
  localparam logic [7:0]  VendorVersion = 8'd1;

  // Where the structures stand in BAR 0 (addrmap vhp_fn_bar) and how long they are.
  localparam logic [31:0] ListOffset   = 32'h0_0000;
  localparam logic [31:0] CommonOffset = 32'h0_1000;
  localparam logic [31:0] CommonLen    = 32'd82;
  localparam logic [31:0] IsrOffset    = 32'h0_2000;
  localparam logic [31:0] IsrLen       = 32'd1;
  localparam logic [31:0] DeviceOffset = 32'h0_3000;
  localparam logic [31:0] DeviceLen    = 32'd12;
  localparam logic [31:0] PeerOffset   = 32'h0_4000;
  localparam logic [31:0] PeerLen      = 32'd32;
  localparam logic [31:0] NotifyOffset = 32'h1_0000;
  localparam logic [31:0] NotifyStep   = 32'd4096;   // notify_off_multiplier
  localparam logic [31:0] NotifyLen    = vhp_pkg::FnVqs * NotifyStep;
  localparam logic [31:0] BarLen       = 32'h4_0000;

  // Start of each structure in the list, and the list's length in bytes.
  localparam logic [7:0] AtCommon = 8'd0;
  localparam logic [7:0] AtNotify = 8'd16;
  localparam logic [7:0] AtIsr    = 8'd36;
  localparam logic [7:0] AtDevice = 8'd52;
  localparam logic [7:0] AtVendor = 8'd68;
  localparam logic [7:0] ListLen  = 8'd84;
  localparam logic [7:0] AtPciCfg = 8'd84;   // in configuration space only

  localparam int unsigned ListDwords = 21;

  // {cfg_type, cap_len, cap_next, 0x09}
  function automatic logic [31:0] cap_head(input logic [7:0] next, input logic [7:0] len, input logic [7:0] kind);
    cap_head = {kind, len, next, CapVendor};
  endfunction

  // Dword `index` of the list; `base` is what cap_next counts from: 0 in the BAR, 0x90 in configuration space.
  // Beyond the list: 0.
  function automatic logic [31:0] list_dword(input logic [7:0] base, input logic [7:0] index);
    case (index)
      8'd0:    list_dword = cap_head(base + AtNotify, 8'd16, CfgCommon);
      8'd1:    list_dword = 32'd0;                      // bar 0, id 0, padding
      8'd2:    list_dword = CommonOffset;
      8'd3:    list_dword = CommonLen;
      8'd4:    list_dword = cap_head(base + AtIsr, 8'd20, CfgNotify);
      8'd5:    list_dword = 32'd0;
      8'd6:    list_dword = NotifyOffset;
      8'd7:    list_dword = NotifyLen;
      8'd8:    list_dword = NotifyStep;
      8'd9:    list_dword = cap_head(base + AtDevice, 8'd16, CfgIsr);
      8'd10:   list_dword = 32'd0;
      8'd11:   list_dword = IsrOffset;
      8'd12:   list_dword = IsrLen;
      8'd13:   list_dword = cap_head(base + AtVendor, 8'd16, CfgDevice);
      8'd14:   list_dword = 32'd0;
      8'd15:   list_dword = DeviceOffset;
      8'd16:   list_dword = DeviceLen;
      8'd17:   list_dword = cap_head(8'd0, 8'd16, CfgVendor);
      8'd18:   list_dword = {VendorVersion, 8'd0, VendorId};   // version, bar, vendor_id
      8'd19:   list_dword = PeerOffset;
      8'd20:   list_dword = PeerLen;
      default: list_dword = 32'd0;
    endcase
  endfunction

  // Dword `index` of the chain in configuration space: the list and PCI_CFG, whose registers (bar, offset, length, data)
  // are vhp_cfg_ext's and read 0 here.
  function automatic logic [31:0] config_dword(input logic [7:0] base, input logic [7:0] index);
    case (index)
      8'd17:   config_dword = cap_head(base + AtPciCfg, 8'd16, CfgVendor);
      8'd21:   config_dword = cap_head(8'd0, 8'd20, CfgPciCfg);
      default: config_dword = list_dword(base, index);
    endcase
  endfunction

  // Dword `index` (0..3) of the locator capability, which says where the list is.
  function automatic logic [31:0] locator_dword(input logic [1:0] index);
    case (index)
      2'd0:    locator_dword = cap_head(8'd0, 8'd16, CfgVendor);
      2'd1:    locator_dword = {VendorVersion, 8'd0, VendorId};
      2'd2:    locator_dword = ListOffset;
      default: locator_dword = {24'd0, ListLen};
    endcase
  endfunction

endpackage
