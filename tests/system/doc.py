# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/operating.md: blocks of code, each below a comment that names it for the tests,

    <!-- run: NAME -->           a test runs it: block(), arguments() or qemu() below with this name
    <!-- not run: REASON -->
"""

import os
import re
import shlex
from collections import namedtuple

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PAGE = os.path.join(TOP, "docs", "operating.md")
Block = namedtuple("Block", "line name reason text")
# Options of QEMU that the rig gives to every guest of its own; from the page's line these have to be the same in kind.
RIG_OPTIONS = ("-M", "-m", "-object")


def blocks(page=PAGE):
    """All blocks of code; name and reason are None where the comment is missing."""
    with open(page) as f:
        lines = f.read().split("\n")
    found, comment, at = [], None, 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip() and end + 1 < len(lines)
                                        and lines[end + 1].startswith("    ")):
                end += 1
            run = re.fullmatch(r"<!-- run: ([a-z0-9-]+) -->", comment or "")
            other = re.fullmatch(r"<!-- not run: (.+) -->", comment or "")
            found.append(Block(at + 1, run and run[1], other and other[1], "\n".join(l[4:] for l in lines[at:end]) + "\n"))
            comment, at = None, end
            continue
        if line.strip():
            comment = line.strip()
        at += 1
    return found


def block(name, places=None):
    """The commands of a block, its examples of addresses and paths replaced: {"DIR": "/tmp/x"}."""
    text = next(b.text for b in blocks() if b.name == name)
    for example, real in (places or {}).items():
        text, count = re.subn(rf"(?<![\w.:]){re.escape(example)}(?![\w:])", real, text)
        if count == 0:
            raise ValueError(f"docs/operating.md, {name}: nothing there looks like {example}")
    return text


def arguments(name, program, places=None):
    """The arguments of the one command of a block."""
    words = shlex.split(block(name, places).replace("\\\n", " "), comments=True)
    if words[0] != program:
        raise ValueError(f"docs/operating.md, {name}: starts {words[0]}, not {program}")
    return words[1:]


def qemu(name, places=None):
    """The devices of a QEMU line, as options for a guest of the rig, which has memory of the same kind."""
    words = arguments(name, "qemu-system-x86_64", places)
    options = []
    if words[-1] != "...":
        raise ValueError(f"docs/operating.md, {name}: does not end in ...")
    for option, value in zip(words[:-1:2], words[1:-1:2]):
        if option not in RIG_OPTIONS:
            options += [option, value]
    memory = dict(zip(words[:-1:2], words[1:-1:2]))
    if "memory-backend=m0" not in memory["-M"] or not re.fullmatch(r"memory-backend-memfd,id=m0,size=\w+,share=on", memory["-object"]):
        raise ValueError(f"docs/operating.md, {name}: other memory than that of the rig's guests")
    return options


# Blocks run in guests whose init has loaded the modules; there is no module tree.
PRELUDE = """
modprobe() {
	[ -d /sys/module/$(echo $1 | tr - _) ] || { echo "the test's init did not load $1"; return 1; }
}
set -e
"""
