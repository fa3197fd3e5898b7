# SPDX-License-Identifier: GPL-3.0-or-later
"""A hand at one app: runs inside that side's D-Bus session and X display, starts the app,
and does what lines of JSON on standard input say, through accessibility and the pointer, as
a person would. Answers with one line of JSON each. See the functions named do_*."""
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

import pyatspi
from gi.repository import Atspi, GLib

app = None        # the process
WAIT_S = 15


class Missing(Exception):
    pass


def accessible_app():
    desktop = pyatspi.Registry.getDesktop(0)
    for child in desktop:
        if child is not None and app is not None and child.get_process_id() == app.pid:
            return child
    return None


def size_of(node):
    """Width and height, or None for what has no place of its own."""
    try:
        extents = node.queryComponent().getExtents(pyatspi.WINDOW_COORDS)
        return extents.width, extents.height
    except NotImplementedError:
        return None


def is_shown(node):
    """GTK 4.8 tells "showing" of windows only; what was never on show has no size."""
    return node.getState().contains(pyatspi.STATE_VISIBLE) and size_of(node) != (0, 0)


def walk(node, shown=False, depth=0):
    """NODE and what is below it; with SHOWN without what is hidden, and what is below that."""
    if node is None or depth > 60:
        return
    if shown and depth > 0 and not is_shown(node):
        return
    yield node
    for index in range(node.childCount):
        try:
            yield from walk(node.getChildAtIndex(index), shown, depth + 1)
        except Exception:  # pylint: disable=broad-except
            continue       # it went away while we looked


def text_of(node):
    try:
        return node.queryText().getText(0, -1)
    except NotImplementedError:
        return ""


def find(name=None, role=None, seconds=WAIT_S, shown=True, enabled=False):
    """Waits for a node whose name matches the regular expression NAME."""
    end = time.monotonic() + seconds
    while True:
        root = accessible_app()
        if root is not None:
            for node in walk(root, shown):
                try:
                    if role is not None and node.getRoleName() not in role.split("|"):
                        continue
                    if enabled and not node.getState().contains(pyatspi.STATE_SENSITIVE):
                        continue
                    if name is None or re.search(name, node.name or "") \
                            or re.search(name, text_of(node)):
                        return node
                except Exception:  # pylint: disable=broad-except
                    continue
        if app is not None and app.poll() is not None:
            raise Missing(f"the app ended with {app.returncode} while “{name}” was looked for")
        if time.monotonic() > end:
            raise Missing(f"no “{name}” ({role}) within {seconds} s; there is: {do_names()}")
        time.sleep(0.05)


def do_start(command, log):
    global app
    with open(log, "w", encoding="utf-8") as out:
        app = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    return app.pid


def do_press(name, role="push button|toggle button|button|menu item|check box", seconds=WAIT_S):
    node = find(name, role, seconds, enabled=True)
    node.queryAction().doAction(0)
    return node.name


def do_press_at(name, role="push button|toggle button|button|menu item|check box", seconds=WAIT_S):
    """Presses, too; the monotonic time of it in µs."""
    action = find(name, role, seconds, enabled=True).queryAction()
    at_us = time.monotonic_ns() // 1000
    action.doAction(0)
    return at_us


def do_type(name, text, role="text|entry|password text", seconds=WAIT_S):
    find(name, role, seconds).queryEditableText().setTextContents(text)


def do_text(name, role=None, seconds=WAIT_S):
    """The name, or else the text, of what matches."""
    node = find(name, role, seconds)
    return node.name or text_of(node)


