# SPDX-License-Identifier: Apache-2.0
"""What the tests of the vDPA driver share: processes, a rig of simulator, daemon and far ends, a front end by hand."""
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

BUILD = os.path.abspath(sys.argv[1])
TOP = os.environ.get("VHP_TEST_DIR") or os.path.join(BUILD, "tests", "drv-vdpa.d")
PREFIX = f"vhptest{os.getpid()}"
GUARD = 180  # seconds until a hang is a failure: a simulated card on a busy machine


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

    def count(self, pattern):
        return len(re.findall(pattern, self.output(), re.M))

    def wait_for(self, pattern, count=1):
        end = time.monotonic() + GUARD
        while self.count(pattern) < count:
            check(self.process.poll() is None, f"{self.name} ended ({self.process.returncode}) before /{pattern}/")
            check(time.monotonic() < end, f"{self.name}: no /{pattern}/")
            time.sleep(0.02)
        return self

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        """One command of far_end; returns what it printed."""
        before = self.output()
        self.say(line)
        self.wait_for("^done$", len(re.findall("^done$", before, re.M)) + 1)
        answer = self.output()[len(before):]
        check("failed" not in answer, f"{self.name}: {answer}")
        return answer

    def end(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(GUARD)
        self.process.stdin.close()
        return code


class Rig:
    """A simulated card and a daemon."""

    def __init__(self, name, ports=1, options=(), daemon=True):
        self.dir = os.path.join(TOP, name)
        os.makedirs(self.dir, exist_ok=True)
        for f in os.listdir(self.dir):
            os.unlink(os.path.join(self.dir, f))
        self.ports, self.processes, self.fronts = ports, [], 0
        self.options = options or [w for p in range(ports) for w in ("--iface", f"vm{p}.sock")]
        self.prefix = f"{PREFIX}{name}"
        self.daemon, self.fn0 = None, "fn0.sock"
        try:
            self.card = self.start_card()
            if daemon:
                self.daemon = self.start_daemon()
        except Failure as e:
            self.close()
            raise Failure(f"{e}\n{self.tails()}") from None

    def add(self, process):
        self.processes.append(process)
        return process

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, *argv):
        """A program that prints "ready"; it may be started again."""
        log = self.path(name + ".log")
        starts = len(re.findall("^ready", open(log).read(), re.M)) if os.path.exists(log) else 0
        return self.add(Process(self.dir, name, *argv)).wait_for("^ready", starts + 1)

    def start_card(self):
        return self.start("card", f"{BUILD}/bin/vhp-sim", "--socket-dir", ".", "--ports", str(self.ports))

    def start_daemon(self, *more):
        return self.start("daemon", f"{BUILD}/bin/vhp-vdpad", "--file-prefix", self.prefix, "-v", "--socket", self.fn0,
                          *self.options, *more)

    def start_far_ends(self):
        return self.start("far", f"{BUILD}/tests/vdpa_far_end", ".", str(self.ports))

    def testpmd(self, name, *argv):
        self.fronts += 1
        name = f"{name}{self.fronts}"
        return self.add(Process(
            self.dir, name, "stdbuf", "-oL", "dpdk-testpmd",
            "--lcores=0@(0-1),1@(0-1)" if os.cpu_count() > 1 else "--lcores=0@0,1@0", "--no-pci", "--no-telemetry", "--file-prefix",
            self.prefix + name, "--no-huge", "-m", "128", *argv))

    def front(self, iface="vm0.sock", extra="", queues=1):
        """A stock testpmd as front end; it forwards what comes back, so packets go round for ever."""
        return self.testpmd("front", f"--vdev=net_virtio_user0,path={iface},queues={queues}{extra}", "--", "-i",
                            "--forward-mode=io", f"--rxq={queues}", f"--txq={queues}", "--total-num-mbufs=4096", "--no-flush-rx")

    def ctl(self, *args, code=0):
        r = subprocess.run([f"{BUILD}/bin/vhpctl", "--file-prefix", self.prefix, "--json", *args], capture_output=True, text=True)
        check(r.returncode == code, f"vhpctl {' '.join(args)}: {r.returncode} {r.stderr.strip()}")
        return json.loads(r.stdout) if code == 0 else r.stderr

    def status(self, port=0):
        return self.ctl("status", str(port))[0]

    def stats(self, port=0):
        return self.ctl("stats", str(port))[0]

    def phase(self, port=0):
        return self.ctl("list", str(port))[0]["phase"]

    def until(self, what, test):
        end = time.monotonic() + GUARD
        while not test():
            check(time.monotonic() < end, f"never: {what}")
            check(self.daemon is None or self.daemon.process.poll() is None, f"the daemon died before: {what}")
            time.sleep(0.05)

    def connected(self, port=0):
        self.until(f"port {port} connected", lambda: self.status(port)["card_state"] == "connected")

    def free(self, port=0):
        self.until(f"port {port} free", lambda: self.ctl("list", str(port))[0]["front_ends"] == 0)

    def descriptors(self):
        """What the daemon has open."""
        fds = f"/proc/{self.daemon.process.pid}/fd"
        return sorted(os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds) if os.path.lexists(f"{fds}/{fd}"))

    def resident(self):
        """Memory of its own that the daemon has, in kB."""
        with open(f"/proc/{self.daemon.process.pid}/status") as f:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", f.read(), re.M)[1])

    def moves(self, port=0):
        """Packets go round on the port."""
        before = self.stats(port)
        self.until(f"packets on port {port}", lambda: self.stats(port)["a2b_packets"] > before["a2b_packets"] + 20)
        self.until(f"packets on port {port}", lambda: self.stats(port)["b2a_packets"] > before["b2a_packets"] + 20)

    def close(self):
        for p in reversed(self.processes):
            if p.process.poll() is None:
                p.end(signal.SIGKILL)

    def tails(self, lines=12):
        return "".join(f"--- {p.path}\n" + "\n".join(p.output().splitlines()[-lines:]) + "\n" for p in self.processes)


