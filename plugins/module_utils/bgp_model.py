# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP between the cluster and its routers, described once. Both ends are rendered from this and nothing else. Pure.

Everything is plain data: `as_dict` and `from_dict` carry it between an action on the controller and a module.
Addresses and prefixes are text in their canonical form; families are `ipv4` and `ipv6`.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import asdict, dataclass, field

IPV4, IPV6 = "ipv4", "ipv6"
FAMILIES = (IPV4, IPV6)

LOAD_BALANCER_IPS, EXTERNAL_IPS, CLUSTER_IPS, POD_CIDRS = (
    "load_balancer_ips", "external_ips", "cluster_ips", "pod_cidrs",
)
KINDS = (LOAD_BALANCER_IPS, EXTERNAL_IPS, CLUSTER_IPS, POD_CIDRS)

UNIFI, VYOS, FRR = "unifi", "vyos", "frr"
LISTEN, NODES = "listen", "nodes"

# On a node: it is out of traffic on purpose. Every node selector that we write leaves such nodes out.
WITHDRAWN_LABEL = "meshwright.k3s-cilium/withdrawn"
# On each object that we make, so that those which the inventory no longer names are found.
OWNER_LABEL = "app.kubernetes.io/managed-by"
OWNER = "meshwright.k3s_cilium"

Selector = t.Mapping[str, t.Any]  # a LabelSelector as the API has it; {} selects everything


@dataclass(frozen=True)
class Timers:
    """Seconds. `restart` 0 switches graceful restart off."""

    hold: int = 9
    keepalive: int = 3
    connect_retry: int = 5
    restart: int = 15


# What a lost node costs: its routes stay for `hold`, and for `restart` more where graceful restart is on.
PRESETS: t.Mapping[str, Timers] = {
    "fast": Timers(hold=9, keepalive=3, connect_retry=5, restart=15),
    "standard": Timers(hold=30, keepalive=10, connect_retry=10, restart=60),
    "patient": Timers(hold=90, keepalive=30, connect_retry=120, restart=120),  # Cilium's own defaults
}


@dataclass(frozen=True)
class Range:
    first: str
    last: str


@dataclass(frozen=True)
class Pool:
    """Addresses that LB-IPAM hands out."""

    name: str
    cidrs: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    services: Selector = field(default_factory=dict)
    allow_first_last_ips: bool = False


@dataclass(frozen=True)
class Announcement:
    """What the cluster tells its routers."""

    name: str
    kind: str  # of KINDS
    services: Selector = field(default_factory=dict)
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_preference: int | None = None


@dataclass(frozen=True)
class L2Policy:
    """The alternative to BGP: answering ARP and neighbour discovery. Needs the kube-proxy replacement."""

    name: str
    interfaces: tuple[str, ...] = ()
    services: Selector = field(default_factory=dict)
    nodes: Selector = field(default_factory=dict)
    load_balancer_ips: bool = True
    external_ips: bool = False


@dataclass(frozen=True)
class Node:
    """A member of the cluster. `local` are the addresses its sessions begin at, where the user chose them."""

    name: str  # as Kubernetes has it
    host: str  # as the inventory has it
    addresses: tuple[str, ...]
    peers: bool = True
    local: tuple[str, ...] = ()
    router_id: str = ""

    def address(self, family: str) -> str:
        """The address of this family that routers see; empty where there is none."""
        return first_of(self.local, family) or first_of(self.addresses, family)


@dataclass(frozen=True)
class Router:
    """One router as the cluster and itself must be set up for each other."""

    name: str
    kind: str  # unifi, vyos, frr
    asn: int
    addresses: tuple[str, ...]
    router_id: str = ""
    password: str = ""
    port: int = 179
    timers: Timers = Timers()
    multihop: int = 0  # 0: neighbours are on the same link; else the TTL
    families: tuple[str, ...] = ()
    neighbors: str = NODES
    listen_ranges: tuple[str, ...] = ()
    announcements: tuple[str, ...] = ()  # names
    accept: tuple[str, ...] = ()  # prefixes beside those that follow from the announcements
    max_prefixes: int = 500
    ecmp_paths: int = 8
    version: str = ""  # of its system, where that decides how it is written (VyOS)

    def address(self, family: str) -> str:
        return first_of(self.addresses, family)


