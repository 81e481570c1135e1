#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One guest holds both functions and reaches them by the kernel's VFIO: vhp-vdpad on function 0 serves a stock virtio_user
in the same guest, a stock testpmd drives function 1 with our PMD. 500 frames each way, byte-identical and in order. The guest
is the host of docs/operating.md: what stands there is run, the daemon without root."""

import os
import random
import re
import sys
import time

import doc
import figures
import frames
from rig import BUILD, Failure, GuestTestpmd, Rig, Sim, guest_b, needs, vfio_user_device, deadline_in

FN0, FN1 = "0000:00:03.0", "0000:00:04.0"
PLUGINS = "/usr/lib/vhost-pci-net"
COUNT = 500


def sent(guest, name):
    """Frames that testpmd `name` wrote to its pcap port, from the file's size as the file is flushed at the end only."""
    return guest.run(f"grep -c 'TX-packets: {COUNT}' /tmp/{name}.out")[1].strip() not in ("", "0")


def main():
    needs("vhp-sim", "vhp-vdpad", "vhpctl", "librte_net_vhost_pci.so", "librte_vdpa_vhost_pci.so")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    with Rig("sys-vfio-fn0") as rig:
        sim = Sim(rig, "--ports", "1", "--seed", str(seed))
        guest = guest_b(rig, "guest", [vfio_user_device(rig, "fn0.sock", "0x3"), vfio_user_device(rig, "fn1.sock", "0x4")],
                        memory=1536, cpus=2).connect()
        rig.say("the guest with both functions is up")
        text = guest.must(doc.PRELUDE + doc.block("host-iommu", {"0000:01:00.0": FN0}))
        rig.check("no IOMMU" not in text and text.splitlines()[-1] == FN0 and f"{FN1}  1af4:107f" in text, "the host has an IOMMU, "
                  "function 0 a group of its own")
        guest.must(doc.PRELUDE + doc.block("hugepages"))
        text = guest.must(doc.PRELUDE + doc.block("host-bind", {"0000:01:00.0": FN0, "0000:01:00.1": FN1}))
        groups = re.findall(r"bound to vfio-pci, IOMMU group (\d+)", text)
        rig.check(len(set(groups)) == 2, f"vhpctl bind: vfio-pci holds both, in IOMMU groups {' and '.join(groups)}")
        guest.must("vhpctl unbind " + FN1)
        rig.check(not guest.run(f"readlink /sys/bus/pci/devices/{FN1}/driver")[1], "vhpctl unbind: no driver has function 1")
        guest.must("vhpctl bind " + FN1)
        with open(os.path.join(BUILD, "tests", "ring_page"), "rb") as f:
            guest.put("/tmp/ring_page", f.read(), "755")
        code, output = guest.run(f"/tmp/ring_page -a {FN0} --no-telemetry --file-prefix=ring -m 64", 90)
        rig.check(code == 0 and " 0 failed" in output, "host notifier: doorbell pages mapped through VFIO ring the card"
                  + ("" if code == 0 else f": {output[-1500:]}"))
        data = {}
        for end in "ab":
            data[end] = frames.make(COUNT, seed + (end == "b"))
            frames.write(rig.path(f"{end}.pcap"), data[end])
            with open(rig.path(f"{end}.pcap"), "rb") as f:
                guest.put(f"/tmp/{end}-in.pcap", f.read())

        # As make install does it: plugin in ../lib/vhost-pci-net of the program; systemd-sysusers: user and group.
        guest.must("echo vhost-pci:x:990:990:::/bin/sh >>/etc/passwd; echo vhost-pci:x:990: >>/etc/group")
        guest.must(doc.PRELUDE + doc.block("host-permissions", {"0000:01:00.0": FN0}))
        guest.must("(" + doc.block("host-serve", {"0000:01:00.0": FN0}) + ") </dev/null >/tmp/vdpad.out 2>&1 & echo $! >/tmp/vdpad.pid")
        if not guest.wait_until("grep -q ^ready /tmp/vdpad.out || ! kill -0 $(cat /tmp/vdpad.pid)", 90) or \
                guest.run("grep -q ^ready /tmp/vdpad.out")[0] != 0:
            raise Failure("vhp-vdpad did not get ready on VFIO:\n" + guest.run("cat /tmp/vdpad.out")[1])
        rig.equal(guest.must("stat -c %U:%G /proc/$(pidof vhp-vdpad)"), "vhost-pci:vhost-pci", "vhp-vdpad serves function 0 by VFIO, not as root")
        text = guest.run(f"vhpctl unbind {FN0}")
        rig.check(text[0] == 1 and "a program uses IOMMU group" in text[1] and re.search(r"process \d+", text[1]),
                  f"vhpctl unbind refuses what is in use: {text[1]}")
        b = GuestTestpmd(guest, f"-a {FN1} -d {PLUGINS}/librte_net_vhost_pci.so --vdev=net_pcap0,rx_pcap=/tmp/b-in.pcap,"
                         "tx_pcap=/tmp/b-out.pcap", "", name="b", cpu=1).wait_for("testpmd>")
        a = GuestTestpmd(guest, "--no-pci --single-file-segments --vdev=net_virtio_user0,path=/run/vhost-pci-net/port0.sock "
                         "--vdev=net_pcap0,rx_pcap=/tmp/a-in.pcap,tx_pcap=/tmp/a-out.pcap", "", name="a", cpu=0).wait_for("testpmd>")
        b.wait_for("peer connected", 60)
        rig.check(True, "the PMD on function 1 sees its peer")
        for end in (b, a):
            for command in ("set fwd io retry", "set burst tx delay 10 retry 1000000", "start"):
                end.send(command)
        deadline = deadline_in(240)
        while time.monotonic() < deadline and not (sent(guest, "a") and sent(guest, "b")):
            a.send("show port stats 1")
            b.send("show port stats 1")
            time.sleep(1)
        look = guest.must(doc.PRELUDE + doc.block("host-look"))
        rig.check(f"{FN1}  1af4:107f   vhost-pci-net    vfio-pci" in look and "/run/vhost-pci-net/port0.sock" in look and "packets" in look,
                  "vhpctl shows functions, port, status and counters")
        status = look + guest.run("vhpctl status --json; vhpctl stats --json")[1]
        with open(rig.log("vhpctl.log"), "w") as f:
            f.write(status)
        rig.check("Bye..." in a.quit(), "virtio_user's testpmd ends cleanly")
        rig.check("Bye..." in b.quit(), "the PMD's testpmd ends cleanly")
        for source, sink in ("ab", "ba"):
            name = rig.path(f"{sink}-out.pcap")
            with open(name, "wb") as f:
                f.write(guest.get(f"/tmp/{sink}-out.pcap"))
            difference = frames.compare(frames.read(name), data[source])
            rig.check(difference is None, f"{COUNT} frames {source.upper()} to {sink.upper()} byte-identical and in order"
                      + (f": {difference}" if difference else ""))
        guest.run("kill $(pidof vhp-vdpad)")
        rig.check(guest.wait_until("! pidof vhp-vdpad", 30), "vhp-vdpad ends on SIGTERM")
        with open(rig.log("vhp-vdpad.log"), "w") as f:
            f.write(guest.run("cat /tmp/vdpad.out")[1])
        rig.equal(guest.power_off(), 0, "the guest powers off")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
