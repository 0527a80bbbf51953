from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import (
    MeshwrightError,
    TimedOut,
    Unreachable,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain import Drained, drain
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import (
    Consent,
    PodRef,
    budgets_of,
    sort_out,
)

ALL = Consent(emptydir=True, bare=True)
EXISTS = [{"operator": "Exists"}]


def pod(name: str, owner: str = "ReplicaSet", uid: str = "", **changes: Any) -> dict[str, Any]:
    owners = [{"kind": owner, "controller": True}] if owner else []
    meta: dict[str, Any] = {
        "namespace": "web", "name": name, "uid": uid or f"uid-{name}", "labels": {"app": name},
        "ownerReferences": owners, **changes.pop("metadata", {}),
    }  # fmt: skip
    return {"metadata": meta, "spec": changes, "status": {"phase": changes.pop("phase", "Running")}}


def budget(app: str, allowed: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "web", "name": f"keep-{app}"},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1},
    }


EMPTY_DIR = {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {}}]}


@pytest.mark.parametrize(
    ("found", "consent", "where", "why"),
    [
        (pod("a"), Consent(), "to_go", ""),
        (pod("a", "DaemonSet"), ALL, "left", "of a DaemonSet"),
        (pod("a", "DaemonSet", phase="Failed"), Consent(), "to_go", ""),
        (pod("a", "Node", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}), ALL, "left", "a static pod"),
        (pod("a", ""), Consent(), "refused", "no controller would make it again"),
        (pod("a", ""), Consent(bare=True), "to_go", ""),
        (pod("a", "", metadata={"labels": {"meshwright.k3s-cilium/retired": "kube-dns"}}), Consent(), "to_go", ""),
        (pod("a", "", phase="Succeeded"), Consent(), "to_go", ""),
        (pod("a", "", metadata={"deletionTimestamp": "now"}), Consent(), "to_go", ""),
        (pod("a", **EMPTY_DIR), Consent(), "refused", "the data of its emptyDir data would be lost"),
        (pod("a", **EMPTY_DIR), Consent(emptydir=True), "to_go", ""),
    ],
)
def test_sorting(found: Any, consent: Consent, where: str, why: str) -> None:
    sorted_out = sort_out([found], consent)
    assert [len(getattr(sorted_out, name)) for name in ("to_go", "left", "refused")] == [
        int(name == where) for name in ("to_go", "left", "refused")
    ]
    if why:
        assert getattr(sorted_out, where)[0][1] == why


@pytest.mark.parametrize(
    ("tolerations", "tolerant"),
    [
        ([], False), (EXISTS, True), ([{"operator": "Exists", "effect": "NoExecute"}], False),
        ([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}], True),
        ([{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}], False),
    ],
)  # fmt: skip
def test_who_tolerates_the_cordon(tolerations: list[Any], tolerant: bool) -> None:
    assert sort_out([pod("a", tolerations=tolerations)], ALL).to_go[0].tolerant is tolerant


def test_the_budget_that_counts_a_pod() -> None:
    ref = PodRef("web", "a", "uid", {"app": "a"})
    nothing = {**budget("a"), "spec": {}}
    elsewhere = {**budget("a"), "metadata": {"namespace": "other", "name": "x"}}
    assert budgets_of(ref, [budget("a"), budget("b"), nothing, elsewhere]) == [
        "PodDisruptionBudget keep-a (disruptionsAllowed 0, 1 healthy, 1 wanted)"
    ]


class Cluster(Turned):
    """A node's pods. An evicted one ends after two seconds; `held` is how long a budget keeps it."""

    def __init__(self, *pods: dict[str, Any], held: dict[str, float] | None = None, comes_back: str = "") -> None:
        self.pods = {item["metadata"]["uid"]: item for item in pods}
        self.held = held or {}
        self.comes_back = comes_back
        self.ends: dict[str, float] = {}
        self.asked: list[str] = []
        self.blind = 0

    def turn(self) -> None:
        for uid, end in list(self.ends.items()):
            if self.time >= end:
                gone = self.pods.pop(uid, None)
                del self.ends[uid]
                if gone and gone["metadata"]["name"] == self.comes_back:
                    self.pods[uid + "2"] = {**gone, "metadata": {**gone["metadata"], "uid": uid + "2"}}

    def list(self, kind: str, *_args: Any, **_options: Any) -> list[Any]:
        if self.blind:
            self.blind -= 1
            raise Unreachable("the Kubernetes API", seen="not answering")
        return list(self.pods.values()) if kind == "Pod" else [budget("held")]

    def get(self, *_place: str) -> Any:
        return None

    def evict(self, _namespace: str, name: str, uid: str, _grace: int | None) -> str:
        self.asked.append(name)
        if self.time < self.held.get(name, 0.0):
            return "429 Too Many Requests"
        self.ends.setdefault(uid, self.time + 2)
        self.pods[uid] = {**self.pods[uid], "metadata": {**self.pods[uid]["metadata"], "deletionTimestamp": "now"}}
        return ""


