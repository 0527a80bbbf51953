# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletes what the cluster remembers of a machine that lost its data, so that it can join anew."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_nodes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import wait_until
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"kubeconfig", "servers", "node", "addresses", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        given = plain(self._task.args)
        if self._task.check_mode and not Path(str(given["kubeconfig"])).expanduser().exists():
            return {**result, "changed": False, "forgotten": []}  # no cluster yet that could remember anything
        try:
            forgotten = _forget(_answering(given), given, dry=bool(self._task.check_mode))
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}
        return {**result, "changed": bool(forgotten), "forgotten": forgotten}


def _answering(given: dict[str, t.Any]) -> Kube:
    """The first server whose API answers; the file's own when none is given."""
    problem: MeshwrightError | None = None
    for server in given.get("servers") or [""]:
        kube = Kube.from_kubeconfig(str(given["kubeconfig"]), server=str(server))
        try:
            kube.version()
        except MeshwrightError as error:
            problem = error
        else:
            return kube
    raise problem or MeshwrightError("the Kubernetes API", seen="not known", wanted="a server to ask")


def _forget(kube: Kube, given: dict[str, t.Any], dry: bool) -> list[str]:
    name, own = str(given["node"]), [str(address) for address in given.get("addresses") or ()]
    node = kube.get("Node", name)
    secret = k3s_nodes.password_secret(name)
    there = [f"Node {name}"] if node else []
    there += [f"Secret {secret}"] if kube.get("Secret", secret, k3s_nodes.PASSWORD_NAMESPACE) else []
    if not k3s_nodes.may_be_forgotten(node, own):
        # A machine that died a moment ago is Ready until its lease is over.
        node = _wait_for_its_end(kube, name, own, 1.0 if dry else float(given.get("timeout") or 60))
    if there and not dry:
        kube.delete("Node", name)
        kube.delete("Secret", secret, k3s_nodes.PASSWORD_NAMESPACE)
        wait_until(
            lambda: kube.get("Node", name), lambda seen: seen is None, thing=f"the node {name}", wanted="gone",
            describe=lambda _seen: "still there", timeout=60, remedy="see which finalizers hold it",
        )
    return there


def _wait_for_its_end(kube: Kube, name: str, own: list[str], timeout: float) -> t.Any:
    try:
        return wait_until(
            lambda: kube.get("Node", name), lambda seen: k3s_nodes.may_be_forgotten(seen, own),
            thing=f"the node {name}", wanted="not Ready", describe=lambda _seen: "Ready", timeout=timeout,
        )
    except MeshwrightError as error:
        node = kube.get("Node", name)
        raise k3s_nodes.still_alive(node) if node else error from None
