# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for BGP sessions as the cluster sees them, and says what it waits for."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL, from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import (
    told,
    wait,
    wanted_sessions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"kubeconfig", "description", "routers", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is waited for in check mode"}
        try:
            return {**result, "changed": False, **_wait(plain(self._task.args))}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}


def _wait(given: dict[str, t.Any]) -> dict[str, t.Any]:
    began = time.monotonic()
    kube = Kube.from_kubeconfig(str(given["kubeconfig"]))
    out = {node["metadata"]["name"] for node in kube.list("Node", labels=WITHDRAWN_LABEL)}
    wanted = wanted_sessions(from_dict(given["description"]), tuple(given.get("routers") or ()), out)
    state = wait(kube, wanted, float(given.get("timeout") or 60), lambda text: Display().display(f"  {text}"))
    return {**told(state), "took": round(time.monotonic() - began, 1)}
