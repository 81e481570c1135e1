#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vDPA driver, vhp-vdpad and vhpctl against stock virtio_user front ends, with a card in software (fake_card.c).

The software card mirrors the peer's packets and is strict about the mailbox; it can be killed and made to send events.
Usage: test_vdpa.py BUILD_DIR [NAME...]; logs go to VHP_TEST_DIR.
"""
import array
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

BUILD = os.path.abspath(sys.argv[1])
TOP = os.environ.get("VHP_TEST_DIR") or os.path.join(BUILD, "tests", "drv-vdpa.d")
PREFIX = f"vhptest{os.getpid()}"
GUARD = 60  # seconds until a hang is a failure


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


class Process:
    """A program with its output in a file, so that it can be searched while it runs."""

    def __init__(self, directory, name, *argv):
        self.name, self.path = name, os.path.join(directory, name + ".log")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=open(self.path, "a"), stderr=subprocess.STDOUT,
                                        cwd=directory, text=True)

    def output(self):
        with open(self.path, errors="replace") as f:
            return f.read()

    def wait_for(self, pattern, count=1):
        end = time.monotonic() + GUARD
        while len(re.findall(pattern, self.output(), re.M)) < count:
            check(self.process.poll() is None, f"{self.name} ended ({self.process.returncode}) before /{pattern}/")
            check(time.monotonic() < end, f"{self.name}: no /{pattern}/")
            time.sleep(0.05)
        return self

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(GUARD)
        self.process.stdin.close()
        return code


class Rig:
    """A software card and a daemon with two ports."""

    def __init__(self, name, *options, daemon=True, pairs=2):
        self.dir = os.path.join(TOP, name)
        os.makedirs(self.dir, exist_ok=True)
        for f in os.listdir(self.dir):
            os.unlink(os.path.join(self.dir, f))
        self.pairs, self.processes, self.options, self.fronts = pairs, [], options, 0
        self.prefix = f"{PREFIX}{name}"
        self.card = self.start_card()
        self.daemon = self.start_daemon() if daemon else None

    def add(self, process):
        self.processes.append(process)
        return process

    def path(self, name):
        return os.path.join(self.dir, name)

    def start_card(self):
        starts = open(self.path("card.log")).read().count("ready") if os.path.exists(self.path("card.log")) else 0
        return self.add(Process(self.dir, "card", f"{BUILD}/tests/fake_card", "fn0.sock", "2", str(self.pairs))).wait_for(
            "^ready", starts + 1)

    def start_daemon(self):
        log = self.path("daemon.log")
        starts = len(re.findall("^ready", open(log).read(), re.M)) if os.path.exists(log) else 0
        ports = self.options or ("--iface", "vm0.sock", "--iface", "vm1.sock")
        return self.add(Process(self.dir, "daemon", f"{BUILD}/bin/vhp-vdpad", "--file-prefix", self.prefix, "-v", "--socket",
                                "fn0.sock", *ports)).wait_for("^ready", starts + 1)

    def front(self, iface="vm0.sock", extra="", queues=1):
        """A stock testpmd as front end; it forwards what comes back, so packets go round for ever."""
        self.fronts += 1
        name = f"front{self.fronts}"
        return self.add(Process(
            self.dir, name, "stdbuf", "-oL", "dpdk-testpmd", "--lcores=0@(0-1),1@(0-1)" if os.cpu_count() > 1 else "--lcores=0@0,1@0", "--no-pci",
            "--no-telemetry", "--file-prefix", self.prefix + name, "--no-huge", "-m", "128",
            f"--vdev=net_virtio_user0,path={iface},queues={queues}{extra}", "--", "-i", "--forward-mode=io", f"--rxq={queues}",
            f"--txq={queues}", "--total-num-mbufs=4096", "--no-flush-rx"))

    def ctl(self, *args):
        r = subprocess.run([f"{BUILD}/bin/vhpctl", "--file-prefix", self.prefix, "--json", *args], capture_output=True, text=True)
        check(r.returncode == 0, f"vhpctl {' '.join(args)}: {r.returncode} {r.stderr.strip()}")
        return json.loads(r.stdout)

    def status(self, port=0):
        return self.ctl("status", str(port))[0]

    def stats(self, port=0):
        return self.ctl("stats", str(port))[0]

    def until(self, what, test):
        end = time.monotonic() + GUARD
        while not test():
            check(time.monotonic() < end, f"never: {what}")
            time.sleep(0.1)

    def connected(self, port=0):
        self.until(f"port {port} connected", lambda: self.status(port)["card_state"] == "connected")

    def moves(self, port=0):
        """Packets go round on the port."""
        before = self.stats(port)
        self.until(f"packets on port {port}", lambda: self.stats(port)["a2b_packets"] > before["a2b_packets"] + 20)
        self.until(f"packets on port {port}", lambda: self.stats(port)["b2a_packets"] > before["b2a_packets"] + 20)

    def event(self, port, kind, arg=0):
        n = self.card.output().count("done\n")
        self.card.say(f"event {port} {kind} {arg}")
        self.card.wait_for("^done$", n + 1)

    def close(self):
        for p in reversed(self.processes):
            if p.process.poll() is None:
                p.end(signal.SIGKILL)
        bad = [line for line in open(self.path("card.log")) if "VIOLATION" in line or "unknown command" in line]
        check(not bad, "the driver broke a rule: " + "".join(bad[:5]))


EVENT_CLOSE_REQUEST, EVENT_FEATURES, EVENT_LANE, EVENT_ERROR, EVENT_RESET = 3, 4, 5, 6, 7


def start_traffic(front):
    front.wait_for("testpmd> ")
    front.say("start tx_first 1")


def test_traffic(rig):
    """Packets, features and counters of one port; the other one stays as it is."""
    start_traffic(rig.front())
    rig.connected()
    rig.moves()
    s = rig.status()
    check(s["phase"] == "serving the front end", s["phase"])
    check("VERSION_1" in s["features"]["names"] and "MRG_RXBUF" in s["peer_features_seed"]["names"], str(s["features"]))
    check(s["device_status"]["names"] == ["ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK"], str(s["device_status"]))
    check(sorted(s["vrings"]) == ["0", "1"] and s["vrings"]["0"]["vector"] == 1, str(s["vrings"]))
    check(s["lanes"]["a2b0"]["state"] == "running" and s["lanes"]["a2b1"]["state"] == "stopped", str(s["lanes"]))
    t = rig.stats()
    check(t["kicks_relayed"] >= 1 and t["doorbells_peer"] > 1, str(t))
    rig.ctl("list")
    other = rig.status(1)
    check(other["phase"] == "no front end" and other["card_state"] == "down", str(other))


def test_reset_stats(rig):
    front = rig.front()
    start_traffic(front)
    rig.moves()
    front.say("stop")
    front.wait_for("Accumulated forward statistics")
    subprocess.run([f"{BUILD}/bin/vhpctl", "--file-prefix", rig.prefix, "reset", "0"], check=True, capture_output=True)
    t = rig.stats()
    check(t["a2b_packets"] == 0 and t["lanes"]["b2a0"]["bytes"] == 0 and t["kicks_relayed"] == 0, str(t))


def test_two_pairs(rig):
    start_traffic(rig.front(queues=2, extra=",cq=1"))
    rig.connected()
    rig.moves()
    rig.until("both pairs", lambda: sorted(rig.status()["vrings"]) == ["0", "1", "2", "3"])


def test_two_ports_same_addresses(rig):
    """Both guests have memory at the same guest-physical addresses; one domain serves them."""
    start_traffic(rig.front("vm0.sock"))
    start_traffic(rig.front("vm1.sock"))
    rig.connected(0)
    rig.connected(1)
    rig.moves(0)
    rig.moves(1)


def test_second_front_end(rig):
    start_traffic(rig.front())
    rig.connected()
    second = rig.front()
    rig.daemon.wait_for("a second front end is refused")
    second.end(signal.SIGKILL)
    rig.moves()
    check(rig.stats()["front_ends_refused"] >= 1, "not counted")


def test_front_end_killed(rig):
    for _ in range(3):
        front = rig.front()
        start_traffic(front)
        rig.connected()
        rig.moves()
        front.end(signal.SIGKILL)
        rig.until("port free", lambda: rig.status()["phase"] == "no front end")
        check(rig.status()["card_state"] == "down", "the card still runs the port")
    check(rig.stats()["front_end_disconnects"] == 3, str(rig.stats()))


def test_front_end_stops_and_starts(rig):
    """The indices go back and forth: port stop closes the device, port start goes on."""
    front = rig.front()
    start_traffic(front)
    rig.moves()
    for _ in range(2):
        for line in ("stop", "port stop all", "port start all", "start tx_first 1"):
            front.say(line)
        rig.connected()
        rig.moves()


def test_close_request(rig):
    front = rig.front()
    start_traffic(front)
    rig.moves()
    rig.event(0, EVENT_CLOSE_REQUEST)
    rig.daemon.wait_for("asks to disconnect")
    rig.until("connected again", lambda: rig.status()["connects"] == 2)
    rig.moves()
    check(rig.stats()["close_requests"] == 1, "not counted")


def test_feature_subset(rig):
    front = rig.front()
    start_traffic(front)
    rig.moves()
    rig.card.say("accept 0 0")
    rig.event(0, EVENT_FEATURES)
    rig.daemon.wait_for("refuses MRG_RXBUF: starting again without")
    rig.moves()
    s = rig.status()
    check("MRG_RXBUF" not in s["peer_features"]["names"] and s["withheld_features"]["names"] == ["MRG_RXBUF"], str(s))
    front.end(signal.SIGKILL)
    rig.until("port free", lambda: rig.status()["phase"] == "no front end")
    start_traffic(rig.front())
    rig.connected()
    check("MRG_RXBUF" not in rig.status()["features"]["names"], "the next front end is offered what the driver refuses")


def test_events(rig):
    rig.event(1, EVENT_LANE, 2 | 7 << 8)
    rig.event(1, EVENT_ERROR, 2)
    rig.event(1, EVENT_RESET)
    rig.event(1, 99)
    rig.daemon.wait_for("port 1: lane 2 stopped: an address is outside the memory regions")
    rig.daemon.wait_for("port 1: the connection failed: the driver sent a malformed")
    rig.daemon.wait_for("port 1: unknown event 99")
    t = rig.stats(1)
    check((t["lane_stops"], t["errors"], t["driver_resets"]) == (1, 1, 1), str(t))


def test_event_overflow(rig):
    """More events than the card's queue holds while the driver cannot read them."""
    rig.daemon.process.send_signal(signal.SIGSTOP)
    for _ in range(20):
        rig.event(0, EVENT_RESET)
    rig.daemon.process.send_signal(signal.SIGCONT)
    rig.daemon.wait_for("event queue overflowed: 4 events lost")


