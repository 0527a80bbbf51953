"""Which hosts a lab has: read from tests/lab/topologies/."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from meshlab.errors import LabError

DIRECTORY = Path(__file__).parent.parent / "topologies"
ROLES = ("server", "agent", "files")


@dataclass(frozen=True)
class HostSpec:
    name: str
    role: str
    address: int  # the last octet, so that a host has the same one in every lab


@dataclass(frozen=True)
class Topology:
    name: str
    hosts: tuple[HostSpec, ...]
    ipv6: bool = False

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
    _check(name, hosts)
    return Topology(name, hosts, content.get("ipv6", False))


def _check(name: str, hosts: tuple[HostSpec, ...]) -> None:
    for what in ("name", "address"):
        values = [getattr(host, what) for host in hosts]
        if len(values) != len(set(values)):
            raise LabError(f"topology {name}: two hosts have the same {what}")
    for host in hosts:
        if host.role not in ROLES:
            raise LabError(f"topology {name}: host {host.name} has role {host.role}; known are {', '.join(ROLES)}")
        if not 2 <= host.address <= 254:
            raise LabError(f"topology {name}: host {host.name} has address {host.address}; 2 to 254 are for hosts")


def ip_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    return str(subnet.network_address + address)


def subnet6_of(subnet: ipaddress.IPv4Network) -> str:
    """Unique local addresses that go with the IPv4 subnet."""
    packed = subnet.network_address.packed
    return f"fd4d:{packed[0]:x}{packed[1]:02x}:{packed[2]:x}::/64"


def ip6_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    return str(ipaddress.IPv6Network(subnet6_of(subnet)).network_address + address)


def mac_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    """Made from the address: a host that was killed and started again keeps it, as a real one does."""
    octets = (subnet.network_address + address).packed
    return "02:4d:" + ":".join(f"{octet:02x}" for octet in octets)
