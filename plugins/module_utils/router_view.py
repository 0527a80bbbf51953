# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router knows of its sessions and routes, the same for every kind of router, and what is wrong with a session.

Pure: texts come in, from FRR here (FRR itself, UniFi's gateways), from VyOS in router_view_vyos.py.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import IPV4, IPV6

ESTABLISHED = "Established"
# What the path to an address is like, as the router's kernel has it.
REACHED, NO_ROUTE, NO_NEIGHBOR = "reached", "no route", "no answer on the link"

_FAMILY_KEYS = {"ipv4Unicast": IPV4, "ipv6Unicast": IPV6}
_BAD_PEER_AS = ("bad peer as", "0202")
# What bgpd's log has of connections that came in and ended before they were a session: nothing else remembers those.
_LOGGED = re.compile(
    r"OPEN receipt failed for peer: (?P<refused>\S+)"
    r"|NOTIFICATION: (?P<way>sent to|received from) neighbor (?P<neighbor>\S+) \d+/\d+ \((?P<said>.*?)\)"
)
REFUSED_OPEN = "OPEN refused"
_PREFIX_COUNT = ("pfxct", "maximum number of prefixes")


@dataclass(frozen=True)
class PeerSeen:
    neighbor: str
    family: str
    state: str
    remote_asn: int = 0
    received: int = 0
    sent: int = 0
    uptime_s: int = 0
    dynamic: bool = False
    reason: str = ""  # of the last time it ended or did not come about
    reason_age_s: int = -1  # -1: not told


@dataclass(frozen=True)
class RouteSeen:
    """The best paths to a prefix. A next hop is the address that is used; a global one stands before a link-local."""

    prefix: str
    family: str
    next_hops: tuple[str, ...]
    communities: tuple[str, ...] = ()
    local_preference: int | None = None


@dataclass(frozen=True)
class Md5:
    """The kernel's counters: it drops such segments in silence, BGP never sees them."""

    failure: int = 0  # signed with another password
    missing: int = 0  # not signed, where a password is set
    unexpected: int = 0  # signed, where no password is set

    def since(self, before: Md5) -> Md5:
        return Md5(
            self.failure - before.failure, self.missing - before.missing, self.unexpected - before.unexpected
        )


@dataclass(frozen=True)
class View:
    peers: tuple[PeerSeen, ...] = ()
    routes: tuple[RouteSeen, ...] = ()
    md5_failures: int | None = None  # of Md5.failure; None: the router does not tell
    md5: Md5 | None = None
    ports: tuple[int, ...] | None = None  # on which TCP connections are taken; None: not known
    paths: t.Mapping[str, str] = field(default_factory=dict)  # address → REACHED, NO_ROUTE, NO_NEIGHBOR
    refusals: t.Mapping[str, str] = field(default_factory=dict)  # address → what ended its last attempts
    can_look: bool = True
    why_not: str = ""

    def peer(self, neighbor: str, family: str) -> PeerSeen | None:
        return next((peer for peer in self.peers if (peer.neighbor, peer.family) == (neighbor, family)), None)

    def next_hops(self, prefixes: t.Container[str] | None = None) -> frozenset[str]:
        return frozenset(
            hop for route in self.routes if not prefixes or route.prefix in prefixes for hop in route.next_hops
        )


class RouterReader(t.Protocol):
    """All that a wait needs of a router, whatever it is asked through. Raises Unreachable when it does not answer."""

    def run_view(self) -> View: ...


def as_dict(view: View) -> dict[str, t.Any]:
    return asdict(view)


# -- FRR's JSON


def peers_of(summary: str, neighbors: str = "") -> tuple[PeerSeen, ...]:
    """From `show bgp summary json` and, for the reasons, `show bgp neighbors json`."""
    told, details = _loaded(summary), _loaded(neighbors)
    return tuple(
        _peer(address, _FAMILY_KEYS[key], peer, details.get(address) or {})
        for key, part in told.items() if key in _FAMILY_KEYS
        for address, peer in (part.get("peers") or {}).items()
    )  # fmt: skip


def overflowed(summary: str) -> tuple[str, ...]:
    """Addresses of those whose session their limit of prefixes ended."""
    return tuple(dict.fromkeys(peer.neighbor for peer in peers_of(summary) if peer.state.endswith("(PfxCt)")))


def _peer(address: str, family: str, peer: dict[str, t.Any], detail: dict[str, t.Any]) -> PeerSeen:
    up = str(peer.get("state", "")) == ESTABLISHED
    return PeerSeen(
        neighbor=address.lstrip("*"),
        family=family,
        state=str(peer.get("state", "")),
        remote_asn=int(peer.get("remoteAs", 0)),
        received=int(peer.get("pfxRcd", 0)),
        sent=int(peer.get("pfxSnt", 0)),
        uptime_s=int(peer.get("peerUptimeMsec", 0)) // 1000 if up else 0,
        dynamic=bool(peer.get("dynamicPeer", address.startswith("*"))),
        reason=_reason(detail),
        reason_age_s=int(detail.get("lastResetTimerMsecs", -1000)) // 1000,
    )


def _reason(detail: dict[str, t.Any]) -> str:
    """A notification is kept for ever; it is the reason only where it ended the last attempt."""
    reset = str(detail.get("lastResetDueTo", ""))
    notification = str(detail.get("lastNotificationReason", ""))
    return f"{reset}: {notification}" if notification and "otification" in reset else reset


def routes_of(text: str, family: str) -> tuple[RouteSeen, ...]:
    """From `show bgp ipv4 unicast json detail`, or without `detail` where a version does not have it."""
    routes = _loaded(text).get("routes") or {}
    found = (_route(str(prefix), family, paths) for prefix, paths in routes.items())
    return tuple(route for route in found if route.next_hops)


def _route(prefix: str, family: str, told: t.Any) -> RouteSeen:
    paths = told.get("paths", []) if isinstance(told, dict) else told
    used = [path for path in paths if _is_used(path)]
    first = used[0] if used else {}
    preference = first.get("locPrf")
    return RouteSeen(
        prefix, family,
        next_hops=tuple(dict.fromkeys(hop for path in used for hop in _hops(path))),
        communities=tuple(_listed(first, "community") + _listed(first, "largeCommunity")),
        local_preference=None if preference is None else int(preference),
    )  # fmt: skip


def _is_used(path: dict[str, t.Any]) -> bool:
    best = path.get("bestpath")
    overall = best.get("overall") if isinstance(best, dict) else best
    return bool("nexthops" in path and (overall or path.get("multipath")))


def _hops(path: dict[str, t.Any]) -> list[str]:
    hops = path["nexthops"]
    return [str(hop["ip"]) for hop in hops if hop.get("scope") != "link-local"] or [str(hop["ip"]) for hop in hops]


def _listed(path: dict[str, t.Any], key: str) -> list[str]:
    value = path.get(key) or {}
    return [str(item) for item in value.get("list", ())]


def _loaded(text: str) -> dict[str, t.Any]:
    """An instance that does not exist answers with a sentence, or with {}; so does one without that family."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# -- the kernel's tables


def md5_of(netstat: str) -> Md5 | None:
    """From /proc/net/netstat: pairs of lines, names and values."""
    lines = [line.split() for line in netstat.splitlines() if line.startswith("TcpExt:")]
    if len(lines) != 2:
        return None
    told = dict(zip(*lines))
    return Md5(*(int(told.get(name, 0)) for name in ("TCPMD5Failure", "TCPMD5NotFound", "TCPMD5Unexpected")))


def ports_of(tables: str) -> tuple[int, ...]:
    """From /proc/net/tcp and tcp6: the ports of the sockets that listen."""
    rows = (line.split() for line in tables.splitlines())
    return tuple(sorted({int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == "0A"}))


def paths_of(answers: str) -> dict[str, str]:
    """From lines `ADDRESS|rc of ip route get|what ip neigh has`."""
    found = {}
    for line in answers.splitlines():
        address, _, rest = line.strip().partition("|")
        code, _, neighbor = rest.partition("|")
        if address and code.isdigit():
            lost = any(word in neighbor.split() for word in ("FAILED", "INCOMPLETE"))
            found[address] = NO_ROUTE if code != "0" else NO_NEIGHBOR if lost else REACHED
    return found


def refusals_of(log: str) -> dict[str, str]:
    """From bgpd's latest lines: REFUSED_OPEN, or who told whom what."""
    found: dict[str, str] = {}
    for match in _LOGGED.finditer(log):
        if match["refused"]:
            found.setdefault(match["refused"], REFUSED_OPEN)
        else:
            found[match["neighbor"]] = f"{match['way'].split()[0]}: {match['said']}"
    return found


# -- what is wrong


def established(view: View, neighbor: str, family: str) -> bool:
    peer = view.peer(neighbor, family)
    return peer is not None and peer.state == ESTABLISHED


@dataclass(frozen=True)
class Wanted:
    """What a session should be like, as far as it is known to whoever asks."""

    neighbor: str
    family: str
    asn: int = 0
    port: int = 179


def diagnose(wanted: Wanted, now: View, before: View | None = None) -> str:
    """One clause about one session, the surest reason first. `before` is the view from when the wait began."""
    peer = now.peer(wanted.neighbor, wanted.family)
    if peer is not None and peer.state == ESTABLISHED:
        return "Established"
    causes = (
        _told_by_bgp(wanted, peer), _told_by_log(wanted, peer, now), _told_by_path(wanted, now),
        _told_by_ports(wanted, now), _told_by_md5(now, before), _told_last(peer), _told_by_absence(peer),
    )  # fmt: skip
    return f"{state_of(wanted, now)}: {next((cause for cause in causes if cause), 'nothing tells why')}"


def state_of(wanted: Wanted, now: View) -> str:
    peer = now.peer(wanted.neighbor, wanted.family)
    return (peer.state or "down") if peer is not None else "not known to the router"


def _told_by_bgp(wanted: Wanted, peer: PeerSeen | None) -> str:
    if peer is None:
        return ""
    told = f"{peer.state} {peer.reason}".lower()
    if any(word in told for word in _PREFIX_COUNT) and not peer.state.startswith(("Connect", "Active")):
        return "it sent more prefixes than bgp_router_max_prefixes allows; FRR tries again after 5 minutes"
    if any(word in told for word in _BAD_PEER_AS) and peer.state not in ("Connect", "Active"):
        expected = peer.remote_asn or wanted.asn
        return f"wrong ASN: it is not in AS {expected}, which the router expects ({peer.reason})"
    return "shut down on the router by an administrator" if "admin" in told and "idle" in told else ""


def _told_by_log(wanted: Wanted, peer: PeerSeen | None, now: View) -> str:
    said = now.refusals.get(wanted.neighbor, "")
    expected = (peer.remote_asn if peer is not None else 0) or wanted.asn
    if any(word in said.lower() for word in _BAD_PEER_AS):
        if said.startswith("received"):
            return f"wrong ASN: the other side expects another AS of the router ({said})"
        return f"wrong ASN: it is not in AS {expected}, which the router expects ({said})"
    if said == REFUSED_OPEN:
        return f"wrong ASN, or the router's own id: the router refuses its OPEN, and expects AS {expected}"
    return ""


def _told_by_path(wanted: Wanted, now: View) -> str:
    path = now.paths.get(wanted.neighbor, REACHED)
    if path == NO_ROUTE:
        return f"no route from the router to {wanted.neighbor}"
    return f"{wanted.neighbor} does not answer on the router's link (ARP, ND)" if path == NO_NEIGHBOR else ""


def _told_by_ports(wanted: Wanted, now: View) -> str:
    if now.ports is None or wanted.port in now.ports:
        return ""
    return f"nothing listens on the router's port {wanted.port}: is bgpd running, and on that port?"


def _told_by_md5(now: View, before: View | None) -> str:
    """The counters are the router's, not a session's: they count only what rose while this session was waited for."""
    if now.md5 is None or before is None or before.md5 is None:
        return ""
    rose = now.md5.since(before.md5)
    if rose.failure > 0:
        return f"wrong password: {rose.failure} segments with another MD5 password came meanwhile (TcpExtTCPMD5Failure)"
    if rose.missing > 0:
        return f"no password on the other side: {rose.missing} segments without MD5 came (TcpExtTCPMD5NotFound)"
    if rose.unexpected > 0:
        return f"no password on the router: {rose.unexpected} segments with MD5 came (TcpExtTCPMD5Unexpected)"
    return ""


def _told_last(peer: PeerSeen | None) -> str:
    nothing = ("", "Waiting for peer OPEN", "No AFI/SAFI activated for peer")
    if peer is None or peer.reason in nothing:
        return ""
    age = f", {peer.reason_age_s} s ago" if peer.reason_age_s >= 0 else ""
    return f"it last ended with {peer.reason}{age}"


def _told_by_absence(peer: PeerSeen | None) -> str:
    if peer is None:
        return "it has not connected (or a firewall is between them), or the router was not told about it"
    if peer.state in ("Active", "Connect"):
        return "no TCP connection comes about: it has not connected, or a firewall drops port 179"
    return ""
