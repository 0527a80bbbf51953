# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the running cluster, matched with the hosts of the inventory."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_nodes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_nodes import NodeSeen, addresses_of, node_name
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Inventory


def kubeconfig_of(inventory: Inventory) -> str:
    given = inventory.text("k3s_kubeconfig_path") or f"{inventory.text('meshwright_state_dir')}/kubeconfig"
    return str(Path(given).expanduser())


def live_nodes(kubeconfig: str) -> list[Object]:
    """Nothing where there is no cluster yet, or where it does not answer: the inventory speaks for itself then."""
    if not Path(kubeconfig).is_file():
        return []
    try:
        return Kube.from_kubeconfig(kubeconfig).nodes()
    except MeshwrightError as error:
        Display().vv(f"bgp: the nodes were not read: {error}")
        return []


def matched(inventory: Inventory, nodes: t.Iterable[Object]) -> dict[str, NodeSeen]:
    """By name, or else by address: a host may be called otherwise in the inventory than it calls itself."""
    seen = [
        NodeSeen(
            str(node["metadata"]["name"]),
            k3s_nodes.addresses(node),
            dict(node["metadata"].get("labels") or {}),
        )
        for node in nodes
    ]
    by_name = {node.name: node for node in seen}
    found = {}
    for host in inventory.members:
        own = set(addresses_of(host, NodeSeen()))
        node = by_name.get(node_name(host, NodeSeen())) or next((n for n in seen if own & set(n.addresses)), None)
        if node is not None:
            found[host.name] = node
    return found


def hosts_of(inventory: Inventory, nodes: t.Sequence[Object], why: str) -> dict[str, str]:
    """The inventory's host of each node. `why` says what a node without one would stand in the way of."""
    found = {seen.name: host for host, seen in matched(inventory, nodes).items()}
    strangers = sorted({str(node["metadata"]["name"]) for node in nodes} - found.keys())
    if strangers:
        raise MeshwrightError(
            "the inventory", seen=f"without {', '.join(strangers)}", wanted="every node of the cluster",
            remedy=f"name them among the servers or agents: {why}",
        )
    return found
