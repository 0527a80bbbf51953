# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts are, typed, as the judges read it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.model_inventory import Host, Inventory, number

Raw = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Process:
    pid: int
    comm: str
    unit: str  # of systemd; `pod` in a pod


@dataclass(frozen=True)
class Socket:
    protocol: str
    port: int
    address: str
    owner: Process


@dataclass(frozen=True)
class Link:
    name: str
    mtu: int
    addresses: tuple[str, ...] = ()  # with prefix length


@dataclass(frozen=True)
class Feature:
    state: str  # yes, no, unknown
    how: str


@dataclass(frozen=True)
class Disk:
    path: str
    free_mib: int
    free_inodes: int = 1
    has_inodes: bool = False


@dataclass(frozen=True)
class Clock:
    """Seconds since the epoch: the host's answer, and when the controller asked and got it."""

    sent: float
    answered: float
    received: float

    @property
    def bounds(self) -> tuple[float, float]:
        """How far the host is ahead of the controller: at least, at most."""
        return (self.answered - self.received, self.answered - self.sent)


@dataclass(frozen=True)
class Facts:
    host: str
    machine: str = "x86_64"
    kernel: str = "6.12.0"
    hostname: str = ""
    memory_mib: int = 4096
    cpus: int = 4
    swap: bool = False
    cgroup: str = "2"
    cgroup2: str = "/sys/fs/cgroup"
    controllers: tuple[str, ...] = ("cpu", "cpuset", "memory", "pids")
    bpffs: bool = True
    features: t.Mapping[str, Feature] = field(default_factory=dict)
    sockets: tuple[Socket, ...] = ()
    processes: tuple[Process, ...] = ()
    links: tuple[Link, ...] = ()
    default_routes: t.Mapping[str, str] = field(default_factory=dict)
    cni_files: tuple[str, ...] = ()
    units: t.Mapping[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    networkd: t.Mapping[str, str] = field(default_factory=dict)
    k3s_version: str = ""
    datastore: bool = False
    without_kube_proxy: bool = False
    disk: Disk = Disk("/var/lib/rancher", 50_000)
    nameservers: tuple[str, ...] = ()
    upstream_resolv_conf: bool = False
    resolves: t.Mapping[str, bool] = field(default_factory=dict)
    clock: Clock | None = None

    def active(self, unit: str) -> bool:
        return self.units.get(unit) == "active"

    @property
    def runs_k3s(self) -> bool:
        return self.active("k3s") or self.active("k3s-agent")


@dataclass(frozen=True)
class Reach:
    """What one host could reach of another."""

    source: str
    target: str
    address: str
    ports: t.Mapping[str, str] = field(default_factory=dict)
    echo: str = "unknown"


@dataclass(frozen=True)
class Situation:
    """Everything a judge of hosts may look at."""

    inventory: Inventory
    facts: t.Mapping[str, Facts]
    reaches: tuple[Reach, ...] = ()
    daemonsets: t.Mapping[str, str] = field(default_factory=dict)  # namespace/name → image, if it could be asked

    @property
    def servers_seen(self) -> tuple[Facts, ...]:
        return tuple(self.facts[host.name] for host in self.inventory.servers if host.name in self.facts)

    @property
    def live(self) -> bool:
        """Is there a cluster already? Its datastore says so, on any server."""
        return any(facts.datastore for facts in self.servers_seen)

    @property
    def stage(self) -> int:
        """The live cluster's; for a new one the inventory's."""
        if not self.live:
            return number(self.inventory.get("cilium_initial_stage")) or 1
        return 2 if all(facts.without_kube_proxy for facts in self.servers_seen if facts.datastore) else 1

    @property
    def pairs(self) -> t.Iterator[tuple[Host, Facts]]:
        for host in self.inventory.members:
            if host.name in self.facts:
                yield host, self.facts[host.name]


def _process(raw: Raw) -> Process:
    return Process(int(raw["pid"]), str(raw["comm"]), str(raw["unit"]))


def parse_facts(host: str, raw: Raw, clock: Raw | None = None) -> Facts:
    """From what the module preflight_info returns."""
    cgroup, k3s, disk = raw["cgroup"], raw["k3s"], raw["disk"]
    return Facts(
        host=host,
        machine=raw["machine"],
        kernel=raw["kernel"],
        hostname=raw["hostname"],
        memory_mib=raw["memory_mib"],
        cpus=raw["cpus"],
        swap=raw["swap"],
        cgroup=cgroup["version"],
        cgroup2=cgroup["cgroup2"],
        controllers=tuple(cgroup["controllers"]),
        bpffs=raw["bpffs"],
        features={name: Feature(probe["state"], probe["how"]) for name, probe in raw["features"].items()},
        sockets=tuple(Socket(s["protocol"], s["port"], s["address"], _process(s)) for s in raw["sockets"]),
        processes=tuple(_process(process) for process in raw["processes"]),
        links=tuple(Link(link["name"], link["mtu"], tuple(link["addresses"])) for link in raw["links"]),
        default_routes=dict(raw["default_routes"]),
        cni_files=tuple(raw["cni_files"]),
        units=dict(raw["units"]),
        marks=tuple(raw["marks"]),
        networkd=dict(raw["networkd"]),
        k3s_version=k3s["version"],
        datastore=k3s["datastore"],
        without_kube_proxy=k3s["without_kube_proxy"],
        disk=Disk(disk["path"], disk["free_mib"], disk["free_inodes"], disk["has_inodes"]),
        nameservers=tuple(raw["nameservers"]),
        upstream_resolv_conf=raw["upstream_resolv_conf"],
        resolves=dict(raw["resolves"]),
        clock=Clock(clock["sent"], clock["answered"], clock["received"]) if clock else None,
    )


def parse_reach(source: str, raw: Raw) -> Reach:
    return Reach(source, raw["host"], raw["address"], dict(raw["ports"]), raw["echo"])
