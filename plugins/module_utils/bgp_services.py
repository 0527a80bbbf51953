# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's side of the report: services with addresses, sessions, nodes out of traffic. Runs on the controller."""

from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_model import WITHDRAWN_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_validate import Cluster, Service
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import look
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object


def cluster(kube: Kube) -> Cluster:
    slices = kube.list("EndpointSlice", "", "discovery.k8s.io/v1")
    balanced = [item for item in kube.list("Service") if (item.get("spec") or {}).get("type") == "LoadBalancer"]
    services = tuple(service_of(item, slices) for item in balanced)
    out = frozenset(node["metadata"]["name"] for node in kube.list("Node", labels=WITHDRAWN_LABEL))
    return Cluster(look(kube).peers, tuple(item for item in services if item.addresses), out)


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
