# SPDX-License-Identifier: Apache-2.0
#
# The PCIe hard block: pcie4_uscale_plus or pcie4c_uscale_plus as module vhp_pcie4. Needs boards.tcl.

namespace eval ::vhp {}

# Properties in groups, in the order in which they must be set: the tool puts MSI-X offsets back when a BAR changes.
proc ::vhp::pcie_groups {board functions} {
    set wide [expr {[dict get $board width] == 512}]

    # The link and the user side.
    set link [dict create \
        mode_selection Advanced \
        device_port_type PCI_Express_Endpoint_device \
        PL_LINK_CAP_MAX_LINK_SPEED [dict get $board speed] \
        PL_LINK_CAP_MAX_LINK_WIDTH X[dict get $board lanes] \
        REF_CLK_FREQ 100_MHz \
        sys_reset_polarity ACTIVE_LOW \
        dedicate_perst false \
        axisten_if_width [dict get $board width]_bit \
        axisten_freq 250 \
        AXISTEN_IF_CQ_ALIGNMENT_MODE DWORD_Aligned \
        AXISTEN_IF_RQ_ALIGNMENT_MODE DWORD_Aligned \
        axisten_if_enable_client_tag true \
        en_parity false]
    if {$wide} {
        foreach stream {CQ CC RQ RC RC_4TLP} { dict set link AXISTEN_IF_EXT_512_${stream}_STRADDLE false }
    } else {
        dict set link AXISTEN_IF_RC_STRADDLE false
    }
    if {[dict exists $board location]} { dict set link pcie_blk_locn [dict get $board location] }
    if {[dict exists $board quad]} {
        dict set link en_gt_selection true
        dict set link select_quad [dict get $board quad]
    }
    # The ports that vhp_board connects.
    foreach port {cfg_ctl_if cfg_ext_if cfg_fc_if cfg_mgmt_if cfg_pm_if cfg_status_if cfg_tx_msg_if per_func_status_if
                  rcv_msg_if tx_fc_if} {
        dict set link $port true
    }
    dict set link pcie_id_if false

    set virtual [lmap f $functions { if {![dict get $f vf]} continue; set f }]
    set physical [lmap f $functions { if {[dict get $f vf]} continue; set f }]
    if {[llength $virtual]} { lappend physical [parent] }

    # What all functions share. The largest completion buffer; user logic answers 0xb0..0xbf (vhp_cfg_ext) and nothing of
    # the extended space.
    set common {
        extended_tag_field true
        pf0_dev_cap_max_payload 1024_bytes
        perf_level Extreme
        PF0_DEV_CAP_FUNCTION_LEVEL_RESET_CAPABLE true
        pf0_aer_enabled true
        acs_ext_cap_enable true
        pf0_dsn_enabled false
        legacy_ext_pcie_cfg_space_enabled true
        ext_pcie_cfg_space_enabled false
        MSI_X_OPTIONS MSI-X_External
        copy_pf0 false
    }
    dict set common TL_PF_ENABLE_REG [llength $physical]
    dict set common pf0_ari_enabled [expr {[llength $virtual] ? "true" : "false"}]
    dict set common SRIOV_CAP_ENABLE [expr {[llength $virtual] ? "true" : "false"}]
    if {[llength $virtual]} {
        # Virtual functions are numbered from 4 on.
        dict set common SRIOV_FIRST_VF_OFFSET 4
        dict set common copy_sriov_pf0 false
        dict set common use_msix_pfs_for_vfs false
    }

    set ids {}
    set bars {}
    set msix {}
    set n 0
    foreach f $physical {
        dict set ids [expr {$n ? "pf${n}_vendor_id" : "vendor_id"}] [dict get $f vendor]
        dict set ids PF${n}_DEVICE_ID [dict get $f device]
        dict set ids PF${n}_REVISION_ID [dict get $f revision]
        dict set ids PF${n}_SUBSYSTEM_VENDOR_ID [dict get $f subvendor]
        dict set ids PF${n}_SUBSYSTEM_ID [dict get $f subdevice]
        dict set ids PF${n}_Use_Class_Code_Lookup_Assistant false
        dict set ids pf${n}_class_code_base [string range [dict get $f class] 0 1]
        dict set ids pf${n}_class_code_sub [string range [dict get $f class] 2 3]
        dict set ids pf${n}_class_code_interface [string range [dict get $f class] 4 5]
        dict set ids PF${n}_INTERRUPT_PIN NONE

        set bars [dict merge $bars [bar_group pf${n}_bar [dict get $f bars]]]

        dict set msix pf${n}_msi_enabled false
        dict set msix pf${n}_msix_enabled [expr {[dict get $f vectors] ? "true" : "false"}]
        if {[dict get $f vectors]} {
            dict set msix PF${n}_MSIX_CAP_TABLE_SIZE [format %03X [expr {[dict get $f vectors] - 1}]]
            dict set msix PF${n}_MSIX_CAP_TABLE_BIR BAR_1:0
            dict set msix PF${n}_MSIX_CAP_TABLE_OFFSET [format %08X [dict get $f table]]
            dict set msix PF${n}_MSIX_CAP_PBA_BIR BAR_1:0
            dict set msix PF${n}_MSIX_CAP_PBA_OFFSET [format %08X [dict get $f pba]]
        }
        incr n
    }
    set groups [list $link $common $ids $bars $msix]
    if {![llength $virtual]} { return $groups }

    # Every physical function has virtual ones (PG213: none cannot have 0): one each that nothing uses, with the least BAR;
    # the card's are the last one's. So the first of each is 4 behind it.
    set sriov {}
    set sriov_bars {}
    set last [expr {[llength $physical] - 1}]
    for {set n 0} {$n <= $last} {incr n} {
        set used [expr {$n == $last}]
        set f [expr {$used ? [lindex $virtual 0] : [dict create device [dict get [lindex $physical $n] device] bars {{0 12 0}}]}]
        dict set sriov PF${n}_SRIOV_CAP_INITIAL_VF [expr {$used ? [llength $virtual] : 1}]
        dict set sriov PF${n}_SRIOV_FIRST_VF_OFFSET 4
        dict set sriov PF${n}_SRIOV_VF_DEVICE_ID [dict get $f device]
        dict set sriov PF${n}_SRIOV_SUPPORTED_PAGE_SIZE 00000553
        set sriov_bars [dict merge $sriov_bars [bar_group pf${n}_sriov_bar [dict get $f bars]]]
    }
    dict set sriov_msix VFG${last}_MSIX_CAP_TABLE_SIZE [format %03X [expr {[dict get $f vectors] - 1}]]
    dict set sriov_msix VFG${last}_MSIX_CAP_TABLE_OFFSET [format %08X [dict get $f table]]
    dict set sriov_msix VFG${last}_MSIX_CAP_PBA_OFFSET [format %08X [dict get $f pba]]
    return [lappend groups $sriov $sriov_bars $sriov_msix]
}

