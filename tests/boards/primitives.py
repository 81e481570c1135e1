# SPDX-License-Identifier: Apache-2.0
"""The black boxes of blackboxes.sv against the library of Yosys: names, directions and widths of the ports."""

import os
import re

# Ports of the PCIe IP that are not pins of the hard block with the same name, direction and width, and why.
SERDES, VFS = "of the transceivers, around the block", "the IP gathers it from what the block says one function after another"
RAMS = "one bit for all: the block has a copy for each of its RAMs"
NOT_THE_BLOCKS = {
    "user_clk": "the IP makes it and feeds it to the block",
    "user_reset": "the IP's, from the block's reset state", "user_lnk_up": "the IP's, from the block's link state",
    "m_axis_rc_tready": RAMS, "m_axis_cq_tready": RAMS,
    "pci_exp_txn": SERDES, "pci_exp_txp": SERDES, "pci_exp_rxn": SERDES, "pci_exp_rxp": SERDES,
    "sys_clk": SERDES, "sys_clk_gt": SERDES, "sys_reset": SERDES, "phy_rdy_out": SERDES,
    "cfg_vf_status": VFS, "cfg_vf_power_state": VFS, "cfg_vf_tph_requester_enable": VFS, "cfg_vf_tph_st_mode": VFS,
    "cfg_vf_flr_in_process": VFS, "cfg_interrupt_msix_vf_enable": VFS, "cfg_interrupt_msix_vf_mask": VFS,
}


def ports_of(text, module):
    """{port: (direction, range)} of a module in Verilog; {} if it is not there."""
    found = re.search(rf"^module {module} ?[(#].*?^endmodule", text, re.S | re.M)
    ports = re.findall(r"(input|output|inout)\s+(?:wire\s+)?(\[[^\]]+\])?\s*(\w+)\s*[;,\n]", found.group(0)) if found else []
    return {name: (direction, width) for direction, width, name in ports}


def library():
    import pyosys
    text = ""
    for name in ("cells_xtra.v", "cells_sim.v"):
        with open(f"{os.path.dirname(pyosys.__file__)}/share/xilinx/{name}") as f:
            text += f.read()
    return text


def compare_primitives(own, theirs, names):
    """What differs, as texts."""
    wrong = []
    for name in names:
        here, there = ports_of(own, name), ports_of(theirs, name)
        if not here or here != there:
            wrong.append(f"{name}: {sorted(here.items() ^ there.items()) if there else 'not in the library'}")
    return wrong


def compare_hard_block(own, theirs):
    """
    The PCIe IP's ports, where they go straight to the block's pins, against both blocks. A block is 256 bits wide; 512 is the IP's
    doing, so the narrow widths are compared.
    """
    for macro, width in ((r"`VHP_BLOCK_WIDTH", "256"), (r"`KEEP_W", "8"), (r"`PICK\(\d+, (\d+)\)", r"\1")):
        own = re.sub(macro, width, own)
    own = re.sub(r"\[(\d+)-1:0\]", lambda width: f"[{int(width[1]) - 1}:0]", own)
    here = ports_of(own, "vhp_pcie4")
    wrong = [f"{name} is listed as the IP's own, but is no port" for name in NOT_THE_BLOCKS if name not in here]
    if len(here) < 100:
        wrong.append(f"the IP has {len(here)} ports")
    for block in ("PCIE40E4", "PCIE4CE4"):
        pins = ports_of(theirs, block)
        for name, port in here.items():
            pin = pins.get(name.upper().replace("_", ""))
            if name in NOT_THE_BLOCKS and pin == port:
                wrong.append(f"{block}: {name} is the block's, though listed: {NOT_THE_BLOCKS[name]}")
            elif name not in NOT_THE_BLOCKS and pin != port:
                wrong.append(f"{block}: {name} {port}, in the library {pin}")
    return wrong