def test_card_killed(rig):
    start_traffic(rig.front())
    rig.moves()
    rig.card.end(signal.SIGKILL)
    rig.daemon.wait_for("the card is gone")
    check(rig.status()["phase"] == "the card is gone", rig.status()["phase"])
    check(rig.stats()["card_losses"] == 1, "not counted")
    rig.card = rig.start_card()
    rig.daemon.wait_for("the card is back")
    rig.connected()
    rig.moves()
    check(len(re.findall("the card is gone", rig.daemon.output())) == 1, "logged more than once")


def test_card_killed_front_end_leaves(rig):
    front = rig.front()
    start_traffic(front)
    rig.moves()
    rig.card.end(signal.SIGKILL)
    rig.daemon.wait_for("the card is gone")
    front.end(signal.SIGKILL)
    rig.until("front end gone", lambda: rig.status()["phase"] == "no front end")
    second = rig.front()
    second.wait_for("testpmd> ")
    rig.daemon.wait_for("it is served when the card is back")
    rig.card = rig.start_card()
    second.say("start tx_first 1")
    rig.connected()
    rig.moves()


def test_daemon_terminated(rig):
    start_traffic(rig.front())
    rig.moves()
    listing = rig.ctl("list")
    check(rig.daemon.end() == 0, "exit status")
    check(not os.path.exists(rig.path("vm0.sock")) and not os.path.exists(rig.path("vm1.sock")), "sockets are left")
    check(not os.path.exists(os.path.dirname(listing[0]["telemetry"])), "the runtime directory is left")


