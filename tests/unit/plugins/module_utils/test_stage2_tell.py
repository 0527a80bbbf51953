"""The plan as the plays take it: each step has its tasks and its host, each play its hosts and batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage2_world import World

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_tell as tell
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import BACK, STAGE2, Options

ROOT = Path(__file__).resolve().parents[4]
TASKS = ROOT / "roles/stage2/tasks/steps"
STEPS = ROOT / "roles/maintenance/tasks"
KINDS = sorted(steps._TEXTS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_step_has_its_tasks(kind: str) -> None:
    told = tell.step_dict(steps.step(kind, steps.PREPARE, 2, "one"), "host1")
    assert (TASKS / f"{told['tasks']}.yml").is_file()
    if told["tasks"] == "traffic":
        assert (STEPS / f"{kind}.yml").is_file()


@given(st.integers(1, 5), st.integers(0, 6), st.sampled_from([STAGE2, BACK]), st.integers(1, 3), st.booleans())
def test_the_plays_take_every_step_once_and_in_order(
    servers: int, agents: int, direction: str, batch: int, turned: bool
) -> None:
    world = World(servers, agents, stage=1 if direction == STAGE2 else 2, options=Options(agent_batch=batch))
    if turned:  # somewhere between the stages
        for step in world.plan(direction).steps[: 3 + servers]:
            world.do(step)
    plan = world.plan(direction)
    hosts = {name: f"host-{name}" for name in world.nodes}
    told = tell.answer(plan, hosts, "host-s0")
    taken = []
    for phase in plan.phases:
        play = told["phases"][phase]
        assert sum(play["serial"]) == len(play["hosts"]) == len(set(play["hosts"]))
        for host in play["hosts"]:
            taken += [step["id"] for step in told["steps"] if (step["phase"], step["host"]) == (phase, host)]
    assert sorted(taken) == sorted(step.id for step in plan.steps)
    for node in world.nodes:
        own = [step.id for step in plan.steps if step.node == node]
        assert [step for step in taken if step in own] == own
    assert len(plan.lines()) == len(plan.steps) + len(plan.phases)


def test_servers_are_alone_in_their_plays() -> None:
    world = World(3, 4, options=Options(agent_batch=3))
    told = tell.answer(world.plan(STAGE2), {name: name for name in world.nodes}, "s0")
    assert told["phases"][steps.PASS_ONE] == {
        "hosts": ["s0", "s1", "s2", "a0", "a1", "a2", "a3"], "serial": [1, 1, 1, 3, 1],
    }  # fmt: skip
    assert told["phases"][steps.END] == {"hosts": ["s0"], "serial": [1]}


def test_a_node_is_put_back_by_what_failed() -> None:
    world = World(3, 1)
    facts = world.facts()
    server, agent = replace(facts.node("s0"), disables=True, kube_proxy=False), facts.node("a0")
    assert [step.kind for step in tell.way_back(facts, server, STAGE2, steps.SERVERS)] == [
        steps.DROP_IN, steps.K3S, steps.JOINED, steps.PROXIED,
    ]  # fmt: skip
    assert [step.kind for step in tell.way_back(facts, agent, STAGE2, steps.AGENTS)] == [steps.K3S, steps.JOINED]
    assert tell.way_back(facts, server, STAGE2, steps.DEFAULT) == ()
    assert "nothing to be put back" in tell.put_back(server, ())
