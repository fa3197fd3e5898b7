# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and control over direct UDP, direct TCP and the relay, each beside kernel TCP between the same
hosts. The relay's own connections are kernel TCP too: `cubic`, as most people have it, unless
a row says otherwise."""
import os
import random
import time

from figures import (Tcp, default_congestion_control, make_row, peak_mb, say,
                     set_congestion_control, tell)
from lab import SERVER_CONFIG, Cli, Failure, Server, run

MIB = 1 << 20
PORT = 7000
B = "10.77.0.3"
RELAY_BYTES_PER_S = 1_250_000
CONFIG = SERVER_CONFIG + f"[rendezvous]\nrelay-rate={RELAY_BYTES_PER_S}\n"
# The line of the control rows: 10 Mbit/s each way at both hosts, and a modem's deep buffer.
LINE_MBIT = 10
LINE_BUFFER_MS = 200


def make_file(path, size):
    """Incompressible, and no two blocks alike."""
    block = random.Random(size).randbytes(MIB)
    with open(path, "wb") as out:
        for number in range(size // MIB):
            out.write(number.to_bytes(8, "big"))
            out.write(block[8:])
    return path


def start_pair(lab, server, paths, *files, more=()):
    # What two say to each other on a local network ranks as a relay, too, and is none.
    more = (*more, "--no-lan")
    sender = Cli(lab, server, "send", "--paths", paths, *more, *files, host="a")
    receiver = Cli(lab, server, "receive", "--yes", "--paths", paths, *more,
                   "--folder", lab.make_folder("got"), host="b", code=sender.code())
    return sender, receiver


def give(lab, server, paths, path):
    """Seconds from the sender's first word of the file to the receiver's last, and both peaks."""
    sender, receiver = start_pair(lab, server, paths, path)
    begin = sender.wait("progress", 60)["time_us"]
    active = receiver.wait("progress", 60, state="active")["time_us"]
    peaks = [0, 0]
    end = time.monotonic() + 240
    while True:   # a peak can be read only while its process is there
        peaks = [max(peaks[0], peak_mb(sender.process.pid) if sender.process.poll() is None else 0),
                 max(peaks[1], peak_mb(receiver.process.pid) if receiver.process.poll() is None else 0)]
        if any(e["event"] == "eof" for e in receiver.events + sender.events):
            break
        if time.monotonic() > end:
            raise Failure("the file did not arrive in 240 s")
        time.sleep(0.02)
    done = receiver.wait("progress", 10, state="done")["time_us"]
    for cli in (sender, receiver):
        cli.ended()
    kinds = [e["kind"] for e in receiver.events if e["event"] == "path"]
    if set(kinds) - {"none", paths}:
        raise Failure(f"other paths were used: {kinds}")
    os.unlink(lab.path("got", os.path.basename(path)))
    say(f"  {os.path.getsize(path) / MIB:.0f} MiB over {paths}: {(done - begin) / 1e6:.2f} s, of which "
        f"{(active - begin) / 1e6:.2f} s before the first block; peaks {peaks[0]:.0f} and {peaks[1]:.0f} MB")
    return (done - begin) / 1e6, peaks


def copy_by_tcp(lab, path, cc):
    """Bit/s and peaks of a plain copy from a to b."""
    set_congestion_control(lab, cc)
    receiver = Tcp(lab, "b", "receive", PORT, lab.path("copy"))
    result = Tcp(lab, "a", "send", B, PORT, path).result()
    receiver.end()
    os.unlink(lab.path("copy"))
    if result["cc"] != cc or result["bytes"] != os.path.getsize(path):
        raise Failure(f"not the copy that was meant: {result}")
    say(f"  the same by kernel TCP ({cc}): {result['seconds']:.2f} s")
    return result


def congestion_controls():
    """cubic first, and what this kernel takes by itself where that is another."""
    return list(dict.fromkeys(["cubic", default_congestion_control()]))


def named(name, cc):
    return name + ("" if cc == "cubic" else f"-{cc}")


def tell_memory(paths, peaks, small_peaks, peer):
    for side, key, who in ((0, "peak_kb", "sender"), (1, "peer_peak_kb", "receiver")):
        tell(make_row(f"memory-{paths}-{who}", peaks[side], "MB", "kernel TCP copy (a small program)",
                      peer[key] / 1000, ("≤", 150)))
        tell(make_row(f"memory-growth-{paths}-{who}", peaks[side] - small_peaks[side], "MB",
                      "a 256 MiB file (its peak)", small_peaks[side], ("≤", 16)))


def bench_file_direct_udp(lab):
    controls = congestion_controls()
    server = Server(lab)
    small = make_file(lab.path("small.bin"), 256 * MIB)
    _, small_peaks = give(lab, server, "direct-udp", small)
    os.unlink(small)
    big = make_file(lab.path("big.bin"), 1024 * MIB)
    seconds, peaks = give(lab, server, "direct-udp", big)
    mbit = os.path.getsize(big) * 8 / seconds / 1e6
    for cc in controls:
        peer = copy_by_tcp(lab, big, cc)
        tell(make_row(named("file-direct-udp", cc), mbit, "Mbit/s", f"kernel TCP copy ({cc})",
                      peer["bytes"] * 8 / peer["seconds"] / 1e6, ("≥", 250)))
    tell_memory("direct-udp", peaks, small_peaks, peer)


def ask_for(cc):
    """The congestion control that our own TCP carriers ask for."""
    os.environ["ALONGSIDE_TCP_CONGESTION"] = cc


def bench_file_direct_tcp(lab):
    server = Server(lab)
    small = make_file(lab.path("small.bin"), 256 * MIB)
    ask_for("cubic")
    _, small_peaks = give(lab, server, "direct-tcp", small)
    os.unlink(small)
    big = make_file(lab.path("big.bin"), 1024 * MIB)
    for cc in congestion_controls():
        ask_for(cc)
        seconds, peaks = give(lab, server, "direct-tcp", big)
        peer = copy_by_tcp(lab, big, cc)
        tell(make_row(named("file-direct-tcp", cc), os.path.getsize(big) * 8 / seconds / 1e6, "Mbit/s",
                      f"kernel TCP copy ({cc})", peer["bytes"] * 8 / peer["seconds"] / 1e6, ("≥", 500)))
        if cc == "cubic":
            tell_memory("direct-tcp", peaks, small_peaks, peer)


def set_line(lab, is_on):
    """10 Mbit/s in both directions of both hosts, or the bare veth again."""
    for host in ("a", "b"):
        for where, device in ((None, f"lab-{host}"), (host, "eth0")):
            if is_on:
                run(*lab.on(where), "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                    f"{LINE_MBIT}mbit", "burst", "15k", "latency", f"{LINE_BUFFER_MS}ms")
            else:
                run(*lab.on(where), "tc", "qdisc", "del", "dev", device, "root")


def bench_file_signal_relay(lab):
    controls = congestion_controls()
    set_congestion_control(lab, "cubic")
    server = Server(lab, config=CONFIG)
    path = make_file(lab.path("file.bin"), 32 * MIB)
    seconds, _ = give(lab, server, "signal-relay", path)
    share = 100 * os.path.getsize(path) / seconds / RELAY_BYTES_PER_S
    peer_file = make_file(lab.path("peer.bin"), 16 * MIB)
    set_line(lab, True)
    for cc in controls[:1]:
        peer = copy_by_tcp(lab, peer_file, cc)
        tell(make_row("file-signal-relay", share, "% of the stated rate",
                      f"kernel TCP copy ({cc}), line of the same rate",
                      100 * peer["bytes"] / peer["seconds"] / (LINE_MBIT * 1e6 / 8), ("≥", 90)))


def measure_control(lab, server, paths, path, seconds):
    """Round trips beside PATH for SECONDS, or beside nothing if PATH is a tiny file: the worse
    side's (p50, p99) in ms."""
    sender, receiver = start_pair(lab, server, paths, path, more=("--measure", "50", "--commands"))
    tiny = os.path.getsize(path) < 1000
    receiver.wait("progress", 60, state="done" if tiny else "active")
    time.sleep(seconds)   # the measurement itself
    done = max(e.get("bytes", 0) for e in receiver.events)
    sender.command("stop")
    results = []
    for cli in (sender, receiver):
        cli.wait("end")
        results.append(cli.wait("measured"))
        cli.process.wait(10)
    mbit = done * 8 / seconds / 1e6
    say(f"  {paths}, {'idle' if tiny else f'beside a file at {mbit:.1f} Mbit/s'}: "
        + ", ".join(f"p50 {r['p50_ms']:.1f} p99 {r['p99_ms']:.1f} max {r['max_ms']:.1f} ms (n {r['n']})"
                    for r in results))
    if not tiny and mbit < LINE_MBIT * 0.5:
        raise Failure(f"the file beside which control was measured ran at {mbit:.1f} Mbit/s only")
    return max(r["p50_ms"] for r in results), max(r["p99_ms"] for r in results)


