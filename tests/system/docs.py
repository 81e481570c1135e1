#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/operating.md against what is there: every block of commands is run by a test or says why not; options and commands
of our programs, installed files, tests and properties of QEMU's devices that it names exist."""

import glob
import json
import os
import re
import shlex
import subprocess
import sys

import doc

BUILD = os.path.join(doc.TOP, os.environ.get("B", "build"))
PROGRAMS = ("vhp-sim", "vhp-vdpad", "vhpctl")
passed = failed = 0


def check(good, text, details=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok     ' if good else 'FAILED '} {text}" + (f": {details}" if not good and details else ""), flush=True)


def output(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}).stdout


def used_by_tests():
    """{block: scripts that run it}."""
    users = {}
    for path in sorted(glob.glob(os.path.join(doc.TOP, "tests", "system", "*.py"))):
        with open(path) as f:
            for name in re.findall(r"doc\.(?:block|arguments|qemu)\(\"([a-z0-9-]+)\"", f.read()):
                users.setdefault(name, set()).add(os.path.basename(path))
    return users


def commands(text):
    """[(program, [words])] of our programs in blocks and `code`."""
    for line in re.findall(r"^    .*", text.replace("\\\n", " "), re.M) + re.findall(r"`([^`\n]+)`", text):
        for part in re.split(r"[;&|\"]", line.split(" #")[0]):
            words = part.split()
            for program in PROGRAMS:
                if program in words:
                    yield program, words[words.index(program) + 1:]


def main():
    with open(doc.PAGE) as f:
        text = f.read()
    users = used_by_tests()
    for block in doc.blocks():
        where = f"operating.md:{block.line}"
        if block.name:
            check(block.name in users, f"{where}: {block.name} is run by {', '.join(sorted(users.get(block.name, ['no test'])))}")
        else:
            check(block.reason, f"{where}: not run: {block.reason}", "a block of commands without a comment above it")
    names = [block.name for block in doc.blocks() if block.name]
    check(len(names) == len(set(names)), "each name stands once", names)
    check(set(users) <= set(names), "tests name blocks that are there", set(users) - set(names))
    helps = {program: output(os.path.join(BUILD, "bin", program), "--help") for program in PROGRAMS}
    words = output(os.path.join(BUILD, "bin", "vhpctl"), "no-such-command").split("want one of ")[-1].split(" (")[0].split()
    count = 0
    for program, arguments in commands(text):
        options = [re.match(r"--?[a-z-]+", word)[0] for word in arguments if re.match(r"--?[a-z]", word)]
        unknown = [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", helps[program])]
        count += 1
        if unknown:
            check(False, f"{program} {' '.join(arguments)}", f"no option {' '.join(unknown)}")
        if program == "vhpctl" and arguments and arguments[0] not in words and not arguments[0].startswith("-"):
            check(False, f"{program} {' '.join(arguments)}", f"no command {arguments[0]}")
    check(count > 15, f"{count} lines with our programs: options and commands are theirs")
    tests = output("make", "-s", "-C", doc.TOP, "list-tests").split()
    named = re.findall(r"[Tt]ests? `([a-z-]+)`", text) + re.findall(r"`((?:sys|drv|rtl)-[a-z-]+)`", text)
    check(named and set(named) <= set(tests), f"tests that it names: {' '.join(sorted(set(named)))}", set(named) - set(tests))
    examples = re.findall(r"`(examples/[\w.-]+)`", text)
    check(examples and all(os.path.exists(os.path.join(doc.TOP, "docs", e)) for e in examples), f"examples: {' '.join(examples)}")
    # QEMU's own list of what a device takes.
    for block in doc.blocks():
        words = shlex.split(block.text.replace("\\\n", " ")) if block.text.startswith("qemu-system-x86_64") else []
        for option, device in zip(words, words[1:]):
            if option != "-device":
                continue
            if device.startswith("{"):
                properties = list(json.loads(device))
                driver = json.loads(device)["driver"]
            else:
                driver, *properties = device.split(",")
                properties = [p.split("=")[0] for p in properties]
            known = set(re.findall(r"^  ([\w-]+)=", output("qemu-system-x86_64", "-device", f"{driver},help"), re.M))
            check(len(known) > 5 and set(properties) - {"driver", "netdev"} <= known, f"QEMU's {driver} has {' '.join(properties)}",
                  set(properties) - known)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
