#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Driver copy (copy=driver) end to end: stock virtio_user <-> card's aperture <-> our PMD, which copies the packets itself as the
seed describes it. The same frames as sys-virtio-user; a round trip of the link is shorter, since each read of the peer's memory waits for one."""

import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "tests", "system"))
import figures  # noqa: E402
from rig import Rig, Sim, Testpmd, needs, vdpad, vhpctl  # noqa: E402
from virtio_user import exchange  # noqa: E402

COUNT, FEWER = 500, 250  # frames each way
PLUGIN = "librte_net_vhost_pci.so"


def works(rig, frames):
    """What the port and the card say while the connection stands."""
    def inspect(port):
        info = port.command("show port info 0")
        rig.check("the driver copies" in info and "mirrored rx 0: running" in info and "mirrored tx 0: running" in info,
                  "PEER_VIRTQ_INFO: the peer's queues are mirrored")
        rig.check(re.search(r"need_map 1", info) is not None and re.search(r"peer_mem answered 0x[1-9a-f]", info) is not None,
                  "PEER_MEM_INFO: need_map Y, answered with an address")
        stats = dict(re.findall(r"^(\w+): (\d+)$", port.command("show port xstats 0"), re.M))
        rig.check(int(stats["rx_q0_peer_reads"]) > frames and int(stats["tx_q0_peer_writes"]) > frames,
                  f"{stats['rx_q0_peer_reads']} reads and {stats['tx_q0_peer_writes']} writes of peer memory")
        rig.equal(stats["tx_q0_doorbells"], "0", "no transmitq of the function is used")
        status = figures.one_port(vhpctl(rig, "status"))
        rig.equal(status["connected"], 1, "vhpctl shows the port connected")
        rig.check(all(lane["state"] != "running" for lane in status["lanes"].values()), "no lane of the card runs")
    return inspect


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    needs("vhp-sim", "vhp-vdpad", PLUGIN)
    with Rig("drv-net-copy") as rig:
        sim = Sim(rig, "--ports", "1", "--seed", str(seed), "--latency", "20")
        daemon = vdpad(rig, "--aperture", "on", "--pv-interrupt")
        # Each front end is a new one: indices go on from where its memory says.
        for i, (what, front, app, count) in enumerate((
                ("mergeable buffers", "", [], COUNT),
                ("one buffer a packet, rings of 64", ",mrg_rxbuf=0,in_order=0,queue_size=64", ["--rxd=64", "--txd=64"], FEWER))):
            rig.say(what)
            exchange(rig, f"{i}", front, app, 1, seed + 2 * i, False, count, ",copy=driver", inspect=works(rig, count))
        rig.say("two queue pairs")
        exchange(rig, "2", ",queues=2", ["--rxq=2", "--txq=2"], 2, seed + 9, False, FEWER, ",copy=driver")
        rig.say("the card copies again, with the aperture still offered")
        exchange(rig, "3", "", [], 1, seed + 11, False, 100)
        daemon.end()

        rig.say("aperture off")
        vdpad(rig, name="vhp-vdpad-2", iface="off.sock")
        port = Testpmd(rig, "off", ["-d", PLUGIN, f"--vdev=net_vhost_pci0,socket={rig.path('fn1.sock')},copy=driver"], []).ready()
        peer = Testpmd(rig, "off-peer", [f"--vdev=net_virtio_user0,path={rig.path('off.sock')}"], [], cpu=1).ready()
        port.wait_for("needs a reset.*copy=driver needs an aperture", 30)
        rig.check("Link status: down" in port.command("show port info 0"), "aperture off: copy=driver says why it cannot work")
        for end in (peer, port):
            rig.check(end.quit(60), f"testpmd {end.name} ends cleanly")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
