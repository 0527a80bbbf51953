# SPDX-License-Identifier: GPL-3.0-or-later
"""What one etcd member tells about its cluster, typed; and the gate that looks at it. Python 3.9."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_etcd import Answer, Etcd
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock


@dataclass(frozen=True)
class Member:
    id: int
    name: str  # empty for one that was added and has not started yet
    peer_urls: tuple[str, ...] = ()
    learner: bool = False
    active: bool = True  # its stream to the member that was asked is open

    @property
    def node(self) -> str:
        """k3s calls a member after its node, with a random suffix."""
        return self.name.rpartition("-")[0]

    @property
    def votes(self) -> bool:
        return bool(self.name) and not self.learner


@dataclass(frozen=True)
class EtcdState:
    cluster_id: str
    own_id: int
    leader: int
    members: tuple[Member, ...]
    healthy: bool
    source: str = "metrics"  # where `active` and `healthy` come from

    @property
    def quorum(self) -> int:
        return sum(not member.learner for member in self.members) // 2 + 1

    @property
    def alive(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.votes and member.active)

    def of_node(self, node: str) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.node == node)

    def as_dict(self) -> dict[str, t.Any]:
        """For a module's answer; identities as etcdctl prints them."""
        members = [
            {**asdict(member), "id": f"{member.id:x}", "node": member.node, "peer_urls": list(member.peer_urls)}
            for member in self.members
        ]
        leader = next((member.node for member in self.members if member.id == self.leader), "")
        own = next((member.node for member in self.members if member.id == self.own_id), "")
        return {
            "cluster_id": self.cluster_id, "members": members, "leader": leader, "own": own, "healthy": self.healthy,
            "quorum": self.quorum, "source": self.source,
        }  # fmt: skip


def observe(etcd: Etcd) -> EtcdState:
    """One member's view. Without metrics a member counts as active if there is a leader."""
    listed, status = etcd.members(), etcd.status()
    peers, healthy = etcd.active_peers(), etcd.healthy()
    own = int(status["header"]["member_id"])
    leader = int(status.get("leader", 0))
    members = tuple(_member(raw, own, leader, peers) for raw in listed.get("members", ()))
    return EtcdState(
        cluster_id=f"{int(listed['header']['cluster_id']):x}",
        own_id=own,
        leader=leader,
        members=members,
        healthy=leader != 0 if healthy is None else healthy,
        source="status" if peers is None else "metrics",
    )


def _member(raw: Answer, own: int, leader: int, peers: t.Mapping[int, bool] | None) -> Member:
    identity = int(raw["ID"])
    active = leader != 0 if peers is None else peers.get(identity, False)
    return Member(
        identity, str(raw.get("name", "")), tuple(raw.get("peerURLs", ())), bool(raw.get("isLearner", False)),
        active or identity == own,
    )  # fmt: skip


def problem(state: EtcdState, voters: t.Collection[str] = ()) -> str:
    """Why this cluster is not whole, or nothing. `voters` are nodes that must be among those who vote."""
    if not state.leader:
        return "without a leader"
    if not state.healthy:
        return "unhealthy: it cannot commit"
    for member in state.members:
        if not member.votes:
            return f"with {member.node or 'a member that never started'}, which does not vote yet"
        if not member.active:
            return f"with {member.node}, which does not answer"
    missing = sorted(set(voters) - {member.node for member in state.members})
    if missing:
        return f"without {', '.join(missing)}"
    return ""


def plan_removal(state: EtcdState, node: str) -> tuple[int, ...]:
    """Identities of a node's dead members. Refuses for one that is alive and when the others would be too few."""
    doomed = state.of_node(node)
    others = [member for member in state.alive if member.node != node]
    rest = [member for member in state.members if member.node != node and not member.learner]
    for member in doomed:
        if member.id == state.own_id or (member.active and member.votes and state.source == "metrics"):
            raise MeshwrightError(
                f"the etcd member {member.name}", seen="alive", wanted="gone before its node joins anew",
                remedy=f"find the machine that runs as {node} beside this one, and stop k3s there",
            )
    if doomed and len(others) < len(rest) // 2 + 1:
        raise MeshwrightError(
            "the etcd cluster", seen=f"{len(others)} of {len(rest)} members alive without {node}",
            wanted=f"{len(rest) // 2 + 1} or more", remedy="bring the other servers up first, or restore a snapshot",
        )
    return tuple(member.id for member in doomed)


def await_removal(etcd: Etcd, node: str, grace: float, clock: Clock = CLOCK) -> tuple[bool, tuple[int, ...]]:
    """Whether the node had a member, and those that are still there after the grace and may be removed."""
    end = clock.now() + grace
    there = False
    while True:
        state = observe(etcd)
        doomed = plan_removal(state, node)
        there = there or bool(doomed)
        if not doomed or clock.now() >= end:
            return there, doomed
        clock.sleep(1.0)
