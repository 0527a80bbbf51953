"""Streams of events for the tests of a rollout: any at all, and those of a run as it should be."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import rollout_events as events

STEPS = ("cordon", "withdraw", "drain", "restart", "uncordon")
WAITS = {"withdraw": "router", "drain": "drain", "restart": "pod"}

_TIMES = st.floats(0, 10_000, allow_nan=False)
_NODES = st.sampled_from(["n1", "n2", "n3", "a-node-with-a-long-name.example.org"])
_STEPS = st.sampled_from(STEPS)
_TASKS = st.sampled_from(["one", "two"])
_TEXTS = st.text(max_size=20)
_WAITS = st.builds(events.Wait, st.sampled_from(["pod", "router"]), st.floats(0, 100, allow_nan=False))

any_event = st.one_of(
    st.builds(events.Begun, _TIMES, _TEXTS, st.booleans()),
    st.builds(events.Planned, _TIMES, st.lists(
        st.builds(events.NodePlan, _NODES, st.lists(_STEPS, max_size=5).map(tuple)), max_size=4).map(tuple)),
    st.builds(events.TaskBegun, _TIMES, _NODES, _STEPS, _TASKS, _TEXTS),
    st.builds(events.TaskEnded, _TIMES, _NODES, _STEPS, _TASKS, st.sampled_from(events.STATUSES),
              st.lists(_WAITS, max_size=2).map(tuple), _TEXTS),
    st.builds(events.Told, _TIMES, st.sampled_from([events.BEFORE, events.AFTER]),
              st.dictionaries(_TEXTS, _TEXTS, max_size=3)),
    st.builds(events.Ended, _TIMES, st.booleans()),
)  # fmt: skip
any_stream = st.lists(any_event, max_size=30)


def good_run(nodes: tuple[str, ...], seconds: float = 10.0, start: float = 1000.0) -> Iterator[events.Event]:
    """One node after the other, each step of the same length and two tasks, of which one waits."""
    time = start
    yield events.Begun(time, "stage2.yml")
    yield events.Planned(time, tuple(events.NodePlan(node, STEPS) for node in nodes))
    for node in nodes:
        for step in STEPS:
            wait = WAITS.get(step, "")
            yield events.TaskBegun(time, node, step, f"Do {step}")
            yield events.TaskEnded(time + seconds / 4, node, step, f"Do {step}", events.CHANGED)
            yield events.TaskBegun(time + seconds / 4, node, step, f"See {step}", wait)
            time += seconds
            waits = (events.Wait(wait, seconds * 3 / 4),) if wait else ()
            yield events.TaskEnded(time, node, step, f"See {step}", events.OK, waits)
    yield events.Ended(time)
