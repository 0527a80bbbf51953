from __future__ import annotations

import base64
import dataclasses
import json
import re
from typing import Any

import pytest
from bgp_descriptions import descriptions
from hypothesis import given

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model as model
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_cilium import (
    ANNOUNCEMENT_LABEL,
    KINDS,
    QUIET_LABEL,
    objects,
    safe,
)

ALL = model.Announcement("all", model.LOAD_BALANCER_IPS)
UDM = model.Router(
    "udm", model.UNIFI, 64512, ("192.0.2.1", "2001:db8::1"), password="hush hush",
    families=("ipv4", "ipv6"), announcements=("all",),
)  # fmt: skip
NODE = model.Node("server1", "server1", ("192.0.2.11", "2001:db8::11"))
HOME = model.Bgp("home", 65000, nodes=(NODE,), routers=(UDM,), announcements=(ALL,))


def of(bgp: model.Bgp, kind: str) -> list[dict[str, Any]]:
    return [item for item in objects(bgp) if item["kind"] == kind]


def one(bgp: model.Bgp, kind: str, name: str = "") -> dict[str, Any]:
    (found,) = (item for item in of(bgp, kind) if not name or item["metadata"]["name"] == name)
    return found


def change(**changes: Any) -> model.Bgp:
    return dataclasses.replace(HOME, **changes)


def router(**changes: Any) -> model.Bgp:
    return change(routers=(dataclasses.replace(UDM, **changes),))


def announcing(**changes: Any) -> model.Bgp:
    return change(announcements=(dataclasses.replace(ALL, **changes),))


def test_the_whole_for_one_router_with_both_families() -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in objects(HOME)]
    assert names == [
        ("Secret", "mw-home-udm"),
        ("CiliumBGPAdvertisement", "mw-home-all"),
        ("CiliumBGPPeerConfig", "mw-home-udm.ipv4"),
        ("CiliumBGPPeerConfig", "mw-home-udm.ipv6"),
        ("CiliumBGPClusterConfig", "mw-home"),
    ]


def test_nodes_that_peer_are_chosen_but_for_those_out_of_traffic() -> None:
    chosen = {"matchLabels": {"role": "edge"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}
    spec = one(change(node_selector=chosen), "CiliumBGPClusterConfig")["spec"]
    assert spec["nodeSelector"] == {
        "matchLabels": {"role": "edge"},
        "matchExpressions": [
            {"key": "x", "operator": "Exists"},
            {"key": "meshwright.k3s-cilium/withdrawn", "operator": "DoesNotExist"},
        ],
    }
    assert "matchLabels" not in one(HOME, "CiliumBGPClusterConfig")["spec"]["nodeSelector"]


def test_each_family_has_a_peer_over_its_own_address() -> None:
    (instance,) = one(HOME, "CiliumBGPClusterConfig")["spec"]["bgpInstances"]
    assert instance["localASN"] == 65000
    assert [(peer["name"], peer["peerAddress"], peer["peerASN"]) for peer in instance["peers"]] == [
        ("udm-ipv4", "192.0.2.1", 64512),
        ("udm-ipv6", "2001:db8::1", 64512),
    ]
    assert [item["afi"] for item in one(HOME, "CiliumBGPPeerConfig", "mw-home-udm.ipv6")["spec"]["families"]] == [
        "ipv6"
    ]


def test_timers_port_and_graceful_restart() -> None:
    spec = one(router(families=("ipv4",), port=1179), "CiliumBGPPeerConfig")["spec"]
    assert spec["timers"] == {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3, "connectRetryTimeSeconds": 5}
    assert spec["gracefulRestart"] == {"enabled": True, "restartTimeSeconds": 15}
    assert spec["transport"] == {"peerPort": 1179}
    off = one(router(families=("ipv4",), timers=model.Timers(restart=0)), "CiliumBGPPeerConfig")["spec"]
    assert off["gracefulRestart"] == {"enabled": False}


@pytest.mark.parametrize(("asn", "multihop"), [(64512, 4), (65000, None)])
def test_multihop_is_for_other_ases(asn: int, multihop: int | None) -> None:
    spec = one(router(families=("ipv4",), asn=asn, multihop=4), "CiliumBGPPeerConfig")["spec"]
    assert spec.get("ebgpMultihop") == multihop


def test_the_password_is_in_a_secret_where_cilium_looks() -> None:
    secret = one(change(secrets_namespace="bgp-secrets"), "Secret")
    assert secret["metadata"]["namespace"] == "bgp-secrets"
    assert base64.b64decode(secret["data"]["password"]) == b"hush hush"
    assert one(HOME, "CiliumBGPPeerConfig", "mw-home-udm.ipv4")["spec"]["authSecretRef"] == "mw-home-udm"


def test_without_a_password_no_secret() -> None:
    assert of(router(password=""), "Secret") == []
    assert "authSecretRef" not in one(router(password="", families=("ipv4",)), "CiliumBGPPeerConfig")["spec"]


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (model.LOAD_BALANCER_IPS, "LoadBalancerIP"), (model.EXTERNAL_IPS, "ExternalIP"),
        (model.CLUSTER_IPS, "ClusterIP"),
    ],
)  # fmt: skip
def test_services_are_announced_by_a_selector_of_all_where_none_is_given(kind: str, address: str) -> None:
    (entry,) = one(announcing(kind=kind), "CiliumBGPAdvertisement")["spec"]["advertisements"]
    assert entry["advertisementType"] == "Service"
    assert entry["service"] == {"addresses": [address]}
    assert entry["selector"] == {"matchExpressions": [{"key": QUIET_LABEL, "operator": "DoesNotExist"}]}


