# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods by which the ways between both networks are tried: Cilium's own health endpoints, and CoreDNS' where flannel is.

Both are there anyway, so nothing is added to the cluster. They are asked by hosts, whose own addresses in the pods'
network are what an answer has to find its way back to.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_bgp_state import listed
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects

HEALTH_PORT, READY_PORT = 4240, 8181
_DNS = "k8s-app=kube-dns"


def targets(kube: Kube, node: str) -> dict[str, list[str]]:
    """`here`: what this node has to reach; `there`: what the others have to reach on it."""
    health, dns = _health(listed(kube, "CiliumNode")), _dns(kube.list("Pod", "kube-system", labels=_DNS))
    every = {**{name: urls for name, urls in dns.items() if name not in health}, **health}
    return {
        "here": [url for urls in every.values() for url in urls],
        "there": every.get(node, []),
    }


def _health(nodes: Objects) -> dict[str, list[str]]:
    found = {}
    for item in nodes:
        told = (item.get("spec") or {}).get("health") or {}
        addresses = [str(told[key]) for key in ("ipv4", "ipv6") if told.get(key)]
        if addresses:
            found[str(item["metadata"]["name"])] = [_url(address, HEALTH_PORT, "hello") for address in addresses]
    return found


def _dns(pods: Objects) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pod in filter(_ready, pods):
        address = str((pod.get("status") or {}).get("podIP") or "")
        if address:
            found.setdefault(str(pod["spec"]["nodeName"]), []).append(_url(address, READY_PORT, "ready"))
    return found


def _ready(pod: Object) -> bool:
    conditions: t.Sequence[Object] = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _url(address: str, port: int, path: str) -> str:
    return f"http://{f'[{address}]' if ':' in address else address}:{port}/{path}"
