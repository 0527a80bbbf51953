# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollout is: events folded into what each node did and does, and how long the rest will take. Pure."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import (
    CHANGED,
    CLUSTER,
    FAILED,
    OK,
    SKIPPED,
    UNREACHABLE,
    Begun,
    Ended,
    Event,
    Planned,
    TaskBegun,
    TaskEnded,
    Told,
    Wait,
)

RUNNING, CUT = "running", "cut off"  # of a step, beside the statuses of tasks
WAITING, BETWEEN, DONE = "waiting", "between", "done"  # of a node, beside running and failed
_WORSE = (SKIPPED, OK, CHANGED, UNREACHABLE, FAILED)


@dataclass(frozen=True)
class Step:
    """Tasks in a row that carry the same step's name."""

    name: str
    begin: float
    end: float | None = None
    status: str = RUNNING
    waits: tuple[Wait, ...] = ()
    tasks: tuple[str, ...] = ()
    message: str = ""
    busy: int = 0  # tasks that are at work right now
    wait: str = ""  # what the one at work waits for

    @property
    def took(self) -> float:
        return 0.0 if self.end is None else max(0.0, self.end - self.begin)

    def age(self, now: float) -> float:
        return max(0.0, (now if self.end is None else self.end) - self.begin)

    @property
    def over(self) -> bool:
        return self.end is not None

    @property
    def well(self) -> bool:
        return self.status in (OK, CHANGED, SKIPPED)


@dataclass(frozen=True)
class Node:
    name: str
    planned: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def last(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    @property
    def left(self) -> tuple[str, ...]:
        """Planned steps that are not behind it; the one it is in counts among them."""
        behind = {step.name for step in self.steps if step.over and step.well}
        return tuple(name for name in self.planned if name not in behind)

    def state(self, ended: bool = False) -> str:
        last = self.last
        if last is None:
            return WAITING
        if not last.over:
            return RUNNING
        if any(not step.well for step in self._newest()):
            return FAILED
        if self.planned:
            return BETWEEN if self.left else DONE
        # Without a plan nobody knows whether more will come, until the end.
        return DONE if ended else BETWEEN

    def _newest(self) -> tuple[Step, ...]:
        """Of steps that were made again, the last time."""
        return tuple({step.name: step for step in self.steps}.values())

    @property
    def began(self) -> float:
        return self.steps[0].begin if self.steps else 0.0

    def spent(self, now: float) -> float:
        return sum(step.age(now) for step in self.steps)


@dataclass(frozen=True)
class Rollout:
    playbook: str = ""
    check: bool = False
    began: float | None = None
    ended: float | None = None
    failed: bool = False
    runs: int = 0
    nodes: t.Mapping[str, Node] = field(default_factory=dict)
    facts: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)

    @property
    def members(self) -> tuple[Node, ...]:
        """Without the row of the cluster's own steps."""
        return tuple(node for node in self.nodes.values() if node.name != CLUSTER)

    def count(self, state: str) -> int:
        return sum(node.state(self.ended is not None) == state for node in self.members)


def fold(events: t.Iterable[Event], start: Rollout | None = None) -> Rollout:
    return functools.reduce(follow, events, start or Rollout())


def follow(seen: Rollout, event: Event) -> Rollout:
    """The rollout after one more event. Any order of events makes some state: logs get lost with their writers."""
    if isinstance(event, Begun):
        return _begun(seen, event)
    if isinstance(event, Planned):
        return _planned(seen, event)
    if isinstance(event, TaskBegun):
        return _with(seen, _task_begun(_node(seen, event.node), event), event.time)
    if isinstance(event, TaskEnded):
        return _with(seen, _task_ended(_node(seen, event.node), event), event.time)
    if isinstance(event, Told):
        return replace(seen, facts={**seen.facts, event.when: {**seen.facts.get(event.when, {}), **event.facts}})
    return _ended(seen, event)


def _node(seen: Rollout, name: str) -> Node:
    return seen.nodes.get(name) or Node(name)


def _with(seen: Rollout, node: Node, time: float) -> Rollout:
    began = time if seen.began is None else seen.began
    return replace(seen, began=began, nodes={**seen.nodes, node.name: node})


def _begun(seen: Rollout, event: Begun) -> Rollout:
    began = event.time if seen.began is None else seen.began
    return replace(
        _cut(seen, event.time), playbook=event.playbook, check=event.check, began=began, ended=None, failed=False,
        runs=seen.runs + 1,
    )  # fmt: skip


