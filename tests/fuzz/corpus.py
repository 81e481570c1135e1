#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A fuzzer's corpus as text, one input per line in hex.

corpus.py unpack FILE DIR   one file per input into DIR (made if it is not there)
corpus.py pack DIR FILE     the reverse; give it a directory that `-merge=1` has minimised
"""

import hashlib
import os
import sys

HEADER = "# SPDX-License-Identifier: Apache-2.0\n"


def unpack(text, folder):
    os.makedirs(folder, exist_ok=True)
    with open(text) as f:
        for line in f:
            if line.startswith("#"):
                continue
            data = bytes.fromhex(line)
            with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), "wb") as out:
                out.write(data)


def pack(folder, text):
    inputs = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            inputs.append(f.read().hex())
    with open(text, "w") as out:
        out.write(HEADER)
        out.writelines(line + "\n" for line in sorted(set(inputs), key=lambda h: (len(h), h)) if line)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    {"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2], sys.argv[3])
