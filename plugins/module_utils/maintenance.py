# SPDX-License-Identifier: GPL-3.0-or-later
"""A node in and out of traffic, on the cluster's side: looks, takes one step of the plan. Runs on the controller."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as plans
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL, family_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import (
    NODE_CONFIG,
    PeerState,
    heard,
    listed,
    peers_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Announcer, Observed, Other
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import Consent, sort_out
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.selectors import selects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_NAMESPACE = "kube-system"
_LEASES = "cilium-l2announce-"
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
METALLB = ("app.kubernetes.io/name=metallb", "app=metallb")
# A session that is up tells of its first routes with the agent's next status, five seconds later at most.
_SETTLE = 8.0

Say = t.Callable[[str], None]


@dataclass(frozen=True)
class Look:
    seen: Observed
    labels: t.Mapping[str, str]
    annotations: t.Mapping[str, str]
    metallb: bool
    addresses: tuple[str, ...]  # which routers may have as next hops
    peers: tuple[PeerState, ...]

    def present(self) -> dict[str, list[str]]:
        """For each router's address, this node's addresses that must be among its next hops: those that announce."""
        return {
            peer.address: [address for address in self.addresses if family_of(address) == peer.family]
            for peer in self.peers
            if peer.up and peer.advertised
        }

    def told(self, target: str) -> dict[str, t.Any]:
        return {
            "node": self.seen.node,
            "situation": self.seen.situation,
            "cordoned": self.seen.cordoned,
            "ours": self.seen.ours,
            "pods": self.seen.pods,
            "announcers": {announcer.name: announcer.state for announcer in self.seen.announcers},
            "sessions": [asdict(peer) for peer in self.peers],
            "steps": list(plans.steps(self.seen, target)),
            "addresses": list(self.addresses),
            "present": self.present(),
        }


def look(kube: Kube, name: str) -> Look:
    nodes = kube.list("Node")
    node = next((item for item in nodes if item["metadata"]["name"] == name), None)
    if node is None:
        known = ", ".join(sorted(item["metadata"]["name"] for item in nodes))
        raise MeshwrightError(
            f"the node {name}", seen="unknown to the cluster", wanted=f"one of {known}",
            remedy="give its name as kubectl get nodes shows it",
        )  # fmt: skip
    labels, annotations = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    metallb = any(kube.list("DaemonSet", "", "apps/v1", labels=label) for label in METALLB)
    own = [item for item in listed(kube, NODE_CONFIG) if item["metadata"]["name"] == name]
    peers = tuple(peer for config in heard(kube, own) for peer in peers_of(config))
    addresses = (*_local(kube, name), *_internal(node))
    pods = sort_out(kube.list("Pod", fields=f"spec.nodeName={name}"), Consent())
    seen = Observed(
        node=name, server=_CONTROL_PLANE in labels, cordoned=bool(node["spec"].get("unschedulable")),
        ours=plans.CORDON_MARK in annotations, announcers=_announcers(kube, name, labels, annotations, peers, metallb),
        pods=len(pods.to_go) + len(pods.refused), others=tuple(_other(item) for item in nodes if item is not node),
        stubborn=tuple(_stubborn(kube, labels)),
    )  # fmt: skip
    return Look(seen, labels, annotations, metallb, tuple(dict.fromkeys(addresses)), peers)


def take(kube: Kube, seen: Look, step: str) -> bool:
    """Write what the step wants on the node. False when it is so already."""
    patch = plans.patch(step, seen.metallb, seen.labels, seen.annotations)
    if patch:
        kube.merge("Node", seen.seen.node, patch)
    return bool(patch)


def wait_out(kube: Kube, name: str, timeout: float, say: Say, clock: Clock = CLOCK) -> Look:
    """Until no announcer of the node holds anything any more, as the cluster sees it."""
    return _wait(
        kube, name, plans.OUT, timeout, say, clock,
        remedy="see that cilium-operator runs, and the node's CiliumBGPNodeConfig and leases in kube-system",
    )  # fmt: skip


def wait_in(kube: Kube, name: str, timeout: float, say: Say, clock: Clock = CLOCK) -> Look:
    """Until all announcers of the node are up again; then as long as it takes to tell of its routes."""
    found = _wait(
        kube, name, plans.ANNOUNCING, timeout, say, clock,
        remedy="see the routers' side of the sessions that are not established, and that cilium-operator runs",
    )  # fmt: skip
    end = clock.now() + _SETTLE
    while not all(peer.advertised for peer in found.peers) and clock.now() < end:
        clock.sleep(1.0)
        found = look(kube, name)
    return found


def _wait(kube: Kube, name: str, state: str, timeout: float, say: Say, clock: Clock, remedy: str) -> Look:
    last = ""

    def late(seen: Look) -> list[str]:
        return [f"{item.name} {item.state}" for item in seen.seen.announcers if item.state != state]

    def describe(seen: Look) -> str:
        nonlocal last
        down = [f"{peer.peer} ({peer.address}) {peer.state or 'not told'}" for peer in seen.peers if not peer.up]
        if not seen.peers:
            down = ["the operator has not made its CiliumBGPNodeConfig yet"]
        text = ", ".join([*late(seen), *(down if state == plans.ANNOUNCING and late(seen) else [])])
        if text != last:
            say(f"{name}: {text}")
            last = text
        return text

    def once() -> Look:
        seen = look(kube, name)
        if late(seen):
            describe(seen)
        return seen

    return wait_until(
        once, lambda seen: not late(seen), thing=f"what announces from the node {name}", wanted=state,
        describe=describe, timeout=timeout, interval=0.5, clock=clock, remedy=remedy,
    )  # fmt: skip


# -- reading


def _announcers(
    kube: Kube, name: str, labels: t.Mapping[str, str], annotations: t.Mapping[str, str],
    peers: tuple[PeerState, ...], metallb: bool,
) -> tuple[Announcer, ...]:  # fmt: skip
    chosen = any(_selects(item, labels) for item in listed(kube, "CiliumBGPClusterConfig"))
    leases = holders(kube.list("Lease", _NAMESPACE, "coordination.k8s.io/v1"))
    return announcers(labels, annotations, peers, chosen, leases.count(name), metallb)


def holders(leases: t.Iterable[Object]) -> list[str]:
    """For each address that Cilium announces by L2, the node that does."""
    mine = (lease for lease in leases if lease["metadata"]["name"].startswith(_LEASES))
    return [str((lease.get("spec") or {}).get("holderIdentity") or "") for lease in mine]


def announcers(
    labels: t.Mapping[str, str], annotations: t.Mapping[str, str], peers: tuple[PeerState, ...], chosen: bool,
    leases: int, metallb: bool,
) -> tuple[Announcer, ...]:  # fmt: skip
    """By which ways a node draws traffic, from what is known of it. Pure."""
    told = WITHDRAWN_LABEL in labels
    # Without peers for a chosen node the operator has not come by yet.
    up = not chosen or (bool(peers) and all(peer.up for peer in peers))
    found = [Announcer("bgp", told, len(peers), up), Announcer("l2", told, leases)]
    excluded = plans.EXCLUDE_LABEL in labels
    # Who was excluded by somebody else stays so, and is none of our announcers.
    if metallb and (not excluded or plans.EXCLUDE_MARK in annotations):
        found.append(Announcer("metallb", excluded, None))
    return tuple(found)


def _stubborn(kube: Kube, labels: t.Mapping[str, str]) -> list[str]:
    out = {**labels, WITHDRAWN_LABEL: "true"}
    return [
        f"{kind} {item['metadata']['name']}"
        for kind in ("CiliumBGPClusterConfig", "CiliumL2AnnouncementPolicy")
        for item in listed(kube, kind)
        if _selects(item, out)
    ]


def _selects(item: Object, labels: t.Mapping[str, str]) -> bool:
    return selects((item.get("spec") or {}).get("nodeSelector") or {}, labels)


def _other(node: Object) -> Other:
    labels = node["metadata"].get("labels") or {}
    return Other(
        node["metadata"]["name"], _CONTROL_PLANE in labels, condition(node, "Ready"),
        bool(node["spec"].get("unschedulable")), WITHDRAWN_LABEL in labels,
    )  # fmt: skip


def _internal(node: Object) -> list[str]:
    return [
        entry["address"] for entry in (node.get("status") or {}).get("addresses") or [] if entry["type"] == "InternalIP"
    ]


def _local(kube: Kube, name: str) -> list[str]:
    """Addresses at which the node's sessions begin where they are not the node's own."""
    found = [item for item in listed(kube, "CiliumBGPNodeConfigOverride") if item["metadata"]["name"] == name]
    return [
        peer["localAddress"]
        for item in found
        for instance in item["spec"].get("bgpInstances") or []
        for peer in instance.get("peers") or []
        if peer.get("localAddress")
    ]
