# SPDX-License-Identifier: Apache-2.0
#
# One FPGA image, from sources to flash file, in Vivado's batch mode (2021.1 or later):
#
#   vivado -mode batch -source rtl/boards/vivado/build.tcl -tclargs BOARD OUT FIRMWARE SOURCE...
#
#   BOARD     directory below rtl/boards/
#   OUT       where everything goes: vhp-BOARD.bit, .mcs, .json, reports, checkpoint; vhp-BOARD-golden.bit on boards whose
#             golden image is ours
#   FIRMWARE  RAM image of the firmware ($readmemh)
#   SOURCE    RTL in compile order, without rtl/boards/
#
# Ends with an error, and writes no image, if anything is not as it must be: latches, the firmware's image not found, a
# property that the IP does not take, timing not met, an image that does not fit the flash.

set here [file dirname [file normalize [info script]]]
source [file join $here boards.tcl]
source [file join $here pcie.tcl]

namespace eval ::vhp {}

proc ::vhp::say {text} { puts "vhp: $text" }

proc ::vhp::read_sources {sources firmware out} {
    variable boards
    foreach file [concat $sources [lsort [glob -directory $boards *.sv]]] {
        if {[file extension $file] eq ".sv"} { read_verilog -sv $file } else { read_verilog $file }
    }
    # By name, so that the parameter needs no path; .mem is the extension that the tool knows.
    set image [file join $out firmware.mem]
    file copy -force $firmware $image
    read_mem $image
}

# What of rtl/boards/ goes into the image of a board.
proc ::vhp::board_files {board} {
    variable boards
    concat [lsort [glob -directory $boards *.sv]] [dict get $board xdc] \
        [lsort [glob -directory [file join $boards vivado] *.tcl]] [file join [file dirname [dict get $board xdc]] board.tcl]
}

# What synthesis takes for a warning and a card would not survive.
proc ::vhp::strict_messages {} {
    foreach {id what} {
        {Synth 8-327}  {latch inferred}
        {Synth 8-4445} {$readmem file not found}
        {Synth 8-2898} {$readmem file not found}
        {Synth 8-6859} {several drivers}
        {Synth 8-3352} {several drivers}
        {Synth 8-295}  {combinational loop}
        {Vivado 12-584} {no such port}
        {Common 17-55}  {constraint on nothing}
    } {
        set_msg_config -id $id -new_severity ERROR
    }
}

# Slack of the worst path of a kind; no path at all is wrong too.
proc ::vhp::worst_slack {kind} {
    set path [get_timing_paths -$kind -max_paths 1 -nworst 1]
    if {[llength $path] == 0} { error "no $kind path is timed: are the clocks there?" }
    return [get_property SLACK $path]
}

# Keeps the card on the PCIe block's die: it is much smaller than one, and no path of it then crosses dies.
proc ::vhp::floorplan {board} {
    if {![dict exists $board slr]} return
    create_pblock card
    add_cells_to_pblock [get_pblocks card] [get_cells u_card]
    resize_pblock [get_pblocks card] -add [dict get $board slr]
}

proc ::vhp::implement {board out} {
    floorplan $board
    opt_design -directive Explore
    place_design -directive ExtraTimingOpt
    phys_opt_design -directive AggressiveExplore
    route_design -directive AggressiveExplore
    if {[worst_slack setup] < 0} {
        say "setup slack [worst_slack setup] ns after routing: one more round"
        phys_opt_design -directive AggressiveExplore
    }
    write_checkpoint -force [file join $out routed.dcp]
    report_timing_summary -max_paths 10 -file [file join $out timing.rpt]
    report_utilization -hierarchical -file [file join $out utilization.rpt]
    report_drc -file [file join $out drc.rpt]
    report_methodology -file [file join $out methodology.rpt]
    report_power -file [file join $out power.rpt]
}

# What an image is: a number that follows from everything it is made of. It stands in the bitstream's USR_ACCESS word, which
# the running card shows (vhp_boot.image). Bit 31 marks a golden image; 0 would be no mark.
proc ::vhp::build_id {board files} {
    set crc [zlib crc32 "[dict get $board name] [dict get $board part] [version -short]"]
    foreach file $files {
        set channel [open $file rb]
        set crc [zlib crc32 [read $channel] $crc]
        close $channel
    }
    return [expr {$crc & 0x7fffffff | 1}]
}

# Ways to and from the configuration primitives, which belong to no clock. Outgoing data has half a period of the flash's
# clock (16 ns) for its way, what comes in 28 ns for clock, flash and way back (vhp_spi_shift), words for ICAPE3 half a
# period of its clock (16 ns).
proc ::vhp::constrain_config {board} {
    set clock [get_clocks -of_objects [get_pins u_pcie/user_clk]]
    set_max_delay -datapath_only 4.0 -from $clock \
        -to [get_pins {u_config/u_startup/USRCCLKO u_config/u_startup/FCSBO u_config/u_startup/DO[*] u_config/u_startup/DTS[*]}]
    set_max_delay -datapath_only 4.0 -from [get_pins {u_config/u_startup/DI[*]}] -to $clock
    create_generated_clock -name icap_clk -source [get_pins u_config/icap_clk_q_reg/C] -divide_by 8 \
        [get_pins u_config/icap_clk_q_reg/Q]
    set_max_delay -datapath_only 8.0 -from $clock \
        -to [get_pins {u_config/u_icap/I[*] u_config/u_icap/CSIB u_config/u_icap/RDWRB}]
    set_false_path -from [get_pins {u_config/u_icap/AVAIL u_config/u_access/DATA[*]}]
    if {[dict get $board flash chips] == 2} {
        set_max_delay -datapath_only 8.0 -from $clock -to [get_ports {flash2_cs_n flash2_dq[*]}]
        set_max_delay -datapath_only 8.0 -from [get_ports {flash2_dq[*]}] -to $clock
    }
}

