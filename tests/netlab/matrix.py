# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom: a model of what is possible between two profiles, and a visit between two
homes that shows what happens."""
import collections
import hashlib
import itertools
import os
import threading
import time

from lab import Cli, Failure
from netlab import MATRIX, PROFILES

# Round trip between two homes: each is a quarter of it away from the middle.
ROUND_TRIP_MS = 40
RANKS = ("none", "signal-relay", "turn-tcp", "turn-udp", "direct-udp", "direct-tcp")
DIRECT = ("direct-udp", "direct-tcp")
# What is promised (ms from the joiner's Enter).
FIRST_MS, FIRST_PROXY_MS, FINAL_MS, FINAL_BIRTHDAY_MS = 1000, 1500, 5000, 20000
SETTLED_S = 0.5
FILE_BYTES = 100_000

# The best that should be had: a kind, or "turn" for any relay but the rendezvous server's. `how`:
# the technique, or why nothing better is possible.
Expected = collections.namedtuple("Expected", "best how final_ms")


def _is_open(profile):
    return not profile.settings["nat"] and profile.settings["filter"] == "none"


def _ports(profile):
    """How foreseeable the next mapping is: "fixed", "sequential" or "random"."""
    if not profile.settings["nat"] or profile.settings["mapping"] == "ei":
        return "fixed"
    return "sequential" if profile.settings["ports"] == "sequential" else "random"


def _takes_any_port(profile):
    """Lets in whoever's address has been written to, from whatever port."""
    return profile.settings["filter"] in ("none", "ei", "ad")


def _punch(one, other):
    """How a hole comes about between two that may send to each other, or None and why not."""
    for here, there in ((one, other), (other, one)):
        if _is_open(here):
            return "one side is open", None
        if _takes_any_port(here) and _ports(here) == "fixed":
            return ("punched" if _ports(there) == "fixed" else "punched: the filter minds no ports"), None
    kinds = {_ports(one), _ports(other)}
    if kinds == {"fixed"}:
        return "punched", None
    if kinds == {"fixed", "sequential"}:
        return "punched at a predicted port", None
    if kinds == {"fixed", "random"}:
        return None, "random ports against a strict filter"
    return None, "both sides change ports for each destination"


def expect(inviter, joiner):
    one, other = PROFILES[inviter], PROFILES[joiner]
    both = (one, other)
    if not (one.ipv4 and other.ipv4 or one.ipv6 and other.ipv6):
        return Expected("turn", "no common IP version", FINAL_MS)
    for profile, name in ((one, inviter), (other, joiner)):
        if "tcp-ports" in profile.settings or "only" in profile.settings:
            return Expected("turn", f"{name} reaches no other home", FINAL_MS)
    how, why_not = _punch(one, other)
    if how is not None:
        return Expected("direct-tcp", how, FINAL_MS)
    if all(profile.settings.get("udp", 1) for profile in both):
        if why_not.startswith("random"):
            return Expected("direct-udp", "birthday: " + why_not, FINAL_BIRTHDAY_MS)
    else:
        why_not += ", and no UDP"
    return Expected("turn", why_not, FINAL_MS)


def pairs(names=None):
    return list(itertools.product(names or MATRIX, repeat=2))


def is_as_good(kind, best):
    if best == "turn":
        return RANKS.index(kind) >= RANKS.index("turn-tcp")
    return RANKS.index(kind) >= RANKS.index(best)


class Side:
    """One end's events, as a history of its path."""

    def __init__(self, cli):
        self.cli = cli

    def paths(self):
        with self.cli.changed:
            return [event for event in self.cli.events if event["event"] == "path"]

    def kind(self):
        paths = self.paths()
        return paths[-1]["kind"] if paths else "none"

    def first_us(self):
        """Of the first path that has carried something there and back."""
        return next((event["time_us"] for event in self.paths()
                     if event["kind"] != "none" and event["rtt_ms"] > 0), None)

    def final_us(self):
        """When it came to the kind it has now."""
        paths = self.paths()
        kind, since = "none", None
        for event in paths:
            if event["kind"] != kind:
                kind, since = event["kind"], event["time_us"]
        return since


