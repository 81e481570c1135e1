#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bash completion of a program from what its --help says, so that the two cannot differ: completion.py PROGRAM > FILE.

Options are lines of argp's help, "  -x, --option=ARG   text"; ARG says what can follow. Commands are the lines with two
spaces below "Commands:". What their arguments are stands in ARGUMENTS, and each of its names must be in the help.
"""
import os
import re
import subprocess
import sys

# What completes an argument: bash that adds to the array `found`. $cur is what there is of it.
FILES, DIRS = 'found=($(compgen -f -- "$cur"))', 'found=($(compgen -d -- "$cur"))'
PORTS = "found=($(vhpctl list 2>/dev/null | awk 'NR > 1 { print $1 }'))"
CARDS = ('for f in /sys/bus/pci/devices/*; do\n'
         '\t\t\tcase "$(cat $f/vendor $f/device 2>/dev/null | tr "\\n" ,)" in\n'
         '\t\t\t0x10ee,0x5650, | 0x1af4,0x107f,) found+=("${f##*/}") ;;\n'
         '\t\t\tesac\n'
         '\t\tdone')
KINDS = {"FILE": FILES, "PATH": FILES, "SOCKET": FILES, "DIR": DIRS, "PORT": PORTS, "ADDRESS": CARDS, "BDF": CARDS}

# Arguments of commands; all others take ports.
ARGUMENTS = {"vhpctl": {"bind": "ADDRESS", "unbind": "ADDRESS"}}

TEMPLATE = """\
# SPDX-License-Identifier: Apache-2.0
# bash completion of %(name)s
_%(function)s()
{
	local line=${COMP_LINE:0:COMP_POINT} cur option command= sub= w f
	local -a words found=()
	cur=${line##*[[:space:]]}
	read -ra words <<<"${line%%"$cur"}"
	COMPREPLY=()
	# The command, and the option that waits for its argument.
	option=
	for w in "${words[@]:1}"; do
		if [[ -n $option ]]; then
			option=
			continue
		fi
		case $w in
		%(takes)s) option=$w ;;
		-*) ;;
		*) [[ -z $command ]] && command=$w || sub=${sub:-$w} ;;
		esac
	done
	local whole=$cur
	if [[ $cur == --*=* ]]; then
		option=${cur%%%%=*} cur=${cur#*=}
	fi
	if [[ -n $option ]]; then
		case $option in
%(arguments)s
		esac
	elif [[ $cur == -* ]]; then
		found=(%(options)s)
%(commands)s	fi
	# Bash replaces only what stands behind the last = or : of the word.
	local before=${whole%%"${whole##*[:=]}"}
	for w in "${found[@]}"; do
		[[ $w == "$cur"* ]] || continue
		w=${whole%%"$cur"}$w
		COMPREPLY+=("${w#"$before"}")
	done
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
	[[ ${#COMPREPLY[@]} != 1 || ! -d ${COMPREPLY[0]} ]] || compopt -o filenames 2>/dev/null
}
complete -F _%(function)s %(name)s
"""


def kind(argument):
    """The bash that completes an argument of this name; "" if nothing can be said."""
    if re.fullmatch(r"[a-z0-9]+(\|[a-z0-9]+)+", argument):
        return "found=(" + argument.replace("|", " ") + ")"
    return KINDS.get(re.split(r"[.\[]", argument)[0], "")


def parse(text):
    """[(names, argument)] of the options, {command: [subcommands]}."""
    options, commands, section = [], {}, None
    for line in text.splitlines():
        match = re.match(r"^ {2,6}(-\S.*?)(?: {2,}.*)?$", line)
        if match and section is None:
            names = [name for name in re.findall(r"(?:^|, )(--?[A-Za-z0-9?][\w-]*)", match[1])]
            options.append((names, (re.findall(r"=(\S+)", match[1]) + [""])[0]))
        elif re.match(r"^\S.*:$", line):
            section = line
        elif section and section.startswith("Commands"):
            match = re.match(r"^  ([a-z][a-z-]*)(?: ([a-z][a-z|-]*))?(?: .*)?$", line)
            if match:
                commands.setdefault(match[1], [])
                if match[2]:
                    commands[match[1]] += match[2].split("|")
            elif line.strip() == "":
                section = ""
    return options, commands


def completion(program):
    name = os.path.basename(program)
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True, env=dict(os.environ, COLUMNS="80")).stdout
    options, commands = parse(text)
    of_commands = ARGUMENTS.get(name, {})
    gone = set(of_commands) - set(commands)
    if gone:
        sys.exit(f"completion.py: {name} has no command {' '.join(sorted(gone))} any more")
    arguments, takes = [], []
    for names, argument in options:
        if argument:
            takes += names
            action = kind(argument)
            arguments += [f"\t\t{' | '.join(names)})\n\t\t\t{action}\n\t\t\t;;"] if action else []
    shown = [n + ("=" if argument else "") for names, argument in options for n in names if n.startswith("--")]
    part = ""
    if commands:
        cases = []
        for command, subs in commands.items():
            if subs:
                cases.append(f"\t\t{command})\n\t\t\tif [[ -z $sub ]]; then\n\t\t\t\tfound=({' '.join(subs)})\n\t\t\telse\n\t\t\t\t"
                             f"{FILES}\n\t\t\tfi\n\t\t\t;;")
            elif command in of_commands:
                cases.append(f"\t\t{command})\n\t\t\t{kind(of_commands[command])}\n\t\t\t;;")
        cases.append(f"\t\t'') found=({' '.join(commands)}) ;;\n\t\t*) {PORTS} ;;")
        part = "\telse\n\t\tcase $command in\n" + "\n".join(cases) + "\n\t\tesac\n"
    return TEMPLATE % {"name": name, "function": re.sub(r"\W", "_", name), "takes": " | ".join(takes) or "''",
                       "arguments": "\n".join(arguments) or "\t\t*) ;;", "options": " ".join(shown), "commands": part}


if __name__ == "__main__":
    sys.stdout.write(completion(sys.argv[1]))
