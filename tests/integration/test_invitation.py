# SPDX-License-Identifier: GPL-3.0-or-later
"""Two homes meet by a pasted invitation, with no rendezvous server anywhere: a STUN server tells
their addresses, people carry two texts and say six digits. TAP on standard output."""
import contextlib
import functools
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
import netlab
import lab as labs
from lab import Cli, Failure
from netlab import NetLab, Coturn, TURN

labs.enter()

# Both try at every ten seconds of the clock.
MEET_S = 60


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def inviter(lab, *arguments, file="/etc/os-release"):
    cli = Cli(lab, None, "send", "--invitation", "--stun", f"{TURN}:3478", file, *arguments,
              host="a", stdin=subprocess.PIPE)
    offer = cli.wait("invitation")
    digits = offer["digits"].replace(" ", "")
    check(len(digits) == 6 and digits not in offer["text"], "the digits are in the text, or are none")
    return cli, offer["text"], digits


def joiner(lab, text, digits, *arguments):
    cli = Cli(lab, None, "receive", "--yes", "--folder", lab.make_folder("got"), "--stun", f"{TURN}:3478",
              "--invitation-file", "-", *arguments, host="b", stdin=subprocess.PIPE)
    for line in (f"Hello, here it is:\n{text}", digits):
        cli.command(line)
    return cli


def two_homes_meet(lab):
    sender, text, digits = inviter(lab)
    receiver = joiner(lab, text, digits)
    reply = receiver.wait("reply")["text"]
    check(digits not in reply, "the digits are in the reply")
    sender.command("this is no reply")
    sender.command(reply)
    sender.wait("progress", state="done", seconds=MEET_S)
    check(sender.wait("end", seconds=MEET_S)["exit"] == 0, "the sender failed")
    check(receiver.wait("end", seconds=MEET_S)["exit"] == 0, "the receiver failed")
    check(receiver.wait("path")["kind"].startswith("direct"), "the path is not direct")
    with open("/etc/os-release", "rb") as one, open(lab.path("got", "os-release"), "rb") as other:
        check(one.read() == other.read(), "the file differs")


@contextlib.contextmanager
def only_short_datagrams(lab, host):
    """Those that look for each other come through HOST's firewall, what they then say does not."""
    rules = " ".join(f"add chain inet short {way} {{ type filter hook {way} priority 0; }}; "
                     f"add rule inet short {way} udp length > 60 drop;" for way in ("input", "output"))
    labs.run(*lab.on(host), "nft", "add table inet short; " + rules)
    try:
        yield
    finally:
        labs.run(*lab.on(host), "nft", "delete table inet short")


@contextlib.contextmanager
def cut(lab, host):
    lab.homes[host].cut()
    try:
        yield
    finally:
        lab.homes[host].restore()


def survive(lab, kind, trouble, trouble_s):
    """Nobody is left to bring them together: no server, no common network."""
    content = os.urandom(20_000_000)
    name = f"{trouble.__name__}-{kind}.bin"
    path = lab.path(name)
    with open(path, "wb") as file:
        file.write(content)
    sender, text, digits = inviter(lab, "--paths", kind, file=path)
    receiver = joiner(lab, text, digits, "--paths", kind)
    sender.command(receiver.wait("reply")["text"])
    receiver.wait("progress", seconds=MEET_S, bytes=lambda n: n and n > 1_000_000)
    marks = [cli.mark() for cli in (sender, receiver)]
    with trouble(lab, "a"):
        for cli, mark in zip((sender, receiver), marks):
            cli.wait("path", 30, after=mark, kind="none")
        time.sleep(trouble_s)   # the trouble itself
    begin = time.monotonic()
    for cli, mark in zip((sender, receiver), marks):
        cli.wait("path", 30, after=mark, kind=kind)
    print(f"# {kind}: together again after {time.monotonic() - begin:.1f} s", flush=True)
    receiver.wait("progress", state="done", seconds=MEET_S)
    for cli in (sender, receiver):
        check(cli.wait("end", seconds=MEET_S)["exit"] == 0, f"{cli.name} failed")
    with open(lab.path("got", name), "rb") as file:
        check(file.read() == content, "the file differs")


def a_cut_is_survived_over_tcp(lab):
    survive(lab, "direct-tcp", cut, 20)


def a_cut_is_survived_over_udp(lab):
    survive(lab, "direct-udp", cut, 20)


def a_greeting_that_is_lost_is_no_end(lab):
    survive(lab, "direct-udp", only_short_datagrams, 22)


def wrong_digits_end_it(lab):
    sender, text, digits = inviter(lab)
    receiver = joiner(lab, text, digits[:-1] + str((int(digits[-1]) + 1) % 10))
    sender.command(receiver.wait("reply")["text"])
    end = sender.wait("end")
    check(end["exit"] == 3 and end["reason"] == "wrong-code", f"it ended with {end}")
    receiver.process.send_signal(2)
    check(receiver.wait("end")["exit"] == 130, "an interrupt does not end it")


def what_is_no_invitation_is_refused(lab):
    receiver = Cli(lab, None, "receive", "--invitation-file", "/etc/os-release", host="b", code="123456")
    end = receiver.wait("end")
    check(end["exit"] == 3 and end["reason"] == "bad-invitation", f"it ended with {end}")


TESTS = [two_homes_meet, a_cut_is_survived_over_tcp, a_cut_is_survived_over_udp,
         a_greeting_that_is_lost_is_no_end, wrong_digits_end_it, what_is_no_invitation_is_refused]


def main():
    why_not = netlab.missing()
    if why_not:
        print(f"1..0 # SKIP {why_not}")
        return 0
    lab = NetLab()
    lab.make_certificates()
    Coturn(lab)
    lab.homes = {host: lab.home(host, "port-restricted", delay=10, rate=40) for host in ("a", "b")}
    return labs.run_tap([("/invitation/" + test.__name__.replace("_", "-"), functools.partial(test, lab)) for test in TESTS])


sys.exit(main())
