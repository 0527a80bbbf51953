"""What a node is told for another stage, from renderings as the chart makes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import (
    ABSENT,
    applied,
    checksum,
    config_data,
    defaults,
    node_config,
    same,
    stage_of,
    strangers,
)

COMMON = {"ipam": "kubernetes", "routing-mode": "native", "enable-ipv4": "true", "mtu": "1500"}
# As Cilium 1.20.2's chart renders the role's values for the two stages, without what is the same in both.
ONE = {
    **COMMON, "kube-proxy-replacement": "false", "cni-chaining-mode": "portmap", "enable-host-legacy-routing": "true",
    "enable-bpf-masquerade": "false",
}  # fmt: skip
TWO = {
    **COMMON, "kube-proxy-replacement": "true", "kube-proxy-replacement-healthz-bind-address": "",
    "dnsproxy-enable-transparent-mode": "true", "enable-bpf-masquerade": "true",
}  # fmt: skip


def test_forward() -> None:
    assert defaults(ONE, TWO) == {
        "kube-proxy-replacement": "true", "kube-proxy-replacement-healthz-bind-address": "",
        "dnsproxy-enable-transparent-mode": "true", "enable-bpf-masquerade": "true", "cni-chaining-mode": "none",
        "enable-host-legacy-routing": "false",
    }  # fmt: skip


def test_back() -> None:
    assert defaults(TWO, ONE) == {
        "kube-proxy-replacement": "false", "kube-proxy-replacement-healthz-bind-address": "",
        "dnsproxy-enable-transparent-mode": "false", "enable-bpf-masquerade": "false", "cni-chaining-mode": "portmap",
        "enable-host-legacy-routing": "true",
    }  # fmt: skip


def test_nothing_between_equals() -> None:
    assert defaults(ONE, ONE) == {}


def test_details_of_what_is_turned_off_need_no_word() -> None:
    gateway = {"enable-gateway-api": "true", "enable-gateway-api-alpn": "false", "gateway-api-secrets-namespace": "x"}
    over = defaults({**TWO, **gateway}, ONE)
    assert over["enable-gateway-api"] == "false" and not {"enable-gateway-api-alpn"} & over.keys()


def test_a_setting_that_only_one_stage_knows() -> None:
    with pytest.raises(MeshwrightError, match=r"other stage does not mention \(strange\).*extraConfig"):
        defaults({**ONE, "strange": "1"}, TWO)


@pytest.mark.parametrize("key", ["routing-mode", "ipam"])
def test_more_than_a_stage(key: str) -> None:
    with pytest.raises(MeshwrightError, match=f"more than a stage .{key}."):
        defaults(ONE, {**TWO, key: "other"})


settings_of = st.dictionaries(st.sampled_from([*sorted(ABSENT), "mtu"]), st.sampled_from(["", "true", "false", "none"]))


@given(settings_of, settings_of)
def test_a_node_behaves_as_at_the_other_stage_both_ways(one: dict[str, str], two: dict[str, str]) -> None:
    one, two = {**one, "mtu": "1500"}, {**two, "mtu": "9000"}
    for former, target in ((one, two), (two, one)):
        assert same(applied(former, defaults(former, target)), target)


@given(settings_of, settings_of, st.sampled_from([*sorted(ABSENT), "mtu"]), st.sampled_from(["", "true", "none"]))
def test_the_checksum_knows_other_changes_only(one: dict[str, str], two: dict[str, str], key: str, value: str) -> None:
    assert checksum(one, two) == checksum(two, one)
    changed = {**one, key: value}
    assert (checksum(changed, two) == checksum(one, two)) is (changed == one)


def test_the_checksum_knows_a_change_of_what_differs_between_the_stages() -> None:
    """Without the chain, stage 1 renders as little of it as stage 2 does."""
    unchained = {key: value for key, value in ONE.items() if key != "cni-chaining-mode"}
    assert checksum(unchained, TWO) != checksum(ONE, TWO)


def test_what_else_a_flip_would_bring() -> None:
    assert strangers(ONE, ONE) == ()
    assert strangers({**ONE, "mtu": "9000", "gone": "1"}, {**ONE, "new": "1"}) == ("gone", "mtu", "new")


def test_the_object() -> None:
    made = node_config(2, {"kube-proxy-replacement": "true"}, (1, 20))
    assert made["apiVersion"] == "cilium.io/v2" and made["metadata"]["namespace"] == "kube-system"
    assert made["spec"]["nodeSelector"] == {"matchLabels": {"meshwright.k3s-cilium/stage": "2"}}
    assert stage_of(made) == 2 and stage_of({"metadata": {"name": "other"}}) == 0


MANIFEST = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: cilium-config
data:
  kube-proxy-replacement: "true"
"""


def test_read_from_the_manifest() -> None:
    assert config_data(MANIFEST) == {"kube-proxy-replacement": "true"}
    with pytest.raises(MeshwrightError, match="without the ConfigMap cilium-config"):
        config_data("---\nkind: Secret\n")
