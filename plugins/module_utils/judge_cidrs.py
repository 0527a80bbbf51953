# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and addresses of the inventory, judged as a whole. Pure."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import CLUSTER, Findings, refuse, warn
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Host,
    Inventory,
    Network,
    address,
    networks,
    number,
    words,
)

CIDRS = "cidrs"
ADDRESSES = "addresses"
DNS = "cluster-dns"

# What the API server (service) and the controller manager (pods) refuse: pkg/controlplane and pkg/controller/nodeipam
# of Kubernetes. A pod CIDR is at most 2^16 times a node's share.
_SERVICE_LONGEST = {4: 30, 6: 126}
_SERVICE_SHORTEST = {4: 12, 6: 108}
_NODE_MASK = {4: 24, 6: 64}
_NODE_MASK_ARGS = {4: ("node-cidr-mask-size-ipv4", "node-cidr-mask-size"), 6: ("node-cidr-mask-size-ipv6",)}
_NODE_MASK_ROOM = 16


def judge_networks(inv: Inventory) -> Findings:
    """Each list by itself, the two against each other, then everything against everything."""
    for name in ("k3s_cluster_cidr", "k3s_service_cidr"):
        yield from judge_list(name, inv.get(name))
    for pool in words(inv.get("preflight_lb_pools")):
        yield from _judge_network("preflight_lb_pools", pool)
    yield from judge_families(inv.get("k3s_cluster_cidr"), inv.get("k3s_service_cidr"))
    yield from judge_overlaps(_all_networks(inv))
    yield from judge_pod_room(
        networks(inv.get("k3s_cluster_cidr")), len(inv.members), node_masks(inv.mapping("k3s_extra_config"))
    )
    yield from judge_service_size(inv)


def judge_list(name: str, value: t.Any) -> Findings:
    parts = words(value)
    for part in parts:
        yield from _judge_network(name, part)
    families = [network.version for network in networks(value)]
    if len(parts) > 2 or len(set(families)) < len(families):
        yield refuse(
            CLUSTER, CIDRS, name, repr(",".join(parts)), "one network, or one of each family",
            "keep one IPv4 and one IPv6 network at most",
        )


def _judge_network(name: str, text: str) -> Findings:
    network = next(iter(networks(text)), None)
    if network is None:
        wanted = "a network such as 10.42.0.0/16 or fd00:42::/56"
        yield refuse(CLUSTER, CIDRS, name, repr(text), wanted, "correct the network")
    elif "/" not in text:
        yield refuse(CLUSTER, CIDRS, name, repr(text), "a network with its prefix length", f"write {text}/16, say")
    elif address(text.split("/")[0]) != network.network_address:
        yield refuse(CLUSTER, CIDRS, name, repr(text), f"{network}, without host bits", f"write {network}")


def judge_families(cluster: t.Any, service: t.Any) -> Findings:
    pods = [network.version for network in networks(cluster)]
    services = [network.version for network in networks(service)]
    if not pods or not services or pods == services:
        return
    name = {4: "IPv4", 6: "IPv6"}
    seen, wanted = (", ".join(name[family] for family in families) for families in (services, pods))
    how = "the same order" if sorted(pods) == sorted(services) else "the same families"
    yield refuse(
        CLUSTER, CIDRS, "k3s_service_cidr", f"{service!r} ({seen})", f"{how} as k3s_cluster_cidr ({wanted})",
        "list both variables' networks family by family, the cluster's first family first",
    )


def judge_overlaps(named: t.Sequence[tuple[str, Network]]) -> Findings:
    for (name_a, a), (name_b, b) in itertools.combinations(named, 2):
        if name_a != name_b and overlap(a, b):
            yield refuse(
                CLUSTER, CIDRS, name_b, str(b), f"apart from {name_a} ({a})",
                f"choose a network for {name_b} or {name_a} that nothing else uses",
            )


def overlap(a: Network, b: Network) -> bool:
    if isinstance(a, ipaddress.IPv4Network) and isinstance(b, ipaddress.IPv4Network):
        return a.overlaps(b)
    if isinstance(a, ipaddress.IPv6Network) and isinstance(b, ipaddress.IPv6Network):
        return a.overlaps(b)
    return False


def _all_networks(inv: Inventory) -> list[tuple[str, Network]]:
    names = ("k3s_cluster_cidr", "k3s_service_cidr", "preflight_lb_pools")
    return [(name, network) for name in names for network in networks(inv.get(name))]


def node_masks(extra: t.Mapping[str, t.Any]) -> dict[int, int]:
    """The prefix length of a node's share, by family: k3s' own unless the controller manager is told otherwise."""
    masks = dict(_NODE_MASK)
    given = dict(word.split("=", 1) for word in words(extra.get("kube-controller-manager-arg")) if "=" in word)
    for family, names in _NODE_MASK_ARGS.items():
        for name in names:
            size = number(given.get(name))
            if size is not None:
                masks[family] = size
    return masks


