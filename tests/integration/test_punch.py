# SPDX-License-Identifier: GPL-3.0-or-later
"""Punched paths between homes of the laboratory: which NATs let each other in, by which way, and
how long it takes. TAP on standard output; with `--grid` the whole table instead of a few rows."""
import functools
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
import netlab
from netlab import TURN, TURN_2, TURN_6, TURN_6_2, NetLab
import lab as labs
from lab import Failure, run_tap

labs.enter()

HALF = os.path.join(labs.BUILD, "tests/integration/test-punch-half")
ONE_WAY_MS = 10       # of each home's line: 40 ms there and back between two homes
MESSAGE_MS = 25       # a message between the two halves takes this long


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


class Half:
    """One test-punch-half; `peer` gets its messages, LATE_MS later than usual."""

    def __init__(self, lab, host, *words, late_ms=0):
        self.late = (MESSAGE_MS + late_ms) / 1000
        self.peer, self.messages = None, []
        self.connected, self.proved, self.failed, self.figures = [], None, None, None
        self.news = threading.Condition()
        self.process = lab.start([*lab.on(host), HALF, *words], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.mail = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._deliver, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            kind, _, rest = line.strip().partition(" ")
            if kind == "message":
                self.messages.append(rest)
                self.mail.put((time.monotonic() + self.late, line))
            with self.news:
                if kind == "connected":
                    self.connected.append(rest.split())
                elif kind == "proved":
                    self.proved = int(rest)
                elif kind == "failed":
                    self.failed = rest
                elif kind == "report":
                    self.figures = [int(word) for word in rest.split()]
                self.news.notify_all()

    def _deliver(self):
        """Late, and in order."""
        while True:
            due, line = self.mail.get()
            if line is None:
                return
            time.sleep(max(due - time.monotonic(), 0))
            if self.peer is not None:
                self.peer.tell(line)

    def tell(self, line):
        try:
            self.process.stdin.write(line.strip() + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def wait(self, condition, seconds):
        with self.news:
            return self.news.wait_for(lambda: condition(self), seconds)

    def report(self):
        """(tries, resets, strangers)"""
        self.figures = None
        self.tell("report")
        check(self.wait(lambda half: half.figures, 10), "a half does not report")
        return self.figures

    def close(self):
        self.peer = None
        self.mail.put((0, None))
        self.process.stdin.close()
        check(self.process.wait(10) == 0, f"a half ended with {self.process.returncode}")
        self.process.stdout.close()


SERVERS = [word for server in (TURN, TURN_2, TURN_6, TURN_6_2) for word in ("--server", server)]


class Result:
    def __init__(self, a, b):
        self.ms = max(a.proved, b.proved) if a.proved is not None and b.proved is not None else None
        self.failed = a.failed, b.failed
        self.how = [words for half in (a, b) for words in half.connected]
        self.reports = a.report(), b.report()

    def __str__(self):
        tries = "+".join(str(report[0]) for report in self.reports)
        if self.ms is None:
            return f"failed ({' / '.join(str(words) for words in self.failed)}), {tries} tries"
        return f"{self.ms} ms, {tries} tries"


def meet(lab, host_a, host_b, *words, skew_ms=0, seconds=30, servers=SERVERS):
    """Two halves on these hosts; what the joiner is told comes SKEW_MS late."""
    a = Half(lab, host_a, "--inviter", *servers, *words, late_ms=skew_ms)
    b = Half(lab, host_b, *servers, *words)
    a.peer, b.peer = b, a
    end = time.monotonic() + seconds
    for half in (a, b):
        half.wait(lambda half: half.proved is not None or half.failed, max(end - time.monotonic(), 0.1))
    for half in (a, b):
        half.tell("settle")
    result = Result(a, b)
    a.close()
    b.close()
    return result


def make_homes(lab, profile_a, profile_b, **options):
    return [lab.home(name, profile, delay=ONE_WAY_MS, **options)
            for name, profile in (("a", profile_a), ("b", profile_b))]


def try_pair(lab, profile_a, profile_b, *words, skew_ms=0, **settings):
    homes = make_homes(lab, profile_a, profile_b)
    try:
        for home in homes:
            if settings:
                home.set(**settings)
        return meet(lab, "a", "b", *words, skew_ms=skew_ms)
    finally:
        for home in homes:
            home.remove()


# --- what the test run tries -------------------------------------------------------------------

def passes(profile_a, profile_b, within_ms=1000, *words, **options):
    def scenario(lab):
        result = try_pair(lab, profile_a, profile_b, *words, **options)
        print(f"# {profile_a} and {profile_b}: {result}")
        check(result.ms is not None, f"{profile_a} and {profile_b} do not meet: {result}")
        check(result.ms <= within_ms, f"{profile_a} and {profile_b}: {result.ms} ms")
        check(all(words[2] == "internet" for words in result.how), f"not the internet: {result.how}")
    return scenario


def fails(profile_a, profile_b, problem, *words):
    def scenario(lab):
        result = try_pair(lab, profile_a, profile_b, *words)
        print(f"# {profile_a} and {profile_b}: {result}")
        check(result.ms is None, f"{profile_a} and {profile_b} met: {result}")
        check(problem in result.failed, f"{profile_a} and {profile_b}: {result}")
    return scenario


def one_network(lab):
    home = lab.home("h", "port-restricted", delay=ONE_WAY_MS, hosts=["a", "b"])
    try:
        result = meet(lab, "a", "b")
        print(f"# one network: {result}")
        check(result.ms is not None and result.ms <= 4 * MESSAGE_MS + 400, f"one network: {result}")
        check(any(words[2] == "lan" for words in result.how), f"not by the LAN: {result.how}")
    finally:
        home.remove()


FIREWALL = """
table inet wall {{
  chain in {{
    type filter hook input priority 0; policy accept;
    ct state established,related accept
    tcp flags syn {verdict}
  }}
}}"""


def through_firewalls(verdict, skew_ms=0):
    """The kernel's own connection tracking on both hosts, which have public addresses."""
    def scenario(lab):
        homes = make_homes(lab, "open", "open")
        try:
            for host in ("a", "b"):
                subprocess.run([*lab.on(host), "nft", "-f", "-"], check=True, text=True,
                               input=FIREWALL.format(verdict=verdict))
            result = meet(lab, "a", "b", skew_ms=skew_ms)
            print(f"# firewalls that {verdict}: {result}")
            check(result.ms is not None and result.ms <= 1500 + 2 * skew_ms, f"firewalls that {verdict}: {result}")
        finally:
            for home in homes:
                home.remove()
    return scenario


def one_network_udp(lab):
    home = lab.home("h", "symmetric-random", delay=ONE_WAY_MS, hosts=["a", "b"])
    try:
        result = meet(lab, "a", "b", "--udp")
        print(f"# one network: {result}")
        check(result.ms is not None and result.ms <= 1000, f"one network: {result}")
        check(any(words[2] == "lan" for words in result.how), f"not by the LAN: {result.how}")
    finally:
        home.remove()


SCENARIOS = [
    ("port-restricted NATs let each other in", passes("port-restricted", "port-restricted")),
    ("a second late is late by a second", passes("port-restricted", "port-restricted", 2300, skew_ms=1000)),
    ("resets are answered by dialling again", passes("reset-sending", "reset-sending", 1300, skew_ms=200)),
    ("a NAT that forgets on a reset is passed", passes("rst-kill", "rst-kill", 1500, skew_ms=200)),
    ("prohibitions are answered by dialling again", passes("icmp", "icmp", 1300, skew_ms=50)),
    ("a sequential NAT is foretold", passes("symmetric-sequential", "port-restricted", 1500)),
    ("double NAT is no obstacle", passes("double-nat", "port-restricted")),
    ("stateful firewalls over IPv6", passes("ipv6-only", "ipv6-only")),
    ("the kernel's firewall that drops", through_firewalls("drop")),
    ("the kernel's firewall that drops, one side early", through_firewalls("drop", 200)),
    ("the kernel's firewall that resets, one side early", through_firewalls("reject with tcp reset", 200)),
    ("one network is two round trips away", one_network),
    ("random ports are told as such", fails("symmetric-random", "symmetric-random", "unpredictable")),
    ("UDP: easy NATs meet at once", passes("port-restricted", "double-nat", 1000, "--udp")),
    ("UDP: a birthday of a hard inviter", passes("symmetric-random", "port-restricted", 20000, "--udp")),
    ("UDP: a birthday of a hard joiner", passes("firewall", "symmetric-random", 20000, "--udp")),
    ("UDP: two random NATs give up at once",
     fails("symmetric-random", "symmetric-random", "unpredictable", "--udp")),
    ("UDP: one network", one_network_udp),
]


def run_scenarios():
    if netlab.missing():
        print(f"1..0 # SKIP {netlab.missing()}")
        return 0
    lab = NetLab()
    lab.make_certificates()
    netlab.Coturn(lab)
    return run_tap([(name, functools.partial(scenario, lab)) for name, scenario in SCENARIOS])


# --- the whole table, by hand ------------------------------------------------------------------

def median(values):
    return sorted(values)[len(values) // 2] if values else None


def grid(udp):
    """Every pair of profiles, then skews and refusals; about 20 minutes."""
    lab = NetLab()
    lab.make_certificates()
    netlab.Coturn(lab)
    words = ("--udp",) if udp else ()
    profiles = [name for name in netlab.MATRIX if not (udp and name == "udp-blocked")]
    print("pairs (ms from the start to both proved; rounds of 5 s; - not met):")
    for one in profiles:
        row = []
        for other in profiles:
            result = try_pair(lab, one, other, *words)
            row.append(f"{result.ms if result.ms is not None else '-':>6}")
        print(f"{one:>20} {''.join(row)}", flush=True)
    if udp:
        return
    print("skews (met at once / met / tried, median ms, ms over the skew's own):")
    for profile in ("port-restricted", "reset-sending", "rst-kill", "icmp"):
        for skew in (0, 50, 200, 1000):
            for other in (profile, "symmetric-sequential", "double-nat", "full-cone"):
                results = [try_pair(lab, profile, other, skew_ms=skew) for _ in range(3)]
                times = [result.ms for result in results if result.ms is not None]
                quick = [ms for ms in times if ms <= 5000]
                print(f"{profile:>16} {other:>20} {skew:>5} ms  {len(quick)}/{len(times)}/{len(results)}"
                      f"  {median(times)} ms", flush=True)


if __name__ == "__main__":
    if "--grid" in sys.argv:
        grid("--udp" in sys.argv)
    else:
        sys.exit(run_scenarios())
