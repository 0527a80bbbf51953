"""What is asked again just before a step: never in the way of a plan, always in the way of harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage2_world import World, in_turn

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Facts
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_guard import (
    agents_heard,
    guarded,
    objections,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import BACK, STAGE2, Options
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_steps import Step, step


def brief(facts: Facts, found: Step) -> Facts:
    """What is left where only those agents are heard that the guards say they need, and hardly any list is read."""
    heard = agents_heard(found)
    nodes = (
        replace(it, pods=(), announcers=(), replacement=it.replacement if heard is None or it.name in heard else "")
        for it in facts.nodes
    )
    return replace(facts, nodes=tuple(nodes), budgets=(), services=(), record=None, operator_current=False)


@pytest.mark.parametrize("direction", [STAGE2, BACK])
def test_not_in_the_way_of_a_plan(direction: str) -> None:
    world = World(3, 2, 3 - steps.TARGETS[direction], Options(agent_batch=2))
    for found in in_turn(world.plan(direction)):
        assert objections(world.facts(), found, direction) == (), found.id
        assert objections(brief(world.facts(), found), found, direction) == (), f"{found.id} reads more than is asked"
        world.do(found)
    world.there(direction)


ONE, TWO = World(3, 1).facts(), World(3, 1, stage=2).facts()


def with_node(facts: Facts, name: str, **changes: Any) -> Facts:
    return replace(facts, nodes=tuple(replace(it, **changes) if it.name == name else it for it in facts.nodes))


AT_2_WITH_PROXY = replace(
    TWO, nodes=tuple(replace(it, kube_proxy=True, disables=False, started_disables=False) for it in TWO.nodes)
)


@pytest.mark.parametrize(
    ("facts", "kind", "node", "direction", "words"),
    [
        (ONE, steps.FLIP, "", STAGE2, "not True on s0, s1, s2, a0"),
        (with_node(TWO, "a0", replacement=""), steps.FLIP, "", STAGE2, "not True on a0"),
        (ONE, steps.UNCONFIGURE, "", STAGE2, "stage 1"),
        (ONE, steps.UNLABEL, "a0", STAGE2, "rely on our settings"),
        (ONE, steps.DROP_IN, "s0", STAGE2, "not Cilium on s0, s1, s2, a0"),
        (replace(AT_2_WITH_PROXY, chart_stage=1), steps.K3S, "s0", STAGE2, "kube-proxy goes last"),
        (with_node(AT_2_WITH_PROXY, "s1", ready=False), steps.K3S, "s0", STAGE2, "at stake: s1"),
        (with_node(TWO, "s1", voter=False), steps.K3S, "s0", BACK, "at stake: s1"),
        (TWO, steps.RESTART, "a0", BACK, "kube-proxy is not there on a0"),
        (with_node(AT_2_WITH_PROXY, "s2", disables=True), steps.RESTART, "a0", BACK, "true on s2"),
        (AT_2_WITH_PROXY, steps.RULES, "a0", STAGE2, "in use by kube-proxy"),
    ],
)  # fmt: skip
def test_in_the_way_of_harm(facts: Facts, kind: str, node: str, direction: str, words: str) -> None:
    found = objections(facts, step(kind, "", steps.TARGETS[direction], node), direction)
    assert words in str(found[0]) and "run it again" in str(found[0])


@pytest.mark.parametrize(
    ("kind", "stage", "looked", "heard"),
    [
        (steps.RESTART, 2, False, set()), (steps.RESTART, 1, True, set()), (steps.UNLABEL, 2, True, set()),
        (steps.RULES, 2, True, {"a0"}), (steps.K3S, 2, True, None), (steps.K3S, 1, True, set()),
        (steps.FLIP, 1, True, None), (steps.CORDON, 2, False, set()),
    ],
)  # fmt: skip
def test_no_more_is_asked_than_is_read(kind: str, stage: int, looked: bool, heard: set[str] | None) -> None:
    """While it is asked, a node is out of traffic."""
    found = step(kind, "", stage, "a0")
    assert guarded(found) is looked and agents_heard(found) == heard


def test_steps_that_do_no_harm_are_not_asked_for() -> None:
    assert objections(ONE, step(steps.CORDON, "", 2, "a0"), STAGE2) == ()
    assert objections(with_node(AT_2_WITH_PROXY, "s1", ready=False), step(steps.K3S, "", 2, "a0"), STAGE2) == ()


@given(st.data())
def test_a_node_that_joins_or_falls_back_stops_what_would_harm_it(data: st.DataObject) -> None:
    """At any point of the way forward: from then on nothing happens by which it would serve nothing."""
    world = World(3, data.draw(st.integers(0, 2)))
    way = list(in_turn(world.plan(STAGE2)))
    moment, world.strict = data.draw(st.integers(0, len(way) - 1)), False
    for number, found in enumerate(way):
        if number == moment:
            it = world.nodes[data.draw(st.sampled_from([name for name, it in world.nodes.items() if not it.claimed]))]
            if it.kube_proxy:
                it.label, it.mode = 0, world.destined(replace(it, label=0))  # rebuilt: it starts by the chart
        if objections(world.facts(), found, STAGE2):
            break
        world.do(found)  # which looks after every node
    world.settle()
    world.check()
