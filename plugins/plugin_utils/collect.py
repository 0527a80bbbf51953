# SPDX-License-Identifier: GPL-3.0-or-later
"""From Ansible's variables of all hosts to the plain model that the judges read. The only part that knows Ansible."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleError

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.judge_spec import Option, parse_specs
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory, words

GROUPS = ("server", "agent", "k3s_cluster")  # in this order, so that a list of hosts begins with the servers
ROUTERS = "routers"
KINDS = ("unifi", "vyos", "frr")  # its children
ROLES = Path(__file__).absolute().parents[2] / "roles"

# Variables that may name files on the controller.
_PATHS = ("k3s_local_binary", "k3s_airgap_images", "cilium_chart", "bgp_unifi_ca_path", "bgp_vyos_ca_path")


@dataclass(frozen=True)
class Collected:
    inventory: Inventory
    known: t.Mapping[str, Option]
    prefixes: tuple[str, ...]


def collect(task_vars: t.Mapping[str, t.Any], templar: t.Any, loader: t.Any, roles: Path = ROLES) -> Collected:
    names = sorted(path.parent.parent.name for path in roles.glob("*/meta/argument_specs.yml"))
    known = parse_specs({name: _load(loader, roles / name / "meta/argument_specs.yml") for name in names})
    defaults: dict[str, t.Any] = {}
    for name in names:
        defaults.update(_load(loader, roles / name / "defaults/main.yml"))
    prefixes = tuple(f"{name}_" for name in names)
    groups = task_vars.get("groups", {})
    members = dict.fromkeys(host for group in GROUPS for host in groups.get(group, ()))
    hosts = tuple(_host(str(name), task_vars, templar, known, prefixes, defaults) for name in members)
    routers = tuple(
        _host(str(name), task_vars, templar, known, prefixes, defaults) for name in groups.get(ROUTERS, ())
    )
    return Collected(Inventory(hosts, _existing((*hosts, *routers)), routers), known, prefixes)


def _load(loader: t.Any, path: Path) -> dict[str, t.Any]:
    """A YAML file of ours; its templates are trusted, as those of a role are. `unsafe` means without a copy."""
    return (loader.load_from_file(str(path), unsafe=True, trusted_as_template=True) or {}) if path.is_file() else {}


def _host(
    name: str,
    task_vars: t.Mapping[str, t.Any],
    templar: t.Any,
    known: t.Mapping[str, Option],
    prefixes: tuple[str, ...],
    defaults: t.Mapping[str, t.Any],
) -> Host:
    hostvars, groups = task_vars["hostvars"], task_vars.get("groups", {})
    raw = hostvars.raw_get(name) if hasattr(hostvars, "raw_get") else hostvars[name]
    engine = templar.copy_with_new_env(available_variables={"hostvars": hostvars, **defaults, **raw})
    unreadable: dict[str, str] = {}

    def readable(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        found = {}
        for key in values:
            try:
                found[key] = plain(engine.template(values[key]))
            except (AnsibleError, ValueError) as error:
                unreadable[key] = _why(error)
        return found

    ours = {key: value for key, value in raw.items() if key in known or key.startswith(prefixes)}
    return Host(
        name=name,
        groups=frozenset(group for group in (*GROUPS, ROUTERS, *KINDS) if name in groups.get(group, ())),
        address=str(readable({"ansible_host": raw.get("ansible_host", name)}).get("ansible_host", name)),
        written=readable(ours),
        defaults=readable({key: value for key, value in defaults.items() if key not in ours}),
        unreadable=unreadable,
    )


def _why(error: BaseException) -> str:
    """The innermost reason, short: the outer ones repeat the template around it."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:119]}…"


def plain(value: t.Any) -> t.Any:
    """Without Ansible's tags, so that a message shows the value and nothing else."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, t.Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def _existing(hosts: t.Iterable[Host]) -> frozenset[str]:
    named = {path for host in hosts for name in _PATHS for path in words(host.get(name))}
    return frozenset(path for path in named if Path(path).expanduser().exists())
