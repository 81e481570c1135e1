#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bash completion of a program from what its --help says, so that the two cannot differ: completion.py PROGRAM > FILE.

Options are lines of argp's help, "  -x, --option=ARG   text"; ARG says what can follow. Commands are the lines with two
spaces below "Commands:". What their arguments are stands in ARGUMENTS, and each of its names must be in the help; or in the
command's own --help, if its line names that.
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

# Arguments of commands; all others take ports. A command whose line says so has a --help of its own.
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
	# The command, its word, and the option that waits for its argument.
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
		case $command:$option in
%(arguments)s
		esac
	elif [[ $cur == -* ]]; then
		case $command in
%(options)s
		esac
	else
		case $command:$sub in
%(words)s
		esac
	fi
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
    """[(names, argument)] of the options, {command: its line}, words of the usage line after [OPTION...]."""
    options, commands, section = [], {}, None
    usage = re.match(r"Usage: .*?\[OPTION\.\.\.\](.*)", text)[1].split()
    for line in text.splitlines():
        match = re.match(r"^ {2,6}(-\S.*?)(?: {2,}.*)?$", line)
        if match and section is None:
            names = re.findall(r"(?:^|, )(--?[A-Za-z0-9?][\w-]*)", match[1])
            options.append((names, (re.findall(r"=(\S+)", match[1]) + [""])[0]))
        elif re.match(r"^\S.*:$", line):
            section = line
        elif section and section.startswith("Commands"):
            match = re.match(r"^  ([a-z][a-z-]*) {2,}(.*)$", line)
            if match:
                commands[match[1]] = match[2]
            elif not line.strip():
                section = ""
    return options, commands, usage


def case(pattern, action):
    return f"\t\t{pattern})\n\t\t\t{action}\n\t\t\t;;"


def long_options(options):
    return "found=(" + " ".join(n + ("=" if argument else "") for names, argument in options for n in names if n.startswith("--")) + ")"


def completion(program):
    name = os.path.basename(program)

    def ask(*words):
        done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True, env=dict(os.environ, COLUMNS="80"))
        return parse(done.stdout)

    options, commands, _ = ask()
    of_commands = ARGUMENTS.get(name, {})
    gone = set(of_commands) - set(commands)
    if gone:
        sys.exit(f"completion.py: {name} has no command {' '.join(sorted(gone))} any more")
    parts = {command: ask(command) for command, line in commands.items() if f"{name} {command} --help" in line}
    takes, arguments, shown, words = {}, [], [], []
    for command, (own, _, _) in [*parts.items(), ("*", (options, None, None))]:
        for names, argument in own:
            takes.update(dict.fromkeys(names if argument else []))
            if argument and kind(argument):
                arguments.append(case(" | ".join(f"{command}:{n}" for n in names), kind(argument)))
        shown.append(case(command, long_options(own)))
    for command, (_, subs, usage) in parts.items():
        words.append(case(f"{command}:", f"found=({' '.join(subs)})"))
        words.append(case(f"{command}:*", kind(usage[1]) if len(usage) > 1 else ":"))
    words += [case(f"{command}:*", kind(argument)) for command, argument in of_commands.items()]
    if commands:
        words += [case(":", f"found=({' '.join(commands)})"), case("*", PORTS)]
    return TEMPLATE % {"name": name, "function": re.sub(r"\W", "_", name), "takes": " | ".join(takes) or "''",
                       "arguments": "\n".join(arguments) or "\t\t*) ;;", "options": "\n".join(shown), "words": "\n".join(words) or "\t\t*) ;;"}


if __name__ == "__main__":
    sys.stdout.write(completion(sys.argv[1]))
