#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proofs of small RTL blocks, for any number of cycles: temporal induction with Yosys's SAT solver.

f_NAME.sv holds the block, a model of what it must do and the assertions; its line "// RTL file ..." names the sources
(a name without a folder: a generated one). Two things are shown for each block: the assertions hold from reset on, and
they can fail: the block is changed in small ways (Yosys mutate), and most of the changes have to break an assertion.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 10             # longest induction
DRIVER = """
import sys
from pyosys import libyosys as ys
design = ys.Design()
for command in sys.stdin.read().splitlines():
    ys.run_pass(command, design)
"""


def yosys(commands, log):
    """Output of these commands in a process of their own, kept in the file log."""
    with open(log, "w+") as f:
        subprocess.run([sys.executable, "-c", DRIVER], input="\n".join(commands), check=False, text=True, stdout=f,
                       stderr=subprocess.STDOUT)
        f.seek(0)
        return f.read()


class Proof:
    def __init__(self, name, options):
        self.name, self.top, self.seed, self.mutants = name, f"f_{name}", options.seed, options.mutants
        self.out = f"{options.out}/{name}"
        with open(f"{HERE}/f_{name}.sv") as f:
            rtl = re.search(r"^// RTL (.*)$", f.read(), re.M).group(1).split()
        files = [file if "/" in file else f"{options.gen}/{file}" for file in rtl]
        self.read = [f"read_slang --top {self.top} -DSYNTHESIS {' '.join(files)} {HERE}/f_{name}.sv",
                     f"prep -top {self.top}", f"write_rtlil {self.out}.il",
                     f"mutate -list {self.mutants} -seed {self.seed} -o {self.out}.mutants {self.top}/a:src=rtl/*"]
        self.sat = ["flatten", "memory_map", "chformal -lower", "opt -full",
                    f"sat -tempinduct -prove-asserts -set-assumes -set-at 1 rst_i 1 -seq 1 -maxsteps {STEPS} {self.top}"]

    def holds(self):
        """Induction length at which the block is proven, 0 if it is not."""
        text = yosys(self.read + self.sat, f"{self.out}.log")
        if "Induction step proven: SUCCESS!" not in text:
            return 0
        return int(re.findall(r"induction step (\d+)", text)[-1])

    def caught(self, steps):
        """How many changes break the proof (its base case, or the induction at the length that it takes)."""
        with open(f"{self.out}.mutants") as f:
            changes = f.read().split("\n")
        changes = [c for c in changes if c.startswith("mutate")]
        sat = self.sat[:-1] + [self.sat[-1].replace(f"-maxsteps {STEPS}", f"-maxsteps {steps + 1}")]
        missed = []
        for change in changes:
            text = yosys([f"read_rtlil {self.out}.il", change, *sat], f"{self.out}.mutant.log")
            if "SUCCESS!" in text:
                missed.append(change)
            elif "FAIL!" not in text and "proof failed" not in text:
                raise RuntimeError(f"Yosys failed: {self.out}.mutant.log")
        with open(f"{self.out}.missed", "w") as f:
            f.write("\n".join(missed))
        return len(changes) - len(missed), len(changes)


def check(proof):
    """(passed, sentence)"""
    steps = proof.holds()
    if not steps:
        return False, f"not proven: {proof.out}.log"
    if not proof.mutants:
        return True, f"proven by {steps} steps"
    caught, tried = proof.caught(steps)
    sentence = f"proven by {steps} steps; {caught} of {tried} changes to the block are noticed"
    # Some changes alter nothing that can be seen.
    return caught * 2 > tried, sentence


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", required=True, help="directory for logs")
    parser.add_argument("--gen", required=True, help="directory of the generated sources")
    parser.add_argument("--seed", type=int, default=1, help="of the changes to the blocks")
    parser.add_argument("--mutants", type=int, default=12, help="changes to a block, 0 for none")
    parser.add_argument("name", nargs="*", help="default: all")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    names = options.name or sorted(os.path.basename(f)[2:-3] for f in glob.glob(f"{HERE}/f_*.sv"))
    good = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (ok, sentence) in zip(names, pool.map(lambda n: check(Proof(n, options)), names)):
            print(f"{'ok  ' if ok else 'FAIL'} {name}: {sentence}", flush=True)
            good += ok
    print(f"{good} passed, {len(names) - good} failed (seed {options.seed})")
    sys.exit(good != len(names))


if __name__ == "__main__":
    main()