def do_gone(name, role=None, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            find(name, role, 0)
        except Missing:
            return
        time.sleep(0.05)
    raise Missing(f"“{name}” is still there after {seconds} s")


def do_names():
    """Everything on show, for a failure's report."""
    root = accessible_app()
    names = []
    for node in walk(root, True) if root is not None else []:
        try:
            if (node.name or text_of(node)):
                names.append(f"{node.getRoleName()}: {node.name or text_of(node)}")
        except Exception:  # pylint: disable=broad-except
            continue
    return names[-60:]


def do_tree():
    """Every node with its states, to see why something is not found."""
    return [f"{node.getRoleName()} “{node.name}” “{text_of(node)}” "
            f"{size_of(node)} {[pyatspi.stateToString(state) for state in node.getState().getStates()]}"
            for node in walk(accessible_app())]


def do_unnamed():
    """Controls without a name: none should be."""
    roles = ("push button", "toggle button", "check box", "text", "entry", "menu item", "slider",
             "combo box", "switch", "button", "link")
    found = []
    for node in walk(accessible_app(), True):
        try:
            if node.getRoleName() in roles and not (node.name or "").strip():
                parent = node.parent
                found.append(f"{node.getRoleName()} in {parent.getRoleName()} “{parent.name}”")
        except Exception:  # pylint: disable=broad-except
            continue
    return found


def xdotool(*words):
    return subprocess.run(["xdotool", *map(str, words)], check=True, capture_output=True,
                          text=True).stdout.strip()


def window_of(pid):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = subprocess.run(["xdotool", "search", "--onlyvisible", "--pid", str(pid)],
                               capture_output=True, text=True, check=False).stdout.split()
        if found:
            return found[-1]
        time.sleep(0.1)
    raise Missing("the window is not on the display")


def geometry(window):
    """Not from xdotool, some versions of which count the frame's place twice."""
    out = subprocess.run(["xwininfo", "-id", window], check=True, capture_output=True,
                         text=True).stdout
    names = {"X": "Absolute upper-left X", "Y": "Absolute upper-left Y", "WIDTH": "Width",
             "HEIGHT": "Height"}
    return {key: int(re.search(rf"{name}:\s*(-?\d+)", out).group(1)) for key, name in names.items()}


def is_said(process, word, seconds):
    """Whether PROCESS says WORD on a line of its own in time."""
    end = time.monotonic() + seconds
    while select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
        line = process.stdout.readline()
        if not line or line.strip() == word:
            return bool(line)
    return False


def do_drop(source, files):
    """Drags FILES from a window of their own (the program SOURCE) onto the app's window."""
    giver = subprocess.Popen([source, *files], stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        if not is_said(giver, "ready", WAIT_S):
            raise Missing("the window with the files was not drawn")
        end = time.monotonic() + WAIT_S
        while True:
            # The window manager may still be about to place it.
            place = geometry(window_of(giver.pid))
            xdotool("mousemove", place["X"] + place["WIDTH"] // 2, place["Y"] + place["HEIGHT"] // 2)
            xdotool("mousedown", 1)
            for _ in range(8):
                xdotool("mousemove_relative", "--sync", "--", 10, 0)
                time.sleep(0.03)  # newer GTK takes a drag of under 100 ms for a slip
            if is_said(giver, "dragging", 1):
                break
            xdotool("mouseup", 1)
            if time.monotonic() > end:
                raise Missing("the files cannot be dragged")
        target = geometry(window_of(app.pid))
        while True:
            for nudge in (0, 3, 6):  # a drop site is asked and answers between moves
                xdotool("mousemove", target["X"] + target["WIDTH"] // 2 + nudge,
                        target["Y"] + target["HEIGHT"] // 2 + nudge)
                time.sleep(0.1)
            try:
                find("[Dd]rop (the files|to send)", "label", 0.5)
                break
            except Missing:
                if time.monotonic() > end:
                    raise
        xdotool("mouseup", 1)
    finally:
        try:
            giver.wait(5)    # it ends by itself once it has given
        except subprocess.TimeoutExpired:
            giver.terminate()
            giver.wait()


def do_resize(width, height):
    xdotool("windowsize", "--sync", window_of(app.pid), width, height)


def do_place(x, y):
    xdotool("windowmove", window_of(app.pid), x, y)


def do_key(keys):
    xdotool("key", "--window", window_of(app.pid), keys)


def focused():
    """Where the keyboard is: the name of it, or else its text."""
    root = accessible_app()
    windows = [window for window in root if window is not None] if root is not None else []
    # A window keeps its own while another is used; dialogs of messages do not tell that they are.
    windows.sort(key=lambda window: not window.getState().contains(pyatspi.STATE_ACTIVE))
    for window in windows:
        for node in walk(window):
            try:
                state = node.getState()
                if state.contains(pyatspi.STATE_FOCUSED) and state.contains(pyatspi.STATE_FOCUSABLE):
                    return (node.name or text_of(node)).replace("_", "")
            except Exception:  # pylint: disable=broad-except
                continue
    return None


def do_focused(name=None, seconds=WAIT_S):
    """What has the keyboard; with NAME once that matches."""
    end = time.monotonic() + seconds
    while True:
        found = focused()
        if name is None or re.search(name, found or ""):
            return found
        if time.monotonic() > end:
            raise Missing(f"the keyboard is on “{found}”, not on “{name}”; there is: {do_names()}")
        time.sleep(0.05)


def do_keys(keys):
    """To whatever has the keyboard, as from a real one."""
    xdotool("key", "--clearmodifiers", *keys)


def do_write(text):
    xdotool("type", "--clearmodifiers", text)


def do_go_to(name, key="Tab", most=40):
    """Presses KEY until what matches NAME has the keyboard."""
    find(name, enabled=True)
    seen = []
    for _ in range(most):
        found = focused()
        if re.search(name, found or ""):
            return found
        seen.append(found)
        xdotool("key", key)
        end = time.monotonic() + 1
        while focused() == found and time.monotonic() < end:
            time.sleep(0.01)
    raise Missing(f"{key} does not lead to “{name}” but to {seen}")


def do_go_press(name, key="Tab"):
    """Goes there, and presses it with the space bar."""
    do_go_to(name, key)
    xdotool("key", "space")


heard = []
listener = None


def hear(event):
    name = event.any_data if isinstance(event.any_data, str) else event.source.get_name()
    heard.append([event.type, event.source.get_role_name(), (name or "").replace("_", "")])


def do_listen():
    """From now on, what a screen reader is told about names."""
    global listener
    if listener is None:
        listener = Atspi.EventListener.new(hear)
        listener.register("object:property-change:accessible-name")
    do_heard()


def do_heard():
    """What was told since it was asked last: [kind, role, name] each."""
    while GLib.MainContext.default().iteration(False):
        pass
    found = list(heard)
    heard.clear()
    return found


def do_geometry():
    return geometry(window_of(app.pid))


def do_shot(file):
    subprocess.run(["import", "-silent", "-window", "root", file], check=True)


def do_count_color(color, fuzz="6%"):
    """How many pixels of the display are of about this colour."""
    out = subprocess.run(["convert", "x:root", "-fill", "white", "-fuzz", fuzz, "-opaque", color,
                          "-fill", "black", "+opaque", "white", "-format", "%[fx:mean*w*h]",
                          "info:"], check=True, capture_output=True, text=True).stdout
    return int(float(out))


def do_stop():
    if app is not None and app.poll() is None:
        app.send_signal(signal.SIGTERM)
        try:
            app.wait(10)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()
    return app.returncode if app is not None else None


def main():
    for line in sys.stdin:
        request = json.loads(line)
        verb = request.pop("do")
        try:
            answer = {"ok": True, "value": globals()["do_" + verb](**request)}
        except Missing as missing:
            answer = {"ok": False, "why": str(missing)}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"ok": False, "why": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    do_stop()
    os._exit(0)  # pyatspi's threads do not end by themselves


main()
