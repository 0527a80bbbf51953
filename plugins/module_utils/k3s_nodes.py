# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes as the API tells them: conditions to wait for, and whether one may be forgotten. Pure; on the controller."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

Object = t.Mapping[str, t.Any]
PASSWORD_NAMESPACE = "kube-system"


def password_secret(node: str) -> str:
    """k3s: pkg/nodepassword."""
    return f"{node}.node-password.k3s"


def conditions(node: Object | None) -> dict[str, str]:
    return {found["type"]: found["status"] for found in ((node or {}).get("status") or {}).get("conditions") or ()}


def renewed(lease: Object | None) -> float:
    """When the kubelet last said that it lives, in seconds since the epoch; 0 for never."""
    text = str(((lease or {}).get("spec") or {}).get("renewTime") or "")
    if not text:
        return 0.0
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclass(frozen=True)
class Look:
    """One look at a node."""

    node: Object | None
    lease: Object | None = None

    def missing(self, wanted: t.Collection[str], since: float = 0.0) -> tuple[str, ...]:
        """What is not as wanted yet. A kubelet that has said nothing since then may only be remembered as Ready."""
        if self.node is None:
            return ("its Node",)
        seen = conditions(self.node)
        found = [name for name in wanted if seen.get(name) != "True"]
        if "Ready" in wanted and renewed(self.lease) < since:
            found.append("a sign of life from its kubelet")
        return tuple(found)


def addresses(node: Object) -> tuple[str, ...]:
    listed = (node.get("status") or {}).get("addresses") or ()
    return tuple(str(found["address"]) for found in listed if found["type"] in ("InternalIP", "ExternalIP"))


def may_be_forgotten(node: Object | None, own: t.Collection[str]) -> bool:
    """A node is gone when it is not Ready, or when it is the very machine that is about to join anew."""
    if node is None or conditions(node).get("Ready") != "True":
        return True
    return bool(set(addresses(node)) & set(own))


def still_alive(node: Object) -> MeshwrightError:
    name = str(node["metadata"]["name"])
    return MeshwrightError(
        f"the node {name}", seen=f"Ready, at {', '.join(addresses(node)) or 'an unknown address'}",
        wanted="gone, for another machine is to join by its name",
        remedy="give this host another name, or stop k3s on the other machine",
    )
