# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sides on local networks, without any server, in namespaces.

   one segment            two segments                     several
   a ── bridge ── b       a ── router (smcroute) ── b      a ══ two bridges ── b
            └── mallory
"""
import atexit
import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as labs
from lab import Failure, Skip, run_tap

labs.enter()

PEER = os.path.join(labs.BUILD, "tests/integration/test-lan-peer")
GROUP, PORT = "239.255.154.17", 19482
GROUP_6 = "ff15::9a11:de55"
FOUND_MS = 500
NO_SUCH_NUMBER, BUSY = 4, 5

# A host's firewall that lets multicast and answers in, nothing else.
FIREWALL = """add table inet wall
add chain inet wall in {{ type filter hook input priority 0; policy accept; }}
add rule inet wall in iif lo accept
add rule inet wall in ct state established,related accept
add rule inet wall in ip daddr 224.0.0.0/4 accept
add rule inet wall in ip6 daddr ff00::/8 accept
add rule inet wall in meta l4proto {{ icmp, icmpv6 }} accept
add rule inet wall in {verdict}
"""
DROP, REJECT, RESET = "drop", "reject with icmpx admin-prohibited", "meta l4proto tcp reject with tcp reset"


def run(*command):
    subprocess.run(command, check=True)


class Net:
    """Namespaces, and what joins them; gone with close ()."""

    count = 0

    def __init__(self):
        Net.count += 1
        self.prefix = f"n{Net.count}"
        self.names = []
        self.peers = []

    def name(self, host):
        return f"{self.prefix}{host}"

    def on(self, host, *command, **options):
        options.setdefault("check", True)
        return subprocess.run(["nsenter", f"--net=/run/netns/{self.name(host)}", "--", *command],
                              **options)

    def add(self, host, ipv6=True):
        run("ip", "netns", "add", self.name(host))
        self.names.append(host)
        self.on(host, "ip", "link", "set", "lo", "up")
        # Addresses are there at once, without a wait for others who might have them.
        for key in ("all", "default"):
            self.set(host, f"net/ipv6/conf/{key}/accept_dad", "0")
            if not ipv6:
                self.set(host, f"net/ipv6/conf/{key}/disable_ipv6", "1")

    def set(self, host, key, value):
        self.on(host, "sh", "-c", f"echo {value} > /proc/sys/{key}")

    def bridge(self, host, link="br0"):
        self.on(host, "ip", "link", "add", link, "type", "bridge")
        self.on(host, "ip", "link", "set", link, "up")

    def wire(self, host, link, other, other_link, bridge=None):
        """A line between two namespaces; at OTHER it goes into BRIDGE."""
        run("ip", "link", "add", link, "netns", self.name(host), "type", "veth",
            "peer", "name", other_link, "netns", self.name(other))
        if bridge is not None:
            self.on(other, "ip", "link", "set", "dev", other_link, "master", bridge)
        self.on(other, "ip", "link", "set", "dev", other_link, "up")

    def up(self, host, link, *addresses):
        for address in addresses:
            self.on(host, "ip", "addr", "add", address, "dev", link)
        self.on(host, "ip", "link", "set", link, "up")

    def firewall(self, host, verdict):
        self.on(host, "nft", "-f", "-", input=FIREWALL.format(verdict=verdict), text=True)

    def start(self, host, verb, number):
        peer = Peer(self, host, verb, number)
        self.peers.append(peer)
        return peer

    def close(self):
        for peer in self.peers:
            peer.close()
        for host in self.names:
            subprocess.run(["ip", "netns", "del", self.name(host)], check=False)
        self.names = []


class Peer:
    def __init__(self, net, host, verb, number):
        self.words = f"{verb} on {host}"
        self.events = []
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{net.name(host)}", "--", PEER, verb, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def wait(self, event, seconds=10):
        """The next EVENT."""
        deadline = time.monotonic() + seconds
        while True:
            for i, known in enumerate(self.events):
                if known["event"] == event:
                    return self.events.pop(i)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"{self.words}: no {event} within {seconds} s, but {self.events}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"{self.words}: it ended; {self.events}")
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.events += [json.loads(line) for line in lines]

    def heard(self, event):
        with contextlib.suppress(Failure):
            return self.wait(event, 0.01)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            # Leaks, under a sanitizer, too.
            if self.process.returncode != 0:
                raise Failure(f"{self.words}: ended with {self.process.returncode}")


def draw():
    return random.randrange(1000000)


def expect_pair(inviter, joiner, since_us, limit_ms=FOUND_MS):
    """Both are paired and hear each other. Returns the milliseconds from SINCE_US on."""
    here, there = inviter.wait("paired"), joiner.wait("paired")
    took_ms = (max(here["us"], there["us"]) - since_us) / 1000
    inviter.wait("message")
    joiner.wait("message")
    if took_ms > limit_ms:
        raise Failure(f"found after {took_ms:.0f} ms instead of {limit_ms}")
    print(f"# found after {took_ms:.0f} ms at {there['remote']}")
    return took_ms


def one_segment(ipv6=True, ipv4=True, hosts=("a", "b")):
    net = Net()
    net.add("lan")
    net.bridge("lan")
    for number, host in enumerate(hosts, 2):
        net.add(host, ipv6)
        net.wire(host, "eth0", "lan", host, "br0")
        addresses = [f"10.9.0.{number}/24"] if ipv4 else []
        if ipv6:
            addresses += [f"2001:db8:9::{number}/64"]
        net.up(host, "eth0", *addresses)
    return net


def find_both_ways(net):
    """Whoever comes last."""
    for order in (("wait", "join"), ("join", "wait"), ("meet-inviter", "meet-joiner")):
        number = draw()
        first = net.start("a", order[0], number)
        first.wait("started")
        # Its hurry is over.
        time.sleep(0.5)
        second = net.start("b", order[1], number)
        since_us = second.wait("started")["us"]
        inviter, joiner = (second, first) if order[1] == "wait" else (first, second)
        expect_pair(inviter, joiner, since_us)
        joiner.close()
        inviter.wait("unpaired")
        inviter.close()


def test_one_segment():
    for families in ({}, {"ipv6": False}, {"ipv4": False}):
        with contextlib.closing(one_segment(**families)) as net:
            wait_until_usable(net)
            find_both_ways(net)


def wait_until_usable(net, hosts=("a", "b")):
    """Links and tentative addresses take a moment after `up`."""
    deadline = time.monotonic() + 5
    for host in hosts:
        while "tentative" in net.on(host, "ip", "addr", capture_output=True, text=True).stdout \
                or "LOWER_UP" not in net.on(host, "ip", "link", "show", "up", capture_output=True,
                                            text=True).stdout:
            if time.monotonic() > deadline:
                raise Failure(f"{host} does not come up")
            time.sleep(0.02)


def test_firewalls():
    for verdict in (DROP, REJECT, RESET):
        for walled in (("a",), ("b",), ("a", "b")):
            # Resets on both sides leave only what crosses on its way, and these lines have no length.
            if verdict == RESET and len(walled) == 2:
                continue
            for families in ({"ipv6": False}, {"ipv4": False}):
                with contextlib.closing(one_segment(**families)) as net:
                    for host in walled:
                        net.firewall(host, verdict)
                    wait_until_usable(net)
                    print(f"# {verdict.split()[-1]} at {' and '.join(walled)}, {families}")
                    find_both_ways(net)


def two_segments():
    net = Net()
    for host in ("a", "b", "r"):
        net.add(host)
    for number, host in ((1, "a"), (2, "b")):
        net.wire(host, "eth0", "r", f"to-{host}")
        net.up(host, "eth0", f"10.{number}.0.2/24", f"2001:db8:{number}::2/64")
        net.up("r", f"to-{host}", f"10.{number}.0.1/24", f"2001:db8:{number}::1/64")
        net.on(host, "ip", "route", "add", "default", "via", f"10.{number}.0.1")
        net.on(host, "ip", "-6", "route", "add", "default", "via", f"2001:db8:{number}::1")
    net.set("r", "net/ipv4/ip_forward", "1")
    net.set("r", "net/ipv6/conf/all/forwarding", "1")
    return net


def test_two_segments():
    smcrouted = shutil.which("smcrouted", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if smcrouted is None:
        raise Skip("smcroute is not installed")
    for walled in ((), ("a", "b")):
        with contextlib.closing(two_segments()) as net:
            config = f"/run/smcroute-{net.prefix}.conf"
            with open(config, "w", encoding="ascii") as out:
                for here, there in (("a", "b"), ("b", "a")):
                    for group in (GROUP, GROUP_6):
                        out.write(f"mgroup from to-{here} group {group}\n"
                                  f"mroute from to-{here} group {group} to to-{there}\n")
            for host in walled:
                net.firewall(host, DROP)
            wait_until_usable(net, ("a", "b", "r"))
            router = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{net.name('r')}", "--", smcrouted, "-n",
                 "-f", config, "-P", f"/run/{net.prefix}.pid", "-u", f"/run/{net.prefix}.sock"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                routes = "/proc/net/ip_mr_vif"
                deadline = time.monotonic() + 10
                while "to-b" not in net.on("r", "cat", routes, capture_output=True, text=True).stdout:
                    if router.poll() is not None or time.monotonic() > deadline:
                        raise Failure("smcrouted does not run")
                    time.sleep(0.05)
                find_both_ways(net)
            finally:
                router.terminate()
                router.wait()
    return None


def test_several_interfaces():
    """a: three interfaces that lead nowhere, one to b; b: two, of which one to a."""
    with contextlib.closing(Net()) as net:
        for host in ("a", "b", "x"):
            net.add(host)
        for i in range(3):
            net.wire("a", f"no{i}", "x", f"a{i}")
            net.up("a", f"no{i}", f"10.5{i}.0.2/24", f"2001:db8:5{i}::2/64")
        net.wire("b", "no0", "x", "b0")
        net.up("b", "no0", "10.60.0.2/24")
        net.wire("a", "eth9", "b", "eth7")
        net.up("a", "eth9", "10.61.0.2/24")
        net.up("b", "eth7", "10.61.0.3/24")
        wait_until_usable(net)
        find_both_ways(net)


def test_interface_appears():
    with contextlib.closing(one_segment()) as net:
        for host in ("a", "b"):
            net.on(host, "ip", "link", "set", "eth0", "down")
        number = draw()
        inviter, joiner = net.start("a", "wait", number), net.start("b", "join", number)
        inviter.wait("started")
        joiner.wait("started")
        # Until nobody hurries any more: the next words by themselves would come after seconds.
        time.sleep(3.5)
        if inviter.heard("paired") or joiner.heard("paired"):
            raise Failure("paired without a network")
        for host in ("a", "b"):
            net.on(host, "ip", "link", "set", "eth0", "up")
        since_us = time.monotonic_ns() // 1000
        expect_pair(inviter, joiner, since_us, 1500)


def make_message(number, verb, port):
    topic = b"\x01" + struct.pack(">I", number) + bytes(12)
    nonce = os.urandom(16)
    tag = hmac.new(topic, b"alongside lan v1" + struct.pack(">BH", verb, port) + nonce + bytes(16),
                   hashlib.sha256).digest()[:16]
    return b"ALSL" + struct.pack(">BBH", 1, verb, port) + nonce + tag


def make_packet(source, data):
    """An IPv4 packet with a UDP datagram from anybody to the group."""
    udp = struct.pack(">HHHH", 40000, PORT, 8 + len(data), 0) + data
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 8, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(GROUP)) + udp


def open_in(net, host):
    """A socket that makes its own headers, in HOST's network."""
    made = []

    def make():
        fd = os.open(f"/run/netns/{net.name(host)}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(fd, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                       struct.pack("=4s4si", bytes(4), bytes(4), socket.if_nametoindex("eth0")))
        made.append(raw)

    # A thread has a network of its own; the socket stays there.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def test_flood():
    """mallory says both sides' words with their number from any address, and repeats what it heard."""
    with contextlib.closing(one_segment(ipv6=False, hosts=("a", "b", "mallory"))) as net:
        wait_until_usable(net, ("a", "b", "mallory"))
        number = draw()
        raw = open_in(net, "mallory")
        stop = threading.Event()
        sent = [0]

        def flood():
            repeated = [make_message(number, verb, 4000) for verb in (1, 2)]
            while not stop.is_set():
                for _ in range(20):
                    source = f"10.9.0.{random.randrange(100, 250)}"
                    verb = random.randrange(1, 3)
                    data = random.choice(repeated) if random.random() < 0.5 else \
                        make_message(number, verb, random.randrange(1, 65536))
                    raw.sendto(make_packet(source, data), (GROUP, PORT))
                    sent[0] += 1
                time.sleep(0.01)

        thread = threading.Thread(target=flood)
        inviter = net.start("a", "wait", number)
        inviter.wait("started")
        thread.start()
        try:
            time.sleep(1)
            joiner = net.start("b", "join", number)
            expect_pair(inviter, joiner, joiner.wait("started")["us"], 10000)
            before = cpu_seconds(inviter)
            time.sleep(1)
            used = cpu_seconds(inviter) - before
            files = len(os.listdir(f"/proc/{inviter.process.pid}/fd"))
        finally:
            stop.set()
            thread.join()
            raw.close()
        print(f"# among {sent[0]} forged ones; {files} files, {used:.2f} s of a second")
        if files > 60:
            raise Failure(f"{files} files are open")
        if used > 0.5:
            raise Failure(f"a flood takes {used:.2f} s of each second")


def cpu_seconds(peer):
    with open(f"/proc/{peer.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_cable_is_pulled():
    """What comes to nothing is noticed, and both meet again when there is a network."""
    with contextlib.closing(one_segment(ipv6=False)) as net:
        wait_until_usable(net)
        number = draw()
        inviter = net.start("a", "meet-inviter", number)
        joiner = net.start("b", "meet-joiner", number)
        joiner.wait("started")
        expect_pair(inviter, joiner, inviter.wait("started")["us"], 1000)
        net.on("lan", "ip", "link", "set", "dev", "b", "down")
        began = time.monotonic()
        inviter.wait("unpaired", 20)
        joiner.wait("unpaired", 20)
        print(f"# noticed after {time.monotonic() - began:.1f} s")


def test_nobody_there():
    """Begun first, told at the end: it takes half a minute."""
    event = nobody.wait("failed", 40)
    took_s = (event["us"] - nobody_since_us) / 1e6
    if event["code"] != NO_SUCH_NUMBER or not 29 < took_s < 33:
        raise Failure(f"code {event['code']} after {took_s:.1f} s")


TESTS = (
    ("found on one segment, whoever comes last, in either family", test_one_segment),
    ("a firewall on either side or both is passed", test_firewalls),
    ("found across a multicast router, with firewalls, too", test_two_segments),
    ("found through one of several interfaces", test_several_interfaces),
    ("found soon after the network appears", test_interface_appears),
    ("found among floods of forged and repeated words", test_flood),
    ("a pulled cable is noticed", test_cable_is_pulled),
    ("nobody there is told", test_nobody_there),
)

if os.environ.get(labs.INSIDE) != "namespaces":
    print("1..0 # SKIP no namespaces of our own can be had here")
    sys.exit(0)

alone = Net()
atexit.register(alone.close)
alone.add("alone")
nobody = alone.start("alone", "join", draw())
nobody_since_us = nobody.wait("started")["us"]
sys.exit(run_tap(TESTS))
