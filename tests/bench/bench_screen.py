# SPDX-License-Identifier: GPL-3.0-or-later
"""One screen in another's window: two apps on two displays at 1920×1080, beside TigerVNC's server and
viewer on the same two displays. A program scrolls text with a number in it over the one, a meter reads
the number from the other; both tell the time by the same clock."""
import os
import signal
import socket
import subprocess
import threading
import time

from figures import cpu_percent, make_row, quantile, say, tell
from lab import BUILD, Failure, Server
from sides import Side

SCROLLER = os.path.join(BUILD, "tests/bench/scroll-text")
METER = os.path.join(BUILD, "tests/bench/screen-meter")
WIDTH, HEIGHT = 1920, 1080
FPS = 30
SETTLE_S = 3
MEASURE_S = 10
VNC_PORT = 5900


def now_us():
    return time.monotonic_ns() // 1000


class Numbers:
    """A program that prints "NUMBER TIME_US" lines, on a side's display."""

    def __init__(self, lab, side, *command):
        self.lines = []     # (number, µs)
        self.changed = threading.Condition()
        self.process = lab.start(command, stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "DISPLAY": side.display})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line != "ready\n":
                number, time_us = line.split()
                with self.changed:
                    self.lines.append((int(number), int(time_us)))
                    self.changed.notify_all()

    def wait_from(self, begin_us, seconds=20):
        """The first line from BEGIN_US on: its time."""
        with self.changed:
            found = self.changed.wait_for(
                lambda: next((line[1] for line in self.lines if line[1] >= begin_us), None), seconds)
        if found is None:
            raise Failure(f"no picture within {seconds} s")
        return found

    def between(self, begin_us, end_us):
        with self.changed:
            return [line for line in self.lines if begin_us <= line[1] < end_us]

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        self.process.kill()
        self.process.wait()


