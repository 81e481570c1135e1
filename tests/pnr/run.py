#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Blocks of the datapath placed and routed for an Artix-7 200T (nextpnr), with the frequency that each reaches alone.

This is evidence of the paths' length with real wires, on a part of an older family: no open tool routes UltraScale+, where
the same logic is faster. Needs nextpnr-himbaechel-xilinx; where the machine lacks it, a second root brings it
(sim/toolchain/packages-pnr.list).
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys

DEVICE = "xc7a200tfbg484-2"
PINS = {"clk": "R4", "si": "V4", "load": "W4", "so": "Y4"}
TOOL = "nextpnr-himbaechel-xilinx"
BLOCKS = ("vhp_rd_issue", "vhp_rd_ops", "vhp_rd_land", "vhp_wr_split", "vhp_wr_data", "vhp_wr_retire", "vhp_rq_mux",
          "vhp_vq_avail", "vhp_vq_lines", "vhp_vq_walk", "vhp_region_table", "vhp_planner", "vhp_writer", "vhp_used",
          "vhp_wr_mux")


def place_and_route(block, out, freq, prefix):
    """(frequency in MHz, {cell: count}, longest path as text) of one block; None if the tool failed."""
    with open(f"{out}/{block}.xdc", "w") as f:
        for port, pin in PINS.items():
            f.write(f"set_property LOC {pin} [get_ports {port}]\n"
                    f"set_property IOSTANDARD LVCMOS33 [get_ports {port}]\n")
    command = [*prefix, TOOL, "--device", DEVICE, "--json", f"{out}/{block}.json", "-o", f"xdc={out}/{block}.xdc",
               "-o", f"fasm={out}/{block}.fasm", "--freq", str(freq), "--timing-allow-fail",
               "--report", f"{out}/{block}.report.json"]
    with open(f"{out}/{block}.log", "w") as log:
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            return None
    with open(f"{out}/{block}.report.json") as f:
        report = json.load(f)
    achieved = min(clock["achieved"] for clock in report["fmax"].values())
    path = max((p["path"] for p in report["critical_paths"] if p["from"] == p["to"]),
               key=lambda p: sum(step["delay"] for step in p))
    logic = sum(step["delay"] for step in path if step["type"] in ("logic", "clk-to-q", "setup"))
    wires = sum(step["delay"] for step in path if step["type"] == "routing")
    cells = {kind: use["used"] for kind, use in report["utilization"].items()}
    return achieved, cells, f"{logic:.1f} ns logic, {wires:.1f} ns wires"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--list", action="store_true", help="print the default blocks")
    parser.add_argument("--out", help="directory with the netlists, for logs and reports")
    parser.add_argument("--freq", type=int, default=250, help="target in MHz (250)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("block", nargs="*", default=BLOCKS)
    options = parser.parse_args()
    if options.list:
        print(*BLOCKS)
        return
    if not options.out:
        parser.error("--out is missing")

    prefix = []
    if not shutil.which(TOOL):
        os.environ["VHP_ROOT"] = "pnr"
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../sim/toolchain/root")
        subprocess.run([root, "build"], check=True)
        prefix = [root, "run"]
    print(f"{DEVICE}, each block alone, target {options.freq} MHz; evidence, no promise for UltraScale+\n"
          f"{'block':18}{'MHz':>8}  longest path", flush=True)
    failed, table = [], {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = {b: pool.submit(place_and_route, b, options.out, options.freq, prefix) for b in options.block}
        for block, future in work.items():
            result = future.result()
            if result is None:
                failed.append(block)
                print(f"{block:18}  failed: {options.out}/{block}.log", flush=True)
                continue
            mhz, cells, path = result
            table[block] = {"mhz": mhz, "path": path, "cells": cells}
            print(f"{block:18}{mhz:8.1f}  {path}", flush=True)
    with open(f"{options.out}/pnr.json", "w") as f:
        json.dump({"device": DEVICE, "target": options.freq, "blocks": table}, f, indent=1)
    print(f"{len(table)} placed and routed, {len(failed)} failed; {options.out}/pnr.json")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
