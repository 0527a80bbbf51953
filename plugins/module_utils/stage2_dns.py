# SPDX-License-Identifier: GPL-3.0-or-later
"""CoreDNS twice, and with a pause before its end, without a query lost on the way there. Runs on the controller.

Why the pause: see node_drain_names. Pods from before cannot be given it: they are taken out of the service first, by
their labels, and let go when nobody sends to them any more. Until then the Deployment is kept from ending them by
itself; what it said before stands in an annotation, by which a run that was cut off is completed.
"""

from __future__ import annotations

import json

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition, waiting_for
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube, Object, Objects
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_names import (
    HEARD,
    NAMESPACE,
    SERVICE,
    addresses,
    asked,
    pauses,
    take_out,
    wait_unasked,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import RETIRED_LABEL
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import DNS_MARK
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_take import living, wait_deployment
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_DNS = "coredns"
_APPS = "apps/v1"
_REPLICAS = 2
# By the kubelet, as CoreDNS' image has no shell to sleep in (Kubernetes 1.30). Nodes hear twice of its end meanwhile.
_PAUSE = {"preStop": {"sleep": {"seconds": int(3 * HEARD)}}}
_HELD = 3600  # seconds that a new pod must be ready before former ones are ended for it: more than any wait here


def scale(kube: Kube, timeout: float, clock: Clock = CLOCK) -> None:
    found = _deployment(kube)
    containers = _gentle(found)
    more: Object = {"replicas": _REPLICAS}
    if containers or DNS_MARK in _notes(found):
        _hold(kube, found, containers)
        _wait_successors(kube, found, timeout, clock)
        _retire(kube, found, timeout, clock)
        # Only now: with a second template about, the Deployment would have more pods of the former one too.
        _patch(kube, {**json.loads(_notes(_deployment(kube))[DNS_MARK]), **more}, {DNS_MARK: None})
    else:
        _patch(kube, more)
    wait_deployment(kube, _DNS, timeout, clock)


# -- the parts


def _hold(kube: Kube, found: Object, containers: Objects) -> None:
    """The new pods come; nothing goes for them."""
    spec = found["spec"]
    said = {key: spec.get(key) for key in ("minReadySeconds", "progressDeadlineSeconds")}
    said["strategy"] = {"rollingUpdate": None, **(spec.get("strategy") or {})}
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"}}
    held = {"strategy": surge, "minReadySeconds": _HELD, "progressDeadlineSeconds": 2 * _HELD}
    note = _notes(found).get(DNS_MARK) or json.dumps(said)
    template = {"template": {"spec": {"containers": containers}}} if containers else {}
    _patch(kube, {**held, **template}, {DNS_MARK: note})


def _wait_successors(kube: Kube, found: Object, timeout: float, clock: Clock) -> None:
    """As many as there were, and queries go to each already."""
    wanted = int(found["spec"].get("replicas", 1))

    def late() -> str:
        new = [pod for pod in _pods(kube, found) if pauses(pod)]
        served = asked(kube)
        unready = [pod for pod in new if not condition(pod, "Ready")]
        if len(new) < wanted or unready:
            return "; ".join(map(waiting_for, unready)) or f"{len(new)} of {wanted} pods"
        unserved = [pod["metadata"]["name"] for pod in new if not served & addresses([pod])]
        return f"{', '.join(unserved)} not in the service yet" if unserved else ""

    wait_until(
        late, lambda text: not text, thing=f"the new pods of the Deployment {NAMESPACE}/{_DNS}", wanted="in service",
        timeout=timeout, clock=clock, remedy="see the events of its pods",
    )


def _retire(kube: Kube, found: Object, timeout: float, clock: Clock) -> None:
    """Out of the service, still listening; gone when all nodes have heard of it."""
    former = [pod for pod in _pods(kube, found) if not pauses(pod)]
    for pod in former:
        take_out(kube, pod, _selector(found))
    for owner in {str(item["name"]) for pod in former for item in pod["metadata"].get("ownerReferences") or []}:
        kube.merge("ReplicaSet", owner, {"spec": {"replicas": 0}}, NAMESPACE, _APPS)
    retired = kube.list("Pod", NAMESPACE, labels=f"{RETIRED_LABEL}={SERVICE}")
    if retired:
        wait_unasked(kube, retired, timeout, clock)
        clock.sleep(HEARD)
    for pod in retired:
        kube.delete("Pod", pod["metadata"]["name"], NAMESPACE)


# -- underneath


def _deployment(kube: Kube) -> Object:
    found = kube.get("Deployment", _DNS, NAMESPACE, _APPS)
    if found is None:
        raise MeshwrightError(
            f"the Deployment {NAMESPACE}/{_DNS}", seen="missing", wanted="k3s' CoreDNS",
            remedy="leave stage2_scale_dns out where another name server is used",
        )
    return found


def _notes(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def _patch(kube: Kube, spec: Object, notes: dict[str, str | None] | None = None) -> None:
    meta = {"metadata": {"annotations": notes}} if notes else {}
    kube.merge("Deployment", _DNS, {**meta, "spec": spec}, NAMESPACE, _APPS)


def _selector(found: Object) -> dict[str, str]:
    return dict(found["spec"]["selector"]["matchLabels"])


def _pods(kube: Kube, found: Object) -> Objects:
    return living(kube, NAMESPACE, ",".join(f"{key}={value}" for key, value in _selector(found).items()))


def _gentle(deployment: Object) -> Objects:
    """Its containers with the pause; nothing where somebody has said already how it ends."""
    containers = deployment["spec"]["template"]["spec"].get("containers") or []
    if any(container.get("lifecycle") for container in containers):
        return []
    return [{**container, "lifecycle": _PAUSE} for container in containers]