class Doorman:
    """A TCP relay in front of ADDRESS that knows when somebody connected."""

    def __init__(self, address):
        self.listener = socket.create_server(("0.0.0.0", 0))
        self.port = self.listener.getsockname()[1]
        self.connected_us = None
        self.address = address
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client, _ = self.listener.accept()
        self.connected_us = now_us()
        server = socket.create_connection(self.address)
        for source, target in ((client, server), (server, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _carry(source, target):
        try:
            while data := source.recv(1 << 18):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            end.close()


def measure_scroll(lab, sharer, viewer, pids):
    """Frames shown a second, CPU of PIDS, ms from drawn to shown (p50, p95); then CPU when nothing moves."""
    scroller = Numbers(lab, sharer, SCROLLER, str(FPS))
    meter = Numbers(lab, viewer, METER)
    try:
        meter.wait_from(now_us() + SETTLE_S * 1_000_000)
        begin_us = now_us()
        cpu = cpu_percent(pids, MEASURE_S)
        end_us = now_us()
        drawn = scroller.between(begin_us - 3_000_000, end_us)
        shown = meter.between(begin_us, end_us)
        drawn_fps = len(scroller.between(begin_us, end_us)) / ((end_us - begin_us) / 1e6)
        fps = len({number for number, _ in shown}) / ((end_us - begin_us) / 1e6)
        times = dict(drawn)
        late = [(at - times[number]) / 1000 for number, at in shown if number in times]
        if drawn_fps < FPS * 0.97:
            say(f"  the scroller drew {drawn_fps:.1f} frames a second only: the machine is busy")
        scroller.pause()
        time.sleep(SETTLE_S)   # the last frames, and the refinement after them
        still = cpu_percent(pids, MEASURE_S)
        late_count = len(meter.between(now_us() - MEASURE_S * 1_000_000, now_us()))
        if late_count:
            say(f"  {late_count} frames came while nothing moved")
    finally:
        scroller.end()
        meter.end()
    delay = (quantile(late, 0.5), quantile(late, 0.95))
    say(f"  {fps:.1f} of {drawn_fps:.1f} frames a second shown, {delay[0]:.0f} ms late (p95 {delay[1]:.0f}); CPU "
        + " + ".join(f"{c:.0f}" for c in cpu) + " %, still " + " + ".join(f"{c:.1f}" for c in still) + " %")
    return {"fps": fps, "cpu": cpu, "still": still, "delay": delay}


def fill_screen(side):
    """A key reaches the window only once it has the focus."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        subprocess.run(["xdotool", "key", "F11"], check=True, env={**os.environ, "DISPLAY": side.display})
        patience = time.monotonic() + 2
        while time.monotonic() < patience:
            if side.call("geometry")["WIDTH"] == WIDTH:
                return
            time.sleep(0.05)
    raise Failure(f"{side.name}'s window does not fill the screen")


def measure_apps(lab, sharer, viewer):
    pids = [sharer.start_app(), viewer.start_app()]
    code = sharer.text(r"^Your code: [\d ,.]+$").split(":")[1]
    viewer.type("Code of the other person", code)
    viewer.press("Co_?nnect")
    sharer.text("Wants to Help You")
    sign = Numbers(lab, sharer, SCROLLER, "0")
    meter = Numbers(lab, viewer, METER, "--block")
    allowed_us = sharer.call("press_at", name="[Ss]ee .*[Ss]creen")
    first_s = (meter.wait_from(allowed_us) - allowed_us) / 1e6
    say(f"  first picture after {first_s:.2f} s")
    sign.end()
    meter.end()
    fill_screen(viewer)
    sharer.text("Route: .*direct|Encrypted end to end · direct", seconds=30)
    result = measure_scroll(lab, sharer, viewer, pids)
    for side in (viewer, sharer):
        complaints = side.complaints()
        if complaints:
            say(f"  {side.name}'s app complained: {complaints}")
        side.call("stop")
    return {"first": first_s, **result}


def measure_tiger_vnc(lab, sharer, viewer):
    server = lab.start([*lab.on("a"), "X0tigervnc", "-display", sharer.display, "-localhost=0",
                        "-SecurityTypes", "None", "-rfbport", str(VNC_PORT)], stderr=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, env={**os.environ, "HOME": sharer.folder})
    end = time.monotonic() + 10
    while True:   # until it listens
        try:
            socket.create_connection(("10.77.0.2", VNC_PORT)).close()
            break
        except OSError as error:
            if time.monotonic() > end:
                raise Failure("X0tigervnc does not listen") from error
            time.sleep(0.05)
    door = Doorman(("10.77.0.2", VNC_PORT))
    sign = Numbers(lab, sharer, SCROLLER, "0")
    meter = Numbers(lab, viewer, METER, "--block")

    def start_viewer(address):
        return lab.start([*lab.on("b"), "xtigervncviewer", "-SecurityTypes", "None", "-FullScreen=1", address],
                         stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         env={**os.environ, "DISPLAY": viewer.display, "HOME": viewer.folder})

    first = start_viewer(f"10.77.0.1::{door.port}")
    shown_us = meter.wait_from(0)
    first_s = (shown_us - door.connected_us) / 1e6
    say(f"  TigerVNC: first picture {first_s:.2f} s after the viewer connected")
    first.terminate()
    first.wait(10)
    sign.end()
    meter.end()
    # Now without the doorman between.
    client = start_viewer(f"10.77.0.2::{VNC_PORT}")
    result = measure_scroll(lab, sharer, viewer, [server.pid, client.pid])
    client.terminate()
    server.terminate()
    return {"first": first_s, **result}


def bench_screen(lab):
    server = Server(lab)
    sharer = Side(lab, "a", "Anna", server, size=f"{WIDTH}x{HEIGHT}")
    viewer = Side(lab, "b", "Ben", server, size=f"{WIDTH}x{HEIGHT}")
    say("  two apps:")
    ours = measure_apps(lab, sharer, viewer)
    say("  TigerVNC:")
    peer = measure_tiger_vnc(lab, sharer, viewer)
    vnc = "TigerVNC server and viewer"
    tell(make_row("first-picture", ours["first"], "s after Allow", "TigerVNC, after the viewer connected",
                  peer["first"], ("≤", 1)))
    tell(make_row("scroll-fps", ours["fps"], "frames/s", vnc, peer["fps"], ("≥", 27)))
    tell(make_row("scroll-cpu", sum(ours["cpu"]), "% of a core, both", vnc, sum(peer["cpu"]), ("≤", 170)))
    for index, side in enumerate(("sharer", "viewer")):
        tell(make_row(f"still-cpu-{side}", ours["still"][index], "% of a core", vnc, peer["still"][index],
                      ("≤", 3)))
    tell(make_row("scroll-delay", ours["delay"][0], "ms drawn to shown, p50", vnc, peer["delay"][0]))


BENCHES = {"screen": bench_screen}
