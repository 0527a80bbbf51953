# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP file of a UniFi gateway. Runs on the controller, so that what it returns is not stripped of passwords.

A module would have to call its description secret, and Ansible would then strike out each address and name in it.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import udm_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_arguments
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.router_arguments import TEXT

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **router_arguments.ARGUMENTS,
    "site": {"type": "str", "default": "default"},
    "api_key": {**TEXT, "no_log": True},
    "username": TEXT,
    "password": {**TEXT, "no_log": True},
    "replace_foreign": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        _, given = self.validate_argument_spec(ARGUMENTS, required_if=router_arguments.REQUIRED_IF)
        try:
            return {**result, **udm_run.run(plain(given), check=bool(self._task.check_mode))}
        except udm_run.Failed as error:
            return {**result, "failed": True, "former": error.former, **error.fail_args()}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(str(given["router"])).fail_args()}
