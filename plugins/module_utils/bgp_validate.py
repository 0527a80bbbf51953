# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of BGP against the description: what routers and agents see, and what is missing or foreign. Pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    LOAD_BALANCER_IPS,
    Announcement,
    Bgp,
    Filter,
    Router,
    family_of,
    filters,
    sessions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import QUIET_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import PeerState
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.selectors import selects

View = t.Mapping[str, t.Any]  # as M(router_bgp_info) returns it

SESSION, ROGUE, OUTSIDE, REFUSED, TOO_MANY, ROUTE = (
    "missing session", "rogue speaker", "outside the filters", "refused", "too many prefixes", "missing route",
)  # fmt: skip
_TRIPPED = ("pfxct", "maximum number of prefixes", "maximum-prefix", "max-prefix")
_CLASSES = ("", "io.cilium/bgp-control-plane")


@dataclass(frozen=True)
class Service:
    """A service of the kind LoadBalancer that has addresses. `nodes` are those with a ready endpoint of it."""

    namespace: str
    name: str
    labels: t.Mapping[str, str]
    addresses: tuple[str, ...]
    nodes: frozenset[str]
    local: bool = False  # externalTrafficPolicy
    lb_class: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def all_labels(self) -> dict[str, str]:
        """With those that Cilium adds for its selectors."""
        return {
            **self.labels,
            "io.kubernetes.service.name": self.name,
            "io.kubernetes.service.namespace": self.namespace,
        }


@dataclass(frozen=True)
class Finding:
    router: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.router}: {self.kind}: {self.text}"


@dataclass(frozen=True)
class Cluster:
    """The other end: the agents' sessions, the services, and the nodes that are out of traffic."""

    peers: tuple[PeerState, ...] = ()
    services: tuple[Service, ...] = ()
    out: frozenset[str] = frozenset()


def findings(bgp: Bgp, views: t.Mapping[str, View], cluster: Cluster) -> list[Finding]:
    found = []
    for router in bgp.routers:
        view = views.get(router.name) or {"can_look": False}
        if view.get("can_look", True):
            found += [
                *_sessions(bgp, router, view, cluster),
                *_rogues(bgp, router, view),
                *_outside(bgp, router, view),
                *_refused(bgp, router, view, cluster),
                *_routes(bgp, router, view, cluster),
            ]
        else:
            found += _sessions_of_cluster(bgp, router, cluster)
    return found


# -- sessions


def _sessions(bgp: Bgp, router: Router, view: View, cluster: Cluster) -> list[Finding]:
    seen = {(peer["neighbor"], peer["family"]): peer for peer in view.get("peers") or ()}
    found = []
    for session in sessions(bgp, router):
        peer = seen.get((session.node_address, session.family), {})
        text = f"{session.node} ({session.node_address}, {session.family})"
        if _tripped(peer):
            most = router.max_prefixes
            found.append(Finding(router.name, TOO_MANY, f"{text} announced more than {most}: the session is down"))
        elif session.node not in cluster.out and not _established(peer):
            reason = f": {peer['reason']}" if peer.get("reason") else ""
            found.append(Finding(router.name, SESSION, f"{text} is {peer.get('state') or 'not known'}{reason}"))
    return found


def _sessions_of_cluster(bgp: Bgp, router: Router, cluster: Cluster) -> list[Finding]:
    """For a router that cannot be looked into."""
    up = {(peer.node, peer.address) for peer in cluster.peers if peer.up}
    return [
        Finding(router.name, SESSION, f"{item.node} ({item.router_address}) is not established, as the node tells")
        for item in sessions(bgp, router)
        if item.node not in cluster.out and (item.node, item.router_address) not in up
    ]


def _established(peer: t.Mapping[str, t.Any]) -> bool:
    return str(peer.get("state", "")).lower() == "established"


def _tripped(peer: t.Mapping[str, t.Any]) -> bool:
    if not peer or _established(peer):
        return False
    text = f"{peer.get('state', '')} {peer.get('reason', '')}".lower()
    return any(word in text for word in _TRIPPED)


# -- what must not be


def _rogues(bgp: Bgp, router: Router, view: View) -> list[Finding]:
    """Speakers that a listen range let in, and prefixes of ours that lead to somebody else."""
    ours = _node_addresses(bgp)
    found = [
        Finding(router.name, ROGUE, f"{peer['neighbor']} (AS {peer.get('remote_asn') or '?'}) is none of our nodes")
        for peer in view.get("peers") or ()
        if peer.get("dynamic") and peer["neighbor"] not in ours
    ]
    # Routers may tell each other of our prefixes.
    known = ours | {address for item in bgp.routers for address in item.addresses}
    for route in view.get("routes") or ():
        others = [hop for hop in route.get("next_hops") or () if hop not in known]
        if others and _inside(bgp, router, route["prefix"]):
            text = f"{route['prefix']} leads to {', '.join(others)}, none of our nodes"
            found.append(Finding(router.name, ROGUE, text))
    return found


