#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a packet costs on PCIe with copy offload and with driver copy: the same frames both ways through the whole simulated card,
stock virtio_user at one end, our PMD at the other. Set-up cancels out, as each figure is the difference of a long and a short
run; reads of a poll that found nothing are subtracted, since their number says how fast the simulation is.

--json FILE  adds the rows to "throughput" of that file: PCIe bytes and TLPs of all functions per packet, reads and writes of
             the BARs per packet. mpps is there for driver copy only: what one processor reaches if a read costs it 1 us.
"""

import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
import figures  # noqa: E402
from rig import Rig, Sim, needs, vdpad  # noqa: E402
from virtio_user import exchange  # noqa: E402

SHORT, LONG = 32, 160  # frames each way
SIZES = (64, 1500)
READ_US = 1.0
# An empty poll, avail flags and index: read request down, the DMA read for it up, its completion down, the completion to the host up.
POLL_DOWN, POLL_UP = 24 + 20 + 4, 24 + 20 + 4


def run(rig, copy, size, frames):
    """One connection; what it cost."""
    name = f"{copy}-{size}-{frames}"
    sim = Sim(rig, "--ports", "1", name=f"vhp-sim-{name}")
    daemon = vdpad(rig, "--aperture", "on", "--pv-interrupt", name=f"vdpad-{name}", iface="vhost.sock")
    x = {}

    def inspect(port):
        x.update((k, int(v)) for k, v in re.findall(r"^(\w+): (\d+)$", port.command("show port xstats 0"), re.M))

    exchange(rig, name, "", [], 1, 7, False, frames, f",copy={copy}", sizes=(size, size), inspect=inspect)
    daemon.end()
    code, stats = sim.finish()
    rig.equal(code, 0, f"{name}: vhp-sim ends cleanly")
    figures.no_faults(rig, stats)
    model, empty = stats["model"], x["rx_q0_peer_reads_empty"]
    down, up = ("cq_wr", "cq_rd", "cpl"), ("wr", "rd", "cpl_up")
    total = {way: {key: sum(f[kind][key] for f in model["functions"] for kind in kinds) for key in ("tlps", "bytes")}
             for way, kinds in (("down", down), ("up", up))}
    return {
        "pcie_up_bytes": total["up"]["bytes"] - POLL_UP * empty,
        "pcie_down_bytes": total["down"]["bytes"] - POLL_DOWN * empty,
        "pcie_up_tlps": total["up"]["tlps"] - 2 * empty,
        "pcie_down_tlps": total["down"]["tlps"] - 2 * empty,
        "bar_reads": sum(f["cq_rd"]["tlps"] for f in model["functions"]) - empty,
        "bar_writes": sum(f["cq_wr"]["tlps"] for f in model["functions"]),
        "a2b_reads": x["rx_q0_peer_reads"] - empty,
        "b2a_reads": x["tx_q0_peer_reads"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    args = parser.parse_args()
    needs("vhp-sim", "vhp-vdpad", "librte_net_vhost_pci.so")
    rows = []
    with Rig("bench-copy", quiet=True) as rig:
        for size in SIZES:
            for copy in ("card", "driver"):
                short, long = (run(rig, copy, size, n) for n in (SHORT, LONG))
                each = {k: (long[k] - short[k]) / (LONG - SHORT) for k in long}
                row = {"size": size, "direction": "both", "pairs": 1, "ring": "split", "copy": "offload" if copy == "card" else "driver",
                       "measured": "end to end"}
                row.update({k: round(v / 2, 3) for k, v in each.items() if not k.endswith("2b_reads") and not k.endswith("2a_reads")})
                if copy == "driver":
                    for way in ("a2b", "b2a"):
                        row[f"{way}_reads"] = round(each[f"{way}_reads"], 3)
                        row[f"{way}_mpps"] = round(1 / (each[f"{way}_reads"] * READ_US), 3)
                rows.append(row)
    print("\nPCIe per packet (mean of both directions)")
    print("size  copied by   bytes up  bytes down  TLPs up  TLPs down  BAR reads  BAR writes")
    for r in rows:
        print(f"{r['size']:4}  {'card' if r['copy'] == 'offload' else 'driver':9}{r['pcie_up_bytes']:11.1f}{r['pcie_down_bytes']:12.1f}"
              f"{r['pcie_up_tlps']:9.2f}{r['pcie_down_tlps']:11.2f}{r['bar_reads']:11.2f}{r['bar_writes']:12.2f}")
        if r["copy"] == "driver":
            print(f"      reads of peer memory: A to B {r['a2b_reads']:.2f}, B to A {r['b2a_reads']:.2f}; at {READ_US:.0f} us each that is "
                  f"{r['a2b_mpps']:.2f} and {r['b2a_mpps']:.2f} Mpps for one processor")
    if args.json and not rig.failed:
        document = {}
        if os.path.exists(args.json):
            with open(args.json) as f:
                document = json.load(f)
        document["throughput"] = [e for e in document.get("throughput", []) if e.get("measured") != "end to end"] + rows
        with open(args.json, "w") as f:
            json.dump(document, f, indent=1)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
