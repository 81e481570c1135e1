#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checksums and segmentation between stock virtio_user (VM A's place) and our PMD, through the card and by driver copy.

Each end is a stock testpmd with the csum engine between a pcap port and the virtio port: it takes the checksums off the frames of
the file and asks for segmentation (`tso set`), so that frames of up to 64 KiB with open checksums cross; the other end writes
them with checksums completed in software. What comes out has to be what went in, byte by byte, in both directions at once.

net_pcap writes chained buffers of up to 16128 bytes only, so the largest frames need buffers as large; scattered ones of that size
are drv-net-ring's and drv-traffic's."""

import os
import random
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "tests", "system"))
import figures  # noqa: E402
import frames  # noqa: E402
from rig import Rig, Sim, Testpmd, needs, vdpad  # noqa: E402
from virtio_user import link_up  # noqa: E402

PLUGIN = "librte_net_vhost_pci.so"
SEGMENT = 1448
LARGEST_CHAIN = 16128
LARGEST_BUFFER = 65535 - 128
# name, arguments of our driver and of testpmd, largest frame, frames
VARIANTS = (
    ("the card copies, scattered buffers", "", [], LARGEST_CHAIN, 40),
    ("the card copies, 64 KiB", "", ["--mbuf-size=65535", "--total-num-mbufs=1200"], LARGEST_BUFFER, 16),
    ("the driver copies", ",copy=driver", [], 9014, 7),
)


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_frame(rng, n, size, v6):
    """A right TCP frame of `size` bytes."""
    ip_len = 40 if v6 else 20
    data = struct.pack("!I", n) + rng.randbytes(size - 14 - ip_len - 20 - 4)
    tcp = struct.pack("!HHIIBBHHH", 4000 + n, 5000, n, 1, 0x50, 0x18, 0xffff, 0, 0)
    length = len(tcp) + len(data)
    if v6:
        ends = bytes.fromhex("fd" + "00" * 14 + "0a" + "fd" + "00" * 14 + "0b")
        ip = struct.pack("!IHBB", 6 << 28, length, 6, 64) + ends
        pseudo = ends + struct.pack("!II", length, 6)
    else:
        ends = bytes([10, 0, 0, 1, 10, 0, 0, 2])
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, n, 0x4000, 64, 6, 0) + ends
        ip = ip[:10] + struct.pack("!H", ones_sum(ip)) + ip[12:]
        pseudo = ends + struct.pack("!HH", 6, length)
    tcp = tcp[:16] + struct.pack("!H", ones_sum(pseudo + tcp + data)) + tcp[18:]
    return bytes.fromhex("02000000000b02000000000a") + (b"\x86\xdd" if v6 else b"\x08\x00") + ip + tcp + data


def make(count, seed, largest):
    rng = random.Random(seed)
    sizes = [100, 1514, 1515, 3000, 9014, largest - 1, largest]
    sizes = (sizes + [rng.randint(100, largest) for _ in range(count)])[:count]
    rng.shuffle(sizes)
    return [tcp_frame(rng, i, size, i % 3 == 2) for i, size in enumerate(sizes)]


def configure(end):
    """Port 0 (virtio) with all offloads, port 1 (pcap) without: it gets frames that are complete."""
    for command in ("port config 0 rx_offload tcp_lro on", "port config 0 rx_offload tcp_cksum on", "port config 0 rx_offload udp_cksum on",
                    "port config 0 rx_offload scatter on",
                    "port config 0 tx_offload multi_segs on", "port config 0 tx_offload tcp_cksum on", "port config 0 tx_offload tcp_tso on",
                    "csum mac-swap off 0", "csum mac-swap off 1", "csum set ip sw 0", "csum set tcp hw 0", "csum set ip sw 1", "csum set tcp sw 1",
                    f"tso set {SEGMENT} 0", "port start all", "set fwd csum retry", "set burst tx delay 10 retry 1000000"):
        out = end.command(command)
        if re.search(r"not supported|[Ff]ail|Error|Please stop", out):
            end.rig.check(False, f"{end.name}: {command}: {out.strip()}")


def exchange(rig, number, name, driver_args, app, largest, count, seed):
    rig.say(name)
    files = {end: (rig.path(f"{number}-{end}-in.pcap"), rig.path(f"{number}-{end}-out.pcap"),
                   make(count, seed + (end == "b"), largest)) for end in "ab"}
    for name_in, _, data in files.values():
        frames.write(name_in, data)
    device = {"a": f"net_virtio_user0,path={rig.path('vhost.sock')},mrg_rxbuf=1,in_order=0,queue_size=256",
              "b": f"net_vhost_pci0,socket={rig.path('fn1.sock')}{driver_args}"}
    ends = {}
    for cpu, end in enumerate("ba"):
        plugin = ["-d", PLUGIN] if end == "b" else []
        ends[end] = Testpmd(rig, f"{number}-{end}", [*plugin, f"--vdev={device[end]}",
                            f"--vdev=net_pcap0,rx_pcap={files[end][0]},tx_pcap={files[end][1]}"],
                            ["--disable-device-start", "--txd=256", "--rxd=256", "--burst=4", *app], cpu=cpu).ready()
        configure(ends[end])
    link_up(ends["b"], 0)
    for end in "ba":
        ends[end].command("start")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if all(ends[end].port_stats(1).get("TX-packets", 0) >= count for end in "ab"):
            break
        time.sleep(0.3)
    status, stats = figures.of_drivers(rig)
    words = set(status["driver_accepted"]["names"])
    rig.check({"CSUM", "GUEST_CSUM", "HOST_TSO4", "HOST_TSO6", "GUEST_TSO4", "GUEST_TSO6"} <= words, f"{name}: accepted: {' '.join(sorted(words))}")
    xstats = dict(re.findall(r"^(\w+): (\d+)$", ends["b"].command("show port xstats 0"), re.M))
    rig.equal((xstats["rx_q0_bad_offloads"], xstats["tx_q0_bad_offloads"], xstats["rx_errors"]), ("0", "0", "0"), f"{name}: nothing refused")
    rig.equal(int(xstats["rx_good_packets"]), count, f"{name}: frames came as they are, none cut to segments")
    for way, end in (("rx", "a"), ("tx", "b")):
        large = sum(len(frame) > 14 + 40 + 20 + SEGMENT for frame in files[end][2])
        rig.check(large <= int(xstats[f"{way}_q0_large_packets"]) < count, f"{name}: {xstats[f'{way}_q0_large_packets']} of them to be cut, {way}")
    for end in "ab":
        rig.check(ends[end].quit(), f"{name}: testpmd {end.upper()} ends cleanly")
    for source, sink in ("ab", "ba"):
        difference = frames.compare(frames.read(files[sink][1]), files[source][2])
        rig.check(difference is None, f"{name}: {count} frames of up to {largest} bytes {source.upper()} to {sink.upper()} with right checksums"
                  + (f": {difference}" if difference else ""))
    return stats


def refused(rig, daemon):
    """A program without LRO, and a front end that sends large packets: it is disconnected, and the next one sends small ones."""
    rig.say("a program that takes no large packets")
    port = Testpmd(rig, "plain", ["-d", PLUGIN, f"--vdev=net_vhost_pci0,socket={rig.path('fn1.sock')}"], []).ready()
    large = Testpmd(rig, "large", [f"--vdev=net_virtio_user0,path={rig.path('vhost.sock')}"], ["--disable-device-start"], cpu=1).ready()
    for command in ("port config 0 tx_offload tcp_tso on", "port config 0 tx_offload tcp_cksum on", "port start all"):
        large.command(command)
    daemon.wait_for("refuses HOST_TSO4, HOST_TSO6: disconnecting the front end")
    daemon.wait_for("want a program there with the LRO receive offload")
    rig.check(True, "HOST_TSO4 and HOST_TSO6 are refused, and the daemon says what to do")
    large.kill()  # stock, and not made to lose its back end
    small = Testpmd(rig, "small", [f"--vdev=net_virtio_user0,path={rig.path('vhost.sock')}"], ["--disable-device-start"], cpu=1).ready()
    for command in ("port config 0 tx_offload tcp_cksum on", "port start all"):
        small.command(command)
    link_up(port, 0)
    names = figures.of_drivers(rig)[0]["driver_accepted"]["names"]
    rig.check("CSUM" in names and not any(n.startswith("HOST_") for n in names), f"the next one gets checksums: {' '.join(names)}")
    for end in (small, port):
        rig.check(end.quit(60), f"testpmd {end.name} ends cleanly")


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    needs("vhp-sim", "vhp-vdpad", PLUGIN)
    with Rig("drv-net-offload") as rig:
        sim = Sim(rig, "--ports", "1", "--seed", str(seed))
        daemon = vdpad(rig, "--aperture", "on", "--pv-interrupt", "--offloads", "on")
        for number, variant in enumerate(VARIANTS):
            exchange(rig, number, *variant, seed + 2 * number)
        refused(rig, daemon)
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