def _outside(bgp: Bgp, router: Router, view: View) -> list[Finding]:
    """A route by one of our nodes that the filters do not name: they are not what they should be."""
    ours = _node_addresses(bgp)
    return [
        Finding(router.name, OUTSIDE, f"{route['prefix']} by {', '.join(route['next_hops'])} was let in")
        for route in view.get("routes") or ()
        if set(route.get("next_hops") or ()) & ours and not _inside(bgp, router, route["prefix"])
    ]


def _refused(bgp: Bgp, router: Router, view: View, cluster: Cluster) -> list[Finding]:
    """What a filter kept out is in no table: but the node says how many it sent, and the router how many it took."""
    taken = {
        peer["neighbor"]: int(peer.get("received") or 0) for peer in view.get("peers") or () if _established(peer)
    }
    sent = {(peer.node, peer.address): peer.advertised for peer in cluster.peers if peer.up}
    found = []
    for item in sessions(bgp, router):
        out, into = sent.get((item.node, item.router_address)), taken.get(item.node_address)
        if out is not None and into is not None and out > into:
            text = f"{item.node} ({item.node_address}) announces {out} prefixes, the router took {into}"
            found.append(Finding(router.name, REFUSED, text))
    return found


def _inside(bgp: Bgp, router: Router, prefix: str) -> bool:
    network = ipaddress.ip_network(prefix)
    return any(_matches(item, network) for item in filters(bgp, router, family_of(prefix)))


def _matches(item: Filter, network: t.Any) -> bool:
    return bool(network.subnet_of(ipaddress.ip_network(item.prefix))) and item.ge <= network.prefixlen <= item.le


def _node_addresses(bgp: Bgp) -> frozenset[str]:
    return frozenset(address for node in bgp.nodes for address in (*node.addresses, *node.local))


# -- what must be


def _routes(bgp: Bgp, router: Router, view: View, cluster: Cluster) -> list[Finding]:
    hops = {route["prefix"]: set(route.get("next_hops") or ()) for route in view.get("routes") or ()}
    wanted = [item for item in bgp.announced_to(router) if item.kind == LOAD_BALANCER_IPS]
    found = []
    for service in cluster.services:
        if not service.nodes or not any(announces(item, service) for item in wanted):
            continue
        for address in service.addresses:
            family = family_of(address)
            if family in router.families:
                prefix = f"{address}/{32 if family == 'ipv4' else 128}"
                text = _route_problem(bgp, router, cluster, service, family, hops.get(prefix, set()))
                found += [Finding(router.name, ROUTE, f"{prefix} of {service} {text}")] if text else []
    return found


def _route_problem(
    bgp: Bgp, router: Router, cluster: Cluster, service: Service, family: str, hops: set[str]
) -> str:
    up = {
        item.node_address: item.node
        for item in sessions(bgp, router)
        if item.family == family and item.node not in cluster.out
    }
    if service.local:  # only nodes with an endpoint, which cilium issue 44803 doubts
        wanted = {address for address, node in up.items() if node in service.nodes}
        extra = sorted(hop for hop in hops if hop in up and hop not in wanted)
        if extra:
            return f"leads to {', '.join(extra)}, which has no endpoint of it (externalTrafficPolicy: Local)"
    else:
        wanted = set(up)
    enough = min(len(wanted), router.ecmp_paths)
    here = len(hops & wanted)
    if here >= enough:
        return ""
    return f"leads to {here} of {enough} nodes" if hops else "is not there"


def announces(item: Announcement, service: Service) -> bool:
    if service.lb_class not in _CLASSES:
        return False
    if not item.services:
        return QUIET_LABEL not in service.labels
    return selects(item.services, service.all_labels)


# -- for people


def table(bgp: Bgp, views: t.Mapping[str, View], found: t.Sequence[Finding], cluster: Cluster) -> list[str]:
    rows = [("router", "sessions", "routes", "findings")]
    rows += [_row(bgp, router, views.get(router.name) or {"can_look": False}, found, cluster) for router in bgp.routers]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return [*lines, *(str(item) for item in found)]


def _row(
    bgp: Bgp, router: Router, view: View, found: t.Sequence[Finding], cluster: Cluster
) -> tuple[str, str, str, str]:
    wanted = [item for item in sessions(bgp, router) if item.node not in cluster.out]
    count = str(sum(item.router == router.name for item in found))
    if not view.get("can_look", True):
        up = {(peer.node, peer.address) for peer in cluster.peers if peer.up}
        there = sum((item.node, item.router_address) in up for item in wanted)
        return router.name, f"{there}/{len(wanted)}", "cannot be seen", count
    up_here = {(peer["neighbor"], peer["family"]) for peer in view.get("peers") or () if _established(peer)}
    there = sum((item.node_address, item.family) in up_here for item in wanted)
    ours = _node_addresses(bgp)
    routes = sum(bool(set(route.get("next_hops") or ()) & ours) for route in view.get("routes") or ())
    return router.name, f"{there}/{len(wanted)}", str(routes), count
