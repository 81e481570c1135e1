#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What users and machines do wrong: missing and wrong sockets, unknown arguments, a front end or a driver killed in the middle
of traffic, a guest that resets its device, a driver that refuses a feature in use. Each gives a message that names the cause, and
the same sockets work again at once."""

import glob
import os
import re
import signal
import socket
import sys
import threading
import time

import figures
from rig import Failure, Process, Rig, Sim, Testpmd, BIN, guest_a, needs, vdpad, vhpctl, deadline_in

NET = ["-d", "librte_net_vhost_pci.so"]
VDPA = ["-d", "librte_vdpa_vhost_pci.so"]


def refused(rig, name, eal, pattern, what):
    """testpmd has to end by itself or show no such port, with a message that matches."""
    testpmd = Testpmd(rig, name, eal, [])
    testpmd.send("quit")
    testpmd.wait(60)
    rig.check(re.search(pattern, testpmd.output()), f"{what}: the message matches '{pattern}'")


def wrong_sockets(rig):
    with open(rig.path("file"), "w") as f:
        f.write("no socket\n")
    garbage = socket.socket(socket.AF_UNIX)
    garbage.bind(rig.path("garbage.sock"))
    garbage.listen(4)

    def talk():
        while True:
            try:
                conn, _ = garbage.accept()
            except OSError:
                return
            conn.sendall(b"\xff" * 64)
            conn.close()

    threading.Thread(target=talk, daemon=True).start()
    cases = (("missing", r"missing\.sock.*(No such file|not found)", "missing.sock"),
             ("file", r"/file.*(refused|not a socket|Connection|Socket)", "file"),
             ("garbage", r"garbage\.sock", "garbage.sock"))
    for name, pattern, sock in cases:
        refused(rig, f"net-{name}", [*NET, f"--vdev=net_vhost_pci0,socket={rig.path(sock)}"], pattern, f"PMD, {name} socket")
        refused(rig, f"vdpa-{name}", [*VDPA, f"--vdev=vdpa_vhost_pci0,socket={rig.path(sock)},iface={rig.path('x.sock')}"],
                pattern, f"vDPA driver, {name} socket")
        daemon = Process(rig, f"vdpad-{name}", [f"{BIN}/vhp-vdpad", "--socket", rig.path(sock), "--iface", rig.path("x.sock")])
        code = daemon.wait(60)
        rig.check(code == 1 and re.search(pattern, daemon.output()), f"vhp-vdpad, {name} socket: exit code {code} and a message")
    garbage.close()


def wrong_arguments(rig):
    fn0, fn1 = rig.path("fn0.sock"), rig.path("fn1.sock")
    refused(rig, "net-devarg", [*NET, f"--vdev=net_vhost_pci0,socket={fn1},colour=red"], "colour", "PMD, unknown argument")
    refused(rig, "net-nosocket", [*NET, "--vdev=net_vhost_pci0"], "socket", "PMD, no socket")
    refused(rig, "vdpa-devarg", [*VDPA, f"--vdev=vdpa_vhost_pci0,socket={fn0},iface={rig.path('x.sock')},colour=red"], "colour",
            "vDPA driver, unknown argument")
    refused(rig, "net-fn0", [*NET, f"--vdev=net_vhost_pci0,socket={fn0}"], "10ee:5650|not a vhost-pci", "PMD on function 0")
    refused(rig, "vdpa-fn1", [*VDPA, f"--vdev=vdpa_vhost_pci0,socket={fn1},iface={rig.path('x.sock')}"],
            "1af4:107f|not .*function 0|not a peer function|wrong", "vDPA driver on function 1")
    for arguments, pattern in ((["--colour"], "colour"), ([], "--socket|card"), (["--socket", fn0], "iface")):
        daemon = Process(rig, "vdpad-arguments", [f"{BIN}/vhp-vdpad", *arguments])
        code = daemon.wait(30)
        rig.check(code == 64 and re.search(pattern, daemon.output()), f"vhp-vdpad {' '.join(arguments[:1])}: exit code {code} and a message")


def grows(testpmd, port, key, timeout=60):
    """Waits until a counter of a port grows."""
    first, deadline = testpmd.port_stats(port).get(key, 0), deadline_in(timeout)
    while time.monotonic() < deadline:
        time.sleep(0.3)
        if testpmd.port_stats(port).get(key, 0) > first:
            return True
    return False


def front(rig, name):
    return Testpmd(rig, name, [f"--vdev=net_virtio_user0,path={rig.path('vhost.sock')}"],
                   ["--forward-mode=txonly", "--auto-start"], cpu=1).ready()


def back(rig, name, mode, devargs=""):
    return Testpmd(rig, name, [*NET, f"--vdev=net_vhost_pci0,socket={rig.path('fn1.sock')}{devargs}"],
                   [f"--forward-mode={mode}", "--auto-start"], cpu=0).ready()


def killed(rig):
    """SIGKILL to either end while packets flow; the next one on the same socket carries on."""
    b = back(rig, "b1", "rxonly")
    a = front(rig, "a1")
    rig.check(grows(b, 0, "RX-packets"), "packets flow")
    a.kill(signal.SIGKILL)
    a.wait(10)
    try:
        b.wait_for("peer disconnected", 60)
        rig.check(True, "front end killed: the PMD reports that its peer is gone")
    except Failure as failure:
        rig.check(False, str(failure))
    a = front(rig, "a2")
    rig.check(grows(b, 0, "RX-packets"), "the next front end on the same socket: packets flow")
    b.kill(signal.SIGKILL)
    b.wait(10)
    b = back(rig, "b2", "rxonly")
    rig.check(grows(b, 0, "RX-packets"), "PMD killed: the next one on the same function receives")
    rig.check(a.alive(), "the front end kept running meanwhile")
    rig.check(a.quit() and b.quit(), "both end cleanly")


def reset(rig):
    """A guest takes its virtio_net away from the device and gives it back while it pings."""
    b = back(rig, "b3", "icmpecho")
    a = guest_a(rig).connect()
    up = "ip addr add 10.77.0.1/24 dev eth0; ip link set eth0 up; ping -c 3 -W 10 10.77.0.9"
    rig.check("0% packet loss" in a.run(up, 90)[1], "a guest pings testpmd")
    device = a.must("basename /sys/bus/virtio/drivers/virtio_net/virtio*")
    for turn in (1, 2):
        a.must(f"(ping -i 0.05 10.77.0.9 >/dev/null 2>&1 & echo $! >/tmp/ping); sleep 0.5\n"
               f"echo {device} >/sys/bus/virtio/drivers/virtio_net/unbind; kill $(cat /tmp/ping) 2>/dev/null || true")
        a.must(f"echo {device} >/sys/bus/virtio/drivers/virtio_net/bind")
        rig.check("0% packet loss" in a.run(up, 120)[1], f"reset {turn} in the middle of traffic: it pings again")
    a.kill(signal.SIGKILL)
    a.wait(10)
    a = guest_a(rig, "vm-a2").connect()
    rig.check("0% packet loss" in a.run(up, 120)[1], "guest killed: the next guest on the same socket pings")
    return a, b


def merges(guest):
    """Whether the guest's driver negotiated MRG_RXBUF (15)."""
    return guest.must("cat /sys/class/net/eth0/device/features")[15] == "1"


