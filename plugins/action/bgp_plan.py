# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the variables of the cluster and of its routers together into the one description of BGP. Needs no host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_inventory import (
    bgp_of,
    cilium_version,
    is_wanted,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, as_dict, sessions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_summary import summary
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import merged, refusals
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_bgp import judge_bgp, unreachable_peers
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Inventory, number
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import collect
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.live_nodes import (
    kubeconfig_of,
    live_nodes,
    matched,
)


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        inventory = collect(task_vars or {}, self._templar, self._loader).inventory
        kubeconfig = kubeconfig_of(inventory)
        if not is_wanted(inventory):
            # Nothing of ours is to stay: what the inventory named once goes by this.
            empty = as_dict(Bgp(inventory.text("k3s_cluster_name"), 0, cilium_version=cilium_version(inventory)))
            found = {"wanted": False, "kubeconfig": kubeconfig, "summary": [], "description": empty}
            return {**result, "changed": False, **found}
        told = plan(inventory, matched(inventory, live_nodes(kubeconfig)))
        return {**result, "changed": False, "wanted": True, "kubeconfig": kubeconfig, **told}


def plan(inventory: Inventory, seen: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    bgp = bgp_of(inventory, seen)
    refused = refusals(merged((*judge_bgp(inventory, seen), *unreachable_peers(bgp)), inventory.names))
    if refused:
        lines = [finding.sentence for finding in refused]
        return {"failed": True, "msg": "\n".join([f"BGP as described is refused ({len(lines)}):", *lines])}
    # Only what is good hides itself: a refusal has to be read, and has no secrets in it.
    return {
        "description": as_dict(bgp),
        "summary": summary(bgp),
        "sessions": {
            router.name: [
                {"neighbor": session.node_address, "family": session.family, "asn": bgp.asn, "port": router.port}
                for session in sessions(bgp, router)
            ]
            for router in bgp.routers
        },
        "timeout": number(inventory.get("bgp_timeout")) or 60,
        "_ansible_no_log": True,
    }
