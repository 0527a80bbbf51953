# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VyOS router says of its sessions and routes, from the text of its `show` commands.

They are FRR's words. Operational mode ends before FRR's `json` (vyos-1x: op-mode-definitions/include/bgp), so tables
are read. The table of routes names IPv6 next hops by their link-local addresses; the page of a single prefix has the
global ones, the communities and the preference too, so each prefix is asked for, up to a limit.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import FAMILIES, IPV4, family_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_vyos import Device, Refused
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import (
    ESTABLISHED,
    PeerSeen,
    RouteSeen,
    View,
)

# Prefixes and sessions that are asked for one by one.
LIMIT = 200
_STATE = r"(\d+|\(Policy\)|[A-Z]\w+(?: \(\w+\))?)"
_PEER = re.compile(rf"(\*?)([0-9A-Fa-f:.]+)\s+4\s+(\d+)(?:\s+\d+){{5}}\s+(\S+)\s+{_STATE}(?:\s+(\d+))?")
_ROUTE = re.compile(r"([ *>=idhrSRs]{3})([0-9A-Fa-f:.]+/\d+)?\s*([0-9A-Fa-f:.]+)?")
_HOP = re.compile(r"    ([0-9A-Fa-f:.]+)(?: \([^)]*\))* from ")
_RESET = re.compile(r"Last reset (\S+?),\s+(.+)")
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class VyosReader:
    """A RouterReader over either way to the router."""

    def __init__(self, device: Device, families: t.Iterable[str] = FAMILIES) -> None:
        self._device, self._families = device, tuple(families)

    def run_view(self) -> View:
        peers, routes = [], []
        for family in self._families:
            found = peers_of(self._bgp(family, "summary"), family)
            down = [peer for peer in found if peer.state != ESTABLISHED]
            reasons = {peer.neighbor: reset_of(self._bgp(family, "neighbors", peer.neighbor)) for peer in down[:LIMIT]}
            peers += [_with_reason(peer, reasons.get(peer.neighbor, ("", -1))) for peer in found]
            routes += self._routes(family)
        return View(tuple(peers), tuple(routes))

    def _routes(self, family: str) -> list[RouteSeen]:
        table = table_of(self._bgp(family), family)
        pages = {route.prefix: self._bgp(family, route.prefix) for route in table[:LIMIT]}
        told = [route_of(pages[route.prefix], route.prefix) if route.prefix in pages else None for route in table]
        return [page or route for page, route in zip(told, table)]

    def _bgp(self, family: str, *words: str) -> str:
        """1.3 has another beginning of these commands than later versions."""
        try:
            return self._device.show("bgp", family, *words)
        except Refused:
            return self._device.show("ip" if family == IPV4 else "ipv6", "bgp", *words)


def _with_reason(peer: PeerSeen, reset: tuple[str, int]) -> PeerSeen:
    return replace(peer, reason=reset[0], reason_age_s=reset[1])


def peers_of(text: str, family: str) -> tuple[PeerSeen, ...]:
    """From `show bgp ipv4 summary`. Where there is no room a neighbour's address has a line of its own."""
    joined = re.sub(r"(?m)^(\*?[0-9A-Fa-f:.]{3,})\n\s+", r"\1 ", text)
    found = (_PEER.match(line) for line in joined.splitlines())
    return tuple(_peer(match, family) for match in found if match)


def _peer(match: re.Match[str], family: str) -> PeerSeen:
    star, address, asn, up, state, sent = match.groups()
    established = state.isdigit() or state == "(Policy)"
    return PeerSeen(
        address, family, ESTABLISHED if established else state, int(asn),
        received=int(state) if state.isdigit() else 0, sent=int(sent or 0),
        uptime_s=seconds(up) if established else 0, dynamic=bool(star),
    )


def seconds(text: str) -> int:
    """FRR's ages: 00:01:54, 1d02h03m, 02w3d04h, never."""
    if re.fullmatch(r"\d+:\d+:\d+", text):
        hours, minutes, rest = map(int, text.split(":"))
        return 3600 * hours + 60 * minutes + rest
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))


def reset_of(text: str) -> tuple[str, int]:
    """From `show bgp ipv4 neighbors <address>`: why it last ended, and how long ago."""
    found = _RESET.search(text)
    nothing = not found or found.group(1) == "never"
    return ("", -1) if nothing or found is None else (found.group(2).strip(), seconds(found.group(1)))


def table_of(text: str, family: str) -> tuple[RouteSeen, ...]:
    """From `show bgp ipv4`: the prefixes with a used path, and the next hops of those paths."""
    _head, _, body = text.partition("Next Hop")
    prefix, used, hops = "", False, {}  # type: str, bool, dict[str, list[str]]
    for line in body.splitlines()[1:]:
        match = _ROUTE.match(line)
        if not match or not line.strip():
            continue
        flags, named, hop = match.groups()
        if flags.strip():
            used = ">" in flags or "=" in flags
        prefix = named or prefix
        if used and hop and family_of(hop) == family and prefix:
            hops.setdefault(prefix, []).append(hop)
    return tuple(RouteSeen(prefix, family, tuple(dict.fromkeys(found))) for prefix, found in hops.items())


def route_of(text: str, prefix: str) -> RouteSeen | None:
    """From `show bgp ipv4 <prefix>`; communities and preference are the best path's."""
    paths = re.split(r"(?m)(?=^    [0-9A-Fa-f:.]+(?: \([^)]*\))* from )", text)[1:]
    used = [path for path in paths if re.search(r", (best|multipath)\b", path)]
    if not used:
        return None
    best = next((path for path in used if ", best" in path), used[0])
    preference = re.search(r"\blocalpref (\d+)", best)
    return RouteSeen(
        prefix, family_of(prefix),
        tuple(dict.fromkeys(match.group(1) for match in map(_HOP.match, used) if match)),
        communities=tuple(" ".join(re.findall(r"(?m)^ +(?:Large )?Community: (.+)$", best)).split()),
        local_preference=int(preference.group(1)) if preference else None,
    )
