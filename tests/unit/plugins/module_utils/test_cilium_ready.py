from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import cilium_ready
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, AgentSays
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import Unreachable

SAYS = AgentSays("Ok", "", "False", 3, (), 2, 2, ())
AGENT = Agent("a", True, False, "cilium-a", "uid", True, SAYS)


def workload(name: str, generation: int = 2, **status: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, **status},
    }


def daemonset(desired: int = 4, updated: int = 4, available: int = 4, **extra: Any) -> dict[str, Any]:
    counts = {"desiredNumberScheduled": desired, "updatedNumberScheduled": updated, "numberAvailable": available}
    return workload("cilium", **counts, **extra)


OPERATOR = workload("cilium-operator", updatedReplicas=2, availableReplicas=2)


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        (daemonset(), ""),
        (daemonset(updated=1), "DaemonSet cilium: 1 of 4 pods are new"),
        (daemonset(available=3), "DaemonSet cilium: 3 of 4 pods are available"),
        (daemonset(generation=3), "DaemonSet cilium: not taken up by its controller yet"),
    ],
)
def test_the_agents_daemonset(agent: Any, problem: str) -> None:
    assert cilium_ready.workload_problems([agent], [OPERATOR]) == ([problem] if problem else [])


def test_the_operators_deployment() -> None:
    late = workload("cilium-operator", updatedReplicas=2, availableReplicas=1)
    assert cilium_ready.workload_problems([daemonset()], [late]) == [
        "Deployment cilium-operator: 1 of 2 pods are available"
    ]


def test_workloads_that_are_not_there() -> None:
    assert cilium_ready.workload_problems([], []) == ["cilium is not there", "cilium-operator is not there"]


def test_crds() -> None:
    names = ("ciliumnodes", "ciliumendpoints", "ciliumidentities", "ciliumnetworkpolicies")
    crds = [
        {
            "metadata": {"name": f"{name}.cilium.io"},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        for name in names
    ]
    assert cilium_ready.crd_problems(crds) == []
    crds[0]["status"]["conditions"][0]["status"] = "False"  # type: ignore[index]
    assert cilium_ready.crd_problems(crds) == ["CRDs not established yet: ciliumnodes"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"says": None, "error": "no pod"}, "a: agent: no pod"),
        ({"says": dataclasses.replace(SAYS, state="Failure", message="kvstore")}, "a: agent says Failure kvstore"),
        ({"says": dataclasses.replace(SAYS, replacement="True")}, "a: kube-proxy replacement is True, wanted False"),
        ({"says": dataclasses.replace(SAYS, replacement="")}, "a: kube-proxy replacement is not told, wanted False"),
        ({"says": dataclasses.replace(SAYS, reachable=1, unreachable=("b",))}, ""),
        ({"says": dataclasses.replace(SAYS, reachable=None, known_nodes=None)}, ""),
        ({"tainted": True}, "a: still tainted agent-not-ready"),
        ({"node_ready": False}, "a: not Ready"),
    ],
)
def test_agents(change: dict[str, Any], problem: str) -> None:
    found = cilium_ready.agent_problems(dataclasses.replace(AGENT, **change), 1)
    assert found == ([problem] if problem else [])


def test_controllers_that_fail_do_not_hold_up() -> None:
    says = dataclasses.replace(SAYS, failing=("c: no",))
    assert cilium_ready.agent_problems(dataclasses.replace(AGENT, says=says), 1) == []


def test_a_stage_change_under_way() -> None:
    says = dataclasses.replace(SAYS, replacement="True")
    assert cilium_ready.agent_problems(dataclasses.replace(AGENT, says=says), None) == []


class Cluster:
    """The API of a cluster where all is well but what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.objects: dict[str, Any] = {"DaemonSet": [daemonset()], "Deployment": [OPERATOR], **changes}

    def list(self, kind: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        found = self.objects.get(kind, [])
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


@pytest.fixture
def no_crds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cilium_ready, "crd_problems", lambda _crds: [])


@pytest.mark.usefixtures("no_crds")
def test_agents_are_asked_only_when_the_api_has_nothing_to_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_kube: Any) -> Any:
        raise AssertionError("too early")

    monkeypatch.setattr(cilium_ready, "agents", asked)
    kube: Any = Cluster(DaemonSet=[daemonset(updated=0)])
    assert cilium_ready.look(kube, 1).problems == ("DaemonSet cilium: 0 of 4 pods are new",)


@pytest.mark.usefixtures("no_crds")
def test_the_wait_ends_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(dataclasses.replace(AGENT, tainted=True),), (AGENT,)])
    monkeypatch.setattr(cilium_ready, "agents", lambda _kube: next(answers))
    kube: Any = Cluster()
    clock = Turned()
    assert cilium_ready.wait(kube, 1, 60, clock).agents == (AGENT,)
    assert clock.time == 2


@pytest.mark.usefixtures("no_crds")
def test_the_wait_that_ends_in_vain_tells_what_was_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cilium_ready, "agents", lambda _kube: (dataclasses.replace(AGENT, node_ready=False),))
    kube: Any = Cluster()
    with pytest.raises(
        cilium_ready.NotUp, match=r"Cilium is not up \(a: not Ready\), wanted up .* within 10 s"
    ) as caught:
        cilium_ready.wait(kube, 1, 10, Turned())
    assert any("cilium-a" in row for row in caught.value.rows)


@pytest.mark.usefixtures("no_crds")
def test_an_api_that_is_away_is_asked_again() -> None:
    kube: Any = Cluster(DaemonSet=Unreachable("the API", seen="away"))
    with pytest.raises(cilium_ready.NotUp, match="the API is away"):
        cilium_ready.wait(kube, 1, 5, Turned())


@pytest.mark.usefixtures("no_crds")
def test_overrides_per_node_leave_the_replacement_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    says = dataclasses.replace(SAYS, replacement="True")
    monkeypatch.setattr(cilium_ready, "agents", lambda _kube: (dataclasses.replace(AGENT, says=says),))
    kube: Any = Cluster(CiliumNodeConfig=[{}])
    assert cilium_ready.look(kube, 1).problems == ()
    kube = Cluster()
    assert cilium_ready.look(kube, 1).problems
