# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for a node's conditions, as one server's API tells them, and says what it waits for."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_nodes import Look, conditions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import wait_until
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"kubeconfig", "server", "node", "conditions", "since", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        given = plain(self._task.args)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is waited for in check mode"}
        try:
            seen = _wait(host, given)
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}
        return {**result, "changed": False, "conditions": conditions(seen.node)}


def _wait(host: str, given: dict[str, t.Any]) -> Look:
    name, wanted = str(given["node"]), [str(word) for word in given.get("conditions", ["Ready"])]
    since = float(given.get("since") or 0)
    kube = Kube.from_kubeconfig(str(given["kubeconfig"]), server=str(given.get("server") or ""))
    last = ""

    def describe(seen: Look) -> str:
        nonlocal last
        text = f"without {', '.join(seen.missing(wanted, since))}"
        if text != last:
            Display().display(f"  {host}: node {name} is {text} yet")
            last = text
        return text

    def look() -> Look:
        lease = kube.get("Lease", name, "kube-node-lease", "coordination.k8s.io/v1") if "Ready" in wanted else None
        seen = Look(kube.get("Node", name), lease)
        if seen.missing(wanted, since):
            describe(seen)
        return seen

    return wait_until(
        look, lambda seen: not seen.missing(wanted, since), thing=f"the node {name}",
        wanted=" and ".join(wanted) or "known", describe=describe, timeout=float(given.get("timeout") or 120),
        remedy=f"see `kubectl describe node {name}` and k3s' journal on the host",
    )  # fmt: skip
