#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make release as a user runs it: test_release.py BUILD. Twice the same bytes, both programs agree on the signature, and what
cannot be released says why."""
import hashlib
import json
import os
import subprocess
import sys

BUILD = os.path.abspath(sys.argv[1])
DIR = os.path.abspath(os.environ.get("VHP_TEST_DIR") or os.path.join(BUILD, "test", "release"))
RELEASE = os.path.join("rtl", "boards", "release")
VHPCTL = os.path.join(BUILD, "bin", "vhpctl")
passed = failed = 0


def verdict(good, text):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAILED {text}")


def run(*command, **env):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env={**os.environ, **env})
    return p.returncode, p.stdout


def release(*options, **env):
    return run(RELEASE, "--build", BUILD, "--out", DIR, "--vhpctl", VHPCTL, *options, **env)


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def good_images():
    for board, chips in (("au200", 1), ("vcu118", 2), ("as02mc04", 1)):
        path = os.path.join(DIR, f"vhost-pci-net-{board}-1.2.3-standin.xclbin")
        sums = []
        for zone in ("UTC", "Asia/Tokyo"):
            code, out = release("--board", board, "--standin", "--version", "1.2.3", TZ=zone)
            verdict(code == 0 and "STAND-IN" in out, f"{board}: {out}")
            sums.append(sha256(path))
            os.rename(path, path + zone.replace("/", "_"))
        os.rename(path + "UTC", path)
        verdict(sums[0] == sums[1], f"{board}: two runs differ")
        cert = os.path.join(DIR, "development.crt")
        code, out = run(VHPCTL, "image", "verify", path, "--cert", cert, "--json")
        found = json.loads(out)
        verdict(code == 0 and found["intact"] and found["signature_good"], f"{board}: {out}")
        meta = found["metadata"]
        verdict(meta["board"] == board and meta["standin"] and meta["flash"]["chips"] == chips and meta["version"] == "1.2.3"
                and meta["pci"] == {"peer": {"vendor": 0x10EE, "device": 0x5650}, "net": {"vendor": 0x1AF4, "device": 0x107F}},
                f"{board}: metadata {meta}")
        # The stock program reads it, agrees, and gives back what went in.
        code, out = run("xclbinutil", "--quiet", "--info", "--input", path)
        verdict(code == 0 and "Signed PKCS" in out and "MCS" in out, f"{board}: xclbinutil --info: {out}")
        code, out = run("xclbinutil", "--validate-signature", "--certificate", cert, "--input", path)
        verdict("verification [SUCCESSFUL]" in out, f"{board}: xclbinutil's signature check: {out}")
        for section in ("BITSTREAM", "FIRMWARE", "MCS-PRIMARY") + ("MCS-SECONDARY",) * (chips - 1):
            dump = os.path.join(DIR, f"{board}.{section}")
            code, out = run("xclbinutil", "--quiet", "--input", path, "--dump-section", f"{section}:RAW:{dump}", "--force")
            verdict(code == 0 and sha256(dump) == meta["sha256"][section], f"{board}: {section} dumped differs: {out}")
        # The certificate of somebody else.
        other = os.path.join(DIR, "other")
        if not os.path.exists(other):
            release("--board", "sim", "--standin", "--size", "2048", "--out", other)
        code, out = run(VHPCTL, "image", "verify", path, "--cert", os.path.join(other, "development.crt"))
        verdict(code == 1 and "not by this certificate" in out, f"{board}: foreign certificate: {out}")
        # A flipped byte in each quarter; every byte: drv-image.
        with open(path, "rb") as f:
            raw = bytearray(f.read())
        for at in (600, len(raw) // 3, len(raw) // 2, len(raw) - 700):
            raw[at] ^= 0x10
            bad = os.path.join(DIR, "bad.xclbin")
            with open(bad, "wb") as f:
                f.write(raw)
            raw[at] ^= 0x10
            code, out = run(VHPCTL, "image", "verify", bad, "--cert", cert)
            verdict(code == 1, f"{board}: byte {at} flipped: taken ({code}): {out}")
            _, out = run("xclbinutil", "--validate-signature", "--certificate", cert, "--input", bad)
            verdict("SUCCESSFUL" not in out, f"{board}: xclbinutil takes byte {at} flipped")


def what_is_refused():
    empty = os.path.join(DIR, "empty")
    cases = (
        (("--board", "au200", "--build", empty, "--firmware", "README.md"), "make bitstream BOARD=au200", "without a bitstream"),
        (("--board", "au200", "--build", empty, "--firmware", "README.md"), "STANDIN=1", "the other way"),
        (("--board", ""), "which board?", "no board"),
        (("--board", "au999", "--standin"), "no board is called", "unknown board"),
        (("--board", "sim"), "stand-ins only", "simulated card"),
        (("--board", "sim", "--standin", "--version", "1/../2"), "VERSION", "version"),
        (("--board", "sim", "--standin", "--sign-key", "/nowhere", "--sign-cert", "/nowhere"), "/nowhere cannot be read", "no key"),
        (("--board", "sim", "--standin", "--sign-key", "README.md"), "go together", "half a key"),
        (("--board", "sim", "--standin", "--sign-key", "README.md", "--sign-cert", "README.md"), "xclbinutil failed", "bad key"),
        (("--board", "sim", "--standin", "--size", "100"), "at least", "too small"),
        (("--board", "au200", "--bit", "README.md"), "not a whole .bit file", "not a bitstream"),
        (("--board", "au50", "--bit", os.path.join(DIR, "au200.BITSTREAM")), "stand-in", "a stand-in that is not asked for"),
    )
    before = sorted(os.listdir(DIR))
    for options, says, what in cases:
        code, out = release(*options)
        verdict(code == 1 and says in out, f"{what}: {code}, {out}")
    # A program that fails without saying so in its exit status.
    fake = os.path.join(DIR, "fake")
    os.makedirs(fake, exist_ok=True)
    with open(os.path.join(fake, "xclbinutil"), "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho 'ERROR: out of luck'\n")
    os.chmod(os.path.join(fake, "xclbinutil"), 0o755)
    code, out = release("--board", "sim", "--standin", "--version", "9", PATH=fake + ":" + os.environ["PATH"])
    verdict(code == 1 and "xclbinutil failed" in out and "out of luck" in out, f"lying exit status: {code}, {out}")
    left = set(os.listdir(DIR)) - set(before) - {"fake"}
    verdict(not left, f"refused releases leave {left}")


os.makedirs(DIR, exist_ok=True)
good_images()
what_is_refused()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
