# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of taking a node out of traffic or back, on the cluster's side, with what is seen while it waits."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as plans
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import as_plan
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, OnController, say

_STEPS = {
    "cordoned": plans.CORDON, "withdrawn": plans.WITHDRAW, "uncordoned": plans.UNCORDON, "announced": plans.ANNOUNCE,
}  # fmt: skip
_TARGETS = {"uncordoned": plans.IN, "announced": plans.IN}


class ActionModule(OnController):
    _VALID_ARGS = frozenset({"kubeconfig", "node", "state", "target", "accept_cordoned", "timeout"})

    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        return _run(given, check)


def _run(given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    kube = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say)
    name, state = str(given["node"]), str(given["state"])
    target = str(given.get("target") or _TARGETS.get(state, plans.OUT))
    seen = maintenance.look(kube, name)
    if state == "observed":
        problems = plans.refusals(seen.seen, target, bool(given.get("accept_cordoned")))
        if problems:
            raise problems[0] if len(problems) == 1 else MeshwrightError(sentences(problems))
        ahead = as_plan((name, step) for step in plans.steps(seen.seen, target))
        return {"changed": False, "rollout_plan": ahead, **seen.told(target)}
    step = _STEPS[state]
    if step == plans.UNCORDON and not seen.seen.ours:
        # Whoever cordoned it has reasons of their own.
        return {"changed": False, **seen.told(target)}
    if check:
        return {"changed": step in plans.steps(seen.seen, target), **seen.told(target)}
    changed = maintenance.take(kube, seen, step) if _due(seen, step) else False
    return {"changed": changed, **_after(kube, name, step, float(given.get("timeout") or 60)).told(target)}


def _due(seen: maintenance.Look, step: str) -> bool:
    return not (step == plans.CORDON and seen.seen.cordoned)


def _after(kube: Kube, name: str, step: str, timeout: float) -> maintenance.Look:
    if step == plans.WITHDRAW:
        return maintenance.wait_out(kube, name, timeout, say)
    if step == plans.ANNOUNCE:
        return maintenance.wait_in(kube, name, timeout, say)
    return maintenance.look(kube, name)
