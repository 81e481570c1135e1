#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stock testpmd with net_virtio_user (VM A's place) <-> card <-> stock testpmd with our PMD (VM B's place).

Each direction carries 500 frames of 60..1514 bytes from a pcap file, both at once; they must arrive byte-identical and in
order. Repeated with other rings and features; both ends connect anew each time while the card and vhp-vdpad keep running.

--software  stock net_vhost in place of card, daemon and PMD: shows that the test itself works
--only TEXT only the variants with TEXT in their name
--seed N    seed of the frames (default: random, printed)
"""

import argparse
import random
import sys
import time

import figures
import frames
from rig import Failure, Rig, Sim, Testpmd, needs, vdpad, vhpctl, deadline_in

COUNT = 500
# name, arguments of virtio_user, arguments of testpmd, queue pairs
VARIANTS = (
    ("defaults", "", [], 1),
    ("one buffer a packet, no mergeable buffers", ",mrg_rxbuf=0,in_order=0", [], 1),
    ("rings of 64", ",queue_size=64,in_order=0", ["--rxd=64", "--txd=64"], 1),
    ("scattered over small buffers", ",mrg_rxbuf=1,in_order=0", ["--mbuf-size=512", "--disable-device-start"], 1),
    ("two queue pairs", ",queues=2", ["--rxq=2", "--txq=2"], 2),
)


def link_up(testpmd, port, timeout=60):
    deadline = deadline_in(timeout)
    while "Link status: up" not in testpmd.command(f"show port info {port}"):
        if time.monotonic() > deadline:
            raise Failure(f"{testpmd.name}: the link of port {port} is not up in time:\n" + testpmd.tail())
        time.sleep(0.2)


def exchange(rig, name, front_args, app, pairs, seed, software, count=COUNT, driver_args="", sizes=(60, 1514), inspect=None,
             order="ba"):
    """Both ends up, `count` frames each way over every queue pair together, both ends down. inspect(end B) is called when
    all have arrived; `order` of their ends."""
    ends = {}
    files = {}
    each = count // pairs
    for end in "ab":
        files[end] = [(rig.path(f"{name}-{end}{q}-in.pcap"), rig.path(f"{name}-{end}{q}-out.pcap"),
                       frames.make(each, seed + 2 * q + (end == "b"), *sizes)) for q in range(pairs)]
        for name_in, _, data in files[end]:
            frames.write(name_in, data)
    device = {
        "b": f"net_vhost0,iface={rig.path('vhost.sock')}" if software
             else f"net_vhost_pci0,socket={rig.path('fn1.sock')}{driver_args}",
        "a": f"net_virtio_user0,path={rig.path('vhost.sock')}{front_args}",
    }
    for cpu, end in enumerate("ba"):
        plugin = ["-d", "librte_net_vhost_pci.so"] if end == "b" and not software else []
        ends[end] = Testpmd(rig, f"{name}-{end}", [*plugin, f"--vdev={device[end]}",
                            "--vdev=net_pcap0," + ",".join(f"rx_pcap={i},tx_pcap={o}" for i, o, _ in files[end])], app, cpu=cpu).ready()
    if "--disable-device-start" in app:
        # Only port 0 has the offloads; net_pcap chains buffers without them.
        for end in "ba":
            ends[end].command("port config 0 rx_offload scatter on")
            ends[end].command("port config 0 tx_offload multi_segs on")
            ends[end].command("port start all")
    link_up(ends["b"], 0)
    for end in "ba":
        # A full ring is waited for, not dropped at.
        ends[end].command("set fwd io retry")
        ends[end].command("set burst tx delay 10 retry 1000000")
        ends[end].command("start")
    deadline = deadline_in(120)
    while time.monotonic() < deadline:
        if all(ends[end].port_stats(1).get("TX-packets", 0) >= each * pairs for end in "ab"):
            break
        time.sleep(0.3)
    if inspect:
        inspect(ends["b"])
    before = None if software else vhpctl(rig, "stats")[0]
    for end in order:
        rig.check(ends[end].quit(), f"{name}: testpmd {end.upper()} ends cleanly")
    if before:
        # A driver that unloads without asking, or before it reads 0, shows as a reset while connected.
        after = vhpctl(rig, "stats")[0]
        asked, resets = (after[key] - before[key] for key in ("close_requests", "driver_resets"))
        rig.check((asked, resets) == (order == "ba", 0), f"{name}: the PMD "
                  + ("closes, and reads 0 before it resets" if order == "ba" else "has nothing to close, its peer left first")
                  + f" ({asked} asked to close, {resets} resets while connected)")
    for source, sink in ("ab", "ba"):
        for q in range(pairs):
            difference = frames.compare(frames.read(files[sink][q][1]), files[source][q][2])
            rig.check(difference is None, f"{name}: {each} frames {source.upper()} to {sink.upper()} byte-identical and in order"
                      + (f", pair {q}" if pairs > 1 else "") + (f": {difference}" if difference else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--software", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--only", help="only variants with this in their name")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    if not args.software:
        needs("vhp-sim", "vhp-vdpad", "librte_net_vhost_pci.so")
    with Rig("sys-rig-virtio-user" if args.software else "sys-virtio-user") as rig:
        sim = None
        if not args.software:
            sim = Sim(rig, "--ports", "1", "--seed", str(args.seed))
            vdpad(rig)
        # The last one is for drivers with scattered buffers, which net_vhost is not.
        variants = [v for v in VARIANTS if not args.only or args.only in v[0]]
        for i, (what, front_args, app, pairs) in enumerate(variants[:3] if args.software else variants):
            rig.say(what)
            exchange(rig, f"{i}", front_args, app, pairs, args.seed + 2 * i, args.software, order="ab" if i % 2 else "ba")
        if sim:
            code, stats = sim.finish()
            rig.equal(code, 0, "vhp-sim ends cleanly")
            figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
