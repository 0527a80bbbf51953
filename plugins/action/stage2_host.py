# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module, and reads k3s' files here, where there is a YAML library; they hold secrets and end here."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_files
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_config_plan import STAGE_KEY
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        arguments = {key: value for key, value in plain(self._task.args).items() if value not in (None, "")}
        try:
            answer = k3s_host.execute(self, "meshwright.k3s_cilium.stage2_host", arguments, task_vars)
            raw = answer.pop("raw", None)
            if raw is not None:
                answer["says"] = says(host, raw, server=arguments.get("role", "server") == "server")
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}
        return {**result, **{key: value for key, value in answer.items() if key != "invocation"}}


def says(host: str, raw: dict[str, t.Any], server: bool) -> dict[str, t.Any]:
    """The fields of HostSays. A server that our unit did not start, and an agent, are judged by what runs there."""
    started = raw["started"] if server else None
    runs_without = raw["gone"] if started is None else raw["active"] and _disables(started)
    same = ("kube_proxy", "kube_proxy_elsewhere", "kube_proxy_mode", "leftovers", "flows", "dead_ports")
    return {
        "host": host, **{key: raw[key] for key in same}, "disables": server and _disables(raw["files"]),
        "started_disables": runs_without,
    }  # fmt: skip


def _disables(files: k3s_files.Texts) -> bool:
    return k3s_files.same(k3s_files.effective(files).get(STAGE_KEY, False), True)
