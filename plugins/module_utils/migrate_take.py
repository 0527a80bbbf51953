# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the API what a migration reads, and takes the steps that are the API's. Runs on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_look, stage2_take
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import listed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import settled
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import AGENTS, NAMESPACE, condition
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance import METALLB
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    BESIDE,
    CILIUM,
    FLANNEL_NOTES,
    NETWORK_LABEL,
    Ends,
    Facts,
    labels_of,
    notes_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_read import (
    HostSays,
    Words,
    facts,
    release_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import MIRROR
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import Lists
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import Words as StageWords
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_values import CONFIG_MAP
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_APPS = "apps/v1"
_ANSWER = 60.0  # seconds that agents have to say something
_MANAGER, _RENEWALS = "kube-controller-manager", 2


def look(kube: Kube, hosts: t.Mapping[str, HostSays], ends: Ends, members: int = 0, lease_holder: str = "") -> Facts:
    """Each kind once, whatever the number of nodes. Before Cilium came, its own kinds are not there."""
    seen = Lists(
        nodes=sorted(kube.nodes(), key=lambda node: str(node["metadata"]["name"])), pods=kube.list("Pod"),
        replica_sets=kube.list("ReplicaSet", api_version=_APPS),
        stateful_sets=kube.list("StatefulSet", api_version=_APPS),
        claims=kube.list("PersistentVolumeClaim"), volumes=kube.list("PersistentVolume"),
        budgets=kube.list("PodDisruptionBudget", api_version="policy/v1"), services=kube.list("Service"),
        leases=kube.list("Lease", NAMESPACE, "coordination.k8s.io/v1"),
        metallb=any(kube.list("DaemonSet", "", _APPS, labels=label) for label in METALLB),
        config_map=kube.get("ConfigMap", CONFIG_MAP, NAMESPACE),
        core_dns=kube.get("Deployment", "coredns", NAMESPACE, _APPS),
    )  # fmt: skip
    release = settled(kube)
    labelled = {str(node["metadata"]["name"]) for node in seen.nodes if labels_of(node)}
    expected = labelled if release_of(release) == BESIDE else None
    stage = StageWords(
        agents=stage2_look.answering(kube, _ANSWER, expected=expected) if release else (), release=release,
        members=members, lease_holder=lease_holder, kubernetes=str(kube.version().get("gitVersion", "")),
    )  # fmt: skip
    policies = len(kube.list("NetworkPolicy", api_version="networking.k8s.io/v1"))
    return facts(seen, Words(stage, hosts, listed(kube, "CiliumEndpoint"), policies, ends))


# -- steps


def label(kube: Kube, node: str, on: bool) -> None:
    kube.merge("Node", node, {"metadata": {"labels": {NETWORK_LABEL: CILIUM if on else None}}})


def dismiss(kube: Kube, node: str, timeout: float, clock: Clock = CLOCK) -> tuple[str, ...]:
    """Until none of their containers runs. Their sandboxes stay until there is a network plugin to let go of them."""
    names = {_named(pod) for pod in _networked(kube, node)}
    if names:
        wait_governed(kube, timeout, clock)
    for pod in _networked(kube, node):
        if not pod["metadata"].get("deletionTimestamp"):
            kube.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    wait_until(
        lambda: [pod for pod in _networked(kube, node) if _named(pod) in names and _runs(pod)],
        lambda pods: not pods, thing=f"the pods of DaemonSets on {node}", wanted="ended", timeout=timeout, clock=clock,
        describe=lambda pods: f"running ({', '.join(map(_named, pods))})", remedy="see why they do not end",
    )  # fmt: skip
    return tuple(sorted(names))


def wait_governed(kube: Kube, timeout: float, clock: Clock = CLOCK) -> None:
    """Until somebody takes pods that end out of services. The controller manager in charge may just have gone with its
    server's k3s, and is followed when its Lease has ended. One that changes while it is watched has a living holder;
    it does so twice, as controllers need a moment to begin. Without a Lease there is only one, and it is there."""
    seen: list[tuple[str, str]] = []

    def renewals() -> int:
        lease = kube.get("Lease", _MANAGER, NAMESPACE, "coordination.k8s.io/v1")
        if lease is None:
            return _RENEWALS
        now = (str(lease["spec"].get("holderIdentity")), str(lease["spec"].get("renewTime")))
        if seen and seen[-1][0] != now[0]:
            seen.clear()
        if now not in seen:
            seen.append(now)
        return len(seen) - 1

    wait_until(
        renewals, lambda count: count >= _RENEWALS, thing="the controller manager in charge", timeout=timeout,
        wanted=f"one that renews its Lease {NAMESPACE}/{_MANAGER}", describe=lambda _count: "silent", clock=clock,
        remedy="see k3s' journal on the servers",
    )  # fmt: skip


def _networked(kube: Kube, node: str) -> Objects:
    """With an address of their own; a static one cannot be deleted here."""
    pods = kube.list("Pod", fields=f"spec.nodeName={node}")
    return [
        pod for pod in pods
        if not pod["spec"].get("hostNetwork") and MIRROR not in (pod["metadata"].get("annotations") or {})
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]  # fmt: skip


def _runs(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (item.get("state") or {}) for item in statuses)


def _named(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def expel(kube: Kube, node: str, timeout: float, clock: Clock = CLOCK) -> None:
    """Until the DaemonSet has taken its agent away."""
    label(kube, node, on=False)
    wait_until(
        lambda: _agents_on(kube, node), lambda pods: not pods, thing=f"the Cilium agent of {node}", wanted="gone",
        describe=lambda pods: ", ".join(str(pod["metadata"]["name"]) for pod in pods), timeout=timeout, clock=clock,
        remedy="see the DaemonSet cilium: does it select nodes by the migration's label?",
    )  # fmt: skip


def _agents_on(kube: Kube, node: str) -> Objects:
    pods = kube.list("Pod", NAMESPACE, labels=AGENTS)
    return [pod for pod in pods if pod["spec"].get("nodeName") == node]


def wait_connected(kube: Kube, node: str, timeout: float, clock: Clock = CLOCK) -> None:
    """Its agent has nothing to complain of, and the node takes pods again."""
    wait_until(
        lambda: _agents_on(kube, node), bool, thing=f"the Cilium agent of {node}", wanted="there",
        describe=lambda _pods: "not there yet", timeout=timeout, clock=clock,
        remedy="see the DaemonSet cilium's events",
    )
    stage2_take.wait_well(kube, node, timeout, clock)
    wait_ready(kube, node, timeout, clock)


def wait_ready(kube: Kube, node: str, timeout: float, clock: Clock = CLOCK) -> None:
    wait_until(
        lambda: kube.get("Node", node), lambda item: item is not None and condition(item, "Ready"), timeout=timeout,
        thing=f"the node {node}", wanted="Ready", describe=_why_not, clock=clock,
        remedy="see `kubectl describe node`: does containerd find a CNI configuration?",
    )


def _why_not(node: Object | None) -> str:
    conditions = ((node or {}).get("status") or {}).get("conditions") or []
    return next((str(item.get("message")) for item in conditions if item["type"] == "Ready"), "gone")


def forget_flannel(kube: Kube, node: str) -> bool:
    """No flannel reads them any more; while one does, they are how it knows the way."""
    found = kube.get("Node", node)
    notes = notes_of(found) if found else {}
    if notes:
        kube.merge("Node", node, {"metadata": {"annotations": {f"{FLANNEL_NOTES}{key}": None for key in notes}}})
    return bool(notes)