def ping_beside_tcp(lab, path, cc, seconds):
    set_congestion_control(lab, cc)
    echo = Tcp(lab, "b", "echo", PORT + 1)
    receiver = Tcp(lab, "b", "receive", PORT, lab.path("copy"))
    bulk = Tcp(lab, "a", "send", B, PORT, path, seconds + 1)
    ping = Tcp(lab, "a", "ping", B, PORT + 1, 50, seconds).result()
    bulk.end()
    receiver.end()
    echo.end()
    say(f"  kernel TCP ping beside a kernel TCP copy ({cc}): p50 {ping['p50_ms']:.1f} "
        f"p99 {ping['p99_ms']:.1f} ms")
    return ping["p99_ms"]


def bench_control_rtt(lab):
    controls = congestion_controls()
    tiny = make_file(lab.path("tiny.bin"), 0)
    with open(tiny, "wb") as out:
        out.write(b"tiny")
    big = make_file(lab.path("big.bin"), 64 * MIB)
    set_line(lab, True)
    peers = {cc: ping_beside_tcp(lab, big, cc, 8) for cc in controls}
    set_congestion_control(lab, "cubic")
    server = Server(lab, config=CONFIG)
    for paths in ("direct-udp", "direct-tcp", "signal-relay"):
        for cc in controls if paths != "direct-udp" else ["cubic"]:
            set_congestion_control(lab, cc)
            ask_for(cc)
            idle, _ = measure_control(lab, server, paths, tiny, 4)
            _, p99 = measure_control(lab, server, paths, big, 10)
            tell(make_row(named(f"control-rtt-{paths}", cc), p99, "ms", f"kernel TCP ping beside a copy ({cc})", peers[cc],
                          ("≤", idle + 50)))


BENCHES = {
    "file-direct-udp": bench_file_direct_udp,
    "file-direct-tcp": bench_file_direct_tcp,
    "file-signal-relay": bench_file_signal_relay,
    "control-rtt": bench_control_rtt,
}
