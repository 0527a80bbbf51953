# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's end of BGP on plain FRR, over the host's own connection and shell."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_render_frr
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import from_dict
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.frr_router import FrrRouter
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import RawHost

STATES = ("present", "absent", "rendered", "checked", "confirmed", "restored")


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"description", "router", "state", "former", "config_path", "confirm_seconds"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given = plain(self._task.args)
        name = str(given.get("router") or (task_vars or {}).get("inventory_hostname", ""))
        try:
            return {**result, **self._bring(name, given)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(name).fail_args()}

    def _bring(self, name: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        bgp = from_dict(given.get("description") or {})
        router, state = bgp.router(name), str(given.get("state") or "present")
        if router is None or state not in STATES:
            raise MeshwrightError(
                "router or state", seen=f"{name}, {state}",
                wanted=f"one of {', '.join(item.name for item in bgp.routers)}; one of {', '.join(STATES)}",
            )  # fmt: skip
        if state == "rendered":
            return {"changed": False, "pending": False, "rendered": bgp_render_frr.config(bgp, router)}
        path = str(given.get("config_path") or "/etc/frr/frr.conf")
        seconds = int(given.get("confirm_seconds", 120))
        device = FrrRouter(RawHost(self), bgp, router, path, seconds, check=bool(self._task.check_mode))
        if state == "restored":
            return device.restored(given.get("former") or {})
        return t.cast("dict[str, t.Any]", getattr(device, state)())
