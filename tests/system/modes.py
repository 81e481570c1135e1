#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's two guests, served in other ways:

* vhp-vdpad --offloads: packets larger than the MTU from VM A's kernel, which testpmd in VM B cuts for its tap
* vhp-vdpad --aperture, copy=driver: VM B's driver copies by itself, over the kernel's VFIO, and interrupts VM A by GSI
"""

import re
import sys

import demo
import figures
from guests import interrupts
from rig import GuestTestpmd, Rig, Sim, guest_a, guest_b, needs, vdpad, vhpctl
from stream import StreamA, StreamB, finish, wait_total

SIZE = demo.MIB // 2
GSI = 77
RINGS = 5
FRAMES = 20
# Port 1, the tap, gets packets that it cuts; port 0 has what crosses the card.
BRIDGE = ("port config 0 rx_offload tcp_lro on", "port config 0 tx_offload multi_segs on", "port config 1 tx_offload tcp_tso on",
          "port config 1 tx_offload tcp_cksum on", "port config 1 tx_offload ipv4_cksum on", "port config 1 tx_offload multi_segs on",
          "csum set ip hw 1", "csum set tcp hw 1", "csum mac-swap off 0", "csum mac-swap off 1", "tso set 1400 1",
          "port start all", "set fwd csum", "start")


def bridge(rig, b, args, name):
    """testpmd between the NIC of VM B and its tap, which takes large packets."""
    testpmd = GuestTestpmd(b, f"-a {demo.NIC_B}{args} -d {demo.PLUGIN} --vdev=net_tap0,iface=tap0",
                           "--disable-device-start --rxd=256 --txd=256 --total-num-mbufs=6000", name=name)
    testpmd.wait_for("testpmd>")
    for command in BRIDGE:
        testpmd.send(command)
    b.wait_until("[ -e /sys/class/net/tap0 ]", 30)
    b.must(f"ip addr add {demo.IP_B}/24 dev tap0; ip link set tap0 up")
    return testpmd


def reached(rig, a, what):
    return rig.check(a.wait_until(f"ping -c 1 -W 2 {demo.IP_B} >/dev/null", 90), what)


def large_packets(rig, daemon, a, b):
    """A new daemon that offers everything, and a new network device in VM A, which negotiates it."""
    rig.say("checksum and segmentation offloads")
    rig.equal(daemon.end(), 0, "vhp-vdpad ends cleanly")
    daemon = vdpad(rig, "--offloads", "on")
    a.nic.replug()
    a.must(f"ip addr add {demo.IP_A}/24 dev eth0; ip link set eth0 up")
    testpmd = bridge(rig, b, "", "large")
    reached(rig, a, "large packets: VM A reaches VM B")
    status, before = figures.of_drivers(rig)
    words = status["driver_accepted"]["names"]
    rig.check({"CSUM", "GUEST_CSUM", "HOST_TSO4", "HOST_TSO6", "HOST_ECN", "HOST_UFO", "GUEST_TSO4", "GUEST_TSO6", "GUEST_ECN", "GUEST_UFO"}
              <= set(words), "accepted by VM A's virtio_net and VM B's driver: " + " ".join(words))
    demo.transfer(rig, a, b, demo.IP_B, 5010, "A to B, large packets", SIZE, 90)
    after = figures.of_drivers(rig)[1]
    packets = after["a2b_packets"] - before["a2b_packets"]
    size = (after["a2b_bytes"] - before["a2b_bytes"]) / max(1, packets)
    rig.check(size > 1514, f"large packets: {packets} packets of {size:.0f} bytes on average A to B")
    demo.ping(rig, b, demo.IP_A, "B to A beside large packets")
    rig.check("Bye..." in testpmd.quit(), "large packets: testpmd in VM B ends cleanly")
    return daemon


def rung_by_gsi(rig, a, b, vm_a, before, card_before):
    """Frames one by one: with nothing else to do, VM A gets one interrupt for each, of its receive queue."""
    receive = next(name for name in before if "input" in name)
    for n in range(RINGS):
        b.send("send 1")
        # The next one only when this one's is counted, as a call descriptor merges what was not yet taken.
        vm_a.wait_until(f"[ $(awk '/{receive}$/ {{ print $2 }}' /proc/interrupts) -gt {before[receive] + n} ]", 30, 0.05)
    rig.check(wait_total(a, RINGS), f"VM A has received {RINGS} frames that were sent one by one")
    after, card = interrupts(vm_a), figures.of_drivers(rig)[1]
    sent = card["driver_peer_interrupts"] - card_before["driver_peer_interrupts"]
    rig.equal({name: after[name] - before[name] for name in after if after[name] != before[name]}, {receive: RINGS},
              f"VM A's /proc/interrupts: {RINGS} of {receive}, no other")
    rig.equal(sent, RINGS, f"counted by the card: {sent}")


def driver_copies(rig, daemon, vm_a, vm_b):
    """The seed's own way: VM B sees VM A's memory in BAR 2, and its driver reads and writes rings and packets there."""
    rig.say("VM B's driver copies")
    rig.equal(daemon.end(), 0, "vhp-vdpad ends cleanly")
    vdpad(rig, "--aperture", "on", "--pv-interrupt", "--gsi", str(GSI))
    vm_a.nic.replug()
    # Nothing but the stream: the interrupts are counted.
    vm_a.must("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    a = StreamA(vm_a)
    b = StreamB(vm_b, f"-a {demo.NIC_B},copy=driver -d {demo.PLUGIN}")
    b.wait_for("^link up")
    row = figures.one_port(vhpctl(rig, "gsi"))["vrings"]["0"]
    rig.check(row["gsi"] == GSI and row["call"] == "eventfd", f"vhpctl gsi: VM A's receive queue has GSI {row['gsi']}, vector {row['vector']}")
    irqs_before, before = interrupts(vm_a), figures.of_drivers(rig)[1]
    rung_by_gsi(rig, a, b, vm_a, irqs_before, before)
    rig.say("both at once")
    for stream in (a, b):
        stream.send(f"send {FRAMES}")
    rig.check(wait_total(a, RINGS + FRAMES) and wait_total(b, FRAMES), "the stream runs both ways at once")
    irqs = {name: count - irqs_before[name] for name, count in interrupts(vm_a).items()}
    status, card = figures.of_drivers(rig)
    counted = {key: card[key] - before[key] for key in ("a2b_packets", "b2a_packets", "driver_peer_interrupts", "driver_peer_interrupts_refused")}
    rig.check(all(lane["state"] != "running" for lane in status["lanes"].values()) and counted["a2b_packets"] == counted["b2a_packets"] == 0,
              "no lane of the card copied anything")
    pmd = {name: int(value) for name, value in re.findall(r"^(\w+): (\d+)$", finish(rig, a, b, "driver copy, "), re.M)}
    by_gsi, by_index = (pmd.get(f"{name}_q0_peer_interrupts{by}", 0) for name, by in (("tx", "_by_gsi"), ("rx", "")))
    rig.check(by_gsi == pmd.get("tx_q0_peer_interrupts") and counted["driver_peer_interrupts"] == by_gsi + by_index,
              f"VM B's driver: {by_gsi} interrupts by GSI, {by_index} by the index of a transmit queue; "
              f"the card counted {counted['driver_peer_interrupts']}")
    rig.equal(counted["driver_peer_interrupts_refused"], 0, "none refused")
    rig.check(RINGS < sum(irqs.values()) <= counted["driver_peer_interrupts"], f"in VM A's /proc/interrupts {irqs}")


def main():
    needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    with Rig("sys-modes") as rig:
        # Each 8 bytes that VM B's processor reads are a round trip (docs/operating.md), which need not be the usual 250 cycles.
        sim = Sim(rig, "--ports", "1", "--latency", "20")
        daemon = vdpad(rig)
        a = guest_a(rig)
        b = guest_b(rig)
        a.connect()
        b.connect()
        rig.say("both guests are up")
        a.must(f"ip addr add {demo.IP_A}/24 dev eth0; ip link set eth0 up")
        testpmd = demo.bridge_b(b, False)
        reached(rig, a, "VM A reaches VM B")
        demo.transfer(rig, a, b, demo.IP_B, 5003, "A to B", SIZE, 90)
        rig.check("Bye..." in testpmd.quit(), "testpmd in VM B ends cleanly")
        daemon = large_packets(rig, daemon, a, b)
        driver_copies(rig, daemon, a, b)
        rig.equal(b.power_off(), 0, "VM B powers off")
        rig.equal(a.power_off(), 0, "VM A powers off")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
