# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a server's kubeconfig to the controller, for its owner alone, with an address that works from there."""

from __future__ import annotations

import base64
import os
import stat
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_host import text_of, write_file
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_kubeconfig import Source, wanted
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import addresses, k3s_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

SOURCE = "/etc/rancher/k3s/k3s.yaml"


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"path", "address", "servers", "endpoint", "name"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        given = plain(self._task.args)
        path = Path(str(given["path"])).expanduser()
        try:
            answer = k3s_host.execute(self, "ansible.legacy.slurp", {"src": SOURCE}, task_vars, absent="not found")
            if not answer and self._task.check_mode:
                return {**result, "changed": not path.exists(), "path": str(path)}
            fetched = base64.b64decode(answer["content"]).decode() if answer else ""
            hostvars = (task_vars or {})["hostvars"]
            servers = [addresses.for_controller(name, hostvars[name]) for name in given.get("servers") or ()]
            return {**result, **self._store(path, fetched, given, servers)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}
        except OSError as error:
            raise AnsibleActionFail(f"the kubeconfig {path} was not written: {error.strerror}") from error

    def _store(self, path: Path, fetched: str, given: dict[str, t.Any], servers: list[str]) -> dict[str, t.Any]:
        have = text_of(str(path))
        others = [Source(address) for address in servers]
        text = wanted(
            have, fetched, Source(str(given["address"])), others, str(given.get("endpoint") or ""), str(given["name"])
        )
        private = have is not None and stat.S_IMODE(path.stat().st_mode) == 0o600
        changed = text != have or not private
        if changed and not self._task.check_mode:
            os.makedirs(path.parent, mode=0o700, exist_ok=True)  # noqa: PTH103 - the mode of every level
            write_file(str(path), text, 0o600)
        return {"changed": changed, "path": str(path)}