def test_daemon_killed(rig):
    """Server sockets: a stale one is replaced, the card is taken over."""
    front = rig.front()
    start_traffic(front)
    rig.moves()
    rig.daemon.end(signal.SIGKILL)
    front.end(signal.SIGKILL)
    rig.daemon = rig.start_daemon()
    start_traffic(rig.front())
    rig.connected()
    rig.moves()


def test_daemon_killed_client_mode(rig):
    """The front end listens: it finds a new daemon by itself, and its rings go on where they were."""
    front = rig.front("front.sock", extra=",server=1")
    start_traffic(front)
    rig.connected()
    rig.moves()
    rig.daemon.end(signal.SIGKILL)
    rig.daemon = rig.start_daemon()
    rig.connected()
    front.say("stop")
    front.wait_for("Accumulated forward statistics")
    front.say("start tx_first 1")
    rig.moves()


test_daemon_killed_client_mode.options = ("--client", "--iface", "front.sock")


class FrontEnd:
    """A vhost-user front end by hand: one queue pair in a memfd at guest-physical 0."""

    FEATURES = 1 << 32 | 1 << 30
    BASE = 0x10000000  # "user address" of the memory
    SIZE = 1 << 20

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(GUARD)
        self.socket.connect(path)
        self.memfd = os.memfd_create("guest")
        os.ftruncate(self.memfd, self.SIZE)
        self.memory = mmap.mmap(self.memfd, self.SIZE)
        self.call = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        self.kick = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]

    def close(self):
        self.socket.close()
        self.memory.close()
        for fd in (self.memfd, *self.call, *self.kick):
            os.close(fd)

    def send(self, request, payload=b"", fds=(), flags=1):
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([struct.pack("<III", request, flags, len(payload)) + payload], anc)

    def ask(self, request, payload=b""):
        self.send(request, payload)
        return struct.unpack("<III", self.socket.recv(12, socket.MSG_WAITALL))[2] and self.socket.recv(4096)

    def region(self, gpa=0, size=SIZE, user=BASE):
        return struct.pack("<QQQQ", gpa, size, user, 0)

    def start(self, num=256, desc=0, features=FEATURES, regions=None, fds=1, call=None, base=0, protocol=0):
        """Everything until the rings are ready; the arguments are what can be wrong with it."""
        regions = [self.region()] if regions is None else regions
        self.send(3)
        self.send(2, struct.pack("<Q", features))
        self.send(16, struct.pack("<Q", protocol))
        self.send(5, struct.pack("<II", len(regions), 0) + b"".join(regions), [self.memfd] * fds)
        for q in (0, 1):
            at = self.BASE + desc + q * 0x10000
            self.send(8, struct.pack("<II", q, num))
            self.send(10, struct.pack("<II", q, base))
            self.send(9, struct.pack("<IIQQQQ", q, 0, at, at + 0x6000, at + 0x4000, 0))
            self.send(13, struct.pack("<Q", q), [self.call[q] if call is None else call])
            self.send(12, struct.pack("<Q", q), [self.kick[q]])
            self.send(18, struct.pack("<II", q, 1))

    def put(self, at, fmt, *values):
        struct.pack_into("<" + fmt, self.memory, at, *values)

    def get(self, at, fmt):
        return struct.unpack_from("<" + fmt, self.memory, at)[0]

    def avail(self, q, index, length, write):
        """One buffer of the ring's own page: descriptor 0, avail entry, avail index; then the kick."""
        at = q * 0x10000
        self.put(at, "QIHH", 0x80000 + q * 0x10000, length, 2 if write else 0, 0)
        self.put(at + 0x4000 + 4 + 2 * (index % 256), "H", 0)
        self.put(at + 0x4000 + 2, "H", (index + 1) & 0xffff)
        os.eventfd_write(self.kick[q], 1)

    def called(self, fd):
        check(select.select([fd], [], [], GUARD)[0], "no interrupt")
        os.eventfd_read(fd)


