# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as a document: what docs/rollout-report.schema.json describes. Pure.

All times are seconds since the run's begin.
"""

from __future__ import annotations

import bisect
import typing as t
from datetime import datetime, timezone

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_events import (
    AFTER,
    BEFORE,
    CLUSTER,
    SKIPPED,
    Ended,
    from_line,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.rollout_state import CUT, Node, Rollout, Step, fold
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW, Probe

VERSION = 1
SLICES = 240  # of a run, for the course of the latencies
Document = dict[str, t.Any]


def from_lines(lines: t.Sequence[str], title: str = "") -> Document:
    """The document from the lines of the callback and of the probes, in one file or several."""
    events = sorted((event for event in map(from_line, lines) if event is not None), key=lambda event: event.time)
    probes = run_probes.read(lines)
    heard = [event.time for event in events] + [time for probe in probes for time in _times(probe)]
    if not heard:
        raise MeshwrightError(
            "the rollout's log", seen="without any event", wanted="lines as the callback rollout writes them",
            remedy="enable meshwright.k3s_cilium.rollout with log_path, and run the playbook",
        )  # fmt: skip
    seen = fold(events)
    # A run that was cut off: nothing lasted longer than the last word.
    if seen.ended is None or any(node.last is not None and not node.last.over for node in seen.nodes.values()):
        seen = fold([Ended(max(heard), True)], seen)
        return document(seen, probes, title, heard, result=CUT)
    return document(seen, probes, title, heard)


def _times(probe: Probe) -> list[float]:
    said = [time for time in (probe.begin, probe.end) if time is not None]
    return [*said, *(sample.time for sample in probe.samples)]


def document(
    seen: Rollout, probes: t.Sequence[Probe], title: str, heard: t.Sequence[float], result: str = ""
) -> Document:
    # A step whose beginning nobody told of may have begun before the first word.
    zero = min([*heard, *(step.begin for node in seen.nodes.values() for step in node.steps)])
    end = max(heard)
    busy = sorted((step.begin, node.name) for node in seen.nodes.values() for step in node.steps)
    nodes = [_node(node, zero, busy) for node in seen.nodes.values()]
    shown = [_probe(probe, zero, end, nodes) for probe in probes]
    return {
        "version": VERSION,
        "title": title or seen.playbook or "Rollout",
        "playbook": seen.playbook,
        "check": seen.check,
        "began": datetime.fromtimestamp(zero, timezone.utc).isoformat(timespec="seconds"),
        "seconds": _round(end - zero),
        "slice": round((end - zero) / SLICES, 6),
        "result": result or ("failed" if seen.failed else "ok"),
        "runs": max(1, seen.runs),
        "totals": _totals(nodes, shown),
        "nodes": nodes,
        "probes": shown,
        "facts": _facts(seen.facts),
    }


def _round(seconds: float) -> float:
    return round(seconds, 3)


# -- nodes


def _node(node: Node, zero: float, busy: t.Sequence[tuple[float, str]]) -> Document:
    steps = [_step(step, zero) for step in node.steps]
    between = _between(node, busy)
    waits: dict[str, float] = {}
    for step in steps:
        for wait in step["waits"]:
            waits[wait["what"]] = waits.get(wait["what"], 0.0) + wait["seconds"]
    return {
        "name": node.name,
        "state": node.state(ended=True),
        "steps": steps,
        "seconds": _round(sum(step["seconds"] for step in steps) + between),
        "own": _round(sum(step["own"] for step in steps) + between),
        "between": _round(between),
        "waits": [{"what": what, "seconds": _round(seconds)} for what, seconds in waits.items()],
        "left": list(node.left),
    }


def _step(step: Step, zero: float) -> Document:
    took = step.took
    waited = sum(wait.seconds for wait in step.waits)
    shrink = min(1.0, took / waited) if waited else 1.0  # tasks of one step may have waited at the same time
    return {
        "name": step.name,
        "begin": _round(step.begin - zero),
        "end": _round(step.begin + took - zero),
        "seconds": _round(took),
        "own": _round(max(0.0, took - waited)),
        "status": step.status,
        "waits": [{"what": wait.what, "seconds": _round(wait.seconds * shrink)} for wait in step.waits],
        "tasks": list(step.tasks),
        "message": step.message,
    }


def _between(node: Node, busy: t.Sequence[tuple[float, str]]) -> float:
    """Time between its steps, up to the moment at which another node's turn begins."""
    total = 0.0
    for step, following in zip(node.steps, node.steps[1:]):
        begin = step.begin + step.took
        total += max(0.0, min(following.begin, _turn(node.name, begin, busy, following.begin)) - begin)
    return total


def _turn(name: str, begin: float, busy: t.Sequence[tuple[float, str]], end: float) -> float:
    for time, other in busy[bisect.bisect_left(busy, (begin, "")) :]:
        if time >= end:
            break
        if other != name:
            return time
    return end


# -- probes


def _probe(probe: Probe, zero: float, end: float, nodes: t.Sequence[Document]) -> Document:
    verdict = run_probes.judge(probe, end)
    return {
        "name": probe.name,
        "kind": probe.kind,
        "target": probe.target,
        "interval": probe.interval,
        "sent": verdict.sent,
        "failed": verdict.failed,
        "missing": verdict.missing,
        "longest_gap": _round(verdict.longest_gap),
        "latency": {"median": _some(verdict.median), "p99": _some(verdict.p99), "most": _some(verdict.most)},
        "failures": [
            {
                "begin": _round(failure.begin - zero),
                "end": _round(failure.end - zero),
                "count": failure.count,
                "missing": failure.missing,
                "errors": [{"error": error, "count": count} for error, count in failure.errors],
                "during": _during(nodes, failure.begin - zero, failure.end - zero),
            }
            for failure in verdict.failures
        ],
        "course": [
            {
                "at": _round(bucket.begin - zero),
                "sent": bucket.sent,
                "failed": bucket.failed,
                "median": _some(bucket.median),
                "most": _some(bucket.most),
            }
            for bucket in run_probes.buckets(probe, zero, end, SLICES)
        ],
    }


def _some(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 5)


def _during(nodes: t.Sequence[Document], begin: float, end: float) -> list[str]:
    """Which nodes were at which steps, meanwhile."""
    return [
        f"{node['name']}: {step['name']}"
        for node in nodes
        for step in node["steps"]
        if step["begin"] <= end and step["end"] >= begin and step["status"] != SKIPPED
    ]


def _totals(nodes: t.Sequence[Document], probes: t.Sequence[Document]) -> Document:
    def of(kind: str) -> Document:
        chosen = [probe for probe in probes if probe["kind"] == kind]
        return {
            "probes": len(chosen),
            "sent": sum(probe["sent"] for probe in chosen),
            "failed": sum(probe["failed"] for probe in chosen),
            "longest_gap": max((probe["longest_gap"] for probe in chosen), default=0.0),
        }

    members = [node for node in nodes if node["name"] != CLUSTER]
    return {
        "nodes": len(members),
        "done": sum(node["state"] == "done" for node in members),
        "failed": sum(node["state"] == "failed" for node in nodes),
        "own_most": max((node["own"] for node in members), default=0.0),
        NEW: of(NEW),
        ESTABLISHED: of(ESTABLISHED),
    }


def _facts(facts: t.Mapping[str, t.Mapping[str, str]]) -> list[Document]:
    before, after = facts.get(BEFORE, {}), facts.get(AFTER, {})
    return [
        {"name": name, "before": before.get(name), "after": after.get(name)}
        for name in dict.fromkeys([*before, *after])
    ]
