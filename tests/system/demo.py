#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two virtual machines exchange packets through the simulated card.

VM A is a stock Debian kernel with its virtio_net behind QEMU's vhost-user netdev, served by vhp-vdpad on function 0. VM B is
a stock Debian kernel that got function 1 by vfio-user-pci, behind an emulated VT-d: its vfio-pci owns the function, a stock
dpdk-testpmd with our PMD bridges it to a tap. Ping both ways, then 1 MiB by TCP each way. The command lines are those of docs/operating.md.

--test      the same as a test: checks are counted, closing line "N passed, N failed"
--software  a software switch (stock testpmd with its vhost PMD) in place of card and drivers: shows that guests and rig work
"""

import argparse
import re
import sys
import time

import doc
import figures
from rig import BIND_VFIO, Failure, GuestTestpmd, Guest, Rig, Sim, Testpmd, guest_b, needs, vdpad

IP_A, IP_B = "10.77.0.1", "10.77.0.2"
NIC_B = "0000:00:03.0"
PLUGIN = "/usr/lib/vhost-pci-net/librte_net_vhost_pci.so"
MIB = 1 << 20
PINGS = 5


def software_switch(rig):
    """Stock testpmd between two vhost-user sockets; both guests get a virtio-net device without offloads."""
    switch = Testpmd(rig, "switch", ["--vdev", f"net_vhost0,iface={rig.path('vhost.sock')}", "--vdev",
                                     f"net_vhost1,iface={rig.path('vhost-b.sock')},iommu-support=1"], ["--forward-mode=io"]).ready()
    switch.command("start")
    off = ",".join(f"{f}=off" for f in ("csum", "guest_csum", "gso", "host_tso4", "host_tso6", "host_ufo", "host_ecn",
                                         "guest_tso4", "guest_tso6", "guest_ufo", "guest_ecn", "mrg_rxbuf"))
    a = Guest(rig, "vm-a", 256, [["-chardev", f"socket,id=vh,path={rig.path('vhost.sock')}", "-netdev",
                                  "vhost-user,id=net,chardev=vh"], f"virtio-net-pci,netdev=net,romfile=,addr=0x3,{off}"],
              modules=("virtio_net",))
    b = guest_b(rig, devices=[["-chardev", f"socket,id=vh,path={rig.path('vhost-b.sock')}", "-netdev",
                               "vhost-user,id=net,chardev=vh"],
                              f"virtio-net-pci,netdev=net,romfile=,addr=0x3,{off},disable-legacy=on,iommu_platform=on,ats=on"])
    return a, b


def bridge_b(b, software):
    """Binds the NIC of VM B to vfio-pci and starts testpmd between it and tap0."""
    bind = doc.block("vm-b-bind", {"0000:00:03.0": NIC_B})
    if software:
        # Not a function of our card: vhpctl leaves it alone.
        bind = bind.replace("vhpctl bind", BIND_VFIO + "bind_vfio")
    b.must(doc.PRELUDE + bind)
    words = doc.arguments("vm-b-testpmd", "dpdk-testpmd", {"0000:00:03.0": NIC_B, "librte_net_vhost_pci.so": PLUGIN})
    at = words.index("--")
    eal = [word for word in words[:at] if not (software and word in ("-d", PLUGIN))]
    # The rig starts it with -i.
    testpmd = GuestTestpmd(b, " ".join(eal), " ".join(word for word in words[at + 1:] if word != "-i"))
    testpmd.wait_for("testpmd>")
    b.must(doc.PRELUDE + doc.block("vm-b-tap", {"10.77.0.2": IP_B}))
    return testpmd


def ping(rig, guest, to, what):
    _, text = guest.run(f"ping -c {PINGS} -i 0.2 -W 5 {to}", 60)
    received = re.search(r"(\d+) packets received", text)
    times = re.search(r"= [\d.]+/([\d.]+)/", text)
    rig.equal(int(received.group(1)) if received else 0, PINGS,
              f"ping {what}: {PINGS} of {PINGS} answered" + (f", {float(times.group(1)):.1f} ms on average" if times else ""))


def transfer(rig, source, sink, address, port, what, count=MIB, patience=20):
    """Random bytes by TCP."""
    source.must(f"head -c {count} /dev/urandom >/tmp/sent")
    sink.must(f"rm -f /tmp/received /tmp/received.rc; (tcpcat listen {port} </dev/null >/tmp/received 2>/tmp/received.err; echo $? >/tmp/received.rc) &")
    sink.wait_until(f"netstat -ltn | grep -q :{port}", 20)
    begin = time.monotonic()
    code, text = source.run(f"tcpcat connect {address} {port} </tmp/sent >/dev/null", 180)
    took = time.monotonic() - begin
    if not rig.check(code == 0, f"TCP {what}: connection" + (f": {text}" if code else "")):
        return
    sink.wait_until("[ -s /tmp/received.rc ]", patience)
    sums = [g.must(f"sha256sum <{name}").split()[0] for g, name in ((source, "/tmp/sent"), (sink, "/tmp/received"))]
    size = int(sink.must("wc -c </tmp/received"))
    rig.check(sums[0] == sums[1] and size == count,
              f"TCP {what}: {size} bytes in {took:.1f} s, SHA-256 {sums[0][:16]}.. sent, {sums[1][:16]}.. received")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--software", action="store_true")
    args = parser.parse_args()
    if not args.software:
        needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so")
    name = "sys-rig" if args.software else "sys-demo" if args.test else "demo"
    with Rig(name) as rig:
        sim = None
        if args.software:
            rig.say("software switch in place of the card")
            a, b = software_switch(rig)
        else:
            rig.say("the card: vhp-sim")
            sim = Sim(rig, *doc.arguments("sim-card", "vhp-sim", {"DIR": rig.dir}))
            rig.say("function 0: vhp-vdpad")
            vdpad(rig, line=doc.arguments("sim-serve", "vhp-vdpad", {"DIR": rig.dir}))
            # Without romfile= a boot ROM would drive the device first, for seconds.
            a = Guest(rig, "vm-a", 256, [doc.qemu("qemu-vm-a", {"/run/vhost-pci-net/port0.sock": rig.path("vhost.sock")}),
                                         ["-global", "virtio-net-pci.romfile="]], modules=("virtio_net",))
            b = guest_b(rig, devices=[doc.qemu("qemu-vm-b-sim", {"DIR": rig.dir})], iommu=False, cmdline="intel_iommu=on")
        rig.say("both guests boot (emulated CPUs, some seconds)")
        a.connect()
        rig.say(f"VM A is up: Linux {a.must('uname -r')}, virtio_net")
        b.connect()
        rig.say(f"VM B is up: Linux {b.must('uname -r')}; vfio-pci, testpmd")
        a.must(f"ip addr add {IP_A}/24 dev eth0; ip link set eth0 up")
        testpmd = bridge_b(b, args.software)
        rig.say("VM B forwards between the function and its tap")
        if not rig.check(a.wait_until(f"ping -c 1 -W 1 {IP_B} >/dev/null", 60), "the guests reach each other"):
            testpmd.output()
            raise Failure("no packet came through:\n" + testpmd.output()[-1500:])
        ping(rig, a, IP_B, "A to B")
        ping(rig, b, IP_A, "B to A")
        transfer(rig, a, b, IP_B, 5001, "A to B")
        transfer(rig, b, a, IP_A, 5002, "B to A")
        if sim:
            status, stats = figures.of_drivers(rig)
        rig.check("Bye..." in testpmd.quit(), "testpmd in VM B ends cleanly")
        rig.equal(b.power_off(), 0, "VM B powers off")
        rig.equal(a.power_off(), 0, "VM A powers off")
        if sim:
            code, sim_stats = sim.finish()
            rig.equal(code, 0, "vhp-sim ends cleanly")
            figures.check(rig, status, stats, sim_stats, MIB)
            figures.table(status, stats, sim_stats)
        rig.say("done")
    return rig.close() if args.test or rig.failed else 0


if __name__ == "__main__":
    sys.exit(main())
