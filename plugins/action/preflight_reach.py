# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the module its targets: every other host, at the address its own facts tell."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_cluster import reach_targets
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.situation import situation, ssh_ports


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        variables = task_vars or {}
        arguments = dict(self._task.args)
        if arguments.get("targets") is None:
            inventory = collect(variables, self._templar, self._loader).inventory
            now = situation(inventory, variables["hostvars"])
            ports = ssh_ports(inventory, variables["hostvars"])
            arguments["targets"] = reach_targets(variables["inventory_hostname"], now, ports)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
