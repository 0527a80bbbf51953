"""A helm that renders a small chart: as much of Cilium's as a plan reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Answer = tuple[int, str, str]


class FakeHelm:
    """`refuses`: what the chart does not take, in words; empty where it is well. `commands`: what was asked."""

    def __init__(self, refuses: Callable[[dict[str, Any]], str] = lambda _values: "") -> None:
        self.refuses = refuses
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> Answer:
        self.commands.append(command)
        values = yaml.safe_load(Path(command[command.index("--values") + 1]).read_text())
        why = self.refuses(values)
        return (1, "", f"Error: {why}") if why else (0, manifest(values), "")


def manifest(values: Mapping[str, Any]) -> str:
    data = settings(values)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    rolled = {"cilium.io/cilium-configmap-checksum": digest}
    notes = {**(rolled if values.get("rollOutCiliumPods") else {}), **(values.get("podAnnotations") or {})}
    return yaml.safe_dump_all([
        {"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": data},
        workload("DaemonSet", "cilium", notes),
        workload("Deployment", "cilium-operator", rolled),
    ])  # fmt: skip


def workload(kind: str, name: str, notes: Mapping[str, str]) -> dict[str, Any]:
    container = {"name": name, "envFrom": [{"configMapRef": {"name": "cilium-config"}}]}
    template = {"metadata": {"annotations": dict(notes)}, "spec": {"containers": [container]}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template}}


def settings(values: Mapping[str, Any]) -> dict[str, str]:
    """The stage's settings as Cilium 1.20's chart makes them, and one for each other value that is no workload's."""
    replaced = values["kubeProxyReplacement"] == "true"
    mode = (values.get("cni") or {}).get("chainingMode", "none")
    stage = {"kube-proxy-replacement": str(replaced).lower()}
    stage |= {"kube-proxy-replacement-healthz-bind-address": ""} if replaced else {}
    stage |= {"dnsproxy-enable-transparent-mode": "true"} if mode == "none" else {"cni-chaining-mode": mode}
    others = {key: value for key, value in values.items() if key not in _WORKLOADS}
    return {**dict(_leaves(others)), **stage}


_WORKLOADS = ("kubeProxyReplacement", "cni", "podAnnotations", "rollOutCiliumPods", "operator", "resources",
              "updateStrategy")  # fmt: skip


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", str(value)
