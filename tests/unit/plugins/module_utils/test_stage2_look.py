"""What is asked of the cluster, and for how long."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_look
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, AgentSays
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_read import Lists


class Asked(Turned):
    """Answers with what it was asked for."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def resource(self, version: str, _kind: str) -> object | None:
        return object() if version != "cilium.io/v2alpha1" else None

    def nodes(self) -> list[Any]:
        self.counts["Node"] += 1
        return [{"metadata": {"name": name}} for name in ("two", "one")]

    def list(self, kind: str, _namespace: str = "", api_version: str = "v1", labels: str = "") -> list[Any]:
        self.counts[kind + labels] += 1
        return [] if labels else [{"kind": kind, "apiVersion": api_version, "metadata": {"name": "one"}}]

    def get(self, kind: str, name: str, *_place: str) -> Any:
        self.counts[kind] += 1
        return None if kind == "Secret" else {"metadata": {"name": name}}


def test_each_kind_once() -> None:
    kube: Any = Asked()
    found = stage2_look.lists(kube, (1, 20))
    assert set(kube.counts.values()) == {1}
    assert [node["metadata"]["name"] for node in found.nodes] == ["one", "two"]
    assert [item["apiVersion"] for item in found.node_configs] == ["cilium.io/v2"]
    assert found.budgets[0]["apiVersion"] == "policy/v1" and not found.metallb
    assert found.config_map == {"metadata": {"name": "cilium-config"}} and stage2_look.record(kube) is None


def test_a_guard_reads_two_lists() -> None:
    kube: Any = Asked()
    found = stage2_look.brief(kube, (1, 20))
    assert kube.counts == {"Node": 1, "CiliumNodeConfig": 1}
    assert found == replace(Lists(), nodes=found.nodes, node_configs=found.node_configs)


@pytest.mark.parametrize(("silent", "waited"), [(0, 0.0), (3, 3.0), (99, 10.0)])
def test_agents_that_have_not_said_anything_yet(monkeypatch: pytest.MonkeyPatch, silent: int, waited: float) -> None:
    says = AgentSays("Ok", "", "True", 1, (), None, None, ())
    looks = 0

    def agents(_kube: Any, _only: Any) -> tuple[Agent, ...]:
        nonlocal looks
        looks += 1
        return (Agent("one", True, False, "pod", "uid", True, None if looks <= silent else says),)

    monkeypatch.setattr(stage2_look, "agents", agents)
    clock = Asked()
    found = stage2_look.answering(None, 10, clock)  # type: ignore[arg-type]
    assert clock.time == waited and (found[0].says is None) is (silent == 99)


@pytest.mark.parametrize(("expected", "waited"), [(set(), 0.0), ({"two"}, 10.0)])
def test_nobody_waits_for_agents_that_are_not_expected(
    monkeypatch: pytest.MonkeyPatch, expected: set[str], waited: float
) -> None:
    """On the way from flannel most nodes have none yet."""
    silent = tuple(Agent(name, True, False, "", "", False, None, "no pod") for name in ("one", "two"))
    monkeypatch.setattr(stage2_look, "agents", lambda _kube, _only: silent)
    clock = Asked()
    assert stage2_look.answering(None, 10, clock, expected) == silent  # type: ignore[arg-type]
    assert clock.time == waited