def test_rings(rig):
    """Kick to call with nothing but descriptors: indices that wrap, a call descriptor changed while running."""
    front = FrontEnd(rig.path("vm0.sock"))
    start = 0xfffe
    front.put(0x6002, "H", start)
    front.put(0x16002, "H", start)
    front.put(0x4002, "H", start)
    front.put(0x14002, "H", start)
    front.start(base=start)
    rig.connected()
    packet = bytes(12) + b"vhost-pci" * 10
    front.memory[0x90000:0x90000 + len(packet)] = packet
    for n in range(6):
        if n == 3:
            new = os.eventfd(0, os.EFD_NONBLOCK)
            front.send(13, struct.pack("<Q", 0), [new])
            front.called(new)  # for an interrupt that the old one may have got
            os.close(front.call[0])
            front.call[0] = new
        index = (start + n) & 0xffff
        front.memory[0x80000:0x80000 + 256] = bytes(256)
        front.avail(0, index, 256, True)
        front.avail(1, index, len(packet), False)
        front.called(front.call[0])
        front.called(front.call[1])
        rig.until("used", lambda: front.get(0x6002, "H") == (index + 1) & 0xffff)
        check(front.memory[0x8000c:0x80000 + len(packet)] == packet[12:], "the packet is not the one that was sent")
        check(front.get(0x8000a, "H") == 1, "num_buffers")
    for q in (0, 1):
        reply = front.ask(11, struct.pack("<II", q, 0))
        check(struct.unpack("<II", reply) == (q, (start + 6) & 0xffff), f"vring base of {q}: {reply.hex()}")
    check(rig.status()["card_state"] == "down", "not stopped")
    front.close()


