"""The steps of the Kubernetes API, against objects in a table."""

from __future__ import annotations

from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_reach as reach
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_take as take
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_take
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import TimedOut
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_facts import ABSENT, Ends
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.migrate_read import HostSays

READY = {"conditions": [{"type": "Ready", "status": "True", "message": "fine"}]}
LATE = {"conditions": [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]}


class Api(Turned):
    """Lists by kind; what is merged is kept. Time only passes when somebody waits, and then things happen."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        self.lists, self.merged = lists, list[tuple[str, dict[str, Any]]]()
        self.later: dict[str, list[dict[str, Any]]] = {}

    def turn(self) -> None:
        self.lists |= self.later

    def list(self, kind: str, *_where: Any, **_more: Any) -> list[dict[str, Any]]:
        return self.lists.get(kind, [])

    def nodes(self) -> list[dict[str, Any]]:
        return self.lists.get("Node", [])

    def get(self, kind: str, name: str, *_where: Any) -> dict[str, Any] | None:
        return next((item for item in self.lists.get(kind, []) if item["metadata"]["name"] == name), None)

    def delete(self, kind: str, name: str, namespace: str) -> None:
        self.merged.append((f"{kind}/{namespace}/{name}", {}))

    def merge(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        self.merged.append((f"{kind}/{name}", patch))

    def version(self) -> dict[str, str]:
        return {"gitVersion": "v1.34.4+k3s1"}

    def resource(self, *_what: str) -> None:
        return None


def node(name: str, status: dict[str, Any], **notes: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": notes}, "spec": {}, "status": status}


def agent(where: str) -> dict[str, Any]:
    return {"metadata": {"name": f"cilium-{where}", "labels": {"k8s-app": "cilium"}}, "spec": {"nodeName": where}}


def test_a_cluster_without_cilium(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own kinds are not there, and nobody is asked for a word."""
    api = Api(Node=[node("one", READY)], NetworkPolicy=[{"metadata": {"name": "deny", "namespace": "web"}}])
    monkeypatch.setattr(take, "settled", lambda _kube: None)
    monkeypatch.setattr(take, "listed", lambda _kube, _kind: [])
    seen = take.look(api, {"one": HostSays("h1")}, Ends(), members=1)  # type: ignore[arg-type]
    assert (seen.release, seen.policies, seen.cluster.members, seen.nodes[0].host) == (ABSENT, 1, 1, "h1")
    assert seen.cluster.chart_status == "missing" and not seen.moved


def test_label_and_annotations() -> None:
    api = Api(Node=[node("one", READY, **{"flannel.alpha.coreos.com/backend-type": "vxlan", "mine": "x"})])
    take.label(api, "one", on=True)  # type: ignore[arg-type]
    take.label(api, "one", on=False)  # type: ignore[arg-type]
    assert take.forget_flannel(api, "one")  # type: ignore[arg-type]
    assert [patch["metadata"] for _name, patch in api.merged] == [
        {"labels": {"meshwright.k3s-cilium/network": "cilium"}}, {"labels": {"meshwright.k3s-cilium/network": None}},
        {"annotations": {"flannel.alpha.coreos.com/backend-type": None}},
    ]  # fmt: skip
    api.lists["Node"] = [node("one", READY, mine="x")]
    assert not take.forget_flannel(api, "one") and not take.forget_flannel(api, "two")  # type: ignore[arg-type]


def test_expelled_when_the_agent_is_gone() -> None:
    api = Api(Pod=[agent("one"), agent("two")])
    api.later = {"Pod": [agent("two")]}
    take.expel(api, "one", 10, api)  # type: ignore[arg-type]
    assert api.time == 1.0
    with pytest.raises(TimedOut, match="cilium-two"):
        take.expel(api, "two", 10, api)  # type: ignore[arg-type]


