"""What is asked of the cluster just before a step."""

from __future__ import annotations

from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_look
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import Agent, AgentSays
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import stage2_situation

SAYS = AgentSays("Ok", "", "True", 1, (), None, None, ())
NODES = ("a0", "s0")


class Api:
    def nodes(self) -> list[Any]:
        return [{"metadata": {"name": name}, "spec": {}} for name in NODES]

    def list(self, _kind: str, *_place: str) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("kind", "stage", "asked", "waited"),
    [(steps.K3S, 2, None, 3.0), (steps.RULES, 2, {"a0"}, 3.0), (steps.K3S, 1, set(), 0.0)],
)
def test_agents_that_the_api_does_not_reach_yet(
    monkeypatch: pytest.MonkeyPatch, kind: str, stage: int, asked: set[str] | None, waited: float
) -> None:
    """It waits for them, and says for how long: that is none of our own time."""
    clock, only = Turned(), []

    def agents(_kube: Any, names: Any = None) -> tuple[Agent, ...]:
        only.append(names)
        heard = SAYS if clock.time >= 3 else None
        return tuple(Agent(name, True, False, "pod", "uid", True, heard) for name in names or NODES)

    monkeypatch.setattr(stage2_situation, "agents", agents)
    monkeypatch.setattr(stage2_look, "agents", agents)
    release = Release(1, "deployed", "1.20.2", {"kubeProxyReplacement": False}, "", "record")
    monkeypatch.setattr(stage2_situation, "settled", lambda _kube: release)
    kube: Any = Api()
    facts, seconds = stage2_situation.guarded(kube, {}, {}, steps.step(kind, "", stage, "a0"), clock)
    assert seconds == waited and set(map(repr, only)) <= {repr(asked if asked is None else frozenset(asked))}
    heard = {node.name for node in facts.nodes if node.replacement == "True"}
    assert heard == (set(NODES) if asked is None else asked) and facts.chart_stage == 1
