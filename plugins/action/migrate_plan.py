# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the cluster and plans the way from flannel to Cilium, or a node's way back. Changes nothing."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import (
    migrate_gate,
    migrate_plan,
    migrate_read,
    migrate_tell,
    migrate_values,
    render_report,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import Ends
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import migrate_situation, stage2_holder
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect, plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.live_nodes import hosts_of
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, say

Answer = dict[str, t.Any]


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({
        "kubeconfig", "state", "chart", "options", "accept", "accept_policies", "members", "plan", "put_back",
    })  # fmt: skip

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given, variables = plain(self._task.args), task_vars or {}
        try:
            kube = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say)
            states = {"nodes": self._nodes, "planned": self._plan, "put_back": self._put_back}
            answer = states[str(given.get("state") or "planned")](kube, given, variables)
            return {**result, "changed": False, **answer}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}

    def _nodes(self, kube: Kube, _given: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> Answer:
        """What each host has to know of all nodes before it is looked at."""
        hosts = self._hosts(kube, variables)
        return {"hosts": hosts, "names": {host: node for node, host in hosts.items()},
                "nodes": migrate_read.told(kube.nodes(), ())}  # fmt: skip

    def _plan(self, kube: Kube, given: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> Answer:
        hosts = self._hosts(kube, variables)
        ends = migrate_situation.ends_of(given["chart"])
        facts = migrate_situation.look(
            kube, variables["hostvars"], hosts, ends, members=int(given.get("members") or 0),
            lease_holder=stage2_holder.somebody_else(kube),
        )  # fmt: skip
        options = migrate_plan.Options(**{**given["options"], "order": tuple(given["options"].get("order") or ())})
        accept = migrate_gate.Accept(**given["accept"])
        findings = migrate_gate.judge(facts, options, accept, bool(given.get("accept_policies")))
        plan = migrate_plan.plan(facts, options)
        Display().display(render_report.table(findings, migrate_tell.title(facts, plan)))
        refused = refusals(findings)
        if refused and plan.steps:
            sentences = [finding.sentence for finding in refused]
            text = "\n".join([f"Refused; nothing was changed ({len(sentences)}):", *sentences])
            return {"failed": True, "msg": text, "findings": [finding.as_dict() for finding in findings]}
        Display().display("\n".join(plan.lines()))
        return {
            **migrate_tell.answer(plan, hosts, str(variables["inventory_hostname"])),
            "hosts": hosts, "ends": vars(ends), "values": migrate_values.beside(given["chart"]["values"]),
            "findings": [finding.as_dict() for finding in findings],
            "rollout_facts": {"before": {node.name: migrate_tell.state(node) for node in facts.nodes}},
        }  # fmt: skip

    def _put_back(self, kube: Kube, given: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> Answer:
        """From where the node is now."""
        plan = given["plan"]
        ends = Ends(**plan["ends"])
        facts = migrate_situation.look(kube, variables["hostvars"], plan["hosts"], ends)
        node = facts.node(str(given["put_back"]))
        found = migrate_plan.put_back(facts, node)
        steps = [migrate_tell.step_dict(step, plan["hosts"][node.name]) for step in found]
        return {"steps": steps, "told": migrate_tell.put_back(node, found)}

    def _hosts(self, kube: Kube, variables: dict[str, t.Any]) -> dict[str, str]:
        """The inventory's host of each node; a node without one cannot be moved."""
        inventory = collect(variables, self._templar, self._loader).inventory
        return hosts_of(inventory, kube.nodes(), "all nodes change their network, or none")
