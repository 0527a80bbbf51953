# SPDX-License-Identifier: GPL-3.0-or-later
"""Name servers leave their service before they leave their node, so that no query is lost. Runs on the controller.

CoreDNS stops listening as soon as it is told to end, while nodes still send to it until they have heard of that; and a
Cilium without socket load balancing goes on sending queries to an ending pod whose port was used for it in the last
minute (docs/findings.md). A pod that has lost the labels of the service is neither asked nor remembered, and goes on
listening meanwhile; whoever keeps it makes another one elsewhere.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import (
    RETIRED_LABEL,
    forbidding,
    ref_of,
    why_it_stays,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import Clock, wait_until

_NAMESPACE, _SERVICE = "kube-system", "kube-dns"
_OF_SERVICE = f"kubernetes.io/service-name={_SERVICE}"
_HEARD = 5.0  # seconds, by which all nodes know that a pod is out of the service


def leave_service(kube: Kube, node: str, timeout: float, clock: Clock, say: t.Callable[[str], None]) -> None:
    """Those of this node, one after the other; the last one of all stays in service until it is evicted."""
    service = kube.get("Service", _SERVICE, _NAMESPACE)
    selector = ((service or {}).get("spec") or {}).get("selector") or {}
    if not selector or not any(_takes_pods(other) for other in kube.nodes() if other["metadata"]["name"] != node):
        return
    pods = kube.list("Pod", _NAMESPACE, fields=f"spec.nodeName={node}")
    retired = [pod for pod in pods if RETIRED_LABEL in _labels(pod)]
    for pod in _serving(pods, selector):
        if not _may_leave(kube, pod, retired, timeout, clock):
            break
        labels = {**dict.fromkeys(selector, None), RETIRED_LABEL: _SERVICE}
        kube.merge("Pod", pod["metadata"]["name"], {"metadata": {"labels": labels}}, _NAMESPACE)
        say(f"{node}: {_NAMESPACE}/{pod['metadata']['name']} is taken out of the service {_SERVICE} before it goes")
        retired.append(pod)
    if retired:
        _wait_unasked(kube, _addresses(retired), timeout, clock)
        clock.sleep(_HEARD)


def _takes_pods(node: Object) -> bool:
    return condition(node, "Ready") and not (node.get("spec") or {}).get("unschedulable")


def _serving(pods: Objects, selector: t.Mapping[str, str]) -> Objects:
    return [
        pod for pod in pods
        if selector.items() <= _labels(pod).items() and not pod["metadata"].get("deletionTimestamp")
        and not why_it_stays(pod)
    ]  # fmt: skip


def _may_leave(kube: Kube, pod: Object, before: Objects, timeout: float, clock: Clock) -> bool:
    """Where another one serves, and no budget is against it. For those that left before it, others are on their way."""
    if forbidding(ref_of(pod), kube.list("PodDisruptionBudget", _NAMESPACE, "policy/v1")):
        return False
    leaving = _addresses([pod, *before])
    if not before:
        return bool(_asked(kube) - leaving)
    wait_until(
        lambda: _asked(kube) - leaving, bool, thing=f"what the service {_NAMESPACE}/{_SERVICE} sends to",
        wanted="another name server", describe=lambda _none: "nothing but the one that is to go",
        remedy="see the events of CoreDNS' pods", timeout=timeout, clock=clock,
    )
    return True


def _wait_unasked(kube: Kube, leaving: set[str], timeout: float, clock: Clock) -> None:
    wait_until(
        lambda: _asked(kube, ready=False) & leaving, lambda left: not left, timeout=timeout, clock=clock,
        thing=f"the service {_NAMESPACE}/{_SERVICE}", wanted="without the pods that are to go",
        describe=lambda left: f"still with {', '.join(sorted(left))}", remedy="see its EndpointSlices",
    )


def _asked(kube: Kube, ready: bool = True) -> set[str]:
    """The addresses of the pods that the service sends to; with those that are not ready, that it may send to."""
    slices = kube.list("EndpointSlice", _NAMESPACE, "discovery.k8s.io/v1", labels=_OF_SERVICE)
    return {
        str(address) for item in slices for end in item.get("endpoints") or [] for address in end.get("addresses") or []
        if not ready or (end.get("conditions") or {}).get("ready") is not False
    }  # fmt: skip


def _addresses(pods: Objects) -> set[str]:
    return {str(item["ip"]) for pod in pods for item in (pod.get("status") or {}).get("podIPs") or []}


def _labels(pod: Object) -> dict[str, str]:
    return pod["metadata"].get("labels") or {}
