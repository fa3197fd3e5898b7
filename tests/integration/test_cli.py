# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line from end to end, against the real server: every scenario is a function
whose name is what must hold. TAP on standard output."""
import base64
import hashlib
import os
import pty
import random
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import lab as labs
from lab import Cli, Failure, Lab, Server, Skip, named, run_tap

labs.enter()


def make_file(path, size, seed=1):
    with open(path, "wb") as out:
        out.write(random.Random(seed).randbytes(size))
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read()).hexdigest()


# The final path, and the start of a program; the bench and test_lan.py measure more closely.
PROMISED_S = 5


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def expect(cli, exit_code, reason, seconds=30):
    got = cli.ended(seconds)
    check(got == (exit_code, reason), f"{cli.name}: {got} instead of {(exit_code, reason)}: {cli.stderr()}")


def pair(lab, server, *arguments, files=(), receive=("--yes",), folder="got"):
    sender = Cli(lab, server, "send", *arguments, *files, host="a")
    receiver = Cli(lab, server, "receive", *arguments, *receive, "--folder", lab.make_folder(folder),
                   host="b", code=sender.code())
    return sender, receiver


def a_file_arrives_over_the_relay(lab, server):
    path = make_file(lab.path("photo.jpg"), 3_000_000)
    sender, receiver = pair(lab, server, "--paths", "signal-relay", files=[path])
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("got", "photo.jpg")), "the file differs")
    kinds = {e["kind"] for e in receiver.events if e["event"] == "path"}
    check(kinds <= {"signal-relay", "none"}, f"other paths were used: {kinds}")


def it_moves_to_direct_udp_by_itself(lab, server):
    path = make_file(lab.path("big.bin"), 20_000_000)
    sender, receiver = pair(lab, server, "--paths", "signal-relay,direct-udp", files=[path])
    receiver.wait("path", kind="direct-udp")
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("got", "big.bin")), "the file differs")


def direct_tcp_is_reached_soon(lab, server):
    sender = Cli(lab, server, "send", "--commands", host="a")
    code = sender.code()
    begin = time.monotonic()
    receiver = Cli(lab, server, "receive", "--yes", "--folder", lab.make_folder("tcp"), host="b", code=code)
    receiver.wait("path", kind="direct-tcp")
    took = time.monotonic() - begin
    sender.wait("path", kind="direct-tcp")
    check(took < PROMISED_S, f"{took:.1f} s")
    path = make_file(lab.path("tcp.bin"), 40_000_000)
    sender.command(f"send {path}")
    receiver.wait("progress", state="done", seconds=60)
    sender.command("stop")
    expect(receiver, 0, "done")
    sender.ended()
    check(digest(path) == digest(lab.path("tcp", "tcp.bin")), "the file differs")


def forced_switches_lose_nothing(lab, server):
    path = make_file(lab.path("switched.bin"), 60_000_000)
    sender, receiver = pair(lab, server, "--commands", files=[path])
    sender.wait("path", kind="direct-tcp")
    sender.command("paths direct-udp")
    sender.wait("path", kind="direct-udp")
    for kind in ("signal-relay", "direct-udp", "signal-relay", "direct-tcp", "direct-udp", "direct-tcp"):
        after = sender.mark()
        sender.command(f"paths {kind}")
        sender.wait("path", kind=kind, after=after)
    sender.wait("progress", state="done", seconds=60)
    receiver.wait("progress", state="done")
    sender.command("stop")
    sender.ended()
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("got", "switched.bin")), "the file differs")


def a_cut_path_is_left_and_found_again(lab, server):
    if lab.loopback:
        raise Skip("cutting needs namespaces")
    path = make_file(lab.path("cut.bin"), 30_000_000)
    sender, receiver = pair(lab, server, "--commands", "--paths", "signal-relay,direct-udp", files=[])
    sender.wait("path", kind="direct-udp")
    sender.wait("state", state="active")
    after = sender.mark()
    lab.cut_udp("a", True)
    sender.command(f"send {path}")
    sender.wait("path", kind="signal-relay", after=after)
    after = sender.mark()
    lab.cut_udp("a", False)
    sender.wait("path", kind="direct-udp", after=after, seconds=60)
    receiver.wait("progress", state="done", seconds=60)
    sender.command("stop")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("got", "cut.bin")), "the file differs")
    return None


def a_picture_arrives(lab, server):
    sender = Cli(lab, server, "share", "--test-pattern", "--yes", host="a")
    receiver = Cli(lab, server, "receive", host="b", code=sender.code())
    receiver.wait("screen", frames=lambda n: n >= 20, width=lambda w: w and w >= 320)
    receiver.process.send_signal(2)
    expect(receiver, 130, "stopped")
    expect(sender, 0, "done")


def a_wrong_code_says_so_and_leaves_tries(lab, server):
    sender = Cli(lab, server, "send", "/etc/os-release", host="a")
    code = sender.code()
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    receiver = Cli(lab, server, "receive", host="b", code=wrong)
    expect(receiver, 3, "wrong-code")
    sender.wait("wrong-code", tries_left=2)
    again = Cli(lab, server, "receive", "--yes", "--folder", lab.make_folder("wrong"), host="b",
                code=code)
    expect(again, 0, "done")
    expect(sender, 0, "done")


def three_wrong_codes_burn_it(lab, server):
    sender = Cli(lab, server, "send", "/etc/os-release", host="a")
    code = sender.code()
    for digit in (1, 2, 3):
        wrong = code[:-1] + str((int(code[-1]) + digit) % 10)
        expect(Cli(lab, server, "receive", host="b", code=wrong), 3, "wrong-code")
    sender.wait("code", code=lambda new: new != code)
    # The server gives an inviter who is late half a minute.
    expect(Cli(lab, server, "receive", host="b", code=code), 3, "unknown-code", seconds=45)


def letters_in_the_code_are_named(lab, server):
    expect(Cli(lab, server, "receive", host="b", code="not a code"), 2, "bad-code")
    expect(Cli(lab, server, "receive", host="b", code="123 456"), 2, "bad-code")


def nothing_is_taken_without_consent(lab, server):
    path = make_file(lab.path("declined.bin"), 1000)
    sender, receiver = pair(lab, server, files=[path], receive=(), folder="declined")
    expect(sender, 4, "file-declined")
    check(os.listdir(lab.path("declined")) == [], "something was saved")
    expect(receiver, 4, "file-declined")


def an_unreachable_server_is_named(lab, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    receiver = Cli(lab, f"ws://127.0.0.1:{port}", "receive", code="123456789012")
    receiver.wait("problem", reason="server")
    status, reason = receiver.ended(40)
    check((status, reason) == (5, "server"), f"{status} {reason}")


def a_server_that_speaks_nonsense_is_named(lab, server):
    with socket.create_server((lab.address, 0)) as fake:
        def serve():
            while True:
                try:
                    client, _ = fake.accept()
                except OSError:
                    return
                with client:
                    client.recv(4096)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        threading.Thread(target=serve, daemon=True).start()
        receiver = Cli(lab, f"ws://{lab.address}:{fake.getsockname()[1]}", "receive",
                       code="123456789012", host="b")
        receiver.wait("problem")
        receiver.process.send_signal(2)
        receiver.ended()


def a_vanished_file_is_named(lab, server):
    expect_exit = subprocess.run([labs.CLI, "send", lab.path("not-there")], capture_output=True,
                                 text=True, check=False)
    check(expect_exit.returncode == 7 and "not-there" in expect_exit.stderr,
          f"{expect_exit.returncode} {expect_exit.stderr}")
    path = make_file(lab.path("unreadable"), 10)
    os.chmod(path, 0)
    if os.geteuid() != 0:
        expect_exit = subprocess.run([labs.CLI, "send", path], capture_output=True, text=True,
                                     check=False)
        check(expect_exit.returncode == 7, expect_exit.stderr)


def a_peer_that_dies_while_sending_is_noticed(lab, server):
    path = make_file(lab.path("dies.bin"), 50_000_000)
    sender, receiver = pair(lab, server, "--paths", "signal-relay", files=[path], folder="dies")
    receiver.wait("progress", bytes=lambda n: n and n > 1_000_000)
    sender.process.kill()
    receiver.wait("path", kind="none", seconds=15)
    receiver.process.send_signal(2)
    receiver.ended()
    check(os.listdir(lab.path("dies")) == [], f"a part stayed: {os.listdir(lab.path('dies'))}")


def a_guest_that_dies_while_we_are_asked_is_noticed(lab, server):
    ours, theirs = pty.openpty()  # somebody could answer, and does not
    sender = Cli(lab, server, "share", "--test-pattern", host="a", stdin=theirs)
    receiver = Cli(lab, server, "receive", host="b", code=sender.code())
    sender.wait("state", state="asking")
    receiver.process.kill()
    expect(sender, 6, "peer-lost", seconds=60)
    os.close(ours)
    os.close(theirs)


def a_question_on_the_terminal_is_answered(lab, server):
    ours, theirs = pty.openpty()
    sender = Cli(lab, server, "share", "--test-pattern", host="a", stdin=theirs)
    receiver = Cli(lab, server, "receive", host="b", code=sender.code())
    sender.wait("state", state="asking")
    os.write(ours, b"y\n")
    receiver.wait("screen", frames=lambda n: n > 0)
    receiver.process.send_signal(2)
    expect(receiver, 130, "stopped")
    expect(sender, 0, "done")
    os.close(ours)
    os.close(theirs)


def without_a_server_a_private_one_serves_this_machine(lab, server):
    runtime = lab.make_folder("private-runtime")
    os.chmod(runtime, 0o700)
    env = {"XDG_RUNTIME_DIR": runtime, "ALONGSIDE_SIGNALD": labs.SIGNALD}
    sender = Cli(lab, None, "send", "/etc/os-release", "--loopback", env=env)
    code = sender.wait("code")
    check(code["reach"] == "machine", f"{code['reach']}")
    receiver = Cli(lab, None, "receive", "--yes", "--loopback", "--folder",
                   lab.make_folder("private"), code=code["code"], env=env)
    expect(receiver, 0, "done")
    expect(sender, 0, "done")
    check(digest("/etc/os-release") == digest(lab.path("private", "os-release")), "the file differs")


def a_server_of_another_version_is_named(lab, server):
    def serve(client):
        request = client.recv(4096).decode()
        key = re.search(r"Sec-WebSocket-Key: (\S+)", request, re.I).group(1)
        accept = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        client.sendall((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                        f"Sec-WebSocket-Protocol: alongside.1\r\n\r\n").encode())
        client.recv(4096)
        text = b"other version"
        body = bytes([63, 0, 3, 0, len(text)]) + text
        client.sendall(bytes([0x82, len(body)]) + body)
        client.recv(4096)

    with socket.create_server((lab.address, 0)) as fake:
        def accept_all():
            while True:
                try:
                    client, _ = fake.accept()
                except OSError:
                    return
                with client:
                    serve(client)
        threading.Thread(target=accept_all, daemon=True).start()
        expect(Cli(lab, f"ws://{lab.address}:{fake.getsockname()[1]}", "receive",
                   code="123456789012", host="b"), 5, "server-version")


def the_server_may_restart_under_a_session(lab, server):
    own = Server(lab)
    path = make_file(lab.path("restart.bin"), 12_000_000)
    sender, receiver = pair(lab, own, "--no-lan", "--paths", "signal-relay", files=[path],
                            folder="restart")
    receiver.wait("progress", bytes=lambda n: n and n > 1_000_000)
    own.stop()
    receiver.wait("path", kind="none", seconds=15)
    again = Server(lab, port=own.port)
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("restart", "restart.bin")), "the file differs")
    again.stop()


def without_any_server_the_local_network_does(lab, server):
    if lab.loopback:
        raise Skip("the local network needs namespaces")
    nobody = f"ws://{lab.address}:9"
    path = make_file(lab.path("lan.bin"), 5_000_000)
    sender = Cli(lab, nobody, "send", path, host="a")
    code = sender.wait("code", seconds=5)
    check(code["reach"] == "network", f"{code['reach']}")
    begin = time.monotonic()
    receiver = Cli(lab, nobody, "receive", "--yes", "--folder", lab.make_folder("lan"), host="b",
                   code=code["code"])
    receiver.wait("state", state="active")
    took = time.monotonic() - begin
    receiver.wait("path", kind="direct-tcp")
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    check(took < PROMISED_S, f"{took:.1f} s")
    check(digest(path) == digest(lab.path("lan", "lan.bin")), "the file differs")
    return None


def two_on_a_network_survive_their_server(lab, server):
    if lab.loopback:
        raise Skip("the local network needs namespaces")
    own = Server(lab)
    sender = Cli(lab, own, "send", "--commands", "--paths", "signal-relay,direct-udp", host="a")
    receiver = Cli(lab, own, "receive", "--yes", "--paths", "signal-relay,direct-udp", "--folder",
                   lab.make_folder("survivor"), host="b", code=sender.code())
    receiver.wait("path", kind="direct-udp")
    own.stop()
    # The path dies, too: what is left comes from the local network, and brings the next attempts.
    after = receiver.mark()
    lab.cut_udp("a", True)
    receiver.wait("path", kind="signal-relay", after=after)
    after = receiver.mark()
    lab.cut_udp("a", False)
    receiver.wait("path", kind="direct-udp", after=after, seconds=60)
    path = make_file(lab.path("survivor.bin"), 1_000_000)
    sender.command(f"send {path}")
    receiver.wait("progress", state="done", seconds=30)
    sender.command("stop")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("survivor", "survivor.bin")), "the file differs")
    return None


def the_second_server_does_when_the_first_is_down(lab, server):
    one, two = Server(lab), Server(lab)
    both = ["--no-lan", "--server", one.uri, "--server", two.uri]
    one.stop()
    # Whatever comes to it waits for an answer for ever.
    hole = socket.create_server((lab.address, one.port))
    path = make_file(lab.path("second.bin"), 1_000_000)
    begin = time.monotonic()
    sender = Cli(lab, None, "send", *both, path, host="a")
    code = sender.wait("code", seconds=6)
    took = time.monotonic() - begin
    check(code["reach"] == "anywhere" and took < 4.5, f"{code['reach']} after {took:.1f} s")
    hole.close()
    # Now it is back, and the joiner comes to it first.
    one = Server(lab, port=one.port)
    begin = time.monotonic()
    receiver = Cli(lab, None, "receive", *both, "--yes", "--folder", lab.make_folder("second"), host="b",
                   code=code["code"])
    receiver.wait("state", state="active")
    took = time.monotonic() - begin
    check(took < 6, f"found after {took:.1f} s")
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    check(digest(path) == digest(lab.path("second", "second.bin")), "the file differs")
    one.stop()
    two.stop()


class Introducer:
    """Stands where a STUN server should: who dials it can be waited for, with the port that was dialled from."""

    def __init__(self, lab):
        self.socket = socket.create_server((lab.address, 0))
        self.port = self.socket.getsockname()[1]
        self.dialled = []
        self.changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            with self.changed:
                self.dialled.append((connection, address))
                self.changed.notify_all()

    def wait(self, host, seconds=10):
        with self.changed:
            self.changed.wait_for(lambda: any(address[0] == host for _, address in self.dialled), seconds)
            found = [address[1] for _, address in self.dialled if address[0] == host]
            check(found, f"{host} never asked the server that it knew: {self.dialled}")
            self.dialled.clear()
            return found[0]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def what_worked_is_tried_first_the_next_time(lab, server):
    if lab.loopback:
        raise Skip("visits on 127.0.0.1 teach nothing")
    stun = Introducer(lab)
    own = Server(lab, config=f"{labs.SERVER_CONFIG}[ice]\nstun={lab.address}:{stun.port}\n")
    settings = {"GSETTINGS_BACKEND": "keyfile", "XDG_CONFIG_HOME": lab.make_folder("settings"),
                "GSETTINGS_SCHEMA_DIR": os.path.join(labs.BUILD, "data")}

    def visit(expected=None):
        sender = Cli(lab, own, "send", "/etc/os-release", "--commands", host="a", env=settings)
        receiver = Cli(lab, own, "receive", "--yes", "--folder", lab.make_folder("next-time"), host="b",
                       code=sender.code())
        remote = receiver.wait("path", kind="direct-tcp")["remote"]
        sender.wait("path", kind="direct-tcp")
        receiver.wait("progress", state="done")
        sender.command("stop")
        sender.ended()
        receiver.ended()
        port = stun.wait("10.77.0.2")
        check(remote == f"10.77.0.2:{port}", f"{remote} is not from port {port}")
        check(expected in (None, port), f"port {port} instead of {expected}")
        return port

    port = visit()
    with open(lab.path("settings", "glib-2.0", "settings", "keyfile"), encoding="utf-8") as file:
        kept = file.read()
    check(f"last-ice-servers=['stun:{lab.address}:{stun.port}']" in kept and str(port) in kept, kept)
    visit(port)
    own.stop()
    # No rendezvous server now, and none is asked for: the one for addresses is still known.
    sender = Cli(lab, None, "send", "--invitation", "/etc/os-release", host="a", env=settings)
    check(stun.wait("10.77.0.2") == port, "another port")
    sender.process.send_signal(2)
    sender.ended()
    stun.close()
    return None


def secrets_are_in_no_argument_and_no_log(lab, server):
    sender = Cli(lab, server, "send", "/etc/os-release", host="a", env={"G_MESSAGES_DEBUG": "all"})
    code = sender.code()
    secret = code.replace(" ", "")[6:]
    receiver = Cli(lab, server, "receive", "--yes", "--folder", lab.make_folder("secret"), host="b",
                   code=code, env={"G_MESSAGES_DEBUG": "all"})
    expect(sender, 0, "done")
    expect(receiver, 0, "done")
    for cli in (sender, receiver):
        lines = [e["line"] for e in cli.events if e["event"] == "garbage"]
        text = "\n".join(lines) + cli.stderr()
        check(secret not in text and code not in text, "the secret is in the log")
        check("password" not in text, "passwords are in the log")
    refused = subprocess.run([labs.CLI, "receive", "482913607154"], capture_output=True, text=True,
                             check=False, stdin=subprocess.DEVNULL)
    check(refused.returncode == 2, "a code was taken as an argument")


SCENARIOS = [
    a_file_arrives_over_the_relay,
    it_moves_to_direct_udp_by_itself,
    direct_tcp_is_reached_soon,
    forced_switches_lose_nothing,
    a_cut_path_is_left_and_found_again,
    a_picture_arrives,
    a_wrong_code_says_so_and_leaves_tries,
    three_wrong_codes_burn_it,
    letters_in_the_code_are_named,
    nothing_is_taken_without_consent,
    an_unreachable_server_is_named,
    a_server_that_speaks_nonsense_is_named,
    a_vanished_file_is_named,
    a_peer_that_dies_while_sending_is_noticed,
    a_guest_that_dies_while_we_are_asked_is_noticed,
    a_question_on_the_terminal_is_answered,
    without_a_server_a_private_one_serves_this_machine,
    a_server_of_another_version_is_named,
    the_server_may_restart_under_a_session,
    without_any_server_the_local_network_does,
    two_on_a_network_survive_their_server,
    the_second_server_does_when_the_first_is_down,
    what_worked_is_tried_first_the_next_time,
    secrets_are_in_no_argument_and_no_log,
]


def main():
    lab = Lab()
    return run_tap(named(SCENARIOS, lab, Server(lab)))


if __name__ == "__main__":
    sys.exit(main())
