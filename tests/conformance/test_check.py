#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the test `conformance` takes for a clause that is met, with made-up tests: the test as a whole has passed, the case is named
in full, the procedure is called in the test's own sources, and nothing is older than what it tests."""

import os
import sys
import tempfile

import check

LOG = """[       OK ] cmocka_case
ok   size 256
ok   chain of two loops, sink
ok      large packets: 12 packets of 2900 bytes on average A to B
migration: 3 MiB in 2 s: ok (2 s)
FAILED  figure
ok   after the failure
1 passed, 0 failed
"""
SOURCE = "task automatic test_defined();\nendtask\n// test_commented();\n  test_called();\n"
CASES = (
    # reference, holds if the test passed
    ("t", True),
    ("t:cmocka_case", True),
    ("t:cmocka", False),
    ("t:size 256", True),
    ("t:size 2", False),
    ("t:chain of two loops", False),
    ("t:chain of two loops, sink", True),
    ("t:large packets", True),
    ("t:large packets: * packets of * bytes on average A to B", True),
    ("t:large packets: * packets of * bytes on average B to A", False),
    ("t:large", False),
    ("t:average A to B", False),
    ("t:migration", True),
    ("t:figure", False),
    ("t:size (256)", False),
    ("t#test_called", True),
    ("t#test_defined", False),
    ("t#test_commented", False),
)


def write(path, text, age=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    now = os.path.getmtime(path)
    os.utime(path, (now - age, now - age))


def main():
    passed = failed = 0

    def expect(got, wanted, what):
        nonlocal passed, failed
        good = got == wanted
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok  ' if good else 'FAILED'} {what}" + ("" if good else f": {got!r} instead of {wanted!r}"))

    with tempfile.TemporaryDirectory() as build:
        path = [os.path.join(build, "test", "t", name) for name in ("log", "result")]
        for result, passes in (("ok\n", True), ("exit code 1\n", False), ("its counts\n", False), (None, False)):
            write(path[0], LOG)
            if result:
                write(path[1], result)
            else:
                os.unlink(path[1])
            runs = {"t": check.read_run(build, "t")}
            for text, holds in CASES:
                problem = check.problem_of(check.Reference(text), runs, SOURCE)
                expect(problem is None, holds and passes, f"{text}, test {(result or 'not ended').strip()}")

        dependency = os.path.join(build, "program")
        expect(check.stale(build, "t", []), True, "a test without result is run")
        write(path[1], "ok\n", 100)
        write(dependency, "", 200)
        expect(check.stale(build, "t", [dependency, ""]), False, "one that is newer than its program is not")
        write(dependency, "")
        expect(check.stale(build, "t", [dependency]), True, "one that is older than its program is run")
        expect(check.stale(build, "t", [dependency + "2"]), True, "one whose program is not there is run")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
