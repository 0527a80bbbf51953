"""The plan from flannel to Cilium against a small world of its own: killed anywhere, rebooted and restarted between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from migrate_world import World, in_turn, run

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_steps as steps
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import SETTLED
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_guard import objections
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_plan import Options, Step, put_back

TURN = ["claim", "cordon", "withdraw", "gone", "drain", "drop-in", "k3s", "joined", "dismiss", "clear", "admit"]
TURN += ["connected", "renew", "reach", "uncordon", "announce", "present", "release"]


def kinds(found: tuple[Step, ...]) -> list[str]:
    return [step.kind for step in found]


def test_from_the_beginning() -> None:
    world = World(3, 2)
    found = world.plan()
    assert list(found.phases) == ["prepare", "nodes", "settlement", "leftovers"]
    assert kinds(found.steps)[:2] == ["snapshot", "beside"]
    assert kinds(found.of("s1", "nodes")) == TURN
    assert kinds(found.of("a0", "nodes")) == [kind for kind in TURN if kind != "drop-in"]
    assert found.batches("nodes") == (("s0",), ("s1",), ("s2",), ("a0",), ("a1",))
    assert kinds(found.of("a1", "leftovers")) == ["sweep", "notes"]
    assert len({step.id for step in found.steps}) == len(found.steps)
    assert run(world)
    world.there()
    assert world.stopped == 0


def test_every_step_says_what_and_why() -> None:
    found = [*World(2, 1).plan().steps, *World(2, 1, Options(together=True, scale_dns=True)).plan().steps]
    assert all(step.what and step.why for step in found) and not any("{" in step.what + step.undo for step in found)
    assert {step.phase for step in found} == set(steps.PHASES)
    assert World(1, 1).plan().as_dict()["batches"]["nodes"] == [["s0"], ["a0"]]


def test_all_servers_at_once() -> None:
    """For a k3s that compares: said in the plan, and only where it was asked for."""
    world = World(3, 1, Options(together=True))
    found = world.plan()
    assert list(found.phases)[:3] == ["prepare", "stop", "start"]
    assert kinds(found.of("s0", "stop")) == ["drop-in", "halt"] and kinds(found.of("s0", "start")) == ["k3s", "joined"]
    turn = kinds(found.of("s0", "nodes"))
    assert "k3s" not in turn and {"clear", "renew", "reach"} <= set(turn)
    assert run(world)
    world.there()
    assert world.stopped == 3 and all(it.counts == {"k3s": 1} for it in world.nodes.values())


@pytest.mark.parametrize("together", [False, True])
def test_killed_at_each_step(together: bool) -> None:
    """And gone on with: no k3s is restarted twice."""
    length = len(World(3, 2, Options(together=together)).plan().steps)
    for until in range(length):
        world = World(3, 2, Options(together=together))
        run(world, until)
        assert run(world)
        world.there()
        assert all(it.counts == {"k3s": 1} for it in world.nodes.values()), until


@given(st.data())
def test_whatever_happens_the_end_is_reached(data: st.DataObject) -> None:
    options = Options(agent_batch=data.draw(st.integers(1, 3)), scale_dns=data.draw(st.booleans()))
    world = World(
        data.draw(st.sampled_from([1, 3, 5])), data.draw(st.integers(1, 4)), options, data.draw(st.integers(0, 99))
    )
    names = list(world.nodes)
    for _ in range(data.draw(st.integers(0, 4))):
        run(world, data.draw(st.integers(0, 120)))
        event = data.draw(st.sampled_from(["", "reboot", "restart", "cordon"]))
        if event:
            getattr(world, event)(data.draw(st.sampled_from(names)))
    assert run(world)
    world.there()


@pytest.mark.parametrize("name", ["s0", "a0"])
@pytest.mark.parametrize("until", range(1, len(TURN)))
def test_a_node_that_fails_is_put_back(name: str, until: int) -> None:
    """A server at any step of its turn; an agent up to its restart, and then it stays out. Another run completes."""
    world = World(3, 1)
    found = world.plan().steps
    turn = [step for step in found if step.phase == "nodes" and step.node == name]
    for step in found[: found.index(turn[0])]:
        world.do(step)
    for step in turn[:until]:
        world.do(step)
    moved, switched = world.node(name).moved, world.node(name).runs_none
    back = put_back(world.facts(), world.node(name))
    for step in back:
        world.do(step)
    it = world.nodes[name]
    if it.server or moved or not switched:
        assert it.in_traffic and not it.claimed
        assert it.cilium if moved else it.flannel
    else:
        assert back == () and it.claimed and it.ours, "out of traffic, for the next run"
    assert run(world)
    world.there()


def test_who_lost_its_network_early_comes_first() -> None:
    """A server answers an agent's question with none, though the agent's turn has not come."""
    world = World(3, 3, Options(agent_batch=2), seed=1)
    servers = next(n for n, step in enumerate(in_turn(world.plan())) if step.node == "a0")
    run(world, servers)
    world.restart("a2")
    assert world.node("a2").between
    found = world.plan()
    assert found.batches("nodes")[0][0] == "a2" and "k3s" not in kinds(found.of("a2", "nodes"))
    assert run(world)
    world.there()


def test_a_moved_node_that_rebooted_gets_its_way_back_first() -> None:
    world = World(3, 1)
    run(world, next(n for n, step in enumerate(in_turn(world.plan())) if step.node == "s1"))
    world.reboot("s0")
    found = world.plan()
    assert kinds(found.of("s0", "nodes")) == ["overlay"] and found.batches("nodes")[0] == ("s0",)
    assert run(world)
    world.there()
    world.reboot("s0")
    assert world.plan().steps == (), "nobody needs it any more"


def test_the_users_order_and_batches() -> None:
    world = World(3, 4, Options(order=("a2", "s1"), agent_batch=2))
    assert world.plan().batches("nodes") == (("s1",), ("s0",), ("s2",), ("a2", "a0"), ("a1", "a3"))


def test_steps_that_would_do_harm_are_refused() -> None:
    world = World(3, 1)
    facts, by_kind = world.facts(), {step.kind: step for step in world.plan().of("a0")}
    for kind in ("k3s", "admit", "unlabel", "sweep", "notes"):
        assert objections(facts, by_kind[kind]), kind
    assert not objections(facts, by_kind["drain"])
    world.nodes["s1"].voter = False
    assert "quorum" in str(objections(world.facts(), world.plan().of("s0")[6])[0])
    world.release = SETTLED
    assert len(objections(world.facts(), world.plan().of("s0")[6])) == 2


def test_500_nodes_take_steps_in_proportion() -> None:
    few, many = (len(World(3, count - 3).plan().steps) for count in (50, 500))
    assert many <= 10 * few and many > 500 * 15
