"""Which hosts a lab has: read from tests/lab/topologies/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshlab.errors import LabError
from meshlab.network import FAMILIES, IPV4

DIRECTORY = Path(__file__).parent.parent / "topologies"
NODES = ("server", "agent")
ROUTERS = ("unifi", "vyos", "frr")
ROLES = (*NODES, "files", *ROUTERS, "client")


@dataclass(frozen=True)
class HostSpec:
    name: str
    role: str
    address: int  # the last octet, so that a host has the same one in every lab
    version: str = ""  # which VyOS it is taken for


@dataclass(frozen=True)
class Topology:
    name: str
    hosts: tuple[HostSpec, ...]
    families: tuple[str, ...] = (IPV4,)
    variables: Mapping[str, Any] = field(default_factory=dict)  # of all its hosts

    @property
    def routers(self) -> tuple[HostSpec, ...]:
        return tuple(host for host in self.hosts if host.role in ROUTERS)

    @property
    def files_host(self) -> HostSpec | None:
        return next((host for host in self.hosts if host.role == "files"), None)


def load(name: str, directory: Path = DIRECTORY) -> Topology:
    path = directory / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in directory.glob("*.json")))
        raise LabError(f"topology {name}: not known; there are: {known}")
    content = json.loads(path.read_text())
    hosts = tuple(HostSpec(**entry) for entry in content["hosts"])
    families = tuple(content.get("families", [IPV4]))
    _check(name, hosts, families)
    return Topology(name, hosts, families, content.get("variables", {}))


def _check(name: str, hosts: tuple[HostSpec, ...], families: tuple[str, ...]) -> None:
    if not families or not set(families) <= set(FAMILIES):
        raise LabError(f"topology {name}: families are {list(families)}; known are {', '.join(FAMILIES)}")
    for what in ("name", "address"):
        values = [getattr(host, what) for host in hosts]
        if len(values) != len(set(values)):
            raise LabError(f"topology {name}: two hosts have the same {what}")
    for host in hosts:
        if host.role not in ROLES:
            raise LabError(f"topology {name}: host {host.name} has role {host.role}; known are {', '.join(ROLES)}")
        if bool(host.version) != (host.role == "vyos"):
            raise LabError(f"topology {name}: host {host.name}: a host of role vyos, and no other, has a version")
        if not 2 <= host.address <= 254:
            raise LabError(f"topology {name}: host {host.name} has address {host.address}; 2 to 254 are for hosts")
