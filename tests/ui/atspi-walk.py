#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Alongside authors
"""Walks through the accessible tree of states of the window and fails on a control without a name.

atspi-walk.py GALLERY STATE…    (inside run-ui.sh; TAP on stdout)
"""

import subprocess
import sys
import time

try:
    import pyatspi
except ImportError as error:
    print(f"1..0 # SKIP {error}")
    sys.exit(77)

# What a person can do something with, and so has to be told what it is.
CONTROLS = {
    pyatspi.ROLE_PUSH_BUTTON, pyatspi.ROLE_TOGGLE_BUTTON, pyatspi.ROLE_CHECK_BOX,
    pyatspi.ROLE_TEXT, pyatspi.ROLE_ENTRY, pyatspi.ROLE_LINK, pyatspi.ROLE_LIST,
    pyatspi.ROLE_LIST_ITEM, pyatspi.ROLE_PROGRESS_BAR, pyatspi.ROLE_MENU_ITEM,
}
# State: what has to be found there, by role and exact name.
EXPECTED = {
    "start": [("label", "Your code: 4 8 2, 9 1 3, 6 0 7, 1 5 4"), ("push button", "Copy Code"),
              ("push button", "Copy Link"), ("text", "Code of the other person"),
              ("push button", "Connect"), ("push button", "Main Menu")],
    "wait-looking": [("push button", "Cancel")],
    "consent": [("push button", "Decline"), ("push button", "Only Exchange Files"),
                ("push button", "Let Them See My Screen")],
    "sharing-files": [("push button", "Stop"), ("push button", "Send Files…"),
                      ("push button", "Hide My Screen"), ("push button", "Show in Folder")],
    "offer": [("push button", "Decline"), ("push button", "Accept")],
    "viewing-files": [("push button", "Stop"), ("push button", "Send Files…"),
                      ("push button", "Full Screen"), ("push button", "Original Size"),
                      ("push button", "Cancel This Transfer")],
    "end-server": [("push button", "Try Again"), ("push button", "Copy Details")],
}
# State: the name of what has the keyboard when it appears.
FOCUSED = {"preferences": "Name Shown to the Other Person", "connection": "Copy Report",
           "start": "Code of the other person", "consent": "Decline", "offer": "Decline"}


def children(node):
    for i in range(node.childCount):
        child = node.getChildAtIndex(i)
        if child is not None:
            yield child


def walk(node, trail=()):
    yield node, trail
    for child in children(node):
        yield from walk(child, trail + (node,))


def find_app(pid):
    for app in children(pyatspi.Registry.getDesktop(0)):
        if app.get_process_id() == pid and app.childCount > 0:
            return app
    return None


def clean(name):
    return name.replace("_", "")


def examine(state, gallery):
    """The faults of one state, as sentences."""
    process = subprocess.Popen([gallery, "--hold", state], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            return ["the window did not come"]
        deadline = time.monotonic() + 20
        app = None
        while app is None and time.monotonic() < deadline:
            app = find_app(process.pid)
            if app is None:
                time.sleep(0.05)
        if app is None:
            return ["the app is not on the accessibility bus"]
        faults, found, focused = [], set(), []
        n_controls = 0
        for node, trail in walk(app):
            role = node.getRole()
            # Newer ones call a push button a button, and a toggle button by its name.
            is_button = role in (pyatspi.ROLE_PUSH_BUTTON, pyatspi.ROLE_TOGGLE_BUTTON)
            role_name = "push button" if is_button else node.getRoleName()
            found.add((role_name, clean(node.name)))
            if node.getState().contains(pyatspi.STATE_FOCUSED) and role in CONTROLS:
                focused.append(clean(node.name))
            if role not in CONTROLS:
                continue
            # The cross on a toast of libadwaita 1.2 has no name, and is not ours to give one.
            if any(above.name == "AdwToastWidget" for above in trail):
                continue
            # Nor are the hidden search field and the lists of AdwPreferencesWindow.
            if state == "preferences" and node.name in ("GtkSearchEntry", "GtkListBox"):
                continue
            n_controls += 1
            # GTK gives the name of the class where it knows nothing better.
            if not node.name.strip() or node.name.startswith(("Gtk", "Adw", "Als")):
                path = " > ".join(f"{n.getRoleName()} “{n.name}”" for n in trail[1:] + (node,))
                faults.append(f"has no name: {path}")
        if n_controls == 0:
            faults.append("no controls were seen at all")
        for role, name in EXPECTED.get(state, []):
            if (role, name) not in found:
                near = sorted(n for r, n in found if r == role)
                faults.append(f"no {role} “{name}”; there are {near}")
        if state in FOCUSED and FOCUSED[state] not in focused:
            faults.append(f"the keyboard is on {focused}, not on “{FOCUSED[state]}”")
        return faults
    finally:
        process.kill()
        process.wait()


def main():
    gallery, states = sys.argv[1], sys.argv[2:]
    failed = False
    print(f"1..{len(states)}")
    for number, state in enumerate(states, 1):
        faults = examine(state, gallery)
        for fault in faults:
            print(f"# {state}: {fault}")
        print(f"{'not ok' if faults else 'ok'} {number} /ui/accessible/{state}", flush=True)
        failed = failed or bool(faults)
    return 1 if failed else 0


sys.exit(main())
