# SPDX-License-Identifier: GPL-3.0-or-later
"""Name servers leave their service before they leave their node, so that no query is lost. Runs on the controller.

CoreDNS stops listening as soon as it is told to end, while nodes still send to it until they have heard of that. What
they do then differs (docs/findings.md): a Cilium without socket load balancing goes on sending queries to an ending pod
whose port was used for it in the last minute, until the pod is out of the service; one with it cuts off queries that
are under way when a pod is out of the service. So a pod that pauses before its end is evicted, and taken out of the
service, by its labels, when new queries go elsewhere. One that does not pause is taken out of it first.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import (
    RETIRED_LABEL,
    forbidding,
    is_retired,
    ref_of,
    why_it_stays,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import Clock, wait_until

NAMESPACE, SERVICE = "kube-system", "kube-dns"
_OF_SERVICE = f"kubernetes.io/service-name={SERVICE}"
HEARD = 5.0  # seconds, by which all nodes know that a pod is out of the service


def leave_service(
    kube: Kube, node: str, timeout: float, clock: Clock, say: t.Callable[[str], None], grace: int | None = None
) -> None:
    """Those of this node, one after the other; the last one of all stays in service until it is evicted."""
    selector = selector_of(kube)
    if not selector or not any(_takes_pods(other) for other in kube.nodes() if other["metadata"]["name"] != node):
        return
    pods = kube.list("Pod", NAMESPACE, fields=f"spec.nodeName={node}")
    out = [pod for pod in pods if is_retired(ref_of(pod))]
    ending: Objects = []
    for pod in _serving(pods, selector):
        if not _may_leave(kube, pod, [*out, *ending], timeout, clock):
            break
        name = pod["metadata"]["name"]
        say(f"{node}: {NAMESPACE}/{name} leaves the service {SERVICE} before it goes")
        if not pauses(pod):
            take_out(kube, pod, selector)
            out.append(pod)
        elif kube.evict(NAMESPACE, name, pod["metadata"]["uid"], grace):
            break  # a budget is against it meanwhile: the drain will ask again
        else:
            ending.append(pod)
    if ending:
        clock.sleep(HEARD)
        for pod in ending:
            if kube.get("Pod", pod["metadata"]["name"], NAMESPACE):
                take_out(kube, pod, selector)
    wait_unasked(kube, [*out, *ending], timeout, clock)
    if out:
        clock.sleep(HEARD)


def selector_of(kube: Kube) -> dict[str, str]:
    """Of the service of names; empty where there is none."""
    service = kube.get("Service", SERVICE, NAMESPACE) or {}
    return dict((service.get("spec") or {}).get("selector") or {})


def take_out(kube: Kube, pod: Object, selector: t.Iterable[str]) -> None:
    """It goes on listening; whoever keeps it makes another one."""
    labels = {**dict.fromkeys(selector, None), RETIRED_LABEL: SERVICE}
    kube.merge("Pod", pod["metadata"]["name"], {"metadata": {"labels": labels}}, NAMESPACE)


def wait_unasked(kube: Kube, pods: Objects, timeout: float, clock: Clock) -> None:
    leaving = addresses(pods)
    wait_until(
        lambda: asked(kube, ready=False) & leaving, lambda left: not left, timeout=timeout, clock=clock,
        thing=f"the service {NAMESPACE}/{SERVICE}", wanted="without the pods that are to go",
        describe=lambda left: f"still with {', '.join(sorted(left))}", remedy="see its EndpointSlices",
    )


def asked(kube: Kube, ready: bool = True) -> set[str]:
    """The addresses of the pods that the service sends to; with those that are not ready, that it may send to."""
    slices = kube.list("EndpointSlice", NAMESPACE, "discovery.k8s.io/v1", labels=_OF_SERVICE)
    return {
        str(address) for item in slices for end in item.get("endpoints") or [] for address in end.get("addresses") or []
        if not ready or (end.get("conditions") or {}).get("ready") is not False
    }  # fmt: skip


def addresses(pods: Objects) -> set[str]:
    return {str(item["ip"]) for pod in pods for item in (pod.get("status") or {}).get("podIPs") or []}


def pauses(pod: Object) -> bool:
    """Before its end, by the kubelet: it answers those who have not heard of that yet."""
    containers = (pod.get("spec") or {}).get("containers") or []
    return any((container.get("lifecycle") or {}).get("preStop") for container in containers)


# -- underneath


def _takes_pods(node: Object) -> bool:
    return condition(node, "Ready") and not (node.get("spec") or {}).get("unschedulable")


def _serving(pods: Objects, selector: t.Mapping[str, str]) -> Objects:
    refs = [(ref_of(pod), pod) for pod in pods if not why_it_stays(pod)]
    return [pod for ref, pod in refs if selector.items() <= ref.labels.items() and not ref.leaving]


def _may_leave(kube: Kube, pod: Object, before: Objects, timeout: float, clock: Clock) -> bool:
    """Where another one serves, and no budget is against it. For those that left before it, others are on their way."""
    if forbidding(ref_of(pod), kube.list("PodDisruptionBudget", NAMESPACE, "policy/v1")):
        return False
    leaving = addresses([pod, *before])
    if not before:
        return bool(asked(kube) - leaving)
    wait_until(
        lambda: asked(kube) - leaving, bool, thing=f"what the service {NAMESPACE}/{SERVICE} sends to",
        wanted="another name server", describe=lambda _none: "nothing but the one that is to go",
        remedy="see the events of CoreDNS' pods", timeout=timeout, clock=clock,
    )
    return True
