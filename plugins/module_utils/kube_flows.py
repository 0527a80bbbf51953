# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP flows to service addresses that the kernel remembers from kube-proxy's time. Pure, Python 3.9.

A flow that was translated once goes on to the same pod as long as packets come, whoever serves services by now; the
one who forgot such flows when the pod went was kube-proxy (Kubernetes: pkg/proxy/conntrack). TCP ends by itself.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Flow:
    """The direction in which it was begun."""

    source: Address
    destination: Address
    port: int
    replier: Address  # who answers: another than the destination where it was translated


@dataclass(frozen=True)
class Services:
    """Where services are reached."""

    networks: tuple[Network, ...] = ()  # of ClusterIPs
    addresses: frozenset[Address] = frozenset()  # load balancers' and external ones
    node_ports: frozenset[int] = frozenset()  # UDP ones
    own: frozenset[Address] = frozenset()  # this node's, at which it serves them

    def has(self, flow: Flow) -> bool:
        to = flow.destination
        if to in self.addresses or any(to in network for network in self.networks if network.version == to.version):
            return True
        return to in self.own and flow.port in self.node_ports


def parse(listed: str) -> tuple[Flow, ...]:
    """The UDP flows in what `conntrack -L` prints, or in /proc/net/nf_conntrack."""
    return tuple(flow for flow in map(_flow, listed.splitlines()) if flow is not None)


def _flow(line: str) -> Flow | None:
    words = line.split()
    if "udp" not in words[:4]:
        return None
    pairs = [word.partition("=") for word in words if "=" in word]
    values: dict[str, list[str]] = {}
    for key, _equals, value in pairs:
        values.setdefault(key, []).append(value)
    try:
        return Flow(
            ipaddress.ip_address(values["src"][0]), ipaddress.ip_address(values["dst"][0]), int(values["dport"][0]),
            ipaddress.ip_address(values["src"][1]),
        )  # fmt: skip
    except (KeyError, IndexError, ValueError):
        return None


def stale(flows: t.Iterable[Flow], services: Services) -> tuple[Flow, ...]:
    """To a service, and translated: one that a pod's own socket holds goes elsewhere by now."""
    return tuple(flow for flow in flows if flow.replier != flow.destination and services.has(flow))


def forgotten_by(flows: t.Iterable[Flow]) -> tuple[tuple[str, ...], ...]:
    """The commands, one for each address and port."""
    ends = sorted({(flow.destination.version, str(flow.destination), flow.port) for flow in flows})
    return tuple(
        ("conntrack", "-D", "-f", f"ipv{version}", "-p", "udp", "--orig-dst", address, "--orig-port-dst", str(port))
        for version, address, port in ends
    )
