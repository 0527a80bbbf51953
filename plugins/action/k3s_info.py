# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module and masks what it read: hosts may have no YAML library, and secrets must not be shown."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"role", "brief"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        role = str(self._task.args.get("role", "server"))
        try:
            info = k3s_host.info_of(k3s_host.observe(self, role, task_vars, bool(self._task.args.get("brief"))), role)
        except MeshwrightError as error:
            name = str((task_vars or {}).get("inventory_hostname", ""))
            return {**result, "failed": True, **error.with_host(name).fail_args()}
        return {**result, "changed": False, **info}
