#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Synthesis check of the RTL for UltraScale+ (Yosys through pyosys, read_slang front end).

Each block is flattened and mapped by itself, with its default parameters; the whole card only on request (--block
vhp_card), for it takes a quarter of an hour. Printed: LUTs, flip-flops, block RAMs, UltraRAMs, DSPs and
the deepest path between registers, RAMs and ports (no place and route, so no nanoseconds), counted twice:

levels  LUT levels, weighted as UltraScale+ takes time for them: a LUT, or the asynchronous read of a LUT RAM, 1; entering
        a carry chain 1 and each 4 bits along it 1/16 (64 bits: 2 in all; a CARRY8 is hardly slower than a wire); MUXF
        7, 8, 9 sit in the LUT's slice: 1/4; an inverter goes into the next LUT: 0.
cells   cells of any kind in a row (Yosys ltp): each CARRY4 counts 1, so that a 64-bit addition alone is 17.

An error is: a latch, a wire with several drivers, a combinational loop, a memory or array above the size limit that
became flip-flops.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

# Every module that holds logic of its own; the tops above them only connect.
BLOCKS = ("vhp_control", "vhp_completer", "vhp_cfg_ext", "vhp_cfg_status", "vhp_flr", "vhp_msix",
          "vhp_rd_issue", "vhp_rd_ops", "vhp_rd_land", "vhp_wr_split", "vhp_wr_data", "vhp_wr_retire", "vhp_rq_mux",
          "vhp_vq_avail", "vhp_vq_lines", "vhp_vq_walk", "vhp_region_table", "vhp_planner", "vhp_writer", "vhp_used",
          "vhp_lane_regs", "vhp_lane_ctrl", "vhp_wr_mux", "vhp_dirty_log", "vhp_aperture", "vhp_ap_read",
          "vhp_cc_send", "vhp_spi", "vhp_boot", "VexRiscv")
# Taken as it is (rtl/soc/README.md): a block of its own, and a box with pins inside every other but the whole card.
CORE = "VexRiscv"
# Mapped first, for they take longest.
LONG = ("vhp_card", "vhp_control", "vhp_vq_walk", "vhp_rd_land", "vhp_used")
# Bits that may become flip-flops where the source has a memory (arrays) or one very wide register.
MEMORY_LIMIT = 4096
REGISTER_LIMIT = 8192

LOGIC = "t:LUT* t:MUXF* t:CARRY* t:INV"
SCRIPT = """
read_slang --top {top} {box} --error-limit 20 {files}
synth_xilinx -family xcup -top {top} -flatten -uram -noiopad -noclkbuf -run begin:coarse
check -nolatches
synth_xilinx -family xcup -top {top} -flatten -uram -noiopad -noclkbuf -run coarse:map_ffram
select {top}
write_json -selected {out}/{top}.memories.json
select -clear
synth_xilinx -family xcup -top {top} -flatten -uram -noiopad -noclkbuf -run map_ffram:check
tee -q -o {out}/{top}.stat.json stat -json
tee -q -o {out}/{top}.ltp ltp -noff w:* {logic}
select {top}
write_json -selected {out}/{top}.netlist.json
"""


def synthesize(top, files, out):
    """One block in this process; leaves its files in out."""
    from pyosys import libyosys as ys
    ys.log_to_stream = None
    design = ys.Design()
    box = "" if top in (CORE, "vhp_card") else f"--blackboxed-module {CORE}"
    for command in SCRIPT.format(top=top, files=" ".join(files), out=out, logic=LOGIC, box=box).strip().splitlines():
        ys.run_pass(command, design)


def const(value):
    return int(value, 2) if isinstance(value, str) else int(value)


