from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import dig, put, take, translate
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

TRANSLATED = [
    (1, {"kubeProxyReplacement": "disabled"}, {}, "kubeProxyReplacement: disabled is written as false"),
    (1, {"kubeProxyReplacement": "partial"}, {}, "partial is written as false"),
    (1, {"kubeProxyReplacement": "probe"}, {}, "probe is written as false"),
    (2, {"kubeProxyReplacement": "strict"}, {}, "strict is written as true"),
    (1, {"tunnel": "disabled"}, {"routingMode": "native"}, "tunnel: disabled is written as routingMode: native"),
    (1, {"tunnel": False}, {"routingMode": "native"}, "tunnel: disabled"),
    (1, {"tunnel": "vxlan"}, {"routingMode": "tunnel", "tunnelProtocol": "vxlan"}, "tunnelProtocol: vxlan"),
    (1, {"tunnel": "geneve"}, {"routingMode": "tunnel", "tunnelProtocol": "geneve"}, "tunnelProtocol: geneve"),
    (2, {"hostServices": {"enabled": True}}, {}, "kubeProxyReplacement includes it"),
    (2, {"externalIPs": {"enabled": True}}, {}, "kubeProxyReplacement includes it"),
    (2, {"hostPort": {"enabled": True}}, {}, "kubeProxyReplacement includes it"),
    (1, {"nodePort": {"enabled": True}}, {}, "at stage 1 kube-proxy does this"),
    (
        2,
        {"nodePort": {"enabled": True, "range": "30000,31000"}},
        {"nodePort": {"range": "30000,31000"}},
        "nodePort.enabled",
    ),
    (1, {"hostServices": {"hostNamespaceOnly": True}}, {"socketLB": {"hostNamespaceOnly": True}}, "socketLB"),
    (1, {"containerRuntime": {"integration": "containerd"}}, {}, "containerRuntime is left out"),
    (
        1,
        {"nativeRoutingCIDR": "10.0.0.0/8"},
        {"ipv4NativeRoutingCIDR": "10.0.0.0/8"},
        "written as ipv4NativeRoutingCIDR",
    ),
    (1, {"enableCiliumEndpointSlice": True}, {"ciliumEndpointSlice": {"enabled": True}}, "ciliumEndpointSlice.enabled"),
    (1, {"operator": {"numReplicas": 1}}, {"operator": {"replicas": 1}}, "operator.replicas"),
    (1, {"bandwidthManager": True}, {"bandwidthManager": {"enabled": True}}, "bandwidthManager.enabled"),
    (1, {"hostFirewall": False}, {"hostFirewall": {"enabled": False}}, "hostFirewall.enabled"),
    (
        1,
        {"encryption": {"keyFile": "keys", "enabled": True}},
        {"encryption": {"ipsec": {"keyFile": "keys"}, "enabled": True}},
        "ipsec",
    ),
    (1, {"proxy": {"prometheus": {"enabled": True}}}, {}, "envoy.prometheus"),
    (1, {"bgp": {"enabled": True}}, {}, "bgpControlPlane"),
    (1, {"endpointStatus": {"enabled": True}}, {}, "gone since 1.16"),
]


@pytest.mark.parametrize(("stage", "given", "wanted", "note"), TRANSLATED, ids=lambda value: str(value)[:40])
def test_translated_and_told(stage: int, given: dict[str, Any], wanted: dict[str, Any], note: str) -> None:
    before = copy.deepcopy(given)
    values, notes = translate(given, stage)
    assert values == wanted
    assert len(notes) == 1 and note in notes[0]
    assert given == before


def test_what_is_written_anew_wins_over_the_older_spelling() -> None:
    values, _notes = translate({"nativeRoutingCIDR": "10.0.0.0/8", "ipv4NativeRoutingCIDR": "10.42.0.0/16"}, 1)
    assert values == {"ipv4NativeRoutingCIDR": "10.42.0.0/16"}


@pytest.mark.parametrize("given", [{"kubeProxyReplacement": value} for value in (True, "true")])
def test_todays_spelling_needs_no_note(given: dict[str, Any]) -> None:
    assert translate(given, 2) == ({}, ())


REFUSED = [
    (1, {"kubeProxyReplacement": "strict"}, "strict at stage 1, wanted false"),
    (1, {"kubeProxyReplacement": True}, "true at stage 1, wanted false"),
    (2, {"kubeProxyReplacement": "disabled"}, "disabled at stage 2, wanted true"),
    (1, {"kubeProxyReplacement": "maybe"}, "maybe at stage 1"),
    (1, {"waitForKubeProxy": True}, "wait for ever"),
    (2, {"waitForKubeProxy": "true"}, "wait for ever"),
    (1, {"kubeProxyReplacementHealthzBindAddr": "0.0.0.0:10256"}, "kube-proxy holds the port"),
    (1, {"tunnel": "ipip"}, "wanted disabled, vxlan or geneve"),
    (1, {"tunnel": "vxlan", "routingMode": "native"}, "native beside tunnel: vxlan"),
]


@pytest.mark.parametrize(("stage", "given", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(stage: int, given: dict[str, Any], message: str) -> None:
    with pytest.raises(MeshwrightError, match=message):
        translate(given, stage)


def test_healthz_address_is_well_at_stage_2() -> None:
    given = {"kubeProxyReplacementHealthzBindAddr": "0.0.0.0:10256"}
    assert translate(given, 2) == (given, ())


def test_paths() -> None:
    values: dict[str, Any] = {"a": {"b": {"c": 1}}, "d": 2}
    assert dig(values, "a.b.c") == 1 and dig(values, "a.x.c", 7) == 7 and dig(values, "d.e") is None
    put(values, "d.e", 3)
    assert values["d"] == {"e": 3}
    assert take(values, "a.b.c") == 1
    assert values == {"d": {"e": 3}}
