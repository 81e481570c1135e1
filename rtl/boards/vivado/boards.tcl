# SPDX-License-Identifier: Apache-2.0
#
# Boards and parts as data, and the design's own numbers, for the build and for the checks. Plain Tcl, no Vivado command.
#
# rtl/boards/<name>/board.tcl sets `board`, a dict:
#   title     name for people
#   part      FPGA with package and speed grade
#   idcode    its IDCODE, without the revision
#   block     pcie4 or pcie4c: which hard block, hence which IP
#   speed     8.0_GT/s or 16.0_GT/s
#   lanes     8 or 16
#   width     bits of the block's user side at 250 MHz
#   location  optional: site of the block; without it the IP's default for the part
#   quad      optional: transceiver quad of lane 0, where the IP must be told
#   slr       optional: the die that holds the block, on parts of several; the whole card is kept there
#   hbm       1: the part has HBM, so the top has hbm_cattrip
#   flash     dict: interface of write_cfgmem (SPIx8: two chips), mib (all chips together), start (byte address of the user
#             slot: a sector for the guard, then the image), golden (maker: what lies below start belongs to the board's
#             maker; own: we put an image there that goes on to the user slot)

namespace eval ::vhp {
    variable here [file dirname [file normalize [info script]]]
    variable boards [file dirname $here]
    variable rtl [file dirname $boards]

    # What the parts hold (product tables): CLB LUTs and flip-flops, 36 kbit block RAMs, 288 kbit UltraRAMs, DSP slices.
    variable resources {
        xcu50  {lut  871680 ff 1743360 ramb36 1344 uram  640 dsp  5952}
        xcu200 {lut 1182240 ff 2364480 ramb36 2160 uram  960 dsp  6840}
        xcu250 {lut 1728000 ff 3456000 ramb36 2688 uram 1280 dsp 12288}
        xcu280 {lut 1303680 ff 2607360 ramb36 2016 uram  960 dsp  9024}
        xcu55c {lut 1303680 ff 2607360 ramb36 2016 uram  960 dsp  9024}
        xcvu9p {lut 1182240 ff 2364480 ramb36 2160 uram  960 dsp  6840}
        xcku3p {lut  162720 ff  325440 ramb36  360 uram   48 dsp  1368}
    }
}

proc ::vhp::board_names {} {
    variable boards
    lsort [lmap f [glob -nocomplain -directory $boards */board.tcl] {file tail [file dirname $f]}]
}

# The board's dict; an error says what is wrong with it.
proc ::vhp::load_board {name} {
    variable boards
    variable resources
    set file [file join $boards $name board.tcl]
    if {![regexp {^\w+$} $name] || ![file exists $file]} {
        error "no board is called \"$name\"; there are: [join [board_names] {, }]"
    }
    source $file
    foreach key {title part idcode block speed lanes width hbm flash} {
        if {![dict exists $board $key]} { error "$file: no $key" }
    }
    foreach key [dict keys $board] {
        if {$key ni {title part idcode block speed lanes width location quad slr hbm flash}} { error "$file: what is \"$key\"?" }
    }
    foreach key {interface mib start golden} {
        if {![dict exists $board flash $key]} { error "$file: no $key in flash" }
    }
    if {[dict get $board block] ni {pcie4 pcie4c}} { error "$file: block is pcie4 or pcie4c" }
    # PG213: the clock frequencies and interface widths at 250 MHz that vhp_board can use.
    set link [list [dict get $board block] [dict get $board speed] [dict get $board lanes] [dict get $board width]]
    if {$link ni {{pcie4 8.0_GT/s 16 512} {pcie4c 8.0_GT/s 16 512} {pcie4c 16.0_GT/s 8 512} {pcie4 8.0_GT/s 8 256}
                  {pcie4c 8.0_GT/s 8 256}}} {
        error "$file: no block does {$link} at 250 MHz"
    }
    if {![string is integer -strict [dict get $board idcode]] || [dict get $board idcode] >> 28} {
        error "$file: idcode is 28 bits"
    }
    dict with board flash {
        if {$start >= $mib << 20} { error "$file: the image starts behind the end of the flash" }
        if {$golden ni {maker own}} { error "$file: golden is maker or own" }
        set chips [expr {$interface eq "SPIx8" ? 2 : 1}]
        set size_log2 [expr {int(round(log(($mib << 20) / $chips) / log(2)))}]
        if {$chips << $size_log2 != $mib << 20} { error "$file: a chip's size is a power of two" }
        # A sector of each chip: what is erased at once.
        set sector [expr {$chips * 4096}]
        if {$start % $sector || $start == 0} { error "$file: start is a multiple of $sector, and behind the golden image" }
    }
    dict set board flash chips $chips
    dict set board flash size_log2 $size_log2
    dict set board flash sector $sector
    if {[string length $name] > 16} { error "$name: the card shows names of up to 16 characters" }
    dict set board name $name
    dict set board device [lindex [split [dict get $board part] -] 0]
    if {![dict exists $resources [dict get $board device]]} {
        error "$file: resources of [dict get $board device] are not in [info script]"
    }
    dict set board resources [dict get $resources [dict get $board device]]
    dict set board xdc [file join $boards $name $name.xdc]
    return $board
}

# A number of a SystemVerilog package: decimal or sized hexadecimal localparam.
proc ::vhp::sv_number {file name} {
    set channel [open $file]
    set text [read $channel]
    close $channel
    set pattern [format {localparam[^;=]*\m%s\s*=\s*(\d+'h)?([0-9a-fA-F]+)\s*;} $name]
    if {![regexp $pattern $text -> base digits]} { error "$file: no number is called $name" }
    return [expr {$base eq "" ? $digits : "0x$digits"}]
}

# What the hard block must be told of the card's functions; BARs are {number log2 prefetchable}. vf: a virtual function (of
# ::vhp::parent).
proc ::vhp::functions {} {
    variable rtl
    set pkg [file join $rtl lib vhp_pkg.sv]
    set ports [sv_number $pkg NumPorts]
    set aperture [sv_number $pkg ApertureLog2]
    set common [dict create revision 01 subvendor 10ee subdevice 5650 \
        vectors [sv_number $pkg VecPerFn] \
        table [sv_number [file join $rtl pcie vhp_pcie_pkg.sv] MsixTableOffset] \
        pba [sv_number [file join $rtl pcie vhp_pcie_pkg.sv] MsixPbaOffset]]
    # Function 0: the peer function, a processing accelerator.
    lappend list [dict merge $common {vendor 10ee device 5650 class 120000 bars {{0 16 0} {2 18 0} {4 16 0}} vf 0}]
    # The vhost-pci-net functions. The aperture is prefetchable: it is memory, and a bridge takes a window beyond 4 GiB
    # for prefetchable BARs only.
    for {set f 1} {$f <= $ports} {incr f} {
        set bars {{0 18 0}}
        if {$aperture} { lappend bars [list 2 $aperture 1] }
        lappend list [dict merge $common [dict create vendor 1af4 device 107f class 020000 bars $bars vf [expr {$f > 2}]]]
    }
    return $list
}

# Physical function 3, if there are virtual functions: they have its vendor, and it has nothing else. Device ids from 10f0 on
# are for those who have none; virtio drivers leave it alone.
proc ::vhp::parent {} {
    dict create revision 01 subvendor 10ee subdevice 5650 vendor 1af4 device 10f0 class 088000 bars {} vectors 0
}
