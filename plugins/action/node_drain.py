# SPDX-License-Identifier: GPL-3.0-or-later
"""Drains a node, and says how far it is."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain import drain
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import Consent, sort_out
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.on_controller import PATIENCE, OnController, say


class ActionModule(OnController):
    _VALID_ARGS = frozenset({"kubeconfig", "node", "timeout", "grace_period", "delete_emptydir", "force"})

    def answer(self, given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
        return _run(given, check)


def _run(given: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    kube, node = Kube.from_kubeconfig(str(given["kubeconfig"]), patience=PATIENCE, say=say), str(given["node"])
    consent = Consent(bool(given.get("delete_emptydir")), bool(given.get("force")))
    grace = int(given.get("grace_period", -1))
    if check:
        found = sort_out(kube.list("Pod", fields=f"spec.nodeName={node}"), consent)
        refused = [f"{pod}: {why}" for pod, why in found.refused]
        return {"changed": bool(found.to_go), "gone": [str(pod) for pod in found.to_go], "refused": refused}
    began = time.monotonic()
    done = drain(
        kube, node, consent, timeout=float(given.get("timeout") or 300), grace=None if grace < 0 else grace,
        say=say,
    )  # fmt: skip
    took = round(time.monotonic() - began, 1)
    return {"changed": bool(done.gone), "gone": list(done.gone), "left": list(done.left), "took": took}
