# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the laboratory what it says? Its routers are asked by probes that know nothing of them.
TAP on standard output."""
import errno
import os
import secrets
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netlab
from netlab import PROXY, SIGNAL, SIGNAL_6, TURN, TURN_2, TURN_6, TURN_6_2, PROFILES, NetLab, inside
import lab as labs
from lab import Failure

labs.enter()

ECHO_PORT = 9000
COOKIE = 0x2112A442
CHANGE_REQUEST, MAPPED, XOR_MAPPED = 0x0003, 0x0001, 0x0020
CHANGE_PORT, CHANGE_ADDRESS = 2, 4


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def echo(address, port=ECHO_PORT):
    """An echo on the internet, until the program ends."""
    sock = udp(address)
    sock.bind((address, port))

    def serve():
        while True:
            data, source = sock.recvfrom(65536)
            sock.sendto(data, source)
    threading.Thread(target=serve, daemon=True).start()


def udp(address, host=None):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if host is None:
        return socket.socket(family, socket.SOCK_DGRAM)
    with inside(host):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    return sock


def answer(sock, data, where, seconds=1.0):
    """What comes back, or None."""
    sock.settimeout(seconds)
    sock.sendto(data, where)
    try:
        return sock.recvfrom(65536)
    except (TimeoutError, socket.timeout):
        return None


# --- NAT behaviour, after RFC 5780 ------------------------------------------------------------

def binding(sock, server, port=3478, change=0, seconds=0.2):
    """Our address as SERVER sees it, or None if nothing comes back (from where it was to come)."""
    transaction = secrets.token_bytes(12)
    attributes = struct.pack("!HHI", CHANGE_REQUEST, 4, change) if change else b""
    sock.settimeout(seconds)
    sock.sendto(struct.pack("!HHI", 1, len(attributes), COOKIE) + transaction + attributes, (server, port))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data, _ = sock.recvfrom(2048)
        except (TimeoutError, socket.timeout):
            return None
        if data[8:20] != transaction:
            continue
        at = 20
        while at + 4 <= len(data):
            kind, length = struct.unpack_from("!HH", data, at)
            if kind == XOR_MAPPED:
                port = struct.unpack_from("!H", data, at + 6)[0] ^ (COOKIE >> 16)
                return bytes(a ^ b for a, b in zip(data[at + 8:at + 4 + length], data[4:20])), port
            at += 4 + (length + 3 & ~3)
        return b"", 0
    return None


def classify(host, server, server_2):
    """(mapping, filtering, ports of four new mappings), or None without UDP."""
    sock = udp(server, host)
    first = binding(sock, server)
    if first is None:
        return None
    if binding(sock, server_2) == first:
        mapping = "ei"
    elif binding(sock, server_2, 3479) == binding(sock, server_2):
        mapping = "ad"
    else:
        mapping = "apd"
    sock = udp(server, host)   # nothing has been sent to the second address from here
    binding(sock, server)
    if binding(sock, server, change=CHANGE_PORT | CHANGE_ADDRESS):
        filtering = "ei"
    elif binding(sock, server, change=CHANGE_PORT):
        filtering = "ad"
    else:
        filtering = "apd"
    ports = []
    for _ in range(4):
        sock = udp(server, host)
        ports.append((sock.getsockname()[1], binding(sock, server)[1]))
    return mapping, filtering, ports


def each_profile_is_what_it_says(lab):
    for number, (name, profile) in enumerate(PROFILES.items()):
        host = f"p{number}"
        home = lab.home(host, name)
        got = classify(host, *((TURN, TURN_2) if home.has_ipv4 else (TURN_6, TURN_6_2)))
        settings = profile.settings
        if settings.get("udp") == 0 or "only" in settings:
            check(got is None, f"{name}: UDP passes")
            home.remove()
            continue
        check(got is not None, f"{name}: no answer")
        expected = (settings["mapping"] if settings["nat"] else "ei",
                    "ei" if settings["filter"] == "none" else settings["filter"])
        check(got[:2] == expected, f"{name}: {got[:2]}")
        ports = settings.get("ports", "preserved")
        outer = [port for _, port in got[2]]
        steps = [b - a for a, b in zip(outer, outer[1:])]
        seen = ("preserved" if all(inner == port for inner, port in got[2]) else
                "sequential" if set(steps) == {1} else "random")
        check(seen == ports, f"{name}: ports are {seen}: {got[2]}")
        home.remove()


def address_dependent_mapping_and_steps(lab):
    home = lab.home("ad", "symmetric-sequential", mapping="ad", step=3)
    mapping, _, ports = classify("ad", TURN, TURN_2)
    check(mapping == "ad", mapping)
    check([b[1] - a[1] for a, b in zip(ports, ports[1:])] == [3, 3, 3], f"{ports}")
    home.set(step=5)
    ports = classify("ad", TURN, TURN_2)[2]
    check(ports[2][1] - ports[1][1] == 5, f"{ports}")


# --- TCP ---------------------------------------------------------------------------------------

def dial(host, where, local=None, seconds=1.0):
    """A connected socket, or the number of the error."""
    with inside(host):
        sock = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.settimeout(seconds)
    try:
        if local is not None:
            sock.bind(local)
        sock.connect(where)
        return sock
    except (TimeoutError, socket.timeout):
        sock.close()
        return errno.ETIMEDOUT
    except OSError as error:
        sock.close()
        return error.errno


def unexpected_syns_are_refused_as_told(lab):
    lab.home("caller", "open")
    for number, (name, expected) in enumerate((("port-restricted", errno.ETIMEDOUT),
                                               ("reset-sending", errno.ECONNREFUSED),
                                               ("icmp", errno.EHOSTUNREACH))):
        home = lab.home(f"t{number}", name)
        got = dial("caller", (home.public, 5000), seconds=0.5)
        check(got == expected, f"{name}: {got}")
        stats = home.router.stats()
        check(stats["dropped"]["unsolicited"] >= 1, f"{name}: {stats}")
        check(stats["resets_sent"] == (name == "reset-sending"), f"{name}: {stats}")
    home = lab.home("udpless", "firewall")
    check(dial("udpless", (SIGNAL, 443)).getpeername()[1] == 443, "a firewall lets nobody out")
    check(dial("caller", (home.address, 5000), seconds=0.3) == errno.ETIMEDOUT, "a firewall lets somebody in")


def both_sides_punch_tcp_at_once(lab):
    homes = [lab.home("punch-a", "port-restricted", delay=10), lab.home("punch-b", "port-restricted", delay=10)]
    def punch(port):
        results = [None, None]

        def side(index):
            results[index] = dial(homes[index].name, (homes[1 - index].public, port), ("0.0.0.0", port), 2)
        threads = [threading.Thread(target=side, args=(index,)) for index in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results
    results = punch(7000)
    check(all(isinstance(result, socket.socket) for result in results), f"{results}")
    results[0].sendall(b"through")
    check(results[1].recv(100) == b"through", "nothing came through")
    for home in homes:
        home.set(simopen=0)
    results = punch(7001)
    check(results == [errno.ETIMEDOUT] * 2, f"routers that refuse it let it pass: {results}")
    check(homes[0].router.stats()["dropped"]["simopen-refused"] > 0, "it was not refused for that")


def what_is_blocked_is_blocked(lab):
    home = lab.home("narrow", "only-443")
    check(not isinstance(dial("narrow", (SIGNAL, 443)), int), "443 is not reached")
    check(dial("narrow", (TURN, 3478), seconds=0.3) == errno.ETIMEDOUT, "3478 is reached")
    home.set(blocked="reset")
    check(dial("narrow", (TURN, 3478)) == errno.ECONNREFUSED, "no reset")
    home.set(tcp_ports=0, udp=1)
    check(not isinstance(dial("narrow", (TURN, 3478)), int), "3478 is not reached")
    lab.home("office", "http-proxy")
    check(dial("office", (SIGNAL, 443), seconds=0.3) == errno.ETIMEDOUT, "443 is reached past the proxy")
    sock = dial("office", (PROXY, netlab.PROXY_PORT))
    sock.sendall(b"CONNECT signal.test:443 HTTP/1.1\r\nHost: signal.test:443\r\n\r\n")
    check(sock.recv(1000).startswith(b"HTTP/1.1 200"), "the proxy refuses")
    tls = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt").wrap_socket(
        sock, server_hostname="signal.test")
    tls.sendall(b"GET /health HTTP/1.1\r\nHost: signal.test\r\n\r\n")
    check(tls.recv(1000).startswith(b"HTTP/1.1 "), "no answer through the proxy")


# --- the line ----------------------------------------------------------------------------------

def round_trips(sock, where, n=40):
    times = []
    for _ in range(n):
        begin = time.monotonic()
        if answer(sock, b"x" * 100, where) is None:
            continue
        times.append((time.monotonic() - begin) * 1e3)
    return sorted(times)


def delay_is_exact(lab):
    home = lab.home("far", "port-restricted", delay=20)
    sock = udp(SIGNAL, "far")
    times = round_trips(sock, (SIGNAL, ECHO_PORT))
    print(f"# 40 ms: {times[0]:.2f} {times[len(times) // 2]:.2f} {times[-1]:.2f}")
    # The middle one: this machine may be busy with other things.
    check(40 <= times[0] and times[len(times) // 2] < 42, f"{times}")
    home.set(up__delay=5, down__delay=2.5, jitter=10, reorder=1)
    times = round_trips(sock, (SIGNAL, ECHO_PORT), 100)
    check(7.5 <= times[0] and 15 < times[50] < 21 and times[-10] < 30, f"{times}")


def stream(lab, host, n, n_bytes=1000, pause=0.0):
    """Of N packets to the internet: how many came, and the seconds between first and last."""
    receiver = udp(TURN)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    receiver.bind((TURN, 0))
    sock = udp(TURN, host)
    times = []

    def receive():
        receiver.settimeout(1)
        try:
            while True:
                receiver.recv(2048)
                times.append(time.monotonic())
        except (TimeoutError, socket.timeout):
            pass
    thread = threading.Thread(target=receive)
    thread.start()
    for number in range(n):
        sock.sendto(bytes(n_bytes), receiver.getsockname())
        if pause and number % 10 == 9:
            time.sleep(pause)   # a pace, not a wait
    thread.join()
    return len(times), times[-1] - times[0] if times else 0


def losses_are_as_many_as_told(lab):
    home = lab.home("lossy", "port-restricted", loss=10)
    arrived, _ = stream(lab, "lossy", 3000, 100, 0.001)
    check(2600 <= arrived <= 2800, f"{arrived} of 3000 came at 10 %")
    home.set(burst=8)
    arrived, _ = stream(lab, "lossy", 3000, 100, 0.001)
    check(2400 <= arrived <= 2900, f"{arrived} of 3000 came at 10 % in bursts")
    lost = home.router.stats()["up"]["lost"]
    check(400 <= lost <= 1000, f"{lost} are counted")


def rate_and_queue_are_as_told(lab):
    home = lab.home("slow", "port-restricted", rate=10, queue=100)
    arrived, seconds = stream(lab, "slow", 3000, 972, 0.004)   # 1000 bytes with headers, 20 Mbit/s
    mbit = (arrived - 1) * 1000 * 8 / seconds / 1e6
    print(f"# 10 Mbit/s: {mbit:.2f}, {arrived} of 3000")
    check(9.5 <= mbit <= 10.5, f"{mbit} Mbit/s")
    check(home.router.stats()["up"]["queue_full"] == 3000 - arrived, f"{home.router.stats()}")
    home.set(rate=0)
    arrived, _ = stream(lab, "slow", 1000, 972, 0.001)
    check(arrived == 1000, f"{arrived} of 1000 came without a limit")


def small_mtu_is_told_or_a_black_hole(lab):
    home = lab.home("narrow-line", "port-restricted", mtu=1300)
    sock = udp(SIGNAL, "narrow-line")
    IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.connect((SIGNAL, ECHO_PORT))
    sock.settimeout(0.3)

    def passes(n_bytes):
        try:
            sock.send(bytes(n_bytes))
            return len(sock.recv(2048)) == n_bytes
        except (TimeoutError, socket.timeout):
            return False
        except OSError as error:
            check(error.errno == errno.EMSGSIZE, str(error))
            return False
    check(passes(1272) and not passes(1273), "it is not 1300")
    check(sock.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1300, "the kernel was not told")
    home.set(mtu=1200, mtu_icmp=0)
    check(passes(1172) and not passes(1173), "it is not 1200")
    check(sock.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1300, "the kernel was told")


# --- commands while traffic flows --------------------------------------------------------------

def cut_restore_flush_and_renumber(lab):
    home = lab.home("cut", "port-restricted")
    sock = udp(SIGNAL, "cut")
    where = (SIGNAL, ECHO_PORT)
    check(answer(sock, b"1", where), "no echo")
    for direction in ("", "up", "down"):
        home.cut(direction)
        check(answer(sock, b"2", where, 0.1) is None, f"it is not cut {direction}")
        home.restore(direction)
        check(answer(sock, b"3", where), f"it is not restored {direction}")
    server = udp(TURN)
    server.bind((TURN, 0))
    server.settimeout(1)
    sock.sendto(b"hole", server.getsockname())
    _, seen = server.recvfrom(100)
    check(seen[0] == home.public, f"{seen}")
    check(answer(server, b"in", seen, 0.1) is None and sock.recv(100) == b"in", "the hole is none")
    home.flush()
    check(home.router.stats()["mappings"] == 0, "mappings are left")
    server.sendto(b"in", seen)
    sock.settimeout(0.1)
    try:
        check(sock.recv(100) is None, "a mapping is left")
    except (TimeoutError, socket.timeout):
        pass
    home.renumber()
    sock.sendto(b"hole", server.getsockname())
    server.settimeout(1)
    _, moved = server.recvfrom(100)
    check(moved[0] == home.public != seen[0], f"{moved} after {seen}")


def silence_ends_a_mapping(lab):
    home = lab.home("quiet", "port-restricted", udp_timeout=1)
    sock = udp(TURN, "quiet")
    server = udp(TURN)
    server.bind((TURN, 0))
    server.settimeout(1)
    sock.sendto(b"hole", server.getsockname())
    _, seen = server.recvfrom(100)
    end = time.monotonic() + 5
    while home.router.stats()["flows"] > 0:
        check(time.monotonic() < end, "it does not end")
        server.sendto(b"nobody", (home.public, 9))   # it looks when packets come
        time.sleep(0.05)
    server.sendto(b"late", seen)
    sock.settimeout(0.1)
    try:
        check(sock.recv(100) is None, "it came through")
    except (TimeoutError, socket.timeout):
        pass


# --- other shapes ------------------------------------------------------------------------------

def two_on_one_lan_meet_inside_and_by_hairpin(lab):
    """
    home-lan: bridge 192.168.n.1 ── TUN ── router ── internet
       ├── one 192.168.n.2
       └── two 192.168.n.3
    """
    home = lab.home("home", "full-cone", hosts=("one", "two"), ipv6=True)
    one, two = udp(TURN, "one"), udp(TURN, "two")
    local = (home.private_net + ".3", two.getsockname()[1])
    one.sendto(b"by name", local)
    check(two.recv(100) == b"by name", "the LAN does not carry")
    _, port = binding(two, TURN)
    one.sendto(b"around", (home.public, port))
    data, source = two.recvfrom(100)
    check((data, source[0]) == (b"around", home.public), f"hairpin: {data} {source}")
    home.set(hairpin=0)
    one.sendto(b"around", (home.public, port))
    two.settimeout(0.1)
    try:
        check(two.recv(100) is None, "hairpin is off and passes")
    except (TimeoutError, socket.timeout):
        pass
    check(binding(udp(TURN_6, "two"), TURN_6) is not None, "no IPv6")


def two_homes_behind_one_provider(lab):
    """
    x ── router ──┐
                  isp ── router 198.18.n.1 ── internet
    y ── router ──┘
    """
    isp = lab.home("isp", "full-cone")
    lab.home("x", "full-cone", behind=isp)
    lab.home("y", "full-cone", behind=isp)
    x, y = udp(TURN, "x"), udp(TURN, "y")
    seen_x, seen_y = binding(x, TURN), binding(y, TURN)
    check(seen_x[0] == seen_y[0] == socket.inet_aton(isp.public), f"{seen_x} {seen_y}")
    x.sendto(b"around", (isp.public, seen_y[1]))
    check(y.recv(100) == b"around", "no hairpin at the provider")


def ipv6_has_its_firewall(lab):
    home = lab.home("six", "ipv6-only")
    lab.home("six-caller", "open", ipv6=True)
    sock = udp(SIGNAL_6, "six")
    check(answer(sock, b"x", (SIGNAL_6, ECHO_PORT)), "no way out")
    caller = udp(SIGNAL_6, "six-caller")
    check(answer(caller, b"x", (home.address, sock.getsockname()[1]), 0.2) is None, "a way in")
    check(dial("six-caller", (home.address, 5000), seconds=0.2) == errno.ETIMEDOUT, "a way in for TCP")
    with inside("six"):
        check(isinstance(dial("six", (SIGNAL, 443), seconds=0.3), int), "there is IPv4")
    check(not isinstance(dial("six", (SIGNAL_6, 443)), int), "no TCP")


def tcp_is_fast_and_whole(lab):
    lab.home("fast", "port-restricted")
    listener = socket.create_server((SIGNAL, 0))
    total = 64 << 20
    result = []

    def receive():
        sock, _ = listener.accept()
        count = 0
        while data := sock.recv(1 << 18):
            count += len(data)
        result.append(count)
    thread = threading.Thread(target=receive)
    thread.start()
    sock = dial("fast", listener.getsockname())
    begin = time.monotonic()
    block = bytes(1 << 18)
    sock.settimeout(30)
    for _ in range(total // len(block)):
        sock.sendall(block)
    sock.close()
    thread.join()
    print(f"# {total * 8 / (time.monotonic() - begin) / 1e6:.0f} Mbit/s of TCP through one router")
    check(result == [total], f"{result}")


SCENARIOS = [
    each_profile_is_what_it_says, address_dependent_mapping_and_steps, unexpected_syns_are_refused_as_told,
    both_sides_punch_tcp_at_once, what_is_blocked_is_blocked, delay_is_exact, losses_are_as_many_as_told,
    rate_and_queue_are_as_told, small_mtu_is_told_or_a_black_hole, cut_restore_flush_and_renumber,
    silence_ends_a_mapping, two_on_one_lan_meet_inside_and_by_hairpin, two_homes_behind_one_provider,
    ipv6_has_its_firewall, tcp_is_fast_and_whole,
]


def main():
    if netlab.missing():
        print(f"1..0 # SKIP {netlab.missing()}")
        return 0
    lab = NetLab()
    try:
        lab.start_servers()
        for address in (SIGNAL, SIGNAL_6):
            echo(address)
        return labs.run_tap(labs.named(SCENARIOS, lab))
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
