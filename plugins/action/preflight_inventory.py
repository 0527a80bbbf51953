# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of all hosts at once, on the controller; no host is contacted."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.checks import CHECKS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import Finding, refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_inventory import judge_inventory
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        result["changed"] = False
        findings = self.judge(task_vars or {})
        lines = [finding.sentence for finding in refusals(findings)]
        if lines:
            result["failed"] = True
            result["msg"] = "\n".join([f"The inventory is refused; nothing was changed ({len(lines)}):", *lines])
        else:
            result["findings"] = [finding.as_dict() for finding in findings]
        return result

    def judge(self, task_vars: dict[str, t.Any]) -> tuple[Finding, ...]:
        collected = collect(task_vars, self._templar, self._loader)
        return judge_inventory(collected.inventory, collected.known, collected.prefixes, CHECKS)
