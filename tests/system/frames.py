# SPDX-License-Identifier: Apache-2.0
"""Test frames and pcap files (classic format, microseconds, Ethernet)."""

import random
import struct


def write(name, frames):
    with open(name, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 0, i, len(frame), len(frame)) + frame)


def read(name):
    with open(name, "rb") as f:
        data = f.read()
    if len(data) < 24 or struct.unpack_from("<I", data)[0] not in (0xA1B2C3D4, 0xA1B23C4D):
        raise ValueError(f"{name}: not a pcap file")
    frames, at = [], 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


def make(count, seed, smallest=60, largest=1514):
    """Frames of every length from smallest to largest as far as count reaches, then random ones, in random order; each
    has its number in it."""
    rng = random.Random(seed)
    lengths = [smallest, smallest + 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, largest - 1, largest]
    lengths += [rng.randint(smallest, largest) for _ in range(max(0, count - len(lengths)))]
    lengths = lengths[:count]
    rng.shuffle(lengths)
    header = bytes.fromhex("02000000000b02000000000a88b5")
    return [(header + struct.pack("<I", i) + rng.randbytes(n))[:n] for i, n in enumerate(lengths)]


def compare(got, expected):
    """None if equal and in order, else what differs first."""
    for i, (a, b) in enumerate(zip(got, expected)):
        if a != b:
            if a in expected:
                return f"frame {i} is number {expected.index(a)}: order"
            if len(a) != len(b):
                return f"frame {i} has {len(a)} bytes instead of {len(b)}"
            at = next(k for k in range(len(a)) if a[k] != b[k])
            return f"frame {i} ({len(b)} bytes) differs from byte {at}: {a[at:at + 16].hex()} instead of {b[at:at + 16].hex()}"
    if len(got) != len(expected):
        return f"{len(got)} frames instead of {len(expected)}"
    return None
