# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings up what services are probed with, says where all is reached, and takes it away again. On the controller."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import service_probe_workload as workload
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition, waiting_for
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.service_probe_plan import Offered
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import Node, node_of, pod_of
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_GONE = 120.0


@dataclass(frozen=True)
class Wish:
    """What is to be probed."""

    namespace: str
    image: str
    service: str = ""  # namespace/name of the user's own; empty: one of ours
    path: str = ""  # what the user's own is asked by HTTP; empty: it is connected to
    load_balancer: bool = False  # whether ours gets an address from outside
    timeout: float = 120.0


@dataclass(frozen=True)
class There:
    """What is there to be asked, and from which nodes' pods."""

    offered: Offered
    nodes: tuple[Node, ...]
    pods: t.Mapping[str, str]  # UIDs, by node

    def names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)


def bring_up(kube: Kube, wish: Wish, make: bool = True, clock: Clock = CLOCK) -> There:
    """All hosts call it at once, and one of them is to make what the others wait for."""
    own = workload.objects(wish.namespace, wish.image, wish.load_balancer, service=not wish.service)
    for wanted in own if make else ():
        kube.apply(wanted)
    pods = _ready_pods(kube, wish, clock)
    service = _service(kube, wish, clock)
    nodes = tuple(sorted((node_of(node) for node in kube.nodes()), key=lambda node: node.name))
    found = workload.offered(
        service, nodes, [pod_of(pod) for pod in pods], kube.get("Service", "kube-dns", "kube-system"),
        kube.get("Service", "kubernetes", "default"), path=wish.path if wish.service else "/hostname",
    )  # fmt: skip
    return There(found, nodes, {pod["spec"]["nodeName"]: pod["metadata"]["uid"] for pod in pods})


def take_down(kube: Kube, namespace: str, clock: Clock = CLOCK) -> bool:
    """Whether there was anything. Somebody else's namespace of that name stays."""
    there = kube.get("Namespace", namespace)
    if there is None:
        return False
    if (there["metadata"].get("labels") or {}).get(workload.LABEL) != "probe":
        raise MeshwrightError(
            f"the namespace {namespace}", seen="not one that was made for probes", wanted=f"label {workload.LABEL}",
            remedy="give the probes another namespace",
        )
    kube.delete("Namespace", namespace)
    wait_until(
        lambda: kube.get("Namespace", namespace), lambda found: found is None, clock=clock, timeout=_GONE,
        thing=f"the namespace {namespace}", wanted="gone", describe=lambda _found: "still there",
        remedy="see its status, and run this again", interval=0.5,
    )  # fmt: skip
    return True


def node_of_host(nodes: t.Iterable[Node], names: t.Iterable[str]) -> str:
    """The node that one of these names or addresses is; empty for a host that is none."""
    known = {_word(name) for name in names if name}
    for node in nodes:
        if node.name in known or known & {_word(address) for address in node.addresses}:
            return node.name
    return ""


def _word(text: str) -> str:
    """An address in its one spelling; a name in small letters, as nodes have it."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower()


def _ready_pods(kube: Kube, wish: Wish, clock: Clock) -> Objects:
    """Those to ask from, one on each node. All of them, and those that answer, are ready."""

    def look() -> tuple[int, Objects, Objects]:
        pods = [pod for pod in kube.list("Pod", wish.namespace) if not pod["metadata"].get("deletionTimestamp")]
        asking = [pod for pod in pods if pod["metadata"]["labels"].get(workload.LABEL) == workload.ASK]
        return len(kube.nodes()), asking, [pod for pod in pods if pod not in asking]

    def done(seen: tuple[int, Objects, Objects]) -> bool:
        count, asking, web = seen
        wanted = 0 if wish.service else workload.REPLICAS
        return len(asking) == count and len(web) >= wanted and all(condition(pod, "Ready") for pod in asking + web)

    def describe(seen: tuple[int, Objects, Objects]) -> str:
        count, asking, web = seen
        late = [pod for pod in asking + web if not condition(pod, "Ready")]
        told = [f"{pod['metadata']['name']} on {_node(pod)}: {waiting_for(pod)}" for pod in late]
        return f"{len(asking)} pods on {count} nodes and {len(web)} more ({'; '.join(told) or 'ready'})"

    _count, asking, _web = wait_until(
        look, done, describe=describe, thing="the workload that services are probed with",
        wanted="a ready pod on each node, and what answers", remedy="see the image, and room on the nodes",
        timeout=wish.timeout, interval=0.5, clock=clock,
    )  # fmt: skip
    return asking


def _node(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "no node")


def _service(kube: Kube, wish: Wish, clock: Clock) -> Object:
    namespace, _, name = wish.service.rpartition("/") if wish.service else (wish.namespace, "", workload.WEB)
    service = kube.get("Service", name, namespace or "default")
    if service is None:
        raise MeshwrightError(
            f"the Service {namespace or 'default'}/{name}", seen="missing", wanted="one to probe",
            remedy="give it as namespace/name",
        )
    if not workload.wants_load_balancer(service):
        return service
    return wait_until(
        lambda: kube.get("Service", name, namespace or "default") or {}, lambda seen: bool(_addresses(seen)),
        thing=f"the Service {namespace or 'default'}/{name}", describe=lambda _seen: "without an address from outside",
        wanted="one", remedy="see the pools of addresses, or probe without load_balancer", timeout=wish.timeout,
        interval=0.5, clock=clock,
    )  # fmt: skip


def _addresses(service: Object) -> tuple[str, ...]:
    return workload.load_balancers(service) if service else ()
