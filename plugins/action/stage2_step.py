# SPDX-License-Identifier: GPL-3.0-or-later
"""One step between the stages that is the Kubernetes API's; for steps of others, whether they may be taken now."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    stage2_dns,
    stage2_door,
    stage2_guard,
    stage2_take,
    stage2_tell,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import settled
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_record import to_object
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import stage2_holder, stage2_situation
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, say

Answer = dict[str, t.Any]


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"kubeconfig", "plan", "step", "state", "former", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given = plain(self._task.args)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "the plan says what would be done"}
        state = str(given.get("state") or "taken")
        try:
            kube = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say)
            stage2_holder.holder(kube).renew()
            if state == "finished":
                return {**result, **_finish(kube, given["plan"], (task_vars or {})["hostvars"])}
            taking = _Taking(kube, given, (task_vars or {})["hostvars"])
            waits = taking.ask()
            return {**result, **waits, **(taking.take() if state == "taken" else {"changed": False})}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}


def _finish(kube: Kube, plan: t.Mapping[str, t.Any], hostvars: t.Any) -> Answer:
    """The port for trying nodes goes, and what is seen now is told."""
    changed = stage2_door.close_door(kube)
    facts, _release = stage2_situation.look(kube, hostvars, plan["hosts"])
    told = {node.name: stage2_tell.state(node) for node in facts.nodes}
    return {"changed": changed, "told": told, "rollout_facts": {"after": told}}


class _Taking:
    def __init__(self, kube: Kube, given: t.Mapping[str, t.Any], hostvars: t.Any) -> None:
        self._kube, self._given, self._hostvars = kube, given, hostvars
        self._plan: t.Mapping[str, t.Any] = given["plan"]
        told = dict(given["step"])
        self._step = steps.Step(**{name: told[name] for name in steps.Step.__dataclass_fields__})
        self._timeout = float(given.get("timeout") or 300)

    def ask(self) -> Answer:
        """Between the plan and this step there may be an hour. What it had to wait for is told."""
        if not stage2_guard.guarded(self._step):
            return {}
        facts, waited = stage2_situation.guarded(self._kube, self._hostvars, self._plan["hosts"], self._step)
        objections = stage2_guard.objections(facts, self._step, steps.direction_of(self._step.stage))
        if objections:
            raise objections[0] if len(objections) == 1 else MeshwrightError(sentences(objections))
        return {"rollout_waits": {"cluster": round(waited, 1)}} if waited else {}

    def _facts(self) -> Facts:
        return stage2_situation.look(self._kube, self._hostvars, self._plan["hosts"])[0]

    def take(self) -> Answer:
        return t.cast("Answer", getattr(self, f"_{self._step.kind.replace('-', '_')}")())

    # -- the nodes' own

    def _claim(self) -> Answer:
        return self._marked(claimed=True)

    def _release(self) -> Answer:
        return self._marked(claimed=False)

    def _label(self) -> Answer:
        return self._marked(stage=self._step.stage)

    def _unlabel(self) -> Answer:
        return self._marked(stage=0)

    def _marked(self, **marks: t.Any) -> Answer:
        stage2_take.mark(self._kube, self._step.node, **marks)
        return {"changed": True}

    def _restart(self) -> Answer:
        return {"changed": True, "former": stage2_take.restart_agent(self._kube, self._step.node)}

    def _replaced(self) -> Answer:
        former = str(self._given.get("former") or "")
        agent = stage2_take.wait_replaced(self._kube, self._step.node, self._step.stage, former, self._timeout)
        return {"changed": False, "agent": agent.uid}

    def _renew(self) -> Answer:
        node = self._facts().node(self._step.node)
        renewed = [pod for pod in node.kept if not pod.static]
        for pod in renewed:
            stage2_take.renew(self._kube, node.name, pod.ref.namespace, pod.ref.name, self._timeout)
        return {"changed": bool(renewed), "pods": [str(pod.ref) for pod in renewed]}

    def _answered(self) -> Answer:
        """Where the node is to be tried; its host does that."""
        door = stage2_door.open_door(self._kube, self._step.node)
        return {"changed": False, "node_port": door.node_port, "addresses": list(door.addresses)}

    def _joined(self) -> Answer:
        stage2_take.wait_well(self._kube, self._step.node, self._timeout)
        return {"changed": False}

    # -- the cluster's

    def _record(self) -> Answer:
        release = settled(self._kube)
        if release is None:
            raise MeshwrightError("Cilium's release", seen="gone", wanted="the one that the plan saw")
        stage2_take.keep_record(self._kube, to_object(release, self._plan["snapshot"]))
        return {"changed": True}

    def _dns(self) -> Answer:
        stage2_dns.scale(self._kube, self._timeout)
        return {"changed": True}

    def _node_config(self) -> Answer:
        over = self._plan["wanted"][str(self._step.stage)]
        stage2_take.configure(self._kube, self._step.stage, over, self._minor())
        return {"changed": True}

    def _unconfigure(self) -> Answer:
        return {"changed": stage2_take.unconfigure(self._kube, self._minor())}

    def _operator(self) -> Answer:
        stage2_take.wait_operator(self._kube, self._timeout)
        if self._facts().operator_current:
            return {"changed": False}
        stage2_take.restart_operator(self._kube, self._timeout)
        return {"changed": True}

    def _forget(self) -> Answer:
        return {"changed": stage2_take.forget(self._kube)}

    def _minor(self) -> t.Any:
        return stage2_situation.minor(settled(self._kube))
