#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Command lines of vhp-vdpad and vhpctl, and the plugin's device arguments in a stock program: errors that need no card.

Usage: test_cli.py BUILD_DIR
"""
import os
import re
import socket
import subprocess
import sys
import threading

BUILD = os.path.abspath(sys.argv[1])
DIR = os.environ.get("VHP_TEST_DIR") or os.path.join(BUILD, "tests", "drv-vdpa-cli.d")
os.makedirs(DIR, exist_ok=True)
VDPAD, CTL = f"{BUILD}/bin/vhp-vdpad", f"{BUILD}/bin/vhpctl"
results = []


def run(name, argv, code, says, env=None):
    r = subprocess.run(argv, capture_output=True, text=True, cwd=DIR, timeout=60, stdin=subprocess.DEVNULL,
                       env={**os.environ, **(env or {})})
    text = r.stdout + r.stderr
    ok = r.returncode == code and re.search(says, text) is not None
    results.append(ok)
    print(f"{name}: {'ok' if ok else f'FAILED: exit status {r.returncode}, wanted {code} and /{says}/:'}")
    if not ok:
        print(text)


class Listener:
    """A socket that answers each packet with what it is told, then closes."""

    def __init__(self, name, kind, *answers):
        self.path = os.path.join(DIR, name)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(self.path)
        self.socket.listen()
        self.answers = answers
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.socket.accept()
            if isinstance(self.answers, dict):
                c.send(hello)
                c.send(self.answers[c.recv(1024).decode()])
            for i, a in enumerate(self.answers if isinstance(self.answers, tuple) else ()):
                if i:
                    c.recv(1024)
                c.send(a)
            c.close()


run("daemon without arguments", [VDPAD], 64, "either --socket PATH or --pci ADDRESS")
run("daemon with two cards", [VDPAD, "--socket", "a", "--pci", "0000:01:00.0", "--iface", "b"], 64, "either --socket PATH or --pci")
run("daemon without iface", [VDPAD, "--socket", "a"], 64, "at least one --iface")
run("daemon with unknown option", [VDPAD, "--sockets", "a"], 64, "unrecognized option")
run("daemon without card", [VDPAD, "--socket", "none.sock", "--iface", "b"], 1, "none.sock: No such file.*start vhp-sim first")
run("daemon with a dead card", [VDPAD, "--socket", VDPAD, "--iface", "b"], 1, "cannot serve with the card")
run("daemon with a bad port", [VDPAD, "--socket", VDPAD, "--port", "8", "--iface", "b"], 64, "--port 8: want a number from 0 to 7")
run("daemon with a comma", [VDPAD, "--socket", VDPAD, "--iface", "a,b"], 64, "a comma cannot be part")
run("daemon with an ambiguous mac", [VDPAD, "--socket", VDPAD, "--mac", "02:00:00:00:00:01", "--iface", "a", "--iface", "b"], 1,
    "which port")
run("daemon with a bad mac", [VDPAD, "--socket", VDPAD, "--iface", "a", "--mac", "1"], 64, "--mac 1: want a MAC address")
run("daemon with a bad GSI", [VDPAD, "--socket", VDPAD, "--iface", "a", "--gsi", "24:x"], 64, "--gsi 24:x: want a number")
run("daemon with a bad aperture", [VDPAD, "--socket", VDPAD, "--iface", "a", "--aperture", "open"], 64, "--aperture open: want 0 or 1")
run("daemon with a bad prefix", [VDPAD, "--socket", VDPAD, "--iface", "a", "--file-prefix", "a/b"], 64, "--file-prefix a/b: want a name")
run("daemon with one id twice", [VDPAD, "--socket", VDPAD, "--iface", "a", "--vhost-pci-id", "7", "--iface", "b", "--vhost-pci-id",
    "7"], 1, "each port needs its own")
run("daemon with one socket twice", [VDPAD, "--socket", VDPAD, "--iface", "a", "--iface", "a"], 1, "are the same socket a")
run("daemon without such a function", [VDPAD, "--pci", "0000:ff:1f.7", "--iface", "a"], 1, "bound to vfio-pci")
run("daemon with too little memory", [VDPAD, "--socket", VDPAD, "--iface", "a", "--memory", "1"], 64, "want a number from 16 to 65536 .megabytes")
run("daemon without driver", [VDPAD, "--socket", VDPAD, "--iface", "a", "--plugin", "none.so"], 1, "cannot load the driver: none.so")
run("daemon help", [VDPAD, "--help"], 0, "(?s)--socket=PATH.*--iface=PATH.*ready")
run("daemon version", [VDPAD, "--version"], 0, r"vhp-vdpad \d")
talker = Listener("talker.sock", socket.SOCK_STREAM, b"x" * 64)
run("daemon with a socket that is no card", [VDPAD, "--socket", talker.path, "--iface", "a"], 1, "(?s)talker.sock.*cannot serve")

run("tool without command", [CTL], 64, "give a command: list, status, stats")
run("tool with unknown command", [CTL, "start"], 64, "unknown command start")
run("tool help", [CTL, "--help"], 0, "(?s)list.*status.*stats.*features.*regions.*gsi.*log.*events.*disconnect.*connect.*PORT")
run("tool with a bad prefix", [CTL, "list", "--file-prefix", "a/b"], 64, "--file-prefix a/b: want a name")
run("tool that would disconnect everything", [CTL, "disconnect"], 64, "disconnect: give the port")
there = os.path.join(DIR, "there.sock")
open(there, "w").close()
run("daemon whose card dies", [VDPAD, "--plugin", f"{BUILD}/tests/vdpa_lost_card.so", "--socket", there, "--iface", "x.sock",
                               "--file-prefix", f"vhplost{os.getpid()}"], 1, "vdpa_vhost_pci0 is gone: ending")
run("tool without process", [CTL, "list", "--file-prefix", "none"], 1, "no process with --file-prefix none")
run("tool without socket", [CTL, "status", "--socket", "none"], 1, "none: nobody answers there")
run("tool and an empty list as JSON", [CTL, "list", "--json", "--file-prefix", "none"], 1, r"\[\]")
hello = b'{"version":"DPDK 24.11.4","pid":1,"max_output_len":16384}'
PORTS = b'{"/vhost_pci/list":{"0":{"port":0,"device":"d","card_port":0,"socket":"/x","phase":"p"}}}'
for name, answers, says in (
        ("garbage", (b"hello", b"hello"), "not a DPDK telemetry socket"),
        ("truncated JSON", (hello, b'{"/vhost_pci/list":{"0"'), "not a DPDK telemetry socket"),
        ("another answer", (hello, b'{"/info":{}}'), "not a DPDK telemetry socket"),
        ("no vhost-pci", (hello, b'{"/vhost_pci/list":null}'), "this DPDK process serves no vhost-pci card"),
        ("the end", (hello,), "not a DPDK telemetry socket, or the process ended")):
    run(f"tool and {name}", [CTL, "list", "--socket", Listener("tel.sock", socket.SOCK_SEQPACKET, *answers).path], 1, says)
one = Listener("tel.sock", socket.SOCK_SEQPACKET, hello, PORTS)
run("tool and one port", [CTL, "list", "--socket", one.path], 0, r"0 .* d .* 0 .* /x .* p")
REFUSES = b'{"/vhost_pci/connect":{"port":0,"done":0,"result":"not now: wait"}}'
refuses = Listener("tel2.sock", socket.SOCK_SEQPACKET, hello, PORTS)
refuses.answers = {"/vhost_pci/list": PORTS, "/vhost_pci/connect,0": REFUSES}
run("tool and a refused command", [CTL, "connect", "0", "--socket", refuses.path], 1, "port 0 of .*: not now: wait")
run("tool and no such port", [CTL, "status", "7", "--socket", one.path], 1, "7: no such port")

TESTPMD = ["dpdk-testpmd", "--lcores=0@0,1@0", "--no-pci", "--no-telemetry", "--file-prefix", f"vhpcli{os.getpid()}", "--no-huge",
           "-m", "64", "-d", "librte_vdpa_vhost_pci.so"]   # by name: EAL refuses a path below a world-writable directory
TAIL = ["--", "-i", "--total-num-mbufs=2048"]
for vdev, says in (("vdpa_vhost_pci0", "vdpa_vhost_pci0: socket= is missing"),
                   ("vdpa_vhost_pci0,socket=none.sock,ifac=x", "unknown argument ifac; known are: socket=<path>"),
                   ("vdpa_vhost_pci0,socket=none.sock,iface=x", "none.sock: cannot connect: No such file")):
    run(f"stock program with {vdev}", [*TESTPMD, f"--vdev={vdev}", *TAIL], 0, says, {"LD_LIBRARY_PATH": f"{BUILD}/lib"})

print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(not all(results))
