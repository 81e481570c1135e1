#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What running guests do to the card besides traffic: two queue pairs end to end, interrupts counted at both ends, call
descriptors that are replaced under way, and a reset of either machine in the middle of traffic.

VM A is a stock guest with two processors and two queue pairs; in VM B a stock testpmd with our PMD answers pings.
"""

import re
import sys
import time

import figures
from proxy import Proxy
from rig import BIND_VFIO, GuestTestpmd, Rig, Sim, guest_a, guest_b, needs, vdpad, deadline_in

NIC_B = "0000:00:03.0"
PLUGIN = "/usr/lib/vhost-pci-net/librte_net_vhost_pci.so"
IP_A, IP_B = "10.77.0.1", "10.77.0.2"
PINGS = 20
MOVES = 5
INTERRUPTS = "grep $(basename $(readlink /sys/class/net/eth0/device))-.*put /proc/interrupts"


def pair_stats(rig):
    return figures.of_drivers(rig)[1]


# The next one when this one is answered: on a busy machine they would pile up, share interrupts and overrun ping's socket.
PING = "ping -A -i 10"


def ping(guest, count, cpu=0):
    """Answered pings of `count`, from one processor of the guest, so by one queue pair."""
    _, text = guest.run(f"taskset {1 << cpu:x} {PING} -c {count} {IP_B}", 120)
    received = re.search(r"(\d+) packets received", text)
    return int(received.group(1)) if received else 0


def start_b(b):
    b.must(BIND_VFIO + f"echo 128 >/proc/sys/vm/nr_hugepages; bind_vfio {NIC_B}")
    return GuestTestpmd(b, f"-a {NIC_B} -d {PLUGIN}", "--rxq=2 --txq=2 --forward-mode=icmpecho --auto-start").wait_for("testpmd>")


def start_a(a):
    a.must(f"ip addr add {IP_A}/24 dev eth0; ip link set eth0 up")


def reached(rig, a, text):
    """By each pair: after a reset the second one may come up a moment after the first."""
    return rig.check(all(a.wait_until(f"taskset {cpu} ping -c 1 -W 2 {IP_B} >/dev/null", 90) for cpu in (1, 2)), text)


def interrupts(guest):
    """{name of the queue: interrupts of all processors}."""
    counts = {}
    for line in guest.must(INTERRUPTS).splitlines():
        words = line.split()
        counts[words[-1]] = sum(int(word) for word in words[1:] if word.isdigit())
    return counts


def both_pairs(rig, a):
    before, irqs_before = pair_stats(rig), interrupts(a)
    for cpu in range(2):
        rig.equal(ping(a, PINGS, cpu), PINGS, f"processor {cpu} of VM A: {PINGS} pings answered")
    after, irqs = pair_stats(rig), interrupts(a)
    for pair in range(2):
        for way in ("a2b", "b2a"):
            lane = f"{way}{pair}"
            packets = after["lanes"][lane]["packets"] - before["lanes"][lane]["packets"]
            rig.check(packets >= PINGS, f"lane {lane}: {packets} packets")
    sent = after["interrupts_forwarded"] - before["interrupts_forwarded"]
    got = sum(irqs.values()) - sum(irqs_before.values())
    # An eventfd merges what QEMU has not yet taken; each ping waits for its answer, which needs an interrupt.
    rig.check(2 * PINGS <= got <= sent, f"interrupts: {sent} sent by the card for VM A, {got} in its /proc/interrupts")


def replaced_calls(rig, a, proxy):
    """As QEMU does with KVM when a guest masks or moves an interrupt: another call descriptor for a running vring."""
    a.must(f"{PING} -c {PINGS} {IP_B} >/tmp/pings 2>&1 & echo $! >/tmp/ping")
    calls, deadline = 0, deadline_in(120)
    while a.run("kill -0 $(cat /tmp/ping) 2>/dev/null")[0] == 0 and time.monotonic() < deadline:
        for _ in range(MOVES):
            calls += proxy.replace_calls()
            time.sleep(0.05)
    text = a.must("cat /tmp/pings")
    rig.check(f" {PINGS} packets received" in text, f"call descriptors replaced {calls} times meanwhile: "
              + (re.search(r".*packets received", text) or [text[-200:]])[0])
    for cpu in range(2):
        rig.equal(ping(a, 5, cpu), 5, f"afterwards processor {cpu}: 5 pings answered")


def main():
    needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    with Rig("sys-guests") as rig:
        sim = Sim(rig, "--ports", "1")
        vdpad(rig, iface="vhost-back.sock")
        proxy = Proxy(rig.path("vhost.sock"), rig.path("vhost-back.sock"))
        a = guest_a(rig, pairs=2)
        b = guest_b(rig)
        a.connect()
        b.connect()
        rig.say("both guests are up")
        start_a(a)
        start_b(b)
        reached(rig, a, "VM A reaches VM B")
        both_pairs(rig, a)
        rig.say("call descriptors are replaced")
        replaced_calls(rig, a, proxy)

        rig.say("VM A is reset while it pings")
        a.must(f"ping -i 0.02 {IP_B} >/dev/null 2>&1 & sleep 0.5")
        a.reset()
        start_a(a)
        reached(rig, a, "VM A, reset in the middle of traffic, reaches VM B again")
        rig.equal(ping(a, PINGS, 1), PINGS, f"{PINGS} pings by the second pair")

        rig.say("VM B is reset while VM A pings")
        a.must(f"ping -i 0.02 {IP_B} >/dev/null 2>&1 & echo $! >/tmp/ping; sleep 0.5")
        b.reset()
        rig.check(a.run("true")[0] == 0, "VM A runs on")
        testpmd = start_b(b)
        a.run("kill $(cat /tmp/ping)")
        reached(rig, a, "VM B, reset in the middle of traffic, is reached again")
        rig.equal(ping(a, PINGS, 1), PINGS, f"{PINGS} pings by the second pair")

        status, _ = figures.of_drivers(rig)
        rig.equal(status["connected"], 1, "vhpctl shows the port connected")
        rig.check("Bye..." in testpmd.quit(), "testpmd in VM B ends cleanly")
        rig.equal(b.power_off(), 0, "VM B powers off")
        rig.equal(a.power_off(), 0, "VM A powers off")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
