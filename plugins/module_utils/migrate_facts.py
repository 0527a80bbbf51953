# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is observed of a cluster on its way from k3s' flannel to Cilium. Pure data.

What a migration shares with a change of stage (readiness, traffic, pods, budgets) is a node and a cluster of
stage2_facts; here is what comes on top.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Observed

# On a node: Cilium may come. The DaemonSet selects it until all nodes have been moved.
NETWORK_LABEL, CILIUM = "meshwright.k3s-cilium/network", "cilium"
# In /etc/rancher/k3s/config.yaml.d of servers.
DROP_IN = "50-network.yaml"
FLANNEL_NOTES = "flannel.alpha.coreos.com/"  # how annotations begin by which flannels know each other

VXLAN, HOST_GW = "vxlan", "host-gw"
BACKENDS = (VXLAN, HOST_GW)

# What Cilium's release is: none, one whose agents wait for the label, one without such a condition.
ABSENT, BESIDE, SETTLED = "absent", "beside", "settled"


@dataclass(frozen=True)
class Node:
    """One node, as the API, its agent and its host tell."""

    base: stage2_facts.Node
    label: bool = False
    notes: bool = False  # it carries flannel's annotations
    # its k3s
    up: bool = True
    wants_none: bool = False  # servers: the files say so
    runs_none: bool = False  # it started so: an agent as it was told by the server that it asked
    fixed: str = ""  # where flannel-backend stands so that no drop-in of ours can change it
    # its host
    bridge: bool = True  # cni0, or addresses that flannel's plugin keeps: Cilium must not start beside it
    overlay: bool = True  # what flannel put into the kernel so that nodes of the two networks reach each other
    remains: bool = True  # anything of flannel's: links, rules, files
    frozen: int = 0  # chains of a network policy controller that has ended
    old_pods: tuple[str, ...] = ()  # pods of the old network whose k3s runs without it
    direct: bool = False  # it has a direct route to each other node's pods
    behind: tuple[str, ...] = ()  # nodes that it reaches by a gateway only
    # its Cilium
    conf: bool = False  # the CNI configuration is written

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def host(self) -> str:
        return self.base.host or self.base.name

    @property
    def server(self) -> bool:
        return self.base.server

    @property
    def connected(self) -> bool:
        """Its Cilium works, and containerd uses it."""
        return self.runs_none and self.conf and bool(self.base.agent) and self.base.agent_state == "Ok"

    @property
    def moved(self) -> bool:
        return self.connected and not self.bridge and not self.old_pods

    @property
    def between(self) -> bool:
        """Without flannel, and without Cilium yet: it runs what it ran, and takes no pod that needs a network."""
        return self.runs_none and not self.moved

    def traffic(self) -> Observed:
        return self.base.traffic()


@dataclass(frozen=True)
class Ends:
    """What the inventory wants at the end, as far as it matters on the way."""

    routing_mode: str = "native"
    ipam_mode: str = "kubernetes"
    auto_direct_node_routes: bool = True
    native_cidrs: tuple[str, ...] = ()  # which Cilium does not masquerade
    cluster_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """The cluster."""

    nodes: tuple[Node, ...]
    cluster: stage2_facts.Facts = field(default_factory=lambda: stage2_facts.Facts(()))
    backends: tuple[str, ...] = (VXLAN,)  # of flannel, all that servers and annotations name
    release: str = ABSENT
    operator_current: bool = True  # it started after the last change of its ConfigMap
    snapshot: str = ""  # taken for this migration
    policies: int = 0  # NetworkPolicies
    ends: Ends = field(default_factory=Ends)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def servers(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.server)

    @property
    def moved(self) -> bool:
        return all(node.moved for node in self.nodes)

    def flannels_beside(self, name: str) -> bool:
        """Whether some other node has not been moved: then the kernels have to keep what flannel put there."""
        return any(not node.moved for node in self.nodes if node.name != name)


def labels_of(node: t.Mapping[str, t.Any]) -> bool:
    return ((node.get("metadata") or {}).get("labels") or {}).get(NETWORK_LABEL) == CILIUM


def notes_of(node: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Flannel's annotations, without their common beginning."""
    found = (node.get("metadata") or {}).get("annotations") or {}
    return {key[len(FLANNEL_NOTES) :]: value for key, value in found.items() if key.startswith(FLANNEL_NOTES)}
