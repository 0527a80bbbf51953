# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one host reaches others: a TCP connection (being refused counts) and an echo as large as the link."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
import typing as t

REACHED, REFUSED, LOST = "reached", "refused", "lost"

_PMTU_DO = 2  # IP_PMTUDISC_DO: never in pieces
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = 10, 23


def probe_all(targets: t.Sequence[t.Mapping[str, t.Any]], timeout: float) -> list[dict[str, t.Any]]:
    """`targets`: host, address, ports, mtu. All at once, so that a dead host costs one time-out."""
    results: list[dict[str, t.Any]] = [{} for _target in targets]

    def run(index: int, target: t.Mapping[str, t.Any]) -> None:
        results[index] = probe(target, timeout)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(targets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def probe(target: t.Mapping[str, t.Any], timeout: float) -> dict[str, t.Any]:
    address = str(target["address"])
    ports: dict[str, str] = {}

    def run(port: int) -> None:
        ports[str(port)] = connect(address, port, timeout)

    threads = [threading.Thread(target=run, args=(int(port),)) for port in target["ports"]]
    for thread in threads:
        thread.start()
    found = {"host": target["host"], "address": address, "ports": ports, "echo": echoes(target, timeout)}
    for thread in threads:
        thread.join()
    return found


def connect(address: str, port: int, timeout: float) -> str:
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return REACHED
    except ConnectionRefusedError:
        return REFUSED
    except socket.timeout:
        return f"{LOST}: no answer in {timeout:g} s"
    except OSError as error:
        return f"{LOST}: {error.strerror or error}"


def echoes(target: t.Mapping[str, t.Any], timeout: float) -> str:
    """`fits`, `too large`, or `unknown` where not even a small echo is answered (many networks drop them)."""
    mtu = int(target.get("mtu") or 0)
    if not mtu:
        return "unknown"
    try:
        if not echo(str(target["address"]), 64, timeout):
            return "unknown"
        return "fits" if echo(str(target["address"]), mtu, timeout) else "too large"
    except PermissionError:
        return "unknown"
    except OSError as error:
        return "too large" if error.errno == errno.EMSGSIZE else "unknown"


def echo(address: str, size: int, timeout: float) -> bool:
    """One ICMP echo whose whole packet is `size` bytes and may not be cut."""
    sixth = ":" in address
    family, protocol = (socket.AF_INET6, 58) if sixth else (socket.AF_INET, 1)
    headers = (40 if sixth else 20) + 8
    mark = os.urandom(8)
    body = mark.ljust(max(size - headers, 8), b"\0")
    identity = struct.unpack("!H", mark[:2])[0]
    with socket.socket(family, socket.SOCK_RAW, protocol) as sender:
        level, option = (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER) if sixth else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
        sender.setsockopt(level, option, _PMTU_DO)
        sender.sendto(_request(128 if sixth else 8, identity, body), (address, 0))
        deadline = time.monotonic() + min(timeout, 1.0)
        while time.monotonic() < deadline:
            sender.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                packet = sender.recv(65535)
            except socket.timeout:
                return False
            reply = packet if sixth else packet[(packet[0] & 0x0F) * 4 :]
            if reply[:1] == (b"\x81" if sixth else b"\x00") and reply[8:16] == mark:
                return True
    return False


def _request(kind: int, identity: int, body: bytes) -> bytes:
    header = struct.pack("!BBHHH", kind, 0, 0, identity, 1)
    return struct.pack("!BBHHH", kind, 0, checksum(header + body), identity, 1) + body


def checksum(data: bytes) -> int:
    """Of the Internet; for IPv6 the kernel puts its own in."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
