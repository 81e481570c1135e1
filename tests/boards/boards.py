#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of rtl/boards/ without a card and without Vivado: boards.py --sources FILE (what boards.mk writes).

Every board: the top elaborates with black boxes that have the real ports (blackboxes.sv), every port connected, widths
equal; the Vivado scripts run in stock tclsh against a mock of the tool (vivado_mock.tcl), which refuses what the tool
refuses; the constraint file places every port of that top. Then each check is shown to fail: one defect at a time, in a
copy of the tree.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import primitives

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MOCK = f"{HERE}/vivado_mock.tcl"
BOARDS = ("as02mc04", "au200", "au250", "au280", "au50", "au55c", "vcu118")
# What the front end finds at the borders of a module; all of it is wrong here. Outputs may be left open by name.
BORDER = ("unconnected-input-port", "unconnected-output-port", "unconnected-port", "port-width-trunc", "port-width-expand",
          "implicit-port-type-mismatch", "input-port-coercion", "output-port-coercion", "width-trunc", "width-expand",
          "undriven-net", "undriven-port", "multiple-drivers")


class Failed(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failed(text)


# --- Elaboration ------------------------------------------------------------------------------------------------------

def elaborate_here(args):
    """In a process of its own: reads the sources and prints the ports of the top, or constants, as a last line of JSON."""
    from pyosys import libyosys as ys
    design = ys.Design()
    ys.run_pass(f"read_slang {' '.join(args)}", design)
    ys.run_pass("check -assert", design)
    top = design.top_module()
    ports = {}
    for wire in top.wires_.values():
        if wire.port_input or wire.port_output:
            ports[str(wire.name).lstrip("\\")] = wire.width
    # A module with an inout port stays one.
    cells = [str(cell.type).lstrip("\\") for module in design.modules_.values() for cell in module.cells_.values()]
    print("\n@" + json.dumps({"ports": ports, "cells": cells}))


def elaborate(sources, top_sources, blackboxes, lanes, width, hbm, chips):
    """(ports of the top, complaints)."""
    args = ["--top", "vhp_board", f"-GLanes={lanes}", f"-GBlockWidth={width}", f"-GFlashChips={chips}", f"-DVHP_LANES={lanes}",
            f"-DVHP_BLOCK_WIDTH={width}", "-DSYNTHESIS", "--blackboxed-module", "vhp_card", "--empty-blackboxes",
            "-Weverything", *(["-DVHP_BOARD_HBM"] if hbm else []), *(["-DVHP_BOARD_FLASH2"] if chips == 2 else []), *sources, *top_sources, blackboxes]
    run = subprocess.run([sys.executable, __file__, "--elaborate", *args], capture_output=True, text=True, cwd=TOP)
    text = run.stdout + run.stderr
    inside = re.compile(r"(boards/|blackboxes\.sv)")
    found = [line for line in text.splitlines()
             if re.search(r"\[-W(" + "|".join(BORDER) + r")\]", line) and inside.search(line.split(":")[0])
             or re.search(r"error:|\bERROR\b", line)]
    if run.returncode != 0 and not found:
        found = text.splitlines()[-5:]
    last = [line for line in run.stdout.splitlines() if line.startswith("@")]
    return (json.loads(last[-1][1:]) if last else None), found


def board_sources(root=f"{TOP}/rtl/boards"):
    return sorted(os.path.join(root, f) for f in os.listdir(root) if f.endswith(".sv"))


# --- The flow in the mock ---------------------------------------------------------------------------------------------

class Flow:
    """A copy of what the scripts read, so that a defect can be put in, and one run of them."""

    def __init__(self, work, ports):
        self.work = work
        self.rtl = f"{work}/rtl"
        self.ports = f"{work}/ports"
        os.makedirs(self.rtl)
        shutil.copytree(f"{TOP}/rtl/boards", f"{self.rtl}/boards")
        for folder in ("lib", "pcie"):
            shutil.copytree(f"{TOP}/rtl/{folder}", f"{self.rtl}/{folder}")
        with open(self.ports, "w") as f:
            for name, bits in ports.items():
                f.write(f"{name} {bits if re.match('pcie_[rt]x_|flash2_dq', name) else '-'}\n")

    def change(self, file, old, new):
        path = f"{self.rtl}/{file}"
        with open(path) as f:
            text = f.read()
        expect(re.search(old, text), f"{file} has no {old}: the defect cannot be put in")
        with open(path, "w") as f:
            f.write(re.sub(old, new, text, count=1))

    def run(self, board, sources, firmware, **env):
        out = f"{self.work}/out"
        shutil.rmtree(out, ignore_errors=True)
        env = {**os.environ, "MOCK_RECORD": f"{self.work}/record", "MOCK_PORTS": self.ports, **env}
        run = subprocess.run(["tclsh", MOCK, "-mode", "batch", "-source", f"{self.rtl}/boards/vivado/build.tcl", "-tclargs",
                              board, out, firmware, *sources], capture_output=True, text=True, env=env, cwd=TOP)
        with open(f"{self.work}/record") as f:
            record = f.read().splitlines()
        return run.returncode, run.stdout + run.stderr, record, sorted(os.listdir(out)) if os.path.isdir(out) else []


def describe(boards, rtl=f"{TOP}/rtl"):
    """The boards' data and the functions, read by the scripts' own procedures."""
    script = f"""
source {rtl}/boards/vivado/boards.tcl
puts [::vhp::board_names]
foreach f [::vhp::functions] {{ puts $f }}
puts @
foreach b {{{' '.join(boards)}}} {{ puts [::vhp::load_board $b] }}
"""
    run = subprocess.run(["tclsh"], input=script, capture_output=True, text=True)
    expect(run.returncode == 0 and not run.stderr, run.stderr)
    names, *rest = run.stdout.splitlines()
    at = rest.index("@")
    return names.split(), [tcl_dict(line) for line in rest[:at]], [tcl_dict(line) for line in rest[at + 1:]]


def tcl_words(text):
    words, word, depth = [], "", 0
    for c in text + " ":
        if c == "{":
            depth += 1
            if depth == 1:
                continue
        elif c == "}":
            depth -= 1
            if depth == 0:
                words.append(word)
                word = None
                continue
        if c == " " and depth == 0:
            if word:
                words.append(word)
            word = ""
        else:
            word = (word or "") + c
    return words


def tcl_dict(text):
    words = tcl_words(text)
    return dict(zip(words[::2], words[1::2]))


def configuration(record):
    """What the IP was told, from the recorded calls."""
    config = {}
    for line in record:
        words = tcl_words(line)
        if words[0] == "set_property" and words[1] == "-dict":
            config.update({k.removeprefix("CONFIG."): v for k, v in tcl_dict(words[2]).items()})
    return config


# --- The checks -------------------------------------------------------------------------------------------------------

def top_key(board):
    """What makes tops differ."""
    return board["lanes"], board["width"], board["hbm"] == "1", int(tcl_dict(board["flash"])["chips"])


class Checks:
    def __init__(self, sources, firmware):
        self.sources, self.firmware = sources, firmware
        self.passed = self.failed = 0
        self.tops, self.known = {}, None

    def check(self, name, function, *args):
        try:
            function(*args)
            self.passed += 1
            print(f"{name}: ok", flush=True)
        except Failed as failure:
            self.failed += 1
            print(f"{name}: FAILED\n    {failure}", flush=True)

    def top(self, board):
        key = top_key(board)
        if key not in self.tops:
            self.tops[key] = elaborate(self.sources, board_sources(), f"{HERE}/blackboxes.sv", *key)
        return self.tops[key]

    def flow(self, board):
        ports, _ = self.top(board)
        expect(ports, "the top does not elaborate")
        return Flow(tempfile.mkdtemp(dir=self.tmp), ports["ports"])

    # Every board is right.
    def elaborates(self, board):
        design, found = self.top(board)
        expect(not found, "\n    ".join(found))
        for cell in ("vhp_pcie4", "IBUFDS_GTE4", "vhp_card", "STARTUPE3", "ICAPE3", "USR_ACCESSE2"):
            expect(design["cells"].count(cell) == 1, f"not one {cell}")
        two = tcl_dict(board["flash"])["chips"] == "2"
        expect(design["cells"].count("IOBUF") == (4 if two else 0), "lanes of the second flash chip")
        expect(("flash2_cs_n" in design["ports"]) == two, "flash2_cs_n")
        lanes = int(board["lanes"])
        expect(design["ports"].get("pcie_rx_p") == lanes and design["ports"].get("pcie_tx_n") == lanes, "lanes of the top")
        expect(("hbm_cattrip" in design["ports"]) == (board["hbm"] == "1"), "hbm_cattrip")

    def builds(self, board, functions):
        flow = self.flow(board)
        self.out = f"{flow.work}/out"
        code, text, record, files = flow.run(board["name"], self.sources, self.firmware)
        expect(code == 0, text)
        base = f"vhp-{board['name']}"
        for file in (f"{base}.bit", f"{base}.mcs", f"{base}.json", "timing.rpt", "utilization.rpt", "drc.rpt", "routed.dcp"):
            expect(file in files, f"{file} was not written")
        config = configuration(record)
        virtual = [f for f in functions if f["vf"] == "1"]
        want = {"TL_PF_ENABLE_REG": str(len(functions) - len(virtual) + bool(virtual)), "axisten_if_enable_client_tag": "true", "extended_tag_field": "true",
                "MSI_X_OPTIONS": "MSI-X_External", "acs_ext_cap_enable": "true", "SRIOV_CAP_ENABLE": "true" if virtual else "false",
                "PF0_DEV_CAP_FUNCTION_LEVEL_RESET_CAPABLE": "true", "legacy_ext_pcie_cfg_space_enabled": "true",
                "ext_pcie_cfg_space_enabled": "false", "cfg_ext_if": "true", "axisten_freq": "250",
                "axisten_if_width": f"{board['width']}_bit", "vendor_id": "10ee", "PF0_DEVICE_ID": "5650",
                **({"pf0_ari_enabled": "true", "PF3_SRIOV_CAP_INITIAL_VF": str(len(virtual)), "pf3_vendor_id": "1af4",
                    "PF3_SRIOV_VF_DEVICE_ID": "107f", "pf3_sriov_bar2_size": "4", "pf3_sriov_bar2_scale": "Gigabytes",
                    "VFG3_MSIX_CAP_TABLE_SIZE": "01F", "pf3_msix_enabled": "false"} if virtual else {}),
                "pf1_vendor_id": "1af4", "PF1_DEVICE_ID": "107f", "pf1_class_code_base": "02", "perf_level": "Extreme"}
        for name, value in want.items():
            expect(config.get(name) == value, f"{name} is {config.get(name)}, not {value}")
        straddle = [name for name in config if "STRADDLE" in name]
        expect(len(straddle) == (5 if board["width"] == "512" else 1), f"straddle: {straddle}")
        expect(all(config[name] == "false" for name in straddle), "straddle is on")
        read = [tcl_words(line)[-1] for line in record if line.startswith("read_verilog")]
        expect(read[:len(self.sources)] == list(self.sources), "sources are missing or out of order")
        design = [line for line in record if line.startswith("synth_design")][0]
        expect(f"Lanes={board['lanes']}" in design and f"BlockWidth={board['width']}" in design, design)
        expect(any(line.startswith("resize_pblock") and board["slr"] in line for line in record) if "slr" in board else True,
               "the card is not kept on a die")
        expect(("VHP_BOARD_HBM" in design) == (board["hbm"] == "1"), design)
        flash = {key: int(value, 0) if value[0].isdigit() else value for key, value in tcl_dict(board["flash"]).items()}
        expect(("VHP_BOARD_FLASH2" in design) == (flash["chips"] == 2), design)
        for generic in (f"BoardName=128'h{board['name'].encode().hex()}", f"Idcode=32'h{int(board['idcode'], 0):08x}",
                        f"FlashStart=32'h{flash['start']:08x}", f"FlashSizeLog2={flash['size_log2']}", f"FlashChips={flash['chips']}"):
            expect(generic in design, f"{generic}: {design}")
        # Which image it is, and where in the flash it is.
        with open(f"{self.out}/{base}.json") as f:
            data = json.load(f)
        access = int(data["usr_access"], 0)
        expect(0 < access < 1 << 31 and data["idcode"] == f"0x{int(board['idcode'], 0):08x}", str(data))
        expect(data["flash_image"] == flash["start"] + 4096 * flash["chips"], str(data))
        said = [line.split()[2] for line in record if line.startswith("set_property BITSTREAM.CONFIG.USR_ACCESS")]
        own = flash["golden"] == "own"
        expect(said == [f"0x{access:08X}"] + [f"0x{access | 1 << 31:08X}"] * own, f"USR_ACCESS: {said}")
        expect((f"{base}-golden.bit" in files) == own, f"golden image: {files}")
        jump = [line.split()[2] for line in record if "NEXT_CONFIG_ADDR" in line]
        expect(jump == [f"0x{flash['start'] // flash['chips']:08X}"] * own, f"the golden image goes on to {jump}")
        load = [tcl_words(line) for line in record if line.startswith("write_cfgmem")][0]
        load = load[load.index("-loadbit") + 1].split()
        expect([int(at, 0) for at in load[1::3]] == [0] * own + [data["flash_image"]], f"the flash holds {load}")

    def functions_match(self, functions):
        """BARs and MSI-X as the card decodes them: constants of the packages, evaluated by the front end."""
        value = self.constants()
        count = len(functions)
        expect(count == value["n_NumFn"], f"{count} functions, the card has {value['n_NumFn']}")
        kinds = [f["vf"] for f in functions]
        expect(kinds == ["0"] * value["n_NumPf"] + ["1"] * (count - value["n_NumPf"]), f"physical and virtual functions: {kinds}")
        for n, function in enumerate(functions):
            bars = {int(bar.split()[0]): int(bar.split()[1]) for bar in tcl_words(function["bars"])}
            for bar in (0, 2, 4):
                want = value[f"size{n}_{bar}"]
                if n and bar == 2:
                    want = want or value["n_ApertureLog2"]
                expect(bars.get(bar, 0) == want, f"function {n} BAR {bar}: 2^{bars.get(bar, 0)}, the card decodes 2^{want}")
            expect(int(function["vectors"]) == value["n_VecPerFn"], "MSI-X vectors")
            expect(int(function["table"], 0) == value["n_MsixTableOffset"], "MSI-X table")
            expect(int(function["pba"], 0) == value["n_MsixPbaOffset"], "MSI-X PBA")

    def constants(self):
        """Of the packages; the width of a port of an empty module tells each."""
        if self.known:
            return self.known
        outs = [f"output logic [vhp_pcie_pkg::bar_size_log2({n}, {bar}):0] size{n}_{bar}" for n in range(8) for bar in (0, 2, 4)]
        for name in ("vhp_pkg::NumFn", "vhp_pkg::NumPf", "vhp_pkg::VecPerFn", "vhp_pkg::ApertureLog2", "vhp_pcie_pkg::MsixTableOffset",
                     "vhp_pcie_pkg::MsixPbaOffset"):
            outs.append(f"output logic [{name}:0] n_{name.split('::')[1]}")
        probe = f"{self.tmp}/probe.sv"
        with open(probe, "w") as f:
            f.write("module probe (\n" + ",\n".join(outs) + "\n);\nendmodule\n")
        run = subprocess.run([sys.executable, __file__, "--elaborate", "--top", "probe", "--empty-blackboxes",
                              *[s for s in self.sources if s.endswith("_pkg.sv")], probe], capture_output=True, text=True, cwd=TOP)
        last = [line for line in run.stdout.splitlines() if line.startswith("@")]
        expect(last, run.stdout[-2000:] + run.stderr[-500:])
        self.known = {name: width - 1 for name, width in json.loads(last[-1][1:])["ports"].items()}
        return self.known

    def primitive_matches(self):
        """The primitives here against the library of Yosys."""
        with open(f"{HERE}/blackboxes.sv") as f:
            own = f.read()
        names = [name for name in re.findall(r"^module (\w+)", own, re.M) if name != "vhp_pcie4"]
        expect(len(names) == 6, f"primitives: {names}")
        wrong = primitives.compare_primitives(own, primitives.library(), names)
        expect(not wrong, "; ".join(wrong))

    def hard_block_matches(self):
        with open(f"{HERE}/blackboxes.sv") as f:
            own = f.read()
        theirs = primitives.library()
        wrong = primitives.compare_hard_block(own, theirs)
        expect(not wrong, "; ".join(wrong))
        # And a defect in each kind of port is seen.
        for old, new, port in ((r"\[9:0\]( *cfg_mgmt_addr)", r"[10:0]\1", "cfg_mgmt_addr"),
                               (r"`PICK\(161, 75\)", "`PICK(161, 74)", "m_axis_rc_tuser"),
                               (r"output( wire.*cfg_ltssm_state)", r"input\1", "cfg_ltssm_state"),
                               (r"cfg_pl_status_change\b", "cfg_pl_status_changed", "cfg_pl_status_changed"),
                               (r"phy_rdy_out\b", "phy_ready_out", "phy_rdy_out is listed")):
            defect, count = re.subn(old, new, own)
            wrong = primitives.compare_hard_block(defect, theirs)
            expect(count == 1 and any(port in text for text in wrong), f"accepted: {old} as {new}")

    def standin_agrees(self, boards):
        """rtl/boards/standin reads the same files."""
        from importlib.machinery import SourceFileLoader
        sys.dont_write_bytecode = True
        standin = SourceFileLoader("standin", f"{TOP}/rtl/boards/standin").load_module()  # pylint: disable=deprecated-method
        for name, board in boards.items():
            flash = tcl_dict(board["flash"])
            want = {"part": board["part"], "idcode": int(board["idcode"], 0), "start": int(flash["start"], 0),
                    "mib": int(flash["mib"]), "chips": int(flash["chips"])}
            expect(standin.load_board(name) == want, f"{standin.load_board(name)}, not {want}")

    def lint_clean(self):
        """The adapter by Verilator; the card itself is make lint's."""
        files = [s for s in self.sources if s.endswith(("vhp_pkg.sv", "vhp_pcie_pkg.sv", "vhp_stream_reg.sv"))]
        files += [s for s in board_sources() if not s.endswith(("vhp_board.sv", "vhp_config.sv"))]
        run = subprocess.run(["verilator", "--lint-only", "-Wall", "--timing", "--top-module", "vhp_block_x8",
                              f"{TOP}/rtl/lint.vlt", *files], capture_output=True, text=True, cwd=TOP)
        said = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("- ")]
        expect(run.returncode == 0 and not said, "\n    ".join(said[:20]))

    def resources_held(self, board):
        """The table of make synth BOARD=, on made-up blocks: what fits passes, what is too much is named."""
        import contextlib
        import io
        import resources
        have = {key: int(value) for key, value in tcl_dict(board["resources"]).items()}
        board = {**board, "resources": have}

        def over(**used):
            figures = {"lut": 0, "ff": 0, "ramb36": 0, "uram": 0, "dsp": 0, "lutram": 0, **used}
            with contextlib.redirect_stdout(io.StringIO()) as text:
                found = resources.table(board, [("a", 1, figures), ("b", 2, figures)])
            return found, text.getvalue()
        found, text = over(lut=have["lut"] // 6, ramb36=1.5)
        expect(not found and " 50.0 " in text, f"{found} {text}")
        for key in ("lut", "ff", "ramb36", "uram", "dsp"):
            found, _ = over(**{key: have[key] * 0.27})
            expect(len(found) == 1 and found[0].startswith(key.upper()), f"{key}: {found}")
        found, _ = over(lut=have["lut"] // 6, lutram=have["lut"] // 8)
        expect(len(found) == 1, "a LUT RAM counts as LUTs")
        with tempfile.TemporaryDirectory() as out:
            expect(resources.block_figures("vhp_flr", out) == (None, False), "a block without figures")
            with open(f"{out}/vhp_flr.stat.json", "w") as f:
                f.write('{"design": {"num_cells_by_type": {"LUT6": 3, "FDRE": 2, "RAMB18E2": 1}}}')
            figures, old = resources.block_figures("vhp_flr", out)
            expect(figures["lut"] == 3 and figures["ff"] == 2 and figures["ramb36"] == 0.5 and not old, f"{figures} {old}")
            os.utime(f"{out}/vhp_flr.stat.json", (0, 0))
            expect(resources.block_figures("vhp_flr", out)[1], "figures older than the source")

    # Each check can fail.
    def top_refused(self, board, old, new, blackbox, want):
        folder = tempfile.mkdtemp(dir=self.tmp)
        files = [shutil.copy(f, folder) for f in board_sources()]
        black = shutil.copy(f"{HERE}/blackboxes.sv", folder)
        folder_of = os.path.join(folder, "boards")
        os.mkdir(folder_of)
        files = [shutil.move(f, folder_of) for f in files]
        target = black if blackbox is True else os.path.join(folder_of, blackbox or "vhp_board.sv")
        with open(target) as f:
            text = f.read()
        expect(re.search(old, text), f"no {old}: the defect cannot be put in")
        with open(target, "w") as f:
            f.write(re.sub(old, new, text, count=1))
        _, found = elaborate(self.sources, files, black, *top_key(board))
        expect(any(re.search(want, line) for line in found), f"not found: {want}; found: {found}")

    def flow_refused(self, board, changes, env, want):
        flow = self.flow(board)
        for change in changes:
            flow.change(*change)
        code, text, _, files = flow.run(board["name"], self.sources, self.firmware, **env)
        expect(code != 0, "it went through")
        expect(re.search(want, text), f"the message is not \"{want}\": {text}")
        expect(not any(f.endswith((".mcs", ".json")) for f in files), f"an image was written: {files}")

    def command(self, board, path, code, want):
        env = {**os.environ, "PATH": path}
        run = subprocess.run(["bash", f"{TOP}/rtl/boards/bitstream", board, self.build, f"{self.tmp}/image"],
                             capture_output=True, text=True, cwd=TOP, env=env)
        expect((run.returncode == 0) == (code == 0) and re.search(want, run.stdout + run.stderr),
               f"exit {run.returncode}: {run.stdout}{run.stderr}")

    def fake_vivado(self, board):
        """The command that users start, end to end, with the mock as vivado."""
        flow = self.flow(board)
        where = tempfile.mkdtemp(dir=self.tmp)
        with open(f"{where}/vivado", "w") as f:
            f.write(f"#!/bin/sh\nMOCK_PORTS={flow.ports} exec tclsh {MOCK} \"$@\"\n")
        os.chmod(f"{where}/vivado", 0o755)
        self.command(board["name"], f"{where}:{os.environ['PATH']}", 0, rf"vhp-{board['name']}\.bit, \d+ bytes")
        with open(f"{self.tmp}/image/vhp-{board['name']}.json") as f:
            data = json.load(f)
        expect(data["board"] == board["name"] and data["part"] == board["part"], str(data))

    def functions_refused(self, functions):
        """The comparison with the card's constants finds each difference."""
        for n, key, value in ((0, "bars", "{0 16 0} {2 17 0}"), (1, "bars", "{0 18 0} {2 31 1}"), (1, "bars", "{0 18 0} {4 12 0}"),
                              (2, "vectors", "16"), (1, "table", "0x4000"), (0, "pba", "0xa000")):
            wrong = [{**f, key: value} if i == n else f for i, f in enumerate(functions)]
            try:
                self.functions_match(wrong)
            except Failed:
                continue
            raise Failed(f"function {n}, {key} {value}: it went through")
        try:
            self.functions_match(functions[:-1])
        except Failed:
            return
        raise Failed("a function less: it went through")

    def run(self, build):
        self.build = build
        names, functions, boards = describe(BOARDS)
        boards = {b["name"]: b for b in boards}
        one, hbm, narrow = boards["au200"], boards["au50"], boards["as02mc04"]

        def all_there():
            expect(tuple(names) == tuple(sorted(BOARDS)), f"boards are {names}")
        self.check("boards are complete", all_there)
        self.check("primitives have the library's ports", self.primitive_matches)
        self.check("the PCIe IP has the hard block's pins", self.hard_block_matches)
        self.check("functions, BARs and MSI-X are the card's", self.functions_match, functions)
        for name, board in boards.items():
            self.check(f"{name}: top elaborates, ports connected", self.elaborates, board)
            self.check(f"{name}: the flow runs", self.builds, board, functions)
        self.check("stand-in bitstreams are for these boards", self.standin_agrees, boards)
        self.check("verilator -Wall on the adapter", self.lint_clean)
        self.check("resources held against the part", self.resources_held, narrow)
        self.check("make bitstream, end to end", self.fake_vivado, hbm)
        tools = f"{self.tmp}/tools"
        os.mkdir(tools)
        for tool in ("bash", "dirname", "ls", "xargs", "env", "make", "mkdir"):
            os.symlink(shutil.which(tool), f"{tools}/{tool}")
        self.check("make bitstream without Vivado", self.command, "au200", tools, 1, "vivado is not on PATH")
        self.check("make bitstream of an unknown board", self.command, "au9", tools, 1, "no board is called \"au9\"")

        self.check("refused: BARs and MSI-X that the card has not", self.functions_refused, functions)
        for name, board, old, new, black, want in (
                ("an input left out", one, r"\n *\.cfg_dsn[^\n]*", "", False, "cfg_dsn.*unconnected-input-port"),
                ("an output left out", one, r"\n *\.cfg_bus_number[^\n]*", "", False, "cfg_bus_number.*unconnected-output-port"),
                ("a port that is not there", one, r"\.cfg_dsn ", ".cfg_dsx ", False, "cfg_dsx"),
                ("a narrower output", one, r"\[5:0\]( *pcie_rq_seq_num0)", r"[4:0]\1", True, "port-width|type-mismatch"),
                ("a wider input", one, r"\[9:0\]( *cfg_mgmt_addr)", r"[10:0]\1", True, "port-width|type-mismatch"),
                ("a side band of another width", narrow, r"PICK\(161, 75\)", "PICK(161, 76)", True, "port-width|type-mismatch"),
                ("a primitive's port", one, r"\.ODIV2", ".ODIV3", False, "ODIV3"),
                ("a lane of the flash less", one, r"\[3:0\]( *flash_dq_out, flash_dq_tri)", r"[2:0]\1", False, "port-width|type-mismatch"),
                ("an input of STARTUPE3 left out", one, r"\n *\.USRDONETS[^\n]*", "", "vhp_config.sv", "USRDONETS|error"),
                ("ICAPE3 without its clock", one, r"\n *\.CLK [^\n]*", "", "vhp_config.sv", "CLK.*unconnected-input-port"),
                ("a wider word for ICAPE3", one, r"\[31:0\] I\b", "[15:0] I", True, "port-width|type-mismatch")):
            self.check(f"refused in the top: {name}", self.top_refused, board, old, new, black, want)

        xdc = "boards/au200/au200.xdc"
        for name, board, changes, env, want in (
                ("a lane without pin", one, [(xdc, r"set_property PACKAGE_PIN \w+ +\[get_ports \{pcie_rx_p\[7\]\}\]\n", "")], {},
                 r"pcie_rx_p\[7\] has no pin"),
                ("a pin with two ports", one, [(xdc, r"PACKAGE_PIN AM10 ", "PACKAGE_PIN AM11 ")], {}, "AM11 has two ports"),
                ("a port placed twice", one, [(xdc, r"# PERST#", "set_property PACKAGE_PIN A1 [get_ports pcie_refclk_p]")], {},
                 "pcie_refclk_p is placed twice"),
                ("no pin", one, [(xdc, r"PACKAGE_PIN AM10 ", "PACKAGE_PIN AMX ")], {}, "AMX is no pin"),
                ("no IO standard", one, [(xdc, r"IOSTANDARD LVCMOS12 ", "")], {}, "pcie_perst_n has no IO standard"),
                ("an IO standard that is none", one, [(xdc, r"LVCMOS12", "LVCMOS13")], {}, "LVCMOS13"),
                ("a port that is not there", one, [(xdc, r"\[get_ports pcie_refclk_n\]", "[get_ports pcie_refclk]")], {},
                 "no port is called pcie_refclk"),
                ("a loop in a constraint file", one, [(xdc, r"# PERST#", "foreach i {0 1} {}")], {}, "invalid command name"),
                ("no clock", one, [(xdc, r"create_clock[^\n]*", "")], {}, "no clock"),
                ("a property of the design that is none", one, [(xdc, r"SPI_FALL_EDGE", "SPI_FALLING")], {}, "SPI_FALLING"),
                ("no way back to the golden image", one, [(xdc, r"[^\n]*CONFIGFALLBACK[^\n]*", "")], {}, "no BITSTREAM.CONFIG.CONFIGFALLBACK"),
                ("hbm_cattrip without pin", hbm, [("boards/au50/au50.xdc", r"[^\n]*PACKAGE_PIN J18[^\n]*", "")], {},
                 "hbm_cattrip has no pin"),
                ("flash of another width", one, [("boards/au200/board.tcl", "SPIx4", "SPIx2")], {}, "another bus width"),
                ("24-bit flash addresses", one, [(xdc, r"[^\n]*SPI_32BIT_ADDR[^\n]*", "")], {}, "24-bit addresses"),
                ("the second chip's slave select without pin", boards["vcu118"],
                 [("boards/vcu118/vcu118.xdc", r"[^\n]*PACKAGE_PIN BF16[^\n]*", "")], {}, "flash2_cs_n has no pin"),
                ("no IDCODE", one, [("boards/au200/board.tcl", r"idcode [^\n]*", "")], {}, "no idcode"),
                ("an IDCODE with a revision", one, [("boards/au200/board.tcl", "0x04b37093", "0x14b37093")], {}, "idcode is 28 bits"),
                ("no word on the golden image", one, [("boards/au200/board.tcl", "golden maker", "")], {}, "no golden in flash"),
                ("a slot that begins inside a sector", one, [("boards/au200/board.tcl", "0x01002000", "0x01002800")], {},
                 "start is a multiple of 4096"),
                ("a slot over the golden image", narrow, [("boards/as02mc04/board.tcl", "0x01002000", "0x0")], {}, "start is a multiple"),
                ("a chip of an odd size", one, [("boards/au200/board.tcl", "mib 128", "mib 96")], {}, "power of two"),
                ("an image without identity", one, [("boards/vivado/build.tcl", r"set_property BITSTREAM.CONFIG.USR_ACCESS[^\n]*", "")], {},
                 "no USR_ACCESS"),
                ("an unbounded way to the flash", one, [("boards/vivado/build.tcl", "u_startup/USRCCLKO", "u_start/USRCCLKO")], {},
                 "no pin u_config/u_start/USRCCLKO"),
                ("an image behind the flash", one, [("boards/au200/board.tcl", "0x01002000", "0x08000000")], {}, "behind the end"),
                ("a block that the part has not", one, [("boards/au200/board.tcl", "block    pcie4", "block    pcie4c")], {},
                 "has no pcie4c"),
                ("a link that no block does", narrow, [("boards/as02mc04/board.tcl", "width    256", "width    512")], {},
                 "no block does"),
                ("an unknown key", one, [("boards/au200/board.tcl", "hbm ", "hmb ")], {}, "no hbm|what is"),
                ("a die that the part has not", one, [("boards/au200/board.tcl", "SLR1", "SLR3")], {}, "has no SLR3"),
                ("a directive that the tool has not", one, [("boards/vivado/build.tcl", "ExtraTimingOpt", "ExtraTiming")], {},
                 "no such directive"),
                ("an unknown part", one, [("boards/au200/board.tcl", "xcu200", "xcu201")], {}, "resources of xcu201"),
                ("a property of the IP that is none", one, [("boards/vivado/pcie.tcl", "acs_ext_cap_enable", "acs_cap_enable")], {},
                 "no parameter acs_cap_enable"),
                ("a value that the IP has not", one, [("boards/vivado/pcie.tcl", "perf_level Extreme", "perf_level Most")], {},
                 "perf_level cannot be Most"),
                ("ids before the functions", one, [("boards/vivado/pcie.tcl", r"list \$link \$common \$ids", r"list $link $ids $common")],
                 {}, "function 1 is off"),
                ("MSI-X before the BARs", one, [("boards/vivado/pcie.tcl", r"\$bars \$msix\]", r"$msix $bars]")], {},
                 "TABLE_OFFSET is 00000000"),
                ("MSI-X behind its BAR", one, [("pcie/vhp_pcie_pkg.sv", "MsixPbaOffset   = 24'h9000", "MsixPbaOffset = 24'h10000")], {},
                 "outside BAR"),
                ("MSI-X structures that overlap", one,
                 [("pcie/vhp_pcie_pkg.sv", "MsixPbaOffset   = 24'h9000", "MsixPbaOffset = 24'h8100")], {}, "overlap"),
                ("a large BAR below 4 GiB", one, [("boards/vivado/boards.tcl", r"list 2 \$aperture 1", r"list 2 $aperture 0")], {},
                 "too large for a window"),
                ("a physical function without virtual ones", one, [("boards/vivado/pcie.tcl", r"\[llength \$virtual\] : 1", "[llength $virtual] : 0")],
                 {}, "function 0 has no virtual functions"),
                ("a first virtual function that is another one's", one,
                 [("boards/vivado/pcie.tcl", r"SRIOV_FIRST_VF_OFFSET 4\n        dict set sriov", r"SRIOV_FIRST_VF_OFFSET 5\n        dict set sriov")], {},
                 "function 0: its first virtual function is 4"),
                ("virtual functions without ARI", one, [("boards/vivado/pcie.tcl", r"pf0_ari_enabled \[expr \{\[llength \$virtual\]", "pf0_ari_enabled [expr {0")],
                 {}, "without ARI"),
                ("MSI-X of virtual functions before their BARs", one, [("boards/vivado/pcie.tcl", r"\$sriov \$sriov_bars \$sriov_msix\]", r"$sriov $sriov_msix $sriov_bars]")],
                 {}, "TABLE_OFFSET is 00000000"),
                ("a constant that is gone", one, [("lib/vhp_pkg.sv", r"\bApertureLog2 ", "ApertureBits ")], {},
                 "no number is called ApertureLog2"),
                ("a value that the IP changes", one, [], {"MOCK_OVERRIDE": "axisten_if_enable_client_tag false"},
                 "axisten_if_enable_client_tag is false, not true"),
                ("setup time", one, [], {"MOCK_SLACK": "-0.012"}, "timing is not met: setup slack -0.012"),
                ("hold time", one, [], {"MOCK_HOLD": "-0.001"}, "timing is not met.*hold slack -0.001"),
                ("firmware left out", one, [("boards/vivado/build.tcl", r"read_mem \$image", "")], {}, "mem comes first")):
            self.check(f"refused in the flow: {name}", self.flow_refused, board, changes, env, want)
        self.check("refused in the flow: a golden image that reaches into the user slot", self.flow_refused, narrow,
                   [("boards/as02mc04/board.tcl", "0x01002000", "0x00080000")], {}, "the user slot begins at")
        self.check("refused in the flow: an image larger than the flash", self.flow_refused, one, [],
                   {"MOCK_BITS": str((128 << 20) - 0x1003000 + 1)}, "the flash takes")


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--elaborate":
        elaborate_here(sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", required=True, help="file: the firmware's image, then the RTL in compile order")
    parser.add_argument("--build", default="build", help="build directory")
    args = parser.parse_args()
    with open(args.sources) as f:
        firmware, *sources = f.read().split()
    checks = Checks(sources, firmware)
    with tempfile.TemporaryDirectory() as checks.tmp:
        try:
            checks.run(args.build)
        except Failed as failure:
            checks.failed += 1
            print(f"FAILED: {failure}")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
