from __future__ import annotations

import json
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model as model
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_bgp_state as state
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Output
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut, Unreachable

NODES = (model.Node("a", "a", ("192.0.2.11",)), model.Node("b", "b", ("192.0.2.12",)))
UDM = model.Router("udm", model.UNIFI, 64512, ("192.0.2.1",), families=("ipv4",))
TWO = model.Router("two", model.FRR, 64513, ("192.0.2.2",), families=("ipv4",))
ADDRESSES = {"udm": "192.0.2.1", "two": "192.0.2.2"}
HOME = model.Bgp("home", 65000, nodes=NODES, routers=(UDM, TWO))


def config(node: str, **states: str) -> dict[str, Any]:
    """A node's configuration; a router in `states` with an empty word is one that its agent says nothing of."""
    peers = [{"name": name, "peerAddress": ADDRESSES[name], "peerASN": 64512} for name in states]
    told = [
        {
            "name": name, "peerAddress": ADDRESSES[name], "peeringState": word,
            "establishedTime": "2026-01-01T00:00:00Z",
            "timers": {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3},
            "routeCount": [{"afi": "ipv4", "safi": "unicast", "advertised": 4, "received": 1}],
        }
        for name, word in states.items()
        if word
    ]  # fmt: skip
    return {
        "metadata": {"name": node},
        "spec": {"bgpInstances": [{"name": "main", "peers": peers}]},
        "status": {"bgpInstances": [{"name": "main", "peers": told}]},
    }


class Cluster:
    def __init__(self, *looks: list[dict[str, Any]], version: str = "cilium.io/v2") -> None:
        self.looks = list(looks)
        self.version = version
        self.conditions: list[dict[str, Any]] = []
        self.words: dict[str, Any] = {}  # what agents say themselves, by node

    def resource(self, version: str, _kind: str) -> object | None:
        return object() if version == self.version else None

    def list(self, kind: str, _namespace: str, version: str = "", **_where: str) -> list[Any]:
        if kind == "Pod":
            return [{"metadata": {"name": f"cilium-{node}"}, "spec": {"nodeName": node}} for node in self.words]
        assert version == self.version
        if kind == "CiliumBGPPeerConfig":
            return self.conditions
        if kind != "CiliumBGPNodeConfig":
            return []
        # Asked twice for each look: for the sessions, and for the conditions.
        return self.looks[0]


    def exec(self, _namespace: str, pod: str, *_args: Any) -> Output:
        said = self.words[pod.removeprefix("cilium-")]
        if isinstance(said, Exception):
            raise said
        return Output(0, said, "")


UP = {"udm": "established", "two": "established"}


@pytest.mark.parametrize("version", state.VERSIONS)
def test_what_is_read(version: str) -> None:
    kube: Any = Cluster([config("a", udm="established", two="")], version=version)
    first, second = state.look(kube).peers
    assert first == state.PeerState(
        "a", "udm", "192.0.2.1", 64512, "established", "2026-01-01T00:00:00Z", 9, 3, advertised=4, received=1
    )
    assert first.up and not second.up and second.state == ""


def own_word(**states: str) -> str:
    return json.dumps([{"peer-address": ADDRESSES[name], "session-state": word} for name, word in states.items()])


def test_a_status_that_missed_the_last_change_is_not_believed() -> None:
    """None stays in `open_confirm`: the agent is asked itself, and that of other nodes is left in peace."""
    cluster = Cluster([config("a", udm="open_confirm", two="idle"), config("b", udm="idle")])
    cluster.words = {"a": own_word(udm="established", two="idle"), "b": AssertionError("nobody has to ask it")}
    kube: Any = cluster
    assert [(peer.node, peer.peer, peer.state) for peer in state.look(kube).peers] == [
        ("a", "udm", "established"), ("a", "two", "idle"), ("b", "udm", "idle"),
    ]  # fmt: skip
    assert state.number_up(kube) == 1


def test_who_waits_asks_the_agents_before_they_have_written_it_down() -> None:
    cluster = Cluster([config("a", udm="active", two=""), config("b", **UP)])
    cluster.words = {"a": own_word(**UP), "b": AssertionError("its sessions are up")}
    kube: Any = cluster
    found = state.wait(kube, state.wanted_sessions(HOME), 1, lambda _text: None, Turned())
    assert [peer.state for peer in found.peers] == ["established"] * 4