def judge_pod_room(pods: t.Sequence[Network], nodes: int, masks: t.Mapping[int, int]) -> Findings:
    for network in pods:
        mask = masks[network.version]
        if mask < network.prefixlen or 2 ** (mask - network.prefixlen) < nodes:
            room = 0 if mask < network.prefixlen else 2 ** (mask - network.prefixlen)
            yield refuse(
                CLUSTER, CIDRS, "k3s_cluster_cidr", f"{network}, room for {room} nodes of a /{mask} each",
                f"room for {nodes} nodes", f"take a larger network, /{mask - max(8, nodes.bit_length())} say",
            )
        elif mask - network.prefixlen > _NODE_MASK_ROOM:
            yield refuse(
                CLUSTER, CIDRS, "k3s_cluster_cidr", str(network),
                f"a /{mask - _NODE_MASK_ROOM} or smaller, for the controller manager hands out /{mask}",
                f"take a network between /{mask - _NODE_MASK_ROOM} and /{mask}",
            )


def judge_service_size(inv: Inventory) -> Findings:
    for network in networks(inv.get("k3s_service_cidr")):
        family = network.version
        if network.prefixlen > _SERVICE_LONGEST[family]:
            yield refuse(
                CLUSTER, CIDRS, "k3s_service_cidr", str(network), f"a /{_SERVICE_LONGEST[family]} or larger",
                "take a network with room for the services",
            )
        elif network.prefixlen < _SERVICE_SHORTEST[family]:
            wanted = f"a /{_SERVICE_SHORTEST[family]} or smaller"
            remedy = f"take a /{_SERVICE_SHORTEST[family]}; the API server of older releases does not start otherwise"
            # Since Kubernetes 1.33 services have address objects of their own and the limit is the allocator's.
            tell = refuse if family == 4 or _kubernetes(inv) < (1, 33) else warn
            yield tell(CLUSTER, CIDRS, "k3s_service_cidr", str(network), wanted, remedy)


def _kubernetes(inv: Inventory) -> versions.Minor:
    try:
        return versions.parse_k3s(inv.text("k3s_version")).kubernetes
    except MeshwrightError:
        return (0, 0)


def judge_cluster_dns(inv: Inventory) -> Findings:
    services = networks(inv.get("k3s_service_cidr"))
    for word in words(inv.get("k3s_cluster_dns")):
        dns = address(word)
        if dns is None:
            yield refuse(
                CLUSTER, DNS, "k3s_cluster_dns", repr(word), "an address", "write an address of k3s_service_cidr"
            )
            continue
        home = next((network for network in services if dns.version == network.version and dns in network), None)
        if home is None:
            inside = " or ".join(str(network) for network in services) or "k3s_service_cidr"
            yield refuse(
                CLUSTER, DNS, "k3s_cluster_dns", str(dns), f"inside {inside}", "take the tenth address of the network"
            )
        elif dns in (home.network_address, home.network_address + 1):
            yield refuse(
                CLUSTER, DNS, "k3s_cluster_dns", str(dns), "an address that the API's own Service does not take",
                f"take {home.network_address + 10}",
            )


def judge_addresses(inv: Inventory) -> Findings:
    for host in inv.members:
        yield from _judge_node_ip(host, inv)
    yield from _judge_duplicates(inv)


def node_addresses(host: Host) -> list[str]:
    """The addresses that the inventory knows of a node: its node-ip, or else the one Ansible uses."""
    return list(words(host.get("k3s_node_ip"))) or [host.address]


def _judge_node_ip(host: Host, inv: Inventory) -> Findings:
    families = [network.version for network in networks(inv.get("k3s_cluster_cidr"))]
    given = words(host.get("k3s_node_ip"))
    for word in given:
        ip = address(word)
        if ip is None:
            yield refuse(host.name, ADDRESSES, "k3s_node_ip", repr(word), "an address", "write one address per family")
        elif ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            yield refuse(
                host.name, ADDRESSES, "k3s_node_ip", str(ip), "an address the other nodes can reach",
                "write the address of the node's network",
            )
        elif families and ip.version not in families:
            yield refuse(
                host.name, ADDRESSES, "k3s_node_ip", str(ip), "an address of a family that k3s_cluster_cidr has",
                f"leave it out, or add an IPv{ip.version} network to k3s_cluster_cidr and k3s_service_cidr",
            )
    versions_given = [ip.version for ip in map(address, given) if ip is not None]
    if families and versions_given and len(set(versions_given)) == len(families) == 2 and versions_given != families:
        yield refuse(
            host.name, ADDRESSES, "k3s_node_ip", repr(",".join(given)), "the order of k3s_cluster_cidr's families",
            "swap the two addresses",
        )
    for text in node_addresses(host):
        yield from _judge_inside(host, text, inv)


def _judge_inside(host: Host, text: str, inv: Inventory) -> Findings:
    ip = address(text)
    for name, network in _all_networks(inv):
        if ip is not None and ip.version == network.version and ip in network:
            yield refuse(
                host.name, CIDRS, name, str(network), f"a network without the node's own address {ip}",
                f"choose another network for {name}",
            )


def _judge_duplicates(inv: Inventory) -> Findings:
    owners: dict[str, str] = {}
    for host in inv.members:
        for text in dict.fromkeys(filter(None, node_addresses(host))):
            ip = str(address(text) or text)
            if ip in owners and owners[ip] != host.name:
                thing = "k3s_node_ip" if host.get("k3s_node_ip") else "ansible_host"
                yield refuse(
                    host.name, ADDRESSES, thing, f"{ip}, which {owners[ip]} has too", "an address of its own",
                    "correct the address of one of the two",
                )
            owners.setdefault(ip, host.name)
