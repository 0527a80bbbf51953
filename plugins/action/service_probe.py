# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans the probes on the controller, has the host's module run its part, and puts together what all have seen."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import probe_service, service_probe_plan
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_log import Parts, judged
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import HOST, OUTSIDE, POD, Pace
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_run import (
    There,
    Wish,
    bring_up,
    node_of_host,
    take_down,
)
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils import k3s_host
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain

Raw = dict[str, t.Any]
_PROBER = "meshwright.k3s_cilium.service_prober"


class ActionModule(ActionBase):
    _supports_check_mode = True
    _VALID_ARGS = frozenset({
        "kubeconfig", "state", "name", "log", "namespace", "image", "service", "path", "load_balancer", "node", "rate",
        "host_rate", "flows", "seconds", "settle", "timeout",
    })  # fmt: skip

    def run(self, tmp: t.Any = None, task_vars: Raw | None = None) -> Raw:
        result = t.cast("Raw", super().run(tmp, task_vars))
        variables = task_vars or {}
        host = str(plain(variables.get("inventory_hostname", "")))
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is asked in check mode"}
        try:
            given = _arguments(plain(self._task.args))
            act = {"started": self._started, "stopped": self._stopped, "absent": self._absent}[given["state"]]
            return {**result, **act(given, host, variables)}
        except MeshwrightError as error:
            return {**result, "failed": True, **error.with_host(host).fail_args()}

    def _started(self, given: Raw, host: str, variables: Raw) -> Raw:
        batch = [str(plain(name)) for name in variables.get("ansible_play_batch") or [host]]
        there = bring_up(Kube.from_kubeconfig(given["kubeconfig"]), wish_of(given), make=host == batch[0])
        node = given["node"] or node_of_host(there.nodes, self._names(host, variables))
        parts = parts_of(given, there, host, node)
        if not parts:
            raise MeshwrightError(
                "what this host could ask", seen="nothing", wanted="a way from it",
                remedy="from outside only a LoadBalancer's address or a NodePort is asked",
            )
        program = Path(probe_service.__file__).read_text(encoding="utf-8")
        answer = self._prober(given, variables, state="started", parts=parts, program=program)
        if answer["unsettled"]:
            self._prober(given, variables, state="absent")
            told = "; ".join(f"{one['probe']}: {one['error']}" for one in answer["unsettled"])
            raise MeshwrightError(
                "the cluster's traffic", seen=f"broken before anything was done ({told})", wanted="answers by all ways",
                remedy="see `ansible-playbook playbooks/validate.yml`, and that this host has a way to the addresses",
            )
        names = [str(probe["name"]) for part in parts for probe in part["spec"]["probes"]]
        return {"changed": bool(answer["changed"]), "probes": names}

    def _stopped(self, given: Raw, host: str, variables: Raw) -> Raw:
        answer = self._prober(given, variables, state="stopped")
        if not answer["logs"]:
            return {"changed": False}
        with Parts(given["log"]).writing(host) as part:
            for name, size in sorted(answer["logs"].items()):
                offset = 0
                while offset < size:
                    piece = self._prober(given, variables, state="read", part=name, offset=offset)
                    part.add(piece["data"])
                    offset = int(piece["offset"])
                part.end()
        self._prober(given, variables, state="absent")
        return {"changed": True}

    def _absent(self, given: Raw, _host: str, variables: Raw) -> Raw:
        changed = take_down(Kube.from_kubeconfig(given["kubeconfig"]), given["namespace"])
        parts = Parts(given["log"])
        wanted = [str(plain(name)) for name in variables.get("ansible_play_hosts_all", ())]
        unheard = [name for name in wanted if not parts.has(name)] if parts.any() else []
        brought = parts.gather()
        return {"changed": changed or brought, "unheard": unheard, **judged(parts.log)}

    def _names(self, host: str, variables: Raw) -> list[str]:
        """What this host is known by: its name, where it is reached, and what it registers with."""
        told = [host]
        for key in ("ansible_host", "k3s_node_ip"):
            value = self._templar.template(variables.get(key) or "")
            told += str(plain(value)).replace(" ", "").split(",")
        return told

    def _prober(self, given: Raw, variables: Raw, **arguments: t.Any) -> Raw:
        # One machine may be two hosts: a node, and the controller that asks from outside.
        host = str(plain(variables.get("inventory_hostname", ""))).replace("/", "_")
        return k3s_host.execute(self, _PROBER, {"name": f"{given['name']}.{host}", **arguments}, variables)


def _arguments(given: Raw) -> Raw:
    """With the defaults of the documentation."""
    found: Raw = {
        "state": "started", "name": "services", "namespace": "meshwright-probe", "service": "", "path": "", "node": "",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.57", "log": "", "kubeconfig": "",
    }  # fmt: skip
    found.update({key: value for key, value in given.items() if value is not None})
    for key in ("kubeconfig", *([] if found["state"] == "started" else ["log"])):
        if not found[key]:
            raise MeshwrightError(f"the option {key}", seen="missing", wanted="a path")
    if found["state"] not in ("started", "stopped", "absent"):
        raise MeshwrightError("the option state", seen=str(found["state"]), wanted="started, stopped or absent")
    if not str(found["name"]).replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise MeshwrightError("the option name", seen=repr(found["name"]), wanted="letters, digits, and . _ -")
    return found


def wish_of(given: Raw) -> Wish:
    return Wish(
        namespace=str(given["namespace"]), image=str(given["image"]), service=str(given["service"]),
        path=str(given["path"]), load_balancer=_yes(given.get("load_balancer", False)),
        timeout=float(given.get("timeout", 120)),
    )  # fmt: skip


def parts_of(given: Raw, there: There, host: str, node: str) -> list[Raw]:
    """The probers of one host. What is kept is kept from everywhere, whatever a node's own rate."""
    outside = "" if node else host
    found = service_probe_plan.ways(there.offered, there.names(), outside, flows=_yes(given.get("flows", True)))
    rate = float(given.get("rate", 20))
    rates = {OUTSIDE: rate, POD: rate, HOST: float(given.get("host_rate", rate))}
    pace = Pace(float(given.get("seconds", 7200)), rates, float(given.get("settle", 30)))
    places = {OUTSIDE} if outside else {POD, HOST}
    mine = [way for way in found if way.place in places]
    return service_probe_plan.parts(mine, node or host, there.pods, pace)


def _yes(value: t.Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "1", "on")
