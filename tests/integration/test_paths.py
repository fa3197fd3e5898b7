# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way between two homes by itself, what waits in silence beside the one in use, and what
comes when the servers go. TAP on standard output."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_moving import check, run_scenarios, say   # enters the laboratory
import netlab
from lab import run

# What a waiting relay may carry in a second, both ways: signs of life, refreshes, ICE's checks.
STANDBY_BYTES_PER_S = 5000
FILE_BYTES = 20_000_000


class Counter:
    """Bytes that pass each server, in and out, by protocol."""
    SERVERS = {"signald": netlab.SIGNAL, "turn": netlab.TURN, "turn-2": netlab.TURN_2}

    def __enter__(self):
        rules = ["add table inet count", "add chain inet count in { type filter hook input priority 0; }",
                 "add chain inet count out { type filter hook output priority 0; }"]
        for name, address in self.SERVERS.items():
            for protocol in ("tcp", "udp"):
                counter = f"{name}-{protocol}"
                rules += [f"add counter inet count {counter}",
                          f"add rule inet count in ip daddr {address} meta l4proto {protocol} counter name {counter}",
                          f"add rule inet count out ip saddr {address} meta l4proto {protocol} counter name {counter}"]
        run("nft", "; ".join(rules))
        self.since = {}
        return self

    def __exit__(self, *_):
        run("nft", "delete table inet count")

    def take(self):
        """What passed since it was asked last."""
        listed = json.loads(subprocess.run(["nft", "-j", "list", "counters"], check=True,
                                           capture_output=True).stdout)
        now = {item["counter"]["name"]: item["counter"]["bytes"] for item in listed["nftables"] if "counter" in item}
        passed = {name: count - self.since.get(name, 0) for name, count in now.items()}
        self.since = now
        return passed


def history(visit):
    """Each side's paths and attempts, and when."""
    begin = visit.sender.events[0]["time_us"]
    return "\n".join(f"{cli.name} {(e['time_us'] - begin) / 1e6:.2f} s: "
                     f"{ {key: value for key, value in e.items() if key != 'time_us'} }"
                     for cli in visit.both for e in cli.events if e["event"] in ("path", "attempts"))


def wait_until_searches_end(visit, counter):
    """All attempts have come to something, both networks are known, and the last search, the relay's for
    its packet size, has ended: nobody tells of it, but the servers have nothing to do then."""
    def over(state):
        return state != "trying"
    methods = ("turn-tcp", "turn-udp", "ice", "tcp-punch")
    for cli in visit.both:
        cli.wait("attempts", 40, our_network=True, their_network=True, **dict.fromkeys(methods, over))
    end = time.monotonic() + 30
    while True:
        counter.take()
        time.sleep(1)
        passed = counter.take()
        if sum(passed.values()) < STANDBY_BYTES_PER_S:
            return
        check(time.monotonic() < end, f"the servers do not come to rest: {passed}\n{history(visit)}")


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
        # Slow enough that their signs of life, which come in bursts, are counted over seconds.
        scene.home(name, "port-restricted", delay=5, rate=40)
    visit = scene.visit(wait_for=("direct-tcp",))
    with Counter() as counter:
        wait_until_searches_end(visit, counter)
        begin = time.monotonic()
        counter.take()
        visit.send(FILE_BYTES)
        visit.receiver.wait("progress", 60, state="done")
        took_s = time.monotonic() - begin
        allowed = STANDBY_BYTES_PER_S * (took_s + 1)
        passed = counter.take()
    say(f"{passed} beside {FILE_BYTES} bytes in {took_s:.1f} s")
    check(max(passed.values()) < allowed,
          f"{passed} bytes passed a server beside {FILE_BYTES}: more than {allowed:.0f}\n{history(visit)}")
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
