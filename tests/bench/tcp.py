# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of the network benches: kernel TCP with nothing around it.

  tcp.py receive PORT FILE     one connection into FILE, then answers how much came
  tcp.py send ADDRESS PORT FILE [SECONDS]
  tcp.py echo PORT             sends back what comes, a connection at a time
  tcp.py ping ADDRESS PORT INTERVAL_MS SECONDS

Receivers say "ready" once they listen. The others close with one line of JSON, in which the
congestion control is the kernel's own answer."""
import json
import socket
import sys
import time

CHUNK_BYTES = 1 << 20
PING_BYTES = 32


def listen(port):
    server = socket.create_server(("0.0.0.0", port))
    print("ready", flush=True)
    return server


def congestion_control(connection):
    name = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.rstrip(b"\0").decode()


def peak_kb():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def receive(port, path):
    connection, _ = listen(int(port)).accept()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    total = 0
    with open(path, "wb", buffering=0) as out:
        while n := connection.recv_into(buffer):
            done = 0
            while done < n:
                done += out.write(buffer[done:n])
            total += n
    connection.sendall(f"{total} {peak_kb()}\n".encode())


def send(address, port, path, seconds="inf"):
    connection = socket.create_connection((address, int(port)))
    begin = time.monotonic()
    end = begin + float(seconds)
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while (n := file.readinto(buffer)) and time.monotonic() < end:
            connection.sendall(buffer[:n])
    connection.shutdown(socket.SHUT_WR)
    total, peer_peak = connection.makefile().readline().split()
    print(json.dumps({"bytes": int(total), "seconds": time.monotonic() - begin, "peak_kb": peak_kb(),
                      "peer_peak_kb": int(peer_peak), "cc": congestion_control(connection)}))


def echo(port):
    server = listen(int(port))
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(PING_BYTES):
            connection.sendall(data)


def ping(address, port, interval_ms, seconds):
    connection = socket.create_connection((address, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end = time.monotonic() + float(seconds)
    trips = []
    while (begin := time.monotonic()) < end:
        connection.sendall(bytes(PING_BYTES))
        missing = PING_BYTES
        while missing:
            missing -= len(connection.recv(missing))
        trips.append(time.monotonic() - begin)
        time.sleep(max(0, begin + float(interval_ms) / 1000 - time.monotonic()))
    trips.sort()
    print(json.dumps({"n": len(trips), "p50_ms": trips[len(trips) // 2] * 1000,
                      "p99_ms": trips[len(trips) * 99 // 100] * 1000,
                      "cc": congestion_control(connection)}))


if __name__ == "__main__":
    {"receive": receive, "send": send, "echo": echo, "ping": ping}[sys.argv[1]](*sys.argv[2:])
