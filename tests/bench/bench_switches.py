# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev bench switches: one session that changes its path a thousand times, by choice and by cuts,
under a picture and one file after another. Every file must be whole, the session must stay the same,
and memory flat.

    a ── NAT ── 40 Mbit/s, 10 ms ── internet ── 10 ms ── NAT ── b

Of ten changes nine are asked for (the rendezvous server's relay, and back to something better), one is
a cut: UDP is dropped until both sides have left it. JSON on standard output."""
import argparse
import hashlib
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "netlab"))
sys.path.insert(0, HERE)
import netlab
import lab as labs
from figures import quantile, say
from lab import Cli, Failure

FILE_BYTES = 8_000_000
ROUND_TRIPS_MS = 50
GROWTH_MB = 16
# On each path, at most; decided by chance.
MAX_STAY_S = 0.2
# A path found much worse than another is not chosen again for a minute.
BAN_S = 60
UDP_KINDS = ("direct-udp", "turn-udp")


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:")), 0)


class Files:
    """One after another, until it is told to end; each is compared and removed."""

    def __init__(self, lab, sender, receiver, folder):
        self.lab, self.sender, self.receiver, self.folder = lab, sender, receiver, folder
        self.n, self.problem = 0, None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ending.is_set():
                name = f"file-{self.n}"
                path = self.lab.path(name)
                content = random.Random(self.n).randbytes(FILE_BYTES)
                with open(path, "wb") as out:
                    out.write(content)
                self.sender.command(f"send {path}")
                self.receiver.wait("progress", 120, state="done", name=name)
                arrived = os.path.join(self.folder, name)
                with open(arrived, "rb") as file:
                    if hashlib.sha256(file.read()).digest() != hashlib.sha256(content).digest():
                        raise Failure(f"{name} differs")
                os.unlink(arrived)
                os.unlink(path)
                self.n += 1
        except (Failure, OSError) as failure:
            self.problem = str(failure)

    def end(self):
        self.ending.set()
        self.thread.join()


def kind_now(cli):
    with cli.changed:
        return [e["kind"] for e in cli.events if e["event"] == "path"][-1]


def forget_old(cli):
    """A thousand switches tell much; only the latest is asked for again."""
    with cli.changed:
        path = next(e for e in reversed(cli.events) if e["event"] == "path")
        kept = [e for e in cli.events[:-200] if e["event"] in ("end", "garbage")]
        cli.events[:-200] = kept + [path]


def run(lab, server, switches, kinds, with_cuts):
    home = lab.home("a", "port-restricted", delay=10, rate=40)
    lab.home("b", "port-restricted", delay=10)
    folder = lab.make_folder("got")
    more = ("--commands", "--measure", str(ROUND_TRIPS_MS), "--paths", "signal-relay")
    sender = Cli(lab, server, "share", "--test-pattern", "--yes", *more, host="a")
    receiver = Cli(lab, server, "receive", "--yes", "--folder", folder, *more, host="b", code=sender.code())
    both = (sender, receiver)
    pids = []
    for cli in both:
        cli.wait("state", state="active")
        pids.append(cli.process.pid)   # nsenter becomes the program
    receiver.wait("screen", 30, frames=lambda n: n > 0)
    files = Files(lab, sender, receiver, folder)
    took, memory, cuts = [], [], 0
    pace = random.Random(1)
    begin = time.monotonic()
    for number in range(switches):
        if files.problem:
            raise Failure(f"after {number} switches: {files.problem}")
        # One kind after another: a path that suffers a cut unused is not chosen again for a minute.
        kind = kinds[number * len(kinds) // switches]
        back = number % 2 == 1
        is_cut = with_cuts and number % 10 == 1 and kind_now(sender) in UDP_KINDS
        marks = [cli.mark() for cli in both]
        at = time.monotonic()
        if is_cut:
            home.set(udp=0)
            cuts += 1
        else:
            for cli in both:
                cli.command("paths signal-relay" if back else f"paths signal-relay,{kind}")
        for cli, mark in zip(both, marks):
            wanted = (lambda got: got not in UDP_KINDS) if is_cut else (
                lambda got, want="signal-relay" if back else kind: got == want)
            if not wanted(kind_now(cli)):
                try:
                    cli.wait("path", BAN_S + 30, after=mark, kind=wanted)
                except Failure:
                    raise Failure(f"change {number}, {cli.name}: " + ("UDP is cut and not left" if is_cut else
                                  f"from {kind_now(cli)} to {'signal-relay' if back else kind}: no; "
                                  f"{cli.stderr()}")) from None
        if is_cut:
            home.set(udp=1)
            for cli in both:
                cli.command("paths signal-relay")
        took.append((time.monotonic() - at, is_cut))
        time.sleep(pace.uniform(0, MAX_STAY_S))   # something has to flow before the next one
        if number % max(1, switches // 20) == 0:
            memory.append([round(memory_mb(pid), 1) for pid in pids])
            say(f"{number} switches, {files.n} files, memory {memory[-1]}, "
                f"{time.monotonic() - begin:.0f} s")
        for cli in both:
            forget_old(cli)
    files.end()
    if files.problem:
        raise Failure(files.problem)
    frames = receiver.wait("screen", 30, after=receiver.mark(), frames=lambda n: n > 0)["frames"]
    memory.append([round(memory_mb(pid), 1) for pid in pids])
    sender.command("stop")
    measured = {}
    for cli in both:
        end = cli.wait("end", 20)
        measured[cli.name] = {key: cli.wait("measured")[key] for key in ("p50_ms", "p99_ms", "max_ms", "n")}
        if end["reason"] not in ("done", "stopped"):
            raise Failure(f"{cli.name} ended with {end}")
    settled = memory[len(memory) // 4]
    growth = [round(last - first, 1) for first, last in zip(settled, memory[-1])]
    held_back = sum(t > BAN_S / 2 for t, _ in took)
    chosen = sorted(t for t, is_cut in took if not is_cut)
    cut = sorted(t for t, is_cut in took if is_cut)
    return {
        "switches": switches, "cuts": cuts, "kinds": list(kinds), "files": files.n,
        "files_mb": files.n * FILE_BYTES / 1e6, "frames": frames, "seconds": round(time.monotonic() - begin),
        "switch_s_p50": round(quantile(chosen, 0.5), 3), "switch_s_max": round(chosen[-1], 3),
        "cut_noticed_s_p50": round(quantile(cut, 0.5), 3) if cut else None,
        "cut_noticed_s_max": round(cut[-1], 3) if cut else None,
        "held_back": held_back, "round_trips": measured, "memory_mb": memory, "growth_mb": growth,
        "is_flat": all(mb <= GROWTH_MB for mb in growth),
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="./dev bench switches", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--kinds", default="direct-tcp,direct-udp,turn-udp,turn-tcp",
                        help="gone to one after the other, each from the rendezvous server's relay")
    parser.add_argument("--no-cuts", action="store_true", help="changes of choice only")
    options = parser.parse_args(arguments)
    labs.enter()
    why = netlab.missing()
    if why:
        say(f"no laboratory: {why}")
        return 1
    lab = netlab.NetLab()
    try:
        result = run(lab, lab.start_servers(), options.switches, options.kinds.split(","), not options.no_cuts)
    except Failure as failure:
        say(str(failure))
        return 1
    finally:
        lab.close()
    print(json.dumps(result, indent=1))
    return 0 if result["is_flat"] else 1


if __name__ == "__main__":
    sys.exit(main())
