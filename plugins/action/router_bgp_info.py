# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router sees of its sessions and routes, whatever kind of router it is."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import router_view
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_readers
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"addresses"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        variables = task_vars or {}
        addresses = [str(address) for address in plain(self._task.args.get("addresses") or [])]
        try:
            view = router_readers.reader_for(self, variables, addresses).run_view()
        except MeshwrightError as error:
            name = router_readers.router_name(self, variables)
            return {**result, "failed": True, **error.with_host(name).fail_args()}
        return {**result, "changed": False, **router_view.as_dict(view)}
