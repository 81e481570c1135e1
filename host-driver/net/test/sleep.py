#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rx interrupts: a receiver that sleeps (rx_sleep.c) answers what stock virtio_user sends through the card."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "tests", "system"))
from rig import BUILD, LIB, Process, Rig, Sim, Testpmd, vdpad  # noqa: E402

BURSTS = 5
BURST = 8


def main():
    with Rig("drv-net-sleep") as rig:
        sim = Sim(rig, "--ports", "1")
        vdpad(rig)
        end = Process(rig, "rx_sleep", [os.path.join(BUILD, "tests", "rx_sleep"), "--lcores=0@0", "--no-pci", "--no-telemetry",
                                        "--no-huge", "-m", "64", f"--file-prefix={os.path.basename(rig.dir)}-s", "-d",
                                        "librte_net_vhost_pci.so", f"--vdev=net_vhost_pci0,socket={rig.path('fn1.sock')}",
                                        "--", str(BURSTS * BURST)], env={"LD_LIBRARY_PATH": LIB})
        peer = Testpmd(rig, "testpmd", [f"--vdev=net_virtio_user0,path={rig.path('vhost.sock')}"], [], cpu=1).ready()
        end.wait_for("^link up", 60)
        peer.command("set fwd rxonly")
        peer.command(f"set burst {BURST}")
        for i in range(BURSTS):
            peer.command("start tx_first 1", 60)
            expected = BURST * (i + 1)
            for _ in range(300):
                if peer.port_stats(0).get("RX-packets", 0) >= expected:
                    break
                if not end.alive():
                    break
            peer.command("stop", 60)
            rig.equal(peer.port_stats(0).get("RX-packets"), expected, f"burst {i + 1} is answered")
        result = end.wait_for(r"received (\d+), answered (\d+), slept (\d+) times", 90, must_live=False)
        received, answered, slept = map(int, result.groups())
        rig.check(received >= BURSTS * BURST and answered == received, f"{received} packets received, {answered} answered")
        rig.check(1 <= slept <= received, f"woken {slept} times")
        rig.equal(end.wait(60), 0, "rx_sleep ends cleanly")
        peer.quit()
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        rig.equal(stats["dma_faults"], 0, "no access outside the port's memory")
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
