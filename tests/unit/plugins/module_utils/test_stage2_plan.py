"""The plan between the stages against a small world of its own: killed anywhere, turned round, rebooted in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage2_world import World, run

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.maintenance_plan import (
    ANNOUNCE,
    CORDON,
    DRAIN,
    UNCORDON,
    WITHDRAW,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import (
    MODES,
    Facts,
    Node,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_plan import (
    BACK,
    STAGE2,
    Options,
    Step,
    plan,
    put_back,
    put_k3s_back,
)

TURN = ["claim", "cordon", "withdraw", "gone", "drain", "label", "restart", "replaced", "answered", "uncordon"]
TURN += ["announce", "present", "release"]


def kinds(found: tuple[Step, ...]) -> list[str]:
    return [step.kind for step in found]


def test_forward_from_the_beginning() -> None:
    world = World(3, 1)
    found = world.plan(STAGE2)
    assert list(found.phases) == ["prepare", "nodes", "default", "servers", "agents", "leftovers", "health ports"]
    assert kinds(found.of("s1", "nodes")) == TURN
    assert kinds(found.of("s1", "servers")) == ["drop-in", "k3s", "joined", "proxyless"]
    assert kinds(found.of("a0", "agents")) == ["k3s", "joined", "proxyless"]
    assert found.batches("nodes") == (("s0",), ("s1",), ("s2",), ("a0",))
    assert kinds(found.steps)[:3] == ["snapshot", "record", "node-config"]
    assert len({step.id for step in found.steps}) == len(found.steps)
    assert run(world, STAGE2)
    world.there(STAGE2)


def test_and_back() -> None:
    world = World(3, 2, stage=2)
    found = world.plan(BACK)
    assert list(found.phases) == ["servers", "agents", "nodes", "default"]
    assert run(world, BACK)
    world.there(BACK)


def test_every_step_says_what_why_and_how_it_is_taken_back() -> None:
    both = [*World(1, 1).plan(STAGE2).steps, *World(1, 1, stage=2).plan(BACK).steps]
    assert all(step.what and step.why for step in both) and not any("{" in step.what + step.undo for step in both)
    changing = {step.kind for step in both if not step.undo} - steps.LOOKS
    assert changing == {"snapshot", "drain", "operator", "flows", "health"} - {"drain"}
    assert World(1, 1).plan(STAGE2).as_dict()["batches"]["nodes"] == [["s0"], ["a0"]]


@pytest.mark.parametrize("direction", [STAGE2, BACK])
def test_killed_at_each_step(direction: str) -> None:
    """And gone on with: nothing is done twice."""
    length = len(World(3, 2, 3 - steps.TARGETS[direction]).plan(direction).steps)
    for until in range(length):
        world = World(3, 2, 3 - steps.TARGETS[direction])
        run(world, direction, until)
        world.settle()
        assert run(world, direction)
        world.there(direction)
        assert all(count == 1 for it in world.nodes.values() for count in it.counts.values()), until


@given(st.data())
def test_whatever_happens_the_end_is_reached(data: st.DataObject) -> None:
    options = Options(
        agent_batch=data.draw(st.integers(1, 3)), withdraw=data.draw(st.booleans()), drain=data.draw(st.booleans()),
        renew=data.draw(st.booleans()), scale_dns=data.draw(st.booleans()),
    )  # fmt: skip
    world = World(
        data.draw(st.sampled_from([1, 3, 5])), data.draw(st.integers(0, 4)), data.draw(st.sampled_from([1, 2])),
        options, data.draw(st.integers(0, 99)),
    )  # fmt: skip
    names = list(world.nodes)
    for _ in range(data.draw(st.integers(0, 4))):
        run(world, data.draw(st.sampled_from([STAGE2, BACK])), data.draw(st.integers(0, 120)))
        world.settle()
        event = data.draw(st.sampled_from(["", "reboot", "cordon"]))
        if event:
            getattr(world, event)(data.draw(st.sampled_from(names)))
            world.check()
    last = data.draw(st.sampled_from([STAGE2, BACK]))
    assert run(world, last)
    world.there(last)


@pytest.mark.parametrize("direction", [STAGE2, BACK])
@pytest.mark.parametrize("until", range(1, 16))
def test_a_node_that_fails_is_put_back(direction: str, until: int) -> None:
    """At any step of its turn; a run afterwards completes."""
    world = World(3, 0, 3 - steps.TARGETS[direction])
    before = world.node("s0")
    turn = [step for step in world.plan(direction).steps if step.phase == "nodes" and step.node in ("", "s0")]
    for step in world.plan(direction).steps:  # whatever comes before
        if step in turn:
            break
        world.do(step)
    for step in turn[:until]:
        world.do(step)
    changed = world.node("s0").replacement == MODES[steps.TARGETS[direction]]
    for step in put_back(world.facts(), world.node("s0"), direction):
        if step.kind == steps.RESTART:
            world.nodes["s0"].up = False
            world.check()
        else:
            world.do(step)
    after = world.node("s0")
    assert not (after.out or after.claimed) and world.nodes["s0"].pods
    assert after.replacement == (MODES[steps.TARGETS[direction]] if changed else before.replacement)
    world.settle()
    assert run(world, direction)
    world.there(direction)


@pytest.mark.parametrize("direction", [STAGE2, BACK])
def test_a_server_that_does_not_come_up_is_put_back(direction: str) -> None:
    world = World(3, 1, 3 - steps.TARGETS[direction])
    assert not run(world, direction, kinds(world.plan(direction).steps).index("joined"))
    for step in put_k3s_back(world.node("s0"), direction):
        world.nodes["s0"].ready = True  # k3s can be asked to start again while it is down
        world.do(step)
    it = world.nodes["s0"]
    assert it.ready and it.kube_proxy is (direction == STAGE2) and it.disables is (direction == BACK)
    assert run(world, direction)
    world.there(direction)
    assert kinds(put_k3s_back(world.node("a0"), direction)) == ["k3s", "joined"]


def test_the_users_order_and_batches() -> None:
    world = World(3, 4, options=Options(order=("a2", "s1"), agent_batch=2))
    assert world.plan(STAGE2).batches("nodes") == (("s1",), ("s0",), ("s2",), ("a2", "a0"), ("a1", "a3"))
    assert world.plan(STAGE2).batches("agents") == (("a2", "a0"), ("a1", "a3"))
    world.nodes["a3"].claimed = world.nodes["a3"].told = True
    assert world.plan(STAGE2).batches("nodes")[0] == ("a3",), "who is out already is finished first"


def test_less_is_done_where_less_is_wished() -> None:
    turn = kinds(World(1, 1, options=Options(drain=False)).plan(STAGE2).of("a0", "nodes"))
    assert turn == [kind for kind in TURN if kind not in ("cordon", "drain", "uncordon")]
    turn = kinds(World(1, 1, options=Options(drain=False, withdraw=False)).plan(STAGE2).of("a0", "nodes"))
    assert turn == ["claim", "label", "restart", "replaced", "answered", "present", "release"]
    turn = kinds(World(1, 1, options=Options(renew=True)).plan(STAGE2).of("a0", "nodes"))
    assert turn[turn.index("replaced") + 1] == "renew"


def test_somebody_elses_cordon_stays() -> None:
    world = World(1, 2)
    world.cordon("a0")
    turn = kinds(world.plan(STAGE2).of("a0", "nodes"))
    assert CORDON not in turn and UNCORDON not in turn and {DRAIN, WITHDRAW, ANNOUNCE} <= set(turn)


def test_500_nodes_take_work_in_proportion() -> None:
    """Counted, not timed: how often the planner looks whether a node has what the chart says."""
    looked: list[str] = []

    class Counting(Facts):
        def destined(self, node: Node) -> str:
            looked.append(node.name)
            return super().destined(node)

    few, many = (World(3, count - 3).facts() for count in (50, 500))
    lengths = []
    for facts in (few, many):
        found = plan(Counting(**vars(facts)), STAGE2)
        lengths.append(len(found.steps))
    assert len(looked) <= 3 * 550 and lengths[1] <= 10 * lengths[0] and lengths[1] > 500 * 15
