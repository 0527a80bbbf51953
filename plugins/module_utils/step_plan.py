# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plans of long ways have in common: steps in phases, of nodes in batches, told to people. Pure."""

from __future__ import annotations

import typing as t


class Taken(t.Protocol):
    """A step, as far as plans and people care."""

    @property
    def phase(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def why(self) -> str: ...


S = t.TypeVar("S", bound=Taken)


class StepPlan(t.Generic[S]):
    """For a dataclass with `steps`, in the order in which they are taken."""

    steps: tuple[S, ...]

    @property
    def phases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.phase for step in self.steps))

    def batches(self, phase: str) -> tuple[tuple[str, ...], ...]:
        """The nodes of a phase, those together that are in work together."""
        found: dict[int, dict[str, None]] = {}
        for step in self.steps:
            if step.phase == phase and step.node:
                found.setdefault(step.batch, {})[step.node] = None
        return tuple(tuple(names) for names in found.values())

    def of(self, node: str, phase: str = "") -> tuple[S, ...]:
        return tuple(step for step in self.steps if step.node == node and phase in ("", step.phase))

    def ahead(self) -> str:
        return f"{len(self.steps)} steps ahead" if self.steps else "nothing left to do"

    def lines(self) -> list[str]:
        """Each step with its reason, under its phase."""
        found: list[str] = []
        for phase in self.phases:
            found.append(f"{phase}:")
            own = [step for step in self.steps if step.phase == phase]
            found += [f"  {number:>3}. {step.what} ({step.why})" for number, step in enumerate(own, 1)]
        return found


def play(batches: t.Sequence[t.Sequence[str]], hosts: t.Mapping[str, str], first: str) -> dict[str, t.Any]:
    """A play's hosts and how many of them are in work together; without nodes it is that of `first`."""
    if not batches:
        return {"hosts": [first], "serial": [1]}
    return {"hosts": [hosts[name] for batch in batches for name in batch], "serial": [len(batch) for batch in batches]}
