"""Facts from the API's own objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, AgentSays
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import CORDON_MARK
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import STAGE_LABEL, WORK_MARK
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_gate import judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import STAGE2, plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import HostSays, Lists, Words, facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import node_config

NOON = "2026-01-02T12:00:00Z"
LATER = "2026-01-02T12:00:01Z"


def node(name: str, server: bool = False, marks: tuple[str, ...] = (), **labels: str) -> dict[str, Any]:
    role = {"node-role.kubernetes.io/control-plane": "true"} if server else {}
    return {
        "metadata": {"name": name, "labels": {**role, **labels}, "annotations": dict.fromkeys(marks, "true")},
        "spec": {"unschedulable": True} if CORDON_MARK in marks else {},
        "status": {"conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "EtcdIsVoter")]},
    }


def pod(name: str, where: str, owner: str = "ReplicaSet", **more: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "name": f"{name}-rs", "uid": f"rs-{name}", "controller": True}] if owner else []
    meta = {"namespace": "web", "name": name, "uid": f"uid-{name}", "labels": more.pop("labels", {})}
    return {
        "metadata": {**meta, "ownerReferences": owners},
        "spec": {"nodeName": where, "volumes": more.pop("volumes", [])},
        "status": {"phase": "Running", "startTime": more.pop("start", NOON)},
    }


SAYS = AgentSays("Ok", "", "False", 9, (), None, None, ())


def agent(name: str, says: AgentSays | None = SAYS) -> Agent:
    return Agent(name, True, False, f"cilium-{name}", f"agent-{name}", True, says, "" if says else "not ready yet")


CILIUM = {"app.kubernetes.io/part-of": "cilium"}
DATA = {"kube-proxy-replacement": "false", "cni-chaining-mode": "portmap"}
LISTS = Lists(
    nodes=[
        node("one", server=True),
        node("two", marks=(CORDON_MARK, WORK_MARK), **{STAGE_LABEL: "2", WITHDRAWN_LABEL: ""}),
    ],
    pods=[
        pod("web", "two", volumes=[
            {"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}},
        ]),
        pod("log", "two", "DaemonSet"), pod("cilium-two", "two", "DaemonSet", labels=CILIUM),
        {**pod("agent", "two", "DaemonSet", labels=CILIUM, start=LATER), "metadata": {
            "namespace": "kube-system", "name": "cilium-b", "uid": "agent-two", "labels": CILIUM,
            "ownerReferences": [{"kind": "DaemonSet", "controller": True, "name": "cilium", "uid": "x"}],
        }},
        pod("operator", "one", labels={**CILIUM, "io.cilium/app": "operator"}),
    ],
    replica_sets=[{"metadata": {"uid": "rs-web"}, "spec": {"replicas": 1}}],
    claims=[{"metadata": {"namespace": "web", "name": "disk"}, "spec": {"volumeName": "pv"}}],
    volumes=[{"metadata": {"name": "pv"}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["two"]}]}
    ]}}}}],
    budgets=[{
        "metadata": {"namespace": "web", "name": "keep"}, "spec": {"selector": {"matchLabels": {}}},
        "status": {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2},
    }],
    services=[{
        "metadata": {"namespace": "web", "name": "it"},
        "spec": {"healthCheckNodePort": 31234, "clusterIPs": ["10.43.0.9"]},
    }],
    node_configs=[node_config(2, {"kube-proxy-replacement": "true"}, (1, 20)), {"metadata": {"name": "theirs"}}],
    config_map={"metadata": {"managedFields": [{"time": NOON}, {}]}, "data": {**DATA, "mtu": "9000"}},
    core_dns={"metadata": {}, "spec": {"replicas": 2}},
)  # fmt: skip
WORDS = Words(
    agents=(agent("one"), agent("two")), hosts={"one": HostSays("server1", leftovers=3)},
    release=Release(4, "deployed", "1.20.2", {"kubeProxyReplacement": "false", "k8sServiceHost": "127.0.0.1"}, "", "r"),
    renderings={1: DATA, 2: {"kube-proxy-replacement": "true"}},
    flip_restarts=("Deployment cilium-operator: x",), members=1, kubernetes="v1.34.4+k3s1",
)  # fmt: skip


def test_the_cluster() -> None:
    found = facts(LISTS, WORDS)
    assert (found.chart_stage, found.chart_status, found.chart_version, found.revision) == (1, "deployed", "1.20.2", 4)
    assert found.configs == {2: {"kube-proxy-replacement": "true"}} and found.foreign_configs == ("theirs",)
    assert found.wanted[2] == {"kube-proxy-replacement": "true", "cni-chaining-mode": "none"}
    assert found.wanted[1] == DATA and found.flip_changes == ("mtu",) and found.flip_restarts == ()
    assert found.api_host == "127.0.0.1" and not found.wait_for_kube_proxy and found.dns_replicas == 2
    assert found.health_ports == (31234,) and found.budgets[0].expected == 2 and not found.budgets[0].never


def test_the_nodes() -> None:
    one, two = facts(LISTS, WORDS).nodes
    assert (one.host, one.server, one.voter, one.leftovers, one.replacement) == ("server1", True, True, 3, "False")
    assert (two.server, two.voter, two.label) == (False, None, 2)
    assert two.claimed and two.ours and two.cordoned and two.withdrawn
    web, log = two.pods
    assert web.moves and (web.replicas, web.emptydirs, web.local_volumes) == (1, ("tmp",), ("disk",))
    assert not log.moves and two.kept == (log,), "it started before the agent"
    assert [str(item.ref) for item in one.pods] == ["web/operator"]


def test_an_agent_that_cannot_be_asked() -> None:
    one, two = facts(LISTS, replace(WORDS, agents=(agent("one", None),))).nodes
    assert (one.replacement, one.agent_message, one.agent) == ("", "not ready yet", "agent-one")
    assert (two.replacement, two.agent) == ("", "")


def test_core_dns_counts_as_one_until_its_pods_are_exchanged() -> None:
    half = {"metadata": {"annotations": {"meshwright.k3s-cilium/dns": "{}"}}, "spec": {"replicas": 2}}
    assert facts(replace(LISTS, core_dns=half), WORDS).dns_replicas == 1
    assert facts(replace(LISTS, core_dns=None), WORDS).dns_replicas is None


def test_the_operator_reads_when_it_starts() -> None:
    assert facts(LISTS, WORDS).operator_current
    newer = {**(LISTS.config_map or {}), "metadata": {"managedFields": [{"time": LATER}]}}
    assert not facts(replace(LISTS, config_map=newer), WORDS).operator_current
    assert not facts(replace(LISTS, pods=[]), WORDS).operator_current


def test_nothing_there_yet() -> None:
    found = facts(Lists(), Words())
    assert found.nodes == () and found.chart_stage is None and found.chart_status == "missing"


def test_gate_and_plan_read_it() -> None:
    found = facts(LISTS, WORDS)
    checks = {finding.check for finding in judge(found, STAGE2)}
    assert checks >= {"release", "node-configs", "emptydir", "local-volumes"}
    turn = [step.kind for step in plan(found, STAGE2).of("two", "nodes")]
    assert turn[:4] == ["gone", "drain", "restart", "replaced"] and turn[-1] == "release"
