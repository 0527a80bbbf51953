"""From variables to the description, and what is said of it as a whole."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_inventory, judge_bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import (
    Bgp,
    Timers,
    as_dict,
    from_dict,
    sessions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_nodes import NodeSeen
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_summary import summary
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import REFUSE, WARN
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory

CLUSTER = {
    "k3s_cluster_name": "home", "k3s_cluster_cidr": "10.42.0.0/16", "k3s_service_cidr": "10.43.0.0/16",
    "cilium_version": "1.20.2", "bgp_cluster_asn": 65000, "bgp_pools": [{"name": "lan", "cidrs": ["198.51.100.0/24"]}],
}  # fmt: skip
ROUTER = {
    "bgp_router_asn": 64512, "bgp_router_addresses": ["192.0.2.253"], "bgp_router_password": "secret-word",
    "bgp_vyos_url": "https://192.0.2.253", "bgp_vyos_key": "a-key", "bgp_vyos_version": "1.4",
    "bgp_vyos_fingerprint": "ab" * 32,
}  # fmt: skip
SIX = {"k3s_cluster_cidr": "fd00:42::/56", "k3s_service_cidr": "fd00:43::/112", "bgp_pools": []}


Given = dict[str, Any]


def inventory(cluster: Given | None = None, router: Given | None = None, six: bool = False) -> Inventory:
    shared = {**CLUSTER, **(SIX if six else {}), **(cluster or {})}
    address = "2001:db8::{}" if six else "192.0.2.{}"
    hosts = tuple(
        Host(name, frozenset({group, "k3s_cluster"}), address.format(n), shared)
        for n, (name, group) in enumerate((("server1", "server"), ("agent1", "agent"), ("agent2", "agent")), 1)
    )
    own = {**ROUTER, **({"bgp_router_addresses": ["2001:db8::fd"]} if six else {}), **(router or {})}
    return Inventory(hosts, routers=(Host("vyos1", frozenset({"routers", "vyos"}), "192.0.2.253", own),))


def test_defaults() -> None:
    bgp = bgp_inventory.bgp_of(inventory())
    (router,) = bgp.routers
    assert (bgp.cluster, bgp.asn) == ("home", 65000)
    assert (bgp.pod_cidrs, bgp.service_cidrs) == (("10.42.0.0/16",), ("10.43.0.0/16",))
    assert [item.kind for item in bgp.announcements] == ["load_balancer_ips"]
    assert (router.kind, router.families, router.port, router.max_prefixes) == ("vyos", ("ipv4",), 179, 500)
    assert router.timers == Timers(9, 3, 5, 15)
    assert [node.router_id for node in bgp.nodes] == ["", "", ""]
    assert len(sessions(bgp, router)) == 3
    assert list(judge_bgp.judge_bgp(inventory())) == []


def test_plain_data_and_back() -> None:
    bgp = bgp_inventory.bgp_of(inventory({"bgp_nodes": "agents"}))
    assert from_dict(as_dict(bgp)) == replace(bgp, node_selector=dict(bgp.node_selector))


def test_agents_alone() -> None:
    bgp = bgp_inventory.bgp_of(inventory({"bgp_nodes": "agents", "bgp_node_selector": {"matchLabels": {"a": "b"}}}))
    assert bgp.node_selector["matchLabels"] == {"a": "b"}
    assert bgp.node_selector["matchExpressions"][0]["operator"] == "DoesNotExist"
    agents = bgp_inventory.bgp_of(inventory({"bgp_nodes": "agents"})).peers
    assert [node.name for node in agents] == ["agent1", "agent2"]


def test_nodes_without_ipv4_get_router_ids() -> None:
    bgp = bgp_inventory.bgp_of(inventory(six=True, router={"bgp_router_id": "198.51.100.1"}))
    ids = {node.router_id for node in bgp.nodes}
    assert len(ids) == 3 and "" not in ids and "198.51.100.1" not in ids
    assert bgp.routers[0].families == ("ipv6",)


def test_the_users_router_id_stays() -> None:
    inv = inventory(six=True)
    first = replace(inv.hosts[0], written={**inv.hosts[0].written, "bgp_node_router_id": "198.51.100.77"})
    bgp = bgp_inventory.bgp_of(replace(inv, hosts=(first, *inv.hosts[1:])))
    assert bgp.nodes[0].router_id == "198.51.100.77"


def test_timers_of_a_router_win() -> None:
    cluster = {"bgp_timers": "standard", "bgp_timer_values": {"restart": 0}}
    (router,) = bgp_inventory.bgp_of(inventory(cluster, {"bgp_router_timers": {"keepalive": 5}})).routers
    assert router.timers == Timers(hold=30, keepalive=5, connect_retry=10, restart=0)


def test_masks_of_nodes() -> None:
    extra = {"k3s_extra_config": {"kube-controller-manager-arg": ["node-cidr-mask-size-ipv4=25"]}}
    assert bgp_inventory.bgp_of(inventory(extra)).node_mask == {"ipv4": 25, "ipv6": 64}
    pool = {"cilium_ipam_mode": "cluster-pool", "cilium_native_routing_cidr": "10.50.0.0/16"}
    bgp = bgp_inventory.bgp_of(inventory(pool))
    assert (bgp.pod_cidrs, bgp.node_mask) == (("10.50.0.0/16",), {"ipv4": 24, "ipv6": 120})


def test_nothing_is_wanted_and_nothing_said() -> None:
    inv = replace(inventory({"bgp_pools": []}), routers=())
    assert not bgp_inventory.is_wanted(inv)
    assert list(judge_bgp.judge_bgp(inv)) == []


def test_the_summary_has_no_password() -> None:
    text = "\n".join(summary(bgp_inventory.bgp_of(inventory())))
    assert "198.51.100.0/24" in text and "agent2" in text and "24 s" in text
    assert "secret-word" not in text


def test_cluster_ips_and_l2_at_stage_1() -> None:
    values = {"cilium_values": {"bpf": {"lbExternalClusterIP": True}}}
    announce = {"bgp_announce": [{"name": "all", "kind": "cluster_ips"}], "bgp_l2_policies": [{"name": "lan"}]}
    inv = inventory({**values, **announce})
    levels = {finding.thing: finding.level for finding in judge_bgp.judge_bgp_stage(inv, 1)}
    assert levels == {"bgp_announce": WARN, "bgp_l2_policies": REFUSE}
    assert list(judge_bgp.judge_bgp_stage(inv, 2)) == []


def test_a_pool_on_the_nodes_link() -> None:
    inv = inventory({"bgp_pools": [{"name": "lan", "cidrs": ["192.0.2.128/26"]}]})
    own = (ipaddress.ip_network("192.0.2.0/24"),)
    assert [finding.level for finding in judge_bgp.judge_node_networks(inv, "agent1", own)] == [REFUSE]
    assert list(judge_bgp.judge_node_networks(replace(inv, routers=()), "agent1", own)) == []


def test_a_name_instead_of_an_address_is_found_in_the_cluster() -> None:
    inv = inventory()
    named = replace(inv, hosts=tuple(replace(host, address=f"{host.name}.example") for host in inv.hosts))
    assert {finding.level for finding in judge_bgp.judge_bgp(named)} == {WARN}
    assert len(list(judge_bgp.unreachable_peers(bgp_inventory.bgp_of(named)))) == 3
    seen = {host.name: NodeSeen(host.name, (f"192.0.2.{n}",)) for n, host in enumerate(inv.hosts, 1)}
    bgp = bgp_inventory.bgp_of(named, seen)
    assert list(judge_bgp.judge_bgp(named, seen)) == [] and list(judge_bgp.unreachable_peers(bgp)) == []
    assert len(sessions(bgp, bgp.routers[0])) == 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**33) | st.text(max_size=8) | st.sampled_from(["10.0.0.0/8", "::1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "cidrs", "ranges", "first", "last", "services", "matchLabels", "kind", "hold"]), inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
CLUSTERS = st.dictionaries(
    st.sampled_from([
        "bgp_cluster_asn", "bgp_pools", "bgp_announce", "bgp_nodes", "bgp_node_selector", "bgp_timers",
        "bgp_external_ips", "bgp_timer_values", "bgp_l2_policies", "bgp_timeout", "bgp_node_router_id",
        "bgp_node_local_addresses",
    ]),
    ANYTHING, max_size=4,
)  # fmt: skip
ROUTERS = st.dictionaries(st.sampled_from([
    "bgp_router_asn", "bgp_router_addresses", "bgp_router_id", "bgp_router_port", "bgp_router_listen_ranges",
    "bgp_router_neighbors", "bgp_router_accept", "bgp_router_families", "bgp_router_announce", "bgp_router_timers",
    "bgp_vyos_url", "bgp_vyos_fingerprint", "bgp_router_max_prefixes",
]), st.text(max_size=8) | st.integers(-5, 2**33) | st.lists(st.text(max_size=8), max_size=2), max_size=5)  # fmt: skip


@given(CLUSTERS, ROUTERS)
def test_nothing_is_too_strange_for_the_judges(cluster: dict[str, Any], router: dict[str, Any]) -> None:
    """Values of a wrong type are taken out before; even so nothing is raised, and no secret is told."""
    typed = {name: value for name, value in cluster.items() if _fits(name, value)}
    inv = inventory(typed, router)
    assert isinstance(bgp_inventory.bgp_of(inv), Bgp)
    for finding in judge_bgp.judge_bgp(inv):
        assert finding.seen and finding.remedy
        assert "secret-word" not in finding.sentence and "a-key" not in finding.sentence


def _fits(name: str, value: Any) -> bool:
    if name in ("bgp_pools", "bgp_announce", "bgp_l2_policies"):
        lists = ("cidrs", "ranges")
        return isinstance(value, list) and all(
            isinstance(item, dict) and all(isinstance(item.get(key, []), list) for key in lists) for item in value
        )
    if name in ("bgp_external_ips", "bgp_node_local_addresses"):
        return isinstance(value, list)
    return True
