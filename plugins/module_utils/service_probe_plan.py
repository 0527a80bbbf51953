# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways of services are tried while something is done to the cluster, and what a run is judged by. Pure.

A way is one series of requests from one place, in new connections or in one that is kept: what probe_service asks and
run_probes reads. They are told by kind, and flows apart from new connections, as their breaks have other reasons: when
a next hop leaves, a router may send elsewhere also what went by another node.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import run_probes
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.probe_service import DNS, HTTP, TCP, Target
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.run_probes import ESTABLISHED, NEW, Probe

OUTSIDE, POD, HOST = "outside", "pod", "host"
LOAD_BALANCER, NODE_PORT, CLUSTER_IP, NAMES, POD_TO_POD, KUBERNETES = (
    "LoadBalancer", "NodePort", "ClusterIP", "DNS", "pod to pod", "kubernetes",
)  # fmt: skip
_FROM = " from "
_PROTOCOLS: t.Mapping[str, str] = {NAMES: DNS, KUBERNETES: TCP, POD_TO_POD: HTTP}
# Of what a connection is kept as well, where it answers by HTTP.
_HELD = (LOAD_BALANCER, CLUSTER_IP, POD_TO_POD)
_FLOWS = 0.25  # of the rate: a break of a connection that is kept lasts until the next request in any case
# What nothing may happen to while a node is out; a NodePort is asked on the very node that is being changed, and the
# `kubernetes` Service leads to a server that restarts.
PROMISED = (LOAD_BALANCER, CLUSTER_IP, NAMES, POD_TO_POD)

End = tuple[str, int]  # host and port


@dataclass(frozen=True)
class Offered:
    """Where the workload of the probes is reached."""

    load_balancers: tuple[End, ...] = ()
    node_ports: tuple[End, ...] = ()  # one for each node's address
    cluster_ips: tuple[End, ...] = ()
    resolvers: tuple[End, ...] = ()
    pods: t.Mapping[str, End] = field(default_factory=dict)  # by node
    kubernetes: tuple[End, ...] = ()
    protocol: str = HTTP  # of the Service; pods are our own
    path: str = "/hostname"


@dataclass(frozen=True)
class Way:
    place: str
    source: str  # the node, or the host outside
    target: Target


def ways(offered: Offered, nodes: t.Sequence[str], outside: str = "", flows: bool = True) -> tuple[Way, ...]:
    """From outside what is for outside; from each node, by a pod and by a process of the host, all the rest."""
    found: list[Way] = []
    if outside:
        found += _from(OUTSIDE, outside, offered, LOAD_BALANCER, offered.load_balancers)
        found += _from(OUTSIDE, outside, offered, NODE_PORT, offered.node_ports)
    for node, following in zip(nodes, [*nodes[1:], *nodes[:1]]):
        # One other node each: so every node is asked once and asks once, however many there are.
        peer = [offered.pods[following]] if following != node and following in offered.pods else []
        for place in (POD, HOST):
            found += _from(place, node, offered, CLUSTER_IP, offered.cluster_ips)
            found += _from(place, node, offered, NAMES, offered.resolvers)
            found += _from(place, node, offered, POD_TO_POD, peer)
            found += _from(place, node, offered, KUBERNETES, offered.kubernetes)
    held = [way for way in found if kind_of(way.target.name) in _HELD and way.target.protocol == HTTP]
    return (*found, *(_kept(way) for way in held if flows))


def _from(place: str, source: str, offered: Offered, kind: str, ends: t.Iterable[End]) -> list[Way]:
    by = "" if place == OUTSIDE else f" ({place})"
    found = []
    for host, port in ends:
        path = "/hostname" if kind == POD_TO_POD else offered.path
        target = Target("", host, port, _PROTOCOLS.get(kind, offered.protocol), path=path)
        name = f"{kind}{_FROM}{source}{by} to {target.address}"
        found.append(Way(place, source, replace(target, name=name)))
    return found


def _kept(way: Way) -> Way:
    return replace(way, target=replace(way.target, name=f"{way.target.name}, {ESTABLISHED}", kind=ESTABLISHED))


def kind_of(name: str) -> str:
    return name.split(_FROM)[0]


def spec(found: t.Iterable[Way], seconds: float, rate: float, settle: float = 0.0) -> dict[str, t.Any]:
    """What probe_service is given, for the ways of one place."""
    rates = {ESTABLISHED: rate * _FLOWS}
    targets = (replace(way.target, rate=rates.get(way.target.kind, rate), settle=settle) for way in found)
    return {"seconds": seconds, "probes": [asdict(target) for target in targets]}


@dataclass(frozen=True)
class Pace:
    seconds: float = 7200.0
    rates: t.Mapping[str, float] = field(default_factory=dict)  # by place; 0: nobody asks from there
    settle: float = 30.0


def parts(found: t.Sequence[Way], source: str, pods: t.Mapping[str, str], pace: Pace) -> list[dict[str, t.Any]]:
    """The probers of one host: one for each place that it is; `pods` has the UID of the pod to ask from, by node."""
    made = []
    for place in (OUTSIDE, POD, HOST):
        mine = [way for way in found if way.place == place and way.source == source]
        rate = pace.rates.get(place, 20.0)
        if not mine or rate <= 0 or (place == POD and source not in pods):
            continue
        pod = pods[source] if place == POD else ""
        made.append({"name": place, "pod": pod, "spec": spec(mine, pace.seconds, rate, pace.settle)})
    return made


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
        groups.setdefault((probe.kind == ESTABLISHED, kind_of(probe.name)), []).append(probe)
    return tuple(
        summary(f"{kind}, {ESTABLISHED}" if flows else kind, found, end)
        for (flows, kind), found in sorted(groups.items(), key=lambda item: item[0])
    )


def total(probes: t.Iterable[Probe], end: float, kind: str = NEW) -> Summary:
    """What a run is judged by: all new connections; and beside it, all flows."""
    name = "new connections" if kind == NEW else "established flows"
    return summary(name, (probe for probe in probes if probe.kind == kind), end)


def promised(probes: t.Iterable[Probe], end: float) -> Summary:
    """All new connections by the ways that nothing may happen to."""
    kept = [probe for probe in probes if probe.kind == NEW and kind_of(probe.name) in PROMISED]
    return summary(f"new connections to {', '.join(PROMISED)}", kept, end)


def last_word(probes: t.Iterable[Probe]) -> float:
    """When anything was heard last: up to there, a prober that was cut off owes its samples."""
    times = [time for probe in probes for time in (probe.begin, probe.end, *(s.time for s in probe.samples[-1:]))]
    return max((time for time in times if time is not None), default=0.0)


def unheard(probes: t.Iterable[Probe], wanted: t.Iterable[Way]) -> tuple[str, ...]:
    """Ways of which not even the beginning is known: nobody tried them, so nothing can be said of them."""
    known = {probe.name for probe in probes if probe.samples or probe.begin is not None}
    return tuple(way.target.name for way in wanted if way.target.name not in known)