def findings(top, out, log):
    """What is wrong with a synthesized block, as a list of sentences."""
    bad = []
    for line in sorted(set(re.findall(r"(?:Warning|Latch)[^\n]*", log))):
        if re.search(r"[Ll]atch inferred|multiple conflicting drivers|found logic loop|combinatorial loop|latch cell", line):
            bad.append(line)
    with open(f"{out}/{top}.memories.json") as f:
        module = json.load(f)["modules"][top]
    for name, cell in module["cells"].items():
        par = cell["parameters"]
        if cell["type"] in ("$mem_v2", "$mem"):
            bits = const(par["WIDTH"]) * const(par["SIZE"])
            if bits > MEMORY_LIMIT:
                bad.append(f"memory {name} ({const(par['SIZE'])} x {const(par['WIDTH'])}) becomes flip-flops")
        elif cell["type"] in ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe"):
            if const(par["WIDTH"]) > REGISTER_LIMIT:
                bad.append(f"register {name} has {const(par['WIDTH'])} bits: an array that should be a memory")
    return bad


def arcs(kind, pins):
    """Combinational arcs of a mapped cell: (from bit, to bit, levels). pins: port name -> bits."""
    if re.fullmatch(r"LUT[1-6](_2)?|INV|MUXF[789]", kind):
        cost = 0 if kind == "INV" else 0.25 if kind.startswith("MUXF") else 1
        for port in pins:
            if port[0] in "IS":
                for out in (o for p in ("O", "O5", "O6") for o in pins.get(p, ())):
                    yield pins[port][0], out, cost
    elif kind in ("CARRY4", "CARRY8"):
        hop = 1 / 64
        chain = [(b, hop) for b in pins.get("CI", ())] + [(b, 1) for b in pins.get("CYINIT", ())]
        for s, di, o, co in zip(pins["S"], pins["DI"], pins["O"], pins["CO"]):
            yield s, o, 1
            for source, cost in chain:
                yield source, o, cost
            chain = [(b, c + hop) for b, c in chain] + [(s, 1), (di, 1)]
            for source, cost in chain:
                yield source, co, cost
    elif kind.startswith("RAM") and not kind.startswith("RAMB"):
        for port, bits in pins.items():
            if port.startswith("DO"):
                address = pins.get("ADDR" + port[2:], ())
            elif port in ("DPO", "SPO", "O"):
                address = [b for p, v in pins.items() for b in v
                           if re.fullmatch(r"DPRA\d*" if port == "DPO" else r"A\d*", p)]
            else:
                continue
            for a in address:
                for d in bits:
                    yield a, d, 1


def depth(top, out):
    """Weighted levels of the deepest path, and the names at its ends."""
    with open(f"{out}/{top}.netlist.json") as f:
        module = json.load(f)["modules"][top]
    into, ends = {}, {}
    for cell in module["cells"].values():
        pins = cell["connections"]
        for source, sink, cost in arcs(cell["type"], pins):
            if not isinstance(source, str):
                into.setdefault(sink, []).append((source, cost))
        if re.match(rf"FD[RSCP]E|RAM|URAM|SRL|DSP|{CORE}", cell["type"]):
            name = next((b for p in ("Q", "DOA", "DPO", "O") for b in pins.get(p, ()) if not isinstance(b, str)), None)
            for port, bits in pins.items():
                if cell["port_directions"][port] == "input":
                    ends.update((b, name) for b in bits)
    for port in module["ports"].values():
        if port["direction"] == "output":
            ends.update((b, b) for b in port["bits"])
    best, origin = {}, {}
    for end in ends:
        stack = [end]
        while stack:
            bit = stack[-1]
            if bit in best:
                stack.pop()
                continue
            waiting = [s for s, _ in into.get(bit, ()) if s not in best]
            if waiting and len(stack) < 10000:
                stack.extend(waiting)
                continue
            stack.pop()
            best[bit], origin[bit] = 0, bit
            for source, cost in into.get(bit, ()):
                if best.get(source, 0) + cost > best[bit]:
                    best[bit], origin[bit] = best.get(source, 0) + cost, origin.get(source, source)
    names = {}
    for name, net in module["netnames"].items():
        for bit in net["bits"]:
            if not net.get("hide_name"):
                names.setdefault(bit, name)
    last = max(ends, key=lambda b: best.get(b, 0))
    return best.get(last, 0), f"{names.get(origin[last], '?')} .. {names.get(ends[last], names.get(last, '?'))}"


