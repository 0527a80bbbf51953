from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model as model
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_services, bgp_validate, cilium_bgp_state
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import QUIET_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_validate import Cluster, Service
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import PeerState

ALL = model.Announcement("all", model.LOAD_BALANCER_IPS)
UDM = model.Router("udm", model.UNIFI, 64512, ("192.0.2.1",), families=("ipv4",), announcements=("all",))
NODES = tuple(model.Node(name, name, (f"192.0.2.1{number}",)) for number, name in enumerate("abc", 1))
HOME = model.Bgp(
    "home", 65000, nodes=NODES, routers=(UDM,), announcements=(ALL,), pools=(model.Pool("web", ("198.51.100.0/24",)),)
)
HOPS = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
WEB = Service("default", "web", {"app": "web"}, ("198.51.100.1",), frozenset("ab"))
CLUSTER = Cluster(
    peers=tuple(PeerState(node, "udm-ipv4", "192.0.2.1", 64512, "established", advertised=1) for node in "abc"),
    services=(WEB,),
)


def peer(neighbor: str, **changes: Any) -> dict[str, Any]:
    plain = {"neighbor": neighbor, "family": "ipv4", "state": "Established", "remote_asn": 65000, "received": 1}
    return {**plain, "sent": 0, "uptime_s": 9, "dynamic": True, "reason": "", **changes}


def route(prefix: str, *hops: str) -> dict[str, Any]:
    return {"prefix": prefix, "family": "ipv4", "next_hops": list(hops or HOPS), "communities": []}


def view(*more: dict[str, Any], routes: list[dict[str, Any]] | None = None, without: str = "") -> dict[str, Any]:
    peers = [peer(hop) for hop in HOPS if hop != without]
    return {"peers": [*peers, *more], "routes": [route("198.51.100.1/32")] if routes is None else routes}


def found(seen: dict[str, Any] | None = None, bgp: model.Bgp = HOME, cluster: Cluster = CLUSTER) -> list[str]:
    views = {"udm": view() if seen is None else seen}
    return [str(item) for item in bgp_validate.findings(bgp, views, cluster)]


def test_all_is_well() -> None:
    assert found() == []


def test_a_session_that_is_missing() -> None:
    down = peer("192.0.2.12", state="Connect", reason="wrong password")
    assert found(view(down, without="192.0.2.12"))[0] == (
        "udm: missing session: b (192.0.2.12, ipv4) is Connect: wrong password"
    )
    assert found(view(without="192.0.2.12")) == ["udm: missing session: b (192.0.2.12, ipv4) is not known"]


def test_a_node_out_of_traffic_is_not_missed() -> None:
    out = dataclasses.replace(CLUSTER, out=frozenset("b"))
    seen = view(without="192.0.2.12", routes=[route("198.51.100.1/32", "192.0.2.11", "192.0.2.13")])
    assert found(seen, cluster=out) == []


def test_too_many_prefixes() -> None:
    tripped = peer("192.0.2.12", state="Idle (PfxCt)")
    assert found(view(tripped, without="192.0.2.12"))[0] == (
        "udm: too many prefixes: b (192.0.2.12, ipv4) announced more than 500: the session is down"
    )


def test_a_speaker_that_the_listen_range_let_in() -> None:
    assert found(view(peer("192.0.2.66", remote_asn=65000))) == [
        "udm: rogue speaker: 192.0.2.66 (AS 65000) is none of our nodes"
    ]
    assert found(view(peer("192.0.2.66", dynamic=False))) == [], "a neighbour that somebody set up by hand"


def test_an_address_of_ours_that_leads_elsewhere() -> None:
    routes = [route("198.51.100.1/32"), route("198.51.100.9/32", "192.0.2.66")]
    assert found(view(routes=routes)) == [
        "udm: rogue speaker: 198.51.100.9/32 leads to 192.0.2.66, none of our nodes"
    ]


def test_what_two_routers_tell_each_other() -> None:
    second = dataclasses.replace(UDM, name="two", addresses=("192.0.2.2",))
    bgp = dataclasses.replace(HOME, routers=(UDM, second))
    routes = [route("198.51.100.1/32", *HOPS, "192.0.2.2")]
    both = {"udm": view(routes=routes), "two": view()}
    peers = tuple(dataclasses.replace(item, peer="two-ipv4", address="192.0.2.2") for item in CLUSTER.peers)
    cluster = dataclasses.replace(CLUSTER, peers=(*CLUSTER.peers, *peers))
    assert bgp_validate.findings(bgp, both, cluster) == []


def test_a_foreign_route_of_somebody_else_is_not_ours_to_judge() -> None:
    assert found(view(routes=[route("198.51.100.1/32"), route("0.0.0.0/0", "203.0.113.1")])) == []


@pytest.mark.parametrize("prefix", ["203.0.113.7/32", "198.51.100.0/24"])
def test_a_route_that_no_filter_names(prefix: str) -> None:
    assert found(view(routes=[route("198.51.100.1/32"), route(prefix, "192.0.2.11")])) == [
        f"udm: outside the filters: {prefix} by 192.0.2.11 was let in"
    ]


def test_a_prefix_that_the_router_refused() -> None:
    more = dataclasses.replace(CLUSTER.peers[0], advertised=3)
    cluster = dataclasses.replace(CLUSTER, peers=(more, *CLUSTER.peers[1:]))
    assert found(cluster=cluster) == ["udm: refused: a (192.0.2.11) announces 3 prefixes, the router took 1"]


