# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module, and reads k3s' files here, where there is a YAML library; they hold secrets and end here."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_files
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import DROP_IN
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

KEYS = ("flannel-backend", "disable-network-policy")
_FOLDER = "config.yaml.d/"


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        arguments = {key: value for key, value in plain(self._task.args).items() if value not in (None, "")}
        try:
            answer = k3s_host.execute(self, "meshwright.k3s_cilium.migrate_host", arguments, task_vars)
            raw = answer.pop("raw", None)
            if raw is not None:
                answer["says"] = says(host, raw)
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}
        return {**result, **{key: value for key, value in answer.items() if key != "invocation"}}


def says(host: str, raw: dict[str, t.Any]) -> dict[str, t.Any]:
    """The fields of HostSays that the host knows."""
    files = raw.pop("files")
    return {
        **raw, "host": host, "fixed": raw["fixed"] or overruled(files),
        "wants_none": k3s_files.same(k3s_files.effective(files).get("flannel-backend", "vxlan"), "none"),
    }  # fmt: skip


def overruled(files: k3s_files.Texts) -> str:
    """A drop-in that is read after ours and says otherwise."""
    for name, text in files.items():
        later = name.startswith(_FOLDER) and name[len(_FOLDER) :] > DROP_IN
        if later and any(key in KEYS for key in k3s_files.parse(name, text)):
            return name
    return ""
