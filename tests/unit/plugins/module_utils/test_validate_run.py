from __future__ import annotations

import json
from typing import Any

import pytest
from turned import Turned

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import validate_run
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.client_kube import Output
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError, TimedOut


class Cluster:
    """Two nodes; every pod answers as it would, unless `broken` says something of the way."""

    def __init__(self, ready: bool = True, leftovers: tuple[str, ...] = ()) -> None:
        self.namespaces = set(leftovers)
        self.deleted: list[str] = []
        self.ready = ready
        self.broken: dict[str, int] = {}  # host → how often it still fails
        self.refuses = False

    def nodes(self) -> list[Any]:
        addresses = [{"type": "InternalIP", "address": "192.168.0.1"}]
        return [{"metadata": {"name": name}, "status": {"addresses": addresses}} for name in "ab"]

    def list(self, kind: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        if kind == "Namespace":
            return [{"metadata": {"name": name}} for name in self.namespaces]
        condition = [{"type": "Ready", "status": str(self.ready)}]
        return [
            {
                "metadata": {"name": f"reach-{node}"},
                "spec": {"nodeName": node},
                "status": {"phase": "Pending", "conditions": condition, "podIPs": [{"ip": f"10.42.0.{ord(node)}"}]},
            }
            for node in "ab"
        ]

    def get(self, kind: str, name: str, *_args: Any) -> Any:
        if kind == "Namespace":
            return {} if name in self.namespaces else None
        return {"spec": {"clusterIPs": ["10.43.0.9"], "ports": [{"port": 80, "nodePort": 31000}]}}

    def apply(self, wanted: Any) -> None:
        if self.refuses:
            raise MeshwrightError("the answer", seen="403")
        if wanted["kind"] == "Namespace":
            self.namespaces.add(wanted["metadata"]["name"])

    def delete(self, _kind: str, name: str) -> None:
        self.deleted.append(name)
        self.namespaces.discard(name)

    def through_pod(self, _namespace: str, _pod: str, _port: int, path: str, query: Any) -> str:
        assert path == "dial"
        if self.broken.get(query["host"], 0):
            self.broken[query["host"]] -= 1
            return json.dumps({"errors": ["timeout"]})
        host = query["host"]
        names = [f"reach-{chr(int(host.rpartition('.')[2]))}"] if host.startswith("10.42.") else ["reach-a", "reach-b"]
        return json.dumps({"responses": (names * int(query["tries"]))[: int(query["tries"])]})

    def exec(self, _namespace: str, _pod: str, command: Any, timeout: float) -> Output:
        assert command[:2] == ("/agnhost", "connect") and timeout
        return Output(1, "", "REFUSED") if "refused" in command[2] else Output(0, "", "")


def run(kube: Any, **settings: Any) -> list[validate_run.Result]:
    chosen = validate_run.Settings("check", "image", 10, controller=False, **settings)
    return validate_run.run(kube, chosen, Turned())


def test_all_ways_and_nothing_left() -> None:
    kube = Cluster()
    results = run(kube)
    assert results and all(result.well for result in results), [result for result in results if not result.well]
    assert kube.namespaces == set() and kube.deleted[0].startswith("check-")


def test_what_a_killed_run_left_goes_first() -> None:
    kube = Cluster(leftovers=("check-0ld",))
    run(kube)
    assert kube.deleted[0] == "check-0ld" and kube.namespaces == set()


def test_a_way_that_comes_while_the_cluster_settles() -> None:
    kube = Cluster()
    kube.broken = {"10.43.0.9": 3}
    assert all(result.well for result in run(kube))


def test_a_way_that_does_not_come() -> None:
    kube = Cluster()
    kube.broken = {"10.43.0.9": 1000}
    bad = [result for result in run(kube) if not result.well]
    assert {result.probe.check for result in bad} == {"pod to ClusterIP"}
    assert kube.namespaces == set()


def test_pods_that_do_not_come() -> None:
    kube = Cluster(ready=False)
    with pytest.raises(TimedOut, match=r"ready on 0 of 2 nodes \(a: Pending, not ready yet; b: Pending"):
        run(kube)
    assert kube.namespaces == set()


def test_removed_after_a_refusal_too() -> None:
    kube = Cluster()
    kube.refuses = True
    with pytest.raises(MeshwrightError, match="403"):
        run(kube)
    assert len(kube.deleted) == 1


@pytest.mark.parametrize(("target", "well"), [("https://example.org/", True), ("https://refused.example.org/", False)])
def test_egress_by_connection(target: str, well: bool) -> None:
    found = [result for result in run(Cluster(), egress=(target,)) if result.probe.check == "egress"]
    assert [result.well for result in found] == [well, well]
