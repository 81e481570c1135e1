#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resources of the design against what a board's part holds (make synth BOARD=name).

The blocks' figures are those of tests/synth.py (build/synth); a block without figures is synthesized now. What stands
between the blocks (FIFOs, counters, the 256-bit adapter) is synthesized here, with the blocks as black boxes, which also
tells how often each block is there. Not counted: the soft logic inside the PCIe IP, and what place and route changes.
Error: more than 80 % of any resource, as a part that full does not close timing.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{TOP}/tests", f"{TOP}/tests/boards"]
import boards  # noqa: E402
import synth   # noqa: E402

LIMIT = 80
KINDS = (("lut", "LUT"), ("ff", "FF"), ("ramb36", "RAMB36"), ("uram", "URAM"), ("dsp", "DSP"))


def between(board, sources, out):
    """Figures of vhp_board without the blocks, and how many there are of each block."""
    os.makedirs(out, exist_ok=True)
    flags = [f"-GLanes={board['lanes']}", f"-GBlockWidth={board['width']}", f"-DVHP_LANES={board['lanes']}",
             f"-DVHP_BLOCK_WIDTH={board['width']}", "-DSYNTHESIS", "--empty-blackboxes",
             *[f"--blackboxed-module {block}" for block in synth.BLOCKS]]
    files = [*flags, *sources, *boards.board_sources(), f"{TOP}/tests/boards/blackboxes.sv"]
    with open(f"{out}/vhp_board.log", "w") as log:
        run = subprocess.run([sys.executable, __file__, "--one", out, *files], stdout=log, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        sys.exit(f"what stands between the blocks was not synthesized, see {out}/vhp_board.log")
    figures, _ = synth.resources("vhp_board", out)
    with open(f"{out}/vhp_board.stat.json") as f:
        text = f.read()
    cells = json.loads(text[text.index("{"):])["design"]["num_cells_by_type"]
    # The core stands inside of vhp_control, which is a box here.
    return figures, {block: cells.get("vhp_control" if block == synth.CORE else block, 0) for block in synth.BLOCKS}


def synthesize(out, files):
    """In a process of its own: synth.py's script, with the black boxes' parameters taken off, which mapping does not take."""
    from pyosys import libyosys as ys
    design = ys.Design()
    script = synth.SCRIPT.format(top="vhp_board", files=" ".join(files), out=out, logic=synth.LOGIC,
                                 box="").strip().splitlines()
    script = [command for command in script if not command.startswith(("write_json", "select"))]
    ys.run_pass(script[0], design)
    for cell in design.top_module().cells_.values():
        for name in list(cell.parameters):
            if not str(cell.type).startswith("$"):
                ys.run_pass(f"setparam -unset {str(name).lstrip(chr(92))} t:{str(cell.type).lstrip(chr(92))}", design)
    for command in script[1:]:
        ys.run_pass(command, design)


def block_figures(block, out):
    """Counts of a block, and whether its source is younger; nothing if it was not synthesized."""
    stat = f"{out}/{block}.stat.json"
    if not os.path.exists(stat):
        return None, False
    source = glob.glob(f"{TOP}/rtl/*/{block}.sv")
    return synth.resources(block, out)[0], bool(source) and os.path.getmtime(source[0]) > os.path.getmtime(stat)


def table(board, rows, limit=LIMIT):
    """Prints; returns the resources that are above the limit."""
    have = board["resources"]
    print(f"{board['title']}: {board['part']}")
    print(f"{'':22}{'count':>6}" + "".join(f"{name:>9}" for _, name in KINDS))
    total = dict.fromkeys((key for key, _ in KINDS), 0)
    for name, count, figures in rows:
        # A LUT RAM or shift register occupies a LUT.
        used = {key: count * (figures[key] + (figures["lutram"] if key == "lut" else 0)) for key in total}
        for key in total:
            total[key] += used[key]
        print(f"{name:22}{count:6}" + "".join(f"{used[key]:9g}" for key in total))
    over = []
    percent = {key: 100 * total[key] / int(have[key]) if int(have[key]) else 0 for key in total}
    print(f"{'total':28}" + "".join(f"{total[key]:9g}" for key in total))
    print(f"{'part':28}" + "".join(f"{int(have[key]):9}" for key in total))
    print(f"{'percent':28}" + "".join(f"{percent[key]:9.1f}" for key in total))
    for key, name in KINDS:
        if percent[key] > limit or (total[key] and not int(have[key])):
            over.append(f"{name}: {total[key]:g} of {have[key]} is more than {limit} %")
    return over


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", required=True)
    parser.add_argument("--out", required=True, help="directory of tests/synth.py's results")
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    try:
        board = boards.describe([args.board])[2][0]
    except boards.Failed as failure:
        sys.exit(str(failure).split("\n")[0])
    board["resources"] = boards.tcl_dict(board["resources"])

    rest, count = between(board, args.sources, f"{args.out}/board")
    used = [block for block in synth.BLOCKS if count[block]]
    missing = [block for block in used if not block_figures(block, args.out)[0]]
    if missing:
        print(f"synthesized first: {' '.join(missing)}", flush=True)
        subprocess.run([sys.executable, f"{TOP}/tests/synth.py", "--out", args.out, "--block", " ".join(missing), *args.sources],
                       check=True)
    rows, old = [], []
    for block in used:
        figures, stale = block_figures(block, args.out)
        rows.append((block, count[block], figures))
        if stale:
            old.append(block)
    rows.append(("between the blocks", 1, rest))
    over = table(board, rows)
    if old:
        print(f"figures older than the source: {' '.join(old)} (make synth BLOCK=\"...\")")
    for sentence in over:
        print(sentence)
    print(f"{1 - bool(over)} passed, {int(bool(over))} failed")
    return 1 if over else 0


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        synthesize(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
