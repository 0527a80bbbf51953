# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waited for on a router, and how far it is. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import (
    View,
    Wanted,
    diagnose,
    established,
    state_of,
)


@dataclass(frozen=True)
class Goal:
    established: tuple[Wanted, ...] = ()
    gone_next_hops: tuple[str, ...] = ()
    present_next_hops: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()  # those that the next hops are looked for at; none: all

    def missing(self, view: View, before: View | None = None) -> list[str]:
        """What is not yet as wanted, one clause each; with `before`, the view from the beginning, also why."""
        return [*self._sessions(view, before), *self._gone(view), *self._present(view)]

    def _sessions(self, view: View, before: View | None) -> list[str]:
        down = [item for item in self.established if not established(view, item.neighbor, item.family)]
        return [
            f"session with {item.neighbor} ({item.family}) is "
            + (diagnose(item, view, before) if before else state_of(item, view))
            for item in down
        ]

    def _gone(self, view: View) -> list[str]:
        here = view.next_hops(self.prefixes)
        return [f"routes by {hop} are still there" for hop in self.gone_next_hops if hop in here]

    def _present(self, view: View) -> list[str]:
        if not self.prefixes:
            here = view.next_hops()
            return [f"no route by {hop} is there" for hop in self.present_next_hops if hop not in here]
        return [
            f"no route to {prefix} by {hop} is there"
            for prefix in self.prefixes for hop in self.present_next_hops if hop not in view.next_hops((prefix,))
        ]  # fmt: skip


def goal_of(given: t.Mapping[str, t.Any]) -> Goal:
    return Goal(
        tuple(
            Wanted(str(item["neighbor"]), str(item["family"]), int(item.get("asn") or 0), int(item.get("port") or 179))
            for item in given.get("established") or ()
        ),
        *(tuple(map(str, given.get(key) or ())) for key in ("gone_next_hops", "present_next_hops", "prefixes")),
    )
