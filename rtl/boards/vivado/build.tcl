# SPDX-License-Identifier: Apache-2.0
#
# One FPGA image, from sources to flash file, in Vivado's batch mode (2021.1 or later):
#
#   vivado -mode batch -source rtl/boards/vivado/build.tcl -tclargs BOARD OUT FIRMWARE SOURCE...
#
#   BOARD     directory below rtl/boards/
#   OUT       where everything goes: vhp-BOARD.bit, .mcs, .json, reports, checkpoint
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

proc ::vhp::write_image {board out slack} {
    set base [file join $out vhp-[dict get $board name]]
    set flash [dict get $board flash]
    write_bitstream -force $base.bit
    set size [file size $base.bit]
    set room [expr {([dict get $flash mib] << 20) - [dict get $flash start]}]
    if {$size > $room} { error "$base.bit has $size bytes, the flash takes $room from [dict get $flash start] on" }
    write_cfgmem -force -format mcs -size [dict get $flash mib] -interface [dict get $flash interface] \
        -loadbit "up [dict get $flash start] $base.bit" -file $base.mcs
    set channel [open $base.json w]
    puts $channel [format {{"board": "%s", "part": "%s", "tool": "Vivado %s", "bytes": %d, "flash_start": %d, "setup_slack_ns": %s, "hold_slack_ns": %s}} \
        [dict get $board name] [dict get $board part] [version -short] $size [dict get $flash start] {*}$slack]
    close $channel
    say "$base.bit, $size bytes, setup slack [lindex $slack 0] ns"
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
    set options {}
    foreach define $defines { lappend options -verilog_define $define }
    lappend options -generic Lanes=[dict get $board lanes] -generic BlockWidth=[dict get $board width]
    synth_design -top vhp_board -part [dict get $board part] -flatten_hierarchy rebuilt {*}$options
    write_checkpoint -force [file join $out synth.dcp]
    implement $board $out

    set slack [list [worst_slack setup] [worst_slack hold]]
    if {[lindex $slack 0] < 0 || [lindex $slack 1] < 0} {
        error "timing is not met: setup slack [lindex $slack 0] ns, hold slack [lindex $slack 1] ns ([file join $out timing.rpt])"
    }
    write_image $board $out $slack
}

if {[llength $argv] < 4} { error "usage: build.tcl BOARD OUT FIRMWARE SOURCE..." }
::vhp::build {*}$argv