def test_pair_comes_and_goes(rig):
    """SET_VRING_ENABLE of a running ring: off at the card with its index kept, and on again."""
    front = FrontEnd(rig.path("vm0.sock"))
    front.start()
    rig.connected()
    front.avail(0, 0, 256, True)
    front.avail(1, 0, 100, False)
    front.called(front.call[1])
    front.send(18, struct.pack("<II", 1, 0))
    rig.until("vring 1 off", lambda: sorted(rig.status()["vrings"]) == ["0"])
    front.avail(1, 1, 100, False)
    front.send(18, struct.pack("<II", 1, 1))
    rig.until("vring 1 on", lambda: sorted(rig.status()["vrings"]) == ["0", "1"])
    front.avail(0, 1, 256, True)
    front.called(front.call[1])
    check(front.get(0x16002, "H") == 2, "the packet of the pause is lost")
    front.close()


def test_memory_changes(rig):
    """SET_MEM_TABLE while running: closed, mapped anew, running again where it was."""
    front = FrontEnd(rig.path("vm0.sock"))
    front.start()
    rig.connected()
    front.send(5, struct.pack("<II", 1, 0) + front.region(), [front.memfd])  # the same: nothing happens
    for n in range(2):
        front.avail(0, n, 256, True)
        front.avail(1, n, 100, False)
        front.called(front.call[1])
        if n == 0:
            more = [front.region(), front.region(1 << 30, 1 << 16, 0x50000000)]
            front.send(5, struct.pack("<II", 2, 0) + b"".join(more), [front.memfd] * 2)
            rig.until("connected again", lambda: rig.status()["connects"] == 2)
    check(front.get(0x16002, "H") == 2, "used index")
    front.close()


