# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev bench nat: every kind of home against every other, at a round trip of 40 ms, with the real
command line, rendezvous server and coturn (tests/netlab). Each ordered pair is one visit: was it
connected, how soon, over what in the end, and was that the best that the two allow?

Writes Markdown to standard output, or one JSON object with --json."""
import argparse
import collections
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "netlab"))
sys.path.insert(0, HERE)
import netlab
import lab as labs
import matrix
from figures import quantile, say

# In the grid.
SHORT = {"direct-tcp": "TCP", "direct-udp": "UDP", "turn-udp": "turn-udp", "turn-tcp": "turn-tcp",
         "signal-relay": "relay", "none": "–"}


def seconds(milliseconds):
    return "–" if milliseconds is None else f"{milliseconds / 1e3:.1f}"


def print_grid(rows):
    """Inviters down, joiners across."""
    inviters = list(dict.fromkeys(row["inviter"] for row in rows))
    joiners = list(dict.fromkeys(row["joiner"] for row in rows))
    found = {(row["inviter"], row["joiner"]): row for row in rows}
    print("| invites ↓ joins → | " + " | ".join(joiners) + " |")
    print("|---|" + "---|" * len(joiners))
    for inviter in inviters:
        cells = []
        for joiner in joiners:
            row = found.get((inviter, joiner))
            cells.append("" if row is None else f"{SHORT[row['final']]} {seconds(row['final_ms'])}"
                         + ("" if row["as_expected"] else " **!**"))
        print(f"| {inviter} | " + " | ".join(cells) + " |")


def print_rows(rows):
    print("| invites | joins | connected | first path (ms) | final path | after (ms) | best possible | how, or why not better |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        final = row["final"] if row["final"] == row["final_other"] else f"{row['final']} / {row['final_other']}"
        print(f"| {row['inviter']} | {row['joiner']} | {'yes' if row['connected'] and row['file'] else '**NO**'} | "
              f"{row['first_ms']} | {final if row['as_expected'] else f'**{final}**'} | {row['final_ms']} | "
              f"{row['expected']} | {row['how']} |")


def summarise(rows):
    """Words and figures about all ROWS."""
    n = len(rows)
    direct = [row for row in rows if row["expected"] in matrix.DIRECT]
    firsts = [row["first_ms"] for row in rows if row["first_ms"] is not None]
    finals = [row["final_ms"] for row in rows if row["final_ms"] is not None and "birthday" not in row["how"]]
    births = [row["final_ms"] for row in rows if row["final_ms"] is not None and "birthday" in row["how"]]
    return {
        "pairs": n,
        "connected": sum(row["connected"] and row["file"] for row in rows),
        "direct_possible": len(direct),
        "direct": sum(row["final"] in matrix.DIRECT and row["final_other"] in matrix.DIRECT for row in direct),
        "best_reached": sum(row["as_expected"] for row in rows),
        "in_time": sum(row["in_time"] for row in rows),
        "first_ms_p50": quantile(firsts, 0.5) if firsts else None,
        "first_ms_max": max(firsts, default=None),
        "final_ms_p50": quantile(finals, 0.5) if finals else None,
        "final_ms_max": max(finals, default=None),
        "birthday_ms_max": max(births, default=None),
        "kinds": dict(collections.Counter(row["final"] for row in rows)),
    }


def possible_alone(kind, inviter, joiner):
    """Whether KIND alone can connect two homes directly: as the model says of both, or of one."""
    expected = matrix.expect(inviter, joiner)
    if kind == "direct-tcp":
        return expected.best == "direct-tcp"
    udp = all(netlab.PROFILES[name].settings.get("udp", 1) for name in (inviter, joiner))
    return expected.best in matrix.DIRECT and udp and "predicted" not in expected.how


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="./dev bench nat", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", help="only these, against each other (with commas)")
    parser.add_argument("--pairs", help="only these: INVITER:JOINER, with commas")
    parser.add_argument("--alone", choices=("direct-tcp", "direct-udp"),
                        help="this kind and the rendezvous server's relay only, on the pairs that it can connect")
    parser.add_argument("--paths", help="as the command line's --paths")
    parser.add_argument("--limit", type=float, help="seconds to wait for the best path")
    parser.add_argument("--jobs", type=int, default=2, help="visits at a time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    names = options.profiles.split(",") if options.profiles else None
    some = [tuple(pair.split(":")) for pair in options.pairs.split(",")] if options.pairs else matrix.pairs(names)
    for pair in some:
        if len(pair) != 2 or not set(pair) <= set(netlab.PROFILES):
            parser.error(f"profiles are {', '.join(netlab.PROFILES)}")
    more = {"paths": options.paths, "limit_s": options.limit}
    if options.alone:
        some = [pair for pair in some if possible_alone(options.alone, *pair)]
        more.update(paths=f"{options.alone},signal-relay", alone=options.alone)
    labs.enter()
    why = netlab.missing()
    if why:
        say(f"no laboratory: {why}")
        return 1
    lab = netlab.NetLab()
    begin = time.monotonic()
    try:
        server = lab.start_servers()

        def told(row):
            say(f"{row['inviter']} → {row['joiner']}: first {row['first_ms']} ms, {row['final']} after "
                f"{row['final_ms']} ms" + ("" if row["as_expected"] else f" (expected {row['expected']})")
                + (f": {row['problem']}" if row["problem"] else ""))
        rows = matrix.run_all(lab, server, some, jobs=options.jobs, told=told, **more)
    finally:
        lab.close()
    summary = summarise(rows)
    summary["seconds"] = round(time.monotonic() - begin)
    summary["load"] = round(os.getloadavg()[0], 1)
    if options.json:
        print(json.dumps({"summary": summary, "rows": rows}, indent=1))
    else:
        print_grid(rows)
        print()
        print_rows(rows)
        print()
        for key, value in summary.items():
            print(f"- {key.replace('_', ' ')}: {value}")
    return 0 if summary["connected"] == summary["pairs"] else 1


if __name__ == "__main__":
    sys.exit(main())
