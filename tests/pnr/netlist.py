#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Netlists for place and route: netlist.py --out DIR BLOCK... -- SOURCES.

A block has thousands of ports and the part few pins, so it is wrapped: inputs come from one shift register, outputs go
through a register each into another one that is shifted out. Its "load" travels along with the bits, so no path of the
wrapper is longer than a LUT.
"""

import json
import os
import sys

CLOCKS = ("clk_i", "user_clk")
WRAPPER = """module {top}_pnr(input clk, input si, input load, output so);
  reg [{ni}:0] in_q;
  wire [{no}:0] out;
  reg [{no}:0] out_q, sh_q;
  reg [{ng}:0] load_q;
  always @(posedge clk) begin
    in_q   <= {{in_q, si}};
    load_q <= {{load_q, load}};
    out_q  <= out;
  end
  genvar i;
  generate
    for (i = 0; i <= {no}; i = i + 1) begin : g_shift
      always @(posedge clk) sh_q[i] <= load_q[i / 16] ? out_q[i] : {first};
    end
  endgenerate
  assign so = sh_q[{no}];
  {top} dut({ports});
endmodule
"""


def wrapper(top, ports):
    """Verilog of module <top>_pnr around a module with these ports (Yosys JSON)."""
    connections, used = [], {"input": 0, "output": 0}
    for name, port in ports.items():
        if name in CLOCKS:
            connections.append(f".{name}(clk)")
            continue
        low, width = used[port["direction"]], len(port["bits"])
        used[port["direction"]] += width
        net = "in_q" if port["direction"] == "input" else "out"
        connections.append(f".{name}({net}[{low + width - 1}:{low}])")
    return WRAPPER.format(top=top, ports=", ".join(connections), ni=used["input"] - 1, no=used["output"] - 1,
                          ng=(used["output"] - 1) // 16, first="i == 0 ? 1'b0 : sh_q[i - 1]")


def netlist(top, files, out):
    from pyosys import libyosys as ys
    ys.log_to_stream = None
    design = ys.Design()

    def run(command):
        ys.run_pass(command, design)

    run(f"read_slang --top {top} --error-limit 20 {' '.join(files)}")
    run(f"select {top}")
    run(f"write_json -selected {out}/{top}.ports.json")
    run("select -clear")
    with open(f"{out}/{top}.ports.json") as f:
        ports = json.load(f)["modules"][top]["ports"]
    with open(f"{out}/{top}_pnr.v", "w") as f:
        f.write(wrapper(top, ports))
    run(f"read_verilog {out}/{top}_pnr.v")
    run(f"synth_xilinx -family xc7 -flatten -abc9 -top {top}_pnr")
    run(f"write_json {out}/{top}.json")


def main():
    out, rest = sys.argv[2], sys.argv[3:]
    cut = rest.index("--")
    os.makedirs(out, exist_ok=True)
    for top in rest[:cut]:
        # A process each: Yosys keeps what it read.
        pid = os.fork()
        if pid == 0:
            netlist(top, rest[cut + 1:], out)
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            sys.exit(f"netlist.py: Yosys failed on {top}")


if __name__ == "__main__":
    main()
