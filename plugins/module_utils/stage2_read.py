# SPDX-License-Identifier: GPL-3.0-or-later
"""From the API's objects, the agents' words and the hosts' reports to facts. Pure; each list is read once for all."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as traffic
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_values as settings
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import peers_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, condition
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance import announcers, holders
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.selectors import selects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import (
    DNS_MARK,
    STAGE_LABEL,
    WORK_MARK,
    Budget,
    Facts,
    Node,
    Record,
    Service,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read_pods import (
    Makers,
    Volumes,
    read_pods,
    seconds,
    started,
)

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True)
class HostSays:
    """What a host reports of itself."""

    host: str = ""
    kube_proxy: bool = True
    kube_proxy_elsewhere: str = ""
    kube_proxy_mode: str = ""
    disables: bool = False
    started_disables: bool = False
    leftovers: int = 0
    flows: int = 0
    dead_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Lists:
    """Lists of the API, each asked for once."""

    nodes: Objects = field(default_factory=list)
    pods: Objects = field(default_factory=list)
    replica_sets: Objects = field(default_factory=list)
    stateful_sets: Objects = field(default_factory=list)
    claims: Objects = field(default_factory=list)
    volumes: Objects = field(default_factory=list)
    budgets: Objects = field(default_factory=list)
    services: Objects = field(default_factory=list)
    leases: Objects = field(default_factory=list)  # of kube-system
    node_configs: Objects = field(default_factory=list)
    bgp_nodes: Objects = field(default_factory=list)  # CiliumBGPNodeConfigs
    bgp_clusters: Objects = field(default_factory=list)  # CiliumBGPClusterConfigs
    metallb: bool = False
    config_map: Object | None = None  # cilium-config
    core_dns: Object | None = None  # the Deployment


@dataclass(frozen=True)
class Words:
    """What else is known."""

    agents: tuple[Agent, ...] = ()
    hosts: t.Mapping[str, HostSays] = field(default_factory=dict)  # by node
    release: Release | None = None
    renderings: t.Mapping[int, settings.Data] = field(default_factory=dict)  # of cilium-config, by stage
    flip_restarts: tuple[str, ...] = ()  # sentences of cilium_restarts
    record: Record | None = None
    snapshot: str = ""
    members: int = 0
    kubernetes: str = ""
    service_cidrs: tuple[str, ...] = ()
    lease_holder: str = ""
    only_stage2: tuple[str, ...] = ()


def facts(seen: Lists, words: Words) -> Facts:
    release, values = words.release, words.release.values if words.release else {}
    ours = {settings.stage_of(item): item for item in seen.node_configs if settings.stage_of(item)}
    stage = release.stage if release else None
    return Facts(
        nodes=_nodes(seen, words),
        chart_stage=stage,
        chart_status=release.status if release else "missing",
        chart_version=release.chart_version if release else "",
        revision=release.revision if release else 0,
        operator_current=_operator_current(seen),
        configs={stage: dict(item["spec"].get("defaults") or {}) for stage, item in ours.items()},
        foreign_configs=tuple(
            item["metadata"]["name"] for item in seen.node_configs if not settings.stage_of(item)
        ),
        wanted=_wanted(words.renderings),
        flip_restarts=tuple(text for text in words.flip_restarts if not text.startswith("Deployment cilium-operator")),
        flip_changes=_changes(seen, words, stage),
        only_stage2=words.only_stage2,
        record=words.record,
        snapshot=words.snapshot,
        lease_holder=words.lease_holder,
        members=words.members,
        budgets=tuple(map(_budget, seen.budgets)),
        services=tuple(map(_service, seen.services)),
        dns_replicas=_dns_replicas(seen.core_dns),
        kubernetes=words.kubernetes,
        api_host=str(dig(values, "k8sServiceHost") or ""),
        service_cidrs=words.service_cidrs,
        wait_for_kube_proxy=str(dig(values, "waitForKubeProxy", False)).lower() == "true",
        health_address=str(dig(values, "kubeProxyReplacementHealthzBindAddr") or ""),
    )


def _dns_replicas(core_dns: Object | None) -> int | None:
    if core_dns is None:
        return None
    exchanging = DNS_MARK in (core_dns["metadata"].get("annotations") or {})
    return 1 if exchanging else int(core_dns["spec"].get("replicas", 1))


def _wanted(renderings: t.Mapping[int, settings.Data]) -> dict[int, dict[str, str]]:
    if 1 not in renderings or 2 not in renderings:
        return {}
    one, two = renderings[1], renderings[2]
    return {1: settings.defaults(two, one), 2: settings.defaults(one, two)}


def _changes(seen: Lists, words: Words, stage: int | None) -> tuple[str, ...]:
    if seen.config_map is None or stage is None or stage not in words.renderings:
        return ()
    return settings.strangers(seen.config_map.get("data") or {}, words.renderings[stage])


def _operator_current(seen: Lists) -> bool:
    """Whether each of its pods started after the ConfigMap's last change."""
    meta = (seen.config_map or {}).get("metadata") or {}
    changed = max((seconds(entry.get("time")) for entry in meta.get("managedFields") or []), default=0.0)
    operators = [
        pod for pod in seen.pods
        if (pod["metadata"].get("labels") or {}).get("io.cilium/app") == "operator"
        and not pod["metadata"].get("deletionTimestamp")
    ]  # fmt: skip
    return bool(operators) and all(started(pod) >= changed for pod in operators)


