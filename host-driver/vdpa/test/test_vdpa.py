#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vDPA driver, vhp-vdpad and vhpctl against stock virtio_user front ends, with a card in software (fake_card.c).

The software card mirrors the peer's packets and is strict about the mailbox; it can be killed and made to send events.
Usage: test_vdpa.py BUILD_DIR [NAME...]; logs go to VHP_TEST_DIR.
"""
import array
import json
import os
import re
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
            self.dir, name, "dpdk-testpmd", "--lcores=0@(0-1),1@(0-1)" if os.cpu_count() > 1 else "--lcores=0@0,1@0", "--no-pci",
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
    check(t["kicks_relayed"] >= 1 and t["doorbells_peer"] >= t["kicks_relayed"], str(t))
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


def vhost_user(path, request, payload=b"", fds=(), flags=1, read=False):
    s = vhost_user.socket
    if s is None:
        s = vhost_user.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(GUARD)
        s.connect(path)
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    s.sendmsg([struct.pack("<III", request, flags, len(payload)) + payload], anc)
    return s.recv(4096) if read else b""


vhost_user.socket = None


def test_hostile_front_end(rig):
    """Nonsense on one port: a clear end, the other port goes on, and the port is free again."""
    start_traffic(rig.front("vm1.sock"))
    rig.connected(1)
    memfd = os.memfd_create("guest")
    os.ftruncate(memfd, 1 << 20)
    region = struct.pack("<QQQQ", 0, 1 << 20, 0x10000000, 0)
    F = 1 << 32 | 1 << 30

    def table(*regions):
        return struct.pack("<II", len(regions), 0) + b"".join(regions)

    def ready(num=256, desc=0x10000000, features=F, memory=table(region), mem_fds=1, callfd=None):
        """Everything until the rings are ready, with one thing wrong."""
        vhost_user(rig.path("vm0.sock"), 3)
        vhost_user("", 2, struct.pack("<Q", features))
        vhost_user("", 5, memory, [memfd] * mem_fds)
        for q in (0, 1):
            vhost_user("", 8, struct.pack("<II", q, num))
            vhost_user("", 10, struct.pack("<II", q, 0))
            vhost_user("", 9, struct.pack("<IIQQQQ", q, 0, desc, desc + 0x3000, desc + 0x2000, 0))
            vhost_user("", 13, struct.pack("<Q", q), [callfd if callfd is not None else os.eventfd(0)])
            vhost_user("", 12, struct.pack("<Q", q), [os.eventfd(0)])
            vhost_user("", 18, struct.pack("<II", q, 1))

    cases = {
        "garbage": lambda: vhost_user(rig.path("vm0.sock"), 0xdeadbeef, b"x" * 100, flags=0xffffffff),
        "half a header": lambda: vhost_user(rig.path("vm0.sock"), 5, b"")[:0],
        "no version 1": lambda: ready(features=1 << 30),
        "ring too large": lambda: ready(num=8192),
        "region not page aligned": lambda: ready(memory=table(struct.pack("<QQQQ", 0x800, 0xff000, 0x10000000, 0))),
        "regions overlap": lambda: ready(memory=table(region, struct.pack("<QQQQ", 0x80000, 1 << 16, 0x20000000, 0)), mem_fds=2),
        "memory table without descriptor": lambda: ready(mem_fds=0),
        "rings outside": lambda: ready(desc=0x50000000),
        "call descriptor is no eventfd": lambda: ready(callfd=memfd),
        "leaves at once": lambda: ready(),
    }
    expected = {
        "no version 1": "did not negotiate VIRTIO_F_VERSION_1",
        "ring too large": "the card takes powers of two from 2 to 4096",
        "region not page aligned": "is not made of whole pages",
        "regions overlap": "memory regions 0 and 1 overlap",
    }
    for name, case in cases.items():
        try:
            case()
            if name in expected:
                rig.daemon.wait_for(expected[name])
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            if vhost_user.socket:
                vhost_user.socket.close()
            vhost_user.socket = None
        rig.until(f"port free after: {name}", lambda: rig.status(0)["phase"] == "no front end")
        check(rig.daemon.process.poll() is None, f"the daemon died of: {name}")
        rig.moves(1)
    os.close(memfd)
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