_numbers = itertools.count(1)
_numbers_lock = threading.Lock()


def visit(lab, server, inviter, joiner, paths=None, limit_s=None, alone=None, patience=1, **options):
    """One visit between two new homes: a row of the matrix. It waits until both sides send over
    what is expected (or over the kind ALONE), and then proves by a file that it carries.
    PATIENCE: what is promised is stretched by so much, on a machine that has other things to do."""
    expected = expect(inviter, joiner)
    if alone is not None:
        expected = expected._replace(best=alone)
    with _numbers_lock:
        number = next(_numbers)
    row = {"inviter": inviter, "joiner": joiner, "connected": False, "first_ms": None, "final_ms": None,
           "final": "none", "final_other": "none", "expected": expected.best, "how": expected.how,
           "file": False, "problem": None}
    homes, clis = [], []
    path = lab.path(f"file-{number}")
    content = os.urandom(FILE_BYTES)
    with open(path, "wb") as out:
        out.write(content)
    try:
        for role, profile in (("i", inviter), ("j", joiner)):
            homes.append(lab.home(f"{role}{number}", profile, delay=ROUND_TRIP_MS / 4, **options))
        more = ("--commands", *(("--paths", paths) if paths else ()))
        clis.append(Cli(lab, server, "send", *more, host=homes[0].name))
        code = clis[0].code()
        enter_us = time.monotonic() * 1e6
        clis.append(Cli(lab, server, "receive", "--yes", "--folder", lab.make_folder(f"got-{number}"), *more,
                        host=homes[1].name, code=code))
        sender, receiver = Side(clis[0]), Side(clis[1])
        clis[1].wait("path", 20, rtt_ms=lambda ms: ms and ms > 0)
        row["connected"] = True
        row["first_ms"] = round((receiver.first_us() - enter_us) / 1e3)
        end = time.monotonic() + (limit_s or (expected.final_ms / 1e3 * patience + 1))
        while time.monotonic() < end and not (is_as_good(sender.kind(), expected.best)
                                              and is_as_good(receiver.kind(), expected.best)):
            with clis[1].changed:
                clis[1].changed.wait(0.05)
        # Whether it stays, and whether something better than foreseen comes.
        settled = time.monotonic() + SETTLED_S
        while time.monotonic() < settled:
            with clis[1].changed:
                clis[1].changed.wait(settled - time.monotonic())
        row["final"], row["final_other"] = receiver.kind(), sender.kind()
        row["final_ms"] = round((max(sender.final_us(), receiver.final_us()) - enter_us) / 1e3)
        clis[0].command(f"send {path}")
        clis[1].wait("progress", 15 * patience, state="done")
        with open(lab.path(f"got-{number}", os.path.basename(path)), "rb") as file:
            row["file"] = hashlib.sha256(file.read()).digest() == hashlib.sha256(content).digest()
        clis[0].command("stop")
        for cli in clis:
            cli.wait("end", 10)
    except (Failure, OSError) as failure:
        row["problem"] = str(failure)
    finally:
        for cli in clis:
            cli.close()
        for home in homes:
            home.remove()
        os.unlink(path)
    row["as_expected"] = (row["connected"] and row["file"] and is_as_good(row["final"], expected.best)
                          and is_as_good(row["final_other"], expected.best))
    is_proxied = any(PROFILES[name].proxy for name in (inviter, joiner))
    first_ms = FIRST_PROXY_MS if is_proxied else FIRST_MS
    row["in_time"] = bool(row["connected"] and row["first_ms"] <= first_ms * patience
                          and row["final_ms"] is not None and row["final_ms"] <= expected.final_ms * patience)
    return row


def run_all(lab, server, some_pairs, jobs=2, told=lambda row: None, **options):
    """Rows in the order of SOME_PAIRS; JOBS visits at a time."""
    todo = collections.deque(enumerate(some_pairs))
    rows = [None] * len(some_pairs)
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not todo:
                    return
                index, (inviter, joiner) = todo.popleft()
            rows[index] = visit(lab, server, inviter, joiner, **options)
            told(rows[index])
    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return rows
