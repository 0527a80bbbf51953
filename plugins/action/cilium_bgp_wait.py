# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for BGP sessions as the cluster sees them, and says what it waits for."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL, from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import (
    told,
    wait,
    wanted_sessions,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import OnController, say


class ActionModule(OnController):
    _VALID_ARGS = frozenset({"kubeconfig", "description", "routers", "timeout"})

    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        if check:
            return {"changed": False, "skipped": True, "msg": "nothing is waited for in check mode"}
        return {"changed": False, **_wait(given)}


def _wait(given: dict[str, t.Any]) -> dict[str, t.Any]:
    began = time.monotonic()
    kube = Kube.from_kubeconfig(str(given["kubeconfig"]))
    out = {node["metadata"]["name"] for node in kube.list("Node", labels=WITHDRAWN_LABEL)}
    wanted = wanted_sessions(from_dict(given["description"]), tuple(given.get("routers") or ()), out)
    state = wait(kube, wanted, float(given.get("timeout") or 60), say)
    return {**told(state), "took": round(time.monotonic() - began, 1)}
