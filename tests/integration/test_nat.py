# SPDX-License-Identifier: GPL-3.0-or-later
"""A fair part of the matrix of ./dev bench nat: each technique, and each reason why there is none,
once. TAP on standard output."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
import netlab
import lab as labs
import matrix

labs.enter()

PAIRS = [
    ("open", "port-restricted"), ("port-restricted", "port-restricted"), ("full-cone", "symmetric-random"),
    ("symmetric-random", "address-restricted"), ("double-nat", "firewall"), ("reset-sending", "port-restricted"),
    ("udp-blocked", "port-restricted"), ("symmetric-sequential", "double-nat"), ("only-443", "open"),
    ("http-proxy", "port-restricted"), ("http-proxy", "only-443"), ("symmetric-random", "port-restricted"),
    ("symmetric-random", "symmetric-random"), ("ipv6-only", "ipv6-only"), ("ipv6-only", "port-restricted"),
]


# Seconds are the bench's to measure, on a machine of its own: here they tell a hang from a way.
PATIENCE = 3


def main():
    if netlab.missing():
        print(f"1..0 # SKIP {netlab.missing()}")
        return 0
    lab = netlab.NetLab()
    try:
        server = lab.start_servers()
        print(f"1..{len(PAIRS)}", flush=True)
        done = []

        def told(row):
            done.append(row)
            problems = [word for word, is_wrong in (
                (f"not connected: {row['problem']}", not (row["connected"] and row["file"])),
                (f"{row['expected']} is possible: {row['how']}", row["connected"] and not row["as_expected"]),
                ("late", not row["in_time"])) if is_wrong]
            print(f"{'not ok' if problems else 'ok'} {len(done)} {row['inviter']} invites {row['joiner']}: "
                  f"{row['final']} after {row['final_ms']} ms", flush=True)
            row["failed"] = bool(problems)
            for problem in problems:
                print(f"# {problem}; {row}", flush=True)
        matrix.run_all(lab, server, PAIRS, told=told, patience=PATIENCE)
    finally:
        lab.close()
    return 1 if any(row["failed"] for row in done) else 0


if __name__ == "__main__":
    sys.exit(main())
