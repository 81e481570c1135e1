#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small release images for the fuzzer of the parser: seeds.py DIR. One or two chips, with and without a signature's room."""
import hashlib
import json
import os
import struct
import sys
from importlib.machinery import SourceFileLoader

sys.dont_write_bytecode = True
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
standin = SourceFileLoader("standin", os.path.join(TOP, "rtl", "boards", "standin")).load_module()

AT_SECTIONS, HEADER = 456, 40


def image(chips, signature=b""):
    words = [0xFFFFFFFF, 0xAA995566, 0x30018001, 0x04B37093, 0x3001A001, 0x1234, 0x30008001, 13, 0x20000000]
    data = struct.pack(f">{len(words)}I", *words)
    bit = standin.bit_file({"part": "xcu200-fsgd2104-2-e"}, 0x1234, data)
    files = [(0, bit), (3, b"fw")]
    mcs = [standin.mcs_file(0x2000 // chips, data if chips == 1 else standin.stripe(data, c)) for c in range(chips)]
    chunks, at = b"", 8 + 24 * chips
    for c, text in enumerate(mcs):
        chunks += struct.pack("<B7xQQ", c + 1, at, len(text))
        at += len(text)
    files.append((12, struct.pack("<B7x", chips) + chunks + b"".join(mcs)))
    sums = {"BITSTREAM": bit, "FIRMWARE": b"fw", "MCS-PRIMARY": mcs[0], **({"MCS-SECONDARY": mcs[1]} if chips == 2 else {})}
    files.append((16, json.dumps({
        "schema": 1, "project": "vhost-pci-net", "version": "1", "board": "b", "part": "xcu200-fsgd2104-2-e", "idcode": 0x4B37093,
        "usr_access": 0x1234, "standin": True, "git": "g", "firmware": "1", "flash": {"start": 0x2000, "chips": chips, "size": 65536},
        "sha256": {k: hashlib.sha256(v).hexdigest() for k, v in sums.items()}}, separators=(",", ":")).encode()))
    head, body, at = b"", b"", AT_SECTIONS + HEADER * len(files)
    for kind, raw in files:
        head += struct.pack("<I16s4xQQ", kind, b"", at, len(raw))
        body += raw
        at += len(raw)
    first = bytearray(AT_SECTIONS)
    first[0:8] = b"xclbin2\0"
    struct.pack_into("<i", first, 8, len(signature) or -1)
    struct.pack_into("<Q", first, 304, at + len(signature))
    struct.pack_into("<I", first, 448, len(files))
    return bytes(first) + head + body + signature


os.makedirs(sys.argv[1], exist_ok=True)
for name, raw in (("one", image(1)), ("pair", image(2)), ("signed", image(1, b"0\x03\x02\x01\x05"))):
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(raw)
