# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as the judges see it: plain values, already templated."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class Host:
    name: str
    groups: frozenset[str]
    address: str  # how Ansible reaches it: a name or an address
    written: t.Mapping[str, t.Any] = field(default_factory=dict)  # what somebody wrote in the inventory
    defaults: t.Mapping[str, t.Any] = field(default_factory=dict)  # the roles' own values
    unreadable: t.Mapping[str, str] = field(default_factory=dict)  # variable → why it has no value

    @property
    def is_server(self) -> bool:
        return "server" in self.groups

    def get(self, name: str, default: t.Any = None) -> t.Any:
        value = self.written.get(name)
        if value is None:
            value = self.defaults.get(name)
        return default if value is None else value


@dataclass(frozen=True)
class Inventory:
    hosts: tuple[Host, ...]
    existing: frozenset[str] = frozenset()  # paths named by the inventory that are on the controller
    routers: tuple[Host, ...] = ()  # no hosts of the cluster: who judges `hosts` does not meet them

    @property
    def servers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.is_server)

    @property
    def members(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.groups & {"server", "agent"})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)

    def host(self, name: str) -> Host | None:
        return next((host for host in self.hosts if host.name == name), None)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """A value of the whole cluster, as the first server has it; the judge of agreement sees to the others."""
        for host in self.servers or self.hosts:
            return host.get(name, default)
        return default

    def is_written(self, name: str) -> bool:
        return any(host.written.get(name) is not None for host in self.hosts)

    def text(self, name: str) -> str:
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def mapping(self, name: str) -> t.Mapping[str, t.Any]:
        value = self.get(name)
        return value if isinstance(value, dict) else {}


def words(value: t.Any) -> tuple[str, ...]:
    """A comma list, a list, or nothing, as k3s takes them."""
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(part).strip() for part in parts if str(part).strip())


def networks(value: t.Any) -> tuple[Network, ...]:
    """The networks that can be read from a comma list; what cannot be is the CIDR judge's to say."""
    found = []
    for word in words(value):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            continue
    return tuple(found)


def address(text: t.Any) -> Address | None:
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None


def number(value: t.Any) -> int | None:
    """A whole number, also when the command line gave it as text."""
    if isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def truth(value: t.Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "on", "1")
