"""Writes what a run took, play by play, to the file that MESHWRIGHT_PHASES names."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: phases
type: aggregate
short_description: Durations of plays and tasks as JSON
description: For the benchmarks alone.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.plays: list[tuple[str, float]] = []
        self.tasks: list[tuple[str, float]] = []
        self.per_host: Counter[str] = Counter()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.plays.append((play.get_name(), time.monotonic()))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.tasks.append((task.get_name(), time.monotonic()))

    def v2_runner_on_ok(self, result: Any) -> None:
        self.per_host[result.host.get_name()] += 1

    def v2_playbook_on_stats(self, stats: Any) -> None:
        written = {
            "plays": _durations(self.plays),
            "tasks": _durations(self.tasks),
            "per_host": dict(self.per_host),
        }
        Path(os.environ["MESHWRIGHT_PHASES"]).write_text(json.dumps(written))


def _durations(starts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    ends = [start for _name, start in starts[1:]] + [time.monotonic()]
    return [(name, end - start) for (name, start), end in zip(starts, ends, strict=True)]
