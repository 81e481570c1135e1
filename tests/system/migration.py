#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live migration of VM A between two stock QEMU processes on one host, both on the same vhost-user socket, while a checked stream
(stream.h) runs both ways. B's end is a DPDK program with our PMD on the host.

While memory is copied the guest leaves what it receives in the pages where the device put it. A guest's processor often writes
into such a page too (it clears it before, and puts data of its own into the first page of a frame), which would hide that the
card's writes were not logged: so this guest clears no page, and frames have up to 9014 bytes, on several pages. QEMU learns of
most of them only from the vhost-user log, and one that was not logged shows as a corrupt frame.

--software  stock net_vhost in place of card, daemon and PMD: shows that guests, checker and monitor work
--lost-log  a proxy on the socket hands out another log than QEMU's, as if nothing were logged: the test has to fail
"""

import argparse
import sys

import figures
from proxy import Proxy
from rig import Rig, Sim, guest_a, needs, vdpad
from stream import StreamA, StreamHost, finish, wait_received

MTU = 9000
MEMORY_MIB = 48
RATE_A, RATE_B = 100, 200
BANDWIDTH, DOWNTIME_MS = 24 << 20, 50
GUEST = {"cmdline": "init_on_alloc=0"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--software", action="store_true")
    parser.add_argument("--lost-log", action="store_true")
    args = parser.parse_args()
    if not args.software:
        needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    with Rig("sys-rig-migration" if args.software else "sys-migration") as rig:
        sim = None
        back_end = "vhost-back.sock" if args.lost_log else "vhost.sock"
        if args.software:
            eal = [f"--vdev=net_vhost0,iface={rig.path(back_end)}"]
        else:
            sim = Sim(rig, "--ports", "1")
            vdpad(rig, "--mtu", str(MTU), iface=back_end)
            eal = ["-d", "librte_net_vhost_pci.so", f"--vdev=net_vhost_pci0,socket={rig.path('fn1.sock')}"]
        b = StreamHost(rig, "stream-b", "b", eal, RATE_B, MTU)
        if args.lost_log:
            proxy = Proxy(rig.path("vhost.sock"), rig.path(back_end), lose_log=True)
        source = guest_a(rig, **GUEST).connect()
        rig.say("VM A is up")
        a = StreamA(source, RATE_A, MTU, MEMORY_MIB)
        a.ask("start")
        b.ask("start")
        rig.check(wait_received(b, 100) and wait_received(a, 100), "the stream runs both ways")
        sink = guest_a(rig, "vm-a-sink", incoming=True, **GUEST).attach()
        rig.say("a second QEMU waits for VM A on the same vhost-user socket")
        rig.check(wait_received(b, 30), "the stream goes on")
        before = a.ask("hold")
        at_b = [b.ask()]
        state = source.migrate_to(sink, meanwhile=lambda: at_b.append(b.ask()), max_bandwidth=BANDWIDTH, downtime_limit=DOWNTIME_MS)
        rig.check(True, f"migration: {state['ram']['transferred'] >> 20} MiB in {state['total-time'] / 1000:.1f} s, "
                  f"{state['ram']['dirty-sync-count']} passes, downtime {state['downtime']} ms")
        if args.lost_log:
            rig.say(f"{proxy.lost_pages()} pages were kept from QEMU")
        moving = [now for now in at_b[1:] if now["received"] > at_b[0]["received"] and now["sent"] > at_b[0]["sent"]]
        rig.check(moving, f"the stream ran meanwhile: {at_b[-1]['sent'] - at_b[0]['sent']} frames to A, "
                  f"{at_b[-1]['received'] - at_b[0]['received']} from A")
        source.qmp("quit")
        rig.equal(source.wait(30), 0, "the first QEMU ends")
        rig.equal(sink.qmp("query-status")["status"], "running", "the second one runs the guest")
        a.guest = sink
        now = a.ask("status")
        rig.equal(now["received"], before["received"], "what arrived meanwhile lies unread in the guest")
        first = b.ask()
        resumed = a.ask("go")
        rig.check(wait_received(b, 100), "A to B resumed")
        rig.check(wait_received(a, max(100, first["sent"] - resumed["received"])), "B to A resumed")
        last = b.ask()
        rig.say(f"longest pause in what B received: {max(x['gap_ms'] for x in (*at_b, first, last))} ms")
        finish(rig, a, b)
        sink.power_off()
        if sim:
            code, stats = sim.finish()
            rig.equal(code, 0, "vhp-sim ends cleanly")
            figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
