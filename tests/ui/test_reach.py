# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real apps that reach each other without any server, by keyboard and clipboard only: the
invitation goes one way, the digits are said, the reply comes back, and both windows tell the truth
about the connection. Between homes with NATs; a STUN server tells the addresses, nothing else is there.
TAP on standard output; pictures of every step in _build/reach/."""
import functools
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as labs
import netlab
from lab import BUILD, Failure
from netlab import Coturn, NetLab, TURN
from sides import Side

PICTURES = os.path.join(BUILD, "reach")
# Both try at every ten seconds of the clock.
MEET_S = 30
DIGITS = r"^(\d[, ]*){6}$"

STEPS = "Paste Reply|Copy Reply|Make an Invitation"


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


class People:
    def __init__(self):
        shutil.rmtree(PICTURES, ignore_errors=True)
        os.makedirs(PICTURES)
        self.lab = NetLab()
        self.lab.make_certificates()
        Coturn(self.lab)
        self.homes = [self.lab.home(host, "port-restricted", delay=10) for host in ("a", "b")]
        self.anna, self.ben = self.sides = [Side(self.lab, host, name)
                                            for host, name in (("a", "Anna"), ("b", "Ben"))]
        for side in self.sides:
            side.set("ice-servers", repr([f"stun:{TURN}:3478"]))
            side.set("ntp-servers", "[]")
        self.shots = 0
        self.begin = time.monotonic()

    def shoot(self, name):
        self.shots += 1
        print(f"# {time.monotonic() - self.begin:5.1f} s  {name}", flush=True)
        for side in self.sides:
            side.shot(os.path.join(PICTURES, f"{self.shots:02}-{name}-{side.name.lower()}.png"))


def invite(side):
    """From the first page to an invitation in the clipboard; the text and the digits."""
    side.call("go_press", name="Without a Server")
    side.call("go_press", name="Make an Invitation")
    # Once it is made, the keyboard is where it is needed.
    side.call("focused", name="Copy Invitation")
    side.call("keys", keys=["space"])
    side.text("Invitation copied")
    text = side.clipboard()
    digits = re.sub(r"\D", "", side.text(DIGITS))
    check(len(digits) == 6 and digits not in text, f"“{digits}” are not six digits, or are in the text")
    return text, digits


def paste(side, text, button):
    side.copy(text)
    side.call("go_press", name=button)


def reply(side, text, digits):
    """From the other's message to a reply in the clipboard."""
    paste(side, text, "Paste Invitation")
    side.call("focused", name="Type Their Six Digits")
    side.call("write", text=digits)
    side.call("keys", keys=["Return"])
    side.call("focused", name="Copy Reply")
    side.call("keys", keys=["space"])
    side.text("Reply copied")
    return side.clipboard()


def cancel(side):
    side.call("keys", keys=["Escape"])
    try:
        side.gone(STEPS, seconds=1)
    except Failure:
        side.call("keys", keys=["Escape"])  # the first was for the toast
        side.gone(STEPS)
    side.text("Your code: ")


def wrong_texts_are_told_and_wrong_digits_end_it(people):
    anna, ben = people.sides
    text, digits = invite(anna)
    people.shoot("invitation")
    ben.call("go_press", name="Without a Server")
    ben.call("go_press", name="I Got an Invitation")
    paste(ben, "see you at eight", "Paste Invitation")
    ben.text("There is no invitation in what you copied")
    people.shoot("no-invitation")
    answer = reply(ben, f"> Hello Ben,\n> {text}\n> see you", digits[:-1] + str((int(digits[-1]) + 1) % 10))
    paste(anna, "what?", "Paste Reply")
    anna.text("This is not the text that is expected here")
    paste(anna, text, "Paste Reply")
    anna.text("That is an invitation, perhaps your own")
    people.shoot("no-reply")
    paste(anna, answer, "Paste Reply")
    anna.text("typed wrong, so this invitation is over")
    people.shoot("wrong-digits")
    anna.call("focused", name="Start Again")
    anna.call("keys", keys=["space"])
    anna.call("focused", name="Make an Invitation")


