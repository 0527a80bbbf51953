# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ways of a cluster are tried, what counts as well, and what to look at where one is not. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import (
    HTTP,
    NAME,
    SERVICE_PORT,
    UDP,
    Node,
    Pod,
    Service,
)

CONTROLLER = "controller"
# So many tries that a service of two backends shows both: one chance in 2^19 that it does not.
_MANY = 20
_SHOWN = 8

REMEDIES: t.Mapping[str, str] = {
    "pod to pod": "see the routes to the other nodes' podCIDRs (`ip route`), firewalls between the nodes, and the MTU",
    "pod to pod by UDP": "as for TCP; a firewall may let one of the two pass only",
    "pod to ClusterIP": "see that kube-proxy or Cilium's replacement of it runs on the node that asks",
    "pod to NodePort": "see the node's firewall for ports 30000-32767, and what serves NodePorts on it",
    "controller to NodePort": "see firewalls on the way to the nodes, or set validate_from_controller to false",
    "pod to hostPort": "at stage 1 portmap serves it: see /etc/cni/net.d and /opt/cni/bin/portmap on that node",
    "DNS": "see the pods of CoreDNS and the service kube-system/kube-dns",
    "egress": "see the node's own way to that address, masquerading of pods, and name resolution",
}


@dataclass(frozen=True)
class Probe:
    """One way: from a pod, or from the controller where `pod` is empty."""

    check: str
    source: str  # node, or the controller
    pod: str
    target: str  # for people
    host: str
    port: int
    request: str = "hostname"
    protocol: str = "http"  # http, udp, tcp
    wanted: tuple[str, ...] = ()  # pods one of which must answer; empty: any answer will do
    spread: bool = False  # more than one of them must answer


@dataclass(frozen=True)
class Result:
    probe: Probe
    well: bool
    seen: str


def probes(
    pods: t.Sequence[Pod], service: Service, nodes: t.Sequence[Node], *, host_port: int = 0,
    egress: t.Sequence[str] = (), controller: bool = True,
) -> list[Probe]:
    everyone = tuple(pod.name for pod in pods)
    found: list[Probe] = []
    for pod in pods:
        found += _to_pods(pod, pods)
        found += [
            Probe(
                "pod to ClusterIP", pod.node, pod.name, "the service", address, SERVICE_PORT,
                wanted=everyone, spread=True,
            )
            for address in service.addresses
        ]
        found += _to_nodes(pod, pods, nodes, service, host_port)
        by_name = f"the service's name {NAME}"
        found.append(Probe("DNS", pod.node, pod.name, by_name, NAME, SERVICE_PORT, wanted=everyone))
        found += [_egress(pod, target) for target in egress]
    if controller:
        found += [
            Probe("controller to NodePort", CONTROLLER, "", node.name, address, service.node_port, wanted=everyone)
            for node in nodes
            for address in node.addresses
        ]
    return found


def _to_pods(pod: Pod, pods: t.Sequence[Pod]) -> list[Probe]:
    ways = (("pod to pod", HTTP, "http"), ("pod to pod by UDP", UDP, "udp"))
    return [
        Probe(check, pod.node, pod.name, other.node, address, port, protocol=protocol, wanted=(other.name,))
        for check, port, protocol in ways
        for other in pods
        if other is not pod
        for address in other.addresses
    ]


def _to_nodes(
    pod: Pod, pods: t.Sequence[Pod], nodes: t.Sequence[Node], service: Service, host_port: int
) -> t.Iterator[Probe]:
    local = {other.node: other.name for other in pods}
    for node in nodes:
        for address in node.addresses:
            any_of = tuple(local.values())
            yield Probe("pod to NodePort", pod.node, pod.name, node.name, address, service.node_port, wanted=any_of)
            # A pod that asks for a port of its own host goes out and comes back; portmap serves that with hairpin
            # rules which differ from host to host, and nobody relies on it.
            if host_port and node.name in local and node.name != pod.node:
                there = (local[node.name],)
                yield Probe("pod to hostPort", pod.node, pod.name, node.name, address, host_port, wanted=there)


def _egress(pod: Pod, target: str) -> Probe:
    parts = urlsplit(target)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    if not parts.hostname or not port or parts.scheme not in ("http", "https", "tcp"):
        raise MeshwrightError(
            "validate_egress_targets", seen=repr(target), wanted="http://…, https://… or tcp://host:port",
            remedy="write the address in full",
        )
    request = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    # The pod's own client knows HTTP only; of the others a connection is enough.
    plain = parts.scheme == "http" and request != ""
    return Probe(
        "egress", pod.node, pod.name, target, parts.hostname, port, request or "/", "http" if plain else "tcp"
    )


def question(probe: Probe, tries: int = 1) -> dict[str, str]:
    """The query by which agnhost's /dial asks on."""
    return {
        "host": probe.host, "port": str(probe.port), "request": probe.request, "protocol": probe.protocol,
        "tries": str(tries),
    }


def tries(probe: Probe) -> int:
    return _MANY if probe.spread and len(probe.wanted) > 1 else 0


def answers(text: str) -> tuple[tuple[str, ...], str]:
    """Who answered, and the first error: what agnhost's /dial says."""
    try:
        told = json.loads(text)
    except ValueError:
        return (), text.strip()[:160]
    responses = tuple(str(answer).strip() for answer in told.get("responses") or ())
    errors = told.get("errors") or ()
    return responses, str(errors[0]) if errors else ""


def judge(probe: Probe, responses: t.Sequence[str], error: str) -> Result:
    if error:
        return Result(probe, False, error)
    if not responses:
        return Result(probe, False, "no answer")
    strange = sorted(set(responses) - set(probe.wanted)) if probe.wanted else []
    if strange:
        return Result(probe, False, f"an answer of {strange[0][:80]!r}")
    if tries(probe) and len(responses) > 1 and len(set(responses)) < 2:
        return Result(probe, False, f"{len(responses)} answers, all of {responses[0]}")
    return Result(probe, True, ", ".join(sorted(set(responses)))[:80])


def summary(results: t.Sequence[Result]) -> list[str]:
    """One line for each check, and one for each way that failed."""
    lines = []
    for check in dict.fromkeys(result.probe.check for result in results):
        mine = [result for result in results if result.probe.check == check]
        lines.append(f"{check}: {sum(result.well for result in mine)} of {len(mine)}")
        lines += [f"  {_way(result)}: {result.seen}" for result in mine if not result.well]
    return lines


def matrix(results: t.Sequence[Result]) -> dict[str, dict[str, dict[str, str]]]:
    """check → from → to → ok, or what was seen."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for result in results:
        cell = "ok" if result.well else result.seen
        row = found.setdefault(result.probe.check, {}).setdefault(result.probe.source, {})
        # Two families are two ways: a failure is not to be covered by the other one's success.
        row[result.probe.target] = cell if row.get(result.probe.target, "ok") == "ok" else row[result.probe.target]
    return found


def failure(results: t.Sequence[Result]) -> MeshwrightError | None:
    bad = [result for result in results if not result.well]
    if not bad:
        return None
    shown = "; ".join(f"{result.probe.check}, {_way(result)}: {result.seen}" for result in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    first = bad[0].probe
    return MeshwrightError(
        "the cluster's traffic", host=first.source, seen=f"broken in {len(bad)} of {len(results)} ways ({shown}{more})",
        wanted=f"an answer of {' or '.join(first.wanted) or first.target}", remedy=REMEDIES[first.check],
    )


def _way(result: Result) -> str:
    probe = result.probe
    return f"{probe.source} → {probe.target} ({probe.host} port {probe.port})"