# -- nodes


def _nodes(seen: Lists, words: Words) -> tuple[Node, ...]:
    agents = {agent.node: agent for agent in words.agents}
    begun = {str(pod["metadata"]["uid"]): started(pod) for pod in seen.pods}
    sessions = {config["metadata"]["name"]: tuple(peers_of(config)) for config in seen.bgp_nodes}
    leases = holders(seen.leases)
    makers, volumes = Makers.of(seen.replica_sets, seen.stateful_sets), Volumes.of(seen.claims, seen.volumes)
    on_node: dict[str, Objects] = {}
    for pod in seen.pods:
        on_node.setdefault(pod["spec"].get("nodeName", ""), []).append(pod)
    found = []
    for node in seen.nodes:
        name, labels, notes = _named(node)
        chosen = any(selects((item.get("spec") or {}).get("nodeSelector") or {}, labels) for item in seen.bgp_clusters)
        ways = announcers(labels, notes, sessions.get(name, ()), chosen, leases.count(name), seen.metallb)
        pods = read_pods(on_node.get(name, []), makers, volumes)
        agent = agents.get(name)
        plain = Node(
            name, announcers=ways, pods=pods, ready=condition(node, "Ready"),
            cordoned=bool(node["spec"].get("unschedulable")), ours=traffic.CORDON_MARK in notes,
            claimed=WORK_MARK in notes, label=_label(labels), server=_CONTROL_PLANE in labels,
            voter=condition(node, "EtcdIsVoter") if _CONTROL_PLANE in labels else None,
            agent_started=begun.get(agent.uid, 0.0) if agent else 0.0,
        )  # fmt: skip
        found.append(_with_host(_with_agent(plain, agent), words.hosts.get(name, HostSays())))
    return tuple(found)


def _named(node: Object) -> tuple[str, t.Mapping[str, str], t.Mapping[str, str]]:
    meta = node["metadata"]
    return meta["name"], meta.get("labels") or {}, meta.get("annotations") or {}


def _with_agent(node: Node, agent: Agent | None) -> Node:
    if agent is None:
        return replace(node, agent="", replacement="", agent_message="no pod")
    if agent.says is None:
        return replace(node, agent=agent.uid, replacement="", agent_state="", agent_message=agent.error)
    says = agent.says
    return replace(
        node, agent=agent.uid, replacement=says.replacement, agent_state=says.state, agent_message=says.message
    )


def _with_host(node: Node, host: HostSays) -> Node:
    return replace(
        node, host=host.host or node.name, kube_proxy=host.kube_proxy, kube_proxy_elsewhere=host.kube_proxy_elsewhere,
        kube_proxy_mode=host.kube_proxy_mode,
        disables=host.disables, started_disables=host.started_disables, leftovers=host.leftovers, flows=host.flows,
        dead_ports=host.dead_ports,
    )  # fmt: skip


def _label(labels: t.Mapping[str, str]) -> int:
    return {"1": 1, "2": 2}.get(labels.get(STAGE_LABEL, ""), 0)


def _budget(item: Object) -> Budget:
    status = item.get("status") or {}
    return Budget(
        item["metadata"]["namespace"], item["metadata"]["name"], (item.get("spec") or {}).get("selector"),
        int(status.get("disruptionsAllowed", 0)), int(status.get("currentHealthy", 0)),
        int(status.get("desiredHealthy", 0)), int(status.get("expectedPods", 0)),
    )  # fmt: skip


def _service(item: Object) -> Service:
    spec = item.get("spec") or {}
    addresses = tuple(address for address in spec.get("clusterIPs") or () if address and address != "None")
    return Service(
        item["metadata"]["namespace"], item["metadata"]["name"], int(spec.get("healthCheckNodePort") or 0), addresses
    )