# Properties of a function's BARs; prefix: pf0_bar, pf0_sriov_bar. All are 64 bit memory.
proc ::vhp::bar_group {prefix bars} {
    set group {}
    foreach bar {0 2 4} { set log2($bar) 0 }
    foreach bar $bars {
        lassign $bar number log2($number) prefetchable($number)
    }
    foreach bar {0 2 4} {
        dict set group ${prefix}${bar}_enabled [expr {$log2($bar) ? "true" : "false"}]
        if {!$log2($bar)} continue
        lassign [bar_size $log2($bar)] scale size
        dict set group ${prefix}${bar}_type Memory
        dict set group ${prefix}${bar}_64bit true
        dict set group ${prefix}${bar}_prefetchable [expr {$prefetchable($bar) ? "true" : "false"}]
        dict set group ${prefix}${bar}_scale $scale
        dict set group ${prefix}${bar}_size $size
    }
    return $group
}

# 2^log2 bytes as the IP wants it: {scale size}.
proc ::vhp::bar_size {log2} {
    set scales {Kilobytes Megabytes Gigabytes}
    set step [expr {min($log2 / 10 - 1, 2)}]
    if {$step < 0} { error "a BAR of 2^$log2 bytes is too small" }
    return [list [lindex $scales $step] [expr {1 << ($log2 - 10 * ($step + 1))}]]
}

proc ::vhp::create_pcie {board functions dir} {
    file mkdir $dir
    create_ip -name [dict get $board block]_uscale_plus -vendor xilinx.com -library ip -module_name vhp_pcie4 -dir $dir
    set ip [get_ips vhp_pcie4]
    set groups [pcie_groups $board $functions]
    foreach group $groups {
        set config {}
        dict for {name value} $group { lappend config CONFIG.$name $value }
        set_property -dict $config $ip
    }
    # The IP may override a value without an error, so each is read back.
    set wrong {}
    foreach group $groups {
        dict for {name value} $group {
            set got [get_property CONFIG.$name $ip]
            if {![same_value $got $value]} { lappend wrong "$name is $got, not $value" }
        }
    }
    if {[llength $wrong]} { error "the PCIe IP does not take the configuration:\n  [join $wrong "\n  "]" }
    generate_target all $ip
    synth_ip $ip
}

# Case and leading zeros are the tool's.
proc ::vhp::same_value {a b} {
    expr {[string trimleft [string tolower $a] 0] eq [string trimleft [string tolower $b] 0]}
}
