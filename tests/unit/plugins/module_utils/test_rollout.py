"""Events of a rollout, the state that they fold into, and what is shown of it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_streams import STEPS, any_event, any_stream, good_run

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_events as events
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_lines as lines
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_state as states

THREE = ("server1", "server2", "server3")


@given(any_event)
def test_a_line_says_all_of_an_event(event: events.Event) -> None:
    back = events.from_line(events.to_line(event))
    assert back is not None and events.to_line(back) == events.to_line(event)
    assert "\n" not in events.to_line(event)


_OBJECTS = st.dictionaries(st.sampled_from(["event", "time", "nodes", "waits", "x"]), st.integers()).map(json.dumps)
_NEARLY = st.sampled_from(['{"event": "planned", "time": 1, "nodes": [3]}', '{"event": "begun"}', "[]"])


@given(st.text() | _OBJECTS | _NEARLY)
def test_what_is_no_event_is_passed_over(line: str) -> None:
    found = events.from_line(line)
    assert found is None or isinstance(found, (events.Begun, events.Planned, events.Told, events.Ended))


def test_later_versions_may_say_more() -> None:
    line = '{"event": "ended", "time": 3, "failed": true, "mood": "bad"}'
    assert events.from_line(line) == events.Ended(3.0, True)


@given(any_stream, st.floats(0, 20_000), st.integers(20, 200), st.integers(1, 12), st.booleans())
def test_any_stream_of_events_can_be_shown(
    stream: list[events.Event], now: float, width: int, rows: int, ascii_only: bool
) -> None:
    seen = states.fold(stream)
    shown = lines.block(seen, now, width, rows, ascii_only)
    assert 1 <= len(shown) <= rows
    assert all(len(line) <= width and line.isprintable() for line in shown)
    assert all("\n" not in lines.fit(line, 1000) for line in lines.closing(seen, now))


@given(any_stream)
def test_no_time_runs_backwards_and_nothing_stays_open_after_the_end(stream: list[events.Event]) -> None:
    seen = states.fold([*stream, events.Ended(20_000)])
    for node in seen.nodes.values():
        assert all(step.end is not None and step.end >= step.begin and step.status != "running" for step in node.steps)
        assert node.state(ended=True) in ("waiting", "between", "done", "failed")


@given(any_stream)
def test_each_step_is_told_of_once(stream: list[events.Event]) -> None:
    told, seen, count = frozenset[tuple[str, int]](), states.Rollout(), 0
    for event in [*stream, events.Ended(20_000)]:
        seen = states.follow(seen, event)
        new, told = lines.settled(seen, told, event.time)
        count += len(new)
    assert count == sum(len(node.steps) for node in seen.nodes.values())


def test_tasks_in_a_row_are_one_step() -> None:
    seen = states.fold(good_run(THREE))
    assert [tuple(step.name for step in node.steps) for node in seen.nodes.values()] == [STEPS] * 3
    drain = seen.nodes["server2"].steps[2]
    assert (drain.took, drain.tasks, drain.status) == (10.0, ("Do drain", "See drain"), "changed")
    assert drain.waits == (events.Wait("drain", 7.5),)
    assert seen.count("done") == 3


def test_what_is_left_is_estimated_from_what_was_done() -> None:
    stream = list(good_run(THREE))
    begun = stream[:2]
    assert states.estimate(states.fold(begun), 1000) is None
    after_first = [event for event in stream if event.time <= 1050][:-1]
    left = states.estimate(states.fold(after_first), 1050)
    assert left == states.Estimate(100.0, True)
    half = [event for event in stream if event.time < 1025]
    left = states.estimate(states.fold(half), 1025)
    assert left is not None and not left.whole, "no node has drained yet"


@given(st.floats(1000, 1150))
def test_the_estimate_never_grows_while_all_goes_as_before(now: float) -> None:
    stream = [event for event in good_run(THREE) if event.time <= max(now, 1050)]
    first, then = (states.estimate(states.fold(stream), max(now, 1050) + more) for more in (0, 0.5))
    assert first is not None and then is not None and 0 <= then.seconds <= first.seconds


def test_a_run_that_was_cut_off_goes_on_in_the_next() -> None:
    stream = list(good_run(THREE))
    cut = [event for event in stream if event.time <= 1023]
    seen = states.fold([*cut, *(good_run(("server1",), start=1100.0))])
    assert [step.status for step in seen.nodes["server1"].steps][2] == "cut off"
    assert seen.nodes["server1"].state() == "done" and seen.runs == 2 and seen.nodes["server2"].state() == "waiting"


def test_a_failure_is_said_with_its_reason() -> None:
    seen = states.fold([
        events.TaskBegun(1, "n1", "drain", "Drain"),
        events.TaskEnded(4, "n1", "drain", "Drain", events.FAILED, message="the budget\nweb allows none"),
    ])  # fmt: skip
    assert lines.settled(seen, frozenset(), 4)[0] == ["n1: drain failed after 3.0 s: the budget\nweb allows none"]
    assert "✗ n1  drain: failed: the budget web allows none" in lines.block(seen, 4, 100, 5)


def test_five_hundred_nodes_have_their_block_at_once() -> None:
    names = tuple(f"node{number:03}" for number in range(500))
    seen = states.fold(event for event in good_run(names[:3]) if event.time < 1070)
    seen = states.follow(seen, events.Planned(1000, tuple(events.NodePlan(name, STEPS) for name in names)))
    began = time.monotonic()
    shown = lines.block(seen, 1066, 80, 6)
    assert time.monotonic() - began < 0.5
    assert len(shown) == 6 and "1 of 500 nodes done" in shown[0] and shown[-1] == "  and 496 more"
    assert any("server" not in line and "node001" in line and "(2 of 5 steps)" in line for line in shown), shown


@pytest.mark.parametrize(
    ("result", "waits"),
    [
        ({}, (events.Wait("drain", 5.0),)),
        ({"rollout_waits": {"pod": 2, "router": 1.5}}, (events.Wait("pod", 2.0), events.Wait("router", 1.5))),
        ({"results": [{"rollout_waits": {"a": 1}}, {"rollout_waits": {"a": 2}}, "x"]}, (events.Wait("a", 3.0),)),
        ({"rollout_waits": {"pod": "long"}}, (events.Wait("drain", 5.0),)),
    ],
)
def test_waits_of_a_result(result: dict[str, object], waits: tuple[events.Wait, ...]) -> None:
    assert events.waits_in(result, "drain", 5.0) == waits


def test_a_result_may_carry_plan_and_facts() -> None:
    result = {
        "rollout_plan": [{"node": "n1", "steps": ["cordon"]}, {"node": ""}, 3],
        "rollout_facts": {"before": {"stage": 1, "proxy": "kube-proxy"}, "during": {}},
    }
    assert events.plan_in(result) == (events.NodePlan("n1", ("cordon",)),)
    assert events.facts_in(result) == {"before": {"stage": "1", "proxy": "kube-proxy"}}
    steps = [("", "snapshot"), ("n1", "cordon"), ("n2", "cordon"), ("n1", "drain")]
    assert events.plan_in({"rollout_plan": events.as_plan(steps)}) == (
        events.NodePlan("cluster", ("snapshot",)), events.NodePlan("n1", ("cordon", "drain")),
        events.NodePlan("n2", ("cordon",)),
    )  # fmt: skip
    assert events.plan_in({}) == () and events.facts_in({}) == {}
