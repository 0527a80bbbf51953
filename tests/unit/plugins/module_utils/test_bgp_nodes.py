"""Names, labels and router ids of nodes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_nodes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_nodes import NodeSeen
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host

NAMES = st.sets(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), max_size=30)
SERVER = Host("server1", frozenset({"server", "k3s_cluster"}), "192.0.2.1", {"k3s_node_labels": ["rack=7"]})


@given(NAMES, st.sets(st.ip_addresses(v=4).map(str), max_size=5))
def test_router_ids_are_unique_and_fit(names: set[str], taken: set[str]) -> None:
    found = bgp_nodes.router_ids(names, taken)
    assert set(found) == names
    assert len(set(found.values()) | taken) == len(names) + len(taken)
    for text in found.values():
        ip = ipaddress.IPv4Address(text)
        assert 1 <= int(ip) >> 24 <= 223 and not ip.is_loopback


@given(NAMES, NAMES)
def test_router_ids_do_not_move_when_others_come(names: set[str], more: set[str]) -> None:
    """2^32 is so large that none of these meet: each id hangs on its own name alone."""
    before, after = bgp_nodes.router_ids(names, ()), bgp_nodes.router_ids(names | more, ())
    assert {name: after[name] for name in names} == before


def test_two_that_meet_are_parted_the_same_way_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bgp_nodes, "_router_id", lambda name, turn: 0x01010101 + turn)
    assert bgp_nodes.router_ids({"b", "a"}, ["1.1.1.2"]) == {"a": "1.1.1.1", "b": "1.1.1.3"}


def test_router_id_of_a_name_is_for_ever() -> None:
    """Another value here would restart all sessions of IPv6-only clusters."""
    assert bgp_nodes.router_ids({"server1"}, ()) == {"server1": "187.102.70.205"}


def test_what_the_cluster_says_wins() -> None:
    seen = NodeSeen("node-a", ("192.0.2.9", "2001:db8::9"), {"rack": "8", "kubernetes.io/arch": "arm64"})
    assert bgp_nodes.node_name(SERVER, seen) == "node-a"
    assert bgp_nodes.node_name(SERVER, NodeSeen()) == "server1"
    assert bgp_nodes.addresses_of(SERVER, seen) == ("192.0.2.9", "2001:db8::9", "192.0.2.1")
    assert bgp_nodes.labels_of(SERVER, "server1", seen)["rack"] == "8"


def test_node_name_of_k3s_configuration() -> None:
    host = Host("x", frozenset({"agent"}), "192.0.2.1", {"k3s_extra_config": {"node-name": "Worker-1"}})
    assert bgp_nodes.node_name(host, NodeSeen()) == "worker-1"


SELECTORS = [
    ({}, True),
    ({"matchLabels": {"rack": "7"}}, True),
    ({"matchLabels": {"rack": "8"}}, False),
    ({"matchLabels": {"kubernetes.io/arch": "arm64"}}, True),  # not known yet
    ({"matchExpressions": [{"key": "rack", "operator": "In", "values": ["6", "7"]}]}, True),
    ({"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["7"]}]}, False),
    ({"matchExpressions": [{"key": "room", "operator": "NotIn", "values": ["7"]}]}, True),
    ({"matchExpressions": [{"key": bgp_nodes.CONTROL_PLANE, "operator": "Exists"}]}, True),
    ({"matchExpressions": [{"key": bgp_nodes.CONTROL_PLANE, "operator": "DoesNotExist"}]}, False),
]


@pytest.mark.parametrize(("selector", "met"), SELECTORS)
def test_selectors(selector: dict[str, object], met: bool) -> None:
    assert bgp_nodes.selects(selector, bgp_nodes.labels_of(SERVER, "server1", NodeSeen())) is met