def subset(rig, a, b):
    """A driver refuses a feature that VM A uses: the card goes on without, under the guest's old features. A running QEMU offers
    its guest the same features for ever; only a device plugged anew has the subset (docs/operating.md)."""
    up = "ip addr add 10.77.0.1/24 dev eth0; ip link set eth0 up; ping -c 3 -W 10 -s 1400 10.77.0.9"
    rig.check(merges(a), "VM A uses mergeable buffers")
    rig.check(b.quit(), "testpmd ends cleanly")
    b = back(rig, "b4", "icmpecho", f",peer_features={~(1 << 15) & (1 << 64) - 1:#x}")
    deadline = deadline_in(60)
    while vhpctl(rig, "status")[0]["withheld_features"]["names"] != ["MRG_RXBUF"] and time.monotonic() < deadline:
        time.sleep(0.3)
    rig.equal(vhpctl(rig, "status")[0]["withheld_features"]["names"], ["MRG_RXBUF"], "a driver without mergeable buffers: withheld")
    rig.check("0% packet loss" in a.run(up, 120)[1] and merges(a), "traffic goes on, VM A's driver untouched")
    a.nic.replug()
    rig.check(not merges(a), "VM A's network device plugged anew: its driver comes up without")
    rig.check("0% packet loss" in a.run(up, 120)[1], "traffic resumes with the subset")
    rig.check(b.quit(), "that testpmd ends cleanly")
    b = back(rig, "b5", "icmpecho")
    rig.check("0% packet loss" in a.run(up, 120)[1] and not merges(a), "a driver that takes everything: VM A goes on with the subset")
    a.power_off()
    rig.check(b.quit(), "testpmd ends cleanly")


def interrupted(rig):
    """Ctrl-C while the demo's guests boot."""
    own = rig.path("tmp")
    os.mkdir(own)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and would hand that on
    demo = Process(rig, "demo", [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")],
                   env={"TMPDIR": own, "VHP_TEST_DIR": rig.log("demo")})
    demo.wait_for("both guests boot", 60)
    time.sleep(2)
    demo.process.send_signal(signal.SIGINT)
    rig.equal(demo.wait(60), 130, "the demo interrupted: exit code 130")
    left = []
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as f:
                left += [name] if own.encode() in f.read() else []
        except OSError:
            pass
    rig.check(not left and not os.listdir(own), f"nothing of it is left{': ' if left else ''}{', '.join(left + os.listdir(own))}")


def main():
    needs("vhp-sim", "vhp-vdpad", "librte_net_vhost_pci.so", "librte_vdpa_vhost_pci.so")
    with Rig("sys-bad-input") as rig:
        sim = Sim(rig, "--ports", "1")
        rig.say("wrong sockets")
        wrong_sockets(rig)
        rig.say("wrong arguments")
        wrong_arguments(rig)
        vdpad(rig)
        rig.say("interrupted demo")
        interrupted(rig)
        rig.say("killed ends")
        killed(rig)
        rig.say("guest resets")
        a, b = reset(rig)
        rig.say("a driver that refuses a feature")
        subset(rig, a, b)
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
