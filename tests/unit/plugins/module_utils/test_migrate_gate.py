"""What speaks against a migration, all of it at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from migrate_world import CIDR, PODS, World

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import NOTE, REFUSE, WARN, Finding
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    SETTLED,
    Ends,
    Facts,
    labels_of,
    notes_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_gate import Accept, judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Options


def of(found: tuple[Finding, ...], level: str) -> set[str]:
    return {finding.check for finding in found if finding.level == level}


def node(facts: Facts, name: str, base: dict[str, Any] | None = None, **more: Any) -> Facts:
    changed = replace(facts.node(name), **more)
    changed = replace(changed, base=replace(changed.base, **(base or {})))
    nodes = tuple(changed if it.name == name else it for it in facts.nodes)
    return replace(facts, nodes=nodes, cluster=replace(facts.cluster, nodes=tuple(it.base for it in nodes)))


@pytest.fixture
def facts() -> Facts:
    found = World(3, 1).facts()
    return replace(found, cluster=replace(found.cluster, dns_replicas=2))


def test_a_cluster_that_is_well(facts: Facts) -> None:
    assert of(judge(facts), REFUSE) == set() and of(judge(facts), WARN) == set()


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("backend", {"backends": ("wireguard-native",)}),
        ("backend", {"backends": ("vxlan", "host-gw")}),
        ("backend", {"backends": ()}),
        ("release", {"release": SETTLED}),
        ("policies", {"policies": 3}),
        ("routing", {"ends": Ends("tunnel", native_cidrs=CIDR, cluster_cidrs=CIDR)}),
        ("routing", {"ends": Ends(auto_direct_node_routes=False, native_cidrs=CIDR, cluster_cidrs=CIDR)}),
        ("ipam", {"ends": Ends(ipam_mode="cluster-pool", native_cidrs=CIDR, cluster_cidrs=CIDR)}),
        ("native-cidr", {"ends": Ends(native_cidrs=("10.0.0.0/8",), cluster_cidrs=CIDR)}),
    ],
)
def test_refused_for_the_cluster(facts: Facts, check: str, change: dict[str, Any]) -> None:
    found = judge(replace(facts, **change))
    assert of(found, REFUSE) == {check}
    assert all(finding.remedy for finding in found if finding.level == REFUSE)


@pytest.mark.parametrize(
    ("check", "base", "more"),
    [
        ("ready", {"ready": False}, {}),
        ("etcd", {"voter": False}, {}),
        ("cordon", {"cordoned": True}, {}),
        ("kube-proxy", {"kube_proxy": False}, {}),
        ("kube-proxy", {"kube_proxy_elsewhere": "kube-proxy.service"}, {}),
        ("fixed", {}, {"fixed": "the unit's command line"}),
        ("one-network", {}, {"behind": ("a0",)}),
    ],
)
def test_refused_for_a_node(facts: Facts, check: str, base: dict[str, Any], more: dict[str, Any]) -> None:
    assert of(judge(node(facts, "s1", base, **more)), REFUSE) == {check}


def test_a_release_in_between_and_a_lease(facts: Facts) -> None:
    cluster = replace(facts.cluster, chart_status="pending-upgrade", lease_holder="somebody")
    assert of(judge(replace(facts, cluster=cluster)), REFUSE) == {"release", "lease"}


def test_consents(facts: Facts) -> None:
    assert of(judge(replace(facts, policies=3), policies=True), WARN) == {"policies"}
    cordoned = node(facts, "a0", {"cordoned": True})
    assert of(judge(cordoned, accept=Accept(cordoned=True)), WARN) == {"cordon"}
    ours = node(facts, "a0", {"cordoned": True, "ours": True})
    assert of(judge(ours, accept=Accept(cordoned=True)), REFUSE) == {"cordon"}
    assert of(judge(node(facts, "a0", {"cordoned": True, "ours": True, "claimed": True})), REFUSE) == set()


def test_the_stop_is_said_before(facts: Facts) -> None:
    said = next(finding for finding in judge(facts, Options(together=True)) if finding.check == "stop")
    assert "away while s0, s1, s2 stop and start together" in said.sentence
    assert "stop" in of(judge(World(1, 1).facts()), WARN), "one server: its restart is an outage of the API"


def test_what_a_killed_run_left_does_not_stop_the_next_one() -> None:
    """All servers stopped; a node without any network."""
    world = World(3, 1, Options(together=True))
    for it in world.nodes.values():
        it.up, it.voter = not it.server, not it.server
    found = judge(replace(world.facts(), cluster=replace(world.facts().cluster, dns_replicas=2)), world.options)
    assert of(found, REFUSE) == set() and "etcd" in of(found, NOTE)
    world = World(3, 1)
    world.nodes["a0"].runs_none = True
    cluster = replace(world.facts().cluster, dns_replicas=2)
    assert of(judge(replace(world.facts(), cluster=cluster)), REFUSE) == set()


def test_drains_are_judged_as_those_of_a_stage(facts: Facts) -> None:
    bare = stage2_facts.Pod(PODS[0].ref)
    found = judge(node(facts, "a0", {"pods": (bare,)}))
    assert any("bare" in check for check in of(found, REFUSE))
    assert any("migrate_force=true" in item.remedy for item in found) and not any(
        "stage2_" in item.remedy for item in found)


def test_one_node_has_nowhere_to_go() -> None:
    found = World(1, 0).facts()
    assert "alone" in of(judge(found), REFUSE)


def test_labels_and_notes() -> None:
    seen = {"metadata": {"labels": {"meshwright.k3s-cilium/network": "cilium"},
                         "annotations": {"flannel.alpha.coreos.com/backend-type": "vxlan", "other": "x"}}}  # fmt: skip
    assert labels_of(seen) and notes_of(seen) == {"backend-type": "vxlan"}
    assert not labels_of({}) and notes_of({}) == {}
