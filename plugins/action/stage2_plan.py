# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the cluster and plans the way to a stage, or a node's way back. Changes nothing."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    cilium_plan,
    render_report,
    stage2_gate,
    stage2_plan,
    stage2_record,
    stage2_renderings,
    stage2_tell,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import TARGETS
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import stage2_holder, stage2_situation
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect, plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.live_nodes import hosts_of
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, say

Answer = dict[str, t.Any]


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({
        "kubeconfig", "direction", "chart", "options", "accept", "service_cidrs", "members",
        "plan", "put_back", "phase",
    })  # fmt: skip

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given, variables = plain(self._task.args), task_vars or {}
        try:
            kube = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say)
            if given.get("put_back"):
                return {**result, "changed": False, **_put_back(kube, given, variables["hostvars"])}
            return {**result, "changed": False, **self._plan(kube, given, variables)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}

    def _plan(self, kube: Kube, given: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> Answer:
        direction = str(given["direction"])
        hosts = self._hosts(kube, variables)
        facts = _facts(kube, given, variables["hostvars"], hosts)
        options = stage2_plan.Options(**{**given["options"], "order": tuple(given["options"].get("order") or ())})
        findings = stage2_gate.judge(facts, direction, options, stage2_gate.Accept(**given["accept"]))
        plan = stage2_plan.plan(facts, direction, options)
        Display().display(render_report.table(findings, stage2_tell.title(facts, plan)))
        refused = refusals(findings)
        if refused and plan.steps:
            lines = [finding.sentence for finding in refused]
            text = "\n".join([f"Refused; nothing was changed ({len(lines)}):", *lines])
            return {"failed": True, "msg": text, "findings": [finding.as_dict() for finding in findings]}
        Display().display("\n".join(plan.lines()))
        first = str(variables["inventory_hostname"])
        return {
            **stage2_tell.answer(plan, hosts, first),
            "hosts": hosts, "wanted": {str(stage): dict(data) for stage, data in facts.wanted.items()},
            "health_ports": list(facts.health_ports), "snapshot": stage2_record.snapshot_name(facts.revision),
            "findings": [finding.as_dict() for finding in findings], "rollout_facts": {"before": _told(facts)},
        }  # fmt: skip

    def _hosts(self, kube: Kube, variables: dict[str, t.Any]) -> dict[str, str]:
        """The inventory's host of each node; a node without one cannot be turned."""
        inventory = collect(variables, self._templar, self._loader).inventory
        return hosts_of(inventory, kube.nodes(), "kube-proxy leaves the whole cluster or nobody")


def _facts(kube: Kube, given: t.Mapping[str, t.Any], hostvars: t.Any, hosts: t.Mapping[str, str]) -> Facts:
    target = TARGETS[str(given["direction"])]
    found = stage2_renderings.renderings(given["chart"], target, cilium_plan.observe(kube))
    facts, _release = stage2_situation.look(
        kube, hostvars, hosts, renderings=found.data, flip_restarts=found.flip_restarts, only_stage2=found.only_stage2,
        members=int(given.get("members") or 0), service_cidrs=tuple(given.get("service_cidrs") or ()),
        lease_holder=stage2_holder.somebody_else(kube),
    )  # fmt: skip
    return facts


def _put_back(kube: Kube, given: t.Mapping[str, t.Any], hostvars: t.Any) -> Answer:
    """From where the node is now."""
    plan, direction = given["plan"], str(given["direction"])
    facts, _release = stage2_situation.look(kube, hostvars, plan["hosts"])
    node = facts.node(str(given["put_back"]))
    found = stage2_tell.way_back(facts, node, direction, str(given["phase"]))
    steps = [stage2_tell.step_dict(step, plan["hosts"][node.name]) for step in found]
    return {"steps": steps, "told": stage2_tell.put_back(node, found)}


def _told(facts: Facts) -> dict[str, str]:
    return {node.name: stage2_tell.state(node) for node in facts.nodes}
