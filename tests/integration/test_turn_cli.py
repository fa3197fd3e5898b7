# SPDX-License-Identifier: GPL-3.0-or-later
"""Relayed visits from end to end, in the laboratory: real coturn, real signald, real clients whose
networks let nothing better through, or who are told to use nothing better. TAP on standard output."""
import functools
import hashlib
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
import netlab
import lab as labs
from lab import Cli, Failure, run_tap

labs.enter()

MIB = 1024 * 1024


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


class Visit:
    """Two new homes with the profiles, LEG_MS away from the servers one way, limited to the paths."""
    n = 0

    def __init__(self, lab, server, inviter, joiner, paths, leg_ms=10, prepare=None, **options):
        Visit.n += 1
        self.lab, self.homes, self.clis = lab, [], []
        self.folder = lab.make_folder(f"got-{Visit.n}")
        try:
            for role, profile in (("i", inviter), ("j", joiner)):
                self.homes.append(lab.home(f"{role}{Visit.n}", profile, delay=leg_ms, **options))
            if prepare is not None:
                prepare(self.homes)
            more = ("--commands", "--paths", paths)
            self.sender = Cli(lab, server, "send", *more, host=self.homes[0].name)
            self.clis.append(self.sender)
            code = self.sender.code()
            self.began = time.monotonic()
            self.receiver = Cli(lab, server, "receive", "--yes", "--folder", self.folder, *more,
                                host=self.homes[1].name, code=code)
            self.clis.append(self.receiver)
        except BaseException:
            self.close()
            raise

    def wait_for(self, kind, seconds=20):
        for cli in self.clis:
            cli.wait("path", seconds, kind=kind)
        took = time.monotonic() - self.began
        for cli in self.clis:
            cli.wait("state", seconds, state="active")
        return took

    def send(self, n_bytes, seconds=60):
        """Seconds that a file took, of which the other side has every byte."""
        path = self.lab.path(f"file-{Visit.n}-{n_bytes}")
        content = os.urandom(n_bytes)
        with open(path, "wb") as out:
            out.write(content)
        began = time.monotonic()
        # Each file's end is told by itself.
        since = self.receiver.mark()
        self.sender.command(f"send {path}")
        self.receiver.wait("progress", seconds, after=since, state="done")
        took = time.monotonic() - began
        with open(os.path.join(self.folder, os.path.basename(path)), "rb") as file:
            check(hashlib.sha256(file.read()).digest() == hashlib.sha256(content).digest(), "the file differs")
        return took

    def kinds(self):
        return tuple([e["kind"] for e in cli.events if e["event"] == "path"][-1] for cli in self.clis)

    def stop(self):
        self.sender.command("stop")
        for cli in self.clis:
            cli.wait("end", 20)

    def close(self):
        for cli in self.clis:
            cli.close()
        for home in self.homes:
            home.remove()


def relayed(kind, inviter, joiner):
    """A visit over KIND only (and the rendezvous server), and a file over it."""
    def scenario(lab, server):
        visit = Visit(lab, server, inviter, joiner, f"{kind},signal-relay")
        try:
            took = visit.wait_for(kind)
            seconds = visit.send(2 * MIB)
            check(visit.kinds() == (kind, kind), f"it ended on {visit.kinds()}")
            visit.stop()
            return f"{kind} after {took * 1000:.0f} ms, 2 MiB in {seconds:.1f} s"
        finally:
            visit.close()
    return scenario


def carried_by_connection(lab, host):
    """Bytes that each of HOST's connections to the TURN server has carried away."""
    listed = subprocess.run([*lab.on(host), "ss", "-tinH", "dst", f"{netlab.TURN}/32"], check=True,
                            capture_output=True, text=True).stdout
    return sorted((int(n) for n in re.findall(r"\bbytes_acked:(\d+)", listed)), reverse=True)


def striped(lab, server):
    """50 ms to the server and back: one connection moves 64 KiB in that time, so that more are opened."""
    visit = Visit(lab, server, "port-restricted", "port-restricted", "turn-tcp", leg_ms=25)
    try:
        visit.wait_for("turn-tcp")
        visit.send(4 * MIB)
        before = len(carried_by_connection(lab, visit.homes[0].name))
        visit.send(24 * MIB)
        carried = carried_by_connection(lab, visit.homes[0].name)
        busy = [n for n in carried if n > MIB]
        check(len(busy) >= 4, f"of {before}, then {len(carried)} connections {len(busy)} carried a MiB: {carried}")
        check(sum(carried) >= 28 * MIB, f"all together carried {sum(carried)} bytes")
        visit.stop()
        return f"{len(busy)} connections carried {', '.join(f'{n / MIB:.1f}' for n in busy)} MiB"
    finally:
        visit.close()


