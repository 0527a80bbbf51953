# SPDX-License-Identifier: GPL-3.0-or-later
"""From the API's objects, the agents' words and the hosts' reports to a migration's facts. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_facts, stage2_read
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_spellings import dig
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import (
    ABSENT,
    BESIDE,
    NETWORK_LABEL,
    SETTLED,
    Ends,
    Facts,
    Node,
    labels_of,
    notes_of,
)


@dataclass(frozen=True)
class HostSays:
    """What a host reports of itself; nothing is known of one that was not asked."""

    host: str = ""
    up: bool = True
    wants_none: bool = False
    runs_none: bool = False
    fixed: str = ""
    bridge: bool = True
    overlay: bool = True
    remains: bool = True
    frozen: int = 0
    direct: bool = False
    behind: tuple[str, ...] = ()
    conf: bool = False
    kube_proxy: bool = True
    kube_proxy_elsewhere: str = ""


@dataclass(frozen=True)
class Words:
    """What is known beside stage2_read's lists."""

    stage: stage2_read.Words = field(default_factory=stage2_read.Words)  # its hosts are filled in here
    hosts: t.Mapping[str, HostSays] = field(default_factory=dict)  # by node
    endpoints: Objects = field(default_factory=list)  # CiliumEndpoints: pods that Cilium connected
    policies: int = 0
    ends: Ends = field(default_factory=Ends)
    snapshot: str = ""


def facts(seen: stage2_read.Lists, words: Words) -> Facts:
    hosts = {
        name: stage2_read.HostSays(said.host, said.kube_proxy, said.kube_proxy_elsewhere)
        for name, said in words.hosts.items()
    }
    cluster = stage2_read.facts(seen, replace(words.stage, hosts=hosts))
    connected = {_named(item) for item in words.endpoints}
    objects = {str(item["metadata"]["name"]): item for item in seen.nodes}
    nodes = tuple(
        _node(base, objects[base.name], words.hosts.get(base.name, HostSays()), connected) for base in cluster.nodes
    )
    return Facts(
        nodes, cluster, backends_of(seen.nodes), release_of(words.stage.release), cluster.operator_current,
        words.snapshot, words.policies, words.ends,
    )  # fmt: skip


def _node(base: stage2_facts.Node, item: Object, said: HostSays, connected: t.Container[str]) -> Node:
    old = tuple(
        str(pod.ref) for pod in base.pods if not pod.host_network and not pod.done and str(pod.ref) not in connected
    )
    return Node(
        base, label=labels_of(item), notes=bool(notes_of(item)), up=said.up, wants_none=said.wants_none,
        runs_none=said.runs_none, fixed=said.fixed, bridge=said.bridge, overlay=said.overlay, remains=said.remains,
        frozen=said.frozen, old_pods=old if said.runs_none else (), direct=said.direct, behind=said.behind,
        conf=said.conf,
    )  # fmt: skip


def _named(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def backends_of(nodes: Objects) -> tuple[str, ...]:
    found = (notes_of(node).get("backend-type", "") for node in nodes)
    return tuple(sorted({name for name in found if name}))


def release_of(release: Release | None) -> str:
    if release is None:
        return ABSENT
    return BESIDE if NETWORK_LABEL in (dig(release.values, "nodeSelector") or {}) else SETTLED


def told(nodes: Objects, moved: t.Container[str]) -> list[dict[str, t.Any]]:
    """What hosts need to know of all nodes."""
    return [
        {
            "name": str(node["metadata"]["name"]), "notes": notes_of(node),
            "addresses": [
                str(entry["address"]) for entry in (node.get("status") or {}).get("addresses") or ()
                if entry["type"] == "InternalIP"
            ],
            "pod_cidrs": list(node["spec"].get("podCIDRs") or ()), "moved": node["metadata"]["name"] in moved,
        }
        for node in nodes
    ]  # fmt: skip
