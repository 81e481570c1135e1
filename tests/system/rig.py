# SPDX-License-Identifier: Apache-2.0
"""What the system tests and the demo share: processes that never outlive the test, guests, testpmd, counting checks."""

import base64
import ctypes
import fcntl
import glob
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(TOP, os.environ.get("B", "build"))
BIN = os.path.join(BUILD, "bin")
LIB = os.path.join(BUILD, "lib")
GUEST = os.path.join(BUILD, "guest")
SIGTERM_WAIT = 5
# Time limits in the tests are what an idle machine of two cores takes at most; they only end what hangs, and another test, a build
# or a slower machine may take the processors away for minutes.
PATIENCE = 5
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """A test cannot go on: what happened, in one sentence."""


def deadline_in(seconds):
    return time.monotonic() + seconds * PATIENCE


def die_with_parent():
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Rig:
    """One test: its directories, its processes and its counts. Use as a context; nothing is left when it ends."""

    def __init__(self, name, log_dir=None, quiet=False):
        self.name = name
        self.log_dir = os.path.abspath(log_dir or os.environ.get("VHP_TEST_DIR") or self._own_logs(name))
        if not os.environ.get("VHP_TEST_DIR"):
            shutil.rmtree(self.log_dir, ignore_errors=True)
        os.makedirs(self.log_dir, exist_ok=True)
        self.quiet = quiet
        self.processes = []
        self.passed = self.failed = 0
        self.start = time.monotonic()
        self.dir = None

    def _own_logs(self, name):
        """A directory for logs that no other run uses at this time."""
        os.makedirs(os.path.join(BUILD, "test"), exist_ok=True)
        for n in itertools.count(1):
            path = os.path.join(BUILD, "test", name if n == 1 else f"{name}-{n}")
            self.lock = open(path + ".lock", "w")
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return path
            except BlockingIOError:
                self.lock.close()

    def __enter__(self):
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, self._interrupted)
        # Socket paths must stay below 108 characters.
        self.dir = tempfile.mkdtemp(prefix="vhp-")
        return self

    @staticmethod
    def _interrupted(_sig, _frame):
        raise KeyboardInterrupt

    def __exit__(self, kind, value, _trace):
        previous = [signal.signal(sig, signal.SIG_IGN) for sig in (signal.SIGINT, signal.SIGTERM)]
        if self.failed or kind is not None and issubclass(kind, Failure):
            self._state_of_card()
        for process in reversed(self.processes):
            process.end()
        # DPDK leaves its runtime directories behind; all of ours begin with the name of the temporary one.
        runtime = os.environ.get("XDG_RUNTIME_DIR") if os.getuid() else "/var/run"
        for leftover in glob.glob(f"{runtime}/dpdk/{os.path.basename(self.dir)}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        for sig, handler in zip((signal.SIGINT, signal.SIGTERM), previous):
            signal.signal(sig, handler)
        if kind is KeyboardInterrupt:
            print("interrupted", flush=True)
            os._exit(130)
        if kind is not None and issubclass(kind, Failure):
            self.check(False, str(value))
        if self.failed:
            print(f"logs: {self.log_dir}/", flush=True)
        return kind is not None and issubclass(kind, Failure)

    def _state_of_card(self):
        """After a failure: what vhpctl says now, into vhpctl.log."""
        if any(p.name == "vhp-vdpad" and p.alive() for p in self.processes):
            for command in ("status", "stats"):
                try:
                    vhpctl(self, command)
                except (Failure, OSError, ValueError, subprocess.TimeoutExpired):
                    pass

    def path(self, name):
        """A file or socket in the test's temporary directory."""
        return os.path.join(self.dir, name)

    def log(self, name):
        return os.path.join(self.log_dir, name)

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.1f} s] {text}", flush=True)

    def check(self, good, text):
        if good:
            self.passed += 1
            if not self.quiet:
                print(f"ok      {text}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {text}", flush=True)
        return good

    def equal(self, got, expected, text):
        return self.check(got == expected, text if got == expected else f"{text}: {got!r} instead of {expected!r}")

    def close(self):
        """The closing line; the exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed else 1


class Process:
    """A program with its output in a log file and its standard input open."""

    def __init__(self, rig, name, argv, env=None, pass_fds=()):
        self.rig = rig
        self.name = name
        self.log_name = rig.log(name + ".log")
        self.log = open(self.log_name, "ab")
        self.log.write((" ".join(argv) + "\n").encode())
        self.log.flush()
        self.mark = self.log.tell()
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **(env or {})), preexec_fn=die_with_parent, pass_fds=pass_fds)
        rig.processes.append(self)

    @property
    def pid(self):
        return self.process.pid

    def output(self, everything=False):
        with open(self.log_name, "rb") as f:
            f.seek(0 if everything else self.mark)
            return f.read().decode(errors="replace").replace("\r", "")

    def forget(self):
        """Later wait_for calls look only at output from now on."""
        self.log.flush()
        self.mark = os.path.getsize(self.log_name)

    def send(self, text):
        try:
            self.process.stdin.write((text + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.name} has ended (exit code {self.process.poll()}), see {self.log_name}") from None

    def alive(self):
        return self.process.poll() is None

    def wait_for(self, pattern, timeout=60, must_live=True):
        """Waits for a line that matches; returns the match."""
        deadline = deadline_in(timeout)
        while True:
            alive = self.alive()
            match = re.search(pattern, self.output(), re.M)
            if match:
                return match
            if not alive and must_live:
                raise Failure(f"{self.name} ended (exit code {self.process.returncode}) before '{pattern}':\n" + self.tail())
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: no '{pattern}' within {timeout * PATIENCE} s:\n" + self.tail())
            time.sleep(0.05)

    def wait(self, timeout=60):
        """Waits for the end; returns the exit code."""
        try:
            return self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {timeout * PATIENCE} s:\n" + self.tail()) from None

    def tail(self, lines=15):
        return "".join("    | " + line + "\n" for line in self.output(True).splitlines()[-lines:])

    def kill(self, sig=signal.SIGKILL):
        try:
            os.killpg(self.process.pid, sig)
        except ProcessLookupError:
            pass

    def end(self):
        """Ends the program (SIGTERM, then SIGKILL) and all that it started; returns the exit code."""
        if self.alive():
            self.kill(signal.SIGTERM)
            try:
                self.process.wait(SIGTERM_WAIT)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        self.process.wait()
        self.process.stdin.close() if not self.process.stdin.closed else None
        self.log.close() if not self.log.closed else None
        return self.process.returncode


class Sim(Process):
    """vhp-sim with its sockets in rig.dir."""

    def __init__(self, rig, *args, name="vhp-sim"):
        self.stats_name = rig.log(name + ".json")
        super().__init__(rig, name, [os.path.join(BIN, "vhp-sim"), "--socket-dir", rig.dir, "--stats", self.stats_name, *args])
        self.wait_for(r"^ready", 60)

    def finish(self):
        """Ends it by SIGTERM; returns (exit code, statistics)."""
        self.process.send_signal(signal.SIGTERM)
        code = self.wait(20)
        with open(self.stats_name) as f:
            return code, json.load(f)


def vdpad_prefix(rig, name="vhp-vdpad"):
    return f"{os.path.basename(rig.dir)}-{name}"


def vdpad(rig, *args, name="vhp-vdpad", iface="vhost.sock", fn0="fn0.sock", line=None):
    """The daemon on function 0, serving one vhost-user socket, or what the arguments `line` say."""
    line = line or ["--socket", rig.path(fn0), "--iface", rig.path(iface), *args]
    process = Process(rig, name, [os.path.join(BIN, "vhp-vdpad"), "--file-prefix", vdpad_prefix(rig, name), "-v", *line])
    process.wait_for(r"^ready", 60)
    return process


def vhpctl(rig, *args):
    """Runs vhpctl --json on the test's daemon; returns what it printed."""
    args = [*args, "--file-prefix", vdpad_prefix(rig)]
    done = subprocess.run([os.path.join(BIN, "vhpctl"), *args, "--json"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60 * PATIENCE)
    with open(rig.log("vhpctl.log"), "a") as f:
        f.write(f"vhpctl {' '.join(args)} --json: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        raise Failure(f"vhpctl {' '.join(args)}: exit code {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Testpmd(Process):
    """Stock dpdk-testpmd in interactive mode. Our plugins are found by name through LD_LIBRARY_PATH, because EAL refuses a
    plugin by path below a world-writable directory."""

    def __init__(self, rig, name, eal, app, cpu=0, memory=256):
        cpu %= os.cpu_count()
        argv = ["stdbuf", "-oL", "dpdk-testpmd", f"--lcores=0@{cpu},1@{cpu}", "--no-pci", "--no-telemetry", f"--file-prefix={os.path.basename(rig.dir)}-{name}",
                "--no-huge", "-m", str(memory), *eal, "--", "-i", "--no-flush-rx", "--total-num-mbufs=8192", *app]
        path = LIB + (":" + os.environ["LD_LIBRARY_PATH"] if os.environ.get("LD_LIBRARY_PATH") else "")
        super().__init__(rig, name, argv, env={"LD_LIBRARY_PATH": path})

    def ready(self, timeout=60):
        self.wait_for(r"testpmd> ", timeout)
        return self

    def command(self, text, timeout=30):
        """One command; returns what it printed."""
        self.forget()
        self.send(text)
        # The prompt that follows the command's output; the command itself is not echoed.
        self.wait_for(r"testpmd> ", timeout)
        output = self.output()
        if re.search(r"^(Bad arguments|Command not found|Ambiguous command)", output, re.M):
            raise Failure(f"{self.name}: testpmd does not know '{text}'")
        return output

    def port_stats(self, port):
        text = self.command(f"show port stats {port}")
        return {key: int(value) for key, value in re.findall(r"([RT]X-[a-z]+): +(\d+)", text)}

    def quit(self, timeout=30):
        """Ends it; returns True if it said good-bye (its exit code is worth nothing once it registered a vhost socket:
        Debian's 24.11.4 may crash after its last line)."""
        try:
            self.send("quit")
        except Failure:
            pass
        self.wait(timeout)
        return "Bye..." in self.output(True)


def memory_free():
    """MiB that programs can still take without swapping."""
    with open("/proc/meminfo") as f:
        return int(re.search(r"^MemAvailable: +(\d+) kB", f.read(), re.M).group(1)) >> 10


class Qmp:
    """QEMU's monitor: commands, and the events that came meanwhile."""

    def __init__(self, path):
        self.events = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")
        self.socket.settimeout(30 * PATIENCE)
        json.loads(self.stream.readline())
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            try:
                line = self.stream.readline()
            except TimeoutError:
                raise Failure(f"QEMU does not answer {command}") from None
            if not line:
                raise Failure(f"QEMU closed its monitor during {command}")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure(f"QEMU refuses {command}: {answer['error']['desc']}")
            else:
                return answer["return"]


class Guest(Process):
    """A QEMU guest (TCG) with the images of guest/build, a control port for commands and a monitor. With incoming=True its
    memory and state come from another one (migrate_to)."""

    def __init__(self, rig, name, memory, devices, modules=(), root=False, cmdline="", iommu=False, cpus=1, incoming=False):
        free = memory_free()
        if free < memory:
            raise Failure(f"{name} needs {memory} MiB of memory, and {free} MiB are free on this machine")
        self.control_name = rig.path(name + ".ctl")
        self.qmp_name = rig.path(name + ".qmp")
        self.console_name = rig.log(name + ".console")
        self.ids = itertools.count(1)
        self.socket = self._qmp = None
        machine = "q35,kernel-irqchip=off,memory-backend=m0"
        argv = ["qemu-system-x86_64", "-name", name, "-M", machine, "-cpu", "max", "-accel", "tcg,thread=multi",
                "-m", f"{memory}M", "-smp", str(cpus), "-object", f"memory-backend-memfd,id=m0,size={memory}M,share=on",
                "-nodefaults", "-display", "none", "-monitor", "none", "-serial", f"file:{self.console_name}", "-qmp",
                f"unix:{self.qmp_name},server=on,wait=off", "-no-reboot"]
        if incoming:
            argv += ["-incoming", "defer"]
        if iommu:
            argv += ["-device", "intel-iommu,caching-mode=on,intremap=on"]
            cmdline += " intel_iommu=on"
        if root:
            # Each guest writes to a copy of its own that nobody sees.
            argv += ["-drive", f"if=none,id=root,file={GUEST}/root.ext4,format=raw,snapshot=on", "-device",
                     "virtio-blk-pci,drive=root,addr=0x10"]
            cmdline += " vhp.root"
        if modules:
            cmdline += " vhp.modules=" + ",".join(modules)
        argv += ["-device", "virtio-serial-pci,addr=0x11", "-chardev",
                 f"socket,id=ctl,path={self.control_name},server=on,wait=off", "-device",
                 "virtserialport,chardev=ctl,name=vhp.control"]
        for device in devices:
            argv += device if isinstance(device, list) else ["-device", device]
        # Without no_timer_check a guest whose processor gets no time for a while gives up: "timer doesn't work".
        argv += ["-kernel", f"{GUEST}/vmlinuz", "-initrd", f"{GUEST}/initrd.gz", "-append",
                 f"console=ttyS0 quiet panic=-1 no_timer_check {cmdline}"]
        super().__init__(rig, name, argv)

    def console(self, lines=25):
        try:
            with open(self.console_name, errors="replace") as f:
                return "".join("    | " + line.rstrip() + "\n" for line in f.read().splitlines()[-lines:])
        except OSError:
            return ""

    def _lost(self, what):
        return Failure(f"{self.name}: {what} (exit code {self.process.poll()}):\n{self.tail(5)}{self.console()}")

    def attach(self, timeout=120):
        """Opens the control port, whoever listens there."""
        deadline = deadline_in(timeout)
        while self.socket is None:
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(self.control_name)
                self.socket = s
            except OSError:
                if not self.alive() or time.monotonic() > deadline:
                    raise self._lost("no control port") from None
                time.sleep(0.05)
        self.buffer = b""
        return self

    def connect(self, timeout=120):
        """Waits until the guest serves commands."""
        deadline = deadline_in(timeout)
        self.attach(timeout)
        self._read_until(rb"@@ready\r?\n", timeout, "boot")
        return self

    @property
    def qmp(self):
        self._qmp = self._qmp or Qmp(self.qmp_name)
        return self._qmp

    def migrate_to(self, sink, timeout=120, meanwhile=lambda: None, **parameters):
        """Live migration to a guest made with incoming=True, which is to be commanded from then on; returns what QEMU says
        about it. No command may be under way."""
        uri = "unix:" + self.rig.path("migration.sock")
        sink.attach()
        sink.ids = self.ids
        sink.qmp("migrate-incoming", uri=uri)
        if parameters:
            self.qmp("migrate-set-parameters", **parameters)
        self.qmp("migrate", uri=uri)
        deadline = deadline_in(timeout)
        while True:
            state = self.qmp("query-migrate")
            if state["status"] == "completed":
                return state
            if state["status"] in ("failed", "cancelled") or not sink.alive() or time.monotonic() > deadline:
                raise Failure(f"migration: {state['status']}: {state.get('error-desc', '')}\n{self.tail(5)}{sink.tail(5)}")
            meanwhile()
            time.sleep(0.1)

    def reset(self, timeout=120):
        """The machine's reset button; waits until the guest serves commands again."""
        self.qmp("set-action", reboot="reset")
        self.buffer = b""
        self.qmp("system_reset")
        self._read_until(rb"@@ready\r?\n", timeout, "boot after a reset")
        self.qmp("set-action", reboot="shutdown")

    def _read_until(self, pattern, timeout, what):
        deadline = deadline_in(timeout)
        while True:
            match = re.search(pattern, self.buffer)
            if match:
                before, self.buffer = self.buffer[:match.start()], self.buffer[match.end():]
                return before, match
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._lost(f"'{what}' did not end within {timeout * PATIENCE:.0f} s; so far: "
                                 + self.buffer[-500:].decode(errors="replace"))
            self.socket.settimeout(min(left, 1))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                if not self.alive():
                    raise self._lost(f"QEMU ended during '{what}'") from None
                continue
            except OSError:
                data = b""
            if not data:
                raise self._lost(f"the guest went away during '{what}'")
            self.buffer += data

    def start(self, command):
        """Sends a command without waiting for its end; returns what finish() takes."""
        ident = next(self.ids)
        self.socket.settimeout(10 * PATIENCE)
        self.socket.sendall(b"%d %s\n" % (ident, base64.b64encode(command.encode())))
        return ident, command

    def finish(self, started, timeout=60):
        """Returns (exit code, output)."""
        ident, command = started
        output, match = self._read_until(rb"\n@@%d (\d+)\n" % ident, timeout, command.splitlines()[0])
        with open(self.rig.log(self.name + ".commands"), "a") as f:
            f.write(f"# {command}\n{output.decode(errors='replace')}\n# exit code {match.group(1).decode()}\n")
        return int(match.group(1)), output.decode(errors="replace").strip()

    def run(self, command, timeout=60):
        return self.finish(self.start(command), timeout)

    def must(self, command, timeout=60):
        """The output of a command that has to succeed."""
        code, output = self.run(command, timeout)
        if code != 0:
            raise Failure(f"{self.name}: '{command.splitlines()[0]}' failed with {code}: {output[-2000:]}\n{self.console(5)}")
        return output

    def put(self, name, data, mode="644"):
        """Writes a file in the guest."""
        self.must(f": >{name}; chmod {mode} {name}")
        for i in range(0, len(data), 48000):
            self.must(f"base64 -d >>{name} <<'EOF'\n{base64.encodebytes(data[i:i + 48000]).decode()}EOF")

    def get(self, name):
        """Reads a file of the guest."""
        return base64.b64decode(self.must(f"base64 {name}", 120))

    def wait_until(self, condition, timeout=60, step=0.2):
        """Waits until a shell condition holds in the guest."""
        code, _ = self.run(f"n=0; until {condition}; do n=$((n + 1)); [ $n -lt {int(timeout * PATIENCE / step)} ] || exit 1; sleep {step}; done",
                           timeout * 4 + 30)
        return code == 0

    def power_off(self, timeout=30):
        self.start("poweroff -f")
        return self.wait(timeout)


BIND_VFIO = """
bind_vfio() {
	echo vfio-pci >/sys/bus/pci/devices/$1/driver_override
	[ ! -e /sys/bus/pci/devices/$1/driver ] || echo $1 >/sys/bus/pci/devices/$1/driver/unbind
	echo $1 >/sys/bus/pci/drivers_probe
	[ "$(basename $(readlink /sys/bus/pci/devices/$1/driver))" = vfio-pci ]
}
"""


def guest_a(rig, name="vm-a", vhost="vhost.sock", mac="52:54:00:00:00:0a", pairs=1, incoming=False, cmdline=""):
    """An unmodified guest: stock kernel, its virtio_net, behind vhost-user."""
    guest = Guest(rig, name, 256, ["pcie-root-port,id=rp,addr=0x4"] + NicA.options(rig, vhost, mac, pairs), modules=("virtio_net",),
                  incoming=incoming, cmdline=cmdline, cpus=pairs)
    guest.nic = NicA(guest, vhost, mac, pairs)
    return guest


class NicA:
    """The network device of VM A, which can be taken out and put back."""

    def __init__(self, guest, vhost, mac, pairs):
        self.guest = guest
        self.path = guest.rig.path(vhost)
        self.arguments = self.device(mac, pairs)
        self.pairs = pairs

    @staticmethod
    def device(mac, pairs):
        arguments = {"driver": "virtio-net-pci", "id": "nic", "bus": "rp", "netdev": "net", "page-per-vq": True, "romfile": "", "mac": mac}
        return arguments | ({"mq": True, "vectors": 2 * pairs + 2} if pairs > 1 else {})

    @classmethod
    def options(cls, rig, vhost, mac, pairs):
        return [["-chardev", f"socket,id=vh,path={rig.path(vhost)}", "-netdev", f"vhost-user,id=net,chardev=vh,queues={pairs}"],
                json.dumps(cls.device(mac, pairs))]

    def replug(self, timeout=60):
        """Takes the device out, as an operator would, and puts one in that negotiates anew."""
        qmp, guest = self.guest.qmp, self.guest
        qmp("device_del", id="nic")
        deadline = deadline_in(timeout)
        while not any(event["event"] == "DEVICE_DELETED" and event["data"].get("device") == "nic" for event in qmp.events):
            if time.monotonic() > deadline:
                raise Failure(f"{guest.name}: the guest does not give its network device away")
            time.sleep(0.2)
            qmp("query-status")
        qmp.events.clear()
        qmp("netdev_del", id="net")
        if any(chardev["label"] == "vh" for chardev in qmp("query-chardev")):
            qmp("chardev-remove", id="vh")
        address = {"type": "unix", "data": {"path": self.path}}
        qmp("chardev-add", id="vh", backend={"type": "socket", "data": {"addr": address, "server": False}})
        qmp("netdev_add", type="vhost-user", id="net", chardev="vh", queues=self.pairs)
        qmp("device_add", **self.arguments)
        if not guest.wait_until("[ -e /sys/class/net/eth0 ]", timeout):
            raise Failure(f"{guest.name}: no network device after it was plugged in")


def vfio_user_device(rig, sock, addr):
    return json.dumps({"driver": "vfio-user-pci", "socket": {"path": rig.path(sock), "type": "unix"}, "addr": addr, "rombar": 0})


def guest_b(rig, name="vm-b", devices=None, memory=1024, cpus=1, iommu=True, cmdline=""):
    """The guest that gets functions of the card: behind an emulated VT-d, with vfio-pci and DPDK. iommu=False: `devices` and
    `cmdline` bring the VT-d."""
    devices = devices or [vfio_user_device(rig, "fn1.sock", "0x3")]
    return Guest(rig, name, memory, devices, modules=("vfio_iommu_type1", "vfio-pci", "tun"), root=True, iommu=iommu,
                 cpus=cpus, cmdline=cmdline)


class GuestProcess:
    """A program in the guest that takes commands: its standard input is a FIFO, its output a file there."""

    def __init__(self, guest, name, command):
        self.guest = guest
        self.name = name
        self.out = f"/tmp/{name}.out"
        guest.must(f"mkfifo /tmp/{name}.in; (sleep 100000 >/tmp/{name}.in & echo $! >/tmp/{name}.hold)\n"
                   f"{command} </tmp/{name}.in >{self.out} 2>&1 & echo $! >/tmp/{name}.pid")

    def wait_for(self, pattern, timeout=90):
        if not self.guest.wait_until(f"grep -qE '{pattern}' {self.out} || ! kill -0 $(cat /tmp/{self.name}.pid)", timeout) or \
                self.guest.run(f"grep -qE '{pattern}' {self.out}")[0] != 0:
            raise Failure(f"{self.guest.name}: {self.name} shows no '{pattern}':\n" + self.output())
        return self

    def output(self):
        text = self.guest.run(f"cat {self.out}")[1]
        with open(self.guest.rig.log(f"{self.guest.name}-{self.name}.log"), "w") as f:
            f.write(text + "\n")
        return text

    def send(self, text):
        self.guest.must(f"echo '{text}' >/tmp/{self.name}.in")

    def end(self, command, timeout=60):
        """Sends the command that ends it and waits; returns all its output."""
        self.send(command)
        self.guest.wait_until(f"! kill -0 $(cat /tmp/{self.name}.pid) 2>/dev/null", timeout)
        self.guest.run(f"kill $(cat /tmp/{self.name}.hold)")
        return self.output()


class GuestTestpmd(GuestProcess):
    """Stock testpmd inside a guest."""

    def __init__(self, guest, eal, app, name="testpmd", memory=128, cpu=0):
        super().__init__(guest, name, f"dpdk-testpmd --lcores=0@{cpu},1@{cpu} --no-telemetry --file-prefix={name} -m {memory} {eal} "
                         f"-- -i --no-flush-rx --total-num-mbufs=2048 {app}")

    def quit(self, timeout=60):
        return self.end("quit", timeout)


def needs(*programs):
    """Ends the test with a failure if a program of ours was not built."""
    lacking = [p for p in programs if not (os.path.exists(os.path.join(BIN, p)) or os.path.exists(os.path.join(LIB, p)))]
    if lacking:
        print(f"FAILED  not built: {' '.join(lacking)}\n0 passed, 1 failed")
        sys.exit(1)
