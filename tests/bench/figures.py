# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the bench, and where their numbers come from."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "ui"))
from lab import Failure, run

KEYS = ("row", "value", "unit", "peer", "peer_value", "ratio", "mark", "met")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def make_row(name, value, unit, peer, peer_value, mark=None):
    """MARK: ("≥" or "≤", limit) or nothing. A value of None was not to be had: not met."""
    row = dict.fromkeys(KEYS)
    row.update(row=name, unit=unit, peer=peer)
    row["value"] = None if value is None else round(value, 2)
    row["peer_value"] = None if peer_value is None else round(peer_value, 2)
    if value is not None and peer_value:
        row["ratio"] = round(value / peer_value, 3)
    if mark is not None:
        sign, limit = mark
        row["mark"] = f"{sign} {limit:.4g}"
        row["met"] = value is not None and (value >= limit if sign == "≥" else value <= limit)
    return row


def tell(row):
    """From the bench's process to the one that prints the table."""
    print(json.dumps(row), flush=True)


def peak_mb(pid):
    """The most memory PID ever had resident; 0 once it has ended."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next((int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM:")), 0)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS_PER_SECOND


def cpu_percent(pids, seconds):
    """Of one core, each of PIDS during SECONDS from now."""
    begin = time.monotonic()
    before = [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    took = time.monotonic() - begin
    return [100 * (cpu_seconds(pid) - b) / took for pid, b in zip(pids, before)]


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def default_congestion_control():
    with open("/proc/sys/net/ipv4/tcp_congestion_control", encoding="ascii") as file:
        return file.read().strip()


def set_congestion_control(lab, name):
    """For all TCP made from now on, on every host: a route may name it, while the kernel's setting of a
    namespace takes only what the machine's administrator allows."""
    for host, device, address in ((None, "lab", 1), ("a", "eth0", 2), ("b", "eth0", 3)):
        run(*lab.on(host), "ip", "route", "change", "10.77.0.0/24", "dev", device, "proto", "kernel",
            "scope", "link", "src", f"10.77.0.{address}", "congctl", name)


class Tcp:
    """A kernel TCP program of tcp.py on HOST."""

    def __init__(self, lab, host, *arguments):
        self.process = lab.start([*lab.on(host), "/usr/bin/python3", os.path.join(HERE, "tcp.py"),
                                  *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        if arguments[0] in ("receive", "echo") and self.process.stdout.readline() != "ready\n":
            raise Failure(f"tcp.py {arguments} does not listen")

    def result(self):
        line = self.process.stdout.readline()
        self.process.wait(10)
        if not line:
            raise Failure("tcp.py ended without a result")
        return json.loads(line)

    def end(self):
        self.process.kill()
        self.process.wait()
