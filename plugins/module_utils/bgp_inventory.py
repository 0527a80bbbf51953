# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the cluster and its routers to the description that both ends are rendered from. Pure.

It takes values as they are: whether they are good is the judges' to say (judge_bgp*.py), which look at both.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    FAMILIES,
    FRR,
    IPV4,
    IPV6,
    LISTEN,
    LOAD_BALANCER_IPS,
    NODES,
    PRESETS,
    UNIFI,
    VYOS,
    Announcement,
    Bgp,
    L2Policy,
    Node,
    Pool,
    Range,
    Router,
    Selector,
    Timers,
    first_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_nodes import (
    CONTROL_PLANE,
    NodeSeen,
    addresses_of,
    expressions,
    labels_of,
    node_name,
    router_ids,
    selects,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import node_masks
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cilium import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    Inventory,
    networks,
    number,
    truth,
    words,
)

KINDS_OF_ROUTERS = (UNIFI, VYOS, FRR)
WORKERS: Selector = {"matchExpressions": [{"key": CONTROL_PLANE, "operator": "DoesNotExist"}]}
DEFAULT_PRESET = "fast"
DEFAULT_ANNOUNCEMENT = "services"

# What the chart gives a node with ipam.mode cluster-pool (its values ipam.operator.clusterPoolIPv*MaskSize).
_POOL_MASKS = {
    IPV4: ("ipam.operator.clusterPoolIPv4MaskSize", 24),
    IPV6: ("ipam.operator.clusterPoolIPv6MaskSize", 120),
}
_SECRETS_NAMESPACE = "bgpControlPlane.secretsNamespace.name"

Seen = t.Mapping[str, NodeSeen]  # by the hosts' names in the inventory


def cilium_version(inv: Inventory) -> str:
    return inv.text("cilium_version").lstrip("v") or Bgp("", 0).cilium_version


def is_wanted(inv: Inventory) -> bool:
    """Whether anything of this is asked for at all."""
    return bool(inv.routers or _items(inv.get("bgp_pools")) or _items(inv.get("bgp_l2_policies")))


def bgp_of(inv: Inventory, seen: Seen | None = None) -> Bgp:
    selector = node_selector(inv)
    nodes = _nodes(inv, selector, seen or {})
    announcements = _announcements(inv)
    bgp = Bgp(
        cluster=str(inv.get("k3s_cluster_name", "k3s")),
        asn=number(inv.get("bgp_cluster_asn")) or 0,
        nodes=nodes,
        routers=tuple(_router(host, inv, nodes, announcements) for host in inv.routers),
        pools=tuple(_pool(item) for item in _items(inv.get("bgp_pools"))),
        announcements=announcements,
        l2_policies=tuple(_l2_policy(item) for item in _items(inv.get("bgp_l2_policies"))),
        node_selector=selector,
        pod_cidrs=pod_cidrs(inv),
        service_cidrs=tuple(str(network) for network in networks(inv.get("k3s_service_cidr"))),
        external_ips=canonical(inv.get("bgp_external_ips")),
        node_mask=_masks(inv),
        cilium_version=cilium_version(inv),
        secrets_namespace=str(dig(inv.mapping("cilium_values"), _SECRETS_NAMESPACE) or Bgp("", 0).secrets_namespace),
    )
    return with_router_ids(bgp)


def with_router_ids(bgp: Bgp) -> Bgp:
    """Cilium takes a node's IPv4 address for its router id. Where there is none, the node gets one of its own."""
    without = [node.name for node in bgp.peers if not node.router_id and not first_of(node.addresses, IPV4)]
    taken = [router.router_id for router in bgp.routers] + [node.router_id for node in bgp.nodes]
    taken += [address for node in bgp.nodes for address in node.addresses]
    ids = router_ids(without, [text for text in taken if text])
    return replace(bgp, nodes=tuple(replace(node, router_id=ids.get(node.name, node.router_id)) for node in bgp.nodes))


def node_selector(inv: Inventory) -> Selector:
    """`bgp_nodes` and `bgp_node_selector` together: a node has to be in both."""
    given = inv.mapping("bgp_node_selector")
    if inv.get("bgp_nodes") != "agents":
        return dict(given)
    return {**given, "matchExpressions": [*expressions(given), *WORKERS["matchExpressions"]]}


def timers_of(preset: t.Any, *values: t.Any) -> Timers:
    """A preset, and what single values put in place of its own; the later ones win."""
    found = PRESETS.get(str(preset), PRESETS[DEFAULT_PRESET])
    for given in values:
        known = {name: number(value) for name, value in (given if isinstance(given, dict) else {}).items()}
        fields = ("hold", "keepalive", "connect_retry", "restart")
        found = replace(found, **{name: value for name, value in known.items() if name in fields and value is not None})
    return found


def kind_of(host: Host) -> str:
    return next((kind for kind in KINDS_OF_ROUTERS if kind in host.groups), "")


def canonical(value: t.Any) -> tuple[str, ...]:
    """Networks or addresses as everybody writes them; what is neither stays as it is."""
    return tuple(dict.fromkeys(_canonical(word) for word in words(value)))


