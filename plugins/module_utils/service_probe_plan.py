# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways of services are tried while something is done to the cluster, and what a run is judged by. Pure.

A way is one series of tries: a new connection each time, or exchanges over one that was there before. Its samples are
lines as run_probes reads them; they are told by kind, flows apart from new connections, as their breaks have other
reasons: when a next hop leaves, a router may send established flows elsewhere which went by another node.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW, Probe

LOAD_BALANCER, NODE_PORT, CLUSTER_IP, DNS, POD_TO_POD, KUBERNETES = (
    "LoadBalancer", "NodePort", "ClusterIP", "DNS", "pod to pod", "kubernetes",
)  # fmt: skip
OUTSIDE, POD, HOST = "outside", "pod", "host"
_FROM = " from "


@dataclass(frozen=True)
class Target:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Targets:
    """What the workload of the probes has to offer."""

    load_balancers: tuple[Target, ...] = ()
    node_ports: tuple[Target, ...] = ()  # one for each node's address
    cluster_ips: tuple[Target, ...] = ()
    dns: tuple[Target, ...] = ()  # a service by its name
    pods: t.Mapping[str, Target] = field(default_factory=dict)  # by node
    kubernetes: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Way:
    kind: str
    place: str  # outside, pod, host
    source: str  # the node, or the host outside
    target: Target
    established: bool = False

    @property
    def name(self) -> str:
        """Told apart by it, and told to people."""
        by = "" if self.place == OUTSIDE else f" ({self.place})"
        return f"{self.kind}{_FROM}{self.source}{by} to {self.target}"


def ways(targets: Targets, nodes: t.Sequence[str], outside: str = "", flows: bool = True) -> tuple[Way, ...]:
    """From outside what is for outside; from each node, by a pod and by a process of the host, all the rest."""
    found: list[Way] = []
    if outside:
        found += [Way(LOAD_BALANCER, OUTSIDE, outside, target) for target in targets.load_balancers]
        found += [Way(NODE_PORT, OUTSIDE, outside, target) for target in targets.node_ports]
    for node, following in zip(nodes, [*nodes[1:], *nodes[:1]]):
        # One other node each: so every node is asked once and asks once, however many there are.
        peer = [targets.pods[following]] if following != node and following in targets.pods else []
        kinds = (
            (CLUSTER_IP, targets.cluster_ips), (DNS, targets.dns), (POD_TO_POD, tuple(peer)),
            (KUBERNETES, targets.kubernetes),
        )  # fmt: skip
        found += [
            Way(kind, place, node, target)
            for place in (POD, HOST)
            for kind, listed in kinds
            # Hosts ask the network's resolvers, not the cluster's.
            if not (place == HOST and kind == DNS)
            for target in listed
        ]
    held = (LOAD_BALANCER, CLUSTER_IP, POD_TO_POD)
    more = [Way(way.kind, way.place, way.source, way.target, True) for way in found if way.kind in held]
    return (*found, *(more if flows else ()))


# -- what a prober writes


def begun(way: Way, time: float, rate: float) -> str:
    kind = ESTABLISHED if way.established else NEW
    return json.dumps({
        "event": "probe", "probe": _title(way), "time": time, "kind": kind, "target": str(way.target),
        "interval": 1 / rate,
    })  # fmt: skip


def sample(way: Way, time: float, seconds: float, error: str = "") -> str:
    told = {"event": "sample", "probe": _title(way), "time": time, "seconds": round(seconds, 4)}
    return json.dumps({**told, "error": error} if error else told)


def ended(way: Way, time: float) -> str:
    return json.dumps({"event": "probe_ended", "probe": _title(way), "time": time})


def _title(way: Way) -> str:
    return f"{way.name}, {ESTABLISHED}" if way.established else way.name


# -- what came of it


@dataclass(frozen=True)
class Summary:
    """Several probes told as one."""

    name: str
    probes: int = 0
    sent: int = 0
    failed: int = 0  # missing ones among them
    missing: int = 0
    longest_gap: float = 0.0
    slowest: float = 0.0
    errors: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        why = "".join(f", {count}x {error}" for error, count in self.errors[:3])
        gap = f"longest gap {self.longest_gap:.2f} s"
        return f"{self.name}: {self.failed} of {self.sent} failed, {gap}, slowest {self.slowest:.2f} s{why}"


def summary(name: str, probes: t.Iterable[Probe], end: float) -> Summary:
    found = [run_probes.judge(probe, end) for probe in probes]
    errors: Counter[str] = Counter()
    for verdict in found:
        for failure in verdict.failures:
            errors.update(dict(failure.errors))
    return Summary(
        name, len(found), sum(item.sent for item in found), sum(item.failed for item in found),
        sum(item.missing for item in found), max((item.longest_gap for item in found), default=0.0),
        max((item.most or 0.0 for item in found), default=0.0), tuple(errors.most_common()),
    )  # fmt: skip


def by_kind(probes: t.Sequence[Probe], end: float) -> tuple[Summary, ...]:
    """New connections kind by kind, then flows."""
    groups: dict[tuple[bool, str], list[Probe]] = {}
    for probe in probes:
        groups.setdefault((probe.kind == ESTABLISHED, probe.name.split(_FROM)[0]), []).append(probe)
    return tuple(
        summary(f"{kind}, {ESTABLISHED}" if flows else kind, found, end)
        for (flows, kind), found in sorted(groups.items(), key=lambda item: item[0])
    )


def total(probes: t.Iterable[Probe], end: float, kind: str = NEW) -> Summary:
    """What a run is judged by: all new connections; and beside it, all flows."""
    name = "new connections" if kind == NEW else "established flows"
    return summary(name, (probe for probe in probes if probe.kind == kind), end)


def unheard(probes: t.Iterable[Probe], wanted: t.Iterable[Way]) -> tuple[str, ...]:
    """Ways of which not even the beginning is known: nobody tried them, so nothing can be said of them."""
    known = {probe.name for probe in probes if probe.samples or probe.begin is not None}
    return tuple(_title(way) for way in wanted if _title(way) not in known)
