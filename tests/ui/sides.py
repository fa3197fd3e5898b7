# SPDX-License-Identifier: GPL-3.0-or-later
"""Two apps as two people have them: each with its own X display, D-Bus session, settings and
folders, on its own host of the lab. The pair run, the tests of windows and the benches use it."""
import json
import os
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import BUILD, Failure, run

HERE = os.path.dirname(os.path.abspath(__file__))
APP = os.path.join(BUILD, "src/ui/alongside-gtk")
DRAG_SOURCE = os.path.join(BUILD, "tests/ui/drag-source")
CLIPBOARD = os.path.join(BUILD, "tests/ui/clipboard")
SCHEMA = "org.alongside.Alongside"
# libadwaita 1.7's AdwMessageDialog tries narrow widths for its heading, of which GTK 4.18 warns.
NOT_OURS = "Trying to measure GtkLabel 0x[0-9a-f]+ for width of [0-9]+, but it needs at least"


class Side:
    """One person's desktop. Calls of `hand` (see hand.py) are methods: side.press ("Stop")."""

    def __init__(self, lab, host, name, server=None, size="1280x800", app=APP, extra_env=None):
        self.lab = lab
        self.host = host
        self.name = name
        self.folder = lab.make_folder(name)
        self.downloads = lab.make_folder(name, "Downloads")
        self.log = os.path.join(self.folder, "app.log")
        read, write = os.pipe()
        self.display_server = lab.start(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24",
             "-nolisten", "tcp", "-noreset"], pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        if not select.select([read], [], [], 20)[0]:
            raise Failure("Xvfb did not start")
        with os.fdopen(read) as line:
            self.display = ":" + line.readline().strip()
        runtime = lab.make_folder(name, "runtime")
        os.chmod(runtime, 0o700)
        self.env = {
            **lab.environment(host), "DISPLAY": self.display, "HOME": self.folder, "XDG_RUNTIME_DIR": runtime,
            "XDG_CONFIG_HOME": os.path.join(self.folder, "config"),
            "XDG_DATA_HOME": os.path.join(self.folder, "data"),
            "XDG_CACHE_HOME": os.path.join(self.folder, "cache"),
            "GSETTINGS_BACKEND": "keyfile", "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo",
            "GTK_USE_PORTAL": "0", "ADW_DISABLE_PORTAL": "1", "GTK_A11Y": "atspi",
            "GSETTINGS_SCHEMA_DIR": os.path.join(BUILD, "data"), "LC_ALL": "C.UTF-8",
            "LANGUAGE": "en", "NO_AT_BRIDGE": "0", **(extra_env or {}),
        }
        self.env.pop("WAYLAND_DISPLAY", None)
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        os.makedirs(self.env["XDG_CONFIG_HOME"], exist_ok=True)
        self.set("name", repr(name))
        self.set("download-folder", repr(self.downloads))
        self.set("servers", repr([server.uri] if server else []))
        self.set("loopback-only", "true" if lab.loopback else "false")
        self.manager = lab.start([*lab.on(host), "openbox"], env=self.env, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.hand = lab.start(
            [*lab.on(host), "dbus-run-session", "--", "/usr/bin/python3",
             os.path.join(HERE, "hand.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(os.path.join(self.folder, "hand.log"), "w"), text=True, env=self.env)
        self.app = app
        lab.closers.append(self.close)

    def close(self):
        """The hand stops the app and ends; then its D-Bus session ends by itself, whole. A signal
        to dbus-run-session would leave the bus behind."""
        self.hand.stdin.close()
        try:
            self.hand.wait(20)
        except subprocess.TimeoutExpired:
            pass

    def set(self, key, value):
        """A setting, while the app runs or before."""
        run("env", *(f"{k}={self.env[k]}" for k in
                     ("XDG_CONFIG_HOME", "GSETTINGS_BACKEND", "GSETTINGS_SCHEMA_DIR", "HOME",
                      "XDG_RUNTIME_DIR")),
            "gsettings", "set", SCHEMA, key, value)

    def call(self, verb, **arguments):
        self.hand.stdin.write(json.dumps({"do": verb, **arguments}) + "\n")
        self.hand.stdin.flush()
        while True:
            line = self.hand.stdout.readline()
            if not line:
                raise Failure(f"{self.name}: the hand is gone")
            if line.startswith("{"):  # else it is from something the session has started
                break
        answer = json.loads(line)
        if not answer["ok"]:
            raise Failure(f"{self.name}: {verb} {arguments}: {answer['why']}\n{self.app_log()}")
        return answer.get("value")

    def app_log(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()[-3000:]
        except FileNotFoundError:
            return ""

    def start_app(self, *arguments):
        return self.call("start", command=[self.app, *arguments], log=self.log)

    def press(self, name, **more):
        return self.call("press", name=name, **more)

    def type(self, name, text, **more):
        return self.call("type", name=name, text=text, **more)

    def text(self, name, **more):
        return self.call("text", name=name, **more)

    def gone(self, name, **more):
        return self.call("gone", name=name, **more)

    def drop(self, *files):
        return self.call("drop", source=DRAG_SOURCE, files=list(files))

    def copy(self, text):
        """TEXT into the clipboard, as another program copies it."""
        holder = self.lab.start([CLIPBOARD, "set", text], env=self.env, stdout=subprocess.PIPE, text=True)
        if holder.stdout.readline() != "ready\n":
            raise Failure(f"{self.name}: nothing can be copied")

    def clipboard(self):
        return subprocess.run([CLIPBOARD, "get"], env=self.env, check=True, capture_output=True,
                              text=True, timeout=10).stdout

    def shot(self, file):
        return self.call("shot", file=file)

    def paint(self, color):
        """The whole desktop behind the windows."""
        run("env", f"DISPLAY={self.display}", "xsetroot", "-solid", color)

    def wait_for_color(self, color, pixels, seconds=15):
        end = time.monotonic() + seconds
        while True:
            count = self.call("count_color", color=color)
            if count >= pixels:
                return count
            if time.monotonic() > end:
                raise Failure(f"{self.name}: {count} pixels of {color} instead of {pixels}")

    def complaints(self):
        """Warnings and criticals that the app has logged; there must be none."""
        return [line for line in self.app_log().splitlines()
                if re.search(r"(WARNING|CRITICAL|ERROR) \*\*|-(WARNING|CRITICAL|ERROR)", line)
                and not re.search(NOT_OURS, line)]
