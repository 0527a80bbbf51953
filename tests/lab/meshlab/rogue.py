"""Runs on a host: a speaker of BGP that nobody asked for. It announces prefixes and tells what becomes of it.

Its first line of standard input is the password. It prints one JSON object for each thing that happens, and ends with
its standard input, with the session, or after two minutes.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import select
import socket
import struct
import sys
import time

TCP_MD5SIG = 14
MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
NAMES = {OPEN: "open", UPDATE: "update", NOTIFICATION: "notification", KEEPALIVE: "keepalive"}
AS_TRANS = 23456
MOST_IN_ONE = 500
LIFE = 120.0


def tell(what: str, **more: object) -> None:
    print(json.dumps({"what": what, **more}), flush=True)


def connect(router: str, password: str) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if password:
        address = struct.pack("=H2x4s", socket.AF_INET, ipaddress.IPv4Address(router).packed).ljust(128, b"\0")
        key = password.encode()
        found.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, address + struct.pack("=BBHi80s", 0, 0, len(key), 0, key))
    found.settimeout(15)
    found.connect((router, 179))
    return found


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def hello(asn: int, own: str) -> bytes:
    """IPv4 unicast and four-octet AS numbers."""
    capabilities = struct.pack("!BBHBB", 1, 4, 1, 0, 1) + struct.pack("!BBI", 65, 4, asn)
    parameters = struct.pack("!BB", 2, len(capabilities)) + capabilities
    head = struct.pack("!BHH4sB", 4, min(asn, AS_TRANS), 90, ipaddress.IPv4Address(own).packed, len(parameters))
    return message(OPEN, head + parameters)


def announcement(asn: int, own: str, prefixes: list[str]) -> bytes:
    attributes = struct.pack("!BBBB", 0x40, 1, 1, 0) + struct.pack("!BBBBBI", 0x40, 2, 6, 2, 1, asn)
    attributes += struct.pack("!BBB4s", 0x40, 3, 4, ipaddress.IPv4Address(own).packed)
    reached = b""
    for prefix in prefixes:
        network = ipaddress.IPv4Network(prefix)
        reached += bytes([network.prefixlen]) + network.network_address.packed[: (network.prefixlen + 7) // 8]
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + reached)


def received(connection: socket.socket) -> tuple[int, bytes]:
    head = exactly(connection, 19)
    length, kind = struct.unpack("!HB", head[16:])
    return kind, exactly(connection, length - 19)


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("the router closed the connection")
        data += part
    return data


def speak(options: argparse.Namespace, connection: socket.socket) -> None:
    connection.sendall(hello(options.asn, options.own))
    announced, said, until = False, 0.0, time.monotonic() + LIFE
    while time.monotonic() < until:
        ready, _, _ = select.select([connection, sys.stdin], [], [], 1.0)
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 1):
            return
        if connection in ready:
            kind, body = received(connection)
            if kind == NOTIFICATION:
                tell("notification", code=body[0], subcode=body[1])
                return
            if kind == KEEPALIVE and not announced:
                announced = True
                for start in range(0, len(options.prefixes), MOST_IN_ONE):
                    part = options.prefixes[start : start + MOST_IN_ONE]
                    connection.sendall(announcement(options.asn, options.own, part))
                tell("announced", count=len(options.prefixes))
        if time.monotonic() - said > 2:
            connection.sendall(message(KEEPALIVE))
            said = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("router")
    parser.add_argument("own", help="its own address, which is its router id too")
    parser.add_argument("asn", type=int)
    parser.add_argument("prefixes", nargs="+")
    options = parser.parse_args()
    try:
        with connect(options.router, sys.stdin.readline().strip()) as connection:
            speak(options, connection)
    except OSError as error:
        tell("lost", error=str(error))
    tell("over")


if __name__ == "__main__":
    main()
