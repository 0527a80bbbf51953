# SPDX-License-Identifier: GPL-3.0-or-later
"""What services are probed with: two replicas behind a Service, and a pod on each node to ask from. Pure.

The pods to ask from are a DaemonSet's: no drain moves them, so that each node's own view goes on while it is out.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.probe_service import HTTP, TCP
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import End, Offered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import Node, Pod, container

LABEL = "meshwright.k3s-cilium/part"
WEB, ASK = "probe-web", "probe-from"
REPLICAS = 2
PORT, SERVICE_PORT = 8080, 80
# Nodes and routers may send for a moment to a pod that goes: it answers until they know.
_LINGER, _GRACE = 10, 15


def objects(namespace: str, image: str, load_balancer: bool, service: bool = True) -> Objects:
    """`service`: with one of our own; else only the pods to ask from."""
    own: Objects = []
    if service:
        own = [_service(namespace, load_balancer), _budget(namespace), _deployment(namespace, image)]
    return [_namespace(namespace), *own, _daemonset(namespace, image)]


def _namespace(name: str) -> Object:
    labels = {LABEL: "probe", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _meta(namespace: str, part: str) -> Object:
    return {"name": part, "namespace": namespace, "labels": {LABEL: part}}


def _pods(part: str, **more: t.Any) -> Object:
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "metadata": {"labels": {LABEL: part}},
        "spec": {
            "automountServiceAccountToken": False, "enableServiceLinks": False, "securityContext": security, **more,
        },
    }  # fmt: skip


def _daemonset(namespace: str, image: str) -> Object:
    template = _pods(
        ASK, tolerations=[{"operator": "Exists"}], terminationGracePeriodSeconds=1,
        containers=[container(image)],
    )  # fmt: skip
    spec = {"selector": {"matchLabels": {LABEL: ASK}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": _meta(namespace, ASK), "spec": spec}


def _deployment(namespace: str, image: str) -> Object:
    apart = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {LABEL: WEB}},
    }  # fmt: skip
    template = _pods(
        WEB, terminationGracePeriodSeconds=_GRACE, topologySpreadConstraints=[apart],
        containers=[container(image, more=(f"--delay-shutdown={_LINGER}",))],
    )  # fmt: skip
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": {LABEL: WEB}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(namespace, WEB), "spec": spec}


def _budget(namespace: str) -> Object:
    spec = {"minAvailable": REPLICAS - 1, "selector": {"matchLabels": {LABEL: WEB}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _meta(namespace, WEB), "spec": spec}


def _service(namespace: str, load_balancer: bool) -> Object:
    spec = {
        "type": "LoadBalancer" if load_balancer else "NodePort", "ipFamilyPolicy": "PreferDualStack",
        "selector": {LABEL: WEB},
        "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": PORT, "protocol": "TCP"}],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(namespace, WEB), "spec": spec}


# -- where it is reached


def offered(
    service: Object, nodes: t.Sequence[Node], pods: t.Sequence[Pod], resolver: Object | None, kubernetes: Object | None,
    path: str = "/hostname",
) -> Offered:  # fmt: skip
    """`service` is ours or the user's; `path` is empty for one that is only connected to."""
    port, families = _port(service), {":" in address for address in _cluster_ips(service)}
    # With the policy Local a node without a pod of it rightly does not answer.
    everywhere = service["spec"].get("externalTrafficPolicy") != "Local" and port.get("nodePort")
    return Offered(
        load_balancers=tuple((address, int(port["port"])) for address in load_balancers(service)),
        node_ports=tuple(
            (address, int(port["nodePort"]))
            for node in nodes for address in node.addresses
            if everywhere and (":" in address) in families
        ),
        cluster_ips=_ends(service), resolvers=_ends(resolver, "UDP"), kubernetes=_ends(kubernetes),
        pods={pod.node: (pod.addresses[0], PORT) for pod in pods if pod.addresses},
        protocol=HTTP if path else TCP, path=path or "/",
    )  # fmt: skip


def load_balancers(service: Object) -> tuple[str, ...]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return tuple(entry["ip"] for entry in ingress if entry.get("ip"))


def wants_load_balancer(service: Object) -> bool:
    return bool(service["spec"].get("type") == "LoadBalancer")


def _cluster_ips(service: Object) -> tuple[str, ...]:
    return tuple(address for address in service["spec"].get("clusterIPs") or () if address != "None")


def _ends(service: Object | None, protocol: str = "TCP") -> tuple[End, ...]:
    if service is None:
        return ()
    port = _port(service, protocol)
    return tuple((address, int(port["port"])) for address in _cluster_ips(service))


def _port(service: Object, protocol: str = "TCP") -> Object:
    ports: Objects = service["spec"].get("ports") or []
    found = [port for port in ports if port.get("protocol", "TCP") == protocol]
    if not found:
        meta = service["metadata"]
        raise MeshwrightError(
            f"the Service {meta.get('namespace')}/{meta['name']}", seen=f"without a {protocol} port", wanted="one",
            remedy="name another Service to probe, or none: then there is one of our own",
        )  # fmt: skip
    return found[0]