@dataclass(frozen=True)
class Bgp:
    """The whole description."""

    cluster: str
    asn: int
    nodes: tuple[Node, ...] = ()
    routers: tuple[Router, ...] = ()
    pools: tuple[Pool, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    l2_policies: tuple[L2Policy, ...] = ()
    node_selector: Selector = field(default_factory=dict)  # of the nodes that peer, WITHDRAWN_LABEL not yet in it
    pod_cidrs: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()  # prefixes in which services' externalIPs lie
    node_mask: t.Mapping[str, int] = field(default_factory=lambda: {IPV4: 24, IPV6: 64})  # of a node's pod CIDR
    cilium_version: str = "1.20.2"
    # Where Cilium looks for passwords (bgpControlPlane.secretsNamespace.name).
    secrets_namespace: str = "kube-system"

    def router(self, name: str) -> Router | None:
        return next((router for router in self.routers if router.name == name), None)

    def announced_to(self, router: Router) -> tuple[Announcement, ...]:
        return tuple(item for item in self.announcements if item.name in router.announcements)

    @property
    def peers(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.peers)


@dataclass(frozen=True)
class Session:
    """One session that must be there: a node, a router, a family."""

    router: str
    node: str
    family: str
    node_address: str
    router_address: str


@dataclass(frozen=True)
class Filter:
    """Prefixes that a router takes from the cluster: inside `prefix`, with a length between `ge` and `le`."""

    prefix: str
    ge: int
    le: int


def sessions(bgp: Bgp, router: Router) -> tuple[Session, ...]:
    """Each family has a session of its own over that family's addresses."""
    return tuple(
        Session(router.name, node.name, family, node.address(family), router.address(family))
        for node in bgp.peers
        for family in router.families
        if node.address(family) and router.address(family)
    )


def filters(bgp: Bgp, router: Router, family: str) -> tuple[Filter, ...]:
    """What follows from what is announced to this router, then what its `accept` adds; nothing else comes in."""
    kinds = {item.kind for item in bgp.announced_to(router)}
    bits = 32 if family == IPV4 else 128
    found: list[Filter] = []
    if LOAD_BALANCER_IPS in kinds:
        for pool in bgp.pools:
            found += [Filter(cidr, bits, bits) for cidr in (*pool.cidrs, *covering(pool.ranges))]
    if EXTERNAL_IPS in kinds:
        found += [Filter(prefix, bits, bits) for prefix in bgp.external_ips]
    if CLUSTER_IPS in kinds:
        found += [Filter(prefix, bits, bits) for prefix in bgp.service_cidrs]
    if POD_CIDRS in kinds:
        mask = bgp.node_mask[family]
        found += [Filter(prefix, mask, mask) for prefix in bgp.pod_cidrs]
    found += [Filter(prefix, ipaddress.ip_network(prefix).prefixlen, bits) for prefix in router.accept]
    return tuple(dict.fromkeys(item for item in found if family_of(item.prefix) == family))


def covering(ranges: t.Iterable[Range]) -> tuple[str, ...]:
    """The prefixes that make up ranges of addresses, exactly."""
    found: list[str] = []
    for item in ranges:
        first, last = ipaddress.ip_address(item.first), ipaddress.ip_address(item.last)
        found += [str(network) for network in ipaddress.summarize_address_range(first, last)]
    return tuple(found)


def owned_name(cluster: str) -> str:
    """What the names of all that we make in Kubernetes begin with; on routers it stands in upper case.

    >>> owned_name("Home Lab_2")
    'mw-home-lab-2'
    """
    return "mw-" + (re.sub(r"[^a-z0-9]+", "-", cluster.lower()).strip("-") or "cluster")


def family_of(text: str) -> str:
    return IPV6 if ":" in text else IPV4


def first_of(addresses: t.Iterable[str], family: str) -> str:
    return next((address for address in addresses if family_of(address) == family), "")


# -- as plain data


def as_dict(bgp: Bgp) -> dict[str, t.Any]:
    return asdict(bgp)


def from_dict(data: t.Mapping[str, t.Any]) -> Bgp:
    return Bgp(**{
        **_tuples(data),
        "nodes": tuple(Node(**_tuples(item)) for item in data.get("nodes", ())),
        "routers": tuple(
            Router(**{**_tuples(item), "timers": Timers(**item.get("timers", {}))}) for item in data.get("routers", ())
        ),
        "pools": tuple(
            Pool(**{**_tuples(item), "ranges": tuple(Range(**part) for part in item.get("ranges", ()))})
            for item in data.get("pools", ())
        ),
        "announcements": tuple(Announcement(**_tuples(item)) for item in data.get("announcements", ())),
        "l2_policies": tuple(L2Policy(**_tuples(item)) for item in data.get("l2_policies", ())),
    })


def _tuples(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
