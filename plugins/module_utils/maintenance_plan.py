# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a node out of traffic and back: which steps remain, and what speaks against them. Pure.

Nothing is remembered between runs but what stands on the node itself: so a run that was killed is gone on with by
the next one, from wherever the node is.

Each announcer is a state machine of its own:

    announcing --(told to leave)--> leaving --(nothing held)--> out --(told to return)--> returning --(up)--> announcing
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

# Annotations on the node, so that we take back what we did and nothing else.
CORDON_MARK = "meshwright.k3s-cilium/cordoned"
EXCLUDE_MARK = "meshwright.k3s-cilium/excluded"
# MetalLB reads it, and clouds; Cilium does not.
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

OUT, IN = "out", "in"
ANNOUNCING, LEAVING, RETURNING = "announcing", "leaving", "returning"

CORDON, WITHDRAW, GONE, DRAIN = "cordon", "withdraw", "gone", "drain"
UNCORDON, ANNOUNCE, PRESENT = "uncordon", "announce", "present"


@dataclass(frozen=True)
class Announcer:
    """One way by which a node draws traffic: bgp, l2 or metallb."""

    name: str
    told: bool  # the node carries the label that takes it out
    holding: int | None  # sessions or leases that it still has; None: the cluster cannot see that
    up: bool = True  # it has all that it should have, once it may

    @property
    def state(self) -> str:
        if self.told:
            return LEAVING if self.holding else OUT
        return ANNOUNCING if self.up else RETURNING


@dataclass(frozen=True)
class Other:
    """Another node of the cluster."""

    name: str
    server: bool
    ready: bool
    cordoned: bool = False
    withdrawn: bool = False

    @property
    def carries(self) -> bool:
        return self.ready and not self.cordoned and not self.withdrawn

    @property
    def up(self) -> bool:
        """For etcd a cordoned server is as good as any; one that is out may be down at any moment."""
        return self.ready and not self.withdrawn


@dataclass(frozen=True)
class Observed:
    """A node as it is now, with what matters around it."""

    node: str
    server: bool = False
    cordoned: bool = False
    ours: bool = False  # the cordon is
    announcers: tuple[Announcer, ...] = ()
    pods: int = 0  # which a drain would have to move
    others: tuple[Other, ...] = ()
    stubborn: tuple[str, ...] = ()  # objects that keep announcing from the node, whatever its label says

    @property
    def told(self) -> bool:
        return all(announcer.told for announcer in self.announcers)

    @property
    def situation(self) -> str:
        """One word for people."""
        states = {announcer.state for announcer in self.announcers}
        if self.cordoned and states <= {OUT}:
            return OUT if not self.pods else "draining"
        if not self.cordoned and states <= {ANNOUNCING}:
            return IN
        return "between"


def steps(seen: Observed, target: str) -> tuple[str, ...]:
    """What remains to be done, in order."""
    return _out(seen) if target == OUT else _in(seen)


def _out(seen: Observed) -> tuple[str, ...]:
    # New pods stay away first, then new connections, and only when no router sends any more do the pods go. The label
    # travels from the node by way of CiliumNode and the operator to the node's BGP configuration. Where the operator
    # runs on this very node it would be late while it is being moved; but it is moved by the drain, which comes last.
    found = [] if seen.cordoned else [CORDON]
    if not seen.told:
        found.append(WITHDRAW)
    found.append(GONE)  # asked again each time: it costs little, and routers are the ones who know
    if seen.pods:
        found.append(DRAIN)
    return tuple(found)


def _in(seen: Observed) -> tuple[str, ...]:
    found = [UNCORDON] if seen.cordoned and seen.ours else []
    if any(announcer.told for announcer in seen.announcers):
        found.append(ANNOUNCE)
    return (*found, PRESENT)


def refusals(seen: Observed, target: str, accept_cordoned: bool = False) -> list[MeshwrightError]:
    """Why the node must not be taken out. The way back is never refused."""
    if target != OUT:
        return []
    found = []
    if seen.cordoned and not seen.ours and not accept_cordoned:
        found.append(_no(
            f"the node {seen.node}", "cordoned by somebody else", "schedulable, or cordoned by us",
            "uncordon it, or say maintenance_accept_cordoned=true: then it stays cordoned when it comes back",
        ))
    if not any(other.carries for other in seen.others):
        found.append(_no(
            f"the node {seen.node}", "the last one that can carry traffic", "another one, Ready and schedulable",
            "bring another node back first",
        ))
    found += _quorum(seen)
    found += [
        _no(name, "one that selects withdrawn nodes too", f"a nodeSelector with {WITHDRAWN_LABEL} DoesNotExist",
            "add that expression to it, or leave the object to the role bgp")
        for name in seen.stubborn
    ]  # fmt: skip
    return found


def _quorum(seen: Observed) -> list[MeshwrightError]:
    """etcd wants more than half of the servers, and this one may stop once it is out."""
    if not seen.server:
        return []
    servers = [other for other in seen.others if other.server]
    up = [other.name for other in servers if other.up]
    # One or two servers have no majority to lose: then at least all others have to be there.
    wanted = min((len(servers) + 1) // 2 + 1, len(servers))
    if len(up) >= wanted:
        return []
    down = ", ".join(other.name for other in servers if not other.up)
    return [_no(
        "etcd's quorum without this server", f"lost: {len(up)} of {len(servers)} other servers are up (not: {down})",
        f"{wanted} of them", "bring those back first",
    )]  # fmt: skip


def _no(thing: str, seen: str, wanted: str, remedy: str) -> MeshwrightError:
    return MeshwrightError(thing, seen=seen, wanted=wanted, remedy=remedy)


# -- what is written on the node


def patch(step: str, metallb: bool, labels: t.Mapping[str, str], annotations: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The merge patch that makes a step; empty where the node is so already. None removes."""
    if step == CORDON:
        return {"spec": {"unschedulable": True}, "metadata": {"annotations": {CORDON_MARK: "true"}}}
    if step == UNCORDON:
        return {"spec": {"unschedulable": None}, "metadata": {"annotations": {CORDON_MARK: None}}}
    changes = _withdrawn(metallb, labels) if step == WITHDRAW else _announced(labels, annotations)
    return {"metadata": changes} if changes["labels"] else {}


def _withdrawn(metallb: bool, labels: t.Mapping[str, str]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"labels": {}}
    if WITHDRAWN_LABEL not in labels:
        found["labels"][WITHDRAWN_LABEL] = "true"
    if metallb and EXCLUDE_LABEL not in labels:
        found["labels"][EXCLUDE_LABEL] = "true"
        found["annotations"] = {EXCLUDE_MARK: "true"}
    return found


def _announced(labels: t.Mapping[str, str], annotations: t.Mapping[str, str]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"labels": {}}
    if WITHDRAWN_LABEL in labels:
        found["labels"][WITHDRAWN_LABEL] = None
    if EXCLUDE_LABEL in labels and EXCLUDE_MARK in annotations:
        found["labels"][EXCLUDE_LABEL] = None
        found["annotations"] = {EXCLUDE_MARK: None}
    return found
