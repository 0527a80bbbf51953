# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a migration that is the Kubernetes API's; for steps of others, whether they may be taken now."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    migrate_guard,
    migrate_reach,
    migrate_read,
    migrate_take,
    migrate_tell,
    stage2_dns,
    stage2_take,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import Ends, Facts
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import migrate_situation, stage2_holder
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, say

Answer = dict[str, t.Any]


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"kubeconfig", "plan", "step", "state", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given = plain(self._task.args)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "the plan says what would be done"}
        state = str(given.get("state") or "taken")
        try:
            kube = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say)
            stage2_holder.holder(kube).renew()
            taking = _Taking(kube, given, (task_vars or {})["hostvars"])
            return {**result, **taking.answer(state)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}


class _Taking:
    def __init__(self, kube: Kube, given: t.Mapping[str, t.Any], hostvars: t.Any) -> None:
        self._kube, self._hostvars, self._plan = kube, hostvars, given["plan"]
        told = dict(given.get("step") or {})
        self._step = steps.Step(**{name: told.get(name, "") for name in steps.Step.__dataclass_fields__})
        self._timeout = float(given.get("timeout") or 300)

    def answer(self, state: str) -> Answer:
        if state == "finished":
            told = {node.name: migrate_tell.state(node) for node in self._facts().nodes}
            return {"changed": False, "told": told, "rollout_facts": {"after": told}}
        self._ask()
        if state == "allowed":
            moved = [node.name for node in self._facts().nodes if node.moved]
            return {"changed": False, "nodes": migrate_read.told(self._kube.nodes(), moved)}
        return t.cast("Answer", getattr(self, f"_{self._step.kind}")())

    def _ask(self) -> None:
        """Between the plan and this step there may be an hour."""
        if self._step.kind not in migrate_guard.GUARDED:
            return
        objections = migrate_guard.objections(self._facts(), self._step)
        if objections:
            raise objections[0] if len(objections) == 1 else MeshwrightError(sentences(objections))

    def _facts(self) -> Facts:
        return migrate_situation.look(self._kube, self._hostvars, self._plan["hosts"], Ends(**self._plan["ends"]))

    # -- the steps, by their kinds

    def _claim(self) -> Answer:
        stage2_take.mark(self._kube, self._step.node, claimed=True)
        return {"changed": True}

    def _release(self) -> Answer:
        stage2_take.mark(self._kube, self._step.node, claimed=False)
        return {"changed": True}

    def _dns(self) -> Answer:
        stage2_dns.scale(self._kube, self._timeout)
        return {"changed": True}

    def _dismiss(self) -> Answer:
        pods = migrate_take.dismiss(self._kube, self._step.node, self._timeout)
        return {"changed": bool(pods), "pods": list(pods)}

    def _admit(self) -> Answer:
        migrate_take.label(self._kube, self._step.node, on=True)
        return {"changed": True}

    def _unlabel(self) -> Answer:
        migrate_take.label(self._kube, self._step.node, on=False)
        return {"changed": True}

    def _expel(self) -> Answer:
        migrate_take.expel(self._kube, self._step.node, self._timeout)
        return {"changed": True}

    def _connected(self) -> Answer:
        migrate_take.wait_connected(self._kube, self._step.node, self._timeout)
        return {"changed": False}

    def _returned(self) -> Answer:
        migrate_take.wait_ready(self._kube, self._step.node, self._timeout)
        return {"changed": False}

    def _renew(self) -> Answer:
        """Which pods the host has to make anew: those of flannel's, or on the way back all that are connected."""
        node = self._facts().node(self._step.node)
        every = [str(pod.ref) for pod in node.base.pods if not pod.host_network and not pod.done]
        return {"changed": False, "pods": list(node.old_pods) if node.runs_none else every}

    def _reach(self) -> Answer:
        return {"changed": False, **migrate_reach.targets(self._kube, self._step.node)}

    def _operator(self) -> Answer:
        stage2_take.wait_operator(self._kube, self._timeout)
        if self._facts().operator_current:
            return {"changed": False}
        stage2_take.restart_operator(self._kube, self._timeout)
        return {"changed": True}

    def _notes(self) -> Answer:
        return {"changed": migrate_take.forget_flannel(self._kube, self._step.node)}
