#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vDPA driver, vhp-vdpad and vhpctl on the simulated card: front ends by hand and the stock virtio_user, far ends that echo.

One simulator with two ports, one daemon and one program of far ends serve all cases, one after the other; each leaves both
ports free. Usage: test_vdpa.py BUILD_DIR [NAME...]; logs go to VHP_TEST_DIR.
"""
import mmap
import os
import shutil
import signal
import struct
import sys
import time
import traceback

from vdpa_rig import *

SERVING = "serving the front end"


def start(rig, port=0, iface=None, **how):
    """A front end that is connected through to the far end."""
    front = FrontEnd(rig.path(iface or f"vm{port}.sock"), how.pop("memory", None))
    front.start(**how)
    rig.connected(port)
    return front


def end(rig, *fronts, port=0):
    for front in fronts:
        front.close()
    rig.free(port)


def test_rings(rig):
    """Kick to call: indices that wrap, a call descriptor exchanged while running as QEMU does (no interrupt is lost)."""
    front, first = FrontEnd(rig.path("vm0.sock")), 0xfffe
    for at in (0x6002, 0x16002, 0x4002, 0x14002):
        front.put(at, "H", first)
    front.start(base=first)
    rig.connected()
    for n in range(4):
        if n == 2:
            new = os.eventfd(0, os.EFD_NONBLOCK)
            front.send(SET_VRING_CALL, struct.pack("<Q", 0), [new])
            os.close(front.call[0])
            front.call[0] = new
            front.called(0)  # for an interrupt that the old one may have got
        front.round_trip((first + n) & 0xffff)
    check(front.stop() == ((first + 4) & 0xffff,) * 2, "vring bases")
    check(rig.status()["card_state"] == "down", "not stopped")
    end(rig, front)


def test_call_exchanged_under_traffic(rig):
    """The exchange while an interrupt is on its way: the old or the new descriptor has it."""
    front = start(rig)
    for n in range(6):
        new = os.eventfd(0, os.EFD_NONBLOCK)
        front.avail(0, n, 256, True)
        front.avail(1, n, 100, False)
        front.send(SET_VRING_CALL, struct.pack("<Q", 0), [new])
        os.close(front.call[0])
        front.call[0] = new
        front.called(0)
        rig.until("the packet is back", lambda: front.used(0) == n + 1)
        rig.until("the packet is sent", lambda: front.used(1) == n + 1)
    end(rig, front)


def test_tables(rig):
    """What vhpctl shows of a port that is connected, against what the front end and the far end have."""
    rig.ctl("reset", "0")
    front = start(rig)
    front.round_trip(0)
    s = rig.status()
    check(s["phase"] == SERVING and s["front_ends"] == 1, str(s))
    check("VERSION_1" in s["features"]["names"] and "MRG_RXBUF" in s["peer_features_seed"]["names"], str(s["features"]))
    check(s["device_status"]["names"] == ["ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK"], str(s["device_status"]))
    check(sorted(s["vrings"]) == ["0", "1"] and s["vrings"]["0"]["vector"] == 1, str(s["vrings"]))
    check(s["lanes"]["a2b0"]["state"] == "running" and s["lanes"]["a2b1"]["state"] == "stopped", str(s["lanes"]))
    check(s["uuid"] == "00112233-4455-6677-8899-aabbccddeeff", s["uuid"])
    t = rig.stats()
    check((t["a2b_packets"], t["b2a_packets"], t["a2b_bytes"]) == (1, 1, 90), str(t))
    check(t["kicks_relayed"] >= 2 and t["interrupts_forwarded"] == 2, str(t))
    regions = rig.ctl("regions", "0")[0]["regions"]
    check(regions["0"]["guest_physical"] == "0x0" and regions["0"]["size"] == "0x100000", str(regions))
    gsi = rig.ctl("gsi", "0")[0]
    check(gsi["vrings"]["0"]["gsi"] == 24 and "gsi" not in gsi["vrings"]["1"], str(gsi))
    check("gsi 24" in rig.far.ask("gsi 0 0"), "the function shows another GSI")
    check(rig.ctl("gsi", "1")[0]["vrings"]["0"]["gsi"] == 9, "default: the MSI-X vector")
    events = rig.ctl("events", "0")[0]["events"]
    check(any("connected" in e["text"] for e in events.values()), str(events))
    features = rig.ctl("features", "0")[0]
    check("MRG_RXBUF" in features["driver_accepted"]["names"], str(features))
    ids = {p["vhost_pci_id"] for p in (rig.status(0), rig.status(1))}
    check(len(ids) == 2 and "0x0" not in ids, f"vhost_pci_id: {ids}")
    front.stop()
    rig.ctl("reset", "0")
    t = rig.stats()
    check(t["a2b_packets"] == 0 and t["lanes"]["b2a0"]["bytes"] == 0 and t["kicks_relayed"] == 0, str(t))
    end(rig, front)
    check(rig.ctl("regions", "0")[0]["regions"] == {}, "regions of nobody")


def test_stock_front_end(rig):
    """virtio_user: packets go round; it is killed."""
    front = rig.front()
    front.wait_for("testpmd> ")
    front.say("start tx_first 1")
    rig.connected()
    rig.moves()
    front.end(signal.SIGKILL)
    rig.free()
    check(rig.status()["card_state"] == "down", "the card still runs the port")
    rig.far.ask("init 0")  # packets on their way back wait in its ring for the next front end; a reset forgets them


def test_two_ports(rig):
    """Both guests have memory at the same guest-physical addresses, one domain serves them; one port fails alone."""
    stops = rig.stats(0)["lane_stops"]
    fronts = start(rig, 0), start(rig, 1)
    for n in range(2):
        fronts[0].round_trip(n, b"port zero")
        fronts[1].round_trip(n, b"port one!")
    iova = [rig.ctl("regions", str(p))[0]["regions"]["0"]["iova"] for p in (0, 1)]
    check(iova[0] != iova[1], f"both at {iova[0]}")
    check("need_map 0 regions 0" in rig.far.ask("memory 0"), "memory of a port without aperture")
    fronts[0].put(0x10000, "QIHH", 0xdead0000, 100, 0, 0)  # transmit: an address outside its memory
    fronts[0].put(0x14002, "H", 3)
    os.eventfd_write(fronts[0].kick[1], 1)
    rig.daemon.wait_for("port 0: lane 0 stopped: an address is outside the memory regions", stops + 1)
    fronts[1].round_trip(2, b"port one!")
    lane = rig.status(0)["lanes"]["a2b0"]
    check((lane["state"], lane["end"], lane["at"]) == ("stopped", "source", 2), str(lane))
    check(rig.stats(0)["lane_stops"] == stops + 1 and rig.stats(1)["lane_stops"] == 0, "lane stops")
    end(rig, fronts[0])
    fronts[1].round_trip(3, b"port one!")
    end(rig, fronts[1], port=1)


def test_second_front_end(rig):
    """Two on one socket: the second waits, takes over where the first stopped, and back; a third is refused."""
    memory = Memory()
    first = start(rig, memory=memory)
    first.round_trip(0)
    second = FrontEnd(rig.path("vm0.sock"), memory)
    check(second.number(GET_FEATURES) & F_VERSION_1, "the waiting front end gets no answer")
    third = FrontEnd(rig.path("vm0.sock"))
    check(third.closed(), "a third front end is let in")
    rig.daemon.wait_for("one more front end is refused: 2 are connected")
    third.close()
    first.round_trip(1)
    check(rig.phase() == SERVING and rig.ctl("list", "0")[0]["front_ends"] == 2, "the first is disturbed")
    bases = first.stop()
    check(bases == (2, 2), str(bases))
    second.start(base=bases)
    rig.connected()
    second.round_trip(2)
    bases = second.stop()
    first.send(SET_STATUS, struct.pack("<Q", 0))
    first.start(base=bases)
    rig.connected()
    first.round_trip(3)
    second.close()
    rig.until("the second is gone", lambda: rig.ctl("list", "0")[0]["front_ends"] == 1)
    first.round_trip(4)
    end(rig, first)
    memory.close()


def test_second_starts_too_early(rig):
    """The first keeps running and the second starts all the same: refused with what to do, the first undisturbed."""
    first = start(rig)
    second = FrontEnd(rig.path("vm0.sock"))
    second.start()
    rig.daemon.wait_for("another front end runs on this port; stop that one first")
    first.round_trip(0)
    first.stop()
    end_of_first = rig.daemon.count("the front end is gone")
    first.close()
    rig.daemon.wait_for("the front end is gone", end_of_first + 1)
    second.send(SET_STATUS, struct.pack("<Q", 0xf))  # anything: it is tried again
    rig.connected()
    second.round_trip(0)
    end(rig, second)


def test_pair_comes_and_goes(rig):
    """SET_VRING_ENABLE of a running ring: off at the card with its index kept, and on again."""
    front = start(rig)
    front.round_trip(0)
    front.send(SET_VRING_ENABLE, struct.pack("<II", 1, 0))
    rig.until("vring 1 off", lambda: sorted(rig.status()["vrings"]) == ["0"])
    front.avail(0, 1, 256, True)
    front.avail(1, 1, 100, False)
    front.send(SET_VRING_ENABLE, struct.pack("<II", 1, 1))
    front.called(1)
    front.called(0)
    check(front.used(1) == 2, "the packet of the pause is lost")
    end(rig, front)


def test_memory_changes(rig):
    """SET_MEM_TABLE while running, as when a guest gets more memory: stopped, mapped anew, on where it was. Also a new kick
    descriptor. A front end with the STATUS feature and one without."""
    for protocol in (PF_REPLY_ACK | PF_STATUS, PF_REPLY_ACK):
        front = start(rig, protocol=protocol)
        connects = rig.stats()["connects"]
        check(front.do(SET_MEM_TABLE, struct.pack("<II", 1, 0) + front.region(), [front.memory.fd]) == 0, "the same memory")
        front.round_trip(0)
        check(rig.stats()["connects"] == connects, "stopped for nothing")
        more = front.region() + front.region(1 << 30, 1 << 16, 0x50000000)
        check(front.do(SET_MEM_TABLE, struct.pack("<II", 2, 0) + more, [front.memory.fd] * 2) == 0, "refused")
        rig.until("connected again", lambda: rig.stats()["connects"] == connects + 1)
        check(len(rig.ctl("regions", "0")[0]["regions"]) == 2, "regions")
        front.round_trip(1)
        kick = os.eventfd(0, os.EFD_NONBLOCK)
        check(front.do(SET_VRING_KICK, struct.pack("<Q", 1), [kick]) == 0, "kick refused")
        os.close(front.kick[1])
        front.kick[1] = kick
        front.round_trip(2)
        end(rig, front)


def test_hostile_front_end(rig):
    """Nonsense on one port: a clear end, the other port goes on, and the port is free again; the daemon keeps no descriptor."""
    before = rig.descriptors()
    other, n = start(rig, 1), 0
    region = FrontEnd.region
    short = os.memfd_create("short")
    os.ftruncate(short, PAGE)

    def short_log(f):
        f.start(protocol=f.PROTOCOL | PF_LOG_SHMFD)
        f.send(SET_LOG_BASE, struct.pack("<QQ", 64 * PAGE, 0), [short], flags=1 | 8)

    def silent(f):
        """12 bytes that promise 8 more: rte_vhost waits for them, on the thread that serves all ports."""
        f.socket.send(struct.pack("<III", GET_FEATURES, 1, 8))
        check(other.number(GET_FEATURES) & F_VERSION_1, "the other front end gets no answer")
        check(f.closed(), "still connected")

    def deaf(f):
        """Requests whose answers are not read, until there is no room for one more."""
        for _ in range(100000):
            f.send(GET_FEATURES)

    cases = {
        "a message without its payload": (None, silent),
        "answers that nobody reads": ("does not read the answers to its requests", deaf),
        "a request that is not offered": ("sends request 32, which it is not offered", lambda f: f.send(
            32, struct.pack("<QQHH", PAGE, 0, 2, 256), [short])),
        "garbage": (None, lambda f: f.send(0xdeadbeef, b"x" * 100, flags=0xffffffff)),
        "half a message": (None, lambda f: f.socket.send(b"\5\0\0")),
        "no version 1": ("did not negotiate VIRTIO_F_VERSION_1", lambda f: f.start(features=F_PROTOCOL)),
        "ring too large": ("the card takes powers of two from 2 to", lambda f: f.start(num=32768)),
        "region not page aligned": ("is not made of whole pages", lambda f: f.start(regions=[region(f, 0x800, 0xff000)])),
        "regions overlap": ("memory regions 0 and 1 overlap",
                            lambda f: f.start(regions=[region(f), region(f, 0x80000, 1 << 16, 0x20000000)], fds=2)),
        "file shorter than its region": ("is shorter than the region",
                                         lambda f: f.start(regions=[region(f), region(f, 1 << 30, 1 << 21, 0x20000000)], fds=2)),
        "log shorter than it says": ("log is shorter than it says", short_log),
        "log not at the start of its file": ("log begins at offset 0x1000", lambda f: f.send(
            SET_LOG_BASE, struct.pack("<QQ", PAGE, PAGE), [short])),
        "memory without descriptor": (None, lambda f: f.start(fds=0)),
        "rings outside": (None, lambda f: f.start(desc=0x50000000)),
        "call descriptor is no eventfd": (None, lambda f: f.start(call=f.memory.fd)),
        "leaves at once": (None, lambda f: f.start()),
    }
    for name, (message, case) in cases.items():
        front = FrontEnd(rig.path("vm0.sock"))
        try:
            case(front)
        except (BrokenPipeError, ConnectionResetError):
            pass
        if message:
            rig.daemon.wait_for(message)
        check(other.number(GET_FEATURES) & F_VERSION_1, f"the other front end gets no answer after: {name}")
        front.close()
        rig.free()
        check(rig.daemon.process.poll() is None, f"the daemon died of: {name}")
        if n % 4 == 0:
            other.round_trip(n // 4)
        n += 1
    os.close(short)
    end(rig, other, port=1)
    front = start(rig)
    front.round_trip(0)
    end(rig, front)
    rig.until(f"as few descriptors as before: {before}", lambda: len(rig.descriptors()) <= len(before))


def test_memory_taken_back(rig):
    """A front end shortens a file that is mapped here: it alone is disconnected, whoever touches the missing part first (rte_vhost's
    thread or the driver's) and whether it is served by then or not."""
    before = rig.descriptors()
    other = start(rig, 1)

    def empty_from_the_start(front):
        os.ftruncate(front.memory.fd, 0)
        front.start()

    def before_the_rings(front):
        front.send(SET_OWNER)
        front.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", front.PROTOCOL))
        front.send(SET_FEATURES, struct.pack("<Q", front.FEATURES))
        check(front.do(SET_MEM_TABLE, struct.pack("<II", 1, 0) + front.region(), [front.memory.fd]) == 0, "memory refused")
        os.ftruncate(front.memory.fd, 0)
        front.rings()

    def while_served(front):
        front.start()
        rig.connected()
        front.round_trip(0)
        os.ftruncate(front.memory.fd, 0)
        front.addresses(0)

    def the_log(front):
        log = os.memfd_create("log")
        os.ftruncate(log, PAGE)
        front.start(protocol=front.PROTOCOL | PF_LOG_SHMFD)
        rig.connected()
        front.send(SET_LOG_BASE, struct.pack("<QQ", PAGE, 0), [log])
        front.answer()
        check(front.do(SET_FEATURES, struct.pack("<Q", front.features | F_LOG_ALL)) == 0, "logging is refused")
        os.ftruncate(log, 0)
        os.close(log)
        front.avail(0, 0, 256, True)
        front.avail(1, 0, 100, False)

    shortened = "it has shortened the file of its memory or of its log: disconnecting"
    cases = ((empty_from_the_start, "the file of memory region 0 is shorter than the region"), (before_the_rings, shortened),
             (while_served, shortened), (the_log, shortened))
    for n, (case, message) in enumerate(cases):
        front, said = FrontEnd(rig.path("vm0.sock")), rig.daemon.count(message)
        try:
            case(front)
        except (BrokenPipeError, ConnectionResetError):
            pass
        rig.daemon.wait_for(message, said + 1)
        check(front.closed(), f"still connected after {case.__name__}")
        front.close()
        rig.free()
        other.round_trip(n, b"port one!")
    end(rig, other, port=1)
    front = start(rig)
    front.round_trip(0)
    end(rig, front)
    rig.until(f"as few descriptors as before: {before}", lambda: len(rig.descriptors()) <= len(before))


def test_many_front_ends(rig):
    """A hundred front ends in a row, which leave in every way: the daemon keeps neither descriptors nor memory of them."""
    rounds, gone, resident = 100, rig.daemon.count("the front end is gone"), []
    for n in range(rounds):
        front = FrontEnd(rig.path("vm0.sock"))
        if n % 8 == 0:
            check(front.number(GET_FEATURES) & F_VERSION_1, "no features")
        elif n % 4:
            front.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", front.PROTOCOL))
            check(front.do(SET_MEM_TABLE, struct.pack("<II", 1, 0) + front.region(), [front.memory.fd]) == 0, "memory refused")
        else:
            front.start()
        if n % 16 == 4:
            check(front.stop() == (0, 0), "vring bases")
        front.close()
        rig.daemon.wait_for("the front end is gone", gone + n + 1)
        if n in (rounds // 5, rounds - 1):
            rig.free()
            resident.append((rig.resident(), len(rig.descriptors())))
    print(f"  {rounds} front ends: {resident[0][0]} kB, {resident[0][1]} descriptors; at the end {resident[1][0]} kB, {resident[1][1]}")
    rig.until("as few descriptors as before", lambda: len(rig.descriptors()) <= resident[0][1])
    check(resident[1][0] - resident[0][0] < 512, f"memory: {resident} kB")
    front = start(rig)
    front.round_trip(0)
    end(rig, front)


def test_driver_disconnects(rig):
    """The driver writes 0 to peer_connection: closed, the front end idle; its reset connects again."""
    front = start(rig)
    front.round_trip(0)
    rig.far.ask("disconnect 0")
    rig.until("closed", lambda: rig.phase() == "closed by the vhost-pci-net driver")
    rig.far.ask("init 0")
    rig.until("serving again", lambda: rig.phase() == SERVING)
    front.round_trip(1)
    check(rig.stats()["close_requests"] == 1, "not counted")
    end(rig, front)


def test_driver_errors(rig):
    """A control message that is none: the port fails with a reason, the driver's reset heals it."""
    front = start(rig)
    rig.far.ask("nonsense 0")
    rig.daemon.wait_for("the connection failed: the driver sent a malformed or unexpected control message")
    check(rig.stats()["errors"] >= 1, "not counted")
    rig.far.ask("init 0")
    rig.connected()
    front.round_trip(0)
    end(rig, front)


def test_feature_subset(rig):
    """The driver refuses MRG_RXBUF, which only the device uses: on without it, the front end is not troubled. A driver that takes
    it gets it again. The next front end is not offered what was refused last; after the driver's reset it is."""
    front = start(rig)
    for n in (1, 2):
        rig.far.ask(f"init 0 {F_MRG_RXBUF:x}")
        rig.daemon.wait_for("refuses MRG_RXBUF: starting again without", n)
        rig.connected()
        front.round_trip(2 * n - 2)
        if n == 1:
            rig.far.ask("init 0")
            rig.until("the full set", lambda: "MRG_RXBUF" in rig.status()["driver_accepted"]["names"])
            rig.connected()
            front.round_trip(1)
    s = rig.status()
    check("MRG_RXBUF" not in s["peer_features"]["names"] and s["withheld_features"]["names"] == ["MRG_RXBUF"], str(s))
    end(rig, front)
    front = FrontEnd(rig.path("vm0.sock"))
    check(not front.number(GET_FEATURES) & F_MRG_RXBUF, "it is offered what the driver refuses")
    front.start(features=front.FEATURES & ~F_MRG_RXBUF)
    rig.connected()
    resets = rig.stats()["driver_resets"]
    rig.far.ask("init 0")
    rig.until("reset", lambda: rig.stats()["driver_resets"] > resets)
    end(rig, front)
    front = FrontEnd(rig.path("vm0.sock"))
    check(front.number(GET_FEATURES) & F_MRG_RXBUF, "it is not offered the full set again")
    end(rig, front)


def test_offloads(rig):
    """offloads=1 (port 1) offers checksums and segmentation both ways, port 0 does not. A driver that takes them is connected; one that
    refuses what only the device uses (GUEST_*) too; one that refuses CSUM and HOST_* costs the front end its connection, and
    the next is offered neither them nor what needs them."""
    other = FrontEnd(rig.path("vm0.sock"))
    check(not other.number(GET_FEATURES) & F_OFFLOADS, "offered without offloads=1")
    end(rig, other)
    front = FrontEnd(rig.path("vm1.sock"))
    offered = front.number(GET_FEATURES)
    check(offered & F_OFFLOADS == F_OFFLOADS, f"offered 0x{offered:x}")
    front.start(features=front.FEATURES | F_OFFLOADS)
    rig.connected(1)
    s = rig.status(1)
    names = {"CSUM", "GUEST_CSUM"} | {f"{way}_{what}" for way in ("GUEST", "HOST") for what in ("TSO4", "TSO6", "ECN", "UFO")}
    check(names <= set(s["driver_accepted"]["names"]) and names <= set(s["features"]["names"]), str(s))
    front.round_trip(0)
    again = rig.daemon.count("vm1.sock: front ends may connect again") + 1
    rig.far.ask(f"init 1 {0x7801:x}")
    rig.daemon.wait_for("refuses CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO: disconnecting the front end")
    check(front.closed(), "still connected")
    front.close()
    rig.daemon.wait_for("vm1.sock: front ends may connect again", again)
    front = FrontEnd(rig.path("vm1.sock"))
    offered = front.number(GET_FEATURES)
    check(offered & F_OFFLOADS == F_OFFLOADS & ~0x7801, f"offered 0x{offered:x}")
    front.start(features=front.FEATURES | (F_OFFLOADS & ~0x7801))
    rig.connected(1)
    rig.far.ask("init 1")
    rig.until("all features again", lambda: not rig.status(1)["withheld_features"]["names"])
    rig.connected(1)
    end(rig, front, port=1)
    front = FrontEnd(rig.path("vm1.sock"))
    check(front.number(GET_FEATURES) & F_OFFLOADS == F_OFFLOADS, "not all offered again")
    end(rig, front, port=1)


def test_renegotiation(rig):
    """renegotiate=1 (port 1): the front end is disconnected, connects again, and negotiates the subset; the other port and its
    front end do not notice."""
    other = start(rig, 0)
    front = start(rig, 1)
    rig.far.ask(f"init 1 {F_MRG_RXBUF:x}")
    rig.daemon.wait_for("refuses MRG_RXBUF: disconnecting the front end")
    check(front.closed(), "still connected")
    front.close()
    rig.daemon.wait_for("vm1.sock: front ends may connect again")
    front = FrontEnd(rig.path("vm1.sock"))
    offered = front.number(GET_FEATURES)
    check(not offered & F_MRG_RXBUF, f"offered 0x{offered:x}")
    front.start(features=front.FEATURES & offered)
    rig.connected(1)
    front.round_trip(0)
    other.round_trip(0)
    rig.far.ask("init 1")
    rig.until("all features again", lambda: not rig.status(1)["withheld_features"]["names"])
    end(rig, front, port=1)
    other.round_trip(1)
    end(rig, other)


def test_renegotiation_that_fails(rig):
    """QEMU does not take less than its guest has: it connects, looks, and goes, again and again. In the end it is offered all, and
    the device does without."""
    front, again = start(rig, 1), rig.daemon.count("vm1.sock: front ends may connect again") + 1
    rig.far.ask(f"init 1 {F_MRG_RXBUF:x}")
    check(front.closed(), "still connected")
    front.close()
    rig.daemon.wait_for("vm1.sock: front ends may connect again", again)
    for n in range(3):
        front = FrontEnd(rig.path("vm1.sock"))
        if front.number(GET_FEATURES) & F_MRG_RXBUF:
            break
        end(rig, front, port=1)
    check(n == 2, f"offered all after {n}")
    front.start()
    rig.connected(1)
    front.round_trip(0)
    s = rig.status(1)
    check("MRG_RXBUF" in s["features"]["names"] and "MRG_RXBUF" not in s["peer_features"]["names"], str(s))
    end(rig, front, port=1)
    check("done" in rig.ctl("disconnect", "1")[0]["result"] and rig.ctl("connect", "1")[0]["done"], "management")
    check(not rig.status(1)["withheld_features"]["names"], "still withheld")
    rig.far.ask("init 1")


def test_management(rig):
    """vhpctl disconnect and connect; what is refused says what to do."""
    front = start(rig)
    front.round_trip(0)
    check(rig.ctl("disconnect", "0")[0]["done"] == 1, "disconnect")
    check(rig.phase() == "disconnected by management" and rig.status()["card_state"] == "down", "not down")
    check("`vhpctl connect`" in rig.ctl("disconnect", "0", code=1), "a second disconnect")
    front.avail(0, 1, 256, True)
    front.avail(1, 1, 100, False)
    check(rig.ctl("connect", "0")[0]["done"] == 1, "connect")
    front.called(1)
    front.called(0)
    check((front.used(0), front.used(1)) == (2, 2), "the packet of the pause is lost")
    check("`vhpctl status`" in rig.ctl("connect", "0", code=1), "a second connect")
    check("give the port" in rig.ctl("connect", code=64), "connect of everything")
    check("no such port; vhpctl list shows them" in rig.ctl("gsi", "7", code=1), "port 7")
    check(rig.phase(1) == "no front end", "the other port")
    end(rig, front)


def pages_of(bitmap):
    return {i * 8 + b for i, byte in enumerate(bytes(bitmap)) for b in range(8) if byte >> b & 1}


def test_dirty_log(rig):
    """Dirty pages: exactly those that the card writes between LOG_ALL on and off, complete when GET_VRING_BASE is answered."""
    log = os.memfd_create("log")
    os.ftruncate(log, PAGE)
    bitmap = mmap.mmap(log, PAGE)
    front = FrontEnd(rig.path("vm0.sock"))
    check(front.number(GET_FEATURES) & F_LOG_ALL, "LOG_ALL is not offered")
    check(front.number(GET_PROTOCOL_FEATURES) & (PF_LOG_SHMFD | PF_RARP) == PF_LOG_SHMFD | PF_RARP, "LOG_SHMFD, RARP")
    front.start(protocol=front.PROTOCOL | PF_LOG_SHMFD | PF_RARP)
    rig.connected()
    check("LOG_ALL" in rig.status()["driver_accepted"]["names"], "the driver does not hear of LOG_ALL")
    front.round_trip(0)
    check(front.do(SET_FEATURES, struct.pack("<Q", front.features | F_LOG_ALL)) != 0, "logging without a log")
    front.send(SET_LOG_BASE, struct.pack("<QQ", PAGE, 0), [log])
    check(len(front.answer()) in (0, 8), "answer to SET_LOG_BASE")
    check(front.do(SET_FEATURES, struct.pack("<Q", front.features | F_LOG_ALL)) == 0, "logging is refused")
    for q in (0, 1):
        front.addresses(q, flags=1)
    check("logging 1" in rig.far.ask("logging 0"), "the driver does not hear DIRTY_PAGE_LOGGING")
    check(pages_of(bitmap) == set(), "pages before anything is written")
    front.round_trip(1)
    wanted = {0x6000 // PAGE, 0x16000 // PAGE, 0x80000 // PAGE}
    rig.until("the timer's sync", lambda: pages_of(bitmap) == wanted)
    check(rig.ctl("log", "0")[0]["log"] == "on", "vhpctl log")
    bitmap[:] = bytes(PAGE)  # as QEMU, which sends them now
    front.round_trip(2)
    front.stop()
    check(pages_of(bitmap) == wanted, f"when stopped: pages {pages_of(bitmap)} instead of {wanted}")
    bitmap[:] = bytes(PAGE)
    t = rig.ctl("log", "0")[0]
    check(t["pages"] >= 6 and t["overflows"] == 0 and t["card_bad_entries"] == 0 and t["card_syncs"] > 0, str(t))
    check(front.do(SET_FEATURES, struct.pack("<Q", front.features)) == 0, "logging off")
    front.start(base=(3, 3), protocol=front.PROTOCOL | PF_LOG_SHMFD | PF_RARP)
    rig.connected()
    front.round_trip(3)
    front.stop()
    check(pages_of(bitmap) == set(), "pages are logged that nobody wants logged")
    end(rig, front)
    bitmap.close()
    os.close(log)


def test_event_overflow(rig):
    """More events than the card's queue holds while the daemon does not read them: said, and the port is right afterwards."""
    front = start(rig)
    rig.daemon.process.send_signal(signal.SIGSTOP)
    for _ in range(8):
        rig.far.ask("init 0")
        rig.far.ask("wait 0")
    rig.daemon.process.send_signal(signal.SIGCONT)
    rig.daemon.wait_for("event queue overflowed: [0-9]+ events lost")
    rig.connected()
    front.round_trip(0)
    end(rig, front)


def test_daemon_terminated(rig):
    """SIGTERM with a front end: exit status 0, nothing left."""
    front = start(rig)
    listing = rig.ctl("list")
    check(rig.status()["image_held"] == 1, "boot_hold is not set: the card would load another image now")
    check(rig.daemon.end() == 0, "exit status")
    check(front.closed(), "still connected")
    check(not os.path.exists(rig.path("vm0.sock")) and not os.path.exists(rig.path("vm1.sock")), "sockets are left")
    check(not os.path.exists(os.path.dirname(listing[0]["telemetry"])), "the runtime directory is left")
    front.close()


OPTIONS = ("--iface", "vm0.sock", "--uuid", "00112233-4455-6677-8899-aabbccddeeff", "--gsi", "24",
           "--iface", "vm1.sock", "--renegotiate", "--offloads", "on")


def main():
    names = sys.argv[2:] or [n[5:] for n in globals() if n.startswith("test_")]
    passed = failed = 0
    rig = None
    for name in names:
        began = time.monotonic()
        try:
            if not rig:
                rig = Rig("rig", 2, OPTIONS)
                rig.far = rig.start_far_ends()
            globals()["test_" + name](rig)
            passed += 1
            print(f"{name}: ok ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as e:
            failed += 1
            print(f"{name}: FAILED: {e if isinstance(e, Failure) else traceback.format_exc()}", flush=True)
            if rig:
                print(rig.tails(), flush=True)
                shutil.rmtree(f"{rig.dir}-{name}", ignore_errors=True)
                os.rename(rig.dir, f"{rig.dir}-{name}")
                rig.close()
            rig = None
    if rig:
        rig.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
