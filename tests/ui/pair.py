# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev pair: two apps, each on a display of its own, connected through their real windows.
First over the relay, then moved to UDP, cut, back on the relay, and up again; a file is dropped
in each direction; every step is printed with its time and photographed from both sides into
_build/pair/. It is the demonstration and the end-to-end test."""
import argparse
import hashlib
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as labs
from lab import BUILD, Failure, Lab, Server
from sides import Side

COLORS = ("#20a060", "#a03060")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read()).hexdigest()


class Pair:
    def __init__(self):
        self.begin = time.monotonic()
        self.pictures = os.path.join(BUILD, "pair")
        shutil.rmtree(self.pictures, ignore_errors=True)
        os.makedirs(self.pictures)
        self.steps = 0
        self.lab = Lab()
        self.server = Server(self.lab)
        self.anna = Side(self.lab, "a", "Anna", self.server)
        self.ben = Side(self.lab, "b", "Ben", self.server)

    def step(self, sentence):
        self.steps += 1
        print(f"{time.monotonic() - self.begin:6.2f} s  {sentence}", flush=True)
        for side in (self.anna, self.ben):
            side.shot(os.path.join(self.pictures, f"{self.steps:02}-{side.name.lower()}.png"))

    def allow(self, *kinds):
        for side in (self.anna, self.ben):
            side.set("allowed-paths", repr(list(kinds)))

    def wait_route(self, words, seconds=30):
        for side in (self.anna, self.ben):
            side.text(f"Route: .*{words}|Encrypted end to end · {words}", seconds=seconds)

    def give(self, giver, taker, name, size):
        path = os.path.join(giver.folder, name)
        with open(path, "wb") as out:
            out.write(random.Random(name).randbytes(size))
        giver.drop(path)
        giver.gone("Drop to send")
        taker.press("^_?Accept")
        giver.text("· sent", seconds=60)
        taker.text("· received", seconds=60)
        if digest(path) != digest(os.path.join(taker.downloads, name)):
            raise Failure(f"{name} differs after its journey")

    def show(self, color):
        """A colour put on Anna's desktop must appear in Ben's window."""
        self.anna.paint(color)
        self.ben.wait_for_color(color, 20000)

    def run(self):
        anna, ben = self.anna, self.ben
        self.allow("signal-relay")
        anna.start_app()
        ben.start_app()
        anna.call("place", x=0, y=0)
        anna.paint(COLORS[0])
        code = anna.text(r"^Your code: [\d ,.]+$").split(":")[1]
        self.step("Anna's window shows a code")
        ben.type("Code of the other person", code.replace(" ", "-"))
        self.step("Ben has typed it, with dashes")
        ben.press("Co_?nnect")
        anna.text("Wants to Help You")
        self.step("Anna is asked, Ben waits")
        anna.press("[Ss]ee .*[Ss]creen")
        anna.text("Ben can see your screen")
        self.wait_route("via the relay")
        ben.wait_for_color(COLORS[0], 20000)
        self.step("Ben sees Anna's screen, over the relay")
        self.give(ben, anna, "from-ben.bin", 1_500_000)
        self.step("Ben dropped a file on his window, Anna has it")
        self.allow("signal-relay", "direct-udp")
        self.wait_route("direct")
        self.show(COLORS[1])
        self.step("moved to a direct connection, the picture goes on")
        self.give(anna, ben, "from-anna.bin", 8_000_000)
        self.step("Anna dropped a file on her window, Ben has it")
        if self.lab.loopback:
            self.allow("signal-relay")
        else:
            self.lab.cut_udp("a", True)
        self.wait_route("via the relay")
        self.show(COLORS[0])
        self.step("UDP was cut: back on the relay, the picture goes on")
        if self.lab.loopback:
            self.allow("signal-relay", "direct-udp")
        else:
            self.lab.cut_udp("a", False)
        self.wait_route("direct", seconds=90)
        self.show(COLORS[1])
        self.step("and up again, on a direct connection")
        ben.press("^_?Stop")
        ben.text("You Ended It|Session Ended")
        anna.text("Session Ended|Left|Ended")
        self.step("Ben stopped; both windows say so")
        for side in (anna, ben):
            complaints = side.complaints()
            if complaints:
                raise Failure(f"{side.name}'s app complained: {complaints}")

    def close(self):
        self.lab.close()


def main():
    parser = argparse.ArgumentParser(prog="./dev pair", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="how many times")
    options = parser.parse_args()
    if options.runs > 1:
        # Each in a network of its own.
        failed = 0
        for number in range(1, options.runs + 1):
            status = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, __file__])
            failed += status != 0
            print(f"run {number} of {options.runs}: {'FAILED' if status else 'passed'}", flush=True)
        print(f"{options.runs - failed} passed, {failed} failed")
        sys.exit(1 if failed else 0)
    labs.enter()
    sys.exit(run_once())


def run_once():
    """The exit code."""
    pair = None
    try:
        pair = Pair()
        pair.run()
        print(f"Pictures of every step: {pair.pictures}")
        return 0
    except Failure as failure:
        print(f"FAILED: {failure}", flush=True)
        if pair is not None:
            try:
                pair.step("where it failed")
            except (Failure, OSError):
                pass
        return 1
    finally:
        if pair is not None:
            pair.close()


main()
