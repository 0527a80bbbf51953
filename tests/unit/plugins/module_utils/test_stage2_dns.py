"""CoreDNS twice, against a small server that does what a Deployment's and an EndpointSlice's controllers do."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from merge_patch import merged
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_dns as dns
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut

READY = {"type": "Ready", "status": "True"}
STARTING = 3.0  # seconds from a pod's creation to its readiness
COMMON = {"k8s-app": "kube-dns"}
CONTAINERS = [{"name": "coredns", "image": "x"}, {"name": "other"}]
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}}


class Killed(Exception):
    pass


class Server(Turned):
    """The controllers as far as they matter here: they work between any two requests, and whenever somebody waits."""

    def __init__(self, replicas: int = 1, starts: bool = True, **spec: Any) -> None:
        self.deployment: Any = {
            "metadata": {"name": "coredns"},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": COMMON}, "strategy": ROLLING,
                "template": {"spec": {"containers": copy.deepcopy(CONTAINERS), **spec}},
            },
        }  # fmt: skip
        self.sets: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, Any] = {}
        self.starts, self.number = starts, itertools.count(1)
        self.gone: list[tuple[str, bool, float]] = []  # name, whether it was in the service, when
        self.unasked: dict[str, float] = {}  # since when a living pod is out of the service
        self.requests, self.killed_after = 0, 10**6
        self.turn()
        for pod in self.pods.values():
            pod["born"] -= 1000

    # -- the controllers

    def turn(self) -> None:
        spec = self.deployment["spec"]
        pod = spec["template"]["spec"]
        new = self.sets.setdefault(repr(pod), {"name": f"rs-{len(self.sets)}", "replicas": 0, "spec": pod})
        others = [item for item in self.sets.values() if item is not new]
        old = sum(item["replicas"] for item in others)
        new["replicas"] = spec["replicas"]
        available = sum(self.age(pod) >= STARTING + spec.get("minReadySeconds", 0) for pod in self.of(new))
        if old and available >= spec["replicas"]:
            for item in others:
                item["replicas"] = 0
        for item in self.sets.values():
            mine = self.of(item)
            for _ in range(item["replicas"] - len(mine)):
                self.create(item)
            for pod in sorted(mine, key=self.age)[: max(0, len(mine) - item["replicas"])]:
                self.end(pod["metadata"]["name"])
        asked = self.asked()
        for name in self.pods:
            if name not in asked:
                self.unasked.setdefault(name, self.time)

    def create(self, item: dict[str, Any]) -> None:
        name = f"{item['name']}-{next(self.number)}"
        self.pods[name] = {
            "metadata": {"name": name, "labels": dict(COMMON), "ownerReferences": [{"name": item["name"]}]},
            "spec": item["spec"], "born": self.time, "status": {"podIPs": [{"ip": f"10.0.0.{len(name)}-{name}"}]},
        }  # fmt: skip

    def end(self, name: str) -> None:
        pod = self.pods[name]
        asked = name in self.asked() or self.time - self.unasked.get(name, self.time) < 5
        self.gone.append((name, asked and self.age(pod) >= STARTING and not self.gentle(pod), self.time))
        del self.pods[name]

    def age(self, pod: Any) -> float:
        return self.time - float(pod["born"]) if self.starts else 0.0

    def of(self, item: dict[str, Any]) -> list[Any]:
        mine = [pod for pod in self.pods.values() if pod["metadata"]["ownerReferences"][0]["name"] == item["name"]]
        return [pod for pod in mine if pod["metadata"]["labels"].get("k8s-app")]

    def asked(self) -> set[str]:
        return {
            name for name, pod in self.pods.items()
            if pod["metadata"]["labels"].get("k8s-app") and self.age(pod) >= STARTING
        }  # fmt: skip

    @staticmethod
    def gentle(pod: Any) -> bool:
        return any("lifecycle" in item for item in pod["spec"]["containers"])

    # -- the API

    def asks(self) -> None:
        self.requests += 1
        if self.requests > self.killed_after:
            raise Killed
        self.turn()

    def get(self, _kind: str, name: str, *_place: str) -> Any:
        self.asks()
        spec = self.deployment["spec"]
        available = sum(self.age(pod) >= STARTING + spec.get("minReadySeconds", 0) for pod in self.pods.values())
        status = {"availableReplicas": available, "updatedReplicas": available}
        return copy.deepcopy({**self.deployment, "status": status}) if name == "coredns" else None

    def list(self, kind: str, *_place: str, labels: str = "", fields: str = "") -> Any:
        self.asks()
        if kind == "EndpointSlice":
            return [{"endpoints": [{"addresses": [self.pods[n]["status"]["podIPs"][0]["ip"]]} for n in self.asked()]}]
        assert not fields
        key, _, value = labels.partition("=")
        found = [pod for pod in self.pods.values() if pod["metadata"]["labels"].get(key) == value]
        for pod in found:
            pod["status"]["conditions"] = [READY] if self.age(pod) >= STARTING else []
        return copy.deepcopy(found)

    def merge(self, kind: str, name: str, patch: Any, *_place: str) -> None:
        self.asks()
        if kind == "Deployment":
            self.deployment = merged(self.deployment, patch)
        elif kind == "Pod":
            self.pods[name] = merged(self.pods[name], patch)
        else:
            next(item for item in self.sets.values() if item["name"] == name)["replicas"] = patch["spec"]["replicas"]
        self.turn()

    def delete(self, _kind: str, name: str, *_place: str) -> None:
        self.asks()
        self.end(name)
        self.turn()


def settled(server: Any) -> None:
    """Twice, gently, as it was in all else, and nobody was asked when it ended."""
    assert [server.gentle(pod) for pod in server.pods.values()] == [True, True]
    assert not [name for name, hurt, _time in server.gone if hurt]
    spec = server.deployment["spec"]
    assert spec["strategy"] == ROLLING and "minReadySeconds" not in spec and "progressDeadlineSeconds" not in spec
    assert not server.deployment["metadata"].get("annotations")


@pytest.mark.parametrize("replicas", [1, 2])
def test_nobody_is_asked_when_it_ends(replicas: int) -> None:
    server = Server(replicas)
    dns.scale(server, 60, server)  # type: ignore[arg-type]
    settled(server)
    pause = {"preStop": {"sleep": {"seconds": 15}}}
    containers = server.deployment["spec"]["template"]["spec"]["containers"]
    assert containers == [{**item, "lifecycle": pause} for item in CONTAINERS]


def test_a_run_that_was_cut_off_at_any_request_is_completed() -> None:
    whole = Server()
    dns.scale(whole, 60, whole)  # type: ignore[arg-type]
    for requests in range(1, whole.requests):
        server = Server()
        server.killed_after = requests
        with pytest.raises(Killed):
            dns.scale(server, 60, server)  # type: ignore[arg-type]
        server.sleep(30)
        server.killed_after = 10**6
        dns.scale(server, 60, server)  # type: ignore[arg-type]
        settled(server)


def test_pods_that_do_not_start() -> None:
    server = Server(starts=False)
    with pytest.raises(TimedOut, match="new pods of the Deployment kube-system/coredns"):
        dns.scale(server, 20, server)  # type: ignore[arg-type]
    assert not server.gone


def test_somebody_has_said_how_it_ends() -> None:
    own = [{"name": "coredns", "lifecycle": {"preStop": {"httpGet": {}}}}]
    server = Server(containers=own)
    dns.scale(server, 60, server)  # type: ignore[arg-type]
    assert server.deployment["spec"]["template"]["spec"]["containers"] == own
    assert len(server.pods) == 2 and not server.gone


def test_another_name_server() -> None:
    server = Server()
    server.get = lambda *_place: None  # type: ignore[method-assign]
    with pytest.raises(MeshwrightError, match="coredns is missing"):
        dns.scale(server, 5, server)  # type: ignore[arg-type]
