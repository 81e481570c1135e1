# SPDX-License-Identifier: Apache-2.0
"""What card and drivers counted: vhp-sim's statistics and vhpctl, as checks and as a table."""

from rig import vhpctl


def one_port(document):
    """The only port in what vhpctl --json printed."""
    ports = document if isinstance(document, list) else document.get("ports", [document])
    return ports[0]


def of_drivers(rig):
    """Status and statistics of the port, while vhp-vdpad runs."""
    return one_port(vhpctl(rig, "status")), one_port(vhpctl(rig, "stats"))


def no_faults(rig, sim):
    """The card touched nothing that it was not given, and broke no rule of PCIe."""
    rig.equal(sim["dma_faults"], 0, "no DMA fault")
    rig.equal(sim["model"]["err_uncor"], 0, "no uncorrectable PCIe error")


def check(rig, status, stats, sim, min_bytes):
    """The figures of a run that moved at least min_bytes each way."""
    rig.check("VERSION_1" in " ".join(status["features"]["names"]).upper(), "VIRTIO_F_VERSION_1 is negotiated with VM A")
    rig.equal(status["connected"], 1, "vhpctl shows the port connected")
    for way in ("a2b", "b2a"):
        rig.check(stats[f"{way}_packets"] > 0 and stats[f"{way}_bytes"] >= min_bytes,
                  f"{way}: {stats[f'{way}_packets']} packets, {stats[f'{way}_bytes']} bytes counted")
    rig.check(stats["interrupts_forwarded"] > 0, f"{stats['interrupts_forwarded']} interrupts forwarded to VM A")
    rig.check(stats["doorbells_peer"] > 0 and stats["doorbells_driver"] > 0, "doorbells of both sides counted")
    lanes = {name: "running" if lane["state"] == "running" else lane["reason_text"] for name, lane in status["lanes"].items()}
    rig.check(lanes["a2b0"] == lanes["b2a0"] == "running" and set(lanes.values()) <= {"running", "not in use"},
              f"lanes: {', '.join(f'{n} {s}' for n, s in lanes.items())}")
    rig.equal(stats["control_errors"], 0, "no error on the control queues")
    no_faults(rig, sim)


def table(status, stats, sim):
    """The demo's closing table."""
    def row(name, a, b=None):
        print(f"  {name:34}{a:>22}" + (f"{b:>22}" if b is not None else ""))

    print()
    row("", "VM A -> VM B", "VM B -> VM A")
    row("packets", stats["a2b_packets"], stats["b2a_packets"])
    row("bytes", stats["a2b_bytes"], stats["b2a_bytes"])
    row("dropped", stats["a2b_dropped"], stats["b2a_dropped"])
    print()
    row("doorbells of VM A", stats["doorbells_peer"])
    row("  of them relayed by vhp-vdpad", stats["kicks_relayed"])
    row("doorbells of VM B", stats["doorbells_driver"])
    row("interrupts forwarded to VM A", stats["interrupts_forwarded"])
    row("DMA faults", sim["dma_faults"])
    row("PCIe bytes up / down", f"{sim['model']['up_bytes']} / {sim['model']['down_bytes']}")
    row("card cycles", sim["model"]["cycles"])
    print()
    print("  features with VM A:  " + " ".join(status["features"]["names"]))
    print("  features with VM B:  " + " ".join(status["driver_features"]["names"]))
    print("  peer features:       " + " ".join(status["driver_accepted"]["names"]))
    print(flush=True)
