#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The net driver as a port of stock DPDK programs, without a peer: wrong arguments, life of a port, settings and their
limits, the device that goes away. Packets are the matter of sys-virtio-user."""

import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "tests", "system"))
from rig import BUILD, LIB, Process, Rig, Sim, Testpmd  # noqa: E402

PLUGIN = "librte_net_vhost_pci.so"
NAME = "net_vhost_pci0"


def eal(rig, name, args, memory=64):
    return ["--lcores=0@0,1@0", "--no-pci", "--no-telemetry", f"--file-prefix={os.path.basename(rig.dir)}-{name}", "--no-huge",
            "-m", str(memory), "-d", PLUGIN, *args]


def refused(rig, name, args, says, env=None):
    """The probe fails with a sentence of the driver's, and the program ends instead of crashing."""
    process = Process(rig, name, ["dpdk-testpmd", *eal(rig, name, args), "--", "--total-num-mbufs=1024"],
                      env={"LD_LIBRARY_PATH": LIB, **(env or {})})
    code = process.wait(60)
    text = process.output(True)
    rig.check(code >= 0 and re.search(says, text) is not None,
              f"{name}: refused with '{says}'" + ("" if re.search(says, text) else f"; exit code {code}\n" + process.tail()))


def wrong_server(path):
    """Something that is no vfio-user server."""
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(1)

    def serve():
        client, _ = s.accept()
        client.recv(100)
        client.sendall(b"220 mail.example ESMTP ready\r\n")
        client.close()

    threading.Thread(target=serve, daemon=True).start()


def arguments(rig):
    refused(rig, "no-socket", [f"--vdev={NAME}"], "needs socket=PATH")
    refused(rig, "missing-socket", [f"--vdev={NAME},socket={rig.path('none.sock')}"], r"none\.sock: cannot connect: No such file")
    refused(rig, "not-a-socket", [f"--vdev={NAME},socket=/dev/null"], "/dev/null: cannot connect")
    refused(rig, "unknown-argument", [f"--vdev={NAME},socket=/x,queues=2"], "unknown device argument 'queues'")
    refused(rig, "twice", [f"--vdev={NAME},socket=/x,socket=/y"], "given twice")
    refused(rig, "copy", [f"--vdev={NAME},socket=/x,copy=both"], "copy=both: it is auto, card or driver")
    refused(rig, "features", [f"--vdev={NAME},socket=/x,peer_features=all"], "peer_features=all is no 64-bit number")
    wrong_server(rig.path("mail.sock"))
    refused(rig, "wrong-server", [f"--vdev={NAME},socket={rig.path('mail.sock')}"], "not a vfio-user server")
    refused(rig, "other-release", [f"--vdev={NAME},socket=/x"], "built for DPDK 24.11 and this is DPDK 25.07",
            env={"LD_PRELOAD": os.path.join(BUILD, "tests", "other_release.so")})


def life(rig, pmd):
    """Settings and what must be refused; the port works after each."""
    info = pmd.command("show port info 0")
    rig.check("Driver name: net_vhost_pci" in info and "Link status: down" in info, "port without a peer: link down")
    pairs = int(re.search(r"Max possible RX queues: (\d+)", info)[1])
    most = int(re.search(r"Max possible number of RXDs per queue: (\d+)", info)[1])

    def fails(command, says):
        rig.check(says in pmd.command(command), f"{command}: {says}")

    def starts(what):
        out = pmd.command("port start 0")
        rig.check("Done" in out and "fail" not in out.lower(), f"starts {what}")

    for i in range(3):
        pmd.command("port stop 0")
        starts(f"again ({i + 1})")
    fails("port config mtu 0 9000", "9000")
    rig.check("MTU: 1500" in pmd.command("show port info 0"), "mtu above the device's is refused")
    pmd.command("port config mtu 0 1400")
    rig.check("MTU: 1400" in pmd.command("show port info 0"), "smaller mtu is set")
    pmd.command("mac_addr set 0 02:11:22:33:44:55")
    rig.check("MAC address: 02:11:22:33:44:55" in pmd.command("show port info 0"), "MAC address is set")

    pmd.command("port stop 0")
    pmd.command(f"port config all rxq {pairs}")
    pmd.command(f"port config all txq {pairs}")
    starts(f"with {pairs} queue pairs")
    rig.check(f"Current number of RX queues: {pairs}" in pmd.command("show port info 0"), "queue pairs are used")
    pmd.command("port stop 0")
    fails(f"port config all rxq {pairs + 1}", "Fail")
    pmd.command("port config all rxd 24")
    out = pmd.command("port start 0")
    rig.check("a virtqueue has a power of two" in out, "24 descriptors are refused, and why")
    for size in (8, most):
        pmd.command(f"port config all rxd {size}")
        pmd.command(f"port config all txd {size}")
        starts(f"with rings of {size}")
        pmd.command("port stop 0")
    pmd.command("port reset 0")
    starts("after a reset")
    pmd.command("start")
    pmd.command("stop")
    out = pmd.command("show port info 0")
    rig.check("device_status 0x0f live" in out, "the device is live")
    rig.check("NEEDS-RESET" not in out and "errors 0" in out, "and content")
    pmd.command("clear port xstats 0")
    pmd.command("show port xstats 0")
    pmd.command("port stop 0")
    pmd.command("port close 0")
    rig.check("unable" not in pmd.command(f"device detach {NAME}").lower(), "detaches")


def attach(rig, pmd, name):
    out = pmd.command(f"port attach {name},socket={rig.path('fn1.sock')}", 60)
    rig.check("is attached" in out, f"attaches as {name}")
    out = pmd.command("port start all")
    rig.check("Done" in out, f"{name} starts")


def main():
    with Rig("drv-net") as rig:
        arguments(rig)
        sim = Sim(rig)
        pmd = Testpmd(rig, "testpmd", ["-d", PLUGIN, f"--vdev={NAME},socket={rig.path('fn1.sock')}"],
                      ["--rxd=256", "--txd=256"]).ready()
        refused(rig, "peer-function", [f"--vdev={NAME},socket={rig.path('fn0.sock')}"], "not a vhost-pci-net function")
        life(rig, pmd)
        attach(rig, pmd, "net_vhost_pci5")
        pmd.forget()
        sim.kill()
        pmd.wait_for("the device is gone", 30)
        pmd.wait_for("device removal event", 30)
        rig.check(pmd.alive(), "the card goes away: removal event, the program lives")
        pmd.wait_for("(is removed|is detached|is closed|Now total ports is 0)", 30)
        sim = Sim(rig, name="vhp-sim-2")
        attach(rig, pmd, "net_vhost_pci6")
        pmd.command("port stop all")
        rig.check(pmd.quit(), "testpmd ends cleanly")

        for test in ("ethdev_api", "ethdev_link_status"):
            name = f"dpdk-test-{test}"
            run = Process(rig, name, ["dpdk-test", *eal(rig, name, [f"--vdev={NAME},socket={rig.path('fn1.sock')}"], 512)],
                          env={"LD_LIBRARY_PATH": LIB, "DPDK_TEST": test})
            run.process.stdin.close()
            code = run.wait(120)
            rig.check(code == 0 and "Test OK" in run.output(True), f"dpdk-test {test}" + ("" if code == 0 else f": exit code {code}"))

        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        rig.equal(stats["dma_faults"], 0, "no access outside the port's memory")
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
