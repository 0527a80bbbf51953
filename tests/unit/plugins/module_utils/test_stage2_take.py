"""The steps of the Kubernetes API, against a small server that makes pods again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from merge_patch import merged
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_record as record
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_take as take
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.cilium_release import Release
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Output
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.stage2_facts import Record

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
AGENT = {"k8s-app": "cilium"}


class Server(Turned):
    """Objects by kind and name; a pod that is deleted comes again under another name three seconds later."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}
        self.number = 0
        self.mode = "False"
        self.coming: list[tuple[float, Any]] = []
        self.on_return: Callable[[], None] = lambda: None

    def put(self, kind: str, name: str, **parts: Any) -> None:
        parts.setdefault("metadata", {})
        self.kept[(kind, name)] = {**parts, "metadata": {"name": name, "uid": f"uid-{name}", **parts["metadata"]}}

    def pod(self, name: str, owner: str = "cilium", **labels: str) -> None:
        self.put("Pod", name, metadata={
            "namespace": "kube-system", "labels": labels, "ownerReferences": [{"kind": "DaemonSet", "name": owner}],
        }, spec={"nodeName": "one"}, status=READY)  # fmt: skip

    def turn(self) -> None:
        for entry in [entry for entry in self.coming if entry[0] <= self.time]:
            self.coming.remove(entry)
            self.number += 1
            meta = entry[1]["metadata"]
            self.pod(f"new-{self.number}", meta["ownerReferences"][0]["name"], **meta["labels"])
            self.on_return()

    def get(self, kind: str, name: str, *_place: str) -> Any:
        return copy.deepcopy(self.kept.get((kind, name)))

    def list(self, kind: str, _namespace: str = "", _version: str = "v1", labels: str = "", fields: str = "") -> Any:
        key, _, value = labels.partition("=")
        return [
            copy.deepcopy(item) for (its, _name), item in self.kept.items()
            if its == kind and (not labels or item["metadata"].get("labels", {}).get(key) == value)
            and fields in ("", f"spec.nodeName={item['spec']['nodeName']}")
        ]  # fmt: skip

    def merge(self, kind: str, name: str, patch: Any, *_place: str) -> Any:
        self.kept[(kind, name)] = merged(self.kept[(kind, name)], patch)
        return self.kept[(kind, name)]

    def apply(self, wanted: Any) -> Any:
        self.kept[(wanted["kind"], wanted["metadata"]["name"])] = wanted
        return wanted

    def delete(self, kind: str, name: str, *_place: str) -> bool:
        gone = self.kept.pop((kind, name), None)
        if gone and kind == "Pod":
            self.coming.append((self.time + 3, gone))
        return gone is not None

    def exec(self, *_args: Any, **_options: Any) -> Output:
        status = {"cilium": {"state": "Ok"}, "kube-proxy-replacement": {"mode": self.mode}}
        return Output(0, json.dumps(status), "")


@pytest.fixture
def kube() -> Any:
    server = Server()
    server.put("Node", "one", spec={}, status=READY)
    server.pod("agent", **AGENT)
    return server


def node(kube: Any) -> Any:
    return kube.get("Node", "one")["metadata"]


def test_marks(kube: Any) -> None:
    take.mark(kube, "one", stage=2, claimed=True)
    assert node(kube)["labels"] == {"meshwright.k3s-cilium/stage": "2"}
    assert node(kube)["annotations"] == {"meshwright.k3s-cilium/rollout": "true"}
    take.mark(kube, "one", stage=0)
    assert node(kube)["labels"] == {} and node(kube)["annotations"]
    take.mark(kube, "one", claimed=False)
    assert node(kube)["annotations"] == {}


def test_the_new_agents_own_word(kube: Any) -> None:
    former = take.restart_agent(kube, "one")
    kube.on_return = lambda: setattr(kube, "mode", "True")
    found = take.wait_replaced(kube, "one", 2, former, 60, kube)
    assert former == "uid-agent" and found.uid == "uid-new-1" and kube.time == 3


@pytest.mark.parametrize("former", ["uid-agent", ""])
def test_an_agent_that_does_not_say_so(kube: Any, former: str) -> None:
    """The former one's word counts for nothing; a new one's has to be the right one."""
    kube.mode = "True" if former else "False"
    with pytest.raises(TimedOut, match="the former one" if former else "replacement is False, wanted True"):
        take.wait_replaced(kube, "one", 2, former, 10, kube)


def test_a_node_that_is_gone_meanwhile(kube: Any) -> None:
    kube.delete("Node", "one")
    with pytest.raises(MeshwrightError, match="the node one is gone"):
        take.wait_replaced(kube, "one", 2, "", 10, kube)


def test_node_configs(kube: Any) -> None:
    take.configure(kube, 2, {"kube-proxy-replacement": "true"}, (1, 20))
    assert kube.get("CiliumNodeConfig", "meshwright-stage-2")["spec"]["defaults"] == {"kube-proxy-replacement": "true"}
    assert take.unconfigure(kube, (1, 20)) and not take.unconfigure(kube, (1, 20))


def deployment(kube: Any, name: str, replicas: int, **spec: Any) -> None:
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": spec}}
    kube.put("Deployment", name, spec=wanted, status={"availableReplicas": replicas, "updatedReplicas": replicas})


def test_the_operators_go_one_after_the_other(kube: Any) -> None:
    deployment(kube, "cilium-operator", 2)
    for name in ("a", "b"):
        kube.pod(name, **{"io.cilium/app": "operator"})
    take.restart_operator(kube, 30, kube)
    assert not {("Pod", "a"), ("Pod", "b")} & kube.kept.keys()


def test_pods_that_no_drain_moves(kube: Any) -> None:
    kube.pod("log", "log")
    take.renew(kube, "one", "kube-system", "log", 30, kube)
    assert ("Pod", "log") not in kube.kept and kube.time == 3
    take.renew(kube, "one", "kube-system", "log", 30, kube)


RELEASE = Release(7, "deployed", "1.20.2", {"kubeProxyReplacement": "false", "key": "canary"}, "", "r")


def test_the_record(kube: Any) -> None:
    assert record.from_object(kube.get("Secret", "meshwright-stage")) is None
    take.keep_record(kube, record.to_object(RELEASE, record.snapshot_name(7)))
    kept = kube.get("Secret", "meshwright-stage")
    assert "canary" not in json.dumps(kept)
    assert record.from_object(kept) == (Record(7, "1.20.2", "meshwright-stage-1-revision-7"), dict(RELEASE.values))
    assert take.forget(kube) and not take.forget(kube)


@pytest.mark.parametrize("data", [{}, {"stage-1.json": "!"}, {"stage-1.json": "e30="}])
def test_a_record_that_cannot_be_read(data: dict[str, str]) -> None:
    with pytest.raises(MeshwrightError, match="not readable"):
        record.from_object({"data": data})
