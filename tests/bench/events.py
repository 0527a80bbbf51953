"""Reads the JSON lines of a playbook run: how long each play took, how many tasks each host ran."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Phase:
    """One play and the seconds until the next one began."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Profile:
    phases: tuple[Phase, ...]
    tasks: dict[str, int]  # by host, skipped ones not counted
    changed: dict[str, int]
    seconds: float

    @property
    def tasks_most(self) -> int:
        return max(self.tasks.values(), default=0)


def profile(lines: Iterable[str]) -> Profile:
    """What the events say; lines that are not events are passed over."""
    plays: list[tuple[str, datetime]] = []
    tasks: Counter[str] = Counter()
    changed: dict[str, int] = {}
    last = first = None
    for event in filter(None, map(_event, lines)):
        last = datetime.fromisoformat(event["_timestamp"])
        first = first or last
        kind = event["_event"]
        if kind == "v2_playbook_on_play_start":
            plays.append((event["play"]["name"], last))
        elif kind in ("v2_runner_on_ok", "v2_runner_on_failed"):
            tasks.update(event["hosts"].keys())
        elif kind == "v2_playbook_on_stats":
            changed = {host: stats["changed"] for host, stats in event["stats"].items()}
    if first is None or last is None:
        return Profile((), {}, {}, 0.0)
    ends = [start for _name, start in plays[1:]] + [last]
    phases = tuple(Phase(name, (end - start).total_seconds()) for (name, start), end in zip(plays, ends, strict=True))
    return Profile(phases, dict(tasks), changed, (last - first).total_seconds())


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if "_event" in event and "_timestamp" in event else None
