# SPDX-License-Identifier: Apache-2.0
#
# Stands in for Vivado: tclsh vivado_mock.tcl -mode batch -source SCRIPT -tclargs ARG...
#
# Knows the commands that rtl/boards/vivado uses, with their options, the PCIe IP's parameters (ip_properties.txt) and what
# constraint files may contain; anything else is an error, as it is there. It keeps a little state, so that it can refuse
# what the tool would refuse or silently change. It writes the files that the tool would write.
#
#   MOCK_RECORD    file for the list of calls, one per line
#   MOCK_PORTS     file with the ports of the top, "name bits" per line
#   MOCK_SLACK     setup slack in ns (default 0.05), MOCK_HOLD hold slack (default 0.01)
#   MOCK_BITS      bytes of the bitstream (default 1000000)
#   MOCK_OVERRIDE  "property value": what the IP makes of it, silently

namespace eval mock {
    variable config {}        ;# of the IP
    variable ip ""
    variable part ""
    variable done {}          ;# steps that were taken
    variable places {}        ;# port -> pin
    variable standards {}     ;# port -> IO standard
    variable design {}        ;# properties of the design
    variable ports {}
    variable pblocks {}
    variable here [file dirname [file normalize [info script]]]
    proc env {name default} { if {[info exists ::env($name)]} { return $::env($name) } else { return $default } }
    variable record [open [env MOCK_RECORD /dev/null] w]
}

proc mock::fail {text} { error "mock: $text" }

# One command: its options (name: number of values) and how many plain arguments it takes.
proc mock::command {name options least most body} {
    proc ::$name args [string map [list @name $name @options [list $options] @least $least @most $most @body $body] {
        puts $mock::record [list @name {*}$args]
        set opt {}
        set rest {}
        for {set i 0} {$i < [llength $args]} {incr i} {
            set a [lindex $args $i]
            if {[string match -* $a] && ![string is double $a]} {
                if {![dict exists @options $a]} { mock::fail "@name: no option $a" }
                if {[dict get @options $a]} { dict lappend opt $a [lindex $args [incr i]] } else { dict set opt $a 1 }
            } else { lappend rest $a }
        }
        if {[llength $rest] < @least || [llength $rest] > @most} { mock::fail "@name: [llength $rest] arguments" }
        @body
    }]
}

proc mock::need {step} {
    variable done
    if {$step ni $done} { fail "$step comes first" }
}
proc mock::step {step} { variable done; lappend done $step }
proc mock::touch {file {bytes 100}} {
    if {![file isdirectory [file dirname $file]]} { fail "no directory for $file" }
    set c [open $file w]
    chan truncate $c $bytes
    close $c
}

# --- Parameters of the IP -------------------------------------------------------------------------------------------

