# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the steps between the stages that are the Kubernetes API's, one by one. Runs on the controller.

Each can be taken again. Traffic's steps are the role maintenance's, the release's are Helm's, k3s' are the hosts'.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_values, versions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_ready import agent_problems
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import (
    AGENTS,
    NAMESPACE,
    Agent,
    agent_on,
    condition,
    waiting_for,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import (
    CONFIG_NAME,
    RECORD_NAME,
    STAGE_LABEL,
    WORK_MARK,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_OPERATOR = "io.cilium/app=operator"


def mark(kube: Kube, node: str, stage: int | None = None, claimed: bool | None = None) -> None:
    """The label and the note on a node; None leaves either as it is, 0 and False remove it."""
    meta: Object = {}
    if stage is not None:
        meta["labels"] = {STAGE_LABEL: str(stage) if stage else None}
    if claimed is not None:
        meta["annotations"] = {WORK_MARK: "true" if claimed else None}
    kube.merge("Node", node, {"metadata": meta})


def configure(kube: Kube, stage: int, over: stage2_values.Data, cilium: versions.Minor) -> None:
    kube.apply(stage2_values.node_config(stage, over, cilium))


def unconfigure(kube: Kube, cilium: versions.Minor) -> bool:
    version = versions.api_version("CiliumNodeConfig", cilium)
    names = [CONFIG_NAME.format(stage=stage) for stage in (1, 2)]
    deleted = [kube.delete("CiliumNodeConfig", name, NAMESPACE, version) for name in names]
    return any(deleted)


def restart_agent(kube: Kube, node: str) -> str:
    """Lets the node's agent go; its UID, by which its successor is told apart. Empty: there was none."""
    pods = living(kube, NAMESPACE, AGENTS, node)
    for pod in pods:
        kube.delete("Pod", pod["metadata"]["name"], NAMESPACE)
    return str(pods[0]["metadata"]["uid"]) if pods else ""


def wait_replaced(kube: Kube, node: str, stage: int, former: str, timeout: float, clock: Clock = CLOCK) -> Agent:
    """Until another agent than the former one says, itself, that it is as the stage wants it."""

    def describe(agent: Agent) -> str:
        if agent.uid in ("", former):
            return "the former one" if agent.uid else "not there yet"
        return "; ".join(agent_problems(agent, stage))

    return wait_until(
        lambda: _agent_of(kube, node), lambda agent: not describe(agent),
        thing=f"the Cilium agent of {node}", describe=describe, timeout=timeout, clock=clock,
        wanted=f"a new one with the replacement {'on' if stage == 2 else 'off'}",
        remedy="see the pod's events and log; the node is put back to where it was",
    )  # fmt: skip


def wait_well(kube: Kube, node: str, timeout: float, clock: Clock = CLOCK) -> Agent:
    """Until the node's agent has nothing to complain of, whatever it does about services."""
    return wait_until(
        lambda: _agent_of(kube, node), lambda agent: not agent_problems(agent, None), timeout=timeout, clock=clock,
        thing=f"the Cilium agent of {node}", describe=lambda agent: "; ".join(agent_problems(agent, None)),
        wanted="well", remedy="see the pod's events and log",
    )


def _agent_of(kube: Kube, node: str) -> Agent:
    agent = agent_on(kube, node)
    if agent is None:
        raise MeshwrightError(f"the node {node}", seen="gone", wanted="in the cluster", remedy="see who removed it")
    return agent


def wait_operator(kube: Kube, timeout: float, clock: Clock = CLOCK) -> None:
    """Helm may be restarting it already."""
    wait_deployment(kube, "cilium-operator", timeout, clock)


def restart_operator(kube: Kube, timeout: float, clock: Clock = CLOCK) -> None:
    """Its pods go one after the other, so that one of several is always there."""
    for pod in living(kube, NAMESPACE, _OPERATOR):
        kube.delete("Pod", pod["metadata"]["name"], NAMESPACE)
        wait_deployment(kube, "cilium-operator", timeout, clock, {str(pod["metadata"]["uid"])}, _OPERATOR)


def renew(kube: Kube, node: str, namespace: str, name: str, timeout: float, clock: Clock = CLOCK) -> None:
    """Lets a pod go that is made again right there, and waits for its successor."""
    pod = kube.get("Pod", name, namespace)
    if pod is None:
        return
    makers = _makers(pod)
    kube.delete("Pod", name, namespace)

    def successors() -> Objects:
        others = (item for item in living(kube, namespace, "", node) if item["metadata"]["name"] != name)
        return [item for item in others if makers & _makers(item)]

    wait_until(
        successors, lambda found: any(condition(item, "Ready") for item in found), timeout=timeout, clock=clock,
        thing=f"the successor of pod {namespace}/{name} on {node}", wanted="Ready",
        describe=lambda found: "; ".join(map(waiting_for, found)) or "not there yet", remedy="see the pod's events",
    )


def _makers(pod: Object) -> set[tuple[str, str]]:
    return {(item["kind"], item["name"]) for item in pod["metadata"].get("ownerReferences") or []}


def keep_record(kube: Kube, secret: Object) -> None:
    kube.apply(secret)


def forget(kube: Kube) -> bool:
    return kube.delete("Secret", RECORD_NAME, NAMESPACE)


def living(kube: Kube, namespace: str, labels: str, node: str = "") -> Objects:
    pods = kube.list("Pod", namespace, labels=labels, fields=f"spec.nodeName={node}" if node else "")
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def wait_deployment(
    kube: Kube, name: str, timeout: float, clock: Clock, gone: t.Container[str] = (), labels: str = ""
) -> None:
    def late() -> str:
        found = kube.get("Deployment", name, NAMESPACE, "apps/v1") or {"spec": {}, "metadata": {}}
        status, wanted = found.get("status") or {}, int(found["spec"].get("replicas", 1))
        if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
            return "not taken up by its controller yet"
        if labels and any(pod["metadata"]["uid"] in gone for pod in kube.list("Pod", NAMESPACE, labels=labels)):
            return "still the former pod"
        ready = min(int(status.get("availableReplicas", 0)), int(status.get("updatedReplicas", 0)))
        return "" if ready >= wanted else f"{ready} of {wanted} pods available"

    wait_until(
        late, lambda text: not text, thing=f"the Deployment {NAMESPACE}/{name}", wanted="available", timeout=timeout,
        clock=clock, remedy="see the events of its pods",
    )
