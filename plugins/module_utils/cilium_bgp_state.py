# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP as the agents see it: CiliumBGPNodeConfig's status, and the conditions of what it comes from.

Each agent writes its status every five seconds (Cilium: pkg/bgp/manager/reconciler/crd_status.go), so this view may be
that old. It may also be older: what is written was read when a session changed, and at times that was the moment before
(seen with 1.20: `open_confirm` for minutes after `Peer Up` in the agent's log; a service's address that was long
withdrawn among those announced). Where the status is doubted, its agent is asked itself.
"""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_status
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import Bgp, Session, family_of, sessions
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

ESTABLISHED = "established"
PASSING = ("open_sent", "open_confirm")
VERSIONS = ("cilium.io/v2", "cilium.io/v2alpha1")
# Still there in 1.20, whose newer way, `cilium-dbg shell`, older releases do not have.
_OWN_WORD = ("cilium-dbg", "bgp", "peers", "-o", "json")
NODE_CONFIG = "CiliumBGPNodeConfig"
_CONDITIONS = ("CiliumBGPClusterConfig", "CiliumBGPPeerConfig", NODE_CONFIG)


@dataclass(frozen=True)
class PeerState:
    """One session as its node's agent tells it."""

    node: str
    peer: str
    address: str
    asn: int
    state: str  # established, active, idle …, or empty while the agent says nothing
    since: str = ""
    hold: int = 0
    keepalive: int = 0
    advertised: int = 0
    received: int = 0

    @property
    def family(self) -> str:
        return family_of(self.address)

    @property
    def up(self) -> bool:
        return self.state == ESTABLISHED


@dataclass(frozen=True)
class State:
    peers: tuple[PeerState, ...]
    problems: tuple[str, ...] = ()  # what Cilium itself objects to


Doubt = t.Callable[[PeerState], bool]


def passing(peer: PeerState) -> bool:
    """In a state that none stays in."""
    return peer.state in PASSING


def not_up(peer: PeerState) -> bool:
    """For who waits for it: the status would say so seconds later."""
    return not peer.up


def always(_peer: PeerState) -> bool:
    """For who is about to complain."""
    return True


def look(kube: Kube, doubt: Doubt = passing) -> State:
    configs = heard(kube, listed(kube, NODE_CONFIG), doubt)
    told = [item for kind in _CONDITIONS for item in listed(kube, kind)]
    return State(tuple(peer for config in configs for peer in peers_of(config)), tuple(problems(told)))


def number_up(kube: Kube) -> int:
    """How many sessions are up; -1 where nobody can say, as an API server that has just learnt of the kinds."""
    try:
        return sum(peer.up for config in heard(kube, listed(kube, NODE_CONFIG)) for peer in peers_of(config))
    except Unreachable:
        return -1


def listed(kube: Kube, kind: str) -> list[Object]:
    """The objects of a kind of Cilium's, under the newest version that the cluster serves it as."""
    version = next((version for version in VERSIONS if kube.resource(version, kind)), VERSIONS[0])
    return kube.list(kind, "", version)


def heard(kube: Kube, configs: list[Object], doubt: Doubt = passing) -> list[Object]:
    """CiliumBGPNodeConfigs with the agent's own word where the status of any session is doubted."""
    doubtful = {config["metadata"]["name"] for config in configs if any(map(doubt, peers_of(config)))}
    if not doubtful:
        return configs
    pods = cilium_status.living_pods(kube)

    def ask(config: Object) -> Object:
        pod = pods.get(config["metadata"]["name"])
        if config["metadata"]["name"] not in doubtful or pod is None:
            return config
        try:
            return corrected(config, cilium_status.asked(kube, pod, _OWN_WORD))
        except Unreachable:  # it is restarting, and will tell more later
            return config

    with ThreadPoolExecutor(cilium_status.THREADS) as threads:
        return list(threads.map(ask, configs))


def corrected(config: Object, says: str) -> Object:
    """A node's configuration whose status has its sessions as `cilium-dbg bgp peers -o json` has them."""
    try:
        words = {peer["peer-address"]: _own_word(peer) for peer in json.loads(says)}
    except (ValueError, TypeError, KeyError):
        return config
    told = _told(config)
    instances = [
        {
            "name": instance["name"],
            "peers": [
                {**entry, **words.get(peer.get("peerAddress"), {})}
                for peer in instance.get("peers") or []
                for entry in [told.get((instance["name"], peer["name"]), {"name": peer["name"]})]
            ],
        }
        for instance in (config.get("spec") or {}).get("bgpInstances") or []
    ]
    return {**config, "status": {**(config.get("status") or {}), "bgpInstances": instances}}


def _own_word(peer: Object) -> Object:
    """What the status would say of a session."""
    timers = {
        "appliedHoldTimeSeconds": peer.get("applied-hold-time-seconds"),
        "appliedKeepaliveSeconds": peer.get("applied-keep-alive-time-seconds"),
    }
    counts = {"routeCount": peer["families"]} if "families" in peer else {}
    return {"peeringState": peer["session-state"], "timers": timers, **counts}


