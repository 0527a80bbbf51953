# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration node accepts as its value. A check returns what is wrong, or None."""

from __future__ import annotations

import ipaddress
import re
import typing as t

Check = t.Callable[[str], str | None]

NAME = re.compile(r"[-_a-zA-Z0-9]+")
NAME_OR_DOT = re.compile(r"[-_a-zA-Z0-9.]+")


def text(value: str) -> str | None:
    return None if value else "Error: an empty value is not allowed"


def name(value: str) -> str | None:
    return None if NAME.fullmatch(value) else f"Error: {value} is not a valid name"


def group_name_13(value: str) -> str | None:
    """Of a peer group on 1.3: word characters, and nothing that FRR could take for the start of an IPv6 address."""
    if re.fullmatch(r"\w+", value, re.ASCII) and not re.fullmatch(r"[A-Fa-f]{1,4}", value):
        return None
    return f"malformed peer-group name {value}"


def map_name(value: str) -> str | None:
    if NAME_OR_DOT.fullmatch(value):
        return None
    return "Name of route-map can only contain alpha-numeric letters, hyphen and underscores"


def number(low: int, high: int) -> Check:
    def check(value: str) -> str | None:
        if value.isascii() and value.isdigit() and low <= int(value) <= high:
            return None
        return f"Error: {value} is not in the range {low}-{high}"

    return check


def one_of(*choices: str) -> Check:
    def check(value: str) -> str | None:
        return None if value in choices else f"Error: {value} is none of {', '.join(choices)}"

    return check


def either(*checks: Check) -> Check:
    def check(value: str) -> str | None:
        found = [each(value) for each in checks]
        return None if None in found else found[0]

    return check


def _address(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(value).version == version
    except ValueError:
        return False


def _network(value: str, version: int, strict: bool = True) -> bool:
    try:
        return "/" in value and ipaddress.ip_network(value, strict=strict).version == version
    except ValueError:
        return False


def ipv4(value: str) -> str | None:
    return None if _address(value, 4) else f"Error: {value} is not a valid IPv4 address"


def ipv6(value: str) -> str | None:
    return None if _address(value, 6) else f"Error: {value} is not a valid IPv6 address"


def ipv4_prefix(value: str) -> str | None:
    return None if _network(value, 4) else f"Error: {value} is not a valid IPv4 prefix"


def ipv6_prefix(value: str) -> str | None:
    return None if _network(value, 6) else f"Error: {value} is not a valid IPv6 prefix"


def host_with_mask(value: str) -> str | None:
    if value in ("dhcp", "dhcpv6") or _network(value, 4, strict=False) or _network(value, 6, strict=False):
        return None
    return f"Error: {value} is not a valid IP address with prefix length"


def community(value: str) -> str | None:
    """One standard community: AA:NN, or a well-known name."""
    parts = value.split(":")
    if len(parts) == 2 and all(part.isdigit() and int(part) <= 65535 for part in parts):
        return None
    known = one_of("local-as", "local-AS", "no-advertise", "no-export", "internet", "graceful-shutdown", "blackhole",
                   "no-peer", "accept-own", "llgr-stale", "no-llgr")
    return known(value)


def large_community(value: str) -> str | None:
    parts = value.split(":")
    if len(parts) == 3 and all(part.isdigit() and int(part) <= 4294967295 for part in parts):
        return None
    return f"Error: {value} is not a valid large community"


def several(check: Check) -> Check:
    """Values separated by white space in one text, as 1.3 has its communities."""

    def checked(value: str) -> str | None:
        words = [word for word in value.split() if word not in ("additive", "none")]
        found = [error for error in map(check, words) if error]
        return found[0] if found else None

    return checked


def change(value: str) -> str | None:
    """A metric relative to the former one."""
    return None if re.fullmatch(r"[+-]\d+|[+-]?rtt", value) else f"Error: {value} is not a valid metric"


ip = either(ipv4, ipv6)
prefix = either(ipv4_prefix, ipv6_prefix)
asn = number(1, 4294967294)
metric = either(number(0, 4294967295), change)
