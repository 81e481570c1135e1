#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say against what is there: options and commands of our programs and tests that any of them names exist;
of docs/operating.md every block of commands is run by a test or says why not, and its examples and QEMU's properties exist."""

import fnmatch
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
PAGES = sorted(os.path.relpath(p, doc.TOP) for p in [os.path.join(doc.TOP, "README.md"), *glob.glob(os.path.join(doc.TOP, "docs", "*.md")),
                                                     *glob.glob(os.path.join(doc.TOP, "[a-z]*", "README.md")),
                                                     *glob.glob(os.path.join(doc.TOP, "[a-z]*", "[a-z]*", "README.md"))]
               if not os.path.relpath(p, doc.TOP).startswith("build"))
# Written like a test's name, but a rule of the PCIe model.
NO_TESTS = {"rtl-assert"}
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
    for group in ("flash", "image"):
        helps[f"vhpctl {group}"] = output(os.path.join(BUILD, "bin", "vhpctl"), group, "--help")
    words = output(os.path.join(BUILD, "bin", "vhpctl"), "no-such-command").split("want one of ")[-1].split(" (")[0].split()
    count, known, named = 0, set(output("make", "-s", "-C", doc.TOP, "list-tests").split()), set()
    for page in PAGES:
        with open(os.path.join(doc.TOP, page)) as f:
            content = f.read()
        for program, arguments in commands(content):
            where = f"{page}: {program} {' '.join(arguments)}"
            options = [re.match(r"--?[a-z0-9-]+", word)[0] for word in arguments if re.match(r"--?[a-z]", word)]
            group = arguments[0] if program == "vhpctl" and arguments and f"vhpctl {arguments[0]}" in helps else None
            text_of = helps[f"vhpctl {group}"] + helps[program] if group else helps[program]
            unknown = [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text_of)]
            count += 1
            if unknown:
                check(False, where, f"no option {' '.join(unknown)}")
            if program == "vhpctl" and arguments and arguments[0] not in words and re.match(r"[a-z]", arguments[0]):
                check(False, where, f"no command {arguments[0]}")
            if group and len(arguments) > 1 and re.match(r"[a-z]+$", arguments[1]) and arguments[1] not in helps[f"vhpctl {group}"]:
                check(False, where, f"no command {group} {arguments[1]}")
        tests = set(re.findall(r"[Tt]ests? `([a-z-]+)`|TEST=([a-z*-]+)|`((?:sys|drv|rtl|fw|sim)-[a-z0-9-]+)`", content))
        tests = {next(filter(None, names)) for names in tests}
        unknown = {name for name in tests if not fnmatch.filter(known, name)} - NO_TESTS
        check(not unknown, f"{page}: {len(tests)} tests named", unknown)
        named |= tests
    check(count > 40 and len(named) > 10, f"{count} lines with our programs: options and commands are theirs")
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