def peers_of(config: Object) -> list[PeerState]:
    """A node's sessions: those that it is to have, with what the agent says of them."""
    node, told = config["metadata"]["name"], _told(config)
    return [
        _peer(node, peer, told.get((instance["name"], peer["name"]), {}))
        for instance in (config.get("spec") or {}).get("bgpInstances") or []
        for peer in instance.get("peers") or []
    ]


def _told(config: Object) -> dict[tuple[str, str], Object]:
    """What the status says, by instance and peer."""
    return {
        (instance["name"], peer["name"]): peer
        for instance in (config.get("status") or {}).get("bgpInstances") or []
        for peer in instance.get("peers") or []
    }


def _peer(node: str, wanted: Object, seen: Object) -> PeerState:
    timers, counts = seen.get("timers") or {}, seen.get("routeCount") or []
    return PeerState(
        node=node, peer=wanted["name"], address=wanted.get("peerAddress") or seen.get("peerAddress", ""),
        asn=int(wanted.get("peerASN") or seen.get("peerASN") or 0), state=seen.get("peeringState") or "",
        since=seen.get("establishedTime") or "", hold=int(timers.get("appliedHoldTimeSeconds") or 0),
        keepalive=int(timers.get("appliedKeepaliveSeconds") or 0),
        advertised=sum(int(count.get("advertised") or 0) for count in counts),
        received=sum(int(count.get("received") or 0) for count in counts),
    )  # fmt: skip


def problems(items: t.Iterable[Object]) -> list[str]:
    """All conditions of these kinds speak of something wrong when they are true."""
    return [
        f"{item['kind']} {item['metadata']['name']}: {entry['type'].rpartition('/')[2]} {entry.get('message', '')}"
        for item in items
        for entry in (item.get("status") or {}).get("conditions") or []
        if entry.get("status") == "True"
    ]


def told(state: State) -> dict[str, t.Any]:
    return {
        "sessions": [{**asdict(peer), "family": peer.family} for peer in state.peers],
        "problems": list(state.problems),
        "table": table(state.peers),
    }


def table(peers: t.Iterable[PeerState]) -> list[str]:
    rows = [("node", "router", "address", "state", "hold", "out", "in")]
    rows += [
        (
            peer.node, peer.peer, peer.address, peer.state or "not told", str(peer.hold), str(peer.advertised),
            str(peer.received),
        )
        for peer in sorted(peers, key=lambda peer: (peer.node, peer.peer))
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


# -- waiting


def wanted_sessions(bgp: Bgp, routers: t.Sequence[str] = (), left_out: t.Container[str] = ()) -> tuple[Session, ...]:
    """Those of the named routers, of all without names; nodes that are out of traffic have none."""
    unknown = [name for name in routers if bgp.router(name) is None]
    if unknown:
        raise MeshwrightError(
            "the router", seen=", ".join(unknown), wanted=f"of {', '.join(item.name for item in bgp.routers) or 'none'}"
        )
    return tuple(
        session
        for router in bgp.routers
        if not routers or router.name in routers
        for session in sessions(bgp, router)
        if session.node not in left_out
    )


def missing(state: State, wanted: t.Iterable[Session]) -> list[str]:
    """For each session that is not there: what is seen instead."""
    seen = {(peer.node, peer.address): peer for peer in state.peers}
    return [
        f"{session.node} - {session.router} ({session.router_address}): {_instead(seen, session)}"
        for session in wanted
        if not _up(seen, session)
    ]


def _up(seen: t.Mapping[tuple[str, str], PeerState], session: Session) -> bool:
    peer = seen.get((session.node, session.router_address))
    return peer is not None and peer.up


def _instead(seen: t.Mapping[tuple[str, str], PeerState], session: Session) -> str:
    peer = seen.get((session.node, session.router_address))
    if peer is None:
        configured = any(node == session.node for node, _address in seen)
        return "the node is not to have it" if configured else "the node has no BGP configuration"
    return peer.state or "its agent says nothing of it yet"


def wait(
    kube: Kube, wanted: t.Sequence[Session], timeout: float, say: t.Callable[[str], None], clock: Clock = CLOCK
) -> State:
    """Until all of them are established; says what is missing whenever that changes."""
    last = ""

    def describe(state: State) -> str:
        nonlocal last
        late = missing(state, wanted)
        text = "; ".join([*late, *state.problems])
        if text != last:
            say(f"{len(wanted) - len(late)} of {len(wanted)} sessions are established; not yet: {text}")
            last = text
        return f"missing ({text})"

    def once() -> State:
        state = look(kube, not_up)
        if missing(state, wanted):
            describe(state)
        return state

    return wait_until(
        once, lambda state: not missing(state, wanted), thing="a BGP session", wanted="all established",
        describe=describe, timeout=timeout, interval=1.0, clock=clock,
        remedy="see the router's side for the reason: password, AS number, way, and port 179",
    )  # fmt: skip
