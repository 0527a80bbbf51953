from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import maintenance_plan as plans
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import Announcer, Observed, Other

BGP, L2 = Announcer("bgp", False, 2), Announcer("l2", False, 0)
SECOND = Other("second", server=False, ready=True)
NODE = Observed("first", announcers=(BGP, L2), pods=3, others=(SECOND,))


def change(**changes: Any) -> Observed:
    return dataclasses.replace(NODE, **changes)


def servers(*ups: bool) -> tuple[Other, ...]:
    return tuple(Other(f"s{number}", server=True, ready=up) for number, up in enumerate(ups))


# -- one announcer


@pytest.mark.parametrize(
    ("told", "holding", "up", "state"),
    [
        (False, 2, True, "announcing"), (True, 2, True, "leaving"), (True, 0, True, "out"), (True, None, True, "out"),
        (False, 0, False, "returning"), (False, None, True, "announcing"),
    ],
)  # fmt: skip
def test_an_announcers_states(told: bool, holding: int | None, up: bool, state: str) -> None:
    assert Announcer("bgp", told, holding, up).state == state


# -- the steps


def test_all_steps_out() -> None:
    assert plans.steps(NODE, plans.OUT) == ("cordon", "withdraw", "gone", "drain")


def test_what_is_done_already_is_left_out() -> None:
    told = (dataclasses.replace(BGP, told=True), dataclasses.replace(L2, told=True))
    assert plans.steps(change(cordoned=True, ours=True), plans.OUT) == ("withdraw", "gone", "drain")
    assert plans.steps(change(cordoned=True, ours=True, announcers=told, pods=0), plans.OUT) == ("gone",)


def test_all_steps_in() -> None:
    told = (dataclasses.replace(BGP, told=True, holding=0),)
    assert plans.steps(change(cordoned=True, ours=True, announcers=told), plans.IN) == (
        "uncordon", "announce", "present",
    )  # fmt: skip


def test_somebody_elses_cordon_stays() -> None:
    assert plans.steps(change(cordoned=True), plans.IN) == ("present",)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "in"),
        ({"cordoned": True}, "between"),
        ({"cordoned": True, "announcers": (Announcer("bgp", True, 0),), "pods": 2}, "draining"),
        ({"cordoned": True, "announcers": (Announcer("bgp", True, 0),), "pods": 0}, "out"),
    ],
)
def test_the_situation(changes: dict[str, Any], word: str) -> None:
    assert change(**changes).situation == word


# -- refusals


def refused(seen: Observed, **options: Any) -> str:
    return " | ".join(str(error) for error in plans.refusals(seen, plans.OUT, **options))


def test_nothing_speaks_against_it() -> None:
    assert refused(NODE) == ""


def test_somebody_elses_cordon() -> None:
    assert "the node first is cordoned by somebody else" in refused(change(cordoned=True))
    assert refused(change(cordoned=True), accept_cordoned=True) == ""
    assert refused(change(cordoned=True, ours=True)) == ""


@pytest.mark.parametrize("other", [{"ready": False}, {"cordoned": True}, {"withdrawn": True}])
def test_the_last_node(other: dict[str, bool]) -> None:
    assert "the last one that can carry traffic" in refused(change(others=(dataclasses.replace(SECOND, **other),)))
    assert "the last one" in refused(change(others=()))


@pytest.mark.parametrize(
    ("others", "allowed"),
    [
        ((), True), ((True,), True), ((False,), False), ((True, True), True), ((True, False), False),
        ((True, True, True, False), True), ((True, True, False, False), False),
    ],
)  # fmt: skip
def test_quorum(others: tuple[bool, ...], allowed: bool) -> None:
    seen = change(server=True, others=(SECOND, *servers(*others)))
    assert ("quorum" not in refused(seen)) is allowed
    assert "quorum" not in refused(dataclasses.replace(seen, server=False)), "an agent is not asked"


def test_a_server_that_is_out_may_be_down_at_any_moment() -> None:
    out = Other("s9", server=True, ready=True, withdrawn=True)
    assert "(not: s9)" in refused(change(server=True, others=(SECOND, *servers(True), out)))


def test_an_object_that_would_go_on_announcing() -> None:
    text = refused(change(stubborn=("CiliumBGPClusterConfig other",)))
    assert "CiliumBGPClusterConfig other is one that selects withdrawn nodes too" in text
    assert f"wanted a nodeSelector with {WITHDRAWN_LABEL} DoesNotExist" in text


def test_the_way_back_is_never_refused() -> None:
    assert plans.refusals(change(cordoned=True, others=()), plans.IN) == []


# -- a small cluster that does what the labels say, after a while


