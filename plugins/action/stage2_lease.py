# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the Lease that keeps a second controller out, and gives it up."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_lease import RENEW
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import stage2_holder
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, OnController, say


class ActionModule(OnController):
    _VALID_ARGS = frozenset({"kubeconfig", "state"})

    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        if check:
            return {"changed": False}
        kubeconfig = str(given["kubeconfig"])
        holder = stage2_holder.holder(Kube.from_kubeconfig(kubeconfig, patience=PATIENCE, say=say))
        if given.get("state", "held") == "released":
            holder.give_up()
            return {"changed": False}
        verdict = holder.take()
        if verdict != RENEW:
            stage2_holder.keep(kubeconfig)
        return {"changed": False, "verdict": verdict}
