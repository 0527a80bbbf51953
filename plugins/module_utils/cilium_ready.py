# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be seen before Cilium may be called up: judged on the objects themselves. Pure but for look()."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import newest
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import (
    NAMESPACE,
    Agent,
    agents,
    condition,
    table,
    told,
    waiting_for,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_PARTS = "app.kubernetes.io/part-of=cilium"
_SHOWN = 6
_CRDS = ("ciliumnodes", "ciliumendpoints", "ciliumidentities", "ciliumnetworkpolicies")


@dataclass(frozen=True)
class Seen:
    problems: tuple[str, ...]
    agents: tuple[Agent, ...] = ()


class NotUp(TimedOut):
    """The wait ended; with the last table of the agents, where they could be asked."""

    def __init__(self, error: MeshwrightError, rows: tuple[str, ...]) -> None:
        super().__init__(error.thing, seen=error.seen, wanted=error.wanted, remedy=error.remedy)
        self.rows = rows


def info(kube: Kube, timeout: float, clock: Clock = CLOCK) -> dict[str, t.Any]:
    """All that can be read, whatever is missing; agents that do not answer are asked again for a while."""
    end = clock.now() + timeout
    found = agents(kube)
    while any(agent.says is None and agent.pod for agent in found) and clock.now() < end:
        clock.sleep(2.0)
        found = agents(kube)
    release = newest(kube)
    return {
        "release": None if release is None else {
            "revision": release.revision, "status": release.status, "chart_version": release.chart_version,
            "stage": release.stage,
        },
        "agents": told(found),
        "table": table(found),
        "workloads": objections(kube),
    }


def objections(kube: Kube) -> list[str]:
    return [
        *crd_problems(kube.list("CustomResourceDefinition", api_version="apiextensions.k8s.io/v1")),
        *workload_problems(
            kube.list("DaemonSet", NAMESPACE, "apps/v1", labels=_PARTS),
            kube.list("Deployment", NAMESPACE, "apps/v1", labels=_PARTS),
        ),
    ]


def look(kube: Kube, stage: int) -> Seen:
    """The cheap questions first; the agents themselves are asked once the API has nothing to object."""
    problems = objections(kube)
    if problems:
        return Seen((*problems, *pod_problems(kube.list("Pod", NAMESPACE, labels=_PARTS))))
    found = agents(kube)
    # Overrides per node are somebody's stage change under way: then each agent may say what its node was told.
    moving = bool(kube.list("CiliumNodeConfig", api_version="cilium.io/v2"))
    wanted = None if moving else stage
    return Seen(tuple(problem for agent in found for problem in agent_problems(agent, wanted)), found)


def crd_problems(crds: t.Sequence[Object]) -> list[str]:
    established = {crd["metadata"]["name"] for crd in crds if condition(crd, "Established")}
    missing = [name for name in _CRDS if f"{name}.cilium.io" not in established]
    return [f"CRDs not established yet: {', '.join(missing)}"] if missing else []


def workload_problems(daemonsets: t.Sequence[Object], deployments: t.Sequence[Object]) -> list[str]:
    names = {workload["metadata"]["name"] for workload in (*daemonsets, *deployments)}
    problems = [f"{name} is not there" for name in ("cilium", "cilium-operator") if name not in names]
    for workload in daemonsets:
        status = workload.get("status") or {}
        wanted = status.get("desiredNumberScheduled", 0)
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
        problems += _progress("DaemonSet", workload, wanted, updated, available)
    for workload in deployments:
        status = workload.get("status") or {}
        wanted = workload["spec"].get("replicas", 1)
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
        problems += _progress("Deployment", workload, wanted, updated, available)
    return problems


def pod_problems(pods: t.Sequence[Object]) -> list[str]:
    """Why pods are not ready, in their own words: the first few."""
    late = [pod for pod in pods if not condition(pod, "Ready") and not pod["metadata"].get("deletionTimestamp")]
    return [
        f"pod {pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}: {waiting_for(pod)}"
        for pod in late[:_SHOWN]
    ]


def _progress(kind: str, workload: Object, wanted: int, updated: int, available: int) -> list[str]:
    name = f"{kind} {workload['metadata']['name']}"
    if (workload.get("status") or {}).get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return [f"{name}: not taken up by its controller yet"]
    if updated < wanted:
        return [f"{name}: {updated} of {wanted} pods are new"]
    if available < wanted:
        return [f"{name}: {available} of {wanted} pods are available"]
    return []


def agent_problems(agent: Agent, stage: int | None) -> list[str]:
    """What keeps one node from being well; `stage` None leaves the kube-proxy replacement alone.

    Whom the agent reaches is not asked here: its rounds are minutes apart, and the first one runs before the other
    nodes are up. Traffic of our own tells that sooner.
    """
    if agent.says is None:
        return [f"{agent.node}: agent: {agent.error}"]
    problems, says = [], agent.says
    if says.state != "Ok":
        problems.append(f"{agent.node}: agent says {says.state or 'nothing'} {says.message}".strip())
    wanted = {1: "False", 2: "True"}.get(stage or 0)
    if wanted and says.replacement != wanted:
        problems.append(f"{agent.node}: kube-proxy replacement is {says.replacement or 'not told'}, wanted {wanted}")
    if agent.tainted:
        problems.append(f"{agent.node}: still tainted agent-not-ready")
    if not agent.node_ready:
        problems.append(f"{agent.node}: not Ready")
    return problems


def wait(kube: Kube, stage: int, timeout: float, clock: Clock = CLOCK) -> Seen:
    """Until nothing is left to object; the last table is in the error."""
    rows: list[str] = []

    def once() -> Seen:
        seen = look(kube, stage)
        rows[:] = table(seen.agents) if seen.agents else []
        return seen

    try:
        return wait_until(
            once, lambda seen: not seen.problems, thing="Cilium", wanted="up on all nodes", timeout=timeout,
            describe=lambda seen: "not up (" + "; ".join(seen.problems) + ")", interval=2.0, clock=clock,
            remedy="see the events and logs of kube-system's pods k8s-app=cilium; the next run goes on from here",
        )
    except TimedOut as error:
        raise NotUp(error, tuple(rows)) from error
