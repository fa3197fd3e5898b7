# SPDX-License-Identifier: GPL-3.0-or-later
"""alongside diagnose behind every kind of NAT of the laboratory, with a real rendezvous server
and a real coturn: is each named for what it is? TAP on standard output."""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netlab"))
import netlab
import lab as labs
from lab import CLI, Failure
from netlab import NetLab, SIGNAL, TURN

labs.enter()

EI, AD, APD = "endpoint-independent", "address-dependent", "address-and-port-dependent"
LIMIT_S = 25
TLS_PORT, SILENT_PORT, CLOSED_PORT = 8443, 8444, 8445


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def command(lab, host, *arguments):
    return [*lab.on(host), CLI, "diagnose", *arguments]


def diagnose(lab, host, *arguments):
    """The report, its exit code in it, and how long it took."""
    start = time.monotonic()
    done = subprocess.run(command(lab, host, "--json", *arguments), capture_output=True, text=True,
                          env=lab.environment(host), timeout=LIMIT_S, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise Failure(f"{host}: exit {done.returncode}, no JSON but {done.stdout!r}; {done.stderr[-2000:]}") from None
    check(report["exit"] == done.returncode, f"{host}: exit {done.returncode}, {report['exit']} in the report")
    report["seconds"] = time.monotonic() - start
    return report


def expect(report, **wanted):
    """WANTED: udp__mapping="…" for what is below ours."""
    for path, value in wanted.items():
        found = report["ours"]
        for word in path.split("__"):
            found = found[word]
        check(found == value, f"{path} is {found!r}, not {value!r}: {json.dumps(report['ours'])}")


def nat(mapping, filtering, old_name):
    def judge(report):
        expect(report, udp__known=True, udp__blocked=False, udp__translated=True, udp__mapping=mapping,
               udp__filtering=filtering, udp__old_name=old_name, tcp__known=True, tcp__translated=True,
               tcp__mapping=mapping, ipv4=True, proxy=False, mtu=1500)
        sentence = report["ours"]["sentences"]["udp"]
        check(f"{mapping} mapping, {filtering} filtering (“{old_name}”)" in sentence, sentence)
        check(report["exit"] == 0 and report["direct"], "direct connections are not expected")
        check(report["ours"]["server_rtt_ms"] > 0, "no round trip")
    return judge


def sequential(report):
    nat(APD, APD, "symmetric")(report)
    step = report["ours"]["tcp"]["port_step"]
    check(1 <= step <= 8, f"ports that count up have step {step}")


def random_ports(report):
    nat(APD, APD, "symmetric")(report)
    expect(report, tcp__port_step=0)
    check("unpredictable ports" in report["advice"], report["advice"])


def firewall(report):
    expect(report, udp__translated=False, udp__filtering=APD, udp__old_name="symmetric firewall",
           tcp__known=True, tcp__translated=False)


def is_open(report):
    expect(report, udp__translated=False, udp__filtering=EI, udp__old_name="open internet", tcp__translated=False)
    check("Nothing in this network stands in the way" in report["advice"], report["advice"])


def udp_blocked(report):
    expect(report, udp__blocked=True, tcp__known=True, tcp__mapping=EI)
    check("blocks UDP" in report["advice"] and report["exit"] == 0, f"{report['advice']}, exit {report['exit']}")


def only_443(report):
    expect(report, udp__blocked=True, tcp__known=False)
    check(report["servers"][0]["state"] == "ok", f"the server is {report['servers']}")
    check(report["exit"] == 1 and "neither UDP nor TCP" in report["advice"], report["advice"])


def http_proxy(report):
    expect(report, udp__blocked=True, tcp__known=False, proxy=True)
    check(report["servers"][0]["state"] == "ok" and report["servers"][0]["proxy"], f"the server is {report['servers']}")
    check(report["exit"] == 1 and "nothing but web traffic" in report["advice"], report["advice"])


def ipv6_only(report):
    expect(report, ipv4=False, ipv6=True, udp__known=True, udp__translated=False, udp__filtering=APD)


JUDGES = {
    "open": is_open,
    "full-cone": nat(EI, EI, "full cone"),
    "address-restricted": nat(EI, AD, "restricted cone"),
    "port-restricted": nat(EI, APD, "port-restricted cone"),
    "double-nat": nat(EI, APD, "port-restricted cone"),
    "symmetric-sequential": sequential,
    "symmetric-random": random_ports,
    "firewall": firewall,
    "udp-blocked": udp_blocked,
    "only-443": only_443,
    "http-proxy": http_proxy,
    "ipv6-only": ipv6_only,
}


class Probes:
    """All homes ask at once: each waits for limits, not for the machine."""

    def __init__(self, lab):
        self.results = {}
        self.threads = {}
        for profile in JUDGES:
            host = profile.replace("-", "")[:11]
            lab.home(host, profile, delay=10)
            self.threads[profile] = threading.Thread(target=self._run, args=(lab, profile, host))
        for thread in self.threads.values():
            thread.start()

    def _run(self, lab, profile, host):
        try:
            self.results[profile] = diagnose(lab, host, "--server", lab.signald.uri)
        except (Failure, subprocess.SubprocessError) as error:
            self.results[profile] = error

    def judge(self, profile):
        self.threads[profile].join()
        result = self.results[profile]
        if not isinstance(result, dict):
            raise Failure(str(result))
        check(result["servers"][0]["state"] == "ok", f"the server is {result['servers']}")
        check(result["seconds"] < 20, f"it took {result['seconds']:.1f} s")
        text = json.dumps({**result, "servers": [], "stun_servers": []})
        for secret in ("198.18.", "192.168.", "2001:db8", "static-auth"):
            check(secret not in text, f"“{secret}” is in the report")
        JUDGES[profile](result)


def small_packets(lab, _probes):
    """A line that takes no more than 1,420 bytes."""
    lab.home("tunnel", "port-restricted", mtu=1420)
    report = diagnose(lab, "tunnel", "--server", lab.signald.uri)
    expect(report, mtu=1420)


def lines_for_people(lab, _probes):
    done = subprocess.run(command(lab, "portrestric", "--server", lab.signald.uri), capture_output=True, text=True,
                          env=lab.environment("portrestric"), timeout=LIMIT_S, check=False)
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    for line in (f"Rendezvous server {lab.signald.uri}: reachable, round trip ",
                 "UDP: NAT with endpoint-independent mapping, address-and-port-dependent filtering (“port-restricted cone”)",
                 "Largest packet: 1500 bytes", "Internet: IPv4 only", "Proxy: None", "Port mapping: There is no router"):
        check(line in done.stdout, f"no “{line}” in:\n{done.stdout}")


def both_families_are_looked_at(lab, _probes):
    """A NAT for IPv4, and a firewall for IPv6 beside it."""
    lab.home("dual", "port-restricted", ipv6=True)
    report = diagnose(lab, "dual", "--server", lab.signald.uri)
    expect(report, ipv4=True, ipv6=True, udp__translated=True, udp__mapping=EI, udp_ipv6__known=True,
           udp_ipv6__translated=False, udp_ipv6__filtering=APD, tcp_ipv6__known=True, tcp_ipv6__translated=False,
           mapping_problem="no-router")
    check("udp-ipv6" in report["ours"]["sentences"], f"{report['ours']['sentences']}")


def server_troubles_are_told(lab, _probes):
    """Whatever is wrong on the way to the rendezvous server has its own sentence."""
    folder = lab.make_folder("self-signed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", "key", "-out", "cert", "-days", "3", "-subj", "/CN=signal.test",
                    "-addext", "subjectAltName=DNS:signal.test"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "cert"), os.path.join(folder, "key"))
    listener = socket.create_server((SIGNAL, TLS_PORT))
    silent = socket.create_server((SIGNAL, SILENT_PORT))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                connection.close()
    threading.Thread(target=serve, daemon=True).start()
    cases = {
        "https://signal.test": ("bad-address", "no address of a server"),
        "wss://nobody.test": ("no-name", "name is not known"),
        f"wss://signal.test:{CLOSED_PORT}": ("refused", "refuses the connection"),
        f"wss://signal.test:{TLS_PORT}": ("certificate", "signed by nobody"),
        f"wss://signal.test:{SILENT_PORT}": ("silent", "does not answer"),
        "ws://signal.test:443": ("not-ours", "no rendezvous server"),
        f"ws://{TURN}:3478": ("not-ours", "no rendezvous server"),
        "wss://signal.test": ("ok", "reachable"),
    }
    try:
        report = diagnose(lab, "open", "--no-port-mapping", *(word for uri in cases for word in ("--server", uri)))
    finally:
        listener.close()
        silent.close()
    for server, (uri, (state, words)) in zip(report["servers"], cases.items()):
        check(server["uri"] == uri and server["state"] == state and words in server["sentence"],
              f"{uri} is {server['state']}: {server['sentence']}")


