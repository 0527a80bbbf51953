# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each server: begin a cluster, join one, stay. Pure; runs on the controller.

k3s issue 13623: a server with an empty datastore and nobody named to join begins another cluster. So exactly one server
may begin one, and only when no server of the inventory has a datastore and every one of them was asked.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

INITIALISE, JOIN, KEEP, UNSEEN = "initialise", "join", "keep", "unseen"
CLUSTER = "the cluster"


@dataclass(frozen=True)
class Server:
    host: str
    address: str  # how other nodes reach it
    seen: bool = True
    datastore: bool = False
    active: bool = False
    node: str = ""
    ca_hash: str = ""
    cluster_id: str = ""
    members: tuple[str, ...] = ()  # nodes of the etcd members that it knows; nothing when etcd was not asked
    kube_proxy: bool = True

    @property
    def url(self) -> str:
        bracketed = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{bracketed}:6443"


@dataclass(frozen=True)
class Step:
    host: str
    action: str
    peers: tuple[str, ...] = ()  # URLs for `server:`, the best first
    forget: bool = False  # an etcd member of its name is still there
    kube_proxy: bool | None = None  # None: as it is on the server
    active: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        return {**asdict(self), "peers": list(self.peers)}


@dataclass(frozen=True)
class ClusterPlan:
    live: bool
    steps: tuple[Step, ...]  # in the order of the servers
    kube_proxy: bool
    agent_peers: tuple[str, ...]
    helper: str  # a live server that can be asked about etcd; empty when there is none

    @property
    def order(self) -> tuple[str, ...]:
        """Who begins the cluster, then live servers, those first that are down and weaken it, then joining ones."""
        rank = {INITIALISE: 0, KEEP: 1, JOIN: 2, UNSEEN: 3}
        ordered = sorted(self.steps, key=lambda step: (rank[step.action], step.active))
        return tuple(step.host for step in ordered if step.action != UNSEEN)


def plan(servers: t.Sequence[Server], initial_stage: int = 1) -> ClusterPlan:
    refused = refusals(servers)
    if refused:
        raise refused[0]
    live = any(server.datastore for server in servers)
    # Servers that this run does not see may be live: nothing is begun then, and stages are not guessed.
    begins = not live and any(server.seen for server in servers)
    kube_proxy = _kube_proxy(servers, initial_stage)
    first = next((server.host for server in servers if server.seen), "") if begins else ""
    steps = tuple(_step(server, servers, first, kube_proxy) for server in servers)
    helper = next((server.host for server in servers if server.datastore and server.active), "")
    return ClusterPlan(live, steps, kube_proxy, _peers("", servers), helper)


def _kube_proxy(servers: t.Sequence[Server], initial_stage: int) -> bool:
    """As the live servers have it; while they are converted one by one, as before."""
    known = [server.kube_proxy for server in servers if server.datastore]
    return any(known) if known else initial_stage == 1


def _step(server: Server, servers: t.Sequence[Server], first: str, kube_proxy: bool) -> Step:
    if not server.seen:
        return Step(server.host, UNSEEN)
    if server.datastore:
        return Step(server.host, KEEP, _named_by(server, servers), active=server.active)
    if server.host == first:
        return Step(server.host, INITIALISE, (), kube_proxy=kube_proxy)
    known = {node for other in servers for node in other.members}
    peers = tuple(other.url for other in servers if other.host == first) or _peers(server.host, servers)
    return Step(server.host, JOIN, peers, server.node in known, kube_proxy)


def _named_by(server: Server, servers: t.Sequence[Server]) -> tuple[str, ...]:
    """Peers that a live server may name: those who have the cluster, and those who may have it unseen."""
    others = [other for other in servers if other.host != server.host and (other.datastore or not other.seen)]
    return tuple(other.url for other in sorted(others, key=lambda other: (not other.active, not other.datastore)))


def _peers(host: str, servers: t.Sequence[Server]) -> tuple[str, ...]:
    """Servers to join through: those of the cluster that run, else those that have it, else all."""
    others = [server for server in servers if server.host != host]
    with_cluster = [server for server in others if server.datastore]
    running = [server for server in with_cluster if server.active]
    return tuple(server.url for server in running or with_cluster or others)


# -- what is refused


def refusals(servers: t.Sequence[Server]) -> list[MeshwrightError]:
    return [*_two_clusters(servers), *_put_out(servers), *_unseen(servers), *_lost_quorum(servers), *_even(servers)]


def _two_clusters(servers: t.Sequence[Server]) -> t.Iterator[MeshwrightError]:
    for kind in ("ca_hash", "cluster_id"):
        known = [(server.host, str(getattr(server, kind))) for server in servers if server.datastore]
        known = [(host, value) for host, value in known if value]
        if len({value for _host, value in known}) > 1:
            told = ", ".join(f"{value[:8]} on {host}" for host, value in known)
            yield MeshwrightError(
                CLUSTER, seen=f"not one but several ({told})", wanted="the same on all servers",
                remedy="wipe /var/lib/rancher/k3s on the servers of the wrong one, or take them out of the inventory",
            )
            return


def _put_out(servers: t.Sequence[Server]) -> t.Iterator[MeshwrightError]:
    """k3s on a server that was removed from etcd ends at once, and its datastore keeps it from joining anew."""
    known = {node for server in servers if server.active for node in server.members}
    for server in servers:
        if server.datastore and known and not server.members and server.node not in known:
            yield MeshwrightError(
                "its datastore", host=server.host, seen="that of a member which the cluster has removed",
                wanted="empty, or that of a member",
                remedy="delete /var/lib/rancher/k3s/server/db on it: it joins anew",
            )


def _unseen(servers: t.Sequence[Server]) -> t.Iterator[MeshwrightError]:
    unseen = [server.host for server in servers if not server.seen]
    empty = [server.host for server in servers if server.seen and not server.datastore]
    if empty and unseen and not any(server.datastore for server in servers):
        yield MeshwrightError(
            CLUSTER, host=empty[0], seen=f"unknown: {', '.join(unseen)} took no part in this run",
            wanted="every server asked before one begins a cluster", remedy="run without --limit",
        )


def _lost_quorum(servers: t.Sequence[Server]) -> t.Iterator[MeshwrightError]:
    """More members were wiped than the others can vote away."""
    members = {node for server in servers for node in server.members}
    if not members or any(not server.seen for server in servers):
        return
    left = {server.node for server in servers if server.datastore and server.node in members}
    gone = {server.node for server in servers if not server.datastore and server.node in members}
    quorum = len(members) // 2 + 1
    if gone and len(members - gone) < quorum:
        yield MeshwrightError(
            "etcd",
            seen=f"without a quorum: {', '.join(sorted(gone))} lost their data, {', '.join(sorted(left))} kept it",
            wanted=f"{quorum} of {len(members)} members", remedy="restore a snapshot with `k3s server --cluster-reset`",
        )


def _even(servers: t.Sequence[Server]) -> t.Iterator[MeshwrightError]:
    if servers and len(servers) % 2 == 0 and not any(server.datastore or not server.seen for server in servers):
        yield MeshwrightError(
            "the number of servers", seen=str(len(servers)), wanted="an odd number",
            remedy=f"{len(servers)} lose no more of each other than {len(servers) - 1}: add one, or make one an agent",
        )