def server_dies(lab, server):
    visit = Visit(lab, server, "udp-blocked", "port-restricted", "turn-tcp,signal-relay")
    try:
        visit.wait_for("turn-tcp")
        visit.send(1 * MIB)
        marks = [cli.mark() for cli in visit.clis]
        lab.coturn.stop()
        try:
            for cli, mark in zip(visit.clis, marks):
                cli.wait("path", 10, after=mark, kind="signal-relay")
            visit.send(100_000)
        finally:
            lab.coturn.start()
        visit.stop()
        return "went on over the rendezvous server"
    finally:
        visit.close()


class Unreached:
    """HOST reaches no TURN server, but for the addresses that they relay from."""
    RULES = ("add table inet unreached; "
             "add chain inet unreached out {{ type filter hook output priority 0; }}; "
             "add rule inet unreached out ip daddr {{ {ipv4} }} meta l4proto {{ tcp, udp }} "
             "th dport {{ 443, 444, 3478, 3479 }} drop; ")

    def __init__(self, lab, host):
        labs.run(*lab.on(host), "nft", self.RULES.format(ipv4=f"{netlab.TURN}, {netlab.TURN_2}"))


def one_sided(which, expected):
    """
        a ── NAT ──┬── coturn (3478, 443, relay ports)
                   │     ╎ relay ports only
        b ── NAT ──┴─────┘

    WHICH of the two (0: the inviter) reaches no TURN server and connects plainly to what the other
    has been given there. EXPECTED: what they end on; nothing but the rendezvous server where the
    operator has not said that coturn lets foreign peers in."""
    def scenario(lab, server):
        visit = Visit(lab, server, "port-restricted", "port-restricted", "turn-tcp,signal-relay",
                      prepare=lambda homes: Unreached(lab, homes[which].name))
        try:
            if expected == "signal-relay":
                visit.wait_for("signal-relay")
                for cli in visit.clis:
                    cli.wait("attempts", 30, **{"turn-tcp": "failed"})
            took = visit.wait_for(expected, 30)
            seconds = visit.send(2 * MIB)
            check(visit.kinds() == (expected, expected), f"it ended on {visit.kinds()}")
            visit.stop()
            return f"{expected} after {took:.1f} s, 2 MiB in {seconds:.1f} s"
        finally:
            visit.close()
    return scenario


def with_foreign_peers(scenario):
    """SCENARIO with a rendezvous server whose operator has said so."""
    def wrapped(lab, server):
        server.stop()
        other = netlab.Signald(lab, foreign_peers=True)
        try:
            return scenario(lab, other)
        finally:
            other.stop()
            netlab.Signald.__init__(server, lab)
    return wrapped


SCENARIOS = [
    ("turn-udp between two hard NATs", relayed("turn-udp", "symmetric-random", "symmetric-random")),
    ("turn-udp between two easy ones, for whoever wants it", relayed("turn-udp", "port-restricted", "full-cone")),
    ("turn-tcp between two homes", relayed("turn-tcp", "port-restricted", "port-restricted")),
    ("turn-tcp without UDP", relayed("turn-tcp", "udp-blocked", "symmetric-random")),
    ("turn-tcp from behind port 443", relayed("turn-tcp", "only-443", "port-restricted")),
    ("turn-tcp to behind port 443", relayed("turn-tcp", "port-restricted", "only-443")),
    ("turn-tcp between two behind port 443", relayed("turn-tcp", "only-443", "only-443")),
    ("turn-tcp from behind a proxy", relayed("turn-tcp", "http-proxy", "port-restricted")),
    ("turn-tcp between two proxies", relayed("turn-tcp", "http-proxy", "http-proxy")),
    ("turn-tcp between IPv6 and IPv4", relayed("turn-tcp", "ipv6-only", "port-restricted")),
    ("turn-tcp between IPv4 and IPv6", relayed("turn-tcp", "udp-blocked", "ipv6-only")),
    ("turn-tcp carries bulk over several connections", striped),
    ("a TURN server dies and the session does not", server_dies),
    ("the joiner reaches no TURN server and comes plainly", with_foreign_peers(one_sided(1, "turn-tcp"))),
    ("the inviter reaches no TURN server and comes plainly", with_foreign_peers(one_sided(0, "turn-tcp"))),
    ("nobody comes plainly where nobody said that it may", one_sided(1, "signal-relay")),
]


def main():
    if netlab.missing():
        print(f"1..0 # SKIP {netlab.missing()}")
        return 0
    lab = netlab.NetLab()
    try:
        server = lab.start_servers()
        return run_tap([(name, functools.partial(scenario, lab, server)) for name, scenario in SCENARIOS])
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
