#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A card is flashed in a guest that holds it, and loads what was flashed.

The stock way: release file, its MCS file taken out by xclbinutil, Debian's xbflash2 (and once xbflash.qspi), the boot
register, remove, rescan; the lines of the tools are those of docs/flashing.md. The own way: vhpctl flash write, verify, boot,
with the function free and with vfio-pci. What is in the flash is compared byte for byte each time; which image runs is read in
the guest from the boot registers. Then a damaged image: the golden one comes up, and vhpctl says so.
"""

import gzip
import json
import os
import subprocess
import sys
import time

import figures
from rig import BIN, BUILD, TOP, Failure, Guest, Rig, Sim, needs

FN0, FN1 = "0000:01:00.0", "0000:02:00.0"
FLASH_BYTES = 128 << 20
START, GUARD_SECTOR = 0x01002000, 0x1000
DATA = START + GUARD_SECTOR
GOLDEN = 0x474F4C44
# vhp_boot in BAR 4, docs/registers.md.
BOOT_ID, BOOT_IMAGE, BOOT_ADDRESS, BOOT_KEY = 0x1000, 0x1008, 0x1028, 0x102C
TOOL_TIMEOUT = 1500


def of_page(start):
    """The command of docs/flashing.md that begins so; the page's addresses are ours."""
    with open(os.path.join(TOP, "docs", "flashing.md")) as f:
        lines = [line.strip() for line in f if line.startswith("    " + start)]
    if len(lines) != 1:
        raise Failure(f"docs/flashing.md: {len(lines)} lines with '{start}', wanted one")
    return lines[0]