@pytest.mark.parametrize(("own_word", "told"), [(1, 0), (3, 1)])
def test_the_agents_are_asked_before_a_router_is_blamed(
    monkeypatch: pytest.MonkeyPatch, own_word: int, told: int
) -> None:
    """A status may still count the address of a service that is gone."""
    asked = []

    def cluster(_kube: Any, doubt: cilium_bgp_state.Doubt = cilium_bgp_state.passing) -> Cluster:
        asked.append(doubt)
        count = own_word if doubt is cilium_bgp_state.always else 3
        peers = (dataclasses.replace(CLUSTER.peers[0], advertised=count), *CLUSTER.peers[1:])
        return dataclasses.replace(CLUSTER, peers=peers)

    monkeypatch.setattr(bgp_services, "cluster", cluster)
    kube: Any = None
    found, seen = bgp_services.compare(kube, HOME, {"udm": view()})
    assert len(found) == told and seen.peers[0].advertised == own_word
    assert asked == [cilium_bgp_state.passing, cilium_bgp_state.always]


def test_services_without_a_route_or_with_too_few_nodes() -> None:
    assert found(view(routes=[])) == ["udm: missing route: 198.51.100.1/32 of default/web is not there"]
    assert found(view(routes=[route("198.51.100.1/32", "192.0.2.11")])) == [
        "udm: missing route: 198.51.100.1/32 of default/web leads to 1 of 3 nodes"
    ]
    few = dataclasses.replace(HOME, routers=(dataclasses.replace(UDM, ecmp_paths=1),))
    assert found(view(routes=[route("198.51.100.1/32", "192.0.2.11")]), few) == []


def test_a_service_of_local_traffic_leads_to_its_own_nodes_only() -> None:
    local = dataclasses.replace(CLUSTER, services=(dataclasses.replace(WEB, local=True),))
    good = view(routes=[route("198.51.100.1/32", "192.0.2.11", "192.0.2.12")])
    assert found(good, cluster=local) == []
    assert found(cluster=local) == [
        "udm: missing route: 198.51.100.1/32 of default/web leads to 192.0.2.13, which has no endpoint of it "
        "(externalTrafficPolicy: Local)"
    ]


@pytest.mark.parametrize(
    ("changes", "services"),
    [
        ({"nodes": frozenset()}, {}),
        ({"labels": {QUIET_LABEL: ""}}, {}),
        ({"lb_class": "example.org/other"}, {}),
        ({}, {"matchLabels": {"app": "other"}}),
        ({"addresses": ("2001:db8::1",)}, {}),
    ],
)
def test_services_that_nobody_expects(changes: dict[str, Any], services: dict[str, Any]) -> None:
    bgp = dataclasses.replace(HOME, announcements=(dataclasses.replace(ALL, services=services),))
    cluster = dataclasses.replace(CLUSTER, services=(dataclasses.replace(WEB, **changes),))
    assert found(view(routes=[]), bgp, cluster) == []


def test_a_service_chosen_by_the_labels_that_cilium_adds() -> None:
    chosen = dataclasses.replace(ALL, services={"matchLabels": {"io.kubernetes.service.namespace": "default"}})
    assert bgp_validate.announces(chosen, WEB)


def test_a_router_that_cannot_be_looked_into() -> None:
    down = dataclasses.replace(CLUSTER.peers[1], state="active")
    cluster = dataclasses.replace(CLUSTER, peers=(CLUSTER.peers[0], down, CLUSTER.peers[2]))
    seen = {"can_look": False}
    assert found(seen, cluster=cluster) == [
        "udm: missing session: b (192.0.2.1) is not established, as the node tells"
    ]
    row = bgp_validate.table(HOME, {"udm": seen}, [], cluster)[1]
    assert row.split() == ["udm", "2/3", "cannot", "be", "seen", "0"]


def test_for_people() -> None:
    items = bgp_validate.findings(HOME, {"udm": view(routes=[])}, CLUSTER)
    assert bgp_validate.table(HOME, {"udm": view(routes=[])}, items, CLUSTER) == [
        "router  sessions  routes  findings",
        "udm     3/3       0       1",
        "udm: missing route: 198.51.100.1/32 of default/web is not there",
    ]


def test_services_as_the_api_has_them() -> None:
    item = {
        "metadata": {"namespace": "default", "name": "web", "labels": {"app": "web"}},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
        "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}, {"hostname": "x"}]}},
    }
    endpoints = [{"nodeName": "a"}, {"nodeName": "b", "conditions": {"ready": False}}, {"addresses": ["192.0.2.9"]}]
    meta = {"namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}
    slices = [{"metadata": meta, "endpoints": endpoints}, {"metadata": {"namespace": "x"}, "endpoints": endpoints}]
    assert bgp_services.service_of(item, slices) == dataclasses.replace(WEB, nodes=frozenset("a"), local=True)


@given(st.sets(st.sampled_from(HOPS)), st.sets(st.sampled_from(HOPS)))
def test_whatever_is_missing_is_found(up: set[str], hops: set[str]) -> None:
    routes = [route("198.51.100.1/32", *sorted(hops))] if hops else []
    seen = {"peers": [peer(hop) for hop in sorted(up)], "routes": routes}
    kinds = [item.kind for item in bgp_validate.findings(HOME, {"udm": seen}, CLUSTER)]
    assert kinds.count(bgp_validate.SESSION) == 3 - len(up)
    assert (bgp_validate.ROUTE in kinds) is (len(hops) < 3)
