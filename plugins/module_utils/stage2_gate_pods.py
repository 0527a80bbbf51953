# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drains will meet: budgets, pods that are alone, data that would be lost. Told before the first one. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    Findings,
    note,
    refuse,
    warn,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import is_retired
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.selectors import selects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Budget, Facts, Node, Pod
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import Options

# Longhorn keeps a budget for each instance manager and lifts it itself, once the volumes may do without that node.
_LONGHORN = "longhorn-system"
_SHOWN = 6


@dataclass(frozen=True)
class Accept:
    """What the user agrees to."""

    cordoned: bool = False  # nodes that somebody else cordoned: they stay so
    emptydir: bool = False  # data in emptyDir volumes is lost
    bare: bool = False  # pods that nobody makes again are lost
    local: bool = False  # pods whose volume is on one node wait for it
    single: bool = False  # names do not resolve while the only CoreDNS moves
    role: str = "stage2"  # whose variables say so


def judge(facts: Facts, drained: t.Sequence[Node], options: Options, accept: Accept) -> Findings:
    yield from _budgets(facts, drained)
    for node in drained:
        yield from _losses(node, accept)
    yield from _single(drained)
    if drained:
        yield from _dns(facts, options, accept)


def kept(nodes: t.Sequence[Node], options: Options) -> Findings:
    """Pods that stay through it all, with the sockets that they have."""
    if options.renew:
        return
    for node in nodes:
        names = [str(pod.ref) for pod in node.pods if not pod.moves and not pod.done]
        if names:
            yield note(
                node.host or node.name, "kept-pods", "pods that no drain moves", some(names),
                "connections that they have now may break; stage2_renew=true restarts them",
            )


def some(names: t.Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _budgets(facts: Facts, drained: t.Sequence[Node]) -> Findings:
    by_namespace: dict[str, list[Budget]] = {}
    for budget in facts.budgets:
        by_namespace.setdefault(budget.namespace, []).append(budget)
    counted: dict[Budget, list[Pod]] = {}
    twice: dict[tuple[Budget, ...], Pod] = {}
    for pod in (pod for node in drained for pod in node.moving if not pod.done):
        mine = tuple(item for item in by_namespace.get(pod.ref.namespace, ()) if _counts(item, pod))
        for budget in mine:
            counted.setdefault(budget, []).append(pod)
        if len(mine) > 1:
            twice.setdefault(mine, pod)
    for budget, theirs in counted.items():
        yield from _budget(budget, theirs)
    for mine, pod in twice.items():
        yield refuse(
            CLUSTER, "budgets", f"the pod {pod.ref}",
            f"counted by {len(mine)} budgets ({some([_name(item) for item in mine])})",
            "one: no pod of two budgets can be evicted", "delete all but one of them",
        )


def _counts(budget: Budget, pod: Pod) -> bool:
    return budget.selector is not None and selects(budget.selector, pod.ref.labels)


def _name(budget: Budget) -> str:
    return f"{budget.namespace}/{budget.name}"


def _budget(budget: Budget, pods: t.Sequence[Pod]) -> Findings:
    wanted = f"{budget.desired} of {budget.expected} wanted"
    seen = f"{budget.allowed} disruptions allowed, {budget.healthy} healthy, {wanted}"
    thing, names = f"the PodDisruptionBudget {_name(budget)}", some([str(pod.ref) for pod in pods])
    if budget.namespace == _LONGHORN:
        if budget.allowed < 1:
            yield warn(
                CLUSTER, "longhorn", thing, seen, "one that Longhorn lifts while the node is drained",
                "see that its volumes are healthy, with replicas on other nodes, and its setting node-drain-policy",
            )
    elif budget.never:
        yield refuse(
            CLUSTER, "budgets", thing, f"one that no drain can ever meet ({seen}; pods {names})",
            "one that lets a pod go when all are well", "run one more replica, or lower the budget, while this lasts",
        )
    elif budget.allowed < 1:
        yield warn(
            CLUSTER, "budgets", thing, seen, "a disruption allowed by the time of the drain",
            "see why its pods are not all healthy",
        )


def _losses(node: Node, accept: Accept) -> Findings:
    host = node.host or node.name
    pods = [pod for pod in node.moving if not pod.done and not pod.ref.leaving]
    bare = [str(pod.ref) for pod in pods if not pod.owner and not is_retired(pod.ref)]
    data = [f"{pod.ref} ({', '.join(pod.emptydirs)})" for pod in pods if pod.emptydirs]
    local = [f"{pod.ref} ({', '.join(pod.local_volumes)})" for pod in pods if pod.local_volumes]
    rows = (
        ("bare-pods", "pods that nobody makes again", bare, accept.bare, f"{accept.role}_force=true: they are lost"),
        (
            "emptydir", "data in emptyDir volumes", data, accept.emptydir,
            f"{accept.role}_delete_emptydir=true: it is lost",
        ),
        (
            "local-volumes", "volumes that only this node has", local, accept.local,
            f"{accept.role}_accept_local=true: those pods are away until the node is back",
        ),
    )  # fmt: skip
    for check, thing, names, agreed, consent in rows:
        if names:
            tell = warn if agreed else refuse
            remedy = "agreed" if agreed else f"move them by hand, or say {consent}"
            yield tell(host, check, thing, some(names), "none, or your consent", remedy)


def _single(drained: t.Sequence[Node]) -> Findings:
    owners: dict[tuple[str, str, str], None] = {}
    for pod in (pod for node in drained for pod in node.moving):
        dns = pod.ref.namespace == "kube-system" and pod.owner_name.startswith("coredns")  # has its own finding
        if pod.replicas == 1 and pod.owner and not pod.done and not dns:
            owners[(pod.ref.namespace, pod.owner, pod.owner_name)] = None
    if owners:
        names = [f"{namespace}/{name} ({kind})" for namespace, kind, name in owners]
        yield warn(
            CLUSTER, "single", "workloads with one replica", some(names), "two, on different nodes",
            "expect each to be away while it moves",
        )


def _dns(facts: Facts, options: Options, accept: Accept) -> Findings:
    if facts.dns_replicas is None or facts.dns_replicas > 1 or options.scale_dns:
        return
    tell = warn if accept.single else refuse
    yield tell(
        CLUSTER, "dns", "the Deployment kube-system/coredns", f"{facts.dns_replicas} replica",
        "two, on different nodes",
        f"say {accept.role}_scale_dns=true, or {accept.role}_accept_single=true: then names do not resolve while it "
        "moves",
    )
