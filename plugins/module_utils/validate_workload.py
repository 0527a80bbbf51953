# SPDX-License-Identifier: GPL-3.0-or-later
"""The small workload that proves a cluster with traffic: one pod on each node, one service before them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object, Objects

LABEL = "meshwright.k3s-cilium/part"
PART = "validate"
NAME = "reach"
HTTP, UDP, SERVICE_PORT = 8080, 8081, 80


@dataclass(frozen=True)
class Pod:
    name: str
    node: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    addresses: tuple[str, ...]
    node_port: int


@dataclass(frozen=True)
class Node:
    name: str
    addresses: tuple[str, ...]


def objects(namespace: str, image: str, host_port: int) -> Objects:
    return [_namespace(namespace), _service(namespace), _daemonset(namespace, image, host_port)]


def _namespace(name: str) -> Object:
    # A port of the host is all that the pods want beyond the strictest profile.
    labels = {LABEL: PART, "pod-security.kubernetes.io/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _meta(namespace: str) -> Object:
    return {"name": NAME, "namespace": namespace, "labels": {LABEL: PART}}


def _service(namespace: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(namespace),
        "spec": {
            "type": "NodePort",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {LABEL: PART},
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": HTTP, "protocol": "TCP"}],
        },
    }


def _daemonset(namespace: str, image: str, host_port: int) -> Object:
    labels = {LABEL: PART}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _meta(namespace),
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "tolerations": [{"operator": "Exists"}],
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container(image, host_port)],
                },
            },
        },
    }


def container(image: str, host_port: int = 0, more: tuple[str, ...] = ()) -> Object:
    """One that answers by HTTP and UDP, and wants nothing of its host."""
    http: Object = {"name": "http", "containerPort": HTTP}
    if host_port:
        http["hostPort"] = host_port
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={HTTP}", f"--udp-port={UDP}", *more],
        "ports": [http, {"name": "udp", "containerPort": UDP, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": HTTP}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def pod_of(found: Object) -> Pod:
    addresses = tuple(entry["ip"] for entry in found["status"].get("podIPs") or [])
    return Pod(found["metadata"]["name"], found["spec"].get("nodeName", ""), addresses)


def service_of(found: Object) -> Service:
    spec = found["spec"]
    return Service(tuple(spec.get("clusterIPs") or ()), int(spec["ports"][0].get("nodePort", 0)))


def node_of(found: Object) -> Node:
    addresses: list[str] = [
        entry["address"] for entry in found["status"].get("addresses") or [] if entry["type"] == "InternalIP"
    ]
    return Node(found["metadata"]["name"], tuple(addresses))
