# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's side of the report: services with addresses, sessions, nodes out of traffic. Runs on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL, Bgp
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_validate import (
    REFUSED,
    Cluster,
    Finding,
    Service,
    View,
    findings,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import (
    Doubt,
    always,
    look,
    passing,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object


def compare(kube: Kube, bgp: Bgp, views: t.Mapping[str, View]) -> tuple[list[Finding], Cluster]:
    """What is not as described. What seems kept out by a filter is told only after the agents' own word."""
    seen = cluster(kube)
    found = findings(bgp, views, seen)
    if any(item.kind == REFUSED for item in found):
        seen = cluster(kube, always)
        found = findings(bgp, views, seen)
    return found, seen


def cluster(kube: Kube, doubt: Doubt = passing) -> Cluster:
    slices = kube.list("EndpointSlice", "", "discovery.k8s.io/v1")
    balanced = [item for item in kube.list("Service") if (item.get("spec") or {}).get("type") == "LoadBalancer"]
    services = tuple(service_of(item, slices) for item in balanced)
    out = frozenset(node["metadata"]["name"] for node in kube.list("Node", labels=WITHDRAWN_LABEL))
    return Cluster(look(kube, doubt).peers, tuple(item for item in services if item.addresses), out)


def service_of(item: Object, slices: list[Object]) -> Service:
    meta, spec = item["metadata"], item["spec"]
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return Service(
        meta["namespace"], meta["name"], meta.get("labels") or {},
        tuple(entry["ip"] for entry in ingress if "ip" in entry),
        frozenset(_nodes(meta["namespace"], meta["name"], slices)), spec.get("externalTrafficPolicy") == "Local",
        spec.get("loadBalancerClass") or "",
    )  # fmt: skip


def _nodes(namespace: str, name: str, slices: list[Object]) -> list[str]:
    return [
        endpoint["nodeName"]
        for item in slices
        if item["metadata"]["namespace"] == namespace
        and (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        for endpoint in item.get("endpoints") or []
        # Absent means ready (EndpointConditions).
        if endpoint.get("nodeName") and (endpoint.get("conditions") or {}).get("ready", True)
    ]