def test_connected_when_agent_and_node_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(stage2_take, "wait_well", lambda _kube, name, _timeout, _clock: asked.append(name))
    api = Api(Pod=[], Node=[node("one", LATE)])
    with pytest.raises(TimedOut, match="not there yet"):
        take.wait_connected(api, "one", 5, api)  # type: ignore[arg-type]
    api.lists["Pod"] = [agent("one")]
    with pytest.raises(TimedOut, match="cni plugin not initialized"):
        take.wait_connected(api, "one", 5, api)  # type: ignore[arg-type]
    api.later = {"Node": [node("one", READY)]}
    take.wait_connected(api, "one", 5, api)  # type: ignore[arg-type]
    assert asked == ["one", "one"]


def test_pods_by_which_both_networks_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a moved node its health endpoint, of one with flannel its CoreDNS."""
    health = [
        {"metadata": {"name": "one"}, "spec": {"health": {"ipv4": "10.42.0.9", "ipv6": "fd00::9"}}},
        {"metadata": {"name": "new"}, "spec": {}},
    ]
    dns = [
        {"metadata": {}, "spec": {"nodeName": where}, "status": {**state, "podIP": address}}
        for where, state, address in (
            ("one", READY, "10.42.0.3"), ("two", READY, "10.42.1.3"), ("two", LATE, "10.42.1.4"),
        )
    ]  # fmt: skip
    monkeypatch.setattr(reach, "listed", lambda _kube, _kind: health)
    found = reach.targets(Api(Pod=dns), "one")  # type: ignore[arg-type]
    own = ["http://10.42.0.9:4240/hello", "http://[fd00::9]:4240/hello"]
    assert sorted(found["here"]) == sorted(["http://10.42.1.3:8181/ready", *own]) and found["there"] == own
    assert reach.targets(Api(Pod=dns), "two")["there"] == ["http://10.42.1.3:8181/ready"]  # type: ignore[arg-type]
    assert reach.targets(Api(Pod=[]), "three")["there"] == []  # type: ignore[arg-type]


def daemon(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "web", **more.pop("meta", {})}, "spec": {"nodeName": "one", **more},
        "status": {"phase": "Running", "containerStatuses": [{"state": {state: {}}}]},
    }  # fmt: skip


def test_dismissed_when_nothing_of_them_runs() -> None:
    leaving = {"deletionTimestamp": "2026-01-02T12:00:00Z"}
    static = daemon("static", "running", meta={"annotations": {"kubernetes.io/config.mirror": "x"}})
    others = [static, daemon("host", "running", hostNetwork=True)]
    api = Api(Pod=[daemon("log", "running"), daemon("gone", "running", meta=leaving), *others])
    api.later = {"Pod": [daemon("log", "terminated", meta=leaving), daemon("new", "running"), *others]}
    assert take.dismiss(api, "one", 10, api) == ("web/gone", "web/log")  # type: ignore[arg-type]
    assert [name for name, _patch in api.merged] == ["Pod/web/log"]
    assert api.time == 1.0
    with pytest.raises(TimedOut, match="web/new"):
        take.dismiss(api, "one", 3, api)  # type: ignore[arg-type]


def test_pods_end_when_somebody_takes_them_out_of_services() -> None:
    """Not while the manager that went with its k3s is the last that is known: endpoints would outlive their pods."""

    def lease(holder: str, renewed: int) -> list[dict[str, Any]]:
        spec = {"holderIdentity": holder, "renewTime": str(renewed)}
        return [{"metadata": {"name": "kube-controller-manager"}, "spec": spec}]

    class Elected(Api):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.time >= 15:
                self.lists["Lease"] = lease("two", int(self.time) // 2)

    api = Elected(Lease=lease("one", 1))
    take.wait_governed(api, 60, api)  # type: ignore[arg-type]
    assert 17 <= api.time <= 19
    silent = Api(Lease=lease("one", 1))
    with pytest.raises(TimedOut, match="renews its Lease"):
        take.wait_governed(silent, 10, silent)  # type: ignore[arg-type]
    alone = Api()
    take.wait_governed(alone, 10, alone)  # type: ignore[arg-type]
    assert alone.time == 0
