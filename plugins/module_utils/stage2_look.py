# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster all that the plan between the stages reads. Runs on the controller; changes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import NODE_CONFIG, heard, listed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import NAMESPACE, Agent, agents
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance import METALLB
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import RECORD_NAME, Record
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import Lists
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_record import from_object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import CONFIG_MAP
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

_APPS = "apps/v1"
_AGAIN = 1.0  # seconds until silent agents are asked again


def lists(kube: Kube, cilium: versions.Minor) -> Lists:
    """Each kind once, whatever the number of nodes."""
    return Lists(
        nodes=_nodes(kube),
        pods=kube.list("Pod"),
        replica_sets=kube.list("ReplicaSet", api_version=_APPS),
        stateful_sets=kube.list("StatefulSet", api_version=_APPS),
        claims=kube.list("PersistentVolumeClaim"),
        volumes=kube.list("PersistentVolume"),
        budgets=kube.list("PodDisruptionBudget", api_version="policy/v1"),
        services=kube.list("Service"),
        leases=kube.list("Lease", NAMESPACE, "coordination.k8s.io/v1"),
        node_configs=_node_configs(kube, cilium),
        bgp_nodes=heard(kube, listed(kube, NODE_CONFIG)),
        bgp_clusters=listed(kube, "CiliumBGPClusterConfig"),
        metallb=any(kube.list("DaemonSet", "", _APPS, labels=label) for label in METALLB),
        config_map=kube.get("ConfigMap", CONFIG_MAP, NAMESPACE),
        core_dns=kube.get("Deployment", "coredns", NAMESPACE, _APPS),
    )


def brief(kube: Kube, cilium: versions.Minor) -> Lists:
    """As much as a guard reads: nodes, and what their agents start with."""
    return Lists(nodes=_nodes(kube), node_configs=_node_configs(kube, cilium))


def _nodes(kube: Kube) -> Objects:
    return sorted(kube.nodes(), key=lambda node: str(node["metadata"]["name"]))


def _node_configs(kube: Kube, cilium: versions.Minor) -> Objects:
    return kube.list("CiliumNodeConfig", NAMESPACE, versions.api_version("CiliumNodeConfig", cilium))


def answering(
    kube: Kube, timeout: float, clock: Clock = CLOCK, expected: t.Container[str] | None = None,
    only: t.Container[str] | None = None,
) -> tuple[Agent, ...]:  # fmt: skip
    """The agents, once each has said something: one that a killed run restarted needs its time, and a plan that did
    not hear it would restart it again. `expected` are the nodes that should have one, `only` those that are asked at
    all; by default all."""
    end = clock.now() + timeout
    found = agents(kube, only)

    def silent(agent: Agent) -> bool:
        return agent.says is None and (expected is None or agent.node in expected)

    while any(map(silent, found)) and clock.now() < end:
        clock.sleep(_AGAIN)
        found = agents(kube, only)
    return found


def record(kube: Kube) -> tuple[Record, t.Mapping[str, t.Any]] | None:
    return from_object(kube.get("Secret", RECORD_NAME, NAMESPACE))
