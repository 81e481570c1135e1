#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's two guests with --offloads: packets larger than the MTU from VM A's kernel, which testpmd in VM B cuts for its tap."""

import sys

import demo
import figures
from rig import GuestTestpmd, Rig, Sim, guest_a, guest_b, needs, vdpad

SIZE = demo.MIB // 2
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


def main():
    needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    with Rig("sys-modes") as rig:
        sim = Sim(rig, "--ports", "1")
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
        large_packets(rig, daemon, a, b)
        rig.equal(b.power_off(), 0, "VM B powers off")
        rig.equal(a.power_off(), 0, "VM A powers off")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
