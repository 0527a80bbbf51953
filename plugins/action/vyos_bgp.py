# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP of a VyOS router. Runs on the controller, so that what it returns is not stripped of passwords."""

from __future__ import annotations

import typing as t

from ansible.module_utils.connection import Connection
from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model, client_vyos, vyos_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_vyos import masked, typed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Https
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import router_arguments
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.router_arguments import TEXT

HTTP, NETWORK_CLI = "http", "network_cli"
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **router_arguments.ARGUMENTS,
    "transport": {"type": "str", "default": HTTP, "choices": [HTTP, NETWORK_CLI]},
    "key": {**TEXT, "no_log": True},
    "confirm_minutes": {"type": "int", "default": 2},
    "unsaved": {"type": "bool", "default": True},
}
Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = t.cast("Result", super().run(tmp, task_vars))
        _, given = self.validate_argument_spec(ARGUMENTS, required_if=router_arguments.REQUIRED_IF)
        given = plain(given)
        try:
            return {**result, **self._bring(given)}
        except vyos_run.Failed as error:
            return {**result, "failed": True, "former": _listed(error.former), **error.fail_args()}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(str(given["router"])).fail_args()}

    def _bring(self, given: Result) -> Result:
        bgp = bgp_model.from_dict(given["description"])
        router = bgp.router(given["router"])
        if router is None:
            raise MeshwrightError(
                "the router", seen="not in the description", wanted=", ".join(item.name for item in bgp.routers),
                remedy="give the name that the inventory has",
            )
        if given["state"] == "rendered":
            want = vyos_run.wanted(bgp, router)
            return {"changed": False, "rendered": "\n".join(typed(want)), "masked": "\n".join(masked(want))}
        run = vyos_run.Run(self._device(given, bgp, router), bgp, router, bool(self._task.check_mode))
        return _told(vyos_run.bring(run, given["state"], given))

    def _device(self, given: Result, bgp: bgp_model.Bgp, router: bgp_model.Router) -> client_vyos.Device:
        passwords = [item.password for item in bgp.routers]
        if given["transport"] == NETWORK_CLI:
            return client_vyos.Cli(Connection(self._connection.socket_path), router.name, passwords)
        https = Https(
            given["url"], host=router.name, name="the VyOS API", ca_path=given["ca_path"],
            fingerprint=given["fingerprint"], secrets=(given["key"], *passwords), timeout=float(given["timeout"]),
        )
        return client_vyos.Http(https, given["key"], router.version)


def _told(outcome: vyos_run.Outcome) -> Result:
    return {
        "changed": outcome.changed,
        "diff": dict(outcome.diff),
        "former": _listed(outcome.former),
        "pending": outcome.pending,
        "warnings": list(outcome.warnings),
    }


def _listed(paths: t.Iterable[t.Sequence[str]]) -> Result:
    return {"paths": [list(path) for path in paths]}
