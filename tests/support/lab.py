# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests, the pair run and the benches share: a small network of
namespaces, the rendezvous server in it, and the command line as an object whose events
can be waited for. Nothing here ever leaves the machine.

    lab (bridge, 10.77.0.1)     the server runs here
     ├── veth ── a (10.77.0.2)
     └── veth ── b (10.77.0.3)

Where namespaces are refused everything runs on 127.0.0.1 (`lab.loopback`)."""
import atexit
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = os.environ.get("ALONGSIDE_BUILD_ROOT") or os.environ.get("MESON_BUILD_ROOT") or "_build"
BUILD = os.path.abspath(BUILD)
CLI = os.path.join(BUILD, "src/cli/alongside")
SIGNALD = os.path.join(BUILD, "src/server/alongside-signald")
INSIDE = "ALONGSIDE_LAB"


class Failure(Exception):
    """A sentence that says what was waited for, or what is wrong."""


class Skip(Exception):
    """Why this cannot be tried here."""


def run_tap(cases, after_failure=None):
    """CASES: (name, function) pairs, each a line of TAP; what the function returns stands behind it. The words
    of the command line pick those whose name has one of them. AFTER_FAILURE () tells more as "# …" lines; with
    it the rest is not run. Why one failed stands on standard error, too: that is what a summary shows. Returns
    the exit status."""
    failed = False
    wanted = sys.argv[1:]
    cases = [(name, function) for name, function in cases
             if not wanted or any(re.sub("[_-]", " ", word) in re.sub("[_-]", " ", name) for word in wanted)]
    print(f"1..{len(cases)}", flush=True)
    for number, (name, function) in enumerate(cases, 1):
        begin = time.monotonic()
        try:
            told = function()
            print(f"ok {number} {name}" + (f" # {told}" if told else ""), flush=True)
        except Skip as reason:
            print(f"ok {number} {name} # SKIP {reason}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            reason = str(error) if isinstance(error, Failure) else traceback.format_exc()
            print("".join(f"# {line}\n" for line in reason.splitlines()) + f"not ok {number} {name}", flush=True)
            print(f"{name}: {reason}", file=sys.stderr, flush=True)
            if after_failure is not None:
                after_failure()
                break
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
    return 1 if failed else 0


def named(functions, *arguments):
    """For run_tap (): what the functions are called is what they show."""
    return [(function.__name__.replace("_", " "), functools.partial(function, *arguments)) for function in functions]


def enter():
    """Starts this program again inside a network namespace of its own, if that is allowed.
    Call it first of all."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "loopback"
    flags = ["-n", "-m"] if os.geteuid() == 0 else ["-U", "-r", "-n", "-m"]
    probe = "mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up && ip netns add x"
    if os.environ.get("ALONGSIDE_NO_NAMESPACES") or subprocess.run(
            ["unshare", *flags, "sh", "-c", probe], stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return
    os.environ[INSIDE] = "namespaces"
    # X servers in here must not take the sockets of those outside.
    setup = ("mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up && "
             "mkdir -p /tmp/.X11-unix && mount -t tmpfs -o mode=1777 none /tmp/.X11-unix && "
             "exec \"$@\"")
    os.execvp("unshare", ["unshare", *flags, "sh", "-c", setup, "sh", sys.executable, *sys.argv])


def run(*command):
    subprocess.run(command, check=True)


class Lab:
    """Two hosts and a server."""

    def __init__(self):
        self.loopback = os.environ.get(INSIDE) != "namespaces"
        self.folder = tempfile.mkdtemp(prefix="alongside-lab-")
        self.children = []
        self.closers = []    # called first of all by close ()
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        os.environ["XDG_RUNTIME_DIR"] = os.path.join(self.folder, "runtime")
        os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
        # The user's own settings are no part of a test.
        os.environ.setdefault("GSETTINGS_BACKEND", "memory")
        if not self.loopback:
            self.make_network()

    def make_network(self):
        run("ip", "link", "add", "lab", "type", "bridge")
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "lab")
        run("ip", "link", "set", "lab", "up")
        for number, host in ((2, "a"), (3, "b")):
            run("ip", "netns", "add", host)
            run("ip", "link", "add", f"lab-{host}", "type", "veth", "peer", "name", "eth0",
                "netns", host)
            run("ip", "link", "set", f"lab-{host}", "master", "lab", "up")
            run(*self.on(host), "ip", "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            run(*self.on(host), "ip", "link", "set", "eth0", "up")
            run(*self.on(host), "ip", "link", "set", "lo", "up")
            run(*self.on(host), "ip", "route", "add", "default", "via", "10.77.0.1")

    def on(self, host):
        """The words in front of a command that shall run on HOST."""
        return [] if self.loopback or host is None else ["nsenter", f"--net=/run/netns/{host}", "--"]

    def environment(self, host):
        """What programs on HOST find in their environment."""
        return os.environ

    @property
    def address(self):
        return "127.0.0.1" if self.loopback else "10.77.0.1"

    def start(self, command, **options):
        child = subprocess.Popen(command, **options)
        self.children.append(child)
        return child

    def forget(self, child):
        """CHILD has ended; its pipes need not wait for the end of the lab."""
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        self.children.remove(child)

    def cut_udp(self, host, is_cut):
        """Drops all UDP of HOST, both ways, or lets it pass again."""
        if is_cut:
            rules = ("add table inet cut; "
                     "add chain inet cut in { type filter hook input priority 0; }; "
                     "add chain inet cut out { type filter hook output priority 0; }; "
                     "add rule inet cut in meta l4proto udp drop; "
                     "add rule inet cut out meta l4proto udp drop")
        else:
            rules = "delete table inet cut"
        run(*self.on(host), "nft", rules)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def make_folder(self, *parts):
        os.makedirs(self.path(*parts), exist_ok=True)
        return self.path(*parts)

    def close(self):
        while self.closers:
            self.closers.pop()()
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []
        shutil.rmtree(self.folder, ignore_errors=True)


# One address plays everybody here: its limit on tries is another test's matter.
SERVER_CONFIG = """[limits]
join-burst=100000
connect-burst=100000
connections-per-address=1000
"""


class Server:
    """alongside-signald on a free port (or PORT)."""

    def __init__(self, lab, port=0, config=SERVER_CONFIG):
        with open(lab.path("signald.conf"), "w", encoding="utf-8") as out:
            out.write(config)
        self.process = lab.start([SIGNALD, "--config", lab.path("signald.conf"), "--listen",
                                  f"{lab.address}:{port}", "--print-address"],
                                 stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise Failure(f"the server does not listen: {line!r}")
        self.port = int(line.rsplit(":", 1)[1])
        self.uri = f"ws://{lab.address}:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Cli:
    """`alongside VERB …` on HOST; its JSON events are collected as they come."""

    def __init__(self, lab, server, verb, *arguments, host=None, code=None, stdin=None, env=None):
        command = [*lab.on(host), CLI, verb, "--json"]
        if server is not None:
            command += ["--server", server if isinstance(server, str) else server.uri]
        if lab.loopback:
            command += ["--loopback"]
        if code is not None:
            command += ["--code-file", "-"]
        self.events = []
        self.changed = threading.Condition()
        self.lab = lab
        self.name = verb
        self.errors = tempfile.TemporaryFile("w+")
        self.process = lab.start([*command, *arguments], stdout=subprocess.PIPE, stderr=self.errors,
                                 stdin=subprocess.PIPE if stdin is None else stdin, text=True,
                                 env={**lab.environment(host), **(env or {})})
        if code is not None:
            self.command(code)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.events.append({"event": "garbage", "line": line})
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "eof"})
            self.changed.notify_all()

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, event, seconds=20, after=0, **fields):
        """The first EVENT from index AFTER on whose FIELDS agree; a field may be a predicate."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for found in self.events[after:]:
                    if found["event"] == event and all(
                            value(found.get(key)) if callable(value) else found.get(key) == value
                            for key, value in fields.items()):
                        return found
                left = end - time.monotonic()
                if left <= 0 or (self.events and self.events[-1]["event"] == "eof"):
                    raise Failure(f"{self.name}: no {event} {fields} in {seconds} s; events: "
                                  f"{self.latest()}; stderr: {self.stderr()}")
                self.changed.wait(left)

    def latest(self):
        """The last events; of those of progress the last."""
        return ([e for e in self.events if e["event"] != "progress"][-12:]
                + [e for e in self.events if e["event"] == "progress"][-1:])

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read()[-2000:]

    def mark(self):
        """For wait (after=…): only what comes from now on."""
        with self.changed:
            return len(self.events)

    def code(self):
        return self.wait("code")["code"]

    def close(self):
        """Ends it, if it has not ended, and keeps its events only."""
        self.process.terminate()
        self.process.wait(10)
        self.thread.join()
        self.errors.close()
        self.lab.forget(self.process)

    def ended(self, seconds=30):
        """The exit code; the end event must be there."""
        end = self.wait("end", seconds)
        status = self.process.wait(10)
        if status != end["exit"]:
            raise Failure(f"{self.name} exited with {status}, its event says {end}")
        return status, end["reason"]