def _ended(seen: Rollout, event: Ended) -> Rollout:
    return replace(_cut(seen, event.time), ended=event.time, failed=event.failed)


def _cut(seen: Rollout, time: float) -> Rollout:
    """Nobody will tell any more how the open steps end."""
    return replace(seen, nodes={name: _closed(node, time) for name, node in seen.nodes.items()})


def _closed(node: Node, time: float) -> Node:
    last = node.last
    if last is None or last.over:
        return node
    return _put(node, replace(last, end=max(time, last.begin), status=CUT, busy=0, wait=""))


def _put(node: Node, step: Step) -> Node:
    return replace(node, steps=(*node.steps[:-1], step))


def _planned(seen: Rollout, event: Planned) -> Rollout:
    nodes = dict(seen.nodes)
    for plan in event.nodes:
        known = nodes.get(plan.node) or Node(plan.node)
        ahead = tuple(name for name in plan.steps if name not in known.planned)
        nodes[plan.node] = replace(known, planned=known.planned + ahead)
    began = event.time if seen.began is None else seen.began
    return replace(seen, nodes=nodes, began=began)


def _task_begun(node: Node, event: TaskBegun) -> Node:
    last = node.last
    if last is None or last.name != event.step or last.status == CUT:
        step = Step(event.step, event.time, tasks=(event.task,), busy=1, wait=event.wait)
        return replace(node, steps=(*_closed(node, event.time).steps, step))
    # The step goes on, be it after a task that failed and was rescued within it.
    tasks = last.tasks if event.task in last.tasks else (*last.tasks, event.task)
    return _put(node, replace(last, end=None, tasks=tasks, busy=last.busy + 1, wait=event.wait))


def _task_ended(node: Node, event: TaskEnded) -> Node:
    if node.last is None or node.last.name != event.step or event.task not in node.last.tasks:
        # Its beginning was lost.
        begun = event.time - sum(wait.seconds for wait in event.waits)
        node = _task_begun(node, TaskBegun(begun, event.node, event.step, event.task))
    last = t.cast("Step", node.last)
    busy = max(0, last.busy - 1)
    return _put(node, replace(
        last, end=None if busy else max(event.time, last.begin), status=_worse(last.status, event.status), busy=busy,
        waits=_sum(last.waits, event.waits), message=event.message or last.message, wait="" if not busy else last.wait,
    ))  # fmt: skip


def _worse(one: str, other: str) -> str:
    """What a step is whose tasks ended thus."""
    if one not in _WORSE:
        return other
    return max(one, other, key=lambda status: _WORSE.index(status) if status in _WORSE else len(_WORSE))


def _sum(one: tuple[Wait, ...], other: tuple[Wait, ...]) -> tuple[Wait, ...]:
    found: dict[str, float] = {}
    for wait in (*one, *other):
        found[wait.what] = found.get(wait.what, 0.0) + wait.seconds
    return tuple(Wait(what, seconds) for what, seconds in found.items())


# -- the estimate


@dataclass(frozen=True)
class Estimate:
    """Seconds that are left; `whole` where each step that is left was seen before on some node."""

    seconds: float
    whole: bool


def estimate(seen: Rollout, now: float) -> Estimate | None:
    """From the steps that were made already: each one that is left takes their mean. None while nothing is known."""
    means = _means(seen)
    left = [(node, name) for node in seen.nodes.values() if node.state() != FAILED for name in node.left]
    known = [(node, name) for node, name in left if name in means]
    if not known and (left or not any(node.planned for node in seen.nodes.values())):
        return None
    total = sum(max(0.0, means[name] - _already(node, name, now)) for node, name in known)
    beside = max(1, sum(node.state() == RUNNING for node in seen.nodes.values()))
    return Estimate(total / beside, len(known) == len(left))


def _already(node: Node, name: str, now: float) -> float:
    last = node.last
    return last.age(now) if last is not None and last.name == name and not last.over else 0.0


def _means(seen: Rollout) -> dict[str, float]:
    """Of each step that ended well somewhere; those that had nothing to do say nothing of those that have."""
    found: dict[str, list[float]] = {}
    for node in seen.nodes.values():
        for step in node.steps:
            if step.over and step.status in (OK, CHANGED):
                found.setdefault(step.name, []).append(step.took)
    return {name: sum(times) / len(times) for name, times in found.items()}