class Release:
    """A signed release file with a stand-in bitstream, and what is in it."""

    def __init__(self, rig, name, usr_access, size):
        self.name, self.usr_access = name, usr_access
        folder = rig.path(name)
        made = subprocess.run([sys.executable, os.path.join(TOP, "rtl", "boards", "release"), "--board", "sim", "--standin", "--usr-access",
                               f"{usr_access:#x}", "--size", str(size), "--seed", str(usr_access & 0xFF), "--build", BUILD, "--out", folder,
                               "--sign-key", rig.path("sign.key"), "--sign-cert", rig.path("sign.crt"), "--vhpctl",
                               os.path.join(BIN, "vhpctl")], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if made.returncode:
            raise Failure(f"release {name}: {made.stdout}{made.stderr}")
        self.path = next(os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".xclbin"))
        self.mcs = self._section(rig, "MCS-PRIMARY", "mcs")
        # The configuration data of a .bit file stands behind its header, whose last field has its length.
        bit = self._section(rig, "BITSTREAM", "bit")
        self.data = bit[len(bit) - size:]

    def _section(self, rig, section, suffix):
        out = rig.path(f"{self.name}.{suffix}")
        command = of_page("xclbinutil").replace("FILE.xclbin", self.path).replace("MCS-PRIMARY", section).replace("primary.mcs", out)
        done = subprocess.run(command.split(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode or not os.path.exists(out):
            raise Failure(f"xclbinutil: no {section} in {self.path}: {done.stdout}{done.stderr}")
        with open(out, "rb") as f:
            return f.read()


class Card:
    """Function 0 in the guest, by sysfs and devmem only, and the flash file on the host."""

    def __init__(self, rig, guest, flash):
        self.rig, self.guest, self.flash = rig, guest, flash

    def bar4(self):
        lines = self.guest.must(f"cat /sys/bus/pci/devices/{FN0}/resource").splitlines()
        start, end, _ = (int(x, 16) for x in lines[4].split())
        if end - start + 1 != 64 << 10:
            raise Failure(f"BAR 4 of {FN0}: {lines[4]}")
        return start

    def read(self, register):
        # Memory decoding is off while no driver has the function.
        text = self.guest.must(f"echo 1 >/sys/bus/pci/devices/{FN0}/enable; devmem {self.bar4() + register:#x} 32; "
                               f"echo 0 >/sys/bus/pci/devices/{FN0}/enable")
        return int(text.split()[-1], 16)

    def running(self, wanted, what):
        self.rig.equal(f"{self.read(BOOT_IMAGE):08x}", f"{wanted:08x}", f"{what}: image {wanted:08x} runs")
        for function in (FN0, FN1):
            self.rig.check(self.guest.run(f"test -e /sys/bus/pci/devices/{function}")[0] == 0, f"{what}: {function} is on the bus")

    def contents(self):
        with open(self.flash, "rb") as f:
            return bytearray(f.read())

    def holds(self, before, data, what):
        """The user slot is these data, in whole sectors, with the guard away; nothing else changed."""
        wanted, now = bytearray(before), self.contents()
        sectors = (len(data) + GUARD_SECTOR - 1) // GUARD_SECTOR * GUARD_SECTOR
        wanted[START:DATA] = b"\xff" * GUARD_SECTOR
        wanted[DATA:DATA + sectors] = data + b"\xff" * (sectors - len(data))
        if now == wanted:
            self.rig.check(True, f"{what}: {len(data)} bytes at {DATA:#x} are the image, no guard, nothing else changed")
            return
        at = next(i for i in range(0, FLASH_BYTES, 256) if now[i:i + 256] != wanted[i:i + 256])
        self.rig.check(False, f"{what}: flash differs from {at:#x} on: {now[at:at + 16].hex()} instead of {wanted[at:at + 16].hex()}")


def put(guest, name, data):
    """A file into the guest, compressed on the way."""
    guest.put(name + ".gz", gzip.compress(data))
    guest.must(f"gunzip -f {name}.gz")


def timed(rig, guest, command, what, code=0):
    """A command that may take long; its output."""
    begin = time.monotonic()
    got, text = guest.run(command, TOOL_TIMEOUT)
    took = time.monotonic() - begin
    with open(rig.log("tools.log"), "a") as f:
        f.write(f"# {command}\n{text}\n# exit code {got}, {took:.1f} s\n\n")
    rig.check(got == code, f"{what}: exit code {got} after {took:.1f} s" + ("" if got == code else f", wanted {code}:\n{text[-1500:]}"))
    return text


def stock(rig, guest, card, release):
    """xbflash2; then the boot register, remove and rescan by hand."""
    before = card.contents()
    put(guest, "/tmp/primary.mcs", release.mcs)
    text = timed(rig, guest, "cd /tmp; " + of_page(f"xbflash2 program --spi -d {FN0} "), "xbflash2 program")
    rig.check("Cold reboot machine to load the new image" in text, "xbflash2 is content")
    card.holds(before, release.data, "xbflash2")
    bar = card.bar4()
    guest.must(f"""
echo 1 >/sys/bus/pci/devices/{FN0}/enable
devmem {bar + BOOT_ADDRESS:#x} 32 {START:#x}
devmem {bar + BOOT_KEY:#x} 32 0x49505247
echo 1 >/sys/bus/pci/devices/{FN0}/remove
echo 1 >/sys/bus/pci/devices/{FN1}/remove
""")
    if not guest.wait_until(f"{{ echo 1 >/sys/bus/pci/rescan; [ -e /sys/bus/pci/devices/{FN0} ] && [ -e /sys/bus/pci/devices/{FN1} ]; }}",
                            120, 0.5):
        raise Failure("the card did not come back after IPROG")
    card.running(release.usr_access, "stock tools only: xbflash2, devmem, remove, rescan")


def own(rig, guest, card, release, bound):
    """vhpctl flash write, verify, boot; fn0 free or with vfio-pci."""
    what = "vhpctl flash, vfio-pci" if bound else "vhpctl flash, no driver"
    guest.must(f"vhpctl {'bind' if bound else 'unbind'} {FN0}")
    with open(release.path, "rb") as f:
        put(guest, "/tmp/own.xclbin", f.read())
    before = card.contents()
    image = "--image /tmp/own.xclbin --cert /tmp/sign.crt --yes"
    timed(rig, guest, f"vhpctl flash write --pci {FN0} {image}", f"{what}: write")
    card.holds(before, release.data, what)
    if not bound:
        timed(rig, guest, f"vhpctl flash verify --pci {FN0} {image}", f"{what}: verify")
    timed(rig, guest, f"vhpctl flash boot --pci {FN0} {image} --settle 0 --limit 300", f"{what}: boot")
    driver = guest.run(f"basename $(readlink /sys/bus/pci/devices/{FN0}/driver)")[1]
    rig.equal(driver == "vfio-pci", bound, f"{what}: the function's driver is as before")
    guest.must(f"vhpctl unbind {FN0}")
    card.running(release.usr_access, what)


def damaged(rig, guest, card, release):
    """A bit of the image turns; the golden image is loaded instead, and the tool says so."""
    with open(card.flash, "r+b") as f:
        f.seek(DATA + len(release.data) // 2)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 0x10]))
    image = "--image /tmp/own.xclbin --cert /tmp/sign.crt --yes"
    timed(rig, guest, f"vhpctl flash verify --pci {FN0} {image}", "a bit of the image turned: verify", 1)
    text = timed(rig, guest, f"vhpctl flash boot --pci {FN0} --yes --settle 0 --limit 300", "a damaged image: boot", 3)
    rig.check("golden" in text, f"vhpctl says what came up: {text.splitlines()[-1] if text else ''}")
    card.running(GOLDEN, "after a damaged image")
    shown = json.loads(guest.must(f"vhpctl flash show --pci {FN0} --json", TOOL_TIMEOUT))
    rig.check(f"{GOLDEN:08x}" in json.dumps(shown) or str(GOLDEN) in json.dumps(shown), "vhpctl flash show: the golden image runs")


def older_tool(rig, guest, card, release):
    """xbflash.qspi repairs the slot; vhpctl boots it."""
    before = card.contents()
    put(guest, "/tmp/older.mcs", release.mcs)
    timed(rig, guest, f"xbflash.qspi --primary /tmp/older.mcs --card {FN0} --bar 4 --bar-offset 0 --force </dev/null", "xbflash.qspi")
    card.holds(before, release.data, "xbflash.qspi")
    timed(rig, guest, f"vhpctl flash boot --pci {FN0} --yes --settle 0 --limit 300", "vhpctl flash boot")
    card.running(release.usr_access, "xbflash.qspi, vhpctl flash boot")


def vfio_user(rig, function, bus):
    return json.dumps({"driver": "vfio-user-pci", "socket": {"path": rig.path(function), "type": "unix"}, "bus": bus, "rombar": 0})


def main():
    needs("vhp-sim", "vhpctl")
    with Rig("flash") as rig:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "30", "-keyout", rig.path("sign.key"),
                        "-out", rig.path("sign.crt"), "-subj", "/CN=flash test", "-addext", "keyUsage=critical,digitalSignature",
                        "-addext", "extendedKeyUsage=codeSigning"], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
        big, second, third = (Release(rig, f"image{n}", usr_access, size) for n, usr_access, size in (
            (1, 0x11AA0001, 64 << 10), (2, 0x22BB0002, 4 << 10), (3, 0x33CC0003, (4 << 10) + 8)))
        rig.say("release files are made; the card and its host")
        flash = rig.path("card.flash")
        sim = Sim(rig, "--ports", "1", "--flash", flash)
        guest = Guest(rig, "host", 512, ["pcie-root-port,id=rp0,chassis=1,slot=1,addr=0x4", "pcie-root-port,id=rp1,chassis=2,slot=2,addr=0x5",
                                         vfio_user(rig, "fn0.sock", "rp0"), vfio_user(rig, "fn1.sock", "rp1")],
                      modules=("vfio_iommu_type1", "vfio-pci"), root=True, iommu=True).connect()
        card = Card(rig, guest, flash)
        rig.equal(os.path.getsize(flash), FLASH_BYTES, "the flash has 128 MiB")
        rig.equal(card.read(BOOT_ID), 0x56485046, "BAR 4: the boot block says VHPF")
        card.running(GOLDEN, "a new card")
        with open(rig.path("sign.crt"), "rb") as f:
            guest.put("/tmp/sign.crt", f.read())
        stock(rig, guest, card, big)
        own(rig, guest, card, second, bound=False)
        own(rig, guest, card, third, bound=True)
        damaged(rig, guest, card, third)
        older_tool(rig, guest, card, third)
        golden = card.contents()[:START]
        rig.check(golden.rstrip(b"\xff") and len(golden.rstrip(b"\xff")) < 1 << 20, "the golden image was never touched")
        rig.equal(guest.power_off(), 0, "the guest powers off")
        code, stats = sim.finish()
        rig.equal(code, 0, "vhp-sim ends cleanly")
        loads = stats["flash"]
        rig.equal((loads["reloads"], loads["fallbacks"]), (5, 2), "the card loaded 5 images; fell back at power-up, and from the damaged one")
        broken = {rule: count for rule, count in loads["nor"]["violations"].items() if count}
        rig.equal(broken, {}, "no rule of the flash chip broken")
        figures.no_faults(rig, stats)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
