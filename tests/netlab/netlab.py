# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks to test in: homes behind any NAT and any line, with real servers between them.

                       the internet: this program's own network namespace
     signal.test          turn.test                            proxy.test
     198.18.0.1           198.18.0.2, 198.18.0.3               198.18.0.4
     2001:db8::1          2001:db8::2, 2001:db8::3             2001:db8::4
        └───────────────┬────┴───────────────────────────────────┘
                        │  the kernel forwards; private addresses go nowhere
            ┌───────────┴─────────────┐
       wan-a│                         │wan-b
     netlab-router (198.18.1.1)   netlab-router (198.18.2.1)     one process each:
        eth0│                         │eth0                      NAT, firewall, line
     ┌──────┴──────┐           ┌──────┴──────┐
     │ a           │           │ b           │                   namespaces
     │ 192.168.1.2 │           │ 192.168.2.2 │
     │ or 2001:db8:1::2        │ …           │
     └─────────────┘           └─────────────┘

A home may stand behind another's router (a provider's NAT: `behind=`), and may have several
hosts on one LAN (`hosts=`: a bridge in a namespace NAME-lan).

Nothing leaves the namespaces, and they vanish with this program: routers end with their
standard input. Call lab.enter () first."""
import collections
import contextlib
import ctypes
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as labs
from lab import Failure, Lab, run

ROUTER = os.path.join(labs.BUILD, "tests/netlab/netlab-router")
FOLDER = os.path.dirname(os.path.abspath(__file__))

SIGNAL, TURN, TURN_2, PROXY = "198.18.0.1", "198.18.0.2", "198.18.0.3", "198.18.0.4"
SIGNAL_6, TURN_6, TURN_6_2, PROXY_6 = "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"
PROXY_PORT = 3128
TURN_SECRET = "the laboratory's secret"
NAMES = {"signal.test": (SIGNAL, SIGNAL_6), "turn.test": (TURN, TURN_6), "proxy.test": (PROXY, PROXY_6)}

# What a home's router is like. `settings` are netlab-router's.
Profile = collections.namedtuple("Profile", "settings ipv4 ipv6 provider proxy words",
                                 defaults=(True, False, None, False, ""))


def nat(mapping, filtering, ports, **more):
    return {"nat": 1, "mapping": mapping, "filter": filtering, "ports": ports,
            **{key.replace("_", "-"): value for key, value in more.items()}}


PORT_RESTRICTED = nat("ei", "apd", "preserved")
PROFILES = {
    "open": Profile({"nat": 0, "filter": "none"}, words="a public address and no firewall"),
    "full-cone": Profile(nat("ei", "ei", "preserved")),
    "address-restricted": Profile(nat("ei", "ad", "preserved")),
    "port-restricted": Profile(PORT_RESTRICTED),
    "symmetric-sequential": Profile(nat("apd", "apd", "sequential")),
    "symmetric-random": Profile(nat("apd", "apd", "random")),
    "double-nat": Profile(PORT_RESTRICTED, provider=PORT_RESTRICTED, words="a provider's NAT behind the home's"),
    "firewall": Profile({"nat": 0, "filter": "apd"}, words="a public address, a stateful firewall"),
    "udp-blocked": Profile({**PORT_RESTRICTED, "udp": 0}),
    "only-443": Profile({**PORT_RESTRICTED, "udp": 0, "tcp-ports": 443}, words="TCP to port 443, nothing else"),
    "http-proxy": Profile({**PORT_RESTRICTED, "only": f"{PROXY}:{PROXY_PORT}"}, proxy=True,
                          words="an HTTP proxy is all that can be reached"),
    "reset-sending": Profile({**PORT_RESTRICTED, "unsolicited": "reset"},
                             words="answers an unexpected SYN with a reset"),
    "ipv6-only": Profile({"nat": 0, "filter": "apd"}, ipv4=False, ipv6=True, words="no IPv4; a stateful firewall"),
    # Not in the matrix:
    "rst-kill": Profile({**PORT_RESTRICTED, "unsolicited": "reset", "reset-kills": 1},
                        words="sends resets, and forgets a connection that is reset"),
    "icmp": Profile({**PORT_RESTRICTED, "unsolicited": "icmp"}),
    "dual-stack": Profile(PORT_RESTRICTED, ipv6=True, words="IPv4 behind a NAT, IPv6 behind a firewall"),
}
MATRIX = [name for name in PROFILES if name not in ("rst-kill", "icmp", "dual-stack")]


def sysctl(lab, host, **values):
    """Of HOST's network: net_ipv4_ip_forward=1."""
    for key, value in values.items():
        path = "/proc/sys/" + key.replace("_", "/", 2)
        run(*lab.on(host), "sh", "-c", f"echo {value} > {path}")


