# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods have to leave a node, which stay, and which want the user's consent first. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.selectors import selects

Object = dict[str, t.Any]

MIRROR = "kubernetes.io/config.mirror"
# On a name server that was taken out of its service because it is to go: another one was made for it already.
RETIRED_LABEL = "meshwright.k3s-cilium/retired"
_CORDON = "node.kubernetes.io/unschedulable"
_DONE = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Consent:
    """What the user may lose."""

    emptydir: bool = False  # data in emptyDir volumes
    bare: bool = False  # pods that nobody makes again


@dataclass(frozen=True)
class PodRef:
    namespace: str
    name: str
    uid: str
    labels: t.Mapping[str, str]
    leaving: bool = False  # told to go already
    finalizers: tuple[str, ...] = ()
    tolerant: bool = False  # the cordon does not keep it away

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Sorted:
    to_go: tuple[PodRef, ...]  # to be evicted, or on their way out
    left: tuple[tuple[PodRef, str], ...]  # stay, and why
    refused: tuple[tuple[PodRef, str], ...]  # would lose something


def sort_out(pods: t.Iterable[Object], consent: Consent) -> Sorted:
    to_go: list[PodRef] = []
    left: list[tuple[PodRef, str]] = []
    refused: list[tuple[PodRef, str]] = []
    for pod in pods:
        ref = ref_of(pod)
        stays = why_it_stays(pod)
        loses = "" if ref.leaving else _loses(pod, ref, consent)
        if stays:
            left.append((ref, stays))
        elif loses:
            refused.append((ref, loses))
        else:
            to_go.append(ref)
    return Sorted(tuple(to_go), tuple(left), tuple(refused))


def without_newcomers(found: Sorted, first: t.Container[str]) -> Sorted:
    """Pods that tolerate the cordon may be made again right here: each is evicted once, its successor stays."""
    back = [pod for pod in found.to_go if pod.tolerant and pod.uid not in first]
    return Sorted(
        tuple(pod for pod in found.to_go if pod not in back),
        (*found.left, *((pod, "came back, since it tolerates the cordon") for pod in back)),
        found.refused,
    )


def why_it_stays(pod: Object) -> str:
    if MIRROR in (pod["metadata"].get("annotations") or {}):
        return "a static pod"
    # A DaemonSet's controller does not ask whether a node is cordoned: it would put the pod there again.
    if controller_of(pod) == "DaemonSet" and not is_done(pod):
        return "of a DaemonSet"
    return ""


def _loses(pod: Object, ref: PodRef, consent: Consent) -> str:
    if is_done(pod):
        return ""
    if not controller_of(pod) and not consent.bare and not is_retired(ref):
        return "no controller would make it again"
    volumes = [volume["name"] for volume in pod["spec"].get("volumes") or [] if "emptyDir" in volume]
    if volumes and not consent.emptydir:
        return f"the data of its emptyDir {', '.join(volumes)} would be lost"
    return ""


def is_done(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _DONE


def is_retired(pod: PodRef) -> bool:
    return RETIRED_LABEL in pod.labels


def controller_of(pod: Object) -> str:
    owners = pod["metadata"].get("ownerReferences") or []
    return next((str(owner["kind"]) for owner in owners if owner.get("controller")), "")


def ref_of(pod: Object) -> PodRef:
    meta = pod["metadata"]
    return PodRef(
        meta["namespace"], meta["name"], meta["uid"], meta.get("labels") or {}, bool(meta.get("deletionTimestamp")),
        tuple(meta.get("finalizers") or ()), any(_tolerates(item) for item in pod["spec"].get("tolerations") or ()),
    )  # fmt: skip


def _tolerates(item: Object) -> bool:
    """The taint that a cordon is."""
    if item.get("key", "") not in ("", _CORDON) or item.get("effect", "") not in ("", "NoSchedule"):
        return False
    return item.get("operator") == "Exists" or (bool(item.get("key")) and not item.get("value"))


# -- who blocks


def budgets_of(pod: PodRef, budgets: t.Iterable[Object]) -> list[str]:
    """The PodDisruptionBudgets that count a pod, with what they allow."""
    return [
        f"PodDisruptionBudget {budget['metadata']['name']} (disruptionsAllowed "
        f"{_number(budget, 'disruptionsAllowed')}, {_number(budget, 'currentHealthy')} healthy, "
        f"{_number(budget, 'desiredHealthy')} wanted)"
        for budget in _counting(pod, budgets)
    ]


def _counting(pod: PodRef, budgets: t.Iterable[Object]) -> list[Object]:
    mine = [item for item in budgets if item["metadata"]["namespace"] == pod.namespace]
    selectors = [((item.get("spec") or {}).get("selector"), item) for item in mine]
    return [item for selector, item in selectors if selector is not None and selects(selector, pod.labels)]


def forbidding(pod: PodRef, budgets: t.Iterable[Object]) -> bool:
    """Whether one that counts it allows no disruption for now."""
    return any(int((item.get("status") or {}).get("disruptionsAllowed", 0)) < 1 for item in _counting(pod, budgets))


def _number(budget: Object, name: str) -> str:
    return str((budget.get("status") or {}).get(name, "?"))


def blockers(
    waiting: t.Iterable[PodRef], answers: t.Mapping[str, str], budgets: t.Sequence[Object]
) -> list[str]:  # by uid: what the eviction was answered
    """For each pod that is still there: who or what keeps it."""
    return [f"{pod} {_kept_by(pod, answers.get(pod.uid, ''), budgets)}" for pod in waiting]


def _kept_by(pod: PodRef, answer: str, budgets: t.Sequence[Object]) -> str:
    if pod.leaving:
        return f"is ending (held by {', '.join(pod.finalizers)})" if pod.finalizers else "is ending"
    named = budgets_of(pod, budgets)
    if answer and named:
        return f"blocked by {' and '.join(named)}"
    return f"not evicted ({answer})" if answer else "not evicted yet"
