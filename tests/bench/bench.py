# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev bench [NAME] [--json]: figures of the built programs, each beside a peer measured in the
same run and against its mark. A table, or with --json only an array of rows on standard output:
row, value, unit, peer, peer_value, ratio, mark, met. A missed mark is told, not an error; the exit
code is 1 only if something could not be measured at all.

Every bench runs in a process and network namespaces of its own; bench_*.py say what they do.
Two are of another kind, minutes long and only made when they are named (each has a --help):
./dev bench nat, the matrix of all networks, and ./dev bench switches, a thousand changes of path."""
import argparse
import json
import os
import subprocess
import sys
import time

import bench_nat
import bench_net
import bench_screen
import bench_switches
from figures import KEYS, default_congestion_control, say
import lab as labs
from lab import Failure, Lab

BENCHES = {**bench_net.BENCHES, **bench_screen.BENCHES}
WALKS = {"nat": bench_nat.main, "switches": bench_switches.main}
# How rows begin that do not begin with their bench's name.
ROWS = {**{f"file-{kind}": (f"memory-{kind}", f"memory-growth-{kind}") for kind in ("direct-udp", "direct-tcp")},
        "screen": ("first-picture", "scroll", "still")}


def run_here(name):
    """In a process of its own: rows as lines of JSON on standard output. The exit code."""
    labs.enter()
    lab = Lab()
    try:
        if lab.loopback:
            raise Failure("network namespaces are refused here; without them there is no line to measure")
        BENCHES[name](lab)
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        say(f"{name} could not be measured: {failure}")
        return 1
    finally:
        lab.close()
    return 0


def chosen(name):
    """The benches that measure the rows whose names begin with NAME."""
    if name is None:
        return list(BENCHES)
    return [bench for bench in BENCHES
            if any(words.startswith(name) or name.startswith(words)
                   for words in (bench, *ROWS.get(bench, ())))]


def measure(bench):
    """Rows, and whether all could be measured."""
    say(f"{bench}, load average {os.getloadavg()[0]:.1f}")
    child = subprocess.run([sys.executable, os.path.abspath(__file__), "--inside", bench],
                           stdout=subprocess.PIPE, text=True, check=False)
    return [json.loads(line) for line in child.stdout.splitlines()], child.returncode == 0


def number(value):
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def print_table(rows):
    titles = ("row", "value", "unit", "mark", "met", "peer's", "ratio", "peer")
    lines = [titles] + [
        (row["row"], number(row["value"]), row["unit"], row["mark"] or "–",
         {True: "yes", False: "NO", None: "–"}[row["met"]], number(row["peer_value"]),
         number(row["ratio"]), row["peer"] or "–") for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    for line in lines:
        print("  ".join(cell.rjust(width) if i in (1, 5, 6) else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip())


def main():
    if sys.argv[1:2] and sys.argv[1] in WALKS:
        sys.exit(WALKS[sys.argv[1]](sys.argv[2:]))
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("name", nargs="?", help="only rows whose names begin so")
    parser.add_argument("--json", action="store_true", help="only an array of rows on standard output")
    parser.add_argument("--inside", choices=list(BENCHES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        sys.exit(run_here(options.inside))
    names = chosen(options.name)
    if not names:
        parser.error(f"there is no “{options.name}”; there are: {', '.join(BENCHES)}")
    begin = time.monotonic()
    say(f"The kernel's congestion control is {default_congestion_control()}; peers use cubic where no row "
        f"says otherwise. {os.cpu_count()} cores.")
    rows, complete = [], True
    for name in names:
        more, all_there = measure(name)
        rows += [row for row in more if options.name is None or name == options.name
                 or row["row"].startswith(options.name)]
        complete &= all_there
    say(f"{time.monotonic() - begin:.0f} s, load average {os.getloadavg()[0]:.1f}")
    if options.json:
        print(json.dumps([{key: row[key] for key in KEYS} for row in rows], indent=2, ensure_ascii=False))
    else:
        print_table(rows)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
