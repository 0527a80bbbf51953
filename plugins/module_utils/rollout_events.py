# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens during a rollout, as events, and events as JSON lines. Pure.

One line is one event. Who reads them passes over kinds and keys that it does not know, so that later versions may add
some; times are seconds since the epoch.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field

OK, CHANGED, SKIPPED, FAILED, UNREACHABLE = "ok", "changed", "skipped", "failed", "unreachable"
STATUSES = (OK, CHANGED, SKIPPED, FAILED, UNREACHABLE)
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Begun:
    """A playbook begins. In a file that several runs wrote, what was open until now was cut off."""

    time: float
    playbook: str = ""
    check: bool = False


@dataclass(frozen=True)
class NodePlan:
    node: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """Which steps lie ahead, node by node, in their order."""

    time: float
    nodes: tuple[NodePlan, ...]


@dataclass(frozen=True)
class TaskBegun:
    """A task of a step begins. `wait` says what all of its time is spent waiting for."""

    time: float
    node: str
    step: str
    task: str
    wait: str = ""


@dataclass(frozen=True)
class Wait:
    """Time that went by for something that is not ours: a drain, a pod's start, a router."""

    what: str
    seconds: float


@dataclass(frozen=True)
class TaskEnded:
    time: float
    node: str
    step: str
    task: str
    status: str = OK
    waits: tuple[Wait, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class Told:
    """Facts of the cluster, from before or after."""

    time: float
    when: str
    facts: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    time: float
    failed: bool = False


Event = t.Union[Begun, Planned, TaskBegun, TaskEnded, Told, Ended]
_KINDS: dict[str, type[t.Any]] = {
    "begun": Begun, "planned": Planned, "task_begun": TaskBegun, "task_ended": TaskEnded, "told": Told, "ended": Ended,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(event: Event) -> str:
    found = {"event": _NAMES[type(event)], **asdict(event)}
    found["time"] = round(event.time, 3)
    return json.dumps({key: value for key, value in found.items() if value not in ("", (), [])}, ensure_ascii=False)


def from_line(line: str) -> Event | None:
    """None for what is no event of ours. A last line that was cut off with its writer is none either."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return from_dict(found) if isinstance(found, dict) else None


def from_dict(found: t.Mapping[str, t.Any]) -> Event | None:
    kind = _KINDS.get(str(found.get("event")))
    if kind is None:
        return None
    known = {key: value for key, value in found.items() if key in kind.__dataclass_fields__}
    try:
        known["time"] = float(known["time"])
        if "nodes" in known:
            known["nodes"] = tuple(NodePlan(str(one["node"]), _words(one["steps"])) for one in known["nodes"])
        if "waits" in known:
            known["waits"] = tuple(Wait(str(one["what"]), float(one["seconds"])) for one in known["waits"])
        if kind is Planned:
            known.setdefault("nodes", ())
        return t.cast("Event", kind(**known))
    except (KeyError, TypeError, ValueError):
        return None


def _words(given: t.Iterable[t.Any]) -> tuple[str, ...]:
    return tuple(str(one) for one in given)


# -- what a task's result may carry

CLUSTER = "cluster"  # the row of steps that belong to no node


def as_plan(steps: t.Iterable[tuple[str, str]]) -> list[dict[str, t.Any]]:
    """`rollout_plan` from pairs of node and step, in the order in which they will be taken."""
    found: dict[str, list[str]] = {}
    for node, step in steps:
        found.setdefault(node or CLUSTER, []).append(step)
    return [{"node": node, "steps": list(dict.fromkeys(names))} for node, names in found.items()]


def plan_in(result: t.Mapping[str, t.Any]) -> tuple[NodePlan, ...]:
    """`rollout_plan` of a result: a list of {node, steps}."""
    given = result.get("rollout_plan")
    if not isinstance(given, (list, tuple)):
        return ()
    return tuple(
        NodePlan(str(one["node"]), _words(one["steps"]))
        for one in given
        if isinstance(one, t.Mapping) and one.get("node") and isinstance(one.get("steps"), (list, tuple))
    )


def facts_in(result: t.Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    """`rollout_facts` of a result: {before: {name: value}, after: {…}}, either or both."""
    given = result.get("rollout_facts")
    if not isinstance(given, t.Mapping):
        return {}
    return {
        when: {str(name): _text(value) for name, value in given[when].items()}
        for when in (BEFORE, AFTER)
        if isinstance(given.get(when), t.Mapping)
    }


def waits_in(result: t.Mapping[str, t.Any], what: str, seconds: float) -> tuple[Wait, ...]:
    """`rollout_waits` of a result ({what: seconds}), of its items too; else all of it, if the task is one long wait."""
    found: dict[str, float] = {}
    items = result.get("results")
    for one in (result, *(items if isinstance(items, (list, tuple)) else ())):
        given = one.get("rollout_waits") if isinstance(one, t.Mapping) else None
        for name, value in given.items() if isinstance(given, t.Mapping) else ():
            if isinstance(value, (int, float)) and value > 0:
                found[str(name)] = found.get(str(name), 0.0) + float(value)
    if not found and what and seconds > 0:
        found[what] = seconds
    return tuple(Wait(name, round(value, 3)) for name, value in found.items())


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
