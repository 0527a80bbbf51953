from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_values import (
    CONFIG_MARK,
    CiliumOptions,
    Cluster,
    cilium_values,
    mark_of,
    marks,
    masked,
    merge,
    only_stage2,
    secret_texts,
    unmarked,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

DUAL = Cluster(4, ("10.42.0.0/16", "fd00:42::/56"))
IPV6 = Cluster(4, ("fd00:42::/56",))


def values(
    stage: int = 1, cluster: Cluster | None = None, free: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    return cilium_values(CiliumOptions(**options), stage, cluster or Cluster(4), free).values


ALWAYS = {
    "k8sServiceHost": "127.0.0.1",
    "k8sServicePort": 6444,
    "ipam.mode": "kubernetes",
    "routingMode": "native",
    "autoDirectNodeRoutes": True,
    "ipv4NativeRoutingCIDR": "10.42.0.0/16",
    "ipv4.enabled": True,
    "ipv6.enabled": False,
    "endpointRoutes.enabled": False,
    "updateStrategy.rollingUpdate.maxUnavailable": 1,
    "rollOutCiliumPods": False,
    "operator.rollOutPods": True,
    "operator.replicas": 2,
    "cgroup.autoMount.enabled": True,
    "hubble.enabled": True,
    "hubble.relay.enabled": False,
    "hubble.ui.enabled": False,
    "bpf.masquerade": False,
}


@pytest.mark.parametrize("path", ALWAYS)
def test_defaults(path: str) -> None:
    assert dig(values(), path) == ALWAYS[path]


@pytest.mark.parametrize(
    "path",
    [
        "MTU",
        "resources",
        "gatewayAPI",
        "prometheus",
        "kubeProxyReplacementHealthzBindAddr",
        "tunnelProtocol",
        "cgroup.hostRoot",
        "podAnnotations",
    ],
)
def test_left_to_the_chart(path: str) -> None:
    assert dig(values(), path) is None


OPTIONS = [
    ({"endpoint_routes": True}, "endpointRoutes.enabled", True),
    ({"auto_direct_node_routes": False}, "autoDirectNodeRoutes", False),
    ({"native_routing_cidr": "10.0.0.0/8"}, "ipv4NativeRoutingCIDR", "10.0.0.0/8"),
    ({"k8s_service_host": "api.example.org"}, "k8sServiceHost", "api.example.org"),
    ({"k8s_service_port": 6443}, "k8sServicePort", 6443),
    ({"mtu": 1400}, "MTU", 1400),
    ({"hubble": False}, "hubble.enabled", False),
    ({"hubble": False, "hubble_ui": True}, "hubble.ui.enabled", False),
    ({"hubble_relay": True}, "hubble.relay.enabled", True),
    ({"hubble_ui": True}, "hubble.relay.enabled", True),
    ({"hubble_ui": True}, "hubble.ui.enabled", True),
    ({"resources": {"requests": {"cpu": "100m"}}}, "resources.requests.cpu", "100m"),
    ({"operator_replicas": 1}, "operator.replicas", 1),
    ({"cgroup_automount": False}, "cgroup.hostRoot", "/sys/fs/cgroup"),
    ({"cgroup_host_root": "/run/cg"}, "cgroup.hostRoot", "/run/cg"),
    ({"prometheus": True}, "prometheus.enabled", True),
    ({"prometheus": True}, "operator.prometheus.enabled", True),
    ({"prometheus": True}, "prometheus.serviceMonitor.enabled", False),
    (
        {"ipam_mode": "cluster-pool", "native_routing_cidr": "10.1.0.0/16"},
        "ipam.operator.clusterPoolIPv4PodCIDRList",
        ["10.1.0.0/16"],
    ),
    (
        {"ipam_mode": "cluster-pool", "ipv6_native_routing_cidr": "fd00::/56"},
        "ipam.operator.clusterPoolIPv6PodCIDRList",
        ["fd00::/56"],
    ),
    ({"routing_mode": "tunnel"}, "tunnelProtocol", "vxlan"),
    ({"routing_mode": "tunnel", "tunnel_protocol": "geneve"}, "tunnelProtocol", "geneve"),
    ({"routing_mode": "tunnel"}, "autoDirectNodeRoutes", None),
    ({"routing_mode": "tunnel"}, "ipv4NativeRoutingCIDR", None),
    ({"bgp": True}, "bgpControlPlane.enabled", True),
]


@pytest.mark.parametrize(("options", "path", "wanted"), OPTIONS)
def test_options(options: dict[str, Any], path: str, wanted: Any) -> None:
    assert dig(values(**options), path) == wanted


def test_every_option_is_tried() -> None:
    tried = {name for options, _path, _wanted in OPTIONS for name in options}
    known = {field.name for field in dataclasses.fields(CiliumOptions)}
    at_stage_2 = {"bpf_masquerade", "gateway_api", "l2_announcements"}
    assert known - tried == at_stage_2, "those that belong to stage 2 are tried there"


def test_stage_1_is_beside_kube_proxy() -> None:
    found = values(1)
    assert (found["kubeProxyReplacement"], found["cni"]) == ("false", {"chainingMode": "portmap"})


def test_stage_2_takes_its_place() -> None:
    found = values(2, gateway_api=True, bpf_masquerade=True)
    assert (found["kubeProxyReplacement"], found["cni"]) == ("true", {"chainingMode": "none"})
    assert found["gatewayAPI"]["enabled"] is True and found["bpf"]["masquerade"] is True


@pytest.mark.parametrize("name", ["gateway_api", "bpf_masquerade", "l2_announcements"])
def test_stage_1_refuses_what_needs_the_replacement(name: str) -> None:
    with pytest.raises(MeshwrightError, match=f"cilium_{name} is true at stage 1"):
        values(1, **{name: True})


@pytest.mark.parametrize(("nodes", "replicas"), [(0, 1), (1, 1), (2, 2), (9, 2)])
def test_operators_follow_the_nodes(nodes: int, replicas: int) -> None:
    assert values(cluster=Cluster(nodes))["operator"]["replicas"] == replicas


def test_dual_stack() -> None:
    found = values(cluster=DUAL)
    assert found["ipv4"]["enabled"] and found["ipv6"]["enabled"]
    assert (found["ipv4NativeRoutingCIDR"], found["ipv6NativeRoutingCIDR"]) == DUAL.cidrs
    assert found["k8sServiceHost"] == "127.0.0.1"


def test_ipv6_alone() -> None:
    found = values(cluster=IPV6)
    assert not found["ipv4"]["enabled"] and found["k8sServiceHost"] == "localhost"
    assert "ipv4NativeRoutingCIDR" not in found
    assert values(cluster=IPV6, routing_mode="tunnel")["underlayProtocol"] == "ipv6"


def test_service_monitors_only_with_their_crd() -> None:
    with_crd = Cluster(4, service_monitors=True)
    assert values(cluster=with_crd, prometheus=True)["operator"]["prometheus"]["serviceMonitor"]["enabled"] is True
    rendered = cilium_values(CiliumOptions(), 1, Cluster(4), {"prometheus": {"serviceMonitor": {"enabled": True}}})
    assert rendered.values["prometheus"]["serviceMonitor"]["enabled"] is False
    assert "until the CRD" in rendered.notes[0]


def test_service_monitors_on_trust() -> None:
    free = {"prometheus": {"serviceMonitor": {"enabled": True, "trustCRDsExist": True}}}
    assert values(free=free)["prometheus"]["serviceMonitor"]["enabled"] is True


def test_free_values_win_and_leave_the_rest() -> None:
    found = values(free={"operator": {"replicas": 3}, "rollOutCiliumPods": True, "l7Proxy": False})
    assert found["operator"] == {"replicas": 3, "rollOutPods": True}
    assert found["rollOutCiliumPods"] is True and found["l7Proxy"] is False


def marked(free: dict[str, Any] | None = None) -> dict[str, Any]:
    return cilium_values(CiliumOptions(), 1, Cluster(4), free, "sum").values


def test_the_mark_of_the_settings_stands_beside_others_annotations() -> None:
    assert marked()["podAnnotations"] == {CONFIG_MARK: "sum"}
    theirs = marked({"podAnnotations": {"their": "own"}})
    assert theirs["podAnnotations"] == {CONFIG_MARK: "sum", "their": "own"}
    assert mark_of(theirs) == "sum" and mark_of({"podAnnotations": None}) == mark_of(values()) == ""


@pytest.mark.parametrize("free", [{}, {"podAnnotations": {"their": "own"}}, {"podAnnotations": {}}])
def test_without_the_mark_values_are_as_before(free: dict[str, Any]) -> None:
    assert unmarked(marked(free)) == unmarked(values(free=free))
    assert mark_of(marked(free)) == "sum", "nothing is taken from what was given"


@pytest.mark.parametrize(
    ("free", "ours"),
    [
        ({}, True),
        ({"podAnnotations": {"their": "own"}}, True),
        ({"podAnnotations": {CONFIG_MARK: "theirs"}}, False),
        ({"podAnnotations": {CONFIG_MARK: None}}, False),
        ({"podAnnotations": None}, False),
        ({"rollOutCiliumPods": False}, False),
        ({"rollOutCiliumPods": True}, False),
    ],
)
def test_who_arranges_restarts(free: dict[str, Any], ours: bool) -> None:
    assert marks(free) is ours


def test_what_cannot_be_at_stage_1() -> None:
    assert only_stage2(CiliumOptions()) == ()
    all_of_them = CiliumOptions(bpf_masquerade=True, gateway_api=True, l2_announcements=True, bgp=True)
    assert only_stage2(all_of_them) == ("cilium_bpf_masquerade", "cilium_gateway_api", "cilium_l2_announcements")


def test_the_stage_wins_over_the_free_values() -> None:
    assert values(2, free={"kubeProxyReplacement": "strict"})["kubeProxyReplacement"] == "true"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
GROUP = st.dictionaries(st.text(max_size=3), JSON, max_size=5)


def paths(value: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict) and value:
        return {path: leaf for key, inner in value.items() for path, leaf in paths(inner, (*at, key)).items()}
    return {at: value}


@given(GROUP, GROUP)
def test_merge_keeps_every_leaf_of_the_upper(base: dict[str, Any], over: dict[str, Any]) -> None:
    found = merge(base, over)
    for path, leaf in paths(over).items():
        inner: Any = found
        for key in path:
            inner = inner[key]
        # An empty group of the upper one takes nothing away.
        assert inner == leaf or (leaf == {} and isinstance(inner, dict))


@given(GROUP, GROUP)
def test_merge_keeps_what_the_upper_does_not_name(base: dict[str, Any], over: dict[str, Any]) -> None:
    found = merge(base, over)
    assert set(found) == set(base) | set(over)
    assert all(found[key] == base[key] for key in base.keys() - over.keys())


@given(GROUP)
def test_merge_with_nothing_or_itself_changes_nothing(values: dict[str, Any]) -> None:
    assert merge(values, {}) == values == merge({}, values) == merge(values, values)


@given(GROUP, GROUP)
def test_merge_shares_nothing(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = repr((base, over))
    found = merge(base, over)
    found["new"] = 1
    assert repr((base, over)) == before


@given(st.sampled_from([1, 2]), st.integers(1, 9))
def test_same_input_same_values(stage: int, nodes: int) -> None:
    assert values(stage, Cluster(nodes)) == values(stage, Cluster(nodes))


def test_secrets_are_found_by_name_and_by_form() -> None:
    given_values = {
        "tls": {"ca": {"cert": "LS0tpublic", "key": "c2VjcmV0"}},
        "etcd": {"password": "hunter22"},
        "pem": "-----BEGIN PRIVATE KEY-----",
        "routingMode": "native",
        "key": 5,
    }
    found = set(secret_texts(given_values))
    assert found == {"c2VjcmV0", "hunter22", "-----BEGIN PRIVATE KEY-----"}
    shown = masked(given_values, found)
    assert "hunter22" not in str(shown) and shown["routingMode"] == "native"
    assert shown["etcd"]["password"] != masked({"password": "other"}, {"other"})["password"]
