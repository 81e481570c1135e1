#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make install into a directory of its own: what is there runs and is well-formed; make uninstall leaves nothing.

Usage: test_install.py BUILD_DIR
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

BUILD = os.path.abspath(sys.argv[1])
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PREFIX = "/opt/vhp"
EXPECTED = """
bin/vhp-sim bin/vhp-sim-full bin/vhp-vdpad bin/vhpctl
lib/modules-load.d/vhost-pci-net.conf
lib/pkgconfig/vhost-pci-net.pc
lib/systemd/system/vhp-vdpad@.service
lib/sysusers.d/vhost-pci-net.conf
lib/udev/rules.d/60-vhost-pci-net.rules
lib/vhost-pci-net/librte_net_vhost_pci.so lib/vhost-pci-net/librte_vdpa_vhost_pci.so
share/bash-completion/completions/vhp-sim share/bash-completion/completions/vhp-vdpad share/bash-completion/completions/vhpctl
share/doc/vhost-pci-net/LICENSE share/doc/vhost-pci-net/README.md share/doc/vhost-pci-net/operating.md
share/doc/vhost-pci-net/examples/card.conf share/doc/vhost-pci-net/examples/vm-a.xml share/doc/vhost-pci-net/examples/vm-b.xml
share/man/man1/vhp-sim.1 share/man/man1/vhpctl.1 share/man/man8/vhp-vdpad.8
share/vhost-pci-net/firmware.bin share/vhost-pci-net/firmware.hex
""".split()
passed = failed = 0


def check(good, text, details=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok     ' if good else 'FAILED '} {text}", flush=True)
    if not good and details:
        print("".join(f"    | {line}\n" for line in str(details).splitlines()[:40]), end="", flush=True)
    return good


def run(*argv, **options):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                          **options)
    return done.returncode, done.stdout


def have(tool):
    """Not needed to build, so a machine that has all else may lack them; the toolchain root has them."""
    if not shutil.which(tool):
        print(f"skipped {tool} is not on this machine")
    return shutil.which(tool)


def make(target, destdir, prefix=PREFIX):
    # What calls this is make too: its flags and job server are not ours.
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return run("make", "--no-print-directory", "-C", TOP, target, f"B={os.path.relpath(BUILD, TOP)}", f"DESTDIR={destdir}",
               f"PREFIX={prefix}", env=env)


def files(root):
    return sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names)


