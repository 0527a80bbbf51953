"""What is refused before anything is changed between the stages, and what is only told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import NOTE, REFUSE, WARN, Finding
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Announcer
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import PodRef
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import (
    FALSE,
    TRUE,
    Budget,
    Facts,
    Node,
    Pod,
    Record,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_gate import Accept, judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import BACK, STAGE2, Options

SERVERS = tuple(
    Node(f"s{number}", f"server{number}", server=True, voter=True, agent=f"u{number}", replacement=FALSE)
    for number in range(3)
)
AGENT = Node("a0", "agent0", agent="u9", replacement=FALSE)
WELL = Facts(
    (*SERVERS, AGENT), chart_version="1.20.2", kubernetes="v1.34.4+k3s1", members=3, dns_replicas=2,
    service_cidrs=("10.43.0.0/16", "fd00:43::/112"),
)  # fmt: skip
AT_2 = replace(
    WELL, chart_stage=2, record=Record(3),
    nodes=tuple(
        replace(node, replacement=TRUE, kube_proxy=False, disables=node.server, started_disables=True)
        for node in WELL.nodes
    ),
)  # fmt: skip


def pod(name: str, owner: str = "ReplicaSet", **changes: Any) -> Pod:
    ref = PodRef(changes.pop("namespace", "web"), name, f"uid-{name}", {"app": name.split("-")[0]})
    return Pod(ref, owner, f"{name}-rs" if owner else "", **changes)


def with_agent(facts: Facts = WELL, **changes: Any) -> Facts:
    return replace(facts, nodes=(*facts.nodes[:3], replace(facts.nodes[3], **changes)))


def with_pods(*pods: Pod, **changes: Any) -> Facts:
    return replace(with_agent(pods=pods), **changes)


def with_server(**changes: Any) -> Facts:
    return replace(WELL, nodes=(replace(SERVERS[0], **changes), *WELL.nodes[1:]))


def told(found: tuple[Finding, ...], level: str) -> set[str]:
    return {finding.check for finding in found if finding.level == level}


@pytest.mark.parametrize(("facts", "direction"), [(WELL, STAGE2), (AT_2, BACK), (WELL, BACK), (AT_2, STAGE2)])
def test_nothing_speaks_against_a_cluster_that_is_well(facts: Facts, direction: str) -> None:
    assert judge(facts, direction) == ()


BUDGET = Budget("web", "keep", {"matchLabels": {"app": "a"}}, allowed=0, healthy=2, desired=2, expected=2)

REFUSED: list[tuple[Facts, str, str, str]] = [
    (replace(WELL, lease_holder="other"), "lease", "k3s_cluster", "held by other"),
    (replace(WELL, chart_stage=None), "release", "k3s_cluster", "missing"),
    (replace(WELL, chart_status="pending-upgrade"), "release", "k3s_cluster", "pending-upgrade"),
    (replace(WELL, flip_restarts=("DaemonSet cilium",)), "release", "k3s_cluster", "restarts DaemonSet cilium"),
    (replace(WELL, flip_changes=("mtu",)), "release", "k3s_cluster", "mtu"),
    (replace(WELL, foreign_configs=("theirs",)), "node-configs", "k3s_cluster", "theirs"),
    (replace(WELL, chart_version="1.16.1"), "versions", "k3s_cluster", "1.16 on Kubernetes 1.34"),
    (replace(WELL, chart_version=""), "versions", "k3s_cluster", "''"),
    (replace(WELL, kubernetes="new"), "versions", "k3s_cluster", "new"),
    (replace(WELL, wait_for_kube_proxy=True), "wait-for-kube-proxy", "k3s_cluster", "true"),
    (replace(WELL, health_address="0.0.0.0:10256"), "health-address", "k3s_cluster", "10256"),
    (replace(WELL, api_host=""), "api-host", "k3s_cluster", "not set"),
    (replace(WELL, api_host="10.43.0.1"), "api-host", "k3s_cluster", "inside the services' 10.43.0.0/16"),
    (replace(WELL, api_host="fd00:43::1"), "api-host", "k3s_cluster", "inside the services' fd00:43::/112"),
    (replace(WELL, api_host="kubernetes.default.svc"), "api-host", "k3s_cluster", "kubernetes.default.svc"),
    (with_server(voter=False), "etcd", "k3s_cluster", "2 voters of 3 members (not server0)"),
    (replace(WELL, members=4), "etcd", "k3s_cluster", "a member that is no node"),
    (replace(WELL, nodes=SERVERS[:1], members=1), "alone", "k3s_cluster", "1"),
    (with_agent(ready=False), "ready", "agent0", "not Ready"),
    (with_agent(agent=""), "agent", "agent0", "missing"),
    (with_agent(replacement="", agent_message="image not found"), "agent", "agent0", "image not found"),
    (with_agent(agent_state="Failure", agent_message="bpf"), "agent", "agent0", "Failure bpf"),
    (with_agent(cordoned=True), "cordon", "agent0", "somebody else"),
    (with_agent(cordoned=True, ours=True), "cordon", "agent0", "the maintenance"),
    (with_agent(announcers=(Announcer("bgp", True, 0),)), "cordon", "agent0", "the maintenance"),
    (with_agent(kube_proxy_elsewhere="kube-proxy.service"), "kube-proxy", "agent0", "kube-proxy.service"),
    (with_agent(kube_proxy_mode="ipvs"), "kube-proxy-mode", "agent0", "ipvs"),
    (with_agent(kube_proxy=False), "kube-proxy", "agent0", "nobody"),
    (with_server(disables=True), "kube-proxy", "server0", "does not replace it on all nodes"),
    (with_pods(pod("a"), budgets=(BUDGET,)), "budgets", "k3s_cluster", "no drain can ever meet"),
    (
        with_pods(pod("a"), budgets=(replace(BUDGET, allowed=1, desired=1), replace(BUDGET, name="b", desired=1))),
        "budgets", "k3s_cluster", "counted by 2 budgets (web/keep, web/b)",
    ),
    (with_pods(pod("a", "")), "bare-pods", "agent0", "web/a"),
    (with_pods(pod("a", emptydirs=("data",))), "emptydir", "agent0", "web/a (data)"),
    (with_pods(pod("a", local_volumes=("disk",))), "local-volumes", "agent0", "web/a (disk)"),
    (replace(WELL, dns_replicas=1), "dns", "k3s_cluster", "1 replica"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "check", "host", "seen"), REFUSED, ids=lambda item: str(item)[:30])
def test_refused(facts: Facts, check: str, host: str, seen: str) -> None:
    found = [finding for finding in judge(facts, STAGE2) if finding.level == REFUSE]
    assert {finding.check for finding in found} == {check}
    assert found[0].host == host and seen in found[0].seen and found[0].wanted and found[0].remedy


def test_all_of_it_at_once() -> None:
    bad = replace(with_pods(pod("a", "", emptydirs=("x",))), wait_for_kube_proxy=True, dns_replicas=1, api_host="")
    assert told(judge(bad, STAGE2), REFUSE) == {"bare-pods", "emptydir", "wait-for-kube-proxy", "dns", "api-host"}


AGREED = Accept(cordoned=True, emptydir=True, bare=True, local=True, single=True)


def test_what_the_user_agrees_to_is_only_told() -> None:
    facts = replace(
        with_agent(pods=(pod("a", "", emptydirs=("x",), local_volumes=("y",)),), cordoned=True), dns_replicas=1
    )
    found = judge(facts, STAGE2, accept=AGREED)
    assert told(found, REFUSE) == set() and told(found, WARN) == {
        "cordon", "bare-pods", "emptydir", "local-volumes", "dns",
    }  # fmt: skip
    assert judge(replace(WELL, dns_replicas=1), STAGE2, Options(scale_dns=True)) == ()


def test_a_node_in_work_is_no_stranger() -> None:
    working = with_agent(cordoned=True, ours=True, claimed=True, announcers=(Announcer("bgp", True, 0),))
    assert judge(working, STAGE2) == ()


def test_without_a_drain_nothing_is_said_of_pods() -> None:
    facts = replace(with_pods(pod("a", ""), pod("b", emptydirs=("x",)), budgets=(BUDGET,)), dns_replicas=1)
    assert judge(facts, STAGE2, Options(drain=False)) == ()
    alone = replace(WELL, nodes=SERVERS[:1], members=1)
    assert told(judge(alone, STAGE2, Options(drain=False, withdraw=False)), REFUSE) == set()


def test_only_nodes_that_will_be_drained_count() -> None:
    """A node that is there already stays as it is; so do its pods."""
    done = with_agent(pods=(pod("a", ""),), replacement=TRUE, label=2)
    assert judge(replace(done, configs={2: {}}), STAGE2) == ()


def test_what_is_only_told() -> None:
    longhorn = replace(BUDGET, namespace="longhorn-system")
    held = pod("a-0", namespace="longhorn-system")
    facts = replace(with_pods(held, pod("b", replicas=1)), budgets=(longhorn,), api_host="192.0.2.1")
    found = judge(facts, STAGE2)
    assert told(found, REFUSE) == set() and told(found, WARN) == {"longhorn", "single", "api-host"}
    now = replace(BUDGET, desired=1)
    assert told(judge(with_pods(pod("a"), budgets=(now,)), STAGE2), WARN) == {"budgets"}
    assert told(judge(replace(WELL, nodes=(SERVERS[0], AGENT), members=1), STAGE2), WARN) == {"etcd"}


def test_pods_that_keep_their_sockets() -> None:
    facts = with_pods(pod("log", "DaemonSet"), pod("static", "Node", static=True))
    found = judge(facts, STAGE2)
    assert told(found, NOTE) == {"kept-pods"} and "web/log, web/static" in found[0].seen
    assert judge(facts, STAGE2, Options(renew=True)) == ()


def test_the_way_back() -> None:
    without = judge(replace(AT_2, record=None), BACK)
    assert told(without, WARN) == {"record"} and told(without, REFUSE) == set()
    needs = judge(replace(AT_2, only_stage2=("cilium_gateway_api",)), BACK)
    assert told(needs, REFUSE) == {"only-stage-2"}
    assert judge(replace(AT_2, only_stage2=("cilium_gateway_api",), health_address="x:1"), STAGE2) == ()