def closing_it_gives_a_code_again(people):
    """In the choice, with an invitation made, and while it is tried."""
    anna, ben = people.sides
    cancel(anna)
    invite(anna)
    cancel(anna)
    ben.text("Both computers try together")
    cancel(ben)


def the_invitation_connects(people):
    anna, ben = people.sides
    text, digits = invite(anna)
    ben.call("go_press", name="Without a Server")
    ben.call("go_press", name="I Got an Invitation")
    answer = reply(ben, text, digits)
    paste(anna, answer, "Paste Reply")
    # The countdown is seen to move, or is over before.
    first = anna.text("Both computers try together|Wants to Help You")
    people.shoot("trying")
    if "together in" in first:
        anna.gone(re.escape(first))
        anna.text("tr(y|ies) so far|Wants to Help You")
    anna.text("Wants to Help You", seconds=MEET_S)
    anna.call("focused", name="Decline")
    people.shoot("asked")
    anna.call("go_press", name="[Ss]ee .*[Ss]creen")
    anna.text("Ben can see your screen")
    for side in people.sides:
        side.text("^Route: Encrypted end to end · direct")
    people.shoot("connected")


def both_windows_tell_the_truth(people):
    for side in people.sides:
        side.call("go_press", name="^Route: ")
        side.call("focused", name="More on This Connection")
        people.shoot("route")
        side.call("keys", keys=["space"])
        side.text("^Straight to the Other Computer$")
        side.call("focused", name="Copy Report")
    for side in people.sides:
        # Both networks have been looked at.
        side.gone("^Still finding out")
        side.call("keys", keys=["space"])
        side.text("Report copied")
        report = side.clipboard()
        print("".join(f"# {side.name}: {line}\n" for line in report.splitlines()), end="", flush=True)
        check(report.count("port-restricted cone") == 2, f"the networks are port-restricted: {report}")
        check(report.count("TCP: NAT with endpoint-independent mapping") == 2, f"and over TCP: {report}")
        check(re.search(r"Direct, (TCP|UDP): In use · round trip (4\d|5\d) ms", report), f"40 ms: {report}")
        check("Through the rendezvous server: The two of you met without" in report, report)
        check("No relay (TURN) server is known" in report and "Not known yet" not in report, report)
        check(not re.search(r"\d+\.\d+\.\d+\.\d+", report), f"an address is in it: {report}")
    people.shoot("connection")


def a_cut_is_told_once_and_mends(people):
    anna = people.anna
    anna.call("listen")
    people.homes[1].cut()
    anna.text("^Looking for a Way$")
    people.shoot("cut")
    people.homes[1].restore()
    anna.text("^Straight to the Other Computer$", seconds=30)
    told = [name for _, role, name in anna.call("heard") if name in ("Looking for a Way", "Straight to the Other Computer")]
    check(told == ["Looking for a Way", "Straight to the Other Computer"], f"a screen reader heard {told}")
    check(anna.call("focused") == "Copy Report", f"the keyboard was moved to “{anna.call('focused')}”")
    people.shoot("mended")
    for side in people.sides:
        side.call("keys", keys=["Escape"])
        side.call("focused", name="^Route: ")


TESTS = [wrong_texts_are_told_and_wrong_digits_end_it, closing_it_gives_a_code_again, the_invitation_connects,
         both_windows_tell_the_truth, a_cut_is_told_once_and_mends]


def main():
    labs.enter()
    why_not = netlab.missing()
    if why_not:
        print(f"1..0 # SKIP {why_not}")
        return 0
    people = People()

    def tell_more():
        people.shoot("where-it-failed")
        for side in people.sides:
            with open(side.log, encoding="utf-8", errors="replace") as log:
                for line in log.read().splitlines()[-12:]:
                    print(f"# {side.name}: {line}", flush=True)

    for side in people.sides:
        side.start_app()
    failed = labs.run_tap([("/ui/reach/" + test.__name__.replace("_", "-"), functools.partial(test, people))
                           for test in TESTS], tell_more) != 0
    for side in people.sides:
        for line in side.complaints():
            failed = True
            print(f"# {side.name}'s app complains: {line}")
    people.lab.close()
    return 1 if failed else 0


sys.exit(main())