def programs(root):
    for name in ("vhp-sim", "vhp-sim-full", "vhp-vdpad", "vhpctl"):
        path = f"{root}/bin/{name}"
        code, text = run(path, "--help")
        check(code == 0 and "Usage: " in text, f"{name} --help runs from there", text)
        code, text = run(path, "--version")
        check(code == 0 and re.search(r" \d+\.\d+\.\d+$", text.strip()), f"{name} --version: {text.strip()}", text)
    # Beyond --help: the simulator finds its firmware, the daemon its plugin, without the build directory.
    with tempfile.TemporaryDirectory(prefix="vhp-") as sockets:
        sim = subprocess.Popen([f"{root}/bin/vhp-sim", "--socket-dir", sockets, "--ports", "1"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = sim.stdout.readline().strip()
        check(line == "ready", "vhp-sim finds its firmware and gets ready", line)
        daemon = subprocess.Popen([f"{root}/bin/vhp-vdpad", "--socket", f"{sockets}/fn0.sock", "--iface", f"{sockets}/vhost.sock",
                                   "--file-prefix", os.path.basename(sockets)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        lines = []
        while "ready\n" not in lines and (line := daemon.stdout.readline()):
            lines.append(line)
        check("ready\n" in lines, "vhp-vdpad finds its plugin and gets ready", "".join(lines))
        for process in (daemon, sim):
            process.terminate()
            process.stdout.read()
            process.wait(60)


def plugins(root):
    # EAL refuses plugins below world-writable directories such as /tmp, so they are given by name.
    for name, driver in (("librte_net_vhost_pci.so", "net_vhost_pci"), ("librte_vdpa_vhost_pci.so", "vdpa_vhost_pci")):
        env = dict(os.environ, LD_LIBRARY_PATH=f"{root}/lib/vhost-pci-net")
        with open(f"{root}/lib/vhost-pci-net/{name}", "rb") as f:
            check(driver.encode() in f.read(), f"{name} registers {driver}")
        code, text = run("ldd", "-r", f"{root}/lib/vhost-pci-net/{name}", env=env)
        check(code == 0 and "not found" not in text and "undefined" not in text, f"{name}: every symbol is there", text)


def pkg_config(root):
    env = dict(os.environ, PKG_CONFIG_PATH=f"{root}/lib/pkgconfig")
    for name, expected in (("plugindir", PREFIX + "/lib/vhost-pci-net"), ("firmware", PREFIX + "/share/vhost-pci-net/firmware.hex")):
        code, text = run("pkg-config", f"--variable={name}", "vhost-pci-net", env=env)
        check(code == 0 and text.strip() == expected and os.path.exists(root + expected.removeprefix(PREFIX)),
              f"pkg-config: {name} is {text.strip()}, which is there", text)
    release = run("pkg-config", "--modversion", "libdpdk")[1].strip()
    text = run("pkg-config", "--variable=dpdk_release", "vhost-pci-net", env=env)[1].strip()
    check(re.fullmatch(r"\d\d\.\d\d", text) and release.startswith(text), f"pkg-config: dpdk_release is {text}", release)
    check(run("pkg-config", "--validate", "vhost-pci-net", env=env)[0] == 0, "pkg-config: the file is valid")


def service(root, work):
    unit = f"{root}/lib/systemd/system/vhp-vdpad@.service"
    with open(unit) as f:
        text = f.read()
    check("@PREFIX@" not in text and f"ExecStart={PREFIX}/bin/vhp-vdpad " in text, "the unit starts the installed program")
    # Every option of its command line is one that the program has.
    known = set(re.findall(r"--[a-z-]+", run(f"{root}/bin/vhp-vdpad", "--help")[1]))
    with open(f"{root}/share/doc/vhost-pci-net/examples/card.conf") as f:
        lines = re.findall(r"^(?:ExecStart|VHP_[A-Z]+|Environment=\"VHP_[A-Z]+)=.*", text + f.read(), re.M)
    used = set(re.findall(r"(?<= )--[a-z-]+|(?<==)--[a-z-]+", "\n".join(lines)))
    check({"--file-prefix", "--pci", "--iface", "--mac"} <= used <= known, "unit and example use options that vhp-vdpad has: "
          + " ".join(sorted(used)), used - known)
    # verify looks for ExecStart= on this machine.
    os.makedirs(f"{work}/units")
    with open(f"{work}/units/vhp-vdpad@.service", "w") as f:
        f.write(text.replace(PREFIX + "/bin/", root + "/bin/"))
    if have("systemd-analyze"):
        code, out = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"{work}/units/vhp-vdpad@.service",
                        env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{work}/units:"))
        check(code == 0 and "vhp-vdpad" not in out, "systemd-analyze verify takes the unit", out)
        code, out = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", f"{work}/units/vhp-vdpad@.service")
        level = re.search(r"exposure level.*?: ([\d.]+)", out)
        check(code == 0 and level, f"systemd-analyze security: exposure {level and level[1]} of 10, at most 2 wanted", out)
    rules = f"{root}/lib/udev/rules.d/60-vhost-pci-net.rules"
    if have("udevadm"):
        # The group is made by sysusers.d, not on this machine.
        code, out = run("udevadm", "verify", "--resolve-names=never", "--no-style", rules)
        check(code == 0, "udevadm verify takes the rules", out)
    with open(rules) as f:
        text = f.read()
    check(f"{PREFIX}/bin/vhpctl bind" in text, "the rules start the installed vhpctl")
    if have("systemd-sysusers"):
        code, out = run("systemd-sysusers", "--dry-run", f"{root}/lib/sysusers.d/vhost-pci-net.conf")
        check(code == 0 and "vhost-pci" in out, "systemd-sysusers would make the user vhost-pci", out)
    if have("sysctl"):
        code, out = run("sysctl", "--dry-run", "-p", f"{root}/share/doc/vhost-pci-net/examples/hugepages.conf")
        check(code == 0 and "vm.nr_hugepages" in out, "sysctl knows what the example sets", out)


def examples(root):
    trees = {}
    for path in sorted(glob.glob(f"{root}/share/doc/vhost-pci-net/examples/*.xml")):
        try:
            trees[os.path.basename(path)] = xml.etree.ElementTree.parse(path).getroot()
            check(trees[os.path.basename(path)].tag == "domain", f"{os.path.basename(path)} is a well-formed domain")
        except xml.etree.ElementTree.ParseError as e:
            check(False, f"{os.path.basename(path)}: {e}")
    a, b = trees["vm-a.xml"], trees["vm-b.xml"]
    check(a.find("memoryBacking/access").get("mode") == "shared", "VM A: memory is shared")
    interface = a.find("devices/interface[@type='vhostuser']")
    with open(f"{root}/lib/systemd/system/vhp-vdpad@.service") as f:
        socket = re.search(r"--iface (\S+)\"", f.read())[1].replace("%t", "/run").replace("%i", "0000:01:00.0")
    check(interface.find("source").get("path") == socket and interface.find("source").get("mode") == "client",
          f"VM A: its socket is the service's: {socket}")
    check(interface.find("driver").get("page_per_vq") == "on" and interface.find("model").get("type") == "virtio",
          "VM A: virtio with a page per queue")
    address = b.find("devices/hostdev/source/address")
    check(address.get("function") == "0x1" and b.find("devices/iommu") is not None, "VM B: function 1, and an IOMMU of its own")


def complete(root, name, line):
    """What bash offers at the end of the line."""
    script = (f'source "{root}/share/bash-completion/completions/{name}"; COMP_LINE="$1" COMP_POINT=${{#1}}; '
              f'_{name.replace("-", "_")} 2>/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"')
    env = dict(os.environ, PATH=f"{root}/bin:{os.environ['PATH']}")
    code, text = run("bash", "--norc", "-c", script, "bash", line, env=env, cwd=f"{root}/share/vhost-pci-net")
    return sorted(word for word in text.split("\n") if word) if code == 0 else [text]


def completions(root):
    for name in ("vhpctl", "vhpctl image", "vhpctl flash", "vhp-sim", "vhp-vdpad"):
        program, *command = name.split()
        # --usage lists the options in another form than --help, from which the completion is made.
        usage = re.sub(r"\s+", " ", run(f"{root}/bin/{program}", *command, "--usage")[1])
        wanted = sorted({option + ("=" if argument else "") for option, argument in re.findall(r"\[(--[a-z-]+)(=)?", usage)})
        got = complete(root, program, f"{name} --")
        check(len(wanted) > 4 and got == wanted, f"{name}: completion offers its {len(wanted)} long options",
              f"only in --usage: {set(wanted) - set(got)}, only offered: {set(got) - set(wanted)}")
        check(run("bash", "-n", f"{root}/share/bash-completion/completions/{program}")[0] == 0, f"{program}: bash parses the completion")
        if command:
            words = re.search(r"Commands:\n((?:.+\n)+)", run(f"{root}/bin/{program}", *command, "--help")[1])[1]
            verbs = sorted(re.findall(r"^  ([a-z]+)  ", words, re.M))
            check(verbs and complete(root, program, f"{name} ") == verbs, f"{name}: completion offers {' '.join(verbs)}",
                  complete(root, program, f"{name} "))
    # The commands that vhpctl itself names when it does not know one.
    words = run(f"{root}/bin/vhpctl", "no-such-command")[1].split("want one of ")[-1].split(" (")[0].split()
    check(complete(root, "vhpctl", "vhpctl ") == sorted(words) and "bind" in words, f"vhpctl: completion offers its {len(words)} commands",
          f"{complete(root, 'vhpctl', 'vhpctl ')} instead of {words}")
    check(complete(root, "vhpctl", "vhpctl --json st") == ["stats", "status"], "vhpctl --json st: stats, status")
    check(complete(root, "vhpctl", "vhpctl image show firmware.b") == ["firmware.bin"], "vhpctl image show: files")
    check(complete(root, "vhpctl", "vhpctl flash write --image firmware.b") == ["firmware.bin"], "vhpctl flash write --image: files")
    check(complete(root, "vhpctl", "vhpctl --file-prefix x li") == ["list"], "an option's argument is no command")
    check(complete(root, "vhpctl", "vhpctl stats 9") == [], "vhpctl stats: ports of this host, of which there are none")
    check(complete(root, "vhp-sim", "vhp-sim --config-window p") == ["pcie4"], "vhp-sim --config-window p: pcie4")
    check(complete(root, "vhp-sim", "vhp-sim --config-window=") == ["full", "pcie4"], "vhp-sim --config-window=: full, pcie4")
    check(complete(root, "vhp-sim", "vhp-sim --firmware firmware.h") == ["firmware.hex"], "vhp-sim --firmware: files")
    check(complete(root, "vhp-vdpad", "vhp-vdpad --aperture ") == ["off", "on"], "vhp-vdpad --aperture: on, off")
    check(complete(root, "vhp-vdpad", "vhp-vdpad --ifa") == ["--iface="], "vhp-vdpad --ifa: --iface=")


def manuals(root):
    for page in ("man1/vhpctl.1", "man1/vhp-sim.1", "man8/vhp-vdpad.8"):
        with open(f"{root}/share/man/{page}") as f:
            text = f.read()
        check(text.startswith(".TH ") and all(f".SH {part}\n" in text for part in ("NAME", "SYNOPSIS", "OPTIONS")),
              f"{page} has name, synopsis and options", text)


def main():
    with tempfile.TemporaryDirectory(prefix="vhp-install.") as work:
        dest = f"{work}/dest"
        code, text = make("install", dest)
        if not check(code == 0, f"make install DESTDIR= PREFIX={PREFIX}", text):
            return
        root = dest + PREFIX
        have = files(dest)
        print("\n".join(f"    {name}" for name in have))
        check(all(name.startswith(PREFIX[1:] + "/") for name in have), "nothing outside PREFIX")
        lacking = [name for name in EXPECTED if f"{PREFIX[1:]}/{name}" not in have]
        check(not lacking, f"{len(have)} files, all that are expected", f"not there: {lacking}")
        text = "".join(open(f"{dest}/{name}", errors="replace").read() for name in have
                       if re.search(r"\.(service|rules|pc|conf)$", name))
        check(not re.search(r"@[A-Z_]+@", text) and dest not in text and TOP not in text, "no path of this build in the text files")
        modes = {oct(os.stat(f"{dest}/{name}").st_mode & 0o777) for name in have}
        check(modes == {"0o755", "0o644"}, f"modes are 755 and 644: {modes}")
        programs(root)
        plugins(root)
        pkg_config(root)
        service(root, work)
        examples(root)
        completions(root)
        manuals(root)
        # A file of another package in a directory of ours stays.
        other = f"{root}/lib/vhost-pci-net/of-another-package"
        open(other, "w").close()
        code, text = make("uninstall", dest)
        check(code == 0 and files(dest) == [os.path.relpath(other, dest)], "make uninstall leaves only what is not ours", files(dest))
        os.unlink(other)
        make("uninstall", dest)
        left = [folder for folder, _, names in os.walk(dest) if folder.endswith("vhost-pci-net")]
        check(files(dest) == [] and left == [], "make uninstall again: nothing is left", left)
        code, text = make("install", f"{work}/other", "relative/prefix")
        check(code != 0 and "absolute" in text and not files(f"{work}/other"), "a relative PREFIX is refused", text)


if __name__ == "__main__":
    main()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