class Cluster(Turned):
    """Two nodes; the operator and the agents follow the first one's labels at each turn, if they are not stuck."""

    def __init__(self, metallb: bool = False, stuck: bool = False) -> None:
        self.node: dict[str, Any] = {
            "metadata": {"name": "first", "labels": {}, "annotations": {}},
            "spec": {},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]},
        }
        ready = [{"type": "Ready", "status": "True"}]
        self.second: dict[str, Any] = {"metadata": {"name": "second"}, "spec": {}, "status": {"conditions": ready}}
        self.metallb, self.stuck = metallb, stuck
        self.sessions, self.leases = True, 1
        self.selector: dict[str, Any] = {"matchExpressions": [{"key": WITHDRAWN_LABEL, "operator": "DoesNotExist"}]}

    def turn(self) -> None:
        if not self.stuck:
            out = WITHDRAWN_LABEL in self.node["metadata"]["labels"]
            self.sessions, self.leases = not out, 0 if out else self.leases

    def resource(self, version: str, kind: str) -> object | None:
        served = "cilium.io/v2alpha1" if kind.startswith("CiliumL2") else "cilium.io/v2"
        return object() if version == served else None

    def list(self, kind: str, _namespace: str = "", _version: str = "", labels: str = "", **_fields: str) -> list[Any]:
        peers = [{"name": "udm", "peerAddress": "192.0.2.1", "peerASN": 64512}]
        told = [{"name": "udm", "peeringState": "established", "routeCount": [{"advertised": 2}]}]
        config = {
            "metadata": {"name": "first"},
            "spec": {"bgpInstances": [{"name": "main", "peers": peers}]},
            "status": {"bgpInstances": [{"name": "main", "peers": told}]},
        }
        lease = {"metadata": {"name": "cilium-l2announce-a-b"}, "spec": {"holderIdentity": "first"}}
        ours = {"metadata": {"name": "mw-home"}, "spec": {"nodeSelector": self.selector}}
        found: dict[str, list[Any]] = {
            "Node": [self.node, self.second],
            "CiliumBGPNodeConfig": [config] if self.sessions else [],
            "Lease": [lease] * self.leases,
            "CiliumBGPClusterConfig": [ours],
            "DaemonSet": [{}] if self.metallb and labels == "app=metallb" else [],
        }
        return found.get(kind, [])

    def merge(self, _kind: str, _name: str, patch: Any) -> None:
        for part, changes in patch.get("metadata", {}).items():
            for key, value in changes.items():
                if value is None:
                    self.node["metadata"][part].pop(key, None)
                else:
                    self.node["metadata"][part][key] = value
        self.node["spec"].update(patch.get("spec", {}))


def take(kube: Any, step: str) -> bool:
    return maintenance.take(kube, maintenance.look(kube, "first"), step)


def states(kube: Any) -> dict[str, str]:
    return {item.name: item.state for item in maintenance.look(kube, "first").seen.announcers}


@pytest.mark.parametrize("metallb", [False, True])
def test_out_and_back(metallb: bool) -> None:
    kube: Any = Cluster(metallb)
    before = repr(kube.node["metadata"])
    said: list[str] = []
    assert take(kube, plans.CORDON) and take(kube, plans.WITHDRAW)
    assert not take(kube, plans.WITHDRAW), "once is enough"
    assert kube.node["spec"]["unschedulable"] is True and states(kube)["bgp"] == "leaving"
    found = maintenance.wait_out(kube, "first", 10, said.append, kube)
    assert set(states(kube).values()) == {"out"} and found.seen.ours
    assert said == ["first: bgp leaving, l2 leaving"]
    assert (plans.EXCLUDE_LABEL in kube.node["metadata"]["labels"]) is metallb
    assert take(kube, plans.UNCORDON) and take(kube, plans.ANNOUNCE)
    back = maintenance.wait_in(kube, "first", 10, said.append, kube)
    assert back.present() == {"192.0.2.1": ["192.0.2.11"]} and said[-1] == (
        "first: bgp returning, the operator has not made its CiliumBGPNodeConfig yet"
    )
    assert repr(kube.node["metadata"]) == before and not kube.node["spec"]["unschedulable"]


def test_who_was_excluded_by_somebody_else_stays_so() -> None:
    kube: Any = Cluster(metallb=True)
    kube.node["metadata"]["labels"][plans.EXCLUDE_LABEL] = "true"
    take(kube, plans.WITHDRAW)
    take(kube, plans.ANNOUNCE)
    assert plans.EXCLUDE_LABEL in kube.node["metadata"]["labels"]


def test_an_operator_that_does_not_follow() -> None:
    kube: Any = Cluster(stuck=True)
    take(kube, plans.WITHDRAW)
    with pytest.raises(TimedOut, match=r"the node first is bgp leaving, l2 leaving, wanted out within 5 s.*operator"):
        maintenance.wait_out(kube, "first", 5, lambda _text: None, kube)


def test_selectors_that_do_not_leave_withdrawn_nodes_out() -> None:
    kube: Any = Cluster()
    assert maintenance.look(kube, "first").seen.stubborn == ()
    kube.selector = {}
    assert maintenance.look(kube, "first").seen.stubborn == ("CiliumBGPClusterConfig mw-home",)


def test_a_node_that_nobody_knows() -> None:
    kube: Any = Cluster()
    with pytest.raises(MeshwrightError, match="the node third is unknown to the cluster, wanted one of first, second"):
        maintenance.look(kube, "third")


# -- killed at any moment, started again, in any direction


@given(st.lists(st.tuples(st.sampled_from([plans.OUT, plans.IN]), st.integers(0, 4)), max_size=6), st.booleans())
def test_a_killed_run_is_gone_on_with(runs: list[tuple[str, int]], metallb: bool) -> None:
    kube: Any = Cluster(metallb)
    clean = repr(kube.node)
    writes = (plans.CORDON, plans.WITHDRAW, plans.UNCORDON, plans.ANNOUNCE)
    for target, survived in runs:
        for step in plans.steps(maintenance.look(kube, "first").seen, target)[:survived]:
            if step in writes:
                take(kube, step)
        kube.turn()
    for step in plans.steps(maintenance.look(kube, "first").seen, plans.OUT):
        if step in writes:
            assert take(kube, step), "a step that remains changes something"
    kube.turn()
    out = maintenance.look(kube, "first").seen
    assert out.situation == plans.OUT and plans.steps(out, plans.OUT) == (plans.GONE,)
    for step in plans.steps(out, plans.IN):
        if step in writes:
            take(kube, step)
    kube.turn()
    kube.node["spec"] = {key: value for key, value in kube.node["spec"].items() if value is not None}
    assert repr(kube.node) == clean