class Router:
    """One netlab-router between two namespaces (None: the internet)."""

    def __init__(self, lab, lan, wan, settings):
        """LAN and WAN: (namespace, name of the device)."""
        def where(namespace):
            return "-" if namespace is None else f"/run/netns/{namespace}"
        self.lab, self.name = lab, wan[1]
        self.lock = threading.Lock()
        self.process = lab.start([ROUTER, where(lan[0]), lan[1], where(wan[0]), wan[1],
                                  *(f"{key.replace('__', '.').replace('_', '-')}={value}" for key, value in settings.items())],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("ready")

    def _answer(self, wanted=None):
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        ready = poll.poll(10_000)
        line = self.process.stdout.readline().strip() if ready else "(nothing)"
        if wanted is not None and line != wanted:
            raise Failure(f"router {self.name} says “{line}” instead of “{wanted}”")
        return line

    def command(self, line, wanted="ok"):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self._answer(wanted)

    def set(self, **settings):
        """Any setting of netlab-router, with _ for -; up__delay=10 is for one direction."""
        self.command("set " + " ".join(f"{key.replace('__', '.').replace('_', '-')}={value}"
                                       for key, value in settings.items()))

    def flush(self):
        """It has been switched off and on."""
        self.command("flush")

    def cut(self, direction=""):
        self.command(f"cut {direction}".strip())

    def restore(self, direction=""):
        self.command(f"restore {direction}".strip())

    def stats(self):
        return json.loads(self.command("stats", None))

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.lab.forget(self.process)


class Home:
    """Hosts, their router, perhaps the provider's. `router` is the one nearest to the internet
    and has the line, `inner` the one nearest to the hosts."""

    def __init__(self, lab, name, profile="open", delay=0, hosts=None, ipv6=None, behind=None,
                 private_net=None, congestion_control="cubic", **settings):
        self.lab, self.name, self.profile = lab, name, PROFILES[profile]
        self.hosts = list(hosts or [name])
        self.number = lab.take_number()
        self.namespaces = []
        self.has_ipv4 = self.profile.ipv4
        self.has_ipv6 = self.profile.ipv6 if ipv6 is None else ipv6
        self.is_translating = bool(self.profile.settings["nat"])
        # A host without NAT has the public address itself.
        self.public = f"100.64.{self.number}.1" if behind else f"198.18.{self.number}.1"
        self.private_net = private_net or f"192.168.{self.number}" if self.is_translating else f"198.18.{self.number}"
        self.net_6 = f"2001:db8:{self.number:x}"
        if behind:
            sysctl(lab, behind.lan, net_ipv4_ip_forward=1)
            lab.forward_ipv6(behind.lan)
        lan = self._make_hosts()
        device = "eth0" if lan == name and hosts is None else "lan-eth0"
        line = {"delay": delay, **settings}
        provider = self.profile.provider
        if provider is None:
            self.inner = self.router = Router(
                lab, (lan, device), (behind.lan if behind else None, f"wan-{name}"),
                {**self.profile.settings, "wan": self.public, **line})
        else:
            self._add_namespace(f"{name}-isp")
            sysctl(lab, f"{name}-isp", net_ipv4_ip_forward=1)
            self.inner = Router(lab, (lan, device), (f"{name}-isp", "lan-isp"),
                                {**self.profile.settings, "wan": "100.64.0.2"})
            self.router = Router(lab, (f"{name}-isp", "wan-isp"), (None, f"wan-{name}"),
                                 {**provider, "wan": self.public, **line})
            for words in ("link set lan-isp up", "link set wan-isp up", "addr add 100.64.0.1/32 dev lan-isp",
                          "route add 100.64.0.0/24 dev lan-isp", "route add default dev wan-isp"):
                run(*lab.on(f"{name}-isp"), "ip", *words.split())
        self.lan = lan
        self._connect(lan, device, behind, congestion_control)

    def _add_namespace(self, name):
        run("ip", "netns", "add", name)
        run(*self.lab.on(name), "ip", "link", "set", "lo", "up")
        self.namespaces.append(name)

    def _make_hosts(self):
        """The namespace that the router's inner device belongs into."""
        lab = self.lab
        for host in self.hosts:
            self._add_namespace(host)
            lab.homes_by_host[host] = self
        if self.hosts == [self.name]:
            return self.name
        lan = f"{self.name}-lan"
        self._add_namespace(lan)
        sysctl(lab, lan, net_ipv4_ip_forward=1)
        run(*lab.on(lan), "ip", "link", "add", "lan", "type", "bridge")
        run(*lab.on(lan), "ip", "link", "set", "lan", "up")
        for index, host in enumerate(self.hosts):
            run(*lab.on(lan), "ip", "link", "add", f"port{index}", "master", "lan", "type", "veth",
                "peer", "name", "eth0", "netns", f"/run/netns/{host}")
            run(*lab.on(lan), "ip", "link", "set", f"port{index}", "up")
        return lan

    def _connect(self, lan, device, behind, congestion_control):
        lab, gateway = self.lab, lan != self.hosts[0]
        # By route: a namespace may only be set to what the machine's administrator allows to all.
        by = ("congctl", congestion_control)
        outside = behind.lan if behind else None
        run(*lab.on(lan), "ip", "link", "set", device, "up", "txqueuelen", "2000")
        run(*lab.on(outside), "ip", "link", "set", f"wan-{self.name}", "up", "txqueuelen", "2000")
        if gateway and self.has_ipv6:
            lab.forward_ipv6(lan)
        for version, present in (("-4", self.has_ipv4), ("-6", self.has_ipv6)):
            if not present:
                continue
            net = self.private_net + "." if version == "-4" else self.net_6 + "::"
            bits, nodad = ("24", ()) if version == "-4" else ("64", ("nodad",))
            if gateway:
                run(*lab.on(lan), "ip", "addr", "add", f"{net}1/{bits}", "dev", "lan", *nodad)
            for index, host in enumerate(self.hosts):
                run(*lab.on(host), "ip", "addr", "add", f"{net}{index + 2}/{bits}", "dev", "eth0", *nodad,
                    "noprefixroute")
                run(*lab.on(host), "ip", "link", "set", "eth0", "up")
                if gateway:
                    run(*lab.on(host), "ip", version, "route", "add", f"{net}{'0' if bits == '24' else ''}/{bits}",
                        "dev", "eth0", *by)
                run(*lab.on(host), "ip", version, "route", "add", "default", "dev", "eth0",
                    *(("via", f"{net}1") if gateway else ()), *by)
            if gateway:
                run(*lab.on(lan), "ip", version, "route", "add", "default", "dev", device)
            routed = self.public.rsplit(".", 1)[0] + ".0/24" if version == "-4" else f"{self.net_6}::/48"
            run(*lab.on(outside), "ip", version, "route", "add", routed, "dev", f"wan-{self.name}",
                *by)
            if behind and version == "-6":
                run("ip", version, "route", "add", routed, "dev", f"wan-{behind.name}")

    @property
    def address(self):
        """The first host's own, of the home's first IP version."""
        return self.private_net + ".2" if self.has_ipv4 else self.net_6 + "::2"

    def remove(self):
        """When nothing runs there any more; its numbers will be another's, much later."""
        for router in {self.inner, self.router}:
            router.stop()
        for namespace in self.namespaces:
            run("ip", "netns", "del", namespace)
        for host in self.hosts:
            del self.lab.homes_by_host[host]
        self.lab.numbers.append(self.number)

    def set(self, **settings):
        self.router.set(**settings)

    def flush(self):
        self.inner.flush()
        self.router.flush()

    def cut(self, direction=""):
        self.router.cut(direction)

    def restore(self, direction=""):
        self.router.restore(direction)

    def renumber(self):
        """Another public IPv4 address; what went over the old one has ended without a word."""
        last = int(self.public.rsplit(".", 1)[1])
        self.public = f"{self.public.rsplit('.', 1)[0]}.{last % 200 + 1}"
        self.router.set(wan=self.public)

    def change_host_address(self):
        """The first host gets another address of its own (no bridge, behind a NAT, IPv4)."""
        host, old = self.hosts[0], f"{self.private_net}.2/24"
        with_routes = subprocess.run([*self.lab.on(host), "ip", "-4", "route", "show", "default"], check=True,
                                     capture_output=True, text=True).stdout.split()
        run(*self.lab.on(host), "ip", "addr", "del", old, "dev", "eth0")
        self.private_net = "10.9.8"
        run(*self.lab.on(host), "ip", "addr", "add", f"{self.private_net}.2/24", "dev", "eth0", "noprefixroute")
        run(*self.lab.on(host), "ip", "-4", "route", "replace", *with_routes)

    def environment(self):
        if not self.profile.proxy:
            return {}
        proxy = f"http://{PROXY}:{PROXY_PORT}"
        return {"http_proxy": proxy, "https_proxy": proxy, "all_proxy": proxy}


def missing():
    """Why no laboratory can be made here, or None."""
    if os.environ.get(labs.INSIDE) != "namespaces":
        return "network namespaces are refused here"
    for program, package in (("turnserver", "coturn"), ("openssl", "openssl")):
        if shutil.which(program) is None:
            return f"{program} is missing (package {package})"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun: {error.strerror}"
    return None


class NetLab(Lab):
    """The internet, its servers, and homes."""

    def __init__(self):
        self.numbers = collections.deque(range(1, 255))
        self.homes_by_host = {}
        super().__init__()
        if self.loopback:
            raise Failure("network namespaces are refused here")

    def take_number(self):
        return self.numbers.popleft()

    def forward_ipv6(self, host):
        run(*self.on(host), "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")

    def make_network(self):
        sysctl(self, None, net_ipv4_ip_forward=1)
        self.forward_ipv6(None)
        run("ip", "link", "add", "servers", "type", "bridge")
        run("ip", "link", "set", "servers", "up")
        for address in (SIGNAL, TURN, TURN_2, PROXY):
            run("ip", "addr", "add", f"{address}/32", "dev", "servers")
        for address in (SIGNAL_6, TURN_6, TURN_6_2, PROXY_6):
            run("ip", "addr", "add", f"{address}/128", "dev", "servers", "nodad")
        # As providers do: what is private, or nobody's, is dropped in silence.
        for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15"):
            run("ip", "route", "add", "blackhole", net)
        self._hide("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + "".join(
            f"{address} {name}\n" for name, addresses in NAMES.items() for address in addresses))
        self._hide("/etc/resolv.conf", "")

    def _hide(self, path, text):
        """Another file in place of PATH, in here only."""
        own = self.path("etc-" + os.path.basename(path))
        with open(own, "w", encoding="utf-8") as out:
            out.write(text)
        run("mount", "--bind", own, os.path.realpath(path))

    def home(self, name, profile="open", **options):
        return Home(self, name, profile, **options)

    def environment(self, host):
        home = self.homes_by_host.get(host)
        clean = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {**clean, **(home.environment() if home else {})}

    @property
    def address(self):
        return SIGNAL

    def make_certificates(self):
        """An authority of our own that everything in here trusts, and a certificate for each server:
        GnuTLS reads Debian's bundle, so ours takes its place."""
        folder = self.make_folder("tls")

        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, cwd=folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
                "-subj", "/CN=Laboratory", "-addext", "basicConstraints=critical,CA:TRUE")
        for name, addresses in NAMES.items():
            with open(os.path.join(folder, "names"), "w", encoding="utf-8") as out:
                out.write(f"subjectAltName=DNS:{name}," + ",".join(f"IP:{a}" for a in (
                    *addresses, *((TURN_2, TURN_6_2) if name == "turn.test" else ()))))
            openssl("req", *key, "-keyout", f"{name}.key", "-out", "request", "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key",
                    "-CAcreateserial", "-days", "3650", "-extfile", "names", "-out", f"{name}.pem")
        bundle = os.path.realpath("/etc/ssl/certs/ca-certificates.crt")
        run("mount", "--bind", os.path.join(folder, "ca.pem"), bundle)

    def start_servers(self, turn=True, proxy=True, signald_config=""):
        """The rendezvous server, coturn and the proxy; the rendezvous server's address."""
        self.make_certificates()
        if turn:
            self.coturn = Coturn(self)
        if proxy:
            self.proxy = Proxy(self)
        self.signald = Signald(self, turn, signald_config)
        return self.signald


