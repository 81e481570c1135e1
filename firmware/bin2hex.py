# SPDX-License-Identifier: Apache-2.0
"""Binary image to $readmemh text: one little-endian 32-bit word per line, whole RAM, rest zero."""
import sys

RAM_BYTES = 64 * 1024


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as f:
        image = f.read()
    if len(image) > RAM_BYTES:
        sys.exit(f"{source}: {len(image)} bytes do not fit {RAM_BYTES} bytes of RAM")
    image = image.ljust(RAM_BYTES, b"\0")
    with open(target, "w", encoding="ascii") as f:
        for at in range(0, RAM_BYTES, 4):
            f.write(f"{int.from_bytes(image[at:at + 4], 'little'):08x}\n")


main()