def test_chosen_services() -> None:
    (entry,) = one(announcing(services={"matchLabels": {"a": "b"}}), "CiliumBGPAdvertisement")["spec"]["advertisements"]
    assert entry["selector"] == {"matchLabels": {"a": "b"}}


def test_pod_cidrs_have_neither_service_nor_selector() -> None:
    (entry,) = one(announcing(kind=model.POD_CIDRS), "CiliumBGPAdvertisement")["spec"]["advertisements"]
    assert entry == {"advertisementType": "PodCIDR"}


def test_communities_by_their_sort() -> None:
    bgp = announcing(communities=("65000:99", "no-export"), large_communities=("65000:1:2",))
    (entry,) = one(bgp, "CiliumBGPAdvertisement")["spec"]["advertisements"]
    assert entry["attributes"]["communities"] == {
        "standard": ["65000:99"], "wellKnown": ["no-export"], "large": ["65000:1:2"],
    }  # fmt: skip


def test_local_preference_goes_to_routers_of_the_same_as_only() -> None:
    inner = dataclasses.replace(UDM, name="inner", asn=65000, families=("ipv4",))
    bgp = dataclasses.replace(announcing(local_preference=200), routers=(UDM, inner))
    found = {item["metadata"]["name"]: item["spec"]["advertisements"][0] for item in of(bgp, "CiliumBGPAdvertisement")}
    assert "attributes" not in found["mw-home-all"]
    assert found["mw-home-all.ibgp"]["attributes"] == {"localPreference": 200}
    (family,) = one(bgp, "CiliumBGPPeerConfig", "mw-home-inner.ipv4")["spec"]["families"]
    assert family["advertisements"]["matchExpressions"][0]["values"] == ["mw-home-all.ibgp"]


def test_a_router_hears_what_it_is_to_hear() -> None:
    pods = model.Announcement("pods", model.POD_CIDRS)
    second = dataclasses.replace(UDM, name="two", announcements=("all", "pods"))
    silent = dataclasses.replace(UDM, name="silent", announcements=())
    bgp = change(announcements=(ALL, pods), routers=(UDM, second, silent))

    def heard(name: str) -> Any:
        (family,) = one(bgp, "CiliumBGPPeerConfig", f"mw-home-{name}.ipv4")["spec"]["families"]
        return family.get("advertisements", {}).get("matchExpressions", [{}])[0].get("values")

    assert (heard("udm"), heard("two"), heard("silent")) == (["mw-home-all"], ["mw-home-all", "mw-home-pods"], None)


def test_what_holds_for_one_node() -> None:
    node = dataclasses.replace(NODE, router_id="10.0.0.1", local=("192.0.2.99",))
    override = one(change(nodes=(node, dataclasses.replace(NODE, name="plain"))), "CiliumBGPNodeConfigOverride")
    assert override["metadata"]["name"] == "server1"
    assert override["spec"]["bgpInstances"] == [
        {"name": "main", "routerID": "10.0.0.1", "peers": [{"name": "udm-ipv4", "localAddress": "192.0.2.99"}]}
    ]


