# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods a change of the chart or its values restarts, read off the manifests of both sides. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible.module_utils.common.yaml import yaml_load_all

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object

_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
_SHOWN = 8

Key = tuple[str, str]


@dataclass(frozen=True)
class Effect:
    """Sentences for people, in the order in which they matter."""

    restarts: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()  # changed, and read by pods that restart
    config_only: tuple[str, ...] = ()  # changed, and not read before somebody restarts the pods
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        return (
            *(f"restarts {text}" for text in self.restarts),
            *(f"changes {text}" for text in self.settings),
            *(f"changes {text}; no pod reads it before its next restart" for text in self.config_only),
            *(f"adds {text}" for text in self.added),
            *(f"removes {text}" for text in self.removed),
        )


def compare(have: str, want: str) -> Effect:
    """What the change from one manifest to the other does to pods that run."""
    old, new = _objects(have), _objects(want)
    both = sorted(old.keys() & new.keys())
    restarted = [key for key in both if key[0] in _WORKLOADS and _template(old[key]) != _template(new[key])]
    configured = [key for key in both if key[0] == "ConfigMap" and old[key].get("data") != new[key].get("data")]
    read = [key for key in configured if any(_mentions(new[user], key[1]) for user in restarted)]
    return Effect(
        tuple(_restart(old[key], new[key]) for key in restarted),
        tuple(_setting(old[key], new[key]) for key in read),
        tuple(_setting(old[key], new[key]) for key in configured if key not in read),
        _named(new.keys() - old.keys()),
        _named(old.keys() - new.keys()),
    )


def _restart(old: Object, new: Object) -> str:
    changed = _differences(_template(old), _template(new))
    return f"{new['kind']} {new['metadata']['name']}{_pace(new)}: {_some(changed)}"


def _setting(old: Object, new: Object) -> str:
    return f"ConfigMap {new['metadata']['name']}: {_some(_differences(old.get('data'), new.get('data')))}"


def _mentions(workload: Object, name: str) -> bool:
    """Whether its pods mount the ConfigMap or take their environment from it."""
    return f'"{name}"' in json.dumps(_template(workload))


def _objects(manifest: str) -> dict[Key, Object]:
    """Workloads and ConfigMaps; Secrets carry certificates that differ with each rendering."""
    return {
        (document["kind"], document["metadata"]["name"]): document
        for document in yaml_load_all(manifest)
        if isinstance(document, dict) and document.get("kind") in (*_WORKLOADS, "ConfigMap")
    }


def _template(workload: Object) -> t.Any:
    return workload.get("spec", {}).get("template")


def _pace(workload: Object) -> str:
    if workload["kind"] != "DaemonSet":
        return ""
    strategy = workload["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return " (only pods that are deleted by hand)"
    most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    return f" (on all its nodes, {'one' if most == 1 else most} at a time)"


def _differences(old: t.Any, new: t.Any, path: str = "") -> list[str]:
    """The paths of what differs, so that a person sees what the change is."""
    if isinstance(old, dict) and isinstance(new, dict):
        stem = f"{path}." if path else ""
        keys = sorted(old.keys() | new.keys(), key=str)
        return [found for key in keys for found in _differences(old.get(key), new.get(key), f"{stem}{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new))
        return [found for at, (one, other) in pairs for found in _differences(one, other, f"{path}[{at}]")]
    return [] if old == new else [path or "all"]


def _some(paths: t.Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def _named(keys: t.Iterable[Key]) -> tuple[str, ...]:
    return tuple(f"{kind} {name}" for kind, name in sorted(keys))
