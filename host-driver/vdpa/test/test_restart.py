#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each program of the chain is killed in turn, on the simulated card, and packets move again.

front end (stock virtio_user, io) - vhp-vdpad - vhp-sim - stock testpmd with the net driver (macswap)
Usage: test_restart.py BUILD_DIR
"""
import os
import signal
import sys

import test_vdpa
from test_vdpa import BUILD, Failure, Process, Rig, check

test_vdpa.GUARD = 180  # a simulated card on a busy machine


class SimRig(Rig):
    def start_card(self):
        log = self.path("card.log")
        starts = open(log).read().count("ready") if os.path.exists(log) else 0
        return self.add(Process(self.dir, "card", f"{BUILD}/bin/vhp-sim", "--socket-dir", ".")).wait_for("^ready", starts + 1)

    def far_end(self):
        self.fronts += 1
        name = f"far{self.fronts}"
        p = self.add(Process(
            self.dir, name, "stdbuf", "-oL", "dpdk-testpmd", "--lcores=0@(0-1),1@(0-1)" if os.cpu_count() > 1 else "--lcores=0@0,1@0",
            "--no-pci", "--no-telemetry", "--file-prefix", self.prefix + name, "--no-huge", "-m", "128", "-d",
            "librte_net_vhost_pci.so", "--vdev=net_vhost_pci0,socket=fn1.sock", "--", "-i", "--forward-mode=macswap",
            "--total-num-mbufs=2048", "--no-flush-rx"))
        p.wait_for("testpmd> ")
        p.say("start")
        return p


def go(rig, front, far, count=1):
    """Both ends know each other; a burst goes round from now on (what was under way at a break is lost)."""
    front.wait_for("testpmd> ")
    rig.connected()
    far.wait_for("peer connected", count)
    front.say("stop")
    front.say("start tx_first 1")
    rig.moves()


def step(text):
    print(f"- {text}", flush=True)


def main():
    os.environ["LD_LIBRARY_PATH"] = f"{BUILD}/lib"
    rig, passed = None, 0
    try:
        step("packets go round")
        rig = SimRig("restart")
        far = rig.far_end()
        front = rig.front()
        go(rig, front, far)
        passed += 1

        step("the front end is killed: the port is free, the next one is served")
        front.end(signal.SIGKILL)
        rig.until("port free", lambda: rig.status()["phase"] == "no front end")
        check(rig.status()["card_state"] == "down", rig.status()["card_state"])
        front = rig.front()
        go(rig, front, far, 2)
        passed += 1

        step("the far end is killed: the port waits, the next driver is connected")
        far.end(signal.SIGKILL)
        rig.until("waiting", lambda: rig.status()["card_state"] == "waiting for the driver")
        far = rig.far_end()
        go(rig, front, far)
        passed += 1

        step("the daemon is killed: the next one takes the card over")
        rig.daemon.end(signal.SIGKILL)
        front.end(signal.SIGKILL)
        rig.daemon = rig.start_daemon()
        front = rig.front()
        go(rig, front, far, 2)
        passed += 1

        step("the simulator is killed: the daemon lives and takes the next card, the front end stays")
        rig.card.end(signal.SIGKILL)
        rig.daemon.wait_for("the card is gone")
        far.end(signal.SIGKILL)
        rig.card = rig.start_card()
        rig.daemon.wait_for("the card is back")
        far = rig.far_end()
        go(rig, front, far)
        check(front.process.poll() is None, "the front end died")
        passed += 1

        step("SIGTERM: clean ends")
        check(rig.daemon.end() == 0, "daemon")
        check(rig.card.end() == 0, "simulator")
        check(not os.path.exists(rig.path("vm0.sock")), "the socket is left")
        passed += 1
    except Failure as e:
        print(f"FAILED: {e}")
        for p in rig.processes if rig else []:
            print(f"--- {p.path}\n" + "\n".join(p.output().splitlines()[-12:]))
    finally:
        for p in rig.processes if rig else []:
            if p.process.poll() is None:
                p.end(signal.SIGKILL)
    print(f"{passed} passed, {6 - passed} failed")
    return passed != 6


if __name__ == "__main__":
    sys.exit(main())