def resources(top, out):
    """Counts of a mapped block, and its latch cells."""
    with open(f"{out}/{top}.stat.json") as f:
        text = f.read()
    cells = json.loads(text[text.index("{"):])["design"]["num_cells_by_type"]
    total = {"lut": 0, "ff": 0, "ramb36": 0.0, "uram": 0, "dsp": 0, "lutram": 0}
    latches = 0
    for kind, count in cells.items():
        if re.fullmatch(r"LUT[1-6](_2)?|INV", kind):
            total["lut"] += count
        elif re.fullmatch(r"FD[RSCP]E(_1)?", kind):
            total["ff"] += count
        elif kind.startswith("RAMB36"):
            total["ramb36"] += count
        elif kind.startswith("RAMB18"):
            total["ramb36"] += count / 2
        elif kind.startswith("URAM288"):
            total["uram"] += count
        elif kind.startswith("DSP"):
            total["dsp"] += count
        elif re.match(r"RAM(32M16|64M8)", kind):
            total["lutram"] += 8 * count
        elif re.match(r"RAM(32M|64M)", kind):
            total["lutram"] += 4 * count
        elif re.match(r"RAM\d+X|SRL", kind):
            total["lutram"] += {"RAM128X1D": 4, "RAM256X1D": 8}.get(kind, 2 if kind.endswith("D") else 1) * count
        elif re.match(r"LD[CP]E|\$_DLATCH", kind):
            latches += count
    return total, latches


def figures(top, out):
    total, latches = resources(top, out)
    with open(f"{out}/{top}.ltp") as f:
        text = f.read()
    cells = re.search(r"\(length=(\d+)\)", text)
    total["cells"] = int(cells.group(1)) if cells else 0
    total["levels"], total["path"] = depth(top, out)
    return total, latches


def run_block(top, args):
    begin = time.monotonic()
    log_name = f"{args.out}/{top}.log"
    with open(log_name, "w") as log:
        code = subprocess.run([sys.executable, __file__, "--one", top, "--out", args.out, *args.files],
                              stdout=log, stderr=subprocess.STDOUT).returncode
    with open(log_name, errors="replace") as f:
        log = f.read()
    if code != 0:
        errors = re.findall(r"^.*(?:ERROR|error:).*$", log, re.M) or log.splitlines()[-5:]
        return top, None, errors[:20], time.monotonic() - begin
    bad = findings(top, args.out, log)
    total, latches = figures(top, args.out)
    if latches:
        bad.append(f"{latches} latch cells")
    return top, total, bad, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="directory for logs and netlists")
    parser.add_argument("--block", help="space separated modules instead of the standard list")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.one:
        synthesize(args.one, args.files, args.out)
        return 0

    blocks = args.block.split() if args.block else BLOCKS
    print(f"{'block':20}{'LUT':>8}{'FF':>8}{'LUTRAM':>8}{'RAMB36':>8}{'URAM':>6}{'DSP':>5}{'levels':>8}{'cells':>7}{'time':>8}"
          "  deepest path (levels)")
    results, failed = {}, 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = [pool.submit(run_block, top, args) for top in sorted(blocks, key=lambda b: b not in LONG)]
        for future in concurrent.futures.as_completed(futures):
            top, total, bad, seconds = future.result()
            if total:
                print(f"{top:20}{total['lut']:8}{total['ff']:8}{total['lutram']:8}{total['ramb36']:8g}{total['uram']:6}"
                      f"{total['dsp']:5}{total['levels']:8.1f}{total['cells']:7}{seconds:6.0f} s  {total['path']}", flush=True)
                results[top] = dict(total, findings=bad)
            else:
                print(f"{top:20}not synthesized ({seconds:.0f} s), see {args.out}/{top}.log", flush=True)
            for sentence in bad:
                print(f"    {sentence}", flush=True)
            failed += bool(bad) or not total
    with open(f"{args.out}/synth.json", "w") as f:
        json.dump(results, f, indent=2)
    print(f"{len(blocks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
