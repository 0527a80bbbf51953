"""A clock that only waiting moves."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import Clock


class Turned(Clock):
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