def test_numbers_by_the_agents_own_word() -> None:
    """As `cilium-dbg bgp peers -o json` of 1.20 has them; a family without routes in has no `received`."""
    cluster = Cluster([config("a", udm="established", two="established")])
    said = json.loads(own_word(**UP))
    said[0] |= {"families": [{"advertised": 1, "afi": "ipv4", "safi": "unicast"}], "applied-hold-time-seconds": 30}
    cluster.words = {"a": json.dumps(said)}
    kube: Any = cluster
    assert [(peer.advertised, peer.hold) for peer in state.look(kube).peers] == [(4, 9), (4, 9)]
    assert [(peer.advertised, peer.received) for peer in state.look(kube, state.always).peers] == [(1, 0), (4, 1)]
    assert state.look(kube, state.always).peers[0].hold == 30


@pytest.mark.parametrize(
    "words", [{}, {"a": Unreachable("the pod", seen="gone")}, {"a": "no JSON"}, {"a": "[{}]"}, {"a": "[]"}]
)
def test_an_agent_that_cannot_say_leaves_the_status_as_it_is(words: dict[str, Any]) -> None:
    cluster = Cluster([config("a", udm="open_sent")])
    cluster.words = words
    kube: Any = cluster
    assert [peer.state for peer in state.look(kube).peers] == ["open_sent"]


def test_for_people() -> None:
    kube: Any = Cluster([config("a", udm="established", two="")])
    assert state.table(state.look(kube).peers) == [
        "node  router  address    state        hold  out  in",
        "a     two     192.0.2.2  not told     0     0    0",
        "a     udm     192.0.2.1  established  9     4    1",
    ]


def test_what_cilium_objects_to() -> None:
    kube: Any = Cluster([])
    conditions = [
        {"type": "cilium.io/MissingAuthSecret", "status": "True", "message": "secret x"},
        {"type": "cilium.io/Other", "status": "False"},
    ]
    kube.conditions = [
        {"kind": "CiliumBGPPeerConfig", "metadata": {"name": "p"}, "status": {"conditions": conditions}}
    ]
    assert state.look(kube).problems == ("CiliumBGPPeerConfig p: MissingAuthSecret secret x",)


def test_sessions_of_some_routers_and_not_of_nodes_out_of_traffic() -> None:
    assert len(state.wanted_sessions(HOME)) == 4
    assert {item.router for item in state.wanted_sessions(HOME, ["two"])} == {"two"}
    assert {item.node for item in state.wanted_sessions(HOME, left_out={"a"})} == {"b"}
    with pytest.raises(MeshwrightError, match="the router is nobody, wanted of udm, two"):
        state.wanted_sessions(HOME, ["nobody"])


def test_each_missing_session_says_what_is_seen() -> None:
    kube: Any = Cluster([config("a", udm="active")])
    assert state.missing(state.look(kube), state.wanted_sessions(HOME)) == [
        "a - udm (192.0.2.1): active",
        "b - udm (192.0.2.1): the node has no BGP configuration",
        "a - two (192.0.2.2): the node is not to have it",
        "b - two (192.0.2.2): the node has no BGP configuration",
    ]


def test_waiting_until_all_are_there() -> None:
    late, up = [config("a", **UP), config("b", udm="active", two="established")], [config("a", **UP), config("b", **UP)]
    kube: Any = Cluster(late)
    said: list[str] = []

    class Coming(Turned):
        def turn(self) -> None:
            if self.time >= 3:
                kube.looks = [up]

    found = state.wait(kube, state.wanted_sessions(HOME), 30, said.append, Coming())
    assert all(peer.up for peer in found.peers)
    assert said == ["3 of 4 sessions are established; not yet: b - udm (192.0.2.1): active"]


def test_waiting_in_vain() -> None:
    kube: Any = Cluster([config("a", udm="idle", two="established"), config("b", **UP)])
    with pytest.raises(TimedOut, match=r"a - udm \(192.0.2.1\): idle.*within 5 s"):
        state.wait(kube, state.wanted_sessions(HOME), 5, lambda _text: None, Turned())


def test_how_many_sessions_are_up() -> None:
    cluster = Cluster([config("a", udm="established", two="active"), config("b", udm="established", two="")])
    assert state.number_up(cluster) == 2  # type: ignore[arg-type]
    assert state.number_up(Cluster([])) == 0  # type: ignore[arg-type]


def test_an_api_that_cannot_say_is_told_from_none() -> None:
    class Away(Cluster):
        def list(self, kind: str, _namespace: str, version: str = "", **_where: str) -> list[Any]:
            raise Unreachable("the Kubernetes API", seen="storage is (re)initializing")

    assert state.number_up(Away([])) == -1  # type: ignore[arg-type]
