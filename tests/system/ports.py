#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several ports of one card, each with a checked stream (stream.h) between a stock virtio_user and our PMD: what happens to the
ends of one port does not reach the other's stream.

--ports N   2 (default) to 8
"""

import argparse
import signal
import sys

import figures
from rig import Rig, Sim, needs, vdpad, vhpctl
from stream import StreamHost, finish, wait_received

# Frames each second and way: below what a simulated card can carry, or everything else of the test waits behind them.
RATE = 30


def ends(rig, port, turn=""):
    """Both ends of a port, started and streaming."""
    b = StreamHost(rig, f"b{port}{turn}", "b", ["-d", "librte_net_vhost_pci.so",
                   f"--vdev=net_vhost_pci0,socket={rig.path(f'fn{port + 1}.sock')}"], RATE)
    a = StreamHost(rig, f"a{port}{turn}", "a", [f"--vdev=net_virtio_user0,path={rig.path(f'vhost{port}.sock')}"], RATE, cpu=1)
    for stream in (a, b):
        stream.wait_for("^link up", 60)
    for stream in (a, b):
        stream.ask("start")
    return a, b


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, default=2)
    args = parser.parse_args()
    needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    with Rig("sys-ports") as rig:
        sim = Sim(rig, "--ports", str(args.ports))
        more = [word for port in range(1, args.ports) for word in ("--iface", rig.path(f"vhost{port}.sock"))]
        daemon = vdpad(rig, *more, iface="vhost0.sock")
        pairs = [ends(rig, port) for port in range(args.ports)]
        rig.check(all(wait_received(stream, 30) for pair in pairs for stream in pair), f"{args.ports} ports carry streams both ways")
        ports = vhpctl(rig, "status")
        ports = ports if isinstance(ports, list) else ports["ports"]
        ids = [port["vhost_pci_id"] for port in ports]
        rig.check(len(ports) == args.ports and len(set(ids)) == args.ports, f"ids of the ports differ: {ids}")

        a, b = pairs.pop()
        last = args.ports - 1
        a.kill(signal.SIGKILL)
        b.wait_for("^link down", 60)
        rig.check(all(wait_received(stream, 30) for pair in pairs for stream in pair),
                  f"front end of port {last} killed: its PMD sees the link go, the other streams run on")
        b.kill(signal.SIGKILL)
        rig.check(all(wait_received(stream, 30) for pair in pairs for stream in pair),
                  f"PMD of port {last} killed: the other streams run on")
        again = ends(rig, last, "-again")
        rig.check(all(wait_received(stream, 30) for stream in again), f"new ends on port {last}: its stream runs")
        finish(rig, *again, f"port {last}, new ends, ")
        for port, pair in enumerate(pairs):
            finish(rig, *pair, f"port {port}, from before to after, ")
        rig.check(daemon.alive(), "vhp-vdpad ran all the time")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