class Signald:
    """alongside-signald with TLS on port 443, of both IP versions."""
    uri = "wss://signal.test"

    def __init__(self, lab, turn=True, more="", foreign_peers=False):
        self.lab = lab
        foreign = "turn-accepts-foreign-peers=true\n" if foreign_peers else ""
        ice = f"""[ice]
stun={TURN}:3478;{TURN_2}:3478;[{TURN_6}]:3478
turn={TURN}:3478;[{TURN_6}]:3478
turns=turn.test:443
turn-secret={TURN_SECRET}
turn-burst=100000
{foreign}""" if turn else ""
        self.config = lab.path("signald.conf")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"[server]\nlisten={SIGNAL}:443;[{SIGNAL_6}]:443\n"
                      f"tls-cert={lab.path('tls', 'signal.test.pem')}\n"
                      f"tls-key={lab.path('tls', 'signal.test.key')}\n"
                      f"{labs.SERVER_CONFIG}{ice}{more}")
        self.start()

    def start(self):
        self.process = self.lab.start([labs.SIGNALD, "--config", self.config, "--print-address"],
                                      stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise Failure(f"the server does not listen: {line!r}")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Coturn:
    """A STUN and TURN server with two addresses of each IP version (RFC 5780 needs them), on 3478
    and, with TLS or without, on 443."""

    def __init__(self, lab, more=""):
        self.lab = lab
        self.config = lab.path("turnserver.conf")
        self.log = lab.path("turnserver.log")
        addresses = (TURN, TURN_2, TURN_6, TURN_6_2)
        with open(self.config, "w", encoding="utf-8") as out:
            out.write("".join(f"listening-ip={address}\n" for address in addresses)
                      + f"relay-ip={TURN}\nrelay-ip={TURN_6}\n"
                      "listening-port=3478\nalt-listening-port=3479\n"
                      "tls-listening-port=443\nalt-tls-listening-port=444\n"
                      f"cert={lab.path('tls', 'turn.test.pem')}\npkey={lab.path('tls', 'turn.test.key')}\n"
                      f"use-auth-secret\nstatic-auth-secret={TURN_SECRET}\nrealm=turn.test\n"
                      "fingerprint\nno-cli\nno-multicast-peers\nsimple-log\nlog-file=stdout\n"
                      f"pidfile={lab.path('turnserver.pid')}\nuserdb={lab.path('turnserver.db')}\n{more}")
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.lab.start(["turnserver", "-c", self.config], stdout=log, stderr=log)
        wait_for_port(TURN, 3478, self.process)
        wait_for_port(TURN_6, 443, self.process)

    def stop(self):
        self.process.kill()
        self.process.wait(10)


class Proxy:
    """connect-proxy.py: HTTP CONNECT and nothing else."""

    def __init__(self, lab):
        self.process = lab.start([sys.executable, os.path.join(FOLDER, "connect-proxy.py"), PROXY, str(PROXY_PORT)],
                                 stdin=subprocess.PIPE)
        wait_for_port(PROXY, PROXY_PORT, self.process)


CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(host):
    """This thread on HOST: sockets made meanwhile are, and stay, there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{host}", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")


def wait_for_port(address, port, process, seconds=20):
    """It tells nobody when it listens; the connect does."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise Failure(f"{process.args[0]} does not listen on {address} port {port}") from None
            time.sleep(0.02)
