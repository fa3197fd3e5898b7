# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger on the punched port, in the laboratory: real coturn, real signald, real clients. TAP on
standard output."""
import os
import re
import select
import socket
import subprocess
import sys
import threading

import test_turn_cli  # enters a namespace of its own, first of all
from test_turn_cli import Visit, check, netlab
import lab as labs

MIB = 1024 * 1024
FLOOD = 200
# Nothing, what is no record, and a record that begins and does not go on.
WORDS = (b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + os.urandom(4000), b"\x00\x40" + os.urandom(20))


class Stranger:
    """Connects from HOST to every port where one of HOMES listens, again and again."""

    def __init__(self, lab, host, homes):
        self.lab, self.host, self.homes = lab, host, homes
        self.doors, self.sockets = set(), {}   # what each has still to say, None: nothing
        self.n_let_in = self.n_bytes = 0
        self.failure = None
        self.is_over, self.is_flooding = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _look(self):
        """Full cones keep a port's number: where it listens inside is where it can be reached."""
        for home in self.homes:
            lines = subprocess.run([*self.lab.on(home.name), "ss", "-Htln4"], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout
            for line in lines.splitlines():
                port = re.search(r":(\d+)$", line.split()[3])
                if port is not None:
                    self.doors.add((home.public, int(port.group(1))))

    def _knock(self, door, words):
        knocking = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        knocking.setblocking(False)
        knocking.connect_ex(door)
        self.sockets[knocking] = words

    def _go_on(self):
        """Whoever has been let in says its words; nobody is to say anything to it."""
        poll = select.poll()
        by_number = {knocking.fileno(): knocking for knocking in self.sockets}
        for number, knocking in by_number.items():
            poll.register(number, select.POLLIN | (select.POLLOUT if self.sockets[knocking] is not None else 0))
        for number, events in poll.poll(0):
            knocking = by_number[number]
            try:
                if self.sockets[knocking] is not None and events == select.POLLOUT:
                    self.n_let_in += 1
                    knocking.send(self.sockets[knocking])
                    self.sockets[knocking] = None
                    continue
                got = knocking.recv(65536)
                self.n_bytes += len(got)
                is_over = not got
            except OSError:
                is_over = True
            if is_over:
                del self.sockets[knocking]
                knocking.close()

    def _run(self):
        try:
            with netlab.inside(self.host):
                while not self.is_over.is_set():
                    self._look()
                    for door in self.doors:
                        for words in WORDS:
                            self._knock(door, words)
                    if self.is_flooding.is_set():
                        self.is_flooding.clear()
                        for number in range(FLOOD):
                            self._knock(sorted(self.doors)[number % len(self.doors)], WORDS[0])
                    self._go_on()
                self._go_on()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error
        for knocking in self.sockets:
            knocking.close()

    def flood(self):
        """At once, and without waiting for any of them."""
        self.is_flooding.set()

    def stop(self):
        self.is_over.set()
        self.thread.join(20)
        if self.failure is not None:
            raise self.failure


def knocked_at(lab, server):
    """
        a ── full cone ──┬── full cone ── b
                         │
                      stranger"""
    outside = lab.home("s", "open", delay=2)
    state = {}

    def prepare(homes):
        state["stranger"] = Stranger(lab, outside.name, homes)

    visit = stranger = None
    try:
        visit = Visit(lab, server, "full-cone", "full-cone", "direct-tcp,signal-relay", prepare=prepare)
        stranger = state["stranger"]
        took = visit.wait_for("direct-tcp")
        visit.send(2 * MIB)
        stranger.flood()
        visit.send(4 * MIB)
        check(visit.kinds() == ("direct-tcp", "direct-tcp"), f"it ended on {visit.kinds()}")
        visit.stop()
        stranger.stop()
        check(stranger.n_let_in > 0, "the stranger was never let in: this shows nothing")
        check(stranger.n_bytes == 0, f"the stranger got {stranger.n_bytes} bytes")
        return f"direct-tcp after {took * 1000:.0f} ms beside {stranger.n_let_in} strangers"
    finally:
        if stranger is not None:
            stranger.is_over.set()
        if visit is not None:
            visit.close()
        outside.remove()


def main():
    if netlab.missing():
        print(f"1..0 # SKIP {netlab.missing()}")
        return 0
    lab = netlab.NetLab()
    try:
        server = lab.start_servers()
        return labs.run_tap([("a stranger on the punched port", lambda: knocked_at(lab, server))])
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
