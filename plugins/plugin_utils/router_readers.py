# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks at a router, and through what: decided by the router's kind and its own variables.

An action that is delegated to a router has that router's connection; its variables are in hostvars under its name.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.connection import Connection
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_vyos, router_view
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import FRR, IPV4, IPV6, UNIFI, VYOS
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_http import Https
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view import RouterReader, View
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.router_view_vyos import VyosReader
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.collect import plain
from ansible_collections.meshwright.k3s_cilium.plugins.plugin_utils.raw_host import RawHost, Shell

KINDS = (UNIFI, VYOS, FRR)
BLIND = "a UniFi gateway shows its sessions over SSH alone, and bgp_unifi_ssh is off"

_MARK = "==meshwright:"
_VTYSH = (
    ("summary", "show bgp summary json"),
    ("neighbors", "show bgp neighbors json"),
)
_TABLE = "vtysh -c 'show bgp {family} unicast json detail'"
_LATELY = 20  # seconds of the log: as long as nodes take between attempts, and not what was before the change
_PLAIN_TABLE = "vtysh -c 'show bgp {family} unicast json'"


class FrrReader:
    """FRR and the kernel below it, in one go: everything is of one moment."""

    def __init__(self, shell: Shell, addresses: t.Iterable[str] = ()) -> None:
        self._shell, self._addresses = shell, tuple(addresses)

    def run_view(self) -> View:
        said = self._shell.run(script(self._addresses))
        parts = sections(said.out)
        if said.code or not parts.get("summary", "").strip():
            told = " ".join(said.err.split())[-200:]
            raise Unreachable("FRR on the router", seen=f"silent ({told})", wanted="its JSON")
        return view_of(parts)


def script(addresses: t.Iterable[str]) -> str:
    lines = ["PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin"]
    for name, command in _VTYSH:
        lines += [f"echo; echo '{_MARK}{name}'", f"vtysh -c '{command}'"]
    for family in (IPV4, IPV6):
        lines += [
            f"echo; echo '{_MARK}{family}'",
            f"r=$({_TABLE.format(family=family)}) && case $r in *Unknown*) {_PLAIN_TABLE.format(family=family)};; "
            "*) printf '%s\\n' \"$r\";; esac",  # echo would make line ends of the JSON's own \\n
        ]
    lines += [f"echo; echo '{_MARK}netstat'", "cat /proc/net/netstat"]
    lines += [f"echo; echo '{_MARK}log'", f"journalctl -q -t bgpd --since=-{_LATELY}s -o cat -n 300 2>/dev/null"]
    lines += [f"echo; echo '{_MARK}tcp'", "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null"]
    lines.append(f"echo; echo '{_MARK}paths'")
    lines += [
        f"ip route get {address} >/dev/null 2>&1; echo \"{address}|$?|$(ip neigh show to {address} 2>/dev/null)\""
        for address in addresses
    ]
    return "\n".join([*lines, "exit 0"])


def sections(text: str) -> dict[str, str]:
    parts = (part.partition("\n") for part in text.split(_MARK)[1:])
    return {name.strip(): body for name, _, body in parts}


def view_of(parts: t.Mapping[str, str]) -> View:
    md5 = router_view.md5_of(parts.get("netstat", ""))
    ports = router_view.ports_of(parts.get("tcp", ""))
    return View(
        peers=router_view.peers_of(parts["summary"], parts.get("neighbors", "")),
        routes=tuple(
            route for family in (IPV4, IPV6) for route in router_view.routes_of(parts.get(family, ""), family)
        ),
        md5_failures=None if md5 is None else md5.failure,
        md5=md5,
        ports=ports or None,
        paths=router_view.paths_of(parts.get("paths", "")),
        refusals=router_view.refusals_of(parts.get("log", "")),
    )


class BlindReader:
    """For a router that cannot be asked: it says so, instead of pretending that all is well."""

    def run_view(self) -> View:
        return View(can_look=False, why_not=BLIND)


def router_name(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> str:
    return str(action._task.delegate_to or task_vars["inventory_hostname"])


def with_ssh(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether Ansible's own connection reaches a UniFi gateway."""
    return bool(boolean(plain(variables.get("bgp_unifi_ssh", False)), strict=False))


def reader_for(action: t.Any, task_vars: t.Mapping[str, t.Any], addresses: t.Iterable[str] = ()) -> RouterReader:
    name = router_name(action, task_vars)
    groups = task_vars.get("groups", {})
    kind = next((kind for kind in KINDS if name in groups.get(kind, ())), "")
    variables = task_vars["hostvars"][name]
    if kind == VYOS:
        return VyosReader(_vyos(action, name, variables))
    if kind == UNIFI and not with_ssh(variables):
        return BlindReader()
    if kind:
        return FrrReader(RawHost(action), addresses)
    raise MeshwrightError(
        "the router", host=name, seen="in none of the groups " + ", ".join(KINDS), wanted="in one of them",
        remedy="put it there; the group says what kind of router it is",
    )  # fmt: skip


def _vyos(action: t.Any, name: str, variables: t.Mapping[str, t.Any]) -> client_vyos.Device:
    def text(key: str, default: str = "") -> str:
        return str(plain(variables.get(f"bgp_vyos_{key}", default)) or default)

    if text("transport", "http") == "network_cli":
        return client_vyos.Cli(Connection(action._connection.socket_path), name)
    https = Https(
        text("url"), host=name, name="the VyOS API", ca_path=text("ca_path"), fingerprint=text("fingerprint"),
        secrets=(text("key"),),
    )  # fmt: skip
    return client_vyos.Http(https, text("key"), text("version"))
