"""A clock that only waiting moves, for what also happens meanwhile."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import Clock


class Turned(Clock):
    time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.turn()

    def turn(self) -> None:
        """What happens whenever somebody has waited."""
