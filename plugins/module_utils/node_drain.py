# SPDX-License-Identifier: GPL-3.0-or-later
"""Drains a node through the eviction API and waits until its pods are really gone. Runs on the controller."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import (
    MeshwrightError,
    TimedOut,
    Unreachable,
    sentences,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_names import leave_service
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import (
    Consent,
    PodRef,
    Sorted,
    blockers,
    sort_out,
    without_newcomers,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock

_INTERVAL = 1.0
_RETRY = 5.0  # seconds until a refused eviction is asked for again, as kubectl has it
_NAMES = 120.0  # seconds until name servers are out of their service
_CONSENTS = "say maintenance_delete_emptydir=true or maintenance_force=true if that may be, or move them by hand"

Say = t.Callable[[str], None]


@dataclass(frozen=True)
class Drained:
    gone: tuple[str, ...]
    left: tuple[str, ...]


class _Drain:
    """One run: what was asked for, and what came of it."""

    def __init__(self, kube: Kube, node: str, consent: Consent, grace: int | None, say: Say, clock: Clock) -> None:
        self._kube, self._node, self._consent, self._grace, self._say, self._clock = (
            kube, node, consent, grace, say, clock,
        )  # fmt: skip
        self._answers: dict[str, str] = {}  # by uid: empty when it was taken
        self._asked: dict[str, float] = {}
        self._seen: dict[str, str] = {}
        self._told = ""
        self._first: frozenset[str] | None = None
        self._names_served = False

    def look(self) -> Sorted:
        found = sort_out(self._kube.list("Pod", fields=f"spec.nodeName={self._node}"), self._consent)
        if self._first is None:
            self._first = frozenset(pod.uid for pod in found.to_go)
        return without_newcomers(found, self._first)

    def turn(self) -> Sorted:
        """Ask for those that were not taken yet. All that remains is in the answer; nothing when the node is empty."""
        found = self.look()
        if found.refused:
            raise MeshwrightError(sentences(
                MeshwrightError(f"the pod {pod}", host=self._node, seen=f"not to be moved: {why}", remedy=_CONSENTS)
                for pod, why in found.refused
            ))  # fmt: skip
        if not self._names_served:
            leave_service(self._kube, self._node, _NAMES, self._clock, self._say, self._grace)
            self._names_served = True
        self._seen.update({pod.uid: str(pod) for pod in found.to_go})
        for pod in found.to_go:
            if not pod.leaving and self._due(pod):
                self._evict(pod)
        self._tell(found)
        return found

    def who_blocks(self, found: Sorted) -> str:
        budgets = self._kube.list("PodDisruptionBudget", "", "policy/v1")
        return "; ".join(blockers(found.to_go, self._answers, budgets))

    def result(self, found: Sorted) -> Drained:
        return Drained(tuple(sorted(self._seen.values())), tuple(f"{pod} ({why})" for pod, why in found.left))

    def _due(self, pod: PodRef) -> bool:
        return self._clock.now() >= self._asked.get(pod.uid, 0.0) + _RETRY or pod.uid not in self._asked

    def _evict(self, pod: PodRef) -> None:
        self._asked[pod.uid] = self._clock.now()
        self._answers[pod.uid] = self._kube.evict(pod.namespace, pod.name, pod.uid, self._grace)

    def _tell(self, found: Sorted) -> None:
        kept = [str(pod) for pod in found.to_go if self._answers.get(pod.uid)]
        text = f"{self._node}: {len(found.to_go)} of {len(self._seen)} pods still to go"
        text += f"; refused for now: {', '.join(kept)}" if kept else ""
        if text != self._told and found.to_go:
            self._say(text)
            self._told = text


def drain(
    kube: Kube, node: str, consent: Consent, *, timeout: float, say: Say, grace: int | None = None,
    clock: Clock = CLOCK,
) -> Drained:  # fmt: skip
    """Nothing is evicted before every pod may be. Raises TimedOut with who blocks."""
    run, end = _Drain(kube, node, consent, grace, say, clock), clock.now() + timeout
    found = Sorted((), (), ())
    seen = "not to be seen"
    while True:
        try:
            found = run.turn()
            if not found.to_go:
                return run.result(found)
            if clock.now() + _INTERVAL > end:
                seen = f"not empty: {run.who_blocks(found)}"
        except Unreachable as error:
            # An API server may be the one that is just moving.
            seen = f"not to be seen ({error})"
        if clock.now() + _INTERVAL > end:
            raise TimedOut(
                f"the node {node}", seen=seen, wanted=f"without pods that can move within {timeout:.0f} s",
                remedy="let the budget allow a disruption (more replicas, Ready), or give it more time",
            )  # fmt: skip
        clock.sleep(_INTERVAL)
