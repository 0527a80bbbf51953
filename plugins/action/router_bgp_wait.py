# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a router's sessions and routes are as they should be, says how far they are, and why they are not."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import RouterReader, View
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_wait import Goal, goal_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_readers
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"established", "gone_next_hops", "present_next_hops", "prefixes", "timeout"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = t.cast("Result", super().run(tmp, task_vars))
        variables, given = task_vars or {}, plain(self._task.args)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is waited for in check mode"}
        goal, name = goal_of(given), router_readers.router_name(self, variables)
        try:
            reader = router_readers.reader_for(self, variables, [item.neighbor for item in goal.established])
            return {**result, "changed": False, **waited(name, goal, reader, float(given.get("timeout") or 60))}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(name).fail_args()}


def waited(name: str, goal: Goal, reader: RouterReader, timeout: float, clock: Clock = CLOCK) -> Result:
    start, first, last = clock.now(), None, ""

    def look() -> View:
        nonlocal first
        view = reader.run_view()
        first = first or view
        return view

    def describe(view: View) -> str:
        return "; ".join(goal.missing(view, first))

    def done(view: View) -> bool:
        nonlocal last
        text = "; ".join(goal.missing(view)) if view.can_look else ""
        if text and text != last:
            Display().display(f"  {name}: {text}")
            last = text
        return not text

    view = wait_until(
        look, done, thing="BGP as the router sees it", wanted="as described", describe=describe, timeout=timeout,
        remedy=f"see `show bgp summary` on {name}, and `cilium bgp peers`", clock=clock,
    )  # fmt: skip
    return {"took": round(clock.now() - start, 1), "can_look": view.can_look, "why_not": view.why_not}
