# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP file of a UniFi gateway. Runs on the controller, so that what it returns is not stripped of passwords.

A module would have to call its description secret, and Ansible would then strike out each address and name in it.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import udm_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

TEXT = {"type": "str", "default": ""}
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "description": {"type": "dict", "required": True},
    "router": {"type": "str", "required": True},
    "state": {
        "type": "str", "default": "present", "choices": ["present", "absent", "rendered", "confirmed", "restored"],
    },
    "url": TEXT,
    "site": {"type": "str", "default": "default"},
    "api_key": {**TEXT, "no_log": True},
    "username": TEXT,
    "password": {**TEXT, "no_log": True},
    "ca_path": TEXT,
    "fingerprint": TEXT,
    "timeout": {"type": "int", "default": 30},
    "replace_foreign": {"type": "bool", "default": False},
    "former": {"type": "dict"},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        _, given = self.validate_argument_spec(ARGUMENTS, required_if=[("state", "restored", ["former"])])
        try:
            return {**result, **udm_run.run(plain(given), check=bool(self._task.check_mode))}
        except udm_run.Failed as error:
            return {**result, "failed": True, "former": error.former, **error.fail_args()}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(str(given["router"])).fail_args()}
