# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the workload up, tries all ways, and takes it away again. Runs on the controller."""

from __future__ import annotations

import secrets
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_status import condition, waiting_for
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Kube
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, Unreachable
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_probes import (
    Probe,
    Result,
    answers,
    judge,
    probes,
    question,
    tries,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.validate_workload import (
    HTTP,
    LABEL,
    NAME,
    PART,
    Pod,
    node_of,
    objects,
    pod_of,
    service_of,
)
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.waiting import CLOCK, Clock, wait_until

_THREADS = 16
_CONNECT = 5  # seconds for one connection
# A new service is known on all nodes after a second or two: what fails is tried again for so long.
_SETTLE = 15.0
_GONE = 60.0


@dataclass(frozen=True)
class Settings:
    namespace: str
    image: str
    timeout: float
    host_port: int = 0
    egress: tuple[str, ...] = ()
    controller: bool = True


def run(kube: Kube, settings: Settings, clock: Clock = CLOCK) -> list[Result]:
    """All results. The workload is gone afterwards, also after a failure."""
    remove(kube, leftovers(kube))
    namespace = f"{settings.namespace}-{secrets.token_hex(3)}"
    try:
        for wanted in objects(namespace, settings.image, settings.host_port):
            kube.apply(wanted)
        pods = _ready_pods(kube, namespace, settings.timeout, clock)
        service = service_of(kube.get("Service", NAME, namespace) or {})
        nodes = [node_of(node) for node in kube.nodes()]
        asked = probes(
            pods, service, nodes, host_port=settings.host_port, egress=settings.egress, controller=settings.controller
        )
        return _try_all(kube, namespace, asked, clock)
    finally:
        remove(kube, [namespace])
        wait_until(
            lambda: kube.get("Namespace", namespace), lambda found: found is None, clock=clock, timeout=_GONE,
            thing=f"the namespace {namespace}", wanted="gone", describe=lambda _found: "still there",
            remedy="see its status; the next run removes what is left", interval=0.5,
        )


def leftovers(kube: Kube) -> list[str]:
    """Namespaces of runs that were killed."""
    return [found["metadata"]["name"] for found in kube.list("Namespace", labels=f"{LABEL}={PART}")]


def remove(kube: Kube, namespaces: t.Iterable[str]) -> None:
    for namespace in namespaces:
        kube.delete("Namespace", namespace)


def _ready_pods(kube: Kube, namespace: str, timeout: float, clock: Clock) -> list[Pod]:
    """One pod for each node, all of them ready."""

    def look() -> tuple[int, list[t.Any]]:
        return len(kube.nodes()), kube.list("Pod", namespace, labels=f"{LABEL}={PART}")

    def done(seen: tuple[int, list[t.Any]]) -> bool:
        count, pods = seen
        return len(pods) == count and all(condition(pod, "Ready") for pod in pods)

    def describe(seen: tuple[int, list[t.Any]]) -> str:
        count, pods = seen
        late = [pod for pod in pods if not condition(pod, "Ready")]
        told = [f"{pod['spec'].get('nodeName', 'no node')}: {waiting_for(pod)}" for pod in late]
        return f"ready on {len(pods) - len(late)} of {count} nodes ({'; '.join(told) or 'no pods yet'})"

    _count, found = wait_until(
        look, done, describe=describe, thing="the workload that tries the traffic", wanted="a ready pod on each node",
        remedy="see validate_image, and that no one else has validate_host_port", timeout=timeout, interval=0.5,
        clock=clock,
    )
    return sorted((pod_of(pod) for pod in found), key=lambda pod: pod.node)


def _try_all(kube: Kube, namespace: str, asked: t.Sequence[Probe], clock: Clock) -> list[Result]:
    """Everything at once; what fails is tried again while the cluster settles."""
    results: dict[Probe, Result] = {}
    end = clock.now() + _SETTLE
    open_ways = list(asked)
    with ThreadPoolExecutor(_THREADS) as threads:
        while open_ways:
            for result in threads.map(lambda probe: _ask(kube, namespace, probe), open_ways):
                results[result.probe] = result
            open_ways = [probe for probe in open_ways if not results[probe].well]
            if clock.now() > end:
                break
            if open_ways:
                clock.sleep(1.0)
    return [results[probe] for probe in asked]


def _ask(kube: Kube, namespace: str, probe: Probe) -> Result:
    try:
        if not probe.pod:
            return judge(probe, (_from_here(probe),), "")
        if probe.protocol == "tcp":
            return _connect(kube, namespace, probe)
        return _dial(kube, namespace, probe)
    except (MeshwrightError, OSError) as error:
        return Result(probe, False, str(error))


def _dial(kube: Kube, namespace: str, probe: Probe) -> Result:
    # One try first: a way that is closed takes seconds for each.
    result = judge(probe, *answers(kube.through_pod(namespace, probe.pod, HTTP, "dial", question(probe))))
    if not result.well or not tries(probe):
        return result
    return judge(probe, *answers(kube.through_pod(namespace, probe.pod, HTTP, "dial", question(probe, tries(probe)))))


def _connect(kube: Kube, namespace: str, probe: Probe) -> Result:
    place = f"[{probe.host}]" if ":" in probe.host else probe.host
    command = ("/agnhost", "connect", f"{place}:{probe.port}", f"--timeout={_CONNECT}s")
    output = kube.exec(namespace, probe.pod, command, timeout=_CONNECT + 5)
    return Result(probe, output.rc == 0, "connected" if output.rc == 0 else output.stderr.strip())


def _from_here(probe: Probe) -> str:
    place = f"[{probe.host}]" if ":" in probe.host else probe.host
    # A node's port is asked directly, whatever proxy the controller uses for the world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{place}:{probe.port}/{probe.request}", timeout=_CONNECT) as answer:
            return str(answer.read().decode("utf-8", "replace")).strip()
    except urllib.error.URLError as error:
        raise Unreachable("the answer", seen=f"missing ({error.reason})") from error


def settings_from(params: t.Mapping[str, t.Any]) -> Settings:
    return Settings(
        namespace=params["namespace"], image=params["image"], timeout=params["timeout"],
        host_port=params["host_port"], egress=tuple(params["egress_targets"]), controller=params["from_controller"],
    )