proc mock::known_parameters {block} {
    variable here
    set c [open [file join $here ip_properties.txt]]
    set section ""
    foreach line [split [read $c] \n] {
        if {[string match #* $line]} continue
        if {[regexp {^\[(\w+)\]$} $line -> section]} continue
        if {$section ni [list both $block]} continue
        foreach word $line {
            foreach f [expr {[string first @ $word] < 0 ? "0" : "0 1 2 3"}] {
                foreach b [expr {[string first # $word] < 0 ? "0" : "0 1 2 3 4 5"}] {
                    lappend names [string map [list @ $f # $b] $word]
                }
            }
        }
    }
    close $c
    return $names
}

# Values of PG213 where this design sets them.
set mock::values {
    {axisten_if_width}                {64_bit 128_bit 256_bit 512_bit}
    {axisten_freq}                    {62.5 125 250}
    {PL_LINK_CAP_MAX_LINK_SPEED}      {2.5_GT/s 5.0_GT/s 8.0_GT/s 16.0_GT/s}
    {PL_LINK_CAP_MAX_LINK_WIDTH}      {X1 X2 X4 X8 X16}
    {REF_CLK_FREQ}                    {100_MHz 125_MHz 250_MHz}
    {mode_selection}                  {Basic Advanced}
    {device_port_type}                {PCI_Express_Endpoint_device Legacy_PCI_Express_Endpoint_device Root_Port_of_PCI_Express_Root_Complex}
    {sys_reset_polarity}              {ACTIVE_LOW ACTIVE_HIGH}
    {AXISTEN_IF_.Q_ALIGNMENT_MODE}    {DWORD_Aligned Address_Aligned}
    {pf0_dev_cap_max_payload}         {128_bytes 256_bytes 512_bytes 1024_bytes}
    {perf_level}                      {Good High Extreme}
    {MSI_X_OPTIONS}                   {None MSI-X_External MSI-X_Internal MSI-X_AXI4-Stream}
    {TL_PF_ENABLE_REG}                {1 2 3 4}
    {PF\d_INTERRUPT_PIN}              {NONE INTA INTB INTC INTD}
    {PF\d_MSIX_CAP_\w+_BIR}           {BAR_1:0 BAR_3:2 BAR_5:4 BAR_0 BAR_1 BAR_2 BAR_3 BAR_4 BAR_5}
    {pf\d_(sriov_)?bar\d_type}        {Memory N/A}
    {pf\d_(sriov_)?bar\d_scale}       {Kilobytes Megabytes Gigabytes}
    {pf\d_(sriov_)?bar\d_size}        {1 2 4 8 16 32 64 128 256 512}
    {SRIOV_FIRST_VF_OFFSET}           {1 4 64}
}
# Hexadecimal digits.
set mock::digits {
    {(vendor_id|pf\d_vendor_id|PF\d_(DEVICE|SUBSYSTEM|SUBSYSTEM_VENDOR)_ID)} 4
    {PF\d_REVISION_ID} 2
    {pf\d_class_code_(base|sub|interface)} 2
    {(PF|VFG)\d_MSIX_CAP_TABLE_SIZE} 3
    {(PF|VFG)\d_MSIX_CAP_\w+_OFFSET} 8
    {PF\d_SRIOV_VF_DEVICE_ID} 4
    {PF\d_SRIOV_SUPPORTED_PAGE_SIZE} 8
}
set mock::booleans {.*_(STRADDLE|64bit|prefetchable|enabled|if|client_tag|parity|selection|perst|enable)|extended_tag_field|PF0_DEV_CAP_FUNCTION_LEVEL_RESET_CAPABLE|PF\d_Use_Class_Code_Lookup_Assistant|SRIOV_CAP_ENABLE|copy_pf0|copy_sriov_pf0|use_msix_pfs_for_vfs}

proc mock::param {name default} {
    variable config
    # No expr: it would make a number of 00010000.
    if {[dict exists $config $name]} { return [dict get $config $name] }
    return $default
}

proc mock::set_parameter {name value} {
    variable config
    variable known
    variable values
    variable digits
    variable booleans
    if {$name ni $known} { fail "the IP has no parameter $name" }
    set checked 0
    foreach {pattern list} $values {
        if {[regexp "^$pattern\$" $name]} {
            if {$value ni $list} { fail "$name cannot be $value" }
            set checked 1
        }
    }
    foreach {pattern count} $digits {
        if {[regexp "^$pattern\$" $name]} {
            if {![regexp "^\[0-9a-fA-F\]{$count}\$" $value]} { fail "$name cannot be $value" }
            set checked 1
        }
    }
    if {!$checked && [regexp "^($booleans)\$" $name]} {
        if {$value ni {true false}} { fail "$name cannot be $value" }
        set checked 1
    }
    if {[regexp {^PF\d_SRIOV_(CAP_INITIAL_VF|FIRST_VF_OFFSET)$} $name]} {
        if {![string is digit -strict $value] || $value > 252} { fail "$name cannot be $value" }
        set checked 1
    }
    if {!$checked && $name ni {pcie_blk_locn select_quad}} { fail "no rule for the values of $name" }

    # Disabled parameters.
    if {[regexp -nocase {^pf([1-3])_} $name -> f] && $f >= [param TL_PF_ENABLE_REG 1]} { fail "$name: function $f is off" }
    if {[regexp -nocase {^pf[1-3]_(bar|msi|PF)} $name] && [param copy_pf0 true]} { fail "$name: copy_pf0 is on" }
    if {[regexp -nocase {sriov_(?!cap_enable)|^VFG} $name] && ![param SRIOV_CAP_ENABLE false]} { fail "$name: SR-IOV is off" }
    if {[regexp -nocase {^pf[1-3]_sriov} $name] && [param copy_sriov_pf0 true]} { fail "$name: copy_sriov_pf0 is on" }
    if {[string match VFG* $name] && [param use_msix_pfs_for_vfs true]} { fail "$name: use_msix_pfs_for_vfs is on" }
    if {[regexp {^(pf\d)_bar(\d)_} $name -> f b] && $b % 2 && [param ${f}_bar[expr {$b - 1}]_64bit false]} { fail "$name: upper half of a BAR" }
    if {[regexp {^(pf\d_(?:sriov_)?bar\d)_(type|64bit|prefetchable|scale|size)$} $name -> bar] && ![param ${bar}_enabled [string match *bar0 $bar]]} {
        fail "$name: the BAR is off"
    }
    if {[regexp {^AXISTEN_IF_EXT_512} $name] && [param axisten_if_width 64_bit] ne "512_bit"} { fail "$name: not 512 bits wide" }
    if {$name eq "AXISTEN_IF_RC_STRADDLE" && [param axisten_if_width 64_bit] ne "256_bit"} { fail "$name: not 256 bits wide" }
    if {[regexp {^PF\d_MSIX_CAP} $name] && [param MSI_X_OPTIONS None] ni {MSI-X_External MSI-X_Internal}} { fail "$name: no MSI-X" }
    if {$name eq "select_quad" && ![param en_gt_selection false]} { fail "select_quad: en_gt_selection is off" }

    dict set config $name $value
    if {[lindex [env MOCK_OVERRIDE ""] 0] eq $name} { dict set config $name [lindex [env MOCK_OVERRIDE ""] 1] }
    # A BAR's change puts the offsets of the function's MSI-X structures back.
    if {[regexp {^pf(\d)_bar} $name -> f]} {
        foreach what {TABLE_OFFSET PBA_OFFSET} { dict set config PF${f}_MSIX_CAP_$what 00000000 }
    }
    if {[regexp {^pf(\d)_sriov_bar} $name -> f]} {
        foreach what {TABLE_OFFSET PBA_OFFSET} { dict set config VFG${f}_MSIX_CAP_$what 00000000 }
    }
}

proc mock::bytes {f bar {kind ""}} {
    if {![param pf${f}_${kind}bar${bar}_enabled 0]} { return 0 }
    set scale [dict get {Kilobytes 1024 Megabytes 1048576 Gigabytes 1073741824} [param pf${f}_${kind}bar${bar}_scale Kilobytes]]
    expr {$scale * [param pf${f}_${kind}bar${bar}_size 0]}
}

# What the tool finds when it generates the IP.
proc mock::check_ip {} {
    variable ip
    set link [list $ip [param PL_LINK_CAP_MAX_LINK_SPEED ""] [param PL_LINK_CAP_MAX_LINK_WIDTH ""] [param axisten_if_width ""] [param axisten_freq ""]]
    if {$link ni {{pcie4 8.0_GT/s X16 512_bit 250} {pcie4c 8.0_GT/s X16 512_bit 250} {pcie4c 16.0_GT/s X8 512_bit 250}
                  {pcie4 8.0_GT/s X8 256_bit 250} {pcie4c 8.0_GT/s X8 256_bit 250}}} { fail "no such link: $link" }
    for {set f 0} {$f < [param TL_PF_ENABLE_REG 1]} {incr f} {
        if {![param pf${f}_msix_enabled false]} continue
        foreach what {TABLE PBA} size [list [expr {16 * (1 + "0x[param PF${f}_MSIX_CAP_TABLE_SIZE 0]")}] 8] {
            set offset 0x[param PF${f}_MSIX_CAP_${what}_OFFSET 0]
            set bar [string index [string map {BAR_ ""} [param PF${f}_MSIX_CAP_${what}_BIR ""]] end]
            if {$offset + $size > [bytes $f $bar]} { fail "function $f: MSI-X $what at $offset is outside BAR $bar" }
            set range($what) [list [expr {$offset}] [expr {$offset + $size}]]
        }
        if {[lindex $range(TABLE) 0] < [lindex $range(PBA) 1] && [lindex $range(PBA) 0] < [lindex $range(TABLE) 1]} {
            fail "function $f: MSI-X table and PBA overlap"
        }
        foreach bar {0 2 4} {
            if {[bytes $f $bar] > 1 << 31 && !([param pf${f}_bar${bar}_64bit false] && [param pf${f}_bar${bar}_prefetchable false])} {
                fail "function $f: BAR $bar is too large for a window below 4 GiB"
            }
        }
    }
    if {[param SRIOV_CAP_ENABLE false]} { check_sriov }
}

# PG213, SRIOV Config Tab.
proc mock::check_sriov {} {
    if {![param pf0_ari_enabled false] && [param SRIOV_FIRST_VF_OFFSET 0] != 1} { fail "SR-IOV of several functions without ARI" }
    set next [param SRIOV_FIRST_VF_OFFSET 0]
    for {set f 0} {$f < [param TL_PF_ENABLE_REG 1]} {incr f} {
        set count [param PF${f}_SRIOV_CAP_INITIAL_VF 0]
        if {$count < 1} { fail "function $f has no virtual functions" }
        if {[param PF${f}_SRIOV_FIRST_VF_OFFSET 0] != $next - $f} { fail "function $f: its first virtual function is $next" }
        incr next $count
        if {$next > 256} { fail "too many virtual functions" }
        if {![bytes $f 0 sriov_]} { fail "function $f: virtual functions without BAR" }
        foreach what {TABLE PBA} size [list [expr {16 * (1 + "0x[param VFG${f}_MSIX_CAP_TABLE_SIZE 0]")}] 8] {
            if {"0x[param VFG${f}_MSIX_CAP_${what}_OFFSET 0]" + $size > [bytes $f 0 sriov_]} {
                fail "virtual functions of $f: MSI-X $what is outside BAR 0"
            }
        }
        foreach bar {0 2 4} {
            if {[bytes $f $bar sriov_] > 1 << 31 && !([param pf${f}_sriov_bar${bar}_64bit false] && [param pf${f}_sriov_bar${bar}_prefetchable false])} {
                fail "virtual functions of $f: BAR $bar is too large for a window below 4 GiB"
            }
        }
    }
}

# --- Constraint files -----------------------------------------------------------------------------------------------

set mock::design_properties {CFGBVS {GND VCCO} CONFIG_VOLTAGE {1.5 1.8 2.5 3.3} CONFIG_MODE {SPIx1 SPIx2 SPIx4 SPIx8}
    BITSTREAM.GENERAL.COMPRESS {TRUE FALSE} BITSTREAM.CONFIG.SPI_BUSWIDTH {1 2 4 8} BITSTREAM.CONFIG.SPI_FALL_EDGE {YES NO}
    BITSTREAM.CONFIG.SPI_32BIT_ADDR {YES NO} BITSTREAM.CONFIG.CONFIGFALLBACK {ENABLE DISABLE}
    BITSTREAM.CONFIG.CONFIGRATE {2.7 5.3 8.0 10.6 21.3 31.9 36.4 51.0 56.7 63.8 72.9 85.0 102.0 127.5 170.0}
    BITSTREAM.CONFIG.EXTMASTERCCLK_EN {DISABLE DIV-1 DIV-2 DIV-3 DIV-4 DIV-6 DIV-8 DIV-12 DIV-16 DIV-24 DIV-48}
    BITSTREAM.CONFIG.UNUSEDPIN {PULLUP PULLDOWN PULLNONE} BITSTREAM.CONFIG.OVERTEMPSHUTDOWN {ENABLE DISABLE}}

# Those that the flow sets, with the values that they take.
proc mock::build_property {name} {
    set values {
        BITSTREAM.CONFIG.USR_ACCESS         {^0x[0-9A-F]{8}$}
        BITSTREAM.CONFIG.NEXT_CONFIG_ADDR   {^0x[0-9A-F]{8}$}
        BITSTREAM.CONFIG.NEXT_CONFIG_REBOOT {^(ENABLE|DISABLE)$}
        BITSTREAM.CONFIG.TIMER_CFG          {^0x[0-9A-Fa-f]{8}$}
    }
    if {![dict exists $values $name]} { fail "the design has no property $name" }
    return [dict get $values $name]
}

# Pins of the top's primitives that a constraint of the flow may name.
set mock::pins {u_pcie/user_clk u_config/icap_clk_q_reg/C u_config/icap_clk_q_reg/Q
    u_config/u_startup/USRCCLKO u_config/u_startup/FCSBO u_config/u_startup/DO[*] u_config/u_startup/DTS[*] u_config/u_startup/DI[*]
    u_config/u_icap/I[*] u_config/u_icap/CSIB u_config/u_icap/RDWRB u_config/u_icap/AVAIL u_config/u_access/DATA[*]}

proc mock::transceiver {port} { regexp {^pcie_(rx|tx|refclk)_} $port }

proc mock::port_property {port name value} {
    variable places
    variable standards
    switch $name {
        PACKAGE_PIN {
            if {![regexp {^[A-HJ-NPRT-WY]{1,2}[0-9]{1,2}$} $value]} { fail "$port: $value is no pin" }
            if {[dict exists $places $port]} { fail "$port is placed twice" }
            dict for {other pin} $places { if {$pin eq $value} { fail "pin $value has two ports, $other and $port" } }
            dict set places $port $value
        }
        IOSTANDARD {
            if {$value ni {LVCMOS12 LVCMOS15 LVCMOS18 LVCMOS25 LVCMOS33}} { fail "$port: no IO standard is called $value" }
            if {[transceiver $port]} { fail "$port: a transceiver pin has no IO standard" }
            dict set standards $port $value
        }
        PULLUP - PULLDOWN { if {$value ni {true false}} { fail "$port: $name cannot be $value" } }
        default { fail "no port property is called $name" }
    }
}

# Only what a constraint file may contain: no variables, loops or other commands.
proc mock::read_constraints {file} {
    variable ports
    variable places
    variable standards
    variable design
    set c [open [env MOCK_PORTS ""]]
    foreach {name bits} [read $c] {
        if {$bits eq "-"} { lappend ports $name } else { for {set i 0} {$i < $bits} {incr i} { lappend ports ${name}\[$i\] } }
    }
    close $c
    set xdc [interp create]
    foreach hidden [interp eval $xdc {info commands}] {
        if {$hidden ni {set if rename}} { catch {interp eval $xdc [list rename $hidden {}]} }
    }
    catch {interp eval $xdc {rename if {}; rename set {}; rename rename {}}}
    foreach c {set_property get_ports create_clock set_false_path set_operating_conditions current_design} {
        interp alias $xdc $c {} mock::xdc_$c
    }
    set f [open $file]
    if {[catch {interp eval $xdc [read $f]} message]} { fail "[file tail $file]: $message" }
    close $f
    interp delete $xdc
    foreach port $ports {
        if {![dict exists $places $port]} { fail "[file tail $file]: $port has no pin" }
        if {![transceiver $port] && ![dict exists $standards $port]} { fail "[file tail $file]: $port has no IO standard" }
    }
    foreach must {CFGBVS CONFIG_VOLTAGE CONFIG_MODE BITSTREAM.CONFIG.SPI_BUSWIDTH BITSTREAM.CONFIG.CONFIGFALLBACK} {
        if {![dict exists $design $must]} { fail "[file tail $file]: no $must" }
    }
    variable clocks
    if {![info exists clocks]} { fail "[file tail $file]: no clock" }
}
proc mock::xdc_get_ports {args} {
    variable ports
    if {[llength $args] != 1} { fail "get_ports: one name" }
    foreach name [lindex $args 0] {
        # An index in brackets is no pattern of characters.
        set found [lsearch -all -inline -glob $ports [string map {\[ \\\[ \] \\\]} $name]]
        if {![llength $found]} { fail "no port is called $name" }
        lappend list {*}$found
    }
    return $list
}
proc mock::xdc_current_design {} { return @design }
proc mock::xdc_set_property {args} {
    variable design
    variable design_properties
    if {[lindex $args 0] eq "-dict"} { lassign $args - pairs object } else { lassign $args name value object; set pairs [list $name $value] }
    foreach {name value} $pairs {
        if {$object eq "@design"} {
            if {![dict exists $design_properties $name]} { fail "the design has no property $name" }
            if {$value ni [dict get $design_properties $name]} { fail "$name cannot be $value" }
            if {[dict exists $design $name]} { fail "$name is set twice" }
            dict set design $name $value
        } else { foreach port $object { port_property $port $name $value } }
    }
}
proc mock::xdc_create_clock {args} {
    variable clocks
    if {[llength $args] != 5 || ![dict exists $args -period]} {
        array set o [lrange $args 0 end-1]
        if {![info exists o(-period)] || ![info exists o(-name)]} { fail "create_clock: name and period" }
    }
    if {[lindex $args end] ne "pcie_refclk_p"} { fail "a clock on [lindex $args end]" }
    lappend clocks [lindex $args end]
}
proc mock::xdc_set_false_path {args} {
    if {[llength $args] != 2 || [lindex $args 0] ni {-from -to}} { fail "set_false_path: $args" }
}
proc mock::xdc_set_operating_conditions {args} {
    if {[llength $args] != 2 || [lindex $args 0] ne "-design_power_budget" || ![string is integer -strict [lindex $args 1]]} {
        fail "set_operating_conditions: $args"
    }
}

# --- Commands -------------------------------------------------------------------------------------------------------

mock::command version {-short 0} 0 0 { return 2023.2 }
mock::command create_project {-in_memory 0 -part 1} 0 1 { set mock::part [dict get $opt -part]; mock::step project }
mock::command set_msg_config {-id 1 -new_severity 1} 0 0 {
    if {[lindex [dict get $opt -new_severity] 0] ni {ERROR {CRITICAL WARNING} WARNING INFO}} { mock::fail "set_msg_config: severity" }
}
mock::command read_verilog {-sv 0} 1 1000 {
    mock::need project
    foreach f $rest { if {![file exists $f]} { mock::fail "no file $f" } }
    mock::step sources
}
mock::command read_mem {} 1 1 { if {![file exists $rest] || [file extension $rest] ne ".mem"} { mock::fail "read_mem $rest" }; mock::step mem }
mock::command read_xdc {-unmanaged 0} 1 1 { mock::need project; mock::read_constraints $rest; mock::step xdc }
mock::command create_ip {-name 1 -vendor 1 -library 1 -version 1 -module_name 1 -dir 1} 0 0 {
    mock::need project
    if {![regexp {^(pcie4c?)_uscale_plus$} [dict get $opt -name] -> mock::ip]} { mock::fail "no IP is called [dict get $opt -name]" }
    # The parts' blocks: those with HBM have PCIE4C.
    set c [regexp {^xcu(50|280|55)} $mock::part]
    if {$c != ($mock::ip eq "pcie4c")} { mock::fail "$mock::part has no $mock::ip" }
    if {![file isdirectory [dict get $opt -dir]]} { mock::fail "create_ip: no directory [dict get $opt -dir]" }
    set mock::known [mock::known_parameters $mock::ip]
    set mock::module [dict get $opt -module_name]
    mock::step ip
}
mock::command get_ips {-quiet 0} 1 1 {
    if {![info exists mock::module] || $rest ne $mock::module} { mock::fail "no IP instance $rest" }
    return @ip
}
mock::command set_property {-dict 1} 1 3 {
    if {[lindex $rest end] eq "@design"} {
        # Of the design that is open; what a constraint file sets may be set again.
        lassign $rest name value
        if {[llength $rest] != 3 || ![regexp [mock::build_property $name] $value]} { mock::fail "the design's $name cannot be $value" }
        dict set mock::design $name $value
        return
    }
    if {[lindex $rest end] ne "@ip"} { mock::fail "set_property on [lindex $rest end]" }
    set pairs [expr {[dict exists $opt -dict] ? [lindex [dict get $opt -dict] 0] : [lrange $rest 0 1]}]
    foreach {name value} $pairs {
        if {![regexp {^CONFIG\.(.+)$} $name -> parameter]} { mock::fail "set_property: $name" }
        mock::set_parameter $parameter $value
    }
}
mock::command get_property {} 2 2 {
    lassign $rest name object
    if {$object eq "@ip"} { return [string tolower [mock::param [string range $name 7 end] ""]] }
    if {$name eq "SLACK" && [dict exists {@setup 1 @hold 1} $object]} {
        return [expr {$object eq "@setup" ? [mock::env MOCK_SLACK 0.05] : [mock::env MOCK_HOLD 0.01]}]
    }
    mock::fail "get_property $rest"
}
mock::command generate_target {} 2 2 { mock::check_ip; mock::step target }
mock::command synth_ip {} 1 1 { mock::need target; mock::step synth_ip }
mock::command synth_design {-top 1 -part 1 -flatten_hierarchy 1 -generic 1 -verilog_define 1 -include_dirs 1 -directive 1} 0 0 {
    foreach s {sources mem synth_ip xdc} { mock::need $s }
    if {[lindex [dict get $opt -part] 0] ne $mock::part} { mock::fail "synth_design: another part" }
    set known {^(Lanes=\d+|BlockWidth=\d+|BoardName=128'h([0-9a-f]{2}){1,16}|(Idcode|FlashStart)=32'h[0-9a-f]{8}|FlashSizeLog2=\d+|FlashChips=[12])$}
    # Generics and defines must be those of the top whose ports were taken.
    foreach g [dict get $opt -generic] { if {![regexp $known $g]} { mock::fail "the top has no parameter $g" } }
    mock::step synth
}
mock::command current_design {} 0 0 { mock::need project; return @design }
mock::command get_pins {} 1 1 {
    mock::need synth
    foreach pin [lindex $rest 0] { if {$pin ni $mock::pins} { mock::fail "no pin $pin" } }
    return @pins
}
mock::command get_ports {} 1 1 { mock::need synth; mock::xdc_get_ports [lindex $rest 0]; return @ports }
mock::command get_clocks {-of_objects 1} 0 0 {
    if {[lindex [dict get $opt -of_objects] 0] ne "@pins"} { mock::fail "get_clocks: of what?" }
    return @clock
}
mock::command set_max_delay {-datapath_only 0 -from 1 -to 1} 1 1 {
    if {![dict exists $opt -datapath_only] || ![dict exists $opt -from] || ![dict exists $opt -to]} { mock::fail "set_max_delay: from where to where?" }
    if {![string is double -strict $rest] || $rest <= 0} { mock::fail "set_max_delay $rest" }
}
mock::command create_generated_clock {-name 1 -source 1 -divide_by 1} 1 1 {
    if {$rest ne "@pins" || [lindex [dict get $opt -source] 0] ne "@pins"} { mock::fail "create_generated_clock: pins" }
}
mock::command set_false_path {-from 1 -to 1} 0 0 { if {![dict size $opt]} { mock::fail "set_false_path of nothing" } }
set mock::directives {
    opt_design      {Explore ExploreArea ExploreWithRemap AddRemap Default}
    place_design    {Explore ExtraTimingOpt ExtraNetDelay_high ExtraPostPlacementOpt AltSpreadLogic_high SSI_SpreadLogic_high Default}
    phys_opt_design {Explore AggressiveExplore AlternateReplication AggressiveFanoutOpt Default}
    route_design    {Explore AggressiveExplore NoTimingRelaxation MoreGlobalIterations HigherDelayCost Default}
}
foreach {name after} {opt_design synth place_design opt_design phys_opt_design place_design route_design place_design} {
    mock::command $name {-directive 1} 0 0 [string map [list @n $name @a $after] {
        mock::need @a
        if {[lindex [dict get $opt -directive] 0] ni [dict get $mock::directives @n]} { mock::fail "@n: no such directive" }
        mock::step @n
    }]
}
mock::command create_pblock {} 1 1 { mock::need synth; lappend mock::pblocks $rest; return $rest }
mock::command get_pblocks {} 1 1 { if {$rest ni $mock::pblocks} { mock::fail "no pblock $rest" }; return @pblock }
mock::command get_cells {-quiet 0 -hierarchical 0} 1 1 {
    if {$rest ni {u_card u_pcie u_refclk}} { mock::fail "no cell $rest" }
    return @cell
}
mock::command add_cells_to_pblock {} 2 2 { if {$rest ne "@pblock @cell"} { mock::fail "add_cells_to_pblock $rest" } }
mock::command resize_pblock {-add 1} 1 1 {
    # Dies of the parts.
    set dies [dict get {xcu50 2 xcu200 3 xcu250 4 xcu280 3 xcu55c 3 xcvu9p 3 xcku3p 0} [lindex [split $mock::part -] 0]]
    if {![regexp {^SLR(\d)$} [lindex [dict get $opt -add] 0] -> n] || $n >= $dies} { mock::fail "$mock::part has no [dict get $opt -add]" }
}
mock::command get_timing_paths {-setup 0 -hold 0 -max_paths 1 -nworst 1} 0 0 {
    mock::need route_design
    return [expr {[dict exists $opt -setup] ? "@setup" : "@hold"}]
}
mock::command write_checkpoint {-force 0} 1 1 { mock::touch $rest }
foreach {name options} {report_timing_summary {-max_paths 1 -file 1} report_utilization {-hierarchical 0 -file 1} report_drc {-file 1}
                        report_methodology {-file 1} report_power {-file 1}} {
    mock::command $name $options 0 0 { mock::need route_design; mock::touch [lindex [dict get $opt -file] 0] }
}
mock::command write_bitstream {-force 0 -bin_file 0} 1 1 {
    mock::need route_design
    if {![dict exists $mock::design BITSTREAM.CONFIG.USR_ACCESS]} { mock::fail "write_bitstream: no USR_ACCESS: nobody could tell this image" }
    mock::touch $rest [mock::env MOCK_BITS 1000000]
}
mock::command write_cfgmem {-force 0 -format 1 -size 1 -interface 1 -loadbit 1 -file 1 -checksum 0} 0 0 {
    foreach o {-format -size -interface -loadbit -file} { set v($o) [lindex [dict get $opt $o] 0] }
    if {$v(-format) ne "mcs" || $v(-interface) ni {SPIx1 SPIx2 SPIx4 SPIx8}} { mock::fail "write_cfgmem: format or interface" }
    if {$v(-size) & ($v(-size) - 1)} { mock::fail "write_cfgmem: size $v(-size) is no power of two" }
    if {"SPIx[dict get $mock::design BITSTREAM.CONFIG.SPI_BUSWIDTH]" ne $v(-interface) || [dict get $mock::design CONFIG_MODE] ne $v(-interface)} {
        mock::fail "write_cfgmem: the bitstream was made for another bus width"
    }
    set end 0
    foreach {up start file} $v(-loadbit) {
        if {$up ne "up" || ![string is integer -strict $start] || ![file exists $file]} { mock::fail "write_cfgmem: -loadbit $v(-loadbit)" }
        if {$start < $end} { mock::fail "write_cfgmem: $file overlaps what is before it" }
        set end [expr {$start + [file size $file]}]
        if {$end > $v(-size) << 20} { mock::fail "write_cfgmem: does not fit" }
        # A flash beyond 16 MiB needs 4-byte addresses where the image reaches there.
        if {$end > (1 << 24) * ($v(-interface) eq "SPIx8" ? 2 : 1) &&
            (![dict exists $mock::design BITSTREAM.CONFIG.SPI_32BIT_ADDR] || [dict get $mock::design BITSTREAM.CONFIG.SPI_32BIT_ADDR] ne "YES")} {
            mock::fail "write_cfgmem: 24-bit addresses do not reach the image"
        }
    }
    if {$end == 0} { mock::fail "write_cfgmem: nothing to load" }
    mock::touch $v(-file)
}

# --- Command line ---------------------------------------------------------------------------------------------------

while {[llength $argv]} {
    set argv [lassign $argv option]
    switch -- $option {
        -nojournal {}
        -mode - -log { set argv [lrange $argv 1 end] }
        -source { set argv [lassign $argv script] }
        -tclargs { break }
        default { puts stderr "mock: no option $option"; exit 1 }
    }
}
set argc [llength $argv]
if {[catch {uplevel #0 [list source $script]} message]} {
    puts "ERROR: $message"
    exit 1
}
