# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what k3s_info saw on every server, and plans. Needs no host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import k3s_cluster
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, sentences
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import addresses
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"servers", "info", "initial_stage"})

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        given = plain(self._task.args)
        hostvars = (task_vars or {})["hostvars"]
        servers = [_server(str(name), hostvars[name], str(given.get("info"))) for name in given.get("servers") or ()]
        refused = k3s_cluster.refusals(servers)
        if refused:
            return {
                **result, "failed": True, "msg": sentences(refused), "errors": [error.as_dict() for error in refused],
            }  # fmt: skip
        try:
            plan = k3s_cluster.plan(servers, int(given.get("initial_stage") or 1))
        except MeshwrightError as error:
            return {**result, "failed": True, **error.fail_args()}
        Display().display("\n".join(told(plan)))
        return {**result, "changed": False, **answer(plan)}


def _server(name: str, variables: t.Any, info: str) -> k3s_cluster.Server:
    return server_of(name, addresses.for_nodes(name, variables), plain(variables.get(info)) or {})


def server_of(name: str, address: str, info: dict[str, t.Any]) -> k3s_cluster.Server:
    """From k3s_info's answer; a host that took no part has none."""
    if "service" not in info:
        return k3s_cluster.Server(name, address, seen=False)
    etcd = info.get("etcd") or {}
    return k3s_cluster.Server(
        name,
        address,
        datastore=bool(info["datastore_initialised"]),
        active=bool(info["service"]["active"]),
        node=str(info["node_name"]),
        ca_hash=str(info["ca_hash"]),
        cluster_id=str(etcd.get("cluster_id", "")),
        members=tuple(member["node"] for member in etcd.get("members", ()) if member["node"]),
        kube_proxy=bool(info["kube_proxy"]),
    )


def answer(plan: k3s_cluster.ClusterPlan) -> dict[str, t.Any]:
    return {
        "live": plan.live,
        "order": list(plan.order),
        "steps": {step.host: step.as_dict() for step in plan.steps},
        "kube_proxy": plan.kube_proxy,
        "agent_peers": list(plan.agent_peers),
        "helper": plan.helper,
    }


def told(plan: k3s_cluster.ClusterPlan) -> list[str]:
    steps = {step.host: step for step in plan.steps}
    lines = [f"Servers of {'the live' if plan.live else 'a new'} cluster, in this order:"]
    for host in plan.order:
        step = steps[host]
        through = f" through {step.peers[0]}" if step.action == k3s_cluster.JOIN and step.peers else ""
        forget = ", its old etcd member removed first" if step.forget else ""
        lines.append(f"  {host}: {step.action}{through}{forget}")
    return lines if plan.order else []