def test_pools() -> None:
    ranges = (model.Range("192.0.3.10", "192.0.3.20"),)
    pool = model.Pool("web", ("192.0.2.0/24",), ranges, {"matchLabels": {"a": "b"}})
    assert one(change(pools=(pool,)), "CiliumLoadBalancerIPPool")["spec"] == {
        "blocks": [{"cidr": "192.0.2.0/24"}, {"start": "192.0.3.10", "stop": "192.0.3.20"}],
        "allowFirstLastIPs": "No",
        "serviceSelector": {"matchLabels": {"a": "b"}},
    }
    open_pool = dataclasses.replace(pool, services={}, allow_first_last_ips=True)
    spec = one(change(pools=(open_pool,)), "CiliumLoadBalancerIPPool")["spec"]
    assert spec["allowFirstLastIPs"] == "Yes" and "serviceSelector" not in spec


def test_l2_policies_leave_out_nodes_that_are_out_of_traffic() -> None:
    spec = one(change(l2_policies=(model.L2Policy("lan", ("eth0",)),)), "CiliumL2AnnouncementPolicy")["spec"]
    assert spec["nodeSelector"]["matchExpressions"] == [{"key": model.WITHDRAWN_LABEL, "operator": "DoesNotExist"}]
    assert spec["interfaces"] == ["eth0"] and spec["loadBalancerIPs"] is True


def test_without_routers_no_bgp() -> None:
    bgp = change(routers=(), pools=(model.Pool("web", ("192.0.2.0/24",)),), l2_policies=(model.L2Policy("lan"),))
    assert [item["kind"] for item in objects(bgp)] == ["CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy"]


@pytest.mark.parametrize(
    ("cilium", "bgp", "l2"),
    [("1.16.5", "v2alpha1", "v2alpha1"), ("1.17.0", "v2alpha1", "v2alpha1"), ("1.20.2", "v2", "v2alpha1")],
)
def test_api_versions(cilium: str, bgp: str, l2: str) -> None:
    made = objects(change(cilium_version=cilium, l2_policies=(model.L2Policy("lan"),)))
    found = {item["kind"]: item["apiVersion"] for item in made}
    assert found["CiliumBGPClusterConfig"] == f"cilium.io/{bgp}"
    assert found["CiliumL2AnnouncementPolicy"] == f"cilium.io/{l2}"


def test_names_that_look_alike_stay_apart() -> None:
    assert len({safe("r1.lab"), safe("r1_lab"), safe("r1-lab"), safe("R1-LAB")}) == 4
    assert len(safe("x" * 300)) <= 63


# -- whatever the description says

@given(descriptions())
def test_any_description_gives_objects_that_fit_together(bgp: model.Bgp) -> None:
    made = objects(bgp)
    json.dumps(made)
    keys = [(item["kind"], item["metadata"]["name"]) for item in made]
    assert len(set(keys)) == len(keys)
    for kind, name in keys:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) and len(name) <= 63 and ".." not in name, name
        assert kind in KINDS
    assert [KINDS.index(kind) for kind, _ in keys] == sorted(KINDS.index(kind) for kind, _ in keys)
    there = {kind: {name for found, name in keys if found == kind} for kind in KINDS}
    for item in made:
        assert item["metadata"]["labels"][model.OWNER_LABEL] == model.OWNER
        _refers_to_what_is_there(item, there)


def _refers_to_what_is_there(item: dict[str, Any], there: dict[str, set[str]]) -> None:
    spec = item.get("spec", {})
    if item["kind"] == "CiliumBGPClusterConfig":
        peers = spec["bgpInstances"][0]["peers"]
        assert {peer["peerConfigRef"]["name"] for peer in peers} == there["CiliumBGPPeerConfig"]
        assert len({peer["name"] for peer in peers}) == len(peers)
    if item["kind"] == "CiliumBGPPeerConfig":
        assert spec.get("authSecretRef", "") in there["Secret"] | {""}
        (expression,) = spec["families"][0].get("advertisements", {}).get("matchExpressions", [{"values": []}])
        assert set(expression["values"]) <= there["CiliumBGPAdvertisement"]
    if item["kind"] == "CiliumBGPAdvertisement":
        assert item["metadata"]["labels"][ANNOUNCEMENT_LABEL] == item["metadata"]["name"]


@given(descriptions())
def test_the_way_through_plain_data_changes_nothing(bgp: model.Bgp) -> None:
    assert objects(model.from_dict(json.loads(json.dumps(model.as_dict(bgp))))) == objects(bgp)