def no_server_is_an_exit_code(lab, _probes):
    report = diagnose(lab, "open", "--server", f"wss://signal.test:{CLOSED_PORT}", "--stun", f"{TURN}:3478")
    check(report["exit"] == 5, f"exit {report['exit']}")
    expect(report, udp__known=True, udp__old_name="open internet")


def without_any_server(lab, _probes):
    report = diagnose(lab, "open", "--no-port-mapping")
    check(report["exit"] == 1 and report["servers"] == [] and "No STUN server is known" in report["advice"],
          json.dumps(report))
    check(report["seconds"] < 3, "it waited for nobody")


def bad_servers_are_refused(lab, _probes):
    for server in ("example.org:0", "a b", "[::1"):
        done = subprocess.run(command(lab, "open", "--stun", server), capture_output=True, text=True, check=False)
        check(done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, f"{server}: {done}")


def an_interrupt_ends_it_at_once(lab, _probes):
    process = subprocess.Popen(command(lab, "udpblocked", "--server", lab.signald.uri), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=lab.environment("udpblocked"))
    process.stderr.readline()
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(10)
    took = time.monotonic() - start
    process.stderr.close()
    check(process.returncode == 130, f"exit {process.returncode}")
    check(took < 3, f"it took {took:.1f} s")


TESTS = [small_packets, lines_for_people, both_families_are_looked_at, server_troubles_are_told, no_server_is_an_exit_code, without_any_server,
         bad_servers_are_refused, an_interrupt_ends_it_at_once]


def main():
    why_not = netlab.missing()
    if why_not:
        print(f"1..0 # SKIP {why_not}")
        return 0
    lab = NetLab()
    lab.start_servers(turn=True, proxy=True)
    probes = Probes(lab)
    cases = [(f"/diagnose/{profile}", lambda profile=profile: probes.judge(profile)) for profile in JUDGES]
    cases += [("/diagnose/" + test.__name__.replace("_", "-"), lambda test=test: test(lab, probes)) for test in TESTS]
    return labs.run_tap(cases)


sys.exit(main())
