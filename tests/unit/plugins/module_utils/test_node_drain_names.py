"""Name servers and their drain, against a small server whose nodes hear late what is no more in the service."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain import drain
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.node_drain_plan import Consent

LABELS = {"k8s-app": "kube-dns"}
RETIRED = "meshwright.k3s-cilium/retired"
STARTS, SLICED, HEARD = 3.0, 1.0, 4.0  # seconds: a new pod's start, a change of the slices, until nodes know of it
ONE, OTHER = "one", "other"
PAUSE = {"preStop": {"sleep": {"seconds": 15}}}


class Server(Turned):
    """Pods of CoreDNS by name: their node, and since when they are in the service, or out of it."""

    def __init__(
        self, *nodes: str, wanted: int = 2, allowed: int | None = None, starts: bool = True, pause: float = 0.0
    ) -> None:
        self.pods: dict[str, Any] = {}
        self.wanted, self.allowed, self.starts, self.pause = wanted, allowed, starts, pause
        self.hurt: list[str] = []
        self.fewest = 99
        self.cordoned = {ONE}
        for node in nodes:
            self.create(node, -100.0)

    def create(self, node: str, since: float) -> None:
        name = f"dns-{len(self.pods)}"
        self.pods[name] = {
            "metadata": {"namespace": "kube-system", "name": name, "uid": name, "labels": dict(LABELS),
                         "ownerReferences": [{"kind": "ReplicaSet", "controller": True}]},
            "spec": {"nodeName": node, "containers": [{"name": "dns", **({"lifecycle": PAUSE} if self.pause else {})}]},
            "ends": None, "status": {"podIPs": [{"ip": f"10.0.0.{len(self.pods)}"}]},
            "since": since, "until": None, "gone": False,
        }  # fmt: skip

    def living(self) -> list[Any]:
        return [pod for pod in self.pods.values() if not pod["gone"]]

    def turn(self) -> None:
        for pod in self.living():
            if pod["ends"] is not None and self.time >= pod["ends"]:
                self.end(pod)
        mine = [pod for pod in self.living() if "k8s-app" in pod["metadata"]["labels"] and pod["ends"] is None]
        for _ in range(self.wanted - len(mine) if self.starts else 0):
            self.create(OTHER, self.time + STARTS)
        self.fewest = min(self.fewest, len(self.sliced()))

    def sliced(self) -> list[str]:
        return [
            pod["status"]["podIPs"][0]["ip"] for pod in self.pods.values()
            if pod["since"] <= self.time and (pod["until"] is None or self.time < pod["until"] + SLICED)
        ]  # fmt: skip

    def nodes(self) -> Any:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [
            {"metadata": {"name": name}, "spec": {"unschedulable": name in self.cordoned}, "status": ready}
            for name in (ONE, OTHER)
        ]

    def get(self, kind: str, name: str, _namespace: str) -> Any:
        if kind == "Pod":
            return next((pod for pod in self.living() if pod["metadata"]["name"] == name), None)
        return {"spec": {"selector": LABELS}} if (kind, name) == ("Service", "kube-dns") else None

    def list(self, kind: str, _namespace: str = "", _version: str = "", labels: str = "", fields: str = "") -> Any:
        if kind == "EndpointSlice":
            return [{"endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in self.sliced()]}]
        if kind == "PodDisruptionBudget":
            meta = {"namespace": "kube-system", "name": "dns"}
            spec, status = {"selector": {"matchLabels": LABELS}}, {"disruptionsAllowed": self.allowed}
            return [] if self.allowed is None else [{"metadata": meta, "spec": spec, "status": status}]
        node = fields.partition("=")[2]
        return copy.deepcopy([pod for pod in self.living() if pod["spec"]["nodeName"] == node])

    def merge(self, _kind: str, name: str, patch: Any, *_place: str) -> None:
        meta = self.pods[name]["metadata"]
        meta["labels"] = {k: v for k, v in {**meta["labels"], **patch["metadata"]["labels"]}.items() if v is not None}
        meta["ownerReferences"] = []
        pod = self.pods[name]
        if self.pause and (pod["ends"] is None or self.time < pod["ends"] - self.pause + HEARD):
            self.hurt.append(name)  # queries were under way to it
        pod["until"] = self.time
        self.turn()

    def end(self, pod: Any) -> None:
        if pod["until"] is None or self.time < pod["until"] + HEARD:
            self.hurt.append(pod["metadata"]["name"])
        pod["until"] = self.time if pod["until"] is None else pod["until"]
        pod["gone"] = True

    def evict(self, _namespace: str, name: str, _uid: str, _grace: int | None) -> str:
        pod = self.pods[name]
        if pod["ends"] is None:
            pod["ends"] = self.time + self.pause
            pod["metadata"]["deletionTimestamp"] = "now"
        self.turn()
        return ""


def drained(server: Server) -> list[str]:
    said: list[str] = []
    drain(server, ONE, Consent(), timeout=60, say=said.append, clock=server)  # type: ignore[arg-type]
    assert not [pod for pod in server.living() if pod["spec"]["nodeName"] == ONE]
    return said


@pytest.mark.parametrize("pause", [0.0, 15.0])
@pytest.mark.parametrize("nodes", [(ONE, OTHER), (ONE, ONE), (OTHER, ONE, ONE)])
def test_nobody_asks_one_that_ends_and_one_always_serves(nodes: tuple[str, ...], pause: float) -> None:
    server = Server(*nodes, wanted=len(nodes), pause=pause)
    said = drained(server)
    assert server.hurt == [] and server.fewest >= 1
    assert any("kube-system/dns-" in line and "leaves the service kube-dns" in line for line in said)


def test_one_that_a_killed_run_took_out_goes_without_consent() -> None:
    server = Server(ONE, OTHER)
    server.merge("Pod", "dns-0", {"metadata": {"labels": {"k8s-app": None, RETIRED: "kube-dns"}}})
    drained(server)
    assert server.hurt == []


def test_the_only_one_serves_until_it_is_evicted() -> None:
    server = Server(ONE, wanted=1)
    drained(server)
    assert server.hurt == ["dns-0"] and RETIRED not in server.pods["dns-0"]["metadata"]["labels"]


def test_a_budget_is_the_evictions_business() -> None:
    server = Server(ONE, OTHER, allowed=0)
    drained(server)
    assert RETIRED not in server.pods["dns-0"]["metadata"]["labels"]


def test_no_other_one_comes() -> None:
    server = Server(ONE, ONE, starts=False)
    with pytest.raises(TimedOut, match="sends to is nothing but the one that is to go"):
        drained(server)
    assert server.hurt == [], "the second one serves"


def test_where_there_is_no_such_service() -> None:
    server = Server(ONE, OTHER)
    server.get = lambda *_place: None  # type: ignore[method-assign]
    drained(server)
    assert server.hurt == ["dns-0"]


def test_where_no_other_node_could_have_it() -> None:
    server = Server(ONE, ONE)
    server.cordoned.add(OTHER)
    drained(server)
    assert server.hurt == ["dns-0", "dns-1"]
