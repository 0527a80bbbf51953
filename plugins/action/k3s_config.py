# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the files from the host, plans here where there is a YAML library, and has the module write what differs."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_config_plan as planning
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_server_keys import for_agents
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"role", "config", "extra", "peers", "kube_proxy", "registries"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            return {**result, **self._bring(host, want_of(plain(self._task.args)), task_vars)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}

    def _bring(self, host: str, want: planning.Want, task_vars: t.Any) -> dict[str, t.Any]:
        raw = k3s_host.observe(self, "server" if want.server else "agent", task_vars, brief=True)
        have = k3s_host.have_of(raw)
        plan = planning.plan(have, want)
        misled = planning.misled(have, want, plan)
        if misled is not None:
            raise misled
        refused = planning.refusals(have, plan, host)
        if refused:
            return {"failed": True, "msg": sentences(refused), "errors": [error.as_dict() for error in refused]}
        for sentence in plan.overruled:
            Display().warning(f"{host}: {sentence}")
        if plan.writes and not self._task.check_mode:
            files = [{"path": write.path, "text": write.text} for write in plan.writes]
            k3s_host.execute(self, "meshwright.k3s_cilium.k3s_files", {"files": files}, task_vars)
        return {
            "changed": bool(plan.writes),
            "writes": [write.path for write in plan.writes],
            "diff": [_diff(write) for write in plan.writes],
            "restart_reasons": list(plan.restart_reasons),
            "kube_proxy": plan.kube_proxy,
            "overruled": list(plan.overruled),
        }


def want_of(arguments: dict[str, t.Any]) -> planning.Want:
    server = arguments.get("role", "server") == "server"
    if "config" not in arguments:
        more = sorted({"extra", "peers", "registries"} & set(arguments))
        if more or not server or arguments.get("kube_proxy") is None:
            raise MeshwrightError(
                "k3s_config", seen=f"without config, {'but with ' + more[0] if more else 'and without a stage'}",
                wanted="config, or a server's kube_proxy alone", remedy="give all keys, or none to set the stage only",
            )
        return planning.Want(None, kube_proxy=boolean(arguments["kube_proxy"]))
    config = {str(key): value for key, value in (arguments["config"] or {}).items()}
    extra, stage = arguments.get("extra") or {}, arguments.get("kube_proxy")
    config.update(extra if server else for_agents(extra))
    return planning.Want(
        config={key: None if value in ("", [], {}) else value for key, value in config.items()},
        peers=tuple(arguments.get("peers") or ()),
        kube_proxy=None if stage in (None, "") else boolean(stage),
        registries=arguments.get("registries") or {},
        server=server,
    )


def _diff(write: planning.Write) -> dict[str, str]:
    return {"before_header": write.path, "after_header": write.path, "before": write.before, "after": write.after}