def test_running_front_end_changes(rig):
    """With the STATUS feature DPDK 24.11 would panic over these messages: the connection ends, the daemon does not."""
    for request in (5, 12):
        front = FrontEnd(rig.path("vm0.sock"))
        front.start(protocol=1 << 16)
        front.send(39, struct.pack("<Q", 0xf))
        rig.connected()
        if request == 5:
            front.send(5, struct.pack("<II", 1, 0) + front.region(size=1 << 19), [front.memfd], flags=1 | 8)
        else:
            front.send(12, struct.pack("<Q", 1), [front.kick[0]])
        check(front.socket.recv(1) == b"", "still connected")
        front.close()
        rig.until("port free", lambda: rig.status(0)["phase"] == "no front end")


def test_hostile_front_end(rig):
    """Nonsense on one port: a clear end, the other port goes on, and the port is free again."""
    start_traffic(rig.front("vm1.sock"))
    rig.connected(1)
    region = FrontEnd.region
    cases = {
        "garbage": (None, lambda f: f.send(0xdeadbeef, b"x" * 100, flags=0xffffffff)),
        "half a message": (None, lambda f: f.socket.send(b"\5\0\0")),
        "no version 1": ("did not negotiate VIRTIO_F_VERSION_1", lambda f: f.start(features=1 << 30)),
        "ring too large": ("the card takes powers of two from 2 to 4096", lambda f: f.start(num=8192)),
        "region not page aligned": ("is not made of whole pages", lambda f: f.start(regions=[region(f, 0x800, 0xff000)])),
        "regions overlap": ("memory regions 0 and 1 overlap",
                            lambda f: f.start(regions=[region(f), region(f, 0x80000, 1 << 16, 0x20000000)], fds=2)),
        "memory without descriptor": (None, lambda f: f.start(fds=0)),
        "rings outside": (None, lambda f: f.start(desc=0x50000000)),
        "call descriptor is no eventfd": (None, lambda f: f.start(call=f.memfd)),
        "leaves at once": (None, lambda f: f.start()),
    }
    for name, (message, case) in cases.items():
        front = FrontEnd(rig.path("vm0.sock"))
        try:
            case(front)
            if message:
                rig.daemon.wait_for(message)
        except (BrokenPipeError, ConnectionResetError):
            pass
        front.close()
        rig.until(f"port free after: {name}", lambda: rig.status(0)["phase"] == "no front end")
        check(rig.daemon.process.poll() is None, f"the daemon died of: {name}")
        rig.moves(1)
    start_traffic(rig.front("vm0.sock"))
    rig.connected(0)
    rig.moves(0)


def main():
    names = sys.argv[2:] or [n[5:] for n in globals() if n.startswith("test_")]
    passed = failed = 0
    for name in names:
        test, rig = globals()["test_" + name], None
        try:
            rig = Rig(name, *getattr(test, "options", ()))
            test(rig)
            rig.close()
            passed += 1
            print(f"{name}: ok", flush=True)
        except Exception as e:
            failed += 1
            text = str(e) if isinstance(e, Failure) else traceback.format_exc()
            print(f"{name}: FAILED: {text}", flush=True)
            if rig:
                for p in rig.processes:
                    print(f"--- {p.path}\n" + "\n".join(p.output().splitlines()[-15:]))
        finally:
            if rig:
                for p in rig.processes:
                    if p.process.poll() is None:
                        p.end(signal.SIGKILL)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
