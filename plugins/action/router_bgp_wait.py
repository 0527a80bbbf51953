# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a router's sessions and routes are as they should be, says how far they are, and why they are not."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import UNIFI, from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config, masked
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_plan import differing, owner_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.frr_scripts import RUNNING
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import RouterReader, View
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_wait import Goal, goal_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_readers
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import RawHost, must

Result = dict[str, t.Any]
SETTLING = 30.0


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({
        "established", "gone_next_hops", "present_next_hops", "prefixes", "timeout", "description",
    })  # fmt: skip

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = t.cast("Result", super().run(tmp, task_vars))
        variables, given = task_vars or {}, plain(self._task.args)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is waited for in check mode"}
        goal, name = goal_of(given), router_readers.router_name(self, variables)
        try:
            warnings = self._settled(name, variables, given)
            reader = router_readers.reader_for(self, variables, [item.neighbor for item in goal.established])
            told = waited(name, goal, reader, float(given.get("timeout") or 60))
            return {**result, "changed": False, "warnings": warnings, **told}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(name).fail_args()}

    def _settled(self, name: str, variables: dict[str, t.Any], given: dict[str, t.Any]) -> list[str]:
        """A gateway takes a file over some time after it has stored it: until then its sessions are the former ones."""
        bgp = from_dict(given.get("description") or {"cluster": "", "asn": 0})
        router = bgp.router(name)
        if router is None or router.kind != UNIFI or not router_readers.with_ssh(variables["hostvars"][name]):
            return []
        text, owner = config(bgp, router), owner_of(bgp, router)
        shell = RawHost(self)

        def look() -> set[t.Any]:
            return differing(must(shell, "FRR's running configuration", RUNNING, hide=masked), text, owner)

        left, end = look(), CLOCK.now() + SETTLING
        while left and CLOCK.now() < end:
            CLOCK.sleep(1.0)
            left = look()
        lines = ", ".join(sorted(masked(line) for _context, line in left)[:5])
        return [f"{name}: {SETTLING:.0f} s after it stored the file, its FRR differs from it: {lines}"] if left else []


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
