# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of addresses for services, and what is announced: judged by themselves and against all other networks. Pure."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    CLUSTER_IPS,
    EXTERNAL_IPS,
    LOAD_BALANCER_IPS,
    POD_CIDRS,
    Bgp,
    Pool,
    covering,
    family_of,
    filters,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import CLUSTER, Findings, refuse, warn
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp_forms import (
    judge_communities,
    judge_name,
    judge_prefixes,
    judge_selector,
    judge_twice,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cidrs import overlap
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cilium import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import (
    Inventory,
    Network,
    address,
    networks,
    truth,
)

POOLS, ANNOUNCE = "bgp-pools", "bgp-announce"
_MOST_PREFERENCE = 4294967295


def judge_pools(inv: Inventory, bgp: Bgp) -> Findings:
    yield from judge_twice(CLUSTER, POOLS, "bgp_pools", [pool.name for pool in bgp.pools])
    for pool in bgp.pools:
        thing = f"bgp_pools[{pool.name}]"
        yield from judge_name(CLUSTER, POOLS, f"{thing}.name", pool.name, bgp.cluster)
        yield from judge_selector(CLUSTER, POOLS, f"{thing}.services", pool.services)
        if not pool.cidrs and not pool.ranges:
            yield refuse(CLUSTER, POOLS, thing, "empty", "cidrs or ranges", "add the addresses for services")
        yield from judge_prefixes(CLUSTER, POOLS, f"{thing}.cidrs", _written(inv, pool.name))
        yield from _judge_ranges(thing, pool)
    yield from _judge_overlaps(inv, bgp)
    if bgp.routers and all(router.families for router in bgp.routers):  # else that is what has to be mended
        yield from _judge_accepted(bgp)


def _written(inv: Inventory, name: str) -> t.Iterator[t.Any]:
    """As it stands in the inventory: the model has no host bits any more."""
    for item in inv.get("bgp_pools") or ():
        if isinstance(item, dict) and item.get("name") == name:
            yield from item.get("cidrs") or ()


def _judge_ranges(thing: str, pool: Pool) -> Findings:
    for part in pool.ranges:
        first, last = address(part.first), address(part.last)
        if first is None or last is None or first.version != last.version or int(first) > int(last):
            yield refuse(
                CLUSTER, POOLS, f"{thing}.ranges", f"{part.first!r} to {part.last!r}",
                "two addresses of one family, the first not after the last", "correct the range",
            )


def networks_of(pool: Pool) -> tuple[Network, ...]:
    """What can be read of it."""
    good = [
        part for part in pool.ranges
        if (first := address(part.first)) and (last := address(part.last))
        and first.version == last.version and int(first) <= int(last)
    ]
    return networks([*pool.cidrs, *covering(good)])


def _judge_overlaps(inv: Inventory, bgp: Bgp) -> Findings:
    for one, other in itertools.combinations(bgp.pools, 2):
        for a, b in itertools.product(networks_of(one), networks_of(other)):
            if overlap(a, b):
                yield refuse(
                    CLUSTER, POOLS, f"bgp_pools[{other.name}]", str(b), f"apart from the pool {one.name} ({a})",
                    "give each address to one pool: Cilium stops handing out of the later one",
                )
    for pool in bgp.pools:
        for a, b in itertools.combinations(networks_of(pool), 2):
            if overlap(a, b):
                yield refuse(
                    CLUSTER, POOLS, f"bgp_pools[{pool.name}]", f"{a} and {b}", "parts that do not overlap",
                    "keep one of the two",
                )
        for network in networks_of(pool):
            yield from _judge_against_others(inv, bgp, pool.name, network)


def _judge_against_others(inv: Inventory, bgp: Bgp, pool: str, network: Network) -> Findings:
    thing = f"bgp_pools[{pool}]"
    for name in ("k3s_cluster_cidr", "k3s_service_cidr"):
        for other in networks(inv.get(name)):
            if overlap(network, other):
                yield refuse(
                    CLUSTER, POOLS, thing, str(network), f"apart from {name} ({other})",
                    "choose a network that nothing else uses",
                )
    owners = [(node.host, text) for node in bgp.nodes for text in (*node.addresses, *node.local)]
    owners += [(router.name, text) for router in bgp.routers for text in router.addresses]
    taken = {text: host for host, text in owners if (ip := address(text)) and ip in network}
    for text, host in taken.items():
        yield refuse(
            CLUSTER, POOLS, thing, str(network), f"a network without {host}'s own address {text}",
            "choose a network that nothing else uses",
        )


def _judge_accepted(bgp: Bgp) -> Findings:
    """A pool that no router lets in: its services would have addresses that nobody reaches."""
    good = readable(bgp)
    for pool in bgp.pools:
        for network in networks_of(pool):
            family = family_of(str(network))
            let_in = [
                networks(item.prefix)[0]
                for router in good.routers if family in router.families
                for item in filters(good, router, family)
            ]  # fmt: skip
            if not any(overlap(network, other) and other.prefixlen <= network.prefixlen for other in let_in):
                yield refuse(
                    CLUSTER, POOLS, f"bgp_pools[{pool.name}]", f"{network}, which no router lets in",
                    f"a router with {family} that load_balancer_ips are announced to",
                    "add it to bgp_announce and bgp_router_announce, or give a router an address of this family",
                )


def readable(bgp: Bgp) -> Bgp:
    """Without what cannot be read, which is told already."""
    pools = tuple(replace(pool, cidrs=tuple(map(str, networks_of(pool))), ranges=()) for pool in bgp.pools)
    routers = tuple(replace(router, accept=tuple(map(str, networks(router.accept)))) for router in bgp.routers)
    external = tuple(map(str, networks(bgp.external_ips)))
    return replace(bgp, pools=pools, routers=routers, external_ips=external)


def judge_announcements(inv: Inventory, bgp: Bgp) -> Findings:
    yield from judge_twice(CLUSTER, ANNOUNCE, "bgp_announce", [item.name for item in bgp.announcements])
    given = {str(item.get("name")): item for item in inv.get("bgp_announce") or () if isinstance(item, dict)}
    for item in bgp.announcements:
        thing = f"bgp_announce[{item.name}]"
        yield from judge_name(CLUSTER, ANNOUNCE, f"{thing}.name", item.name, bgp.cluster)
        yield from judge_selector(CLUSTER, ANNOUNCE, f"{thing}.services", item.services)
        yield from judge_communities(CLUSTER, ANNOUNCE, thing, given.get(item.name, {}))
        if item.local_preference is not None and not 0 <= item.local_preference <= _MOST_PREFERENCE:
            yield refuse(
                CLUSTER, ANNOUNCE, f"{thing}.local_preference", str(item.local_preference),
                f"0 to {_MOST_PREFERENCE}", "100 is what routers take without one",
            )
        if item.kind == POD_CIDRS and item.services:
            yield refuse(
                CLUSTER, ANNOUNCE, f"{thing}.services", "given for pod_cidrs", "nothing",
                "leave it out: a node's pod network belongs to no service",
            )
    kinds = {item.kind for item in bgp.announcements}
    if bgp.routers and not kinds:
        yield warn(
            CLUSTER, ANNOUNCE, "bgp_announce", "empty", "an announcement", "routers will learn nothing from the nodes"
        )
    yield from _judge_kinds(inv, bgp, kinds)


def _judge_kinds(inv: Inventory, bgp: Bgp, kinds: t.Collection[str]) -> Findings:
    yield from judge_prefixes(CLUSTER, ANNOUNCE, "bgp_external_ips", inv.get("bgp_external_ips") or ())
    if EXTERNAL_IPS in kinds and not bgp.external_ips:
        yield refuse(
            CLUSTER, ANNOUNCE, "bgp_external_ips", "empty, while external_ips are announced",
            "the networks of services' externalIPs", "name them: routers let nothing in that is not named",
        )
    if LOAD_BALANCER_IPS in kinds and not bgp.pools and bgp.routers:
        yield warn(
            CLUSTER, ANNOUNCE, "bgp_pools", "empty, while load_balancer_ips are announced", "a pool",
            "routers let in nothing of other pools: add it, or its network to bgp_router_accept",
        )
    if CLUSTER_IPS in kinds and not truth(dig(inv.mapping("cilium_values"), "bpf.lbExternalClusterIP")):
        yield refuse(
            CLUSTER, ANNOUNCE, "bgp_announce", "cluster_ips, which Cilium serves to pods and nodes only",
            "bpf.lbExternalClusterIP in cilium_values", "add {bpf: {lbExternalClusterIP: true}} to cilium_values",
        )
    if POD_CIDRS in kinds and inv.get("cilium_ipam_mode") == "multi-pool":
        yield refuse(
            CLUSTER, ANNOUNCE, "bgp_announce", "pod_cidrs with cilium_ipam_mode multi-pool",
            "one network for each node", "Cilium announces no pod networks there: leave pod_cidrs out",
        )


def capacity(bgp: Bgp, family: str) -> int:
    """How many addresses services can have at most."""
    found = (network for pool in bgp.pools for network in networks_of(pool))
    return sum(network.num_addresses for network in found if family_of(str(network)) == family)


def expected(bgp: Bgp, kinds: t.Collection[str], family: str) -> int:
    """How many prefixes one node may well announce; of large pools only the first 256 addresses are counted."""
    pods = sum(POD_CIDRS in kinds and family_of(cidr) == family for cidr in bgp.pod_cidrs)
    return pods + (min(capacity(bgp, family), 256) if LOAD_BALANCER_IPS in kinds else 0)
