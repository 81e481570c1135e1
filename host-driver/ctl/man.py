#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual page of a program from what its --help and --version say, so that the two cannot differ.

man.py PROGRAM SECTION [COMMAND] > PAGE; with COMMAND it is about `PROGRAM COMMAND`. Lines of argp's help: "  -x, --option=ARG   text", a line with one space of indentation is a
heading of options, what follows the options is prose; lines with two spaces there stay as they are.
"""
import re
import subprocess
import sys

OPTION = re.compile(r"^ {2,6}(-\S.*?)(?: {2,}(.*))?$")


def say(words, option):
    return subprocess.run([*words, option], capture_output=True, text=True, check=True).stdout


def escape(text):
    return re.sub(r"^([.'])", r"\\&\1", text.replace("\\", "\\e").replace("-", "\\-"))


def page(section, words):
    program, version = say(words, "--version").split()
    name = "-".join([program, *words[1:]])
    usage, *lines = say(words, "--help").splitlines()
    brief, out, options, tail = [], [], False, False
    while lines and lines[0].strip():
        brief.append(lines.pop(0))
    # The first sentence says what it is, the others more.
    brief, _, more = " ".join(brief).rstrip(".").partition(". ")
    out += [f'.TH {name.upper()} {section} "" "{name} {version}"', ".SH NAME",
            f"{escape(name)} \\- {escape(brief[0].lower() + brief[1:])}", ".SH SYNOPSIS",
            f".B {escape(' '.join([program, *words[1:]]))}", escape(usage.split(program, 1)[1].strip().removeprefix(" ".join(words[1:])).strip())]
    out += [".SH DESCRIPTION", escape(more) + "."] if more else []
    out.append(".SH OPTIONS")
    verbatim = False
    for line in lines:
        option = OPTION.match(line)
        if not tail and option:
            options = True
            out += [".TP", f".B {escape(option[1])}"] + ([escape(option[2])] if option[2] else [])
            continue
        if options and not tail and line and not line.startswith(" "):
            if line.startswith("Mandatory or optional") or line.startswith("for any corresponding"):
                continue
            tail = True
            out.append(".SH NOTES" if more else ".SH DESCRIPTION")
        if tail and line.startswith("  ") != verbatim:
            verbatim = not verbatim
            out.append(".nf" if verbatim else ".fi")
        if not line.strip():
            out.append(".PP")
        elif not tail and re.match(r"^ \S", line):
            if out[-1].startswith(".SS"):
                out[-1] += f" {escape(line.strip())}"
            else:
                out.append(f".SS {escape(line.strip())}")
        else:
            out.append(escape(line if verbatim else line.strip()))
    if verbatim:
        out.append(".fi")
    also = {"vhpctl": ["vhpctl-flash (1)", "vhpctl-image (1)", "vhp-vdpad (8)"], "vhpctl-flash": ["vhpctl-image (1)", "vhpctl (1)"],
            "vhpctl-image": ["vhpctl-flash (1)", "xclbinutil (1)"]}.get(name, ["vhpctl (1)", "dpdk-testpmd (1)"])
    out += [".SH SEE ALSO", *[f".BR {escape(page)}{',' if page != also[-1] else ''}" for page in also]]
    return "\n".join(line for n, line in enumerate(out) if line != ".PP" or out[n - 1] != ".PP") + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[2], [sys.argv[1], *sys.argv[3:]]))
