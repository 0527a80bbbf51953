# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP description as a whole: what is the cluster's, then pools, announcements and routers. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_inventory import bgp_of, is_wanted
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import CLUSTER_IPS, IPV6, Bgp, first_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_nodes import NodeSeen
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import CLUSTER, Findings, refuse, warn
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_forms import (
    judge_addresses,
    judge_asn,
    judge_name,
    judge_router_id,
    judge_selector,
    judge_twice,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_pools import (
    ANNOUNCE,
    POOLS,
    judge_announcements,
    judge_pools,
    networks_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_routers import ROUTERS, judge_routers
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_transport import (
    TRANSPORT,
    judge_transport,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import overlap
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Inventory,
    Network,
    number,
    words,
)

BGP, NODES, L2, PLACES = "bgp", "bgp-nodes", "bgp-l2", "bgp-places"
BGP_CHECKS = (BGP, NODES, L2, PLACES, POOLS, ANNOUNCE, ROUTERS, TRANSPORT)

# Variables that each router, or each node, has for itself; all others with our prefix are the cluster's.
ROUTER_PREFIXES = ("bgp_router_", "bgp_unifi_", "bgp_vyos_", "bgp_frr_")
NODE_PREFIXES = ("bgp_node_router_id", "bgp_node_local_addresses")
_CLUSTER_PREFIXES = ("bgp_", "k3s_", "cilium_", "validate_", "preflight_")


def is_of_routers(name: str) -> bool:
    return name.startswith(ROUTER_PREFIXES)


def judge_bgp(inv: Inventory, seen: t.Mapping[str, NodeSeen] | None = None) -> Findings:
    """With what was seen of the running cluster, or without."""
    yield from judge_places(inv)
    if not is_wanted(inv):
        return
    bgp = bgp_of(inv, seen)
    if inv.routers:
        yield from judge_asn(CLUSTER, BGP, "bgp_cluster_asn", inv.get("bgp_cluster_asn"))
    timeout = number(inv.get("bgp_timeout"))
    if timeout is not None and timeout < 1:
        yield refuse(CLUSTER, BGP, "bgp_timeout", f"{timeout} s", "1 s or more", "write 60, say")
    yield from judge_selector(CLUSTER, NODES, "bgp_node_selector", inv.get("bgp_node_selector"))
    yield from _judge_nodes(inv, bgp)
    yield from judge_pools(inv, bgp)
    yield from judge_announcements(inv, bgp)
    yield from judge_routers(inv, bgp)
    for host in inv.routers:
        yield from judge_transport(host, inv.existing)
    yield from _judge_l2(inv, bgp)


def judge_places(inv: Inventory) -> Findings:
    """A variable where nobody reads it. What stands everywhere (group all, the command line) is in its place too."""
    for host in inv.members:
        for name in sorted(host.written):
            if is_of_routers(name) and not any(name in router.written for router in inv.routers):
                yield refuse(
                    host.name, PLACES, name, "set for a host of the cluster, and for no router", "set for the routers",
                    "move it to group_vars/routers or to the router's own variables",
                )
    for router in inv.routers:
        for name in sorted(router.written):
            ours = name.startswith(_CLUSTER_PREFIXES) and not is_of_routers(name)
            if ours and not any(name in host.written for host in inv.members):
                yield refuse(
                    router.name, PLACES, name, "set for a router, and for no host of the cluster",
                    "set for the cluster", "move it to group_vars/k3s_cluster",
                )


def _judge_nodes(inv: Inventory, bgp: Bgp) -> Findings:
    for host in inv.members:
        yield from judge_router_id(host.name, NODES, "bgp_node_router_id", host.get("bgp_node_router_id"))
        local = words(host.get("bgp_node_local_addresses"))
        yield from judge_addresses(host.name, NODES, "bgp_node_local_addresses", local)
    if bgp.routers and not bgp.peers:
        thing = "bgp_nodes" if inv.get("bgp_nodes") == "agents" and not inv.get("bgp_node_selector") \
            else "bgp_node_selector"
        yield refuse(
            CLUSTER, NODES, thing, "a choice that no node of the inventory meets", "at least one node",
            "correct it, or the nodes' labels in k3s_node_labels; without either every node peers",
        )
    for node in bgp.peers:
        if bgp.routers and not node.addresses and not node.local:
            yield warn(
                node.host, NODES, "k3s_node_ip", "missing, and ansible_host is no address", "the node's addresses",
                "write them: until the cluster runs, its neighbours on the routers are not known",
            )


def _judge_l2(inv: Inventory, bgp: Bgp) -> Findings:
    yield from judge_twice(CLUSTER, L2, "bgp_l2_policies", [policy.name for policy in bgp.l2_policies])
    for policy in bgp.l2_policies:
        thing = f"bgp_l2_policies[{policy.name}]"
        yield from judge_name(CLUSTER, L2, f"{thing}.name", policy.name, bgp.cluster)
        yield from judge_selector(CLUSTER, L2, f"{thing}.services", policy.services)
        yield from judge_selector(CLUSTER, L2, f"{thing}.nodes", policy.nodes)
        if not policy.load_balancer_ips and not policy.external_ips:
            yield refuse(
                CLUSTER, L2, thing, "neither load_balancer_ips nor external_ips", "one of them",
                "leave the policy out: it would announce nothing",
            )
        for pattern in policy.interfaces:
            if not _is_pattern(pattern):
                yield refuse(
                    CLUSTER, L2, f"{thing}.interfaces", repr(pattern), "a regular expression such as ^eth[0-9]+$",
                    "correct it",
                )


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def judge_bgp_stage(inv: Inventory, stage: int) -> Findings:
    """What does not go together with kube-proxy, which runs at stage 1."""
    if stage != 1 or not is_wanted(inv):
        return
    bgp = bgp_of(inv)
    if bgp.l2_policies:
        yield refuse(
            CLUSTER, L2, "bgp_l2_policies", f"{len(bgp.l2_policies)} at stage 1",
            "stage 2: L2 announcements need Cilium in kube-proxy's place",
            "announce by BGP until then, or start a new cluster with cilium_initial_stage: 2",
        )
    if any(item.kind == CLUSTER_IPS for item in bgp.announcements):
        yield warn(
            CLUSTER, ANNOUNCE, "bgp_announce", "cluster_ips at stage 1", "stage 2",
            "until then routers know the way and nothing answers from outside (cilium issue 43395)",
        )


def judge_node_networks(inv: Inventory, host: str, own: t.Iterable[Network]) -> Findings:
    """`own`: the networks on a node's links. Neighbours look for their addresses on the link, not behind a router."""
    if not inv.routers:
        return
    for pool in bgp_of(inv).pools:
        for network in networks_of(pool):
            for other in own:
                if overlap(network, other):
                    yield refuse(
                        host, POOLS, f"bgp_pools[{pool.name}]", str(network), f"apart from {other} on its link",
                        "choose a network of its own: hosts on that link would not ask a router for these addresses",
                    )


def unreachable_peers(bgp: Bgp) -> Findings:
    """Nodes that peer, and of which nobody knows an address when the routers are to be told."""
    for node in bgp.peers:
        if bgp.routers and not first_of(node.addresses + node.local, "ipv4") and not node.address(IPV6):
            yield refuse(
                node.host, NODES, "k3s_node_ip", "missing, and the cluster does not know the node either",
                "the node's address", "write it in the inventory",
            )
