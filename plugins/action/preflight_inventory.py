# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of all hosts at once, on the controller; no host is contacted."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.checks import CHECKS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_inventory import judge_inventory
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        collected = collect(task_vars or {}, self._templar, self._loader)
        findings = judge_inventory(collected.inventory, collected.known, collected.prefixes, CHECKS)
        refused = refusals(findings)
        lines = [finding.sentence for finding in refused]
        result.update(
            changed=False,
            findings=[finding.as_dict() for finding in findings],
            msg="\n".join([f"The inventory is refused; nothing was changed ({len(lines)}):", *lines])
            if lines
            else f"The inventory of {len(collected.inventory.members)} hosts is in order.",
        )
        if refused:
            result["failed"] = True
        return result