# vhost-user requests and bits
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_LOG_BASE = 1, 2, 3, 5, 6
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL = 8, 9, 10, 11, 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, SET_VRING_ENABLE, SEND_RARP, SET_STATUS = 15, 16, 18, 19, 39
F_OFFLOADS = 0x7f83  # CSUM, GUEST_CSUM, GUEST_*, HOST_*
F_MRG_RXBUF, F_LOG_ALL, F_PROTOCOL, F_VERSION_1 = 1 << 15, 1 << 26, 1 << 30, 1 << 32
PF_LOG_SHMFD, PF_RARP, PF_REPLY_ACK, PF_STATUS = 1 << 1, 1 << 2, 1 << 3, 1 << 16
PAGE = 4096


class Memory:
    """Memory of a guest, which may change its front end."""
    SIZE = 1 << 20

    def __init__(self):
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, self.SIZE)
        self.map = mmap.mmap(self.fd, self.SIZE)

    def close(self):
        self.map.close()
        os.close(self.fd)


class FrontEnd:
    """A vhost-user front end by hand: one queue pair, memory at guest-physical 0.

    Ring q (0 receive, 1 transmit) is at q * 0x10000: descriptors, avail ring at 0x4000, used ring at 0x6000; its one buffer is at
    0x80000 + q * 0x10000.
    """

    FEATURES = F_VERSION_1 | F_PROTOCOL | F_MRG_RXBUF
    PROTOCOL = PF_REPLY_ACK | PF_STATUS
    BASE = 0x10000000  # "user address" of the memory

    def __init__(self, path, memory=None):
        self.own = memory is None
        self.memory = memory or Memory()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(GUARD)
        self.socket.connect(path)
        self.call = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        self.kick = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]

    def close(self):
        self.socket.close()
        if self.own:
            self.memory.close()
        for fd in (*self.call, *self.kick):
            os.close(fd)

    def send(self, request, payload=b"", fds=(), flags=1):
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([struct.pack("<III", request, flags, len(payload)) + payload], anc)

    def answer(self):
        head = self.socket.recv(12, socket.MSG_WAITALL)
        check(len(head) == 12, "the connection is closed")
        size = struct.unpack("<III", head)[2]
        return self.socket.recv(size, socket.MSG_WAITALL) if size else b""

    def ask(self, request, payload=b""):
        self.send(request, payload)
        return self.answer()

    def do(self, request, payload=b"", fds=()):
        """With REPLY_ACK: @return 0 if the back end did it."""
        self.send(request, payload, fds, flags=1 | 8)
        return struct.unpack("<Q", self.answer())[0]

    def number(self, request):
        return struct.unpack("<Q", self.ask(request))[0]

    def closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def region(self, gpa=0, size=Memory.SIZE, user=BASE):
        return struct.pack("<QQQQ", gpa, size, user, 0)

    def start(self, num=256, desc=0, features=FEATURES, regions=None, fds=1, call=None, base=0, protocol=PROTOCOL):
        """Everything until the rings are ready; the arguments are what can be wrong with it."""
        self.features = features
        regions = [self.region()] if regions is None else regions
        base = base if isinstance(base, tuple) else (base, base)
        self.send(SET_OWNER)
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
        self.send(SET_FEATURES, struct.pack("<Q", features))
        self.send(SET_MEM_TABLE, struct.pack("<II", len(regions), 0) + b"".join(regions), [self.memory.fd] * fds)
        self.rings(num, desc, call, base)
        if protocol & PF_STATUS:
            self.send(SET_STATUS, struct.pack("<Q", 0xf))

    def rings(self, num=256, desc=0, call=None, base=(0, 0)):
        for q in (0, 1):
            self.send(SET_VRING_NUM, struct.pack("<II", q, num))
            self.send(SET_VRING_BASE, struct.pack("<II", q, base[q]))
            self.addresses(q, desc)
            self.send(SET_VRING_CALL, struct.pack("<Q", q), [self.call[q] if call is None else call])
            self.send(SET_VRING_KICK, struct.pack("<Q", q), [self.kick[q]])
            self.send(SET_VRING_ENABLE, struct.pack("<II", q, 1))

    def addresses(self, q, desc=0, flags=0):
        at = self.BASE + desc + q * 0x10000
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", q, flags, at, at + 0x6000, at + 0x4000, q * 0x10000 + 0x6000))

    def stop(self):
        """As QEMU does: GET_VRING_BASE of each ring; @return the bases."""
        bases = []
        for q in (0, 1):
            index, base = struct.unpack("<II", self.ask(GET_VRING_BASE, struct.pack("<II", q, 0)))
            check(index == q, f"vring base of {q}: answer for {index}")
            bases.append(base)
        return tuple(bases)

    def put(self, at, fmt, *values):
        struct.pack_into("<" + fmt, self.memory.map, at, *values)

    def get(self, at, fmt):
        return struct.unpack_from("<" + fmt, self.memory.map, at)[0]

    def used(self, q):
        return self.get(q * 0x10000 + 0x6002, "H")

    def avail(self, q, index, length, write):
        """One buffer of the ring's own page: descriptor 0, avail entry, avail index; then the kick."""
        at = q * 0x10000
        self.put(at, "QIHH", 0x80000 + q * 0x10000, length, 2 if write else 0, 0)
        self.put(at + 0x4000 + 4 + 2 * (index % 256), "H", 0)
        self.put(at + 0x4000 + 2, "H", (index + 1) & 0xffff)
        os.eventfd_write(self.kick[q], 1)

    def called(self, q):
        check(select.select([self.call[q]], [], [], GUARD)[0], f"no interrupt of vring {q}")
        os.eventfd_read(self.call[q])

    def round_trip(self, index, text=b"vhost-pci"):
        """One packet to the far end and back, with both interrupts; its bytes are compared."""
        packet = bytes(12) + text * 10
        self.memory.map[0x90000:0x90000 + len(packet)] = packet
        self.memory.map[0x80000:0x80000 + 256] = bytes(256)
        self.avail(0, index, 256, True)
        self.avail(1, index, len(packet), False)
        self.called(1)
        self.called(0)
        check(self.used(0) == (index + 1) & 0xffff and self.used(1) == (index + 1) & 0xffff,
              f"used indices {self.used(0)}/{self.used(1)} after packet {index}")
        got = self.memory.map[0x8000c:0x80000 + len(packet)]
        check(got == packet[12:], f"packet {index} is not the one that was sent: {got} instead of {packet[12:]}")