def run(kube: Any, consent: Consent = ALL, timeout: float = 60, said: list[str] | None = None) -> Drained:
    say = [] if said is None else said
    return drain(kube, "first", consent, timeout=timeout, say=say.append, clock=kube)


def test_pods_are_really_gone() -> None:
    kube = Cluster(pod("a"), pod("b"), pod("log", "DaemonSet"))
    said: list[str] = []
    assert run(kube, said=said) == Drained(("web/a", "web/b"), ("web/log (of a DaemonSet)",))
    assert kube.asked == ["a", "b"] and kube.time >= 2 and said[0] == "first: 2 of 2 pods still to go"


def test_an_empty_node() -> None:
    assert run(Cluster()) == Drained((), ())


def test_a_budget_that_allows_it_later() -> None:
    kube = Cluster(pod("held"), held={"held": 12})
    said: list[str] = []
    run(kube, said=said)
    assert kube.asked.count("held") == 4, "asked again every five seconds"
    assert said[0] == "first: 1 of 1 pods still to go; refused for now: web/held"


def test_a_budget_that_never_allows_it() -> None:
    kube = Cluster(pod("held"), pod("a"), held={"held": 1000})
    with pytest.raises(
        TimedOut, match=r"web/held blocked by PodDisruptionBudget keep-held \(disruptionsAllowed 0.*within 20 s"
    ):
        run(kube, timeout=20)
    assert [item["metadata"]["name"] for item in kube.pods.values()] == ["held"]


def test_a_pod_that_does_not_end() -> None:
    stuck = pod("a", metadata={"deletionTimestamp": "now", "finalizers": ["example.org/wait"]})
    with pytest.raises(TimedOut, match=r"web/a is ending \(held by example.org/wait\)"):
        run(Cluster(stuck), timeout=5)


def test_nothing_is_evicted_while_one_pod_wants_consent() -> None:
    kube = Cluster(pod("a"), pod("bare", ""), pod("temporary", **EMPTY_DIR))
    with pytest.raises(MeshwrightError) as error:
        run(kube, Consent())
    assert kube.asked == [] and "web/bare" in str(error.value) and "web/temporary" in str(error.value)


def test_a_pod_that_tolerates_the_cordon_is_not_chased() -> None:
    kube = Cluster(pod("operator", tolerations=EXISTS), comes_back="operator")
    assert run(kube).left == ("web/operator (came back, since it tolerates the cordon)",)
    assert kube.asked == ["operator"]


def test_an_api_server_that_is_away_for_a_moment() -> None:
    kube = Cluster(pod("a"))
    kube.blind = 3
    assert run(kube).gone == ("web/a",)
    kube.blind = 1000
    with pytest.raises(TimedOut, match="not to be seen"):
        run(kube, timeout=5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ReplicaSet", "DaemonSet", ""]), st.booleans(), st.sampled_from(["Running", "Failed"])
        ),
        max_size=6,
    ),
    st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_each_pod_is_in_one_place_and_nothing_is_lost_without_consent(
    made: list[tuple[str, bool, str]], emptydir: bool, bare: bool
) -> None:
    pods = [
        pod(f"p{number}", owner, phase=phase, **(EMPTY_DIR if data else {}))
        for number, (owner, data, phase) in enumerate(made)
    ]
    found = sort_out(pods, Consent(emptydir, bare))
    names = [ref.name for ref in (*found.to_go, *(ref for ref, _why in (*found.left, *found.refused)))]
    assert sorted(names) == sorted(item["metadata"]["name"] for item in pods)
    for ref in found.to_go:
        owner, data, phase = made[int(ref.name[1:])]
        assert phase == "Failed" or (owner != "DaemonSet" and (owner or bare) and (not data or emptydir))
