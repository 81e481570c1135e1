#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each program of the chain is killed in turn, on the simulated card, and packets move again.

front end - vhp-vdpad - vhp-sim - far end that echoes. Usage: test_restart.py BUILD_DIR
"""
import os
import signal
import sys
import traceback

from vdpa_rig import Failure, FrontEnd, Rig, check

STEPS = []


def step(text):
    return lambda function: STEPS.append((text, function))


@step("packets go round")
def begin(rig):
    rig.far = rig.start_far_ends()
    rig.guest = FrontEnd(rig.path("vm0.sock"))
    rig.guest.start()
    rig.connected()
    rig.guest.round_trip(0)


@step("the front end is gone: the port is free, the next one is served")
def front_end(rig):
    rig.guest.close()
    rig.free()
    check(rig.status()["card_state"] == "down", rig.status()["card_state"])
    rig.guest = FrontEnd(rig.path("vm0.sock"))
    rig.guest.start()
    rig.connected()
    rig.guest.round_trip(0)


@step("the far end is killed: the port waits, the next driver is connected")
def far_end(rig):
    rig.far.end(signal.SIGKILL)
    rig.until("waiting", lambda: rig.status()["card_state"] == "waiting for the driver")
    rig.far = rig.start_far_ends()
    rig.connected()
    rig.guest.round_trip(1)


@step("the daemon is killed: the next one takes the card over, with the same vhost_pci_id however the card is named")
def daemon(rig):
    before = rig.status()["vhost_pci_id"]
    rig.daemon.end(signal.SIGKILL)
    check(rig.guest.closed(), "still connected")
    rig.guest.close()
    rig.fn0 = rig.path("fn0.sock")
    rig.daemon = rig.start_daemon()
    check(rig.status()["vhost_pci_id"] == before, f"vhost_pci_id {rig.status()['vhost_pci_id']}, before {before}")
    rig.guest = FrontEnd(rig.path("vm0.sock"))
    rig.guest.start()
    rig.connected()
    rig.guest.round_trip(0)


@step("the simulator is killed: the daemon lives and takes the next card, the front end goes on where its rings stand")
def simulator(rig):
    losses = rig.stats()["card_losses"]
    rig.card.end(signal.SIGKILL)
    rig.daemon.wait_for("the card is gone")
    rig.far.end(signal.SIGKILL)
    s = rig.status()
    check(s["phase"] == "the card is gone" and s["card_error"] == "the card is gone", str(s))
    rig.card = rig.start_card()
    rig.daemon.wait_for("the card is back")
    rig.far = rig.start_far_ends()
    rig.connected()
    rig.guest.round_trip(1)
    check(rig.stats()["card_losses"] == losses + 1 and rig.daemon.count("the card is gone") == 1, "logged more than once")


@step("the simulator is killed, and the front end changes before the next one is there")
def simulator_and_front_end(rig):
    rig.card.end(signal.SIGKILL)
    rig.daemon.wait_for("the card is gone", 2)
    rig.far.end(signal.SIGKILL)
    rig.guest.close()
    rig.free()
    rig.guest = FrontEnd(rig.path("vm0.sock"))
    rig.guest.start()
    rig.daemon.wait_for("it is served when the card is back")
    rig.card = rig.start_card()
    rig.daemon.wait_for("the card is back", 2)
    rig.far = rig.start_far_ends()
    rig.connected()
    rig.guest.round_trip(0)
    rig.guest.close()


@step("a front end that listens: it finds a new daemon by itself, its rings go on where they were")
def client_mode(rig):
    check(rig.daemon.end() == 0, "exit status of the daemon")
    check(not os.path.exists(rig.path("vm0.sock")), "the socket is left")
    front = rig.front("front.sock", extra=",server=1")
    rig.options = ("--client", "--iface", "front.sock")
    rig.daemon = rig.start_daemon()
    front.wait_for("testpmd> ")
    front.say("start tx_first 1")
    rig.connected()
    rig.moves()
    rig.daemon.end(signal.SIGKILL)
    rig.daemon = rig.start_daemon()
    rig.connected()
    front.say("stop")
    front.wait_for("Accumulated forward statistics")
    front.say("start tx_first 1")
    rig.moves()


@step("SIGTERM: clean ends")
def terminate(rig):
    check(rig.daemon.end() == 0, "daemon")
    check(rig.card.end() == 0, "simulator")


def main():
    passed, rig = 0, None
    try:
        rig = Rig("restart")
        for text, function in STEPS:
            print(f"- {text}", flush=True)
            function(rig)
            passed += 1
    except Exception as e:
        print(f"FAILED: {e if isinstance(e, Failure) else traceback.format_exc()}")
        print(rig.tails() if rig else "")
    finally:
        if rig:
            rig.close()
    print(f"{passed} passed, {len(STEPS) - passed} failed")
    return passed != len(STEPS)


if __name__ == "__main__":
    sys.exit(main())
