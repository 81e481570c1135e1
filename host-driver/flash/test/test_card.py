#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vhpctl flash on the simulated card, over its socket: test_card.py BUILD. The flash's contents are a file, so what was written
is compared byte by byte; a killed write, then what the card boots; refusals."""
import json
import os
import signal
import subprocess
import sys
import time

BUILD = os.path.abspath(sys.argv[1])
DIR = os.path.abspath(os.environ.get("VHP_TEST_DIR") or os.path.join(BUILD, "test", "drv-flash-card"))
VHPCTL = os.path.join(BUILD, "bin", "vhpctl")
SOCKET, FLASH, LOG = (os.path.join(DIR, name) for name in ("fn0.sock", "card.flash", "card.log"))
START, GUARD, GOLDEN, SIZE = 0x01002000, 0x1000, 0x474F4C44, 12288
DONE, REFUSED = 0, 2
LIMIT = 900  # seconds until a hang is a failure: a simulated card on a busy machine
passed = failed = 0


def verdict(good, text):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'FAILED'}: {text}", flush=True)


def start_card():
    with open(LOG, "a", encoding="utf-8") as log:
        card = subprocess.Popen([os.path.join(BUILD, "bin", "vhp-sim"), "--socket-dir", DIR, "--flash", FLASH, "--firmware",
                                 os.path.join(BUILD, "fw", "firmware.hex")], stdout=log, stderr=subprocess.STDOUT)
    end = time.monotonic() + LIMIT
    while not os.path.exists(SOCKET) and card.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    return card


def flash(*words):
    p = subprocess.run([VHPCTL, "flash", *words, "--socket", SOCKET, "--json", "--yes"], capture_output=True, text=True,
                       timeout=LIMIT, check=False)
    return p.returncode, json.loads(p.stdout or "{}"), p.stderr


def expect(code, what, *words):
    got, answer, said = flash(*words)
    verdict(got == code, f"{what}: exit status {got}, want {code}; {said.strip()[-300:]}")
    return answer


def image(name, *options):
    folder = os.path.join(DIR, name)
    subprocess.run([os.path.join("rtl", "boards", "release"), "--standin", "--build", BUILD, "--out", folder, "--board", "sim",
                    "--version", "1", "--size", str(SIZE), *options], check=True, stdout=subprocess.DEVNULL)
    board = options[options.index("--board") + 1] if "--board" in options else "sim"
    cert = os.path.join(folder, "development.crt")
    path = os.path.join(folder, f"vhost-pci-net-{board}-1-standin.xclbin")
    raw = os.path.join(folder, "raw.bit")
    subprocess.run(["xclbinutil", "--quiet", "--force", "--input", path, "--dump-section", f"BITSTREAM:RAW:{raw}"], check=True,
                   stdout=subprocess.DEVNULL)
    with open(raw, "rb") as f:
        return path, cert, f.read()[-SIZE:]


def stored(at, size):
    with open(FLASH, "rb") as f:
        f.seek(at)
        return f.read(size)


def kill_when(written, *words):
    """Starts a write; SIGKILL as soon as the file says so."""
    p = subprocess.Popen([VHPCTL, "flash", *words, "--socket", SOCKET, "--yes"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    end = time.monotonic() + LIMIT
    while p.poll() is None and not written() and time.monotonic() < end:
        time.sleep(0.002)
    hit = p.poll() is None
    if hit:
        p.send_signal(signal.SIGKILL)
    p.wait()
    return hit


def running():
    return int(expect(DONE, "show", "show").get("running", "0"), 16)


def main():
    os.makedirs(DIR, exist_ok=True)
    if os.path.exists(FLASH):
        os.remove(FLASH)
    path, cert, data = image("one", "--usr-access", "0x01234567")
    other, other_cert, _ = image("other", "--board", "au200")
    write = ("write", "--image", path, "--cert", cert)
    card = start_card()
    try:
        verdict(running() == GOLDEN, "a new flash: the golden image runs")
        golden = stored(0, SIZE)
        expect(REFUSED, "an image of another board", "write", "--image", other, "--cert", other_cert)
        expect(REFUSED, "signed by another", "write", "--image", path, "--cert", other_cert)
        expect(REFUSED, "an empty slot is not loaded", "boot")
        verdict(stored(START, 0x8000) == b"\xff" * 0x8000, "refusals leave the flash alone")

        # Killed: with the guard just there, in the first page, in the middle.
        for at, want in ((START + 128 + 20, b"\xaa\x99\x55\x66"), (START + GUARD + 64, data[64:68]),
                         (START + GUARD + SIZE // 2, data[SIZE // 2:SIZE // 2 + 4])):
            hit = kill_when(lambda at=at, want=want: stored(at, 4) == want, *write)
            verdict(hit and stored(START + 148, 4) == b"\xaa\x99\x55\x66", f"killed at 0x{at:08x}: the guard is there")
        answer = expect(DONE, "boot behind the guard", "boot")
        verdict(running() == GOLDEN, f"the golden image runs: {answer}")
        answer = expect(DONE, "the write goes on", *write)
        verdict(answer["sectors"]["kept"] > 0, f"what was right is kept: {answer['sectors']}")
        verdict(stored(START, GUARD) == b"\xff" * GUARD and stored(START + GUARD, SIZE) == data and stored(0, SIZE) == golden,
                "the flash holds guard's sector, image and golden image byte by byte")
        answer = expect(DONE, "boot", "boot", "--image", path)
        verdict(answer.get("running") == "0x01234567", f"the new image runs: {answer}")
    finally:
        card.terminate()
        verdict(card.wait() == 0, "vhp-sim ends cleanly")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