proc ::vhp::write_bit {file access} {
    set_property BITSTREAM.CONFIG.USR_ACCESS [format 0x%08X $access] [current_design]
    write_bitstream -force $file
    return [file size $file]
}

# The image, and what the flash then holds: a sector for the guard that xbflash2 writes while it is at work, left erased,
# and the image behind it. The loader runs over the erased sector. Where the golden image is ours it is the same design,
# which goes on to the user slot at power-on, and stays if nothing whole is found there in time (about 5 s).
proc ::vhp::write_image {board out slack id} {
    set base [file join $out vhp-[dict get $board name]]
    set flash [dict get $board flash]
    set start [dict get $flash start]
    set lands [expr {$start + [dict get $flash sector]}]
    set size [write_bit $base.bit $id]
    set room [expr {([dict get $flash mib] << 20) - $lands}]
    if {$size > $room} { error "$base.bit has $size bytes, the flash takes $room from $lands on" }
    set load "up [format 0x%08X $lands] $base.bit"
    if {[dict get $flash golden] eq "own"} {
        set golden $base-golden.bit
        # Both chips of a pair get the same address, half of the pair's.
        set_property BITSTREAM.CONFIG.NEXT_CONFIG_ADDR [format 0x%08X [expr {$start / [dict get $flash chips]}]] [current_design]
        set_property BITSTREAM.CONFIG.NEXT_CONFIG_REBOOT ENABLE [current_design]
        set_property BITSTREAM.CONFIG.TIMER_CFG 0x00100000 [current_design]
        set golden_size [write_bit $golden [expr {$id | 0x80000000}]]
        if {$golden_size > $start} { error "$golden has $golden_size bytes, the user slot begins at $start" }
        set load "up 0x00000000 $golden $load"
    }
    write_cfgmem -force -format mcs -size [dict get $flash mib] -interface [dict get $flash interface] -loadbit $load \
        -file $base.mcs
    set channel [open $base.json w]
    puts $channel [format {{"board": "%s", "part": "%s", "idcode": "0x%08x", "usr_access": "0x%08x", "tool": "Vivado %s", "bytes": %d, "flash_start": %d, "flash_image": %d, "golden": "%s", "setup_slack_ns": %s, "hold_slack_ns": %s}} \
        [dict get $board name] [dict get $board part] [dict get $board idcode] $id [version -short] $size $start $lands \
        [dict get $flash golden] {*}$slack]
    close $channel
    say "$base.bit, $size bytes, USR_ACCESS [format 0x%08x $id], setup slack [lindex $slack 0] ns"
}

proc ::vhp::build {name out firmware args} {
    if {[llength $args] == 0} { error "no sources" }
    set board [load_board $name]
    file mkdir $out
    say "[dict get $board title], [dict get $board part], [dict get $board block] [dict get $board speed] x[dict get $board lanes]"

    create_project -in_memory -part [dict get $board part]
    strict_messages
    read_sources $args $firmware $out
    create_pcie $board [functions] [file join $out ip]
    read_xdc [dict get $board xdc]

    set defines {SYNTHESIS}
    if {[dict get $board hbm]} { lappend defines VHP_BOARD_HBM }
    if {[dict get $board flash chips] == 2} { lappend defines VHP_BOARD_FLASH2 }
    set options {}
    foreach define $defines { lappend options -verilog_define $define }
    # Numbers with their width: the tool takes them as they are.
    binary scan [dict get $board name] H* letters
    foreach {name value} [list Lanes [dict get $board lanes] BlockWidth [dict get $board width] \
                              BoardName 128'h$letters Idcode [format 32'h%08x [dict get $board idcode]] \
                              FlashStart [format 32'h%08x [dict get $board flash start]] \
                              FlashSizeLog2 [dict get $board flash size_log2] FlashChips [dict get $board flash chips]] {
        lappend options -generic $name=$value
    }
    synth_design -top vhp_board -part [dict get $board part] -flatten_hierarchy rebuilt {*}$options
    constrain_config $board
    write_checkpoint -force [file join $out synth.dcp]
    implement $board $out

    set slack [list [worst_slack setup] [worst_slack hold]]
    if {[lindex $slack 0] < 0 || [lindex $slack 1] < 0} {
        error "timing is not met: setup slack [lindex $slack 0] ns, hold slack [lindex $slack 1] ns ([file join $out timing.rpt])"
    }
    write_image $board $out $slack [build_id $board [list $firmware {*}$args {*}[board_files $board]]]
}

if {[llength $argv] < 4} { error "usage: build.tcl BOARD OUT FIRMWARE SOURCE..." }
::vhp::build {*}$argv
