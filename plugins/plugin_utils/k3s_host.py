# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host's k3s from an action: the files come over with their secrets, and leave this file only masked."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_files
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.k3s_config_plan import (
    STAGE_KEY,
    Have,
    restart_reasons,
)
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import silent

Raw = dict[str, t.Any]


def execute(action: t.Any, module: str, arguments: Raw, task_vars: t.Any, absent: str = "") -> Raw:
    """Run a module on the host; nothing of its answer is shown, at no verbosity.

    A failure that says `absent` is an empty answer.
    """
    with silent(action):
        answer = plain(action._execute_module(module, module_args=arguments, task_vars=task_vars))
    if absent and answer.get("failed") and absent in str(answer.get("msg")):
        return {}
    if isinstance(answer.get("error"), dict):
        told = answer["error"]
        raise MeshwrightError(
            told["thing"], host=told["host"], seen=told["seen"], wanted=told["wanted"], remedy=told["remedy"]
        )
    if answer.get("failed") or answer.get("unreachable"):
        raise AnsibleActionFail(str(answer.get("msg", "the module ended without an answer")), result=answer)
    return t.cast("Raw", answer)


def observe(action: t.Any, role: str, task_vars: t.Any, brief: bool = False) -> Raw:
    arguments = {"role": role, "brief": brief}
    return t.cast("Raw", execute(action, "meshwright.k3s_cilium.k3s_info", arguments, task_vars)["raw"])


def have_of(raw: Raw) -> Have:
    return Have(
        files=raw["files"],
        started=raw["started"],
        registries=raw["registries"],
        started_registries=raw["started_registries"],
        datastore=raw["datastore_initialised"],
        active_state=raw["service"]["active_state"],
        unit_changed=raw["unit_changed"],
        binary_changed=raw["binary_changed"],
    )


def info_of(raw: Raw, role: str) -> Raw:
    """What the module k3s_info answers: everything that was seen, secrets masked."""
    have = have_of(raw)
    config = k3s_files.effective(have.files)
    started = None if have.started is None else k3s_files.effective(have.started)
    service = dict(raw["service"])
    service["active"] = service["active_state"] == "active"
    service["binary_running_is_installed"] = not raw["binary_changed"]
    same = (
        "installed", "datastore_initialised", "ca_hash", "etcd", "joined", "cni", "addresses", "hostname", "machine",
        "resolved",
    )  # fmt: skip
    reasons = restart_reasons(have, config, have.registries, server=role == "server")
    return {
        **{key: raw[key] for key in same},
        "service": service,
        "node_name": str(config.get("node-name") or raw["hostname"]).lower(),
        "kube_proxy": not k3s_files.same(config.get(STAGE_KEY, False), True),
        "config": {"effective": k3s_files.masked(config), "files": list(have.files)},
        "started_config": None if started is None else k3s_files.masked(started),
        "restart_reasons": list(reasons),
    }
