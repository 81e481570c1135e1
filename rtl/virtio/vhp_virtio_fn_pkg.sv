// SPDX-License-Identifier: Apache-2.0
//
// A vhost-pci-net function inside: pages of its BAR 0, words of its RAM, its registers as the read path sees them.

package vhp_virtio_fn_pkg;

  localparam logic [15:0] NoVector = 16'hffff;

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
  localparam word_t WGsiEnd       = WGsi + word_t'(vhp_regs_pkg::FnPeerGsiCount);
  localparam word_t WQueue        = word_t'(vhp_regs_pkg::FnQueueBase >> 2);      // eight words per queue
  localparam word_t WEnd          = word_t'((vhp_regs_pkg::FnQueueBase
                                             + vhp_regs_pkg::FnQueueStride * vhp_regs_pkg::FnQueueCount) >> 2);

  // What is in registers.
  typedef struct packed {
    logic [31:0] dev_sel;
    logic [31:0] drv_sel;
    logic [63:0] drv_feat;
    logic [15:0] config_vector;
    logic [15:0] queue_sel;
    logic [15:0] peer_conn;
    logic [15:0] peer_num_rx;
    logic [15:0] peer_sel;
    logic [15:0] num_queues;      // as the firmware wrote it
    logic [7:0]  status;
    logic [7:0]  generation;
    logic [5:0]  events;
    logic [5:0]  event_enable;
    logic        peer_irq_en;
    logic [31:0] ignored;
    logic [31:0] irq_sent;
    logic [31:0] irq_refused;
    logic [31:0] doorbells;
    logic [31:0] peer_bells;
  } regs_t;

  // An unusable vector number reads back as NO_VECTOR (virtio 1.x, 4.1.5.1.2).
  function automatic logic [15:0] usable_vector(input logic [15:0] vector);
    usable_vector = 32'(vector) < vhp_pkg::VecPerFn ? vector : NoVector;
  endfunction

endpackage
