# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way between two homes by itself, what waits in silence beside the one in use, and what
comes when the servers go. TAP on standard output."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_moving import Visit, check, run_scenarios   # enters the laboratory
import netlab
from lab import run

# What a waiting relay may carry in a second, both ways: signs of life, refreshes, ICE's checks.
STANDBY_BYTES_PER_S = 5000
FILE_BYTES = 20_000_000


class Counter:
    """Bytes that pass the servers, in and out."""

    def __enter__(self):
        run("nft", "add table inet count; "
            "add counter inet count served; "
            "add chain inet count in { type filter hook input priority 0; }; "
            "add chain inet count out { type filter hook output priority 0; }; "
            f"add rule inet count in ip daddr {{ {netlab.SIGNAL}, {netlab.TURN}, {netlab.TURN_2} }} counter name served; "
            f"add rule inet count out ip saddr {{ {netlab.SIGNAL}, {netlab.TURN}, {netlab.TURN_2} }} counter name served")
        return self

    def __exit__(self, *_):
        run("nft", "delete table inet count")

    @property
    def bytes(self):
        listed = json.loads(subprocess.run(["nft", "-j", "list", "counters"], check=True,
                                           capture_output=True).stdout)
        return sum(item["counter"]["bytes"] for item in listed["nftables"] if "counter" in item)


# a, b behind ordinary routers; each kind of path is all that is allowed beside the rendezvous server's relay
def each_kind_carries_a_file_by_itself(scene):
    for name in ("a", "b"):
        scene.home(name, "port-restricted", delay=5)
    for kind in ("signal-relay", "turn-tcp", "turn-udp", "direct-udp", "direct-tcp"):
        visit = scene.visit(file_bytes=1_000_000, paths=kind, wait_for=(kind,))
        check(set(visit.kinds()) == {kind}, f"{visit.kinds()} instead of {kind}")
        visit.finish()


# a, b behind ordinary routers; relays come up first and stay, and the file goes directly
def relays_wait_in_silence(scene):
    for name in ("a", "b"):
        scene.home(name, "port-restricted", delay=5)
    visit = scene.visit(wait_for=("direct-tcp",))
    time.sleep(1)   # what was sent before the change has arrived
    with Counter() as counter:
        begin = time.monotonic()
        visit.send(FILE_BYTES)
        visit.receiver.wait("progress", 60, state="done")
        allowed = STANDBY_BYTES_PER_S * (time.monotonic() - begin + 1)
        got = counter.bytes
    check(got < allowed, f"{got} bytes passed the servers beside {FILE_BYTES}: more than {allowed:.0f}")
    visit.finish()


# a, b behind ordinary routers; the rendezvous server and coturn die while a file is under way
def without_servers_the_session_goes_on(scene):
    for name in ("a", "b"):
        scene.home(name, "port-restricted", delay=5, rate=40)
    visit = scene.visit(file_bytes=20_000_000, wait_for=("direct-tcp",))
    marks = [cli.mark() for cli in visit.both]
    scene.lab.signald.stop()
    scene.lab.coturn.stop()
    try:
        visit.receiver.wait("progress", 60, state="done")
        check(not any(e["event"] == "path" for cli, mark in zip(visit.both, marks) for e in cli.events[mark:]),
              "another path was taken")
        # And finds its way from one kind to the other, on what the session itself carries.
        mark = visit.sender.mark()
        visit.sender.command("paths direct-udp")
        visit.sender.wait("path", 30, after=mark, kind="direct-udp")
    finally:
        scene.lab.coturn.start()
        scene.lab.signald.start()
    visit.finish()


# a, b behind ordinary routers; all is lost while no server runs, and the server returns
def all_is_found_again_when_the_server_returns(scene):
    homes = [scene.home(name, "port-restricted", delay=5) for name in ("a", "b")]
    visit = scene.visit(wait_for=("direct-tcp",))
    marks = [cli.mark() for cli in visit.both]
    scene.lab.signald.stop()
    for home in homes:
        home.cut()
    for cli, mark in zip(visit.both, marks):
        cli.wait("path", 20, after=mark, kind="none")
    marks = [cli.mark() for cli in visit.both]
    for home in homes:
        home.flush()
        home.restore()
    scene.lab.signald.start()
    for cli, mark in zip(visit.both, marks):
        cli.wait("path", 40, after=mark, kind="direct-tcp")
    visit.send(1_000_000)
    visit.finish()


if __name__ == "__main__":
    sys.exit(run_scenarios([each_kind_carries_a_file_by_itself, relays_wait_in_silence,
                            without_servers_the_session_goes_on, all_is_found_again_when_the_server_returns]))
