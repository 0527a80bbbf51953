# SPDX-License-Identifier: GPL-3.0-or-later
"""A NodePort by which each node can be tried: it leads to the API servers, so it needs neither pods nor an image."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

NAME, NAMESPACE, PORT = "meshwright-stage", "kube-system", 6443
_SLICES = "discovery.k8s.io/v1"


@dataclass(frozen=True)
class Door:
    node_port: int
    addresses: tuple[str, ...]  # of the node, of the port's family


def service() -> Object:
    ports = [{"name": "https", "port": PORT, "targetPort": PORT, "protocol": "TCP"}]
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"type": "NodePort", "ipFamilyPolicy": "SingleStack", "ports": ports},
    }  # fmt: skip


def endpoints(family: str, servers: t.Sequence[str]) -> Object:
    """By hand, as the service selects no pods."""
    return {
        "apiVersion": _SLICES, "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": family, "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in servers],
    }  # fmt: skip


def addresses(node: Object, family: str) -> tuple[str, ...]:
    told = (node.get("status") or {}).get("addresses") or []
    found = (str(entry["address"]) for entry in told if entry["type"] == "InternalIP")
    return tuple(address for address in found if (":" in address) == (family == "IPv6"))


def open_door(kube: Kube, node: str) -> Door:
    """The service is made where it is missing; its endpoints become the servers of now."""
    made = kube.apply(service())
    family = str((made["spec"].get("ipFamilies") or ["IPv4"])[0])
    nodes = kube.nodes()
    servers = [
        addresses(item, family)[0] for item in nodes
        if "node-role.kubernetes.io/control-plane" in (item["metadata"].get("labels") or {}) and addresses(item, family)
    ]  # fmt: skip
    kube.apply(endpoints(family, servers))
    own = next((addresses(item, family) for item in nodes if item["metadata"]["name"] == node), ())
    if not own or not servers:
        raise MeshwrightError(
            f"the node {node}", seen=f"without an InternalIP of {family}", wanted="one by which it can be tried",
            remedy="see its node-ip in k3s' configuration",
        )
    return Door(int(made["spec"]["ports"][0]["nodePort"]), own)


def close_door(kube: Kube) -> bool:
    """The slice goes with its service where Kubernetes knows them as one; here it was made by hand."""
    gone = [kube.delete("Service", NAME, NAMESPACE), kube.delete("EndpointSlice", NAME, NAMESPACE, _SLICES)]
    return any(gone)
