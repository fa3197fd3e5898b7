# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real apps that reach each other without any server, by keyboard and clipboard only: the
invitation goes one way, the digits are said, the reply comes back, and both windows tell the truth
about the connection. Between homes with NATs; a STUN server tells the addresses, nothing else is there.
TAP on standard output; pictures of every step in _build/reach/."""
import os
import re
import shutil
import sys
import time
import traceback

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
    side.call("go_press", name="Copy Invitation")
    side.text("Invitation copied")
    text = side.clipboard()
    digits = re.sub(r"\D", "", side.text(DIGITS))
    check(len(digits) == 6 and digits not in text, f"“{digits}” are not six digits, or are in the text")
    return text, digits


def reply(side, text, digits):
    """From the other's message to a reply in the clipboard."""
    side.copy(text)
    side.call("go_press", name="Paste Invitation")
    side.call("focused", name="Six Digits")
    side.call("write", text=digits)
    side.call("keys", keys=["Return"])
    side.call("go_press", name="Copy Reply")
    side.text("Reply copied")
    return side.clipboard()


def paste(side, text, button):
    side.copy(text)
    side.call("go_press", name=button)


def wrong_digits_end_an_invitation(people):
    anna, ben = people.sides
    text, digits = invite(anna)
    people.shoot("invitation")
    ben.call("go_press", name="Without a Server")
    ben.call("go_press", name="I Got an Invitation")
    paste(ben, "see you at eight", "Paste Invitation")
    ben.text("There is no invitation in what you copied")
    people.shoot("garbage")
    answer = reply(ben, f"> Hello Ben,\n> {text}\n> see you", digits[:-1] + str((int(digits[-1]) + 1) % 10))
    paste(anna, "what?", "Paste Reply")
    anna.text("no reply|no invitation|cannot be used|not")
    people.shoot("garbage-reply")
    paste(anna, text, "Paste Reply")
    anna.text("That is an invitation")
    paste(anna, answer, "Paste Reply")
    anna.text("typed wrong, so this invitation is over")
    people.shoot("wrong-digits")


def the_invitation_connects(people):
    anna, ben = people.sides
    for side in people.sides:
        side.call("keys", keys=["Escape"])
        side.gone("Paste Reply|Copy Reply")
    text, digits = invite(anna)
    ben.call("go_press", name="Without a Server")
    ben.call("go_press", name="I Got an Invitation")
    answer = reply(ben, text, digits)
    people.shoot("replied")
    paste(anna, answer, "Paste Reply")
    anna.text("Both computers try together")
    people.shoot("trying")
    anna.text("Wants to Help You", seconds=MEET_S)
    people.shoot("asked")
    anna.call("go_press", name="[Ss]ee .*[Ss]creen")
    anna.text("Ben can see your screen")
    people.shoot("connected")
    time.sleep(3)
    for side in people.sides:
        print("#", side.name, side.call("go_to", name="^Route:"))
        side.call("keys", keys=["space"])
        people.shoot("popover")
        side.call("go_press", name="More on This Connection")
        side.text("Ways Tried")
    time.sleep(3)
    people.shoot("connection")
    for side in people.sides:
        side.call("go_press", name="Copy Report")
        print(side.clipboard())


TESTS = [wrong_digits_end_an_invitation, the_invitation_connects]


def main():
    labs.enter()
    why_not = netlab.missing()
    if why_not:
        print(f"1..0 # SKIP {why_not}")
        return 0
    people = People()
    failed = False
    print(f"1..{len(TESTS)}", flush=True)
    for side in people.sides:
        side.start_app()
    for number, test in enumerate(TESTS, 1):
        name = test.__name__.replace("_", "-")
        try:
            test(people)
            print(f"ok {number} /ui/reach/{name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            for line in (str(error) if isinstance(error, Failure) else traceback.format_exc()).splitlines():
                print(f"# {line}")
            print(f"not ok {number} /ui/reach/{name}", flush=True)
            people.shoot("where-it-failed")
            break
    for side in people.sides:
        for line in side.complaints():
            print(f"# {side.name}'s app complains: {line}")
    people.lab.close()
    return 1 if failed else 0


sys.exit(main())
