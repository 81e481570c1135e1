#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stock kernel in a QEMU guest enumerates both functions: ids, classes, BARs, capabilities, IOMMU groups, and the list of
virtio structures in the BAR; with the large configuration window its own virtio_pci driver takes the function."""

import base64
import struct
import sys

import figures
from rig import Guest, Rig, Sim, needs, vfio_user_device

FN0, FN1 = "0000:00:03.0", "0000:00:04.0"
CAP_NAMES = {0x01: "power management", 0x05: "MSI", 0x09: "vendor", 0x10: "PCI Express", 0x11: "MSI-X"}
CFG_TYPES = {1: "COMMON", 2: "NOTIFY", 3: "ISR", 4: "DEVICE", 5: "PCI_CFG", 9: "VENDOR_CFG"}
MEMORY_BAR = 0x200


def capabilities(config):
    """[(id, offset)] of the list in configuration space."""
    caps, at = [], config[0x34] & 0xFC
    while at and len(caps) < 48:
        caps.append((config[at], at))
        at = config[at + 1] & 0xFC
    return caps


def show(address, config, bars):
    vendor, device = struct.unpack_from("<HH", config)
    print(f"{address} {vendor:04x}:{device:04x} class {config[11]:02x}{config[10]:02x} {config[9]:02x} revision {config[8]:02x}")
    for bar, (start, size) in bars.items():
        print(f"    BAR {bar}: {start:#x}, {size >> 10} KiB")
    for cap, at in capabilities(config):
        text = f"    {at:02x}: {CAP_NAMES.get(cap, f'capability {cap:#x}')}"
        if cap == 0x11:
            text += f", {(struct.unpack_from('<H', config, at + 2)[0] & 0x7FF) + 1} vectors"
        if cap == 0x09:
            text += f", type {CFG_TYPES.get(config[at + 3], config[at + 3])}, {config[at + 2]} bytes"
        print(text, flush=True)


def function(guest, address):
    """Configuration space and {BAR: (start, size)} of the memory BARs."""
    path = f"/sys/bus/pci/devices/{address}"
    config = base64.b64decode(guest.must(f"base64 {path}/config"))
    bars = {}
    for bar, line in enumerate(guest.must(f"head -n 6 {path}/resource").splitlines()):
        start, end, flags = (int(x, 16) for x in line.split())
        if flags & MEMORY_BAR:
            bars[bar] = (start, end - start + 1)
    show(address, config, bars)
    return config, bars


def bar_list(rig, guest, config, bars):
    """The virtio structures that the vendor capability at 0xb0 locates, read through the BAR: {cfg_type: (bar, offset, length)}."""
    cap_id, _, size, kind, vendor, bar, version, offset, length = struct.unpack_from("<BBBBHBBII", config, 0xB0)
    rig.equal((cap_id, size, kind, vendor, version), (9, 16, 9, 0x10EE, 1), "fn1: the vendor capability at 0xb0")
    guest.must(f"echo 1 >/sys/bus/pci/devices/{FN1}/enable")
    words = guest.must(f"n=0; while [ $n -lt {length} ]; do devmem $(({bars[bar][0] + offset:#x} + n)) 32; n=$((n + 4)); done")
    data = b"".join(struct.pack("<I", int(w, 16)) for w in words.split())
    found, at, steps = {}, 0, 0
    while steps == 0 or (at and at + 16 <= len(data) and steps < 16):
        _, following, cap_len, cfg_type, cap_bar, _, vendor_bar = struct.unpack_from("<BBBBBBB", data, at)
        if cfg_type == 9:
            # virtio_pci_vndr_data: a vendor id comes first, then our fields as in the capability at 0xb0.
            cap_bar = vendor_bar
        found[cfg_type] = (cap_bar, *struct.unpack_from("<II", data, at + 8))
        print(f"    list {at:3}: {CFG_TYPES.get(cfg_type, cfg_type)}, {cap_len} bytes, BAR {cap_bar} + {found[cfg_type][1]:#x}, "
              f"{found[cfg_type][2]:#x} bytes")
        at, steps = following, steps + 1
    rig.check({1, 2, 3, 4, 9} <= set(found), "fn1: the list has COMMON, NOTIFY, ISR, DEVICE and VENDOR_CFG")
    rig.check(all(b in bars and o + n <= bars[b][1] for b, o, n in found.values()), "fn1: every structure lies inside its BAR")
    return found


def pci_cfg(rig, guest, cap, bar0):
    """The structures through VIRTIO_PCI_CAP_PCI_CFG (virtio 1.2, 4.1.4.9), against the BAR itself."""
    path = f"/sys/bus/pci/devices/{FN1}/config"

    def put(at, data):
        text = "".join(f"\\x{b:02x}" for b in data)
        guest.must(f"printf '{text}' | dd of={path} bs={len(data)} seek={at // len(data)} count=1 conv=notrunc 2>/dev/null")

    def select(offset, length, bar=0):
        put(cap + 4, bytes([bar]))
        put(cap + 8, struct.pack("<I", offset))
        put(cap + 12, struct.pack("<I", length))

    def get():
        data = base64.b64decode(guest.must(f"dd if={path} bs=4 skip={(cap + 16) // 4} count=1 2>/dev/null | base64"))
        return struct.unpack("<I", data)[0]

    def mmio(offset, width=32):
        return int(guest.must(f"devmem {bar0 + offset:#x} {width}"), 16)

    # What a driver holds, /dev/mem does not show.
    guest.must(f"echo {FN1} >/sys/bus/pci/drivers/virtio-pci/unbind; echo 1 >/sys/bus/pci/devices/{FN1}/enable")
    common, device = 0x1000, 0x3000
    select(device, 4)
    rig.equal(get(), mmio(device), "fn1: PCI_CFG reads 4 bytes of the MAC")
    select(device + 2, 2)
    rig.equal(get() & 0xFFFF, mmio(device + 2, 16), "fn1: PCI_CFG reads 2 bytes at offset 2")
    select(device + 5, 1)
    rig.equal(get() & 0xFF, mmio(device + 5, 8), "fn1: PCI_CFG reads 1 byte at offset 5")
    for word in (1, 0):
        select(common, 4)
        put(cap + 16, struct.pack("<I", word))
        rig.equal(mmio(common), word, f"fn1: PCI_CFG writes {word} to device_feature_select")
        select(common + 4, 4)
        rig.equal(get(), mmio(common + 4), f"fn1: PCI_CFG reads feature word {word}")
    for offset, length, bar, what in ((common + 1, 4, 0, "a misaligned offset"), (common, 3, 0, "a length of 3"), (common, 8, 0, "a length of 8"),
                                      (0x40000, 4, 0, "an offset beyond the BAR"), (common, 4, 2, "another BAR")):
        select(offset, length, bar)
        put(cap + 16, struct.pack("<I", 1))
        rig.equal((get(), mmio(common)), (0xFFFFFFFF, 0), f"fn1: PCI_CFG with {what} reads all ones and writes nothing")


def enumerate_in(rig, window):
    sim = Sim(rig, "--ports", "1", "--config-window", window, name=f"vhp-sim-{window}")
    guest = Guest(rig, f"guest-{window}", 256, [vfio_user_device(rig, "fn0.sock", "0x3"), vfio_user_device(rig, "fn1.sock", "0x4")],
                  iommu=True).connect()
    config0, bars0 = function(guest, FN0)
    config1, bars1 = function(guest, FN1)
    rig.equal(struct.unpack_from("<HH", config0), (0x10EE, 0x5650), "fn0: 10ee:5650")
    rig.equal(struct.unpack_from("<HH", config1), (0x1AF4, 0x107F), "fn1: 1af4:107f")
    rig.check(config1[8] >= 1, "fn1: revision 1 or later")
    rig.equal(bytes(config1[9:12]), b"\x00\x00\x02", "fn1: class 0200 00")
    rig.equal({b: s for b, (_, s) in bars0.items()}, {0: 64 << 10, 2: 256 << 10, 4: 64 << 10}, "fn0: BARs 0, 2 and 4 of 64, 256 and 64 KiB")
    rig.equal({b: s for b, (_, s) in bars1.items()}, {0: 256 << 10, 2: 4 << 30}, "fn1: BAR 0 of 256 KiB, aperture of 4 GiB")
    for name, config in (("fn0", config0), ("fn1", config1)):
        msix = [at for cap, at in capabilities(config) if cap == 0x11]
        rig.check(msix and struct.unpack_from("<H", config, msix[0] + 2)[0] & 0x7FF == 31, f"{name}: MSI-X with 32 vectors")
    groups = guest.must(f"for d in {FN0} {FN1}; do basename $(readlink /sys/bus/pci/devices/$d/iommu_group); done").split()
    rig.check(len(set(groups)) == 2, f"each function is alone in its IOMMU group: {', '.join(groups)}")
    driver = guest.run(f"basename $(readlink /sys/bus/pci/devices/{FN1}/driver)")[1]
    if window == "pcie4":
        bar_list(rig, guest, config1, bars1)
        rig.check(driver != "virtio-pci", "fn1: virtio_pci leaves a function without capabilities alone")
    else:
        types = {config1[at + 3] for cap, at in capabilities(config1) if cap == 0x09}
        rig.check({1, 2, 3, 4, 5, 9} <= types, f"fn1: virtio capabilities {sorted(types)} in configuration space")
        rig.equal(driver, "virtio-pci", "fn1: the kernel's virtio_pci took it")
        modalias = guest.must(f"cat /sys/bus/pci/devices/{FN1}/virtio*/modalias")
        rig.check(modalias.startswith("virtio:d0000003Fv"), f"fn1: device type 63 on the virtio bus ({modalias})")
        pci_cfg(rig, guest, next(at for cap, at in capabilities(config1) if cap == 9 and config1[at + 3] == 5), bars1[0][0])
    rig.equal(guest.must(f"devmem {bars1[2][0]:#x} 32").lower(), "0xffffffff", "fn1: the aperture shows nothing")
    rig.equal(guest.power_off(), 0, "the guest powers off")
    code, stats = sim.finish()
    rig.equal(code, 0, f"vhp-sim --config-window {window} ends cleanly")
    figures.no_faults(rig, stats)


def main():
    needs("vhp-sim")
    with Rig("sys-enumerate") as rig:
        for window in ("pcie4", "full"):
            rig.say(f"--config-window {window}")
            enumerate_in(rig, window)
    return rig.close()


if __name__ == "__main__":
    sys.exit(main())
