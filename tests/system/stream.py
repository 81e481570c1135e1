# SPDX-License-Identifier: Apache-2.0
"""The two ends of a checked stream (stream.h): every frame has to arrive once, in order and byte-identical."""

import os
import re
import time

from rig import BUILD, LIB, Failure, GuestProcess, Process, deadline_in


def counters(text, what):
    """The last line of counters that begins with `what`."""
    lines = re.findall(rf"^{what} (sent .*)$", text, re.M)
    if not lines:
        raise Failure(f"no '{what}' line in the stream's output:\n{text[-1000:]}")
    words = lines[-1].split()
    return {key: int(value) for key, value in zip(words[::2], words[1::2])}


class GuestStream(GuestProcess):
    """An end in a guest."""

    def __init__(self, guest, command, memory_mib=0):
        self.memory_mib = memory_mib
        super().__init__(guest, "stream", command)
        self.wait_for("ready")

    def ask(self, command="status"):
        lines = f"grep -c '^{command} sent' {self.out}"
        code, text = self.guest.run(f"before=$({lines}); echo '{command}' >/tmp/{self.name}.in; n=0\n"
                                    f"until [ $({lines}) -gt $before ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done\n"
                                    f"grep '^{command} sent' {self.out} | tail -n 1", 120)
        if code != 0:
            raise Failure(f"{self.guest.name}: no answer to '{command}':\n{self.output()}")
        return counters(text, command)


class StreamA(GuestStream):
    """VM A's end, a program on a packet socket."""

    def __init__(self, guest, rate=0, mtu=1500, memory_mib=1):
        guest.must(f"ip link set eth0 mtu {mtu} up")
        super().__init__(guest, f"stream eth0 {rate} {mtu + 14} {memory_mib}", memory_mib)


class StreamB(GuestStream):
    """VM B's end, a DPDK program on a function that is bound to vfio-pci."""

    def __init__(self, guest, eal, rate=0, mtu=1500):
        super().__init__(guest, f"stream_pmd --lcores=0@0 --no-telemetry --file-prefix=stream -m 64 {eal} -- b {rate} {mtu + 14}")


class StreamHost(Process):
    """An end on the host, a DPDK program: B's, or A's in the place of a guest (way "a")."""

    def __init__(self, rig, name, way, eal, rate=0, mtu=1500, cpu=0):
        program = os.path.join(BUILD, "tests", "stream_pmd")
        super().__init__(rig, name, [program, f"--lcores=0@{cpu % os.cpu_count()}", "--no-pci", "--no-telemetry",
                                     f"--file-prefix={os.path.basename(rig.dir)}-{name}", "--no-huge", "-m", "128", *eal, "--",
                                     way, str(rate), str(mtu + 14)], env={"LD_LIBRARY_PATH": LIB})
        self.memory_mib = 0
        self.wait_for("^ready")

    def ask(self, command="status"):
        self.forget()
        self.send(command)
        self.wait_for(f"^{command} sent .*\n")
        return counters(self.output(), command)


def wait_total(end, total, timeout=180):
    """Waits until an end has received that many frames in all."""
    deadline = deadline_in(timeout)
    while end.ask()["received"] < total:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def wait_received(end, more, timeout=180):
    """Waits until an end has received that many frames more."""
    return wait_total(end, end.ask()["received"] + more, timeout)


def end(stream, timeout=90):
    """Ends one end; returns (counters, output)."""
    if isinstance(stream, GuestProcess):
        text = stream.end("end", timeout)
    else:
        stream.send("end")
        stream.wait(timeout)
        text = stream.output(True)
    return counters(text, "end"), text


def finish(rig, a, b, what=""):
    """Both stop sending, what is on its way arrives, both say what they got; returns the output of B's end."""
    deadline = deadline_in(180)
    for stream in (a, b):
        stream.ask("stop")
    while time.monotonic() < deadline:
        at_a, at_b = a.ask(), b.ask()
        if at_a["received"] >= at_b["sent"] and at_b["received"] >= at_a["sent"]:
            break
        time.sleep(0.3)
    at_a, text = end(a)
    at_b, text_b = end(b)
    for name, sink, source in (("A to B", at_b, at_a), ("B to A", at_a, at_b)):
        wrong = ", ".join(f"{sink[key]} {key}" for key in ("corrupt", "lost", "again", "dropped") if sink[key])
        missing = source["sent"] - sink["received"]
        rig.check(source["sent"] and not wrong and missing == 0,
                  f"{what}{name}: {source['sent']} frames sent, each arrived once, in order, byte-identical"
                  + (f": {wrong or 'none wrong'}, {missing} missing" if wrong or missing else ""))
    if a.memory_mib:
        memory = re.search(r"^memory: (\d+) of (\d+) pages wrong", text, re.M)
        rig.check(memory and memory.group(1) == "0" and int(memory.group(2)) == a.memory_mib << 8,
                  f"{what}VM A's memory: {memory.group(0) if memory else 'nothing said'}")
    return text_b