def _canonical(word: str) -> str:
    try:
        return str(ipaddress.ip_network(word, strict=False)) if "/" in word else str(ipaddress.ip_address(word))
    except ValueError:
        return word


def pod_cidrs(inv: Inventory) -> tuple[str, ...]:
    if inv.get("cilium_ipam_mode", "kubernetes") == "kubernetes":
        return tuple(str(network) for network in networks(inv.get("k3s_cluster_cidr")))
    given = (inv.get("cilium_native_routing_cidr"), inv.get("cilium_ipv6_native_routing_cidr"))
    return tuple(str(network) for value in given for network in networks(value))


def _masks(inv: Inventory) -> dict[str, int]:
    if inv.get("cilium_ipam_mode", "kubernetes") == "kubernetes":
        masks = node_masks(inv.mapping("k3s_extra_config"))
        return {IPV4: masks[4], IPV6: masks[6]}
    values = inv.mapping("cilium_values")
    return {family: number(dig(values, path)) or mask for family, (path, mask) in _POOL_MASKS.items()}


def _nodes(inv: Inventory, selector: Selector, seen: Seen) -> tuple[Node, ...]:
    found = []
    for host in inv.members:
        look = seen.get(host.name, NodeSeen())
        name = node_name(host, look)
        found.append(Node(
            name=name,
            host=host.name,
            addresses=addresses_of(host, look),
            peers=selects(selector, labels_of(host, name, look)),
            local=canonical(host.get("bgp_node_local_addresses")),
            router_id=str(host.get("bgp_node_router_id") or ""),
        ))
    return tuple(found)


def _router(host: Host, inv: Inventory, nodes: t.Sequence[Node], announcements: t.Sequence[Announcement]) -> Router:
    addresses = canonical(host.get("bgp_router_addresses"))
    families = _texts(host.get("bgp_router_families")) or tuple(
        family for family in FAMILIES
        if first_of(addresses, family) and any(node.peers and node.address(family) for node in nodes)
    )
    named = host.get("bgp_router_announce")
    return Router(
        name=host.name,
        kind=kind_of(host),
        asn=number(host.get("bgp_router_asn")) or 0,
        addresses=addresses,
        router_id=str(host.get("bgp_router_id") or ""),
        password=str(host.get("bgp_router_password") or ""),
        port=_number(host, "bgp_router_port", 179),
        timers=timers_of(inv.get("bgp_timers"), inv.get("bgp_timer_values"), host.get("bgp_router_timers")),
        multihop=_number(host, "bgp_router_multihop", 0),
        families=families,
        neighbors=LISTEN if host.get("bgp_router_neighbors") == LISTEN else NODES,
        listen_ranges=canonical(host.get("bgp_router_listen_ranges")),
        announcements=_texts(named) or tuple(item.name for item in announcements),
        accept=canonical(host.get("bgp_router_accept")),
        max_prefixes=_number(host, "bgp_router_max_prefixes", 500),
        ecmp_paths=_number(host, "bgp_router_ecmp_paths", 8),
        version=str(host.get("bgp_vyos_version") or "") if kind_of(host) == VYOS else "",
    )


def _number(host: Host, name: str, otherwise: int) -> int:
    found = number(host.get(name))
    return otherwise if found is None else found


def _pool(item: t.Mapping[str, t.Any]) -> Pool:
    return Pool(
        name=str(item.get("name", "")),
        cidrs=canonical(item.get("cidrs")),
        ranges=tuple(
            Range(_canonical(str(part.get("first", ""))), _canonical(str(part.get("last", ""))))
            for part in _items(item.get("ranges"))
        ),
        services=_mapping(item.get("services")),
        allow_first_last_ips=truth(item.get("allow_first_last_ips", False)),
    )


def _announcements(inv: Inventory) -> tuple[Announcement, ...]:
    given = inv.get("bgp_announce")
    if given is None:
        return (Announcement(DEFAULT_ANNOUNCEMENT, LOAD_BALANCER_IPS),)
    return tuple(
        Announcement(
            name=str(item.get("name", "")),
            kind=str(item.get("kind", LOAD_BALANCER_IPS)),
            services=_mapping(item.get("services")),
            communities=_texts(item.get("communities")),
            large_communities=_texts(item.get("large_communities")),
            local_preference=number(item.get("local_preference")),
        )
        for item in _items(given)
    )


def _l2_policy(item: t.Mapping[str, t.Any]) -> L2Policy:
    return L2Policy(
        name=str(item.get("name", "")),
        interfaces=_texts(item.get("interfaces")),
        services=_mapping(item.get("services")),
        nodes=_mapping(item.get("nodes")),
        load_balancer_ips=truth(item.get("load_balancer_ips", True)),
        external_ips=truth(item.get("external_ips", False)),
    )


def _items(value: t.Any) -> tuple[t.Mapping[str, t.Any], ...]:
    """The mappings of a list; anything else in it the judge of types has told already."""
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, (list, tuple)) else ()


def _texts(value: t.Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


def _mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    return dict(value) if isinstance(value, dict) else {}
